"""The built-in data sets: their known values, units and order, and that they are read as they were written."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import BUILTIN, load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError

FREE_ATOMS = {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730}


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7")


@pytest.fixture(scope="module")
def ethanol() -> Dataset:
    return load_builtin("ethanol_500K")


def row(dataset: Dataset, identifier: str) -> dict[str, object]:
    """Identifier's values of all properties that belong to structures."""
    index = int(np.flatnonzero(dataset.identifiers == identifier)[0])
    return {name: p.values[index] for name, p in dataset.per_structure.items()}


@pytest.mark.parametrize("name", BUILTIN)
def test_sets_are_complete(name: str) -> None:
    info, dataset = BUILTIN[name], load_builtin(name)
    assert len(dataset) == info.structures
    assert list(dataset.properties) == list(info.columns)
    assert dataset.source.path == f"builtin:{name}"
    assert dataset.source.licence
    assert dataset.source.reference
    assert dataset.ordered == info.ordered
    assert not dataset.problems
    assert np.isfinite(dataset.structures.positions).all()
    for key, p in dataset.properties.items():
        assert p.description, key
        if p.is_text:
            assert (p.values != "").all(), key
        else:
            assert np.isfinite(p.values).all(), key
            assert p.values.flags.c_contiguous


@pytest.mark.parametrize("name", BUILTIN)
def test_the_prefix_of_a_source_is_understood(name: str) -> None:
    assert load_builtin(f"builtin:{name}").fingerprint == load_builtin(name).fingerprint


def test_fingerprints_are_stable() -> None:
    # sessions refer to data by fingerprint: it changes only when the files are made anew
    assert {name: load_builtin(name).fingerprint for name in BUILTIN} == {
        "qm9_7": "770f3daf0a7d4b069428c413692027ae",
        "ethanol_500K": "0ba776ac48f8db1b5202ffa287dde5de",
    }


def test_qm9_counts(qm9: Dataset) -> None:
    heavy = qm9.properties["n_heavy"].values
    assert heavy.max() == 7
    # the graphs with one heavy atom: methane, ammonia, water
    assert qm9.identifiers[heavy == 1].tolist() == ["gdb 1", "gdb 2", "gdb 3"]
    assert len(set(qm9.identifiers.tolist())) == len(qm9)
    assert qm9.structures.species.symbols == ("H", "C", "N", "O", "F")
    assert len(qm9.structures.numbers) == 55498
    assert qm9.properties["formula"].values.tolist() == qm9.structures.formulas()
    assert (qm9.properties["n_atoms"].values == qm9.structures.sizes).all()
    counted = [int((s.numbers > 1).sum()) for s in qm9.structures]
    assert heavy.tolist() == counted


def test_qm9_methane_is_as_published(qm9: Dataset) -> None:
    expected = {
        "A": 157.7118,
        "B": 157.70997,
        "C": 157.70699,
        "mu": 0.0,
        "alpha": 13.21,
        "homo": -0.3877,
        "lumo": 0.1171,
        "gap": 0.5048,
        "r2": 35.3641,
        "zpve": 0.044749,
        "U0": -40.47893,
        "U": -40.476062,
        "H": -40.475117,
        "G": -40.498597,
        "Cv": 6.469,
    }
    values = row(qm9, "gdb 1")
    # equal, not close: the digits of the source are kept
    assert {name: values[name] for name in expected} == expected
    assert values["smiles"] == "C"
    assert values["U0_atomization"] == pytest.approx(-396.0, abs=0.01)
    assert qm9.structures[0].numbers.tolist() == [6, 1, 1, 1, 1]
    assert qm9.structures[0].positions[0].tolist() == [-0.0126981359, 1.0858041578, 0.0080009958]
    assert qm9.properties["charge"].values[:5].tolist() == [-0.535689, 0.133921, 0.133922, 0.133923, 0.133923]


def test_qm9_benzene(qm9: Dataset) -> None:
    values = row(qm9, "gdb 214")
    assert qm9.smiles is not None
    index = int(np.flatnonzero(qm9.smiles == "C1=CC=CC=C1")[0])
    assert qm9.identifiers[index] == "gdb 214"
    assert values["formula"] == "C6H6"
    assert values["gap"] == 0.2503
    assert values["mu"] == pytest.approx(0.0, abs=1e-3)
    ring = qm9.structures[index].positions[qm9.structures[index].numbers == 6]
    distances = np.linalg.norm(ring[:, None] - ring[None], axis=-1)
    assert np.sort(distances, axis=1)[:, 1:3] == pytest.approx(1.396, abs=0.005)


def test_qm9_atomization_and_gap_follow_from_the_columns(qm9: Dataset) -> None:
    value = {name: p.values for name, p in qm9.per_structure.items()}
    free = np.array([sum(FREE_ATOMS[int(z)] for z in s.numbers) for s in qm9.structures])
    assert value["U0_atomization"] == pytest.approx((value["U0"] - free) * 627.5094740631, abs=1e-4)
    assert (value["U0_atomization"] < 0).all()
    # all three are rounded to four decimals
    assert value["gap"] == pytest.approx(value["lumo"] - value["homo"], abs=1.01e-4)
    assert (value["H"] > value["U"]).all()
    assert (value["G"] < value["H"]).all()


