"""The descriptor panel: the representation's parameters, and what it says of the active structure."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio import representations
from qmlstudio.app import represent
from qmlstudio.app.describer import Describer
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.structures import Structure
from qmlstudio.parameters import Parameterised
from qmlstudio.representations.base import Contribution, Features, Representation
from qmlstudio.session.description import Description, Row, atom_names, largest, lit_atoms
from qmlstudio.widgets.descriptor_choice import Choice, ChoiceBox
from qmlstudio.widgets.descriptor_controls import NarrowBox, size_text
from qmlstudio.widgets.descriptor_help import FORMULA_PIXELS, About, AboutDialog
from qmlstudio.widgets.descriptor_plot import DescriptorData, DescriptorPlot
from qmlstudio.widgets.parameter_form import ParameterForm

ESTIMATE_MS = 500
"""How long the parameters have to rest before their cost is measured."""
PATIENCE_MS = 300
"""How long another representation's drawing may stay while the new one's is made (the first time compiles loops)."""


class DescriptorView(QWidget):
    """Form and drawing. The active structure has a lane of its own, so it answers while the set computes."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._describer = Describer(runner, self)
        self.redraws = 0
        self.memory_budget: int | None = None
        self._active: int | None = None
        self._row: Row = "heavy"
        self._compare: int | None = None
        self._hovered_atoms: tuple[int, ...] = ()
        self._lighting = False
        self._dark = False
        self._shown: tuple[Structure, Description] | None = None
        self._shown_name = ""
        self._dialog: AboutDialog | None = None
        self._divided = False
        self._choice = ChoiceBox()
        self._choice.setToolTip(self.tr("What turns a structure into numbers; type to search"))
        self._choice.setAccessibleName(self.tr("Representation"))
        self._about = QToolButton()
        self._about.setText("?")
        self._about.setAutoRaise(True)
        self._about.setToolTip(self.tr("What this representation is: formula, parameters, literature"))
        self._form = ParameterForm()
        self._size = QLabel()
        self._size.setWordWrap(True)
        self._error = QLabel()
        self._error.setWordWrap(True)
        self._error.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._error.setVisible(False)
        tip = self.tr("Whose row of features is drawn; a click on an atom in 3D chooses it")
        self._rows = NarrowBox(tip, self.tr("Atom"))
        self._versus = NarrowBox(self.tr("Draw the difference to a pinned structure"), self.tr("Difference"))
        self.plot = DescriptorPlot()
        self._estimating = QTimer(self)
        self._estimating.setSingleShot(True)
        self._estimating.setInterval(ESTIMATE_MS)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._lay_out()
        self._connect()
        self.show_choices()
        self._show_form()
        self._show_descriptor()

    def _connect(self) -> None:
        store, describer = self._store, self._describer
        self._estimating.timeout.connect(self._on_estimating_timeout)
        self._patience.timeout.connect(self._on_patience_timeout)
        self._choice.activated.connect(self._on_choice_activated)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._about.clicked.connect(self.show_about)
        self._rows.activated.connect(self._on_rows_activated)
        self._versus.activated.connect(self._on_versus_activated)
        self.plot.hovered.connect(self._on_plot_hovered)
        self.plot.clicked.connect(self._on_plot_clicked)
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.picked_changed.connect(self._on_store_picked_changed)
        store.atoms_hovered.connect(self._on_store_atoms_hovered)
        describer.described.connect(self._on_described)
        describer.failed.connect(self._on_failed)
        describer.part_ready.connect(self._on_part_ready)
        describer.contributions_ready.connect(self._on_contributions_ready)
        describer.estimated.connect(self._show_size)
        describer.formulas_ready.connect(self._on_formulas_ready)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(6, 6, 6, 0)
        top.addWidget(self._choice, 1)
        top.addWidget(self._about)
        self._inside = QWidget()
        form = QVBoxLayout(self._inside)
        form.setContentsMargins(6, 4, 6, 4)
        form.addWidget(self._form)
        form.addStretch()
        self._upper = QScrollArea()
        self._upper.setWidget(self._inside)
        self._upper.setWidgetResizable(True)
        self._upper.setFrameShape(QFrame.Shape.NoFrame)
        self._upper.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._upper.setMinimumHeight(40)
        chosen = QHBoxLayout()
        chosen.setContentsMargins(6, 0, 6, 2)
        chosen.addWidget(self._rows, 1)
        chosen.addWidget(self._versus, 1)
        words = QVBoxLayout()
        words.setContentsMargins(6, 2, 6, 2)
        words.addWidget(self._size)
        words.addWidget(self._error)
        lower = QWidget()
        drawing = QVBoxLayout(lower)
        drawing.setContentsMargins(0, 0, 0, 0)
        drawing.setSpacing(2)
        drawing.addLayout(words)
        drawing.addLayout(chosen)
        drawing.addWidget(self.plot, 1)
        self._divider = QSplitter(Qt.Orientation.Vertical)
        self._divider.addWidget(self._upper)
        self._divider.addWidget(lower)
        self._divider.setStretchFactor(1, 1)
        self._divider.setChildrenCollapsible(False)
        self._divider.splitterMoved.connect(self._on_divider_moved)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self._divider, 1)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.plot.set_dark(dark)
        if self._dialog is not None:
            self._dialog.set_dark(dark)

    def set_memory_budget(self, budget: int) -> None:
        """Bytes that results may take: beyond them the line of sizes warns."""
        self.memory_budget = budget
        self._show_size()

    def show_choices(self) -> None:
        """Fill the list of representations anew, after other packages brought some."""
        dataset = self._store.dataset
        choices = [
            Choice(
                cls.name,
                cls.title,
                represent.family_of(cls.name),
                represent.unsuitable(cls, dataset),
                cls.name.replace("_", " "),
                represent.tip_of(cls),
            )
            for cls in represent.in_families()
        ]
        self._choice.set_choices(choices)
        self._choice.set_current(self._store.session.representation.name)

    def choose(self, name: str) -> None:
        """Take another representation, with its defaults."""
        if name != self._store.session.representation.name:
            new = representations.get(name)()
            self._store.update(self.tr("representation {}").format(new.title), representation=new)

    def toggle_difference(self) -> None:
        """Draw the difference to the structure pinned last, or the values again."""
        pins = [i for i in self._store.session.pins if i != self._store.active] or list(self._store.session.pins)
        self._set_compare(None if self._compare is not None or not pins else pins[-1])

    def figure_options(self) -> dict[str, Any]:
        """What a figure needs beside the session to show the same: whose row, and the difference to what."""
        return {"row": self._row, "compared": self._compare}

    def show_about(self) -> None:
        """Open the page about the representation."""
        if self._dialog is None:
            self._dialog = AboutDialog(self)
            self._dialog.set_dark(self._dark)
            self._dialog.destroyed.connect(self._on_dialog_destroyed)
        self._fill_about()
        self._dialog.show()
        self._dialog.raise_()

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.show_choices()
        if "representation" in names:
            self._show_form()
            self._fill_about()
        if names & {"representation", "dataset"}:
            self._show_size()
        moved = "selection" in names and self._store.active != self._active
        if "dataset" in names or (moved and not (self._store.dataset is not None and self._store.dataset.ordered)):
            # picked atoms were those of another molecule
            self._row = "mean" if self._row == "mean" else "heavy"
        if names & {"pins", "dataset"}:
            self._show_versus()
        if names & {"representation", "dataset"} or moved:
            self._show_descriptor()

    def _on_store_results_changed(self, name: str) -> None:
        if name == "features":
            self._show_size()

    def _on_store_picked_changed(self, atoms: tuple[int, ...]) -> None:
        self.plot.set_highlight_atoms(list(atoms))
        if atoms and self._store.session.representation.local and self._row != atoms[0]:
            self._row = atoms[0]
            self._show_descriptor()
        else:
            self._show_part()

    def _on_store_atoms_hovered(self, atoms: tuple[int, ...]) -> None:
        if self._lighting and self._is_panels():
            return  # that was the plot's own doing
        self._hovered_atoms = tuple(atoms)
        self.plot.set_highlight_atoms(list(atoms) or list(self._store.picked))
        self._show_part()

    # -- form, size, choices

    def _show_form(self) -> None:
        representation = self._store.session.representation
        if self._choice.findData(representation.name) < 0:
            self.show_choices()
        self._choice.set_current(representation.name)
        other = type(self._form.value()) is not type(representation)
        self._form.set_value(representation)
        if other:
            # the new form knows its height once it is laid out
            QTimer.singleShot(0, self._divide)

    def _divide(self) -> None:
        """Give the form what it needs, up to two fifths, unless somebody moved the divider."""
        if self._divided or not self.isVisible():
            return
        height = self._divider.height()
        layout = self._inside.layout()
        if layout is not None:
            layout.activate()
        wanted = min(self._inside.sizeHint().height() + 2, int(0.4 * height))
        self._divider.setSizes([wanted, height - wanted])

    def _on_divider_moved(self, _place: int, _index: int) -> None:
        self._divided = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self._divide)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._divide()

    def hideEvent(self, event: QHideEvent) -> None:
        self._estimating.stop()
        self._patience.stop()
        super().hideEvent(event)

    def _show_size(self, seconds: float | None = None) -> None:
        dataset, representation = self._store.dataset, self._store.session.representation
        self._estimating.stop()
        if dataset is None:
            self._size.clear()
            return
        structures = dataset.structures
        try:
            columns, memory = representation.size(structures.species), representation.memory(structures)
        except ValueError:
            self._size.clear()  # the reason stands below
            return
        rows = representation.rows(structures) if representation.local else None
        self._size.setText(size_text(columns, memory, rows, seconds, self.memory_budget))
        features = self._store.result("features")
        known = isinstance(features, Features) and features.representation == representation
        if seconds is None and not known and self.isVisible():
            self._estimating.start()

    def _on_estimating_timeout(self) -> None:
        dataset, representation = self._store.dataset, self._store.session.representation
        if dataset is not None and not represent.unsuitable(representation, dataset):
            self._describer.estimate(dataset, representation)

    def _show_versus(self) -> None:
        """One entry for each pin, by its number."""
        dataset, pins = self._store.dataset, self._store.session.pins
        entries: list[tuple[str, object]] = [(self.tr("values"), None)]
        if dataset is not None:
            entries += [(f"Δ {k}: {dataset.identifiers[i]}", int(i)) for k, i in enumerate(pins, 1)]
        self._versus.setVisible(bool(pins))
        if self._compare is not None and self._compare not in pins:
            self._set_compare(None)
        self._versus.set_entries(entries, self._compare)

    def _set_compare(self, index: int | None) -> None:
        if index != self._compare:
            self._compare = index
            self._versus.setCurrentIndex(max(self._versus.findData(index), 0))
            self._show_descriptor()

    def _show_rows(self, structure: Structure, centre: int | None) -> None:
        local = self._store.session.representation.local
        self._rows.setVisible(local)
        if not local:
            return
        entries: list[tuple[str, object]] = [(self.tr("mean of all atoms"), "mean")]
        entries += [(self.tr("atom {}").format(name), k) for k, name in enumerate(atom_names(structure))]
        self._rows.set_entries(entries, "mean" if centre is None else centre)

    # -- the drawing

    def _is_panels(self) -> bool:
        data = self.plot.data()
        return data is not None and data.kind == "panels"

    def _show_descriptor(self) -> None:
        dataset, active = self._store.dataset, self._store.active
        self._active = active
        if dataset is None or active is None:
            self._describer.forget()
            self._forget(self.tr("Choose a structure to see its features"))
            return
        representation = self._store.session.representation
        if why := represent.unsuitable(representation, dataset):
            self._describer.forget()
            self._fail(why)
            return
        pinned = self._compare if self._compare is not None and self._compare < len(dataset) else None
        if self._shown_name != representation.name and self.isVisible():
            self._patience.start()
        self._describer.set_subject(dataset, representation, active)
        self._describer.describe(self._row, pinned, self._lit())

    def _on_patience_timeout(self) -> None:
        self._forget(self.tr("Preparing {}…").format(self._store.session.representation.title))

    def _lit(self) -> tuple[int, ...]:
        """Atoms whose part is drawn into panels."""
        return () if self._compare is not None else self._hovered_atoms or self._store.picked

    def _on_described(self, structure: Structure, described: Description) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        self.redraws += 1
        representation, species = self._store.session.representation, dataset.structures.species
        layout, row = described.layout, described.row
        self._shown = structure, described
        self._shown_name = representation.name
        self._patience.stop()
        self._error.setVisible(False)
        self._show_rows(structure, described.centre)
        matrix = layout.kind == "matrix"
        self.plot.set_data(
            DescriptorData(
                kind=layout.kind,
                values=row,
                cells=representation.unpack(np.arange(len(row)), species) if matrix else None,
                groups=layout.groups,
                row_labels=layout.row_labels,
                atoms=layout.atoms,
                atom_names=atom_names(structure),
                labels=described.labels,
                unit=layout.unit,
                panels=layout.panels,
            ),
            reference=described.reference,
            part=described.part,
        )
        self.plot.set_highlight_atoms(list(self._store.picked))
        # the mouse may rest on a cell: another structure's atoms fill it now
        data, column = self.plot.data(), self.plot.hover_column()
        if data is not None and column >= 0:
            self._on_plot_hovered(data.atoms_of(column), column)

    def _forget(self, text: str) -> None:
        self._patience.stop()
        self._shown, self._shown_name = None, ""
        self.plot.set_empty_text(text)
        self.plot.set_data(None)
        self._error.setVisible(False)
        self._rows.setVisible(False)

    def _fail(self, text: str) -> None:
        self._forget(self.tr("No features: the reason stands above"))
        self._error.setText(f"⚠ {text}")
        self._error.setVisible(True)

    def _on_failed(self, error: BaseException) -> None:
        # computed by itself, it was the first of one
        text = (str(error) or type(error).__name__).replace("structure 1 (index 0)", self.tr("this structure"))
        if not isinstance(error, ValueError | ArithmeticError | MemoryError):
            text = self.tr("{} failed: {}: {}. The jobs panel has the details.").format(
                self._store.session.representation.title, type(error).__name__, error
            )
        self._fail(text)

    # -- parts of atoms, atoms of parts

    def _show_part(self) -> None:
        """Draw what picked or hovered atoms make into the panels on screen."""
        if not self._is_panels() or self._shown is None:
            return
        structure, described = self._shown
        chosen = tuple(a for a in self._lit() if a < len(structure) and a != described.centre)
        if not chosen:
            self.plot.set_part(None)
        self._describer.part(structure, described, self._row, chosen)

    def _on_part_ready(self, described: Description, part: Any) -> None:
        """Late parts of what is no longer on screen are dropped."""
        if self._shown is not None and self._shown[1] is described:
            self.plot.set_part(part if self._lit() else None)

    def _on_plot_hovered(self, atoms: tuple[int, ...], column: int) -> None:
        if self._is_panels() and column >= 0 and self._shown is not None:
            self._describer.contributions(*self._shown, column)
            return
        if self._shown is not None:
            self._describer.contributions(*self._shown, -1)
        self._light(tuple(atoms))

    def _on_contributions_ready(self, column: int, parts: list[Contribution]) -> None:
        if column == self.plot.hover_column() and self._shown is not None:
            self.plot.set_composition(largest(parts, atom_names(self._shown[0])))
            self._light(lit_atoms(parts))

    def _light(self, atoms: tuple[int, ...]) -> None:
        self._lighting = True
        try:
            self._store.hover_atoms(atoms)
        finally:
            self._lighting = False

    # -- the user

    def _on_choice_activated(self, _row: int) -> None:
        name = self._choice.currentData()
        if name:
            self.choose(name)

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Representation):
            self._store.update(self.tr("parameters of {}").format(value.title), representation=value)

    def _on_rows_activated(self, _row: int) -> None:
        chosen = cast(Row, self._rows.currentData())
        if isinstance(chosen, int) and self._store.picked != (chosen,):
            self._store.pick((chosen,))
        elif chosen != self._row:
            self._row = chosen
            self._show_descriptor()

    def _on_versus_activated(self, _row: int) -> None:
        self._set_compare(self._versus.currentData())

    def _on_plot_clicked(self, column: int) -> None:
        data = self.plot.data()
        atoms = data.atoms_of(column) if data is not None else ()
        if atoms:
            self._store.pick(atoms)

    def _fill_about(self) -> None:
        if self._dialog is None:
            return
        representation = self._store.session.representation
        old = self._dialog.about()
        about = About.of(representation)
        self._dialog.set_about(about)
        if old is not None and old.formula == about.formula and old.title == about.title:
            return
        self._describer.formulas(representation, self.devicePixelRatioF(), FORMULA_PIXELS)

    def _on_formulas_ready(self, title: str, ratio: float, inks: list[Any]) -> None:
        about = self._dialog.about() if self._dialog is not None else None
        if self._dialog is not None and about is not None and about.title == title:
            self._dialog.set_formulas(inks, ratio)

    def _on_dialog_destroyed(self, _object: object = None) -> None:
        self._dialog = None
