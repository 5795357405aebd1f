"""Bars of several sets side by side, told apart by colour and hatching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from qmlstudio.widgets.color_bar import tick_text, ticks
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import mix, theme

Floats = NDArray[np.float64]
_MOST_LABELS = 40


class BarGroups(QWidget):
    """A group of bars for each name; the tooltip says the numbers, as does ←/→ for those without a mouse."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._styles: list[SetStyle] = []
        self._names: tuple[str, ...] = ()
        self._values: Floats = np.zeros((0, 0))
        self._title = self._x_title = ""
        self._digits = 3
        self._cursor = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_bars(
        self, names: Sequence[str], styles: Sequence[SetStyle], values: Floats, title: str, x_title: str = ""
    ) -> None:
        """Replace everything.

        Parameters
        ----------
        names : sequence of m str
        styles : sequence of k SetStyle
        values : (k, m) float64
            Not negative.
        title, x_title : str
            Above the bars, what their height is; below them.
        """
        if values.shape != (len(styles), len(names)):
            raise ValueError(f"values have shape {values.shape}, expected {(len(styles), len(names))}")
        self._names, self._styles, self._values = tuple(names), list(styles), values
        self._title, self._x_title, self._cursor = title, x_title, -1
        self.setAccessibleName(title)
        self.setAccessibleDescription("; ".join(self.text_of(k) for k in range(min(len(names), _MOST_LABELS))))
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def values(self) -> Floats:
        """(k, m) heights."""
        return self._values

    def text_of(self, k: int) -> str:
        """The numbers of one group."""
        parts = [f"{s.name} {self._values[j, k]:.4g}" for j, s in enumerate(self._styles)]
        return f"{self._names[k]}: " + ", ".join(parts)

    # -- places

    def _area(self) -> QRectF:
        line = self.fontMetrics().height()
        left = self.fontMetrics().horizontalAdvance("0.000") + 12
        below = line + (line + 2 if self._x_title else 0) + 6
        return QRectF(self.rect()).adjusted(left, line + 8, -6, -below)

    def _group_at(self, x: float) -> int:
        area = self._area()
        if not self._names or not area.left() <= x <= area.right():
            return -1
        return min(int((x - area.left()) / area.width() * len(self._names)), len(self._names) - 1)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            k = self._group_at(event.pos().x())
            QToolTip.showText(event.globalPos(), self.text_of(k).replace(", ", "\n") if k >= 0 else "", self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._names:
            step = 1 if event.key() == Qt.Key.Key_Right else -1
            self._cursor = min(max(self._cursor + step, 0), len(self._names) - 1)
            area = self._area()
            at = area.left() + (self._cursor + 0.5) * area.width() / len(self._names)
            place = self.mapToGlobal(QPoint(int(at), int(area.center().y())))
            QToolTip.showText(place, self.text_of(self._cursor).replace(", ", "\n"), self)
            self.update()
            return
        super().keyPressEvent(event)

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(420, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors, area = QPainter(self), self._theme, self._area()
        painter.fillRect(self.rect(), QColor(colors.background))
        metrics = painter.fontMetrics()
        painter.setPen(QColor(colors.foreground))
        title = metrics.elidedText(self._title, Qt.TextElideMode.ElideRight, self.width() - 12)
        painter.drawText(QPointF(6, metrics.ascent() + 2), title)
        if not self._names or not self._styles:
            painter.end()
            return
        peak = float(np.nanmax(self._values, initial=0.0)) or 1.0
        self._paint_axis(painter, area, peak)
        k, m = self._values.shape
        slot = area.width() / m
        width = 0.84 * slot / k
        hatched = width >= 4
        for i in range(m):
            if i == self._cursor:
                ground = QRectF(area.left() + i * slot, area.top(), slot, area.height())
                painter.fillRect(ground, QColor(mix(colors.background, colors.accent, 0.18)))
            for j, style in enumerate(self._styles):
                high = area.height() * float(self._values[j, i]) / peak
                left = area.left() + i * slot + 0.08 * slot + j * width
                box = QRectF(left, area.bottom() - high, max(width - 1, 0.8), high)
                if hatched:
                    painter.setPen(QPen(QColor(style.color), 1.0))
                    painter.setBrush(style.brush())
                    painter.drawRect(box)
                else:
                    painter.fillRect(box, QColor(style.color))
        self._paint_names(painter, area, slot)
        painter.end()

    def _paint_axis(self, painter: QPainter, area: QRectF, peak: float) -> None:
        colors, metrics = self._theme, painter.fontMetrics()
        values = ticks(0.0, peak, "linear", 4)
        for value in values:
            y = area.bottom() - area.height() * value / peak
            if not area.top() - 1 <= y <= area.bottom() + 1:
                continue
            painter.setPen(QPen(QColor(colors.grid), 1.0))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colors.foreground))
            box = QRectF(0, y - metrics.height() / 2, area.left() - 6, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, tick_text(value, values))
        painter.setPen(QPen(QColor(colors.muted), 1.0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())

    def _paint_names(self, painter: QPainter, area: QRectF, slot: float) -> None:
        metrics = painter.fontMetrics()
        widest = max(metrics.horizontalAdvance(name) for name in self._names) + 6
        every = max(1, int(np.ceil(widest / slot)))
        painter.setPen(QColor(self._theme.foreground))
        for i in range(0, len(self._names), every):
            middle = area.left() + (i + 0.5) * slot
            box = QRectF(middle - widest / 2, area.bottom() + 3, widest, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._names[i])
        if self._x_title:
            box = QRectF(area.left(), area.bottom() + 3 + metrics.height(), area.width(), metrics.height() + 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._x_title)
