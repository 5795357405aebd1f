"""The map's points as the drawing loops want them: where they are, what is in view, what is near, what is inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets.raster_backend import loops, warm_up

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)


def everything(count: int) -> Ints:
    """The one span of all points."""
    return np.array([[0, count]], np.int64)


class Points:
    """Coordinates in the order in which they are drawn; sorted into a grid, only what is in view is looked at.

    Attributes
    ----------
    x, y : (m,) float64
        The coordinates. Unsorted: all n points. Sorted: those with finite coordinates, cell after cell.
    order : (m,) int32 or None
        The points' numbers; None when unsorted.
    count : int
        n.
    """

    PER_CELL = 8

    def __init__(self, xy: Floats) -> None:
        """Unsorted, from (n, 2) coordinates; NaN is legal and never drawn."""
        self.x: Floats = np.ascontiguousarray(xy[:, 0], dtype=np.float64)
        self.y: Floats = np.ascontiguousarray(xy[:, 1], dtype=np.float64)
        # compiled loops take writable arrays only; a single column may be a view of somebody's read-only memory
        self.x, self.y = (a if a.flags.writeable else a.copy() for a in (self.x, self.y))
        self.count = len(xy)
        self.order: NDArray[np.int32] | None = None
        self._starts: Ints = np.zeros(2, np.int64)
        self._frame: Floats = np.zeros(4)
        self._side = 1

    def sort(self) -> None:
        """Sort at once. Needs the compiled loops and loads them."""
        for _ in self.sort_steps():
            pass

    def sort_steps(self, chunk: int = 200_000) -> Iterator[None]:
        """Sort in slices of `chunk` points, so that a window stays alive in between; usable throughout.

        Codes that were arranged before the last step have to be arranged again.
        """
        warm_up()
        run = loops()
        xs, ys, n = self.x, self.y, self.count
        if self.order is not None or n == 0:
            return
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        for a in range(0, n, 4 * chunk):
            part = np.stack([xs[a : a + 4 * chunk], ys[a : a + 4 * chunk]])
            if not np.isfinite(part.sum()):
                part = part[:, np.isfinite(part).all(axis=0)]
            if part.size:
                low, high = np.minimum(low, part.min(axis=1)), np.maximum(high, part.max(axis=1))
            yield
        finite = bool(np.isfinite(low).all())
        side = max(1, int(np.sqrt(n / self.PER_CELL)))
        extent = np.where(high > low, high - low, 1.0) if finite else np.ones(2)
        frame = np.concatenate([low if finite else np.zeros(2), side / extent])
        owners, counts = np.empty(n, np.int32), np.zeros(side * side + 1, np.int64)
        shape = np.array([side, side], np.int64)
        for a in range(0, n, chunk):
            run.count_cells(xs, ys, frame, shape, owners, counts, a, min(a + chunk, n))
            yield
        starts = np.cumsum(counts)
        m = int(starts[-1])
        order, sorted_xs, sorted_ys = np.empty(m, np.int32), np.empty(m), np.empty(m)
        cursor = starts[:-1].copy()
        yield
        for a in range(0, n, chunk):
            run.fill_cells(xs, ys, owners, cursor, order, sorted_xs, sorted_ys, a, min(a + chunk, n))
            yield
        self._starts, self._frame, self._side = starts, frame, side
        self.x, self.y, self.order = sorted_xs, sorted_ys, order

    def arrange(self, values: NDArray[T]) -> NDArray[T]:
        """Per-point values (n,) in the order of `x` and `y`."""
        return values if self.order is None else values[self.order]

    def spans(self, x0: float, x1: float, y0: float, y1: float) -> Ints:
        """(s, 2) ranges of points that contain all those with x0 ≤ x ≤ x1 and y0 ≤ y ≤ y1."""
        if self.order is None:
            return everything(len(self.x))
        side = self._side
        low = (np.array([x0, y0]) - self._frame[:2]) * self._frame[2:]
        high = (np.array([x1, y1]) - self._frame[:2]) * self._frame[2:]
        # the outermost cells also own what rounding put outside them
        if len(self.x) == 0 or (high < -1).any() or (low > side + 1).any():
            return np.zeros((0, 2), np.int64)
        a = np.clip(low, 0, side - 1).astype(np.int64)
        b = np.clip(high, 0, side - 1).astype(np.int64)
        if a[0] == 0 and b[0] == side - 1:
            return np.array([[self._starts[a[1] * side], self._starts[(b[1] + 1) * side]]], np.int64)
        rows = np.arange(a[1], b[1] + 1) * side
        found = np.stack([self._starts[rows + a[0]], self._starts[rows + b[0] + 1]], axis=1)
        return np.ascontiguousarray(found[found[:, 1] > found[:, 0]])

    def nearest(self, x: float, y: float, rx: float, ry: float) -> int:
        """Number of the point nearest to (x, y) within an ellipse with half axes rx, ry; −1 if there is none."""
        if not (rx > 0 and ry > 0) or len(self.x) == 0:
            return -1
        spans = self.spans(x - rx, x + rx, y - ry, y + ry)
        found = int(loops().nearest(self.x, self.y, spans, x, y, rx, ry))
        return int(self.order[found]) if found >= 0 and self.order is not None else found

    def inside(self, polygon: Floats) -> Bools:
        """(n,) mask of the points inside a polygon (m, 2), closed implicitly, by the even-odd rule.

        Fewer than three corners enclose nothing; NaN is outside.
        """
        polygon = np.ascontiguousarray(polygon, dtype=np.float64).reshape(-1, 2)
        mask = np.zeros(len(self.x), np.bool_)
        if len(polygon) >= 3 and len(mask):
            (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
            if y1 > y0 and x1 > x0:
                box = (float(x0), float(x1), float(y0), float(y1))
                loops().inside_polygon(self.x, self.y, self.spans(*box), polygon, *_slabs(polygon, *box), mask)
        if self.order is None:
            return mask
        result = np.zeros(self.count, np.bool_)
        result[self.order[mask]] = True
        return result


def _slabs(polygon: Floats, x0: float, x1: float, y0: float, y1: float) -> tuple[Floats, Ints, Ints]:
    """Edges by horizontal slab, as :func:`raster_loops.inside_polygon` takes them."""
    count = int(np.clip(2 * len(polygon), 1, 1024))
    per_unit = count / (y1 - y0)
    ends = np.stack([polygon[:, 1], np.roll(polygon[:, 1], -1)])
    # one slab more on either side: rounding must not lose an edge
    first = np.clip(((ends.min(axis=0) - y0) * per_unit).astype(np.int64) - 1, 0, count - 1)
    last = np.clip(((ends.max(axis=0) - y0) * per_unit).astype(np.int64) + 1, 0, count - 1)
    edge = np.repeat(np.arange(len(polygon)), last - first + 1)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1)
    slab = first[edge] + within
    order = np.argsort(slab, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(slab, minlength=count))]).astype(np.int64)
    return np.array([x0, x1, y0, y1, per_unit]), starts, edge[order].astype(np.int64)
