"""Data sets in our own form (:mod:`qmlstudio.chem.store`): mapped into memory, whatever their size."""

from __future__ import annotations

from dataclasses import replace

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Progress

_REMEDY = "make it again from the data set that it holds, or copy it again"


def is_store(head: bytes) -> bool:
    """Whether bytes begin as a store does."""
    from qmlstudio.chem.store.container import MAGIC

    return head.startswith(MAGIC)


def read_store(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Map a store into memory; the file must not be changed while the set is in use.

    Raises
    ------
    DataError
        It is damaged, of another version, or compressed.
    """
    from qmlstudio.chem.store.container import DamagedError
    from qmlstudio.chem.store.files import changed, open_store

    where = str(stream.path)
    if stream.is_compressed:
        raise DataError(Problem(where, "a compressed store cannot be mapped into memory", "decompress it first"))
    progress.check()
    try:
        data = open_store(stream.path)
    except (DamagedError, OSError) as error:
        raise DataError(Problem(where, str(error).removeprefix(f"{where}: "), _REMEDY)) from error
    return changed(data, source=replace(data.source, path=where))
