"""The nearest reference rows of new rows, and places on the map from them.

The search filters pairs as that of :mod:`qmlstudio.learning._neighbors` does: by products of blocks of a few leading
coordinates in single precision, with their rounding allowed for. Every distance that counts is computed from the rows
themselves in double precision, and equal ones are taken in the order of their index: the result does not depend on
which rows are searched together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._neighbors import squared_distance

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def scan_reference(
    product: Array,
    norms: Array,
    reference_norms: Array,
    slack: float,
    new: Array,
    rows: Array,
    reference: Array,
    others: Array,
    near_d: Array,
    near_i: Array,
) -> float:
    """Offer a block of reference rows to a block of new ones.

    Parameters
    ----------
    product : (a, b) float32
        Inner products of the filter's coordinates.
    norms, reference_norms : (a,), (b,) float32
        Squared norms of the filter's coordinates.
    slack : float
        Bound of the rounding error, relative to the sum of both norms.
    new : (m, d)
    rows : (a,) int64
        Which of the new rows these are.
    reference : (n, d)
    others : (b,) int64
        Which of the reference rows.
    near_d, near_i : (m, k) float64, int32
        Squared distances so far, ascending, and the reference rows.

    Returns
    -------
    float
        The largest k-th squared distance of the block's rows.
    """
    height, width = product.shape
    k = near_d.shape[1]
    keep = np.float32(1.0 - slack)
    group = 16
    reach = 0.0
    for i in range(height):
        row = rows[i]
        base = keep * norms[i]
        top = near_d[row, k - 1]
        # rounded up, so that the filter stays safe; equal distances may have a lower index
        limit = np.float32(top * 1.0000002)
        line = product[i]
        for low in range(0, width, group):
            high = min(low + group, width)
            hits = np.uint32(0)
            for j in range(low, high):
                lower = base + keep * reference_norms[j] - np.float32(2.0) * line[j]
                hits = np.uint32(hits + np.uint32(lower <= limit))
            if hits == 0:
                continue
            for j in range(low, high):
                lower = base + keep * reference_norms[j] - np.float32(2.0) * line[j]
                if not lower <= limit:
                    continue
                other = others[j]
                value = squared_distance(new[row], reference[other])
                if value > top or (value == top and other > near_i[row, k - 1]):
                    continue
                at = k - 1
                while at > 0 and (
                    near_d[row, at - 1] > value or (near_d[row, at - 1] == value and near_i[row, at - 1] > other)
                ):
                    near_d[row, at] = near_d[row, at - 1]
                    near_i[row, at] = near_i[row, at - 1]
                    at -= 1
                near_d[row, at] = value
                near_i[row, at] = other
                top = near_d[row, k - 1]
                limit = np.float32(top * 1.0000002)
        reach = max(reach, top)
    return reach


STEPS = 10
"""Reweightings of a place: further ones move it by less than the points' spacing."""


@njit(nogil=True, cache=True)
def place(near_d: Array, near_i: Array, points: Array, scale: float, first: int, last: int, out: Array) -> None:
    """Places of the rows `first` to `last`: see :func:`qmlstudio.learning.projection.project`.

    Parameters
    ----------
    near_d, near_i : (m, k)
        Squared distances of the nearest reference rows, ascending, and which they are.
    points : (n, c)
        The map.
    scale : float
        Distance on the map within which points are together.
    out : (m, c)
    """
    k = near_d.shape[1]
    c = points.shape[1]
    distances = np.empty(k)
    weights = np.empty(k)
    for row in range(first, last):
        if near_d[row, 0] == 0.0:
            # its own twin
            for axis in range(c):
                out[row, axis] = points[near_i[row, 0], axis]
            continue
        for t in range(k):
            distances[t] = np.sqrt(near_d[row, t])
        _memberships(distances, weights)
        _move(weights, weights, near_i[row], points, out[row])
        pulls = np.empty(k)
        for _ in range(STEPS):
            for t in range(k):
                gap = scale * scale
                for axis in range(c):
                    difference = points[near_i[row, t], axis] - out[row, axis]
                    gap += difference * difference
                pulls[t] = weights[t] / gap if gap > 0.0 else 0.0
            _move(pulls, weights, near_i[row], points, out[row])


@njit(nogil=True, cache=True)
def _move(pulls: Array, otherwise: Array, chosen: Array, points: Array, out: Array) -> None:
    """Write the mean of the chosen points with weights `pulls`; with `otherwise` where these vanish."""
    total = pulls.sum()
    if total <= 0.0:
        pulls = otherwise
        total = pulls.sum()
    for axis in range(points.shape[1]):
        value = 0.0
        for t in range(len(chosen)):
            value += pulls[t] / total * points[chosen[t], axis]
        out[axis] = value


@njit(nogil=True, cache=True)
def _memberships(distances: Array, weights: Array) -> None:
    """UMAP's memberships exp(−(d − ρ)/σ) of ascending distances, ρ the first, which sum to log₂ k."""
    k = len(distances)
    target = max(np.log2(k), 1.0)
    low, high, sigma = 0.0, np.inf, distances[k - 1]
    for _ in range(64):
        total = 0.0
        for t in range(k):
            gap = distances[t] - distances[0]
            weights[t] = 1.0 if gap <= 0.0 or sigma <= 0.0 else np.exp(-gap / sigma)
            total += weights[t]
        if abs(total - target) < 1e-5:
            break
        if total > target:
            high = sigma
            sigma = (low + high) / 2.0
        else:
            low = sigma
            sigma = sigma * 2.0 if high == np.inf else (low + high) / 2.0
