"""Which loops draw the map (compiled ones once they are loaded, NumPy's until then) and on how many threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

_compiled: ModuleType | None = None
_compiled_bins: ModuleType | None = None
_threads = min(2, os.cpu_count() or 1)
_helper: ThreadPoolExecutor | None = None


def warm_up() -> None:
    """Load the compiled loops: 0.5 s from the cache, 10 s when they must be compiled. Any thread may call it."""
    global _compiled, _compiled_bins
    if _compiled is None:
        from qmlstudio import numba_setup

        numba_setup.prepare()
        from qmlstudio.widgets import raster_bin_loops, raster_loops

        # the one that is asked for by is_ready() comes last
        _compiled_bins, _compiled = raster_bin_loops, raster_loops


def is_ready() -> bool:
    """Whether the compiled loops are loaded."""
    return _compiled is not None


def loops() -> ModuleType:
    """:mod:`raster_loops`, or :mod:`raster_numpy` with the same functions."""
    if _compiled is not None:
        return _compiled
    from qmlstudio.widgets import raster_numpy

    return raster_numpy


def bin_loops() -> ModuleType:
    """:mod:`raster_bin_loops`, or :mod:`raster_bin_numpy` with the same functions."""
    if _compiled is not None and _compiled_bins is not None:
        return _compiled_bins
    from qmlstudio.widgets import raster_bin_numpy

    return raster_bin_numpy


def use_threads(count: int) -> None:
    """Draw on one thread (while jobs want the other core) or on two.

    Raises
    ------
    ValueError
        For another number.
    """
    global _threads
    if count not in (1, 2):
        raise ValueError(f"the map is drawn on 1 or 2 threads, not {count}")
    _threads = count


def threads() -> int:
    """Threads to split the work for: 1 or 2, and 1 until the compiled loops (which release the GIL) are loaded."""
    return _threads if _compiled is not None else 1


def run(tasks: Sequence[Callable[[], int]]) -> int:
    """Do one or two tasks, the second on the helper thread meanwhile; returns the sum of their results."""
    global _helper
    if len(tasks) < 2 or threads() < 2:
        return sum(task() for task in tasks)
    if _helper is None:
        _helper = ThreadPoolExecutor(1, thread_name_prefix="map")
    other = _helper.submit(tasks[1])
    return tasks[0]() + other.result()
