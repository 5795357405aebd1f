"""Terms of the universal force field for molecules whose bonds are perceived from their geometry.

A. K. Rappé et al., J. Am. Chem. Soc. 114, 10024 (1992), with RDKit's atom types and parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.bonds import bonded_pairs, molecule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COULOMB = 332.0637
"""e² / (4π ε0) in kcal/mol Å."""

BOND_ENERGY = 70.0
"""kcal/mol for each unit of the bond order: depth of the Morse potentials (their equation 1c)."""

_CHALCOGENS = (8, 16, 34, 52, 84)


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of one molecule, kcal/mol, Å and radians.

    Attributes
    ----------
    bonds : (b, 2) int64, bond_values : (b, 3)
        Depth D, α and r0 of D [(1 − exp(−α (r − r0)))² − 1].
    angles : (a, 3) int64, angle_values : (a, 3)
        The middle atom in the middle; K, θ0 and the order n: 0 stands for the general cosine series of equation 10.
    torsions : (t, 4) int64, torsion_values : (t, 3)
        V / 2 (shared by all torsions about a bond), n and cos nφ0 of V/2 (1 − cos nφ0 cos nφ).
    pairs : (p, 2) int64, pair_values : (p, 3)
        Atoms that are neither bonded nor bonded to a common third: x and D of D [(x/r)¹² − 2 (x/r)⁶], and q q′ in
        kcal/mol Å.
    """

    bonds: Ints
    bond_values: Floats
    angles: Ints
    angle_values: Floats
    torsions: Ints
    torsion_values: Floats
    pairs: Ints
    pair_values: Floats


def uff_terms(numbers: Any, positions: Any, charges: bool = True) -> Terms:
    """The terms of one structure.

    Parameters
    ----------
    numbers : (N,) int
    positions : (N, 3) float, Å
        Only bonds depend on them; cells are not looked at.
    charges : bool
        Whether atoms have charges (Gasteiger and Marsili's), or none.

    Bond orders that valences leave open are chosen by the atoms' surroundings, not by their order in the file. A term
    without parameters (of elements whose bonding has no atom type) is left out; an atom without counts as one without
    dispersion.
    """
    z = np.asarray(numbers, dtype=np.uint8)
    r = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    order = _by_surroundings(z, r)
    bonds = bonded_pairs(z[order], r[order])
    terms, partial = _topology(
        np.ascontiguousarray(z[order]).tobytes(), np.ascontiguousarray(bonds, np.int32).tobytes()
    )
    scale = partial if charges else np.zeros(len(z))
    i, j = terms.pairs.T
    pair_values = np.column_stack([terms.pair_values[:, :2], COULOMB * scale[i] * scale[j]])
    return Terms(
        order[terms.bonds],
        terms.bond_values,
        order[terms.angles],
        terms.angle_values,
        order[terms.torsions],
        terms.torsion_values,
        order[terms.pairs],
        pair_values,
    )


def _by_surroundings(z: NDArray[np.uint8], r: Floats) -> Ints:
    """(N,) the atoms in an order that does not depend on the file's: by element and by distances to the others."""
    if len(z) < 2:
        return np.arange(len(z))
    square = ((r[:, None] - r[None]) ** 2).sum(axis=2)
    near = (z * np.exp(-0.3 * square)).sum(axis=1)
    return np.lexsort((near, z))


@lru_cache(maxsize=4096)
def _topology(numbers: bytes, pairs: bytes) -> tuple[Terms, Floats]:
    """The terms of a set of atoms with these bonds, and the atoms' charges (N,)."""
    from rdkit import rdBase

    z = np.frombuffer(numbers, np.uint8)
    bonds = np.frombuffer(pairs, np.int32).reshape(-1, 2)
    neighbors: list[list[int]] = [[] for _ in z]
    for i, j in bonds.tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    parts = _Parts()
    charges, dispersion = np.zeros(len(z)), np.zeros((len(z), 2))
    with rdBase.BlockLogs():
        for atoms in _fragments(neighbors):
            _add_fragment(atoms, z, bonds, neighbors, parts, charges, dispersion)
    # pairs beyond 1, 3
    apart = np.ones((len(z), len(z)), dtype=bool)
    for i, own in enumerate(neighbors):
        apart[i, own] = False
        for j in own:
            apart[j, own] = False
    pair = np.argwhere(np.triu(apart, 1))
    mixed = np.sqrt(dispersion[pair[:, 0]] * dispersion[pair[:, 1]])
    return (
        Terms(
            _table(parts.bonds, 2, np.int64),
            _table(parts.bond_values, 3, np.float64),
            _table(parts.angles, 3, np.int64),
            _table(parts.angle_values, 3, np.float64),
            _table(parts.torsions, 4, np.int64),
            _table(parts.torsion_values, 3, np.float64),
            pair,
            np.column_stack([mixed, np.zeros(len(pair))]),
        ),
        charges,
    )


class _Parts:
    """Terms as they are found."""

    def __init__(self) -> None:
        self.bonds: list[tuple[int, ...]] = []
        self.bond_values: list[tuple[float, ...]] = []
        self.angles: list[tuple[int, ...]] = []
        self.angle_values: list[tuple[float, ...]] = []
        self.torsions: list[tuple[int, ...]] = []
        self.torsion_values: list[tuple[float, ...]] = []


def _table(rows: list[Any], width: int, dtype: Any) -> NDArray[Any]:
    return np.array(rows, dtype=dtype).reshape(-1, width)


