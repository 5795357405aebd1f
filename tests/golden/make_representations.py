"""Reference values of the Coulomb matrix and the bag of bonds, computed by DScribe and qmllib.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_representations.py

writes ``representations.json`` beside this file. The molecules are made up here: textbook geometries, and atoms thrown
at random with a least distance; all numbers of them are in the file, so that reading it needs nothing else.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dscribe.descriptors import CoulombMatrix
from qmllib.representations import generate_bob, generate_coulomb_matrix, generate_coulomb_matrix_eigenvalue

BOHR = 0.529177210903
N_MAX = 12
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}


def textbook() -> dict[str, tuple[list[int], Any]]:
    """Small molecules, Å."""
    half = np.radians(104.52) / 2
    planar = {}
    # four H around one C, at 45° times these numbers: both sets have the same distances (homometric)
    for name, steps in (("homometric A", (0, 1, 3, 4)), ("homometric B", (0, 1, 2, 5))):
        angles = np.radians(45.0) * np.array(steps)
        ring = 1.09 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
        planar[name] = ([6, 1, 1, 1, 1], np.vstack([np.zeros(3), ring]))
    return {
        "water": (
            [8, 1, 1],
            [
                [0, 0, 0],
                [0.9572 * np.sin(half), 0, 0.9572 * np.cos(half)],
                [-0.9572 * np.sin(half), 0, 0.9572 * np.cos(half)],
            ],
        ),
        "hydrogen": ([1, 1], [[0, 0, 0], [0, 0, 0.74]]),
        "carbon atom": ([6], [[0.3, -0.2, 0.1]]),
        "hydrogen cyanide": ([1, 6, 7], [[0, 0, -1.064], [0, 0, 0], [0, 0, 1.156]]),
        **planar,
        # different molecules with the same eigenvalues
        "isospectral A": (
            [8, 8, 1, 1],
            [[0, 0, 0], [0, 0, 1.45], [0.955264, 0, -0.168439], [-0.403712, 0.865763, 1.618439]],
        ),
        "isospectral B": (
            [8, 8, 1, 1],
            [[0, 0, 0], [0, 0, 1.447391], [-0.197368, 0, -0.949708], [-0.765078, 0, 1.995857]],
        ),
    }


def random_molecules(count: int) -> dict[str, tuple[list[int], Any]]:
    """Atoms thrown at random, no two closer than 0.9 Å."""
    rng = np.random.default_rng(7)
    found = {}
    for k in range(count):
        n = int(rng.integers(5, N_MAX + 1))
        numbers = [int(z) for z in rng.choice([1, 1, 1, 6, 6, 7, 8, 16], n)]
        positions: list[Any] = []
        while len(positions) < n:
            point = np.round(rng.uniform(-2.5, 2.5, 3), 6)
            if all(np.linalg.norm(point - other) > 0.9 for other in positions):
                positions.append(point)
        found[f"random {k + 1}"] = (numbers, positions)
    return found


def main() -> None:
    """Compute and write everything."""
    molecules = {**textbook(), **random_molecules(8)}
    largest = {z: max(numbers.count(z) for numbers, _ in molecules.values()) for z in SYMBOLS}
    elements = sorted(SYMBOLS, key=lambda z: largest[z])
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("dscribe", "qmllib", "ase", "numpy")},
        "n_max": N_MAX,
        "counts": {str(z): largest[z] for z in sorted(largest)},
        "bob_elements": elements,
        "molecules": [],
    }
    for name, (numbers, given) in molecules.items():
        positions = np.array(given, dtype=float)
        entry: dict[str, Any] = {"name": name, "numbers": numbers, "positions": positions.tolist()}
        for unit, factor in (("angstrom", 1.0), ("bohr", 1.0 / BOHR)):
            charges, scaled = np.array(numbers, dtype=float), positions * factor
            values: dict[str, Any] = {}
            for permutation in ("none", "sorted_l2", "eigenspectrum"):
                descriptor = CoulombMatrix(n_atoms_max=N_MAX, permutation=permutation)
                values[f"dscribe {permutation}"] = descriptor.create(Atoms(numbers, scaled)).tolist()
            for sorting in ("unsorted", "row-norm"):
                matrix = generate_coulomb_matrix(charges, scaled, size=N_MAX, sorting=sorting)
                values[f"qmllib {sorting}"] = matrix.tolist()
            values["qmllib eigenvalue"] = generate_coulomb_matrix_eigenvalue(charges, scaled, size=N_MAX).tolist()
            asize = {SYMBOLS[z]: largest[z] for z in elements}
            symbols = np.array([SYMBOLS[z] for z in numbers])
            bob = generate_bob(np.array(numbers), scaled, symbols, size=N_MAX, asize=asize)
            values["qmllib bob"] = bob.tolist()
            entry[unit] = values
        result["molecules"].append(entry)
    path = Path(__file__).with_name("representations.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    print(f"{path}: {len(molecules)} molecules, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
