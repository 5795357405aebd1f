"""How all columns of numbers go together, and the order in which those that do stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.pair_statistics import ranks
from qmlstudio.progress import SILENT, Progress, slices

Floats = NDArray[np.float64]
KINDS = ("pearson", "spearman")
RANKED_ROWS = 200_000
"""Rows of which ranks are taken; of more of them a random sample."""
_LEAST = 3


@dataclass(frozen=True, eq=False)
class CorrelationMatrix:
    """Correlations of k columns.

    Attributes
    ----------
    values : (k, k) float64
        NaN where a column is constant or fewer than three rows have both values.
    counts : (k, k) int64
        Rows with both values, among those used.
    order : (k,) int64
        Columns that go together side by side (average linkage on 1 − |r|, optimal leaf ordering); those without any
        correlation last.
    rows, used : int
        Rows there are, and that were used: fewer mean a random sample.
    """

    values: Floats
    counts: NDArray[np.int64]
    order: NDArray[np.int64]
    rows: int
    used: int


def correlation_matrix(
    columns: Sequence[Floats], kind: str = "pearson", progress: Progress = SILENT
) -> CorrelationMatrix:
    """Correlate columns (n,) pairwise, each pair over the rows where both are finite.

    Parameters
    ----------
    columns : sequence of (n,) float64
    kind : "pearson" or "spearman"
        Ranks are taken anew within the rows of each pair; beyond :data:`RANKED_ROWS` rows of a sample.

    Raises
    ------
    ValueError
        For another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    k, n = len(columns), len(columns[0]) if columns else 0
    if kind == "spearman":
        rows = np.arange(n)
        if n > RANKED_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(n, RANKED_ROWS, replace=False))
        used = len(rows)
        values, counts = _spearman([c[rows] for c in columns], progress.part(0.0, 0.95))
    else:
        used = n
        values, counts = _pearson(columns, progress.part(0.0, 0.95))
    values[counts < _LEAST] = np.nan
    return CorrelationMatrix(values, counts, leaf_order(values) if k else np.zeros(0, np.int64), n, used)


def _pearson(columns: Sequence[Floats], progress: Progress) -> tuple[Floats, NDArray[np.int64]]:
    """Sums over the pairwise complete rows, of columns that were centred and scaled for accuracy first."""
    k, n = len(columns), len(columns[0]) if columns else 0
    centre, size, constant = np.zeros(k), np.ones(k), np.ones(k, dtype=bool)
    for j, column in enumerate(columns):
        progress(0.2 * j / k, "correlating")
        finite = column[np.isfinite(column)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            constant[j] = low == high
            # halves, since the span of the largest numbers is beyond the largest
            size[j] = (high / 2 - low / 2) or 1.0
            centre[j] = low / 2 + high / 2
            centre[j] += float(((finite - centre[j]) / size[j]).mean()) * size[j]
    count, first, second, mixed = (np.zeros((k, k)) for _ in range(4))
    for start, stop in slices(n, progress.part(0.2, 1.0), first=20_000):
        block = np.stack([c[start:stop] for c in columns])
        there = np.isfinite(block)
        if there.all():
            scaled = (block - centre[:, None]) / size[:, None]
            count += stop - start
            first += scaled.sum(axis=1)[:, None]
            mixed += scaled @ scaled.T
            second += (scaled**2).sum(axis=1)[:, None]
            continue
        scaled = np.where(there, (np.where(there, block, 0.0) - centre[:, None]) / size[:, None], 0.0)
        known = there.astype(np.float64)
        count += known @ known.T
        first += scaled @ known.T
        second += (scaled**2) @ known.T
        mixed += scaled @ scaled.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = second - first**2 / count
        # what rounding leaves of a column that is constant within the rows of a pair
        spread[spread <= 1e-13 * second] = 0.0
        r = (mixed - first * first.T / count) / np.sqrt(spread * spread.T)
    r[~np.isfinite(r)] = np.nan
    r[constant] = np.nan
    r[:, constant] = np.nan
    r = np.clip((r + r.T) / 2, -1.0, 1.0)
    np.fill_diagonal(r, np.where(np.isnan(np.diagonal(r)), np.nan, 1.0))
    return r, np.rint(count).astype(np.int64)


def _spearman(columns: Sequence[Floats], progress: Progress) -> tuple[Floats, NDArray[np.int64]]:
    """Columns with values in the same rows share their ranks; only other pairs are ranked for themselves."""
    k = len(columns)
    r, count = np.full((k, k), np.nan), np.zeros((k, k), np.int64)
    groups: dict[bytes, list[int]] = {}
    masks = []
    for j, column in enumerate(columns):
        masks.append(np.isfinite(column))
        groups.setdefault(np.packbits(masks[j]).tobytes(), []).append(j)
    members = list(groups.values())
    total, done = len(members) * (len(members) + 1) / 2, 0
    for a, left in enumerate(members):
        for b, right in enumerate(members[: a + 1]):
            both = masks[left[0]] & masks[right[0]]
            which = left if a == b else left + right
            part = progress.part(done / total, (done + 1) / total)
            ranked = []
            for i, j in enumerate(which):
                part(i / len(which), "ranking")
                ranked.append(ranks(columns[j][both])[1])
            values, counts = _pearson(ranked, part.part(0.9, 1.0))
            place = np.ix_(which, which)
            if a == b:
                r[place], count[place] = values, counts
            else:
                i, j = len(left), len(which)
                r[np.ix_(left, right)], r[np.ix_(right, left)] = values[:i, i:j], values[i:j, :i]
                count[np.ix_(left, right)], count[np.ix_(right, left)] = counts[:i, i:j], counts[i:j, :i]
            done += 1
    return r, count


def leaf_order(values: Floats) -> NDArray[np.int64]:
    """Order of the columns of a correlation matrix (k, k), as in :class:`CorrelationMatrix`."""
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    rest = np.setdiff1d(np.arange(len(values)), known)
    if len(known) > 2:
        from scipy.cluster.hierarchy import leaves_list, linkage

        distance = 1.0 - np.abs(np.nan_to_num(values[np.ix_(known, known)]))
        upper = distance[np.triu_indices(len(known), 1)]
        known = known[leaves_list(linkage(upper, "average", optimal_ordering=True))]
    return np.concatenate([known, rest]).astype(np.int64)
