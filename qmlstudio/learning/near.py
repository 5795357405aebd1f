"""What is near one structure: in the features, on the map, and whether both agree; ways from one structure to another.

All distances are exact. A rank counts from 1, the nearest other row; a map's neighbour is *false* when its rank in the
features is far beyond the number of neighbours looked at, and a neighbour in the features is *torn* away when its
rank on the map is (Lespinats and Aupetit, Comput. Graph. Forum 30, 113 (2011), call them false neighbours and tears).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress, slices

if TYPE_CHECKING:
    from qmlstudio.learning.embedding_base import Neighbors

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRICS = ("euclidean", "manhattan", "cosine", "tanimoto")
THREADED = 1 << 21
"""Values below which a second thread gains nothing."""


@dataclass(frozen=True, kw_only=True)
class Nearness(Parameterised):
    """What near means."""

    name: ClassVar[str] = "nearness"
    title: ClassVar[str] = "Nearness"

    metric: str = param(
        "euclidean",
        label="Distance",
        choices=(
            ("euclidean", "Euclidean"),
            ("manhattan", "Manhattan"),
            ("cosine", "cosine"),
            ("tanimoto", "Tanimoto"),
        ),
        help="Of two structures' features. Cosine ignores their length, Tanimoto is meant for fingerprints.",
    )
    k: int = param(10, label="Neighbours", low=1, high=200, step=1, help="How many are looked at on either side.")
    far: float = param(
        3.0,
        label="Far from",
        low=1.0,
        high=100.0,
        step=0.5,
        advanced=True,
        help="A neighbour on one side is far on the other when its rank there exceeds the number of neighbours times "
        "this.",
    )
    kernel: str = param(
        "gaussian",
        label="Similarity",
        choices=(
            ("gaussian", "Gaussian: exp(−d²/2σ²)"),
            ("laplacian", "Laplacian: exp(−d/σ)"),
            ("distance", "the distance itself"),
        ),
        help="What the column “similarity” holds.",
    )
    width: str = param(
        "all",
        label="Width σ",
        choices=(("all", "median of all distances"), ("near", "median of the neighbours' distances")),
        help="The median of all distances shades the whole map, that of the neighbours lights up only these.",
    )
    steps: str = param(
        "small",
        label="Paths of",
        choices=(("small", "many small steps"), ("short", "least length"), ("even", "least longest step")),
        help="What a path between two structures costs: the sum of its steps' squares, of their lengths, or the "
        "longest one.",
    )

    @property
    def power(self) -> float | None:
        """The power of a step's length that it costs; None: of a path only the longest step counts."""
        return {"small": 2.0, "short": 1.0, "even": None}[self.steps]


@dataclass(frozen=True, eq=False)
class Nearest:
    """The neighbours of one row.

    Attributes
    ----------
    row : int
    nearness : Nearness
    n : int
        Rows of the set.
    indices, distances : (k,) int64, float64
        The nearest in the features, ascending; only rows whose distance is finite. Empty without features.
    map_distances, map_ranks : (k,) float64, int64
        Of these on the map; NaN and 0 where one of both has no place there.
    map_indices : (m,) int64
        The nearest on the map, ascending. Empty without a map.
    distances_on_map : (m,) float64
        Theirs.
    feature_distances, feature_ranks : (m,) float64, int64
        Of these in the features; NaN and 0 where that is unknown.
    reason : str
        Why there are no neighbours in the features; empty when there are.
    """

    row: int
    nearness: Nearness
    n: int
    indices: Ints
    distances: Floats
    map_distances: Floats
    map_ranks: Ints
    map_indices: Ints
    distances_on_map: Floats
    feature_distances: Floats
    feature_ranks: Ints
    reason: str = ""

    @property
    def shared(self) -> NDArray[np.bool_]:
        """(k,) which of the nearest in the features are as near on the map."""
        return (self.map_ranks > 0) & (self.map_ranks <= self.nearness.k)

    @property
    def torn(self) -> NDArray[np.bool_]:
        """(k,) which of the nearest in the features are far away on the map."""
        return self.map_ranks > self.nearness.far * self.nearness.k

    @property
    def false(self) -> NDArray[np.bool_]:
        """(m,) which of the nearest on the map are far away in the features."""
        return self.feature_ranks > self.nearness.far * self.nearness.k


