"""One curve on doubly logarithmic axes, with a readout at the cursor."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets.color_bar import ticks
from qmlstudio.widgets.plain_axes import Tick, paint_axes, paint_message, plot_area
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]


class LogPlot(QWidget):
    """A curve; the mouse or ←/→ move a readout along it."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._x: Floats = np.zeros(0)
        self._y: Floats = np.zeros(0)
        self._titles = ("", "")
        self._message = ""
        self._at = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_curve(self, x: Floats, y: Floats, titles: tuple[str, str], message: str = "") -> None:
        """Draw a curve.

        Parameters
        ----------
        x, y : (m,) float64
            x ascending. What is not positive or not finite is left out.
        titles : (of x, of y)
        message : str
            What is said when nothing is left.
        """
        with np.errstate(invalid="ignore"):
            shown = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
        self._x, self._y = x[shown], y[shown]
        self._titles, self._message, self._at = titles, message, -1
        self.setAccessibleName(f"{titles[1]} – {titles[0]}" if len(self._x) else message)
        self.setAccessibleDescription(self.text_at(0) if len(self._x) else "")
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def curve(self) -> tuple[Floats, Floats]:
        """What is drawn."""
        return self._x, self._y

    @property
    def readout(self) -> str:
        """What is told of the point at the cursor; empty when there is none."""
        return self.text_at(self._at)

    def text_at(self, k: int) -> str:
        """What is told of a point."""
        if not 0 <= k < len(self._x):
            return ""
        x, y = (f"{v:.4g}".replace("-", "−") for v in (float(self._x[k]), float(self._y[k])))
        return f"{self._titles[0]} {x}: {y}"

    def sizeHint(self) -> QSize:
        return QSize(300, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 150)

    # -- places

    def _limits(self) -> tuple[float, float, float, float]:
        """Decadic logarithms of the ends of both axes; an axis is never without length."""
        found: list[float] = []
        for values, room in ((self._x, 0.0), (self._y, 0.05)):
            low, high = math.log10(float(values.min())), math.log10(float(values.max()))
            room = max(room * (high - low), 0.0 if high - low > 1e-6 else 0.5)
            found += [low - room, high + room]
        return found[0], found[1], found[2], found[3]

    def _axis_ticks(self, low: float, high: float, count: int) -> list[Tick]:
        # a double has no room for more
        values = ticks(10.0 ** max(low, -300.0), 10.0 ** min(high, 300.0), "log", count)
        shares = [((math.log10(v) - low) / (high - low), v) for v in values if v > 0]
        texts = [(s, f"{v:.0f}" if 1 <= v < 1e5 else f"{v:.3g}") for s, v in shares if -1e-9 <= s <= 1 + 1e-9]
        return [(s, text.replace("-", "−")) for s, text in texts]

    def area(self) -> QRectF:
        """Inside the axes, pixels."""
        labels = [text for _, text in self._axis_ticks(*self._limits()[2:], 6)] if len(self._x) else []
        line = self.fontMetrics().height()
        return plot_area(QRectF(self.rect()).adjusted(0, line + 2, 0, 0), QFontMetricsF(self.font()), labels)

    def points(self) -> list[QPointF]:
        """Where the points are, pixels."""
        if not len(self._x):
            return []
        area, (x0, x1, y0, y1) = self.area(), self._limits()
        xs = area.left() + (np.log10(self._x) - x0) / (x1 - x0) * area.width()
        ys = area.bottom() - (np.log10(self._y) - y0) / (y1 - y0) * area.height()
        return [QPointF(a, b) for a, b in zip(xs.tolist(), ys.tolist(), strict=True)]

    # -- mouse, keyboard, painting

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        points = self.points()
        inside = bool(points) and self.area().contains(event.position())
        xs = np.array([p.x() for p in points])
        self._move(int(np.argmin(np.abs(xs - event.position().x()))) if inside else -1)

    def leaveEvent(self, event: QEvent) -> None:
        self._move(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps and len(self._x):
            self._move(min(max(self._at + steps[Qt.Key(event.key())], 0), len(self._x) - 1))
        else:
            super().keyPressEvent(event)

    def _move(self, k: int) -> None:
        if k != self._at:
            self._at = k
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        painter.fillRect(whole, QColor(colors.background))
        if not len(self._x):
            paint_message(painter, whole.adjusted(12, 8, -12, -8), colors, self._message)
            painter.end()
            return
        area, (x0, x1, y0, y1) = self.area(), self._limits()
        bottom = self._axis_ticks(x0, x1, max(2, int(area.width() // 55)))
        paint_axes(painter, area, colors, bottom, self._axis_ticks(y0, y1, 6), self._titles)
        points = self.points()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colors.point), 2.0))
        painter.drawPolyline(QPolygonF(points))
        if len(points) == 1:
            painter.drawEllipse(points[0], 2.0, 2.0)
        if 0 <= self._at < len(points):
            painter.setPen(QPen(QColor(colors.accent), 1.6))
            painter.drawEllipse(points[self._at], 4.0, 4.0)
            painter.setPen(QColor(colors.foreground))
            painter.drawText(QPointF(8, painter.fontMetrics().ascent() + 3), self.readout)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
            painter.drawRect(whole.adjusted(0.5, 0.5, -1.5, -1.5))
        painter.end()
