"""Draws a matrix of tiles: its colours, groups, marks on the axes, colour bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QWidget

from qmlstudio.session.coloring import palette
from qmlstudio.session.kernel_picture import TILE, TileKey
from qmlstudio.widgets.color_bar import ticks
from qmlstudio.widgets.matrix_cache import TileCache
from qmlstudio.widgets.plain_axes import paint_message
from qmlstudio.widgets.theme import Theme

Indices = NDArray[np.int64]

STRIP = 7
"""Pixels of the marks beside the axes."""
BAR = 62
"""Pixels of the colour bar and its numbers."""
_BAR_WIDTH = 12
_LEAST_GROUP = 3.0
"""Pixels from which a group has lines of its own."""


@dataclass(frozen=True, eq=False)
class Look:
    """All that is drawn.

    Attributes
    ----------
    box : QRectF
        Where the visible part of the matrix is.
    part : (first row, last row, first column, last column)
        Which part that is.
    keys : list of TileKey
        Its tiles.
    step : int
        Rows that one sample stands for.
    """

    box: QRectF
    part: tuple[float, float, float, float]
    keys: list[TileKey]
    cache: TileCache
    title: str
    message: str
    axis: str
    text_of: Callable[[int], str]
    bounds: Indices
    names: tuple[str, ...]
    marked: Indices
    active: int | None
    pinned: tuple[int, ...]
    cursor: tuple[int, int] | None
    step: int

    @property
    def scale(self) -> float:
        """Pixels of a row."""
        return self.box.height() / max(self.part[1] - self.part[0], 1e-12)

    def x(self, column: float) -> float:
        """Where a column begins, pixels."""
        return self.box.left() + (column - self.part[2]) * self.scale

    def y(self, row: float) -> float:
        """Where a row begins, pixels."""
        return self.box.top() + (row - self.part[0]) * self.scale


def paint(painter: QPainter, widget: QWidget, colors: Theme, look: Look) -> None:
    """Draw everything."""
    whole = QRectF(widget.rect())
    painter.fillRect(whole, QColor(colors.background))
    if look.box.isEmpty():
        paint_message(painter, whole.adjusted(12, 8, -12, -8), colors, look.message)
    else:
        _tiles(painter, look, colors, widget.devicePixelRatioF())
        _groups(painter, look)
        _marks(painter, look, colors)
        _labels(painter, look, colors, whole)
        _color_bar(painter, look, colors, whole)
    if widget.hasFocus():
        painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(whole.adjusted(0.5, 0.5, -1.5, -1.5))


def _tiles(painter: QPainter, look: Look, colors: Theme, ratio: float) -> None:
    painter.save()
    painter.setClipRect(look.box)
    painter.fillRect(look.box, QColor(colors.grid))
    top = max((key[0] for key in look.keys), default=0) + 32
    for key in look.keys:
        found = look.cache.nearest(key, top)
        if found is None:
            continue
        wide = TILE << key[0]
        # whole pixels of the screen, lest lines show between tiles
        edges = [
            round(v * ratio) / ratio
            for v in (
                look.x(key[2] * wide),
                look.y(key[1] * wide),
                look.x((key[2] + 1) * wide),
                look.y((key[1] + 1) * wide),
            )
        ]
        image, source = found
        painter.drawImage(QRectF(QPointF(edges[0], edges[1]), QPointF(edges[2], edges[3])), image, source)
    painter.restore()
    painter.setPen(QPen(QColor(colors.muted), 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(look.box)


def _groups(painter: QPainter, look: Look) -> None:
    if len(look.bounds) < 3:
        return
    wide = np.diff(look.bounds) * look.scale
    inner = look.bounds[1:-1][(wide[:-1] >= _LEAST_GROUP) | (wide[1:] >= _LEAST_GROUP)]
    # light within dark is seen on every colour
    for color, width in (("#000000", 2.6), ("#ffffff", 1.0)):
        painter.setPen(QPen(QColor(color), width))
        rows = inner[(inner > look.part[0]) & (inner < look.part[1])]
        columns = inner[(inner > look.part[2]) & (inner < look.part[3])]
        lines = [QLineF(look.box.left(), y, look.box.right(), y) for y in map(look.y, rows.tolist())]
        lines += [QLineF(x, look.box.top(), x, look.box.bottom()) for x in map(look.x, columns.tolist())]
        if lines:
            painter.drawLines(lines)


def _marks(painter: QPainter, look: Look, colors: Theme) -> None:
    """The selected as lines, the active as a filled and the pinned as hollow triangles, on both axes."""
    painter.setPen(QPen(QColor(colors.foreground), 1.0))
    for across, first, last in ((False, look.part[0], look.part[1]), (True, look.part[2], look.part[3])):
        start, stop = np.searchsorted(look.marked, [math.floor(first), math.ceil(last)])
        places = look.marked[start:stop]
        if len(places):
            pixels = np.unique(np.floor((places + 0.5 - first) * look.scale).astype(np.int64))
            if across:
                lines = [
                    QLineF(x, look.box.top() - STRIP, x, look.box.top() - 2)
                    for x in (look.box.left() + pixels + 0.5).tolist()
                ]
            else:
                lines = [
                    QLineF(look.box.left() - STRIP, y, look.box.left() - 2, y)
                    for y in (look.box.top() + pixels + 0.5).tolist()
                ]
            painter.drawLines(lines)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for place in look.pinned:
        _triangles(painter, look, place, QPen(QColor(colors.pin), 1.6), Qt.BrushStyle.NoBrush)
    if look.active is not None:
        _triangles(painter, look, look.active, QPen(QColor(colors.accent), 1.0), Qt.BrushStyle.SolidPattern)
    if look.cursor is not None:
        row, column = (c - c % look.step for c in look.cursor)
        size = max(look.scale * look.step, 3.0)
        at = QRectF(look.x(column), look.y(row), size, size).adjusted(-2, -2, 2, 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in (("#000000", 3.0), ("#ffffff", 1.4)):
            painter.setPen(QPen(QColor(color), width))
            painter.drawRect(at)
    painter.restore()


def _triangles(painter: QPainter, look: Look, place: int, pen: QPen, brush: Qt.BrushStyle) -> None:
    painter.setPen(pen)
    painter.setBrush(pen.color() if brush == Qt.BrushStyle.SolidPattern else brush)
    x, y = look.x(place + 0.5), look.y(place + 0.5)
    top, left = look.box.top(), look.box.left()
    if look.box.left() <= x <= look.box.right():
        painter.drawPolygon([QPointF(x, top - 1), QPointF(x - 4, top - STRIP), QPointF(x + 4, top - STRIP)])
    if look.box.top() <= y <= look.box.bottom():
        painter.drawPolygon([QPointF(left - 1, y), QPointF(left - STRIP, y - 4), QPointF(left - STRIP, y + 4)])


def _labels(painter: QPainter, look: Look, colors: Theme, whole: QRectF) -> None:
    metrics = painter.fontMetrics()
    line, base = metrics.height(), look.box.bottom() + 3
    painter.setPen(QColor(colors.foreground))
    title = metrics.elidedText(look.title, Qt.TextElideMode.ElideRight, int(whole.width()) - 12)
    painter.drawText(QPointF(6, look.box.top() - STRIP - 4 - metrics.descent()), title)
    if look.names:
        _group_names(painter, look, base)
    else:
        free = -1e9
        count = max(2, int(look.box.width() // 90))
        for k in range(count + 1):
            place = look.part[2] + (look.part[3] - look.part[2]) * k / count
            text = look.text_of(min(int(place), math.ceil(look.part[3]) - 1))
            wide = metrics.horizontalAdvance(text)
            x = min(max(look.x(place) - wide / 2, 2.0), look.box.right() + 10 - wide)
            if x > free:
                painter.drawText(QPointF(x, base + metrics.ascent()), text)
                free = x + wide + 8
    painter.setPen(QColor(colors.muted))
    axis = metrics.elidedText(look.axis, Qt.TextElideMode.ElideRight, int(whole.width()) - 12)
    wide = metrics.horizontalAdvance(axis)
    x = min(max(look.box.center().x() - wide / 2, 4.0), whole.width() - wide - 4)
    painter.drawText(QPointF(x, base + line + metrics.ascent()), axis)


def _group_names(painter: QPainter, look: Look, base: float) -> None:
    metrics = painter.fontMetrics()
    for k, name in enumerate(look.names):
        left = max(look.x(int(look.bounds[k])), look.box.left())
        right = min(look.x(int(look.bounds[k + 1])), look.box.right())
        text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(right - left) - 2)
        # an ellipsis alone says nothing
        if right - left > 10 and text not in ("", "…"):
            painter.drawText(
                QPointF((left + right - metrics.horizontalAdvance(text)) / 2, base + metrics.ascent()), text
            )


def _color_bar(painter: QPainter, look: Look, colors: Theme, whole: QRectF) -> None:
    metrics, cache = painter.fontMetrics(), look.cache
    bar = QRectF(whole.right() - BAR + 10, look.box.top(), _BAR_WIDTH, look.box.height())
    lut = palette("viridis")[::-1]
    strip = np.ascontiguousarray(np.repeat(lut[:, None, :], 4, axis=1))
    image = QImage(strip.data, 4, 256, 12, QImage.Format.Format_RGB888)
    painter.drawImage(bar, image)
    painter.setPen(QPen(QColor(colors.muted), 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar)
    painter.setPen(QColor(colors.foreground))
    count = max(2, int(bar.height() // 45))
    low, high = cache.low, cache.high
    for value in ticks(low, high, "log" if cache.log else "linear", count):
        if not low <= value <= high:
            continue
        share = 0.5
        if high > low:
            share = (
                math.log10(value / low) / math.log10(high / low)
                if cache.log and low > 0
                else (value - low) / (high - low)
            )
        y = min(max(bar.bottom() - share * bar.height(), bar.top() + 4), bar.bottom() - 4)
        text = f"{value:.3g}".replace("-", "−")
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(whole.right() - bar.right()) - 4)
        painter.drawText(QPointF(bar.right() + 4, y + metrics.ascent() / 2 - 1), shown)
