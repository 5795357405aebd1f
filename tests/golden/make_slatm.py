"""Reference values of SLATM, computed by qmllib.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_slatm.py

writes ``slatm.json`` beside this file: molecules made up here (see make_representations.py), several sets of
parameters, and for each of their molecules the types in the reference's order with all rows, packed: float64, little
endian, zlib, base64. Values below 1e-20 of the largest are stored as zeros.
"""

from __future__ import annotations

import base64
import json
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from make_representations import random_molecules, textbook
from qmllib.representations import generate_slatm, get_slatm_mbtypes

SETS: list[dict[str, Any]] = [
    {
        "parameters": {},
        "molecules": ["water", "hydrogen", "carbon atom", "hydrogen cyanide", "homometric A", "homometric B"],
        "local": ["water", "hydrogen cyanide"],
    },
    {"parameters": {}, "molecules": ["isospectral A", "random 1"], "local": []},
    {
        "parameters": {"rcut": 3.5, "sigma2": 0.1, "sigma3": 0.2, "d2": 0.1, "d3": 0.12, "rpower": 3},
        "molecules": ["random 2", "random 3"],
        "local": ["random 4"],
    },
    {
        "parameters": {"rcut": 7.0, "sigma2": 0.5, "sigma3": 0.5, "d2": 0.15, "d3": 0.15, "rpower": 12},
        "molecules": ["random 5", "random 6"],
        "local": [],
    },
    {
        "parameters": {"rcut": 2.0, "sigma2": 0.02, "sigma3": 0.02, "d2": 0.05, "d3": 0.08, "rpower": 0},
        "molecules": ["random 7", "random 8"],
        "local": ["random 7"],
    },
]
DEFAULTS = {"rcut": 4.8, "sigma2": 0.05, "sigma3": 0.05, "d2": 0.03, "d3": 0.03, "rpower": 6}


def packed(values: Any) -> str:
    """An array as text."""
    rows = np.asarray(values, dtype="<f8").copy()
    rows[np.abs(rows) < 1e-20 * np.abs(rows).max()] = 0.0
    return base64.b64encode(zlib.compress(rows.tobytes(), 9)).decode()


def main() -> None:
    """Compute and write everything."""
    molecules = {**textbook(), **random_molecules(8)}
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("qmllib", "numpy")},
        "molecules": {
            name: {"numbers": numbers, "positions": np.array(positions, dtype=float).tolist()}
            for name, (numbers, positions) in molecules.items()
        },
        "sets": [],
    }
    for chosen in SETS:
        p = {**DEFAULTS, **chosen["parameters"]}
        entries = []
        for kind in ("molecules", "local"):
            for name in chosen[kind]:
                numbers, positions = molecules[name]
                charges = np.array(numbers)
                types = get_slatm_mbtypes([charges])
                rows = generate_slatm(
                    charges,
                    np.array(positions, dtype=float),
                    types,
                    local=kind == "local",
                    sigmas=[p["sigma2"], p["sigma3"]],
                    dgrids=[p["d2"], p["d3"]],
                    rcut=p["rcut"],
                    rpower=p["rpower"],
                )
                entries.append(
                    {
                        "molecule": name,
                        "local": kind == "local",
                        "types": [[int(z) for z in t] for t in types],
                        "rows": packed(rows),
                    }
                )
        result["sets"].append({"parameters": p, "entries": entries})
    path = Path(__file__).with_name("slatm.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
