"""From features to colours and heights: scales on which a dominating diagonal does not drown the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# viridis at 33 equal steps (van der Walt & Smith, CC0); linear in between is within two levels of the original
_VIRIDIS = (
    "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e "
    "21908c 1f978b 1f9f88 21a685 27ad81 31b57b 3ebc74 4dc26c 5cc863 6ece58 82d34d 95d840 aadc32 c0df25 d5e21a eae51a "
    "fde725"
)
_DIVERGING_LIGHT = "053061 2166ac 4393c3 92c5de d1e5f0 f2f2f2 fddbc7 f4a582 d6604d b2182b 67001f"
_DIVERGING_DARK = "9ecae9 6baed6 4292c6 2a6ca3 28496b 2b2f36 6b3a32 a34a3a d0654f ee8f73 fcbba1"


def _lut(anchors: str) -> Array:
    """(256, 3) uint8 from equally spaced hex colours."""
    colors = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in anchors.split()], dtype=np.float64)
    at = np.linspace(0, len(colors) - 1, 256)
    channels = [np.interp(at, np.arange(len(colors)), colors[:, k]) for k in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


@cache
def sequential() -> Array:
    """(256, 3) uint8: viridis, which rises in lightness and reads on light and dark ground."""
    return _lut(_VIRIDIS)


@cache
def diverging(dark: bool) -> Array:
    """(256, 3) uint8: blue, neutral, red; the neutral middle is near the background."""
    return _lut(_DIVERGING_DARK if dark else _DIVERGING_LIGHT)


@dataclass(frozen=True)
class Scale:
    """Maps values to [0, 1].

    Attributes
    ----------
    kind : "linear", "log" or "symlog"
    low, high : float
        Values that become 0 and 1; `low` < `high`.
    width : float
        Half-width of the linear part of a symmetric log scale.
    """

    kind: Literal["linear", "log", "symlog"]
    low: float
    high: float
    width: float = 1.0

    @classmethod
    def of(cls, values: Array, *, symmetric: bool = False) -> Scale:
        """The scale on which these values can be read.

        Linear while the largest is within 20 times the lower quartile, logarithmic beyond, symmetric logarithmic where
        signs mix. At most four decades are resolved.

        Parameters
        ----------
        values : float array
            What is not finite is left out; zeros do not count (padding).
        symmetric : bool
            Zero lies in the middle: for differences.
        """
        given = np.asarray(values, dtype=np.float64)
        given = given[np.isfinite(given) & (given != 0)]
        if not len(given):
            return cls("linear", -1.0 if symmetric else 0.0, 1.0)
        sizes = np.abs(given)
        largest = float(sizes.max())
        wide = largest > 20 * float(np.quantile(sizes, 0.25))
        low, high = float(given.min()), float(given.max())
        if symmetric or (wide and low < 0 < high):
            width = min(max(float(np.quantile(sizes, 0.1)), largest * 1e-3), largest)
            return cls("symlog" if wide else "linear", -largest, largest, width)
        if wide and low > 0:
            return cls("log", max(low, high * 1e-4), high)
        return cls.linear(given)

    @classmethod
    def linear(cls, values: Array, *, symmetric: bool = False) -> Scale:
        """From the smallest to the largest value."""
        given = np.asarray(values, dtype=np.float64)
        given = given[np.isfinite(given)]
        low, high = (float(given.min()), float(given.max())) if len(given) else (0.0, 1.0)
        if symmetric:
            high = max(abs(low), abs(high))
            low = -high
        if low == high:
            # one value only: from nothing to it
            low, high = min(0.0, low), max(0.0, high)
        return cls("linear", low, high if high > low else low + 1.0)

    def from_zero(self) -> Scale:
        """For bars: zero is on the scale, and on a logarithmic one the smallest value still has a height."""
        if self.kind == "log":
            return Scale("log", self.low / 1.8, self.high * 1.1)
        return Scale(self.kind, min(self.low, 0.0), max(self.high, 0.0), self.width)

    def __call__(self, values: Any) -> Array:
        """Fractions in [0, 1]; values beyond the ends are clipped."""
        given = np.asarray(values, dtype=np.float64)
        if self.kind == "log":
            raised = np.log(np.maximum(given, self.low) / self.low) / math.log(self.high / self.low)
        elif self.kind == "symlog":
            low, high = (math.asinh(v / self.width) for v in (self.low, self.high))
            raised = (np.arcsinh(given / self.width) - low) / (high - low)
        else:
            raised = (given - self.low) / (self.high - self.low)
        return np.asarray(np.clip(raised, 0.0, 1.0))

    def ticks(self, room: int) -> list[float]:
        """At most about `room` round values on the scale, ascending."""
        room = max(room, 2)
        if self.kind == "linear":
            return _linear_ticks(self.low, self.high, room)
        if self.kind == "log":
            return _log_ticks(self.low, self.high, room)
        zero = float(self(0.0))
        above, below = (max(1, int(room * share) - 1) for share in (1.0 - zero, zero))
        more = _log_ticks(self.width, self.high, above) if self.high > self.width else []
        less = _log_ticks(self.width, -self.low, below) if -self.low > self.width else []
        return [v for v in (*(-s for s in reversed(less)), 0.0, *more) if self.low <= v <= self.high]


def _linear_ticks(low: float, high: float, room: int) -> list[float]:
    raw = (high - low) / room
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _log_ticks(low: float, high: float, room: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**k for k in decades for m in multiples]
        ticks = [t for t in ticks if low * 0.999 <= t <= high * 1.001]
        if len(ticks) <= room:
            break
    else:
        # the largest says most
        ticks = ticks[:: -math.ceil(len(ticks) / room)][::-1]
    return ticks or [low, high]


def number(value: float, digits: int = 3) -> str:
    """A number as people write it: no exponent while it is short, a true minus sign."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" in text and 1e-4 <= abs(value) < 1e6:
        text = f"{value:.0f}"
    return text.replace("-", "\u2212")


def duration(seconds: float) -> str:
    """A time as people say it: "0.3 s", "12 s", "3 min 20 s", "2 h 10 min"."""
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
