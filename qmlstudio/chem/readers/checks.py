"""What no structure may have, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.errors import DataError, Problem

CLOSEST = 0.05
"""Å. Two atoms nearer than this are taken for an error in the file: half the least distance that a chemist would
ever make by hand (the nuclei of H2 are 0.74 Å apart), far above what rounding in a file does to one position."""

MOST_PROBLEMS = 1000
"""Problems that are listed one by one; the rest are counted."""


@dataclass(frozen=True)
class Fault:
    """A structure that cannot be used: its position in the batch, the atom (0-based) and the reason."""

    structure: int
    atom: int
    message: str
    remedy: str


class Problems:
    """Collects problems; after :data:`MOST_PROBLEMS` only counts them."""

    def __init__(self) -> None:
        self._listed: list[Problem] = []
        self._more = 0

    def __len__(self) -> int:
        return len(self._listed) + self._more

    def add(
        self, where: str, message: str, remedy: str = "", line: int | None = None, index: int | None = None
    ) -> None:
        """Note a problem; arguments as :class:`~qmlstudio.chem.errors.Problem` has them."""
        self.append(Problem(where, message, remedy, line, index))

    def append(self, problem: Problem | None) -> None:
        """Note a problem; None is nothing."""
        if problem is None:
            return
        if len(self._listed) < MOST_PROBLEMS or problem.is_notice:
            self._listed.append(problem)
        else:
            self._more += 1

    def notice(self, where: str, message: str, remedy: str = "") -> None:
        """Note what was done on purpose and people should know."""
        self.append(Problem(where, message, remedy, is_notice=True))

    def listed(self, where: str) -> tuple[Problem, ...]:
        """All problems in the order of the file, with a last one that counts those not listed."""
        listed = sorted(self._listed, key=lambda p: (p.where == where, p.where, p.line or 0, p.index or 0))
        if self._more:
            listed.append(Problem(where, f"and {self._more} more problems like these", "mend the listed ones first"))
        return tuple(listed)

    def raise_first(self, where: str) -> None:
        """Raise DataError with the first problem and the others behind it: nothing could be used."""
        listed = tuple(sorted(self.listed(where), key=lambda p: p.is_notice))
        if not listed:
            raise DataError(Problem(where, "there is no structure in it", "check that this is the right file"))
        raise DataError(listed[0], listed[1:])


def faults(positions: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[Fault]:
    """Structures with coordinates that are not finite or atoms nearer than :data:`CLOSEST`.

    Parameters
    ----------
    positions : (A, 3) float, Å
    sizes : (n,) int
        Atoms of each structure.

    Returns
    -------
    list of Fault
        At most one for each structure, in order. Periodic images are not looked at.
    """
    found: dict[int, Fault] = {}
    owner = np.repeat(np.arange(len(sizes)), sizes)
    first = np.concatenate([[0], np.cumsum(sizes)])
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(axis=1))
    if not finite.all():
        for atom in np.flatnonzero(~finite):
            s = int(owner[atom])
            if s not in found:
                text = "a coordinate is not a finite number"
                found[s] = Fault(s, int(atom - first[s]), text, "mend or delete the structure")
        positions = np.where(finite[:, None], positions, np.arange(len(positions))[:, None] * 10.0)
    for i, j in zip(*_close_pairs(positions, owner), strict=True):
        s = int(owner[i])
        if s not in found and finite[i] and finite[j]:
            a, b = sorted((int(i - first[s]) + 1, int(j - first[s]) + 1))
            distance = float(np.linalg.norm(positions[i] - positions[j]))
            text = f"atoms {a} and {b} lie on top of each other ({distance:.3f} Å)"
            found[s] = Fault(s, b - 1, text, "delete one of them or mend its position")
    return [found[s] for s in sorted(found)]


def _close_pairs(positions: NDArray[np.float64], owner: NDArray[np.int64]) -> tuple[Any, Any]:
    """Pairs of atoms of one structure nearer than CLOSEST: sorted along a direction in which no molecule is flat."""
    direction = np.array([0.53867, 0.70271, 0.46490])
    along = positions @ (direction / np.linalg.norm(direction))
    order = np.lexsort((along, owner))
    along, owner, points = along[order], owner[order], positions[order]
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    candidates = np.arange(len(order) - 1)
    step = 1
    while len(candidates):
        candidates = candidates[candidates + step < len(order)]
        other = candidates + step
        near = (owner[other] == owner[candidates]) & (along[other] - along[candidates] < CLOSEST)
        candidates = candidates[near]
        apart = ((points[candidates] - points[candidates + step]) ** 2).sum(axis=1)
        hit = candidates[apart < CLOSEST**2]
        left.append(order[hit])
        right.append(order[hit + step])
        step += 1
        if len(hit):  # one pair is enough for a structure; thousands of atoms may lie in one point
            candidates = candidates[~np.isin(owner[candidates], owner[hit])]
    i = np.concatenate(left) if left else np.zeros(0, np.int64)
    j = np.concatenate(right) if right else np.zeros(0, np.int64)
    by = np.argsort(np.minimum(i, j), kind="stable")
    return i[by], j[by]
