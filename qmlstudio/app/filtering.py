"""Works out what passes the filters whenever they, the data set or its columns change, and publishes it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from qmlstudio.app.jobs import Job, JobRunner, Lane
from qmlstudio.app.store import Store
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.exclusions import Mask, excluded
from qmlstudio.session.filter_lookups import Lookups, lookups_of
from qmlstudio.session.filters import (
    Filter,
    FilterCache,
    Filters,
    Passing,
    SubstructureFilter,
    combine,
    evaluate,
    is_fast,
)

RESULT = "filter"
LONG_ROWS = 20_000
"""Rows from which reading all SMILES is data-set wide work."""


class FilterEngine(QObject):
    """Publishes a :class:`~qmlstudio.session.filters.FilterResult` as the store's result "filter".

    Filters that take no time are applied at once. The others become one job, and while it runs what the quick ones let
    pass is shown (the result's key is empty until everything is known).
    """

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._cache = FilterCache()
        self._columns_seen = 0
        self._excluded: Mask | None = None
        self._exclusions_seen = 0
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        self._update()

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"exclusions", "dataset"}:
            session = self._store.session
            self._excluded = excluded(session.exclusions, len(session.selection))
            self._exclusions_seen += 1
        if names & {"filters", "dataset", "exclusions"}:
            self._update()

    def _on_store_columns_changed(self, _names: frozenset[str]) -> None:
        self._columns_seen += 1
        if self._store.session.filters.items:
            self._update()

    # -- the work

    def _update(self) -> None:
        columns = self._store.columns
        if columns is None:
            self._runner.cancel(RESULT)
            return
        lookups = lookups_of(columns.dataset)
        filters = self._store.session.filters
        passing: dict[int, Passing] = {}
        slow: list[Filter] = []
        for k, item in enumerate(filters.items):
            found = self._cache.get(item, columns)
            if found is None and k not in filters.off:
                if is_fast(item, columns, lookups):
                    found = evaluate(item, columns, lookups)
                    self._cache.put(item, columns, found)
                else:
                    slow.append(item)
            if found is not None:
                passing[k] = found
        self._cache.keep_only((*filters.items, *slow))
        self._publish(filters, passing, columns)
        if slow:
            self._submit(filters, passing, slow, columns, lookups)
        else:
            self._runner.cancel(RESULT)

    def _publish(self, filters: Filters, passing: dict[int, Passing], columns: Columns) -> None:
        result = combine(filters, passing, len(columns.dataset), self._excluded)
        seen = f"{self._columns_seen} {self._exclusions_seen}"
        key = "" if result.waiting else f"{columns.dataset.fingerprint} {filters!r} {seen}"
        self._store.publish(RESULT, key, result)

    def _submit(
        self, filters: Filters, passing: dict[int, Passing], slow: list[Filter], columns: Columns, lookups: Lookups
    ) -> None:
        reads = any(isinstance(item, SubstructureFilter) for item in slow) and not lookups.has_substructures
        lane: Lane = "batch" if reads and len(columns.dataset) > LONG_ROWS else "interactive"
        self._runner.submit(
            Job(
                key=f"{columns.dataset.fingerprint} {slow!r} {self._columns_seen}",
                slot=RESULT,
                title=self.tr("Filters"),
                compute=partial(_evaluate_all, tuple(slow), columns, lookups),
                done=partial(self._on_done, filters, passing, columns),
                failed=partial(self._on_failed, filters, passing, slow, columns),
                lane=lane,
                priority=5,
                # each move of a slider is a new job: what runs may end, so that something is shown meanwhile
                conflate=not reads,
            )
        )

    def _on_done(
        self, filters: Filters, passing: dict[int, Passing], columns: Columns, found: dict[Filter, Passing]
    ) -> None:
        if self._store.columns is not columns:
            return
        for item, passes in found.items():
            self._cache.put(item, columns, passes)
        now = self._store.session.filters
        if now is not filters and now != filters:
            # an earlier state of the filters, which a running job was let finish for
            passing = {k: p for k, item in enumerate(now.items) if (p := self._cache.get(item, columns)) is not None}
        known = {k: found[item] for k, item in enumerate(now.items) if item in found}
        self._publish(now, {**passing, **known}, columns)

    def _on_failed(
        self,
        filters: Filters,
        passing: dict[int, Passing],
        slow: list[Filter],
        columns: Columns,
        error: BaseException,
        _details: str,
    ) -> None:
        if self._store.columns is columns and self._store.session.filters == filters:
            message = self.tr("this filter could not be applied: {}").format(error)
            broken = Passing(None, len(columns.dataset), error=message)
            self._publish(filters, {**passing, **{filters.items.index(item): broken for item in slow}}, columns)


def _evaluate_all(
    slow: tuple[Filter, ...], columns: Columns, lookups: Lookups, progress: Progress
) -> dict[Filter, Passing]:
    return {
        item: evaluate(item, columns, lookups, progress.part(k / len(slow), (k + 1) / len(slow)))
        for k, item in enumerate(slow)
    }
