"""The small pictures of which a drawing of panels is made: a curve, bars with names, a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from qmlstudio.widgets.descriptor_data import PanelLike
from qmlstudio.widgets.descriptor_panels import CENTRE, LEFT, RIGHT, Style
from qmlstudio.widgets.descriptor_scale import Scale, number
from qmlstudio.widgets.theme import mix

Array = NDArray[Any]
TITLE = 14.0
"""Height of a tile's title, px."""
FOOT = 13.0
"""Height of the numbers below a curve, px."""
_LONGEST_NAME = 64.0
_MAGNIFICATIONS = (1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0)


class Tile(ABC):
    """One panel: where it is drawn and how.

    Attributes
    ----------
    panel : PanelLike
    values : (d,) float, finite
        All features.
    box, plot : QRectF
        All of it; what lies within its axes.
    factor : float
        By how much its values are magnified, so that a small curve can be read on the scale of the large ones.
    """

    kind = ""

    def __init__(self, panel: PanelLike, values: Array, style: Style) -> None:
        self.panel = panel
        self.values = values
        self.style = style
        self.box = QRectF()
        self.plot = QRectF()
        self.scale = Scale("linear", 0.0, 1.0)
        self.factor = 1.0
        self.color = "#2f7fc1"
        self.own_axis = ""
        own = self.own_values()
        self.strength = float(np.abs(own).max()) if len(own) else 0.0

    @property
    def columns(self) -> Array:
        """The columns that it draws, in the order in which the keyboard goes through them."""
        return np.arange(self.panel.start, self.panel.stop)

    def own_values(self) -> Array:
        """The values that it draws."""
        return self.values[self.panel.start : self.panel.stop]

    def set_scale(self, scale: Scale) -> None:
        """Take the scale of its group, magnified where it would show nothing of this one."""
        self.scale, self.factor = scale, 1.0
        if scale.kind == "linear" and self.kind != "matrix" and self.strength > 0:
            largest = max(abs(scale.low), abs(scale.high))
            self.factor = next((f for f in _MAGNIFICATIONS if self.strength * f <= largest), 1.0)

    @abstractmethod
    def paint(self, painter: QPainter, part: Array | None) -> None:
        """Paint, with the part that picked atoms make."""

    @abstractmethod
    def boxes(self, column: int) -> list[QRectF]:
        """Where one of its columns is drawn."""

    @abstractmethod
    def hit(self, position: QPointF) -> int:
        """The column at a place within :attr:`box`; -1 for none."""

    def step(self, column: int, rows: int, columns: int) -> int:
        """The column so far away, or -1 when that leaves the tile."""
        target = column + columns
        return target if rows == 0 and self.panel.start <= target < self.panel.stop else -1

    def entry(self, x: float) -> int:
        """The column at which the keyboard comes in at this height of x, px."""
        return int(min(self.columns, key=lambda c: abs(self.boxes(int(c))[0].center().x() - x), default=-1))

    def _paint_title(self, painter: QPainter, lit: bool) -> None:
        colors = self.style.colors
        painter.setFont(self.style.sized(10))
        box = QRectF(self.plot.left(), self.box.top(), self.plot.width(), TITLE)
        metrics = QFontMetricsF(painter.font())
        more = ""
        if self.factor != 1.0:
            more = f"×{self.factor:g}"
        if self.own_axis:
            more = f"{more}  {self.own_axis}".strip()
        title = self.panel.title
        if more:
            room = box.width() - metrics.horizontalAdvance(title) - 8
            shown = metrics.elidedText(more, Qt.TextElideMode.ElideRight, max(room, 0.0)) if room > 20 else ""
            painter.setPen(QColor(colors.muted))
            painter.drawText(box, RIGHT, shown)
        painter.setPen(QColor(colors.accent if lit else colors.foreground))
        painter.drawText(box, LEFT, metrics.elidedText(title, Qt.TextElideMode.ElideRight, box.width()))

    def _paint_frame(self, painter: QPainter, ticks: list[float]) -> None:
        """Lines of reference and the zero line."""
        colors, plot = self.style.colors, self.plot
        painter.setPen(QPen(QColor(colors.grid), 1))
        for value in ticks:
            y = plot.bottom() - float(self.scale(value)) * plot.height()
            painter.drawLine(QLineF(plot.left(), y, plot.right(), y))
        painter.setPen(QPen(QColor(colors.muted), 1))
        y = plot.bottom() - self._zero() * plot.height()
        painter.drawLine(QLineF(plot.left(), y, plot.right(), y))

    def _zero(self) -> float:
        return float(self.scale(0.0)) if self.scale.kind != "log" else 0.0

    def _tone(self, stepping_back: bool) -> QColor:
        colors = self.style.colors
        color = mix(self.color, "#ffffff" if colors.dark else "#000000", 0.15 if colors.dark else 0.05)
        return QColor(mix(color, colors.background, 0.55) if stepping_back else color)

    def _signed(self) -> tuple[QColor, QColor]:
        """Of a difference: more, less."""
        more, less = (self.style.lut[k] for k in (222, 34))
        return QColor(*(int(c) for c in more)), QColor(*(int(c) for c in less))


