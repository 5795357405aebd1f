"""A sortable table over a data set's properties. Nothing is copied: rows are an order over the arrays themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QGuiApplication, QKeySequence, QPainter, QPalette
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QStyleOptionHeader, QTableView, QWidget

from qmlstudio.chem.dataset import Dataset

Index = QModelIndex | QPersistentModelIndex
Order = NDArray[np.int64]
_ROOT = QModelIndex()


def format_number(value: float) -> str:
    """Six significant digits at most where they tell something; an en dash for a missing value."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.6g}"


class PropertyModel(QAbstractTableModel):
    """Rows are structures in a chosen order, columns the identifier and the per-structure properties."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dataset: Dataset | None = None
        self._names: list[str] = []
        self._order: Order = np.zeros(0, np.int64)
        self._row_of: Order = np.zeros(0, np.int64)
        self._mask: NDArray[np.bool_] = np.zeros(0, bool)
        self._only_selected = False
        self._sort = (-1, Qt.SortOrder.AscendingOrder)
        self._active = -1
        self._marked = QColor(255, 200, 0, 60)

    # -- what is shown

    def set_dataset(self, dataset: Dataset | None) -> None:
        """Show another data set, in the order of its file."""
        self.beginResetModel()
        self._dataset = dataset
        self._names = [k for k, p in dataset.per_structure.items() if p.values.ndim == 1] if dataset else []
        self._mask = np.zeros(len(dataset) if dataset else 0, bool)
        self._sort = (-1, Qt.SortOrder.AscendingOrder)
        self._active = -1
        self._rebuild()
        self.endResetModel()

    def set_selection(self, mask: NDArray[np.bool_]) -> None:
        """Mark the selected structures' rows."""
        if self._only_selected:
            self.beginResetModel()
            self._mask = mask
            self._rebuild()
            self.endResetModel()
        else:
            self._mask = mask
            self._touch()

    def set_only_selected(self, only: bool) -> None:
        """Leave out the rows of structures that are not selected (while anything is)."""
        if only != self._only_selected:
            self.beginResetModel()
            self._only_selected = only
            self._rebuild()
            self.endResetModel()

    def set_active(self, index: int | None) -> None:
        """Print this structure's row bold."""
        self._active = -1 if index is None else index
        self._touch()

    @property
    def count(self) -> int:
        """How many structures there are, whether or not they have a row."""
        return len(self._row_of)

    def structure(self, row: int) -> int:
        """Which structure a row shows."""
        return int(self._order[row])

    def structures(self, rows: list[int]) -> Order:
        """Which structures some rows show."""
        return self._order[np.asarray(rows, dtype=np.int64)]

    def row(self, structure: int) -> int:
        """In which row a structure stands; -1 where it is left out."""
        return int(self._row_of[structure]) if 0 <= structure < len(self._row_of) else -1

    # -- QAbstractTableModel

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() or self._dataset is None else 1 + len(self._names)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._dataset is None or not index.isValid():
            return None
        structure = int(self._order[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 0:
                return str(self._dataset.identifiers[structure])
            p = self._dataset.properties[self._names[index.column() - 1]]
            return str(p.values[structure]) if p.is_text else format_number(float(p.values[structure]))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            if index.column() and not self._dataset.properties[self._names[index.column() - 1]].is_text:
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.BackgroundRole and self._mask[structure]:
            return QBrush(self._marked)
        if role == Qt.ItemDataRole.FontRole and structure == self._active:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._dataset is None:
            return None
        if orientation == Qt.Orientation.Vertical:
            return str(int(self._order[section]) + 1) if role == Qt.ItemDataRole.DisplayRole else None
        if section == 0:
            return self.tr("identifier") if role == Qt.ItemDataRole.DisplayRole else None
        name = self._names[section - 1]
        p = self._dataset.properties[name]
        if role == Qt.ItemDataRole.DisplayRole:
            return p.label(name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return p.description or p.label(name)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column (-1: as in the file). Missing values come last either way."""
        self.layoutAboutToBeChanged.emit()
        self._sort = (column, order)
        self._rebuild()
        self.layoutChanged.emit()

    # -- inside

    def _rebuild(self) -> None:
        n = len(self._dataset) if self._dataset else 0
        order = np.arange(n)
        column, direction = self._sort
        if self._dataset is not None and column >= 0:
            values = (
                self._dataset.identifiers if column == 0 else self._dataset.properties[self._names[column - 1]].values
            )
            order = np.argsort(values, kind="stable")
            missing = np.isnan(values[order]) if values.dtype.kind == "f" else values[order] == ""
            present = order[~missing]
            if direction == Qt.SortOrder.DescendingOrder:
                present = present[::-1]
            order = np.concatenate([present, order[missing]])
        if self._only_selected and self._mask.any():
            order = order[self._mask[order]]
        self._order = order.astype(np.int64)
        self._row_of = np.full(n, -1, dtype=np.int64)
        self._row_of[self._order] = np.arange(len(self._order))

    def _touch(self) -> None:
        if len(self._order) and self._names is not None:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._order) - 1, self.columnCount() - 1))


class RowHeader(QHeaderView):
    """The structures' numbers.

    Qt's own header asks the model a dozen questions for each row, and for hundreds of rows only to know its width:
    thousands of calls into Python for one picture, each of which waits while a job runs Python code.
    """

    def __init__(self, model: PropertyModel, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self._model = model
        self.setSectionsClickable(True)
        self.setHighlightSections(False)

    def sizeHint(self) -> QSize:
        digits = len(str(self._model.count))
        return QSize(self.fontMetrics().horizontalAdvance("0" * digits) + 12, 0)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        option = QStyleOptionHeader()
        self.initStyleOption(option)
        option.rect, option.section = rect, section
        option.text = str(self._model.structure(section) + 1)
        option.textAlignment = Qt.AlignmentFlag.AlignCenter
        self.style().drawControl(QStyle.ControlElement.CE_Header, option, painter, self)


class PropertyTable(QTableView):
    """The table with its gestures: a click makes a row's structure active, more rows select.

    Signals
    -------
    activated_structure(index)
        The current row changed by the user.
    selected_structures(indices)
        Several rows were marked by the user; (k,) int64.
    """

    activated_structure = Signal(int)
    selected_structures = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = PropertyModel(self)
        self._following = False
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        header = self.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        self.setSortingEnabled(True)
        rows = RowHeader(self._model, self)
        self.setVerticalHeader(rows)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.selectionModel().currentRowChanged.connect(self._on_current_row_changed)

    @property
    def rows(self) -> PropertyModel:
        """The model."""
        return self._model

    def set_dataset(self, dataset: Dataset | None) -> None:
        """Show another data set."""
        self._following = True
        self._model.set_dataset(dataset)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        metrics = self.fontMetrics()
        for column in range(self._model.columnCount()):
            title = str(self._model.headerData(column, Qt.Orientation.Horizontal))
            sample = [
                str(self._model.data(self._model.index(r, column))) for r in range(min(20, self._model.rowCount()))
            ]
            widest = max([metrics.horizontalAdvance(s) for s in sample] + [metrics.horizontalAdvance(title) + 14])
            self.setColumnWidth(column, min(max(widest + 14, 50), 220))
        self._following = False

    def show_active(self, index: int | None) -> None:
        """Follow the other panels: mark the row and scroll to it, without telling anybody."""
        self._model.set_active(index)
        row = -1 if index is None else self._model.row(index)
        self._following = True
        if row < 0:
            self.clearSelection()
        elif self.selectionModel().currentIndex().row() != row:
            cell = self._model.index(row, max(0, self.columnAt(0)))
            flags = self.selectionModel().SelectionFlag
            self.selectionModel().setCurrentIndex(cell, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(cell)
        self._following = False

    def keyPressEvent(self, event: Any) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Marked rows with their headers to the clipboard, separated by tabs."""
        rows = [i.row() for i in self.selectionModel().selectedRows()][:100_000]
        columns = range(self._model.columnCount())
        lines = ["\t".join(str(self._model.headerData(c, Qt.Orientation.Horizontal)) for c in columns)]
        lines += ["\t".join(str(self._model.data(self._model.index(r, c))) for c in columns) for r in sorted(rows)]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if hasattr(self, "_model"):
            accent = self.palette().color(QPalette.ColorRole.Highlight)
            self._model._marked = QColor(accent.red(), accent.green(), accent.blue(), 60)

    def _on_current_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if not self._following and current.isValid():
            self.activated_structure.emit(self._model.structure(current.row()))

    def _on_selection_changed(self, *_: object) -> None:
        if self._following:
            return
        rows = [i.row() for i in self.selectionModel().selectedRows()]
        if len(rows) > 1:
            self.selected_structures.emit(self._model.structures(rows))
