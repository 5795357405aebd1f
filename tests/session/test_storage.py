"""Session files come back as they were saved, or say what is wrong; a killed save leaves the old file whole."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Structures
from qmlstudio.session import storage
from qmlstudio.session.storage import (
    StorageError,
    dataset_from_arrays,
    dataset_to_arrays,
    header,
    load,
    load_files,
    remove_leftovers,
    save,
)

RNG = np.random.default_rng(0)
ARRAYS = [
    RNG.normal(size=(7, 3)),
    RNG.normal(size=(5, 4)).astype(np.float32).T,  # Fortran's order
    RNG.normal(size=(6, 8))[::2, ::3],
    np.arange(10, dtype=">i4"),
    np.array([True, False]),
    np.array(["Å", "", "CCO"]),
    np.zeros((0, 3)),
    np.array(3.5),
    np.array(["", ""]),
    np.zeros(2, dtype=[("a", "<i4"), ("b", "<f8", (2,))]),
    np.array([np.nan, np.inf, -0.0]),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "walk.qmls"


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_arrays_come_back(path: Path, array: np.ndarray[Any, Any]) -> None:
    save(path, {}, {"map/points": array})
    back = load(path)[1]["map/points"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


def test_large_array_comes_back(path: Path) -> None:
    array = RNG.normal(size=(700_001,))  # longer than one block, and no multiple of it
    save(path, {}, {"a": array})
    np.testing.assert_array_equal(load(path)[1]["a"], array)


def test_mapped_array_is_saved(tmp_path: Path, path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(5.0))
    save(path, {}, {"a": np.load(tmp_path / "a.npy", mmap_mode="r")})
    np.testing.assert_array_equal(load(path)[1]["a"], np.arange(5.0))


def test_document_comes_back(path: Path) -> None:
    document = {"title": "σ → Å", "list": [1, 2.5, None, True, "x"], "nested": {"a": {"b": []}}, "nan": float("inf")}
    save(path, document)
    assert load(path) == (document, {})


def test_numpy_values_in_the_document_become_plain(path: Path) -> None:
    save(path, {"n": np.int64(3), "x": np.float32(0.5), "v": np.arange(3), "p": Path("a"), "s": {2, 1}})
    assert load(path)[0] == {"n": 3, "x": 0.5, "v": [0, 1, 2], "p": "a", "s": [1, 2]}


def test_header_and_files(path: Path) -> None:
    save(path, {"a": 1}, files={"thumb.png": b"\x89PNG", "notes/one.txt": b""}, title="Walk")
    head = header(path)
    assert head["format"] == "qmlstudio-session"
    assert head["version"] == 1
    assert head["title"] == "Walk"
    assert head["application"].startswith("QML Studio ")
    assert head["session"] == {"a": 1}
    assert load_files(path) == {"thumb.png": b"\x89PNG", "notes/one.txt": b""}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "session.json"


def test_members_are_plain_numpy_files(path: Path) -> None:
    save(path, {}, {"a/b": np.arange(4)})
    with zipfile.ZipFile(path) as archive:
        np.testing.assert_array_equal(np.load(io.BytesIO(archive.read("arrays/a/b.npy"))), np.arange(4))


# -- what cannot be saved


@pytest.mark.parametrize(
    ("document", "arrays", "error"),
    [
        ({"x": object()}, {}, TypeError),
        ({}, {"a": np.array([None], dtype=object)}, TypeError),
        ({}, {"../evil": np.zeros(1)}, ValueError),
        ({}, {"/root": np.zeros(1)}, ValueError),
        ({}, {"": np.zeros(1)}, ValueError),
        ({}, {"a//b": np.zeros(1)}, ValueError),
    ],
)
def test_what_cannot_be_stored_touches_nothing(
    path: Path, document: dict[str, Any], arrays: dict[str, Any], error: type[Exception]
) -> None:
    save(path, {"old": 1})
    with pytest.raises(error):
        save(path, document, arrays)
    assert load(path)[0] == {"old": 1}
    assert os.listdir(path.parent) == [path.name]


def test_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(path, {"old": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"walk\.qmls.*No space left.*make room") as caught:
        save(path, {"new": 1})
    assert caught.value.path == path
    assert isinstance(caught.value, DataError)
    assert load(path)[0] == {"old": 1}
    assert os.listdir(path.parent) == [path.name]


def test_missing_folder_and_folder_as_goal(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="folder does not exist"):
        save(tmp_path / "none" / "a.qmls", {})
    with pytest.raises(StorageError, match="another folder"):
        save(tmp_path, {})
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX systems")
def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    real = tmp_path / "real.qmls"
    save(real, {"a": 1})
    real.chmod(0o600)
    link = tmp_path / "link.qmls"
    link.symlink_to(real)
    save(link, {"a": 2})
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert load(real)[0] == {"a": 2}


# -- what cannot be read


def rewritten(path: Path, change: dict[str, bytes | None]) -> None:
    """Replace (or, for None, leave out) members of the archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, **change}.items():
            if data is not None:
                archive.writestr(name, data)


