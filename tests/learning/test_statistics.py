import math

import numpy as np
import pytest
import scipy.stats

from qmlstudio.learning.statistics import (
    bin_number,
    compare,
    density,
    ordered,
    quantile,
    silverman,
    sorting_order,
    summary,
)
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture
def column() -> np.ndarray:
    values = np.random.default_rng(3).normal(2.0, 3.0, 700).round(1)
    values[:5] = np.nan
    values[5:8] = [np.inf, -np.inf, np.inf]
    return values


def test_order_and_ranks_as_scipys(column: np.ndarray) -> None:
    o = ordered(column)
    finite = column[np.isfinite(column)]
    assert (o.missing, o.infinite) == (5, 3)
    assert np.array_equal(o.values, np.sort(finite))
    assert np.array_equal(column[o.rows], o.values)
    assert np.array_equal(o.ranks, scipy.stats.rankdata(o.values))
    counts = np.unique(finite, return_counts=True)[1].astype(float)
    assert o.ties == pytest.approx((counts**3 - counts).sum())
    assert o.ends.sum() == len(counts)


def test_summary_as_numpys(column: np.ndarray) -> None:
    values = ordered(column).values
    told = summary(values)
    assert told.n == 692
    assert told.mean == pytest.approx(values.mean())
    assert told.sd == pytest.approx(values.std(ddof=1))
    assert (told.lower, told.median, told.upper) == pytest.approx(tuple(np.percentile(values, (25, 50, 75))))
    assert (told.low, told.high) == (values[0], values[-1])
    assert quantile(values, 1.0) == values[-1]


def test_summaries_of_odd_columns() -> None:
    nothing = summary(np.zeros(0))
    assert nothing.n == 0
    assert math.isnan(nothing.mean)
    one = summary(np.array([4.0]))
    assert (one.mean, one.median) == (4.0, 4.0)
    assert math.isnan(one.sd)
    same = summary(np.full(10, 0.1))
    assert (same.mean, same.sd) == (pytest.approx(0.1), 0.0)
    huge = summary(np.array([-1.7e308, 1.0e308, 1.7e308]))
    assert huge.mean == pytest.approx(1.0e308 / 3)
    assert math.isfinite(huge.sd)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_comparison_as_scipys(column: np.ndarray, shift: float) -> None:
    rng = np.random.default_rng(4)
    mask = rng.random(len(column)) < 0.3
    column = np.where(mask, column + shift, column).round(1)
    finite = np.isfinite(column)
    a, b = column[mask & finite], column[~mask & finite]
    found = compare(ordered(column), mask)
    assert found is not None
    expected = scipy.stats.mannwhitneyu(a, b, method="asymptotic")
    assert found.p_rank == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.delta == pytest.approx(2 * expected.statistic / (len(a) * len(b)) - 1)
    distance = scipy.stats.ks_2samp(a, b, method="asymp")
    assert found.distance == pytest.approx(distance.statistic)
    # SciPy takes the finite-size distribution with a rounded size
    assert found.p_distance == pytest.approx(distance.pvalue, rel=0.15)
    welch = scipy.stats.ttest_ind(a, b, equal_var=False)
    assert found.difference / found.error == pytest.approx(welch.statistic)
    assert found.shift == pytest.approx(np.median(a) - np.median(b))


def test_parts_that_cannot_be_compared(column: np.ndarray) -> None:
    o = ordered(column)
    assert compare(o, np.zeros(len(column), bool)) is None
    assert compare(o, np.ones(len(column), bool)) is None
    only_missing = np.isnan(column)
    assert compare(o, only_missing) is None
    constant = compare(ordered(np.full(20, 3.0)), np.arange(20) < 5)
    assert constant is not None
    assert (constant.delta, constant.p_rank, constant.distance, constant.p_distance) == (0.0, 1.0, 0.0, 1.0)
    single = compare(ordered(np.arange(20.0)), np.arange(20) == 19)
    assert single is not None
    assert single.delta == 1.0
    assert math.isnan(single.error)


def test_density_is_the_sum_of_gaussians() -> None:
    values = np.sort(np.random.default_rng(1).gamma(2.0, 1.0, 300))
    curve = density(values, 0.0, 8.0)
    assert curve is not None
    assert curve.bandwidth == pytest.approx(silverman(values))
    z = (curve.places[:, None] - values[None, :]) / curve.bandwidth
    exact = np.exp(-0.5 * z**2).sum(axis=1) / (len(values) * curve.bandwidth * math.sqrt(2 * math.pi))
    assert abs(curve.density - exact).max() < 2e-3 * exact.max()
    assert curve.places[0] == pytest.approx(0.0, abs=0.1)
    assert curve.places[-1] == pytest.approx(8.0, abs=0.1)
    whole = density(values, -10.0, 30.0)
    assert whole is not None
    assert np.trapezoid(whole.density, whole.places) == pytest.approx(1.0, abs=1e-4)


def test_density_on_a_logarithmic_axis() -> None:
    values = np.sort(np.append(10 ** np.random.default_rng(2).normal(1.0, 0.5, 4000), [-3.0, 0.0]))
    values.sort()
    curve = density(values, 1e-2, 1e4, log=True)
    assert curve is not None
    assert np.trapezoid(curve.density, curve.places) == pytest.approx(1.0, abs=1e-3)
    assert curve.places[np.argmax(curve.density)] == pytest.approx(1.0, abs=0.15)


def test_densities_that_there_are_not() -> None:
    assert density(np.zeros(0), 0.0, 1.0) is None
    assert density(np.array([1.0]), 0.0, 1.0) is None
    assert density(np.full(9, 2.0), 0.0, 4.0) is None
    assert density(np.array([-2.0, -1.0]), 1.0, 4.0, log=True) is None
    lonely = density(np.sort(np.append(np.zeros(999), 1e9)), 0.0, 1e9)
    assert lonely is None or np.isfinite(lonely.density).all()


def test_number_of_bins() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=5000))
    expected = len(np.histogram_bin_edges(values, "fd")) - 1
    assert bin_number(values, 200) == expected
    assert bin_number(values, 20) == 20
    assert bin_number(np.exp(values), 200, log=True) == pytest.approx(expected, abs=1)
    assert bin_number(np.zeros(0), 50) == bin_number(np.full(5, 1.0), 50) == 1
    mostly_equal = np.sort(np.append(np.zeros(90), np.arange(10.0)))
    assert bin_number(mostly_equal, 200) == 10
    assert bin_number(np.array([-1.7e308, 0.0, 1.7e308]), 50) >= 1
    sample = values[::10]
    assert bin_number(sample, 200, count=5000) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("n", [0, 1, 250_000, 600_001])
def test_sorting_in_runs(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n).round(3)
    order = sorting_order(values)
    assert np.array_equal(values[order], np.sort(values))
    assert np.array_equal(np.sort(order), np.arange(n))


def test_cancelling() -> None:
    with pytest.raises(Cancelled):
        ordered(np.arange(10.0), Progress(is_cancelled=lambda: True))
