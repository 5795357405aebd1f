"""Keeps the clusters true to the session: runs its clustering on the first map, publishes what comes out."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.cluster_jobs import Input, find_clusters
from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Property
from qmlstudio.learning.clustering import Clustering, Clusters
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.parameters import digest
from qmlstudio.representations.base import Features
from qmlstudio.session.cluster_names import Names, carried_over, full_names, renamed
from qmlstudio.session.cluster_report import CLUSTER, cluster_column

SLOT = "clusters"
KEPT = 4
"""Results to which an undo returns at once."""


class ClusterFinder(QObject):
    """Follows the session's clustering and the map, or the features.

    The result is published as "clusters" (:class:`Clusters`) and as the derived column "cluster": its names, by which
    the map can be coloured and filtered.

    Signals
    -------
    found()
        There are other clusters, or none any more.
    names_changed()
        The same clusters bear other names.
    status_changed(text)
        What is going on, for people.
    """

    found = Signal()
    names_changed = Signal()
    status_changed = Signal(str)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._follows = True
        self._inheriting = False
        self._running = ""
        self._recent: dict[str, tuple[Clusters, Property]] = {}
        # with which clusters a set of names was chosen: others can only inherit them
        self._named_at: dict[str, Names] = {}
        self._last: tuple[str, Clusters] | None = None
        self._column: Property | None = None
        self._names: tuple[str, ...] = ()
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        runner.finished.connect(self._on_runner_finished)
        self._name()

    # -- what there is

    @property
    def clusters(self) -> Clusters | None:
        """The clusters of the present data set."""
        found, dataset = self._store.result(SLOT), self._store.dataset
        good = isinstance(found, Clusters) and dataset is not None and len(found.labels) == len(dataset)
        return found if good else None

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each cluster."""
        return self._names

    @property
    def categories(self) -> tuple[str, ...]:
        """The column's categories, in the order in which they get their colours."""
        return () if self._column is None else self._column.categories

    def label_of(self, index: int | None) -> int | None:
        """The cluster of a structure, -1 for noise; None where there are no clusters."""
        clusters = self.clusters
        return None if clusters is None or index is None else int(clusters.labels[index])

    def mask(self, label: int) -> NDArray[np.bool_] | None:
        """The structures of a cluster."""
        clusters = self.clusters
        return None if clusters is None else clusters.labels == label

    # -- what may be asked

    def set_clustering(self, method: Clustering) -> None:
        """Find clusters in this way from now on."""
        session = self._store.session
        # other clusters: the names that were given to the old ones mean nothing there
        names = session.cluster_names if method == session.clustering else ()
        self._store.update(self.tr("clusters ({})").format(method.title), clustering=method, cluster_names=names)
        self.run(again=True)

    def remove(self) -> None:
        """No clusters any more."""
        self._store.update(self.tr("remove the clusters"), clustering=None, cluster_names=())

    def rename(self, label: int, name: str) -> None:
        """Give a cluster a name; an empty one asks for the usual one."""
        names = renamed(self._store.session.cluster_names, label, name)
        self._named_at[self._store.result_key(SLOT)] = names
        self._store.update(self.tr("rename a cluster"), cluster_names=names)

    def set_follows(self, on: bool) -> None:
        """Whether the clusters are found again when the map was made anew."""
        self._follows = on
        if on:
            self.run()

    def run(self, again: bool = False) -> None:
        """Find the clusters unless they are known, or (not `again`) should not follow the map."""
        method, dataset = self._store.session.clustering, self._store.dataset
        if method is None or dataset is None:
            return
        given = self._input(method.space)
        if given is None:
            if method.space == "features" and self._store.result_key("map"):
                text = self.tr("The features are not in memory: compute the map again (F5), or cluster the map.")
                self.status_changed.emit(text)
            return
        key = digest("clusters", method.to_dict(), given.key, dataset.fingerprint)
        if key == self._running:
            return
        if key == self._store.result_key(SLOT):
            self._stop()
            return
        if not again and not self._follows and self.clusters is not None:
            self.status_changed.emit(self.tr("The map has changed since: these are the clusters of the old one."))
            return
        if key in self._recent:
            self._stop()
            self._on_found(key, self._recent[key])
            return
        self._running = key
        self.status_changed.emit(self.tr("Looking for clusters…"))
        self._runner.submit(
            Job(
                key=key,
                slot=SLOT,
                title=self.tr("Clusters ({})").format(method.title),
                compute=partial(find_clusters, method, given),
                done=partial(self._on_found, key),
                failed=partial(self._on_failed, key),
                lane="batch",
            )
        )

    # -- inside

    def _input(self, space: str) -> Input | None:
        """The points that the store has, with their key; None while there are none."""
        name = "features" if space == "features" else "map"
        found, key = self._store.result(name), self._store.result_key(name)
        if isinstance(found, Coordinates):
            found = found.points
        return Input(key, found) if key and isinstance(found, Features | np.ndarray) else None

    def _stop(self) -> None:
        if self._running:
            self._running = ""
            self._runner.cancel(SLOT)

    def _on_store_changed(self, changed: frozenset[str]) -> None:
        if "dataset" in changed:
            self._stop()
            self._recent.clear()
            self._named_at.clear()
            self._last, self._column, self._names = None, None, ()
            self.found.emit()
        elif "clustering" in changed:
            if self._store.session.clustering is None:
                self._clear()
            else:
                self.run(again=True)
        if "cluster_names" in changed and self.clusters is not None and not self._inheriting:
            self._name()
            self.names_changed.emit()

    def _on_store_results_changed(self, name: str) -> None:
        if name in ("map", "features") and self._store.result_key(name):
            self.run()

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        """Somebody cancelled it: the button, or the next change, starts it again."""
        if handle.slot == SLOT and state == "cancelled" and handle.key == self._running:
            self._running = ""
            self.status_changed.emit(self.tr("Cancelled."))

    def _on_found(self, key: str, result: tuple[Clusters, Property]) -> None:
        self._running = ""
        clusters, column = result
        if self._store.session.clustering is None or self._store.dataset is None:
            return
        self._recent.pop(key, None)
        self._recent[key] = result
        for old in list(self._recent)[:-KEPT]:
            del self._recent[old]
        names = self._store.session.cluster_names
        if names and self._named_at.get(key) != names:
            if self._last is not None and self._named_at.get(self._last[0]) == names:
                names = carried_over(names, self._last[1].labels, clusters.labels)
            self._named_at[key] = names
        self._last = key, clusters
        if names != self._store.session.cluster_names:
            self._inheriting = True
            self._store.update(self.tr("names of clusters"), cluster_names=names)
            self._inheriting = False
        self._store.publish(SLOT, key, clusters)
        self._name(column)
        self.found.emit()

    def _on_failed(self, key: str, error: BaseException, details: str) -> None:
        if key == self._running:
            self._running = ""
        self.status_changed.emit(self.tr("⚠ {}").format(error))

    def _clear(self) -> None:
        self._stop()
        self._last, self._column, self._names = None, None, ()
        self._store.publish(SLOT, "", None)
        self._store.set_derived(CLUSTER, None)
        self.found.emit()

    def _name(self, usual: Property | None = None) -> None:
        """Make the column of names anew, unless the one of the `usual` names is at hand and none were given."""
        clusters = self.clusters
        if clusters is not None:
            given = self._store.session.cluster_names
            self._names = full_names(given, clusters.count)
            self._column = cluster_column(clusters.labels, self._names) if usual is None or given else usual
            self._store.set_derived(CLUSTER, self._column)
