"""How far one set reaches over another, in the features of a representation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.cross_nearest import nearest_distances
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import Representation
from qmlstudio.session.comparison.sets import DataPart
from qmlstudio.session.stages import TooLargeError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class CoverageSpec(Parameterised):
    """How much is compared."""

    name: ClassVar[str] = "coverage"
    title: ClassVar[str] = "Coverage"

    sample: int = param(
        3000,
        label="Structures of each set, at most",
        low=10,
        high=100_000,
        step=500,
        help="Of larger sets so many are drawn at random. Nearest neighbours are farther in a thinner sample: only "
        "samples of the same size can be compared with each other.",
    )
    quantile: float = param(
        0.95,
        label="Near is up to quantile",
        low=0.5,
        high=1.0,
        step=0.01,
        help="Of a set's own distances to the nearest neighbour. What lies farther from it is not covered.",
    )
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Distances between sets.

    Attributes
    ----------
    spec : CoverageSpec
    representation : Representation
    names : tuple of str
    rows : tuple of (m,) int64
        The structures of each set that were taken, as rows of its data set.
    nearest : list of lists of (m_b,) float64
        ``nearest[a][b]``: of each structure taken of set b, the distance to the nearest of set a; for a = b to the
        nearest other one. NaN where features are not finite, or where there is no other.
    threshold : (k,) float64
        The quantile of each set's own distances; NaN for fewer than two structures.
    outside : (k, k) float64
        ``outside[a, b]``: share of b that is farther from a than a's threshold; NaN where that is unknown.
    sizes : tuple of int
        Of the whole sets.
    """

    spec: CoverageSpec
    representation: Representation
    names: tuple[str, ...]
    rows: tuple[Ints, ...]
    nearest: list[list[Floats]]
    threshold: Floats
    outside: Floats
    sizes: tuple[int, ...] = field(default=())

    @property
    def note(self) -> str:
        """What was compared, in a sentence."""
        thinned = [
            f"{len(r):,} of {n:,} of {name}"
            for r, n, name in zip(self.rows, self.sizes, self.names, strict=True)
            if len(r) < n
        ]
        text = f"{self.representation.title}, Euclidean distances"
        return text + (f"; taken at random: {', '.join(thinned)}" if thinned else "")

    def sentence(self, a: int, b: int) -> str:
        """What one cell of the matrix says."""
        share = self.outside[a, b]
        if not np.isfinite(share):
            return f"{self.names[a]} is too small to say what it covers."
        one, two, quantile = self.names[a], self.names[b], 100 * self.spec.quantile
        return (
            f"{100 * share:.3g} % of {two} lie farther from {one} than {quantile:g} % of {one} from their nearest "
            f"neighbour (distance {self.threshold[a]:.4g})."
        )


def coverage(
    parts: Sequence[DataPart],
    representation: Representation,
    spec: CoverageSpec,
    memory_budget: int | None = None,
    progress: Progress = SILENT,
    threads: int | None = 1,
) -> Coverage:
    """Compare sets by their nearest neighbours.

    Parameters
    ----------
    parts : sequence of DataPart
    representation : Representation
        Its columns are fixed by the elements of all sets; of local features the mean over the atoms is taken.
    memory_budget : int, bytes, optional

    Raises
    ------
    TooLargeError
        The features need more than the budget.
    ValueError
        The representation knows no distances, or cannot describe a structure.
    """
    if representation.kernel_only:
        raise ValueError(f"{representation.title} knows no distances: choose another representation")
    generator = np.random.default_rng(spec.seed)
    rows = tuple(_sample(part, spec.sample, generator) for part in parts)
    together = stacked([part.dataset.structures.take(r) for part, r in zip(parts, rows, strict=True)])
    need = representation.memory(together)
    if memory_budget is not None and need > memory_budget:
        raise TooLargeError(
            f"the features need {need / 2**30:.1f} GiB, more than the budget of {memory_budget / 2**30:.1f} GiB: take "
            "fewer structures of each set or a smaller representation"
        )
    progress(0.0, "Features")
    features = representation.compute(together, progress.part(0.0, 0.6), threads=threads).per_structure()
    ends = np.cumsum([0, *(len(r) for r in rows)])
    own = [np.ascontiguousarray(features[a:b]) for a, b in pairwise(ends.tolist())]
    k = len(parts)
    distances: list[list[Floats]] = []
    for a in range(k):
        line = []
        for b in range(k):
            done = 0.6 + 0.4 * (a * k + b) / k**2
            inside = progress.part(done, done + 0.4 / k**2)
            line.append(nearest_distances(own[b], None if a == b else own[a], inside))
        distances.append(line)
    threshold = np.array([_quantile(distances[a][a], spec.quantile) for a in range(k)])
    outside = np.full((k, k), np.nan)
    for a in range(k):
        for b in range(k):
            known = distances[a][b][np.isfinite(distances[a][b])]
            if len(known) and np.isfinite(threshold[a]):
                outside[a, b] = np.count_nonzero(known > threshold[a]) / len(known)
    names = tuple(part.name for part in parts)
    return Coverage(spec, representation, names, rows, distances, threshold, outside, tuple(len(p) for p in parts))


def distance_bins(distances: Sequence[Floats], count: int = 120) -> tuple[Floats, bool]:
    """Edges of bins for distances of several sets, and whether they are logarithmic.

    They are where the sets' medians differ by more than a factor of 20; distances of 0 then have no bin. Without a
    positive distance there are no edges.
    """
    positive = [known for d in distances if len(known := d[np.isfinite(d) & (d > 0)])]
    if not positive:
        return np.zeros(0), False
    high = max(float(d.max()) for d in positive)
    medians = [float(np.median(d)) for d in positive]
    if max(medians) <= 20 * min(medians):
        return np.linspace(0.0, 1.02 * high, count + 1), False
    low = min(float(np.quantile(d, 0.01)) for d in positive)
    return np.geomspace(0.7 * low, 1.3 * high, count + 1), True


def _sample(part: DataPart, limit: int, generator: np.random.Generator) -> Ints:
    rows = part.rows()
    if len(rows) <= limit:
        return rows
    chosen: Ints = np.sort(generator.choice(rows, limit, replace=False))
    return chosen


def _quantile(values: Floats, q: float) -> float:
    known = values[np.isfinite(values)]
    # an order statistic: no value between two distances that occur
    return float(np.quantile(known, q, method="inverted_cdf")) if len(known) else float("nan")


def stacked(parts: Sequence[Structures]) -> Structures:
    """Structures one after the other."""
    cells = None
    if any(s.cells is not None for s in parts):
        cells = np.concatenate([np.zeros((len(s), 3, 3)) if s.cells is None else s.cells for s in parts])
    starts = np.cumsum([0, *(len(s.numbers) for s in parts)])
    offsets = [np.zeros(1, np.int64), *(s.offsets[1:] + start for s, start in zip(parts, starts, strict=False))]
    return Structures(
        np.concatenate([s.numbers for s in parts]),
        np.concatenate([s.positions for s in parts]),
        np.concatenate(offsets),
        cells,
    )
