"""Computations beside the window: a thread for each lane, progress, cancellation, latest wins.

Everything here belongs to the main thread; what runs in the others is in :mod:`qmlstudio.app.worker`.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, QTimer, Signal, Slot

from qmlstudio.app.worker import NOTHING, Task, Worker
from qmlstudio.progress import Progress

log = logging.getLogger("qmlstudio.jobs")

Lane = Literal["batch", "interactive", "process", "network"]
State = Literal["queued", "running", "done", "cancelled", "failed"]

LANES: tuple[Lane, ...] = ("batch", "interactive", "process", "network")
STACK_BYTES = 16 * 2**20
"""Stack of a worker's thread: LLVM compiles deep expressions recursively, and the default of some systems is 512 kB."""
SWITCH_SECONDS = 0.001
"""Longest wait of the window for a worker that runs Python code; the interpreter's default of 5 ms adds up."""
NEWS_SECONDS = 0.05
"""Least time between two deliveries of progress and partial results: at most 20 a second."""
WARM_UP = -100
"""Priority of what nobody waits for."""
KEPT = 200
"""How many finished jobs :meth:`JobRunner.jobs` remembers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """A computation and who waits for it.

    Attributes
    ----------
    key : str
        What it computes: equal keys mean equal work.
    slot : str
        What it is for ("map", "descriptor"): a new job supersedes the unfinished ones of its slot. If the unfinished
        one has the same key it is the same work: it goes on, and delivers to the new job's callbacks.
    title : str
        For people.
    compute : callable (Progress) -> result
        Runs in the worker's thread and sees only its arguments.
    done : callable (result), optional
    failed : callable (exception, traceback as text), optional
    partial : callable (value), optional
        Receives intermediate results, the latest only, at most 20 a second. Like `done` and `failed` it is called in
        the main thread, and never once the job was cancelled or superseded.
    lane : "batch", "interactive", "process" or "network"
        Data-set wide work (may enter numba's parallel runtime); the active structure only (serial loops); waiting
        for processes of its own, or for a download, which may take hours while the others work.
    priority : int
        Higher runs first; equal ones in the order of submission. Nobody waits for :data:`WARM_UP` and below: such a
        job makes way when another comes, and starts again from its beginning once the lane is free.
    conflate : bool
        Let a running job of the slot finish and deliver, and replace only a waiting one. For input that comes faster
        than results, such as a dragged atom: cancelling each time would never show anything.
    """

    key: str
    slot: str
    title: str
    compute: Callable[[Progress], Any]
    done: Callable[[Any], None] | None = None
    failed: Callable[[BaseException, str], None] | None = None
    partial: Callable[[Any], None] | None = None
    lane: Lane = "batch"
    priority: int = 0
    conflate: bool = False


class JobHandle:
    """What is known of a submitted job. Lives in the main thread; keeps neither result nor callbacks once it has ended.

    Attributes
    ----------
    key, slot, title, lane, priority
        The job's.
    state : "queued", "running", "done", "cancelled" or "failed"
    fraction : float
        Done so far, in [0, 1].
    message : str
        What it is doing.
    eta : float or None, seconds
        Estimated time left; None while unknown.
    submitted, started, ended : float or None
        Wall-clock times (``time.time()``).
    error, traceback : str
        Why it failed: one line, and everything.
    cancel_seconds : float or None
        How long the worker took to leave after a cancel; None before it has left.
    """

    def __init__(self, job: Job) -> None:
        self.key = job.key
        self.slot = job.slot
        self.title = job.title
        self.lane: Lane = job.lane
        self.priority = job.priority
        self.state: State = "queued"
        self.fraction = 0.0
        self.message = ""
        self.eta: float | None = None
        self.submitted = time.time()
        self.started: float | None = None
        self.ended: float | None = None
        self.error = ""
        self.traceback = ""
        self.cancel_seconds: float | None = None
        self._job: Job | None = job
        self._clock: float | None = None
        self._seconds = 0.0

    def __repr__(self) -> str:
        return f"<JobHandle {self.slot}: {self.title!r} {self.state}>"

    @property
    def is_finished(self) -> bool:
        """Done, cancelled or failed."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def seconds(self) -> float:
        """Time spent running."""
        return self._seconds if self._clock is None else time.monotonic() - self._clock

    def _begin(self) -> None:
        self.state, self.started, self._clock = "running", time.time(), time.monotonic()

    def _requeue(self) -> None:
        self._seconds, self._clock = self.seconds, None
        self.state, self.fraction, self.eta = "queued", 0.0, None

    def _end(self, state: State) -> None:
        self._seconds, self._clock = self.seconds, None
        self.state, self.ended, self.eta, self._job = state, time.time(), None, None
        if state == "done":
            self.fraction = 1.0

    def _report(self, fraction: float, message: str) -> None:
        self.fraction, self.message = fraction, message
        # the first moments say little: imports and compilation come before the regular work
        known = fraction >= 0.02 and self.seconds >= 0.5
        self.eta = self.seconds * (1.0 - fraction) / fraction if known else None


class _Line:
    """One lane: its thread and worker, what is running, what waits."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.thread = QThread()
        self.thread.setObjectName(f"qmlstudio-{lane}")
        self.thread.setStackSize(STACK_BYTES)
        self.worker = Worker(lane)
        self.worker.moveToThread(self.thread)
        if lane == "batch":
            self.thread.started.connect(self.worker.yield_to_window)
        self.is_stopping = False
        self.handle: JobHandle | None = None
        self.task: Task | None = None
        self.waiting: list[JobHandle] = []

    def unfinished(self) -> Iterator[JobHandle]:
        """The running job unless it was cancelled or makes way, then those that wait."""
        if self.handle is not None and self.handle.state == "running":
            yield self.handle
        yield from self.waiting


_running: set[_Line] = set()
"""Lines whose thread runs. Destroying a running QThread aborts the process, so those that do not end stay here."""


def _stop(lines: list[_Line], seconds: float) -> bool:
    """End the threads, waiting at most `seconds` altogether; whether all have ended."""
    lines = [line for line in lines if line in _running]
    for line in lines:
        if line.task is not None:
            line.task.cancel()
        line.thread.quit()
        line.is_stopping = True
    deadline = time.monotonic() + seconds
    for line in lines:
        if line.thread.wait(max(0, math.ceil((deadline - time.monotonic()) * 1000))):
            _running.discard(line)
        else:
            log.warning("the %s thread did not end within %g s", line.lane, seconds)
    return not _running.intersection(lines)


def _stop_all_at_exit() -> None:
    """Last resort when nobody called :meth:`JobRunner.shutdown`."""
    waited = all(line.is_stopping for line in _running)
    if not _stop(list(_running), 0.0 if waited else 2.0):
        # Python would be taken down under a thread that still runs in it: that aborts, with a core dump
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(1 if hasattr(sys, "last_value") else 0)


class JobRunner(QObject):
    """Runs jobs in one thread for each lane; all its methods and signals belong to the main thread.

    Signals
    -------
    queued, started : (JobHandle)
    progressed : (JobHandle, fraction, message, eta in seconds or None)
        At most 20 a second.
    finished : (JobHandle, state)
        Once for each job, after its callback. A cancelled job is finished at once, though its worker may need a
        moment to leave (:attr:`JobHandle.cancel_seconds`).
    """

    queued = Signal(object)
    started = Signal(object)
    progressed = Signal(object, float, str, object)
    finished = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False
        self._recent: list[JobHandle] = []
        self._last_news = -math.inf
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer_timeout)
        self._lines: dict[str, _Line] = {}
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        if not _running:
            atexit.unregister(_stop_all_at_exit)
            atexit.register(_stop_all_at_exit)
        for lane in LANES:
            line = self._lines[lane] = _Line(lane)
            line.worker.news.connect(self._on_worker_news, Qt.ConnectionType.QueuedConnection)
            line.worker.ended.connect(self._on_worker_ended, Qt.ConnectionType.QueuedConnection)
            _running.add(line)
            line.thread.start()
        weakref.finalize(self, _stop, list(self._lines.values()), 2.0).atexit = False
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shutdown)

    def submit(self, job: Job) -> JobHandle:
        """Queue `job`, superseding the unfinished ones of its slot (see :class:`Job`).

        Returns
        -------
        JobHandle
            The new job's; that of the unfinished one when both are the same work; a cancelled one after shutdown.
        """
        line = self._lines[job.lane]
        others = [handle for each in self._lines.values() for handle in each.unfinished() if handle.slot == job.slot]
        same = None
        if not self._closed:
            same = next((h for h in others if h.key == job.key and h.lane == job.lane), None)
        for other in others:
            if other is not same and not (job.conflate and other.state == "running"):
                self.cancel(other)
        if same is not None:
            same._job, same.priority = job, max(same.priority, job.priority)
            return same
        handle = JobHandle(job)
        self._remember(handle)
        if self._closed:
            self._finish(handle, "cancelled")
            return handle
        line.waiting.append(handle)
        self.queued.emit(handle)
        self._make_way(line, job.priority)
        self._advance(line)
        return handle

    def cancel(self, what: str | JobHandle) -> None:
        """Cancel one job, or the unfinished ones of a slot. Their results are never delivered."""
        for line in self._lines.values():
            for handle in list(line.unfinished()):
                if handle is not what and handle.slot != what:
                    continue
                if handle in line.waiting:
                    line.waiting.remove(handle)
                elif line.task is not None:
                    line.task.cancel()
                self._finish(handle, "cancelled")

    def cancel_all(self) -> None:
        """Cancel whatever waits or runs."""
        for line in self._lines.values():
            for handle in list(line.unfinished()):
                self.cancel(handle)

    def jobs(self) -> tuple[JobHandle, ...]:
        """Recent jobs in the order of submission, unfinished ones included."""
        return tuple(self._recent)

    @property
    def running(self) -> tuple[JobHandle, ...]:
        """The jobs that run now and were not cancelled, batch first."""
        handles = (line.handle for line in self._lines.values())
        return tuple(h for h in handles if h is not None and h.state == "running")

    @property
    def is_idle(self) -> bool:
        """Nothing waits, and no worker is at work, not even on a cancelled job; every result was delivered."""
        return all(line.task is None and not line.waiting for line in self._lines.values())

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Turn the event loop until idle, at most `timeout` seconds; whether it is. For tests and scripts."""
        deadline = time.monotonic() + timeout
        while not self.is_idle and time.monotonic() < deadline:
            QCoreApplication.processEvents()
            QThread.msleep(1)
        return self.is_idle

    @Slot()
    def shutdown(self, timeout: float = 2.0) -> bool:
        """Cancel everything and end the threads, waiting at most `timeout` seconds; whether all have ended.

        For closeEvent and aboutToQuit; at interpreter exit it happens anyway. May be called again. A thread stuck in
        code that never asks its Progress is left behind, and the process is then ended without clean-up at exit.
        """
        self._closed = True
        self.cancel_all()
        self._timer.stop()
        ended = _stop(list(self._lines.values()), timeout)
        for line in self._lines.values():
            line.handle = line.task = None
        return ended

    def _make_way(self, line: _Line, priority: int) -> None:
        """Put a running job for which nobody waits back into the queue when one of this priority comes."""
        handle = line.handle
        if (
            line.task is None
            or handle is None
            or handle.state != "running"
            or not handle.priority <= WARM_UP < priority
        ):
            return
        line.task.cancel()
        handle._requeue()
        line.waiting.append(handle)
        self.queued.emit(handle)

    def _advance(self, line: _Line) -> None:
        """Hand the most urgent waiting job to the lane's worker if that is free."""
        if self._closed or line.task is not None or not line.waiting:
            return
        handle = max(line.waiting, key=lambda h: h.priority)  # the first of equals
        line.waiting.remove(handle)
        job = handle._job
        assert job is not None
        line.handle = handle
        line.task = Task(job.compute, job.partial is not None)
        handle._begin()
        line.worker.inbox.put(line.task)
        line.worker.requested.emit()
        log.debug("started %s (%s)", handle.title, handle.slot)
        self.started.emit(handle)

    def _finish(self, handle: JobHandle, state: State) -> None:
        handle._end(state)
        self._announce(handle)

    def _announce(self, handle: JobHandle) -> None:
        log.debug("%s %s after %.2f s", handle.state, handle.title, handle.seconds)
        self.finished.emit(handle, handle.state)

    def _remember(self, handle: JobHandle) -> None:
        self._recent.append(handle)
        surplus = len(self._recent) - KEPT
        for old in [h for h in self._recent[:-1] if h.is_finished][: max(surplus, 0)]:
            self._recent.remove(old)

    @Slot(str)
    def _on_worker_news(self, lane: str) -> None:
        wait = self._last_news + NEWS_SECONDS - time.monotonic()
        if wait <= 0:
            self._on_timer_timeout()
        elif not self._timer.isActive() and not self.is_idle:
            self._timer.start(math.ceil(wait * 1000))

    @Slot()
    def _on_timer_timeout(self) -> None:
        """Deliver the latest progress and partial result of each lane."""
        self._last_news = time.monotonic()
        for line in self._lines.values():
            handle, task = line.handle, line.task
            if handle is None or task is None or handle.state != "running":
                continue
            report, partial = task.take()
            if report is not None:
                handle._report(*report)
                self.progressed.emit(handle, handle.fraction, handle.message, handle.eta)
            # asked again: a slot of the signal may have cancelled it
            if partial is not NOTHING and handle._job is not None and handle._job.partial is not None:
                handle._job.partial(partial)

    @Slot(str)
    def _on_worker_ended(self, lane: str) -> None:
        line = self._lines[lane]
        handle, task = line.handle, line.task
        if handle is None or task is None:  # after shutdown
            return
        line.handle = line.task = None
        job = handle._job
        try:
            if handle in line.waiting:  # it made way
                if task.state == "cancelled":
                    return
                line.waiting.remove(handle)  # too late: it has ended by itself
            if job is None:  # cancelled or superseded meanwhile: whatever came out is nobody's any more
                handle.cancel_seconds = max(0.0, task.left_at - task.cancelled_at)
                return
            # ended before the callback, so that a job it submits to the same slot supersedes nothing
            handle._end(task.state)
            try:
                if task.state == "done":
                    if job.done is not None:
                        job.done(task.value)
                elif task.error is not None:
                    handle.error = "".join(traceback.format_exception_only(task.error)).strip()
                    handle.traceback = task.traceback
                    log.error("%s failed: %s", handle.title, handle.error)
                    if job.failed is not None:
                        job.failed(task.error, task.traceback)
            finally:
                self._announce(handle)
        finally:
            # after the callback: the next stage that it may have submitted goes before a waiting warm-up
            self._advance(line)
            if self.is_idle:
                self._timer.stop()
