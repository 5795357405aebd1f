"""The errors of one fit's test structures, and what they hang on: size, elements, groups, distance to the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.bench.results import BenchResult, Point

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

WORST = 20
"""Molecules that "the worst" means."""
BINS = 10
_MOST_SIZES = 24
_MOST_GROUPS = 24
MOST_GRAPHS = 20_000
"""Test structures in which functional groups are sought; of more a random part."""
_LEAST = 3
"""Structures that a functional group needs: fewer say nothing of it."""


@dataclass(frozen=True, eq=False)
class ErrorBars:
    """Errors by one thing.

    Attributes
    ----------
    title : str
        What the structures are sorted by.
    names : tuple of k str
    mae : (k,) float64
    counts : (k,) int64
    members : tuple of k (m_k,) int64
        Places among the test structures.
    note : str
    """

    title: str
    names: tuple[str, ...]
    mae: Floats
    counts: Ints
    members: tuple[Ints, ...]
    note: str = ""

    @classmethod
    def of(cls, title: str, parts: Sequence[tuple[str, Ints]], errors: Floats, note: str = "") -> ErrorBars:
        """Mean absolute errors of named parts of the test structures; empty parts are left out."""
        parts = [(name, members) for name, members in parts if len(members)]
        mae = np.array([float(np.mean(np.abs(errors[m]))) for _, m in parts])
        counts = np.array([len(m) for _, m in parts], dtype=np.int64)
        return cls(title, tuple(n for n, _ in parts), mae, counts, tuple(m for _, m in parts), note)


@dataclass(frozen=True, eq=False)
class TestErrors:
    """What one fit said of its test structures.

    Attributes
    ----------
    label : str
        The series.
    size, repeat : int
    target, unit : str
    test : (m,) int64
        Structures of the data set.
    truth, predicted : (m,) float64
    bars : dict of str to ErrorBars
        By "size", "element", "group", "distance", as far as they are known.
    """

    __test__ = False  # no test class, whatever its name begins with

    label: str
    size: int
    repeat: int
    target: str
    unit: str
    test: Ints
    truth: Floats
    predicted: Floats
    bars: dict[str, ErrorBars] = field(default_factory=dict)

    @classmethod
    def of(cls, point: Point, target: str) -> TestErrors:
        """The errors of a point; ValueError when it has no such target."""
        if target not in point.targets:
            raise ValueError(f"{point.series} has not learned {target!r}")
        at = point.targets.index(target)
        return cls(
            point.series,
            point.size,
            point.repeat,
            target,
            point.unit,
            point.test,
            point.truth[:, at],
            point.predicted[:, at],
        )

    @property
    def errors(self) -> Floats:
        """(m,) predicted − true."""
        return self.predicted - self.truth

    @property
    def name(self) -> str:
        """For people: "SLATM, N = 1,000"."""
        return f"{self.label}, N = {self.size:,}"

    def is_of(self, other: TestErrors) -> bool:
        """Whether these are the same fit's errors of the same target."""
        own = (self.label, self.size, self.repeat, self.target)
        return own == (other.label, other.size, other.repeat, other.target)

    def order(self) -> Ints:
        """(m,) places of the test structures, the largest error first; those that are no numbers last."""
        e = np.abs(self.errors)
        found: Ints = np.argsort(-np.where(np.isfinite(e), e, -1.0), kind="stable").astype(np.int64)
        return found

    def mask(self, places: Ints, n: int) -> Mask:
        """(n,) which structures of the data set stand at these places among the test structures."""
        chosen = np.zeros(n, dtype=bool)
        chosen[self.test[places]] = True
        return chosen

    def column(self, n: int) -> Property:
        """The error of each structure of the data set; missing outside the test set."""
        values = np.full(n, np.nan)
        values[self.test] = self.errors
        text = f"predicted − true {self.target} of the test structures of {self.name}"
        return Property(values, unit=self.unit, description=text)


def find(result: BenchResult, label: str, size: int, repeat: int, target: str) -> TestErrors | None:
    """The errors of one fit of a bench; None when it is not there."""
    for point in result.of(label, size):
        if point.repeat == repeat and target in point.targets:
            return TestErrors.of(point, target)
    return None


