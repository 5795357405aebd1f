"""Molecules for the tests of this folder: made up, or read from the golden file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.structures import Species, Structure, Structures

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "representations.json"
"""Reference values and how they were made: see make_representations.py beside it."""


def golden() -> dict[str, Any]:
    """The golden file as it is."""
    data: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return data


def golden_structures() -> Structures:
    """Its molecules."""
    molecules = golden()["molecules"]
    return Structures.from_lists([m["numbers"] for m in molecules], [m["positions"] for m in molecules])


def golden_species() -> Species:
    """The columns for which its values were computed."""
    data = golden()
    counts = {int(z): int(n) for z, n in data["counts"].items()}
    return Species(tuple(sorted(counts)), tuple(counts[z] for z in sorted(counts)), int(data["n_max"]))


def named(name: str) -> Structure:
    """One molecule of the golden file."""
    index = [m["name"] for m in golden()["molecules"]].index(name)
    return golden_structures()[index]


def random_structures(count: int, seed: int = 0, low: int = 1, high: int = 14) -> Structures:
    """Atoms thrown at random, no two closer than 0.8 Å, `low` to `high` of them."""
    rng = np.random.default_rng(seed)
    numbers, positions = [], []
    for _ in range(count):
        n = int(rng.integers(low, high + 1))
        points: list[Any] = []
        while len(points) < n:
            point = rng.uniform(-3, 3, 3)
            if all(np.linalg.norm(point - other) > 0.8 for other in points):
                points.append(point)
        numbers.append(rng.choice([1, 1, 1, 6, 6, 7, 8, 9, 16, 35], n))
        positions.append(points)
    return Structures.from_lists(numbers, positions)


def one(numbers: Any, positions: Any) -> Structures:
    """A set of one structure."""
    return Structures.from_lists([numbers], [positions])


def coulomb(structure: Structure, unit: float) -> Any:
    """The plain definition of the Coulomb matrix, (N, N); `unit` is the length unit in Å."""
    z = structure.numbers.astype(float)
    positions = structure.positions / unit
    matrix = np.diag(0.5 * z**2.4)
    for i in range(len(z)):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = z[i] * z[j] / np.linalg.norm(positions[i] - positions[j])
    return matrix
