from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.pipeline import Pipeline
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA, UMAP
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.representations import REGISTRY
from qmlstudio.session.cache import Cache
from qmlstudio.session.map_spec import MapSpec
from qmlstudio.session.session import Session
from qmlstudio.session.stages import stages


@dataclass
class Rig:
    store: Store
    runner: JobRunner
    pipeline: Pipeline
    cache: Cache

    def titles(self) -> list[str]:
        return [j.title for j in self.runner.jobs() if j.state == "done"]

    def settle(self) -> None:
        assert self.runner.wait_idle(60)


@pytest.fixture
def rig(qtbot: QtBot) -> Iterator[Rig]:
    store, runner, cache = Store(), JobRunner(), Cache(2**28)
    yield Rig(store, runner, Pipeline(store, runner, cache), cache)
    runner.shutdown()


def dataset(n: int = 30, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    base = np.array([[0, 0, 0], [0, 0, 1.1], [0, 1.0, -0.5], [0.9, -0.6, -0.4]])
    return Dataset(f"set {seed}", Structures.from_lists([[6, 1, 1, 8]] * n, base + rng.normal(size=(n, 4, 3)) * 0.05))


def test_opening_a_set_publishes_all_stages_once(rig: Rig) -> None:
    seen: list[str] = []
    rig.store.results_changed.connect(seen.append)
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset())
    rig.settle()
    assert seen == ["features", "neighbors", "map", "quality"]
    assert rig.store.result("map").points.shape == (30, 2)
    assert rig.store.result_key("map")


def test_streamed_layout_has_no_key_until_it_is_done(rig: Rig) -> None:
    keys: list[str] = []
    rig.store.results_changed.connect(lambda name: keys.append(rig.store.result_key(name)) if name == "map" else None)
    rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=200))
    rig.store.open_dataset(dataset())
    rig.settle()
    assert keys[-1]
    assert not any(keys[:-1])


def test_a_layout_parameter_computes_only_the_layout(rig: Rig) -> None:
    rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=20))
    rig.store.open_dataset(dataset())
    rig.settle()
    before = len(rig.titles())
    rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=20, min_dist=0.4))
    rig.settle()
    assert rig.titles()[before:] == ["UMAP: layout", "UMAP: quality"]


def test_undo_takes_known_results_from_the_cache(rig: Rig) -> None:
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset())
    rig.settle()
    first = rig.store.result("map").points.copy()
    rig.store.update(representation=REGISTRY["bag_of_bonds"]())
    rig.settle()
    done = len(rig.titles())
    rig.store.undo()
    rig.settle()
    assert len(rig.titles()) == done
    assert np.allclose(np.abs(rig.store.result("map").points), np.abs(first))


def test_the_last_of_quick_changes_wins(rig: Rig) -> None:
    rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=300))
    rig.store.open_dataset(dataset())
    for min_dist in (0.1, 0.2, 0.3, 0.4):
        rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=300, min_dist=min_dist))
    rig.settle()
    data = rig.store.dataset
    assert data is not None
    assert rig.store.result_key("map") == stages(rig.store.session, data)[-1].key


def test_results_of_the_former_set_are_never_shown(rig: Rig) -> None:
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset(40, seed=1))
    rig.store.open_dataset(dataset(25, seed=2))
    wrong: list[int] = []
    rig.store.results_changed.connect(
        lambda name: wrong.append(1) if name == "map" and len(rig.store.result("map").points) != 25 else None
    )
    rig.settle()
    assert not wrong
    assert len(rig.store.result("map").points) == 25


def test_a_new_map_is_turned_to_the_old_one(rig: Rig) -> None:
    rig.store.update(embedding=UMAP(n_neighbors=8, n_epochs=100))
    rig.store.open_dataset(dataset(60))
    rig.settle()
    old = rig.store.result("map")
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])
    rig.store.publish("map", "", replace(old, points=old.points @ turned))
    shown = [old.points @ turned]
    rig.store.results_changed.connect(
        lambda name: shown.append(rig.store.result("map").points) if name == "map" else None
    )
    rig.store.update(embedding=UMAP(n_neighbors=8, n_epochs=101))
    rig.settle()
    # on a slow machine the layout is seen on its way: each map is turned to the one on screen before it
    new, wished = shown[-1], shown[-2]
    centred = [p - p.mean(axis=0) for p in (new, wished)]
    # no further turn brings it nearer: the product of the two is symmetric and positive
    product = centred[0].T @ centred[1]
    assert abs(product[0, 1] - product[1, 0]) < 1e-6 * np.abs(product).max()
    assert np.linalg.eigvalsh((product + product.T) / 2).min() > -1e-6 * np.abs(product).max()


