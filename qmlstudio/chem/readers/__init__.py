"""Reading people's files: what a file is, is told by its content first and by its name second."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qmlstudio.chem.builtin import BUILTIN_PREFIX, QM9_PREFIX
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.archives import read_archive, read_folder, read_xyz_files, read_zip
from qmlstudio.chem.readers.crystals import ENDINGS as CRYSTAL_ENDINGS
from qmlstudio.chem.readers.crystals import is_cif, is_poscar, read_crystals
from qmlstudio.chem.readers.npz import read_npz
from qmlstudio.chem.readers.sdf import read_sdf
from qmlstudio.chem.readers.smiles import parses, read_smiles, read_smiles_text, read_table, sniff_delimiter
from qmlstudio.chem.readers.streams import ByteStream, lines_of
from qmlstudio.chem.readers.xyz import is_atom_line, read_xyz, read_xyz_text
from qmlstudio.progress import SILENT, Progress

__all__ = ["BUILTIN_PREFIX", "FORMATS", "Format", "open_dataset", "open_paths", "read_text"]

_HEAD = 1 << 14


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        For people.
    endings : tuple of str
        Endings of file names, without a further ".gz", ".bz2" or ".xz".
    sniff : callable (bytes) -> bool
        Whether the first 16 KB (decompressed) are certainly of this kind.
    read : callable (stream, progress) -> Dataset
    """

    name: str
    endings: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[ByteStream, Progress], Dataset]


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_npz(head: bytes) -> bool:
    return head.startswith(b"PK") and re.search(rb"^.{26}..\S{1,200}?\.npy", head[:300], re.DOTALL) is not None


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _is_xyz(head: bytes) -> bool:
    lines = lines_of(head)[:4]
    return len(lines) > 2 and lines[0].strip().isdecimal() and is_atom_line(lines[2])


def _is_sdf(head: bytes) -> bool:
    lines = lines_of(head)
    return len(lines) > 3 and (lines[3].rstrip().endswith(("V2000", "V3000")) or "M  END" in lines)


def _whole_lines(head: bytes) -> list[str]:
    lines = lines_of(head)
    if len(head) >= _HEAD:
        lines = lines[:-1]
    return [line for line in lines if line.strip()][:20]


def _is_table(head: bytes) -> bool:
    lines = _whole_lines(head)
    if not lines or not sniff_delimiter([line + "\n" for line in lines]):
        return False
    return any(w in lines[0].lower() for w in ("smiles", "coordinates", "positions"))


def _is_smiles(head: bytes) -> bool:
    words = [line.split()[0] for line in _whole_lines(head) if not line.startswith("#")][:10]
    return bool(words) and sum(parses(w) for w in words) * 2 > len(words)


