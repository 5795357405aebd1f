"""NumPy archives of whole data sets, as :mod:`qmlstudio.chem.writers.archive` writes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.chem.structures import Structures

STRUCTURES, ATOMS = "structures/", "atoms/"
"""Before the names of properties of structures and of atoms."""


def is_flat(arrays: dict[str, NDArray[Any]]) -> bool:
    """Whether an archive holds molecules of different sizes one after the other."""
    return {"Z", "R", "offsets"} <= set(arrays)


def flat_dataset(arrays: dict[str, NDArray[Any]], where: str, file_name: str, problems: Problems) -> Dataset:
    """The data set of an archive for which :func:`is_flat` holds; DataError when its arrays do not fit each other."""
    z, r, offsets, cells = arrays["Z"], arrays["R"], arrays["offsets"], arrays.get("cells")
    fits = (
        z.ndim == 1
        and z.dtype.kind in "iuf"
        and r.shape == (len(z), 3)
        and r.dtype.kind in "iuf"
        and offsets.ndim == 1
        and offsets.dtype.kind in "iu"
        and len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(z)
        and bool((offsets[1:] >= offsets[:-1]).all())
    )
    n = len(offsets) - 1 if fits else 0
    if not fits or (cells is not None and (cells.shape != (n, 3, 3) or cells.dtype.kind not in "iuf")):
        text = f"Z {z.shape}, R {r.shape} and offsets {offsets.shape} do not belong together"
        remedy = "Z (A,), R (A, 3), and offsets (n + 1,) that rise from 0 to A; cells (n, 3, 3)"
        raise DataError(Problem(where, text, remedy), problems.listed(where))
    about = _about(arrays, where, problems)
    units, descriptions = about.get("units", {}), about.get("descriptions", {})
    offsets = offsets.astype(np.int64)
    sizes = np.diff(offsets)
    r = np.asarray(r, np.float64)
    wrong = ~(np.isfinite(z) & (z >= 1) & (z <= 118) & (z == np.floor(z)))
    running = np.concatenate([[0], np.cumsum(wrong)])
    good = running[offsets[1:]] == running[offsets[:-1]]
    for i in np.flatnonzero(~good):
        problems.add(where, "an atomic number is no element's", "mend the array Z", index=int(i))
    for fault in faults(r, sizes):
        if good[fault.structure]:
            problems.add(where, f"{fault.message}, atom {fault.atom + 1}", fault.remedy, index=fault.structure)
        good[fault.structure] = False
    if n and not good.any():
        problems.raise_first(where)
    structures = Structures(np.where(wrong, 0, z).astype(np.uint8), r, offsets, cells)
    properties: dict[str, Property] = {}
    for key, array in arrays.items():
        of_atoms = key.startswith(ATOMS)
        if not (of_atoms or key.startswith(STRUCTURES)):
            continue
        if array.dtype.kind not in "biufU" or not array.ndim or len(array) != (len(z) if of_atoms else n):
            problems.add(where, f"array {key!r} of shape {array.shape} fits no structures", "save it again")
            continue
        name = key.removeprefix(ATOMS if of_atoms else STRUCTURES)
        unit, description = str(units.get(key, "")), str(descriptions.get(key, ""))
        properties[name] = Property(array, "atom" if of_atoms else "structure", unit, description)
    names = arrays.get("identifiers")
    if names is None or names.shape != (n,) or names.dtype.kind != "U":
        names = np.array([str(i + 1) for i in range(n)], dtype=np.str_)
    source = Source(
        path=where,
        format="NumPy archive of a data set",
        licence=str(about.get("licence", "")),
        reference=str(about.get("reference", "")),
    )
    title = str(about.get("name") or stem_of(file_name))
    whole = Dataset(title, structures, properties, names, source, ordered=bool(about.get("ordered", False)))
    kept = whole if good.all() else whole.take(np.flatnonzero(good))
    return Dataset(
        title,
        kept.structures,
        kept.properties,
        kept.identifiers,
        source,
        problems.listed(where),
        whole.ordered and kept.structures.is_uniform,
    )


def _about(arrays: dict[str, NDArray[Any]], where: str, problems: Problems) -> dict[str, Any]:
    array = arrays.get("about")
    if array is None or array.size != 1 or array.dtype.kind != "U":
        return {}
    try:
        found = json.loads(str(array.reshape(-1)[0]))
    except ValueError as error:
        problems.add(where, f"array 'about' is no JSON: {error}", "units are unknown now; write it again")
        return {}
    tables = isinstance(found, dict) and all(isinstance(found.get(k, {}), dict) for k in ("units", "descriptions"))
    return found if tables else {}
