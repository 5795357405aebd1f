"""The drawings of a descriptor plot: a matrix with element chips and colour bar, bars in rows, curves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from qmlstudio.chem.elements import COLORS
from qmlstudio.widgets.descriptor_data import DescriptorData, element_of
from qmlstudio.widgets.descriptor_scale import Scale, number
from qmlstudio.widgets.theme import Theme, mix

Array = NDArray[Any]
_GROUPS = ("#2f7fc1", "#d98f00", "#1f9e7a", "#d0603a", "#4fa3d9", "#c06c9c", "#868c94")
"""Colours of successive bags: told apart on light and dark ground by any eyes; titles say which is which."""
_CENTRE = Qt.AlignmentFlag.AlignCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, eq=False)
class Style:
    """What panels need beside their numbers."""

    colors: Theme
    font: QFont
    lut: Array
    unit: str
    difference: bool

    def sized(self, pixels: int) -> QFont:
        """The widget's font at a size in px."""
        font = QFont(self.font)
        font.setPixelSize(max(pixels, 6))
        return font

    def scale_title(self, scale: Scale) -> str:
        """What stands over the axis: the unit, and that it is logarithmic."""
        words = [("Δ " if self.difference else "") + self.unit] if self.unit or self.difference else []
        if scale.kind != "linear":
            words.append("log")
        return ", ".join(w.strip() for w in words)


class Panel(ABC):
    """A drawing: lays itself out in an area, paints itself, knows where its columns are."""

    is_empty = False

    @abstractmethod
    def lay_out(self, area: QRectF) -> None:
        """Take this area; cheap when it is the same as before."""

    @abstractmethod
    def paint(self, painter: QPainter, atoms: frozenset[int], matching: list[int]) -> None:
        """Paint, with the columns of picked atoms lit up."""

    @abstractmethod
    def boxes(self, column: int) -> list[QRectF]:
        """Where a column is drawn; empty if it is not."""

    @abstractmethod
    def hit(self, position: QPointF) -> int:
        """The column at a place; -1 for none."""

    @abstractmethod
    def neighbour(self, column: int, rows: int, columns: int) -> int:
        """The column so many rows down and columns to the right; the first one from -1."""


