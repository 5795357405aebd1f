"""The clusters panel: found, named, selected, described, followed and undone."""

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
from qmlstudio.learning.clustering import HDBSCAN, Clusters, KMeans
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.session.coloring import CATEGORY_COLORS, Coloring, color_scale
from qmlstudio.session.session import Session
from qmlstudio.session.stages import stages
from qmlstudio.views.clusters import ClustersView

NO_KEY = Qt.KeyboardModifier.NoModifier
SHIFT, ALT, CTRL = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
)


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> Iterator[ClustersView]:
    view = ClustersView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(300, 860)
    view.show()
    yield view
    view._delay.stop()


def islands(dataset: Dataset, shift: float = 0.0) -> np.ndarray:
    """Points in four groups: by the number of oxygen and nitrogen atoms; every fortieth lies far out."""
    structures = dataset.structures
    owner = np.repeat(np.arange(len(structures)), structures.sizes)
    groups = [np.bincount(owner[structures.numbers == z], minlength=len(structures)) > 0 for z in (7, 8)]
    rng = np.random.default_rng(0)
    points = np.stack([10.0 * groups[0], 10.0 * groups[1]], axis=1) + rng.normal(size=(len(structures), 2))
    points[::40] = rng.uniform(-300, 300, (len(points[::40]), 2))
    return points + shift


def show_map(rig: Any, points: np.ndarray, key: str = "") -> None:
    store = rig.store
    store.publish("map", key or stages(store.session, store.dataset)[-1].key, Coordinates(points))


@pytest.fixture
def ready(view: ClustersView, rig: Any, qm9: Dataset) -> ClustersView:
    rig.store.open_dataset(qm9)
    show_map(rig, islands(qm9))
    QTest.mouseClick(view._find, Qt.MouseButton.LeftButton)
    rig.settle()
    return view


def click(view: ClustersView, label: int, modifier: Qt.KeyboardModifier = NO_KEY) -> None:
    rows = view.list
    index = rows.rows.index(rows.rows.row_of(label), 0)
    rows.scrollTo(index)
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, modifier, rows.visualRect(index).center())


def test_button_finds_and_publishes(ready: ClustersView, rig: Any, qm9: Dataset) -> None:
    store = rig.store
    found = store.result("clusters")
    assert isinstance(found, Clusters)
    expected = HDBSCAN().run(islands(qm9))
    assert np.array_equal(found.labels, expected.labels)
    assert found.count == 4
    assert store.session.clustering == HDBSCAN()
    column = store.columns["cluster"]
    assert column.values[found.labels == 1][0] == "cluster 2"
    assert (column.values[found.labels < 0] == "").all()
    assert "4 clusters" in ready._status.text()
    assert ready.list.rows.rowCount() == 5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures(ready: ClustersView, rig: Any, dark: bool, screenshots: Path) -> None:
    ready.set_dark(dark)
    rig.store.set_active(121)
    ready.show_active()
    rig.settle()
    assert ready.text.report is not None
    assert len(ready.strip.indices) == 6
    assert ready.grab().save(str(screenshots / f"clusters_{'dark' if dark else 'light'}.png"))


def test_it_fits_a_narrow_dock(ready: ClustersView) -> None:
    ready._unfold.setChecked(True)
    assert ready.minimumSizeHint().width() <= 300


def test_swatches_have_the_maps_colours(ready: ClustersView, rig: Any) -> None:
    store = rig.store
    scale = color_scale(Coloring(color_by="cluster"), store.columns)
    labels = store.result("clusters").labels
    for k in range(4):
        color = ready.list.rows.row(k).color
        assert color == tuple(scale.lut[scale.index[labels == k][0]])
        assert color == tuple(CATEGORY_COLORS[k])


def test_clicks_select(ready: ClustersView, rig: Any) -> None:
    store = rig.store
    labels = store.result("clusters").labels
    click(ready, 0)
    assert np.array_equal(store.session.selection.mask, labels == 0)
    assert store.session.selection.origin == "cluster 1"
    click(ready, 1, SHIFT)
    assert np.array_equal(store.session.selection.mask, (labels == 0) | (labels == 1))
    click(ready, 0, ALT)
    assert np.array_equal(store.session.selection.mask, labels == 1)
    click(ready, 2, CTRL)
    assert not store.session.selection.mask.any()
    click(ready, -1)
    assert np.array_equal(store.session.selection.mask, labels < 0)
    rig.settle()


