"""Errors against the size of molecules, on both sides of the largest one that was learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from qmlstudio.widgets.color_bar import tick_text, ticks
from qmlstudio.widgets.plain_axes import paint_axes, paint_message, plot_area
from qmlstudio.widgets.set_style import SetStyle, paint_legend
from qmlstudio.widgets.theme import mix, theme

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SizeCurve:
    """One model's errors.

    Attributes
    ----------
    style : SetStyle
    sizes, errors : (m,) float64
        Errors that are not positive and finite have no mark.
    counts : (m,) int64
        Molecules of each size that were tested.
    """

    style: SetStyle
    sizes: Floats
    errors: Floats
    counts: NDArray[np.int64]


class ErrorBySize(QWidget):
    """Curves on a logarithmic axis of errors; what lies beyond the training set's sizes is shaded and says so."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._curves: tuple[SizeCurve, ...] = ()
        self._largest = 0.0
        self._titles, self._message = ("", ""), ""
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Errors by size"))

    def set_curves(
        self, curves: Sequence[SizeCurve], largest: float, titles: tuple[str, str], message: str = ""
    ) -> None:
        """Draw these; `largest` is the size up to which was learned; `message` is said when there is nothing."""
        self._curves, self._largest = tuple(curves), float(largest)
        self._titles, self._message = titles, message
        told = []
        for c in curves:
            marks = ", ".join(f"{s:g}: {e:.3g}" for s, e in zip(c.sizes.tolist(), c.errors.tolist(), strict=True))
            told.append(f"{c.style.name} – {marks}")
        self.setAccessibleDescription("; ".join(told) or message)
        self.update()

    @property
    def curves(self) -> tuple[SizeCurve, ...]:
        """What is drawn."""
        return self._curves

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, 250)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, 190)

    # -- places

    def _drawable(self) -> tuple[Floats, Floats]:
        sizes, errors = (
            np.concatenate([getattr(c, name) for c in self._curves] or [np.zeros(0)]) for name in ("sizes", "errors")
        )
        good = np.isfinite(errors) & (errors > 0)
        return sizes[good], errors[good]

    def _geometry(self) -> tuple[QRectF, float, float, float, float] | None:
        """Area and the ends of both axes (errors as decadic logarithms)."""
        sizes, errors = self._drawable()
        if not len(sizes):
            return None
        low, high = float(np.log10(errors.min())), float(np.log10(errors.max()))
        pad = max(0.08 * (high - low), 0.1)
        low, high = low - pad, high + pad
        whole = QRectF(self.rect())
        metrics = QFontMetricsF(self.font())
        values = ticks(10**low, 10**high, "log", 5)
        labels = [tick_text(v, values) for v in values]
        area = plot_area(whole.adjusted(0, self._legend_height() + 2, 0, 0), metrics, labels)
        first, last = min(float(sizes.min()), self._largest), max(float(sizes.max()), self._largest)
        return area, first - 0.6, last + 0.6, low, high

    def _legend_height(self) -> float:
        metrics, x, lines = self.fontMetrics(), 8.0, 1
        for c in self._curves:
            wide = 48 + metrics.horizontalAdvance(c.style.name)
            if x > 8 and x + wide > self.width() + 8:
                x, lines = 8.0, lines + 1
            x += wide
        return lines * (metrics.height() + 2.0) + 4

    def _place(self, size: float, error: float, geometry: tuple[QRectF, float, float, float, float]) -> QPointF:
        area, first, last, low, high = geometry
        x = area.left() + (size - first) / (last - first) * area.width()
        y = area.bottom() - (math.log10(error) - low) / (high - low) * area.height()
        return QPointF(x, y)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colors.background))
        geometry = self._geometry()
        if geometry is None:
            paint_message(painter, QRectF(self.rect()).adjusted(10, 4, -10, -4), colors, self._message)
            painter.end()
            return
        area, first, last, low, high = geometry
        metrics = QFontMetricsF(self.font())
        legend = QRectF(8, 4, self.width() - 16, self._legend_height())
        paint_legend(painter, [c.style for c in self._curves], legend, colors.foreground, False)
        edge = area.left() + (self._largest + 0.5 - first) / (last - first) * area.width()
        beyond = QRectF(QPointF(edge, area.top()), area.bottomRight())
        if beyond.width() > 1:
            painter.fillRect(beyond, QColor(mix(colors.background, colors.accent, 0.08)))
        sizes = np.arange(math.ceil(first), math.floor(last) + 1)
        bottom = [((s - first) / (last - first), f"{s:g}") for s in sizes.tolist()]
        values = ticks(10**low, 10**high, "log", 5)
        left = [((math.log10(v) - low) / (high - low), tick_text(v, values)) for v in values]
        paint_axes(painter, area, colors, bottom, left, self._titles)
        painter.setPen(QPen(QColor(colors.accent), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(edge, area.top()), QPointF(edge, area.bottom()))
        words = self.tr("never seen →")
        if metrics.horizontalAdvance(words) < beyond.width() - 6:
            painter.setPen(QColor(colors.foreground))
            painter.drawText(QPointF(edge + 4, area.top() + metrics.ascent() + 2), words)
        rim = QColor(colors.background)
        for curve in self._curves:
            marks = [
                self._place(s, e, geometry)
                for s, e in zip(curve.sizes.tolist(), curve.errors.tolist(), strict=True)
                if math.isfinite(e) and e > 0
            ]
            painter.setPen(curve.style.pen())
            painter.drawPolyline(marks)
            for at in marks:
                curve.style.paint_mark(painter, at, 4.0, rim)
        painter.end()

    def text_at(self, at: QPointF) -> str:
        """What is told of the mark there; empty for none."""
        geometry = self._geometry()
        if geometry is None:
            return ""
        best, text = 12.0, ""
        for c in self._curves:
            for s, e, n in zip(c.sizes.tolist(), c.errors.tolist(), c.counts.tolist(), strict=True):
                if not (math.isfinite(e) and e > 0):
                    continue
                there = self._place(s, e, geometry)
                away = math.hypot(there.x() - at.x(), there.y() - at.y())
                if away < best:
                    best, text = away, self.tr("{}\nsize {:g}: {:.3g} ({:,} molecules)").format(c.style.name, s, e, n)
        return text

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.text_at(QPointF(event.pos())), self)
            return True
        return super().event(event)
