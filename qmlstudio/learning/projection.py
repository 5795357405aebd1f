"""New rows on a map that is there: nothing of it is computed again, and none of its points moves."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import Embedding, Neighbors
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]

NEIGHBORS = 15
"""Reference rows that a place is taken from, for methods that have no number of neighbours of their own."""
MOST_NEIGHBORS = 50
LINEAR_ROWS = 256
"""Rows that are projected together where the method is linear; chunks of a multiple give the same numbers."""
SPACING_ROWS = 5000
"""Points of the map whose spacing is measured."""


def project(
    embedding: Embedding,
    neighbors: Neighbors,
    features: Array,
    points: Array,
    new: Array,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> Floats:
    """Places of new rows on an existing map; see :class:`Projector`, which many calls should share.

    Parameters
    ----------
    embedding : Embedding
        What made the map.
    neighbors : Neighbors
        Its first stage.
    features : (n, d) array
        The rows that the map was made of.
    points : (n, c) array
        The map.
    new : (m, d) array
        Rows in the same columns.

    Returns
    -------
    (m, c) float64
        NaN for rows that are not finite.
    """
    projector = Projector(embedding, neighbors, features, points, progress.part(0.0, 0.2), threads)
    return projector.project(new, progress.part(0.2, 1.0))


class Projector:
    """Places rows on a map.

    Methods whose axes are components (PCA, kernel PCA) place them exactly. For all others the k nearest rows of the
    map's own decide: their memberships w are those of UMAP (McInnes, Healy, Melville 2018, algorithm 3), and the place
    y is the fixed point of y = Σ w c(y) x / Σ w c(y) that is reached from the weighted mean, c = 1/(s² + |y − x|²) with
    the spacing s of the map's points (a location's M-estimator with Cauchy's weights: P. Huber, Ann. Math. Statist. 35,
    73 (1964)). So a row whose neighbours lie in two clusters goes into one of them, not between: this keeps nearly all
    neighbours that a map of all rows keeps, where the weighted mean loses a tenth. A row that equals one of the map's
    lies on it. Every row's place is independent of the others.

    Parameters
    ----------
    embedding, neighbors, features, points
        As in :func:`project`. Rows whose point is not finite are not used.
    progress, threads
        Of the preparation.

    Raises
    ------
    ValueError
        When the numbers of rows differ.
    """

    def __init__(
        self,
        embedding: Embedding,
        neighbors: Neighbors,
        features: Array,
        points: Array,
        progress: Progress = SILENT,
        threads: int | None = None,
    ) -> None:
        self._features = _as_rows(features)
        self._points = np.ascontiguousarray(points, dtype=np.float64)
        if self._points.ndim != 2 or len(self._points) != len(self._features):
            raise ValueError(f"{len(self._features)} rows of features and {len(self._points)} points")
        self._embedding, self._neighbors, self._threads = embedding, neighbors, threads
        linear = embedding.project_linear(neighbors, self._features[:1]) if len(self._features) else None
        self.is_exact = linear is not None
        if not self.is_exact:
            self._prepare(progress)

    def project(self, new: Array, progress: Progress = SILENT) -> Floats:
        """(m, c) places of the rows `new` (m, d); NaN for rows that are not finite."""
        rows = _as_rows(new)
        if rows.shape[1] != self._features.shape[1]:
            raise ValueError(f"new rows have {rows.shape[1]} columns, those of the map {self._features.shape[1]}")
        found = np.full((len(rows), self._points.shape[1]), np.nan)
        finite = _finite(rows)
        whole = bool(finite.all())
        if self.is_exact:
            self._project_linear(rows if whole else np.where(finite[:, None], rows, 0.0), found, progress)
            found[~finite] = np.nan
            return found
        chosen = rows if whole else np.ascontiguousarray(rows[finite])
        if len(chosen) == 0 or len(self._order) == 0:
            return found
        near_i, near_d = self.nearest(chosen, progress.part(0.0, 0.95))
        found[finite] = self._places(near_i, near_d, progress.part(0.95, 1.0))
        return found

    def nearest(self, new: Array, progress: Progress = SILENT) -> tuple[NDArray[np.int32], Floats]:
        """The nearest of the map's rows for finite new rows, and their squared distances, ascending: both (m, k)."""
        from qmlstudio.learning._neighbors import BLOCK, bisect
        from qmlstudio.learning._project_loops import scan_reference
        from qmlstudio.learning._threads import team

        m, k = len(new), self._k
        near_d = np.full((m, k), np.inf)
        near_i = np.full((m, k), -1, dtype=np.int32)
        z = self._filter(new, progress.part(0.0, 0.3))
        norms = np.einsum("ij,ij->i", z, z)
        order, bounds = bisect(z, BLOCK)
        order = order.astype(np.int64)
        todo = [order[a:b] for a, b in pairwise(bounds)]
        part = progress.part(0.3, 1.0)

        def visit(rows: NDArray[np.int64]) -> None:
            own, own_norms = z[rows], norms[rows]
            gaps = np.maximum(np.maximum(self._low - own.max(axis=0), own.min(axis=0) - self._high), 0.0)
            distances = np.einsum("ij,ij->i", gaps, gaps) * (1.0 - 1e-5)
            reach = np.inf
            for block in np.argsort(distances, kind="stable"):
                if distances[block] > reach:
                    break
                part.check()
                there = self._blocks[block]
                product = own @ self._z[there].T
                reach = scan_reference(
                    product,
                    own_norms,
                    self._norms[there],
                    self._slack,
                    new,
                    rows,
                    self._features,
                    self._order[there],
                    near_d,
                    near_i,
                )

        with team(self._threads) as members:
            for first in range(0, len(todo), members.threads):
                part(first / len(todo), "Placing on the map")
                members.run(visit, todo[first : first + members.threads])
        return near_i, near_d

    def _places(self, near_i: NDArray[np.int32], near_d: Floats, progress: Progress) -> Floats:
        """Places from the nearest rows."""
        from qmlstudio.learning._project_loops import place

        found = np.empty((len(near_i), self._points.shape[1]))
        for start, stop in slices(len(near_i), progress, "Placing on the map", first=1000):
            place(near_d, near_i, self._points, self._spacing, start, stop, found)
        return found

    def _project_linear(self, rows: Array, found: Floats, progress: Progress) -> None:
        """Exact places, always in the same blocks."""
        from qmlstudio.learning._threads import blas_threads

        n, d = self._features.shape
        # a kernel compares each row with all of the map's
        step = LINEAR_ROWS if n * d <= 10**7 else LINEAR_ROWS // 4
        with blas_threads(1):
            for start in range(0, len(rows), step):
                progress(start / len(rows), "Placing on the map")
                found[start : start + step] = self._embedding.project_linear(
                    self._neighbors, rows[start : start + step]
                )
        progress(1.0)

    def _prepare(self, progress: Progress) -> None:
        """What the search and the places need of the map's own rows."""
        from qmlstudio.learning._neighbors import BLOCK, FILTER_AXES, bisect, filter_dimensions
        from qmlstudio.learning._pca import principal_components
        from qmlstudio.learning._threads import blas_threads

        used = np.flatnonzero(np.isfinite(self._points).all(axis=1) & _finite(self._features))
        self._k = int(min(max(2, min(getattr(self._embedding, "n_neighbors", NEIGHBORS), MOST_NEIGHBORS)), len(used)))
        reference = self._features if len(used) == len(self._features) else self._features[used]
        d = reference.shape[1]
        with blas_threads(1):
            self._principal = principal_components(reference, FILTER_AXES, progress.part(0.0, 0.8), exact=False)
            p = filter_dimensions(self._principal.variance, d)
            self._axes = None if p == d else np.ascontiguousarray(self._principal.axes[:, :p])
            self._mean = self._principal.mean
            z = self._filter(reference, progress.part(0.8, 0.9))
        del self._principal
        if len(used) == 0:
            self._order = used
            return
        order, bounds = bisect(z, BLOCK)
        self._z = np.ascontiguousarray(z[order])
        self._order = used[order].astype(np.int64)
        self._norms = np.einsum("ij,ij->i", self._z, self._z)
        self._blocks = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        self._low = np.array([self._z[b].min(axis=0) for b in self._blocks])
        self._high = np.array([self._z[b].max(axis=0) for b in self._blocks])
        # worst-case rounding of a single-precision product grows with its length; an eighth covers blocked summation
        self._slack = (z.shape[1] / 8 + 4) * float(np.finfo(np.float32).eps)
        self._spacing = _spacing(self._points[used], self._k, progress.part(0.9, 1.0))

    def _filter(self, rows: Array, progress: Progress) -> NDArray[np.float32]:
        """The filter's coordinates: centred rows along the leading axes, and the norm of what is left."""
        from qmlstudio.learning._pca import row_blocks

        n, d = rows.shape
        z = np.empty((n, d if self._axes is None else self._axes.shape[1] + 1), dtype=np.float32)
        for start, stop in row_blocks(rows, 1 << 20):
            progress(start / n, "Placing on the map")
            centred = rows[start:stop] - self._mean
            if self._axes is None:
                z[start:stop] = centred
                continue
            scores = centred @ self._axes
            rest = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", scores, scores)
            z[start:stop, :-1] = scores
            z[start:stop, -1] = np.sqrt(np.maximum(rest, 0.0))
        return z


def _spacing(points: Floats, k: int, progress: Progress) -> float:
    """Median distance of a point of the map from its k-th nearest, over a sample of them."""
    from qmlstudio.learning._map_tree import MapTree

    n = len(points)
    k = min(k, n - 1)
    if k < 1:
        return 0.0
    rows = np.arange(n)
    if n > SPACING_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(n, SPACING_ROWS, replace=False))
    _, squared = MapTree(points, progress).nearest(k, progress, rows=rows)
    return float(np.sqrt(np.median(squared[:, -1])))


def _as_rows(features: Array) -> Array:
    """The features as a C-contiguous matrix of floats, copied only where they are not."""
    matrix = np.asanyarray(features)
    if matrix.ndim != 2:
        raise ValueError(f"features have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    return np.ascontiguousarray(matrix)


def _finite(rows: Array) -> NDArray[np.bool_]:
    """Which rows are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        # a row's sum is finite when all its values are: one pass without a mask in the usual case
        sums: NDArray[np.bool_] = np.isfinite(rows.sum(axis=1, dtype=np.float64))
        sums[~sums] = np.isfinite(rows[~sums]).all(axis=1)
    return sums
