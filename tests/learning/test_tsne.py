"""t-SNE: openTSNE's own result on the same neighbours, streamed, cancelled, in three dimensions, degenerate."""

from __future__ import annotations

import numpy as np
import openTSNE
import pytest
from openTSNE.affinity import PerplexityBasedNN
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from sklearn.neighbors import NearestNeighbors

from qmlstudio.learning import tsne
from qmlstudio.learning.embedding import TSNE
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.quality import trustworthiness
from qmlstudio.progress import Cancelled, Progress


def blobs(n: int = 500, d: int = 20, groups: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.arange(n) % groups
    return 8.0 * rng.standard_normal((groups, d))[label] + rng.standard_normal((n, d)), label


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return blobs()[0]


def test_equals_plain_opentsne(features: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same start the pieces of the descent give what it gives in one piece."""
    monkeypatch.setattr(tsne, "EARLY", 60)
    method = TSNE(n_iter=40, exaggeration=1.5)
    found = method.neighbors(features)
    start = np.random.default_rng(1).normal(0.0, 1e-4, (len(features), 2))
    monkeypatch.setattr(TSNE, "_start", lambda *_: start.copy())
    ours = method.layout(found, threads=1)
    # its own search for neighbours would import, and compile, another library for a minute
    lengths, nearest = NearestNeighbors(n_neighbors=91, algorithm="brute").fit(features).kneighbors(features)
    index = PrecomputedNeighbors(nearest[:, 1:].copy(), lengths[:, 1:].copy())
    affinities = PerplexityBasedNN(perplexity=30, knn_index=index)
    peer = openTSNE.TSNEEmbedding(start, affinities, negative_gradient_method="bh")
    peer = peer.optimize(60, exaggeration=12.0, momentum=0.8).optimize(40, exaggeration=1.5, momentum=0.8)
    assert ours.details["divergence"] == pytest.approx(peer.kl_divergence, rel=0.01)
    # chaos grows from the last figures of the neighbours' distances: compare as maps
    scores = [trustworthiness(features, np.asarray(points)) for points in (ours.points, peer)]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
    assert ours.epoch == ours.n_epochs == 100


def test_clusters_stay_apart_and_threads_do_not_matter(features: np.ndarray) -> None:
    label = blobs()[1]
    method = TSNE(n_iter=150)
    found = method.neighbors(features)
    assert found.indices.shape == (500, 91)
    points = method.layout(found, threads=1).points
    centres = np.array([points[label == g].mean(axis=0) for g in range(4)])
    assert np.array_equal(np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1), label)
    assert np.array_equal(method.layout(found, threads=1).points, points)


def test_three_dimensions(features: np.ndarray) -> None:
    method = TSNE(n_iter=20, n_components=3)
    map_ = method.layout(method.neighbors(features))
    assert map_.points.shape == (500, 3)
    assert (map_.points.std(axis=0) > 1.0).all()
    assert trustworthiness(features, map_.points) > 0.85


def test_partial_maps_and_progress(features: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsne, "PARTIAL_SECONDS", 0.0)
    partials: list[Coordinates] = []
    fractions: list[float] = []
    method = TSNE(n_iter=100)
    found = method.neighbors(features)
    result = method.layout(found, Progress(lambda f, _: fractions.append(f), None, partials.append, interval=0.0))
    epochs = [c.epoch for c in partials]
    assert epochs == sorted(set(epochs))
    assert epochs[0] == 0
    assert epochs[-1] == result.epoch == 350
    assert len(epochs) > 5
    assert np.array_equal(partials[-1].points, result.points)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    # nobody's looking on changes nothing
    assert np.isfinite(result.details["divergence"])


@pytest.mark.parametrize("allowed", [0, 2, 8])
def test_cancel(features: np.ndarray, allowed: int) -> None:
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked > allowed

    method = TSNE(n_iter=10_000)
    found = method.neighbors(features)
    with pytest.raises(Cancelled):
        method.layout(found, Progress(is_cancelled=ask))
    assert asked == allowed + 1


def test_start_is_continued(features: np.ndarray) -> None:
    method = TSNE(n_iter=0)
    found = method.neighbors(features)
    given = np.random.default_rng(5).standard_normal((500, 2)) * [3.0, 1.0] + 7.0
    partials: list[Coordinates] = []
    method.layout(found, Progress(partial=partials.append), start=given)
    first = partials[0].points
    assert abs(np.corrcoef(first[:, 0], given[:, 0])[0, 1]) > 0.999
    assert first.std(axis=0).max() == pytest.approx(1e-4, rel=0.01)
    with pytest.raises(ValueError, match="start"):
        method.layout(found, start=given[:-1])


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (3, 5), (4, 1), (5, 2), (10, 0), (60, 300)])
@pytest.mark.parametrize("kind", ["random", "constant"])
def test_degenerate(shape: tuple[int, int], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsne, "EARLY", 20)
    x = np.random.default_rng(0).standard_normal(shape) if kind == "random" else np.full(shape, 2.5)
    for dimensions in (2, 3):
        method = TSNE(n_iter=10, n_components=dimensions)
        map_ = method.layout(method.neighbors(x))
        assert map_.points.shape == (shape[0], dimensions)
        assert np.isfinite(map_.points).all()
        assert map_.epoch == map_.n_epochs
        if shape[0] > 1:
            assert len(np.unique(map_.points, axis=0)) == shape[0]
