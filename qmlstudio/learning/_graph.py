"""The graph of nearest rows, and the cheapest way from one of its nodes to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._near_loops import both_ways, cheapest, distances, edge_lengths
from qmlstudio.progress import Progress, slices

if TYPE_CHECKING:
    from qmlstudio.learning.embedding_base import Neighbors

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_JOINS = 8
"""Links that are added part by part; then the parts of both ends are linked with each other."""
JOIN_ROWS = 256
"""Rows of a part from which a link to another part is looked for."""
DEAREST = 1e290
"""Cost of a step at most: whole ways stay finite."""
WORK = 20_000
"""Nodes that are settled between two looks at the progress: some 20 ms."""


def near_graph(matrix: Array, k: int, neighbors: Neighbors | None, progress: Progress, threads: int | None) -> Array:
    """The nearest rows of each, itself left out, (n, k) int32; -1 where there are none."""
    n = len(matrix)
    if neighbors is not None and len(neighbors.indices) == n and neighbors.indices.shape[1] > 1:
        return np.ascontiguousarray(neighbors.indices[:, 1:], dtype=np.int32)
    from qmlstudio.learning.umap import UMAP

    finite = _finite_rows(matrix, progress)
    rows = np.flatnonzero(finite)
    wanted = max(2, min(k + 1, len(rows)))
    found = UMAP(n_neighbors=wanted).neighbors(matrix if len(rows) == n else matrix[rows], progress, threads)
    indices = np.full((n, max(found.indices.shape[1] - 1, 0)), -1, dtype=np.int32)
    indices[rows] = rows[found.indices[:, 1:]]
    return indices


def _finite_rows(matrix: Array, progress: Progress) -> NDArray[np.bool_]:
    kept = np.empty(len(matrix), dtype=np.bool_)
    for start, stop in slices(len(matrix), progress.part(0.0, 0.01), first=1000):
        kept[start:stop] = np.isfinite(matrix[start:stop]).all(axis=1)
    return kept


@dataclass(frozen=True, eq=False)
class _Reach:
    """How far one can go from a node: its cost and the node before, of each; infinite where no way leads."""

    cost: Floats
    before: Ints


class Graph:
    """Edges of known length between rows.

    Parameters
    ----------
    matrix : (n, d) array
    indices : (n, k) int32
        The rows to which each has an edge; -1 for none.
    metric : int
        Of the lengths.
    power : float or None
        The cost of an edge is its length to this power; of a way the sum, or for None the longest length.
    """

    def __init__(self, matrix: Array, indices: Array, metric: int, power: float | None, progress: Progress) -> None:
        self._matrix, self._metric, self._power = matrix, metric, power
        lengths = np.empty(indices.shape)
        for start, stop in slices(len(matrix), progress, "Lengths of the steps", first=1000):
            edge_lengths(matrix, indices, metric, start, stop, lengths)
        # as multiples of a typical one, so that no power overflows
        positive = lengths[lengths > 0.0]
        self._unit = float(np.median(positive)) if len(positive) else 1.0
        progress.check()
        self._starts, self._ends, self._costs = both_ways(indices, self._cost(lengths))
        self._links: list[tuple[int, int, float]] = []

    def way(self, a: int, b: int, progress: Progress) -> Ints:
        """The nodes from a to b, both included; links are added where none leads there."""
        for attempt in range(MOST_JOINS + 1):
            progress(min(0.9, 0.2 * attempt), "Looking for a way")
            reach = self._reach(a, b, progress)
            if np.isfinite(reach.cost[b]):
                return _walk(reach.before, a, b)
            back = self._reach(b, a, progress)
            self._join(np.isfinite(reach.cost), np.isfinite(back.cost), a, b, attempt == MOST_JOINS - 1, progress)
        raise AssertionError("the last link joins both ends")

    def steps(self, rows: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        """Lengths (m - 1,) of the steps along a way, and which of them are added links."""
        lengths = np.empty(max(len(rows) - 1, 0))
        joined = np.zeros(len(lengths), dtype=np.bool_)
        added = {frozenset(link[:2]) for link in self._links}
        one = np.empty(1)
        for t in range(len(lengths)):
            i, j = int(rows[t]), int(rows[t + 1])
            distances(self._matrix[j : j + 1], np.array(self._matrix[i]), self._metric, 0, 1, one)
            lengths[t], joined[t] = one[0], frozenset((i, j)) in added
        return lengths, joined

    # -- inside

    def _cost(self, lengths: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = lengths / self._unit
            # equal rows still count as a step, so that no way goes through all of them for nothing
            costs = scaled if self._power is None else np.maximum(scaled**self._power, 1e-9)
        return np.minimum(costs, DEAREST)

    def _reach(self, source: int, target: int, progress: Progress) -> _Reach:
        n = len(self._matrix)
        cost, before = np.full(n, np.inf), np.full(n, -1, dtype=np.int64)
        heap, place = np.empty(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
        cost[source], heap[0], place[source] = 0.0, source, 0
        size = 1
        while size:
            size = cheapest(
                self._starts,
                self._ends,
                self._costs,
                target,
                self._power is None,
                cost,
                before,
                heap,
                place,
                size,
                WORK,
            )
            progress.check()
        return _Reach(cost, before)

    def _join(
        self, one: NDArray[np.bool_], two: NDArray[np.bool_], a: int, b: int, last: bool, progress: Progress
    ) -> None:
        """Add the shortest edge from the smaller part to what is outside, or (`last`) from one part to the other."""
        inside, outside, end = (one, two, b) if one.sum() <= two.sum() else (two, one, a)
        others = np.flatnonzero(outside if last else ~inside)
        rows = np.flatnonzero(inside)
        n = len(self._matrix)
        found = np.empty(n)
        if len(rows) > JOIN_ROWS:
            self._measure(end, found)
            rows = np.sort(rows[np.argsort(found[rows], kind="stable")[:JOIN_ROWS]])
        best = (np.inf, -1, -1)
        for row in rows.tolist():
            progress.check()
            self._measure(row, found)
            away = np.where(np.isnan(found[others]), np.inf, found[others])
            nearest = int(np.argmin(away))
            if away[nearest] < best[0]:
                best = (float(away[nearest]), row, int(others[nearest]))
        length, i, j = best
        if i < 0:
            # what is outside cannot be compared with (not finite, or too far for numbers): straight to the other end
            length, i, j = float("inf"), a, b
        self._links.append((i, j, length))
        self._insert(i, j, length)

    def _measure(self, row: int, found: Floats) -> None:
        distances(self._matrix, np.array(self._matrix[row]), self._metric, 0, len(self._matrix), found)

    def _insert(self, i: int, j: int, length: float) -> None:
        cost = float(self._cost(np.float64(length)))
        for node, other in ((i, j), (j, i)):
            at = int(self._starts[node + 1])
            self._ends = np.insert(self._ends, at, other)
            self._costs = np.insert(self._costs, at, cost)
            self._starts[node + 1 :] += 1


def _walk(before: Ints, a: int, b: int) -> Ints:
    rows = [b]
    while rows[-1] != a:
        rows.append(int(before[rows[-1]]))
    return np.array(rows[::-1], dtype=np.int64)
