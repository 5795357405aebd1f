"""The layout of UMAP: stochastic gradient descent with negative sampling (McInnes, Healy, Melville 2018, §3.2).

Each edge of the graph acts in a share of the epochs given by its weight: it draws its two ends together and pushes its
head away from a few vertices drawn at random. What the loops do differently from literal ones, and why:

- The coefficients hold the power d^2b. They depend on d² alone and are read from tables over log2 d², whose place is
  the leading bits of the single-precision number itself; the tables' grain (0.4 %) drowns in the method's own noise.
- Edges are sorted by head, so that a head's coordinates stay in registers.
- The pull and the pushes of one edge start from the same place: the processor computes them side by side, while one
  after the other each would wait for the last. Not so all edges of a head together: near ones would add up to jumps.
- Random numbers are a hash of (seed, epoch, head, count): no state, the same whatever thread comes by.
- Heads are split into parts that belong to one thread each. A part sees its own vertices as they move and the others
  where they were when the epoch began, so that the result does not depend on the number of threads. Within a part an
  edge moves both ends; of an edge that leaves the part only the head moves, twice as far, and the other end does the
  same from its own part: every pull has its counterpart. Without that clusters wander off, and the map is worse.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._fuzzy import Graph
from qmlstudio.learning._threads import Team
from qmlstudio.progress import Progress

Array = NDArray[Any]

_STEPS = 7
"""Leading bits of the mantissa that a table resolves: 128 entries for each power of two."""
_LOW, _HIGH = -20, 40
"""Powers of two that the tables cover: squared distances outside act like the nearest within."""
_SHIFT = 23 - _STEPS
_BASE = (127 + _LOW) << _STEPS
_LAST = ((_HIGH - _LOW) << _STEPS) - 1
MAX_PART = 32768
"""Heads of a part at most: an epoch of it takes well below 50 ms, after which a cancel is heard."""


def coefficient_tables(a: float, b: float) -> NDArray[np.float32]:
    """Attraction and repulsion over squared distance, divided by the difference of the coordinates.

    Returns
    -------
    (2, entries) float32
        attraction −2ab d^(2b−2) / (1 + a d^2b); repulsion 2b / ((0.001 + d²)(1 + a d^2b))
    """
    middle = 1 << (_SHIFT - 1)
    bits = ((np.arange(_LAST + 1, dtype=np.int64) + _BASE) << _SHIFT) + middle
    squared = bits.astype(np.int32).view(np.float32).astype(np.float64)
    power = squared**b
    attraction = -2.0 * a * b * (power / squared) / (1.0 + a * power)
    repulsion = 2.0 * b / ((0.001 + squared) * (1.0 + a * power))
    return np.array([attraction, repulsion], dtype=np.float32)


@intrinsic
def _bits(typing_context: Any, value: Any) -> Any:
    """The bits of a float32 as an int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@njit(nogil=True, cache=True, inline="always")
def _hash(x: Any) -> Any:
    """Mix the bits of a 32-bit number ("lowbias32" of C. Wellons)."""
    # numba widens products of 32-bit numbers to 64 bits
    x = np.uint32(x)
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@njit(nogil=True, cache=True, inline="always")
def _place(squared: Any) -> Any:
    """Where a squared distance stands in the tables."""
    place = (_bits(np.float32(squared)) >> np.int32(_SHIFT)) - np.int32(_BASE)
    return min(max(place, np.int32(0)), np.int32(_LAST))


@njit(nogil=True, cache=True, inline="always")
def _clip(value: Any) -> Any:
    """A step's component, at most 4."""
    return min(max(value, np.float32(-4.0)), np.float32(4.0))


