from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

# as in the computing processes: an engine with several threads would be slower on small molecules
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.quantum import pool
from qmlstudio.quantum.work import Item

WATER = np.array([[0.0, 0.0, 0.119], [0.0, 0.763, -0.477], [0.0, -0.763, -0.477]])


@pytest.fixture
def water() -> Item:
    return Item(0, np.array([8, 1, 1]), WATER.copy())


@pytest.fixture
def small() -> Dataset:
    """Twelve waters, each a little more stretched, and a carbon monoxide at the end."""
    numbers = [[8, 1, 1]] * 12 + [[6, 8]]
    positions = [WATER * (1 + 0.01 * k) for k in range(12)] + [np.array([[0.0, 0, 0], [0, 0, 1.13]])]
    names = np.array([f"w{k}" for k in range(12)] + ["co"])
    return Dataset("small", Structures.from_lists(numbers, positions), identifiers=names)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Computing processes that do something wrong at chosen structures: faulty(crash=(3,), hang=(5,))."""

    def use(**faults: object) -> None:
        script = Path(__file__).with_name("faulty_worker.py")
        monkeypatch.setattr(pool, "command", lambda: [sys.executable, str(script)])
        for name in ("crash", "hang", "raise", "start", "log"):
            value = faults.get(name, ())
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            monkeypatch.setenv(f"FAULTY_{name.upper()}", text)

    return use
