"""Crystals from CIF and POSCAR files, alone and in archives."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset

PEROVSKITES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "crystals" / "perov5_400_cif.tar.gz"

SALT = """data_NaCl
_symmetry_space_group_name_H-M   'F m -3 m'
_cell_length_a   5.64
_cell_length_b   5.64
_cell_length_c   5.64
_cell_angle_alpha   90
_cell_angle_beta   90
_cell_angle_gamma   90
_symmetry_Int_Tables_number   225
loop_
 _atom_site_label
 _atom_site_type_symbol
 _atom_site_fract_x
 _atom_site_fract_y
 _atom_site_fract_z
 Na1 Na 0 0 0
 Cl1 Cl 0.5 0.5 0.5
"""

POSCAR = """caesium chloride
4.12
1 0 0
0 1 0
0 0 1
Cs Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""


def test_symmetry_fills_the_cell(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(SALT)
    dataset = open_dataset(tmp_path / "salt.cif")
    assert len(dataset) == 1
    assert dataset.source.format == "CIF"
    assert dataset.name == "salt"
    structure = dataset.structures[0]
    assert structure.formula == "Cl4Na4"
    np.testing.assert_allclose(structure.cell, np.eye(3) * 5.64)
    distances = np.linalg.norm(structure.positions[structure.numbers == 17] - structure.positions[0], axis=1)
    assert distances.min() == pytest.approx(2.82)


@pytest.mark.parametrize("name", ["CsCl.vasp", "POSCAR", "anything"])
def test_poscar_by_content_or_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(POSCAR)
    dataset = open_dataset(tmp_path / name)
    assert dataset.structures[0].formula == "ClCs"
    assert dataset.source.format == "POSCAR"
    np.testing.assert_allclose(dataset.structures[0].positions[1], [2.06] * 3)


def test_several_blocks_are_several_crystals(tmp_path: Path) -> None:
    (tmp_path / "two.cif").write_text(SALT + "\n" + SALT.replace("NaCl", "KCl").replace("Na", "K"))
    dataset = open_dataset(tmp_path / "two.cif")
    assert dataset.structures.formulas() == ["Cl4Na4", "Cl4K4"]
    assert list(dataset.identifiers) == ["two:1", "two:2"]


def test_partly_occupied_sites_are_told(tmp_path: Path) -> None:
    text = SALT.replace(" _atom_site_fract_z\n", " _atom_site_fract_z\n _atom_site_occupancy\n")
    (tmp_path / "mixed.cif").write_text(
        text.replace("0 0 0\n", "0 0 0 0.5\n").replace("0.5 0.5 0.5\n", "0.5 0.5 0.5 1\n")
    )
    dataset = open_dataset(tmp_path / "mixed.cif")
    assert len(dataset) == 1
    assert "partly occupied" in dataset.problems[0].message


@pytest.mark.parametrize(
    "text", [SALT[:120], SALT.replace("5.64", "five"), SALT.replace("Na1 Na 0 0 0", "Na1 Xx 0 0 0"), "data_nothing\n"]
)
def test_damaged_files_are_told_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.cif").write_text(text)
    with pytest.raises(DataError, match=r"bad\.cif"):
        open_dataset(tmp_path / "bad.cif")


def test_archive_keeps_the_good_ones(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        for name, text in (("c/10.cif", SALT), ("c/2.cif", SALT), ("c/3.cif", SALT[:100])):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        table = b"file,gap\n2.cif,5.0\n10.cif,8.5\n"
        info = tarfile.TarInfo("c/index.csv")
        info.size = len(table)
        tar.addfile(info, io.BytesIO(table))
    dataset = open_dataset(tmp_path / "set.tar.gz")
    assert list(dataset.identifiers) == ["2", "10"]
    np.testing.assert_array_equal(dataset.properties["gap"].values, [5.0, 8.5])
    assert len(dataset.problems) == 1
    assert dataset.problems[0].where.endswith("c/3.cif")


@pytest.mark.shared
@pytest.mark.skipif(not PEROVSKITES.exists(), reason="needs ../shared/data/crystals")
def test_perovskites() -> None:
    dataset = open_dataset(PEROVSKITES)
    assert len(dataset) == 400
    assert not dataset.problems
    assert dataset.structures.cells is not None
    assert (np.linalg.det(dataset.structures.cells) > 20).all()
    assert (dataset.structures.sizes == 5).all()
    assert np.isfinite(dataset.properties["heat_all_ev_per_atom"].values).all()
