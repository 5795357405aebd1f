"""The layout of UMAP: stochastic gradient descent, part by part, on any number of threads."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._dens_map import Density, advance_dense, map_radii
from qmlstudio.learning._fuzzy import Graph
from qmlstudio.learning._layout_loops import advance, advance_3d, advance_epochs, coefficient_tables
from qmlstudio.learning._threads import Team
from qmlstudio.progress import Progress

Array = NDArray[Any]

MAX_PART = 32768
"""Heads of a part at most: an epoch of it takes well below 50 ms, after which a cancel is heard."""


class Descent:
    """A running layout.

    Parameters
    ----------
    graph : Graph
    start : (n, 2) or (n, 3) array
    curve : (a, b)
    n_epochs, negatives, seed : int
    team : Team
        Its size does not change the result.
    density : Density, optional
        Makes the last epochs those of densMAP.
    """

    def __init__(
        self,
        graph: Graph,
        start: Array,
        curve: tuple[float, float],
        n_epochs: int,
        negatives: int,
        seed: int,
        team: Team,
        density: Density | None = None,
    ) -> None:
        n = len(start)
        self.live = np.ascontiguousarray(start, dtype=np.float32)
        if self.live is start:
            self.live = self.live.copy()
        self._old = self.live.copy()
        self.epoch = 0
        self.n_epochs = n_epochs
        # edges that would act less than once are left out
        rates = graph.weights / max(float(graph.weights.max(initial=0.0)), 1e-30)
        kept = rates * max(n_epochs, 1) >= 1.0
        before = np.concatenate([[0], np.cumsum(kept)])
        periods = np.divide(1.0, rates[kept], dtype=np.float32)
        edges = (before[graph.offsets], graph.tails[kept], periods, periods.copy())
        self._arrays = (*edges, coefficient_tables(*curve))
        self._values = (n_epochs, negatives, seed)
        self._flat = self.live.shape[1] == 2
        self._loop: Any = advance if self._flat else advance_3d
        self._density = None if density is None else density.of_map(curve, graph.weights[kept], n)
        parts = max(1, min(8, n // 512), -(-n // MAX_PART))
        self._cuts = np.linspace(0, n, parts + 1).astype(np.int64)
        # below, waiting for each other costs more than the second thread gives
        self._team = team if team.threads > 1 and n >= 4096 else None
        self._slice = 1

    def advance(self, progress: Progress) -> None:
        """Some epochs, about 30 ms of them but at least one; asks `progress` within long ones."""
        began = time.perf_counter()
        if self._team is not None or len(self._parts) > 8 or not self._flat or self._density is not None:
            while self.epoch < self.n_epochs and time.perf_counter() - began < 0.03:
                self._advance_parts(progress)
            return
        stop = min(self.epoch + self._slice, self.n_epochs)
        advance_epochs(self.live, self._old, self._cuts, *self._arrays, self.epoch, stop, *self._values)
        spent = max(time.perf_counter() - began, 1e-6)
        self._slice = max(1, min(int((stop - self.epoch) * 0.03 / spent), 4 * self._slice))
        self.epoch = stop

    def points(self) -> NDArray[np.float64]:
        """A copy of the coordinates."""
        return self.live.astype(np.float64)

    @property
    def _parts(self) -> list[tuple[int, int]]:
        return [(int(a), int(b)) for a, b in pairwise(self._cuts)]

    def _advance_parts(self, progress: Progress) -> None:
        """One epoch, part by part, on the team's threads."""
        np.copyto(self._old, self.live)
        epoch = self.epoch
        density = self._density
        if density is not None and density.acts(epoch, self.n_epochs):
            offsets, tails = self._arrays[:2]

            def measure(part: tuple[int, int]) -> None:
                map_radii(self._old, *part, offsets, tails, density.nearness, density.sums, density.radii)

            self._for_all_parts(measure, progress)
            terms = density.terms()

            def work(part: tuple[int, int]) -> None:
                advance_dense(self.live, self._old, *part, *self._arrays, epoch, *self._values, *terms)

        else:

            def work(part: tuple[int, int]) -> None:
                self._loop(self.live, self._old, *part, *self._arrays, epoch, *self._values)

        self._for_all_parts(work, progress)
        self.epoch += 1

    def _for_all_parts(self, work: Any, progress: Progress) -> None:
        parts = self._parts
        together = max(8, self._team.threads if self._team is not None else 1)
        for first in range(0, len(parts), together):
            progress.check()
            if self._team is not None:
                self._team.run(work, parts[first : first + together])
            else:
                for part in parts[first : first + together]:
                    progress.check()
                    work(part)
