"""Axes of small plots painted by hand: a frame, ticks, titles."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from qmlstudio.widgets.theme import Theme

Tick = tuple[float, str]
"""Where on an axis, from 0 to 1, and what stands there."""


def plot_area(whole: QRectF, metrics: QFontMetricsF, labels: Sequence[str]) -> QRectF:
    """The room within axes whose left one bears these labels."""
    left = metrics.height() + max((metrics.horizontalAdvance(t) for t in labels), default=0.0) + 12
    return whole.adjusted(left, 8, -16, -(2 * metrics.height() + 10))


def paint_axes(
    painter: QPainter,
    area: QRectF,
    colors: Theme,
    bottom: Sequence[Tick],
    left: Sequence[Tick],
    titles: tuple[str, str],
) -> None:
    """Frame, lines of reference, labels that find room, titles of the lower and the left axis."""
    metrics = QFontMetricsF(painter.font())
    line = metrics.height()
    end = -1e9
    for share, text in bottom:
        x = area.left() + share * area.width()
        painter.setPen(QPen(QColor(colors.grid), 1.0))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        wide = metrics.horizontalAdvance(text)
        if x - wide / 2 > end + 6:
            painter.setPen(QColor(colors.foreground))
            painter.drawText(QPointF(x - wide / 2, area.bottom() + 3 + metrics.ascent()), text)
            end = x + wide / 2
    highest = 1e9
    for share, text in left:
        y = area.bottom() - share * area.height()
        painter.setPen(QPen(QColor(colors.grid), 1.0))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if y < highest - line:
            painter.setPen(QColor(colors.foreground))
            place = QPointF(area.left() - 5 - metrics.horizontalAdvance(text), y + metrics.ascent() / 2 - 1)
            painter.drawText(place, text)
            highest = y
    painter.setPen(QPen(QColor(colors.muted), 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area)
    painter.setPen(QColor(colors.foreground))
    room = area.left() + area.width() + 8
    shown = metrics.elidedText(titles[0], Qt.TextElideMode.ElideRight, room)
    wide = metrics.horizontalAdvance(shown)
    x = min(max(area.center().x() - wide / 2, 2.0), max(area.right() + 8 - wide, 2.0))
    painter.drawText(QPointF(x, area.bottom() + line + 5 + metrics.ascent()), shown)
    painter.save()
    painter.translate(2, area.center().y())
    painter.rotate(-90)
    long = area.height() + 14
    shown = metrics.elidedText(titles[1], Qt.TextElideMode.ElideRight, long)
    painter.drawText(QRectF(-long / 2, 0, long, line + 2), Qt.AlignmentFlag.AlignCenter, shown)
    painter.restore()


def paint_message(painter: QPainter, area: QRectF, colors: Theme, text: str) -> None:
    """What is said where there is nothing to draw."""
    painter.setPen(QColor(colors.muted))
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
