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
from qmlstudio.session.stages import Inputs, Stage, TooLargeError, quality_stage, stages

SLOT = "pipeline"
HEAD_START = 0.04
"""Seconds that the first stage waits in its thread: the panels draw a new data set while no import of a library holds
the interpreter (the worst stall of a start falls from 120 to 80 ms)."""
_INPUTS = frozenset({"dataset", "representation", "embedding", "maps", "landmarks"})


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
        self._judging = False
        self._failed: dict[str, str] = {}
        self._large: set[str] = set()
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
        for stage in self.plan():
            if stage.name == name:
                self._cache.put(stage.key, value)

    def known(self) -> dict[str, Any]:
        """Further maps and the qualities of all, as far as they are known: what a session file carries along."""
        names = [s.name for s in self.plan() if s.kind == "quality" or (s.kind == "map" and s.which)]
        return {name: self._store.result(name) for name in names if self._store.result_key(name)}

    def plan(self) -> list[Stage]:
        """All stages of the current session: those of the maps in their order, then what their maps are worth."""
        dataset, session = self._store.dataset, self._store.session
        if dataset is None:
            return []
        found: list[Stage] = []
        judged: list[Stage] = []
        for which in range(1 + len(session.maps)):
            part = stages(session, dataset, self.memory_budget, which)
            above = session.landmarks.above
            asked = (
                above is not None and len(dataset) > above and not session.map_spec(which).representation.kernel_only
            )
            if asked or not self._large.isdisjoint(s.key for s in part):
                part = stages(session, dataset, self.memory_budget, which, large=True)
            found += part
            judged.append(self._judgement(part))
        return found + judged

    def _wants_landmarks(self, which: int) -> bool:
        session, dataset = self._store.session, self._store.dataset
        above = session.landmarks.above
        if above is None or dataset is None or session.map_spec(which).representation.kernel_only:
            return False
        return len(dataset) > above

    def _judgement(self, part: list[Stage]) -> Stage:
        judgement = quality_stage(part)
        if len(part) == 1 or judgement.key in self._cache:
            return judgement
        neighbors, layout = part[1], part[2]
        return quality_stage(part, alone=layout.key in self._cache and neighbors.key not in self._cache)

    def advance(self, quiet: bool = False) -> None:
        """Publish what is known and start the first stage that is not; `quiet`: say nothing of former failures."""
        if self._store.dataset is None or not self.enabled:
            return
        plan = self.plan()
        values = {stage.name: self._cache.get(stage.key) for stage in plan}
        for stage in plan:
            if values[stage.name] is not None:
                self._publish(stage, values[stage.name])
            else:
                self._store.mark_stale(stage.name)
        by_name = {stage.name: stage for stage in plan}
        for goal in plan:
            # a map that is known (from a file, or from before) needs not what it was made of
            if goal.kind not in ("map", "quality"):
                continue
            missing = self._missing(goal, by_name, values)
            if missing is None:
                continue
            if missing.key in self._failed:
                if goal.kind == "map" and not quiet:
                    self._store.fail(missing.name, self._failed[missing.key], "")
                continue
            self._start(missing, {need: values[_named(need, missing.which)] for need in missing.needs})
            return
        self._stop()

    def _missing(self, goal: Stage, by_name: dict[str, Stage], values: dict[str, Any]) -> Stage | None:
        """The first stage that has to run for this one to be known; None when it is."""
        if values[goal.name] is not None:
            return None
        needed = (self._missing(by_name[_named(need, goal.which)], by_name, values) for need in goal.needs)
        return next((stage for stage in needed if stage is not None), goal)

    def pause(self) -> None:
        """Give up the stage under way; :meth:`advance` takes it up again."""
        self._stop()

    def retry(self) -> None:
        """Forget failures and try again (after the budget or the environment changed)."""
        self._failed.clear()
        self._large.clear()
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
        self._running, self._judging = stage.key, stage.kind == "quality"
        job = Job(
            key=stage.key,
            slot=SLOT,
            title=stage.title,
            compute=_Compute(stage, inputs, self._cache),
            done=partial(self._on_done, stage),
            failed=partial(self._on_failed, stage),
            partial=partial(self._on_partial, stage) if stage.kind == "map" else None,
            lane="batch",
            priority=10 if stage.kind != "quality" else 5,
        )
        self._runner.submit(job)

    def _on_done(self, stage: Stage, _value: Any) -> None:
        if stage.key == self._running:
            self._running = ""
            self.advance()

    def _on_partial(self, stage: Stage, value: Any) -> None:
        if stage.key == self._running:
            self._store.publish(stage.name, "", self._aligned(stage.name, value))

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        """A stage that somebody cancelled is no longer under way: the next change, or F5, starts it again."""
        if state == "cancelled" and handle.slot == SLOT and handle.key == self._running:
            self._running = ""
            if self._judging:
                # nobody misses the figures of merit: the map is there
                return
            self._store.fail("map", self.tr("Cancelled: compute again with F5, or change something."), "")

    def _on_failed(self, stage: Stage, error: BaseException, details: str) -> None:
        if stage.key == self._running:
            self._running = ""
        if isinstance(error, TooLargeError) and self._would_landmarks_do(stage):
            # too much for memory at once: landmarks make the map, and the rest is placed on it piece by piece
            self._large.add(stage.key)
            self.advance()
            return
        self._failed[stage.key] = f"{stage.title}: {error}"
        self._store.fail(stage.name, self._failed[stage.key], details)
        self.advance(quiet=True)

    def _would_landmarks_do(self, stage: Stage) -> bool:
        """Whether a map of landmarks gets round what was too large; not for the quality of a map that is known."""
        if stage.kind not in ("features", "neighbors"):
            return False
        known = any(s.name == _named("map", stage.which) and s.key in self._cache for s in self.plan())
        return not known and not self._store.session.map_spec(stage.which).representation.kernel_only

    def _publish(self, stage: Stage, value: Any) -> None:
        if self._store.result_key(stage.name) == stage.key:
            return
        if isinstance(value, Coordinates):
            value = self._aligned(stage.name, value)
        self._store.publish(stage.name, stage.key, value)

    def _aligned(self, name: str, new: Coordinates) -> Coordinates:
        """Turned to match the map on screen, so that eyes can follow; axes with a meaning are only mirrored."""
        old = self._store.result(name)
        if not isinstance(old, Coordinates) or old.points.shape != new.points.shape or len(new.points) < 3:
            return new
        if new.axes:
            if old.axes != new.axes:
                return new
            sign = np.where((old.points * new.points).sum(axis=0) < 0, -1.0, 1.0)
            return replace(new, points=new.points * sign)
        from qmlstudio.learning.alignment import procrustes

        return replace(new, points=procrustes(new.points, old.points))


def _named(kind: str, which: int) -> str:
    return f"{kind}:{which}" if which else kind


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
