"""Kernel matrices in tiles, and their leading components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._pca import leading_eigenpairs, row_blocks
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

SAMPLE = 1000
"""Rows whose distances give an automatic width."""
_LANES = 64
"""Columns that the loop for city-block distances works on together."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel function whose width is known.

    Attributes
    ----------
    kind : str
        "linear", "polynomial", "gaussian", "laplacian", "cosine" or "tanimoto".
    origin : (d,) float64
        Subtracted from all rows first: the features' mean where the kernel does not depend on it, else zeros.
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
        # the centred linear kernel and differences do not see the mean; products lose their figures to it
        if kind in ("linear", "gaussian") and n:
            for start, stop in row_blocks(features):
                origin += features[start:stop].sum(axis=0, dtype=np.float64)
            origin /= n
        if sigma is None and kind in ("gaussian", "laplacian"):
            sigma = _median_distance(features, kind == "laplacian")
        return cls(kind, origin, 1.0 if sigma is None else sigma, degree, offset)

    def __call__(self, rows: Array, others: Array) -> Floats:
        """Similarities (m, k) of two sets of rows, (m, d) and (k, d)."""
        values: Floats
        a, b = rows - self.origin, others - self.origin
        if self.kind == "laplacian":
            values = city_block(a, np.ascontiguousarray(b.T))
            values *= -1.0 / self.sigma
            return np.exp(values, out=values)
        values = a @ b.T
        if self.kind == "linear":
            return values
        if self.kind == "polynomial":
            values += self.offset
            powered: Floats = values**self.degree
            return powered
        first, second = np.einsum("ij,ij->i", a, a)[:, None], np.einsum("ij,ij->i", b, b)
        if self.kind == "gaussian":
            values *= -2.0
            values += first
            values += second
            np.maximum(values, 0.0, out=values)
            values *= -0.5 / self.sigma**2
            return np.exp(values, out=values)
        if self.kind == "cosine":
            values /= np.where(first > 0.0, np.sqrt(first), 1.0)
            values /= np.where(second > 0.0, np.sqrt(second), 1.0)
            return values
        union = first + second - values
        # two empty rows are alike
        return np.where(union > 0.0, values / np.where(union > 0.0, union, 1.0), 1.0)


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
    kernel: Kernel, features: Array, count: int, progress: Progress = SILENT
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
    matrix = kernel_matrix(kernel, features, progress.part(0.0, 0.6))
    trace = float(np.trace(matrix))
    row_means = np.zeros(n)
    blocks = row_blocks(matrix)
    for start, stop in blocks:
        progress(0.6 + 0.1 * start / n, "Kernel components")
        row_means[start:stop] = matrix[start:stop].mean(axis=1)
    mean = float(row_means.mean()) if n else 0.0
    for start, stop in blocks:
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


def kernel_matrix(kernel: Kernel, features: Array, progress: Progress = SILENT) -> Floats:
    """The symmetric kernel matrix (n, n) of the rows, of which each pair of tiles is computed once."""
    n, d = features.shape
    matrix = np.empty((n, n))
    bounds = [(i, min(i + tile_side(d), n)) for i in range(0, n, tile_side(d))]
    done = 0
    progress(0.0, "Kernel matrix")
    for i, (top, bottom) in enumerate(bounds):
        for left, right in bounds[i:]:
            values = kernel(features[top:bottom], features[left:right])
            if left == top:
                values = 0.5 * (values + values.T)
            matrix[top:bottom, left:right] = values
            if left != top:
                matrix[left:right, top:bottom] = values.T
            done += 1
            progress(2.0 * done / (len(bounds) * (len(bounds) + 1)), "Kernel matrix")
    if kernel.kind == "gaussian":
        # the square of a difference, got from products, is not quite 0
        np.fill_diagonal(matrix, 1.0)
    return matrix


def _median_distance(features: Array, city: bool) -> float:
    """Median distance of different rows, of a sample when there are many; 1 where all are equal."""
    n = len(features)
    chosen = np.arange(n) if n <= SAMPLE else np.sort(np.random.default_rng(0).choice(n, SAMPLE, replace=False))
    rows = np.asarray(features[chosen], dtype=np.float64)
    if n < 2 or not rows.size:
        return 1.0
    rows = rows - rows.mean(axis=0)
    if city:
        distances = city_block(rows, np.ascontiguousarray(rows.T))
    else:
        squares = np.einsum("ij,ij->i", rows, rows)
        distances = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * (rows @ rows.T), 0.0))
    pairs = distances[np.triu_indices(len(rows), 1)]
    # with many equal rows the median may vanish: then that of the different ones
    pairs = pairs if np.median(pairs) > 1e-7 * pairs.max() else pairs[pairs > 1e-7 * pairs.max()]
    return float(np.median(pairs)) if len(pairs) else 1.0


@njit(nogil=True, cache=True)
def city_block(rows: Array, columns: Array) -> Array:
    """City-block distances (m, k) of rows (m, d) and of the columns of a transposed matrix (d, k)."""
    m, d = rows.shape
    k = columns.shape[1]
    found = np.empty((m, k))
    panel = np.zeros((d, _LANES))
    sums = np.empty(_LANES)
    whole = d // 4 * 4
    for low in range(0, k, _LANES):
        width = min(_LANES, k - low)
        for t in range(d):
            for j in range(width):
                panel[t, j] = columns[t, low + j]
        for i in range(m):
            sums[:] = 0.0
            # the inner loops run over neighbouring columns, which the processor adds up side by side; their fixed
            # length and four terms at once spare it most of its loads and stores
            for t in range(0, whole, 4):
                a, b, c, e = rows[i, t], rows[i, t + 1], rows[i, t + 2], rows[i, t + 3]
                for j in range(_LANES):
                    sums[j] += (abs(a - panel[t, j]) + abs(b - panel[t + 1, j])) + (
                        abs(c - panel[t + 2, j]) + abs(e - panel[t + 3, j])
                    )
            for t in range(whole, d):
                a = rows[i, t]
                for j in range(_LANES):
                    sums[j] += abs(a - panel[t, j])
            for j in range(width):
                found[i, low + j] = sums[j]
    return found
