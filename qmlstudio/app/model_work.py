"""What is done with fitted models, in jobs: made of a bench's point, saved, read, applied, asked."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import Progress
from qmlstudio.session.bench.results import Point
from qmlstudio.session.bench.spec import BenchSpec, Series
from qmlstudio.session.exclusions import excluded
from qmlstudio.session.model_use import (
    REFUSED,
    Fitted,
    Predicted,
    TypedRow,
    baseline_of,
    columns_of,
    fit_point,
    load_model,
    predict,
    predict_text,
    save_model,
)
from qmlstudio.session.shelf_model import ShelfModel

FIT, FILE, APPLY, TYPED = "model fit", "model file", "model apply", "model typed"


class ModelWork(QObject):
    """Puts models on a shelf and uses them.

    Signals
    -------
    said(text)
        What has been done.
    predicted(rows, problem)
        Answers to what was typed: a tuple of TypedRow, or why there is none.
    failed(text, details)
    """

    said = Signal(str)
    predicted = Signal(object, str)
    failed = Signal(str, str)

    def __init__(
        self, store: Store, runner: JobRunner, shelf: ModelShelf, engine: BenchEngine, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store, self._runner, self.shelf, self._engine = store, runner, shelf, engine
        self.memory_budget: int | None = None

    # -- of the bench

    def keep(self, to_shelf: bool = True) -> None:
        """Fit the model of the point that is looked into again; on the shelf, or for its distances alone."""
        engine, dataset = self._engine, self._store.dataset
        result, chosen = engine.result, engine.chosen
        if result is None or chosen is None or dataset is None:
            return
        label, size, repeat, _ = chosen
        point = next((p for p in result.of(label, size) if p.repeat == repeat), None)
        series = next((s for s in result.spec.series if s.label == label), None)
        if point is None or series is None:
            return
        columns = dict(engine.columns_for(result.spec))
        left_out = excluded(self._store.session.exclusions, len(dataset))
        title = self.tr("Fit {}, N = {:,}") if to_shelf else self.tr("Distances of {}, N = {:,}")
        self._runner.submit(
            Job(
                key=f"{FIT} {point.key} {to_shelf}",
                slot=FIT if to_shelf else f"{FIT} distances",
                title=title.format(label, size),
                compute=partial(_fit, result.spec, series, point, dataset, columns, left_out, self.memory_budget),
                done=partial(self._on_fitted, (label, size, repeat), dataset, to_shelf),
                failed=self._on_failed,
                lane="batch",
                priority=10,
            )
        )

    def _on_fitted(self, place: tuple[str, int, int], dataset: Dataset, to_shelf: bool, found: Fitted) -> None:
        if found.distance is not None and dataset is self._store.dataset:
            self._engine.set_distances(place, found.model.test, found.distance, found.model.model.domain)
        if to_shelf:
            model = self.shelf.add(found.model)
            self.said.emit(self.tr("{} is among the models").format(model.name))

    # -- files

    def save(self, model: ShelfModel, path: str) -> None:
        """Write a model's file."""
        dataset = self._store.dataset
        self._file(path, self.tr("Save {}").format(model.name), partial(_save, model, path, dataset), model)

    def load(self, path: str) -> None:
        """Read a model's file and put it on the shelf."""
        self._file(path, self.tr("Read {}").format(Path(path).name), partial(_load, path), None)

    def _file(self, path: str, title: str, compute: Any, old: ShelfModel | None) -> None:
        self._runner.submit(
            Job(
                key=f"{FILE} {path} {id(old)}",
                slot=f"{FILE} {path}",
                title=title,
                compute=compute,
                done=partial(self._on_filed, path, old),
                failed=self._on_failed,
                lane="interactive",
                priority=10,
            )
        )

    def _on_filed(self, path: str, old: ShelfModel | None, model: ShelfModel) -> None:
        name = os.path.basename(path)
        if old is None:
            self.shelf.add(model)
            self.said.emit(self.tr("Read {} from {}").format(model.name, name))
            return
        if old in self.shelf.models:
            self.shelf.replace(old, model)
        self.said.emit(self.tr("Saved {} as {}").format(model.name, name))

    # -- use

    def apply(self, model: ShelfModel) -> None:
        """Predict the open data set; the answers become columns."""
        dataset, columns = self._store.dataset, self._store.columns
        if dataset is None or columns is None:
            return
        names = {name for name in (*model.task.targets, *model.task.baselines) if name}
        known = {name: columns[name] for name in names if name in columns}
        self._runner.submit(
            Job(
                key=f"{APPLY} {id(model)} {dataset.fingerprint}",
                slot=APPLY,
                title=self.tr("Predict {} structures").format(f"{len(dataset):,}"),
                compute=partial(_apply, model, dataset, known),
                done=partial(self._on_applied, model, dataset),
                failed=self._on_failed,
                lane="batch",
                priority=10,
            )
        )

    def _on_applied(self, model: ShelfModel, dataset: Dataset, found: tuple[Predicted, dict[str, Property]]) -> None:
        if dataset is not self._store.dataset:
            return
        said, columns = found
        refused, outside = said.count(REFUSED), said.count(1)
        if refused == len(dataset):
            reason = next(iter(said.reasons.values()), "")
            self.failed.emit(self.tr("{} cannot predict any of these structures: {}").format(model.name, reason), "")
            return
        self._store.add_columns(columns, self.tr("predictions by {}").format(model.name))
        text = self.tr("New columns: {}").format(", ".join(columns))
        if outside:
            text += self.tr(" · ⚠ {:,} outside the domain").format(outside)
        if refused:
            text += self.tr(" · ⚠ {:,} refused").format(refused)
        self.said.emit(text)

    def ask(self, model: ShelfModel, text: str) -> None:
        """Predict what was typed or pasted: SMILES, one in a line, or xyz."""
        self._runner.submit(
            Job(
                key=f"{TYPED} {id(model)} {text}",
                slot=TYPED,
                title=self.tr("Predict what was typed"),
                compute=partial(_ask, model, text),
                done=self._on_asked,
                failed=self._on_ask_failed,
                lane="interactive",
                priority=10,
            )
        )

    def _on_asked(self, rows: tuple[TypedRow, ...]) -> None:
        self.predicted.emit(rows, "")

    def _on_ask_failed(self, error: BaseException, _details: str) -> None:
        self.predicted.emit((), str(error))

    def _on_failed(self, error: BaseException, details: str) -> None:
        self.failed.emit(str(error), details)


def _fit(
    spec: BenchSpec,
    series: Series,
    point: Point,
    dataset: Dataset,
    columns: dict[str, Property],
    left_out: Any,
    budget: int | None,
    progress: Progress,
) -> Fitted:
    return fit_point(spec, series, point, dataset, columns, left_out, progress, memory_budget=budget)


def _save(model: ShelfModel, path: str, dataset: Dataset | None, progress: Progress) -> ShelfModel:
    return save_model(model, path, dataset, progress)


def _load(path: str, progress: Progress) -> ShelfModel:
    return load_model(path, progress)


def _apply(
    model: ShelfModel, dataset: Dataset, columns: dict[str, Property], progress: Progress
) -> tuple[Predicted, dict[str, Property]]:
    baseline = baseline_of(model, columns, len(dataset))
    said = predict(model, dataset.structures, baseline, progress)
    return said, columns_of(model, said, columns)


def _ask(model: ShelfModel, text: str, progress: Progress) -> tuple[TypedRow, ...]:
    return predict_text(model, text, progress)
