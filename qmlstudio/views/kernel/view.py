"""The panel "Kernel": a choice of the kernel, and pages with its matrix, spectrum, similarities and alignment."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.kernel_view import COLUMN, KernelEngine
from qmlstudio.app.store import Store
from qmlstudio.learning import kernels
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.parameters import Parameterised
from qmlstudio.session.kernel_picture import kernels_for, suits
from qmlstudio.views.kernel.matrix_page import MatrixPage, rounded
from qmlstudio.views.kernel.sample_pages import AlignmentPage, SimilarityPage, SpectrumPage
from qmlstudio.widgets.parameter_form import ParameterForm

PAGES = ("matrix", "spectrum", "similarities", "alignment")


class KernelView(QWidget):
    """Follows the session's representation; computes only while it is to be seen."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.engine = KernelEngine(store, runner, self)
        self._kernels = QComboBox()
        self._kernels.setAccessibleName(self.tr("Kernel"))
        self._kernels.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._kernels.setMinimumContentsLength(8)
        self._unfold = QToolButton()
        self._unfold.setText("⚙")
        self._unfold.setCheckable(True)
        self._unfold.setAutoRaise(True)
        self._unfold.setToolTip(self.tr("Parameters of the kernel"))
        self._unfold.setAccessibleName(self._unfold.toolTip())
        self._form = ParameterForm()
        self._form.setVisible(False)
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._compute = QPushButton(self.tr("Compute the features"))
        self._compute.setToolTip(self.tr("Only the features, no map"))
        self.matrix = MatrixPage(store, runner, self.engine)
        self.spectrum = SpectrumPage(self.engine)
        self.similarities = SimilarityPage(self.engine)
        self.alignment = AlignmentPage(store, self.engine)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.addTab(self.matrix, self.tr("Matrix"))
        self.tabs.addTab(self.spectrum, self.tr("Spectrum"))
        self.tabs.addTab(self.similarities, self.tr("Values"))
        self.tabs.addTab(self.alignment, self.tr("Align"))
        self.tabs.setTabToolTip(0, self.tr("Similarities of all pairs as an image"))
        self.tabs.setTabToolTip(1, self.tr("Eigenvalues and effective dimension"))
        self.tabs.setTabToolTip(2, self.tr("Histogram of the similarities"))
        self.tabs.setTabToolTip(3, self.tr("Alignment with the properties"))
        self._lay_out()
        self._kernels.activated.connect(self._on_kernels_activated)
        self._unfold.toggled.connect(self._form.setVisible)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._compute.clicked.connect(self.engine.compute_features)
        self.engine.status_changed.connect(self._show_status)
        self.engine.ground_changed.connect(self._on_engine_ground_changed)
        self.similarities.median_asked.connect(self._on_similarities_median_asked)
        self.alignment.column_chosen.connect(self._on_alignment_column_chosen)
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        self._show_kernels()
        self._show_status()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._kernels, 1)
        row.addWidget(self._unfold)
        top = QVBoxLayout()
        top.setContentsMargins(6, 6, 6, 0)
        top.setSpacing(3)
        top.addLayout(row)
        top.addWidget(self._form)
        top.addWidget(self._status)
        top.addWidget(self._compute)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.tabs, 1)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        for page in (self.matrix, self.spectrum, self.similarities, self.alignment):
            page.set_dark(dark)

    def set_memory_budget(self, budget: int) -> None:
        """How many bytes features may take."""
        self.engine.memory_budget = budget

    def figure_inputs(self) -> dict[str, Any]:
        """What a figure of the matrix is drawn of; without a matrix only what does not need one."""
        image = self.matrix.image
        low, high, log = image.color_range
        engine = self.engine
        return {
            "ground": engine.ground,
            "order": engine.order,
            "axis": image.axis_title,
            "limits": (low, high),
            "log": log,
        }

    def state(self) -> dict[str, Any]:
        """How the panel stands, ready for JSON."""
        by, column = self.engine.ordered_by
        return {
            "kernel": self.engine.kernel.to_dict(),
            "order": [by, column],
            "log": self.matrix.is_log,
            "page": PAGES[self.tabs.currentIndex()],
            "spectrum": self.spectrum.what,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; what is missing or makes no sense is left as it is."""
        try:
            kernel = kernels.from_dict(state["kernel"])
            by, column = (str(v) for v in state["order"])
            page = PAGES.index(state["page"])
            log, what = bool(state["log"]), str(state["spectrum"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        self._set_kernel(kernel)
        self.matrix.order_by(by, column)
        self.matrix.set_log(log)
        self.spectrum.choose(what)
        self.tabs.setCurrentIndex(page)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.engine.set_watched(True)
        self.engine.request(self.matrix.image.wanted())

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.engine.set_watched(False)

    # -- a person

    def _on_kernels_activated(self, _place: int) -> None:
        name = str(self._kernels.currentData() or "")
        if name and name != self.engine.kernel.name:
            self._set_kernel(kernels.get(name)())

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Kernel):
            self.engine.set_kernel(value)
            self._show_status()

    def _on_similarities_median_asked(self) -> None:
        kernel = self.engine.kernel
        if any(f.name == "sigma" for f in fields(kernel)):
            self._set_kernel(kernel.with_values(sigma=None))

    def _on_alignment_column_chosen(self, name: str) -> None:
        self.matrix.order_by(COLUMN, name)
        self.tabs.setCurrentWidget(self.matrix)

    def _set_kernel(self, kernel: Kernel) -> None:
        self.engine.set_kernel(kernel)
        self._show_kernels()

    # -- following

    def _on_engine_ground_changed(self) -> None:
        self._show_status()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"dataset", "representation"}:
            self._show_kernels()
            self._show_status()

    def _on_store_results_changed(self, name: str) -> None:
        if name == "features":
            self._show_status()

    def _show_kernels(self) -> None:
        representation = self._store.session.representation
        known = [] if self._store.dataset is None else kernels_for(representation)
        with QSignalBlocker(self._kernels):
            self._kernels.clear()
            for kernel in known:
                self._kernels.addItem(kernel.title, kernel.name)
            if not known:
                self._kernels.addItem(self.tr("no kernel"), "")
            elif suits(self.engine.kernel, representation):
                self._kernels.setCurrentIndex(max(0, self._kernels.findData(self.engine.kernel.name)))
        self._kernels.setEnabled(bool(known))
        if known:
            chosen = self.engine.kernel
            self._kernels.setToolTip("\n".join(filter(None, (chosen.formula, chosen.help))))
            if self._form.value() != chosen:
                with QSignalBlocker(self._form):
                    self._form.set_value(chosen)
        self._unfold.setEnabled(bool(known))

    def _show_status(self, _text: str = "") -> None:
        ground, text = self.engine.ground, self.engine.status
        if not text and ground is not None:
            sigma, wanted = getattr(ground.kernel, "sigma", None), getattr(self.engine.kernel, "sigma", None)
            if sigma is not None and wanted is None:
                text = self.tr("σ = {} (median distance)").format(rounded(float(sigma)))
        self._status.setText(text)
        self._status.setVisible(bool(text))
        self._compute.setVisible(self.engine.can_compute)
