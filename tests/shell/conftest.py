import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qmlstudio.app.preferences import Preferences, settings_in
from qmlstudio.representations import REGISTRY
from qmlstudio.shell import warm_up
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.shell.theme import ThemeSwitch

Make = Callable[..., MainWindow]


def _ready(window: MainWindow, timeout: float = 120.0) -> None:
    """Turn the event loop until the map is there and nothing runs."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        QApplication.processEvents()
        done = window.store.result_key("map") or window.store.error("map")
        if done and window.runner.is_idle and not window._started:
            return
        time.sleep(0.002)
    raise AssertionError(f"not ready after {timeout} s: {[j for j in window.runner.jobs() if not j.is_finished]}")


@pytest.fixture
def ready() -> Callable[..., None]:
    """Turns the event loop until the map is there and nothing runs."""
    return _ready


@pytest.fixture
def make_window(qtbot: QtBot, tmp_path: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes real windows with preferences of their own; closes them at the end.

    They warm up what is on screen and leave the other representations, whose loops may take a minute to compile.
    """
    windows: list[MainWindow] = []
    steps = warm_up._steps
    monkeypatch.setattr(
        warm_up, "_steps", lambda first: [s for s in steps(first) if s.name == first or s.name not in REGISTRY]
    )
    palette, sheet = qapp.palette(), qapp.styleSheet()

    def make(*files: str, theme: str = "light", size: tuple[int, int] = (1500, 900), wait: bool = True) -> MainWindow:
        switch = ThemeSwitch(qapp, theme)
        window = MainWindow(Preferences(settings_in(tmp_path / "preferences")), switch)
        window.ask_on_close = False
        windows.append(window)
        window.resize(*size)
        window.show()
        window.start(files)
        if wait:
            _ready(window)
        return window

    yield make
    for window in windows:
        window.close()
        window.deleteLater()
    qapp.setPalette(palette)
    qapp.setStyleSheet(sheet)


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    """Forty small molecules with an energy."""
    path = tmp_path / "small.xyz"
    frames = []
    for i in range(40):
        r = 0.9 + 0.01 * i
        frames.append(f"3\nenergy={-1.0 - 0.01 * i}\nO 0 0 0\nH 0 0 {r}\nH 0 {r} {-0.3 + 0.005 * i}\n")
        frames.append(f"2\nenergy={-0.5 - 0.01 * i}\nC 0 0 0\nO 0 0 {r + 0.2}\n")
    path.write_text("".join(frames))
    return path


@pytest.fixture
def shared() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside the project")
    return folder
