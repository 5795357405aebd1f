"""Up to four maps side by side: one grid, one selection, one colouring."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.session.map_spec import MAX_MAPS
from qmlstudio.views.map import MapView
from qmlstudio.widgets import raster


class Maps(QWidget):
    """The map panels in one or two rows; further ones come and go with the session's ``maps``.

    Signals
    -------
    context_menu_requested(index, global position)
        Of any of the maps.
    """

    context_menu_requested = Signal(int, QPoint)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._dark = False
        self.first = MapView(store, runner)
        self.views: list[MapView] = [self.first]
        self._rows = [QSplitter(Qt.Orientation.Horizontal) for _ in range(2)]
        self._grid = QSplitter(Qt.Orientation.Vertical)
        for row in self._rows:
            row.setChildrenCollapsible(False)
            self._grid.addWidget(row)
        self._grid.setChildrenCollapsible(False)
        self._rows[0].addWidget(self.first)
        self._rows[1].hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._grid)
        self.first.context_menu_requested.connect(self.context_menu_requested)
        self.first.add_requested.connect(self.add)
        store.changed.connect(self._on_store_changed)
        runner.started.connect(self._on_runner_changed)
        runner.finished.connect(self._on_runner_changed)

    def add(self) -> None:
        """One more map, like the first one to begin with; undo takes it away."""
        session = self._store.session
        if 1 + len(session.maps) < MAX_MAPS and self._store.dataset is not None:
            self._store.update(self.tr("one more map"), maps=(*session.maps, session.map_spec(0)))

    def close_map(self, which: int) -> None:
        """Take a further map away; those behind it move up."""
        maps = self._store.session.maps
        if 1 <= which <= len(maps):
            self._store.update(self.tr("close map"), maps=(*maps[: which - 1], *maps[which:]))

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for view in self.views:
            view.set_dark(dark)

    def reveal(self, index: int) -> None:
        """Move each map so that a point stands in its middle, unless it is in view already."""
        for view in self.views:
            view.reveal(index)

    def show_representations(self) -> None:
        """Offer what the registry has now."""
        for view in self.views:
            view.toolbar.show_representations()

    def _on_runner_changed(self, *_: object) -> None:
        # a computation leaves one core to the window
        raster.use_threads(1 if any(h.lane == "batch" for h in self._runner.running) else 2)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "maps" in names and 1 + len(self._store.session.maps) != len(self.views):
            self._arrange(1 + len(self._store.session.maps))

    def _arrange(self, count: int) -> None:
        while len(self.views) > count:
            view = self.views.pop()
            view.setParent(None)
            view.deleteLater()
        while len(self.views) < count:
            view = MapView(self._store, self._runner, len(self.views))
            view.set_dark(self._dark)
            view.set_tool(self.first.scatter.tool)
            view.context_menu_requested.connect(self.context_menu_requested)
            view.close_requested.connect(self.close_map)
            self.views.append(view)
        for k, view in enumerate(self.views):
            row = self._rows[k // 2 if count > 2 else 0]
            if row.indexOf(view) < 0:
                row.addWidget(view)
            view.show()
        self._rows[1].setVisible(count > 2)
        for splitter in (self._grid, *self._rows):
            splitter.setSizes([10_000] * splitter.count())
        self.first.toolbar.set_can_add(count < MAX_MAPS)
        for view in self.views[1:]:
            view.show_all()
