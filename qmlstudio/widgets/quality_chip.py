"""How far a map can be trusted, in one line."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QLabel, QWidget

from qmlstudio.learning.quality import Quality


class QualityChip(QLabel):
    """Trustworthiness, continuity and preserved neighbours; the tooltip says what they mean and over what they go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Quality of the map"))
        self.set_quality(None)

    def set_quality(self, quality: Quality | None) -> None:
        """Show scores; None: none are known (yet)."""
        self.setVisible(quality is not None)
        if quality is None:
            self.clear()
            return
        values = (quality.trustworthiness, quality.continuity, quality.preservation)
        if any(math.isnan(v) for v in values):
            self.setText(self.tr("quality: –"))
            self.setToolTip(quality.reason)
            return
        kept = self.tr("{:.0f} % kept").format(100 * quality.preservation)
        self.setText(f"T {quality.trustworthiness:.3f} · C {quality.continuity:.3f} · {kept}")
        over = self.tr("all {:,} points") if quality.exact else self.tr("a sample of {:,} points")
        lines = [
            self.tr("Trustworthiness {:.4f}: near on the map is near in the features").format(values[0]),
            self.tr("Continuity {:.4f}: near in the features is near on the map").format(values[1]),
            self.tr("{:.1f} % of each point's {} nearest in the features are among its nearest on the map").format(
                100 * values[2], quality.k
            ),
            self.tr("Taken over {}. Colour by “distortion” to see where the map errs.").format(
                over.format(quality.rows)
            ),
        ]
        if quality.reason:
            lines.append(quality.reason)
        self.setToolTip("\n".join(lines))
