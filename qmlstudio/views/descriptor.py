"""The descriptor panel: the representation's parameters, and what it says of the active structure."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMessageBox, QToolButton, QVBoxLayout, QWidget

from qmlstudio import representations
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features, Layout, Representation
from qmlstudio.widgets.descriptor_plot import DescriptorData, DescriptorPlot
from qmlstudio.widgets.parameter_form import ParameterForm


class DescriptorView(QWidget):
    """Form and drawing. The active structure has a lane of its own, so it answers while the set computes."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self.redraws = 0
        self._active: int | None = None
        self._choice = QComboBox()
        for name, cls in representations.REGISTRY.items():
            self._choice.addItem(cls.title, name)
        self._choice.setToolTip(self.tr("What turns a structure into numbers"))
        self._about = QToolButton()
        self._about.setText("?")
        self._about.setAutoRaise(True)
        self._about.setToolTip(self.tr("What this representation is, and its reference"))
        self._form = ParameterForm()
        self._size = QLabel()
        self._error = QLabel()
        self._error.setWordWrap(True)
        self._error.setVisible(False)
        self.plot = DescriptorPlot()
        top = QHBoxLayout()
        top.addWidget(self._choice, 1)
        top.addWidget(self._about)
        upper = QWidget()
        form = QVBoxLayout(upper)
        form.setContentsMargins(6, 6, 6, 0)
        form.addLayout(top)
        form.addWidget(self._form)
        form.addWidget(self._size)
        form.addWidget(self._error)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(upper)
        layout.addWidget(self.plot, 1)
        self._choice.activated.connect(self._on_choice_activated)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._about.clicked.connect(self._on_about_clicked)
        self.plot.hovered.connect(self._on_plot_hovered)
        self.plot.clicked.connect(self._on_plot_clicked)
        store.changed.connect(self._on_store_changed)
        store.picked_changed.connect(self._on_store_picked_changed)
        store.atoms_hovered.connect(self._on_store_atoms_hovered)
        self._show_form()
        self._show_descriptor()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.plot.set_dark(dark)

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "representation" in names:
            self._show_form()
        if names & {"representation", "dataset"}:
            self._show_size()
        if names & {"representation", "dataset"} or ("selection" in names and self._store.active != self._active):
            self._show_descriptor()

    def _on_store_picked_changed(self, atoms: tuple[int, ...]) -> None:
        self.plot.set_highlight_atoms(list(atoms))

    def _on_store_atoms_hovered(self, atoms: tuple[int, ...]) -> None:
        self.plot.set_highlight_atoms(list(atoms) or list(self._store.picked))

    def _show_form(self) -> None:
        representation = self._store.session.representation
        self._choice.setCurrentIndex(self._choice.findData(representation.name))
        self._form.set_value(representation)

    def _show_size(self) -> None:
        dataset, representation = self._store.dataset, self._store.session.representation
        if dataset is None:
            self._size.clear()
            return
        columns = representation.size(dataset.structures.species)
        megabytes = representation.memory(dataset.structures) / 2**20
        self._size.setText(self.tr("{:,} columns · {:,.1f} MiB for all").format(columns, megabytes))

    def _show_descriptor(self) -> None:
        dataset, active = self._store.dataset, self._store.active
        self._active = active
        if dataset is None or active is None:
            self._runner.cancel("descriptor")
            self.plot.set_data(None)
            return
        representation, species = self._store.session.representation, dataset.structures.species
        features = self._store.result("features")
        if isinstance(features, Features) and features.representation == representation and not representation.local:
            layout = representation.layout(dataset.structures[active], species)
            self._runner.cancel("descriptor")
            self._draw(active, (np.asarray(features.array[active], dtype=np.float64), layout))
            return
        structure = dataset.structures[active]  # not take(): that goes through all of them
        cells = None if structure.cell is None else [structure.cell]
        one = Structures.from_lists([structure.numbers], [structure.positions], cells)
        self._runner.submit(
            Job(
                key=f"descriptor {dataset.fingerprint} {active} {representation.to_dict()}",
                slot="descriptor",
                title=self.tr("Descriptor of the active structure"),
                compute=partial(_describe, representation, one, species),
                done=partial(self._on_described, dataset, active, representation),
                failed=self._on_failed,
                lane="interactive",
                conflate=True,
            )
        )

    def _on_described(
        self, dataset: Dataset, index: int, representation: Representation, described: tuple[Any, Layout]
    ) -> None:
        """A running job may end after the store has moved on: what it says of a moment ago is not shown.

        Frames are the exception, or a trajectory that plays faster than they are described would show nothing.
        """
        same = dataset is self._store.dataset and representation == self._store.session.representation
        if same and (index == self._store.active or dataset.ordered):
            self._draw(index, described)

    def _draw(self, index: int, described: tuple[Any, Layout]) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        self.redraws += 1
        row, layout = described
        structure = dataset.structures[index]
        representation, species = self._store.session.representation, dataset.structures.species
        self._error.setVisible(False)
        labels = _labels(representation, species)
        self.plot.set_data(
            DescriptorData(
                kind=layout.kind,
                values=row,
                cells=representation.unpack(np.arange(len(row)), species) if layout.kind == "matrix" else None,
                groups=layout.groups,
                row_labels=layout.row_labels,
                atoms=layout.atoms,
                atom_names=tuple(f"{s}{i + 1}" for i, s in enumerate(structure.symbols)),
                labels=tuple(labels),
                unit=layout.unit,
            )
        )
        self.plot.set_highlight_atoms(list(self._store.picked))
        # the mouse may rest on a cell: another structure's atoms fill it now
        data, column = self.plot.data(), self.plot.hover_column()
        if data is not None and column >= 0:
            self._store.hover_atoms(data.atoms_of(column))

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._error.setText(self.tr("⚠ {}").format(error))
        self._error.setVisible(True)
        self.plot.set_data(None)

    # -- the user

    def _on_choice_activated(self, _row: int) -> None:
        name = self._choice.currentData()
        if name != self._store.session.representation.name:
            new = representations.REGISTRY[name]()
            self._store.update(self.tr("representation {}").format(new.title), representation=new)

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Representation):
            self._store.update(self.tr("parameters of {}").format(value.title), representation=value)

    def _on_about_clicked(self) -> None:
        representation = self._store.session.representation
        box = QMessageBox(self)
        box.setWindowTitle(representation.title)
        box.setText(f"<b>{representation.title}</b>")
        box.setInformativeText(f"{representation.help}\n\n{representation.reference}".strip())
        box.open()

    def _on_plot_hovered(self, atoms: tuple[int, ...], _column: int) -> None:
        self._store.hover_atoms(tuple(atoms))

    def _on_plot_clicked(self, column: int) -> None:
        data = self.plot.data()
        atoms = data.atoms_of(column) if data is not None else ()
        if atoms:
            self._store.pick(atoms)


_LABELS: dict[tuple[Representation, Species], list[str]] = {}


def _labels(representation: Representation, species: Species) -> list[str]:
    """The columns' names; the last few sets are kept, since a frame is drawn 30 times a second."""
    key = (representation, species)
    if key not in _LABELS:
        while len(_LABELS) > 8:
            del _LABELS[next(iter(_LABELS))]
        _LABELS[key] = representation.labels(species)
    return _LABELS[key]


def _describe(
    representation: Representation, one: Structures, species: Species, progress: Progress
) -> tuple[Any, Layout]:
    features = representation.compute(one, progress, species=species, threads=1)
    row = features.array[0] if not representation.local else features.array.mean(axis=0)
    return np.asarray(row, dtype=np.float64), representation.layout(one[0], species)
