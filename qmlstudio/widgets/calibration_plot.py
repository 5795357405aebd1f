"""Whether ± σ means what it says: how many true values lie within an interval against how many should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets.plain_axes import paint_axes, paint_message, plot_area
from qmlstudio.widgets.set_style import SetStyle, paint_legend
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Coverage:
    """One curve.

    Attributes
    ----------
    style : SetStyle
    nominal, observed : (m,) float64
        Shares from 0 to 1; the nominal ones ascend.
    band : (m,) float64 or None
        Half-width of what chance alone makes of the observed ones.
    """

    style: SetStyle
    nominal: Floats
    observed: Floats
    band: Floats | None = None


class CalibrationPlot(QWidget):
    """Coverage curves with the diagonal of a perfect model."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._curves: tuple[Coverage, ...] = ()
        self._message = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Calibration: observed against nominal coverage"))

    def set_curves(self, curves: Sequence[Coverage], message: str = "") -> None:
        """Draw these; `message` is said when there are none."""
        self._curves, self._message = tuple(curves), message
        told = [f"{c.style.name}: {np.interp(0.9, c.nominal, c.observed):.0%} / 90 %" for c in curves if len(c.nominal)]
        self.setAccessibleDescription("; ".join(told) or message)
        self.update()

    @property
    def curves(self) -> tuple[Coverage, ...]:
        """What is drawn."""
        return self._curves

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, 170)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colors.background))
        whole = QRectF(self.rect())
        if not self._curves:
            paint_message(painter, whole.adjusted(10, 4, -10, -4), colors, self._message)
            painter.end()
            return
        metrics = QFontMetricsF(self.font())
        styles = [c.style for c in self._curves]
        high = paint_legend(painter, styles, whole.adjusted(8, 4, -8, 0), colors.foreground, False)
        ticks = [(0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")]
        area = plot_area(whole.adjusted(0, high + 2, 0, 0), metrics, [t for _, t in ticks])
        side = min(area.width(), area.height())
        area = QRectF(area.left(), area.top(), min(area.width(), 1.5 * side), area.height())
        paint_axes(painter, area, colors, ticks, ticks, (self.tr("should lie within / %"), self.tr("lie within / %")))
        painter.setPen(QPen(QColor(colors.muted), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(area.bottomLeft(), area.topRight())
        for curve in self._curves:
            self._paint_curve(painter, area, curve)
        painter.end()

    def _paint_curve(self, painter: QPainter, area: QRectF, curve: Coverage) -> None:
        def points(shares: Floats) -> list[QPointF]:
            x = area.left() + curve.nominal * area.width()
            y = area.bottom() - np.clip(shares, 0.0, 1.0) * area.height()
            return [QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]

        if curve.band is not None:
            tint = QColor(curve.style.color)
            tint.setAlphaF(0.18)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            edge = points(curve.observed + curve.band) + points(curve.observed - curve.band)[::-1]
            painter.drawPolygon(QPolygonF(edge))
        painter.setPen(curve.style.pen())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points(curve.observed)))
