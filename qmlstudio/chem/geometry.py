"""Distances, angles, dihedrals, and superposition of structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What two, three or four atoms have between them.

    Attributes
    ----------
    kind : "distance", "angle" or "dihedral"
    value : float
        Å, or degrees: angles in [0, 180], dihedrals in (-180, 180]; NaN when undefined (atoms in a line or point).
    unit : "Å" or "°"
    mic : bool
        Whether nearest periodic images were taken and differ from the atoms as they stand.
    """

    kind: str
    value: float
    unit: str
    mic: bool = False

    def __str__(self) -> str:
        text = f"{self.value:.3f} Å" if self.unit == "Å" else f"{self.value:.1f}°"
        return text + (" (mic)" if self.mic else "")


def minimum_image(vectors: Any, cell: Any = None) -> Floats:
    """The shortest of all vectors that differ from the given ones by lattice translations.

    Parameters
    ----------
    vectors : (..., 3) float, Å
    cell : (3, 3) float or None, Å
        Lattice vectors in rows; None leaves the vectors as they are. Skewed cells are handled, too: after rounding, the
        neighbouring translations within two cells are compared (exact unless the cell is skewed beyond a reduced one).
    """
    v = np.asarray(vectors, dtype=np.float64)
    if cell is None or not np.asarray(cell).any():
        return v
    box = np.asarray(cell, dtype=np.float64)
    fractions = v @ np.linalg.inv(box)
    v = (fractions - np.round(fractions)) @ box
    steps = np.arange(-2, 3)
    shifts = np.array(np.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, -1).T @ box
    candidates = v[..., None, :] + shifts
    best = np.argmin((candidates**2).sum(axis=-1), axis=-1)
    return np.asarray(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])


def distance(a: Any, b: Any, cell: Any = None) -> float:
    """|b - a| in Å, to the nearest image when `cell` is given."""
    return float(np.linalg.norm(minimum_image(np.subtract(b, a), cell)))


def angle(a: Any, b: Any, c: Any, cell: Any = None) -> float:
    """The angle at `b` in degrees, in [0, 180]; NaN when atoms coincide."""
    u, v = minimum_image(np.array([np.subtract(a, b), np.subtract(c, b)], dtype=np.float64), cell)
    return _angle(u, v)


def _angle(u: Floats, v: Floats) -> float:
    if not u.any() or not v.any():
        return float("nan")
    # atan2 keeps its digits at 0 and 180 degrees, where the arc cosine loses half of them
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v)), np.dot(u, v))))


def dihedral(a: Any, b: Any, c: Any, d: Any, cell: Any = None) -> float:
    """The torsion a-b-c-d in degrees, in (-180, 180], positive clockwise seen from b to c (IUPAC).

    NaN when three atoms lie in a line.
    """
    bonds = np.array([np.subtract(b, a), np.subtract(c, b), np.subtract(d, c)], dtype=np.float64)
    u, v, w = minimum_image(bonds, cell)
    return _dihedral(u, v, w)


def _dihedral(u: Floats, v: Floats, w: Floats) -> float:
    m, n = np.cross(u, v), np.cross(v, w)
    scale = float(np.linalg.norm(v))
    if np.linalg.norm(m) <= 1e-12 * np.linalg.norm(u) * scale or np.linalg.norm(n) <= 1e-12 * np.linalg.norm(w) * scale:
        return float("nan")
    value = float(np.degrees(np.arctan2(scale * np.dot(u, n), np.dot(m, n))))
    return 180.0 if value == -180.0 else value


def measure(positions: Any, picked: Sequence[int], cell: Any = None) -> Measurement:
    """Distance, angle or dihedral of two, three or four picked atoms, in the order of picking.

    Parameters
    ----------
    positions : (N, 3) float, Å
    picked : sequence of int
    cell : (3, 3) float or None, Å

    Raises
    ------
    ValueError
        Not two, three or four atoms.
    IndexError
        No such atom.
    """
    atoms = [int(k) for k in picked]
    if not 2 <= len(atoms) <= 4:
        raise ValueError(f"two, three or four atoms can be measured, not {len(atoms)}")
    r = np.asarray(positions, dtype=np.float64)
    if min(atoms) < 0 or max(atoms) >= len(r):
        raise IndexError(f"atoms {atoms} of {len(r)}")
    plain = np.diff(r[atoms], axis=0)
    bonds = minimum_image(plain, cell)
    # an image as near as the atom itself is no reason to speak of images
    length = np.linalg.norm(bonds, axis=1)
    mic = bool((np.linalg.norm(plain, axis=1) > length + 1e-6).any())
    if not mic:
        bonds = plain
    if len(atoms) == 2:
        return Measurement("distance", float(np.linalg.norm(bonds[0])), "Å", mic)
    if len(atoms) == 3:
        return Measurement("angle", _angle(-bonds[0], bonds[1]), "°", mic)
    return Measurement("dihedral", _dihedral(bonds[0], bonds[1], bonds[2]), "°", mic)


@dataclass(frozen=True, eq=False)
class Superposition:
    """Result of :func:`kabsch`: ``moving @ rotation + translation`` lies on the reference.

    Attributes
    ----------
    rotation : (3, 3) float
        Proper (determinant 1), for row vectors.
    translation : (3,) float, Å
    rmsd : float, Å
        Root of the (weighted) mean square distance left.
    """

    rotation: Floats
    translation: Floats
    rmsd: float

    def apply(self, positions: Any) -> Floats:
        """Move positions (N, 3)."""
        return np.asarray(np.asarray(positions, dtype=np.float64) @ self.rotation + self.translation)


def kabsch(moving: Any, reference: Any, weights: Any = None) -> Superposition:
    """The rotation and translation that bring `moving` nearest to `reference`, atom by atom.

    Kabsch, Acta Cryst. A 32, 922 (1976); without reflection.

    Parameters
    ----------
    moving, reference : (N, 3) float, Å
        Same atoms in the same order.
    weights : (N,) float, optional
        Masses, say; equal when not given.

    Raises
    ------
    ValueError
        Shapes differ, or there is no atom.
    """
    a, b = np.asarray(moving, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 3 or len(a) == 0:
        raise ValueError(f"cannot superpose shapes {a.shape} and {b.shape}")
    w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64)
    w = w / w.sum()
    centre_a, centre_b = w @ a, w @ b
    u, _, vt = np.linalg.svd(((a - centre_a) * w[:, None]).T @ (b - centre_b))
    sign = np.array([1.0, 1.0, 1.0 if np.linalg.det(u @ vt) >= 0 else -1.0])
    rotation = (u * sign) @ vt
    left = (a - centre_a) @ rotation - (b - centre_b)
    rmsd = float(np.sqrt(w @ (left**2).sum(axis=1)))
    return Superposition(rotation, centre_b - centre_a @ rotation, rmsd)
