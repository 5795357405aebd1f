"""Loops that make tiles of distances. Arrays are contiguous, and one-dimensional unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.learning.kernels._vectors import ROWS, city_sums, square_distance

Array = NDArray[Any]

_CHUNK = 96
"""Columns of the features at a time: a panel of either side stays in the first cache."""
_TURNED = 1 << 20
"""Numbers that are put into panels between two questions whether to go on."""


@njit(nogil=True, cache=True)
def city_tile(a: Array, top: int, m: int, b: Array, left: int, k: int, panel_width: int, d: int, out: Array) -> None:
    """City-block distances of rows ``top : top + m`` from rows ``left : left + k``.

    Parameters
    ----------
    a, b : (panels · d · panel_width,)
        Rows in panels (:func:`panels_of`). `top` and `left` are beginnings of panels.
    out : (m · k,)
        Both rounded up to whole panels, rows one after the other.
    """
    above, before = top // panel_width, left // panel_width
    columns = (k + panel_width - 1) // panel_width
    wide = columns * panel_width
    if d == 0:
        out[: m * wide] = 0.0
    for low in range(0, d, _CHUNK):
        count, adds = min(_CHUNK, d - low), 1 if low else 0
        for p in range(columns):
            b0 = ((before + p) * d + low) * panel_width
            for i in range(0, m, ROWS):
                a0 = ((above + i // panel_width) * d + low) * panel_width + i % panel_width
                city_sums(a, a0, b, b0, count, out, i * wide + p * panel_width, wide, adds)


@njit(nogil=True, cache=True)
def finish_squares(values: Array, squares_a: Array, squares_b: Array, least: float, close: Array) -> int:
    """Products a·b (m · k) to squared distances, |a|² + |b|² − 2 a·b, in place.

    Counted are those below `least` (|a|² + |b|²), to which cancelling has left too few figures; `close` (m,) tells how
    many there are in each row.
    """
    m, k = len(squares_a), len(squares_b)
    total = 0
    for i in range(m):
        mine = squares_a[i]
        row = values[i * k : i * k + k]
        count = 0
        for j in range(k):
            both = mine + squares_b[j]
            x = both - (row[j] + row[j])
            count += 1 if x < least * both else 0
            row[j] = x if x > 0 else x - x
        close[i] = count
        total += count
    return total


@njit(nogil=True, cache=True)
def mend_squares(
    values: Array,
    squares_a: Array,
    squares_b: Array,
    least: float,
    close: Array,
    a: Array,
    top: int,
    b: Array,
    left: int,
    d: int,
    lanes: int,
) -> None:
    """The squared distances that :func:`finish_squares` counted again, from the differences of the rows (of d)."""
    m, k = len(squares_a), len(squares_b)
    whole = d // lanes * lanes
    for i in range(m):
        if close[i] == 0:
            continue
        for j in range(k):
            if values[i * k + j] < least * (squares_a[i] + squares_b[j]):
                a0, b0 = (top + i) * d, (left + j) * d
                total = square_distance(a, a0, b, b0, whole)
                for t in range(whole, d):
                    difference = a[a0 + t] - b[b0 + t]
                    total += difference * difference
                values[i * k + j] = total


@njit(nogil=True, cache=True)
def mirror_tile(values: Array, m: int) -> None:
    """What stands below the diagonal of a tile (m · m) as above it."""
    for i in range(m):
        for j in range(i + 1, m):
            values[j * m + i] = values[i * m + j]


@njit(nogil=True, cache=True)
def transpose_tile(values: Array, m: int, k: int, out: Array) -> None:
    """A tile (m · k) turned, (k · m)."""
    whole = m // 8 * 8
    for top in range(0, whole, 8):
        for j in range(k):
            i, o = top * k + j, j * m + top
            # eight loads before eight stores, which are one of a whole vector
            a, b, c, d = values[i], values[i + k], values[i + 2 * k], values[i + 3 * k]
            e, f, g, h = values[i + 4 * k], values[i + 5 * k], values[i + 6 * k], values[i + 7 * k]
            out[o], out[o + 1], out[o + 2], out[o + 3] = a, b, c, d
            out[o + 4], out[o + 5], out[o + 6], out[o + 7] = e, f, g, h
    for top in range(whole, m):
        for j in range(k):
            out[j * m + top] = values[top * k + j]


def panels_of(rows: Array, panel_width: int, check: Callable[[], None]) -> Array:
    """Rows (n, d) side by side in panels (ceil(n / width) · d · width,), the last one filled up with zeros.

    `check` is called every few milliseconds, and raises where nobody waits any more.
    """
    n, d = rows.shape
    found = np.zeros((-(-n // panel_width), d, panel_width), dtype=rows.dtype)
    step = max(1, _TURNED // max(d * panel_width, 1))
    for first in range(0, len(found), step):
        check()
        part = rows[first * panel_width : (first + step) * panel_width]
        whole = len(part) // panel_width
        cut = part[: whole * panel_width].reshape(whole, panel_width, d)
        found[first : first + whole] = cut.transpose(0, 2, 1)
        if whole * panel_width < len(part):
            found[first + whole, :, : len(part) - whole * panel_width] = part[whole * panel_width :].T
    return found.reshape(-1)
