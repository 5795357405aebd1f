"""What a map in three dimensions shows: points from back to front, paler and smaller the farther they are. No Qt."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import overlay_backend, raster, raster_backend
from qmlstudio.widgets.map_picture import HOVER_PIXELS, Frame, MapPicture
from qmlstudio.widgets.point_looks import PointLooks
from qmlstudio.widgets.raster_numpy import spread
from qmlstudio.widgets.raster_stamps import StampTable
from qmlstudio.widgets.theme import Theme, rgb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Lanes = NDArray[np.uint64]

BANDS = 8
"""Steps of the depth cue."""
STEPS = 2048
"""Steps in which points are ordered by depth."""
PALEST = 0.62
"""How far the colour of the farthest points is drawn towards the background."""
SMALLEST, LARGEST = 0.72, 1.18
"""Radii of the farthest and nearest points."""
SPLIT_POINTS = 60_000
_LANES = np.uint64(0x00FF00FF00FF00FF)


class CloudPicture(MapPicture):
    """A :class:`MapPicture` whose points have a depth.

    Stamps are ordered and cued by depth; all other modes show the projection, as on a plane map.

    Attributes
    ----------
    distance : float
        From the eye to the middle of the cloud; 0: orthographic.
    """

    def __init__(self, looks: PointLooks) -> None:
        super().__init__(looks)
        self.distance = 0.0
        self._xy: Floats = np.zeros((0, 2))
        self._depth: Floats = np.zeros(0)
        self._extent = 1.0
        self._ordered: tuple[raster.Points, Ints] | None = None
        self._ordered_codes: raster.Codes | None = None
        self._background: Lanes = np.zeros(1, np.uint64)
        self._faded: tuple[object, list[Lanes], list[Lanes]] | None = None

    def set_theme(self, colors: Theme) -> None:
        """The background's colour, in which what is far away is lost."""
        red, green, blue = rgb(colors.background)
        self._background = spread(np.array([0xFF000000 | red << 16 | green << 8 | blue], np.uint32))
        self._faded = None

    def set_cloud(self, xy: Floats, depth: Floats, extent: float) -> None:
        """Before :meth:`set_points`: projections (n, 2), depths (n,) towards the viewer, within ± `extent`."""
        self._xy, self._depth, self._extent = xy, depth, extent
        self._ordered = self._ordered_codes = None

    def restyle(self) -> None:
        super().restyle()
        self._ordered_codes = None

    def nearest(self, x: float, y: float, pixel: tuple[float, float], radius: float) -> int:
        if not len(self._xy) or not (pixel[0] > 0 and pixel[1] > 0):
            return -1
        reach = max(HOVER_PIXELS, radius + 3.0)
        run = overlay_backend.cloud_loops()
        size = reach * pixel[0], reach * pixel[1]
        return int(run.front_most(self._xy, self._depth, x, y, *size, min(max(radius, 1.5) / reach, 1.0)))

    def bands(self) -> tuple[raster.Points, Ints, Floats]:
        """Points from back to front; (9,) where each band begins; (8,) depth of its middle."""
        n = len(self._xy)
        if self._ordered is None:
            starts, order = np.zeros(STEPS + 1, np.int64), np.empty(n, np.int32)
            xs, ys = np.empty(n), np.empty(n)
            run = overlay_backend.cloud_loops()
            run.sort_by_depth(self._xy, self._depth, self._extent, STEPS, starts, order, xs, ys)
            m = int(starts[-1])
            self._ordered = raster.Points.in_order(xs[:m], ys[:m], order[:m], n), starts
        points, starts = self._ordered
        m = int(starts[-1])
        # one in a hundred on either side does not stretch the scale; a cloud seen flat does not pretend to be deep
        low, high = (int(np.searchsorted(starts, q * m, side="right")) - 1 for q in (0.01, 0.99))
        middle, half = (low + high + 1) / 2.0, max((high - low + 1) / 2.0, 0.12 * STEPS)
        edges = np.rint(middle + half * np.linspace(-1.0, 1.0, BANDS + 1)).astype(np.int64).clip(0, STEPS)
        edges[0], edges[-1] = 0, STEPS
        centers = (middle + half * (np.arange(BANDS) * 2.0 + 1.0 - BANDS) / BANDS) / STEPS * 2.0 - 1.0
        return points, starts[edges], centers * self._extent

    def draw(self, canvas: raster.Canvas, transform: Floats, ratio: float) -> Frame:
        radius = self._radius(canvas, transform, ratio)
        if self._mode(canvas, transform, ratio, radius) != "points" or canvas.image.size == 0:
            return super().draw(canvas, transform, ratio)
        points, starts, depths = self.bands()
        looks = self.looks
        if self._ordered_codes is None:
            codes, dimmed = points.arrange(looks.plain_codes()), looks.dimmed()
            self._ordered_codes = codes if dimmed is None else points.dim(codes, dimmed)
        radii = (radius,) if looks.radii is None else tuple(float(r) for r in looks.radii)
        cue = np.linspace(SMALLEST, LARGEST, BANDS)
        if self.distance > 0.0:
            cue = cue * self.distance / np.maximum(self.distance - depths, 0.05 * self.distance)
        tables = [
            raster.stamp_table(tuple(max(0.9, c * r) * ratio for r in radii), looks.shape_count) for c in cue.tolist()
        ]
        height = canvas.shape[0]
        rows = [(0, height)]
        if raster_backend.threads() > 1 and len(points.x) > SPLIT_POINTS and height > 1:
            rows = [(0, height // 2), (height // 2, height)]
        canvas.image[:] = 0
        canvas.shown = None
        stamp = partial(self._stamp, canvas.image, points, self._ordered_codes, starts, transform, tables)
        shown = raster_backend.run([partial(stamp, *part) for part in rows])
        return Frame(shown, "points", radius if looks.radii is None else radii[-1], None)

    def _stamp(
        self,
        image: raster.Words,
        points: raster.Points,
        codes: raster.Codes,
        starts: Ints,
        transform: Floats,
        tables: list[StampTable],
        low: int,
        high: int,
    ) -> int:
        """Stamp some rows of the picture: what is dimmed first, then the rest, each from back to front."""
        fills, edges = self._faded_palette()
        count = 0
        layers = [[0]] if self.looks.has_dimmed else []
        layers.append([1, 2] if self.looks.has_missing else [2])
        for group in layers:
            for band in range(BANDS):
                spans = np.array([[starts[band], starts[band + 1]]], np.int64)
                if spans[0, 0] == spans[0, 1]:
                    continue
                t = tables[band]
                for layer in group:
                    part = np.array([layer, -1, low, high, t.reach], np.int64)
                    look = (fills[band], edges[band], t.cover, t.starts, t.sizes, t.extent, part)
                    loop = raster_backend.loops().draw_stamps
                    count += int(loop(image, points.x, points.y, codes, spans, transform, *look))
        return count

    def _faded_palette(self) -> tuple[list[Lanes], list[Lanes]]:
        palette = self.looks.palette
        if self._faded is None or self._faded[0] is not palette:
            fills: list[Lanes] = []
            edges: list[Lanes] = []
            for band in range(BANDS):
                share = np.uint64(round(256 * PALEST * (1.0 - band / (BANDS - 1))))
                for faded, lanes in ((fills, palette.fills), (edges, palette.edges)):
                    mixed = lanes * (np.uint64(256) - share) + self._background * share
                    faded.append((mixed >> np.uint64(8)) & _LANES)
            self._faded = (palette, fills, edges)
        return self._faded[1], self._faded[2]
