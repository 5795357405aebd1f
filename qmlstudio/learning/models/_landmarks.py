"""Which training structures stand for all, and how well they do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

_BLOCK = 64
"""Pivots that are chosen together."""


def structure_rows(rows: Rows) -> Array:
    """(n, d) one row for each structure: of local rows the mean over the atoms, zeros where there are none."""
    if rows.offsets is None:
        return rows.array
    starts, counts = rows.offsets[:-1], np.diff(rows.offsets)
    filled = counts > 0
    mean = np.zeros((len(counts), rows.array.shape[1]), dtype=rows.array.dtype)
    if filled.any():
        mean[filled] = np.add.reduceat(rows.array, starts[filled], axis=0) / counts[filled, None]
    return mean


def choose(
    rows: Rows, count: int, method: str, seed: int, progress: Progress = SILENT, threads: int | None = None
) -> NDArray[np.int64]:
    """Indices of `count` landmarks at most, ascending; all if there are no more."""
    if count >= len(rows):
        return np.arange(len(rows))
    chooser = Landmarks(count=max(count, 3), method=method, seed=seed)
    candidates = chooser.draw(len(rows))
    if method == "random":
        return candidates[:count] if len(candidates) > count else candidates
    features = structure_rows(rows if len(candidates) == len(rows) else rows.take(candidates))
    return np.sort(candidates[chooser.select(features, progress, threads)[:count]])


def pivoted_factor(
    kernel: Kernel,
    rows: Rows,
    rank: int,
    seed: int = 0,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> tuple[Floats, Floats]:
    """A partial Cholesky factor whose pivots are drawn at random, in proportion to what is not yet explained.

    Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, Commun. Pure Appl. Math. 78, 995 (2025), algorithm 4 (in blocks).

    Returns
    -------
    factor : (r, n) float64
        K ≈ factorᵀ factor; r is at most `rank`, less where nothing is left to explain.
    left : (n,) float64
        What is not explained of the diagonal.
    """
    from scipy.linalg import solve_triangular

    n = len(rows)
    random = np.random.default_rng(seed)
    left = np.array(kernel.diagonal(rows), dtype=np.float64)
    total = float(left.sum())
    factor = np.empty((min(rank, n), n))
    done = 0
    while done < len(factor):
        progress(done / len(factor), "Preconditioner")
        likely = np.flatnonzero(left > 1e-14 * total / n)
        if left.sum() <= 1e-13 * total or not len(likely):
            break
        count = min(_BLOCK, len(factor) - done, len(likely))
        pivots = np.sort(random.choice(likely, count, replace=False, p=left[likely] / left[likely].sum()))
        block = kernel.matrix(rows.take(pivots), rows, threads=threads)
        known = np.ascontiguousarray(factor[:done, pivots].T)
        step = max(1, 1_000_000_000 // max(count * done, 1))
        for start in range(0, n, step):
            progress.check()
            block[:, start : start + step] -= known @ factor[:done, start : start + step]
        core = block[:, pivots]
        core = 0.5 * (core + core.T)
        # pivots of one block may be alike: the smallest shift that makes it positive
        shift = 10.0 * np.finfo(float).eps * float(np.trace(core))
        while True:
            try:
                lower = np.linalg.cholesky(core + shift * np.eye(count))
                break
            except np.linalg.LinAlgError:
                shift *= 10.0
        factor[done : done + count] = solve_triangular(lower, block, lower=True, check_finite=False)
        left -= np.einsum("ij,ij->j", factor[done : done + count], factor[done : done + count])
        np.maximum(left, 0.0, out=left)
        left[pivots] = 0.0
        done += count
    return factor[:done], left
