"""Principal components, and what maps by components have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import (
    COMPONENTS,
    Coordinates,
    Embedding,
    LinearBasis,
    Neighbors,
    as_matrix,
    no_neighbors,
)
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spectral(Embedding):
    """Maps whose axes are components of a decomposition: the second stage chooses some."""

    prefix: ClassVar[str]
    """How the axes' titles begin."""

    component_x: int = param(1, label="Horizontal axis", low=1, high=COMPONENTS, step=1, stage="layout")
    component_y: int = param(2, label="Vertical axis", low=1, high=COMPONENTS, step=1, stage="layout")
    component_z: int = param(
        3, label="Depth axis", low=1, high=COMPONENTS, step=1, stage="layout", help="Of maps in three dimensions."
    )

    @property
    def _chosen(self) -> tuple[int, ...]:
        return (self.component_x, self.component_y, self.component_z)[: self.n_components]

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        target: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The choice of components. One that the features do not have is 0 everywhere.

        `start` and `target` are not used.
        """
        progress.check()
        shares = [float(neighbors.variance[c - 1]) if c <= len(neighbors.variance) else 0.0 for c in self._chosen]
        axes = tuple(f"{self.prefix} {c} ({100 * s:.1f} %)" for c, s in zip(self._chosen, shares, strict=True))
        points = self._choose(neighbors.components)
        progress(1.0)
        return Coordinates(points, axes)

    def project_linear(self, neighbors: Neighbors, rows: Array) -> Floats | None:
        """Exact places of new rows (m, d), (m, n_components); see :meth:`Embedding.project_linear`."""
        return None if neighbors.basis is None else self._choose(neighbors.basis.scores(rows))

    def _choose(self, scores: Floats) -> Floats:
        points = np.zeros((len(scores), self.n_components))
        for column, component in enumerate(self._chosen):
            if component <= scores.shape[1]:
                points[:, column] = scores[:, component - 1]
        return points


@dataclass(frozen=True, kw_only=True)
class PCA(Spectral):
    """Principal component analysis: the directions along which the features vary most."""

    name: ClassVar[str] = "pca"
    title: ClassVar[str] = "PCA"
    prefix: ClassVar[str] = "PC"
    help = (
        "Principal component analysis: a linear view of the features, without whitening. Distances on the map are "
        "never larger than in the features; what varies little is not seen. The axes say which part of the variance "
        "they show."
    )
    reference = "K. Pearson, Phil. Mag. 2, 559 (1901)"

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The decomposition, exact; see :meth:`Embedding.neighbors`."""
        from qmlstudio.learning._pca import principal_components
        from qmlstudio.learning._threads import blas_threads, worthwhile

        matrix = as_matrix(features)
        with blas_threads(worthwhile(threads, matrix.shape)):
            found = principal_components(matrix, COMPONENTS, progress)
        basis = LinearBasis(found.mean, found.axes)
        return Neighbors(*no_neighbors(len(matrix)), found.scores, found.variance, basis=basis)
