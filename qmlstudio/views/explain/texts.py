"""Numbers and small widgets that the pages have in common."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy


def label(words: str = "") -> QLabel:
    """Text that wraps and never widens its panel."""
    found = QLabel(words)
    found.setWordWrap(True)
    found.setTextFormat(Qt.TextFormat.PlainText)
    found.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    found.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return found


def decimals(scale: float, figures: int) -> int:
    """Decimals with which a number of this size has so many significant figures; 0 to 12."""
    if not np.isfinite(scale) or scale == 0:
        return figures
    return int(np.clip(figures - 1 - np.floor(np.log10(abs(scale))), 0, 12))


def number(value: float, places: int, sign: bool = False) -> str:
    """With so many decimals and a true minus; a dash for what is not finite."""
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1e9:
        return f"{value:{'+' if sign else ''}.3e}".replace("-", "−")
    text = f"{value:{'+' if sign else ''},.{places}f}"
    if not float(text.replace(",", "")):
        text = text.lstrip("+-")
    return text.replace("-", "−")
