from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.embedding import PCA
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.views.map import MapView


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> MapView:
    view = MapView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(700, 560)
    view.show()
    return view


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("color", ["gap", "elements", "with_gaps"])
def test_pictures(view: MapView, rig: Any, qm9: Dataset, dark: bool, color: str, screenshots: Path) -> None:
    holes = qm9.properties["gap"].values.copy()
    holes[::7] = np.nan
    kind = np.where(qm9.structures.sizes > 14, "large", np.where(qm9.structures.sizes > 10, "medium", "small"))
    more = {"with_gaps": Property(holes, unit="Ha"), "elements": Property(kind)}
    rig.open(replace(qm9, properties={**qm9.properties, **more}))
    view.set_dark(dark)
    rig.store.update(coloring=rig.store.session.coloring.with_values(color_by=color))
    rig.store.toggle_pin(5)
    rig.store.select(np.arange(400) % 3 > 0, "replace", "lasso")
    QTest.qWait(50)
    assert view.grab().save(str(screenshots / f"map_{color}_{'dark' if dark else 'light'}.png"))
    assert view.legend.isVisible() == (color == "elements")
    assert view.color_bar.isVisible() == (color != "elements")
    if color == "with_gaps":
        assert str(int(np.isnan(holes).sum())) in view.color_bar.missing_text


def test_every_point_is_counted(view: MapView, rig: Any, qm9: Dataset, qtbot: Any) -> None:
    rig.open(qm9)
    qtbot.waitUntil(lambda: view.scatter.status.startswith("400 of 400"), timeout=5000)


def test_cheapest_redraw(view: MapView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    drawn = view.redraws
    rig.store.update(coloring=rig.store.session.coloring.with_values(palette="cividis"))
    rig.store.select(np.arange(400) < 3, "replace", "lasso")
    rig.store.set_active(5)
    rig.store.toggle_pin(5)
    assert view.redraws == drawn


def test_a_new_map_wanders_and_what_streams_meanwhile_waits(view: MapView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    points = rig.store.result("map").points
    drawn = view.redraws
    for epoch in range(1, 4):
        rig.store.publish("map", "", Coordinates(points + epoch, epoch=epoch, n_epochs=10))
    assert view.redraws == drawn + 1
    rig.store.publish("map", "key", Coordinates(points + 9, epoch=10, n_epochs=10))
    QTest.qWait(500)
    assert np.allclose(view.scatter.position(0), points[0] + 9)


def test_axes_only_where_they_mean_something(view: MapView, rig: Any, qm9: Dataset) -> None:
    rig.store.update(embedding=PCA())
    rig.open(qm9)
    points = rig.store.result("map").points
    rig.store.publish("map", "a", Coordinates(points, ("PC 1 (34 %)", "PC 2 (12 %)")))
    assert view.scatter.axes == ("PC 1 (34 %)", "PC 2 (12 %)")
    rig.store.publish("map", "b", Coordinates(points))
    assert view.scatter.axes == ()


def test_hover_card_says_what_it_is(view: MapView, rig: Any, qm9: Dataset, screenshots: Path) -> None:
    rig.open(qm9)
    index = view.scatter.point_at(view.scatter.pixel(40))
    view._on_scatter_hovered(index)
    assert view.card.isVisible()
    rig.settle()
    assert view.card._title.text() == str(qm9.identifiers[index])
    assert view.card._subtitle.text() == qm9.structures[index].formula
    assert "gap" in view.card._rows.text()
    assert view.card._depiction.isVisible()
    assert view.card.grab().save(str(screenshots / "hover_card.png"))
    QTest.keyClick(view, Qt.Key.Key_T)
    view._on_scatter_hovered(-1)
    assert view.card.isVisible()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not view.card.isVisible()


def test_legend_switches_categories(view: MapView, rig: Any, qm9: Dataset) -> None:
    kind = np.where(qm9.structures.sizes > 12, "large", "small")
    rig.open(replace(qm9, properties={**qm9.properties, "kind": Property(kind)}))
    rig.store.update(coloring=rig.store.session.coloring.with_values(color_by="kind"))
    view.legend.toggled.emit(frozenset({0}))
    assert view.colors is not None
    assert rig.store.session.coloring.hidden == view.colors.categories[1]
    assert view.colors.hidden.sum() == view.colors.counts[1]


def test_failure_is_written_on_the_map(view: MapView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.fail("map", "too large", "trace")
    assert "too large" in view._note.text()
    assert view._note.toolTip() == "trace"


def test_context_menu_names_the_point(view: MapView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    asked: list[tuple[int, QPoint]] = []
    view.context_menu_requested.connect(lambda index, place: asked.append((index, place)))
    port = view.scatter.focusProxy().viewport()
    place = view.scatter.pixel(7).toPoint()
    # what the window system sends after a right click
    QApplication.sendEvent(port, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, port.mapToGlobal(place)))
    assert len(asked) == 1
    assert asked[0][0] == view.scatter.point_at(view.scatter.pixel(7))
