"""How learning curves are painted: axes, bands, fits, levels, marks and the card at the mouse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from qmlstudio.session.bench_lines import round_number
from qmlstudio.widgets.color_bar import tick_text, ticks
from qmlstudio.widgets.theme import Theme

if TYPE_CHECKING:
    from qmlstudio.widgets.curve_chart import ChartCurve, ChartLevel

Window = tuple[float, float, float, float]
"""Decadic logarithms: x from, to, y from, to."""
RADIUS = 4.5
BEYOND = 1.0
"""Decades beyond the last mark up to which a fit is drawn: what is farther is not told."""
_FAR = 1e5


def place(x: float, y: float, window: Window, area: QRectF) -> QPointF:
    """Pixels of a pair of logarithms; far outside they are cut, since painters cannot go there."""
    x0, x1, y0, y1 = window
    right = area.left() + (x - x0) / (x1 - x0) * area.width()
    down = area.bottom() - (y - y0) / (y1 - y0) * area.height()
    return QPointF(min(max(right, -_FAR), _FAR), min(max(down, -_FAR), _FAR))


def message(painter: QPainter, text: str, area: QRectF, colors: Theme) -> None:
    """A text in the middle."""
    painter.setPen(QColor(colors.muted))
    painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), text)


def axes(painter: QPainter, area: QRectF, window: Window, titles: tuple[str, str], colors: Theme) -> None:
    """Grid, frame, ticks with labels, titles."""
    metrics, line = painter.fontMetrics(), painter.fontMetrics().height()
    x0, x1, y0, y1 = window
    grid, text = QColor(colors.grid), QColor(colors.foreground)
    xs = _ticks(x0, x1, int(area.width() / 70))
    ys = _ticks(y0, y1, int(area.height() / (1.6 * line)))
    free = -_FAR
    for value in xs:
        at = place(math.log10(value), y0, window, area).x()
        painter.setPen(QPen(grid, 1.0))
        painter.drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()))
        words = f"{value:,.0f}" if value >= 1 else tick_text(value, xs)
        half = metrics.horizontalAdvance(words) / 2
        if at - half < max(free, 0.0) or at + half > area.right() + 10:
            continue
        painter.setPen(text)
        painter.drawText(QPointF(at - half, area.bottom() + metrics.ascent() + 4), words)
        free = at + half + 8
    for value in ys:
        at = place(x0, math.log10(value), window, area).y()
        painter.setPen(QPen(grid, 1.0))
        painter.drawLine(QPointF(area.left(), at), QPointF(area.right(), at))
        words = _plain(value)
        painter.setPen(text)
        painter.drawText(
            QPointF(area.left() - metrics.horizontalAdvance(words) - 6, at + metrics.ascent() / 2 - 1), words
        )
    painter.setPen(QPen(QColor(colors.muted), 1.0))
    painter.drawRect(area)
    painter.setPen(text)
    below = QRectF(area.left(), area.bottom() + line + 5, area.width(), line + 2)
    painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, titles[0])
    painter.save()
    painter.translate(2, area.center().y())
    painter.rotate(-90)
    high = area.height() + 12
    words = metrics.elidedText(titles[1], Qt.TextElideMode.ElideRight, int(high))
    painter.drawText(QRectF(-high / 2, 0, high, line + 2), Qt.AlignmentFlag.AlignHCenter, words)
    painter.restore()


def _ticks(low: float, high: float, count: int) -> list[float]:
    """1, 2, 5 of each decade where there is room for them, else the decades, or every other of them."""
    low, high = max(low, -300.0), min(high, 300.0)
    decades = range(math.floor(low), math.ceil(high) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**e for e in decades for m in steps if low <= math.log10(m) + e <= high]
        if 2 <= len(found) <= max(count, 2):
            return found
    return ticks(10.0**low, 10.0**high, "log", max(2, count))


def _plain(value: float) -> str:
    """A tick's label; beyond what fits by its power."""
    return f"{value:.4g}" if 1e-4 <= value < 1e5 else f"{value:.0e}".replace("e-0", "e−").replace("e+0", "e")