def _fragments(neighbors: list[list[int]]) -> list[list[int]]:
    """Connected sets of atoms, each ascending."""
    seen: set[int] = set()
    found = []
    for start in range(len(neighbors)):
        if start in seen:
            continue
        part, front = {start}, [start]
        while front:
            new = [k for k in neighbors[front.pop()] if k not in part]
            part.update(new)
            front += new
        seen |= part
        found.append(sorted(part))
    return found


def _molecule(z: NDArray[np.uint8], bonds: NDArray[np.int32]) -> Any:
    """An RDKit molecule of a fragment; where no bond orders fit, of single bonds and without a check of valences."""
    from rdkit import Chem

    found = molecule(np.ascontiguousarray(z).tobytes(), np.ascontiguousarray(bonds, np.int32).tobytes())[1]
    if found is not None:
        return found
    mol = Chem.RWMol()
    for number in z:
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    made = mol.GetMol()
    made.UpdatePropertyCache(strict=False)
    flags = Chem.SanitizeFlags
    Chem.SanitizeMol(
        made,
        flags.SANITIZE_SYMMRINGS | flags.SANITIZE_SETCONJUGATION | flags.SANITIZE_SETHYBRIDIZATION,
        catchErrors=True,
    )
    return made


def _add_fragment(
    atoms: list[int],
    z: NDArray[np.uint8],
    bonds: NDArray[np.int32],
    neighbors: list[list[int]],
    parts: _Parts,
    charges: Floats,
    dispersion: Floats,
) -> None:
    """Add the terms of one connected set of atoms."""
    from rdkit.Chem import rdForceFieldHelpers, rdPartialCharges

    place = {a: k for k, a in enumerate(atoms)}
    mine = bonds[[int(i) in place for i in bonds[:, 0]]] if len(bonds) else bonds
    local = np.array([[place[int(i)], place[int(j)]] for i, j in mine], dtype=np.int32).reshape(-1, 2)
    mol = _molecule(z[atoms], local)
    kinds = [str(a.GetHybridization()) for a in mol.GetAtoms()]
    try:
        rdPartialCharges.ComputeGasteigerCharges(mol, throwOnParamFailure=False)
        own = np.array([a.GetDoubleProp("_GasteigerCharge") for a in mol.GetAtoms()])
        charges[atoms] = np.where(np.isfinite(own), own, 0.0)
    except (ValueError, RuntimeError, KeyError):
        pass  # elements that the scheme does not know: no charges
    for k, a in enumerate(atoms):
        found = rdForceFieldHelpers.GetUFFVdWParams(mol, k, k)
        dispersion[a] = found or (0.0, 0.0)
    for i, j in local.tolist():
        order = mol.GetBondBetweenAtoms(i, j).GetBondTypeAsDouble()
        found = rdForceFieldHelpers.GetUFFBondStretchParams(mol, i, j)
        if found:
            depth = BOND_ENERGY * order
            parts.bonds.append((atoms[i], atoms[j]))
            parts.bond_values.append((depth, float(np.sqrt(found[0] / (2.0 * depth))), found[1]))
        _add_torsions(mol, kinds, atoms, place, z, neighbors, i, j, order, parts)
    for j, b in enumerate(atoms):
        own_neighbors = sorted(place[k] for k in neighbors[b])
        n = {"SP": 1, "SP2": 3, "SP3D2": 4, "SP2D": 4}.get(kinds[j], 0)
        for x, i in enumerate(own_neighbors):
            for k in own_neighbors[x + 1 :]:
                found = rdForceFieldHelpers.GetUFFAngleBendParams(mol, i, j, k)
                if found:
                    parts.angles.append((atoms[i], b, atoms[k]))
                    parts.angle_values.append((found[0], float(np.radians(found[1])), n))


def _add_torsions(
    mol: Any,
    kinds: list[str],
    atoms: list[int],
    place: dict[int, int],
    z: NDArray[np.uint8],
    neighbors: list[list[int]],
    j: int,
    k: int,
    order: float,
    parts: _Parts,
) -> None:
    """Add the torsions about a bond; the rules of the paper's section II.D, as RDKit reads them."""
    from rdkit.Chem import rdForceFieldHelpers

    if not {kinds[j], kinds[k]} <= {"SP2", "SP3"}:
        return
    oxygens = [z[atoms[a]] in _CHALCOGENS for a in (j, k)]
    found: list[tuple[tuple[int, ...], float, int, float]] = []
    for i in sorted(place[a] for a in neighbors[atoms[j]]):
        for l in sorted(place[a] for a in neighbors[atoms[k]]):
            if i in (k, l) or l == j:
                continue
            barrier = rdForceFieldHelpers.GetUFFTorsionParams(mol, i, j, k, l)
            if barrier is None:
                continue
            if kinds[j] == kinds[k] == "SP3":
                n, phase = (2, -1.0) if order == 1.0 and all(oxygens) else (3, -1.0)
            elif kinds[j] == kinds[k] == "SP2":
                n, phase = 2, 1.0
            else:
                n, phase = 6, 1.0
                if order == 1.0:
                    flat = 0 if kinds[j] == "SP2" else 1
                    if oxygens[1 - flat] and not oxygens[flat]:
                        n, phase = 2, -1.0
                    elif kinds[(i, l)[flat]] == "SP2":
                        n, phase = 3, -1.0
            found.append(((atoms[i], atoms[j], atoms[k], atoms[l]), float(barrier), n, phase))
    for quadruple, barrier, n, phase in found:
        parts.torsions.append(quadruple)
        parts.torsion_values.append((0.5 * barrier / len(found), n, phase))