def test_description_follows_the_marked_cluster(ready: ClustersView, rig: Any) -> None:
    labels = rig.store.result("clusters").labels
    for label in (1, 2):
        ready.list.set_current(label)
        rig.settle()
        report = ready.text.report
        assert report is not None
        assert report.count == np.count_nonzero(labels == label)
        assert (labels[list(ready.strip.indices)] == label).all()
    for k, method in enumerate(("medoid", "fps", "cur")):
        ready._stand_in.setCurrentIndex(k)
        ready._stand_in.activated.emit(k)
        rig.settle()
        assert ready._represented.split()[-2] == method
        assert (labels[list(ready.strip.indices)] == 2).all()


def test_selection_against_the_rest(ready: ClustersView, rig: Any) -> None:
    ready._subject.setCurrentIndex(1)
    ready._subject.activated.emit(1)
    assert "Nothing is selected" in ready.text.toPlainText()
    mask = rig.store.dataset.properties["gap"].values < 0.22
    rig.store.select(mask, "replace", "gap < 0.22")
    QTest.qWait(250)
    rig.settle()
    report = ready.text.report
    assert report is not None
    assert report.count == mask.sum()
    assert "gap" in {d.name for d in report.properties}


def test_representatives_are_pinned_and_gone_to(ready: ClustersView, rig: Any) -> None:
    ready.list.set_current(1)
    rig.settle()
    first = ready.strip.indices[0]
    place = ready.strip.visualItemRect(ready.strip.item(0)).center()
    QTest.mouseClick(ready.strip.viewport(), Qt.MouseButton.LeftButton, NO_KEY, place)
    assert rig.store.active == first
    rig.store.toggle_pin(first)
    QTest.mouseClick(ready._pin, Qt.MouseButton.LeftButton)
    assert rig.store.session.pins == ready.strip.indices
    rig.store.undo()
    assert rig.store.session.pins == (first,)


def test_cluster_of_the_active_structure_is_marked(ready: ClustersView, rig: Any) -> None:
    labels = rig.store.result("clusters").labels
    index = int(np.flatnonzero(labels == 3)[0])
    rig.store.set_active(index)
    bold = Qt.ItemDataRole.FontRole
    assert ready.list.rows.data(ready.list.rows.index(3, 0), bold).bold()
    QTest.mouseClick(ready._here, Qt.MouseButton.LeftButton)
    assert ready.list.current == 3
    rig.settle()
    assert ready.text.report is not None
    assert ready.text.report.count == np.count_nonzero(labels == 3)


def test_names_are_kept_in_the_session(ready: ClustersView, rig: Any) -> None:
    store = rig.store
    ready.list.renamed.emit(1, "with oxygen")
    assert store.session.cluster_names == ((1, "with oxygen"),)
    assert "with oxygen" in store.columns["cluster"].categories
    assert ready.list.rows.row(1).name == "with oxygen"
    click(ready, 1)
    assert store.session.selection.origin == "cluster with oxygen"
    assert Session.from_dict(store.session.to_dict()).cluster_names == ((1, "with oxygen"),)
    store.undo()
    store.undo()
    assert store.session.cluster_names == ()
    assert ready.list.rows.row(1).name == "cluster 2"
    rig.settle()


def test_other_parameters_are_tried_at_once_and_undone(ready: ClustersView, rig: Any) -> None:
    store = rig.store
    before = store.result("clusters")
    ready.list.renamed.emit(0, "mine")
    ready._method.setCurrentIndex(ready._method.findData("kmeans"))
    ready._method.activated.emit(ready._method.currentIndex())
    rig.settle()
    assert store.session.clustering == KMeans()
    assert store.session.cluster_names == ()
    assert store.result("clusters").count == 8
    ready._form.value_changed.emit(KMeans(n_clusters=3))
    rig.settle()
    assert store.result("clusters").count == 3
    while store.session.clustering != HDBSCAN():
        store.undo()
    rig.settle()
    assert store.result("clusters") is before
    assert store.session.cluster_names == ((0, "mine"),)
    assert ready.list.rows.row(0).name == "mine"
    assert ready._form.value() == HDBSCAN()


