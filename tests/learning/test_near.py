"""Neighbours of one row and ways between two, against direct sums, scikit-learn and SciPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from qmlstudio.learning.embedding_base import Neighbors
from qmlstudio.learning.near import (
    METRICS,
    Nearness,
    distances_from,
    false_neighbors,
    nearest,
    nearest_rows,
    path_between,
    similarities,
)
from qmlstudio.progress import Cancelled, Progress


def direct(x: np.ndarray, row: np.ndarray, metric: str) -> np.ndarray:
    if metric == "euclidean":
        return np.linalg.norm(x - row, axis=1)
    if metric == "manhattan":
        return np.abs(x - row).sum(axis=1)
    dot, a, b = x @ row, (x * x).sum(axis=1), row @ row
    return 1.0 - (dot / np.sqrt(a * b) if metric == "cosine" else dot / (a + b - dot))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(400, 37)) + 0.5


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_distances_are_those_of_the_formulas(rows: np.ndarray, metric: str, kind: type) -> None:
    x = (10 * rows).astype(kind)
    found = distances_from(x, 7, metric)
    assert found == pytest.approx(direct(x.astype(float), x[7].astype(float), metric), rel=1e-9, abs=1e-9)
    assert found[7] == 0.0


@pytest.mark.parametrize("metric", METRICS)
def test_nearest_rows_are_sorted_and_the_same_on_any_number_of_threads(metric: str) -> None:
    x = np.random.default_rng(2).integers(0, 3, size=(9000, 300)).astype(float)
    x[[3, 70, 8000]] = x[5]
    one, two = nearest_rows(x, 5, 40, metric), nearest_rows(x, 5, 40, metric, threads=3)
    assert one[0].tolist() == two[0].tolist()
    assert np.array_equal(one[1], two[1])
    expected = direct(x, x[5], metric)
    expected[5] = np.inf
    assert one[1] == pytest.approx(np.sort(expected)[:40], abs=1e-9)
    assert one[0][:3].tolist() == [3, 70, 8000]
    for (i, d), (j, e) in pairwise(zip(*one, strict=True)):
        assert (d, i) < (e, j)


def test_excluded_rows_and_outside_rows(rows: np.ndarray) -> None:
    left_out = np.zeros(400, bool)
    first = nearest_rows(rows, 3, 5)[0]
    left_out[first[:2]] = True
    assert nearest_rows(rows, 3, 3, exclude=left_out)[0].tolist() == first[2:].tolist()
    assert nearest_rows(rows, rows[3], 1)[0].tolist() == [3]
    assert len(nearest_rows(rows[:3], 0, 10)[0]) == 2
    assert len(nearest_rows(rows[:1], 0, 10)[0]) == 0
    assert len(nearest_rows(rows, 0, 0)[0]) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_rows_that_are_not_finite_come_last(rows: np.ndarray, metric: str) -> None:
    x = rows[:20].copy()
    x[4, 2], x[9, 0], x[11, 5] = np.nan, np.inf, -np.inf
    indices, found = nearest_rows(x, 0, 30, metric)
    assert indices[-3:].tolist() == [4, 9, 11]
    assert np.isnan(found[-3:]).all()
    assert np.isfinite(found[:-3]).all()
    assert np.isnan(nearest_rows(x, 9, 5, metric)[1]).all()


def test_rows_of_zeros() -> None:
    x = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    assert distances_from(x, 0, "cosine").tolist() == [0.0, 0.0, 1.0]
    assert distances_from(x, 0, "tanimoto").tolist() == [0.0, 0.0, 1.0]
    assert distances_from(np.zeros((3, 0)), 0).tolist() == [0.0] * 3


def test_wrong_arguments_are_named(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="none of euclidean"):
        distances_from(rows, 0, "chebyshev")
    with pytest.raises(ValueError, match="no row 400 of 400"):
        nearest_rows(rows, 400, 3)
    with pytest.raises(ValueError, match="37 numbers"):
        nearest_rows(rows, np.zeros(3), 3)
    with pytest.raises(ValueError, match="exclude"):
        nearest_rows(rows, 0, 3, exclude=np.zeros(3, bool))
    with pytest.raises(ValueError, match="dimensions"):
        distances_from(np.zeros(3), 0)


def test_false_and_missing_neighbours() -> None:
    false, missing = false_neighbors(np.array([4, 2, 9]), np.array([2, 7]))
    assert false.tolist() == [False, True]
    assert missing.tolist() == [True, False, True]


def test_ranks_tell_false_and_torn_neighbours() -> None:
    # on a line in the features; on the map number 1 is far away and number 90 has come next to 0
    x = np.arange(100.0)[:, None]
    points = np.stack([x[:, 0], np.zeros(100)], axis=1)
    points[1], points[90] = (500.0, 0.0), (0.5, 0.0)
    found = nearest(x, points, 0, Nearness(k=3))
    assert found.indices.tolist() == [1, 2, 3]
    assert found.map_indices.tolist() == [90, 2, 3]
    assert found.map_ranks.tolist() == [99, 2, 3]
    assert found.feature_ranks.tolist() == [90, 2, 3]
    assert found.torn.tolist() == [True, False, False]
    assert found.false.tolist() == [True, False, False]
    assert found.shared.tolist() == [False, True, True]
    assert found.map_distances[0] == pytest.approx(500.0)


def test_neighbours_without_features_or_map(rows: np.ndarray) -> None:
    points = rows[:, :2].copy()
    points[5] = np.nan
    found = nearest(None, points, 0, Nearness(k=4))
    assert len(found.indices) == 0
    assert len(found.map_indices) == 4
    assert 5 not in found.map_indices
    assert not found.false.any()
    assert len(nearest(rows, None, 0, Nearness(k=4)).map_indices) == 0
    lost = nearest(rows, points, 5, Nearness(k=4))
    assert lost.map_ranks.tolist() == [0, 0, 0, 0]
    assert not lost.torn.any()
    broken = rows.copy()
    broken[0, 0] = np.nan
    assert "not all finite" in nearest(broken, points, 0, Nearness()).reason
    with pytest.raises(ValueError, match="neither"):
        nearest(None, None, 0, Nearness())


def test_similarities() -> None:
    d = np.array([0.0, 1.0, 2.0, 3.0, np.nan])
    gauss = similarities(d, Nearness(), 0)
    assert gauss[:4] == pytest.approx(np.exp(-(d[:4] ** 2) / 8.0))
    assert np.isnan(gauss[4])
    assert similarities(d, Nearness(kernel="laplacian", width="near", k=1), 0)[2] == pytest.approx(np.exp(-2.0))
    assert similarities(d, Nearness(kernel="distance"), 0) is d
    assert similarities(np.array([0.0, 0.0, 0.0, 5.0]), Nearness(), 0).tolist() == [1.0, 1.0, 1.0, 0.0]
    assert np.isnan(similarities(np.full(3, np.nan), Nearness(), 0)).all()


# -- ways


def neighbors_of(x: np.ndarray, k: int) -> Neighbors:
    d = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(d, -1.0)
    indices = np.argsort(d, axis=1, kind="stable")[:, : k + 1].astype(np.int32)
    return Neighbors(indices, np.zeros(indices.shape, np.float32), np.zeros((len(x), 0)), np.zeros(0))


def graph_of(x: np.ndarray, near: Neighbors, power: float) -> np.ndarray:
    costs = np.zeros((len(x), len(x)))
    for i, others in enumerate(near.indices[:, 1:]):
        for j in others:
            costs[i, j] = costs[j, i] = np.linalg.norm(x[i] - x[j]) ** power
    return costs


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_way_is_the_cheapest(rows: np.ndarray, power: float) -> None:
    from scipy.sparse.csgraph import dijkstra

    x = rows[:, :3].copy()
    near = neighbors_of(x, 6)
    cost = dijkstra(graph_of(x, near, power), indices=0)
    reached = np.flatnonzero(np.isfinite(cost) & (cost > 0))
    for b in reached[:: max(1, len(reached) // 20)].tolist():
        route = path_between(x, 0, b, neighbors=near, power=power)
        assert (route.lengths**power).sum() == pytest.approx(cost[b])
        assert (route.rows[0], route.rows[-1]) == (0, b)
        assert not route.joined.any()
        assert route.lengths == pytest.approx(np.linalg.norm(np.diff(x[route.rows], axis=0), axis=1))
        for i, j in pairwise(route.rows.tolist()):
            assert j in near.indices[i] or i in near.indices[j]


def test_longest_step_is_the_shortest_possible(rows: np.ndarray) -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

    x = rows[:, :3].copy()
    near = neighbors_of(x, 6)
    tree = minimum_spanning_tree(csr_matrix(graph_of(x, near, 1.0)))
    assert connected_components(tree)[0] == 1
    before = breadth_first_order(tree, 0, directed=False)[1]
    for b in (17, 255, 399):
        longest, at = 0.0, b
        while at != 0:
            longest = max(longest, float(np.linalg.norm(x[at] - x[before[at]])))
            at = before[at]
        route = path_between(x, 0, b, neighbors=near, power=None)
        assert route.lengths.max() == pytest.approx(longest)


def test_way_finds_its_own_neighbours_and_bends(rows: np.ndarray) -> None:
    t = np.linspace(0.0, 1.9 * np.pi, 200)
    ring = np.stack([np.cos(t), np.sin(t)], axis=1)
    route = path_between(ring, 0, 199, 4)
    assert len(route.rows) > 40
    assert (np.diff(route.rows) > 0).all()
    ring[50] = np.nan
    around = path_between(ring, 0, 199, 4)
    assert 50 not in around.rows
    assert not around.joined.any()


def test_parts_are_joined_by_the_shortest_link(rows: np.ndarray) -> None:
    x = np.concatenate([np.arange(30.0), 100.0 + np.arange(30.0), 300.0 + np.arange(400.0)])[:, None]
    route = path_between(x, 0, 459, 3)
    steps = list(pairwise(route.rows.tolist()))
    assert [step for step, added in zip(steps, route.joined, strict=True) if added] == [(29, 30), (59, 60)]
    assert route.total == pytest.approx(699.0)


def test_many_parts_come_to_an_end() -> None:
    x = (np.repeat(np.arange(40.0) * 50.0, 5) + np.tile(np.arange(5) * 0.1, 40))[:, None]
    route = path_between(x, 0, 199, 2)
    assert (route.rows[0], route.rows[-1]) == (0, 199)
    assert route.joined.any()


def test_equal_rows_and_equal_ends() -> None:
    x = np.zeros((50, 3))
    route = path_between(x, 0, 49, 5)
    assert route.total == 0.0
    assert path_between(x, 4, 4).rows.tolist() == [4]
    two = path_between(np.array([[0.0], [1.0]]), 0, 1)
    assert two.rows.tolist() == [0, 1]


def test_huge_and_tiny_numbers_stay_legal() -> None:
    x = np.array([[0.0], [1e-300], [2e-300], [1.0], [1e200], [1.5e308]])
    chain = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 3], [3, 2, 4], [4, 3, 5], [5, 4, 3]], dtype=np.int32)
    near = Neighbors(chain, np.zeros(chain.shape, np.float32), np.zeros((6, 0)), np.zeros(0))
    for power in (1.0, 8.0, None):
        route = path_between(x, 0, 5, power=power, neighbors=near)
        assert (route.rows[0], route.rows[-1]) == (0, 5)
    far = similarities(distances_from(x, 0), Nearness(width="near", k=2), 0)
    assert far[0] == 1.0
    assert far[3] == 0.0


def test_wrong_ends_are_named(rows: np.ndarray) -> None:
    x = rows[:10].copy()
    x[3, 3] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        path_between(x, 0, 3)
    with pytest.raises(ValueError, match="no row 10"):
        path_between(x, 0, 10)
    with pytest.raises(ValueError, match="power"):
        path_between(x, 0, 1, power=0.5)


def test_cancel(rows: np.ndarray) -> None:
    with pytest.raises(Cancelled):
        distances_from(rows, 0, progress=Progress(is_cancelled=lambda: True))
    with pytest.raises(Cancelled):
        path_between(rows, 0, 9, progress=Progress(is_cancelled=lambda: True))


def test_nearness_round_trips() -> None:
    value = Nearness(metric="cosine", k=5, kernel="distance", width="near")
    assert Nearness.from_dict(value.to_dict()) == value