def band(painter: QPainter, curve: ChartCurve, window: Window, area: QRectF) -> None:
    """What 95 % of repeats would lie in, as a veil."""
    if curve.low is None or curve.high is None:
        return
    good = curve.drawable() & np.isfinite(curve.low) & np.isfinite(curve.high) & (curve.high > 0)
    chosen = np.flatnonzero(good).tolist()
    if not chosen:
        return
    lowest = window[2] - 2.0
    upper = [place(math.log10(curve.x[k]), math.log10(curve.high[k]), window, area) for k in chosen]
    lower = [
        place(math.log10(curve.x[k]), math.log10(curve.low[k]) if curve.low[k] > 0 else lowest, window, area)
        for k in chosen
    ]
    veil = QColor(curve.style.color)
    veil.setAlpha(52)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(veil)
    painter.drawPolygon(QPolygonF(upper + lower[::-1]))
    # bars as well: a veil alone is no more than a colour
    painter.setPen(QPen(QColor(curve.style.color), 1.2))
    for a, b in zip(upper, lower, strict=True):
        painter.drawLine(a, b)
        for end in (a, b):
            painter.drawLine(end + QPointF(-3, 0), end + QPointF(3, 0))


def fit(painter: QPainter, curve: ChartCurve, window: Window, area: QRectF) -> None:
    """The fitted power law, thin and dotted, up to a decade beyond the last mark."""
    good = curve.drawable()
    if curve.fit is None or not good.any():
        return
    a, b = curve.fit
    if not (a > 0 and math.isfinite(a) and math.isfinite(b)):
        return
    first, last = math.log10(curve.x[good].min()), math.log10(curve.x[good].max()) + BEYOND
    ends = [place(t, math.log10(a) - b * t, window, area) for t in (first, last)]
    pen = QPen(QColor(curve.style.color), 1.2, Qt.PenStyle.DotLine)
    painter.setPen(pen)
    painter.drawLine(*ends)


def curve(painter: QPainter, of: ChartCurve, window: Window, area: QRectF, colors: Theme) -> None:
    """The line and its marks."""
    points = [
        place(math.log10(of.x[k]), math.log10(of.y[k]), window, area) for k in np.flatnonzero(of.drawable()).tolist()
    ]
    if of.is_reference:
        painter.setPen(QPen(QColor(of.style.color), 1.6, Qt.PenStyle.DashLine))
    else:
        painter.setPen(of.style.pen())
    painter.drawPolyline(QPolygonF(points))
    for at in points:
        if of.is_reference:
            painter.setPen(QPen(QColor(of.style.color), 1.8))
            painter.setBrush(QColor(colors.background))
            painter.drawEllipse(at, RADIUS, RADIUS)
        else:
            of.style.paint_mark(painter, at, RADIUS, QColor(colors.background))


def levels(painter: QPainter, lines: Sequence[ChartLevel], window: Window, area: QRectF, colors: Theme) -> None:
    """Horizontal lines with their names at the left end above them; names that would overlap are left out."""
    metrics, taken = painter.fontMetrics(), [-_FAR]
    for level in sorted(lines, key=lambda v: not v.is_goal):
        if not level.y > 0 or not math.isfinite(level.y):
            continue
        at = place(window[0], math.log10(level.y), window, area).y()
        if not area.top() - 1 <= at <= area.bottom() + 1:
            continue
        color = QColor(colors.accent if level.is_goal else colors.muted)
        dashed = level.is_goal or level.is_reference
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.DashDotLine
        painter.setPen(QPen(color, 1.4, style))
        painter.drawLine(QPointF(area.left(), at), QPointF(area.right(), at))
        if min(abs(at - t) for t in taken) < metrics.height():
            continue
        taken.append(at)
        words = metrics.elidedText(level.name, Qt.TextElideMode.ElideRight, int(area.width() * 0.6))
        base = at - 3 if at - metrics.ascent() - 3 > area.top() else at + metrics.ascent() + 1
        _haloed(painter, QPointF(area.left() + 6, base), words, color, colors)


