"""Running a bench: features once, similarities once, one factorisation for a whole curve, everything kept on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qmlstudio import __version__
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.folds import TrainOnly
from qmlstudio.learning.evaluation.grid import SearchResult
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.learning.models.plans import default_budget
from qmlstudio.parameters import digest
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.bench.fitting import Fitter
from qmlstudio.session.bench.matrices import Matrices
from qmlstudio.session.bench.preparing import (
    Ints,
    Mask,
    Place,
    Preparation,
    feature_name,
    hash_of,
    local_split,
    local_target,
)
from qmlstudio.session.bench.results import BenchResult, Point
from qmlstudio.session.bench.spec import VERSION, BenchSpec, Series, model_from_dict
from qmlstudio.session.bench.storage import Folder


@dataclass(frozen=True, eq=False)
class BenchUpdate:
    """What a running bench hands out.

    Attributes
    ----------
    result : BenchResult
        All points so far.
    series : str
        The label of the series at work.
    repeat, size : int
        Which repeat, and for which training size.
    search : SearchResult or None
        The choice of hyper-parameters as it stands, with scores that fill, while one is made.
    """

    result: BenchResult
    series: str = ""
    repeat: int = 0
    size: int = 0
    search: SearchResult | None = None


def run(
    spec: BenchSpec,
    dataset: Dataset,
    columns: Mapping[str, Property] | None,
    folder: str | os.PathLike[str],
    progress: Progress = SILENT,
    *,
    excluded: Mask | None = None,
    threads: int | None = None,
    memory_budget: int | None = None,
    keep_features: bool = False,
) -> BenchResult:
    """Run a bench, or go on with one that was stopped.

    Parameters
    ----------
    columns : mapping of str to Property, optional
        One value for each structure; those of the data set when not given.
    folder : path
        Where points, searches and features are kept by content: what is there is not computed again.
    progress : Progress
        Hands out a :class:`BenchUpdate` after every point, and while hyper-parameters are chosen.
    excluded : (n,) bool, optional
        Structures that are neither learned nor tested.
    memory_budget : int, bytes
        What kernel matrices may take, half of the free memory when not given; fits that would need more are made by
        the model's own plan.
    keep_features : bool
        Leave features on the disk after the last point.

    Returns
    -------
    BenchResult
        With everything; a series that cannot be run stands among the problems, the others go on.

    Raises
    ------
    Cancelled
        What was finished is on disk.
    OSError
        The folder cannot be written.
    """
    bench = _Run(Preparation(spec, dataset, columns, excluded, threads), Folder(folder), threads, memory_budget)
    return bench.all(progress, keep_features)


def load(
    spec: BenchSpec,
    dataset: Dataset,
    columns: Mapping[str, Property] | None,
    folder: str | os.PathLike[str],
    *,
    excluded: Mask | None = None,
) -> BenchResult:
    """The points of a bench that are on disk; nothing is computed but the splits."""
    bench = _Run(Preparation(spec, dataset, columns, excluded, None), Folder(folder), None, None)
    for series in spec.series:
        bench.known(series, Progress())
    return bench.result


def saved_spec(folder: str | os.PathLike[str]) -> BenchSpec | None:
    """The specification that a folder was last used for; None when there is none that can be read."""
    head = Folder(folder).head()
    try:
        return None if head is None else BenchSpec.from_dict(head["bench"])
    except (KeyError, TypeError, ValueError):
        return None


class _Run:
    def __init__(self, made: Preparation, folder: Folder, threads: int | None, memory_budget: int | None) -> None:
        self.made, self.folder, self.threads = made, folder, threads
        self.spec, self.fingerprint = made.spec, made.structures.fingerprint
        self.budget = default_budget() if memory_budget is None else memory_budget
        self.result = BenchResult(made.spec, made.dataset.name, self.fingerprint)
        self._began = time.perf_counter()

    def all(self, progress: Progress, keep_features: bool) -> BenchResult:
        self.folder.remove_leftovers()
        self.folder.write_head(
            {
                "program": f"QML Studio {__version__}",
                "dataset": self.made.dataset.name,
                "path": self.made.dataset.source.path,
                "fingerprint": self.fingerprint,
                "bench": self.spec.to_dict(),
            }
        )
        # series of one representation after another: its features are computed, and read, once
        order: dict[str, list[tuple[Series, list[Place]]]] = {}
        for series in self.spec.series:
            progress(0.0, "Drawing splits")
            if places := [place for place in self.known(series, progress.part(0.0, 0.0)) if place.keys]:
                order.setdefault(feature_name(series), []).append((series, places))
        progress.partial(BenchUpdate(self.result))
        todo = [item for group in order.values() for item in group]
        for k, (series, places) in enumerate(todo):
            try:
                self._series(series, places, progress.part(k / len(todo), (k + 1) / len(todo)))
            except (ValueError, MemoryError) as error:
                self._problem(series, str(error) or type(error).__name__)
        self.made.forget()
        if not keep_features:
            self.folder.forget_arrays()
        self.result = replace(self.result, seconds=time.perf_counter() - self._began)
        progress.partial(BenchUpdate(self.result))
        progress(1.0, "done")
        return self.result

    def known(self, series: Series, progress: Progress) -> list[Place]:
        """Take the points of a series that are on disk; what is left to do."""
        try:
            if text := self.made.unfit(series):
                raise ValueError(text)
            splits = [self.made.split(series.task, seed, progress) for seed in self.spec.seeds]
        except ValueError as error:
            self._problem(series, str(error))
            return []
        places = []
        for repeat, (seed, split) in enumerate(zip(self.spec.seeds, splits, strict=True)):
            most = len(split.train_order)
            if too_large := [f"{n:,}" for n in self.spec.sizes if n > most]:
                self._problem(series, f"N = {', '.join(too_large)} is more than the {most:,} structures to train on")
            missing = {}
            for size in self.spec.sizes:
                if size > most:
                    continue
                key = self.made.key(series, split, size)
                point = self.folder.point(key, series.label)
                if point is None:
                    missing[size] = key
                else:
                    self.result = self.result.with_point(replace(point, repeat=repeat, seed=seed))
            places.append(Place(repeat, seed, split, missing))
        return places

    def _problem(self, series: Series, text: str) -> None:
        line = f"{series.label}: {text}"
        if line not in self.result.problems:
            self.result = replace(self.result, problems=(*self.result.problems, line))

    def _series(self, series: Series, places: list[Place], progress: Progress) -> None:
        universe = self.made.universe(series)
        rows, seconds = self.made.rows(series, universe, self.folder, progress.part(0.0, 0.3))
        target = local_target(self.made.target(series.task), universe)
        most = max(max(place.keys) for place in places)
        n_test = max(len(place.split.test) for place in places)
        matrices = Matrices(rows, self.budget, most, n_test, len(places), self.threads)
        for k, place in enumerate(places):
            part = progress.part(0.3 + 0.7 * k / len(places), 0.3 + 0.7 * (k + 1) / len(places))
            split = local_split(place.split, universe, self.spec.sizes[-1])
            fitter = Fitter(rows, target, split, matrices, self.budget, self.threads)
            self._repeat(series, place, fitter, universe, seconds if k == 0 else 0.0, part)

    def _repeat(
        self,
        series: Series,
        place: Place,
        fitter: Fitter,
        universe: Ints,
        features_seconds: float,
        progress: Progress,
    ) -> None:
        """All missing sizes of one repeat: those that chose the same model share its matrix and its factorisation."""
        groups: dict[str, tuple[ModelSpec, list[int]]] = {}
        notes: dict[int, tuple[str, ...]] = {}
        spent: dict[int, float] = {}
        sizes = sorted(place.keys)
        for k, size in enumerate(sizes):
            part = progress.part(0.4 * k / len(sizes), 0.4 * (k + 1) / len(sizes))
            began = time.perf_counter()
            model, notes[size] = self._chosen(series, place, fitter, universe, size, part)
            spent[size] = time.perf_counter() - began
            groups.setdefault(digest(model.to_dict()), (model, []))[1].append(size)
        known = (*fitter.target.notes, *place.split.notes)
        for k, (model, own) in enumerate(groups.values()):
            part = progress.part(0.4 + 0.6 * k / len(groups), 0.4 + 0.6 * (k + 1) / len(groups))
            for fit in fitter.fits(model, own, part):
                seconds = {"search": spent[fit.size], **fit.seconds}
                if fit.size == sizes[-1]:
                    seconds["features"] = features_seconds
                point = Point(
                    series=series.label,
                    key=place.keys[fit.size],
                    size=fit.size,
                    repeat=place.repeat,
                    seed=place.seed,
                    targets=series.task.targets,
                    unit=fitter.target.unit,
                    test=place.split.test,
                    truth=fitter.target.truth(fitter.split.test),
                    predicted=np.asarray(fit.predicted, dtype=np.float64),
                    model=fit.model.to_dict(),
                    seconds=seconds,
                    bytes=fit.bytes,
                    notes=(*known, *notes[fit.size], *fit.notes),
                )
                self.folder.keep_point(point)
                self.result = replace(self.result.with_point(point), seconds=time.perf_counter() - self._began)
                progress.partial(BenchUpdate(self.result, series.label, place.repeat, point.size))

    def _chosen(
        self, series: Series, place: Place, fitter: Fitter, universe: Ints, size: int, progress: Progress
    ) -> tuple[ModelSpec, tuple[str, ...]]:
        """The model with σ and λ chosen on training structures of this size alone, and what is to be said of it."""
        model, grid, folds = series.model, series.grid or self.spec.grid, self.spec.folds
        if not series.chooses(grid):
            return model, ()
        from qmlstudio.learning.evaluation.search import search

        if getattr(model, "centre", False) is None:
            model = model.with_values(centre=model.centres)  # type: ignore[attr-defined]
        train, target = TrainOnly(fitter.split, size), fitter.target
        drawn = folds.draw(train, place.seed)
        used = np.unique(np.concatenate([part for fold in drawn for part in fold]))
        key = digest(
            VERSION,
            self.fingerprint,
            feature_name(series),
            model.to_dict(),
            series.task.to_dict(),
            grid.to_dict(),
            folds.to_dict(),
            [hash_of(universe[part]) for fold in drawn for part in fold],
            [hash_of(target.values[used]), hash_of(target.baseline[used])],
        )
        if (known := self.folder.search(key)) is not None:
            return model_from_dict(known["model"]), tuple(known["notes"])

        def shown(value: Any) -> None:
            progress.partial(BenchUpdate(self.result, series.label, place.repeat, size, value))

        def cancelled() -> bool:
            progress.check()
            return False

        inner = Progress(progress, cancelled, shown if progress.wants_partial else None)
        found = search(
            model, fitter.rows, target, grid, folds, inner, train=train, seed=place.seed, threads=self.threads
        )
        self.folder.keep_search(key, _summary(found))
        return found.spec, found.notes


def _summary(found: SearchResult) -> dict[str, Any]:
    """What is kept of a search: enough to draw its heat map again."""
    return {
        "model": found.spec.to_dict(),
        "notes": list(found.notes),
        "factors": _plain(found.factors),
        "lambdas": _plain(found.lambdas),
        "sigmas": _plain(found.sigmas),
        "diagonals": _plain(found.diagonals),
        "scores": _plain(found.scores),
        "index": found.index,
        "unit": found.unit,
        "seconds": found.seconds,
    }


def _plain(values: Any) -> Any:
    """Nested lists with None for what JSON has no number for."""
    if np.ndim(values):
        return [_plain(v) for v in values]
    return float(values) if np.isfinite(values) else None
