"""The main job on the built-in data set, done in the real window, into figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.shell.application import make_application
from qmlstudio.shell.main_window import MainWindow

SHOWN = "gdb 214"
"""Benzene."""
PINNED = ("gdb 214", "gdb 124", "gdb 3888")


def run(folder: str) -> int:
    """Open, compute, choose, select, export; returns the exit code."""
    from tempfile import TemporaryDirectory

    from qmlstudio.app.preferences import Preferences, settings_in
    from qmlstudio.shell.theme import ThemeSwitch

    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    application = make_application()
    with TemporaryDirectory() as scratch:  # the user's own window state is left alone
        window = MainWindow(Preferences(settings_in(scratch)), ThemeSwitch(application, "light"))
        window.ask_on_close = False
        window.resize(1560, 940)
        window.show()
        window.start()
        try:
            _walk(application, window, out)
        finally:
            window.close()
    return 0


def _walk(application: QApplication, window: MainWindow, out: Path) -> None:
    store = window.store
    _say("opening the built-in data set and computing its map")
    _wait(lambda: bool(store.result_key("map")) or bool(store.error("map")), 120, "the map")
    result = store.result("map")
    if not isinstance(result, Coordinates):
        raise RuntimeError(store.error("map") or "there is no map")
    dataset = store.dataset
    assert dataset is not None
    _say(f"{len(dataset):,} structures on the map")
    indices = [int(np.flatnonzero(dataset.identifiers == name)[0]) for name in PINNED]
    store.set_active(indices[0])
    for index in indices:
        store.toggle_pin(index)
    window.runner.wait_idle(60)
    _wait(lambda: window.structure_view.canvas.backend != "", 20, "the 3D view")
    _settle(application, 0.8)
    window.grab().save(str(out / "window.png"))
    # the grabbed window has no picture of an OpenGL child on every platform: the screen has
    screen = window.screen().grabWindow(window.winId())
    if not screen.isNull():
        screen.save(str(out / "window.png"))
    _say(f"wrote {out / 'window.png'}")
    _export(window, out)


def _export(window: MainWindow, out: Path) -> None:
    from qmlstudio.figures import FigureSpec, save
    from qmlstudio.figures.views import VIEWS, view_caption, view_figure

    store = window.store
    dataset = store.dataset
    assert dataset is not None
    results = {name: store.result(name) for name in ("features", "map")}
    for view in VIEWS:
        session = store.session
        if view == "map":
            session = replace(session, selection=type(session.selection).none(len(dataset)))
        for kind in ("pdf", "svg", "png"):
            spec = FigureSpec(format=kind)
            figure = view_figure(view, session, dataset, results, spec, rotation=window.structure_view.rotation)
            recipe = {"session": session.to_dict(), "view": view}
            save(figure, out / f"{view}.{kind}", spec, recipe=recipe, title=view_caption(view, session, dataset))
            _say(f"wrote {out / view}.{kind}")


def _say(text: str) -> None:
    print(f"qmlstudio: {text}", file=sys.stderr, flush=True)


def _wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Turn the event loop until `condition` holds; RuntimeError after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} did not come within {seconds:g} s")
        QCoreApplication.processEvents()
        time.sleep(0.005)


def _settle(application: QApplication, seconds: float) -> None:
    """Let animations and repaints come to an end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        application.processEvents()
        time.sleep(0.005)
