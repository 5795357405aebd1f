"""Reference values of the many-body tensor and its local form, computed by DScribe.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_mbtr.py

writes ``mbtr.json`` beside this file. Molecules as in make_representations.py, crystals made up here; every case holds
its own structures, the peer's settings and the fields that say the same here, so that reading it needs nothing else.
Of a local row the columns in which the centre stands twice are left out: they are zero, which is checked here.
"""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dscribe.descriptors import LMBTR, MBTR
from make_representations import random_molecules, textbook

WEIGHTS: dict[str, dict[str, Any]] = {
    "exp": {"function": "exp", "scale": 0.5, "threshold": 1e-3},
    "exp by cutoff": {"function": "exp", "r_cut": 4.0, "threshold": 1e-2},
    "inverse_square": {"function": "inverse_square", "r_cut": 3.5},
    "smooth": {"function": "smooth_cutoff", "r_cut": 3.0},
    "smooth, sharp": {"function": "smooth_cutoff", "r_cut": 4.0, "sharpness": 3},
    "unity": {"function": "unity"},
}
GRIDS: dict[str, dict[str, Any]] = {
    "atomic_number": {"min": 0, "max": 10, "n": 11, "sigma": 0.5},
    "distance": {"min": 0.5, "max": 4.5, "n": 12, "sigma": 0.25},
    "inverse_distance": {"min": 0, "max": 1, "n": 20, "sigma": 0.1},
    # narrow enough that bins are of the width of the Gaussians
    "angle": {"min": 0, "max": 170, "n": 12, "sigma": 7.0},
    "cosine": {"min": -1, "max": 1, "n": 15, "sigma": 0.04},
}
ORDER = {"atomic_number": 1, "distance": 2, "inverse_distance": 2, "angle": 3, "cosine": 3}


def crystals() -> dict[str, Any]:
    """Name → (numbers, positions, cell), Å."""
    rng = np.random.default_rng(3)
    skewed = [[4.1, 0.0, 0.0], [0.7, 3.9, 0.0], [-0.4, 0.9, 4.4]]
    basis = np.array([[0.02, 0.05, 0.01], [0.45, 0.52, 0.11], [0.13, 0.44, 0.61], [0.62, 0.08, 0.53]])
    return {
        "rock salt, primitive": ([6, 8], [[0, 0, 0], [2.1, 0, 0]], [[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]]),
        "one atom": ([6], [[0.3, 0.1, 0.2]], [[2.5, 0, 0], [0.3, 2.6, 0], [0.2, -0.4, 2.7]]),
        "skewed": ([1, 6, 8, 8], np.round((basis + rng.normal(0, 0.01, (4, 3))) @ skewed, 6).tolist(), skewed),
    }


def fields(geometry: str, weight: str, normalization: str, area: bool) -> dict[str, Any]:
    """The settings in the names of this project."""
    order = ORDER[geometry]
    k = f"k{order}"
    grid = GRIDS[geometry]
    found: dict[str, Any] = {f"k{other}": other == order for other in (1, 2, 3)}
    found |= {f"{k}_min": grid["min"], f"{k}_max": grid["max"], f"{k}_n": grid["n"], f"{k}_sigma": grid["sigma"]}
    found |= {"normalization": normalization, "normalize_gaussians": area}
    if order > 1:
        own = WEIGHTS[weight]
        found |= {f"{k}_geometry": geometry, f"{k}_weighting": own["function"]}
        for theirs, ours in (("scale", "scale"), ("threshold", "threshold"), ("r_cut", "r_cut")):
            if theirs in own:
                found[f"{k}_{ours}"] = own[theirs]
        if "sharpness" in own:
            found["k3_sharpness"] = own["sharpness"]
    return found


