"""Progress and cancellation, shared by every computation (standard library only)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

SLICE_SECONDS = 0.05
"""Length of the slices in which drivers work between two calls of their :class:`Progress`."""


class Cancelled(Exception):
    """Raised by :class:`Progress` in the computing thread when its job was cancelled."""


class Progress:
    """A callable that reports how far a computation is and raises :class:`Cancelled` when nobody waits for it.

    Parameters
    ----------
    report : callable (fraction, message), optional
        Receives the fraction done in [0, 1] and a short text, at most every `interval` seconds, and at the end.
    is_cancelled : callable () -> bool, optional
        Asked at every call.
    partial : callable (value), optional
        Receives intermediate results (the coordinates of a running layout, say).
    interval : float, seconds
        Least time between two reports.
    """

    def __init__(
        self,
        report: Callable[[float, str], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        partial: Callable[[Any], None] | None = None,
        interval: float = 0.05,
    ) -> None:
        self._report = report
        self._is_cancelled = is_cancelled
        self._partial = partial
        self._interval = interval
        self._last = -1.0
        self._message = ""
        self._low = 0.0
        self._span = 1.0

    def __call__(self, fraction: float, message: str = "") -> None:
        """Report `fraction` of the work done; raises :class:`Cancelled` if the job was cancelled."""
        self.check()
        if self._report is None:
            return
        message = message or self._message
        now = time.monotonic()
        if fraction < 1.0 and message == self._message and now - self._last < self._interval:
            return
        self._last, self._message = now, message
        self._report(self._low + self._span * min(max(fraction, 0.0), 1.0), message)

    def check(self) -> None:
        """Raise :class:`Cancelled` if the job was cancelled; reports nothing."""
        if self._is_cancelled is not None and self._is_cancelled():
            raise Cancelled

    def partial(self, value: Any) -> None:
        """Hand out an intermediate result. The receiver must not change it, nor may the caller afterwards."""
        self.check()
        if self._partial is not None:
            self._partial(value)

    @property
    def can_cancel(self) -> bool:
        """Whether anybody may change their mind (a process of its own can be spared otherwise)."""
        return self._is_cancelled is not None

    @property
    def wants_partial(self) -> bool:
        """Whether anybody looks at intermediate results (copies can be spared otherwise)."""
        return self._partial is not None

    def part(self, low: float, high: float) -> Progress:
        """A progress whose 0…1 is this one's `low`…`high`."""
        child = Progress(self._report, self._is_cancelled, self._partial, self._interval)
        child._low = self._low + self._span * low
        child._span = self._span * (high - low)
        return child


SILENT = Progress()
"""Reports nothing, is never cancelled."""


def slices(total: int, progress: Progress, message: str = "", first: int = 1) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` over ``range(total)`` in slices that take about 50 ms each, reporting in between.

    The first slice has `first` items; its measured time sets the next ones' length, so that a cancel is answered
    within a few slices whatever one item costs. A slice is at most twice as long as the one before: cheap items may
    be followed by dear ones.
    """
    start, length = 0, max(first, 1)
    progress(0.0, message)
    while start < total:
        stop = min(start + length, total)
        began = time.perf_counter()
        yield start, stop
        spent = max(time.perf_counter() - began, 1e-6)
        length = max(1, min(int((stop - start) * SLICE_SECONDS / spent) or 1, 2 * length))
        start = stop
        progress(start / total, message)
