"""HDF5 files of many molecules with many conformers each: ANI-1, ANI-1x, ANI-1ccx, SPICE and what is laid out alike.

A group holds the elements of a molecule once and the coordinates of all its conformers. Files may be far larger than
memory: they are read group by group and handed on in batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.inputs import note
from qmlstudio.chem.readers.ani_columns import Column, column_of, text_of
from qmlstudio.chem.readers.archives import natural_key
from qmlstudio.chem.readers.batches import BATCH_BYTES, MEMORY, concatenated, local_file, plain_stem
from qmlstudio.chem.readers.builder import with_problems
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.columns import unit_name
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import LENGTH
from qmlstudio.progress import SILENT, Progress

ENDINGS = (".h5", ".hdf5", ".hdf")
HEEDS = frozenset({"every", "first", "sample"})

_COORDINATES = ("coordinates", "conformations", "positions", "coords", "geometries", "xyz", "R")
_SPECIES = ("species", "atomic_numbers", "numbers", "elements", "symbols", "z", "Z")
_HIGH = "HE"  # what ANI-1 calls its conformers of high energy: coordinatesHE, energiesHE
_SKIP = {*_COORDINATES, *_SPECIES, "smiles", "path"}
_DENSEST = 100
"""Atoms in a byte of a file: more than any compression can do for coordinates."""
_LONGEST = 1 << 16
_ERRORS = (
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    StopIteration,
)

_ANI1 = "Smith, Isayev, Roitberg, Sci. Data 4, 170193 (2017), doi:10.1038/sdata.2017.193"
_ANI1X = "Smith et al., Sci. Data 7, 134 (2020), doi:10.1038/s41597-020-0473-z"


def is_hdf5(head: bytes) -> bool:
    """Whether bytes begin as an HDF5 file does."""
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def files_in(folder: Path) -> list[Path]:
    """The HDF5 files of a folder (ANI-1 comes as one) in natural order; none when there is any other data in it."""
    found = []
    try:
        inside = list(folder.iterdir())
    except OSError:
        return []
    for path in inside:
        if path.suffix.lower() in ENDINGS and path.is_file():
            found.append(path)
        elif path.suffix.lower() in (".xyz", ".extxyz", ".cif"):
            return []
    return sorted(found, key=lambda p: natural_key(p.name))


@dataclass
class _Molecule:
    """A group: where it stands, its atoms, how many conformers it has."""

    file: int
    path: str
    numbers: NDArray[np.uint8]
    count: int
    high: int
    smiles: str
    coordinates: str
    scale: float


@dataclass
class _Plan:
    """What there is in the files, before a coordinate is read."""

    molecules: list[_Molecule] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    style: str = "HDF5"
    has_smiles: bool = False

    def bytes(self) -> int:
        """Bytes in memory of all conformers."""
        names = max((len(m.path.rpartition("/")[2]) + 8 for m in self.molecules), default=8)
        per_atom = 25 + 8 * sum(int(np.prod(c.width)) for c in self.columns.values() if c.target == "atom")
        per_row = 24 + 8 * names + 8 * sum(int(np.prod(c.width)) for c in self.columns.values())
        return sum(m.count * (per_row + per_atom * len(m.numbers)) for m in self.molecules)


def read_hdf5(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a file of conformers into memory: all, or each k-th one when all do not fit into 2 GB.

    Options `every` and `sample` apply to each molecule, `first` to the whole.

    Raises
    ------
    DataError
        Not an HDF5 file of this layout, damaged, or h5py is not installed.
    """
    with local_file(stream, progress) as path:
        return _read([path], str(stream.path), plain_stem(stream.path.name), progress, options)


def read_hdf5_files(
    paths: Sequence[Path], where: str, name: str, progress: Progress = SILENT, options: ReadOptions = DEFAULT
) -> Dataset:
    """Read several files (ANI-1 comes as eight) as one data set; otherwise as :func:`read_hdf5`."""
    return _read(list(paths), where, name, progress, options)


