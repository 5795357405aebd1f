"""A matrix of correlations: cells by colour, with their numbers where there is room; click one to see the pair."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from qmlstudio.widgets.histogram_painter import small
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]

LEAST_WIDTH = 17.0
BAR = 44.0


class CorrelationPlot(QAbstractScrollArea):
    """Rows and columns in the order given; the names of both stay in sight while it is scrolled.

    A click on a cell chooses its pair, as does Enter on the cell that the arrow keys have marked.

    Signals
    -------
    pair_chosen(row, column)
        Into the matrix as it was given.
    cell_changed(row, column)
        Marked by the mouse or the keys; −1 for none.
    """

    pair_chosen = Signal(int, int)
    cell_changed = Signal(int, int)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._values: Floats = np.zeros((0, 0))
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._names: tuple[str, ...] = ()
        self._lut: NDArray[np.uint8] = np.zeros((1, 3), np.uint8)
        self._message = ""
        self._cell = (-1, -1)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName(self.tr("Correlation matrix"))

    def set_colors(self, lut: NDArray[np.uint8]) -> None:
        """(k, 3) colours from −1 to 1."""
        self._lut = lut
        self.viewport().update()

    def set_matrix(self, values: Floats, names: Sequence[str], order: NDArray[np.int64] | None = None) -> None:
        """Show correlations (k, k) of columns in an order (k,); NaN cells stay blank.

        Raises
        ------
        ValueError
            The shapes do not fit.
        """
        k = len(names)
        self._order = np.arange(k) if order is None else np.asarray(order, np.int64)
        if values.shape != (k, k) or sorted(self._order.tolist()) != list(range(k)):
            raise ValueError(f"{values.shape} correlations and {len(self._order)} places for {k} names")
        self._values, self._names = values, tuple(names)
        self._mark(-1, -1)
        self._fit()
        self.viewport().update()

    def set_message(self, text: str) -> None:
        """What is said without a matrix."""
        self._message = text
        self.viewport().update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.viewport().update()

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column that are marked, into the matrix as it was given; −1 for none."""
        i, j = self._cell
        return (int(self._order[i]), int(self._order[j])) if i >= 0 else (-1, -1)

    def cell_rect(self, row: int, column: int) -> QRectF:
        """Where a cell is drawn, in the viewport; row and column into the matrix as it was given."""
        places = np.argsort(self._order)
        return self._rect(int(places[row]), int(places[column]))

    # -- places

    def _metrics(self) -> QFontMetricsF:
        return QFontMetricsF(small(self.font()))

    def _geometry(self) -> tuple[float, float, float, float]:
        """Left and top of the first cell, width and height of all."""
        metrics, view = self._metrics(), self.viewport()
        k = max(len(self._names), 1)
        longest = max((metrics.horizontalAdvance(n) for n in self._names), default=0.0) + 8
        left = min(longest, view.width() * 0.3)
        width = max((view.width() - left - BAR - 6) / k, LEAST_WIDTH)
        width = min(width, 72.0)
        upright = longest > width
        top = min(longest, max(view.height() * 0.34, 40.0)) if upright else metrics.height() + 4
        height = max(min((view.height() - top - 4) / k, 30.0), metrics.height() + 1)
        return left, top, width, height

    def _fit(self) -> None:
        left, top, width, height = self._geometry()
        k, view = len(self._names), self.viewport()
        for bar, whole, room, step in (
            (self.verticalScrollBar(), k * height, view.height() - top - 2, height),
            (self.horizontalScrollBar(), k * width, view.width() - left - BAR - 6, width),
        ):
            bar.setRange(0, max(0, math.ceil(whole - room - 0.5)))
            bar.setPageStep(max(1, int(room)))
            bar.setSingleStep(max(1, int(step)))

    def _rect(self, i: int, j: int) -> QRectF:
        left, top, width, height = self._geometry()
        x = left + j * width - self.horizontalScrollBar().value()
        return QRectF(x, top + i * height - self.verticalScrollBar().value(), width, height)

    def _cell_at(self, at: QPointF) -> tuple[int, int]:
        left, top, width, height = self._geometry()
        if at.x() < left or at.y() < top or at.x() > self.viewport().width() - BAR:
            return -1, -1
        j = int((at.x() - left + self.horizontalScrollBar().value()) / width)
        i = int((at.y() - top + self.verticalScrollBar().value()) / height)
        return (i, j) if i < len(self._names) and j < len(self._names) else (-1, -1)

    def _mark(self, i: int, j: int) -> None:
        if (i, j) != self._cell:
            self._cell = (i, j)
            self.viewport().update()
            self.cell_changed.emit(*self.cell)

    # -- mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mark(*self._cell_at(event.position()))
        self.viewport().setCursor(
            Qt.CursorShape.PointingHandCursor if self._cell[0] >= 0 else Qt.CursorShape.ArrowCursor
        )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._mark(*self._cell_at(event.position()))
            if self._cell[0] >= 0:
                self.pair_chosen.emit(*self.cell)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._mark(-1, -1)
        return super().viewportEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key, last = Qt.Key(event.key()), len(self._names) - 1
        if key in steps and last >= 0:
            i, j = self._cell if self._cell[0] >= 0 else (0, 0)
            if self._cell[0] >= 0:
                i, j = min(max(i + steps[key][0], 0), last), min(max(j + steps[key][1], 0), last)
            self._mark(i, j)
            self._reveal(i, j)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cell[0] >= 0:
            self.pair_chosen.emit(*self.cell)
        else:
            super().keyPressEvent(event)

    def _reveal(self, i: int, j: int) -> None:
        left, top, *_ = self._geometry()
        where = self._rect(i, j)
        for bar, low, high, first, last in (
            (self.verticalScrollBar(), where.top(), where.bottom(), top, self.viewport().height() - 2.0),
            (self.horizontalScrollBar(), where.left(), where.right(), left, self.viewport().width() - BAR),
        ):
            if low < first:
                bar.setValue(bar.value() - math.ceil(first - low))
            elif high > last:
                bar.setValue(bar.value() + math.ceil(high - last))

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(600, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 110)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        # names and the bar stay where they are, so nothing can be moved as it is
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self.viewport()), self._theme
        whole = QRectF(self.viewport().rect())
        painter.fillRect(whole, QColor(colors.background))
        painter.setFont(small(self.font()))
        if not self._names:
            painter.setPen(QColor(colors.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            painter.drawText(whole.adjusted(8, 8, -8, -8), flags, self._message)
            painter.end()
            return
        left, top, _, _ = self._geometry()
        cells = QRectF(left, top, whole.width() - left - BAR - 2, whole.height() - top)
        painter.save()
        painter.setClipRect(cells)
        self._paint_cells(painter, cells)
        painter.restore()
        self._paint_names(painter, cells)
        self._paint_bar(painter, whole)
        painter.end()

    def _paint_cells(self, painter: QPainter, cells: QRectF) -> None:
        metrics, colors, k = self._metrics(), self._theme, len(self._names)
        _, _, width, height = self._geometry()
        digits = 2 if width >= metrics.horizontalAdvance("−0.00") + 2 else 1
        fits = width >= metrics.horizontalAdvance("−0.0") + 2
        origin = self._rect(0, 0)
        rows = range(max(0, int((cells.top() - origin.top()) / height)), k)
        columns = range(max(0, int((cells.left() - origin.left()) / width)), k)
        for i in rows:
            if origin.top() + i * height > cells.bottom():
                break
            for j in columns:
                where = QRectF(origin.left() + j * width, origin.top() + i * height, width, height)
                if where.left() > cells.right():
                    break
                value = float(self._values[self._order[i], self._order[j]])
                inner = where.adjusted(0, 0, -1, -1)
                if math.isnan(value):
                    painter.setPen(QPen(QColor(colors.grid), 1.0))
                    painter.drawLine(inner.bottomLeft(), inner.topRight())
                    continue
                place = round((value + 1) / 2 * (len(self._lut) - 1))
                r, g, b = (int(c) for c in self._lut[place])
                painter.fillRect(inner, QColor(r, g, b))
                if fits:
                    painter.setPen(QColor("#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 140 else "#ffffff"))
                    text = f"{value:.{digits}f}".replace("-", "−")
                    painter.drawText(inner, int(Qt.AlignmentFlag.AlignCenter), text)
        if self._cell[0] >= 0:
            painter.setPen(QPen(QColor(colors.accent), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self._rect(*self._cell).adjusted(0, 0, -1, -1))

    def _paint_names(self, painter: QPainter, cells: QRectF) -> None:
        metrics, colors = self._metrics(), self._theme
        left, top, width, height = self._geometry()
        upright = top > metrics.height() + 4
        for place, column in enumerate(self._order.tolist()):
            name = self._names[column]
            where = self._rect(place, place)
            painter.setPen(QColor(colors.accent if place == self._cell[0] else colors.foreground))
            if cells.top() - 2 <= where.center().y() <= cells.bottom():
                text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left - 6)
                flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                painter.drawText(QRectF(0, where.top(), left - 4, height), flags, text)
            painter.setPen(QColor(colors.accent if place == self._cell[1] else colors.foreground))
            if cells.left() - 2 <= where.center().x() <= cells.right():
                if not upright:
                    at = QRectF(where.left(), 0, width, top)
                    painter.drawText(at, int(Qt.AlignmentFlag.AlignCenter), name)
                    continue
                text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, top - 6)
                painter.save()
                painter.translate(where.center().x() + metrics.ascent() / 2 - 1, top - 4)
                painter.rotate(-90)
                painter.drawText(QPointF(0, 0), text)
                painter.restore()

    def _paint_bar(self, painter: QPainter, whole: QRectF) -> None:
        metrics = self._metrics()
        height = min(whole.height() - 2 * metrics.height(), 140.0)
        where = QRectF(whole.right() - BAR + 6, whole.center().y() - height / 2, 9, height)
        strip = np.zeros((256, 1, 4), np.uint8)
        strip[:, 0, :3] = self._lut[np.linspace(len(self._lut) - 1, 0, 256).astype(int)][:, ::-1]
        strip[..., 3] = 255
        painter.drawImage(where, QImage(strip.data, 1, 256, 4, QImage.Format.Format_RGB32))
        painter.setPen(QColor(self._theme.foreground))
        for value, text in ((1.0, "1"), (0.0, "0"), (-1.0, "−1")):
            y = where.top() + (1 - value) / 2 * height
            painter.drawText(QPointF(where.right() + 4, y + metrics.ascent() / 2 - 1), text)
