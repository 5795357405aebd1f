import numpy as np
import pytest

from qmlstudio.session.histogram import BINS, MOST_BINS, NO_BIN, bin_values


@pytest.mark.parametrize("log", [False, True])
def test_counts_agree_with_numpy(log: bool) -> None:
    values = np.random.default_rng(0).lognormal(size=150_000)
    binning = bin_values(values, log)
    assert binning.log is log
    expected, _ = np.histogram(values, binning.edges)
    assert binning.counts.sum() == len(values)
    # a value at an edge may fall to either side
    assert abs(binning.counts - expected).max() <= 2
    mask = values > 1
    counted = binning.counted(mask)
    assert counted.sum() == mask.sum()
    assert (counted == np.bincount(binning.codes[mask], minlength=BINS)).all()


def test_what_has_no_place() -> None:
    values = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1.0, 10.5])
    linear, log = bin_values(values), bin_values(values, log=True)
    assert (linear.missing, linear.beyond, linear.counts.sum()) == (1, 2, 4)
    assert (log.missing, log.beyond, log.counts.sum()) == (1, 4, 2)
    assert (linear.codes[:3] == NO_BIN).all()
    assert linear.note() == "1 missing · 2 infinite"
    assert "not above 0" in log.note(True)
    assert linear.counted(np.ones(7, bool)).sum() == 4


@pytest.mark.parametrize(
    "values", [[], [np.nan], [np.inf], [3.25], [3.25, 3.25], [0.0], [1e308, -1e308], [5e-324, 1e-323], [1e300]]
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_columns(values: list[float], log: bool) -> None:
    binning = bin_values(np.array(values), log)
    placed = [v for v in values if np.isfinite(v) and (v > 0 or not binning.log)]
    assert np.isfinite(binning.edges).all()
    assert (np.diff(binning.edges) >= 0).all()
    assert binning.counts.sum() == len(placed)
    assert binning.missing + binning.beyond + len(placed) == len(values)


def test_whole_numbers_have_a_bin_each() -> None:
    binning = bin_values(np.array([1.0, 1, 3, 7, np.nan]))
    assert binning.discrete
    assert binning.edges.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert binning.counts.tolist() == [2, 0, 1, 0, 0, 0, 1]
    assert not bin_values(np.arange(1000.0)).discrete


def test_nothing_positive_has_no_logarithmic_axis() -> None:
    binning = bin_values(np.array([-1.5, -2.5]), log=True)
    assert not binning.log
    assert "linear" in binning.note(log=True)


def test_codes_leave_a_bit_for_the_mask() -> None:
    assert len(bin_values(np.random.default_rng(0).normal(size=999), bins=500).counts) == MOST_BINS