def test_qm9_molecules_are_neutral(qm9: Dataset) -> None:
    total = np.add.reduceat(qm9.properties["charge"].values, qm9.structures.offsets[:-1])
    assert np.abs(total).max() < 1e-4


def test_qm9_dataset_has_units(qm9: Dataset) -> None:
    unit = {name: p.unit for name, p in qm9.properties.items()}
    assert all(unit[name] == "Ha" for name in ("homo", "lumo", "gap", "zpve", "U0", "U", "H", "G"))
    assert all(unit[name] == "GHz" for name in "ABC")
    assert (unit["mu"], unit["alpha"], unit["r2"], unit["Cv"]) == ("D", "a₀³", "a₀²", "cal/(mol K)")
    assert unit["U0_atomization"] == "kcal/mol"
    assert qm9.properties["charge"].target == "atom"


def test_ethanol_is_a_trajectory_of_one_molecule(ethanol: Dataset) -> None:
    s = ethanol.structures
    assert ethanol.ordered
    assert s.is_uniform
    assert s[0].numbers.tolist() == [6, 6, 8, 1, 1, 1, 1, 1, 1]
    assert np.diff(ethanol.properties["time"].values) == pytest.approx(10.0)
    x = s.positions.reshape(len(s), 9, 3)
    for a, b, low, high in [(0, 1, 1.3, 1.8), (0, 2, 1.2, 1.7), (2, 8, 0.8, 1.2)]:
        d = np.linalg.norm(x[:, a] - x[:, b], axis=1)
        assert low < d.min() < d.max() < high


def test_ethanol_temperature_and_sampling(ethanol: Dataset) -> None:
    assert ethanol.properties["temperature"].values.mean() == pytest.approx(500.0, rel=0.03)
    torsion = ethanol.properties["torsion"].values
    anti, plus, minus = np.abs(torsion) > 120, (torsion > 0) & (torsion < 120), (torsion < 0) & (torsion > -120)
    # three wells of the hydroxyl rotor, all visited and left again many times
    assert min(anti.mean(), plus.mean(), minus.mean()) > 0.1
    assert np.count_nonzero(np.diff(anti.astype(int))) > 20


def test_ethanol_has_no_drift_and_no_net_force(ethanol: Dataset) -> None:
    mass = np.array([12.011, 12.011, 15.999] + [1.008] * 6)
    x = ethanol.structures.positions.reshape(-1, 9, 3)
    centre = np.einsum("i,nij->nj", mass, x) / mass.sum()
    assert np.abs(centre).max() < 1e-6
    forces = ethanol.properties["forces"]
    assert (forces.unit, forces.target, forces.values.shape) == ("eV/Å", "atom", (18000, 3))
    f = forces.values.reshape(-1, 9, 3)
    assert np.abs(f.sum(axis=1)).max() < 1e-6
    assert np.abs(np.cross(x, f).sum(axis=1)).max() < 1e-4


def test_ethanol_forces_explain_the_energies_between_close_frames(ethanol: Dataset) -> None:
    # the trapezoid of the forces at both ends gives the energy difference to third order in the displacement
    x = ethanol.structures.positions.reshape(-1, 9, 3)
    f = ethanol.properties["forces"].values.reshape(-1, 9, 3)
    step = np.diff(x, axis=0)
    work = -0.5 * np.einsum("nij,nij->n", f[:-1] + f[1:], step)
    change = np.diff(ethanol.properties["energy"].values)
    # a wrong sign, unit or order of atoms would show; the remainder is anharmonicity over a period of a C-H bond
    assert np.corrcoef(work, change)[0, 1] > 0.95
    assert (work @ change) / (work @ work) == pytest.approx(1.0, abs=0.05)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match="qm9_7, ethanol_500K"):
        load_builtin("qm99")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr("qmlstudio.chem.builtin.resources", lambda: tmp_path)
    with pytest.raises(DataError, match="reinstall"):
        load_builtin("qm9_7")
    (tmp_path / "datasets" / "qm9_7.npz").write_bytes(content)
    with pytest.raises(DataError, match="reinstall"):
        load_builtin("qm9_7")


def test_a_file_that_lacks_an_array_is_said_to_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets").mkdir()
    np.savez(tmp_path / "datasets" / "qm9_7.npz", numbers=np.zeros(0, np.uint8))
    monkeypatch.setattr("qmlstudio.chem.builtin.resources", lambda: tmp_path)
    with pytest.raises(DataError, match=r"positions.*reinstall"):
        load_builtin("qm9_7")


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from qmlstudio.chem.builtin import load_builtin; load_builtin('qm9_7'); "
        "print(*(m for m in ('scipy', 'numba', 'rdkit', 'sklearn', 'pandas', 'PySide6') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", BUILTIN)
def test_files_are_small_and_need_no_pickle(name: str) -> None:
    from qmlstudio.resources_path import resources

    file = resources() / "datasets" / f"{name}.npz"
    assert file.stat().st_size < 1_500_000
    assert zipfile.ZipFile(file).testzip() is None
    with np.load(file, allow_pickle=False) as arrays:
        assert '"script"' in str(arrays["metadata"])
