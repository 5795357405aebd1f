"""Columns of values as people's files have them, made into properties: numbers if all are, else texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.units import ENERGY, LENGTH

Floats = NDArray[np.float64]
Column = Floats | list[str]
"""(n,) or (n, k) numbers, or n texts."""

MISSING = {"", "nan", "na", "n/a", "none", "null", "-", "?"}
_TRUTH = {"T": 1.0, "F": 0.0, "TRUE": 1.0, "FALSE": 0.0}
_UNITS = {
    **dict.fromkeys(ENERGY),
    **dict.fromkeys(LENGTH),
    **dict.fromkeys(f"{e}/{l}" for e in ENERGY for l in LENGTH),
    **dict.fromkeys(
        ("D", "K", "e", "cm⁻¹", "cm^-1", "1/cm", "GHz", "a0^3", "a0^2", "eV/atom", "cal/(mol K)", "log mol/L")
    ),
}
_UNIT_NAMES = {
    "ev": "eV",
    "mev": "meV",
    "ha": "Ha",
    "hartree": "Ha",
    "eh": "Ha",
    "a.u.": "Ha",
    "au": "Ha",
    "kcal/mol": "kcal/mol",
    "kj/mol": "kJ/mol",
    "ang": "Å",
    "angstrom": "Å",
    "å": "Å",
    "a": "Å",
    "bohr": "bohr",
    "nm": "nm",
    "pm": "pm",
}


_ENDINGS = {
    "ev": "eV",
    "mev": "meV",
    "ev_per_atom": "eV/atom",
    "ev_per_ang": "eV/Å",
    "hartree": "Ha",
    "ha": "Ha",
    "kcal": "kcal/mol",
    "kcal_mol": "kcal/mol",
    "kcal_per_mol": "kcal/mol",
    "kj_mol": "kJ/mol",
    "kj_per_mol": "kJ/mol",
    "debye": "D",
    "angstrom": "Å",
    "bohr": "bohr",
}
_ENDING = re.compile(rf"_({'|'.join(sorted(_ENDINGS, key=len, reverse=True))})$", re.IGNORECASE)


def unit_name(text: str) -> str:
    """The project's spelling of a unit ("hartree" → "Ha"); unknown ones as they are."""
    return _UNIT_NAMES.get(text.strip().lower(), text.strip())


def split_unit(label: str) -> tuple[str, str]:
    """Name and unit of a heading: "gap [eV]" always; "gap (eV)" and "gap / eV" when the unit is a known one.

    A heading such as "gap_ev" or "heat_ev_per_atom" keeps its name and has the unit, too.
    """
    label = label.strip()
    if found := re.fullmatch(r"(.*\S)\s*\[([^\[\]]*)\]", label):
        return found[1], found[2].strip()
    if (found := re.fullmatch(r"(.*\S)\s*\(([^()]+)\)", label) or re.fullmatch(r"(.*\S)\s+/\s+(\S+)", label)) and (
        found[2] in _UNITS
    ):
        return found[1], found[2]
    found = _ENDING.search(label)
    return label, _ENDINGS[found[1].lower()] if found else ""


def number(text: str) -> float:
    """A number as programs write it: also ``1.0*^-6`` (Mathematica) and ``1.0D-06`` (Fortran); else ValueError."""
    if "_" in text:  # Python reads 1_000 as a number; people mean a name
        raise ValueError(f"{text!r} is not a number")
    try:
        return float(text)
    except ValueError:
        return float(re.sub(r"\*\^|(?<=[\d.])[dD](?=[+-]?\d)", "e", text, count=1))


def convert(texts: Sequence[str | None]) -> Column:
    """Numbers if all texts (None is missing) are numbers, truth values or equally long rows of numbers; else texts."""
    values = np.empty(len(texts))
    try:
        for i, text in enumerate(texts):
            if text is None:
                values[i] = np.nan
                continue
            if "_" in text:  # Python reads 1_000 as a number; people mean a name
                raise ValueError
            values[i] = float(text)
        return values
    except ValueError:
        pass
    given = {t.strip() for t in texts if t is not None}
    if all(t in _TRUTH or t.upper() in _TRUTH for t in given) and given:
        return np.array([np.nan if t is None else _TRUTH[t.strip().upper()] for t in texts])
    if all(t.lower() in MISSING or is_number(t) for t in given) and any(is_number(t) for t in given):
        return np.array([np.nan if t is None or t.strip().lower() in MISSING else number(t) for t in texts])
    rows = [None if t is None else t.split() for t in texts]
    widths = {len(r) for r in rows if r is not None}
    if len(widths) == 1 and (width := widths.pop()) > 1 and width <= 64:
        try:
            return np.array([[np.nan] * width if r is None else [_plain(t) for t in r] for r in rows])
        except ValueError:
            pass
    return ["" if t is None else t for t in texts]


def _plain(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return "_" not in text


def text_array(texts: Sequence[str]) -> NDArray[np.str_]:
    """(n,) array of texts, made in pieces: one call for hundreds of thousands would hold up every other thread."""
    pieces = [np.array(texts[k : k + 16384], dtype=np.str_) for k in range(0, len(texts), 16384)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.str_)


def as_texts(column: Column) -> list[str]:
    """The texts of a column: numbers as shortly as they can be told apart to 12 digits, missing ones empty."""
    if isinstance(column, list):
        return column
    rows = column.reshape(len(column), -1)
    return ["" if np.isnan(row).all() else " ".join(f"{x:.12g}" for x in row) for row in rows]


def join(parts: Iterable[tuple[int, Column | None]]) -> Column:
    """One column from successive parts, each ``(length, column or None where the part lacks it)``."""
    parts = list(parts)
    there = [c for _, c in parts if c is not None]
    shapes = {None if isinstance(c, list) else c.shape[1:] for c in there}
    if len(shapes) == 1 and None not in shapes:
        shape = shapes.pop() or ()
        out = np.full((sum(n for n, _ in parts), *shape), np.nan)
        at = 0
        for n, column in parts:
            if column is not None:
                out[at : at + n] = column
            at += n
        return out
    return [t for n, c in parts for t in ([""] * n if c is None else as_texts(c))]


def unique_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or "name (2)", "name (3)", … if it is taken."""
    taken = set(taken)
    candidate, k = name, 1
    while candidate in taken:
        k += 1
        candidate = f"{name} ({k})"
    return candidate


def add_column(
    properties: dict[str, Property], name: str, column: Column, unit: str = "", description: str = ""
) -> None:
    """Add a column as one property of the structures; rows of k numbers become k properties ("dipole_x", …)."""
    if isinstance(column, list):
        properties[unique_name(name, properties)] = Property(text_array(column), "structure", unit, description)
        return
    if column.ndim == 1:
        properties[unique_name(name, properties)] = Property(column, "structure", unit, description)
        return
    k = column.shape[1]
    endings: Sequence[Any] = {3: "xyz", 6: ("xx", "yy", "zz", "yz", "xz", "xy")}.get(k, range(1, k + 1))
    if k == 9:
        endings = [a + b for a in "xyz" for b in "xyz"]
    for j, ending in enumerate(endings):
        title = unique_name(f"{name}_{ending}", properties)
        properties[title] = Property(np.ascontiguousarray(column[:, j]), "structure", unit, description)
