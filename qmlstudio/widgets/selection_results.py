"""What a search has found: a list of structures with their drawings, which are asked for as they come into sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QImage, QMouseEvent, QPainter, QPalette
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from qmlstudio.widgets.gallery_cache import PictureCache
from qmlstudio.widgets.gallery_pictures import Look
from qmlstudio.widgets.theme import theme

MOST_LISTED = 2_000
"""Rows: nobody reads more, and the others are selected with them all the same."""
WIDTH, HEIGHT = 88, 60
_MEMORY = 16 * 2**20
_Index = QModelIndex | QPersistentModelIndex
Texts = Callable[[int], tuple[str, str]]
"""Title and second line of a structure."""


class ResultModel(QAbstractListModel):
    """Structures by their numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._texts: Texts = lambda index: (str(index), "")

    def set_rows(self, rows: NDArray[np.int64], texts: Texts) -> None:
        """Show these; what is there already stays if the others come behind it."""
        rows = rows[:MOST_LISTED]
        old = self._rows
        self._texts = texts
        if 0 < len(old) <= len(rows) and np.array_equal(rows[: len(old)], old):
            if len(rows) > len(old):
                self.beginInsertRows(QModelIndex(), len(old), len(rows) - 1)
                self._rows = rows
                self.endInsertRows()
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def index_at(self, row: int) -> int:
        """The structure in a row; -1 where there is none."""
        return int(self._rows[row]) if 0 <= row < len(self._rows) else -1

    def texts(self, row: int) -> tuple[str, str]:
        """Title and second line of a row."""
        return self._texts(self.index_at(row))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.texts(index.row())[0]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return "\n".join(t for t in self.texts(index.row()) if t)
        return None


class _Delegate(QStyledItemDelegate):
    """Draws a row: the picture, then title and second line."""

    def __init__(self, view: ResultList) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(160, max(HEIGHT, 2 * option.fontMetrics.height() + 8) + 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        o: Any = option
        title, more = self._view.rows.texts(index.row())
        structure = self._view.rows.index_at(index.row())
        rect = QRectF(o.rect)
        is_marked = bool(o.state & QStyle.StateFlag.State_Selected)
        painter.save()
        if is_marked:
            painter.fillRect(o.rect, o.palette.brush(QPalette.ColorGroup.Active, QPalette.ColorRole.Highlight))
            # the drawing keeps its own colours, which are made for the plain background
            painter.fillRect(QRectF(rect.left() + 2, rect.top() + 2, WIDTH, HEIGHT), o.palette.base())
        image = self._view.picture(structure)
        if image is not None:
            painter.drawImage(QRectF(rect.left() + 2, rect.top() + 2, WIDTH, HEIGHT), image)
        role = QPalette.ColorRole.HighlightedText if is_marked else QPalette.ColorRole.Text
        left, high = rect.left() + WIDTH + 10, o.fontMetrics.height()
        width = rect.right() - left - 4
        top = rect.center().y() - high - 1
        font = QFont(o.font)
        font.setBold(structure == self._view.active)
        painter.setFont(font)
        painter.setPen(o.palette.color(QPalette.ColorGroup.Active, role))
        elide = Qt.TextElideMode.ElideMiddle
        mark = "◉ " if structure == self._view.active else ""
        title = o.fontMetrics.elidedText(mark + title, elide, int(width * 0.94))
        painter.drawText(QRectF(left, top, width, high), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(o.font)
        if not is_marked:
            painter.setPen(QColor(self._view.muted))
        more = o.fontMetrics.elidedText(more, elide, int(width))
        painter.drawText(QRectF(left, top + high + 2, width, high), Qt.AlignmentFlag.AlignVCenter, more)
        painter.restore()


class ResultList(QListView):
    """Rows of pictures and texts.

    Signals
    -------
    wanted(indices, look)
        Structures in sight whose pictures are missing, as a list.
    pointed_at(index)
        A structure is under the cursor; -1 for none.
    """

    wanted = Signal(object, object)
    pointed_at = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ResultModel(self)
        self.active: int | None = None
        self.muted = theme(False).muted
        self._dark = False
        self._cache = PictureCache(_MEMORY)
        self.setModel(self.rows)
        self.setItemDelegate(_Delegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Structures found"))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._ask)
        # not the timer's own slot: it would take the scroll bar's value for an interval
        self.verticalScrollBar().valueChanged.connect(self._ask_soon)
        self.rows.modelReset.connect(self._ask_soon)
        self.rows.rowsInserted.connect(self._ask_soon)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours; pictures are made anew."""
        self._dark, self.muted = dark, theme(dark).muted
        self._timer.start()
        self.viewport().update()

    def set_active(self, index: int | None) -> None:
        """The structure that the panels show is marked."""
        self.active = index
        self.viewport().update()

    def clear_pictures(self) -> None:
        """Another data set: its structures have other pictures."""
        self._cache.clear()

    def put(self, index: int, look: Look, image: QImage | None) -> None:
        """A picture has been made; None: there is nothing to be drawn."""
        self._cache.put(index, look, image)
        self.viewport().update()
        self._timer.start()

    def picture(self, index: int) -> QImage | None:
        """The picture of a structure if it was made."""
        return self._cache.get(index, self.look)

    @property
    def look(self) -> Look:
        """What the pictures are to be like."""
        return Look("2d", WIDTH, HEIGHT, self.devicePixelRatioF(), self._dark)

    @property
    def current(self) -> int:
        """The structure of the current row; -1 for none."""
        return self.rows.index_at(self.currentIndex().row())

    def step(self, by: int) -> None:
        """Make a row further down (or up) the current one."""
        last = self.rows.rowCount() - 1
        if last >= 0:
            row = min(max(self.currentIndex().row() + by, 0), last)
            self.setCurrentIndex(self.rows.index(row, 0))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self.pointed_at.emit(self.rows.index_at(self.indexAt(event.position().toPoint()).row()))

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self.pointed_at.emit(-1)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._timer.start()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()  # what was listed while it was hidden has no pictures yet

    def _ask_soon(self, *_: object) -> None:
        self._timer.start()

    def _ask(self) -> None:
        """Ask for the pictures in sight that are missing."""
        if not self.isVisible() or not self.rows.rowCount():
            return
        first = max(self.indexAt(self.viewport().rect().topLeft()).row(), 0)
        high = max(self.sizeHintForIndex(self.rows.index(0, 0)).height(), 1)
        last = min(first + self.viewport().height() // high + 2, self.rows.rowCount())
        look = self.look
        missing = [i for i in map(self.rows.index_at, range(first, last)) if not self._cache.has(i, look)]
        if missing:
            self.wanted.emit(missing, look)
