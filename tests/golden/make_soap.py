"""Reference values of SOAP, computed by DScribe.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_soap.py

writes ``soap.json`` beside this file: molecules, crystals, and for each set of parameters (in our names) the rows of
all their atoms and of both averages. Molecules are those of make_representations.py; crystals are made up here.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from make_representations import random_molecules, textbook

ELEMENTS = [1, 6, 7, 8, 16]
SMALL = {"n_max": 3, "l_max": 2, "r_cut": 4.0, "sigma": 0.6}

SETS: dict[str, dict[str, Any]] = {
    "gto": {"n_max": 4, "l_max": 4, "r_cut": 5.0, "sigma": 1.0},
    "gto narrow": {"n_max": 5, "l_max": 3, "r_cut": 3.0, "sigma": 0.35},
    "gto eight": {"n_max": 8, "l_max": 6, "r_cut": 5.0, "sigma": 1.0},
    "gto many": {"n_max": 9, "l_max": 1, "r_cut": 6.0, "sigma": 1.0},
    "gto high degree": {"n_max": 2, "l_max": 9, "r_cut": 5.0, "sigma": 0.5},
    "polynomial": {"n_max": 4, "l_max": 3, "r_cut": 5.0, "sigma": 1.0, "rbf": "polynomial"},
    "polynomial narrow": {"n_max": 3, "l_max": 4, "r_cut": 4.0, "sigma": 0.5, "rbf": "polynomial"},
    "mu2": {**SMALL, "compression": "mu2"},
    "mu1nu1": {**SMALL, "compression": "mu1nu1"},
    "crossover": {**SMALL, "compression": "crossover"},
    "poly": {**SMALL, "weighting": "poly", "r0": 4.0, "c": 2.0, "m": 2.0},
    "poly, centre": {**SMALL, "weighting": "poly", "r0": 3.5, "c": 1.5, "m": 1.0, "w0": 0.25},
    "pow": {**SMALL, "weighting": "pow", "r0": 2.0, "c": 2.0, "d": 0.7, "m": 3.0},
    "pow, its own cutoff": {**SMALL, "r_cut": None, "weighting": "pow", "r0": 1.2, "c": 1.0, "d": 1.0, "m": 4.0},
    "exp": {**SMALL, "weighting": "exp", "r0": 2.0, "c": 2.0, "d": 0.7},
    "only a centre": {**SMALL, "w0": 0.0},
}
FEW = ("gto eight", "gto many", "gto high degree")
"""Sets with many columns: for these only the first molecules and rows are kept."""


def crystals() -> dict[str, tuple[list[int], Any, Any]]:
    """Small cells, Å: a skewed one, and one shorter than the cutoffs."""
    rng = np.random.default_rng(5)
    found = {}
    for name, count, lengths in (("skewed", 4, (4.2, 4.6, 5.0)), ("short", 2, (2.6, 2.9, 3.1))):
        cell = np.round(np.diag(lengths) + rng.normal(0, 0.3, (3, 3)), 4)
        grid = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0.1], [0, 0.5, 0.9]])[:count]
        positions = np.round((grid + rng.normal(0, 0.02, grid.shape)) @ cell, 6)
        found[name] = ([int(z) for z in rng.choice([1, 6, 8], count)], positions, cell)
    return found


def descriptor(given: dict[str, Any], average: str, periodic: bool) -> SOAP:
    """DScribe's for our parameters."""
    values = dict(given)
    weighting = {k: values.pop(k) for k in ("r0", "c", "d", "m", "w0") if k in values}
    function = values.pop("weighting", None)
    if function is not None:
        weighting["function"] = function
    values["compression"] = {"mode": values.pop("compression", "off")}
    return SOAP(species=ELEMENTS, average=average, weighting=weighting or None, periodic=periodic, **values)


def rounded(values: Any) -> list[Any]:
    """To 13 digits of the largest: so many are right."""
    array = np.asarray(values)
    digits = 13 - int(np.ceil(np.log10(max(np.abs(array).max(initial=0), 1e-300))))
    return np.round(array, digits).tolist()


def main() -> None:
    """Compute and write everything."""
    molecules = {**textbook(), **random_molecules(4)}
    names = ("water", "carbon atom", "hydrogen cyanide", "homometric A", "random 1", "random 4")
    structures: list[dict[str, Any]] = [
        {"name": name, "numbers": molecules[name][0], "positions": np.asarray(molecules[name][1], float).tolist()}
        for name in names
    ]
    structures += [
        {"name": name, "numbers": numbers, "positions": positions.tolist(), "cell": cell.tolist()}
        for name, (numbers, positions, cell) in crystals().items()
    ]
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("dscribe", "ase", "numpy", "scipy")},
        "elements": ELEMENTS,
        "structures": structures,
        "sets": [],
    }
    for title, given in SETS.items():
        rows: list[dict[str, Any]] = []
        for index, structure in enumerate(structures):
            if title in FEW and structure["name"] not in ("water", "short"):
                continue
            periodic = "cell" in structure
            atoms = Atoms(structure["numbers"], structure["positions"], cell=structure.get("cell"), pbc=periodic)
            entry: dict[str, Any] = {"structure": index}
            for average in ("off", "inner", "outer"):
                if title in FEW and average == "outer":
                    continue
                array = np.atleast_2d(descriptor(given, average, periodic).create(atoms))
                # those that are zero for want of an element say nothing
                kept = np.flatnonzero(array.any(axis=0))
                # of many columns every ninth stands for the others
                kept = kept[:: max(1, len(kept) // 45)]
                atom = len(array) - 1
                entry[average] = {
                    "columns": [array.shape[1], *kept.tolist()],
                    "atom": atom,
                    "values": rounded(array[atom, kept]),
                    "norm": float(np.linalg.norm(array[atom])),
                }
            rows.append(entry)
        result["sets"].append({"title": title, "parameters": given, "rows": rows})
    path = Path(__file__).with_name("soap.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    print(f"{path}: {len(structures)} structures, {len(SETS)} sets, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
