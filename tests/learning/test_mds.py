"""Multidimensional scaling against scikit-learn and scikit-matter, streamed, cancelled, and on degenerate features."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from qmlstudio.learning import mds
from qmlstudio.learning.embedding import MDS, PCA
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.progress import Cancelled, Progress


def rows(n: int = 150, d: int = 8) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.standard_normal((n, d)) * 0.8 ** np.arange(d) + 5.0


def stress(points: np.ndarray, features: np.ndarray) -> float:
    """Kruskal's stress-1."""
    wanted = pdist(features)
    return float(np.sqrt(((pdist(points) - wanted) ** 2).sum() / (wanted**2).sum()))


def test_distances() -> None:
    x = rows()
    found = MDS().neighbors(x.astype(np.float32)).dissimilarities
    assert found is not None
    assert np.abs(found - cdist(x, x)).max() < 1e-5
    assert np.array_equal(found, found.T)
    assert not np.diag(found).any()


def test_classical_is_torgersons() -> None:
    """Double centring of squared distances, and its eigenvectors."""
    x = rows()
    squares = cdist(x, x) ** 2
    centring = np.eye(len(x)) - 1.0 / len(x)
    values, vectors = np.linalg.eigh(-0.5 * centring @ squares @ centring)
    expected = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1][:, :3]
    method = MDS(kind="classical", n_components=3)
    found = method.neighbors(x)
    map_ = method.layout(found)
    turn = np.sign(np.sum(map_.points * expected, axis=0))
    assert np.abs(map_.points * turn - expected).max() < 1e-9
    assert found.dissimilarities is None
    assert map_.axes[1] == f"MDS 2 ({100 * values[-2] / values.sum():.1f} %)"
    assert np.array_equal(map_.points[:, :2], PCA().layout(PCA().neighbors(x)).points)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_metric_takes_the_steps_of_sklearn(dimensions: int) -> None:
    from sklearn.manifold import smacof

    from qmlstudio.learning._scaling import Majorisation
    from qmlstudio.learning._threads import SERIAL

    x = rows()
    start = np.random.default_rng(0).standard_normal((len(x), dimensions))
    scaling = Majorisation(cdist(x, x).astype(np.float32), start, SERIAL)
    for _ in range(12):
        scaling.advance(Progress())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _ = smacof(
            cdist(x, x), n_components=dimensions, init=start, n_init=1, max_iter=12, eps=1e-12, normalized_stress=False
        )
    assert np.abs(scaling.points - expected).max() < 1e-4
    # none of the steps raised the stress
    assert scaling.stress() < stress(start, x)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_metric_is_better_than_classical(dimensions: int) -> None:
    x = rows()
    method = MDS(n_components=dimensions)
    map_ = method.layout(method.neighbors(x), threads=1)
    classical = MDS(kind="classical", n_components=dimensions)
    assert map_.details["stress"] == pytest.approx(stress(map_.points, x), rel=1e-2)
    assert stress(map_.points, x) < 0.9 * stress(classical.layout(classical.neighbors(x)).points, x)
    assert map_.points.tobytes() == method.layout(method.neighbors(x), threads=2).points.tobytes()
    assert method.project_linear(method.neighbors(x), x) is None


def test_metric_of_a_plane_is_exact() -> None:
    flat = rows(80, 2) @ np.random.default_rng(0).standard_normal((2, 9))
    map_ = MDS().layout(MDS().neighbors(flat))
    assert np.abs(pdist(map_.points) - pdist(flat)).max() < 0.01 * pdist(flat).max()


def test_sketch_map_has_the_stress_of_scikit_matter() -> None:
    from skmatter.decomposition import SketchMap

    x = np.vstack([rows(60), rows(60) + 6.0])
    method = MDS(kind="sketch", n_iter=100, sigma=3.0)
    map_ = method.layout(method.neighbors(x))
    peer = SketchMap(sigma=3.0, max_iter=100).fit(x)
    sigmoids = peer.params_

    def loss(points: np.ndarray) -> float:
        high = sigmoid(pdist(x), sigmoids["a_high"], sigmoids["b_high"])
        return float(((high - sigmoid(pdist(points), sigmoids["a_low"], sigmoids["b_low"])) ** 2).mean())

    def sigmoid(r: np.ndarray, a: float, b: float) -> np.ndarray:
        return 1.0 - (1.0 + (2.0 ** (a / b) - 1.0) * (r / 3.0) ** a) ** (-b / a)

    assert loss(map_.points) < 1.1 * loss(peer.embedding_)
    assert map_.points.shape == (120, 2)


@pytest.mark.parametrize("kind", ["metric", "sketch"])
def test_partial_maps_and_progress(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mds, "PARTIAL_SECONDS", 0.0)
    partials: list[Coordinates] = []
    fractions: list[float] = []
    method = MDS(kind=kind, n_iter=60)
    found = method.neighbors(rows())
    result = method.layout(found, Progress(lambda f, _: fractions.append(f), None, partials.append, interval=0.0))
    epochs = [c.epoch for c in partials]
    assert epochs == sorted(epochs)
    assert epochs[-1] == result.epoch == result.n_epochs
    assert all(c.epoch < c.n_epochs for c in partials[:-1])
    assert len(epochs) > 5
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("kind", ["metric", "sketch"])
def test_cancel(kind: str) -> None:
    asked, allowed = 0, 40

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked > allowed

    method = MDS(kind=kind, n_iter=10_000)
    found = method.neighbors(rows())
    with pytest.raises(Cancelled):
        method.layout(found, Progress(is_cancelled=ask))
    assert asked == allowed + 1


def test_start_and_limits() -> None:
    x = rows()
    found = MDS().neighbors(x)
    again = MDS(n_iter=0).layout(found, start=x[:, 3:5]).points
    assert np.abs(again - x[:, 3:5]).max() < 1e-3
    with pytest.raises(ValueError, match="start"):
        MDS().layout(found, start=x[:-1, :2])
    with pytest.raises(ValueError, match="10,000 rows at most"):
        MDS().neighbors(np.zeros((10_001, 1)))
    with pytest.raises(ValueError, match="1,500 rows at most"):
        MDS(kind="sketch").neighbors(np.zeros((1_501, 1)))
    assert MDS(kind="classical").max_rows is None


@pytest.mark.parametrize("kind", ["classical", "metric", "sketch"])
@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (2, 5), (3, 5), (4, 1), (5, 2), (10, 0), (16, 3), (20, 300)])
@pytest.mark.parametrize("values", ["random", "constant", "halves"])
def test_degenerate(kind: str, shape: tuple[int, int], values: str) -> None:
    x: Any = np.random.default_rng(0).standard_normal(shape)
    if values == "constant":
        x = np.full(shape, 2.5)
    if values == "halves":
        x[: shape[0] // 2] = x[:1]
    for dimensions in (2, 3):
        method = MDS(kind=kind, n_components=dimensions, n_iter=20)
        map_ = method.layout(method.neighbors(x))
        assert map_.points.shape == (shape[0], dimensions)
        assert np.isfinite(map_.points).all()
        assert map_.epoch == map_.n_epochs
