"""How far the rows of one matrix are from the nearest of another, exactly, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.near import as_rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

BLOCK = 256


def nearest_distances(rows: Array, reference: Array | None = None, progress: Progress = SILENT) -> Floats:
    """Euclidean distance of each row to the nearest row of `reference`, (m,).

    Parameters
    ----------
    rows : (m, d) array
    reference : (n, d) array, optional
        None: the rows themselves, of which none is its own neighbour; equal ones are at distance 0.

    Returns
    -------
    (m,) float64
        NaN for rows that are not finite, and where no finite row is left to compare with.

    Notes
    -----
    Products of blocks, with their rounding allowed for, leave few pairs whose distance could be the least; these are
    measured from the rows' difference, so that equal rows are at distance 0.
    """
    from qmlstudio.learning._near_loops import nearest_of_block
    from qmlstudio.learning._threads import blas_threads

    own = as_rows(rows).astype(np.float64, copy=False)
    others = own if reference is None else as_rows(reference).astype(np.float64, copy=False)
    if own.shape[1] != others.shape[1]:
        raise ValueError(f"the rows have {own.shape[1]} columns, those of the reference {others.shape[1]}")
    found = np.full(len(own), np.nan)
    whole = np.flatnonzero(np.isfinite(others).all(axis=1))
    mine = np.flatnonzero(np.isfinite(own).all(axis=1))
    if len(whole) == 0 or len(mine) == 0:
        return found
    mean = others[whole].mean(axis=0)
    there = np.ascontiguousarray(others[whole] - mean)
    here = there if reference is None else np.ascontiguousarray(own[mine] - mean)
    norms, own_norms = np.einsum("ij,ij->i", there, there), np.einsum("ij,ij->i", here, here)
    # worst-case rounding of a product grows with its length; an eighth covers blocked summation
    slack = (here.shape[1] / 8 + 8) * float(np.finfo(np.float64).eps)
    best = np.full(len(here), np.inf)
    with blas_threads(1):
        for start in range(0, len(here), BLOCK):
            progress(start / len(here), "Nearest neighbours")
            block = here[start : start + BLOCK]
            for first in range(0, len(there), 4 * BLOCK):
                progress.check()
                part = there[first : first + 4 * BLOCK]
                nearest_of_block(
                    block @ part.T,
                    block,
                    part,
                    own_norms[start : start + BLOCK],
                    norms[first : first + 4 * BLOCK],
                    slack,
                    start - first if reference is None else -(1 << 60),
                    best[start : start + BLOCK],
                )
    found[mine] = np.where(np.isfinite(best), np.sqrt(best), np.nan)
    progress(1.0)
    return found
