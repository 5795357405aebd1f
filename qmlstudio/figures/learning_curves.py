"""Learning curves for print: errors against training structures on logarithmic axes, with bands and fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmlstudio.figures.presets import FigureSpec
from qmlstudio.figures.scales import MARKERS, OKABE_ITO
from qmlstudio.figures.style import GREY, freeze, new_figure, styled
from qmlstudio.session.bench.fits import FLAT
from qmlstudio.session.bench.literature import published
from qmlstudio.session.bench.results import BenchResult, Curve

_COLORS = [tuple(float(v) / 255 for v in rgb) for rgb in np.delete(OKABE_ITO, 7, axis=0)]


def learning_curves_figure(
    result: BenchResult, spec: FigureSpec, *, goal: float | None = None, unit: str = "", fits: bool = True
) -> Any:
    """Draw the curves of one unit.

    Parameters
    ----------
    goal : float, optional
        A line at the accuracy people aim at.
    unit : str
        Of the curves that are drawn; that of the first one when empty.
    fits : bool
        Power laws as thin lines.

    Raises
    ------
    ValueError
        There is no point yet.
    """
    curves = [c for c in map(result.curve, result.labels) if len(c.sizes) and np.isfinite(c.mean).any()]
    if not curves:
        raise ValueError("there is no point of a learning curve yet")
    unit = unit or curves[0].unit
    curves = [c for c in curves if c.unit == unit]
    known = {s.label: s for s in result.spec.series}
    with styled(spec):
        figure = new_figure(spec)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        for k, curve in enumerate(curves):
            series = known[curve.label]
            _draw(axes, curve, _COLORS[k % len(_COLORS)], MARKERS[k % len(MARKERS)], fits)
            for value in published(result.dataset, series.task.target, series.representation):
                if value.unit != unit:
                    continue
                axes.axhline(value.mae, color=_COLORS[k % len(_COLORS)], lw=0.6, ls=(0, (4, 2)), zorder=1)
        if goal is not None:
            axes.axhline(goal, color=GREY, lw=0.6, ls=":", zorder=0)
        _ticks(axes, curves, goal)
        axes.set_xlabel("training structures N")
        axes.set_ylabel(f"mean absolute error / {unit}" if unit else "mean absolute error")
        # beside the curves: they fill the axes from corner to corner
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
        return freeze(figure)


def _draw(axes: Any, curve: Curve, color: Any, marker: str, fits: bool) -> None:
    law = curve.law
    flat = law is None or law.b <= FLAT
    label = curve.label if flat or law is None else f"{curve.label}: $N^{{-{law.b:.2f}}}$"
    axes.plot(curve.sizes, curve.mean, color=color, marker=marker, ms=3.0, lw=0.9, label=label, zorder=3)
    good = np.isfinite(curve.low) & (curve.low > 0)
    if good.any():
        errors = [(curve.mean - curve.low)[good], (curve.high - curve.mean)[good]]
        axes.errorbar(
            curve.sizes[good], curve.mean[good], yerr=errors, fmt="none", ecolor=color, elinewidth=0.6, capsize=1.5
        )
    if fits and law is not None and not flat:
        sizes = np.geomspace(curve.sizes[0], 2.0 * curve.sizes[-1], 40)
        axes.plot(sizes, law(sizes), color=color, lw=0.4, alpha=0.7, zorder=2)


def _ticks(axes: Any, curves: list[Curve], goal: float | None) -> None:
    """Plain numbers at the sizes, and at 1, 2, 5 of each decade of errors."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    sizes = sorted({int(n) for c in curves for n in c.sizes})
    kept: list[int] = []
    for n in sizes:
        # names of neighbours would run into each other
        if not kept or n / kept[-1] > 1.35:
            kept.append(n)
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    values = np.concatenate([c.mean for c in curves] + [[goal] if goal is not None else []])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    marks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator(marks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.set_ylim(low / 1.4, high * 1.4)
