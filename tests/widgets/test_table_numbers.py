"""Order, statistics and text of columns."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.progress import Cancelled, Progress
from qmlstudio.widgets.table_numbers import Statistics, sort_order, statistics, table_text


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_order_is_stable_with_missing_last(kind: str, descending: bool) -> None:
    rng = np.random.default_rng(1)
    ranks = rng.integers(-3, 4, 3000)  # many ties
    missing = rng.random(3000) < 0.1
    if kind == "numbers":
        values = np.where(missing, np.nan, ranks.astype(float))
    else:
        values = np.where(missing, "", np.array(list("abcdefg"))[ranks + 3])
    keys = sorted(range(3000), key=lambda i: (missing[i], 0 if missing[i] else (-ranks[i] if descending else ranks[i])))
    order = sort_order(values, descending)
    assert order.dtype == np.int64
    assert order.tolist() == keys


def test_infinities_are_ends_of_the_order() -> None:
    values = np.array([0.0, np.inf, np.nan, -np.inf, -1.0])
    assert sort_order(values).tolist() == [3, 4, 0, 1, 2]
    assert sort_order(values, True).tolist() == [1, 0, 4, 3, 2]


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(0, "U3")])
def test_nothing_at_all(values: np.ndarray) -> None:
    assert sort_order(values).tolist() == sort_order(values, True).tolist() == []
    found = statistics(values)
    assert (found.count, found.missing, found.has_bars) == (0, 0, False)


def test_sorting_is_cancelled() -> None:
    with pytest.raises(Cancelled):
        sort_order(np.zeros(10), progress=Progress(is_cancelled=lambda: True))


def test_statistics_of_numbers() -> None:
    values = np.arange(1001.0)
    values[[3, 7]] = np.nan
    values[9] = np.inf
    found = statistics(values)
    good = values[np.isfinite(values)]
    assert (found.count, found.missing, found.infinite) == (1001, 2, 1)
    assert (found.low, found.high) == (0.0, 1000.0)
    assert found.median == np.median(good)
    assert found.bar_low == pytest.approx(np.quantile(good, 0.02), abs=1)
    assert found.bar_high == pytest.approx(np.quantile(good, 0.98), abs=1)
    assert found.has_bars


@pytest.mark.parametrize("values", [np.full(5, 2.0), np.array([1.5]), np.full(4, np.nan), np.array([np.inf, -np.inf])])
def test_no_bars_where_nothing_differs(values: np.ndarray) -> None:
    assert not statistics(values).has_bars


def test_bars_of_a_nearly_constant_column_span_the_outliers() -> None:
    values = np.zeros(1000)
    values[0] = 5.0
    found = statistics(values)
    assert (found.bar_low, found.bar_high) == (0.0, 5.0)


def test_statistics_of_texts() -> None:
    found = statistics(np.array(["b", "", "a", "b", "c", ""]))
    assert (found.count, found.missing, found.distinct, found.common) == (6, 2, 3, "b")
    assert statistics(np.array(["", ""])) == Statistics(2, 2)
    many = np.array([f"n{i}" for i in range(200_000)])
    assert statistics(many).distinct == 200_000


def test_text_of_a_table_is_exact() -> None:
    columns = [("x / Å", np.array([0.1, np.nan, 3.0, 1 / 3])), ("t", np.array(["a", "b\tc", "", "d\ne"]))]
    text = table_text(columns, np.array([3, 1, 2, 0]))
    assert text.splitlines() == ["x / Å\tt", f"{1 / 3!r}\td e", "\tb c", "3\t", "0.1\ta"]
