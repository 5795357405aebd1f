"""What is drawn and said of one column: bins, order, groups, densities; and of the part of it that is selected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.statistics import (
    Comparison,
    Curve,
    Ordered,
    Summary,
    bin_number,
    compare,
    density,
    ordered,
    summary,
)
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.coloring import CATEGORY_COLORS, OTHER_COLOR
from qmlstudio.session.columns import Columns
from qmlstudio.session.filter_lookups import lookups_of
from qmlstudio.session.histogram import MOST_BINS, NO_BIN, Binning, bin_values

MOST_BARS = 30
"""Texts that have a bar of their own; the rarer ones share another."""
MOST_GROUPS = 7
MOST_NUMBERS = 40
"""Different numbers up to which they count as categories."""
_NO_GROUP = 255
_PROBE = 2_000
_SLICE = 200_000
_SAMPLE = 100_000


@dataclass(frozen=True)
class DistributionSpec:
    """What is asked for.

    Attributes
    ----------
    column : str
    log : bool
        Logarithmic axis.
    bins : int
        0: by Freedman and Diaconis.
    by : str
        Column that splits the structures into groups; empty: none.
    curves : bool
        Densities, too, unless the bins are whole numbers.
    """

    column: str
    log: bool = False
    bins: int = 0
    by: str = ""
    curves: bool = True


@dataclass(frozen=True, eq=False)
class Group:
    """Structures of one category: how many are in each bin, and their density."""

    name: str
    color: tuple[int, int, int]
    counts: NDArray[np.int64]
    total: int
    curve: Curve | None


@dataclass(frozen=True, eq=False)
class Distribution:
    """A column, ready to be drawn.

    Attributes
    ----------
    spec : DistributionSpec
    binning : Binning
        For texts the bins are the bars, around whole numbers from 0.
    names : tuple of str
        Of the bars; empty for numbers.
    ordered : Ordered or None
        None for texts.
    summary : Summary or None
    curve : Curve or None
    groups : tuple of Group
    note : str
        What has no bin, or why there are no groups.
    """

    spec: DistributionSpec
    binning: Binning
    names: tuple[str, ...] = ()
    ordered: Ordered | None = None
    summary: Summary | None = None
    curve: Curve | None = None
    groups: tuple[Group, ...] = ()
    note: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """The selected rows of a column of numbers, and how they differ from the others."""

    summary: Summary
    comparison: Comparison | None
    curve: Curve | None


def distribution(columns: Columns, spec: DistributionSpec, progress: Progress = SILENT) -> Distribution:
    """Everything about a column.

    Raises
    ------
    KeyError
        There is no such column.
    """
    column, lookups = columns[spec.column], lookups_of(columns.dataset)
    lookups.made.add(spec.column)
    if column.is_text:
        found = lookups.categories(spec.column, column, progress.part(0.0, 0.5))
        # the missing ("") are last
        has_missing = bool(len(found.names)) and found.names[-1] == ""
        known = len(found.names) - has_missing
        shown = known if known <= MOST_BARS + 1 else MOST_BARS
        names = [str(name) for name in found.names[:shown]]
        if shown < known:
            names.append(f"{known - shown:,} others")
        codes = np.minimum(found.codes, len(names) - (shown < known)).astype(np.uint8)
        missing = int(found.counts[-1]) if has_missing else 0
        if has_missing:
            codes[found.codes == known] = NO_BIN
        counts = np.bincount(codes, minlength=NO_BIN + 1)[: max(len(names), 1)].astype(np.int64)
        edges = np.arange(max(len(names), 1) + 1, dtype=np.float64) - 0.5
        bars = Binning(edges, counts, codes, missing=missing, discrete=True)
        groups, note = _groups(columns, spec, bars, None, progress.part(0.5, 1.0))
        notes = " · ".join(filter(None, (bars.note(), note)))
        return Distribution(spec, bars, tuple(names), groups=groups, note=notes)
    values = column.values
    binning = bin_values(values, spec.log, spec.bins or _bins(values, spec.log), progress.part(0.0, 0.3))
    # the bars are there at once; what needs an order comes later
    progress.partial(Distribution(spec, binning, note=binning.note(spec.log)))
    order = ordered(values, progress.part(0.3, 0.6))
    curve = None
    # a column of few whole numbers has a bar for each: a density between them would mean nothing
    if spec.curves and not binning.discrete:
        curve = density(order.values, binning.low, binning.high, binning.log, progress=progress.part(0.6, 0.7))
    groups, note = _groups(columns, spec, binning, order, progress.part(0.7, 1.0))
    notes = " · ".join(filter(None, (binning.note(spec.log), note)))
    return Distribution(spec, binning, (), order, summary(order.values), curve, groups, notes)


def _bins(values: NDArray[np.float64], log: bool) -> int:
    """Number of bins; the quartiles, on which it hangs, are those of every so manieth value."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 1
    sample = np.sort(finite[:: -(-len(finite) // _SAMPLE)])
    # the ends are those of all, and so is the number
    sample[0], sample[-1] = finite.min(), finite.max()
    if log and sample[0] <= 0 < sample[-1]:
        k = int(np.searchsorted(sample, 0.0, "right"))
        sample[k] = finite[finite > 0].min()
    return bin_number(sample, MOST_BINS, log, len(finite))


def _groups(
    columns: Columns, spec: DistributionSpec, binning: Binning, order: Ordered | None, progress: Progress
) -> tuple[tuple[Group, ...], str]:
    if not spec.by or spec.by not in columns:
        return (), ""
    lookups, by = lookups_of(columns.dataset), columns[spec.by]
    too_many = f"{spec.by} has too many different numbers for groups"
    # millions of measured values need not be sorted to be told from categories
    if not by.is_text and len(np.unique(by.values[:_PROBE])) > MOST_NUMBERS:
        return (), too_many
    try:
        found = lookups.categories(spec.by, by, progress.part(0.0, 0.4))
    except ValueError:
        return (), too_many
    known = len(found.names) - (bool(len(found.names)) and found.names[-1] == "")
    if not by.is_text and known > MOST_NUMBERS:
        return (), too_many
    shown = min(known, MOST_GROUPS)
    names = [str(name) if by.is_text else f"{spec.by} {name}" for name in found.names[:shown]]
    colors = [tuple(int(c) for c in CATEGORY_COLORS[k]) for k in range(shown)]
    if known > shown:
        names.append(f"{known - shown:,} others")
        colors.append(tuple(int(c) for c in OTHER_COLOR[0]))
    which = np.minimum(found.codes, len(names) - 1 if known > shown else len(names)).astype(np.uint8)
    which[found.codes >= known] = _NO_GROUP
    table = np.zeros(256 * 128, np.int64)
    for start, stop in slices(len(which), progress.part(0.4, 0.6), "counting groups", first=_SLICE):
        both = which[start:stop].astype(np.int32) * 128 + binning.codes[start:stop]
        table += np.bincount(both, minlength=len(table))
    counts = table.reshape(256, 128)[:, : len(binning.counts)]
    sorted_which = which[order.rows] if order is not None else None
    groups = []
    for k, name in enumerate(names):
        progress(0.6 + 0.4 * k / len(names))
        curve = None
        if spec.curves and not binning.discrete and order is not None and sorted_which is not None:
            curve = density(order.values[sorted_which == k], binning.low, binning.high, binning.log)
        color = colors[k]
        groups.append(Group(name, (color[0], color[1], color[2]), counts[k], int(counts[k].sum()), curve))
    if not by.is_text:
        # numbers stand in their order, what is left over last
        numbers = [float(name) for name in found.names[:shown]]
        order_of = sorted(range(shown), key=numbers.__getitem__)
        groups = [*(groups[k] for k in order_of), *groups[shown:]]
    return tuple(groups), ""


def part(of: Distribution, mask: NDArray[np.bool_], progress: Progress = SILENT) -> Part | None:
    """What is said of the rows in a mask (n,); None for a column of texts."""
    if of.ordered is None:
        return None
    progress(0.0, "comparing")
    values = of.ordered.part(mask)
    told = summary(values)
    progress(0.3)
    found = compare(of.ordered, mask)
    binning = of.binning
    curve = None
    if of.spec.curves and not binning.discrete:
        curve = density(values, binning.low, binning.high, binning.log, progress=progress.part(0.7, 1.0))
    return Part(told, found, curve)
