"""Nearest points of a map: a balanced k-d tree for two or three coordinates.

The halves of a node are equal in number whatever the values, and a branch that cannot be strictly nearer than the
k-th point found is not entered: a hundred thousand points in one place cost no more than as many in different ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]

LEAF = 12
"""Points of a leaf at most."""
BUILD_SLICE = 2_000_000
"""Points that one step of building touches: some 50 ms."""


class MapTree:
    """The tree over some points.

    Parameters
    ----------
    points : (n, c) array
        Finite.
    """

    def __init__(self, points: Array, progress: Progress = SILENT) -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        n = len(self.points)
        self.order = np.arange(n, dtype=np.int64)
        # a balanced tree whose leaves hold more than LEAF / 2 points each
        size = max(1, 4 * n // LEAF + 3)
        self.bounds = np.zeros((size, 2), dtype=np.int64)
        self.children = np.full((size, 2), -1, dtype=np.int64)
        self.boxes = np.zeros((size, 2, self.points.shape[1]))
        node, count = 0, min(n, 1)
        self.bounds[0, 1] = n
        while node < count:
            progress.check()
            node, count = build(
                self.points, self.order, self.bounds, self.children, self.boxes, LEAF, node, count, BUILD_SLICE
            )
        # leaves' points lie side by side
        self.sorted = self.points[self.order]

    def nearest(
        self, k: int, progress: Progress = SILENT, *, rows: Array | None = None, of: Array | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The `k` nearest other points of each point.

        Parameters
        ----------
        k : int
            Where there are fewer other points, the rest are −1, infinitely far.
        rows : (m,) int array, optional
            Of these points only. With `of`: which point of the tree each row of `of` is, −1 for none; it is not its
            own neighbour.
        of : (m, c) array, optional
            Of these places instead.

        Returns
        -------
        indices : (m, k) int32
        distances : (m, k) float64
            Squared, ascending.
        """
        if of is not None:
            queries = np.ascontiguousarray(of, dtype=np.float64)
            own = np.full(len(queries), -1) if rows is None else np.asarray(rows, dtype=np.int64)
            order = np.arange(len(queries))
        else:
            own = self.order if rows is None else np.asarray(rows, dtype=np.int64)
            queries = self.sorted if rows is None else self.points[own]
            order = self.order if rows is None else np.arange(len(own))
        indices = np.full((len(queries), k), -1, dtype=np.int32)
        distances = np.full((len(queries), k), np.inf)
        if k > 0 and len(self.points):
            for start, stop in slices(len(queries), progress, "Neighbours on the map", first=1000):
                search(
                    self.sorted,
                    self.order,
                    self.bounds,
                    self.children,
                    self.boxes,
                    queries[start:stop],
                    own[start:stop],
                    order[start:stop],
                    indices,
                    distances,
                )
        return indices, distances


@njit(nogil=True, cache=True)
def split(points: Array, order: Array, start: int, stop: int, middle: int, axis: int) -> None:
    """Reorder ``order[start:stop]`` so that no point before `middle` lies above one from there on (Hoare's select)."""
    low = start
    high = stop - 1
    while low < high:
        pivot = points[order[(low + high) // 2], axis]
        i = low
        j = high
        while i <= j:
            while points[order[i], axis] < pivot:
                i += 1
            while points[order[j], axis] > pivot:
                j -= 1
            if i <= j:
                swap = order[i]
                order[i] = order[j]
                order[j] = swap
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@njit(nogil=True, cache=True)
def build(
    points: Array,
    order: Array,
    bounds: Array,
    children: Array,
    boxes: Array,
    leaf: int,
    node: int,
    count: int,
    work: int,
) -> tuple[int, int]:
    """Box and split the nodes from `node` on until `work` points were touched; `count` nodes have their bounds.

    Returns
    -------
    node, count
        Where to go on; equal when all nodes are done.
    """
    c = points.shape[1]
    while node < count and work > 0:
        start = bounds[node, 0]
        stop = bounds[node, 1]
        work -= stop - start
        for axis in range(c):
            low = np.inf
            high = -np.inf
            for t in range(start, stop):
                value = points[order[t], axis]
                low = min(low, value)
                high = max(high, value)
            boxes[node, 0, axis] = low
            boxes[node, 1, axis] = high
        if stop - start > leaf:
            widest = 0
            for axis in range(1, c):
                if boxes[node, 1, axis] - boxes[node, 0, axis] > boxes[node, 1, widest] - boxes[node, 0, widest]:
                    widest = axis
            middle = (start + stop) // 2
            split(points, order, start, stop, middle, widest)
            for side in range(2):
                children[node, side] = count + side
            bounds[count, 0] = start
            bounds[count, 1] = middle
            bounds[count + 1, 0] = middle
            bounds[count + 1, 1] = stop
            count += 2
        node += 1
    return node, count


@njit(nogil=True, cache=True)
def box_distance(boxes: Array, node: int, point: Array) -> float:
    """Squared distance of a point from a node's box."""
    total = 0.0
    for axis in range(len(point)):
        value = point[axis]
        gap = max(max(boxes[node, 0, axis] - value, value - boxes[node, 1, axis]), 0.0)
        total += gap * gap
    return total


@njit(nogil=True, cache=True)
def search(
    points: Array,
    order: Array,
    bounds: Array,
    children: Array,
    boxes: Array,
    queries: Array,
    own: Array,
    places: Array,
    indices: Array,
    distances: Array,
) -> None:
    """Find the points nearest to each query but for the point `own`, and write them to its place."""
    c = points.shape[1]
    k = indices.shape[1]
    stack = np.empty(128, dtype=np.int64)
    gaps = np.empty(128)
    found_d = np.empty(k)
    found_i = np.empty(k, dtype=np.int64)
    for i in range(len(queries)):
        point = queries[i]
        found_d[:] = np.inf
        found_i[:] = -1
        stack[0] = 0
        gaps[0] = 0.0
        depth = 1
        while depth > 0:
            depth -= 1
            if gaps[depth] >= found_d[k - 1]:
                continue
            node = stack[depth]
            if children[node, 0] >= 0:
                one = children[node, 0]
                two = children[node, 1]
                gap_one = box_distance(boxes, one, point)
                gap_two = box_distance(boxes, two, point)
                # the nearer one on top
                if gap_two < gap_one:
                    one, two = two, one
                    gap_one, gap_two = gap_two, gap_one
                if gap_two < found_d[k - 1]:
                    stack[depth] = two
                    gaps[depth] = gap_two
                    depth += 1
                if gap_one < found_d[k - 1]:
                    stack[depth] = one
                    gaps[depth] = gap_one
                    depth += 1
                continue
            for t in range(bounds[node, 0], bounds[node, 1]):
                if order[t] == own[i]:
                    continue
                value = 0.0
                for axis in range(c):
                    difference = points[t, axis] - point[axis]
                    value += difference * difference
                if value < found_d[k - 1]:
                    place = k - 1
                    while place > 0 and found_d[place - 1] > value:
                        found_d[place] = found_d[place - 1]
                        found_i[place] = found_i[place - 1]
                        place -= 1
                    found_d[place] = value
                    found_i[place] = t
        row = places[i]
        for t in range(k):
            distances[row, t] = found_d[t]
            indices[row, t] = order[found_i[t]] if found_i[t] >= 0 else -1
