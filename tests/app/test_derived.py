from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.derived import DISTORTION, DerivedColumns
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import REGISTRY


def dataset(n: int = 4) -> Dataset:
    return Dataset(
        "set", Structures.from_lists([[1]] * n, np.zeros((n, 1, 3))), {"e": Property(np.arange(n, dtype=float))}
    )


@pytest.fixture
def store(qtbot: QtBot) -> Store:
    store = Store()
    store.open_dataset(dataset())
    return store


def test_columns_follow_the_data_set(store: Store) -> None:
    heard: list[frozenset[str]] = []
    store.columns_changed.connect(heard.append)
    assert store.columns is not None
    assert "e" in store.columns
    store.set_derived("cluster", Property(np.array(list("aabb"))))
    assert store.columns["cluster"].values.tolist() == list("aabb")
    store.set_derived("cluster", None)
    assert "cluster" not in store.columns
    store.set_derived("cluster", None)
    assert heard == [frozenset({"cluster"})] * 2
    store.set_derived("cluster", Property(np.array(list("aabb"))))
    store.open_dataset(dataset(3))
    assert "cluster" not in store.columns


def test_distortion_is_a_column_until_the_map_is_another(store: Store) -> None:
    kept = DerivedColumns(store)
    quality = SimpleNamespace(distortion=np.array([0.0, 0.5, 1.0, np.nan], np.float32), distortion_k=14)
    store.publish("quality", "key", quality)
    assert store.columns is not None
    assert np.array_equal(store.columns[DISTORTION].values, [0.0, 0.5, 1.0, np.nan], equal_nan=True)
    store.mark_stale("quality")
    store.update(representation=REGISTRY["bag_of_bonds"]())
    assert DISTORTION not in store.columns
    assert kept.parent() is None


def test_links_are_told_once(store: Store) -> None:
    heard: list[object] = []
    store.links_changed.connect(heard.append)
    store.show_links(((0, 1, "feature"),))
    store.show_links(((0, 1, "feature"),))
    assert len(heard) == 1
    store.open_dataset(dataset(3))
    assert store.links == ()
