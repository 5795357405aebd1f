"""Which reader a file gets, and that no file brings the program down."""

from __future__ import annotations

import io
import os
import random
import tarfile
import zipfile
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import FORMATS, open_dataset, read_text
from qmlstudio.chem.readers.checks import CLOSEST, faults
from qmlstudio.progress import Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
XYZ = "2\nenergy=-1.5 name=h2\nH 0 0 0\nH 0 0 0.74\n"
EXTENDED = (
    '2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T T"\n'
    "H 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n"
)
SDF = (
    "h2\n     x           3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 H   0  0\n"
    "    0.0000    0.0000    0.7400 H   0  0\n  1  2  1  0\nM  END\n>  <E>\n-1.5\n\n$$$$\n"
)
CSV = 'smiles,name,"E [eV]"\nC,methane,-1\nO,"water, pure",-2\n'


@pytest.mark.parametrize("name", ["a.xyz", "a.dat", "a", "a.sdf", "a.csv", "a.npz", "a.tar.gz", "a.smi"])
@pytest.mark.parametrize(("text", "form"), [(XYZ, "xyz"), (EXTENDED, "extended xyz"), (SDF, "SDF")])
def test_content_decides_before_the_name(tmp_path: Path, name: str, text: str, form: str) -> None:
    (tmp_path / name).write_text(text)
    data = open_dataset(tmp_path / name)
    assert data.structures.numbers.tolist() == [1, 1]
    assert data.source.format == form


def test_unknown_kinds(tmp_path: Path) -> None:
    for name, content in {
        "a.bin": bytes(range(256)) * 10,
        "a.txt": b"Dear reader,\nthis is a letter.\n",
        "a.h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "a.xyz": b"\0\1\2\3" * 100,
        "b.csv": b"\xff\xfe\0\0garbage",
        "a.npz": b"PK\x03\x04" + b"\0" * 50,
        "a.json": b'{"a": 1}',
        "a.gz": b"\x1f\x8b garbage",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            open_dataset(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="can be read") as caught:
        open_dataset(tmp_path / "a.txt")
    for form in FORMATS:
        assert form.name in str(caught.value)


def test_missing_unreadable_and_odd_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        open_dataset(tmp_path / "none.xyz")
    with pytest.raises(DataError, match="not a file name"):
        open_dataset("a\0b")
    with pytest.raises(DataError):
        open_dataset("builtin:none")
    with pytest.raises(DataError, match="no xyz, CIF or POSCAR files"):
        open_dataset(tmp_path)
    if os.geteuid() != 0:
        secret = tmp_path / "secret.xyz"
        secret.write_text(XYZ)
        secret.chmod(0)
        with pytest.raises(DataError, match="ermission"):
            open_dataset(secret)


def test_strings_paths_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xyz").write_text(XYZ)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(open_dataset("~/a.xyz")) == len(open_dataset(str(tmp_path / "a.xyz"))) == 1


def test_end_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(XYZ)
    seen: list[float] = []
    open_dataset(tmp_path / "a.xyz", Progress(lambda f, m: seen.append(f)))
    assert seen[-1] == 1.0


def test_pasted_text() -> None:
    assert len(read_text("\n\n" + XYZ)) == 1
    assert read_text("C\nO\n").structures.formulas() == ["CH4", "H2O"]
    for text in ("", " \n ", "Dear reader,\nthis is a letter.", "1\n", "3\n\nH 0 0 0\n", "\ud800"):
        with pytest.raises(DataError):
            read_text(text)


def test_coincident_atoms() -> None:
    r = np.array([[0, 0, 0], [0, 0, CLOSEST * 0.99], [9, 9, 9], [0, 0, 0], [0, 0, CLOSEST * 1.01]])
    found = faults(r, np.array([3, 2]))
    assert [(f.structure, f.atom) for f in found] == [(0, 1)]
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 300)
    r = rng.uniform(0, 1.2, (int(sizes.sum()), 3))
    first = np.concatenate([[0], np.cumsum(sizes)])
    bad = set()
    for k, (a, b) in enumerate(pairwise(first)):
        d = np.linalg.norm(r[a:b, None] - r[None, a:b], axis=-1) + np.eye(b - a)
        if d.min() < CLOSEST:
            bad.add(k)
    assert 5 < len(bad) < 295
    assert {f.structure for f in faults(r, sizes)} == bad