def reached(
    painter: QPainter, curves: Sequence[ChartCurve], goal: float, window: Window, area: QRectF, colors: Theme
) -> None:
    """Where fits reach the goal, within a decade beyond what was measured: a short stroke and the number."""
    metrics, free = painter.fontMetrics(), -_FAR
    found = []
    for each in curves:
        good = each.drawable()
        if each.fit is None or each.is_reference or not good.any() or each.fit[0] <= 0 or each.fit[1] <= 0:
            continue
        x = (math.log10(each.fit[0]) - math.log10(goal)) / each.fit[1]
        if math.isfinite(x) and x <= math.log10(each.x[good].max()) + BEYOND:
            found.append((x, each))
    level = place(window[0], math.log10(goal), window, area).y()
    for x, each in sorted(found, key=lambda f: f[0]):
        at = place(x, math.log10(goal), window, area)
        if not area.contains(at):
            continue
        color = QColor(each.style.color)
        painter.setPen(QPen(color, 2.0))
        painter.drawLine(at + QPointF(0, -6), at + QPointF(0, 6))
        words = f"N ≈ {round_number(10.0**x):,}"
        wide = metrics.horizontalAdvance(words)
        left = min(at.x() + 4, area.right() - wide - 2)
        if left > free and level + metrics.height() < area.bottom():
            _haloed(painter, QPointF(left, level + metrics.ascent() + 4), words, QColor(colors.foreground), colors)
            free = left + wide + 6


def _haloed(painter: QPainter, at: QPointF, words: str, color: QColor, colors: Theme) -> None:
    metrics = painter.fontMetrics()
    ground = QColor(colors.background)
    ground.setAlpha(205)
    box = QRectF(at.x() - 2, at.y() - metrics.ascent(), metrics.horizontalAdvance(words) + 4, metrics.height())
    painter.fillRect(box, ground)
    painter.setPen(color)
    painter.drawText(at, words)


def ring(painter: QPainter, at: QPointF, color: str, colors: Theme) -> None:
    """Round a mark."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(colors.background), 4.0))
    painter.drawEllipse(at, RADIUS + 4, RADIUS + 4)
    painter.setPen(QPen(QColor(color), 2.0))
    painter.drawEllipse(at, RADIUS + 4, RADIUS + 4)


def card(painter: QPainter, text: str, at: QPointF, inside: QRectF, colors: Theme) -> None:
    """Lines of text beside a place, never outside the widget; the first line is bold."""
    lines = text.split("\n")
    font = painter.font()
    metrics = painter.fontMetrics()
    room = max(int(inside.width()) - 24, 60)
    lines = [metrics.elidedText(t, Qt.TextElideMode.ElideRight, room) for t in lines if t]
    bold = painter.font()
    bold.setBold(True)
    painter.setFont(bold)
    head = painter.fontMetrics().horizontalAdvance(lines[0]) if lines else 0
    painter.setFont(font)
    wide = min(max([head, *(metrics.horizontalAdvance(t) for t in lines)], default=0) + 16.0, inside.width() - 4)
    size = QSizeF(wide, len(lines) * metrics.height() + 10.0)
    left = at.x() + 14 if at.x() + 14 + size.width() <= inside.right() - 2 else at.x() - 14 - size.width()
    left = min(max(left, inside.left() + 2), inside.right() - size.width() - 2)
    top = at.y() - size.height() - 8 if at.y() - size.height() - 8 >= inside.top() + 2 else at.y() + 10
    top = max(min(top, inside.bottom() - size.height() - 2), inside.top() + 2)
    box = QRectF(QPointF(left, top), size)
    ground = QColor(colors.surface)
    ground.setAlpha(240)
    painter.setPen(QPen(QColor(colors.border), 1.0))
    painter.setBrush(ground)
    painter.drawRoundedRect(box, 4.0, 4.0)
    painter.setPen(QColor(colors.foreground))
    y = box.top() + 5 + metrics.ascent()
    for k, words in enumerate(lines):
        painter.setFont(bold if k == 0 else font)
        painter.drawText(QPointF(box.left() + 8, y), words)
        y += metrics.height()
    painter.setFont(font)


def focus(painter: QPainter, area: QRectF, colors: Theme) -> None:
    """The frame of what has the keyboard."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
    painter.drawRect(area.adjusted(0.5, 0.5, -1.5, -1.5))
