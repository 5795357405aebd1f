"""Numbers on atoms: the bar that says what the colours mean, over the structure on the screen and in figures."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen

from qmlstudio.session.atom_values import AtomValues, signed
from qmlstudio.session.coloring import palette
from qmlstudio.widgets.color_bar import ticks
from qmlstudio.widgets.theme import theme

BAR: Final = (210.0, 11.0)
"""Largest width, and height, of the bar, logical pixels."""
_MARGIN: Final = 12.0
_LEAST: Final = 90.0


def paint_bar(painter: QPainter, shown: AtomValues, dark: bool, width: float) -> QRectF:
    """The bar in the upper left corner of a picture of that width; returns what it covers."""
    colors = theme(dark)
    long = min(BAR[0], width - 2 * _MARGIN - 20)
    if long < _LEAST:
        return QRectF()
    font = QFont(painter.font())
    font.setPixelSize(11)
    metrics = QFontMetricsF(font)
    line = metrics.height()
    card = QRectF(4, 4, long + 2 * _MARGIN, 2 * line + BAR[1] + 14)
    surface = QColor(colors.background)
    surface.setAlpha(205)
    painter.save()
    painter.setFont(font)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(surface)
    painter.drawRoundedRect(card, 4, 4)
    painter.setPen(QColor(colors.foreground))
    title = metrics.elidedText(shown.label, Qt.TextElideMode.ElideRight, long)
    left = card.left() + _MARGIN
    painter.drawText(QPointF(left, card.top() + 3 + metrics.ascent()), title)
    bar = QRectF(left, card.top() + line + 5, long, BAR[1])
    lut = palette(shown.palette)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    steps = 32
    for k in range(steps + 1):
        r, g, b = lut[round(k / steps * (len(lut) - 1))].tolist()
        gradient.setColorAt(k / steps, QColor(r, g, b))
    painter.setBrush(gradient)
    painter.setPen(QPen(QColor(colors.border), 1.0))
    painter.drawRect(bar)
    limit = shown.limit
    places = ticks(-limit, limit, "linear", 4)
    step = places[1] - places[0] if len(places) > 1 else limit
    digits = next((d for d in range(12) if abs(round(step, d) - step) < 1e-6 * step), 12)
    painter.setPen(QColor(colors.foreground))
    end = -1e9
    for value in places:
        text, x = signed(value, digits), bar.left() + (value / limit + 1) / 2 * bar.width()
        painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + 3))
        wide = metrics.horizontalAdvance(text)
        at = min(max(x - wide / 2, card.left() + 2), card.right() - wide - 2)
        if at > end + 6:
            painter.drawText(QPointF(at, bar.bottom() + 4 + metrics.ascent()), text)
            end = at + wide
    painter.restore()
    return card
