"""Kernel matrices in tiles, and their leading components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning import kernels
from qmlstudio.learning._pca import leading_eigenpairs, row_blocks
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

_CENTRED = 1 << 16
"""Numbers of the matrix that are centred at a time: they stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel function whose width is known.

    Attributes
    ----------
    kind : str
        "linear", "polynomial", "gaussian", "laplacian", "cosine" or "tanimoto".
    origin : (d,) float64
        Subtracted from all rows first: the features' mean for the linear kernel, else zeros.
    sigma : float
    degree : int
    offset : float
    """

    kind: str
    origin: Floats
    sigma: float = 1.0
    degree: int = 3
    offset: float = 1.0

    @classmethod
    def fitted(cls, kind: str, features: Array, sigma: float | None, degree: int, offset: float) -> Kernel:
        """The kernel for some features; a width of None becomes the median distance of (a sample of) their rows."""
        n, d = features.shape
        origin = np.zeros(d)
        # the centred linear kernel does not see the mean; products lose their figures to it
        if kind == "linear" and n:
            for start, stop in row_blocks(features):
                origin += features[start:stop].sum(axis=0, dtype=np.float64)
            origin /= n
        if sigma is None and kind in ("gaussian", "laplacian"):
            sigma = kernels.median_distance(Rows(features), "l1" if kind == "laplacian" else "l2")
        return cls(kind, origin, 1.0 if sigma is None else sigma, degree, offset)

    def __call__(
        self, rows: Array, others: Array | None = None, progress: Progress = SILENT, threads: int | None = 1
    ) -> Floats:
        """Similarities (m, k) of two sets of rows, (m, d) and (k, d), or (m, m) among those of one."""
        a, b = self._moved(rows), None if others is None else self._moved(others)
        values: Floats = self._similarity.matrix(a, b, progress, threads=threads)
        return values

    def _moved(self, rows: Array) -> Rows:
        return Rows(rows - self.origin if self.kind == "linear" else rows)

    @property
    def _similarity(self) -> kernels.PairwiseKernel:
        match self.kind:
            case "linear":
                return kernels.Linear()
            case "polynomial":
                return kernels.Polynomial(sigma=1.0, degree=self.degree, offset=self.offset)
            case "gaussian":
                return kernels.Gaussian(sigma=self.sigma)
            case "laplacian":
                return kernels.Laplacian(sigma=self.sigma)
            case "cosine":
                return kernels.Cosine()
            case "tanimoto":
                return kernels.Tanimoto()
        raise ValueError(f"no kernel {self.kind!r}")


@dataclass(frozen=True, eq=False)
class KernelBasis:
    """What gives new rows their kernel principal components.

    Attributes
    ----------
    kernel : Kernel
    features : (n, d)
        The rows of the decomposition.
    row_means : (n,) float64
        Mean of each row of the kernel matrix.
    weights : (n, p) float64
        Eigenvectors of the centred kernel matrix over the roots of their eigenvalues.
    """

    kernel: Kernel
    features: Array
    row_means: Floats
    weights: Floats

    def scores(self, rows: Array) -> Floats:
        """Scores (m, p) of the rows (m, d), in tiles."""
        found = np.zeros((len(rows), self.weights.shape[1]))
        mean = float(self.row_means.mean()) if len(self.row_means) else 0.0
        step = tile_side(self.features.shape[1])
        for top in range(0, len(rows), step):
            part = slice(top, top + step)
            total = np.zeros(len(rows[part]))
            for start in range(0, len(self.features), step):
                stop = start + step
                values = self.kernel(rows[part], self.features[start:stop])
                total += values.sum(axis=1)
                found[part] += (values - self.row_means[start:stop] + mean) @ self.weights[start:stop]
            # the weights sum to 0, and what is subtracted from a whole row with them, but for rounding
            found[part] -= np.outer(total / max(len(self.features), 1), self.weights.sum(axis=0))
        return found


def tile_side(d: int) -> int:
    """Rows and columns of a tile of which a product takes about 50 ms."""
    return int(np.clip(np.sqrt(1e9 / max(d, 1)), 64, 1024))


def kernel_components(
    kernel: Kernel, features: Array, count: int, progress: Progress = SILENT, threads: int | None = 1
) -> tuple[Floats, Floats, KernelBasis]:
    """The leading kernel principal components (Schölkopf, Smola, Müller 1998, eq. 20, appendix A).

    Parameters
    ----------
    features : (n, d) array
        Finite. The matrix of their kernels, n² × 8 bytes, is held in memory.
    count : int
        How many are wanted.

    Returns
    -------
    scores : (n, p) float64
    variance : (p,) float64
        Fractions of the centred kernel's trace.
    basis : KernelBasis
    """
    n = len(features)
    p = min(n, count)
    matrix = kernel(features, None, progress.part(0.0, 0.6), threads)
    trace = float(np.trace(matrix))
    row_means = np.zeros(n)
    for start, stop in row_blocks(matrix):
        progress(0.6 + 0.1 * start / n, "Kernel components")
        row_means[start:stop] = matrix[start:stop].mean(axis=1)
    mean = float(row_means.mean()) if n else 0.0
    for start, stop in row_blocks(matrix, _CENTRED):
        progress(0.7 + 0.1 * start / n, "Kernel components")
        matrix[start:stop] -= row_means[start:stop, None] - mean
        matrix[start:stop] -= row_means
    total = float(np.trace(matrix))
    weights, scores, variance = np.zeros((n, p)), np.zeros((n, p)), np.zeros(p)
    # rows that the kernel cannot tell apart leave rounding noise
    if total > 1e-13 * abs(trace):
        progress(0.8, "Kernel components")
        values, vectors = leading_eigenpairs(matrix, p, progress)
        values = np.where(values > 1e-12 * values[0], values, 0.0)
        vectors = vectors * np.where(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(p)] < 0.0, -1.0, 1.0)
        roots = np.sqrt(values)
        scores = vectors * roots
        weights = vectors / np.where(roots > 0.0, roots, np.inf)
        variance = values / total
    progress(1.0, "Kernel components")
    return scores, variance, KernelBasis(kernel, features, row_means, weights)
