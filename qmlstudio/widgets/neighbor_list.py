"""A list of structures with small pictures: who is near, how near, and what is doubtful about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from qmlstudio.widgets.gallery_cache import PictureCache
from qmlstudio.widgets.gallery_pictures import Look
from qmlstudio.widgets.theme import Theme, mix, theme

PICTURE = QSize(76, 54)
_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_MEMORY = 16 * 2**20
_GAP = 6
_Index = QModelIndex | QPersistentModelIndex

Tone = Literal["plain", "good", "warn"]


@dataclass(frozen=True)
class NeighborRow:
    """One line of the list.

    Attributes
    ----------
    index : int
        The structure; -1 for a heading, of which only `name` and `tip` are shown.
    number : str
        Rank, or place on a path.
    name : str
    mark : str
        A sign and words: what is to be known about this neighbour.
    tone : "plain", "good" or "warn"
        Colour of the mark.
    first : str
        Distances.
    label, value : str
        A property's name, which is cut where there is no room, and what is written behind it in full.
    tip : str
    """

    index: int
    name: str
    number: str = ""
    mark: str = ""
    tone: Tone = "plain"
    first: str = ""
    label: str = ""
    value: str = ""
    tip: str = ""


class NeighborModel(QAbstractListModel):
    """The rows; everything else is painted by the delegate."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[NeighborRow, ...] = ()

    def set_rows(self, rows: Sequence[NeighborRow]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if not index.isValid() or self.rows[index.row()].index < 0:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tip or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(filter(None, (row.number, row.name, row.mark, row.first, row.label, row.value)))
        return None


class NeighborList(QListView):
    """A click, Return or Space chooses a structure.

    Signals
    -------
    chosen(index, modifiers)
    hovered(index)
        -1: none.
    wanted(indices)
        Structures in view whose pictures are missing.
    """

    chosen = Signal(int, object)
    hovered = Signal(int)
    wanted = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.items = NeighborModel(self)
        self.colors = theme(False)
        self.cache = PictureCache(_MEMORY)
        self.active, self.marked, self.pins = -1, -1, frozenset[int]()
        self._look = Look(width=PICTURE.width(), height=PICTURE.height())
        self._own_hover = -1
        self.setModel(self.items)
        self.setItemDelegate(_Delegate(self))
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(90)
        self.setAccessibleName(name)
        self._ask = QTimer(self)
        self._ask.setSingleShot(True)
        self._ask.setInterval(0)
        self._ask.timeout.connect(self._on_ask_timeout)

    @property
    def look(self) -> Look:
        """What the pictures are to be like."""
        return self._look

    @property
    def indices(self) -> tuple[int, ...]:
        """The structures listed."""
        return tuple(row.index for row in self.items.rows if row.index >= 0)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self.colors = theme(dark)
        self._look = Look(width=PICTURE.width(), height=PICTURE.height(), ratio=self.devicePixelRatioF(), dark=dark)
        self.setStyleSheet(f"QListView {{ background: {self.colors.background}; color: {self.colors.foreground}; }}")

    def set_rows(self, rows: Sequence[NeighborRow]) -> None:
        """Show other rows; the list stays where it was scrolled to when they are the same structures."""
        if tuple(rows) == self.items.rows:
            return
        same = tuple(row.index for row in rows if row.index >= 0) == self.indices
        at, current = self.verticalScrollBar().value(), self.currentIndex().row()
        self.items.set_rows(rows)
        if same:
            if current >= 0:
                self.selectionModel().setCurrentIndex(
                    self.items.index(current), QItemSelectionModel.SelectionFlag.NoUpdate
                )
            self.verticalScrollBar().setValue(at)
        else:
            self.scrollToTop()

    def set_marks(self, active: int, pins: frozenset[int]) -> None:
        """The active and the pinned structures."""
        if (active, pins) != (self.active, self.pins):
            self.active, self.pins = active, pins
            self.viewport().update()

    def set_hovered(self, index: int) -> None:
        """Structure under the cursor somewhere; -1 for none."""
        if index != self.marked:
            self.marked = index
            self.viewport().update()

    def put(self, index: int, look: Look, image: QImage | None) -> None:
        """A picture has come."""
        self.cache.put(index, look, image)
        self.viewport().update()

    def forget_pictures(self) -> None:
        """The structures are others now."""
        self.cache.clear()

    def structure_at(self, place: QPoint) -> int:
        """The structure in the row at this place of the viewport; -1 for none."""
        index = self.indexAt(place)
        return self.items.rows[index.row()].index if index.isValid() else -1

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._ask.start()

    def hideEvent(self, event: Any) -> None:
        self._ask.stop()
        super().hideEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.structure_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.structure_at(event.position().toPoint())
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self.chosen.emit(index, event.modifiers())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        current = self.currentIndex()
        index = self.items.rows[current.row()].index if current.isValid() else -1
        if event.key() in _KEYS and index >= 0:
            self.chosen.emit(index, event.modifiers())
            event.accept()
            return
        super().keyPressEvent(event)

    def _hover(self, index: int) -> None:
        if index != self._own_hover:
            self._own_hover = index
            self.hovered.emit(index)

    def _on_ask_timeout(self) -> None:
        """Ask for the pictures of the rows in view."""
        area, missing = self.viewport().rect(), []
        for place, row in enumerate(self.items.rows):
            if row.index < 0 or self.cache.has(row.index, self._look):
                continue
            if self.visualRect(self.items.index(place)).intersects(area):
                missing.append(row.index)
        if missing:
            self.wanted.emit(missing)


class _Delegate(QStyledItemDelegate):
    """Paints a row: number and picture on the left, three lines of text on the right."""

    def __init__(self, parent: NeighborList) -> None:
        super().__init__(parent)
        self._list = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        height = QFontMetrics(self._list.font()).height()
        if self._list.items.rows[index.row()].index < 0:
            return QSize(100, height + 12)
        return QSize(100, max(PICTURE.height(), 3 * height) + 8)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row, colors, area = self._list.items.rows[index.row()], self._list.colors, option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.index < 0:
            self._heading(painter, row, area, colors)
        else:
            has_focus = bool(option.state & QStyle.StateFlag.State_HasFocus)
            self._ground(painter, row, area, colors, has_focus)
            self._row(painter, row, area, colors)
        painter.restore()

    def _heading(self, painter: QPainter, row: NeighborRow, area: QRect, colors: Theme) -> None:
        painter.fillRect(area, QColor(mix(colors.background, colors.foreground, 0.06)))
        font = QFont(self._list.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(colors.foreground))
        room = area.adjusted(_GAP, 0, -_GAP, 0)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, _elided(font, row.name, room.width()))

    def _ground(self, painter: QPainter, row: NeighborRow, area: QRect, colors: Theme, has_focus: bool) -> None:
        if row.index == self._list.marked:
            painter.fillRect(area, QColor(mix(colors.background, colors.accent, 0.13)))
        if row.index == self._list.active:
            painter.fillRect(QRect(area.left(), area.top(), 3, area.height()), QColor(colors.accent))
        painter.setPen(QColor(colors.grid))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if has_focus:
            painter.setPen(QPen(QColor(colors.accent), 1.0, Qt.PenStyle.DotLine))
            painter.drawRect(area.adjusted(1, 1, -2, -2))

    def _row(self, painter: QPainter, row: NeighborRow, area: QRect, colors: Theme) -> None:
        font = self._list.font()
        metrics = QFontMetrics(font)
        muted, text = QColor(colors.muted), QColor(colors.foreground)
        number = QRect(area.left() + 5, area.top(), metrics.horizontalAdvance("0000"), area.height())
        painter.setFont(font)
        painter.setPen(muted)
        painter.drawText(number, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, row.number)
        top = area.top() + (area.height() - PICTURE.height()) // 2
        picture = QRect(QPoint(number.right() + _GAP, top), PICTURE)
        image = self._list.cache.get(row.index, self._list.look)
        if image is not None:
            painter.drawImage(QRectF(picture), image, QRectF(image.rect()))
        else:
            painter.setPen(QPen(QColor(colors.border), 1.0, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(QRectF(picture).adjusted(4, 4, -4, -4), 4, 4)
        if row.index in self._list.pins:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.pin))
            painter.drawRect(QRectF(picture.left(), picture.top() + 2, 7, 7))
        height = metrics.height()
        room = area.right() - picture.right() - 2 * _GAP
        line = QRect(picture.right() + _GAP, area.top() + (area.height() - 3 * height) // 2, room, height)
        tone = {"plain": colors.muted, "good": "#2e9e5b" if colors.dark else "#1a7a42"}.get(row.tone)
        warn = "#ff8f3f" if colors.dark else "#b34700"
        name_room = room
        if row.mark:
            width = min(metrics.horizontalAdvance(row.mark) + 2, int(0.7 * room))
            painter.setPen(QColor(tone or warn))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight, _elided(font, row.mark, width))
            name_room = room - width - _GAP
        bold = QFont(font)
        bold.setBold(row.index == self._list.active)
        painter.setFont(bold)
        painter.setPen(text)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, _elided(bold, row.name, name_room))
        painter.setFont(font)
        painter.setPen(text)
        painter.drawText(line.translated(0, height), Qt.AlignmentFlag.AlignLeft, _elided(font, row.first, room))
        painter.setPen(muted)
        value = f" {row.value}" if row.label and row.value else row.value
        label = _elided(font, row.label, max(room - metrics.horizontalAdvance(value) - 1, 0))
        words = _elided(font, label + value, room)
        painter.drawText(line.translated(0, 2 * height), Qt.AlignmentFlag.AlignLeft, words)


def _elided(font: QFont, words: str, width: int) -> str:
    return QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, max(width, 0))


def short(value: float) -> str:
    """Three significant digits, or a whole number; a dash where there is no number."""
    return signed(value, ",.0f" if 1e3 <= abs(value) < 1e6 else ".3g")


def signed(value: float, form: str) -> str:
    """A number in this format with a proper minus; a dash where there is none."""
    return "–" if value != value else format(value, form).replace("-", "−").replace("inf", "∞")
