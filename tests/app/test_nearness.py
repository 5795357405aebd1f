"""Neighbours follow the active structure, the similarity its reference; paths come and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.nearness import NEAREST, SIMILARITY, NearFinder, lines_of
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.near import Nearest, Nearness, nearest_rows, path_between
from qmlstudio.progress import SILENT
from qmlstudio.representations import REGISTRY
from qmlstudio.representations.base import Features
from qmlstudio.session.stages import stages


@dataclass
class Rig:
    store: Store
    runner: JobRunner
    finder: NearFinder

    def settle(self) -> None:
        assert self.runner.wait_idle(60)

    @property
    def nearest(self) -> Nearest:
        found = self.store.result(NEAREST)
        assert isinstance(found, Nearest)
        return found

    def show_features(self) -> np.ndarray:
        stage = stages(self.store.session, self.dataset)[0]
        features = stage.run({}, SILENT)
        self.store.publish("features", stage.key, features)
        self.settle()
        return features.per_structure()

    def show_map(self, seed: int = 0) -> np.ndarray:
        points = np.random.default_rng(seed).normal(size=(len(self.dataset), 2))
        self.store.publish("map", f"map {seed}", Coordinates(points))
        self.settle()
        return points

    @property
    def dataset(self) -> Dataset:
        dataset = self.store.dataset
        assert dataset is not None
        return dataset


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 300))


@pytest.fixture
def rig(qtbot: QtBot, qm9: Dataset) -> Iterator[Rig]:
    store, runner = Store(), JobRunner()
    rig = Rig(store, runner, NearFinder(store, runner))
    store.open_dataset(qm9)
    rig.finder.set_watched(True)
    yield rig
    runner.shutdown()


def test_neighbours_follow_the_active_structure(rig: Rig) -> None:
    x, points = rig.show_features(), rig.show_map()
    rig.store.set_active(17)
    rig.settle()
    found = rig.nearest
    assert found.row == 17
    assert found.indices.tolist() == nearest_rows(x, 17, 10)[0].tolist()
    assert found.map_indices.tolist() == nearest_rows(points, 17, 10)[0].tolist()
    assert rig.store.result_key(NEAREST)
    rig.store.set_active(18)
    rig.settle()
    assert rig.nearest.row == 18


def test_another_measure_finds_others(rig: Rig) -> None:
    x = rig.show_features()
    rig.store.set_active(40)
    rig.finder.set_nearness(Nearness(metric="cosine", k=4))
    rig.settle()
    assert rig.nearest.indices.tolist() == nearest_rows(x, 40, 4, "cosine")[0].tolist()
    assert len(rig.nearest.map_indices) == 0


def test_nothing_is_computed_while_nobody_looks(rig: Rig) -> None:
    rig.finder.set_watched(False)
    rig.show_features()
    seen: list[str] = []
    rig.runner.queued.connect(lambda handle: seen.append(handle.slot))
    rig.store.set_active(5)
    assert seen == []
    view = rig.store.session.map_view
    rig.store.update("lines", map_view=replace(view, neighbors=True))
    rig.settle()
    assert rig.nearest.row == 5


def test_lines_are_drawn_when_switched_on(rig: Rig) -> None:
    rig.show_features(), rig.show_map()
    rig.store.set_active(3)
    rig.settle()
    assert rig.store.links == ()
    view = rig.store.session.map_view
    rig.store.update("lines", map_view=replace(view, neighbors=True))
    found = rig.nearest
    assert rig.store.links == lines_of(found)
    kinds = {kind for _, _, kind in rig.store.links}
    assert "feature" in kinds
    assert "false" in kinds
    assert sum(kind == "feature" for _, _, kind in rig.store.links) == 10
    false = {j for _, j, kind in rig.store.links if kind == "false"}
    assert false == set(found.map_indices[found.false].tolist())
    rig.store.update("no lines", map_view=replace(view, neighbors=False))
    assert rig.store.links == ()


def test_features_of_another_representation_do_not_count(rig: Rig) -> None:
    rig.show_features()
    assert rig.finder.rows is not None
    assert rig.finder.status == ""
    rig.store.update("other", representation=REGISTRY["bag_of_bonds"]())
    assert rig.finder.rows is None
    assert "not in memory" in rig.finder.status
    assert rig.finder.can_compute


def test_missing_features_are_computed_on_demand(rig: Rig) -> None:
    rig.show_map()
    rig.store.set_active(2)
    rig.settle()
    assert len(rig.nearest.indices) == 0
    assert len(rig.nearest.map_indices) == 10
    rig.finder.compute_features()
    assert "Computing" in rig.finder.status
    rig.settle()
    assert isinstance(rig.store.result("features"), Features)
    assert rig.finder.status == ""
    assert len(rig.nearest.indices) == 10


def test_features_beyond_the_budget_say_so(rig: Rig) -> None:
    rig.finder.memory_budget = 1000
    rig.finder.compute_features()
    rig.settle()
    assert "budget" in rig.finder.status
    assert rig.finder.can_compute


def test_kernel_only_representations_have_no_distances(rig: Rig) -> None:
    name = next(n for n, cls in REGISTRY.items() if cls().kernel_only)
    rig.store.update("kernel", representation=REGISTRY[name]())
    assert "kernel" in rig.finder.status
    assert not rig.finder.can_compute


def test_similarity_follows_its_reference(rig: Rig) -> None:
    x = rig.show_features()
    rig.store.update("similarity", reference=9)
    rig.settle()
    columns = rig.store.columns
    assert columns is not None
    values = columns[SIMILARITY].values
    d = np.linalg.norm(x - x[9], axis=1)
    width = np.median(np.delete(d, 9))
    assert values == pytest.approx(np.exp(-0.5 * (d / width) ** 2))
    assert "gdb 10" in columns[SIMILARITY].description
    rig.finder.set_nearness(Nearness(kernel="distance"))
    rig.settle()
    assert rig.store.columns is not None
    assert rig.store.columns[SIMILARITY].values == pytest.approx(d)
    rig.store.update("none", reference=None)
    assert rig.store.columns is not None
    assert SIMILARITY not in rig.store.columns


def test_similarity_of_an_opened_session_comes_without_being_asked(rig: Rig, qm9: Dataset) -> None:
    session = replace(rig.store.session, reference=4)
    rig.store.open_dataset(qm9, session)
    assert SIMILARITY not in (rig.store.columns or ())
    rig.show_map()
    rig.store.publish("quality", "known", object())
    rig.settle()
    assert rig.store.columns is not None
    assert rig.store.columns[SIMILARITY].values[4] == 1.0


def test_reference_that_there_is_not(rig: Rig) -> None:
    rig.show_features()
    rig.store.update("wrong", reference=300)
    rig.settle()
    assert SIMILARITY not in (rig.store.columns or ())


def test_path_is_found_drawn_and_forgotten(rig: Rig) -> None:
    x = rig.show_features()
    rig.finder.find_path(0, 250)
    assert rig.finder.is_routing
    rig.settle()
    route = rig.finder.route
    assert route is not None
    assert route.rows.tolist() == path_between(x, 0, 250).rows.tolist()
    rows = route.rows.tolist()
    assert rig.store.links == tuple((a, b, "path") for a, b in pairwise(rows))
    rig.finder.set_nearness(Nearness(steps="short"))
    rig.settle()
    assert rig.finder.route is not None
    assert rig.finder.route.total <= route.total + 1e-9
    rig.finder.forget_path()
    assert rig.finder.route is None
    assert rig.store.links == ()


def test_path_without_features_says_so(rig: Rig) -> None:
    rig.finder.find_path(0, 1)
    assert "features" in rig.finder.route_error
    assert not rig.finder.is_routing


def test_cancelled_path_says_so(rig: Rig) -> None:
    rig.show_features()
    rig.finder.find_path(0, 250)
    rig.runner.cancel("path")
    assert rig.finder.route_error == "Cancelled."
    rig.settle()
    assert rig.finder.route is None


def test_another_data_set_forgets_everything(rig: Rig, qm9: Dataset) -> None:
    rig.show_features()
    rig.store.update("similarity", reference=9)
    rig.finder.find_path(0, 250)
    rig.settle()
    rig.store.open_dataset(qm9.take(slice(0, 20)))
    rig.settle()
    assert rig.finder.route is None
    assert rig.finder.rows is None
    assert rig.store.result(NEAREST) is None
    assert rig.store.links == ()


def test_no_active_structure(rig: Rig) -> None:
    rig.show_features()
    rig.store.set_active(None)
    rig.settle()
    assert rig.store.result(NEAREST) is None
