"""The selection panel: counts, provenance, sources, named selections, their algebra; all of it undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.clustering import Clusters
from qmlstudio.session.filters import FilterResult
from qmlstudio.session.session import Session
from qmlstudio.views.selection import SelectionView

NO_KEY = Qt.KeyboardModifier.NoModifier
SHIFT, ALT, CTRL = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
)


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> SelectionView:
    view = SelectionView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(300, 420)
    view.show()
    return view


@pytest.fixture
def ready(view: SelectionView, rig: Any, qm9: Dataset) -> Iterator[SelectionView]:
    rig.open(qm9)
    yield view
    rig.settle()


def rows(*chosen: int, n: int = 400) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[list(chosen)] = True
    return mask


def click(view: SelectionView, row: int, modifiers: Qt.KeyboardModifier = NO_KEY) -> None:
    place = view.list.visualRect(view.list.rows.index(row, 1)).center()
    QTest.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, modifiers, place)


def entries(view: SelectionView) -> dict[str, Any]:
    view.sources.aboutToShow.emit()
    return {a.text(): a for a in view.sources.actions() if not a.isSeparator()}


def entry(view: SelectionView, text: str) -> Any:
    return next(a for k, a in entries(view).items() if k.startswith(text))


def keep(view: SelectionView, store: Any, name: str, mask: np.ndarray) -> None:
    store.select(mask, "replace", f"from {name}")
    view.name_current()
    editor = view.list.findChildren(QLineEdit)[-1]
    QTest.keyClick(editor, Qt.Key.Key_A, CTRL)
    QTest.keyClicks(editor, name)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.qWait(10)


def test_no_data_set(view: SelectionView) -> None:
    assert "Nothing" in view.count.text()
    assert not view._name.isEnabled()
    assert not view._all.isEnabled()
    assert not any(a.isEnabled() for a in entries(view).values())
    assert view.minimumSizeHint().width() <= 300


def test_count_and_provenance(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    store.select(rows(*range(100)), "replace", "lasso")
    store.select(rows(*range(50, 400)), "intersect", "filter (gap < 0.2)")
    assert ready.count.text() == "50 of 400 · 12.5 %"
    store.set_active(7)
    store.select(rows(60), "subtract", "search “C4”")
    assert [(s.sign, s.text, s.count) for s in ready.chain.steps] == [
        ("", "lasso", 100),
        ("∩", "filter (gap < 0.2)", 50),
        ("−", "search “C4”", 49),
    ]
    store.undo()
    assert [s.count for s in ready.chain.steps] == [100, 50]
    store.select(rows(1), "add", "click")
    assert [s.count for s in ready.chain.steps] == [100, 50, 51], "goes on from the state that undo gave back"
    ready._invert.click()
    assert [(s.text, s.count) for s in ready.chain.steps] == [("not (lasso ∩ filter (gap < 0.2) + click)", 349)]
    ready._none.click()
    assert store.session.selection.count == 0
    assert ready.chain.steps == ()
    ready._invert.click()
    assert store.session.selection.origin == "all"


def test_a_session_from_elsewhere_has_steps_without_counts(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    for operation, origin in (("replace", "lasso"), ("add", "box"), ("subtract", "click")):
        selection = store.session.selection.combine(rows(1, 2), operation, origin)
        store._session = Session.from_dict({**store.session.to_dict(), "selection": selection.to_dict()})
    store.select(rows(9), "add", "table")
    assert [s.count for s in ready.chain.steps][-1] == 1


def test_naming_choosing_and_undo(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    keep(ready, store, "first", rows(*range(10)))
    keep(ready, store, "second", rows(*range(5, 20)))
    assert [(n.name, n.selection.count, n.selection.origin) for n in store.session.named] == [
        ("first", 10, "from first"),
        ("second", 15, "from second"),
    ]
    click(ready, 0)
    assert store.session.selection.count == 10
    assert store.session.selection.origin == "“first”"
    click(ready, 1, SHIFT)
    assert store.session.selection.count == 20
    click(ready, 1, ALT)
    assert store.session.selection.count == 5
    click(ready, 0)
    click(ready, 1, CTRL)
    assert np.flatnonzero(store.session.selection.mask).tolist() == [5, 6, 7, 8, 9]
    click(ready, 1)
    assert [ready.list.rows.row(k).current for k in (0, 1)] == [False, True]
    store.select(rows(1, 2, 3), "replace", "click")
    ready.list.set_current(0)
    ready._renew.click()
    assert store.session.named[0].selection.count == 3
    store.undo()
    assert store.session.named[0].selection.count == 10


def test_renaming_moving_removing(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    for k, name in enumerate("abc"):
        keep(ready, store, name, rows(k))
    ready.list.rows.setData(ready.list.rows.index(2, 0), "a")
    assert [n.name for n in store.session.named] == ["a", "b", "a 2"], "names stay apart"
    ready.list.set_current(2)
    QTest.keyClick(ready.list, Qt.Key.Key_Up, ALT)
    assert [n.name for n in store.session.named] == ["a", "a 2", "b"]
    assert ready.list.current == 1
    QTest.keyClick(ready.list, Qt.Key.Key_Delete)
    assert [n.name for n in store.session.named] == ["a", "b"]
    store.undo()
    store.undo()
    assert [n.name for n in store.session.named] == ["a", "b", "a 2"]
    assert store.session == Session.from_dict(store.session.to_dict())


def test_algebra(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    keep(ready, store, "low gap", rows(*range(10)))
    keep(ready, store, "b", rows(*range(5, 20)))
    ready.line.setText("low gap & b | ~(low gap | b)")
    QTest.keyClick(ready.line, Qt.Key.Key_Return)
    assert store.session.selection.count == 5 + 380
    assert store.session.selection.origin == "(`low gap` ∩ b ∪ ¬(`low gap` ∪ b))"
    assert len(ready.chain.steps) == 1
    store.update("pins", pins=(300,))
    assert ready.select_expression("pins", "subtract")
    assert store.session.selection.count == 384
    ready.line.setText("b & lowgap")
    QTest.keyClick(ready.line, Qt.Key.Key_Return)
    assert "`low gap`" in ready.problem.text()
    assert ready.problem.isVisible()
    assert ready.line.selectedText() == "lowgap"
    assert store.session.selection.count == 384
    ready.line.setText("b & ")
    assert not ready.problem.isVisible()
    assert [c.text for c in ready.line._completions("", 0)][:2] == ["`low gap`", "b"]  # type: ignore[misc]


def test_sources(ready: SelectionView, rig: Any, qm9: Dataset) -> None:
    store = rig.store
    store.set_active(50)
    assert not entry(ready, "Cluster of").isEnabled()
    assert not entry(ready, "Passing the filters").isEnabled()
    labels = np.arange(400) % 4 - 1
    store.publish("clusters", "k", Clusters(labels, np.ones(400), np.zeros((3, 2))))
    store.publish("filter", "f", FilterResult(rows(1, 2), 2, 400))
    entry(ready, "Cluster of").trigger()
    assert (store.session.selection.mask == (labels == labels[50])).all()
    entry(ready, "Passing the filters").trigger()
    assert store.session.selection.count == 2
    entry(ready, "Same formula").trigger()
    rig.settle()
    formula = qm9.structures[50].formula
    assert store.session.selection.count == qm9.structures.formulas().count(formula)
    assert store.session.selection.origin == formula
    store.set_derived("kind", Property(np.array(["x", "y"] * 200)))
    store.update("colour", coloring=type(store.session.coloring)(color_by="kind"))
    entry(ready, "Same kind").trigger()
    rig.settle()
    assert np.flatnonzero(store.session.selection.mask).tolist() == list(range(0, 400, 2))


def test_samples_of_all_and_of_the_selection(ready: SelectionView, rig: Any) -> None:
    store = rig.store
    ready.sources.select_random(30)
    rig.settle()
    assert store.session.selection.count == 30
    assert "seed" in store.session.selection.origin
    before = store.session.selection.mask
    ready.sources.select_spread(5)
    rig.settle()
    assert store.session.selection.count == 5
    assert not (store.session.selection.mask & ~before).any()
    store.clear_selection()
    ready.sources.select_every(100)
    rig.settle()
    assert np.flatnonzero(store.session.selection.mask).tolist() == [0, 100, 200, 300]
    ready.sources._ask_random()
    assert ready.sources._asked is not None
    ready.sources._asked.setIntValue(2)
    ready.sources._asked.accept()
    rig.settle()
    assert store.session.selection.count == 2


def test_missing_values(view: SelectionView, rig: Any, qm9: Dataset) -> None:
    holes = np.where(np.arange(400) % 10, 1.0, np.nan)
    rig.open(Dataset("holes", qm9.structures, {"x": Property(holes)}, qm9.identifiers))
    menu = entry(view, "Missing values of").menu()
    menu.actions()[0].trigger()
    rig.settle()
    assert rig.store.session.selection.count == 40
    assert rig.store.session.selection.origin == "x missing"


def test_looks(ready: SelectionView, rig: Any, screenshots: Path) -> None:
    store = rig.store
    keep(ready, store, "low gap", rows(*range(10)))
    keep(ready, store, "what lies in the same cluster as pyrrole and has two nitrogens", rows(*range(30)))
    store.select(rows(*range(100)), "replace", "lasso")
    store.select(rows(*range(50, 400)), "intersect", "filter (0.1 ≤ gap ≤ 0.2 and with N and not in cluster 3)")
    store.select(rows(60), "subtract", "search “C4”")
    ready.line.setText("low gap & pyrole")
    ready.select_expression("low gap & pyrole")
    for dark in (False, True):
        ready.set_dark(dark)
        ready.grab().save(str(screenshots / f"selection-{'dark' if dark else 'light'}.png"))
    assert ready.width() == 300
    assert ready.minimumSizeHint().width() <= 300
