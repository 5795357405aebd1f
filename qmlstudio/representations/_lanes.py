"""Molecules side by side: which share a vector, and their atoms and interactions in lane order.

In every buffer here quantity k of lane l stands at ``k * WIDTH + l``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._simd import WIDTH, fma, load, root, splat, store, where_greater

# isort: split
from numba import njit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW = 8192
"""Structures are reordered only within windows of this length: a result on disk is filled from front to back."""
_COINCIDENT2 = COINCIDENT**2


@dataclass(frozen=True)
class Plan:
    """Which structures share a vector.

    Attributes
    ----------
    order : (n,) int64
        The structures, such that those which go together are neighbours.
    first, count : (c,) int64
        Chunk k holds the structures ``order[first[k] : first[k] + count[k]]``, at most WIDTH.
    """

    order: Ints
    first: Ints
    count: Ints

    def where(self, chosen: NDArray[np.bool_]) -> Plan:
        """Only the chosen chunks, (c,) bool."""
        return Plan(self.order, self.first[chosen], self.count[chosen])


def plan(keys: NDArray[Any], strict: bool) -> Plan:
    """Chunks of structures with equal (`strict`) or similar keys.

    Parameters
    ----------
    keys : (n,) integers
        Size, or anything else by which structures are alike.
    strict : bool
        Whether a chunk may hold only equal keys; otherwise neighbours in key order share one.
    """
    n = len(keys)
    order = np.empty(n, dtype=np.int64)
    starts = [np.zeros(0, np.int64)]
    for low in range(0, n, WINDOW):
        part = keys[low : low + WINDOW]
        inside = np.argsort(part, kind="stable")
        order[low : low + len(part)] = inside + low
        if strict:
            ordered = part[inside]
            groups = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
            lengths = np.diff(np.concatenate([groups, [len(part)]]))
            chunks = -(-lengths // WIDTH)
            rank = np.arange(chunks.sum()) - np.repeat(np.cumsum(chunks) - chunks, chunks)
            starts.append(low + np.repeat(groups, chunks) + rank * WIDTH)
        else:
            starts.append(np.arange(low, low + len(part), WIDTH))
    first = np.concatenate(starts).astype(np.int64)
    count = np.diff(np.concatenate([first, [n]])) if n else np.zeros(0, np.int64)
    return Plan(order, first, count.astype(np.int64))


@njit(nogil=True, cache=True)
def gather(
    numbers: Any, positions: Any, offsets: Any, members: Any, count: int, size: int, z: Any, x: Any, y: Any, w: Any
) -> None:
    """Atoms of `count` structures of `size` atoms into lanes: charges to `z`, positions (Å) to `x`, `y`, `w`.

    Lanes beyond `count` repeat the last structure, so that they hold ordinary numbers.
    """
    for l in range(WIDTH):
        start = offsets[members[min(l, count - 1)]]
        for i in range(size):
            z[i * WIDTH + l] = numbers[start + i]
            x[i * WIDTH + l] = positions[start + i, 0]
            y[i * WIDTH + l] = positions[start + i, 1]
            w[i * WIDTH + l] = positions[start + i, 2]


@njit(nogil=True, cache=True)
def interactions(size: int, unit: float, z: Any, x: Any, y: Any, w: Any, packed: Any, bad: Any) -> None:
    """Z_i Z_j / r_ij of all pairs i > j into `packed` (lower triangle with diagonal, row by row; diagonal untouched).

    `unit` is the length unit in Å. A lane of `bad` becomes positive where two atoms lie at the same place.
    """
    flag = splat(0.0)
    one = splat(1.0)
    limit = splat(_COINCIDENT2)
    scale = splat(unit)
    at = 0
    for i in range(size):
        zi, xi, yi, wi = load(z, i * WIDTH) * scale, load(x, i * WIDTH), load(y, i * WIDTH), load(w, i * WIDTH)
        for j in range(0, i * WIDTH, WIDTH):
            dx, dy, dw = xi - load(x, j), yi - load(y, j), wi - load(w, j)
            square = fma(dx, dx, fma(dy, dy, dw * dw))
            flag = where_greater(square, limit, flag, one)
            store(packed, at, zi * load(z, j) / root(square))
            at += WIDTH
        at += WIDTH
    store(bad, 0, flag)


@njit(nogil=True, cache=True)
def first_bad(members: Any, count: int, bad: Any, found: int) -> int:
    """The smallest structure among `found` (−1: none) and those whose lane of `bad` is positive."""
    for l in range(count):
        if bad[l] > 0.0 and (found < 0 or members[l] < found):
            found = members[l]
    return found
