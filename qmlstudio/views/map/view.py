"""One of the maps: what it shows, from the store, and what the mouse does on it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.session.coloring import Coloring, ColorScale, color_scale
from qmlstudio.session.map_picture import diameters, places, symbols
from qmlstudio.session.map_spec import MapSpec
from qmlstudio.session.map_spec import MapView as LookOfMap
from qmlstudio.views.map.card import Card
from qmlstudio.views.map.legends import fill_bar, fill_legend
from qmlstudio.views.map.overlays import CLUSTER, Overlays
from qmlstudio.widgets.cloud_map import CloudMap
from qmlstudio.widgets.color_bar import ColorBar
from qmlstudio.widgets.elided_label import ElidedLabel
from qmlstudio.widgets.lasso import Tool
from qmlstudio.widgets.legend import Legend
from qmlstudio.widgets.map_toolbar import MapToolbar
from qmlstudio.widgets.quality_chip import QualityChip
from qmlstudio.widgets.raster import SHAPES
from qmlstudio.widgets.scatter import ScatterMap

GLIDE_SECONDS = 0.32


class MapView(QWidget):
    """Follows one of the store's maps, the colouring, selection, filter and pins; tells it clicks, lassos, hovering.

    Parameters
    ----------
    which : int
        The map: 0 is the first, whose representation the descriptor shows.

    Signals
    -------
    context_menu_requested(index, global position)
    add_requested(), close_requested(which)
        One more map is wanted, or this one no longer.
    """

    context_menu_requested = Signal(int, QPoint)
    add_requested = Signal()
    close_requested = Signal(int)

    def __init__(self, store: Store, runner: JobRunner, which: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._which = which
        self._dark = False
        self._scale: ColorScale | None = None
        self._fingerprint = ""
        self._axes: tuple[str, ...] = ()
        self._mask = np.zeros(0, dtype=bool)
        self._glide_until = 0.0
        self._settled = True
        self._shown_view = LookOfMap()
        self.redraws = 0
        self._surfaces: list[ScatterMap] = []
        self._overlays: list[Overlays] = []
        self._stack = QStackedWidget()
        self.color_bar = ColorBar()
        self.legend = Legend()
        self.cards = Card(store, runner, self)
        self.card = self.cards.widget
        self.toolbar = MapToolbar(with_representation=which > 0)
        self._note = QLabel()
        self._note.setVisible(False)
        self._note.setWordWrap(True)
        self._count = ElidedLabel()
        self._quality = QualityChip()
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
        chips.addWidget(self._quality)
        side = QVBoxLayout()
        side.setContentsMargins(0, 4, 4, 4)
        side.addWidget(self.color_bar, 1)
        side.addWidget(self.legend, 1)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._stack, 1)
        middle.addLayout(side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.toolbar)
        layout.addLayout(middle, 1)
        layout.addLayout(chips)
        self._adopt(ScatterMap())
        self._connect()
        self._show_spec()
        self._show_dataset()

    def _connect(self) -> None:
        self._clear.clicked.connect(self._store.clear_selection)
        self.legend.toggled.connect(self._on_legend_toggled)
        self.toolbar.spec_changed.connect(self._on_toolbar_spec_changed)
        self.toolbar.coloring_changed.connect(self._on_toolbar_coloring_changed)
        self.toolbar.landmarks_changed.connect(self._on_toolbar_landmarks_changed)
        self.toolbar.tool_chosen.connect(self.set_tool)
        self.toolbar.reset_requested.connect(self.reset_range)
        self.toolbar.add_requested.connect(self.add_requested)
        self.toolbar.close_requested.connect(self._on_toolbar_close_requested)
        self._store.links_changed.connect(self._on_store_links_changed)
        self._store.changed.connect(self._on_store_changed)
        self._store.columns_changed.connect(self._on_store_columns_changed)
        self._store.results_changed.connect(self._on_store_results_changed)
        self._store.failed.connect(self._on_store_failed)

    def _adopt(self, scatter: ScatterMap) -> None:
        """Draw on this surface from now on."""
        if scatter not in self._surfaces:
            self._surfaces.append(scatter)
            self._overlays.append(Overlays(self._store, self._runner, scatter))
            self._stack.addWidget(scatter)
            scatter.set_dark(self._dark)
            scatter.hovered.connect(self._on_scatter_hovered)
            scatter.clicked.connect(self._on_scatter_clicked)
            scatter.lassoed.connect(self._on_scatter_lassoed)
            scatter.escape_pressed.connect(self._store.escape)
            scatter.tool_changed.connect(self.toolbar.set_tool)
            scatter.context_menu_requested.connect(self.context_menu_requested)
            scatter.statistic_changed.connect(self._on_scatter_statistic_changed)
        self._stack.setCurrentWidget(scatter)

    def _prepare(self, dimensions: int) -> bool:
        """Take the plane or the space to draw on; returns whether that is another surface than before."""
        kind = CloudMap if dimensions == 3 else ScatterMap
        if type(self.scatter) is kind:
            return False
        tool = self.scatter.tool
        self._adopt(next((s for s in self._surfaces if type(s) is kind), None) or kind())
        self.scatter.set_tool(tool)
        return True

    # -- what others may ask

    @property
    def scatter(self) -> ScatterMap:
        """The surface that is drawn on now."""
        widget = self._stack.currentWidget()
        assert isinstance(widget, ScatterMap)
        return widget

    @property
    def overlays(self) -> Overlays:
        """What lies over its points."""
        return self._overlays[self._surfaces.index(self.scatter)]

    @property
    def which(self) -> int:
        """The map's number; 0 is the first."""
        return self._which

    @property
    def spec(self) -> MapSpec:
        """What the map is made of and shows."""
        return self._store.session.map_spec(self._which)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for scatter in self._surfaces:
            scatter.set_dark(dark)
        for overlays in self._overlays:
            overlays.set_dark(dark)
        self.color_bar.set_dark(dark)
        self.legend.set_dark(dark)
        self.cards.set_dark(dark)

    def set_tool(self, tool: Tool) -> None:
        """Choose "pan", "lasso" or "box"."""
        self.scatter.set_tool(tool)

    def set_lasso_on_plain_drag(self, on: bool) -> None:
        """Let a plain drag lasso from the start; the middle button always moves the map."""
        self.scatter.set_tool("lasso" if on else "pan")

    def reset_range(self) -> None:
        """Show all points."""
        self.scatter.reset_range()

    def reveal(self, index: int) -> None:
        """Move the map, if the point is out of view, so that it stands in the middle."""
        if not 0 <= index < self.scatter.count:
            return
        x, y = self.scatter.position(index)
        x0, x1, y0, y1 = self.scatter.range
        if np.isfinite([x, y]).all() and not (x0 < x < x1 and y0 < y < y1):
            self.scatter.move_by((x - (x0 + x1) / 2) / (x1 - x0), (y - (y0 + y1) / 2) / (y1 - y0))

    def show_all(self) -> None:
        """Show what is known already: for a map that came later than its results."""
        self._show_points()
        self._show_quality()

    @property
    def colors(self) -> ColorScale | None:
        """The colouring on screen."""
        return self._scale

    # -- the store

    def _result(self, kind: str) -> str:
        """Name of this map's result in the store."""
        return f"{kind}:{self._which}" if self._which else kind

    @property
    def _is_gone(self) -> bool:
        """Closed by an undo, and about to be removed by the window."""
        return self._which > len(self._store.session.maps)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if self._is_gone:
            return
        if "dataset" in names:
            self._show_dataset()
        elif "coloring" in names:
            self._show_colors()
        if names & {"embedding", "representation", "maps", "map_view", "landmarks"}:
            self._show_spec()
        if names & {"embedding", "representation", "maps"} and self._store.dataset is not None:
            self._note.setVisible(False)
            if not self._store.result_key(self._result("map")):
                self.scatter.set_busy(self.tr("computing…"))
                self._quality.set_quality(None)
        if "selection" in names and "dataset" not in names:
            self._show_selection()
        if "pins" in names and "dataset" not in names and self.scatter.count:
            self.scatter.set_pins(list(self._store.session.pins))
        if self._names_depend_on(names):
            self.overlays.show_groups(self.spec.view)

    def _names_depend_on(self, names: frozenset[str]) -> bool:
        look = self.spec.view
        return "dataset" not in names and (
            ("pins" in names and look.labels == "pins")
            or ("selection" in names and look.labels == "selected")
            or ("coloring" in names and (look.hulls != "none" or look.labels == "groups"))
        )

    def _on_store_links_changed(self, _links: object) -> None:
        if not self._is_gone:
            self.overlays.show_links(self.spec.view)

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        if self._is_gone:
            return
        self.toolbar.set_columns(self._store.columns)
        view = self.spec.view
        if self._store.session.coloring.color_by in names:
            self._show_colors()
        if {view.x_axis, view.y_axis} & names:
            self._show_points()
        if {view.size_by, view.symbol_by} & names or CLUSTER in names:
            self._show_look()

    def _on_store_results_changed(self, name: str) -> None:
        if self._is_gone:
            return
        if name == self._result("map"):
            self._show_points()
        elif name == self._result("features") and not self._store.result_key(self._result("map")):
            self.scatter.set_busy(self.tr("neighbours…"))
        elif name == self._result("quality"):
            self._show_quality()
        elif name == "filter":
            self._show_dimmed()

    def _on_store_failed(self, name: str, message: str, details: str) -> None:
        if name not in {self._result(kind) for kind in ("features", "neighbors", "map")}:
            return
        self.scatter.set_busy(None)
        self._note.setText(self.tr("⚠ {}").format(message))
        self._note.setToolTip(details)
        self._note.setVisible(True)

    def _show_dataset(self) -> None:
        dataset = self._store.dataset
        self.cards.hide()
        self.toolbar.set_columns(self._store.columns)
        self.toolbar.set_coloring(self._store.session.coloring)
        self.color_bar.hide()
        self.legend.hide()
        self._note.setVisible(False)
        self._count.clear()
        self._quality.set_quality(None)
        self._axes = ()
        self.scatter.set_points(np.zeros((0, 2)), keep_range=False)
        self.scatter.set_busy(self.tr("computing…") if dataset is not None and len(dataset) else None)
        # columns may do without an embedding; and a map that was known is there before this panel hears of its set
        self.show_all()

    def _show_points(self) -> None:
        dataset, columns, result = self._store.dataset, self._store.columns, self._store.result(self._result("map"))
        if dataset is None or columns is None:
            return
        known = isinstance(result, Coordinates) and len(result.points) == len(dataset)
        shown = places(self.spec.view, columns, result if known else None)
        if shown is None:
            return
        new = self._prepare(shown.points.shape[1])
        new = new or self._fingerprint != dataset.fingerprint or self.scatter.count != len(shown.points)
        turned = self._axes != shown.axes
        final = bool(self._store.result_key(self._result("map")))
        if not final and known:
            self.scatter.set_busy(self.tr("epoch {} of {}").format(result.epoch, result.n_epochs))
        # the first points of a new map wander from where the old ones were; what streams in meanwhile waits for them,
        # and the last ones wander only if they come meanwhile: after a stream they are where its end has left them
        now = time.monotonic()
        begins = not new and (turned or self._settled or (final and now < self._glide_until))
        if begins:
            self._glide_until = now + GLIDE_SECONDS
        elif not new and not final and now < self._glide_until:
            return
        self._settled = final
        self.redraws += 1
        self._fingerprint, self._axes = dataset.fingerprint, shown.axes
        self.scatter.set_axes(shown.axes)
        # distances on a UMAP mean something in all directions; components have scales of their own
        self.scatter.set_equal_aspect(shown.equal)
        self.scatter.set_points(shown.points, animate=begins, keep_range=False)
        if new:
            self._show_colors()
            self._show_look()
            self._show_selection(afresh=True)
            self.scatter.set_pins(list(self._store.session.pins))
        if final:
            self.scatter.set_busy(None)

    def _show_spec(self) -> None:
        spec = self.spec
        self.toolbar.set_spec(spec)
        self.toolbar.set_landmarks(self._store.session.landmarks)
        if self._shown_view != spec.view:
            before, self._shown_view = self._shown_view, spec.view
            if (before.x_axis, before.y_axis) != (spec.view.x_axis, spec.view.y_axis):
                self._show_points()
            self._show_look()

    def _show_look(self) -> None:
        """Sizes and symbols by columns, and how many points are drawn together."""
        columns, view = self._store.columns, self.spec.view
        self.scatter.set_point_size(view.point_size)
        self.scatter.set_bins(view.bins, view.hexagons)
        self.scatter.set_mode(view.mode)  # type: ignore[arg-type]
        if columns is None or self.scatter.count != len(columns.dataset):
            return
        self.scatter.set_sizes(diameters(view, columns))
        self._show_symbols()
        self.overlays.show_all(view)

    def _show_symbols(self) -> None:
        columns, scale = self._store.columns, self._scale
        if columns is None or scale is None:
            return
        by_symbol = symbols(self.spec.view, columns)
        if by_symbol is not None:
            self.scatter.set_shapes(np.maximum(by_symbol.index, 0))
        else:
            # categories differ by symbol, too: nothing is said by colour alone
            few = scale.kind == "category" and len(scale.categories) <= len(SHAPES)
            self.scatter.set_shapes(scale.index if few else None)

    def _show_quality(self) -> None:
        self._quality.set_quality(self._store.result(self._result("quality")))

    def _show_colors(self) -> None:
        columns, coloring = self._store.columns, self._store.session.coloring
        self.toolbar.set_coloring(coloring)
        if columns is None or self.scatter.count != len(columns.dataset):
            return
        scale = self._scale = color_scale(coloring, columns)
        hollow = scale.missing if scale.missing.any() else None
        categorical = scale.kind == "category"
        indices = None if scale.kind == "plain" else scale.index
        self.scatter.set_colors(indices, scale.lut, hollow, categorical)
        self._show_symbols()
        self._show_dimmed()
        if scale.kind == "number":
            values = columns[coloring.color_by].values
            self.scatter.set_values(values, scale.low, scale.high, scale.scale)  # type: ignore[arg-type]
        self._show_color_bar()
        self.legend.setVisible(categorical and self._which == 0)
        if categorical:
            fill_legend(self.legend, scale, coloring.hidden)
        self._note.setText(scale.note)
        self._note.setVisible(bool(scale.note))

    def _show_color_bar(self) -> None:
        """What the colours stand for: the column's values, or a statistic of the points in each bin."""
        columns, scale, statistic = self._store.columns, self._scale, self.scatter.statistic
        if columns is None or scale is None:
            return
        # colours are common to all maps: one bar tells them, statistics are each map's own
        wanted = scale.kind == "number" and self._which == 0
        self.color_bar.setVisible(wanted or statistic is not None)
        fill_bar(self.color_bar, self.scatter, scale, columns, self._store.session.coloring.color_by)

    def _show_dimmed(self) -> None:
        """Dim categories that were switched off, and what does not pass the filters."""
        scale, passing = self._scale, getattr(self._store.result("filter"), "mask", None)
        if scale is None or self.scatter.count != len(scale.hidden):
            return
        dimmed = scale.hidden if scale.hidden.any() else None
        if passing is not None and len(passing) == len(scale.hidden):
            dimmed = ~passing if dimmed is None else dimmed | ~passing
        self.scatter.set_dimmed(dimmed)

    def _show_selection(self, afresh: bool = False) -> None:
        selection = self._store.session.selection
        if self.scatter.count != len(selection):
            return
        count = selection.count
        # a click changes the active structure only: the points need not be drawn anew for its ring
        if afresh or not (selection.mask is self._mask or np.array_equal(selection.mask, self._mask)):
            self._mask = selection.mask
            self.scatter.set_selection(selection.mask if count else None)
        self.scatter.set_active(selection.active)
        self._clear.setVisible(count > 0)
        if count:
            self._count.setText(self.tr("{:,} of {:,} selected · {}").format(count, len(selection), selection.origin))
        else:
            self._count.clear()

    # -- the user

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_T and self.cards.is_visible:
            self.cards.is_kept = not self.cards.is_kept
        elif event.key() == Qt.Key.Key_Escape and self.cards.is_kept:
            self.cards.hide()
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        if not self.cards.is_kept:
            self.cards.hide()
            self._store.hover(-1)

    def _on_scatter_hovered(self, index: int) -> None:
        self._store.hover(index)
        if self.cards.is_kept or self._store.dataset is None:
            return
        if index < 0 or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self.cards.hide()
        else:
            self.cards.show(index, self.spec.view)

    def _on_scatter_clicked(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    def _on_scatter_lassoed(self, mask: np.ndarray, operation: str) -> None:
        self._store.select(mask, operation, self.tr("lasso"))

    def _on_scatter_statistic_changed(self, _statistic: object) -> None:
        if self.sender() is self.scatter:
            self._show_color_bar()

    def _on_toolbar_spec_changed(self, spec: MapSpec, text: str) -> None:
        self._store.update_map(self._which, spec, text)

    def _on_toolbar_landmarks_changed(self, landmarks: Landmarks) -> None:
        self._store.update(self.tr("landmarks"), landmarks=landmarks)

    def _on_toolbar_coloring_changed(self, coloring: Coloring) -> None:
        self._store.update(self.tr("colour"), coloring=coloring)

    def _on_toolbar_close_requested(self) -> None:
        self.close_requested.emit(self._which)

    def _on_legend_toggled(self, shown: frozenset[int]) -> None:
        names = self._scale.categories if self._scale is not None else ()
        hidden = "\t".join(name for k, name in enumerate(names) if k not in shown)
        coloring = replace(self._store.session.coloring, hidden=hidden)
        self._store.update(self.tr("legend"), coloring=coloring)
