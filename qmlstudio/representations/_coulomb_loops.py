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
AS_GIVEN, SORTED, BY_MAGNITUDE, BY_VALUE = range(4)
"""What becomes of a matrix: in the file's order, sorted by row norm, eigenvalues by magnitude, eigenvalues by value."""

# Rounds a float64 to 36 bits (Veltkamp's splitting): row norms that differ by less than 1.5e-11 become equal
_SPLIT = 2.0**17 + 1.0


def scratch_size(n: int) -> int:
    """Doubles of scratch that the loops need for structures of at most `n` atoms."""
    return WIDTH * (n * (n + 1) // 2 + 4 * n + 1)


@njit(nogil=True, cache=True)
def _rank_rows(size: int, packed: Any, norms: Any, ranks: Any, noise: Any) -> None:
    """Rank of every row by descending norm into `ranks`; equal norms keep their order. `packed`: lower triangles.

    `noise` (size · WIDTH,) is added to the norms.
    """
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
        store(norms, i, (high - (high - norm)) + load(noise, i))
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
def write_matrices(
    size: int,
    members: Any,
    offsets: Any,
    noise: Any,
    is_sorted: bool,
    is_packed: bool,
    n_max: int,
    packed: Any,
    buffers: Any,
    out: Any,
    orders: Any,
) -> None:
    """Matrices of a chunk, in the order that is asked for, into the rows of `out`.

    Parameters
    ----------
    packed : (size (size + 1) / 2 · WIDTH,) float64
        Lower triangles.
    noise : (A,) float64
        Added to the row norms by which atoms are sorted; none if it is empty.
    buffers : (4 · size · WIDTH,) float64
        Scratch.
    orders : (n, N) int64
        Receives, if it has rows, each structure's atoms in the order of the matrix's rows.
    """
    span = size * WIDTH
    norms, ranks, added, rows = (
        buffers[:span],
        buffers[span : 2 * span],
        buffers[2 * span : 3 * span],
        buffers[3 * span :],
    )
    if is_sorted:
        added[:] = 0.0
        if len(noise) > 0:
            for l in range(len(members)):
                for i in range(size):
                    added[i * WIDTH + l] = noise[offsets[members[l]] + i]
        _rank_rows(size, packed, norms, ranks, added)
    for l in range(len(members)):
        structure = members[l]
        # which atom stands in which row, as numbers
        for i in range(size):
            rows[int(ranks[i * WIDTH + l]) if is_sorted else i] = i
        if len(orders) > 0:
            for i in range(size):
                orders[structure, i] = int(rows[i])
        if is_packed:
            t = 0
            for i in range(size):
                a = int(rows[i])
                for j in range(i + 1):
                    b = int(rows[j])
                    high, low = max(a, b), min(a, b)
                    out[structure, t] = packed[(high * (high + 1) // 2 + low) * WIDTH + l]
                    t += 1
            for k in range(t, n_max * (n_max + 1) // 2):
                out[structure, k] = 0.0
        else:
            for i in range(size):
                a = int(rows[i])
                for j in range(size):
                    b = int(rows[j])
                    high, low = max(a, b), min(a, b)
                    out[structure, i * n_max + j] = packed[(high * (high + 1) // 2 + low) * WIDTH + l]
                for j in range(size, n_max):
                    out[structure, i * n_max + j] = 0.0
            for k in range(size * n_max, n_max * n_max):
                out[structure, k] = 0.0


@njit(nogil=True, cache=True)
def write_spectra(size: int, members: Any, absolute: bool, packed: Any, buffers: Any, out: Any) -> bool:
    """Eigenvalues of a chunk's matrices (`packed`, destroyed) into the rows of `out`; False if some did not converge.

    Descending by magnitude with zeros last (`absolute`), or by value with the padding's zeros in between.
    """
    width = out.shape[1]
    if size == 0:
        for l in range(len(members)):
            for k in range(width):
                out[members[l], k] = 0.0
        return True
    span = size * WIDTH
    diagonal, square, p = buffers[:span], buffers[span : 2 * span], buffers[2 * span : 3 * span]
    tridiagonalise(size, packed, diagonal, square, p)
    if not tridiagonal_eigenvalues(size, diagonal, square):
        return False
    _sort(size, diagonal, absolute)
    for l in range(len(members)):
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
    return True


@njit(nogil=True, cache=True)
def coulomb_loop(
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
    noise: Any,
    kind: int,
    is_packed: bool,
    n_max: int,
    work: Any,
    out: Any,
    orders: Any,
) -> int:
    """Coulomb matrices, or their eigenvalues, of chunks ``start:stop:step`` into the rows of `out`.

    `kind` is one of AS_GIVEN, SORTED, BY_MAGNITUDE, BY_VALUE; the others are those of :func:`write_matrices`. Returns
    the first structure with atoms at the same place, −1, or NOT_CONVERGED.
    """
    found = -1
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        size = offsets[members[0] + 1] - offsets[members[0]]
        span = size * WIDTH
        z, x, y, w = work[:span], work[span : 2 * span], work[2 * span : 3 * span], work[3 * span : 4 * span]
        bad, packed = work[4 * span : 4 * span + WIDTH], work[4 * span + WIDTH :]
        gather(numbers, positions, offsets, members, len(members), size, z, x, y, w)
        interactions(size, unit, z, x, y, w, packed, bad)
        found = first_bad(members, len(members), bad, found)
        if found >= 0:
            continue
        at = 0
        for i in range(size):
            for l in range(WIDTH):
                packed[at + l] = self_terms[int(z[i * WIDTH + l])]
            at += (i + 2) * WIDTH
        # the atoms are not needed any more
        if kind <= SORTED:
            buffers = work[: 4 * span]
            write_matrices(
                size, members, offsets, noise, kind == SORTED, is_packed, n_max, packed, buffers, out, orders
            )
        elif not write_spectra(size, members, kind == BY_MAGNITUDE, packed, work[: 3 * span], out):
            return NOT_CONVERGED
    return found
