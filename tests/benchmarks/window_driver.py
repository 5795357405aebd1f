"""The real window, driven by events: what the measurements of window_works.py have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent, QOffscreenSurface, QOpenGLContext, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from window_sets import NO_QM9, BigSet, elpasolite_like, qm9

from qmlstudio.app.garbage import GarbageCollector
from qmlstudio.app.preferences import Preferences, settings_in
from qmlstudio.app.stalls import StallMeter
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.quality import Quality
from qmlstudio.shell.application import keep_what_is_loaded, make_application
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.shell.theme import ThemeSwitch

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
PERCENTILES = (50.0, 95.0, 99.0)


class Paints(QObject):
    """Which of some widgets were painted since :meth:`clear`."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.names = {id(w): k for k, w in enumerate(widgets)}
        self.missing: set[int] = set()
        self.counts = [0] * len(widgets)
        for widget in widgets:
            widget.installEventFilter(self)
        self.clear()

    def clear(self) -> None:
        """Wait for all of them anew."""
        self.missing = set(self.names.values())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            number = self.names.get(id(watched))
            if number is not None:
                self.missing.discard(number)
                self.counts[number] += 1
        return False


class Driver:
    """A :class:`MainWindow` on screen, as the program opens it; its settings are thrown away at the end."""

    def __init__(self) -> None:
        self.application = make_application()
        self.collector = GarbageCollector(self.application)
        self._scratch = TemporaryDirectory()
        self.window = MainWindow(Preferences(settings_in(self._scratch.name)), ThemeSwitch(self.application, "light"))
        self.window.ask_on_close = False
        keep_what_is_loaded(self.collector, self.window)
        self.window.resize(1560, 940)
        self.window.show()
        self.meter = StallMeter(self.window)
        self.failures: list[str] = []
        self.expects_failures = False
        """Set by who cancels jobs: that is told in the way of failures."""
        self.window.store.failed.connect(lambda name, message, details: self._note(f"{name}: {message}"))
        self.window.documents.failed.connect(lambda message, details: self._note(message))

    def _note(self, failure: str) -> None:
        if not self.expects_failures:
            self.failures.append(failure)

    def start(self) -> None:
        """Open the built-in set and come to rest, warm-up included."""
        self.window.start()
        self.wait(lambda: bool(self.window.store.result_key("map")), 120, "the built-in map")
        self.rest()

    def close(self) -> None:
        """End the window and its threads."""
        self.window.close()
        self.collector.stop()
        self._scratch.cleanup()

    # -- time

    def wait(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        """Turn the event loop until `condition` holds; RuntimeError after `limit` seconds."""
        until = time.monotonic() + limit
        while not condition():
            if self.failures:
                raise RuntimeError(f"while waiting for {what}: {'; '.join(self.failures)}")
            if time.monotonic() > until:
                raise RuntimeError(f"{what} did not come within {limit:g} s")
            QApplication.processEvents()
            time.sleep(0.001)

    def turn(self, length: float) -> None:
        """Turn the event loop for so many seconds."""
        until = time.monotonic() + length
        while time.monotonic() < until:
            QApplication.processEvents()
            time.sleep(0.001)

    def rest(self) -> None:
        """Until no job runs, the map's points are sorted and nothing glides any more."""
        scatter = self.window.map_view.scatter
        self.turn(0.4)
        self.wait(lambda: self.window.runner.is_idle, 300, "the end of all jobs")
        self.wait(lambda: not scatter._sorter.is_active, 60, "the sorted map")
        self.turn(0.3)

    def until_painted(self, paints: Paints, limit: float = 10.0, slots: tuple[str, ...] = ()) -> float:
        """Turn the event loop as fast as it goes until all were painted and no job of `slots` is left.

        Returns that moment.
        """

        def is_busy() -> bool:
            return any(h.slot in slots and not h.is_finished for h in self.window.runner.jobs())

        until = time.perf_counter() + limit
        while paints.missing or (slots and is_busy()):
            if time.perf_counter() > until:
                raise RuntimeError(f"widgets {sorted(paints.missing)} were not painted within {limit:g} s")
            QApplication.processEvents()
        QGuiApplication.sync()
        return time.perf_counter()

    # -- the mouse

    @property
    def surface(self) -> QWidget:
        """What takes the map's mouse events."""
        return self.window.map_view.scatter._view.viewport()

    def mouse(
        self,
        kind: QEvent.Type,
        at: QPointF,
        button: Qt.MouseButton = NO_BUTTON,
        buttons: Qt.MouseButton = NO_BUTTON,
        modifiers: Qt.KeyboardModifier = PLAIN,
        surface: QWidget | None = None,
    ) -> None:
        """Send one mouse event to the map, or to another widget."""
        surface = surface or self.surface
        place = QPointF(surface.mapToGlobal(at.toPoint()))
        QApplication.sendEvent(surface, QMouseEvent(kind, at, place, button, buttons, modifiers))

    def wheel(self, at: QPointF, steps: int, surface: QWidget | None = None) -> None:
        """Turn the wheel over the map, or over another widget."""
        surface = surface or self.surface
        event = QWheelEvent(
            at,
            QPointF(surface.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, 120 * steps),
            NO_BUTTON,
            PLAIN,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(surface, event)

    def place(self, index: int) -> QPointF:
        """Where a point of the map is, in the surface's pixels."""
        scatter = self.window.map_view.scatter
        return scatter.pixel(index) - QPointF(self.surface.mapTo(scatter, QPoint(0, 0)))

    def pointable(self, count: int, seed: int = 0) -> list[int]:
        """Structures that the mouse finds where they are drawn, in a random order, none twice."""
        scatter = self.window.map_view.scatter
        rng = np.random.default_rng(seed)
        found: list[int] = []
        for index in rng.permutation(scatter.count)[: 50 * count]:
            if scatter._at(self.place(int(index))) == index:
                found.append(int(index))
            if len(found) == count:
                break
        return found

    # -- stalls

    def begin(self) -> None:
        """Measure the event loop from now on."""
        self.meter.start()
        self.meter.reset()

    def end(self) -> tuple[dict[float, float], float]:
        """Percentiles of the waits since :meth:`begin`, and the worst."""
        self.meter.stop()
        return self.meter.percentiles(PERCENTILES), self.meter.worst

    # -- data

    def show(self, dataset: Dataset, points: np.ndarray | None = None, **results: Any) -> None:
        """Open a data set whose map (and other results, by name) is known, as from a session file."""
        window = self.window
        window.pipeline.enabled = False
        window.store.open_dataset(dataset)
        if points is not None:
            window.pipeline.seed("map", Coordinates(points=points))
            # known as well, else its neighbours would be searched for; nothing here looks at the scores
            unknown, missing = float("nan"), np.full(len(points), np.nan, dtype=np.float32)
            scores = Quality(unknown, unknown, unknown, missing, False, 0, 0, 0, 0, "not judged")
            window.pipeline.seed("quality", scores)
        for name, value in results.items():
            window.pipeline.seed(name, value)
        window.pipeline.enabled = points is not None
        window.pipeline.advance()
        if points is not None:
            self.wait(lambda: window.map_view.scatter.count == len(points), 120, "the points")
            self.rest()


def clouds(n: int, seed: int = 0) -> np.ndarray:
    """(n, 2) points in clusters of all sizes, as a map of many structures has them."""
    rng = np.random.default_rng(seed)
    k = 400
    centres, widths = rng.normal(0, 12, (k, 2)), rng.lognormal(-0.7, 0.6, (k, 1))
    which = rng.choice(k, n, p=(w := 1 / (np.arange(k) + 5)) / w.sum())
    return np.asarray(centres[which] + widths[which] * rng.normal(0, 1, (n, 2)))


def many(n: int, folder: Path, atoms: int = 3, seed: int = 0) -> Dataset:
    """n structures of three atoms or one, in memory-mapped files, with one property."""
    rng = np.random.default_rng(seed)
    positions = np.lib.format.open_memmap(folder / "positions.npy", "w+", np.float64, (n * atoms, 3))
    step = 1 << 20
    frame = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])[:atoms]
    for a in range(0, n * atoms, step):
        b = min(a + step, n * atoms)
        positions[a:b] = frame[np.arange(a, b) % atoms] + rng.normal(0, 0.05, (b - a, 3))
    positions.flush()
    numbers = np.tile(np.array([8, 1, 1], dtype=np.uint8)[:atoms], n)
    structures = Structures(
        numbers, np.load(folder / "positions.npy", mmap_mode="r"), np.arange(n + 1, dtype=np.int64) * atoms
    )
    values = Property(rng.normal(size=n), unit="eV", description="made up")
    return Dataset(f"{n:,} points", structures, {"energy": values})


@contextmanager
def big_set(name: str) -> Iterator[BigSet]:
    """ "QM9", "elpasolites" (two million) or "10 million" points; its files live as long as this lasts.

    Without QM9's package so many made-up points stand in for it, and the note says so.
    """
    with TemporaryDirectory() as scratch:
        if name == "elpasolites":
            yield elpasolite_like(Path(scratch))
        elif name == "QM9" and (found := qm9()) is not None:
            yield found
        else:
            n = 10_000_000 if name == "10 million" else 130_831
            note = NO_QM9 if name == "QM9" else ""
            yield BigSet(many(n, Path(scratch), atoms=1), clouds(n), f"{n:,} points", note)


def renderer() -> str:
    """What draws OpenGL here, as it calls itself."""
    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return "none"
    name = context.functions().glGetString(0x1F01)
    context.doneCurrent()
    return str(name)
