"""Ranks without sorting: how many rows are closer to a row than each of some thresholds.

Distances in the features come from single-precision products of blocks, whose rounding error is bounded; only where
the bound leaves open on which side of a threshold (or of the k-th neighbour so far) a distance lies is it computed
from the features themselves in double precision. So the counts are those of double precision at single's speed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._neighbors import squared_distance

Array = NDArray[Any]

GROUP = 128
"""Distances that are looked at together: counting them against a limit takes a few instructions for each eight."""
TIE = 1.0 - 1e-12
"""Distances whose squares are closer than this are equal: they differ by rounding only."""


@njit(nogil=True, cache=True)
def pair_thresholds(
    features: Array, rows: Array, others: Array, unit: float, first: int, last: int, out: Array
) -> None:
    """Squared distances, times `unit`, of the rows `first` to `last` of `rows` to their `others`, ascending, as limits.

    What is closer than a limit is closer than that other row, by more than rounding.
    """
    for i in range(first, last):
        for t in range(others.shape[1]):
            out[i, t] = squared_distance(features[rows[i]], features[others[i, t]]) * unit * TIE
        out[i].sort()


@njit(nogil=True, cache=True)
def _count_below(values: Array, limit: float) -> Any:
    """How many values are below a limit."""
    count = np.uint32(0)
    for j in range(len(values)):
        count = np.uint32(count + np.uint32(values[j] < limit))
    return np.int64(count)


@njit(nogil=True, cache=True)
def count_closer(
    product: Array,
    norms: Array,
    block_norms: Array,
    slack: float,
    block_start: int,
    rows: Array,
    features: Array,
    unit: float,
    limits: Array,
    counts: Array,
    near_d: Array,
    near_i: Array,
) -> None:
    """Take the rows of a block into account.

    Parameters
    ----------
    product : (m, b) float32
        Inner products of the centred, scaled sampled rows with those of the block.
    norms, block_norms : (m,), (b,) float32
        Their squared norms.
    slack : float
        Bound of the rounding error of a squared distance, relative to the sum of both norms.
    block_start : int
        Row of the features at which the block starts.
    rows : (m,) int64
        The sampled rows.
    features : (n, d)
    unit : float
        What squared distances of the features are multiplied by.
    limits : (m, k)
        From :func:`pair_thresholds`.
    counts : (m, k) int64
        How many rows are closer than each limit, so far.
    near_d, near_i : (m, k) float64, int32
        The nearest rows so far, ascending; equal ones in the order of their index.
    """
    height, width = product.shape
    k = limits.shape[1]
    keep = np.float32(1.0 - slack)
    grow = np.float32(1.0 + slack)
    lower = np.empty(GROUP, dtype=np.float32)
    upper = np.empty(GROUP, dtype=np.float32)
    for i in range(height):
        own = rows[i]
        base = norms[i]
        line = product[i]
        for low in range(0, width, GROUP):
            high = min(low + GROUP, width)
            for j in range(low, high):
                total = base + block_norms[j]
                twice = np.float32(2.0) * line[j]
                lower[j - low] = keep * total - twice
                upper[j - low] = grow * total - twice
            if low <= own - block_start < high:
                lower[own - block_start - low] = np.inf
                upper[own - block_start - low] = np.inf
            here = lower[: high - low]
            top = near_d[i, k - 1]
            # limits are rounded to single precision on the safe side
            if _count_below(here, np.float32(top * 1.0000002)) > 0:
                for j in range(low, high):
                    if lower[j - low] < top:
                        value = squared_distance(features[own], features[block_start + j]) * unit
                        if value < top:
                            top = _insert(near_d[i], near_i[i], value, block_start + j)
            for t in range(k - 1, -1, -1):
                limit = limits[i, t]
                possible = _count_below(here, np.float32(limit * 1.0000002))
                if possible == 0:
                    break
                sure = _count_below(upper[: high - low], np.float32(limit * 0.9999998))
                counts[i, t] += sure
                if sure == possible:
                    continue
                for j in range(low, high):
                    if lower[j - low] < np.float32(limit * 1.0000002) and not (
                        upper[j - low] < np.float32(limit * 0.9999998)
                    ):
                        value = squared_distance(features[own], features[block_start + j]) * unit
                        counts[i, t] += value < limit


@njit(nogil=True, cache=True)
def _insert(row_d: Array, row_i: Array, value: float, index: int) -> Any:
    """Put a value into an ascending row in place of the last; returns the new last."""
    at = len(row_d) - 1
    while at > 0 and row_d[at - 1] > value:
        row_d[at] = row_d[at - 1]
        row_i[at] = row_i[at - 1]
        at -= 1
    row_d[at] = value
    row_i[at] = index
    return row_d[len(row_d) - 1]


@njit(nogil=True, cache=True)
def count_closer_on_map(points: Array, rows: Array, limits: Array, first: int, last: int, counts: Array) -> None:
    """As :func:`count_closer`, with the distances of the map for the sampled rows `first` to `last`.

    `points` (c, n) holds each coordinate by itself.
    """
    c, n = points.shape
    k = limits.shape[1]
    values = np.empty(GROUP)
    for i in range(first, last):
        own = rows[i]
        for low in range(0, n, GROUP):
            high = min(low + GROUP, n)
            values[:] = 0.0
            for axis in range(c):
                place = points[axis, own]
                line = points[axis]
                for j in range(low, high):
                    difference = line[j] - place
                    values[j - low] += difference * difference
            if low <= own < high:
                values[own - low] = np.inf
            here = values[: high - low]
            for t in range(k - 1, -1, -1):
                found = _count_below(here, limits[i, t])
                if found == 0:
                    break
                counts[i, t] += found


@njit(nogil=True, cache=True)
def penalty(counts: Array, first: int, last: int) -> int:
    """Sum of the ranks above k of the k rows whose limits were counted against, over the rows `first` to `last`."""
    k = counts.shape[1]
    total = 0
    for i in range(first, last):
        for t in range(k):
            total += max(0, counts[i, t] + 1 - k)
    return total


@njit(nogil=True, cache=True)
def shared(one: Array, two: Array, first: int, last: int, out: Array) -> None:
    """``out[i]``: which share of the indices in row i of `one` stand in row i of `two`, −1 standing for none."""
    for i in range(first, last):
        found = 0
        for s in range(one.shape[1]):
            for t in range(two.shape[1]):
                if one[i, s] == two[i, t] and one[i, s] >= 0:
                    found += 1
                    break
        out[i] = found / max(one.shape[1], 1)


@njit(nogil=True, cache=True)
def nearest_sampled(
    product: Array, norms: Array, block_norms: Array, block_start: int, rows: Array, near_d: Array, near_i: Array
) -> None:
    """The nearest sampled rows of each row of a block, as positions in `rows`, to single precision.

    Parameters are those of :func:`count_closer`; `near_d` and `near_i` (b, k) are overwritten.
    """
    height, width = product.shape
    top = np.full(width, np.float32(np.inf), dtype=np.float32)
    near_d[:width] = np.inf
    near_i[:width] = -1
    group = 8
    for i in range(height):
        line = product[i]
        base = norms[i]
        own = rows[i] - block_start
        for low in range(0, width, group):
            high = min(low + group, width)
            hits = np.uint32(0)
            for j in range(low, high):
                hits = np.uint32(hits + np.uint32(base + block_norms[j] - np.float32(2.0) * line[j] < top[j]))
            if hits == 0:
                continue
            for j in range(low, high):
                value = base + block_norms[j] - np.float32(2.0) * line[j]
                if value < top[j] and j != own:
                    top[j] = _insert(near_d[j], near_i[j], value, i)
