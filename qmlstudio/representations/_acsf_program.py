"""The symmetry functions in the order in which their loops make them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qmlstudio.representations._drive import frozen

Entries = tuple[tuple[float, ...], ...]


def program(g2: Entries, g3: tuple[float, ...], g4: Entries, g5: Entries) -> tuple[Any, ...]:
    """The arrays `g2`, `g3`, `weights`, `powers` and `functions`; what is in them: ``_acsf_loops.compute``.

    Gaussians of the triples are made once for each η, powers once for each ζ and λ, with ascending ζ: the next is the
    one before squared where that is possible.
    """
    angular = [(4.0, *entry) for entry in g4] + [(5.0, *entry) for entry in g5]
    weights = sorted({(kind, eta) for kind, eta, _, _ in angular})
    powers: list[tuple[float, ...]] = []
    functions: list[tuple[int, int]] = []
    previous = (0.0, 0.0)
    for negative, zeta in sorted({(-lam, zeta) for _, _, zeta, lam in angular}):
        lam = -negative
        fresh = not powers or lam != previous[0]
        ratio = zeta / (1.0 if fresh else previous[1])
        squarings = round(math.log2(ratio))
        mode = squarings if 2.0**squarings == ratio else -1 if zeta.is_integer() else -2
        own = [
            (weights.index((kind, eta)), column)
            for column, (kind, eta, z, l) in enumerate(angular)
            if (l, z) == (lam, zeta)
        ]
        powers.append((lam, zeta, mode, float(fresh), len(functions), len(functions) + len(own)))
        functions += own
        previous = (lam, zeta)
    return (
        frozen(np.array(g2, dtype=np.float64).reshape(-1, 2).T, np.float64),
        frozen(np.array(g3, dtype=np.float64), np.float64),
        frozen(np.array(weights, dtype=np.float64).reshape(-1, 2), np.float64),
        frozen(np.array(powers, dtype=np.float64).reshape(-1, 6), np.float64),
        frozen(np.array(functions, dtype=np.int64).reshape(-1, 2), np.int64),
    )
