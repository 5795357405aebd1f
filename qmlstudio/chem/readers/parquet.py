"""Parquet tables: geometries in lists, as this program writes them, or SMILES."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.batches import collected, local_file, plain_stem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.geometries import Row, build
from qmlstudio.chem.readers.options import AUTOMATIC_SAMPLE, DEFAULT, ReadOptions
from qmlstudio.chem.readers.smiles import MOST_ROWS, NAME_HEADINGS, SMILES_HEADINGS
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import LENGTH
from qmlstudio.progress import SILENT, Progress

ENDINGS = (".parquet", ".pq", ".parq")

_POSITIONS = ("positions", "coordinates", "coords", "pos", "xyz", "R")
_SPECIES = ("atomic_numbers", "numbers", "species", "elements", "symbols", "nuclear_charges", "Z", "z")
_CELLS = ("cell", "cells", "lattice")
_ROWS = 1 << 13
"""Rows read at once."""


def is_parquet(head: bytes) -> bool:
    """Whether bytes begin as a Parquet file does."""
    return head.startswith(b"PAR1")


@dataclass(frozen=True)
class _Fields:
    """Which column of a table is what; "" when there is none."""

    positions: str
    species: str
    cell: str
    smiles: str
    identifier: str
    scale: float

    @property
    def special(self) -> set[str]:
        """Columns that are no properties."""
        return {self.positions, self.species, self.cell, self.identifier}


def read_parquet(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a table whose rows have geometries, or SMILES of which geometries are made.

    Geometries are lists of atomic numbers (or symbols) and of coordinates, flat (3 N) or nested (N, 3); columns of
    lists with one number (or three) for each atom become properties of the atoms, all others of the structures.
    Units stand in a column's metadata (``unit``) or its heading.

    Raises
    ------
    DataError
        Neither geometries nor SMILES, damaged, or pyarrow is not installed.
    """
    where = str(stream.path)
    with local_file(stream, progress) as path:
        file = _open(path, where)
        try:
            fields = _fields(file.schema_arrow, where)
            if not fields.positions:
                return _from_smiles(file, fields, where, progress, options)
            return collected(_batches(file, fields, where, progress), where)
        finally:
            file.close()


def parquet_batches(
    stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT
) -> Iterator[Dataset]:
    """The structures of a table with geometries in parts; a table of SMILES comes as one."""
    where = str(stream.path)
    with local_file(stream, progress) as path:
        file = _open(path, where)
        try:
            fields = _fields(file.schema_arrow, where)
            if fields.positions:
                yield from _batches(file, fields, where, progress)
            else:
                yield _from_smiles(file, fields, where, progress, options)
        finally:
            file.close()


def _open(path: Path, where: str) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        remedy = 'pip install "qmlstudio[parquet]"'
        raise DataError(Problem(where, "Parquet is read by pyarrow, which is not installed", remedy)) from error
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(error, where) from error


def _damaged(error: BaseException, where: str) -> DataError:
    said = str(error).strip().splitlines()
    text = f"the Parquet file is damaged or not whole: {said[0][:200] if said else type(error).__name__}"
    return DataError(Problem(where, text, "copy or download it again"))


def _fields(schema: Any, where: str) -> _Fields:
    names = list(schema.names)
    low = {n.lower(): n for n in reversed(names)}

    def found(wanted: tuple[str, ...], lists: bool) -> str:
        for word in wanted:
            name = word if word in names else low.get(word.lower(), "")
            if name and _is_list(schema.field(name).type) == lists:
                return name
        return ""

    positions, species = found(_POSITIONS, True), found(_SPECIES, True)
    if not positions or not species:
        positions = species = ""
    smiles = found(SMILES_HEADINGS, False) or next((n for n in names if n.lower().endswith("smiles")), "")
    if not positions and not smiles:
        text = f"no columns of coordinates and elements, nor of SMILES; it has {', '.join(names[:20]) or 'none'}"
        remedy = 'call them "positions" and "atomic_numbers", or "smiles"'
        raise DataError(Problem(where, text, remedy))
    cell = found(_CELLS, True) if positions else ""
    unit = _unit(schema.field(positions)) if positions else ""
    return _Fields(positions, species, cell, smiles, found(NAME_HEADINGS, False), LENGTH.get(unit, 1.0))


def _is_list(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind))


def _note(field: Any, key: str) -> str:
    value = (field.metadata or {}).get(key.encode(), b"")
    return str(value.decode("utf-8", errors="replace"))


def _unit(field: Any) -> str:
    return columns.unit_name(_note(field, "unit") or _note(field, "units"))


