"""What a sample of the matrix says: its eigenvalues, its similarities, its alignment with the properties."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from qmlstudio.app.kernel_view import KernelEngine
from qmlstudio.app.store import Store
from qmlstudio.widgets.bar_list import Bar, BarList
from qmlstudio.widgets.histogram_plot import HistogramPlot, Mark, Series
from qmlstudio.widgets.log_plot import LogPlot
from qmlstudio.widgets.theme import theme

EIGENVALUES, DIMENSION = "eigenvalues", "dimension"


def _label() -> QLabel:
    found = QLabel()
    found.setWordWrap(True)
    found.setTextFormat(Qt.TextFormat.PlainText)
    found.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    found.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return found


def _column(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(3)
    return layout


class SpectrumPage(QWidget):
    """Eigenvalues, or the effective dimension over the regularisation."""

    def __init__(self, engine: KernelEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._what = QComboBox()
        self._what.addItem(self.tr("eigenvalues"), EIGENVALUES)
        self._what.addItem(self.tr("effective dimension over λ"), DIMENSION)
        self._what.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._what.setMinimumContentsLength(8)
        self._what.setAccessibleName(self.tr("What is drawn"))
        self._what.setToolTip(self.tr("Σ λᵢ / (λᵢ + λ): degrees of freedom of ridge regression with this kernel"))
        self.plot = LogPlot()
        self.words = _label()
        layout = _column(self)
        layout.addWidget(self._what)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.words)
        self._what.activated.connect(self._on_what_activated)
        engine.summary_changed.connect(self.show_summary)
        self.show_summary()

    @property
    def what(self) -> str:
        """EIGENVALUES or DIMENSION."""
        return str(self._what.currentData())

    def choose(self, what: str) -> None:
        """Draw the one or the other."""
        self._what.setCurrentIndex(max(0, self._what.findData(what)))
        self.show_summary()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.plot.set_dark(dark)

    def _on_what_activated(self, _place: int) -> None:
        self.show_summary()

    def show_summary(self) -> None:
        """Draw what there is."""
        summary = self._engine.summary
        if summary is None or not summary.count:
            self.plot.set_curve(np.zeros(0), np.zeros(0), ("", ""), self.tr("No kernel matrix yet."))
            self.words.setText("")
            return
        spectrum = summary.spectrum
        largest, empty = float(spectrum.values[0]), self.tr("All eigenvalues are 0.")
        if self.what == EIGENVALUES:
            numbers = np.arange(1, len(spectrum.values) + 1, dtype=np.float64)
            # below this there is nothing but rounding
            seen = np.where(spectrum.values > 1e-14 * largest, spectrum.values, np.nan)
            titles = self.tr("i"), self.tr("eigenvalue λᵢ of {:,} structures").format(summary.count)
            self.plot.set_curve(numbers, seen, titles, empty)
        else:
            lambdas = np.logspace(-12, 1, 105) * (largest or 1.0)
            titles = self.tr("λ"), self.tr("Σ λᵢ / (λᵢ + λ)")
            self.plot.set_curve(lambdas, spectrum.effective_dimension(lambdas), titles, empty)
        said = self.tr("Participation ratio {:.1f} of {:,}; {:,} eigenvalues carry 90 %, {:,} carry 99 % of the trace.")
        words = said.format(spectrum.participation, summary.count, spectrum.needed_for(0.9), spectrum.needed_for(0.99))
        if spectrum.negative > 1e-8:
            more = self.tr("⚠ Not positive semi-definite: an eigenvalue of −{:.1g} of the largest.")
            words += "\n" + more.format(spectrum.negative)
        self.words.setText(words)


class SimilarityPage(QWidget):
    """A histogram of the similarities of different structures, and a warning when they are all alike.

    Signals
    -------
    median_asked()
        The automatic scale is wanted.
    """

    median_asked = Signal()

    def __init__(self, engine: KernelEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._dark = False
        self.note = _label()
        self.take = QPushButton(self.tr("Take the median distance"))
        self.take.setToolTip(self.tr("Leave the scale to the median distance of the structures"))
        self.plot = HistogramPlot()
        self.plot.setAccessibleName(self.tr("Histogram of similarities"))
        layout = _column(self)
        layout.addWidget(self.note)
        layout.addWidget(self.take)
        layout.addWidget(self.plot, 1)
        self.take.clicked.connect(self.median_asked)
        engine.summary_changed.connect(self.show_summary)
        self.show_summary()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.plot.set_dark(dark)
        self.show_summary()

    def show_summary(self) -> None:
        """Draw what there is."""
        summary = self._engine.summary
        self.take.setVisible(False)
        if summary is None or summary.count < 2:
            self.plot.set_axes(np.linspace(0.0, 1.0, 2), self.tr("similarity"))
            self.plot.set_message(self.tr("No kernel matrix yet."))
            self.note.setText("")
            return
        self.plot.set_message("")
        self.plot.set_axes(summary.edges, self.tr("similarity"))
        name = self.tr("pairs of {:,} structures").format(summary.count)
        pairs = int(summary.counts.sum())
        self.plot.set_series([Series(name, theme(self._dark).point, summary.counts, pairs)])
        self.plot.set_mark(Mark(summary.median, self.tr("median")))
        kernel = self._engine.kernel
        scaled = any(f.name == "sigma" for f in fields(kernel))
        if summary.degenerate == "strangers":
            text = self.tr("⚠ Nearly all pairs have a similarity of 0: to this kernel all are strangers.")
            remedy = self.tr("σ is too small.")
        elif summary.degenerate == "equal":
            text = self.tr("⚠ Nearly all pairs have a similarity of 1: to this kernel all are equal.")
            remedy = self.tr("σ is too large.")
        else:
            self.note.setText(self.tr("Median similarity {:.3g} of different structures.").format(summary.median))
            return
        self.note.setText(f"{text} {remedy}" if scaled else text)
        self.take.setVisible(scaled and getattr(kernel, "sigma", None) is not None)


class AlignmentPage(QWidget):
    """Properties by how much the kernel knows of them; a click orders the matrix by one.

    Signals
    -------
    column_chosen(name)
    """

    column_chosen = Signal(str)

    def __init__(self, store: Store, engine: KernelEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._engine = store, engine
        self.list = BarList()
        self.words = _label()
        self.words.setText(
            self.tr("1: similar structures have similar values, and nothing else matters; 0: it says nothing.")
        )
        layout = _column(self)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.words)
        self.list.chosen.connect(self._on_list_chosen)
        engine.summary_changed.connect(self.show_summary)
        self.show_summary()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.list.set_dark(dark)

    def _on_list_chosen(self, k: int) -> None:
        summary = self._engine.summary
        if summary is not None and k < len(summary.alignments):
            self.column_chosen.emit(summary.alignments[k][0])

    def show_summary(self) -> None:
        """Draw what there is."""
        summary = self._engine.summary
        found = () if summary is None else summary.alignments
        tip = self.tr("centred alignment of the kernel with this property; a click orders the matrix by it")
        bars = [Bar(name, max(value, 0.0), f"{value:.3f}".replace("-", "−"), tip) for name, value in found]
        empty = self.tr("No kernel matrix yet.") if summary is None else self.tr("There is no property to align with.")
        self.list.set_bars(bars, self.tr("Centred alignment with each property"), message=empty)
