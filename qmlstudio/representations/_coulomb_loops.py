"""Compiled loops of the Coulomb matrix (buffers in lane order, see ``_lanes``)."""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._eigen import tridiagonal_eigenvalues, tridiagonalise
from qmlstudio.representations._lanes import first_bad, gather, interactions
from qmlstudio.representations._simd import (
    WIDTH,
    fma,
    load,
    magnitude,
    root,
    splat,
    store,
    where_greater,
)

# isort: split
from numba import njit

NOT_CONVERGED = -2

# Rounds a float64 to 36 bits (Veltkamp's splitting): row norms that differ by less than 1.5e-11 become equal
_SPLIT = 2.0**17 + 1.0


def scratch_size(n: int) -> int:
    """Doubles of scratch that the loops need for structures of at most `n` atoms."""
    return WIDTH * (n * (n + 1) // 2 + 7 * n + 1)


@njit(nogil=True, cache=True)
def _rank_rows(size: int, packed: Any, norms: Any, ranks: Any) -> None:
    """Rank of every row by descending norm into `ranks`; equal norms keep their order. `packed`: lower triangles."""
    zero, one, split = splat(0.0), splat(1.0), splat(_SPLIT)
    at = 0
    for i in range(size):
        total = zero
        for j in range(0, i * WIDTH, WIDTH):
            v = load(packed, at)
            square = v * v
            total = total + square
            store(norms, j, load(norms, j) + square)
            at += WIDTH
        v = load(packed, at)
        store(norms, i * WIDTH, fma(v, v, total))
        at += WIDTH
    position = zero
    for i in range(0, size * WIDTH, WIDTH):
        norm = root(load(norms, i))
        high = norm * split
        store(norms, i, high - (high - norm))
        store(ranks, i, position)
        position = position + one
    for i in range(0, size * WIDTH, WIDTH):
        norm, rank = load(norms, i), load(ranks, i)
        for j in range(0, i, WIDTH):
            ahead = where_greater(norm, load(norms, j), one, zero)
            rank = rank - ahead
            store(ranks, j, load(ranks, j) + ahead)
        store(ranks, i, rank)


@njit(nogil=True, cache=True)
def _sort(size: int, values: Any, absolute: bool) -> None:
    """Sort lanes descending, by magnitude where `absolute`."""
    for i in range(WIDTH, size * WIDTH, WIDTH):
        for j in range(0, i, WIDTH):
            # values[:i] are in order: the new one takes its place and pushes the smaller ones on
            new, old = load(values, i), load(values, j)
            if absolute:
                a, b = magnitude(new), magnitude(old)
                store(values, j, where_greater(a, b, new, old))
                store(values, i, where_greater(a, b, old, new))
            else:
                store(values, j, where_greater(new, old, new, old))
                store(values, i, where_greater(new, old, old, new))


@njit(nogil=True, cache=True)
def matrix_loop(
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
    is_sorted: bool,
    is_packed: bool,
    n_max: int,
    work: Any,
    out: Any,
    orders: Any,
) -> int:
    """Coulomb matrices of chunks ``start:stop:step`` into the rows of `out`.

    `orders`, if it has rows, receives for each structure its atoms in the order of the matrix's rows. Returns the
    first structure with atoms at the same place, or −1.
    """
    found = -1
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        lanes = len(members)
        size = offsets[members[0] + 1] - offsets[members[0]]
        span = size * WIDTH
        z, x, y, w = work[:span], work[span : 2 * span], work[2 * span : 3 * span], work[3 * span : 4 * span]
        norms, ranks = work[4 * span : 5 * span], work[5 * span : 6 * span]
        bad = work[7 * span : 7 * span + WIDTH]
        packed = work[7 * span + WIDTH :]
        gather(numbers, positions, offsets, members, lanes, size, z, x, y, w)
        interactions(size, unit, z, x, y, w, packed, bad)
        found = first_bad(members, lanes, bad, found)
        at = 0
        for i in range(size):
            for l in range(WIDTH):
                packed[at + l] = self_terms[int(z[i * WIDTH + l])]
            at += (i + 2) * WIDTH
        if is_sorted:
            _rank_rows(size, packed, norms, ranks)
        for l in range(lanes):
            structure = members[l]
            # from here on `x` holds, as numbers, which atom stands in which row
            for i in range(size):
                x[int(ranks[i * WIDTH + l]) if is_sorted else i] = i
            if len(orders) > 0:
                for i in range(size):
                    orders[structure, i] = int(x[i])
            if is_packed:
                t = 0
                for i in range(size):
                    a = int(x[i])
                    for j in range(i + 1):
                        b = int(x[j])
                        high, low = max(a, b), min(a, b)
                        out[structure, t] = packed[(high * (high + 1) // 2 + low) * WIDTH + l]
                        t += 1
                for k in range(t, n_max * (n_max + 1) // 2):
                    out[structure, k] = 0.0
            else:
                for i in range(size):
                    a = int(x[i])
                    for j in range(size):
                        b = int(x[j])
                        high, low = max(a, b), min(a, b)
                        out[structure, i * n_max + j] = packed[(high * (high + 1) // 2 + low) * WIDTH + l]
                    for j in range(size, n_max):
                        out[structure, i * n_max + j] = 0.0
                for k in range(size * n_max, n_max * n_max):
                    out[structure, k] = 0.0
    return found


@njit(nogil=True, cache=True)
def spectrum_loop(
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
    absolute: bool,
    work: Any,
    out: Any,
) -> int:
    """Eigenvalues of the Coulomb matrices of chunks ``start:stop:step`` into the rows of `out`.

    Descending by magnitude with zeros last (`absolute`), or by value with the padding's zeros in between. Returns the
    first structure with atoms at the same place, −1, or NOT_CONVERGED.
    """
    found = -1
    width = out.shape[1]
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        lanes = len(members)
        size = offsets[members[0] + 1] - offsets[members[0]]
        if size == 0:
            for l in range(lanes):
                for k in range(width):
                    out[members[l], k] = 0.0
            continue
        span = size * WIDTH
        z, x, y, w = work[:span], work[span : 2 * span], work[2 * span : 3 * span], work[3 * span : 4 * span]
        diagonal, square = work[4 * span : 5 * span], work[5 * span : 6 * span]
        p = work[6 * span : 7 * span]
        bad = work[7 * span : 7 * span + WIDTH]
        packed = work[7 * span + WIDTH :]
        gather(numbers, positions, offsets, members, lanes, size, z, x, y, w)
        interactions(size, unit, z, x, y, w, packed, bad)
        found = first_bad(members, lanes, bad, found)
        if found >= 0:
            continue
        at = 0
        for i in range(size):
            for l in range(WIDTH):
                packed[at + l] = self_terms[int(z[i * WIDTH + l])]
            at += (i + 2) * WIDTH
        tridiagonalise(size, packed, diagonal, square, p)
        if not tridiagonal_eigenvalues(size, diagonal, square):
            return NOT_CONVERGED
        _sort(size, diagonal, absolute)
        for l in range(lanes):
            structure = members[l]
            gap = size  # where the padding's zeros go
            if not absolute:
                while gap > 0 and diagonal[(gap - 1) * WIDTH + l] < 0.0:
                    gap -= 1
            for k in range(gap):
                out[structure, k] = diagonal[k * WIDTH + l]
            for k in range(gap, gap + width - size):
                out[structure, k] = 0.0
            for k in range(gap, size):
                out[structure, k + width - size] = diagonal[k * WIDTH + l]
    return found
