"""Histograms that follow a selection at once: every value's bin is found once, then counted again for each mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

MOST_BINS = 120
"""With one more code for what has no bin, codes fit seven bits and leave the eighth to a mask."""
BINS = 64
NO_BIN = 127
_SLICE = 100_000


@dataclass(frozen=True, eq=False)
class Binning:
    """A column's histogram.

    Attributes
    ----------
    edges : (k + 1,) float64
        Ascending. Equal steps, or equal ratios on a logarithmic axis.
    counts : (k,) int64
        Of all structures.
    codes : (n,) uint8
        Each structure's bin; :data:`NO_BIN` for missing and infinite values, and on a logarithmic axis for those ≤ 0.
    log : bool
    missing : int
        NaN.
    beyond : int
        Infinite, or ≤ 0 on a logarithmic axis: numbers without a bin.
    discrete : bool
        Bins are centred on whole numbers.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    codes: NDArray[np.uint8]
    log: bool = False
    missing: int = 0
    beyond: int = 0
    discrete: bool = False

    def counted(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(k,) counts of the structures in a mask (n,)."""
        # the mask is the eighth bit: one pass, no copy of the chosen codes
        both = np.bincount(self.codes | (np.ascontiguousarray(mask).view(np.uint8) << np.uint8(7)), minlength=256)
        result: NDArray[np.int64] = both[128 : 128 + len(self.counts)]
        return result

    def note(self, log: bool = False) -> str:
        """What has no bin, and whether a logarithmic axis was asked for in vain."""
        beyond = f"{self.beyond:,} not above 0 or infinite" if self.log else f"{self.beyond:,} infinite"
        parts = [f"{self.missing:,} missing"] if self.missing else []
        parts += [beyond] if self.beyond else []
        parts += ["no value above 0: linear axis"] if log and not self.log else []
        return " · ".join(parts)

    @property
    def low(self) -> float:
        """Lower end."""
        return float(self.edges[0])

    @property
    def high(self) -> float:
        """Upper end."""
        return float(self.edges[-1])


def bin_values(
    values: NDArray[np.float64], log: bool = False, bins: int = BINS, progress: Progress = SILENT
) -> Binning:
    """The histogram of a column of numbers.

    A column of few different whole numbers gets a bin for each of them. Without any number that has a place, or with
    one value only, there is a single bin about it.

    Parameters
    ----------
    values : (n,) float64
    log : bool
        Equal ratios; if nothing is above 0 the axis is linear after all (see :attr:`Binning.log`).
    bins : int
        At most :data:`MOST_BINS`.
    """
    n, bins = len(values), max(1, min(bins, MOST_BINS))
    low, high, tiny, missing, whole = np.inf, -np.inf, np.inf, 0, True
    for start, stop in slices(n, progress.part(0.0, 0.4), "histogram", first=_SLICE):
        part = values[start:stop]
        missing += int(np.count_nonzero(np.isnan(part)))
        finite = part[np.isfinite(part)]
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            tiny = min(tiny, float(finite[finite > 0].min(initial=np.inf)))
            whole = whole and bool((finite == np.rint(finite)).all())
    log = bool(log and np.isfinite(tiny))
    edges, discrete = _edges(tiny if log else low, high, log, bins, whole)
    codes = np.full(n, NO_BIN, np.uint8)
    k = len(edges) - 1
    first, last = (np.log(edges[0]), np.log(edges[-1])) if log else (edges[0], edges[-1])
    # a division of tiny numbers may be beyond the largest: then all are in the first bin
    with np.errstate(all="ignore"):
        scale = np.float64(k) / (last - first)
        for start, stop in slices(n, progress.part(0.4, 1.0), first=_SLICE):
            part = values[start:stop]
            placed = np.isfinite(part) & (part > 0) if log else np.isfinite(part)
            t = ((np.log(part) if log else part) - first) * scale
            t = np.clip(np.nan_to_num(t, nan=0.0), 0, k - 1).astype(np.uint8)
            codes[start:stop] = np.where(placed, t, NO_BIN)
    counts = np.bincount(codes, minlength=NO_BIN + 1)
    beyond = int(counts[NO_BIN]) - missing
    return Binning(edges, counts[:k].astype(np.int64), codes, log, missing, beyond, discrete)


def _edges(low: float, high: float, log: bool, bins: int, whole: bool) -> tuple[NDArray[np.float64], bool]:
    if low > high:
        return np.array([0.0, 1.0]), False
    largest, smallest = float(np.finfo(np.float64).max), 5e-324
    # beyond 2^52 whole numbers have no halves between them
    if whole and not log and high - low < bins and max(abs(low), abs(high)) < 2.0**52:
        return np.arange(low - 0.5, high + 1.0), True
    if low == high:
        if log:
            return np.array([max(low / 2, smallest), min(low, largest / 2) * 2]), False
        half = abs(low) / 2 or 0.5
        return np.array([max(low - half, -largest), min(low + half, largest)]), False
    edges = np.geomspace(low, high, bins + 1) if log else np.linspace(low / 2, high / 2, bins + 1) * 2
    return edges, False
