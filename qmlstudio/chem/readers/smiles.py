"""SMILES, alone or in a table: geometries by ETKDG distance geometry and the MMFF94 force field (UFF where MMFF94
lacks parameters). Molecules for which that fails are listed, the others kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.streams import ByteStream, line_blocks
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.progress import SILENT, Progress, slices

SEED = 42
"""Of the distance geometry: the same SMILES gives the same geometry."""

TIMEOUT = 5
"""Seconds after which the embedding of one molecule is given up."""

MOST_ATOMS = 400
"""Atoms, hydrogens included, above which a SMILES is refused: one such molecule would take minutes."""

_HEADINGS = ("smiles", "canonical_smiles", "isomeric_smiles", "smi", "molecule_smiles", "structure_smiles")
_NAME_HEADINGS = ("identifier", "name", "_name", "id", "mol_id", "compound", "compound_id", "molecule_chembl_id")
_COORDINATE_HEADINGS = ("coordinates", "positions", "coords", "geometry")
_SPECIES_HEADINGS = ("atomtypes", "symbols", "elements", "species", "nuclear_charges", "atomic_numbers", "numbers")


@dataclass
class Row:
    """A molecule to be made: SMILES, name, further values, where it stands."""

    smiles: str
    name: str
    line: int
    values: dict[str, str] = field(default_factory=dict)


def embed(mol: Any, seed: int = SEED) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Numbers (N,) and positions (N, 3) in Å of an RDKit molecule, hydrogens added.

    ETKDGv3 (Wang, Witek, Landrum, Riniker, J. Chem. Inf. Model. 60, 2044 (2020)), then MMFF94 or UFF.

    Raises
    ------
    ValueError
        With the reason, when no geometry can be made.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    mol = Chem.AddHs(mol)
    if mol.GetNumAtoms() == 0:
        raise ValueError("no atoms")
    if mol.GetNumAtoms() > MOST_ATOMS:
        raise ValueError(f"{mol.GetNumAtoms()} atoms are too many (at most {MOST_ATOMS})")
    if any(atom.GetAtomicNum() == 0 for atom in mol.GetAtoms()):
        raise ValueError("it has a placeholder (*) for an atom")
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    if hasattr(parameters, "timeout"):
        parameters.timeout = TIMEOUT
    try:
        failed = rdDistGeom.EmbedMolecule(mol, parameters) != 0
        if failed:
            parameters.useRandomCoords = True
            failed = rdDistGeom.EmbedMolecule(mol, parameters) != 0
    except (RuntimeError, ValueError):
        failed = True
    if failed:
        raise ValueError("no geometry was found")
    _part_fragments(mol)
    try:
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=500)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=500)
    except (RuntimeError, ValueError):
        pass  # the distance geometry alone is a geometry, too
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], np.uint8)
    return numbers, np.array(mol.GetConformer().GetPositions(), np.float64)


def _part_fragments(mol: Any) -> None:
    """Put the molecules of a salt or complex side by side, 2.5 Å apart: they are embedded in one place."""
    from rdkit import Chem

    fragments = Chem.GetMolFrags(mol)
    if len(fragments) < 2:
        return
    conformer = mol.GetConformer()
    positions = np.array(conformer.GetPositions())
    edge = 0.0
    for atoms in fragments:
        own = positions[list(atoms)]
        own = own - own.mean(axis=0)
        own[:, 0] += edge - own[:, 0].min()
        edge = own[:, 0].max() + 2.5
        for atom, (x, y, z) in zip(atoms, own.tolist(), strict=True):
            conformer.SetAtomPosition(atom, (x, y, z))


def parses(smiles: str) -> bool:
    """Whether RDKit reads the text as SMILES of at least one atom."""
    from rdkit import Chem, rdBase

    if not smiles or len(smiles) > 5000 or not smiles.isascii():
        return False
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
    return mol is not None and mol.GetNumAtoms() > 0


def build(rows: list[Row], gathered: Gatherer, progress: Progress) -> None:
    """Make the geometries of `rows` in slices; failures become problems of `gathered`."""
    from rdkit import Chem, rdBase

    remedy = "check the SMILES, or give the molecule with coordinates (SDF, xyz)"
    message = "Making geometries (ETKDG, MMFF94)"
    for start, stop in slices(len(rows), progress, message):
        # molecule by molecule, since one may take seconds; the logs would go to the terminal
        for index in range(start, stop):
            progress.check()
            row = rows[index]
            with rdBase.BlockLogs():
                try:
                    mol = Chem.MolFromSmiles(row.smiles) if parses(row.smiles) else None
                    if mol is None:
                        raise ValueError("not a valid SMILES")
                    numbers, positions = embed(mol)
                except (ValueError, RuntimeError) as error:
                    text = f"{row.smiles[:60]}: {str(error).splitlines()[0] if str(error) else 'failed'}"
                    gathered.problems.add(gathered.where, text, remedy, row.line, index)
                    continue
            values = {"smiles": row.smiles, **row.values}
            gathered.add(numbers, positions, values, row.line, index, row.name)


def _source(path: str, form: str) -> Source:
    return Source(path=path, format=f"{form}, geometries by ETKDGv3 and MMFF94 (UFF)")


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
        if not rows and words[0].lower() in _HEADINGS:
            continue
        rows.append(Row(words[0], words[1] if len(words) > 1 else "", k + 1))
    return rows


def read_smiles(stream: ByteStream, progress: Progress = SILENT) -> Dataset:
    """Read a file with a SMILES (and a name) on each line; DataError when none can be used."""
    lines = (line for block in line_blocks(stream) for line in block)
    rows = smiles_rows(lines, progress)
    gathered = Gatherer(str(stream.path))
    gathered.problems.append(stream.damage_problem())
    build(rows, gathered, progress)
    return gathered.dataset(stem_of(stream.path.name), _source(str(stream.path), "SMILES"), ("smiles",))


def read_smiles_text(lines: list[str], name: str, progress: Progress = SILENT) -> Dataset:
    """Read SMILES lines that were pasted; DataError when none can be used."""
    gathered = Gatherer(name)
    build(smiles_rows(lines), gathered, progress)
    return gathered.dataset(name, _source("", "SMILES"), ("smiles",))


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


def read_table(stream: ByteStream, progress: Progress = SILENT) -> Dataset:
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
    if columns.coordinates >= 0:
        _take_geometries(body, columns, gathered, progress.part(0.1, 1.0))
        return gathered.dataset(name, Source(path=where, format="table with geometries"), ("smiles",))
    rows = [
        Row(cells[columns.smiles], cells[columns.name] if columns.name >= 0 else "", line, columns.values(cells))
        for line, cells in body
    ]
    build(rows, gathered, progress.part(0.1, 1.0))
    return gathered.dataset(name, _source(where, "table of SMILES"), ("smiles",))


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
        self.smiles = _find(low, _HEADINGS)
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
        self.name = _find(low, _NAME_HEADINGS) if self.has_headings else -1

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
