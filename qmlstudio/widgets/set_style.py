"""How the sets of a comparison are told apart: colour, line, hatching, and the shape of their mark."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPixmap, QPolygonF

_LINES = {
    "solid": Qt.PenStyle.SolidLine,
    "dash": Qt.PenStyle.DashLine,
    "dot": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}
_HATCHES = (
    Qt.BrushStyle.SolidPattern,
    Qt.BrushStyle.BDiagPattern,
    Qt.BrushStyle.Dense4Pattern,
    Qt.BrushStyle.FDiagPattern,
    Qt.BrushStyle.HorPattern,
    Qt.BrushStyle.VerPattern,
    Qt.BrushStyle.CrossPattern,
    Qt.BrushStyle.DiagCrossPattern,
)
_CORNERS = (0, 4, 3, 5, 6, -3, 4, 8)
"""Of the marks: 0 is a circle, −3 a triangle on its point."""


@dataclass(frozen=True)
class SetStyle:
    """One set's look.

    Attributes
    ----------
    name : str
    color : str
        As ``#rrggbb``.
    line : "solid", "dash", "dot" or "dashdot"
    place : int
        In the list; decides hatching and mark.
    """

    name: str
    color: str
    line: str
    place: int

    def pen(self, width: float = 2.0) -> QPen:
        """For curves."""
        pen = QPen(QColor(self.color), width, _LINES[self.line])
        pen.setCosmetic(True)
        return pen

    def brush(self) -> QBrush:
        """For bars."""
        return QBrush(QColor(self.color), _HATCHES[self.place % len(_HATCHES)])

    def paint_mark(self, painter: QPainter, at: QPointF, radius: float, rim: QColor) -> None:
        """The set's mark round a point."""
        painter.setPen(QPen(rim, 1.0))
        painter.setBrush(QColor(self.color))
        corners = _CORNERS[self.place % len(_CORNERS)]
        if corners == 0:
            painter.drawEllipse(at, radius, radius)
            return
        turn = math.pi / 2 if corners > 0 else -math.pi / 2
        if self.place % len(_CORNERS) == 6:
            turn = math.pi / 4
        n = abs(corners)
        shape = [
            QPointF(
                at.x() + 1.15 * radius * math.cos(turn + 2 * math.pi * k / n),
                at.y() - 1.15 * radius * math.sin(turn + 2 * math.pi * k / n),
            )
            for k in range(n)
        ]
        painter.drawPolygon(QPolygonF(shape))

    def swatch(self, background: str, ratio: float = 1.0) -> QPixmap:
        """A small picture: the line with the mark on it."""
        width, height = 34, 16
        picture = QPixmap(round(width * ratio), round(height * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.pen())
        painter.drawLine(QPointF(1, height / 2), QPointF(width - 1, height / 2))
        self.paint_mark(painter, QPointF(width / 2, height / 2), 4.5, QColor(background))
        painter.end()
        return picture


def paint_legend(painter: QPainter, styles: list[SetStyle], area: QRectF, foreground: str, bars: bool) -> float:
    """Names with lines (or boxes of bars) from left to right, in lines as they fit; returns the height they take."""
    metrics = painter.fontMetrics()
    x, y, line = area.left(), area.top(), metrics.height() + 2.0
    for style in styles:
        text = metrics.elidedText(style.name, Qt.TextElideMode.ElideMiddle, int(max(area.width() - 40, 40)))
        width = 32 + metrics.horizontalAdvance(text) + 16
        if x > area.left() and x + width > area.right() + 16:
            x, y = area.left(), y + line
        middle = y + metrics.height() / 2
        if bars:
            box = QRectF(x + 4, middle - 5, 20, 10)
            painter.setPen(QPen(QColor(style.color), 1.0))
            painter.setBrush(style.brush())
            painter.drawRect(box)
        else:
            painter.setPen(style.pen())
            painter.drawLine(QPointF(x, middle), QPointF(x + 26, middle))
        painter.setPen(QColor(foreground))
        painter.drawText(QPointF(x + 32, y + metrics.ascent()), text)
        x += width
    return y + line - area.top() if styles else 0.0
