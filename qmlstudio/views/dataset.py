"""The data panel: which data set, what it holds, and the table of its properties."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.widgets.property_table import PropertyTable


class DatasetView(QWidget):
    """Follows the store: data set, active structure, selection.

    Signals
    -------
    problems_requested()
        The user wants to read what of the file could not be used.
    """

    problems_requested = Signal()

    def __init__(self, store: Store, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.redraws = 0
        self._title = QLabel()
        self._title.setWordWrap(True)
        self._title.setTextFormat(Qt.TextFormat.RichText)
        self._problems = QPushButton()
        self._problems.setFlat(True)
        self._problems.clicked.connect(self.problems_requested)
        self._only = QCheckBox(self.tr("Selected only"))
        self._only.setToolTip(self.tr("Leave out the rows of structures that are not selected"))
        self._only.setEnabled(False)
        self._count = QLabel()
        self.table = PropertyTable()
        bar = QHBoxLayout()
        bar.addWidget(self._only)
        bar.addStretch()
        bar.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._title)
        layout.addWidget(self._problems)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
        self._only.toggled.connect(self.table.rows.set_only_selected)
        self.table.activated_structure.connect(store.set_active)
        self.table.selected_structures.connect(self._on_table_selected_structures)
        store.changed.connect(self._on_store_changed)
        self._show_dataset(store.dataset)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._show_dataset(self._store.dataset)
        if "selection" in names or "dataset" in names:
            self._show_selection()

    def _on_table_selected_structures(self, indices: np.ndarray) -> None:
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[indices] = True
        self._store.select(mask, "replace", self.tr("table"))

    def _show_dataset(self, dataset: Dataset | None) -> None:
        self.redraws += 1
        self.table.set_dataset(dataset)
        self._problems.setVisible(bool(dataset and dataset.problems))
        if dataset is None:
            self._title.setText(self.tr("No data set. Drop a file here, or open one (Ctrl+O)."))
            return
        n, sizes = len(dataset), dataset.structures.sizes
        elements = " ".join(dataset.structures.species.symbols)
        atoms = self.tr("no atoms")
        if n:
            low, high = int(sizes.min()), int(sizes.max())
            atoms = self.tr("{} atoms each").format(low) if low == high else self.tr("{}–{} atoms").format(low, high)
        kind = self.tr("{:,} frames") if dataset.ordered else self.tr("{:,} structures")
        self._title.setText(f"<b>{dataset.name}</b><br>{kind.format(n)} · {atoms} · {elements}")
        self._title.setToolTip(
            "\n".join(filter(None, (dataset.source.path, dataset.source.licence, dataset.source.reference)))
        )
        self._problems.setText(self.tr("⚠ {} problems in the file…").format(len(dataset.problems)))

    def _show_selection(self) -> None:
        selection = self._store.session.selection
        count = selection.count
        self._only.setEnabled(count > 0 or self._only.isChecked())
        self._count.setText(self.tr("{:,} of {:,} selected").format(count, len(selection)) if count else "")
        self._count.setToolTip(selection.origin)
        self.table.rows.set_selection(selection.mask)
        self.table.show_active(selection.active)
