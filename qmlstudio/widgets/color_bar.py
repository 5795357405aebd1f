"""What the map's colours mean: a bar with ticks, label, unit and the number of missing values."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets.theme import theme

Scale = Literal["linear", "log", "symlog"]
Floats = NDArray[np.float64]
SCALES: tuple[Scale, ...] = ("linear", "log", "symlog")


def linear_width(low: float, high: float) -> float:
    """Where symlog turns from linear to logarithmic: two decades below the larger end."""
    return max(abs(low), abs(high)) * 1e-2 or 1.0


def fractions(values: ArrayLike, low: float, high: float, scale: Scale = "linear") -> Floats:
    """Places of values on the bar: 0 at `low`, 1 at `high`, beyond them outside [0, 1].

    Parameters
    ----------
    values : array, any shape
    low, high : float
        Ends of the bar; if they are equal every value lies in the middle.
    scale : {"linear", "log", "symlog"}
        log: values ≤ 0 give NaN. symlog: ``sign(v) log10(1 + |v| / w)`` with w from :func:`linear_width`.

    Raises
    ------
    ValueError
        For a logarithmic scale whose ends are not positive.
    """
    v = np.asarray(values, dtype=np.float64)
    if scale == "log":
        if low <= 0 or high <= 0:
            raise ValueError(f"a logarithmic scale needs positive ends, not {low:g} and {high:g}")
        with np.errstate(divide="ignore", invalid="ignore"):
            v = np.where(v > 0, np.log10(v), np.nan)
        low, high = float(np.log10(low)), float(np.log10(high))
    elif scale == "symlog":
        w = linear_width(low, high)
        v = np.sign(v) * np.log10(1.0 + abs(v) / w)
        low, high = (float(np.sign(e) * np.log10(1.0 + abs(e) / w)) for e in (low, high))
    if high == low:
        return np.where(np.isnan(v), np.nan, 0.5)
    return np.asarray((v - low) / (high - low))


def color_indices(
    values: ArrayLike, low: float, high: float, scale: Scale, colors: int
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Index into a table of `colors` colours for each value (n,), and which have none (NaN, or ≤ 0 on a log scale).

    Values beyond the ends take the colours of the ends.
    """
    f = fractions(values, low, high, scale)
    missing = ~(np.isfinite(f) | np.isinf(f))
    index = np.clip(np.where(missing, 0.0, f) * colors, 0, colors - 1)
    return index.astype(np.uint16), missing


def ticks(low: float, high: float, scale: Scale = "linear", count: int = 6) -> list[float]:
    """Round values from `low` to `high`, about `count` of them, ascending."""
    low, high = min(low, high), max(low, high)
    if high == low:
        return [low]
    found: list[float]
    if scale == "log" and low > 0:
        # 10^309 is beyond the largest number
        first, last = int(np.floor(np.log10(low))), min(int(np.ceil(np.log10(high))), 308)
        if last - first > 2:
            every = int(np.ceil((last - first) / count))
            exponents = [e for e in range(first, last + 1) if e % every == 0]
            found = [10.0**e for e in exponents]
        else:
            found = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
        found = [t for t in found if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(found) >= 2:
            return found
    if scale == "symlog":
        w = linear_width(low, high)
        top = int(np.floor(np.log10(max(abs(low), abs(high)))))
        bottom = int(np.ceil(np.log10(w)))
        decades = [10.0**e for e in range(bottom, top + 1)]
        return [t for t in sorted({0.0, *decades, *(-d for d in decades)}) if low <= t <= high]
    raw = float((high - low) / count)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = float(min((m * magnitude for m in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda s: abs(math.log(s / raw))))
    # an index times the step, not a running sum: no 0.30000000000000004, no −0
    places = range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)
    return [round(i * step, 12 - int(np.floor(np.log10(step)))) + 0.0 for i in places]


def tick_text(value: float, values: list[float]) -> str:
    """A tick's label: as many digits as tell the ticks apart, a true minus sign."""
    sizes = [abs(v) for v in values if v] or [1.0]
    gaps = [b - a for a, b in itertools.pairwise(values) if b > a] or [max(sizes)]
    digits = 0
    if min(sizes) < 1e-3 or (max(sizes) >= 1e5 and min(gaps) >= 1e-3 * max(sizes)):
        while digits < 12 and any(abs(float(f"{v:.{digits}e}") - v) > 1e-6 * min(gaps) for v in values):
            digits += 1
        text = "0" if value == 0 else f"{value:.{digits}e}"
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}" if exponent else text
    elif max(gaps) > 20 * min(gaps):
        # decades: every label with its own digits
        text = f"{value:.6f}".rstrip("0").rstrip(".")
    else:
        while digits < 6 and any(abs(round(v, digits) - v) > 1e-6 * min(gaps) for v in values):
            digits += 1
        text = f"{value:.{digits}f}" if len(values) > 1 else f"{value:g}"
    return text.replace("-", "−")


