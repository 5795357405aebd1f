"""What all series of a bench have in common: sizes, repeats, split, search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QSpinBox, QToolButton, QWidget

from qmlstudio.app.bench import BenchEngine
from qmlstudio.learning.evaluation import folds, splits
from qmlstudio.session.bench_lines import parse_sizes, shown_sizes
from qmlstudio.views.learning.fields import Folded, form_of, said
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.theme import theme


class JudgingForm(QWidget):
    """Changes the engine's draft, and follows it.

    Attributes
    ----------
    touched_sizes, touched_split : bool
        Whether somebody has chosen them: then nothing is proposed.
    """

    def __init__(self, engine: BenchEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self.touched_sizes = self.touched_split = False
        self.sizes = QLineEdit()
        self.sizes.setToolTip(self.tr("Training structures: 100, 200, 400 or 100…1600 (doubling) or 1k"))
        self.sizes.setAccessibleName(self.tr("Training sizes"))
        self.repeats = QSpinBox()
        self.repeats.setRange(1, 100)
        self.repeats.setToolTip(self.tr("Splits that are drawn; bands need two or more"))
        self.repeats.setAccessibleName(self.tr("Repeats"))
        self.split = Folded(self.tr("How training and test structures are divided"), ParameterForm())
        for cls in splits.REGISTRY.values():
            self.split.box.addItem(cls.title, cls.name)
        self.folds = Folded(self.tr("How training structures judge σ and λ"), ParameterForm())
        for fold in folds.REGISTRY.values():
            self.folds.box.addItem(fold.title, fold.name)
        self.grid = ParameterForm()
        self.grid_button = QToolButton()
        self.grid_button.setText(self.tr("Grid"))
        self.grid_button.setCheckable(True)
        self.grid_button.setToolTip(self.tr("Which σ and λ are tried"))
        self.grid_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.grid_button.setArrowType(Qt.ArrowType.RightArrow)
        self.grid_button.setAutoRaise(True)
        self.grid.setVisible(False)
        self.proposal = said()
        self._rows = form_of(self)
        self._rows.addRow(self.tr("Sizes"), self.sizes)
        self._rows.addRow(self.tr("Repeats"), self.repeats)
        self._folded_row(self.tr("Split"), self.split)
        self._rows.addRow(self.proposal)
        self._folded_row(self.tr("Search"), self.folds)
        self._rows.addRow(self.grid_button)
        self._rows.addRow(self.grid)

        self.sizes.editingFinished.connect(self._on_sizes_editing_finished)
        self.repeats.valueChanged.connect(self._on_repeats_value_changed)
        self.split.box.activated.connect(self._on_split_activated)
        self.split.form.value_changed.connect(self._on_split_form_value_changed)
        self.folds.box.activated.connect(self._on_folds_activated)
        self.folds.form.value_changed.connect(self._on_folds_form_value_changed)
        self.grid.value_changed.connect(self._on_grid_value_changed)
        self.grid_button.toggled.connect(self._on_grid_button_toggled)
        self._engine.draft_changed.connect(self.refresh)
        self._engine.advice_changed.connect(self._show_proposal)
        self.refresh()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.proposal.setStyleSheet(f"color: {theme(dark).muted}")

    def forget(self) -> None:
        """Another data set: what was chosen for the former one may be proposed anew."""
        self.touched_sizes = self.touched_split = False

    def flush(self) -> None:
        """Take what is being typed as finished."""
        for form in (self.split.form, self.folds.form, self.grid):
            form.flush()
        self._on_sizes_editing_finished()

    def refresh(self) -> None:
        """Follow the draft."""
        draft = self._engine.draft
        with QSignalBlocker(self.repeats):
            self.repeats.setValue(draft.repeats)
        if not self.sizes.hasFocus() or not self.sizes.isModified():
            self.sizes.setText(shown_sizes(draft.sizes))
        for folded, value in ((self.split, draft.split), (self.folds, draft.folds)):
            folded.box.setCurrentIndex(folded.box.findData(value.name))
            folded.show_value(value)
        self._show_grid()

    def _folded_row(self, text: str, widget: Folded) -> None:
        label = QLabel(text)
        label.setBuddy(widget.box)
        self._rows.addRow(label, widget)
        self._rows.addRow(widget.form)

    def _on_sizes_editing_finished(self) -> None:
        text = self.sizes.text().strip()
        if text == shown_sizes(self._engine.draft.sizes):
            return
        try:
            sizes = parse_sizes(text)
        except ValueError as error:
            self.sizes.setToolTip(f"⚠ {error}")
            self.proposal.setText(f"⚠ {error}")
            self.proposal.show()
            return
        self.touched_sizes = True
        self._engine.change(sizes=sizes)

    def _on_repeats_value_changed(self, value: int) -> None:
        self._engine.change(repeats=value)

    def _on_split_activated(self) -> None:
        self.touched_split = True
        self._engine.change(split=splits.REGISTRY[str(self.split.box.currentData())]())

    def _on_split_form_value_changed(self, value: Any) -> None:
        self.touched_split = True
        self._engine.change(split=value)

    def _on_folds_activated(self) -> None:
        self._engine.change(folds=folds.REGISTRY[str(self.folds.box.currentData())]())

    def _on_folds_form_value_changed(self, value: Any) -> None:
        self._engine.change(folds=value)

    def _on_grid_value_changed(self, value: Any) -> None:
        # what was widened by hand stands in lists that a form would not touch
        self._engine.change(grid=replace(value, factors=(), lambdas=()))

    def _on_grid_button_toggled(self, opened: bool) -> None:
        self._show_grid()
        self.grid.setVisible(opened)
        self.grid_button.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

    def _show_grid(self) -> None:
        if self.grid_button.isChecked():
            self.grid.set_value(self._engine.draft.grid)

    def _show_proposal(self) -> None:
        proposal = self._engine.proposal
        self.proposal.setText("" if proposal is None else proposal.why)
        self.proposal.setVisible(proposal is not None)
        if proposal is not None and not self.touched_split and proposal.spec.name != self._engine.draft.split.name:
            self._engine.change(split=proposal.spec)
