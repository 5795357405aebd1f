from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.column_data import ColumnData
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures


class Rig:
    def __init__(self) -> None:
        self.store, self.runner = Store(), JobRunner()

    def settle(self) -> None:
        assert self.runner.wait_idle(30)


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


def test_column_data_at_once_or_by_a_job(rig: Rig, qm9: Dataset, many: Dataset) -> None:
    data = ColumnData(rig.store, rig.runner)
    ready: list[str] = []
    data.ready.connect(ready.append)
    assert data.binning("gap", False) is None
    rig.store.open_dataset(qm9)
    binning = data.binning("gap", False)
    assert binning is not None
    assert binning is data.binning("gap", False)
    assert data.binning("smiles", False) is None
    found = data.categories("formula")
    assert found is not None
    assert found.counts.sum() == 400
    # another object: nothing is known of it yet
    rig.store.open_dataset(replace(many, name="again"))
    assert data.binning("n_C", False) is None
    assert data.categories("t") is None
    rig.settle()
    assert sorted(ready) == ["n_C", "t"]
    binning, found = data.binning("n_C", False), data.categories("t")
    assert binning is not None
    assert binning.counts.tolist() == [800_000]
    assert found is not None
    assert found.names.tolist() == ["a", "b"]
    assert data.categories("x") is None
    rig.settle()
    assert "by a range" in data.problem("x")


def test_column_data_of_columns_that_come_anew(rig: Rig, qm9: Dataset) -> None:
    data = ColumnData(rig.store, rig.runner)
    rig.store.open_dataset(replace(qm9, name="other"))
    rig.store.set_derived("cluster", Property(np.zeros(400)))
    first = data.binning("cluster", False)
    rig.store.set_derived("cluster", Property(np.arange(400.0)))
    second = data.binning("cluster", False)
    assert first is not None
    assert second is not None
    assert (first.high, second.high) == (0.5, 399.0)