class ColorBar(QWidget):
    """A vertical colour bar. It draws what it is told; a double click asks for its settings."""

    settings_requested = Signal()
    """Double click, Enter or right click."""

    BAR = 14
    GAP = 5

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._lut: NDArray[np.uint8] = np.zeros((0, 3), np.uint8)
        self._low, self._high = 0.0, 1.0
        self._scale: Scale = "linear"
        self._label = self._unit = ""
        self._missing = 0
        self._clipped = (False, False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def set_colors(
        self,
        lut: ArrayLike,
        low: float,
        high: float,
        scale: Scale = "linear",
        clipped: tuple[bool, bool] = (False, False),
    ) -> None:
        """Show a colour table (k, 3) uint8 over a range.

        `clipped`: whether values lie below `low` and above `high` (the bar gets pointed ends).
        Raises ValueError for an unknown scale, an infinite range or a logarithmic one that reaches 0.
        """
        if scale not in SCALES:
            raise ValueError(f"{scale!r} is none of {', '.join(SCALES)}")
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("a colour bar needs finite ends")
        fractions(0.0, low, high, scale)
        self._lut = np.ascontiguousarray(lut, dtype=np.uint8).reshape(-1, 3)
        self._low, self._high, self._scale, self._clipped = float(low), float(high), scale, clipped
        self._changed()

    def set_label(self, label: str, unit: str = "") -> None:
        """Name and unit of the property."""
        self._label, self._unit = label, unit
        self._changed()

    def set_missing(self, count: int) -> None:
        """Number of points without a value."""
        self._missing = count
        self._changed()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def title(self) -> str:
        """Label and unit as written."""
        return f"{self._label} ({self._unit})" if self._unit else self._label

    @property
    def missing_text(self) -> str:
        """ "12 missing", empty for none."""
        return self.tr("{count} missing").format(count=f"{self._missing:,}") if self._missing else ""

    def tick_values(self) -> list[float]:
        """The ticks for the bar's present height."""
        room = max(2, int(self._area().height() / (3.0 * QFontMetricsF(self.font()).height())))
        return ticks(self._low, self._high, self._scale, min(room, 8))

    def tick_position(self, value: float) -> float:
        """y of a value in this widget, pixels."""
        area = self._area()
        return float(area.bottom() - fractions(value, self._low, self._high, self._scale) * area.height())

    def _changed(self) -> None:
        ends = [self._low, self._high]
        low, high = (tick_text(v, ends) for v in ends)
        said = self.tr("Colour bar: {title} from {low} to {high}").format(title=self.title, low=low, high=high)
        self.setAccessibleName(f"{said}. {self.missing_text}" if self._missing else said)
        self.updateGeometry()
        self.update()

    def _area(self) -> QRectF:
        line = QFontMetricsF(self.font()).height()
        bottom = 1.6 * line if self._missing else 0.0
        return QRectF(self.GAP, line, self.BAR, max(1.0, self.height() - 2.0 * line - bottom))

    def _tick_width(self) -> float:
        metrics, values = QFontMetricsF(self.font()), self.tick_values()
        return max((metrics.horizontalAdvance(tick_text(v, values)) for v in values), default=0.0)

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        width = self.GAP + self.BAR + 2 * self.GAP + self._tick_width() + self.GAP
        width += metrics.height() + self.GAP if self.title else 0.0
        if self._missing:
            width = max(width, 2 * self.GAP + metrics.height() + metrics.horizontalAdvance(self.missing_text))
        return QSize(int(np.ceil(width)), 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width(), 90)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # the map's ground, of which the bar is a part
        painter.fillRect(self.rect(), QColor(self._theme.background))
        colors, metrics, area = self._theme, QFontMetricsF(self.font()), self._area()
        painter.setPen(QColor(colors.foreground))
        if len(self._lut):
            self._paint_bar(painter, area)
            values = self.tick_values()
            for value in values:
                y = self.tick_position(value)
                painter.setPen(QPen(QColor(colors.foreground), 1.0))
                painter.drawLine(QPointF(area.right(), y), QPointF(area.right() + self.GAP, y))
                at = QPointF(area.right() + 2 * self.GAP, y + metrics.ascent() / 2 - 1)
                painter.drawText(at, tick_text(value, values))
        if self.title:
            self._paint_title(painter, area, metrics)
        if self._missing:
            line = metrics.height()
            middle = QPointF(self.GAP + self.BAR / 2, self.height() - line / 2 - 2)
            painter.setPen(QPen(QColor(colors.missing), 1.8))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, 4.0, 4.0)
            painter.setPen(QColor(colors.muted))
            painter.drawText(QPointF(area.right() + self.GAP, middle.y() + metrics.ascent() / 2 - 1), self.missing_text)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _paint_bar(self, painter: QPainter, area: QRectF) -> None:
        pixels = np.ascontiguousarray(
            np.dstack([self._lut[::-1, None, :], np.full((len(self._lut), 1, 1), 255, np.uint8)])
        )
        image = QImage(pixels.data, 1, len(pixels), 4, QImage.Format.Format_RGBA8888)
        painter.drawImage(area, image)
        painter.setPen(QPen(QColor(self._theme.muted), 1.0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        for clipped, color, tip in (
            (self._clipped[0], self._lut[0], (area.bottomLeft(), area.bottomRight(), 1)),
            (self._clipped[1], self._lut[-1], (area.topLeft(), area.topRight(), -1)),
        ):
            if clipped:
                a, b, sign = tip
                painter.setBrush(QColor(*(int(c) for c in color)))
                painter.drawPolygon([a, b, QPointF((a.x() + b.x()) / 2, a.y() + sign * 8.0)])

    def _paint_title(self, painter: QPainter, area: QRectF, metrics: QFontMetricsF) -> None:
        painter.setPen(QColor(self._theme.foreground))
        text = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, self.height())
        painter.save()
        painter.translate(area.right() + 3 * self.GAP + self._tick_width() + metrics.ascent(), area.center().y())
        painter.rotate(-90)
        painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, 0), text)
        painter.restore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.settings_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.settings_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.settings_requested.emit()
