"""Learning curves on doubly logarithmic axes: bands, fitted power laws, levels, values of the literature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets import curve_painter as paint
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import theme

Floats = NDArray[np.float64]

REACH = 14.0
"""Pixels within which the mouse finds a mark."""
STEP = 1.2
"""A turn of the wheel."""
_DRAG = 4.0


@dataclass(frozen=True, eq=False)
class ChartCurve:
    """One curve.

    Attributes
    ----------
    name : str
        Its key in the chart, and what the legend says.
    style : SetStyle
    x, y : (m,) float64
        x ascending and positive; y that are missing or not positive have no mark.
    low, high : (m,) float64 or None
        The band; none where there is only one value.
    texts : tuple of m str
        What is told of each mark, lines.
    fit : (a, b) or None
        y = a · x^−b, drawn dashed and beyond the last mark.
    note, tip : str
        After the name in the legend; what is told of the curve.
    is_reference : bool
        Published by others: hollow marks, dashed, cannot be clicked.
    """

    name: str
    style: SetStyle
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    texts: tuple[str, ...] = ()
    fit: tuple[float, float] | None = None
    note: str = ""
    tip: str = ""
    is_reference: bool = False

    def drawable(self) -> NDArray[np.bool_]:
        """(m,) which marks have a place on logarithmic axes."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.bool_] = np.isfinite(self.y) & (self.y > 0) & np.isfinite(self.x) & (self.x > 0)
        return found


@dataclass(frozen=True)
class ChartLevel:
    """A horizontal line.

    Attributes
    ----------
    name : str
    y : float
        Not drawn when it is not positive.
    is_goal : bool
        What is to be reached: stronger, with the numbers at which fits reach it.
    tip : str
    is_reference : bool
        Published by others: dashed.
    """

    name: str
    y: float
    is_goal: bool = False
    tip: str = ""
    is_reference: bool = False


