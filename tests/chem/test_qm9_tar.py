from __future__ import annotations

import bz2
import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import QM9, load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.readers.bzip2 import ParallelBZ2
from qmlstudio.chem.readers.qm9_tar import ALL, uncharacterized
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.tar import TarError, tar_members
from qmlstudio.chem.readers.xyz import QM9_COLUMNS
from qmlstudio.progress import Cancelled, Progress

MOLECULES = load_builtin("qm9_7").take(slice(0, 70))


def mathematica(x: float) -> str:
    return repr(x).replace("e-0", "*^-").replace("e-", "*^-")


def as_file(data: Dataset, i: int) -> bytes:
    """The original layout of one molecule."""
    one = data.structures[i]
    start = int(data.structures.offsets[i])
    values = "\t".join(mathematica(float(data.properties[name].values[i])) for name, _, _ in QM9_COLUMNS)
    lines = [str(len(one.numbers)), f"{data.identifiers[i]}\t{values}\t"]
    for k, symbol in enumerate(one.symbols):
        row = [*one.positions[k].tolist(), float(data.properties["charge"].values[start + k])]
        lines.append("\t".join([symbol, *map(mathematica, row)]))
    smiles = data.properties["smiles"].values[i]
    lines += ["100.5\t2000.25\t3000.125", f"{smiles}\t{smiles}\t", "InChI=1S/x\tInChI=1S/y", ""]
    return "\n".join(lines).encode()


def files() -> dict[str, bytes]:
    numbers = [int(str(name).split()[1]) for name in MOLECULES.identifiers]
    return {f"dsgdb9nsd_{n:06d}.xyz": as_file(MOLECULES, i) for i, n in enumerate(numbers)}


def packed(tmp_path: Path, kind: str, content: dict[str, bytes]) -> Path:
    path = tmp_path / (f"dsgdb9nsd.xyz.{kind}" if kind != "folder" else "folder")
    if kind == "folder":
        path.mkdir()
        for name, data in content.items():
            (path / name).write_bytes(data)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, f"w:{kind.removeprefix('tar').removeprefix('.')}") as archive:  # type: ignore[call-overload]
            for name, data in content.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["tar.bz2", "tar", "zip", "folder"])
def test_numbers_units_and_texts(tmp_path: Path, kind: str) -> None:
    data = open_dataset(packed(tmp_path, kind, files()))
    left_out = [p for p in data.problems if p.is_notice]
    assert not [p for p in data.problems if not p.is_notice]
    # gdb 58 and 61 are among the uncharacterised, and in the small set's range only when it has them
    assert not left_out
    assert np.array_equal(data.structures.numbers, MOLECULES.structures.numbers)
    assert np.array_equal(data.structures.positions, MOLECULES.structures.positions)
    assert data.identifiers.tolist() == MOLECULES.identifiers.tolist()
    for name, _, _ in QM9_COLUMNS:
        assert np.array_equal(data.properties[name].values, MOLECULES.properties[name].values)
        assert data.properties[name].unit == QM9.columns[name][0]
    assert np.array_equal(data.properties["charge"].values, MOLECULES.properties["charge"].values)
    assert data.properties["charge"].unit == "e"
    assert data.properties["smiles"].values.tolist() == MOLECULES.properties["smiles"].values.tolist()
    assert data.properties["inchi"].values[0] == "InChI=1S/x"
    assert data.properties["frequency_lowest"].values[3] == 100.5
    assert data.properties["frequency_highest"].values[3] == 3000.125
    assert data.source.format == "QM9 xyz files"


def test_uncharacterized_molecules_are_left_out_visibly(tmp_path: Path) -> None:
    content = files()
    odd = content["dsgdb9nsd_000001.xyz"].replace(b"gdb 1\t", b"gdb 58\t")
    path = packed(tmp_path, "tar.bz2", {**content, "dsgdb9nsd_000058.xyz": odd})
    data = open_dataset(path)
    assert len(data) == 70
    assert [p for p in data.problems if p.is_notice and "1 uncharacterized" in p.message]
    assert "uncharacterized=true" in data.problems[0].remedy
    whole = open_dataset(f"{path}#uncharacterized=true")
    assert len(whole) == 71
    assert "gdb 58" in whole.identifiers.tolist()
    assert not whole.problems
    with pytest.raises(DataError, match="uncharacterized"):
        open_dataset(packed(tmp_path, "zip", {"dsgdb9nsd_000058.xyz": odd}))


