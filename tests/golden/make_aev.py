"""Reference values of ANI's environment vectors, computed by TorchANI in double precision.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_aev.py

writes ``aev.json`` beside this file. TorchANI keeps its constants in single precision, which changes values by 5e-7:
here they are put back in full. Of every row only the numbers above 1e-12 are kept, with their columns.
"""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_acsf import crystals
from make_representations import random_molecules, textbook
from torchani.aev import AEVComputer

EVEN = {
    "ani1x": ((5.2, 3.5, 16.0, 8.0, 32.0), (0.9, 4.3 / 16, 16), (0.9, 2.6 / 4, 4), (math.pi / 16, math.pi / 8, 8)),
    "ani2x": ((5.1, 3.5, 19.7, 12.5, 14.1), (0.8, 4.3 / 16, 16), (0.8, 2.7 / 8, 8), (math.pi / 8, math.pi / 4, 4)),
    "ani1": ((4.6, 3.1, 16.0, 8.0, 8.0), (0.5, 5.2 / 33, 32), (0.5, 2.9 / 9, 8), (0.0, math.pi / 4, 8)),
}
ELEMENTS = {"ani1x": [1, 6, 7, 8], "ani2x": [1, 6, 7, 8, 16, 9, 17], "ani1": [1, 6, 8, 7]}
SKIPPED = {
    "ani1x": (),
    "ani2x": ("isospectral B", "homometric A", "homometric B", "flat"),
    "ani1": ("isospectral B", "homometric A", "homometric B", "random 1", "flat", "skewed"),
}


def computer(preset: str) -> Any:
    """TorchANI's, with its constants in double precision."""
    (rcr, rca, eta_r, eta_a, zeta), *grids = EVEN[preset]
    radial, distances, angles = ([start + step * k for k in range(count)] for start, step, count in grids)
    made = AEVComputer.from_constants(
        rcr, rca, eta_r, radial, eta_a, zeta, distances, angles, num_species=len(ELEMENTS[preset])
    ).double()
    for part, values in (
        (made.radial, {"eta": [eta_r], "shifts": radial}),
        (made.angular, {"eta": [eta_a], "zeta": [zeta], "shifts": distances, "sections": angles}),
    ):
        for name, value in values.items():
            setattr(part, name, torch.tensor(value, dtype=torch.float64))
    return made


def main() -> None:
    """Compute and write everything."""
    molecules = {**textbook(), **random_molecules(2)}
    structures = [(name, *entry, None) for name, entry in molecules.items()]
    structures += [(name, *entry) for name, entry in crystals().items()]
    result: dict[str, Any] = {
        "made_with": {p: version(p) for p in ("torchani", "torch", "numpy")},
        "elements": ELEMENTS,
        "structures": [],
    }
    for name, numbers, given, cell in structures:
        positions = np.array(given, dtype=float)
        values: dict[str, Any] = {}
        for preset, elements in ELEMENTS.items():
            if name in SKIPPED[preset] or not set(numbers) <= set(elements):
                continue
            kinds = torch.tensor([[elements.index(z) for z in numbers]])
            more = {}
            if cell is not None:
                more = {"cell": torch.tensor(cell), "pbc": torch.tensor([True] * 3)}
            rows = computer(preset)(kinds, torch.tensor(positions)[None], **more)[0].numpy()
            values[preset] = {"columns": rows.shape[1], "rows": []}
            for row in rows:
                kept = np.flatnonzero(row > 1e-12)
                values[preset]["rows"].append([kept.tolist(), [float(f"{v:.14g}") for v in row[kept]]])
        result["structures"].append(
            {
                "name": name,
                "numbers": numbers,
                "positions": positions.tolist(),
                "cell": None if cell is None else cell.tolist(),
                "values": values,
            }
        )
    path = Path(__file__).with_name("aev.json")
    path.write_text(json.dumps(result, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {len(structures)} structures, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
