"""Finds what is near the active structure, how similar all are to a reference, and paths between two structures."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Line, Links, Store
from qmlstudio.chem.dataset import Property
from qmlstudio.learning.embedding_base import Coordinates, Neighbors
from qmlstudio.learning.near import (
    Nearest,
    Nearness,
    Route,
    as_rows,
    distances_from,
    nearest,
    path_between,
    similarities,
)
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.stages import stages

NEAREST, SIMILARITY = "nearest", "similarity"
PATH_SLOT, FEATURES_SLOT = "path", "features for neighbours"
PRIORITY = -5
"""Behind what shows the active structure itself."""
SHORT_ROWS = 20_000
"""Rows up to which a path takes so little time that it may stand before what a click asks for."""
LEAST_NEIGHBORS = 10
"""Of each row in the graph that paths go through."""


class Rows:
    """One row of features for each structure, made when first needed (of local features it is a mean over atoms)."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self._matrix: NDArray[Any] | None = None

    def matrix(self) -> NDArray[Any]:
        """(n, d); for computing threads."""
        if self._matrix is None:
            self._matrix = as_rows(self.features.per_structure())
        return self._matrix


class NearFinder(QObject):
    """Follows the active structure, the features and the first map.

    Publishes a :class:`Nearest` as the store's result "nearest" while somebody looks (:meth:`set_watched`, or lines on
    a map), keeps the derived column "similarity" true to the session's reference, and owns the lines on the map.

    Signals
    -------
    status_changed(text)
        What is missing; empty when nothing is.
    route_changed()
        Another path, none, or why there is none: :attr:`route`, :attr:`route_error`.
    nearness_changed(nearness)
    """

    status_changed = Signal(str)
    route_changed = Signal()
    nearness_changed = Signal(object)

    def __init__(self, store: Store, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._nearness = Nearness()
        self._rows: Rows | None = None
        self._watched = False
        self._status = ""
        self._similar_key = ""
        self._features_failed = False
        self.memory_budget: int | None = None
        self.route: Route | None = None
        self.route_error = ""
        self.is_routing = False
        self.is_computing = False
        self._ends: tuple[int, int] | None = None
        store.changed.connect(self._on_store_changed)
        store.results_changed.connect(self._on_store_results_changed)
        runner.finished.connect(self._on_runner_finished)
        self._update_similarity()

    # -- what there is

    @property
    def nearness(self) -> Nearness:
        """What near means."""
        return self._nearness

    @property
    def status(self) -> str:
        """What is missing, for people; empty when nothing is."""
        return self._status

    @property
    def rows(self) -> Rows | None:
        """The features of the session's representation; None when they are not in memory."""
        features, dataset = self._store.result("features"), self._store.dataset
        if not isinstance(features, Features) or dataset is None:
            return None
        representation = self._store.session.representation
        fits = features.representation == representation and not representation.kernel_only
        n = len(features) if features.offsets is None else len(features.offsets) - 1
        if not fits or n != len(dataset):
            return None
        if self._rows is None or self._rows.features is not features:
            self._rows = Rows(features)
        return self._rows

    @property
    def can_compute(self) -> bool:
        """Whether :meth:`compute_features` would give features that are missing."""
        dataset = self._store.dataset
        return (
            dataset is not None
            and len(dataset) > 0
            and self.rows is None
            and not self.is_computing
            and not self._store.session.representation.kernel_only
        )

    # -- what a person asks for

    def set_nearness(self, nearness: Nearness) -> None:
        """Another distance, number of neighbours, similarity or kind of path."""
        old, self._nearness = self._nearness, nearness
        if nearness == old:
            return
        self.nearness_changed.emit(nearness)
        self.update()
        self._update_similarity()
        if self._ends is not None and (nearness.metric, nearness.steps) != (old.metric, old.steps):
            self.find_path(*self._ends)

    def set_watched(self, watched: bool) -> None:
        """Whether anybody looks at the neighbours."""
        self._watched = watched
        self.update()

    def compute_features(self) -> None:
        """Compute the features that are missing, without a map."""
        dataset, session = self._store.dataset, self._store.session
        if not self.can_compute or dataset is None:
            return
        stage = stages(session, dataset, self.memory_budget)[0]
        self.is_computing = True
        self._runner.submit(
            Job(
                key=stage.key,
                slot=FEATURES_SLOT,
                title=stage.title,
                compute=partial(stage.run, {}),
                done=partial(self._on_features, stage.key),
                failed=self._on_features_failed,
                lane="batch",
                priority=8,
            )
        )
        self.update()

    def find_path(self, a: int, b: int) -> None:
        """Look for a path from structure to structure."""
        rows, dataset = self.rows, self._store.dataset
        self.route, self._ends = None, (a, b)
        if rows is None or dataset is None:
            self.route_error = self.tr("There is no path without features in memory.")
            self._show_route()
            return
        self.route_error, self.is_routing = "", True
        found = self._store.result("neighbors")
        known = found if isinstance(found, Neighbors) and self._store.result_key("neighbors") else None
        k = max(self._nearness.k, LEAST_NEIGHBORS)
        self._runner.submit(
            Job(
                key=digest(PATH_SLOT, dataset.fingerprint, id(rows.features), a, b, k, self._nearness.to_dict()),
                slot=PATH_SLOT,
                title=self.tr("Path between two structures"),
                compute=partial(_path, rows, a, b, k, self._nearness, known),
                done=partial(self._on_path, (a, b)),
                failed=self._on_path_failed,
                lane="interactive" if len(dataset) <= SHORT_ROWS and known is not None else "batch",
                priority=20,
            )
        )
        self._show_route()

    def forget_path(self) -> None:
        """Show no path any more."""
        if self._ends is not None:
            self._runner.cancel(PATH_SLOT)
            self.route, self._ends, self.route_error, self.is_routing = None, None, "", False
            self._show_route()

    # -- following

    def update(self) -> None:
        """Find the neighbours of the active structure unless they are known or nobody looks."""
        store, dataset = self._store, self._store.dataset
        row = store.active
        rows, found = self.rows, store.result("map")
        self._set_status(self._missing(rows))
        if dataset is None or row is None:
            self._publish_nothing()
            return
        if not (self._watched or self._wants_lines()):
            self._show_links()
            return
        key_of_map = store.result_key("map")
        points = found.points if isinstance(found, Coordinates) and key_of_map else None
        if points is not None and len(points) != len(dataset):
            points = None
        if rows is None and points is None:
            self._publish_nothing()
            return
        source = id(rows.features) if rows is not None else None
        key = digest(
            NEAREST,
            dataset.fingerprint,
            source,
            key_of_map if points is not None else "",
            row,
            self._nearness.to_dict(),
        )
        if key == store.result_key(NEAREST):
            self._runner.cancel(NEAREST)
            self._show_links()
            return
        self._runner.submit(
            Job(
                key=key,
                slot=NEAREST,
                title=self.tr("Neighbours of the active structure"),
                compute=partial(_nearest, rows, points, row, self._nearness),
                done=partial(self._on_nearest, dataset, key),
                failed=self._on_nearest_failed,
                lane="interactive",
                priority=PRIORITY,
                conflate=True,
            )
        )

    def _publish_nothing(self) -> None:
        self._runner.cancel(NEAREST)
        if self._store.result(NEAREST) is not None:
            self._store.publish(NEAREST, "", None)
        self._show_links()

    def _missing(self, rows: Rows | None) -> str:
        representation = self._store.session.representation
        if rows is not None or self._store.dataset is None:
            return ""
        if representation.kernel_only:
            return self.tr("{} compares structures by its kernel only: there are no distances.").format(
                representation.title
            )
        if self.is_computing:
            return self.tr("Computing the features…")
        return self.tr("The features are not in memory: only neighbours on the map can be shown.")

    def _wants_lines(self) -> bool:
        session = self._store.session
        return session.map_view.neighbors or any(spec.view.neighbors for spec in session.maps)

    def _update_similarity(self) -> None:
        store, dataset, reference = self._store, self._store.dataset, self._store.session.reference
        if dataset is None or reference is None or not 0 <= reference < len(dataset):
            self._runner.cancel(SIMILARITY)
            self._similar_key = ""
            store.set_derived(SIMILARITY, None)
            return
        rows = self.rows
        if rows is None:
            # the column of the former features stays until the new ones are there; who has a map and its quality from a
            # file gets none by itself
            if self._store.result_key("map") and self._store.result_key("quality") and not self._features_failed:
                self.compute_features()
            return
        key = digest(
            SIMILARITY,
            dataset.fingerprint,
            id(rows.features),
            reference,
            self._nearness.with_values(far=3.0, steps="small").to_dict(),
        )
        if key == self._similar_key:
            return
        self._similar_key = key
        name = str(dataset.identifiers[reference])
        self._runner.submit(
            Job(
                key=key,
                slot=SIMILARITY,
                title=self.tr("Similarity to {}").format(name),
                compute=partial(_similarity, rows, reference, self._nearness, self._description(name)),
                done=partial(self._on_similarity, key),
                failed=partial(self._on_similarity_failed, key),
                lane="interactive",
                priority=PRIORITY,
            )
        )

    def _description(self, name: str) -> str:
        labels = {p.name: dict(p.choices) for p in Nearness.params()}
        metric = labels["metric"][self._nearness.metric]
        title = self._store.session.representation.title
        if self._nearness.kernel == "distance":
            return self.tr("{} distance from {} ({})").format(metric, name, title)
        kernel = labels["kernel"][self._nearness.kernel]
        return self.tr("similarity to {}: {} of the {} distance ({})").format(name, kernel, metric, title)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._rows, self._similar_key = None, ""
            for slot in (NEAREST, SIMILARITY, FEATURES_SLOT):
                self._runner.cancel(slot)
            self.is_computing = self._features_failed = False
            self.forget_path()
        elif "representation" in names:
            self._runner.cancel(FEATURES_SLOT)
            self.is_computing = self._features_failed = False
            self.forget_path()
        if names & {"dataset", "reference"}:
            self._update_similarity()
        if names & {"dataset", "selection", "representation", "map_view", "maps"}:
            self.update()

    def _on_store_results_changed(self, name: str) -> None:
        if name in ("features", "quality"):
            self._update_similarity()
        if name == "features" or (name == "map" and self._store.result_key("map")):
            self.update()

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        """Somebody cancelled it in the list of jobs."""
        if state != "cancelled":
            return
        if handle.slot == FEATURES_SLOT and self.is_computing:
            self.is_computing, self._features_failed = False, True
            self._set_status(self._missing(self.rows))
        if handle.slot == SIMILARITY and handle.key == self._similar_key:
            self._similar_key = ""
        if handle.slot == PATH_SLOT and self.is_routing and not self._is_under_way(PATH_SLOT):
            self.is_routing = False
            self.route_error = self.tr("Cancelled.")
            self._show_route()

    def _is_under_way(self, slot: str) -> bool:
        return any(h.slot == slot and not h.is_finished for h in self._runner.jobs())

    # -- results

    def _on_nearest(self, dataset: Any, key: str, found: Nearest) -> None:
        if self._store.dataset is dataset:
            self._store.publish(NEAREST, key, found)
            self._show_links()

    def _on_nearest_failed(self, error: BaseException, _details: str) -> None:
        self._set_status(self.tr("⚠ {}").format(error))

    def _on_similarity(self, key: str, column: Property) -> None:
        if key == self._similar_key:
            self._store.set_derived(SIMILARITY, column)

    def _on_similarity_failed(self, key: str, error: BaseException, _details: str) -> None:
        if key == self._similar_key:
            self._similar_key = ""
            self._set_status(self.tr("⚠ {}").format(error))

    def _on_features(self, key: str, features: Features) -> None:
        self.is_computing = False
        self._store.publish("features", key, features)
        self.update()

    def _on_features_failed(self, error: BaseException, _details: str) -> None:
        self.is_computing, self._features_failed = False, True
        self._set_status(self.tr("⚠ {}").format(error))

    def _on_path(self, ends: tuple[int, int], route: Route) -> None:
        if ends == self._ends:
            self.route, self.is_routing = route, False
            self._show_route()

    def _on_path_failed(self, error: BaseException, _details: str) -> None:
        self.route_error, self.is_routing = self.tr("⚠ {}").format(error), False
        self._show_route()

    def _show_route(self) -> None:
        self._show_links()
        self.route_changed.emit()

    def _show_links(self) -> None:
        """The path, and when somebody wants them the lines from the active structure to its neighbours."""
        links: list[Line] = []
        if self.route is not None:
            rows = self.route.rows.tolist()
            links += [(a, b, "path") for a, b in pairwise(rows)]
        found = self._store.result(NEAREST)
        if isinstance(found, Nearest) and found.row == self._store.active and self._wants_lines():
            links += lines_of(found)
        self._store.show_links(tuple(links))

    def _set_status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self.status_changed.emit(text)


def lines_of(found: Nearest) -> Links:
    """From a row to its neighbours: those of the features, false ones of the map, and the map's others."""
    near = set(found.indices.tolist())
    lines = [(found.row, j, "feature") for j in found.indices.tolist()]
    for j, is_false in zip(found.map_indices.tolist(), found.false.tolist(), strict=True):
        if j not in near:
            lines.append((found.row, j, "false" if is_false else "map"))
    return tuple(lines)


def _nearest(
    rows: Rows | None, points: NDArray[Any] | None, row: int, nearness: Nearness, progress: Progress
) -> Nearest:
    return nearest(None if rows is None else rows.matrix(), points, row, nearness, progress, threads=None)


def _similarity(rows: Rows, reference: int, nearness: Nearness, text: str, progress: Progress) -> Property:
    found = distances_from(rows.matrix(), reference, nearness.metric, progress, threads=None)
    return Property(similarities(found, nearness, reference), description=text)


def _path(rows: Rows, a: int, b: int, k: int, nearness: Nearness, known: Neighbors | None, progress: Progress) -> Route:
    return path_between(
        rows.matrix(), a, b, k, metric=nearness.metric, power=nearness.power, neighbors=known, progress=progress
    )
