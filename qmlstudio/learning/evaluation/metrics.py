"""How good predictions are: errors in one number, with intervals, and by what the structures are.

Errors are prediction − truth throughout. Pairs that are not both finite are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 1000
_FEWEST = 100
_LARGEST = 50_000
"""Structures that a resample draws at most: the deviations of larger sets are theirs, shrunk by the root of n."""
_DRAWN = 5_000_000
"""Draws that all resamples together may take before their number is cut down."""
_BLOCK = 1 << 20
MOST_BARS = 30


@dataclass(frozen=True)
class Scores:
    """Errors of a set of predictions; NaN where there are too few pairs for it.

    Attributes
    ----------
    n : int
        Pairs of finite truth and prediction.
    missing : int
        Pairs that were left out.
    mae, rmse, median, q95, max : float
        Mean absolute error, root of the mean square, median, 95 % quantile and largest of the absolute errors.
    bias : float
        Mean of prediction − truth.
    r2 : float
        1 − Σ e² / Σ (truth − mean)²; NaN for a constant truth.
    mad : float
        Mean absolute deviation of the truth from its mean: the error of the best constant, nearly.
    spearman : float
        Rank correlation of truth and prediction; NaN when one is constant.
    """

    n: int
    missing: int
    mae: float
    rmse: float
    median: float
    q95: float
    max: float
    bias: float
    r2: float
    mad: float
    spearman: float

    def to_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def scores(truth: Array, predicted: Array) -> Scores:
    """Errors of one target.

    Parameters
    ----------
    truth, predicted : (n,) or (n, 1) float

    Raises
    ------
    ValueError
        Different lengths, or several targets (see :func:`scores_of`).
    """
    y, p, missing = _pairs(truth, predicted)
    n = len(y)
    if n == 0:
        nan = np.nan
        return Scores(0, missing, nan, nan, nan, nan, nan, nan, nan, nan, nan)
    e = p - y
    size = np.abs(e)
    median, q95 = np.percentile(size, (50, 95))
    around = float(((y - y.mean()) ** 2).sum())
    return Scores(
        n=n,
        missing=missing,
        mae=float(size.mean()),
        rmse=float(np.sqrt((e * e).mean())),
        median=float(median),
        q95=float(q95),
        max=float(size.max()),
        bias=float(e.mean()),
        r2=1.0 - float((e * e).sum()) / around if n > 1 and np.ptp(y) > 0 and around > 0 else np.nan,
        mad=float(np.abs(y - y.mean()).mean()),
        spearman=spearman(y, p),
    )


def scores_of(truth: Array, predicted: Array) -> tuple[Scores, ...]:
    """Errors of each target, the columns of (n, t) arrays."""
    y, p = (a[:, None] if a.ndim == 1 else a for a in (np.asarray(truth), np.asarray(predicted)))
    if y.shape != p.shape:
        raise ValueError(f"truth has shape {y.shape}, predictions {p.shape}")
    return tuple(scores(y[:, k], p[:, k]) for k in range(y.shape[1]))


def bootstrap(
    truth: Array,
    predicted: Array,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress = SILENT,
) -> dict[str, tuple[float, float]]:
    """Intervals of "mae", "rmse", "median", "q95" and "bias" by drawing structures again, with replacement.

    The percentile interval (B. Efron, Ann. Statist. 7, 1 (1979)). Large sets, whose intervals are narrow, are drawn
    fewer times, down to 100, and of more than 50,000 structures so many are drawn (m out of n: P. Bickel, F. Götze,
    W. van Zwet, Statist. Sinica 7, 1 (1997)).

    Returns
    -------
    dict of str to (low, high)
        NaN with fewer than two pairs.
    """
    y, p, _ = _pairs(truth, predicted)
    e, n = p - y, len(y)
    names = ("mae", "rmse", "median", "q95", "bias")
    if n < 2:
        return dict.fromkeys(names, (np.nan, np.nan))
    m = min(n, _LARGEST)
    count = max(_FEWEST, min(resamples, _DRAWN // m)) if resamples > _FEWEST else max(resamples, 1)
    rng = np.random.default_rng(seed)
    found = np.empty((count, len(names)))
    size = np.abs(e)
    block = max(1, _BLOCK // m)
    places = [m // 2, (m - 1) // 2, *_around_q95(m)]
    for start in range(0, count, block):
        progress(start / count, "Drawing again")
        rows = rng.integers(0, n, (min(block, count - start), m))
        here = slice(start, start + len(rows))
        drawn = e[rows]
        found[here, 4] = drawn.mean(axis=1)
        found[here, 1] = np.sqrt((drawn * drawn).mean(axis=1))
        drawn = size[rows]
        found[here, 0] = drawn.mean(axis=1)
        drawn.partition(sorted(set(places)), axis=1)
        found[here, 2] = 0.5 * (drawn[:, places[0]] + drawn[:, places[1]])
        part = 0.95 * (m - 1) - places[2]
        found[here, 3] = drawn[:, places[2]] + part * (drawn[:, places[3]] - drawn[:, places[2]])
    progress(1.0)
    if m < n:
        middle, q95 = np.percentile(size, (50, 95))
        whole = np.array([size.mean(), np.sqrt((e * e).mean()), middle, q95, e.mean()])
        found = whole + (found - whole) * np.sqrt(m / n)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(found, (tail, 100.0 - tail), axis=0)
    return {name: (float(low[k]), float(high[k])) for k, name in enumerate(names)}


def spearman(a: Array, b: Array) -> float:
    """Rank correlation of two finite columns; equal values share their mean rank. NaN when one is constant."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    from scipy.stats import rankdata

    first, second = rankdata(a), rankdata(b)
    return float(np.corrcoef(first, second)[0, 1])


