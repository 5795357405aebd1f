"""From a constant to a prediction in steps: what each part adds, the largest first, what the others add together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from qmlstudio.widgets.theme import Theme, mix, theme

# vermilion and blue of Okabe and Ito, for light and dark
RAISES = ("#c04f00", "#ff8f3f")
LOWERS = ("#0072b2", "#56b4e9")
_ROW = 17
_MARGIN = 6.0


@dataclass(frozen=True)
class Step:
    """One bar.

    Attributes
    ----------
    name : str
    value : float
        What it adds.
    text : str
        The value as it is written.
    index : int
        For :attr:`Waterfall.chosen`; -1: cannot be chosen.
    tip : str
    """

    name: str
    value: float
    text: str
    index: int = -1
    tip: str = ""


class Waterfall(QWidget):
    """Horizontal bars, each beginning where the one above it ends, from `start` to `end`.

    Bars that raise the value are filled, those that lower it hatched, and each has its signed number: the colour says
    nothing alone.

    Signals
    -------
    chosen(index), hovered(index)
        A bar with an index was clicked (or Return pressed on it); is under the cursor (-1: none).
    """

    chosen = Signal(int)
    hovered = Signal(int)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme: Theme = theme(dark)
        self._steps: tuple[Step, ...] = ()
        self._start, self._start_text, self._end_text = 0.0, "", ""
        self._names = ("", "")
        self._mark: tuple[float, str] | None = None
        self._cursor = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("What adds up to the prediction"))

    def set_steps(
        self,
        start: tuple[str, float, str],
        steps: Sequence[Step],
        end: tuple[str, str],
        mark: tuple[float, str] | None = None,
    ) -> None:
        """Draw these.

        Parameters
        ----------
        start : (name, value, text)
        steps : sequence of Step
        end : (name, text)
            The value is `start`'s and all that the steps add.
        mark : (value, name), optional
            A vertical line: the true value.
        """
        self._start, self._start_text, self._names = start[1], start[2], (start[0], end[0])
        self._steps, self._end_text, self._mark = tuple(steps), end[1], mark
        self._cursor = min(self._cursor, len(self._steps) - 1)
        told = "; ".join(f"{s.name} {s.text}" for s in self._steps)
        self.setAccessibleDescription(f"{start[0]} {start[2]}; {told}; {end[0]} {end[1]}" if self._steps else "")
        self.updateGeometry()
        self.update()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The bars."""
        return self._steps

    @property
    def end(self) -> float:
        """Where the last bar ends."""
        return self._start + sum(s.value for s in self._steps)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def sizeHint(self) -> QSize:
        rows = len(self._steps) + 2 if self._steps else 0
        return QSize(260, int(rows * self._row() + 2 * _MARGIN) if rows else 0)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    # -- places

    def _row(self) -> float:
        return max(_ROW, self.fontMetrics().height() + 1.0)

    def bar_rect(self, place: int) -> QRectF:
        """The row of a bar, pixels."""
        return QRectF(0, _MARGIN + (place + 1) * self._row(), self.width(), self._row())

    def _area(self) -> tuple[float, float]:
        """Left and right ends of the bars; names stand on the left, numbers on the right."""
        metrics = QFontMetricsF(self.font())
        bold = self.font()
        bold.setBold(True)
        ends = QFontMetricsF(bold)
        right = max((metrics.horizontalAdvance(s.text) for s in self._steps), default=0.0)
        right = (
            max(right, ends.horizontalAdvance(self._start_text), ends.horizontalAdvance(self._end_text)) + 2 * _MARGIN
        )
        room = self.width() - right
        names = max((metrics.horizontalAdvance(s.name) for s in self._steps), default=0.0)
        names = max(names, *(ends.horizontalAdvance(n) + 1 for n in self._names))
        left = min(names + 2 * _MARGIN, 0.52 * room)
        return left, max(self.width() - right, left + 20)

    def _scale(self) -> tuple[float, float]:
        at, values = self._start, [self._start]
        for step in self._steps:
            at += step.value
            values.append(at)
        if self._mark is not None:
            values.append(self._mark[0])
        low, high = min(values), max(values)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        pad = 0.04 * (high - low)
        return low - pad, high + pad

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self._theme
        painter.fillRect(self.rect(), QColor(colors.background))
        if self._steps:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint(painter, colors)
        painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        left, right = self._area()
        low, high = self._scale()
        metrics, row = QFontMetricsF(self.font()), self._row()

        def x(value: float) -> float:
            return left + (value - low) / (high - low) * (right - left)

        last = _MARGIN + (len(self._steps) + 2) * row
        for value in (self._start, self.end):
            painter.setPen(QPen(QColor(colors.grid), 1.0))
            painter.drawLine(QPointF(x(value), _MARGIN), QPointF(x(value), last))
        if self._mark is not None:
            painter.setPen(QPen(QColor(colors.foreground), 1.4, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x(self._mark[0]), _MARGIN), QPointF(x(self._mark[0]), last))
        at = self._start
        rows = [(self._names[0], self._start_text, None), *((s.name, s.text, s) for s in self._steps)]
        rows.append((self._names[1], self._end_text, None))
        for k, (name, text, step) in enumerate(rows):
            top = _MARGIN + k * row
            if step is not None and k - 1 == self._cursor:
                tint = mix(colors.background, colors.accent, 0.13)
                painter.fillRect(QRectF(0, top, self.width(), row), QColor(tint))
            middle = top + row / 2
            if step is None:
                painter.setPen(QPen(QColor(colors.foreground), 2.4))
                end = self._start if k == 0 else self.end
                painter.drawLine(QPointF(x(end), top + 3), QPointF(x(end), top + row - 3))
            else:
                self._paint_bar(painter, x(at), x(at + step.value), middle, row, step.value >= 0)
                at += step.value
                if k < len(rows) - 1:
                    painter.setPen(QPen(QColor(colors.muted), 0.8))
                    painter.drawLine(QPointF(x(at), middle + row / 2 - 3), QPointF(x(at), middle + row / 2 + 3))
            bold = step is None
            font = painter.font()
            font.setBold(bold)
            painter.setFont(font)
            painter.setPen(QColor(colors.foreground if bold or (step and step.index >= 0) else colors.muted))
            shown = QFontMetricsF(font).elidedText(name, Qt.TextElideMode.ElideRight, left - 2 * _MARGIN)
            base = middle + (metrics.ascent() - metrics.descent()) / 2
            painter.drawText(QPointF(_MARGIN, base), shown)
            painter.setPen(QColor(colors.foreground))
            wide = QFontMetricsF(font).horizontalAdvance(text)
            painter.drawText(QPointF(self.width() - _MARGIN - wide, base), text)
            font.setBold(False)
            painter.setFont(font)

    def _paint_bar(self, painter: QPainter, a: float, b: float, middle: float, row: float, raises: bool) -> None:
        color = QColor((RAISES if raises else LOWERS)[self._theme.dark])
        bar = QRectF(min(a, b), middle - row / 2 + 3, max(abs(b - a), 1.0), row - 6)
        painter.setPen(QPen(color, 1.0))
        painter.setBrush(color)
        if not raises:
            painter.setBrush(QColor(self._theme.background))
            painter.drawRect(bar)
            color.setAlphaF(0.9)
            painter.setBrush(color)
            painter.setBrush(Qt.BrushStyle.Dense4Pattern)
            brush = painter.brush()
            brush.setColor(color)
            painter.setBrush(brush)
        painter.drawRect(bar)

    # -- a person

    def _at(self, place: QPointF) -> int:
        k = int((place.y() - _MARGIN) // self._row()) - 1
        return k if 0 <= k < len(self._steps) else -1

    def _set_cursor(self, k: int) -> None:
        if k != self._cursor:
            self._cursor = k
            self.hovered.emit(self._steps[k].index if k >= 0 else -1)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_cursor(self._at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._set_cursor(-1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        k = self._at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and k >= 0 and self._steps[k].index >= 0:
            self.chosen.emit(self._steps[k].index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self._steps:
            by = 1 if key == Qt.Key.Key_Down else -1
            self._set_cursor(min(max(self._cursor + by, 0), len(self._steps) - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._cursor >= 0:
            if self._steps[self._cursor].index >= 0:
                self.chosen.emit(self._steps[self._cursor].index)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            k = self._at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self._steps[k].tip if k >= 0 else "", self)
            return True
        return super().event(event)
