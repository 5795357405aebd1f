"""Many xyz or crystal files as one data set: a folder, tar or zip archive, list of files; and tables beside them."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers import columns, crystals
from qmlstudio.chem.readers.frames import Collector
from qmlstudio.chem.readers.known import meanings
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.qm9_tar import Qm9Files, is_qm9_file
from qmlstudio.chem.readers.streams import ByteStream, lines_of
from qmlstudio.chem.readers.tar import TarError, tar_members
from qmlstudio.chem.readers.xyz import Framer, finish, read_stream, stem_of
from qmlstudio.progress import SILENT, Progress

XYZ_ENDINGS = (".xyz", ".extxyz", ".exyz")
TABLE_ENDINGS = (".txt", ".dat", ".csv", ".tsv")
LARGEST_MEMBER = 1 << 31
"""Bytes of one file in an archive above which it is refused: it should be opened by itself."""

_KNOWN_TABLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "hof_qm7.txt": (
        ("atomization_energy_pbe0", "kcal/mol", "atomization energy, PBE0; negative when bound (QM7)"),
        ("atomization_energy_dftb", "kcal/mol", "atomization energy, DFTB; negative when bound (QM7)"),
    ),
}
"""Columns of tables that bear no headings but are well known, by file name."""


_QM9_NAME = re.compile(r"dsgdb9nsd_(\d{6})\.xyz")


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sorts "2.xyz" before "10.xyz"."""
    return tuple((0, int(t)) if t.isdecimal() else (1, t) for t in re.split(r"(\d{1,18})", name) if t)


def _natural_order(names: list[str]) -> list[int] | None:
    """The order of :func:`natural_key`; None when they are in it already."""
    first, last = min(names, default=""), max(names, default="")
    front = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    # numbers of one width: the usual case, told quickly
    numbered = len({len(n) for n in names}) == 1 and all(n[front:].partition(".")[0].isdecimal() for n in names)
    if numbered and all(a <= b for a, b in pairwise(names)):
        return None
    keys = [natural_key(n) for n in names]
    order = sorted(range(len(names)), key=keys.__getitem__)
    return None if order == list(range(len(names))) else order


def read_archive(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read the xyz files of a tar archive, compressed or not, in one pass.

    Raises
    ------
    DataError
        Not an archive, or none of its structures can be used.
    """
    where = str(stream.path)
    files = _Files(where, options)
    message = f"Reading {stream.path.name}"
    progress(0.0, message)
    try:
        for k, (name, data) in enumerate(tar_members(stream, files.wants)):
            if k % 32 == 0:
                progress(stream.fraction(), message)
            files.add(name, data)
    except TarError as error:
        text = f"the archive is damaged: {stream.damage or error}"
        files.collector.problems.add(where, text, "copy or download it again; what was read before is kept")
    else:
        files.collector.problems.append(stream.damage_problem())
    return files.finish(stem_of(stream.path.name))


def read_zip(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read the xyz files of a zip archive; DataError when none can be used."""
    where = str(stream.path)
    files = _Files(where, options)
    message = f"Reading {stream.path.name}"
    try:
        with zipfile.ZipFile(stream.path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and files.wants(m.filename, m.file_size)]
            for k, member in enumerate(members):
                if k % 32 == 0:
                    progress(k / len(members), message)
                files.add(member.filename, archive.read(member))
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError, RuntimeError, ValueError, KeyError) as error:
        text = f"the archive is damaged: {error}"
        files.collector.problems.add(where, text, "copy or download it again; what was read before is kept")
    return files.finish(stem_of(stream.path.name))


