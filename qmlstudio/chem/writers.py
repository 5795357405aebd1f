"""Writing data sets: extended xyz (which the reader reads back) and CSV. A file is replaced only when it is whole."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.columns import convert
from qmlstudio.chem.readers.frames import NUMBER_NAMES, POSITION_NAMES, SPECIES_NAMES
from qmlstudio.chem.readers.xyz import convention
from qmlstudio.chem.units import factor
from qmlstudio.progress import SILENT, Progress, slices

_RESERVED = {"lattice", "properties", "pbc", "identifier", "units"}
_BARE = re.compile(r"[^\s=\"'{}\[\],;\\]+")


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[str]]:
    """A text file that takes the place of `path` when it was written whole; else `path` stays as it was."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise DataError(Problem(str(path), error.strerror or str(error), "choose another folder")) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's files are for their owner alone
        os.replace(name, path)
    except OSError as error:
        raise DataError(Problem(str(path), error.strerror or str(error), "choose another place")) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def _quoted(text: str) -> str:
    """A key or value of a comment line, in quotes when it needs them."""
    if _BARE.fullmatch(text):
        return text
    for sign, mark in (("\\", "\\\\"), ('"', '\\"'), ("\r", " "), ("\n", "\\n")):
        text = text.replace(sign, mark)
    return f'"{text}"'


def _in_convention(key: str, p: Property) -> tuple[Any, str]:
    """Values and unit of a property: energies and forces in eV and eV/Å where the format's readers expect them."""
    expected = convention(key, p.target, "extended")[1]
    if expected and p.unit and p.unit != expected and not p.is_text:
        try:
            return p.values * factor(p.unit, expected), expected
        except ValueError:
            pass
    return p.values, p.unit


def write_extxyz(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> None:
    """Write structures, properties and identifiers as extended xyz.

    Numbers are written with all their digits: what is read back is equal bit for bit. Missing values are left out.
    Energies and forces under their usual names ("energy", "forces", …) are converted to eV and eV/Å, as everybody who
    reads the format expects; the other units stand in ``units`` of the first frame.

    Raises
    ------
    DataError
        The file cannot be written. An old one of that name is then left as it was.
    """
    path = Path(path)
    structures = dataset.structures
    units: dict[str, str] = {}
    whole: list[tuple[str, Any, bool]] = []
    atomic: list[tuple[str, Any]] = []
    for key, p in dataset.properties.items():
        values, unit = _in_convention(key, p)
        clean = key if p.target == "structure" else re.sub(r"[\s:=\"'|]+", "_", key)
        if p.target == "structure":
            if clean.lower() in _RESERVED:
                clean += "_"
            whole.append((clean, values, p.is_text))
            if p.is_text and not isinstance(convert([str(t) or None for t in values]), list):
                unit = "text"  # digits that are names would come back as numbers
        elif not p.is_text and values.ndim <= 2:
            if clean.lower() in SPECIES_NAMES | POSITION_NAMES | NUMBER_NAMES:
                clean += "_"
            atomic.append((clean, values.reshape(len(values), -1)))
        if unit and unit != convention(clean, p.target, "extended")[1] and not set("|\n") & set(clean + unit):
            units[clean] = unit
    kinds = "species:S:1:pos:R:3" + "".join(f":{k}:R:{v.shape[1]}" for k, v in atomic)
    note = f" units={_quoted('|'.join(f'{k}:{u}' for k, u in units.items()))}" if units else ""
    offsets = structures.offsets
    with _replaced(path) as file:
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=16):
            for i in range(start, stop):
                a, b = int(offsets[i]), int(offsets[i + 1])
                box = structures[i].cell
                lattice = "" if box is None else 'Lattice="' + " ".join(map(repr, box.reshape(-1).tolist())) + '" '
                pbc = 'pbc="F F F"' if box is None else 'pbc="T T T"'
                words = [f"{lattice}Properties={kinds}", f"identifier={_quoted(str(dataset.identifiers[i]))}"]
                words += [
                    f"{_quoted(k)}={_value(v[i], text, first=i == 0)}"
                    for k, v, text in whole
                    if i == 0 or (str(v[i]) != "" if text else not math.isnan(v[i]))
                ]
                file.write(f"{b - a}\n{' '.join(words)} {pbc}{note}\n")
                note = ""
                columns = [structures.positions[a:b], *(v[a:b] for _, v in atomic)]
                rows = np.concatenate(columns, axis=1).tolist()
                file.writelines(
                    f"{SYMBOLS[z]} {' '.join(map(repr, row))}\n"
                    for z, row in zip(structures.numbers[a:b], rows, strict=True)
                )


def _value(value: Any, text: bool, first: bool) -> str:
    if not text:
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 and number != 0 else repr(number)
    shown = _quoted(str(value))
    return shown if shown or not first else '""'


def write_csv(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> None:
    """Write the table of properties: identifier, number of atoms, then every property of the structures.

    Headings are ``name [unit]``; missing values are empty; properties of atoms are left out. A set with SMILES can be
    read again (its geometries are then made anew).

    Raises
    ------
    DataError
        The file cannot be written. An old one of that name is then left as it was.
    """
    path = Path(path)
    columns: list[tuple[str, Callable[[int], str]]] = [("identifier", lambda i: str(dataset.identifiers[i]))]
    if "n_atoms" not in dataset.properties:
        sizes = dataset.structures.sizes
        columns.append(("n_atoms", lambda i: str(int(sizes[i]))))
    columns += [(f"{k} [{p.unit}]" if p.unit else k, _cell(p)) for k, p in dataset.per_structure.items()]
    with _replaced(path) as file:
        csv.writer(file).writerow([heading for heading, _ in columns])
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=256):
            buffer = io.StringIO()
            rows = csv.writer(buffer)
            for i in range(start, stop):
                rows.writerow([cell(i) for _, cell in columns])
            file.write(buffer.getvalue())


def _cell(p: Property) -> Callable[[int], str]:
    values = p.values
    if p.is_text:
        return lambda i: str(values[i])
    return lambda i: "" if math.isnan(values[i]) else _value(values[i], False, False)
