"""What tables need to know of columns of any length: order, statistics, text. Pure functions over arrays, no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.texts import coded, lazy, text_hashes
from qmlstudio.progress import SILENT, Progress, slices

Order = NDArray[np.int64]

SMALL: Final = 50_000
"""Rows up to which everything here takes some milliseconds, and needs no job."""
MOST_COPIED: Final = 100_000
"""Rows that are copied at most: larger tables are written to files."""


def format_number(value: float) -> str:
    """Six significant digits at most where they tell something; an en dash for a missing value."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.6g}"


def sort_order(values: NDArray[Any], descending: bool = False, progress: Progress = SILENT) -> Order:
    """Rows in the order of their values; equal ones as in the file, missing ones last either way.

    Parameters
    ----------
    values : (n,) float64 or str
    descending : bool

    Returns
    -------
    (n,) int64
    """
    progress.check()
    if values.dtype.kind == "f":  # NaN sorts last
        return np.argsort(-values if descending else values, kind="stable").astype(np.int64, copy=False)
    texts = lazy(values)
    order = np.argsort(values if texts is None else texts.sort_keys(), kind="stable").astype(np.int64, copy=False)
    progress.check()
    missing = int((values == "").sum())  # the empty text sorts first
    present = order[missing:]
    if descending:
        present = _reversed_runs(present, values, progress)
    return np.concatenate([present, order[:missing]])


def _reversed_runs(order: Order, values: NDArray[Any], progress: Progress) -> Order:
    """A stable ascending order turned round, equal values as they were."""
    first = np.flatnonzero(_run_starts(order, values, progress))
    lengths = np.diff(np.append(first, len(order)))[::-1]
    first = first[::-1]
    # run after run from the last, each from its first row on
    ends = np.cumsum(lengths)
    result: Order = order[np.repeat(first - (ends - lengths), lengths) + np.arange(len(order))]
    return result


def _run_starts(order: Order, values: NDArray[Any], progress: Progress) -> NDArray[np.bool_]:
    """Where in an order another value begins than the one before; in slices, since texts are copied under a lock."""
    starts = np.zeros(len(order), bool)
    starts[:1] = True
    for start, stop in slices(len(order), progress, first=10_000):
        part = values[order[max(start - 1, 0) : stop]]
        starts[max(start, 1) : stop] = part[1:] != part[:-1]
    return starts


@dataclass(frozen=True)
class Statistics:
    """A column in a few numbers.

    Attributes
    ----------
    count, missing, infinite : int
        Rows, and how many of them have no value or an infinite one.
    low, median, high : float
        Of the finite values; NaN when there are none. Texts have none.
    bar_low, bar_high : float
        Between which 96 % of the finite values lie: ends of the bars behind the numbers. NaN when all are equal.
    distinct : int
        Of texts: how many different ones.
    common : str
        Of texts: the most frequent.
    """

    count: int
    missing: int
    infinite: int = 0
    low: float = np.nan
    median: float = np.nan
    high: float = np.nan
    bar_low: float = np.nan
    bar_high: float = np.nan
    distinct: int = 0
    common: str = ""

    @property
    def has_bars(self) -> bool:
        """Whether the values differ at all."""
        return bool(self.bar_high > self.bar_low)


