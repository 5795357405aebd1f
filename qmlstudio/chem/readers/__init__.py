"""Reading people's files: what a file is, is told by its content first and by its name second."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qmlstudio.chem.builtin import BUILTIN_PREFIX, CATALOGUE_PREFIX, QM9_PREFIX
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers import (
    ani,
    ase_formats,
    chemiscope,
    compositions,
    gdb,
    lammps,
    parquet,
    reactions,
    trajectories,
)
from qmlstudio.chem.readers.archives import read_archive, read_folder, read_xyz_files, read_zip
from qmlstudio.chem.readers.batches import plain_stem
from qmlstudio.chem.readers.crystals import ENDINGS as CRYSTAL_ENDINGS
from qmlstudio.chem.readers.crystals import is_cif, is_poscar, read_crystals
from qmlstudio.chem.readers.geometries import parses
from qmlstudio.chem.readers.matlab import HEEDS as MAT_HEEDS
from qmlstudio.chem.readers.matlab import is_mat, read_mat
from qmlstudio.chem.readers.npz import read_npz
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions, file_of, split_options
from qmlstudio.chem.readers.sdf import read_sdf
from qmlstudio.chem.readers.smiles import read_smiles_text, read_table, sniff_delimiter
from qmlstudio.chem.readers.stores import is_store, read_store
from qmlstudio.chem.readers.streams import ByteStream, lines_of
from qmlstudio.chem.readers.xyz import is_atom_line, read_xyz, read_xyz_text
from qmlstudio.progress import SILENT, Progress

__all__ = [
    "BUILTIN_PREFIX",
    "FORMATS",
    "Format",
    "ReadOptions",
    "file_of",
    "format_of",
    "open_dataset",
    "open_paths",
    "read_text",
    "split_options",
]

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
    read : callable (stream, progress, options) -> Dataset
    heeds : set of str
        The options that `read` itself heeds; the others are applied to what it returns.
    binary : bool
        Not text: told apart by `sniff`, by the name only when no other kind's `sniff` knows the content.
    batches : callable (stream, progress, options) -> iterator of Dataset, optional
        The same in parts, for files that may be larger than memory; it heeds the same options.
    """

    name: str
    endings: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[ByteStream, Progress, ReadOptions], Dataset]
    heeds: frozenset[str] = frozenset()
    binary: bool = False
    batches: Callable[[ByteStream, Progress, ReadOptions], Iterator[Dataset]] | None = None


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


ROWS = frozenset({"sample", "every", "first"})
"""The options that say which structures are read."""