class CurveTile(Tile):
    """Values over a grid."""

    kind = "curve"

    def __init__(self, panel: PanelLike, values: Array, style: Style) -> None:
        super().__init__(panel, values, style)
        grid = np.asarray(panel.grid, dtype=np.float64)
        low, high = float(grid[0]), float(grid[-1])
        self._ends = (low, high)
        self._x = (grid - low) / (high - low) if high > low else np.full(len(grid), 0.5)

    def paint(self, painter: QPainter, part: Array | None) -> None:
        own = part[self.panel.start : self.panel.stop] if part is not None else None
        lit = own is not None and bool(np.abs(own).max(initial=0.0) > 1e-6 * self.strength)
        self._paint_title(painter, lit)
        self._paint_frame(painter, self.scale.ticks(max(3, int(self.plot.height() / 20))))
        self._paint_ticks(painter)
        values = self.own_values()
        if self.style.difference:
            more, less = self._signed()
            self._paint_area(painter, np.maximum(values, 0.0), more, 110, line=False)
            self._paint_area(painter, np.minimum(values, 0.0), less, 110, line=False)
            self._paint_area(painter, values, QColor(self.style.colors.foreground), 0)
        else:
            self._paint_area(painter, values, self._tone(part is not None), 60)
            if own is not None and lit:
                self._paint_area(painter, own, QColor(self.style.colors.accent), 110)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_area(self, painter: QPainter, values: Array, color: QColor, alpha: int, line: bool = True) -> None:
        # as fast as a list of points is slow
        from pyqtgraph.functions import arrayToQPolygonF

        plot = self.plot
        x = plot.left() + self._x * plot.width()
        y = plot.bottom() - self.scale(values * self.factor) * plot.height()
        if len(x) > 3 * plot.width():
            x, y = _extremes(x, y)
        if alpha:
            zero = plot.bottom() - self._zero() * plot.height()
            fill = QColor(color)
            fill.setAlpha(alpha)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            # smooth edges cost ten times as much, and the line lies over them
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            area = arrayToQPolygonF(np.concatenate((x[:1], x, x[-1:])), np.concatenate(((zero,), y, (zero,))))
            painter.drawPolygon(area)
        if line:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(color, 1.3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(arrayToQPolygonF(x, y))

    def _paint_ticks(self, painter: QPainter) -> None:
        low, high = self._ends
        if high <= low:
            return
        plot, colors = self.plot, self.style.colors
        painter.setFont(self.style.sized(9))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(colors.muted))
        last = -np.inf
        for value in Scale("linear", low, high).ticks(max(2, int(plot.width() / 36))):
            x = plot.left() + (value - low) / (high - low) * plot.width()
            text = number(value)
            wide = metrics.horizontalAdvance(text)
            left = min(max(x - wide / 2, plot.left() - 6), plot.right() + 6 - wide)
            painter.drawLine(QLineF(x, plot.bottom(), x, plot.bottom() + 2))
            if left > last + 4:
                painter.drawText(QRectF(left - 2, plot.bottom() + 1, wide + 4, FOOT), CENTRE, text)
                last = left + wide

    def boxes(self, column: int) -> list[QRectF]:
        x = self.plot.left() + float(self._x[column - self.panel.start]) * self.plot.width()
        return [QRectF(x - 1.5, self.plot.top(), 3.0, self.plot.height())]

    def hit(self, position: QPointF) -> int:
        if not self.plot.adjusted(-4, -TITLE, 4, FOOT).contains(position):
            return -1
        x = (position.x() - self.plot.left()) / max(self.plot.width(), 1.0)
        return self.panel.start + int(np.argmin(np.abs(self._x - x)))

    def entry(self, x: float) -> int:
        at = (x - self.plot.left()) / max(self.plot.width(), 1.0)
        return self.panel.start + int(np.argmin(np.abs(self._x - at)))


