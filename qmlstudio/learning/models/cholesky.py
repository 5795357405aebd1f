"""Cholesky factors of large matrices: in place, in blocks, with progress, and to be cancelled."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.models._blas import Blocks
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

PANEL = 256
"""Columns that are factorised together."""
_TALL = 2048
"""Rows of the pieces in which the rest of the matrix is brought up to date."""
_TILE = 1024
_ASK_SECONDS = 0.01
"""Between two questions whether to go on, at least."""


class NotPositiveError(ValueError):
    """The matrix is not positive definite, not even with the most jitter that is allowed."""


class Cholesky:
    """K = L Lᵀ, where K was.

    Parameters
    ----------
    matrix : (n, n) float64 or float32, C-contiguous, symmetric
        Finite. Its upper triangle becomes Lᵀ and its diagonal that of L; the strict lower triangle stays as it was.
    ridge : float
        Added to the diagonal before.
    jitter : float
        Where the matrix is not positive definite up to rounding, more is added to the diagonal: from the rounding error
        of its mean to `jitter` times it, a hundred times more in each step. What was added is said by :attr:`added`.

    Raises
    ------
    NotPositiveError
        That was not enough. The matrix is as it was.
    Cancelled
        At once: the matrix is then neither itself nor a factor.
    """

    def __init__(self, matrix: Array, ridge: float = 0.0, progress: Progress = SILENT, *, jitter: float = 1e-4) -> None:
        self.blocks = Blocks(matrix)
        self.diagonal: Floats = matrix.diagonal().astype(np.float64)
        """(n,) of the matrix, without the ridge."""
        self.ridge = ridge
        self.added = 0.0
        """Jitter."""
        scale = float(np.abs(self.diagonal).mean()) if len(self.diagonal) else 0.0
        if not np.isfinite(scale):
            raise ValueError("the matrix has values that are not finite")
        step = float(np.finfo(matrix.dtype).eps) * scale * 10.0
        index = np.arange(len(matrix))
        while True:
            matrix[index, index] = self.diagonal + (ridge + self.added)
            if _factorise(self.blocks, progress):
                return
            self.added = step if self.added == 0.0 else self.added * 100.0
            _restore(matrix, self.diagonal)
            if self.added > jitter * scale or scale == 0.0:
                raise NotPositiveError(
                    f"the kernel matrix is not positive definite: {jitter:g} of its diagonal did not mend it; "
                    "take a larger λ or another kernel"
                )

    @classmethod
    def of_factor(cls, matrix: Array) -> Cholesky:
        """A factor that was computed before: the matrix that it left."""
        made = cls.__new__(cls)
        made.blocks = Blocks(np.ascontiguousarray(matrix))
        made.diagonal, made.ridge, made.added = np.full(len(matrix), np.nan), 0.0, 0.0
        return made

    def __len__(self) -> int:
        return self.blocks.n

    @property
    def log_determinant(self) -> float:
        """Of L Lᵀ."""
        return 2.0 * float(np.log(self.blocks.matrix.diagonal().astype(np.float64)).sum())

    def half_solve(self, right: Array, progress: Progress = SILENT) -> Array:
        """L⁻¹ b for the rows b of `right` (t, n), in place if that is contiguous and of the matrix's type."""
        found = np.ascontiguousarray(right, dtype=self.blocks.matrix.dtype)
        clock = _Clock(progress)
        for start in range(0, self.blocks.n, PANEL):
            self.blocks.forward(start, min(start + PANEL, self.blocks.n), found)
            clock((start + PANEL) / self.blocks.n)
        return found

    def back_solve(self, right: Array, progress: Progress = SILENT) -> Array:
        """L⁻ᵀ b for the rows b of `right` (t, n), in place if that is contiguous and of the matrix's type."""
        n = self.blocks.n
        found = np.ascontiguousarray(right, dtype=self.blocks.matrix.dtype)
        clock = _Clock(progress)
        for start in reversed(range(0, n, PANEL)):
            self.blocks.backward(start, min(start + PANEL, n), found)
            clock(1.0 - start / n)
        return found

    def solve(self, right: Array, progress: Progress = SILENT) -> Array:
        """(L Lᵀ)⁻¹ b for the rows b of `right` (t, n); a new array."""
        found = np.array(right, dtype=self.blocks.matrix.dtype, order="C")
        return self.back_solve(self.half_solve(found, progress.part(0.0, 0.5)), progress.part(0.5, 1.0))

    def inverse_diagonal(self, progress: Progress = SILENT) -> Floats:
        """(n,) the diagonal of (L Lᵀ)⁻¹: the columns' squares in L⁻¹, of which a panel is made at a time."""
        n = self.blocks.n
        found = np.zeros(n)
        clock, done, total = _Clock(progress), 0.0, max(float(n) ** 3, 1.0)
        for start in range(0, n, PANEL):
            stop = min(start + PANEL, n)
            right = np.zeros((stop - start, n - start), dtype=self.blocks.matrix.dtype)
            right[np.arange(stop - start), np.arange(stop - start)] = 1.0
            for top in range(start, n, PANEL):
                self.blocks.forward(top, min(top + PANEL, n), right, start)
                clock(done / total)
            found[start:stop] = np.einsum("ij,ij->i", right, right, dtype=np.float64)
            done = float(n) ** 3 - float(n - stop) ** 3
        clock(1.0)
        return found

    def times(self, vectors: Array, progress: Progress = SILENT) -> Floats:
        """(t, n) the matrix without ridge and jitter, from the triangle that was left, times the rows (t, n)."""
        matrix, n = self.blocks.matrix, self.blocks.n
        found = vectors * self.diagonal
        for start in range(0, n, _TILE):
            stop = min(start + _TILE, n)
            progress.check()
            strip = np.asarray(matrix[start:stop, :stop], dtype=np.float64)
            own = np.tril(strip[:, start:], -1)
            found[:, start:stop] += vectors[:, :start] @ strip[:, :start].T
            found[:, :start] += vectors[:, start:stop] @ strip[:, :start]
            found[:, start:stop] += vectors[:, start:stop] @ (own + own.T)
        return found