def break_down(errors: TestErrors, dataset: Dataset, progress: Progress = SILENT) -> dict[str, ErrorBars]:
    """Errors by size, element and functional group; what does not apply (groups of crystals) is left out."""
    structures, e = dataset.structures.take(errors.test), errors.errors
    elements, parts = structures.element_counts()
    members: list[list[Ints]] = [[] for _ in elements]
    heavy = np.zeros(len(structures), dtype=np.int64)
    for start, counts in parts:
        progress(0.1 * start / max(len(structures), 1), "elements")
        heavy[start : start + len(counts)] = counts[:, elements > 1].sum(axis=1)
        for k in range(len(elements)):
            members[k].append(start + np.flatnonzero(counts[:, k]))
    varies = len(np.unique(heavy)) > 1
    sizes, title = (heavy, "atoms beside hydrogen") if varies else (structures.sizes.astype(np.int64), "atoms")
    found = {"size": ErrorBars.of(title, _by_number(sizes), e)}
    note = "A structure counts for each of its elements."
    named = [(SYMBOLS[int(z)], np.concatenate(m)) for z, m in zip(elements.tolist(), members, strict=True) if m]
    found["element"] = ErrorBars.of("element", named, e, note)
    groups = _by_group(errors, dataset, progress.part(0.1, 1.0))
    if groups is not None:
        found["group"] = groups
    progress(1.0)
    return found


def by_distance(errors: TestErrors, distance: Floats, domain: float | None = None) -> ErrorBars:
    """Errors in bins of equally many structures by their distance (m,) to the nearest training structure.

    Parameters
    ----------
    domain : float, optional
        Distance within which 95 % of the training structures have another one.
    """
    good = np.flatnonzero(np.isfinite(distance))
    ordered = good[np.argsort(distance[good], kind="stable")]
    parts = []
    for part in np.array_split(ordered, min(BINS, max(len(ordered), 1))):
        if len(part):
            low, high = float(distance[part[0]]), float(distance[part[-1]])
            parts.append((f"{low:.3g}" if low == high else f"{low:.3g}–{high:.3g}", part.astype(np.int64)))
    note = ""
    if domain is not None and np.isfinite(domain):
        outside = int(np.count_nonzero(distance[good] > domain))
        note = f"{outside:,} of {len(good):,} lie outside the domain (farther than {domain:.3g} from every training "
        note += "structure, nearer than which 95 % of these have another one)."
    return ErrorBars.of("distance to the training set", parts, errors.errors, note)


def _by_number(sizes: Ints) -> list[tuple[str, Ints]]:
    values = np.unique(sizes)
    if len(values) <= _MOST_SIZES:
        return [(str(v), np.flatnonzero(sizes == v).astype(np.int64)) for v in values.tolist()]
    edges = np.unique(np.linspace(values[0], values[-1] + 1, _MOST_SIZES // 2 + 1).astype(int))
    parts = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        members = np.flatnonzero((sizes >= low) & (sizes < high)).astype(np.int64)
        parts.append((str(low) if high == low + 1 else f"{low}–{high - 1}", members))
    return parts


def _by_group(errors: TestErrors, dataset: Dataset, progress: Progress) -> ErrorBars | None:
    from qmlstudio.chem.substructures import NAMES, substructures

    table = substructures(dataset)
    if not table.has_graphs:
        return None
    looked_at = errors.test
    if len(looked_at) > MOST_GRAPHS:
        looked_at = np.random.default_rng(0).choice(looked_at, MOST_GRAPHS, replace=False)
    found = table.find(looked_at, progress)
    place = {int(i): k for k, i in enumerate(errors.test.tolist())}
    where = np.array([place[int(i)] for i in found.rows.tolist()], dtype=np.int64)
    parts = [(name, where[found.groups[:, g]]) for g, name in enumerate(NAMES)]
    parts = [(name, members) for name, members in parts if len(members) >= _LEAST]
    if not parts:
        return None
    bars = ErrorBars.of("functional group", parts, errors.errors)
    # of the many that occur those whose errors are largest: they are what is asked for
    chosen = np.argsort(-bars.mae, kind="stable")[:_MOST_GROUPS]
    note = f"Groups of {_LEAST} structures or more, the largest errors first"
    note += f" ({len(chosen)} of {len(parts)})." if len(chosen) < len(parts) else "."
    if len(looked_at) < len(errors.test):
        note += f" Of {len(looked_at):,} test structures, drawn at random."
    return ErrorBars.of("functional group", [parts[int(k)] for k in chosen], errors.errors, note)
