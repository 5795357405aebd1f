"""The search: typed, shown while it runs, made active, selected; stopped; another data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.shell import find_dialog
from qmlstudio.shell.find_dialog import FindDialog
from qmlstudio.widgets.selection_results import MOST_LISTED

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7")


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[FindDialog]:
    runner = JobRunner()
    dialog = FindDialog(Store(), runner)
    qtbot.addWidget(dialog)
    yield dialog
    dialog._timer.stop()
    dialog.list._timer.stop()
    runner.shutdown()


def settle(dialog: FindDialog) -> None:
    for _ in range(20):
        QTest.qWait(40)
        if not (dialog._timer.isActive() or dialog.list._timer.isActive()) and dialog._runner.wait_idle(60):
            QTest.qWait(40)
            if not dialog.list._timer.isActive():
                return


def test_without_data(dialog: FindDialog) -> None:
    dialog.present("C4")
    settle(dialog)
    assert "No data set" in dialog.status.text()
    assert not dialog._select.isEnabled()


def test_typing_walking_and_going(dialog: FindDialog, qm9: Dataset, screenshots: Path, qtbot: QtBot) -> None:
    store = dialog._store
    store.open_dataset(qm9)
    dialog.present()
    assert "formula: C4-6" in dialog.status.text()
    QTest.keyClicks(dialog.line, "NC4H5")
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    settle(dialog)
    formulas = np.array(qm9.structures.formulas())
    wanted = np.flatnonzero(formulas == "C4H5N")
    assert dialog.found.tolist() == wanted.tolist()
    assert f"{len(wanted)} found (formula)" in dialog.status.text()
    assert store.active == wanted[0], "Return before the end of the search waits for its first result"
    QTest.keyClick(dialog.line, Qt.Key.Key_Down)
    QTest.keyClick(dialog.line, Qt.Key.Key_Down)
    QTest.keyClick(dialog.line, Qt.Key.Key_Up)
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert store.active == wanted[1]
    qtbot.waitUntil(lambda: dialog.list.picture(int(wanted[0])) is not None)
    QTest.mouseClick(dialog._select, Qt.MouseButton.LeftButton)
    assert np.flatnonzero(store.session.selection.mask).tolist() == wanted.tolist()
    assert store.session.selection.origin == "search “NC4H5”"
    for dark in (False, True):
        dialog.set_dark(dark)
        settle(dialog)
        dialog.grab().save(str(screenshots / f"find-{'dark' if dark else 'light'}.png"))


def test_kinds_errors_and_modifiers(dialog: FindDialog, qm9: Dataset) -> None:
    store = dialog._store
    store.open_dataset(qm9)
    dialog.present("c1cc[nH]c1")
    dialog.kind.setCurrentIndex(dialog.kind.findData("smarts"))
    dialog._on_kind_activated(0)
    settle(dialog)
    assert len(dialog.found) > 5
    first = len(dialog.found)
    dialog._select.click()
    dialog.line.setText("c1cc")
    settle(dialog)
    assert dialog.status.text().startswith("⚠")
    assert len(dialog.found) == 0
    assert not dialog._select.isEnabled()
    dialog.line.setText("id: gdb 2?")
    settle(dialog)
    assert dialog._how == "identifier"
    dialog._select.click()
    assert store.session.selection.count == len(dialog.found)
    assert store.session.selection.count != first
    dialog.line.setText("xyzzy")
    dialog.kind.setCurrentIndex(0)
    settle(dialog)
    assert "Nothing fits" in dialog.status.text()
    dialog.line.clear()
    settle(dialog)
    assert "For example" in dialog.status.text()


def test_remembers_and_follows_the_data(dialog: FindDialog, qm9: Dataset) -> None:
    store = dialog._store
    store.open_dataset(qm9)
    dialog.present("C4H5N")
    settle(dialog)
    found = dialog.found.tolist()
    dialog.close()
    store.open_dataset(qm9.take(slice(0, 300)))
    assert dialog.found.tolist() == []
    dialog.present()
    settle(dialog)
    assert dialog.line.selectedText() == "C4H5N"
    assert dialog.found.tolist() == [i for i in found if i < 300]


def test_many_results_and_stopping(dialog: FindDialog, qm9: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 50_000
    names = np.array([f"mol {i}" for i in range(n)])
    dialog._store.open_dataset(Dataset("many", qm9.structures.take(np.zeros(n, int)), {}, names))
    dialog.present("mol")
    settle(dialog)
    assert len(dialog.found) == n
    assert dialog.list.rows.rowCount() == MOST_LISTED
    assert f"the first {MOST_LISTED:,} are listed" in dialog.status.text()
    dialog._select.click()
    assert dialog._store.session.selection.count == n

    def slow(_dataset: object, _query: object, progress: find_dialog.Progress) -> object:
        progress.partial(np.array([3, 5]))
        while True:
            progress(0.5)
            QTest.qSleep(2)

    monkeypatch.setattr(find_dialog, "_search", slow)
    dialog.line.setText("other")
    QTest.qWait(500)
    assert dialog._bar.isVisible()
    assert dialog.found.tolist() == [3, 5]
    assert "so far" in dialog.status.text()
    dialog._stop.click()
    settle(dialog)
    assert dialog.found.tolist() == [3, 5]
    assert "Stopped: 2" in dialog.status.text()
    assert not dialog._bar.isVisible()
