"""The clusters panel: find them, name them, select them, read what sets one apart, see who stands for it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.cluster_finder import SLOT, ClusterFinder
from qmlstudio.app.cluster_jobs import Representative, find_representatives, report_of
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import MAX_PINS, Store
from qmlstudio.learning import clustering as clusterings
from qmlstudio.learning.clustering import Clustering
from qmlstudio.parameters import Parameterised, digest
from qmlstudio.representations.base import Features
from qmlstudio.session.cluster_report import ClusterReport
from qmlstudio.session.coloring import CATEGORY_COLORS, OTHER_COLOR
from qmlstudio.widgets.cluster_list import NOISE, ClusterList, ClusterRow
from qmlstudio.widgets.cluster_strip import Picture, PictureStrip
from qmlstudio.widgets.cluster_summary import ReportText
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.parameter_form import ParameterForm

REPORT, STAND_INS = "cluster report", "cluster representatives"
DELAY_MS = 200
"""How long a selection has to rest before it is described."""
FORM_HEIGHT = 170
"""Of the parameters, px: what needs more scrolls."""
SHOWN = 6
"""Representatives."""


class ClustersView(QWidget):
    """Shows what a :class:`ClusterFinder` finds; a click selects a cluster, and it is compared with all the rest."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self.finder = ClusterFinder(store, runner, self)
        self.redraws = 0
        self._dark = False
        self._reported = ""
        self._represented = ""
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(DELAY_MS)
        self._make_top()
        self._make_bottom()
        self._lay_out()
        self._connect()
        self._show_method()
        self._show_clusters()

    # -- building

    def _make_top(self) -> None:
        self._method = QComboBox()
        for name, cls in clusterings.REGISTRY.items():
            self._method.addItem(cls.title, name)
        self._method.setToolTip(self.tr("How clusters are found"))
        self._method.setAccessibleName(self.tr("Clustering method"))
        self._unfold = _tool(self.tr("⚙"), self.tr("Parameters of the clustering"))
        self._unfold.setCheckable(True)
        self._form = ParameterForm()
        self._find = QPushButton(self.tr("Cluster"))
        self._find.setToolTip(self.tr("Find the clusters; undo (Ctrl+Z) takes them back"))
        self._follow = QCheckBox(self.tr("Follow the map"))
        self._follow.setChecked(True)
        self._follow.setToolTip(self.tr("Find the clusters again whenever the map has been made anew"))
        self._remove = _tool("✕", self.tr("Remove the clusters"))
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._status.setTextFormat(Qt.TextFormat.PlainText)
        self.list = ClusterList()
        self.list.setMinimumHeight(80)

    def _make_bottom(self) -> None:
        self._subject = QComboBox()
        self._subject.addItem(self.tr("The marked cluster"), "cluster")
        self._subject.addItem(self.tr("The selection"), "selection")
        self._subject.setToolTip(self.tr("What is described below and compared with all the rest"))
        self._subject.setAccessibleName(self.tr("What is described"))
        self._here = _tool("◉", self.tr("Mark the cluster in which the active structure lies"))
        self._stand_in = QComboBox()
        for text, value, tip in (
            (self.tr("Most central"), "medoid", self.tr("Medoids: least mean distance to all others")),
            (
                self.tr("Most different"),
                "fps",
                self.tr("Farthest points (FPS): as far from each other as can be"),
            ),
            (self.tr("Spanning"), "cur", self.tr("CUR: those that explain most of the others' variety")),
        ):
            self._stand_in.addItem(text, value)
            self._stand_in.setItemData(self._stand_in.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._stand_in.setToolTip(self.tr("Which structures stand for the set: medoids, farthest points (FPS) or CUR"))
        self._stand_in.setAccessibleName(self.tr("Representative structures"))
        self._pin = QPushButton(self.tr("Pin"))
        self._pin.setToolTip(self.tr("Pin the structures below (P pins the active one)"))
        self._pin.setEnabled(False)
        self.strip = PictureStrip()
        self.text = ReportText()
        self.text.setMinimumHeight(60)

    def _lay_out(self) -> None:
        for box in (self._method, self._subject, self._stand_in):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._form_area = QScrollArea()
        self._form_area.setWidget(self._form)
        self._form_area.setWidgetResizable(True)
        self._form_area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._form_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._form_area.setMinimumHeight(FORM_HEIGHT)
        self._form_area.setVisible(False)
        upper, lower = QWidget(), QWidget()
        above = _column(upper)
        above.addLayout(_line(self._method, self._unfold, self._find, self._remove))
        above.addWidget(self._form_area)
        above.addWidget(self._follow)
        above.addWidget(self._status)
        above.addWidget(self.list, 1)
        below = _column(lower)
        below.addLayout(_line(self._subject, self._here))
        below.addLayout(_line(self._stand_in, self._pin))
        below.addWidget(self.strip)
        below.addWidget(self.text, 1)
        self._divider = QSplitter(Qt.Orientation.Vertical)
        self._divider.addWidget(upper)
        self._divider.addWidget(lower)
        self._divider.setChildrenCollapsible(False)
        self._divider.setStretchFactor(0, 2)
        self._divider.setStretchFactor(1, 3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._divider)

    def _connect(self) -> None:
        self._method.activated.connect(self._on_method_activated)
        self._unfold.toggled.connect(self._on_unfold_toggled)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._find.clicked.connect(self._on_find_clicked)
        self._remove.clicked.connect(self.finder.remove)
        self._follow.toggled.connect(self.finder.set_follows)
        self.list.chosen.connect(self._on_list_chosen)
        self.list.looked_at.connect(self._on_list_looked_at)
        self.list.renamed.connect(self.finder.rename)
        self._subject.activated.connect(self._describe)
        self._here.clicked.connect(self.show_active)
        self._stand_in.activated.connect(self._describe)
        self._pin.clicked.connect(self._on_pin_clicked)
        self.strip.activated_structure.connect(self._store.set_active)
        self._delay.timeout.connect(self._describe)
        self.finder.found.connect(self._show_clusters)
        self.finder.names_changed.connect(self._show_names)
        self.finder.status_changed.connect(self._status.setText)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for widget in (self.list, self.strip, self.text):
            widget.set_dark(dark)
        self._describe()

    def show_active(self) -> None:
        """Mark the cluster in which the active structure lies, and describe it."""
        label = self.finder.label_of(self._store.active)
        if label is not None:
            self._subject.setCurrentIndex(0)
            self.list.set_current(label)
            self._describe()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._describe()

    # -- the person

    def _on_method_activated(self, index: int) -> None:
        name, value = str(self._method.itemData(index)), self._form.value()
        if isinstance(value, Clustering) and value.name != name:
            new = clusterings.REGISTRY[name](space=value.space)
            self._form.set_value(new)
            self._on_form_value_changed(new)

    def _on_unfold_toggled(self, opened: bool) -> None:
        self._form_area.setVisible(opened)

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if self._store.session.clustering is not None and isinstance(value, Clustering):
            self.finder.set_clustering(value)

    def _on_find_clicked(self) -> None:
        self._form.flush()
        value = self._form.value()
        if isinstance(value, Clustering):
            self.finder.set_clustering(value)

    def _on_list_chosen(self, label: int, modifiers: Qt.KeyboardModifier) -> None:
        mask, how = self.finder.mask(label), operation("lasso", modifiers)
        if mask is None or how is None:
            return
        name = self.tr("noise") if label == NOISE else self.finder.names[label]
        origin = name if name.startswith("cluster") else self.tr("cluster {}").format(name)
        self._store.select(mask, how, origin)
        self._on_list_looked_at(label)

    def _on_list_looked_at(self, _label: int) -> None:
        self._subject.setCurrentIndex(0)
        self._describe()

    def _on_pin_clicked(self) -> None:
        pins = self._store.session.pins
        new = [i for i in self.strip.indices if i not in pins]
        self._store.update(self.tr("pin representatives"), pins=(*pins, *new)[:MAX_PINS])

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "clustering" in names:
            self._show_method()
        if "selection" in names and "dataset" not in names:
            self._show_active()
            if self._subject.currentData() == "selection":
                self._delay.start()

    # -- showing

    def _show_method(self) -> None:
        method = self._store.session.clustering
        shown = method or self._form.value() or clusterings.HDBSCAN()
        self._form.set_value(shown)
        self._method.setCurrentIndex(self._method.findData(shown.name))
        self._find.setText(self.tr("Cluster") if method is None else self.tr("Again"))
        self._remove.setEnabled(method is not None)

    def _show_active(self) -> None:
        label = self.finder.label_of(self._store.active)
        self.list.rows.set_active(label)
        self._here.setEnabled(label is not None)

    def _show_clusters(self) -> None:
        self.redraws += 1
        clusters, current = self.finder.clusters, self.list.current
        self._reported = self._represented = ""
        if clusters is None:
            self.list.rows.set_rows((), 0)
            self._status.setText(self.tr("Groups of points that lie together: choose a method, then “Cluster”."))
        else:
            self.list.rows.set_rows(self._rows(), len(clusters.labels))
            text = self.tr("{:,} clusters").format(clusters.count)
            if clusters.noise:
                share = 100 * clusters.noise / len(clusters.labels)
                text += self.tr(" · {:,} structures in none ({:.0f} %)").format(clusters.noise, share)
            note = clusters.details.get("note", "")
            self._status.setText(f"{text}\n{note}" if note else text)
            self.list.set_current(current if current is not None and self.list.rows.row_of(current) >= 0 else 0)
        self._show_active()
        self._describe()

    def _show_names(self) -> None:
        self.list.rows.set_names(self._rows())

    def _rows(self) -> list[ClusterRow]:
        """The rows of the list, in the colours that the map gives to the categories of the column."""
        clusters = self.finder.clusters
        assert clusters is not None
        place = {name: k for k, name in enumerate(self.finder.categories[: len(CATEGORY_COLORS)])}
        other = _bytes(OTHER_COLOR[0])
        rows = [
            ClusterRow(k, name, size, _bytes(CATEGORY_COLORS[place[name]]) if name in place else other)
            for k, (name, size) in enumerate(zip(self.finder.names, clusters.sizes.tolist(), strict=True))
        ]
        if clusters.noise:
            rows.append(ClusterRow(NOISE, self.tr("noise"), clusters.noise, None))
        return rows

    # -- describing

    def _described_set(self) -> tuple[str, NDArray[np.bool_]] | None:
        """What is to be described: a key and a mask; None when there is nothing."""
        if self._subject.currentData() == "selection":
            mask = self._store.session.selection.mask
            return (digest(np.packbits(mask).tobytes().hex()), mask) if mask.any() else None
        label = self.list.current
        of_cluster = None if label is None else self.finder.mask(label)
        return None if of_cluster is None else (f"{self._store.result_key(SLOT)} {label}", of_cluster)

    def _describe(self) -> None:
        """Have the marked cluster or the selection described, when somebody can see it."""
        self._delay.stop()
        dataset, columns = self._store.dataset, self._store.columns
        if not self.isVisible():
            return
        found = self._described_set()
        if found is None or dataset is None or columns is None:
            self._show_nothing()
            return
        key, mask = found
        key = f"{dataset.fingerprint} {key}"
        if key != self._reported:
            self._reported = key
            self.text.set_report(None, self.tr("Comparing…"))
            self._submit(
                key,
                REPORT,
                self.tr("What sets the structures apart"),
                partial(report_of, dataset, columns, mask),
                self._on_reported,
            )
        method = str(self._stand_in.currentData())
        key = f"{key} {method} {self._dark}"
        features, points = self._store.result("features"), self._store.result("map")
        rows = features if isinstance(features, Features) else getattr(points, "points", None)
        if key != self._represented and rows is not None:
            self._represented = key
            self._submit(
                key,
                STAND_INS,
                self.tr("Representative structures"),
                partial(find_representatives, dataset, rows, mask, method, SHOWN, self._dark),
                self._on_represented,
            )

    def _submit(self, key: str, slot: str, title: str, compute: Any, done: Any) -> None:
        failed = partial(self._on_failed, slot)
        self._runner.submit(Job(key=f"{slot} {key}", slot=slot, title=title, compute=compute, done=done, failed=failed))

    def _show_nothing(self) -> None:
        self._reported = self._represented = ""
        for slot in (REPORT, STAND_INS):
            self._runner.cancel(slot)
        self._show_pictures([])
        selecting = self._subject.currentData() == "selection"
        self.text.set_report(None, self.tr("Nothing is selected.") if selecting else self.tr("No cluster is marked."))

    def _on_reported(self, report: ClusterReport) -> None:
        self.text.set_report(report)

    def _on_represented(self, found: list[Representative]) -> None:
        self._show_pictures([Picture(r.index, r.name, r.svg, r.tip) for r in found])

    def _show_pictures(self, pictures: list[Picture]) -> None:
        self.strip.set_pictures(pictures)
        self._pin.setEnabled(bool(pictures))

    def _on_failed(self, slot: str, error: BaseException, _details: str) -> None:
        if slot == REPORT:
            self.text.set_report(None, self.tr("⚠ {}").format(error))
        else:
            self._show_pictures([])


def _tool(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setAutoRaise(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _column(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 6, 6, 4)
    layout.setSpacing(4)
    return layout


def _line(first: QWidget, *others: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setSpacing(4)
    layout.addWidget(first, 1)
    for other in others:
        layout.addWidget(other)
    return layout


def _bytes(color: Any) -> tuple[int, int, int]:
    return int(color[0]), int(color[1]), int(color[2])
