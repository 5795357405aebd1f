"""Horizontal bars with names of any length: a ranked list that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QSizePolicy, QToolTip, QWidget

from qmlstudio.widgets.theme import mix, theme


@dataclass(frozen=True)
class Bar:
    """One bar: its name, length (not negative), what is written behind it, what is told of it."""

    name: str
    value: float
    text: str
    tip: str = ""


class BarList(QAbstractScrollArea):
    """One bar in each line; a click, Return or Space chooses it, ↑/↓ move the cursor.

    Signals
    -------
    chosen(k)
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._bars: tuple[Bar, ...] = ()
        self._title = self._message = ""
        self._cursor = -1
        self._mark: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)

    def set_bars(self, bars: Sequence[Bar], title: str, mark: float | None = None, message: str = "") -> None:
        """Replace everything.

        Parameters
        ----------
        mark : float, optional
            A value with a line through all bars (the mean of all).
        message : str
            What is said when there is no bar.
        """
        self._bars, self._title, self._mark, self._message = tuple(bars), title, mark, message
        self._cursor = -1
        self.setAccessibleName(title)
        self.setAccessibleDescription("; ".join(f"{b.name} {b.text}" for b in bars[:40]) or message)
        self.verticalScrollBar().setValue(0)
        self._fit()
        self.viewport().update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.viewport().update()

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What is drawn."""
        return self._bars

    def line(self, k: int) -> QRectF:
        """Where a bar's line is, pixels of the viewport."""
        high = self._line_height()
        top = high + 4 + k * high - self.verticalScrollBar().value()
        return QRectF(0, top, self.viewport().width(), high)

    def sizeHint(self) -> QSize:
        return QSize(320, 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 80)

    # -- inside

    def _line_height(self) -> float:
        return self.fontMetrics().height() + 5.0

    def _fit(self) -> None:
        whole = int((len(self._bars) + 1) * self._line_height() + 8)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, whole - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(int(self._line_height()))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def _at(self, y: float) -> int:
        k = int((y + self.verticalScrollBar().value() - self._line_height() - 4) // self._line_height())
        return k if 0 <= k < len(self._bars) and y >= self._line_height() else -1

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            k = self._at(event.pos().y())
            QToolTip.showText(event.globalPos(), self._tip(k) if k >= 0 else "", self.viewport())
            return True
        return super().viewportEvent(event)

    def _tip(self, k: int) -> str:
        bar = self._bars[k]
        return "\n".join(filter(None, (f"{bar.name}: {bar.text}", bar.tip)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        k = self._at(event.position().y())
        if k >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._cursor = k
            self.viewport().update()
            self.chosen.emit(k)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() in steps and self._bars:
            self._cursor = min(max(self._cursor + steps[Qt.Key(event.key())], 0), len(self._bars) - 1)
            line, room = self.line(self._cursor), self.viewport().height()
            scroll = self.verticalScrollBar()
            if line.top() < self._line_height():
                scroll.setValue(int(scroll.value() + line.top() - self._line_height()))
            elif line.bottom() > room:
                scroll.setValue(int(scroll.value() + line.bottom() - room))
            self.viewport().update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._cursor >= 0:
            self.chosen.emit(self._cursor)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self.viewport()), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.viewport().rect())
        painter.fillRect(area, QColor(colors.background))
        metrics, high = painter.fontMetrics(), self._line_height()
        if not self._bars:
            painter.setPen(QColor(colors.muted))
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(area.adjusted(12, 8, -12, -8), flags, self._message)
            painter.end()
            return
        names = max(metrics.horizontalAdvance(b.name) for b in self._bars)
        names = min(names, int(area.width() * 0.42))
        texts = min(max(metrics.horizontalAdvance(b.text) for b in self._bars), int(area.width() * 0.4))
        left, room = names + 14.0, max(area.width() - names - texts - 28.0, 10.0)
        peak = max((b.value for b in self._bars), default=0.0) or 1.0
        for k, bar in enumerate(self._bars):
            line = self.line(k)
            if line.bottom() < high or line.top() > area.bottom():
                continue
            if k == self._cursor:
                painter.fillRect(line, QColor(mix(colors.background, colors.accent, 0.18)))
            middle = line.center().y()
            painter.setPen(QColor(colors.foreground))
            name = metrics.elidedText(bar.name, Qt.TextElideMode.ElideRight, names)
            base = middle + metrics.ascent() / 2 - 1
            painter.drawText(QPointF(left - 6 - metrics.horizontalAdvance(name), base), name)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.point))
            painter.drawRect(QRectF(left, middle - high * 0.32, room * bar.value / peak, high * 0.64))
            if self._mark is not None and self._mark <= peak:
                at = left + room * self._mark / peak
                painter.setPen(QPen(QColor(colors.foreground), 1.0, Qt.PenStyle.DashLine))
                painter.drawLine(QPointF(at, line.top()), QPointF(at, line.bottom()))
            text = metrics.elidedText(bar.text, Qt.TextElideMode.ElideRight, texts + 4)
            place = QPointF(left + room * bar.value / peak + 6, base)
            behind = QRectF(place.x() - 1, line.top(), metrics.horizontalAdvance(text) + 2, line.height())
            painter.fillRect(behind, QColor(mix(colors.background, colors.accent, 0.18 if k == self._cursor else 0.0)))
            painter.setPen(QColor(colors.muted))
            painter.drawText(place, text)
        painter.fillRect(QRectF(0, 0, area.width(), high + 3), QColor(colors.background))
        painter.setPen(QColor(colors.foreground))
        title = metrics.elidedText(self._title, Qt.TextElideMode.ElideRight, int(area.width()) - 12)
        painter.drawText(QPointF(6, metrics.ascent() + 2), title)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0.5, 0.5, -1.5, -1.5))
        painter.end()
