"""Learning: curves of a bench, predicted against true values, the heat map of a search, for print."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmlstudio import __version__
from qmlstudio.chem.dataset import Dataset
from qmlstudio.figures.learning_curves import learning_curves_figure
from qmlstudio.figures.presets import VECTOR_LIMIT, FigureSpec
from qmlstudio.figures.style import INK, freeze, new_figure, styled, text_on
from qmlstudio.learning.evaluation.grid import SearchResult
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench_errors import TestErrors
from qmlstudio.session.coloring import palette
from qmlstudio.session.comparison.sets import COLORS

PAGES = ("curves", "parity", "search")
_MOST_NUMBERS = 120
"""Cells of a heat map up to which each bears its number."""


def learning_figure(
    page: str,
    spec: FigureSpec,
    *,
    result: BenchResult | None = None,
    errors: TestErrors | None = None,
    search: SearchResult | None = None,
    variant: int = 0,
    goal: float | None = None,
) -> Any:
    """Draw a page of the learning panel.

    Parameters
    ----------
    page : "curves", "parity" or "search"
        Which needs `result`, `errors` or `search`.
    variant : int
        Which of a search's settings beside σ and λ.
    goal : float, optional
        The accuracy people aim at, in the curves' unit.

    Raises
    ------
    ValueError
        What the page needs is not there.
    """
    if page == "curves":
        if result is None or not result.points:
            raise ValueError("there are no learning curves yet: run a bench first")
        return learning_curves_figure(result, spec, goal=goal)
    if page == "parity":
        if errors is None:
            raise ValueError("no point of a learning curve is chosen: click one first")
        return parity_figure(errors, spec)
    if page == "search":
        if search is None:
            raise ValueError("there is no search to draw: run a bench first")
        return search_figure(search, spec, variant)
    raise ValueError(f"there is no page {page!r}: one of {', '.join(PAGES)}")


def learning_caption(
    page: str,
    dataset: Dataset,
    *,
    result: BenchResult | None = None,
    errors: TestErrors | None = None,
    search: SearchResult | None = None,
    **_others: Any,
) -> str:
    """Data set, series with their hyper-parameters' choice, split, repeats, versions: for the text below the figure."""
    parts = [f"{dataset.name}, {len(dataset):,} structures."]
    if result is not None and page != "search":
        spec = result.spec
        if page == "curves":
            parts.append("Series: " + "; ".join(f"{s.label} ({s.task.label})" for s in spec.series) + ".")
            parts.append(f"Mean absolute errors of {spec.repeats} repeats with 95 % bands.")
        chosen = f"{spec.folds.title.lower()} on training structures alone"
        parts.append(f"Split: {spec.split.title.lower()}; σ and λ by {chosen}; seeds from {spec.seed}.")
    if page == "parity" and errors is not None:
        parts.append(f"{errors.name}, repeat {errors.repeat + 1}: {len(errors.test):,} test structures.")
    if page == "search" and search is not None:
        parts.append(f"{search.n_fit:,} training structures fitted, {search.n_validate:,} judge.")
    if dataset.source.reference:
        parts.append(f"Data: {dataset.source.reference}.")
    parts.append(f"QML Studio {__version__}.")
    return " ".join(parts)


def parity_figure(errors: TestErrors, spec: FigureSpec) -> Any:
    """Predicted against true values of one fit's test structures, with their mean absolute error."""
    with styled(spec):
        figure = new_figure(spec)
        axes = figure.add_subplot()
        x, y = errors.truth, errors.predicted
        good = np.isfinite(x) & np.isfinite(y)
        x, y = x[good], y[good]
        unit = f" / {errors.unit}" if errors.unit else ""
        axes.set_xlabel(f"true {errors.target}{unit}")
        axes.set_ylabel(f"predicted {errors.target}{unit}")
        if len(x):
            low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
            pad = 0.04 * (high - low) or 0.5
            ends = (low - pad, high + pad)
            axes.plot(ends, ends, color=INK, linewidth=0.8, zorder=1)
            many = len(x) > VECTOR_LIMIT
            axes.plot(x, y, "o", color=COLORS[0], markersize=2.2, alpha=0.55, markeredgewidth=0, rasterized=many)
            axes.set_xlim(ends)
            axes.set_ylim(ends)
            axes.set_aspect("equal", adjustable="box")
            mae = float(np.mean(np.abs(y - x)))
            text = f"{errors.name}\nMAE {mae:.3g} {errors.unit}".rstrip() + f", {len(x):,} test structures"
            axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=spec.small_size)
        return freeze(figure)


def search_figure(search: SearchResult, spec: FigureSpec, variant: int = 0) -> Any:
    """Scores of validation by σ and λ on a logarithmic colour scale; the best is framed, what is unknown is white."""
    from matplotlib.colors import ListedColormap, LogNorm
    from matplotlib.patches import Rectangle

    table = search.scores[variant].T
    with styled(spec):
        figure = new_figure(spec)
        axes = figure.add_subplot()
        with np.errstate(invalid="ignore"):
            shown = np.where(np.isfinite(table) & (table > 0), table, np.nan)
        known = shown[np.isfinite(shown)]
        low = float(known.min()) if known.size else 1.0
        high = max(min(float(known.max()), 20 * low), low * 1.0001) if known.size else 10.0
        colors = palette("viridis") / 255.0
        norm = LogNorm(low, high, clip=True)
        image = axes.pcolormesh(np.ma.masked_invalid(shown), cmap=ListedColormap(colors), norm=norm, linewidth=0)
        rows, columns = table.shape
        axes.set_xticks(np.arange(columns) + 0.5, [f"{f:.3g}" for f in search.factors.tolist()])
        lambdas = ["–" if np.isnan(v) else f"$10^{{{np.log10(v):.3g}}}$" if v > 0 else "0" for v in search.lambdas]
        axes.set_yticks(np.arange(rows) + 0.5, lambdas)
        axes.set_xlabel("σ / scale of the kernel")
        axes.set_ylabel("λ")
        if table.size <= _MOST_NUMBERS:
            for r, c in np.argwhere(np.isfinite(shown)).tolist():
                place = int(np.clip(norm(shown[r, c]), 0, 1) * (len(colors) - 1))
                ink = text_on(colors[place])
                size = min(spec.small_size, 0.8 * spec.small_size * 9 / max(columns, 1))
                axes.text(c + 0.5, r + 0.5, f"{shown[r, c]:.3g}", ha="center", va="center", color=ink, fontsize=size)
        if search.index is not None and search.index[0] == variant:
            _, s, k = search.index
            axes.add_patch(Rectangle((s, k), 1, 1, fill=False, edgecolor="#d1245c", linewidth=1.4))
        unit = f" / {search.unit}" if search.unit else ""
        figure.colorbar(image, ax=axes, label=f"{search.grid.metric.upper()} of validation{unit}")
        return freeze(figure)
