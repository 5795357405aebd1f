"""A structure's features as a publication figure, drawn as what they are: matrix, spectrum, bags or panels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import NUMBERS
from qmlstudio.figures.panels import LINE_COLORS, draw_panels
from qmlstudio.figures.presets import POINTS_PER_CM, FigureSpec
from qmlstudio.figures.scales import ColorScale, clean_number, linear_width, log_low, readable_scale
from qmlstudio.figures.style import GREY, element_color, freeze, new_figure, styled, text_on
from qmlstudio.representations.base import Layout

Array = NDArray[Any]

_SYMBOL = re.compile(r"[A-Z][a-z]?")


def descriptor_figure(
    layout: Layout,
    row: Array,
    *,
    spec: FigureSpec | None = None,
    labels: Sequence[str] = (),
    lut: Array | None = None,
    title: str = "",
    panel: str = "",
    quantity: str = "",
    padding: bool = False,
) -> Any:
    """The features of one structure.

    Parameters
    ----------
    layout : Layout
        How they are to be drawn.
    row : (d,) float; for matrices also (n, n)
        One row of features; a packed matrix after ``representation.unpack``.
    spec : FigureSpec
    labels : sequence of str
        A name for every column; for the ticks of short spectra.
    lut : (256, 3) uint8, optional
        Colours of matrices; viridis when None.
    title : str
    panel : str
        Letter at the upper left.
    quantity : str
        What the values are; the unit is the layout's.
    padding : bool
        Also draw the rows, bars and bags that this structure leaves empty.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        When the row does not fit the layout.
    """
    spec = spec if spec is not None else FigureSpec(aspect={"matrix": 0.9, "panels": 1.0}.get(layout.kind, 0.6))
    values = np.asarray(row, dtype=np.float64)
    with styled(spec):
        figure = new_figure(spec)
        if layout.kind == "matrix":
            # the layout does not know of the chips round the labels
            figure.get_layout_engine().set(rect=(0.015, 0.0, 0.985, 1.0))
        if layout.kind == "panels":
            quantity = _unit(quantity, layout.unit)
            hidden = draw_panels(figure, layout.panels, values.ravel(), quantity, lut, spec, padding)
            lines = [title] if title else []
            if hidden:
                lines.append(f"the strongest panels; {hidden} weaker ones are not shown")
            if lines:
                figure.suptitle("\n".join(lines), fontsize=spec.text_size)
            if panel:
                figure.text(0.01, 0.99, panel, fontweight="bold", fontsize=spec.text_size + 1, ha="left", va="top")
            freeze(figure)
            return figure
        axes = figure.add_subplot()
        if title:
            axes.set_title(title)
        if panel:
            axes.set_title(panel, loc="left", fontweight="bold", fontsize=spec.text_size + 1)
        if layout.kind == "matrix":
            _matrix(figure, axes, layout, values, lut, _unit(quantity, layout.unit), spec, padding)
        elif layout.kind == "spectrum":
            _spectrum(axes, layout, values.ravel(), labels, _unit(quantity, layout.unit), padding)
        else:
            _bags(axes, layout, values.ravel(), _unit(quantity, layout.unit), spec, padding)
        freeze(figure)
    return figure


def _unit(quantity: str, unit: str) -> str:
    """Axis title: "value / Ha"."""
    quantity = quantity or "value"
    return f"{quantity} / {unit}" if unit else quantity


def symbol_of(label: str) -> int | None:
    """Atomic number of the element with which a label begins ("Cl12" → 17), or None."""
    found = _SYMBOL.match(label)
    if found is None:
        return None
    return NUMBERS.get(found.group()) or NUMBERS.get(found.group()[:1])


def _matrix(
    figure: Any,
    axes: Any,
    layout: Layout,
    values: Array,
    lut: Array | None,
    label: str,
    spec: FigureSpec,
    padding: bool,
) -> None:
    from matplotlib.cm import ScalarMappable

    if len(layout.shape) != 2 or values.size != layout.shape[0] * layout.shape[1]:
        raise ValueError(f"{values.size} values do not fill a matrix of shape {layout.shape}")
    matrix = values.reshape(layout.shape)
    names = list(layout.row_labels)
    if not padding and names:
        occupied = max((k + 1 for k, name in enumerate(names) if name), default=0)
        matrix, names = matrix[:occupied, :occupied], names[:occupied]
    if matrix.size == 0:
        _empty(axes)
        return
    kind = readable_scale(matrix)
    low: float | None = None
    high: float | None = None
    if kind == "log":
        low = log_low(matrix)
    elif kind == "symlog":
        high = float(np.abs(matrix[np.isfinite(matrix)]).max())
        low = -high
    scale = ColorScale(lut, low, high, kind)
    colormap = scale.colormap().with_extremes(bad="#e4e4e4")
    shown = np.ma.masked_where(~np.isfinite(matrix) | ((matrix <= 0) if kind == "log" else False), matrix)
    norm = scale.norm(matrix)
    rows, columns = matrix.shape
    # drawn as cells, not as an image: stays sharp in vector files, whoever's viewer smooths images
    axes.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, shown, cmap=colormap, norm=norm, rasterized=False
    )
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=1.5)
    bar = figure.colorbar(ScalarMappable(norm, colormap), ax=axes, fraction=0.046, aspect=26, pad=0.02)
    bar.outline.set_linewidth(0.5)
    bar.set_label(label + {"linear": "", "log": " (log scale)", "symlog": " (symmetric log scale)"}[kind])
    if kind == "log":
        _plain_log_ticks(bar.ax.yaxis, *scale.ends(matrix))
    if names:
        _matrix_labels(axes, names, rows, spec)
    cell = spec.width_cm * POINTS_PER_CM * 0.7 / max(rows, columns)
    if max(rows, columns) <= 12 and cell > 3.2 * spec.small_size * 0.62:
        for i in range(rows):
            for j in range(columns):
                if not np.ma.is_masked(shown[i, j]):
                    color = colormap(norm(matrix[i, j]))
                    axes.text(
                        j,
                        i,
                        clean_number(matrix[i, j]),
                        ha="center",
                        va="center",
                        color=text_on(color),
                        fontsize=min(spec.small_size, cell / 3.0),
                    )


def _matrix_labels(axes: Any, names: list[str], rows: int, spec: FigureSpec) -> None:
    """Atom names on chips of their element's colour, at the left and on top; thinned out where they would touch."""
    room = min(spec.width_cm, spec.height_cm) * POINTS_PER_CM * 0.72 / max(rows, 1)
    size = float(np.clip(room * 0.78, 4.0, spec.small_size))
    step = max(1, int(np.ceil(1.18 * size / room)))
    places = [k for k in range(len(names)) if k % step == 0 and names[k]]
    texts = [names[k] for k in places]
    upright = max((len(t) for t in texts), default=1) * 0.68 * size + 2 > room * step
    axes.set_xticks(places, texts, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(places, texts, fontsize=size)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        number = symbol_of(tick.get_text())
        if number is None:
            continue
        # paler than the element, so that small black letters read on it
        color = tuple(0.6 * c + 0.4 for c in element_color(number))
        tick.set_color("black")
        tick.set_bbox({"boxstyle": "round,pad=0.1,rounding_size=0.2", "fc": color, "ec": "none"})


def _plain_log_ticks(axis: Any, low: float, high: float) -> None:
    """1, 2, 5 in each decade where there are few decades, and written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if decades < 3.2 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: clean_number(value)))
    axis.set_minor_formatter(NullFormatter())


def _value_axis(axes: Any, values: Array, label: str) -> float:
    """Scale and title of the y axis; returns where bars start."""
    kind = readable_scale(values)
    finite = values[np.isfinite(values)]
    base = 0.0
    if kind == "log":
        low, high = log_low(values), float(finite.max())
        base = low / 1.6
        axes.set_yscale("log")
        axes.set_ylim(base, high * 1.35)
        _plain_log_ticks(axes.yaxis, base, high)
        label += " (log scale)"
    elif kind == "symlog":
        span = float(np.abs(finite).max())
        axes.set_yscale("symlog", linthresh=linear_width(values, -span, span))
        label += " (symmetric log scale)"
    elif len(finite):
        low, high = min(0.0, float(finite.min())), max(0.0, float(finite.max()))
        air = 0.06 * (high - low) or 1.0
        axes.set_ylim(low - (air if low < 0 else 0), high + air)
    axes.set_ylabel(label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if kind != "log" and (finite < 0).any():
        axes.axhline(0, color=GREY, lw=0.5, zorder=1)
    return base


def _empty(axes: Any) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no features", transform=axes.transAxes, ha="center", va="center", color=GREY)


def _bars(axes: Any, places: Array, values: Array, base: float, color: str) -> None:
    axes.bar(places, values - base, bottom=base, width=0.82, color=color, linewidth=0, zorder=2)


def _spectrum(axes: Any, layout: Layout, values: Array, labels: Sequence[str], label: str, padding: bool) -> None:
    if not padding:
        occupied = np.flatnonzero(values)
        values = values[: int(occupied[-1]) + 1] if len(occupied) else values[:0]
    if not len(values):
        _empty(axes)
        return
    base = _value_axis(axes, values, label)
    places = np.arange(1, len(values) + 1)
    _bars(axes, places, values, base, LINE_COLORS[0])
    axes.set_xlim(0.3, len(values) + 0.7)
    if len(labels) >= len(values) and len(values) <= 12:
        # the unit stands at the other axis
        names = [name.removesuffix(f" / {layout.unit}") for name in labels[: len(values)]]
        axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 4 else 0)
    else:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("number")


def _bags(axes: Any, layout: Layout, values: Array, label: str, spec: FigureSpec, padding: bool) -> None:
    groups = layout.groups or (("", 0, len(values)),)
    drawn = []
    for title, start, stop in groups:
        if stop > len(values):
            raise ValueError(f"bag {title} ends at column {stop} of {len(values)}")
        bag = values[start:stop]
        if not padding:
            bag = bag[bag != 0]
        if len(bag):
            drawn.append((title, bag))
    if not drawn:
        _empty(axes)
        return
    base = _value_axis(axes, np.concatenate([bag for _, bag in drawn]), label)
    total = sum(len(bag) for _, bag in drawn)
    gap = max(1.0, 0.025 * total)
    # wide enough for its own title, at least when turned upright
    room = spec.width_cm * POINTS_PER_CM * 0.84
    place, middles, widths = 0.0, [], []
    least = 1.25 * spec.small_size * (total + gap * len(drawn)) / room
    for k, (_, bag) in enumerate(drawn):
        width = max(float(len(bag)), least - gap)
        _bars(
            axes,
            place + 0.5 * (width - len(bag)) + np.arange(len(bag)) + 0.5,
            bag,
            base,
            LINE_COLORS[k % len(LINE_COLORS)],
        )
        middles.append(place + width / 2)
        widths.append(width + gap)
        place += width + gap
    axes.set_xlim(-gap, place)
    titles = [title for title, _ in drawn]
    upright = any(
        (len(t) + 1) * 0.62 * spec.small_size > w * room / (place + gap) for t, w in zip(titles, widths, strict=True)
    )
    axes.set_xticks(middles, titles, rotation=90 if upright else 0)
    axes.tick_params(axis="x", length=0)
