"""Sorts the map's points once they stay, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from PySide6.QtCore import QObject, QTimer, Signal

from qmlstudio.widgets import raster

DELAY_MS = 150
POLL_MS = 15

Prepare = Callable[[raster.Points], object]
"""Makes something of sorted points in the sorting thread."""

_workers = ThreadPoolExecutor(1, thread_name_prefix="map-sort")


class PointSorter(QObject):
    """A stream of new points restarts the delay: nobody sorts what is replaced the next moment."""

    sorted = Signal(object, object)
    """Sorted points, and what was prepared of them."""

    def __init__(self, preparation: Callable[[], Prepare], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preparation = preparation
        self._points: raster.Points | None = None
        self._future: Future[tuple[raster.Points, object] | None] | None = None
        self._given_up = threading.Event()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_timer_timeout)

    @property
    def is_active(self) -> bool:
        """Whether sorted points are still to come."""
        return self._timer.isActive()

    def start(self, points: raster.Points) -> None:
        """Sort these points after a while, and forget about others."""
        self.stop()
        if points.count:
            self._points = points
            self._timer.start(DELAY_MS)

    def stop(self) -> None:
        """Sort nothing any more."""
        self._timer.stop()
        self._given_up.set()
        self._given_up = threading.Event()
        self._future = self._points = None

    def _on_timer_timeout(self) -> None:
        if self._future is None:
            if self._points is None or self._points.order is not None:
                self._timer.stop()
            elif raster.is_ready():  # else somebody's warm-up job is loading the loops
                self._future = _workers.submit(_sort, self._points, self._preparation(), self._given_up)
                self._timer.start(POLL_MS)
            return
        if not self._future.done():
            return
        result = self._future.result()
        self._timer.stop()
        self._future = self._points = None
        if result is not None:
            self.sorted.emit(*result)


def _sort(points: raster.Points, prepare: Prepare, given_up: threading.Event) -> tuple[raster.Points, object] | None:
    found = points.sorted(given_up.is_set)
    return None if found is None else (found, prepare(found))
