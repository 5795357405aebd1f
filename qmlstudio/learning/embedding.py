"""The embeddings: principal components and UMAP. Importing this costs nothing: the methods import what they need."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import Coordinates, Embedding, Neighbors
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]

COMPONENTS = 10
"""Principal components that the first stage keeps."""
PARTIAL_SECONDS = 0.06
"""Time between two intermediate maps."""


def as_matrix(features: Array) -> Array:
    """Features as a C-contiguous float64 or float32 matrix, copied only where they are not; raises ValueError.

    Memory-mapped arrays stay on disk. NaN or infinite values are refused with the number of their row.
    """
    from qmlstudio.learning._pca import check_finite

    matrix = np.asanyarray(features)
    if matrix.ndim != 2:
        raise ValueError(f"features have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    matrix = np.ascontiguousarray(matrix)
    check_finite(matrix)
    return matrix


@dataclass(frozen=True, kw_only=True)
class PCA(Embedding):
    """Principal component analysis: the two directions along which the features vary most."""

    name: ClassVar[str] = "pca"
    title: ClassVar[str] = "PCA"
    help = (
        "Principal component analysis: a linear view of the features, without whitening. Distances on the map are "
        "never larger than in the features; what varies little is not seen. The axes say which part of the variance "
        "they show."
    )
    reference = "K. Pearson, Phil. Mag. 2, 559 (1901)"

    component_x: int = param(1, label="Horizontal axis", low=1, high=COMPONENTS, step=1, stage="layout")
    component_y: int = param(2, label="Vertical axis", low=1, high=COMPONENTS, step=1, stage="layout")

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The decomposition, exact; see :meth:`Embedding.neighbors`."""
        from qmlstudio.learning._pca import principal_components
        from qmlstudio.learning._threads import blas_threads, worthwhile

        matrix = as_matrix(features)
        with blas_threads(worthwhile(threads, matrix.shape)):
            found = principal_components(matrix, COMPONENTS, progress)
        nothing = np.zeros((len(matrix), 0))
        return Neighbors(nothing.astype(np.int32), nothing.astype(np.float32), found.scores, found.variance)

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The choice of two components. One that the features do not have is 0 everywhere; `start` is not used."""
        progress.check()
        n, p = neighbors.components.shape
        points, axes = np.zeros((n, 2)), []
        for column, component in enumerate((self.component_x, self.component_y)):
            share = float(neighbors.variance[component - 1]) if component <= p else 0.0
            axes.append(f"PC {component} ({100 * share:.1f} %)")
            if component <= p:
                points[:, column] = neighbors.components[:, component - 1]
        progress(1.0)
        return Coordinates(points, tuple(axes))


@dataclass(frozen=True, kw_only=True)
class UMAP(Embedding):
    """Uniform manifold approximation and projection."""

    name: ClassVar[str] = "umap"
    title: ClassVar[str] = "UMAP"
    help = (
        "Uniform manifold approximation and projection: keeps each row's nearest neighbours together. Near points are "
        "alike; distances between far groups, their sizes and the axes mean little."
    )
    reference = "L. McInnes, J. Healy, J. Melville, arXiv:1802.03426 (2018)"

    n_neighbors: int = param(
        15,
        label="Neighbours",
        low=2,
        high=200,
        step=1,
        stage="neighbors",
        help="Nearest rows of each, itself included: few show detail, many the whole.",
    )
    min_dist: float = param(
        0.1, label="Least distance", low=0.0, high=3.0, step=0.05, stage="layout", help="How tightly points may pack."
    )
    spread: float = param(
        1.0, label="Spread", low=0.1, high=10.0, step=0.1, stage="layout", advanced=True, help="Scale of the map."
    )
    n_epochs: int | None = param(
        None,
        label="Epochs",
        low=1,
        high=10_000,
        step=50,
        stage="layout",
        none_label="automatic (500, or 200 above 10,000 rows)",
    )
    negative_sample_rate: int = param(
        5,
        label="Negative samples",
        low=1,
        high=50,
        step=1,
        stage="layout",
        advanced=True,
        help="Random rows that are pushed away for each neighbour that is drawn near.",
    )
    seed: int = param(
        0, label="Seed", low=0, high=2**31 - 1, step=1, stage="layout", help="The same seed gives the same map."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_dist > self.spread:
            raise ValueError(f"min_dist: {self.min_dist:g} is above spread, {self.spread:g}")

    def epochs(self, n: int) -> int:
        """Number of epochs for `n` rows."""
        if self.n_epochs is not None:
            return self.n_epochs
        return 500 if n <= 10_000 else 200

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The nearest rows (exact up to 250,000) and the principal components; see :meth:`Embedding.neighbors`.

        The components of large matrices (both sides above 2,000) are approximate: they only serve as a start.
        """
        from qmlstudio.learning._neighbors import EXACT_LIMIT, FILTER_AXES, nearest
        from qmlstudio.learning._pca import principal_components
        from qmlstudio.learning._threads import blas_threads, team, worthwhile

        matrix = as_matrix(features)
        with blas_threads(worthwhile(threads, matrix.shape)):
            principal = principal_components(matrix, FILTER_AXES, progress.part(0.0, 0.2), exact=False)
        k = min(self.n_neighbors, len(matrix))
        with team(threads) as members:
            indices, distances = nearest(matrix, k, principal, members, progress.part(0.2, 1.0))
        kept = principal.scores[:, :COMPONENTS].copy()
        exact = len(matrix) <= EXACT_LIMIT
        return Neighbors(indices, distances, kept, principal.variance[:COMPONENTS], exact)

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The map, by gradient descent from the principal components or from `start`; see :meth:`Embedding.layout`.

        The start itself is the first partial result; then one follows about every 60 ms. The result depends on the
        seed, not on `threads`.
        """
        from qmlstudio.learning._curve import curve_parameters
        from qmlstudio.learning._fuzzy import fuzzy_set
        from qmlstudio.learning._layout import Descent
        from qmlstudio.learning._threads import team

        began = shown = time.perf_counter()
        n = len(neighbors.indices)
        n_epochs = self.epochs(n)
        points = self._start(neighbors, start)
        progress(0.0, "Layout")
        if progress.wants_partial:
            progress.partial(Coordinates(points.copy(), epoch=0, n_epochs=n_epochs))
        if n >= 3:
            graph = fuzzy_set(neighbors.indices, neighbors.distances, progress.part(0.0, 0.02))
            progress.check()
            curve = curve_parameters(self.min_dist, self.spread)
            with team(threads) as members:
                descent = Descent(graph, points, curve, n_epochs, self.negative_sample_rate, self.seed, members)
                while descent.epoch < n_epochs:
                    descent.advance(progress)
                    progress(0.02 + 0.98 * descent.epoch / n_epochs, "Layout")
                    running = descent.epoch < n_epochs
                    if progress.wants_partial and running and time.perf_counter() - shown >= PARTIAL_SECONDS:
                        shown = time.perf_counter()
                        progress.partial(Coordinates(descent.points(), epoch=descent.epoch, n_epochs=n_epochs))
            points = descent.points()
        details = {"seconds": time.perf_counter() - began, "exact": neighbors.exact}
        final = Coordinates(points, epoch=n_epochs, n_epochs=n_epochs, details=details)
        if progress.wants_partial:
            progress.partial(final)
        progress(1.0, "Layout")
        return final

    def _start(self, neighbors: Neighbors, start: Array | None) -> NDArray[np.float64]:
        """Where the descent starts: within a square of side 10, as the method's learning rate expects."""
        n = len(neighbors.indices)
        points = np.zeros((n, 2))
        if start is None:
            leading = neighbors.components[:, :2]
            points[:, : leading.shape[1]] = leading
        else:
            given = np.asarray(start, dtype=np.float64)
            if given.shape != (n, 2) or not np.isfinite(given).all():
                raise ValueError(f"start has shape {given.shape}; finite coordinates ({n}, 2) are needed")
            points[:] = given
        if n == 0:
            return points
        points -= points.min(axis=0)
        widths = points.max(axis=0)
        # a given map keeps its proportions; principal components fill the square as in umap-learn
        widths = np.full(2, widths.max()) if start is not None else widths
        points *= 10.0 / np.where(widths > 0.0, widths, 1.0)
        # identical rows must come apart; a direction without extent gets one
        noise = np.random.default_rng(self.seed)
        scatter: NDArray[np.float64] = noise.uniform(-1.0, 1.0, (n, 2)) * np.where(widths > 0.0, 1e-3, 5.0)
        return points + scatter


REGISTRY: dict[str, type[Embedding]] = {method.name: method for method in (PCA, UMAP)}
"""The embeddings by their names in files and on the command line."""


def from_dict(data: dict[str, Any]) -> Embedding:
    """The embedding that :meth:`Embedding.to_dict` described; raises ValueError for unknown names and parameters."""
    name = data.get("name")
    if name not in REGISTRY:
        raise ValueError(f"there is no embedding {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name].from_dict(data)
