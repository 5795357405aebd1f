"""Which structures are learned from, in which order, and which are kept for the test.

A split is nested: its test set is one for all training sizes, and the training set of size N is the first N of one
random order, so that the points of a learning curve differ in the number of structures alone.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.groups import (
    FEWEST_GROUPS,
    Groups,
    by_column,
    by_connectivity,
    by_scaffold,
    by_smiles,
    compact,
    find_repeats,
)
from qmlstudio.learning.evaluation.tasks import Target
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_BINS = 200
_TRAIN = re.compile(r"^(tr|train|training|learn.*|fit)$", re.IGNORECASE)
_TEST = re.compile(r"^(te|test|testing|hold[- _]?out)$", re.IGNORECASE)
_VALIDATION = re.compile(r"^(val|valid|validation|dev)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class SplitContext:
    """What splits look at.

    Attributes
    ----------
    dataset : Dataset
    columns : mapping of str to Property
        One value for each structure.
    rows : (m,) int64
        Structures that may be used at all, ascending.
    values : (n,) float64 or None
        The target, for strata.
    groups : Groups or None
        Structures that belong together, if somebody has looked: a split that tears them says so.
    """

    dataset: Dataset
    columns: Mapping[str, Property]
    rows: Ints
    values: Floats | None = None
    groups: Groups | None = None

    @classmethod
    def of(cls, dataset: Dataset, columns: Mapping[str, Property], target: Target) -> SplitContext:
        """The usable structures of a task, with its first target."""
        return cls(dataset, columns, target.rows, target.values[:, 0] - target.baseline[:, 0])


@dataclass(frozen=True, eq=False)
class Split:
    """Two sets of structures.

    Attributes
    ----------
    train_order : (k,) int64
        The first N of them are the training set of size N.
    test : (m,) int64
        One test set for all sizes.
    notes : tuple of str
        What is to be known of it.
    groups : Groups or None
        What was kept together, so that the choice of hyper-parameters can keep it together, too.
    """

    train_order: Ints
    test: Ints
    notes: tuple[str, ...] = ()
    groups: Groups | None = None

    def __post_init__(self) -> None:
        trained = np.zeros(max(self.train_order.max(initial=-1), self.test.max(initial=-1)) + 1, dtype=bool)
        trained[self.train_order] = True
        if trained[self.test].any():
            raise ValueError("a structure would be in the training set and in the test set")

    def train(self, size: int | None = None) -> Ints:
        """The training set of a size, all without one; ValueError when there are not so many."""
        if size is not None and not 1 <= size <= len(self.train_order):
            raise ValueError(f"{size:,} training structures were asked for; there are {len(self.train_order):,}")
        return self.train_order[:size]


@dataclass(frozen=True, kw_only=True)
class SplitSpec(Parameterised):
    """How to split."""

    help: ClassVar[str] = ""

    test_fraction: float = param(
        0.2, label="Test", low=0.01, high=0.95, step=0.05, help="Part of the structures that is kept for the test."
    )
    n_test: int | None = param(
        None,
        label="Test structures",
        low=1,
        high=10_000_000,
        step=100,
        none_label="by fraction",
        help="How many structures are kept for the test, instead of a fraction.",
    )

    def draw(self, context: SplitContext, seed: int = 0, progress: Progress = SILENT) -> Split:
        """The split of a seed: the same for the same context, in every process.

        Raises
        ------
        ValueError
            Fewer than two structures, or none would be left on one side; a column that is not there.
        """
        if len(context.rows) < 2:
            raise ValueError(f"{len(context.rows)} usable structures cannot be split in two sets")
        found = self._draw(context, self._count(len(context.rows)), np.random.default_rng(seed), seed, progress)
        if len(found.train_order) == 0 or len(found.test) == 0:
            side = "train on" if len(found.train_order) == 0 else "test on"
            raise ValueError(f"{self.title}: no structures would be left to {side}")
        notes = found.notes
        if context.groups is not None and found.groups is None:
            labels = context.groups.labels
            trained = np.zeros(int(labels.max(initial=-1)) + 2, dtype=bool)
            trained[labels[found.train_order] + 1] = True
            trained[0] = False  # those that stand alone
            torn = trained[labels[found.test] + 1]
            if torn.any():
                text = f"{int(torn.sum()):,} test structures share {context.groups.by} with a training structure"
                notes = (*notes, f"{text}: errors look smaller than they are (a grouped split keeps them apart)")
        progress(1.0)
        return replace(found, notes=notes)

    @abstractmethod
    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split: ...

    def _count(self, n: int) -> int:
        """Test structures among n."""
        wanted = self.n_test if self.n_test is not None else round(self.test_fraction * n)
        if self.n_test is not None and wanted >= n:
            raise ValueError(f"{wanted:,} test structures of {n:,} leave none to train on")
        return min(max(wanted, 1), n - 1)


@dataclass(frozen=True, kw_only=True)
class RandomSplit(SplitSpec):
    """Any structure on either side."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Random"
    help: ClassVar[str] = "How well the model fills gaps between structures like those that it knows."

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        order = rng.permutation(context.rows)
        return Split(order[: len(order) - n_test], order[len(order) - n_test :])


