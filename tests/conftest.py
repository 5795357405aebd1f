"""Fixtures for all tests: nothing may leak from one test to the next, and every view leaves a picture."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    # without a screen the widgets draw into memory; what needs OpenGL skips itself
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"


@pytest.fixture
def screenshots() -> Path:
    """The folder into which views are grabbed, to be looked at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS


def _qt_in_use() -> bool:
    """Whether a Qt application runs; asks without importing Qt."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    return widgets is not None and widgets.QApplication.instance() is not None


def _alive(objects: list[Any]) -> list[Any]:
    import shiboken6

    return [o for o in objects if shiboken6.isValid(o)]


def _top_level_widgets() -> list[Any]:
    from PySide6.QtWidgets import QApplication

    return _alive(list(QApplication.topLevelWidgets()))


def _delete_later() -> None:
    """Carry out what closing and deleteLater have put off."""
    from PySide6.QtCore import QCoreApplication, QEvent

    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()


def _instances(*kinds: type) -> list[Any]:
    return _alive([o for o in gc.get_objects() if issubclass(type(o), kinds)])


@pytest.fixture(autouse=True, scope="module")
def set_apart() -> Iterator[None]:
    """What is there before a module's tests, hundreds of thousands of objects, is not searched after each of them."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_leaks(set_apart: None) -> Iterator[None]:
    """Fail a test that leaves a new top-level widget, a running QThread or an active QTimer behind.

    A widget given to ``qtbot.addWidget`` is closed before this looks.
    """
    before = {id(w) for w in _top_level_widgets()} if _qt_in_use() else set()
    yield
    if not _qt_in_use():
        return
    from PySide6.QtCore import QThread, QTimer

    _delete_later()
    leaked = [w for w in _top_level_widgets() if id(w) not in before]
    if leaked:
        # a widget that only a reference cycle keeps alive is no leak
        leaked.clear()
        gc.collect()
        _delete_later()
        leaked = [w for w in _top_level_widgets() if id(w) not in before]
    names = [f"{type(w).__name__} {w.objectName()!r}" for w in leaked]
    found = _instances(QThread, QTimer)
    threads = [t for t in found if isinstance(t, QThread) and t.isRunning() and t is not QThread.currentThread()]
    timers = [t for t in found if isinstance(t, QTimer) and t.isActive()]
    thread_names = [f"{type(t).__name__} {t.objectName()!r}" for t in threads]
    timer_names = [f"{type(t).__name__} of {type(t.parent()).__name__}, {t.interval()} ms" for t in timers]
    for widget in leaked:
        widget.close()
        widget.deleteLater()
    for timer in timers:
        timer.stop()
    for thread in threads:
        thread.quit()
        thread.wait(2000)
    _delete_later()
    assert not names, f"leaked top-level widgets: {', '.join(names)}"
    assert not thread_names, f"running threads: {', '.join(thread_names)}"
    assert not timer_names, f"active timers: {', '.join(timer_names)}"


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where data sets that take long to read are kept while the tests run."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(autouse=True)
def fresh_settings(tmp_path: Path, stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has empty settings and its own folders for data and sessions; caches of compiled loops are kept."""
    monkeypatch.setenv("QMLSTUDIO_STORE", str(stores))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    core = sys.modules.get("PySide6.QtCore")
    if core is not None:
        settings = core.QSettings
        settings.setDefaultFormat(settings.Format.IniFormat)
        # QSettings(organization, application) is in the native format whatever the default is
        for kind in (settings.Format.IniFormat, settings.Format.NativeFormat):
            for scope in (settings.Scope.UserScope, settings.Scope.SystemScope):
                settings.setPath(kind, scope, str(tmp_path / "settings"))