def read_folder(folder: Path, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read the xyz files of a folder and its subfolders; DataError when there are none or none can be used."""
    files = _Files(str(folder), options)
    names = [str(p.relative_to(folder)) for p in _walk(folder)]
    message = f"Reading {folder.name}"
    for k, name in enumerate(names):
        if k % 32 == 0:
            progress(k / len(names), message)
        path = folder / name
        try:
            size = path.stat().st_size
            if files.wants(name, size):
                files.add(name, path.read_bytes())
        except OSError as error:
            files.collector.problems.add(str(path), error.strerror or str(error), "check the file's permissions")
    return files.finish(folder.name)


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort(key=natural_key)
        yield from (Path(root) / name for name in sorted(names, key=natural_key))


def read_xyz_files(paths: Sequence[Path], progress: Progress = SILENT) -> Dataset:
    """Join several xyz files, each as large as it likes, into one data set in the given order."""
    collector = Collector()
    sizes = [max(p.stat().st_size, 1) if p.is_file() else 1 for p in paths]
    before, total = 0, sum(sizes)
    for path, size in zip(paths, sizes, strict=True):
        part = progress.part(before / total, (before + size) / total)
        try:
            with ByteStream(path) as stream:
                read_stream(stream, collector, part, stem_of(path.name))
        except DataError as error:
            collector.problems.append(error.problem)
        before += size
    name = stem_of(paths[0].name) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    return finish(collector, name, "\n".join(map(str, paths)))


class _Files:
    """Gathers the files of an archive or folder: xyz files are parsed at once, tables kept for the end."""

    def __init__(self, where: str, options: ReadOptions = DEFAULT) -> None:
        self.collector = Collector()
        self._where = where
        self._qm9 = Qm9Files(where, self.collector, options)
        self._names: list[str] = []
        self._tables: list[tuple[str, bytes]] = []
        self._seen: set[str] = set()
        self._crystals = 0

    def wants(self, name: str, size: int) -> bool:
        """Whether a file of that name and size is of use."""
        base = name.rpartition("/")[2]
        if base.startswith("."):
            return False
        stem, dot, ending = base.lower().rpartition(".")
        self._seen.add(dot + ending if stem else "")
        if size > LARGEST_MEMBER:
            self.collector.problems.add(
                f"{self._where}/{name}", "the file is too large", "unpack and open it by itself"
            )
            return False
        low = base.lower()
        return low.endswith(XYZ_ENDINGS + crystals.ENDINGS) or (low.endswith(TABLE_ENDINGS) and size < 1 << 28)

    def add(self, name: str, data: bytes) -> None:
        """Take one file."""
        if name.lower().endswith(TABLE_ENDINGS):
            self._tables.append((name, data))
            return
        where = f"{self._where}/{name}"
        if not data.strip():
            self.collector.problems.add(where, "the file is empty", "copy or download it again")
            return
        if b"\0" in data and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            self.collector.problems.add(where, "not a text file", "check the file")
            return
        if name.lower().endswith(crystals.ENDINGS):
            self._crystals += 1
            crystals.add_crystals(self.collector, where, name, data)
            return
        if is_qm9_file(data):
            self._qm9.add(name, data)
            return
        # the whole name rides along as identifier until files are sorted and tables matched
        Framer(where, self.collector, name).feed(lines_of(data), final=True)

    def finish(self, name: str) -> Dataset:
        """The data set in natural order of the file names, with the columns of the tables."""
        self._qm9.flush()
        if self._qm9.left_out:
            self.collector.problems.notice(
                self._where,
                f"{self._qm9.left_out:,} uncharacterized molecules are left out: "
                "their relaxed geometry is not that of their SMILES",
                "open it with #uncharacterized=true behind its name to keep them",
            )
        if self.collector.count == 0 and not len(self.collector.problems):
            seen = ", ".join(sorted(e for e in self._seen if e)) or "nothing"
            text = f"there are no xyz, CIF or POSCAR files in it (found: {seen})"
            raise DataError(Problem(self._where, text, "open one of its files instead"))
        data = finish(self.collector, name, self._where)
        names = [str(n) for n in data.identifiers]
        order = _natural_order(names)
        if order is not None:
            data = data.take(order)
            names = [names[i] for i in order]
        properties = dict(data.properties)
        for title, content in self._tables:
            _add_table(properties, names, title, content)
        short = np.array([_identifier(n) for n in names], dtype=np.str_)
        kind = "CIF or POSCAR" if self._crystals else data.source.format
        source = replace(data.source, format=f"{kind} files")
        return replace(data, properties=properties, identifiers=short, source=source)


def _identifier(name: str) -> str:
    """ "qm7/0001.xyz" → "0001", "a/md.xyz:17" → "md:17"; what is no file name stays as it is."""
    path, colon, number = name.rpartition(":")
    if not colon or not number.isdecimal():
        path, number = name, ""
    base = path.replace("\\", "/").rpartition("/")[2]
    if not number and (molecule := _QM9_NAME.fullmatch(base)):
        return f"gdb {int(molecule[1])}"
    if not base.lower().endswith(XYZ_ENDINGS + crystals.ENDINGS):
        return name
    return stem_of(base) + (f":{number}" if number else "")


def _add_table(properties: dict[str, Property], names: list[str], title: str, content: bytes) -> None:
    """Add the columns of a text table whose first column names the files; any other table is none of ours."""
    lines = [line for line in lines_of(content) if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return
    separator = next((s for s in ("\t", ";", ",") if s in lines[-1]), None)
    rows = [[t.strip() for t in line.split(separator)] for line in lines]
    place: dict[str, int] = {}
    for i, name in enumerate(names):
        for key in (name, name.rpartition("/")[2], _identifier(name)):
            place.setdefault(key, i)
    headings: list[str] = []
    if rows and rows[0][0] not in place:
        headings = rows.pop(0)[1:]
    rows = [r for r in rows if r[0] in place]
    width = min((len(r) for r in rows), default=0) - 1
    if width < 1 or 2 * len(rows) < len(names):
        return
    base = title.rpartition("/")[2]
    known = _KNOWN_TABLES.get(base.lower(), ())
    meant = meanings(base, headings)
    for k in range(width):
        texts: list[str | None] = [None] * len(names)
        for row in rows:
            texts[place[row[0]]] = row[k + 1]
        if len(known) == width:
            label, unit, description = known[k]
        elif len(headings) >= width:
            (label, unit), description = columns.split_unit(headings[k]), f"from {base}"
            unit, description = meant.get(headings[k], (unit, description))
        else:
            label, unit = stem_of(base) + (f"_{k + 1}" if width > 1 else ""), ""
            description = f"column {k + 2} of {base}"
        columns.add_column(properties, label, columns.convert(texts), unit, description)
