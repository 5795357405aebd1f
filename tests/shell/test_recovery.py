"""A killed process loses nothing: the next start offers what was unsaved."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from qmlstudio.app.autosave import find_recoverable
from qmlstudio.shell.main_window import MainWindow

CHILD = """
import sys, time
from qmlstudio.app.preferences import Preferences, settings_in
from qmlstudio.shell.application import make_application
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.shell.theme import ThemeSwitch
app = make_application()
window = MainWindow(Preferences(settings_in(sys.argv[2])), ThemeSwitch(app, "light"))
window.ask_on_close = False
window.show()
window.start([sys.argv[1]])
while not window.store.result_key("map"):
    app.processEvents(); time.sleep(0.002)
window.store.toggle_pin(3)
window.store.toggle_pin(7)
while not window.documents.autosave.path.exists() or window.documents.autosave.is_pending:
    app.processEvents(); time.sleep(0.002)
print("autosaved", flush=True)
while True:
    app.processEvents(); time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_window_is_recovered(
    make_window: Callable[..., MainWindow], xyz: Path, tmp_path: Path, ready: Callable
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(xyz), str(tmp_path / "child")],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "autosaved"
        assert find_recoverable() == []  # its process lives
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        assert child.stdout is not None
        child.stdout.close()
    assert len(find_recoverable()) == 1
    window = make_window(str(xyz))
    window.ask_on_close = True
    window._offer_recovery()
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    assert "small" in box.informativeText()
    keep = next(b for b in box.buttons() if b.text() == "Recover")
    keep.click()
    QTest.qWait(50)
    ready(window)
    window.ask_on_close = False
    assert window.store.session.pins == (3, 7)
    assert window.documents.path == ""
    mine = {window.documents.autosave.path}
    left = [r for r in find_recoverable() if r.path not in mine]
    assert left == []
    # it is unsaved still, under this process's own name
    until = time.monotonic() + 10
    while not window.documents.autosave.path.exists() and time.monotonic() < until:
        QTest.qWait(50)
    assert window.documents.autosave.path.exists()


def test_a_clean_end_leaves_nothing(make_window: Callable[..., MainWindow], xyz: Path) -> None:
    window = make_window(str(xyz))
    window.store.toggle_pin(1)
    window.documents.autosave.flush()
    window.close()
    assert find_recoverable() == []
