"""Compiled loops of :mod:`qmlstudio.learning.near`: distances from one row, and the cheapest way through a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

Array = NDArray[Any]

EUCLIDEAN, MANHATTAN, COSINE, TANIMOTO = 0, 1, 2, 3


# the sums may be taken in any order, which lets them be vectors; NaN and infinity keep their meaning
_SUMS = {"reassoc", "contract"}


@njit(nogil=True, cache=True, fastmath=_SUMS)
def _squared(a: Array, b: Array) -> float:
    total = 0.0
    for t in range(len(a)):
        difference = np.float64(a[t]) - np.float64(b[t])
        total += difference * difference
    return total


@njit(nogil=True, cache=True, fastmath=_SUMS)
def _absolute(a: Array, b: Array) -> float:
    total = 0.0
    for t in range(len(a)):
        total += abs(np.float64(a[t]) - np.float64(b[t]))
    return total


@njit(nogil=True, cache=True, fastmath=_SUMS)
def _products(a: Array, b: Array) -> tuple[float, float, float]:
    """Both rows' squared norms, and the square of their difference."""
    one = 0.0
    two = 0.0
    apart = 0.0
    for t in range(len(a)):
        x = np.float64(a[t])
        y = np.float64(b[t])
        one += x * x
        two += y * y
        apart += (x - y) * (x - y)
    return one, two, apart


@njit(nogil=True, cache=True)
def distance(a: Array, b: Array, metric: int) -> float:
    """Distance of two rows; not finite where one of them is not."""
    if metric == EUCLIDEAN:
        return float(np.sqrt(_squared(a, b)))
    if metric == MANHATTAN:
        return float(_absolute(a, b))
    # from the difference, so that equal rows are at distance 0 and near ones do not drown in rounding
    one, two, apart = _products(a, b)
    if metric == TANIMOTO:
        # 1 - ab / (aa + bb - ab) with ab = (aa + bb - apart) / 2
        if apart == 0.0:
            return 0.0
        return float(2.0 * apart / (one + two + apart))
    if not (np.isfinite(one) and np.isfinite(two)):
        return np.nan
    if one == 0.0 or two == 0.0:
        return 0.0 if one == two else 1.0
    # 1 - cos = (apart - (|a| - |b|)^2) / (2 |a| |b|)
    a_norm = np.sqrt(one)
    b_norm = np.sqrt(two)
    return float(min(max((apart - (a_norm - b_norm) * (a_norm - b_norm)) / (2.0 * a_norm * b_norm), 0.0), 2.0))


@njit(nogil=True, cache=True)
def distances(features: Array, row: Array, metric: int, start: int, stop: int, found: Array) -> None:
    """Distances of the rows from `start` to `stop` from one row; NaN where they are not finite."""
    for i in range(start, stop):
        value = distance(features[i], row, metric)
        found[i] = value if np.isfinite(value) else np.nan


@njit(nogil=True, cache=True)
def edge_lengths(features: Array, indices: Array, metric: int, start: int, stop: int, found: Array) -> None:
    """Lengths of the edges from each row to those it names, (n, k); NaN to itself, to -1 and where not finite."""
    for i in range(start, stop):
        for t in range(indices.shape[1]):
            j = indices[i, t]
            found[i, t] = np.nan
            if 0 <= j < len(features) and j != i:
                value = distance(features[i], features[j], metric)
                if np.isfinite(value):
                    found[i, t] = value


