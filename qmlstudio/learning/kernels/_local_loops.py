"""Loops of local kernels: gathered rows, products turned into similarities, sums over the atoms of structures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.representations._exp import exp

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GAUSSIAN, LAPLACIAN, MATERN_1, MATERN_3, MATERN_5, DOT = range(6)
"""What turns products or distances of two atoms into their similarity."""
_LANES = 64
"""Rows that the loop for city-block distances works on together."""


@njit(nogil=True, cache=True)
def mark_columns(array: Array, rows: Integers, there: NDArray[np.bool_]) -> None:
    """Set `there` (d,) for the columns in which one of the rows is not zero."""
    d = array.shape[1]
    for r in rows:
        for c in range(d):
            there[c] |= array[r, c] != 0


@njit(nogil=True, cache=True)
def gather(array: Array, rows: Integers, columns: Integers, origin: Floats, out: Array) -> None:
    """``out[i, k] = array[rows[i], columns[k]] − origin[columns[k]]``."""
    for i in range(len(rows)):
        r = rows[i]
        for k in range(len(columns)):
            c = columns[k]
            out[i, k] = array[r, c] - origin[c]


@njit(nogil=True, cache=True)
def city_block(a: Array, b: Array, out: Array) -> None:
    """City-block distances (p, q) of rows (p, d) and (q, d), which are contiguous."""
    p, d = a.shape
    q = len(b)
    panel = np.zeros((d, _LANES), dtype=a.dtype)
    sums = np.empty(_LANES, dtype=a.dtype)
    whole = d // 4 * 4
    for low in range(0, q, _LANES):
        width = min(_LANES, q - low)
        for j in range(width):
            for t in range(d):
                panel[t, j] = b[low + j, t]
        for i in range(p):
            sums[:] = 0.0
            # a fixed number of neighbouring columns: the processor adds them up side by side
            for t in range(0, whole, 4):
                w, x, y, z = a[i, t], a[i, t + 1], a[i, t + 2], a[i, t + 3]
                for j in range(_LANES):
                    sums[j] += (abs(w - panel[t, j]) + abs(x - panel[t + 1, j])) + (
                        abs(y - panel[t + 2, j]) + abs(z - panel[t + 3, j])
                    )
            for t in range(whole, d):
                w = a[i, t]
                for j in range(_LANES):
                    sums[j] += abs(w - panel[t, j])
            for j in range(width):
                out[i, low + j] = sums[j]


@njit(nogil=True, cache=True)
def squares(tile: Array, a: Array, b: Array, a_half: Floats, b_half: Floats, least: float) -> None:
    """Products of two rows become their squared distances, in place.

    `a_half`, `b_half` are half the rows' squared norms. Where less than the part `least` of the norms is left, the
    differences themselves are squared: the root of what cancels would have half of its figures only.
    """
    p, q = tile.shape
    d = a.shape[1]
    for i in range(p):
        near = 0
        for j in range(q):
            both = a_half[i] + b_half[j]
            value = 2.0 * (both - tile[i, j])
            near += 1 if value < least * both else 0
            tile[i, j] = value
        if near:
            for j in range(q):
                if tile[i, j] < least * (a_half[i] + b_half[j]):
                    total = 0.0
                    for t in range(d):
                        total += (a[i, t] - b[j, t]) ** 2
                    tile[i, j] = total


@njit(nogil=True, cache=True)
def gaussian(tile: Array, out: Array, a_half: Floats, b_half: Floats, sigma: float) -> None:
    """Products to exp(−|a − b|² / 2σ²)."""
    p, q = tile.shape
    scale = 1.0 / sigma**2
    # the row between keeps what is read apart from what is written, where `out` is the tile: else no vectors
    row = np.empty(q)
    for i in range(p):
        mine = a_half[i]
        for j in range(q):
            row[j] = min((tile[i, j] - mine - b_half[j]) * scale, 0.0)
        for j in range(q):
            out[i, j] = exp(row[j])


@njit(nogil=True, cache=True)
def decay(kind: int, tile: Array, out: Array, sigma: float) -> None:
    """Distances (Laplacian) or squared distances (Matérn) to similarities."""
    p, q = tile.shape
    root = 3.0 if kind == MATERN_3 else 5.0 if kind == MATERN_5 else 1.0
    scale = -np.sqrt(root) / sigma
    linear = 0.0 if root == 1.0 else 1.0
    square = 1.0 / 3.0 if kind == MATERN_5 else 0.0
    row = np.empty(q)
    for i in range(p):
        if kind == LAPLACIAN:
            for j in range(q):
                row[j] = tile[i, j] * scale
        else:
            for j in range(q):
                row[j] = np.sqrt(tile[i, j]) * scale
        for j in range(q):
            x = row[j]
            out[i, j] = (1.0 - linear * x + square * x * x) * exp(x)


@njit(nogil=True, cache=True)
def cosine_power(tile: Array, out: Array, a_half: Floats, b_half: Floats, power: int) -> None:
    """Products to (a·b / |a||b|)^power; a row of zeros is like nothing."""
    p, q = tile.shape
    inverse = np.zeros(q)
    for j in range(q):
        inverse[j] = 1.0 / np.sqrt(2.0 * b_half[j]) if b_half[j] > 0.0 else 0.0
    for i in range(p):
        mine = 1.0 / np.sqrt(2.0 * a_half[i]) if a_half[i] > 0.0 else 0.0
        for j in range(q):
            x = min(max(tile[i, j] * mine * inverse[j], -1.0), 1.0)
            value = x
            for _ in range(power - 1):
                value *= x
            out[i, j] = value


@njit(nogil=True, cache=True)
def add_up(tile: Array, mine: Integers, theirs: Integers, out: Floats) -> None:
    """``out[mine[i], theirs[j]] += tile[i, j]``; both lists ascend."""
    p, q = tile.shape
    sums = np.empty(q)
    i = 0
    while i < p:
        s = mine[i]
        for j in range(q):
            sums[j] = tile[i, j]
        i += 1
        while i < p and mine[i] == s:
            for j in range(q):
                sums[j] += tile[i, j]
            i += 1
        for j in range(q):
            out[s, theirs[j]] += sums[j]


@njit(nogil=True, cache=True)
def mask_elements(tile: Array, mine: Integers, theirs: Integers) -> None:
    """Zero where the elements differ."""
    for i in range(tile.shape[0]):
        for j in range(tile.shape[1]):
            if mine[i] != theirs[j]:
                tile[i, j] = 0.0
