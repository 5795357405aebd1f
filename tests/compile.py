"""Compile the loops that many tests need, once: halves of the suite that run side by side would each do it."""

from __future__ import annotations

import sys
import time

import numpy as np

import qmlstudio.numba_setup  # noqa: F401  (says where compiled loops are kept, before numba is imported)
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT
from qmlstudio.representations import REGISTRY
from qmlstudio.session.columns import Columns
from qmlstudio.session.doctor import REGISTRY as CHECKS
from qmlstudio.session.doctor import examine
from qmlstudio.session.text_loops import parse_lines
from qmlstudio.shell.warm_up import warm_up_job

WATER = ([8, 1, 1], [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
METHANE = ([6, 1, 1, 1, 1], np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.63)


def main() -> None:
    """All that the window prepares after its start, then the derivatives."""
    began = time.perf_counter()
    warm_up_job().compute(SILENT)
    molecules = Structures.from_lists(*zip(WATER, METHANE))
    for representation in (kind() for kind in REGISTRY.values()):
        if representation.has_gradient and representation.periodic != "required":
            representation.gradient(molecules, threads=1)
    few = load_builtin("qm9_7").take(slice(0, 20))
    examine(few, Columns(few), [kind() for kind in CHECKS.values()])
    parse_lines(["H 0 0 0"], 4, 0)
    print(f"compiled or loaded in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
