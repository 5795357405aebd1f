"""SMILES and tables of SMILES or geometries."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, read_text
from qmlstudio.chem.readers.columns import split_unit
from qmlstudio.chem.readers.smiles import sniff_delimiter
from qmlstudio.progress import Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def write(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_smiles_file(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, "SMILES name\nCCO ethanol\n# none\n\nO\nC#N\thcn\n", "a.smi"))
    assert data.identifiers.tolist() == ["ethanol", "2", "hcn"]
    assert data.smiles is not None
    assert data.smiles.tolist() == ["CCO", "O", "C#N"]
    assert data.structures.formulas() == ["C2H6O", "H2O", "CHN"]
    assert not data.ordered
    assert "ETKDG" in data.source.format
    water = data.structures[1].positions
    lengths = np.linalg.norm(water[1:] - water[0], axis=1)
    np.testing.assert_allclose(lengths, 0.97, atol=0.02)  # MMFF94's O-H
    again = read_text("CCO\nO\nC#N")
    np.testing.assert_array_equal(again.structures.positions, data.structures.positions)  # seeded


def test_failures_are_listed(tmp_path: Path) -> None:
    text = "C\nnot_smiles\nC1CC\nc1cccc1\nC*C\nF[C](F)(F)(F)F\n" + "C" * 500 + "\nO\n[Na+].[Cl-]\n"
    data = open_dataset(write(tmp_path, text, "a.smi"))
    assert data.structures.formulas() == ["CH4", "H2O", "ClNa"]
    assert [p.line for p in data.problems] == [2, 3, 4, 5, 6, 7]
    assert [p.index for p in data.problems] == [1, 2, 3, 4, 5, 6]
    assert "placeholder" in data.problems[3].message
    assert "too many" in data.problems[5].message


def test_elements_unknown_to_mmff(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, "[SiH4]\nB(O)O\n[Fe]\n", "a.smi"))
    assert [s.formula for s in data.structures] == ["H4Si", "BH3O2", "Fe"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("packed", [False, True])
def test_tables(tmp_path: Path, separator: str, packed: bool) -> None:
    rows = [
        ["id", "SMILES", "logP [log mol/L]", "kind", "gap (eV)"],
        ["m1", "CO", "1.5", "polar", "7"],
        ["m2", "C", "", "", ""],
        ["m3", "xx", "3", "bad", "1"],
        ["m4", "N", "-1e-3", '"with, ; sign"', "3"],
    ]
    text = "\n".join(separator.join(row) for row in rows) + "\n"
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    data = open_dataset(path)
    assert data.name == "t"
    assert data.identifiers.tolist() == ["m1", "m2", "m4"]
    np.testing.assert_array_equal(data.properties["logP"].values, [1.5, np.nan, -1e-3])
    assert data.properties["logP"].unit == "log mol/L"
    assert data.properties["gap"].unit == "eV"
    assert data.properties["kind"].values[2] == "with, ; sign"
    assert [(p.line, p.index) for p in data.problems] == [(4, 2)]


def test_table_without_headings(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, "1,CCO,2.5\n2,O,3.5\n", "t.csv"))
    assert data.structures.formulas() == ["C2H6O", "H2O"]
    assert data.properties["column 3"].values.tolist() == [2.5, 3.5]


def test_repeated_headings_and_ragged_rows(tmp_path: Path) -> None:
    text = "smiles,x,x,smiles\nC,1,2,q\nO,3\nN,1,2,r,5\n"
    data = open_dataset(write(tmp_path, text, "t.csv"))
    assert data.properties["x"].values.tolist() == [1, 3]
    np.testing.assert_array_equal(data.properties["x (2)"].values, [2, np.nan])
    assert data.properties["smiles (2)"].values.tolist()[0] == "q"
    assert [p.line for p in data.problems] == [4]


def test_geometries_in_cells(tmp_path: Path) -> None:
    text = (
        ";atomtypes;coordinates;dipole;forces;name\n"
        "5;['O', 'H', 'H'];[[0,0,0.1],[0,0.7,-0.4],[0,-0.7,-0.4]];[1,2,3];[[0,0,1],[0,0,0],[0,0,-1]];w\n"
        "6;['O', 'H'];[[0,0,0.1]];[1,2,3];[[0,0,1]];bad\n"
    )
    data = open_dataset(write(tmp_path, text, "t.csv"))
    assert data.structures.numbers.tolist() == [8, 1, 1]
    assert data.properties["forces"].values.shape == (3, 3)
    assert data.properties["dipole_y"].values.tolist() == [2.0]
    assert data.identifiers.tolist() == ["w"]
    assert data.problems[0].line == 3


def test_no_column_of_smiles(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column of SMILES"):
        open_dataset(write(tmp_path, "a,b\n1,2\n3,4\n", "t.csv"))


def test_cancel(tmp_path: Path) -> None:
    seen: list[float] = []
    path = write(tmp_path, "CCCCO\n" * 30, "a.smi")
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(lambda f, m: seen.append(f), lambda: len(seen) > 1, interval=0.0))
    assert 0 < seen[-1] < 1


def test_delimiters() -> None:
    assert sniff_delimiter(["a;b\n", "[1, 2];c\n", "[1, 2, 3];d\n"]) == ";"
    assert sniff_delimiter(["a,b\n", '"x,y",c\n']) == ","
    assert sniff_delimiter(["CCO\n", "CC\n"]) == ""


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("gap [Ha]", ("gap", "Ha")),
        ("gap (eV)", ("gap", "eV")),
        ("gap / kcal/mol", ("gap", "kcal/mol")),
        ("logp (exp)", ("logp (exp)", "")),
        ("a/b", ("a/b", "")),
    ],
)
def test_units_in_headings(heading: str, expected: tuple[str, str]) -> None:
    assert split_unit(heading) == expected


@shared
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "column", "first"),
    [("delaney.csv", "logp", -0.77), ("freesolv.csv", "freesolv", -11.01), ("qm8.csv.gz", None, None)],
)
def test_heads_of_real_tables(tmp_path: Path, name: str, column: str | None, first: float | None) -> None:
    source = SHARED / "moleculenet" / name
    text = (gzip.decompress(source.read_bytes()) if name.endswith("gz") else source.read_bytes()).decode()
    data = open_dataset(write(tmp_path, "".join(text.splitlines(keepends=True)[:11]), "head.csv"))
    assert len(data) + len(data.problems) == 10
    assert len(data) >= 9
    if column is not None:
        assert data.properties[column].values[0] == first


@shared
@pytest.mark.shared
def test_head_of_gdb11(tmp_path: Path) -> None:
    text = gzip.decompress((SHARED / "gdb11" / "gdb11_size08.smi.gz").read_bytes()).decode()
    data = open_dataset(write(tmp_path, "".join(text.splitlines(keepends=True)[:20]), "head.smi"))
    assert len(data) == 20
    assert {int((s.numbers > 1).sum()) for s in data.structures} == {8}


@shared
@pytest.mark.shared
def test_amons() -> None:
    data = open_dataset(SHARED / "forces" / "amons_train.csv.gz")
    assert len(data) == 800
    assert data.properties["atomization_energy"].values[0] == -392.49354478665975
    assert data.properties["forces"].values.shape == (len(data.structures.numbers), 3)
    assert data.structures[0].formula == "CH4"
