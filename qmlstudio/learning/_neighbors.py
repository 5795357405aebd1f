"""The k nearest rows, by exact search in blocks.

Let V be the p leading principal axes and z = (Vᵀ(x − mean), |rest|): the leading scores and the norm of what they
leave. Then |z − z′| ≤ |x − x′| (Pythagoras and the triangle inequality in the rest), so a pair whose p + 1 numbers
are farther apart than the k-th neighbours found so far need not be looked at. Products of blocks of z (single
precision, with its rounding error allowed for) filter all pairs; the few that pass get their distance from the
features themselves in double precision. Features of molecules vary along few directions, so p is far below d, and
nothing is approximate (above :data:`EXACT_LIMIT` rows only near blocks are compared, which misses some neighbours).
Rows are ordered by recursive bisection along the widest axis: a block's rows are close to each other, the k-th
distances are nearly final after the diagonal blocks, and pairs of blocks whose boxes are too far apart are skipped
whole.

Pairs of blocks are visited in the rounds of a round-robin tournament: within a round no block occurs twice, so the
pairs of a round run on any number of threads with one and the same result.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._pca import Principal, row_blocks
from qmlstudio.learning._threads import SERIAL, Team
from qmlstudio.progress import Progress

Array = NDArray[Any]

BLOCK = 256
"""Rows of a block at most: the product of two (256 kB) stays in the second-level cache."""
EXACT_LIMIT = 250_000
"""Rows up to which all pairs of blocks are visited (about a minute on one core); above, only the nearest ones."""
NEAR_BLOCKS = 160
"""How many blocks each block is compared with above that limit."""
FILTER_AXES = 96
"""Leading principal axes that are worth computing for the filter."""


def filter_dimensions(variance: NDArray[np.float64], d: int, kept: float = 0.99) -> int:
    """How many leading axes the filter uses: enough for `kept` of the variance, all `d` where that is most of them."""
    enough = int(np.searchsorted(np.cumsum(variance), kept)) + 1
    p = max(16, enough)
    return d if p > len(variance) or 2 * p > d else p


def nearest(
    features: Array, k: int, principal: Principal, team: Team, progress: Progress
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `k` nearest rows of each row, itself first.

    Parameters
    ----------
    features : (n, d) float64 or float32, C-contiguous (may be memory-mapped)
        Finite.
    k : int
        At most n; counts the row itself.
    principal : Principal
        Of the same features; its axes serve the filter.

    Returns
    -------
    indices : (n, k) int32
    distances : (n, k) float32
        Ascending; equal distances in the order of their index.
    """
    n = len(features)
    indices = np.arange(n, dtype=np.int32)[:, None].repeat(max(k, 1), axis=1)[:, :k]
    distances = np.zeros((n, k), dtype=np.float32)
    if k <= 1 or n <= 1:
        return indices, distances
    z, norms = _filter_coordinates(features, principal, progress.part(0.0, 0.05))
    order, bounds = bisect(z, min(BLOCK, max(64, n // 8)))
    z = np.ascontiguousarray(z[order])
    norms = norms[order]
    # worst-case rounding of a single-precision product grows with its length; an eighth covers blocked summation
    slack = np.float32((z.shape[1] / 8 + 4) * np.finfo(np.float32).eps)
    heap_d = np.full((n, k - 1), np.inf)
    heap_i = np.full((n, k - 1), -1, dtype=np.int32)
    reach = np.full(n, np.inf, dtype=np.float32)
    blocks = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
    low = np.array([z[b].min(axis=0) for b in blocks])
    high = np.array([z[b].max(axis=0) for b in blocks])
    rows = order.astype(np.int64)

    wanted = None if n <= EXACT_LIMIT else near_pairs(z, bounds)

    def visit(pair: tuple[int, int]) -> None:
        progress.check()
        one, two = pair
        a, b = blocks[one], blocks[two]
        if one != two:
            gap = np.maximum(np.maximum(low[one] - high[two], low[two] - high[one]), 0.0)
            if float(gap @ gap) * (1 - 1e-5) > max(float(reach[a].max()), float(reach[b].max())):
                return
        product = z[a] @ z[b].T
        scan(product, a.start, b.start, norms, slack, reach, features, rows, heap_d, heap_i)

    if n < 4096:
        team = SERIAL  # below, waiting for each other costs more than the second thread gives
    done, total = 0, len(blocks) * (len(blocks) + 1) // 2
    for pairs in rounds(len(blocks)):
        done += len(pairs)
        if wanted is not None:
            pairs = [pair for pair in pairs if wanted[pair]]
        for first in range(0, len(pairs), 64 * team.threads):
            team.run(visit, pairs[first : first + 64 * team.threads])
            progress(0.05 + 0.94 * done / total, "Nearest neighbours")
    finish(order, heap_d, heap_i, indices, distances)
    progress(1.0, "Nearest neighbours")
    return indices, distances


def _filter_coordinates(
    features: Array, principal: Principal, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The filter's coordinates z (n, p + 1), and their squared norms."""
    n, d = features.shape
    p = filter_dimensions(principal.variance, d)
    z = np.empty((n, d if p == d else p + 1), dtype=np.float32)
    for start, stop in row_blocks(features):
        progress(start / n, "Nearest neighbours")
        centred = features[start:stop] - principal.mean
        if p == d:
            z[start:stop] = centred
        else:
            scores = centred @ principal.axes[:, :p]
            rest = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", scores, scores)
            z[start:stop, :p] = scores
            z[start:stop, p] = np.sqrt(np.maximum(rest, 0.0))
    return z, np.einsum("ij,ij->i", z, z)


def bisect(z: NDArray[np.float32], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An order of the rows in which neighbours are close, cut into blocks of `size` rows (the last may have fewer).

    Returns
    -------
    order : (n,) int64
    bounds : (blocks + 1,) int64
    """
    n = len(z)
    order = np.arange(n, dtype=np.int64)
    todo = [(0, n)]
    while todo:
        start, stop = todo.pop()
        if stop - start <= size:
            continue
        part = order[start:stop]
        values = z[part]
        axis = int(np.argmax(values.max(axis=0) - values.min(axis=0)))
        half = ((stop - start + size - 1) // size + 1) // 2 * size
        order[start:stop] = part[np.argpartition(values[:, axis], half)]
        todo += [(start, start + half), (start + half, stop)]
    return order, np.append(np.arange(0, n, size, dtype=np.int64), n)


def near_pairs(z: NDArray[np.float32], bounds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs of blocks to visit, (blocks, blocks): each with those whose centres are nearest to its own."""
    centres = np.add.reduceat(z, bounds[:-1], axis=0) / np.diff(bounds)[:, None]
    lengths = np.einsum("ij,ij->i", centres, centres)
    near = min(NEAR_BLOCKS, len(centres)) - 1
    found = np.eye(len(centres), dtype=np.bool_)
    for i in range(len(centres)):
        found[i, np.argpartition(lengths - 2.0 * (centres @ centres[i]), near)[: near + 1]] = True
    return found | found.T


def rounds(count: int) -> list[list[tuple[int, int]]]:
    """All pairs of `count` blocks: first each with itself, then the rounds of a round-robin tournament."""
    seats = list(range(count + count % 2))
    found = [[(i, i) for i in range(count)]]
    for _ in range(len(seats) - 1):
        half = len(seats) // 2
        pairs = zip(seats[:half], reversed(seats[half:]))
        found.append([(min(a, b), max(a, b)) for a, b in pairs if max(a, b) < count])
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return found


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def squared_distance(a: Array, b: Array) -> float:
    """Squared Euclidean distance of two rows, summed in double precision."""
    total = 0.0
    for t in range(len(a)):
        difference = np.float64(a[t]) - np.float64(b[t])
        total += difference * difference
    return total


@njit(nogil=True, cache=True)
def push(row_d: Array, row_i: Array, value: float, index: int) -> None:
    """Replace the largest of a row's max-heap by a smaller value."""
    size = len(row_d)
    hole = 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and row_d[child + 1] > row_d[child]:
            child += 1
        if row_d[child] <= value:
            break
        row_d[hole] = row_d[child]
        row_i[hole] = row_i[child]
        hole = child
    row_d[hole] = value
    row_i[hole] = index


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def scan(
    product: Array,
    first: int,
    second: int,
    norms: Array,
    slack: float,
    reach: Array,
    features: Array,
    rows: Array,
    heap_d: Array,
    heap_i: Array,
) -> None:
    """Offer the pairs of two blocks, of which `product` holds the inner products, to both rows' heaps."""
    height, width = product.shape
    group = 16
    keep = np.float32(1.0) - np.float32(slack)
    near = np.empty(width, dtype=np.float32)
    bound = np.empty(width, dtype=np.float32)
    for j in range(width):
        near[j] = keep * norms[second + j]
        bound[j] = reach[second + j]
    for i in range(height):
        own = first + i
        base = keep * norms[own]
        limit = reach[own]
        line = product[i]
        start = i + 1 if first == second else 0
        for low in range(start // group * group, width, group):
            high = min(low + group, width)
            hits = 0
            for j in range(low, high):
                lower = base + near[j] - np.float32(2.0) * line[j]
                hits += (lower < limit) | (lower < bound[j])
            if hits == 0:
                continue
            for j in range(max(low, start), high):
                lower = base + near[j] - np.float32(2.0) * line[j]
                if lower < limit or lower < bound[j]:
                    other = second + j
                    exact = squared_distance(features[rows[own]], features[rows[other]])
                    if exact < heap_d[own, 0]:
                        push(heap_d[own], heap_i[own], exact, other)
                        # rounded up, so that the filter stays safe
                        limit = np.float32(heap_d[own, 0]) * np.float32(1.0000002)
                        reach[own] = limit
                    if exact < heap_d[other, 0]:
                        push(heap_d[other], heap_i[other], exact, own)
                        bound[j] = np.float32(heap_d[other, 0]) * np.float32(1.0000002)
                        reach[other] = bound[j]


@njit(nogil=True, cache=True)
def finish(order: Array, heap_d: Array, heap_i: Array, indices: Array, distances: Array) -> None:
    """Sort each heap into the result, back in the original order of rows; the row itself comes first."""
    n, size = heap_d.shape
    for i in range(n):
        row = order[i]
        indices[row, 0] = row
        distances[row, 0] = 0.0
        for t in range(size):
            value = heap_d[i, t]
            index = order[heap_i[i, t]]
            place = t
            while place > 0 and (
                heap_d[i, place - 1] > value or (heap_d[i, place - 1] == value and indices[row, place] > index)
            ):
                heap_d[i, place] = heap_d[i, place - 1]
                indices[row, place + 1] = indices[row, place]
                place -= 1
            heap_d[i, place] = value
            indices[row, place + 1] = index
        for t in range(size):
            distances[row, t + 1] = np.sqrt(heap_d[i, t])
