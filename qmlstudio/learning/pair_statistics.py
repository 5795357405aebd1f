"""Two columns of numbers: straight lines through them and how closely they go together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.statistics import sorting_order
from qmlstudio.progress import SILENT, Progress

Floats = NDArray[np.float64]

PAIRS = 500_000
"""Pairs of points whose slopes give Theil and Sen's line; of more of them a sample is taken."""


@dataclass(frozen=True)
class Line:
    """y = slope · x + intercept, by least squares.

    Attributes
    ----------
    slope, slope_error, intercept, intercept_error : float
        With standard errors; NaN for fewer than three points.
    r2 : float
        Share of the variance of y that it explains; NaN when y is constant.
    mae, rmse : float
        Mean absolute and root-mean-square residual.
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    r2: float
    mae: float
    rmse: float


@dataclass(frozen=True)
class RobustLine:
    """The median of slopes (Theil 1950; Sen, J. Am. Stat. Assoc. 63 (1968) 1379) with the median intercept.

    Attributes
    ----------
    slope, intercept : float
    pairs : int
        How many pairs of points gave a slope.
    is_sampled : bool
        They are a random sample of all pairs.
    """

    slope: float
    intercept: float
    pairs: int
    is_sampled: bool


@dataclass(frozen=True)
class PairStatistics:
    """What is said of the rows where both columns are finite.

    Attributes
    ----------
    n : int
    line : Line or None
        None for fewer than two points, or when x is constant.
    robust : RobustLine or None
        None when it was not asked for, too.
    pearson, spearman, kendall : float
        r, ρ and τ-b; NaN when a column is constant.
    """

    n: int
    line: Line | None
    robust: RobustLine | None
    pearson: float
    spearman: float
    kendall: float


def pair_statistics(x: Floats, y: Floats, robust: bool = False, progress: Progress = SILENT) -> PairStatistics:
    """Lines and correlations of two columns (n,); rows that are not finite in both are left out.

    Theil and Sen's line is the median of all slopes for up to :data:`PAIRS` pairs of points, else of that many random
    ones. τ-b counts every pair, in O(n log n) (Knight, J. Am. Stat. Assoc. 61 (1966) 436).
    """
    progress(0.0, "correlating")
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    n = len(x)
    if n < 2:
        return PairStatistics(n, None, None, math.nan, math.nan, math.nan)
    line = least_squares(x, y)
    r = pearson(x, y)
    progress(0.15)
    sturdy = theil_sen(x, y, progress.part(0.15, 0.3)) if robust else None
    dense_x, mean_x = ranks(x, progress.part(0.3, 0.43))
    progress(0.45)
    dense_y, mean_y = ranks(y, progress.part(0.45, 0.58))
    progress(0.6)
    rho = pearson(mean_x, mean_y)
    tau = kendall(dense_x, dense_y, progress.part(0.65, 1.0))
    return PairStatistics(n, line, sturdy, r, rho, tau)


def least_squares(x: Floats, y: Floats) -> Line | None:
    """The line of least squares through finite points (n,); None when x does not vary."""
    n = len(x)
    if n < 2 or x.min() == x.max():
        return None
    dx, dy, mean_x, mean_y, size_x, size_y = _centred(x, y)
    sxx, sxy, syy = float(dx @ dx), float(dx @ dy), float(dy @ dy)
    if sxx == 0.0:
        return None
    slope = sxy / sxx
    residual = dy - slope * dx
    sse = float(residual @ residual)
    r2 = 1.0 - sse / syy if syy > 0 and y.min() < y.max() else math.nan
    error = at_zero = math.nan
    if n > 2:
        error = math.sqrt(sse / (n - 2) / sxx)
        at_zero = math.sqrt(sse / (n - 2) * (1 / n + mean_x**2 / sxx)) * size_y
    scale = size_y / size_x
    intercept = (mean_y - slope * mean_x) * size_y
    mae, rmse = float(np.abs(residual).mean()) * size_y, math.sqrt(sse / n) * size_y
    return Line(slope * scale, error * scale, intercept, at_zero, r2, mae, rmse)


def pearson(x: Floats, y: Floats) -> float:
    """Pearson's r of finite columns (n,); NaN when one is constant."""
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return math.nan
    dx, dy, *_ = _centred(x, y)
    norm = math.sqrt(float(dx @ dx)) * math.sqrt(float(dy @ dy))
    return min(max(float(dx @ dy) / norm, -1.0), 1.0) if norm > 0 else math.nan