FORMATS: tuple[Format, ...] = (
    Format("QML Studio store", (".qmlstore",), is_store, read_store, binary=True),
    Format("NumPy archive (sGDML, MD17, rMD17)", (".npz",), _is_npz, read_npz, binary=True),
    Format(
        "HDF5 of conformers (ANI-1, ANI-1x, SPICE)",
        ani.ENDINGS,
        ani.is_hdf5,
        ani.read_hdf5,
        heeds=ani.HEEDS,
        binary=True,
        batches=ani.hdf5_batches,
    ),
    Format(
        "Parquet with geometries or SMILES",
        parquet.ENDINGS,
        parquet.is_parquet,
        parquet.read_parquet,
        binary=True,
        batches=parquet.parquet_batches,
    ),
    Format(
        "ASE trajectory or database",
        ase_formats.BINARY_ENDINGS,
        ase_formats.is_ase_binary,
        ase_formats.read_ase,
        heeds=ase_formats.HEEDS,
        binary=True,
        batches=ase_formats.ase_batches,
    ),
    Format(
        "trajectory of molecular dynamics (XTC, TRR, DCD)",
        trajectories.ENDINGS,
        trajectories.is_trajectory,
        trajectories.read_trajectory,
        heeds=trajectories.HEEDS,
        binary=True,
        batches=trajectories.trajectory_batches,
    ),
    Format("zip of xyz or CIF files", (".zip",), _is_zip, read_zip, binary=True),
    Format("tar of SMILES (GDB-13)", (), gdb.is_tar_of_smiles, gdb.read_tar_of_smiles, heeds=gdb.HEEDS, binary=True),
    Format(
        "tar of xyz or CIF files",
        (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz"),
        _is_tar,
        read_archive,
        binary=True,
    ),
    Format("chemiscope", (".json",), chemiscope.is_chemiscope, chemiscope.read_chemiscope),
    Format(
        "LAMMPS dump",
        lammps.ENDINGS,
        lammps.is_dump,
        lammps.read_dump,
        heeds=lammps.HEEDS,
        batches=lammps.dump_batches,
    ),
    Format("MATLAB file (QM7, QM7b)", (".mat",), is_mat, read_mat, MAT_HEEDS, binary=True),
    Format("xyz, extended xyz", (".xyz", ".extxyz", ".exyz"), _is_xyz, read_xyz),
    Format(
        "files of other programs, read by ASE",
        ase_formats.ENDINGS,
        ase_formats.is_ase_text,
        ase_formats.read_ase,
        heeds=ase_formats.HEEDS,
        batches=ase_formats.ase_batches,
    ),
    Format("CIF, POSCAR", CRYSTAL_ENDINGS, lambda head: is_cif(head) or is_poscar(head), read_crystals),
    Format("SDF, MOL", (".sdf", ".sd", ".mol"), _is_sdf, read_sdf),
    Format(
        "table of elpasolites",
        (),
        compositions.is_elpasolites,
        compositions.read_elpasolites,
        heeds=compositions.HEEDS,
    ),
    Format("table of reactions", (), reactions.is_reactions, reactions.read_reactions, heeds=reactions.HEEDS),
    Format("CSV or TSV with a SMILES column", (".csv", ".tsv"), _is_table, read_table, ROWS),
    Format("SMILES", (".smi", ".smiles"), _is_smiles, gdb.read_smiles_lines, heeds=gdb.HEEDS),
)
"""All that can be read, the surest signs first. A new format is one more line."""


def open_dataset(path: str | Path | Sequence[str | Path], progress: Progress = SILENT) -> Dataset:
    """Open a file, a folder, several files or a built-in data set.

    Parameters
    ----------
    path : str, Path or sequence of them
        "builtin:NAME" for a built-in set; "qm9:" for the whole of QM9, if its package is installed; "catalogue:NAME"
        for a set of the catalogue that was fetched; several xyz files are joined in the given order. A string with
        line breaks is several files, too: so the `source.path` of a joined set opens it again. Options of reading
        stand behind a file's name (``file.smi.gz#sample=20000``), as
        :class:`~qmlstudio.chem.readers.options.ReadOptions` has them; they stay in the `source.path`.
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
    if isinstance(path, str) and path.startswith(CATALOGUE_PREFIX):
        from qmlstudio.chem.catalogue.storage import local_path

        return open_dataset(local_path(path), progress)
    if isinstance(path, str) and "\n" in path:
        return open_paths([p for p in path.split("\n") if p], progress)
    if "\0" in str(path):
        raise DataError(Problem(repr(str(path)), "not a file name", "check the name"))
    file, options = split_options(path)
    if file.is_dir() and (stores := ani.files_in(file)):
        data = options.applied(ani.read_hdf5_files(stores, str(file), file.name, progress, options), ani.HEEDS)
    elif file.is_dir():
        data = options.applied(read_folder(file, progress, options))
    else:
        with ByteStream(file) as stream:
            form = format_of(stream)
            data = options.applied(form.read(stream, progress, options), form.heeds)
    if suffix := options.suffix():
        data = replace(data, source=replace(data.source, path=data.source.path + suffix))
    progress(1.0)
    return _credited(data, file)


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
    files: list[Path] = []
    forms: set[str] = set()
    for place in paths:
        file, options = split_options(place)
        if options != DEFAULT:
            text = "options cannot be given for files that are joined"
            raise DataError(Problem(str(file), text, "open the file by itself, or leave out what stands behind the #"))
        files.append(file)
        if file.is_dir() or not file.exists():
            why = "a folder cannot be joined with files" if file.is_dir() else "No such file or directory"
            raise DataError(Problem(str(file), why, "choose xyz files, or open it by itself"))
        with ByteStream(file) as stream:
            form = format_of(stream)
        if form.read not in (read_xyz, ani.read_hdf5):
            text = f"{form.name} cannot be joined"
            raise DataError(Problem(str(file), text, "only xyz files and HDF5 files can; open it by itself"))
        forms.add(form.name)
    if len(forms) > 1:
        text = f"{' and '.join(sorted(forms))} cannot be joined"
        raise DataError(Problem(str(files[0]), text, "open them one by one"))
    if form.read is ani.read_hdf5:
        name = f"{plain_stem(files[0].name)} and {len(files) - 1} more"
        data = ani.read_hdf5_files(files, "\n".join(map(str, files)), name, progress)
    else:
        data = read_xyz_files(files, progress)
    progress(1.0)
    return _credited(data, files[0])


def _credited(data: Dataset, file: Path) -> Dataset:
    """With the licence and the reference of the catalogue, if the file is one that was fetched."""
    from qmlstudio.chem.catalogue.storage import credited

    return credited(data, file)


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


def format_of(stream: ByteStream) -> Format:
    """The kind of a file by content, then by name; DataError with the list of what can be read."""
    head = stream.head(_HEAD)
    name = stream.path.name.lower()
    for ending in (".gz", ".bz2", ".xz"):
        name = name.removesuffix(ending)
    named = next((f for f in FORMATS if name.endswith(f.endings)), None)
    binary = b"\0" in head[:4096] and head[:2] not in (b"\xff\xfe", b"\xfe\xff")
    for form in FORMATS:
        if (form.binary or not binary) and form is not FORMATS[-1] and form.sniff(head):
            return form  # almost any word may be SMILES: that is asked after the name
    if named is None or (binary and not named.binary):
        if not binary and FORMATS[-1].sniff(head):
            return FORMATS[-1]
        known = "; ".join(f"{f.name} ({', '.join(f.endings)})" for f in FORMATS)
        what = "binary data of an unknown kind" if binary else "text of an unknown kind"
        raise DataError(
            Problem(str(stream.path), what, f"can be read, also compressed: {known}; a folder of xyz or CIF files")
        )
    return named
