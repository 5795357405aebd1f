"""The kernel matrix by tiles: the same numbers as the whole matrix, in whatever order."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.kernels import Gaussian, Linear
from qmlstudio.representations import REGISTRY
from qmlstudio.session import kernel_picture as kp


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 300))


@pytest.fixture(scope="module")
def ground(dataset: Dataset) -> kp.Ground:
    features = REGISTRY["coulomb_matrix"]().compute(dataset.structures)
    return kp.Ground.of(features, dataset, Gaussian())


def test_every_representation_has_a_kernel_that_suits() -> None:
    for cls in REGISTRY.values():
        representation = cls()
        assert kp.suits(kp.usual_kernel(representation), representation), representation.name
        assert all(kp.suits(k, representation) for k in kp.kernels_for(representation))


def test_the_scale_is_found(ground: kp.Ground) -> None:
    assert ground.kernel.is_fitted
    assert 0 <= ground.low < ground.high == pytest.approx(1)
    assert ground.smallest > 0


@pytest.mark.parametrize("level", [0, 1, 2])
def test_tiles_are_parts_of_the_matrix(ground: kp.Ground, level: int) -> None:
    order = kp.Order(np.random.default_rng(0).permutation(ground.members), np.zeros(1, np.int64))
    whole = ground.kernel.matrix(ground.rows)[np.ix_(order.indices, order.indices)]
    seen: list[int] = []
    side = -(-300 // (kp.TILE << level))
    for i in range(side):
        for j in range(side):
            key = (level, i, j)
            rows, columns = kp.tile_places(key, 300, 0), kp.tile_places(key, 300, 1)
            assert np.allclose(kp.tile(ground, order, key), whole[np.ix_(rows, columns)], atol=1e-6)
        seen += rows.tolist()
    assert len(seen) == len(set(seen)) == -(-300 // (1 << level))
    assert ground.similarity(3, 8) == pytest.approx(float(ground.kernel.matrix(ground.rows)[3, 8]))


def test_excluded_structures_are_not_shown(dataset: Dataset) -> None:
    features = REGISTRY["coulomb_matrix"]().compute(dataset.structures)
    left = np.zeros(300, bool)
    left[::3] = True
    found = kp.Ground.of(features, dataset, Gaussian(), left)
    assert len(found) == 200
    for order in (kp.plain_order(found), kp.similar_order(found)):
        assert sorted(order.indices.tolist()) == np.flatnonzero(~left).tolist()
    none = kp.Ground.of(features, dataset, Gaussian(), np.ones(300, bool))
    assert len(none) == 0
    assert kp.summarise(none, {}).count == 0


def test_numbers_order_with_the_missing_last(ground: kp.Ground) -> None:
    values = np.random.default_rng(1).normal(size=300)
    values[[4, 9]] = np.nan
    values[7], values[8] = np.inf, -np.inf
    order = kp.column_order(ground, "x", Property(values))
    assert order.values is not None
    assert order.indices[0] == 8
    assert order.indices[297] == 7
    assert set(order.indices[298:].tolist()) == {4, 9}
    assert np.all(np.diff(values[order.indices[1:297]]) >= 0)
    assert order.names == ()


def test_texts_make_groups(ground: kp.Ground) -> None:
    texts = np.array(["b", "a", "b", "", "b", "a"] * 50)
    order = kp.column_order(ground, "kind", Property(texts), "none")
    assert order.names == ("b", "a", "none")
    assert order.bounds.tolist() == [0, 150, 250, 300]
    assert np.all(texts[order.indices[:150]] == "b")
    assert np.all(texts[order.indices[250:]] == "")


def test_a_summary(ground: kp.Ground, dataset: Dataset) -> None:
    columns = {"gap": dataset.per_structure["gap"], "flat": Property(np.ones(300))}
    found = kp.summarise(ground, columns)
    assert found.count == 300
    assert found.counts.sum() == 300 * 299 // 2
    assert [name for name, _ in found.alignments] == ["gap"]
    assert found.spectrum.trace == pytest.approx(300)
    assert found.degenerate == ""
    sharp = kp.Ground(ground.rows, ground.members, Gaussian(sigma=1e-6), 0, 1, 1)
    assert kp.summarise(sharp, {}).degenerate == "strangers"
    assert kp.summarise(sharp, {}).counts.sum() == 300 * 299 // 2


def test_similarities_of_any_size_have_a_histogram(dataset: Dataset) -> None:
    features = REGISTRY["coulomb_matrix"]().compute(dataset.structures)
    found = kp.Ground.of(features, dataset, Linear())
    summary = kp.summarise(found, {})
    assert summary.counts.sum() == 300 * 299 // 2
    assert np.all(np.diff(summary.edges) > 0)


def test_bad_features_are_refused(dataset: Dataset) -> None:
    from dataclasses import replace

    features = REGISTRY["coulomb_matrix"]().compute(dataset.structures)
    array = features.array.copy()
    array[2, 0] = np.nan
    with pytest.raises(ValueError, match=r"NaN|finite"):
        kp.Ground.of(replace(features, array=array), dataset, Gaussian())
