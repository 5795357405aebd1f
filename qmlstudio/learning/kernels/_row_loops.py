"""Loops over the rows of a matrix of features against one row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def city_row(rows: Array, one: Array, out: Array) -> None:
    """(m,) city-block distances of rows (m, d) from one (d,)."""
    d = len(one)
    whole = d // 8 * 8
    part = np.empty(8)
    for i in range(len(rows)):
        row = rows[i]
        part[:] = 0.0
        for j in range(0, whole, 8):
            # eight sums side by side, which fill the registers without any being added in another order
            for k in range(8):
                part[k] += abs(row[j + k] - one[j + k])
        total = part.sum()
        for j in range(whole, d):
            total += abs(row[j] - one[j])
        out[i] = total


@njit(nogil=True, cache=True)
def square_row(rows: Array, one: Array, out: Array) -> None:
    """(m,) squared distances, from differences."""
    d = len(one)
    whole = d // 8 * 8
    part = np.empty(8)
    for i in range(len(rows)):
        row = rows[i]
        part[:] = 0.0
        for j in range(0, whole, 8):
            for k in range(8):
                difference = row[j + k] - one[j + k]
                part[k] += difference * difference
        total = part.sum()
        for j in range(whole, d):
            difference = row[j] - one[j]
            total += difference * difference
        out[i] = total
