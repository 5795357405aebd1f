"""Reference values of kernels of energies and forces, computed by qmllib.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_forces.py

writes ``forces.json`` beside this file: kernels of the atoms of some molecules with two others, and their gradients.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from qmllib.kernels.gradient_kernels import get_atomic_local_gradient_kernel, get_atomic_local_kernel
from qmllib.representations import generate_fchl19

SIGMA = 2.5
MOLECULES = [[8, 1, 1], [6, 8, 1, 1], [7, 1, 1, 1]]
OTHERS = [[6, 8, 1, 1], [8, 1, 1]]


def positions(numbers: list[int], rng: Any) -> Any:
    """Random ones that are not too close."""
    while True:
        found = rng.uniform(-1.4, 1.4, (len(numbers), 3))
        distances = np.linalg.norm(found[:, None] - found[None], axis=2) + 9.0 * np.eye(len(numbers))
        if distances.min() > 0.9:
            return found


def features(molecules: list[list[int]], geometries: list[Any]) -> tuple[Any, Any]:
    """Rows and gradients, filled up to the largest molecule."""
    most, elements = 4, [1, 6, 7, 8]
    found = [
        generate_fchl19(np.array(z), r, elements=elements, gradients=True, pad=most)
        for z, r in zip(molecules, geometries, strict=True)
    ]
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(11)
    first, second = ([positions(z, rng) for z in molecules] for molecules in (MOLECULES, OTHERS))
    rows, gradients = features(MOLECULES, first)
    others, _ = features(OTHERS, second)
    energies = get_atomic_local_kernel(others, rows, OTHERS, MOLECULES, SIGMA)
    forces = get_atomic_local_gradient_kernel(others, rows, gradients, OTHERS, MOLECULES, SIGMA)
    found = {
        "qmllib": version("qmllib"),
        "sigma": SIGMA,
        "molecules": [{"numbers": z, "positions": r.tolist()} for z, r in zip(MOLECULES, first, strict=True)],
        "others": [{"numbers": z, "positions": r.tolist()} for z, r in zip(OTHERS, second, strict=True)],
        "energies": np.asarray(energies).tolist(),
        "forces": np.asarray(forces).tolist(),
    }
    Path(__file__).with_name("forces.json").write_text(json.dumps(found) + "\n")
    print(np.shape(energies), np.shape(forces))


if __name__ == "__main__":
    main()
