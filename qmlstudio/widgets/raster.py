"""Points to pixels on the processor: the map's drawing, its point index and its hit tests. NumPy in, NumPy out, no Qt.

The work is done by the compiled loops of :mod:`qmlstudio.widgets.raster_loops`, which :func:`warm_up` loads, in
whatever thread calls it. Until then the same functions use NumPy, with the same pixels for points that do not overlap,
so that the first frame never waits for a compiler and importing this module costs nothing.

How colours behave when many points share a pixel (`Style.mode`):

``points``
    Anti-aliased stamps, drawn over one another: dimmed ones first, then missing values, then the others.
``mean``
    A numeric property: the pixel has the colour of the **mean** of its points' values. Lightness is never mixed with
    density, so that a colour can be read off the colour bar.
``sample``
    Categories, of which no mean exists: one point stands for the pixel, a fair draw that does not flicker when the map
    is moved.
``density``
    No property: the colour grows with the logarithm of the number of points in the pixel.

In all of them a pixel with at least one undimmed point shows undimmed points only, and every point in view is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets.raster_backend import is_ready, loops, warm_up
from qmlstudio.widgets.raster_numpy import PHASES, spread
from qmlstudio.widgets.raster_points import Points, everything
from qmlstudio.widgets.theme import Theme, mix, rgb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]
Words = NDArray[np.uint32]
Bools = NDArray[np.bool_]
Mode = Literal["points", "mean", "sample", "density"]

__all__ = [
    "SHAPES",
    "STAMP_BUDGET",
    "Canvas",
    "Mode",
    "Palette",
    "Points",
    "Style",
    "auto_radius",
    "everything",
    "is_ready",
    "stamp_pixels",
    "stamps",
    "warm_up",
]

SHAPES = ("circle", "square", "triangle", "diamond", "plus", "cross")
"""Shapes of stamps, by number."""

STAMP_BUDGET = 5_000_000
"""Pixels of stamps that one frame may blend (about 10 ms); above it points become single pixels."""

LEAST_RADIUS, LARGEST_RADIUS = 1.15, 5.0


@dataclass(frozen=True, eq=False)
class Palette:
    """A colour table made ready for drawing.

    Attributes
    ----------
    words : (2, k + 1) uint32
        Premultiplied ARGB of normal and dimmed points; the last column is the missing value's.
    fills, edges : (2, k + 1) uint64
        The same, and the outline's colour, with one channel in each 16-bit lane.
    """

    words: Words
    fills: NDArray[np.uint64]
    edges: NDArray[np.uint64]

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
        return cls(words, spread(words), spread(np.stack([_words(outline), _words(dimmed)])))


@dataclass(frozen=True)
class Style:
    """How a frame is drawn: `mode`, the stamps' radius in pixels, and which layers have any point at all."""

    mode: Mode
    radius: float
    has_dimmed: bool = False
    has_missing: bool = False


def _words(colors: Floats) -> Words:
    c = np.rint(colors).astype(np.uint32)
    return np.uint32(0xFF000000) | c[:, 0] << np.uint32(16) | c[:, 1] << np.uint32(8) | c[:, 2]


def auto_radius(count: int, width: float, height: float, zoom: float) -> float:
    """Radius in pixels for `count` points on an area of pixels, `zoom` times enlarged.

    It depends on nothing that changes while the map is merely moved.
    """
    spacing = float(np.sqrt(max(width * height, 1.0) / max(count, 1)))
    return float(np.clip(0.30 * spacing * max(zoom, 1.0) ** 0.7, LEAST_RADIUS, LARGEST_RADIUS))


def stamp_pixels(radius: float) -> int:
    """Pixels that one stamp touches: the price of a point in :data:`STAMP_BUDGET`."""
    return (2 * _reach(radius) + 1) ** 2


def _reach(radius: float) -> int:
    return int(np.ceil(radius + 0.5))


def _distance(shape: str, x: Floats, y: Floats, r: float) -> Floats:
    """Signed distance from a shape's outline; areas are about equal. y points down."""
    if shape == "square":
        return np.asarray(np.maximum(abs(x), abs(y)) - 0.88 * r)
    if shape == "diamond":
        return np.asarray((abs(x) + abs(y)) * np.sqrt(0.5) - 0.88 * r)
    if shape == "triangle":
        return np.asarray(np.maximum(0.866 * abs(x) - 0.5 * y, y) - 0.72 * r)
    if shape in ("plus", "cross"):
        if shape == "cross":
            x, y = (x + y) * np.sqrt(0.5), (x - y) * np.sqrt(0.5)
        a, b = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
        return np.asarray(np.maximum(a - 1.1 * r, b - 0.40 * r))
    return np.asarray(np.hypot(x, y) - r)


