"""Computing processes that crash, hang, or lose their parent; results that are kept between two runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.quantum import batch, pool, protocol
from qmlstudio.quantum.batch import Calculation, compute
from qmlstudio.quantum.methods import GFN2
from qmlstudio.quantum.pool import EngineError
from qmlstudio.quantum.records import Records, key_of
from qmlstudio.quantum.results import columns
from qmlstudio.quantum.work import Item

Faulty = Callable[..., None]
SIMPLE = Calculation(quantities=("energy", "gap", "charges"))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up calculations need no engine."""
    monkeypatch.setattr(GFN2, "is_available", classmethod(lambda cls: True))


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def pids(log: Path) -> set[int]:
    return {int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines()}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")
def test_crash_and_hang_cost_one_structure_each(faulty: Faulty, small: Dataset, tmp_path: Path) -> None:
    log = tmp_path / "log"
    faulty(crash=(3,), hang=(7,), **{"raise": (9,)}, log=log)
    seen: list[str] = []
    progress = Progress(report=lambda fraction, message: seen.append(message), interval=0.0)
    outcome = compute(small, slice(None), SIMPLE, progress, workers=2, silence=1.5)
    assert [f.index for f in outcome.failures] == [3, 7, 9]
    reasons = {f.index: f.reason for f in outcome.failures}
    assert "crashed (signal 11)" in reasons[3]
    assert "a word before the end" in reasons[3]
    assert "no sign of life for 1.5 s" in reasons[7]
    assert reasons[9] == "RuntimeError: something unforeseen"
    assert outcome.done == 10
    expected = np.array([float((small.structures[i].positions ** 2).sum()) for i in range(13)])
    found = outcome.numbers["energy"]
    good = np.setdiff1d(np.arange(13), [3, 7, 9])
    np.testing.assert_allclose(found[good], expected[good])
    assert np.isnan(found[[3, 7, 9]]).all()
    assert np.isnan(outcome.numbers["gap"]).all(), "null is missing"
    assert outcome.atoms["charges"].shape == (38,)
    assert any("of 13" in text and "/s" in text for text in seen)
    assert len(pids(log)) >= 3, "two began, at least one was replaced"
    assert not any(is_alive(pid) for pid in pids(log))
    made = columns(outcome, small, {})
    assert made["failure_gfn2"].values[7].startswith("no sign of life")
    assert made["failure_gfn2"].values[0] == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")
def test_cancel_ends_the_processes_at_once_and_the_next_run_goes_on(
    faulty: Faulty, small: Dataset, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    faulty(hang=(5,), log=log)
    path = tmp_path / "results.sqlite"
    stop = threading.Event()

    def look(_fraction: float, _message: str) -> None:
        if log.exists() and any(line.startswith("5 ") for line in log.read_text().splitlines()):
            stop.set()

    progress = Progress(report=look, is_cancelled=stop.is_set, interval=0.0)
    with Records(path) as records, pytest.raises(Cancelled):
        compute(small, slice(None), SIMPLE, progress, workers=1, records=records)
    assert not any(is_alive(pid) for pid in pids(log))
    first = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert first == [0, 1, 2, 3, 4, 5]
    log.unlink()
    faulty(log=log)
    with Records(path) as records:
        outcome = compute(small, slice(None), SIMPLE, workers=1, records=records)
        assert (outcome.kept, outcome.computed) == (5, 8)
        assert [int(line.split()[0]) for line in log.read_text().splitlines()] == list(range(5, 13))
        again = compute(small, slice(None), SIMPLE, workers=1, records=records)
        assert (again.kept, again.computed, again.cpu_seconds) == (13, 0, 0.0)
        np.testing.assert_array_equal(again.numbers["energy"], outcome.numbers["energy"])
        np.testing.assert_array_equal(again.atoms["charges"], outcome.atoms["charges"])
        # with a charge it is another calculation; forces are not in the records
        run = batch._Run(small, np.arange(13), SIMPLE, {"charge": Property(np.ones(13))})
        assert len(run.from_disk(records, Progress())) == 13
        forces = Calculation(quantities=("energy", "forces"))
        assert len(batch._Run(small, np.arange(13), forces, {}).from_disk(records, Progress())) == 13


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")
def test_processes_end_with_their_parent(faulty: Faulty, tmp_path: Path) -> None:
    """Killed in mid-calculation, so that it cannot tell them."""
    log = tmp_path / "log"
    faulty(hang=(0, 1), log=log)
    worker = Path(__file__).with_name("faulty_worker.py")
    code = f"""
import sys
import numpy as np
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.quantum import pool
from qmlstudio.quantum.batch import Calculation, compute
from qmlstudio.quantum.methods import GFN2
pool.command = lambda: [sys.executable, {str(worker)!r}]
GFN2.is_available = classmethod(lambda cls: True)
two = Dataset("two", Structures.from_lists([[1], [2]], [np.zeros((1, 3))] * 2))
compute(two, slice(None), Calculation(), workers=2)
"""
    root = Path(pool.__file__).resolve().parents[2]
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        until(lambda: log.exists() and len(log.read_text().splitlines()) == 2)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(is_alive(pid) for pid in pids(log)))


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


