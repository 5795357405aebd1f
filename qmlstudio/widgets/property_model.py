"""What the property table shows: an order of rows over the columns' arrays themselves; nothing is copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont
from PySide6.QtWidgets import QWidget

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.table_numbers import SMALL, Order, Statistics, format_number, sort_order, statistics

Index = QModelIndex | QPersistentModelIndex
Mask = NDArray[np.bool_]
Run = Callable[[str, str, Callable[[Progress], Any], Callable[[Any], None]], None]
"""Carries out work of some length: (what it is for, title, compute, done)."""

IDENTIFIER: Final = ""
"""Name of the column of identifiers, in the place of a property's."""
_ROOT = QModelIndex()


def run_at_once(_slot: str, _title: str, compute: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
    """A :data:`Run` without a job."""
    done(compute(SILENT))


@dataclass(frozen=True)
class Cell:
    """One cell, to be painted: its text and whether it is a number; length of its bar, 0 … 1; what its row is."""

    text: str
    is_number: bool
    bar: float
    is_selected: bool
    is_active: bool
    is_dimmed: bool


class PropertyModel(QAbstractTableModel):
    """Rows are structures in a chosen order, columns the identifier and chosen ones of :class:`Columns`.

    Signals
    -------
    busy_changed(text)
        What is being worked out ("sorting…"); empty when nothing is.
    statistics_ready(name)
    """

    busy_changed = Signal(str)
    statistics_ready = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: Run = run_at_once
        self._columns: Columns | None = None
        self._shown: list[tuple[str, Property]] = []
        self._full: Order | None = None
        self._order: Order | None = None
        """Structures of the rows; None where each stands in its own."""
        self._row_of: Order | None = None
        self._mask: Mask = np.zeros(0, bool)
        self._passes: Mask | None = None
        self._only_selected = False
        self._sort: tuple[str | None, bool] = (None, False)
        self._sort_source: Property | None = None
        self._active = -1
        self._marked = QColor(255, 200, 0, 60)
        self._statistics: dict[str, tuple[Property, Statistics]] = {}
        self._wanted: list[str] = []
        self._without_bars: set[str] = set()

    # -- what is shown

    def set_dataset(self, dataset: Dataset | None) -> None:
        """Show another data set, in the order of its file: all but what follows from the composition."""
        columns = None if dataset is None else Columns(dataset)
        self.set_columns(columns, () if columns is None else columns.names(composition=False))

    def set_columns(self, columns: Columns | None, names: Sequence[str]) -> None:
        """Show other columns; of another data set in the order of its file, else sorted as before."""
        other = columns is None or self._columns is None or columns.dataset is not self._columns.dataset
        self.beginResetModel()
        self._columns = columns
        self._shown = [] if columns is None else [(n, columns[n]) for n in names if n in columns]
        if other:
            self._mask = np.zeros(self.count, bool)
            self._passes = None
            self._full, self._sort, self._active = None, (None, False), -1
            self._statistics.clear()
            self._wanted.clear()
            self._rebuild()
            self.busy_changed.emit("")
        elif columns is not None:
            known = self._statistics
            self._statistics = {n: k for n, k in known.items() if n == IDENTIFIER or columns.get(n) is k[0]}
        self.endResetModel()
        name, descending = self._sort
        if not other and name:
            if columns is None or name not in columns:
                self.sort_by(None)
            elif columns[name] is not self._sort_source:
                self.sort_by(name, descending)

    def set_names(self, names: Sequence[str]) -> None:
        """Show these columns, in this order."""
        self.set_columns(self._columns, names)

    @property
    def columns(self) -> Columns | None:
        """Where the columns come from."""
        return self._columns

    @property
    def names(self) -> list[str]:
        """Names of the columns, the identifier (which is always first) left out."""
        return [name for name, _ in self._shown]

    def name(self, column: int) -> str:
        """Name of a column; :data:`IDENTIFIER` for the first."""
        return self._shown[column - 1][0] if column > 0 else IDENTIFIER

    def column(self, name: str) -> int:
        """Where a column stands; -1 where it is not shown."""
        return 0 if name == IDENTIFIER else next((k for k, n in enumerate(self.names, 1) if n == name), -1)

    def values(self, name: str) -> NDArray[Any]:
        """(n,) values of a column, whether it is shown or not."""
        assert self._columns is not None
        return self._columns.dataset.identifiers if name == IDENTIFIER else self._columns[name].values

    def title(self, name: str) -> str:
        """Heading of a column: its name with the unit."""
        if name == IDENTIFIER or self._columns is None:
            return self.tr("identifier")
        return next((p.label(n) for n, p in self._shown if n == name), name)

    def set_selection(self, mask: Mask) -> None:
        """Mark the selected structures' rows."""
        if mask is self._mask:
            return
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

    def set_passes(self, mask: Mask | None) -> None:
        """Structures that pass the filters, (n,) bool: the others are dimmed. None: all pass."""
        self._passes = mask if mask is not None and len(mask) == self.count else None
        self._touch()

    def set_active(self, index: int | None) -> None:
        """Print this structure's row bold."""
        self._active = -1 if index is None else index
        self._touch()

    @property
    def count(self) -> int:
        """How many structures there are, whether or not they have a row."""
        return 0 if self._columns is None else len(self._columns.dataset)

    @property
    def order(self) -> Order:
        """Structures of the rows, (k,) int64."""
        return np.arange(self.count, dtype=np.int64) if self._order is None else self._order

    @property
    def _rows(self) -> int:
        return self.count if self._order is None else len(self._order)

    def structure(self, row: int) -> int:
        """Which structure a row shows."""
        return row if self._order is None else int(self._order[row])

    def structures(self, rows: Any) -> Order:
        """Which structures some rows show."""
        chosen: Order = np.asarray(rows, dtype=np.int64)
        return chosen if self._order is None else self._order[chosen]

    def row(self, structure: int) -> int:
        """In which row a structure stands; -1 where it is left out."""
        if not 0 <= structure < self.count:
            return -1
        if self._order is None:
            return structure
        if self._row_of is None:
            self._row_of = np.full(self.count, -1, dtype=np.int64)
            self._row_of[self._order] = np.arange(len(self._order))
        return int(self._row_of[structure])

    def cell(self, row: int, column: int) -> Cell:
        """Everything about a cell, with one call."""
        structure = self.structure(row)
        bar, number = 0.0, False
        if column == 0:
            assert self._columns is not None
            text = str(self._columns.dataset.identifiers[structure])
        else:
            name, p = self._shown[column - 1]
            if p.is_text:
                text = str(p.values[structure])
            else:
                value, number = float(p.values[structure]), True
                text = format_number(value)
                bar = self._bar(name, value) if name not in self._without_bars else 0.0
        passes = self._passes is None or bool(self._passes[structure])
        return Cell(text, number, bar, bool(self._mask[structure]), structure == self._active, not passes)

    # -- bars and statistics

    @property
    def without_bars(self) -> set[str]:
        """Names of the columns that have no bars behind their numbers."""
        return self._without_bars

    def set_bars(self, name: str, on: bool) -> None:
        """Draw bars behind a column's numbers, or not."""
        self._without_bars = self._without_bars - {name} if on else self._without_bars | {name}
        self._touch()

    def statistics(self, name: str) -> Statistics | None:
        """Of a column; None while they are being worked out (then :attr:`statistics_ready` follows)."""
        if self._columns is None or (name != IDENTIFIER and name not in self._columns):
            return None
        p = self._property(name)
        known = self._statistics.get(name)
        if known is not None and known[0] is p:
            return known[1]
        if self.count <= SMALL:
            found = statistics(p.values)
            self._statistics[name] = p, found
            return found
        if name not in self._wanted:
            self._wanted.append(name)
            if len(self._wanted) == 1:
                self._find_statistics()
        return None

    def _property(self, name: str) -> Property:
        assert self._columns is not None
        if name != IDENTIFIER:
            return self._columns[name]
        if IDENTIFIER not in self._statistics:
            return Property(self._columns.dataset.identifiers)
        return self._statistics[IDENTIFIER][0]

    def _find_statistics(self) -> None:
        name = self._wanted[0]
        p = self._property(name)
        self.run(
            "table statistics",
            self.tr("Statistics of {}").format(name or self.tr("identifiers")),
            partial(statistics, p.values),
            partial(self._on_statistics, self._columns, name, p),
        )

    def _on_statistics(self, columns: Columns | None, name: str, p: Property, found: Statistics) -> None:
        if columns is None or self._columns is None or columns.dataset is not self._columns.dataset:
            return
        self._statistics[name] = p, found
        self._wanted = [n for n in self._wanted if n != name]
        self._touch()
        self.statistics_ready.emit(name)
        if self._wanted:
            self._find_statistics()

    def _bar(self, name: str, value: float) -> float:
        known = self._statistics.get(name)
        found = known[1] if known is not None else self.statistics(name)
        if found is None or not found.has_bars or value != value:
            return 0.0
        return min(max((value - found.bar_low) / (found.bar_high - found.bar_low), 0.0), 1.0)

    # -- QAbstractTableModel

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else self._rows

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() or self._columns is None else 1 + len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._columns is None or not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cell(index.row(), index.column()).text
        column = index.column()
        is_text = column == 0 or self._shown[column - 1][1].is_text
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.cell(index.row(), column).text if is_text else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if is_text else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        structure = self.structure(index.row())
        if role == Qt.ItemDataRole.BackgroundRole and self._mask[structure]:
            return QBrush(self._marked)
        if role == Qt.ItemDataRole.FontRole and structure == self._active:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._columns is None:
            return None
        if orientation == Qt.Orientation.Vertical:
            return str(self.structure(section) + 1) if role == Qt.ItemDataRole.DisplayRole else None
        name = self.name(section)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.title(name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.describe(name)
        return None

    def describe(self, name: str) -> str:
        """What a column is, and its statistics, for people."""
        lines = [self.title(name)]
        if name != IDENTIFIER and self._columns is not None and self._columns[name].description:
            lines.append(self._columns[name].description)
        s = self.statistics(name)
        if s is None:
            lines.append(self.tr("statistics are being worked out…"))
            return "\n".join(lines)
        lines.append(self.tr("n {:,}, missing {:,}").format(s.count, s.missing))
        if s.infinite:
            lines[-1] += self.tr(", infinite {:,}").format(s.infinite)
        if s.distinct:
            lines.append(self.tr("{:,} different, most frequent: {}").format(s.distinct, s.common))
        elif s.median == s.median:
            numbers = (format_number(v) for v in (s.low, s.median, s.high))
            lines.append(self.tr("min {}, median {}, max {}").format(*numbers))
        return "\n".join(lines)

    # -- order

    @property
    def sorted_by(self) -> tuple[str | None, bool]:
        """By which column the rows are (or will be) sorted (None: as in the file), and whether descending."""
        return self._sort

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column (-1: as in the file). Missing values come last either way."""
        self.sort_by(
            self.name(column) if 0 <= column < self.columnCount() else None, order != Qt.SortOrder.AscendingOrder
        )

    def sort_by(self, name: str | None, descending: bool = False) -> None:
        """Sort by the column of that name; many rows are sorted in a job, and stay as they are meanwhile."""
        self._sort = (name, descending)
        self._sort_source = self._columns[name] if name and self._columns is not None else None
        if name is None or self._columns is None:
            self._on_sorted(self._columns, self._sort, None)
        elif self.count <= SMALL:
            self._on_sorted(self._columns, self._sort, sort_order(self.values(name), descending))
        else:
            self.busy_changed.emit(self.tr("sorting…"))
            self.run(
                "table sort",
                self.tr("Sort the table by {}").format(self.title(name)),
                partial(sort_order, self.values(name), descending),
                partial(self._on_sorted, self._columns, self._sort),
            )

    def _on_sorted(self, columns: Columns | None, sort: tuple[str | None, bool], order: Order | None) -> None:
        if self._columns is None or columns is None or columns.dataset is not self._columns.dataset:
            return
        if sort != self._sort:
            return
        self.layoutAboutToBeChanged.emit()
        self._full = order
        self._rebuild()
        self.layoutChanged.emit()
        self.busy_changed.emit("")

    # -- inside

    def _rebuild(self) -> None:
        order = self._full
        if self._only_selected and self._mask.any():
            order = np.flatnonzero(self._mask) if order is None else order[self._mask[order]]
        self._order = order
        self._row_of = None

    def _touch(self) -> None:
        if self._rows and self.columnCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self._rows - 1, self.columnCount() - 1))
