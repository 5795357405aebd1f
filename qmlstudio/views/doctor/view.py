"""The doctor panel itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QItemSelection, QModelIndex, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.doctor import DoctorEngine
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.parameters import Parameterised
from qmlstudio.session.doctor import Check
from qmlstudio.views.doctor.exclusion_list import ExclusionList
from qmlstudio.views.doctor.models import CheckModel, FindingModel
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.parameter_form import ParameterForm

FORM_HEIGHT = 120
"""Of a check's parameters, px: what needs more scrolls."""


class DoctorView(QWidget):
    """What may be wrong with the data: checks, what they found, and what is left out.

    Signals
    -------
    badge_changed(text)
        What the panel's tab shall say.
    rest_made(dataset)
        A data set without what is excluded, to be opened.
    """

    badge_changed = Signal(str)
    rest_made = Signal(object)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.engine = DoctorEngine(store, runner, self)
        self.redraws = 0
        self._shown: tuple[Any, ...] = ()
        self._badge = ""
        self._make_checks()
        self._make_findings()
        self._lay_out()
        self._connect()
        self._show_check()
        self._refresh()

    # -- building

    def _make_checks(self) -> None:
        self._run = QPushButton(self.tr("Examine"))
        self._run.setToolTip(self.tr("Run the ticked checks; Ctrl+. cancels"))
        self._unfold = QToolButton()
        self._unfold.setText("⚙")
        self._unfold.setAutoRaise(True)
        self._unfold.setCheckable(True)
        tip = self.tr("Parameters of the marked check")
        self._unfold.setToolTip(tip)
        self._unfold.setAccessibleName(tip)
        self._status = QLabel()
        self._status.setTextFormat(Qt.TextFormat.PlainText)
        self._status.setMinimumWidth(1)
        self.checks = CheckModel(self.engine, self)
        self.check_list = _tree(self.checks, self.tr("Checks"))
        self.check_list.setHeaderHidden(True)
        self.check_list.setMinimumHeight(90)
        header = self.check_list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._form = ParameterForm()
        self._form_area = QScrollArea()
        self._form_area.setWidget(self._form)
        self._form_area.setWidgetResizable(True)
        self._form_area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._form_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._form_area.setVisible(False)
        self._why = QLabel()
        self._why.setWordWrap(True)
        self._why.setTextFormat(Qt.TextFormat.PlainText)

    def _make_findings(self) -> None:
        self.findings = FindingModel(self)
        self.finding_list = _tree(self.findings, self.tr("Findings"))
        self.finding_list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.finding_list.setMinimumHeight(80)
        header = self.finding_list.header()
        header.setStretchLastSection(True)
        header.setMinimumSectionSize(50)
        header.resizeSection(0, 92)
        self._detail = QLabel()
        self._detail.setWordWrap(True)
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._detail.setAccessibleName(self.tr("The marked finding"))
        self._detail.hide()
        self._select = QPushButton(self.tr("Show on the map"))
        self._select.setToolTip(self.tr("Select the structures of the marked findings, or of all if one at most is"))
        self._color = QPushButton(self.tr("Colour by findings"))
        self._color.setToolTip(self.tr("Colour the map by the worst finding of each structure"))
        self._exclude = QPushButton(self.tr("Exclude"))
        self._exclude.setToolTip(
            self.tr("Leave out the structures of the marked findings, or of all if one at most is: as a list, which "
                    "stands below; undo (Ctrl+Z) takes it back")
        )  # fmt: skip
        self._unfold_exclusions = QToolButton()
        self._unfold_exclusions.setCheckable(True)
        self._unfold_exclusions.setAutoRaise(True)
        self._unfold_exclusions.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._unfold_exclusions.setToolTip(self.tr("Lists of structures that are left out"))
        self.exclusions = ExclusionList(self._store, self.engine)
        self.exclusions.setVisible(False)

    def _lay_out(self) -> None:
        upper, lower = QWidget(), QWidget()
        above, below = QVBoxLayout(upper), QVBoxLayout(lower)
        for layout in (above, below):
            layout.setContentsMargins(6, 6, 6, 4)
            layout.setSpacing(4)
        first = QHBoxLayout()
        first.addWidget(self._run)
        first.addWidget(self._status, 1)
        first.addWidget(self._unfold)
        above.addLayout(first)
        above.addWidget(self.check_list, 1)
        above.addWidget(self._form_area)
        buttons = FlowLayout(gap=4)
        for button in (self._select, self._color, self._exclude):
            buttons.addWidget(button)
        below.addWidget(self._why)
        below.addWidget(self.finding_list, 1)
        below.addWidget(self._detail)
        below.addLayout(buttons)
        below.addWidget(self._unfold_exclusions)
        below.addWidget(self.exclusions)
        self._divider = QSplitter(Qt.Orientation.Vertical)
        self._divider.addWidget(upper)
        self._divider.addWidget(lower)
        self._divider.setChildrenCollapsible(False)
        self._divider.setStretchFactor(0, 1)
        self._divider.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._divider)

    def _connect(self) -> None:
        self._run.clicked.connect(self._on_run_clicked)
        self._unfold.toggled.connect(self._on_unfold_toggled)
        self._unfold_exclusions.toggled.connect(self._on_unfold_exclusions_toggled)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._select.clicked.connect(self._on_select_clicked)
        self._color.clicked.connect(self.engine.color)
        self._exclude.clicked.connect(self._on_exclude_clicked)
        self.checks.chosen_changed.connect(self._show_buttons)
        self.check_list.selectionModel().currentRowChanged.connect(self._on_check_current_changed)
        self.finding_list.selectionModel().currentRowChanged.connect(self._on_finding_current_changed)
        self.finding_list.clicked.connect(self._on_finding_clicked)
        self.finding_list.selectionModel().selectionChanged.connect(self._on_finding_selection_changed)
        self.engine.changed.connect(self._refresh)
        self.engine.status_changed.connect(self._show_status)
        self.engine.rest_made.connect(self.rest_made)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.checks.set_dark(dark)
        self.findings.set_dark(dark)

    @property
    def badge(self) -> str:
        """The panel's title with the number of warnings and errors."""
        return self._badge

    def run_all(self) -> None:
        """Run every check."""
        self.engine.run()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    # -- the person

    def _on_run_clicked(self) -> None:
        self._form.flush()
        if self.engine.is_running:
            self.engine.stop()
        else:
            self.engine.run([n for n in self.checks.names if n in self.checks.chosen])

    def _on_unfold_toggled(self, opened: bool) -> None:
        self._form_area.setVisible(opened and self._form.value() is not None)

    def _on_unfold_exclusions_toggled(self, opened: bool) -> None:
        self.exclusions.setVisible(opened)
        self._show_exclusion_count()

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Check):
            self.engine.set_check(value)

    def _on_check_current_changed(self, _current: QModelIndex, _previous: QModelIndex) -> None:
        self._show_check()
        self._show_findings()

    def _on_finding_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self._look_at(current.row())

    def _on_finding_clicked(self, index: QModelIndex) -> None:
        self._look_at(index.row())

    def _look_at(self, row: int) -> None:
        """Make the structure of a finding the active one, and light its atoms."""
        self._show_detail()
        found, k = self.findings.at(row)
        structure, others = int(found.structure[k]), found.related[k]
        index = structure if structure >= 0 else int(others[0]) if len(others) else None
        if index is None or self._store.dataset is None:
            return
        self._store.set_active(index)
        self._store.pick(tuple(found.atoms[k].tolist()) if structure >= 0 else ())

    def _on_finding_selection_changed(self, _new: QItemSelection, _old: QItemSelection) -> None:
        self._show_buttons()

    def _on_select_clicked(self) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        mask = np.zeros(len(dataset), dtype=bool)
        for found, rows in self.findings.parts(self._marked()):
            mask[found.structures(rows)] = True
        self._store.select(mask, "replace", self.tr("doctor: {}").format(self._subject()))

    def _on_exclude_clicked(self) -> None:
        parts = self.findings.parts(self._marked())
        reasons, indices, names = [], [], []
        for found, rows in parts:
            own = found.excludable(rows)
            if len(own):
                check = self.engine.checks[found.check]
                indices.append(own)
                names.append(check.title)
                reasons.append(f"{check.title.lower()}: {_values(check)}".removesuffix(": "))
        if indices:
            name = names[0].lower() if len(names) == 1 else self.tr("findings")
            self.engine.exclude(name, np.unique(np.concatenate(indices)), "; ".join(reasons))
            self._unfold_exclusions.setChecked(True)

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"exclusions", "dataset"}:
            self._show_exclusion_count()

    # -- showing

    def _current(self) -> str:
        return self.checks.name(self.check_list.currentIndex().row())

    def _subject(self) -> str:
        name = self._current()
        return self.engine.checks[name].title.lower() if name else self.tr("all checks")

    def _marked(self) -> list[int] | None:
        """Rows of findings that are marked; None for all."""
        rows = sorted(i.row() for i in self.finding_list.selectionModel().selectedRows())
        return rows if len(rows) > 1 else None

    def _show_check(self) -> None:
        name = self._current()
        check = self.engine.checks.get(name)
        has_parameters = check is not None and bool(check.params())
        if check is not None and has_parameters:
            self._form.set_value(check)
            self._form_area.setFixedHeight(min(FORM_HEIGHT, self._form.sizeHint().height() + 4))
        self._unfold.setEnabled(has_parameters)
        self._form_area.setVisible(has_parameters and self._unfold.isChecked())

    def _refresh(self) -> None:
        count = self.engine.count
        badge = self.tr("Doctor ({:,})").format(count) if count else self.tr("Doctor")
        if badge != self._badge:
            self._badge = badge
            self.badge_changed.emit(badge)
        if not self.engine.is_running:
            self._show_status("")
        if self.isVisible():
            self.checks.refresh()
            self._show_findings()
        self._run.setText(self.tr("Stop") if self.engine.is_running else self.tr("Examine"))
        self._show_buttons()

    def _show_findings(self) -> None:
        """The list anew, where it has changed: the marks stay otherwise."""
        name, found, dataset = self._current(), self.engine.found, self._store.dataset
        parts = [found[name]] if name in found else [] if name else list(found.values())
        shown = (*(id(f) for f in parts), dataset)
        if dataset is not None and (
            len(shown) != len(self._shown)
            or any(a is not b and a != b for a, b in zip(shown, self._shown, strict=True))
        ):
            self._shown = shown
            self.redraws += 1
            self.findings.set_findings(parts, dataset.identifiers)
        elif dataset is None:
            self._shown = ()
            self.findings.set_findings([], ())
        self._why.setText(self._explanation(name))
        self._why.setVisible(bool(name))
        self._show_detail()
        self._show_buttons()

    def _show_detail(self) -> None:
        """The marked finding in full, which the list may cut short."""
        index, dataset = self.finding_list.currentIndex(), self._store.dataset
        text = ""
        if index.isValid() and dataset is not None:
            found, k = self.findings.at(index.row())
            text = found.text(k, dataset.identifiers)
        self._detail.setText(text)
        self._detail.setVisible(bool(text))

    def _explanation(self, name: str) -> str:
        if name:
            found = self.engine.found.get(name)
            notes = (found.note, found.error) if found is not None else ()
            return "\n".join(filter(None, (self.engine.checks[name].why, *notes)))
        return ""

    def _show_status(self, text: str) -> None:
        count = self.engine.count
        if not text and self.engine.found:
            text = self.tr("{:,} to look at").format(count) if count else self.tr("nothing serious")
        self._status.setText(text)
        self._status.setToolTip(text)

    def _show_buttons(self) -> None:
        some = self.findings.rowCount() > 0
        self._select.setEnabled(some)
        self._exclude.setEnabled(some)
        self._color.setEnabled(bool(self.engine.found))
        self._run.setEnabled(self._store.dataset is not None and (bool(self.checks.chosen) or self.engine.is_running))
        self._show_exclusion_count()

    def _show_exclusion_count(self) -> None:
        lists = self._store.session.exclusions
        active = sum(e.active for e in lists)
        arrow = Qt.ArrowType.DownArrow if self._unfold_exclusions.isChecked() else Qt.ArrowType.RightArrow
        self._unfold_exclusions.setArrowType(arrow)
        text = self.tr("Exclusions ({} of {} on)").format(active, len(lists)) if lists else self.tr("Exclusions")
        self._unfold_exclusions.setText(text)


def _values(check: Check) -> str:
    """Its numbers, for a reason that can be understood later."""
    parts = []
    for p in check.params():
        value = getattr(check, p.name)
        if p.kind in (int, float) and value is not None:
            parts.append(f"{p.label.lower()} {value:g} {p.unit}".strip())
    return ", ".join(parts)


def _tree(model: Any, name: str) -> QTreeView:
    tree = QTreeView()
    tree.setModel(model)
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    tree.setAllColumnsShowFocus(True)
    tree.setAccessibleName(name)
    tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return tree
