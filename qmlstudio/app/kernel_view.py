"""Keeps a kernel matrix true to the features while somebody looks: its scale, its order, its tiles, its summary."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.columns import N_HEAVY, Columns
from qmlstudio.session.exclusions import excluded
from qmlstudio.session.kernel_picture import (
    Ground,
    Order,
    Summary,
    TileKey,
    column_order,
    plain_order,
    similar_order,
    suits,
    summarise,
    tile,
    usual_kernel,
)
from qmlstudio.session.stages import stages

GROUND, ORDER, TILES, SUMMARY = "kernel", "kernel order", "kernel tiles", "kernel summary"
FEATURES = "features for the kernel"
AS_IS, SIMILAR, COLUMN = "as is", "similar", "column"
CHUNK_SECONDS = 0.08
"""How long tiles are computed before those that are there are shown."""
NOT_ALIGNED = (N_HEAVY, "frame", "cluster")

Tiles = dict[TileKey, NDArray[np.float32]]


class KernelEngine(QObject):
    """Follows the features of the session's representation while somebody looks (:meth:`set_watched`).

    Signals
    -------
    ground_changed()
        :attr:`ground` and :attr:`kernel` are others, or gone.
    order_changed()
        :attr:`order` is another: tiles of the former one mean nothing.
    tiles_ready(tiles)
        A dict of tile key to (≤ 128, ≤ 128) float32.
    summary_changed()
    status_changed(text)
        What is missing or under way; empty when nothing is.
    """

    ground_changed = Signal()
    order_changed = Signal()
    tiles_ready = Signal(object)
    summary_changed = Signal()
    status_changed = Signal(str)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._watched = False
        self._kernel: Kernel | None = None
        self._ground_key = self._order_key = ""
        self._failed_key = ""
        self._by, self._column = AS_IS, ""
        self._status = ""
        self._ordering: Property | None = None
        self.memory_budget: int | None = None
        self.is_computing = False
        self.ground: Ground | None = None
        self.order: Order | None = None
        self.summary: Summary | None = None
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        runner.finished.connect(self._on_runner_finished)

    # -- what there is

    @property
    def kernel(self) -> Kernel:
        """The chosen kernel, or the usual one of the representation while none is chosen or the chosen does not suit.

        Automatic scales are open: those that were found are in :attr:`ground`.
        """
        representation = self._store.session.representation
        if self._kernel is None or not suits(self._kernel, representation):
            return usual_kernel(representation)
        return self._kernel

    @property
    def ordered_by(self) -> tuple[str, str]:
        """(one of AS_IS, SIMILAR and COLUMN, name of the column)."""
        return self._by, self._column

    @property
    def status(self) -> str:
        """What is missing, for people; empty when nothing is."""
        return self._status

    @property
    def features(self) -> Features | None:
        """Those of the session's representation; None when they are not in memory."""
        found, dataset = self._store.result("features"), self._store.dataset
        if not isinstance(found, Features) or dataset is None:
            return None
        n = len(found.array) if found.offsets is None else len(found.offsets) - 1
        return found if found.representation == self._store.session.representation and n == len(dataset) else None

    @property
    def can_compute(self) -> bool:
        """Whether :meth:`compute_features` would give features that are missing."""
        dataset = self._store.dataset
        return dataset is not None and len(dataset) > 0 and self.features is None and not self.is_computing

    # -- what a person asks for

    def set_watched(self, watched: bool) -> None:
        """Whether anybody looks."""
        self._watched = watched
        if watched:
            self.update()
        else:
            for slot in (GROUND, ORDER, TILES, SUMMARY):
                self._runner.cancel(slot)

    def set_kernel(self, kernel: Kernel) -> None:
        """Compare by another kernel."""
        self._kernel = kernel
        self._failed_key = ""
        self.update()

    def set_order(self, by: str, column: str = "") -> None:
        """Order the structures: AS_IS, SIMILAR, or by a COLUMN."""
        self._by, self._column = by, column if by == COLUMN else ""
        self.update()

    def compute_features(self) -> None:
        """Compute the features that are missing, without a map."""
        dataset = self._store.dataset
        if not self.can_compute or dataset is None:
            return
        stage = stages(self._store.session, dataset, self.memory_budget)[0]
        self.is_computing = True
        self._runner.submit(
            Job(
                key=stage.key,
                slot=FEATURES,
                title=stage.title,
                compute=partial(stage.run, {}),
                done=partial(self._on_features, stage.key),
                failed=self._on_features_failed,
                priority=8,
            )
        )
        self.update()

    def request(self, keys: Sequence[TileKey]) -> None:
        """Compute these tiles, the first ones first; what was asked for before and is not begun is forgotten."""
        ground, order = self.ground, self.order
        if ground is None or order is None or not keys or not self._watched:
            self._runner.cancel(TILES)
            return
        token = self._order_key
        self._runner.submit(
            Job(
                key=digest(TILES, token, list(keys)),
                slot=TILES,
                title=self.tr("Kernel matrix"),
                compute=partial(_tiles, ground, order, tuple(keys)),
                done=partial(self._on_tiles, token),
                failed=self._on_failed,
                lane="batch" if ground.rows.is_local else "interactive",
                priority=-6,
                conflate=True,
            )
        )

    # -- following

    def update(self) -> None:
        """Compute what is not true to the session any more, unless nobody looks."""
        dataset, columns = self._store.dataset, self._store.columns
        if not self._watched:
            return
        features = self.features
        if dataset is None or columns is None or features is None:
            self._forget()
            if self.is_computing:
                self._set_status(self.tr("Computing the features…"))
            else:
                text = self.tr("The features of {} are not in memory.")
                title = self._store.session.representation.title
                self._set_status("" if dataset is None else text.format(title))
            return
        session = self._store.session
        kernel = self.kernel
        mask = excluded(session.exclusions, len(dataset))
        left = "" if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
        key = digest(GROUND, dataset.fingerprint, id(features.array), kernel.to_dict(), left)
        if key == self._failed_key:
            return
        if key != self._ground_key:
            self._forget()
            self._ground_key = key
            self._set_status(self.tr("Preparing the kernel…"))
            self._submit(GROUND, key, partial(_ground, features, dataset, kernel, mask), self._on_ground, 3)
            return
        if self.ground is not None:
            self._update_order(self.ground, columns)
            self._update_summary(self.ground, columns)

    def _update_order(self, ground: Ground, columns: Columns) -> None:
        by, name = self._by, self._column
        column = columns[name] if by == COLUMN and name in columns else None
        self._ordering = column  # kept, so that no other column can have its id
        key = digest(ORDER, self._ground_key, by if column is not None or by != COLUMN else AS_IS, name, id(column))
        if key == self._order_key:
            return
        self._order_key = key
        self._runner.cancel(TILES)
        if by == SIMILAR:
            compute: Any = partial(similar_order, ground)
        elif column is not None:
            compute = partial(_column_order, ground, name, column, self.tr("missing"))
        else:
            self._runner.cancel(ORDER)
            self._on_order(key, plain_order(ground))
            return
        if self.order is not None:
            self._set_status(self.tr("Ordering…"))
        self._submit(ORDER, key, compute, self._on_order, 2)

    def _update_summary(self, ground: Ground, columns: Columns) -> None:
        if self.summary is not None:
            return
        chosen = {n: columns[n] for n in columns.numeric(composition=False) if n not in NOT_ALIGNED}
        key = digest(SUMMARY, self._ground_key, {n: id(p) for n, p in chosen.items()})
        self._submit(SUMMARY, key, partial(_summary, ground, chosen), self._on_summary, -2)

    def _submit(self, slot: str, key: str, compute: Any, done: Any, priority: int) -> None:
        titles = {
            GROUND: self.tr("Scale of the kernel"),
            ORDER: self.tr("Order of the kernel matrix"),
            SUMMARY: self.tr("Spectrum of the kernel"),
        }
        self._runner.submit(
            Job(
                key=key,
                slot=slot,
                title=titles[slot],
                compute=compute,
                done=partial(done, key),
                failed=self._on_failed,
                lane="batch",
                priority=priority,
            )
        )

    def _forget(self) -> None:
        had = self.ground is not None
        self._ground_key = self._order_key = ""
        for slot in (GROUND, ORDER, TILES, SUMMARY):
            self._runner.cancel(slot)
        self.ground, self.order, self.summary = None, None, None
        if had:
            self.ground_changed.emit()
            self.order_changed.emit()
            self.summary_changed.emit()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"dataset", "representation"}:
            self._runner.cancel(FEATURES)
            self.is_computing, self._failed_key = False, ""
            if self.ground is not None:
                self._forget()
        if names & {"dataset", "representation", "exclusions"}:
            self.update()

    def _on_store_results_changed(self, name: str) -> None:
        if name == "features":
            self.update()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        if self._by == COLUMN and self._column in names:
            self.update()

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        """Somebody cancelled it in the list of jobs."""
        if not self._watched:
            if state == "cancelled" and handle.slot == GROUND and self.ground is None:
                self._ground_key = ""
            if state == "cancelled" and handle.slot == ORDER:
                self._order_key = ""
            return
        if state != "cancelled" or any(h.slot == handle.slot and not h.is_finished for h in self._runner.jobs()):
            return
        if handle.slot == FEATURES and self.is_computing:
            self.is_computing = False
            self.update()
        elif handle.slot == GROUND and handle.key == self._ground_key and self.ground is None:
            self._failed_key, self._ground_key = self._ground_key, ""
            self._set_status(self.tr("⚠ Cancelled."))
        elif handle.slot == ORDER and handle.key == self._order_key:
            self._order_key = ""
            self._set_status(self.tr("⚠ Cancelled."))

    # -- results

    def _on_features(self, key: str, features: Features) -> None:
        self.is_computing = False
        self._store.publish("features", key, features)
        self.update()

    def _on_features_failed(self, error: BaseException, _details: str) -> None:
        self.is_computing = False
        self._set_status(self.tr("⚠ {}").format(error))

    def _on_ground(self, key: str, ground: Ground) -> None:
        if key != self._ground_key:
            return
        self.ground = ground
        self._set_status("")
        self.ground_changed.emit()
        self.update()

    def _on_order(self, key: str, order: Order) -> None:
        if key == self._order_key:
            self.order = order
            self._set_status("")
            self.order_changed.emit()

    def _on_tiles(self, token: str, tiles: Tiles) -> None:
        if token == self._order_key:
            self.tiles_ready.emit(tiles)

    def _on_summary(self, key: str, summary: Summary) -> None:
        if self.ground is not None:
            self.summary = summary
            self.summary_changed.emit()

    def _on_failed(self, error: BaseException, _details: str) -> None:
        if self.ground is None:
            self._failed_key, self._ground_key = self._ground_key, ""
        self._set_status(self.tr("⚠ {}").format(error))

    def _set_status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self.status_changed.emit(text)


def _ground(features: Features, dataset: Dataset, kernel: Kernel, left: Any, progress: Progress) -> Ground:
    return Ground.of(features, dataset, kernel, left, progress)


def _column_order(ground: Ground, name: str, column: Property, missing: str, progress: Progress) -> Order:
    progress(0.0)
    return column_order(ground, name, column, missing)


def _summary(ground: Ground, columns: dict[str, Property], progress: Progress) -> Summary:
    return summarise(ground, columns, progress)


def _tiles(ground: Ground, order: Order, keys: Sequence[TileKey], progress: Progress) -> Tiles:
    """As many of the tiles as can be had in a moment, one at least."""
    found: Tiles = {}
    began = time.perf_counter()
    for key in keys:
        found[key] = tile(ground, order, key, progress)
        if time.perf_counter() - began > CHUNK_SECONDS:
            break
    return found
