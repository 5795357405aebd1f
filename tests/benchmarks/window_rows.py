"""Rows of the window's table: percentiles, demand, and whether it is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

HEADINGS = ("what", "median", "p95", "p99", "max", "demand", "met", "note")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what : str
    median, p95, p99, worst : str
        With their units; empty where there were too few samples to tell.
    demand : str
        Empty where there is none.
    is_met : bool or None
        None without a demand, or when it could not be measured (`note` says why).
    note : str
    """

    what: str
    median: str = ""
    p95: str = ""
    p99: str = ""
    worst: str = ""
    demand: str = ""
    is_met: bool | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the way from one process to another."""
        return asdict(self)


def percentile(values: Sequence[float], which: float) -> float:
    """By linear interpolation; NaN for no values."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * which / 100.0
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def seconds(value: float) -> str:
    """ "312 ms", "1.24 s"."""
    if value != value:
        return ""
    if value < 0.01:
        return f"{value * 1e3:.1f} ms"
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.2f} s"


def durations(
    what: str, values: Sequence[float], limit: float | None = None, judge: float = 95.0, note: str = ""
) -> Row:
    """A row of durations in seconds, of which the percentile `judge` must not exceed `limit`."""
    if not values:
        return Row(what=what, demand="" if limit is None else f"≤ {seconds(limit)}", note=note or "no samples")
    judged = percentile(values, judge)
    return Row(
        what=what,
        median=seconds(percentile(values, 50)),
        p95=seconds(percentile(values, 95)) if len(values) >= 10 else "",
        p99=seconds(percentile(values, 99)) if len(values) >= 100 else "",
        worst=seconds(max(values)),
        demand="" if limit is None else f"≤ {seconds(limit)}",
        is_met=None if limit is None else judged <= limit,
        note=f"n = {len(values)}" + (f"; {note}" if note else ""),
    )


def rates(what: str, intervals: Sequence[float], least: float | None = None, note: str = "", unit: str = "fps") -> Row:
    """A row of how many times a second, from the seconds that each took; the median must reach `least`."""
    demand = "" if least is None else f"≥ {least:g} {unit}"
    if not intervals:
        return Row(what=what, demand=demand, note=note or "no samples")

    def rate(which: float) -> str:
        return f"{1 / percentile(intervals, which):.0f} {unit}"

    return Row(
        what=what,
        median=rate(50),
        p95=rate(95) if len(intervals) >= 10 else "",
        p99=rate(99) if len(intervals) >= 100 else "",
        worst=rate(100),
        demand=demand,
        is_met=None if least is None else 1 / percentile(intervals, 50) >= least,
        note=f"n = {len(intervals)}" + (f"; {note}" if note else ""),
    )


def stalls(what: str, found: dict[float, float], worst: float, note: str = "", demanded: bool = True) -> Row:
    """A row of the event loop's waits by percentile: p99 ≤ 30 ms, none above 200 ms."""
    return Row(
        what=what,
        median=seconds(found[50.0]),
        p95=seconds(found[95.0]),
        p99=seconds(found[99.0]),
        worst=seconds(worst),
        demand="p99 ≤ 30 ms, max ≤ 200 ms" if demanded else "",
        is_met=found[99.0] <= 0.03 and worst <= 0.2 if demanded and found[99.0] == found[99.0] else None,
        note=note,
    )


def cells(row: Row) -> tuple[str, ...]:
    """The row as texts, in the order of HEADINGS."""
    met = ("" if not row.demand else "not measured") if row.is_met is None else "met" if row.is_met else "MISSED"
    texts = (row.what, row.median, row.p95, row.p99, row.worst, row.demand, met, row.note)
    return (*(text or "–" for text in texts[:-1]), row.note)


def aligned(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADINGS))]
    texts = [
        "  ".join(c.rjust(w) if 1 <= k <= 4 else c.ljust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    return "\n".join(text.rstrip() for text in [texts[0], "  ".join("-" * w for w in widths), *texts[1:]])


def markdown(rows: Sequence[Row]) -> str:
    """The table for the documentation."""
    lines = [HEADINGS, ("---",) + ("---:",) * 4 + ("---",) * 3, *(cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines)
