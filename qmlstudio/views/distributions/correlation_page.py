"""How all columns of numbers go together."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.learning.correlation_matrix import CorrelationMatrix, correlation_matrix
from qmlstudio.progress import Progress
from qmlstudio.session.coloring import palette
from qmlstudio.session.columns import Columns
from qmlstudio.session.filter_lookups import lookups_of
from qmlstudio.session.filters import FAST_ROWS
from qmlstudio.views.distributions.page import Page, named, number, switch
from qmlstudio.widgets.correlation_plot import CorrelationPlot
from qmlstudio.widgets.text_strip import TextStrip


class CorrelationPage(Page):
    """The matrix of all columns; a click asks for the pair.

    Signals
    -------
    pair_chosen(x, y)
    """

    pair_chosen = Signal(str, str)

    def __init__(self, store: Store, runner: JobRunner) -> None:
        super().__init__(store, runner)
        self._names: tuple[str, ...] = ()
        self._matrix: CorrelationMatrix | None = None
        self.kind = QComboBox()
        self.kind.addItem(self.tr("Pearson r"), "pearson")
        self.kind.addItem(self.tr("Spearman ρ"), "spearman")
        named(self.kind, self.tr("Correlation of the values (Pearson) or of their ranks (Spearman)"))
        self.composition = switch(self.tr("composition"), self.tr("Numbers of atoms, too"))
        self.selected = switch(self.tr("selected only"), self.tr("Correlate the selected structures only"))
        self.plot = CorrelationPlot()
        self.plot.set_colors(palette("vik"))
        self.text = TextStrip(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)
        self.tools = [self.kind, self.composition, self.selected]
        self.kind.activated.connect(self.refresh)
        self.composition.clicked.connect(self.refresh)
        self.selected.clicked.connect(self.refresh)
        self.plot.pair_chosen.connect(self._on_plot_pair_chosen)
        self.plot.cell_changed.connect(self._on_plot_cell_changed)

    # -- what others may ask

    @property
    def matrix(self) -> CorrelationMatrix | None:
        """What is drawn; None while it is worked out."""
        return self._matrix

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        return self._names

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.plot.set_dark(dark)

    def show_columns(self, columns: Columns | None) -> None:
        pass

    def uses(self, names: frozenset[str]) -> bool:
        columns = self._store.columns
        numeric = () if columns is None else columns.numeric(self.composition.isChecked())
        # those that went, and those that came
        return bool(names & {*self._names, *numeric})

    def show_selection(self) -> None:
        before = self._mask
        if self.selected.isChecked() and self.selected_mask is not before:
            self.refresh()

    # -- drawing

    def draw(self) -> None:
        columns = self._store.columns
        names = () if columns is None else columns.numeric(self.composition.isChecked())
        if columns is None or len(names) < 2 or not len(columns.dataset):
            self._runner.cancel("correlations")
            text = self.tr("no data set") if columns is None else self.tr("there are no two columns of numbers")
            self._forget(text)
            return
        if names != self._names:
            self._forget(self.tr("correlating…"))
        mask = self.selected_mask if self.selected.isChecked() else None
        if mask is not None and not mask.any():
            self._runner.cancel("correlations")
            self._forget(self.tr("nothing is selected"))
            return
        kind = str(self.kind.currentData())
        self._runner.submit(
            Job(
                key=f"{self._store.session.dataset.fingerprint} {kind} {self._stamp} {names} {id(mask)}",
                slot="correlations",
                title=self.tr("Correlations"),
                compute=partial(_correlate, columns, names, kind, mask),
                done=partial(self._on_done, columns, names),
                failed=self._on_failed,
                lane="interactive" if len(columns.dataset) * len(names) <= 10 * FAST_ROWS else "batch",
                priority=1,
            )
        )

    def _forget(self, message: str) -> None:
        self._matrix, self._names = None, ()
        self.plot.set_message(message)
        self.plot.set_matrix(np.zeros((0, 0)), ())
        self.text.set_text("")

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._forget(self.tr("⚠ {}").format(error))

    def _on_done(self, columns: Columns, names: tuple[str, ...], found: CorrelationMatrix) -> None:
        if not self.is_about(columns):
            return
        self._names, self._matrix = names, found
        self.plot.set_matrix(found.values, names, found.order)
        self._on_plot_cell_changed(-1, -1)

    # -- the user

    def _on_plot_cell_changed(self, row: int, column: int) -> None:
        found = self._matrix
        if found is None:
            return
        if row >= 0:
            value, pair = float(found.values[row, column]), (self._names[row], self._names[column])
            kind = self.kind.currentText()
            if np.isnan(value):
                constant = [self._names[k] for k in (row, column) if np.isnan(found.values[k]).all()]
                why = self.tr("{} does not vary").format(constant[0]) if constant else self.tr("too few common values")
                self.text.set_text(self.tr("{} and {}: {}").format(*pair, why))
            else:
                text = self.tr("{} and {}: {} = {}, n {:,} · click: the pair")
                self.text.set_text(text.format(*pair, kind, number(value), int(found.counts[row, column])))
            return
        blank = [self._names[k] for k in range(len(self._names)) if np.isnan(found.values[k]).all()]
        parts = [self.tr("{:,} columns, ordered by clustering on 1 − |r|").format(len(self._names))]
        if found.used < found.rows:
            parts.append(self.tr("ranks of {:,} random structures of {:,}").format(found.used, found.rows))
        if blank:
            parts.append(self.tr("blank, since they do not vary: {}").format(", ".join(blank)))
        self.text.set_text(" · ".join(parts))

    def _on_plot_pair_chosen(self, row: int, column: int) -> None:
        # the row's column upwards, as it stands in the matrix
        self.pair_chosen.emit(self._names[column], self._names[row])


def _correlate(
    columns: Columns, names: tuple[str, ...], kind: str, mask: np.ndarray | None, progress: Progress
) -> CorrelationMatrix:
    values = []
    for name in names:
        progress.check()
        lookups_of(columns.dataset).made.add(name)
        column = columns[name].values
        values.append(column if mask is None else column[mask])
    return correlation_matrix(values, kind, progress)
