"""Features as bars in one or more rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from qmlstudio.widgets.descriptor_data import DescriptorData
from qmlstudio.widgets.descriptor_panels import CENTRE, LEFT, RIGHT, Panel, Style
from qmlstudio.widgets.descriptor_scale import Scale, number
from qmlstudio.widgets.theme import mix

Array = NDArray[Any]
GROUPS = ("#2f7fc1", "#d98f00", "#1f9e7a", "#d0603a", "#4fa3d9", "#c06c9c", "#868c94")
"""Colours of successive bags: told apart on light and dark ground by any eyes; titles say which is which."""
_GAP = 7.0
"""Between groups, px."""


class BarsPanel(Panel):
    """Groups of bars in one or more rows on one common scale."""

    def __init__(self, values: Array, groups: list[tuple[str, Array]], style: Style) -> None:
        self._values = values
        self._groups = groups
        self._style = style
        drawn = np.concatenate([columns for _, columns in groups]) if groups else np.zeros(0, dtype=int)
        self.is_empty = len(drawn) == 0
        self._scale = Scale.of(values[drawn], symmetric=style.difference).from_zero()
        self._heights = self._scale(np.nan_to_num(values))
        self._zero = float(self._scale(0.0)) if self._scale.kind != "log" else 0.0
        self._area = QRectF()
        # of each column: its left edge, width and row (row -1: not drawn)
        self._x = np.zeros(len(values))
        self._row = np.full(len(values), -1)
        self._width = 1.0
        self._rows: list[QRectF] = []
        self._titles: list[tuple[QRectF, str, int]] = []

    @classmethod
    def of(cls, values: Array, data: DescriptorData, style: Style, reference: Array | None) -> BarsPanel:
        """From a row of features; padding and bags that the structure (and the reference) leaves empty are left out."""
        filled = (data.values != 0) if reference is None else (data.values != 0) | (reference != 0)
        groups: list[tuple[str, Array]] = []
        if data.kind == "bags":
            for title, start, stop in data.groups or (("", 0, len(values)),):
                columns = np.arange(start, stop)[filled[start:stop]]
                if len(columns):
                    groups.append((title, columns))
        elif filled.any():
            groups.append(("", np.arange(int(np.flatnonzero(filled)[-1]) + 1)))
        return cls(values, groups, style)

    def lay_out(self, area: QRectF) -> None:
        if area == self._area or self.is_empty:
            return
        self._area = QRectF(area)
        metrics = QFontMetricsF(self._style.sized(10))
        ticks = QFontMetricsF(self._style.sized(9))
        has_titles = any(title for title, _ in self._groups)
        self._axis = max((ticks.horizontalAdvance(number(t)) for t in self._scale.ticks(6)), default=20.0) + 8
        room = area.width() - self._axis - 4
        head, foot = ticks.height() + 6, (metrics.height() + 2 if has_titles else 4)
        least = [metrics.horizontalAdvance(title) + 6 if title else 0.0 for title, _ in self._groups]
        most = max(1, int((area.height() - head) / (52 + foot)))
        best, chosen = 0.0, [list(range(len(self._groups)))]
        for rows in range(1, min(most, len(self._groups)) + 1):
            width, packed = self._pack(rows, room, least)
            # one more row must be worth its height
            if width > best * 1.25 or not best:
                best, chosen = width, packed
            if best >= 5:
                break
        # whole pixels keep bars and gaps alike
        self._width = float(int(best)) if best >= 2 else best
        self._place(area, chosen, room, least, head, foot, metrics)

    def _pack(self, rows: int, room: float, least: list[float]) -> tuple[float, list[list[int]]]:
        """The widest bars with which the groups fit into so many rows, and which group stands in which row."""
        low, high = 0.0, 26.0
        packed = self._fill(low, room, least)
        for _ in range(18):
            middle = 0.5 * (low + high)
            tried = self._fill(middle, room, least)
            if len(tried) <= rows:
                low, packed = middle, tried
            else:
                high = middle
        if len(packed) > rows:
            # even without any width the titles do not fit: they will be cut
            share = -(-len(self._groups) // rows)
            indices = list(range(len(self._groups)))
            packed = [indices[k : k + share] for k in range(0, len(indices), share)]
            longest = max(sum(len(self._groups[g][1]) for g in row) + 2 * len(row) for row in packed)
            low = room / longest
        return low, packed

    def _fill(self, width: float, room: float, least: list[float]) -> list[list[int]]:
        """Groups, in order, into rows of bars of this width."""
        rows: list[list[int]] = [[]]
        used = 0.0
        for k, (_, columns) in enumerate(self._groups):
            wanted = max(len(columns) * width, least[k]) + _GAP
            if used + wanted > room + _GAP:
                if rows[-1]:
                    rows.append([])
                    used = 0.0
                if wanted > room + _GAP:
                    # a group wider than a row: signalled by one row too many
                    rows.append([])
            rows[-1].append(k)
            used += wanted
        return rows

    def _place(
        self,
        area: QRectF,
        rows: list[list[int]],
        room: float,
        least: list[float],
        head: float,
        foot: float,
        metrics: QFontMetricsF,
    ) -> None:
        rows = [row for row in rows if row]
        height = (area.height() - head) / max(len(rows), 1)
        left = area.left() + self._axis
        self._rows, self._titles = [], []
        self._row[:] = -1
        for r, members in enumerate(rows):
            box = QRectF(left, area.top() + head + r * height + (6 if r else 0), room, height - foot - (6 if r else 0))
            self._rows.append(box)
            x = left + 2
            sizes = [max(len(self._groups[k][1]) * self._width, least[k]) for k in members]
            # titles that do not fit even so share what there is
            squeeze = min(1.0, (room - _GAP * (len(members) - 1) - 2) / max(sum(sizes), 1e-9))
            for k, size in zip(members, sizes, strict=True):
                title, columns = self._groups[k]
                size *= squeeze
                bar = min(self._width, size / len(columns))
                start = float(round(x + 0.5 * (size - bar * len(columns))))
                self._x[columns] = start + bar * np.arange(len(columns))
                self._row[columns] = r
                if title:
                    shown = metrics.elidedText(title, Qt.TextElideMode.ElideRight, size + _GAP - 2)
                    self._titles.append((QRectF(x - _GAP / 2, box.bottom() + 1, size + _GAP, foot), shown, k))
                x += size + _GAP

    def paint(self, painter: QPainter, atoms: frozenset[int], matching: list[int]) -> None:
        self._paint_axes(painter)
        lit = np.zeros(len(self._values), dtype=bool)
        lit[matching] = True
        colors = self._style.colors
        painter.setPen(Qt.PenStyle.NoPen)
        for k, (_, columns) in enumerate(self._groups):
            color = mix(GROUPS[k % len(GROUPS)], "#ffffff" if colors.dark else "#000000", 0.15 if colors.dark else 0.05)
            plain = columns[~lit[columns]]
            # what does not belong to the picked atoms steps back
            pale = QColor(mix(color, colors.background, 0.6) if matching else color)
            self._paint_bars(painter, plain, pale)
            self._paint_bars(painter, columns[lit[columns]], QColor(colors.accent))
        painter.setFont(self._style.sized(10))
        for box, title, k in self._titles:
            own = bool(len(matching)) and bool(lit[self._groups[k][1]].any())
            painter.setPen(QColor(colors.accent if own else colors.foreground))
            painter.drawText(box, CENTRE, title)

    def _paint_axes(self, painter: QPainter) -> None:
        colors = self._style.colors
        painter.setFont(self._style.sized(9))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(colors.muted))
        title = self._style.scale_title(self._scale)
        painter.drawText(
            QRectF(self._area.left() + 2, self._area.top(), self._area.width(), metrics.height()), LEFT, title
        )
        for box in self._rows:
            for value in self._scale.ticks(max(2, int(box.height() / 22))):
                y = box.bottom() - float(self._scale(value)) * box.height()
                painter.setPen(QPen(QColor(colors.grid), 1))
                painter.drawLine(QLineF(box.left(), y, box.right(), y))
                painter.setPen(QColor(colors.muted))
                label = QRectF(box.left() - self._axis, y - metrics.height() / 2, self._axis - 5, metrics.height())
                painter.drawText(label, RIGHT, number(value))
            painter.setPen(QPen(QColor(colors.muted), 1))
            y = box.bottom() - self._zero * box.height()
            painter.drawLine(QLineF(box.left(), y, box.right(), y))

    def _paint_bars(self, painter: QPainter, columns: Array, color: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        rects = []
        for column in self._reduced(columns):
            box = self._bar(int(column))
            if box.height() > 0:
                rects.append(box)
        painter.drawRects(rects)

    def _reduced(self, columns: Array) -> Array:
        """Of columns that share a pixel the one farthest from zero: a thousand bars cost no more than their pixels."""
        if self._width >= 1 or len(columns) < 2:
            return columns
        pixel = np.floor(self._x[columns]).astype(np.int64) + self._row[columns] * 100_000
        order = np.lexsort((np.abs(self._heights[columns] - self._zero), pixel))
        last = np.append(np.flatnonzero(np.diff(pixel[order])), len(order) - 1)
        return np.asarray(columns[order[last]])

    def _bar(self, column: int) -> QRectF:
        box = self._rows[int(self._row[column])]
        gap = 1.0 if self._width >= 3 else 0.0
        a = box.bottom() - self._zero * box.height()
        b = box.bottom() - float(self._heights[column]) * box.height()
        # a value that is there shows at least as a line
        if abs(a - b) < 1 and self._values[column] != 0:
            b = a - 1
        return QRectF(float(self._x[column]), min(a, b), max(self._width - gap, 1.0), abs(a - b))

    def boxes(self, column: int) -> list[QRectF]:
        if not 0 <= column < len(self._row) or self._row[column] < 0:
            return []
        return [self._bar(column)]

    def hit(self, position: QPointF) -> int:
        for r, box in enumerate(self._rows):
            # the titles belong to the bars above them
            if box.left() <= position.x() <= box.right() and box.top() <= position.y() <= box.bottom() + 14:
                own = np.flatnonzero(self._row == r)
                offsets = position.x() - self._x[own]
                inside = own[(offsets >= 0) & (offsets < self._width)]
                return int(inside[np.argmax(self._heights[inside])]) if len(inside) else -1
        return -1

    def neighbour(self, column: int, rows: int, columns: int) -> int:
        drawn = np.concatenate([own for _, own in self._groups])
        at = np.flatnonzero(drawn == column)
        if not len(at):
            return int(drawn[0])
        return int(drawn[min(max(int(at[0]) + rows + columns, 0), len(drawn) - 1)])
