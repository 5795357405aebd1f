"""The bench of the window: its set-up, its run in a job, and the errors of the point that is looked at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.bench_jobs import BenchNews, Draft, Place, advise_on, duration, estimate_of, run_bench
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.preferences import state_folder
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.grid import SearchResult
from qmlstudio.learning.evaluation.splits import Proposal
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.parameters import digest
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench.spec import BenchSpec
from qmlstudio.session.bench_errors import WORST, ErrorBars, TestErrors, break_down, by_distance, find
from qmlstudio.session.exclusions import excluded

SLOT, ESTIMATE, ERRORS, PROPOSAL = "bench", "bench estimate", "bench errors", "bench proposal"
DRAW_SECONDS = 0.2
"""Least time between two drawings of a running bench."""
State = Literal["idle", "running", "paused", "done", "failed"]


def bench_folder() -> Path:
    """Where points, searches and features of all benches are kept by content."""
    return state_folder() / "bench"


class BenchEngine(QObject):
    """Sets up a bench, runs it in the batch lane, and looks into its points. Views ask it and follow its signals.

    Signals
    -------
    draft_changed()
        Another set-up, or another reason why it cannot be run.
    estimate_changed()
        :attr:`estimate` is another one, or :attr:`estimate_problem`.
    state_changed()
        :attr:`state`, :attr:`status` or :attr:`fraction`.
    result_changed()
        Points came, or another bench is shown.
    search_changed()
        Scores of a search came.
    errors_changed()
        Another point is looked into, or more is known of its errors.
    advice_changed()
        :attr:`advice` on a property, or :attr:`proposal` for the split.
    failed(text, details)
    """

    advice_changed = Signal()
    draft_changed = Signal()
    estimate_changed = Signal()
    state_changed = Signal()
    result_changed = Signal()
    search_changed = Signal()
    errors_changed = Signal()
    failed = Signal(str, str)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self.folder: Path | None = None
        self.memory_budget: int | None = None
        self._draft = Draft()
        self._problem = ""
        self.estimate: Any = None
        self.estimate_problem = ""
        self._estimated = ""
        self.advice = ""
        self.proposal: Proposal | None = None
        self._advised: tuple[str, Task] | None = None
        self.state: State = "idle"
        self.status, self.fraction, self.eta = "", 0.0, -1.0
        self.result: BenchResult | None = None
        self.searches: dict[Place, SearchResult] = {}
        self.errors: TestErrors | None = None
        self._chosen: tuple[str, int, int, str] | None = None
        self._distances: dict[Place, tuple[NDArray[np.int64], NDArray[np.float64], float | None]] = {}
        self._running = ""
        self._drawn_at = 0.0
        self._untold_result = self._untold_search = False
        self.set_draft(self._draft)
        store.changed.connect(self._on_store_changed)
        runner.progressed.connect(self._on_runner_progressed)
        runner.finished.connect(self._on_runner_finished)

    # -- the set-up

    @property
    def draft(self) -> Draft:
        """What is set up."""
        return self._draft

    @property
    def problem(self) -> str:
        """Why it cannot be run; empty when it can."""
        return self._problem

    def set_draft(self, draft: Draft) -> None:
        """Set up another bench."""
        self._draft = draft
        try:
            draft.spec()
            self._problem = "" if self._store.dataset is not None else self.tr("open a data set first")
        except ValueError as error:
            self._problem = str(error)
        self.draft_changed.emit()
        self._estimate()

    def change(self, **values: Any) -> None:
        """Change parts of the set-up."""
        self.set_draft(replace(self._draft, **values))

    def spec(self) -> BenchSpec | None:
        """The bench that is set up; None when it cannot be run."""
        return None if self._problem else self._draft.spec()

    def advise(self, task: Task) -> None:
        """Look whether a property grows with the structures, and which split suits the set."""
        dataset, columns = self._store.dataset, self._store.columns
        if dataset is None or columns is None or task.target not in columns:
            return
        key = (dataset.fingerprint, task)
        if key == self._advised:
            return
        self._advised = key
        self.advice, self.proposal = "", None
        self.advice_changed.emit()
        names = {name for name in (*task.targets, *task.baselines) if name}
        if not names <= set(columns):
            return
        names |= {"smiles"} & set(columns)
        self._runner.submit(
            Job(
                key=digest(PROPOSAL, dataset.fingerprint, task.to_dict()),
                slot=PROPOSAL,
                title=self.tr("How {} is best learned").format(task.target),
                compute=partial(advise_on, task, dataset, {name: columns[name] for name in names}),
                done=partial(self._on_advised, key),
                failed=partial(self._on_advise_failed, key),
                lane="batch",  # bonds of thousands of molecules are sought
                priority=-15,
            )
        )

    def _on_advised(self, key: Any, found: tuple[str, Proposal | None]) -> None:
        if key == self._advised:
            self.advice, self.proposal = found
            self.advice_changed.emit()

    def _on_advise_failed(self, key: Any, error: BaseException, _details: str) -> None:
        if key == self._advised:
            self.advice = f"⚠ {error}"
            self.advice_changed.emit()

    # -- the run

    @property
    def is_running(self) -> bool:
        """Whether a job is under way or waits."""
        return self.state == "running"

    def start(self) -> bool:
        """Run what is set up, or go on with it: what is on the disk already is not computed again.

        Returns whether it is under way now.
        """
        spec, dataset = self.spec(), self._store.dataset
        if spec is None or dataset is None or self.is_running:
            return self.is_running
        if self.result is None or self._key(self.result.spec, dataset) != self._key(spec, dataset):
            self.searches = {}
            self._distances = {}
            self._show_errors(None)
            self._chosen = None
            self.result = None
            self.result_changed.emit()
            self.search_changed.emit()
        self._running = self._key(spec, dataset)
        self._set_state("running", self.tr("starting…"), 0.0)
        n = len(dataset)
        self._runner.submit(
            Job(
                key=f"{SLOT} {self._running} {time.monotonic()}",
                slot=SLOT,
                title=self.tr("Learning curves"),
                compute=partial(
                    run_bench,
                    spec,
                    dataset,
                    dict(self.columns_for(spec)),
                    self.folder or bench_folder(),
                    excluded(self._store.session.exclusions, n),
                    self.memory_budget,
                ),
                done=partial(self._on_done, self._running),
                failed=partial(self._on_failed, self._running),
                partial=partial(self._on_partial, self._running),
                lane="batch",
                priority=-10,
            )
        )
        return True

    def pause(self) -> None:
        """Stop for now: :meth:`start` goes on where it was."""
        if self.is_running:
            self._runner.cancel(SLOT)
            self._set_state("paused", self.tr("paused: finished points are kept"), self.fraction)

    def cancel(self) -> None:
        """Stop. What was finished stays on screen and on the disk."""
        if self.state in ("running", "paused"):
            self._runner.cancel(SLOT)
            self._set_state("idle", self.tr("stopped"), 0.0)

    def clear(self) -> None:
        """Show no result."""
        self.cancel()
        self.result, self.searches, self._distances = None, {}, {}
        self._set_state("idle", "", 0.0)
        self._chosen = None
        self._show_errors(None)
        self.result_changed.emit()
        self.search_changed.emit()

    # -- a point

    def repeats_of(self, label: str, size: int) -> tuple[int, ...]:
        """Repeats that are there of a point."""
        return () if self.result is None else tuple(p.repeat for p in self.result.of(label, size))

    def look_into(self, label: str, size: int, target: str = "", repeat: int | None = None) -> None:
        """Show the errors of one fit; of the first repeat that is there when none is named."""
        result, dataset = self.result, self._store.dataset
        if result is None or dataset is None:
            return
        points = [p for p in result.of(label, size) if repeat in (None, p.repeat)]
        if not points:
            return
        target = target if target in points[0].targets else points[0].targets[0]
        self._chosen = (label, size, points[0].repeat, target)
        found = find(result, label, size, points[0].repeat, target)
        if found is None or len(found.test) == 0:
            return
        self._show_errors(self._with_distance(found))
        self._runner.submit(
            Job(
                key=digest(ERRORS, dataset.fingerprint, label, size, points[0].key, target),
                slot=ERRORS,
                title=self.tr("Errors of {}").format(found.name),
                compute=partial(break_down, found, dataset),
                done=partial(self._on_broken_down, found),
                failed=self._on_errors_failed,
                lane="interactive",
                priority=2,
            )
        )

    @property
    def chosen(self) -> tuple[str, int, int, str] | None:
        """Series, size, repeat and target that are looked into."""
        return self._chosen

    def set_distances(
        self, place: Place, test: NDArray[np.int64], distance: NDArray[np.float64], domain: float | None
    ) -> None:
        """Somebody has fitted this point's model again, and knows how far its test structures are."""
        self._distances[place] = (test, distance, domain)
        if self.errors is not None and (self.errors.label, self.errors.size, self.errors.repeat) == place:
            self._show_errors(self._with_distance(self.errors))

    def select(self, places: NDArray[np.int64], what: str, operation: str = "replace") -> None:
        """Select test structures, by their places among them; the first becomes the active one."""
        errors, dataset = self.errors, self._store.dataset
        if errors is None or dataset is None or not len(places):
            return
        mask = errors.mask(places, len(dataset))
        self._store.select(mask, operation, f"{what} of {errors.name}")
        if operation == "replace":
            self._store.set_active(int(errors.test[places[0]]))

    def select_worst(self, count: int = WORST) -> None:
        """Select the structures with the largest errors."""
        if self.errors is not None:
            places = self.errors.order()[:count]
            self.select(places, self.tr("worst {}").format(len(places)))

    def color_by_error(self) -> None:
        """Make the errors a column, and colour by it."""
        errors, dataset = self.errors, self._store.dataset
        if errors is None or dataset is None:
            return
        name = self.tr("error of {}").format(errors.name)
        self._store.set_derived(name, errors.column(len(dataset)))
        coloring = replace(
            self._store.session.coloring, color_by=name, hidden="", palette="vik", range_mode="symmetric"
        )
        self._store.update(self.tr("colour by error"), coloring=coloring)

    # -- inside

    def _key(self, spec: BenchSpec, dataset: Dataset) -> str:
        return digest(spec.to_dict(), dataset.fingerprint)

    def columns_for(self, spec: BenchSpec) -> Mapping[str, Property]:
        """The columns that a bench looks at; those of the session among them, which may change while it runs."""
        columns = self._store.columns
        if columns is None:
            return {}
        wanted = {name for s in spec.series for name in (*s.task.targets, *s.task.baselines) if name}
        wanted |= {str(v) for v in spec.split.to_dict().values() if isinstance(v, str)}
        wanted |= {"n_heavy", "n_atoms", "smiles"}
        return {name: columns[name] for name in wanted if name in columns}

    def _estimate(self) -> None:
        spec, dataset = self.spec(), self._store.dataset
        if spec is None or dataset is None:
            self._runner.cancel(ESTIMATE)
            self._estimated = ""
            self.estimate, self.estimate_problem = None, ""
            self.estimate_changed.emit()
            return
        key = self._key(spec, dataset)
        if key == self._estimated:
            return
        self._estimated = key
        self.estimate, self.estimate_problem = None, ""
        self.estimate_changed.emit()
        self._runner.submit(
            Job(
                key=f"{ESTIMATE} {key}",
                slot=ESTIMATE,
                title=self.tr("Time and memory of the bench"),
                compute=partial(estimate_of, spec, dataset, self.memory_budget),
                done=partial(self._on_estimated, key),
                failed=partial(self._on_estimate_failed, key),
                lane="batch",  # probes time what the bench will do, with all threads
                priority=-20,
            )
        )

    def _on_estimated(self, key: str, found: Any) -> None:
        if key == self._estimated:
            self.estimate = found
            self.estimate_changed.emit()

    def _on_estimate_failed(self, key: str, error: BaseException, _details: str) -> None:
        if key == self._estimated:
            self.estimate_problem = str(error)
            self.estimate_changed.emit()

    def _on_partial(self, key: str, news: BenchNews) -> None:
        if key != self._running:
            return
        self._take(news)
        now = time.monotonic()
        if now - self._drawn_at >= DRAW_SECONDS:
            self._drawn_at = now
            self._tell()

    def _take(self, news: BenchNews) -> None:
        more = self.result is None or len(news.result.points) != len(self.result.points)
        self._untold_result = self._untold_result or more
        if more:
            self.result = news.result
        if news.searches:
            # those of a run that was paused stay
            self.searches = {k: v for k, v in self.searches.items() if k not in news.searches} | news.searches
            self._untold_search = True

    def _tell(self) -> None:
        if self._untold_result:
            self._untold_result = False
            self.result_changed.emit()
        if self._untold_search:
            self._untold_search = False
            self.search_changed.emit()

    def _on_done(self, key: str, news: BenchNews) -> None:
        if key != self._running:
            return
        self._take(news)
        result = self.result = news.result
        if result.problems:
            self._set_state("failed" if not result.points else "done", f"⚠ {result.problems[0]}", 1.0)
        else:
            self._set_state("done", self.tr("done in {}").format(duration(result.seconds)), 1.0)
        self._untold_result = self._untold_search = True
        self._tell()

    def _on_failed(self, key: str, error: BaseException, details: str) -> None:
        if key == self._running:
            self._set_state("failed", f"⚠ {error}", 0.0)
            self.failed.emit(str(error), details)

    def _on_runner_progressed(self, handle: Any, fraction: float, message: str, eta: float | None) -> None:
        if handle.slot == SLOT and self.is_running:
            self.eta = -1.0 if eta is None else eta
            self._set_state("running", message or self.tr("running…"), fraction)

    def _on_runner_finished(self, handle: Any, state: str) -> None:
        # cancelled from the jobs panel or by Ctrl+.
        if handle.slot == SLOT and state == "cancelled" and self.is_running:
            self._set_state("paused", self.tr("paused: finished points are kept"), self.fraction)
        # what came within the last pause of drawing
        if handle.slot == SLOT and state == "cancelled":
            self._tell()

    def _set_state(self, state: State, status: str, fraction: float) -> None:
        if state != "running":
            self.eta = -1.0
        self.state, self.status, self.fraction = state, status, fraction
        self.state_changed.emit()

    def _show_errors(self, errors: TestErrors | None) -> None:
        self.errors = errors
        self.errors_changed.emit()

    def _with_distance(self, errors: TestErrors) -> TestErrors:
        known = self._distances.get((errors.label, errors.size, errors.repeat))
        if known is None or not np.array_equal(known[0], errors.test):
            return errors
        bars: dict[str, ErrorBars] = {**errors.bars, "distance": by_distance(errors, known[1], known[2])}
        return replace(errors, bars=bars)

    def _on_broken_down(self, of: TestErrors, bars: dict[str, ErrorBars]) -> None:
        now = self.errors
        if now is not None and now.is_of(of):
            self._show_errors(replace(now, bars={**now.bars, **bars}))

    def _on_errors_failed(self, error: BaseException, details: str) -> None:
        self.failed.emit(str(error), details)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.clear()
            self.set_draft(self._draft)
