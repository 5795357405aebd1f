"""Histograms of one column: all, the selection, groups; with densities, marks, and ranges to be selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets import histogram_painter as paint
from qmlstudio.widgets.histogram_painter import Axes, Series
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]

__all__ = ["HistogramPlot", "Mark", "Series"]

WIDE = 520
"""Pixels of width from which the legend stands beside the plot."""
LEGEND = 150


@dataclass(frozen=True)
class Mark:
    """A vertical line at a value, with its text."""

    value: float
    text: str


class HistogramPlot(QWidget):
    """Bars of the first series, others as bars or outlines over them, their densities as curves.

    A left drag selects bins, a click one of them: alone it replaces, Shift adds, Alt subtracts, Ctrl intersects.
    ←/→ move a cursor over the bins, Shift+←/→ widen it to a range, Enter selects it (with the same modifiers), Esc
    gives up an outline or emits `escape_pressed`.

    Signals
    -------
    range_selected(first, last, operation)
        Bins, both included.
    escape_pressed()
    """

    range_selected = Signal(int, int, str)
    escape_pressed = Signal()

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._axes = Axes()
        self._series: list[Series] = []
        self._mark: Mark | None = None
        self._rug: Floats = np.zeros(0)
        self._message = ""
        self._unit = ""
        self._hovered = -1
        self._cursor: tuple[int, int] | None = None
        self._outline: tuple[int, int, str] | None = None
        self.paints = 0
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Histogram"))

    # -- what is drawn

    def set_axes(
        self,
        edges: Floats,
        title: str,
        unit: str = "",
        log: bool = False,
        discrete: bool = False,
        names: Sequence[str] = (),
    ) -> None:
        """Replace the bins; the series go.

        Parameters
        ----------
        edges : (k + 1,) float64
            Ascending.
        title, unit : str
        log : bool
            Equal ratios look equal.
        discrete : bool
            Bins are centred on whole numbers.
        names : sequence of k str
            Of bars that stand for texts; empty for numbers.
        """
        old = self._axes
        self._axes = Axes(edges, title, log, discrete, tuple(names), old.density, old.log_counts)
        self._unit = unit
        self._series, self._mark, self._rug = [], None, np.zeros(0)
        self._hovered, self._cursor, self._outline = -1, None, None
        self._say()
        self.update()

    def set_series(self, series: Sequence[Series]) -> None:
        """What is drawn in these bins; each over those before it. ValueError when one has another number of bins."""
        for each in series:
            if len(each.counts) != self.bins:
                raise ValueError(f"{len(each.counts)} counts for {self.bins} bins")
        self._series = list(series)
        self._axes.fit(self._series)
        self._say()
        self.update()

    def set_density(self, on: bool) -> None:
        """Each series by its share in the whole of itself, per unit of the axis, instead of by counts."""
        self._axes.density = on
        self._axes.fit(self._series)
        self.update()

    def set_log_counts(self, on: bool) -> None:
        """Whether heights grow with the logarithm."""
        self._axes.log_counts = on
        self._axes.fit(self._series)
        self.update()

    def set_mark(self, mark: Mark | None) -> None:
        """A line at one value."""
        self._mark = mark
        self.update()

    def set_rug(self, values: Floats) -> None:
        """Short lines at single values."""
        self._rug = values
        self.update()

    def set_message(self, text: str) -> None:
        """What is said when there is nothing to draw."""
        self._message = text
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self._axes.edges) - 1

    @property
    def series(self) -> tuple[Series, ...]:
        """What is drawn."""
        return tuple(self._series)

    @property
    def mark(self) -> Mark | None:
        """The line at one value."""
        return self._mark

    @property
    def rug(self) -> Floats:
        """Short lines at single values."""
        return self._rug

    def bin_text(self, first: int, last: int) -> str:
        """A range of bins for people: "0.1–0.2 Ha"."""
        text = self._axes.range_text(first, last)
        return f"{text} {self._unit}" if self._unit and not self._axes.names else text

    def readout(self, k: int) -> str:
        """What a bin holds of each series."""
        parts = [f"{s.name} {int(s.counts[k]):,} ({_percent(int(s.counts[k]), s.total)})" for s in self._series]
        return " · ".join([self.bin_text(k, k), *parts])

    # -- places

    def bin_center(self, k: int) -> QPointF:
        """Middle of a bin's column, pixels."""
        area = self._area()
        x = (self._axes.x(float(self._axes.edges[k]), area) + self._axes.x(float(self._axes.edges[k + 1]), area)) / 2
        return QPointF(x, area.center().y())

    def _area(self) -> QRectF:
        legend = paint.legend_size(self._series, self.font(), self.width(), self.width() >= WIDE, LEGEND)
        return paint.area(self._axes, QRectF(self.rect()), self.font(), self._has_rug, legend)

    @property
    def _has_rug(self) -> bool:
        return len(self._rug) > 0

    def _bin_at(self, x: float) -> int:
        return self._axes.bin_at(x, self._area())

    # -- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._series and self._area().contains(event.position()):
            k = self._bin_at(event.position().x())
            # the same rule as with the map's box tool
            self._outline = (k, k, operation("box", event.modifiers()) or "replace")
            self._cursor = None
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._outline is not None:
            self._outline = (self._outline[0], self._bin_at(at.x()), self._outline[2])
            self._hovered = self._outline[1]
            self.update()
            return
        hovered = self._bin_at(at.x()) if self._series and self._area().contains(at) else -1
        if hovered != self._hovered:
            self._hovered = hovered
            self.setCursor(Qt.CursorShape.ArrowCursor if hovered < 0 else Qt.CursorShape.CrossCursor)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._outline is not None:
            (a, b, what), self._outline = self._outline, None
            self.update()
            self.range_selected.emit(min(a, b), max(a, b), what)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        if key == Qt.Key.Key_Escape:
            if self._outline is None and self._cursor is None:
                self.escape_pressed.emit()
            self._outline = self._cursor = None
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._series:
            step = 1 if key == Qt.Key.Key_Right else -1
            start, end = (
                self._cursor if self._cursor is not None else ((-1, -1) if step > 0 else (self.bins, self.bins))
            )
            end = min(max(end + step, 0), self.bins - 1)
            wide = bool(modifiers & Qt.KeyboardModifier.ShiftModifier) and self._cursor is not None
            self._cursor = (start if wide else end, end)
            self._hovered = end
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cursor is not None:
            a, b = self._cursor
            self.range_selected.emit(min(a, b), max(a, b), operation("box", modifiers) or "replace")
        else:
            super().keyPressEvent(event)
            return
        self.update()

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(600, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 96)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        painter, colors, area = QPainter(self), self._theme, self._area()
        painter.fillRect(self.rect(), QColor(colors.background))
        if not self._series:
            painter.setPen(QColor(colors.muted))
            wrap = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.rect()).adjusted(8, 8, -8, -8), int(wrap), self._message)
            painter.end()
            return
        paint.grid(painter, self._axes, area, colors)
        for each in self._series:
            paint.series(painter, self._axes, each, area, colors)
        paint.axis(painter, self._axes, area, QRectF(self.rect()), colors, self._has_rug)
        if self._has_rug:
            paint.rug(painter, self._axes, self._rug, area, colors)
        self._paint_range(painter, area)
        if self._mark is not None and math.isfinite(self._mark.value):
            paint.mark(painter, self._axes, self._mark.value, self._mark.text, area, colors)
        paint.legend(painter, self._series, QRectF(self.rect()), self.width() >= WIDE, LEGEND, colors)
        if self._hovered >= 0:
            paint.badge(painter, self.readout(self._hovered), area, self.bin_center(self._hovered).x(), colors)
        painter.end()

    def _paint_range(self, painter: QPainter, area: QRectF) -> None:
        chosen = self._outline[:2] if self._outline is not None else self._cursor
        if chosen is None:
            if self._hovered >= 0:
                paint.band(painter, self._axes, self._hovered, self._hovered, area, self._theme.foreground, 18, False)
            return
        a, b = min(chosen), max(chosen)
        paint.band(painter, self._axes, a, b, area, self._theme.accent, 40, True)
        if self._outline is not None:
            sign = {"add": "+", "subtract": "−", "intersect": "∩"}.get(self._outline[2], "")
            paint.range_label(painter, self._axes, f"{sign} {self.bin_text(a, b)}".strip(), a, b, area, self._theme)

    def _say(self) -> None:
        parts = [f"{s.name} {s.total:,}" for s in self._series]
        self.setAccessibleDescription(", ".join([self._axes.title, *parts]))


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "–"
