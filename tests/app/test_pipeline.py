from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.pipeline import Pipeline
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA, UMAP
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.representations import REGISTRY
from qmlstudio.session.cache import Cache
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
    assert seen == ["features", "neighbors", "map"]
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
    assert [t for t in rig.titles()[before:] if t.startswith("UMAP")] == ["UMAP: layout"]
    assert len(rig.titles()) == before + 1


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
    rig.pipeline.enabled = True
    rig.pipeline.advance()
    rig.settle()
    assert rig.store.result("map") is points
    assert rig.titles() == []


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("embedding", [PCA(), UMAP()], ids=["pca", "umap"])
def test_very_small_sets(rig: Rig, n: int, embedding: Any) -> None:
    rig.store.update(embedding=embedding)
    rig.store.open_dataset(dataset(n))
    rig.settle()
    assert rig.store.error("map") == ""
    assert np.isfinite(rig.store.result("map").points).all()
