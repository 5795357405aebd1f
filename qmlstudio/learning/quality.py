"""How far a map can be trusted: are near points near in the features, and the other way round?

Three scores of the whole map and one of each point, all from the k nearest rows in the features and the k nearest
points on the map:

- trustworthiness: what is near on the map is near in the features (Venna and Kaski, ICANN 2001, LNCS 2130, 485),
- continuity: what is near in the features is near on the map (ibid.),
- preservation: the share of the nearest rows that are among the nearest points (the K-ary neighbourhood preservation
  Q_NX of Lee and Verleysen, Neurocomputing 72, 1431 (2009)),
- distortion of a point: the share of its own nearest rows that are not among its nearest points; the mean over all
  points is 1 − preservation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import Neighbors
from qmlstudio.progress import SILENT, Progress, slices

if TYPE_CHECKING:
    from qmlstudio.learning._threads import Team

Array = NDArray[Any]

EXACT_ROWS = 10_000
SAMPLE_ROWS = 4_000
LEAST_ROWS = 500
WORK = 1.5e11
"""Floating-point operations that the distances in the features may take: one or two seconds on one core."""
PART = 512
"""Sampled rows that one thread takes at a time; the result depends on it in no way, nor on the threads."""
LEAST_NEIGHBORS = 5
"""So many nearest rows at least must a first stage hold for the distortion to be taken from them."""


@dataclass(frozen=True, eq=False)
class Quality:
    """The scores of a map. Where a map has too few rows they are NaN, and `reason` says why.

    Attributes
    ----------
    trustworthiness, continuity, preservation : float
        1 at best.
    distortion : (n,) float32
        0 at best, 1 at worst; NaN for rows that are not on the map.
    exact : bool
        Whether the three scores were taken over all rows; otherwise over a random sample of them (the ranks are among
        all rows all the same).
    rows : int
        How many rows they were taken over.
    k : int
        Neighbours that the scores look at: what was asked, or less where there are too few rows for it.
    distortion_k : int
        Neighbours that the distortion looks at: `k`, or as many as the first stage had found.
    distortion_rows : int
        Rows among which the distortion takes these neighbours: all, or the sample.
    reason : str
        What was not as asked; empty when all was.
    """

    trustworthiness: float
    continuity: float
    preservation: float
    distortion: NDArray[np.float32]
    exact: bool
    rows: int
    k: int
    distortion_k: int
    distortion_rows: int
    reason: str = ""


def sample_rows(n: int, d: int = 1) -> int:
    """How many rows the scores are taken over when nothing else is asked.

    All up to 10,000, else 4,000; fewer where `d` columns make them dear, but never fewer than 500.
    """
    wished = n if n <= EXACT_ROWS else SAMPLE_ROWS
    return min(wished, max(LEAST_ROWS, int(WORK / (2.0 * max(n, 1) * max(d, 1)))))


def quality(
    features: Array,
    points: Array,
    k: int = 15,
    neighbors: Neighbors | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> Quality:
    """The scores of a map.

    Parameters
    ----------
    features : (n, d) array
        What the map was made of; may be memory-mapped.
    points : (n, 2) or (n, 3) array
        The map. Rows that are not finite here or in the features are left out: their distortion is NaN.
    k : int
        Neighbours to look at. Fewer than half of the rows are needed; where there are not enough, as many as are legal.
    neighbors : Neighbors, optional
        First stage of the map: when it holds the nearest rows, the distortion takes them, be they fewer than `k`. When
        not, and the scores are not taken over all rows either, each point's neighbours are those among the sample.
    sample : int, optional
        Rows the scores are taken over, drawn with `seed`; :func:`sample_rows` when not given.
    progress : Progress
        With a receiver of partial results it gets the scores before the distortion is known (NaN).
    threads : int, optional
        Does not change the result.

    Raises
    ------
    ValueError
        When the numbers of rows differ.
    """
    matrix, given = _as_rows(features), np.asarray(points, dtype=np.float64)
    n = len(matrix)
    if given.ndim != 2 or len(given) != n:
        raise ValueError(f"{n} rows of features and {len(given)} points")
    kept = np.isfinite(given).all(axis=1) & _finite_rows(matrix, progress)
    if kept.all():
        return _quality(matrix, given, k, neighbors, sample, seed, progress, threads)
    rows = np.flatnonzero(kept)
    found = _quality(matrix[rows], given[rows], k, None, sample, seed, progress, threads)
    distortion = np.full(n, np.nan, dtype=np.float32)
    distortion[rows] = found.distortion
    left_out = f"{n - len(rows):,} rows that are not on the map are left out"
    return Quality(
        found.trustworthiness,
        found.continuity,
        found.preservation,
        distortion,
        found.exact,
        found.rows,
        found.k,
        found.distortion_k,
        found.distortion_rows,
        "; ".join(filter(None, (left_out, found.reason))),
    )


def trustworthiness(
    features: Array,
    points: Array,
    k: int = 15,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> float:
    """Share of the map's neighbours that are neighbours in the features, 1 at best.

    T = 1 − 2 / (m k (2n − 3k − 1)) Σᵢ Σⱼ (rank of j seen from i in the features − k) over the k nearest j of i on the
    map whose rank exceeds k (Venna and Kaski 2001); i runs over m rows, j over all.

    Parameters
    ----------
    features : (n, d) array
    points : (n, c) array
    k : int
        Below n / 2.
    sample : int, optional
        How many rows i, drawn with `seed`; :func:`sample_rows` when not given. The ranks are among all n rows.
    """
    one, two = _checked(features, points, k)
    return _Scores(one, two, k, sample, seed, threads).run(progress)[0]


def continuity(
    features: Array,
    points: Array,
    k: int = 15,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    threads: int | None = None,
) -> float:
    """Share of the features' neighbours that are neighbours on the map: :func:`trustworthiness` with roles swapped."""
    one, two = _checked(features, points, k)
    return _Scores(one, two, k, sample, seed, threads).run(progress)[1]


