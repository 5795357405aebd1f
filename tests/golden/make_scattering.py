"""Reference values of the solid-harmonic scattering, computed by kymatio.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_scattering.py

writes ``scattering.json`` beside this file. The molecules are those of ``make_representations.py`` and some atoms of
other rows. kymatio's filters are float32.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from kymatio.numpy import HarmonicScattering3D
from kymatio.scattering3d.utils import generate_weighted_sum_of_gaussians
from make_representations import random_molecules, textbook

WIDTH = 0.24
"""σ_0 / Å"""
VOXELS = 2
"""Voxels for σ_0: kymatio's sigma_0."""
SETS: dict[str, dict[str, Any]] = {
    "defaults": {"J": 2, "L": 3, "integral_powers": (0.5, 1.0, 2.0, 3.0), "box": (48, 40, 36)},
    "first order": {"J": 1, "L": 5, "integral_powers": (1.0, 1.25, 2.0), "box": (40, 32, 32), "max_order": 1},
    "tight box": {"J": 3, "L": 1, "integral_powers": (1.0, 2.0), "box": (40, 32, 32)},
}


def aligned(positions: Any) -> Any:
    """Positions about the middle of their extent, in the axes of their spread, the longest first."""
    r = positions - positions.mean(axis=0)
    r = r @ np.linalg.svd(r)[2].T
    return r - 0.5 * (r.max(axis=0) + r.min(axis=0))


def transform(numbers: Any, positions: Any, box: Any, **parameters: Any) -> Any:
    """(1 + scales (L + 1)) Q numbers in units of σ_0: the density's integrals first."""
    shape = tuple(VOXELS * n for n in box)
    axes = (np.fft.ifftshift(np.arange(-n // 2, n - n // 2)) for n in shape)
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).astype(float)
    r = aligned(positions) / WIDTH * VOXELS
    density = generate_weighted_sum_of_gaussians(grid, r[None], np.array(numbers, float)[None], float(VOXELS))
    powers = np.array(parameters["integral_powers"])
    found = HarmonicScattering3D(shape=shape, sigma_0=VOXELS, **parameters)(density.astype(np.float32))[0]
    zeroth = np.array([(density**q).sum() for q in powers])
    return np.concatenate([zeroth, found.reshape(-1)]) * np.tile(
        float(VOXELS) ** (3 * (powers - 1)), 1 + found.size // len(powers)
    )


def main() -> None:
    """Compute and write everything."""
    known, thrown = textbook(), random_molecules(4)
    molecules = {
        **{name: known[name] for name in ("water", "carbon atom", "hydrogen cyanide", "homometric A", "homometric B")},
        **thrown,
        "silane chloride": (
            [14, 17, 1, 1, 1],
            [[0, 0, 0], [0, 0, 2.05], [1.4, 0, -0.5], [-0.7, 1.2, -0.5], [-0.7, -1.2, -0.5]],
        ),
    }
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("kymatio", "numpy", "scipy")},
        "sigma_0": WIDTH,
        "sets": SETS,
        "molecules": [],
    }
    for name, (numbers, given) in molecules.items():
        positions = np.array(given, dtype=float)
        entry: dict[str, Any] = {"name": name, "numbers": numbers, "positions": positions.tolist()}
        for title, parameters in SETS.items():
            entry[title] = [float(f"{value:.8g}") for value in transform(numbers, positions, **parameters)]
        result["molecules"].append(entry)
    path = Path(__file__).with_name("scattering.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    print(f"{path}: {len(molecules)} molecules, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
