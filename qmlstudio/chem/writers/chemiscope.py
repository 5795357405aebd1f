"""JSON for chemiscope, the viewer of structures and properties in the browser (https://chemiscope.org)."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.readers.chemiscope import LICENCE
from qmlstudio.chem.readers.columns import unique_name
from qmlstudio.chem.writers.files import replaced
from qmlstudio.progress import SILENT, Progress, slices

MAP = ("map 1", "map 2")
"""Columns of coordinates of a map: the viewer then opens with them as its axes."""

_CUTOFF = 3.5
_PART = 4096
_COMPONENT = "component"


def write_chemiscope(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> None:
    """Write structures, cells and properties of structures and atoms; compressed when the name ends with ".gz".

    Identifiers become a property. Numbers are written with all their digits: what is read back is equal bit for bit.
    Properties of atoms come with an environment for each atom. Missing numbers are NaN, as chemiscope has it.

    Raises
    ------
    DataError
        The file cannot be written. An old one of that name is then left as it was.
    """
    path = Path(path)
    atoms = {k: p for k, p in dataset.properties.items() if p.target == "atom" and p.values.ndim <= 2}
    whole = {k: p for k, p in dataset.per_structure.items() if p.values.ndim == 1}
    with replaced(path, binary=True) as raw:
        packed = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.name.lower().endswith(".gz") else None
        file = packed or raw

        def put(text: str) -> None:
            file.write(text.encode("utf-8"))

        put('{\n"meta": ' + json.dumps(_meta(dataset), ensure_ascii=False) + ',\n"structures": [')
        _put_structures(dataset, put, progress.part(0.0, 0.5), f"Writing {path.name}")
        put('],\n"properties": {')
        names: set[str] = set()
        columns = [("identifier", Property(np.asarray(dataset.identifiers))), *whole.items(), *atoms.items()]
        part = progress.part(0.5, 0.9)
        for k, (key, p) in enumerate(columns):
            part(k / len(columns), f"Writing {path.name}")
            name = unique_name(key, names)
            names.add(name)
            put((",\n" if k else "\n") + json.dumps(name, ensure_ascii=False) + ": ")
            _put_property(p, put, part)
        put("\n}")
        if set(MAP) <= names:
            axes = {axis: {"property": name} for axis, name in zip("xy", MAP, strict=True)}
            put(',\n"settings": ' + json.dumps({"map": axes}))
        if any(p.values.ndim == 2 for p in atoms.values()):
            widths = sorted({p.values.shape[1] for p in atoms.values() if p.values.ndim == 2})
            shown = {_parameter(w): {"values": list(range(1, w + 1)), "name": _COMPONENT} for w in widths}
            put(',\n"parameters": ' + json.dumps(shown))
        if atoms:
            put(',\n"environments": [')
            _put_environments(dataset, put, progress.part(0.9, 1.0), f"Writing {path.name}")
            put("]")
        put("\n}\n")
        if packed is not None:
            packed.close()
    progress(1.0)


def _meta(dataset: Dataset) -> dict[str, Any]:
    source = dataset.source
    meta: dict[str, Any] = {"name": dataset.name or "structures"}
    if source.licence:
        meta["description"] = LICENCE + source.licence
    if source.reference:
        meta["references"] = [source.reference]
    return meta


def _parameter(width: int) -> str:
    return _COMPONENT if width == 3 else f"{_COMPONENT} of {width}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    # JSON has no infinity; a number beyond all bounds is read as one everywhere
    return repr(value) if math.isfinite(value) else "1e999" if value > 0 else "-1e999"


def _put_structures(dataset: Dataset, put: Callable[[str], None], progress: Progress, message: str) -> None:
    structures = dataset.structures
    for start, stop in slices(len(dataset), progress, message, first=16):
        texts = []
        for i in range(start, stop):
            one = structures[i]
            x, y, z = ("[" + ", ".join(map(_number, c)) + "]" for c in one.positions.T.tolist())
            names = ", ".join(f'"{SYMBOLS[n]}"' for n in one.numbers.tolist())
            cell = ""
            if one.cell is not None:
                cell = f', "cell": [{", ".join(map(_number, one.cell.reshape(-1).tolist()))}]'
            texts.append(f'{{"size": {len(one)}, "names": [{names}], "x": {x}, "y": {y}, "z": {z}{cell}}}')
        put((",\n" if start else "\n") + ",\n".join(texts))


def _put_property(p: Property, put: Callable[[str], None], progress: Progress) -> None:
    put(f'{{"target": "{p.target}", "values": [')
    for start in range(0, len(p.values), _PART):
        progress.check()
        part: NDArray[Any] = np.asarray(p.values[start : start + _PART])
        if p.is_text:
            texts = [json.dumps(t, ensure_ascii=False) for t in part.tolist()]
        elif part.ndim == 1:
            texts = [_number(v) for v in part.tolist()]
        else:
            texts = [f"[{', '.join(map(_number, row))}]" for row in part.tolist()]
        put((", " if start else "") + ", ".join(texts))
    put("]")
    if p.values.ndim == 2:
        put(f', "parameters": ["{_parameter(p.values.shape[1])}"]')
    if p.unit:
        put(f', "units": {json.dumps(p.unit, ensure_ascii=False)}')
    if p.description:
        put(f', "description": {json.dumps(p.description, ensure_ascii=False)}')
    put("}")


def _put_environments(dataset: Dataset, put: Callable[[str], None], progress: Progress, message: str) -> None:
    sizes = dataset.structures.sizes
    for start, stop in slices(len(dataset), progress, message, first=64):
        texts = [
            f'{{"structure": {i}, "center": {j}, "cutoff": {_CUTOFF}}}'
            for i in range(start, stop)
            for j in range(int(sizes[i]))
        ]
        put((",\n" if start and texts else "") + ", ".join(texts))
