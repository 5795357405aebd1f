"""A sortable table over a data set's columns: the view with its gestures. The model is in :mod:`property_model`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QPainter, QPalette
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStyle, QStyleOptionHeader, QTableView, QWidget

from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.property_model import IDENTIFIER, PropertyModel
from qmlstudio.widgets.table_delegate import CellDelegate
from qmlstudio.widgets.table_numbers import MOST_COPIED, SMALL, Order, format_number, table_text

__all__ = ["PropertyModel", "PropertyTable", "RowHeader", "format_number"]

_SAMPLE = 20
"""Rows by which the first width of a column is chosen."""
_WIDTHS = (50, 220)


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

    Headings sort by a click, move by a drag, and have a menu (right click, or Shift+F10 for the current column).

    Signals
    -------
    activated_structure(index)
        The current row changed by the user.
    selected_structures(indices)
        Several rows were marked by the user; (k,) int64.
    color_requested(name), filter_requested(name)
        From a heading's menu: colour the map, or filter, by this column.
    columns_requested(names)
        The user has hidden or moved columns: these are left, in this order.
    noted(text)
        What was copied.
    units_requested(name), removal_requested(name)
        Change this column's unit; drop it, since it is none of the file's.
    """

    activated_structure = Signal(int)
    selected_structures = Signal(object)
    color_requested = Signal(str)
    filter_requested = Signal(str)
    columns_requested = Signal(object)
    noted = Signal(str)
    units_requested = Signal(str)
    removal_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = PropertyModel(self)
        self._following = False
        self._widths: dict[str, int] = {}
        self.setModel(self._model)
        self._delegate = CellDelegate(self._model)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(self.tr("Table of properties"))
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
        header.setFirstSectionMovable(False)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_custom_context_menu_requested)
        header.sectionMoved.connect(self._on_header_section_moved)
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

    # -- columns

    def set_dataset(self, dataset: Dataset | None) -> None:
        """Show another data set, with all columns but those that follow from the composition."""
        columns = None if dataset is None else Columns(dataset)
        self.set_columns(columns, () if columns is None else columns.names(composition=False))

    def set_columns(self, columns: Columns | None, names: Sequence[str]) -> None:
        """Show these columns; of another data set from its first row on, unsorted."""
        other = columns is None or self._model.columns is None or columns.dataset is not self._model.columns.dataset
        self._remember_widths()
        if other:
            self._widths.clear()
        self._following = True
        self._in_order()
        self._model.set_columns(columns, names)
        self._show_indicator()
        for column in range(self._model.columnCount()):
            name = self._model.name(column)
            self.setColumnWidth(column, self._widths.get(name) or self._first_width(column))
        self._following = False

    @property
    def shown_names(self) -> list[str]:
        """Names of the columns as they stand, the identifier left out."""
        header = self.horizontalHeader()
        count = self._model.columnCount()
        return [self._model.name(header.logicalIndex(k)) for k in range(1, count)]

    def layout_state(self) -> dict[str, Any]:
        """Columns with order and widths, bars and sorting, ready for JSON."""
        self._remember_widths()
        name, descending = self._model.sorted_by
        return {
            "columns": self.shown_names,
            "widths": dict(self._widths),
            "without_bars": sorted(self._model.without_bars),
            "sort": None if name is None else [name, descending],
        }

    def restore_layout(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`layout_state`; columns that there are not are left out."""
        columns = self._model.columns
        if columns is None:
            return
        self._widths.update({str(k): int(v) for k, v in dict(state.get("widths", {})).items()})
        for name in state.get("without_bars", ()):
            self._model.set_bars(str(name), False)
        kept = dict(self._widths)
        self.set_columns(columns, [str(n) for n in state.get("columns", self._model.names)])
        for name, width in kept.items():
            column = self._model.column(name)
            if column >= 0:
                self.setColumnWidth(column, width)
        self._widths.update(kept)
        sort = state.get("sort")
        if sort and (sort[0] == IDENTIFIER or sort[0] in columns):
            self._model.sort_by(str(sort[0]), bool(sort[1]))
            self._show_indicator()

    def _remember_widths(self) -> None:
        for column in range(self._model.columnCount()):
            self._widths[self._model.name(column)] = self.columnWidth(column)

    def _first_width(self, column: int) -> int:
        metrics = self.fontMetrics()
        title = self._model.title(self._model.name(column))
        sample = [self._model.cell(r, column).text for r in range(min(_SAMPLE, self._model.rowCount()))]
        widest = max([metrics.horizontalAdvance(s) for s in sample] + [metrics.horizontalAdvance(title) + 14])
        return int(np.clip(widest + 14, *_WIDTHS))

    def _in_order(self) -> None:
        """Let what stands where be the model's order again: it is about to be given anew."""
        header = self.horizontalHeader()
        with QSignalBlocker(header):
            for k in range(header.count()):
                header.moveSection(header.visualIndex(k), k)

    def _show_indicator(self) -> None:
        name, descending = self._model.sorted_by
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        with QSignalBlocker(self.horizontalHeader()):
            self.horizontalHeader().setSortIndicator(-1 if name is None else self._model.column(name), order)

    # -- rows

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

    def reveal(self, index: int) -> None:
        """Scroll to a structure's row, into the middle."""
        row = self._model.row(index)
        if row >= 0:
            cell = self._model.index(row, max(0, self.columnAt(0)))
            self.scrollTo(cell, QAbstractItemView.ScrollHint.PositionAtCenter)

    @property
    def marked_rows(self) -> Order:
        """(k,) rows that are marked, ascending."""
        chosen = self.selectionModel().selection()
        ranges = [np.arange(r.top(), r.bottom() + 1) for r in (chosen.at(k) for k in range(chosen.count()))]
        return np.unique(np.concatenate(ranges)) if ranges else np.zeros(0, np.int64)

    def copy(self) -> None:
        """Marked rows with their headings to the clipboard, separated by tabs."""
        names = [IDENTIFIER, *self.shown_names]
        self._copy(names, self._model.structures(self.marked_rows))

    def copy_column(self, name: str) -> None:
        """One column, of all rows, with its heading."""
        self._copy([name], self._model.order)

    def _copy(self, names: list[str], structures: Order) -> None:
        if self._model.columns is None:
            return
        total = len(structures)
        chosen = structures[:MOST_COPIED].copy()
        columns = [(self._model.title(n), self._model.values(n)) for n in names]
        done = partial(self._on_copied, len(chosen), total)
        if len(chosen) * len(names) <= SMALL:
            done(table_text(columns, chosen))
        else:
            self._model.run(
                "table copy", self.tr("Copy {:,} rows").format(len(chosen)), partial(_text, columns, chosen), done
            )

    def _on_copied(self, copied: int, total: int, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        if copied < total:
            self.noted.emit(self.tr("The first {:,} of {:,} rows copied").format(copied, total))
        else:
            self.noted.emit(self.tr("{:,} rows copied").format(copied))

    # -- the headings' menu

    def header_menu(self, column: int) -> QMenu:
        """What can be done with a column; deletes itself when it is closed."""
        name = self._model.name(column)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Sort ascending"), partial(self._sort, name, False))
        menu.addAction(self.tr("Sort descending"), partial(self._sort, name, True))
        menu.addAction(self.tr("As in the file"), partial(self._sort, None, False))
        menu.addSeparator()
        if name != IDENTIFIER:
            columns = self._model.columns
            menu.addAction(self.tr("Colour the map by this"), partial(self.color_requested.emit, name))
            menu.addAction(self.tr("Filter by this"), partial(self.filter_requested.emit, name))
            if columns is not None and not columns[name].is_text:
                bars = menu.addAction(self.tr("Bars behind the numbers"))
                bars.setCheckable(True)
                bars.setChecked(name not in self._model.without_bars)
                bars.toggled.connect(partial(self._model.set_bars, name))
                menu.addAction(self.tr("Units and energies…"), partial(self.units_requested.emit, name))
            menu.addSeparator()
        menu.addAction(self.tr("Copy column"), partial(self.copy_column, name))
        if name != IDENTIFIER:
            menu.addAction(self.tr("Hide column"), partial(self._hide, name))
            if columns is not None and any(c.name == name for c in columns.added):
                menu.addAction(self.tr("Remove column"), partial(self.removal_requested.emit, name))
        return menu

    def _sort(self, name: str | None, descending: bool) -> None:
        self._model.sort_by(name, descending)
        self._show_indicator()

    def _hide(self, name: str) -> None:
        self.columns_requested.emit([n for n in self.shown_names if n != name])

    def _on_header_custom_context_menu_requested(self, at: QPoint) -> None:
        column = self.horizontalHeader().logicalIndexAt(at)
        if column >= 0:
            self.header_menu(column).popup(self.horizontalHeader().viewport().mapToGlobal(at))

    def _on_header_section_moved(self, *_: int) -> None:
        if not self._following:
            self.columns_requested.emit(self.shown_names)

    # -- events

    def keyPressEvent(self, event: Any) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() == Qt.Key.Key_F10 and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            column = max(self.currentIndex().column(), 0)
            header = self.horizontalHeader()
            place = QPoint(self.columnViewportPosition(column), header.height())
            if self._model.columnCount():
                self.header_menu(column).popup(header.viewport().mapToGlobal(place))
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if hasattr(self, "_delegate"):
            accent = self.palette().color(QPalette.ColorRole.Highlight)
            self._model._marked = QColor(accent.red(), accent.green(), accent.blue(), 60)
            if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
                self._delegate.forget_fonts()

    def _on_current_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if not self._following and current.isValid():
            self.activated_structure.emit(self._model.structure(current.row()))

    def _on_selection_changed(self, *_: object) -> None:
        if self._following:
            return
        rows = self.marked_rows
        if len(rows) > 1:
            self.selected_structures.emit(self._model.structures(rows))


def _text(columns: list[tuple[str, Any]], rows: Order, progress: Any) -> str:
    return table_text(columns, rows, progress=progress)
