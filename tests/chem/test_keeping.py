"""Data sets that are kept: known again by place and by content, made anew when anything changed, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.inputs import note, watched
from qmlstudio.chem.store import Keeper, keeping
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Cancelled, Progress

ROOT = Path(__file__).resolve().parents[2]


class Reader:
    """Reads files of one number, how many structures there are, and counts how often it does."""

    def __init__(self) -> None:
        self.count = 0
        self.beside: str | None = None

    def __call__(self, path: Path, progress: Progress = SILENT) -> Dataset:
        self.count += 1
        progress.check()
        note(path)
        n = int(path.read_text())
        if self.beside is not None:
            other = path.with_name(self.beside)
            note(other)
            n += 100 * int(other.read_text()) if other.exists() else 0
        structures = Structures.from_lists([[1]] * n, [np.full((1, 3), float(k)) for k in range(n)])
        problems = (Problem(str(path), "odd"),)
        return Dataset(path.stem, structures, source=Source(str(path), "numbers"), problems=problems)


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """One to whom everything is worth keeping."""
    monkeypatch.setattr(keeping, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(keeping, "WORTH_BYTES", 0)
    monkeypatch.setattr(keeping, "STREAMED_BYTES", 0)
    return Keeper(tmp_path / "sets")


def file(folder: Path, n: int, name: str = "a.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(str(n))
    return folder / name


def opened(keeper: Keeper, read: Reader, path: Path, options: str = "") -> Dataset:
    return keeper.open(f"{path}{options}", path, lambda progress: read(path, progress), SILENT)


def stores(keeper: Keeper) -> list[Path]:
    assert keeper.folder is not None
    return sorted(keeper.folder.glob("*.h5"))


def test_the_second_time_nothing_is_read(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 5)
    first = opened(keeper, read, path)
    second = opened(keeper, read, path)
    assert read.count == 1
    assert first.fingerprint == second.fingerprint == read(path).fingerprint
    assert second.source == first.source
    assert second.problems == first.problems
    assert len(stores(keeper)) == 1
    assert not keeper.trouble
    assert keeper.size == stores(keeper)[0].stat().st_size


def test_quick_reading_is_not_kept(tmp_path: Path) -> None:
    keeper, read, path = Keeper(tmp_path / "sets"), Reader(), file(tmp_path, 5)
    for _ in range(2):
        assert len(opened(keeper, read, path)) == 5
    assert read.count == 2
    assert not (tmp_path / "sets").exists()


def test_the_content_decides(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 5)
    opened(keeper, read, path)
    os.utime(path, ns=(1, 1))  # touched, not changed
    assert len(opened(keeper, read, path)) == 5
    assert read.count == 1
    path.write_text("7")
    assert len(opened(keeper, read, path)) == 7
    assert read.count == 2
    # the same size and another content at the same time of another file
    path.write_text("5")
    assert len(opened(keeper, read, path)) == 5
    assert read.count == 2


def test_a_copy_is_known_under_its_own_place(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path / "one", 5)
    opened(keeper, read, path)
    copy = file(tmp_path / "two", 5)
    for _ in range(2):
        found = opened(keeper, read, copy)
        assert read.count == 1
        assert found.source.path == str(copy)
        assert found.problems[0].where == str(copy)
        assert found.fingerprint == opened(keeper, read, path).fingerprint
    other = file(tmp_path / "two", 5, "b.txt")  # its set has another name
    assert opened(keeper, read, other).name == "b"
    assert read.count == 2


def test_options_are_part_of_it(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 5)
    for options in ("", "#every=2", "#every=3", "#every=2"):
        opened(keeper, read, path, options)
    assert read.count == 3
    assert len(stores(keeper)) == 3


def test_files_beside_it_count(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path / "one", 5)
    read.beside = "more.txt"
    assert len(opened(keeper, read, path)) == 5
    beside = file(tmp_path / "one", 1, "more.txt")  # it was not there before
    assert len(opened(keeper, read, path)) == 105
    assert len(opened(keeper, read, path)) == 105
    assert read.count == 2
    beside.write_text("2")
    assert len(opened(keeper, read, path)) == 205
    # the first file alone is not the same set
    assert len(opened(keeper, read, file(tmp_path / "two", 5))) == 5
    assert read.count == 4
    assert len(opened(keeper, read, path)) == 205


def test_folders_are_known_by_what_is_in_them(tmp_path: Path, keeper: Keeper) -> None:
    folder = file(tmp_path / "set" / "deep", 5).parent.parent
    count = [0]

    def read(progress: Progress) -> Dataset:
        count[0] += 1
        return Reader()(folder / "deep" / "a.txt")

    for _ in range(2):
        keeper.open(str(folder), folder, read, SILENT)
    assert count == [1]
    file(folder, 1, "new.txt")
    keeper.open(str(folder), folder, read, SILENT)
    assert count == [2]


def test_another_version_reads_anew(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    read, path = Reader(), file(tmp_path, 5)
    opened(keeper, read, path)
    monkeypatch.setattr(keeping, "version", lambda: "another")
    opened(keeper, read, path)
    assert read.count == 2
    assert keeping.version() == "another"


@pytest.mark.parametrize("damage", ["cut", "gone", "entry", "other entry", "empty entry"])
def test_damage_is_mended(tmp_path: Path, keeper: Keeper, damage: str) -> None:
    read, path = Reader(), file(tmp_path, 5)
    first = opened(keeper, read, path).fingerprint
    (store,) = stores(keeper)
    entries = list(store.parent.glob("*.json"))
    if damage == "cut":
        store.write_bytes(store.read_bytes()[:-100])
    elif damage == "gone":
        store.unlink()
    for entry in entries if "entry" in damage else ():
        entry.write_text({"entry": "{", "other entry": "[1]", "empty entry": "{}"}[damage])
    assert opened(keeper, read, path).fingerprint == first
    assert read.count == 2
    assert opened(keeper, read, path).fingerprint == first
    assert read.count == 2
    assert len(stores(keeper)) == 1


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path: Path, keeper: Keeper) -> None:
    path = file(tmp_path, 5)

    def read(progress: Progress) -> Dataset:
        data = Reader()(path)
        path.write_text("66")
        return data

    assert len(keeper.open(str(path), path, read, SILENT)) == 5
    assert not stores(keeper)


def test_those_not_used_for_longest_go_first(tmp_path: Path, keeper: Keeper) -> None:
    read = Reader()
    paths = [file(tmp_path, 20 + k, f"{k}.txt") for k in range(4)]
    for k, path in enumerate(paths[:3]):
        opened(keeper, read, path)
        os.utime(max(stores(keeper), key=lambda p: p.stat().st_mtime), (k, k))
    opened(keeper, read, paths[0])  # used again: the second is the oldest now
    assert read.count == 3
    keeper.budget = keeper.size + 100
    opened(keeper, read, paths[3])
    assert len(stores(keeper)) == 3
    assert keeper.size <= keeper.budget
    opened(keeper, read, paths[0])
    opened(keeper, read, paths[2])
    assert read.count == 4
    opened(keeper, read, paths[1])
    assert read.count == 5
    # even without any budget the set that is being opened is not taken away
    keeper.budget = 0
    assert not stores(keeper)
    assert len(opened(keeper, read, paths[1])) == 21
    assert Keeper(keeper.folder).budget == 0
    assert len(stores(keeper)) == 1


def test_clearing_frees_all_and_harms_nobody(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 5)
    data = opened(keeper, read, path)
    keeper.budget = 10**9
    size = keeper.size
    assert keeper.clear() == size > 0
    assert keeper.size == 0
    assert [p.name for p in keeper.folder.iterdir()] == ["budget.json"]  # type: ignore[union-attr]
    assert data.structures.positions[4, 0] == 4.0
    assert len(opened(keeper, read, path)) == 5
    assert read.count == 2


def test_what_a_crash_left_is_removed(tmp_path: Path, keeper: Keeper) -> None:
    folder = keeper.folder
    assert folder is not None
    (folder / ".x.h5.1234.tmp").mkdir(parents=True)
    (folder / ".x.h5.1234.tmp" / "numbers").write_text("x")
    (folder / ".young.h5.1234.tmp").mkdir()
    os.utime(folder / ".x.h5.1234.tmp", (0, 0))
    keeper.trim()
    assert [p.name for p in folder.iterdir()] == [".young.h5.1234.tmp"]


def test_without_a_place_to_write_sets_open_all_the_same(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 5)
    (tmp_path / "sets").write_text("a file is in the way")
    for _ in range(2):
        assert len(opened(keeper, read, path)) == 5
    assert read.count == 2
    assert "cannot be kept" in keeper.trouble
    assert len(keeper.open(str(path), path, lambda p: read(path, p), SILENT, batches(path))) == 5
    assert keeper.size == 0
    keeper.clear()


def test_a_full_disk_does_no_harm(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    read, path = Reader(), file(tmp_path, 5)

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qmlstudio.chem.store.container.write", full)
    assert len(opened(keeper, read, path)) == 5
    assert "No space left" in keeper.trouble
    assert len(keeper.open("x", path, lambda p: read(path, p), SILENT, batches(path))) == 5
    assert not list(keeper.folder.iterdir())  # type: ignore[union-attr]


def test_off_means_off(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keeping.FOLDER, "off")
    keeper = Keeper()
    read, path = Reader(), file(tmp_path, 5)
    assert len(opened(keeper, read, path)) == 5
    assert (keeper.folder, keeper.size, keeper.clear()) == (None, 0, 0)
    keeper.budget = 5
    assert keeper.budget == keeping.BUDGET
    monkeypatch.setenv(keeping.FOLDER, str(tmp_path / "there"))
    assert keeper.folder == tmp_path / "there"


def batches(path: Path, size: int = 3) -> object:
    """Reads in parts; the last has a further problem."""

    def parts(progress: Progress) -> Iterator[Dataset]:
        data = Reader()(path, progress)
        for start in range(0, len(data), size):
            yield replace(data.take(slice(start, start + size)), problems=data.problems if start else ())

    return parts


def test_large_files_go_there_in_parts(tmp_path: Path, keeper: Keeper) -> None:
    read, path = Reader(), file(tmp_path, 8)
    for _ in range(2):
        data = keeper.open(str(path), path, lambda p: read(path, p), SILENT, batches(path))  # type: ignore[arg-type]
        assert read.count == 0
        assert data.structures.positions[:, 0].tolist() == list(range(8))
        assert data.source.path == str(path)
        assert len(data.problems) == 2
    assert len(stores(keeper)) == 1
    # a file without anything is for its reader to refuse
    empty = file(tmp_path, 0, "empty.txt")
    assert len(keeper.open(str(empty), empty, lambda p: read(empty, p), SILENT, batches(empty))) == 0  # type: ignore[arg-type]
    assert read.count == 1


@pytest.mark.parametrize("error", [DataError("odd"), Cancelled()])
def test_errors_of_readers_leave_nothing(tmp_path: Path, keeper: Keeper, error: Exception) -> None:
    path = file(tmp_path, 8)

    def parts(progress: Progress) -> Iterator[Dataset]:
        yield Reader()(path)
        raise error

    def read(progress: Progress) -> Dataset:
        raise error

    for more in ((), (parts,)):
        with pytest.raises(type(error)):
            keeper.open(str(path), path, read, SILENT, *more)
        assert not keeper.folder.exists() or not list(keeper.folder.iterdir())  # type: ignore[union-attr]


def test_many_at_once(tmp_path: Path, keeper: Keeper) -> None:
    path = file(tmp_path, 50)
    expected = Reader()(path).fingerprint
    found: list[str] = []

    def work() -> None:
        mine = Keeper(keeper.folder)
        for _ in range(5):
            found.append(opened(mine, Reader(), path).fingerprint)
            mine.trim()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 30
    assert len(stores(keeper)) == 1


def test_two_processes_at_once(tmp_path: Path) -> None:
    xyz = tmp_path / "water.xyz"
    xyz.write_text("3\nx\nO 0 0 0\nH 0 0 1\nH 0 1 0\n" * 200)
    code = (
        "import sys; from qmlstudio.chem.store import keeping; keeping.WORTH_SECONDS = 0.0\n"
        "from qmlstudio.session.scripting import open_dataset\n"
        "print({open_dataset(sys.argv[1]).fingerprint for _ in range(20)})"
    )
    environment = {**os.environ, keeping.FOLDER: str(tmp_path / "sets"), "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(xyz)], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said) == 1
    assert len(list((tmp_path / "sets").glob("*.h5"))) == 1
    entries = [json.loads(p.read_text()) for p in (tmp_path / "sets").glob("*.json")]
    assert all("store" in e for e in entries)


def test_watching_is_for_its_own_thread() -> None:
    with watched() as files:
        note(Path("a"))
        with watched() as inner:
            note(Path("b"))
        thread = threading.Thread(target=note, args=(Path("c"),))
        thread.start()
        thread.join()
        note(Path("a"))
    note(Path("d"))
    assert list(files) == [Path("a")]
    assert list(inner) == [Path("b")]


def test_the_command_line_shows_and_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from qmlstudio.command_line import run as main

    monkeypatch.setenv(keeping.FOLDER, str(tmp_path / "sets"))
    monkeypatch.setattr(keeping, "WORTH_SECONDS", 0.0)
    keeper = Keeper()
    opened(keeper, Reader(), file(tmp_path, 5))
    assert main(["data", "cache", "--budget", "2"]) == 0
    assert f"{tmp_path / 'sets'}: 0 MiB of 2.0 GiB" in capsys.readouterr().out
    assert keeper.budget == 2 * 2**30
    assert keeper.size > 0
    assert main(["data", "cache", "--clear"]) == 0
    assert "freed" in capsys.readouterr().out
    assert keeper.size == 0
    monkeypatch.setenv(keeping.FOLDER, "off")
    assert main(["data", "cache"]) == 0
    assert "off" in capsys.readouterr().out
