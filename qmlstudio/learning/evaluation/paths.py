"""All regularisations at once: one decomposition of a kernel matrix gives ridge regression for every λ.

With K = Q diag(w) Qᵀ the weights of any λ are Q (Qᵀy / (w + λ)), so that a path of λ costs little more than one of
them; the left-out errors and the likelihood follow in closed form (C. Rasmussen, C. Williams, Gaussian Processes for
Machine Learning (MIT Press, 2006), equations 2.30, 5.12).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

QUICK = 500
"""Rows up to which a decomposition is not worth a thread of its own."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues (n,), ascending, and eigenvectors (n, n), in columns, of a symmetric matrix."""

    values: Floats
    vectors: Floats

    @classmethod
    def of(cls, matrix: Array, progress: Progress = SILENT) -> Spectrum:
        """Decompose a kernel matrix; ValueError when it holds numbers that are not finite.

        A cancel is answered at once: the decomposition, which cannot be interrupted, ends unheard.
        """
        if not np.isfinite(matrix).all():
            raise ValueError("the kernel matrix has values that are not finite")
        full = np.asarray(matrix, dtype=np.float64)
        # NumPy's releases the interpreter's lock, SciPy's does not
        found = attended(lambda: np.linalg.eigh(full), progress if len(full) > QUICK else SILENT)
        return cls(found[0], found[1])

    def weights(self, targets: Floats, lambdas: Any) -> Floats:
        """(n, l, t) solutions of (K + λI) α = y for each λ and the columns y of (n, t) targets."""
        below, n = self.denominators(lambdas), len(targets)
        inner = (self.vectors.T @ targets)[:, None, :] / below[:, :, None]
        found: Floats = (self.vectors @ inner.reshape(n, -1)).reshape(inner.shape)
        return found

    def denominators(self, lambdas: Any) -> Floats:
        """(n, l) w + λ; NaN in the columns where K + λI is not positive definite within rounding."""
        lambdas = np.asarray(lambdas, dtype=np.float64)
        if len(self.values) == 0:
            return np.zeros((0, len(lambdas)))
        found: Floats = self.values[:, None] + lambdas
        rounding = np.finfo(np.float64).eps * abs(float(self.values[-1]))
        found[:, found[0] <= rounding] = np.nan
        return found


def attended(work: Callable[[], Any], progress: Progress) -> Any:
    """The result of something that cannot be interrupted; a cancel leaves it to itself."""
    if not progress.can_cancel:
        return work()
    found: list[Any] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as problem:
            failed.append(problem)
        finally:
            done.set()

    threading.Thread(target=run, name="attended", daemon=True).start()
    while not done.wait(0.05):
        progress.check()
    if failed:
        raise failed[0]
    return found[0]


def lambda_path(
    matrix: Array | Spectrum, across: Array, targets: Array, lambdas: Any, *, centre: bool = True
) -> Floats:
    """Predictions of kernel ridge regression for every λ.

    Parameters
    ----------
    matrix : (n, n) array, or Spectrum
        The kernel matrix of the fitted structures. Without a decomposition that is there already it is reduced to
        three diagonals, which is quicker and as good.
    across : (m, n) array
        Kernel of the structures to predict with the fitted ones.
    targets : (n,) or (n, t) array
    lambdas : (l,) array
        Added to the diagonal.
    centre : bool
        Whether the targets' mean is taken out before and added afterwards.

    Returns
    -------
    (l, m, t) float64
        NaN for a λ with which the matrix is not positive definite.
    """
    from qmlstudio.learning.evaluation._tridiagonal import Tridiagonal

    y, mean = _centred(targets, centre)
    reduced = matrix if isinstance(matrix, Spectrum) else Tridiagonal.of(matrix)
    weights = reduced.weights(y, np.asarray(lambdas, dtype=np.float64))
    n, l, t = weights.shape
    found = np.asarray(across) @ weights.reshape(n, l * t)
    return np.ascontiguousarray(found.reshape(len(across), l, t).transpose(1, 0, 2)) + mean


def leave_one_out(spectrum: Spectrum, targets: Array, lambdas: Any, *, centre: bool = True) -> Floats:
    """Errors (value − prediction) of every structure by the model that was fitted to all others, for every λ.

    The mean is that of the others, too, which adds a term to e_i = α_i / [(K + λI)⁻¹]_ii: with G = K + λI and the mean
    y′ of the others, e_i = ([G⁻¹y]_i − y′ [G⁻¹1]_i) / [G⁻¹]_ii.

    Returns
    -------
    (l, n, t) float64
        NaN for a λ with which the matrix is not positive definite.

    Raises
    ------
    ValueError
        Fewer than two structures.
    """
    y = _columns(targets)
    n, t = y.shape
    if n < 2:
        raise ValueError("leaving one out needs at least two structures")
    q, below = spectrum.vectors, spectrum.denominators(lambdas)
    inverse = (q * q) @ (1.0 / below)
    both = np.concatenate([y, np.ones((n, 1))], axis=1)
    solved = spectrum.weights(both, lambdas)
    errors = solved[:, :, :t]
    if centre:
        others = (y.sum(axis=0) - y) / (n - 1)
        errors = errors - others[:, None, :] * solved[:, :, t:]
    return np.ascontiguousarray((errors / inverse[:, :, None]).transpose(1, 0, 2))


def log_likelihood(spectrum: Spectrum, targets: Array, lambdas: Any, *, centre: bool = True) -> Floats:
    """(l, t) log marginal likelihood of a Gaussian process with the covariance s²(K + λI), at its best s.

    −½n (ln 2πs² + 1) − ½ ln det(K + λI) with s² = yᵀ(K + λI)⁻¹y / n. NaN where the matrix is not positive definite;
    infinite for targets that are all zero.
    """
    y, _ = _centred(targets, centre)
    below = spectrum.denominators(lambdas)
    inner = spectrum.vectors.T @ y
    n = max(len(y), 1)
    size = np.einsum("it,il->lt", inner * inner, 1.0 / below) / n
    with np.errstate(divide="ignore"):
        found: Floats = -0.5 * n * (np.log(2.0 * np.pi * size) + 1.0) - 0.5 * np.log(below).sum(axis=0)[:, None]
    return found


def effective_dimension(spectrum: Spectrum, lambdas: Any) -> Floats:
    """(l,) Σ w / (w + λ): how many degrees of freedom a fit has with each λ."""
    found: Floats = (np.maximum(spectrum.values, 0.0)[:, None] / spectrum.denominators(lambdas)).sum(axis=0)
    return found


def _columns(targets: Array) -> Floats:
    y = np.asarray(targets, dtype=np.float64)
    return y[:, None] if y.ndim == 1 else y


def _centred(targets: Array, centre: bool) -> tuple[Floats, Floats]:
    y = _columns(targets)
    mean = y.mean(axis=0) if centre and len(y) else np.zeros(y.shape[1])
    return y - mean, mean
