"""All panels of the window: the maps and the structure in its middle, the others in docks around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QSplitter, QTabWidget, QVBoxLayout, QWidget

from qmlstudio.app.derived import DerivedColumns
from qmlstudio.app.filtering import FilterEngine
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Store
from qmlstudio.shell.maps import Maps
from qmlstudio.views.clusters import ClustersView
from qmlstudio.views.dataset import DatasetView
from qmlstudio.views.descriptor import DescriptorView
from qmlstudio.views.distributions import DistributionsView
from qmlstudio.views.doctor import DoctorView
from qmlstudio.views.explain import WhyView
from qmlstudio.views.filters import FiltersView
from qmlstudio.views.gallery import GalleryView
from qmlstudio.views.jobs import JobsView
from qmlstudio.views.kernel import KernelView
from qmlstudio.views.learning import LearningView
from qmlstudio.views.neighbors import NeighborsView
from qmlstudio.views.selection import SelectionView
from qmlstudio.views.series import SeriesView
from qmlstudio.views.structure import StructureView

HIDDEN = ("jobs",)
FRONT = ("data", "descriptor", "gallery")
"""Panels that are hidden, and those in front of the others of their place, at the first start."""
LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea


def _frame(view: QWidget) -> QWidget:
    """Keeps a panel's room while it is hidden, so that docks do not shrink behind another's tab."""
    policy = view.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    view.setSizePolicy(policy)
    frame = QWidget()
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(view)
    return frame


class Panels(QObject):
    """Makes the panels of a window and places them.

    Attributes
    ----------
    docks : dict of str to QDockWidget
        In the order of their keys (Ctrl+1 …).
    """

    def __init__(self, window: QMainWindow, store: Store, runner: JobRunner) -> None:
        super().__init__(window)
        self._window = window
        self.derived = DerivedColumns(store, self)
        self.shelf = ModelShelf(self)
        self.filter_engine = FilterEngine(store, runner, self)
        self.maps = Maps(store, runner)
        self.structure = StructureView(store, runner)
        self.dataset = DatasetView(store, runner)
        self.filters = FiltersView(store, runner)
        self.selection = SelectionView(store, runner)
        self.descriptor = DescriptorView(store, runner)
        self.clusters = ClustersView(store, runner)
        self.neighbors = NeighborsView(store, runner)
        self.gallery = GalleryView(store, runner)
        self.distributions = DistributionsView(store, runner)
        self.series = SeriesView(store, runner)
        self.jobs = JobsView(runner)
        self.doctor = DoctorView(store, runner)
        self.why = WhyView(store, runner, self.shelf)
        self.learning = LearningView(store, runner, self.shelf)
        self.kernel = KernelView(store, runner)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("central")
        self.splitter.addWidget(self.maps)
        self.splitter.addWidget(self.structure)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setChildrenCollapsible(False)
        window.setCentralWidget(self.splitter)
        self.docks: dict[str, QDockWidget] = {}
        self._make_docks()
        self._themed = (
            self.maps,
            self.structure,
            self.descriptor,
            self.filters,
            self.selection,
            self.clusters,
            self.neighbors,
            self.gallery,
            self.distributions,
            self.doctor,
            self.series,
            self.why,
            self.learning,
            self.kernel,
        )
        self._stateful: dict[str, DatasetView | GalleryView | NeighborsView | WhyView | LearningView | KernelView] = {
            "table": self.dataset,
            "gallery": self.gallery,
            "neighbors": self.neighbors,
            "why": self.why,
            "learning": self.learning,
            "kernel": self.kernel,
        }

    def _make_docks(self) -> None:
        """Those of one place are tabs of one another."""
        window = self._window
        places: tuple[tuple[str, str, QWidget, Qt.DockWidgetArea], ...] = (
            ("data", self.tr("Data"), self.dataset, LEFT),
            ("filters", self.tr("Filters"), self.filters, LEFT),
            ("selection", self.tr("Selection"), self.selection, LEFT),
            ("descriptor", self.tr("Descriptor"), self.descriptor, RIGHT),
            ("clusters", self.tr("Clusters"), self.clusters, RIGHT),
            ("neighbors", self.tr("Neighbours"), self.neighbors, RIGHT),
            ("gallery", self.tr("Gallery"), self.gallery, BOTTOM),
            ("distributions", self.tr("Distributions"), self.distributions, BOTTOM),
            ("series", self.tr("Series"), self.series, BOTTOM),
            ("jobs", self.tr("Jobs"), self.jobs, BOTTOM),
            ("doctor", self.tr("Doctor"), self.doctor, LEFT),
            ("why", self.tr("Why"), self.why, RIGHT),
            ("learning", self.tr("Learning"), self.learning, BOTTOM),
            ("kernel", self.tr("Kernel"), self.kernel, RIGHT),
        )
        first: dict[Qt.DockWidgetArea, QDockWidget] = {}
        for name, title, view, area in places:
            dock = QDockWidget(title, window)
            dock.setObjectName(f"dock_{name}")
            dock.setWidget(_frame(view))
            window.addDockWidget(area, dock)
            if area in first:
                window.tabifyDockWidget(first[area], dock)
            first.setdefault(area, dock)
            self.docks[name] = dock
            # Qt calls what lies behind another tab visible; panels out of sight shall compute nothing
            dock.visibilityChanged.connect(view.setVisible)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setCorner(Qt.Corner.BottomLeftCorner, LEFT)
        window.setCorner(Qt.Corner.BottomRightCorner, RIGHT)
        self.show_first()

    def show_first(self) -> None:
        """What is in front at the first start."""
        for name, dock in self.docks.items():
            dock.setVisible(name not in HIDDEN)
        for name in FRONT:
            self.docks[name].raise_()

    def set_widths(self) -> None:
        """The map gets the most room, since everything starts there."""
        docks = self.docks
        self._window.resizeDocks([docks["data"], docks["descriptor"]], [290, 330], Qt.Orientation.Horizontal)
        self._window.resizeDocks([docks["gallery"]], [235], Qt.Orientation.Vertical)
        self.splitter.setSizes([620, 400])

    def bring_forward(self, name: str) -> None:
        """Show a panel in front of those that share its place."""
        self.docks[name].show()
        self.docks[name].raise_()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        for view in self._themed:
            view.set_dark(dark)

    def set_memory_budget(self, budget: int) -> None:
        """How many bytes features may take."""
        self.descriptor.set_memory_budget(budget)
        self.neighbors.set_memory_budget(budget)
        self.why.set_memory_budget(budget)
        self.learning.set_memory_budget(budget)
        self.kernel.set_memory_budget(budget)

    def show_representations(self) -> None:
        """Offer what the registry has now."""
        self.descriptor.show_choices()
        self.maps.show_representations()

    def reveal(self, index: int) -> None:
        """Bring a structure into view in table and maps."""
        self.dataset.reveal(index)
        self.maps.reveal(index)

    def color_by_similarity(self, index: int) -> None:
        """Colour all structures by their likeness to one."""
        self.neighbors.color_by_similarity(index)

    def find_path_to(self, index: int) -> None:
        """Look for a path through the features from the active structure."""
        self.bring_forward("neighbors")
        self.neighbors.find_path_to(index)

    def states(self) -> dict[str, Any]:
        """What is saved with a session of how the panels stand; JSON-able."""
        return {
            "map_range": list(self.maps.first.scatter.range),
            "camera": self.structure.canvas.camera_state(),
        } | {name: view.state() for name, view in self._stateful.items()}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Inverse of :meth:`states`; ValueError, TypeError or KeyError for those of another version."""
        shown = states.get("map_range")
        if isinstance(shown, list) and len(shown) == 4 and self.maps.first.scatter.count:
            self.maps.first.scatter.set_range(*(float(v) for v in shown))
        if isinstance(states.get("camera"), dict):
            self.structure.canvas.set_camera(states["camera"])
        for name, view in self._stateful.items():
            if isinstance(states.get(name), dict):
                view.restore(states[name])
