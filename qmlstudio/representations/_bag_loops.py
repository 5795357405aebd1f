"""Compiled loops of the bag of bonds (buffers in lane order, see ``_lanes``).

The molecules of a chunk have similar, not equal compositions: each element has as many slots as the richest of them
has atoms, and the slots that a lane leaves empty hold atoms without charge, whose entries are zero and sort to the
end of their bags. So every bag has the same length in all lanes and a sorting network can sort all of them at once.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._lanes import first_bad
from qmlstudio.representations._simd import (
    WIDTH,
    fma,
    larger,
    load,
    root,
    smaller,
    splat,
    store,
    where_greater,
)

# isort: split
from numba import njit

# Å between the atoms that stand in empty slots; farther than any molecule is wide
_NOWHERE = 1e12
_COINCIDENT2 = COINCIDENT**2


def scratch_size(atoms: int, largest_bag: int) -> int:
    """Doubles of scratch for molecules that share `atoms` slots and bags of at most `largest_bag` pairs."""
    return WIDTH * (4 * atoms + largest_bag + 1)


@njit(nogil=True, cache=True)
def compositions(numbers: Any, offsets: Any, element: Any, counts: Any) -> None:
    """How many atoms of each element every structure has, into the zeros of `counts` (n, e)."""
    for s in range(len(offsets) - 1):
        for i in range(offsets[s], offsets[s + 1]):
            counts[s, element[numbers[i]]] += 1


@njit(nogil=True, cache=True)
def sort_descending(size: int, values: Any) -> None:
    """Sort each lane of `values` (size · WIDTH,) in descending order.

    Batcher's merge exchange for any number of keys: D. E. Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M.
    """
    top = 1
    while 2 * top < size:
        top *= 2
    p = top
    while p > 0 and size > 1:
        q, r, d = top, 0, p
        while True:
            for start in range(r, size - d, 2 * p):
                for i in range(start * WIDTH, min(start + p, size - d) * WIDTH, WIDTH):
                    a, b = load(values, i), load(values, i + d * WIDTH)
                    store(values, i, larger(a, b))
                    store(values, i + d * WIDTH, smaller(a, b))
            if q == p:
                break
            d = q - p
            q //= 2
            r = p
        p //= 2


@njit(nogil=True, cache=True)
def bag_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    order: Any,
    first: Any,
    count: Any,
    start: int,
    stop: int,
    step: int,
    unit: float,
    self_terms: Any,
    element: Any,
    elements: Any,
    limits: Any,
    counts: Any,
    work: Any,
    slots: Any,
    out: Any,
) -> int:
    """Bags of chunks ``start:stop:step`` into the rows of `out`.

    Parameters
    ----------
    element : (256,) int64
        Index of an atomic number among the elements.
    elements, limits : (e,) int64
        Atomic numbers, and of how many atoms each the columns are made.
    counts : (n, e) int64
        Composition of each structure.
    slots : (3, e) int64
        Scratch: slots of each element, its first, the next free one.

    Returns the first structure with atoms at the same place, or −1.
    """
    found = -1
    kinds = len(elements)
    scale, limit, one = splat(unit), splat(_COINCIDENT2), splat(1.0)
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        lanes = len(members)
        total = 0
        for e in range(kinds):
            most = 0
            for l in range(lanes):
                most = max(most, counts[members[l], e])
            slots[0, e] = most
            slots[1, e] = total
            total += most
        span = total * WIDTH
        z, x, y, w = work[:span], work[span : 2 * span], work[2 * span : 3 * span], work[3 * span : 4 * span]
        bad = work[4 * span : 4 * span + WIDTH]
        bag = work[4 * span + WIDTH :]
        for k in range(total):
            store(z, k * WIDTH, splat(0.0))
            store(x, k * WIDTH, splat(_NOWHERE * (k + 1)))
            store(y, k * WIDTH, splat(0.0))
            store(w, k * WIDTH, splat(0.0))
        for l in range(lanes):
            for e in range(kinds):
                slots[2, e] = slots[1, e]
            for i in range(offsets[members[l]], offsets[members[l] + 1]):
                e = element[numbers[i]]
                k = slots[2, e] * WIDTH + l
                slots[2, e] += 1
                z[k] = numbers[i]
                x[k] = positions[i, 0]
                y[k] = positions[i, 1]
                w[k] = positions[i, 2]
        flag = splat(0.0)
        column = 0
        for e in range(kinds):
            term = self_terms[elements[e]]
            for l in range(lanes):
                have = counts[members[l], e]
                for k in range(limits[e]):
                    out[members[l], column + k] = term if k < have else 0.0
            column += limits[e]
            for f in range(e, kinds):
                length = 0
                for i in range(slots[1, e], slots[1, e] + slots[0, e]):
                    at = i * WIDTH
                    zi, xi, yi, wi = load(z, at) * scale, load(x, at), load(y, at), load(w, at)
                    for j in range(i + 1 if f == e else slots[1, f], slots[1, f] + slots[0, f]):
                        to = j * WIDTH
                        dx, dy, dw = xi - load(x, to), yi - load(y, to), wi - load(w, to)
                        square = fma(dx, dx, fma(dy, dy, dw * dw))
                        flag = where_greater(square, limit, flag, one)
                        store(bag, length * WIDTH, zi * load(z, to) / root(square))
                        length += 1
                sort_descending(length, bag)
                width = limits[e] * (limits[e] - 1) // 2 if f == e else limits[e] * limits[f]
                for l in range(lanes):
                    a, b = counts[members[l], e], counts[members[l], f]
                    have = a * (a - 1) // 2 if f == e else a * b
                    for k in range(have):
                        out[members[l], column + k] = bag[k * WIDTH + l]
                    for k in range(have, width):
                        out[members[l], column + k] = 0.0
                column += width
        store(bad, 0, flag)
        found = first_bad(members, lanes, bad, found)
    return found
