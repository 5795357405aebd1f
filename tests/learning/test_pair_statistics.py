import math

import numpy as np
import pytest
import scipy.stats

from qmlstudio.learning.correlation_matrix import correlation_matrix, leaf_order
from qmlstudio.learning.pair_statistics import kendall, least_squares, pair_statistics, ranks, theil_sen
from qmlstudio.progress import Cancelled, Progress


def pair(n: int = 500, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=n).round(digits)
    return x, (2.0 - 0.8 * x + rng.normal(size=n)).round(digits)


def test_everything_as_scipys() -> None:
    x, y = pair()
    holes_x, holes_y = np.append(x, [np.nan, 1.0, np.inf]), np.append(y, [1.0, np.nan, 2.0])
    told = pair_statistics(holes_x, holes_y, robust=True)
    assert told.n == 500
    expected = scipy.stats.linregress(x, y)
    line = told.line
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((expected.slope, expected.intercept))
    assert (line.slope_error, line.intercept_error) == pytest.approx((expected.stderr, expected.intercept_stderr))
    assert line.r2 == pytest.approx(expected.rvalue**2)
    residual = y - expected.slope * x - expected.intercept
    assert line.mae == pytest.approx(abs(residual).mean())
    assert line.rmse == pytest.approx(math.sqrt((residual**2).mean()))
    assert told.pearson == pytest.approx(expected.rvalue)
    assert told.spearman == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
    assert told.kendall == pytest.approx(scipy.stats.kendalltau(x, y).statistic)
    robust = scipy.stats.theilslopes(y, x, method="joint")
    assert told.robust is not None
    assert (told.robust.slope, told.robust.intercept) == pytest.approx((robust.slope, robust.intercept))
    assert not told.robust.is_sampled


@pytest.mark.parametrize("n", [2, 3, 17, 64, 1000])
def test_kendall_for_any_number_of_points(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.permutation(n), rng.integers(0, max(n // 3, 2), n)
    b[0], b[-1] = 0, 1
    found = kendall(ranks(a.astype(float))[0], ranks(b.astype(float))[0])
    assert found == pytest.approx(scipy.stats.kendalltau(a, b).statistic)


def test_a_sampled_slope_says_so_and_outliers_do_not_turn_it() -> None:
    x = np.linspace(0, 1, 3000)
    y = 3 * x + np.random.default_rng(0).normal(0, 0.1, 3000)
    y[::10] += 50
    found = theil_sen(x, y)
    assert found is not None
    assert found.is_sampled
    assert found.slope == pytest.approx(3.0, abs=0.1)


def test_odd_pairs() -> None:
    nothing = pair_statistics(np.full(5, np.nan), np.arange(5.0), robust=True)
    assert (nothing.n, nothing.line, nothing.robust) == (0, None, None)
    constant = pair_statistics(np.full(5, 2.0), np.arange(5.0), robust=True)
    assert (constant.line, constant.robust) == (None, None)
    assert all(math.isnan(v) for v in (constant.pearson, constant.spearman, constant.kendall))
    flat = pair_statistics(np.arange(5.0), np.full(5, 2.0))
    assert flat.line is not None
    assert (flat.line.slope, flat.line.intercept) == (0.0, 2.0)
    assert math.isnan(flat.line.r2)
    two = pair_statistics(np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    assert two.line is not None
    assert (two.line.slope, two.line.intercept, two.kendall) == pytest.approx((2.0, 1.0, 1.0))
    assert math.isnan(two.line.slope_error)
    huge = least_squares(np.array([0.0, 1e300, 2e300]), np.array([0.0, 1e-300, 2e-300]))
    assert huge is not None
    assert huge.r2 == pytest.approx(1.0)


def test_pearson_matrix_is_pairwise_complete() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(300, 3))
    columns = [
        base[:, 0],
        base[:, 0] + base[:, 1],
        -base[:, 0] + 0.1 * base[:, 2],
        np.full(300, 4.0),
        base[:, 2].copy(),
    ]
    columns[4][rng.random(300) < 0.3] = np.nan
    columns[1] = columns[1].copy()
    columns[1][:7] = np.inf
    found = correlation_matrix([c + 1e6 for c in columns])
    assert (found.rows, found.used) == (300, 300)
    for i in range(5):
        for j in range(5):
            both = np.isfinite(columns[i]) & np.isfinite(columns[j])
            assert found.counts[i, j] == both.sum()
            if 3 in (i, j):
                assert math.isnan(found.values[i, j])
            else:
                expected = np.corrcoef(columns[i][both], columns[j][both])[0, 1]
                assert found.values[i, j] == pytest.approx(expected, abs=1e-7)
    assert sorted(found.order.tolist()) == [0, 1, 2, 3, 4]
    # those that go together stand together, the constant one last
    places = found.order.tolist()
    assert abs(places.index(0) - places.index(2)) == 1
    assert places[-1] == 3


def test_spearman_matrix_ranks_each_pair_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    columns = [rng.normal(size=200).round(1) for _ in range(4)]
    columns[1] = np.exp(columns[0])
    columns[2][:50] = np.nan
    columns[3][100:] = np.nan
    found = correlation_matrix(columns, "spearman")
    assert found.values[0, 1] == pytest.approx(1.0)
    for i in range(4):
        for j in range(4):
            expected = scipy.stats.spearmanr(columns[i], columns[j], nan_policy="omit").statistic
            assert found.values[i, j] == pytest.approx(expected)
    assert found.counts[2, 3] == 50
    monkeypatch.setattr("qmlstudio.learning.correlation_matrix.RANKED_ROWS", 100)
    sampled = correlation_matrix(columns, "spearman")
    assert (sampled.used, sampled.rows) == (100, 200)
    assert sampled.counts.max() == 100


def test_odd_matrices() -> None:
    assert correlation_matrix([]).values.shape == (0, 0)
    assert np.isnan(correlation_matrix([np.zeros(0), np.zeros(0)]).values).all()
    few = correlation_matrix([np.array([1.0, 2.0]), np.array([2.0, 1.0])])
    assert np.isnan(few.values).all()
    huge = correlation_matrix([np.array([-1.7e308, 0.0, 1.7e308]), np.array([1.0, 2.0, 3.0])])
    assert huge.values[0, 1] == pytest.approx(1.0)
    assert leaf_order(np.full((3, 3), np.nan)).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="none of"):
        correlation_matrix([], "cosine")


def test_cancelling() -> None:
    x, y = pair()
    with pytest.raises(Cancelled):
        pair_statistics(x, y, progress=Progress(is_cancelled=lambda: True))
    with pytest.raises(Cancelled):
        correlation_matrix([x, y], progress=Progress(is_cancelled=lambda: True))