@dataclass(frozen=True, kw_only=True)
class StratifiedSplit(SplitSpec):
    """Every range of the target in its share on both sides, and in every beginning of the training order.

    The ranges are Freedman and Diaconis' bins (Z. Wahrscheinlichkeitstheorie 57, 453 (1981)), at most 200.
    """

    name: ClassVar[str] = "stratified"
    title: ClassVar[str] = "Stratified"
    help: ClassVar[str] = "As random, with the target's distribution kept: steadier errors for small sets."

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        if context.values is None:
            raise ValueError("a stratified split needs the values of the target")
        bins = strata(context.values[context.rows])
        # the place of each within its bin, in random order, as a fraction: all bins run from 0 to 1 side by side
        shuffled = rng.permutation(len(bins))
        by_bin = shuffled[np.argsort(bins[shuffled], kind="stable")]
        sizes = np.bincount(bins)
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        place = (np.arange(len(bins)) - first + rng.random(len(bins))) / np.repeat(sizes, sizes)
        order = context.rows[by_bin[np.argsort(place, kind="stable")]]
        return Split(order[: len(order) - n_test], order[len(order) - n_test :])


@dataclass(frozen=True, kw_only=True)
class GroupedSplit(SplitSpec):
    """Structures that belong together on one side."""

    name: ClassVar[str] = "grouped"
    title: ClassVar[str] = "Grouped"
    help: ClassVar[str] = "Conformers and duplicates of one molecule never stand on both sides."

    by: str = param(
        "connectivity",
        label="Together",
        choices=(
            ("connectivity", "equal bonds"),
            ("smiles", "equal SMILES"),
            ("column", "equal values of a column"),
        ),
        help="Which structures stay together: conformers and duplicates have equal bonds.",
    )
    column: str = param("", label="Column", help="Whose equal values stay together.")

    def groups(self, context: SplitContext, progress: Progress = SILENT) -> Groups:
        """What stays together."""
        if self.by == "connectivity":
            return by_connectivity(context.dataset.structures, progress)
        name = "smiles" if self.by == "smiles" else self.column
        column = _column(context, name)
        if self.by == "smiles":
            if not column.is_text:
                raise ValueError("the column smiles holds numbers")
            return by_smiles(column.values, progress)
        return by_column(column, name, progress)

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        return _by_groups(self.groups(context, progress), context, n_test, rng, self.title)


@dataclass(frozen=True, kw_only=True)
class ScaffoldSplit(SplitSpec):
    """Molecules with one Bemis–Murcko scaffold on one side; the rarest scaffolds are the test."""

    name: ClassVar[str] = "scaffold"
    title: ClassVar[str] = "Scaffold"
    help: ClassVar[str] = "Extrapolation: how well the model does on ring systems that it has not seen."

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        groups = by_scaffold(context.dataset, context.rows, progress)
        return _by_groups(groups, context, n_test, rng, self.title, rarest=True)


