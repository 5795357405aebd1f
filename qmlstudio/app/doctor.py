"""Has the data set examined beside the window, keeps what was found, and the lists of what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import WARM_UP, Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session import exclusion_files
from qmlstudio.session.columns import Columns
from qmlstudio.session.doctor import REGISTRY, WARNING, Check, Extra, Findings, examine, quick
from qmlstudio.session.doctor.findings import COLUMN, worst_column
from qmlstudio.session.exclusion_files import Loaded
from qmlstudio.session.exclusions import Exclusion, excluded

SLOT, COLUMN_SLOT, FILE_SLOT, REST_SLOT = "doctor", "doctor column", "exclusions file", "without excluded"


class DoctorEngine(QObject):
    """Runs the quick checks by itself when a set was opened, the others when asked.

    Signals
    -------
    changed()
        There are other findings, or another state of a check.
    status_changed(text)
        What is going on, for people.
    rest_made(dataset)
        The set without what is excluded, as was asked for.
    """

    changed = Signal()
    status_changed = Signal(str)
    rest_made = Signal(object)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self.checks: dict[str, Check] = {name: cls() for name, cls in REGISTRY.items()}
        self._found: dict[str, Findings] = {}
        self._stale: set[str] = set()
        self._running: tuple[str, ...] = ()
        self._key = ""
        self._automatic = False
        self._wants_color = False
        store.changed.connect(self._on_store_changed)
        runner.finished.connect(self._on_runner_finished)
        runner.progressed.connect(self._on_runner_progressed)
        self._begin()

    # -- what there is

    @property
    def found(self) -> dict[str, Findings]:
        """What the checks that were done have found, by their names."""
        return self._found

    def state(self, name: str) -> str:
        """ "new", "running", "done", "old" (done with other parameters or data) or "failed"."""
        if name in self._running:
            return "running"
        if name not in self._found:
            return "new"
        if self._found[name].error:
            return "failed"
        return "old" if name in self._stale else "done"

    @property
    def is_running(self) -> bool:
        """Whether checks that somebody asked for are under way."""
        return bool(self._running) and not self._automatic

    @property
    def count(self) -> int:
        """Warnings and errors."""
        return sum(int(np.count_nonzero(f.severity >= WARNING)) for f in self._found.values())

    # -- what may be asked

    def set_check(self, check: Check) -> None:
        """Use other parameters for a check; what it found stays until it is run again."""
        if self.checks.get(check.name) != check:
            self.checks[check.name] = check
            if check.name in self._found:
                self._stale.add(check.name)
            self.changed.emit()

    def run(self, names: Sequence[str] | None = None) -> None:
        """Run these checks, or all."""
        wanted = set(self.checks if names is None else names)
        if self._automatic:
            wanted |= set(self._running)  # what has not been done yet of what runs by itself
        self._submit([c for name, c in self.checks.items() if name in wanted], priority=0)

    def stop(self) -> None:
        """Cancel what is under way."""
        self._runner.cancel(SLOT)

    def color(self) -> None:
        """Colour the map by the worst finding of each structure."""
        self._wants_color = True
        self._make_column()

    def exclude(self, name: str, indices: NDArray[Any], reason: str) -> None:
        """Leave structures out from now on, as a list of its own; one of that name gets a number."""
        if not len(indices):
            return
        there = self._store.session.exclusions
        taken = {e.name for e in there}
        own, number = name, 2
        while own in taken:
            own, number = f"{name} {number}", number + 1
        new = Exclusion(own, reason, np.asarray(indices, dtype=np.int64))
        self._store.update(self.tr("exclude {}").format(own), exclusions=(*there, new))

    def change_exclusion(self, row: int, **values: Any) -> None:
        """Another name or reason, or on or off."""
        there = self._store.session.exclusions
        new = replace(there[row], **values)
        text = self.tr("change exclusions")
        self._store.update(text, exclusions=(*there[:row], new, *there[row + 1 :]))

    def remove_exclusions(self, rows: Sequence[int]) -> None:
        """Drop lists; their structures count again."""
        there = self._store.session.exclusions
        kept = tuple(e for k, e in enumerate(there) if k not in rows)
        self._store.update(self.tr("remove exclusions"), exclusions=kept)

    def save_exclusions(self, path: str) -> None:
        """Write all lists to a file."""
        dataset = self._store.dataset
        if dataset is not None:
            lists = self._store.session.exclusions
            self._submit_file(
                path,
                self.tr("Save exclusions"),
                partial(_write, path, dataset, lists),
                partial(self._on_saved, path, len(lists)),
            )

    def load_exclusions(self, path: str) -> None:
        """Add the lists of a file."""
        dataset = self._store.dataset
        if dataset is not None:
            self._submit_file(
                path, self.tr("Read exclusions"), partial(_read, path, dataset), partial(self._on_loaded, dataset)
            )

    def make_rest(self) -> None:
        """The data set without what is excluded, delivered by :attr:`rest_made`."""
        dataset = self._store.dataset
        if dataset is None:
            return
        out = excluded(self._store.session.exclusions, len(dataset))
        if out is None:
            self.status_changed.emit(self.tr("Nothing is excluded."))
            return
        self._runner.submit(
            Job(
                key=f"{dataset.fingerprint} {digest(np.packbits(out).tobytes().hex())}",
                slot=REST_SLOT,
                title=self.tr("{} without the excluded").format(dataset.name),
                compute=partial(_without, dataset, out),
                done=self.rest_made.emit,
                failed=self._on_failed,
            )
        )

    # -- inside

    def _begin(self) -> None:
        """Forget all, and look at what takes no time."""
        self._runner.cancel(SLOT)
        self._found, self._stale, self._running, self._key = {}, set(), (), ""
        self._wants_color = False
        dataset = self._store.dataset
        if dataset is not None and len(dataset):
            self._submit(quick(dataset, self.checks.values()), WARM_UP)
        self.changed.emit()

    def _submit(self, checks: Sequence[Check], priority: int) -> None:
        dataset, columns = self._store.dataset, self._store.columns
        if dataset is None or columns is None or not checks:
            return
        features = self._store.result("features") if any(c.name == "leakage" for c in checks) else None
        named = tuple((n.name, n.selection.mask) for n in self._store.session.named)
        self._key = digest("doctor", dataset.fingerprint, [c.to_dict() for c in checks], id(columns), id(features))
        self._running = tuple(c.name for c in checks)
        self._automatic = priority <= WARM_UP
        self._runner.submit(
            Job(
                key=self._key,
                slot=SLOT,
                title=self.tr("Data doctor"),
                compute=partial(_examine, dataset, columns, tuple(checks), features, named),
                done=partial(self._on_examined, tuple(checks), self._key),
                failed=self._on_failed,
                partial=partial(self._on_partial, tuple(checks), self._key),
                priority=priority,
            )
        )
        self.changed.emit()

    def _take(self, checks: tuple[Check, ...], found: Sequence[Findings]) -> None:
        for check, f in zip(checks, found, strict=False):
            self._found[check.name] = f
            if check == self.checks[check.name]:
                self._stale.discard(check.name)
        # in the order in which they are shown
        self._found = {name: self._found[name] for name in self.checks if name in self._found}

    def _on_partial(self, checks: tuple[Check, ...], key: str, found: tuple[Findings, ...]) -> None:
        if key == self._key:
            self._take(checks, found)
            self._running = tuple(c.name for c in checks[len(found) :])
            self.changed.emit()

    def _on_examined(self, checks: tuple[Check, ...], key: str, found: list[Findings]) -> None:
        if key != self._key:
            return
        self._take(checks, found)
        self._running, self._key = (), ""
        self.changed.emit()
        if COLUMN in (self._store.columns or {}):
            self._make_column()

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._running = ()
        self.changed.emit()
        self.status_changed.emit(self.tr("⚠ {}").format(error))

    def _on_runner_progressed(self, handle: JobHandle, _fraction: float, message: str, _eta: object) -> None:
        if handle.slot == SLOT:
            self.status_changed.emit(f"{message}…" if message else "")

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if handle.slot == SLOT and handle.key == self._key and state == "cancelled":
            self._running, self._key = (), ""
            self.changed.emit()
            self.status_changed.emit(self.tr("Cancelled."))

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._begin()
        elif "added" in names and self._store.dataset is not None:
            self._stale |= set(self._found)
            again = [c for c in quick(self._store.dataset, self.checks.values()) if c.name in self._found]
            self._submit(again, WARM_UP)

    # -- the column

    def _make_column(self) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        found = tuple(self._found.values())
        titles = {name: c.title for name, c in self.checks.items()}
        self._runner.submit(
            Job(
                key=f"{dataset.fingerprint} {[id(f) for f in found]}",
                slot=COLUMN_SLOT,
                title=self.tr("Column of findings"),
                compute=partial(_column, found, titles, len(dataset)),
                done=partial(self._on_column_made, dataset),
                failed=self._on_failed,
            )
        )

    def _on_column_made(self, dataset: Dataset, column: Property) -> None:
        if dataset is not self._store.dataset:
            return
        self._store.set_derived(COLUMN, column)
        if self._wants_color:
            self._wants_color = False
            coloring = replace(self._store.session.coloring, color_by=COLUMN, hidden="")
            self._store.update(self.tr("colour by findings"), coloring=coloring)

    # -- files

    def _submit_file(self, path: str, title: str, compute: Any, done: Any) -> None:
        self._runner.submit(
            Job(key=path, slot=FILE_SLOT, title=title, compute=compute, done=done, failed=self._on_failed)
        )

    def _on_saved(self, path: str, count: int, _result: None) -> None:
        self.status_changed.emit(self.tr("{} lists written to {}").format(count, path))

    def _on_loaded(self, dataset: Dataset, loaded: Loaded) -> None:
        if dataset is not self._store.dataset:
            return
        there = self._store.session.exclusions
        new = tuple(e for e in loaded.exclusions if e not in there)
        self._store.update(self.tr("read exclusions"), exclusions=(*there, *new))
        text = self.tr("{} lists read.").format(len(loaded.exclusions))
        if loaded.missing:
            text += self.tr(" {:,} of their structures are not in this set.").format(loaded.missing)
        self.status_changed.emit(text)


def _examine(
    dataset: Dataset,
    columns: Columns,
    checks: tuple[Check, ...],
    features: Any,
    named: tuple[tuple[str, NDArray[np.bool_]], ...],
    progress: Progress,
) -> list[Findings]:
    rows = features.per_structure() if isinstance(features, Features) else None
    return examine(dataset, columns, checks, progress, Extra(rows, named))


def _column(found: tuple[Findings, ...], titles: dict[str, str], n: int, progress: Progress) -> Property:
    column = worst_column(found, titles, n)
    _ = column.categories  # sorted here, not in the window
    return column


def _without(dataset: Dataset, out: NDArray[np.bool_], progress: Progress) -> Dataset:
    from qmlstudio.session.scripting import prepared

    rest = dataset.take(np.flatnonzero(~out))
    name = f"{dataset.name} without {int(out.sum()):,} excluded"
    # it is not what its file holds any more: a session has to carry it
    return prepared(replace(rest, name=name, source=replace(rest.source, path="")))


def _write(path: str, dataset: Dataset, lists: tuple[Exclusion, ...], _progress: Progress) -> None:
    exclusion_files.write(path, dataset, lists)


def _read(path: str, dataset: Dataset, _progress: Progress) -> Loaded:
    return exclusion_files.read(path, dataset)