@njit(nogil=True, cache=True)
def both_ways(indices: Array, lengths: Array) -> Any:
    """Each edge in both directions, row by row.

    Returns
    -------
    starts : (n + 1,) int64
        Edges of row i are ``starts[i]:starts[i + 1]``; an edge that both its rows name is there twice.
    ends : (e,) int32
    costs : (e,) float64
    """
    n, k = indices.shape
    starts = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        for t in range(k):
            if not np.isnan(lengths[i, t]):
                starts[i + 1] += 1
                starts[indices[i, t] + 1] += 1
    for i in range(n):
        starts[i + 1] += starts[i]
    at = starts[:-1].copy()
    ends = np.empty(starts[n], dtype=np.int32)
    costs = np.empty(starts[n])
    for i in range(n):
        for t in range(k):
            value = lengths[i, t]
            if not np.isnan(value):
                j = indices[i, t]
                ends[at[i]] = j
                costs[at[i]] = value
                at[i] += 1
                ends[at[j]] = i
                costs[at[j]] = value
                at[j] += 1
    return starts, ends, costs


@njit(nogil=True, cache=True)
def _sift_up(heap: Array, place: Array, cost: Array, at: int) -> None:
    node = heap[at]
    while at > 0:
        above = (at - 1) // 2
        if cost[heap[above]] <= cost[node]:
            break
        heap[at] = heap[above]
        place[heap[at]] = at
        at = above
    heap[at] = node
    place[node] = at


@njit(nogil=True, cache=True)
def _sift_down(heap: Array, place: Array, cost: Array, size: int) -> None:
    node = heap[0]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and cost[heap[child + 1]] < cost[heap[child]]:
            child += 1
        if cost[heap[child]] >= cost[node]:
            break
        heap[at] = heap[child]
        place[heap[at]] = at
        at = child
    heap[at] = node
    place[node] = at


@njit(nogil=True, cache=True)
def cheapest(
    starts: Array,
    ends: Array,
    costs: Array,
    target: int,
    widest: bool,
    cost: Array,
    before: Array,
    heap: Array,
    place: Array,
    size: int,
    work: int,
) -> int:
    """Go on with Dijkstra's algorithm for `work` nodes at most.

    Parameters
    ----------
    starts, ends, costs
        From :func:`both_ways`.
    target : int
        Where to stop; -1 for nowhere.
    widest : bool
        The cost of a way is its longest edge, and of ways that share that edge the one with the shorter rest wins only
        by chance; otherwise the sum of its edges.
    cost, before : (n,) float64, int64
        Of each node reached so far, and the node from which: first infinite and -1.
    heap, place : (n,) int64
        The nodes in the heap, and where each stands: -1 before and -2 after.
    size : int
        Nodes in the heap.

    Returns
    -------
    int
        The size of the heap; 0: done.
    """
    while size > 0 and work > 0:
        node = heap[0]
        size -= 1
        place[node] = -2
        if size > 0:
            heap[0] = heap[size]
            place[heap[0]] = 0
            _sift_down(heap, place, cost, size)
        if node == target:
            return 0
        work -= 1
        for e in range(starts[node], starts[node + 1]):
            other = ends[e]
            if place[other] == -2:
                continue
            value = max(cost[node], costs[e]) if widest else cost[node] + costs[e]
            if value < cost[other]:
                cost[other] = value
                before[other] = node
                if place[other] == -1:
                    heap[size] = other
                    place[other] = size
                    size += 1
                _sift_up(heap, place, cost, place[other])
    return size


@njit(nogil=True, cache=True)
def nearest_of_block(
    product: Array, rows: Array, others: Array, norms: Array, other_norms: Array, slack: float, shift: int, best: Array
) -> None:
    """Lower the least squared distances `best` of some rows by those to some others.

    Parameters
    ----------
    product : (m, n) float64
        Inner products of the rows with the others.
    norms, other_norms : (m,), (n,) float64
        Squared norms.
    slack : float
        Rounding error of a product, as a share of the norms.
    shift : int
        Row i is the same as the other numbered i + shift, and not compared with it.
    best : (m,) float64
    """
    for i in range(len(rows)):
        least = best[i]
        for j in range(len(others)):
            both = norms[i] + other_norms[j]
            if both - 2.0 * product[i, j] - slack * both < least and j != i + shift:
                exact = _squared(rows[i], others[j])
                if exact < least:
                    least = exact
        best[i] = least
