"""Reference values of local kernels, computed by qmllib and DScribe from random rows.

Run with the interpreter of the peers' environment (tests/benchmarks/requirements-peers.txt)::

    .venv-peers/bin/python tests/golden/make_local_kernels.py

writes ``local_kernels.json`` beside this file.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from dscribe.kernels import REMatchKernel
from qmllib.kernels import (
    get_global_kernel,
    get_local_kernel,
    get_local_kernels_gaussian,
    get_local_kernels_laplacian,
    get_local_symmetric_kernel,
)

SIZES = (3, 5, 1, 4)
COLUMNS = 6
SIGMA = 0.7
WIDE = 1.3
# DScribe compares squared changes with its threshold
EXACT = 1e-26


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(7)
    rows = [rng.uniform(size=(n, COLUMNS)).round(3) for n in SIZES]
    numbers = [rng.choice([1, 6, 8], size=n) for n in SIZES]
    padded = np.zeros((len(SIZES), max(SIZES), COLUMNS))
    for place, part in zip(padded, rows, strict=True):
        place[: len(part)] = part
    every, counts = np.concatenate(rows), np.array(SIZES)
    unit = [part / np.linalg.norm(part, axis=1)[:, None] for part in rows]
    power = REMatchKernel(metric="polynomial", degree=2, gamma=1, coef0=0, alpha=0.1, threshold=EXACT)
    smooth = REMatchKernel(metric="rbf", gamma=0.5 / SIGMA**2, alpha=0.5, threshold=EXACT, normalize_kernel=False)
    matrices = {
        "sum": get_local_kernel(padded, padded, numbers, numbers, SIGMA),
        "symmetric": get_local_symmetric_kernel(padded, numbers, SIGMA),
        "global": get_global_kernel(padded, padded, numbers, numbers, WIDE),
        "every element, gaussian": get_local_kernels_gaussian(every, every, counts, counts, [SIGMA])[0],
        "every element, laplacian": get_local_kernels_laplacian(every, every, counts, counts, [SIGMA])[0],
        "rematch, power": power.create(unit),
        "rematch, gaussian": smooth.create(rows),
    }
    content = {
        "made_with": {name: version(name) for name in ("qmllib", "dscribe", "numpy")},
        "sigma": SIGMA,
        "wide": WIDE,
        "sizes": SIZES,
        "numbers": np.concatenate(numbers).tolist(),
        "rows": every.tolist(),
        "matrices": {name: np.asarray(matrix).tolist() for name, matrix in matrices.items()},
    }
    text = json.dumps(content, separators=(",", ":"))
    Path(__file__).with_name("local_kernels.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