@njit(nogil=True, cache=True, fastmath=True)
def advance(
    live: Array,
    old: Array,
    first: int,
    last: int,
    offsets: Array,
    tails: Array,
    periods: Array,
    due: Array,
    tables: Array,
    epoch: int,
    n_epochs: int,
    negatives: int,
    seed: int,
) -> None:
    """One epoch of the heads ``first:last``.

    Parameters
    ----------
    live : (n, 2) float32
        Coordinates; rows ``first:last`` move.
    old : (n, 2) float32
        All coordinates when the epoch began.
    offsets, tails
        Edges of each head.
    periods : (m,) float32
        Epochs between two actions of an edge, at least 1.
    due : (m,) float32
        When each edge acts next; `periods` at first.
    tables
        From :func:`coefficient_tables`.
    epoch, n_epochs : int
        From 0; the learning rate falls linearly from 1 to 0.
    negatives : int
        Random vertices for each acting edge.
    """
    n = np.uint64(len(live))
    now = np.float32(epoch + 1)
    step = np.float32(1.0 - epoch / n_epochs)
    two = np.float32(2.0)
    pull = tables[0]
    push = tables[1]
    for i in range(first, last):
        x = live[i, 0]
        y = live[i, 1]
        state = _hash(np.uint32(seed) + _hash(np.uint32(epoch) * np.uint32(0x9E3779B9) + np.uint32(i)))
        count = np.uint32(0)
        for e in range(offsets[i], offsets[i + 1]):
            if due[e] > now:
                continue
            due[e] += periods[e]
            j = tails[e]
            inside = first <= j < last
            if inside:
                dx = x - live[j, 0]
                dy = y - live[j, 1]
            else:
                dx = x - old[j, 0]
                dy = y - old[j, 1]
            c = pull[_place(dx * dx + dy * dy)]
            sx = _clip(c * dx)
            sy = _clip(c * dy)
            if inside:
                live[j, 0] -= step * sx
                live[j, 1] -= step * sy
            else:
                sx *= two
                sy *= two
            for t in range(negatives):
                drawn = _hash(state + count + np.uint32(t))
                r = np.int64((np.uint64(drawn) * n) >> np.uint64(32))
                dx = x - old[r, 0]
                dy = y - old[r, 1]
                c = push[_place(dx * dx + dy * dy)]
                sx += _clip(c * dx)
                sy += _clip(c * dy)
            count = np.uint32(count + np.uint32(negatives))
            x += step * sx
            y += step * sy
        live[i, 0] = x
        live[i, 1] = y


@njit(nogil=True, cache=True)
def advance_epochs(
    live: Array,
    old: Array,
    cuts: Array,
    offsets: Array,
    tails: Array,
    periods: Array,
    due: Array,
    tables: Array,
    epoch: int,
    stop: int,
    n_epochs: int,
    negatives: int,
    seed: int,
) -> None:
    """The epochs ``epoch:stop`` of all parts, one after the other; `cuts` are the parts' bounds."""
    for now in range(epoch, stop):
        for i in range(len(live)):
            old[i, 0] = live[i, 0]
            old[i, 1] = live[i, 1]
        for part in range(len(cuts) - 1):
            advance(
                live,
                old,
                cuts[part],
                cuts[part + 1],
                offsets,
                tails,
                periods,
                due,
                tables,
                now,
                n_epochs,
                negatives,
                seed,
            )


class Descent:
    """A running layout.

    Parameters
    ----------
    graph : Graph
    start : (n, 2) array
    curve : (a, b)
    n_epochs, negatives, seed : int
    team : Team
        Its size does not change the result.
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
        parts = max(1, min(8, n // 512), -(-n // MAX_PART))
        self._cuts = np.linspace(0, n, parts + 1).astype(np.int64)
        # below, waiting for each other costs more than the second thread gives
        self._team = team if team.threads > 1 and n >= 4096 else None
        self._slice = 1

    def advance(self, progress: Progress) -> None:
        """Some epochs, about 30 ms of them but at least one; asks `progress` within long ones."""
        began = time.perf_counter()
        if self._team is not None or len(self._parts) > 8:
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

        def work(part: tuple[int, int]) -> None:
            advance(self.live, self._old, *part, *self._arrays, epoch, *self._values)

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
        self.epoch += 1
