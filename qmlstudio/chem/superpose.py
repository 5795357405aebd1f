"""Two structures laid over each other, whatever the order of their atoms, be they the same molecule or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.geometry import Superposition, kabsch
from qmlstudio.progress import SILENT, Progress

Floats = NDArray[np.float64]

STARTS = 12
"""Rotations tried beside those that bring the principal axes together."""
MOST_ATOMS = 200
"""Of a structure with more only the principal axes are tried."""
ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Overlay:
    """How one structure lies on another.

    Attributes
    ----------
    superposition : Superposition
        Moves the second structure; its `rmsd` is of the matched atoms, NaN when there are none.
    pairs : (m, 2) int64
        Atoms of the first and of the second structure that lie on each other: of one element, as many as both have.
    """

    superposition: Superposition
    pairs: NDArray[np.int64]


def overlay(
    numbers: Any, positions: Any, other_numbers: Any, other_positions: Any, progress: Progress = SILENT
) -> Overlay:
    """Match the atoms of two structures, and turn the second so that matched atoms are nearest.

    By turns atoms of an element are assigned (Hungarian algorithm) and the structure is rotated (Kabsch), from some
    rotations; the best is kept. It is an optimum near one of these, as a rule the best there is for small molecules.
    Mirror images stay what they are.

    Parameters
    ----------
    numbers, other_numbers : (N,), (M,) int
    positions, other_positions : (N, 3), (M, 3) float, Å

    Raises
    ------
    ValueError
        One of them has no atom.
    """
    z, w = np.asarray(numbers).reshape(-1), np.asarray(other_numbers).reshape(-1)
    a = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    b = np.asarray(other_positions, dtype=np.float64).reshape(-1, 3)
    if not len(a) or not len(b):
        raise ValueError("a structure without atoms cannot be laid over another")
    common = [(np.flatnonzero(z == e), np.flatnonzero(w == e)) for e in np.intersect1d(z, w)]
    best: Overlay | None = None
    for rotation in _starts(a, b):
        progress.check()
        start = Superposition(rotation, a.mean(axis=0) - b.mean(axis=0) @ rotation, float("nan"))
        if not common:
            return Overlay(start, np.zeros((0, 2), dtype=np.int64))
        found = _refined(a, b, common, start)
        if best is None or found.superposition.rmsd < best.superposition.rmsd - 1e-9:
            best = found
    assert best is not None
    return best


def _starts(a: Floats, b: Floats) -> list[Floats]:
    """Rotations: principal axes on principal axes in the four ways that are no reflections, then random ones."""
    axes = []
    for positions in (a, b):
        _, vectors = np.linalg.eigh(np.cov((positions - positions.mean(axis=0)).T, bias=True))
        axes.append(vectors if np.linalg.det(vectors) > 0 else vectors * np.array([1.0, 1.0, -1.0]))
    signs = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    found = [axes[1] @ np.diag(s).astype(np.float64) @ axes[0].T for s in signs]
    if max(len(a), len(b)) <= MOST_ATOMS:
        rng = np.random.default_rng(0)
        for matrix in rng.normal(size=(STARTS, 3, 3)):
            q, r = np.linalg.qr(matrix)
            q = q * np.sign(np.diagonal(r))
            found.append(q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]])
    return found


def _refined(
    a: Floats, b: Floats, common: list[tuple[NDArray[np.intp], NDArray[np.intp]]], start: Superposition
) -> Overlay:
    """Assign and rotate until the assignment stays."""
    from scipy.optimize import linear_sum_assignment

    now, pairs = start, np.zeros((0, 2), dtype=np.int64)
    for _ in range(ROUNDS):
        moved = now.apply(b)
        parts = []
        for mine, theirs in common:
            squares = ((a[mine, None, :] - moved[None, theirs, :]) ** 2).sum(axis=2)
            i, j = linear_sum_assignment(squares)
            parts.append(np.column_stack([mine[i], theirs[j]]))
        new = np.concatenate(parts).astype(np.int64)
        if np.array_equal(new, pairs):
            break
        pairs = new
        now = kabsch(b[pairs[:, 1]], a[pairs[:, 0]])
    return Overlay(now, pairs)
