"""Columns of HDF5 files of conformers: which are values of conformers, which of atoms, and in which units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from qmlstudio.chem.readers.columns import unit_name

LEVELS = {
    "wb97x_dz": "ωB97X/6-31G(d)",
    "wb97x_tz": "ωB97X/def2-TZVPP",
    "hf_dz": "HF/cc-pVDZ",
    "hf_tz": "HF/cc-pVTZ",
    "hf_qz": "HF/cc-pVQZ",
    "mp2_dz": "MP2/cc-pVDZ",
    "mp2_tz": "MP2/cc-pVTZ",
    "mp2_qz": "MP2/cc-pVQZ",
    "npno_ccsd(t)_dz": "NPNO-CCSD(T)/cc-pVDZ",
    "npno_ccsd(t)_tz": "NPNO-CCSD(T)/cc-pVTZ",
    "tpno_ccsd(t)_dz": "TPNO-CCSD(T)/cc-pVDZ",
    "ccsd(t)_cbs": "CCSD(T)*/CBS",
}
"""Levels of theory by the beginning of a column's name."""

_UNITS: tuple[tuple[str, str, str], ...] = (
    # ending of the name, unit, description: table 3 of the paper on ANI-1x
    ("corr_energy", "Ha", "correlation energy"),
    ("energy", "Ha", "total energy"),
    ("forces", "Ha/Å", "forces"),
    ("mbis_dipoles", "a.u.", "atomic dipole moments"),
    ("mbis_quadrupoles", "a.u.", "atomic quadrupole moments"),
    ("mbis_octupoles", "a.u.", "atomic octupole moments"),
    ("mbis_volumes", "a.u.", "atomic volumes"),
    ("charges", "e", "atomic charges"),
    ("dipole", "e·Å", "dipole moment"),
    ("quadrupole", "e·Å²", "quadrupole moment"),
)


@dataclass(frozen=True)
class Column:
    """A data set of a group that becomes a column: what for, how many numbers, its name and unit."""

    name: str
    target: Literal["structure", "atom"]
    width: tuple[int, ...]
    unit: str
    description: str


def text_of(value: Any) -> str:
    """Text from what HDF5 gives: texts or their bytes."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def column_of(key: str, group: Any, count: int, size: int) -> tuple[Column | None, bool]:
    """What a data set of a group becomes (None when it is none of ours), and whether its shape says so surely."""
    dataset = group[key]
    shape = getattr(dataset, "shape", None)
    if not shape or dataset.dtype.kind not in "biuf" or shape[0] != count:
        return None, False
    inner = tuple(shape[1:])
    if len(inner) == 2 and inner[1] == 1:
        inner = inner[:1]
    name, unit, text = _meaning(key, text_of(dataset.attrs.get("units", "")))
    if inner in ((), (1,)):
        return Column(name, "structure", (), unit, text), count != size or inner != ()
    if inner in ((size, 3), (size,)) and not (inner == (size,) and key.endswith("dipole")):
        sure = not (inner == (size,) and size <= 9) and not (inner == (size, 3) and size == 3)
        known = bool(re.search(r"charge|volume|force|gradient|mbis|spin", key))
        return Column(name, "atom", inner[1:], unit, text), sure or known
    width = int(np.prod(inner))
    if width <= 9:
        return Column(name, "structure", (width,), unit, text), True
    return None, False


def _meaning(key: str, unit: str) -> tuple[str, str, str]:
    """Name, unit and description of a column."""
    unit = "/".join(unit_name(u) for u in unit.split("/")).replace("None", "")
    if key == "energies":
        return "energy", unit or "Ha", f"total energy, {LEVELS['wb97x_dz']}" if not unit else "total energy"
    level, _, quantity = key.rpartition(".")
    if unit:
        return key, unit, ""
    for ending, known, text in _UNITS:
        if quantity.endswith(ending):
            return key, known if level in LEVELS else "", f"{text}, {LEVELS[level]}" if level in LEVELS else ""
    return key, "", ""
