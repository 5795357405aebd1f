"""The map: any number of points, every one drawn and counted, moved at the speed of the mouse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import (
    QEasingCurve,
    QElapsedTimer,
    QPoint,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from qmlstudio.widgets import raster
from qmlstudio.widgets.lasso import Tool
from qmlstudio.widgets.map_view import MapView, MarkerItem, RasterItem
from qmlstudio.widgets.point_looks import PointLooks
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ANIMATION_MS = 300
SORT_DELAY_MS = 150
SORT_SLICE_MS = 6
HOVER_PIXELS = 6.0
PADDING = 0.04


class ScatterMap(QWidget):
    """Points in the plane under pyqtgraph's axes, drawn by :mod:`qmlstudio.widgets.raster`.

    Mouse: left drag moves; Shift+drag draws a lasso; the wheel zooms at the mouse; the middle button always moves;
    click, Ctrl+click and right click report the point; a double click shows everything. With the lasso or box tool a
    left drag selects: alone it replaces, Shift adds, Alt subtracts, Ctrl intersects (with the pan tool, where Shift
    calls the lasso: Shift replaces, Shift+Alt subtracts, Shift+Ctrl intersects).

    Keys: arrows move, + and − zoom, Home or 0 show everything, Shift+arrow goes to the next point in that direction (as
    a click), L B V choose lasso, box, pan, Menu asks for the active point's menu, Esc gives up an outline or emits
    `escape_pressed`.

    Nothing here changes what is active, pinned or selected: the owner does, in answer to the signals.
    """

    hovered = Signal(int)
    """Point under the mouse, −1 for none; only when it changes."""
    clicked = Signal(int, Qt.KeyboardModifier)
    """A point was clicked."""
    background_clicked = Signal()
    lassoed = Signal(object, str)
    """Mask (n,) bool of the points inside, and "replace", "add", "subtract" or "intersect"."""
    range_changed = Signal(float, float, float, float)
    """x0, x1, y0, y1 in data coordinates."""
    context_menu_requested = Signal(int, QPoint)
    """Point (−1: background) and position on the screen."""
    escape_pressed = Signal()
    tool_changed = Signal(str)
    status_changed = Signal(str)
    """Text of the badge: "3,921 of 3,921"."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._xy: Floats = np.zeros((0, 2))
        self._target: Floats = self._xy
        self._points = raster.Points(self._xy)
        self._bounds = QRectF(-1, -1, 2, 2)
        self._range_set = False
        self._equal = True
        self._looks = PointLooks(0, self._theme)
        self._codes: raster.Codes | None = None
        self._size: float | None = None
        self._active: int | None = None
        self._pins: tuple[int, ...] = ()
        self._hover = -1
        self._titles: tuple[str, ...] = ()
        self._shown = 0
        self._drawn_as: raster.Mode = "points"
        self._radius = 3.0

        self._view = MapView(self._theme, self)
        self._box = self._view.box
        self._raster = RasterItem(self._box, self._draw)
        self._markers = MarkerItem(self._box, self._theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self._badge, self._busy = QLabel(self), QLabel(self)
        for label in (self._badge, self._busy):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._busy.hide()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocusProxy(self._view)
        self.setAccessibleName(self.tr("Map"))

        self._sorting = QTimer(self)
        self._sorting.timeout.connect(self._on_sorting_timeout)
        self._steps: Iterator[None] = iter(())
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(ANIMATION_MS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._animation.valueChanged.connect(self._on_animation_value_changed)
        self._animation.finished.connect(self._on_animation_finished)
        self._origin: Floats = self._xy

        view = self._view
        view.pointed.connect(self._on_view_pointed)
        view.left.connect(self._on_view_left)
        view.clicked.connect(self._on_view_clicked)
        view.double_clicked.connect(self._on_view_double_clicked)
        view.menu_requested.connect(self._on_view_menu_requested)
        view.panned.connect(self._on_view_panned)
        view.zoomed.connect(self._on_view_zoomed)
        view.outlined.connect(self._on_view_outlined)
        self._raster.drawn.connect(self._on_raster_drawn, Qt.ConnectionType.QueuedConnection)
        self._box.sigRangeChanged.connect(self._on_box_range_changed)
        self._box.sigResized.connect(self._place_labels)
        self.set_equal_aspect(True)
        self.set_axes(())
        self.set_dark(dark)

    def set_points(self, xy: ArrayLike, animate: bool = False, keep_range: bool = True) -> None:
        """Replace the coordinates.

        Parameters
        ----------
        xy : (n, 2) float64
            NaN where a point has no place. Not copied when it is float64: the caller must not change it afterwards.
        animate : bool
            Let the points wander there in 0.3 s, when their number has not changed. A stream of updates leaves it off.
        keep_range : bool
            Leave the view where it is; the first points are always shown whole.

        Raises
        ------
        ValueError
            For another shape. When n changes, colours, selection, active point and pins are forgotten.
        """
        points = np.asarray(xy, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"coordinates have shape (n, 2), not {points.shape}")
        self._animation.stop()
        same = len(points) == len(self._xy)
        if not same:
            self._looks = PointLooks(len(points), self._theme)
            self._active, self._pins = None, ()
            self._set_hover(-1)
        self._target = points
        self._bounds = _bounds(points)
        self._set_limits()
        if animate and same and len(points) and self.isVisible():
            self._origin = self._xy
            self._animation.start()
        else:
            self._place(points)
            self._sort_later()
        if len(points) and (not keep_range or not self._range_set):
            self._range_set = True
            self.reset_range()
        self._update_badge(0 if not len(points) else None)

    @property
    def count(self) -> int:
        """Number of points."""
        return len(self._xy)

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
        reach = max(HOVER_PIXELS, self._radius + 3.0)
        size = self._box.viewPixelSize()
        return self._points.nearest(at.x(), at.y(), reach * size[0], reach * size[1])

    def _place(self, xy: Floats) -> None:
        self._steps = iter(())
        self._xy = xy
        self._points = raster.Points(xy)
        self._codes = None
        self._update_markers()
        self._raster.invalidate()

    def _sort_later(self) -> None:
        # a stream of updates restarts the delay: nobody sorts what is replaced the next moment
        self._sorting.start(SORT_DELAY_MS)

    def _on_sorting_timeout(self) -> None:
        if self._points.order is not None or not len(self._xy):
            self._sorting.stop()
            return
        if not raster.is_ready():
            # somebody's warm-up job is loading the loops
            self._sorting.start(SORT_DELAY_MS)
            return
        if self._sorting.interval() != 0:
            self._steps = self._points.sort_steps()
            self._sorting.start(0)
        clock = QElapsedTimer()
        clock.start()
        for _ in self._steps:
            if clock.elapsed() > SORT_SLICE_MS:
                return
        self._sorting.stop()
        # what is in view can be told only now, and with it whether stamps are affordable
        self._restyle()

    def _on_animation_value_changed(self, value: float) -> None:
        if len(self._origin) == len(self._target):
            self._place(self._origin + (self._target - self._origin) * float(value))

    def _on_animation_finished(self) -> None:
        self._place(self._target)
        self._sort_later()

    def set_colors(
        self,
        indices: ArrayLike | None,
        lut: ArrayLike | None = None,
        missing: ArrayLike | None = None,
        categorical: bool = False,
    ) -> None:
        """Colour the points.

        Parameters
        ----------
        indices : (n,) integers, or None
            Index of each point's colour. None: all alike; crowds of points then show their density.
        lut : (k, 3) uint8
            The colours, k ≤ 65,536. May be given without `indices` as the colours of density.
        missing : (n,) bool, optional
            Points without a value: hollow grey rings.
        categorical : bool
            The indices are names, not numbers: never averaged.
        """
        self._looks.set_colors(indices, lut, missing, categorical)
        self._restyle()

    def set_shapes(self, shapes: ArrayLike | None) -> None:
        """Symbol of each point: (n,) numbers into :data:`raster.SHAPES`; None: circles."""
        self._looks.set_shapes(shapes)
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
        """Diameter in pixels; None: by number of points and zoom."""
        if diameter is not None and not 0 < diameter <= 60:
            raise ValueError(f"a point's diameter is between 0 and 60 pixels, not {diameter}")
        self._size = diameter
        self._raster.invalidate()

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
        for label, color in ((self._badge, colors.muted), (self._busy, colors.accent)):
            label.setStyleSheet(
                f"QLabel {{ color: {color}; background: {colors.surface}; border: 1px solid {colors.border};"
                " border-radius: 4px; padding: 1px 6px; }"
            )
        self._raster.invalidate()
        self._markers.update()
        self._place_labels()

    def set_axes(self, titles: tuple[str, ...] | list[str]) -> None:
        """Titles of x and y with their ticks; empty: no axes at all (the axes of UMAP mean nothing)."""
        if len(titles) not in (0, 2):
            raise ValueError("axes need two titles or none")
        self._titles = tuple(titles)
        for axis, title in zip((self._view.x_axis, self._view.y_axis), titles or ("", ""), strict=True):
            axis.setVisible(bool(titles))
            axis.setLabel(title)
            axis.setStyle(showValues=bool(titles))
            if not titles:
                axis.showLabel(False)
        if titles:
            self._view.x_axis.setHeight(None)
            self._view.y_axis.setWidth(None)
        else:
            self._view.x_axis.setHeight(0)
            self._view.y_axis.setWidth(0)

    def set_equal_aspect(self, equal: bool) -> None:
        """Whether one unit is equally long on both axes (it is at first: distances on a map mean something)."""
        self._equal = equal
        self._box.setAspectLocked(equal)

    def set_busy(self, text: str | None) -> None:
        """Say that new points are being computed; the old ones stay usable. None: done."""
        self._busy.setText(text or "")
        self._busy.setVisible(bool(text))
        self._place_labels()

    @property
    def status(self) -> str:
        """What the badge says."""
        return self._badge.text()

    def refresh(self) -> None:
        """Draw anew, with compiled loops if they have been loaded meanwhile."""
        self._raster.invalidate()

    def _restyle(self) -> None:
        self._codes = None
        self._raster.invalidate()

    def _draw(self, canvas: raster.Canvas, transform: Floats, ratio: float) -> int:
        n = len(self._xy)
        height, width = canvas.shape
        x = (np.array([0.0, width]) - transform[1]) / transform[0]
        y = (np.array([0.0, height]) - transform[3]) / transform[2]
        # a stamp reaches into the picture from outside
        margin = 8.0 * ratio
        dx, dy = margin / abs(transform[0]), margin / abs(transform[2])
        spans = self._points.spans(x.min() - dx, x.max() + dx, y.min() - dy, y.max() + dy)
        home = max(self._bounds.width() * abs(transform[0]) / width, self._bounds.height() * abs(transform[2]) / height)
        radius = raster.auto_radius(n, width / ratio, height / ratio, home)
        if self._size is not None:
            radius = self._size / 2.0
        near = int((spans[:, 1] - spans[:, 0]).sum())
        stamped = near * raster.stamp_pixels(radius * ratio) <= raster.STAMP_BUDGET
        mode: raster.Mode = "points" if stamped else self._looks.mode
        self._drawn_as = mode
        if self._radius != radius:
            self._radius = self._markers.radius = radius
            self._markers.update()
        looks = self._looks
        if self._codes is None:
            self._codes = self._points.arrange(looks.codes())
        style = raster.Style(mode, radius * ratio, looks.has_dimmed, looks.has_missing)
        return canvas.draw(self._points, self._codes, spans, transform, looks.palette, style)

    def _update_markers(self) -> None:
        self._markers.active = None if self._active is None else self.position(self._active)
        self._markers.pins = [self.position(i) for i in self._pins]
        self._markers.hovered = self.position(self._hover) if self._hover >= 0 else None
        self._markers.update()

    def _on_raster_drawn(self, shown: int) -> None:
        self._update_badge(shown)

    def _update_badge(self, shown: int | None) -> None:
        if shown is not None:
            self._shown = shown
        text = self.tr("{shown} of {total}").format(shown=f"{self._shown:,}", total=f"{len(self._xy):,}")
        if self._drawn_as == "mean":
            text = self.tr("mean colour of each pixel") + " · " + text
        elif self._drawn_as == "density":
            text = self.tr("density") + " · " + text
        elif self._drawn_as == "sample":
            text = self.tr("one point for each pixel") + " · " + text
        if text != self._badge.text():
            self._badge.setText(text)
            self._place_labels()
            self.status_changed.emit(text)

    def _place_labels(self) -> None:
        area = self._box.sceneBoundingRect()
        for label, top in ((self._badge, False), (self._busy, True)):
            label.adjustSize()
            y = area.top() + 6 if top else area.bottom() - label.height() - 6
            label.move(round(area.right() - label.width() - 6), round(y))

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

    def _set_limits(self) -> None:
        side = max(self._bounds.width(), self._bounds.height())
        # beyond 10^7 the pixels of float64 coordinates are still exact, but nobody finds the way back
        self._box.setLimits(minXRange=side * 1e-7, minYRange=side * 1e-7, maxXRange=side * 50, maxYRange=side * 50)

    def _on_box_range_changed(self) -> None:
        self._raster.update()
        self._markers.update()
        self.range_changed.emit(*self.range)

    def _on_view_panned(self, by: QPointF) -> None:
        size = self._box.viewPixelSize()
        self._box.translateBy(x=-by.x() * size[0], y=by.y() * size[1])

    def _on_view_zoomed(self, at: QPointF, factor: float) -> None:
        self._box.scaleBy(s=(1.0 / factor, 1.0 / factor), center=self._box.mapSceneToView(self._view.to_scene(at)))
        self._set_hover(-1)

    def set_tool(self, tool: Tool) -> None:
        """What a left drag does: "pan", "lasso" or "box"."""
        if tool not in ("pan", "lasso", "box"):
            raise ValueError(f"{tool!r} is none of pan, lasso, box")
        if tool != self._view.tool:
            self._view.set_tool(tool)
            self.tool_changed.emit(tool)

    @property
    def tool(self) -> Tool:
        """What a left drag does."""
        return self._view.tool

    def _set_hover(self, index: int) -> None:
        if index != self._hover:
            self._hover = index
            self._update_markers()
            self.hovered.emit(index)

    def _on_view_pointed(self, at: QPointF) -> None:
        inside = self._box.sceneBoundingRect().contains(self._view.to_scene(at))
        self._set_hover(self._at(at) if inside else -1)

    def _on_view_left(self) -> None:
        self._set_hover(-1)

    def _on_view_clicked(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        index = self._at(at)
        if index >= 0:
            self.clicked.emit(index, modifiers)
        else:
            self.background_clicked.emit()

    def _on_view_double_clicked(self, at: QPointF) -> None:
        self.reset_range()

    def _on_view_menu_requested(self, at: QPointF, screen: QPoint) -> None:
        self.context_menu_requested.emit(self._at(at), screen)

    def _on_view_outlined(self, corners: list[QPointF], operation: str) -> None:
        data = [self._box.mapSceneToView(corner) for corner in corners]
        polygon = np.array([[p.x(), p.y()] for p in data], np.float64).reshape(-1, 2)
        self.lassoed.emit(self._points.inside(polygon), operation)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, plain = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, 1),
            Qt.Key.Key_Down: (0, -1),
        }
        tools: dict[int, Tool] = {Qt.Key.Key_L: "lasso", Qt.Key.Key_B: "box", Qt.Key.Key_V: "pan"}
        none = Qt.KeyboardModifier.NoModifier
        if key in steps and plain == Qt.KeyboardModifier.ShiftModifier:
            self._step(*steps[Qt.Key(key)])
        elif key in steps and plain == none:
            x, y = steps[Qt.Key(key)]
            x0, x1, y0, y1 = self.range
            self._box.translateBy(x=0.1 * x * (x1 - x0), y=0.1 * y * (y1 - y0))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._box.scaleBy(s=(1 / 1.2, 1 / 1.2))
        elif key == Qt.Key.Key_Minus:
            self._box.scaleBy(s=(1.2, 1.2))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_0) and plain == none:
            self.reset_range()
        elif key in tools and plain == none:
            self.set_tool(tools[key])
        elif key == Qt.Key.Key_Menu and self._active is not None:
            at = self.pixel(self._active).toPoint()
            self.context_menu_requested.emit(self._active, self.mapToGlobal(at))
        elif key == Qt.Key.Key_Escape:
            if not self._view.cancel():
                self.escape_pressed.emit()
        else:
            super().keyPressEvent(event)

    def _step(self, right: int, up: int) -> None:
        """Report the next point in a direction from the active one (from the middle of the view without one)."""
        x0, x1, y0, y1 = self.range
        start = ((x0 + x1) / 2, (y0 + y1) / 2) if self._active is None else self.position(self._active)
        size = self._box.viewPixelSize()
        with np.errstate(invalid="ignore"):
            dx, dy = (self._xy[:, 0] - start[0]) / size[0], (self._xy[:, 1] - start[1]) / size[1]
            ahead, aside = dx * right + dy * up, abs(dx * up) + abs(dy * right)
            # leaving the direction counts double; what is more aside than ahead is another key's
            cost = np.where((ahead > 1e-9) & (aside <= ahead), ahead + 2 * aside, np.inf)
        if len(cost) and np.isfinite(cost.min()):
            self.clicked.emit(int(np.argmin(cost)), Qt.KeyboardModifier.NoModifier)

    def sizeHint(self) -> QSize:
        return QSize(640, 560)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 140)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_labels()

    def hideEvent(self, event: QHideEvent) -> None:
        # a hidden map must not keep the event loop busy
        if self._animation.state() == QVariantAnimation.State.Running:
            self._animation.stop()
            self._place(self._target)
        super().hideEvent(event)


def _bounds(xy: Floats) -> QRectF:
    finite = xy if np.isfinite(xy.sum()) else xy[np.isfinite(xy).all(axis=1)]
    if not len(finite):
        return QRectF(-1, -1, 2, 2)
    # column by column: reducing a long thin array along its first axis is slow
    low = [float(finite[:, k].min()) for k in (0, 1)]
    high = [float(finite[:, k].max()) for k in (0, 1)]
    side = max(high[0] - low[0], high[1] - low[1]) or 2.0
    # a line of points has no height, and a view box cannot show none
    for k in (0, 1):
        if high[k] - low[k] < 1e-3 * side:
            low[k], high[k] = (low[k] + high[k] - side) / 2, (low[k] + high[k] + side) / 2
    return QRectF(low[0], low[1], high[0] - low[0], high[1] - low[1])


def _legal(index: int | None, count: int) -> int | None:
    if index is not None and not 0 <= index < count:
        raise ValueError(f"point {index} of {count}")
    return index
