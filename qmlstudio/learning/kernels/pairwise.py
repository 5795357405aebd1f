"""Kernels that compare one row of each structure: what they share, and the distances that they are functions of."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

if TYPE_CHECKING:
    from qmlstudio.learning.kernels._tiles import Side, Tile

Array = NDArray[Any]
Floats = NDArray[np.float64]

DISTANCES = ("l2sq", "l1", "w1", "w2sq")
"""Kinds of distance: squared Euclidean, city-block, Wasserstein-1 and squared Wasserstein-2 of the sorted rows."""
SAMPLE = 1000
"""Rows whose distances give an automatic scale."""


@dataclass(frozen=True, kw_only=True)
class PairwiseKernel(Kernel):
    """A kernel whose value is a function of two rows."""

    source: ClassVar[str]
    """What it is a function of: one of :data:`DISTANCES`, or "dot", the product of two rows."""

    @property
    def distance_kind(self) -> str | None:
        """The distance that :meth:`from_distances` takes; None where the kernel is no function of one alone."""
        return None

    @property
    def is_pairwise(self) -> bool:
        """Whether its matrix is made tile by tile; False where parts of it compare atoms."""
        return True

    def scaled(self, factor: float) -> Self:
        """The kernel with all its length scales multiplied; ValueError while one is unknown."""
        return self

    def check(self, rows: Rows) -> None:
        """See :meth:`Kernel.check`."""
        if self.scope == "global" and rows.is_local:
            raise ValueError(
                f"{self.title} compares one row of each structure: choose a representation of whole structures, or a "
                "local kernel"
            )
        super().check(rows)

    def _check_fitted(self) -> None:
        if not self.is_fitted:
            raise ValueError(f"{self.title}: the scale is not known yet; take it from the training rows by fitted()")

    def matrix(
        self,
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Array:
        """See :meth:`Kernel.matrix`. On one core a matrix of 5,000² takes some tenths of a second."""
        from qmlstudio.learning.kernels._tiles import fill

        self._check_fitted()
        self.check(a)
        if b is not None:
            self.check(b)
        if out is None:
            out = np.empty((len(a), len(a if b is None else b)), dtype=dtype)
        diagonal = self.diagonal(a) if b is None else None
        other = None if b is None else b.array
        return fill(self, a.array, other, out, progress, diagonal=diagonal, threads=threads)

    def blocks(
        self,
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        block_bytes: int = BLOCK_BYTES,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Iterator[tuple[int, int, Array]]:
        """See :meth:`Kernel.blocks`. The rows of `b` are prepared once for all blocks."""
        from qmlstudio.learning.kernels._tiles import fill

        if not self.is_pairwise:
            yield from super().blocks(a, b, progress, block_bytes=block_bytes, dtype=dtype, threads=threads)
            return
        self._check_fitted()
        other = a if b is None else b
        self.check(a)
        self.check(other)
        n, m = len(a), len(other)
        step = max(1, int(block_bytes // max(m * np.dtype(dtype).itemsize, 1)))
        buffer = np.empty((min(step, n), m), dtype=dtype)
        kept: dict[int, Side] = {}
        for start in range(0, n, step):
            stop = min(start + step, n)
            block = buffer[: stop - start]
            part = progress.part(start / n, stop / n)
            fill(self, a.array[start:stop], other.array, block, part, threads=threads, kept=kept)
            yield start, stop, block

    def diagonal(self, a: Rows) -> Floats:
        """See :meth:`Kernel.diagonal`."""
        from qmlstudio.learning.kernels._tiles import Side

        self._check_fitted()
        self.check(a)
        return self._own(Side(a.array, 0, {}, np.float64, SILENT))

    def from_distances(
        self, distances: Array, out: Array | None = None, progress: Progress = SILENT, *, threads: int | None = None
    ) -> Array:
        """The matrix of :meth:`matrix` from one of :func:`distance_matrix`, which other scales have in common.

        Parameters
        ----------
        distances : (n, m) float64 or float32
            Of the kind :attr:`distance_kind`; not changed unless it is also `out`.
        out : (n, m), optional
            Of the same precision.

        Raises
        ------
        ValueError
            The kernel is no function of one distance; a scale is not known.
        """
        from qmlstudio.learning._threads import SERIAL, team, thread_count
        from qmlstudio.progress import slices

        self._check_fitted()
        if self.distance_kind is None:
            raise ValueError(f"{self.title} is no function of one distance")
        out = np.empty(distances.shape, distances.dtype) if out is None else out
        found, step = out, max(1, (1 << 17) // max(distances.shape[1], 1))

        def work(start: int) -> None:
            rows = distances[start : start + step]
            values = self._evaluate_distances(np.array(rows, order="C"))
            found[start : start + step] = values

        starts = list(range(0, len(distances), step))
        workers = min(thread_count(threads), len(starts))
        if workers < 2:
            for first, last in slices(len(starts), progress, "Kernel matrix", first=8):
                SERIAL.run(work, starts[first:last])
        else:
            with team(workers) as members:
                for first, last in slices(len(starts), progress, "Kernel matrix", first=8 * workers):
                    members.run(work, starts[first:last])
        return out

    # What tiles ask; kernels of kernels have their own

    def uses(self) -> Counter[str]:
        """How often each source is taken for one tile."""
        return Counter((self.source,))

    def prepare(self, side: Side) -> None:
        """Compute what tiles want to know of each row."""

    @abstractmethod
    def evaluate(self, tile: Tile) -> Array:
        """The similarities of a tile, in memory taken of it."""

    @abstractmethod
    def _own(self, side: Side) -> Floats:
        """(n,) similarities of the rows with themselves."""

    def _evaluate_distances(self, values: Array) -> Array:
        """Similarities from distances (m, k), contiguous, which may be changed."""
        raise ValueError(f"{self.title} is no function of one distance")


@dataclass(frozen=True, eq=False)
class _Distance:
    """A distance itself, for tiles."""

    kind: str

    def uses(self) -> Counter[str]:
        return Counter((self.kind,))

    def prepare(self, side: Side) -> None:
        pass

    def evaluate(self, tile: Tile) -> Array:
        return tile.take(self.kind)


def distance_matrix(
    kind: str,
    a: Rows,
    b: Rows | None = None,
    progress: Progress = SILENT,
    *,
    out: Array | None = None,
    dtype: Any = np.float64,
    threads: int | None = None,
) -> Array:
    """Distances of all rows of `a` with all of `b`, or among those of `a`: what kernels of many scales share.

    Parameters
    ----------
    kind : str
        One of :data:`DISTANCES`. Squared distances come from products of rows moved to their mean, and those that
        cancel from differences: in float64 every one is good to a relative 1e-11.
    a, b, progress, out, dtype, threads
        As of :meth:`Kernel.matrix`.

    Returns
    -------
    (n, m) array
    """
    from qmlstudio.learning.kernels._tiles import fill

    if kind not in DISTANCES:
        raise ValueError(f"no distance {kind!r}: choose from {', '.join(DISTANCES)}")
    if a.is_local or (b is not None and b.is_local):
        raise ValueError("distances are those of structures: choose a representation of whole structures")
    if out is None:
        out = np.empty((len(a), len(a if b is None else b)), dtype=dtype)
    other = None if b is None else b.array
    return fill(_Distance(kind), a.array, other, out, progress, threads=threads, message="Distances")


def median_distance(rows: Rows, metric: str = "l2", seed: int = 0) -> float:
    """Median distance of different rows, of a random sample when there are many: the customary first scale.

    Where so many rows are equal that the median vanishes it is that of the different ones; 1 where all are equal.

    Parameters
    ----------
    metric : str
        "l2" or "l1", or "w1" and "w2" of the sorted rows.
    seed : int
        Of the sample of 1,000 rows.
    """
    n = len(rows)
    if n > SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
        rows = rows.take(chosen)
    kind = {"l2": "l2sq", "w2": "w2sq"}.get(metric, metric)
    distances = distance_matrix(kind, rows, threads=1)
    pairs = distances[np.triu_indices(len(rows), 1)]
    if kind.endswith("sq"):
        pairs = np.sqrt(pairs)
    if not len(pairs) or pairs.max() == 0.0:
        return 1.0
    pairs = pairs if np.median(pairs) > 1e-7 * pairs.max() else pairs[pairs > 1e-7 * pairs.max()]
    return float(np.median(pairs))
