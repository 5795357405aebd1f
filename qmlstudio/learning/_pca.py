"""Leading principal components of a feature matrix, by the smallest exact decomposition, in blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]

DENSE_LIMIT = 1000
"""Up to this order the whole spectrum is computed by LAPACK (0.2 s); above, Lanczos finds the leading part."""
_SYMMETRIC = 1 << 27
"""Numbers of a matrix of which one product takes less than 0.1 s, and need not be divided for a cancel."""


@dataclass(frozen=True, eq=False)
class Principal:
    """Leading principal components.

    Attributes
    ----------
    mean : (d,) float64
    axes : (d, p) float64
        Orthonormal directions (loadings), descending variance; the largest loading of each is positive.
    scores : (n, p) float64
        Centred rows along the axes.
    variance : (p,) float64
        Fraction of the total variance along each axis.
    """

    mean: Floats
    axes: Floats
    scores: Floats
    variance: Floats


def check_finite(features: Array) -> None:
    """Raise ValueError naming the first row that holds NaN or infinity; `features` (n, d) may be memory-mapped."""
    for start, stop in row_blocks(features):
        block = features[start:stop]
        # the sum of a block is finite when all its values are: one pass without a mask in the usual case
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum(dtype=np.float64)):
                continue
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            raise ValueError(f"the features of row {start + int(np.argmax(bad))} (counted from 0) are not all finite")


def row_blocks(features: Array, limit: int = 1 << 22) -> list[tuple[int, int]]:
    """Ranges of rows of at most `limit` values each."""
    n, d = features.shape
    step = max(1, limit // max(d, 1))
    return [(i, min(i + step, n)) for i in range(0, n, step)]


def principal_components(features: Array, count: int, progress: Progress = SILENT, *, exact: bool = True) -> Principal:
    """The leading principal components of the rows of `features`.

    The centred matrix X (n, d) is reduced to its covariance XᵀX when d ≤ n, else to its Gram matrix XXᵀ, summed in
    float64 over blocks of rows, so that float32 and memory-mapped features are never copied whole.

    Parameters
    ----------
    features : (n, d) array
        Finite numbers.
    count : int
        How many components are wanted; fewer come back where min(n, d) is less.
    exact : bool
        False allows a randomised search for the leading directions of large matrices (always the same, orthonormal,
        within some percent of the optimal variance): enough to start a map from and to filter neighbours.

    Returns
    -------
    Principal
    """
    n, d = features.shape
    p = min(n, d, count)
    if p == 0:
        return Principal(np.zeros(d), np.zeros((d, 0)), np.zeros((n, 0)), np.zeros(0))
    mean = np.zeros(d)
    for start, stop in row_blocks(features):
        progress(0.0, "Centring the features")
        mean += features[start:stop].sum(axis=0, dtype=np.float64)
    mean /= n
    progress(0.05, "Principal components")
    if not exact and min(n, d) > 2 * DENSE_LIMIT:
        return _randomised(features, mean, p, progress)
    if d <= n:
        matrix = _covariance(features, mean, progress.part(0.05, 0.6))
    else:
        matrix = _gram(features, mean, progress.part(0.05, 0.6))
    total = float(np.trace(matrix))
    if total <= 0.0:
        return Principal(mean, np.eye(d, p), np.zeros((n, p)), np.zeros(p))
    values, vectors = leading_eigenpairs(matrix, p, progress)
    del matrix
    progress(0.9, "Principal components")
    axes = vectors if d <= n else _axes_from_gram(features, mean, values, vectors, progress)
    return _project(features, mean, axes, np.maximum(values, 0.0) / total, progress)


def _project(features: Array, mean: Floats, axes: Floats, variance: Floats, progress: Progress) -> Principal:
    """The result, with each axis turned so that its largest loading is positive."""
    p = axes.shape[1]
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), np.arange(p)] < 0.0, -1.0, 1.0)
    scores = np.empty((len(features), p))
    for start, stop in row_blocks(features):
        progress(0.95, "Principal components")
        scores[start:stop] = (features[start:stop] - mean) @ axes
    progress(1.0, "Principal components")
    return Principal(mean, np.ascontiguousarray(axes), scores, variance)


def _randomised(features: Array, mean: Floats, p: int, progress: Progress) -> Principal:
    """Leading directions by subspace iteration from a fixed random start (Halko, Martinsson, Tropp 2011, §4.5)."""
    n, d = features.shape
    basis = np.random.default_rng(0).standard_normal((d, min(p + 10, n, d)))
    blocks, passes = row_blocks(features), 3
    total, values = 0.0, np.zeros(p)
    for turn in range(passes):
        basis, _ = np.linalg.qr(basis)
        image, total = np.zeros_like(basis), 0.0
        for done, (start, stop) in enumerate(blocks):
            progress(0.05 + 0.9 * (turn + done / len(blocks)) / passes, "Principal components")
            block = features[start:stop] - mean
            total += float(np.einsum("ij,ij->", block, block))
            image += block.T @ (block @ basis)
        if turn == passes - 1:
            values, vectors = np.linalg.eigh(basis.T @ image)
            basis = basis @ vectors[:, ::-1][:, :p]
            values = np.maximum(values[::-1][:p], 0.0)
        else:
            basis = image
    return _project(features, mean, basis, values / total if total > 0.0 else values, progress)


def _covariance(features: Array, mean: Floats, progress: Progress) -> Floats:
    """Sum of the outer products of the centred rows, (d, d)."""
    d = features.shape[1]
    total = np.zeros((d, d))
    # a slice costs rows × d² operations: about 50 ms each
    for start, stop in slices(len(features), progress, "Principal components", first=max(64, 10**9 // (d * d + 1))):
        block = features[start:stop] - mean
        total += block.T @ block
    return total


def _gram(features: Array, mean: Floats, progress: Progress) -> Floats:
    """Inner products of the centred rows, (n, n)."""
    n, d = features.shape
    total = np.zeros((n, n))
    columns = max(1, (1 << 24) // max(n, 1))
    # over blocks of columns: each is read once and n·n·columns operations long
    for start, stop in slices(d, progress, "Principal components", first=min(columns, max(1, 10**9 // (n * n + 1)))):
        for low in range(start, stop, columns):
            block = features[:, low : min(low + columns, stop)] - mean[low : min(low + columns, stop)]
            total += block @ block.T
            progress.check()
    return total


def leading_eigenpairs(matrix: Floats, p: int, progress: Progress) -> tuple[Floats, Floats]:
    """The `p` largest eigenvalues, descending, and their vectors, of a symmetric positive matrix."""
    m = len(matrix)
    if m <= DENSE_LIMIT or 4 * p > m:
        values, vectors = np.linalg.eigh(matrix)
        return values[::-1][:p], vectors[:, ::-1][:, :p]
    from scipy.linalg.blas import dsymv
    from scipy.sparse.linalg import LinearOperator, eigsh

    def multiply(vector: Floats) -> Floats:
        if m * m <= _SYMMETRIC and matrix.flags.c_contiguous:
            # reads one half only; the transposed one is as Fortran has it
            progress.check()
            found: Floats = dsymv(1.0, matrix.T, vector.ravel(), lower=1)
            return found
        product = np.empty(m)
        # one product with a matrix of gigabytes would keep a cancel waiting
        for start, stop in row_blocks(matrix, 1 << 26):
            progress.check()
            product[start:stop] = matrix[start:stop] @ vector.ravel()
        return product

    operator = LinearOperator((m, m), matvec=multiply, dtype=np.float64)
    # a fixed start makes the result the same every time; it must not be orthogonal to the leading vectors
    first = np.random.default_rng(0).standard_normal(m)
    values, vectors = eigsh(operator, k=p, which="LA", v0=first, ncv=min(m, 2 * p + 20))
    order = np.argsort(values)[::-1]
    return values[order], vectors[:, order]


def _axes_from_gram(features: Array, mean: Floats, values: Floats, vectors: Floats, progress: Progress) -> Floats:
    """Loadings from the Gram matrix's eigenvectors: Xᵀu / σ; directions without variance become arbitrary ones."""
    d, p = features.shape[1], len(values)
    axes = np.zeros((d, p))
    for start, stop in row_blocks(features):
        progress.check()
        axes += (features[start:stop] - mean).T @ vectors[start:stop]
    norms = np.linalg.norm(axes, axis=0)
    # of n centred rows at least one direction is empty: its vector is rounding noise and must not be scaled up
    empty = norms <= 1e-7 * norms.max(initial=0.0)
    axes /= np.where(empty, 1.0, norms)
    if empty.any():
        axes[:, empty] = 0.0
        basis, _ = np.linalg.qr(np.hstack([axes[:, ~empty], np.eye(d, p)[:, : int(empty.sum())]]))
        axes[:, empty] = basis[:, int((~empty).sum()) :]
    return axes
