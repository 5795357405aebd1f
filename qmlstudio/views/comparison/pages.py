"""The pages of a comparison: sizes, composition, distances, angles, energies, forces."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.session.comparison.composition import element_bars, size_bars
from qmlstudio.session.comparison.literature import KNOWN
from qmlstudio.session.comparison.result import Comparison, Curves
from qmlstudio.widgets.bar_groups import BarGroups
from qmlstudio.widgets.curve_plot import CurvePlot, LegendBar, PlotCurve
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.size_chart import SizeChart, SizePoint
from qmlstudio.widgets.theme import theme

BONDED = (0.5, 2.2)
"""Å: where bonds between light elements lie."""


class Page(QWidget):
    """One page: follows a comparison."""

    name = ""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._note = QLabel()
        self._note.setWordWrap(True)

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        """Draw another comparison; None: there is none."""
        raise NotImplementedError

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._note.setStyleSheet(f"color: {theme(dark).muted}")

    @property
    def note(self) -> str:
        """What is said below the drawing."""
        return self._note.text()


class SizesPage(Page):
    """Molecules against structures."""

    name = "sizes"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chart = SizeChart()
        layout = QVBoxLayout(self)
        layout.addWidget(self.chart, 1)
        layout.addWidget(self._note)
        self._note.setText(self.tr("Grey: sets of the literature; rest the mouse on one for its citation."))
        self.show_comparison(None, [])

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        points = [SizePoint(k.name, k.molecules, k.conformations, k.text) for k in KNOWN]
        for s, style in zip(result.sets if result is not None else (), styles, strict=False):
            text = self.tr("{}: {:,} molecules (told apart by: {}), {:,} structures")
            if s.molecules == 1:
                text = self.tr("{}: {:,} molecule ({}), {:,} structures")
            text = text.format(s.name, s.molecules, s.molecules_by, s.structures)
            points.append(SizePoint(s.name, max(s.molecules, 1), s.structures, text, style))
        self.chart.set_points(points)

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.chart.set_dark(dark)


class CompositionPage(Page):
    """Elements and sizes, side by side."""

    name = "composition"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.legend = LegendBar(bars=True)
        self.containing, self.mean, self.heavy, self.atoms = (BarGroups() for _ in range(4))
        grid = QGridLayout()
        for k, chart in enumerate((self.containing, self.mean, self.heavy, self.atoms)):
            grid.addWidget(chart, k // 2, k % 2)
        layout = QVBoxLayout(self)
        layout.addWidget(self.legend)
        layout.addLayout(grid, 1)
        layout.addWidget(self._note)

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        self.legend.set_styles(styles if result is not None else [])
        sets = result.sets if result is not None else ()
        numbers, containing, mean = element_bars([s.composition for s in sets])
        names, total = [SYMBOLS[z] for z in numbers], len(result.elements) if result is not None else 0
        text = self.tr("The {} most frequent of {} elements.").format(len(names), total)
        self._note.setText(text if len(names) < total else "")
        self.containing.set_bars(names, styles[: len(sets)], containing, self.tr("structures with the element, %"))
        self.mean.set_bars(names, styles[: len(sets)], mean, self.tr("mean number of atoms"))
        for chart, tables, text in (
            (self.heavy, [s.composition.heavy for s in sets], self.tr("atoms other than hydrogen")),
            (self.atoms, [s.composition.atoms for s in sets], self.tr("atoms")),
        ):
            labels, shares = size_bars(tables)
            chart.set_bars(labels, styles[: len(sets)], shares, self.tr("structures, %"), text)

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.legend.set_dark(dark)
        for chart in (self.containing, self.mean, self.heavy, self.atoms):
            chart.set_dark(dark)


class CurvesPage(Page):
    """Curves of one quantity: energies or forces."""

    name = ""

    def __init__(self, name: str, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._empty = empty
        self._result: Comparison | None = None
        self._styles: list[SetStyle] = []
        self.plot = CurvePlot()
        self.log = QCheckBox(self.tr("&Logarithmic heights"))
        self.log.setToolTip(self.tr("Rare values beside frequent ones (what lies a million times lower is cut off)"))
        self.smoothing = QDoubleSpinBox()
        self.smoothing.setRange(0.0, 20.0)
        self.smoothing.setSingleStep(0.5)
        self.smoothing.setValue(1.0)
        self.smoothing.setSuffix(self.tr(" bins"))
        self.smoothing.setAccessibleName(self.tr("Smoothing"))
        self.smoothing.setToolTip(self.tr("Width of the Gaussian by which counts are spread; 0 shows them as they are"))
        self.tools = QHBoxLayout()
        self.tools.addWidget(self.log)
        caption = QLabel(self.tr("S&moothing"))
        caption.setBuddy(self.smoothing)
        self.tools.addWidget(caption)
        self.tools.addWidget(self.smoothing)
        self.tools.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(self.tools)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._note)
        self.log.toggled.connect(self._draw)
        self.smoothing.valueChanged.connect(self._draw)

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        self._result, self._styles = result, styles
        self._draw()

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.plot.set_dark(dark)

    def curves(self) -> Curves | None:
        """What is drawn."""
        if self._result is None:
            return None
        return self._result.energies if self.name == "energies" else self._result.forces

    def _draw(self, *_: object) -> None:
        curves = self.curves()
        self._note.setText(curves.note if curves is not None else "")
        if curves is None:
            self.plot.set_curves(np.zeros(0), [], "", "", message=self._empty)
            return
        drawn = [
            PlotCurve(self._styles[h.which], h.density(curves.edges, self.smoothing.value(), curves.log))
            for h in curves.histograms
            if h.which < len(self._styles)
        ]
        height, high = self.tr("density"), self.log.isChecked()
        self.plot.set_curves(curves.centers, drawn, curves.title, height, x_log=curves.log, y_log=high)


class GeometryPage(CurvesPage):
    """Curves of a pair's distances or a triple's angles, which is chosen."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, "", parent)
        distances = name == "distances"
        self._empty = self.tr("No pair of atoms.") if distances else self.tr("No atom with two bonds.")
        self.which = QComboBox()
        self.which.setAccessibleName(self.tr("Pair of elements") if distances else self.tr("Triple of elements"))
        self.which.setToolTip(self.tr("Those of most sets come first; ←/→ go on"))
        self.which.setMaxVisibleItems(24)
        self.tools.insertWidget(0, self.which)
        self.bonded = QPushButton(self.tr("&Bonds"))
        self.bonded.setToolTip(self.tr("Show {:g} to {:g} Å, where bonds are").format(*BONDED))
        self.bonded.setAutoDefault(False)
        self.bonded.setVisible(distances)
        self.everything = QPushButton(self.tr("A&ll"))
        self.everything.setToolTip(self.tr("Show the whole axis (R)"))
        self.everything.setAutoDefault(False)
        self.tools.addWidget(self.bonded)
        self.tools.addWidget(self.everything)
        self.which.currentIndexChanged.connect(self._draw)
        self.bonded.clicked.connect(self._on_bonded_clicked)
        self.everything.clicked.connect(self.plot.reset_range)

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        chosen = self.which.currentData()
        with QSignalBlocker(self.which):
            self.which.clear()
            if result is not None:
                table = result.distances if self.name == "distances" else result.angles
                for name in result.frequent(self.name):
                    sets = len(table[name].histograms)
                    self.which.addItem(self.tr("{}  ({} of {} sets)").format(name, sets, len(result.sets)), name)
            self.which.setCurrentIndex(max(self.which.findData(chosen), 0) if self.which.count() else -1)
        super().show_comparison(result, styles)

    def choose(self, name: str) -> None:
        """Show this pair ("C–H") or triple."""
        self.which.setCurrentIndex(self.which.findData(name))

    def curves(self) -> Curves | None:
        if self._result is None:
            return None
        table = self._result.distances if self.name == "distances" else self._result.angles
        return table.get(str(self.which.currentData()))

    def _on_bonded_clicked(self) -> None:
        self.plot.show_range(*BONDED)
