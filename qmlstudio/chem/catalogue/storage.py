"""Where fetched data sets are, what is there, and how they are opened."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from qmlstudio.chem.builtin import CATALOGUE_PREFIX, QM9_PREFIX
from qmlstudio.chem.catalogue.entries import ENTRIES, entry
from qmlstudio.chem.catalogue.model import DownloadError, Entry, Patience, RemoteFile, size_text
from qmlstudio.chem.catalogue.records import is_here, part_path, verify
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.progress import SILENT, Progress

State = Literal["built in", "here", "part", "absent", "elsewhere"]
"""Comes with the program; fetched; fetched in part; can be fetched; has no direct download."""
FOLDER_VARIABLE = "QMLSTUDIO_DATASETS"
"""The environment's choice of the folder."""
_COPY = 1 << 20


def folder() -> Path:
    """Where data sets are kept, one folder each: the environment's QMLSTUDIO_DATASETS, else the user's data folder."""
    chosen = os.environ.get(FOLDER_VARIABLE, "")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("qmlstudio", appauthor=False)) / "datasets"


def folder_of(entry: Entry, root: Path | None = None) -> Path:
    """Where the files of one data set are, or would be."""
    return (root or folder()) / entry.name


def state(entry: Entry, root: Path | None = None) -> State:
    """What is there of a data set. Looks at names and sizes only: quick, and no network."""
    if entry.local:
        if entry.local != QM9_PREFIX:
            return "built in"
        return "here" if find_spec("qm9pack") is not None else "elsewhere"
    if not entry.files:
        return "elsewhere"
    place = folder_of(entry, root)
    there = [is_here(place / file.name, file) and _is_unpacked(place, file) for file in entry.files]
    if all(there):
        return "here"
    begun = any(there) or any((place / f.name).exists() or part_path(place / f.name).exists() for f in entry.files)
    return "part" if begun else "absent"


def get(
    entry: Entry,
    root: Path | None = None,
    progress: Progress = SILENT,
    patience: Patience | None = None,
) -> list[Path]:
    """Fetch what is missing of a data set, and unpack it where it has to be.

    Parameters
    ----------
    entry : Entry
    root : Path, optional
        The folder of all data sets.
    progress : Progress
    patience : Patience, optional

    Returns
    -------
    list of Path
        What can be opened of it (all files, if the program reads none of them).

    Raises
    ------
    DownloadError
        See :func:`~qmlstudio.chem.catalogue.download.download`; also when there is no direct download.
    Cancelled
    """
    from qmlstudio.chem.catalogue.download import PATIENCE, download

    if not entry.files:
        remedy = f"see {entry.page}" if entry.page else entry.note
        raise DownloadError(Problem(entry.name, "it has no file that could be fetched", remedy))
    place = folder_of(entry, root)
    sizes = [float(file.expected or 0) for file in entry.files]
    mean = sum(sizes) / max(sum(s > 0 for s in sizes), 1) or 1.0
    sizes = [size or mean for size in sizes]
    done = 0.0
    for file, size in zip(entry.files, sizes, strict=True):
        share = progress.part(done / sum(sizes), (done + size) / sum(sizes))
        low = 0.8 if file.unpack else 1.0
        path = download(file, place, share.part(0.0, low), patience or PATIENCE)
        if file.unpack and not _is_unpacked(place, file):
            _unpack(path, file, share.part(low, 1.0))
        done += size
    opened = openable(entry, root)
    return opened or [place / file.name for file in entry.files]


def openable(entry: Entry, root: Path | None = None) -> list[Path]:
    """Files, or the folder, of a data set that the program opens; empty when it is not there or not readable."""
    place = folder_of(entry, root)
    if "." in entry.opens:
        return [place] if place.is_dir() else []
    return [found for name in entry.opens for found in sorted(place.glob(name))]


def is_catalogue(path: str) -> bool:
    """Whether a path names a data set of the catalogue ("catalogue:NAME")."""
    return path.startswith(CATALOGUE_PREFIX)


