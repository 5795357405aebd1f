"""Neighbours with their periodic images against a plain count, and what cannot be answered."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference_molecules import one, random_structures

from qmlstudio.chem.structures import Structures
from qmlstudio.representations._neighbors import (
    coincident,
    gather_neighbors,
    lattice_images,
    most_neighbors,
    unknown_element,
)

CELLS = {
    "cube": np.eye(3) * 4.0,
    "skewed": np.array([[4.0, 0.0, 0.0], [2.5, 3.5, 0.0], [-1.5, 1.0, 5.0]]),
    "flat": np.array([[2.6, 0.0, 0.0], [0.3, 9.0, 0.0], [0.0, 0.0, 3.1]]),
    "slab": np.array([[3.0, 0.0, 0.0], [0.5, 3.2, 0.0], [0.0, 0.0, 0.0]]),
    "chain": np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.5, 2.9]]),
}


def neighbors_of(structures: Structures, r_cut: float, atom: int) -> list[tuple[int, float]]:
    """(atom, distance) of the neighbours, ascending."""
    images = lattice_images(structures, r_cut)
    size = most_neighbors(structures, images, r_cut)
    x, y, z, square = np.empty((4, size))
    index = np.empty(size, dtype=np.int64)
    count = gather_neighbors(
        atom, 0, len(structures.numbers), structures.positions, images.shifts, 0, len(images.shifts), r_cut**2, x, y, z,
        square, index,
    )  # fmt: skip
    assert count >= 0
    np.testing.assert_allclose(x[:count] ** 2 + y[:count] ** 2 + z[:count] ** 2, square[:count], rtol=1e-14)
    return sorted(zip(index[:count].tolist(), np.sqrt(square[:count]).tolist(), strict=True))


def plain(structures: Structures, r_cut: float, atom: int, reach: int = 7) -> list[tuple[int, float]]:
    """The same by looking at far more images than needed."""
    found = []
    cell: Any = structures.cells[0] if structures.cells is not None else np.zeros((3, 3))
    for steps in itertools.product(range(-reach, reach + 1), repeat=3):
        if any(s and not v.any() for s, v in zip(steps, cell, strict=True)):
            continue
        shift = np.array(steps) @ cell
        for j, position in enumerate(structures.positions):
            distance = float(np.linalg.norm(position + shift - structures.positions[atom]))
            if distance < r_cut and (j != atom or any(steps)):
                found.append((j, distance))
    return sorted(found)


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("r_cut", [1.0, 3.7, 6.1])
def test_images(cell: str, r_cut: float) -> None:
    rng = np.random.default_rng(3)
    # some atoms outside of the cell: they are where they are
    positions = rng.uniform(-0.4, 1.6, (5, 3)) @ np.array([[4.0, 0, 0], [0, 3, 0], [0, 0, 5]])
    structures = Structures.from_lists([[1, 6, 7, 8, 6]], [positions], [CELLS[cell]])
    for atom in (0, 3):
        ours, expected = neighbors_of(structures, r_cut, atom), plain(structures, r_cut, atom)
        assert [j for j, _ in ours] == [j for j, _ in expected]
        np.testing.assert_allclose([d for _, d in ours], [d for _, d in expected], rtol=1e-12)


def test_molecules_have_no_images() -> None:
    structures = random_structures(6, seed=2)
    images = lattice_images(structures, 50.0)
    assert not images.shifts.any()
    assert images.offsets.tolist() == list(range(7))
    molecule = structures.take([3])
    np.testing.assert_allclose(neighbors_of(molecule, 2.5, 0), plain(molecule, 2.5, 0, reach=0))


def test_a_molecule_among_crystals() -> None:
    structures = Structures.from_lists(
        [[6, 8], [6, 8]], [[[0, 0, 0], [1.1, 0, 0]]] * 2, [np.eye(3) * 3.0, np.zeros((3, 3))]
    )
    images = lattice_images(structures, 3.5)
    assert images.offsets[1] > 1
    assert images.offsets[2] - images.offsets[1] == 1


def test_impossible_cells_and_cutoffs() -> None:
    water = ([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    flat = Structures.from_lists([water[0]], [water[1]], [np.array([[3.0, 0, 0], [0, 3, 0], [3, 3, 0]])])
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\): the cell has no volume"):
        lattice_images(flat, 4.0)
    small = Structures.from_lists([water[0]], [water[1]], [np.eye(3) * 3.0])
    for r_cut in (60.0, 1e6):
        with pytest.raises(ValueError, match=r"reaches more than 20,000 images"):
            lattice_images(small, r_cut)


def test_atoms_at_the_same_place() -> None:
    through_a_face = Structures.from_lists([[6, 8]], [[[0, 0, 0], [3.0, 0, 0]]], [np.eye(3) * 3.0])
    with pytest.raises(ValueError, match=r"atoms C1 and O2 lie at the same place \(through the faces"):
        most_neighbors(through_a_face, lattice_images(through_a_face, 2.0), 2.0)
    inside = one([6, 8, 1], [[0, 0, 0], [1, 0, 0], [1, 0, 0]])
    assert "atoms O2 and H3 lie at the same place;" in str(coincident(inside, 0))


def test_buffers_that_are_too_short_are_told() -> None:
    structures = one([6, 1, 1], [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    short, index = np.empty((4, 1)), np.empty(1, dtype=np.int64)
    assert gather_neighbors(0, 0, 3, structures.positions, np.zeros((1, 3)), 0, 1, 9.0, *short, index) == -2


def test_unknown_elements() -> None:
    structures = Structures.from_lists([[6, 1], [6, 92]], [[[0, 0, 0], [1, 0, 0]]] * 2)
    assert unknown_element(structures, (1, 6, 92), "this") is None
    said = str(unknown_element(structures, (1, 6), "the network"))
    assert said.startswith(
        "structure 2 (index 1): atom U2 is of an element that the network does not know; it knows H, C"
    )
