"""The map as a publication figure: all points, their colours, the selection, the active structure, the pins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.figures.depiction import depict, draw_depiction
from qmlstudio.figures.presets import POINTS_PER_CM, VECTOR_LIMIT, FigureSpec
from qmlstudio.figures.scales import Categories, ColorScale
from qmlstudio.figures.structure import Drawing, draw_structure
from qmlstudio.figures.style import ACTIVE, GREY, PIN, PLATE, freeze, new_figure, styled

Array = NDArray[Any]

PLAIN = (0.0, 0.447, 0.698)
"""Colour of points that are coloured by nothing."""
_DIMMED = 0.22
"""How much of its colour an unselected point keeps; the rest is white."""
_MAX_INSETS_PER_ROW = 6


@dataclass(frozen=True, eq=False)
class Pin:
    """A pinned structure: a numbered ring on the map and, when it has something to show, an inset below the map.

    Attributes
    ----------
    index : int
        Row in the map's points.
    number : int
        What stands at the ring and at the inset.
    title : str
        Under the inset.
    smiles : str
        Drawn as a 2D depiction.
    drawing : Drawing or None
        Drawn in 3D where there is no SMILES.
    """

    index: int
    number: int
    title: str = ""
    smiles: str = ""
    drawing: Drawing | None = None

    @property
    def has_inset(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.smiles) or self.drawing is not None


def point_diameter(n: int) -> float:
    """Diameter in pt at which `n` points fill a column-wide map without drowning each other."""
    return float(np.clip(4.6 * (200 / max(n, 1)) ** 0.32, 0.5, 4.6))


def map_figure(
    points: Array,
    *,
    spec: FigureSpec | None = None,
    values: Array | None = None,
    scale: ColorScale | None = None,
    categories: Categories | None = None,
    selection: Array | None = None,
    active: int | None = None,
    pins: Sequence[Pin] = (),
    axes_titles: tuple[str, ...] = (),
    limits: tuple[float, float, float, float] | None = None,
    title: str = "",
    panel: str = "",
    point_size: float | None = None,
    sizes: Array | None = None,
    equal_aspect: bool = False,
    vector_limit: int = VECTOR_LIMIT,
) -> Any:
    """A map.

    Parameters
    ----------
    points : (n, 2) float
        Rows that are not finite are left out.
    spec : FigureSpec
        Size, text, format.
    values : (n,) float, optional
        Coloured by `scale` with a colour bar; NaN becomes a hollow grey ring and their number stands below the map.
    categories : Categories, optional
        Coloured with a legend instead of a bar.
    selection : (n,) bool, optional
        Unselected points are dimmed, never removed. A mask with nothing selected dims nothing.
    active : int, optional
        Row that gets the double ring.
    pins : sequence of Pin
        Numbered rings; those with a SMILES or a drawing also get an inset below the map.
    axes_titles : tuple of str
        Two titles ("PC 1 (34 %)", …), which bring ticks with them; empty for methods whose axes mean nothing.
    limits : (x0, x1, y0, y1), optional
        The part that is shown, as on the screen; all points when not given.
    title : str
        Above the map.
    panel : str
        Letter at the upper left ("a").
    point_size : float, pt
        Diameter; chosen from n when not given.
    sizes : (n,) float, pt, optional
        Diameters point by point; NaN is drawn smallest and hollow.
    equal_aspect : bool
        Same scale along both axes.
    vector_limit : int
        Up to so many points are vectors, more become one raster layer.

    Returns
    -------
    matplotlib.figure.Figure
        Laid out: what is written does not depend on format or resolution.

    Raises
    ------
    ValueError
        When lengths differ, or both values and categories are given.
    """
    spec = spec if spec is not None else FigureSpec()
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    n = len(points)
    _check(n, values, categories, selection, sizes, axes_titles)
    insets = [pin for pin in pins if pin.has_inset]
    with styled(spec):
        figure = new_figure(spec)
        axes, inset_axes = _make_axes(figure, insets, spec)
        shown: Array = np.asarray(np.isfinite(points).all(axis=1))
        colors, missing, markers = _colors(n, values, scale, categories)
        diameter = point_size if point_size is not None else point_diameter(n)
        diameters = np.full(n, diameter)
        if sizes is not None:
            missing = missing | ~np.isfinite(sizes)
            diameters = np.where(np.isfinite(sizes), sizes, np.nanmin(sizes) if np.isfinite(sizes).any() else diameter)
        _draw_points(axes, points, shown, colors, missing, markers, selection, diameters, raster=n > vector_limit)
        _draw_rings(axes, points, shown, active, pins, diameter, spec)
        _dress(axes, points[shown], axes_titles, limits, equal_aspect)
        if title:
            axes.set_title(title)
        if panel:
            # a title of its own, so that the layout makes room for it
            axes.set_title(panel, loc="left", fontweight="bold", fontsize=spec.text_size + 1)
        if values is not None:
            _color_bar(figure, axes, np.asarray(values, dtype=np.float64), scale or ColorScale())
        _legends(figure, axes, categories, int((missing & shown).sum()), diameter, spec)
        freeze(figure)
        for pin, box in zip(insets, inset_axes, strict=True):
            _draw_inset(figure, box, pin, spec)
    return figure


def _check(
    n: int,
    values: Array | None,
    categories: Categories | None,
    selection: Array | None,
    sizes: Array | None,
    axes_titles: tuple[str, ...],
) -> None:
    if values is not None and categories is not None:
        raise ValueError("points are coloured by values or by categories, not by both")
    codes = None if categories is None else categories.codes
    for what, array in (("values", values), ("codes", codes), ("selection", selection), ("sizes", sizes)):
        if array is not None and len(array) != n:
            raise ValueError(f"{len(array)} {what} for {n} points")
    if len(axes_titles) not in (0, 2):
        raise ValueError(f"{len(axes_titles)} axes titles, expected two or none")


def _make_axes(figure: Any, insets: list[Pin], spec: FigureSpec) -> tuple[Any, list[Any]]:
    """The map's axes and below them a box for each inset."""
    if not insets:
        return figure.add_subplot(), []
    per_row = min(len(insets), max(2, min(_MAX_INSETS_PER_ROW, int(spec.width_cm / 2.1))))
    rows = -(-len(insets) // per_row)
    inset_height = min(0.25, 0.55 / rows)
    grid = figure.add_gridspec(2, 1, height_ratios=[1 - rows * inset_height, rows * inset_height])
    below = grid[1].subgridspec(rows, per_row)
    boxes = [figure.add_subplot(below[k // per_row, k % per_row]) for k in range(len(insets))]
    for box, pin in zip(boxes, insets, strict=True):
        box.set_xticks([])
        box.set_yticks([])
        for spine in box.spines.values():
            spine.set_visible(False)
        box.set_title(
            _elided(pin.title, 0.92 * spec.width_cm / per_row, spec.small_size),
            fontsize=spec.small_size,
            y=-0.02,
            va="top",
            pad=0,
        )
    return figure.add_subplot(grid[0]), boxes


def _elided(text: str, width_cm: float, size: float) -> str:
    """The text, cut with an ellipsis where it would be wider than its inset (letters: about 0.58 of the size wide)."""
    room = max(3, int(width_cm * POINTS_PER_CM / (0.58 * size)))
    return text if len(text) <= room else text[: room - 1] + "…"


def _colors(
    n: int, values: Array | None, scale: ColorScale | None, categories: Categories | None
) -> tuple[Array, Array, list[tuple[str, Array]]]:
    """(n, 3) colours, (n,) mask of points without a value, and which points bear which marker."""
    colors = np.empty((n, 3))
    colors[:] = PLAIN
    everything = np.ones(n, dtype=bool)
    if values is not None:
        scale = scale or ColorScale()
        values = np.asarray(values, dtype=np.float64)
        missing = ~np.isfinite(values)
        if scale.scale == "log":
            # no logarithm, no colour: better hollow than wrong
            missing |= ~(values > 0)
        if (~missing).any():
            colors[~missing] = scale.colormap()(scale.norm(values)(values[~missing]))[:, :3]
        return colors, missing, [("o", everything)]
    if categories is not None:
        codes = np.asarray(categories.codes, dtype=np.int64)
        if len(codes) and int(codes.max()) >= len(categories.names):
            raise ValueError(f"code {int(codes.max())} for {len(categories.names)} categories")
        missing = codes < 0
        if (~missing).any():
            colors[~missing] = categories.palette()[codes[~missing]]
        by_marker: dict[str, Array] = {}
        for code in range(len(categories.names)):
            marker = categories.marker(code)
            by_marker[marker] = by_marker.get(marker, np.zeros(n, dtype=bool)) | (codes == code)
        return colors, missing, list(by_marker.items())
    return colors, np.zeros(n, dtype=bool), [("o", everything)]


def _draw_points(
    axes: Any,
    points: Array,
    shown: Array,
    colors: Array,
    missing: Array,
    markers: list[tuple[str, Array]],
    selection: Array | None,
    diameters: Array,
    *,
    raster: bool,
) -> None:
    """Dimmed points first, then the hollow ones, then the rest, so that what is selected lies on top."""
    selected = np.ones(len(points), dtype=bool) if selection is None else np.asarray(selection, dtype=bool)
    if not selected.any():
        selected = ~selected
    areas, line = diameters**2, min(0.5, 0.2 * float(diameters.min(initial=2.5)))
    order = 2.0
    for wanted, dim in ((~selected, True), (selected, False)):
        hollow = shown & missing & wanted
        if hollow.any():
            grey = "#dcdcdc" if dim else "#9a9a9a"
            axes.scatter(
                *points[hollow].T,
                s=areas[hollow] * 0.8,
                facecolors="none",
                edgecolors=grey,
                linewidths=line,
                rasterized=raster,
                zorder=order,
                gid="points-missing",
            )
        for marker, members in markers:
            chosen = shown & ~missing & members & wanted
            if not chosen.any():
                continue
            face = colors[chosen]
            if dim:
                face = 1.0 - _DIMMED * (1.0 - face)
            axes.scatter(
                *points[chosen].T,
                s=areas[chosen],
                c=face,
                marker=marker,
                linewidths=0,
                rasterized=raster,
                zorder=order + 0.1,
                gid="points-dimmed" if dim else "points",
            )
        order += 0.5


def _draw_rings(
    axes: Any, points: Array, shown: Array, active: int | None, pins: Sequence[Pin], diameter: float, spec: FigureSpec
) -> None:
    ring = max(2.2 * diameter, 5.0)
    if active is not None and 0 <= active < len(points) and shown[active]:
        for size, color, line in ((ring, "white", 2.2), (ring, ACTIVE, 1.1)):
            axes.plot(
                *points[active], "o", ms=size, mfc="none", mec=color, mew=line, zorder=6, clip_on=False, gid="active"
            )
    for pin in pins:
        if not 0 <= pin.index < len(points):
            raise ValueError(f"pin {pin.number}: there is no point {pin.index}")
        if not shown[pin.index]:
            continue
        for color, line in (("white", 2.0), (PIN, 0.9)):
            axes.plot(*points[pin.index], "o", ms=ring, mfc="none", mec=color, mew=line, zorder=7, gid="pin")
        axes.annotate(
            str(pin.number),
            points[pin.index],
            xytext=(0.45 * ring + 0.5, 0.45 * ring + 0.5),
            textcoords="offset points",
            fontsize=spec.small_size,
            fontweight="bold",
            color=PIN,
            bbox=PLATE,
            zorder=8,
            annotation_clip=True,
        )


def _dress(
    axes: Any, points: Array, titles: tuple[str, ...], limits: tuple[float, float, float, float] | None, equal: bool
) -> None:
    if limits is not None:
        axes.set_xlim(limits[0], limits[1])
        axes.set_ylim(limits[2], limits[3])
    else:
        low = points.min(axis=0) if len(points) else np.zeros(2)
        high = points.max(axis=0) if len(points) else np.ones(2)
        span = high - low
        air = np.where(span > 0, 0.04 * span, 0.5)
        axes.set_xlim(low[0] - air[0], high[0] + air[0])
        axes.set_ylim(low[1] - air[1], high[1] + air[1])
    if equal:
        axes.set_aspect("equal", adjustable="datalim")
    if titles:
        axes.set_xlabel(titles[0])
        axes.set_ylabel(titles[1])
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    if not len(points):
        axes.text(0.5, 0.5, "no points", transform=axes.transAxes, ha="center", va="center", color=GREY)


def _color_bar(figure: Any, axes: Any, values: Array, scale: ColorScale) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(
        ScalarMappable(scale.norm(values), scale.colormap()),
        ax=axes,
        extend=scale.extend(values),
        extendfrac=0.03,
        fraction=0.05,
        aspect=28,
        pad=0.015,
    )
    bar.outline.set_linewidth(0.5)
    finite = np.unique(values[np.isfinite(values)])
    low, high = scale.ends(values)
    if len(finite) == 1 and scale.low is None and scale.high is None and low < finite[0] < high:
        bar.set_ticks([float(finite[0])])
        bar.minorticks_off()
    elif scale.scale == "linear":
        from matplotlib.ticker import MaxNLocator

        bar.locator = MaxNLocator(nbins=6)
        bar.update_ticks()
    if scale.label:
        bar.set_label(scale.label)


def _legends(
    figure: Any, axes: Any, categories: Categories | None, n_missing: int, diameter: float, spec: FigureSpec
) -> None:
    """Categories at the right of wide figures, below narrow ones; the hollow points' meaning below."""
    from matplotlib.lines import Line2D

    size = max(3.5, min(diameter, 6.0))
    hollow = Line2D(
        [], [], ls="", marker="o", ms=size, mfc="none", mec="#9a9a9a", mew=0.6, label=f"no value ({n_missing:,})"
    )
    if categories is None:
        if n_missing:
            figure.legend(handles=[hollow], loc="outside lower left")
        return
    palette = categories.palette()
    handles = [
        Line2D([], [], ls="", marker=categories.marker(k), ms=size, mfc=palette[k], mec="none", label=name)
        for k, name in enumerate(categories.names)
    ]
    if n_missing:
        handles.append(hollow)
    if not handles:
        return
    title = categories.label or None
    width = spec.width_cm * POINTS_PER_CM
    # average letters are about 0.55 of the size wide; marker and gaps take 2.2 of it
    widest = (0.55 * max(len(str(h.get_label())) for h in handles) + 2.2) * spec.small_size
    tallest = (len(handles) + (2 if title else 0)) * 1.35 * spec.small_size
    if widest < 0.28 * width and tallest < spec.height_cm * POINTS_PER_CM:
        figure.legend(handles=handles, title=title, alignment="left", loc="outside right upper")
        return
    columns = int(np.clip((0.97 * width + spec.small_size) / (widest + spec.small_size), 1, len(handles)))
    figure.legend(handles=handles, title=title, alignment="left", loc="outside lower left", ncols=columns)


def _draw_inset(figure: Any, box: Any, pin: Pin, spec: FigureSpec) -> None:
    place = box.get_position()
    width = place.width * spec.width_cm * POINTS_PER_CM
    height = place.height * spec.height_cm * POINTS_PER_CM
    depiction = depict(pin.smiles) if pin.smiles else None
    if depiction is not None:
        draw_depiction(box, depiction, width, height)
    elif pin.drawing is not None:
        draw_structure(box, pin.drawing, width, height, small=spec.small_size)
    else:
        box.text(0.5, 0.5, pin.smiles, ha="center", va="center", fontsize=spec.small_size, transform=box.transAxes)
    box.text(
        0.0,
        1.0,
        str(pin.number),
        transform=box.transAxes,
        ha="left",
        va="top",
        fontsize=spec.small_size,
        fontweight="bold",
        color=PIN,
    )
