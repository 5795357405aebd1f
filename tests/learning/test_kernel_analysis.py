"""What a kernel matrix says of itself, against definitions and known answers."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.learning.kernels import Gaussian, LocalSum
from qmlstudio.learning.kernels import analysis as a
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_spectrum_of_known_matrices() -> None:
    flat = a.Spectrum.of(np.eye(7))
    assert flat.participation == pytest.approx(7)
    assert flat.effective_dimension([0.0, 1.0, 3.0]) == pytest.approx([7, 3.5, 7 / 4])
    assert flat.needed_for(0.5) == 4
    single = a.Spectrum.of(np.ones((5, 5)))
    assert single.participation == pytest.approx(1)
    assert single.needed_for(0.99) == 1
    assert single.negative < 1e-12
    assert a.Spectrum.of(np.diag([2.0, -1.0])).negative == pytest.approx(0.5)
    assert a.Spectrum.of(np.zeros((0, 0))).participation == 0
    assert a.Spectrum.of(np.zeros((3, 3))).needed_for(0.9) == 0


def test_effective_dimension_is_the_trace_of_the_smoother(rng: np.random.Generator) -> None:
    k = Gaussian(sigma=1.5).matrix(Rows(rng.normal(size=(30, 4))))
    for lam in (1e-3, 0.1, 10.0):
        smoother = k @ np.linalg.inv(k + lam * np.eye(30))
        assert a.Spectrum.of(k).effective_dimension(lam)[0] == pytest.approx(np.trace(smoother), rel=1e-8)
    with pytest.raises(ValueError, match="not negative"):
        a.Spectrum.of(k).effective_dimension(-1.0)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        a.Spectrum.of(np.array([[1.0, np.nan], [np.nan, 1.0]]))


def test_alignment_by_its_definition(rng: np.random.Generator) -> None:
    k = Gaussian(sigma=2.0).matrix(Rows(rng.normal(size=(25, 3))))
    y = rng.normal(size=25) + 40
    h = np.eye(25) - 1 / 25
    kc, yc = h @ k @ h, h @ np.outer(y, y) @ h
    expected = np.sum(kc * yc) / np.linalg.norm(kc) / np.linalg.norm(yc)
    assert a.alignment(k, y) == pytest.approx(expected, rel=1e-9)
    assert a.alignment(np.outer(y, y), y) == pytest.approx(1)
    assert a.alignment(np.outer(y, y), 1e8 * y - 5) == pytest.approx(1)


def test_alignment_of_what_has_none(rng: np.random.Generator) -> None:
    k = Gaussian(sigma=2.0).matrix(Rows(rng.normal(size=(20, 3))))
    y = rng.normal(size=20)
    holes = y.copy()
    holes[[2, 9]] = np.nan, np.inf
    known = np.isfinite(holes)
    found = a.alignments(k, {"y": y, "holes": holes, "flat": np.full(20, 0.1), "none": np.full(20, np.nan)})
    assert found["y"] == pytest.approx(a.alignment(k, y))
    assert found["holes"] == pytest.approx(a.alignment(k[np.ix_(known, known)], y[known]))
    assert np.isnan(found["flat"])
    assert np.isnan(found["none"])
    assert np.isnan(a.alignment(np.ones((20, 20)), y))


def test_degenerate_kernels_are_told(rng: np.random.Generator) -> None:
    rows = Rows(rng.normal(size=(40, 5)))
    assert a.degeneracy(Gaussian(sigma=0.01).matrix(rows)) == "strangers"
    assert a.degeneracy(Gaussian(sigma=1e4).matrix(rows)) == "equal"
    assert a.degeneracy(1e6 * Gaussian(sigma=1e4).matrix(rows)) == "equal"
    assert a.degeneracy(Gaussian(sigma=2.0).matrix(rows)) == ""
    assert a.degeneracy(np.ones((1, 1))) == ""
    assert a.degeneracy(np.zeros((3, 3))) == "strangers"


@pytest.mark.parametrize("lift", [0.0, -0.4])
def test_structures_along_a_line_are_put_in_its_order(rng: np.random.Generator, lift: float) -> None:
    places = rng.permutation(np.linspace(0, 1, 90))
    matrix = np.exp(-((places[:, None] - places[None, :]) ** 2) / 0.02) + lift
    for order in (a.fiedler_order(matrix), a.tree_order(matrix)):
        along = places[order]
        assert np.all(np.diff(along) > 0) or np.all(np.diff(along) < 0)


def test_clusters_are_not_torn_apart(rng: np.random.Generator) -> None:
    which = rng.integers(0, 3, size=80)
    rows = Rows(10.0 * np.eye(3)[which] + 0.1 * rng.normal(size=(80, 3)))
    order = a.order_by_similarity(Gaussian(sigma=5.0), rows)
    assert sorted(order.tolist()) == list(range(80))
    assert np.count_nonzero(np.diff(which[order])) == 2


def test_neighbours_in_the_order_are_alike(rng: np.random.Generator) -> None:
    points = rng.normal(size=(150, 3))
    matrix = Gaussian(sigma=1.0).matrix(Rows(points))

    def beside(order: np.ndarray) -> float:
        return float(np.diagonal(matrix[np.ix_(order, order)], 1).mean())

    assert beside(a.tree_order(matrix)) > 2 * beside(np.arange(150))
    assert beside(a.tree_order(matrix)) > beside(a.fiedler_order(matrix))


def test_large_sets_are_ordered_by_their_first_component(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(a, "MOST_SERIATED", 100)
    places = rng.permutation(np.linspace(0, 1, 600))
    order = a.order_by_similarity(Gaussian(sigma=1.0), Rows(places[:, None]))
    along = places[order]
    assert np.all(np.diff(along) > 0) or np.all(np.diff(along) < 0)


def test_edges() -> None:
    for n in (0, 1, 2):
        assert a.fiedler_order(np.eye(n)).tolist() == list(range(n))
        assert a.tree_order(np.eye(n)).tolist() == list(range(n))
    for matrix in (np.ones((6, 6)), np.zeros((6, 6)), np.eye(6)):
        assert sorted(a.fiedler_order(matrix).tolist()) == list(range(6))
        assert sorted(a.tree_order(matrix).tolist()) == list(range(6))


def test_an_order_can_be_cancelled(rng: np.random.Generator) -> None:
    def stop() -> bool:
        return True

    with pytest.raises(Cancelled):
        a.fiedler_order(np.exp(-rng.random((9, 9))), Progress(is_cancelled=stop))
    with pytest.raises(Cancelled):
        a.component_order(Gaussian(sigma=1.0), Rows(rng.normal(size=(50, 2))), Progress(is_cancelled=stop))


def test_local_kernels_are_ordered_too(rng: np.random.Generator) -> None:
    offsets = np.arange(0, 41, 4)
    numbers = np.tile(np.array([6, 1, 1, 8], np.uint8), 10)
    rows = Rows(rng.normal(size=(40, 3)), offsets.astype(np.int64), numbers, np.full(10, 4))
    order = a.order_by_similarity(LocalSum(sigma=1.0), rows)
    assert sorted(order.tolist()) == list(range(10))