def with_header(path: Path, **values: Any) -> None:
    rewritten(path, {"session.json": json.dumps({**header(path), **values}).encode()})


def expect(path: Path, pattern: str) -> None:
    with pytest.raises(StorageError, match=pattern) as caught:
        load(path)
    text = str(caught.value)
    assert str(path) in text, "names the file"
    assert " → " in text, "says what to do"
    assert "\n" not in text


@pytest.fixture
def good(path: Path) -> Path:
    save(path, {"a": 1}, {"x": np.arange(1000.0), "t": np.array(["abc"] * 50)}, files={"f": b"bytes"})
    return path


def test_no_file(path: Path) -> None:
    expect(path, "cannot be read: No such file")


def test_folder(tmp_path: Path) -> None:
    expect(tmp_path, "cannot be read")


def test_empty_file(path: Path) -> None:
    path.write_bytes(b"")
    expect(path, "empty")


def test_not_a_zip(path: Path) -> None:
    path.write_text("3\nwater\nO 0 0 0\n")
    expect(path, "not a session file")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.999])
def test_truncated(good: Path, kept: float) -> None:
    data = good.read_bytes()
    good.write_bytes(data[: int(len(data) * kept)])
    expect(good, "truncated")


def test_every_flipped_byte_is_noticed_or_harmless(good: Path) -> None:
    """Whichever byte is damaged, the file loads as it was or is refused: never other numbers, never another error."""
    data = bytearray(good.read_bytes())
    expected = load(good)
    refused = 0
    # NumPy's headers byte by byte: they are parsed before the checksum at the member's end is seen
    headers = [i + k for i in range(len(data)) if data.startswith(b"\x93NUMPY", i) for k in range(140)]
    positions = sorted({*range(0, len(data), 7), *headers})
    for position in positions:
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        good.write_bytes(damaged)
        try:
            document, arrays = load(good)
        except StorageError:
            refused += 1
            continue
        assert document == expected[0]
        for name, array in expected[1].items():
            np.testing.assert_array_equal(arrays[name], array)
    assert refused > len(positions) * 0.9


def test_another_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    expect(path, r"no session\.json")


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"format": "other", "session": {}}', b"\xff\xfe"])
def test_another_header(good: Path, text: bytes) -> None:
    rewritten(good, {"session.json": text})
    expect(good, r"session\.json")


def test_newer_version(good: Path) -> None:
    with_header(good, version=99, application="QML Studio 7.0")
    expect(good, r"QML Studio 7\.0 as version 99.*update QML Studio")


@pytest.mark.parametrize("version", ["1", 0, None, -3, 1.5])
def test_unknown_version(good: Path, version: Any) -> None:
    with_header(good, version=version)
    expect(good, "unknown version")


def test_missing_member(good: Path) -> None:
    rewritten(good, {"arrays/x.npy": None})
    expect(good, r"arrays/x\.npy is missing")


def test_damaged_lists(good: Path) -> None:
    with_header(good, arrays={"x": 1})
    expect(good, "list of arrays")


