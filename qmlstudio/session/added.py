"""Columns that a piece of work added to a data set: computed properties, corrected units. Part of the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property

Arrays = dict[str, NDArray[Any]]
CORRECTED = "unit corrected"
"""Origin of a column whose numbers are the file's, and whose unit is not."""


@dataclass(frozen=True, eq=False)
class AddedColumn:
    """A property that is not in the data set's file.

    Attributes
    ----------
    name : str
        One that the data set has already hides the file's.
    values : Property
        One value for each structure, or for each atom.
    origin : str
        For people: "GFN2-xTB (tblite 0.4.0)", "unit corrected".
    """

    name: str
    values: Property
    origin: str = ""


Added = tuple[AddedColumn, ...]


def with_columns(added: Added, columns: Mapping[str, Property], origin: str) -> Added:
    """`added` with further columns; those of the same name are replaced in their place."""
    new = {c.name: c for c in added} | {k: AddedColumn(k, p, origin) for k, p in columns.items()}
    return tuple(new.values())


def without_columns(added: Added, names: Sequence[str]) -> Added:
    """`added` without the columns of these names."""
    return tuple(c for c in added if c.name not in names)


def to_storage(added: Added) -> tuple[list[dict[str, str]], Arrays]:
    """JSON-able descriptions, and the values as arrays "added/0", "added/1", …"""
    described = [
        {
            "name": c.name,
            "target": c.values.target,
            "unit": c.values.unit,
            "description": c.values.description,
            "origin": c.origin,
        }
        for c in added
    ]
    return described, {f"added/{k}": c.values.values for k, c in enumerate(added)}


def from_storage(data: object, arrays: Mapping[str, NDArray[Any]], dataset: Dataset) -> Added:
    """Inverse of :func:`to_storage`; what does not fit the data set or is of another version is left out."""
    found = []
    for k, meta in enumerate(data if isinstance(data, list) else ()):
        values = arrays.get(f"added/{k}")
        if not isinstance(meta, dict) or values is None:
            continue
        target: Literal["atom", "structure"] = "atom" if meta.get("target") == "atom" else "structure"
        if len(values) != (len(dataset) if target == "structure" else len(dataset.structures.numbers)):
            continue
        column = Property(values, target, str(meta.get("unit", "")), str(meta.get("description", "")))
        found.append(AddedColumn(str(meta.get("name", "")), column, str(meta.get("origin", ""))))
    return tuple(c for c in found if c.name)
