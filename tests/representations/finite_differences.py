"""Gradients against finite differences, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import Representation


def numerical_gradient(representation: Representation, structures: Structures, index: int, h: float = 1e-3) -> Any:
    """(N, 3, d) of one structure's row, by differences of fourth order with step `h` (Å)."""
    one, species = structures.take([index]), structures.species
    numerical = []
    for i in range(len(one.numbers)):
        for x in range(3):
            total: Any = 0.0
            for step, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                positions = one.positions.copy()
                positions[i, x] += step * h
                moved = Structures(one.numbers, positions, one.offsets, one.cells)
                total = total + weight * representation.compute(moved, species=species, threads=1).array[0]
            numerical.append(total / (12 * h))
    return np.array(numerical).reshape(len(one.numbers), 3, -1)


def check_gradient(representation: Representation, structures: Structures, tolerance: float = 1e-7) -> None:
    """Analytical against numerical, relative to the largest; no column changes when all atoms are shifted or turned."""
    gradients = representation.gradient(structures, threads=2)
    np.testing.assert_array_equal(representation.gradient(structures, threads=1).array, gradients.array)
    buffer = np.full(len(gradients.array), np.nan)
    assert representation.gradient(structures, out=buffer).array is buffer
    np.testing.assert_array_equal(buffer, gradients.array)
    for index, structure in enumerate(structures):
        block = gradients.of(index)[0]
        if not len(structure):
            continue
        scale = max(float(np.abs(block).max(initial=0)), 1e-12)
        assert np.abs(block - numerical_gradient(representation, structures, index)).max() < tolerance * scale
        assert np.abs(block.sum(axis=0)).max() < 1e-12 * scale
        if structure.cell is None:
            turn = np.cross(structure.positions[:, :, None], block, axis=1).sum(axis=0)
            assert np.abs(turn).max() < 1e-11 * scale