class MatrixPanel(Panel):
    """Coloured cells, labels on chips in the elements' colours, a colour bar that states its scale."""

    def __init__(self, matrix: Array, cells: Array, names: list[str], row_atoms: list[int], style: Style) -> None:
        self._matrix = matrix
        self._cells = cells
        self._names = names
        self._row_atoms = row_atoms
        self._style = style
        self.is_empty = matrix.size == 0
        self._scale = Scale.of(matrix, symmetric=style.difference)
        self._colors = style.lut[np.rint(255 * self._scale(np.nan_to_num(matrix))).astype(np.intp)]
        self._blank = ~np.isfinite(matrix) | (cells < 0)
        if not style.difference:
            # nothing, not the least: padding and vanished elements
            self._blank |= matrix == 0
        self._image = self._make_image()
        self._area = QRectF()
        self._square = QRectF()
        self._cell = 1.0

    @classmethod
    def of(cls, values: Array, data: DescriptorData, style: Style, reference: Array | None) -> MatrixPanel:
        """From a row of features; only the rows that the structure (or the reference) fills."""
        cells = data.cells
        assert cells is not None
        occupied = len(data.row_labels) or cells.shape[0]
        if reference is not None and len(reference):
            filled = np.flatnonzero((np.where(cells >= 0, reference[cells], 0) != 0).any(axis=1))
            occupied = max(occupied, int(filled[-1]) + 1 if len(filled) else 0)
        cells = cells[:occupied, :occupied]
        matrix = np.where(cells >= 0, values[cells], np.nan) if cells.size else np.zeros((0, 0))
        names = [data.row_labels[k] if k < len(data.row_labels) else "" for k in range(len(cells))]
        atoms = []
        for k in range(min(cells.shape)):
            members = set(data.atoms_of(int(cells[k, k])))
            atoms.append(members.pop() if len(members) == 1 else -1)
        return cls(matrix, cells, names, atoms, style)

    def _make_image(self) -> QImage:
        rows, columns = self._matrix.shape
        empty = QColor(mix(self._style.colors.grid, self._style.colors.background, 0.4))
        pixels = np.empty((rows, columns, 4), dtype=np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = (self._colors[..., k] for k in (2, 1, 0))
        pixels[self._blank, :3] = empty.blue(), empty.green(), empty.red()
        pixels[..., 3] = 255
        # copied: a QImage only borrows the buffer
        return QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGB32).copy()

    def lay_out(self, area: QRectF) -> None:
        if area == self._area or self.is_empty:
            return
        self._area = QRectF(area)
        n = max(self._matrix.shape)
        title = QFontMetricsF(self._style.sized(9)).horizontalAdvance(self._style.scale_title(self._scale))
        self._bar_width = max(44.0, title + 4)
        cell = 10.0
        # labels take room from cells and cells' size decides the labels: two rounds settle it
        for _ in range(3):
            self._place_labels(cell)
            side = min(area.width() - self._bar_width - self._left, area.height() - self._top)
            cell = max(side, 8.0) / n
        self._cell = cell
        self._place_labels(cell)
        width = self._left + n * cell + self._bar_width
        x = area.left() + 0.5 * max(0.0, area.width() - width)
        y = area.top() + 0.5 * max(0.0, area.height() - self._top - n * cell)
        self._square = QRectF(x + self._left, y + self._top, self._matrix.shape[1] * cell, self._matrix.shape[0] * cell)

    def _place_labels(self, cell: float) -> None:
        """Chips with text while cells are large enough; below that strips of colour with every k-th label beside."""
        self._chips = cell >= 9
        pixels = int(min(11, cell - 1)) if self._chips else 9
        self._label_font = self._style.sized(pixels)
        metrics = QFontMetricsF(self._label_font)
        self._chip_height = metrics.height() + 1
        widest = max((metrics.horizontalAdvance(name) for name in self._names), default=0.0)
        self._strip = 0.0 if self._chips else 5.0
        self._step = 1 if self._chips else max(1, int(np.ceil((metrics.height() - 1) / cell)))
        self._left = widest + (6 if self._chips else 4 + self._strip)
        self._upright = widest + 3 > cell * self._step
        self._top = self._left if self._upright else metrics.height() + 3 + self._strip
        if not any(self._names):
            self._left = self._top = 2.0

    def paint(self, painter: QPainter, atoms: frozenset[int], matching: list[int]) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(self._square, self._image)
        self._paint_numbers(painter)
        self._paint_labels(painter, atoms)
        self._paint_matching(painter, atoms, matching)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._style.colors.border), 1))
        painter.drawRect(self._square)
        self._paint_bar(painter)

    def _paint_numbers(self, painter: QPainter) -> None:
        if self._cell < 34:
            return
        painter.setFont(self._style.sized(min(12, int(self._cell / 3.6))))
        for i, j in np.ndindex(*self._matrix.shape):
            if not self._blank[i, j]:
                r, g, b = (int(c) for c in self._colors[i, j])
                # perceived lightness decides between black and white
                painter.setPen(QColor("#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 125 else "#ffffff"))
                painter.drawText(self._box(i, j), _CENTRE, number(float(self._matrix[i, j])))

    def _paint_labels(self, painter: QPainter, atoms: frozenset[int]) -> None:
        if not any(self._names):
            return
        painter.setFont(self._label_font)
        colors, square, cell = self._style.colors, self._square, self._cell
        plain = QColor(colors.foreground)
        for k, name in enumerate(self._names):
            if not name:
                continue
            lit = k < len(self._row_atoms) and self._row_atoms[k] in atoms
            element = mix(f"#{COLORS[element_of(name)].lower()}", "#ffffff", 0.35)
            # black letters read on it in both themes; on dark ground a white chip would glare
            chip = QColor(mix(element, colors.background, 0.2) if colors.dark else element)
            across = QRectF(square.left() - self._left, square.top() + k * cell, self._left - 2, cell)
            down = QRectF(square.left() + k * cell, square.top() - self._top, cell, self._top - 2)
            if self._chips:
                painter.setPen(QPen(QColor(colors.accent), 1.5) if lit else QPen(QColor(colors.border), 0.7))
                painter.setBrush(chip)
                # as large as the text wants, no larger: a chip, not a beam
                high = max(0.5, 0.5 * (cell - self._chip_height))
                wide = max(0.5, 0.5 * (cell - (self._chip_height if self._upright else self._left - 2)))
                painter.drawRoundedRect(across.adjusted(0.5, high, -0.5, -high), 2, 2)
                painter.drawRoundedRect(down.adjusted(wide, 0.5, -wide, -0.5), 2, 2)
                painter.setPen(QColor("#000000"))
            else:
                # hydrogen's white would vanish on white
                chip = QColor(mix(chip.name(), "#808080", 0.12))
                painter.fillRect(QRectF(across.right() - self._strip, across.top(), self._strip, cell), chip)
                painter.fillRect(QRectF(down.left(), down.bottom() - self._strip, cell, self._strip), chip)
                if k % self._step and not lit:
                    continue
                painter.setPen(QColor(colors.accent) if lit else plain)
                across = across.adjusted(0, -8, -self._strip - 2, 8)
                down = down.adjusted(-20, 0, 20, -self._strip - 2)
            painter.drawText(across, _CENTRE if self._chips else _RIGHT, name)
            if self._upright:
                painter.save()
                painter.translate(down.center().x(), down.bottom())
                painter.rotate(-90)
                painter.drawText(
                    QRectF(0 if self._chips else 1, -10, down.height(), 20), _CENTRE if self._chips else _LEFT, name
                )
                painter.restore()
            else:
                painter.drawText(down, _CENTRE, name)

    def _paint_matching(self, painter: QPainter, atoms: frozenset[int], matching: list[int]) -> None:
        if not atoms:
            return
        accent = QColor(self._style.colors.accent)
        under = QPen(QColor(self._style.colors.background), 3)
        if len(atoms) == 1:
            veil = QColor(accent)
            veil.setAlpha(36)
            for k in [k for k, atom in enumerate(self._row_atoms) if atom in atoms]:
                square, cell = self._square, self._cell
                across = QRectF(square.left(), square.top() + k * cell, square.width(), cell)
                down = QRectF(square.left() + k * cell, square.top(), cell, square.height())
                for band in (across, down):
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    for pen in (under, QPen(accent, 1.5)):
                        painter.setPen(pen)
                        painter.drawRect(band)
                    painter.fillRect(band, veil)
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for column in matching:
            for box in self.boxes(column):
                for pen in (QPen(QColor(self._style.colors.background), 4), QPen(accent, 2.5)):
                    painter.setPen(pen)
                    painter.drawRect(box)

    def _paint_bar(self, painter: QPainter) -> None:
        colors, square = self._style.colors, self._square
        font = self._style.sized(9)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        painter.setPen(QColor(colors.muted))
        title = self._style.scale_title(self._scale)
        right = square.right() + self._bar_width
        height = metrics.height()
        title_box = QRectF(right - self._bar_width + 2, square.top() - height - 4, self._bar_width - 2, height)
        painter.drawText(title_box, _RIGHT, title)
        bar = QRectF(square.right() + 8, square.top(), 9, square.height())
        ramp = np.zeros((256, 1, 4), dtype=np.uint8)
        ramp[:, 0, 0], ramp[:, 0, 1], ramp[:, 0, 2] = (self._style.lut[::-1, k] for k in (2, 1, 0))
        ramp[..., 3] = 255
        painter.drawImage(bar, QImage(ramp.tobytes(), 1, 256, 4, QImage.Format.Format_RGB32))
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.drawRect(bar)
        for value in self._scale.ticks(int(bar.height() / 18)):
            y = bar.bottom() - float(self._scale(value)) * bar.height()
            painter.setPen(QPen(QColor(colors.muted), 1))
            painter.drawLine(QLineF(bar.right(), y, bar.right() + 3, y))
            painter.setPen(QColor(colors.foreground))
            middle = min(max(y, bar.top() + height / 2 - 2), bar.bottom() - height / 2 + 2)
            painter.drawText(QRectF(bar.right() + 4, middle - height / 2, 40, height), _LEFT, number(value))

    def _box(self, i: int, j: int) -> QRectF:
        return QRectF(self._square.left() + j * self._cell, self._square.top() + i * self._cell, self._cell, self._cell)

    def boxes(self, column: int) -> list[QRectF]:
        if column < 0:
            return []
        return [self._box(int(i), int(j)) for i, j in np.argwhere(self._cells == column)]

    def hit(self, position: QPointF) -> int:
        if self.is_empty or not self._square.contains(position):
            return -1
        rows, columns = self._matrix.shape
        i = min(int((position.y() - self._square.top()) / self._cell), rows - 1)
        j = min(int((position.x() - self._square.left()) / self._cell), columns - 1)
        return int(self._cells[i, j])

    def neighbour(self, column: int, rows: int, columns: int) -> int:
        places = np.argwhere(self._cells == column) if column >= 0 else np.zeros((0, 2), dtype=int)
        if not len(places):
            return int(self._cells[0, 0])
        # of a packed matrix's two cells the lower one leads
        i, j = places[-1]
        i = min(max(int(i) + rows, 0), self._cells.shape[0] - 1)
        j = min(max(int(j) + columns, 0), self._cells.shape[1] - 1)
        return int(self._cells[i, j])


class BarsPanel(Panel):
    """Groups of bars in one or more rows on one common scale; curves are drawn as outlines over their group."""

    def __init__(self, values: Array, groups: list[tuple[str, Array]], curves: bool, style: Style) -> None:
        self._values = values
        self._groups = groups
        self._curves = curves
        self._style = style
        drawn = np.concatenate([columns for _, columns in groups]) if groups else np.zeros(0, dtype=int)
        self.is_empty = len(drawn) == 0
        # curves fall to nothing smoothly: a logarithm would show only where they are not
        self._scale = (Scale.linear if curves else Scale.of)(values[drawn], symmetric=style.difference).from_zero()
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
        elif data.kind == "curves":
            for title, start, stop in data.groups or (("", 0, len(values)),):
                if filled[start:stop].any():
                    groups.append((title, np.arange(start, stop)))
        elif filled.any():
            groups.append(("", np.arange(int(np.flatnonzero(filled)[-1]) + 1)))
        return cls(values, groups, data.kind == "curves", style)

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
            color = mix(
                _GROUPS[k % len(_GROUPS)], "#ffffff" if colors.dark else "#000000", 0.15 if colors.dark else 0.05
            )
            if self._curves:
                self._paint_curve(painter, columns, QColor(color))
                continue
            plain = columns[~lit[columns]]
            # what does not belong to the picked atoms steps back
            pale = QColor(mix(color, colors.background, 0.6) if matching else color)
            self._paint_bars(painter, plain, pale)
            self._paint_bars(painter, columns[lit[columns]], QColor(colors.accent))
        painter.setFont(self._style.sized(10))
        for box, title, k in self._titles:
            own = bool(len(matching)) and bool(lit[self._groups[k][1]].any())
            painter.setPen(QColor(colors.accent if own else colors.foreground))
            painter.drawText(box, _CENTRE, title)

    def _paint_axes(self, painter: QPainter) -> None:
        colors = self._style.colors
        painter.setFont(self._style.sized(9))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(colors.muted))
        title = self._style.scale_title(self._scale)
        painter.drawText(
            QRectF(self._area.left() + 2, self._area.top(), self._area.width(), metrics.height()), _LEFT, title
        )
        for box in self._rows:
            for value in self._scale.ticks(max(2, int(box.height() / 22))):
                y = box.bottom() - float(self._scale(value)) * box.height()
                painter.setPen(QPen(QColor(colors.grid), 1))
                painter.drawLine(QLineF(box.left(), y, box.right(), y))
                painter.setPen(QColor(colors.muted))
                label = QRectF(box.left() - self._axis, y - metrics.height() / 2, self._axis - 5, metrics.height())
                painter.drawText(label, _RIGHT, number(value))
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

    def _paint_curve(self, painter: QPainter, columns: Array, color: QColor) -> None:
        box = self._rows[int(self._row[columns[0]])]
        x = self._x[columns] + 0.5 * self._width
        y = box.bottom() - self._heights[columns] * box.height()
        zero = box.bottom() - self._zero * box.height()
        line = [QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        fill = QColor(color)
        fill.setAlpha(60)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF([QPointF(float(x[0]), zero), *line, QPointF(float(x[-1]), zero)]))
        painter.setPen(QPen(color, 1.4))
        painter.drawPolyline(QPolygonF(line))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

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
        if self._curves:
            box = self._rows[int(self._row[column])]
            return [QRectF(float(self._x[column]), box.top(), max(self._width, 1.0), box.height())]
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


_GAP = 7.0
"""Between groups, px."""
