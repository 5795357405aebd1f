"""Folders, archives and lists of xyz files as one data set, with the tables beside them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, open_paths
from qmlstudio.chem.readers.archives import natural_key
from qmlstudio.progress import Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def xyz(z: str, x: float = 0.0, comment: str = "") -> str:
    return f"1\n{comment}\n{z} {x} 0 0\n"


FILES = {"set/10.xyz": xyz("Ne", 10), "set/9.xyz": xyz("F", 9), "set/1.xyz": xyz("H", 1), "set/2.xyz": xyz("He", 2)}


def make(folder: Path, kind: str, files: dict[str, str]) -> Path:
    if kind == "folder":
        for name, text in files.items():
            path = folder / "all" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder / "all"
    path = folder / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path
    mode = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


KINDS = ["folder", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip"]


@pytest.mark.parametrize("kind", KINDS)
def test_natural_order_and_names(tmp_path: Path, kind: str) -> None:
    data = open_dataset(make(tmp_path, kind, FILES))
    assert data.identifiers.tolist() == ["1", "2", "9", "10"]
    assert data.structures.numbers.tolist() == [1, 2, 9, 10]
    assert data.structures.positions[:, 0].tolist() == [1, 2, 9, 10]
    assert data.name == "all"
    assert data.problems == ()
    assert not data.ordered


@pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
def test_tables_become_properties(tmp_path: Path, kind: str) -> None:
    table = "file energy [eV] kind\n1.xyz -1.5 a\n9.xyz -9 b\n2.xyz nan c\n"
    table = table.replace("energy [eV]", "energy[eV]")
    other = "nothing of ours\nat all\n"
    data = open_dataset(make(tmp_path, kind, {**FILES, "set/t.txt": table, "README.txt": other}))
    np.testing.assert_array_equal(data.properties["energy"].values, [-1.5, np.nan, -9, np.nan])
    assert data.properties["energy"].unit == "eV"
    assert data.properties["kind"].values.tolist() == ["a", "c", "b", ""]
    assert len(data.properties) == 2


def test_table_without_headings_and_with_commas(tmp_path: Path) -> None:
    table = "# comment\nset/1.xyz, 1, 5\nset/2.xyz, 2, 6\nset/9.xyz, 9, 7\n"
    p = open_dataset(make(tmp_path, "tar", {**FILES, "hof.csv": table})).properties
    np.testing.assert_array_equal(p["hof_2"].values, [5, 6, 7, np.nan])


def test_table_does_not_overwrite_a_column(tmp_path: Path) -> None:
    files = {"1.xyz": xyz("H", 0, "e=1"), "2.xyz": xyz("H", 0, "e=2"), "t.txt": "name e\n1 10\n2 20\n"}
    p = open_dataset(make(tmp_path, "tar", files)).properties
    assert p["e"].values.tolist() == [1, 2]
    assert p["e (2)"].values.tolist() == [10, 20]


def test_bad_files_are_listed_with_their_names(tmp_path: Path) -> None:
    files = {**FILES, "set/3.xyz": "", "set/4.xyz": xyz("Qq"), "set/5.xyz": "\0\1\2", "set/.6.xyz": "x", "a.pdf": "%"}
    data = open_dataset(make(tmp_path, "tar.gz", files))
    assert len(data) == 4
    assert [p.where.rpartition("/")[2] for p in data.problems] == ["3.xyz", "4.xyz", "5.xyz"]
    assert data.problems[1].line == 3


def test_several_frames_in_one_file(tmp_path: Path) -> None:
    data = open_dataset(make(tmp_path, "folder", {"a.xyz": xyz("H") * 11, "b.xyz": xyz("H")}))
    assert data.identifiers[[0, 1, 10, 11]].tolist() == ["a", "a:2", "a:11", "b"]
    assert data.ordered


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_read(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"no xyz, CIF or POSCAR files in it \(found: \.pdf\)"):
        open_dataset(make(tmp_path, kind, {"a.pdf": "data_"}))


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_damaged_archives(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(3)
    files = {f"{i}.xyz": xyz("He", x) for i, x in enumerate(rng.uniform(-9, 9, 500))}
    whole = make(tmp_path, kind, files).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(whole[: len(whole) // 2])
    if kind == "zip":  # its table of contents is at the end
        with pytest.raises(DataError, match="damaged"):
            open_dataset(path)
        return
    data = open_dataset(path)
    assert 50 < len(data) < 450
    assert any("damaged" in p.message for p in data.problems)


def test_joined_files(tmp_path: Path) -> None:
    for name, text in {"b.xyz": xyz("H") * 2, "a.xyz": xyz("He"), "c.sdf": "\n\n\n 0 V2000\nM  END\n"}.items():
        (tmp_path / name).write_text(text)
    data = open_paths([tmp_path / "b.xyz", tmp_path / "a.xyz"])
    assert data.identifiers.tolist() == ["b", "b:2", "a"]
    assert data.name == "b and 1 more"
    again = open_dataset(data.source.path)
    assert again.fingerprint == data.fingerprint
    assert open_dataset([tmp_path / "a.xyz"]).structures.numbers.tolist() == [2]
    for bad in ([], [tmp_path, tmp_path / "a.xyz"], [tmp_path / "a.xyz", tmp_path / "c.sdf"], [tmp_path / "x", "y"]):
        with pytest.raises(DataError):
            open_paths(bad)


@pytest.mark.parametrize("kind", KINDS)
def test_cancel(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, {f"{i}.xyz": xyz("H") for i in range(200)})
    calls: list[int] = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=stop))


def test_natural_key() -> None:
    names = ["b10", "b9", "a2", "a", "10", "9", "a²"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "a2", "a²", "b9", "b10"]


@shared
@pytest.mark.shared
def test_qm7() -> None:
    data = open_dataset(SHARED / "qm7" / "qm7.tar.gz")
    assert len(data) == 7101
    assert data.problems == ()
    assert data.structures.sizes.max() == 23
    assert data.structures.species.symbols == ("H", "C", "N", "O", "S")
    assert data.identifiers[0] == "0001"
    assert data.structures[0].formula == "CH4"
    np.testing.assert_array_equal(data.structures.positions[0], [1.041682, -0.056200, -0.071481])
    pbe0, dftb = (data.properties[f"atomization_energy_{k}"] for k in ("pbe0", "dftb"))
    assert (pbe0.unit, dftb.unit) == ("kcal/mol", "kcal/mol")
    assert pbe0.values[:4].tolist() == [-417.031, -711.117, -563.084, -403.695]
    assert dftb.values[0] == -431.787271961
    assert not np.isnan(pbe0.values).any()
    assert np.ptp(pbe0.values) > 1500
    # bigger molecules are bound more strongly: rows of the table belong to their structures
    assert np.corrcoef(pbe0.values, data.structures.sizes)[0, 1] < -0.9


@shared
@pytest.mark.shared
def test_real_folder_and_folder_of_nothing() -> None:
    data = open_dataset(SHARED / "qm9")
    assert data.identifiers.tolist() == ["gdb 17001", "gdb 67017", "gdb 129001"]
    with pytest.raises(DataError, match=r"\.params"):
        open_dataset(SHARED / "aev")
