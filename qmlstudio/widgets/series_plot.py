"""Columns along a trajectory: a strip for each, all with the same frames below one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from qmlstudio.widgets.theme import DARK, LIGHT, Theme

MOST = 4
"""Strips; more would be too low to be read."""
MOST_DOTS = 2_000
"""Selected frames without selected neighbours that are drawn as dots."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What one strip shows.

    Attributes
    ----------
    name : str
    label : str
        With the unit.
    values : (n,) float
        One for each frame; NaN leaves a gap.
    """

    name: str
    label: str
    values: NDArray[np.float64]


def envelope(
    values: NDArray[np.float64], low: float, high: float, pixels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frames (counted from 1) and values to draw between two frames: of many on a pixel the least and the greatest.

    No peak is lost, however many frames there are; gaps (NaN) longer than a pixel stay gaps.

    Returns
    -------
    frames, values : (m,) float
        m is at most four times `pixels`, or the number of frames in sight.
    """
    n = len(values)
    first, last = max(0, int(low) - 2), min(n, int(high) + 2)
    step = max(1, (last - first) // (2 * max(pixels, 1)))
    if step <= 2:
        return np.arange(first + 1, last + 1, dtype=np.float64), values[first:last]
    # bins begin at multiples of their width: a curve that is moved does not flicker
    first -= first % step
    starts = np.arange(first, last, step)
    seen = values[first:last]
    places = starts - first
    least = np.fmin.reduceat(seen, places)
    greatest = np.fmax.reduceat(seen, places)
    frames = np.repeat(starts + 0.5 * step, 2) + np.tile([0.75, 1.25], len(starts))
    return frames, np.column_stack([least, greatest]).reshape(-1)


class _Box(pg.ViewBox):  # type: ignore[misc]
    """A click or drag goes to frames, Shift+drag selects; the wheel zooms the frames only."""

    def __init__(self, plot: SeriesPlot) -> None:
        super().__init__(enableMenu=False)
        self._plot = plot
        self.setMouseEnabled(x=True, y=False)

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            if event.double():
                self._plot.show_all()
            else:
                self._plot._go(self.mapSceneToView(event.scenePos()))

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        event.accept()
        here = self.mapSceneToView(event.scenePos())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or self._plot._marking:
            begun = self.mapSceneToView(event.buttonDownScenePos())
            self._plot._mark(begun, here, event.isFinish(), event.modifiers())
        elif event.button() == Qt.MouseButton.LeftButton:
            self._plot._go(here)
        else:
            super().mouseDragEvent(event, 0)


class SeriesPlot(QWidget):
    """Strips of curves over frames, the active frame as a line through all of them.

    Signals
    -------
    frame_chosen(index)
        By a click, a drag or the arrow keys.
    range_marked(first, last, operation)
        By Shift+drag: frames first … last, both included; "replace", or "subtract" (Alt), "intersect" (Ctrl).
    """

    frame_chosen = Signal(int)
    range_marked = Signal(int, int, str)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme: Theme = DARK if dark else LIGHT
        self._curves: tuple[Curve, ...] = ()
        self._selected: NDArray[np.bool_] | None = None
        self._pins: tuple[int, ...] = ()
        self._frame = -1
        self._marking = False
        self._strips: list[dict[str, Any]] = []
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.ci.layout.setSpacing(2)
        self._canvas.ci.layout.setContentsMargins(2, 2, 8, 2)
        self._canvas.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._canvas.setAcceptDrops(False)  # files are the window's
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Columns along the frames"))
        self.setMinimumSize(200, 90)
        self.set_dark(dark)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn."""
        return self._curves

    @property
    def selected(self) -> NDArray[np.bool_] | None:
        """The frames that are drawn strongly."""
        return self._selected

    @property
    def range(self) -> tuple[float, float]:
        """The frames in sight, counted from 1."""
        if not self._strips:
            return (0.0, 1.0)
        low, high = self._strips[0]["box"].viewRange()[0]
        return float(low), float(high)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._theme = DARK if dark else LIGHT
        self._canvas.setBackground(self._theme.background)
        self._build()

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Draw these curves, at most :data:`MOST`, in place of the former."""
        same = [len(c.values) for c in curves[:1]] == [len(c.values) for c in self._curves[:1]]
        before = self.range if same and self._strips else None
        self._curves = tuple(curves[:MOST])
        self._build()
        if before is not None and self._strips:
            self._strips[0]["box"].setXRange(*before, padding=0)

    def set_frame(self, index: int) -> None:
        """Show which frame is active; −1: none. Nothing is emitted."""
        self._frame = index
        for strip in self._strips:
            strip["line"].setVisible(index >= 0)
            strip["line"].setValue(index + 1)

    def set_selected(self, mask: NDArray[np.bool_] | None) -> None:
        """Draw the curves' selected frames strongly; None: nothing is selected."""
        self._selected = mask
        self._draw_curves()

    def set_pins(self, pins: Sequence[int]) -> None:
        """Mark pinned frames."""
        self._pins = tuple(pins)
        self._draw_pins()

    def show_all(self) -> None:
        """All frames in sight."""
        if self._curves:
            self._strips[0]["box"].setXRange(1, max(len(self._curves[0].values), 2), padding=0.01)

    # -- drawing

    def _build(self) -> None:
        self._canvas.clear()
        self._strips = []
        theme = self._theme
        self._canvas.ci.layout.setColumnStretchFactor(1, 1)
        for k, curve in enumerate(self._curves):
            # a box and its axes, without pyqtgraph's PlotItem, which brings menus along
            box, left = _Box(self), self._axis("left", "")
            left.setWidth(52)
            left.setGrid(40)
            left.linkToView(box)
            self._canvas.addItem(left, row=k, col=0)
            self._canvas.addItem(box, row=k, col=1)
            if k == len(self._curves) - 1:
                bottom = self._axis("bottom", self.tr("frame") if len(self._curves) < 3 else "")
                bottom.linkToView(box)
                self._canvas.addItem(bottom, row=k + 1, col=1)
            item = pg.PlotCurveItem(connect="finite")
            strong = pg.PlotCurveItem(pen=pg.mkPen(theme.point, width=2), connect="finite")
            dots = pg.ScatterPlotItem(size=4, brush=pg.mkBrush(theme.point), pen=None)
            for drawn in (item, strong, dots):
                box.addItem(drawn)
            line = pg.InfiniteLine(angle=90, pen=pg.mkPen(theme.accent, width=1.5))
            line.setVisible(self._frame >= 0)
            line.setValue(self._frame + 1)
            band = pg.LinearRegionItem(movable=False, brush=pg.mkBrush(theme.point + "40"), pen=pg.mkPen(theme.point))
            band.setVisible(False)
            box.addItem(band, ignoreBounds=True)
            box.addItem(line, ignoreBounds=True)
            # written along the axis, the names of low strips would lie on one another
            title = pg.LabelItem(curve.label, color=theme.foreground, justify="left")
            title.setParentItem(box)
            title.anchor(itemPos=(0, 0), parentPos=(0, 0), offset=(6, -2))
            finite = curve.values[np.isfinite(curve.values)]
            if len(finite):
                low, high = float(finite.min()), float(finite.max())
                pad = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
                # room above for the name
                box.setYRange(low - pad, high + 4 * pad, padding=0)
            box.setLimits(xMin=0, xMax=len(curve.values) + 1, minXRange=4)
            if k:
                box.setXLink(self._strips[0]["box"])
            self._strips.append(
                {"box": box, "item": item, "strong": strong, "dots": dots, "line": line, "band": band, "pins": []}
            )
        self._draw_pins()
        if self._strips:
            self._strips[0]["box"].sigXRangeChanged.connect(self._draw_curves)
        self.show_all()
        self._draw_curves()

    def _axis(self, side: str, label: str) -> pg.AxisItem:
        axis = pg.AxisItem(side)
        axis.setPen(pg.mkPen(self._theme.border))
        axis.setTextPen(self._theme.foreground)
        axis.enableAutoSIPrefix(False)
        if label:
            axis.setLabel(label, color=self._theme.foreground)
        return axis

    def _draw_curves(self, *_: object) -> None:
        """What is in sight, with no more points than pixels can show."""
        mask = self._selected
        low, high = self.range
        for strip, curve in zip(self._strips, self._curves, strict=True):
            chosen = mask if mask is not None and len(mask) == len(curve.values) and mask.any() else None
            pixels = max(int(strip["box"].width()), 100)
            strip["item"].setPen(pg.mkPen(self._theme.point if chosen is None else self._theme.missing, width=1))
            strip["item"].setData(*envelope(curve.values, low, high, pixels))
            if chosen is None:
                strip["strong"].setData([], [])
                strip["dots"].setData([], [])
                continue
            strip["strong"].setData(*envelope(np.where(chosen, curve.values, np.nan), low, high, pixels))
            # a frame without selected neighbours makes no line
            alone = np.flatnonzero(chosen & ~np.roll(chosen, 1) & ~np.roll(chosen, -1))
            alone = alone[(alone >= low - 1) & (alone < high)][:MOST_DOTS]
            strip["dots"].setData(alone + 1.0, curve.values[alone])

    def _draw_pins(self) -> None:
        for strip in self._strips:
            for item in strip["pins"]:
                strip["box"].removeItem(item)
            pen = pg.mkPen(self._theme.pin, width=1, style=Qt.PenStyle.DashLine)
            strip["pins"] = [pg.InfiniteLine(pos=p + 1, angle=90, pen=pen) for p in self._pins]
            for item in strip["pins"]:
                strip["box"].addItem(item, ignoreBounds=True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw_curves()

    # -- the user

    def _count(self) -> int:
        return len(self._curves[0].values) if self._curves else 0

    def _nearest(self, x: float) -> int:
        return int(np.clip(round(x) - 1, 0, self._count() - 1))

    def _go(self, place: QPointF) -> None:
        if self._count():
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.frame_chosen.emit(self._nearest(place.x()))

    def _mark(self, begun: QPointF, here: QPointF, finished: bool, modifiers: Qt.KeyboardModifier) -> None:
        if not self._count():
            return
        first, last = sorted((self._nearest(begun.x()), self._nearest(here.x())))
        self._marking = not finished
        for strip in self._strips:
            strip["band"].setVisible(not finished)
            strip["band"].setRegion((first + 0.5, last + 1.5))
        if finished:
            operation = "replace"
            if modifiers & Qt.KeyboardModifier.AltModifier:
                operation = "subtract"
            elif modifiers & Qt.KeyboardModifier.ControlModifier:
                operation = "intersect"
            self.range_marked.emit(first, last, operation)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        n = self._count()
        if event.key() in steps and n:
            step = steps[Qt.Key(event.key())] * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
            self.frame_chosen.emit(int(np.clip(self._frame + step, 0, n - 1)))
        elif event.key() == Qt.Key.Key_Home and n:
            self.frame_chosen.emit(0)
        elif event.key() == Qt.Key.Key_End and n:
            self.frame_chosen.emit(n - 1)
        else:
            super().keyPressEvent(event)
