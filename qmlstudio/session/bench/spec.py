"""What a bench is to do: series, sizes, repeats, how to split, how to choose hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from qmlstudio.learning.evaluation.folds import FoldSpec, HoldOut
from qmlstudio.learning.evaluation.folds import from_dict as folds_from_dict
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.splits import RandomSplit, SplitSpec
from qmlstudio.learning.evaluation.splits import from_dict as split_from_dict
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.parameters import Parameterised
from qmlstudio.representations.base import Representation
from qmlstudio.session.bench.elpasolite import ElpasoliteSites

VERSION = 1
"""Of what is kept on disk: results of another version are computed anew."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One learning curve.

    Attributes
    ----------
    label : str
        For people; one of its own in a bench. Two series that differ in nothing else share all their results.
    representation : Representation or None
        None for models that look at no features.
    model : ModelSpec
        With its kernel; scales that are None are chosen on the grid, or by the median distance.
    task : Task
        What is learned.
    grid : Grid or None
        Of this series; None takes the bench's.
    """

    label: str
    representation: Representation | None
    model: ModelSpec
    task: Task
    grid: Grid | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "label": self.label,
            "representation": None if self.representation is None else self.representation.to_dict(),
            "model": self.model.to_dict(),
            "task": self.task.to_dict(),
            "grid": None if self.grid is None else self.grid.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`; ValueError for what there is not."""
        kind = data["representation"]
        return cls(
            label=str(data["label"]),
            representation=None if kind is None else _representation(kind),
            model=model_from_dict(data["model"]),
            task=Task.from_dict(data["task"]),
            grid=None if data.get("grid") is None else Grid.from_dict(data["grid"]),
        )

    def chooses(self, grid: Grid) -> bool:
        """Whether something of the model is chosen on a grid."""
        return "lambda_" in {p.name for p in self.model.params()} or bool(grid.models)

    @property
    def needs(self) -> str:
        """ "rows" of features, "composition" or "nothing"."""
        return self.model.needs

    def problem(self) -> str:
        """Why this series cannot be run; empty when it can."""
        kernel = getattr(self.model, "kernel", None)
        if self.needs != "rows":
            return ""
        if self.representation is None:
            return f"{self.model.title} needs a representation"
        if kernel is not None:
            if kernel.scope == "local" and not self.representation.local:
                return f"{kernel.title} compares atoms; {self.representation.title} has no row for each atom"
            if kernel.scope == "global" and self.representation.local:
                return f"{kernel.title} compares whole structures; {self.representation.title} has a row for each atom"
        if self.representation.kernel_only and getattr(kernel, "name", "") != self.representation.name:
            return f"{self.representation.title} has a kernel of its own, and no other"
        return ""


@dataclass(frozen=True, kw_only=True)
class BenchSpec:
    """Learning curves of some series on one data set.

    Attributes
    ----------
    series : tuple of Series
    sizes : tuple of int
        Training structures, ascending. Nested: the smaller sets are the beginnings of the larger ones.
    repeats, seed : int
        Splits are drawn with the seeds seed, seed + 1, …
    split : SplitSpec
        The test set of a seed is one for all sizes and series.
    folds : FoldSpec
        How training structures judge σ and λ. No test structure is ever among them.
    grid : Grid
        σ and λ (and more) to choose among, for models that have a kernel.

    Raises
    ------
    ValueError
        Two series of one label, no sizes, or a series that cannot be.
    """

    series: tuple[Series, ...]
    sizes: tuple[int, ...]
    repeats: int = 3
    seed: int = 1
    split: SplitSpec = field(default_factory=RandomSplit)
    folds: FoldSpec = field(default_factory=HoldOut)
    grid: Grid = field(default_factory=Grid)

    def __post_init__(self) -> None:
        object.__setattr__(self, "series", tuple(self.series))
        object.__setattr__(self, "sizes", tuple(sorted({int(n) for n in self.sizes})))
        if not self.sizes or self.sizes[0] < 1:
            raise ValueError("a learning curve needs training sizes of at least 1")
        if self.repeats < 1:
            raise ValueError("there is at least one repeat")
        labels = [s.label for s in self.series]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"two series are called {twice[0]!r}: each needs a label of its own")
        if wrong := [text for text in (s.problem() for s in self.series) if text]:
            raise ValueError(wrong[0])
        if any(s.grid is not None and s.grid.representations for s in self.series) or self.grid.representations:
            raise ValueError("parameters of a representation are compared as series of their own")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the repeats."""
        return tuple(range(self.seed, self.seed + self.repeats))

    def with_sizes(self, sizes: Iterable[int]) -> BenchSpec:
        """The same with other training sizes."""
        return replace(self, sizes=tuple(sizes))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "version": VERSION,
            "series": [s.to_dict() for s in self.series],
            "sizes": list(self.sizes),
            "repeats": self.repeats,
            "seed": self.seed,
            "split": self.split.to_dict(),
            "folds": self.folds.to_dict(),
            "grid": self.grid.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        return cls(
            series=tuple(Series.from_dict(s) for s in data["series"]),
            sizes=tuple(data["sizes"]),
            repeats=int(data["repeats"]),
            seed=int(data["seed"]),
            split=split_from_dict(data["split"]),
            folds=folds_from_dict(data["folds"]),
            grid=Grid.from_dict(data["grid"]),
        )


def combine(
    representations: Sequence[Representation | None], models: Sequence[ModelSpec], tasks: Sequence[Task]
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """Every representation with every model and task, with labels that say what differs.

    Models that need no features (the mean, the composition) come once for each task, whatever the representations.

    Returns
    -------
    series : tuple of Series
    left_out : tuple of str
        Pairs that do not go together, and why.
    """
    found: list[Series] = []
    left: list[str] = []
    for task in tasks:
        for model in models:
            kinds: Sequence[Representation | None] = representations if model.needs == "rows" else [None]
            for representation in kinds:
                parts = [] if representation is None else [_short(representation)]
                if len(models) > 1 or representation is None:
                    parts.append(_short(model))
                if len(tasks) > 1:
                    parts.append(task.label)
                label = _own(", ".join(parts), {s.label for s in found})
                series = Series(label=label, representation=representation, model=model, task=task)
                if text := series.problem():
                    left.append(text)
                else:
                    found.append(series)
    return tuple(found), tuple(dict.fromkeys(left))


def _short(item: Parameterised) -> str:
    kernel = getattr(item, "kernel", None)
    changed = []
    for p in item.params():
        value = getattr(item, p.name)
        if value != p.default and p.choices:
            changed.append(dict(p.choices).get(value, str(value)))
    name = item.title
    if kernel is not None:
        name = kernel.title if item.name == "kernel_ridge" else f"{item.title}, {kernel.title}"
    return f"{name} ({', '.join(changed)})" if changed else name


def _own(label: str, taken: set[str]) -> str:
    if label not in taken:
        return label
    return next(f"{label} {k}" for k in range(2, len(taken) + 3) if f"{label} {k}" not in taken)


def _representation(data: dict[str, Any]) -> Representation:
    from qmlstudio import representations

    if data.get("name") == ElpasoliteSites.name:
        return ElpasoliteSites.from_dict(data)
    return representations.from_dict(data)


def model_from_dict(data: dict[str, Any]) -> ModelSpec:
    """The model that its ``to_dict`` described; ValueError for what there is not."""
    from qmlstudio.learning import models

    name = str(data.get("name"))
    if name not in models.REGISTRY:
        raise ValueError(f"no model is called {name!r}; known: {', '.join(models.REGISTRY)}")
    return models.REGISTRY[name].from_dict(data)