def npy(array: np.ndarray[Any, Any], *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def test_pickles_are_refused(good: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(good.parent / "trapped"),))

    rewritten(good, {"arrays/x.npy": npy(np.array([Trap()], dtype=object), pickled=True)})
    expect(good, "Python objects")
    assert not (good.parent / "trapped").exists()


def test_header_that_announces_too_much_asks_for_no_memory(good: Path) -> None:
    data = npy(np.zeros(3)).replace(b"(3,)", b"(99999999999999,)")
    rewritten(good, {"arrays/x.npy": data})
    expect(good, "damaged")


@pytest.mark.parametrize(
    "data", [npy(np.arange(9.0))[:-1], npy(np.arange(9.0)) + b"more", b"", b"\x93NUMPY\x09\x00", b"no array at all"]
)
def test_member_that_is_no_array(good: Path, data: bytes) -> None:
    rewritten(good, {"arrays/x.npy": data})
    expect(good, r"arrays/x\.npy is damaged")


# -- older versions


def test_migration(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(document: storage.Document, arrays: storage.Arrays) -> tuple[storage.Document, storage.Arrays]:
        return {"b": document["a"]}, {"y": arrays["x"]}

    def double(document: storage.Document, arrays: storage.Arrays) -> tuple[storage.Document, storage.Arrays]:
        return {"b": 2 * document["b"]}, arrays

    monkeypatch.setattr(storage, "VERSION", 3)
    monkeypatch.setattr(storage, "MIGRATIONS", {1: rename, 2: double})
    document, arrays = load(good)
    assert document == {"b": 2}
    assert list(arrays) == ["y"]
    save(good, document, arrays)
    assert header(good)["version"] == 3
    assert load(good)[0] == {"b": 2}


def test_failing_migration_is_told(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "VERSION", 2)
    expect(good, "version 1 could not be brought up to date")


def test_every_older_version_has_a_migration() -> None:
    assert sorted(storage.MIGRATIONS) == list(range(1, storage.VERSION))


# -- killed in the middle


SAVER = """
import sys
import numpy as np
from qmlstudio.session.storage import save

path = sys.argv[1]
arrays = [np.full(300_000, float(k)) for k in range(8)]
print("ready", flush=True)
k = int(sys.argv[2])
while True:
    k += 1
    save(path, {"k": k}, {"a": arrays[k % 8], "b": arrays[k % 8][:1000]})
"""


@pytest.mark.slow
def test_kill_during_a_save_leaves_a_whole_file(path: Path) -> None:
    save(path, {"k": 0}, {"a": np.zeros(300_000), "b": np.zeros(1000)})
    chance = random.Random(7)
    last, seen, leftovers = 0, set(), 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(path), str(last)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        process.wait()
        process.stdout.close()
        document, arrays = load(path)
        k = document["k"]
        assert k >= last, "an older state never comes back"
        assert (arrays["a"] == k % 8).all()
        assert (arrays["b"] == k % 8).all()
        assert set(os.listdir(path.parent)) >= {path.name}
        leftovers += len(os.listdir(path.parent)) - 1
        last = k
        seen.add(k)
    assert len(seen) > 1, "no save ever succeeded"
    assert leftovers > 0, "no save was ever interrupted"
    save(path, {"k": last + 1})
    assert os.listdir(path.parent) == [path.name], "what the killed ones left is removed by the next save"


@pytest.mark.skipif(os.name == "nt", reason="stops a process by a signal of POSIX systems")
def test_leftovers_of_the_living_stay(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as living:
        try:
            host = storage._host()
            alive = path.with_name(f".{path.name}.{host}-{living.pid}-00000000.tmp")
            foreign = path.with_name(f".{path.name}.ffffffff-{living.pid}-00000000.tmp")
            other = path.with_name(f".other.qmls.{host}-{os.getpid()}-00000000.tmp")
            unrelated = path.with_name(".unrelated.tmp")
            ours = path.with_name(f".{path.name}.{host}-{os.getpid()}-00000000.tmp")
            for file in (alive, foreign, other, unrelated, ours):
                file.write_bytes(b"x")
            save(path, {})
            assert not ours.exists()
            assert all(file.exists() for file in (alive, foreign, other, unrelated))
            remove_leftovers(path.parent)
            assert not other.exists()
            assert all(file.exists() for file in (alive, foreign, unrelated))
            long_ago = time.time() - 10 * 86400
            os.utime(foreign, (long_ago, long_ago))
            save(path, {})
            assert not foreign.exists(), "of another machine: too old to be alive"
        finally:
            living.send_signal(signal.SIGKILL)
    save(path, {})
    assert not alive.exists()


# -- data sets


def example() -> Dataset:
    structures = Structures.from_lists(
        [[8, 1, 1], [2], [11, 17]],
        [RNG.normal(size=(3, 3)), np.zeros((1, 3)), RNG.normal(size=(2, 3))],
        [None, None, np.eye(3) * 5.6],
    )
    return Dataset(
        "three",
        structures,
        {
            "gap / x": Property(np.array([1.0, np.nan, 3.0]), unit="eV", description="Lücke"),
            "smiles": Property(np.array(["O", "[He]", ""])),
            "forces": Property(RNG.normal(size=(6, 3)), target="atom", unit="eV/Å"),
        },
        np.array(["water", "helium", "salt"]),
        Source("", "xyz", "CC0", "pasted"),
        (Problem("pasted text", "bad", "mend", 3, 1),),
        ordered=True,
    )


@pytest.mark.parametrize("dataset", [example(), Dataset("none", Structures.from_lists([], []))], ids=["full", "empty"])
def test_data_set_comes_back(path: Path, dataset: Dataset) -> None:
    meta, arrays = dataset_to_arrays(dataset)
    save(path, {"dataset": meta}, {**arrays, "map/points": np.zeros((3, 2))})
    document, stored = load(path)
    back = dataset_from_arrays(document["dataset"], stored)
    assert back.fingerprint == dataset.fingerprint
    assert (back.name, back.source, back.problems, back.ordered) == (
        dataset.name,
        dataset.source,
        dataset.problems,
        dataset.ordered,
    )
    assert list(back.properties) == list(dataset.properties), "in the same order"
    for name, p in dataset.properties.items():
        other = back.properties[name]
        assert (other.target, other.unit, other.description) == (p.target, p.unit, p.description)
        np.testing.assert_array_equal(other.values, p.values)
    np.testing.assert_array_equal(back.structures.positions, dataset.structures.positions)
    if dataset.structures.cells is None:
        assert back.structures.cells is None
    else:
        np.testing.assert_array_equal(back.structures.cells, dataset.structures.cells)


def test_two_data_sets_in_one_file(path: Path) -> None:
    one, two = example(), Dataset("he", Structures.from_lists([[2]], [np.zeros((1, 3))]))
    (meta1, arrays1), (meta2, arrays2) = dataset_to_arrays(one), dataset_to_arrays(two, "other")
    save(path, {"all": [meta1, meta2]}, {**arrays1, **arrays2})
    document, arrays = load(path)
    back = [dataset_from_arrays(meta, arrays) for meta in document["all"]]
    assert [d.fingerprint for d in back] == [one.fingerprint, two.fingerprint]


def test_incomplete_or_altered_data_set_is_refused() -> None:
    meta, arrays = dataset_to_arrays(example())
    altered = {**arrays, "dataset/positions": arrays["dataset/positions"] + 1e-9}
    with pytest.raises(ValueError, match="fingerprint"):
        dataset_from_arrays(meta, altered)
    for name in arrays:
        if name != "dataset/cells":
            with pytest.raises(ValueError, match="incomplete"):
                dataset_from_arrays(meta, {k: v for k, v in arrays.items() if k != name})
    with pytest.raises(ValueError, match="fingerprint"):
        dataset_from_arrays(meta, {k: v for k, v in arrays.items() if k != "dataset/cells"})
    with pytest.raises(ValueError, match="incomplete"):
        dataset_from_arrays({k: v for k, v in meta.items() if k != "properties"}, arrays)