def test_axes_with_a_meaning_are_only_mirrored(rig: Rig) -> None:
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset())
    rig.settle()
    old: Coordinates = rig.store.result("map")
    rig.store.publish("map", "", replace(old, points=-old.points))
    rig.pipeline.advance()
    new: Coordinates = rig.store.result("map")
    assert np.allclose(new.points, -old.points)


def test_features_beyond_the_budget_are_never_whole_in_memory(rig: Rig) -> None:
    told: list[str] = []
    rig.store.failed.connect(lambda name, message, details: told.append(message))
    data = dataset(8000)
    rig.pipeline.memory_budget = REGISTRY["coulomb_matrix"]().memory(data.structures) // 2
    rig.store.update(embedding=PCA(), landmarks=Landmarks(count=100, candidates=100))
    rig.store.open_dataset(data)
    rig.settle()
    assert told == []
    assert rig.store.result("features") is None
    points = rig.store.result("map").points
    assert points.shape == (8000, 2)
    assert np.isfinite(points).all()
    assert np.isfinite(rig.store.result("quality").distortion).sum() == 100


def test_further_maps_have_results_of_their_own(rig: Rig) -> None:
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset())
    other = MapSpec(representation=REGISTRY["bag_of_bonds"](), embedding=PCA())
    rig.store.update(maps=(other, rig.store.session.map_spec(0)))
    rig.settle()
    first, second, third = (rig.store.result(name).points for name in ("map", "map:1", "map:2"))
    assert not np.allclose(np.abs(first), np.abs(second))
    assert np.array_equal(first, third)
    # what two maps share is computed once
    assert len([t for t in rig.titles() if t == "Coulomb matrix"]) == 1
    assert rig.store.result_key("quality:2") == rig.store.result_key("quality")


def test_a_supervised_map_depends_on_its_column(rig: Rig) -> None:
    plain = dataset()
    kinds = np.array(["a", "b"] * 15)
    data = replace(plain, properties={"kind": Property(kinds), "other": Property(kinds[::-1].copy())})
    keys = [stages(Session(embedding=UMAP(supervised_by=name)), data)[-1].key for name in ("", "kind", "other")]
    assert len(set(keys)) == 3
    rig.store.update(embedding=UMAP(n_neighbors=5, n_epochs=100, supervised_by="kind", target_weight=0.9))
    rig.store.open_dataset(data)
    rig.settle()
    points = rig.store.result("map").points
    squares = ((points[:, None] - points) ** 2).sum(axis=2) + np.diag(np.full(30, np.inf))
    alike = kinds[np.argsort(squares, axis=1)[:, :3]] == kinds[:, None]
    # the labels alternate whatever the molecules look like: by chance it would be a half
    assert alike.mean() > 0.7


def test_a_failure_is_told_once_and_the_next_change_computes(rig: Rig) -> None:
    told: list[str] = []
    rig.store.failed.connect(lambda name, message, details: told.append(message))
    rig.pipeline.memory_budget = 100
    rig.store.update(embedding=PCA())
    rig.store.open_dataset(dataset())
    rig.settle()
    assert len(told) == 1
    assert "budget" in told[0]
    assert rig.store.result("map") is None
    rig.pipeline.memory_budget = None
    rig.pipeline.retry()
    rig.settle()
    assert rig.store.result("map") is not None


def test_a_known_map_needs_no_features(rig: Rig) -> None:
    data = dataset()
    points = Coordinates(np.random.default_rng(0).normal(size=(30, 2)))
    rig.pipeline.enabled = False
    rig.store.open_dataset(data)
    rig.pipeline.seed("map", points)
    rig.pipeline.seed("quality", "known")
    rig.pipeline.enabled = True
    rig.pipeline.advance()
    rig.settle()
    assert rig.store.result("map") is points
    assert rig.titles() == []


def test_a_known_map_without_its_quality_is_shown_first_and_judged_then(rig: Rig) -> None:
    data = dataset()
    points = Coordinates(np.random.default_rng(0).normal(size=(30, 2)))
    seen: list[str] = []
    rig.store.results_changed.connect(seen.append)
    rig.pipeline.enabled = False
    rig.store.open_dataset(data)
    rig.pipeline.seed("map", points)
    rig.pipeline.enabled = True
    rig.pipeline.advance()
    rig.settle()
    assert rig.store.result("map") is points
    assert seen == ["map", "features", "quality"]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("embedding", [PCA(), UMAP()], ids=["pca", "umap"])
def test_very_small_sets(rig: Rig, n: int, embedding: Any) -> None:
    rig.store.update(embedding=embedding)
    rig.store.open_dataset(dataset(n))
    rig.settle()
    assert rig.store.error("map") == ""
    assert np.isfinite(rig.store.result("map").points).all()
