"""Errors, intervals, and whether ± σ means what it says: against definitions and known distributions."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation.metrics import (
    bootstrap,
    by_element,
    by_functional_group,
    by_labels,
    by_membership,
    by_size,
    by_value,
    distance_to_training,
    scores,
    scores_of,
    worst,
)
from qmlstudio.learning.evaluation.uncertainty import Conformal, calibration
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress


def test_scores_by_definition() -> None:
    truth, predicted = np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.5, 2.0, 2.0, 9.0])
    found = scores(truth, predicted)
    assert (found.n, found.missing) == (4, 0)
    assert found.mae == pytest.approx(1.125)
    assert found.rmse == pytest.approx(np.sqrt((0.25 + 1 + 9) / 4))
    assert found.median == pytest.approx(0.75)
    assert found.max == 3.0
    assert found.bias == pytest.approx(0.625)
    assert found.r2 == pytest.approx(1 - 10.25 / 14.0)
    assert found.mad == pytest.approx(1.5)
    assert found.spearman == pytest.approx(stats.spearmanr(truth, predicted).statistic)
    assert found.to_dict()["q95"] == pytest.approx(np.percentile([0.5, 0, 1, 3], 95))


def test_scores_of_what_is_hardly_there() -> None:
    found = scores(np.array([1.0, np.nan, 2.0]), np.array([np.inf, 1.0, 2.5]))
    assert (found.n, found.missing, found.mae) == (1, 2, 0.5)
    assert np.isnan([found.r2, found.spearman]).all()
    empty = scores(np.zeros(0), np.zeros(0))
    assert empty.n == 0
    assert np.isnan([empty.mae, empty.rmse, empty.max]).all()
    constant = scores(np.full(5, 3.0), np.arange(5.0))
    assert np.isnan(constant.r2)
    assert constant.mad == 0.0
    both = scores_of(np.zeros((3, 2)), np.array([[1.0, 2.0]] * 3))
    assert [s.mae for s in both] == [1.0, 2.0]
    with pytest.raises(ValueError, match="one target at a time"):
        scores(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="predictions"):
        scores(np.zeros(3), np.zeros(4))


def test_intervals_cover_what_they_should() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for k in range(60):
        errors = rng.normal(size=150)
        low, high = bootstrap(np.zeros(150), errors, resamples=200, seed=k)["mae"]
        inside += low <= np.sqrt(2 / np.pi) <= high
    assert 48 <= inside <= 60  # 95 % of 60 are 57
    errors = rng.normal(size=999)
    found = bootstrap(np.zeros(999), errors, seed=3)
    exact = scores(np.zeros(999), errors)
    for name, (low, high) in found.items():
        assert low < getattr(exact, name) < high
    assert found == bootstrap(np.zeros(999), errors, seed=3)
    assert np.isnan(bootstrap(np.zeros(1), np.ones(1))["mae"]).all()
    with pytest.raises(Cancelled):
        bootstrap(np.zeros(99), np.ones(99), progress=Progress(is_cancelled=lambda: True))


def test_quantiles_of_a_resample_are_numpys() -> None:
    errors = np.random.default_rng(0).normal(size=37)
    found = bootstrap(np.zeros(37), errors, resamples=1, seed=5)
    drawn = np.abs(errors[np.random.default_rng(5).integers(0, 37, (1, 37))])[0]
    assert found["q95"] == pytest.approx((np.percentile(drawn, 95),) * 2)
    assert found["median"] == pytest.approx((np.median(drawn),) * 2)


def test_errors_by_group() -> None:
    errors = np.array([1.0, -3.0, 0.5, np.nan, 2.0, 9.0])
    table = by_labels(errors, np.array([0, 0, 1, 1, -1, 3]), ("a", "b", "c", "d"), "letter")
    assert table.counts.tolist() == [2, 1, 0, 1]
    np.testing.assert_array_equal(table.mae, [2.0, 0.5, np.nan, 9.0])
    np.testing.assert_array_equal(table.bias, [-1.0, 0.5, np.nan, 9.0])
    np.testing.assert_array_equal(table.worst, [3.0, 0.5, np.nan, 9.0])
    assert table.spread[0] == pytest.approx(np.std([1, 3], ddof=1) / np.sqrt(2))
    assert table.order().tolist() == [3, 0, 1]
    assert table.order(fewest=2).tolist() == [0]
    shared = by_membership(errors, np.array([[1, 1], [1, 0], [0, 0], [0, 1], [0, 0], [0, 1]]), ("x", "y"), "set")
    np.testing.assert_array_equal(shared.mae, [2.0, 5.0])
    elements = by_element(errors[:3], (1, 8), np.array([[2, 1], [4, 0], [0, 2]]))
    assert elements.names == ("H", "O")
    np.testing.assert_array_equal(elements.mae, [2.0, 0.75])
    assert by_size(errors[:3], np.array([3, 5, 3])).names == ("3", "5")
    assert len(by_value(errors, np.full(6, np.nan), "gap")) == 0


def test_errors_by_a_number() -> None:
    values = np.linspace(0.0, 1.0, 1000) ** 2
    table = by_value(np.sqrt(values), values, "distance", bins=5)
    assert table.counts.sum() == 1000
    assert set(table.counts) <= {199, 200, 201}
    assert (np.diff(table.mae) > 0).all()
    assert table.edges is not None
    assert table.edges[0] == 0.0
    assert table.edges[-1] == 1.0
    same = by_value(np.ones(4), np.full(4, 0.5), "distance")
    assert same.counts.tolist() == [4]
    some = by_value(np.ones(3), np.array([0.1, np.nan, 0.3]), "distance", bins=2)
    assert some.counts.sum() == 2
    assert some.notes == ("1 structures have no distance",)


def test_errors_by_functional_group() -> None:
    texts = np.array(["CCO", "c1ccccc1", "OC1CC1", "", "C"])
    data = Dataset(
        "test", Structures(np.full(5, 6, np.uint8), np.zeros((5, 3)), np.arange(6)), {"smiles": Property(texts)}
    )
    rows = np.array([4, 2, 3, 0])
    table = by_functional_group(np.array([7.0, 2.0, 50.0, 4.0]), data, rows)
    found = dict(zip(table.names, table.mae.tolist(), strict=True))
    assert found["alcohol"] == 3.0
    assert found["cyclopropane"] == 2.0
    assert "benzene ring" not in found
    assert table.notes == ("1 structures have no graph",)


def test_distance_and_worst() -> None:
    rows = Rows(np.array([[0.0], [1.0], [5.0], [5.5]]))
    np.testing.assert_allclose(distance_to_training(rows, [0, 1], [2, 3]), [4.0, 4.5])
    local = Rows(np.zeros((4, 1)), np.array([0, 2, 4]))
    with pytest.raises(ValueError, match="model's own distance"):
        distance_to_training(local, [0], [1])
    assert worst(np.array([1.0, -9.0, np.nan, 3.0]), 2).tolist() == [1, 3]
    assert worst(np.array([1.0, np.nan]), 9).tolist() == [0]
    assert len(worst(np.zeros(0), 3)) == 0


@pytest.mark.parametrize("normalised", [False, True])
def test_conformal_intervals_keep_their_promise(normalised: bool) -> None:
    rng = np.random.default_rng(0)
    covered, widths = [], []
    for _ in range(200):
        scale = rng.gamma(2.0, size=140)
        errors = rng.standard_t(3, size=140) * scale  # far from normal
        s: Any = scale if normalised else None
        made = Conformal.of(errors[:40], 0.8, None if s is None else s[:40])
        low, high = made.interval(np.zeros(100), None if s is None else s[40:])
        covered.append(((errors[40:] >= low) & (errors[40:] <= high)).mean())
        widths.append((high - low).mean())
    # between 0.8 and 0.8 + 1/41, with the scatter of 200 draws
    assert 0.79 < np.mean(covered) < 0.835
    assert np.isfinite(widths).all()


def test_scales_make_intervals_as_wide_as_needed() -> None:
    rng = np.random.default_rng(1)
    scale = np.repeat([0.1, 10.0], 500)
    errors = rng.normal(size=1000) * scale
    made = Conformal.of(errors, 0.9, scale)
    low, high = made.interval(np.zeros(1000), scale)
    easy = (errors >= low) & (errors <= high)
    assert abs(easy[:500].mean() - 0.9) < 0.04
    assert abs(easy[500:].mean() - 0.9) < 0.04
    assert made.width == pytest.approx(stats.norm.ppf(0.95), rel=0.1)
    flat = Conformal.of(errors, 0.9)
    assert (np.abs(errors[:500]) <= flat.width).all()
    assert np.isnan(made.half_widths(1, np.array([np.nan]))).all()
    with pytest.raises(ValueError, match="need the scale"):
        made.interval(np.zeros(3))


def test_conformal_intervals_of_little() -> None:
    few = Conformal.of(np.array([1.0, 2.0, 3.0]), 0.9)
    assert few.width == np.inf
    assert "at least 9" in few.text
    assert Conformal.of(np.arange(1.0, 10.0), 0.9).width == 9.0
    assert Conformal.of(np.array([-4.0, 1.0, np.nan, 2.0]), 0.5).width == 2.0
    assert Conformal.of(np.zeros(0), 0.5).width == np.inf
    assert np.isfinite(Conformal.of(np.ones(20), 0.5, np.zeros(20)).width)
    for wrong in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Conformal.of(np.ones(3), wrong)
    with pytest.raises(ValueError, match="negative"):
        Conformal.of(np.ones(3), 0.5, np.array([1.0, -1.0, 1.0]))


def test_calibration_of_what_is_normal() -> None:
    rng = np.random.default_rng(0)
    sigma = rng.gamma(3.0, size=20_000)
    errors = rng.normal(size=20_000) * sigma
    found = calibration(errors, sigma)
    np.testing.assert_allclose(found.observed, found.nominal, atol=0.012)
    assert found.area < 0.01
    assert found.factor == pytest.approx(1.0, abs=0.02)
    assert found.sharpness == pytest.approx(np.sqrt((sigma**2).mean()))
    assert found.nll == pytest.approx(-stats.norm(0, sigma).logpdf(errors).mean())
    assert found.ranking > 0.3
    assert "about as large" in found.text
    sure = calibration(errors, sigma / 3.0)
    assert sure.factor == pytest.approx(3.0, rel=0.02)
    assert (sure.observed < sure.nominal).all()
    # |2Φ(z/3) − 1 − (2Φ(z) − 1)| over all probabilities
    p = np.linspace(0, 1, 4001)
    z = stats.norm.ppf(0.5 + p / 2)
    assert sure.area == pytest.approx(np.abs(2 * stats.norm.cdf(z / 3) - 1 - p).mean(), abs=0.01)
    assert f"too small: multiply it by {sure.factor:.2f}" in sure.text
    assert "too large" in calibration(errors, 3.0 * sigma).text


def test_calibration_of_little() -> None:
    none = calibration(np.array([np.nan]), np.array([1.0]))
    assert (none.n, none.missing) == (0, 1)
    assert np.isnan(none.area)
    assert "no structure" in none.text
    certain = calibration(np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    assert certain.nll == np.inf
    assert certain.factor == np.inf
    assert (certain.observed == 0.5).all()
    assert calibration(np.zeros(4), np.ones(4)).area == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ValueError, match="negative"):
        calibration(np.zeros(1), np.array([-1.0]))
    with pytest.raises(ValueError, match="shape"):
        calibration(np.zeros(2), np.zeros(3))