@dataclass(frozen=True, eq=False)
class ErrorTable:
    """Errors of groups of structures, which may share some.

    Attributes
    ----------
    by : str
        What the groups are, for people.
    names : tuple of str
    counts : (k,) int64
        Structures of each group with a finite error.
    mae, bias, worst : (k,) float64
        Mean absolute, mean and largest absolute error; NaN for empty groups.
    spread : (k,) float64
        Standard error of the mean absolute error; NaN with one structure.
    edges : (k + 1,) float64 or None
        Of bins of a number.
    notes : tuple of str
    """

    by: str
    names: tuple[str, ...]
    counts: Ints
    mae: Floats
    bias: Floats
    worst: Floats
    spread: Floats
    edges: Floats | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def order(self, fewest: int = 1) -> Ints:
        """Groups of at least so many structures, the largest mean error first."""
        chosen = np.flatnonzero(self.counts >= fewest)
        return chosen[np.argsort(-self.mae[chosen], kind="stable")]


def by_labels(errors: Array, labels: Array, names: Sequence[str], by: str, notes: tuple[str, ...] = ()) -> ErrorTable:
    """Errors of groups that exclude each other; `labels` (n,) are places in `names`, −1 for none."""
    e, label = np.asarray(errors, dtype=np.float64), np.asarray(labels)
    if e.shape != label.shape:
        raise ValueError(f"{len(e)} errors and {len(label)} labels")
    good = np.isfinite(e) & (label >= 0)
    e, label, k = e[good], label[good], len(names)
    size = np.abs(e)
    counts = np.bincount(label, minlength=k).astype(np.int64)
    worst = np.full(k, -np.inf)
    np.maximum.at(worst, label, size)
    sums = [np.bincount(label, values, minlength=k) for values in (size, e)]
    mae, bias = (np.divide(s, counts, out=np.full(k, np.nan), where=counts > 0) for s in sums)
    away = np.bincount(label, (size - mae[label]) ** 2, minlength=k)
    spread = np.full(k, np.nan)
    many = counts > 1
    spread[many] = np.sqrt(away[many] / (counts[many] - 1) / counts[many])
    return ErrorTable(by, tuple(names), counts, mae, bias, np.where(counts > 0, worst, np.nan), spread, notes=notes)


def by_membership(
    errors: Array, member: Array, names: Sequence[str], by: str, notes: tuple[str, ...] = ()
) -> ErrorTable:
    """Errors of groups that may share structures; `member` (n, k) bool."""
    e, table = np.asarray(errors, dtype=np.float64), np.asarray(member, dtype=bool)
    if table.shape != (len(e), len(names)):
        raise ValueError(f"membership has shape {table.shape} for {len(e)} errors and {len(names)} groups")
    parts = [by_labels(e, np.where(table[:, k], 0, -1), (name,), by) for k, name in enumerate(names)]
    columns = (
        np.array([getattr(part, name)[0] for part in parts]) for name in ("counts", "mae", "bias", "worst", "spread")
    )
    counts, mae, bias, worst, spread = columns
    return ErrorTable(by, tuple(names), counts.astype(np.int64), mae, bias, worst, spread, notes=notes)