def local_path(path: str, root: Path | None = None) -> str:
    """The path on this machine of "catalogue:NAME", with the options of reading that stand behind it.

    Raises
    ------
    DataError
        No such data set; it is not here (the text says how to get it); or the program does not read it.
    """
    name, mark, options = path.removeprefix(CATALOGUE_PREFIX).partition("#")
    found = entry(name)
    if found.local:
        return found.local
    there = state(found, root)
    if there == "elsewhere":
        remedy = f"its home page says how to get it: {found.page}"
        raise DataError(Problem(path, f"{found.title} has no direct download", remedy))
    if there != "here":
        remedy = f"“qmlstudio data get {found.name}”, or Data → Catalogue of data sets"
        raise DataError(Problem(path, f"{found.title} was not fetched yet", remedy))
    paths = openable(found, root)
    if not paths:
        text = f"the program does not read the files of {found.title}"
        raise DataError(Problem(path, text, f"they are in {folder_of(found, root)}"))
    return "\n".join(map(str, paths)) + (mark + options if options else "")


def entry_of(path: str | Path, root: Path | None = None) -> Entry | None:
    """The data set in whose folder a file lies; None for any other file."""
    try:
        name = Path(path).resolve().relative_to((root or folder()).resolve()).parts[0]
    except (ValueError, IndexError, OSError):
        return None
    return next((e for e in ENTRIES if e.name == name and e.files), None)


def credited(data: Dataset, path: str | Path) -> Dataset:
    """The data set with licence and reference from the catalogue, where its own file says neither."""
    found = None if data.source.licence and data.source.reference else entry_of(str(path).partition("\n")[0])
    if found is None:
        return data
    licence = data.source.licence or found.licence
    reference = data.source.reference or "; ".join(map(str, found.citations))
    return replace(data, source=replace(data.source, licence=licence, reference=reference))


def check(entry: Entry, root: Path | None = None, progress: Progress = SILENT) -> list[str]:
    """Read all files of a fetched data set again; what each agrees with. DownloadError for one that does not."""
    place = folder_of(entry, root)
    found = []
    for i, file in enumerate(entry.files):
        part = progress.part(i / len(entry.files), (i + 1) / len(entry.files))
        found.append(f"{file.name}: {verify(place / file.name, file, part)}")
    return found


# -- archives


def _listing(place: Path, file: RemoteFile) -> Path:
    return place / f".{file.name}.unpacked.json"


def _is_unpacked(place: Path, file: RemoteFile) -> bool:
    """Whether all members that were taken out are there, told by their sizes."""
    if not file.unpack:
        return True
    try:
        members = json.loads(_listing(place, file).read_text("utf-8"))
        return bool(members) and all((place / name).stat().st_size == size for name, size in members.items())
    except (OSError, ValueError, AttributeError):
        return False


def _unpack(path: Path, file: RemoteFile, progress: Progress) -> None:
    """Take the members that are wanted out of an archive, flat, into its folder."""
    place, members = path.parent, {}
    try:
        for name, size, stream, fraction in _members(path, file):
            if size > shutil.disk_usage(place).free:
                text = f"{size_text(size)} are needed in {place} to unpack {name}"
                raise DownloadError(Problem(file.name, text, "make room, then get it again: the archive is kept"))
            temporary = place / f"{name}.part"
            try:
                with temporary.open("wb") as out:
                    done = 0
                    while data := stream.read(_COPY):
                        out.write(data)
                        done += len(data)
                        progress(fraction, f"Unpacking {name}, {size_text(done)}")
                temporary.replace(place / name)
            finally:
                temporary.unlink(missing_ok=True)
            members[name] = done
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise DownloadError(Problem(str(path), f"cannot be unpacked: {error}", "remove it and get it again")) from error
    if not members:
        raise DownloadError(Problem(str(path), f"holds no {' or '.join(file.unpack)}", "look at the home page"))
    _listing(place, file).write_text(json.dumps(members), "utf-8")


def _members(path: Path, file: RemoteFile) -> Iterator[tuple[str, int, IO[bytes], float]]:
    """Name without folders, size, content and position in the archive of each member that is wanted."""

    def plain(member: str) -> str:
        name = PurePosixPath(member.replace("\\", "/")).name
        wanted = any(fnmatch.fnmatch(name, pattern) for pattern in file.unpack)
        return name if wanted and not name.startswith(".") else ""

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if not i.is_dir() and plain(i.filename)]
            for k, info in enumerate(infos):
                with archive.open(info) as stream:
                    yield plain(info.filename), info.file_size, stream, k / len(infos)
        return
    total = max(path.stat().st_size, 1)
    with path.open("rb") as raw, closing(tarfile.open(fileobj=raw, mode="r:*")) as tar:
        for member in tar:
            name = plain(member.name)
            content = tar.extractfile(member) if name and member.isfile() else None
            if content is not None:
                with content:
                    yield name, member.size, content, min(raw.tell() / total, 0.999)
