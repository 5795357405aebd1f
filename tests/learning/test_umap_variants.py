"""UMAP supervised, with densities, and in three dimensions, against umap-learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from qmlstudio.learning._dens_map import log_radii
from qmlstudio.learning._fuzzy import Graph, fuzzy_set
from qmlstudio.learning._supervision import supervise
from qmlstudio.learning.embedding import REGISTRY, UMAP, from_dict
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture(scope="module")
def umap() -> Any:
    """umap-learn, whose import and use warn about things that are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap as learn
    return learn


def rows(n: int = 400, d: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def matrix(graph: Graph) -> np.ndarray:
    n = len(graph.offsets) - 1
    return csr_matrix((graph.weights, graph.tails, graph.offsets), shape=(n, n)).toarray()


def learned_graph(umap: Any, found: Any, x: np.ndarray) -> Any:
    k = found.indices.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return umap.umap_.fuzzy_simplicial_set(
            x, k, np.random.RandomState(0), "euclidean", knn_indices=found.indices, knn_dists=found.distances
        )[0]


# --- supervision


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.9, 1.0])
def test_categories_equal_umap_learn(umap: Any, weight: float) -> None:
    x = rows()
    codes = np.arange(400) % 4 - 1
    words = np.array(["", "amine", "β", "furan"])[codes + 1]
    found = UMAP(n_neighbors=12).neighbors(x)
    own = supervise(fuzzy_set(found.indices, found.distances), words, 12, weight)
    far = 2.5 / (1.0 - weight) if weight < 1.0 else 1e12
    expected = umap.umap_.discrete_metric_simplicial_set_intersection(
        learned_graph(umap, found, x).copy(), codes, far_dist=far
    )
    assert np.abs(matrix(own) - expected.toarray()).max() < 2e-5


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.8, 1.0])
def test_numbers_equal_umap_learn(umap: Any, weight: float) -> None:
    x = rows()
    y = rows(400, 1, seed=9)[:, 0]
    found = UMAP(n_neighbors=12).neighbors(x)
    own = supervise(fuzzy_set(found.indices, found.distances), y, 12, weight)
    distances = np.abs(y[:, None] - y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = umap.umap_.fuzzy_simplicial_set(
            distances, 12, np.random.RandomState(0), "precomputed", {}, None, None, False, 1.0, 1.0, False
        )[0]
    both = umap.umap_.general_simplicial_set_intersection(learned_graph(umap, found, x), target, weight)
    expected = umap.umap_.reset_local_connectivity(both).toarray()
    assert np.abs(matrix(own) - expected).max() < 1e-4


def test_unknown_values() -> None:
    x = rows()
    found = UMAP().neighbors(x)
    graph = fuzzy_set(found.indices, found.distances)
    # nothing is known: nothing changes
    for nothing in (np.full(400, np.nan), np.full(400, ""), np.full(400, np.inf)):
        assert supervise(graph, nothing, 15, 0.5) is graph
    y = np.where(np.arange(400) < 200, np.nan, x[:, 0])
    own = supervise(graph, y, 15, 0.5)
    full = matrix(own)
    assert np.isfinite(full).all()
    assert np.array_equal(full, full.T)
    # the rows that are not known keep their edges among each other, up to their scale
    before = matrix(graph)[:200, :200] > 0
    assert np.array_equal(full[:200, :200] > 0, before)
    with pytest.raises(ValueError, match="one value for each of the 400 rows"):
        supervise(graph, y[:-1], 15, 0.5)


def separation(points: np.ndarray, label: np.ndarray) -> float:
    """How much of the scatter lies between the groups."""
    centres = np.array([points[label == g].mean(axis=0) for g in np.unique(label)])
    within = sum(((points[label == g] - c) ** 2).sum() for g, c in zip(np.unique(label), centres, strict=True))
    return float(1.0 - within / ((points - points.mean(axis=0)) ** 2).sum())


def test_supervision_separates_as_umap_learn_does(umap: Any) -> None:
    x = rows()
    label = np.arange(400) % 3
    method = UMAP(n_epochs=200)
    found = method.neighbors(x)
    ours = method.layout(found, target=np.array(["a", "b", "c"])[label]).points
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(n_epochs=200, random_state=0, init="pca").fit_transform(x, label)
    assert separation(method.layout(found).points, label) < 0.2
    assert separation(ours, label) > separation(theirs, label) - 0.1
    # a number becomes a direction of the map
    value = np.random.default_rng(4).random(400)
    ordered = method.layout(found, target=value).points
    near = np.linalg.norm(ordered[:, None] - ordered, axis=2).argsort(axis=1)[:, 1:6]
    assert np.abs(value[near] - value[:, None]).mean() < 0.1


# --- densities


def clouds() -> np.ndarray:
    """Four groups of very different widths."""
    rng = np.random.default_rng(1)
    widths = np.array([0.2, 0.5, 1.5, 4.0])[np.arange(600) % 4]
    return 20.0 * rng.standard_normal((4, 10))[np.arange(600) % 4] + widths[:, None] * rng.standard_normal((600, 10))


def map_log_radii(points: np.ndarray, k: int = 15) -> np.ndarray:
    """Logarithms of the mean squared distance of the nearest points."""
    squares = np.sort(((points[:, None] - points) ** 2).sum(axis=2), axis=1)[:, 1:k]
    return np.asarray(np.log(1e-8 + squares.mean(axis=1)))


def test_radii_equal_umap_learn(umap: Any) -> None:
    x = clouds()
    found = UMAP().neighbors(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _, _, lengths = umap.umap_.fuzzy_simplicial_set(
            x,
            15,
            np.random.RandomState(0),
            "euclidean",
            knn_indices=found.indices,
            knn_dists=found.distances,
            return_dists=True,
        )
    graph, lengths = graph.toarray(), lengths.toarray()
    expected = np.log(1e-8 + (graph * lengths**2).sum(axis=1) / graph.sum(axis=1))
    own = log_radii(fuzzy_set(found.indices, found.distances), found.indices, found.distances)
    assert np.abs(own - expected).max() < 1e-4


def test_densities_are_kept_as_umap_learn_does(umap: Any) -> None:
    x = clouds()
    plain, dense = UMAP(n_epochs=300), UMAP(n_epochs=300, dens_map=True)
    found = plain.neighbors(x)
    radii = log_radii(fuzzy_set(found.indices, found.distances), found.indices, found.distances)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(densmap=True, n_epochs=300, random_state=0, init="pca").fit_transform(x)

    def agreement(points: np.ndarray) -> float:
        return float(np.corrcoef(radii, map_log_radii(points))[0, 1])

    ours = agreement(dense.layout(found).points)
    assert ours > agreement(plain.layout(found).points) + 0.1
    assert ours > agreement(theirs) - 0.05
    assert agreement(dense.with_values(n_components=3).layout(found).points) > 0.8


def test_density_without_weight_is_plain_umap() -> None:
    x = clouds()
    plain = UMAP(n_epochs=60)
    found = plain.neighbors(x)
    off = UMAP(n_epochs=60, dens_map=True, dens_lambda=0.0)
    assert np.array_equal(plain.layout(found).points, off.layout(found).points)
    assert UMAP(dens_map=True).epochs(1000) == 700
    assert UMAP(dens_map=True).epochs(20_000) == 400


def test_densities_and_supervision_together() -> None:
    x = clouds()
    method = UMAP(n_epochs=100, dens_map=True)
    map_ = method.layout(method.neighbors(x), target=x[:, 0])
    assert np.isfinite(map_.points).all()


# --- three dimensions, threads, degenerate


@pytest.mark.parametrize("dens_map", [False, True])
def test_three_dimensions_and_threads(dens_map: bool) -> None:
    x = rows(4500, 6)
    method = UMAP(n_epochs=20, n_components=3, dens_map=dens_map)
    found = method.neighbors(x)
    one, two = method.layout(found, threads=1).points, method.layout(found, threads=2).points
    assert one.shape == (4500, 3)
    assert one.tobytes() == two.tobytes()


def test_three_dimensions_keep_neighbours_better() -> None:
    from qmlstudio.learning.quality import trustworthiness

    x = rows(500, 5)
    flat, deep = UMAP(n_epochs=150), UMAP(n_epochs=150, n_components=3)
    found = flat.neighbors(x)
    scores = [trustworthiness(x, method.layout(found).points) for method in (flat, deep)]
    assert scores[1] > scores[0]


def test_cancel_of_densities() -> None:
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked > 30

    method = UMAP(n_epochs=10_000, dens_map=True, n_components=3)
    found = method.neighbors(clouds())
    with pytest.raises(Cancelled):
        method.layout(found, Progress(is_cancelled=ask))
    assert asked == 31


@pytest.mark.parametrize("target", [None, "numbers", "categories", "equal"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 20])
@pytest.mark.parametrize("values", ["random", "constant"])
def test_degenerate(target: str | None, n: int, values: str) -> None:
    x = rows(n, 3) if values == "random" else np.full((n, 3), 2.5)
    given: Any = {
        None: None,
        "numbers": np.where(np.arange(n) % 3 == 0, np.nan, np.arange(n, dtype=np.float64)),
        "categories": np.array(["", "a", "b"])[np.arange(n) % 3],
        "equal": np.zeros(n),
    }[target]
    for dimensions in (2, 3):
        for dens_map in (False, True):
            for weight in (0.0, 1.0):
                method = UMAP(n_epochs=12, n_components=dimensions, dens_map=dens_map, target_weight=weight)
                points = method.layout(method.neighbors(x), target=given).points
                assert points.shape == (n, dimensions)
                assert np.isfinite(points).all()


# --- files of earlier versions


def test_old_files_load() -> None:
    old = {
        "name": "umap",
        "n_neighbors": 20,
        "min_dist": 0.2,
        "spread": 1.0,
        "n_epochs": None,
        "negative_sample_rate": 5,
        "seed": 3,
    }
    assert from_dict(old) == UMAP(n_neighbors=20, min_dist=0.2, seed=3)
    assert from_dict({"name": "pca", "component_x": 2, "component_y": 3}).n_components == 2


@pytest.mark.parametrize("name", REGISTRY)
def test_dimensions_belong_to_the_layout(name: str) -> None:
    method = REGISTRY[name]()
    assert "n_components" in method.stage_values("layout")
    assert "n_components" not in method.stage_values("neighbors")
    with pytest.raises(ValueError, match="n_components"):
        method.with_values(n_components=4)