def _from_smiles(file: Any, fields: _Fields, where: str, progress: Progress, options: ReadOptions) -> Dataset:
    import pyarrow as pa

    total = file.metadata.num_rows
    notice: tuple[Problem, ...] = ()
    chosen = options.rows(total)
    if options.sample is None and not options.first and options.every == 1 and total > MOST_ROWS:
        chosen = options.with_values(sample=AUTOMATIC_SAMPLE).rows(total)
        text = f"{AUTOMATIC_SAMPLE:,} of {total:,} molecules were taken at random (seed {options.seed})"
        remedy = f"open {Path(where).name}#sample=… for another number (0: all), &seed=… for others"
        notice = (Problem(where, text, remedy, is_notice=True),)
    rows = np.arange(total)[chosen]
    gathered = Gatherer(where)
    made: list[Row] = []
    at = 0
    names = [n for n in file.schema_arrow.names if not _is_list(file.schema_arrow.field(n).type)]
    headings = {n: _heading(file.schema_arrow.field(n)) for n in names if n not in (fields.smiles, fields.identifier)}
    try:
        for batch in file.iter_batches(_ROWS, columns=names):
            progress(0.1 * at / max(total, 1), f"Reading {Path(where).name}")
            here = rows[np.searchsorted(rows, at) : np.searchsorted(rows, at + len(batch))] - at
            part = batch.take(pa.array(here))
            cells = {n: part.column(n).to_pylist() for n in names}
            for k in range(len(here)):
                values = {h: _cell(cells[n][k]) for n, h in headings.items()}
                name = _cell(cells[fields.identifier][k]) if fields.identifier else ""
                made.append(Row(str(cells[fields.smiles][k] or ""), name, int(at + here[k] + 1), values))
            at += len(batch)
    except (pa.ArrowException, OSError) as error:
        if not made:
            raise _damaged(error, where) from error
        gathered.problems.append(_damaged(error, where).problem)
    how = build(made, gathered, progress.part(0.1, 1.0), options)
    source = Source(path=where, format=f"Parquet table of SMILES, {how}")
    data = gathered.dataset(plain_stem(Path(where).name), source, ("smiles",))
    return replace(data, problems=(*notice, *data.problems))


def _heading(field: Any) -> str:
    unit = _unit(field)
    return f"{field.name} [{unit}]" if unit else str(field.name)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _batches(file: Any, fields: _Fields, where: str, progress: Progress) -> Iterator[Dataset]:
    import pyarrow as pa

    problems = Problems()
    total = file.metadata.num_rows
    source = Source(path=where, format="Parquet")
    name = plain_stem(Path(where).name)
    at = 0
    waiting: Dataset | None = None
    batches = file.iter_batches(_ROWS)
    while True:
        progress(at / max(total, 1), f"Reading {Path(where).name}")
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            problems.append(_damaged(error, where).problem)
            break
        if batch is None:
            break
        data = _dataset(batch, fields, at, name, source, problems)
        at += len(batch)
        if data is None:
            continue
        if waiting is not None:
            yield waiting
        waiting = data
    if waiting is None:
        problems.raise_first(where)
    else:
        yield replace(waiting, problems=problems.listed(where))


def _flat(column: Any) -> tuple[NDArray[np.int64], Any]:
    """Ends of the lists (n + 1,) and their values as one array; a list that is missing is empty."""
    import pyarrow.types as pt

    if pt.is_fixed_size_list(column.type):
        width = column.type.list_size
        lengths = np.where(np.asarray(column.is_valid()), width, 0)
        values = column.flatten()
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), values
    lengths = np.asarray(column.value_lengths().fill_null(0))
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), column.flatten()


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.cast("float64").fill_null(float("nan")), np.float64)


def _species(values: Any) -> NDArray[np.float64]:
    """Atomic numbers, NaN where there is no element."""
    import pyarrow.types as pt

    if pt.is_integer(values.type) or pt.is_floating(values.type):
        z = _numbers(values)
        return np.where((z >= 1) & (z <= 118) & (z == np.floor(z)), z, np.nan)
    encoded = values.dictionary_encode() if not pt.is_dictionary(values.type) else values
    table = np.full(len(encoded.dictionary), np.nan)
    for k, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            table[k] = atomic_number(str(text))
        except ValueError:
            continue
    codes = np.asarray(encoded.indices.fill_null(-1), np.int64)
    return np.append(table, np.nan)[codes]


