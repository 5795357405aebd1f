"""The third page: where the model may be used, and what becomes of it on larger molecules than it has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.explaining import SIZES, SURVEY, Explainer
from qmlstudio.app.store import Store
from qmlstudio.parameters import Parameterised
from qmlstudio.session.applicability import Survey, deviation_name, distance_name, role_name
from qmlstudio.session.columns import N_HEAVY
from qmlstudio.session.explanation import TRAIN
from qmlstudio.session.size_transfer import MEAN, PRESENT, SUM, SizeResult, SizeTransfer, suggest_largest
from qmlstudio.views.explain.texts import decimals, label, number
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.error_by_size import ErrorBySize, SizeCurve
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.set_style import SetStyle

_STYLES = {
    PRESENT: (("#0072b2", "#56b4e9"), "dash", 0),
    MEAN: (("#a0437c", "#e79ac4"), "dot", 1),
    SUM: (("#c04f00", "#ff8f3f"), "solid", 2),
}
CHART_HEIGHT = 250
DIRECT = 20_000
"""Structures that are looked at for a default."""


class DomainPage(QWidget):
    """Buttons that colour the map, and the chart of errors against size."""

    def __init__(self, store: Store, explainer: Explainer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._explainer = store, explainer
        self._dark = False
        self._wish = ""
        self._suggested = ""
        self._told: tuple[Survey | None, str] = (None, "")
        self._make()
        self._lay_out()
        explainer.survey_changed.connect(self._on_survey_changed)
        explainer.left_out_changed.connect(self.show_domain)
        explainer.sizes_changed.connect(self.show_sizes)
        explainer.busy_changed.connect(self._on_busy_changed)
        store.changed.connect(self._on_store_changed)
        self.show_columns()
        self.show_domain()
        self.show_sizes()

    # -- building

    def _make(self) -> None:
        self._text = label()
        self._distance = QPushButton(self.tr("Colour by distance"))
        self._distance.setToolTip(self.tr("Colour the map by the distance to the nearest training structure"))
        self._deviation = QPushButton(self.tr("Colour by ± σ"))
        self._mark = QPushButton(self.tr("Mark the training set"))
        self._mark.setToolTip(self.tr("Give training and held-out structures symbols of their own on the map"))
        self._outside = QPushButton(self.tr("Select those outside"))
        self._outside.setToolTip(self.tr("Select what lies farther from the training set than its own structures do"))
        self._property = ColumnCombo(self.tr("choose a property"))
        self._property.setAccessibleName(self.tr("Property to carry to larger molecules"))
        self._form = ParameterForm(SizeTransfer())
        self._run = QPushButton(self.tr("Train on small, test on large"))
        self._run.setToolTip(
            self.tr("Fits three models of the same small molecules and tests them on larger ones; some ten seconds")
        )
        self.chart = ErrorBySize()
        self.chart.setFixedHeight(CHART_HEIGHT)
        self.told = label()
        for button, slot in (
            (self._distance, self._on_distance_clicked),
            (self._deviation, self._on_deviation_clicked),
            (self._mark, self._on_mark_clicked),
            (self._outside, self._on_outside_clicked),
            (self._run, self._on_run_clicked),
        ):
            button.clicked.connect(slot)
        self._property.activated.connect(self._on_property_activated)
        self._form.value_changed.connect(self._on_form_value_changed)

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 6, 6)
        column.setSpacing(4)
        column.addWidget(_heading(self.tr("Where the model may be used")))
        column.addWidget(self._text)
        buttons = FlowLayout(gap=4)
        for button in (self._distance, self._deviation, self._mark, self._outside):
            buttons.addWidget(button)
        column.addLayout(buttons)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        column.addWidget(line)
        column.addWidget(_heading(self.tr("Small to large")))
        column.addWidget(self._property)
        column.addWidget(self._form)
        column.addWidget(self._run)
        column.addWidget(self.chart)
        column.addWidget(self.told)
        column.addStretch()
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.chart.set_dark(dark)
        self.show_sizes()

    # -- showing

    def show_columns(self) -> None:
        """Offer the data set's properties; learn up to a number of atoms that leaves larger ones."""
        columns, dataset = self._store.columns, self._store.dataset
        names = () if columns is None else columns.numeric(composition=False)
        self._property.set_columns(columns, [n for n in names if n not in (N_HEAVY, "n_atoms", "frame")])
        model = self._explainer.model
        if not self._property.chosen and model is not None:
            self._property.choose(model.target)
        fingerprint = "" if dataset is None else dataset.fingerprint
        if columns is not None and dataset is not None and fingerprint != self._suggested:
            self._suggested = fingerprint
            # atoms of millions of structures are not counted for a default
            if N_HEAVY in columns.names(composition=False) or len(dataset) <= DIRECT:
                some = columns[N_HEAVY].values[:: 1 + len(dataset) // DIRECT]
                self._form.set_value(self._spec().with_values(largest=suggest_largest(some)))

    def show_domain(self) -> None:
        """What is known of the present model's domain."""
        model, found, busy = self._explainer.model, self._explainer.survey, self._explainer.is_busy(SURVEY)
        ground = self._explainer.ground
        ready = model is not None and ground is not None
        for button in (self._distance, self._mark, self._outside):
            button.setEnabled(ready and not busy)
        has_deviation = model is not None and hasattr(model.model, "deviations_from")
        if found is not None:
            has_deviation = found.deviation is not None
        self._deviation.setEnabled(ready and not busy and has_deviation)
        self._deviation.setToolTip(
            self.tr("Colour the map by the model's own standard deviation")
            if has_deviation
            else self.tr("This model states no ± σ: a Gaussian process does")
        )
        if model is None:
            self._text.setText(self.tr("Choose or fit a model: it can be trusted within the span of what it has seen."))
        elif busy:
            self._text.setText(self.tr("Applying the model to all structures…"))
        elif found is None:
            self._text.setText(
                self.tr("{:,} training structures: colour the map to see gaps.").format(model.model.n_train)
            )
        else:
            if self._told[0] is not found:
                self._told = (found, self._domain_text(found))
            self._text.setText(self._told[1])
        if not self._property.chosen and model is not None:
            self._property.choose(model.target)

    def _domain_text(self, survey: Survey) -> str:
        model = survey.ground.shelf
        outside, n = survey.outside, len(survey.prediction)
        new = survey.ground.roles != TRAIN
        text = self.tr(
            "{:,} of {:,} structures lie outside the domain (farther than {:.3g}, within which 95 % of the "
            "training structures have another one)."
        ).format(int(outside.sum()), n, model.model.domain or float("nan"))
        errors = np.abs(survey.errors)
        known = np.isfinite(errors) & new
        if (known & outside).any() and (known & ~outside).any():
            far, near = float(errors[known & outside].mean()), float(errors[known & ~outside].mean())
            places = decimals(near, 3)
            text += self.tr(" Error outside {}, inside {} {}.").format(
                number(far, places), number(near, places), model.unit
            )
        return text

    def show_sizes(self) -> None:
        """What is known of small and large."""
        busy, result, error = self._explainer.is_busy(SIZES), self._explainer.sizes, self._explainer.sizes_error
        self._run.setText(self.tr("Cancel") if busy else self.tr("Train on small, test on large"))
        self._run.setEnabled(busy or bool(self._property.chosen))
        if result is None or not result.models:
            message = self.tr("⚠ {}").format(error) if error else ""
            if busy:
                message = self.tr("Learning…")
            self.chart.set_curves([], 0, ("", ""), message)
            self.chart.setVisible(bool(message))
            self.told.setText(
                self.tr(
                    "Learns small molecules and predicts larger ones with the present representation, with atoms "
                    "that add up, and with the mean over the same atoms."
                )
                if not message
                else ""
            )
            return
        self.chart.setVisible(True)
        curves = []
        for model in result.models:
            colors, line, place = _STYLES[model.kind]
            style = SetStyle(model.label, colors[self._dark], line, place)
            curves.append(SizeCurve(style, model.sizes, model.mae, model.counts))
        unit = f" / {result.unit}" if result.unit else ""
        titles = self.tr("heavy atoms"), self.tr("MAE{}").format(unit)
        self.chart.set_curves(curves, result.spec.largest, titles)
        self.told.setText(self._size_text(result))

    def _size_text(self, result: SizeResult) -> str:
        lines = [
            self.tr("Learned from {:,} molecules of up to {} heavy atoms; mean error up to there → beyond:").format(
                len(result.train), result.spec.largest
            )
        ]
        for model in result.models:
            places = decimals(min(model.inside, model.outside), 2)
            lines.append(
                self.tr("{}: {} → {} {} (× {:.1f})").format(
                    model.label,
                    number(model.inside, places),
                    number(model.outside, places),
                    result.unit,
                    model.outside / model.inside if model.inside > 0 else float("nan"),
                )
            )
        total, others = result.of(SUM), [m for m in result.models if m.kind != SUM]
        if result.is_complete and total is not None and others:
            best = min(m.outside for m in others)
            if total.outside < best:
                lines.append(
                    self.tr(
                        "A sum over atoms knows the larger molecule's surroundings one by one and adds them up; "
                        "what describes whole molecules, or their mean atom, has never been there."
                    )
                )
            else:
                lines.append(
                    self.tr(
                        "Here the sum over atoms is no better beyond the sizes it has seen: the property does not "
                        "grow by contributions of atoms, or there is too little to learn from."
                    )
                )
        return "\n".join(lines)

    # -- a person

    def _spec(self) -> SizeTransfer:
        value = self._form.value()
        spec = value if isinstance(value, SizeTransfer) else SizeTransfer()
        return spec.with_values(target=self._property.chosen)

    def _on_property_activated(self, _place: int) -> None:
        self.show_sizes()

    def _on_form_value_changed(self, _value: Parameterised) -> None:
        self.show_sizes()

    def _on_run_clicked(self) -> None:
        if self._explainer.is_busy(SIZES):
            self._explainer.cancel(SIZES)
        else:
            self._explainer.find_sizes(self._spec())

    def _ask(self, wish: str) -> None:
        self._wish = wish
        self._explainer.find_survey()

    def _on_distance_clicked(self) -> None:
        self._ask("distance")

    def _on_deviation_clicked(self) -> None:
        self._ask("deviation")

    def _on_mark_clicked(self) -> None:
        self._ask("mark")

    def _on_outside_clicked(self) -> None:
        self._ask("outside")

    def _on_survey_changed(self) -> None:
        survey, wish = self._explainer.survey, self._wish
        self.show_domain()
        if survey is None:
            return
        self._wish = ""
        if wish == "distance" and survey.distance is not None:
            self._color(distance_name())
        elif wish == "deviation" and survey.deviation is not None:
            self._color(deviation_name(survey.ground.shelf.target))
        elif wish == "mark":
            session = self._store.session
            view = replace(session.map_view, symbol_by=role_name())
            self._store.update(self.tr("mark the training set"), map_view=view)
        elif wish == "outside":
            self._store.select(survey.outside, "replace", self.tr("outside the domain"))

    def _color(self, column: str) -> None:
        coloring = replace(self._store.session.coloring, color_by=column, hidden="")
        self._store.update(self.tr("colour by {}").format(column), coloring=coloring)

    def _on_busy_changed(self) -> None:
        self.show_domain()
        self.show_sizes()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"dataset", "added"}:
            self.show_columns()
            self.show_domain()


def _heading(words: str) -> QLabel:
    text = label(words)
    font = text.font()
    font.setBold(True)
    text.setFont(font)
    return text
