"""Features that consist of panels – curves, bars, matrices – as small multiples for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.figures.presets import POINTS_PER_CM, FigureSpec
from qmlstudio.figures.scales import ColorScale, linear_width, log_low, readable_scale
from qmlstudio.figures.style import GREY
from qmlstudio.representations.base import Panel

Array = NDArray[Any]
LINE_COLORS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#787878")
_WIDE, _HIGH = 3.3, 2.3
"""The least that one panel takes of a figure, cm."""
FAINT = 0.01
"""Panels whose largest value is below this share of their heading's are an empty frame in print, and left out."""
_LONGEST_NAME = 14
_BARS = 100


@dataclass(eq=False)
class _Kind:
    """What the panels of one heading and kind have in common."""

    group: str
    kind: str
    values: Array
    color: str
    axes: list[Any]
    norm: Any = None
    colormap: Any = None
    scale: str = "linear"
    room: float = 0.0
    """Width of a panel, pt."""

    @property
    def peak(self) -> float:
        """The largest magnitude."""
        return float(np.abs(self.values).max(initial=0.0))


def kind_of(panel: Panel) -> str:
    """ "matrix", "curve" or "bars"."""
    if panel.cells is not None:
        return "matrix"
    return "curve" if panel.grid is not None and len(panel.grid) else "bars"


def own_values(panel: Panel, values: Array) -> Array:
    """The values that a panel shows."""
    if panel.cells is not None:
        return np.asarray(values[panel.cells[panel.cells >= 0]])
    return values[panel.start : panel.stop]


def _peak(panel: Panel, values: Array) -> float:
    return float(np.abs(own_values(panel, values)).max(initial=0.0))


def strongest(panels: Sequence[Panel], values: Array, count: int) -> list[Panel]:
    """At most `count` panels, in their order: of each heading the strongest, headings by how many panels they have.

    A heading with few panels, or with small values, is not crowded out by one with many or large ones.
    """
    if len(panels) <= count:
        return list(panels)
    by_group: dict[str, list[int]] = {}
    for k, panel in enumerate(panels):
        by_group.setdefault(panel.group, []).append(k)

    peaks = [_peak(panel, values) for panel in panels]
    waiting = {group: sorted(members, key=lambda k: -peaks[k]) for group, members in by_group.items()}
    taken = dict.fromkeys(by_group, 0)
    chosen: list[int] = []
    while len(chosen) < count:
        # the divisor method of d'Hondt, with a seat for everybody first
        group = max(
            (g for g in waiting if waiting[g]),
            key=lambda g: (taken[g] == 0, len(by_group[g]) / (taken[g] + 1)),
        )
        chosen.append(waiting[group].pop(0))
        taken[group] += 1
    return [panels[k] for k in sorted(chosen)]


