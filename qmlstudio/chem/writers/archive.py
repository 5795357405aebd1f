"""NumPy archives of whole data sets: flat arrays, read back without a loss."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.readers.npz_flat import ATOMS, STRUCTURES
from qmlstudio.chem.writers.files import replaced
from qmlstudio.progress import SILENT, Progress

_SLICE = 1 << 22


def write_npz(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> None:
    """Write an archive that :func:`numpy.load` opens, and the reader gives back equal bit for bit.

    Arrays: ``Z`` (A,) atomic numbers and ``R`` (A, 3) positions in Å of all atoms, structure after structure;
    ``offsets`` (n + 1,): atoms of structure i are ``offsets[i]:offsets[i + 1]``; ``cells`` (n, 3, 3) in Å when there
    are crystals; ``identifiers`` (n,); ``structures/NAME`` and ``atoms/NAME`` for the properties; ``about``, JSON with
    the units and what is known of the data.

    Raises
    ------
    DataError
        The file cannot be written. An old one of that name is then left as it was.
    """
    path = Path(path)
    structures, source = dataset.structures, dataset.source
    arrays: dict[str, NDArray[Any]] = {
        "Z": structures.numbers,
        "R": structures.positions,
        "offsets": structures.offsets,
        "identifiers": dataset.identifiers,
    }
    if structures.cells is not None:
        arrays["cells"] = structures.cells
    units, descriptions = {}, {}
    for name, p in dataset.properties.items():
        key = (STRUCTURES if p.target == "structure" else ATOMS) + name
        arrays[key] = p.values
        units[key], descriptions[key] = p.unit, p.description
    about = {
        "name": dataset.name,
        "ordered": dataset.ordered,
        "units": {k: u for k, u in units.items() if u},
        "descriptions": {k: d for k, d in descriptions.items() if d},
        "licence": source.licence,
        "reference": source.reference,
    }
    arrays["about"] = np.array(json.dumps(about, ensure_ascii=False))
    total = sum(a.nbytes for a in arrays.values()) or 1
    done = 0
    with replaced(path, binary=True) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                whole = np.asarray(array, order="C")
                np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(whole))
                # as many rows at a time as make a few megabytes: memory maps are never read whole
                step = max(1, _SLICE // max(whole.nbytes // max(len(whole), 1), 1)) if whole.ndim else 1
                rows = whole if whole.ndim else whole.reshape(1)
                for start in range(0, len(rows), step):
                    progress(done / total, f"Writing {path.name}")
                    part = np.ascontiguousarray(rows[start : start + step])
                    member.write(part.tobytes())
                    done += part.nbytes
    progress(1.0)
