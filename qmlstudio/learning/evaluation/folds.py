"""Training structures alone: the guard that lets nothing else into a choice, and how a choice divides them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.evaluation.splits import Split, draw_groups
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import Parameterised, param

Ints = NDArray[np.int64]


class LeakError(ValueError):
    """A structure that is not in the training set was asked for where only the training set may be seen."""


class TrainOnly:
    """The training structures of a split; whatever is asked of it by an index outside of them raises LeakError.

    Parameters
    ----------
    split : Split
    size : int, optional
        The first so many of the training order; all without one.
    """

    def __init__(self, split: Split, size: int | None = None) -> None:
        self._rows = np.array(split.train(size), dtype=np.int64)
        self._rows.flags.writeable = False
        self._test = np.sort(split.test)
        labels = split.groups
        self._labels = np.arange(len(self._rows)) if labels is None else labels.alone(self._rows)
        highest = int(max(self._rows.max(initial=-1), self._test[-1] if len(self._test) else -1))
        self._member = np.zeros(highest + 1, dtype=bool)
        self._member[self._rows] = True

    @classmethod
    def everything(cls, rows: Any, labels: Any = None) -> TrainOnly:
        """All of some structures, where no test follows (a model for use); `labels` (m,) of what belongs together."""
        found = cls(Split(np.asarray(rows, dtype=np.int64), np.zeros(0, np.int64)))
        if labels is not None:
            found._labels = np.unique(np.asarray(labels), return_inverse=True)[1].reshape(-1).astype(np.int64)
        return found

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Ints:
        """(m,) the training structures in their order; read-only."""
        return self._rows

    @property
    def labels(self) -> Ints:
        """(m,) what belongs together has one label."""
        return self._labels

    def first(self, count: int) -> TrainOnly:
        """The first so many, or all."""
        found = object.__new__(TrainOnly)
        found._rows, found._test, found._labels = self._rows[:count], self._test, self._labels[:count]
        found._member = np.zeros_like(self._member)
        found._member[found._rows] = True
        return found

    def check(self, structures: Any) -> Ints:
        """The structures' rows, if all are training structures."""
        rows: Ints = np.asarray(structures, dtype=np.int64)
        inside = (rows >= 0) & (rows < len(self._member))
        if not inside.all() or not self._member[rows].all():
            bad = rows[~inside] if not inside.all() else rows[~self._member[rows]]
            what = "a test structure" if np.isin(bad[0], self._test) else "no training structure"
            raise LeakError(f"structure {int(bad[0])} is {what}: hyper-parameters may see training structures alone")
        return rows

    def take(self, features: Rows, rows: Any) -> Rows:
        """Features of training structures out of those of the whole set."""
        rows = self.check(rows)
        if len(features) < len(self._member):
            raise ValueError(f"features of {len(features):,} structures: those of the whole set are needed")
        return features.take(rows)


@dataclass(frozen=True, kw_only=True)
class FoldSpec(Parameterised):
    """How training structures are divided in those that fit and those that judge."""

    help: ClassVar[str] = ""

    @abstractmethod
    def draw(self, train: TrainOnly, seed: int = 0) -> list[tuple[Ints, Ints]]:
        """(fit, judge) structures, for each fold; what belongs together is on one side."""


@dataclass(frozen=True, kw_only=True)
class HoldOut(FoldSpec):
    """The first training structures fit, the next judge: two thirds and one third where there are not enough."""

    name: ClassVar[str] = "hold_out"
    title: ClassVar[str] = "Hold-out"
    help: ClassVar[str] = "Quick: each setting is fitted once."

    n_fit: int = param(1000, label="Fit", low=1, high=100_000, step=100, help="Structures that each setting learns.")
    n_validate: int = param(500, label="Judge", low=1, high=100_000, step=100, help="Structures that judge it.")

    def draw(self, train: TrainOnly, seed: int = 0) -> list[tuple[Ints, Ints]]:
        total = min(len(train), self.n_fit + self.n_validate)
        if total < 2:
            raise ValueError(f"{total} training structures cannot be divided in fit and validation")
        fit = self.n_fit if total == self.n_fit + self.n_validate else max(1, 2 * total // 3)
        rows, labels = train.rows[:total], train.labels[:total]
        distinct, first, which = np.unique(labels, return_index=True, return_inverse=True)
        if len(distinct) == 1:
            raise ValueError("all training structures belong together: none could judge what the others fit")
        # the groups that come last in the order judge: with single structures these are simply the last
        judging = draw_groups(which.reshape(-1), total - fit, np.argsort(first)[::-1])[which.reshape(-1)]
        return [(rows[~judging], rows[judging])]


@dataclass(frozen=True, kw_only=True)
class KFold(FoldSpec):
    """k parts, each of which judges once what the others fit."""

    name: ClassVar[str] = "k_fold"
    title: ClassVar[str] = "k-fold"
    help: ClassVar[str] = "k times the work of a hold-out, with less luck in it."

    k: int = param(5, label="Folds", low=2, high=50, step=1)
    most: int = param(1500, label="At most", low=2, high=100_000, step=100, help="Training structures that are used.")

    def draw(self, train: TrainOnly, seed: int = 0) -> list[tuple[Ints, Ints]]:
        total = min(len(train), self.most)
        rows = train.rows[:total]
        which = np.unique(train.labels[:total], return_inverse=True)[1].reshape(-1)
        sizes = np.bincount(which, minlength=0)
        if len(sizes) < self.k:
            raise ValueError(f"{self.k} folds of {len(sizes):,} training structures (or groups): take fewer folds")
        order = np.random.default_rng(seed).permutation(len(sizes))
        # where the middle of each group falls, all laid one after the other in k equal parts
        middle = np.cumsum(sizes[order]) - 0.5 * sizes[order]
        part = np.empty(len(sizes), np.int64)
        part[order] = np.minimum((middle * self.k / total).astype(np.int64), self.k - 1)
        fold = part[which]
        return [(rows[fold != f], rows[fold == f]) for f in range(self.k) if 0 < np.count_nonzero(fold == f) < total]


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut(FoldSpec):
    """Each structure is judged by the model of all others, in closed form. Kernel ridge regression only."""

    name: ClassVar[str] = "leave_one_out"
    title: ClassVar[str] = "Leave one out"
    help: ClassVar[str] = "One decomposition for each σ; groups of conformers are not kept together."

    most: int = param(1000, label="At most", low=2, high=100_000, step=100, help="Training structures that are used.")

    def draw(self, train: TrainOnly, seed: int = 0) -> list[tuple[Ints, Ints]]:
        rows = train.rows[: self.most]
        if len(rows) < 2:
            raise ValueError("leaving one out needs at least two training structures")
        return [(rows, rows)]


REGISTRY: dict[str, type[FoldSpec]] = {c.name: c for c in (HoldOut, KFold, LeaveOneOut)}


def from_dict(data: Mapping[str, Any]) -> FoldSpec:
    """The folds of :meth:`FoldSpec.to_dict`; ValueError when they are unknown."""
    name = str(data.get("name", ""))
    if name not in REGISTRY:
        raise ValueError(f"there are no folds {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name].from_dict(dict(data))
