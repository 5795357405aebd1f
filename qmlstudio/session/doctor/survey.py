"""What the geometries of a whole data set are like, looked at once for all checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.bonds import TOLERANCE
from qmlstudio.chem.elements import COVALENT_RADII
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress, slices

TIGHT = 1.15
"""Atoms nearer than this times the sum of their covalent radii are surely bonded; those across a strained cage
(bicyclo[1.1.1]pentane: 1.87 Å, 1.23 times) are not."""
SECONDS_PER_ATOM = 1e-6
_KEY = "doctor survey"
_NON_METALS = (1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 33, 34, 35, 36, 53, 54)
_USUAL = {1: 1, 5: 4, 6: 4, 7: 4, 8: 2, 9: 1, 14: 6, 15: 6, 16: 6, 17: 4, 34: 6, 35: 5, 53: 6}
"""Neighbours that an atom has at most in common molecules and ions."""


@dataclass(frozen=True, eq=False)
class Survey:
    """One row for each structure; see :func:`qmlstudio.learning._survey_loops.survey`.

    Attributes
    ----------
    composition : (n,) uint64
        Equal for equal formulas.
    graphs : (n, 3) uint64
        Equal for equal bonds: of all atoms, of the heavier ones, of these with their hydrogens. 0 for crystals, and
        where coordinates are not finite.
    parts : (n,) int32
        Connected parts; 0 for crystals.
    closest : (n,) float64
        Least ratio of a distance to the sum of covalent radii; infinite for a single atom.
    pairs : (n, 2) int32
        Between which atoms.
    lonely, lonely_atom : (n,) float64, int32
        Largest distance of an atom from its nearest, Å, and which it is.
    spread : (n,) float64
        Mean ratio of the distance to the nearest atom to the sum of covalent radii.
    crowded : (n, 2) int32
        An atom with more neighbours than is usual, or -1, and their number.
    broken : (n,) int32
        An atom whose coordinates are not finite, or -1.
    blocks : (n, 6) float32
        Nearly equal for equal geometries.
    """

    composition: NDArray[np.uint64]
    graphs: NDArray[np.uint64]
    parts: NDArray[np.int32]
    closest: NDArray[np.float64]
    pairs: NDArray[np.int32]
    lonely: NDArray[np.float64]
    lonely_atom: NDArray[np.int32]
    spread: NDArray[np.float64]
    crowded: NDArray[np.int32]
    broken: NDArray[np.int32]
    blocks: NDArray[np.float32]


def element_tables() -> tuple[Any, Any, Any, Any]:
    """(256,) each: covalent radii, most neighbours before bonds are dropped, whether a metal, usual neighbours."""
    from qmlstudio.chem.bonds import _MOST_NEIGHBOURS

    radii = np.zeros(256)
    radii[: len(COVALENT_RADII)] = COVALENT_RADII
    metal = np.ones(256, np.bool_)
    metal[list(_NON_METALS)] = False
    metal[0] = False
    usual = np.full(256, 127)
    usual[list(_USUAL)] = list(_USUAL.values())
    return radii, _MOST_NEIGHBOURS.astype(np.int64), metal, usual.astype(np.int64)


def is_known(structures: Structures) -> bool:
    """Whether the survey has been made already."""
    return _KEY in structures._cache


def survey_of(structures: Structures, progress: Progress = SILENT) -> Survey:
    """The survey of a set; made once, and kept with the structures."""
    known = structures._cache.get(_KEY)
    if isinstance(known, Survey):
        progress(1.0)
        return known
    from qmlstudio.learning._survey_loops import BLOCKS, survey

    n = len(structures)
    found = Survey(
        np.zeros(n, np.uint64),
        np.zeros((n, 3), np.uint64),
        np.zeros(n, np.int32),
        np.full(n, np.inf),
        np.full((n, 2), -1, np.int32),
        np.full(n, np.nan),
        np.full(n, -1, np.int32),
        np.full(n, np.nan),
        np.full((n, 2), -1, np.int32),
        np.full(n, -1, np.int32),
        np.zeros((n, BLOCKS), np.float32),
    )
    cells = np.zeros((0, 3, 3)) if structures.cells is None else np.asarray(structures.cells)
    arrays = np.asarray(structures.numbers), np.asarray(structures.positions), np.asarray(structures.offsets)
    tables = element_tables()
    for start, stop in slices(n, progress, "Looking at the geometries", first=64):
        survey(*arrays, cells, *tables, start, stop, TOLERANCE, TIGHT, *(getattr(found, f) for f in _FIELDS))
    structures._cache[_KEY] = found
    return found


_FIELDS = tuple(Survey.__dataclass_fields__)


def periodic_rows(structures: Structures) -> NDArray[np.bool_]:
    """(n,) which structures are crystals."""
    if structures.cells is None:
        return np.zeros(len(structures), np.bool_)
    rows: NDArray[np.bool_] = np.asarray(np.asarray(structures.cells).any(axis=(1, 2)))
    return rows
