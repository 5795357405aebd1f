"""Formulas as pictures of their ink, for whoever draws them in colours of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress


def formula_ink(line: str, pixels_per_em: float) -> NDArray[np.uint8] | None:
    """(height, width) uint8, 255 where there is ink, of a line of TeX as matplotlib's mathtext knows it.

    None when mathtext cannot read it.
    """
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    with matplotlib.rc_context({"mathtext.fontset": "stix"}):
        try:
            # 72 dots per inch: a point is a pixel
            parsed: Any = MathTextParser("agg").parse(f"${line}$", dpi=72, prop=FontProperties(size=pixels_per_em))
        except ValueError:
            return None
    return np.array(np.asarray(parsed.image), dtype=np.uint8)


def formula_inks(
    lines: Sequence[str], pixels_per_em: float, progress: Progress = SILENT
) -> list[NDArray[np.uint8] | None]:
    """:func:`formula_ink` of several lines."""
    inks = []
    for line in lines:
        progress.check()
        inks.append(formula_ink(line, pixels_per_em))
    return inks
