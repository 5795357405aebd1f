"""Real files, as people download them: each opens, with known values in the right units."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.readers import open_dataset

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data"),
]

ETHANOL = {"energy": ("kcal/mol", -97195.0, 60.0), "forces": ("kcal/mol/Å", 0.0, 200.0)}
RMD17 = {
    name: {
        "energy": ("kcal/mol", center, 80.0),
        "forces": ("kcal/mol/Å", 0.0, 250.0),
        "old_forces": ("kcal/mol/Å", 0.0, 250.0),
    }
    for name, center in {
        "ethanol": -97075.0,
        "benzene": -145500.0,
        "malonaldehyde": -167304.0,
        "toluene": -170040.0,
        "uracil": -259808.0,
    }.items()
}

# name, options, structures, {column: (unit, a value, how far all values may be from it)}
FILES: list[tuple[str, str, int, dict[str, tuple[str, float, float]]]] = [
    ("md17/ethanol_md17.npz", "", 2000, ETHANOL),
    *((f"rmd17/rmd17_{n}_{part}_01.npz", "", 1000, RMD17[n]) for n in RMD17 for part in ("train", "test")),
    ("extxyz/ethanol_md.xyz", "", 1000, {"energy": ("eV", -4215.0, 60.0), "forces": ("eV/Å", 0.0, 20.0)}),
    ("extxyz/acac_300K.xyz", "", 500, {"energy": ("eV", -9400.0, 200.0), "forces": ("eV/Å", 0.0, 20.0)}),
    ("extxyz/acac_dihedral.xyz", "", 45, {"energy": ("eV", -9400.0, 200.0)}),
    ("extxyz/acac_h_transfer.xyz", "", 15, {"energy": ("eV", -9400.0, 200.0)}),
    ("qm9/dsgdb9nsd_017001.xyz", "", 1, {"U0": ("Ha", -347.762067, 1e-9), "alpha": ("a₀³", 70.06, 1e-9)}),
    ("qm9/dsgdb9nsd_067017.xyz", "", 1, {"gap": ("Ha", 0.25, 0.15), "charge": ("e", 0.0, 1.0)}),
    ("qm9/dsgdb9nsd_129001.xyz", "", 1, {"homo": ("Ha", -0.25, 0.15), "mu": ("D", 2.0, 5.0)}),
    ("qm9", "", 3, {"U0": ("Ha", -400.0, 80.0)}),
    (
        "qm7/qm7.tar.gz",
        "",
        7101,
        {
            "atomization_energy_pbe0": ("kcal/mol", -1300.0, 950.0),
            "atomization_energy_dftb": ("kcal/mol", -1300.0, 950.0),
        },
    ),
    (
        "crystals/perov5_400_cif.tar.gz",
        "",
        400,
        {"heat_all_ev_per_atom": ("eV/atom", 1.5, 5.0), "dir_gap": ("eV", 0.0, 10.0)},
    ),
    (
        "forces/amons_train.csv.gz",
        "",
        800,
        {
            "total_energy": ("kcal/mol", -150000.0, 148000.0),
            "forces": ("kcal/mol/Å", 0.0, 1500.0),
            "dipole_x": ("D", 0, 15),
        },
    ),
    ("forces/amons_valid.csv.gz", "", 800, {"atomization_energy": ("kcal/mol", -1100.0, 1100.0)}),
    ("moleculenet/delaney.csv", "#first=20", 20, {"logp": ("log mol/L", -3.0, 9.0)}),
    ("moleculenet/freesolv.csv", "#first=20", 20, {"freesolv": ("kcal/mol", -5.0, 25.0)}),
    (
        "moleculenet/qm8.csv.gz",
        "#first=60",
        60,
        {"E1-CC2": ("Ha", 0.25, 0.4), "f1-CC2": ("", 0.4, 0.5), "E2-CAM": ("Ha", 0.25, 0.4)},
    ),
    ("gdb11/gdb11_le7.smi.gz", "#sample=40&seed=3", 40, {}),
    ("gdb11/gdb11_size08.smi.gz", "#sample=40", 40, {}),
    ("ligands/cmp_list_ChEMBL_zinc_decoys.dat.gz", "#sample=60&geometry=2d", 60, {}),
    ("ligands/moleculeace_20targets.csv.gz", "#sample=60&geometry=2d", 60, {"p_activity": ("", 7.0, 5.0)}),
]


@pytest.mark.parametrize(("name", "options", "count", "columns"), FILES, ids=[f[0] for f in FILES])
def test_file(name: str, options: str, count: int, columns: dict[str, tuple[str, float, float]]) -> None:
    data = open_dataset(f"{SHARED / name}{options}")
    assert len(data) + sum(not p.is_notice for p in data.problems) == count
    assert len(data) >= count - 2
    assert data.source.path == f"{SHARED / name}{options}"
    for title, (unit, value, far) in columns.items():
        p = data.properties[title]
        assert p.unit == unit
        assert np.nanmax(np.abs(p.values - value)) <= far
    # bonds have the lengths of bonds: the unit of the coordinates is right
    first = data.structures[len(data) // 2]
    if len(first.numbers) > 1 and data.structures.cells is None:
        apart = np.linalg.norm(first.positions[:, None] - first.positions, axis=2) + 9.0 * np.eye(len(first.numbers))
        assert 0.7 < apart.min() < 1.6


def test_known_values() -> None:
    """Methane of QM7 and QM8, acetone's solvation: what tables and papers say."""
    data = open_dataset(SHARED / "qm7" / "qm7.tar.gz")
    assert data.identifiers[0] == "0001"
    assert data.structures[0].formula == "CH4"
    assert data.properties["atomization_energy_pbe0"].values[0] == -417.031
    assert data.properties["atomization_energy_dftb"].values[0] == -431.787271961
    data = open_dataset(f"{SHARED / 'moleculenet' / 'qm8.csv.gz'}#first=1")
    assert data.structures[0].formula == "CH4"
    assert data.properties["E1-CC2"].values[0] == 0.43295186
    assert "RI-CC2" in data.properties["E1-CC2"].description


def test_command_line() -> None:
    place = f"{SHARED / 'gdb11' / 'gdb11_le7.smi.gz'}#sample=5"
    command = [sys.executable, "-m", "qmlstudio", "info", place]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "structures  5" in out
