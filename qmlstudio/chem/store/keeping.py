"""A folder of stored data sets: what took long to read once opens at once from then on.

The content of the files decides. An entry for each place says which files were read there, how large they were, when
they were changed and what their content was; where size and time are as they were, nothing is read. Else the content
is compared: a file that was copied, moved or touched is known again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.inputs import watched
from qmlstudio.chem.store.container import DamagedError
from qmlstudio.chem.store.files import SUFFIX, VERSION, StoreWriter, changed, open_store
from qmlstudio.progress import Progress

log = logging.getLogger("qmlstudio.store")

FOLDER = "QMLSTUDIO_STORE"
"""Environment variable: another folder for stored sets; "off" keeps none."""
BUDGET = 20 * 2**30
"""Bytes that stored sets may have altogether unless something else was chosen."""
WORTH_SECONDS = 1.0
"""Reading that takes less is not worth a file."""
WORTH_BYTES = 1 << 22
"""Size from which a file that is not known by its place is looked for by its content before it is read."""
STREAMED_BYTES = 1 << 26
"""Size from which files of a kind that can be read in batches should go into the store batch by batch."""
HASHED_BYTES = 1 << 30
"""Size up to which all of a file is hashed; of a larger one its time, its size and samples of its content."""
_SAMPLES = 64
_BLOCK = 1 << 20
_LEFT_SECONDS = 86_400.0

Read = Callable[[Progress], Dataset]
Batches = Callable[[Progress], Iterator[Dataset]]


@dataclass(frozen=True)
class Input:
    """A file or folder as it was when a set was read.

    Attributes
    ----------
    path : str
        As it was given: relative to the working folder, maybe.
    size, time : int
        Bytes and nanoseconds; -1 where there is none.
    digest : str
        Of the content; empty where there is none.
    """

    path: str
    size: int
    time: int
    digest: str

    @classmethod
    def of(cls, path: Path, progress: Progress) -> Input:
        """A file as it is now."""
        size, stamp = _status(path)
        return cls(str(path), size, stamp, _digest(path, progress) if size >= 0 else "")

    def is_current(self, progress: Progress) -> Input | None:
        """The same, with its new time, if the content is what it was; else None."""
        size, stamp = _status(Path(self.path))
        if (size, stamp) == (self.size, self.time):
            return self
        if size != self.size or size < 0:
            return None
        now = Input.of(Path(self.path), progress)
        return now if now.digest == self.digest else None


class Keeper:
    """Opens data sets, and keeps those that took long to read. Several processes may use the same folder.

    Parameters
    ----------
    folder : Path, optional
        Where to keep them; the user's cache folder when not given. No folder at all where :data:`FOLDER` says "off".
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder
        self.trouble = ""
        """Why sets could not be kept, for people; empty while all went well."""

    @property
    def folder(self) -> Path | None:
        """Where the stores are; None when none are kept."""
        if self._given is not None:
            return self._given
        chosen = os.environ.get(FOLDER, "")
        if chosen:
            return None if chosen == "off" else Path(chosen)
        import platformdirs

        return Path(platformdirs.user_cache_dir("qmlstudio", appauthor=False)) / "sets"

    # -- opening

    def open(
        self, place: str, main: Path | None, read: Read, progress: Progress, batches: Batches | None = None
    ) -> Dataset:
        """A data set from its store, or else read and then, if that took long, kept.

        Parameters
        ----------
        place : str
            As people and sessions name the set, options of reading included.
        main : Path or None
            The file or folder in which it is; None for what has another kind of name.
        read : callable
            Reads the set into memory.
        batches : callable, optional
            Yields it in parts: it goes into the store that way, and never has to fit into memory.

        Raises
        ------
        DataError, Cancelled
            As `read`.
        """
        folder = self.folder
        if folder is None:
            return read(progress)
        key = _hash(place, os.path.abspath(main) if main is not None else "", version())
        known = self._by_place(folder, key, main, progress)
        size, stamp = _status(main) if main is not None and main.is_file() else (-1, -1)
        if known is None and main is not None and size >= WORTH_BYTES:
            known = self._by_content(folder, key, place, main, progress)
        if known is not None:
            progress(1.0)
            return known
        began = time.monotonic()
        with watched() as files:
            if batches is not None:
                stored = self._streamed(folder, key, place, main, batches, files, progress)
                if stored is not None:
                    return stored
            files.clear()
            dataset = read(progress.part(0.0, 0.9))
        if time.monotonic() - began < WORTH_SECONDS:
            progress(1.0)
            return dataset
        try:
            inputs = self._inputs(main, files, progress.part(0.9, 0.95))
            if size >= 0 and (inputs[0].size, inputs[0].time) != (size, stamp):
                return dataset  # it was written to meanwhile
            name = _store_name(inputs, place, main)
            with StoreWriter(folder / name) as writer:
                writer.append(dataset)
                writer.finish(progress.part(0.95, 1.0))
            self._note(folder, key, place, main, inputs, name)
            stored = open_store(folder / name)
        except (OSError, DamagedError) as error:
            self._failed(error)
            return dataset
        self.trim(name)
        return stored

    def _streamed(
        self,
        folder: Path,
        key: str,
        place: str,
        main: Path | None,
        batches: Batches,
        files: dict[Path, None],
        progress: Progress,
    ) -> Dataset | None:
        """Read batch by batch into a store; None when none can be written."""
        before = _status(main) if main is not None else None
        try:
            writer = StoreWriter(folder / f"{key}{SUFFIX}")
        except OSError as error:
            self._failed(error)
            return None
        with writer:
            for batch in batches(progress.part(0.0, 0.7)):
                try:
                    writer.append(batch)
                except OSError as error:
                    self._failed(error)
                    return None
            inputs = self._inputs(main, files, progress.part(0.7, 0.75))
            if not len(writer) or (before is not None and (inputs[0].size, inputs[0].time) != before):
                return None  # nothing in it, or it was written to meanwhile
            name = _store_name(inputs, place, main)
            try:
                writer.finish(progress.part(0.75, 1.0), folder / name)
                self._note(folder, key, place, main, inputs, name)
                stored = open_store(folder / name)
            except (OSError, DamagedError) as error:
                self._failed(error)
                return None
        self.trim(name)
        return stored

    def _failed(self, error: Exception) -> None:
        self.trouble = self.trouble or f"Data sets cannot be kept for opening them quickly: {error}"
        log.warning("a data set was not kept: %s", error)

    # -- entries

    def _by_place(self, folder: Path, key: str, main: Path | None, progress: Progress) -> Dataset | None:
        entry = _entry(folder / f"{key}.json")
        if entry is None:
            return None
        try:
            inputs = [Input(*i) for i in entry["inputs"]]
            name, old = str(entry["store"]), str(entry["main"])
        except (KeyError, TypeError):
            return None
        now = []
        for i in inputs:
            found = i.is_current(progress)
            if found is None:
                return None
            now.append(found)
        dataset = self._opened(folder, name)
        if dataset is not None and now != inputs:
            with contextlib.suppress(OSError):
                _write(folder / f"{key}.json", {**entry, "inputs": [_row(i) for i in now]})
        return dataset if dataset is None or main is None else _moved(dataset, old, str(main))

    def _by_content(self, folder: Path, key: str, place: str, main: Path, progress: Progress) -> Dataset | None:
        """A file that is known from elsewhere, with all that was read beside it."""
        if main.is_dir():
            return None
        progress(0.0, "Looking whether it is known")
        first = Input.of(main, progress)
        entry = _entry(folder / f"{_content_key(first, place, main)}.json")
        if entry is None:
            return None
        try:
            inputs = [first]
            for relative, digest in entry["others"]:
                other = Input.of(main.parent / relative, progress)
                if other.digest != digest:
                    return None
                inputs.append(other)
            name, old = str(entry["store"]), str(entry["main"])
        except (KeyError, TypeError, ValueError):
            return None
        dataset = self._opened(folder, name)
        if dataset is None:
            return None
        with contextlib.suppress(OSError):
            _write(folder / f"{key}.json", {"inputs": [_row(i) for i in inputs], "store": name, "main": old})
        return _moved(dataset, old, str(main))

    def _opened(self, folder: Path, name: str) -> Dataset | None:
        path = folder / name
        try:
            dataset = open_store(path)
        except FileNotFoundError:
            return None
        except (DamagedError, OSError) as error:
            log.warning("a stored data set is made anew: %s", error)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: those not used for longest go first
        return dataset

    def _inputs(self, main: Path | None, files: dict[Path, None], progress: Progress) -> list[Input]:
        if main is not None and main.is_dir():
            return [Input.of(main, progress)]
        paths = [*([main] if main is not None else []), *files]
        seen: dict[str, Path] = {}
        for path in paths:
            seen.setdefault(os.path.abspath(path), path)
        return [Input.of(path, progress) for path in seen.values()]

    def _note(self, folder: Path, key: str, place: str, main: Path | None, inputs: list[Input], name: str) -> None:
        old = "" if main is None else str(main)
        _write(folder / f"{key}.json", {"inputs": [_row(i) for i in inputs], "store": name, "main": old})
        if main is None or main.is_dir():
            return
        others = []
        for i in inputs[1:]:
            try:
                others.append([os.path.relpath(i.path, main.parent), i.digest])
            except ValueError:  # on another drive
                return
        entry = {"others": others, "store": name, "main": old}
        _write(folder / f"{_content_key(inputs[0], place, main)}.json", entry)

    # -- the folder

    @property
    def size(self) -> int:
        """Bytes that all stored sets have on disk."""
        return sum(size for _, size, _ in self._stores())

    @property
    def budget(self) -> int:
        """Bytes that they may have. It is kept in the folder, so that all who use it agree."""
        folder = self.folder
        entry = _entry(folder / "budget.json") if folder is not None else None
        value = entry.get("bytes") if entry is not None else None
        return value if isinstance(value, int) and value >= 0 else BUDGET

    @budget.setter
    def budget(self, budget: int) -> None:
        folder = self.folder
        if folder is None or budget == self.budget:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / "budget.json", {"bytes": max(int(budget), 0)})
        except OSError as error:
            self._failed(error)
        self.trim()

    def trim(self, keep: str = "") -> None:
        """Remove what was not used for longest until the rest fits the budget, and what crashes left behind.

        Parameters
        ----------
        keep : str
            Name of a store that stays whatever its size: somebody is about to use it.
        """
        folder = self.folder
        if folder is None:
            return
        stores = sorted(self._stores())
        total, budget = sum(size for _, size, _ in stores), self.budget
        for _, size, path in stores:
            if total <= budget:
                break
            if path.name != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                    total -= size
        now = time.time()
        for path in folder.glob(".*.tmp"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > _LEFT_SECONDS:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        for path in folder.glob("*.json"):
            entry = _entry(path)
            if path.name != "budget.json" and not (entry and (folder / str(entry.get("store", ""))).is_file()):
                with contextlib.suppress(OSError):
                    path.unlink()

    def clear(self) -> int:
        """Remove all stored sets; the bytes that this frees. Sets that are open stay usable."""
        freed = 0
        for _, size, path in self._stores():
            with contextlib.suppress(OSError):
                path.unlink()
                freed += size
        self.trim()
        return freed

    def _stores(self) -> list[tuple[float, int, Path]]:
        """When they were used last, their bytes and paths."""
        folder = self.folder
        found = []
        for path in folder.glob(f"*{SUFFIX}") if folder is not None else ():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


@cache
def version() -> str:
    """Changes with everything that decides what is read of the same file: the program's version, and its readers."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        number = installed("qmlstudio")
    except PackageNotFoundError:
        number = ""
    h = hashlib.blake2b(f"{VERSION} {number}".encode(), digest_size=12)
    here = Path(__file__).resolve().parents[1]
    # in a frozen program there are no sources: there the number says all
    for path in sorted([*here.glob("*.py"), *here.glob("readers/*.py"), *here.glob("store/*.py")]):
        h.update(path.name.encode() + path.read_bytes())
    return h.hexdigest()


def _moved(dataset: Dataset, old: str, new: str) -> Dataset:
    """The set as it would have been read where its file lies now."""
    if old == new or not old:
        return dataset
    source = replace(dataset.source, path=dataset.source.path.replace(old, new))
    problems = tuple(replace(p, where=p.where.replace(old, new)) for p in dataset.problems)
    return changed(dataset, source=source, problems=problems)


def _store_name(inputs: list[Input], place: str, main: Path | None) -> str:
    parts = [i.digest for i in inputs]
    return _hash(*parts, _options(place, main), version()) + SUFFIX


def _content_key(first: Input, place: str, main: Path) -> str:
    return _hash("content", first.digest, _options(place, main), version())


def _options(place: str, main: Path | None) -> str:
    """What of a place does not depend on where the file lies: its name, since that names the set, and the options."""
    if main is None:
        return place
    return main.name + place[place.rfind(main.name) + len(main.name) :] if main.name in place else place


def _hash(*texts: str) -> str:
    h = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


def _status(path: Path) -> tuple[int, int]:
    """Size and time of a file; (-1, -1) where there is none. A folder has what is in it."""
    try:
        status = path.stat()
        if path.is_dir():
            found = [p.stat() for p in path.rglob("*")]
            return sum(s.st_size for s in found), max([s.st_mtime_ns for s in found], default=0) + len(found)
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _digest(path: Path, progress: Progress) -> str:
    """Hash of a file's content, or of the names, sizes and times of all that is in a folder."""
    h = hashlib.blake2b(digest_size=16)
    if path.is_dir():
        for p in sorted(path.rglob("*")):
            status = p.stat()
            h.update(
                f"{p.relative_to(path)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode("utf-8", "surrogatepass")
            )
        return h.hexdigest()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > HASHED_BYTES:
            h.update(f"{size} {os.fstat(file.fileno()).st_mtime_ns}".encode())
            for k in range(_SAMPLES):
                file.seek((size - _BLOCK) * k // (_SAMPLES - 1))
                h.update(file.read(_BLOCK))
                progress.check()
            return h.hexdigest()
        while part := file.read(_BLOCK):
            h.update(part)
            progress.check()
    return h.hexdigest()


def _row(i: Input) -> list[Any]:
    return [i.path, i.size, i.time, i.digest]


def _entry(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, data: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(json.dumps(data), "utf-8")
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
