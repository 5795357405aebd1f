"""From a property to colours: palettes, scales, ranges, categories, missing values. One rule for window and figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import Parameterised, param
from qmlstudio.resources_path import resources
from qmlstudio.session.columns import Columns

CATEGORY_COLORS = np.array(
    # Okabe & Ito's eight with a mid grey for black, which would vanish on dark backgrounds
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [213, 94, 0], [0, 114, 178], [204, 121, 167], [240, 228, 66]],
    dtype=np.uint8,
)
OTHER_COLOR = np.array([[150, 150, 150]], dtype=np.uint8)
PLAIN_COLOR = np.array([[45, 125, 190]], dtype=np.uint8)
PALETTES = ("viridis", "cividis", "batlow", "vik")


@cache
def palette(name: str) -> NDArray[np.uint8]:
    """(256, 3) colours of a palette; viridis and cividis from matplotlib, batlow and vik by Crameri (MIT)."""
    with np.load(resources() / "palettes.npz") as archive:
        colors: NDArray[np.uint8] = archive[name]
    colors.flags.writeable = False
    return colors


_PIECE = 1 << 16
_MOST = 4_000_000
"""Values up to which percentiles are exact."""


@dataclass(frozen=True, kw_only=True)
class Coloring(Parameterised):
    """How points are coloured."""

    name = "coloring"
    title = "Colour"

    color_by: str = param("", label="Colour by", help="A property; empty for one plain colour.", shown=False)
    palette: str = param("viridis", label="Palette", choices=PALETTES, help="vik is for signed values.")
    reverse: bool = param(False, label="Reverse")
    scale: str = param("linear", label="Scale", choices=("linear", "log", "symlog"))
    range_mode: str = param(
        "percentile",
        label="Range",
        choices=(("auto", "all values"), ("percentile", "2–98 %"), ("manual", "manual"), ("symmetric", "symmetric")),
    )
    low: float = param(0.0, label="From", help="Lower end of a manual range.")
    high: float = param(1.0, label="To", help="Upper end of a manual range.")
    hidden: str = param(
        "", label="Hidden categories", help="Switched off in the legend; separated by tabs.", shown=False
    )


@dataclass(frozen=True, eq=False)
class ColorScale:
    """A colouring resolved for a data set.

    Attributes
    ----------
    kind : "plain", "number" or "category"
    index : (n,) uint8
        Row of `lut` for each structure (meaningless where `missing`).
    lut : (k, 3) uint8
    missing : (n,) bool
        NaN or empty: drawn hollow.
    hidden : (n,) bool
        Of a category that was switched off.
    low, high : float
        Ends of the numeric range.
    scale : "linear", "log" or "symlog"
    label : str
        Name with unit.
    categories, counts : tuple
        In the order of `lut`.
    note : str
        What had to be done differently from what was asked (a log of negative values, say); empty otherwise.
    """

    kind: str
    index: NDArray[np.uint8]
    lut: NDArray[np.uint8]
    missing: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    low: float = 0.0
    high: float = 1.0
    scale: str = "linear"
    label: str = ""
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = field(default=())
    note: str = ""


def colorable(source: Dataset | Columns) -> list[str]:
    """Names of the columns by which structures can be coloured."""
    return list(source) if isinstance(source, Columns) else list(Columns(source).names(composition=False))


def color_scale(coloring: Coloring, source: Dataset | Columns) -> ColorScale:
    """Resolve a colouring; a column that there is not gives the plain colour and a note."""
    columns = source if isinstance(source, Columns) else Columns(source)
    n = len(columns.dataset)
    nothing = np.zeros(n, dtype=bool)
    p: Property | None = columns.get(coloring.color_by)
    if p is None:
        note = f"no property {coloring.color_by!r} in this data set" if coloring.color_by else ""
        return ColorScale("plain", np.zeros(n, np.uint8), PLAIN_COLOR, nothing, nothing, note=note)
    label = p.label(coloring.color_by)
    if p.is_text:
        return _categories(coloring, p.values, p.categories, label)
    values = p.values
    missing = ~np.isfinite(values)
    finite = values[~missing] if missing.any() else values
    low, high, scale, note = _range(coloring, finite)
    lut = palette(coloring.palette)
    if coloring.reverse:
        lut = lut[::-1]
    # piece by piece: what is made on the way stays in the processor's cache, and takes no memory for millions of rows
    index = np.empty(n, np.uint8)
    with np.errstate(invalid="ignore", divide="ignore"):
        for start in range(0, n, _PIECE):
            t = normalize(values[start : start + _PIECE], low, high, scale)
            index[start : start + _PIECE] = np.nan_to_num(t) * 255.0 + 0.5
    return ColorScale("number", index, lut, missing, nothing, low, high, scale, label, note=note)


def normalize(values: NDArray[np.float64], low: float, high: float, scale: str) -> NDArray[np.float64]:
    """Values on [0, 1] between `low` and `high`, clipped; symlog is linear within 1 % of the larger end."""
    if scale == "log":
        a, b, v = np.log10(low), np.log10(high), np.log10(np.maximum(values, np.finfo(float).tiny))
    elif scale == "symlog":
        linear = max(abs(low), abs(high), np.finfo(float).tiny) * 0.01
        a, b, v = (np.sign(x) * np.log1p(np.abs(x) / linear) for x in (np.float64(low), np.float64(high), values))
    else:
        a, b, v = np.float64(low), np.float64(high), values
    span = b - a
    result: NDArray[np.float64] = np.clip((v - a) / span, 0.0, 1.0) if span > 0 else np.full(len(values), 0.5)
    return result


def _range(coloring: Coloring, finite: NDArray[np.float64]) -> tuple[float, float, str, str]:
    scale, note = coloring.scale, ""
    if scale == "log" and (finite <= 0).any():
        scale, note = "symlog", "some values are not positive: shown on a symmetric logarithmic scale"
    if coloring.range_mode == "manual":
        low, high = sorted((coloring.low, coloring.high))
        if scale == "log" and low <= 0:
            scale, note = "symlog", "a logarithmic range must start above 0: shown on a symmetric logarithmic scale"
        return low, high, scale, note
    if not len(finite):
        return 0.0, 1.0, "linear", "all values are missing"
    if coloring.range_mode == "percentile":
        # of many millions the percentiles of some millions, evenly spread, are the same to any eye
        low, high = (float(x) for x in np.percentile(finite[:: 1 + len(finite) // _MOST], (2, 98)))
    else:
        low, high = float(finite.min()), float(finite.max())
    if coloring.range_mode == "symmetric" and scale != "log":
        high = max(abs(low), abs(high))
        low = -high
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return low, high, scale, note


def _categories(coloring: Coloring, values: NDArray[np.str_], categories: tuple[str, ...], label: str) -> ColorScale:
    shown = categories if len(categories) <= len(CATEGORY_COLORS) else categories[: len(CATEGORY_COLORS)]
    index = np.full(len(values), len(shown), dtype=np.uint8)
    for k, category in enumerate(shown):
        index[values == category] = k
    missing = values == ""
    lut = np.concatenate([CATEGORY_COLORS[: len(shown)], OTHER_COLOR])
    names = list(shown)
    counts = [int(np.count_nonzero((index == k) & ~missing)) for k in range(len(shown))]
    if len(categories) > len(shown):
        names.append(f"{len(categories) - len(shown)} others")
        counts.append(int(np.count_nonzero((index == len(shown)) & ~missing)))
    off = {name for name in coloring.hidden.split("\t") if name}
    hidden = np.isin(index, [k for k, name in enumerate(names) if name in off]) & ~missing
    return ColorScale(
        "category", index, lut, missing, hidden, label=label, categories=tuple(names), counts=tuple(counts)
    )
