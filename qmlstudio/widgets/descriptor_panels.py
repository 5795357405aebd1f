"""What drawings of features have in common, and the matrix with element chips and colour bar."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from qmlstudio.chem.elements import COLORS
from qmlstudio.widgets.descriptor_data import DescriptorData, element_of
from qmlstudio.widgets.descriptor_scale import Scale, number
from qmlstudio.widgets.theme import Theme, mix

Array = NDArray[Any]
CENTRE = Qt.AlignmentFlag.AlignCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


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
        """Paint, with the columns of picked atoms lit up; what lies outside the painter's clip may be left out."""

    @property
    def height(self) -> float:
        """What the drawing needs of height, px; more than the area has when it is to be scrolled."""
        return 0.0

    def set_part(self, part: Array | None) -> None:  # noqa: B027 (most drawings show none)
        """(d,) the part of the features that picked atoms make, to be drawn into them; None for none."""

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
        occupied = len(data.row_labels)
        if not occupied:
            filled = np.flatnonzero((np.where(cells >= 0, data.values[cells], 0) != 0).any(axis=1))
            occupied = int(filled[-1]) + 1 if len(filled) else 0
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
        small = QFontMetricsF(self._style.sized(9))
        widest = max((small.horizontalAdvance(number(t)) for t in self._scale.ticks(40)), default=0.0)
        self._bar_width = max(44.0, title + 4, 8 + 9 + 4 + widest + 2)
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
                painter.drawText(self._box(i, j), CENTRE, number(float(self._matrix[i, j])))

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
            painter.drawText(across, CENTRE if self._chips else RIGHT, name)
            if self._upright:
                painter.save()
                painter.translate(down.center().x(), down.bottom())
                painter.rotate(-90)
                painter.drawText(
                    QRectF(0 if self._chips else 1, -10, down.height(), 20), CENTRE if self._chips else LEFT, name
                )
                painter.restore()
            else:
                painter.drawText(down, CENTRE, name)

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
        painter.drawText(title_box, RIGHT, title)
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
            painter.drawText(QRectF(bar.right() + 4, middle - height / 2, self._bar_width, height), LEFT, number(value))

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
