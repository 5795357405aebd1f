"""The dialog that computes properties, and what becomes of the results: columns, data sets, reasons."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QTabWidget

from qmlstudio.quantum import records
from qmlstudio.quantum.methods import GFN2
from qmlstudio.quantum.tasks import Dynamics
from qmlstudio.session.filters import FilterResult
from qmlstudio.shell import compute_dialog, warm_up
from qmlstudio.shell.compute_dialog import ComputeDialog
from qmlstudio.shell.dialogs import TextDialog
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]
pytest.importorskip("tblite")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from test to test."""
    monkeypatch.setattr(records, "default_path", lambda: tmp_path / "results.sqlite")
    monkeypatch.setattr(compute_dialog, "_last", compute_dialog._Choice())
    monkeypatch.setattr(warm_up, "_steps", lambda first: [])


def until(condition: Callable[[], object], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        QApplication.processEvents()
        time.sleep(0.002)


@pytest.fixture
def open_window(make_window: Make) -> Iterator[Callable[[Path], MainWindow]]:
    """Makes a window with a data set, and without a map, which nothing here needs."""
    made: list[MainWindow] = []

    def make(path: Path) -> MainWindow:
        window = make_window(str(path), wait=False)
        window.pipeline.enabled = False
        made.append(window)
        until(lambda: window.store.dataset is not None and window.store.dataset.source.path == str(path))
        return window

    yield make
    for window in made:
        window.runner.cancel_all()
        assert window.runner.wait_idle(60)


@pytest.fixture
def opened(open_window: Callable[[Path], MainWindow], xyz: Path) -> MainWindow:
    """A window with small molecules."""
    return open_window(xyz)


def test_columns_come_and_go(opened: MainWindow) -> None:
    window = opened
    store = window.store
    n = len(store.session.selection)
    store.select(np.arange(n) < 4, "replace", "lasso")
    store.publish("filter", "", FilterResult(np.arange(n) % 2 == 0, n // 2, n))
    window.actions_by_id["compute"].trigger()
    dialog = window.findChild(ComputeDialog)
    assert dialog is not None
    assert list(dialog.what) == ["selection", "filter", "all", "active"]
    assert dialog.what["selection"].isChecked()
    assert "4 structures, GFN2-xTB" in dialog._summary.text()
    for name, box in dialog.quantities.items():
        box.setChecked(name in ("energy", "forces"))
    dialog.workers.setValue(1)
    dialog.start()
    until(lambda: "energy_gfn2" in store.columns)
    column = store.columns["energy_gfn2"]
    assert np.flatnonzero(np.isfinite(column.values)).tolist() == [0, 1, 2, 3]
    assert column.values[0] == pytest.approx(-5.06, abs=0.02)
    assert store.properties["forces_gfn2"].values.shape == (5 * n // 2, 3)
    assert "GFN2-xTB" in store.undo_text
    assert "4 computed" in window.statusBar().currentMessage()
    assert any(h.lane == "process" and h.state == "done" for h in window.runner.jobs())
    store.undo()
    assert "energy_gfn2" not in store.columns
    # again, and more of them: what is known is taken from disk, and joins the rest
    store.publish("filter", "", FilterResult(np.arange(n) % 2 == 0, n // 2, n))
    dialog = ComputeDialog(window)
    dialog.open()
    assert [k for k, b in dialog.quantities.items() if b.isChecked()] == ["energy", "forces"], "remembered"
    dialog.what["filter"].setChecked(True)
    store.redo()
    dialog.start()
    until(lambda: "known from before" in window.statusBar().currentMessage())
    found = np.flatnonzero(np.isfinite(store.columns["energy_gfn2"].values)).tolist()
    assert found == sorted({0, 1, 2, 3, *range(0, n, 2)})


def test_failures_are_told(open_window: Callable[[Path], MainWindow], tmp_path: Path) -> None:
    source = tmp_path / "two.xyz"
    source.write_text("2\n\nH 0 0 0\nH 0 0 0.74\n" * 5 + "2\n\nC 0 0 0\nFm 0 0 2.0\n")
    window = open_window(source)
    dialog = ComputeDialog(window)
    dialog.open()
    dialog.what["all"].setChecked(True)
    dialog.start()
    until(lambda: window.findChild(TextDialog))
    assert "1 failed" in window.statusBar().currentMessage()
    assert window.store.columns is not None
    assert "86" in window.store.columns["failure_gfn2"].values[-1]
    assert window.store.columns["failure_gfn2"].values[0] == ""
    assert np.isnan(window.store.columns["energy_gfn2"].values[-1])


def test_dynamics_open_as_a_data_set(opened: MainWindow) -> None:
    window = opened
    window.store.set_active(0)
    dialog = ComputeDialog(window)
    dialog.open()
    compute_dialog._last.tasks["dynamics"] = Dynamics(steps=10, every=5, equilibration=0, relax=False)
    dialog.task.setCurrentIndex(dialog.task.findData("dynamics"))
    assert dialog.what["active"].isChecked(), "dynamics of everything are rarely meant"
    assert not dialog._quantity_box.isVisibleTo(dialog)
    assert "new data set" in dialog._summary.text()
    dialog.start()
    until(lambda: "molecular dynamics" in window.store.session.dataset.name)
    dataset = window.store.dataset
    assert dataset is not None
    assert dataset.ordered
    assert len(dataset) == 3
    assert {"energy", "forces", "temperature", "time"} <= set(dataset.properties)


def test_estimate_and_what_cannot_be(opened: MainWindow, monkeypatch: pytest.MonkeyPatch, screenshots: Path) -> None:
    window = opened
    dialog = ComputeDialog(window)
    dialog.open()
    dialog.what["all"].setChecked(True)
    dialog.estimate_button.click()
    until(lambda: "ms each" in dialog._summary.text())
    assert "80 structures: about" in dialog._summary.text()
    dialog.grab().save(str(screenshots / "compute_calculation.png"))
    tabs = dialog.findChild(QTabWidget)
    assert tabs is not None
    tabs.setCurrentIndex(1)
    dialog.grab().save(str(screenshots / "compute_structures.png"))
    assert dialog.minimumSizeHint().width() <= 600
    tabs.setCurrentIndex(0)
    for box in dialog.quantities.values():
        box.setChecked(False)
    assert not dialog.start_button.isEnabled()
    assert dialog._summary.text() == "Choose a property."
    monkeypatch.setattr(GFN2, "is_available", classmethod(lambda cls: False))
    dialog.method.setCurrentIndex(1)
    dialog.method.setCurrentIndex(0)
    dialog.quantities["energy"].setChecked(True)
    assert dialog._missing.isVisibleTo(dialog)
    assert "pip install" in dialog._missing.text()
    assert not dialog.start_button.isEnabled()
    dialog.reject()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_closing_the_window_ends_the_processes(opened: MainWindow) -> None:
    def children() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_bytes()
                parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"qmlstudio.quantum.worker" in text and parent == str(os.getpid()):
                found.append(text.decode())
        return found

    window = opened
    dialog = ComputeDialog(window)
    dialog.open()
    compute_dialog._last.tasks["dynamics"] = Dynamics(steps=10_000_000)
    dialog.task.setCurrentIndex(dialog.task.findData("dynamics"))
    dialog.what["all"].setChecked(True)
    count = dialog.workers.value()
    dialog.start()
    until(lambda: len(children()) == count)
    window.close()
    assert children() == []
