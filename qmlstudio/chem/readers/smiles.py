"""SMILES, alone or in a table. Molecules for which no geometry can be made are listed, the others kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.geometries import Row, build, parses
from qmlstudio.chem.readers.known import meanings
from qmlstudio.chem.readers.options import AUTOMATIC_SAMPLE, DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream, line_blocks
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.progress import SILENT, Progress, slices

MOST_ROWS = 100_000
"""Molecules of a table above which a random sample is taken by default."""

SMILES_HEADINGS = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "molecule_smiles", "structure_smiles")
NAME_HEADINGS = ("identifier", "name", "_name", "id", "mol_id", "compound", "compound_id", "molecule_chembl_id")
_COORDINATE_HEADINGS = ("coordinates", "positions", "coords", "geometry")
_SPECIES_HEADINGS = ("atomtypes", "symbols", "elements", "species", "nuclear_charges", "atomic_numbers", "numbers")


def _source(path: str, form: str, how: str) -> Source:
    return Source(path=path, format=f"{form}, {how}")


def smiles_rows(lines: Iterable[str], progress: Progress = SILENT) -> list[Row]:
    """The molecules of SMILES lines: SMILES, then a name or nothing; '#' begins a comment; headings are skipped."""
    rows: list[Row] = []
    for k, line in enumerate(lines):
        if k % 4096 == 0:
            progress.check()
        words = line.split(None, 2)
        if not words or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > 1 and cells[0] == words[0] and cells[1]:
            words = cells  # a name behind a tab may have spaces
        if not rows and words[0].lower() in SMILES_HEADINGS:
            continue
        rows.append(Row(words[0], words[1] if len(words) > 1 else "", k + 1))
    return rows


def read_smiles_text(lines: list[str], name: str, progress: Progress = SILENT) -> Dataset:
    """Read SMILES lines that were pasted; DataError when none can be used."""
    gathered = Gatherer(name)
    how = build(smiles_rows(lines), gathered, progress)
    return gathered.dataset(name, _source("", "SMILES", how), ("smiles",))


def sniff_delimiter(lines: list[str]) -> str:
    """The character that parts the columns: the one of which all lines have the same number; "" when none is."""
    best, score = "", 0
    for delimiter in "\t;,":
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths or min(widths) < 2:
            continue
        same = sum(w == widths[0] for w in widths)
        if same > score and 2 * same > len(widths):
            best, score = delimiter, same
    return best


def _with_ends(stream: ByteStream, progress: Progress, message: str) -> Iterator[str]:
    for block in line_blocks(stream):
        progress(0.1 * stream.fraction(), message)
        yield from (line + "\n" for line in block)


def read_table(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a table (CSV, TSV) with a column of SMILES, or with columns of elements and coordinates.

    Every other column becomes a property. Elements and coordinates are lists in brackets, one row for each structure.

    Raises
    ------
    DataError
        No such column, or no molecule can be used.
    """
    where = str(stream.path)
    head = stream.head(1 << 16).decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line + "\n" for line in head.split("\n")[:50] if line]
    if len(head) >= 1 << 16 and len(lines) > 1:
        lines.pop()
    delimiter = sniff_delimiter(lines)
    numbered: list[tuple[int, list[str]]] = []
    gathered = Gatherer(where)
    # cells may hold whole geometries: the module's limit of 131,072 characters is for the whole process
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
    reader = csv.reader(_with_ends(stream, progress, f"Reading {stream.path.name}"), delimiter=delimiter or ",")
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                numbered.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        gathered.problems.add(where, f"the table cannot be read on: {error}", "check the quotes", reader.line_num)
    gathered.problems.append(stream.damage_problem())
    if not numbered:
        gathered.problems.raise_first(where)
    progress.check()
    columns = _Columns(numbered, where)
    body = columns.checked(numbered, gathered.problems)
    name = stem_of(stream.path.name)
    known = meanings(stream.path.name, columns.headings)
    chosen = _chosen(len(body), options, gathered.problems, where)
    if not isinstance(chosen, slice):
        body = [body[k] for k in chosen.tolist()]
    if columns.coordinates >= 0:
        _take_geometries(body, columns, gathered, progress.part(0.1, 1.0))
        return gathered.dataset(name, Source(path=where, format="table with geometries"), ("smiles",), known)
    rows = [
        Row(cells[columns.smiles], cells[columns.name] if columns.name >= 0 else "", line, columns.values(cells))
        for line, cells in body
    ]
    how = build(rows, gathered, progress.part(0.1, 1.0), options)
    return gathered.dataset(name, _source(where, "table of SMILES", how), ("smiles",), known)


def _chosen(count: int, options: ReadOptions, problems: Problems, where: str) -> NDArray[np.int64] | slice:
    """Which rows are read: as asked for; a random sample of a table of more than :data:`MOST_ROWS`."""
    asked = options.sample is not None or options.first or options.every > 1
    if asked or count <= MOST_ROWS:
        return options.rows(count)
    text = f"{AUTOMATIC_SAMPLE:,} of {count:,} molecules are taken at random"
    problems.notice(where, text, "open it with #sample=… behind its name for another number (0: all)")
    return options.with_values(sample=AUTOMATIC_SAMPLE).rows(count)


