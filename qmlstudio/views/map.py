"""The map panel: every structure a point, coloured, selected, hovered; and the embedding's parameters."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.depict import depiction_svg
from qmlstudio.learning import embedding as embeddings
from qmlstudio.learning.embedding_base import Coordinates, Embedding
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import Progress
from qmlstudio.session.coloring import Coloring, ColorScale, color_scale, colorable
from qmlstudio.widgets.color_bar import ColorBar
from qmlstudio.widgets.hover_card import HoverCard
from qmlstudio.widgets.lasso import Tool
from qmlstudio.widgets.legend import Category, Legend
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.property_table import format_number
from qmlstudio.widgets.raster import SHAPES
from qmlstudio.widgets.scatter import ScatterMap

CARD_ROWS = 5
GLIDE_SECONDS = 0.32
DEPICTION = (200, 150)


class MapView(QWidget):
    """Follows the store's map, colouring, selection and pins; tells it clicks, lassos and what is under the cursor.

    Signals
    -------
    context_menu_requested(index, global position)
    """

    context_menu_requested = Signal(int, QPoint)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._dark = False
        self._scale: ColorScale | None = None
        self._fingerprint = ""
        self._mask = np.zeros(0, dtype=bool)
        self._hovered = -1
        self._card_kept = False
        self._card: tuple[str, str, list[tuple[str, str]]] = ("", "", [])
        self._glide_until = 0.0
        self._settled = True
        self.redraws = 0
        self.scatter = ScatterMap()
        self.color_bar = ColorBar()
        self.legend = Legend()
        self.card = HoverCard(self)
        self._make_toolbar()
        self._note = QLabel()
        self._note.setVisible(False)
        self._note.setWordWrap(True)
        self._count = QLabel()
        self._clear = QToolButton()
        self._clear.setText("✕")
        self._clear.setAutoRaise(True)
        self._clear.setToolTip(self.tr("Clear the selection (Esc)"))
        self._clear.setVisible(False)
        chips = QHBoxLayout()
        chips.setContentsMargins(8, 0, 6, 4)
        chips.addWidget(self._count)
        chips.addWidget(self._clear)
        chips.addStretch()
        chips.addWidget(self._note)
        side = QVBoxLayout()
        side.setContentsMargins(0, 4, 4, 4)
        side.addWidget(self.color_bar, 1)
        side.addWidget(self.legend, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.scatter, 1)
        middle.addLayout(side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._toolbar)
        layout.addLayout(middle, 1)
        layout.addLayout(chips)
        self._connect()
        self._show_embedding()
        self._show_dataset()

    # -- building

    def _make_toolbar(self) -> None:
        self._toolbar = QWidget()
        bar = QHBoxLayout(self._toolbar)
        bar.setContentsMargins(6, 4, 6, 0)
        self._method = QComboBox()
        for name, cls in embeddings.REGISTRY.items():
            self._method.addItem(cls.title, name)
        self._method.setToolTip(self.tr("Embedding: what makes a map of the features"))
        self._method_form = ParameterForm()
        self._method_button = _popup(self.tr("⚙"), self.tr("Parameters of the embedding"), self._method_form)
        self._color_by = QComboBox()
        self._color_by.setToolTip(self.tr("Colour by a property"))
        self._color_by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._color_form = ParameterForm()
        self._color_button = _popup(self.tr("◐"), self.tr("Palette, scale and range"), self._color_form)
        self._tools = QButtonGroup(self)
        for widget in (QLabel(self.tr("Map")), self._method, self._method_button):
            bar.addWidget(widget)
        bar.addSpacing(10)
        for widget in (QLabel(self.tr("Colour")), self._color_by, self._color_button):
            bar.addWidget(widget)
        bar.addStretch()
        for key, (tool, sign, tip) in enumerate(
            (
                ("pan", "✥", self.tr("Pan tool: drag moves, Shift+drag lassoes (V)")),
                ("lasso", "◌", self.tr("Lasso tool: Shift adds, Alt subtracts, Ctrl intersects (L)")),
                ("box", "▭", self.tr("Box tool: Shift adds, Alt subtracts, Ctrl intersects (B)")),
            )
        ):
            button = QToolButton()
            button.setText(sign)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setProperty("tool", tool)
            self._tools.addButton(button, key)
            bar.addWidget(button)
        self._tools.button(0).setChecked(True)
        reset = QToolButton()
        reset.setText("⤢")
        reset.setAutoRaise(True)
        reset.setToolTip(self.tr("Show all points (double-click)"))
        reset.clicked.connect(self.reset_range)
        bar.addWidget(reset)

    def _connect(self) -> None:
        self._method.activated.connect(self._on_method_activated)
        self._method_form.value_changed.connect(self._on_method_form_value_changed)
        self._color_by.activated.connect(self._on_color_by_activated)
        self._color_form.value_changed.connect(self._on_color_form_value_changed)
        self._tools.buttonClicked.connect(self._on_tools_button_clicked)
        self._clear.clicked.connect(self._store.clear_selection)
        self.legend.toggled.connect(self._on_legend_toggled)
        self.scatter.hovered.connect(self._on_scatter_hovered)
        self.scatter.clicked.connect(self._on_scatter_clicked)
        self.scatter.lassoed.connect(self._on_scatter_lassoed)
        self.scatter.escape_pressed.connect(self._store.escape)
        self.scatter.tool_changed.connect(self._on_scatter_tool_changed)
        self.scatter.context_menu_requested.connect(self.context_menu_requested)
        self._store.changed.connect(self._on_store_changed)
        self._store.results_changed.connect(self._on_store_results_changed)
        self._store.failed.connect(self._on_store_failed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for widget in (self.scatter, self.color_bar, self.legend, self.card):
            widget.set_dark(dark)

    def set_tool(self, tool: Tool) -> None:
        """Choose "pan", "lasso" or "box"."""
        self.scatter.set_tool(tool)

    def set_lasso_on_plain_drag(self, on: bool) -> None:
        """Let a plain drag lasso from the start; the middle button always moves the map."""
        self.scatter.set_tool("lasso" if on else "pan")

    def reset_range(self) -> None:
        """Show all points."""
        self.scatter.reset_range()

    @property
    def colors(self) -> ColorScale | None:
        """The colouring on screen."""
        return self._scale

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._show_dataset()
        elif "coloring" in names:
            self._show_colors()
        if "embedding" in names:
            self._show_embedding()
        if names & {"embedding", "representation"} and self._store.dataset is not None:
            self._note.setVisible(False)
            if not self._store.result_key("map"):
                self.scatter.set_busy(self.tr("computing…"))
        if "selection" in names and "dataset" not in names:
            self._show_selection()
        if "pins" in names and "dataset" not in names and self.scatter.count:
            self.scatter.set_pins(list(self._store.session.pins))
        if "map_view" in names:
            self.scatter.set_point_size(self._store.session.map_view.point_size)

    def _on_store_results_changed(self, name: str) -> None:
        if name == "map":
            self._show_points()
        elif name == "features" and not self._store.result_key("map"):
            self.scatter.set_busy(self.tr("neighbours…"))

    def _on_store_failed(self, name: str, message: str, details: str) -> None:
        self.scatter.set_busy(None)
        self._note.setText(self.tr("⚠ {}").format(message))
        self._note.setToolTip(details)
        self._note.setVisible(True)

    def _show_dataset(self) -> None:
        dataset = self._store.dataset
        self._hide_card()
        self._color_by.clear()
        self._color_by.addItem(self.tr("one colour"), "")
        if dataset is not None:
            for name in colorable(dataset):
                self._color_by.addItem(dataset.properties[name].label(name), name)
        self._color_by.setCurrentIndex(max(0, self._color_by.findData(self._store.session.coloring.color_by)))
        self.color_bar.hide()
        self.legend.hide()
        self._note.setVisible(False)
        self._count.clear()
        self.scatter.set_points(np.zeros((0, 2)), keep_range=False)
        self.scatter.set_busy(self.tr("computing…") if dataset is not None and len(dataset) else None)

    def _show_points(self) -> None:
        dataset, result = self._store.dataset, self._store.result("map")
        if dataset is None or not isinstance(result, Coordinates) or len(result.points) != len(dataset):
            return
        new = self._fingerprint != dataset.fingerprint or self.scatter.count != len(result.points)
        final = bool(self._store.result_key("map"))
        if not final:
            self.scatter.set_busy(self.tr("epoch {} of {}").format(result.epoch, result.n_epochs))
        # the first points of a new map wander from where the old ones were; what streams in meanwhile waits for them,
        # and the last ones wander only if they come meanwhile: after a stream they are where its end has left them
        now = time.monotonic()
        begins = not new and (self._settled or (final and now < self._glide_until))
        if begins:
            self._glide_until = now + GLIDE_SECONDS
        elif not new and not final and now < self._glide_until:
            return
        self._settled = final
        self.redraws += 1
        self._fingerprint = dataset.fingerprint
        self.scatter.set_axes(result.axes)
        # distances on a UMAP mean something in all directions; components have scales of their own
        self.scatter.set_equal_aspect(not result.axes)
        self.scatter.set_points(result.points, animate=begins, keep_range=False)
        if new:
            self._show_colors()
            self._show_selection(afresh=True)
            self.scatter.set_pins(list(self._store.session.pins))
            self.scatter.set_point_size(self._store.session.map_view.point_size)
        if final:
            self.scatter.set_busy(None)

    def _show_embedding(self) -> None:
        embedding = self._store.session.embedding
        self._method.setCurrentIndex(self._method.findData(embedding.name))
        self._method_form.set_value(embedding)

    def _show_colors(self) -> None:
        dataset, coloring = self._store.dataset, self._store.session.coloring
        self._color_form.set_value(coloring)
        self._color_by.setCurrentIndex(max(0, self._color_by.findData(coloring.color_by)))
        if dataset is None or self.scatter.count != len(dataset):
            return
        scale = self._scale = color_scale(coloring, dataset)
        hollow = scale.missing if scale.missing.any() else None
        categorical = scale.kind == "category"
        indices = None if scale.kind == "plain" else scale.index
        self.scatter.set_colors(indices, scale.lut, hollow, categorical)
        # categories differ by symbol, too: nothing is said by colour alone
        few = categorical and len(scale.categories) <= len(SHAPES)
        self.scatter.set_shapes(scale.index if few else None)
        self.scatter.set_dimmed(scale.hidden if scale.hidden.any() else None)
        self.color_bar.setVisible(scale.kind == "number")
        self.legend.setVisible(scale.kind == "category")
        missing = int(scale.missing.sum())
        if scale.kind == "number":
            values = dataset.properties[coloring.color_by].values[~scale.missing]
            clipped = (bool((values < scale.low).any()), bool((values > scale.high).any()))
            self.color_bar.set_colors(scale.lut, scale.low, scale.high, scale.scale, clipped)  # type: ignore[arg-type]
            self.color_bar.set_label(coloring.color_by, dataset.properties[coloring.color_by].unit)
            self.color_bar.set_missing(missing)
        elif categorical:
            off = {c for c in coloring.hidden.split("\t") if c}
            entries = zip(scale.categories, scale.lut.tolist(), scale.counts, strict=False)
            self.legend.set_categories(
                [Category(name, tuple(rgb), n, k if few else 0) for k, (name, rgb, n) in enumerate(entries)]
            )
            self.legend.set_shown(frozenset(k for k, name in enumerate(scale.categories) if name not in off))
        self._note.setText(scale.note)
        self._note.setVisible(bool(scale.note))

    def _show_selection(self, afresh: bool = False) -> None:
        selection = self._store.session.selection
        if self.scatter.count != len(selection):
            return
        count = selection.count
        # a click changes the active structure only: the points need not be drawn anew for its ring
        if afresh or not np.array_equal(selection.mask, self._mask):
            self._mask = selection.mask
            self.scatter.set_selection(selection.mask if count else None)
        self.scatter.set_active(selection.active)
        self._clear.setVisible(count > 0)
        if count:
            self._count.setText(self.tr("{:,} of {:,} selected · {}").format(count, len(selection), selection.origin))
        else:
            self._count.clear()

    # -- the hover card

    def _show_card(self, index: int, dataset: Dataset) -> None:
        structure = dataset.structures[index]
        self._card = (str(dataset.identifiers[index]), structure.formula, _card_rows(self._store, index))
        self.card.set_content(*self._card)
        self.card.show_at(self.cursor().pos())
        smiles = dataset.smiles
        text = str(smiles[index]) if smiles is not None else ""
        self._runner.submit(
            Job(
                key=f"depiction {dataset.fingerprint} {index} {self._dark}",
                slot="hover",
                title=self.tr("Depiction"),
                compute=partial(_depict, text or structure, self._dark),
                done=partial(self._on_depiction_done, index),
                lane="interactive",
                conflate=True,
            )
        )

    def _on_depiction_done(self, index: int, svg: str) -> None:
        if index == self._hovered and svg:
            self.card.set_content(*self._card, svg)
            self.card.show_at(self.cursor().pos())

    def _hide_card(self) -> None:
        self._card_kept = False
        self._hovered = -1
        self._runner.cancel("hover")
        self.card.hide()

    # -- the user

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_T and self.card.isVisible():
            self._card_kept = not self._card_kept
        elif event.key() == Qt.Key.Key_Escape and self._card_kept:
            self._hide_card()
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        if not self._card_kept:
            self._hide_card()
            self._store.hover(-1)

    def _on_scatter_hovered(self, index: int) -> None:
        dataset = self._store.dataset
        self._store.hover(index)
        if self._card_kept or dataset is None:
            return
        self._hovered = index
        if index < 0 or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._runner.cancel("hover")
            self.card.hide()
        else:
            self._show_card(index, dataset)

    def _on_scatter_clicked(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    def _on_scatter_lassoed(self, mask: np.ndarray, operation: str) -> None:
        self._store.select(mask, operation, self.tr("lasso"))

    def _on_scatter_tool_changed(self, tool: str) -> None:
        for button in self._tools.buttons():
            button.setChecked(button.property("tool") == tool)

    def _on_tools_button_clicked(self, button: QToolButton) -> None:
        self.scatter.set_tool(button.property("tool"))

    def _on_method_activated(self, _row: int) -> None:
        name = self._method.currentData()
        if name != self._store.session.embedding.name:
            new = embeddings.REGISTRY[name]()
            self._store.update(self.tr("map by {}").format(new.title), embedding=new)

    def _on_method_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Embedding):
            self._store.update(self.tr("parameters of {}").format(value.title), embedding=value)

    def _on_color_by_activated(self, _row: int) -> None:
        coloring = replace(self._store.session.coloring, color_by=self._color_by.currentData(), hidden="")
        self._store.update(self.tr("colour"), coloring=coloring)

    def _on_color_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Coloring):
            self._store.update(self.tr("colour"), coloring=value)

    def _on_legend_toggled(self, shown: frozenset[int]) -> None:
        names = self._scale.categories if self._scale is not None else ()
        hidden = "\t".join(name for k, name in enumerate(names) if k not in shown)
        coloring = replace(self._store.session.coloring, hidden=hidden)
        self._store.update(self.tr("legend"), coloring=coloring)


def _popup(sign: str, tip: str, content: QWidget) -> QToolButton:
    """A button that unfolds a widget."""
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = QMenu(button)
    box = QWidget()
    inner = QVBoxLayout(box)
    inner.setContentsMargins(10, 8, 10, 6)
    inner.addWidget(content)
    action = QWidgetAction(menu)
    action.setDefaultWidget(box)
    menu.addAction(action)
    button.setMenu(menu)
    return button


def _card_rows(store: Store, index: int) -> list[tuple[str, str]]:
    """The bound property first, then the set's first few."""
    dataset = store.dataset
    if dataset is None:
        return []
    names = [store.session.coloring.color_by] if store.session.coloring.color_by in dataset.per_structure else []
    names += [n for n in colorable(dataset) if n not in names and n not in ("smiles", "inchi", "formula")]
    rows = []
    for name in names[:CARD_ROWS]:
        p = dataset.properties[name]
        value = str(p.values[index]) if p.is_text else format_number(float(p.values[index]))
        rows.append((name, f"{value} {p.unit}".strip() if value not in ("", "–") else "–"))
    return rows


def _depict(molecule: Any, dark: bool, progress: Progress) -> str:
    progress.check()
    return depiction_svg(molecule, DEPICTION, dark)
