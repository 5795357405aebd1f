"""NumPy archives of trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.units import BOHR
from qmlstudio.progress import Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
RNG = np.random.default_rng(0)
R = np.array([[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]]) + RNG.normal(0, 0.05, (5, 3, 3))
E = RNG.normal(size=(5, 1))
F = RNG.normal(size=(5, 3, 3))
Z = np.array([8, 1, 1], np.uint8)


def save(folder: Path, **arrays: Any) -> Path:
    path = folder / "t.npz"
    np.savez(path, **arrays)
    return path


def test_sgdml(tmp_path: Path) -> None:
    data = open_dataset(save(tmp_path, R=R, E=E, F=F, z=Z, name="water", theory="PBE"))
    assert data.name == "water"
    assert data.ordered
    np.testing.assert_array_equal(data.structures.positions, R.reshape(-1, 3))
    assert data.properties["energy"].unit == "kcal/mol"
    np.testing.assert_array_equal(data.properties["energy"].values, E[:, 0])
    assert data.properties["forces"].unit == "kcal/mol/Å"
    assert data.properties["forces"].target == "atom"
    np.testing.assert_array_equal(data.properties["forces"].values, F.reshape(-1, 3))


def test_units_of_the_file(tmp_path: Path) -> None:
    data = open_dataset(save(tmp_path, R=R, E=E, F=F, z=Z, r_unit="bohr", e_unit="hartree"))
    np.testing.assert_allclose(data.structures.positions, R.reshape(-1, 3) * BOHR)
    assert data.properties["energy"].unit == "Ha"
    assert data.properties["forces"].unit == "Ha/bohr"
    assert open_dataset(save(tmp_path, R=R, E=E, z=Z, r_unit="Ang", e_unit="eV")).properties["energy"].unit == "eV"
    with pytest.raises(DataError, match="r_unit"):
        open_dataset(save(tmp_path, R=R, z=Z, r_unit="parsec"))


def test_rmd17_and_other_arrays(tmp_path: Path) -> None:
    path = save(
        tmp_path, nuclear_charges=Z, coords=R, energies=E[:, 0], forces=F, old_energies=E[:, 0] - 1, old_forces=F,
        old_indices=np.arange(5), charge=F[:, :, 0], dipole=F[:, 0], label=np.array(list("abcde")), foreign=np.ones(77),
    )  # fmt: skip
    data = open_dataset(path)
    p = data.properties
    assert data.source.format == "rMD17 npz"
    assert p["old_energy"].unit == "kcal/mol"
    assert p["old_forces"].unit == "kcal/mol/Å"
    assert p["old_index"].values.tolist() == [0, 1, 2, 3, 4]
    assert p["charge"].target == "atom"
    assert p["dipole_z"].values.tolist() == F[:, 0, 2].tolist()
    assert p["label"].values.tolist() == list("abcde")
    assert "foreign" not in p


def test_fortran_order_and_single_precision(tmp_path: Path) -> None:
    data = open_dataset(save(tmp_path, R=np.asfortranarray(R.astype(np.float32)), z=Z.astype(np.int64)))
    np.testing.assert_array_equal(data.structures.positions, R.astype(np.float32).reshape(-1, 3))


def test_molecules_padded_with_zeros(tmp_path: Path) -> None:
    z = np.array([[8, 1, 1], [1, 1, 0]])
    r = np.zeros((2, 3, 3))
    r[0], r[1, 1, 0] = R[0], 0.74
    data = open_dataset(save(tmp_path, R=r, z=z, q=z * 0.5))
    assert data.structures.sizes.tolist() == [3, 2]
    assert data.structures.numbers.tolist() == [8, 1, 1, 1, 1]
    assert data.properties["q"].values.tolist() == [4, 0.5, 0.5, 0.5, 0.5]
    assert not data.ordered


def test_bad_frames_are_listed(tmp_path: Path) -> None:
    r, z = R.copy(), np.tile(Z.astype(int), (5, 1))
    r[1, 2, 0] = np.nan
    r[3, 1] = r[3, 2]
    z[4, 0] = 200
    data = open_dataset(save(tmp_path, R=r, z=z, E=E, F=F))
    assert data.identifiers.tolist() == ["1", "3"]
    assert sorted(p.index or 0 for p in data.problems) == [1, 3, 4]
    np.testing.assert_array_equal(data.properties["energy"].values, E[[0, 2], 0])
    np.testing.assert_array_equal(data.properties["forces"].values, F[[0, 2]].reshape(-1, 3))


def test_what_cannot_be_used(tmp_path: Path) -> None:
    for arrays in ({"a": E}, {"R": R, "z": Z[:2]}, {"R": R * np.nan, "z": Z}, {"R": R[:0], "z": Z}, {"R": E, "z": Z}):
        with pytest.raises(DataError):
            open_dataset(save(tmp_path, **arrays))
    whole = save(tmp_path, R=R, z=Z, E=E).read_bytes()
    for cut in (10, 100, len(whole) // 2, len(whole) - 5):
        (tmp_path / "t.npz").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            open_dataset(tmp_path / "t.npz")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    data = open_dataset(save(tmp_path, R=R, z=Z, bad=np.array([{}], dtype=object)))
    assert len(data) == 5
    assert "objects" in data.problems[0].message


def test_cancel(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        open_dataset(save(tmp_path, R=R, z=Z), Progress(is_cancelled=lambda: True))


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", ["ethanol", "malonaldehyde", "toluene", "uracil", "benzene"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_real_rmd17(name: str, part: str) -> None:
    data = open_dataset(SHARED / "rmd17" / f"rmd17_{name}_{part}_01.npz")
    formula = {
        "ethanol": "C2H6O",
        "malonaldehyde": "C3H4O2",
        "toluene": "C7H8",
        "uracil": "C4H4N2O2",
        "benzene": "C6H6",
    }
    assert data.structures[0].formula == formula[name]
    assert len(data) == 1000
    assert data.ordered
    assert set(data.properties) == {"energy", "forces", "old_index", "old_energy", "old_forces"}
    assert np.abs(data.properties["forces"].values.reshape(1000, -1, 3).sum(axis=1)).max() < 0.1


@shared
@pytest.mark.shared
def test_real_md17() -> None:
    data = open_dataset(SHARED / "md17" / "ethanol_md17.npz")
    assert len(data) == 2000
    assert data.properties["energy"].values[0] == -97208.40600498248
    assert data.properties["energy"].unit == "kcal/mol"
