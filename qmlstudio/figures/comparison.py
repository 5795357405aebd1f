"""The pages of a comparison of data sets for print, and all of them with their numbers in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.figures.output import save
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.figures.style import GREY, INK, freeze, new_figure, styled
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.comparison import COLORS, Comparison, Coverage
from qmlstudio.session.comparison.composition import element_bars, size_bars
from qmlstudio.session.comparison.coverage import distance_bins
from qmlstudio.session.comparison.labels import place_labels
from qmlstudio.session.comparison.literature import KNOWN
from qmlstudio.session.comparison.result import Curves, Histogram

PAGES = ("sizes", "composition", "distances", "angles", "energies", "forces", "coverage")
PANELS = 6
"""Pairs or triples of elements in one figure."""
_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (5, 1.5, 1, 1.5)))
_HATCHES = ("", "////", "....", "\\\\\\\\", "----", "||||", "++++", "xxxx")
_MARKS = ("o", "s", "^", "D", "h", "v", "P", "8")
_LONGEST = 28


def comparison_figure(
    page: str,
    result: Comparison,
    spec: FigureSpec,
    *,
    covered: Coverage | None = None,
    names: Sequence[str] = (),
    log: bool = False,
    smoothing: float = 1.0,
) -> Any:
    """Draw one page.

    Parameters
    ----------
    page : str
        One of :data:`PAGES`.
    covered : Coverage, optional
        For the page "coverage".
    names : sequence of str
        Pairs ("C–H") or triples to show; the most frequent when there are none.
    log : bool
        Logarithmic heights.
    smoothing : float
        In bins.

    Raises
    ------
    ValueError
        There is nothing to draw.
    """
    with styled(spec):
        figure = new_figure(spec)
        if page == "sizes":
            _sizes(figure, result, spec)
        elif page == "composition":
            _composition(figure, result)
        elif page in ("distances", "angles"):
            table = result.distances if page == "distances" else result.angles
            chosen = [name for name in (names or result.frequent(page)[:PANELS]) if name in table]
            _many(figure, result, [table[name] for name in chosen], log, smoothing)
        elif page in ("energies", "forces"):
            curves = result.energies if page == "energies" else result.forces
            _many(figure, result, [curves] if curves is not None else [], log, smoothing)
        elif page == "coverage":
            if covered is None:
                raise ValueError("no coverage was computed")
            _coverage(figure, covered)
        else:
            raise ValueError(f"there is no page {page!r}: one of {', '.join(PAGES)}")
        return freeze(figure)


def write_comparison(
    result: Comparison, covered: Coverage | None, folder: str | Path, progress: Progress = SILENT, suffix: str = "pdf"
) -> Path:
    """Write a figure of each page that has something to show, and ``comparison.json`` with the numbers.

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pages = [p for p in PAGES if _has(p, result, covered)]
    for k, page in enumerate(pages):
        progress(k / len(pages), f"drawing {page}")
        wide = page in ("composition", "coverage", "distances", "angles")
        spec = FigureSpec(column="double" if wide else "one_half", aspect=0.62 if wide else 0.8)
        save(comparison_figure(page, result, spec, covered=covered), folder / f"{page}.{suffix}", spec)
    numbers = result.to_dict()
    if covered is not None:
        numbers["coverage"] = {
            "representation": covered.representation.to_dict(),
            "spec": covered.spec.to_dict(),
            "sets": list(covered.names),
            "threshold": [_number(v) for v in covered.threshold],
            "outside": [[_number(v) for v in row] for row in covered.outside],
            "note": covered.note,
        }
    text = json.dumps(numbers, ensure_ascii=False, indent=1)
    (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
    progress(1.0, "done")
    return folder


def _has(page: str, result: Comparison, covered: Coverage | None) -> bool:
    has = {
        "distances": bool(result.distances),
        "angles": bool(result.angles),
        "energies": result.energies is not None,
        "forces": result.forces is not None,
        "coverage": covered is not None,
    }
    return has.get(page, True)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _legend(figure: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    figure.legend(handles, [_short(t) for t in labels], loc="outside upper center", ncols=min(len(labels), 4))


def _sizes(figure: Any, result: Comparison, spec: FigureSpec) -> None:
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("different molecules")
    axes.set_ylabel("structures")
    largest = max([k.conformations for k in KNOWN] + [s.structures for s in result.sets])
    top = 10.0 ** np.ceil(np.log10(largest) + 0.3)
    axes.set_xlim(0.4, top)
    axes.set_ylim(0.6, top)
    axes.plot([1, top], [1, top], color=GREY, lw=0.5, ls=(0, (4, 3)), zorder=0)
    points, texts, own = [], [], []
    for k, s in enumerate(result.sets):
        if s.structures:
            mark = _MARKS[k % len(_MARKS)]
            axes.plot(
                max(s.molecules, 1), s.structures, mark, color=COLORS[k % len(COLORS)], ms=6, mec="white", mew=0.4
            )
            points.append((max(s.molecules, 1), s.structures))
            texts.append(_short(s.name))
            own.append(True)
    for known in KNOWN:
        if known.molecules is None:
            axes.axhline(known.conformations, color=GREY, lw=0.5, ls=(0, (1, 2)), zorder=0)
        else:
            axes.plot(known.molecules, known.conformations, "o", color=GREY, ms=2.5, zorder=1)
        points.append((known.molecules or top, known.conformations))
        texts.append(known.name)
        own.append(False)
    figure.draw_without_rendering()
    figure.draw_without_rendering()
    _write_labels(figure, axes, points, texts, own, spec)


def _write_labels(
    figure: Any, axes: Any, points: Sequence[tuple[float, float]], texts: Sequence[str], own: Sequence[bool], spec: Any
) -> None:
    """Names beside the points; placed in points (1/72 inch), y downwards."""
    renderer = figure.canvas.get_renderer()
    scale = 72.0 / figure.dpi
    frame = axes.get_window_extent(renderer)
    height = figure.bbox.height
    drawn = []
    for text, mine in zip(texts, own, strict=True):
        drawn.append(
            figure.text(
                0, 0, text, fontsize=spec.small_size if mine else spec.small_size - 1, color=INK if mine else "#5c636b"
            )
        )
    boxes = [t.get_window_extent(renderer) for t in drawn]
    # the name of a line across stands above it
    lifts = [0.0 if point[0] < axes.get_xlim()[1] else b.height * scale / 2 + 1 for point, b in zip(points, boxes)]
    pixels = [axes.transData.transform(p) for p in points]
    places = place_labels(
        [(p[0] * scale, (height - p[1]) * scale - lift) for p, lift in zip(pixels, lifts, strict=True)],
        [(b.width * scale + 1, b.height * scale) for b in boxes],
        (frame.x0 * scale, (height - frame.y1) * scale, frame.width * scale, frame.height * scale),
        gap=4.5,
    )
    for text, place, box, at in zip(drawn, places, boxes, pixels, strict=True):
        if place is None:
            text.remove()
            continue
        # in the axes' own coordinates, so that the text stays beside its point when the axes move
        x, y = place[0] / scale, height - place[1] / scale - box.height
        inside = axes.transAxes.inverted().transform((x, y))
        text.remove()
        axes.text(
            *inside,
            text.get_text(),
            transform=axes.transAxes,
            fontsize=text.get_fontsize(),
            color=text.get_color(),
            va="bottom",
            ha="left",
        )
        _leader(axes, place, (box.width * scale, box.height * scale), (at[0] * scale, (height - at[1]) * scale), scale)


def _leader(axes: Any, place: Any, size: Any, at: Any, scale: float) -> None:
    """A thin line from a label to its point where it stands away from it; all in points, y downwards."""
    x, y = min(max(at[0], place[0]), place[0] + size[0]), min(max(at[1], place[1]), place[1] + size[1])
    if np.hypot(x - at[0], y - at[1]) <= 9.0:
        return
    height = axes.figure.bbox.height
    ends = axes.transAxes.inverted().transform([(a / scale, height - b / scale) for a, b in ((x, y), at)])
    axes.plot(ends[:, 0], ends[:, 1], transform=axes.transAxes, color=GREY, lw=0.4, zorder=0)


def _composition(figure: Any, result: Comparison) -> None:
    sets = result.sets
    elements, containing, mean = element_bars([s.composition for s in sets])
    symbols = [SYMBOLS[z] for z in elements]
    grid = figure.subplots(2, 2)
    handles: list[Any] = []
    heavy = size_bars([s.composition.heavy for s in sets])
    atoms = size_bars([s.composition.atoms for s in sets])
    for axes, labels, table, title, below in (
        (grid[0, 0], symbols, containing, "structures with it / %", "element"),
        (grid[0, 1], symbols, mean, "mean number of atoms", "element"),
        (grid[1, 0], heavy[0], heavy[1], "structures / %", "atoms other than hydrogen"),
        (grid[1, 1], atoms[0], atoms[1], "structures / %", "atoms"),
    ):
        k, m = table.shape
        width = 0.84 / max(k, 1)
        handles = [
            axes.bar(
                np.arange(m) - 0.42 + (j + 0.5) * width,
                table[j],
                width,
                facecolor="white" if _HATCHES[j % 8] else COLORS[j % len(COLORS)],
                edgecolor=COLORS[j % len(COLORS)],
                hatch=_HATCHES[j % 8],
                linewidth=0.4,
            )
            for j in range(k)
        ]
        every = max(1, -(-m // 12))
        axes.set_xticks(range(0, m, every), labels[::every])
        axes.set_ylabel(title)
        axes.set_xlabel(below)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    _legend(figure, handles, [s.name for s in sets])


def _many(figure: Any, result: Comparison, panels: Sequence[Curves], log: bool, smoothing: float) -> None:
    if not panels:
        raise ValueError("no set has anything to draw here")
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    lines = -(-len(panels) // columns)
    handles: dict[int, Any] = {}
    for k, curves in enumerate(panels):
        axes = figure.add_subplot(lines, columns, k + 1)
        _curves(axes, curves, log, smoothing, handles)
        if k % columns == 0:
            axes.set_ylabel("density")
    order = sorted(handles)
    _legend(figure, [handles[k] for k in order], [result.sets[k].name for k in order])
    if len(panels) == 1:
        import textwrap

        axes.set_title("\n".join(textwrap.wrap(panels[0].note, 90)), fontsize="x-small", color="#5c636b")


def _curves(axes: Any, curves: Curves, log: bool, smoothing: float, handles: dict[int, Any]) -> None:
    x = curves.centers
    first, last, peak, least = len(x), 0, 0.0, np.inf
    for h in curves.histograms:
        y = h.density(curves.edges, smoothing, curves.log)
        color, line = COLORS[h.which % len(COLORS)], _LINES[h.which % len(_LINES)]
        handles[h.which] = axes.plot(x, np.where(y > 0, y, np.nan) if log else y, color=color, ls=line, lw=0.9)[0]
        filled = np.flatnonzero(y > 0)
        if len(filled):
            first, last = min(first, int(filled[0])), max(last, int(filled[-1]))
            peak, least = max(peak, float(y.max())), min(least, float(y[filled].min()))
    if curves.log:
        axes.set_xscale("log")
    if log and peak > 0:
        axes.set_yscale("log")
        axes.set_ylim(max(least, 1e-6 * peak), 1.5 * peak)
    elif peak > 0:
        axes.set_ylim(0, 1.05 * peak)
    if first <= last:
        pad = max(2, len(x) // 60)
        axes.set_xlim(x[max(first - pad, 0)], x[min(last + pad, len(x) - 1)])
    axes.set_xlabel(curves.title)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _coverage(figure: Any, covered: Coverage) -> None:
    k = len(covered.names)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    shares = 100 * covered.outside
    left.imshow(np.ma.masked_invalid(shares), cmap="Oranges", vmin=0, vmax=160, aspect="auto")
    labels = [_short(name) for name in covered.names]
    left.set_xticks(range(k), labels, rotation=30, ha="right")
    left.set_yticks(range(k), labels)
    left.set_xlabel("of")
    left.set_ylabel("outside")
    for a in range(k):
        for b in range(k):
            text = f"{shares[a, b]:.1f} %" if np.isfinite(shares[a, b]) else "–"
            left.text(b, a, text, ha="center", va="center", color=INK)
    handles: list[Any] = []
    edges, log = distance_bins(covered.nearest[0])
    if len(edges):
        middles = np.sqrt(edges[1:] * edges[:-1]) if log else 0.5 * (edges[1:] + edges[:-1])
        for b in range(k):
            known = covered.nearest[0][b][np.isfinite(covered.nearest[0][b])]
            histogram = Histogram(b, np.histogram(known, edges)[0].astype(np.int64), len(known))
            color, line = COLORS[b % len(COLORS)], _LINES[b % len(_LINES)]
            handles += right.plot(middles, histogram.density(edges, 1.0, log), color=color, ls=line)
        if np.isfinite(covered.threshold[0]) and (covered.threshold[0] > 0 or not log):
            right.axvline(covered.threshold[0], color=GREY, lw=0.6, ls=(0, (4, 3)))
        if log:
            right.set_xscale("log")
        right.set_ylim(bottom=0)
    right.set_xlabel(f"distance to the nearest structure of\n{_short(covered.names[0])}")
    right.set_ylabel("density")
    for side in ("top", "right"):
        right.spines[side].set_visible(False)
    if handles:
        _legend(figure, handles, covered.names)
