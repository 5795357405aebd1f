"""Files of SMILES lines of any length: GDB-11, GDB-13, GDB-17 and others, of which a random sample is taken."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.errors import Problem
from qmlstudio.chem.readers.batches import plain_stem
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.geometries import Row, build
from qmlstudio.chem.readers.line_sample import Readable, Sample, sample_lines
from qmlstudio.chem.readers.options import AUTOMATIC_SAMPLE, DEFAULT, ReadOptions
from qmlstudio.chem.readers.smiles import MOST_ROWS, SMILES_HEADINGS, smiles_rows
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Progress

HEEDS = frozenset({"sample", "every", "first"})

_MEMBERS = (".smi", ".smiles", ".smi.gz", ".smiles.gz")
_FOUND = re.compile(rb"^[^\0]+\.(smi|smiles)(\.gz)?\0", re.IGNORECASE)


def is_tar_of_smiles(head: bytes) -> bool:
    """Whether bytes begin as a tar archive does whose first file has lines of SMILES, by its name."""
    at = 0
    while head[at + 257 : at + 262] == b"ustar":
        if head[at + 156 : at + 157] != b"5":  # what is no folder
            return _FOUND.match(head[at : at + 100] + b"\0") is not None
        at += 512
    return False


class _Watched:
    """Passes bytes on and tells how far its stream is."""

    def __init__(self, file: Readable, stream: ByteStream, progress: Progress, message: str) -> None:
        self._file, self._stream = file, stream
        self._progress, self._message = progress, message

    def read(self, count: int, /) -> bytes:
        self._progress(self._stream.fraction(), self._message)
        return self._file.read(count)


def read_smiles_lines(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a file with a SMILES (and a name) on each line: all of a small one, a random sample of a large one.

    One pass, in memory for the sample alone. Geometries are made of what was taken.

    Raises
    ------
    DataError
        None of the SMILES can be used.
    """
    message = f"Reading {stream.path.name}"
    watched = _Watched(stream, stream, progress.part(0.0, 0.2), message)
    sample = _sampled(iter([watched]), stream, progress, options)
    return _dataset(sample, [""], stream, progress, options)


def read_tar_of_smiles(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read the files of SMILES lines of a tar archive (GDB-13) as if they were one; as :func:`read_smiles_lines`."""
    names: list[str] = []
    damage: list[str] = []
    message = f"Reading {stream.path.name}"

    def files() -> Iterator[Readable]:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
                for member in tar:
                    if not member.isfile() or not member.name.lower().endswith(_MEMBERS):
                        continue
                    opened: Any = tar.extractfile(member)
                    names.append(member.name.rpartition("/")[2])
                    if member.name.lower().endswith(".gz"):
                        opened = gzip.GzipFile(fileobj=opened)
                    yield _Forgiving(_Watched(opened, stream, progress.part(0.0, 0.2), message), damage)
        except _DAMAGE as error:
            damage.append(str(error))

    sample = _sampled(files(), stream, progress, options)
    return _dataset(sample, names, stream, progress, options, damage)


_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError)


class _Forgiving:
    """Ends where its file is damaged, and notes why."""

    def __init__(self, file: Readable, damage: list[str]) -> None:
        self._file, self._damage = file, damage

    def read(self, count: int, /) -> bytes:
        try:
            return self._file.read(count)
        except _DAMAGE as error:
            self._damage.append(str(error))
            return b""


def _sampled(files: Iterator[Readable], stream: ByteStream, progress: Progress, options: ReadOptions) -> Sample:
    # how many lines there are is known at the end: by then all of a small file are there
    size = MOST_ROWS if options.sample is None else options.sample
    sample = sample_lines(
        files, str(stream.path), progress, size, options.seed, options.every, options.first, SMILES_HEADINGS
    )
    return sample.thinned(AUTOMATIC_SAMPLE, options.seed) if options.sample is None and not sample.is_whole else sample


def _dataset(
    sample: Sample,
    names: list[str],
    stream: ByteStream,
    progress: Progress,
    options: ReadOptions,
    damage: list[str] | None = None,
) -> Dataset:
    where = str(stream.path)
    gathered = Gatherer(where)
    gathered.problems.append(stream.damage_problem())
    if damage and not stream.damage:
        remedy = "copy or download it again; what was read before is kept"
        gathered.problems.add(where, f"the archive is damaged: {damage[0]}", remedy)
    rows: list[Row] = []
    for (number, text), part in zip(sample.lines, sample.parts, strict=True):
        for row in smiles_rows([text]):
            row.line = number
            if len(names) > 1:
                row.values["file"] = names[part]
            rows.append(row)
    how = build(rows, gathered, progress.part(0.2, 1.0), options)
    source = Source(path=where, format=f"SMILES, {how}")
    data = gathered.dataset(plain_stem(stream.path.name), source, ("smiles", "file"))
    if sample.is_whole:
        return data
    text = f"{len(sample.lines):,} of {sample.total:,} molecules were taken at random (seed {options.seed})"
    remedy = f"open {stream.path.name}#sample=… for another number (0: all), &seed=… for others"
    return replace(data, problems=(Problem(where, text, remedy, is_notice=True), *data.problems))
