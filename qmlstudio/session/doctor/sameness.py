"""Which structures are the same: by bonds, and by geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.doctor.survey import Survey, periodic_rows, survey_of

Ints = NDArray[np.int64]

CONFORMERS = 2.0
"""Structures to a molecule from which on a set is one of conformers."""
_NEAR = 8
_SLACK = 1e-5
_APART = 1e3
"""Å between molecules of different composition in the space in which equal ones are looked for."""


@dataclass(frozen=True, eq=False)
class Molecules:
    """Structures by their bonds.

    Attributes
    ----------
    label : (n,) int64
        Equal for equal bond graphs; -1 for crystals and broken coordinates.
    count : int
        How many there are.
    known : int
        Structures that have a label.
    """

    label: Ints
    count: int
    known: int

    @property
    def is_conformers(self) -> bool:
        """A set of conformers: at least two structures to a molecule on the average."""
        return self.known >= CONFORMERS * self.count and self.known > 1


def molecules_of(structures: Structures, progress: Progress = SILENT) -> Molecules:
    """Group structures by their bond graphs; kept with the structures."""
    known = structures._cache.get("doctor molecules")
    if isinstance(known, Molecules):
        return known
    survey = survey_of(structures, progress)
    label = np.full(len(structures), -1, np.int64)
    good = survey.graphs[:, 0] != 0
    found, which = np.unique(survey.graphs[good, 0], return_inverse=True)
    label[good] = which.reshape(-1)
    result = Molecules(label, len(found), int(np.count_nonzero(good)))
    structures._cache["doctor molecules"] = result
    return result


def groups(labels: Ints) -> tuple[Ints, Ints]:
    """Members of each label of 0 and more, one after the other, and where each begins (with an end)."""
    order = np.argsort(labels, kind="stable")
    order = order[np.searchsorted(labels[order], 0) :]
    values = labels[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.zeros(0, int)
    return order, np.concatenate([starts, [len(order)]]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class SamePairs:
    """Pairs of structures with the same geometry.

    Attributes
    ----------
    pairs : (m, 2) int64
        The first before the second.
    apart : (m,) float64, Å
        RMSD, or the root mean square of the differences of all distances.
    way : (m,) int8
        As :data:`qmlstudio.learning._same_loops.TURNED` and so on.
    """

    pairs: Ints
    apart: NDArray[np.float64]
    way: NDArray[np.int8]


def same_geometries(structures: Structures, threshold: float, progress: Progress = SILENT) -> SamePairs:
    """Pairs of structures whose RMSD after superposition is at most `threshold` (Å); kept with the structures.

    Of each structure the eight nearest are compared with it, so that not every pair of a large group of equal ones is
    there, but every one of its members.
    """
    key = f"doctor same {threshold!r}"
    known = structures._cache.get(key)
    if isinstance(known, SamePairs):
        return known
    survey = survey_of(structures, progress.part(0.0, 0.2))
    candidates = _candidates(structures, survey, threshold, progress.part(0.2, 0.7))
    found, ways = np.empty(len(candidates)), np.empty(len(candidates), np.int8)
    from qmlstudio.learning._same_loops import compare_pairs

    arrays = np.asarray(structures.numbers), np.asarray(structures.positions), np.asarray(structures.offsets)
    periodic = periodic_rows(structures)
    for start, stop in slices(len(candidates), progress.part(0.7, 1.0), "Superposing", first=16):
        compare_pairs(*arrays, periodic, candidates, threshold, start, stop, found, ways)
    good = np.isfinite(found)
    result = SamePairs(candidates[good], found[good], ways[good])
    for old in [k for k in structures._cache if k.startswith("doctor same ")]:
        structures._cache.pop(old, None)
    structures._cache[key] = result
    return result


def _candidates(structures: Structures, survey: Survey, threshold: float, progress: Progress) -> Ints:
    """(m, 2) pairs that may be the same: no other is, but for those beyond the eight nearest.

    The sorted distances from the centre of two equal molecules, divided by √N, are at most RMSD apart.
    """
    from scipy.spatial import cKDTree

    sizes = structures.sizes
    rows = np.flatnonzero((survey.broken < 0) & (sizes > 0))
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    points = survey.blocks[rows].astype(np.float64)
    periodic = periodic_rows(structures)[rows]
    points[~periodic] /= np.sqrt(sizes[rows][~periodic])[:, None]
    points[np.ix_(periodic, np.arange(1, points.shape[1]))] *= 0.2
    distinct, composition = np.unique(survey.composition[rows], return_inverse=True)
    composition = composition.reshape(-1)
    counts = np.bincount(composition, minlength=len(distinct))
    some = counts[composition] > 1
    rows, points, composition = rows[some], points[some], composition[some]
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    points = np.column_stack([_APART * composition, points])
    reach = threshold + _SLACK
    progress(0.0, "Looking for equal geometries")
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    k = min(_NEAR + 1, len(points))
    pairs = [_adjacent(points, reach)]
    for start, stop in slices(len(points), progress.part(0.2, 1.0), "Looking for equal geometries", first=256):
        distance, index = tree.query(points[start:stop], k=k, distance_upper_bound=reach)
        near = np.asarray(index)
        one, column = np.nonzero(np.isfinite(distance))
        pairs.append(np.stack([one + start, near[one, column]], axis=1))
    both = rows[np.concatenate(pairs)]
    both = np.sort(both[both[:, 0] != both[:, 1]], axis=1)
    return np.ascontiguousarray(np.unique(both, axis=0), dtype=np.int64)


def _adjacent(points: NDArray[Any], reach: float) -> Ints:
    """Pairs of rows that are next to each other when sorted: of many equal ones each is linked to another."""
    order = np.lexsort(points.T[::-1])
    near = np.linalg.norm(points[order[1:]] - points[order[:-1]], axis=1) <= reach
    return np.stack([order[1:][near], order[:-1][near]], axis=1).astype(np.int64)
