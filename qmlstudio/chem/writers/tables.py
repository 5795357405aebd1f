"""Tables: CSV, and Parquet with the geometries."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.writers.files import replaced
from qmlstudio.chem.writers.texts import cell_text, heading
from qmlstudio.progress import SILENT, Progress, slices

_GROUP = 1 << 14
"""Rows of a Parquet file's row group at most."""


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
    table = {k: p for k, p in dataset.per_structure.items() if p.values.ndim == 1}
    sizes = None if "n_atoms" in table else dataset.structures.sizes
    first = ["identifier"] if sizes is None else ["identifier", "n_atoms"]
    with replaced(path) as file:
        csv.writer(file).writerow([*first, *(heading(k, p) for k, p in table.items())])
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=256):
            buffer = io.StringIO()
            rows = csv.writer(buffer)
            for i in range(start, stop):
                begin = [str(dataset.identifiers[i])] if sizes is None else [str(dataset.identifiers[i]), int(sizes[i])]
                rows.writerow([*begin, *(cell_text(p, i) for p in table.values())])
            file.write(buffer.getvalue())


def write_parquet(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> None:
    """Write a Parquet table: a row for each structure, with its properties and its geometry.

    Columns are ``identifier``, the properties of the structures, then ``atomic_numbers`` (N), ``positions`` (3 N, Å,
    atom after atom) and, when there are crystals, ``cell`` (9, Å; null for molecules). Units stand in the metadata
    (``unit``) of each column. Missing numbers are NaN, missing texts null; properties of atoms are left out.

    Raises
    ------
    DataError
        pyarrow is not installed, or the file cannot be written. An old one of that name is then left as it was.
    """
    path = Path(path)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        remedy = 'pip install "qmlstudio[parquet]"'
        raise DataError(Problem(str(path), "Parquet is written by pyarrow, which is not installed", remedy)) from error
    structures = dataset.structures
    properties = {k: p for k, p in dataset.per_structure.items() if p.values.ndim == 1}
    taken = {"identifier", "atomic_numbers", "positions", "cell"}
    fields = [pa.field("identifier", pa.string())]
    for name, p in properties.items():
        notes = {k: v for k, v in (("unit", p.unit), ("description", p.description)) if v}
        shown = f"{name}_" if name in taken else name
        fields.append(pa.field(shown, pa.string() if p.is_text else pa.float64(), metadata=notes or None))
    fields.append(pa.field("atomic_numbers", pa.list_(pa.uint8())))
    fields.append(pa.field("positions", pa.list_(pa.float64()), metadata={"unit": "Å"}))
    if structures.cells is not None:
        fields.append(pa.field("cell", pa.list_(pa.float64()), metadata={"unit": "Å"}))
    schema = pa.schema(fields)

    def group(start: int, stop: int) -> Any:
        offsets = structures.offsets[start : stop + 1]
        a, b = int(offsets[0]), int(offsets[-1])
        local = (offsets - a).astype(np.int32)
        columns = [pa.array(dataset.identifiers[start:stop].tolist(), pa.string())]
        for p in properties.values():
            part = p.values[start:stop]
            columns.append(
                pa.array([t or None for t in part.tolist()], pa.string())
                if p.is_text
                else pa.array(np.ascontiguousarray(part))
            )
        columns.append(pa.ListArray.from_arrays(pa.array(local), pa.array(structures.numbers[a:b])))
        flat = np.ascontiguousarray(structures.positions[a:b]).reshape(-1)
        columns.append(pa.ListArray.from_arrays(pa.array(3 * local), pa.array(flat)))
        if structures.cells is not None:
            boxes = structures.cells[start:stop].reshape(-1, 9)
            columns.append(pa.array([b if any(b) else None for b in boxes.tolist()], pa.list_(pa.float64())))
        return pa.table(columns, schema=schema)

    with replaced(path, binary=True) as file, pq.ParquetWriter(file, schema) as writer:
        waiting: list[Any] = []
        count = 0
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=256):
            # small tables are gathered: a file of thousands of row groups is slow to read
            waiting.append(group(start, stop))
            count += stop - start
            if count >= _GROUP or stop == len(dataset):
                writer.write_table(pa.concat_tables(waiting))
                waiting, count = [], 0
        if not len(dataset):
            writer.write_table(schema.empty_table())
