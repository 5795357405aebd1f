"""The curve 1 / (1 + a d^2b) that stands for nearness on UMAP's map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def curve_parameters(min_dist: float, spread: float) -> tuple[float, float]:
    """a and b for which 1 / (1 + a d^2b) is nearest, in least squares, to exp(−(d − min_dist)/spread), at most 1.

    Fitted on 300 distances up to three times `spread`, as umap-learn does, by Levenberg–Marquardt.
    """
    x = np.linspace(0.0, 3.0 * spread, 300)[1:]
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    # the logarithm of a keeps it positive and makes the fit converge from far away
    q = np.array([-2.0 * np.log(max(spread, 1e-12)), 1.0])
    damping = 1e-3
    log_x = np.log(x)

    def fit(q: Floats) -> Floats:
        with np.errstate(over="ignore"):
            value: Floats = 1.0 / (1.0 + np.exp(q[0] + 2.0 * q[1] * log_x))
        return value

    value = fit(q)
    for _ in range(500):
        slope = -value * (1.0 - value)
        jacobian = np.stack([slope, slope * 2.0 * log_x], axis=1)
        residual = y - value
        normal = jacobian.T @ jacobian
        change = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-300), jacobian.T @ residual)
        trial = fit(q + change)
        if np.sum((y - trial) ** 2) <= np.sum(residual**2):
            q, value, damping = q + change, trial, max(damping / 10.0, 1e-12)
            if np.max(np.abs(change)) < 1e-12:
                break
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    return float(np.exp(q[0])), float(q[1])
