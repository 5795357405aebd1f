"""What the fits of a bench stand on: targets, splits, features, and keys that say what a result is a function of."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.splits import Split, SplitContext
from qmlstudio.learning.evaluation.tasks import Target, Task
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Representation
from qmlstudio.session.bench.spec import VERSION, BenchSpec, Series
from qmlstudio.session.bench.storage import Folder
from qmlstudio.session.columns import Columns

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Place:
    """One repeat of a series.

    Attributes
    ----------
    repeat, seed : int
    split : Split
        By index in the data set.
    keys : dict of int to str
        Training sizes whose points are missing, with the keys under which they are to be kept.
    """

    repeat: int
    seed: int
    split: Split
    keys: dict[int, str]


class Preparation:
    """Targets, splits and features of a bench on a data set; each made once.

    Parameters
    ----------
    columns : mapping of str to Property or None
        Those of the data set when None.
    excluded : (n,) bool or None
        Structures that are neither learned nor tested.
    """

    def __init__(
        self,
        spec: BenchSpec,
        dataset: Dataset,
        columns: Mapping[str, Property] | None,
        excluded: Mask | None,
        threads: int | None,
    ) -> None:
        self.spec, self.dataset = spec, dataset
        self.columns = Columns(dataset) if columns is None else columns
        self.excluded, self.threads = excluded, threads
        self.structures = dataset.structures
        self._targets: dict[str, Target] = {}
        self._splits: dict[tuple[str, int], Split] = {}
        self._rows: tuple[str, Rows] | None = None

    def unfit(self, series: Series) -> str:
        """Why a series cannot be run on this data set; empty when it can."""
        kind = series.representation
        if kind is not None and kind.periodic == "required" and self.structures.cells is None:
            return f"{kind.title} is for crystals; these structures have no cells"
        missing = [c for c in (*series.task.targets, *series.task.baselines) if c and c not in self.columns]
        return f"there is no column {missing[0]!r}" if missing else ""

    def target(self, task: Task) -> Target:
        """The numbers of a task."""
        key = digest(task.to_dict())
        if key not in self._targets:
            self._targets[key] = task.prepare(self.columns, self.structures, self.excluded)
        return self._targets[key]

    def split(self, task: Task, seed: int, progress: Progress) -> Split:
        """The split of a seed; one for all tasks that have values for the same structures."""
        target = self.target(task)
        by_value = self.spec.split.name == "stratified"
        key = (digest(task.to_dict()) if by_value else hash_of(target.rows), seed)
        if key not in self._splits:
            context = SplitContext.of(self.dataset, self.columns, target)
            self._splits[key] = self.spec.split.draw(context, seed, progress)
        return self._splits[key]

    def key(self, series: Series, split: Split, size: int) -> str:
        """What a point is a function of: all that is looked at, and nothing else."""
        target, grid = self.target(series.task), series.grid or self.spec.grid
        chooses = series.chooses(grid)
        about = series.to_dict()
        del about["label"]
        about["grid"] = grid.to_dict() if chooses else None
        train = split.train(size)
        both = np.concatenate([train, split.test])
        groups = "" if split.groups is None else hash_of(split.groups.labels[train])
        return digest(
            VERSION,
            self.structures.fingerprint,
            about,
            self.spec.folds.to_dict() if chooses else None,
            [hash_of(train), hash_of(split.test), hash_of(target.values[both]), hash_of(target.baseline[both]), groups],
        )

    def universe(self, series: Series) -> Ints:
        """The structures that any repeat of a series trains on or tests, ascending."""
        splits = [self.split(series.task, seed, Progress()) for seed in self.spec.seeds]
        most = self.spec.sizes[-1]
        return np.unique(np.concatenate([part for s in splits for part in (s.train_order[:most], s.test)]))

    def rows(self, series: Series, universe: Ints, folder: Folder, progress: Progress) -> tuple[Rows, float]:
        """Features of these structures, from the disk if they are there, and the seconds that getting them took."""
        key = digest(VERSION, feature_name(series), self.structures.fingerprint, hash_of(universe))
        if self._rows is not None and self._rows[0] == key:
            return self._rows[1], 0.0
        self._rows = None
        structures = self.structures.take(universe)
        began = time.perf_counter()
        representation = series.representation
        if series.needs == "composition":
            from qmlstudio.representations import Composition

            representation = Composition()
        if series.needs == "nothing" or representation is None:
            rows = Rows(np.zeros((len(universe), 1)), sizes=structures.sizes.astype(np.int64))
        else:
            progress(0.0, representation.title)
            rows = self._computed(key, representation, structures, folder, progress)
        self._rows = (key, rows)
        return rows, time.perf_counter() - began

    def forget(self) -> None:
        """Free the features."""
        self._rows = None

    def _computed(
        self, key: str, representation: Representation, structures: Any, folder: Folder, progress: Progress
    ) -> Rows:
        species = self.structures.species
        n = len(structures.numbers) if representation.local else len(structures)
        if representation.rows(structures) != n or representation.kernel_only:
            # only the representation knows which rows belong to which structure
            features = representation.compute(structures, progress, species=species, threads=self.threads)
            return Rows.of(features, structures)

        def fill(out: Any) -> None:
            representation.compute(structures, progress, species=species, out=out, threads=self.threads)

        array = folder.array(key, (n, representation.size(species)), fill)
        sizes = structures.sizes.astype(np.int64)
        if not representation.local:
            return Rows(array, sizes=sizes, representation=representation)
        offsets = np.asarray(structures.offsets, dtype=np.int64)
        return Rows(array, offsets, np.asarray(structures.numbers), sizes, representation)


def feature_name(series: Series) -> str:
    """Equal for series that look at the same features."""
    if series.needs == "rows" and series.representation is not None:
        return digest(series.representation.to_dict())
    return series.needs


def local_split(split: Split, universe: Ints, largest: int) -> Split:
    """A split whose indices are places among the structures that the features are of."""
    groups = split.groups
    return Split(
        np.searchsorted(universe, split.train_order[:largest]),
        np.searchsorted(universe, split.test),
        split.notes,
        None if groups is None else replace(groups, labels=groups.labels[universe], _sizes={}),
    )


def local_target(target: Target, universe: Ints) -> Target:
    """The target of those structures alone that the features are of."""
    counts = None if target.counts is None else target.counts[universe]
    return replace(
        target,
        values=target.values[universe],
        baseline=target.baseline[universe],
        sizes=target.sizes[universe],
        rows=np.arange(len(universe)),
        counts=counts,
    )


def hash_of(array: Any) -> str:
    """Of an array's bytes."""
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
