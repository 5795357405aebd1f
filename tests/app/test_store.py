from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app import store as store_module
from qmlstudio.app.store import MAX_PINS, Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA
from qmlstudio.representations import REGISTRY


def dataset(n: int = 8, shift: float = 0.0, ordered: bool = False) -> Dataset:
    positions = [[[0, 0, 0], [0, 0, 0.7 + 0.1 * i + shift]] for i in range(n)]
    energies = Property(np.arange(float(n)), unit="eV")
    return Dataset(
        f"set {shift}", Structures.from_lists([[1, 1]] * n, positions), {"energy": energies}, ordered=ordered
    )


@pytest.fixture
def store(qtbot: QtBot) -> Store:
    s = Store()
    s.open_dataset(dataset())
    return s


def mask(n: int, *chosen: int) -> np.ndarray:
    m = np.zeros(n, dtype=bool)
    m[list(chosen)] = True
    return m


def test_changed_says_what_changed(store: Store) -> None:
    seen: list[frozenset[str]] = []
    store.changed.connect(seen.append)
    store.update(embedding=PCA())
    store.update(embedding=PCA())
    store.set_active(3)
    assert seen == [{"embedding"}, {"selection"}]


def test_undo_and_redo_of_every_change(store: Store) -> None:
    start = store.session
    store.update(embedding=PCA())
    store.select(mask(8, 1, 2), "replace", "lasso")
    store.toggle_pin(4)
    store.set_active(5)
    store.update(coloring=store.session.coloring.with_values(palette="vik"))
    end = store.session
    assert store.undo_text == "coloring"
    while store.undo_text:
        store.undo()
    assert store.session.differing(start) == frozenset()
    while store.redo_text:
        store.redo()
    assert store.session.differing(end) == frozenset()


def test_edits_of_one_parameter_within_a_second_are_one_step(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(store_module.time, "monotonic", lambda: now[0])
    cls = REGISTRY["coulomb_matrix"]
    before = store.session.representation
    for unit in ("angstrom", "bohr", "angstrom"):
        now[0] += 0.5
        store.update("unit", representation=cls(length_unit=unit))
    store.undo()
    assert store.session.representation == before
    now[0] += 5
    store.update("unit", representation=cls(length_unit="angstrom"))
    now[0] += 5
    store.update("unit", representation=cls(length_unit="bohr", permutation="none"))
    store.undo()
    assert store.session.representation == cls(length_unit="angstrom")


def test_two_lassos_are_two_steps_and_steps_through_structures_are_one(store: Store) -> None:
    store.select(mask(8, 1), "replace", "lasso")
    store.select(mask(8, 2), "add", "lasso")
    for i in range(1, 8):
        store.set_active(i)
    store.undo()
    assert store.active == 0
    assert store.session.selection.count == 2
    store.undo()
    assert store.session.selection.count == 1


def test_a_change_forgets_what_was_undone(store: Store) -> None:
    store.update(embedding=PCA())
    store.undo()
    store.toggle_pin(1)
    assert store.redo_text == ""


def test_undo_returns_to_the_former_data_set(store: Store) -> None:
    first = store.dataset
    store.open_dataset(dataset(5, shift=0.3))
    assert store.dataset is not first
    assert len(store.session.selection) == 5
    store.undo()
    assert store.dataset is first
    store.redo()
    assert len(store.session.selection) == 5


def test_results_belong_to_their_data_set(store: Store) -> None:
    store.publish("map", "key", object())
    store.open_dataset(dataset(5, shift=0.3))
    assert store.result("map") is None
    assert store.result_key("map") == ""


def test_failure_is_told_and_forgotten_by_a_result(store: Store) -> None:
    seen: list[tuple[str, str, str]] = []
    store.failed.connect(lambda *a: seen.append(a))
    store.fail("map", "too large", "trace")
    assert store.error("map") == "too large"
    assert seen == [("map", "too large", "trace")]
    store.publish("map", "k", 1)
    assert store.error("map") == ""


def test_escape_clears_pins_then_selection(store: Store) -> None:
    store.select(mask(8, 1, 2), "replace", "lasso")
    store.toggle_pin(3)
    store.escape()
    assert store.session.pins == ()
    assert store.session.selection.count == 2
    store.escape()
    assert store.session.selection.count == 0
    store.escape()


def test_pins_toggle_and_are_bounded(qtbot: QtBot) -> None:
    s = Store()
    s.open_dataset(dataset(40))
    for i in range(30):
        s.toggle_pin(i)
    assert s.session.pins == tuple(range(MAX_PINS))
    s.toggle_pin(0)
    assert 0 not in s.session.pins


def test_picks_end_with_the_molecule_but_outlive_frames(qtbot: QtBot) -> None:
    for ordered, left in ((False, ()), (True, (0, 1))):
        s = Store()
        s.open_dataset(dataset(ordered=ordered))
        s.pick((0, 1))
        s.set_active(2)
        assert s.picked == left


def test_modified_until_saved(store: Store) -> None:
    assert store.is_modified
    store.mark_saved()
    assert not store.is_modified
    store.toggle_pin(1)
    assert store.is_modified
    store.undo()
    assert not store.is_modified


def test_session_of_an_opened_file_is_taken_as_it_is(qtbot: QtBot) -> None:
    s, data = Store(), dataset()
    wished = replace(s.session.with_dataset(data), pins=(2, 5), embedding=PCA())
    s.open_dataset(data, wished)
    assert s.session is wished


def test_added_columns_are_a_step_of_the_history(store: Store) -> None:
    seen: list[frozenset[str]] = []
    store.columns_changed.connect(seen.append)
    shifted = Property(np.arange(8.0) + 1, unit="kcal/mol")
    charges = Property(np.zeros(16), "atom", "e")
    store.add_columns({"energy": shifted, "q": charges}, "GFN2-xTB")
    assert store.columns is not None
    assert store.columns["energy"] is shifted
    assert "q" not in store.columns
    assert store.properties["q"] is charges
    assert store.undo_text == "GFN2-xTB"
    store.undo()
    assert store.columns["energy"].unit == "eV"
    store.redo()
    assert store.columns["energy"].unit == "kcal/mol"
    store.remove_columns("energy", "q")
    assert store.columns["energy"].unit == "eV"
    assert seen == [{"energy", "q"}] * 4