def test_all_atoms_in_one_point_do_not_hang() -> None:
    assert len(faults(np.zeros((20_000, 3)), np.array([20_000]))) == 1


def mutate(text: str, rng: random.Random) -> str:
    """A few random edits: characters, words, lines, repeats, cuts."""
    alphabet = "0123456789.-+eE \n\t\"'=:{}[],;HCOx#$%µ\0*^"
    for _ in range(rng.randint(1, 6)):
        i = rng.randrange(len(text) + 1)
        j = min(len(text), i + rng.choice([0, 1, 1, 2, 5, 40]))
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:i] + "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 4))) + text[j:]
        elif kind == 1:
            text = text[:i] + text[j:]
        elif kind == 2:
            text = text[:i] + text[i:j] * rng.randint(2, 5) + text[j:]
        elif kind == 3:
            lines = text.split("\n")
            rng.shuffle(lines)
            text = "\n".join(lines)
        else:
            text = text[:i]
        if not text:
            return "\n"
    return text


@pytest.mark.parametrize(
    ("seed", "name", "count"),
    [(XYZ * 3, "a.xyz", 700), (EXTENDED * 3, "a.xyz", 700), (SDF * 2, "a.sdf", 300), (CSV, "a.csv", 80)],
)
def test_mutated_files_never_raise_anything_else(tmp_path: Path, seed: str, name: str, count: int) -> None:
    rng = random.Random(name + str(len(seed)))
    path = tmp_path / name
    opened = 0
    messages: list[str] = []
    for _ in range(count):
        text = mutate(seed, rng)
        path.write_text(text, encoding="utf-8")
        try:
            data = open_dataset(path)
        except DataError as error:
            messages.append(str(error))
            continue
        opened += 1
        assert len(data) > 0
        assert np.isfinite(data.structures.positions).all()
        assert (data.structures.numbers > 0).all()
        for problem in data.problems:
            assert problem.line is None or 1 <= problem.line <= text.count("\n") + 1
    assert opened > count // 20
    assert not any("\n" in message for message in messages)


def packed(kind: str) -> bytes:
    """A small archive of each kind."""
    out = io.BytesIO()
    if kind == "npz":
        np.savez(out, R=np.arange(18.0).reshape(3, 2, 3), z=np.array([1, 1]), E=np.ones((3, 1)))
    elif kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for k in range(4):
                archive.writestr(f"{k}é.xyz", XYZ)
    else:
        with tarfile.open(fileobj=out, mode="w:gz" if kind.endswith("gz") else "w") as tar:
            for k in range(4):
                info = tarfile.TarInfo(f"{k}.xyz")
                info.size = len(XYZ)
                tar.addfile(info, io.BytesIO(XYZ.encode()))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip", "npz"])
def test_damaged_archives_never_raise_anything_else(tmp_path: Path, kind: str) -> None:
    rng = random.Random(kind)
    whole = packed(kind)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(whole)
    assert len(open_dataset(path)) in (3, 4)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            i = rng.randrange(len(data))
            if rng.random() < 0.7:
                data[i] = rng.randrange(256)
            else:
                del data[i : i + rng.choice([1, 10, 100])]
        path.write_bytes(bytes(data))
        try:
            assert len(open_dataset(path)) > 0
        except DataError:
            refused += 1
    assert refused > 5


def test_mutated_pasted_text_never_raises_anything_else() -> None:
    rng = random.Random(7)
    for _ in range(400):
        text = mutate(rng.choice([XYZ, EXTENDED]), rng)
        with suppress(DataError):
            assert len(read_text(text)) > 0


@shared
@pytest.mark.shared
def test_foreign_real_files() -> None:
    for name in ("aev/rHCNO-5.2R_16-3.5A_a4-8.params",):
        with pytest.raises(DataError):
            open_dataset(SHARED / name)
