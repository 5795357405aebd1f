"""Loops that turn distances and products into similarities, in place: arrays are contiguous and one-dimensional.

One array is read and written: LLVM need not ask whether two overlap, and vectorises. Constants have its precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.learning.kernels._vectors import exp
from qmlstudio.representations._log import log

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def exponential(x: Array, c: Any) -> None:
    """x → e^(c x)."""
    for i in range(len(x)):
        x[i] = exp(c * x[i])


@njit(nogil=True, cache=True)
def exponential_of_root(x: Array, c: Any) -> None:
    """x → e^(c √x)."""
    for i in range(len(x)):
        x[i] = exp(c * np.sqrt(x[i]))


@njit(nogil=True, cache=True)
def matern_three(x: Array, c: Any, one: Any) -> None:
    """x → (1 + s) e^(−s), s = c √x."""
    for i in range(len(x)):
        s = c * np.sqrt(x[i])
        x[i] = (one + s) * exp(-s)


@njit(nogil=True, cache=True)
def matern_five(x: Array, c: Any, one: Any, third: Any) -> None:
    """x → (1 + s + s²/3) e^(−s), s = c √x."""
    for i in range(len(x)):
        s = c * np.sqrt(x[i])
        x[i] = (one + s + third * s * s) * exp(-s)


@njit(nogil=True, cache=True)
def rational_quadratic(x: Array, c: float, alpha: float) -> None:
    """x → (1 + c x)^(−α)."""
    for i in range(len(x)):
        x[i] = exp(-alpha * log(1.0 + c * x[i]))


@njit(nogil=True, cache=True)
def tanimoto(x: Array, first: Array, second: Array) -> None:
    """Products (m · k) → a·b / (|a|² + |b|² − a·b); two empty rows are alike."""
    k = len(second)
    for i in range(len(first)):
        row, mine = x[i * k : i * k + k], first[i]
        for j in range(k):
            union = mine + second[j] - row[j]
            row[j] = row[j] / union if union > 0 else union - union + 1


@njit(nogil=True, cache=True)
def smaller_over_larger(x: Array, first: Array, second: Array) -> None:
    """City-block distances D (m · k) → Σ min(a, b) / Σ max(a, b) = (Σa + Σb − D) / (Σa + Σb + D)."""
    k = len(second)
    for i in range(len(first)):
        row, mine = x[i * k : i * k + k], first[i]
        for j in range(k):
            both = mine + second[j]
            larger = both + row[j]
            row[j] = (both - row[j]) / larger if larger > 0 else larger - larger + 1
