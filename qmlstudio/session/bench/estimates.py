"""What a bench would take, before it starts: memory, room on the disk, time, and a cheaper one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.models.plans import default_budget, measure
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.bench.preparing import feature_name
from qmlstudio.session.bench.spec import BenchSpec, Series

_PROBE = 120
"""Structures whose features are computed to time what comes after."""
_LONG = 30.0
"""Seconds from which a cheaper bench is proposed."""
_EIGEN = 40.0
"""Flops of an eigendecomposition over n³, as if they were those of a matrix product."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a bench would take.

    Attributes
    ----------
    bytes : int
        Memory at the same time, of the series that needs most.
    budget : int
        What it may take.
    disk : int, bytes
        Of features in the bench's folder while it runs.
    seconds : float
        On this machine as it is now, within a factor of two or so; without what is on the disk already.
    parts : dict of str to float
        Seconds by step: "features", "search", "kernel", "solve".
    text : str
        For people.
    cheaper : BenchSpec or None
        One that takes less, when this one does not fit or is long.
    cheaper_text : str
        What would be different.
    """

    bytes: int
    budget: int
    disk: int
    seconds: float
    parts: dict[str, float]
    text: str
    cheaper: BenchSpec | None = None
    cheaper_text: str = ""

    @property
    def fits(self) -> bool:
        """Whether it keeps within the budget."""
        return self.bytes <= self.budget


def estimate(
    spec: BenchSpec,
    dataset: Dataset,
    columns: Mapping[str, Property] | None = None,
    progress: Progress = SILENT,
    *,
    memory_budget: int | None = None,
    threads: int | None = None,
) -> Estimate:
    """Measure some small probes and reckon with them; takes about a second, and the compiling of what is new.

    Parameters
    ----------
    columns : mapping, optional
        Not looked at: what a bench takes does not depend on the values.
    memory_budget : int, bytes
        As of :func:`~qmlstudio.session.bench.runner.run`.
    """
    budget = default_budget() if memory_budget is None else memory_budget
    probes = _Probes(dataset, threads)
    parts = dict.fromkeys(("features", "search", "kernel", "solve"), 0.0)
    counts = _counts(spec, len(dataset))
    disk, most, seen = 0, 0, set()
    for k, series in enumerate(spec.series):
        progress(k / len(spec.series), series.label)
        name = feature_name(series)
        features, seconds = probes.features(series, counts.used)
        if name not in seen:
            seen.add(name)
            disk += features
            parts["features"] += seconds
        matrices, spent = _learning(spec, series, probes, counts)
        for step, value in spent.items():
            parts[step] += value
        most = max(most, matrices + min(features, 64 * 2**20))
    progress(1.0)
    seconds = sum(parts.values())
    text = f"about {_time(seconds)}, {_size(most)} of memory"
    if disk > 2**20:
        text += f", {_size(disk)} on the disk while it runs"
    found = Estimate(most, budget, disk, seconds, parts, text)
    if not found.fits:
        text += f"; there are {_size(budget)}: matrices that do not fit are not stored, which takes longer"
    cheaper = _cheaper(spec, found, counts)
    if cheaper is None:
        return replace(found, text=text)
    return replace(found, text=text, cheaper=cheaper[0], cheaper_text=cheaper[1])


@dataclass(frozen=True)
class _Counts:
    """Structures: trained on at most, tested, used by all repeats together."""

    largest: int
    tested: int
    used: int


def _counts(spec: BenchSpec, n: int) -> _Counts:
    fraction = max(1, round(spec.split.test_fraction * n))
    tested = min(fraction if spec.split.n_test is None else spec.split.n_test, max(n - 1, 1))
    largest = max(1, min(spec.sizes[-1], n - tested))
    return _Counts(largest, tested, min(n, spec.repeats * (largest + tested)))


class _Probes:
    """Features of a few structures, and what they tell."""

    def __init__(self, dataset: Dataset, threads: int | None) -> None:
        self.structures, self.threads = dataset.structures, threads
        chosen = np.random.default_rng(0).choice(len(dataset), min(_PROBE, len(dataset)), replace=False)
        self.few = self.structures.take(np.sort(chosen))
        self._known: dict[str, tuple[Rows, int, float]] = {}

    def features(self, series: Series, used: int) -> tuple[int, float]:
        """Bytes and seconds of the features of `used` structures."""
        _, size, seconds = self._probed(series)
        share = used / max(len(self.few), 1)
        return int(size * share), seconds * share

    def rows(self, series: Series) -> Rows:
        """Features of the few."""
        return self._probed(series)[0]

    def _probed(self, series: Series) -> tuple[Rows, int, float]:
        name = feature_name(series)
        if name not in self._known:
            kind = series.representation
            if series.needs == "composition":
                from qmlstudio.representations import Composition

                kind = Composition()
            if kind is None or series.needs == "nothing":
                rows = Rows(np.zeros((len(self.few), 1)), sizes=self.few.sizes.astype(np.int64))
                self._known[name] = (rows, 0, 0.0)
            else:
                species = self.structures.species
                kind.compute(self.few.take(slice(0, 4)), species=species, threads=self.threads)
                began = time.perf_counter()
                made = kind.compute(self.few, species=species, threads=self.threads)
                spent = time.perf_counter() - began
                self._known[name] = (Rows.of(made, self.few), int(made.array.nbytes), spent)
        return self._known[name]


def _learning(spec: BenchSpec, series: Series, probes: _Probes, counts: _Counts) -> tuple[int, dict[str, float]]:
    """Bytes of matrices, and seconds by step, of a series."""
    model: Any = series.model
    kernel = getattr(model, "kernel", None)
    n, m, repeats = counts.largest, counts.tested, spec.repeats
    if kernel is None:
        return 0, {"solve": _direct(model, probes.rows(series), n) * repeats * len(spec.sizes)}
    rates = measure(kernel, probes.rows(series), probes.threads)
    shares = getattr(kernel, "distance_kind", None) is not None
    grid = series.grid or spec.grid
    searches, search_seconds, search_bytes = 0, 0.0, 0
    if series.chooses(grid):
        factors = len(grid.all_factors) if kernel.fitted(probes.rows(series)) != kernel else 1
        for fit, judge in _subsets(spec, n):
            searches += 1
            pairs = (fit * fit / 2 + fit * judge) / rates.pairs
            # of shared distances each σ costs an exponential, which is some fifth of a pair
            each = pairs * (1.0 + 0.2 * factors) if shares else pairs * factors
            search_seconds += each + factors * _EIGEN * fit**3 / rates.flops
            search_bytes = max(search_bytes, 8 * (4 * fit * fit + 2 * fit * judge))
    own = 8 * (n * n + n * m)
    whole = counts.used**2
    once = n * n + 2 * n * m
    pairs = repeats * once / 2
    total = own
    if whole <= 1.2 * once * (repeats if shares else 1):
        pairs, total = whole / 2 * (1 if shares else repeats), own + 8 * whole
    # sizes that are smaller than what the search looks at choose, and factorise, for themselves
    groups = max(1, searches)
    return max(total, search_bytes), {
        "search": repeats * search_seconds,
        "kernel": pairs / rates.pairs,
        "solve": repeats * (n**3 / 3 + (groups - 1) * (n / 3) ** 3) / rates.flops,
    }


def _subsets(spec: BenchSpec, largest: int) -> list[tuple[int, int]]:
    """(fitted, judged) structures of the different searches of a repeat."""
    folds: Any = spec.folds
    asked = int(getattr(folds, "n_fit", 0) + getattr(folds, "n_validate", 0)) or int(getattr(folds, "most", 1500))
    found = []
    for total in sorted({min(size, asked, largest) for size in spec.sizes}):
        if hasattr(folds, "n_fit"):
            fit = folds.n_fit if total == asked else 2 * total // 3
            found.append((fit, total - fit))
        else:
            found.append((total, total // max(int(getattr(folds, "k", 1)), 1)))
    return found


def _direct(model: Any, rows: Rows, n: int) -> float:
    """Seconds of a fit of a model without a kernel, from one to a few structures."""
    values = np.random.default_rng(0).normal(size=len(rows))
    try:
        model.fit(rows, values)
        began = time.perf_counter()
        model.fit(rows, values)
    except ValueError:
        return 0.0
    return (time.perf_counter() - began) * n / max(len(rows), 1)


def _cheaper(spec: BenchSpec, found: Estimate, counts: _Counts) -> tuple[BenchSpec, str] | None:
    if not found.fits:
        # matrices grow with the square of the size
        most = int(counts.largest * np.sqrt(found.budget / found.bytes))
        kept = tuple(n for n in spec.sizes if n <= most) or (max(2, most),)
        return (spec.with_sizes(kept), f"training sizes up to {kept[-1]:,}") if kept != spec.sizes else None
    if found.seconds <= _LONG:
        return None
    if len(spec.sizes) > 1 and (found.parts["solve"] + found.parts["kernel"]) > 0.5 * found.seconds:
        return spec.with_sizes(spec.sizes[:-1]), f"without N = {spec.sizes[-1]:,}"
    if spec.repeats > 1:
        return replace(spec, repeats=1), "one repeat instead of " + str(spec.repeats)
    return None


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(count / 2**20, 0.1):,.0f} MiB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
