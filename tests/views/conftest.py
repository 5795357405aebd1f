from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.session.stages import stages


@dataclass
class Rig:
    """A store with data and a map, and a runner; no pipeline: nothing computes by itself."""

    store: Store
    runner: JobRunner

    def open(self, dataset: Dataset) -> None:
        self.store.open_dataset(dataset)
        points = np.random.default_rng(0).normal(size=(len(dataset), 2))
        key = stages(self.store.session, dataset)[-1].key
        self.store.publish("map", key, Coordinates(points))
        self.settle()

    def settle(self) -> None:
        assert self.runner.wait_idle(60)
        QTest.qWait(20)


@pytest.fixture
def rig(qtbot: QtBot) -> Iterator[Rig]:
    rig = Rig(Store(), JobRunner())
    yield rig
    rig.runner.shutdown()


@pytest.fixture(scope="session")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 400))


@pytest.fixture(scope="session")
def ethanol() -> Dataset:
    return load_builtin("ethanol_500K").take(slice(0, 50))