class _Clock:
    """Tells a progress how far things are, not more than every few milliseconds."""

    def __init__(self, progress: Progress, message: str = "Solving") -> None:
        self._progress, self._message, self._last = progress, message, time.perf_counter()

    def __call__(self, fraction: float) -> None:
        now = time.perf_counter()
        if now - self._last >= _ASK_SECONDS:
            self._last = now
            self._progress(min(fraction, 1.0), self._message)


def _factorise(blocks: Blocks, progress: Progress) -> bool:
    """Whether it went well. For each panel: its diagonal block, what is below that, and the rest brought up to date."""
    n = blocks.n
    clock, total = _Clock(progress, "Factorising the kernel matrix"), max(float(n) ** 3, 1.0)
    progress(0.0, "Factorising the kernel matrix")
    for start in range(0, n, PANEL):
        stop = min(start + PANEL, n)
        if blocks.potrf(start, stop):
            return False
        for first in range(stop, n, _TALL):
            blocks.below(start, stop, first, min(first + _TALL, n))
            clock(1.0 - (float(n - start) ** 3) / total)
        for left in range(stop, n, _TALL):
            right = min(left + _TALL, n)
            blocks.downdate_diagonal(start, stop, left, right)
            for top in range(right, n, _TALL):
                blocks.downdate(start, stop, (top, min(top + _TALL, n)), (left, right))
                clock(1.0 - (float(n - start) ** 3) / total)
            clock(1.0 - (float(n - start) ** 3) / total)
    diagonal = blocks.matrix.diagonal()
    # NaN passes through LAPACK without a word
    return bool(np.isfinite(diagonal).all() and (diagonal > 0.0).all())


def _restore(matrix: Array, diagonal: Array) -> None:
    """The upper triangle from the lower one, and the diagonal."""
    n = len(matrix)
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        block = matrix[start:stop, start:stop]
        block[:] = np.tril(block, -1) + np.tril(block, -1).T
        for left in range(stop, n, _TILE):
            right = min(left + _TILE, n)
            matrix[start:stop, left:right] = matrix[left:right, start:stop].T
    matrix[np.arange(n), np.arange(n)] = diagonal
