"""Sets numba's cache folder when imported: every module with compiled loops imports this before numba."""

from __future__ import annotations

from qmlstudio.numba_setup import prepare

prepare()
