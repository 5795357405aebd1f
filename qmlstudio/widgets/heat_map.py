"""A table of scores as coloured cells with their numbers, filling as they come."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.session.coloring import palette
from qmlstudio.widgets.curve_painter import card
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]
_LEAST = 7
"""Pixels of a cell's height below which rows bear no label."""


class HeatMap(QWidget):
    """Scores over two parameters: the smallest is ringed, what is not there yet is hatched.

    The arrows move a cursor over the cells, Enter or a click chooses one.

    Signals
    -------
    cell_chosen(row, column)
    """

    cell_chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._values: Floats = np.zeros((0, 0))
        self._rows: tuple[str, ...] = ()
        self._columns: tuple[str, ...] = ()
        self._titles = ("", "", "")
        self._best: tuple[int, int] | None = None
        self._message = ""
        self._cursor: tuple[int, int] | None = None
        self._lut = palette("viridis")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Heat map of the search"))

    def set_values(
        self,
        values: Floats,
        rows: Sequence[str],
        columns: Sequence[str],
        titles: tuple[str, str, str],
        best: tuple[int, int] | None = None,
        message: str = "",
    ) -> None:
        """Draw a table.

        Parameters
        ----------
        values : (r, c) float64
            NaN where there is none yet, or could not be had.
        rows, columns : sequences of r and c texts
        titles : (of the rows, of the columns, of the values)
        best : (row, column), optional
            What is ringed; the smallest value when not given.
        message : str
            What is said when the table is empty.

        Raises
        ------
        ValueError
            Labels and values do not fit.
        """
        if values.shape != (len(rows), len(columns)):
            raise ValueError(f"values have shape {values.shape} for {len(rows)} rows and {len(columns)} columns")
        self._values, self._rows, self._columns = values, tuple(rows), tuple(columns)
        self._titles, self._message = titles, message
        finite = np.isfinite(values)
        if best is None and finite.any():
            at = int(np.argmin(np.where(finite, values, np.inf)))
            best = at // values.shape[1], at % values.shape[1]
        self._best = best
        if self._cursor is not None and not (self._cursor[0] < len(rows) and self._cursor[1] < len(columns)):
            self._cursor = None
        self.setAccessibleDescription(self.text_of(*best).replace("\n", ", ") if best is not None else message)
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def values(self) -> Floats:
        """(r, c) what is drawn."""
        return self._values

    @property
    def best(self) -> tuple[int, int] | None:
        """The ringed cell."""
        return self._best

    @property
    def cursor_cell(self) -> tuple[int, int] | None:
        """The cell that is told of."""
        return self._cursor

    def text_of(self, row: int, column: int) -> str:
        """What is told of a cell."""
        value = float(self._values[row, column])
        told = f"{value:.4g}" if math.isfinite(value) else self.tr("not there (yet)")
        lines = [f"{self._titles[2]}: {told}"]
        lines.append(f"{self._titles[0]} = {self._rows[row]}")
        lines.append(f"{self._titles[1]} = {self._columns[column]}")
        if (row, column) == self._best:
            lines.append(self.tr("the best"))
        return "\n".join(lines)

    # -- places

    def area(self) -> QRectF:
        """Inside the axes, pixels."""
        metrics = self.fontMetrics()
        line = metrics.height()
        widest = max((metrics.horizontalAdvance(t) for t in self._rows), default=0)
        left = line + 10 + min(widest + 4, self.width() // 4)
        return QRectF(self.rect()).adjusted(left, line + 8, -8, -(2 * line + 8))

    def cell(self, row: int, column: int) -> QRectF:
        """Where a cell is drawn, pixels; the first row is at the bottom."""
        area = self.area()
        r, c = self._values.shape
        wide, high = area.width() / c, area.height() / r
        return QRectF(area.left() + column * wide, area.bottom() - (row + 1) * high, wide, high)

    def _cell_at(self, at: QPointF) -> tuple[int, int] | None:
        area = self.area()
        if not self._values.size or not area.contains(at):
            return None
        r, c = self._values.shape
        column = min(int((at.x() - area.left()) / area.width() * c), c - 1)
        return min(int((area.bottom() - at.y()) / area.height() * r), r - 1), column

    # -- mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_to(self._cell_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        found = self._cell_at(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.cell_chosen.emit(*found)

    def leaveEvent(self, event: QEvent) -> None:
        self._point_to(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (1, 0),
            Qt.Key.Key_Down: (-1, 0),
        }
        if event.key() in steps and self._values.size:
            here = self._cursor or self._best or (0, 0)
            step = steps[Qt.Key(event.key())] if self._cursor is not None else (0, 0)
            r, c = self._values.shape
            self._point_to((min(max(here[0] + step[0], 0), r - 1), min(max(here[1] + step[1], 0), c - 1)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cursor is not None:
            self.cell_chosen.emit(*self._cursor)
        elif event.key() == Qt.Key.Key_Escape and self._cursor is not None:
            self._point_to(None)
        else:
            super().keyPressEvent(event)

    def _point_to(self, cell: tuple[int, int] | None) -> None:
        if cell != self._cursor:
            self._cursor = cell
            self.update()

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(420, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self._theme
        painter.fillRect(self.rect(), QColor(colors.background))
        if not self._values.size:
            painter.setPen(QColor(colors.muted))
            inside = self.rect().adjusted(12, 8, -12, -8)
            painter.drawText(inside, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._message)
            painter.end()
            return
        self._paint_cells(painter)
        self._paint_labels(painter)
        if self._best is not None:
            box = self.cell(*self._best).adjusted(1, 1, -1, -1)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colors.background), 4.0))
            painter.drawRect(box)
            painter.setPen(QPen(QColor(colors.accent), 2.0))
            painter.drawRect(box)
        if self._cursor is not None:
            box = self.cell(*self._cursor)
            painter.setPen(QPen(QColor(colors.foreground), 1.5, Qt.PenStyle.DashLine))
            painter.drawRect(box)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            card(painter, self.text_of(*self._cursor), box.center(), QRectF(self.rect()), colors)
        painter.end()

    def _paint_cells(self, painter: QPainter) -> None:
        colors, values = self._theme, self._values
        metrics = painter.fontMetrics()
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(np.isfinite(values) & (values > 0), np.log(values), np.nan)
        finite = logs[np.isfinite(logs)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        # differences near the best matter: what is 20 times as bad is as yellow as anything
        high = min(high, low + math.log(20.0))
        span = max(high - low, 1e-12)
        for r in range(values.shape[0]):
            for c in range(values.shape[1]):
                box = self.cell(r, c)
                if not math.isfinite(values[r, c]):
                    painter.fillRect(box, QBrush(QColor(colors.border), Qt.BrushStyle.BDiagPattern))
                    continue
                t = 0.0 if not math.isfinite(logs[r, c]) else min((logs[r, c] - low) / span, 1.0)
                color = [int(v) for v in self._lut[round(t * (len(self._lut) - 1))]]
                painter.fillRect(box, QColor(*color[:3]))
                texts = (f"{values[r, c]:.{digits}g}" for digits in (3, 2))
                words = next((t for t in texts if box.width() > metrics.horizontalAdvance(t) + 4), "")
                if words and box.height() > metrics.height():
                    painter.setPen(QColor("#000000" if _luminance(color) > 0.35 else "#ffffff"))
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        painter.setPen(QPen(QColor(colors.muted), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.area())

    def _paint_labels(self, painter: QPainter) -> None:
        area, metrics = self.area(), painter.fontMetrics()
        line = metrics.height()
        painter.setPen(QColor(self._theme.foreground))
        title = metrics.elidedText(self._titles[2], Qt.TextElideMode.ElideRight, self.width() - 12)
        painter.drawText(QPointF(6, metrics.ascent() + 3), title)
        free = -1e9
        for c, words in enumerate(self._columns):
            box = self.cell(0, c)
            half = metrics.horizontalAdvance(words) / 2
            at = min(max(box.center().x(), half + 2), self.width() - half - 2)
            if at - half > free:
                painter.drawText(QPointF(at - half, area.bottom() + metrics.ascent() + 3), words)
                free = at + half + 8
        free = 1e9
        for r, words in enumerate(self._rows):
            box = self.cell(r, 0)
            if box.height() < _LEAST or box.center().y() + line / 2 > free:
                continue
            room = area.left() - line - 10
            short = metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(int(room), 10))
            where = QRectF(line + 4, box.center().y() - line / 2, room, line)
            painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, short)
            free = box.center().y() - line / 2
        below = QRectF(area.left(), area.bottom() + line + 4, area.width(), line + 2)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self._titles[1])
        painter.save()
        painter.translate(1, area.center().y())
        painter.rotate(-90)
        high = area.height() + line
        painter.drawText(QRectF(-high / 2, 0, high, line + 2), Qt.AlignmentFlag.AlignHCenter, self._titles[0])
        painter.restore()


def _luminance(color: Sequence[int]) -> float:
    red, green, blue = (v / 255 for v in color[:3])
    return float(0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2)