FORMATS: tuple[Format, ...] = (
    Format("NumPy archive (sGDML, MD17, rMD17)", (".npz",), _is_npz, read_npz),
    Format("zip of xyz or CIF files", (".zip",), _is_zip, read_zip),
    Format(
        "tar of xyz or CIF files",
        (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz"),
        _is_tar,
        read_archive,
    ),
    Format("xyz, extended xyz", (".xyz", ".extxyz", ".exyz"), _is_xyz, read_xyz),
    Format("CIF, POSCAR", CRYSTAL_ENDINGS, lambda head: is_cif(head) or is_poscar(head), read_crystals),
    Format("SDF, MOL", (".sdf", ".sd", ".mol"), _is_sdf, read_sdf),
    Format("CSV or TSV with a SMILES column", (".csv", ".tsv"), _is_table, read_table),
    Format("SMILES", (".smi", ".smiles"), _is_smiles, read_smiles),
)
"""All that can be read, the surest signs first. A new format is one more line."""


def open_dataset(path: str | Path | Sequence[str | Path], progress: Progress = SILENT) -> Dataset:
    """Open a file, a folder, several files or a built-in data set.

    Parameters
    ----------
    path : str, Path or sequence of them
        "builtin:NAME" for a built-in set; "qm9:" for the whole of QM9, if its package is installed; several xyz files
        are joined in the given order. A string with line breaks is several files, too: so the `source.path` of a
        joined set opens it again.
    progress : Progress
        Receives the fraction of bytes read, or of geometries made.

    Raises
    ------
    DataError
        The file is missing, empty, of an unknown kind, or none of its structures can be used.
    Cancelled
    """
    if not isinstance(path, str | Path):
        return open_paths(path, progress)
    if isinstance(path, str) and path.startswith(BUILTIN_PREFIX):
        from qmlstudio.chem.builtin import load_builtin

        return load_builtin(path.removeprefix(BUILTIN_PREFIX))
    if isinstance(path, str) and path.startswith(QM9_PREFIX):
        from qmlstudio.chem.readers.qm9_package import open_qm9

        return open_qm9(progress)
    if isinstance(path, str) and "\n" in path:
        return open_paths([p for p in path.split("\n") if p], progress)
    path = Path(path).expanduser()
    if "\0" in str(path):
        raise DataError(Problem(repr(str(path)), "not a file name", "check the name"))
    if path.is_dir():
        data = read_folder(path, progress)
    else:
        with ByteStream(path) as stream:
            data = _format_of(stream).read(stream, progress)
    progress(1.0)
    return data


def open_paths(paths: Sequence[str | Path], progress: Progress = SILENT) -> Dataset:
    """Open one path as :func:`open_dataset` does, or join several xyz files into one set.

    Raises
    ------
    DataError
        No path; several files of which one is not xyz; or as :func:`open_dataset`.
    """
    if not paths:
        raise DataError(Problem("input", "no file is given", "name a file or folder"))
    if len(paths) == 1:
        return open_dataset(paths[0], progress)
    files = [Path(p).expanduser() for p in paths]
    for file in files:
        if file.is_dir() or not file.exists():
            why = "a folder cannot be joined with files" if file.is_dir() else "No such file or directory"
            raise DataError(Problem(str(file), why, "choose xyz files, or open it by itself"))
        with ByteStream(file) as stream:
            form = _format_of(stream)
        if form.read is not read_xyz:
            raise DataError(
                Problem(str(file), f"{form.name} cannot be joined", "only xyz files can; open it by itself")
            )
    data = read_xyz_files(files, progress)
    progress(1.0)
    return data


def read_text(text: str, name: str = "pasted", progress: Progress = SILENT) -> Dataset:
    """Read text that was pasted: xyz, extended xyz, bare lines of atoms, or SMILES lines.

    Raises
    ------
    DataError
        Nothing of it can be used.
    """
    lines = lines_of(text.encode("utf-8", errors="replace"))
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        raise DataError(Problem(name, "the text is empty", "copy xyz text or SMILES first"))
    if lines[0].strip().isdecimal() or is_atom_line(lines[0]):
        data = read_xyz_text(lines, name)
    elif _is_smiles("\n".join(lines[:20]).encode()):
        data = read_smiles_text(lines, name, progress)
    else:
        raise DataError(Problem(name, "neither xyz nor SMILES", "copy whole xyz frames, or a SMILES on each line", 1))
    progress(1.0)
    return data


def _format_of(stream: ByteStream) -> Format:
    """The kind of a file by content, then by name; DataError with the list of what can be read."""
    head = stream.head(_HEAD)
    name = stream.path.name.lower()
    for ending in (".gz", ".bz2", ".xz"):
        name = name.removesuffix(ending)
    named = next((f for f in FORMATS if name.endswith(f.endings)), None)
    binary = b"\0" in head[:4096] and head[:2] not in (b"\xff\xfe", b"\xfe\xff")
    for form in FORMATS[:3] if binary else FORMATS:
        if form is not FORMATS[-1] and form.sniff(head):  # almost any word may be SMILES: only after the name
            return form
    if binary or named is None:
        if not binary and FORMATS[-1].sniff(head):
            return FORMATS[-1]
        if binary and named is not None and named in FORMATS[:3]:
            return named
        known = "; ".join(f"{f.name} ({', '.join(f.endings)})" for f in FORMATS)
        what = "binary data of an unknown kind" if binary else "text of an unknown kind"
        raise DataError(
            Problem(str(stream.path), what, f"can be read, also compressed: {known}; a folder of xyz or CIF files")
        )
    return named
