"""How a data set goes through a compiled loop: in slices, over threads, with progress between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Progress, slices

Floats = NDArray[np.float64]
Loop = Callable[[int, int, int, Floats], int]
"""``loop(start, stop, step, scratch)``: works on items start, start + step, … and returns the first structure that is
not usable, −1, or another negative number that says what failed."""

COINCIDENT = 1e-4
"""Atoms closer than this (Å) lie at the same place."""

_LINE = 64
_SLICE_WORK = 50_000.0


def scratch(size: int) -> Floats:
    """(size,) float64, uninitialised, aligned to a cache line."""
    line = _LINE // 8
    raw = np.empty(size + line, dtype=np.float64)
    start = -(raw.ctypes.data // 8) % line
    return raw[start : start + size]


def frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A read-only, contiguous view (or copy, where needed): one type, so that a loop is compiled once."""
    view = np.ascontiguousarray(np.asarray(array), dtype=dtype).view()
    view.flags.writeable = False
    return view


def thread_count(threads: int | None) -> int:
    """The threads to use: `threads`, or as many as numba may."""
    from numba import get_num_threads

    return int(get_num_threads()) if threads is None else max(1, threads)


def drive(loop: Loop, total: int, size: int, cost: float, progress: Progress, message: str, threads: int) -> int:
    """Run `loop` over ``range(total)``; what it returned first that is not −1, or −1.

    The loop is compiled without the interpreter's lock, so ordinary threads run it side by side: one compiled form
    serves both lanes, the result cannot depend on the number of threads, and numba's own parallel runtime (which two
    threads must not enter) is not needed.

    Parameters
    ----------
    loop : Loop
    total : int
        Items.
    size : int
        Doubles of scratch for each thread.
    cost : float
        Guess of one item's time in µs: sets the length of the first slice.
    progress, message
        Called every ~50 ms in the calling thread.
    threads : int
    """
    first = int(_SLICE_WORK * threads / 4 / max(cost, 0.1)) + 1
    found = -1
    buffers = [scratch(size) for _ in range(threads)]
    with ThreadPoolExecutor(max(threads - 1, 1)) as pool:
        for start, stop in slices(total, progress, message, first=first):
            # neighbouring items are alike: dealing them out in turn shares the work evenly
            others = [pool.submit(loop, start + t, stop, threads, buffers[t]) for t in range(1, threads)]
            results = [loop(start, stop, threads, buffers[0]), *(other.result() for other in others)]
            if bad := [index for index in results if index != -1]:
                found = min(bad)
                break
    return found


def check_positions(structures: Structures) -> None:
    """Raise ValueError when a coordinate is not a finite number."""
    positions = np.asarray(structures.positions)
    if np.isfinite(positions).all():
        return
    atom = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
    index = int(np.searchsorted(structures.offsets, atom, side="right")) - 1
    raise ValueError(
        f"structure {index + 1} (index {index}): atom {atom - int(structures.offsets[index]) + 1} has a coordinate "
        "that is not a finite number"
    )


def coincident(structures: Structures, index: int) -> ValueError:
    """The error that says which atoms of structure `index` lie at the same place."""
    structure = structures[index]
    positions = np.asarray(structure.positions)
    distances = np.sqrt(((positions[:, None] - positions[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distances, np.inf)
    i, j = sorted(int(k) for k in np.unravel_index(int(distances.argmin()), distances.shape))
    symbols = structure.symbols
    return ValueError(
        f"structure {index + 1} (index {index}): atoms {symbols[i]}{i + 1} and {symbols[j]}{j + 1} lie at the same "
        "place; remove one of them"
    )
