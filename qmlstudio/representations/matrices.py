"""What the Coulomb matrix and its relatives for crystals share: order of the atoms, eigenvalues, layout, gradients."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import (
    Array,
    Features,
    Gradients,
    Layout,
    Representation,
    check_fits,
    columns_for,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNIT_CHOICES = (("bohr", "bohr (hartree, as defined)"), ("angstrom", "Å (as DScribe, qmllib)"))
"""Length units of the Coulomb family: the self term ½Z^2.4 is in hartree, so bohr is the one that fits."""

PERMUTATION_CHOICES = (
    ("sorted_l2", "sorted by row norm"),
    ("eigenspectrum", "eigenvalues"),
    ("none", "as in the file"),
    ("random", "sorted by noisy row norm"),
)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def self_terms() -> Floats:
    """½ Z^2.4 for every atomic number 0…255: a fit to the atoms' energies, in hartree."""
    return np.asarray(0.5 * np.arange(256, dtype=np.float64) ** 2.4)


def length(unit: str) -> float:
    """Å of a length unit's name as the Coulomb family spells it."""
    return BOHR if unit == "bohr" else 1.0


def value_unit(unit: str) -> str:
    """Unit of the matrix elements for a length unit."""
    return "Ha" if unit == "bohr" else "e²/Å"


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's mixing of the bits (S. Vigna): neighbouring numbers become unlike."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def normal_noise(structures: Structures, seed: int) -> Floats:
    """(A,) numbers from the standard normal distribution.

    They depend on the seed, on the elements of the structure in the file's order and on the atom's place in it, on
    nothing else: so neither on the other structures of the set nor on positions. Box and Muller's method on two
    numbers from splitmix64.
    """
    sizes = structures.sizes
    inside = np.arange(len(structures.numbers)) - np.repeat(structures.offsets[:-1], sizes)
    place = (inside + 1).astype(np.uint64)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(_mixed(place * _GOLDEN + structures.numbers.astype(np.uint64)))])
    key = sums[structures.offsets[1:]] - sums[structures.offsets[:-1]]
    start = _mixed(key ^ _mixed(np.full(1, seed, np.int64).astype(np.uint64) * _GOLDEN))
    state = np.repeat(start, sizes) + place * np.uint64(2) * _GOLDEN
    uniform = [((_mixed(state + k * _GOLDEN) >> np.uint64(11)) + 0.5) * 2.0**-53 for k in (np.uint64(0), np.uint64(1))]
    return np.asarray(np.sqrt(-2.0 * np.log(uniform[0])) * np.cos(2.0 * np.pi * uniform[1]))


