"""The series panel: columns and measured distances along the frames; fewer frames that cover them all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSpinBox, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import Job, JobRunner, Lane
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Property
from qmlstudio.progress import Progress
from qmlstudio.session.series import measured, name_of, thinned
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.series_plot import MOST, Curve, SeriesPlot

SLOT = "series"
_FOLLOW_MS = 30
"""While frames are played the line need not move more often than a screen is drawn."""


class SeriesView(QWidget):
    """Follows columns, measurements, picked atoms, selection, pins and the active frame."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._names: list[str] = []
        self._fingerprint = ""
        self.plot = SeriesPlot()
        self.column = ColumnCombo(self.tr("add a column…"))
        self.column.setAccessibleName(self.tr("Add a column"))
        self.column.setMinimumContentsLength(14)
        self.measure_button = QPushButton(self.tr("Measure"))
        self.measure_button.setToolTip(
            self.tr("The distance, angle or dihedral of the picked atoms in every frame, as a column")
        )
        self.count = QSpinBox()
        self.count.setRange(3, 1_000_000)
        self.count.setValue(200)
        self.count.setAccessibleName(self.tr("Frames to keep"))
        self.count.setSuffix(self.tr(" frames"))
        self.thin_button = QPushButton(self.tr("Thin to"))
        self.thin_button.setToolTip(
            self.tr("Select so many frames that cover all: farthest points in the representation's features")
        )
        self._chips: list[QToolButton] = []
        self._note = QLabel()
        self._note.setWordWrap(True)
        bar = QWidget()
        self._bar = FlowLayout(bar, gap=4)
        self._bar.setContentsMargins(6, 4, 6, 0)
        for widget in (self.column, self.measure_button, self.thin_button, self.count):
            self._bar.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(bar)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._note)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self.column.activated.connect(self._on_column_activated)
        self.measure_button.clicked.connect(self._on_measure_button_clicked)
        self.thin_button.clicked.connect(self._on_thin_button_clicked)
        self.plot.frame_chosen.connect(store.set_active)
        self.plot.range_marked.connect(self._on_plot_range_marked)
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        store.picked_changed.connect(self._on_store_picked_changed)
        self._show_dataset()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.plot.set_dark(dark)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are drawn, from above."""
        return tuple(self._names)

    # -- what is drawn

    def show_column(self, name: str) -> None:
        """Draw one more column, at the bottom; of five the first goes."""
        if name in self._names:
            return
        self._names = [*self._names, name][-MOST:]
        self._show_curves()

    def hide_column(self, name: str) -> None:
        """Draw one column less."""
        self._names = [n for n in self._names if n != name]
        self._show_curves()

    def _show_dataset(self) -> None:
        columns, dataset = self._store.columns, self._store.dataset
        self._fingerprint = "" if dataset is None else dataset.fingerprint
        numbers = [] if columns is None else list(columns.numeric(composition=False))
        self.column.set_columns(columns, numbers)
        telling = ("energy", "E", "temperature", self._store.session.coloring.color_by)
        first = [n for n in telling if n in numbers and n != "frame"][:1]
        self._names = first or [n for n in numbers if n != "frame"][:1]
        self.count.setValue(min(200, max(3, 0 if dataset is None else len(dataset) // 10)))
        self._show_curves()
        self._show_enabled()

    def _show_curves(self) -> None:
        columns = self._store.columns
        self._names = [n for n in self._names if columns is not None and n in columns]
        curves = [] if columns is None else [Curve(n, columns[n].label(n), columns[n].values) for n in self._names]
        if self.isVisible() or not curves:
            self.plot.set_curves(curves)
            self._show_selection()
            self.plot.set_pins(self._store.session.pins)
            self._show_frame()
        self._show_chips()
        dataset = self._store.dataset
        if dataset is None or not len(dataset):
            self._note.setText(self.tr("No data set."))
        elif not dataset.ordered:
            self._note.setText(self.tr("These structures are no trajectory: they stand in the order of the file."))
        elif not curves:
            self._note.setText(self.tr("Add a column above, or pick 2–4 atoms in the 3D view and measure them."))
        else:
            self._note.setText("")
        self._note.setVisible(bool(self._note.text()))

    def _show_chips(self) -> None:
        for chip in self._chips:
            self._bar.removeWidget(chip)
            chip.deleteLater()
        self._chips = []
        for name in self._names if len(self._names) > 1 else ():
            chip = QToolButton()
            chip.setText(f"{name}  ✕")
            chip.setToolTip(self.tr("Do not draw {}").format(name))
            chip.setAccessibleName(self.tr("Do not draw {}").format(name))
            chip.clicked.connect(partial(self.hide_column, name))
            self._bar.addWidget(chip)
            chip.show()
            self._chips.append(chip)

    def _show_frame(self) -> None:
        active = self._store.active
        self.plot.set_frame(-1 if active is None else active)

    def _show_selection(self) -> None:
        selection = self._store.session.selection
        self.plot.set_selected(selection.mask if selection.count else None)

    def _show_enabled(self) -> None:
        dataset, picked = self._store.dataset, self._store.picked
        some = dataset is not None and len(dataset) > 1
        self.thin_button.setEnabled(some)
        self.count.setEnabled(some)
        self.measure_button.setEnabled(some and 2 <= len(picked) <= 4)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_curves()

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._show_dataset()
            return
        if not self.isVisible():
            return
        if "selection" in names:
            if self.plot.selected is not (mask := self._mask()):
                self.plot.set_selected(mask)
            if not self._timer.isActive():
                self._timer.start()
        if "pins" in names:
            self.plot.set_pins(self._store.session.pins)

    def _mask(self) -> NDArray[np.bool_] | None:
        selection = self._store.session.selection
        return selection.mask if selection.count else None

    def _on_timer_timeout(self) -> None:
        self._show_frame()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        columns = self._store.columns
        self.column.set_columns(columns, [] if columns is None else columns.numeric(composition=False))
        if names & set(self._names):
            self._show_curves()

    def _on_store_picked_changed(self, _atoms: tuple[int, ...]) -> None:
        self._show_enabled()

    # -- the user

    def _on_column_activated(self, _index: int) -> None:
        name = self.column.chosen
        self.column.choose("")
        if name:
            self.show_column(name)

    def _on_plot_range_marked(self, first: int, last: int, operation: str) -> None:
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[first : last + 1] = True
        self._store.select(mask, operation, self.tr("frames {}–{}").format(first + 1, last + 1))

    def _on_measure_button_clicked(self) -> None:
        dataset, atoms = self._store.dataset, self._store.picked
        if dataset is None or not 2 <= len(atoms) <= 4:
            return
        active = self._store.active or 0
        name = name_of(dataset.structures, atoms) if max(atoms) < len(dataset.structures[0]) else ""
        name = name or f"measured at {active + 1}: {'–'.join(str(a + 1) for a in atoms)}"
        self._submit(
            self.tr("Measure {}").format(name),
            partial(measured, dataset.structures, atoms),
            partial(self._on_measured, dataset.fingerprint, name),
            "interactive",
        )

    def _on_measured(self, fingerprint: str, name: str, column: Property) -> None:
        if fingerprint == self._fingerprint:
            self._store.add_columns({name: column}, self.tr("measure {}").format(name))
            self.show_column(name)

    def _on_thin_button_clicked(self) -> None:
        dataset, count = self._store.dataset, self.count.value()
        if dataset is None:
            return
        representation = self._store.session.representation
        self._submit(
            self.tr("Thin to {:,} frames").format(count),
            partial(thinned, dataset.structures, representation, count),
            partial(self._on_thinned, dataset.fingerprint, representation.title),
            "batch",
        )

    def _on_thinned(self, fingerprint: str, title: str, kept: NDArray[np.int64]) -> None:
        if fingerprint == self._fingerprint:
            mask = np.zeros(len(self._store.session.selection), dtype=bool)
            mask[kept] = True
            text = self.tr("{:,} farthest points, {}").format(len(kept), title)
            self._store.select(mask, "replace", text)

    def _submit(self, title: str, compute: Callable[[Progress], Any], done: Callable[[Any], None], lane: Lane) -> None:
        self._runner.submit(
            Job(
                key=f"{SLOT} {title} {id(compute)}",
                slot=SLOT,
                title=title,
                compute=compute,
                done=done,
                failed=self._on_failed,
                lane=lane,
            )
        )

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._note.setText(self.tr("⚠ {}").format(error))
        self._note.setVisible(True)
