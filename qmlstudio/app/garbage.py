"""Reference cycles are collected in the main thread, in moments of its own choosing."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

INTERVAL_MS = 1000


class GarbageCollector(QObject):
    """Takes the place of Python's automatic collection of reference cycles while it lives.

    Python collects in whichever thread happens to allocate, and holds the interpreter meanwhile: with the program's
    libraries loaded a full collection takes 100 ms, three times during a start. Besides, a cycle that holds an object
    of the window must not be destroyed in a worker's thread.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self._timer.start()

    @Slot()
    def keep(self) -> None:
        """All that exists now stays until the end (loaded modules do): collections pass over it from now on."""
        gc.freeze()

    @Slot()
    def stop(self) -> None:
        """Hand over to Python again; may be called twice."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()

    @Slot()
    def _on_timer_timeout(self) -> None:
        """As Python itself decides: an older generation when the younger one was collected often enough."""
        for generation, threshold in enumerate(gc.get_threshold()):
            if gc.get_count()[generation] <= threshold:
                break
            gc.collect(generation)
