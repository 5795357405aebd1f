"""The matrix as an image: its order, its colours, the pair under the cursor."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.kernel_view import AS_IS, COLUMN, SIMILAR, KernelEngine, Tiles
from qmlstudio.app.store import MAX_PINS, Store
from qmlstudio.chem.dataset import Property
from qmlstudio.chem.texts import coded
from qmlstudio.session.cluster_report import CLUSTER
from qmlstudio.session.kernel_picture import Order
from qmlstudio.views.kernel.pair_overlay import PairOverlay
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.matrix_image import MatrixImage

_DECADES = 8
"""Of logarithmic colours at most: what is smaller is nothing."""
_QUICK_TEXTS = 20_000
"""Texts that are compared within some milliseconds."""


def rounded(value: float) -> str:
    """Four significant figures, with a true minus."""
    return f"{value:.4g}".replace("-", "−")


class MatrixPage(QWidget):
    """Follows the engine's order, and the store's selection, pins and active structure."""

    def __init__(self, store: Store, runner: JobRunner, engine: KernelEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._engine = store, engine
        self._place_of: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._hovering = False
        self._empty = self.tr("No kernel matrix yet.")
        self.image = MatrixImage()
        self.pair = PairOverlay(store, runner)
        self._by = QComboBox()
        for key, text in (
            (AS_IS, self.tr("order of the data")),
            (SIMILAR, self.tr("similar side by side")),
            (COLUMN, self.tr("by a column")),
        ):
            self._by.addItem(text, key)
        self._by.setAccessibleName(self.tr("Order of the structures"))
        self._by.setToolTip(self.tr("In which order structures stand along both axes"))
        self._by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._by.setMinimumContentsLength(5)
        self._column = ColumnCombo(self.tr("choose a column"))
        self._column.setMinimumContentsLength(5)
        self._column.setAccessibleName(self.tr("Column that orders the structures"))
        self._log = QToolButton()
        self._log.setText(self.tr("log"))
        self._log.setCheckable(True)
        self._log.setAutoRaise(True)
        self._log.setToolTip(self.tr("Colours by the logarithm of the similarity"))
        self._log.setAccessibleName(self._log.toolTip())
        self._whole = QToolButton()
        self._whole.setText("⤢")
        self._whole.setAutoRaise(True)
        self._whole.setToolTip(self.tr("Show the whole matrix (R, double click)"))
        self._whole.setAccessibleName(self._whole.toolTip())
        self.readout = QLabel()
        self.readout.setWordWrap(True)
        self.readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.readout.setFixedHeight(2 * self.readout.fontMetrics().lineSpacing() + 2)
        row = QHBoxLayout()
        row.setContentsMargins(6, 4, 6, 0)
        row.setSpacing(4)
        row.addWidget(self._by, 1)
        row.addWidget(self._column, 1)
        row.addWidget(self._log)
        row.addWidget(self._whole)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.image, 3)
        low = QVBoxLayout()
        low.setContentsMargins(6, 0, 6, 0)
        low.addWidget(self.readout)
        layout.addLayout(low)
        layout.addWidget(self.pair, 2)
        self._by.activated.connect(self._on_by_activated)
        self._column.activated.connect(self._on_column_activated)
        self._log.toggled.connect(self._show_range)
        self._whole.clicked.connect(self.image.reset_view)
        self.image.wanted_changed.connect(self._on_image_wanted_changed)
        self.image.pair_hovered.connect(self._on_image_pair_hovered)
        self.image.pair_chosen.connect(self._on_image_pair_chosen)
        engine.ground_changed.connect(self._on_engine_ground_changed)
        engine.order_changed.connect(self._on_engine_order_changed)
        engine.tiles_ready.connect(self._on_engine_tiles_ready)
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        self._show_columns()
        self._show_order()
        self._tell(-1, -1)

    # -- what others may ask

    @property
    def is_log(self) -> bool:
        """Whether colours are logarithmic."""
        return self._log.isChecked()

    def set_log(self, log: bool) -> None:
        """Colours by the logarithm."""
        self._log.setChecked(log)

    def order_by(self, by: str, column: str = "") -> None:
        """Order the structures: see :meth:`KernelEngine.set_order`."""
        with QSignalBlocker(self._by):
            self._by.setCurrentIndex(max(0, self._by.findData(by)))
        self._column.choose(column)
        self._column.setVisible(by == COLUMN)
        self._engine.set_order(by, column)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.image.set_dark(dark)
        self.pair.set_dark(dark)

    # -- a person

    def _on_by_activated(self, _place: int) -> None:
        by = str(self._by.currentData())
        if by == COLUMN and not self._column.chosen:
            self._column.choose(self._store.session.coloring.color_by or "")
        self.order_by(by, self._column.chosen)

    def _on_column_activated(self, _place: int) -> None:
        self.order_by(COLUMN, self._column.chosen)

    def _on_image_wanted_changed(self) -> None:
        self._engine.request(self.image.wanted())

    def _on_image_pair_hovered(self, row: int, column: int) -> None:
        order = self._engine.order
        self._tell(row, column)
        if row >= 0 and order is not None:
            self._hovering = True
            self._store.hover(int(order.indices[row]))
        elif self._hovering:
            self._hovering = False
            self._store.hover(-1)

    def _on_image_pair_chosen(self, row: int, column: int) -> None:
        """The first becomes the active one, the second is pinned and laid over it."""
        order = self._engine.order
        if order is None:
            return
        first, second = int(order.indices[row]), int(order.indices[column])
        session = self._store.session
        pins = session.pins
        if second != first and second not in pins:
            # a full tray makes room: what was asked for is to be seen
            pins = (*pins[-(MAX_PINS - 1) :], second)
        self._store.update(self.tr("go to a pair"), selection=session.selection.with_active(first), pins=pins)
        self.pair.show_pair(first, second)

    # -- following

    def _on_engine_ground_changed(self) -> None:
        self._show_range()

    def _on_engine_order_changed(self) -> None:
        self._show_order()

    def _on_engine_tiles_ready(self, tiles: Tiles) -> None:
        self.image.put_tiles(tiles)
        self._tell(*(self.image.cursor_pair or (-1, -1)))

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"dataset", "added"}:
            self._show_columns()
        if names & {"selection", "pins"}:
            self._show_marks()

    def _on_store_columns_changed(self, _names: frozenset[str]) -> None:
        self._show_columns()

    def _show_columns(self) -> None:
        columns = self._store.columns
        names = () if columns is None else columns.names(composition=False)
        offered = [x for x in names if columns is not None and (x == CLUSTER or _can_order(columns[x]))]
        self._column.set_columns(columns, offered)
        by, column = self._engine.ordered_by
        if by == COLUMN:
            self._column.choose(column)
        self._column.setVisible(self._by.currentData() == COLUMN)

    def _show_order(self) -> None:
        order, ground = self._engine.order, self._engine.ground
        if order is None or ground is None:
            self._place_of = np.zeros(0, dtype=np.int64)
            self.image.set_matrix(0, message=self._empty)
            return
        self._place_of = np.full(len(ground.rows), -1, dtype=np.int64)
        self._place_of[order.indices] = np.arange(len(order))
        self._show_range()
        self.image.set_groups(order.bounds, order.names)
        self._show_axis(order)
        self._show_marks()
        self.image.set_matrix(
            len(order),
            self.tr("k: {} · {:,} × {:,}").format(ground.kernel.title, len(order), len(order)),
            self.tr("No structure is left."),
            keep_view=True,
        )

    def _show_axis(self, order: Order) -> None:
        by, _ = self._engine.ordered_by
        if order.values is not None and self._store.columns is not None and order.column in self._store.columns:
            self.image.set_axis(self._store.columns[order.column].label(order.column), partial(_value, order))
        elif order.names:
            self.image.set_axis(order.column)
        elif by == SIMILAR:
            self.image.set_axis(self.tr("place in the order of similarity"))
        else:
            self.image.set_axis(self.tr("structure"))

    def _show_marks(self) -> None:
        order = self._engine.order
        if order is None:
            return
        session = self._store.session
        mask = session.selection.mask
        if len(mask) != len(self._place_of):
            return
        marked = np.flatnonzero(mask[order.indices]) if session.selection.count else np.zeros(0, dtype=np.int64)
        pinned = [int(self._place_of[i]) for i in session.pins if i < len(self._place_of)]
        active = session.selection.active
        place = int(self._place_of[active]) if active is not None and 0 <= active < len(self._place_of) else -1
        self.image.set_marks(marked, place if place >= 0 else None, [p for p in pinned if p >= 0])

    def _show_range(self, _checked: bool = False) -> None:
        ground = self._engine.ground
        if ground is None:
            return
        if self._log.isChecked() and ground.high > 0:
            self.image.set_range(max(ground.smallest, ground.high * 10.0**-_DECADES), ground.high, True)
        else:
            # similarities that are all but 1 are told apart as well
            low = 0.0 if ground.low >= 0.0 and ground.low < 0.5 * ground.high else ground.low
            self.image.set_range(low, ground.high)

    def _tell(self, row: int, column: int) -> None:
        order, dataset = self._engine.order, self._store.dataset
        if row < 0 or order is None or dataset is None or max(row, column) >= len(order):
            text = self.tr("Click a pair: one becomes the active structure, the other is pinned.")
            self.readout.setText(text if order is not None else "")
            return
        value = self.image.value_at(row, column)
        names = [str(dataset.identifiers[int(order.indices[p])]) for p in (row, column)]
        shown = rounded(value) if np.isfinite(value) else "…"
        group = ""
        if order.names:
            which = np.searchsorted(order.bounds, [row, column], side="right") - 1
            group = " · " + " × ".join(order.names[int(g)] for g in which)
        self.readout.setText(f"k({names[0]}, {names[1]}) = {shown}{group}")


def _can_order(column: Property) -> bool:
    """Numbers, and texts of few kinds; telling these from names means comparing all, which many texts take long for."""
    if not column.is_text:
        return True
    is_quick = coded(column.values) is not None or len(column.values) <= _QUICK_TEXTS
    return is_quick and column.is_category


def _value(order: Order, place: int) -> str:
    assert order.values is not None
    value = float(order.values[place])
    return rounded(value) if np.isfinite(value) else "–"
