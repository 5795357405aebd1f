"""The filters panel: what is shown undimmed, by ranges, categories, elements, substructures and conditions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.column_data import ColumnData
from qmlstudio.app.filtering import RESULT
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.pattern_search import COMMON_PATTERNS, PatternError, guess_is_smiles, pattern_svg
from qmlstudio.progress import Progress
from qmlstudio.session import completion, expression
from qmlstudio.session.filters import (
    CategoryFilter,
    ElementsFilter,
    ExpressionFilter,
    Filter,
    FilterResult,
    Filters,
    RangeFilter,
    SubstructureFilter,
    describe,
)
from qmlstudio.session.histogram import Binning
from qmlstudio.widgets.category_filter import CategoryFilterEdit
from qmlstudio.widgets.element_filter import ElementFilterEdit
from qmlstudio.widgets.expression_edit import Completion, ExpressionEdit
from qmlstudio.widgets.filter_row import FilterRow
from qmlstudio.widgets.range_filter import RangeFilterEdit
from qmlstudio.widgets.substructure_edit import DRAWING, SubstructureEdit

Body = RangeFilterEdit | CategoryFilterEdit | ElementFilterEdit | SubstructureEdit | ExpressionEdit


class FiltersView(QWidget):
    """Follows the session's filters and the result "filter"; changes them, and selects what passes."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._dark = False
        self._data = ColumnData(store, runner, self)
        self._signatures: list[tuple[type, str]] | None = []
        self._binnings: dict[FilterRow, Binning] = {}
        self.rows: list[FilterRow] = []
        self.redraws = 0
        self._make()
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        self._data.ready.connect(self._on_data_ready)
        self._show_filters()

    # -- building

    def _make(self) -> None:
        self.add = QToolButton()
        self.add.setText(self.tr("Add filter ▾"))
        self.add.setToolTip(self.tr("Filter by a property, a category, elements, a substructure or a condition"))
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.add)
        self.menu.aboutToShow.connect(self._on_menu_about_to_show)
        self.add.setMenu(self.menu)
        hint = self.tr("No filters. What does not pass a filter is dimmed on the map, never removed.")
        self.hint = QLabel(hint)
        self.hint.setWordWrap(True)
        self._body = QWidget()
        self._list = QVBoxLayout(self._body)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(6)
        self._list.addWidget(self.hint)
        self._list.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(self._body)
        self.count = QLabel()
        self.count.setAccessibleName(self.tr("How many structures pass"))
        self.select = QPushButton(self.tr("Select these"))
        self.select.setToolTip(
            self.tr("Select what passes: Shift adds to the selection, Alt subtracts, Ctrl intersects")
        )
        self.clear = QPushButton(self.tr("Clear"))
        self.clear.setToolTip(self.tr("Remove all filters"))
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.add)
        top.addStretch()
        bottom.addWidget(self.select, 1)
        bottom.addWidget(self.clear)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.count)
        layout.addLayout(bottom)
        self.select.clicked.connect(self._on_select_clicked)
        self.clear.clicked.connect(self._on_clear_clicked)

    def _on_menu_about_to_show(self) -> None:
        self.menu.clear()
        columns = self._store.columns
        if columns is None:
            self.menu.addAction(self.tr("no data set")).setEnabled(False)
            return
        properties = self.menu.addMenu(self.tr("Property"))
        properties.setToolTipsVisible(True)
        own = columns.names(composition=False)
        numeric = columns.numeric()
        first_made = next((k for k in numeric if k not in own), "")
        for name in numeric:
            if name == first_made:
                properties.addSeparator()
            action = properties.addAction(columns[name].label(name) if name in own else name)
            action.triggered.connect(partial(self.add_filter, RangeFilter(name)))
        categories = self.menu.addMenu(self.tr("Category"))
        for name in columns.texts():
            categories.addAction(name).triggered.connect(partial(self.add_filter, CategoryFilter(name)))
        categories.setEnabled(bool(columns.texts()))
        self.menu.addAction(self.tr("Elements")).triggered.connect(partial(self.add_filter, ElementsFilter()))
        substructure = self.menu.addAction(self.tr("Substructure"))
        substructure.triggered.connect(partial(self.add_filter, SubstructureFilter()))
        if columns.dataset.smiles is None:
            substructure.setEnabled(False)
            substructure.setText(self.tr("Substructure (no SMILES in this set)"))
        self.menu.addAction(self.tr("Condition…")).triggered.connect(partial(self.add_filter, ExpressionFilter()))

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for row in self.rows:
            self._darken(row)

    def add_filter(self, item: Filter, *_: Any) -> None:
        """Add a filter at the end and put the keyboard there."""
        filters = self._store.session.filters
        self._store.update(self.tr("add filter"), filters=replace(filters, items=(*filters.items, item)))
        row = self.rows[-1]
        body = row.body
        target = body
        if isinstance(body, ExpressionEdit | SubstructureEdit):
            target = body.line
        elif isinstance(body, RangeFilterEdit):
            target = body.slider
        elif isinstance(body, CategoryFilterEdit):
            target = body.search
        target.setFocus()
        # its place is known once it was laid out
        self._body.adjustSize()
        self.area.ensureWidgetVisible(row)

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._signatures = None
        if names & {"dataset", "filters"}:
            self._show_filters()
        if names & {"dataset", "selection"}:
            for row in self.rows:
                self._show_selected(row)

    def _on_store_results_changed(self, name: str) -> None:
        if name == RESULT:
            self._show_result()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        self._refresh(names)

    def _on_data_ready(self, column: str) -> None:
        self._refresh(frozenset([column]))

    def _refresh(self, names: frozenset[str]) -> None:
        """Draw anew what hangs on some columns."""
        for row, item in zip(self.rows, self._store.session.filters.items, strict=False):
            if isinstance(item, RangeFilter | CategoryFilter) and item.column in names:
                self._fill(row, item)
            elif isinstance(item, ExpressionFilter):
                self._help(row.body)

    # -- rows

    def _show_filters(self) -> None:
        filters = self._store.session.filters
        signatures = [(type(f), getattr(f, "column", "")) for f in filters.items]
        if signatures != self._signatures:
            self._make_rows(filters, signatures)
        for k, (row, item) in enumerate(zip(self.rows, filters.items, strict=True)):
            row.set_on(k not in filters.off)
            self._show_item(row, item)
        has_data = self._store.dataset is not None
        self.hint.setVisible(not filters.items)
        self.add.setEnabled(has_data)
        self.select.setEnabled(has_data and bool(filters.items))
        self.clear.setEnabled(bool(filters.items))
        self._show_result()

    def _make_rows(self, filters: Filters, signatures: list[tuple[type, str]]) -> None:
        """Rows for these filters; those of before that fit are kept, with their place on the scale and the keyboard."""
        self.redraws += 1
        # after another data set was opened none of them fits
        old = list(zip(self._signatures, self.rows, strict=True)) if self._signatures is not None else []
        kept = {id(row) for _, row in old}
        gone = [row for row in self.rows if id(row) not in kept]
        rows: list[FilterRow] = []
        for signature, item in zip(signatures, filters.items, strict=True):
            match = next((pair for pair in old if pair[0] == signature), None)
            if match is None:
                rows.append(self._make_row(item))
            else:
                old.remove(match)
                rows.append(match[1])
        for row in (*gone, *(row for _, row in old)):
            self._binnings.pop(row, None)
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        for k, row in enumerate(rows):
            if self._list.indexOf(row) != k + 1:
                self._list.insertWidget(k + 1, row)
        self.rows, self._signatures = rows, signatures

    def _make_row(self, item: Filter) -> FilterRow:
        body: Body
        title, tip = "", ""
        if isinstance(item, RangeFilter):
            body, (title, tip) = RangeFilterEdit(), self._column_title(item.column)
            body.set_name(title)
        elif isinstance(item, CategoryFilter):
            body, (title, tip) = CategoryFilterEdit(), self._column_title(item.column)
        elif isinstance(item, ElementsFilter):
            body, title = ElementFilterEdit(), self.tr("Elements")
            dataset = self._store.dataset
            known = dataset.structures.species.symbols if dataset is not None else ()
            extra = [s for s in (*item.required, *item.forbidden) if s not in known]
            body.set_elements([*known, *extra])
        elif isinstance(item, SubstructureFilter):
            body, title = SubstructureEdit(COMMON_PATTERNS), self.tr("Substructure")
        else:
            body, title = ExpressionEdit(), self.tr("Condition")
            self._help(body)
        row = FilterRow(body)
        row.set_title(title, tip)
        row.switched.connect(partial(self._on_row_switched, row))
        row.removed.connect(partial(self._on_row_removed, row))
        if isinstance(body, RangeFilterEdit):
            body.range_changed.connect(partial(self._on_range_changed, row))
            body.log_changed.connect(partial(self._on_log_changed, row))
        elif isinstance(body, CategoryFilterEdit):
            body.shown_changed.connect(partial(self._on_shown_changed, row))
        elif isinstance(body, ElementFilterEdit):
            body.elements_changed.connect(partial(self._on_elements_changed, row))
        elif isinstance(body, SubstructureEdit):
            body.edited.connect(partial(self._on_pattern_edited, row))
            body.pattern_changed.connect(partial(self._on_pattern_changed, row))
        else:
            body.text_changed.connect(partial(self._on_text_changed, row))
        self._darken(row)
        self._fill(row, item)
        return row

    def _column_title(self, name: str) -> tuple[str, str]:
        columns = self._store.columns
        if columns is None or name not in columns.names(composition=False):
            return name, ""
        p = columns[name]
        return p.label(name), p.description

    def _darken(self, row: FilterRow) -> None:
        row.set_dark(self._dark)
        assert isinstance(row.body, Body)
        row.body.set_dark(self._dark)

    def _help(self, body: QWidget) -> None:
        columns = self._store.columns
        if not isinstance(body, ExpressionEdit) or columns is None:
            return

        def check(text: str, letters: int) -> tuple[str, str]:
            try:
                expression.parse(text, columns)
            except expression.ExpressionError as error:
                return error.message, expression.pointed(text, error, letters)
            return "", ""

        def completions(text: str, cursor: int) -> tuple[Completion, ...]:
            return completion.complete(text, cursor, columns)

        body.set_helpers(check, completions)

    def _show_item(self, row: FilterRow, item: Filter) -> None:
        body = row.body
        if isinstance(item, RangeFilter) and isinstance(body, RangeFilterEdit):
            changed = body.log_x.isChecked() != item.log
            body.set_range(item.low, item.high, item.log)
            if changed:
                self._fill(row, item)
        elif isinstance(item, CategoryFilter) and isinstance(body, CategoryFilterEdit):
            body.set_shown(item.shown)
        elif isinstance(item, ElementsFilter) and isinstance(body, ElementFilterEdit):
            body.set_states(item.required, item.forbidden)
        elif isinstance(item, SubstructureFilter) and isinstance(body, SubstructureEdit):
            body.set_value(item.pattern, item.is_smiles, item.inverted)
        elif isinstance(item, ExpressionFilter) and isinstance(body, ExpressionEdit):
            body.set_text(item.text)

    def _fill(self, row: FilterRow, item: Filter) -> None:
        """The histogram, or the list of categories."""
        body = row.body
        if isinstance(item, RangeFilter) and isinstance(body, RangeFilterEdit):
            binning = self._data.binning(item.column, item.log)
            if binning is None:
                self._binnings.pop(row, None)
                return
            self._binnings[row] = binning
            body.set_histogram(binning.edges, binning.counts, binning.log, binning.discrete, binning.note(item.log))
            body.set_range(item.low, item.high, item.log)
            self._show_selected(row)
            self._show_passing(row)
        elif isinstance(item, CategoryFilter) and isinstance(body, CategoryFilterEdit):
            found = self._data.categories(item.column)
            if found is not None:
                body.set_categories(found.names, found.counts)
            else:
                body.set_waiting(self._data.problem(item.column) or self.tr("counting categories…"))

    def _show_selected(self, row: FilterRow) -> None:
        binning = self._binnings.get(row)
        if binning is None or not isinstance(row.body, RangeFilterEdit):
            return
        selection = self._store.session.selection
        fits = selection.mask.any() and len(selection) == len(binning.codes)
        row.body.slider.set_selected(partial(binning.counted, selection.mask) if fits else None)

    def _show_passing(self, row: FilterRow) -> None:
        binning, result = self._binnings.get(row), self._store.result(RESULT)
        if binning is None or not isinstance(row.body, RangeFilterEdit):
            return
        mask = result.mask if isinstance(result, FilterResult) else None
        if mask is None or len(mask) != len(binning.codes):
            row.body.slider.set_passing(None)
        else:
            row.body.slider.set_passing(partial(binning.counted, mask))

    def _show_result(self) -> None:
        result, filters = self._store.result(RESULT), self._store.session.filters
        if not isinstance(result, FilterResult) or len(result.counts) != len(self.rows):
            self.count.setText("")
            return
        for k, row in enumerate(self.rows):
            count = result.counts[k]
            if k in filters.off:
                row.set_count(self.tr("off"))
            elif count is None:
                row.set_count(self.tr("…"), self.tr("being worked out; the others are shown meanwhile"))
            else:
                text = self.tr("{:,} of {:,}").format(count, result.total)
                row.set_count(text, self.tr("pass this filter by itself"))
            error = result.errors.get(k, "")
            if error and isinstance(row.body, ExpressionEdit | SubstructureEdit):
                # these say themselves what is wrong with what is typed
                error = self.tr("not applied")
            row.set_note(self.tr("⚠ {}").format(error) if error else result.notes.get(k, ""))
            self._show_passing(row)
        more = "…" if result.waiting else ""
        self.count.setText(self.tr("<b>{:,}</b> of {:,} pass{}").format(result.count, result.total, more))
        self.select.setEnabled(bool(filters.items) and not result.waiting)

    # -- what the user does

    def _change(self, row: FilterRow, **values: Any) -> None:
        """Other values of the filter of a row."""
        filters = self._store.session.filters
        place = self.rows.index(row)
        item: Any = replace(filters.items[place], **values)
        if item != filters.items[place]:
            items = (*filters.items[:place], item, *filters.items[place + 1 :])
            self._store.update(self.tr("filter {}").format(row.title.text()), filters=replace(filters, items=items))

    def _on_range_changed(self, row: FilterRow, low: float | None, high: float | None) -> None:
        self._change(row, low=low, high=high)

    def _on_log_changed(self, row: FilterRow, on: bool) -> None:
        self._change(row, log=on)
        self._fill(row, self._store.session.filters.items[self.rows.index(row)])

    def _on_shown_changed(self, row: FilterRow, shown: tuple[str, ...] | None) -> None:
        self._change(row, shown=shown)

    def _on_elements_changed(self, row: FilterRow, required: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
        self._change(row, required=required, forbidden=forbidden)

    def _on_text_changed(self, row: FilterRow, text: str) -> None:
        self._change(row, text=text)

    def _on_pattern_changed(self, row: FilterRow, text: str, is_smiles: bool, inverted: bool) -> None:
        self._change(row, pattern=text, is_smiles=is_smiles, inverted=inverted)

    def _on_pattern_edited(self, row: FilterRow, text: str) -> None:
        assert isinstance(row.body, SubstructureEdit)
        kind = row.body.chosen_kind
        self._runner.submit(
            Job(
                key=f"pattern {text} {kind}",
                slot=f"pattern {id(row)}",
                title=self.tr("Read a pattern"),
                compute=partial(_read, text, kind),
                done=partial(self._on_pattern_read, row, text),
                lane="interactive",
                priority=10,
            )
        )

    def _on_pattern_read(self, row: FilterRow, text: str, verdict: tuple[bool, str, str]) -> None:
        if row in self.rows and isinstance(row.body, SubstructureEdit):
            row.body.set_verdict(text, *verdict)

    def _on_row_switched(self, row: FilterRow, on: bool) -> None:
        filters, place = self._store.session.filters, self.rows.index(row)
        off = set(filters.off) - {place} if on else set(filters.off) | {place}
        text = self.tr("switch filter on") if on else self.tr("switch filter off")
        self._store.update(text, filters=replace(filters, off=tuple(sorted(off))))

    def _on_row_removed(self, row: FilterRow) -> None:
        filters, place = self._store.session.filters, self.rows.index(row)
        items = (*filters.items[:place], *filters.items[place + 1 :])
        off = tuple(k - (k > place) for k in filters.off if k != place)
        # of two filters of one kind it is this row that goes
        if self._signatures is not None:
            self._signatures = [*self._signatures[:place], *self._signatures[place + 1 :]]
        self.rows = [r for r in self.rows if r is not row]
        self._binnings.pop(row, None)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._store.update(self.tr("remove filter"), filters=Filters(items, off))

    def _on_clear_clicked(self) -> None:
        self._store.update(self.tr("clear filters"), filters=Filters())

    def _on_select_clicked(self) -> None:
        result, dataset = self._store.result(RESULT), self._store.dataset
        if dataset is None or not isinstance(result, FilterResult):
            return
        mask = np.ones(result.total, dtype=bool) if result.mask is None else result.mask
        origin = describe(self._store.session.filters) or self.tr("everything")
        self._store.select(mask, _operation(), origin)


def _operation() -> str:
    """What the modifiers make of a selection."""
    held = QGuiApplication.keyboardModifiers()
    if held & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    if held & Qt.KeyboardModifier.AltModifier:
        return "subtract"
    return "intersect" if held & Qt.KeyboardModifier.ControlModifier else "replace"


def _read(text: str, is_smiles: bool | None, progress: Progress) -> tuple[bool, str, str]:
    """How a pattern is read, what is wrong with it, its drawing."""
    progress.check()
    smiles = guess_is_smiles(text) if is_smiles is None else is_smiles
    try:
        # drawings lie on white in a dark window, too
        return smiles, "", pattern_svg(text, smiles, (DRAWING.width(), DRAWING.height()), False)
    except PatternError as error:
        return smiles, str(error), ""
