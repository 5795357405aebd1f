"""One HDF5 file of contiguous arrays that can be mapped into memory, with its own table of contents in front.

HDF5 so that any tool can read the arrays; contiguous and aligned so that none of them has to be copied. The table of
contents stands in the file's user block, which HDF5 leaves alone: opening needs neither the library nor a look at its
structures, which it could not survive if they were damaged.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.store.columns import Spool
from qmlstudio.progress import SILENT, Progress

MAGIC = b"QMLSTORE1\n"
_ALIGNED = 64
_BLOCK = 1 << 24
_CHECKED = 4096
"""Bytes at both ends of each array whose checksum is compared when a file is opened."""
_LEAST_BLOCK = 512
_MAP_NORESERVE = 0x4000
"""Linux: pages that are never written to need no room in memory or swap."""


class DamagedError(Exception):
    """A store that was not written to its end, was cut off or was changed since."""


def write(
    path: Path, arrays: Mapping[str, Spool], about: Mapping[str, Any], notes: Mapping[str, str], progress: Progress
) -> None:
    """Write arrays into a new file; each spool's file is removed as soon as it has been copied.

    Parameters
    ----------
    arrays : mapping of str to Spool
        By their paths in the file ("structures/positions").
    about : mapping
        What else is to be known, JSON-able.
    notes : mapping of str to str
        Attributes of the arrays' groups for readers of HDF5, "path@name": text.

    Raises
    ------
    OSError
        The disk is full, or the folder cannot be written to.
    """
    import h5py

    table: dict[str, Any] = {
        name: {"dtype": spool.dtype.str, "shape": list(spool.shape)} for name, spool in arrays.items()
    }
    block = _LEAST_BLOCK
    # room for the places and checksums that are not known yet
    room = len(json.dumps({"about": about, "arrays": table})) + 120 * len(table) + 256
    while block < room:
        block *= 2
    with h5py.File(
        path, "w", libver=("v110", "v110"), userblock_size=block, alignment_threshold=1, alignment_interval=_ALIGNED
    ) as file:
        for name, spool in arrays.items():
            # places are given at once, so that the content can be written without the library
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_layout(h5py.h5d.CONTIGUOUS)
            creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
            links.set_create_intermediate_group(True)
            space = h5py.h5s.create_simple(spool.shape)
            kind = h5py.h5t.py_create(spool.dtype, logical=True)
            made = h5py.h5d.create(file.id, name.encode(), kind, space, creation, links)
            table[name]["offset"] = made.get_offset() if spool.rows else 0
        for place, text in notes.items():
            group, _, name = place.rpartition("@")
            file[group or "/"].attrs[name] = text
    total = sum(math.prod(s.shape) * s.dtype.itemsize for s in arrays.values())
    done = 0
    with path.open("r+b") as goal:
        for name, spool in arrays.items():
            spool.close()
            done = _copy(spool.path, goal, int(table[name]["offset"]), done, total, progress)
            spool.path.unlink()
        size = goal.seek(0, os.SEEK_END)
        for name, spool in arrays.items():
            length = math.prod(spool.shape) * spool.dtype.itemsize
            at = int(table[name]["offset"])
            table[name]["ends"] = [_checksum(goal, at, length), _checksum(goal, at + length, -length)]
        contents = json.dumps({"about": about, "arrays": table, "size": size}).encode()
        digest = hashlib.blake2b(contents, digest_size=16).digest()
        head = MAGIC + len(contents).to_bytes(8, "little") + digest + contents
        if len(head) > block:
            raise AssertionError("the table of contents is larger than was reckoned")
        goal.seek(0)
        goal.write(head)
        goal.flush()
        os.fsync(goal.fileno())


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What was written, with the arrays mapped into memory: pages come when they are looked at.

    Writing into the arrays changes neither the file nor anybody else's arrays.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    DamagedError
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(len(MAGIC) + 24)
        if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 24:
            raise DamagedError(f"{path}: it does not begin as a store")
        length = int.from_bytes(start[len(MAGIC) : len(MAGIC) + 8], "little")
        text = file.read(length) if length < size else b""
        if hashlib.blake2b(text, digest_size=16).digest() != start[len(MAGIC) + 8 :]:
            raise DamagedError(f"{path}: its table of contents is damaged")
        found = json.loads(text)
        if found["size"] != size:
            raise DamagedError(f"{path}: it has {size:,} bytes, {found['size']:,} were written")
        for name, array in found["arrays"].items():
            length = _bytes(array)
            at = int(array["offset"])
            if array["ends"] != [_checksum(file, at, length), _checksum(file, at + length, -length)]:
                raise DamagedError(f"{path}: {name} is damaged")
        mapped = _mapped(file.fileno(), size)
    return found["about"], {name: _array(mapped, array) for name, array in found["arrays"].items()}


def _mapped(descriptor: int, size: int) -> mmap.mmap:
    # private to this process, and with permission to write: compiled loops are made for arrays that can be written
    # to, and would have to be compiled once more for others
    if hasattr(mmap, "MAP_PRIVATE"):
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", _MAP_NORESERVE if os.uname()[0] == "Linux" else 0)
        return mmap.mmap(descriptor, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)


def _bytes(array: Mapping[str, Any]) -> int:
    size: int = math.prod(array["shape"]) * np.dtype(array["dtype"]).itemsize
    return size


def _array(mapped: mmap.mmap, array: Mapping[str, Any]) -> NDArray[Any]:
    shape, dtype = tuple(array["shape"]), np.dtype(array["dtype"])
    count = math.prod(shape)
    if not count:
        return np.zeros(shape, dtype)
    return np.frombuffer(mapped, dtype, count, int(array["offset"])).reshape(shape)


def _checksum(file: Any, start: int, length: int) -> int:
    """Of the first bytes from `start`, or with a negative length of the last ones before it."""
    count = min(abs(length), _CHECKED)
    file.seek(start if length >= 0 else start - count)
    return zlib.crc32(file.read(count))


def _copy(source: Path, goal: Any, offset: int, done: int, total: int, progress: Progress = SILENT) -> int:
    goal.seek(offset)
    with source.open("rb") as file:
        while part := file.read(_BLOCK):
            goal.write(part)
            done += len(part)
            progress(done / max(total, 1), "Storing")
    return done
