"""What a bench in the window is set up of, and what its jobs compute."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.folds import FoldSpec, HoldOut
from qmlstudio.learning.evaluation.grid import Grid, SearchResult
from qmlstudio.learning.evaluation.splits import Proposal, RandomSplit, SplitContext, SplitSpec, propose
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.progress import Progress
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench.spec import BenchSpec, Series

Place = tuple[str, int, int]
"""Series, size, repeat."""
KEPT_SEARCHES = 200
ADVISED, PROPOSED = 20_000, 50_000
"""Structures that are looked at to say how a property grows, and up to which duplicates are sought by itself."""


@dataclass(frozen=True, eq=False)
class BenchNews:
    """What is known of a bench that runs, or has: of several news only the latest reaches the window.

    Attributes
    ----------
    result : BenchResult
    searches : dict of (series, size, repeat) to SearchResult
        Those of this run, the latest last.
    """

    result: BenchResult
    searches: dict[Place, SearchResult]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A bench that is being set up; it need not be legal yet."""

    series: tuple[Series, ...] = ()
    sizes: tuple[int, ...] = ()
    repeats: int = 3
    seed: int = 1
    split: SplitSpec = field(default_factory=RandomSplit)
    folds: FoldSpec = field(default_factory=HoldOut)
    grid: Grid = field(default_factory=Grid)

    def spec(self) -> BenchSpec:
        """The bench; ValueError with the reason when it cannot be."""
        if not self.series:
            raise ValueError("add a series: a representation, a model and a property")
        return BenchSpec(
            series=self.series,
            sizes=self.sizes,
            repeats=self.repeats,
            seed=self.seed,
            split=self.split,
            folds=self.folds,
            grid=self.grid,
        )

    @classmethod
    def of(cls, spec: BenchSpec) -> Draft:
        """The draft of a bench."""
        names = ("series", "sizes", "repeats", "seed", "split", "folds", "grid")
        return cls(**{name: getattr(spec, name) for name in names})


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def run_bench(
    spec: BenchSpec,
    dataset: Dataset,
    columns: dict[str, Property],
    folder: Path,
    left_out: Any,
    budget: int | None,
    progress: Progress,
) -> BenchNews:
    """Run a bench, handing out :class:`BenchNews`."""
    from qmlstudio.session.bench.runner import BenchUpdate, run

    searches: dict[Place, SearchResult] = {}

    def shown(update: BenchUpdate) -> None:
        if update.search is not None:
            place = (update.series, update.size, update.repeat)
            searches.pop(place, None)
            searches[place] = update.search
            if len(searches) > KEPT_SEARCHES:
                del searches[next(iter(searches))]
        progress.partial(BenchNews(update.result, dict(searches)))

    def is_cancelled() -> bool:
        progress.check()
        return False

    inner = Progress(progress, is_cancelled, shown)
    result = run(spec, dataset, columns, folder, inner, excluded=left_out, memory_budget=budget)
    return BenchNews(result, searches)


def advise_on(
    task: Task, dataset: Dataset, columns: dict[str, Property], progress: Progress
) -> tuple[str, Proposal | None]:
    from qmlstudio.learning.evaluation.advice import advise

    target = task.prepare(columns, dataset.structures, progress=progress.part(0.0, 0.2))
    rows = target.rows
    some = rows if len(rows) <= ADVISED else np.random.default_rng(0).choice(rows, ADVISED, replace=False)
    progress.check()
    values = target.values[some, 0] - target.baseline[some, 0]
    text = advise(values, target.sizes[some]).text
    if not 2 <= len(rows) <= PROPOSED:
        return text, None
    return text, propose(SplitContext.of(dataset, columns, target), progress.part(0.2, 1.0))


def estimate_of(spec: BenchSpec, dataset: Dataset, budget: int | None, progress: Progress) -> Any:
    from qmlstudio.session.bench.estimates import estimate

    return estimate(spec, dataset, None, progress, memory_budget=budget)
