"""The enumeration of molecules beside the window: its processes, what it has found, and what becomes of that."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobHandle, JobRunner, Lane
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.enumeration import output, processes
from qmlstudio.chem.enumeration.finds import Finds
from qmlstudio.chem.enumeration.stages import Counts, Enumeration, Sample, sample
from qmlstudio.learning._process import in_process
from qmlstudio.progress import Progress

LANE: Lane = "process"
SLOT, SAMPLE, USE = "enumerate", "enumerate sample", "enumerated molecules"
SHOWN = 200
"""Molecules that are sent along to be looked at."""
NEWS_SECONDS = 0.2

_numbers = itertools.count()


@dataclass(frozen=True, eq=False)
class Snapshot:
    """How far an enumeration is.

    Attributes
    ----------
    totals : dict of str to int
        Count of each stage, of all sizes.
    found : int
    examples : tuple of str
        The first molecules.
    """

    totals: dict[str, int]
    found: int
    examples: tuple[str, ...]


class Enumerating(QObject):
    """Runs one enumeration at a time and keeps what it found until the next one, also when it was stopped.

    Signals
    -------
    news(snapshot)
    ended(state)
        "done" or "cancelled".
    sampled(sample)
    made(dataset)
    saved(path)
    failed(message, details)
    """

    news = Signal(object)
    ended = Signal(str)
    sampled = Signal(object)
    made = Signal(object)
    saved = Signal(str)
    failed = Signal(str, str)

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._handle: JobHandle | None = None
        self.finds: Finds | None = None
        self.workers: int | None = None
        runner.finished.connect(self._on_runner_finished)

    @property
    def is_running(self) -> bool:
        """Whether an enumeration is under way."""
        return self._handle is not None and not self._handle.is_finished

    def start(self, spec: Enumeration) -> JobHandle:
        """Enumerate; what was found before is forgotten."""
        self._runner.cancel(SAMPLE)
        self.discard()
        finds = self.finds = Finds(spec)
        self._handle = self._runner.submit(
            Job(
                key=f"enumerate {next(_numbers)}",
                slot=SLOT,
                title=self.tr("Enumerate {}").format(output.title(spec)),
                compute=partial(_enumerate, spec, finds, self.workers),
                done=self.news.emit,
                failed=self._on_failed,
                partial=self.news.emit,
                lane=LANE,
            )
        )
        return self._handle

    def stop(self) -> None:
        """End it; what was found stays."""
        self._runner.cancel(SLOT)
        self._runner.cancel(SAMPLE)

    def sample(self, spec: Enumeration, number: int = SHOWN) -> None:
        """Some molecules of the largest size and an estimate; :attr:`sampled` tells."""
        self._submit(
            SAMPLE,
            self.tr("Some of {}").format(output.title(spec)),
            partial(_sample, spec, number),
            self.sampled.emit,
            LANE,
        )

    def make_dataset(self) -> None:
        """Make a data set of what was found; :attr:`made` tells."""
        if self.finds is not None:
            title = self.tr("Open {}").format(output.title(self.finds.spec))
            self._submit(USE, title, partial(_dataset, self.finds), self.made.emit, "batch")

    def save(self, path: str) -> None:
        """Write the SMILES of what was found; :attr:`saved` tells."""
        if self.finds is not None:
            title = self.tr("Save {}").format(path)
            self._submit(USE, title, partial(_save, self.finds, path), self.saved.emit, "interactive")

    def discard(self) -> None:
        """Forget what was found; an enumeration under way is stopped first."""
        if self.finds is not None and not self.is_running:
            self.finds.discard()
            self.finds = None

    def _submit(
        self, slot: str, title: str, work: Callable[[Progress], object], done: Callable[..., None], lane: Lane
    ) -> None:
        self._runner.submit(
            Job(
                key=f"{slot} {next(_numbers)}",
                slot=slot,
                title=title,
                compute=work,
                done=done,
                failed=self._on_failed,
                lane=lane,
            )
        )

    def _on_failed(self, error: BaseException, details: str) -> None:
        self.failed.emit(str(error) or type(error).__name__, details)

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if handle is self._handle and state in ("done", "cancelled"):
            self.ended.emit(state)


def _enumerate(spec: Enumeration, finds: Finds, workers: int | None, progress: Progress) -> Snapshot:
    counts, last = Counts(), 0.0
    try:
        for batch in processes.run(spec, counts, progress, workers):
            finds.add(batch)
            if time.monotonic() - last > NEWS_SECONDS:
                progress.partial(_snapshot(counts, finds))
                last = time.monotonic()
    finally:
        finds.close()
    return _snapshot(counts, finds)


def _snapshot(counts: Counts, finds: Finds) -> Snapshot:
    totals: dict[str, int] = {}
    for (_, stage), number in counts.counts.items():
        totals[stage] = totals.get(stage, 0) + number
    return Snapshot(totals, finds.count, tuple(m.smiles for m in finds.molecules[:SHOWN]))


def _sample(spec: Enumeration, number: int, progress: Progress) -> Sample:
    progress(0.0, "Looking at some graphs")
    return in_process(sample, (spec, number), progress)


def _dataset(finds: Finds, progress: Progress) -> Dataset:
    from qmlstudio.session.scripting import prepared

    finds.wait(progress)
    return prepared(output.dataset(finds.molecules, finds.spec, progress))


def _save(finds: Finds, path: str, progress: Progress) -> str:
    progress(0.0, "Writing SMILES")
    finds.wait(progress)
    finds.save(path)
    return path
