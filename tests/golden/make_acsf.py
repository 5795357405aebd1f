"""Reference values of the symmetry functions, computed by DScribe.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_acsf.py

writes ``acsf.json`` beside this file. Molecules and crystals are made up here or in make_representations.py; all
numbers of them are in the file.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dscribe.descriptors import ACSF
from make_representations import random_molecules, textbook

ELEMENTS = [1, 6, 7, 8, 16]

SETS: dict[str, dict[str, Any]] = {
    "eight and eight": {
        "r_cut": 6.0,
        "g2_params": [[0.9, round(0.8 + 0.7 * k, 2)] for k in range(8)],
        "g4_params": [[0.01, zeta, lam] for zeta in (1, 2, 4, 16) for lam in (1, -1)],
    },
    "all kinds, short": {
        "r_cut": 3.0,
        "g2_params": [[1.0, 1.0], [4.0, 2.0]],
        "g3_params": [1.0, 2.5],
        "g4_params": [[0.1, 3, 1], [0.002, 2.5, -1], [0.5, 7, 0.5]],
        "g5_params": [[0.1, 3, -1], [0.3, 1, 1], [0.0, 12, 1]],
    },
    "G1 and G3": {"r_cut": 4.5, "g3_params": [0.5]},
}


def crystals() -> dict[str, tuple[list[int], Any, Any]]:
    """Small cells, Å: a skewed one, one shorter than the cutoffs, and a slab-like one."""
    rng = np.random.default_rng(3)
    found = {}
    for name, count, lengths in (
        ("skewed", 5, (4.2, 4.6, 5.0)),
        ("short", 2, (2.6, 2.9, 3.1)),
        ("flat", 4, (3.4, 9, 4)),
    ):
        cell = np.round(np.diag(lengths) + np.tril(rng.uniform(-0.6, 0.6, (3, 3)), -1), 4)
        positions: list[Any] = []
        while len(positions) < count:
            point = rng.uniform(0, 1, 3) @ cell
            images = np.array([np.array(t) @ cell for t in np.ndindex(3, 3, 3)]) - cell.sum(axis=0)
            if all(np.linalg.norm(point - other + images, axis=1).min() > 1.1 for other in positions):
                positions.append(np.round(point, 5))
        found[name] = ([int(z) for z in rng.choice([1, 6, 8], count)], np.array(positions), cell)
    return found


def rounded(rows: Any) -> Any:
    """To 14 digits, zeros short."""
    return [[float(f"{value:.14g}") if value else 0 for value in row] for row in np.asarray(rows)]


def main() -> None:
    """Compute and write everything."""
    molecules = {**textbook(), **random_molecules(2)}
    structures = [(name, *entry, None) for name, entry in molecules.items()]
    structures += [(name, *entry) for name, entry in crystals().items()]
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("dscribe", "ase", "numpy")},
        "elements": ELEMENTS,
        "sets": SETS,
        "structures": [],
    }
    for name, numbers, positions, cell in structures:
        atoms = Atoms(numbers, np.array(positions, dtype=float), cell=cell, pbc=cell is not None)
        values = {}
        for title, parameters in SETS.items():
            if title == "eight and eight" and name == "random 2":
                continue
            descriptor = ACSF(species=ELEMENTS, periodic=cell is not None, **parameters)
            rows = descriptor.create(atoms)
            if np.isfinite(rows).all():  # DScribe has NaN where rounding makes 1 + λ cos θ negative and ζ is no integer
                values[title] = rounded(rows)
        result["structures"].append(
            {
                "name": name,
                "numbers": numbers,
                "positions": np.array(positions, dtype=float).tolist(),
                "cell": None if cell is None else cell.tolist(),
                "values": values,
            }
        )
    path = Path(__file__).with_name("acsf.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {len(structures)} structures, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
