"""Distances, angles, dihedrals and superposition."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.geometry import angle, dihedral, distance, kabsch, measure, minimum_image

# water with r = 0.9572 Å and 104.52°
HALF = np.radians(104.52 / 2)
WATER = np.array([[0, 0, 0], [np.sin(HALF), 0, np.cos(HALF)], [-np.sin(HALF), 0, np.cos(HALF)]]) * 0.9572
RNG = np.random.default_rng(0)


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def test_water() -> None:
    assert measure(WATER, [0, 1]).value == pytest.approx(0.9572)
    m = measure(WATER, (1, 0, 2))
    assert (m.kind, m.unit, m.mic) == ("angle", "°", False)
    assert m.value == pytest.approx(104.52)
    assert str(m) == "104.5°"
    assert str(measure(WATER, [1, 0])) == "0.957 Å"


@pytest.mark.parametrize("expected", [-179.0, -120.0, -60.0, -1e-3, 0.0, 60.0, 90.0, 180.0])
def test_dihedral_and_its_sign(expected: float) -> None:
    t = np.radians(expected)
    # looking from b to c (along +z), d is turned clockwise from a by a positive angle
    a, b, c = [1.0, 0, 0], [0, 0, 0], [0, 0, 1.5]
    d = [np.cos(t), np.sin(t), 1.5]
    assert dihedral(a, b, c, d) == pytest.approx(expected, abs=1e-9)
    assert dihedral(d, c, b, a) == pytest.approx(expected, abs=1e-9)
    mirrored = np.array([a, b, c, d]) * [1, -1, 1]
    assert dihedral(*mirrored) == pytest.approx(expected if abs(expected) == 180 else -expected, abs=1e-9)
    assert measure(np.array([a, b, c, d]), [0, 1, 2, 3]).value == pytest.approx(expected, abs=1e-9)


def test_sign_as_rdkit_has_it() -> None:
    from rdkit import Chem
    from rdkit.Chem import rdMolTransforms

    mol = Chem.MolFromSmiles("CCCC")
    for _ in range(5):
        r = RNG.normal(size=(4, 3))
        conformer = Chem.Conformer(4)
        for k, (x, y, z) in enumerate(r.tolist()):
            conformer.SetAtomPosition(k, (x, y, z))
        mol.RemoveAllConformers()
        mol.AddConformer(conformer)
        expected = rdMolTransforms.GetDihedralDeg(mol.GetConformer(), 0, 1, 2, 3)
        assert measure(r, [0, 1, 2, 3]).value == pytest.approx(expected, abs=1e-6)


def test_degenerate_cases() -> None:
    line = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 1, 0.0]])
    assert measure(line, [0, 1, 2]).value == 180.0
    assert np.isnan(measure(line, [0, 1, 2, 3]).value)
    assert np.isnan(angle(line[0], line[0], line[1]))
    assert angle([1, 1e-9, 0], [0, 0, 0], [1, 0, 0]) == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_wrong_picks() -> None:
    for picked in ([0], [0, 1, 2, 0, 1], []):
        with pytest.raises(ValueError, match="two, three or four"):
            measure(WATER, picked)
    with pytest.raises(IndexError):
        measure(WATER, [0, 3])


def test_minimum_image() -> None:
    cell = np.eye(3) * 10
    m = measure(np.array([[0.5, 0, 0], [9.5, 0, 0]]), [0, 1], cell)
    assert m.value == pytest.approx(1.0)
    assert m.mic
    assert str(m) == "1.000 Å (mic)"
    assert not measure(np.array([[0.5, 0, 0], [2.5, 0, 0]]), [0, 1], cell).mic
    moved = WATER + np.array([[0, 0, 0], [10, 0, -20], [0, 10, 0]])
    bent = measure(moved, [1, 0, 2], cell)
    assert bent.value == pytest.approx(104.52)
    assert bent.mic
    assert distance(moved[0], moved[1], cell) == pytest.approx(0.9572)
    assert distance(moved[0], moved[1]) > 20


def test_minimum_image_of_skewed_cells_is_the_shortest() -> None:
    grid = np.array(np.meshgrid(*[np.arange(-4, 5)] * 3)).reshape(3, -1).T
    for _ in range(10):
        cell = np.eye(3) * 4 + RNG.uniform(-1.9, 1.9, (3, 3))
        vectors = RNG.uniform(-12, 12, (40, 3))
        found = np.linalg.norm(minimum_image(vectors, cell), axis=-1)
        start = vectors - np.round(vectors @ np.linalg.inv(cell)) @ cell
        best = np.linalg.norm(start[:, None] + grid @ cell, axis=-1).min(axis=1)
        np.testing.assert_allclose(found, best)


def test_kabsch_undoes_a_motion() -> None:
    r = RNG.normal(size=(12, 3))
    moved = r @ rotation(RNG) + [5, -3, 100]
    fit = kabsch(moved, r)
    assert fit.rmsd == pytest.approx(0, abs=1e-10)
    np.testing.assert_allclose(fit.apply(moved), r, atol=1e-10)
    assert np.linalg.det(fit.rotation) == pytest.approx(1)


def test_kabsch_does_not_reflect_and_is_the_best() -> None:
    r = RNG.normal(size=(8, 3))
    mirrored = r * [-1, 1, 1]
    fit = kabsch(mirrored, r)
    assert np.linalg.det(fit.rotation) == pytest.approx(1)
    assert fit.rmsd > 0.1
    b = r - r.mean(axis=0)
    a = mirrored - mirrored.mean(axis=0)
    others = [np.sqrt((((a @ rotation(RNG)) - b) ** 2).sum(axis=1).mean()) for _ in range(300)]
    assert fit.rmsd <= min(others)


def test_kabsch_with_weights_and_wrong_shapes() -> None:
    r = RNG.normal(size=(5, 3))
    noisy = r.copy()
    noisy[4] += 3
    fit = kabsch(noisy, r, weights=[1, 1, 1, 1, 0])
    assert fit.rmsd == pytest.approx(0, abs=1e-10)
    assert kabsch(r[:1], noisy[:1]).rmsd == pytest.approx(0, abs=1e-12)
    for a, b in ((r, r[:3]), (r[:0], r[:0])):
        with pytest.raises(ValueError, match="superpose"):
            kabsch(a, b)
