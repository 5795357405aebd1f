"""Curves over a common axis, told apart by colour and line, with a legend and a readout at the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from qmlstudio.widgets.color_bar import ticks
from qmlstudio.widgets.set_style import SetStyle, paint_legend
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlotCurve:
    """One curve: y over the plot's x; `style` says whose it is."""

    style: SetStyle
    y: Floats


class LegendBar(QWidget):
    """Whose which curve is; as high as its lines."""

    def __init__(self, parent: QWidget | None = None, bars: bool = False) -> None:
        super().__init__(parent)
        self._styles: list[SetStyle] = []
        self._foreground = theme(False).foreground
        self._bars = bars
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_styles(self, styles: Sequence[SetStyle]) -> None:
        """Show these."""
        self._styles = list(styles)
        self.setAccessibleName(", ".join(s.name for s in styles))
        self.updateGeometry()
        self.setFixedHeight(self._height())
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._foreground = theme(dark).foreground
        self.update()

    def _height(self) -> int:
        metrics, width = self.fontMetrics(), max(self.width(), 200)
        x, lines = 0.0, 1
        for style in self._styles:
            wide = 48 + metrics.horizontalAdvance(style.name)
            if x > 0 and x + wide > width + 16:
                x, lines = 0.0, lines + 1
            x += wide
        return int(lines * (metrics.height() + 2)) + 4 if self._styles else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._height() != self.height():
            self.setFixedHeight(self._height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_legend(painter, self._styles, self.rect().toRectF(), self._foreground, self._bars)
        painter.end()


class _Axis(pg.AxisItem):  # type: ignore[misc]
    """A logarithmic axis bears as many labels as there is room for."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            found: list[tuple[float, list[float]]] = super().tickValues(minVal, maxVal, size)
            return found
        # a double has no room for more
        low, high = max(minVal, -300.0), min(maxVal, 300.0)
        values = ticks(10.0**low, 10.0**high, "log", max(2, int(size / 60)))
        return [(1.0, [float(np.log10(v)) for v in values])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if not self.logMode:
            texts: list[str] = super().tickStrings(values, scale, spacing)
            return texts
        shown = [10.0**v for v in values]
        return [f"{v:.6g}".replace("-", "−") for v in shown]


class CurvePlot(QWidget):
    """Curves; drag pans, the wheel zooms, a double click or R shows all, ←/→ move the readout."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._x: Floats = np.zeros(0)
        self._curves: list[PlotCurve] = []
        self._marks: list[tuple[float, str]] = []
        self._titles = ("", "")
        self._x_log = self._y_log = False
        self._at = -1
        self._message = ""
        self.legend = LegendBar()
        self._plot = pg.GraphicsLayoutWidget()
        self._plot.viewport().setAccessibleName(self.tr("Curves"))
        self._plot.ci.layout.setSpacing(0)
        self._plot.ci.layout.setContentsMargins(2, 6, 10, 2)
        # no plot item: it brings a dozen menus of its own
        self._box = pg.ViewBox(enableMenu=False)
        self._box.disableAutoRange()
        self._axes = {side: _Axis(side) for side in ("bottom", "left")}
        self._plot.addItem(self._axes["left"], 0, 0)
        self._plot.addItem(self._box, 0, 1)
        self._plot.addItem(self._axes["bottom"], 1, 1)
        for axis in self._axes.values():
            axis.linkToView(self._box)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self.readout = QLabel()
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.readout.setWordWrap(True)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.readout.setMinimumHeight(2 * self.readout.fontMetrics().height() + 4)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self._plot, 1)
        layout.addWidget(self.readout)
        self._plot.scene().sigMouseMoved.connect(self._on_scene_mouse_moved)
        self._plot.scene().sigMouseClicked.connect(self._on_scene_mouse_clicked)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._plot.setFocusProxy(self)
        self.setMinimumSize(260, 180)
        self._restyle()

    # -- what is drawn

    def set_curves(
        self,
        x: Floats,
        curves: Sequence[PlotCurve],
        x_title: str,
        y_title: str,
        *,
        x_log: bool = False,
        y_log: bool = False,
        marks: Sequence[tuple[float, str]] = (),
        message: str = "",
    ) -> None:
        """Replace everything.

        Parameters
        ----------
        x : (m,) float64
            Ascending; positive on a logarithmic axis.
        curves : sequence of PlotCurve
        marks : sequence of (x, text)
            Vertical lines.
        message : str
            What is said when there is no curve.
        """
        same = (x_title, x_log, y_log) == (self._titles[0], self._x_log, self._y_log) and len(x) == len(self._x)
        same = same and bool(np.array_equal(x, self._x)) and len(curves) == len(self._curves)
        self._x, self._curves, self._titles = x, list(curves), (x_title, y_title)
        self._marks, self._message = list(marks), message
        self._x_log, self._y_log = x_log, y_log
        self._at = -1
        self._draw(keep_range=same)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self._restyle()
        self._draw(keep_range=True)

    def reset_range(self) -> None:
        """Show all."""
        xs, low, high = self._bounds()
        if xs is None:
            return
        self._box.setRange(xRange=xs, yRange=(low, high), padding=0.02)

    def show_range(self, low: float, high: float) -> None:
        """Show this part of x, as high as the curves are there."""
        inside = (self._x >= low) & (self._x <= high)
        peak = max((float(c.y[inside].max()) for c in self._curves if inside.any()), default=0.0)
        if peak <= 0.0:
            return
        ends = (np.log10(low), np.log10(high)) if self._x_log else (low, high)
        top = float(np.log10(peak))
        self._box.setRange(
            xRange=ends, yRange=(top - 5.0, top + 0.1) if self._y_log else (0.0, 1.05 * peak), padding=0.02
        )

    @property
    def curves(self) -> tuple[PlotCurve, ...]:
        """What is drawn."""
        return tuple(self._curves)

    def text_at(self, k: int) -> str:
        """The readout at a place of x."""
        if not 0 <= k < len(self._x):
            return ""
        parts = [f"{c.style.name}: {c.y[k]:.3g}" for c in self._curves]
        return f"{self._titles[0].partition(' / ')[0]} {self._x[k]:.4g} {_unit(self._titles[0])}   " + "   ".join(parts)

    # -- inside

    def _shown(self, y: Floats) -> Floats:
        if not self._y_log:
            return y
        result: Floats = np.where(y > 0, np.log10(np.where(y > 0, y, 1.0)), np.nan)
        return result

    def _places(self) -> Floats:
        result: Floats = np.log10(self._x) if self._x_log else self._x
        return result

    def _draw(self, keep_range: bool) -> None:
        box = self._box
        for item in list(box.addedItems):
            box.removeItem(item)
        places = self._places()
        for side, log in (("bottom", self._x_log), ("left", self._y_log)):
            self._axes[side].setLogMode(log, log)
        for curve in self._curves:
            y = self._shown(curve.y)
            if np.isfinite(y).any():
                box.addItem(pg.PlotCurveItem(places, y, pen=curve.style.pen(), connect="finite", antialias=True))
        for x, text in self._marks:
            at = float(np.log10(x)) if self._x_log and x > 0 else x
            box.addItem(
                pg.InfiniteLine(
                    at,
                    angle=90,
                    pen=pg.mkPen(self._theme.muted, width=1, style=Qt.PenStyle.DashLine),
                    label=text,
                    labelOpts={"position": 0.93, "color": self._theme.foreground, "fill": self._theme.surface},
                )
            )
        self._line.setVisible(False)
        box.addItem(self._line, ignoreBounds=True)
        self._axes["bottom"].setLabel(self._titles[0])
        self._axes["left"].setLabel(self._titles[1])
        self.legend.set_styles([c.style for c in self._curves])
        self.readout.setText("" if self._curves else self._message)
        if not keep_range:
            self.reset_range()
        names = ", ".join(c.style.name for c in self._curves)
        self.setAccessibleName(f"{self._titles[0]}: {names}" if names else self._message)

    def _bounds(self) -> tuple[tuple[float, float] | None, float, float]:
        """Where anything is to be seen."""
        filled = [k for c in self._curves if (c.y > 0).any() for k in np.flatnonzero(c.y > 0)[[0, -1]].tolist()]
        if not filled:
            return None, 0.0, 1.0
        places = self._places()
        pad = max(3, len(places) // 60)
        first, last = max(min(filled) - pad, 0), min(max(filled) + pad, len(places) - 1)
        xs = [float(places[first]), float(places[last])]
        for x, _ in self._marks:
            at = float(np.log10(x)) if self._x_log and x > 0 else x
            xs = [min(xs[0], at), max(xs[1], at)]
        if xs[0] == xs[1]:
            xs = [xs[0] - 0.5, xs[1] + 0.5]
        peak = max(float(c.y.max()) for c in self._curves)
        if self._y_log:
            least = min(float(c.y[c.y > 0].min()) for c in self._curves if (c.y > 0).any())
            top = float(np.log10(peak))
            return (xs[0], xs[1]), max(float(np.log10(least)), top - 6.0), top + 0.1
        return (xs[0], xs[1]), 0.0, 1.05 * peak

    def _restyle(self) -> None:
        colors = self._theme
        self._plot.setBackground(colors.background)
        for axis in self._axes.values():
            axis.setPen(pg.mkPen(colors.muted))
            axis.setTextPen(pg.mkPen(colors.foreground))
            axis.enableAutoSIPrefix(False)
        self._line.setPen(pg.mkPen(colors.accent, width=1))
        self.readout.setStyleSheet(f"color: {colors.muted}")
        self.legend.set_dark(colors.dark)

    def _show_readout(self, k: int) -> None:
        self._at = k
        inside = 0 <= k < len(self._x)
        self._line.setVisible(inside)
        if inside:
            self._line.setPos(float(self._places()[k]))
            self.readout.setText(self.text_at(k))
        else:
            self.readout.setText("" if self._curves else self._message)

    def _on_scene_mouse_moved(self, position: QPointF) -> None:
        if not self._curves or not self._box.sceneBoundingRect().contains(position):
            self._show_readout(-1)
            return
        at = self._box.mapSceneToView(position).x()
        self._show_readout(int(np.argmin(np.abs(self._places() - at))))

    def _on_scene_mouse_clicked(self, event: object) -> None:
        if event.double():  # type: ignore[attr-defined]
            self.reset_range()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._curves:
            step = 1 if key == Qt.Key.Key_Right else -1
            start = self._at if self._at >= 0 else len(self._x) // 2
            self._show_readout(min(max(start + step, 0), len(self._x) - 1))
        elif key == Qt.Key.Key_R:
            self.reset_range()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(640, 420)


def _unit(title: str) -> str:
    return title.partition(" / ")[2].strip("()")