class _Columns:
    """Which column of a table is what; DataError when there is neither SMILES nor geometry."""

    def __init__(self, rows: list[tuple[int, list[str]]], where: str) -> None:
        self.where = where
        first = rows[0][1]
        low = [h.lstrip("#").strip().lower() for h in first]
        self.coordinates = _find(low, _COORDINATE_HEADINGS)
        self.species = _find(low, _SPECIES_HEADINGS)
        if self.coordinates < 0 or self.species < 0:
            self.coordinates = self.species = -1
        self.smiles = _find(low, SMILES_HEADINGS)
        if self.smiles < 0:
            self.smiles = next((j for j, h in enumerate(low) if h.endswith("smiles")), -1)
        self.has_headings = self.smiles >= 0 or self.coordinates >= 0
        if not self.has_headings:
            sample = [cells for _, cells in rows[1:21]] or [first]
            good = [j for j in range(len(first)) if all(j < len(c) and parses(c[j]) for c in sample)]
            if not good:
                remedy = 'call the column with the SMILES "smiles"'
                raise DataError(Problem(where, "the table has no column of SMILES", remedy, rows[0][0]))
            self.smiles = max(good, key=lambda j: sum(len(c[j]) for c in sample))
            self.has_headings = not parses(first[self.smiles])
        self.headings = [h.lstrip("#").strip() for h in first] if self.has_headings else []
        self.width = len(first)
        while len(self.headings) < self.width:
            self.headings.append(f"column {len(self.headings) + 1}")
        self.headings = [h or f"column {j + 1}" for j, h in enumerate(self.headings)]
        self.name = _find(low, NAME_HEADINGS) if self.has_headings else -1

    def checked(self, rows: list[tuple[int, list[str]]], problems: Problems) -> list[tuple[int, list[str]]]:
        """The rows below the headings that have as many cells as the headings, at least up to what is needed."""
        body = []
        need = max(self.smiles, self.coordinates, self.species, self.name)
        for index, (line, cells) in enumerate(rows[1 if self.has_headings else 0 :]):
            if len(cells) <= need or len(cells) > self.width:
                text = f"{len(cells)} columns where {self.width} are expected"
                problems.add(self.where, text, "mend the line; texts with separators need quotes", line, index)
                continue
            body.append((line, cells + [""] * (self.width - len(cells))))
        return body

    def values(self, cells: list[str], skip: tuple[int, ...] = ()) -> dict[str, str]:
        """The cells that become properties, by heading; repeated headings are numbered."""
        found: dict[str, str] = {}
        for j, heading in enumerate(self.headings):
            if j in (self.smiles, self.name, self.coordinates, self.species, *skip):
                continue
            key, k = heading, 1
            while key in found or key == "smiles":
                k += 1
                key = f"{heading} ({k})"
            if cells[j]:
                found[key] = cells[j]
            else:
                found.setdefault(key, "nan")
        return found


def _find(headings: list[str], wanted: tuple[str, ...]) -> int:
    return next((headings.index(w) for w in wanted if w in headings), -1)


def _list_of(text: str) -> Any:
    return json.loads(text.replace("'", '"'))


def _take_geometries(
    body: list[tuple[int, list[str]]], columns: _Columns, gathered: Gatherer, progress: Progress
) -> None:
    """Structures from the lists in the table's cells; other cells that are lists of the atoms go along."""
    for start, stop in slices(len(body), progress, "Reading geometries", first=16):
        for index in range(start, stop):
            line, cells = body[index]
            try:
                species = _list_of(cells[columns.species])
                numbers = np.array([atomic_number(str(s)) for s in species], np.uint8)
                positions = np.array(_list_of(cells[columns.coordinates]), np.float64)
                if positions.shape != (len(numbers), 3):
                    raise ValueError(f"{len(numbers)} elements and coordinates of shape {positions.shape}")
            except (ValueError, TypeError, RecursionError) as error:
                gathered.problems.add(gathered.where, f"no geometry: {error}", "mend the row", line, index)
                continue
            atoms: dict[str, NDArray[np.float64]] = {}
            lists: list[int] = []
            for j, cell in enumerate(cells):
                if j in (columns.species, columns.coordinates) or not cell.startswith("["):
                    continue
                try:
                    array = np.array(_list_of(cell), np.float64)
                except (ValueError, TypeError, RecursionError):
                    lists += [j] if columns.headings[j].lower() in _SPECIES_HEADINGS else []
                    continue
                if (array.shape in ((len(numbers),), (len(numbers), 3)) and len(numbers) != 3) or array.ndim == 2:
                    lists.append(j)
                    if len(array) == len(numbers) and columns.headings[j].lower() not in _SPECIES_HEADINGS:
                        atoms[columns.headings[j]] = array
                elif array.ndim == 1:
                    cells[j] = " ".join(repr(float(x)) for x in array)
                    if columns.headings[j].lower() in _SPECIES_HEADINGS:
                        lists.append(j)
            values = columns.values(cells, tuple(lists))
            if columns.smiles >= 0:
                values = {"smiles": cells[columns.smiles], **values}
            name = cells[columns.name] if columns.name >= 0 else ""
            gathered.add(numbers, positions, values, line, index, name, atoms)
