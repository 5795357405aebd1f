"""Charge and unpaired electrons of each structure: from columns, SMILES, or given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property
from qmlstudio.parameters import Parameterised, param

CHARGE_NAMES = ("charge", "total_charge", "q")
MULTIPLICITY_NAMES = ("multiplicity", "spin_multiplicity")
UNPAIRED_NAMES = ("unpaired", "uhf", "unpaired_electrons")
_BRACKET = re.compile(r"\[[^\]]*?(\+\d+|-\d+|\++|-+)(?::\d+)?\]")


@dataclass(frozen=True, kw_only=True)
class Charges(Parameterised):
    """Where charge and spin come from."""

    name: ClassVar[str] = "charges"
    title: ClassVar[str] = "Charge and spin"

    charge_from: str = param(
        "auto",
        label="Charge",
        choices=(("auto", "column, else SMILES, else 0"), ("smiles", "from the SMILES"), ("given", "the same for all")),
        help="A column counts when it is called charge, total_charge or q and has one whole number for each structure.",
    )
    charge: int = param(0, label="Charge of all", low=-20, high=20, help="Where it is the same for all.")
    unpaired: int | None = param(
        None,
        label="Unpaired electrons",
        low=0,
        high=20,
        none_label="column or parity",
        help="A column multiplicity or unpaired counts; without one, as few as the number of electrons allows.",
    )


def source_of(choice: Charges, properties: Mapping[str, Property]) -> str:
    """Where charges come from, for people."""
    column = _column(properties, CHARGE_NAMES)
    if choice.charge_from == "given":
        return f"{choice.charge:+d}" if choice.charge else "0"
    if choice.charge_from == "auto" and column is not None:
        return f"column {column}"
    return "from the SMILES" if _has_smiles(properties) else "0"


def assign(choice: Charges, properties: Mapping[str, Property], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Charge and unpaired electrons for each structure.

    Returns
    -------
    charges : (n,) int64
    unpaired : (n,) int64
        −1: by parity.

    Raises
    ------
    ValueError
        A column of charges holds what is no whole number.
    """
    charges = np.zeros(n, dtype=np.int64)
    column = _column(properties, CHARGE_NAMES)
    if choice.charge_from == "given":
        charges[:] = choice.charge
    elif choice.charge_from == "auto" and column is not None:
        charges = _whole(properties[column].values, column, 0)
    elif _has_smiles(properties):
        charges = smiles_charges(properties["smiles"].values)
    unpaired = np.full(n, -1, dtype=np.int64)
    if choice.unpaired is not None:
        unpaired[:] = choice.unpaired
    elif (name := _column(properties, UNPAIRED_NAMES)) is not None:
        unpaired = _whole(properties[name].values, name, -1)
    elif (name := _column(properties, MULTIPLICITY_NAMES)) is not None:
        found = _whole(properties[name].values, name, 0)
        unpaired = np.where(found >= 1, found - 1, -1)
    return charges, unpaired


def _has_smiles(properties: Mapping[str, Property]) -> bool:
    smiles = properties.get("smiles")
    return smiles is not None and smiles.is_text and smiles.target == "structure"


def smiles_charges(smiles: NDArray[np.str_]) -> NDArray[np.int64]:
    """(n,) sums of the charges in brackets; no chemistry is done."""
    found = np.zeros(len(smiles), dtype=np.int64)
    signed = np.char.find(smiles, "[") >= 0
    for i in np.flatnonzero(signed):
        for text in _BRACKET.findall(str(smiles[i])):
            number = int(text[1:]) if len(text) > 1 and text[1].isdigit() else len(text)
            found[i] += number if text[0] == "+" else -number
    return found


def _column(properties: Mapping[str, Property], names: tuple[str, ...]) -> str | None:
    lowered = {k.lower(): k for k, p in properties.items() if p.target == "structure" and not p.is_text}
    return next((lowered[k] for k in names if k in lowered), None)


def _whole(values: NDArray[np.float64], name: str, missing: int) -> NDArray[np.int64]:
    known = np.where(np.isfinite(values), values, missing)
    if np.abs(known - np.rint(known)).max(initial=0.0) > 1e-6 or np.abs(known).max(initial=0.0) > 1000:
        raise ValueError(f"column {name!r} holds what is no whole charge or count: choose “the same for all”")
    return np.rint(known).astype(np.int64)
