"""The loops of UMAP's layout: gradient descent with negative sampling (McInnes, Healy, Melville 2018, §3.2).

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

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

Array = NDArray[Any]

_STEPS = 7
"""Leading bits of the mantissa that a table resolves: 128 entries for each power of two."""
_LOW, _HIGH = -20, 40
"""Powers of two that the tables cover: squared distances outside act like the nearest within."""
_SHIFT = 23 - _STEPS
_BASE = (127 + _LOW) << _STEPS
_LAST = ((_HIGH - _LOW) << _STEPS) - 1


def squared_distances_of_tables() -> NDArray[np.float64]:
    """The squared distances (entries,) at the middles of the tables' entries."""
    middle = 1 << (_SHIFT - 1)
    bits = ((np.arange(_LAST + 1, dtype=np.int64) + _BASE) << _SHIFT) + middle
    return bits.astype(np.int32).view(np.float32).astype(np.float64)


def coefficient_tables(a: float, b: float) -> NDArray[np.float32]:
    """Attraction and repulsion over squared distance, divided by the difference of the coordinates.

    Returns
    -------
    (2, entries) float32
        attraction −2ab d^(2b−2) / (1 + a d^2b); repulsion 2b / ((0.001 + d²)(1 + a d^2b))
    """
    squared = squared_distances_of_tables()
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
def mix(x: Any) -> Any:
    """Mix the bits of a 32-bit number ("lowbias32" of C. Wellons)."""
    # numba widens products of 32-bit numbers to 64 bits
    x = np.uint32(x)
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@njit(nogil=True, cache=True, inline="always")
def place_of(squared: Any) -> Any:
    """Where a squared distance stands in the tables."""
    place = (_bits(np.float32(squared)) >> np.int32(_SHIFT)) - np.int32(_BASE)
    return min(max(place, np.int32(0)), np.int32(_LAST))


@njit(nogil=True, cache=True, inline="always")
def clip(value: Any) -> Any:
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
        state = mix(np.uint32(seed) + mix(np.uint32(epoch) * np.uint32(0x9E3779B9) + np.uint32(i)))
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
            c = pull[place_of(dx * dx + dy * dy)]
            sx = clip(c * dx)
            sy = clip(c * dy)
            if inside:
                live[j, 0] -= step * sx
                live[j, 1] -= step * sy
            else:
                sx *= two
                sy *= two
            for t in range(negatives):
                drawn = mix(state + count + np.uint32(t))
                r = np.int64((np.uint64(drawn) * n) >> np.uint64(32))
                dx = x - old[r, 0]
                dy = y - old[r, 1]
                c = push[place_of(dx * dx + dy * dy)]
                sx += clip(c * dx)
                sy += clip(c * dy)
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


@njit(nogil=True, cache=True, fastmath=True)
def advance_3d(
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
    """What :func:`advance` does, of coordinates (n, 3)."""
    n = np.uint64(len(live))
    now = np.float32(epoch + 1)
    step = np.float32(1.0 - epoch / n_epochs)
    two = np.float32(2.0)
    pull = tables[0]
    push = tables[1]
    for i in range(first, last):
        x = live[i, 0]
        y = live[i, 1]
        z = live[i, 2]
        state = mix(np.uint32(seed) + mix(np.uint32(epoch) * np.uint32(0x9E3779B9) + np.uint32(i)))
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
                dz = z - live[j, 2]
            else:
                dx = x - old[j, 0]
                dy = y - old[j, 1]
                dz = z - old[j, 2]
            c = pull[place_of(dx * dx + dy * dy + dz * dz)]
            sx = clip(c * dx)
            sy = clip(c * dy)
            sz = clip(c * dz)
            if inside:
                live[j, 0] -= step * sx
                live[j, 1] -= step * sy
                live[j, 2] -= step * sz
            else:
                sx *= two
                sy *= two
                sz *= two
            for t in range(negatives):
                drawn = mix(state + count + np.uint32(t))
                r = np.int64((np.uint64(drawn) * n) >> np.uint64(32))
                dx = x - old[r, 0]
                dy = y - old[r, 1]
                dz = z - old[r, 2]
                c = push[place_of(dx * dx + dy * dy + dz * dz)]
                sx += clip(c * dx)
                sy += clip(c * dy)
                sz += clip(c * dz)
            count = np.uint32(count + np.uint32(negatives))
            x += step * sx
            y += step * sy
            z += step * sz
        live[i, 0] = x
        live[i, 1] = y
        live[i, 2] = z
