"""Starts the program as ``python -m qmlstudio [FILE…]`` does, and tells as JSON when what was on screen.

``python window_start.py RESULT.json [FILE…]``. Times are seconds of ``time.time()``, so that the process that started
this one can compare them with its own clock; imports nothing of the program before the program would.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

TIMES: dict[str, Any] = {"python": time.time(), "cpu": {}}
LONGEST = 120.0


def _settled(window: Any) -> bool:
    """The last map is on the screen, where it stays."""
    from PySide6.QtCore import QVariantAnimation

    scatter = window.map_view.scatter
    still = scatter._animation.state() != QVariantAnimation.State.Running
    return bool(window.store.result_key("map")) and still and scatter.count > 0


def _hook(result: Path) -> None:
    """Wrap the window's first methods; everything else is told by its own signals."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from qmlstudio.app.stalls import StallMeter
    from qmlstudio.shell.main_window import MainWindow

    TIMES["imported"] = time.time()
    paint, start = MainWindow.paintEvent, MainWindow.start
    meters: dict[str, Any] = {}

    def mark(name: str) -> None:
        if name not in TIMES:
            TIMES[name] = time.time()
            TIMES["cpu"][name] = time.thread_time()

    def first_paint(window: Any) -> None:
        # this was queued while painting: by now the picture has been handed to the screen
        mark("paint")
        meters["all"] = meter = StallMeter(window, threshold=0.02)
        meter.stalled.connect(lambda s: TIMES.setdefault("stalls", []).append((time.time(), s)))
        meter.start()

    def painted(window: Any, event: Any) -> None:
        if "painting" not in TIMES:
            mark("painting")
            QTimer.singleShot(0, lambda: first_paint(window))
        paint(window, event)

    def drawn(window: Any, shown: int) -> None:
        if shown:
            mark("points")
            if _settled(window):
                mark("map")

    def finished(window: Any, handle: Any, state: str) -> None:
        TIMES.setdefault("jobs", []).append((handle.title, state, time.time(), handle.seconds))
        if handle.slot == "warm-up" and state == "done":
            mark("warm")

    def look(window: Any, timer: Any) -> None:
        if time.time() - TIMES["python"] > LONGEST:
            sys.stderr.write(f"window_start: not ready after {LONGEST:g} s: {TIMES}\n")
        elif not ("map" in TIMES and "warm" in TIMES and window.runner.is_idle):
            return
        timer.stop()
        meter = meters["all"]
        meter.stop()
        TIMES["p99"], TIMES["worst"] = meter.percentiles((99.0,))[99.0], meter.worst
        result.write_text(json.dumps(TIMES), encoding="utf-8")
        window.ask_on_close = False
        QApplication.closeAllWindows()

    def started(window: Any, files: Any = ()) -> None:
        window.map_view.scatter._raster.drawn.connect(lambda n: drawn(window, n), _queued())
        window.structure_view.canvas.backend_changed.connect(lambda *_: mark("structure"))
        window.runner.finished.connect(lambda handle, state: finished(window, handle, state))
        timer = QTimer(window)
        timer.timeout.connect(lambda: look(window, timer))
        timer.start(50)
        start(window, files)

    MainWindow.paintEvent, MainWindow.start = painted, started  # type: ignore[method-assign]


def _queued() -> Any:
    from PySide6.QtCore import Qt

    return Qt.ConnectionType.QueuedConnection


def main() -> int:
    """As the program's own ``__main__``, with the hooks."""
    from qmlstudio.__main__ import main as program

    _hook(Path(sys.argv[1]))
    return program(sys.argv[2:])


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    sys.exit(main())
