"""Uniform manifold approximation and projection, supervised or not, with or without densities."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import (
    COMPONENTS,
    PARTIAL_SECONDS,
    Coordinates,
    Embedding,
    LinearBasis,
    Neighbors,
    as_matrix,
    check_start,
    leading,
)
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]

DENSITY_EPOCHS = 200
"""Further epochs of a map that keeps densities, as umap-learn has them."""


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
    supervised_by: str = param("", label="Supervised by", shown=False, stage="layout")
    target_weight: float = param(
        0.5,
        label="Weight of the property",
        low=0.0,
        high=1.0,
        step=0.05,
        stage="layout",
        advanced=True,
        help="Of a supervised map: 0 heeds the features alone, 1 the property alone.",
    )
    dens_map: bool = param(
        False,
        label="Keep densities",
        stage="layout",
        help=(
            "densMAP (Narayan, Berger, Cho, Nat. Biotechnol. 39, 765 (2021)): regions where the features are sparse "
            "get more room. Takes 200 epochs more."
        ),
    )
    dens_lambda: float = param(
        2.0,
        label="Weight of densities",
        low=0.0,
        high=20.0,
        step=0.5,
        stage="layout",
        advanced=True,
        help="Of a map that keeps densities.",
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
        return (500 if n <= 10_000 else 200) + (DENSITY_EPOCHS if self.dens_map else 0)

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The nearest rows (exact up to 250,000) and the principal components; see :meth:`Embedding.neighbors`.

        The components of large matrices (both sides above 2,000) are approximate: they only serve as a start.
        """
        return nearest_and_components(as_matrix(features), self.n_neighbors, progress, threads)

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        target: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The map, by gradient descent from the principal components or from `start`; see :meth:`Embedding.layout`.

        The start itself is the first partial result; then one follows about every 60 ms. The result depends on the
        seed, not on `threads`. A `target` supervises the map, whatever :attr:`supervised_by` calls it.
        """
        from qmlstudio.learning._curve import curve_parameters
        from qmlstudio.learning._dens_map import Density, log_radii
        from qmlstudio.learning._fuzzy import fuzzy_set
        from qmlstudio.learning._layout import Descent
        from qmlstudio.learning._supervision import supervise
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
            density = None
            if self.dens_map:
                density = Density(log_radii(graph, neighbors.indices, neighbors.distances), self.dens_lambda)
            if target is not None:
                k = neighbors.indices.shape[1]
                graph = supervise(graph, target, k, self.target_weight, progress.part(0.02, 0.02))
            progress.check()
            curve = curve_parameters(self.min_dist, self.spread)
            with team(threads) as members:
                values = (n_epochs, self.negative_sample_rate, self.seed)
                descent = Descent(graph, points, curve, *values, members, density)
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
        n, dimensions = len(neighbors.indices), self.n_components
        if start is None:
            points = leading(neighbors.components, dimensions)
        else:
            points = check_start(start, (n, dimensions)).copy()
        if n == 0:
            return points
        points -= points.min(axis=0)
        widths = points.max(axis=0)
        # a given map keeps its proportions; principal components fill the square as in umap-learn
        widths = np.full(dimensions, widths.max()) if start is not None else widths
        points *= 10.0 / np.where(widths > 0.0, widths, 1.0)
        # identical rows must come apart; a direction without extent gets one
        noise = np.random.default_rng(self.seed)
        scatter: NDArray[np.float64] = noise.uniform(-1.0, 1.0, (n, dimensions)) * np.where(widths > 0.0, 1e-3, 5.0)
        return points + scatter


def nearest_and_components(matrix: Array, k: int, progress: Progress, threads: int | None) -> Neighbors:
    """The `k` nearest rows of a matrix (n, d), or all n, and its leading principal components."""
    from qmlstudio.learning._neighbors import EXACT_LIMIT, FILTER_AXES, nearest
    from qmlstudio.learning._pca import principal_components
    from qmlstudio.learning._threads import blas_threads, team, worthwhile

    with blas_threads(worthwhile(threads, matrix.shape)):
        principal = principal_components(matrix, FILTER_AXES, progress.part(0.0, 0.2), exact=False)
    with team(threads) as members:
        indices, distances = nearest(matrix, min(k, len(matrix)), principal, members, progress.part(0.2, 1.0))
    kept = principal.scores[:, :COMPONENTS].copy()
    basis = LinearBasis(principal.mean, principal.axes[:, :COMPONENTS].copy())
    exact = len(matrix) <= EXACT_LIMIT
    return Neighbors(indices, distances, kept, principal.variance[:COMPONENTS], exact, basis)
