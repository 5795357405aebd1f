"""Geometries of enumerated molecules, and what of them shows that a molecule cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.uint8]

LEAST_VOLUME = 0.345
"""Å³: least volume of the tetrahedron that the four bonds of a saturated atom span when they are 1 Å long."""
IDEAL_VOLUME = 8 / (9 * 3**0.5)
"""Å³: that of ideal sp³ carbon, 0.513."""


class NoGeometryError(ValueError):
    """Why a molecule got no geometry: `stage` is the name of the check that it failed."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage


def least_volume(molecule: Any, positions: Floats) -> float:
    """The least volume that the four neighbours of a tetravalent atom span, bonds scaled to 1 Å; in Å³, inf if none.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
        With explicit hydrogens.
    positions : (N, 3) float64, Å
    """
    least = float("inf")
    for atom in molecule.GetAtoms():
        if atom.GetDegree() != 4 or atom.GetAtomicNum() not in (6, 14):
            continue
        ends = positions[[n.GetIdx() for n in atom.GetNeighbors()]] - positions[atom.GetIdx()]
        lengths = np.linalg.norm(ends, axis=1, keepdims=True)
        if (lengths < 1e-6).any():
            return 0.0
        a, b, c, d = ends / lengths
        least = min(least, abs(float(np.dot(a - d, np.cross(b - d, c - d)))) / 6)
    return least


def geometry(smiles: str, seed: int, volume: float = LEAST_VOLUME) -> tuple[Numbers, Floats]:
    """Numbers (N,) and positions (N, 3) in Å by ETKDGv3 and MMFF94 (UFF), checked.

    Parameters
    ----------
    volume : float, Å³
        Least :func:`least_volume`; 0 asks for nothing.

    Raises
    ------
    NoGeometryError
        "embedding": distance geometry found none. "bonds": in the geometry other atoms are bound than in the molecule.
        "isomer": it is that of another stereoisomer. "strain": an atom's bonds are too flat.
    """
    from rdkit import Chem, rdBase

    from qmlstudio.chem.bonds import bonded_pairs
    from qmlstudio.chem.readers.geometries import embed

    with rdBase.BlockLogs():
        plain = Chem.MolFromSmiles(smiles)
        try:
            numbers, positions = embed(plain, seed)
        except ValueError as error:
            raise NoGeometryError("embedding", str(error)) from None
        molecule = Chem.AddHs(plain)
        wanted = {(min(p), max(p)) for p in ((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds())}
        if wanted != {(int(i), int(j)) for i, j in bonded_pairs(numbers, positions)}:
            raise NoGeometryError("bonds", "the atoms that are near are not those that are bound")
        conformer = Chem.Conformer(len(numbers))
        conformer.SetPositions(positions)
        molecule.AddConformer(conformer, assignId=True)
        flat = least_volume(molecule, positions)
        if flat < volume:
            raise NoGeometryError("strain", f"a tetrahedron of {flat:.3f} Å³ where {IDEAL_VOLUME:.3f} is ideal")
        if any(mark in smiles for mark in "@/\\") and not _is_same_isomer(molecule):
            raise NoGeometryError("isomer", "the geometry is that of another stereoisomer")
    return numbers, positions


def _is_same_isomer(molecule: Any) -> bool:
    """Whether all centres and double bonds that are given in a molecule are so in its geometry."""
    from rdkit import Chem

    built = Chem.Mol(molecule)
    Chem.AssignStereochemistryFrom3D(built, replaceExistingTags=True)
    free = Chem.ChiralType.CHI_UNSPECIFIED
    for given, found in zip(molecule.GetAtoms(), built.GetAtoms(), strict=True):
        if given.GetChiralTag() not in (free, found.GetChiralTag()):
            return False
    sides = (Chem.BondStereo.STEREOE, Chem.BondStereo.STEREOZ)
    for given, found in zip(molecule.GetBonds(), built.GetBonds(), strict=True):
        if given.GetStereo() in sides and given.GetStereo() != found.GetStereo():
            return False
    return True
