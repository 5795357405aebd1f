"""Writing data sets. A file is replaced only when it is whole; where a reader exists it gives back what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.writers.archive import write_npz
from qmlstudio.chem.writers.chemiscope import write_chemiscope
from qmlstudio.chem.writers.extxyz import write_extxyz
from qmlstudio.chem.writers.molecules import write_sdf, write_smiles
from qmlstudio.chem.writers.tables import write_csv, write_parquet
from qmlstudio.progress import SILENT, Progress

__all__ = [
    "FORMATS",
    "Format",
    "format_of",
    "write",
    "write_chemiscope",
    "write_csv",
    "write_extxyz",
    "write_npz",
    "write_parquet",
    "write_sdf",
    "write_smiles",
]

_PART = 1 << 18


@dataclass(frozen=True)
class Format:
    """A kind of file that can be written.

    Attributes
    ----------
    name : str
        Short and stable: "extxyz", "csv" …
    title : str
        For people.
    endings : tuple of str
        Of file names; the first is the usual one.
    write : callable (dataset, path, progress) -> problems or None
    keeps : str
        What becomes of the data, for people.
    columns : bool
        Whether properties are written at all.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    write: Callable[[Dataset, Path, Progress], tuple[Problem, ...] | None]
    keeps: str
    columns: bool = True


FORMATS: tuple[Format, ...] = (
    Format(
        "extxyz",
        "Extended xyz",
        (".xyz", ".extxyz"),
        write_extxyz,
        "Geometries, cells, columns and values of atoms, to the last digit; opens again as it is.",
    ),
    Format("csv", "CSV table", (".csv",), write_csv, "Columns only; opens again if there is one of SMILES."),
    Format(
        "sdf",
        "SDF",
        (".sdf",),
        write_sdf,
        "Geometries (four decimals), bonds and columns, for chemistry programs; no crystals.",
    ),
    Format(
        "npz",
        "NumPy archive",
        (".npz",),
        write_npz,
        "Everything, bit for bit, as flat arrays for Python; opens again as it is.",
    ),
    Format(
        "chemiscope",
        "chemiscope",
        (".json.gz", ".json"),
        write_chemiscope,
        "Everything, for the viewer of that name in the browser (chemiscope.org); opens again as it is.",
    ),
    Format("smiles", "SMILES", (".smi", ".smiles"), write_smiles, "SMILES and identifiers only.", columns=False),
    Format(
        "parquet",
        "Parquet table",
        (".parquet",),
        write_parquet,
        "Columns and geometries for data-frame programs; opens again, without the values of atoms.",
    ),
)
"""All that can be written. A new format is one more line."""


def format_of(path: str | Path) -> Format:
    """The format that a file's ending asks for.

    Raises
    ------
    DataError
        None has that ending; says which there are.
    """
    name = Path(path).name.lower()
    for form in FORMATS:
        if name.endswith(form.endings):
            return form
    known = ", ".join(f"{f.endings[0]} ({f.title})" for f in FORMATS)
    raise DataError(Problem(str(path), "the ending tells no format that can be written", f"use one of {known}"))


def write(
    dataset: Dataset,
    path: str | Path,
    progress: Progress = SILENT,
    columns: Mapping[str, Property] | None = None,
    rows: NDArray[Any] | None = None,
) -> tuple[Problem, ...]:
    """Write a data set in the format that the file's ending says.

    Parameters
    ----------
    columns : mapping of str to Property, optional
        What is written in place of the properties of the structures: some of them, derived ones ("cluster").
        Properties of atoms are written in any case where the format has a place for them.
    rows : (n,) bool or (m,) int, optional
        Which structures, in that order; all of them if not given.

    Returns
    -------
    tuple of Problem
        Structures that the format cannot hold and that were left out; empty as a rule.

    Raises
    ------
    DataError
        The ending is unknown, the data do not fit the format, or the file cannot be written. An old one of that name
        is then left as it was.
    Cancelled
    """
    form = format_of(path)
    if columns is not None:
        own = dict(columns)
        atoms = {k: p for k, p in dataset.properties.items() if p.target == "atom" and k not in own}
        dataset = replace(dataset, properties={**own, **atoms})
    if rows is not None:
        dataset = _chosen(dataset, rows, progress.part(0.0, 0.1))
        progress = progress.part(0.1, 1.0)
    return form.write(dataset, Path(path), progress) or ()


def _chosen(dataset: Dataset, rows: NDArray[Any], progress: Progress) -> Dataset:
    """A copy with some of the structures, made in parts so that it can be cancelled."""
    rows = np.asarray(rows)
    chosen = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    if len(chosen) == len(dataset) and np.array_equal(chosen, np.arange(len(chosen))):
        return dataset
    whole = dataset.structures
    sizes = whole.sizes[chosen]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    atoms = np.empty(int(offsets[-1]), np.int64)
    for start in range(0, len(chosen), _PART):
        progress(start / len(chosen), "Choosing the structures")
        stop = min(start + _PART, len(chosen))
        a, b = int(offsets[start]), int(offsets[stop])
        shift = whole.offsets[chosen[start:stop]] - offsets[start:stop]
        atoms[a:b] = np.repeat(shift, sizes[start:stop]) + np.arange(a, b)

    def taken(values: NDArray[Any], which: NDArray[np.int64]) -> NDArray[Any]:
        result = np.empty((len(which), *values.shape[1:]), values.dtype)
        for start in range(0, len(which), _PART):
            progress.check()
            result[start : start + _PART] = values[which[start : start + _PART]]
        return result

    cells = None if whole.cells is None else taken(whole.cells, chosen)
    structures = Structures(taken(whole.numbers, atoms), taken(whole.positions, atoms), offsets, cells)
    properties = {
        k: replace(p, values=taken(p.values, chosen if p.target == "structure" else atoms))
        for k, p in dataset.properties.items()
    }
    names = taken(dataset.identifiers, chosen)
    return replace(dataset, structures=structures, properties=properties, identifiers=names)
