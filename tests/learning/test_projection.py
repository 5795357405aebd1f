"""New rows on a map: what a map of all rows keeps is kept, twins lie on each other, nothing depends on the company."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.learning.embedding import PCA, UMAP, KernelPCA
from qmlstudio.learning.embedding_base import Neighbors
from qmlstudio.learning.projection import Projector, project
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations.coulomb import CoulombMatrix


@cache
def molecules() -> np.ndarray:
    return CoulombMatrix().compute(load_builtin("qm9_7").structures, threads=1).array


@cache
def reference() -> tuple[np.ndarray, np.ndarray, Neighbors, np.ndarray, np.ndarray]:
    """Rows held out and kept, and the map of the kept ones: first stage, points; last the kept rows themselves."""
    x = molecules()
    order = np.random.default_rng(0).permutation(len(x))
    out, kept = order[: len(x) // 5], order[len(x) // 5 :]
    rows = np.ascontiguousarray(x[kept])
    neighbors = UMAP().neighbors(rows, threads=1)
    return out, kept, neighbors, UMAP().layout(neighbors, threads=1).points, rows


def blobs(n: int = 300, d: int = 10) -> np.ndarray:
    rng = np.random.default_rng(1)
    return 8.0 * rng.standard_normal((5, d))[np.arange(n) % 5] + rng.standard_normal((n, d))


def preserved(new: np.ndarray, rows: np.ndarray, places: np.ndarray, points: np.ndarray, k: int = 15) -> float:
    """Share of the k nearest rows of new ones that are among the k nearest points of their places."""
    from sklearn.neighbors import NearestNeighbors

    one = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(new, return_distance=False)
    two = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(places, return_distance=False)
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(one, two)]))


def test_keeps_the_neighbours_of_a_map_of_all_rows() -> None:
    out, kept, neighbors, points, rows = reference()
    x = molecules()
    found = project(UMAP(), neighbors, rows, points, x[out], threads=1)
    full = UMAP().layout(UMAP().neighbors(x, threads=1), threads=1).points
    whole = preserved(x[out], rows, full[out], full[kept])
    assert preserved(x[out], rows, found, points) >= 0.93 * whole


def test_a_twin_lies_on_its_row() -> None:
    _, _, neighbors, points, rows = reference()
    found = project(UMAP(), neighbors, rows, points, rows[:700], threads=1)
    _, first = np.unique(rows, axis=0, return_index=True)
    unique = np.intersect1d(first, np.arange(700))
    assert len(unique) > 600
    assert (found[unique] == points[unique]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nearest_equals_scikit_learn(dtype: type) -> None:
    from sklearn.neighbors import NearestNeighbors

    out, _, neighbors, points, rows = reference()
    rows, new = rows.astype(dtype), molecules()[out].astype(dtype)
    projector = Projector(UMAP(), neighbors, rows, points, threads=1)
    indices, squared = projector.nearest(new)
    expected, _ = NearestNeighbors(n_neighbors=15, algorithm="brute").fit(rows.astype(float)).kneighbors(new)
    assert np.abs(np.sqrt(squared) - expected).max() < 1e-6 * expected.max()
    own = np.linalg.norm(new[:, None].astype(float) - rows[indices].astype(float), axis=2)
    assert np.abs(np.sqrt(squared) - own).max() < 1e-9 * expected.max()


def test_places_depend_neither_on_company_nor_on_threads() -> None:
    out, _, neighbors, points, rows = reference()
    new = molecules()[out]
    projector = Projector(UMAP(), neighbors, rows, points, threads=1)
    whole = projector.project(new)
    parts = np.concatenate([projector.project(new[a:b]) for a, b in ((0, 1), (1, 300), (300, len(new)))])
    assert (whole == parts).all()
    assert (whole == Projector(UMAP(), neighbors, rows, points, threads=2).project(new)).all()


@pytest.mark.parametrize("method", [PCA(), PCA(n_components=3), KernelPCA()])
def test_components_are_exact(method: PCA | KernelPCA) -> None:
    x = blobs()
    neighbors = method.neighbors(x)
    points = method.layout(neighbors).points
    found = project(method, neighbors, x, points, x)
    assert Projector(method, neighbors, x, points).is_exact
    assert np.abs(found - points).max() < 1e-8 * np.abs(points).max()


def test_three_dimensions() -> None:
    x = blobs()
    points = np.random.default_rng(0).standard_normal((300, 3))
    found = project(UMAP(), UMAP().neighbors(x), x, points, x[5:8] + 1e-3)
    assert found.shape == (3, 3)
    assert np.isfinite(found).all()


def test_a_row_between_two_clusters_goes_into_one() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal((50, 4)) - 6.0, rng.standard_normal((50, 4)) + 6.0])
    points = rng.standard_normal((100, 2)) + np.repeat([[-50.0, 0.0], [50.0, 0.0]], 50, axis=0)
    found = project(UMAP(), UMAP().neighbors(x), x, points, 0.3 * rng.standard_normal((20, 4)))
    assert (np.abs(np.abs(found[:, 0]) - 50.0) < 10.0).all()


def test_rows_that_are_not_finite_have_no_place() -> None:
    x = blobs()
    points = x[:, :2].copy()
    new = x[:4] + 0.1
    new[1, 0], new[2, 3] = np.nan, np.inf
    for method in (UMAP(), PCA()):
        found = project(method, method.neighbors(x), x, points, new)
        assert np.isfinite(found).all(axis=1).tolist() == [True, False, False, True]
    points[::2] = np.nan
    found = project(UMAP(), UMAP().neighbors(x), x, points, x)
    assert np.isfinite(found).all()
    assert (found[1::2] == points[1::2]).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_maps(n: int) -> None:
    x = blobs(n)
    points = np.arange(2.0 * n).reshape(n, 2)
    found = project(UMAP(), UMAP().neighbors(x), x, points, np.concatenate([x, x + 1.0]))
    assert (found[:n] == points).all()
    assert np.isfinite(found).all()


def test_degenerate_maps() -> None:
    equal = np.ones((30, 3))
    points = np.random.default_rng(0).standard_normal((30, 2))
    neighbors = UMAP().neighbors(equal)
    assert (project(UMAP(), neighbors, equal, points, equal[:3]) == points[0]).all()
    assert np.isfinite(project(UMAP(), neighbors, equal, points, 2.0 * equal[:3])).all()
    x = blobs(40)
    assert (project(UMAP(), UMAP().neighbors(x), x, np.zeros((40, 2)), x + 0.5) == 0.0).all()
    nothing = project(UMAP(), UMAP().neighbors(x[:0]), x[:0], np.zeros((0, 2)), x)
    assert nothing.shape == (40, 2)
    assert np.isnan(nothing).all()
    assert project(UMAP(), UMAP().neighbors(x), x, points[np.arange(40) % 30], x[:0]).shape == (0, 2)


def test_refusals() -> None:
    x = blobs(40)
    neighbors = UMAP().neighbors(x)
    with pytest.raises(ValueError, match="40 rows of features and 39 points"):
        project(UMAP(), neighbors, x, x[:39, :2], x)
    with pytest.raises(ValueError, match="new rows have 9 columns, those of the map 10"):
        project(UMAP(), neighbors, x, x[:, :2], x[:, :9])
    with pytest.raises(Cancelled):
        project(UMAP(), neighbors, x, x[:, :2], x, Progress(is_cancelled=lambda: True))
