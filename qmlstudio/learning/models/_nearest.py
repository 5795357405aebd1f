"""How far structures lie from those that a model was trained on, in the model's own measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

QUANTILE = 0.95
"""Of the training structures' own distances: what is farther from them than that lies outside the domain."""
_SCRATCH = 1 << 16
"""Values that are worked on while they are in the cache."""


def nearest(block: Array, own: Floats, others: Floats, exclude: Array | None = None) -> Floats:
    """(m,) least of √(k_aa + k_bb − 2 k_ab) of each row's similarities to all columns.

    Parameters
    ----------
    block : (m, n) similarities
        Not changed, but for a moment where columns are excluded.
    own, others : (m,), (n,)
        Similarities of the rows' and the columns' structures with themselves.
    exclude : (m,) int, optional
        A column of each row that does not count (the structure itself); −1 for none.
    """
    m, n = block.shape
    if n == 0:
        return np.full(m, np.inf)
    rows = np.flatnonzero(exclude >= 0) if exclude is not None else np.empty(0, dtype=np.int64)
    columns = exclude[rows] if exclude is not None else rows
    kept = block[rows, columns].copy()
    block[rows, columns] = -np.inf
    found = np.empty(m)
    if np.ptp(others) == 0.0:
        found[:] = others[0] - 2.0 * block.max(axis=1).astype(np.float64)
    else:
        step = max(1, _SCRATCH // n)
        for start in range(0, m, step):
            squares = block[start : start + step] * -2.0
            squares += others
            found[start : start + step] = squares.min(axis=1)
    block[rows, columns] = kept
    return np.sqrt(np.maximum(found + own, 0.0))


def nearest_within(matrix: Array, diagonal: Floats, progress: Progress = SILENT) -> Floats:
    """(n,) of each structure of a symmetric matrix to the nearest other one; inf where there is no other."""
    n = len(matrix)
    found = np.empty(n)
    step = max(1, 4_000_000 // max(n, 1))
    for start in range(0, n, step):
        stop = min(start + step, n)
        found[start:stop] = nearest(matrix[start:stop], diagonal[start:stop], diagonal, np.arange(start, stop))
        progress(stop / n, "Distances")
    return found


def domain_of(distances: Floats) -> float | None:
    """The distance within which :data:`QUANTILE` of the training structures have another one; None if there is none."""
    finite = distances[np.isfinite(distances)]
    return float(np.quantile(finite, QUANTILE)) if len(finite) else None
