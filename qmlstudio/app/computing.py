"""Reference properties of the data set on screen: the jobs that own the computing processes, and where results go."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobHandle, JobRunner, Lane
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import Problem
from qmlstudio.progress import Progress
from qmlstudio.quantum.batch import SILENCE_SECONDS, Calculation, Estimate, Outcome, compute, estimate
from qmlstudio.quantum.records import Records
from qmlstudio.quantum.results import columns, dataset_of, problems
from qmlstudio.session.scripting import prepared

log = logging.getLogger("qmlstudio.computing")
LANE: Lane = "process"
ESTIMATE_SLOT = "compute estimate"

_numbers = itertools.count()


class Computing(QObject):
    """Runs calculations one after another, beside everything else.

    Signals
    -------
    finished(text, problems)
        Columns were added, or a new data set was made: what for people, and the structures that failed.
    made(dataset)
        A task made structures.
    estimated(estimate)
    failed(message, details)
    """

    finished = Signal(str, object)
    made = Signal(object)
    estimated = Signal(object)
    failed = Signal(str, str)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner

    def start(
        self,
        calculation: Calculation,
        indices: Any,
        workers: int | None = None,
        silence: float = SILENCE_SECONDS,
        keep: bool = True,
    ) -> JobHandle | None:
        """Compute for some structures of the data set on screen; None without one.

        Parameters
        ----------
        indices : (m,) int, mask or slice
        keep : bool
            Results are taken from disk, and kept there.
        """
        dataset = self._store.dataset
        if dataset is None:
            return None
        self._runner.cancel(ESTIMATE_SLOT)
        work = partial(_work, dataset, indices, calculation, self._store.properties, workers, silence, keep)
        # a slot of its own: a second calculation waits, and does not supersede the first
        slot = f"compute {next(_numbers)}"
        return self._runner.submit(
            Job(
                key=slot,
                slot=slot,
                title=self.tr("Compute: {}").format(calculation.title),
                compute=work,
                done=partial(self._on_computed, dataset),
                failed=self._on_failed,
                lane=LANE,
            )
        )

    def estimate(self, calculation: Calculation, indices: Any, workers: int | None = None) -> None:
        """Time a few structures; :attr:`estimated` tells."""
        dataset = self._store.dataset
        if dataset is None:
            return
        work = partial(_estimate, dataset, indices, calculation, self._store.properties, workers)
        self._runner.submit(
            Job(
                key=f"estimate {next(_numbers)}",
                slot=ESTIMATE_SLOT,
                title=self.tr("Estimate: {}").format(calculation.title),
                compute=work,
                done=self.estimated.emit,
                failed=self._on_failed,
                lane=LANE,
                priority=10,
            )
        )

    def cancel_estimate(self) -> None:
        """Nobody waits for the estimate any more."""
        self._runner.cancel(ESTIMATE_SLOT)

    # -- results

    def _on_computed(self, dataset: Dataset, result: tuple[Outcome, Dataset | None]) -> None:
        outcome, made = result
        if made is not None:
            self.made.emit(made)
            self.finished.emit(self._said(outcome), made.problems)
            return
        # beside the window: many columns of many structures take a while to put together
        self._runner.submit(
            Job(
                key=f"columns {next(_numbers)}",
                slot=f"computed columns {dataset.fingerprint}",
                title=self.tr("Columns of {}").format(outcome.calculation.title),
                compute=partial(_columns, outcome, dataset, self._store.properties),
                done=partial(self._on_columns, dataset, outcome),
                failed=self._on_failed,
                lane="interactive",
            )
        )

    def _on_columns(
        self, dataset: Dataset, outcome: Outcome, made: tuple[dict[str, Property], tuple[Problem, ...]]
    ) -> None:
        found, wrong = made
        present = self._store.dataset
        if present is None or present.fingerprint != dataset.fingerprint:
            text = self.tr("{}: {} is not open any more. Its results are kept: computing again takes a moment.")
            self.finished.emit(text.format(outcome.calculation.title, dataset.name), wrong)
            return
        if found:
            self._store.add_columns(found, outcome.calculation.method.origin)
        self.finished.emit(self._said(outcome), wrong)

    def _said(self, outcome: Outcome) -> str:
        text = self.tr("{}: {:,} computed").format(outcome.calculation.title, outcome.computed)
        if outcome.kept:
            text += self.tr(", {:,} known from before").format(outcome.kept)
        if outcome.failures:
            text += self.tr(", {:,} failed").format(len(outcome.failures))
        return text

    def _on_failed(self, error: BaseException, details: str) -> None:
        self.failed.emit(str(error) or type(error).__name__, details)


def _work(
    dataset: Dataset,
    indices: Any,
    calculation: Calculation,
    properties: Mapping[str, Property],
    workers: int | None,
    silence: float,
    keep: bool,
    progress: Progress,
) -> tuple[Outcome, Dataset | None]:
    records = Records() if keep else None
    try:
        outcome = compute(
            dataset,
            indices,
            calculation,
            progress,
            properties=properties,
            workers=workers,
            silence=silence,
            records=records,
        )
    finally:
        if records is not None:
            records.close()
    if not calculation.task.makes_structures:
        return outcome, None
    return outcome, prepared(dataset_of(outcome, dataset))


def _columns(
    outcome: Outcome, dataset: Dataset, there: Mapping[str, Property], progress: Progress
) -> tuple[dict[str, Property], tuple[Problem, ...]]:
    progress.check()
    return columns(outcome, dataset, there), problems(outcome, dataset)


def _estimate(
    dataset: Dataset,
    indices: Any,
    calculation: Calculation,
    properties: Mapping[str, Property],
    workers: int | None,
    progress: Progress,
) -> Estimate:
    return estimate(dataset, indices, calculation, progress, properties=properties, workers=workers)
