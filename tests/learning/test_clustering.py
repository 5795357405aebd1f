"""Clusterings against scikit-learn, cancelled, and on degenerate points."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from qmlstudio.learning import clustering
from qmlstudio.learning._density import neighbor_graph
from qmlstudio.learning._process import in_process
from qmlstudio.learning.clustering import HDBSCAN, REGISTRY, Clusters, KMeans, by_size, cluster_points, from_dict
from qmlstudio.progress import Cancelled, Progress


def blobs(n: int, groups: int = 5, width: float = 0.2, seed: int = 0, dimensions: int = 2) -> tuple[Any, Any]:
    """Groups of falling size on a circle (or sphere), and the group of each point."""
    rng = np.random.default_rng(seed)
    label = np.searchsorted(np.cumsum(np.arange(groups, 0, -1)), np.arange(n) % (groups * (groups + 1) // 2), "right")
    centres = 4.0 * rng.normal(size=(groups, dimensions))
    angle = 2 * np.pi * np.arange(groups) / groups
    centres[:, :2] = 8.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres[label] + width * rng.normal(size=(n, dimensions)), label


def same(a: Any, b: Any) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(a, b))


@pytest.mark.parametrize("name", REGISTRY)
def test_round_trip(name: str) -> None:
    method = REGISTRY[name](space="features")
    assert method.name == name
    assert from_dict(method.to_dict()) == method


def test_from_dict_refuses_unknown() -> None:
    with pytest.raises(ValueError, match="there is no clustering 'dbscan'"):
        from_dict({"name": "dbscan"})
    with pytest.raises(ValueError, match="has no parameter eps"):
        from_dict({"name": "hdbscan", "eps": 3})


@pytest.mark.parametrize("method", [HDBSCAN(), KMeans(n_clusters=5)], ids=lambda m: m.name)
@pytest.mark.parametrize("n", [600, 3000])
def test_finds_groups_and_numbers_them_by_size(method: Any, n: int) -> None:
    points, label = blobs(n)
    found = method.run(points)
    assert found.count == 5
    inside = found.labels >= 0
    assert same(found.labels[inside], label[inside]) == pytest.approx(1.0)
    assert (np.diff(found.sizes) <= 0).all()
    assert found.sizes.sum() + found.noise == n
    for k in range(5):
        assert np.allclose(found.centres[k], points[found.labels == k].mean(axis=0))


def test_hdbscan_is_the_librarys() -> None:
    from sklearn import cluster

    points = np.concatenate([blobs(1200, width=0.6)[0], np.random.default_rng(3).uniform(-12, 12, (300, 2))])
    found = HDBSCAN(min_cluster_size=20, min_samples=8).run(points)
    expected = cluster.HDBSCAN(min_cluster_size=20, min_samples=8, algorithm="kd_tree", copy=True).fit(points)
    assert same(found.labels, expected.labels_) == 1.0
    assert found.probability is not None
    assert np.allclose(found.probability, expected.probabilities_, atol=1e-5)
    assert found.details["exact"]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_graph_holds_the_spanning_tree(dimensions: int) -> None:
    """The tree of the graph is as short as that over all pairs, edge by edge."""
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    points = np.concatenate(
        [blobs(1200, width=0.5, dimensions=dimensions)[0], np.random.default_rng(5).uniform(-9, 9, (200, dimensions))]
    )
    samples = 12
    distances = cdist(points, points)
    core = np.sort(distances, axis=1)[:, samples - 1]
    reach = np.maximum(distances, np.maximum(core[:, None], core))
    graph = neighbor_graph(points, 2 * samples).tocoo()
    graph.data = np.maximum(graph.data, np.maximum(core[graph.row], core[graph.col]))
    assert np.allclose(np.sort(minimum_spanning_tree(graph).data), np.sort(minimum_spanning_tree(reach).data))


def test_graph_agrees_with_all_pairs() -> None:
    from sklearn import cluster

    points = np.concatenate([blobs(2500, width=0.6)[0], np.random.default_rng(3).uniform(-12, 12, (500, 2))])
    found = HDBSCAN().run(points)
    assert not found.details["exact"]
    expected = cluster.HDBSCAN(min_cluster_size=15, algorithm="kd_tree", copy=True).fit(points)
    assert same(found.labels, expected.labels_) > 0.98


def test_epsilon_is_in_units_of_the_map() -> None:
    points = np.concatenate([blobs(600, groups=2, width=0.1)[0], blobs(600, groups=2, width=0.1, seed=2)[0] + [0, 1.5]])
    assert HDBSCAN().run(points).count == 4
    assert HDBSCAN(cluster_selection_epsilon=2.0).run(points).count == 2


@pytest.mark.parametrize("method", [HDBSCAN(), KMeans()], ids=lambda m: m.name)
def test_degenerate_points(method: Any) -> None:
    for n, c in ((0, 2), (1, 2), (2, 2), (3, 1), (5, 0)):
        found = method.run(np.arange(float(n * c)).reshape(n, c))
        assert found.labels.shape == (n,)
        assert found.centres.shape == (found.count, c)
    assert method.run(np.zeros((1, 2))).labels.tolist() == [0]
    for same_points in (np.ones((50, 2)), np.ones((3000, 2))):
        assert (method.run(same_points).labels == 0).all()
    line = np.linspace(0, 1, 2500)[:, None] * [1.0, 2.0]
    assert np.isfinite(method.run(line).centres).all()
    few = np.repeat(np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]]), [1200, 900, 700], axis=0)
    found = method.run(few)
    assert found.sizes.tolist() == [1200, 900, 700]
    huge = blobs(300)[0] * 1e200
    assert method.run(huge).count == method.run(huge / 1e200).count


@pytest.mark.parametrize("method", [HDBSCAN(), KMeans(n_clusters=3)], ids=lambda m: m.name)
def test_points_that_are_no_numbers_are_noise(method: Any) -> None:
    points, _ = blobs(300, groups=3)
    bad = points.copy()
    bad[::10, 0] = np.nan
    bad[5::10, 1] = np.inf
    found = method.run(bad)
    lost = ~np.isfinite(bad).all(axis=1)
    assert (found.labels[lost] == -1).all()
    assert same(found.labels[~lost], method.run(points[~lost]).labels) == 1.0
    assert np.isfinite(found.centres).all()
    nothing = method.run(np.full((4, 2), np.nan))
    assert nothing.count == 0
    assert nothing.noise == 4


def test_kmeans_repeats_itself_and_is_as_good_as_the_librarys() -> None:
    from sklearn.cluster import KMeans as Library

    points = np.random.default_rng(0).uniform(size=(3000, 2))
    found = KMeans(n_clusters=12, seed=3).run(points)
    assert np.array_equal(found.labels, KMeans(n_clusters=12, seed=3).run(points).labels)

    def inertia(labels: Any) -> float:
        return float(sum(((points[labels == k] - points[labels == k].mean(axis=0)) ** 2).sum() for k in range(12)))

    assert inertia(found.labels) < 1.05 * inertia(Library(12, n_init=3, random_state=1).fit(points).labels_)


def test_sampled_rows_bring_the_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "MAP_SAMPLE", 1000)
    monkeypatch.setattr(clustering, "DENSE_SAMPLE", 1000)
    for dimensions in (2, 6):
        points, label = blobs(4000, dimensions=dimensions)
        found = HDBSCAN(min_cluster_size=40).run(points)
        assert "random structures of 4,000" in found.details["note"]
        inside = found.labels >= 0
        assert inside.mean() > 0.9
        assert same(found.labels[inside], label[inside]) == pytest.approx(1.0)


def test_features_are_reduced() -> None:
    points, _ = blobs(200)
    wide = np.concatenate([points, np.zeros((200, 98))], axis=1)
    wide[7, 3] = np.nan
    scores = cluster_points(wide)
    assert scores.shape == (200, 50)
    assert np.isnan(scores[7]).all()
    others = np.delete(np.arange(200), 7)
    assert np.isfinite(scores[others]).all()
    assert np.allclose(np.linalg.norm(scores[0] - scores[1]), np.linalg.norm(points[0] - points[1]))


def test_by_size() -> None:
    assert by_size(np.array([4, 4, -1, 2, 2, 2, 9])).tolist() == [1, 1, -1, 0, 0, 0, 2]
    assert by_size(np.array([3, 1])).tolist() == [1, 0]


def test_another_process_is_ended_by_a_cancel() -> None:
    cancelled = threading.Event()
    threading.Timer(0.4, cancelled.set).start()
    with pytest.raises(Cancelled):
        in_process(time.sleep, (60,), Progress(is_cancelled=cancelled.is_set))


def test_another_process_hands_over_results_and_errors() -> None:
    assert in_process(divmod, (17, 5), Progress()) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        in_process(divmod, (17, 0), Progress())


def test_large_maps_go_to_a_process_only_where_somebody_may_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    import qmlstudio.learning._process as process

    points, _ = blobs(1000)
    asked: list[int] = []

    def here(work: Any, arguments: Any, progress: Progress) -> Any:
        asked.append(len(arguments[0]))
        return work(*arguments)

    monkeypatch.setattr(clustering, "INLINE_LIMIT", 900)
    monkeypatch.setattr(process, "in_process", here)
    alone = HDBSCAN().run(points)
    assert asked == []
    watched: Clusters = HDBSCAN().run(points, Progress(is_cancelled=lambda: False))
    assert asked == [1000]
    assert np.array_equal(alone.labels, watched.labels)


def test_cancel_is_heard() -> None:
    with pytest.raises(Cancelled):
        KMeans().run(blobs(1000)[0], Progress(is_cancelled=lambda: True))
