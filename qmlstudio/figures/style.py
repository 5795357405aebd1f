"""How all figures look: matplotlib's settings for a specification, fonts, element colours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from qmlstudio.chem.elements import COLORS
from qmlstudio.figures.presets import FigureSpec

INK = "#1a1a1a"
GREY = "#8a8a8a"
ACTIVE = "#d1245c"
PIN = "#0b63b0"
"""Rings round the active structure and round pinned ones, as on the screen."""

PLATE = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.75}
"""What lies under text over a drawing. A halo of path effects would turn the text into outlines."""

_SANS = ("Arial", "Helvetica", "Liberation Sans")
_FALLBACK = "DejaVu Sans"
# matplotlib's settings are global; figures are made in job threads as well as in the window's
_LOCK = threading.RLock()


@cache
def resolve_font(name: str) -> str:
    """The font family to use: `name` if a TrueType file of it is installed, else DejaVu Sans (which matplotlib ships).

    Only TrueType is taken, since it embeds in PDF and SVG without conversion.
    """
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist if entry.fname.lower().endswith(".ttf")}
    wanted = _SANS if name == "automatic" else (name,)
    return next((font for font in wanted if font in installed), _FALLBACK)


def font_file(family: str, weight: str = "normal") -> Path:
    """The file of an installed font family."""
    from matplotlib import font_manager

    return Path(font_manager.findfont(font_manager.FontProperties(family=[family], weight=weight)))


@contextmanager
def styled(spec: FigureSpec) -> Iterator[None]:
    """Matplotlib's settings for `spec`, whatever the user's own matplotlibrc says; restored afterwards.

    Everything that makes, lays out or writes a figure happens inside. One thread at a time.
    """
    import matplotlib

    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        family = resolve_font(spec.font)
        text, small = spec.text_size, spec.small_size
        matplotlib.rcParams.update(
            {
                "font.family": [family] if family == _FALLBACK else [family, _FALLBACK],
                "font.size": text,
                "axes.titlesize": text,
                "axes.labelsize": text,
                "xtick.labelsize": small,
                "ytick.labelsize": small,
                "legend.fontsize": small,
                "legend.title_fontsize": small,
                "legend.frameon": False,
                "legend.handlelength": 1.0,
                "legend.handletextpad": 0.3,
                "legend.columnspacing": 1.0,
                "legend.labelspacing": 0.35,
                "legend.borderpad": 0.0,
                "legend.borderaxespad": 0.3,
                "axes.linewidth": 0.6,
                "axes.edgecolor": INK,
                "axes.labelcolor": INK,
                "text.color": INK,
                "xtick.color": INK,
                "ytick.color": INK,
                "xtick.major.width": 0.6,
                "ytick.major.width": 0.6,
                "xtick.minor.width": 0.4,
                "ytick.minor.width": 0.4,
                "xtick.major.size": 2.5,
                "ytick.major.size": 2.5,
                "xtick.minor.size": 1.5,
                "ytick.minor.size": 1.5,
                "xtick.major.pad": 2.0,
                "ytick.major.pad": 2.0,
                "axes.labelpad": 2.0,
                "lines.linewidth": 0.9,
                "patch.linewidth": 0.6,
                "mathtext.default": "regular",
                "svg.fonttype": "none",
                # ids inside SVG come from this instead of a random number: same figure, same bytes
                "svg.hashsalt": "qmlstudio",
                "pdf.fonttype": 42,
                "figure.dpi": 100,
                "figure.facecolor": "white",
                "axes.facecolor": "none",
                "savefig.transparent": False,
                "agg.path.chunksize": 20_000,
            }
        )
        yield


def new_figure(spec: FigureSpec, *, pad: float = 2.0) -> Any:
    """An empty figure of the specified size that belongs to no window and no pyplot; `pad` pt around and between axes.

    Call inside :func:`styled`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=spec.size_inches)
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=pad / 72, h_pad=pad / 72, wspace=0.02, hspace=0.02)
    figure.patch.set_alpha(0.0 if spec.transparent else 1.0)
    return figure


def freeze(figure: Any) -> Any:
    """Lay out once and keep it: the same places whatever the resolution or the format. Call inside :func:`styled`."""
    import warnings

    with warnings.catch_warnings():
        # on a tiny figure the engine gives up and says so; the axes then keep their unadjusted places
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        # the first pass knows the labels, the second their sizes at the first's scale
        figure.draw_without_rendering()
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def element_color(number: int) -> tuple[float, float, float]:
    """Jmol's colour of an element, RGB in [0, 1]; white (hydrogen) is greyed a little so that it shows on paper."""
    code = COLORS[number] if 0 <= number < len(COLORS) else COLORS[0]
    r, g, b = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    if min(r, g, b) > 0.9:
        return 0.88, 0.88, 0.88
    return r, g, b


def luminance(color: Any) -> float:
    """Relative luminance of an RGB colour in [0, 1] (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in map(float, color[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def text_on(color: Any) -> str:
    """Black or white, whichever reads better on the colour."""
    # equal contrast against black and white is at a luminance of 0.179
    return "black" if luminance(color) > 0.179 else "white"