def draw_panels(
    figure: Any,
    panels: Sequence[Panel],
    values: Array,
    quantity: str,
    lut: Array | None,
    spec: FigureSpec,
    padding: bool,
) -> int:
    """Draw panels into an empty figure; returns how many of those that are filled had no room.

    Parameters
    ----------
    panels : sequence of Panel
    values : (d,) float
    quantity : str
        What the values are, with the unit.
    lut : (256, 3) uint8, optional
        Colours of matrices.
    padding : bool
        Also draw panels without any value.
    """
    values = np.where(np.isfinite(values), values, 0.0)
    for panel in panels:
        if not 0 <= panel.start <= panel.stop <= len(values):
            raise ValueError(f"panel {panel.title} ends at column {panel.stop} of {len(values)}")
    filled = [p for p in panels if p.stop > p.start and (padding or own_values(p, values).any())]
    if not filled:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no features", transform=axes.transAxes, ha="center", va="center", color=GREY)
        return 0
    columns = max(1, int(spec.width_cm / _WIDE))
    lines = max(1, int((spec.height_cm - 0.6) / _HIGH))
    kinds = _kinds(filled, values, lut)
    worth = [p for p in filled if padding or _peak(p, values) >= FAINT * kinds[p.group, kind_of(p)].peak]
    shown = strongest(worth, values, columns * lines)
    columns = min(columns, len(shown))
    lines = -(-len(shown) // columns)
    grid = figure.add_gridspec(lines, columns)
    headed: set[str] = set()
    for k, panel in enumerate(shown):
        kind = kinds[panel.group, kind_of(panel)]
        axes = figure.add_subplot(grid[k // columns, k % columns])
        kind.axes.append(axes)
        kind.room = 0.8 * spec.width_cm * POINTS_PER_CM / columns
        heading = f"{panel.group}: " if panel.group and panel.group not in headed else ""
        headed.add(panel.group)
        axes.set_title(heading + panel.title, fontsize=spec.small_size, pad=2.0, loc="left")
        below = shown[k + columns] if k + columns < len(shown) else None
        before = shown[k - 1] if k % columns else None
        _DRAW[kind.kind](axes, panel, values, kind, spec)
        if kind.kind != "matrix":
            if before is not None and kinds[before.group, kind_of(before)] is kind:
                axes.tick_params(labelleft=False)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        if panel.axis and (below is None or below.axis != panel.axis or kind.kind == "matrix"):
            axes.set_xlabel(panel.axis, fontsize=spec.small_size)
    logs = {kind.scale for kind in kinds.values() if kind.kind != "matrix" and kind.axes}
    words = {"linear": "", "log": " (log scale)", "symlog": " (symmetric log scale)"}
    if logs:
        figure.supylabel(quantity + (words[logs.pop()] if len(logs) == 1 else ""), fontsize=spec.text_size)
    for kind in kinds.values():
        if kind.kind == "matrix" and kind.axes:
            _color_bar(figure, kind, quantity + words[kind.scale], spec)
    return len(filled) - len(shown)


def _kinds(panels: Sequence[Panel], values: Array, lut: Array | None) -> dict[tuple[str, str], _Kind]:
    """One scale for all panels of a heading, drawn or not."""
    gathered: dict[tuple[str, str], list[Array]] = {}
    for panel in panels:
        gathered.setdefault((panel.group, kind_of(panel)), []).append(own_values(panel, values))
    groups = list(dict.fromkeys(group for group, _ in gathered))
    kinds = {}
    for (group, what), parts in gathered.items():
        color = LINE_COLORS[groups.index(group) % len(LINE_COLORS)]
        kind = _Kind(group, what, np.concatenate(parts), color, [])
        if what != "curve":
            kind.scale = readable_scale(kind.values)
        if what == "matrix":
            span = float(np.abs(kind.values).max(initial=0.0)) or 1.0
            low = log_low(kind.values) if kind.scale == "log" else -span if kind.scale == "symlog" else None
            scale = ColorScale(lut, low, span if kind.scale == "symlog" else None, kind.scale)  # type: ignore[arg-type]
            kind.norm, kind.colormap = scale.norm(kind.values), scale.colormap().with_extremes(bad="#e4e4e4")
        kinds[group, what] = kind
    return kinds


def _value_limits(axes: Any, kind: _Kind) -> float:
    """The common y axis of a heading; returns where bars start."""
    low, high = min(float(kind.values.min()), 0.0), max(float(kind.values.max()), 0.0)
    if kind.scale == "log":
        base = log_low(kind.values) / 1.6
        axes.set_yscale("log")
        axes.set_ylim(base, high * 1.3)
        return base
    if kind.scale == "symlog":
        span = max(-low, high)
        width = linear_width(kind.values, -span, span)
        axes.set_yscale("symlog", linthresh=width)
        tick = 10.0 ** np.floor(np.log10(span))
        axes.set_yticks([v for v in (-tick, 0.0, tick) if low <= v <= high])
        axes.minorticks_off()
        axes.set_ylim(1.4 * low, 1.4 * high if high else 0.0)
        axes.axhline(0, color=GREY, lw=0.5, zorder=1)
        return 0.0
    air = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - (air if low < 0 else 0.0), high + (air if high > 0 or low == 0 else 0.0))
    if low < 0:
        axes.axhline(0, color=GREY, lw=0.5, zorder=1)
    return 0.0


def _curve(axes: Any, panel: Panel, values: Array, kind: _Kind, spec: FigureSpec) -> None:
    from matplotlib.ticker import MaxNLocator

    assert panel.grid is not None
    own = values[panel.start : panel.stop]
    _value_limits(axes, kind)
    axes.fill_between(panel.grid, own, color=kind.color, alpha=0.18, linewidth=0)
    axes.plot(panel.grid, own, color=kind.color)
    low, high = float(panel.grid[0]), float(panel.grid[-1])
    if high > low:
        axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _bars(axes: Any, panel: Panel, values: Array, kind: _Kind, spec: FigureSpec) -> None:
    own = values[panel.start : panel.stop]
    base = _value_limits(axes, kind)
    places = np.arange(len(own))
    shown = np.flatnonzero(own)
    if len(own) > _BARS:
        # bars of less than a dot would vanish
        axes.vlines(places[shown], base, own[shown], color=kind.color, linewidth=0.7, zorder=2)
    else:
        axes.bar(places[shown], own[shown] - base, bottom=base, width=0.82, color=kind.color, linewidth=0, zorder=2)
    axes.set_xlim(-0.7, len(own) - 0.3)
    if panel.names and kind.room / len(own) >= spec.small_size * 0.9:
        upright = sum(len(n) + 1 for n in panel.names) > 18
        names = [n if len(n) <= _LONGEST_NAME else f"{n[: _LONGEST_NAME - 1]}…" for n in panel.names]
        axes.set_xticks(places, names, rotation=90 if upright else 0, fontsize=spec.small_size * 0.85)
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(own):,} columns", fontsize=spec.small_size)


def _matrix(axes: Any, panel: Panel, values: Array, kind: _Kind, spec: FigureSpec) -> None:
    assert panel.cells is not None
    matrix = np.where(panel.cells >= 0, values[panel.cells], np.nan)
    hidden = ~np.isfinite(matrix) | ((matrix <= 0) if kind.scale == "log" else False)
    rows, columns = matrix.shape
    # drawn as cells, not as an image: stays sharp in vector files, whoever's viewer smooths images
    axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_where(hidden, matrix),
        cmap=kind.colormap,
        norm=kind.norm,
        rasterized=rows * columns > 2500,
    )
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    if panel.row_axis:
        axes.set_ylabel(panel.row_axis, fontsize=spec.small_size)


_DRAW = {"curve": _curve, "bars": _bars, "matrix": _matrix}


def _color_bar(figure: Any, kind: _Kind, label: str, spec: FigureSpec) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(kind.norm, kind.colormap), ax=kind.axes, fraction=0.05, aspect=26, pad=0.02)
    bar.outline.set_linewidth(0.5)
    bar.set_label(f"{kind.group}: {label}" if kind.group and len(kind.group) < 24 else label, fontsize=spec.small_size)
    bar.ax.tick_params(labelsize=spec.small_size * 0.85)
