"""What a kernel matrix says of itself: its spectrum, its effective dimension, whom it puts side by side, what it knows.

All of it is of matrices of at most some thousand structures, usually of a random sample of a larger set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]

MOST_SERIATED = 2000
"""Structures up to which the whole matrix decides their order; above, its first principal component does."""
LANDMARKS = 400
"""Structures that stand for all in the principal component of a larger set."""
SMALL, LARGE = 0.01, 0.99
"""Similarities below and above which structures count as strangers and as equal."""
SHARE = 0.95
"""Of the pairs beyond one of these: then the kernel tells hardly any structures apart."""


def centered(matrix: Floats) -> Floats:
    """(n, n) the kernel of features whose mean was taken off: rows and columns sum to 0."""
    rows = matrix.mean(axis=1, keepdims=True)
    return np.asarray(matrix - rows - rows.T + rows.mean(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of a kernel matrix.

    Attributes
    ----------
    values : (n,) float64
        Descending; those that rounding made negative are 0.
    negative : float
        The most negative one, as a share of the largest: above some 1e-10 the kernel is not positive semi-definite.
    """

    values: Floats
    negative: float = 0.0

    @classmethod
    def of(cls, matrix: Floats) -> Spectrum:
        """Of a symmetric matrix; ValueError when anything in it is not finite."""
        if not np.isfinite(matrix).all():
            raise ValueError("the kernel matrix holds values that are not finite")
        if not len(matrix):
            return cls(np.zeros(0))
        values = np.linalg.eigvalsh(matrix)[::-1]
        largest = float(max(values[0], 0.0))
        negative = float(max(-values[-1], 0.0)) / largest if largest > 0 else 0.0
        return cls(np.maximum(values, 0.0), negative)

    @property
    def trace(self) -> float:
        """Sum of all."""
        return float(self.values.sum())

    @property
    def participation(self) -> float:
        """(Σλ)² / Σλ²: how many eigenvalues carry the matrix; n when all are equal, 1 when only one is not 0."""
        square = float(np.dot(self.values, self.values))
        return self.trace**2 / square if square > 0 else 0.0

    def effective_dimension(self, lambdas: Any) -> Floats:
        """Σ λ_i / (λ_i + λ) for each regularisation λ: the degrees of freedom of kernel ridge regression.

        T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning (2nd ed.), eq. 3.50 and 5.16.

        Parameters
        ----------
        lambdas : (m,) float64
            Not negative; added to the diagonal of the matrix. At 0 it is the rank.
        """
        wanted = np.atleast_1d(np.asarray(lambdas, dtype=np.float64))
        if (wanted < 0).any():
            raise ValueError("a regularisation is not negative")
        values = self.values[self.values > 0]
        return np.asarray((values[None, :] / (values[None, :] + wanted[:, None])).sum(axis=1), dtype=np.float64)

    def needed_for(self, share: float) -> int:
        """How many of the largest eigenvalues make up this share of their sum."""
        total = self.trace
        if not total > 0:
            return 0
        return int(np.searchsorted(np.cumsum(self.values), share * total * (1 - 1e-12)) + 1)


def alignment(matrix: Floats, values: Floats) -> float:
    """Centred alignment of a kernel with a property: ⟨K_c, y y^T⟩ / (‖K_c‖ ‖y y^T‖), y without its mean.

    1 where the kernel is the property's own, 0 where it says nothing about it; NaN for a constant property, a constant
    kernel, and fewer than three values. C. Cortes, M. Mohri, A. Rostamizadeh, J. Mach. Learn. Res. 13, 795 (2012),
    Definition 4.

    Parameters
    ----------
    matrix : (n, n) float64
    values : (n,) float64
        Structures whose value is missing or infinite are left out.
    """
    known = np.isfinite(values)
    if not known.all():
        matrix, values = matrix[np.ix_(known, known)], values[known]
    if len(values) < 3:
        return float("nan")
    return _aligned(centered(matrix), values)


def _aligned(centred: Floats, values: Floats) -> float:
    size = float(np.abs(values).max())
    y = values / size if size > 0 else values
    y = y - y.mean()
    below = float(np.linalg.norm(centred)) * float(y @ y)
    # differences that are nothing but rounding are a constant
    if not below > 0 or float(np.abs(y).max()) < 1e-13 or float(np.abs(centred).max()) < 1e-13:
        return float("nan")
    return float(y @ centred @ y) / below


def alignments(matrix: Floats, columns: dict[str, Floats], progress: Progress = SILENT) -> dict[str, float]:
    """:func:`alignment` with each of many columns; those with all values known share one centring."""
    found: dict[str, float] = {}
    whole: Floats | None = None
    for k, (name, values) in enumerate(columns.items()):
        progress(k / len(columns), "Alignment")
        if len(values) >= 3 and np.isfinite(values).all():
            whole = centered(matrix) if whole is None else whole
            found[name] = _aligned(whole, values)
        else:
            found[name] = alignment(matrix, values)
    return found


def off_diagonal(matrix: Floats) -> Floats:
    """(n (n − 1) / 2,) similarities of different structures."""
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)], dtype=np.float64)


def degeneracy(matrix: Floats) -> str:
    """Whether a kernel tells hardly any structures apart.

    Returns
    -------
    str
        "strangers" when 19 of 20 pairs have a normalised similarity k(x, y) / √(k(x, x) k(y, y)) within 0.01 of 0,
        "equal" when it is above 0.99, empty otherwise and for fewer than two structures.
    """
    own = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    below = own[:, None] * own[None, :]
    scaled = off_diagonal(np.divide(matrix, below, out=np.zeros_like(matrix), where=below > 0))
    if not len(scaled):
        return ""
    if float(np.mean(np.abs(scaled) < SMALL)) >= SHARE:
        return "strangers"
    return "equal" if float(np.mean(scaled > LARGE)) >= SHARE else ""


