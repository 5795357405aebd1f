"""Kernel matrices that all training sizes and repeats of a series share, and one factorisation for a whole curve.

The training sets are nested: the matrix of the first N structures is the leading block of that of all, and so is its
Cholesky factor. A curve costs little more than its last point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PANEL = 256


class Matrices:
    """Similarities of the structures that a series needs, computed once for all repeats where that is cheaper.

    Parameters
    ----------
    rows : Rows
        Of all structures of all repeats.
    budget : int, bytes
        What matrices may take that are kept.
    n_train, n_test, repeats : int
        The largest training set, the test set, and how many of them there are.
    """

    def __init__(
        self, rows: Rows, budget: int, n_train: int, n_test: int, repeats: int, threads: int | None = None
    ) -> None:
        self.rows = rows
        self.threads = threads
        n = len(rows)
        once = n_train * n_train + 2 * n_train * n_test
        self._fits = 8 * (n * n + n_train * n_train + n_train * n_test) <= budget
        # distances serve every σ, and so every repeat; a matrix only those repeats that chose the same σ
        self.keeps_distances = self._fits and n * n <= 1.2 * once * repeats
        self.keeps_matrix = self._fits and n * n <= 1.2 * once
        self._kept: tuple[str, Array] | None = None

    def pair(self, kernel: Any, train: Ints, test: Ints, progress: Progress) -> tuple[Floats, Floats]:
        """(N, N) among training rows, which the caller may overwrite, and (m, N) of test with training rows."""
        kind = getattr(kernel, "distance_kind", None)
        first, second = progress.part(0.0, 0.6), progress.part(0.6, 1.0)
        if kind is not None and self.keeps_distances:
            whole = self._distances(kind, first)
            return (
                self._picked(whole, train, train, second.part(0.0, 0.7), kernel),
                self._picked(whole, test, train, second.part(0.7, 1.0), kernel),
            )
        if self.keeps_matrix:
            whole = self._matrix(kernel, first)
            return (
                self._picked(whole, train, train, second.part(0.0, 0.7)),
                self._picked(whole, test, train, second.part(0.7, 1.0)),
            )
        own = self.rows.take(train)
        among = kernel.matrix(own, None, first, threads=self.threads)
        return among, kernel.matrix(self.rows.take(test), own, second, threads=self.threads)

    def forget(self) -> None:
        """Free what is kept."""
        self._kept = None

    def _distances(self, kind: str, progress: Progress) -> Array:
        if self._kept is None or self._kept[0] != kind:
            from qmlstudio.learning.kernels.pairwise import distance_matrix

            self._kept = None
            progress(0.0, "Distances")
            self._kept = (kind, distance_matrix(kind, self.rows, None, progress, threads=self.threads))
        return self._kept[1]

    def _matrix(self, kernel: Any, progress: Progress) -> Array:
        key = digest(kernel.to_dict())
        if self._kept is None or self._kept[0] != key:
            self._kept = None
            progress(0.0, "Kernel matrix")
            self._kept = (key, kernel.matrix(self.rows, None, progress, threads=self.threads))
        return self._kept[1]

    @staticmethod
    def _picked(whole: Array, rows: Ints, columns: Ints, progress: Progress, kernel: Any = None) -> Floats:
        """whole[rows][:, columns], through the kernel when these are distances."""
        result = np.empty((len(rows), len(columns)))
        for start, stop in slices(len(rows), progress, "Kernel matrix", first=64):
            np.take(whole[rows[start:stop]], columns, axis=1, out=result[start:stop])
            if kernel is not None:
                kernel.from_distances(result[start:stop], result[start:stop])
        return result


class NestedRidge:
    """(K_N + λ I)⁻¹ for all leading blocks K_N of a kernel matrix, by one factorisation.

    Parameters
    ----------
    matrix : (n, n) float64
        Overwritten.
    ridge : float
        λ.

    Raises
    ------
    NotPositiveError
        From the factorisation (see :class:`~qmlstudio.learning.models.cholesky.Cholesky`).
    """

    def __init__(self, matrix: Floats, ridge: float, progress: Progress) -> None:
        from qmlstudio.learning.models.cholesky import Cholesky

        self._factor = Cholesky(matrix, ridge, progress)
        self._upper = matrix  # its upper triangle is Lᵀ
        self.added = self._factor.added
        """What had to be added to the diagonal beyond λ."""

    def solve(self, targets: Floats, progress: Progress) -> Floats:
        """(N, t) weights of the first N structures, of which `targets` (N, t) are the values."""
        from scipy.linalg import solve_triangular

        n = len(targets)
        upper, found = self._upper, np.ascontiguousarray(targets.T)
        starts = range(0, n, _PANEL)
        for start in starts:
            stop = min(start + _PANEL, n)
            if start:
                found[:, start:stop] -= found[:, :start] @ upper[:start, start:stop]
            own = upper[start:stop, start:stop]
            found[:, start:stop] = solve_triangular(own, found[:, start:stop].T, trans=1, check_finite=False).T
            progress(0.5 * stop / n, "Solving")
        for start in reversed(starts):
            stop = min(start + _PANEL, n)
            if stop < n:
                found[:, start:stop] -= found[:, stop:] @ upper[start:stop, stop:n].T
            own = upper[start:stop, start:stop]
            found[:, start:stop] = solve_triangular(own, found[:, start:stop].T, check_finite=False).T
            progress(1.0 - 0.5 * start / n, "Solving")
        return found.T
