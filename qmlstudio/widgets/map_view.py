"""The map's canvas: axes, raster and markers in one scene, and the mouse's gestures as signals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QGraphicsObject, QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets import raster
from qmlstudio.widgets.lasso import LassoItem, Operation, Tool, operation
from qmlstudio.widgets.theme import Theme

Draw = Callable[[raster.Canvas, raster.Floats, float], int]
"""Fills a canvas: takes the transform from data to its pixels and the pixel ratio; returns the number in view."""


class RasterItem(QGraphicsObject):
    """The picture of all points, made anew at device resolution whenever the view box has moved.

    It is a child of the view box itself, not of its data group: its own coordinates are the view box's pixels.
    """

    drawn = Signal(int)
    """Number of points in view; emitted while painting, so connect queued."""

    def __init__(self, box: pg.ViewBox, draw: Draw) -> None:
        super().__init__(box)
        self._box, self._draw = box, draw
        self._canvas = raster.Canvas(0, 0)
        self._key: tuple[object, ...] | None = None
        self.setZValue(10)
        box.sigResized.connect(self.fit)

    def fit(self) -> None:
        """Take the view box's new size."""
        self.prepareGeometryChange()
        self.update()

    def invalidate(self) -> None:
        """The points or their looks have changed."""
        self._key = None
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self._box.rect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        ratio = painter.device().devicePixelRatio()
        to_device = painter.worldTransform() * QTransform.fromScale(ratio, ratio)
        area = to_device.mapRect(self.boundingRect())
        left, top = int(np.floor(area.left())), int(np.floor(area.top()))
        width, height = int(np.ceil(area.right())) - left, int(np.ceil(area.bottom())) - top
        if width <= 0 or height <= 0:
            return
        t = self._box.childTransform() * to_device
        key = (width, height, left, top, ratio, t.m11(), t.m22(), t.dx(), t.dy())
        if key != self._key:
            if self._canvas.shape != (height, width):
                self._canvas = raster.Canvas(width, height)
            transform = np.array([t.m11(), t.dx() - left, t.m22(), t.dy() - top])
            self.drawn.emit(self._draw(self._canvas, transform, ratio))
            self._key = key
        pixels = self._canvas.image
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        painter.save()
        painter.resetTransform()
        painter.drawImage(QPointF(left / ratio, top / ratio), image)
        painter.restore()


class MarkerItem(QGraphicsObject):
    """Rings around single points: the active one, the pinned ones with their numbers, the one under the mouse."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box)
        self._box = box
        self.colors = colors
        self.radius = 5.0
        self.active: tuple[float, float] | None = None
        self.hovered: tuple[float, float] | None = None
        self.pins: list[tuple[float, float]] = []
        self.setZValue(20)
        box.sigResized.connect(self.fit)

    def fit(self) -> None:
        """Take the view box's new size."""
        self.prepareGeometryChange()
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self._box.rect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        t = self._box.childTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hovered is not None:
            self._ring(painter, t.map(QPointF(*self.hovered)), self.radius + 2.5, self.colors.foreground, 1.5)
        for number, pin in enumerate(self.pins, 1):
            at = t.map(QPointF(*pin))
            self._ring(painter, at, self.radius + 4.0, self.colors.pin, 2.0)
            self._number(painter, at, str(number))
        if self.active is not None:
            self._ring(painter, t.map(QPointF(*self.active)), self.radius + 6.5, self.colors.accent, 2.5)

    def _ring(self, painter: QPainter, at: QPointF, radius: float, color: str, width: float) -> None:
        if np.isnan(at.x() + at.y()):  # a point that has no place
            return
        # a rim in the background's colour keeps the ring visible on any points
        painter.setPen(QPen(QColor(self.colors.background), width + 2.0))
        painter.drawEllipse(at, radius, radius)
        painter.setPen(QPen(QColor(color), width))
        painter.drawEllipse(at, radius, radius)

    def _number(self, painter: QPainter, at: QPointF, text: str) -> None:
        if np.isnan(at.x() + at.y()):
            return
        font = QFont(painter.font())
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        width = max(15.0, painter.fontMetrics().horizontalAdvance(text) + 7.0)
        offset = self.radius + 4.0
        flag = QRectF(at.x() + 0.7 * offset, at.y() - 0.7 * offset - 15.0, width, 15.0)
        painter.setPen(QPen(QColor(self.colors.background), 1.0))
        painter.setBrush(QColor(self.colors.pin))
        painter.drawRoundedRect(flag, 7.0, 7.0)
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