@lru_cache(maxsize=32)
def stamps(radius: float) -> tuple[NDArray[np.uint32], Ints]:
    """Coverage of all stamps and the pixels that they touch, as :func:`raster_loops.draw_stamps` takes them."""
    # the triangle is the longest
    reach = _reach(1.44 * radius)
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    table = np.zeros((2 * len(SHAPES), PHASES, PHASES, len(at), len(at)), np.uint32)
    outline = min(0.9, 0.3 * radius) if radius >= 2.0 else 0.0
    hollow = max(0.9, 0.32 * radius)
    for s, shape in enumerate(SHAPES):
        for j in range(PHASES):
            for i in range(PHASES):
                # the point lies (i + 1/2)/PHASES into its pixel, whose middle is at 1/2
                x = np.tile(at, (len(at), 1)) + 0.5 - (i + 0.5) / PHASES
                y = np.tile(at[:, None], len(at)) + 0.5 - (j + 0.5) / PHASES
                d = _distance(shape, x, y, radius)
                whole = np.clip(0.5 - d, 0.0, 1.0)
                for variant, width in ((s, outline), (s + len(SHAPES), hollow)):
                    inner = np.clip(0.5 - (d + width), 0.0, 1.0) if width else whole
                    edge = np.rint(256 * whole) - np.rint(256 * inner)
                    fill = np.rint(256 * inner) if variant == s else np.zeros_like(inner)
                    table[variant, j, i] = fill.astype(np.uint32) | edge.astype(np.uint32) << np.uint32(16)
    extent = np.zeros((len(table), 2, PHASES, 2), np.int64)
    for axis, along in ((0, (1, 3)), (1, (2, 4))):
        touched = table.max(axis=along) > 0
        extent[:, axis, :, 0] = np.argmax(touched, axis=-1) - reach
        extent[:, axis, :, 1] = reach - np.argmax(touched[..., ::-1], axis=-1)
    return table, extent


class Canvas:
    """A picture of premultiplied ARGB words and the scratch memory of the dense modes, kept between frames."""

    def __init__(self, width: int, height: int) -> None:
        self.image: Words = np.zeros((height, width), np.uint32)
        self._sums: NDArray[np.uint64] | None = None
        self._keys: Words | None = None
        self._flat: Words | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def draw(self, points: Points, codes: Codes, spans: Ints, transform: Floats, palette: Palette, style: Style) -> int:
        """Draw points; returns how many have their centre in the picture.

        Parameters
        ----------
        points : Points
        codes : (m,) uint32, in the order of `points` (see :meth:`Points.arrange`)
            Bits 0–15 index into the palette, 16 missing, 17 dimmed, 18–23 shape.
        spans : (s, 2) int64
            Ranges of points that may be in view (:meth:`Points.spans`).
        transform : (4,) float64
            ``t0 x + t1, t2 y + t3`` is the pixel (pixel i spans i … i + 1).
        palette : Palette
        style : Style
        """
        if self.image.size == 0:
            return 0
        if style.mode == "points":
            return self._draw_points(points, codes, spans, transform, palette, style)
        if self._flat is None:
            self._flat = np.zeros_like(self.image)
        if style.mode == "sample":
            count = self._draw_sample(points, codes, spans, transform, palette)
        else:
            count = self._draw_mean(points, codes, spans, transform, palette, style.mode == "density")
        loops().spread_pixels(self._flat, self.image)
        return count

    def _draw_points(
        self, points: Points, codes: Codes, spans: Ints, transform: Floats, palette: Palette, style: Style
    ) -> int:
        self.image[:] = 0
        table, extent = stamps(round(style.radius, 2))
        count = 0
        for layer, present in enumerate((style.has_dimmed, style.has_missing, True)):
            if present:
                look = (palette.fills, palette.edges, table, extent, layer)
                count += int(loops().draw_stamps(self.image, points.x, points.y, codes, spans, transform, *look))
        return count

    def _draw_mean(
        self, points: Points, codes: Codes, spans: Ints, transform: Floats, palette: Palette, density: bool
    ) -> int:
        if self._sums is None:
            self._sums = np.zeros((3, *self.image.shape), np.uint64)
        else:
            self._sums[:] = 0
        run = loops()
        count = int(run.accumulate_mean(self._sums, points.x, points.y, codes, spans, transform))
        scale = 1.0 / np.log1p(max(run.largest_count(self._sums), 1)) if density else 0.0
        run.shade_mean(self._flat, self._sums, palette.words, float(scale))
        return count

    def _draw_sample(self, points: Points, codes: Codes, spans: Ints, transform: Floats, palette: Palette) -> int:
        if self._keys is None:
            self._keys = np.zeros_like(self.image)
        else:
            self._keys[:] = 0
        run = loops()
        count = int(run.accumulate_sample(self._keys, points.x, points.y, codes, spans, transform))
        run.shade_sample(self._flat, self._keys, palette.words)
        return count
