"""The map's points as the drawing loops want them: where they are, what is in view, what is near, what is inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import raster_backend, raster_numpy
from qmlstudio.widgets.raster_backend import is_ready, loops, warm_up
from qmlstudio.widgets.raster_numpy import DIMMED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)


def everything(count: int) -> Ints:
    """The one span of all points."""
    return np.array([[0, count]], np.int64)


def halves(spans: Ints, least: int = 500_000) -> list[Ints]:
    """Spans in two lists with half of the points each, for two threads; one list if they are few."""
    upto = np.cumsum(spans[:, 1] - spans[:, 0])
    if not len(spans) or upto[-1] < least:
        return [spans]
    k = int(np.searchsorted(upto, upto[-1] // 2, side="right"))
    middle = spans[k, 0] + upto[-1] // 2 - (upto[k - 1] if k else 0)
    first = np.concatenate([spans[:k], [[spans[k, 0], middle]]])
    return [first, np.concatenate([[[middle, spans[k, 1]]], spans[k + 1 :]])]


class Points:
    """Coordinates in the order in which they are drawn; sorted into a grid, only what is in view is looked at.

    Attributes
    ----------
    x, y : (m,) float64
        The coordinates. Unsorted: all n points. Sorted: those with finite coordinates, cell after cell.
    order : (m,) int32 or None
        The points' numbers; None when they are in the order of the data.
    count : int
        n.
    placed : int
        Points that have a place: finite coordinates up to ±10^100. The others are NaN here.
    bounds : (4,) float64
        x0, x1, y0, y1 of those; (∞, −∞, ∞, −∞) if there are none.
    """

    PER_CELL = 8

    def __init__(self, xy: Floats) -> None:
        """Unsorted, from (n, 2) coordinates; NaN and infinities are legal and have no place."""
        self.count = len(xy)
        self.x: Floats = np.empty(self.count)
        self.y: Floats = np.empty(self.count)
        self.bounds: Floats = np.array([np.inf, -np.inf, np.inf, -np.inf])
        self.order: NDArray[np.int32] | None = None
        self._starts: Ints | None = None
        self._frame: Floats = np.zeros(4)
        self._side = 1
        parts = [(np.array([a, b, 0], np.int64), self.bounds.copy()) for a, b in _shares(self.count)]
        # compiled loops take writable arrays only
        run = loops() if xy.flags.writeable and xy.dtype == np.float64 else raster_numpy
        columns = (self.x, self.y, xy)
        raster_backend.run([partial(_nothing, run.split_columns, *columns, bounds, part) for part, bounds in parts])
        found = np.stack([bounds for _, bounds in parts])
        self.bounds[::2], self.bounds[1::2] = found[:, ::2].min(axis=0), found[:, 1::2].max(axis=0)
        self.placed = self.count - int(sum(part[2] for part, _ in parts))

    @classmethod
    def in_order(cls, x: Floats, y: Floats, order: NDArray[np.int32], count: int) -> Points:
        """Points that are drawn in a given order, back to front, say: unsorted otherwise.

        Parameters
        ----------
        x, y : (m,) float64
            The coordinates in this order, finite.
        order : (m,) int32
            The points' numbers.
        count : int
            n ≥ m.
        """
        points = cls(np.zeros((0, 2)))
        points.x, points.y, points.order = x, y, order
        points.count, points.placed = count, len(x)
        if len(x):
            points.bounds = np.array([x.min(), x.max(), y.min(), y.max()])
        return points

    @property
    def is_sorted(self) -> bool:
        """Whether there is a grid."""
        return self._starts is not None

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
        low, high = self.bounds[::2], self.bounds[1::2]
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

    def sorted(self, is_cancelled: Callable[[], bool] = lambda: False) -> Points | None:
        """A sorted copy, for a thread of its own: what is drawn meanwhile stays as it is. None if given up."""
        new = Points.__new__(Points)
        new.__dict__.update(self.__dict__)
        for _ in new.sort_steps():
            if is_cancelled():
                return None
        return new

    def arrange(self, values: NDArray[T], alone: bool = False) -> NDArray[T]:
        """Per-point values (n,) in the order of `x` and `y`; `alone`: on the calling thread only."""
        order = self.order
        if order is None:
            return values
        if values.dtype not in (np.float64, np.uint32) or not is_ready():
            return values[order]
        target, source = np.empty(len(order), values.dtype), _writable(values)
        run = loops()
        parts = [(0, len(order))] if alone else _shares(len(order))
        raster_backend.run([partial(_nothing, run.gather, target, source, order, a, b) for a, b in parts])
        return target

    def dim(self, codes: NDArray[np.uint32], dimmed: Bools) -> NDArray[np.uint32]:
        """Codes in the order of `x` and `y` with the bit of the dimmed points (n,) raised."""
        if self.order is None:
            return codes | np.multiply(dimmed, np.uint32(DIMMED), dtype=np.uint32)
        target, mask, order, run = np.empty_like(codes), _writable(dimmed), self.order, loops()
        parts = _shares(len(order))
        raster_backend.run([partial(_nothing, run.dim_codes, target, codes, order, mask, a, b) for a, b in parts])
        return target

    def spans(self, x0: float, x1: float, y0: float, y1: float) -> Ints:
        """(s, 2) ranges of points that contain all those with x0 ≤ x ≤ x1 and y0 ≤ y ≤ y1."""
        if self._starts is None:
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

    def spans_of_pixels(self, u0: float, u1: float, v0: float, v1: float, transform: Floats) -> Ints:
        """:meth:`spans` of a part of the picture, which a transform (4,) maps the data to."""
        x = (np.array([u0, u1]) - transform[1]) / transform[0]
        y = (np.array([v0, v1]) - transform[3]) / transform[2]
        return self.spans(float(x.min()), float(x.max()), float(y.min()), float(y.max()))

    def middle_row(self, spans: Ints, transform: Floats) -> float | None:
        """A pixel's y that has about half of the spans' points above it; None without a grid."""
        if self._starts is None:
            return None
        upto = np.cumsum(spans[:, 1] - spans[:, 0])
        k = int(np.searchsorted(upto, upto[-1] // 2, side="right"))
        at = int(spans[k, 0] + upto[-1] // 2 - (upto[k - 1] if k else 0))
        return float(transform[2] * self.y[at] + transform[3])

    def count_in(self, width: int, height: int, transform: Floats) -> int:
        """Points whose pixel is in a picture, exactly; of a sorted set only those near its edges are looked at."""
        box = (0.0, float(width), 0.0, float(height))
        spans = self.spans_of_pixels(-1.0, width + 1.0, -1.0, height + 1.0, transform)
        sure = 0
        starts, side = self._starts, self._side
        if starts is not None and len(spans):
            # cells that lie inside with all their points: those at least one further inside than the edges' cells
            x = (np.array([1.0, width - 1.0]) - transform[1]) / transform[0]
            y = (np.array([1.0, height - 1.0]) - transform[3]) / transform[2]
            corners = np.array([[x.min(), x.max()], [y.min(), y.max()]])
            cells = (corners - self._frame[:2, None]) * self._frame[2:, None]
            # a cell of the frame's border may own what lies anywhere outside, but everything finite is in the frame
            a = np.where(cells[:, 0] <= -1.0, 0, np.clip(np.floor(cells[:, 0]) + 2, 0, side)).astype(np.int64)
            b = np.where(cells[:, 1] >= side + 1.0, side, np.clip(np.floor(cells[:, 1]) - 1, 0, side)).astype(np.int64)
            if (b > a).all():
                rows = np.arange(a[1], b[1]) * side
                inner = np.stack([starts[rows + a[0]], starts[rows + b[0]]], axis=1)
                sure = int((inner[:, 1] - inner[:, 0]).sum())
                spans = _without(spans, inner)
        parts = halves(spans) if raster_backend.threads() > 1 else [spans]
        run = loops()
        count = partial(run.count_inside, self.x, self.y)
        return sure + raster_backend.run([partial(count, p, transform, *box) for p in parts])

    def nearest(self, x: float, y: float, rx: float, ry: float) -> int:
        """Number of the point nearest to (x, y) within an ellipse with half axes rx, ry; −1 if there is none."""
        if not (rx > 0 and ry > 0) or len(self.x) == 0:
            return -1
        spans = self.spans(x - rx, x + rx, y - ry, y + ry)
        found = int(loops().nearest(self.x, self.y, spans, x, y, rx, ry))
        return int(self.order[found]) if found >= 0 and self.order is not None else found

    def nearest_sized(
        self, x: float, y: float, pixel: tuple[float, float], codes: NDArray[np.uint32], reach: Floats
    ) -> int:
        """Number of the point whose symbol is hit best at (x, y), −1 if there is none.

        Parameters
        ----------
        pixel : (float, float)
            Size of a pixel in units of x and y.
        codes : (m,) uint32
            In the order of `x` and `y`.
        reach : (16,) float64
            Pixels from its middle in which a point of each size class counts as hit. What is hit best is nearest in
            units of its own reach, so that a small point on a large one is found.
        """
        if not (pixel[0] > 0 and pixel[1] > 0) or len(self.x) == 0:
            return -1
        dx, dy = pixel[0] * float(reach.max()), pixel[1] * float(reach.max())
        spans = self.spans(x - dx, x + dx, y - dy, y + dy)
        place = 1.0 / pixel[0], 1.0 / pixel[1]
        found = int(loops().nearest_sized(self.x, self.y, codes, spans, x, y, *place, reach))
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
                outline, loop = (polygon, *_slabs(polygon, *box), mask), loops().inside_polygon
                spans = self.spans(*box)
                parts = halves(spans) if raster_backend.threads() > 1 else [spans]
                raster_backend.run([partial(_nothing, loop, self.x, self.y, part, *outline) for part in parts])
        if self.order is None:
            return mask
        result = np.zeros(self.count, np.bool_)
        result[self.order[mask]] = True
        return result


def _shares(count: int, least: int = 200_000) -> list[tuple[int, int]]:
    """Ranges of points for one or two threads."""
    if raster_backend.threads() < 2 or count < 2 * least:
        return [(0, count)]
    return [(0, count // 2), (count // 2, count)]


def _nothing(loop: Callable[..., None], *arguments: Any) -> int:
    loop(*arguments)
    return 0


def _writable(values: NDArray[T]) -> NDArray[T]:
    """The same numbers in memory that a compiled loop accepts: contiguous and formally writable."""
    return values if values.flags.writeable and values.flags.c_contiguous else values.copy()


def _without(spans: Ints, inner: Ints) -> Ints:
    """Spans without the ranges `inner`, of which each lies within one of them."""
    inner = inner[inner[:, 1] > inner[:, 0]]
    owner = np.searchsorted(spans[:, 0], inner[:, 0], side="right") - 1
    if len(np.unique(owner)) == len(owner):
        untouched = np.delete(spans, owner, axis=0)
        left = np.stack([spans[owner, 0], inner[:, 0]], axis=1)
        right = np.stack([inner[:, 1], spans[owner, 1]], axis=1)
        found = np.concatenate([untouched, left, right])
    else:
        # one span for all rows: the gaps between the inner ranges
        ends = np.concatenate([spans[:1, 0], inner[:, 1]])
        found = np.stack([ends, np.concatenate([inner[:, 0], spans[-1:, 1]])], axis=1)
    return np.ascontiguousarray(found[found[:, 1] > found[:, 0]])


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