class MapView(pg.GraphicsView):  # type: ignore[misc]
    """View box with axes; turns the mouse into gestures (the scene gets no mouse events).

    Signals carry view coordinates in pixels.
    """

    pointed = Signal(QPointF)
    """The mouse moved without a button."""
    left = Signal()
    clicked = Signal(QPointF, Qt.KeyboardModifier)
    double_clicked = Signal(QPointF)
    menu_requested = Signal(QPointF, QPoint)
    """Position in the view and on the screen."""
    panned = Signal(QPointF)
    """How far the map is to be moved."""
    zoomed = Signal(QPointF, float)
    """Centre and factor; above 1 enlarges."""
    outlined = Signal(list, str)
    """Corners (list of QPointF, in the scene) and operation of a finished lasso or box."""

    def __init__(self, colors: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=colors.background)
        # graphics views swallow dropped files: the window wants them
        self.setAcceptDrops(False)
        self.tool: Tool = "pan"
        self.titles: tuple[str, ...] = ()
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False)
        self.box.disableAutoRange()
        self.x_axis, self.y_axis = pg.AxisItem("bottom"), pg.AxisItem("left")
        layout = pg.GraphicsLayout(border=None)
        layout.setContentsMargins(4, 4, 8, 4)
        layout.setSpacing(0)
        layout.addItem(self.y_axis, 0, 0)
        layout.addItem(self.box, 0, 1)
        layout.addItem(self.x_axis, 1, 1)
        for axis in (self.x_axis, self.y_axis):
            axis.linkToView(self.box)
            # an SI prefix on a component or a bond length would be read as a unit
            axis.enableAutoSIPrefix(False)
        self.setCentralItem(layout)
        self.lasso = LassoItem()
        self.scene().addItem(self.lasso)
        self._press: QPointF | None = None
        self._last = QPointF()
        self._button = Qt.MouseButton.NoButton
        self._modifiers = Qt.KeyboardModifier.NoModifier
        self._operation: Operation | None = None
        self._dragging = False

    def set_theme(self, colors: Theme) -> None:
        """Colours of everything but the points."""
        self.setBackground(colors.background)
        self.lasso.set_theme(colors)
        self.box.setBorder(pg.mkPen(colors.border))
        for axis in (self.x_axis, self.y_axis):
            axis.setPen(pg.mkPen(colors.muted))
            axis.setTextPen(pg.mkPen(colors.foreground))

    def set_axes(self, titles: tuple[str, ...] | list[str]) -> None:
        """Titles of x and y with their ticks; empty: no axes at all. ValueError for another number."""
        if len(titles) not in (0, 2):
            raise ValueError("axes need two titles or none")
        self.titles = tuple(titles)
        for axis, title in zip((self.x_axis, self.y_axis), titles or ("", ""), strict=True):
            axis.setVisible(bool(titles))
            axis.setLabel(title)
            axis.setStyle(showValues=bool(titles))
            if not titles:
                axis.showLabel(False)
        self.x_axis.setHeight(None if titles else 0)
        self.y_axis.setWidth(None if titles else 0)

    def set_tool(self, tool: Tool) -> None:
        """What a left drag does."""
        self.tool = tool
        if tool == "pan":
            self.viewport().unsetCursor()
        else:
            self.viewport().setCursor(Qt.CursorShape.CrossCursor)

    def to_scene(self, position: QPointF) -> QPointF:
        """A position in the view, not rounded to whole pixels as QGraphicsView does."""
        inverse, _ = self.viewportTransform().inverted()
        return QPointF(inverse.map(position))

    @property
    def is_pressed(self) -> bool:
        """Whether a button is held down for a gesture."""
        return self._press is not None

    def cancel(self) -> bool:
        """Give up the outline being drawn; returns whether there was one."""
        if self._dragging and self._operation is not None:
            self.lasso.finish()
            self._dragging, self._press = False, None
            return True
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if self._press is not None:
            return
        self._press = self._last = event.position()
        self._button, self._modifiers = event.button(), event.modifiers()
        self._dragging = False
        self._operation = operation(self.tool, self._modifiers) if self._button == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        at = event.position()
        if self._press is None:
            if event.buttons() == Qt.MouseButton.NoButton:
                self.pointed.emit(at)
            return
        if not self._dragging:
            if (at - self._press).manhattanLength() < max(4, QApplication.startDragDistance() // 2):
                return
            self._dragging = True
            if self._operation is not None:
                self.lasso.begin(self.to_scene(self._press), self.tool == "box", self._operation)
            elif self._button != Qt.MouseButton.RightButton:
                self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._operation is not None:
            self.lasso.move(self.to_scene(at))
        elif self._button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self.panned.emit(at - self._last)
        self._last = at

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if self._press is None or event.button() != self._button:
            return
        press, self._press = self._press, None
        if not self._dragging:
            if self._button == Qt.MouseButton.LeftButton:
                self.clicked.emit(press, self._modifiers)
            return
        self._dragging = False
        if self._operation is not None:
            self.outlined.emit(self.lasso.finish(), self._operation)
        else:
            self.set_tool(self.tool)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit(event.position())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()
        self.menu_requested.emit(QPointF(event.pos()), event.globalPos())

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        steps = event.angleDelta().y() / 120.0
        if steps and self._press is None:
            self.zoomed.emit(event.position(), 1.2**steps)

    def leaveEvent(self, event: object) -> None:
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # keys are the map's business
        event.ignore()
