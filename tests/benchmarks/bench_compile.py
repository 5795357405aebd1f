"""How long the compiled loops of all representations take to be made, and to be read from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from table import Row, environment

CODE = """
import json, sys, time
import numpy as np
import qmlstudio.representations._numba_setup
import numba, scipy.linalg, scipy.special, scipy.fft
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import REGISTRY
water = ([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
methane = ([6, 1, 1, 1, 1], np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.63)
molecules = Structures.from_lists(*zip(water, methane))
crystals = Structures.from_lists(*zip(water, methane), [np.eye(3) * 6.0] * 2)
times = {}
for name, kind in REGISTRY.items():
    representation = kind()
    structures = crystals if kind.periodic == "required" else molecules
    began = time.perf_counter()
    representation.compute(structures, threads=1)
    middle = time.perf_counter()
    if representation.has_gradient:
        representation.gradient(structures, threads=1)
    times[name] = (middle - began, time.perf_counter() - middle)
print(json.dumps(times))
"""


def _once(folder: str) -> dict[str, tuple[float, float]]:
    variables = environment(1) | {"NUMBA_CACHE_DIR": folder, "OPENBLAS_NUM_THREADS": "1"}
    variables.pop("NUMBA_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    times: dict[str, tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return times


def run(peers_python: str | None) -> list[Row]:
    """Two rows: cold, and from the cache. RDKit's and the libraries' imports count where they happen."""
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = _once(folder), _once(folder)
    rows = []
    for title, times, limit in (("compiled first", cold, 60), ("from the cache", warm, 2)):
        values = sum(t[0] for t in times.values())
        gradients = sum(t[1] for t in times.values())
        longest = sorted(times, key=lambda name: -sum(times[name]))[:4]
        listed = ", ".join(f"{name} {sum(times[name]):.1f}" for name in longest)
        rows.append(
            Row(
                work=f"all {len(times)} representations once, {title}",
                ours_us=(values + gradients) * 1e6,
                note=f"values {values:.1f} s, gradients {gradients:.1f} s (asked: < {limit} s); longest: {listed} s",
            )
        )
    return rows
