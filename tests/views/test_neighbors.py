"""The neighbours panel: listed, gone to, pinned, selected, coloured, and a path walked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.near import Nearness
from qmlstudio.progress import SILENT
from qmlstudio.session.stages import stages
from qmlstudio.views.neighbors import NeighborsView
from qmlstudio.widgets.neighbor_list import NeighborList

LEFT = Qt.MouseButton.LeftButton
NO_KEY, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> Iterator[NeighborsView]:
    view = NeighborsView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.set_dark(False)
    view.resize(300, 900)
    view.show()
    yield view
    rig.runner.wait_idle(20)
    view.hide()


@pytest.fixture
def ready(view: NeighborsView, rig: Any, qm9: Dataset) -> NeighborsView:
    """With features, and a map on which the first structure has a false neighbour and a torn one."""
    rig.store.open_dataset(qm9)
    stage = stages(rig.store.session, qm9)[0]
    features = stage.run({}, SILENT)
    x = features.per_structure()
    order = np.argsort(np.linalg.norm(x - x[200], axis=1), kind="stable")
    places = np.empty(len(x))
    places[order] = np.arange(len(x))
    places[order[[1, 300]]] = 5000.0, 0.5  # its nearest is torn away, a far one has come
    rig.store.publish("map", "a map", Coordinates(np.stack([places, np.zeros(len(x))], axis=1)))
    rig.store.publish("features", stage.key, features)
    rig.store.set_active(200)
    rig.settle()
    view.false, view.torn = int(order[300]), int(order[1])  # type: ignore[attr-defined]
    return view


def rows_of(rows: NeighborList) -> dict[int, Any]:
    return {row.index: row for row in rows.items.rows if row.index >= 0}


def click(rows: NeighborList, index: int, modifier: Qt.KeyboardModifier = NO_KEY) -> None:
    place = next(k for k, row in enumerate(rows.items.rows) if row.index == index)
    at = rows.items.index(place)
    rows.scrollTo(at)
    QTest.mouseClick(rows.viewport(), LEFT, modifier, rows.visualRect(at).center())


def test_rows_say_what_is_doubtful(ready: NeighborsView, rig: Any) -> None:
    found = rig.store.result("nearest")
    rows = rows_of(ready.list)
    assert tuple(rows) == (*found.indices.tolist(), ready.false)
    assert rows[ready.torn].mark == "↯ map 399"
    assert rows[ready.false].mark == "⚠ no. 300"
    assert rows[int(found.indices[1])].mark == "✓ map"
    gaps = rig.store.columns["gap"].values
    assert rows[ready.torn].label == "gap"
    assert float(rows[ready.torn].value.split()[0]) == pytest.approx(gaps[ready.torn], rel=1e-3)
    headings = [row.name for row in ready.list.items.rows if row.index < 0]
    assert headings == ["Nearest in the features", "False neighbours on the map"]
    assert rig.store.dataset.identifiers[200] in ready._title.text()


def test_click_goes_there_and_ctrl_pins(ready: NeighborsView, rig: Any) -> None:
    click(ready.list, ready.false, CTRL)
    assert rig.store.session.pins == (ready.false,)
    assert rig.store.active == 200
    click(ready.list, ready.torn)
    assert rig.store.active == ready.torn
    rig.settle()
    assert rig.store.result("nearest").row == ready.torn
    assert 200 in rows_of(ready.list)


def test_keyboard_goes_there(ready: NeighborsView, rig: Any) -> None:
    ready.list.setFocus()
    ready.list.setCurrentIndex(ready.list.items.index(2))
    target = ready.list.items.rows[2].index
    QTest.keyClick(ready.list, Qt.Key.Key_Return)
    assert rig.store.active == target


def test_hovering_goes_both_ways(ready: NeighborsView, rig: Any) -> None:
    seen: list[int] = []
    rig.store.hovered.connect(seen.append)
    at = ready.list.items.index(1)
    QTest.mouseMove(ready.list.viewport(), ready.list.visualRect(at).center())
    QTest.qWait(20)
    assert seen[-1] == ready.torn
    rig.store.hover(ready.false)
    assert ready.list.marked == ready.false


def test_number_and_measure(ready: NeighborsView, rig: Any) -> None:
    ready._k.setValue(3)
    rig.settle()
    assert len(rig.store.result("nearest").indices) == 3
    ready._metric.setCurrentIndex(ready._metric.findData("manhattan"))
    ready._metric.activated.emit(ready._metric.currentIndex())
    rig.settle()
    assert rig.store.result("nearest").nearness == Nearness(metric="manhattan", k=3)
    state = ready.state()
    ready.restore({"nearness": {"name": "nearness", "k": 7}})
    assert ready._k.value() == 7
    ready.restore(state)
    assert ready.finder.nearness == Nearness(metric="manhattan", k=3)
    ready.restore({"nearness": {"k": "many"}})
    ready.restore({})
    assert ready.finder.nearness.k == 3


def test_lines_selection_and_colour(ready: NeighborsView, rig: Any) -> None:
    QTest.mouseClick(ready._lines, LEFT)
    assert rig.store.session.map_view.neighbors
    assert (200, ready.false, "false") in rig.store.links
    rig.store.undo()
    assert not ready._lines.isChecked()
    assert rig.store.links == ()
    QTest.mouseClick(ready._select, LEFT)
    selection = rig.store.session.selection
    assert set(np.flatnonzero(selection.mask)) == {200, *rig.store.result("nearest").indices.tolist()}
    assert "nearest to" in selection.origin
    QTest.mouseClick(ready._similar, LEFT)
    rig.settle()
    assert rig.store.session.reference == 200
    assert rig.store.session.coloring.color_by == "similarity"
    assert rig.store.columns["similarity"].values[200] == 1.0
    assert rows_of(ready.list)[ready.torn].label == "similarity"


def test_path_is_chosen_among_pins_and_walked(ready: NeighborsView, rig: Any) -> None:
    ready._targets.aboutToShow.emit()
    assert [a.isEnabled() for a in ready._targets.actions()] == [False]
    rig.store.toggle_pin(ready.false)
    ready._targets.aboutToShow.emit()
    assert not ready.path.isVisible()
    ready._targets.actions()[0].trigger()
    rig.settle()
    route = ready.finder.route
    assert route is not None
    assert ready.path.isVisible()
    assert ready.path.list.indices == tuple(route.rows.tolist())
    for row in route.rows.tolist()[1:]:
        QTest.mouseClick(ready.path.forth, LEFT)
        assert rig.store.active == row
    QTest.mouseClick(ready.path.forth, LEFT)
    assert rig.store.active == ready.false
    QTest.mouseClick(ready.path.back, LEFT)
    assert rig.store.active == route.rows[-2]
    QTest.mouseClick(ready.path.select, LEFT)
    assert set(np.flatnonzero(rig.store.session.selection.mask)) == set(route.rows.tolist())
    rig.settle()
    QTest.mouseClick(ready.path.close_button, LEFT)
    assert not ready.path.isVisible()
    assert rig.store.links == ()


def test_without_features_the_map_is_all_there_is(view: NeighborsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(3)
    rig.settle()
    assert "not in memory" in view._status.text()
    assert view._compute.isVisible()
    assert not view._path_to.isEnabled()
    assert len(view.list.indices) == 10
    QTest.mouseClick(view._compute, LEFT)
    rig.settle()
    assert not view._status.isVisible()
    assert not view._compute.isVisible()
    assert view._path_to.isEnabled()
    assert view.list.items.rows[0].name == "Nearest in the features"


def test_features_that_are_not_finite_are_named(ready: NeighborsView, rig: Any) -> None:
    from dataclasses import replace

    features = rig.store.result("features")
    broken = features.array.copy()
    broken[200, 0] = np.nan
    rig.store.publish("features", "broken", replace(features, array=broken))
    rig.settle()
    assert "not all finite" in ready._status.text()
    assert len(rig.store.result("nearest").indices) == 0


def test_empty_and_single(view: NeighborsView, rig: Any, qm9: Dataset) -> None:
    assert view._title.text() == "Nothing is active."
    assert not view._similar.isEnabled()
    rig.open(qm9.take(slice(0, 1)))
    view.finder.compute_features()
    rig.settle()
    assert view.list.indices == ()


def test_pictures_come_for_the_rows_in_view(ready: NeighborsView, rig: Any) -> None:
    for _ in range(20):
        rig.settle()
        if all(ready.list.cache.has(i, ready.list.look) for i in ready.list.indices[:5]):
            break
    image = ready.list.cache.get(ready.list.indices[0], ready.list.look)
    assert image is not None


def test_fits_a_narrow_dock(ready: NeighborsView) -> None:
    ready._unfold.setChecked(True)
    assert ready.minimumSizeHint().width() <= 300


@pytest.mark.parametrize("dark", [False, True])
def test_looks(ready: NeighborsView, rig: Any, screenshots: Path, dark: bool) -> None:
    ready.set_dark(dark)
    rig.store.toggle_pin(ready.false)
    ready.find_path_to(ready.false)
    for _ in range(8):
        rig.settle()
    assert ready.grab().save(str(screenshots / f"neighbors_{'dark' if dark else 'light'}.png"))
