"""A grid of small pictures of structures, of any number: only what is seen is asked for, kept and painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

from qmlstudio.chem.scaffold import Scaffold
from qmlstudio.widgets.gallery_cache import PictureCache
from qmlstudio.widgets.gallery_cell import Cell, CellPainter
from qmlstudio.widgets.gallery_pictures import Kind, Look

Indices = NDArray[np.int64]
Lines = Callable[[int], tuple[str, ...]]

SMALLEST, LARGEST = 80, 260
"""Width of a cell, logical pixels."""
GAP: Final = 6
_HIGHEST: Final = 2**30
"""Pixels that a scroll bar can count; a grid that is higher scrolls in steps of more than one."""
_TEXTS: Final = 4000
"""Cells of which the captions are remembered."""


class GalleryGrid(QAbstractScrollArea):
    """Cells with a picture and captions; what they show is given by functions that are asked when a cell comes to view.

    Click: active; Ctrl+click or P: pin; Shift+click or Shift with the arrows: select a range; double click or Enter:
    the other panels go there, too. Arrows, Page up and down, Home and End move; Esc clears.

    Signals
    -------
    activated_structure(index), pin_requested(index), reveal_requested(index)
    selected_structures(indices)
        (k,) int64: a range was chosen.
    hovered(index)
        -1: none.
    context_menu_requested(index or -1, global position)
    wanted(indices)
        Structures whose pictures are missing, the most urgent first. Comes after painting, until all are there.
    escape_pressed()
    """

    activated_structure = Signal(int)
    pin_requested = Signal(int)
    reveal_requested = Signal(int)
    selected_structures = Signal(object)
    hovered = Signal(int)
    context_menu_requested = Signal(int, QPoint)
    wanted = Signal(object)
    escape_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._order: Indices | range = range(0)
        self._mask: NDArray[np.bool_] | None = None
        self._passes: NDArray[np.bool_] | None = None
        self._pins: dict[int, int] = {}
        self._active = self._hover = -1
        self._anchor = -1
        self._captions: Lines = lambda index: (str(index + 1),)
        self._title: Callable[[int], str] = lambda index: ""
        self._caption_lines = 1
        self._texts: dict[int, tuple[str, ...]] = {}
        self._message = ""
        self._size = 132
        self._kind: Kind = "2d"
        self._dark = False
        self._scaffold: Scaffold | None = None
        self._columns, self._pitch, self._left = 1, 140, 0
        self._row_height, self._step = 140, 1
        self._last_top = 0
        self.cache = PictureCache()
        self._painter = CellPainter()
        self._look = Look()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName(self.tr("Gallery"))
        self.setMinimumSize(120, 90)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._ask = QTimer(self)
        self._ask.setSingleShot(True)
        self._ask.timeout.connect(self._on_ask_timeout)
        self._arrange()

    # -- what is shown

    @property
    def order(self) -> Indices:
        """The structures, (k,) int64, in the order of the cells."""
        order = self._order
        return np.arange(order.start, order.stop, dtype=np.int64) if isinstance(order, range) else order

    @property
    def look(self) -> Look:
        """What the pictures have to be like now."""
        return self._look

    @property
    def columns(self) -> int:
        """Cells side by side."""
        return self._columns

    def set_order(self, order: Indices | range, keep_place: bool = False) -> None:
        """Show these structures (all as a range); from the top, or (`keep_place`) about where it was."""
        self._order = order
        self._anchor = -1
        if not keep_place:
            self.verticalScrollBar().setValue(0)
        self._arrange()

    def forget(self) -> None:
        """Structures bear other numbers now: drop all pictures and captions."""
        self.cache.clear()
        self._texts.clear()
        self._painter.forget()
        self._order = range(0)
        self._mask = self._passes = None
        self._pins, self._active, self._hover, self._anchor = {}, -1, -1, -1
        self.set_order(self._order)

    def set_captions(self, captions: Lines, lines: int, title: Callable[[int], str]) -> None:
        """What is written under the pictures, `lines` lines, and in the place of one that is not there (yet)."""
        self._captions, self._caption_lines, self._title = captions, lines, title
        self._texts.clear()
        self._arrange()

    def set_message(self, text: str) -> None:
        """What is said in an empty gallery."""
        self._message = text
        self.viewport().update()

    def set_cell_size(self, pixels: int) -> None:
        """Width of a cell; the first one in view stays in view."""
        pixels = int(np.clip(pixels, SMALLEST, LARGEST))
        if pixels != self._size:
            self._size = pixels
            self._texts.clear()
            self._arrange()

    def set_kind(self, kind: Kind) -> None:
        """ "2d" depictions or "3d" thumbnails."""
        self._kind = kind
        self._arrange()

    def set_scaffold(self, scaffold: Scaffold | None) -> None:
        """Lay 2D depictions on this part."""
        self._scaffold = scaffold
        self._arrange()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self._painter.set_dark(dark)
        self._arrange()

    def set_selection(self, mask: NDArray[np.bool_] | None) -> None:
        """Structures to be marked, (n,) bool."""
        self._mask = mask
        self.viewport().update()

    def set_passes(self, mask: NDArray[np.bool_] | None) -> None:
        """Structures that pass the filters, (n,) bool; others are dimmed. None: all pass."""
        self._passes = mask
        self.viewport().update()

    def set_pins(self, pins: tuple[int, ...]) -> None:
        """Numbered structures."""
        self._pins = {index: k for k, index in enumerate(pins, 1)}
        self.viewport().update()

    def set_hovered(self, index: int) -> None:
        """A structure is under the cursor here or in another panel; -1 for none."""
        if index != self._hover:
            old, self._hover = self._hover, index
            self._update_cells(old, index)

    def set_active(self, index: int | None, reveal: bool = True) -> None:
        """Ring this structure, and scroll to it (`reveal`)."""
        new = -1 if index is None else index
        old, self._active = self._active, new
        self._update_cells(old, new)
        if new >= 0:
            self.setAccessibleDescription(", ".join(self._captions(new)))
        if reveal and new >= 0:
            self.reveal(new)

    def reveal(self, index: int) -> None:
        """Scroll as little as needed to show a structure; nothing if it is not among those shown."""
        place = self.place(index)
        if place >= 0:
            self._reveal_place(place)

    def put(self, index: int, look: Look, image: QImage | None) -> None:
        """A picture is there."""
        self.cache.put(index, look, image)
        if look == self._look:
            self._update_cells(index)
            self._ask.start(0)

    def place(self, index: int) -> int:
        """The position of a structure among the cells; -1 when it is not shown."""
        if 0 <= index < len(self._order) and self._order[index] == index:  # in the file's order
            return index
        found = np.flatnonzero(self._order == index)
        return int(found[0]) if len(found) else -1

    def visible_places(self) -> range:
        """Positions of the cells in view."""
        top = self._top()
        first = top // self._row_height * self._columns
        last = -(-(top + self.viewport().height()) // self._row_height) * self._columns
        return range(min(first, len(self._order)), min(last, len(self._order)))

    def structure_at(self, at: QPoint) -> int:
        """The structure under a point of the viewport; -1: none."""
        column = (at.x() - self._left) // self._pitch if at.x() >= self._left else -1
        if not 0 <= column < self._columns:
            return -1
        place = (at.y() + self._top()) // self._row_height * self._columns + column
        return int(self._order[place]) if 0 <= place < len(self._order) else -1

    def cell_rect(self, place: int) -> QRect:
        """Where the cell of a position lies in the viewport."""
        row, column = divmod(place, self._columns)
        x, y = self._left + column * self._pitch, row * self._row_height - self._top()
        return QRect(x + GAP // 2, y + GAP // 2, self._pitch - GAP, self._row_height - GAP)

    def sizeHint(self) -> QSize:
        return QSize(640, 230)

    # -- geometry

    def _arrange(self) -> None:
        """Recompute columns, row height, look and scroll range; the first cell in view stays there."""
        old_place = self._top() // self._row_height * self._columns if len(self._order) else 0
        rest = self._top() % self._row_height / self._row_height
        width = max(self.viewport().width(), 1)
        self._columns = max(1, (width - 2) // (self._size + GAP))
        self._pitch = max(min(width // self._columns, round(1.35 * self._size) + GAP), 20)
        self._left = (width - self._columns * self._pitch) // 2
        self._painter.prepare(self.font(), self._size, self._pitch - GAP, self._caption_lines)
        self._row_height = self._painter.height + GAP
        picture = self._painter.picture
        look = Look(
            self._kind,
            picture.width(),
            picture.height(),
            self.devicePixelRatioF(),
            self._dark,
            self._scaffold if self._kind == "2d" else None,
        )
        if look != self._look:  # the same object is compared faster
            self._look = look
        rows = -(-len(self._order) // self._columns)
        height = rows * self._row_height
        self._step = max(1, -(-height // _HIGHEST))
        bar = self.verticalScrollBar()
        place = int((old_place // self._columns + rest) * self._row_height) // self._step
        bar.setPageStep(max(self.viewport().height() // self._step, 1))
        bar.setSingleStep(max(self._row_height // (3 * self._step), 1))
        bar.setRange(0, max(0, -(-(height - self.viewport().height()) // self._step)))
        if old_place or rest:
            bar.setValue(place)
        self._last_top = self._top()
        self.viewport().update()
        self._ask.start(0)

    def _top(self) -> int:
        return self.verticalScrollBar().value() * self._step

    def _reveal_place(self, place: int) -> None:
        row = place // self._columns
        top, height = self._top(), self.viewport().height()
        y = row * self._row_height
        if y < top:
            self.verticalScrollBar().setValue(y // self._step)
        elif y + self._row_height > top + height:
            self.verticalScrollBar().setValue(-(-(y + self._row_height - height) // self._step))

    def _update_cells(self, *indices: int) -> None:
        shown = self.visible_places()
        seen = np.asarray(self._order[shown.start : shown.stop])
        for index in indices:
            for k in np.flatnonzero(seen == index) if index >= 0 else ():
                self.viewport().update(self.cell_rect(shown.start + int(k)).adjusted(-3, -3, 3, 3))

    def _on_ask_timeout(self) -> None:
        shown = self.visible_places()
        if not len(shown) or not self.isVisible():
            return
        # what is seen first, then a screen below and above
        span, n = len(shown), len(self._order)
        for places in (
            shown,
            range(shown.stop, min(shown.stop + span, n)),
            range(max(shown.start - span, 0), shown.start),
        ):
            missing = [
                int(i) for i in self._order[places.start : places.stop] if not self.cache.has(int(i), self._look)
            ]
            if missing:
                self.wanted.emit(missing)
                return

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        area = event.rect()
        self._painter.begin(self.viewport(), area)
        try:
            if not len(self._order):
                self._painter.message(self.viewport().rect(), self._message)
                return
            top = self._top()
            first = (top + area.top()) // self._row_height
            last = (top + area.bottom()) // self._row_height
            for row in range(max(first, 0), last + 1):
                for place in range(row * self._columns, min((row + 1) * self._columns, len(self._order))):
                    index = int(self._order[place])
                    self._painter.cell(self.cell_rect(place), index, self._cell(index))
        finally:
            self._painter.end()

    def _cell(self, index: int) -> Cell:
        image = self.cache.get(index, self._look)
        known = image is not None or self.cache.has(index, self._look)
        return Cell(
            image=image,
            title="" if image is not None else self._title(index),
            waits=not known,
            lines=self._lines(index),
            is_selected=self._mask is not None and bool(self._mask[index]),
            is_active=index == self._active,
            is_hovered=index == self._hover,
            is_dimmed=self._passes is not None and not self._passes[index],
            pin=self._pins.get(index, 0),
            has_focus=self.hasFocus(),
        )

    def _lines(self, index: int) -> tuple[str, ...]:
        lines = self._texts.get(index)
        if lines is None:
            if len(self._texts) > _TEXTS:
                self._texts.clear()
            lines = self._texts[index] = self._painter.elided(self._captions(index))
        return lines

    # -- events

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._texts.clear()
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if hasattr(self, "_painter") and event.type() == QEvent.Type.FontChange:
            self._texts.clear()
            self._arrange()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._ask.start(0)

    def focusInEvent(self, event: Any) -> None:
        super().focusInEvent(event)
        self._update_cells(self._active)

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self._update_cells(self._active)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        moved, self._last_top = self._last_top - self._top(), self._top()
        if abs(moved) < self.viewport().height():
            self.viewport().scroll(0, moved)  # paints only what has come to view
        else:
            self.viewport().update()
        self._ask.start(0)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.structure_at(event.pos())
            if index >= 0:
                QToolTip.showText(event.globalPos(), "\n".join(self._captions(index)), self.viewport())
            else:
                QToolTip.hideText()
            return True
        if event.type() == QEvent.Type.Leave and self._hover >= 0:
            self.set_hovered(-1)
            self.hovered.emit(-1)
        return super().viewportEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.structure_at(event.position().toPoint())
        if index != self._hover:
            self.set_hovered(index)
            self.hovered.emit(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.structure_at(event.position().toPoint())
        if index < 0 or event.button() != Qt.MouseButton.LeftButton:
            return
        modifiers = event.modifiers()
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.pin_requested.emit(index)
        elif modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._select_to(self.place(index))
        else:
            self._go(self.place(index))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.structure_at(event.position().toPoint())
        if index >= 0 and event.button() == Qt.MouseButton.LeftButton and not event.modifiers():
            self.reveal_requested.emit(index)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.place(self._active)
            middle = self.cell_rect(place).center() if place >= 0 else self.viewport().rect().center()
            self.context_menu_requested.emit(self._active if place >= 0 else -1, self.viewport().mapToGlobal(middle))
        else:
            at = self.viewport().mapFromGlobal(event.globalPos())
            self.context_menu_requested.emit(self.structure_at(at), event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys, count = Qt.Key, len(self._order)
        page = max(self.viewport().height() // self._row_height, 1) * self._columns
        steps = {
            keys.Key_Left: -1,
            keys.Key_Right: 1,
            keys.Key_Up: -self._columns,
            keys.Key_Down: self._columns,
            keys.Key_PageUp: -page,
            keys.Key_PageDown: page,
            keys.Key_Home: -count,
            keys.Key_End: count,
        }
        key = keys(event.key())
        place = self.place(self._active)
        if key in steps and count:
            shown = self.visible_places()
            target = int(np.clip(place + steps[key], 0, count - 1)) if place >= 0 else shown.start
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._select_to(target)
                self._reveal_place(target)
            else:
                self._go(target)
        elif key in (keys.Key_Return, keys.Key_Enter) and place >= 0:
            self.reveal_requested.emit(self._active)
        elif key == keys.Key_P and place >= 0 and not event.modifiers():
            self.pin_requested.emit(self._active)
        elif key == keys.Key_Escape:
            self.escape_pressed.emit()
        else:
            super().keyPressEvent(event)

    def _go(self, place: int) -> None:
        index = int(self._order[place])
        self._anchor = place
        self._reveal_place(place)
        self.activated_structure.emit(index)

    def _select_to(self, place: int) -> None:
        """From where a range began to a position; the end becomes active."""
        begin = self._anchor if self._anchor >= 0 else max(self.place(self._active), 0)
        low, high = min(begin, place), max(begin, place)
        chosen = np.array(self._order[low : high + 1], dtype=np.int64)
        end = int(self._order[place])
        self.selected_structures.emit(chosen)
        self.activated_structure.emit(end)
        self._anchor = self.place(int(chosen[0] if begin <= place else chosen[-1]))
