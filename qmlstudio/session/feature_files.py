"""Features on disk: a file that is never held in memory as a whole, and beside it what explains it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio import __version__
from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features, Representation

SUFFIX = ".npy"


def description_path(path: str | Path) -> Path:
    """The JSON file that lies beside a file of features."""
    return Path(path).with_suffix(".json")


def write_features(
    representation: Representation,
    dataset: Dataset,
    path: str | Path,
    progress: Progress = SILENT,
    *,
    dtype: Any = np.float32,
    threads: int | None = None,
) -> Features:
    """Compute the features of a data set into a memory-mapped ``.npy`` file.

    Beside it a JSON file of the same name says what they are: the representation with its values, the columns' names,
    the elements, the identifiers, and for local features at which row each structure starts. A file that was not
    finished (cancelled, failed) is removed.

    Returns
    -------
    Features
        Whose array is the memory map.

    Raises
    ------
    ValueError
        Another suffix than ``.npy``, or structures that the representation cannot describe.
    OSError
        No room on the disk, which is said before anything is computed.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: features are written as {SUFFIX} files; give the name that ending")
    structures = dataset.structures
    species = structures.species
    shape = (representation.rows(structures), representation.size(species))
    need = shape[0] * shape[1] * np.dtype(dtype).itemsize
    free = shutil.disk_usage(path.resolve().parent).free
    if need > free:
        raise OSError(
            f"{path}: the features need {need / 2**30:.1f} GiB and the disk has {free / 2**30:.1f} GiB free; choose "
            "another folder, float32, or a smaller representation"
        )
    unfinished = path.with_name(f".{path.name}.part")
    # a file of no rows cannot be mapped
    out: Any = np.empty(shape, dtype) if 0 in shape else None
    try:
        if out is None:
            out = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.dtype(dtype), shape=shape)
        features = representation.compute(structures, progress, species=species, out=out, threads=threads)
        if isinstance(out, np.memmap):
            out.flush()
        else:
            with unfinished.open("wb") as file:
                np.save(file, out)
        text = {
            "program": f"QML Studio {__version__}",
            "data_set": dataset.name,
            "fingerprint": dataset.fingerprint,
            "representation": representation.to_dict(),
            "unit": _unit(representation, dataset),
            "elements": list(species.symbols),
            "columns": representation.labels(species),
            "identifiers": [str(i) for i in dataset.identifiers],
            "row_offsets": None if features.offsets is None else [int(o) for o in features.offsets],
        }
        description_path(path).write_text(json.dumps(text, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return features


def _unit(representation: Representation, dataset: Dataset) -> str:
    if len(dataset) == 0:
        return ""
    return representation.layout(dataset.structures[0], dataset.structures.species).unit