class CurveChart(QWidget):
    """Curves of error against number of training structures.

    Drag moves, the wheel zooms at the mouse, a double click or R shows all. A click on a mark chooses it. ←/→ go along
    a curve, ↑/↓ to the next one, Enter chooses, Esc leaves.

    Signals
    -------
    point_chosen(name, k)
        A mark was clicked: of which curve, and which.
    hidden_changed(names)
        Curves that are not drawn: a frozen set of names.
    """

    point_chosen = Signal(str, int)
    hidden_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._curves: list[ChartCurve] = []
        self._levels: list[ChartLevel] = []
        self._hidden: frozenset[str] = frozenset()
        self._titles = ("", "")
        self._message = ""
        self._window: tuple[float, float, float, float] | None = None
        self._hovered: tuple[str, int] | None = None
        self._chosen: tuple[str, int] | None = None
        self._pressed: QPointF | None = None
        self._dragging: QPointF | None = None
        self._told: tuple[str, QPointF] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Learning curves"))

    # -- what is drawn

    def set_curves(
        self,
        curves: Sequence[ChartCurve],
        levels: Sequence[ChartLevel] = (),
        x_title: str = "",
        y_title: str = "",
        message: str = "",
    ) -> None:
        """Replace everything; what was moved or zoomed stays as it is, and so does what is hidden.

        Parameters
        ----------
        message : str
            What is said when there is no mark to draw.
        """
        self._curves, self._levels = list(curves), list(levels)
        self._titles, self._message = (x_title, y_title), message
        if self._hovered is not None and self._find(self._hovered) is None:
            self._hovered = None
        names = "; ".join(f"{c.name} {c.note}".strip() for c in curves)
        self.setAccessibleDescription(names or message)
        self.update()

    def set_chosen(self, name: str, k: int) -> None:
        """Ring a mark; an unknown one: none."""
        self._chosen = (name, k)
        self.update()

    def set_hidden(self, names: frozenset[str]) -> None:
        """Draw all curves but these."""
        if names != self._hidden:
            self._hidden = names
            self._hovered = None
            self.hidden_changed.emit(names)
            self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def reset_range(self) -> None:
        """Show all."""
        self._window = None
        self.update()

    @property
    def curves(self) -> tuple[ChartCurve, ...]:
        """All curves, hidden ones as well."""
        return tuple(self._curves)

    @property
    def levels(self) -> tuple[ChartLevel, ...]:
        """Horizontal lines."""
        return tuple(self._levels)

    @property
    def hidden(self) -> frozenset[str]:
        """Names of curves that are not drawn."""
        return self._hidden

    @property
    def shown(self) -> list[ChartCurve]:
        """Curves that are drawn."""
        return [c for c in self._curves if c.name not in self._hidden]

    @property
    def hovered(self) -> tuple[str, int] | None:
        """The mark that is told of."""
        return self._hovered

    def text_of(self, name: str, k: int) -> str:
        """What is told of a mark."""
        curve = self._find((name, k))
        if curve is None:
            return ""
        return "\n".join(filter(None, (curve.name, curve.texts[k] if k < len(curve.texts) else curve.tip)))

    # -- places

    def area(self) -> QRectF:
        """Inside the axes, pixels."""
        metrics = self.fontMetrics()
        line = metrics.height()
        left = line + metrics.horizontalAdvance("0.0002") + 12
        return QRectF(self.rect()).adjusted(left, 8, -12, -(2 * line + 12))

    def window_shown(self) -> tuple[float, float, float, float]:
        """Decadic logarithms of the ends of the axes: x from, to, y from, to."""
        return self._window if self._window is not None else self._all()

    def place(self, x: float, y: float) -> QPointF:
        """Where a value is drawn, pixels; both positive."""
        return paint.place(math.log10(x), math.log10(y), self.window_shown(), self.area())

    def mark_place(self, name: str, k: int) -> QPointF:
        """Where a mark is drawn; KeyError for one that has no place."""
        curve = self._find((name, k))
        if curve is None:
            raise KeyError(f"{name}, {k}")
        return self.place(float(curve.x[k]), float(curve.y[k]))

    def _find(self, mark: tuple[str, int]) -> ChartCurve | None:
        name, k = mark
        for curve in self.shown:
            if curve.name == name:
                return curve if 0 <= k < len(curve.x) and curve.drawable()[k] else None
        return None

    def _all(self) -> tuple[float, float, float, float]:
        xs: list[float] = []
        ys: list[float] = []
        for curve in self.shown:
            good = curve.drawable()
            xs += np.log10(curve.x[good]).tolist()
            ys += np.log10(curve.y[good]).tolist()
            for edge in (curve.low, curve.high):
                if edge is not None:
                    with np.errstate(invalid="ignore"):
                        # a band of two repeats may go down to nothing
                        inside = good & np.isfinite(edge) & (edge > curve.y / 3) & (edge < curve.y * 3)
                    ys += np.log10(edge[inside]).tolist()
        if not xs:
            return 1.0, 4.0, -1.0, 2.0
        top, bottom = max(ys), min(ys)
        for level in self._levels:
            # what is far from all curves would press them flat; it is found by zooming out
            if level.y > 0 and bottom - 1.5 < math.log10(level.y) < top + 0.5:
                top, bottom = max(top, math.log10(level.y)), min(bottom, math.log10(level.y))
        right = max(xs) + max(0.12, 0.25 * (max(xs) - min(xs)))
        left = min(xs) - 0.08
        margin = max(0.06 * (top - bottom), 0.08)
        return left, right, bottom - margin, top + 1.6 * margin

    def _nearest(self, at: QPointF) -> tuple[str, int] | None:
        best, found = REACH, None
        window, area = self.window_shown(), self.area()
        if not area.adjusted(-6, -6, 6, 6).contains(at):
            return None
        for curve in self.shown:
            for k in np.flatnonzero(curve.drawable()).tolist():
                there = paint.place(math.log10(curve.x[k]), math.log10(curve.y[k]), window, area)
                away = math.hypot(there.x() - at.x(), there.y() - at.y())
                if away < best:
                    best, found = away, (curve.name, k)
        return found

    # -- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = self._dragging = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._pressed is None:
            self._set_hovered(self._nearest(at))
            level = self._level_at(at) if self._hovered is None else None
            told = None if level is None else ("\n".join(filter(None, (level.name, level.tip))), at)
            if told != self._told:
                self._told = told
                self.update()
            return
        moved = at - self._pressed
        if self._dragging is not None and math.hypot(moved.x(), moved.y()) > _DRAG:
            x0, x1, y0, y1 = self.window_shown()
            area, step = self.area(), at - self._dragging
            dx = -step.x() / area.width() * (x1 - x0)
            dy = step.y() / area.height() * (y1 - y0)
            self._window = (x0 + dx, x1 + dx, y0 + dy, y1 + dy)
            self._dragging = at
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        moved = event.position() - pressed
        if math.hypot(moved.x(), moved.y()) <= _DRAG:
            self._choose(self._nearest(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._nearest(event.position()) is None:
            self.reset_range()

    def wheelEvent(self, event: QWheelEvent) -> None:
        area = self.area()
        if not area.contains(event.position()) or not self.shown:
            event.ignore()
            return
        factor = STEP ** (-event.angleDelta().y() / 120)
        right = (event.position().x() - area.left()) / area.width()
        up = (area.bottom() - event.position().y()) / area.height()
        self._zoom(factor, right, up)
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._told = None
        self._set_hovered(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(Qt.Key(key))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose(self._hovered)
        elif key in (Qt.Key.Key_R, Qt.Key.Key_Home):
            self.reset_range()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self._zoom(STEP if key == Qt.Key.Key_Minus else 1 / STEP, 0.5, 0.5)
        elif key == Qt.Key.Key_Escape and self._hovered is not None:
            self._set_hovered(None)
        else:
            super().keyPressEvent(event)

    def _zoom(self, factor: float, right: float, up: float) -> None:
        x0, x1, y0, y1 = self.window_shown()
        x, y = x0 + right * (x1 - x0), y0 + up * (y1 - y0)
        wide, high = (x1 - x0) * factor, (y1 - y0) * factor
        if 0.02 < wide < 40 and 0.02 < high < 40:
            self._window = (x - right * wide, x + (1 - right) * wide, y - up * high, y + (1 - up) * high)
            self._set_hovered(None)
            self.update()

    def _step(self, key: Qt.Key) -> None:
        """To the next mark of a curve, or to the same size on the next curve."""
        curves = [c for c in self.shown if c.drawable().any()]
        if not curves:
            return
        names = [c.name for c in curves]
        if self._hovered is None or self._hovered[0] not in names:
            self._set_hovered((names[0], int(np.flatnonzero(curves[0].drawable())[-1])))
            return
        at = names.index(self._hovered[0])
        marks = np.flatnonzero(curves[at].drawable())
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            here = int(np.searchsorted(marks, self._hovered[1])) + (1 if key == Qt.Key.Key_Right else -1)
            self._set_hovered((names[at], int(marks[min(max(here, 0), len(marks) - 1)])))
            return
        other = curves[(at + (1 if key == Qt.Key.Key_Down else -1)) % len(curves)]
        marks, x = np.flatnonzero(other.drawable()), float(curves[at].x[self._hovered[1]])
        self._set_hovered((other.name, int(marks[np.argmin(np.abs(np.log(other.x[marks] / x)))])))

    def _choose(self, mark: tuple[str, int] | None) -> None:
        curve = self._find(mark) if mark is not None else None
        if mark is not None and curve is not None and not curve.is_reference:
            self.set_chosen(*mark)
            self.point_chosen.emit(*mark)

    def _set_hovered(self, mark: tuple[str, int] | None) -> None:
        if mark != self._hovered:
            self._hovered = mark
            clickable = mark is not None and (c := self._find(mark)) is not None and not c.is_reference
            self.setCursor(Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor)
            self.update()

    def _level_at(self, at: QPointF) -> ChartLevel | None:
        area = self.area()
        if not self.shown or not area.contains(at):
            return None
        return next((v for v in self._levels if v.y > 0 and abs(self.place(10.0, v.y).y() - at.y()) < 4), None)

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(520, 300)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 130)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self._theme.background)
        area, window, colors = self.area(), self.window_shown(), self._theme
        curves = self.shown
        if not any(c.drawable().any() for c in curves):
            paint.message(painter, self._message, QRectF(self.rect()).adjusted(12, 8, -12, -8), colors)
            painter.end()
            return
        paint.axes(painter, area, window, self._titles, colors)
        painter.save()
        painter.setClipRect(area.adjusted(-6, -6, 6, 6))
        for curve in curves:
            paint.band(painter, curve, window, area)
        for curve in curves:
            paint.fit(painter, curve, window, area)
        paint.levels(painter, self._levels, window, area, colors)
        for curve in curves:
            paint.curve(painter, curve, window, area, colors)
        goal = next((v for v in self._levels if v.is_goal and v.y > 0), None)
        if goal is not None:
            paint.reached(painter, curves, goal.y, window, area, colors)
        for mark, color in ((self._chosen, colors.accent), (self._hovered, colors.foreground)):
            if mark is not None and self._find(mark) is not None:
                paint.ring(painter, self.mark_place(*mark), color, colors)
        painter.restore()
        if self._hovered is not None and self._find(self._hovered) is not None:
            paint.card(
                painter, self.text_of(*self._hovered), self.mark_place(*self._hovered), QRectF(self.rect()), colors
            )
        elif self._told is not None:
            paint.card(painter, self._told[0], self._told[1], QRectF(self.rect()), colors)
        if self.hasFocus():
            paint.focus(painter, QRectF(self.rect()), colors)
        painter.end()
