"""What stays beside a fetched file: how it came, and its checksum, against which it can be read again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from qmlstudio.chem.catalogue.model import CHUNK, Checksum, DownloadError, RemoteFile
from qmlstudio.chem.errors import Problem
from qmlstudio.progress import SILENT, Progress


@dataclass(frozen=True)
class Record:
    """What is known of a file that was fetched.

    Attributes
    ----------
    url : str
    size : int
    sha256 : str
    verified : str
        What it was checked against: "md5", …; "" for the first download of a file without a published checksum.
    when : float
        Seconds since 1970.
    """

    url: str
    size: int
    sha256: str
    verified: str
    when: float


def part_path(path: Path) -> Path:
    """Where the bytes go until all are there."""
    return path.with_name(path.name + ".part")


def record_path(path: Path) -> Path:
    """Where the :class:`Record` of a file is kept; it stays when the file is removed."""
    return path.with_name(f".{path.name}.record.json")


def read_record(path: Path) -> Record | None:
    """What was written when `path` was fetched; None when it never was, or that is unreadable."""
    try:
        found = json.loads(record_path(path).read_text("utf-8"))
        size, when = int(found["size"]), float(found["when"])
        return Record(str(found["url"]), size, str(found["sha256"]), str(found["verified"]), when)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Keep the record of a file, whole or not at all."""
    temporary = record_path(path).with_suffix(".tmp")
    temporary.write_text(json.dumps(vars(record)), "utf-8")
    os.replace(temporary, record_path(path))


def is_here(path: Path, file: RemoteFile) -> bool:
    """Whether the file is there as it was fetched, told by its size (its content was checked then)."""
    record = read_record(path)
    try:
        return record is not None and path.stat().st_size == record.size and file.size in (None, record.size)
    except OSError:
        return False


def verify(path: Path, file: RemoteFile, progress: Progress = SILENT) -> str:
    """Read a fetched file again and compare it with its checksums and its record.

    Returns
    -------
    str
        What it agrees with, for people.

    Raises
    ------
    DownloadError
        It is not there, or differs.
    """
    record = read_record(path)
    hashes = Hashes(file)
    try:
        with path.open("rb") as stream:
            hashes.read(stream, path.stat().st_size, progress, f"Checking {file.name}")
    except OSError as error:
        raise DownloadError(Problem(str(path), error.strerror or str(error), "get it again")) from error
    wrong = hashes.differing(file)
    if wrong is not None:
        text = f"its {wrong.kind} is not the published one"
        raise DownloadError(Problem(str(path), text, "remove it and get it again"))
    if record is not None and record.sha256 != hashes.sha256:
        raise DownloadError(Problem(str(path), "it was changed since it was fetched", "remove it and get it again"))
    if file.checksums:
        return " and ".join(c.kind for c in file.checksums) + " as published"
    return "SHA-256 as at its first download" if record is not None else "no checksum is published"


class Hashes:
    """SHA-256 and what else is published, over the bytes so far."""

    def __init__(self, file: RemoteFile) -> None:
        names = {"sha256", *(c.algorithm for c in file.checksums)}
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}

    def update(self, data: bytes) -> None:
        for each in self._hashes.values():
            each.update(data)

    def read(self, stream: BinaryIO, size: int, progress: Progress, message: str) -> None:
        """Take up `size` bytes of a file."""
        done = 0
        while done < size and (data := stream.read(min(4 * CHUNK, size - done))):
            self.update(data)
            done += len(data)
            progress(done / size, message)

    @property
    def sha256(self) -> str:
        return self._hashes["sha256"].hexdigest()

    def differing(self, file: RemoteFile) -> Checksum | None:
        """The first published checksum that is another one."""
        return next((c for c in file.checksums if self._hashes[c.algorithm].hexdigest() != c.hex), None)
