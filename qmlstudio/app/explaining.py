"""Explains predictions of the current model: of the active structure at a click, of a whole set in jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Links, Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.applicability import Reliability, Survey, columns_of, reliability_of, survey
from qmlstudio.session.atom_values import AtomValues
from qmlstudio.session.exclusions import excluded
from qmlstudio.session.explanation import Explanation, Ground, explain, left_out, rows_of
from qmlstudio.session.quick_fit import QuickFit, fit
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.session.size_transfer import SizeResult, SizeTransfer, run

WHY, GROUND, LEFT_OUT, SURVEY = "why", "why ground", "why left out", "why survey"
RELIABILITY, SIZES, FIT = "why reliability", "why sizes", "why fit"
PRIORITY = -4
"""Behind what shows the active structure itself, before its neighbours."""
MOST_CHORDS = 30
LEAST_CHORD = 0.02
"""Of the largest contribution: what adds less has no line on the map."""


class Explainer(QObject):
    """Follows the current model and the active structure while somebody looks (:meth:`set_watched`).

    Signals
    -------
    explained(explanation)
        An :class:`Explanation`, or None.
    status_changed(text)
        What is missing or under way; empty when nothing is.
    left_out_changed(), reliability_changed(), survey_changed(), sizes_changed()
        :attr:`left_out`, :attr:`reliability`, :attr:`survey`, :attr:`sizes` are others now.
    busy_changed()
        A longer job began or ended.
    """

    explained = Signal(object)
    status_changed = Signal(str)
    left_out_changed = Signal()
    reliability_changed = Signal()
    survey_changed = Signal()
    sizes_changed = Signal()
    busy_changed = Signal()

    def __init__(self, store: Store, runner: JobRunner, shelf: ModelShelf, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner, self.shelf = store, runner, shelf
        self._watched = False
        self._ground: Ground | None = None
        self._ground_for: tuple[ShelfModel | None, str] = (None, "")
        self._asked = ""
        self._status = ""
        self._busy: frozenset[str] = frozenset()
        self._columns: tuple[str, ...] = ()
        self._chords, self._atoms, self._numbers = True, True, False
        self.memory_budget: int | None = None
        self.explanation: Explanation | None = None
        self.left_out: NDArray[np.float64] | None = None
        self.reliability: Reliability | None = None
        self.reliability_error = ""
        self.survey: Survey | None = None
        self.sizes: SizeResult | None = None
        self.sizes_error = ""
        shelf.current_changed.connect(self._on_shelf_current_changed)
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        runner.finished.connect(self._on_runner_finished)

    # -- what there is

    @property
    def model(self) -> ShelfModel | None:
        """The current model."""
        return self.shelf.current

    @property
    def ground(self) -> Ground | None:
        """The current model set on the data set, once that is done."""
        return self._ground

    @property
    def status(self) -> str:
        """What is missing, for people; empty when nothing is."""
        return self._status

    @property
    def chords(self) -> bool:
        """Whether lines lead to the training structures on the map."""
        return self._chords

    @property
    def atoms(self) -> bool:
        """Whether atoms are painted by what they add."""
        return self._atoms

    @property
    def numbers(self) -> bool:
        """Whether that is written beside them, too."""
        return self._numbers

    def is_busy(self, slot: str) -> bool:
        """Whether a longer job of a slot is under way."""
        return slot in self._busy

    # -- what a person asks for

    def set_watched(self, watched: bool) -> None:
        """Whether anybody looks at the explanation: without, nothing is computed, drawn on the map or painted."""
        if watched != self._watched:
            self._watched = watched
            self.update()
            self._show()

    def set_shown(self, chords: bool, atoms: bool, numbers: bool) -> None:
        """What the map and the structure show of it."""
        self._chords, self._atoms, self._numbers = chords, atoms, numbers
        self._show()

    def fit(self, spec: QuickFit) -> None:
        """Fit a model of a property; it becomes the current one."""
        dataset, columns = self._store.dataset, self._store.columns
        if dataset is None or columns is None or not spec.target:
            return
        session = self._store.session
        left = excluded(session.exclusions, len(dataset))
        self._submit(
            FIT,
            f"{FIT} {spec} {dataset.fingerprint} {session.representation}",
            self.tr("Fit a model of {}").format(spec.target),
            partial(_fit, spec, dataset, columns, session.representation, self._features(), left, self.memory_budget),
            self._on_fit,
            priority=8,
        )

    def find_reliability(self) -> None:
        """Compare ± σ and conformal intervals with the errors of held-out structures, unless that is known."""
        ground, dataset = self._ground, self._store.dataset
        if ground is None or dataset is None or self.reliability is not None or self.reliability_error:
            return
        self._submit(
            RELIABILITY,
            f"{RELIABILITY} {id(ground)}",
            self.tr("Calibration of {}").format(ground.shelf.name),
            partial(_reliability, ground, dataset, self._features()),
            partial(self._on_reliability, ground),
            self._on_reliability_failed,
            priority=2,
        )

    def find_survey(self) -> None:
        """Apply the model to all structures: columns of distance, ± σ, error and role come of it."""
        ground, dataset = self._ground, self._store.dataset
        if ground is None or dataset is None:
            return
        if self.survey is not None and self.survey.ground is ground:
            self.survey_changed.emit()
            return
        self._submit(
            SURVEY,
            f"{SURVEY} {id(ground)}",
            self.tr("Distance to the training set of {}").format(ground.shelf.name),
            partial(_survey, ground, dataset, self._features()),
            partial(self._on_survey, ground),
            priority=6,
        )

    def find_sizes(self, spec: SizeTransfer) -> None:
        """Train on small molecules and test on large ones."""
        dataset, columns = self._store.dataset, self._store.columns
        if dataset is None or columns is None or not spec.target:
            return
        session = self._store.session
        left = excluded(session.exclusions, len(dataset))
        self.sizes, self.sizes_error = None, ""
        self._submit(
            SIZES,
            f"{SIZES} {spec} {dataset.fingerprint} {session.representation}",
            self.tr("Small to large: {}").format(spec.target),
            partial(_sizes, spec, dataset, columns, session.representation, left),
            self._on_sizes,
            self._on_sizes_failed,
            partial_result=self._on_sizes,
            priority=7,
        )
        self.sizes_changed.emit()

    def cancel(self, slot: str) -> None:
        """Stop a longer job."""
        self._runner.cancel(slot)

    # -- following

    def update(self) -> None:
        """Explain the active structure unless that is done or nobody looks."""
        dataset, shelf, row = self._store.dataset, self.shelf.current, self._store.active
        if dataset is None or shelf is None or not self._watched:
            if shelf is None or dataset is None:
                self._forget()
            self._set_status("")
            return
        wanted = (shelf, dataset.fingerprint)
        if self._ground_for != wanted:
            self._find_ground(shelf, dataset, wanted)
            return
        ground = self._ground
        if ground is None:
            return
        if row is None or not 0 <= row < len(dataset):
            self._set_explanation(None)
            self._set_status(self.tr("Choose a structure: a click on the map, in the table or the gallery."))
            return
        now = self.explanation
        if now is not None and now.ground is ground and now.index == row:
            return
        key = f"{WHY} {id(ground)} {row}"
        self._asked = key
        self._runner.submit(
            Job(
                key=key,
                slot=WHY,
                title=self.tr("Why this number"),
                compute=partial(_explain, ground, dataset, row, self._features()),
                done=partial(self._on_explained, ground),
                failed=partial(self._on_explain_failed, key),
                lane="interactive",
                priority=PRIORITY,
                conflate=True,
            )
        )

    def _find_ground(self, shelf: ShelfModel, dataset: Dataset, wanted: tuple[ShelfModel | None, str]) -> None:
        columns = self._store.columns
        if columns is None:
            return
        self._forget()
        self._ground_for = wanted
        self._set_status(self.tr("Preparing the model…"))
        self._submit(
            GROUND,
            f"{GROUND} {id(shelf)} {dataset.fingerprint}",
            self.tr("Prepare {}").format(shelf.name),
            partial(_ground, shelf, dataset, columns),
            partial(self._on_ground, wanted),
            partial(self._on_ground_failed, wanted),
            priority=9,
        )

    def _forget(self) -> None:
        """Nothing of another model or data set is left on the screen."""
        for slot in (WHY, GROUND, LEFT_OUT, RELIABILITY, SURVEY):
            self._runner.cancel(slot)
        had = self._ground is not None
        if self._columns:
            # they would be taken for the next model's
            self._store.set_derived_columns(dict.fromkeys(self._columns))
            self._columns = ()
        self._ground, self._ground_for = None, (None, "")
        self.left_out, self.reliability, self.reliability_error, self.survey = None, None, "", None
        self._set_explanation(None)
        if had:
            self.left_out_changed.emit()
            self.reliability_changed.emit()
            self.survey_changed.emit()

    def _features(self) -> Features | None:
        found, dataset = self._store.result("features"), self._store.dataset
        if not isinstance(found, Features) or dataset is None:
            return None
        n = len(found.array) if found.offsets is None else len(found.offsets) - 1
        return found if n == len(dataset) else None

    def _submit(
        self,
        slot: str,
        key: str,
        title: str,
        compute: Any,
        done: Any,
        failed: Any = None,
        partial_result: Any = None,
        priority: int = 0,
    ) -> None:
        self._busy |= {slot}
        self._runner.submit(
            Job(
                key=key,
                slot=slot,
                title=title,
                compute=compute,
                done=done,
                failed=failed or self._on_failed,
                partial=partial_result,
                lane="batch",
                priority=priority,
            )
        )
        self.busy_changed.emit()

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if handle.slot not in self._busy:
            return
        if any(h.slot == handle.slot and not h.is_finished for h in self._runner.jobs()):
            return
        self._busy -= {handle.slot}
        if handle.slot == GROUND and state == "cancelled" and self._ground is None and self._ground_for[0] is not None:
            self._set_status(self.tr("⚠ Cancelled."))
        self.busy_changed.emit()

    def _on_shelf_current_changed(self, _model: ShelfModel | None) -> None:
        self.update()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._forget()
            self.sizes, self.sizes_error = None, ""
            self._runner.cancel(SIZES)
            self._runner.cancel(FIT)
            self.sizes_changed.emit()
        if names & {"dataset", "selection"}:
            self.update()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        """Another unit or other values of what the model predicts: true values and sums are others, too."""
        shelf = self.shelf.current
        if shelf is not None and names & {*shelf.task.targets, *shelf.task.baselines}:
            self._forget()
            self.update()

    # -- results

    def _on_ground(self, wanted: tuple[ShelfModel | None, str], ground: Ground) -> None:
        if wanted != self._ground_for:
            return
        self._ground = ground
        self._set_status("")
        self.update()
        self.left_out_changed.emit()
        self._submit(
            LEFT_OUT,
            f"{LEFT_OUT} {id(ground)}",
            self.tr("Errors of left-out training structures"),
            partial(_left_out, ground),
            partial(self._on_left_out, ground),
            priority=-20,
        )

    def _on_ground_failed(self, wanted: tuple[ShelfModel | None, str], error: BaseException, _details: str) -> None:
        if wanted == self._ground_for:
            self._set_status(self.tr("⚠ {}").format(error))

    def _on_explained(self, ground: Ground, found: Explanation) -> None:
        if ground is self._ground and found.index == self._store.active:
            self._set_status("")
            self._set_explanation(found)

    def _on_explain_failed(self, key: str, error: BaseException, _details: str) -> None:
        if key == self._asked:
            self._set_explanation(None)
            self._set_status(self.tr("⚠ {}").format(error))

    def _on_left_out(self, ground: Ground, errors: NDArray[np.float64]) -> None:
        if ground is self._ground:
            self.left_out = errors
            self.left_out_changed.emit()

    def _on_fit(self, model: ShelfModel) -> None:
        self.shelf.add(model)

    def _on_reliability(self, ground: Ground, found: Reliability) -> None:
        if ground is self._ground:
            self.reliability = found
            self.reliability_changed.emit()

    def _on_reliability_failed(self, error: BaseException, _details: str) -> None:
        self.reliability_error = str(error)
        self.reliability_changed.emit()

    def _on_survey(self, ground: Ground, result: tuple[Survey, dict[str, Property]]) -> None:
        if ground is self._ground:
            self.survey, columns = result
            self._columns = tuple(columns)
            self._store.set_derived_columns(dict(columns))
            self.survey_changed.emit()

    def _on_sizes(self, result: SizeResult) -> None:
        self.sizes = result
        self.sizes_changed.emit()

    def _on_sizes_failed(self, error: BaseException, _details: str) -> None:
        self.sizes_error = str(error)
        self.sizes_changed.emit()

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._set_status(self.tr("⚠ {}").format(error))

    # -- telling

    def _set_explanation(self, found: Explanation | None) -> None:
        if found is not self.explanation:
            self.explanation = found
            self.explained.emit(found)
            self._show()

    def _set_status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self.status_changed.emit(text)

    def _show(self) -> None:
        """Lines on the map, and colours of the atoms."""
        found = self.explanation if self._watched else None
        links = chords(found) if found is not None and self._chords else ()
        self._store.show_links(links, WHY)
        shown = None
        if found is not None and found.atoms is not None and self._atoms:
            shelf = found.ground.shelf
            title = self.tr("adds to {}").format(shelf.target)
            shown = AtomValues(found.atoms, title, shelf.unit, self._numbers)
        self._store.show_atom_values(-1 if found is None else found.index, shown)


def chords(found: Explanation) -> Links:
    """From a structure to the training structures that matter most, weighted by what they add."""
    if not len(found.carriers) or not len(found.contributions):
        return ()
    sizes = found.contributions[found.order[: MOST_CHORDS + 1]]
    largest = float(np.abs(sizes).max())
    if not largest > 0:
        return ()
    lines: list[tuple[int, int, str, float]] = []
    for value, other in zip(sizes.tolist(), found.carriers[: MOST_CHORDS + 1].tolist(), strict=True):
        weight = abs(value) / largest
        if other != found.index and weight >= LEAST_CHORD:
            lines.append((found.index, other, "raises" if value > 0 else "lowers", weight))
    return tuple(lines[:MOST_CHORDS])


def _ground(shelf: ShelfModel, dataset: Dataset, columns: Any, progress: Progress) -> Ground:
    ground = Ground.of(shelf, dataset, columns, progress.part(0.0, 0.5))
    train = getattr(shelf.model, "train_rows", None)
    if train is not None and len(train):
        # what a model from a file needs for ± σ is computed here, and not at the first click
        shelf.model.predict(train.take(slice(0, 1)), progress.part(0.5, 1.0), deviation=True)
    return ground


def _explain(ground: Ground, dataset: Dataset, row: int, features: Features | None, progress: Progress) -> Explanation:
    return explain(ground, rows_of(ground.shelf, dataset, row, features, progress), row)


def _left_out(ground: Ground, progress: Progress) -> NDArray[np.float64]:
    return left_out(ground, progress)


def _fit(
    spec: QuickFit,
    dataset: Dataset,
    columns: Any,
    representation: Any,
    features: Features | None,
    left: Any,
    budget: int | None,
    progress: Progress,
) -> ShelfModel:
    return fit(spec, dataset, columns, representation, features, left, progress, memory_budget=budget)


def _reliability(ground: Ground, dataset: Dataset, features: Features | None, progress: Progress) -> Reliability:
    return reliability_of(ground, dataset, features, progress)


def _survey(
    ground: Ground, dataset: Dataset, features: Features | None, progress: Progress
) -> tuple[Survey, dict[str, Property]]:
    found = survey(ground, dataset, features, progress)
    return found, columns_of(found)


def _sizes(
    spec: SizeTransfer, dataset: Dataset, columns: Any, representation: Any, left: Any, progress: Progress
) -> SizeResult:
    return run(spec, dataset, columns, representation, left, progress)
