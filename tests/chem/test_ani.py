"""HDF5 files of molecules with many conformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import ani, format_of, open_dataset
from qmlstudio.chem.readers.options import ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.units import BOHR
from qmlstudio.progress import SILENT, Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ani1" / "ani_gdb_s01.h5"
RNG = np.random.default_rng(3)
WATER = np.array([[0, 0, 0.117], [0, 0.757, -0.469], [0, -0.757, -0.469]])
METHANOL = RNG.normal(0, 2, (6, 3))


def frames(base: Any, count: int) -> Any:
    return (base + RNG.normal(0, 0.02, (count, *base.shape))).astype(np.float32)


@pytest.fixture
def ani1(tmp_path: Path) -> Path:
    """Two molecules in the layout of ANI-1: characters for SMILES, conformers of high energy apart."""
    path = tmp_path / "ani_gdb_s02.h5"
    with h5py.File(path, "w") as file:
        for name, base, symbols, smiles, count in (
            ("gdb11_s02-10", METHANOL, "COHHHH", "CO", 7),
            ("gdb11_s02-9", WATER, "OHH", "[H]O[H]", 4),
        ):
            group = file.create_group(f"gdb11_s02/{name}")
            group["species"] = np.array(list(symbols), "S1")
            group["coordinates"] = frames(base, count)
            group["energies"] = -76.0 - np.arange(count) / 1000
            group["coordinatesHE"] = frames(base, 2)
            group["energiesHE"] = np.array([-75.0, -75.1])
            group["smiles"] = np.array(list(smiles), "S1")
    return path


def test_ani1(ani1: Path) -> None:
    data = open_dataset(ani1)
    assert data.source.format == "ANI-1 HDF5"
    assert "170193" in data.source.reference
    assert len(data) == 11
    assert data.identifiers.tolist()[:2] == ["gdb11_s02-9:1", "gdb11_s02-9:2"]  # 9 stands before 10
    assert data.structures[0].formula == "H2O"
    assert data.structures[4].formula == "CH4O"
    assert data.properties["smiles"].values.tolist() == ["[H]O[H]"] * 4 + ["CO"] * 7
    assert data.properties["molecule"].values.tolist() == ["gdb11_s02-9"] * 4 + ["gdb11_s02-10"] * 7
    assert data.properties["conformer"].values.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7]
    energy = data.properties["energy"]
    assert energy.unit == "Ha"
    np.testing.assert_array_equal(energy.values[:4], -76.0 - np.arange(4) / 1000)
    assert not data.ordered
    (notice,) = data.problems
    assert notice.is_notice
    assert "4 conformers of high energy" in notice.message
    with h5py.File(ani1) as file:
        stored = file["gdb11_s02/gdb11_s02-10/coordinates"][()]
    np.testing.assert_array_equal(data.structures.positions[12:], stored.reshape(-1, 3).astype(np.float64))


def test_options_apply_to_each_molecule(ani1: Path) -> None:
    assert open_dataset(f"{ani1}#every=3").properties["conformer"].values.tolist() == [1, 4, 1, 4, 7]
    assert open_dataset(f"{ani1}#first=6").properties["conformer"].values.tolist() == [1, 2, 3, 4, 1, 2]
    sampled = open_dataset(f"{ani1}#sample=2&seed=1")
    assert sampled.properties["molecule"].values.tolist() == ["gdb11_s02-9"] * 2 + ["gdb11_s02-10"] * 2
    again = open_dataset(f"{ani1}#sample=2&seed=1")
    assert again.identifiers.tolist() == sampled.identifiers.tolist()
    picked = [tuple(open_dataset(f"{ani1}#sample=2&seed={k}").identifiers.tolist()) for k in range(8)]
    assert len(set(picked)) > 3
    whole = open_dataset(ani1)
    place = whole.identifiers.tolist().index(sampled.identifiers[3])
    np.testing.assert_array_equal(whole.structures[place].positions, sampled.structures[3].positions)
    assert whole.properties["energy"].values[place] == sampled.properties["energy"].values[3]


def test_batches_are_the_file_in_parts(ani1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_dataset(ani1)
    monkeypatch.setattr(ani, "BATCH_BYTES", 600)
    with ByteStream(ani1) as stream:
        form = format_of(stream)
        assert form.batches is not None
        parts = list(form.batches(stream, SILENT, ReadOptions()))
    assert len(parts) > 2
    assert len({tuple(p.properties) for p in parts}) == 1
    assert sum(len(p) for p in parts) == len(whole)
    np.testing.assert_array_equal(np.concatenate([p.structures.positions for p in parts]), whole.structures.positions)
    np.testing.assert_array_equal(np.concatenate([p.identifiers for p in parts]), whole.identifiers)
    assert parts[-1].problems == whole.problems


def test_what_does_not_fit_into_memory_is_thinned(ani1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ani, "MEMORY", 2000)
    data = open_dataset(ani1)
    assert 1 < len(data) < 11
    assert set(data.properties["molecule"].values.tolist()) == {"gdb11_s02-9", "gdb11_s02-10"}
    assert any("of 11 conformers" in p.message and p.is_notice for p in data.problems)
    assert len(open_dataset(f"{ani1}#first=11")) == 11  # who asks for it gets it


def test_several_files_are_one_set(ani1: Path) -> None:
    other = ani1.with_name("ani_gdb_s10.h5")
    other.write_bytes(ani1.read_bytes())
    folder = open_dataset(ani1.parent)
    listed = open_dataset([ani1, other])
    assert len(folder) == len(listed) == 22
    assert listed.source.path == f"{ani1}\n{other}"
    assert open_dataset(listed.source.path).fingerprint == listed.fingerprint
    (ani1.parent / "a.xyz").write_text("1\n\nHe 0 0 0\n")
    with pytest.raises(DataError, match="cannot be joined"):
        open_dataset([ani1, ani1.parent / "a.xyz"])


@pytest.fixture
def ani1x(tmp_path: Path) -> Path:
    """Formulas as groups, many levels of theory, NaN for what was not computed."""
    path = tmp_path / "ani1x-release.h5"
    with h5py.File(path, "w") as file:
        for name, base, z, count in (("C1H4O1", METHANOL, [6, 8, 1, 1, 1, 1], 5), ("H2O1", WATER, [8, 1, 1], 3)):
            group = file.create_group(name)
            size = len(z)
            group["atomic_numbers"] = np.array(z, np.uint8)
            group["coordinates"] = frames(base, count)
            group["wb97x_dz.energy"] = -115.0 + np.arange(count)
            group["wb97x_dz.forces"] = RNG.normal(size=(count, size, 3)).astype(np.float32)
            group["wb97x_dz.dipole"] = RNG.normal(size=(count, 3)).astype(np.float32)
            group["wb97x_dz.cm5_charges"] = RNG.normal(size=(count, size)).astype(np.float32)
            group["wb97x_tz.quadrupole"] = RNG.normal(size=(count, 6)).astype(np.float32)
            group["wb97x_tz.mbis_volumes"] = RNG.normal(size=(count, size, 1)).astype(np.float32)
            coupled = np.full(count, np.nan)
            coupled[0] = -115.5
            group["ccsd(t)_cbs.energy"] = coupled
            group["hf_dz.energy"] = np.full(count, np.nan)
    return path


def test_ani1x(ani1x: Path) -> None:
    data = open_dataset(ani1x)
    assert data.source.format == "ANI-1x HDF5"
    assert len(data) == 8
    p = data.properties
    kinds = {k: (v.target, v.unit, v.values.shape) for k, v in p.items()}
    assert kinds["wb97x_dz.energy"] == ("structure", "Ha", (8,))
    assert kinds["wb97x_dz.forces"] == ("atom", "Ha/Å", (39, 3))
    assert kinds["wb97x_dz.cm5_charges"] == ("atom", "e", (39,))
    assert kinds["wb97x_tz.mbis_volumes"][::2] == ("atom", (39,))
    assert kinds["wb97x_dz.dipole_z"] == ("structure", "e·Å", (8,))
    assert kinds["wb97x_tz.quadrupole_6"] == ("structure", "e·Å²", (8,))
    assert "ωB97X/6-31G(d)" in p["wb97x_dz.energy"].description
    np.testing.assert_array_equal(np.isnan(p["ccsd(t)_cbs.energy"].values), [0, 1, 1, 1, 1, 0, 1, 1])
    assert np.isnan(p["hf_dz.energy"].values).all()
    with h5py.File(ani1x) as file:
        forces = file["H2O1/wb97x_dz.forces"][()].astype(np.float64)
    np.testing.assert_array_equal(p["wb97x_dz.forces"].values[30:], forces.reshape(-1, 3))


def test_the_file_names_its_units(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("water")
        group["atomic_numbers"] = np.array([8, 1, 1], np.int16)
        group["conformations"] = frames(WATER, 4) / BOHR
        group["conformations"].attrs["units"] = "bohr"
        group["dft_total_energy"] = np.arange(4.0)
        group["dft_total_energy"].attrs["units"] = "hartree"
        group["dft_total_gradient"] = np.zeros((4, 3, 3))
        group["dft_total_gradient"].attrs["units"] = "hartree/bohr"
        group["smiles"] = np.array([b"[O:1]([H:2])[H:3]"], dtype=object)
        group.create_group("again")["loop"] = h5py.SoftLink("/water")
    data = open_dataset(path)
    assert len(data) == 4
    assert data.properties["dft_total_energy"].unit == "Ha"
    assert data.properties["dft_total_gradient"].unit == "Ha/bohr"
    assert data.properties["dft_total_gradient"].target == "atom"
    assert data.properties["smiles"].values[0] == "[O:1]([H:2])[H:3]"
    np.testing.assert_allclose(data.structures[0].positions, WATER, atol=0.1)


def test_bad_molecules_are_left_out_and_listed(ani1: Path) -> None:
    with h5py.File(ani1, "a") as file:
        file["gdb11_s02/gdb11_s02-9/coordinates"][1, 2] = np.nan
        file["gdb11_s02/gdb11_s02-9/coordinates"][2, 2] = file["gdb11_s02/gdb11_s02-9/coordinates"][2, 1]
        for name, symbols, shape in (("x", "QQ", (2, 2, 3)), ("y", "HH", (2, 3, 3)), ("z", "HH", (2, 6))):
            group = file.create_group(f"gdb11_s02/{name}")
            group["species"] = np.array(list(symbols), "S1")
            group["coordinates"] = np.ones(shape)
        del file["gdb11_s02/gdb11_s02-10/energies"]
    data = open_dataset(ani1)
    assert data.properties["conformer"].values.tolist()[:2] == [1, 4]
    assert np.isnan(data.properties["energy"].values[2:]).all()  # they have none
    faulty = {p.index: p.message for p in data.problems if p.where.endswith("s02-9")}
    assert "not a finite number" in faulty[1]
    assert "on top of each other" in faulty[2]
    assert sum(p.where.endswith(("/x", "/y", "/z")) for p in data.problems) == 3


def test_damaged_files(ani1: Path, tmp_path: Path) -> None:
    raw = ani1.read_bytes()
    for keep in (8, 100, len(raw) // 2, len(raw) - 1):
        path = tmp_path / "cut.h5"
        path.write_bytes(raw[:keep])
        with pytest.raises(DataError, match=r"damaged or not whole"):
            open_dataset(path)
    empty = tmp_path / "empty.h5"
    with h5py.File(empty, "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(DataError, match="no groups with elements"):
        open_dataset(empty)


def test_bytes_turned_over_never_raise_anything_else(ani1: Path, tmp_path: Path) -> None:
    raw = ani1.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.h5"
    opened = 0
    for _ in range(150):
        data = bytearray(raw)
        for k in rng.integers(8, len(raw), 6):
            data[k] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(data))
        try:
            found = open_dataset(path)
        except DataError:
            continue
        opened += 1
        assert np.isfinite(found.structures.positions).all()
    assert opened


def test_cancel(ani1: Path) -> None:
    with pytest.raises(Cancelled), ByteStream(ani1) as stream:
        ani.read_hdf5(stream, Progress(is_cancelled=lambda: True))


@pytest.mark.skipif(not SHARED.is_file(), reason="needs ../shared/data/ani1")
def test_the_original_file() -> None:
    data = open_dataset(SHARED)
    assert len(data) == 10_800
    molecules, counts = np.unique(data.properties["molecule"].values, return_counts=True)
    assert molecules.tolist() == ["gdb11_s01-0", "gdb11_s01-1", "gdb11_s01-2"]
    assert counts.tolist() == [5400, 3600, 1800]
    assert [data.structures[k].formula for k in (0, 5400, 9000)] == ["CH4", "H3N", "H2O"]
    energy = data.properties["energy"]
    assert energy.unit == "Ha"
    assert round(energy.values[0], 8) == -40.48058817
    for formula_energy, part in ((-40.5, slice(0, 5400)), (-56.5, slice(5400, 9000)), (-76.4, slice(9000, None))):
        assert abs(energy.values[part].min() - formula_energy) < 0.06
    bond = np.linalg.norm(data.structures[0].positions[1:] - data.structures[0].positions[0], axis=1)
    np.testing.assert_allclose(bond, 1.09, atol=0.15)
    assert data.problems == ()
