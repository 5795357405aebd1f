"""How far each set reaches over the others: a matrix, and the distances behind each of its cells."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio import representations
from qmlstudio.app.comparing import ComparisonEngine
from qmlstudio.parameters import Parameterised
from qmlstudio.representations import Representation
from qmlstudio.session.comparison import Coverage, CoverageSpec
from qmlstudio.session.comparison.coverage import distance_bins
from qmlstudio.session.comparison.result import Comparison, Histogram
from qmlstudio.views.comparison.pages import Page
from qmlstudio.views.comparison.set_list import styles as styles_of
from qmlstudio.widgets.curve_plot import CurvePlot, PlotCurve
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import mix, theme

BINS = 120


class CoveragePage(Page):
    """Choose a representation, compute, click a cell.

    Signals
    -------
    cell_changed()
        Another cell's distances are drawn.
    """

    name = "coverage"
    cell_changed = Signal()

    def __init__(self, engine: ComparisonEngine, representation: Representation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._theme = theme(False)
        self._representation: Representation = representation
        self._spec = CoverageSpec()
        self._sets: list[str] = []
        self._cell = (-1, -1)
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Representation"))
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(12)
        for name, cls in representations.REGISTRY.items():
            self.choice.addItem(cls.title, name)
        if representation.name not in representations.REGISTRY:
            self.choice.addItem(representation.title, representation.name)
        self.choice.setCurrentIndex(self.choice.findData(representation.name))
        self.form = ParameterForm(representation)
        self.options = ParameterForm(self._spec)
        self.compute = QPushButton(self.tr("&Compute coverage"))
        self.compute.setAutoDefault(False)
        self.join = QPushButton(self.tr("Open on a common &map"))
        self.join.setAutoDefault(False)
        self.join.setToolTip(
            self.tr("The structures that were compared as one data set, coloured by set, distances as columns")
        )
        self.table = QTableWidget()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.table.setAccessibleName(self.tr("Share of the column's set that the row's set does not cover"))
        self.table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().setMaximumWidth(200)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.verticalHeader().setHighlightSections(False)
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.plot = CurvePlot()
        self._lay_out()
        self.choice.activated.connect(self._on_choice_activated)
        self.form.value_changed.connect(self._on_form_value_changed)
        self.options.value_changed.connect(self._on_options_value_changed)
        self.compute.clicked.connect(self._on_compute_clicked)
        self.join.clicked.connect(engine.join)
        self.table.currentCellChanged.connect(self._on_table_current_cell_changed)
        engine.coverage_changed.connect(self._show)
        self._show()

    def _lay_out(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 6, 0)
        column.addWidget(self.choice)
        column.addWidget(self.form)
        column.addWidget(self.options)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        left = QWidget()
        side = QVBoxLayout(left)
        side.setContentsMargins(0, 0, 0, 0)
        side.addWidget(scroll, 1)
        side.addWidget(self.compute)
        side.addWidget(self.join)
        right = QWidget()
        main = QVBoxLayout(right)
        main.setContentsMargins(6, 0, 0, 0)
        main.addWidget(self.table)
        main.addWidget(self.sentence)
        main.addWidget(self.plot, 1)
        main.addWidget(self._note)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([300, 530])
        splitter.setChildrenCollapsible(False)
        left.setMinimumWidth(220)
        QHBoxLayout(self).addWidget(splitter)

    # -- what others may ask

    @property
    def representation(self) -> Representation:
        """What is compared."""
        return self._representation

    def show_comparison(self, result: Comparison | None, styles: list[SetStyle]) -> None:
        self._sets = [s.name for s in styles]
        self.compute.setEnabled(len(styles) >= 2)
        self._show()

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self._theme = theme(dark)
        self.plot.set_dark(dark)
        self._show()

    @property
    def cell(self) -> tuple[int, int]:
        """Whose coverage of which set is drawn."""
        return self._cell

    # -- the person

    def _on_choice_activated(self, _row: int) -> None:
        name = str(self.choice.currentData())
        if name != self._representation.name:
            self._representation = representations.get(name)()
            self.form.set_value(self._representation)

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Representation):
            self._representation = value

    def _on_options_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, CoverageSpec):
            self._spec = value

    def _on_compute_clicked(self) -> None:
        self.form.flush()
        self.options.flush()
        self._note.setText(self.tr("Computing…"))
        self._engine.cover(self._representation, self._spec)

    def _on_table_current_cell_changed(self, row: int, column: int, _old_row: int, _old_column: int) -> None:
        self._cell = (row, column)
        self._show_cell()
        self.cell_changed.emit()

    # -- showing

    def _show(self) -> None:
        covered, problem = self._engine.covered, self._engine.coverage_problem
        self.join.setEnabled(covered is not None)
        if problem:
            self._note.setText(f"⚠ {problem}")
        elif covered is None:
            self._note.setText("")
        else:
            stale = "" if list(covered.names) == self._sets else self.tr("Of other sets than those in the list now. ")
            self._note.setText(stale + covered.note)
        self._fill_table(covered)
        self._show_cell()

    def _fill_table(self, covered: Coverage | None) -> None:
        names = covered.names if covered is not None else ()
        with QSignalBlocker(self.table):
            self.table.clear()
            self.table.setRowCount(len(names))
            self.table.setColumnCount(len(names))
            self.table.setHorizontalHeaderLabels([self.tr("of {}").format(n) for n in names])
            self.table.setVerticalHeaderLabels([self.tr("outside {}").format(n) for n in names])
            for k, name in enumerate(names):
                for item in (self.table.horizontalHeaderItem(k), self.table.verticalHeaderItem(k)):
                    if item is not None:
                        item.setToolTip(name)
            for a in range(len(names)):
                for b in range(len(names)):
                    assert covered is not None
                    self.table.setItem(a, b, self._item(covered, a, b))
            if covered is not None:
                a, b = self._cell
                if not (0 <= a < len(names) and 0 <= b < len(names)):
                    a, b = 0, min(1, len(names) - 1)
                self.table.setCurrentCell(a, b)
                self._cell = (a, b)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.setVisible(covered is not None)
        rows = sum(self.table.rowHeight(k) for k in range(len(names)))
        self.table.setFixedHeight(min(rows + header.sizeHint().height() + 4, 260))

    def _item(self, covered: Coverage, a: int, b: int) -> QTableWidgetItem:
        share = float(covered.outside[a, b])
        item = QTableWidgetItem("–" if not np.isfinite(share) else f"{100 * share:.1f} %")
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        item.setToolTip(covered.sentence(a, b))
        if np.isfinite(share) and a != b:
            item.setBackground(QColor(mix(self._theme.background, "#d55e00", 0.08 + 0.5 * share)))
            item.setForeground(QColor(self._theme.foreground))
        return item

    def _show_cell(self) -> None:
        covered, (a, b) = self._engine.covered, self._cell
        empty = self.tr("Choose a representation and press “Compute coverage”.")
        if covered is None or not (0 <= a < len(covered.names) and 0 <= b < len(covered.names)):
            self.sentence.setText("" if covered is not None else empty)
            self.plot.set_curves(np.zeros(0), [], "", "")
            return
        self.sentence.setText(covered.sentence(a, b))
        looks = styles_of(list(covered.names), self._theme.dark)
        wanted = [(a, covered.nearest[a][a])] + ([(b, covered.nearest[a][b])] if b != a else [])
        known = [(k, d[np.isfinite(d)]) for k, d in wanted]
        known = [(k, d) for k, d in known if len(d)]
        edges, log = distance_bins([d for _, d in known], BINS)
        if not len(edges):
            self.plot.set_curves(np.zeros(0), [], "", "", message=self.tr("All distances are 0, or unknown."))
            return
        curves = []
        for k, d in known:
            histogram = Histogram(k, np.histogram(d, edges)[0].astype(np.int64), len(d))
            curves.append(PlotCurve(looks[k], histogram.density(edges, 1.0, log)))
        threshold = float(covered.threshold[a])
        title = self.tr("distance to the nearest structure of {}").format(covered.names[a])
        marks = [(threshold, self.tr("near"))] if np.isfinite(threshold) and (threshold > 0 or not log) else []
        middles = np.sqrt(edges[1:] * edges[:-1]) if log else 0.5 * (edges[1:] + edges[:-1])
        self.plot.set_curves(middles, curves, title, self.tr("density"), x_log=log, marks=marks)
