"""What every representation is: frozen hyper-parameters that turn structures into numbers with names."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Features:
    """The numbers of a representation.

    Attributes
    ----------
    array : (n, d) global, or (A, d) local; float64 or float32
        One row for each structure, or for each atom.
    representation : Representation
        What made them.
    species : Species
        For which columns: see :meth:`Representation.labels`.
    offsets : (n + 1,) int64 or None
        Local features: rows of structure i are ``offsets[i]:offsets[i + 1]``.
    """

    array: Array
    representation: Representation
    species: Species
    offsets: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.array)

    def of(self, index: int) -> Array:
        """(rows, d) the rows of one structure: one, or one for each of its atoms when local."""
        if self.offsets is None:
            return self.array[index : index + 1]
        return self.array[self.offsets[index] : self.offsets[index + 1]]

    def per_structure(self) -> Array:
        """(n, d) one row for each structure: the features, or the mean over the atoms of local ones.

        A structure without atoms has a row of zeros.
        """
        if self.offsets is None:
            return self.array
        starts, sizes = self.offsets[:-1], np.diff(self.offsets)
        filled = sizes > 0
        mean = np.zeros((len(sizes), self.array.shape[1]), dtype=self.array.dtype)
        if filled.any():
            # empty structures left out, each sum ends where the next begins
            mean[filled] = np.add.reduceat(self.array, starts[filled], axis=0) / sizes[filled, None]
        return mean


@dataclass(frozen=True, eq=False)
class Gradients:
    """Derivatives of features with respect to the atoms' positions.

    Attributes
    ----------
    array : (Σ rows_i · N_i · 3 · d,) float64, features' unit / Å
        Block after block; :meth:`of` gives one in its shape.
    starts : (n + 1,) int64
        Block of structure i is ``array[starts[i]:starts[i + 1]]``.
    rows, atoms : (n,) int64
        Rows of features (1, or N when local) and atoms N of each structure.
    columns : int
        d.
    """

    array: Array
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    atoms: NDArray[np.int64]
    columns: int

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, index: int) -> Array:
        """(rows, N, 3, d) ∂ feature / ∂ position of one structure; of a crystal's atom all its images move along."""
        block = self.array[self.starts[index] : self.starts[index + 1]]
        return block.reshape(int(self.rows[index]), int(self.atoms[index]), 3, self.columns)

    @classmethod
    def empty(cls, sizes: NDArray[np.int64], columns: int, local: bool, out: Array | None = None) -> Gradients:
        """Uninitialised blocks for structures of these numbers of atoms, in `out` (1-d float64) when it is given.

        Raises ValueError when `out` does not fit.
        """
        rows = sizes if local else np.ones_like(sizes)
        starts = np.concatenate([[0], np.cumsum(rows * sizes * 3 * columns)]).astype(np.int64)
        total = int(starts[-1])
        if out is None:
            out = np.empty(total)
        elif out.shape != (total,) or out.dtype != np.float64 or not out.flags.c_contiguous:
            raise ValueError(f"out has shape {out.shape} and type {out.dtype}, expected ({total},) of float64")
        return cls(out, starts, rows.astype(np.int64), sizes.astype(np.int64), columns)


@dataclass(frozen=True)
class Contribution:
    """What one atom, pair or triple of a structure adds to a column.

    Attributes
    ----------
    atoms : tuple of int
        0-based, in the order of the definition (a triple's middle atom in the middle; a local feature's centre first
        for pairs). Of a crystal an atom stands for the image that takes part.
    value : float
        The part, in the column's unit; the parts of all add up to the column where it is a sum over them.
    """

    atoms: tuple[int, ...]
    value: float


