"""A histogram with two handles, typed limits, and switches for logarithmic axes: a range of a column."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from qmlstudio.widgets.color_bar import tick_text, ticks
from qmlstudio.widgets.theme import mix, theme

Counts = NDArray[np.int64]
Later = Callable[[], Counts | None]
"""Counts that are worked out when they are painted: what is scrolled out of sight costs nothing."""
Bound = float | None

GRAB = 9.0
"""Pixels about a handle in which it is taken."""
MARGIN = 9.0
KEY_STEPS = 100
"""Steps of the arrow keys from one end to the other."""


class HistogramSlider(QWidget):
    """A histogram: all values pale, selected ones dark, those that pass all filters outlined; with two handles.

    Dragging a handle moves that end, dragging between them moves both; a double click resets. ←/→ move the handle that
    is marked (Shift: ten times as far), Space marks the other, Home and End move it to the ends, Delete resets.

    Signals
    -------
    range_changed(low, high)
        float or None for "no bound", while it is dragged, too.
    """

    range_changed = Signal(object, object)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._edges: NDArray[np.float64] = np.array([0.0, 1.0])
        self._whole: Counts = np.zeros(0, np.int64)
        self._selected: Counts | Later | None = None
        self._passing: Counts | Later | None = None
        self._log = self._log_counts = self._discrete = False
        self._low: Bound = None
        self._high: Bound = None
        self._marked = 0
        self._grabbed: str = ""
        self._grab_offset: tuple[float, float] = (0.0, 0.0)
        self._name = ""
        self.paints = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setToolTip(
            self.tr(
                "Pale: all · dark: selected · outline: passes all filters\n"
                "Drag a handle, or between them to move both; double-click resets\n"
                "←/→ move a handle (Shift: farther), Space changes to the other, Delete resets"
            )
        )

    # -- what is shown

    def set_histogram(self, edges: NDArray[np.float64], whole: Counts, log: bool, discrete: bool) -> None:
        """Show another histogram: (k + 1,) ascending edges and (k,) counts; selected and passing ones are dropped."""
        self._edges, self._whole, self._log, self._discrete = edges, whole, log, discrete
        self._selected = self._passing = None
        self.update()

    def set_selected(self, counts: Counts | Later | None) -> None:
        """(k,) counts of the selection; None while nothing is selected."""
        self._selected = counts
        self.update()

    def set_passing(self, counts: Counts | Later | None) -> None:
        """(k,) counts of what passes all filters; None when everything does."""
        self._passing = counts
        self.update()

    def set_range(self, low: Bound, high: Bound) -> None:
        """Put the handles; emits nothing."""
        self._low, self._high = low, high
        self._say()
        self.update()

    def set_log_counts(self, on: bool) -> None:
        """Whether bars grow with the logarithm of the count."""
        self._log_counts = on
        self.update()

    def set_name(self, name: str) -> None:
        """Name of the column, for those who do not see the histogram."""
        self._name = name
        self._say()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def range(self) -> tuple[Bound, Bound]:
        """Where the handles are; None at the ends."""
        return self._low, self._high

    def handle_position(self, which: int) -> QPointF:
        """Middle of the lower (0) or upper (1) handle, pixels."""
        area = self._area()
        return QPointF(self._x(self._place(which)), area.center().y())

    # -- places

    def _area(self) -> QRectF:
        line = QFontMetricsF(self.font()).height()
        return QRectF(MARGIN, 3.0, max(1.0, self.width() - 2 * MARGIN), max(1.0, self.height() - line - 8.0))

    def _ends(self) -> tuple[float, float]:
        return float(self._edges[0]), float(self._edges[-1])

    def _x(self, value: float) -> float:
        area, (low, high) = self._area(), self._ends()
        if self._log:
            t = 0.0 if value <= low else (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        else:
            # halves, since the span of the largest numbers is beyond the largest
            t = (value / 2 - low / 2) / (high / 2 - low / 2)
        return area.left() + min(max(t, 0.0), 1.0) * area.width()

    def _value(self, x: float) -> float:
        area, (low, high) = self._area(), self._ends()
        t = min(max((x - area.left()) / area.width(), 0.0), 1.0)
        if self._log:
            return math.exp(math.log(low) * (1 - t) + math.log(high) * t)
        return float(low * (1 - t) + high * t)

    def _place(self, which: int) -> float:
        """The value at which a handle is drawn: whole numbers have a bin about them."""
        bound = (self._low, self._high)[which]
        if bound is None:
            return self._ends()[which]
        return bound + (-0.5, 0.5)[which] if self._discrete else bound

    def _bound(self, value: float, which: int) -> Bound:
        """What a handle at this value means: no bound at the ends, few digits, whole numbers where the bins are."""
        low, high = self._ends()
        if self._discrete:
            bound = math.floor(value + 1.0) if which == 0 else math.ceil(value - 1.0)
            return None if (bound <= low + 0.5 if which == 0 else bound >= high - 0.5) else float(bound)
        if value <= low if which == 0 else value >= high:
            return None
        # as many digits as a pixel tells
        step = abs(value) * (math.log(high) - math.log(low)) if self._log else high / 2 - low / 2
        step = step / max(self._area().width(), 1.0)
        if not 0 < step < math.inf:
            return value
        return round(value, min(max(1 - math.floor(math.log10(step)), -300), 300))

    # -- moving

    def _move(self, which: int, value: float) -> None:
        bound = self._bound(value, which)
        low, high = (bound, self._high) if which == 0 else (self._low, bound)
        if low is not None and high is not None and low > high:
            low = high = self._high if which == 0 else self._low
        self._set(low, high)

    def _set(self, low: Bound, high: Bound) -> None:
        if (low, high) != (self._low, self._high):
            self.set_range(low, high)
            self.range_changed.emit(low, high)

    def _say(self) -> None:
        low = self.tr("no lower bound") if self._low is None else f"{self._low:g}"
        high = self.tr("no upper bound") if self._high is None else f"{self._high:g}"
        self.setAccessibleName(self.tr("Range of {}: {} to {}").format(self._name, low, high))

    # -- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        at = [self.handle_position(k).x() for k in (0, 1)]
        near = [abs(x - a) for a in at]
        if min(near) <= GRAB or not at[0] < x < at[1]:
            # of two handles at one place the one towards which there is room
            which = (0 if x < at[0] else 1) if near[0] == near[1] else int(np.argmin(near))
            if near[0] == near[1] and at[0] >= self._area().right() - 0.5:
                which = 0
            self._marked, self._grabbed = which, "one"
            self._grab_offset = (at[which] - x if near[which] <= GRAB else 0.0, 0.0)
            self._move(which, self._value(x + self._grab_offset[0]))
        elif self._low is not None and self._high is not None:
            self._grabbed, self._grab_offset = "both", (at[0] - x, at[1] - x)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if not self._grabbed:
            near = min(abs(x - self.handle_position(k).x()) for k in (0, 1)) <= GRAB
            self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        elif self._grabbed == "one":
            self._move(self._marked, self._value(x + self._grab_offset[0]))
        else:
            area = self._area()
            left, right = (x + o for o in self._grab_offset)
            shift = max(0.0, area.left() - left) + min(0.0, area.right() - right)
            low = self._bound(self._value(left + shift), 0)
            high = self._bound(self._value(right + shift), 1)
            self._set(low, high)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grabbed = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._grabbed = ""
        self._set(None, None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        area = self._area()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            times = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            sign = 1 if key == Qt.Key.Key_Right else -1
            if self._discrete:
                self._move(self._marked, self._place(self._marked) + sign * times)
            else:
                x = self._x(self._place(self._marked)) + sign * times * area.width() / KEY_STEPS
                self._move(self._marked, self._value(x))
        elif key == Qt.Key.Key_Space:
            self._marked = 1 - self._marked
            self.update()
        elif key == Qt.Key.Key_Home:
            self._move(self._marked, self._ends()[0])
        elif key == Qt.Key.Key_End:
            self._move(self._marked, self._ends()[1])
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._set(None, None)
        else:
            super().keyPressEvent(event)

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(240, 84)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 84)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        for name in ("_selected", "_passing"):
            later = getattr(self, name)
            if callable(later):
                setattr(self, name, later())
        colors, area = self._theme, self._area()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.background))
        painter.drawRoundedRect(area.adjusted(-4, -3, 4, 1), 3.0, 3.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if self._whole.any():
            self._paint_bars(painter, area)
        self._paint_axis(painter, area)
        self._paint_range(painter, area)
        painter.end()

    def _paint_bars(self, painter: QPainter, area: QRectF) -> None:
        colors = self._theme
        xs = [self._x(float(e)) for e in self._edges]
        pale, dark = mix(colors.background, colors.muted, 0.38), colors.point
        gap = 1.0 if xs[-1] - xs[0] > 3.0 * len(self._whole) else 0.0
        for counts, color in ((self._whole, pale), (self._selected, dark)):
            if isinstance(counts, np.ndarray):
                for k, height in enumerate(self._heights(counts, area)):
                    if height > 0:
                        bar = QRectF(xs[k], area.bottom() - height, max(1.0, xs[k + 1] - xs[k] - gap), height)
                        painter.fillRect(bar, QColor(color))
        if isinstance(self._passing, np.ndarray):
            line = QPolygonF([QPointF(xs[0], area.bottom())])
            for k, height in enumerate(self._heights(self._passing, area)):
                y = area.bottom() - height
                line.append(QPointF(xs[k], y))
                line.append(QPointF(xs[k + 1], y))
            line.append(QPointF(xs[-1], area.bottom()))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colors.foreground), 1.0))
            painter.drawPolyline(line)

    def _heights(self, counts: Counts, area: QRectF) -> list[float]:
        most = float(self._whole.max())
        scaled = np.log1p(counts) / math.log1p(most) if self._log_counts else counts / most
        heights = scaled * (area.height() - 2)
        # one among thousands is still seen
        return [float(h) for h in np.where(counts > 0, np.maximum(heights, 1.0), 0.0)]

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        colors, metrics = self._theme, QFontMetricsF(self.font())
        low, high = self._ends()
        painter.setPen(QPen(QColor(colors.muted), 1.0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        values = ticks(low, high, "log" if self._log else "linear", 4) if math.isfinite(high - low) else [low, high]
        if self._discrete:
            values = [v for v in values if v == round(v)] or [round(low + 0.5)]
        end = -math.inf
        for value in values:
            text = tick_text(value, values)
            width, x = metrics.horizontalAdvance(text), self._x(value)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            if left < end + 6:
                continue
            end = left + width
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
            painter.drawText(QPointF(left, area.bottom() + 4 + metrics.ascent()), text)

    def _paint_range(self, painter: QPainter, area: QRectF) -> None:
        colors = self._theme
        xs = [self.handle_position(k).x() for k in (0, 1)]
        veil = QColor(colors.background)
        veil.setAlpha(170)
        painter.fillRect(QRectF(area.left() - 4, area.top() - 3, xs[0] - area.left() + 4, area.height() + 3), veil)
        painter.fillRect(QRectF(xs[1], area.top() - 3, area.right() - xs[1] + 4, area.height() + 3), veil)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for which, x in enumerate(xs):
            focused = self.hasFocus() and which == self._marked
            color = QColor(colors.accent if focused else colors.foreground)
            painter.setPen(QPen(color, 2.0 if focused else 1.4))
            painter.drawLine(QPointF(x, area.top() - 2), QPointF(x, area.bottom()))
            painter.setPen(QPen(color, 1.4))
            painter.setBrush(QColor(colors.surface))
            grip = QRectF(x - 4, area.center().y() - 9, 8, 18)
            painter.drawRoundedRect(grip, 3.0, 3.0)
            painter.drawLine(QPointF(x, grip.top() + 5), QPointF(x, grip.bottom() - 5))


class RangeFilterEdit(QWidget):
    """The slider with its limits as numbers and switches for logarithmic axes.

    Signals
    -------
    range_changed(low, high)
    log_changed(on)
    """

    range_changed = Signal(object, object)
    log_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = HistogramSlider()
        self.low, self.high = QLineEdit(), QLineEdit()
        tips = (self.tr("Lower limit; empty for none"), self.tr("Upper limit; empty for none"))
        for edit, tip in zip((self.low, self.high), tips, strict=True):
            edit.setToolTip(tip)
            edit.setAccessibleName(tip)
            edit.setMinimumWidth(56)
            edit.editingFinished.connect(self._on_edits_editing_finished)
        self.log_x = _switch(self.tr("log x"), self.tr("Logarithmic axis"))
        self.log_y = _switch(self.tr("log y"), self.tr("Logarithmic counts"))
        self.note = QLabel()
        self.note.setVisible(False)
        self.note.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.low, 1)
        row.addWidget(QLabel("–"))
        row.addWidget(self.high, 1)
        row.addSpacing(4)
        row.addWidget(self.log_x)
        row.addWidget(self.log_y)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.slider)
        layout.addLayout(row)
        layout.addWidget(self.note)
        self.slider.range_changed.connect(self._on_slider_range_changed)
        self.log_x.clicked.connect(self.log_changed)
        self.log_y.toggled.connect(self.slider.set_log_counts)

    def set_range(self, low: Bound, high: Bound, log: bool) -> None:
        """Show a range; emits nothing."""
        if (low, high) != self.slider.range:
            self.slider.set_range(low, high)
        self._show(low, high)
        self.log_x.setChecked(log)

    def set_histogram(
        self, edges: NDArray[np.float64], whole: Counts, log: bool = False, discrete: bool = False, note: str = ""
    ) -> None:
        """Show the histogram of all values, and what has no place in it."""
        self.slider.set_histogram(edges, whole, log, discrete)
        ends = [float(edges[0]), float(edges[-1])]
        if discrete:
            ends = [ends[0] + 0.5, ends[1] - 0.5]
        self.low.setPlaceholderText(f"{ends[0]:.6g}")
        self.high.setPlaceholderText(f"{ends[1]:.6g}")
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def set_name(self, name: str) -> None:
        """Name of the column, for those who do not see the histogram."""
        self.slider.set_name(name)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self.slider.set_dark(dark)

    def _show(self, low: Bound, high: Bound) -> None:
        for edit, bound in ((self.low, low), (self.high, high)):
            text = "" if bound is None else f"{bound:.10g}"
            if not (edit.hasFocus() and edit.isModified()):
                edit.setText(text)

    def _on_slider_range_changed(self, low: Bound, high: Bound) -> None:
        self._show(low, high)
        self.range_changed.emit(low, high)

    def _on_edits_editing_finished(self) -> None:
        low, high = self.slider.range
        try:
            new_low, new_high = _number(self.low.text()), _number(self.high.text())
        except ValueError:
            self.low.setText("" if low is None else f"{low:.10g}")
            self.high.setText("" if high is None else f"{high:.10g}")
            return
        if new_low is not None and new_high is not None and new_low > new_high:
            new_low, new_high = new_high, new_low
        for edit in (self.low, self.high):
            edit.setModified(False)
        if (new_low, new_high) != (low, high):
            self.slider.set_range(new_low, new_high)
            self._show(new_low, new_high)
            self.range_changed.emit(new_low, new_high)


def _number(text: str) -> Bound:
    """A typed limit; None for none. A decimal comma and a true minus are understood. ValueError for anything else."""
    plain = text.strip().replace(",", ".").replace("−", "-")
    if not plain:
        return None
    value = float(plain)
    if math.isnan(value):
        raise ValueError(text)
    return value


def _switch(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