def test_no_process_can_be_started(faulty: Faulty, small: Dataset) -> None:
    faulty(start="1")
    with pytest.raises(EngineError, match="no engine here"):
        compute(small, slice(None), SIMPLE, workers=1)


def test_nothing_to_do(small: Dataset) -> None:
    outcome = compute(small, np.zeros(13, bool), SIMPLE)
    assert outcome.done == 0
    assert columns(outcome, small, {}) == {}


def test_keys_tell_structures_apart() -> None:
    base = Item(0, np.array([1, 8]), np.zeros((2, 3)))
    same = Item(7, np.array([1, 8], dtype=np.uint8), np.zeros((2, 3)), smiles="[OH]")
    others = [
        Item(0, np.array([1, 9]), np.zeros((2, 3))),
        Item(0, np.array([1, 8]), np.full((2, 3), 1e-12)),
        Item(0, np.array([1, 8]), np.zeros((2, 3)), 1),
        Item(0, np.array([1, 8]), np.zeros((2, 3)), 0, 1),
        Item(0, np.array([1, 8]), np.zeros((2, 3)), cell=np.eye(3)),
    ]
    assert key_of(base) == key_of(same)
    assert len({key_of(item) for item in (base, *others)}) == 6


def test_a_damaged_file_of_records_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "results.sqlite"
    with Records(path) as records:
        records.put("k", [(b"a", b"1"), (b"b", b"2")])
        assert records.get("k", [b"a", b"b", b"c"]) == {b"a": b"1", b"b": b"2"}
        assert records.get("other", [b"a"]) == {}
    path.write_bytes(b"this is no database, not at all" * 100)
    with Records(path) as records:
        assert records.get("k", [b"a"]) == {}
        records.put("k", [(b"a", b"3")])
        assert records.get("k", [b"a"]) == {b"a": b"3"}
    with Records(tmp_path / "sub") as folder:  # cannot be: works as if empty
        folder.put("k", [(b"a", b"1")])
        assert folder.get("k", [b"a"]) == {}


def test_too_large_a_file_loses_its_older_half(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Records(path) as records:
        for k in range(10):
            records.put("k", [(bytes([k]), bytes(1000))])
    with Records(path, budget=100) as records:
        left = records.get("k", [bytes([k]) for k in range(10)])
        assert 1 <= len(left) <= 5
        assert bytes([9]) in left


def test_a_damaged_record_is_computed_again(small: Dataset, tmp_path: Path) -> None:
    with Records(tmp_path / "r.sqlite") as records:
        run = batch._Run(small, np.arange(2), SIMPLE, {})
        good = protocol.encode({"energy": 1.0, "gap": None}, {"charges": np.zeros(3)})
        short = protocol.encode({"energy": 1.0, "gap": None}, {"charges": np.zeros(2)})
        for data, left in ((good, [1]), (good[:-4], [0, 1]), (short, [0, 1]), (b"", [0, 1])):
            records.put(SIMPLE.kind, [(key_of(run.item(0)), data)])
            assert batch._Run(small, np.arange(2), SIMPLE, {}).from_disk(records, Progress()) == left
