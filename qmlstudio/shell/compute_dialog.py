"""Compute reference properties: what, of which structures, at which level; the work goes on as a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.computing import Computing
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import Problem
from qmlstudio.quantum.batch import Calculation, Estimate
from qmlstudio.quantum.charges import Charges, assign, source_of
from qmlstudio.quantum.methods import INSTALL, METHODS, Method
from qmlstudio.quantum.pool import processors
from qmlstudio.quantum.properties import QUANTITIES, USUAL
from qmlstudio.quantum.tasks import TASKS, Task
from qmlstudio.session.selection import Mask
from qmlstudio.shell.dialogs import problems_dialog
from qmlstudio.views.jobs import format_seconds
from qmlstudio.widgets.parameter_form import ParameterForm

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow


@dataclass
class _Choice:
    """What was chosen last, for the next time."""

    task: str = "properties"
    method: str = "gfn2"
    methods: dict[str, Method] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    quantities: tuple[str, ...] = USUAL
    workers: int = 0
    timeout: int = 300


_last = _Choice()
COUNTED = 100_000
"""Up to so many structures the charged ones are counted at once."""


class ComputeDialog(QDialog):
    """Starts a calculation and closes; the jobs panel follows it, and results come as columns or as a new data set."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle(self.tr("Compute properties"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._window = window
        self.computing = computing_of(window)
        self._masks = self._choices()
        self._many: QRadioButton | None = None
        self._assigned: tuple[Charges, NDArray[np.int64], NDArray[np.int64]] | None = None
        tabs = QTabWidget()
        tabs.addTab(self._scrolled(self._make_calculation()), self.tr("&Calculation"))
        tabs.addTab(self._scrolled(self._make_structures()), self.tr("&Structures"))
        self._summary = QLabel()
        self._summary.setWordWrap(True)
        self._summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.estimate_button = QPushButton(self.tr("&Estimate"))
        self.estimate_button.setToolTip(self.tr("Time five of the structures"))
        self.estimate_button.setAutoDefault(False)
        self.estimate_button.clicked.connect(self._on_estimate_clicked)
        row = QHBoxLayout()
        row.addWidget(self._summary, 1)
        row.addWidget(self.estimate_button, 0, Qt.AlignmentFlag.AlignTop)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start_button = buttons.addButton(self.tr("S&tart"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start_button.setDefault(True)
        buttons.accepted.connect(self.start)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(tabs, 1)
        layout.addLayout(row)
        layout.addWidget(buttons)
        self._show_task()
        self._show_method()
        self.computing.estimated.connect(self._on_estimated)
        self.computing.failed.connect(self._on_computing_failed)
        self.finished.connect(self._on_finished)
        self.resize(480, 640)
        self._update()

    # -- building

    def _scrolled(self, inside: QWidget) -> QScrollArea:
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def _make_calculation(self) -> QWidget:
        self.task = QComboBox()
        for name, kind in TASKS.items():
            self.task.addItem(self.tr(kind.title), name)
        self.task.setAccessibleName(self.tr("Task"))
        self.task.setCurrentIndex(self.task.findData(_last.task))
        self._says = QLabel()
        self._says.setWordWrap(True)
        self._task_form = ParameterForm()
        self.method = QComboBox()
        for name, level in METHODS.items():
            there = "" if level.is_available() else self.tr(" (not installed)")
            self.method.addItem(f"{level.title}{there}", name)
        self.method.setAccessibleName(self.tr("Method"))
        self.method.setCurrentIndex(self.method.findData(_last.method))
        self._missing = QLabel()
        self._missing.setWordWrap(True)
        self._missing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._method_form = ParameterForm()
        task_box, method_box = QGroupBox(self.tr("Task")), QGroupBox(self.tr("Method"))
        inside = QVBoxLayout(task_box)
        for part in (self.task, self._says, self._task_form):
            inside.addWidget(part)
        inside = QVBoxLayout(method_box)
        for part in (self.method, self._missing, self._method_form):
            inside.addWidget(part)
        self._quantity_box = QGroupBox(self.tr("Properties"))
        grid = QGridLayout(self._quantity_box)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        self.quantities: dict[str, QCheckBox] = {}
        for row, quantity in enumerate(QUANTITIES.values()):
            box = self.quantities[quantity.name] = QCheckBox(self.tr(quantity.title))
            box.setChecked(quantity.name in _last.quantities)
            box.setToolTip(f"{self.tr(quantity.description)} [{quantity.unit}]")
            box.toggled.connect(self._update)
            cost = QLabel(self.tr(quantity.cost))
            cost.setEnabled(False)
            grid.addWidget(box, row, 0)
            grid.addWidget(cost, row, 1, Qt.AlignmentFlag.AlignRight)
        page = QWidget()
        column = QVBoxLayout(page)
        for group in (task_box, method_box, self._quantity_box):
            column.addWidget(group)
        column.addStretch(1)
        self.task.currentIndexChanged.connect(self._on_task_changed)
        self.method.currentIndexChanged.connect(self._on_method_changed)
        self._task_form.value_changed.connect(self._update)
        self._method_form.value_changed.connect(self._update)
        return page

    def _make_structures(self) -> QWidget:
        box = QGroupBox(self.tr("Which"))
        inside = QVBoxLayout(box)
        self.what: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        for name, (text, mask) in self._masks.items():
            button = self.what[name] = QRadioButton(text)
            button.setEnabled(bool(mask.any()))
            button.toggled.connect(self._update)
            self._group.addButton(button)
            inside.addWidget(button)
        first = next((k for k, b in self.what.items() if b.isEnabled() and k != "active"), "all")
        self.what[first].setChecked(True)
        self._charge_form = ParameterForm(Charges())
        self._charge_form.value_changed.connect(self._update)
        self._charge_says = QLabel()
        self._charge_says.setWordWrap(True)
        charge_box = QGroupBox(self.tr("Charge and spin"))
        column = QVBoxLayout(charge_box)
        column.addWidget(self._charge_form)
        column.addWidget(self._charge_says)
        self.workers = QSpinBox()
        self.workers.setRange(1, max(processors(), 1))
        self.workers.setValue(_last.workers or processors())
        self.workers.setToolTip(self.tr("Each computes with one thread"))
        self.timeout = QSpinBox()
        self.timeout.setRange(1, 1_000_000)
        self.timeout.setSuffix(self.tr(" s"))
        self.timeout.setValue(_last.timeout)
        self.timeout.setToolTip(self.tr("A structure whose process gives no sign of life for so long fails"))
        self.keep = QCheckBox(self.tr("Use and keep results on disk"))
        self.keep.setChecked(True)
        self.keep.setToolTip(self.tr("What was computed before is not computed again; a cancelled run goes on"))
        work_box = QGroupBox(self.tr("Work"))
        form = QFormLayout(work_box)
        form.addRow(self.tr("&Processes"), self.workers)
        form.addRow(self.tr("&Time-out"), self.timeout)
        form.addRow(self.keep)
        self.workers.valueChanged.connect(self._update)
        page = QWidget()
        whole = QVBoxLayout(page)
        for part in (box, charge_box, work_box):
            whole.addWidget(part)
        whole.addStretch(1)
        return page

    def _choices(self) -> dict[str, tuple[str, Mask]]:
        """Which structures may be computed."""
        store = self._window.store
        selection, n = store.session.selection, len(store.session.selection)
        every = np.ones(n, dtype=bool)
        passing: Mask | None = getattr(store.result("filter"), "mask", None)
        active = np.zeros(n, dtype=bool)
        if store.active is not None:
            active[store.active] = True
        rows = {"selection": (self.tr("The selection ({:,})").format(selection.count), selection.mask)}
        if passing is not None and len(passing) == n:
            count = int(np.count_nonzero(passing))
            rows["filter"] = (self.tr("What passes the filters ({:,})").format(count), passing)
        rows["all"] = (self.tr("All ({:,})").format(n), every)
        rows["active"] = (self.tr("The active structure"), active)
        return rows

    # -- what is chosen

    @property
    def chosen(self) -> Mask:
        """(n,) bool: the chosen structures."""
        name = next((k for k, b in self.what.items() if b.isChecked()), "all")
        return self._masks[name][1]

    def calculation(self) -> Calculation:
        """What the dialog says."""
        method, task = self._method_form.value(), self._task_form.value()
        charges = self._charge_form.value()
        assert isinstance(method, Method)
        assert isinstance(task, Task)
        assert isinstance(charges, Charges)
        names = tuple(k for k, b in self.quantities.items() if b.isChecked())
        return Calculation(method=method, task=task, quantities=names, charges=charges)

    # -- the person

    def _on_task_changed(self, _index: int) -> None:
        self._show_task()
        self._update()

    def _show_task(self) -> None:
        name = self.task.currentData()
        kind = TASKS[name]
        self._says.setText(self.tr(kind.summary))
        value = _last.tasks.get(name) or kind()
        self._task_form.set_value(value)
        self._task_form.setVisible(bool(value.params()))
        # samples have energies and forces, conformers energies: nothing is to be chosen
        self._quantity_box.setVisible(name in ("properties", "optimize"))
        samples = kind.makes_structures and name != "optimize"
        if samples and self._many is None and self.what["active"].isEnabled():
            # dynamics of a whole data set are rarely meant
            self._many = next((b for b in self.what.values() if b.isChecked()), None)
            self.what["active"].setChecked(True)
        elif not samples and self._many is not None:
            self._many.setChecked(True)
            self._many = None

    def _on_method_changed(self, _index: int) -> None:
        self._show_method()
        self._update()

    def _show_method(self) -> None:
        name = self.method.currentData()
        kind = METHODS[name]
        self._method_form.set_value(_last.methods.get(name) or kind())
        self._missing.setText(self.tr("⚠ The package {} is not installed: {}").format(kind.package, INSTALL))
        self._missing.setVisible(not kind.is_available())

    def _update(self, *_: object) -> None:
        """Say what will be done, and whether it can."""
        dataset = self._window.store.dataset
        if dataset is None or self._method_form.value() is None or self._task_form.value() is None:
            return
        self.computing.cancel_estimate()
        self.estimate_button.setEnabled(True)
        calculation, count = self.calculation(), int(np.count_nonzero(self.chosen))
        can = calculation.method.is_available() and count > 0
        if not calculation.quantities and not calculation.task.makes_structures:
            self._summary.setText(self.tr("Choose a property."))
            can = False
        else:
            head = self.tr("1 structure") if count == 1 else self.tr("{:,} structures").format(count)
            text = f"{head}, {calculation.method.label}"
            if calculation.task.makes_structures:
                text += self.tr("; opens as a new data set")
            self._summary.setText(text)
        trouble = self._say_charges(calculation.charges)
        self.start_button.setEnabled(can and not trouble)
        self.estimate_button.setEnabled(can and not trouble)

    def _say_charges(self, choice: Charges) -> bool:
        """Tell where charges come from and how many there are; whether they make no sense."""
        properties, n = self._window.store.properties, len(self.chosen)
        text, trouble = self.tr("Charge: {}").format(self.tr(source_of(choice, properties))), False
        if n <= COUNTED:
            try:
                if self._assigned is None or self._assigned[0] != choice:
                    self._assigned = (choice, *assign(choice, properties, n))
                _, charges, unpaired = self._assigned
                charged, open_shells = (np.count_nonzero(a[self.chosen] > 0) for a in (np.abs(charges), unpaired))
                text += self.tr("; {:,} charged, {:,} given as open shells").format(charged, open_shells)
            except ValueError as error:
                text, trouble = f"⚠ {error}", True
        self._charge_says.setText(text)
        return trouble

    def _on_estimate_clicked(self) -> None:
        self.estimate_button.setEnabled(False)
        self._summary.setText(self.tr("Timing five structures…"))
        self.computing.estimate(self.calculation(), np.flatnonzero(self.chosen), self.workers.value())

    def _on_estimated(self, found: Estimate) -> None:
        self.estimate_button.setEnabled(True)
        count = int(np.count_nonzero(self.chosen))
        text = self.tr("{:,} structures: about {} ({} each, {} processes)").format(
            count, format_seconds(found.seconds), _short(found.per_structure), self.workers.value()
        )
        if found.failures:
            text += "\n" + self.tr("⚠ {} of {} tried failed: {}").format(
                len(found.failures), found.sample, found.failures[0].reason
            )
        self._summary.setText(text)

    def _on_computing_failed(self, message: str, _details: str) -> None:
        self.estimate_button.setEnabled(True)
        self._summary.setText(f"⚠ {message}")

    def _on_finished(self, _code: int) -> None:
        self.computing.cancel_estimate()

    def start(self) -> None:
        """Start the job and close."""
        calculation = self.calculation()
        _last.task, _last.method = calculation.task.name, calculation.method.name
        _last.methods[calculation.method.name] = calculation.method
        _last.tasks[calculation.task.name] = calculation.task
        if calculation.quantities:
            _last.quantities = calculation.quantities
        _last.workers, _last.timeout = self.workers.value(), self.timeout.value()
        self.computing.start(
            calculation,
            np.flatnonzero(self.chosen),
            self.workers.value(),
            float(self.timeout.value()),
            self.keep.isChecked(),
        )
        self.accept()


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else format_seconds(seconds)


NAME = "computing"


def computing_of(window: MainWindow) -> Computing:
    """The window's calculations; made when they are first asked for."""
    found = window.findChild(Computing, NAME, Qt.FindChildOption.FindDirectChildrenOnly)
    if found is None:
        found = Computing(window.store, window.runner, window)
        found.setObjectName(NAME)
        teller = _Teller(window)
        found.made.connect(teller.on_made)
        found.finished.connect(teller.on_finished)
        found.failed.connect(window.show_error)
    return found


class _Teller(QObject):
    """Tells the window what came of a calculation."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def on_made(self, dataset: Dataset) -> None:
        self._window.documents.show_dataset(dataset)

    def on_finished(self, text: str, wrong: tuple[Problem, ...]) -> None:
        self._window.statusBar().showMessage(text, 20_000)
        if wrong:
            problems_dialog(wrong, self._window).show()
