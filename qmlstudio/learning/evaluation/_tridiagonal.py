"""A symmetric matrix as Q T Qᵀ with three diagonals in T: enough to solve with K + λI for many λ.

That takes a third of an eigendecomposition, and each λ then costs a solution with T and a product with Q, which is
never formed (G. Golub, C. Van Loan, Matrix Computations, 4th ed. (2013), 8.3.1). The calls release the
interpreter's lock.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.models._blas import _integer, _routine

Array = NDArray[Any]
Floats = NDArray[np.float64]

_BLOCK = 64
"""Columns for which LAPACK gets working memory at a time."""


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """The matrix, reduced.

    Attributes
    ----------
    diagonal, beside : (n,), (n − 1,) float64
        Of T.
    reflectors, factors : (n, n), (n − 1,) float64
        LAPACK's form of Q.
    """

    diagonal: Floats
    beside: Floats
    reflectors: Floats
    factors: Floats

    @classmethod
    def of(cls, matrix: Array) -> Tridiagonal:
        """Reduce a symmetric matrix (n, n); ValueError when it holds numbers that are not finite."""
        if not np.isfinite(matrix).all():
            raise ValueError("the kernel matrix has values that are not finite")
        a = np.array(matrix, dtype=np.float64, order="C")
        n = len(a)
        d, e, tau = np.empty(n), np.empty(max(n - 1, 0)), np.empty(max(n - 1, 0))
        if n:
            integer = _integer()
            info, size, length = integer(0), integer(n), integer(n * _BLOCK)
            work = np.empty(n * _BLOCK)
            # rows of a symmetric matrix are columns: its order does not matter
            _routine("lapack", "dsytrd")(
                b"L", ctypes.byref(size), _at(a), ctypes.byref(size), _at(d), _at(e), _at(tau), _at(work),
                ctypes.byref(length), ctypes.byref(info),
            )  # fmt: skip
            if info.value:
                raise ValueError(f"the kernel matrix cannot be reduced (LAPACK: {info.value})")
        return cls(d, e, a, tau)

    def weights(self, targets: Floats, lambdas: Floats) -> Floats:
        """(n, l, t) solutions of (K + λI) α = y for each λ and the columns y of (n, t) targets.

        NaN for a λ with which the matrix is not positive definite.
        """
        from scipy.linalg import LinAlgError, solveh_banded

        n, t = targets.shape
        found = np.full((len(lambdas), t, n), np.nan)
        if n == 0:
            return found.transpose(2, 0, 1)
        inner = self._times(np.ascontiguousarray(targets.T), b"T")
        band = np.zeros((2, n))
        band[0, 1:] = self.beside
        for k, ridge in enumerate(lambdas.tolist()):
            band[1] = self.diagonal + ridge
            if n == 1:  # SciPy's solver wants something beside the diagonal
                found[k] = inner / band[1] if band[1, 0] > 0 else np.nan
                continue
            try:
                found[k] = solveh_banded(band, inner.T, check_finite=False).T
            except LinAlgError:
                continue
        good = np.isfinite(found).all(axis=(1, 2))
        if good.any():
            found[good] = self._times(np.ascontiguousarray(found[good].reshape(-1, n)), b"N").reshape(-1, t, n)
        return found.transpose(2, 0, 1)

    def _times(self, rows: Floats, transposed: bytes) -> Floats:
        """Q or Qᵀ times each row (k, n), which are changed."""
        k, n = rows.shape
        integer = _integer()
        info, size, count, length = integer(0), integer(n), integer(k), integer(max(k, 1) * _BLOCK)
        work = np.empty(max(k, 1) * _BLOCK)
        _routine("lapack", "dormtr")(
            b"L", b"L", transposed, ctypes.byref(size), ctypes.byref(count), _at(self.reflectors), ctypes.byref(size),
            _at(self.factors), _at(rows), ctypes.byref(size), _at(work), ctypes.byref(length), ctypes.byref(info),
        )  # fmt: skip
        if info.value:
            raise ValueError(f"LAPACK refused a product: {info.value}")
        return rows


def _at(array: Floats) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
