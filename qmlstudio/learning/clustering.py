"""Clusters of a map's points or of features: HDBSCAN and k-means. Importing this costs nothing."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Labels = NDArray[np.int32]

NOISE = -1
"""Label of what belongs to no cluster."""
COMPONENTS = 50
"""Principal components of the features among which clusters are sought."""
MAP_SAMPLE = 200_000
"""Points of a map among which HDBSCAN seeks clusters itself (10 s, 0.6 GiB); the others join the nearest of them."""
DENSE_SAMPLE = 10_000
"""The same for features (more than three columns)."""
INLINE_LIMIT = 5_000
"""Points of a map up to which HDBSCAN is not worth a process of its own: it holds the interpreter for some 30 ms."""
START_SAMPLE = 50_000
"""Points among which k-means chooses its first centres."""
_STEPS = 5
"""Iterations of k-means between two questions whether anybody still waits."""

_SPACES = (("map", "map"), ("features", "features"))


@dataclass(frozen=True, eq=False)
class Clusters:
    """What belongs together.

    Attributes
    ----------
    labels : (n,) int32
        Cluster of each point, the largest is 0; -1 for noise and for points that are not finite.
    probability : (n,) float32 or None
        How firmly a point belongs to its cluster, 0 … 1; None where the method does not say.
    centres : (k, c) float64
        Mean of each cluster's points.
    details : dict
        Of the run: "seconds"; "note" where not all points were looked at in the same way.
    """

    labels: Labels
    probability: NDArray[np.float32] | None
    centres: NDArray[np.float64]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(k,) members of each cluster, descending."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.count).astype(np.int64)

    @property
    def noise(self) -> int:
        """How many points belong to none."""
        return int(np.count_nonzero(self.labels < 0))


@dataclass(frozen=True, kw_only=True)
class Clustering(Parameterised):
    """Hyper-parameters of a clustering. Every one has `space`: "map" or "features"."""

    help = ""
    reference = ""

    space: str = param(
        "map",
        label="Clusters of",
        choices=_SPACES,
        help="The points of the map as it is seen, or the features from which it was made (their first 50 principal "
        "components).",
    )

    @abstractmethod
    def _find(
        self, points: NDArray[np.float64], progress: Progress, threads: int | None
    ) -> tuple[Labels, NDArray[np.float32] | None, dict[str, Any]]:
        """Labels in any order, probabilities, details; `points` are finite, at least two."""

    def run(self, points: Array, progress: Progress = SILENT, threads: int | None = None) -> Clusters:
        """Find the clusters.

        Parameters
        ----------
        points : (n, c) array
            Points with NaN or infinity belong to no cluster. One single point is a cluster of its own.
        threads : int, optional
            All processors unless said otherwise.

        Raises
        ------
        ValueError
            `points` is no matrix.
        """
        began = time.perf_counter()
        matrix = np.asarray(points, dtype=np.float64)
        if matrix.ndim != 2:
            raise ValueError(f"points have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
        progress(0.0, self.title)
        finite = np.isfinite(matrix).all(axis=1)
        chosen = matrix if finite.all() else matrix[finite]
        labels = np.full(len(matrix), NOISE, np.int32)
        probability: NDArray[np.float32] | None = None
        details: dict[str, Any] = {}
        if len(chosen) == 1 or (len(chosen) and (chosen == chosen[0]).all()):
            labels[finite] = 0  # identical points: there is nothing that would divide them
        elif len(chosen):
            found, firmness, details = self._find(chosen, progress, threads)
            labels[finite] = by_size(found)
            if firmness is not None:
                probability = np.zeros(len(matrix), np.float32)
                probability[finite] = firmness
        centres = _centres(matrix, labels)
        progress(1.0, self.title)
        return Clusters(labels, probability, centres, {"seconds": time.perf_counter() - began, **details})


@dataclass(frozen=True, kw_only=True)
class HDBSCAN(Clustering):
    """Hierarchical density-based clusters."""

    name: ClassVar[str] = "hdbscan"
    title: ClassVar[str] = "HDBSCAN"
    help = (
        "Hierarchical density-based clusters: dense groups of any shape, parted by emptier regions. Their number comes "
        "out by itself; what lies between them is noise."
    )
    reference = "R. Campello, D. Moulavi, J. Sander, PAKDD 2013, LNCS 7819, 160; scikit-learn"

    min_cluster_size: int = param(
        15, label="Least size", low=2, high=1_000_000, step=5, help="Smaller groups are no clusters."
    )
    min_samples: int | None = param(
        None,
        label="Samples",
        low=1,
        high=1_000,
        step=1,
        none_label="as least size (up to 50)",
        help="Neighbours, itself included, within whose distance a point counts as dense: more of them make more noise "
        "and fewer clusters.",
    )
    cluster_selection_epsilon: float = param(
        0.0,
        label="Merge below",
        low=0.0,
        high=1e6,
        advanced=True,
        help="Clusters that steps shorter than this, in units of the map, lead from one to the other are one cluster.",
    )
    cluster_selection_method: str = param(
        "eom",
        label="Selection",
        choices=(("eom", "most persistent"), ("leaf", "finest")),
        advanced=True,
        help="Which level of the hierarchy is taken: the clusters that persist longest, or the smallest ones.",
    )
    allow_single_cluster: bool = param(
        False, label="One cluster is enough", advanced=True, help="Whether all may come out as one cluster."
    )

    def _find(
        self, points: NDArray[np.float64], progress: Progress, threads: int | None
    ) -> tuple[Labels, NDArray[np.float32] | None, dict[str, Any]]:
        from qmlstudio.learning._density import hdbscan
        from qmlstudio.learning._process import in_process

        n, dimensions = points.shape
        rows: NDArray[np.int64] | None = None
        least = self.min_cluster_size
        limit = DENSE_SAMPLE if dimensions > 3 else MAP_SAMPLE
        if n > limit:
            # a random sample has the same densities, in proportion, so the least size shrinks with it
            rows = np.sort(np.random.default_rng(0).choice(n, limit, replace=False))
            least = max(5, round(least * limit / n))
        samples = self.min_samples if self.min_samples is not None else min(least, 50)
        arguments = (
            points if rows is None else points[rows],
            least,
            samples,
            self.cluster_selection_epsilon,
            self.cluster_selection_method,
            self.allow_single_cluster,
        )
        inline = len(arguments[0]) <= INLINE_LIMIT and dimensions <= 3
        if inline or not progress.can_cancel:
            labels, firmness, direct = hdbscan(*arguments)
        else:
            progress(0.05, self.title)
            labels, firmness, direct = in_process(hdbscan, arguments, progress)
        details: dict[str, Any] = {"exact": direct and rows is None}
        if rows is not None:
            labels, firmness = _joined(points, rows, labels, firmness, progress)
            details["note"] = (
                f"clusters of {limit:,} random structures of {n:,} (least size {least} there); the others "
                "joined the nearest of these"
            )
        return labels, firmness, details


@dataclass(frozen=True, kw_only=True)
class KMeans(Clustering):
    """k-means."""

    name: ClassVar[str] = "kmeans"
    title: ClassVar[str] = "k-means"
    help = (
        "k-means: so many compact groups of similar extent, each structure with the nearest centre. There is no noise, "
        "and a group need not be parted from the next by anything."
    )
    reference = "S. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982); D. Arthur, S. Vassilvitskii, SODA 2007; scikit-learn"

    n_clusters: int = param(8, label="Clusters", low=1, high=1_000, step=1)
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, help="The same seed gives the same clusters.")

    def _find(
        self, points: NDArray[np.float64], progress: Progress, threads: int | None
    ) -> tuple[Labels, NDArray[np.float32] | None, dict[str, Any]]:
        from sklearn.cluster import KMeans as Lloyd
        from sklearn.cluster import kmeans_plusplus
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        from qmlstudio.learning._threads import thread_count

        random = np.random.default_rng(self.seed)
        n = len(points)
        sample = points if n <= START_SAMPLE else points[random.choice(n, START_SAMPLE, replace=False)]
        k = min(self.n_clusters, n, len(np.unique(sample, axis=0)))
        # scaled, so that neither tiny nor huge coordinates lose digits in squared distances
        shift, scale = points.mean(axis=0), float(np.abs(points).max()) or 1.0
        scaled = (points - shift) / scale
        steps = 300 // _STEPS
        with threadpool_limits(thread_count(threads)):
            progress(0.02, self.title)
            centres, _ = kmeans_plusplus((sample - shift) / scale, k, random_state=self.seed)
            for step in range(steps):
                progress(0.05 + 0.95 * step / steps, self.title)
                fit = Lloyd(k, init=centres, n_init=1, max_iter=_STEPS, tol=1e-7, random_state=self.seed).fit(scaled)
                centres = fit.cluster_centers_
                if fit.n_iter_ < _STEPS:
                    break
        return fit.labels_.astype(np.int32), None, {}


def by_size(labels: Array) -> Labels:
    """The same clusters numbered by size, the largest 0, equal ones in the order of their old numbers; -1 stays."""
    found, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    real = found >= 0
    order = np.argsort(-counts[real], kind="stable")
    new = np.full(len(found), NOISE, np.int32)
    new[np.flatnonzero(real)[order]] = np.arange(len(order), dtype=np.int32)
    result: Labels = new[inverse.reshape(np.shape(labels))]
    return result


def cluster_points(features: Array, progress: Progress = SILENT, threads: int | None = None) -> NDArray[np.float64]:
    """What "features" means to a clustering: the scores (n, ≤ 50) of the leading principal components.

    Rows that are not finite come out as NaN, hence as noise.
    """
    from qmlstudio.learning._pca import principal_components
    from qmlstudio.learning._threads import blas_threads, worthwhile

    matrix = np.asanyarray(features)
    finite = np.isfinite(matrix).all(axis=1)
    chosen = matrix if finite.all() else matrix[finite]
    with blas_threads(worthwhile(threads, chosen.shape)):
        scores = principal_components(np.ascontiguousarray(chosen), COMPONENTS, progress, exact=False).scores
    points = np.full((len(matrix), scores.shape[1]), np.nan)
    points[finite] = scores
    return points


def _centres(points: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    k = int(labels.max(initial=-1)) + 1
    inside = labels >= 0
    counts = np.maximum(np.bincount(labels[inside], minlength=k), 1)
    sums = [np.bincount(labels[inside], weights=column[inside], minlength=k) for column in points.T]
    return np.stack(sums, axis=1) / counts[:, None] if sums else np.zeros((k, 0))


def _joined(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    labels: Labels,
    firmness: NDArray[np.float32],
    progress: Progress,
) -> tuple[Labels, NDArray[np.float32]]:
    """Labels of all points from those of the sampled `rows`: each takes that of the nearest sampled one."""
    from scipy.spatial import cKDTree

    known = points[rows]
    squares = (known**2).sum(axis=1)
    tree = cKDTree(known) if known.shape[1] <= 3 else None
    every, firm = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    for start, stop in slices(len(points), progress.part(0.7, 1.0), "Joining the others", first=100):
        part = points[start:stop]
        nearest = np.argmin(squares - 2.0 * (part @ known.T), axis=1) if tree is None else tree.query(part)[1]
        every[start:stop], firm[start:stop] = labels[nearest], firmness[nearest]
    every[rows], firm[rows] = labels, firmness
    return every, firm


REGISTRY: dict[str, type[Clustering]] = {method.name: method for method in (HDBSCAN, KMeans)}
"""The clusterings by their names in files and on the command line."""


def from_dict(data: dict[str, Any]) -> Clustering:
    """The clustering that :meth:`Clustering.to_dict` described; raises ValueError for unknown names and parameters."""
    name = data.get("name")
    if name not in REGISTRY:
        raise ValueError(f"there is no clustering {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name].from_dict(data)
