"""Histograms and categories of the columns, for whoever draws them: at once where it is quick, else by a job."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Property
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.filter_lookups import Categories, Lookups, lookups_of
from qmlstudio.session.filters import FAST_ATOMS, FAST_ROWS
from qmlstudio.session.histogram import Binning, bin_values

Key = tuple[str, str]


class ColumnData(QObject):
    """What is drawn of a column, kept until the column changes.

    Signals
    -------
    ready(column)
        What was asked for in vain is there now, or cannot be had.
    """

    ready = Signal(str)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._binnings: dict[tuple[str, bool], tuple[Property, Binning]] = {}
        self._problems: dict[str, str] = {}
        self._dataset: object = None
        store.columns_changed.connect(self._on_store_columns_changed)

    def problem(self, column: str) -> str:
        """Why something of this column cannot be had; empty when nothing went wrong."""
        return self._problems.get(column, "")

    def binning(self, column: str, log: bool) -> Binning | None:
        """The histogram of a column of numbers; None while it is made, or when there is none."""
        columns = self._columns()
        if columns is None or column not in columns:
            return None
        known = self._binnings.get((column, log))
        lookups, n = lookups_of(columns.dataset), len(columns.dataset)
        is_made = column in lookups.made or len(columns.dataset.structures.numbers) <= FAST_ATOMS
        if known is None and (not is_made or n > FAST_ROWS):
            self._submit(f"histogram {column} {log}", column, log, partial(_bin, columns, column, log, lookups))
            return None
        p = columns[column]
        if p.is_text:
            return None
        if known is None or known[0] is not p:
            known = self._binnings[column, log] = (p, bin_values(p.values, log))
        return known[1]

    def categories(self, column: str) -> Categories | None:
        """The categories of a column; None while they are counted, or when there are none."""
        columns = self._columns()
        if columns is None or column not in columns or column in self._problems:
            return None
        p, lookups = columns[column], lookups_of(columns.dataset)
        if len(columns.dataset) > FAST_ROWS and not lookups.has_categories(column, p):
            self._submit(f"categories {column}", column, False, partial(_count, p, column, lookups))
            return None
        try:
            return lookups.categories(column, p)
        except ValueError as error:
            self._problems[column] = str(error)
            return None

    # -- inside

    def _columns(self) -> Columns | None:
        columns = self._store.columns
        if columns is not None and self._dataset is not columns.dataset:
            self._dataset, self._binnings, self._problems = columns.dataset, {}, {}
        return columns

    def _submit(self, slot: str, column: str, log: bool, compute: Callable[[Progress], Any]) -> None:
        self._runner.submit(
            Job(
                key=f"{self._store.session.dataset.fingerprint} {slot}",
                slot=slot,
                title=self.tr("Values of {}").format(column),
                compute=compute,
                done=partial(self._on_done, self._dataset, column, log),
                failed=partial(self._on_failed, self._dataset, column),
                lane="interactive",
                priority=4,
            )
        )

    def _on_done(self, dataset: object, column: str, log: bool, found: tuple[Property, Binning] | None) -> None:
        if dataset is not self._dataset:
            return
        if found is not None:
            self._binnings[column, log] = found
        self.ready.emit(column)

    def _on_failed(self, dataset: object, column: str, error: BaseException, _details: str) -> None:
        if dataset is self._dataset:
            self._problems[column] = str(error)
            self.ready.emit(column)

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        for name in names:
            self._problems.pop(name, None)
            for log in (False, True):
                self._binnings.pop((name, log), None)


def _bin(columns: Columns, column: str, log: bool, lookups: Lookups, progress: Progress) -> tuple[Property, Binning]:
    p = columns[column]
    lookups.made.add(column)
    return p, bin_values(p.values, log, progress=progress)


def _count(p: Property, column: str, lookups: Lookups, progress: Progress) -> None:
    lookups.categories(column, p, progress)
