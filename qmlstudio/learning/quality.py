"""How far a map can be trusted: are near points near in the features, and the other way round?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]

EXACT_ROWS = 10_000
SAMPLE_ROWS = 4_000


def sample_rows(n: int) -> int:
    """How many rows :func:`trustworthiness` looks at when nothing else is asked: all up to 10,000, else 4,000."""
    return n if n <= EXACT_ROWS else SAMPLE_ROWS


def trustworthiness(
    features: Array,
    points: Array,
    k: int = 15,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> float:
    """Share of the map's neighbours that are neighbours in the features, 1 at best.

    T = 1 − 2 / (m k (2n − 3k − 1)) Σᵢ Σⱼ (rank of j seen from i in the features − k) over the k nearest j of i on the
    map whose rank exceeds k (Venna and Kaski 2001); i runs over m rows, j over all.

    Parameters
    ----------
    features : (n, d) array
    points : (n, 2) array
    k : int
        Below n / 2.
    sample : int, optional
        How many rows i, drawn with `seed`; :func:`sample_rows` when not given. The ranks are among all n rows.
    """
    return _score(np.asanyarray(features), np.asanyarray(points), k, sample, seed, progress)


def continuity(
    features: Array,
    points: Array,
    k: int = 15,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> float:
    """Share of the features' neighbours that are neighbours on the map: :func:`trustworthiness` with roles swapped."""
    return _score(np.asanyarray(points), np.asanyarray(features), k, sample, seed, progress)


def _score(space: Array, chosen: Array, k: int, sample: int | None, seed: int, progress: Progress) -> float:
    """Penalty for the `k` nearest rows in `chosen` that are far in `space`."""
    n = len(space)
    if len(chosen) != n:
        raise ValueError(f"{n} rows of features and {len(chosen)} points")
    if not 1 <= k < n / 2:
        raise ValueError(f"k is {k}; it must be at least 1 and below half of {n} rows")
    count = min(n, sample_rows(n) if sample is None else sample)
    rows = np.arange(n) if count == n else np.sort(np.random.default_rng(seed).choice(n, count, replace=False))
    one, two = _Distances(space), _Distances(chosen)
    penalty = 0
    for start, stop in slices(len(rows), progress, "Trustworthiness", first=max(1, 10**6 // n)):
        part = rows[start:stop]
        own = np.arange(len(part))
        near = two.rows(part)
        near[own, part] = np.inf
        near_index = np.argpartition(near, k - 1, axis=1)[:, :k]
        far = one.rows(part)
        far[own, part] = np.inf
        kth = np.partition(far, k - 1, axis=1)[:, k - 1]
        values = np.take_along_axis(far, near_index, axis=1)
        for i, t in zip(*np.nonzero(values > kth[:, None])):
            penalty += int(np.count_nonzero(far[i] < values[i, t])) + 1 - k
    return 1.0 - 2.0 * penalty / (len(rows) * k * (2.0 * n - 3.0 * k - 1.0))


class _Distances:
    """Squared distances of some rows to all, from inner products of centred rows in double precision."""

    def __init__(self, matrix: Array) -> None:
        self._matrix = matrix - matrix.mean(axis=0, dtype=np.float64)
        self._norms = np.einsum("ij,ij->i", self._matrix, self._matrix)

    def rows(self, part: NDArray[np.int64]) -> NDArray[np.float64]:
        """(len(part), n) squared distances."""
        product = self._matrix[part] @ self._matrix.T
        product *= -2.0
        product += self._norms
        product += self._norms[part, None]
        result: NDArray[np.float64] = product
        return result
