"""Baselines: they find what they can, and say how far they were asked to go beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from qmlstudio.learning._threads import blas_threads
from qmlstudio.learning.models import (
    Composition,
    FingerprintRidge,
    KernelRidge,
    LinearRidge,
    MeanModel,
    NearestNeighbors,
    RandomForest,
    TooLargeError,
    forest,
    plan,
)
from qmlstudio.learning.models.inputs import rows_for
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Progress


def smooth(n: int, d: int = 4, seed: int = 0) -> tuple[Rows, Any]:
    """Rows and two smooth functions of them."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    return Rows(x), np.stack([np.sin(x[:, 0]) + 0.5 * x[:, 1] ** 2, 3.0 + np.cos(x[:, -1])], axis=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """BLAS's threads wait for each other by spinning, which small matrices do not deserve."""
    with blas_threads(1):
        yield


def test_dressed_atoms_are_found() -> None:
    random = np.random.default_rng(0)
    counts = random.integers(0, 9, (50, 3)).astype(float)
    slopes = np.array([[-0.5, 1.0], [-38.0, 2.0], [-75.0, 3.0]])
    fitted = Composition().fit(Rows(counts), counts @ slopes)
    np.testing.assert_allclose(fitted.slopes, slopes, rtol=1e-10)
    shifted = Composition(constant=True).fit(Rows(counts), counts @ slopes + 4.0)
    np.testing.assert_allclose(shifted.slopes, np.vstack([slopes, [4.0, 4.0]]), rtol=1e-8)
    # all structures alike in two elements: an excess of one of them is new
    twins = counts.copy()
    twins[:, 1] = twins[:, 0]
    fitted = Composition().fit(Rows(twins), twins @ slopes)
    np.testing.assert_allclose(fitted.predict(Rows(twins)).values, twins @ slopes, atol=1e-8)
    found = fitted.predict(Rows(np.array([[3.0, 3.0, 1.0], [3.0, 4.0, 1.0]]))).distance
    assert found[0] < fitted.domain
    assert np.isinf(found[1])


@pytest.mark.parametrize("d", [3, 80])
def test_linear_ridge_is_the_formula(d: int) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, d)) + 5.0, random.normal(size=(40, 2))
    fitted = LinearRidge(lambda_=0.1).fit(Rows(x), y)
    centred = x - x.mean(axis=0)
    ridge = 0.1 * 40 * centred.var(axis=0).mean()
    gram = centred.T @ centred + ridge * np.eye(d)
    slopes = np.linalg.solve(gram, centred.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(fitted.slopes, slopes, rtol=1e-8, atol=1e-12)
    new = random.normal(size=(5, d)) + 5.0
    leverage = np.einsum("ij,jk,ik->i", new - x.mean(axis=0), np.linalg.inv(gram), new - x.mean(axis=0))
    found = fitted.predict(Rows(new))
    np.testing.assert_allclose(found.distance, np.sqrt(leverage), rtol=1e-7)
    np.testing.assert_allclose(found.values, (new - x.mean(axis=0)) @ slopes + y.mean(axis=0), rtol=1e-8)
    # leave-one-out: a structure's leverage for the fit to the others
    i = 7
    own = centred[i] @ np.linalg.solve(gram - np.outer(centred[i], centred[i]), centred[i])
    h = centred[i] @ np.linalg.solve(gram, centred[i])
    assert h / (1 - h) == pytest.approx(own, rel=1e-8)


def test_standardised_columns_count_alike() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    y = x.sum(axis=1)
    scaled = x * np.array([1e-4, 1.0, 1e3])
    first, second = (LinearRidge(standardise=True).fit(Rows(a), y).predict(Rows(a)).values for a in (x, scaled))
    np.testing.assert_allclose(first, second, rtol=1e-8)
    constant = np.hstack([x, np.full((60, 1), 0.1)])
    np.testing.assert_allclose(LinearRidge(standardise=True).fit(Rows(constant), y).slopes[3], 0.0, atol=1e-12)


def test_neighbours_look_up() -> None:
    rows, y = smooth(100)
    fitted = NearestNeighbors(k=3).fit(rows, y)
    found = fitted.predict(rows, deviation=True)
    np.testing.assert_allclose(found.values, y, rtol=1e-12)
    np.testing.assert_allclose(found.distance, 0.0, atol=1e-12)
    other, _ = smooth(10, seed=2)
    d = np.linalg.norm(other.array[:, None] - rows.array, axis=2)
    near = np.argsort(d, axis=1)[:, :3]
    np.testing.assert_allclose(
        NearestNeighbors(k=3, weights="uniform").fit(rows, y).predict(other).values, y[near].mean(axis=1), rtol=1e-12
    )


def test_forest_is_scikit_learns() -> None:
    from sklearn.ensemble import RandomForestRegressor

    rows, y = smooth(120)
    own = RandomForest(trees=8, seed=3, features=0.5).fit(rows, y[:, 0], threads=2)
    theirs = RandomForestRegressor(n_estimators=8, max_features=0.5, random_state=3)
    theirs.fit(rows.array.astype(np.float32), y[:, 0])
    other, _ = smooth(50, seed=8)
    found = own.predict(other, deviation=True)
    np.testing.assert_allclose(found.values[:, 0], theirs.predict(other.array), rtol=1e-9, atol=1e-12)
    each = np.stack([tree.predict(other.array) for tree in theirs.estimators_])
    np.testing.assert_allclose(found.deviation[:, 0], each.std(axis=0), rtol=1e-6, atol=1e-12)
    both = RandomForest(trees=8).fit(rows, y).predict(other)
    assert both.values.shape == (50, 2)


def test_slow_trees_grow_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, y = smooth(40)
    spec = RandomForest(trees=2)
    here = spec.fit(rows, y)
    monkeypatch.setattr(forest, "_SLOW", 0.0)
    there = spec.fit(rows, y, Progress(is_cancelled=lambda: False))
    np.testing.assert_array_equal(there.predict(rows).values, here.predict(rows).values)


def test_large_linear_models_are_refused() -> None:
    rows, y = smooth(300, 200)
    found = plan(LinearRidge(), rows, budget=10_000)
    assert not found.fits
    with pytest.raises(TooLargeError, match="smaller representation"):
        LinearRidge().fit(rows, y, memory_budget=10_000)


def test_fingerprints_and_counts_are_made_for_those_who_need_them() -> None:
    from qmlstudio.chem.structures import Structures

    water = ([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    methane = ([6, 1, 1, 1, 1], np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.629)
    some = Structures.from_lists([water[0], methane[0]], [water[1], methane[1]])
    np.testing.assert_array_equal(rows_for(Composition(), some).array, [[2, 0, 1], [4, 1, 0]])
    assert rows_for(MeanModel(), some).array.shape == (2, 0)
    bits = rows_for(FingerprintRidge(radius=1), some)
    assert bits.array.shape[1] == 2048
    assert len(np.unique(bits.array, axis=0)) == 2
    fitted = FingerprintRidge().fit(bits, np.array([1.0, 2.0]))
    np.testing.assert_allclose(fitted.predict(bits).values[:, 0], [1.0, 2.0], atol=0.05)
    with pytest.raises(ValueError, match="choose a representation"):
        rows_for(KernelRidge(), some)
