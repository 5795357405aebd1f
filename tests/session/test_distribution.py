from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.distribution import MOST_BARS, DistributionSpec, distribution, part


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 300))


def with_column(dataset: Dataset, values: Any, unit: str = "") -> Columns:
    return Columns(replace(dataset, properties={**dataset.properties, "v": Property(np.asarray(values), unit=unit)}))


def test_a_column_of_numbers(qm9: Dataset) -> None:
    gap = qm9.properties["gap"].values
    early: list[Any] = []
    found = distribution(Columns(qm9), DistributionSpec("gap", by="n_N"), Progress(partial=early.append))
    assert found.binning.counts.sum() == 300
    assert np.array_equal(found.binning.counts, np.histogram(gap, found.binning.edges)[0])
    assert len(found.binning.counts) == len(np.histogram_bin_edges(gap, "fd")) - 1
    assert found.summary is not None
    assert found.summary.mean == pytest.approx(gap.mean())
    assert found.curve is not None
    # the bars came before what needs an order
    assert len(early) == 1
    assert early[0].ordered is None
    assert np.array_equal(early[0].binning.counts, found.binning.counts)
    n_nitrogen = Columns(qm9)["n_N"].values
    assert [g.name for g in found.groups] == [f"n_N {k:.0f}" for k in np.unique(n_nitrogen)]
    for group, k in zip(found.groups, np.unique(n_nitrogen), strict=True):
        assert np.array_equal(group.counts, np.histogram(gap[n_nitrogen == k], found.binning.edges)[0])
        assert group.total == (n_nitrogen == k).sum()


def test_bins_and_logarithm(qm9: Dataset) -> None:
    found = distribution(Columns(qm9), DistributionSpec("gap", log=True, bins=7, curves=False))
    assert len(found.binning.counts) == 7
    assert np.allclose(np.diff(np.log(found.binning.edges)), np.diff(np.log(found.binning.edges))[0])
    assert found.curve is None
    values = np.concatenate([np.full(150, -1.0), 10.0 ** np.linspace(-3, 3, 150)])
    partly = distribution(with_column(qm9, values), DistributionSpec("v", log=True))
    assert partly.binning.log
    assert partly.binning.counts.sum() == 150
    assert "150 not above 0" in partly.note


def test_texts(qm9: Dataset) -> None:
    texts = np.array([f"t{min(k % 60, 45)}" for k in range(300)])
    texts[:10] = ""
    found = distribution(with_column(qm9, texts), DistributionSpec("v", by="v"))
    assert len(found.names) == MOST_BARS + 1
    assert found.names[0] == "t45"
    assert found.names[-1] == "16 others"
    assert found.binning.counts.sum() == 290
    assert found.binning.missing == 10
    assert found.binning.counts[0] == (texts == "t45").sum()
    assert found.ordered is None
    assert part(found, np.ones(300, bool)) is None
    assert [g.name for g in found.groups][-1] == "39 others"
    assert sum(g.total for g in found.groups) == 290
    assert found.groups[0].counts[0] == (texts == "t45").sum()


@pytest.mark.parametrize(
    "values",
    [
        np.full(300, np.nan),
        np.full(300, 2.5),
        np.full(300, np.inf),
        np.where(np.arange(300) < 299, np.nan, 1.0),
        np.linspace(-1.7, 1.7, 300) * 1e308,
        np.arange(300) % 3,
        np.append(np.zeros(299), 1e300),
        np.full(300, ""),
    ],
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_columns(qm9: Dataset, values: np.ndarray, log: bool) -> None:
    found = distribution(with_column(qm9, values), DistributionSpec("v", log=log, by="v"))
    placed = (
        0 if values.dtype.kind == "U" else int((np.isfinite(values) & ((values > 0) | (not found.binning.log))).sum())
    )
    assert found.binning.counts.sum() == placed
    part(found, np.arange(300) < 10)


def test_groups_that_cannot_be(qm9: Dataset) -> None:
    found = distribution(Columns(qm9), DistributionSpec("gap", by="mu"))
    assert found.groups == ()
    assert "too many" in found.note
    assert distribution(Columns(qm9), DistributionSpec("gap", by="gone")).groups == ()
    with pytest.raises(KeyError):
        distribution(Columns(qm9), DistributionSpec("gone"))


def test_no_structures(qm9: Dataset) -> None:
    found = distribution(Columns(qm9.take(slice(0, 0))), DistributionSpec("gap", by="n_N"))
    assert found.binning.counts.sum() == 0
    assert found.groups == ()


def test_whole_numbers_have_bars_but_no_density(qm9: Dataset) -> None:
    found = distribution(Columns(qm9), DistributionSpec("n_C", by="n_N"))
    assert found.binning.discrete
    assert found.curve is None
    assert all(group.curve is None for group in found.groups)
    told = part(found, np.arange(300) < 100)
    assert told is not None
    assert told.curve is None


def test_a_part(qm9: Dataset) -> None:
    gap = qm9.properties["gap"].values
    found = distribution(Columns(qm9), DistributionSpec("gap"))
    mask = gap < np.median(gap)
    told = part(found, mask)
    assert told is not None
    assert told.summary.mean == pytest.approx(gap[mask].mean())
    assert told.comparison is not None
    assert told.comparison.delta == -1.0
    assert told.comparison.distance == 1.0
    assert told.curve is not None
