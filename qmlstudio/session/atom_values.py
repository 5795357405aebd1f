"""A number for each atom of a structure, and the colours that it is painted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.session.coloring import palette

Floats = NDArray[np.float64]

MISSING = (0.55, 0.57, 0.59)
"""Of atoms without a number: grey, which the palette does not have."""


@dataclass(frozen=True, eq=False)
class AtomValues:
    """What is painted on the atoms of one structure: signed numbers on a diverging scale about zero.

    Attributes
    ----------
    values : (N,) float64
        Not finite where an atom has none.
    title : str
        What they are.
    unit : str
    numbers : bool
        Whether they are written beside the atoms, too.
    palette : str
        Of :data:`qmlstudio.session.coloring.PALETTES`.
    """

    values: Floats
    title: str
    unit: str = ""
    numbers: bool = False
    palette: str = "vik"

    @property
    def limit(self) -> float:
        """The scale goes from minus this to this: the largest size, 1 where all are zero or missing."""
        sizes = np.abs(self.values[np.isfinite(self.values)])
        return float(sizes.max(initial=0.0)) or 1.0

    @property
    def label(self) -> str:
        """Title with unit, for the bar."""
        return f"{self.title} / {self.unit}" if self.unit else self.title

    def colors(self) -> NDArray[np.float32]:
        """(N, 3) red, green, blue, 0 … 1."""
        lut = palette(self.palette)
        there = np.isfinite(self.values)
        # halved before it is divided: the limit may be the smallest number or near the largest
        share = 0.5 + 0.5 * (np.where(there, self.values, 0.0) / self.limit)
        rows = np.clip(np.rint(share * (len(lut) - 1)), 0, len(lut) - 1).astype(np.int64)
        return np.where(there[:, None], lut[rows] / 255.0, MISSING).astype(np.float32)

    def texts(self) -> tuple[str, ...]:
        """What stands beside each atom: three significant digits of the largest, a dash where there is no number."""
        digits = int(np.clip(2 - np.floor(np.log10(self.limit)), 0, 12))
        return tuple(signed(v, digits) for v in self.values.tolist())


def signed(value: float, digits: int) -> str:
    """A number with its sign, a true minus; "0" without one, a dash for what is not finite."""
    if not np.isfinite(value):
        return "–"
    if not 1e-9 < abs(value) < 1e7:
        return "0" if value == 0 else f"{value:+.2e}".replace("-", "−")
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"
