"""What lies over a map's points: hulls and names of groups, the path through frames, lines to neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.progress import Progress
from qmlstudio.session.coloring import palette
from qmlstudio.session.map_picture import Groups, groups
from qmlstudio.session.map_spec import MapView as LookOfMap
from qmlstudio.widgets.map_overlays import MapOverlays
from qmlstudio.widgets.scatter import ScatterMap

CLUSTER = "cluster"
MOST_GROUPS = 60
MOST_NAMES = 200
ASKED_FOR = ("path", "raises", "lowers")
"""Kinds of lines that are there only when somebody wants them, whatever the map's look."""
_numbers = count()


class Overlays(QObject):
    """Resolves a map's look to the overlays of one drawing surface.

    Parameters
    ----------
    scatter : ScatterMap
        The surface; owns this object.
    """

    def __init__(self, store: Store, runner: JobRunner, scatter: ScatterMap) -> None:
        super().__init__(scatter)
        self._store = store
        self._runner = runner
        self._scatter = scatter
        self._slot = f"hulls {next(_numbers)}"
        self._drawn = MapOverlays(scatter, self._submit)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._drawn.set_dark(dark)

    def show_all(self, look: LookOfMap) -> None:
        """Draw everything anew."""
        self.show_groups(look)
        self.show_path(look)
        self.show_links(look)

    def show_groups(self, look: LookOfMap) -> None:
        """Hulls, and names of groups or of single structures."""
        columns, selection = self._store.columns, self._store.session.selection
        if columns is None or self._scatter.count != len(columns.dataset):
            return
        found = self._groups() if look.hulls != "none" or look.labels == "groups" else None
        if found is None or look.hulls == "none":
            self._drawn.set_hulls(None)
        else:
            self._drawn.set_hulls(
                found.index,
                found.names if look.labels == "groups" else (),
                found.colors,
                "alpha" if look.hulls == "alpha" else "convex",
            )
        chosen = np.zeros(0, np.int64)
        if look.labels == "pins":
            chosen = np.array(self._store.session.pins, dtype=np.int64)
        elif look.labels == "selected" and selection.count:
            chosen = np.flatnonzero(selection.mask)[:MOST_NAMES]
        names = [str(columns.dataset.identifiers[i]) for i in chosen]
        if look.labels == "groups" and found is not None and look.hulls == "none":
            chosen, names = self._middles(found)
        self._drawn.set_labels(names, chosen)

    def show_path(self, look: LookOfMap) -> None:
        """The line from frame to frame."""
        dataset = self._store.dataset
        if dataset is None or self._scatter.count != len(dataset):
            return
        if look.path and dataset.ordered and len(dataset) > 1:
            self._drawn.set_paths(np.arange(len(dataset)), mode="time", lut=palette("viridis"))
        else:
            self._drawn.set_paths(None)

    def show_links(self, look: LookOfMap) -> None:
        """Lines that somebody asked for: to neighbours, along a path in the features."""
        dataset = self._store.dataset
        if dataset is not None and self._scatter.count == len(dataset):
            wanted = [link for link in self._store.links if look.neighbors or link[2] in ASKED_FOR]
            self._drawn.set_links(wanted)

    def refresh(self) -> None:
        """Draw anew, with compiled loops if they have been loaded meanwhile."""
        self._drawn.refresh()

    def _groups(self) -> Groups | None:
        """Clusters if there are any, else the categories of the colour's column."""
        columns = self._store.columns
        assert columns is not None
        for name in (self._store.session.coloring.color_by, CLUSTER):
            if name in columns:
                try:
                    return groups(columns[name], MOST_GROUPS)
                except ValueError:
                    continue
        return None

    def _middles(self, found: Groups) -> tuple[np.ndarray, list[str]]:
        """The point nearest to the middle of each group, to bear its name."""
        points, names, chosen = self._scatter.points, [], []
        for k, name in enumerate(found.names):
            members = np.flatnonzero((found.index == k) & np.isfinite(points).all(axis=1))
            if len(members):
                # the median is inside of most groups, the mean of a ring is not
                middle = np.median(points[members], axis=0)
                chosen.append(int(members[np.argmin(((points[members] - middle) ** 2).sum(axis=1))]))
                names.append(name)
        return np.array(chosen, dtype=np.int64), names

    def _submit(self, compute: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
        self._runner.submit(
            Job(
                key=f"{self._slot} {next(_numbers)}",
                slot=self._slot,
                title=self.tr("Outlines on the map"),
                compute=compute,
                done=partial(_if_alive, self, done),
                lane="interactive",
            )
        )


def _if_alive(owner: QObject, done: Callable[[Any], None], result: Any) -> None:
    from shiboken6 import isValid

    if isValid(owner):
        done(result)
