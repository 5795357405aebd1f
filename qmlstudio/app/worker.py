"""What runs beside the main thread: a worker, and the mailbox through which it and the runner speak.

A worker sees a callable and a mailbox, never a callback or a Qt object of the window, so nothing of the window can be
called, or destroyed, in the wrong thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot

from qmlstudio.progress import Cancelled, Progress

NICENESS = 5
"""Added to that of the batch thread and of those that numba starts from it (Linux): with as many threads as
processors the window comes first."""
NOTHING: Any = object()
"""In the place of a partial result when there is none (None is one)."""


class Task:
    """The part of a job that the worker sees: what to compute, a cancel flag and a mailbox with the latest news."""

    def __init__(self, compute: Callable[[Progress], Any], wants_partial: bool) -> None:
        self.compute: Callable[[Progress], Any] | None = compute
        self.wants_partial = wants_partial
        self.cancelled = threading.Event()
        self.cancelled_at = 0.0
        self.left_at = 0.0
        self.state: Literal["done", "cancelled", "failed"] = "cancelled"
        self.value: Any = None
        self.error: BaseException | None = None
        self.traceback = ""
        self._lock = threading.Lock()
        self._report: tuple[float, str] | None = None
        self._partial: Any = NOTHING
        self._noticed = False

    def cancel(self) -> None:
        """Main thread: ask the worker to leave."""
        if not self.cancelled.is_set():
            self.cancelled_at = time.monotonic()
            self.cancelled.set()

    def run(self, notify: Callable[[], None]) -> None:
        """Worker's thread: compute, and keep the outcome. Never raises."""
        compute, self.compute = self.compute, None
        assert compute is not None

        def post(**news: Any) -> None:
            with self._lock:
                self._report = news.get("report", self._report)
                self._partial = news.get("partial", self._partial)
                known, self._noticed = self._noticed, True
            if not known:
                notify()

        progress = Progress(
            report=lambda fraction, message: post(report=(fraction, message)),
            is_cancelled=self.cancelled.is_set,
            partial=(lambda value: post(partial=value)) if self.wants_partial else None,
        )
        try:
            progress.check()
            self.value = compute(progress)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except BaseException as error:  # KeyboardInterrupt and SystemExit must not take the thread along
            self.traceback = traceback.format_exc()
            self.error = _without_frames(error)
            self.state = "failed"
        self.left_at = time.monotonic()

    def take(self) -> tuple[tuple[float, str] | None, Any]:
        """Main thread: the latest report and partial result since the last call."""
        with self._lock:
            news = self._report, self._partial
            self._report, self._partial, self._noticed = None, NOTHING, False
        return news


def _without_frames(error: BaseException) -> BaseException:
    """The same error without the frames it passed through: they would keep every array of the computation alive."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


class Worker(QObject):
    """Lives in a lane's thread and runs one task at a time. Its signals go to bound methods of the runner only."""

    requested = Signal()
    news = Signal(str)
    ended = Signal(str)

    def __init__(self, lane: str) -> None:
        super().__init__()
        self.lane = lane
        self.inbox: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self.requested.connect(self.run, Qt.ConnectionType.QueuedConnection)

    @Slot()
    def yield_to_window(self) -> None:
        """Have this thread, and those started from it, stand back when processors are short."""
        if sys.platform == "linux":  # where each thread has its own; elsewhere it would be the process's
            with contextlib.suppress(OSError):
                nice = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(nice, 19))

    @Slot()
    def run(self) -> None:
        """Run the task in the inbox."""
        task = self.inbox.get_nowait()
        task.run(self._notify)
        self.ended.emit(self.lane)

    def _notify(self) -> None:
        self.news.emit(self.lane)
