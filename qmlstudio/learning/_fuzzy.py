"""The fuzzy set of UMAP: neighbours become edges with a membership in (0, 1] (McInnes, Healy, Melville 2018, §3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """A symmetric weighted graph in compressed rows.

    Attributes
    ----------
    offsets : (n + 1,) int64
        Edges of vertex i are ``offsets[i]:offsets[i + 1]``.
    tails : (m,) int32
        The other vertex of each edge, ascending within a row.
    weights : (m,) float32
        Memberships in (0, 1].
    """

    offsets: NDArray[np.int64]
    tails: NDArray[np.int32]
    weights: NDArray[np.float32]


def fuzzy_set(indices: NDArray[np.int32], distances: NDArray[np.float32], progress: Progress = SILENT) -> Graph:
    """The union of the rows' local fuzzy sets: w(i→j) + w(j→i) − w(i→j) w(j→i).

    Parameters
    ----------
    indices : (n, k) int32
    distances : (n, k) float32
        Nearest rows with the row itself first, ascending.
    """
    n, k = indices.shape
    if n == 0 or k < 2:
        return Graph(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    weights = np.empty((n, k), dtype=np.float32)
    mean = float(np.mean(distances))
    for start, stop in slices(n, progress, "Graph", first=1000):
        weights[start:stop] = memberships(indices[start:stop], distances[start:stop], mean, start)
    return Graph(*symmetrise(indices, weights))


@njit(nogil=True, cache=True)
def memberships(indices: Array, distances: Array, mean_all: float, first: int) -> Array:
    """Membership exp(−(d − ρ)/σ) of each neighbour of the rows from `first` on.

    ρ is the nearest positive distance, σ such that the memberships sum to log2 k. The bisection for σ takes umap-
    learn's steps (its tolerance, its floor of 10⁻³ of the mean distance), so that both give the same weights.
    """
    n, k = distances.shape
    weights = np.zeros((n, k), dtype=np.float32)
    target = np.log2(k)
    for i in range(n):
        rho = np.float32(0.0)
        mean = 0.0
        for j in range(k):
            mean += distances[i, j]
            if rho == 0.0 and distances[i, j] > 0.0:
                rho = distances[i, j]
        mean /= k
        low, high, sigma = 0.0, np.inf, 1.0
        for _ in range(64):
            total = 0.0
            for j in range(1, k):
                d = distances[i, j] - rho
                total += np.exp(-d / sigma) if d > 0.0 else 1.0
            if abs(total - target) < 1e-5:
                break
            if total > target:
                high = sigma
                sigma = (low + high) / 2.0
            else:
                low = sigma
                sigma = sigma * 2.0 if high == np.inf else (low + high) / 2.0
        sigma = max(sigma, 1e-3 * (mean if rho > 0.0 else mean_all))
        for j in range(k):
            if indices[i, j] == first + i:
                continue
            d = distances[i, j] - rho
            weights[i, j] = 1.0 if d <= 0.0 or sigma == 0.0 else np.exp(-d / sigma)
    return weights


@njit(nogil=True, cache=True)
def symmetrise(indices: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Union of the directed weights with their transpose, as offsets, tails and weights of compressed rows."""
    n, k = indices.shape
    # the transpose by counting: its rows come out ascending
    begin = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        for j in range(k):
            if weights[i, j] > 0.0:
                begin[indices[i, j] + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    place = begin[:-1].copy()
    heads = np.empty(begin[n], dtype=np.int32)
    back = np.empty(begin[n], dtype=np.float32)
    for i in range(n):
        for j in range(k):
            if weights[i, j] > 0.0:
                at = place[indices[i, j]]
                heads[at] = i
                back[at] = weights[i, j]
                place[indices[i, j]] += 1
    # then each row is merged with its transposed one
    offsets = np.zeros(n + 1, dtype=np.int64)
    tails = np.empty(2 * begin[n], dtype=np.int32)
    merged = np.empty(2 * begin[n], dtype=np.float32)
    m = 0
    for i in range(n):
        order = np.argsort(indices[i])
        s = 0
        t = begin[i]
        while s < k or t < begin[i + 1]:
            if s < k and weights[i, order[s]] == 0.0:
                s += 1
                continue
            own = indices[i, order[s]] if s < k else n
            other = heads[t] if t < begin[i + 1] else n
            if own < other:
                tails[m] = own
                merged[m] = weights[i, order[s]]
                s += 1
            elif other < own:
                tails[m] = other
                merged[m] = back[t]
                t += 1
            else:
                u, v = weights[i, order[s]], back[t]
                tails[m] = own
                merged[m] = u + v - u * v
                s += 1
                t += 1
            m += 1
        offsets[i + 1] = m
    return offsets, tails[:m].copy(), merged[:m].copy()