def _centred(x: Floats, y: Floats) -> tuple[Floats, Floats, float, float, float, float]:
    """Deviations and means in shares of the largest magnitudes, and these: squares neither overflow nor vanish."""
    size_x, size_y = (float(max(abs(v.min()), abs(v.max()))) or 1.0 for v in (x, y))
    x, y = x / size_x, y / size_y
    mean_x, mean_y = float(x.mean()), float(y.mean())
    return x - mean_x, y - mean_y, mean_x, mean_y, size_x, size_y


def theil_sen(x: Floats, y: Floats, progress: Progress = SILENT) -> RobustLine | None:
    """The median slope of pairs of finite points (n,) that differ in x; None when none do."""
    n = len(x)
    possible = n * (n - 1) // 2
    if possible <= PAIRS:
        first, second = np.triu_indices(n, 1)
    else:
        rng = np.random.default_rng(0)
        first, second = rng.integers(0, n, PAIRS), rng.integers(0, n - 1, PAIRS)
        second += second >= first
    progress(0.4, "median of slopes")
    dx = x[second] - x[first]
    with np.errstate(all="ignore"):
        slopes = ((y[second] - y[first]) / dx)[dx != 0]
    slopes = slopes[np.isfinite(slopes)]
    if not len(slopes):
        return None
    slope = float(np.median(slopes))
    progress(0.8)
    return RobustLine(slope, float(np.median(y - slope * x)), len(slopes), possible > PAIRS)


def ranks(values: Floats, progress: Progress = SILENT) -> tuple[NDArray[np.int64], Floats]:
    """Ranks of finite values (n,): dense ones from 0, and from 1 with the mean of the ranks for equal values."""
    order = sorting_order(values, progress)
    kept = values[order]
    starts = np.ones(len(kept), dtype=bool)
    np.not_equal(kept[1:], kept[:-1], out=starts[1:])
    which = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    runs = np.diff(first, append=len(kept))
    dense, mean = np.empty(len(kept), np.int64), np.empty(len(kept))
    dense[order] = which
    mean[order] = (first + (runs + 1) / 2)[which]
    return dense, mean


def kendall(a: NDArray[np.int64], b: NDArray[np.int64], progress: Progress = SILENT) -> float:
    """Kendall's τ-b of two columns of dense ranks (n,); NaN when one is constant."""
    from qmlstudio.learning._rank_loops import merge_level

    n = len(a)
    if n < 2:
        return math.nan
    progress(0.0, "counting inversions")
    most = int(b.max()) + 1
    # both ranks in one number: equal a are in the order of b and thus not inverted
    joint = np.sort(a * most + b)
    pairs = n * (n - 1) // 2
    tied_a, tied_b = _tied(np.bincount(a)), _tied(np.bincount(b))
    ends = np.flatnonzero(np.append(joint[1:] != joint[:-1], True))
    tied_both = _tied(np.diff(ends, prepend=-1))
    progress(0.4)
    source = joint % most
    target = np.empty_like(source)
    inverted, width = 0, 1
    while width < n:
        inverted += int(merge_level(source, target, width))
        source, target = target, source
        width *= 2
        progress(0.4 + 0.6 * math.log(width) / max(math.log(n), 1.0))
    if pairs in (tied_a, tied_b):
        return math.nan
    return (pairs - tied_a - tied_b + tied_both - 2 * inverted) / math.sqrt(pairs - tied_a) / math.sqrt(pairs - tied_b)


def _tied(runs: NDArray[np.int64]) -> int:
    """Pairs within runs of equal values."""
    return int((runs * (runs - 1) // 2).sum())
