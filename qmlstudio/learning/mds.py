"""Multidimensional scaling: maps whose distances follow those of the features."""

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
    no_neighbors,
)
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MDS(Embedding):
    """Multidimensional scaling of Euclidean distances."""

    name: ClassVar[str] = "mds"
    title: ClassVar[str] = "MDS"
    help = (
        "Multidimensional scaling. Classical: the distances' own principal axes (with Euclidean distances the map of "
        "PCA). Metric: all distances as near to the features' as two or three dimensions allow. Sketch-map: distances "
        "about the switching one are kept, nearer ones count as near and farther ones as far."
    )
    reference = (
        "W. S. Torgerson, Psychometrika 17, 401 (1952); J. de Leeuw, J. Classif. 5, 163 (1988); "
        "M. Ceriotti, G. A. Tribello, M. Parrinello, PNAS 108, 13023 (2011)"
    )

    kind: str = param(
        "metric",
        label="Kind",
        choices=(("classical", "classical"), ("metric", "metric"), ("sketch", "sketch-map")),
        help="Metric takes up to 10,000 rows, sketch-map 1,500.",
    )
    n_iter: int = param(
        300, label="Iterations", low=0, high=10_000, step=50, stage="layout", help="At most, unless it converges."
    )
    sigma: float | None = param(
        None,
        label="Switching distance",
        low=1e-6,
        high=1e9,
        stage="layout",
        advanced=True,
        none_label="automatic (nine tenths of the commonest distance)",
        help="Of sketch-map, in the features' own unit.",
    )

    @property
    def max_rows(self) -> int | None:
        """10,000 for metric maps (400 MB of distances), 1,500 for sketch-map (a step takes several such matrices)."""
        return {"metric": 10_000, "sketch": 1_500}.get(self.kind)

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The principal components, which are classical scaling, and all distances where the kind needs them."""
        from qmlstudio.learning._pca import principal_components
        from qmlstudio.learning._scaling import distance_matrix
        from qmlstudio.learning._threads import blas_threads, worthwhile

        self._check_rows(len(features), 4)
        matrix = as_matrix(features)
        n, d = matrix.shape
        with blas_threads(worthwhile(threads, (n, max(n, d)))):
            found = principal_components(matrix, COMPONENTS, progress.part(0.0, 0.5))
            distances = None if self.kind == "classical" else distance_matrix(matrix, progress.part(0.5, 1.0))
        basis = LinearBasis(found.mean, found.axes)
        return Neighbors(*no_neighbors(n), found.scores, found.variance, basis=basis, dissimilarities=distances)

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        target: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The map, from classical scaling or from `start`; see :meth:`Embedding.layout`. `target` is not used."""
        began = time.perf_counter()
        n = len(neighbors.components)
        points = leading(neighbors.components, self.n_components)
        distances = neighbors.dissimilarities
        if distances is None:
            progress(1.0, "Layout")
            shares = [*neighbors.variance[: self.n_components], 0.0, 0.0, 0.0][: self.n_components]
            return Coordinates(points, tuple(f"MDS {i + 1} ({100 * s:.1f} %)" for i, s in enumerate(shares)))
        if start is not None:
            points = check_start(start, (n, self.n_components)).copy()
        # rows that classical scaling cannot tell apart would stay on one another
        scale = (float(points.std(axis=0).max()) if n else 0.0) or 1.0
        points += np.random.default_rng(0).normal(0.0, 1e-4 * scale, points.shape)
        progress(0.0, "Layout")
        share = 1.0 if self.kind == "metric" else 0.1
        metric = progress.part(0.0, share)
        steps, stress = self.n_iter, 0.0
        if n >= 2:
            from qmlstudio.learning._scaling import Majorisation, sketch_map
            from qmlstudio.learning._threads import team

            shown = time.perf_counter()

            def show(current: Floats, fraction: float) -> None:
                nonlocal shown
                if progress.wants_partial and time.perf_counter() - shown >= PARTIAL_SECONDS:
                    shown = time.perf_counter()
                    running = min(int(fraction * self.n_iter), self.n_iter - 1)
                    progress.partial(Coordinates(current.copy(), epoch=running, n_epochs=self.n_iter))

            with team(threads) as members:
                scaling = Majorisation(distances, points, members)
                most = self.n_iter if self.kind == "metric" else min(self.n_iter, 100)
                while scaling.step < most and not scaling.converged:
                    scaling.advance(metric)
                    metric(scaling.step / max(most, 1), "Layout")
                    show(scaling.points, share * scaling.step / max(most, 1))
                points, stress = scaling.points, scaling.stress()
            if self.kind == "sketch" and n >= 4 and bool(distances.any()):
                points = sketch_map(
                    distances,
                    points,
                    self.sigma,
                    self.n_iter,
                    progress.part(share, 1.0),
                    lambda y, f: show(y, share + (1.0 - share) * f),
                )
        details: dict[str, Any] = {"seconds": time.perf_counter() - began}
        if self.kind == "metric":
            details["stress"] = stress
        final = Coordinates(points, epoch=steps, n_epochs=steps, details=details)
        if progress.wants_partial:
            progress.partial(final)
        progress(1.0, "Layout")
        return final

    def project_linear(self, neighbors: Neighbors, rows: Array) -> Floats | None:
        """Exact places on classical maps; None for the others. See :meth:`Embedding.project_linear`."""
        if self.kind != "classical" or neighbors.basis is None:
            return None
        return leading(neighbors.basis.scores(rows), self.n_components)
