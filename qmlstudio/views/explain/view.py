"""The panel "Why": the current model's prediction of the active structure explained, and how far to trust it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QTabWidget, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.explaining import FIT, Explainer
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Store
from qmlstudio.parameters import Parameterised
from qmlstudio.session.columns import N_HEAVY
from qmlstudio.session.quick_fit import QuickFit
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.views.explain.domain_page import DomainPage
from qmlstudio.views.explain.texts import decimals, label, number
from qmlstudio.views.explain.trust_page import TrustPage
from qmlstudio.views.explain.why_page import WhyPage
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.parameter_form import ParameterForm

PAGES = ("why", "trust", "domain")
NOT_OFFERED = (N_HEAVY, "n_atoms", "frame")


class WhyView(QWidget):
    """A choice of the model, a form to fit one, and three pages.

    Parameters
    ----------
    shelf : ModelShelf, optional
        The window's; one of its own without it.
    """

    def __init__(
        self, store: Store, runner: JobRunner, shelf: ModelShelf | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self.shelf = shelf if shelf is not None else ModelShelf(self)
        self.explainer = Explainer(store, runner, self.shelf, self)
        self._make()
        self.why = WhyPage(store, runner, self.explainer)
        self.trust = TrustPage(self.explainer)
        self.domain = DomainPage(store, self.explainer)
        self._lay_out()
        self._connect()
        self._show_models()
        self._show_columns()
        self._show_fit()

    # -- building

    def _make(self) -> None:
        self._models = QComboBox()
        self._models.setAccessibleName(self.tr("Model"))
        self._models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._models.setMinimumContentsLength(8)
        self._unfold = QToolButton()
        self._unfold.setText("＋")
        self._unfold.setCheckable(True)
        self._unfold.setAutoRaise(True)
        tip = self.tr("Fit a model of a property with the present representation")
        self._unfold.setToolTip(tip)
        self._unfold.setAccessibleName(tip)
        self._property = ColumnCombo(self.tr("choose a property"))
        self._property.setAccessibleName(self.tr("Property to learn"))
        self._form = ParameterForm(QuickFit())
        self._fit = QPushButton(self.tr("Fit"))
        self._fit.setToolTip(self.tr("A Gaussian process with the present representation: some seconds"))
        self._box = QWidget()
        inner = QVBoxLayout(self._box)
        inner.setContentsMargins(0, 0, 0, 2)
        inner.setSpacing(3)
        inner.addWidget(self._property)
        inner.addWidget(self._form)
        inner.addWidget(self._fit)
        self._status = label()
        self._scores = label()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)

    def _lay_out(self) -> None:
        self.tabs.addTab(self.why, self.tr("Why"))
        self.tabs.addTab(self.trust, self.tr("± σ"))
        self.tabs.addTab(self.domain, self.tr("Domain"))
        self.tabs.setTabToolTip(0, self.tr("Which training structures make this number"))
        self.tabs.setTabToolTip(1, self.tr("Whether the stated uncertainty holds"))
        self.tabs.setTabToolTip(2, self.tr("Where the model may be used; small molecules to large ones"))
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._models, 1)
        row.addWidget(self._unfold)
        top = QVBoxLayout()
        top.setContentsMargins(6, 6, 6, 0)
        top.setSpacing(3)
        top.addLayout(row)
        top.addWidget(self._box)
        top.addWidget(self._scores)
        top.addWidget(self._status)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.tabs, 1)

    def _connect(self) -> None:
        self._models.activated.connect(self._on_models_activated)
        self._unfold.toggled.connect(self._box.setVisible)
        self._fit.clicked.connect(self._on_fit_clicked)
        self._property.activated.connect(self._on_property_activated)
        self._form.value_changed.connect(self._on_form_value_changed)
        self.shelf.changed.connect(self._show_models)
        self.shelf.current_changed.connect(self._on_shelf_current_changed)
        self.explainer.status_changed.connect(self._show_status)
        self.explainer.busy_changed.connect(self._show_fit)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        for page in (self.why, self.trust, self.domain):
            page.set_dark(dark)

    def set_memory_budget(self, budget: int) -> None:
        """Bytes that a fit may take."""
        self.explainer.memory_budget = budget

    def state(self) -> dict[str, Any]:
        """How the panel stands, ready for JSON."""
        value = self._form.value()
        explainer = self.explainer
        return {
            "fit": value.to_dict() if value is not None else {},
            "target": self._property.chosen,
            "page": PAGES[self.tabs.currentIndex()],
            "shown": [explainer.chords, explainer.atoms, explainer.numbers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; what is missing or makes no sense is left as it is."""
        try:
            self._form.set_value(QuickFit.from_dict(state["fit"]))
            self._property.choose(str(state["target"]))
            self.tabs.setCurrentIndex(PAGES.index(state["page"]))
            chords, atoms, numbers = (bool(v) for v in state["shown"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        self.explainer.set_shown(chords, atoms, numbers)
        self.why.show_explanation()
        self._show_fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.explainer.set_watched(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.explainer.set_watched(False)

    # -- a person

    def _on_models_activated(self, place: int) -> None:
        self.shelf.set_current(self.shelf.models[place] if place < len(self.shelf.models) else None)

    def _on_fit_clicked(self) -> None:
        if self.explainer.is_busy(FIT):
            self.explainer.cancel(FIT)
            return
        value = self._form.value()
        if isinstance(value, QuickFit):
            self.explainer.fit(value.with_values(target=self._property.chosen))

    def _on_property_activated(self, _place: int) -> None:
        self._show_fit()

    def _on_form_value_changed(self, _value: Parameterised) -> None:
        self._show_fit()

    # -- following

    def _on_shelf_current_changed(self, model: ShelfModel | None) -> None:
        self._show_models()
        if model is not None:
            self._unfold.setChecked(False)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"dataset", "added"}:
            self._show_columns()
        if names & {"dataset", "representation"}:
            self._show_fit()

    def _show_models(self) -> None:
        models, current = self.shelf.models, self.shelf.current
        with QSignalBlocker(self._models):
            self._models.clear()
            for model in models:
                self._models.addItem(model.name)
            if not models:
                self._models.addItem(self.tr("no model yet"))
            self._models.setCurrentIndex(models.index(current) if current in models else 0)
        self._models.setEnabled(bool(models))
        self._models.setToolTip("" if current is None else f"{current.name}\n{current.note}".strip())
        if not models:
            self._unfold.setChecked(True)
        self._box.setVisible(self._unfold.isChecked())
        self.tabs.setVisible(True)
        self._scores.setVisible(current is not None and "mae" in current.scores)
        if current is not None and "mae" in current.scores:
            mae = float(current.scores["mae"])
            text = self.tr("N = {:,} · MAE {} {} on {:,} held out").format(
                current.model.n_train, number(mae, decimals(mae, 3)), current.unit, len(current.test)
            )
            self._scores.setText(text)
        self._show_status()

    def _show_columns(self) -> None:
        columns = self._store.columns
        names = () if columns is None else columns.numeric(composition=False)
        self._property.set_columns(columns, [n for n in names if n not in NOT_OFFERED])
        colored = self._store.session.coloring.color_by
        if not self._property.chosen and colored:
            self._property.choose(colored)
        self._show_fit()

    def _show_fit(self) -> None:
        busy = self.explainer.is_busy(FIT)
        self._fit.setText(self.tr("Cancel the fit") if busy else self.tr("Fit"))
        self._fit.setEnabled(busy or bool(self._property.chosen))
        self._show_status()

    def _show_status(self, _text: str = "") -> None:
        text = self.explainer.status
        if self.explainer.is_busy(FIT):
            text = self.tr("Fitting a model of {} with {}…").format(
                self._property.chosen, self._store.session.representation.title
            )
        elif self.shelf.current is None and not text:
            text = self.tr("Fit a model, or take one of the learning panel: then a click on a molecule says why.")
        self._status.setText(text)
        self._status.setVisible(bool(text))