def _dataset(batch: Any, fields: _Fields, start: int, name: str, source: Source, problems: Problems) -> Dataset | None:
    import pyarrow as pa
    import pyarrow.types as pt

    where = source.path
    remedy = "mend the table"
    n = len(batch)
    try:
        ends, species = _flat(batch.column(fields.species))
        sizes = np.diff(ends)
        z = _species(species)
        place_ends, values = _flat(batch.column(fields.positions))
        nested = _is_list(values.type)
        if nested:
            inner, values = _flat(values)
            if (np.diff(inner) != 3).any():
                raise ValueError("coordinates are not lists of three numbers")
        flat = _numbers(values)
    except (pa.ArrowException, ValueError, TypeError) as error:
        problems.add(where, f"rows {start + 1} to {start + n}: {str(error).splitlines()[0]}", remedy)
        return None
    wanted = sizes if nested else 3 * sizes
    good = (np.diff(place_ends) == wanted) & (sizes > 0)
    for k in np.flatnonzero(~good):
        text = f"{sizes[k]} elements and {np.diff(place_ends)[k]} {'rows of ' if nested else ''}coordinates"
        problems.add(where, text, remedy, index=int(start + k))
    owner = np.repeat(np.arange(n), sizes)
    strange = np.unique(owner[np.isnan(z)])
    for k in strange[good[strange]]:
        problems.add(where, "an element is none", remedy, index=int(start + k))
    good[strange] = False
    numbers = z[good[owner]]
    coordinate_owner = np.repeat(np.arange(n), np.diff(place_ends) * (3 if nested else 1))
    positions = flat[good[coordinate_owner]].reshape(-1, 3) * fields.scale
    kept = np.flatnonzero(good)
    bad = faults(positions, sizes[kept])
    if bad:
        for fault in bad:
            text = f"{fault.message}, atom {fault.atom + 1}"
            problems.add(where, text, fault.remedy, index=int(start + kept[fault.structure]))
        sound = np.ones(len(kept), bool)
        sound[[fault.structure for fault in bad]] = False
        atoms = np.repeat(sound, sizes[kept])
        numbers, positions = numbers[atoms], positions[atoms]
        good[kept[~sound]] = False
        kept = kept[sound]
    if not len(kept):
        return None
    offsets = np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64)
    cells = _cells(batch.column(fields.cell), kept, fields.scale) if fields.cell else None
    properties: dict[str, Property] = {}
    for field in batch.schema:
        if field.name in fields.special:
            continue
        column = batch.column(field.name)
        title, unit = columns.split_unit(field.name)
        unit, text = _unit(field) or unit, _note(field, "description")
        title = columns.unique_name(title, properties)
        if _is_list(field.type):
            values_ = _atoms(column, sizes, good)
            if values_ is not None:
                properties[title] = Property(values_, "atom", unit, text)
            continue
        chosen = column.take(pa.array(kept))
        if pt.is_boolean(field.type) or pt.is_integer(field.type) or pt.is_floating(field.type):
            properties[title] = Property(_numbers(chosen), "structure", unit, text)
        elif not pt.is_nested(field.type):
            texts = ["" if v is None else str(v) for v in chosen.to_pylist()]
            properties[title] = Property(columns.text_array(texts), "structure", unit, text)
    names = [str(start + k + 1) for k in kept]
    if fields.identifier:
        given = batch.column(fields.identifier).take(pa.array(kept)).to_pylist()
        names = [n if g is None or g == "" else str(g) for g, n in zip(given, names, strict=True)]
    structures = Structures(numbers.astype(np.uint8), positions, offsets, cells)
    return Dataset(name, structures, properties, columns.text_array(names), source)


def _cells(column: Any, kept: NDArray[np.int64], scale: float) -> NDArray[np.float64] | None:
    """Lattice vectors (m, 3, 3), zero where there is no cell; None when no row has one."""
    cells = np.zeros((len(kept), 9))
    for j, row in enumerate(column.take(kept).to_pylist()):
        flat = np.array(row if row is not None else [], dtype=np.float64).reshape(-1)
        if len(flat) == 9 and np.isfinite(flat).all():
            cells[j] = flat
    return scale * cells.reshape(-1, 3, 3) if cells.any() else None


def _atoms(column: Any, sizes: NDArray[np.int64], good: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Values of the atoms of the good rows, (A,) or (A, 3); None when the lists are not one (three) for each."""
    import pyarrow as pa

    try:
        ends, values = _flat(column)
        lengths, width = np.diff(ends), 1
        if _is_list(values.type):
            inner, values = _flat(values)
            if (np.diff(inner) != 3).any():
                return None
            width = 3
        elif not (lengths[good] == sizes[good]).all() and (lengths[good] == 3 * sizes[good]).all():
            lengths, width = lengths // 3, 3
        flat = _numbers(values)
    except (pa.ArrowException, ValueError, TypeError):
        return None
    if not (lengths[good] == sizes[good]).all():
        return None
    rows = flat.reshape(-1, 3) if width == 3 else flat
    return rows[np.repeat(good, lengths)]
