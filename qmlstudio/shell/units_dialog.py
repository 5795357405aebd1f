"""Units of the columns: convert them, correct them; energies from total to atomization and formation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import Job
from qmlstudio.chem.dataset import Property
from qmlstudio.chem.energies import KINDS, Guess, Kind, convert, fitted_atoms, guess, missing_elements
from qmlstudio.chem.reference_atoms import LEVELS
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import ENERGY, alternatives, canonical, factor, kind_of
from qmlstudio.chem.units import KINDS as UNIT_KINDS
from qmlstudio.progress import Progress
from qmlstudio.session.added import CORRECTED
from qmlstudio.widgets.table_numbers import format_number

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow

FIT = "fit"
SLOT = "units"


class UnitsDialog(QDialog):
    """Works on the data set that is open; every step can be undone in the window.

    What is *converted* has other numbers in another unit; what is *corrected* has the same numbers in another unit, and
    is remembered for this data set.
    """

    def __init__(self, window: MainWindow, column: str = "") -> None:
        super().__init__(window)
        self.setWindowTitle(self.tr("Units and energies"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._window, self._store = window, window.store
        self._guess: Guess | None = None
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(
            [self.tr("Column"), self.tr("Unit"), self.tr("Measures"), self.tr("From … to")]
        )
        self.table.setAccessibleName(self.tr("Columns and their units"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setStretchLastSection(True)
        self._value = QLabel()
        self._value.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._value)
        layout.addWidget(self._make_unit_box())
        layout.addWidget(self._make_energy_box())
        layout.addWidget(buttons)
        self.table.itemSelectionChanged.connect(self._on_table_item_selection_changed)
        self._store.columns_changed.connect(self._on_store_columns_changed)
        self._store.changed.connect(self._on_store_changed)
        self._fill(column or self._store.session.coloring.color_by)
        self.resize(600, 680)

    # -- building

    def _make_unit_box(self) -> QWidget:
        box = QGroupBox(self.tr("Unit"))
        self.convert_to = QComboBox()
        self.convert_to.setAccessibleName(self.tr("Convert to"))
        self.convert_button = QPushButton(self.tr("Con&vert"))
        self.convert_button.setToolTip(self.tr("Multiply the numbers, so that they mean the same in this unit"))
        self.correct_to = QComboBox()
        self.correct_to.setEditable(True)
        self.correct_to.setAccessibleName(self.tr("Correct to"))
        for kind in UNIT_KINDS.values():
            self.correct_to.addItems([u for u in kind if self.correct_to.findText(u) < 0])
        self.correct_button = QPushButton(self.tr("C&orrect"))
        self.correct_button.setToolTip(
            self.tr("Keep the numbers: they were in this unit all along. Remembered when the data are opened again.")
        )
        self.restore_button = QPushButton(self.tr("As in the &file"))
        self.restore_button.setToolTip(self.tr("The file's own numbers and unit again"))
        form = QFormLayout(box)
        form.addRow(self.tr("Show in"), _row(self.convert_to, self.convert_button))
        form.addRow(self.tr("It is really in"), _row(self.correct_to, self.correct_button, self.restore_button))
        self.convert_button.clicked.connect(self._on_convert_button_clicked)
        self.correct_button.clicked.connect(self._on_correct_button_clicked)
        self.restore_button.clicked.connect(self._on_restore_button_clicked)
        return box

    def _make_energy_box(self) -> QWidget:
        self.energy_box = box = QGroupBox(self.tr("Energy"))
        titles = {
            "total": self.tr("total"),
            "atomization": self.tr("atomization (negative when bound)"),
            "formation": self.tr("formation at 0 K, from gaseous atoms' experimental values"),
        }
        self.before, self.after, self.level, self.unit = QComboBox(), QComboBox(), QComboBox(), QComboBox()
        for combo, name in ((self.before, self.tr("These are")), (self.after, self.tr("Wanted"))):
            combo.setAccessibleName(name)
            for kind in KINDS:
                combo.addItem(titles[kind], kind)
        self.after.setCurrentIndex(1)
        self.level.setAccessibleName(self.tr("Free atoms"))
        for level in LEVELS.values():
            self.level.addItem(level.title, level.name)
            self.level.setItemData(self.level.count() - 1, level.reference, Qt.ItemDataRole.ToolTipRole)
        self.level.addItem(self.tr("fitted to this column (dressed atoms)"), FIT)
        self.unit.addItems(list(ENERGY))
        self.unit.setAccessibleName(self.tr("Unit of the new column"))
        self.name = QLineEdit()
        self.name.setAccessibleName(self.tr("Name of the new column"))
        self.add_button = QPushButton(self.tr("&Add column"))
        self.add_button.clicked.connect(self._on_add_button_clicked)
        self._note = QLabel()
        self._note.setWordWrap(True)
        form = QFormLayout()
        layout = QVBoxLayout(box)
        layout.addLayout(form)
        # below the form, not in it: a form gives a wrapped text one line
        layout.addWidget(self._note)
        form.addRow(self.tr("These are"), self.before)
        form.addRow(self.tr("Wanted"), _row(self.after, self.unit))
        form.addRow(self.tr("Free atoms"), self.level)
        form.addRow(self.tr("New column"), _row(self.name, self.add_button))
        for combo in (self.before, self.after, self.level):
            combo.currentIndexChanged.connect(self._on_energy_changed)
            # the longest title must not make the dialog wide
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(24)
        return box

    # -- the columns

    @property
    def column(self) -> str:
        """The column that is chosen; empty when none is."""
        row = self.table.currentRow()
        item = self.table.item(row, 0) if row >= 0 else None
        return item.text() if item is not None else ""

    def _fill(self, wished: str) -> None:
        columns = self._store.columns
        names = [] if columns is None else list(columns.numeric(composition=False))
        self.table.blockSignals(True)
        self.table.setRowCount(len(names))
        for row, name in enumerate(names):
            assert columns is not None
            p = columns[name]
            low, high = _limits(p.values)
            text = f"{format_number(low)} … {format_number(high)}" if np.isfinite(low) else self.tr("no numbers")
            for k, cell in enumerate((name, p.unit or "–", self.tr(kind_of(p.unit)) or "–", text)):
                item = QTableWidgetItem(cell)
                item.setToolTip(p.description)
                self.table.setItem(row, k, item)
        self.table.blockSignals(False)
        if names:
            self.table.selectRow(names.index(wished) if wished in names else 0)
        self._show_column()

    def _property(self) -> Property | None:
        columns = self._store.columns
        return columns[self.column] if columns is not None and self.column in columns else None

    def _show_column(self) -> None:
        p = self._property()
        for widget in (self.convert_to, self.convert_button, self.correct_to, self.correct_button, self.energy_box):
            widget.setEnabled(p is not None)
        self._guess = None
        if p is None:
            self._value.setText(self.tr("This data set has no columns of numbers."))
            return
        added = {c.name for c in self._store.session.added}
        self.restore_button.setEnabled(self.column in added and self._is_own(self.column))
        others = [u for u in alternatives(p.unit) if u != p.unit]
        self.convert_to.clear()
        self.convert_to.addItems(others)
        self.convert_to.setEnabled(bool(others))
        self.convert_button.setEnabled(bool(others))
        self.correct_to.setCurrentText(p.unit)
        self.energy_box.setEnabled(p.unit in ENERGY)
        self.unit.setCurrentText(p.unit if p.unit in ENERGY else "eV")
        self._show_value(p)
        self._note.setText("" if p.unit in ENERGY else self.tr("Not a column of energies: give it its unit first."))
        if kind_of(p.unit) in ("energy", ""):
            self._look(p)

    def _show_value(self, p: Property) -> None:
        """The active structure's value in every unit, so that a wrong one is seen."""
        active, dataset = self._store.active, self._store.dataset
        if active is None or dataset is None or not np.isfinite(p.values[active]):
            self._value.setText(p.description)
            return
        value = float(p.values[active])
        # no line break within a unit (word joiner) or before it (no-break space)
        units = [(factor(p.unit, u), u.replace("/", "/\u2060").replace(" ", "\u00a0")) for u in alternatives(p.unit)]
        parts = [f"{format_number(value * f)}\u00a0{u}".strip() for f, u in units]
        name = str(dataset.identifiers[active])
        self._value.setText(self.tr("{} of {}: {}").format(self.column, name, " = ".join(parts)))

    def _is_own(self, name: str) -> bool:
        dataset = self._store.dataset
        return dataset is not None and name in dataset.properties

    # -- what the energies are

    def _look(self, p: Property) -> None:
        dataset = self._store.dataset
        assert dataset is not None
        self._window.runner.submit(
            Job(
                key=f"{SLOT} {dataset.fingerprint} {self.column} {id(p)}",
                slot=SLOT,
                title=self.tr("Look at {}").format(self.column),
                compute=partial(_look_at, p.values, dataset.structures),
                done=partial(self._on_looked, p),
                failed=self._window.on_job_failed,
                lane="interactive",
            )
        )

    def _on_looked(self, p: Property, found: Guess) -> None:
        if self._property() is not p:
            return
        self._guess = found
        self.before.setCurrentIndex(KINDS.index(found.kind))
        if found.kind == "total":
            self.level.setCurrentIndex(self.level.findData(self._level_for(found)))
        self.after.setCurrentIndex(KINDS.index("atomization" if found.kind == "total" else "formation"))
        if found.unit and found.unit != p.unit:
            said = p.unit or self.tr("no unit")
            text = self.tr("⚠ The numbers look like {} energies in {}, and the column says {}.")
            self._note.setText(text.format(found.kind, found.unit, said))
            self.correct_to.setCurrentText(found.unit)
        else:
            self._on_energy_changed()

    def _level_for(self, found: Guess) -> str:
        """QM9's four energies differ by less than the fit tells: the column's name decides among them."""
        named = f"b3lyp_qm9_{self.column}"
        is_open = not found.level or found.level.startswith("b3lyp_qm9")
        return named if is_open and named in LEVELS else found.level or FIT

    def _on_energy_changed(self) -> None:
        p, dataset = self._property(), self._store.dataset
        if p is None or dataset is None or p.unit not in ENERGY:
            return
        before, after = self._kinds()
        self.level.setEnabled("total" in (before, after) and before != after)
        atoms = {} if self.level.currentData() == FIT else LEVELS[self.level.currentData()].atoms
        lacking = missing_elements(dataset.structures, after, before, atoms)
        if self.level.currentData() == FIT and after != "formation" and before != "formation":
            lacking = ()
        self.name.setText(f"{self.column}_{after}")
        self.add_button.setEnabled(before != after)
        if before == after:
            self._note.setText(self.tr("Nothing to do: these are {} energies already.").format(after))
        elif lacking:
            text = self.tr("⚠ There is no reference for {}: structures with it will have no value.")
            self._note.setText(text.format(", ".join(lacking)))
        elif self.level.isEnabled() and self.level.currentData() != FIT:
            self._note.setText(LEVELS[self.level.currentData()].reference)
        else:
            self._note.setText("")

    def _kinds(self) -> tuple[Kind, Kind]:
        return self.before.currentData(), self.after.currentData()

    # -- doing

    def done(self, result: int) -> None:
        self._window.runner.cancel(SLOT)
        super().done(result)

    def _on_table_item_selection_changed(self) -> None:
        self._show_column()

    def _on_store_columns_changed(self, _names: frozenset[str]) -> None:
        self._fill(self.column)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._fill("")

    def _on_convert_button_clicked(self) -> None:
        p, to = self._property(), self.convert_to.currentText()
        if p is not None and to:
            values = p.values * factor(p.unit, to)
            self._store.add_columns({self.column: replace(p, values=values, unit=to)}, self.tr("converted to ") + to)

    def _on_correct_button_clicked(self) -> None:
        p, unit = self._property(), canonical(self.correct_to.currentText())
        dataset = self._store.dataset
        if p is None or dataset is None or unit == p.unit:
            return
        self._store.add_columns({self.column: replace(p, unit=unit)}, CORRECTED)
        own = dataset.properties.get(self.column)
        # after a conversion the numbers are no longer the file's: there is nothing to remember
        if own is not None and own.values is p.values:
            preferences = self._window.preferences
            units = preferences.unit_corrections(dataset.fingerprint) | {self.column: unit}
            preferences.remember_units(dataset.fingerprint, units)

    def _on_restore_button_clicked(self) -> None:
        dataset, name = self._store.dataset, self.column
        if dataset is None:
            return
        units = self._window.preferences.unit_corrections(dataset.fingerprint)
        if units.pop(name, None) is not None:
            self._window.preferences.remember_units(dataset.fingerprint, units)
        self._store.remove_columns(name)

    def _on_add_button_clicked(self) -> None:
        p, dataset, name = self._property(), self._store.dataset, self.name.text().strip()
        if p is None or dataset is None or not name:
            return
        before, after = self._kinds()
        level, to = self.level.currentData(), self.unit.currentText()
        title = self.tr("{} energy from {}").format(after, self.column)
        self._window.runner.submit(
            Job(
                key=f"energies {dataset.fingerprint} {name} {id(p)} {after} {level} {to}",
                slot="energies",
                title=title,
                compute=partial(_convert, p, dataset.structures, before, after, level, to),
                done=partial(self._on_converted, dataset.fingerprint, name, title),
                failed=self._window.on_job_failed,
                lane="interactive",
            )
        )

    def _on_converted(self, fingerprint: str, name: str, title: str, column: Property) -> None:
        if self._store.session.dataset.fingerprint == fingerprint:
            self._store.add_columns({name: column}, title)


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for k, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if k == 0 else 0)
    return row


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (np.nan, np.nan)


def _look_at(values: NDArray[np.float64], structures: Structures, progress: Progress) -> Guess:
    return guess(values, structures, progress)


def _convert(
    p: Property, structures: Structures, before: Kind, after: Kind, level: str, to: str, progress: Progress
) -> Property:
    if level == FIT:
        fitted = fitted_atoms(p.values, structures, progress.part(0.0, 0.5))
        atoms = {z: e * factor(p.unit, "Ha") for z, e in fitted.items()}
        said = "atoms by least squares"
    else:
        atoms, said = LEVELS[level].atoms, f"atoms: {LEVELS[level].title}"
    values = convert(p.values, structures, before, after, atoms, p.unit, to, progress.part(0.5, 1.0))
    if "formation" in (before, after) and "total" not in (before, after):
        said = "experimental enthalpies of formation of the gaseous atoms at 0 K"
    return Property(values, unit=to, description=f"{after} energy; {said}")
