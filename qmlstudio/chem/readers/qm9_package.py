"""The whole of QM9 from the tables of the package qm9pack, whose code is never run: it would need pandas."""

from __future__ import annotations

import csv
from array import array
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.builtin import QM9, QM9_PREFIX
from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import NUMBERS
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.columns import text_array
from qmlstudio.chem.readers.streams import LONGEST_LINE, ByteStream, line_blocks
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor
from qmlstudio.progress import SILENT, Progress

PACKAGE = "qm9pack"
PARTS = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")
"""The package's tables, in the order of the gdb index. The uncharacterised molecules are in none of them."""

COLUMNS = {
    "A": "RotA_GHz",
    "B": "RotB_GHz",
    "C": "RotC_GHz",
    "mu": "Dipole_debye",
    "alpha": "Polarizability_bohr3",
    "homo": "HOMO_au",
    "lumo": "LUMO_au",
    "gap": "HOMO_LUMO_gap_au",
    "r2": "R2_bohr2",
    "zpve": "ZPVE_au",
    "U0": "InternalEnergy_0K_au",
    "U": "InternalEnergy_298K_au",
    "H": "Enthalphy_298K_au",
    "G": "GibbsFreeEnergy_298K_au",
    "Cv": "Heatcapacity_Cv_cal_mol_K",
}
"""Property: heading in the package (its spelling). The units are QM9's own, nothing is converted."""

ATOM_U0 = {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730}
"""Ha; internal energies at 0 K of the free atoms at the same level, as published with QM9."""

_INDEX, _SMILES, _SIZE, _ELEMENTS, _POSITIONS, _CHARGES = (
    "Index",
    "SMILES",
    "N_atoms",
    "Elements",
    "XYZ_Ang",
    "Mulliken_pop",
)
_MESSAGE = "Reading QM9"