def test_remove(ready: ClustersView, rig: Any) -> None:
    rig.store.set_active(3)  # a step between, or finding and removing would be one
    QTest.mouseClick(ready._remove, Qt.MouseButton.LeftButton)
    assert rig.store.session.clustering is None
    assert "cluster" not in rig.store.columns
    assert rig.store.result("clusters") is None
    assert ready.list.rows.rowCount() == 0
    assert "No cluster is marked" in ready.text.toPlainText()
    rig.store.undo()
    rig.settle()
    assert ready.list.rows.rowCount() == 5


def test_clusters_follow_the_map_and_names_their_structures(ready: ClustersView, rig: Any, qm9: Dataset) -> None:
    store = rig.store
    old = store.result("clusters").labels
    ready.list.renamed.emit(0, "mine")
    mirrored = islands(qm9)
    # the largest group falls apart into noise but for some: the numbers change
    second = np.flatnonzero(old == 0)
    mirrored[second[: len(second) // 3]] = np.random.default_rng(1).uniform(400, 4000, (len(second) // 3, 2))
    show_map(rig, mirrored, "another map")
    rig.settle()
    new = store.result("clusters").labels
    assert not np.array_equal(old, new)
    ((label, name),) = store.session.cluster_names
    assert name == "mine"
    assert np.mean(old[new == label] == 0) > 0.9


def test_clusters_stay_when_they_need_not_follow(ready: ClustersView, rig: Any, qm9: Dataset) -> None:
    before = rig.store.result("clusters")
    ready._follow.setChecked(False)
    show_map(rig, islands(qm9)[::-1].copy(), "another map")
    rig.settle()
    assert rig.store.result("clusters") is before
    assert "has changed" in ready._status.text()
    ready._follow.setChecked(True)
    rig.settle()
    assert rig.store.result("clusters") is not before


def test_moving_maps_are_not_clustered(ready: ClustersView, rig: Any, qm9: Dataset) -> None:
    before = rig.store.result("clusters")
    rig.store.publish("map", "", Coordinates(islands(qm9) * 2.0, epoch=3, n_epochs=9))
    rig.settle()
    assert rig.store.result("clusters") is before


def test_features_are_clustered(ready: ClustersView, rig: Any, qm9: Dataset) -> None:
    store = rig.store
    ready._form.value_changed.emit(HDBSCAN(space="features"))
    rig.settle()
    assert "not in memory" in ready._status.text()
    stage = stages(store.session, qm9)[0]
    from qmlstudio.progress import SILENT

    store.publish("features", stage.key, stage.run({}, SILENT))
    rig.settle()
    assert "not in memory" not in ready._status.text()
    assert len(store.result("clusters").labels) == len(qm9)


def test_another_data_set_starts_anew(ready: ClustersView, rig: Any, ethanol: Dataset) -> None:
    rig.store.open_dataset(ethanol)
    assert ready.list.rows.rowCount() == 0
    assert "cluster" not in rig.store.columns
    show_map(rig, np.random.default_rng(0).normal(size=(len(ethanol), 2)))
    rig.settle()
    assert len(rig.store.result("clusters").labels) == len(ethanol)


def test_hidden_panel_describes_nothing(ready: ClustersView, rig: Any) -> None:
    ready.hide()
    submitted: list[str] = []
    rig.runner.queued.connect(lambda handle: submitted.append(handle.slot))
    ready.list.set_current(2)
    assert submitted == []
    ready.show()
    assert "cluster report" in submitted
    rig.settle()


def test_second_panel_shows_what_is_there(ready: ClustersView, rig: Any, qtbot: QtBot) -> None:
    other = ClustersView(rig.store, rig.runner)
    qtbot.addWidget(other)
    assert other.list.rows.rowCount() == 5


def test_bad_points_say_what_is_wrong(view: ClustersView, rig: Any, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    show_map(rig, np.full((len(qm9), 2), np.nan))
    QTest.mouseClick(view._find, Qt.MouseButton.LeftButton)
    rig.settle()
    assert "0 clusters" in view._status.text()
    assert (rig.store.columns["cluster"].values == "").all()
