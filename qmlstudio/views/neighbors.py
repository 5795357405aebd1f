"""The neighbours panel: who is near the active structure, whom the map puts near it in error, paths to others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import WARM_UP, Job, JobRunner
from qmlstudio.app.nearness import NEAREST, SIMILARITY, NearFinder
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.near import Nearest, Nearness
from qmlstudio.parameters import Parameterised
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Look, Subject, pictures
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.neighbor_list import NeighborList, NeighborRow, Tone, short, signed
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.path_panel import PathPanel

FORM_HEIGHT = 210
"""Of the parameters, px: what needs more scrolls."""
_PRIORITY = WARM_UP // 2
"""Of pictures: behind whatever somebody has asked for."""
_BATCH = 40


class NeighborsView(QWidget):
    """Shows what a :class:`NearFinder` finds; a click goes to a neighbour, Ctrl+click pins it."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self.finder = NearFinder(store, runner, self)
        self.redraws = 0
        self._make_top()
        self.path = PathPanel()
        self._lay_out()
        self._connect()
        self._show_nearness(self.finder.nearness)
        self._show_status()
        self._show_rows()
        self._show_route()
        self._show_buttons()

    # -- building

    def _make_top(self) -> None:
        self._title = _text(self.tr("Nothing is active."))
        self._k = QSpinBox()
        self._k.setToolTip(self.tr("How many neighbours are looked at"))
        self._k.setAccessibleName(self.tr("Neighbours"))
        self._metric = QComboBox()
        self._metric.setToolTip(self.tr("How the distance of two structures' features is measured"))
        self._metric.setAccessibleName(self.tr("Distance"))
        self._metric.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._metric.setMinimumContentsLength(6)
        for p in Nearness.params():
            if p.name == "metric":
                for value, label in p.choices:
                    self._metric.addItem(label, value)
            elif p.name == "k":
                self._k.setRange(int(p.low or 1), int(p.high or 200))
        self._unfold = _tool("⚙", self.tr("What near, similar and far mean"))
        self._unfold.setCheckable(True)
        self._form = ParameterForm()
        self._lines = QCheckBox(self.tr("Lines on the map"))
        self._lines.setToolTip(
            self.tr("From the active structure: solid to neighbours in the features, dashed to false ones on the map")
        )
        self._similar = QPushButton(self.tr("Colour by similarity"))
        self._similar.setToolTip(self.tr("Compare all structures with the active one and colour the map by it"))
        self._select = QPushButton(self.tr("Select these"))
        self._select.setToolTip(
            self.tr("The active structure and its nearest; Shift adds, Alt subtracts, Ctrl intersects")
        )
        self._path_to = QPushButton(self.tr("Path to…"))
        self._path_to.setToolTip(self.tr("From the active structure to a pinned one, over structures in between"))
        self._targets = QMenu(self)
        self._path_to.setMenu(self._targets)
        self._status = _text("")
        self._compute = QPushButton(self.tr("Compute the features"))
        self._compute.setToolTip(self.tr("Of all structures, by the representation of the map"))
        self.list = NeighborList(self.tr("Neighbours of the active structure"))

    def _lay_out(self) -> None:
        self._form_area = QScrollArea()
        self._form_area.setWidget(self._form)
        self._form_area.setWidgetResizable(True)
        self._form_area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._form_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._form_area.setFixedHeight(FORM_HEIGHT)
        self._form_area.hide()
        near = QWidget()
        above = QVBoxLayout(near)
        above.setContentsMargins(6, 6, 6, 4)
        above.setSpacing(4)
        above.addWidget(self._title)
        measures = QHBoxLayout()
        measures.setSpacing(4)
        measures.addWidget(self._metric, 1)
        measures.addWidget(self._k)
        measures.addWidget(self._unfold)
        above.addLayout(measures)
        above.addWidget(self._form_area)
        buttons = FlowLayout(gap=4)
        for button in (self._lines, self._similar, self._select, self._path_to):
            buttons.addWidget(button)
        above.addLayout(buttons)
        above.addWidget(self._status)
        above.addWidget(self._compute)
        above.addWidget(self.list, 1)
        self._divider = QSplitter(Qt.Orientation.Vertical)
        self._divider.addWidget(near)
        self._divider.addWidget(self.path)
        self._divider.setChildrenCollapsible(False)
        self._divider.setStretchFactor(0, 3)
        self._divider.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._divider)

    def _connect(self) -> None:
        store, finder = self._store, self.finder
        self._k.valueChanged.connect(self._on_k_changed)
        self._metric.activated.connect(self._on_metric_activated)
        self._unfold.toggled.connect(self._form_area.setVisible)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._lines.toggled.connect(self._on_lines_toggled)
        self._similar.clicked.connect(self._on_similar_clicked)
        self._select.clicked.connect(self._on_select_clicked)
        self._targets.aboutToShow.connect(self._on_targets_about_to_show)
        self._compute.clicked.connect(finder.compute_features)
        self.path.step_requested.connect(self._step)
        self.path.select_requested.connect(self._on_path_select_requested)
        self.path.close_requested.connect(finder.forget_path)
        for rows in (self.list, self.path.list):
            rows.chosen.connect(self._on_list_chosen)
            rows.hovered.connect(store.hover)
            rows.wanted.connect(partial(self._on_list_wanted, rows))
            store.hovered.connect(rows.set_hovered)
        finder.nearness_changed.connect(self._show_nearness)
        finder.status_changed.connect(self._show_status)
        finder.route_changed.connect(self._show_route)
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.columns_changed.connect(self._on_store_columns_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        for rows in (self.list, self.path.list):
            rows.set_dark(dark)

    def set_memory_budget(self, budget: int) -> None:
        """Bytes that features may take when they are computed for the neighbours alone."""
        self.finder.memory_budget = budget

    def state(self) -> dict[str, Any]:
        """What near means here, ready for JSON."""
        return {"nearness": self.finder.nearness.to_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; what is missing or makes no sense is left as it is."""
        try:
            self.finder.set_nearness(Nearness.from_dict(state["nearness"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            return

    def color_by_similarity(self, index: int | None = None) -> None:
        """Compare all structures with one, the active one if none is given, and colour the maps by it."""
        reference = self._store.active if index is None else index
        if reference is not None:
            coloring = replace(self._store.session.coloring, color_by=SIMILARITY, hidden="")
            self._store.update(self.tr("colour by similarity"), reference=reference, coloring=coloring)

    def _on_similar_clicked(self) -> None:
        self.color_by_similarity()

    def find_path_to(self, index: int) -> None:
        """Look for a path from the active structure to another."""
        active = self._store.active
        if active is not None and index != active:
            self.finder.find_path(active, index)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.finder.set_watched(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.finder.set_watched(False)

    # -- the person

    def _on_k_changed(self, value: int) -> None:
        self.finder.set_nearness(self.finder.nearness.with_values(k=value))

    def _on_metric_activated(self, place: int) -> None:
        self.finder.set_nearness(self.finder.nearness.with_values(metric=self._metric.itemData(place)))

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Nearness):
            self.finder.set_nearness(value)

    def _on_lines_toggled(self, on: bool) -> None:
        session = self._store.session
        maps = tuple(replace(spec, view=replace(spec.view, neighbors=on)) for spec in session.maps)
        text = self.tr("lines to neighbours")
        self._store.update(text, map_view=replace(session.map_view, neighbors=on), maps=maps)

    def _on_select_clicked(self) -> None:
        found = self._store.result(NEAREST)
        if isinstance(found, Nearest):
            chosen = found.indices if len(found.indices) else found.map_indices
            self._choose([found.row, *chosen.tolist()], self.tr("nearest to {}").format(self._name(found.row)))

    def _on_path_select_requested(self) -> None:
        route = self.finder.route
        if route is not None:
            ends = self._name(int(route.rows[0])), self._name(int(route.rows[-1]))
            self._choose(route.rows.tolist(), self.tr("path from {} to {}").format(*ends))

    def _choose(self, indices: list[int], origin: str) -> None:
        how = operation("lasso", QGuiApplication.keyboardModifiers())
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[indices] = True
        self._store.select(mask, how or "replace", origin)

    def _on_targets_about_to_show(self) -> None:
        self._targets.clear()
        active = self._store.active
        for index in self._store.session.pins:
            if index != active:
                # an ampersand would become a shortcut
                name = self._name(index).replace("&", "&&")
                self._targets.addAction(name, partial(self.find_path_to, index))
        if self._targets.isEmpty():
            hint = self._targets.addAction(self.tr("Pin a structure first (P, or Ctrl+click)"))
            hint.setEnabled(False)

    def _on_list_chosen(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    def _step(self, by: int) -> None:
        """Go along the path, from where the active structure stands on it or else from its beginning."""
        route = self.finder.route
        if route is None:
            return
        rows, active = route.rows.tolist(), self._store.active
        place = rows.index(active) + by if active in rows else 0
        if 0 <= place < len(rows):
            self._store.set_active(int(rows[place]))
            self.path.list.scrollTo(self.path.list.items.index(place))

    # -- pictures

    def _on_list_wanted(self, rows: NeighborList, indices: list[int]) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        look, smiles = rows.look, dataset.smiles
        chosen = [i for i in indices[:_BATCH] if i < len(dataset)]
        subjects = [Subject(i, dataset.structures[i], "" if smiles is None else str(smiles[i])) for i in chosen]
        slot = "pictures of neighbours" if rows is self.list else "pictures of a path"
        self._runner.submit(
            Job(
                key=f"{slot} {dataset.fingerprint} {look} {chosen}",
                slot=slot,
                title=self.tr("Pictures of neighbours"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, rows, dataset, look),
                failed=partial(self._on_pictures_failed, rows, chosen, look),
                lane="interactive",
                priority=_PRIORITY,
                conflate=True,
            )
        )

    def _on_pictures(self, rows: NeighborList, dataset: Dataset, look: Look, made: list[tuple[int, Any]]) -> None:
        if dataset is self._store.dataset:
            for index, image in made:
                rows.put(index, look, image)

    def _on_pictures_failed(
        self, rows: NeighborList, indices: list[int], look: Look, _error: BaseException, _details: str
    ) -> None:
        # the first one may be to blame (the jobs panel says why): without a picture, the others have their turn
        rows.put(indices[0], look, None)

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            for rows in (self.list, self.path.list):
                rows.forget_pictures()
        if names & {"dataset", "coloring"}:
            self._show_rows()
            self._show_route()
        if names & {"dataset", "selection", "pins", "map_view", "reference", "coloring"}:
            self._show_buttons()

    def _on_store_results_changed(self, name: str) -> None:
        if name == NEAREST:
            self._show_rows()
            self._show_status()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        if self._store.session.coloring.color_by in names:
            self._show_rows()
            self._show_route()

    # -- showing

    def _show_nearness(self, nearness: Nearness) -> None:
        with QSignalBlocker(self._k):
            self._k.setValue(nearness.k)
        self._metric.setCurrentIndex(self._metric.findData(nearness.metric))
        self._form.set_value(nearness)

    def _show_status(self, _text: str = "") -> None:
        found = self._store.result(NEAREST)
        reason = found.reason if isinstance(found, Nearest) and found.row == self._store.active else ""
        text = self.finder.status or (self.tr("⚠ {}").format(reason) if reason else "")
        self._status.setText(text)
        self._status.setVisible(bool(text))
        self._compute.setVisible(self.finder.can_compute and bool(self.finder.status))

    def _show_buttons(self) -> None:
        session, active = self._store.session, self._store.active
        with QSignalBlocker(self._lines):
            self._lines.setChecked(session.map_view.neighbors)
        has_features = self.finder.rows is not None
        for button, enabled in (
            (self._lines, active is not None),
            (self._similar, active is not None and has_features),
            (self._select, active is not None and bool(self.list.indices)),
            (self._path_to, active is not None and has_features),
        ):
            button.setEnabled(enabled)
        # the name of the last active structure stands until the next one's neighbours are there
        self._title.setText(
            self.tr("Nothing is active.") if active is None else self.tr("Near {}").format(self._name(active))
        )
        pins = frozenset(session.pins)
        for rows in (self.list, self.path.list):
            rows.set_marks(-1 if active is None else active, pins)

    def _show_rows(self) -> None:
        self.redraws += 1
        found = self._store.result(NEAREST)
        known = isinstance(found, Nearest) and self._store.dataset is not None
        self.list.set_rows(self._rows_of(found) if known else [])
        self._show_buttons()

    def _rows_of(self, found: Nearest) -> list[NeighborRow]:
        rows: list[NeighborRow] = []
        torn, shared = found.torn.tolist(), found.shared.tolist()
        on_map = bool(len(found.map_indices))
        if len(found.indices):
            tip = self.tr("Distances d in the features and m on the map")
            rows.append(NeighborRow(-1, self.tr("Nearest in the features"), tip=tip))
        tone: Tone
        for t, index in enumerate(found.indices.tolist()):
            mark, tone = self._mark_of(shared[t], torn[t], int(found.map_ranks[t]))
            first = self.tr("d {}").format(short(float(found.distances[t])))
            if on_map:
                first += self.tr(" · m {}").format(short(float(found.map_distances[t])))
            rows.append(self._row(index, str(t + 1), first, mark, tone, found.row))
        near, has_features = set(found.indices.tolist()), bool(len(found.indices))
        listed = [t for t in range(len(found.map_indices)) if found.false[t] or not has_features]
        if not listed:
            return rows
        heading = self.tr("False neighbours on the map") if has_features else self.tr("Nearest on the map")
        tip = self.tr("Near on the map, far in the features: the number is the rank on the map")
        rows.append(NeighborRow(-1, heading, tip=tip if has_features else ""))
        for t in listed:
            index = int(found.map_indices[t])
            first = self.tr("m {}").format(short(float(found.distances_on_map[t])))
            mark, tone = "", "plain"
            if has_features and index not in near:
                first = self.tr("d {} · ").format(short(float(found.feature_distances[t]))) + first
                mark, tone = self.tr("⚠ no. {:,}").format(int(found.feature_ranks[t])), "warn"
            rows.append(self._row(index, str(t + 1), first, mark, tone, found.row))
        return rows

    def _mark_of(self, is_shared: bool, is_torn: bool, rank: int) -> tuple[str, Tone]:
        if is_shared:
            return self.tr("✓ map"), "good"
        if is_torn:
            return self.tr("↯ map {:,}").format(rank), "warn"
        return (self.tr("map {:,}").format(rank), "plain") if rank else ("", "plain")

    def _row(self, index: int, number: str, first: str, mark: str, tone: Tone, against: int | None) -> NeighborRow:
        hint = self.tr("Click goes there, Ctrl+click pins")
        meaning = {
            "good": self.tr("as near on the map"),
            "warn": self.tr("near on one side, far on the other: the number is its rank on the other"),
            "plain": self.tr("its rank on the map"),
        }[tone]
        name = self._name(index)
        label, value = self._value(index, against)
        explained = self.tr("{}: value (difference)").format(self._label()) if value else ""
        tip = "\n".join(filter(None, (name, f"{mark}: {meaning}" if mark else "", explained, hint)))
        return NeighborRow(index, name, number, mark, tone, first, label, value, tip)

    def _label(self) -> str:
        """The colour's property with its unit."""
        columns, name = self._store.columns, self._store.session.coloring.color_by
        return columns[name].label(name) if columns is not None and name in columns else ""

    def _value(self, index: int, against: int | None) -> tuple[str, str]:
        """Name of the colour's property, and what a structure has of it and by how much another differs."""
        columns, name = self._store.columns, self._store.session.coloring.color_by
        p = columns.get(name) if columns is not None and name else None
        if p is None:
            return "", ""
        if p.is_text:
            return name, str(p.values[index]) or "–"
        value = float(p.values[index])
        text = signed(value, ".4g")
        difference = value - float(p.values[against]) if against is not None else np.nan
        return name, f"{text} ({signed(difference, '+.2g')})" if np.isfinite(difference) else text

    def _show_route(self) -> None:
        finder, route = self.finder, self.finder.route
        shown = route is not None or finder.is_routing or bool(finder.route_error)
        self.path.setVisible(shown)
        if route is None or self._store.dataset is None:
            self.path.set_path(finder.route_error or self.tr("Looking for a path…"), [])
            return
        rows, steps = route.rows.tolist(), len(route.lengths)
        ends = self._name(rows[0]), self._name(rows[-1])
        longest = float(route.lengths.max()) if steps else 0.0
        text = self.tr("{} → {}: {} steps, {} in all, longest {}").format(
            *ends, steps, short(route.total), short(longest)
        )
        joined = int(np.count_nonzero(route.joined))
        if joined:
            text += self.tr("\n⚠ {} of them over a gap that no structure bridges").format(joined)
        lines = [self._row(rows[0], "0", self.tr("start"), "", "plain", None)]
        for t in range(steps):
            gap: tuple[str, Tone] = (self.tr("⚠ gap"), "warn") if route.joined[t] else ("", "plain")
            along = float(route.lengths[: t + 1].sum())
            first = self.tr("+{} = {}").format(short(float(route.lengths[t])), short(along))
            lines.append(self._row(rows[t + 1], str(t + 1), first, *gap, rows[t]))
        self.path.set_path(text, lines)

    def _name(self, index: int) -> str:
        dataset = self._store.dataset
        return str(dataset.identifiers[index]) if dataset is not None and index < len(dataset) else str(index + 1)


def _text(words: str) -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def _tool(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setAutoRaise(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