class BarsTile(Tile):
    """A bar for each column, with its name where there is room."""

    kind = "bars"

    def lay_out_names(self, width: float) -> float:
        """Decide how the names stand for a plot of this width; the height that they take, px."""
        font = self.style.sized(9)
        metrics = QFontMetricsF(font)
        self._bar = width / max(self.panel.stop - self.panel.start, 1)
        widest = _widest(tuple(self.panel.names), font.toString())
        self._names = "none"
        if widest and widest + 3 <= self._bar:
            self._names = "level"
            return metrics.height()
        if widest and metrics.height() - 2 <= self._bar:
            self._names = "upright"
            return min(widest, _LONGEST_NAME) + 4
        return 3.0

    def paint(self, painter: QPainter, part: Array | None) -> None:
        start, stop = self.panel.start, self.panel.stop
        own = part[start:stop] if part is not None else None
        lit = own is not None and bool(np.abs(own).max(initial=0.0) > 1e-6 * self.strength)
        self._paint_title(painter, lit)
        self._paint_frame(painter, self.scale.ticks(max(3, int(self.plot.height() / 20))))
        values = self.own_values()
        if self.style.difference:
            for color, chosen in zip(self._signed(), (values > 0, values < 0), strict=True):
                self._paint_bars(painter, np.where(chosen, values, 0.0), color)
        else:
            self._paint_bars(painter, values, self._tone(part is not None))
            if own is not None and lit:
                self._paint_bars(painter, own, QColor(self.style.colors.accent))
        self._paint_names(painter, own)

    def _paint_bars(self, painter: QPainter, values: Array, color: QColor) -> None:
        shown = np.flatnonzero(values)
        if not len(shown):
            return
        if self._bar < 1:
            # of bars that share a pixel the one farthest from zero
            pixel = (shown * self._bar).astype(np.int64)
            order = np.lexsort((np.abs(values[shown]), pixel))
            shown = shown[order[np.append(np.flatnonzero(np.diff(pixel[order])), len(order) - 1)]]
        heights = self.scale(values[shown] * self.factor) * self.plot.height()
        zero = self._zero() * self.plot.height()
        gap = 1.0 if self._bar >= 3 else 0.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        rects = []
        for k, height in zip(shown.tolist(), heights.tolist(), strict=True):
            low, high = min(zero, height), max(zero, height)
            # a value that is there shows at least as a line
            high = max(high, low + 1)
            x = self.plot.left() + k * self._bar
            rects.append(QRectF(x, self.plot.bottom() - high, max(self._bar - gap, 1.0), high - low))
        painter.drawRects(rects)

    def _paint_names(self, painter: QPainter, part: Array | None) -> None:
        if self._names == "none":
            return
        colors, plot = self.style.colors, self.plot
        painter.setFont(self.style.sized(9))
        metrics = QFontMetricsF(painter.font())
        for k, name in enumerate(self.panel.names):
            filled = bool(self.values[self.panel.start + k])
            lit = part is not None and k < len(part) and part[k] != 0
            painter.setPen(QColor(colors.accent if lit else colors.foreground if filled else colors.muted))
            x = plot.left() + k * self._bar
            if self._names == "level":
                painter.drawText(QRectF(x, plot.bottom() + 1, self._bar, metrics.height()), CENTRE, name)
                continue
            painter.save()
            painter.translate(x + self._bar / 2, plot.bottom() + 2)
            painter.rotate(90)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, _LONGEST_NAME)
            painter.drawText(QRectF(0, -8, _LONGEST_NAME + 4, 16), LEFT, shown)
            painter.restore()

    def boxes(self, column: int) -> list[QRectF]:
        k = column - self.panel.start
        height = float(self.scale(self.values[column] * self.factor)) * self.plot.height()
        zero = self._zero() * self.plot.height()
        low, high = min(zero, height), max(zero, height, min(zero, height) + 1)
        x = self.plot.left() + k * self._bar
        return [QRectF(x, self.plot.bottom() - high, max(self._bar - 1, 1.0), high - low)]

    def hit(self, position: QPointF) -> int:
        k = int((position.x() - self.plot.left()) // max(self._bar, 1e-9))
        if not self.box.contains(position) or not 0 <= k < self.panel.stop - self.panel.start:
            return -1
        if self._bar < 2:
            # a bar thinner than the hand is steady: the tallest nearby
            reach = int(2 / self._bar)
            low, high = max(k - reach, 0), min(k + reach + 1, self.panel.stop - self.panel.start)
            k = low + int(np.argmax(np.abs(self.own_values()[low:high])))
        return self.panel.start + k

    def entry(self, x: float) -> int:
        k = int((x - self.plot.left()) // max(self._bar, 1e-9))
        return min(max(self.panel.start + k, self.panel.start), self.panel.stop - 1)


class MatrixTile(Tile):
    """Coloured cells."""

    kind = "matrix"

    def __init__(self, panel: PanelLike, values: Array, style: Style) -> None:
        assert panel.cells is not None
        self.cells: NDArray[np.int64] = np.asarray(panel.cells)
        super().__init__(panel, values, style)

    @property
    def columns(self) -> Array:
        cells = self.cells.ravel()
        return cells[cells >= 0]

    def own_values(self) -> Array:
        return self.values[self.columns]

    def paint(self, painter: QPainter, part: Array | None) -> None:
        lit = part is not None and bool(np.abs(part[self.columns]).max(initial=0.0) > 1e-6 * self.strength)
        self._paint_title(painter, lit)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(self.plot, self._image(part))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self.style.colors.accent if lit else self.style.colors.border), 1))
        painter.drawRect(self.plot)

    def _image(self, part: Array | None) -> QImage:
        colors, cells = self.style.colors, self.cells
        values = np.where(cells >= 0, self.values[cells], 0.0)
        shown = self.style.lut[np.rint(255 * self.scale(values)).astype(np.intp)].astype(np.float64)
        ground = QColor(mix(colors.grid, colors.background, 0.4))
        empty = np.array([ground.red(), ground.green(), ground.blue()], dtype=np.float64)
        if part is not None:
            # what the picked atoms do not make steps back
            own = np.where(cells >= 0, part[cells], 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.clip(np.nan_to_num(np.abs(own) / np.abs(values)), 0.0, 1.0)
            shown = empty + (shown - empty) * (0.12 + 0.88 * share)[..., None]
        blank = cells < 0
        if not self.style.difference:
            blank |= values == 0
        shown[blank] = empty
        rows, columns = cells.shape
        pixels = np.full((rows, columns, 4), 255, dtype=np.uint8)
        pixels[..., :3] = np.rint(shown[..., ::-1]).astype(np.uint8)
        # copied: a QImage only borrows the buffer
        return QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGB32).copy()

    def _cell(self) -> tuple[float, float]:
        rows, columns = self.cells.shape
        return self.plot.width() / max(columns, 1), self.plot.height() / max(rows, 1)

    def boxes(self, column: int) -> list[QRectF]:
        wide, high = self._cell()
        return [
            QRectF(self.plot.left() + j * wide, self.plot.top() + i * high, wide, high)
            for i, j in np.argwhere(self.cells == column).tolist()
        ]

    def hit(self, position: QPointF) -> int:
        if not self.plot.contains(position):
            return -1
        wide, high = self._cell()
        i = min(int((position.y() - self.plot.top()) / high), self.cells.shape[0] - 1)
        j = min(int((position.x() - self.plot.left()) / wide), self.cells.shape[1] - 1)
        return int(self.cells[i, j])

    def step(self, column: int, rows: int, columns: int) -> int:
        places = np.argwhere(self.cells == column)
        if not len(places):
            return -1
        # of a symmetric matrix's two cells the lower one leads
        i, j = (int(v) for v in places[-1])
        i, j = i + rows, j + columns
        inside = 0 <= i < self.cells.shape[0] and 0 <= j < self.cells.shape[1]
        return int(self.cells[i, j]) if inside else -1


def make_tile(panel: PanelLike, values: Array, style: Style) -> Tile:
    """The tile that suits a panel."""
    if panel.cells is not None:
        return MatrixTile(panel, values, style)
    if panel.grid is not None and len(panel.grid):
        return CurveTile(panel, values, style)
    return BarsTile(panel, values, style)


@lru_cache(maxsize=512)
def _widest(texts: tuple[str, ...], font: str) -> float:
    """Of texts in a font, px; the same names come with every frame."""
    used = QFont()
    used.fromString(font)
    metrics = QFontMetricsF(used)
    return max((metrics.horizontalAdvance(text) for text in texts), default=0.0)


def _extremes(x: Array, y: Array) -> tuple[Array, Array]:
    """Of points that share a pixel the highest and the lowest, in order."""
    starts = np.flatnonzero(np.diff(np.floor(x), prepend=-1e9))
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return np.repeat(x[starts], 2), np.stack([low, high], axis=1).ravel()
