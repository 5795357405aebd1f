"""Compiled loops of clouds and paths, once they are loaded; NumPy's clouds until then."""

from __future__ import annotations

from types import ModuleType

from qmlstudio.widgets import cloud_numpy

_cloud: ModuleType | None = None
_paths: ModuleType | None = None


def warm_up() -> None:
    """Load the compiled loops: 0.2 s from the cache, 4 s when they must be compiled. Any thread may call it."""
    global _cloud, _paths
    if _paths is None:
        from qmlstudio import numba_setup

        numba_setup.prepare()
        from qmlstudio.widgets import cloud_loops, path_loops

        _cloud, _paths = cloud_loops, path_loops


def is_ready() -> bool:
    """Whether the compiled loops are loaded."""
    return _paths is not None


def cloud_loops() -> ModuleType:
    """:mod:`cloud_loops`, or :mod:`cloud_numpy` with the same functions."""
    return cloud_numpy if _cloud is None else _cloud


def path_loops() -> ModuleType | None:
    """:mod:`path_loops`, or None: Qt draws a few thousand lines itself."""
    return _paths