def hdf5_batches(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Iterator[Dataset]:
    """The conformers of a file in data sets of about 32 MB, all with the same columns.

    The problems of the whole file so far come with the last one. Options and errors as :func:`read_hdf5` has them.
    """
    with local_file(stream, progress) as path:
        yield from hdf5_files_batches([path], str(stream.path), plain_stem(stream.path.name), progress, options)


def hdf5_files_batches(
    paths: Sequence[Path], where: str, name: str, progress: Progress = SILENT, options: ReadOptions = DEFAULT
) -> Iterator[Dataset]:
    """The conformers of several files in batches, as :func:`hdf5_batches`."""
    files = _open(paths, where)
    try:
        plan = _plan(files, paths, where, progress.part(0.0, 0.1))
        parts = _batches(files, plan, where, name, progress.part(0.1, 1.0), options)
        yield from with_problems(parts, plan.problems, where)
    finally:
        for file in files:
            file.close()


def _read(paths: list[Path], where: str, name: str, progress: Progress, options: ReadOptions) -> Dataset:
    files = _open(paths, where)
    try:
        plan = _plan(files, paths, where, progress.part(0.0, 0.1))
        total = sum(m.count for m in plan.molecules)
        step = -(-plan.bytes() // MEMORY)
        if step > max(options.every, 1) and not options.sample and not options.first:
            options = options.with_values(every=step)
            remedy = f"open {Path(where).name}#every=… or #sample=… (conformers of each molecule) to choose otherwise"
            text = f"each {step}th of {total:,} conformers was read: all of them do not fit into memory"
            plan.problems.notice(where, text, remedy)
        parts = list(_batches(files, plan, where, name, progress.part(0.1, 1.0), options))
        if not parts:
            plan.problems.raise_first(where)
    finally:
        for file in files:
            file.close()
    data = concatenated(parts)
    return replace(data, problems=plan.problems.listed(where))


def _open(paths: Sequence[Path], where: str) -> list[Any]:
    try:
        import h5py
    except ImportError as error:
        remedy = "pip install h5py"
        raise DataError(Problem(where, "HDF5 is read by h5py, which is not installed", remedy)) from error
    files: list[Any] = []
    for path in paths:
        note(path)
        try:
            files.append(h5py.File(path, "r"))
        except (OSError, RuntimeError, ValueError) as error:
            for file in files:
                file.close()
            text = f"the HDF5 file is damaged or not whole: {_said(error)}"
            raise DataError(Problem(str(path) if len(paths) > 1 else where, text, "download it again")) from error
    return files


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _plan(files: list[Any], paths: Sequence[Path], where: str, progress: Progress) -> _Plan:
    """Look for the groups with coordinates and elements, and at the kinds of their columns."""
    plan = _Plan()
    undecided: dict[str, Column] = {}
    for number, file in enumerate(files):
        place = where if len(files) == 1 else str(paths[number])
        size = int(file.id.get_filesize())
        for k, (path, group) in enumerate(_groups(file, place, plan.problems)):
            if k % 64 == 0:
                progress(number / len(files), f"Looking through {paths[number].name}")
            try:
                molecule = _molecule(number, path, group, size)
            except _ERRORS as error:
                plan.problems.add(f"{place}/{path}", _said(error), "this molecule is left out; check the file")
                continue
            plan.molecules.append(molecule)
            plan.has_smiles |= bool(molecule.smiles)
            for key in (k for k in group if isinstance(k, str)):
                if key in plan.columns or key in _SKIP or key.endswith(_HIGH):
                    continue
                try:
                    column, sure = column_of(key, group, molecule.count, len(molecule.numbers))
                except _ERRORS as error:
                    plan.problems.add(f"{place}/{path}/{key}", _said(error), "its values are missing")
                    continue
                if column is not None and sure:
                    plan.columns[key] = column
                elif column is not None:
                    undecided.setdefault(key, column)
    plan.columns = {**{k: c for k, c in undecided.items() if k not in plan.columns}, **plan.columns}
    plan.columns = dict(sorted(plan.columns.items(), key=lambda item: ("energ" not in item[0], item[0])))
    if not plan.molecules:
        if not len(plan.problems):
            text = "no groups with elements (species, atomic_numbers) and coordinates of conformers in it"
            remedy = "it should be laid out as ANI-1, ANI-1x or SPICE is"
            raise DataError(Problem(where, text, remedy))
        plan.problems.raise_first(where)
    if any(re.match(r"wb97x_dz\.|ccsd\(t\)_cbs\.", key) for key in plan.columns):
        plan.style = "ANI-1x HDF5"
    elif set(plan.columns) == {"energies"}:
        plan.style = "ANI-1 HDF5"
    high = sum(m.high for m in plan.molecules)
    if high:
        text = f"{high:,} conformers of high energy (coordinatesHE) are left out, as by the authors of the set"
        plan.problems.notice(where, text)
    return plan


def _groups(file: Any, place: str, problems: Problems) -> Iterator[tuple[str, Any]]:
    """All groups with coordinates and elements, in natural order of their names."""
    waiting: list[tuple[str, Any]] = [("", file)]
    seen: set[Any] = set()
    while waiting:
        path, group = waiting.pop()
        try:
            address = hash(group.id) if path else None
            if address is not None and address in seen:  # links may lead in circles
                continue
            seen.add(address)
            keys = [k for k in group if isinstance(k, str)]
            if len(keys) < len(group):
                problems.add(f"{place}/{path}", "names that are no text", "these parts of the file are left out")
            has = set(keys)
            if has & set(_COORDINATES) and has & set(_SPECIES):
                yield path, group
                continue
            inner = []
            for key in sorted(keys, key=natural_key, reverse=True):
                try:
                    member = group[key]
                except _ERRORS as error:
                    problems.add(f"{place}/{path}/{key}", _said(error), "this part of the file is left out")
                    continue
                if hasattr(member, "keys"):
                    inner.append((f"{path}/{key}".lstrip("/"), member))
        except _ERRORS as error:
            problems.add(f"{place}/{path}", _said(error), "this part of the file is left out")
            continue
        waiting += inner


def _molecule(file: int, path: str, group: Any, size: int) -> _Molecule:
    """What there is in a group of a file of so many bytes. Opening a data set takes long: each is opened once."""
    keys = set(group)
    name = next(k for k in _COORDINATES if k in keys)
    coordinates = group[name]
    shape = coordinates.shape
    if len(shape) != 3 or shape[2] != 3 or coordinates.dtype.kind != "f":
        raise ValueError(f"coordinates of shape {shape} where (conformers, atoms, 3) is expected")
    numbers = _numbers(group[next(k for k in _SPECIES if k in keys)])
    if len(numbers) != shape[1] or not len(numbers):
        raise ValueError(f"{len(numbers)} elements and coordinates of {shape[1]} atoms")
    if shape[0] * shape[1] > _DENSEST * size:
        raise ValueError(f"{shape[0]} conformers are announced, more than there can be in the file")
    high = f"{name}{_HIGH}"
    unit = unit_name(text_of(coordinates.attrs.get("units", "")))
    smiles = ""
    if "smiles" in keys and (given := group["smiles"]).size <= _LONGEST:
        smiles = "".join(text_of(x) for x in np.asarray(given[()]).reshape(-1))
    return _Molecule(
        file=file,
        path=path,
        numbers=numbers,
        count=int(shape[0]),
        high=int(group[high].shape[0]) if high in keys else 0,
        smiles=smiles,
        coordinates=name,
        scale=LENGTH.get(unit, 1.0),
    )


def _numbers(dataset: Any) -> NDArray[np.uint8]:
    """Atomic numbers from numbers or symbols, one for each atom."""
    if dataset.size > 1 << 20:
        raise ValueError(f"{dataset.size} elements in one molecule")
    values = np.asarray(dataset[()])
    if values.ndim == 2 and len(values):  # once for each conformer
        if (values != values[0]).any():
            raise ValueError("the elements change from conformer to conformer")
        values = values[0]
    if values.dtype.kind in "iu":
        if values.size and not (values.min() >= 1 and values.max() <= 118):
            raise ValueError("an atomic number is no element's")
        return values.reshape(-1).astype(np.uint8)
    return np.array([atomic_number(text_of(v).strip()) for v in values.reshape(-1)], np.uint8)


def _batches(
    files: list[Any], plan: _Plan, where: str, name: str, progress: Progress, options: ReadOptions
) -> Iterator[Dataset]:
    generator = np.random.default_rng(options.seed)
    reference = {"ANI-1 HDF5": _ANI1, "ANI-1x HDF5": _ANI1X}.get(plan.style, "")
    source = Source(path=where, format=plan.style, reference=reference)
    total = sum(m.count for m in plan.molecules) or 1
    done, taken, weight = 0, 0, 0
    pieces: list[_Piece] = []
    for molecule in plan.molecules:
        group = files[molecule.file][molecule.path] if molecule.path else files[molecule.file]
        rows = np.arange(0, molecule.count, options.every, dtype=np.int64)
        if options.sample and options.sample < len(rows):
            rows = np.sort(generator.choice(rows, options.sample, replace=False))
        if options.first:
            rows = rows[: options.first - taken]
        taken += len(rows)
        per_row = 24 * len(molecule.numbers) + 64
        step = max(1, BATCH_BYTES // (4 * per_row))
        for start in range(0, len(rows), step):
            progress(done / total, f"Reading {name}")
            piece = _piece(group, molecule, rows[start : start + step], plan, where)
            done += molecule.count * min(step, len(rows) - start) // len(rows)
            if piece is None:
                continue
            pieces.append(piece)
            weight += piece.weight
            if weight > BATCH_BYTES:
                yield _dataset(pieces, plan, name, source)
                pieces, weight = [], 0
        if options.first and taken >= options.first:
            break
    if pieces:
        yield _dataset(pieces, plan, name, source)


@dataclass
class _Piece:
    """Some conformers of one molecule."""

    molecule: _Molecule
    rows: NDArray[np.int64]
    positions: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]

    @property
    def weight(self) -> int:
        """Bytes."""
        return self.positions.nbytes + sum(c.nbytes for c in self.columns.values()) + 64 * len(self.rows)


def _rows_of(dataset: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Some rows of a data set: one slice of the file, as picking rows one by one is slow in HDF5."""
    first, last = int(rows[0]), int(rows[-1])
    block = np.asarray(dataset[first : last + 1])
    if len(rows) != len(block):
        block = block[rows - first]
    return block.astype(np.float64)


def _piece(group: Any, molecule: _Molecule, rows: NDArray[np.int64], plan: _Plan, where: str) -> _Piece | None:
    """Read some conformers; faulty ones are left out and told of."""
    place = f"{where}/{molecule.path}"
    n, size = len(rows), len(molecule.numbers)
    try:
        positions = _rows_of(group[molecule.coordinates], rows).reshape(n * size, 3)
    except _ERRORS as error:
        plan.problems.add(place, f"coordinates: {_said(error)}", "this molecule is left out; download the file again")
        return None
    if molecule.scale != 1.0:
        positions *= molecule.scale
    columns: dict[str, NDArray[np.float64]] = {}
    for key, column in plan.columns.items():
        count = n if column.target == "structure" else n * size
        try:
            columns[key] = _rows_of(group[key], rows).reshape(count, *column.width)
        except _ERRORS as error:
            if key in group:
                plan.problems.add(place, f"{key}: {_said(error)}", "its values are missing")
            columns[key] = np.full((count, *column.width), np.nan)
    bad = faults(positions, np.full(n, size))
    if bad:
        for fault in bad:
            text = f"{fault.message}, atom {fault.atom + 1}"
            plan.problems.add(place, text, fault.remedy, index=int(rows[fault.structure]))
        good = np.ones(n, bool)
        good[[fault.structure for fault in bad]] = False
        atoms = np.repeat(good, size)
        rows, positions = rows[good], positions[atoms]
        columns = {k: c[good if plan.columns[k].target == "structure" else atoms] for k, c in columns.items()}
    return _Piece(molecule, rows, positions, columns) if len(rows) else None


def _dataset(pieces: list[_Piece], plan: _Plan, name: str, source: Source) -> Dataset:
    counts = np.array([len(p.rows) for p in pieces])
    sizes = np.repeat([len(p.molecule.numbers) for p in pieces], counts)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    numbers = np.concatenate([np.tile(p.molecule.numbers, len(p.rows)) for p in pieces])
    structures = Structures(numbers, np.concatenate([p.positions for p in pieces]), offsets)
    names = np.array([p.molecule.path.rpartition("/")[2] or name for p in pieces], dtype=np.str_)
    frames = np.concatenate([p.rows for p in pieces]) + 1
    molecule = np.repeat(names, counts)
    properties: dict[str, Property] = {}
    for key, column in plan.columns.items():
        values = np.concatenate([p.columns[key] for p in pieces])
        if column.target == "atom" or not column.width:
            properties[column.name] = Property(values, column.target, column.unit, column.description)
            continue
        endings = "xyz" if column.width[0] == 3 else [str(j + 1) for j in range(column.width[0])]
        for j, ending in enumerate(endings):
            part = np.ascontiguousarray(values[:, j])
            properties[f"{column.name}_{ending}"] = Property(part, "structure", column.unit, column.description)
    if plan.has_smiles:
        smiles = np.array([p.molecule.smiles for p in pieces], dtype=np.str_)
        properties["smiles"] = Property(np.repeat(smiles, counts))
    properties["molecule"] = Property(molecule, description="group of the file")
    properties["conformer"] = Property(frames.astype(np.float64), description="place within the molecule, from 1")
    identifiers = np.strings.add(np.strings.add(molecule, ":"), frames.astype(np.str_))
    return Dataset(name, structures, properties, identifiers, source)
