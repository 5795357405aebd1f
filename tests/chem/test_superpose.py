"""Structures laid over each other: known rotations, orders and subsets are found."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.superpose import overlay


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(1500, 1520))


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


@pytest.mark.parametrize("index", range(0, 20, 4))
def test_a_molecule_finds_itself(qm9: Dataset, index: int) -> None:
    rng = np.random.default_rng(index)
    s = qm9.structures[index]
    order = rng.permutation(len(s.numbers))
    moved = (s.positions @ rotation(rng) + rng.normal(size=3) * 5)[order]
    found = overlay(s.numbers, s.positions, s.numbers[order], moved)
    assert found.superposition.rmsd < 1e-6
    assert np.abs(found.superposition.apply(moved)[found.pairs[:, 1]] - s.positions[found.pairs[:, 0]]).max() < 1e-5
    assert np.array_equal(s.numbers[found.pairs[:, 0]], s.numbers[order][found.pairs[:, 1]])


def test_of_different_molecules_as_many_atoms_as_both_have(qm9: Dataset) -> None:
    a, b = qm9.structures[0], qm9.structures[9]
    found = overlay(a.numbers, a.positions, b.numbers, b.positions)
    expected = sum(min(np.sum(a.numbers == e), np.sum(b.numbers == e)) for e in np.unique(a.numbers))
    assert len(found.pairs) == expected
    assert len(np.unique(found.pairs[:, 0])) == len(np.unique(found.pairs[:, 1])) == expected
    centred = np.sqrt(np.mean(np.sum((a.positions[found.pairs[:, 0]] - b.positions[found.pairs[:, 1]]) ** 2, axis=1)))
    assert found.superposition.rmsd < centred


def test_mirror_images_are_not_turned_over() -> None:
    # a chiral centre: nothing but a reflection brings it onto its image
    numbers = np.array([6, 1, 9, 17, 35])
    positions = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], dtype=float)
    mirrored = positions * np.array([1, 1, -1])
    found = overlay(numbers, positions, numbers, mirrored)
    assert np.linalg.det(found.superposition.rotation) == pytest.approx(1)
    assert found.superposition.rmsd > 0.3


def test_single_atoms_and_nothing_in_common() -> None:
    one = overlay([1], [[1.0, 2, 3]], [1], [[0.0, 0, 0]])
    assert one.superposition.rmsd == pytest.approx(0)
    apart = overlay([1], [[1.0, 2, 3]], [6, 6], [[0.0, 0, 0], [0, 0, 1]])
    assert len(apart.pairs) == 0
    assert np.isnan(apart.superposition.rmsd)
    assert apart.superposition.apply([[0.0, 0, 0.5]])[0] == pytest.approx([1, 2, 3])
    with pytest.raises(ValueError, match="without atoms"):
        overlay([], np.zeros((0, 3)), [1], np.zeros((1, 3)))
