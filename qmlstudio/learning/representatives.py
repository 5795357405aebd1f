"""Few structures that stand for many: medoids, farthest points, CUR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]
Found = NDArray[np.int64]

METHODS = ("medoid", "fps", "cur")
"""medoid: the most central ones; fps: as far from each other as can be; cur: those that span the others best."""

EXACT_LIMIT = 5_000
"""Members up to which a medoid's distances to all others are summed; above, to a random sample of so many others."""
SAMPLE_LIMIT = 20_000
"""Members among which representatives are sought; more are sampled at random."""
CUR_LIMIT = 5_000
"""The same for CUR, whose decomposition is repeated for every structure."""
MOST_NUMBERS = 2**26
"""Numbers that are copied of the features at most: fewer members are looked at where rows are long."""
_SAMPLE = 2_000
_COMPONENTS = 50


def representatives(
    features: Array,
    mask: NDArray[np.bool_],
    method: str = "medoid",
    count: int = 1,
    progress: Progress = SILENT,
    seed: int = 0,
) -> Found:
    """Indices of the structures that represent a set.

    Parameters
    ----------
    features : (n, d) array
        Rows with NaN or infinity cannot represent anything.
    mask : (n,) bool
        The set.
    method : "medoid", "fps" or "cur"
        Medoids are the rows with the least sum of distances to all others, the most central first. FPS starts with
        the medoid and takes the farthest from all chosen ones, again and again. CUR takes the row of the largest
        leverage in the first principal direction of what the chosen ones leave unexplained.
    count : int
        How many are wanted; fewer come back from smaller sets, and of identical rows FPS and CUR take one.

    Returns
    -------
    (≤ count,) int64
        Row numbers of `features`, in the order in which they were chosen.

    Raises
    ------
    ValueError
        Unknown method, or lengths that differ.

    References
    ----------
    Imbalzano et al., J. Chem. Phys. 148, 241730 (2018); Mahoney, Drineas, PNAS 106, 697 (2009); Goscinski et al.,
    Open Research Europe 3, 81 (2023) (scikit-matter).
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
    if len(features) != len(mask):
        raise ValueError(f"{len(features)} rows of features for a mask of {len(mask)}")
    rows = np.flatnonzero(mask)
    random = np.random.default_rng(seed)
    width = max(1, int(np.prod(np.shape(features)[1:])))
    limit = max(min(CUR_LIMIT if method == "cur" else SAMPLE_LIMIT, MOST_NUMBERS // width), 1)
    if len(rows) > limit:
        rows = np.sort(random.choice(rows, limit, replace=False))
    progress(0.0, "Representatives")
    chosen = np.asarray(features[rows], dtype=np.float64)
    finite = np.isfinite(chosen).all(axis=1)
    rows, chosen = rows[finite], chosen[finite]
    count = min(max(count, 0), len(rows))
    if count == 0:
        return np.zeros(0, np.int64)
    # the origin does not matter to distances, and near it they lose the fewest digits
    chosen = chosen - chosen.mean(axis=0)
    sums = _distance_sums(chosen, random, progress.part(0.0, 0.6))
    if method == "medoid":
        return rows[np.argsort(sums, kind="stable")[:count]].astype(np.int64)
    distinct = _distinct(chosen)
    centre = int(np.argmin(sums[distinct]))
    rows, chosen = rows[distinct], chosen[distinct]
    count = min(count, len(rows))
    progress(0.6, "Representatives")
    picked = _farthest(chosen, [centre], count) if method == "fps" else _cur(chosen, centre, count, progress)
    progress(1.0)
    return rows[picked].astype(np.int64)


def _distance_sums(rows: Floats, random: np.random.Generator, progress: Progress) -> Floats:
    """(m,) mean Euclidean distance of each row to all, or to a random sample where there are many."""
    others = rows if len(rows) <= EXACT_LIMIT else rows[random.choice(len(rows), _SAMPLE, replace=False)]
    squares = (others**2).sum(axis=1)
    sums = np.empty(len(rows))
    for start, stop in slices(len(rows), progress, first=16):
        part = rows[start:stop]
        products = squares - 2.0 * (part @ others.T) + (part**2).sum(axis=1)[:, None]
        sums[start:stop] = np.sqrt(np.maximum(products, 0.0)).mean(axis=1)
    return sums


def _distinct(rows: Floats) -> Found:
    """The first of each set of identical rows, ascending."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return np.sort(first).astype(np.int64)


def _farthest(rows: Floats, start: list[int], count: int) -> list[int]:
    """Farthest-point sampling that goes on from `start`."""
    from skmatter.sample_selection import FPS

    if count <= len(start) or len(rows) < 2:
        return start[:count]
    # the library wants two columns at least
    wide = rows if rows.shape[1] >= 2 else np.column_stack([rows, np.zeros((len(rows), 2 - rows.shape[1]))])
    found = FPS(n_to_select=count, initialize=start if len(start) > 1 else start[0]).fit(wide).selected_idx_
    return [int(i) for i in found]


def _cur(rows: Floats, centre: int, count: int, progress: Progress) -> list[int]:
    """CUR in the space of the leading principal components; what exceeds their rank is filled with farthest points."""
    from skmatter.sample_selection import CUR

    from qmlstudio.learning._pca import principal_components

    found = principal_components(rows, _COMPONENTS)
    kept = found.variance > 1e-10
    scores = found.scores[:, kept]
    rank = min(int(np.count_nonzero(kept)), count)
    if rank < 2 or len(rows) <= count:
        return _farthest(rows, [centre], count)
    progress(0.8)
    # a row at the very centre has no leverage, and the library takes no rows of zeros
    filled = np.flatnonzero(np.abs(scores).max(axis=1) > 1e-9 * np.abs(scores).max())
    rank = min(rank, len(filled))
    picked = [int(filled[i]) for i in CUR(n_to_select=rank).fit(scores[filled]).selected_idx_]
    return _farthest(rows, picked, count)
