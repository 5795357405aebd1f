"""Large files in parts: data sets of some ten megabytes each, put together as far as memory allows."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.streams import BLOCK, ByteStream
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Progress

BATCH_BYTES = 1 << 25
"""Bytes of arrays in one batch, about: small enough to be thrown away at once, large enough to be written in one go."""

MEMORY = 1 << 31
"""Bytes of arrays up to which a set is read whole into memory."""


def plain_stem(name: str) -> str:
    """The name of a file without its ending and without that of a compression: "md.xtc.gz" → "md"."""
    for ending in (".gz", ".bz2", ".xz"):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    return Path(name).stem or name


def weight(data: Dataset) -> int:
    """Bytes of the arrays of a data set."""
    structures = data.structures
    cells = 0 if structures.cells is None else structures.cells.nbytes
    arrays = structures.numbers.nbytes + structures.positions.nbytes + structures.offsets.nbytes + cells
    return arrays + data.identifiers.nbytes + sum(p.values.nbytes for p in data.properties.values())


def collected(parts: Iterable[Dataset], where: str, budget: int = MEMORY) -> Dataset:
    """Put batches together until they weigh `budget` bytes; what is left out then is said in the problems.

    Raises
    ------
    DataError
        There is no batch.
    """
    kept: list[Dataset] = []
    total = 0
    full = False
    for part in parts:
        if kept and total + weight(part) > budget:
            full = True
            break
        kept.append(part)
        total += weight(part)
    if not kept:
        raise DataError(Problem(where, "there is no structure in it", "check that this is the right file"))
    data = concatenated(kept)
    if full:
        text = (
            f"only the first {len(data):,} structures were read: the file is larger than {budget >> 20:,} MB of memory"
        )
        remedy = f"open {Path(where).name}#every=10, or #first=…, to choose what is read"
        data = replace(data, problems=(*data.problems, Problem(where, text, remedy, is_notice=True)))
    return data


def concatenated(parts: Sequence[Dataset]) -> Dataset:
    """One data set of successive parts; columns that a part lacks are missing there (NaN, empty).

    Name, source and order are the first part's.
    """
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([p.structures.sizes for p in parts])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    cells = None
    if any(p.structures.cells is not None for p in parts):
        cells = np.concatenate(
            [np.zeros((len(p), 3, 3)) if p.structures.cells is None else p.structures.cells for p in parts]
        )
    structures = Structures(
        np.concatenate([p.structures.numbers for p in parts]),
        np.concatenate([p.structures.positions for p in parts]),
        offsets,
        cells,
    )
    properties: dict[str, Property] = {}
    for key in dict.fromkeys(k for p in parts for k in p.properties):
        first = next(p.properties[key] for p in parts if key in p.properties)
        pieces: list[NDArray[Any]] = []
        for part in parts:
            own = part.properties.get(key)
            if own is not None and own.target == first.target and own.is_text == first.is_text:
                pieces.append(own.values)
            else:
                count = len(part) if first.target == "structure" else len(part.structures.numbers)
                shape = (count, *first.values.shape[1:])
                pieces.append(np.zeros(shape, np.str_) if first.is_text else np.full(shape, np.nan))
        properties[key] = replace(first, values=np.concatenate(pieces))
    problems = tuple(dict.fromkeys(problem for part in parts for problem in part.problems))
    identifiers = np.concatenate([p.identifiers for p in parts])
    return replace(parts[0], structures=structures, properties=properties, identifiers=identifiers, problems=problems)


@contextlib.contextmanager
def local_file(stream: ByteStream, progress: Progress) -> Iterator[Path]:
    """The file of a stream for libraries that open files by name: itself, or a decompressed copy while it is used.

    Raises
    ------
    DataError
        There is no room for the copy, or the compressed file is damaged.
    """
    if not stream.is_compressed:
        yield stream.path
        return
    name = stream.path.name
    for ending in (".gz", ".bz2", ".xz"):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    folder = tempfile.mkdtemp(prefix="qmlstudio-")
    try:
        path = Path(folder) / (name or "file")
        try:
            with path.open("wb") as copy:
                while block := stream.read(BLOCK):
                    progress(stream.fraction(), f"Decompressing {stream.path.name}")
                    copy.write(block)
        except OSError as error:
            text = f"it cannot be decompressed: {error.strerror or error}"
            raise DataError(Problem(str(stream.path), text, "decompress it by hand")) from error
        if (damage := stream.damage_problem()) is not None:
            raise DataError(damage)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
