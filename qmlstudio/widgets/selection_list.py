"""Named selections in a list: a click chooses one, F2 renames, Del removes, Alt+arrows move it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class NamedRow:
    """A named selection: its name, number of structures, where it comes from, whether it is the present selection."""

    name: str
    count: int
    origin: str
    current: bool = False


class NamedModel(QAbstractTableModel):
    """Rows are named selections; columns name, number of structures."""

    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[NamedRow] = ()

    def set_rows(self, rows: Sequence[NamedRow]) -> None:
        """Show these; as many as before are the same ones changed."""
        if len(rows) == len(self._rows):
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def row(self, index: int) -> NamedRow:
        """The selection in a row."""
        return self._rows[index]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Named selection"), self.tr("Count"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.isValid() and index.column() == 0 else flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            mark = "● " if row.current and column == 0 else ""
            return f"{mark}{row.name}" if column == 0 else f"{row.count:,}"
        if role == Qt.ItemDataRole.EditRole:
            return row.name
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole and row.current:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            origin = self.tr("\nfrom: {}").format(row.origin) if row.origin else ""
            text = self.tr(
                "{}: {:,} structures{}\nClick selects; Shift adds, Alt subtracts, Ctrl intersects\n"
                "F2 renames, Del removes, Alt+↑ and Alt+↓ move it"
            )
            return text.format(row.name, row.count, origin)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            now = self.tr(", the present selection") if row.current else ""
            return self.tr("{}, {:,} structures").format(row.name, row.count) + now
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        name = " ".join(str(value).replace("`", "'").split())
        if not name or name == self._rows[index.row()].name:
            return False
        self.renamed.emit(index.row(), name)
        return True


class NamedList(QTreeView):
    """A click, Return or Space chooses a selection.

    Signals
    -------
    chosen(row, modifiers)
    renamed(row, name)
    removed(row)
    moved(row, by)
        To be put one place up (-1) or down (1).
    current_changed(row)
        -1 for none.
    """

    chosen = Signal(int, object)
    renamed = Signal(int, str)
    removed = Signal(int)
    moved = Signal(int, int)
    current_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = NamedModel(self)
        self.setModel(self.rows)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Named selections"))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, self.fontMetrics().horizontalAdvance("00,000,000") + 14)
        self.rows.renamed.connect(self.renamed)
        self.rows.modelReset.connect(self._on_model_reset)
        self.selectionModel().currentRowChanged.connect(self._on_current_row_changed)

    @property
    def current(self) -> int:
        """The current row; -1 for none."""
        return self.currentIndex().row()

    def set_current(self, row: int) -> None:
        """Make a row the current one."""
        if 0 <= row < self.rows.rowCount():
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(self.rows.index(row, 0), flags)
            self.scrollTo(self.rows.index(row, 0))

    def edit_current(self) -> None:
        """Open the editor of the current name."""
        if self.current >= 0:
            self.edit(self.rows.index(self.current, 0))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and not self._is_editing():
            self.set_current(index.row())
            self.chosen.emit(index.row(), event.modifiers())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, key = self.current, event.key()
        if row >= 0 and not self._is_editing():
            alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
            if alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                self.moved.emit(row, -1 if key == Qt.Key.Key_Up else 1)
                return
            if key in _KEYS:
                self.chosen.emit(row, event.modifiers())
                return
            if key == Qt.Key.Key_Delete:
                self.removed.emit(row)
                return
        super().keyPressEvent(event)

    def _is_editing(self) -> bool:
        return self.state() == QAbstractItemView.State.EditingState

    def _on_current_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self.current_changed.emit(current.row() if current.isValid() else -1)

    def _on_model_reset(self) -> None:
        self.current_changed.emit(self.current)
