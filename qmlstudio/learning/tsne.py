"""t-distributed stochastic neighbour embedding, by openTSNE on exact neighbours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import (
    PARTIAL_SECONDS,
    Coordinates,
    Embedding,
    Neighbors,
    as_matrix,
    check_start,
    leading,
)
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]

EARLY = 250
"""Iterations with early exaggeration, which come first."""


@dataclass(frozen=True, kw_only=True)
class TSNE(Embedding):
    """t-distributed stochastic neighbour embedding."""

    name: ClassVar[str] = "tsne"
    title: ClassVar[str] = "t-SNE"
    help = (
        "t-distributed stochastic neighbour embedding: keeps each row's nearest neighbours together and spreads groups "
        "evenly. Near points are alike; distances between groups, their sizes and the axes mean little."
    )
    reference = "L. van der Maaten, G. Hinton, J. Mach. Learn. Res. 9, 2579 (2008); openTSNE: JSS 109, 3 (2024)"

    perplexity: float = param(
        30.0,
        label="Perplexity",
        low=1.0,
        high=500.0,
        step=5.0,
        stage="neighbors",
        help="Effective number of neighbours: few show detail, many the whole. At most a third of the rows.",
    )
    n_iter: int = param(
        500, label="Iterations", low=0, high=10_000, step=50, stage="layout", help="After 250 with early exaggeration."
    )
    exaggeration: float = param(
        1.0,
        label="Exaggeration",
        low=1.0,
        high=100.0,
        step=0.5,
        stage="layout",
        help="How much more than plain t-SNE neighbours are drawn together: more makes groups tighter.",
    )
    early_exaggeration: float = param(
        12.0, label="Early exaggeration", low=1.0, high=100.0, step=1.0, stage="layout", advanced=True
    )
    learning_rate: float | None = param(
        None,
        label="Learning rate",
        low=1e-3,
        high=1e6,
        stage="layout",
        advanced=True,
        none_label="automatic (rows / exaggeration, at least 200)",
    )
    seed: int = param(
        0,
        label="Seed",
        low=0,
        high=2**31 - 1,
        step=1,
        stage="layout",
        advanced=True,
        help="Of the noise that sets identical rows apart at the start.",
    )

    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """Three times the perplexity of nearest rows, and the principal components; see :meth:`Embedding.neighbors`."""
        from qmlstudio.learning.umap import nearest_and_components

        return nearest_and_components(as_matrix(features), int(3 * self.perplexity) + 1, progress, threads)

    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        target: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """The map, from the principal components or from `start`; see :meth:`Embedding.layout`.

        Maps of fewer than 10,000 rows and those in three dimensions use the Barnes–Hut tree, others interpolation by
        Fourier transforms. A cancel is heard after an iteration. `target` is not used.
        """
        began = time.perf_counter()
        n = len(neighbors.indices)
        total = EARLY + self.n_iter
        points = self._start(neighbors, start)
        progress(0.0, "Layout")
        if progress.wants_partial:
            progress.partial(Coordinates(points.copy(), epoch=0, n_epochs=total))
        details: dict[str, Any] = {"exact": neighbors.exact}
        if n >= 4:
            from qmlstudio.learning._threads import thread_count

            # openTSNE's threads wait for each other by spinning: on a busy machine small maps take ten times longer
            members = thread_count(threads) if n >= SERIAL_ROWS else 1
            points, divergence = self._descend(neighbors, points, progress, members)
            details["divergence"] = divergence
        details["seconds"] = time.perf_counter() - began
        final = Coordinates(points, epoch=total, n_epochs=total, details=details)
        if progress.wants_partial:
            progress.partial(final)
        progress(1.0, "Layout")
        return final

    def _descend(
        self, neighbors: Neighbors, points: NDArray[np.float64], progress: Progress, threads: int
    ) -> tuple[NDArray[np.float64], float]:
        """The points after all iterations, and their Kullback–Leibler divergence."""
        import openTSNE
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        n = len(points)
        index = PrecomputedNeighbors(
            np.ascontiguousarray(neighbors.indices[:, 1:]),
            np.ascontiguousarray(neighbors.distances[:, 1:], dtype=np.float64),
        )
        perplexity = min(self.perplexity, (n - 1) / 3)
        affinities = openTSNE.affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=threads)
        progress(0.02, "Layout")
        # the grid of the Fourier transforms is that of a plane
        method = "fft" if n >= 10_000 and self.n_components == 2 else "bh"
        embedding = openTSNE.TSNEEmbedding(points, affinities, negative_gradient_method=method, n_jobs=threads)
        total = EARLY + self.n_iter
        done, shown = 0, time.perf_counter()

        def follow(iteration: int, _: float, current: Array) -> bool:
            nonlocal shown
            now = done + iteration
            progress(0.02 + 0.98 * now / total, "Layout")
            if progress.wants_partial and now < total and time.perf_counter() - shown >= PARTIAL_SECONDS:
                shown = time.perf_counter()
                progress.partial(Coordinates(np.array(current, dtype=np.float64), epoch=now, n_epochs=total))
            return False

        every = 1
        for iterations, exaggeration in (
            (min(TRIAL, EARLY), self.early_exaggeration),
            (EARLY - min(TRIAL, EARLY), self.early_exaggeration),
            (self.n_iter, self.exaggeration),
        ):
            if iterations <= 0:
                continue
            started = time.perf_counter()
            embedding.optimize(
                iterations,
                inplace=True,
                exaggeration=exaggeration,
                momentum=0.8,
                learning_rate="auto" if self.learning_rate is None else self.learning_rate,
                callbacks=[follow],
                callbacks_every_iters=every,
                propagate_exception=True,
            )
            done += iterations
            if done == TRIAL:
                # the divergence, which each question costs, takes a part of an iteration
                every = max(1, int(SECONDS_BETWEEN / max((time.perf_counter() - started) / TRIAL, 1e-6)))
        return np.array(embedding, dtype=np.float64), float(embedding.kl_divergence)

    def _start(self, neighbors: Neighbors, start: Array | None) -> NDArray[np.float64]:
        """Where the descent starts: a standard deviation of 10⁻⁴ along the first axis, as openTSNE has it."""
        n, dimensions = len(neighbors.indices), self.n_components
        if start is None:
            points = leading(neighbors.components, dimensions)
        else:
            points = check_start(start, (n, dimensions)).copy()
        if n == 0:
            return points
        points -= points.mean(axis=0)
        deviation = float(points.std(axis=0).max())
        if deviation > 0.0:
            points *= 1e-4 / deviation
        # equal rows would stay on one another for ever
        scatter: NDArray[np.float64] = np.random.default_rng(self.seed).normal(0.0, 1e-6, (n, dimensions))
        return points + (scatter if deviation > 0.0 else 100.0 * scatter)


SERIAL_ROWS = 5_000
"""Maps of fewer rows take one thread."""
TRIAL = 5
"""Iterations that are timed to know how often the descent may ask whether it should go on."""
SECONDS_BETWEEN = 0.04
"""Time between two such questions."""
