"""What changes along a trajectory: distances, angles, dihedrals of the same atoms in every frame; and fewer frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.geometry import minimum_image
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Representation

Floats = NDArray[np.float64]
_SLICE = 8192
KINDS = {2: "distance", 3: "angle", 4: "dihedral"}


def name_of(structures: Structures, atoms: Sequence[int]) -> str:
    """ "d(C1–C2)", "∠(C1–C2–O3)", "φ(…)" with the first frame's elements; atoms are counted from 1."""
    first = structures[0].symbols
    label = "–".join(f"{first[a]}{a + 1}" for a in atoms)
    return f"{ {2: 'd', 3: '∠', 4: 'φ'}[len(atoms)] }({label})"


def measured(structures: Structures, atoms: Sequence[int], progress: Progress = SILENT) -> Property:
    """One distance (Å), angle or dihedral (°) in every frame, to the nearest images where frames have a cell.

    Only the atoms asked for are read: a memory-mapped trajectory is not loaded.

    Parameters
    ----------
    structures : Structures
    atoms : two, three or four int
        0-based.

    Returns
    -------
    Property
        NaN for frames that lack one of the atoms, and where an angle is not defined.

    Raises
    ------
    ValueError
        Not two, three or four atoms.
    """
    chosen = [int(a) for a in atoms]
    if len(chosen) not in KINDS or min(chosen) < 0:
        raise ValueError(f"two, three or four atoms can be measured, not {chosen}")
    n = len(structures)
    values = np.full(n, np.nan)
    for start in range(0, n, _SLICE):
        progress(start / n)
        stop = min(start + _SLICE, n)
        begins = np.asarray(structures.offsets[start:stop])
        whole = np.flatnonzero(np.diff(structures.offsets[start : stop + 1]) > max(chosen))
        points = np.asarray(structures.positions[begins[whole, None] + np.array(chosen)])
        bonds = np.diff(points, axis=1)
        if structures.cells is not None:
            _nearest(bonds, np.asarray(structures.cells[start:stop])[whole], progress)
        values[start + whole] = _values(bonds)
    unit = "Å" if len(chosen) == 2 else "°"
    numbers = ", ".join(str(a + 1) for a in chosen)
    return Property(values, unit=unit, description=f"{KINDS[len(chosen)]} of atoms {numbers}")


def _nearest(bonds: Floats, cells: Floats, progress: Progress) -> None:
    """Nearest images, in place; frames in a row with equal cells together."""
    changes = np.flatnonzero((cells[1:] != cells[:-1]).any(axis=(1, 2))) + 1
    for k, (a, b) in enumerate(zip([0, *changes], [*changes, len(cells)], strict=True)):
        if k % 256 == 0:
            progress.check()
        bonds[a:b] = minimum_image(bonds[a:b], cells[a])


def _values(bonds: Floats) -> Floats:
    """(m,) from (m, 1, 3), (m, 2, 3) or (m, 3, 3) vectors from each atom to the next."""
    if bonds.shape[1] == 1:
        return np.asarray(np.linalg.norm(bonds[:, 0], axis=1))
    if bonds.shape[1] == 2:
        u, v = -bonds[:, 0], bonds[:, 1]
        angles = np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("ij,ij->i", u, v)))
        lost = ~u.any(axis=1) | ~v.any(axis=1)
        return np.where(lost, np.nan, angles)
    u, v, w = bonds[:, 0], bonds[:, 1], bonds[:, 2]
    m, n = np.cross(u, v), np.cross(v, w)
    norms = [np.linalg.norm(x, axis=1) for x in (u, v, w, m, n)]
    turned = np.degrees(np.arctan2(norms[1] * np.einsum("ij,ij->i", u, n), np.einsum("ij,ij->i", m, n)))
    lost = (norms[3] <= 1e-12 * norms[0] * norms[1]) | (norms[4] <= 1e-12 * norms[2] * norms[1])
    return np.where(lost, np.nan, np.where(turned == -180.0, 180.0, turned))


def thinned(
    structures: Structures, representation: Representation, count: int, progress: Progress = SILENT
) -> NDArray[np.int64]:
    """Frames that cover a trajectory: farthest points in the representation's features, ascending.

    Fewer come back where all others equal one that was chosen.
    """
    features = representation.compute(structures, progress.part(0.0, 0.6)).per_structure()
    landmarks = Landmarks(count=max(3, min(count, len(structures))))
    chosen = landmarks.select(features, progress.part(0.6, 1.0))
    return np.sort(chosen[:count])
