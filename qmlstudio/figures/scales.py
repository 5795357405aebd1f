"""From numbers and categories to colours, as the figures draw them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OKABE_ITO = np.array(
    [
        (0, 114, 178),
        (230, 159, 0),
        (0, 158, 115),
        (213, 94, 0),
        (86, 180, 233),
        (204, 121, 167),
        (120, 120, 120),
        (240, 228, 66),
    ],
    dtype=np.uint8,
)
"""Colours that people with any colour vision tell apart (Okabe & Ito 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Shapes of successive runs through the colours, so that more categories than colours stay distinct."""


@dataclass(frozen=True, eq=False)
class ColorScale:
    """How numbers become colours.

    Attributes
    ----------
    lut : (256, 3) uint8 or None
        Colours from `low` to `high`; viridis when None.
    low, high : float or None
        Ends of the scale; those of the finite values when None. Values beyond take the end's colour and the bar gets
        an arrow.
    scale : "linear", "log" or "symlog"
    label : str
        Title of the colour bar, with the unit: "gap / Ha".
    """

    lut: Array | None = None
    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log", "symlog"] = "linear"
    label: str = ""

    def colormap(self) -> Any:
        """The colours as matplotlib wants them."""
        import matplotlib
        from matplotlib.colors import ListedColormap

        if self.lut is None:
            return matplotlib.colormaps["viridis"]
        lut = np.asarray(self.lut)
        if lut.ndim != 2 or lut.shape[1] not in (3, 4):
            raise ValueError(f"lut has shape {lut.shape}, expected (256, 3)")
        return ListedColormap(lut[:, :3] / 255.0)

    def ends(self, values: Array) -> tuple[float, float]:
        """Low and high end for these values: finite, in order, never equal."""
        finite = values[np.isfinite(values)]
        if self.scale == "log":
            finite = finite[finite > 0]
        fallback = (1.0, 10.0) if self.scale == "log" else (0.0, 1.0)
        low = self.low if self.low is not None else (float(finite.min()) if len(finite) else fallback[0])
        high = self.high if self.high is not None else (float(finite.max()) if len(finite) else fallback[1])
        low, high = min(low, high), max(low, high)
        if self.scale == "log":
            high = high if high > 0 else fallback[1]
            low = low if low > 0 else high * 1e-3
        # one value only: a scale needs a width, and that value its middle
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
            if self.scale == "log":
                return low / 2, high * 2
            width = 0.5 * abs(low) or 0.5
            return low - width, high + width
        return low, high

    def norm(self, values: Array) -> Any:
        """Matplotlib's normalisation for these values."""
        from matplotlib.colors import LogNorm, Normalize, SymLogNorm

        low, high = self.ends(values)
        if self.scale == "log":
            return LogNorm(low, high, clip=True)
        if self.scale == "symlog":
            return SymLogNorm(linear_width(values, low, high), vmin=low, vmax=high, base=10, clip=True)
        return Normalize(low, high, clip=True)

    def extend(self, values: Array) -> str:
        """At which ends values lie beyond the scale: matplotlib's "neither", "min", "max" or "both"."""
        finite = values[np.isfinite(values)]
        low, high = self.ends(values)
        slack = 1e-9 * (high - low)
        below = bool((finite < low - slack).any())
        above = bool((finite > high + slack).any())
        return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
            below, above
        ]


@dataclass(frozen=True, eq=False)
class Categories:
    """A category for every point.

    Attributes
    ----------
    codes : (n,) int
        Index into `names`; negative where the category is missing.
    names : tuple of str
    colors : (k, 3) uint8 or None
        One for each name; Okabe–Ito, run through again with other marker shapes, when None.
    label : str
        Title of the legend.
    """

    codes: Array
    names: tuple[str, ...]
    colors: Array | None = None
    label: str = ""

    def palette(self) -> Array:
        """(k, 3) float, RGB in [0, 1]."""
        if self.colors is not None:
            if len(self.colors) < len(self.names):
                raise ValueError(f"{len(self.colors)} colours for {len(self.names)} categories")
            return np.asarray(self.colors)[: len(self.names), :3] / 255.0
        return OKABE_ITO[np.arange(len(self.names)) % len(OKABE_ITO)] / 255.0

    def marker(self, code: int) -> str:
        """Marker shape of a category."""
        return MARKERS[code // len(OKABE_ITO) % len(MARKERS)] if self.colors is None else "o"


def linear_width(values: Array, low: float, high: float) -> float:
    """Half-width of a symmetric log scale's linear part: a typical small magnitude, within 3 decades of the ends."""
    span = max(abs(low), abs(high), 1e-300)
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)])
    typical = float(np.quantile(magnitudes, 0.1)) if len(magnitudes) else span
    return min(max(typical, span * 1e-3), span)


def readable_scale(values: Array) -> Literal["linear", "log", "symlog"]:
    """The scale on which features can be read: linear, or logarithmic for wide ranges.

    Wide: the largest is more than 20 times the lower quartile. Symmetric logarithmic where signs mix.
    A Coulomb matrix's diagonal is up to a hundred times its other elements: linear colours would show nothing else.
    """
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)])
    if len(magnitudes) == 0 or float(magnitudes.max()) <= 20 * float(np.quantile(magnitudes, 0.25)):
        return "linear"
    return "symlog" if bool((values[np.isfinite(values)] < 0).any()) else "log"


def log_low(values: Array) -> float:
    """Low end of a logarithmic scale: the smallest positive value, but no more than four decades below the largest."""
    positive = values[np.isfinite(values) & (values > 0)]
    return max(float(positive.min()), float(positive.max()) * 1e-4) if len(positive) else 1e-3


def clean_number(value: float) -> str:
    """A number for a tick or a table: three significant digits, no exponent while it is short, a true minus sign."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.3g}"
    if "e" in text and 1e-4 <= abs(value) < 1e6:
        text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.6f}".rstrip("0")
    return text.replace("-", "\u2212")
