"""Maps of sets whose features do not fit into memory: landmarks make the map, the rest is placed on it in chunks.

No more features than a budget allows are ever in memory: first those of the candidates among which the landmarks are
chosen, then those of the landmarks and of one chunk of the rest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding_base import Coordinates, Embedding
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.learning.projection import LINEAR_ROWS, Projector
from qmlstudio.learning.quality import Quality, quality
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Representation

Array = NDArray[Any]
Found = NDArray[np.int64]
Singles = NDArray[np.float32]

DEFAULT_BUDGET = 2 * 2**30
CHUNK_BYTES = 2**26
"""Features of a chunk at most: larger ones gain nothing."""
LEAST_LANDMARKS = 50
"""Fewer, where more were asked for, make no map worth the name."""
PROBE = 32
"""Structures whose features are timed for the progress."""
PARTIAL_SECONDS = 0.5
"""Time between two intermediate maps, which are as long as the whole set."""


@dataclass(frozen=True, eq=False)
class BigMap:
    """A map of landmarks with all other structures placed on it.

    Attributes
    ----------
    coordinates : Coordinates
        Of all structures; NaN for those whose features are not finite. Its details hold "quality" (that of the
        landmarks' map, its distortion NaN elsewhere), "landmarks" and "projected" (their numbers).
    landmarks : (L,) int64
        Which structures the map is made of, ascending.
    quality : Quality
        Of the landmarks' map: its distortion is (L,).
    projected : int
        How many structures were placed.
    unplaced : int
        How many have features that are not finite.
    """

    coordinates: Coordinates
    landmarks: Found
    quality: Quality
    projected: int
    unplaced: int


@dataclass(frozen=True)
class Plan:
    """How a budget is spent.

    Attributes
    ----------
    columns : int
    candidates : int
        Rows among which landmarks are chosen at most.
    landmarks : int
        Rows of the map at most.
    chunk : int
        Rows that are placed together: a multiple of what is projected together, so that no number depends on it.
    """

    columns: int
    candidates: int
    landmarks: int
    chunk: int


def plan(
    representation: Representation, structures: Structures, embedding: Embedding, landmarks: Landmarks, budget: int
) -> Plan:
    """Divide `budget` bytes; raises :class:`qmlstudio.session.stages.TooLargeError` when they are too few.

    A quarter is kept free for what the methods need meanwhile (blocks in double precision, graphs, coordinates).
    """
    n, d = len(structures), representation.size(structures.species)
    row = 4 * max(d, 1)
    least = LINEAR_ROWS * row
    room = budget // 2
    chunk = int(np.clip(min(CHUNK_BYTES, budget // 4) // row, LINEAR_ROWS, max(LINEAR_ROWS, n)))
    chunk -= chunk % LINEAR_ROWS
    most = room // row
    count = min(landmarks.count, n, most)
    if embedding.max_rows is not None:
        # it holds a number for each pair
        count = min(count, embedding.max_rows, math.isqrt(budget // 32))
    if most < min(LEAST_LANDMARKS, n) or least > budget // 4:
        from qmlstudio.session.stages import TooLargeError

        need = max(2 * min(LEAST_LANDMARKS, n) * row, 4 * least)
        raise TooLargeError(
            f"a map with {d:,} columns needs {need / 2**30:.2f} GiB even of a few landmarks, more than the budget of "
            f"{budget / 2**30:.2f} GiB: take a smaller representation, or raise the budget in the preferences"
        )
    return Plan(d, int(min(max(landmarks.candidates, count), n, most)), int(count), chunk)


def big_map(
    representation: Representation,
    structures: Structures,
    embedding: Embedding,
    landmarks: Landmarks,
    budget: int | None = None,
    progress: Progress = SILENT,
    threads: int | None = None,
    target: Array | None = None,
) -> BigMap:
    """The map of any number of structures.

    Parameters
    ----------
    budget : int, bytes, optional
        Of memory, beyond what the structures themselves take; 2 GiB when not given. Chunks do not change the result;
        where candidates or landmarks have to be fewer than asked for, it does.
    progress : Progress
        A receiver of partial results gets :class:`Coordinates` of all structures, NaN where they have no place yet.
    target : (n,) array, optional
        Values that supervise the map; see :meth:`Embedding.layout`.

    Raises
    ------
    TooLargeError
        When the budget does not even suffice for a few landmarks.
    ValueError
        As the representation and the embedding do.
    """
    began = time.perf_counter()
    n = len(structures)
    division = plan(representation, structures, embedding, landmarks, budget or DEFAULT_BUDGET)
    source = _Source(representation, structures, threads)
    steps = _Steps(source, embedding, division, n)
    progress(0.0, "Landmarks")
    landmarks = landmarks.with_values(count=max(division.landmarks, 3)) if n > 3 else landmarks
    candidates = landmarks.draw(n, division.candidates)
    features = np.empty((len(candidates), division.columns), dtype=np.float32)
    source.fill(candidates, features, steps.next(progress, "candidates"))
    chosen = np.sort(landmarks.select(features, steps.next(progress, "choice"), threads))
    # landmarks move to the front of the array, whose rest is given back: no moment holds both
    for place, row in enumerate(chosen):
        features[place] = features[row]
    features.resize((len(chosen), division.columns), refcheck=False)
    own = candidates[chosen]

    part = steps.next(progress, "map")
    spread = _spread(part, own, n, embedding.n_components)
    neighbors = embedding.neighbors(features, spread.part(0.0, 0.4), threads)
    more = {} if target is None else {"target": np.asarray(target)[own]}
    made = embedding.layout(neighbors, spread.part(0.4, 0.9), threads=threads, **more)
    found = quality(
        features, made.points, neighbors=neighbors, progress=_without_partial(part.part(0.9, 1.0)), threads=threads
    )
    points = np.full((n, made.points.shape[1]), np.nan)
    points[own] = made.points
    coordinates = replace(made, points=points)

    part = steps.next(progress, "rest")
    projector = Projector(embedding, neighbors, features, made.points, part.part(0.0, 0.05), threads)
    rest = np.setdiff1d(np.arange(n), own, assume_unique=True)
    buffer = np.empty((min(division.chunk, len(rest)), division.columns), dtype=np.float32)
    part, shown = part.part(0.05, 1.0), time.perf_counter()
    for start in range(0, len(rest), division.chunk):
        rows = rest[start : start + division.chunk]
        low, middle, high = (min((start + s * len(rows)) / len(rest), 1.0) for s in (0.0, 0.8, 1.0))
        source.fill(rows, buffer[: len(rows)], part.part(low, middle))
        points[rows] = projector.project(buffer[: len(rows)], part.part(middle, high))
        if part.wants_partial and time.perf_counter() - shown >= PARTIAL_SECONDS and start + len(rows) < len(rest):
            part.partial(replace(coordinates, points=points.copy()))
            shown = time.perf_counter()
    unplaced = int(np.count_nonzero(~np.isfinite(points).all(axis=1)))
    distortion = np.full(n, np.nan, dtype=np.float32)
    distortion[own] = found.distortion
    details = made.details | {
        "quality": replace(found, distortion=distortion),
        "landmarks": len(own),
        "projected": n - len(own) - unplaced,
        "seconds": time.perf_counter() - began,
    }
    coordinates = replace(coordinates, details=details)
    progress(1.0)
    return BigMap(coordinates, own, found, n - len(own) - unplaced, unplaced)


class _Source:
    """Features of any structures of a set, in single precision, one row each."""

    def __init__(self, representation: Representation, structures: Structures, threads: int | None) -> None:
        self.representation, self.structures, self.threads = representation, structures, threads
        self.species = structures.species
        self._columns = representation.size(self.species)

    def fill(self, rows: Found, out: Singles, progress: Progress) -> None:
        """Write the features of the structures `rows` to `out` (len(rows), d)."""
        if not self.representation.local:
            for start, stop in self._portions(np.ones(len(rows), dtype=np.int64)):
                some = progress.part(start / len(rows), stop / len(rows))
                self._compute(self.structures.take(rows[start:stop]), some, out[start:stop])
            return
        # one row for each atom: as many structures together as a chunk's bytes allow
        for start, stop in self._portions(self.structures.sizes[rows]):
            some = progress.part(start / len(rows), stop / len(rows))
            found = self._compute(self.structures.take(rows[start:stop]), some, None)
            out[start:stop] = found.per_structure()

    def seconds(self) -> float:
        """About how long one structure takes, from some all over the set."""
        n = len(self.structures)
        if n == 0:
            return 0.0
        some = self.structures.take(np.unique(np.linspace(0, n - 1, min(n, PROBE)).astype(np.int64)))
        # compiled before it is timed
        self._compute(some.take(slice(0, 1)), SILENT, None)
        began = time.perf_counter()
        self._compute(some, SILENT, None)
        return (time.perf_counter() - began) / len(some)

    def _compute(self, structures: Structures, progress: Progress, out: Singles | None) -> Any:
        return self.representation.compute(
            structures, progress, species=self.species, out=out, dtype=np.float32, threads=self.threads
        )

    def _portions(self, sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Ranges of structures whose rows, so many of each, take about a chunk's bytes."""
        most = max(1, CHUNK_BYTES // (4 * max(self._columns, 1)))
        before = np.concatenate([[0], np.cumsum(sizes)])
        portions, start = [], 0
        while start < len(sizes):
            stop = max(start + 1, int(np.searchsorted(before, before[start] + most, side="right")) - 1)
            portions.append((start, stop))
            start = stop
        return portions


class _Steps:
    """Shares of the whole, by what the steps are expected to take."""

    def __init__(self, source: _Source, embedding: Embedding, division: Plan, n: int) -> None:
        rest = max(n - division.landmarks, 0)
        each = source.seconds()
        d, m = division.columns, division.landmarks
        seconds = {
            "candidates": each * division.candidates,
            "choice": m * division.candidates * 25e-9 + division.candidates * d * 5e-7,
            "map": m * (4e-4 + d * 1e-7) + 0.5,
            "rest": rest * (each + 2e-5 + d * 5e-9),
        }
        total = math.fsum(seconds.values())
        self._bounds, low = {}, 0.0
        for name, value in seconds.items():
            self._bounds[name] = (low, min(low + value / total, 1.0))
            low += value / total

    def next(self, progress: Progress, name: str) -> Progress:
        """The step's share of the progress."""
        return progress.part(*self._bounds[name])


def _spread(progress: Progress, own: Found, n: int, dimensions: int) -> Progress:
    """A progress whose partial maps of landmarks become maps of all structures, now and then."""
    if not progress.wants_partial:
        return progress
    last = [0.0]

    def partial(value: Any) -> None:
        now = time.perf_counter()
        if isinstance(value, Coordinates) and now - last[0] >= max(0.06, n * 1e-7):
            points = np.full((n, dimensions), np.nan)
            points[own] = value.points
            progress.partial(replace(value, points=points))
            last[0] = time.perf_counter()

    return Progress(progress, _asks(progress), partial, interval=0.0)


def _without_partial(progress: Progress) -> Progress:
    """A progress that hands out nothing: what comes on the way is no map."""
    return Progress(progress, _asks(progress), interval=0.0)


def _asks(progress: Progress) -> Callable[[], bool]:
    """What raises when the progress was cancelled."""

    def is_cancelled() -> bool:
        progress.check()
        return False

    return is_cancelled