@dataclass(frozen=True, kw_only=True)
class SizeSplit(SplitSpec):
    """Small structures are learned, large ones are the test."""

    name: ClassVar[str] = "size"
    title: ClassVar[str] = "Small to large"
    help: ClassVar[str] = "Extrapolation: train on small structures, test on larger ones than any of them."

    by: str = param("n_heavy", label="Size", choices=(("n_heavy", "atoms without hydrogens"), ("n_atoms", "all atoms")))
    largest: int | None = param(
        None,
        label="Train up to",
        low=1,
        high=1_000_000,
        step=1,
        none_label="by fraction",
        help="Size of the largest training structures; automatic: as large as leaves the test its share.",
    )

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        structures, rows = context.dataset.structures, context.rows
        if self.by == "n_atoms":
            sizes = structures.sizes[rows]
        else:
            found, parts = structures.element_counts()
            heavy = np.zeros(len(structures), np.int64)
            for start, part in parts:
                heavy[start : start + len(part)] = part[:, found > 1].sum(axis=1)
                progress(start / len(structures))
            sizes = heavy[rows]
        largest = self.largest
        if largest is None:
            counts = np.bincount(sizes)
            steps = np.flatnonzero(counts)
            counts = counts[steps]
            if len(steps) < 2:
                raise ValueError(f"all structures have the size {int(steps[0])}: there are no larger ones to test on")
            # the bound that leaves the test as nearly as possible what was asked
            above = len(sizes) - np.cumsum(counts[:-1])
            largest = int(steps[int(np.argmin(np.abs(above - n_test)))])
        test = rng.permutation(rows[sizes > largest])
        notes = [f"trained on structures up to size {largest}, tested on larger ones ({len(test):,})"]
        if self.n_test is not None and len(test) > self.n_test:
            test = test[: self.n_test]
            notes.append(f"{self.n_test:,} of them, drawn at random, are tested")
        return Split(rng.permutation(rows[sizes <= largest]), test, tuple(notes))


@dataclass(frozen=True, kw_only=True)
class ColumnSplit(SplitSpec):
    """As a column says: "split" with train and test, or "fold" with numbers of which the seed picks one.

    The column decides how many are tested; validation structures stand on neither side.
    """

    name: ClassVar[str] = "column"
    title: ClassVar[str] = "By a column"
    help: ClassVar[str] = "A split that came with the data, so that errors can be compared with published ones."

    column: str = param("split", label="Column")
    test: str = param(
        "",
        label="Test value",
        help="The value of the test structures; empty: “test”, else each value in turn, one for each repeat.",
    )

    def _draw(self, context: SplitContext, n_test: int, rng: Any, seed: int, progress: Progress) -> Split:
        found = by_column(_column(context, self.column), self.column, progress)
        labels = found.labels[context.rows]
        if found.names is None:
            raise ValueError(f"{self.column!r} has {len(found.sizes):,} different values: it does not say what to test")
        values = [str(found.names[k]) for k in np.flatnonzero(np.bincount(labels[labels >= 0])).tolist()]
        test, train = self._values(values, seed)
        names = {str(name): k for k, name in enumerate(found.names)}
        is_test = np.isin(labels, [names[v] for v in test])
        is_train = np.isin(labels, [names[v] for v in train])
        notes = [f"tested on {self.column} = {', '.join(test)}"]
        if neither := len(labels) - int(is_test.sum()) - int(is_train.sum()):
            left = [v for v in values if v not in train and v not in test]
            what = f" ({', '.join(left)})" if left else ""
            notes.append(f"{neither:,} structures stand on neither side{what}")
        return Split(rng.permutation(context.rows[is_train]), rng.permutation(context.rows[is_test]), tuple(notes))

    def _values(self, values: list[str], seed: int) -> tuple[list[str], list[str]]:
        """Which values of the column are the test, and which the training."""
        if self.test:
            test = [v for v in values if v == self.test or _number(v) == _number(self.test)]
            if not test:
                raise ValueError(f"{self.column!r} has no value {self.test!r}; it has {', '.join(values[:8])}")
        elif named := [v for v in values if _TEST.match(v)]:
            test = named
        elif any(_TRAIN.match(v) for v in values):
            raise ValueError(f"{self.column!r} has training structures but no value test: say which value is the test")
        elif len(values) < 2:
            raise ValueError(f"{self.column!r} has {len(values)} different values: two are needed")
        else:
            test = [values[seed % len(values)]]
        rest = [v for v in values if v not in test]
        trained = [v for v in rest if _TRAIN.match(v)]
        return test, trained or [v for v in rest if not _VALIDATION.match(v)]


REGISTRY: dict[str, type[SplitSpec]] = {
    c.name: c for c in (RandomSplit, StratifiedSplit, GroupedSplit, ScaffoldSplit, SizeSplit, ColumnSplit)
}