def by_value(errors: Array, values: Array, by: str, bins: int = 10) -> ErrorTable:
    """Errors by a number (distance to the training set, gap): bins of about equal numbers of structures.

    Few distinct whole numbers (sizes) are a group each.
    """
    v = np.asarray(values, dtype=np.float64)
    good = np.isfinite(v)
    notes = (f"{int((~good).sum()):,} structures have no {by}",) if not good.all() else ()
    if not good.any():
        return by_labels(errors, np.full(len(v), -1), (), by, notes)
    ordered = np.sort(v[good])
    distinct = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]
    label = np.full(len(v), -1, np.int64)
    if len(distinct) <= MOST_BARS and (distinct == np.round(distinct)).all():
        label[good] = np.searchsorted(distinct, v[good])
        return by_labels(errors, label, [f"{d:.0f}" for d in distinct], by, notes)
    edges = np.unique(np.quantile(v[good], np.linspace(0.0, 1.0, bins + 1)))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0]])
    label[good] = np.clip(np.searchsorted(edges, v[good], side="right") - 1, 0, len(edges) - 2)
    names = [f"{a:.4g} – {b:.4g}" for a, b in pairwise(edges)]
    found = by_labels(errors, label, names, by, notes)
    return ErrorTable(
        by, found.names, found.counts, found.mae, found.bias, found.worst, found.spread, edges, found.notes
    )


def by_size(errors: Array, sizes: Array) -> ErrorTable:
    """Errors by the number of atoms (n,)."""
    return by_value(errors, sizes, "number of atoms")


def by_element(errors: Array, elements: Sequence[int], counts: Array) -> ErrorTable:
    """Errors of the structures with each element; `counts` (n, k) of atoms by element."""
    return by_membership(errors, np.asarray(counts) > 0, [SYMBOLS[int(z)] for z in elements], "element")


def by_functional_group(errors: Array, dataset: Dataset, rows: Ints, progress: Progress = SILENT) -> ErrorTable:
    """Errors of the structures with each functional group or ring that occurs; `errors` (m,) are those of `rows`."""
    from qmlstudio.chem.substructures import NAMES, substructures

    rows = np.asarray(rows, dtype=np.int64)
    if len(errors) != len(rows):
        raise ValueError(f"{len(errors)} errors for {len(rows)} structures")
    order = np.argsort(rows, kind="stable")
    found = substructures(dataset).find(rows[order], progress)
    place = np.searchsorted(rows[order], found.rows)
    there = np.flatnonzero(found.groups.any(axis=0))
    missing = len(rows) - len(found.rows)
    notes = (f"{missing:,} structures have no graph",) if missing else ()
    mine = np.asarray(errors, dtype=np.float64)[order[place]]
    return by_membership(mine, found.groups[:, there], [NAMES[k] for k in there], "functional group", notes)


def distance_to_training(rows: Rows, train: Array, test: Array, progress: Progress = SILENT) -> Floats:
    """(m,) Euclidean distance of the features of each test structure to the nearest training structure's.

    Raises
    ------
    ValueError
        Features of atoms: a model's own ``Prediction.distance`` measures these.
    """
    from qmlstudio.learning.cross_nearest import nearest_distances

    if rows.is_local:
        raise ValueError("features of atoms have no distance between structures: take the model's own distance")
    return nearest_distances(rows.array[np.asarray(test)], rows.array[np.asarray(train)], progress)


def worst(errors: Array, count: int) -> Ints:
    """Places of the largest absolute errors, the worst first; missing ones are none."""
    size = np.abs(np.asarray(errors, dtype=np.float64))
    size[~np.isfinite(size)] = -1.0
    count = min(count, int((size >= 0).sum()))
    if count == 0:
        return np.zeros(0, np.int64)
    top = np.argpartition(-size, count - 1)[:count]
    return top[np.lexsort((top, -size[top]))].astype(np.int64)


def _pairs(truth: Array, predicted: Array) -> tuple[Floats, Floats, int]:
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    y, p = (a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for a in (y, p))
    if y.ndim != 1 or y.shape != p.shape:
        raise ValueError(f"truth has shape {y.shape}, predictions {p.shape}: one target at a time")
    good = np.isfinite(y) & np.isfinite(p)
    return y[good], p[good], len(y) - int(np.count_nonzero(good))


def _around_q95(n: int) -> tuple[int, int]:
    low = int(0.95 * (n - 1))
    return low, min(low + 1, n - 1)
