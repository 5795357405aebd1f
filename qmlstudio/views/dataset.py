"""The data panel: which data set, what it holds, and the table of its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.filters import CategoryFilter, RangeFilter
from qmlstudio.widgets.column_chooser import ColumnChooser, Entry
from qmlstudio.widgets.map_toolbar import popup
from qmlstudio.widgets.property_table import PropertyTable
from qmlstudio.widgets.table_numbers import SMALL

_NOTE_SECONDS = 6
_REMEMBERED = 20
"""Data sets of which the columns' choice is remembered."""


class DatasetView(QWidget):
    """Follows the store: data set, columns, active structure, selection, filters.

    Parameters
    ----------
    store : Store
    runner : JobRunner or None
        Sorts and counts what is long; None: the window waits for it.

    Signals
    -------
    problems_requested()
        The user wants to read what of the file could not be used.
    units_requested(name)
        The user wants to change a column's unit.
    """

    problems_requested = Signal()
    units_requested = Signal(str)

    def __init__(self, store: Store, runner: JobRunner | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._remembered: dict[str, dict[str, Any]] = {}
        self._fingerprint = ""
        self._known: frozenset[str] = frozenset()
        self.redraws = 0
        self._title = QLabel()
        self._title.setWordWrap(True)
        self._title.setTextFormat(Qt.TextFormat.RichText)
        self._problems = QPushButton()
        self._problems.setFlat(True)
        self._problems.clicked.connect(self.problems_requested)
        self._only = QCheckBox(self.tr("Selected only"))
        self._only.setToolTip(self.tr("Leave out the rows of structures that are not selected"))
        self._only.setEnabled(False)
        self._chooser = ColumnChooser()
        tip = self.tr("Choose and order the columns (headings can be dragged, too)")
        self._columns_button = popup(self.tr("Columns"), tip, self._chooser)
        self._count = QLabel()
        self._note = QLabel()
        self._note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._note_timer = QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.timeout.connect(self._note.clear)
        self.table = PropertyTable()
        if runner is not None:
            self.table.rows.run = self._run
        bar = QHBoxLayout()
        bar.addWidget(self._only)
        bar.addStretch()
        bar.addWidget(self._columns_button)
        chips = QHBoxLayout()
        chips.addWidget(self._count)
        chips.addStretch()
        chips.addWidget(self._note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._title)
        layout.addWidget(self._problems)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
        layout.addLayout(chips)
        self._only.toggled.connect(self.table.rows.set_only_selected)
        self.table.activated_structure.connect(store.set_active)
        self.table.selected_structures.connect(self._on_table_selected_structures)
        self.table.color_requested.connect(self._on_table_color_requested)
        self.table.filter_requested.connect(self._on_table_filter_requested)
        self.table.columns_requested.connect(self._on_columns_requested)
        self.table.noted.connect(self._show_note)
        self.table.units_requested.connect(self.units_requested)
        self.table.removal_requested.connect(store.remove_columns)
        self.table.rows.busy_changed.connect(self._on_rows_busy_changed)
        self._chooser.chosen.connect(self._on_columns_requested)
        self._chooser.reset_requested.connect(self._on_chooser_reset_requested)
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        store.results_changed.connect(self._on_store_results_changed)
        self._show_dataset(store.dataset)

    # -- what others may ask

    def state(self) -> dict[str, Any]:
        """Columns, their order, widths, bars and sorting, of each data set; ready for JSON."""
        self._remember()
        return {"tables": {k: dict(v) for k, v in self._remembered.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        tables = state.get("tables", {})
        self._remembered.update({str(k): dict(v) for k, v in tables.items()})
        if self._fingerprint in self._remembered:
            self.table.restore_layout(self._remembered[self._fingerprint])
            self._list_columns()

    def reveal(self, index: int) -> None:
        """Scroll to a structure's row."""
        self.table.reveal(index)

    # -- following the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._show_dataset(self._store.dataset)
        if "selection" in names or "dataset" in names:
            self._show_selection()

    def _on_store_columns_changed(self, _names: frozenset[str]) -> None:
        columns = self._store.columns
        if columns is None:
            return
        new = [n for n in columns.names(composition=False) if n not in self._known]
        self._known = frozenset(columns)
        self._show_columns([*self.table.shown_names, *new])

    def _on_store_results_changed(self, name: str) -> None:
        if name == "filter":
            result = self._store.result("filter")
            self.table.rows.set_passes(None if result is None else result.mask)

    # -- the table

    def _on_table_selected_structures(self, indices: np.ndarray) -> None:
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[indices] = True
        self._store.select(mask, "replace", self.tr("table"))

    def _on_table_color_requested(self, name: str) -> None:
        coloring = replace(self._store.session.coloring, color_by=name, hidden="")
        self._store.update(self.tr("colour by {}").format(name), coloring=coloring)

    def _on_table_filter_requested(self, name: str) -> None:
        columns, filters = self._store.columns, self._store.session.filters
        if columns is None or name not in columns:
            return
        new = CategoryFilter(name) if columns[name].is_text else RangeFilter(name)
        if not any(type(f) is type(new) and f.column == name for f in filters.items):
            items = (*filters.items, new)
            self._store.update(self.tr("filter by {}").format(name), filters=replace(filters, items=items))
        self._show_note(self.tr("Filter by {} added").format(name))

    def _on_columns_requested(self, names: list[str]) -> None:
        columns = self._store.columns
        if columns is None:
            return
        new = [n for n in names if n not in self.table.shown_names]
        if self._runner is None or len(columns.dataset) <= SMALL or not new:
            self._show_columns(names)
        else:  # what follows from the composition is made when it is asked for
            self._show_note(self.tr("making columns…"))
            compute: Callable[[Progress], None] = partial(_make, columns, new)
            self._run("table columns", self.tr("Columns of the table"), compute, partial(self._on_made, columns, names))

    def _on_made(self, columns: Columns, names: list[str], _nothing: None) -> None:
        if columns.dataset is self._store.dataset:
            self._show_note("")
            self._show_columns(names)

    def _on_chooser_reset_requested(self) -> None:
        columns = self._store.columns
        if columns is not None:
            self._show_columns(list(columns.names(composition=False)))

    def _show_columns(self, names: list[str]) -> None:
        self.table.set_columns(self._store.columns, names)
        self.table.show_active(self._store.active)
        self._list_columns()

    def _list_columns(self) -> None:
        columns = self._store.columns
        shown = self.table.shown_names
        # titles of those that are not made yet would make them
        cheap = set(columns.names(composition=False)) if columns is not None else set()
        entries = []
        for name in (*shown, *(n for n in columns or () if n not in shown)):
            p = columns[name] if columns is not None and (name in cheap or name in shown) else None
            title = name if p is None else p.label(name)
            entries.append(Entry(name, title, "" if p is None else p.description, name in shown))
        self._chooser.set_entries(entries)

    def _remember(self) -> None:
        if self._fingerprint:
            self._remembered.pop(self._fingerprint, None)
            self._remembered[self._fingerprint] = self.table.layout_state()
            while len(self._remembered) > _REMEMBERED:
                del self._remembered[next(iter(self._remembered))]

    # -- notes and jobs

    def _show_note(self, text: str) -> None:
        self._note.setText(text)
        if text:
            self._note_timer.start(1000 * _NOTE_SECONDS)
        else:
            self._note_timer.stop()

    def _on_rows_busy_changed(self, text: str) -> None:
        self._note_timer.stop()
        self._note.setText(text)

    def _run(self, slot: str, title: str, compute: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
        assert self._runner is not None
        self._runner.submit(
            Job(
                key=f"{slot} {title} {id(compute)}",
                slot=slot,
                title=title,
                compute=compute,
                done=done,
                failed=self._on_job_failed,
                lane="interactive",
            )
        )

    def _on_job_failed(self, error: BaseException, _details: str) -> None:
        self._show_note(self.tr("Failed: {}").format(error))

    # -- showing

    def _show_dataset(self, dataset: Dataset | None) -> None:
        self.redraws += 1
        self._remember()
        columns = self._store.columns
        self._fingerprint = dataset.fingerprint if dataset is not None else ""
        self._known = frozenset(columns or ())
        self.table.set_columns(columns, () if columns is None else columns.names(composition=False))
        if self._fingerprint in self._remembered:
            self.table.restore_layout(self._remembered[self._fingerprint])
        self._list_columns()
        self._problems.setVisible(bool(dataset and dataset.problems))
        if dataset is None:
            self._title.setText(self.tr("No data set. Drop a file here, or open one (Ctrl+O)."))
            return
        n = len(dataset)
        elements = " ".join(dataset.structures.species.symbols)
        atoms = self.tr("no atoms")
        if n:
            low, high = dataset.structures.size_range
            atoms = self.tr("{} atoms each").format(low) if low == high else self.tr("{}–{} atoms").format(low, high)
        kind = self.tr("{:,} frames") if dataset.ordered else self.tr("{:,} structures")
        self._title.setText(f"<b>{dataset.name}</b><br>{kind.format(n)} · {atoms} · {elements}")
        self._title.setToolTip(
            "\n".join(filter(None, (dataset.source.path, dataset.source.licence, dataset.source.reference)))
        )
        self._problems.setText(self.tr("⚠ {} problems in the file…").format(len(dataset.problems)))

    def _show_selection(self) -> None:
        selection = self._store.session.selection
        count = selection.count
        self._only.setEnabled(count > 0 or self._only.isChecked())
        self._count.setText(self.tr("{:,} of {:,} selected").format(count, len(selection)) if count else "")
        self._count.setToolTip(selection.origin)
        self.table.rows.set_selection(selection.mask)
        self.table.show_active(selection.active)


def _make(columns: Columns, names: list[str], progress: Progress) -> None:
    for name in names:
        progress.check()
        if name in columns:
            columns[name]