def test_the_list() -> None:
    assert len(uncharacterized()) == 3054
    assert min(uncharacterized()) == 58
    assert max(uncharacterized()) <= ALL
    kept = {int(str(n).split()[1]) for n in load_builtin("qm9_7").identifiers}
    assert not kept & uncharacterized()


def test_a_bad_file_is_told_and_spoils_no_column(tmp_path: Path) -> None:
    content = files()
    names = list(content)
    content[names[3]] = content[names[3]].replace(b"\t", b"\tx", 5)
    content[names[4]] = content[names[4]].replace(b"\nH\t", b"\nQq\t", 1)
    content[names[5]] = content[names[5]][: len(content[names[5]]) // 2]
    content[names[6]] = b""
    content[names[7]] = content[names[7]].replace(b"\n", b"\r\n")
    data = open_dataset(packed(tmp_path, "zip", content))
    assert len(data) == 66
    assert {p.where.rpartition("/")[2] for p in data.problems} == {names[k] for k in (3, 4, 5, 6)}
    assert all(data.properties[name].values.dtype == np.float64 for name, _, _ in QM9_COLUMNS)
    assert f"gdb {int(names[7][10:16])}" in data.identifiers.tolist()


def test_cancel(tmp_path: Path) -> None:
    path = packed(tmp_path, "tar.bz2", files())
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=lambda: True))


def contents() -> list[bytes]:
    rng = random.Random(5)
    numbers = b" ".join(b"%d" % rng.randrange(10**6) for _ in range(50_000))
    return [b"", b"x", rng.randbytes(500_000), b"ab" * 60_000, numbers]


@pytest.mark.parametrize("level", [1, 9])
def test_bzip2_in_threads_is_bzip2(level: int) -> None:
    for data in contents():
        once = bz2.compress(data, level)
        twice = bz2.compress(data[:70_001], level) + bz2.compress(data[70_001:], 10 - level)
        for packed_data in (once, twice):
            stream, out = ParallelBZ2(io.BytesIO(packed_data), threads=2), []
            while piece := stream.read1(100_000):
                out.append(piece)
            stream.close()
            assert b"".join(out) == data


def test_damaged_bzip2_gives_what_is_whole_and_says_so() -> None:
    data = contents()[2]
    packed_data = bz2.compress(data, 1)
    spoiled = bytearray(packed_data)
    spoiled[len(spoiled) // 2] ^= 255
    for bad in (packed_data[: len(packed_data) // 2], bytes(spoiled), packed_data[:-6]):
        stream, out = ParallelBZ2(io.BytesIO(bad), threads=2), b""
        damage = ""
        try:
            while piece := stream.read1(1 << 20):
                out += piece
        except (OSError, EOFError) as error:
            damage = str(error)
        stream.close()
        assert damage
        assert len(out) > len(data) // 3
        assert data.startswith(out)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_headers(tmp_path: Path, form: int) -> None:
    names = ["a.xyz", "d/" + "n" * 90 + ".xyz", "µ/é.xyz", "empty.xyz"]
    if form != tarfile.USTAR_FORMAT:
        names.append("e/" + "x" * 300 + ".xyz")
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=form) as archive:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("link.xyz")
        link.type, link.linkname = tarfile.SYMTYPE, "a.xyz"
        archive.addfile(link)
        for k, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 0 if name == "empty.xyz" else 700 * k + 1
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    with ByteStream(path) as stream:
        found = {name: len(data) for name, data in tar_members(stream, lambda name, size: True)}
    assert found == {n: 0 if n == "empty.xyz" else 700 * k + 1 for k, n in enumerate(names)}
    with ByteStream(path) as stream:
        assert [n for n, _ in tar_members(stream, lambda name, size: size == 701)] == [names[1]]
    whole = path.read_bytes()
    for bad in (whole[:3000], whole[:2048], whole[:512] + b"x" * 512 + whole[1024:]):
        (tmp_path / "b.tar.gz").write_bytes(gzip.compress(bad))
        with ByteStream(tmp_path / "b.tar.gz") as stream, pytest.raises(TarError):
            list(tar_members(stream, lambda name, size: True))
