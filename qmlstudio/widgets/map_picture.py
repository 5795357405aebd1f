"""What a map shows: which mode draws a frame, with which sizes, and what its colours mean then. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import raster
from qmlstudio.widgets.point_looks import PointLooks

Floats = NDArray[np.float64]
MapMode = Literal["auto", "points", "density", "count", "mean", "min", "max", "std", "contours", "over"]
"""What a map can be asked to show."""
MAP_MODES: tuple[MapMode, ...] = get_args(MapMode)
STATISTICS = ("mean", "min", "max", "std")
DENSITIES = ("density", "count", "contours", "over")
LARGEST_BIN = 24.0
HOVER_PIXELS = 6.0
SLOWEST = 8
"""Times :data:`raster.STAMP_BUDGET` that stamps may cost when they are asked for (below 0.1 s)."""


@dataclass(frozen=True)
class Statistic:
    """What the colours of a frame stand for, when they are not those of single points.

    Attributes
    ----------
    kind : str
        "density", "count", "mean", "min", "max", "std", "contours" or "over".
    low, high : float
        Of the first and the last colour: points per bin for densities and counts, else the property's unit.
    scale : "linear", "log" or "symlog"
    """

    kind: str
    low: float
    high: float
    scale: raster.Scale = "linear"


@dataclass(frozen=True)
class Frame:
    """A drawn frame.

    Attributes
    ----------
    shown : int
        Points with their centre in the picture.
    mode : raster.Mode
    radius : float
        Of a point (the largest one), in pixels of the screen.
    statistic : Statistic or None
    """

    shown: int
    mode: raster.Mode
    radius: float
    statistic: Statistic | None


class MapPicture:
    """Points, their looks and the mode, drawn into a canvas.

    Attributes
    ----------
    points : raster.Points
        Set by :meth:`set_points`.
    looks : PointLooks
        Changed by its owner, who then calls :meth:`restyle`.
    mode : MapMode
    bins : float
        Size of the bins in pixels of the screen, 1 … 24.
    hexagons : bool
        Bins above 1 pixel are hexagons.
    diameter : float or None
        Of all points; None: by their number and the zoom.
    """

    def __init__(self, looks: PointLooks) -> None:
        self.points = raster.Points(np.zeros((0, 2)))
        self.looks = looks
        self.mode: MapMode = "auto"
        self.bins = 1.0
        self.hexagons = False
        self.diameter: float | None = None
        self._plain: tuple[object, raster.Codes] | None = None
        self._codes: raster.Codes | None = None
        self._values: tuple[object, raster.Values] | None = None

    def set_points(self, points: raster.Points) -> None:
        """Show other points, or the same ones in another order."""
        self.points = points
        self._plain = self._codes = self._values = None

    def restyle(self) -> None:
        """The looks have changed."""
        self._codes = None

    def preparation(self) -> Callable[[raster.Points], object]:
        """What arranges the looks as they are now for points that are about to be set, in whatever thread."""
        plain, values = self.looks.plain_codes(), self.looks.values

        def prepare(points: raster.Points) -> object:
            codes = points.arrange(plain, alone=True)
            if values is None:
                return (plain, codes), None
            return (plain, codes), (values, replace(values, values=points.arrange(values.values, alone=True)))

        return prepare

    def adopt(self, points: raster.Points, prepared: object) -> None:
        """Set points with what :meth:`preparation` has made; what has changed since is arranged when it is drawn."""
        assert isinstance(prepared, tuple)
        self.set_points(points)
        self._plain, self._values = prepared

    def codes(self) -> raster.Codes:
        """(m,) codes in the order of the points."""
        if self._codes is None:
            plain = self.looks.plain_codes()
            if self._plain is None or self._plain[0] is not plain:
                self._plain = (plain, self.points.arrange(plain))
            dimmed = self.looks.dimmed()
            self._codes = self._plain[1] if dimmed is None else self.points.dim(self._plain[1], dimmed)
        return self._codes

    def nearest(self, x: float, y: float, pixel: tuple[float, float], radius: float) -> int:
        """Number of the point at (x, y), or −1.

        Parameters
        ----------
        pixel : (float, float)
            Size of a pixel of the screen in data units.
        radius : float
            Of the points, in pixels of the screen.
        """
        radii = self.looks.radii
        if radii is None:
            reach = max(HOVER_PIXELS, radius + 3.0)
            return self.points.nearest(x, y, reach * pixel[0], reach * pixel[1])
        return self.points.nearest_sized(x, y, pixel, self.codes(), np.maximum(radii + 2.0, HOVER_PIXELS))

    def draw(self, canvas: raster.Canvas, transform: Floats, ratio: float) -> Frame:
        """Draw a frame.

        Parameters
        ----------
        canvas : raster.Canvas
        transform : (4,) float64
            From data to its pixels.
        ratio : float
            Its pixels per pixel of the screen.
        """
        looks, points = self.looks, self.points
        radius = self._radius(canvas, transform, ratio)
        mode = self._mode(canvas, transform, ratio, radius)
        radii = () if looks.radii is None else tuple(float(r) * ratio for r in looks.radii)
        bins = raster.Bins(max(1.0, round(self.bins * ratio)), self.hexagons and self.bins > 1.0)
        # discs at 60 % of the area hardly overlap; the field's bins hold 16 square pixels of the screen
        field = raster.Field(4.0 * ratio, 1.75, max(0.6 * 16.0 / (np.pi * radius**2), 0.05))
        style = raster.Style(
            mode, radius * ratio, looks.has_dimmed, looks.has_missing, bins, radii, looks.shape_count, field
        )
        palette = looks.density_palette if mode in DENSITIES else looks.palette
        if mode in ("contours", "over"):
            # the points are drawn, too, and their colours are others
            palette = replace(looks.palette, words=looks.density_palette.words)
        values = self._arranged_values() if mode in STATISTICS else None
        shown = canvas.draw(points, self.codes(), transform, palette, style, values)
        return Frame(shown, mode, radius if not radii else radii[-1] / ratio, self._statistic(mode, canvas, values))

    def _radius(self, canvas: raster.Canvas, transform: Floats, ratio: float) -> float:
        if self.diameter is not None:
            return self.diameter / 2.0
        height, width = canvas.shape
        x0, x1, y0, y1 = self.points.bounds
        home = max(abs(transform[0]) * (x1 - x0) / width, abs(transform[2]) * (y1 - y0) / height, 0.0)
        return raster.auto_radius(self.points.count, width / ratio, height / ratio, home)

    def _mode(self, canvas: raster.Canvas, transform: Floats, ratio: float, radius: float) -> raster.Mode:
        looks = self.looks
        if self.mode != "auto" and self.mode != "points":
            if self.mode in STATISTICS and (looks.values is None or looks.is_categorical):
                # nothing to average: what the colours allow
                return looks.crowd
            return self.mode
        height, width = canvas.shape
        # a stamp reaches into the picture from outside
        margin = 8.0 * ratio
        spans = self.points.spans_of_pixels(-margin, width + margin, -margin, height + margin, transform)
        if looks.radii is None:
            price = float(raster.stamp_pixels(radius * ratio))
        else:
            price = float(np.mean([raster.stamp_pixels(r * ratio) for r in looks.radii]))
        cost = int((spans[:, 1] - spans[:, 0]).sum()) * price
        if self.mode == "points":
            return "points" if cost <= SLOWEST * raster.STAMP_BUDGET else "sample"
        return "points" if cost <= raster.STAMP_BUDGET else looks.crowd

    def _arranged_values(self) -> raster.Values:
        values = self.looks.values
        assert values is not None
        if self._values is None or self._values[0] is not values:
            self._values = (values, replace(values, values=self.points.arrange(values.values)))
        return self._values[1]

    def _statistic(self, mode: raster.Mode, canvas: raster.Canvas, values: raster.Values | None) -> Statistic | None:
        if canvas.shown is None:
            return None
        low, high = canvas.shown
        if mode == "std":
            return Statistic(mode, low, high)
        if values is not None:
            return Statistic(mode, low, high, values.scale)
        return Statistic(mode, low, high, "linear" if mode == "count" else "log")
