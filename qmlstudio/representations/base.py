"""What every representation is: frozen hyper-parameters that turn structures into numbers with names."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Layout:
    """How the columns of a representation are to be drawn, and which atoms of one structure fill them.

    Attributes
    ----------
    kind : "matrix", "spectrum", "bags" or "curves"
        matrix: `shape` rows and columns; spectrum: bars in order; bags: groups of bars; curves: groups over a grid.
    shape : tuple of int
        Shape into which a row of features is reshaped for drawing (matrix); (d,) otherwise. A packed symmetric
        matrix is unpacked by :meth:`Representation.unpack`.
    groups : tuple of (title, start, stop)
        Columns that belong together (bags, element pairs), in order.
    row_labels : tuple of str
        Labels of a matrix's rows for this structure ("C1", "H4", … in the order in which the representation put them).
    atoms : tuple of tuple of int, one for each column
        The atoms of this structure (0-based, as in the file) that fill the column; empty where it is padding or where
        all atoms contribute (a spectrum).
    unit : str
        Unit of the values ("Ha", or "e²/Å" where lengths were left in Å).
    """

    kind: Literal["matrix", "spectrum", "bags", "curves"]
    shape: tuple[int, ...]
    groups: tuple[tuple[str, int, int], ...] = ()
    row_labels: tuple[str, ...] = ()
    atoms: tuple[tuple[int, ...], ...] = ()
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Representation(Parameterised):
    """Hyper-parameters of a representation. Subclasses add fields made with :func:`qmlstudio.parameters.param`."""

    local: ClassVar[bool] = False
    """Whether there is one row for each atom rather than for each structure."""
    help: ClassVar[str] = ""
    """A few sentences for the panel: definition, when to use it, what it cannot see."""
    reference: ClassVar[str] = ""
    """Literature."""

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


def check_fits(structures: Structures, species: Species) -> None:
    """Raise ValueError when the structures have an element, or more atoms of one, than `species` has columns for."""
    own = structures.species
    for z, count in zip(own.numbers, own.counts, strict=True):
        if count > species.count(z):
            raise ValueError(
                f"a structure has {count} {SYMBOLS[z]} atoms, but the columns were fixed for at most "
                f"{species.count(z)}: compute the representation for a set that contains it"
            )
    if own.n_max > species.n_max:
        raise ValueError(f"a structure has {own.n_max} atoms, but the columns were fixed for at most {species.n_max}")


def columns_for(structures: Structures, species: Species | None) -> Species:
    """What fixes the columns: `species`, to which `structures` must fit, or that of `structures` when None."""
    if species is None:
        return structures.species
    check_fits(structures, species)
    return species
