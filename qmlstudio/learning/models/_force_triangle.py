"""Least squares of which the rows come block by block: only a triangle is kept."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.models._blas import _integer, _signature
from qmlstudio.learning.models.cholesky import Cholesky
from qmlstudio.progress import SILENT, Progress

Floats = NDArray[np.float64]

_FLOPS = 2e9
"""Of one call, between which a cancel is heard."""
_PANEL = 32
_TILE = 1024
_SMALL = 500
"""Columns up to which singular values take no time that anybody would want to save."""


class Triangle:
    """R of [rows | right side] = Q R, for rows that are added one block after the other.

    The factorisation of the normal equations would lose half of the figures; this one loses none (L. Foster et al.,
    J. Mach. Learn. Res. 10, 857 (2009)).

    Parameters
    ----------
    columns : int
        Unknowns m.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        # row j here is column j of the triangle
        self._values = np.zeros((columns + 1, columns + 1))

    @classmethod
    def of_kernel(
        cls, columns: int, fill: Callable[[Floats], None], progress: Progress = SILENT
    ) -> tuple[Triangle, float]:
        """The triangle of αᵀ K α, and what had to be added to K's diagonal; `fill` fills the first (m, m) with K."""
        found = cls(columns)
        values = found._values
        fill(values)
        values[columns, columns] = 1.0
        added = Cholesky(values, 0.0, progress).added if columns else 0.0
        # its factor stands in the upper half
        for start in range(0, columns, _TILE):
            stop = min(start + _TILE, columns)
            values[start:stop, start:stop] = np.tril(values[start:stop, start:stop].T)
            for low in range(stop, columns, _TILE):
                high = min(low + _TILE, columns)
                values[low:high, start:stop] = values[start:stop, low:high].T
        values[columns] = 0.0
        return found, added

    def add(self, block: Floats, progress: Progress = SILENT) -> None:
        """Add rows, one in each column of `block` (m + 1, rows), the right side last; the block is used up."""
        if block.shape[0] != self.columns + 1 or block.dtype != np.float64 or not block.flags.c_contiguous:
            raise ValueError(f"the rows have shape {block.shape}, expected ({self.columns + 1}, rows), contiguous")
        integer, n, length = _integer(), self.columns + 1, block.shape[1]
        panel = min(_PANEL, n)
        reflectors, work = np.empty((n, panel)), np.empty((n, panel))
        step = int(min(max(_FLOPS / (2.0 * n * n), 64), 1024))
        call = _routine()

        def number(value: int) -> Any:
            return ctypes.byref(integer(value))

        for start in range(0, length, step):
            progress((start / length) if length else 1.0, "Least squares")
            rows, info = min(step, length - start), integer(0)
            call(
                *(number(rows), number(n), number(0), number(panel)),
                *(ctypes.c_void_p(self._values.ctypes.data), number(n)),
                *(ctypes.c_void_p(block.ctypes.data + start * block.itemsize), number(length)),
                *(ctypes.c_void_p(reflectors.ctypes.data), number(panel)),
                *(ctypes.c_void_p(work.ctypes.data), ctypes.byref(info)),
            )
            if info.value:
                raise ArithmeticError(f"the factorisation of the least squares failed ({info.value})")

    @property
    def residual(self) -> float:
        """The root of what no choice of the unknowns explains."""
        return float(abs(self._values[-1, -1]))

    def solve(self) -> Floats:
        """(m,) the unknowns of least squares."""
        from scipy.linalg import solve_triangular

        m = self.columns
        triangle, right = self._values[:m, :m], self._values[m, :m]
        return np.asarray(solve_triangular(triangle.T, right, lower=False, check_finite=False))

    def solve_truncated(self, rcond: float, progress: Progress = SILENT) -> Floats:
        """(m,) the shortest unknowns of least squares, without singular values below `rcond` times the largest."""
        from qmlstudio.learning._process import in_process

        m = self.columns
        triangle, right = np.tril(self._values[:m, :m]).T, self._values[m, :m].copy()
        if m <= _SMALL or not progress.can_cancel:
            return truncated(triangle, right, rcond)
        progress(0.0, "Singular values")
        return in_process(truncated, (triangle, right, rcond), progress)


def truncated(triangle: Floats, right: Floats, rcond: float) -> Floats:
    """The shortest least-squares solution, by singular values."""
    left, values, rows = np.linalg.svd(triangle, full_matrices=False)
    kept = values > rcond * values.max(initial=0.0)
    return np.asarray(((left[:, kept].T @ right) / values[kept]) @ rows[kept])


@cache
def _routine() -> Callable[..., None]:
    """LAPACK's factorisation of a triangle on top of a rectangle; it releases the interpreter's lock."""
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__["dtpqrt"]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(capsule, _signature(capsule))
    return ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 12))(address)
