"""Writing, and reading back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, read_text
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import KCAL_PER_MOL
from qmlstudio.chem.writers import write_csv, write_extxyz
from qmlstudio.progress import Cancelled, Progress

RNG = np.random.default_rng(5)


def sample(cells: bool = True) -> Dataset:
    sizes = [3, 1, 5, 2]
    structures = Structures.from_lists(
        [RNG.integers(1, 118, n) for n in sizes],
        [RNG.normal(0, 1e3, (n, 3)) for n in sizes],
        [np.eye(3) * 7.1, None, RNG.normal(size=(3, 3)), None] if cells else None,
    )
    properties = {
        "gap": Property(np.array([0.1 + 0.2, np.nan, -1e-300, 1e300]), unit="Ha"),
        "count": Property(np.array([1.0, 2, -0.0, np.inf])),
        "never": Property(np.full(4, np.nan), unit="D"),
        "two words": Property(RNG.normal(size=4), unit="cal/(mol K)"),
        "name": Property(np.array(['say "no"', "", "a=b c'd\\e", "Weiß, {x} [y]"])),
        "digits": Property(np.array(["007", "300_1", "1e5", ""])),
        "truth": Property(np.array(["T", "F", "T", "F"])),
        "digits only": Property(np.array(["007", "1", "2", "3"])),
        "Lattice": Property(RNG.normal(size=4)),
        "forces": Property(RNG.normal(size=(11, 3)), "atom", "eV/Å"),
        "charge": Property(np.where(np.arange(11) % 3, RNG.normal(size=11), np.nan), "atom", "e"),
    }
    names = np.array(["gdb 1", "", "x:y", 'q"'])
    return Dataset("sample", structures, properties, names)


@pytest.mark.parametrize("cells", [True, False])
def test_round_trip(tmp_path: Path, cells: bool) -> None:
    data = sample(cells)
    path = tmp_path / "out.extxyz"
    write_extxyz(data, path)
    back = open_dataset(path)
    assert back.problems == ()
    assert back.structures.fingerprint == data.structures.fingerprint
    assert back.identifiers.tolist() == ["gdb 1", "2", "x:y", 'q"']
    for key, p in data.properties.items():
        q = back.properties[{"Lattice": "Lattice_"}.get(key, key)]
        assert (q.target, q.unit, q.is_text) == (p.target, p.unit, p.is_text), key
        np.testing.assert_array_equal(q.values, p.values, err_msg=key)
    assert len(back.properties) == len(data.properties)


def test_energies_follow_the_convention(tmp_path: Path) -> None:
    s = read_text("O").structures
    kcal = {
        "energy": Property(np.array([-100.0]), unit="kcal/mol"),
        "forces": Property(np.ones((3, 3)), "atom", "kcal/mol/Å"),
        "zpve": Property(np.array([3.0]), unit="kcal/mol"),
    }
    write_extxyz(Dataset("a", s, kcal), tmp_path / "a.xyz")
    p = open_dataset(tmp_path / "a.xyz").properties
    assert p["energy"].unit == "eV"
    np.testing.assert_allclose(p["energy"].values, -100 * KCAL_PER_MOL, rtol=1e-15)
    assert p["forces"].unit == "eV/Å"
    np.testing.assert_allclose(p["forces"].values, KCAL_PER_MOL, rtol=1e-15)
    assert (p["zpve"].unit, p["zpve"].values[0]) == ("kcal/mol", 3.0)


@pytest.mark.parametrize("name", ["qm9_7", "ethanol_500K"])
def test_built_in_sets_round_trip(tmp_path: Path, name: str) -> None:
    data = open_dataset(f"builtin:{name}").take(slice(0, 200))
    write_extxyz(data, tmp_path / "a.xyz")
    back = open_dataset(tmp_path / "a.xyz")
    assert back.structures.fingerprint == data.structures.fingerprint
    assert back.identifiers.tolist() == data.identifiers.tolist()
    assert set(back.properties) == set(data.properties)
    for key, p in data.properties.items():
        assert back.properties[key].unit == p.unit
        np.testing.assert_array_equal(back.properties[key].values, p.values)


def test_csv(tmp_path: Path) -> None:
    data = read_text("CCO\nO")
    more = {**data.properties, "gap": Property(np.array([0.25, np.nan]), unit="Ha")}
    data = Dataset("a", data.structures, more, np.array(["e, 1", "w"]))
    write_csv(data, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["identifier", "n_atoms", "smiles", "gap [Ha]"], ["e, 1", "9", "CCO", "0.25"], ["w", "3", "O", ""]]
    back = open_dataset(tmp_path / "a.csv")
    assert back.identifiers.tolist() == ["e, 1", "w"]
    assert back.properties["gap"].unit == "Ha"
    np.testing.assert_array_equal(back.properties["gap"].values, [0.25, np.nan])


@pytest.mark.parametrize("write", [write_extxyz, write_csv])
def test_old_file_survives_what_goes_wrong(tmp_path: Path, write: object) -> None:
    assert callable(write)
    path = tmp_path / "a.out"
    path.write_text("old")
    with pytest.raises(Cancelled):
        write(sample(), path, Progress(is_cancelled=lambda: True))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.out"]
    write(sample(), path)
    assert path.read_text() != "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.out"]
    with pytest.raises(DataError):
        write(sample(), tmp_path / "missing" / "a.out")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError):
        write(sample(), tmp_path / "folder")
