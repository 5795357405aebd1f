"""Extended xyz: structures, properties and identifiers; what is read back is equal bit for bit."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.readers.columns import convert
from qmlstudio.chem.readers.frames import NUMBER_NAMES, POSITION_NAMES, SPECIES_NAMES
from qmlstudio.chem.readers.xyz import convention
from qmlstudio.chem.units import factor
from qmlstudio.chem.writers.files import replaced
from qmlstudio.chem.writers.texts import number_text
from qmlstudio.progress import SILENT, Progress, slices

_RESERVED = {"lattice", "properties", "pbc", "identifier", "units"}
_BARE = re.compile(r"[^\s=\"'{}\[\],;\\]+")


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
    with replaced(path) as file:
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
        return number_text(float(value))
    shown = _quoted(str(value))
    return shown if shown or not first else '""'
