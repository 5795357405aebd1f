"""What the colours beside a map say: a bar for numbers and statistics, a legend for categories."""

from __future__ import annotations

from qmlstudio.session.coloring import ColorScale
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.color_bar import ColorBar
from qmlstudio.widgets.legend import Category, Legend
from qmlstudio.widgets.map_picture import STATISTICS
from qmlstudio.widgets.raster import SHAPES
from qmlstudio.widgets.scatter import ScatterMap


def fill_bar(bar: ColorBar, scatter: ScatterMap, scale: ColorScale, columns: Columns, name: str) -> None:
    """The values of the column `name`, or a statistic of the points in each bin, if that is what is drawn."""
    statistic = scatter.statistic
    if statistic is not None:
        of = name if statistic.kind in STATISTICS else ""
        unit = columns[name].unit if of in columns else ""
        bar.set_colors(scatter.statistic_colors, statistic.low, statistic.high, statistic.scale, (False, False))
        bar.set_label(f"{scatter.statistic_label} {of}".strip(), unit)
        bar.set_missing(0)
    elif scale.kind == "number":
        p = columns[name]
        values = p.values[~scale.missing]
        clipped = (bool((values < scale.low).any()), bool((values > scale.high).any()))
        bar.set_colors(scale.lut, scale.low, scale.high, scale.scale, clipped)  # type: ignore[arg-type]
        bar.set_label(name, p.unit)
        bar.set_missing(int(scale.missing.sum()))


def fill_legend(legend: Legend, scale: ColorScale, hidden: str) -> None:
    """The categories, those in `hidden` (separated by tabs) switched off; few ones with their symbols."""
    off = {c for c in hidden.split("\t") if c}
    few = len(scale.categories) <= len(SHAPES)
    entries = zip(scale.categories, scale.lut.tolist(), scale.counts, strict=False)
    legend.set_categories([Category(name, tuple(rgb), n, k if few else 0) for k, (name, rgb, n) in enumerate(entries)])
    legend.set_shown(frozenset(k for k, name in enumerate(scale.categories) if name not in off))