@dataclass(frozen=True, eq=False)
class Route:
    """A way through the features from structure to structure.

    Attributes
    ----------
    rows : (m,) int64
        From the first end to the second.
    lengths : (m - 1,) float64
        Of the steps.
    joined : (m - 1,) bool
        Steps that no row counts among its neighbours: the graph was in parts, and these are the links between them.
    k : int
        Neighbours of each row that make the graph.
    """

    rows: Ints
    lengths: Floats
    joined: NDArray[np.bool_]
    k: int

    @property
    def total(self) -> float:
        """Length of all steps together."""
        return float(self.lengths.sum())


def as_rows(features: Array) -> Array:
    """Features as a C-contiguous matrix of floats, copied only where they are not; memory-mapped ones stay on disk."""
    matrix = np.asanyarray(features)
    if matrix.ndim != 2:
        raise ValueError(f"features have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    return np.ascontiguousarray(matrix)


def distances_from(
    features: Array,
    row: int | Array,
    metric: str = "euclidean",
    progress: Progress = SILENT,
    threads: int | None = 1,
) -> Floats:
    """Distances of all rows from one, (n,); NaN where one of both is not finite.

    Parameters
    ----------
    features : (n, d) array
    row : int or (d,) array
        A row's number, or features of something else.
    metric : str
        "euclidean" |a − b|, "manhattan" Σ|aᵢ − bᵢ|, "cosine" 1 − a·b / |a||b| (1 from a row of zeros to any other), or
        "tanimoto" 1 − a·b / (|a|² + |b|² − a·b), of bits the Jaccard distance.
    threads : int, optional
        Does not change the result.

    Raises
    ------
    ValueError
        For an unknown metric or a row that does not fit.
    """
    from qmlstudio.learning._near_loops import distances
    from qmlstudio.learning._threads import Team, thread_count

    matrix, code = as_rows(features), _code(metric)
    from_row = _vector(matrix, row)
    n, d = matrix.shape
    found = np.empty(n)
    members = Team(thread_count(threads) if n * d >= THREADED else 1)
    try:
        for start, stop in slices(n, progress, "Distances", first=max(1, (1 << 22) // max(d, 1))):
            bounds = np.linspace(start, stop, members.threads + 1).astype(int)
            parts = list(pairwise(bounds))
            members.run(lambda part: distances(matrix, from_row, code, part[0], part[1], found), parts)
    finally:
        members.close()
    return found


def nearest_rows(
    features: Array,
    row: int | Array,
    k: int,
    metric: str = "euclidean",
    exclude: NDArray[np.bool_] | None = None,
    progress: Progress = SILENT,
    threads: int | None = 1,
) -> tuple[Ints, Floats]:
    """The `k` rows nearest to one, and their distances; for arguments see :func:`distances_from`.

    A row given by its number is not its own neighbour, but rows equal to it are. Rows that are not finite come last,
    with distance NaN.

    Parameters
    ----------
    exclude : (n,) bool, optional
        Rows that are not looked for.

    Returns
    -------
    indices : (m,) int64
        Ascending in distance, equal ones in the order of their number; m < k where there are too few.
    distances : (m,) float64
    """
    found = distances_from(features, row, metric, progress, threads)
    left_out = np.zeros(len(found), dtype=np.bool_) if exclude is None else np.array(exclude, dtype=np.bool_)
    if left_out.shape != found.shape:
        raise ValueError(f"`exclude` has shape {left_out.shape} for {len(found)} rows")
    if isinstance(row, int | np.integer):
        left_out[row] = True
    indices = smallest(np.where(np.isnan(found), np.inf, found), k, left_out)
    return indices, found[indices]


def smallest(values: Floats, k: int, left_out: NDArray[np.bool_]) -> Ints:
    """Places of the `k` smallest values that are not left out; equal ones in the order of their place."""
    count = min(max(k, 0), len(values) - int(np.count_nonzero(left_out)))
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    allowed = np.where(left_out, np.nan, values)  # NaN sorts last
    limit = np.partition(allowed, count - 1)[count - 1]
    near = np.flatnonzero(allowed < limit)
    level = np.flatnonzero(allowed == limit)[: count - len(near)]
    chosen = np.concatenate([near, level])
    order: Ints = chosen[np.lexsort((chosen, values[chosen]))].astype(np.int64)
    return order


def false_neighbors(near: Array, near_on_map: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where two lists of neighbours differ.

    Parameters
    ----------
    near, near_on_map : (k,), (m,) int
        Neighbours of one row in the features, and on the map.

    Returns
    -------
    false : (m,) bool
        Neighbours on the map that are none in the features.
    missing : (k,) bool
        Neighbours in the features that are none on the map.
    """
    return ~np.isin(near_on_map, near), ~np.isin(near, near_on_map)


def nearest(
    features: Array | None,
    points: Array | None,
    row: int,
    nearness: Nearness,
    progress: Progress = SILENT,
    threads: int | None = 1,
) -> Nearest:
    """The neighbours of a row in the features and on the map, each with its rank on the other side.

    Parameters
    ----------
    features : (n, d) array, optional
    points : (n, 2) or (n, 3) array, optional
    """
    if features is None and points is None:
        raise ValueError("neither features nor a map are given")
    n = len(features) if features is not None else len(points)  # type: ignore[arg-type]
    if features is not None and points is not None and len(points) != n:
        raise ValueError(f"{n} rows of features and {len(points)} points")
    nowhere = np.full(n, np.nan)
    own = np.zeros(n, dtype=np.bool_)
    own[row] = True
    in_features = nowhere if features is None else distances_from(features, row, nearness.metric, progress, threads)
    on_map = nowhere if points is None else distances_from(points, row, "euclidean", progress)
    near = smallest(in_features, nearness.k, own | np.isnan(in_features))
    near_on_map = smallest(on_map, nearness.k, own | np.isnan(on_map))
    reason = ""
    if features is not None and np.isnan(in_features[row]):
        reason = "the features of this structure are not all finite"
    return Nearest(
        row,
        nearness,
        n,
        near,
        in_features[near],
        on_map[near],
        _ranks(on_map, near, row),
        near_on_map,
        on_map[near_on_map],
        in_features[near_on_map],
        _ranks(in_features, near_on_map, row),
        reason,
    )


def similarities(distances: Floats, nearness: Nearness, row: int | None = None) -> Floats:
    """What the column "similarity" holds for distances (n,): 1 at distance 0, or the distances themselves.

    σ is the median of all finite distances, or of the k smallest. Where it is 0 (more than half of them are equal to
    the row), equal rows have 1 and all others 0.

    Parameters
    ----------
    row : int, optional
        The row itself, which does not count for the median.
    """
    if nearness.kernel == "distance":
        return distances
    finite = np.isfinite(distances)
    if row is not None:
        finite[row] = False
    known = distances[finite]
    if nearness.width == "near" and len(known) > nearness.k:
        known = np.partition(known, nearness.k - 1)[: nearness.k]
    width = float(np.median(known)) if len(known) else 0.0
    if width <= 0.0:
        return np.where(np.isnan(distances), np.nan, (distances == 0.0).astype(np.float64))
    with np.errstate(over="ignore", under="ignore"):
        scaled = distances / width
        result: Floats = np.exp(-0.5 * scaled * scaled if nearness.kernel == "gaussian" else -scaled)
    return result


def path_between(
    features: Array,
    a: int,
    b: int,
    k: int = 10,
    *,
    metric: str = "euclidean",
    power: float | None = 2.0,
    neighbors: Neighbors | None = None,
    progress: Progress = SILENT,
    threads: int | None = 1,
) -> Route:
    """A way from row `a` to row `b` over rows that are near each other: the cheapest in the graph of nearest rows.

    Parameters
    ----------
    features : (n, d) array
        Rows that are not finite are never stepped on.
    k : int
        Neighbours (Euclidean) of each row, itself not counted; an edge counts in both directions.
    metric : str
        Measures the edges.
    power : float, optional
        The cost of a way is the sum of its steps' lengths to this power: 1 is the shortest way, 2 favours many small
        steps. None: its longest step (minimax), the limit of large powers; of the ways that share it any.
    neighbors : Neighbors, optional
        Of the same rows; used instead of a search when there are any (then `k` is what they hold at most).

    Raises
    ------
    ValueError
        For ends that are not finite, rows that there are not, an unknown metric or a power below 1.

    Notes
    -----
    Dijkstra's algorithm with a binary heap (Numer. Math. 1, 269 (1959)). Where no way leads from one end to the other,
    the smaller of the parts in which they lie is linked by the shortest edge to what is outside, and so on: of a part
    of more than 256 rows the 256 nearest to the other end are compared with all outside.
    """
    from qmlstudio.learning._graph import Graph, near_graph

    matrix, code = as_rows(features), _code(metric)
    n = len(matrix)
    for end in (a, b):
        if not 0 <= end < n:
            raise ValueError(f"there is no row {end} of {n:,}")
        if not np.isfinite(matrix[end]).all():
            raise ValueError(f"the features of row {end} (counted from 0) are not all finite")
    if power is not None and not power >= 1.0:
        raise ValueError(f"power is {power}; it must be at least 1")
    if a == b:
        return Route(np.array([a]), np.zeros(0), np.zeros(0, dtype=np.bool_), k)
    indices = near_graph(matrix, k, neighbors, progress.part(0.0, 0.7), threads)
    graph = Graph(matrix, indices, code, power, progress.part(0.7, 0.85))
    rows = graph.way(a, b, progress.part(0.85, 1.0))
    lengths, joined = graph.steps(rows)
    progress(1.0)
    return Route(rows, lengths, joined, indices.shape[1])


def warm_up() -> None:
    """Load or compile the loops for both kinds of floats."""
    for kind in (np.float64, np.float32):
        rows = np.arange(12, dtype=kind).reshape(6, 2)
        nearest(rows, rows.astype(np.float64), 0, Nearness(k=2))
        path_between(rows, 0, 5, 2)


def _code(metric: str) -> int:
    if metric not in METRICS:
        raise ValueError(f"{metric!r} is none of {', '.join(METRICS)}")
    return METRICS.index(metric)


def _vector(matrix: Array, row: int | Array) -> Array:
    """The row from which to measure, in the type of the matrix."""
    n, d = matrix.shape
    if isinstance(row, int | np.integer):
        if not 0 <= row < n:
            raise ValueError(f"there is no row {row} of {n:,}")
        return np.array(matrix[row])
    given = np.ascontiguousarray(row, dtype=matrix.dtype)
    if given.shape != (d,):
        raise ValueError(f"a row of shape {given.shape}; {d} numbers are needed")
    return given


def _ranks(distances: Floats, chosen: Ints, row: int) -> Ints:
    """Rank of the chosen rows, 1 the nearest but `row` itself, equal distances share the least; 0 where unknown."""
    ranks = np.zeros(len(chosen), dtype=np.int64)
    if not len(chosen):
        return ranks
    own = float(distances[row])
    for place, value in enumerate(distances[chosen].tolist()):
        if value == value:
            ranks[place] = 1 + np.count_nonzero(distances < value) - int(own < value)
    return ranks
