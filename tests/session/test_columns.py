import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.columns import Columns


def molecules() -> Dataset:
    numbers = [[6, 1, 1, 1, 1], [], [8, 1, 1], [7, 6, 6]]
    positions = [np.arange(3 * len(z), dtype=float).reshape(-1, 3) for z in numbers]
    values = {
        "gap": Property(np.array([1.0, np.nan, 3.0, 4.0]), unit="Ha"),
        "kind": Property(np.array(["a", "", "b", "a"])),
    }
    return Dataset("four", Structures.from_lists(numbers, positions), values)


def test_own_properties_come_first_and_the_composition_last() -> None:
    columns = Columns(molecules(), {"cluster": Property(np.array(["x", "x", "y", ""]))})
    assert tuple(columns) == ("gap", "kind", "cluster", "n_atoms", "n_heavy", "n_H", "n_C", "n_N", "n_O")
    assert columns.names(composition=False) == ("gap", "kind", "cluster")
    assert columns.numeric() == ("gap", "n_atoms", "n_heavy", "n_H", "n_C", "n_N", "n_O")
    assert columns.texts() == ("kind", "cluster")
    assert len(columns) == 9


def test_composition_counts_also_empty_structures() -> None:
    columns = Columns(molecules())
    assert columns["n_atoms"].values.tolist() == [5, 0, 3, 3]
    assert columns["n_heavy"].values.tolist() == [1, 0, 1, 3]
    assert columns["n_H"].values.tolist() == [4, 0, 2, 0]
    assert columns["n_C"].values.tolist() == [1, 0, 0, 2]
    assert columns["n_C"] is columns["n_C"]


def test_unknown_names() -> None:
    columns = Columns(molecules())
    assert "n_F" not in columns
    assert columns.get("n_F") is None
    with pytest.raises(KeyError):
        columns["n_F"]


def test_own_hides_derived_hides_composition() -> None:
    derived = {"gap": Property(np.zeros(4)), "n_C": Property(np.full(4, 9.0))}
    columns = Columns(molecules(), derived)
    assert columns["gap"].values[0] == 1.0
    assert columns["n_C"].values[0] == 9.0
    assert tuple(columns).count("n_C") == 1


def test_other_derived_columns_keep_what_was_made() -> None:
    columns = Columns(molecules())
    counted = columns["n_heavy"]
    assert columns.with_derived({"x": Property(np.zeros(4))})["n_heavy"] is counted


def test_derived_columns_must_fit() -> None:
    with pytest.raises(ValueError, match="'x' has shape"):
        Columns(molecules(), {"x": Property(np.zeros(3))})


def test_no_structures() -> None:
    columns = Columns(Dataset("none", Structures.from_lists([], [])))
    assert columns["n_atoms"].values.shape == (0,)