def package_folder() -> Path | None:
    """The folder with the tables of the installed package; None when it is not installed."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "data"
        if any((folder / part).is_file() for part in PARTS):
            return folder
    return None


def open_qm9(progress: Progress = SILENT) -> Dataset:
    """QM9 from the installed package: 130,831 molecules, in about 6 s.

    Raises
    ------
    DataError
        The package is not installed (the text says how to), or its tables cannot be used.
    Cancelled
    """
    folder = package_folder()
    if folder is None:
        remedy = 'pip install "qmlstudio[qm9]" (100 MB), then open it again'
        raise DataError(Problem(QM9_PREFIX, f"QM9 is not here: the package {PACKAGE} is not installed", remedy))
    return read_qm9(folder, progress)


def read_qm9(folder: Path, progress: Progress = SILENT) -> Dataset:
    """Read the package's tables.

    Parameters
    ----------
    folder : Path
        With "qm9_part1.csv" and its two successors. A table that is missing is a problem of the data set.
    progress : Progress

    Returns
    -------
    Dataset
        Properties, units and identifiers as those of the built-in "qm9_7", which is a part of it, bit for bit.

    Raises
    ------
    DataError
        No table, or none of their rows can be used.
    Cancelled
    """
    progress(0.0, _MESSAGE)
    problems = Problems()
    arrays = _arrays(_read(folder, problems, progress.part(0.0, 0.97)), problems, str(folder))
    progress(0.97)
    found = problems.listed(str(folder))
    progress(1.0)
    return _dataset(arrays, found)


def _dataset(arrays: dict[str, NDArray[Any]], problems: tuple[Problem, ...]) -> Dataset:
    properties = {
        name: Property(arrays[name], target, unit, description)
        for name, (unit, description, target) in QM9.columns.items()
    }
    try:
        form = f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        form = PACKAGE
    return Dataset(
        name=QM9.title,
        structures=Structures(arrays["numbers"], arrays["positions"], arrays["offsets"]),
        properties=properties,
        identifiers=arrays["identifiers"],
        source=Source(QM9_PREFIX, form, QM9.licence, QM9.reference),
        problems=problems,
    )


# -- the tables


class _Rows:
    """The rows that could be used, as flat arrays that grow."""

    def __init__(self) -> None:
        self.numbers = bytearray()
        self.positions = array("d")
        self.charges = array("d")
        self.sizes = array("q")
        self.values = array("d")
        self.indices = array("q")
        self.smiles: list[str] = []
        self.places: list[tuple[str, int]] = []
        """File and line, of the rows since :meth:`settle`."""
        self._settled = 0
        self._atoms = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def settle(self, problems: Problems) -> None:
        """Drop those of the newest rows whose geometry no molecule can have."""
        new = np.array(self.sizes[self._settled :], dtype=np.int64)
        positions = np.array(self.positions[3 * self._atoms :]).reshape(-1, 3)
        for fault in reversed(faults(positions, new) if len(new) else []):
            where, line = self.places[fault.structure]
            problems.add(where, fault.message, fault.remedy, line, line - 2)
            row = self._settled + fault.structure
            start = self._atoms + int(new[: fault.structure].sum())
            stop = start + self.sizes[row]
            del self.numbers[start:stop], self.charges[start:stop], self.positions[3 * start : 3 * stop]
            del self.sizes[row], self.indices[row], self.smiles[row]
            del self.values[row * len(COLUMNS) : (row + 1) * len(COLUMNS)]
        self.places.clear()
        self._settled, self._atoms = len(self.sizes), len(self.numbers)


@dataclass(frozen=True)
class _Headings:
    """Which column of a table is what."""

    width: int
    index: int
    smiles: int
    size: int
    elements: int
    positions: int
    charges: int
    values: tuple[int, ...]

    @classmethod
    def of(cls, cells: list[str]) -> _Headings:
        """ValueError names the headings that are missing."""
        named = (_INDEX, _SMILES, _SIZE, _ELEMENTS, _POSITIONS, _CHARGES)
        missing = [name for name in (*named, *COLUMNS.values()) if name not in cells]
        if missing:
            raise ValueError(f"it has no column {', '.join(missing)}")
        index, smiles, size, elements, positions, charges = (cells.index(name) for name in named)
        values = tuple(cells.index(name) for name in COLUMNS.values())
        return cls(len(cells), index, smiles, size, elements, positions, charges, values)


def _read(folder: Path, problems: Problems, progress: Progress) -> _Rows:
    rows = _Rows()
    sizes = [path.stat().st_size if (path := folder / part).is_file() else 0 for part in PARTS]
    done = 0
    for part, size in zip(PARTS, sizes, strict=True):
        total = max(sum(sizes), 1)
        try:
            with ByteStream(folder / part) as stream:
                _read_table(stream, rows, problems, progress.part(done / total, (done + size) / total))
        except DataError as error:
            problems.append(error.problem)
        done += size
    return rows


def _read_table(stream: ByteStream, rows: _Rows, problems: Problems, progress: Progress) -> None:
    where = str(stream.path)
    remedy = f"install {PACKAGE} again"
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    headings: _Headings | None = None
    number = 0
    for lines in line_blocks(stream):
        for line, text in enumerate(lines, number + 1):
            if not text or text.isspace():
                continue
            try:
                # line by line: a quote that is not closed must not swallow the rows that follow
                cells = next(csv.reader((text,), strict=True))
                if headings is None:
                    headings = _Headings.of(cells)
                    continue
                _take(cells, headings, rows)
            except (ValueError, KeyError, csv.Error) as error:
                message = f"unknown element {error}" if isinstance(error, KeyError) else str(error)
                if headings is None:
                    raise DataError(Problem(where, message, remedy, line)) from error
                problems.add(where, message, remedy, line, line - 2)
            else:
                rows.places.append((where, line))
        number += len(lines)
        rows.settle(problems)
        progress(stream.fraction(), _MESSAGE)
    problems.append(stream.damage_problem())


def _take(cells: list[str], at: _Headings, rows: _Rows) -> None:
    """Add a row; ValueError or KeyError (an element) before anything is added."""
    if len(cells) != at.width:
        raise ValueError(f"{len(cells)} columns where {at.width} are expected")
    # lists as Python prints them, but with numbers like "0." and "1.": not JSON
    symbols = cells[at.elements][1:-1].replace("'", "").split(",")
    numbers = bytes([NUMBERS[symbol] for symbol in symbols])
    size = len(numbers)
    if 0 in numbers:
        raise ValueError("it has a placeholder (X) for an atom")
    if cells[at.size].strip() != str(size):
        raise ValueError(f"{size} elements where {cells[at.size].strip()} atoms are announced")
    positions = _floats(cells[at.positions].replace("[", "").replace("]", ""))
    charges = _floats(cells[at.charges].strip("[] "))
    if len(positions) != 3 * size or len(charges) != size:
        raise ValueError(f"{size} elements with {len(positions)} coordinates and {len(charges)} charges")
    index = int(cells[at.index])
    values = [_value(cells[k]) for k in at.values]
    rows.numbers += numbers
    rows.positions.extend(positions)
    rows.charges.extend(charges)
    rows.sizes.append(size)
    rows.values.extend(values)
    rows.indices.append(index)
    rows.smiles.append(cells[at.smiles].strip())


def _floats(text: str) -> array[float]:
    if "_" in text:  # a number for Python only
        raise ValueError(f"not numbers: {text[:40]!r}")
    return array("d", map(float, text.split(",")))


def _value(text: str) -> float:
    """A property's number; NaN where the cell is empty."""
    if "_" in text:
        raise ValueError(f"not a number: {text[:40]!r}")
    return float(text) if text else float("nan")


def _arrays(rows: _Rows, problems: Problems, where: str) -> dict[str, NDArray[Any]]:
    """The arrays of the data set by name; DataError when there is no row."""
    n = len(rows)
    if not n:
        problems.raise_first(where)
    sizes = np.array(rows.sizes, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    structures = Structures(
        np.frombuffer(rows.numbers, np.uint8), np.frombuffer(rows.positions).reshape(-1, 3), offsets
    )
    values = np.frombuffer(rows.values).reshape(n, len(COLUMNS))
    named = {name: values[:, k].copy() for k, name in enumerate(COLUMNS)}
    free = np.full(256, np.nan)
    free[list(ATOM_U0)] = list(ATOM_U0.values())
    owner = np.repeat(np.arange(n), sizes)
    bound = named["U0"] - np.bincount(owner, free[structures.numbers], n)
    heavy = np.bincount(owner[structures.numbers > 1], minlength=n)
    return {
        "numbers": structures.numbers,
        "positions": structures.positions,
        "offsets": offsets,
        "identifiers": text_array([f"gdb {index}" for index in rows.indices]),
        "formula": text_array(structures.formulas()),
        "smiles": text_array(rows.smiles),
        "charge": np.frombuffer(rows.charges),
        "n_heavy": heavy.astype(np.float64),
        "n_atoms": sizes.astype(np.float64),
        # rounded, so that it does not depend on the order of a sum
        "U0_atomization": np.round(bound * factor("Ha", "kcal/mol"), 4),
        **named,
    }
