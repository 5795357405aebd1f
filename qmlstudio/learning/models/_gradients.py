"""Conjugate gradients for (K + λ) α = y, with a preconditioner of low rank."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
_PIECE = 500_000_000
"""Multiplications that take some 20 ms."""
Result = TypeVar("Result")
Product = Callable[[Floats, Progress], Floats]
"""Rows (t, n) → rows times a symmetric matrix."""


@dataclass(frozen=True, eq=False)
class LowRank:
    """P⁻¹ of P ≈ K + λ, got from K's leading eigenvectors, up to a factor.

    Z. Frangella, J. A. Tropp, M. Udell, SIAM J. Matrix Anal. Appl. 44, 718 (2023), eq. 5.3.

    Attributes
    ----------
    vectors : (r, n) float64
        Orthonormal rows.
    weights : (r,) float64
        (λ_r + λ) / (λ_i + λ) − 1.
    """

    vectors: Floats
    weights: Floats

    @classmethod
    def of(cls, factor: Floats, ridge: float, progress: Progress = SILENT) -> LowRank:
        """From K ≈ factorᵀ factor, (r, n), whose place the vectors take."""
        r, n = factor.shape
        step = max(1, _PIECE // max(r * r, 1))
        gram = np.zeros((r, r))
        for start in range(0, n, step):
            part = factor[:, start : start + step]
            gram += part @ part.T
            progress(0.4 * start / n, "Preconditioner")
        values, turned = patiently(np.linalg.eigh, gram, progress=progress.part(0.4, 0.6))
        kept = values > 1e-13 * values[-1] if r else np.zeros(0, dtype=bool)
        values = values[kept]
        turned = np.ascontiguousarray((turned[:, kept] / np.sqrt(values)).T)
        for start in range(0, n, step):
            factor[: len(values), start : start + step] = turned @ factor[:, start : start + step]
            progress(0.6 + 0.4 * start / n, "Preconditioner")
        if not len(values):
            return cls(factor[:0], values)
        # where neither is there, nothing needs to be damped
        weights = (values[0] + ridge) / np.maximum(values + ridge, np.finfo(float).tiny) - 1.0
        return cls(factor[: len(values)], weights)

    def __call__(self, right: Floats) -> Floats:
        """P⁻¹ times the rows (t, n)."""
        return right + ((right @ self.vectors.T) * self.weights) @ self.vectors


@dataclass(frozen=True, eq=False)
class Solved:
    """What conjugate gradients found.

    Attributes
    ----------
    weights : (t, n) float64
    iterations : int
    residual : float
        The largest of |y − (K + λ) α| / |y|.
    """

    weights: Floats
    iterations: int
    residual: float


def patiently(work: Callable[..., Result], *arguments: Any, progress: Progress) -> Result:
    """``work(*arguments)`` of a library that cannot be stopped: after a cancel it ends by itself, unheard.

    For what takes a few seconds at most and releases the interpreter's lock.
    """
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(1, "learning")
        stack.callback(pool.shutdown, wait=False)
        answer = pool.submit(work, *arguments)
        while True:
            try:
                return answer.result(timeout=0.05)
            except TimeoutError:
                progress.check()


def solve(
    product: Product,
    right: Floats,
    precondition: Callable[[Floats], Floats],
    tolerance: float,
    most: int,
    progress: Progress = SILENT,
) -> Solved:
    """Conjugate gradients for several right sides (t, n) at once, until all residuals are below `tolerance`."""
    scale = np.linalg.norm(right, axis=1)
    scale = np.where(scale > 0.0, scale, 1.0)
    weights = np.zeros_like(right)
    residual = right.copy()
    best, best_weights = float(np.max(np.linalg.norm(residual, axis=1) / scale, initial=0.0)), weights.copy()
    first = best
    done = 0
    if best > tolerance:
        z = precondition(residual)
        direction = z.copy()
        rho = np.einsum("ij,ij->i", residual, z)
    while best > tolerance and done < most:
        # the residual falls exponentially, by and large
        reached = np.log(first / best) / np.log(first / tolerance) if first > tolerance else 1.0
        part = progress.part(min(0.98, reached), min(1.0, reached + 0.05))
        part(0.0, f"Conjugate gradients: residual {best:.1e} after {done} steps")
        along = product(direction, part)
        curvature = np.einsum("ij,ij->i", direction, along)
        step = np.where(curvature > 0.0, rho / np.where(curvature > 0.0, curvature, 1.0), 0.0)
        weights += step[:, None] * direction
        residual -= step[:, None] * along
        done += 1
        if done % 50 == 0:
            # what rounding has made of the recurrence
            residual = right - product(weights, part)
        now = float(np.max(np.linalg.norm(residual, axis=1) / scale))
        if not np.isfinite(now) or not step.any():
            break
        if now < best:
            best, best_weights = now, weights.copy()
        z = precondition(residual)
        before, rho = rho, np.einsum("ij,ij->i", residual, z)
        ratio = np.where(before > 0.0, rho / np.where(before > 0.0, before, 1.0), 0.0)
        direction = z + ratio[:, None] * direction
    return Solved(best_weights, done, best)
