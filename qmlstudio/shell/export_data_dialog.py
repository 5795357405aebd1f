"""Write structures and columns to a file: which format, which structures, which columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGroupBox,
    QLabel,
    QRadioButton,
    QVBoxLayout,
)

from qmlstudio.app.jobs import Job
from qmlstudio.chem.dataset import Property
from qmlstudio.chem.errors import Problem
from qmlstudio.chem.writers import FORMATS, Format, write
from qmlstudio.chem.writers.chemiscope import MAP
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.selection import Mask
from qmlstudio.shell.dialogs import problems_dialog
from qmlstudio.widgets.column_chooser import ColumnChooser, Entry

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow


@dataclass
class _Choice:
    """What was chosen last, for the next time: format, structures, and the columns of which sets of columns."""

    format: str = "extxyz"
    what: str = "selection"
    columns: dict[tuple[str, ...], tuple[str, ...]] | None = None


_last = _Choice()


class ExportDataDialog(QDialog):
    """Writes in a job; the status bar tells when it is done, a window what the format could not hold."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle(self.tr("Export data"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._window = window
        self.format = QComboBox()
        for form in FORMATS:
            self.format.addItem(f"{form.title} ({form.endings[0]})", form.name)
        self.format.setAccessibleName(self.tr("Format"))
        self._keeps = QLabel()
        self._keeps.setWordWrap(True)
        self._group = QButtonGroup(self)
        self._masks = self._choices()
        box = QGroupBox(self.tr("Structures"))
        inside = QVBoxLayout(box)
        self.what: dict[str, QRadioButton] = {}
        for k, (name, (text, mask)) in enumerate(self._masks.items()):
            button = self.what[name] = QRadioButton(text)
            button.setEnabled(mask is None or bool(mask.any()))
            self._group.addButton(button, k)
            inside.addWidget(button)
        self.columns = ColumnChooser()
        self._columns_box = QGroupBox(self.tr("Columns"))
        QVBoxLayout(self._columns_box).addWidget(self.columns)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self._save = buttons.button(QDialogButtonBox.StandardButton.Save)
        self._save.setText(self.tr("&Save as…"))
        buttons.accepted.connect(self._on_buttons_accepted)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.format)
        layout.addWidget(self._keeps)
        layout.addWidget(box)
        layout.addWidget(self._columns_box, 1)
        layout.addWidget(buttons)
        self._names: tuple[str, ...] = ()
        self._fill()
        self.format.currentIndexChanged.connect(self._on_format_changed)
        self.columns.chosen.connect(self._on_columns_chosen)
        self.columns.reset_requested.connect(self._on_columns_reset)
        self._on_format_changed()
        self.resize(380, 560)

    # -- what there is

    def _choices(self) -> dict[str, tuple[str, Mask | None]]:
        """Which structures may be written; None: all."""
        store = self._window.store
        selection, n = store.session.selection, len(store.session.selection)
        passing: Mask | None = getattr(store.result("filter"), "mask", None)
        if passing is not None and len(passing) != n:
            passing = None
        count = n if passing is None else int(np.count_nonzero(passing))
        both = selection.mask if passing is None else selection.mask & passing
        rows: dict[str, tuple[str, Mask | None]] = {
            "selection": (self.tr("The selection ({:,})").format(selection.count), selection.mask),
            "filter": (self.tr("What passes the filters ({:,})").format(count), passing),
            "both": (self.tr("The selected ones that pass ({:,})").format(int(np.count_nonzero(both))), both),
            "all": (self.tr("All ({:,})").format(n), None),
        }
        if passing is None:
            del rows["filter"], rows["both"]
        return rows

    def _available(self) -> tuple[str, ...]:
        columns = self._window.store.columns
        return () if columns is None else columns.names()

    def _usual(self) -> tuple[str, ...]:
        """Everything but what follows from the composition."""
        columns = self._window.store.columns
        return () if columns is None else columns.names(composition=False)

    def _fill(self) -> None:
        position = self.format.findData(_last.format)
        self.format.setCurrentIndex(max(position, 0))
        first = next((k for k, b in self.what.items() if k == _last.what and b.isEnabled()), "all")
        self.what[first].setChecked(True)
        known = (_last.columns or {}).get(self._available())
        self._show_columns(self._usual() if known is None else known)

    def _show_columns(self, chosen: tuple[str, ...]) -> None:
        columns = self._window.store.columns
        self._names = chosen
        if columns is None:
            return
        order = [*chosen, *(k for k in self._available() if k not in chosen)]
        own = set(columns.names(composition=False))
        entries = []
        for name in order:
            p = columns[name] if name in own else None
            title = name if p is None or not p.unit else f"{name} [{p.unit}]"
            tip = self.tr("from the composition") if p is None else p.description
            entries.append(Entry(name, title, tip, name in chosen))
        self.columns.set_entries(entries)

    @property
    def form(self) -> Format:
        """The chosen format."""
        return next(f for f in FORMATS if f.name == self.format.currentData())

    @property
    def rows(self) -> Mask | None:
        """The chosen structures; None for all."""
        name = next((k for k, b in self.what.items() if b.isChecked()), "all")
        return self._masks[name][1]

    # -- the person

    def _on_format_changed(self, *_: object) -> None:
        self._keeps.setText(self.form.keeps)
        self._columns_box.setEnabled(self.form.columns)

    def _on_columns_chosen(self, names: list[str]) -> None:
        self._names = tuple(names)

    def _on_columns_reset(self) -> None:
        self._show_columns(self._usual())

    def _on_buttons_accepted(self) -> None:
        window, form = self._window, self.form
        name = window.store.session.dataset.name or "structures"
        path, _ = QFileDialog.getSaveFileName(
            self,
            self.tr("Export data"),
            str(Path(window.preferences.last_folder) / f"{name}{form.endings[0]}"),
            f"{form.title} ({' '.join('*' + ending for ending in form.endings)})",
        )
        if path:
            self.write(path)

    def _map_columns(self) -> dict[str, Property]:
        """The coordinates of the map, for the format that shows one itself."""
        store = self._window.store
        points = getattr(store.result("map"), "points", None)
        if self.form.name != "chemiscope" or points is None or len(points) != len(store.session.selection):
            return {}
        text = self.tr("coordinate of the map")
        return {name: Property(points[:, k], description=text) for k, name in enumerate(MAP)}

    def write(self, path: str) -> None:
        """Write in a job and close; the format's ending is added where it lacks."""
        window, form = self._window, self.form
        dataset, columns = window.store.dataset, window.store.columns
        if dataset is None or columns is None:
            return
        if not path.lower().endswith(form.endings):
            path += form.endings[0]
        window.preferences.last_folder = str(Path(path).parent)
        _last.format = form.name
        _last.what = next((k for k, b in self.what.items() if b.isChecked()), "all")
        _last.columns = {**(_last.columns or {}), self._available(): self._names}
        # a line of SMILES needs the column of SMILES, whichever are ticked
        names = self._names if form.columns else tuple(k for k in ("smiles",) if k in columns)
        window.runner.submit(
            Job(
                key=f"export {path}",
                slot="export",
                title=self.tr("Export {}").format(Path(path).name),
                compute=partial(_write, columns, names, self.rows, path, self._map_columns()),
                done=partial(_tell, window, path),
                failed=window.on_job_failed,
                lane="interactive",
            )
        )
        self.accept()


def _write(
    columns: Columns,
    names: tuple[str, ...],
    rows: Mask | None,
    path: str,
    extra: dict[str, Property],
    progress: Progress,
) -> tuple[Problem, ...]:
    chosen = dict(extra)
    for name in names:
        progress.check()
        chosen[name] = columns[name]
    return write(columns.dataset, path, progress, chosen, rows)


def _tell(window: MainWindow, path: str, problems: tuple[Problem, ...]) -> None:
    window.statusBar().showMessage(window.tr("Wrote {}").format(path), 8000)
    if problems:
        problems_dialog(problems, window).show()
