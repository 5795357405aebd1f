"""Drawing a selection on a map: what the modifiers mean, and the outline that follows the mouse."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets.theme import Theme

Tool = Literal["pan", "lasso", "box"]
Operation = Literal["replace", "add", "subtract", "intersect"]


def operation(tool: Tool, modifiers: Qt.KeyboardModifier) -> Operation | None:
    """What a left drag with these modifiers does to the selection; None: it moves the map.

    With the lasso or box tool a drag alone replaces, Shift adds, Alt subtracts, Ctrl intersects. With the pan tool
    Shift is what calls the lasso, so there Shift alone replaces, Shift+Alt subtracts, Shift+Ctrl intersects.
    """
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    if tool == "pan" and not shift:
        return None
    if modifiers & Qt.KeyboardModifier.AltModifier:
        return "subtract"
    if modifiers & Qt.KeyboardModifier.ControlModifier:
        return "intersect"
    return "add" if shift and tool != "pan" else "replace"


class LassoItem(QGraphicsItem):
    """The outline of the selection being drawn, in scene coordinates."""

    MIN_STEP = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.setZValue(1000)
        self.hide()
        self._points: list[QPointF] = []
        self._box = False
        self._color = QColor("#d1245c")
        self._sign = ""

    def set_theme(self, colors: Theme) -> None:
        """Take the accent colour."""
        self._color = QColor(colors.accent)
        self.update()

    def begin(self, at: QPointF, box: bool, what: Operation) -> None:
        """Start an outline at a point."""
        self.prepareGeometryChange()
        self._points, self._box = [QPointF(at)], box
        self._sign = {"replace": "", "add": "+", "subtract": "−", "intersect": "∩"}[what]
        self.show()

    def move(self, to: QPointF) -> None:
        """Follow the mouse."""
        self.prepareGeometryChange()
        if self._box:
            a = self._points[0]
            self._points = [a, QPointF(to.x(), a.y()), QPointF(to), QPointF(a.x(), to.y())]
        elif (to - self._points[-1]).manhattanLength() >= self.MIN_STEP:
            self._points.append(QPointF(to))
        self.update()

    def finish(self) -> list[QPointF]:
        """Hide and return the corners."""
        points, self._points = self._points, []
        self.prepareGeometryChange()
        self.hide()
        return points

    def boundingRect(self) -> QRectF:
        return QPolygonF(self._points).boundingRect().adjusted(-24, -24, 24, 24)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if len(self._points) < 2:
            return
        path = QPainterPath()
        path.addPolygon(QPolygonF([*self._points, self._points[0]]))
        fill = QColor(self._color)
        fill.setAlpha(32)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._color, 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(fill)
        painter.drawPath(path)
        if self._sign:
            end = self._points[2] if self._box and len(self._points) > 2 else self._points[-1]
            painter.drawText(end + QPointF(10, -6), self._sign)
