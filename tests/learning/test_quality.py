"""Trustworthiness against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.learning._map_tree import MapTree
from qmlstudio.learning.embedding import UMAP
from qmlstudio.learning.quality import Quality, continuity, quality, sample_rows, trustworthiness
from qmlstudio.progress import Cancelled, Progress


@pytest.mark.parametrize("k", [1, 5, 15])
@pytest.mark.parametrize("noise", [0.0, 0.3, 50.0])
def test_equals_sklearn(k: int, noise: float) -> None:
    from sklearn.manifold import trustworthiness as reference

    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 12)) * 0.6 ** np.arange(12)
    points = features[:, :2] + noise * rng.standard_normal((400, 2))
    assert trustworthiness(features, points, k) == pytest.approx(reference(features, points, n_neighbors=k), abs=1e-12)
    assert continuity(features, points, k) == pytest.approx(reference(points, features, n_neighbors=k), abs=1e-12)


def test_identity_is_perfect() -> None:
    points = np.random.default_rng(1).standard_normal((200, 2))
    assert trustworthiness(points, points) == 1.0


def test_a_sample_is_near_the_whole() -> None:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((1500, 8)) * 0.7 ** np.arange(8)
    whole = trustworthiness(features, features[:, :2])
    part = trustworthiness(features, features[:, :2], sample=500)
    assert part == pytest.approx(whole, abs=0.01)
    assert part == trustworthiness(features, features[:, :2], sample=500)
    assert sample_rows(500) == 500
    assert sample_rows(200_000) == 4000


def test_refusals() -> None:
    points = np.zeros((20, 2))
    with pytest.raises(ValueError, match="below half"):
        trustworthiness(points, points, 10)
    with pytest.raises(ValueError, match="20 rows of features and 19 points"):
        trustworthiness(points, points[:-1], 3)
    with pytest.raises(Cancelled):
        trustworthiness(points, points, 3, progress=Progress(is_cancelled=lambda: True))


def spread(n: int = 500, d: int = 9, c: int = 2, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Features, and a map that shows some of them with noise."""
    rng = np.random.default_rng(3)
    features = rng.standard_normal((n, d)) * 0.7 ** np.arange(d)
    return features, features[:, :c] + noise * rng.standard_normal((n, c))


def lost(features: np.ndarray, points: np.ndarray, k: int, among: np.ndarray | None = None) -> np.ndarray:
    """Share of each row's nearest rows that are not among its nearest points, by sorting all distances."""
    chosen = np.arange(len(features)) if among is None else among
    near = []
    for space in (features, points):
        distances = np.linalg.norm(space[:, None] - space[None, chosen], axis=2)
        distances[chosen, np.arange(len(chosen))] = np.inf
        near.append(np.argsort(distances, axis=1)[:, :k])
    return np.array([1.0 - len(set(a) & set(b)) / k for a, b in zip(*near)])


@pytest.mark.parametrize("c", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_scores(c: int, dtype: type) -> None:
    from sklearn.manifold import trustworthiness as reference

    features, points = spread(c=c)
    features = (100.0 + features).astype(dtype)
    found = quality(features, points, 12, threads=1)
    assert found.trustworthiness == pytest.approx(reference(features, points, n_neighbors=12), abs=1e-6)
    assert found.continuity == pytest.approx(reference(points, features, n_neighbors=12), abs=1e-6)
    expected = lost(features.astype(np.float64), points, 12)
    assert np.abs(found.distortion - expected).max() < 1e-6
    assert found.preservation == pytest.approx(1.0 - expected.mean())
    assert (found.exact, found.rows, found.k, found.distortion_k, found.reason) == (True, 500, 12, 12, "")


def test_distortion_from_the_first_stage() -> None:
    features, points = spread()
    neighbors = UMAP(n_neighbors=11).neighbors(features)
    found = quality(features, points, 15, neighbors, sample=100)
    assert (found.distortion_k, found.distortion_rows) == (10, 500)
    assert np.abs(found.distortion - lost(features, points, 10)).max() < 1e-6
    few = quality(features, points, 15, UMAP(n_neighbors=4).neighbors(features))
    assert few.distortion_k == 15


def test_distortion_among_the_sample() -> None:
    features, points = spread()
    found = quality(features, points, 10, sample=120, seed=5)
    rows = np.sort(np.random.default_rng(5).choice(500, 120, replace=False))
    assert (found.exact, found.rows, found.distortion_rows) == (False, 120, 120)
    assert np.abs(found.distortion - lost(features, points, 10, rows)).max() < 1e-6
    whole = quality(features, points, 10)
    assert found.preservation == pytest.approx(np.mean(1.0 - lost(features, points, 10)[rows]))
    assert found.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.03)


