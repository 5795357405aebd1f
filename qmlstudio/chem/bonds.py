"""Bonds perceived from geometry: connectivity from covalent radii, bond orders from valences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import COVALENT_RADII

Floats = NDArray[np.float64]

TOLERANCE = 1.3
"""Atoms nearer than this times the sum of their covalent radii are bonded, as in xyz2mol and RDKit (Kim, Kim, Bull.
Korean Chem. Soc. 36, 1769 (2015)): C-H up to 1.39 Å and C-C up to 1.98 Å, so that bonds survive the vibrations of a hot
trajectory, while the H atoms of a methyl group (1.78 Å) stay apart (0.81 Å)."""

MOST_ORDERED = 60
"""Atoms of a molecule above which bond orders are not looked for: the search is exponential at worst."""

MOST_ITERATIONS = 3000
"""Steps after which the search for bond orders is given up: some 0.1 s."""

_DIRECT = 300
"""Atoms up to which all pairs are compared at once; a tree of neighbours is built above."""

_MOST_FRAGMENTED = 5000
"""Atoms of a whole structure above which all bonds are drawn single."""

_VALENCE = {1: 1, 5: 3, 6: 4, 7: 3, 8: 2, 9: 1, 14: 4, 15: 3, 16: 2, 17: 1, 34: 2, 35: 1, 53: 1}
"""Usual valences of the elements for which orders are sought."""

_CROWDED = {1: 1, 6: 4, 7: 4, 8: 3, 9: 1, 17: 4, 35: 4, 53: 6}
"""Neighbours that an atom has at most when all of them are non-metals: its longest bonds are dropped above, as that
between the bridgeheads of bicyclo[1.1.1]pentane (1.87 Å)."""

_NON_METALS = np.array([1, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53])

_RADII = np.array(COVALENT_RADII)
_MOST_NEIGHBOURS = np.full(256, 127)
_MOST_NEIGHBOURS[list(_CROWDED)] = list(_CROWDED.values())


@dataclass(frozen=True, eq=False)
class Bonds:
    """The bonds of one structure.

    Attributes
    ----------
    pairs : (m, 2) int32
        Bonded atoms, i < j, in ascending order; in a crystal each pair once, at its nearest images.
    orders : (m,) float
        1, 2, 3, or 1.5 in aromatic rings; 1 where the order could not be determined.
    shifts : (m, 3) int32
        Lattice translations that bring atom j next to atom i: bonded are r_i and ``r_j + shift @ cell``.
    count : int
        Number of atoms.
    """

    pairs: NDArray[np.int32]
    orders: Floats
    shifts: NDArray[np.int32]
    count: int

    def __len__(self) -> int:
        return len(self.pairs)


def perceive_bonds(numbers: Any, positions: Any, cell: Any = None) -> Bonds:
    """Find the bonds of one structure.

    Parameters
    ----------
    numbers : (N,) int
    positions : (N, 3) float, Å
    cell : (3, 3) float or None, Å
        Lattice vectors in rows; then atoms are bonded across the cell's faces, too.

    Returns
    -------
    Bonds
        Orders are those of neutral molecules (singly charged ones where no neutral fits), molecule by molecule, by
        RDKit's determination from valences; the last thousands of different connectivities are remembered, so that a
        trajectory costs one determination. Too long bonds of crowded atoms are dropped (not across faces of a cell).
    """
    z = np.minimum(np.asarray(numbers, dtype=np.int64), len(_RADII) - 1)
    r = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    if len(z) < 2 or not np.isfinite(r).all():
        return Bonds(np.zeros((0, 2), np.int32), np.zeros(0), np.zeros((0, 3), np.int32), len(z))
    if cell is not None and np.asarray(cell).any():
        pairs, shifts = _periodic_pairs(z, r, np.asarray(cell, dtype=np.float64))
    else:
        pairs = bonded_pairs(z, r)
        shifts = np.zeros((len(pairs), 3), np.int32)
    return Bonds(pairs, _orders(z, pairs), shifts, len(z))


def bonded_pairs(numbers: Any, positions: Any) -> NDArray[np.int32]:
    """The pairs (m, 2) of :func:`perceive_bonds` of a molecule, without the search for their orders."""
    z = np.minimum(np.asarray(numbers, dtype=np.int64), len(_RADII) - 1)
    r = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    return _uncrowded(z, r, _pairs(z, r))


def bond_tables() -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """What :func:`bonded_pairs` knows of the elements, (256,) each: covalent radii (Å), most neighbours, non-metals."""
    radii = np.full(256, _RADII[-1])
    radii[: len(_RADII)] = _RADII
    non_metal = np.zeros(256, np.bool_)
    non_metal[_NON_METALS] = True
    return radii, _MOST_NEIGHBOURS.astype(np.int64), non_metal


def fragment_of(bonds: Bonds, atom: int) -> NDArray[np.int64]:
    """Indices of the atoms bonded to `atom` directly or through others, itself included, ascending."""
    if not 0 <= atom < bonds.count:
        raise IndexError(f"atom {atom} of {bonds.count}")
    label = _components(bonds.count, bonds.pairs)
    return np.flatnonzero(label == label[atom])


def _pairs(z: NDArray[np.int64], r: Floats) -> NDArray[np.int32]:
    """Bonded pairs (m, 2) of a molecule."""
    radii = _RADII[z]
    if len(z) <= _DIRECT:
        difference = r[:, None, :] - r[None, :, :]
        square = np.einsum("ijk,ijk->ij", difference, difference)
        near = square < (TOLERANCE * (radii[:, None] + radii[None, :])) ** 2
        return np.argwhere(np.triu(near, 1)).astype(np.int32)
    from scipy.spatial import cKDTree

    found = cKDTree(r).query_pairs(2 * TOLERANCE * float(radii.max()), output_type="ndarray")
    i, j = found[:, 0], found[:, 1]
    near = np.linalg.norm(r[i] - r[j], axis=1) < TOLERANCE * (radii[i] + radii[j])
    pairs = np.sort(found[near], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return np.ascontiguousarray(pairs[order], dtype=np.int32)


def _uncrowded(z: NDArray[np.int64], r: Floats, pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """The pairs without the relatively longest ones of atoms that have too many."""
    degree = np.bincount(pairs.reshape(-1), minlength=len(z))
    crowded = degree > _MOST_NEIGHBOURS[z]
    if not crowded.any():
        return pairs
    i, j = pairs[:, 0], pairs[:, 1]
    metal = ~np.isin(z, _NON_METALS)
    crowded[i[metal[j]]] = False
    crowded[j[metal[i]]] = False
    relative = np.linalg.norm(r[i] - r[j], axis=1) / (_RADII[z[i]] + _RADII[z[j]])
    keep = np.ones(len(pairs), bool)
    for k in np.argsort(-relative):
        a, b = i[k], j[k]
        if any(bool(crowded[c]) and int(degree[c]) > int(_MOST_NEIGHBOURS[z[c]]) for c in (a, b)):
            keep[k] = False
            degree[a] -= 1
            degree[b] -= 1
    return pairs[keep]


def _periodic_pairs(z: NDArray[np.int64], r: Floats, cell: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Bonded pairs (m, 2) of a crystal and the lattice translations (m, 3) of their second atoms."""
    from scipy.spatial import cKDTree

    radii = _RADII[z]
    reach = 2 * TOLERANCE * float(radii.max())
    inverse = np.linalg.inv(cell)
    fractional = r @ inverse
    home = np.floor(fractional)
    fractional -= home
    # reach in fractions of the distance between opposite faces
    margin = reach * np.linalg.norm(inverse, axis=0)
    layers = np.minimum(np.ceil(margin), 4).astype(int)
    steps = np.array(np.meshgrid(*(np.arange(-k, k + 1) for k in layers), indexing="ij")).reshape(3, -1).T
    images, owner, moved = [], [], []
    for step in steps:
        there = fractional + step
        close = ((there > -margin) & (there < 1 + margin)).all(axis=1)
        images.append(there[close] @ cell)
        owner.append(np.flatnonzero(close))
        moved.append(np.broadcast_to(step, (int(close.sum()), 3)))
    ghosts, atoms, shift = np.concatenate(images), np.concatenate(owner), np.concatenate(moved)
    sets = cKDTree(fractional @ cell).sparse_distance_matrix(cKDTree(ghosts), reach, output_type="ndarray")
    i, k, distance = sets["i"].astype(np.int64), sets["j"].astype(np.int64), sets["v"]
    j = atoms[k]
    near = (i < j) & (distance < TOLERANCE * (radii[i] + radii[j]))
    i, j, k, distance = i[near], j[near], k[near], distance[near]
    order = np.lexsort((distance, j, i))
    i, j, k = i[order], j[order], k[order]
    first = np.ones(len(i), bool)
    first[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    i, j, k = i[first], j[first], k[first]
    shifts = shift[k] + home[i] - home[j]
    return np.stack([i, j], axis=1).astype(np.int32), shifts.astype(np.int32)


def _components(count: int, pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,) label of the connected fragment of each atom: its lowest atom."""
    label = np.arange(count)
    i, j = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    while len(pairs):
        low = np.minimum(label[i], label[j])
        new = label.copy()
        np.minimum.at(new, i, low)
        np.minimum.at(new, j, low)
        new = new[new]  # halve the way to the lowest
        if (new == label).all():
            break
        label = new
    return label


def _orders(z: NDArray[np.int64], pairs: NDArray[np.int32]) -> Floats:
    """(m,) bond orders; single where they are not sought."""
    single = np.ones(len(pairs))
    if len(z) > _MOST_FRAGMENTED or len(pairs) == 0:
        return single
    label = _components(len(z), pairs)
    if not label.any():
        return _molecule_orders(z, pairs)
    of_bond = label[pairs[:, 0]]
    for fragment in np.unique(of_bond):
        atoms = np.flatnonzero(label == fragment)
        if len(atoms) > MOST_ORDERED:
            continue
        mine = np.flatnonzero(of_bond == fragment)
        single[mine] = _molecule_orders(z[atoms], np.searchsorted(atoms, pairs[mine]).astype(np.int32))
    return single


def _molecule_orders(z: NDArray[np.int64], pairs: NDArray[np.int32]) -> Floats:
    if len(z) > MOST_ORDERED:
        return np.ones(len(pairs))
    found = molecule(z.astype(np.uint8).tobytes(), np.ascontiguousarray(pairs, np.int32).tobytes())
    return np.array(found[0])


@lru_cache(maxsize=4096)
def molecule(numbers: bytes, pairs: bytes) -> tuple[tuple[float, ...], Any]:
    """Bond orders and RDKit molecule of a connected set of atoms.

    Parameters
    ----------
    numbers : bytes of (N,) uint8
    pairs : bytes of (m, 2) int32

    Returns
    -------
    tuple of float, rdkit.Chem.Mol or None
        Orders; the molecule with hydrogens, sanitised. Single bonds and None when no orders are found. The molecule
        is shared: copy it before changing it.
    """
    z = np.frombuffer(numbers, np.uint8)
    bonds = np.frombuffer(pairs, np.int32).reshape(-1, 2)
    single = (1.0,) * len(bonds)
    degree = np.bincount(bonds.reshape(-1), minlength=len(z))
    if len(z) > MOST_ORDERED or any(int(a) not in _VALENCE for a in z) or (degree > 6).any():
        return single, None
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    saturated = all(int(d) == _VALENCE[int(a)] for a, d in zip(z, degree, strict=True))
    with rdBase.BlockLogs():
        for charge in (0,) if saturated else (0, -1, 1):
            mol = Chem.RWMol()
            for a in z:
                atom = Chem.Atom(int(a))
                atom.SetNoImplicit(True)
                mol.AddAtom(atom)
            for i, j in bonds:
                mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
            try:
                if not saturated:
                    rdDetermineBonds.DetermineBondOrders(
                        mol, charge=charge, embedChiral=False, maxIterations=MOST_ITERATIONS
                    )
                Chem.SanitizeMol(mol)
            except (ValueError, RuntimeError):
                continue
            # the determination may reorder nothing but must not add or drop bonds either
            found = [mol.GetBondBetweenAtoms(int(i), int(j)) for i, j in bonds]
            if None in found or sum(a.GetNumRadicalElectrons() for a in mol.GetAtoms()) > 0:
                continue
            return tuple(float(b.GetBondTypeAsDouble()) for b in found), mol.GetMol()
    return single, None
