"""Distances to the nearest row, against all distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from qmlstudio.learning.cross_nearest import nearest_distances
from qmlstudio.progress import Cancelled, Progress


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shapes", [(700, 1500, 7), (3, 2, 40), (1, 1, 1), (300, 300, 200)])
def test_is_the_least_of_all_distances(shapes: tuple[int, int, int], dtype: type) -> None:
    rng = np.random.default_rng(0)
    m, n, d = shapes
    rows, others = rng.normal(size=(m, d)).astype(dtype), 100 + rng.normal(size=(n, d)).astype(dtype)
    others[0] = rows[0]
    expected = cdist(rows.astype(float), others.astype(float)).min(axis=1)
    np.testing.assert_allclose(nearest_distances(rows, others), expected, rtol=1e-12, atol=0)


def test_no_row_is_its_own_neighbour_but_equal_ones_are() -> None:
    rows = np.random.default_rng(0).normal(size=(600, 5)) + 1e6
    rows[599] = rows[3]
    table = cdist(rows, rows)
    np.fill_diagonal(table, np.inf)
    found = nearest_distances(rows)
    np.testing.assert_allclose(found, table.min(axis=1), rtol=1e-9)
    assert found[3] == found[599] == 0.0


def test_what_is_not_finite_has_no_distance_and_is_nobodys_neighbour() -> None:
    rows = np.array([[0.0], [np.nan], [3.0]])
    others = np.array([[np.inf], [1.0]])
    np.testing.assert_array_equal(nearest_distances(rows, others), [1.0, np.nan, 2.0])
    np.testing.assert_array_equal(nearest_distances(rows), [3.0, np.nan, 3.0])
    np.testing.assert_array_equal(nearest_distances(np.zeros((1, 2))), [np.nan])
    assert len(nearest_distances(np.zeros((0, 2)))) == 0
    np.testing.assert_array_equal(nearest_distances(np.zeros((2, 1)), np.zeros((0, 1))), [np.nan, np.nan])


def test_refuses_other_columns_and_can_be_cancelled() -> None:
    with pytest.raises(ValueError, match="columns"):
        nearest_distances(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(Cancelled):
        nearest_distances(np.zeros((9, 3)), None, Progress(is_cancelled=lambda: True))
