"""The engine of a comparison: what it reads, keeps, refuses."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtTest import QSignalSpy
from pytestqt.qtbot import QtBot

from qmlstudio.app import comparing
from qmlstudio.app.comparing import ComparisonEngine
from qmlstudio.app.jobs import JobRunner
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.representations import REGISTRY
from qmlstudio.session.comparison import CoverageSpec
from qmlstudio.session.comparison.sets import MOST_SETS


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 120))


@pytest.fixture
def engine(qtbot: QtBot) -> Iterator[ComparisonEngine]:
    runner = JobRunner()
    yield ComparisonEngine(runner, runner)
    runner.shutdown()


def settle(engine: ComparisonEngine) -> None:
    assert engine._runner.wait_idle(60)


def test_sets_are_added_renamed_moved_removed(engine: ComparisonEngine, qm9: Dataset) -> None:
    engine.add("a", qm9)
    engine.add("a", qm9, np.arange(120) < 30)
    settle(engine)
    assert [e.name for e in engine.entries] == ["a", "a (2)"]
    assert engine.result is not None
    assert [s.structures for s in engine.result.sets] == [120, 30]
    first, second = (e.number for e in engine.entries)
    engine.rename(second, "part")
    engine.move(second, -1)
    settle(engine)
    assert [s.name for s in engine.result.sets] == ["part", "a"]
    engine.remove(first)
    settle(engine)
    assert [s.name for s in engine.result.sets] == ["part"]
    engine.remove(second)
    assert engine.result is None
    assert engine.entries == ()


def test_what_was_measured_is_not_measured_again(
    engine: ComparisonEngine, qm9: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    whole = comparing.measures

    def counted(part, spec, progress):  # type: ignore[no-untyped-def]
        made.append(part.name)
        return whole(part, spec, progress)

    monkeypatch.setattr(comparing, "measures", counted)
    engine.add("a", qm9)
    settle(engine)
    engine.add("b", qm9, np.arange(120) < 30)
    settle(engine)
    engine.set_spec(engine.spec.with_values(fit="union"))
    engine.rename(engine.entries[0].number, "c")
    settle(engine)
    assert made == ["a", "b"]
    engine.set_spec(engine.spec.with_values(reach=4.0))
    settle(engine)
    assert made == ["a", "b", "c", "b"]


def test_files_are_read_and_failures_stay_in_the_list(engine: ComparisonEngine, tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    path.write_text("3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n")
    engine.add_path(str(path))
    engine.add_path(str(tmp_path / "absent.xyz"))
    engine.add_path("builtin:ethanol_500K")
    assert all(e.is_reading for e in engine.entries)
    settle(engine)
    names = [e.name for e in engine.entries]
    assert names == ["water.xyz", "absent.xyz", "Ethanol at 500 K"]
    assert engine.entries[1].problem
    assert engine.result is not None
    assert [s.molecules for s in engine.result.sets] == [1, 1]


def test_categories_become_sets_and_the_rest_is_told(engine: ComparisonEngine, qm9: Dataset) -> None:
    texts = np.array([f"t{k % 10}" for k in range(120)])
    spy = QSignalSpy(engine.refused)
    engine.add_categories(qm9, "kind", Property(texts))
    settle(engine)
    assert len(engine.entries) == MOST_SETS
    assert [len(p) for p in engine.parts] == [12] * MOST_SETS
    assert "8 largest of 10" in spy.at(0)[0]
    engine.add("one more", qm9)
    assert len(engine.entries) == MOST_SETS
    assert spy.count() == 2


def test_another_column_of_energies_can_be_chosen(engine: ComparisonEngine, qm9: Dataset) -> None:
    engine.add("a", qm9)
    settle(engine)
    engine.set_energy(engine.entries[0].number, "U0_atomization")
    settle(engine)
    assert engine.result is not None
    energies = engine.result.sets[0].energies
    assert energies is not None
    assert (energies.column, energies.unit) == ("U0_atomization", "kcal/mol")


def test_coverage_and_the_joint_set(engine: ComparisonEngine, qm9: Dataset) -> None:
    spy = QSignalSpy(engine.refused)
    engine.add("a", qm9, np.arange(120) < 60)
    engine.cover(REGISTRY["coulomb_matrix"](), CoverageSpec())
    assert spy.count() == 1
    engine.add("b", qm9, np.arange(120) >= 60)
    engine.cover(REGISTRY["coulomb_matrix"](), CoverageSpec())
    settle(engine)
    assert engine.covered is not None
    assert engine.covered.names == ("a", "b")
    joined = []
    engine.joint_ready.connect(lambda dataset, representation: joined.append((dataset, representation)))
    engine.join()
    settle(engine)
    ((dataset, representation),) = joined
    assert representation == REGISTRY["coulomb_matrix"]()
    assert dataset.properties["set"].values.tolist() == ["a"] * 60 + ["b"] * 60


def test_a_failed_coverage_says_why(engine: ComparisonEngine, qm9: Dataset) -> None:
    engine.memory_budget = 10
    engine.add("a", qm9)
    engine.add("b", qm9)
    engine.cover(REGISTRY["coulomb_matrix"](), CoverageSpec())
    settle(engine)
    assert engine.covered is None
    assert "budget" in engine.coverage_problem


def test_closing_stops_everything(engine: ComparisonEngine, qm9: Dataset) -> None:
    engine.add("a", qm9)
    engine.add_path("builtin:qm9_7")
    engine.close()
    settle(engine)
    assert engine.result is None
    assert engine.entries == ()
