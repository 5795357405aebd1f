"""The Coulomb matrix of Rupp, Tkatchenko, Müller and von Lilienfeld, PRL 108, 058301 (2012)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Progress, slices
from qmlstudio.representations.base import Array
from qmlstudio.representations.matrices import Floats, Ints, MatrixRepresentation, length, self_terms

_LARGE = 96
"""Structures with more atoms go through LAPACK one by one."""


@dataclass(frozen=True, kw_only=True)
class CoulombMatrix(MatrixRepresentation):
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

    ``random`` adds normal noise of standard deviation `sigma` to the row norms before sorting (G. Montavon et al., Adv.
    Neural Inf. Process. Syst. 25, 440 (2012)): matrices with several seeds augment a training set. The noise depends on
    the seed, on the elements in the file's order and on an atom's place among them, so features do not depend on the
    rest of the data set and do not change under rotation; but frames of one molecule share it. Other packages draw
    other numbers (DScribe's Python and C++ classes differ from each other, too): the same seed does not give the same
    order there. The features are invariant under permutation of the atoms only on the average over seeds.

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
    formula: ClassVar[tuple[str, ...]] = (
        r"M_{ii} = \frac{1}{2} Z_i^{2.4}",
        r"M_{ij} = \frac{Z_i Z_j}{|\mathbf{R}_i - \mathbf{R}_j|}, \quad i \neq j",
    )
    reference: ClassVar[str] = "M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012), doi:10.1103/PhysRevLett.108.058301"

    def _fill(
        self, structures: Structures, out: Array, progress: Progress, n_max: int, threads: int | None, orders: Ints
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
        noise, kind, is_packed = self._noise(structures), self._kind(), self.packed

        def run(start: int, stop: int, step: int, work: Floats) -> int:
            shape = (kind, is_packed, n_max)
            return int(loops.coulomb_loop(*data, start, stop, step, unit, terms, noise, *shape, work, result, orders))

        mean = len(structures.numbers) / max(len(structures), 1)
        small = int(chunks.count.sum()) / max(len(structures), 1)
        bad = _drive.drive(
            run,
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

    def _pair_derivatives(self, structures: Structures) -> Any:
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _matrix_gradients as loops

        numbers, positions = _drive.frozen(structures.numbers, np.uint8), _drive.frozen(structures.positions, float)
        offsets, sizes, unit = structures.offsets, structures.sizes, length(self.length_unit)

        def fill(index: int, scratch: Floats, pairs: Floats) -> None:
            loops.coulomb_derivatives(numbers, positions, int(offsets[index]), int(sizes[index]), unit, pairs)

        return fill
