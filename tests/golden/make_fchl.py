"""Reference values of FCHL19 and FCHL18, computed by qmllib.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_fchl.py

writes ``fchl.json`` beside this file. The molecules are those of make_representations.py; of long rows only every k-th
number is kept, with the sums of all.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from make_representations import random_molecules, textbook
from qmllib.representations import generate_fchl18, generate_fchl19
from qmllib.representations.fchl import get_local_kernels, get_local_symmetric_kernels

ELEMENTS = [1, 6, 7, 8, 16]
KEEP = 11
"""Of how many columns one is kept."""
FCHL19 = [
    {},
    {"nFourier": 3, "zeta": 0.6, "nRs2": 13, "nRs3": 27, "rcut": 4.0, "acut": 3.0},
    {"eta2": 0.9, "eta3": 6.5, "two_body_decay": 3.0, "three_body_decay": 1.3, "three_body_weight": 2.0, "rcut": 3.0},
]
FCHL18 = [
    ("off", {"cut_distance": 1e6, "alchemy": "off"}, 2.5),
    ("periodic-table", {"cut_distance": 1e6, "alchemy": "periodic-table"}, 2.5),
    ("damped", {"cut_distance": 3.5, "cut_start": 0.5, "alchemy": "periodic-table"}, 4.0),
    ("hard", {"cut_distance": 2.5, "alchemy": "off"}, 1.0),
    (
        "all",
        {
            "cut_distance": 3.0,
            "cut_start": 0.4,
            "alchemy": "periodic-table",
            "two_body_scaling": 2.0,
            "two_body_width": 0.3,
            "two_body_power": 3.0,
            "three_body_scaling": 1.1,
            "three_body_width": 0.9,
            "three_body_power": 1.5,
            "fourier_order": 4,
            "alchemy_period_width": 2.0,
            "alchemy_group_width": 1.1,
        },
        3.0,
    ),
]


def ammonia() -> tuple[list[int], Any]:
    """N–H 1.0124 Å, H–N–H 106.68°, three H around the z axis."""
    half = np.radians(106.68) / 2
    sine = np.sin(half) * 2 / np.sqrt(3.0)
    ring = [
        [1.0124 * sine * np.cos(a), 1.0124 * sine * np.sin(a), 1.0124 * np.sqrt(1 - sine**2)]
        for a in np.radians([0.0, 120.0, 240.0])
    ]
    return [7, 1, 1, 1], np.array([[0.0, 0.0, 0.0], *ring])


def main() -> None:
    """Compute and write everything."""
    # qmllib takes the largest atomic number of each first atom's surroundings for that of the molecule: with small
    # cutoffs its heaviest atom must come first
    molecules = []
    for name, (numbers, given) in {**textbook(), "ammonia": ammonia(), **random_molecules(6)}.items():
        order = np.argsort(-np.array(numbers), kind="stable")
        molecules.append((name, np.array(numbers)[order], np.array(given, dtype=float)[order]))
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("qmllib", "numpy")},
        "elements": ELEMENTS,
        "keep": KEEP,
        "molecules": [{"name": m, "numbers": z.tolist(), "positions": r.tolist()} for m, z, r in molecules],
        "fchl19": [],
        "gradients": [],
        "fchl18": [],
    }
    for options in FCHL19:
        rows = np.vstack([generate_fchl19(z, r, elements=ELEMENTS, **options) for _, z, r in molecules])
        kept = [[float(f"{x:.15g}") for x in row] for row in rows[::2, ::KEEP]]
        result["fchl19"].append({"options": options, "sums": rows.sum(axis=1).tolist(), "rows": kept})
    for index in (0, 8, 9):
        _, z, r = molecules[index]
        _, gradient = generate_fchl19(z, r, elements=ELEMENTS, gradients=True)
        # as ours: row, atom, axis, column
        block = np.moveaxis(gradient, 1, 3)
        picked = block.reshape(-1)[:: 10 * KEEP + 1]
        result["gradients"].append({"molecule": index, "sum": float(np.abs(block).sum()), "picked": picked.tolist()})
    largest = max(len(z) for _, z, _ in molecules)
    for name, options, sigma in FCHL18:
        rows = np.array(
            [generate_fchl18(z, r, max_size=largest, cut_distance=options["cut_distance"]) for _, z, r in molecules]
        )
        chosen = {"kernel": "gaussian", "kernel_args": {"sigma": [sigma]}, **options}
        square = get_local_symmetric_kernels(rows, **chosen)[0]
        # kernel_args are changed by the call
        chosen["kernel_args"] = {"sigma": [sigma]}
        between = get_local_kernels(rows[:4], rows[5:], **chosen)[0]
        result["fchl18"].append(
            {
                "name": name,
                "options": options,
                "sigma": sigma,
                "symmetric": square.tolist(),
                "rectangular": between.tolist(),
            }
        )
    path = Path(__file__).with_name("fchl.json")
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {len(molecules)} molecules, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
