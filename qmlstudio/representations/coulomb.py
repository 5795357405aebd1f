"""The Coulomb matrix of Rupp, Tkatchenko, Müller and von Lilienfeld, PRL 108, 058301 (2012)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import Array, Features, Layout, Representation, check_fits, columns_for

UNIT_CHOICES = (("bohr", "bohr (hartree, as defined)"), ("angstrom", "Å (as DScribe, qmllib)"))
"""Length units of the Coulomb family: the self term ½Z^2.4 is in hartree, so bohr is the one that fits."""

_LARGE = 96
"""Structures with more atoms go through LAPACK one by one."""


def self_terms() -> NDArray[np.float64]:
    """½ Z^2.4 for every atomic number 0…255: a fit to the atoms' energies, in hartree."""
    return np.asarray(0.5 * np.arange(256, dtype=np.float64) ** 2.4)


def length(unit: str) -> float:
    """Å of a length unit's name as the Coulomb family spells it."""
    return BOHR if unit == "bohr" else 1.0


def value_unit(unit: str) -> str:
    """Unit of the matrix elements for a length unit."""
    return "Ha" if unit == "bohr" else "e²/Å"


@dataclass(frozen=True, kw_only=True)
class CoulombMatrix(Representation):
    """Coulomb matrix: M_ii = ½ Z_i^2.4, M_ij = Z_i Z_j / r_ij (their equation 1), padded with zeros.

    ``sorted_l2`` sorts rows and columns by descending Euclidean norm of the rows. Rows whose norms agree to 11 digits
    count as equal and keep the file's order: so atoms that symmetry makes equivalent are not put in an order that
    rounding decides (DScribe and qmllib leave it to rounding), but which of them comes first still depends on the
    order in the file, and the features jump where two norms cross.

    ``eigenspectrum`` has eigenvalues only, by descending magnitude with zeros last as in the paper and DScribe, or by
    value with the zeros of the padding between positive and negative ones as in qmllib. In bohr the eigenvalues of
    ordinary molecules are positive and both agree. Different molecules can share a spectrum (J. E. Moussa,
    PRL 109, 059801 (2012)).

    ``none`` keeps the file's order of atoms and is not invariant under its change.

    A packed matrix is the lower triangle with diagonal, row by row (as qmllib): Euclidean distances between packed
    matrices count each pair of atoms once, those between full ones (as DScribe) twice.
    """

    name: ClassVar[str] = "coulomb_matrix"
    title: ClassVar[str] = "Coulomb matrix"
    help: ClassVar[str] = (
        "Nuclear charges and distances: ½Z^2.4 on the diagonal, Z·Z′/r off it. Sorted by row norm it tells molecules "
        "apart but jumps where two norms cross; its eigenvalues change smoothly, but different molecules can share "
        "them; unsorted it suits frames of one molecule. Use bohr: in Å the diagonal and the rest do not fit together."
    )
    counts_matter: ClassVar[bool] = True
    reference: ClassVar[str] = "M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012), doi:10.1103/PhysRevLett.108.058301"

    permutation: str = param(
        "sorted_l2",
        label="Order of atoms",
        choices=(("sorted_l2", "sorted by row norm"), ("eigenspectrum", "eigenvalues"), ("none", "as in the file")),
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

    @property
    def invariances(self) -> frozenset[str]:
        """Translation, rotation, reflection, and unless unsorted the permutation of atoms."""
        kept = {"translation", "rotation", "reflection"}
        return frozenset(kept if self.permutation == "none" else kept | {"permutation"})

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
        single = Structures.from_lists([structure.numbers], [structure.positions])
        orders = np.zeros((1, len(structure)), dtype=np.int64)
        check_fits(single, species)
        array = np.empty((1, self.size(species)))
        self._fill(single, array, SILENT, species.n_max, 1, orders)
        return [int(i) for i in orders[0]]

    def _fill(
        self,
        structures: Structures,
        out: Array,
        progress: Progress,
        n_max: int,
        threads: int | None,
        orders: NDArray[np.int64],
    ) -> None:
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _coulomb_loops as loops
        from qmlstudio.representations import _drive
        from qmlstudio.representations._lanes import plan

        _drive.check_positions(structures)
        sizes = structures.sizes
        largest = int(sizes.max(initial=0))
        spectrum = self.permutation == "eigenspectrum"
        chunks = plan(sizes.astype(np.uint16 if largest < 2**16 else np.int64), strict=True)
        if spectrum and largest > _LARGE:
            chunks = chunks.where(sizes[chunks.order[chunks.first]] <= _LARGE)
            largest = _LARGE
        data = (
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
            chunks.order,
            chunks.first,
            chunks.count,
        )
        unit, terms, result = length(self.length_unit), self_terms(), np.asarray(out)

        def spectra(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            by_magnitude = self.order == "absolute"
            return int(loops.spectrum_loop(*data, start, stop, step, unit, terms, by_magnitude, work, result))

        def matrices(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            kind = (self.permutation == "sorted_l2", self.packed, n_max)
            return int(loops.matrix_loop(*data, start, stop, step, unit, terms, *kind, work, result, orders))

        mean = len(structures.numbers) / max(len(structures), 1)
        small = int(chunks.count.sum()) / max(len(structures), 1)
        bad = _drive.drive(
            spectra if spectrum else matrices,
            len(chunks.first),
            loops.scratch_size(largest),
            16 * (mean**3 * 3e-4 if spectrum else mean**2 * 4e-3),
            progress.part(0.0, small),
            self.title,
            _drive.thread_count(threads),
        )
        if bad == loops.NOT_CONVERGED:
            raise ArithmeticError("the eigenvalue iteration did not converge")
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        if small < 1.0:
            self._fill_large(structures, result, progress.part(small, 1.0))

    def _fill_large(self, structures: Structures, out: Array, progress: Progress) -> None:
        """Spectra of the large structures, which LAPACK does as fast one by one."""
        from qmlstudio.representations import _drive

        large = np.flatnonzero(structures.sizes > _LARGE)
        terms, unit = self_terms(), length(self.length_unit)
        for start, stop in slices(len(large), progress, self.title):
            for index in large[start:stop]:
                structure = structures[int(index)]
                charges, positions = structure.numbers.astype(np.float64), np.asarray(structure.positions)
                square = np.zeros((len(charges), len(charges)))
                for axis in positions.T:
                    square += (axis[:, None] - axis) ** 2
                np.fill_diagonal(square, np.inf)
                if square.min() <= _drive.COINCIDENT**2:
                    raise _drive.coincident(structures, int(index))
                matrix = np.outer(charges * unit, charges) / np.sqrt(square)
                np.fill_diagonal(matrix, terms[structure.numbers])
                values = np.linalg.eigvalsh(matrix)[::-1]
                n = len(values)
                out[index] = 0.0
                if self.order == "absolute":
                    out[index, :n] = values[np.argsort(-np.abs(values), kind="stable")]
                else:
                    positive = int((values >= 0).sum())
                    out[index, :positive] = values[:positive]
                    out[index, out.shape[1] - n + positive :] = values[positive:]