def test_threads_do_not_change_it() -> None:
    features, points = spread(2000)
    one, two = (quality(features, points, sample=1500, threads=t) for t in (1, 2))
    assert one.trustworthiness == two.trustworthiness
    assert one.continuity == two.continuity
    assert (one.distortion == two.distortion).all()


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_any_scale(scale: float) -> None:
    features, points = spread()
    assert quality(scale * features, scale * points).trustworthiness == pytest.approx(
        quality(features, points).trustworthiness, abs=1e-9
    )


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows(n: int) -> None:
    features, points = spread(n)
    found = quality(features, points)
    assert np.isnan([found.trustworthiness, found.continuity, found.preservation]).all()
    assert np.isnan(found.distortion).all()
    assert len(found.distortion) == n
    assert "too few" in found.reason


def test_fewer_neighbours_than_asked() -> None:
    found = quality(*spread(20), 15)
    assert (found.k, found.distortion_k) == (9, 9)
    assert "9 neighbours instead of 15" in found.reason
    assert 0.0 <= found.trustworthiness <= 1.0


def test_equal_rows_equal_points_and_constant_columns() -> None:
    features, points = spread(300)
    for x, y in (
        (np.ones((300, 4)), points),
        (features, np.zeros((300, 2))),
        (np.ones((300, 4)), np.zeros((300, 2))),
        (np.column_stack([features, np.full(300, 7.0)]), points),
    ):
        found = quality(x, y)
        assert 0.0 <= found.trustworthiness <= 1.0
        assert 0.0 <= found.continuity <= 1.0
        assert ((found.distortion >= 0.0) & (found.distortion <= 1.0)).all()
    assert quality(np.ones((300, 4)), points).trustworthiness == 1.0


def test_rows_off_the_map_are_left_out() -> None:
    features, points = spread(300)
    points[::3] = np.nan
    features[1, 0] = np.inf
    found = quality(features, points)
    kept = np.isfinite(points).all(axis=1) & np.isfinite(features).all(axis=1)
    alone = quality(features[kept], points[kept])
    assert (found.rows, found.trustworthiness) == (199, alone.trustworthiness)
    assert (np.isfinite(found.distortion) == kept).all()
    assert "101 rows" in found.reason


def test_scores_come_before_the_distortion_and_cancel_works() -> None:
    features, points = spread()
    seen: list[Quality] = []
    found = quality(features, points, progress=Progress(partial=seen.append))
    assert len(seen) == 1
    assert seen[0].trustworthiness == found.trustworthiness
    assert np.isnan(seen[0].distortion).all()
    assert np.isfinite(found.distortion).all()
    with pytest.raises(Cancelled):
        quality(features, points, progress=Progress(is_cancelled=lambda: True))


@pytest.mark.parametrize("c", [1, 2, 3])
def test_tree_equals_sorting(c: int) -> None:
    rng = np.random.default_rng(0)
    points = np.round(rng.standard_normal((700, c)), 1)
    indices, squared = MapTree(points).nearest(20)
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.abs(squared - np.sort(distances, axis=1)[:, :20]).max() < 1e-12
    assert np.abs(np.take_along_axis(distances, indices.astype(int), axis=1) - squared).max() < 1e-12
    assert all(len(set(row)) == 20 for row in indices.tolist())
    some, _ = MapTree(points).nearest(20, rows=np.array([3, 600]))
    assert (some == indices[[3, 600]]).all()


def test_tree_of_few_points() -> None:
    indices, squared = MapTree(np.array([[0.0, 0.0], [3.0, 4.0]])).nearest(3)
    assert indices.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert squared[:, 0].tolist() == [25.0, 25.0]
    assert MapTree(np.zeros((0, 2))).nearest(3, of=np.zeros((2, 2)))[0].tolist() == [[-1] * 3] * 2
