"""The second page: whether ± σ and intervals hold on structures that the model has not seen."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from qmlstudio.app.explaining import RELIABILITY, Explainer
from qmlstudio.session.applicability import Reliability
from qmlstudio.views.explain.texts import decimals, label, number
from qmlstudio.widgets.calibration_plot import CalibrationPlot, Coverage
from qmlstudio.widgets.set_style import SetStyle

# blue, vermilion, green of Okabe and Ito, for light and dark
_COLORS = (("#0072b2", "#56b4e9"), ("#c04f00", "#ff8f3f"), ("#007a5a", "#2ecc9b"))
_LINES = ("solid", "dash", "dot")


class TrustPage(QWidget):
    """A calibration plot, with what it means in words."""

    def __init__(self, explainer: Explainer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._explainer = explainer
        self._dark = False
        self.plot = CalibrationPlot()
        self.text = label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)
        layout.addStretch()
        explainer.reliability_changed.connect(self.show_reliability)
        explainer.left_out_changed.connect(self._on_ground_changed)
        explainer.busy_changed.connect(self.show_reliability)
        self.show_reliability()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.plot.set_dark(dark)
        self.show_reliability()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._explainer.find_reliability()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """About square: the diagonal is what curves are compared with."""
        super().resizeEvent(event)
        self.plot.setMaximumHeight(max(200, round(1.05 * self.width())))

    def _on_ground_changed(self) -> None:
        if self.isVisible():
            self._explainer.find_reliability()

    def show_reliability(self) -> None:
        """Show what the explainer has."""
        found = self._explainer.reliability
        if found is None:
            if self._explainer.is_busy(RELIABILITY):
                message = self.tr("Applying the model to held-out structures…")
            elif self._explainer.reliability_error:
                message = self.tr("⚠ {}").format(self._explainer.reliability_error)
            else:
                message = self.tr("Choose or fit a model.")
            self.plot.set_curves([], message)
            self.text.setText("")
            return
        self.plot.set_curves(self._curves(found))
        self.text.setText(self._text(found))

    def _curves(self, found: Reliability) -> list[Coverage]:
        curves = []
        band = 1.96 * np.sqrt(found.nominal * (1 - found.nominal) / max(found.checked, 1))
        if found.sigma is not None and found.sigma.n:
            s = found.sigma
            chance = 1.96 * np.sqrt(s.nominal * (1 - s.nominal) / s.n)
            curves.append(Coverage(self._style(0, self.tr("± σ of the model")), s.nominal, s.observed, chance))
        curves.append(Coverage(self._style(1, self.tr("conformal")), found.nominal, found.plain, band))
        if found.scaled is not None:
            by = self.tr("conformal × σ") if found.scale == "deviation" else self.tr("conformal × distance")
            curves.append(Coverage(self._style(2, by), found.nominal, found.scaled))
        return curves

    def _style(self, place: int, name: str) -> SetStyle:
        return SetStyle(name, _COLORS[place][self._dark], _LINES[place], place)

    def _text(self, found: Reliability) -> str:
        shelf = self._explainer.model
        unit = "" if shelf is None else f" {shelf.unit}"
        places = decimals(found.mae, 3)
        lines = [
            self.tr("{:,} structures held out: MAE {}{}").format(found.count, number(found.mae, places), unit),
        ]
        if found.sigma is not None:
            lines.append(
                self.tr("Model: {}; rank correlation of σ and error {}").format(
                    found.sigma.text, number(found.sigma.ranking, 2)
                )
            )
        else:
            lines.append(self.tr("This model states no ± σ: intervals come from the held-out errors alone."))
        widths = [self.tr("{:.0%}: ± {}").format(c.coverage, number(c.width, places)) for c in found.intervals]
        lines.append(self.tr("Conformal intervals, whatever the model: {}{}").format("  ".join(widths), unit))
        lines.append(
            self.tr(
                "They were made with one half of the held-out structures and checked on the other ({:,}). They "
                "hold for structures like these, not beyond the domain."
            ).format(found.checked)
        )
        return "\n".join(lines)
