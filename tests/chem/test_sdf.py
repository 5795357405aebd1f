"""SDF and MOL files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset

WATER = """water
     test           3D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1173 O   0  0  0  0  0  0
    0.0000    0.7572   -0.4692 H   0  0  0  0  0  0
    0.0000   -0.7572   -0.4692 H   0  0  0  0  0  0
  1  2  1  0
  1  3  1  0
M  END
"""
ETHANOL_2D = """ethanol
     test           2D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.2990    0.7500    0.0000 C   0  0
    2.5981    0.0000    0.0000 O   0  0
  1  2  1  0
  2  3  1  0
M  END
"""


def fields(**values: object) -> str:
    return "".join(f">  <{k}>\n{v}\n\n" for k, v in values.items()) + "$$$$\n"


def write(folder: Path, text: str, name: str = "a.sdf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_molecules_and_fields(tmp_path: Path) -> None:
    text = WATER + fields(E=-76.4, note="two words") + WATER + fields(E="n/a", other=3)
    data = open_dataset(write(tmp_path, text))
    assert data.structures.numbers.tolist() == [8, 1, 1] * 2
    assert data.structures.positions[1, 1] == 0.7572
    assert data.identifiers.tolist() == ["water", "water"]
    np.testing.assert_array_equal(data.properties["E"].values, [-76.4, np.nan])
    assert data.properties["note"].values.tolist() == ["two words", ""]
    assert data.smiles is not None
    assert data.smiles.tolist() == ["O", "O"]
    assert data.source.format == "SDF"


def test_one_mol_file_and_wrong_ending(tmp_path: Path) -> None:
    assert len(open_dataset(write(tmp_path, WATER, "a.mol"))) == 1
    assert len(open_dataset(write(tmp_path, WATER, "a.xyz"))) == 1


def test_drawings_are_made_three_dimensional(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, ETHANOL_2D + fields(E=1)))
    assert data.structures[0].formula == "C2H6O"
    assert np.ptp(data.structures.positions[:, 2]) > 0.5
    assert "drawings" in data.source.format


def test_planar_molecules_are_no_drawings(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, WATER.replace("0.1173 O", "0.0000 O").replace("-0.4692", " 0.0000")))
    assert data.structures.positions[:, 2].tolist() == [0, 0, 0]


def test_bad_records_are_listed(tmp_path: Path) -> None:
    broken = "\n".join(WATER.splitlines()[:6]) + "\n"
    query = WATER.replace(" O ", " R#")
    same = WATER.replace("-0.7572", " 0.7572")
    end = fields(E=1)
    text = broken + "$$$$\n" + WATER + end + query + end + same + end + "nonsense\n$$$$\n" + WATER + end
    data = open_dataset(write(tmp_path, text))
    assert len(data) == 2
    assert [p.index for p in data.problems] == [0, 2, 3, 4]
    assert [p.line for p in data.problems] == [1, 22, 36, 50]
    messages = [p.message for p in data.problems]
    assert "M  END" in messages[0]
    assert "unknown element" in messages[1]
    assert "on top of each other" in messages[2]


def test_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="breaks off"):
        open_dataset(write(tmp_path, WATER.replace("M  END\n", "")))
