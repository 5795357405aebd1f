"""Supervised UMAP: the features' fuzzy set intersected with that of a property (McInnes, Healy, Melville 2018, §6).

As in umap-learn, with which the weights agree: categories weaken the edges between them; numbers make a fuzzy set of
their own nearest neighbours, and both sets are multiplied. Rows whose property is unknown keep their edges, a little
weaker.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._fuzzy import Graph, memberships
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]

UNKNOWN = 1.0
"""Distance between a row whose property is unknown and any other, on the scale of the exponent."""
FAR = 2.5
"""Distance between two categories, for a weight of 0."""


def supervise(graph: Graph, target: Array, n_neighbors: int, weight: float, progress: Progress = SILENT) -> Graph:
    """The graph, made to respect a property.

    Parameters
    ----------
    graph : Graph
        The features' fuzzy set of n rows.
    target : (n,) float64 or str
        Numbers, of which NaN and infinities are unknown; or categories, of which "" is.
    n_neighbors : int
        Of the numbers' own fuzzy set.
    weight : float
        0 heeds the features alone, 1 the property alone.

    Raises
    ------
    ValueError
        When there is not one value for each row.
    """
    n = len(graph.offsets) - 1
    values = np.asarray(target)
    if values.shape != (n,):
        raise ValueError(f"target has shape {values.shape}; one value for each of the {n} rows is needed")
    progress(0.0, "Supervision")
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        known = np.isfinite(numbers)
        if known.any():
            graph = _with_numbers(graph, numbers, known, n_neighbors, weight, progress)
    else:
        codes = category_codes(values)
        if (codes >= 0).any():
            far = FAR / (1.0 - weight) if weight < 1.0 else np.inf
            weights = separate(graph.offsets, graph.tails, graph.weights, codes, far, UNKNOWN)
            graph = Graph(*reconnect(graph.offsets, graph.tails, weights))
    progress(1.0, "Supervision")
    return graph


def category_codes(values: Array) -> NDArray[np.int64]:
    """A number from 0 on for each category (n,), −1 for "" and None."""
    words = np.array(["" if v is None else str(v) for v in values]) if values.dtype.kind == "O" else values.astype(str)
    names, codes = np.unique(words, return_inverse=True)
    found = codes.reshape(-1).astype(np.int64)
    found[words == ""] = -1
    return found if len(names) else np.zeros(0, dtype=np.int64)


def _with_numbers(
    graph: Graph, numbers: Array, known: Array, n_neighbors: int, weight: float, progress: Progress
) -> Graph:
    labelled = np.flatnonzero(known)
    k = min(n_neighbors, len(labelled))
    order = labelled[np.argsort(numbers[labelled], kind="stable")]
    progress.check()
    near, lengths = nearest_numbers(numbers[order], k)
    progress.check()
    # not united with its transpose before the product, only after it
    local = memberships(near, lengths, float(np.mean(lengths)), 0)
    offsets, tails, weights = directed_rows(near, local, order, len(numbers))
    progress.check()
    # as umap-learn: a missing edge counts for half the weakest one there is
    left = max(float(graph.weights.min(initial=1.0)) / 2.0, 1e-8)
    right = min(max(float(weights.min(initial=1.0)) / 2.0, 1e-8), 1e-4)
    a, b = (1.0, weight / (1.0 - weight)) if weight < 0.5 else ((1.0 - weight) / weight, 1.0)
    found = intersect(
        (graph.offsets, graph.tails, graph.weights), (offsets, tails, weights), known, left, right, a, b, UNKNOWN
    )
    return Graph(*reconnect(*found))


@njit(nogil=True, cache=True)
def nearest_numbers(values: Array, k: int) -> tuple[Array, Array]:
    """The `k` nearest of each of the ascending numbers (n,), itself first: indices int32 and distances float32."""
    n = len(values)
    indices = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k), dtype=np.float32)
    for i in range(n):
        low, high = i - 1, i + 1
        indices[i, 0] = i
        distances[i, 0] = 0.0
        for t in range(1, k):
            below = values[i] - values[low] if low >= 0 else np.inf
            above = values[high] - values[i] if high < n else np.inf
            if below <= above:
                indices[i, t] = low
                distances[i, t] = below
                low -= 1
            else:
                indices[i, t] = high
                distances[i, t] = above
                high += 1
    return indices, distances


@njit(nogil=True, cache=True)
def directed_rows(indices: Array, weights: Array, rows: Array, n: int) -> tuple[Array, Array, Array]:
    """Weights (m, k) of neighbours among the vertices `rows` (m,), as compressed rows over all `n`, tails ascending."""
    where = np.full(n, -1, dtype=np.int64)
    for a in range(len(rows)):
        where[rows[a]] = a
    offsets = np.zeros(n + 1, dtype=np.int64)
    tails = np.empty(indices.size, dtype=np.int32)
    found = np.empty(indices.size, dtype=np.float32)
    m = 0
    for i in range(n):
        a = where[i]
        if a >= 0:
            names = rows[indices[a]]
            for t in np.argsort(names):
                if weights[a, t] > 0.0:
                    tails[m] = names[t]
                    found[m] = weights[a, t]
                    m += 1
        offsets[i + 1] = m
    return offsets, tails[:m].copy(), found[:m].copy()


@njit(nogil=True, cache=True)
def separate(offsets: Array, tails: Array, weights: Array, codes: Array, far: float, unknown: float) -> Array:
    """The weights, less where an edge joins two categories (code −1: unknown)."""
    found = weights.copy()
    for i in range(len(codes)):
        for e in range(offsets[i], offsets[i + 1]):
            one, two = codes[i], codes[tails[e]]
            if one < 0 or two < 0:
                found[e] *= np.exp(-unknown)
            elif one != two:
                found[e] *= np.exp(-far)
    return found


@njit(nogil=True, cache=True)
def intersect(
    one: tuple[Array, Array, Array],
    two: tuple[Array, Array, Array],
    known: Array,
    left_least: float,
    right_least: float,
    left_power: float,
    right_power: float,
    unknown: float,
) -> tuple[Array, Array, Array]:
    """Product of powers of two graphs over the edges of either; `known` (n,) says which rows the second is about."""
    left_offsets, left_tails, left_weights = one
    right_offsets, right_tails, right_weights = two
    n = len(known)
    offsets = np.zeros(n + 1, dtype=np.int64)
    tails = np.empty(len(left_tails) + len(right_tails), dtype=np.int32)
    weights = np.empty(len(tails), dtype=np.float32)
    m = 0
    for i in range(n):
        s, t = left_offsets[i], right_offsets[i]
        while s < left_offsets[i + 1] or t < right_offsets[i + 1]:
            a = left_tails[s] if s < left_offsets[i + 1] else n
            b = right_tails[t] if t < right_offsets[i + 1] else n
            j = min(a, b)
            left, right = left_least, right_least
            if a == j:
                left = left_weights[s]
                s += 1
            if b == j:
                right = right_weights[t]
                t += 1
            tails[m] = j
            if known[i] and known[j]:
                weights[m] = left**left_power * right**right_power
            else:
                weights[m] = left * np.exp(-unknown)
            m += 1
        offsets[i + 1] = m
    return offsets, tails[:m].copy(), weights[:m].copy()


@njit(nogil=True, cache=True)
def reconnect(offsets: Array, tails: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Each row's weights over their largest, so that it has one full edge, then the union with the transpose.

    The rows' tails ascend; so do those of the result, which is symmetric: u + v − u v.
    """
    n = len(offsets) - 1
    scaled = weights.copy()
    begin = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        largest = np.float32(0.0)
        for e in range(offsets[i], offsets[i + 1]):
            largest = max(largest, weights[e])
            begin[tails[e] + 1] += 1
        if largest > 0.0:
            for e in range(offsets[i], offsets[i + 1]):
                scaled[e] /= largest
    # the transpose by counting: its rows come out ascending
    for i in range(n):
        begin[i + 1] += begin[i]
    place = begin[:-1].copy()
    heads = np.empty(len(tails), dtype=np.int32)
    back = np.empty(len(tails), dtype=np.float32)
    for i in range(n):
        for e in range(offsets[i], offsets[i + 1]):
            heads[place[tails[e]]] = i
            back[place[tails[e]]] = scaled[e]
            place[tails[e]] += 1
    united = np.zeros(n + 1, dtype=np.int64)
    new_tails = np.empty(2 * len(tails), dtype=np.int32)
    new_weights = np.empty(2 * len(tails), dtype=np.float32)
    m = 0
    for i in range(n):
        s, t = offsets[i], begin[i]
        while s < offsets[i + 1] or t < begin[i + 1]:
            own = tails[s] if s < offsets[i + 1] else n
            other = heads[t] if t < begin[i + 1] else n
            u = v = np.float32(0.0)
            if own <= other:
                u = scaled[s]
                s += 1
            if other <= own:
                v = back[t]
                t += 1
            new_tails[m] = min(own, other)
            new_weights[m] = u + v - u * v
            m += 1
        united[i + 1] = m
    return united, new_tails[:m].copy(), new_weights[:m].copy()