def fiedler_order(matrix: Floats, progress: Progress = SILENT) -> NDArray[np.int64]:
    """An order in which similar structures stand side by side.

    That of the second eigenvector of the random walk over the similarities: C. Ding, X. He, Linearized cluster
    assignment via spectral ordering, Proc. ICML 30 (2004). Where similarities fall off along a line it finds the line.
    Negative similarities are lifted: all are taken from the smallest.

    Parameters
    ----------
    matrix : (n, n) float64
        Symmetric, finite.

    Returns
    -------
    (n,) int64
        Of the two directions the one that begins with the smaller index.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    n = len(matrix)
    if n < 3:
        return np.arange(n, dtype=np.int64)
    lift = min(float(matrix.min()), 0.0)
    degrees = matrix.sum(axis=1) - n * lift
    if not float(degrees.max()) > 0:
        return np.arange(n, dtype=np.int64)
    scale = 1.0 / np.sqrt(np.maximum(degrees, 1e-12 * float(degrees.max())))
    top = np.sqrt(degrees)
    top /= np.linalg.norm(top)

    def multiply(x: Floats) -> Floats:
        progress(0.5, "Order of similar structures")
        x = np.asarray(x, dtype=np.float64).reshape(-1)
        y = scale * x
        product = scale * (matrix @ y - lift * y.sum())
        # the first eigenvector is known and taken out; 1 is added so that the second is the largest left
        return np.asarray(product + x - 2.0 * top * (top @ x), dtype=np.float64)

    start = np.random.default_rng(0).normal(size=n)
    try:
        _, vectors = eigsh(
            LinearOperator((n, n), matvec=multiply, dtype=np.float64),
            k=1,
            which="LA",
            v0=start,
            ncv=min(n, 24),
            tol=1e-6,
            maxiter=200,
        )
        second: Floats = vectors[:, 0].real
    except ArpackNoConvergence as stopped:
        # the order of a vector that is nearly the second is nearly as good
        second = stopped.eigenvectors[:, 0].real if stopped.eigenvectors.size else start * 0.0
    return _from_the_start(scale * second)


def tree_order(matrix: Floats, progress: Progress = SILENT) -> NDArray[np.int64]:
    """An order in which similar structures stand side by side, and groups of them form blocks.

    The leaves of a hierarchical clustering (average linkage of the distances √(k_ii + k_jj − 2 k_ij)), whose branches
    are turned so that they follow :func:`fiedler_order`: Z. Bar-Joseph et al., Bioinformatics 17, S22 (2001) turn them
    so that neighbours are nearest, which is little better and takes the square of the time.

    Parameters
    ----------
    matrix : (n, n) float64
        Symmetric, finite.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    n = len(matrix)
    line = fiedler_order(matrix, progress)
    if n < 3:
        return line
    own = np.diagonal(matrix)
    squares = np.maximum(own[:, None] + own[None, :] - 2.0 * matrix, 0.0)
    tree = linkage(np.sqrt(squareform(squares, checks=False)), "average")
    progress.check()
    places = np.empty(2 * n - 1)
    places[line] = np.arange(n)
    sizes = np.ones(2 * n - 1)
    children = tree[:, :2].astype(np.int64)
    for k, (left, right) in enumerate(children.tolist(), n):
        sizes[k] = sizes[left] + sizes[right]
        places[k] = (sizes[left] * places[left] + sizes[right] * places[right]) / sizes[k]
    order: list[int] = []
    waiting = [2 * n - 2]
    while waiting:
        node = waiting.pop()
        if node < n:
            order.append(node)
            continue
        first, second = sorted(children[node - n].tolist(), key=lambda child: float(places[child]))
        waiting += [second, first]
    return np.array(order, dtype=np.int64)


def component_order(kernel: Kernel, rows: Rows, progress: Progress = SILENT, seed: int = 0) -> NDArray[np.int64]:
    """Structures by the first principal component of the kernel, found from landmarks: for sets of any size.

    Parameters
    ----------
    kernel : Kernel
        With all scales known.
    seed : int
        Of the choice of landmarks.
    """
    n = len(rows)
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(LANDMARKS, n), replace=False))
    landmarks = rows.take(chosen)
    among = kernel.matrix(landmarks, progress=progress.part(0.0, 0.1), threads=1)
    vector = np.linalg.eigh(centered(among))[1][:, -1]
    places = np.empty(n)
    for start, stop in slices(n, progress.part(0.1, 1.0), "Order by the first component", first=32):
        block = kernel.matrix(rows.take(slice(start, stop)), landmarks, threads=1)
        # what centring takes off each row and column changes no order but by the row's own mean
        places[start:stop] = (block - block.mean(axis=1, keepdims=True)) @ vector
    return _from_the_start(places)


def order_by_similarity(kernel: Kernel, rows: Rows, progress: Progress = SILENT) -> NDArray[np.int64]:
    """:func:`tree_order` of small sets, :func:`component_order` of large ones."""
    if len(rows) > MOST_SERIATED:
        return component_order(kernel, rows, progress)
    matrix = kernel.matrix(rows, progress=progress.part(0.0, 0.5), threads=1)
    return tree_order(matrix, progress.part(0.5, 1.0))


def _from_the_start(places: Floats) -> NDArray[np.int64]:
    order = np.argsort(places, kind="stable").astype(np.int64)
    return order if not len(order) or order[0] <= order[-1] else order[::-1].copy()