def from_dict(data: Mapping[str, Any]) -> SplitSpec:
    """The split of :meth:`SplitSpec.to_dict`; ValueError when it is unknown."""
    name = str(data.get("name", ""))
    if name not in REGISTRY:
        raise ValueError(f"there is no split {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name].from_dict(dict(data))


@dataclass(frozen=True, eq=False)
class Proposal:
    """The split that suits a set.

    Attributes
    ----------
    spec : SplitSpec
    why : str
        One sentence for people.
    groups : Groups or None
        For the context of other splits, so that they tell what they tear.
    """

    spec: SplitSpec
    why: str
    groups: Groups | None = field(default=None, repr=False)


def propose(context: SplitContext, progress: Progress = SILENT, **values: Any) -> Proposal:
    """A grouped split where a molecule is there more than once, else a random one; `values` are passed to it."""
    groups, text = find_repeats(context.dataset, context.columns, context.rows, progress)
    if groups is None:
        return Proposal(RandomSplit(**values), f"Random: {text}.")
    labels = groups.alone(context.rows)
    sizes = np.bincount(labels)
    # largest fits on one side only if something is left for the other
    if len(sizes) < FEWEST_GROUPS or sizes.max() > 0.8 * len(labels):
        why = f"Random: {text}, too few to keep them apart: errors say how well geometries of known molecules are met."
        return Proposal(RandomSplit(**values), why, groups)
    by = "smiles" if groups.by == "the same SMILES" else "connectivity"
    return Proposal(GroupedSplit(by=by, **values), f"Grouped: {text}; they stay on one side.", groups)


def strata(values: Floats) -> Ints:
    """(n,) bin of each value by Freedman and Diaconis' rule; equal values share one."""
    n = len(values)
    low, high = np.percentile(values, (25, 75))
    span = float(np.ptp(values))
    width = 2.0 * float(high - low) / n ** (1 / 3)
    if not np.isfinite(span) or span <= 0:
        return np.zeros(n, np.int64)
    bins = MOST_BINS if width <= span / MOST_BINS else int(np.ceil(span / width))
    place = np.minimum(((values - values.min()) / span * bins).astype(np.int64), bins - 1)
    return compact(place)


def draw_groups(labels: Ints, wanted: int, order: Ints) -> NDArray[np.bool_]:
    """(k,) which groups go to a side that shall have `wanted` structures, at least one and never all.

    Groups are taken in `order`; those that would be too many are passed over.
    """
    sizes = np.bincount(labels)
    if len(sizes) < 2:
        raise ValueError("all structures belong together: they cannot be kept on one side and split at once")
    taken = np.zeros(len(sizes), dtype=bool)
    left, rest = wanted, order
    while left > 0 and len(rest):
        rest = rest[sizes[rest] <= left]
        here = rest[np.cumsum(sizes[rest]) <= left]
        taken[here] = True
        left -= int(sizes[here].sum())
        rest = rest[len(here) :]
    if not taken.any():  # all are larger than that
        taken[order[np.argmin(sizes[order])]] = True
    if taken.all():
        taken[order[np.argmax(sizes[order])]] = False
    return taken


def _by_groups(groups: Groups, context: SplitContext, n_test: int, rng: Any, title: str, rarest: bool = False) -> Split:
    rows = context.rows
    labels = groups.alone(rows)
    sizes = np.bincount(labels)
    if len(sizes) < 2:
        raise ValueError(
            f"{title}: all structures have {groups.by}, so that none could be tested: choose another split"
        )
    order = rng.permutation(len(sizes))
    if rarest:
        order = order[np.argsort(sizes[order], kind="stable")]
    is_test = draw_groups(labels, n_test, order)[labels]
    notes = [f"kept together: structures with {groups.by} ({len(sizes):,} groups)", *groups.notes]
    if abs(int(is_test.sum()) - n_test) > max(1, 0.05 * n_test):
        notes.append(f"{int(is_test.sum()):,} test structures instead of {n_test:,}: groups are not torn")
    return Split(rng.permutation(rows[~is_test]), rng.permutation(rows[is_test]), tuple(notes), groups)


def _column(context: SplitContext, name: str) -> Property:
    if name not in context.columns:
        raise ValueError(f"there is no column {name!r}" if name else "choose a column")
    return context.columns[name]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
