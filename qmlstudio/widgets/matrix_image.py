"""A square matrix of any size as an image of tiles: zoomed, panned, pointed at; what is not there yet is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.session.kernel_picture import TILE, TileKey
from qmlstudio.widgets import matrix_painter as paint
from qmlstudio.widgets.matrix_cache import TileCache
from qmlstudio.widgets.theme import theme

Indices = NDArray[np.int64]
Pair = tuple[int, int]

STEP = 1.25
"""A turn of the wheel."""
MOST_PIXELS = 48.0
"""Of one row: no closer look makes sense."""
_DRAG = 4.0


class MatrixImage(QWidget):
    """Rows downwards, columns to the right, both in the same order; (0, 0) is at the top left.

    A drag pans, the wheel zooms at the cursor, a double click or R shows all; a click chooses a pair. On the keyboard
    the arrows move a cursor (Shift: by ten), + and − zoom at it, Enter chooses.

    Signals
    -------
    wanted_changed()
        Other tiles are missing: :meth:`wanted`.
    pair_hovered(row, column)
        Places in the order; (−1, −1) when the cursor has left.
    pair_chosen(row, column)
    """

    wanted_changed = Signal()
    pair_hovered = Signal(int, int)
    pair_chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._n = 0
        self._cache = TileCache()
        self._center = (0.0, 0.0)
        self._scale = 0.0
        self._title = self._message = ""
        self._axis = ""
        self._text_of: Callable[[int], str] | None = None
        self._bounds: Indices = np.zeros(1, dtype=np.int64)
        self._names: tuple[str, ...] = ()
        self._marked: Indices = np.zeros(0, dtype=np.int64)
        self._active: int | None = None
        self._pinned: tuple[int, ...] = ()
        self._cursor: Pair | None = None
        self._pressed: QPointF | None = None
        self._grip = self._center
        self._dragged = False
        self._fitted = True
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Kernel matrix"))

    # -- what is drawn

    def set_matrix(self, n: int, title: str = "", message: str = "", keep_view: bool = False) -> None:
        """Begin a matrix of n rows; all tiles of the former one go.

        Parameters
        ----------
        title : str
            Of the colours.
        message : str
            What is said when n is 0.
        keep_view : bool
            Show the same part, if the size is the same.
        """
        same = keep_view and n == self._n
        self._n, self._title, self._message = n, title, message
        self._cache.clear()
        self._cursor = None
        if not same:
            self.reset_view()
        self.setAccessibleDescription(f"{title}, {n:,} × {n:,}" if n else message)
        self._changed()

    def set_message(self, message: str) -> None:
        """What is said when there is no matrix."""
        self._message = message
        self.update()

    def set_range(self, low: float, high: float, log: bool = False) -> None:
        """Values of the first and the last colour; positive when logarithmic. ValueError unless low ≤ high."""
        if not (math.isfinite(low) and math.isfinite(high) and low <= high) or (log and low <= 0):
            raise ValueError(f"no range of colours from {low} to {high}")
        self._cache.set_range(low, high, log)
        self.update()

    def set_axis(self, title: str, text_of: Callable[[int], str] | None = None) -> None:
        """What the order follows, and what stands at a place of the axis (places are shown without)."""
        self._axis, self._text_of = title, text_of
        self.update()

    def set_groups(self, bounds: Indices, names: Sequence[str]) -> None:
        """Groups of neighbouring rows: (g + 1,) where they begin and end, and their names."""
        if len(bounds) != len(names) + 1:
            raise ValueError(f"{len(names)} groups need {len(names) + 1} bounds, not {len(bounds)}")
        self._bounds, self._names = bounds, tuple(names)
        self.update()

    def set_marks(self, marked: Indices, active: int | None = None, pinned: Sequence[int] = ()) -> None:
        """Places that are marked on both axes: the selected ones (ascending), the active one, the pinned ones."""
        self._marked, self._active, self._pinned = marked, active, tuple(pinned)
        self.update()

    def put_tiles(self, tiles: dict[TileKey, NDArray[np.float32]]) -> None:
        """Add tiles; a tile stands for its mirror image, too."""
        self._cache.put(tiles)
        self._changed()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    # -- what there is

    @property
    def count(self) -> int:
        """Rows of the matrix."""
        return self._n

    @property
    def color_range(self) -> tuple[float, float, bool]:
        """Values of the first and the last colour, and whether they are logarithmic."""
        return self._cache.low, self._cache.high, self._cache.log

    @property
    def axis_title(self) -> str:
        """What the order follows."""
        return self._axis

    @property
    def cursor_pair(self) -> Pair | None:
        """The pair that is pointed at."""
        return self._cursor

    @property
    def level(self) -> int:
        """Every 2^level-th row is drawn."""
        scale = self._scale * self.devicePixelRatioF()
        return max(0, math.ceil(math.log2(1.0 / scale) - 1e-9)) if scale > 0 else 0

    @property
    def top_level(self) -> int:
        """At which one tile holds all."""
        return max(0, math.ceil(math.log2(max(self._n, 1) / TILE)))

    def visible(self) -> tuple[QRectF, tuple[float, float, float, float]]:
        """Where the matrix is drawn, pixels; and which part: first and last row, first and last column."""
        area = self.area()
        if not self._n or self._scale <= 0:
            return QRectF(), (0.0, 0.0, 0.0, 0.0)
        half_w, half_h = area.width() / 2 / self._scale, area.height() / 2 / self._scale
        y, x = self._center
        r0, r1 = max(y - half_h, 0.0), min(y + half_h, float(self._n))
        c0, c1 = max(x - half_w, 0.0), min(x + half_w, float(self._n))
        box = QRectF(self.place(r0, c0), self.place(r1, c1))
        return box, (r0, r1, c0, c1)

    def keys(self) -> list[TileKey]:
        """Tiles that are on the screen, those in its middle first."""
        if not self._n:
            return []
        level = min(self.level, self.top_level)
        _, (r0, r1, c0, c1) = self.visible()
        wide = TILE << level
        last = (self._n - 1) // wide
        rows = range(int(r0 // wide), min(int(r1 // wide), last) + 1)
        columns = range(int(c0 // wide), min(int(c1 // wide), last) + 1)
        y, x = (r0 + r1) / 2 / wide - 0.5, (c0 + c1) / 2 / wide - 0.5
        return sorted(((level, i, j) for i in rows for j in columns), key=lambda k: (k[1] - y) ** 2 + (k[2] - x) ** 2)

    def wanted(self) -> list[TileKey]:
        """Missing tiles: first the one that shows all, roughly, then those on the screen; rows ≤ columns."""
        if not self._n:
            return []
        found: dict[TileKey, None] = {}
        for level, i, j in [(self.top_level, 0, 0), *self.keys()]:
            key = (level, min(i, j), max(i, j))
            if key not in self._cache:
                found[key] = None
        return list(found)

    def value_at(self, row: int, column: int) -> float:
        """The similarity at a pair that :meth:`pair_at` gave; NaN while it is not there."""
        level = min(self.level, self.top_level)
        step = 1 << level
        i, j = row // step, column // step
        return self._cache.value((level, i // TILE, j // TILE), i % TILE, j % TILE)

    def pair_at(self, point: QPointF) -> Pair | None:
        """The pair of places whose similarity is drawn at a point; None beside the matrix."""
        box, _ = self.visible()
        if not self._n or not box.contains(point):
            return None
        area = self.area()
        y = self._center[0] + (point.y() - area.center().y()) / self._scale
        x = self._center[1] + (point.x() - area.center().x()) / self._scale
        return self._sampled(int(y)), self._sampled(int(x))

    def _sampled(self, place: int) -> int:
        """The row that stands for those around a place at this zoom."""
        step = 1 << min(self.level, self.top_level)
        place = min(max(place, 0), self._n - 1)
        return min(place // step * step + step // 2, self._n - 1)

    # -- places

    def area(self) -> QRectF:
        """Inside the axes, pixels."""
        line = self.fontMetrics().height()
        return QRectF(self.rect()).adjusted(paint.STRIP + 3, line + 6 + paint.STRIP, -paint.BAR, -(2 * line + 6))

    def place(self, row: float, column: float) -> QPointF:
        """Where a row and a column begin, pixels."""
        area = self.area()
        return QPointF(
            area.center().x() + (column - self._center[1]) * self._scale,
            area.center().y() + (row - self._center[0]) * self._scale,
        )

    def _least(self) -> float:
        area = self.area()
        return max(min(area.width(), area.height()), 1.0) / max(self._n, 1)

    def reset_view(self) -> None:
        """Show all."""
        self._center = (self._n / 2, self._n / 2)
        self._scale = self._least()
        self._changed()

    def show_part(self, row: float, column: float, scale: float) -> None:
        """Put a place in the middle, at so many pixels for each row."""
        least = self._least()
        self._scale = min(max(scale, least), max(MOST_PIXELS, least))
        area = self.area()
        found = []
        for middle, pixels in ((row, area.height()), (column, area.width())):
            half = pixels / 2 / self._scale
            # no further than the edge, and in the middle while all is to be seen
            inside = self._n / 2 if 2 * half >= self._n else min(max(middle, half), self._n - half)
            found.append(inside)
        self._center = found[0], found[1]
        self._changed()

    def zoom(self, factor: float, at: QPointF) -> None:
        """Magnify; what is at a point stays there."""
        area = self.area()
        dy, dx = at.y() - area.center().y(), at.x() - area.center().x()
        row, column = self._center[0] + dy / self._scale, self._center[1] + dx / self._scale
        least = self._least()
        scale = min(max(self._scale * factor, least), max(MOST_PIXELS, least))
        self.show_part(row - dy / scale, column - dx / scale, scale)

    def _changed(self) -> None:
        # a resize keeps what is to be seen: all, or a part
        self._fitted = self._scale <= self._least() * (1 + 1e-9)
        self.update()
        self.wanted_changed.emit()

    # -- mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._n:
            self._pressed, self._dragged = event.position(), False
            self._grip = self._center

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._pressed is not None:
            moved = at - self._pressed
            if self._dragged or abs(moved.x()) + abs(moved.y()) > _DRAG:
                self._dragged = True
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                y, x = self._grip
                self.show_part(y - moved.y() / self._scale, x - moved.x() / self._scale, self._scale)
            return
        self._point(self.pair_at(at))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            return
        self._pressed = None
        self.unsetCursor()
        pair = self.pair_at(event.position())
        if not self._dragged and pair is not None:
            self.pair_chosen.emit(*pair)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._pressed = None
        self.reset_view()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._n and event.angleDelta().y():
            self.zoom(STEP ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key = event.key()
        if not self._n:
            super().keyPressEvent(event)
        elif key in steps:
            down, right = steps[Qt.Key(key)]
            far = (1 << self.level) * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
            row, column = self._cursor or (int(self._center[0]), int(self._center[1]))
            self._point((self._sampled(row + down * far), self._sampled(column + right * far)))
            self._follow()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            row, column = self._cursor or (int(self._center[0]), int(self._center[1]))
            factor = 1 / STEP if key == Qt.Key.Key_Minus else STEP
            self.show_part(row + 0.5, column + 0.5, self._scale * factor)
        elif key == Qt.Key.Key_R:
            self.reset_view()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._cursor is not None:
            self.pair_chosen.emit(*self._cursor)
        else:
            super().keyPressEvent(event)

    def _follow(self) -> None:
        """Keep the cursor on the screen."""
        if self._cursor is not None:
            at = self.place(self._cursor[0] + 0.5, self._cursor[1] + 0.5)
            if not self.area().contains(at):
                self.show_part(self._cursor[0], self._cursor[1], self._scale)

    def _point(self, pair: Pair | None) -> None:
        if pair != self._cursor:
            self._cursor = pair
            self.update()
            self.pair_hovered.emit(*(pair or (-1, -1)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        old = event.oldSize()
        if old.isEmpty() or self._fitted:
            self.reset_view()
        else:
            self.show_part(*self._center, self._scale)

    def sizeHint(self) -> QSize:
        return QSize(320, 340)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint.paint(painter, self, self._theme, self._look())
        painter.end()

    def _look(self) -> paint.Look:
        box, part = self.visible()
        return paint.Look(
            box=box,
            part=part,
            keys=self.keys(),
            cache=self._cache,
            title=self._title,
            message=self._message if not self._n else "",
            axis=self._axis,
            text_of=self._text_of or _number,
            bounds=self._bounds,
            names=self._names,
            marked=self._marked,
            active=self._active,
            pinned=self._pinned,
            cursor=self._cursor,
            step=1 << min(self.level, self.top_level),
        )


def _number(place: int) -> str:
    return f"{place + 1:,}"
