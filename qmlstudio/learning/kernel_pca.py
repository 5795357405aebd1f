"""Kernel principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import COMPONENTS, Neighbors, as_matrix, no_neighbors
from qmlstudio.learning.pca import Spectral
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class KernelPCA(Spectral):
    """Principal components in the space that a kernel spans."""

    name: ClassVar[str] = "kernel_pca"
    title: ClassVar[str] = "Kernel PCA"
    prefix: ClassVar[str] = "KPC"
    help = (
        "Principal component analysis of what a kernel compares: a curved view of the features, as a kernel model "
        "with the same kernel sees them. The axes say which part of the kernel's variance they show."
    )
    reference = "B. Schölkopf, A. Smola, K.-R. Müller, Neural Comput. 10, 1299 (1998)"

    kernel: str = param(
        "gaussian",
        label="Kernel",
        choices=(
            ("linear", "linear"),
            ("polynomial", "polynomial"),
            ("gaussian", "Gaussian"),
            ("laplacian", "Laplacian"),
            ("cosine", "cosine"),
            ("tanimoto", "Tanimoto"),
        ),
        stage="neighbors",
        help=(
            "Similarity of two rows: x·y; (x·y + offset)^degree; exp(−|x−y|²/2σ²); exp(−|x−y|₁/σ); the cosine of "
            "their angle; x·y/(|x|² + |y|² − x·y)."
        ),
    )
    sigma: float | None = param(
        None,
        label="σ",
        low=1e-6,
        high=1e9,
        stage="neighbors",
        none_label="automatic (median distance)",
        help="Width of Gaussian and Laplacian kernels, in the features' own unit.",
    )
    degree: int = param(3, label="Degree", low=1, high=10, step=1, stage="neighbors", help="Of polynomial kernels.")
    offset: float = param(
        1.0, label="Offset", low=0.0, high=1e6, step=0.5, stage="neighbors", help="Of polynomial kernels."
    )

    @property
    def max_rows(self) -> int:
        """Rows whose kernel matrix takes 3 GiB."""
        return 20_000

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """The leading eigenvectors of the centred kernel matrix; see :meth:`Embedding.neighbors`."""
        from qmlstudio.learning._kernel_matrix import Kernel, kernel_components
        from qmlstudio.learning._threads import blas_threads, worthwhile

        self._check_rows(len(features), 8)
        matrix = as_matrix(features)
        n, d = matrix.shape
        with blas_threads(worthwhile(threads, (n, max(n, d)))):
            kernel = Kernel.fitted(self.kernel, matrix, self.sigma, self.degree, self.offset)
            scores, variance, basis = kernel_components(kernel, matrix, COMPONENTS, progress, threads)
        return Neighbors(*no_neighbors(n), scores, variance, basis=basis)
