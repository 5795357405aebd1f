"""The map in three dimensions: the same points, gestures and signals as the plane one, and a cloud that turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets import overlay_backend
from qmlstudio.widgets.camera import EYE, Camera
from qmlstudio.widgets.cloud_gestures import CloudGestures, handle_key, is_ours
from qmlstudio.widgets.cloud_picture import CloudPicture
from qmlstudio.widgets.map_canvas import ANIMATED_POINTS
from qmlstudio.widgets.overlay_items import BoxItem, paint_arrow
from qmlstudio.widgets.scatter import ScatterMap
from qmlstudio.widgets.theme import Theme

Floats = NDArray[np.float64]

HOME = Camera(projection="orthographic").turned((0, 1, 0), -28).turned((1, 0, 0), 20)
"""At first the first two axes point right and up, turned so far that the third shows."""
TRIAD = 30.0
"""Length of the triad's arrows in pixels."""

# the three directions of vermilion, bluish green and blue of Okabe and Ito, for light and dark; named as well
_AXIS_COLORS = (("#c04f00", "#ff8f3f"), ("#00795a", "#2fc79b"), ("#0072b2", "#56b4e9"))


class TriadItem(BoxItem):
    """Arrows along the axes in the lower left corner, with their titles; those that point away are drawn first."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 28.0)
        self.matrix: Floats = np.eye(3)
        self.titles: tuple[str, ...] = ()

    def set_matrix(self, matrix: Floats) -> None:
        """Rotation (3, 3) from the data to the view."""
        self.matrix = matrix
        self.update()

    def set_titles(self, titles: tuple[str, ...]) -> None:
        """Three, or none: then the keys' letters."""
        self.titles = titles
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        font = QFont()
        font.setPixelSize(11)
        metrics = QFontMetricsF(font)
        area = self.boundingRect()
        if area.width() < 3 * TRIAD or area.height() < 3 * TRIAD:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = self.titles or ("x", "y", "z")
        widest = max(metrics.horizontalAdvance(name) for name in names)
        # every direction's name has room
        origin = QPointF(TRIAD + min(widest, 0.3 * area.width()) * 0.55 + 12.0, area.bottom() - TRIAD - 20.0)
        halo = QColor(self.colors.background)
        halo.setAlpha(225)
        outline = QPen(halo, 3.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        for k in np.argsort(self.matrix[2]).tolist():
            x, y, z = self.matrix[:, k].tolist()
            tip = origin + QPointF(TRIAD * x, -TRIAD * y)
            color = QColor(_AXIS_COLORS[k][self.colors.dark])
            color.setAlphaF(1.0 if z > -0.3 else 0.65)
            painter.setPen(QPen(halo, 4.5))
            painter.drawLine(origin, tip)
            painter.setPen(QPen(color, 2.0))
            painter.drawLine(origin, tip)
            length = float(np.hypot(x, y))
            if length > 0.2:
                along = (x / length, -y / length)
                paint_arrow(painter, tip + QPointF(3 * along[0], 3 * along[1]), along, color.name(), self.colors)
            name = metrics.elidedText(names[k], Qt.TextElideMode.ElideRight, 0.35 * area.width())
            width = metrics.horizontalAdvance(name)
            at = tip + QPointF(12.0 * x, -11.0 * y)
            left = at.x() - width / 2 + np.sign(x) * min(abs(x) * 1.6, 1.0) * width / 2
            left = min(max(left, 3.0), area.right() - width - 3.0)
            path = QPainterPath()
            path.addText(QPointF(left, at.y() + 4.0), font, name)
            painter.strokePath(path, outline)
            painter.fillPath(path, QColor(self.colors.foreground))


class CloudMap(ScatterMap):
    """Points in space, projected and drawn by the map's own raster: from back to front, pale and small far away.

    What is drawn, hit, selected and overlaid are the projections (:attr:`points`); :attr:`space` are the coordinates
    that are turned. Everything that a :class:`ScatterMap` takes and tells is the same here; an outline selects what is
    seen in it, at all depths.

    The picture is made on the processor, like the plane map's: without a graphics card, OpenGL's markers reach 8 frames
    per second for 134,000 points; this raster needs 13 ms for a frame of them.

    Mouse: left drag turns (arcball); right, middle or Shift+left drag moves; the wheel zooms at the mouse; a double
    click shows everything as at first. With the lasso or box tool a left drag selects as on the plane map.

    Keys: arrows turn, R as at first, X Y Z look along an axis, O changes between orthographic and perspective; the
    others are those of the plane map.
    """

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        self._triad: TriadItem | None = None
        self._camera = HOME
        self._space: Floats = np.zeros((0, 3))
        self._space_from = self._space_to = self._space
        self._center: Floats = np.zeros(3)
        self._extent = 1.0
        super().__init__(parent, dark)
        self._cloud = CloudPicture(self._looks)
        self._cloud.set_theme(self._theme)
        self._picture = self._cloud
        self._triad = TriadItem(self._box, self._theme)
        self._triad.set_matrix(self._camera.matrix)
        self._view.viewport().installEventFilter(CloudGestures(self))
        self._view.installEventFilter(self)
        self.setAccessibleName(self.tr("Map in three dimensions"))

    # -- the points

    def set_points(self, xyz: ArrayLike, animate: bool = False, keep_range: bool = True) -> None:
        """Replace the coordinates: (n, 3) float64, otherwise as :meth:`MapCanvas.set_points`."""
        points = np.asarray(xyz, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"coordinates have shape (n, 3), not {points.shape}")
        self._animation.stop()
        same = len(points) == self.count
        if not same:
            self._forget_looks(len(points))
        self._measure(points)
        self._space_to = points
        if animate and same and 0 < len(points) <= ANIMATED_POINTS and self.isVisible():
            self._space_from = self._space
            self._animation.start()
        else:
            self._space = points
            self._project()
        if len(points) and (not keep_range or not self._range_set):
            self._range_set = True
            self.reset_range()
        self._update_badge(0 if not len(points) else None)

    def _measure(self, points: Floats) -> None:
        """Middle and size of the cloud: it turns about the one, and the other is what is shown whole."""
        finite = points if np.isfinite(points.sum()) else points[np.isfinite(points).all(axis=1)]
        if len(finite):
            low = np.array([finite[:, k].min() for k in range(3)])
            high = np.array([finite[:, k].max() for k in range(3)])
            self._center = low + (high - low) / 2
            squares = sum((finite[:, k] - self._center[k]) ** 2 for k in range(3))
            self._extent = float(np.sqrt(np.max(squares))) or 1.0
        else:
            self._center, self._extent = np.zeros(3), 1.0
        grown = self._extent * (1.0 if not self._camera.is_perspective else 1.0 / np.sqrt(1 - 1 / EYE**2))
        self._set_bounds(np.array([-grown, grown, -grown, grown]))

    def _project(self) -> None:
        n = len(self._space)
        xy, depth = np.empty((n, 2)), np.empty(n)
        distance = EYE * self._extent if self._camera.is_perspective else 0.0
        space = self._space
        if not space.flags.writeable:
            # compiled loops take writable arrays only
            self._space = space = space.copy()
        run = overlay_backend.cloud_loops()
        run.project(space, np.ascontiguousarray(self._camera.matrix), self._center, distance, xy, depth)
        self._cloud.distance = distance
        self._cloud.set_cloud(xy, depth, self._extent)
        self._place(xy)

    @property
    def space(self) -> Floats | None:
        return self._space

    def _on_animation_value_changed(self, value: float) -> None:
        if len(self._space_from) == len(self._space_to):
            self._space = self._space_from + (self._space_to - self._space_from) * float(value)
            self._project()

    def _on_animation_finished(self) -> None:
        self._space = self._space_to
        self._project()

    def hideEvent(self, event: object) -> None:
        if self._animation.state() == QVariantAnimation.State.Running:
            self._animation.stop()
            self._on_animation_finished()
        super().hideEvent(event)  # type: ignore[arg-type]

    # -- how they are looked at

    @property
    def camera(self) -> Camera:
        """Rotation and kind of projection; where the map is and how large is its :attr:`range`."""
        return self._camera

    def set_camera(self, camera: Camera) -> None:
        """Turn the cloud, or project it otherwise; only `rotation` and `projection` count."""
        changed = camera.projection != self._camera.projection
        self._camera = replace(HOME, rotation=camera.rotation, projection=camera.projection)
        if self._triad is not None:
            self._triad.set_matrix(self._camera.matrix)
        if changed:
            self._measure(self._space_to)
        self._project()

    def reset_orientation(self) -> None:
        """Turn as at first."""
        self.set_camera(replace(self._camera, rotation=HOME.rotation))

    def set_perspective(self, on: bool) -> None:
        """Draw what is near larger, or parallel lines parallel."""
        self.set_camera(replace(self._camera, projection="perspective" if on else "orthographic"))

    def set_axes(self, titles: tuple[str, ...] | list[str]) -> None:
        """Titles of the three arrows in the corner; empty: only the keys that look along them (x, y, z)."""
        if len(titles) not in (0, 3):
            raise ValueError("axes in space need three titles or none")
        super().set_axes(())
        if self._triad is not None:
            self._triad.set_titles(tuple(titles))

    def set_equal_aspect(self, equal: bool) -> None:
        """A cloud that turns has one unit in all directions: nothing else is possible."""
        super().set_equal_aspect(True)

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        if self._triad is not None:
            self._cloud.set_theme(self._theme)
            self._triad.set_theme(self._theme)

    # -- gestures

    @property
    def is_outlining(self) -> bool:
        """Whether a lasso or box is being drawn."""
        return self._view.is_pressed

    def turn(self, start: QPointF, end: QPointF) -> None:
        """Arcball: what is at `start` (pixels of the view) goes to `end`."""
        area = self._box.sceneBoundingRect()
        a, b = (self._view.to_scene(p) - area.topLeft() for p in (start, end))
        size = area.width(), area.height()
        middle = self._box.mapViewToScene(QPointF(0.0, 0.0)) - area.topLeft()
        # the ball is about the middle of the cloud, wherever that has been moved to
        shift = QPointF(size[0] / 2, size[1] / 2) - middle if QRectF(QPointF(), area.size()).contains(middle) else None
        if shift is not None:
            a, b = a + shift, b + shift
        self.set_camera(self._camera.rotated((a.x(), a.y()), (b.x(), b.y()), *size))

    def shift(self, by: QPointF) -> None:
        """The picture follows the mouse by so many pixels."""
        self._on_view_panned(by)

    def begin_drag(self, cursor: Qt.CursorShape) -> None:
        """The mouse has taken hold of the cloud."""
        if self._animation.state() == QVariantAnimation.State.Running:
            self._animation.stop()
            self._on_animation_finished()
        self._set_hover(-1)
        self._view.viewport().setCursor(cursor)

    def end_drag(self) -> None:
        """The mouse has let go."""
        self._view.set_tool(self.tool)

    def click(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """A click at a position in the view."""
        self._on_view_clicked(at, modifiers)

    def open_menu(self, at: QPointF, screen: QPoint) -> None:
        """A right click at a position in the view and on the screen."""
        self._on_view_menu_requested(at, screen)

    def _on_view_double_clicked(self, at: QPointF) -> None:
        self.reset_orientation()
        self.reset_range()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and is_ours(event):
            # a key that turns the cloud wins over a menu's
            event.accept()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if handle_key(self, event):
            event.accept()
        else:
            super().keyPressEvent(event)
