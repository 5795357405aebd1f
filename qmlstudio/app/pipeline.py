"""From a changed session to published results: one stage per job, re-planned after each."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.progress import Progress
from qmlstudio.session.cache import Cache
from qmlstudio.session.stages import Inputs, Stage, stages

SLOT = "pipeline"
HEAD_START = 0.04
"""Seconds that the first stage waits in its thread: the panels draw a new data set while no import of a library holds
the interpreter (the worst stall of a start falls from 120 to 80 ms)."""
_INPUTS = frozenset({"dataset", "representation", "embedding"})


class Pipeline(QObject):
    """Keeps the store's results true to its session.

    A stage's result goes into the cache in the computing thread, so that a finished stage is never thrown away because
    a later one's parameter moved meanwhile.
    """

    def __init__(self, store: Store, runner: JobRunner, cache: Cache, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._cache = cache
        self._running = ""
        self._failed: set[str] = set()
        self.memory_budget: int | None = None
        self.enabled = True
        store.changed.connect(self._on_store_changed)
        runner.finished.connect(self._on_runner_finished)

    @property
    def is_computing(self) -> bool:
        """Whether a stage of the current session is under way."""
        return bool(self._running)

    def seed(self, name: str, value: Any) -> None:
        """Put a known result (from an opened session file) where the current session's stage would find it."""
        dataset = self._store.dataset
        if dataset is not None:
            for stage in stages(self._store.session, dataset):
                if stage.name == name:
                    self._cache.put(stage.key, value)

    def advance(self) -> None:
        """Publish what is known and start the first stage that is not."""
        dataset = self._store.dataset
        if dataset is None or not self.enabled:
            return
        inputs: dict[str, Any] = {}
        plan = stages(self._store.session, dataset, self.memory_budget)
        last = self._cache.get(plan[-1].key)
        if last is not None:
            # the map is known (from a file, or from before): what it was made of need not be made again for it
            self._stop()
            for stage in plan:
                value = self._cache.get(stage.key)
                if value is not None:
                    self._publish(stage, value)
            return
        for stage in plan:
            value = self._cache.get(stage.key)
            if value is None:
                self._start(stage, inputs)
                return
            inputs[stage.name] = value
            self._publish(stage, value)

    def pause(self) -> None:
        """Give up the stage under way; :meth:`advance` takes it up again."""
        self._stop()

    def retry(self) -> None:
        """Forget failures and try again (after the budget or the environment changed)."""
        self._failed.clear()
        self.advance()

    # -- inside

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & _INPUTS:
            self.advance()

    def _stop(self) -> None:
        if self._running:
            self._running = ""
            self._runner.cancel(SLOT)

    def _start(self, stage: Stage, inputs: dict[str, Any]) -> None:
        if stage.key == self._running:
            return
        if stage.key in self._failed:
            self._stop()
            self._store.fail(stage.name, self._store.error(stage.name) or self.tr("failed before"), "")
            return
        self._running = stage.key
        job = Job(
            key=stage.key,
            slot=SLOT,
            title=stage.title,
            compute=_Compute(stage, inputs, self._cache),
            done=partial(self._on_done, stage),
            failed=partial(self._on_failed, stage),
            partial=partial(self._on_partial, stage) if stage.name == "map" else None,
            lane="batch",
            priority=10,
        )
        self._runner.submit(job)

    def _on_done(self, stage: Stage, _value: Any) -> None:
        if stage.key == self._running:
            self._running = ""
            self.advance()

    def _on_partial(self, stage: Stage, value: Any) -> None:
        if stage.key == self._running:
            self._store.publish(stage.name, "", self._aligned(value))

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        """A stage that somebody cancelled is no longer under way: the next change, or F5, starts it again."""
        if state == "cancelled" and handle.slot == SLOT and handle.key == self._running:
            self._running = ""
            self._store.fail("map", self.tr("Cancelled: compute again with F5, or change something."), "")

    def _on_failed(self, stage: Stage, error: BaseException, details: str) -> None:
        if stage.key == self._running:
            self._running = ""
        self._failed.add(stage.key)
        self._store.fail(stage.name, f"{stage.title}: {error}", details)

    def _publish(self, stage: Stage, value: Any) -> None:
        if self._store.result_key(stage.name) == stage.key:
            return
        if isinstance(value, Coordinates):
            value = self._aligned(value)
        self._store.publish(stage.name, stage.key, value)

    def _aligned(self, new: Coordinates) -> Coordinates:
        """Turned to match the map on screen, so that eyes can follow; axes with a meaning are only mirrored."""
        old = self._store.result("map")
        if not isinstance(old, Coordinates) or old.points.shape != new.points.shape or len(new.points) < 3:
            return new
        if new.axes:
            if old.axes != new.axes:
                return new
            sign = np.where((old.points * new.points).sum(axis=0) < 0, -1.0, 1.0)
            return replace(new, points=new.points * sign)
        from qmlstudio.learning.alignment import procrustes

        return replace(new, points=procrustes(new.points, old.points))


class _Compute:
    """A stage bound to its inputs: all that the computing thread sees."""

    def __init__(self, stage: Stage, inputs: Inputs, cache: Cache) -> None:
        self._stage, self._inputs, self._cache = stage, inputs, cache

    def __call__(self, progress: Progress) -> Any:
        if not self._inputs:
            time.sleep(HEAD_START)
        value = self._stage.run(self._inputs, progress)
        self._cache.put(self._stage.key, value)
        return value
