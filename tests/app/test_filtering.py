from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.filtering import FilterEngine
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.filters import (
    CategoryFilter,
    ElementsFilter,
    ExpressionFilter,
    Filter,
    FilterResult,
    Filters,
    RangeFilter,
    SubstructureFilter,
)


class Rig:
    def __init__(self) -> None:
        self.store, self.runner = Store(), JobRunner()
        self.engine = FilterEngine(self.store, self.runner)
        self.published: list[FilterResult] = []
        self.store.results_changed.connect(self._on_results_changed)

    def _on_results_changed(self, name: str) -> None:
        if name == "filter":
            self.published.append(self.store.result("filter"))

    def filter(self, *items: Filter, off: tuple[int, ...] = ()) -> FilterResult:
        self.store.update("filters", filters=Filters(items, off))
        return self.settle()

    def settle(self) -> FilterResult:
        assert self.runner.wait_idle(30)
        QTest.qWait(10)
        result = self.store.result("filter")
        assert isinstance(result, FilterResult)
        return result


@pytest.fixture
def rig(qtbot: QtBot) -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.runner.shutdown()


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 400))


@pytest.fixture(scope="module")
def many() -> Dataset:
    n = 800_000
    structures = Structures(np.tile(np.array([6, 1, 8], np.uint8), n), np.zeros((3 * n, 3)), np.arange(n + 1) * 3)
    columns = {"x": Property(np.arange(n)), "t": Property(np.tile(["a", "b"], n // 2))}
    return Dataset("many", structures, columns, np.zeros(n, "U1"))


def test_quick_filters_are_applied_at_once(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    result = rig.store.result("filter")
    assert result.mask is None
    assert result.count == result.total == 400
    rig.store.update("filters", filters=Filters((RangeFilter("gap", high=0.3), ElementsFilter(("N",)))))
    result = rig.store.result("filter")
    has_n = np.array(["N" in s.symbols for s in qm9.structures])
    assert (result.mask == ((qm9.properties["gap"].values <= 0.3) & has_n)).all()
    assert result.counts == ((qm9.properties["gap"].values <= 0.3).sum(), has_n.sum())
    assert not rig.runner.jobs()
    assert rig.store.result_key("filter")


def test_slow_filters_follow_and_the_others_are_shown_meanwhile(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    rig.published.clear()
    result = rig.filter(RangeFilter("gap", high=0.3), SubstructureFilter("[OX2H]"))
    first, last = rig.published[0], rig.published[-1]
    assert first.waiting == (1,)
    assert first.counts[1] is None
    assert first.count == first.counts[0]
    assert last is result
    assert result.waiting == ()
    assert 0 < result.count < first.count
    # the second search asks the index that is there
    assert rig.filter(RangeFilter("gap", high=0.2), SubstructureFilter("[OX2H]")).waiting == ()
    assert len([j for j in rig.runner.jobs() if j.slot == "filter"]) == 1


def test_only_the_latest_filters_count(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    for pattern in ("C", "N", "O", "C#N"):
        rig.store.update("filters", filters=Filters((SubstructureFilter(pattern),)))
    result = rig.settle()
    assert result.mask is not None
    expected = [("C#N" in s or "N#C" in s) for s in qm9.properties["smiles"].values]
    assert result.mask.tolist() == expected


def test_off_filters_wait_for_nobody(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    result = rig.filter(SubstructureFilter("C=O"), RangeFilter("gap", high=0.3), off=(0,))
    assert result.waiting == ()
    assert not rig.runner.jobs()


def test_big_sets_use_jobs_and_never_show_what_is_superseded(rig: Rig, many: Dataset) -> None:
    rig.store.open_dataset(many)
    for high in range(1000, 50_000, 1000):
        rig.store.update("filters", filters=Filters((ExpressionFilter(f"x < {high}"), CategoryFilter("t", ("a",)))))
    result = rig.settle()
    assert result.count == 24_500
    assert rig.filter(ExpressionFilter("n_O == 1 and x < 10"), ElementsFilter((), ("N",))).count == 10
    assert rig.filter(ExpressionFilter("x <")).errors[0].startswith("something is missing")


def test_another_data_set_forgets_the_filters(rig: Rig, qm9: Dataset, many: Dataset) -> None:
    rig.store.open_dataset(qm9)
    rig.store.update("filters", filters=Filters((SubstructureFilter("C"),)))
    rig.store.open_dataset(many)
    result = rig.settle()
    assert (result.count, result.total, result.counts) == (800_000, 800_000, ())


def test_derived_columns_are_followed(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    result = rig.filter(RangeFilter("cluster", low=3.0))
    assert "no column cluster" in result.errors[0]
    rig.store.set_derived("cluster", Property(np.arange(400) % 5))
    result = rig.settle()
    assert result.count == 160
    assert not result.errors
    rig.store.set_derived("cluster", None)
    assert rig.settle().errors


def test_undo_brings_back_what_passed(rig: Rig, qm9: Dataset) -> None:
    rig.store.open_dataset(qm9)
    rig.filter(RangeFilter("gap", high=0.2))
    rig.store.undo()
    result = rig.settle()
    assert result.mask is None