def _checked(features: Array, points: Array, k: int) -> tuple[Array, NDArray[np.float64]]:
    """Both as matrices; raises ValueError where the scores are not defined."""
    one, two = _as_rows(features), np.asarray(points, dtype=np.float64)
    n = len(one)
    if two.ndim != 2 or len(two) != n:
        raise ValueError(f"{n} rows of features and {len(two)} points")
    if not 1 <= k < n / 2:
        raise ValueError(f"k is {k}; it must be at least 1 and below half of {n} rows")
    return one, two


def _as_rows(features: Array) -> Array:
    """The features as a C-contiguous matrix of floats, copied only where they are not."""
    matrix = np.asanyarray(features)
    if matrix.ndim != 2:
        raise ValueError(f"features have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    return np.ascontiguousarray(matrix)


def _finite_rows(features: Array, progress: Progress) -> NDArray[np.bool_]:
    """Which rows are finite."""
    from qmlstudio.learning._pca import row_blocks

    kept = np.ones(len(features), dtype=np.bool_)
    for start, stop in row_blocks(features):
        progress.check()
        with np.errstate(over="ignore", invalid="ignore"):
            # the sum of a block is finite when all its values are: one pass without a mask in the usual case
            if not np.isfinite(features[start:stop].sum(dtype=np.float64)):
                kept[start:stop] = np.isfinite(features[start:stop]).all(axis=1)
    return kept


def _quality(
    features: Array,
    points: NDArray[np.float64],
    asked: int,
    neighbors: Neighbors | None,
    sample: int | None,
    seed: int,
    progress: Progress,
    threads: int | None,
) -> Quality:
    """:func:`quality` of finite rows."""
    from qmlstudio.learning._quality_loops import shared

    n = len(features)
    k = min(asked, (n - 1) // 2)
    unknown = np.full(n, np.nan, dtype=np.float32)
    if k < 1:
        reason = f"{n} rows are too few: neighbours need three at least"
        return Quality(np.nan, np.nan, np.nan, unknown, True, n, 0, 0, n, reason)
    reason = "" if k == asked else f"{k} neighbours instead of {asked}: they must be fewer than half of {n:,} rows"
    scores = _Scores(features, points, k, sample, seed, threads)
    held = 0 if neighbors is None or len(neighbors.indices) != n else neighbors.indices.shape[1] - 1
    own = min(held, k) if held >= min(LEAST_NEIGHBORS, k) else 0
    scores.among_sample = own == 0 and not scores.exact
    figures = scores.run(progress.part(0.0, 0.8))
    common = (scores.exact, len(scores.rows), k)
    if progress.wants_partial:
        progress.partial(Quality(*figures, unknown, *common, 0, n, reason))
    part = progress.part(0.8, 1.0)
    distortion = np.empty(n, dtype=np.float32)
    if own:
        assert neighbors is not None
        near, near_on_map = neighbors.indices[:, 1 : own + 1], scores.tree.nearest(own, part.part(0.0, 0.9))[0]
    elif scores.exact:
        near, near_on_map = scores.near, scores.near_on_map
    else:
        near, near_on_map = scores.sampled_near, scores.sampled_near_on_map(part.part(0.0, 0.9))
    for start, stop in slices(n, part.part(0.9, 1.0), "Distortion", first=10_000):
        shared(near, near_on_map, start, stop, distortion)
    np.subtract(1.0, distortion, out=distortion)
    progress(1.0, "Distortion")
    among = len(scores.rows) if scores.among_sample else n
    return Quality(*figures, distortion, *common, own or k, among, reason)


class _Scores:
    """The three scores, and the neighbours found on the way.

    Attributes
    ----------
    rows : (m,) int64
        The rows they are taken over.
    exact : bool
        Whether these are all.
    among_sample : bool
        Whether to find every row's nearest among these too: `sampled_near` (n, k), positions in `rows`.
    near, near_on_map : (m, k) int32
        Nearest rows of each of `rows`, in the features and on the map.
    """

    def __init__(
        self, features: Array, points: Array, k: int, sample: int | None, seed: int, threads: int | None
    ) -> None:
        n, d = features.shape
        count = min(n, sample_rows(n, d) if sample is None else max(sample, 1))
        self.exact = count == n
        self.rows = np.arange(n) if self.exact else np.sort(np.random.default_rng(seed).choice(n, count, replace=False))
        self.among_sample = False
        self._features, self._points, self._k, self._threads = features, np.ascontiguousarray(points), k, threads

    def run(self, progress: Progress) -> tuple[float, float, float]:
        """Trustworthiness, continuity and preservation."""
        from qmlstudio.learning._map_tree import MapTree
        from qmlstudio.learning._quality_loops import count_closer_on_map, pair_thresholds, penalty, shared
        from qmlstudio.learning._threads import team

        n, m, k = len(self._features), len(self.rows), self._k
        progress(0.0, "Quality of the map")
        self.tree = MapTree(self._points, progress)
        self.near_on_map = self.tree.nearest(k, progress.part(0.0, 0.1), rows=self.rows)[0]
        with team(self._threads) as members:
            counts = self._ranks_in_features(members, progress.part(0.1, 0.8))
            wrong = penalty(counts, 0, m)
            limits, counts = np.empty((m, k)), np.zeros((m, k), dtype=np.int64)
            missed, columns = 0, np.ascontiguousarray(self._points.T)
            for start, stop in slices(m, progress.part(0.8, 1.0), "Continuity", first=max(1, 10**6 // n)):
                pair_thresholds(self._points, self.rows, self.near, 1.0, start, stop, limits)
                count_closer_on_map(columns, self.rows, limits, start, stop, counts)
                missed += penalty(counts, start, stop)
        kept = np.empty(m)
        shared(self.near, self.near_on_map, 0, m, kept)
        scale = 2.0 / (m * k * (2.0 * n - 3.0 * k - 1.0))
        return 1.0 - scale * wrong, 1.0 - scale * missed, float(kept.mean())

    def sampled_near_on_map(self, progress: Progress) -> NDArray[np.int32]:
        """(n, k) the nearest of the sampled points on the map, of every point."""
        from qmlstudio.learning._map_tree import MapTree

        own = np.full(len(self._points), -1)
        own[self.rows] = np.arange(len(self.rows))
        tree = MapTree(self._points[self.rows], progress)
        return tree.nearest(self._k, progress, rows=own, of=self._points)[0]

    def _ranks_in_features(self, members: Team, progress: Progress) -> NDArray[np.int64]:
        """How many rows lie between the neighbours on the map of each sampled row; finds `near` on the way."""
        from qmlstudio.learning._quality_loops import count_closer, nearest_sampled, pair_thresholds

        features, rows, k = self._features, self.rows, self._k
        (n, d), m = features.shape, len(rows)
        mean, scale = _centre(features, progress)
        unit = 1.0 / (scale * scale)
        limits = np.empty((m, k))
        for start, stop in slices(m, progress.part(0.0, 0.05), "Trustworthiness", first=100):
            pair_thresholds(features, rows, self.near_on_map, unit, start, stop, limits)
        chosen = _single(features, rows, mean, scale)
        norms = np.einsum("ij,ij->i", chosen, chosen)
        counts = np.zeros((m, k), dtype=np.int64)
        near_d = np.full((m, k), np.inf)
        self.near = np.full((m, k), -1, dtype=np.int32)
        # rounding of single precision, bounded as for the search of neighbours
        slack = (d / 8 + 6) * float(np.finfo(np.float32).eps)
        width = int(min(max(16, 1e9 // (m * d + 1)), max(16, 4e6 // m), 2048, n))
        product = np.empty((m, width), dtype=np.float32)
        parts = [slice(start, min(start + PART, m)) for start in range(0, m, PART)]
        nearest_d = np.empty((width, k), dtype=np.float32)
        self.sampled_near = np.empty((n if self.among_sample else 0, k), dtype=np.int32)
        part_progress = progress.part(0.05, 1.0)
        for low in range(0, n, width):
            part_progress(low / n, "Trustworthiness")
            high = min(low + width, n)
            block = _single(features, slice(low, high), mean, scale)
            block_norms = np.einsum("ij,ij->i", block, block)

            def work(
                part: slice,
                block: Array = block,
                block_norms: Array = block_norms,
                line: Array = product[:, : high - low],
                low: int = low,
            ) -> None:
                np.matmul(chosen[part], block.T, out=line[part])
                count_closer(
                    line[part],
                    norms[part],
                    block_norms,
                    slack,
                    low,
                    rows[part],
                    features,
                    unit,
                    limits[part],
                    counts[part],
                    near_d[part],
                    self.near[part],
                )

            members.run(work, parts)
            if self.among_sample:
                line, found = product[:, : high - low], self.sampled_near[low:high]
                nearest_sampled(line, norms, block_norms, low, rows, nearest_d, found)
        return counts


def _centre(features: Array, progress: Progress) -> tuple[NDArray[np.float64], float]:
    """Mean of the rows, and the largest distance of one from it along any column (1 where there is none)."""
    from qmlstudio.learning._pca import row_blocks

    n, d = features.shape
    total, low, high = np.zeros(d), np.full(d, np.inf), np.full(d, -np.inf)
    for start, stop in row_blocks(features):
        progress.check()
        block = features[start:stop]
        total += block.sum(axis=0, dtype=np.float64)
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
    mean = total / max(n, 1)
    reach = float(np.maximum(high - mean, mean - low).max(initial=0.0)) if n else 0.0
    return mean, reach if reach > 0.0 else 1.0


def _single(
    features: Array, rows: slice | NDArray[np.int64], mean: NDArray[np.float64], scale: float
) -> NDArray[np.float32]:
    """Centred, scaled rows in single precision."""
    result: NDArray[np.float32] = ((features[rows] - mean) / scale).astype(np.float32)
    return result
