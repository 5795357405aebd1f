"""How long the window did not listen: stalls of the event loop, measured where they are felt."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

KEPT = 1 << 16
"""Ticks remembered: at 5 ms, the last five and a half minutes."""


class StallMeter(QObject):
    """A timer that ought to tick every `interval`, and notes how much later it did.

    A tick that comes `s` seconds late is what a mouse click at the wrong moment would have waited. One long stall
    swallows many ticks, and a click could have come at any of them: :meth:`percentiles` counts each with the wait
    that it would have met (else a loop that freezes half the time looks fine, since few ticks are late).

    Signals
    -------
    stalled : (seconds)
        The loop stood still for longer than `threshold`.

    Parameters
    ----------
    interval : float, seconds
    threshold : float, seconds
    """

    stalled = Signal(float)

    def __init__(self, parent: QObject | None = None, *, interval: float = 0.005, threshold: float = 0.2) -> None:
        super().__init__(parent)
        self.interval = interval
        self.threshold = threshold
        self._late = np.zeros(KEPT, dtype=np.float32)
        self._count = 0
        self._worst = 0.0
        self._last: float | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(max(1, round(interval * 1000)))
        self._timer.timeout.connect(self._on_timer_timeout)

    @property
    def is_running(self) -> bool:
        """Whether it measures."""
        return self._timer.isActive()

    @property
    def count(self) -> int:
        """Ticks since the last :meth:`reset`."""
        return self._count

    @property
    def worst(self) -> float:
        """The longest stall since the last :meth:`reset`, seconds."""
        return self._worst

    @Slot()
    def start(self) -> None:
        """Measure from now on."""
        self._last = time.perf_counter()
        self._timer.start()

    @Slot()
    def stop(self) -> None:
        """Stop measuring; the figures stay."""
        self._timer.stop()
        self._last = None

    @Slot()
    def reset(self) -> None:
        """Forget the figures; goes on if it runs."""
        self._count, self._worst = 0, 0.0
        if self.is_running:
            self._last = time.perf_counter()

    def percentiles(self, which: Sequence[float] = (50.0, 90.0, 99.0, 100.0)) -> dict[float, float]:
        """Waits in seconds, by percentile in [0, 100]; NaN before the first tick. 100 is the worst one remembered."""
        waits = self._waits()
        if not len(waits):
            return dict.fromkeys(which, math.nan)
        return {p: float(v) for p, v in zip(which, np.percentile(waits, which), strict=True)}

    def summary(self) -> str:
        """One line for a log, in milliseconds."""
        found = self.percentiles((50.0, 99.0))
        return self.tr("event loop: median {0:.1f} ms, p99 {1:.1f} ms, worst {2:.1f} ms in {3} ticks").format(
            found[50.0] * 1e3, found[99.0] * 1e3, self.worst * 1e3, self.count
        )

    def _waits(self) -> NDArray[np.float64]:
        """The wait met by an event due at each regular tick, those that a stall swallowed included."""
        late = self._late[: min(self._count, KEPT)].astype(np.float64)
        swallowed = np.floor(late / self.interval).astype(np.int64)
        steps = np.arange(int(swallowed.sum())) - np.repeat(np.cumsum(swallowed) - swallowed, swallowed) + 1
        return np.concatenate([late, np.repeat(late, swallowed) - steps * self.interval])

    @Slot()
    def _on_timer_timeout(self) -> None:
        now = time.perf_counter()
        if self._last is None:
            return
        late = max(0.0, now - self._last - self.interval)
        self._last = now
        self._late[self._count % KEPT] = late
        self._count += 1
        self._worst = max(self._worst, late)
        if late > self.threshold:
            self.stalled.emit(late)
