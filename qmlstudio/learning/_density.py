"""HDBSCAN by scikit-learn, and the graph that makes it fast on maps.

On points of two or three dimensions the spanning tree of the mutual reachability is not sought among all n² pairs but
among the edges of a graph that holds them: each point's nearest neighbours, twice as many as define its density, and
the Delaunay triangulation, which contains the Euclidean spanning tree. That is no theorem, but in all trials (up to
40,000 points) the trees were equal edge by edge; equally long edges may be merged in another order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIRECT_LIMIT = 2_000
"""Points up to which scikit-learn's own search over all pairs is used (20 ms)."""


def hdbscan(
    points: Floats, min_cluster_size: int, min_samples: int, epsilon: float, method: str, one_cluster: bool
) -> tuple[NDArray[np.int32], NDArray[np.float32], bool]:
    """Labels (−1 noise), membership probabilities, and whether the spanning tree was sought among all pairs.

    Parameters
    ----------
    points : (n, c) float64
        Finite, n ≥ 2.
    """
    from sklearn.cluster import HDBSCAN

    n = len(points)
    # scaled, so that no coordinates are too large or too small to be squared
    scale = float(np.abs(points - points.mean(axis=0)).max()) or 1.0
    points = (points - points.mean(axis=0)) / scale
    options: dict[str, Any] = {
        "min_cluster_size": min(min_cluster_size, n),
        "cluster_selection_method": method,
        "allow_single_cluster": one_cluster,
        "copy": True,
    }
    samples = max(1, min(min_samples, n))
    direct = n <= DIRECT_LIMIT or points.shape[1] > 3 or points.shape[1] < 2
    if direct:
        # a search tree serves few dimensions; brute force would need n² numbers
        tree = "kd_tree" if points.shape[1] <= 15 else "ball_tree"
        found = HDBSCAN(min_samples=samples, algorithm=tree, **options).fit(points)
    else:
        graph = neighbor_graph(points, 2 * samples)
        # the graph's rows hold no point itself, whereas scikit-learn counts it among the samples
        found = HDBSCAN(min_samples=max(1, samples - 1), metric="precomputed", **options).fit(graph)
    labels, firmness = found.labels_.astype(np.int32), found.probabilities_.astype(np.float32)
    if epsilon > 0.0 and labels.max(initial=-1) > 0:
        labels, firmness = _merged(
            labels, firmness, found.dbscan_clustering(epsilon / scale, options["min_cluster_size"])
        )
    return labels, firmness, direct


def _merged(
    labels: NDArray[np.int32], firmness: NDArray[np.float32], connected: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Clusters that lie whole in one connected part become that part: they were divided below its distance.

    The library's own option for this (``cluster_selection_epsilon``) fails with numpy 2.4 and later.
    """
    k, parts = int(labels.max()) + 1, int(connected.max(initial=-1)) + 1
    inside = (labels >= 0) & (connected >= 0)
    lowest, highest = np.full(k, parts), np.full(k, -1)
    np.minimum.at(lowest, labels[inside], connected[inside])
    np.maximum.at(highest, labels[inside], connected[inside])
    whole = np.flatnonzero(lowest == highest)
    first, tally = np.full(parts, k), np.bincount(lowest[whole], minlength=parts)
    np.minimum.at(first, lowest[whole], whole)
    target = np.arange(k)
    target[whole] = first[lowest[whole]]
    merged = np.where(labels >= 0, target[labels], -1).astype(np.int32)
    gained = (labels < 0) & (connected >= 0)
    gained[gained] = tally[connected[gained]] > 1
    merged[gained] = first[connected[gained]]
    return merged, np.where(gained, np.float32(1.0), firmness)


def neighbor_graph(points: Floats, neighbors: int) -> Any:
    """A connected, symmetric graph of distances in compressed rows.

    Its edges: the nearest `neighbors` of each point, the Delaunay triangulation, and a chain along the first axis,
    which connects what the triangulation leaves out (identical points, points on a line).
    """
    from scipy.sparse import csr_matrix
    from scipy.spatial import Delaunay, QhullError, cKDTree

    n = len(points)
    k = min(n, max(2, neighbors + 1))
    _, nearest = cKDTree(points).query(points, k)
    tails: list[NDArray[Any]] = [np.repeat(np.arange(n), k)]
    heads: list[NDArray[Any]] = [nearest.ravel()]
    try:
        starts, flat = Delaunay(points).vertex_neighbor_vertices
        tails.append(np.repeat(np.arange(n), np.diff(starts)))
        heads.append(flat)
    except QhullError:
        pass  # all points on a line: the chain is their spanning tree
    chain = np.lexsort(points.T[::-1])
    tails.append(chain[:-1])
    heads.append(chain[1:])
    tail, head = np.concatenate(tails), np.concatenate(heads)
    low, high = np.minimum(tail, head).astype(np.int64), np.maximum(tail, head).astype(np.int64)
    pairs = np.unique((low * n + high)[low < high])
    low, high = pairs // n, pairs % n
    lengths = np.sqrt(((points[low] - points[high]) ** 2).sum(axis=1))
    # no edge may be 0, or sparse matrices take it for none
    lengths = np.maximum(lengths, max(float(lengths.max(initial=0.0)), 1e-300) * 1e-12)
    both = np.concatenate([lengths, lengths]), (np.concatenate([low, high]), np.concatenate([high, low]))
    return csr_matrix(both, shape=(n, n))
