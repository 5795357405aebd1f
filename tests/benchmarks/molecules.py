"""What the representations are measured on, and the same molecules in the peers' process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.structures import Structures

QM7 = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "qm7" / "qm7.tar.gz"

PREPARE = """
import numpy as np
from ase import Atoms
bounds = list(zip(o[:-1].tolist(), o[1:].tolist()))
bohr = 0.529177210903
numbers = [z[a:b].astype(int) for a, b in bounds]
charges = [n.astype(float) for n in numbers]
angstrom = [np.ascontiguousarray(r[a:b]) for a, b in bounds]
n_max = max(len(n) for n in numbers)
atoms = [Atoms(n, p) for n, p in zip(numbers, angstrom)]
elements = sorted(set(z.tolist()))
"""
"""Run it after ``peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)``."""


def molecules() -> tuple[str, Structures]:
    """QM7 (../shared/data) or else random molecules, and what they are called."""
    if QM7.exists():
        from qmlstudio.chem.readers import open_dataset

        return "QM7", open_dataset(QM7).structures
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) * 1.4
    sizes = rng.integers(8, 24, 7000)
    numbers = [rng.choice([1, 1, 1, 1, 6, 6, 6, 7, 8], n) for n in sizes]
    positions = [grid[rng.permutation(64)[:n]] + rng.normal(0, 0.1, (n, 3)) for n in sizes]
    return "random molecules", Structures.from_lists(numbers, positions)


def some(count: int) -> tuple[str, Structures]:
    """Every k-th molecule, `count` of them: for what is too slow to be done for all again and again."""
    name, structures = molecules()
    return name, structures.take(np.linspace(0, len(structures) - 1, count).astype(int))


def same(ours: Any, theirs: Any) -> str:
    """Largest difference, relative to the largest value of each row."""
    scale = np.abs(theirs).max(axis=1)
    scale = np.where(scale > 0, scale, 1.0)
    return f"max |Δ|/max {(np.abs(ours - theirs).max(axis=1) / scale).max():.0e}"
