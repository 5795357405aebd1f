"""Session files (`.qmls`): a zip with ``session.json`` and arrays in NumPy's own format, written all or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio import __version__
from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Structures

Arrays = dict[str, NDArray[Any]]
Document = dict[str, Any]
Migration = Callable[[Document, Arrays], tuple[Document, Arrays]]

FORMAT = "qmlstudio-session"
VERSION = 1
"""Of the file. A reader opens its own and all earlier ones, through :data:`MIGRATIONS`."""
MIGRATIONS: dict[int, Migration] = {}
"""From each version to the next: ``MIGRATIONS[1]`` makes version 2's document and arrays out of version 1's."""

_HEADER = "session.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*(/[A-Za-z0-9_][A-Za-z0-9_. -]*)*")
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.tmp")
_STALE_SECONDS = 86400.0
_BLOCK = 1 << 20

_writing: set[Path] = set()
"""Temporary files that this process is writing now."""


class StorageError(DataError):
    """A session file could not be read or written; the text names the file, what is wrong and what to do."""

    def __init__(self, path: str | os.PathLike[str], message: str, remedy: str = "") -> None:
        self.path = Path(path)
        super().__init__(Problem(os.fspath(path), message, remedy))


# -- writing


def save(
    path: str | os.PathLike[str],
    document: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]] | None = None,
    *,
    files: Mapping[str, bytes] | None = None,
    title: str = "",
) -> None:
    """Write a session file. Whatever happens meanwhile, `path` is afterwards the old file or the new one, whole.

    It is written beside its goal under another name, flushed to the disk and renamed. What a killed process left of
    such a file is removed by the next save.

    Parameters
    ----------
    path : path
        A symbolic link is followed.
    document : dict
        Ready for JSON (NumPy's scalars are welcome); TypeError if not, before anything is touched.
    arrays : dict of name to array
        Any shape and type but Python objects. Names are words, with slashes between them as in "map/points".
    files : dict of name to bytes
        Anything else to carry along.
    title : str
        What people call it; see :func:`header`.

    Raises
    ------
    StorageError
        The folder cannot be written, the disk is full, another program holds the file.
    TypeError, ValueError
        `document`, an array or a name cannot be stored.
    """
    arrays, files = dict(arrays or {}), dict(files or {})
    for name in (*arrays, *files):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a name in a session file")
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    head = {
        "format": FORMAT,
        "version": VERSION,
        "application": f"QML Studio {__version__}",
        "saved": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "title": title,
        "arrays": sorted(plain),
        "files": sorted(files),
        "session": document,
    }
    text = json.dumps(head, indent=1, ensure_ascii=False, default=_plain).encode()
    with _replacing(path) as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        archive.writestr(_member(_HEADER, compress=True), text)
        for name, data in files.items():
            archive.writestr(_member(f"files/{name}", compress=True), data)
        for name, array in plain.items():
            # floats hardly shrink, and the window waits for big ones; texts and masks shrink tenfold in no time
            info = _member(f"arrays/{name}.npy", compress=array.dtype.kind in "bUS")
            with archive.open(info, "w", force_zip64=array.nbytes > 2**30) as target:
                np.lib.format.write_array(target, array, allow_pickle=False)


def _member(name: str, *, compress: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _plain(value: Any) -> Any:
    """NumPy's scalars and small arrays as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be stored in a session file")


@contextlib.contextmanager
def _replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of `path` once the block has ended well, in one step."""
    goal = Path(os.path.realpath(path))
    temporary = goal.with_name(f".{goal.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    _writing.add(temporary)
    try:
        remove_leftovers(goal.parent, goal.name)
        with open(temporary, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if goal.exists():
            shutil.copymode(goal, temporary)
        _rename(temporary, goal)
        _sync_folder(goal.parent)
    except OSError as error:
        raise StorageError(path, f"cannot be written: {error.strerror or error}", _remedy(error)) from error
    finally:
        temporary.unlink(missing_ok=True)
        _writing.discard(temporary)


def _rename(source: Path, goal: Path) -> None:
    """``os.replace``, patient where a virus scanner or an indexer holds the file for a moment (Windows)."""
    for wait in (0.05, 0.1, 0.2, 0.4, 0.8):
        try:
            os.replace(source, goal)
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(wait)
        else:
            return
    os.replace(source, goal)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut, where the system lets folders be opened."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some network file systems refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def remove_leftovers(folder: str | os.PathLike[str], name: str = "") -> None:
    """Remove what saves that were killed have left in `folder`; those of living processes stay.

    Parameters
    ----------
    folder : path
    name : str, optional
        Only what would have become the file of this name; otherwise any session file (``.qmls``).
    """
    for entry in Path(folder).glob(".*.tmp"):
        match = _TEMPORARY.fullmatch(entry.name)
        if match is None or entry in _writing:
            continue
        if match["name"] != name if name else not match["name"].endswith(".qmls"):
            continue
        with contextlib.suppress(OSError):
            old = time.time() - entry.stat().st_mtime > _STALE_SECONDS
            if old or (match["host"] == _host() and not _is_alive(int(match["pid"]))):
                entry.unlink()


def _is_alive(pid: int) -> bool:
    """Whether another process of that number runs. Our own files are known (`_writing`), so our number is no owner."""
    if pid == os.getpid():
        return False
    if os.name == "nt":
        return False  # an open file cannot be removed there: trying is safe, and os.kill would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remedy(error: OSError) -> str:
    if isinstance(error, (PermissionError, IsADirectoryError)):
        return "choose another folder, or close the program that holds the file"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "the folder does not exist: choose another"
    return "make room on the disk or save elsewhere; the file that was there is unchanged"


# -- reading


def load(path: str | os.PathLike[str]) -> tuple[Document, Arrays]:
    """Read a session file, checking every byte; nothing in it is ever executed.

    Returns
    -------
    document : dict
        As given to :func:`save`, migrated to this version if the file is older.
    arrays : dict of name to array

    Raises
    ------
    StorageError
        There is no such file, it is no session file, truncated, damaged, or of a newer version.
    """
    with _opened(path) as archive:
        head = _read_header(archive, path)
        arrays = {name: _read_array(archive, path, name) for name in _names(head, "arrays", path)}
    document = head["session"]
    for version in range(head["version"], VERSION):
        try:
            document, arrays = MIGRATIONS[version](document, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(
                path,
                f"its version {version} could not be brought up to date ({error!r})",
                "open it with an older release",
            ) from error
    return document, arrays


def load_files(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """The `files` of a session file; raises as :func:`load` does."""
    with _opened(path) as archive:
        names = _names(_read_header(archive, path), "files", path)
        return {name: _read_bytes(archive, path, f"files/{name}") for name in names}


def header(path: str | os.PathLike[str]) -> Document:
    """What a file says of itself, without its arrays: version, application, saved (ISO time), title, session.

    Raises as :func:`load` does. The session is as stored: not migrated.
    """
    with _opened(path) as archive:
        return _read_header(archive, path)


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    try:
        with open(path, "rb") as stream:
            start = stream.read(4)
            if not start:
                raise StorageError(path, "the file is empty", "open a backup or an autosave")
            if not start.startswith(b"PK"):
                raise StorageError(path, "this is not a session file", "a session file (.qmls) is a zip archive")
            try:
                archive = zipfile.ZipFile(stream)
            except (zipfile.BadZipFile, ValueError, NotImplementedError):
                raise StorageError(
                    path, "the file is truncated: its end is missing", "copy it again, or open a backup or an autosave"
                ) from None
            with archive:
                yield archive
    except OSError as error:
        remedy = "check its name" if isinstance(error, FileNotFoundError) else "check the folder and your permissions"
        raise StorageError(path, f"cannot be read: {error.strerror or error}", remedy) from error


def _read_header(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> Document:
    if _HEADER not in archive.namelist():
        raise StorageError(path, f"no {_HEADER} in it: this is another kind of zip file", "open a .qmls file")
    try:
        head = json.loads(_read_bytes(archive, path, _HEADER))
    except ValueError as error:
        raise StorageError(path, f"{_HEADER} is damaged: {error}", "open a backup or an autosave") from None
    if not isinstance(head, dict) or head.get("format") != FORMAT or not isinstance(head.get("session"), dict):
        raise StorageError(path, f"its {_HEADER} is not one of QML Studio", "open a .qmls file")
    version = head.get("version")
    if not isinstance(version, int) or version < 1:
        raise StorageError(path, f"unknown version {version!r}", "open a file saved by QML Studio")
    if version > VERSION:
        writer = head.get("application", "a newer release")
        raise StorageError(
            path, f"written by {writer} as version {version}; this release reads up to {VERSION}", "update QML Studio"
        )
    return head


def _names(head: Document, kind: str, path: str | os.PathLike[str]) -> list[str]:
    names = head.get(kind, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StorageError(path, f"its list of {kind} is damaged", "open a backup or an autosave")
    return names


@contextlib.contextmanager
def _reading(archive: zipfile.ZipFile, path: str | os.PathLike[str], member: str) -> Iterator[IO[bytes]]:
    """A member of the archive; whatever goes wrong with its bytes is a StorageError that names it."""
    try:
        with archive.open(member) as stream:
            yield stream
            # the checksum is compared where the member ends
            if stream.read(1):
                raise ValueError("more data than announced")
    except KeyError:
        raise StorageError(path, f"{member} is missing", "open a backup or an autosave") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib, numpy and tokenize have as many errors as there are kinds of damage
        raise StorageError(path, f"{member} is damaged: {error}", "copy it again, or open a backup") from error


def _read_bytes(archive: zipfile.ZipFile, path: str | os.PathLike[str], member: str) -> bytes:
    with _reading(archive, path, member) as stream:
        return stream.read()


def _read_array(archive: zipfile.ZipFile, path: str | os.PathLike[str], name: str) -> NDArray[Any]:
    member = f"arrays/{name}.npy"
    with _reading(archive, path, member) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"unknown array format {version}")
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        # memory is only asked for when the archive really has that much: a damaged header may announce anything
        expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if expected > archive.getinfo(member).file_size:
            raise ValueError(f"{expected} bytes announced, {archive.getinfo(member).file_size} stored")
        array: NDArray[Any] = np.empty(shape, dtype, order="F" if fortran else "C")
        if expected:
            # a transposed view of the same memory is contiguous in C's order, as bytes must be
            flat = (array.T if fortran else array).reshape(-1).view(np.uint8)
            done = 0
            while done < expected:
                block = stream.read(min(_BLOCK, expected - done))
                if not block:
                    raise ValueError(f"ends after {done} of {expected} bytes")
                flat[done : done + len(block)] = np.frombuffer(block, np.uint8)
                done += len(block)
        return array


# -- data sets


def dataset_to_arrays(dataset: Dataset, prefix: str = "dataset") -> tuple[Document, Arrays]:
    """A data set as JSON-able description and arrays, to be embedded in a session file when it has no file of its own.

    Parameters
    ----------
    dataset : Dataset
    prefix : str
        The arrays' names begin with it and a slash.
    """
    structures = dataset.structures
    arrays: Arrays = {
        f"{prefix}/numbers": structures.numbers,
        f"{prefix}/positions": structures.positions,
        f"{prefix}/offsets": structures.offsets,
        f"{prefix}/identifiers": dataset.identifiers,
    }
    if structures.cells is not None:
        arrays[f"{prefix}/cells"] = structures.cells
    described = []
    for i, (name, p) in enumerate(dataset.properties.items()):
        arrays[f"{prefix}/property_{i}"] = p.values
        described.append({"name": name, "target": p.target, "unit": p.unit, "description": p.description})
    meta = {
        "name": dataset.name,
        "prefix": prefix,
        "ordered": dataset.ordered,
        "fingerprint": dataset.fingerprint,
        "source": dataclasses.asdict(dataset.source),
        "problems": [dataclasses.asdict(p) for p in dataset.problems],
        "properties": described,
    }
    return meta, arrays


def dataset_from_arrays(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    """Inverse of :func:`dataset_to_arrays`; other arrays in the mapping are ignored.

    Raises
    ------
    ValueError
        Something is missing or does not fit, or the content is not what the fingerprint says.
    """
    try:
        prefix = meta["prefix"]
        structures = Structures(
            arrays[f"{prefix}/numbers"],
            arrays[f"{prefix}/positions"],
            arrays[f"{prefix}/offsets"],
            arrays.get(f"{prefix}/cells"),
        )
        properties = {
            p["name"]: Property(arrays[f"{prefix}/property_{i}"], p["target"], p["unit"], p["description"])
            for i, p in enumerate(meta["properties"])
        }
        dataset = Dataset(
            name=meta["name"],
            structures=structures,
            properties=properties,
            identifiers=arrays[f"{prefix}/identifiers"],
            source=Source(**meta["source"]),
            problems=tuple(Problem(**p) for p in meta["problems"]),
            ordered=bool(meta["ordered"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the embedded data set is incomplete: {error}") from error
    if dataset.fingerprint != meta["fingerprint"]:
        raise ValueError("the embedded data set is not what its fingerprint says")
    return dataset
