"""The lists of structures that are left out: on or off, renamed, dropped, saved and read."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QPushButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.doctor import DoctorEngine
from qmlstudio.app.store import Store
from qmlstudio.session.exclusions import Exclusion
from qmlstudio.widgets.flow_layout import FlowLayout

_Index = QModelIndex | QPersistentModelIndex


class ExclusionModel(QAbstractTableModel):
    """Rows are lists: name with a box for on and off, number of structures, reason."""

    def __init__(self, engine: DoctorEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._rows: tuple[Exclusion, ...] = ()

    def set_rows(self, rows: tuple[Exclusion, ...]) -> None:
        """Show these; the current row stays where their number does."""
        if len(rows) == len(self._rows):
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, 2))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Excluded"), self.tr("Size"), self.tr("Reason"))[section]
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() != 1:
            flags |= Qt.ItemFlag.ItemIsEditable
        if index.isValid() and index.column() == 0:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return (row.name, f"{len(row):,}", row.reason)[index.column()]
        if role == Qt.ItemDataRole.CheckStateRole and index.column() == 0:
            return Qt.CheckState.Checked if row.active else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            state = self.tr("left out") if row.active else self.tr("not left out now")
            return self.tr("{}: {:,} structures, {}\n{}\nF2 renames").format(row.name, len(row), state, row.reason)
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if not index.isValid():
            return False
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            self._engine.change_exclusion(index.row(), active=Qt.CheckState(value) == Qt.CheckState.Checked)
            return True
        text = " ".join(str(value).split())
        field = "reason" if index.column() == 2 else "name"
        if role != Qt.ItemDataRole.EditRole or not text or text == getattr(row, field):
            return False
        self._engine.change_exclusion(index.row(), **{field: text})
        return True


class ExclusionList(QWidget):
    """Manages the session's exclusions."""

    def __init__(self, store: Store, engine: DoctorEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._engine = store, engine
        self.rows = ExclusionModel(engine, self)
        self.list = QTreeView()
        self.list.setModel(self.rows)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.list.setAccessibleName(self.tr("Lists of excluded structures"))
        self.list.setMinimumHeight(66)
        header = self.list.header()
        header.setStretchLastSection(True)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(0, 116)
        header.resizeSection(1, self.fontMetrics().horizontalAdvance("000,000") + 16)
        self.remove = _button(self.tr("Delete"), self.tr("Delete the marked lists: their structures count again"))
        self.save = _button(self.tr("Save…"), self.tr("Write all lists to a file, to apply them elsewhere"))
        self.load = _button(self.tr("Read…"), self.tr("Add the lists of a file, to structures of the same name"))
        self.rest = _button(
            self.tr("Open without excluded"), self.tr("Open a new data set of what is left; undo (Ctrl+Z) returns")
        )
        buttons = FlowLayout(gap=4)
        for button in (self.rest, self.remove, self.save, self.load):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list, 1)
        layout.addLayout(buttons)
        self.rest.clicked.connect(engine.make_rest)
        self.remove.clicked.connect(self._on_remove_clicked)
        self.save.clicked.connect(self._on_save_clicked)
        self.load.clicked.connect(self._on_load_clicked)
        self.list.selectionModel().selectionChanged.connect(self._show_buttons)
        store.changed.connect(self._on_store_changed)
        self._show()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"exclusions", "dataset"}:
            self._show()

    def _show(self) -> None:
        self.rows.set_rows(self._store.session.exclusions)
        self._show_buttons()

    def _show_buttons(self) -> None:
        there = self._store.session.exclusions
        self.remove.setEnabled(self.list.selectionModel().hasSelection())
        self.save.setEnabled(bool(there))
        self.load.setEnabled(self._store.dataset is not None)
        self.rest.setEnabled(any(e.active and len(e) for e in there))

    def _on_remove_clicked(self) -> None:
        self._engine.remove_exclusions([i.row() for i in self.list.selectionModel().selectedRows()])

    def _on_save_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save exclusions"), f"{self._store.session.dataset.name or 'set'}_excluded.json",
            self.tr("Lists of structures (*.json)"),
        )  # fmt: skip
        if path:
            self._engine.save_exclusions(path if path.endswith(".json") else f"{path}.json")

    def _on_load_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, self.tr("Read exclusions"), "", self.tr("Lists of structures (*.json);;All files (*)")
        )
        if path:
            self._engine.load_exclusions(path)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
