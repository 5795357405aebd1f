"""The force field's terms: against RDKit's own energy, by hand, and for molecules that are no ordinary ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem, rdForceFieldHelpers

from qmlstudio.chem.uff import COULOMB, Terms, uff_terms


def built(smiles: str) -> Any:
    """An RDKit molecule with a geometry."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=7) == 0
    return mol


def terms_of(mol: Any, charges: bool = False) -> tuple[Terms, Any]:
    """Terms and positions."""
    r = mol.GetConformer().GetPositions()
    return uff_terms([a.GetAtomicNum() for a in mol.GetAtoms()], r, charges), r


def energy(terms: Terms, r: Any) -> float:
    """Harmonic bonds (as RDKit has them, of the Morse potentials' force constants) and all other terms."""
    total = 0.0
    for (i, j), (depth, alpha, r0) in zip(terms.bonds, terms.bond_values, strict=True):
        total += depth * alpha**2 * (np.linalg.norm(r[i] - r[j]) - r0) ** 2
    for (i, j, k), (force, theta0, n) in zip(terms.angles, terms.angle_values, strict=True):
        u, v = r[i] - r[j], r[k] - r[j]
        theta = np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
        if n == 1:
            total += force * (1 + np.cos(theta))
        elif n:
            total += force / n**2 * (1 - np.cos(n * theta))
        else:
            c2 = 1 / (4 * np.sin(theta0) ** 2)
            c1, c0 = -4 * c2 * np.cos(theta0), c2 * (2 * np.cos(theta0) ** 2 + 1)
            total += force * (c0 + c1 * np.cos(theta) + c2 * np.cos(2 * theta))
    for (i, j, k, l), (half, n, phase) in zip(terms.torsions, terms.torsion_values, strict=True):
        a, axis, b = r[j] - r[i], r[k] - r[j], r[l] - r[k]
        p, q = np.cross(a, axis), np.cross(axis, b)
        phi = np.arctan2(np.cross(p, q) @ axis / np.linalg.norm(axis), p @ q)
        total += half * (1 - phase * np.cos(n * phi))
    for (i, j), (x, depth, _) in zip(terms.pairs, terms.pair_values, strict=True):
        s = (x / np.linalg.norm(r[i] - r[j])) ** 6
        total += depth * (s * s - 2 * s)
    return float(total)


# without flat atoms out of their plane, for which RDKit has terms that are not here
@pytest.mark.parametrize(
    "smiles", ["CCO", "C1CCCC1", "CC#N", "COOC", "C=C", "CSSC", "NCC(F)F", "CC#CC", "OCCS", "CN(C)CCCl", "c1ccccc1"]
)
def test_energy_is_rdkits(smiles: str) -> None:
    mol = built(smiles)
    terms, r = terms_of(mol)
    field = rdForceFieldHelpers.UFFGetMoleculeForceField(mol, vdwThresh=1e9, ignoreInterfragInteractions=False)
    expected = field.CalcEnergy()
    assert energy(terms, r) == pytest.approx(expected, rel=1e-6, abs=2e-2 if smiles in ("C=C", "c1ccccc1") else 1e-6)


def test_ethane() -> None:
    mol = built("CC")
    terms, _ = terms_of(mol, charges=True)
    assert len(terms.bonds) == 7
    assert len(terms.angles) == 12
    assert len(terms.torsions) == 9
    assert len(terms.pairs) == 9
    # C–C: 70 kcal/mol deep; 2.119 kcal/mol shared by nine torsions, minimum at 60°
    depth, alpha, r0 = next(v for b, v in zip(terms.bonds, terms.bond_values, strict=True) if set(b) == {0, 1})
    assert depth == 70.0
    assert r0 == pytest.approx(1.514)
    assert 2 * depth * alpha**2 == pytest.approx(699.5918, abs=1e-3)
    np.testing.assert_allclose(terms.torsion_values, [[0.5 * 2.119 / 9, 3, -1]] * 9)
    Chem.rdPartialCharges.ComputeGasteigerCharges(mol)
    q = [a.GetDoubleProp("_GasteigerCharge") for a in mol.GetAtoms()]
    for (i, j), (_, _, product) in zip(terms.pairs, terms.pair_values, strict=True):
        assert product == pytest.approx(COULOMB * q[i] * q[j], rel=1e-9)
    assert not terms_of(mol)[0].pair_values[:, 2].any()


def test_order_of_the_atoms_does_not_matter() -> None:
    # naphthalene's, azulene's and a carboxylic group's double bonds can be placed in several ways
    for smiles in ("C1=CC=C2C=CC=CC2=C1", "C1=CC=C2C=CC=C2C=C1", "CC(=O)O", "C1=CC=CC=CC=C1", "C[N+](=O)[O-]"):
        mol = built(smiles)
        z, r = np.array([a.GetAtomicNum() for a in mol.GetAtoms()]), mol.GetConformer().GetPositions()
        order = np.random.default_rng(1).permutation(len(z))
        one, other = uff_terms(z, r), uff_terms(z[order], r[order])
        for name in ("bond", "angle", "torsion", "pair"):
            own = {
                (frozenset(map(int, a)), tuple(np.round(v, 9)))
                for a, v in zip(getattr(one, f"{name}s"), getattr(one, f"{name}_values"), strict=True)
            }
            moved = {
                (frozenset(int(order[k]) for k in a), tuple(np.round(v, 9)))
                for a, v in zip(getattr(other, f"{name}s"), getattr(other, f"{name}_values"), strict=True)
            }
            assert own == moved, (smiles, name)


def test_uncommon_ones() -> None:
    nothing = uff_terms([], np.zeros((0, 3)))
    assert len(nothing.bonds) == len(nothing.pairs) == 0
    assert len(uff_terms([6], [[0, 0, 0]]).pairs) == 0
    # two molecules: terms of each, and pairs between them
    water = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    two = uff_terms([8, 1, 1, 8, 1, 1], np.vstack([water, water + np.array([0, 0, 3])]))
    assert len(two.bonds) == 4
    assert len(two.angles) == 2
    assert len(two.pairs) == 9
    assert (two.pair_values[:, 1] > 0).all()
    # no bond orders fit a radical or a metal: still finite terms
    for z, r in (
        ([6, 1, 1], [[0, 0, 0], [1.08, 0, 0], [-0.5, 0.95, 0]]),
        ([26, 6, 8], [[0, 0, 0], [1.8, 0, 0], [2.95, 0, 0]]),
        ([11, 17], [[0, 0, 0], [2.36, 0, 0]]),
    ):
        terms = uff_terms(z, r)
        assert len(terms.bonds) == len(z) - 1
        for values in (terms.bond_values, terms.angle_values, terms.pair_values):
            assert np.isfinite(values).all()
