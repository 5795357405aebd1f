"""The enumeration's dialog: choices, preview, run, stop, open, save."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.app.commands import COMMANDS
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.enumeration.stages import Enumeration, Sample
from qmlstudio.shell.actions import Actions
from qmlstudio.shell.enumerate_dialog import EnumerateDialog


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[EnumerateDialog]:
    runner = JobRunner()
    dialog = EnumerateDialog(runner)
    dialog.work.workers = 1
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.list._timer.stop()
    runner.shutdown()
    dialog.work.discard()


def choose(dialog: EnumerateDialog, **values: object) -> None:
    value = dialog.form.value()
    assert value is not None
    dialog.form.set_value(value.with_values(**values))
    dialog._on_spec_changed()


def test_choices(dialog: EnumerateDialog, screenshots: Path) -> None:
    assert dialog.spec() == Enumeration()
    assert not dialog.open_button.isEnabled()
    dialog.elements.boxes["F"].setChecked(True)
    dialog.elements.most["F"].setValue(2)
    dialog.elements.least["C"].setValue(1)
    assert dialog.spec().elements == "C1- N O F0-2"
    dialog._items["enol"].setCheckState(0, Qt.CheckState.Unchecked)
    assert dialog.spec().without == "enol"
    assert "enol" not in {row.name for row in dialog.funnel._rows}
    dialog._items["enol"].parent().setCheckState(0, Qt.CheckState.Unchecked)
    assert "imine" in dialog.spec().without.split(",")
    assert "bredt" not in dialog.spec().without.split(",")
    dialog.filters.setCurrentItem(dialog._items["aminal"])
    assert "lose water" in dialog._reason.text()
    assert "[CX4]" in dialog._reason.text()
    for box in dialog.elements.boxes.values():
        box.setChecked(False)
    assert "elements" in dialog.status.text()
    assert not dialog.run_button.isEnabled()
    dialog.elements.boxes["C"].setChecked(True)
    assert dialog.run_button.isEnabled()
    dialog.grab().save(str(screenshots / "enumerate_dialog.png"))


def test_run_open_and_save(
    dialog: EnumerateDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screenshots: Path
) -> None:
    choose(dialog, n_heavy=3)
    with qtbot.waitSignal(dialog.work.ended, timeout=60_000) as ended:
        QTest.mouseClick(dialog.run_button, Qt.MouseButton.LeftButton)
        assert "Stop" in dialog.run_button.text()
        assert not dialog.save_button.isEnabled()
    assert ended.args == ["done"]
    assert "27 molecules" in dialog.status.text()
    assert dialog.funnel._counts["unique"] == 27
    assert dialog._items["peroxide"].text(1) == "7"
    assert dialog.list.rows.rowCount() == 27
    assert "Run" in dialog.run_button.text()
    with qtbot.waitSignal(dialog.made, timeout=60_000) as made:
        QTest.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    dataset = made.args[0]
    assert isinstance(dataset, Dataset)
    assert len(dataset) == 27
    assert set(dataset.per_structure) >= {"smiles", "n_heavy", "formula"}
    goal = tmp_path / "found"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(goal), ""))
    with qtbot.waitSignal(dialog.work.saved, timeout=60_000):
        QTest.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
    with gzip.open(f"{goal}.smi.gz", "rt") as file:
        assert len(file.read().splitlines()) == 27
    assert "Wrote" in dialog.status.text()
    dialog.grab().save(str(screenshots / "enumerate_done.png"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "a.smi"), ""))
    with qtbot.waitSignal(dialog.failed, timeout=60_000):
        dialog.save_button.click()
    assert "⚠" in dialog.status.text()


def test_stop_keeps_what_was_found(dialog: EnumerateDialog, qtbot: QtBot) -> None:
    choose(dialog, n_heavy=10)
    dialog.run_button.click()
    qtbot.waitUntil(lambda: dialog.work.finds is not None and dialog.work.finds.count > 20, timeout=60_000)
    with qtbot.waitSignal(dialog.work.ended, timeout=10_000) as ended:
        dialog.run_button.click()
    assert ended.args == ["cancelled"]
    assert "Stopped" in dialog.status.text()
    assert dialog.open_button.isEnabled()
    finds = dialog.work.finds
    assert finds is not None
    assert finds.count >= 20
    assert not dialog.work.is_running


def test_nothing_found(dialog: EnumerateDialog, qtbot: QtBot) -> None:
    choose(dialog, n_heavy=2)
    dialog.elements.set_bounds({"F": (2, 2)})
    dialog.elements.boxes["Cl"].setChecked(True)
    with qtbot.waitSignal(dialog.work.ended, timeout=60_000):
        dialog.run_button.click()
    assert dialog.status.text() == "No molecule passes all filters."
    assert not dialog.open_button.isEnabled()


def test_preview(dialog: EnumerateDialog, qtbot: QtBot) -> None:
    choose(dialog, n_heavy=3)
    with qtbot.waitSignal(dialog.work.sampled, timeout=60_000) as sampled:
        dialog.preview_button.click()
    found = sampled.args[0]
    assert isinstance(found, Sample)
    assert dialog.list.rows.rowCount() == len(found.molecules) > 10
    assert "About 17 molecules" in dialog.status.text()
    qtbot.waitUntil(lambda: dialog.list.picture(0) is not None, timeout=60_000)


def test_the_command_opens_one_dialog_and_shows_what_it_makes(qtbot: QtBot) -> None:
    class Window(QWidget):
        """What the command needs of the main window."""

        def __init__(self) -> None:
            super().__init__()
            self.store = Store()
            self.runner = JobRunner()
            self.documents = Documents()
            self.show_error = self.documents.show_dataset

    class Documents(QObject):
        def __init__(self) -> None:
            super().__init__()
            self.shown: list[object] = []

        def show_dataset(self, dataset: object) -> None:
            self.shown.append(dataset)

    assert any(command.id == "enumerate" and command.menu == "&Data" for command in COMMANDS)
    window = Window()
    qtbot.addWidget(window)
    actions = Actions(window)  # type: ignore[arg-type]
    actions.on_enumerate()
    dialog = window.findChild(EnumerateDialog)
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()
    actions.on_enumerate()
    assert window.findChildren(EnumerateDialog) == [dialog]
    dialog.made.emit("a data set")
    assert window.documents.shown == ["a data set"]
    dialog.close()
    window.runner.shutdown()
