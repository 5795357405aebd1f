"""A map without gestures: points, their looks, what is in view, what the badge says."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QEasingCurve, QEvent, QPoint, QPointF, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QHelpEvent, QHideEvent, QResizeEvent
from PySide6.QtWidgets import QToolTip, QVBoxLayout, QWidget

from qmlstudio.widgets import raster
from qmlstudio.widgets.map_badges import MapBadges, mode_text, statistic_text
from qmlstudio.widgets.map_picture import DENSITIES, LARGEST_BIN, MAP_MODES, Frame, MapMode, MapPicture, Statistic
from qmlstudio.widgets.map_sorting import PointSorter
from qmlstudio.widgets.map_view import MapView, MarkerItem, RasterItem
from qmlstudio.widgets.point_looks import LARGEST_DIAMETER, PointLooks
from qmlstudio.widgets.theme import Theme, theme

Floats = NDArray[np.float64]

ANIMATION_MS = 300
ANIMATED_POINTS = 300_000
PADDING = 0.04


class MapCanvas(QWidget):
    """Points in the plane under pyqtgraph's axes, drawn by :mod:`qmlstudio.widgets.raster`."""

    range_changed = Signal(float, float, float, float)
    """x0, x1, y0, y1 in data coordinates."""
    placed = Signal()
    """The points are drawn at other coordinates from now on: :attr:`points`."""
    status_changed = Signal(str)
    """Text of the badge: "3,921 of 3,921"."""
    statistic_changed = Signal(object)
    """What the colours on screen stand for, :class:`map_picture.Statistic`, or None: single points' colours."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._xy: Floats = np.zeros((0, 2))
        self._target: Floats = self._xy
        self._origin: Floats = self._xy
        self._looks = PointLooks(0, self._theme)
        self._picture = MapPicture(self._looks)
        self._bounds = QRectF(-1, -1, 2, 2)
        self._range_set = False
        self._active: int | None = None
        self._pins: tuple[int, ...] = ()
        self._hover = -1
        self._frame = Frame(0, "points", 3.0, None)
        self._statistic: Statistic | None = None

        self._view = MapView(self._theme, self)
        self._box = self._view.box
        self._raster = RasterItem(self._box, self._draw)
        self._markers = MarkerItem(self._box, self._theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self._badges = MapBadges(self)

        self._sorter = PointSorter(self._picture.preparation, self)
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(ANIMATION_MS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._raster.drawn.connect(self._on_raster_drawn, Qt.ConnectionType.QueuedConnection)
        self._box.sigRangeChanged.connect(self._on_box_range_changed)
        self._box.sigResized.connect(self._place_badges)
        self._sorter.sorted.connect(self._on_sorter_sorted)
        self._animation.valueChanged.connect(self._on_animation_value_changed)
        self._animation.finished.connect(self._on_animation_finished)
        self.set_equal_aspect(True)
        self.set_axes(())
        self.set_dark(dark)

    # -- the points

    def set_points(self, xy: ArrayLike, animate: bool = False, keep_range: bool = True) -> None:
        """Replace the coordinates.

        Parameters
        ----------
        xy : (n, 2) float64
            NaN where a point has no place. Not copied when it is float64: the caller must not change it afterwards.
        animate : bool
            Let the points wander there in 0.3 s, when their number has not changed and is at most 300,000. A stream of
            updates leaves it off.
        keep_range : bool
            Leave the view where it is; the first points are always shown whole.

        Raises
        ------
        ValueError
            For another shape. When n changes, all looks, active point and pins are forgotten.
        """
        points = np.asarray(xy, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"coordinates have shape (n, 2), not {points.shape}")
        self._animation.stop()
        same = len(points) == len(self._xy)
        if not same:
            self._forget_looks(len(points))
        self._target = points
        ready = raster.Points(points)
        self._set_bounds(ready.bounds)
        if animate and same and 0 < len(points) <= ANIMATED_POINTS and self.isVisible():
            self._sorter.stop()
            self._origin = self._xy
            self._animation.start()
        else:
            self._place(points, ready)
            self._sorter.start(ready)
        if len(points) and (not keep_range or not self._range_set):
            self._range_set = True
            self.reset_range()
        self._update_badge(0 if not len(points) else None)

    def _forget_looks(self, count: int) -> None:
        """Another number of points: nothing that was said of the old ones holds."""
        self._looks = self._picture.looks = PointLooks(count, self._theme)
        self._picture.restyle()
        self._active, self._pins = None, ()
        self._set_hover(-1)

    def _set_bounds(self, bounds: Floats) -> None:
        """What is shown when everything is: (4,) x0, x1, y0, y1 of the points; infinite without any."""
        self._bounds = _shown_whole(bounds)
        side = max(self._bounds.width(), self._bounds.height())
        # beyond 10^7 the pixels of float64 coordinates are still exact, but nobody finds the way back
        self._box.setLimits(minXRange=side * 1e-7, minYRange=side * 1e-7, maxXRange=side * 50, maxYRange=side * 50)

    def _place(self, xy: Floats, points: raster.Points | None = None) -> None:
        """Draw the points at (n, 2) from now on; `points` are the same, ready to be drawn, in any order."""
        self._xy = xy
        self._picture.set_points(raster.Points(xy) if points is None else points)
        self._update_markers()
        self._raster.invalidate()
        self.placed.emit()

    @property
    def count(self) -> int:
        """Number of points."""
        return len(self._xy)

    @property
    def points(self) -> Floats:
        """(n, 2) coordinates at which the points are drawn now; not to be changed."""
        return self._xy

    @property
    def space(self) -> Floats | None:
        """(n, 3) coordinates that are turned to those of the drawing; None: a plane map."""
        return None

    @property
    def colors(self) -> Theme:
        """Colours of what is not a point."""
        return self._theme

    @property
    def box(self) -> pg.ViewBox:
        """The view box: children of it lie on the points (z 10) or on the markers (z 20)."""
        return self._box

    def position(self, index: int) -> tuple[float, float]:
        """Coordinates at which a point is drawn now."""
        return float(self._xy[index, 0]), float(self._xy[index, 1])

    def pixel(self, index: int) -> QPointF:
        """Where a point is drawn, in this widget's coordinates."""
        at = self._view.viewportTransform().map(self._box.mapViewToScene(QPointF(*self.position(index))))
        return QPointF(at) + QPointF(self._view.viewport().mapTo(self, QPoint(0, 0)))

    def point_at(self, position: QPointF) -> int:
        """Nearest point within a few pixels of a position in this widget, −1 if none."""
        return self._at(position - QPointF(self._view.viewport().mapTo(self, QPoint(0, 0))))

    def _at(self, position: QPointF) -> int:
        at = self._box.mapSceneToView(self._view.to_scene(position))
        return self._picture.nearest(at.x(), at.y(), self._box.viewPixelSize(), self._frame.radius)

    def _on_sorter_sorted(self, points: raster.Points, prepared: object) -> None:
        self._picture.adopt(points, prepared)
        # what is in view can be told only now, and with it whether stamps are affordable
        self._raster.invalidate()

    def _on_animation_value_changed(self, value: float) -> None:
        if len(self._origin) == len(self._target):
            self._place(self._origin + (self._target - self._origin) * float(value))

    def _on_animation_finished(self) -> None:
        self._place(self._target)
        self._sorter.start(self._picture.points)

    # -- their looks

    def set_colors(
        self,
        indices: ArrayLike | None,
        lut: ArrayLike | None = None,
        missing: ArrayLike | None = None,
        categorical: bool = False,
    ) -> None:
        """Colour the points; values given before are forgotten.

        Parameters
        ----------
        indices : (n,) integers, or None
            Index of each point's colour. None: all alike; crowds of points then show their density.
        lut : (k, 3) uint8
            The colours, k ≤ 65,536. May be given without `indices` as the colours of density.
        missing : (n,) bool, optional
            Points without a value: hollow grey rings.
        categorical : bool
            The indices are names, not numbers: never averaged. Any number of names is legal; the colours come round.
        """
        self._looks.set_colors(indices, lut, missing, categorical)
        self._restyle()

    def set_values(
        self, values: ArrayLike | None, low: float = 0.0, high: float = 1.0, scale: raster.Scale = "linear"
    ) -> None:
        """The numbers behind the colours, after :meth:`set_colors`: statistics of bins are exact in them.

        Parameters
        ----------
        values : (n,) float64, or None
            NaN counts as missing. Not copied: the caller must not change it.
        low, high : float
            What the first and the last colour stand for.
        scale : "linear", "log" or "symlog"
            As in :func:`color_bar.fractions`.
        """
        self._looks.set_values(values, low, high, scale)
        self._restyle()

    def set_shapes(self, shapes: ArrayLike | None) -> None:
        """Symbol of each point: (n,) numbers into :data:`raster.SHAPES`; None: circles."""
        self._looks.set_shapes(shapes)
        self._restyle()

    def set_sizes(self, diameters: ArrayLike | None) -> None:
        """Diameter of each point (n,) in pixels, up to 60; NaN: the least, hollow. None: all alike.

        They are rounded to 16 sizes between the least and the largest.
        """
        self._looks.set_sizes(diameters)
        self._restyle()

    def set_selection(self, mask: ArrayLike | None) -> None:
        """Dim all points that are not in the mask (n,); None selects nothing and dims nothing."""
        self._looks.set_selection(mask)
        self._restyle()

    def set_dimmed(self, mask: ArrayLike | None) -> None:
        """Dim further points (n,), whatever is selected: categories switched off in a legend, say."""
        self._looks.set_dimmed(mask)
        self._restyle()

    def set_point_size(self, diameter: float | None) -> None:
        """Diameter in pixels of points that have no sizes of their own; None: by number of points and zoom."""
        if diameter is not None and not 0 < diameter <= LARGEST_DIAMETER:
            raise ValueError(f"a point's diameter is between 0 and 60 pixels, not {diameter}")
        self._picture.diameter = diameter
        self._raster.invalidate()

    def set_mode(self, mode: MapMode) -> None:
        """What is drawn: one of :data:`map_picture.MAP_MODES`.

        "auto" draws points while they are affordable, else what suits the colours: the mean, one category for each
        pixel, density. "mean", "min", "max" and "std" need :meth:`set_values`; without them they are "auto" in crowds.
        "over" draws points over density, where they are sparse.
        """
        if mode not in MAP_MODES:
            raise ValueError(f"{mode!r} is none of {', '.join(MAP_MODES)}")
        self._picture.mode = mode
        self._raster.invalidate()

    def set_bins(self, pixels: float, hexagons: bool = False) -> None:
        """Side of the squares (or width of the hexagons) that density, count and statistics are gathered in: 1 … 24."""
        if not 1 <= pixels <= LARGEST_BIN:
            raise ValueError(f"bins have 1 to 24 pixels, not {pixels}")
        self._picture.bins, self._picture.hexagons = float(pixels), hexagons
        self._raster.invalidate()

    @property
    def drawn_as(self) -> raster.Mode:
        """How the last frame was drawn."""
        return self._frame.mode

    @property
    def statistic(self) -> Statistic | None:
        """What the colours on screen stand for; None: single points' colours."""
        return self._statistic

    @property
    def statistic_colors(self) -> NDArray[np.uint8]:
        """(k, 3) colours from the statistic's low to its high."""
        statistic = self._statistic
        return self._looks.density_lut if statistic and statistic.kind in DENSITIES else self._looks.lut

    @property
    def statistic_label(self) -> str:
        """What the statistic's numbers are: "points per pixel", "mean"; empty without one."""
        return "" if self._statistic is None else statistic_text(self._statistic.kind, self._picture.bins)

    def _restyle(self) -> None:
        self._picture.restyle()
        self._raster.invalidate()

    # -- what marks single points, and what surrounds them

    def set_active(self, index: int | None) -> None:
        """Ring the active point."""
        self._active = _legal(index, len(self._xy))
        self._update_markers()

    def set_pins(self, indices: ArrayLike) -> None:
        """Ring the pinned points and number them from 1 in this order."""
        self._pins = tuple(int(i) for i in np.asarray(indices, dtype=np.int64).reshape(-1))
        for index in self._pins:
            _legal(index, len(self._xy))
        self._update_markers()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = colors = theme(dark)
        self._looks.set_theme(colors)
        self._view.set_theme(colors)
        self._markers.colors = colors
        self._badges.set_theme(colors)
        self._raster.invalidate()
        self._markers.update()
        self._place_badges()

    def set_axes(self, titles: tuple[str, ...] | list[str]) -> None:
        """Titles of x and y with their ticks; empty: no axes at all (the axes of UMAP mean nothing)."""
        self._view.set_axes(titles)

    @property
    def axes(self) -> tuple[str, ...]:
        """Titles of the axes; empty without axes."""
        return self._view.titles

    def set_equal_aspect(self, equal: bool) -> None:
        """Whether one unit is equally long on both axes (it is at first: distances on a map mean something)."""
        self._box.setAspectLocked(equal)

    def set_busy(self, text: str | None) -> None:
        """Say that new points are being computed; the old ones stay usable. None: done."""
        self._badges.set_busy(text)

    @property
    def status(self) -> str:
        """What the badge says."""
        return self._badges.text

    def refresh(self) -> None:
        """Draw anew, with compiled loops if they have been loaded meanwhile."""
        self._raster.invalidate()

    def _draw(self, canvas: raster.Canvas, transform: Floats, ratio: float) -> int:
        """Fill a canvas; returns the number of points in view."""
        before = self._frame.radius
        self._frame = self._picture.draw(canvas, transform, ratio)
        if self._frame.radius != before:
            self._markers.radius = self._frame.radius
            self._markers.update()
        return self._frame.shown

    def _set_hover(self, index: int) -> None:
        """Mark the point under the mouse; −1: none."""
        self._hover = index
        self._update_markers()

    def _update_markers(self) -> None:
        self._markers.active = None if self._active is None else self.position(self._active)
        self._markers.pins = [self.position(i) for i in self._pins]
        self._markers.hovered = self.position(self._hover) if self._hover >= 0 else None
        self._markers.update()

    def _on_raster_drawn(self, shown: int) -> None:
        self._update_badge(shown)
        if self._frame.statistic != self._statistic:
            self._statistic = self._frame.statistic
            self.statistic_changed.emit(self._statistic)

    def _update_badge(self, shown: int | None) -> None:
        picture = self._picture
        what = mode_text(self._frame.mode, picture.bins, picture.hexagons) if len(self._xy) else ""
        shown = self._frame.shown if shown is None else shown
        if self._badges.set_counts(what, shown, len(self._xy), picture.points.placed):
            self.status_changed.emit(self.status)

    def _place_badges(self) -> None:
        self._badges.place(self._box.sceneBoundingRect())

    # -- what is in view

    def reset_range(self) -> None:
        """Show all points."""
        self._box.setRange(self._bounds, padding=PADDING)

    def set_range(self, x0: float, x1: float, y0: float, y1: float) -> None:
        """Show this part (more of one axis if the aspect is equal)."""
        self._range_set = True
        self._box.setRange(QRectF(x0, y0, x1 - x0, y1 - y0), padding=0)

    @property
    def range(self) -> tuple[float, float, float, float]:
        """x0, x1, y0, y1 of what is shown."""
        (x0, x1), (y0, y1) = self._box.viewRange()
        return float(x0), float(x1), float(y0), float(y1)

    def move_by(self, right: float, up: float) -> None:
        """Look further to the right and up, by parts of what is shown."""
        x0, x1, y0, y1 = self.range
        self._box.translateBy(x=right * (x1 - x0), y=up * (y1 - y0))

    def zoom_by(self, factor: float) -> None:
        """Enlarge about the middle."""
        self._box.scaleBy(s=(1.0 / factor, 1.0 / factor))

    def _on_box_range_changed(self) -> None:
        self._raster.update()
        self._markers.update()
        self.range_changed.emit(*self.range)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self._badges.tooltip_at(event.pos())
            if text:
                QToolTip.showText(event.globalPos(), text, self)
                return True
        return super().event(event)

    def sizeHint(self) -> QSize:
        return QSize(640, 560)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 140)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_badges()

    def hideEvent(self, event: QHideEvent) -> None:
        # a hidden map must not keep the event loop busy
        if self._animation.state() == QVariantAnimation.State.Running:
            self._animation.stop()
            self._place(self._target)
            self._sorter.start(self._picture.points)
        super().hideEvent(event)


def _shown_whole(bounds: Floats) -> QRectF:
    """What shows all of x0, x1, y0, y1: never empty, whatever the points."""
    if not np.isfinite(bounds).all():
        return QRectF(-1, -1, 2, 2)
    low, high = [float(b) for b in bounds[::2]], [float(b) for b in bounds[1::2]]
    side, size = max(high[0] - low[0], high[1] - low[1]), float(abs(bounds).max())
    if side <= max(1e-13 * size, 1e-100):
        # one place, as far as numbers of this size can tell
        side = max(2.0, 2e-6 * size)
    # a line of points has no height, and a view box cannot show none
    for k in (0, 1):
        if high[k] - low[k] < 1e-3 * side:
            low[k], high[k] = (low[k] + high[k] - side) / 2, (low[k] + high[k] + side) / 2
    return QRectF(low[0], low[1], high[0] - low[0], high[1] - low[1])


def _legal(index: int | None, count: int) -> int | None:
    if index is not None and not 0 <= index < count:
        raise ValueError(f"point {index} of {count}")
    return index