@dataclass(frozen=True, kw_only=True)
class MatrixRepresentation(Representation):
    """A symmetric matrix with a row for each atom, padded with zeros, or its eigenvalues."""

    counts_matter: ClassVar[bool] = True

    permutation: str = param(
        "sorted_l2",
        label="Order of atoms",
        choices=PERMUTATION_CHOICES,
        help="How the order of the atoms is taken out of the features.",
    )
    length_unit: str = param("bohr", label="Length unit", choices=UNIT_CHOICES, help="Unit of the distances in Z·Z′/r.")
    packed: bool = param(
        True,
        label="Lower triangle only",
        help="Leave out the redundant upper triangle: half the memory; each pair of atoms counts once in distances.",
        advanced=True,
    )
    order: str = param(
        "absolute",
        label="Order of eigenvalues",
        choices=(("absolute", "by magnitude, zeros last"), ("signed", "by value (as qmllib)")),
        advanced=True,
    )
    sigma: float = param(
        1.0,
        label="Noise",
        low=0.0,
        high=1e6,
        step=0.1,
        help="Standard deviation of the noise on the row norms, in the unit of the matrix; for the noisy order only.",
        advanced=True,
    )
    seed: int = param(
        0,
        label="Seed",
        low=0,
        high=2**31 - 1,
        help="Each seed is another noisy order: compute with several to augment a training set.",
        advanced=True,
    )

    @property
    def invariances(self) -> frozenset[str]:
        """Translation, rotation, reflection, and where atoms are sorted without noise their permutation."""
        kept = {"translation", "rotation", "reflection"}
        return frozenset(kept if self.permutation in ("none", "random") else kept | {"permutation"})

    def size(self, species: Species) -> int:
        """n_max for the spectrum, n_max (n_max + 1) / 2 packed, n_max² in full."""
        n = species.n_max
        if self.permutation == "eigenspectrum":
            return n
        return n * (n + 1) // 2 if self.packed else n * n

    def labels(self, species: Species) -> list[str]:
        """ "λ4 / Ha" for eigenvalues; "M(4, 2) / Ha" for row 4 and column 2 of a matrix, counted from 1."""
        n, unit = species.n_max, value_unit(self.length_unit)
        if self.permutation == "eigenspectrum":
            return [f"λ{k} / {unit}" for k in range(1, n + 1)]
        return [f"M({i}, {j}) / {unit}" for i in range(1, n + 1) for j in range(1, (i if self.packed else n) + 1)]

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
        """See :meth:`Representation.compute`; (n, size) features, in Ha or e²/Å.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        self._fill(structures, array, progress, species.n_max, threads, np.empty((0, 0), dtype=np.int64))
        return Features(array, self, species)

    @abstractmethod
    def _fill(
        self, structures: Structures, out: Array, progress: Progress, n_max: int, threads: int | None, orders: Ints
    ) -> None:
        """Compute into `out`; `orders` (n, N), if it has rows, receives the atoms in the order of the rows."""

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A matrix with the atoms in its row order, or a spectrum to whose bars all atoms contribute."""
        unit = value_unit(self.length_unit)
        n, count = species.n_max, len(structure)
        if self.permutation == "eigenspectrum":
            return Layout("spectrum", (n,), groups=(("eigenvalues", 0, n),), atoms=((),) * n, unit=unit)
        rows = self._row_order(structure, species)
        symbols = structure.symbols
        atoms = tuple(
            ((rows[i], rows[j]) if i != j else (rows[i],)) if max(i, j) < count else ()
            for i in range(n)
            for j in range(i + 1 if self.packed else n)
        )
        return Layout("matrix", (n, n), row_labels=tuple(f"{symbols[i]}{i + 1}" for i in rows), atoms=atoms, unit=unit)

    def unpack(self, row: Array, species: Species) -> Array:
        """A matrix's row of features as (n_max, n_max); a spectrum as it is."""
        n = species.n_max
        if self.permutation == "eigenspectrum":
            return row
        if not self.packed:
            return row.reshape(n, n)
        full = np.empty((n, n), dtype=row.dtype)
        lower = np.tril_indices(n)
        full[lower] = row
        full.T[lower] = row
        return full

    def _row_order(self, structure: Structure, species: Species) -> list[int]:
        """The atoms in the order of the matrix's rows, from the loop that fills the matrix."""
        if self.permutation == "none":
            return list(range(len(structure)))
        single = Structures.from_lists([structure.numbers], [structure.positions], [structure.cell])
        orders = np.zeros((1, len(structure)), dtype=np.int64)
        check_fits(single, species)
        array = np.empty((1, self.size(species)))
        self._fill(single, array, SILENT, species.n_max, 1, orders)
        return [int(i) for i in orders[0]]

    def _kind(self) -> int:
        """What the loops are told to do with a matrix."""
        from qmlstudio.representations import _coulomb_loops as loops

        if self.permutation == "eigenspectrum":
            return loops.BY_MAGNITUDE if self.order == "absolute" else loops.BY_VALUE
        return loops.AS_GIVEN if self.permutation == "none" else loops.SORTED

    def _noise(self, structures: Structures) -> Floats:
        """(A,) what is added to the row norms; empty where nothing is."""
        if self.permutation != "random":
            return np.zeros(0)
        return self.sigma * normal_noise(structures, self.seed)

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """See :meth:`Representation.gradient`; blocks (1, N, 3, size) in Ha/Å or e²/Å².

        Sorted matrices have the order of the rows held fixed: where two norms cross the features jump and have no
        gradient. An eigenvalue λ with eigenvector v has ∂λ = vᵀ ∂M v. At a degenerate eigenvalue that derivative does
        not exist (the ordered values have a kink there); then the vectors are those that LAPACK chose, so single
        columns are arbitrary while sums over the degenerate ones are right.
        """
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _matrix_gradients as loops

        species = columns_for(structures, species)
        n_max, sizes = species.n_max, structures.sizes
        largest = int(sizes.max(initial=0))
        gradients = Gradients.empty(sizes, self.size(species), False, out)
        pairs = self._pair_derivatives(structures)
        spectrum = self.permutation == "eigenspectrum"
        # values and order of the rows come from the loops of compute, with all their checks
        plain = self.with_values(permutation="none", packed=True) if spectrum else self
        orders = np.zeros((0 if spectrum else len(structures), largest), dtype=np.int64)
        width = n_max * (n_max + 1) // 2 if plain.packed else n_max * n_max
        matrices = np.empty((len(structures), width))
        plain._fill(structures, matrices, progress.part(0.0, 0.2), n_max, threads, orders)
        if self.permutation == "none":
            orders[:] = np.arange(largest)
        starts, flat = gradients.starts, gradients.array

        def run(start: int, stop: int, step: int, work: Floats) -> int:
            for index in range(start, stop, step):
                n = int(sizes[index])
                if n == 0:
                    continue
                derivatives = work[: 3 * n * n].reshape(n, n, 3)
                pairs(index, work[3 * n * n :], derivatives)
                block = flat[starts[index] : starts[index + 1]].reshape(n, 3, gradients.columns)
                if spectrum:
                    loops.spectrum_block(n, derivatives, self._eigenvectors(matrices[index], n, n_max), block)
                else:
                    loops.matrix_block(n, n_max, self.packed, orders[index], derivatives, block)
            return -1

        mean = len(structures.numbers) / max(len(structures), 1)
        _drive.drive(
            run,
            len(structures),
            3 * largest**2 + self._derivative_scratch(structures),
            5 + mean**2 * 0.1 + mean * gradients.columns * 3e-3,
            progress.part(0.2, 1.0),
            self.title,
            _drive.thread_count(threads),
        )
        return gradients

    @abstractmethod
    def _pair_derivatives(self, structures: Structures) -> Any:
        """``f(index, scratch, out)`` that fills (N, N, 3) with ∂M_ij/∂r_i for i > j of one structure."""

    def _derivative_scratch(self, structures: Structures) -> int:
        """Doubles of scratch that :meth:`_pair_derivatives` needs."""
        return 0

    def _eigenvectors(self, row: Array, n: int, n_max: int) -> Floats:
        """(n, n_max) eigenvectors of a packed matrix, each in the column of its eigenvalue among the features."""
        full = np.zeros((n, n))
        full[np.tril_indices(n)] = row[: n * (n + 1) // 2]
        values, vectors = np.linalg.eigh(full)
        if self.order == "absolute":
            columns = np.empty(n, dtype=np.int64)
            columns[np.argsort(-np.abs(values), kind="stable")] = np.arange(n)
        else:
            columns = np.arange(n)[::-1].copy()
            columns[values < 0.0] += n_max - n
        placed = np.zeros((n, n_max))
        placed[:, columns] = vectors
        return placed
