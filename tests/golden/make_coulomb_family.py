"""Reference values of the sine, Ewald sum and atomic Coulomb matrices, computed by DScribe and qmllib.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_coulomb_family.py

writes ``coulomb_family.json`` beside this file. Crystals and molecules are made up: textbook lattices, atoms thrown at
random into skewed cells, and the molecules of make_representations.py; all of them are in the file.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dscribe.descriptors import EwaldSumMatrix, SineMatrix
from make_representations import random_molecules, textbook
from qmllib.representations.representations import generate_coulomb_matrix_atomic

CRYSTAL_MAX, MOLECULE_MAX = 8, 12

EWALD: list[dict[str, float]] = [
    {},
    {"accuracy": 1e-10},
    {"accuracy": 1e-6, "w": 3.0},
    {"a": 0.6, "r_cut": 14.0, "g_cut": 9.0},
]
ATOMIC: list[dict[str, Any]] = [
    {"sorting": "distance"},
    {"sorting": "row-norm"},
    {"sorting": "distance", "central_cutoff": 3.0, "central_decay": 1.0},
    {"sorting": "row-norm", "central_cutoff": 3.0, "central_decay": 1.0},
    {"sorting": "distance", "central_cutoff": 3.5, "interaction_cutoff": 2.5, "interaction_decay": 0.8},
    {
        "sorting": "row-norm",
        "central_cutoff": 2.8,
        "central_decay": 5.0,
        "interaction_cutoff": 9.0,
        "interaction_decay": 2.0,
    },
]


def crystals() -> dict[str, tuple[list[int], Any, Any]]:
    """Atomic numbers, positions and cell (Å)."""
    a = 5.6402 / 2
    fcc = np.array([[0, a, a], [a, 0, a], [a, a, 0]])
    found: dict[str, tuple[list[int], Any, Any]] = {
        "rock salt": ([11, 17], np.array([[0, 0, 0], [a, a, a]]), fcc),
        "caesium chloride": ([55, 17], np.array([[0, 0, 0], [2.06] * 3]), 4.12 * np.eye(3)),
        "perovskite": (
            [38, 22, 8, 8, 8],
            3.905 * np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
            3.905 * np.eye(3),
        ),
    }
    rng = np.random.default_rng(11)
    for k in range(5):
        n = int(rng.integers(1, CRYSTAL_MAX + 1))
        cell = np.round(np.diag(rng.uniform(3.5, 7.0, 3)) + rng.uniform(-1.5, 1.5, (3, 3)), 6)
        if k == 1:
            cell = cell[[1, 0, 2]]  # left-handed
        points: list[Any] = []
        while len(points) < n:
            point = np.round(rng.uniform(-0.5, 1.5, 3) @ cell, 6)
            far = True
            for other in points:
                delta = (point - other) @ np.linalg.inv(cell)
                far = far and np.linalg.norm((delta - np.round(delta)) @ cell) > 1.2
            if far:
                points.append(point)
        found[f"random {k + 1}"] = ([int(z) for z in rng.choice([1, 6, 8, 9, 14, 26], n)], np.array(points), cell)
    return found


def main() -> None:
    """Compute and write everything."""
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("dscribe", "qmllib", "ase", "numpy")},
        "crystal_max": CRYSTAL_MAX,
        "molecule_max": MOLECULE_MAX,
        "ewald": EWALD,
        "atomic": ATOMIC,
        "crystals": [],
        "molecules": [],
    }
    for name, (numbers, positions, cell) in crystals().items():
        atoms = Atoms(numbers, positions, cell=cell, pbc=True)
        values: dict[str, Any] = {}
        for permutation in ("none", "sorted_l2", "eigenspectrum"):
            values[f"sine {permutation}"] = (
                SineMatrix(n_atoms_max=CRYSTAL_MAX, permutation=permutation).create(atoms).tolist()
            )
            for k, parameters in enumerate(EWALD):
                descriptor = EwaldSumMatrix(n_atoms_max=CRYSTAL_MAX, permutation=permutation)
                values[f"ewald {permutation} {k}"] = descriptor.create(atoms, **parameters).tolist()
        result["crystals"].append(
            {"name": name, "numbers": numbers, "positions": positions.tolist(), "cell": cell.tolist(), "values": values}
        )
    molecules = textbook()
    del molecules["homometric A"], molecules["homometric B"]
    for name, (numbers, given) in {**molecules, **random_molecules(4)}.items():
        positions = np.array(given, dtype=float)
        values = {}
        for k, parameters in enumerate(ATOMIC):
            matrix = generate_coulomb_matrix_atomic(
                np.array(numbers, dtype=float), positions, size=MOLECULE_MAX, **parameters
            )
            values[str(k)] = np.round(matrix, 13).tolist()
        result["molecules"].append(
            {"name": name, "numbers": numbers, "positions": positions.tolist(), "values": values}
        )
    path = Path(__file__).with_name("coulomb_family.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
