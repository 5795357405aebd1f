"""Which loops draw the map: compiled ones once they are loaded, NumPy's until then."""

from __future__ import annotations

from types import ModuleType

_compiled: ModuleType | None = None


def warm_up() -> None:
    """Load the compiled loops: 0.3 s from the cache, 3 s when they must be compiled. Any thread may call it."""
    global _compiled
    if _compiled is None:
        from qmlstudio import numba_setup

        numba_setup.prepare()
        from qmlstudio.widgets import raster_loops

        _compiled = raster_loops


def is_ready() -> bool:
    """Whether the compiled loops are loaded."""
    return _compiled is not None


def loops() -> ModuleType:
    """:mod:`raster_loops`, or :mod:`raster_numpy` with the same functions."""
    if _compiled is not None:
        return _compiled
    from qmlstudio.widgets import raster_numpy

    return raster_numpy
