"""Points to pixels on the processor: the map's drawing, its point index and its hit tests. NumPy in, NumPy out, no Qt.

The work is done by the compiled loops of :mod:`qmlstudio.widgets.raster_loops` and :mod:`raster_bin_loops`, which
:func:`warm_up` loads, in whatever thread calls it. Until then the same functions use NumPy, with the same pixels for
points that do not overlap, so that the first frame never waits for a compiler and importing this module costs nothing.

How a frame is drawn (`Style.mode`):

``points``
    Anti-aliased stamps, drawn over one another: dimmed ones first, then missing values, then the others; of points
    with sizes of their own the largest first.
``mean``, ``min``, ``max``, ``std``
    A statistic of the values in each bin, exact (float64), coloured on the scale of the values; the standard deviation
    (of two or more points, divisor n) on a scale of its own. Lightness is never mixed with density, so that a colour
    can be read off the colour bar.
``index``
    The same for colours without values: the mean of the colours' indices in each pixel.
``sample``
    Categories, of which no mean exists: one point stands for the pixel, a fair draw that does not flicker when the map
    is moved.
``density``, ``count``
    The colour grows with the number of points in the bin, logarithmically or linearly.
``contours``, ``over``
    Density smoothed by a Gaussian, in bands between contour lines or without them; where symbols would hardly overlap
    the points themselves.

In all of them a bin with at least one undimmed point shows undimmed points only, and every point in view is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import raster_backend
from qmlstudio.widgets.raster_backend import bin_loops, is_ready, loops, use_threads, warm_up
from qmlstudio.widgets.raster_field import Field, FieldDrawer
from qmlstudio.widgets.raster_grid import SPLIT_POINTS, Bins, Gatherer
from qmlstudio.widgets.raster_numpy import spread
from qmlstudio.widgets.raster_points import Points, everything
from qmlstudio.widgets.raster_stamps import (
    LARGEST_RADIUS,
    LEAST_RADIUS,
    SHAPES,
    SIZE_CLASSES,
    auto_radius,
    stamp_pixels,
    stamp_table,
)
from qmlstudio.widgets.theme import Theme, mix, rgb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]
Words = NDArray[np.uint32]
Bools = NDArray[np.bool_]
Mode = Literal["points", "mean", "min", "max", "std", "index", "sample", "density", "count", "contours", "over"]
Scale = Literal["linear", "log", "symlog"]

__all__ = [
    "LARGEST_RADIUS",
    "LEAST_RADIUS",
    "MODES",
    "SHAPES",
    "SIZE_CLASSES",
    "STAMP_BUDGET",
    "Bins",
    "Canvas",
    "Field",
    "Mode",
    "Palette",
    "Points",
    "Scale",
    "Style",
    "Values",
    "auto_radius",
    "everything",
    "is_ready",
    "stamp_pixels",
    "stamp_table",
    "use_threads",
    "warm_up",
]

MODES: tuple[Mode, ...] = get_args(Mode)

STAMP_BUDGET = 5_000_000
"""Pixels of stamps that one frame may blend (about 10 ms); above it points become single pixels."""

_KINDS: dict[str, int] = {"mean": 0, "min": 1, "max": 2, "std": 3}
_SCALES: dict[str, int] = {"linear": 0, "log": 1, "symlog": 2}


@dataclass(frozen=True, eq=False)
class Palette:
    """A colour table made ready for drawing.

    Attributes
    ----------
    words : (2, k + 1) uint32
        Premultiplied ARGB of normal and dimmed points; the last column is the missing value's.
    fills, edges : (2, k + 1) uint64
        The same, and the outline's colour, with one channel in each 16-bit lane.
    inks : (int, int)
        ARGB of contour lines, normal and dimmed.
    """

    words: Words
    fills: NDArray[np.uint64]
    edges: NDArray[np.uint64]
    inks: tuple[int, int]

    @classmethod
    def of(cls, lut: NDArray[np.uint8], colors: Theme) -> Palette:
        """From a colour table (k, 3) uint8; ValueError for another shape or more than 65,536 colours."""
        lut = np.asarray(lut, dtype=np.uint8)
        if lut.ndim != 2 or lut.shape[1] != 3 or not 1 <= len(lut) <= 1 << 16:
            raise ValueError(f"a colour table has shape (k, 3) with 1 ≤ k ≤ 65,536, not {lut.shape}")
        normal = np.vstack([lut, np.array([rgb(colors.missing)], np.uint8)]).astype(np.float64)
        background = np.array(rgb(colors.background), np.float64)
        dimmed = normal + (background - normal) * colors.dim
        ink = np.array(rgb(mix(colors.background, "#000000", 0.0 if colors.dark else 0.75)), np.float64)
        outline = normal + (ink - normal) * 0.35
        # a missing value is a ring: its outline is what one sees
        outline[-1] = normal[-1]
        words = np.stack([_words(normal), _words(dimmed)])
        lines = [rgb(mix(colors.foreground, colors.background, part)) for part in (0.25, 0.75)]
        inks = _words(np.array(lines, np.float64))
        edges = spread(np.stack([_words(outline), _words(dimmed)]))
        return cls(words, spread(words), edges, (int(inks[0]), int(inks[1])))


@dataclass(frozen=True, eq=False)
class Values:
    """The numbers behind the colours, in the order of the points.

    Attributes
    ----------
    values : (m,) float64
        NaN: none.
    low, high : float
        Values of the first and the last colour.
    scale : "linear", "log" or "symlog"
    shift : float
        A typical value: what is summed are the differences from it, so that no digits are lost.
    turn : float
        Where symlog turns from linear to logarithmic.
    """

    values: Floats
    low: float
    high: float
    scale: Scale = "linear"
    shift: float = 0.0
    turn: float = 1.0

    def ends(self) -> Floats:
        """(3,) as :func:`raster_bin_loops.shade_values` takes them."""
        low, high = self.low, self.high
        if self.scale == "log":
            low, high = (float(np.log10(e)) if e > 0 else 0.0 for e in (low, high))
        elif self.scale == "symlog":
            low, high = (float(np.sign(e) * np.log10(1.0 + abs(e) / self.turn)) for e in (low, high))
        return np.array([low, high, self.turn])


@dataclass(frozen=True)
class Style:
    """How a frame is drawn.

    Attributes
    ----------
    mode : Mode
    radius : float
        Of stamps, in pixels.
    has_dimmed, has_missing : bool
        Which layers have any point at all.
    bins : Bins
        Of the modes that gather points; `index` and `sample` take pixels.
    radii : tuple of float
        Radii by size class, in pixels; empty when all points are alike.
    shapes : int
        How many of the shapes there are.
    field : Field
        Of `contours` and `over`.
    """

    mode: Mode
    radius: float
    has_dimmed: bool = False
    has_missing: bool = False
    bins: Bins = field(default_factory=Bins)
    radii: tuple[float, ...] = ()
    shapes: int = len(SHAPES)
    field: Field = field(default_factory=Field)


def _words(colors: Floats) -> Words:
    c = np.rint(colors).astype(np.uint32)
    return np.uint32(0xFF000000) | c[:, 0] << np.uint32(16) | c[:, 1] << np.uint32(8) | c[:, 2]


class Canvas:
    """A picture of premultiplied ARGB words and the scratch memory of the dense modes, kept between frames.

    Attributes
    ----------
    image : (H, W) uint32
    shown : (float, float) or None
        What the first and last colour stand for in the last frame's counts, densities or statistic (the largest
        standard deviation, say); None for stamps and categories.
    gatherer : Gatherer
    """

    def __init__(self, width: int, height: int) -> None:
        self.image: Words = np.zeros((height, width), np.uint32)
        self.shown: tuple[float, float] | None = None
        self.gatherer = Gatherer()
        self._flat: Words = np.zeros((0, 0), np.uint32)
        self._fields = FieldDrawer()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def draw(
        self,
        points: Points,
        codes: Codes,
        transform: Floats,
        palette: Palette,
        style: Style,
        values: Values | None = None,
    ) -> int:
        """Draw points; returns how many have their centre in the picture.

        Arrays that have changed must be other arrays: bins are kept as long as they are the same ones.

        Parameters
        ----------
        points : Points
        codes : (m,) uint32, in the order of `points` (see :meth:`Points.arrange`)
            Bits 0–15 index into the palette, 16 missing, 17 dimmed, 18–20 shape, 21–24 size class, 25 hollow.
        transform : (4,) float64
            ``t0 x + t1, t2 y + t3`` is the pixel (pixel i spans i … i + 1).
        palette : Palette
        style : Style
        values : Values, optional
            For `mean`, `min`, `max` and `std`.

        Raises
        ------
        ValueError
            When these have no values.
        """
        if self.image.size == 0:
            return 0
        height, width = self.shape
        self.shown = None
        if style.mode == "points":
            return self._draw_points(points, codes, transform, palette, style)
        if style.mode in ("contours", "over"):
            self._draw_field(points, codes, transform, palette, style)
            return points.count_in(width, height, transform)
        bins = style.bins if style.mode not in ("index", "sample") else Bins()
        shape = bins.shape(width, height)
        if self._flat.shape != shape:
            self._flat = np.zeros(shape, np.uint32)
        if style.mode in ("density", "count"):
            self._shade_counts(points, codes, transform, palette, style, bins)
        elif style.mode in _KINDS:
            if values is None:
                raise ValueError(f"the {style.mode} needs values")
            self._shade_values(points, codes, transform, palette, style, values)
        else:
            self._shade_colors(points, codes, transform, palette, style.mode)
        if bins.is_pixel:
            bin_loops().spread_pixels(self._flat, self.image)
        else:
            window = np.array([0, shape[1], 0, shape[0], bins.hexagons], np.int64)
            bin_loops().paint_bins(self.image, self._flat, bins.place(self.gatherer.grid, transform), window)
        return points.count_in(width, height, transform)

    def _draw_points(self, points: Points, codes: Codes, transform: Floats, palette: Palette, style: Style) -> int:
        self.image[:] = 0
        height, width = self.shape
        table = stamp_table(style.radii or (style.radius,), style.shapes)
        reach = table.reach + 1.0
        spans = points.spans_of_pixels(-reach, width + reach, -reach, height + reach, transform)
        rows = [(0, height)]
        near = int((spans[:, 1] - spans[:, 0]).sum())
        if raster_backend.threads() > 1 and near * stamp_pixels(style.radius) > 4 * SPLIT_POINTS and height > 1:
            row = points.middle_row(spans, transform)
            middle = min(max(round(height / 2 if row is None else row), 1), height - 1)
            rows = [(0, middle), (middle, height)]
        halves = []
        for low, high in rows:
            near_rows = points.spans_of_pixels(-reach, width + reach, low - reach, high + reach, transform)
            halves.append(partial(self._stamp, points, codes, near_rows, transform, palette, style, (low, high)))
        return raster_backend.run(halves)

    def _stamp(
        self,
        points: Points,
        codes: Codes,
        spans: Ints,
        transform: Floats,
        palette: Palette,
        style: Style,
        rows: tuple[int, int],
    ) -> int:
        """Stamp some rows of the picture: layer by layer, in it the largest first."""
        table = stamp_table(style.radii or (style.radius,), style.shapes)
        sizes = [-1] if len(style.radii) < 2 else list(np.argsort(style.radii)[::-1])
        count = 0
        for layer, present in enumerate((style.has_dimmed, style.has_missing, True)):
            for size in sizes if present else ():
                part = np.array([layer, size, *rows, table.reach], np.int64)
                look = (palette.fills, palette.edges, table.cover, table.starts, table.sizes, table.extent, part)
                count += int(loops().draw_stamps(self.image, points.x, points.y, codes, spans, transform, *look))
        return count

    def _draw_field(self, points: Points, codes: Codes, transform: Floats, palette: Palette, style: Style) -> None:
        self.image[:] = 0
        height = self.shape[0]
        found = self._fields.draw(
            self.image,
            (points, codes, transform),
            self.gatherer,
            (palette.words, palette.inks),
            style.field,
            style.mode == "contours",
            style.has_dimmed,
        )
        self.shown = found.shown
        if found.codes.size:
            table = stamp_table(style.radii or (style.radius,), style.shapes)
            for layer, present in enumerate((style.has_dimmed, style.has_missing, True)):
                if present:
                    part = np.array([layer, -1, 0, height, table.reach], np.int64)
                    look = (palette.fills, palette.edges, table.cover, table.starts, table.sizes, table.extent, part)
                    spans = everything(len(found.codes))
                    loops().draw_stamps(self.image, found.x, found.y, found.codes, spans, transform, *look)

    def _shade_counts(
        self, points: Points, codes: Codes, transform: Floats, palette: Palette, style: Style, bins: Bins
    ) -> None:
        layered = style.has_dimmed
        run = bin_loops()

        def add(spans: Ints, grid: Floats, window: Ints) -> int:
            return int(run.add_counts(cells(), points.x, points.y, codes, spans, grid, window, int(layered)))

        def cells() -> Words:
            return self.gatherer.arrays[0]

        # without dimmed points the codes do not matter
        of = (points.x, codes if layered else None, "counts")
        self.gatherer.gather(of, partial(_zeros, 2, np.uint32), add, points, bins, self.shape, transform)
        # what is dimmed has a scale of its own: a selection of few points is as dark as all points are without one
        largest = [max(int(plane.max()), 1) if layered or k else 1 for k, plane in enumerate(cells())]
        if layered and not cells()[1].any():
            largest[1] = largest[0]
        colors = palette.words.shape[1] - 1
        is_log = style.mode == "density"
        factors = np.array([(colors - 1) / (np.log1p(most) if is_log else most) for most in largest])
        run.shade_counts(self._flat, cells(), palette.words, factors, int(is_log))
        self.shown = (1.0 if is_log else 0.0, float(largest[1]))

    def _shade_values(
        self, points: Points, codes: Codes, transform: Floats, palette: Palette, style: Style, of: Values
    ) -> None:
        kind, run = _KINDS[style.mode], bin_loops()
        depth = 3 if style.mode == "std" else 2

        def make(rows: int, columns: int) -> list[NDArray[np.float64] | NDArray[np.uint32]]:
            return [np.zeros((2, rows, columns, depth)), np.zeros((2, rows, columns), np.uint32)]

        def add(spans: Ints, grid: Floats, window: Ints) -> int:
            cells, missing = self.gatherer.arrays
            own = (points.x, points.y, codes, of.values, spans, grid, window, kind, of.shift)
            return int(run.add_values(cells, missing, *own))

        key = (points.x, codes, of.values, style.mode)
        self.gatherer.gather(key, make, add, points, style.bins, self.shape, transform)
        cells, missing = self.gatherer.arrays
        planes = [np.empty(self._flat.shape) for _ in range(2)]
        for plane in (0, 1):
            if plane or style.has_dimmed:
                run.statistics(planes[plane], cells[plane], missing[plane], kind, of.shift)
            else:
                planes[plane][:] = np.nan
        ends, scale = of.ends(), _SCALES[of.scale]
        self.shown = (of.low, of.high)
        if style.mode == "std":
            finite = [p[np.isfinite(p)] for p in planes]
            largest = max((float(p.max()) for p in finite if p.size), default=0.0)
            self.shown = (0.0, _round_up(largest))
            ends, scale = np.array([0.0, self.shown[1], 1.0]), 0
        run.shade_values(self._flat, planes[1], planes[0], missing, palette.words, ends, scale)

    def _shade_colors(self, points: Points, codes: Codes, transform: Floats, palette: Palette, mode: Mode) -> None:
        run = bin_loops()
        loop = run.add_indices if mode == "index" else run.add_samples

        def add(spans: Ints, grid: Floats, window: Ints) -> int:
            return int(loop(self.gatherer.arrays[0], points.x, points.y, codes, spans, grid, window))

        make = partial(_zeros, 3, np.uint64) if mode == "index" else partial(_zeros, 1, np.uint32)
        self.gatherer.gather((points.x, codes, mode), make, add, points, Bins(), self.shape, transform)
        shade = run.shade_indices if mode == "index" else run.shade_samples
        shade(self._flat, self.gatherer.arrays[0], palette.words)


def _zeros(planes: int, kind: type[np.generic], rows: int, columns: int) -> list[NDArray[np.generic]]:
    return [np.zeros((planes, rows, columns), kind)]


def _round_up(value: float) -> float:
    """To two digits: a scale that does not change with every frame."""
    if not value > 0.0:
        return 1.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit - 1e-9) * unit)
