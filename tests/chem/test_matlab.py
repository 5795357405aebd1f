from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.units import BOHR

MOLECULES = load_builtin("qm9_7").take(slice(0, 60))
WIDTH = 23


def padded(data: Dataset) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Z, R (bohr) and X as qm7.mat has them: zeros behind the last atom, single precision."""
    n = len(data)
    z, r, x = np.zeros((n, WIDTH)), np.zeros((n, WIDTH, 3)), np.zeros((n, WIDTH, WIDTH))
    for i in range(n):
        one = data.structures[i]
        numbers, positions = one.numbers, one.positions / BOHR
        k = len(numbers)
        z[i, :k], r[i, :k] = numbers, positions
        apart = np.linalg.norm(positions[:, None] - positions, axis=2) + np.eye(k)
        x[i, :k, :k] = np.outer(numbers.astype(float), numbers) / apart
        x[i, np.arange(k), np.arange(k)] = 0.5 * numbers.astype(float) ** 2.4
    return z.astype(np.float32), r.astype(np.float32), x.astype(np.float32)


def distances(data: Dataset, i: int) -> NDArray[np.float64]:
    p = data.structures[i].positions
    return np.asarray(np.linalg.norm(p[:, None] - p, axis=2))


def test_qm7(tmp_path: Path) -> None:
    z, r, x = padded(MOLECULES)
    energies = np.linspace(-2000.0, -400.0, 60, dtype=np.float32)[None]
    parts = np.random.default_rng(0).permutation(60).reshape(5, 12)
    savemat(tmp_path / "qm7.mat", {"X": x, "R": r, "Z": z, "T": energies, "P": parts})
    data = open_dataset(tmp_path / "qm7.mat")
    assert len(data) == 60
    assert not data.problems
    assert np.array_equal(data.structures.numbers, MOLECULES.structures.numbers)
    assert np.allclose(data.structures.positions, MOLECULES.structures.positions, atol=2e-6)
    energy = data.properties["atomization_energy"]
    assert energy.unit == "kcal/mol"
    assert np.allclose(energy.values, energies[0])
    fold = data.properties["fold"].values
    assert all(fold[i] == k + 1 for k in range(5) for i in parts[k])
    assert "Rupp" in data.source.reference


def test_length_unit_of_a_file_that_is_in_angstrom(tmp_path: Path) -> None:
    z, r, _ = padded(MOLECULES)
    savemat(tmp_path / "mine.mat", {"R": r * np.float32(BOHR), "Z": z})
    data = open_dataset(f"{tmp_path / 'mine.mat'}#length_unit=Å")
    assert np.allclose(data.structures.positions, MOLECULES.structures.positions, atol=2e-6)
    assert data.source.path.endswith("mine.mat#length_unit=Å")


def test_qm7b_has_geometries_up_to_mirror_images(tmp_path: Path) -> None:
    _, _, x = padded(MOLECULES)
    targets = np.random.default_rng(0).normal(size=(60, 14)).astype(np.float32)
    # some rows in another order, as the sorted matrices of the original are
    order = np.random.default_rng(1).permutation(WIDTH)
    x[7] = x[7][np.ix_(order, order)]
    savemat(tmp_path / "qm7b.mat", {"X": x, "T": targets})
    data = open_dataset(tmp_path / "qm7b.mat")
    assert len(data) == 60
    assert not data.problems
    assert "mirror" in data.source.format
    for i in range(60):
        assert np.allclose(
            np.sort(distances(data, i), axis=None), np.sort(distances(MOLECULES, i), axis=None), atol=1e-3
        )
    p = data.properties
    assert len(p) == 14
    assert (p["ae_pbe0"].unit, p["homo_gw"].unit, p["p_scs"].unit, p["imax_zindo"].unit) == ("kcal/mol", "eV", "Å³", "")
    assert np.allclose(p["ae_pbe0"].values, targets[:, 0])


def test_names_in_the_file_decide(tmp_path: Path) -> None:
    from qmlstudio.chem.readers.matlab import QM7B_COLUMNS

    _, _, x = padded(MOLECULES)
    names = [name for name, _, _ in QM7B_COLUMNS][::-1]
    targets = np.tile(np.arange(14.0), (60, 1))
    savemat(tmp_path / "b.mat", {"X": x, "T": targets, "names": np.array(names, dtype=object)})
    data = open_dataset(tmp_path / "b.mat")
    assert [data.properties[n].values[0] for n in names] == list(range(14))


def test_faults_are_told(tmp_path: Path) -> None:
    z, r, x = padded(MOLECULES)
    z[3, 0] = 6.5
    r[4, 1] = np.nan
    r[5, 1] = r[5, 0]
    savemat(tmp_path / "bad.mat", {"R": r, "Z": z, "Q": np.zeros((7, 7, 7))})
    data = open_dataset(tmp_path / "bad.mat")
    assert len(data) == 57
    assert {p.index for p in data.problems} == {3, 4, 5, None}
    x[2, 0, 1] = x[2, 1, 0] = 1e6
    x[8, 0, 0] = 3.0
    savemat(tmp_path / "bad.mat", {"X": x})
    data = open_dataset(tmp_path / "bad.mat")
    assert len(data) == 58
    assert {p.index for p in data.problems} == {2, 8}


def test_what_is_no_file_of_molecules(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"a": np.zeros((3, 3))})
    with pytest.raises(DataError, match="no coordinates R"):
        open_dataset(tmp_path / "a.mat")
    z, r, _ = padded(MOLECULES)
    savemat(tmp_path / "b.mat", {"R": r, "Z": z}, do_compression=True)
    whole = (tmp_path / "b.mat").read_bytes()
    for length in (130, 200, len(whole) // 2, len(whole) - 3):
        (tmp_path / "cut.mat").write_bytes(whole[:length])
        with pytest.raises(DataError):
            open_dataset(tmp_path / "cut.mat")