def statistics(values: NDArray[Any], progress: Progress = SILENT) -> Statistics:
    """The :class:`Statistics` of a column (n,), numbers or texts."""
    n = len(values)
    progress.check()
    if values.dtype.kind != "f":
        return _of_texts(values, progress)
    good = np.isfinite(values)
    missing = int(np.isnan(values).sum())
    finite = values if good.all() else values[good]
    if not len(finite):
        return Statistics(n, missing, n - missing)
    progress.check()
    last = len(finite) - 1
    places = sorted({0, last, last // 2, (last + 1) // 2, round(0.02 * last), round(0.98 * last)})
    parted = np.partition(finite, places)
    low, high = float(parted[round(0.02 * last)]), float(parted[round(0.98 * last)])
    if not high > low:  # nearly all equal: then the whole range
        low, high = float(parted[0]), float(parted[last])
    differ = high > low
    return Statistics(
        n,
        missing,
        n - missing - len(finite),
        float(parted[0]),
        float((parted[last // 2] + parted[(last + 1) // 2]) / 2),
        float(parted[last]),
        low if differ else np.nan,
        high if differ else np.nan,
    )


def _of_texts(values: NDArray[Any], progress: Progress) -> Statistics:
    """By sorting and counting runs, in slices: numpy's own count of texts lets no other thread run meanwhile."""
    n = len(values)
    if (texts := coded(values)) is not None:
        missing = int(texts.counts[texts.names == ""].sum())
        present = np.flatnonzero((texts.names != "") & (texts.counts > 0))
        if not len(present):
            return Statistics(n, missing)
        # the first in the alphabet of those that are equally frequent
        present = present[np.argsort(texts.names[present], kind="stable")]
        common = str(texts.names[present[texts.counts[present].argmax()]])
        return Statistics(n, missing, distinct=len(present), common=common)
    if lazy(values) is not None:
        return _of_lazy(values, progress)
    order = np.argsort(values, kind="stable")
    first = np.flatnonzero(_run_starts(order, values, progress))
    lengths = np.diff(np.append(first, n))
    missing = int(lengths[0]) if n and values[order[0]] == "" else 0  # the empty text sorts first
    if missing:
        first, lengths = first[1:], lengths[1:]
    if not len(first):
        return Statistics(n, missing)
    common = str(values[order[first[lengths.argmax()]]])
    return Statistics(n, missing, distinct=len(first), common=common)


def _of_lazy(values: NDArray[Any], progress: Progress) -> Statistics:
    """Of millions of texts that are not spelled out: by their hashes."""
    n = len(values)
    hashes = np.empty(n, np.uint64)
    present = np.empty(n, bool)
    for start, stop in slices(n, progress, first=10_000):
        part = values[start:stop]
        hashes[start:stop] = text_hashes(part)
        present[start:stop] = part != ""
    missing = n - int(present.sum())
    kept = np.sort(hashes[present])
    progress.check()
    if not len(kept):
        return Statistics(n, missing)
    starts = np.flatnonzero(np.concatenate([[True], kept[1:] != kept[:-1]]))
    lengths = np.diff(np.append(starts, len(kept)))
    most = kept[starts[lengths == lengths.max()]]
    # of those that are equally frequent the one that comes first
    row = int(np.argmax(np.isin(hashes, most[:1000]) & present))
    return Statistics(n, missing, distinct=len(starts), common=str(values[row]))


def table_text(
    columns: Sequence[tuple[str, NDArray[Any]]], rows: Order, header: bool = True, progress: Progress = SILENT
) -> str:
    """Rows of a table as text: tabs between columns, a line for each row, full precision, nothing where one is missing.

    Parameters
    ----------
    columns : sequence of (title, (n,) values)
    rows : (k,) int64
    """
    lines = ["\t".join(title for title, _ in columns)] if header else []
    for start, stop in slices(len(rows), progress, first=200):
        chosen = rows[start:stop]
        texts = []
        for _, values in columns:
            part = values[chosen].tolist()
            if values.dtype.kind == "f":
                texts.append(
                    ["" if v != v else (f"{int(v)}" if v.is_integer() and abs(v) < 1e15 else repr(v)) for v in part]
                )
            else:
                texts.append([v.replace("\t", " ").replace("\n", " ") for v in part])
        lines.extend("\t".join(cells) for cells in zip(*texts, strict=True))
    return "\n".join(lines)


def _exact(value: float) -> str:
    if value != value:
        return ""
    return f"{int(value)}" if value.is_integer() and abs(value) < 1e15 else repr(value)
