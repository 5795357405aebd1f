"""BLAS and LAPACK on parts of a matrix, in place: SciPy's own, called by address.

SciPy's wrappers copy whatever is not contiguous. A block of a larger matrix never is, though BLAS could work on it
where it stands; and these calls release the interpreter's lock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_CHARACTERS = {"potrf": 1, "sytrd": 1, "syrk": 2, "gemm": 2, "ormtr": 3, "trsm": 4}
"""How many of a routine's arguments are letters."""


class Blocks:
    """A lower triangle in a square matrix, of which blocks are named by their first row and column.

    Parameters
    ----------
    matrix : (n, n) float64 or float32, C-contiguous
        What stands in row i and column j of it is called column i, row j here: so its upper triangle, in NumPy's eyes,
        is the lower one of the matrix in Fortran's order that BLAS sees. Of a symmetric matrix that makes no odds.
    """

    def __init__(self, matrix: Array) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.flags.c_contiguous:
            raise ValueError(f"a square, contiguous matrix is needed, not {matrix.shape}")
        if matrix.dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype is {matrix.dtype}, expected float64 or float32")
        self.matrix = matrix
        self.n = len(matrix)
        self._letter = "d" if matrix.dtype == np.float64 else "s"
        self._kind = ctypes.c_double if matrix.dtype == np.float64 else ctypes.c_float
        self._base = matrix.ctypes.data

    def potrf(self, start: int, stop: int) -> int:
        """Cholesky of the diagonal block; 0, or which of its leading minors is not positive."""
        integer = _integer()
        info = integer(0)
        call = _routine("lapack", f"{self._letter}potrf")
        call(
            b"L",
            ctypes.byref(integer(stop - start)),
            self._at(start, start),
            ctypes.byref(integer(self.n)),
            ctypes.byref(info),
        )
        return int(info.value)

    def below(self, start: int, stop: int, first: int, last: int) -> None:
        """Rows first…last of the panel start…stop become those of the factor: times the inverse of its diagonal."""
        self._trsm(b"R", b"T", last - first, stop - start, self._at(start, start), self._at(first, start), self.n)

    def downdate_diagonal(self, start: int, stop: int, first: int, last: int) -> None:
        """The diagonal block first…last less what the panel start…stop explains of it."""
        integer = _integer()
        call = _routine("blas", f"{self._letter}syrk")
        call(
            b"L",
            b"N",
            ctypes.byref(integer(last - first)),
            ctypes.byref(integer(stop - start)),
            ctypes.byref(self._kind(-1.0)),
            self._at(first, start),
            ctypes.byref(integer(self.n)),
            ctypes.byref(self._kind(1.0)),
            self._at(first, first),
            ctypes.byref(integer(self.n)),
        )

    def downdate(self, start: int, stop: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """A block below the diagonal less what the panel start…stop explains of it."""
        self._gemm(
            b"N",
            b"T",
            (rows[1] - rows[0], columns[1] - columns[0], stop - start),
            self._at(rows[0], start),
            (self._at(columns[0], start), self.n),
            (self._at(rows[0], columns[0]), self.n),
        )

    def forward(self, start: int, stop: int, right: Array, offset: int = 0) -> None:
        """Rows start…stop of L⁻¹b, when all before them are known; `right` is (t, n − offset), a right side a row."""
        count = len(right)
        for low in range(offset, start, _STRETCH):
            high = min(low + _STRETCH, start)
            self._gemm(
                b"N",
                b"N",
                (stop - start, count, high - low),
                self._at(start, low),
                self._column(right, low - offset),
                self._column(right, start - offset),
            )
        pointer, length = self._column(right, start - offset)
        self._trsm(b"L", b"N", stop - start, count, self._at(start, start), pointer, length)

    def backward(self, start: int, stop: int, right: Array) -> None:
        """Rows start…stop of L⁻ᵀb, when all after them are known; `right` is (t, n), a right side a row."""
        count = len(right)
        for low in range(stop, self.n, _STRETCH):
            high = min(low + _STRETCH, self.n)
            self._gemm(
                b"T",
                b"N",
                (stop - start, count, high - low),
                self._at(low, start),
                self._column(right, low),
                self._column(right, start),
            )
        pointer, length = self._column(right, start)
        self._trsm(b"L", b"T", stop - start, count, self._at(start, start), pointer, length)

    def _at(self, row: int, column: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._base + (column * self.n + row) * self.matrix.itemsize)

    def _column(self, right: Array, row: int) -> tuple[ctypes.c_void_p, int]:
        if right.dtype != self.matrix.dtype or not right.flags.c_contiguous:
            raise ValueError("the right sides must be contiguous and of the factor's type")
        return ctypes.c_void_p(right.ctypes.data + row * right.itemsize), right.shape[1]

    def _trsm(
        self,
        side: bytes,
        transposed: bytes,
        m: int,
        n: int,
        triangle: ctypes.c_void_p,
        target: ctypes.c_void_p,
        length: int,
    ) -> None:
        integer = _integer()
        call = _routine("blas", f"{self._letter}trsm")
        call(
            side,
            b"L",
            transposed,
            b"N",
            ctypes.byref(integer(m)),
            ctypes.byref(integer(n)),
            ctypes.byref(self._kind(1.0)),
            triangle,
            ctypes.byref(integer(self.n)),
            target,
            ctypes.byref(integer(length)),
        )

    def _gemm(
        self,
        first: bytes,
        second: bytes,
        shape: tuple[int, int, int],
        a: ctypes.c_void_p,
        b: tuple[ctypes.c_void_p, int],
        c: tuple[ctypes.c_void_p, int],
    ) -> None:
        """c −= a b, where a stands in the matrix."""
        integer = _integer()
        call = _routine("blas", f"{self._letter}gemm")
        call(
            first,
            second,
            ctypes.byref(integer(shape[0])),
            ctypes.byref(integer(shape[1])),
            ctypes.byref(integer(shape[2])),
            ctypes.byref(self._kind(-1.0)),
            a,
            ctypes.byref(integer(self.n)),
            b[0],
            ctypes.byref(integer(b[1])),
            ctypes.byref(self._kind(1.0)),
            c[0],
            ctypes.byref(integer(c[1])),
        )


_STRETCH = 8192
"""Columns (or rows) that one call of a substitution works through."""


@cache
def _routine(library: str, name: str) -> Callable[..., None]:
    from scipy.linalg import cython_blas, cython_lapack

    capsule = (cython_blas if library == "blas" else cython_lapack).__pyx_capi__[name]
    arguments = [ctypes.c_char_p] * _CHARACTERS[name[1:]]
    count = _signature(capsule).count(b"*") - len(arguments)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(capsule, _signature(capsule))
    return ctypes.CFUNCTYPE(None, *arguments, *([ctypes.c_void_p] * count))(address)


def _signature(capsule: Any) -> bytes:
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return bytes(name(capsule))


@cache
def _integer() -> Any:
    """The integers of SciPy's BLAS: 32 bits, but for builds that say otherwise."""
    from scipy.linalg import cython_lapack

    text = _signature(cython_lapack.__pyx_capi__["dpotrf"])
    return ctypes.c_int if b"int *" in text and b"blas_int" not in text else ctypes.c_int64
