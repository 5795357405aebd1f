"""One column of numbers: its order, what sums it up, its smooth density, and how a part of it differs from the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SLICE, _RUN = 100_000, 250_000
_GRID, _FINEST = 512, 16_384


@dataclass(frozen=True, eq=False)
class Ordered:
    """The finite values of a column in ascending order: from it follows what is said of any part of the column.

    Attributes
    ----------
    values : (m,) float64
        Ascending.
    rows : (m,) int32 or int64
        The row of each.
    ranks : (m,) float64
        From 1; equal values share the mean of their ranks.
    ends : (m,) bool
        The last of a run of equal values.
    ties : float
        Σ (t³ − t) over the runs of t equal values.
    missing, infinite : int
        Rows that are not among them.
    """

    values: Floats
    rows: NDArray[np.int64]
    ranks: Floats
    ends: Mask
    ties: float
    missing: int
    infinite: int

    def part(self, mask: Mask) -> Floats:
        """Ascending values of the rows in a mask (n,)."""
        result: Floats = self.values[mask[self.rows]]
        return result


@dataclass(frozen=True)
class Summary:
    """What sums up a set of numbers; NaN where there are too few.

    Attributes
    ----------
    n : int
    mean, sd : float
        With n − 1 in the denominator.
    low, lower, median, upper, high : float
        Least, quartiles, largest.
    """

    n: int
    mean: float
    sd: float
    low: float
    lower: float
    median: float
    upper: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A part of a column against the rest of it.

    Attributes
    ----------
    difference, error : float
        Of the means, and its standard error (Welch: the variances may differ).
    shift : float
        Of the medians.
    delta : float
        Cliff's δ: how much more often a value of the part is larger than one of the rest than it is smaller, −1 … 1.
    p_rank : float
        Two-sided Mann–Whitney test, normal approximation with the correction for ties.
    distance : float
        Kolmogorov–Smirnov: the largest difference of the cumulative shares, 0 … 1.
    p_distance : float
        Two-sided, asymptotic.
    """

    difference: float
    error: float
    shift: float
    delta: float
    p_rank: float
    distance: float
    p_distance: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A kernel density.

    Attributes
    ----------
    places : (g,) float64
        Equal steps.
    density : (g,) float64
        Its integral over all numbers is 1.
    bandwidth : float
        Standard deviation of the Gaussian, in the units of `places`.
    """

    places: Floats
    density: Floats
    bandwidth: float


def ordered(values: Floats, progress: Progress = SILENT) -> Ordered:
    """Sort a column (n,); NaN and infinite values are counted and left out."""
    progress(0.0, "sorting")
    finite = np.isfinite(values)
    missing = int(np.count_nonzero(np.isnan(values)))
    rows = np.flatnonzero(finite)
    if len(values) < 2**31:
        rows = rows.astype(np.int32)
    infinite = len(values) - len(rows) - missing
    kept = values[rows]
    progress(0.2)
    order = sorting_order(kept, progress.part(0.2, 0.7))
    kept, rows = kept[order], rows[order]
    ends = np.ones(len(kept), dtype=bool)
    np.not_equal(kept[1:], kept[:-1], out=ends[:-1])
    last = np.flatnonzero(ends)
    runs = np.diff(last, prepend=-1)
    progress(0.9)
    ranks = np.repeat(last + 1 - (runs - 1) / 2, runs)
    t = runs.astype(np.float64)
    return Ordered(kept, rows, ranks, ends, float((t * (t * t - 1)).sum()), missing, infinite)


def sorting_order(values: Floats, progress: Progress = SILENT) -> NDArray[np.intp]:
    """Indices that sort finite values (n,); equal ones come in any order.

    Runs are sorted one by one, then merged by NumPy's stable sort, which finds them: each step can be cancelled, and
    for millions it takes half as long as sorting them all at once.
    """
    runs = []
    for start in range(0, len(values), _RUN):
        progress(0.8 * start / len(values))
        runs.append(np.argsort(values[start : start + _RUN]) + start)
    if not runs:
        return np.zeros(0, np.intp)
    indices = np.concatenate(runs)
    progress(0.8)
    return indices[np.argsort(values[indices], kind="stable")] if len(runs) > 1 else indices


def summary(values: Floats) -> Summary:
    """Sum up ascending finite values (m,)."""
    n = len(values)
    if n == 0:
        return Summary(0, *(math.nan,) * 7)
    # shares of the largest, since a sum of large numbers may be beyond the largest
    size = max(abs(float(values[0])), abs(float(values[-1]))) or 1.0
    shares = values / size
    mean = float(shares.mean())
    low, high = float(values[0]), float(values[-1])
    sd = math.nan
    if n > 1:
        # equal values differ from their rounded mean, not from each other
        sd = 0.0 if low == high else math.sqrt(float(((shares - mean) ** 2).sum()) / (n - 1)) * size
    mean = min(max(mean * size, low), high)
    return Summary(n, mean, sd, low, quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75), high)


def quantile(values: Floats, share: float) -> float:
    """Quantile of ascending values with linear interpolation; NaN without any."""
    if not len(values):
        return math.nan
    place = share * (len(values) - 1)
    k = int(place)
    t = place - k
    after = float(values[min(k + 1, len(values) - 1)])
    return float(values[k]) * (1 - t) + after * t if t else float(values[k])


def compare(column: Ordered, mask: Mask) -> Comparison | None:
    """The rows in a mask (n,) against all others; None when one of the two has no finite value.

    References
    ----------
    Mann & Whitney, Ann. Math. Stat. 18 (1947) 50; Cliff, Psychol. Bull. 114 (1993) 494; Smirnov, Ann. Math. Stat. 19
    (1948) 279.
    """
    inside = mask[column.rows]
    m = len(inside)
    n1 = int(np.count_nonzero(inside))
    n2 = m - n1
    if n1 == 0 or n2 == 0:
        return None
    a, b = summary(column.values[inside]), summary(column.values[~inside])
    u = float(column.ranks[inside].sum()) - n1 * (n1 + 1) / 2
    variance = n1 * n2 / 12 * ((m + 1) - column.ties / (m * (m - 1)))
    # all values equal: nothing can be told apart
    z = max(abs(u - n1 * n2 / 2) - 0.5, 0.0) / math.sqrt(variance) if variance > 1e-9 * n1 * n2 else 0.0
    below = np.cumsum(inside)
    gap = np.abs(below / n1 - (np.arange(1, m + 1) - below) / n2)
    distance = float(gap[column.ends].max())
    error = math.nan
    if n1 > 1 and n2 > 1:
        error = math.hypot(a.sd / math.sqrt(n1), b.sd / math.sqrt(n2))
    return Comparison(
        a.mean - b.mean,
        error,
        a.median - b.median,
        2 * u / (n1 * n2) - 1,
        math.erfc(z / math.sqrt(2)),
        distance,
        _kolmogorov(math.sqrt(n1 / m * n2) * distance),
    )


def _kolmogorov(x: float) -> float:
    """Share of the Kolmogorov distribution above x."""
    from scipy.special import kolmogorov

    return float(kolmogorov(x))


def bin_number(values: Floats, most: int, log: bool = False, count: int | None = None) -> int:
    """How many bins ascending values want (Freedman & Diaconis 1981): each 2 IQR n^(−1/3) wide, at most `most`.

    On a logarithmic axis those above 0 count, by their logarithms. Where half of all values are equal, √n.

    Parameters
    ----------
    values : (m,) float64
    most : int
    log : bool
    count : int, optional
        n, when the values are a sample.
    """
    if log:
        values = values[np.searchsorted(values, 0.0, "right") :]
    n = len(values)
    if n < 2 or values[0] == values[-1]:
        return 1
    marks = [float(values[0]), quantile(values, 0.25), quantile(values, 0.75), float(values[-1])]
    size = max(abs(v) for v in marks)
    low, lower, upper, high = (math.log(v) if log else v / size for v in marks)
    n = n if count is None else count
    width = 2 * (upper - lower) * n ** (-1 / 3)
    wanted = (high - low) / width if width > (high - low) * 1e-9 else math.sqrt(n)
    return int(min(max(math.ceil(wanted), 1), most))


def density(
    values: Floats,
    low: float,
    high: float,
    log: bool = False,
    bandwidth: float | None = None,
    progress: Progress = SILENT,
) -> Curve | None:
    """Gaussian kernel density of ascending values, on a grid from `low` to `high`.

    The values are spread on the grid by linear binning and convolved by FFT (Silverman, Appl. Stat. 31 (1982) 93; Wand,
    J. Comput. Graph. Stat. 3 (1994) 433): what that costs does not hang on their number.

    Parameters
    ----------
    values : (m,) float64
        Ascending.
    low, high : float
        Ends of the grid, in the units of the values; values beyond them count, too.
    log : bool
        Density of the decadic logarithm, over it; values ≤ 0 are left out.
    bandwidth : float, optional
        In the units of the grid; None: Silverman's 0.9 min(sd, IQR/1.34) m^(−1/5).

    Returns
    -------
    Curve or None
        None for fewer than two different values.
    """
    if log:
        values = np.log10(values[np.searchsorted(values, 0.0, "right") :])
        low, high = math.log10(low), math.log10(high)
    if len(values) < 2 or values[0] == values[-1]:
        return None
    chosen = silverman(values) if bandwidth is None else bandwidth
    # margins, so that nothing comes round from the other end, and a step well below the bandwidth
    first, last = min(low, float(values[0])) - 4 * chosen, max(high, float(values[-1])) + 4 * chosen
    if not (chosen > 0 and math.isfinite(last - first)):
        return None
    count = _GRID
    while (last - first) / count > chosen / 3 and count < _FINEST:
        count *= 2
    step = (last - first) / (count - 1)
    heights = np.zeros(count + 1)
    for start, stop in slices(len(values), progress, "density", first=_SLICE):
        at = (values[start:stop] - first) / step
        k = at.astype(np.int64)
        share = at - k
        heights += np.bincount(k, weights=1.0 - share, minlength=count + 1)
        heights += np.bincount(k + 1, weights=share, minlength=count + 1)
    spectrum = np.fft.rfft(heights[:count])
    frequency = 2 * math.pi * np.fft.rfftfreq(count, step)
    smooth = np.fft.irfft(spectrum * np.exp(-0.5 * (frequency * chosen) ** 2), count) / (len(values) * step)
    places = np.asarray(first + step * np.arange(count), dtype=np.float64)
    shown = (places >= low - step) & (places <= high + step)
    heights = np.maximum(smooth[shown], 0.0).astype(np.float64)
    return Curve(places[shown], heights, chosen)


def silverman(values: Floats) -> float:
    """Rule-of-thumb bandwidth for ascending values (Silverman 1986, eq. 3.31); 0 for equal ones."""
    told = summary(values)
    spread = (told.upper - told.lower) / 1.34
    scale = min(told.sd, spread) if spread > 0 else told.sd
    return float(0.9 * scale * told.n ** (-0.2)) if told.n > 1 else 0.0