@dataclass(frozen=True, eq=False)
class Panel:
    """One part of a representation that is drawn by itself: a curve over a grid, bars, or matrices.

    Attributes
    ----------
    title : str
        "C–H", "H–C–H", "C H, l = 2".
    start, stop : int
        Its columns.
    grid : (stop - start,) float or None
        A curve's values on the x axis, ascending.
    axis : str
        Title of the x axis with its unit, "r / Å", "angle / °".
    cells : (rows, columns) int or None
        A matrix instead of a curve: which column of the features stands in each cell, −1 for none.
    row_axis : str
        Title of a matrix's rows ("n"); its columns bear `axis`.
    names : tuple of str
        Names under the bars where it is neither curve nor matrix; may be empty.
    group : str
        Panels of one group stand together under this heading ("pairs", "triples", "C–H"); may be empty.
    """

    title: str
    start: int
    stop: int
    grid: Array | None = None
    axis: str = ""
    cells: NDArray[np.int64] | None = None
    row_axis: str = ""
    names: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Layout:
    """How the columns of a representation are to be drawn, and which atoms of one structure fill them.

    Attributes
    ----------
    kind : "matrix", "spectrum", "bags" or "panels"
        matrix: `shape` rows and columns; spectrum: bars in order; bags: groups of bars; panels: see :class:`Panel`.
    shape : tuple of int
        Shape into which a row of features is reshaped for drawing (matrix); (d,) otherwise. A packed symmetric
        matrix is unpacked by :meth:`Representation.unpack`.
    groups : tuple of (title, start, stop)
        Columns that belong together (bags, element pairs), in order.
    row_labels : tuple of str
        Labels of a matrix's rows for this structure ("C1", "H4", … in the order in which the representation put them).
    atoms : tuple of tuple of int, one for each column
        The atoms of this structure (0-based, as in the file) that fill the column; empty where it is padding or where
        all atoms contribute (a spectrum). Of panels it is (): :meth:`Representation.contributions` tells.
    unit : str
        Unit of the values ("Ha", or "e²/Å" where lengths were left in Å); "" where they have none.
    panels : tuple of Panel
        Of the kind "panels": in the order in which they are drawn.
    """

    kind: Literal["matrix", "spectrum", "bags", "panels"]
    shape: tuple[int, ...]
    groups: tuple[tuple[str, int, int], ...] = ()
    row_labels: tuple[str, ...] = ()
    atoms: tuple[tuple[int, ...], ...] = ()
    unit: str = ""
    panels: tuple[Panel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Representation(Parameterised):
    """Hyper-parameters of a representation. Subclasses add fields made with :func:`qmlstudio.parameters.param`."""

    help: ClassVar[str] = ""
    """A few sentences for the panel: definition, when to use it, what it cannot see."""
    formula: ClassVar[tuple[str, ...]] = ()
    """The definition in lines of TeX as matplotlib's mathtext renders it, without the dollar signs."""
    reference: ClassVar[str] = ""
    """Literature."""
    periodic: ClassVar[Literal["ignored", "images", "required"]] = "ignored"
    """What becomes of a crystal: its cell is ignored, all images within the cutoff count, or it must have a cell."""
    counts_matter: ClassVar[bool] = False
    """Whether the columns depend on how many atoms of an element there are, not only on which elements."""

    @property
    def local(self) -> bool:
        """Whether there is one row for each atom rather than for each structure."""
        return False

    @property
    def kernel_only(self) -> bool:
        """Whether only a kernel of its own makes sense of the rows: then they have no distances and no map."""
        return False

    @property
    def has_gradient(self) -> bool:
        """Whether :meth:`gradient` can be asked for with these values."""
        return False

    @property
    def invariances(self) -> frozenset[str]:
        """Under which operations the features do not change; the tests hold each entry of the registry to it."""
        return frozenset({"translation", "rotation", "reflection", "permutation"})

    @abstractmethod
    def size(self, species: Species) -> int:
        """Number of columns for a data set with these elements."""

    @abstractmethod
    def labels(self, species: Species) -> list[str]:
        """A name for every column, `size(species)` of them."""

    @abstractmethod
    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        """Features of all structures.

        Parameters
        ----------
        structures : Structures
            Positions in Å.
        progress : Progress
            Called every ~50 ms; raises Cancelled.
        species : Species, optional
            Fixes the columns; that of `structures` when not given. A structure that does not fit raises ValueError.
        out : (n, d) float64 or float32 array, optional
            Filled and returned instead of a new array (a memory map, or a buffer used again).
        dtype : float64 or float32
            Of a new array.
        threads : int, optional
            1 runs the serial loop (no numba threads are started: the interactive lane), None all that numba has.
        """

    @abstractmethod
    def layout(self, structure: Structure, species: Species) -> Layout:
        """How to draw the columns for one structure, and which of its atoms fill each."""

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """Analytical derivatives with respect to all positions.

        Parameters are those of :meth:`compute`; `out` is a (total,) float64 array to be used again. Raises ValueError
        where there is none (see :attr:`has_gradient`), and as :meth:`compute`.
        """
        raise ValueError(f"{self.title} has no gradient with these parameters")

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The atoms, pairs or triples of `structure` that fill a column, the largest part first.

        Parameters
        ----------
        column : int
        centre : int, optional
            The atom whose row is meant, when local.

        Without atoms that can be named (eigenvalues) the list is empty. Parts below 1e-6 of the largest are left out.
        """
        atoms = self.layout(structure, species).atoms
        if not 0 <= column < len(atoms) or not atoms[column]:
            return []
        one = Structures.from_lists([structure.numbers], [structure.positions], [structure.cell])
        value = float(self.compute(one, species=species, threads=1).array[0, column])
        return [Contribution(atoms[column], value)]

    def estimate(self, structures: Structures, *, threads: int | None = None, seconds: float = 0.1) -> float:
        """Seconds that :meth:`compute` will take, from a probe of a few structures that takes about `seconds`.

        Compiling is left out: the probe runs once before it is timed.
        """
        n = len(structures)
        if n == 0:
            return 0.0
        rng = np.random.default_rng(0)
        species, count, spent, probe = structures.species, min(n, 4), 0.0, 0
        self.compute(structures.take(rng.choice(n, count, replace=False)), species=species, threads=threads)
        while True:
            chosen = structures.take(np.sort(rng.choice(n, count, replace=False)))
            began = time.perf_counter()
            self.compute(chosen, species=species, threads=threads)
            spent, probe = time.perf_counter() - began, count
            if spent >= 0.5 * seconds or probe == n:
                break
            count = min(n, max(2 * count, int(count * seconds / max(spent, 1e-4) / 2)))
        return spent * n / probe

    def rows(self, structures: Structures) -> int:
        """Number of rows: structures, or atoms when local."""
        return len(structures.numbers) if self.local else len(structures)

    def memory(self, structures: Structures, dtype: Any = np.float64) -> int:
        """Bytes that :meth:`compute` will need for its result, known before computing."""
        return self.rows(structures) * self.size(structures.species) * int(np.dtype(dtype).itemsize)

    def unpack(self, row: Array, species: Species) -> Array:
        """One row of features as it is drawn: a packed matrix becomes square; others stay as they are."""
        return row

    def _output(self, structures: Structures, species: Species, out: Array | None, dtype: Any) -> Array:
        """The array to fill: the caller's, checked, or a new one."""
        shape = (self.rows(structures), self.size(species))
        if out is None:
            if np.dtype(dtype) not in (np.float64, np.float32):
                raise ValueError(f"dtype is {np.dtype(dtype)}, expected float64 or float32")
            return np.empty(shape, dtype=dtype)
        if out.shape != shape or out.dtype not in (np.float64, np.float32):
            raise ValueError(f"out has shape {out.shape} and type {out.dtype}, expected {shape} of float64 or float32")
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError("out must be C-contiguous and writeable")
        return out


def check_fits(structures: Structures, species: Species, counts: bool = True) -> None:
    """Raise ValueError when the structures have an element, or more atoms of one, than `species` has columns for.

    `counts` false: only the elements matter.
    """
    own = structures.species
    if not counts:
        if missing := sorted(set(own.numbers) - set(species.numbers)):
            raise ValueError(
                f"a structure has {', '.join(SYMBOLS[z] for z in missing)} atoms, but the columns were fixed for "
                f"{', '.join(species.symbols)}: compute the representation for a set that contains them"
            )
        return
    for z, count in zip(own.numbers, own.counts, strict=True):
        if count > species.count(z):
            raise ValueError(
                f"a structure has {count} {SYMBOLS[z]} atoms, but the columns were fixed for at most "
                f"{species.count(z)}: compute the representation for a set that contains it"
            )
    if own.n_max > species.n_max:
        raise ValueError(f"a structure has {own.n_max} atoms, but the columns were fixed for at most {species.n_max}")


def columns_for(structures: Structures, species: Species | None, counts: bool = True) -> Species:
    """What fixes the columns: `species`, to which `structures` must fit, or that of `structures` when None.

    `counts` false: only the elements matter, not how many atoms of each there are.
    """
    if species is None:
        return structures.species
    check_fits(structures, species, counts)
    return species