def without_x_twice(rows: Any, elements: int, n: int, order: int) -> Any:
    """Local rows without the columns of X–X and of triples with X twice."""
    with_x = elements + 1
    if order == 2:
        kept = list(range(1, with_x))
        total = with_x
    else:
        first = with_x * (with_x + 1) // 2
        kept = [i * with_x - i * (i + 1) // 2 + k for i in range(1, with_x) for k in range(i, with_x)]
        kept += [first + (j - 1) * with_x + k for j in range(1, with_x) for k in range(1, with_x)]
        total = first + elements * with_x
    blocks = rows.reshape(len(rows), total, n)
    left = np.setdiff1d(np.arange(total), kept)
    if np.abs(blocks[:, left]).max() > 0:
        raise RuntimeError("a column in which the centre stands twice is not zero")
    return blocks[:, kept].reshape(len(rows), -1)


def short(rows: Any) -> list[list[float]]:
    """Fifteen digits; what is far below the largest value counts as zero."""
    # the peer divides a lone atom's zeros by their norm
    rows = np.nan_to_num(rows)
    scale = np.abs(rows).max(initial=0.0)
    return [[float(f"{v:.15g}") if abs(v) > 1e-17 * scale else 0.0 for v in row] for row in rows]


def main() -> None:
    """Compute and write everything."""
    known = {**textbook(), **random_molecules(8)}
    chosen = ["water", "hydrogen", "carbon atom", "homometric A", "isospectral A", "random 2", "random 5"]
    molecules = {name: known[name] for name in chosen}
    periodic = crystals()
    elements = sorted({z for numbers, _ in molecules.values() for z in numbers})
    cases: list[dict[str, Any]] = []

    def add(
        kind: str, geometry: str, weight: str, normalization: str = "none", area: bool = True, crystal: bool = False
    ) -> None:
        settings = {
            "geometry": {"function": geometry},
            "grid": GRIDS[geometry],
            "normalization": normalization,
            "normalize_gaussians": area,
            "periodic": crystal,
        }
        own = dict(WEIGHTS[weight])
        if kind == "lmbtr" and "r_cut" in own:
            # the peer's local form wants the decay itself
            own = {"function": "exp", "scale": -math.log(1e-2) / ((ORDER[geometry] - 1) * 4.0), "threshold": 1e-2}
        if ORDER[geometry] > 1:
            settings["weighting"] = own
        names = list(periodic) if crystal else list(molecules)
        known_elements = [1, 6, 8] if crystal else elements
        rows: Any = []
        for name in names:
            if crystal:
                numbers, positions, cell = periodic[name]
                atoms = Atoms(numbers, positions, cell=cell, pbc=True)
            else:
                atoms = Atoms(*molecules[name])
            if kind == "mbtr":
                rows.append(MBTR(species=known_elements, **settings).create(atoms)[None])
            else:
                local = np.asarray(LMBTR(species=known_elements, **settings).create(atoms)).reshape(len(atoms), -1)
                rows.append(without_x_twice(local, len(known_elements), GRIDS[geometry]["n"], ORDER[geometry]))
        cases.append(
            {
                "kind": kind,
                "fields": fields(geometry, weight, normalization, area),
                "structures": "crystals" if crystal else "molecules",
                "rows": short(np.concatenate(rows)),
            }
        )

    add("mbtr", "atomic_number", "unity")
    add("mbtr", "distance", "unity")
    add("mbtr", "distance", "exp by cutoff", area=False)
    add("mbtr", "inverse_distance", "exp", "l2")
    add("mbtr", "inverse_distance", "inverse_square", "n_atoms")
    add("mbtr", "angle", "unity")
    add("mbtr", "angle", "exp by cutoff", "n_atoms")
    add("mbtr", "cosine", "exp", area=False)
    add("mbtr", "cosine", "smooth, sharp")
    add("mbtr", "distance", "exp", "valle_oganov", crystal=True)
    add("mbtr", "inverse_distance", "inverse_square", crystal=True)
    add("mbtr", "angle", "exp by cutoff", crystal=True)
    add("mbtr", "cosine", "smooth", "valle_oganov", crystal=True)
    add("lmbtr", "distance", "unity")
    add("lmbtr", "inverse_distance", "exp by cutoff", "l2")
    add("lmbtr", "angle", "exp")
    add("lmbtr", "distance", "exp by cutoff", crystal=True)
    add("lmbtr", "cosine", "exp by cutoff", crystal=True)
    result = {
        "made_with": {p: version(p) for p in ("dscribe", "ase", "numpy")},
        "elements": elements,
        "molecules": [
            {"name": name, "numbers": list(numbers), "positions": np.asarray(positions, dtype=float).tolist()}
            for name, (numbers, positions) in molecules.items()
        ],
        "crystals": [
            {"name": name, "numbers": numbers, "positions": positions, "cell": cell}
            for name, (numbers, positions, cell) in periodic.items()
        ],
        "cases": cases,
    }
    path = Path(__file__).with_name("mbtr.json")
    path.write_text(json.dumps(result, separators=(",", ":")).replace("0.0,", "0,") + "\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
