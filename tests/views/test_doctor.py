"""The doctor panel: runs by itself, on demand, leads to structures and atoms, and leaves structures out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.exclusions import Exclusion
from qmlstudio.views.doctor import DoctorView

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> Iterator[DoctorView]:
    view = DoctorView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(300, 820)
    view.show()
    yield view
    rig.runner.cancel_all()


@pytest.fixture(scope="session")
def ill(qm9: Dataset) -> Dataset:
    """A set with a clash, an atom far away, missing values, a copy and a wrong unit."""
    positions, offsets = np.array(qm9.structures.positions), qm9.structures.offsets
    positions[offsets[100] + 1] = positions[offsets[100]] + 0.1
    positions[offsets[200] + 2] += 30.0
    twin = slice(offsets[300], offsets[301])
    structures = Structures(
        np.append(qm9.structures.numbers, qm9.structures.numbers[twin]),
        np.vstack([positions, positions[twin]]),
        np.append(offsets, offsets[-1] + offsets[301] - offsets[300]),
    )
    gap = np.append(qm9.properties["gap"].values, 0.3)
    gap[5:40] = np.nan
    homo = Property(np.append(qm9.properties["homo"].values, -0.25), unit="eV")
    names = np.append(qm9.identifiers, "twin")
    return Dataset("ill", structures, {"gap": Property(gap, unit="Ha"), "homo": homo}, names)


@pytest.fixture
def ready(view: DoctorView, rig: Any, ill: Dataset) -> DoctorView:
    rig.open(ill)
    QTest.mouseClick(view._run, LEFT)
    rig.settle()
    return view


def show(view: DoctorView, check: str) -> None:
    view.check_list.setCurrentIndex(view.checks.index(1 + view.checks.names.index(check), 0))


def texts(view: DoctorView) -> list[str]:
    return [str(view.findings.index(k, 1).data()) for k in range(view.findings.rowCount())]


def test_quick_checks_run_by_themselves(view: DoctorView, rig: Any, ill: Dataset, qm9: Dataset) -> None:
    badges: list[str] = []
    view.badge_changed.connect(badges.append)
    rig.open(ill)
    assert view.engine.state("missing") == "done"
    assert view.engine.count > 0
    assert badges[-1] == view.badge == f"Doctor ({view.engine.count})"
    assert not rig.store.session.exclusions
    rig.open(qm9.take(slice(100, 160)))
    assert badges[-1] == "Doctor"


def test_findings_and_their_order(ready: DoctorView) -> None:
    assert all(ready.engine.state(name) == "done" for name in ready.checks.names)
    found = texts(ready)
    assert "are 0." in found[0]
    assert any("missing in 35 structures" in t for t in found)
    assert any("the unit is given as eV" in t for t in found)
    show(ready, "same_geometry")
    assert texts(ready)[0].startswith("the geometry of")
    assert ready.findings.index(0, 0).data() == "▲ twin"


def test_a_click_goes_to_structure_and_atoms(ready: DoctorView, rig: Any) -> None:
    show(ready, "clashes")
    place = ready.finding_list.visualRect(ready.findings.index(0, 1)).center()
    QTest.mouseClick(ready.finding_list.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    assert rig.store.active == 100
    assert rig.store.picked == (0, 1)
    assert "Å apart" in ready._detail.text()
    show(ready, "missing")
    ready.finding_list.setCurrentIndex(ready.findings.index(0, 0))
    assert rig.store.active == 5
    assert rig.store.picked == ()


def test_show_on_the_map(ready: DoctorView, rig: Any) -> None:
    show(ready, "missing")
    QTest.mouseClick(ready._select, LEFT)
    selection = rig.store.session.selection
    assert np.flatnonzero(selection.mask).tolist() == list(range(5, 40))
    assert selection.origin == "doctor: missing values"


def test_colour_by_findings(ready: DoctorView, rig: Any) -> None:
    QTest.mouseClick(ready._color, LEFT)
    rig.settle()
    column = rig.store.columns["doctor"]
    assert rig.store.session.coloring.color_by == "doctor"
    assert column.values[100] == "Clashes"
    assert column.values[7] == "Missing values"
    assert column.values[-1] == "Same geometry"
    rig.store.undo()
    assert rig.store.session.coloring.color_by != "doctor"


def test_exclude_is_one_click_and_can_be_undone(ready: DoctorView, rig: Any) -> None:
    show(ready, "same_geometry")
    QTest.mouseClick(ready._exclude, LEFT)
    (made,) = rig.store.session.exclusions
    assert made == Exclusion("same geometry", made.reason, np.array([400]))
    assert "rmsd up to 0.002 Å" in made.reason
    assert ready._unfold_exclusions.text() == "Exclusions (1 of 1 on)"
    QTest.mouseClick(ready._exclude, LEFT)
    assert [e.name for e in rig.store.session.exclusions] == ["same geometry", "same geometry 2"]
    rig.store.undo()
    rig.store.undo()
    assert rig.store.session.exclusions == ()


def test_the_lists_are_managed(ready: DoctorView, rig: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(ready, "clashes")
    QTest.mouseClick(ready._exclude, LEFT)
    show(ready, "missing")
    QTest.mouseClick(ready._exclude, LEFT)
    manager = ready.exclusions
    off, edit = Qt.ItemDataRole.CheckStateRole, Qt.ItemDataRole.EditRole
    assert manager.rows.setData(manager.rows.index(1, 0), Qt.CheckState.Unchecked, off)
    assert manager.rows.setData(manager.rows.index(0, 0), "  too  near ", edit)
    assert not manager.rows.setData(manager.rows.index(0, 0), " ", edit)
    lists = rig.store.session.exclusions
    assert [(e.name, e.active, len(e)) for e in lists] == [("too near", True, 1), ("missing values", False, 35)]
    path = tmp_path / "lists.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    QTest.mouseClick(manager.save, LEFT)
    rig.settle()
    manager.list.selectAll()
    QTest.mouseClick(manager.remove, LEFT)
    assert rig.store.session.exclusions == ()
    QTest.mouseClick(manager.load, LEFT)
    rig.settle()
    assert rig.store.session.exclusions == lists
    path.write_text("nonsense")
    QTest.mouseClick(manager.load, LEFT)
    rig.settle()
    assert "⚠" in ready._status.text()


def test_open_without_excluded(ready: DoctorView, rig: Any, ill: Dataset) -> None:
    made: list[Dataset] = []
    ready.rest_made.connect(made.append)
    ready.engine.exclude("some", np.array([0, 400]), "because")
    ready._unfold_exclusions.setChecked(True)
    QTest.mouseClick(ready.exclusions.rest, LEFT)
    rig.settle()
    (rest,) = made
    assert len(rest) == len(ill) - 2
    assert rest.identifiers[0] == ill.identifiers[1]
    assert rest.source.path == ""


def test_parameters_make_a_result_old(ready: DoctorView) -> None:
    show(ready, "clashes")
    ready._unfold.setChecked(True)
    check = ready.engine.checks["clashes"]
    ready._form.set_value(check)
    ready._on_form_value_changed(replace(check, fraction=0.8))
    assert ready.engine.state("clashes") == "old"
    assert ready.checks.index(1 + ready.checks.names.index("clashes"), 1).data().endswith("*")


def test_only_ticked_checks_run(view: DoctorView, rig: Any, ill: Dataset) -> None:
    rig.open(ill)
    view.engine._found.clear()
    state = Qt.ItemDataRole.CheckStateRole
    view.checks.setData(view.checks.index(0, 0), Qt.CheckState.Unchecked, state)
    assert not view._run.isEnabled()
    view.checks.setData(view.checks.index(1, 0), Qt.CheckState.Checked, state)
    assert view.checks.index(0, 0).data(state) == Qt.CheckState.PartiallyChecked
    QTest.mouseClick(view._run, LEFT)
    rig.settle()
    assert set(view.engine.found) == {"coordinates"}


def test_a_click_comes_before_what_runs_by_itself(view: DoctorView, rig: Any, ill: Dataset) -> None:
    rig.store.open_dataset(ill)
    assert view.engine.state("clashes") == "running"
    assert view._run.text() == "Examine"
    view.engine.run(["leakage"])
    assert view._run.text() == "Stop"
    rig.settle()
    assert {"leakage", "clashes"} <= set(view.engine.found)


def test_cancelled_checks_can_be_run_again(view: DoctorView, rig: Any, ill: Dataset) -> None:
    rig.open(ill)
    view.run_all()
    assert view.engine.is_running
    assert view._run.text() == "Stop"
    QTest.mouseClick(view._run, LEFT)
    assert not view.engine.is_running
    QTest.mouseClick(view._run, LEFT)
    rig.settle()
    assert view.engine.state("leakage") == "done"


def test_corrected_units_are_looked_at_again(ready: DoctorView, rig: Any, ill: Dataset) -> None:
    assert ready.engine.found["units"].counts[1] == 1
    rig.store.add_columns({"homo": replace(ill.properties["homo"], unit="Ha")}, "unit corrected")
    rig.settle()
    assert len(ready.engine.found["units"]) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures(ready: DoctorView, rig: Any, dark: bool, screenshots: Path) -> None:
    ready.set_dark(dark)
    show(ready, "clashes")
    ready._unfold.setChecked(True)
    ready.finding_list.setCurrentIndex(ready.findings.index(0, 0))
    QTest.mouseClick(ready._exclude, LEFT)
    QTest.qWait(20)
    assert ready.minimumSizeHint().width() <= 300
    assert ready.grab().save(str(screenshots / f"doctor_{'dark' if dark else 'light'}.png"))
