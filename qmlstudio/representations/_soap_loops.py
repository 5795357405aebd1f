"""Compiled loops of SOAP: coefficients c_nlm of the density around atoms, and their power spectrum.

Coefficients of a channel (an element, or a sum over elements) stand as [l² + l + m][n], n padded with zeros to
`padded`, a multiple of eight: n is the axis of the vectors. The scratch of a thread begins with what is known of a
batch of neighbours, at places that are known when the loops are compiled: :data:`BATCH` times x, y, z, squared distance
and weight, then their harmonics [l² + l + m][neighbour] and radial functions [neighbour][l][n].
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._soap_basis import TERMS
from qmlstudio.representations._vectors import (
    WIDTH,
    fma,
    load,
    splat,
    store,
    stream,
    stream_zeros,
    sums1,
    sums3,
    sums5,
    sums7,
    sums9,
    sums11,
    sums13,
    tile,
    tile_add,
    tile_upper,
    tile_upper_two,
)

# isort: split
import math

import numpy as np
from numba import njit

BATCH = 32
"""Neighbours that are expanded at once: their harmonics and radial functions stay in the first-level cache."""
X, Y, Z, SQUARE, SCALE, HARMONIC = (k * BATCH for k in range(6))
"""Where these begin in the scratch; the radial functions follow."""
NO_WEIGHT, POLY, POW, EXP = range(4)
# numbers with a type, not literals: numba compiles a function anew for each literal that it is called with
ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)
NONE: Any = np.int64(-1)
SET, ADD = ZERO, ONE
NO: Any = np.bool_(False)
YES: Any = np.bool_(True)


@njit(nogil=True, cache=True)
def weight(kind: int, parameters: Any, r: float) -> tuple[float, float]:
    """w(r) and w'(r) / r; `parameters` are c, d, m, r0."""
    c, d, m, r0 = parameters[0], parameters[1], parameters[2], parameters[3]
    if kind == NO_WEIGHT:
        return 1.0, 0.0
    t = r / r0
    if kind == POLY:
        if t >= 1.0:
            return 0.0, 0.0
        base = 1.0 + t * t * (2.0 * t - 3.0)
        return c * base**m, 6.0 * c * m * base ** (m - 1.0) * (t - 1.0) / (r0 * r0)
    if kind == POW:
        if r == 0.0:
            return c / (d + (1.0 if m == 0.0 else 0.0)), 0.0
        power = t**m
        return c / (d + power), -c * m * power / (r * r * (d + power) ** 2)
    grown = math.exp(min(t, 700.0))
    return c / (d + grown), (-c * grown / (r0 * r * (d + grown) ** 2) if r > 0.0 else 0.0)


@njit(nogil=True, cache=True)
def harmonics(count: int, l_max: int, recurrence: Any, work: Any) -> None:
    """scale · r^l Y_lm of the `count` vectors of a batch, orthonormal and real.

    By recurrence in l of z and r², times the real and imaginary part of (x + iy)^m: nothing is divided by r.
    """
    size = l_max + 1
    for p in range(count, -(-count // WIDTH) * WIDTH):
        work[X + p], work[Y + p], work[Z + p], work[SCALE + p] = 0.0, 0.0, 0.0, 0.0
    for p in range(0, count, WIDTH):
        x, y, z = load(work, X + p), load(work, Y + p), load(work, Z + p)
        square = fma(x, x, fma(y, y, z * z))
        even, odd = load(work, SCALE + p), splat(0.0)
        for m in range(size):
            before = splat(0.0)
            here = splat(recurrence[m * size + m])
            at = HARMONIC + (m * m + 2 * m) * BATCH + p
            back = 2 * m * BATCH
            store(work, at, here * even)
            if m > 0:
                store(work, at - back, here * odd)
            for l in range(m + 1, size):
                a, b = splat(recurrence[m * size + l]), splat(recurrence[l * size + m])
                before, here = here, a * (z * here) - b * (square * before)
                at = HARMONIC + (l * l + l + m) * BATCH + p
                store(work, at, here * even)
                if m > 0:
                    store(work, at - back, here * odd)
            even, odd = x * even - y * odd, fma(x, odd, y * even)


@njit(nogil=True, cache=True)
def look_up(
    square: float, l_max: int, l_step: int, padded: int, table: Any, inverse_step: float, work: Any, out: int, twin: int
) -> None:
    """G_nl at a squared distance to ``work[out:]``, and to ``work[twin:]`` unless `twin` is negative."""
    size = l_max + 1
    scaled = square * (inverse_step * inverse_step)
    k = int(math.sqrt(scaled))
    width = 2.0 * k + 1.0
    u = splat((2.0 * scaled - 0.5 * (width * width + 1.0)) / width)
    u2 = u * u
    u4 = u2 * u2
    if padded == WIDTH:
        # the same with places that are known when this is compiled
        for l in range(0, size, l_step):
            at = (k * size + l) * (TERMS * WIDTH)
            low = fma(load(table, at + WIDTH), u, load(table, at))
            second = fma(load(table, at + 3 * WIDTH), u, load(table, at + 2 * WIDTH))
            third = fma(load(table, at + 5 * WIDTH), u, load(table, at + 4 * WIDTH))
            high = fma(load(table, at + 7 * WIDTH), u, load(table, at + 6 * WIDTH))
            value = fma(fma(high, u2, third), u4, fma(second, u2, low))
            store(work, out + l * WIDTH, value)
            if twin >= 0:
                store(work, twin + l * WIDTH, value)
        return
    for l in range(0, size, l_step):
        for n in range(0, padded, WIDTH):
            at = (k * size + l) * (TERMS * padded) + n
            # by Estrin's scheme: short chains of dependent steps
            low = fma(load(table, at + padded), u, load(table, at))
            second = fma(load(table, at + 3 * padded), u, load(table, at + 2 * padded))
            third = fma(load(table, at + 5 * padded), u, load(table, at + 4 * padded))
            high = fma(load(table, at + 7 * padded), u, load(table, at + 6 * padded))
            value = fma(fma(high, u2, third), u4, fma(second, u2, low))
            store(work, out + l * padded + n, value)
            if twin >= 0:
                store(work, twin + l * padded + n, value)


@njit(nogil=True, cache=True)
def radials(
    count: int, l_max: int, l_step: int, padded: int, table: Any, inverse_step: float, work: Any, out: int
) -> None:
    """G_nl at the squared distances of a batch into ``work[out:]``, for every l or even ones only."""
    for p in range(count):
        place = out + p * (l_max + 1) * padded
        look_up(work[SQUARE + p], l_max, l_step, padded, table, inverse_step, work, place, NONE)


@njit(nogil=True, cache=True)
def outer_sums(
    rows: int, a0: int, a_step: int, b0: int, count: int, o0: int, o_step: int, work: Any, adds: int
) -> None:
    """Row k (+)= Σ_p (vector p at `a0`) · (number p of row k at `b0`), any number of rows."""
    while rows > 0:
        if rows >= 7:
            some = 7
            sums7(work, a0, a_step, work, b0, BATCH, count, work, o0, o_step, adds)
        elif rows >= 5:
            some = 5
            sums5(work, a0, a_step, work, b0, BATCH, count, work, o0, o_step, adds)
        elif rows >= 3:
            some = 3
            sums3(work, a0, a_step, work, b0, BATCH, count, work, o0, o_step, adds)
        else:
            some = 1
            sums1(work, a0, a_step, work, b0, BATCH, count, work, o0, o_step, adds)
        rows -= some
        b0 += some * BATCH
        o0 += some * o_step


@njit(nogil=True, cache=True)
def expand(
    first: int, last: int, l_max: int, l_step: int, padded: int, work: Any, radial: int, at: int, adds: int
) -> None:
    """Add neighbours ``first:last`` of a batch to the coefficients at ``work[at:]``, for every l or even ones only.

    Where `adds` is 0 the coefficients are set.
    Their radial functions begin, with those of neighbour 0, at ``work[radial]``.
    """
    size, count, begin = l_max + 1, last - first, 0
    if padded == WIDTH:
        # the usual degrees with places that are known when this is compiled
        a, step, b, odd = radial + first * size * WIDTH, size * WIDTH, HARMONIC + first, l_step == 1
        sums1(work, a, step, work, b, BATCH, count, work, at, WIDTH, adds)
        if l_max >= 1 and odd:
            sums3(work, a + WIDTH, step, work, b + BATCH, BATCH, count, work, at + WIDTH, WIDTH, adds)
        if l_max >= 2:
            sums5(work, a + 2 * WIDTH, step, work, b + 4 * BATCH, BATCH, count, work, at + 4 * WIDTH, WIDTH, adds)
        if l_max >= 3 and odd:
            sums7(work, a + 3 * WIDTH, step, work, b + 9 * BATCH, BATCH, count, work, at + 9 * WIDTH, WIDTH, adds)
        if l_max >= 4:
            sums9(work, a + 4 * WIDTH, step, work, b + 16 * BATCH, BATCH, count, work, at + 16 * WIDTH, WIDTH, adds)
        if l_max >= 5 and odd:
            sums11(work, a + 5 * WIDTH, step, work, b + 25 * BATCH, BATCH, count, work, at + 25 * WIDTH, WIDTH, adds)
        if l_max >= 6:
            sums13(work, a + 6 * WIDTH, step, work, b + 36 * BATCH, BATCH, count, work, at + 36 * WIDTH, WIDTH, adds)
        begin = 7 if odd else 8
    for n in range(0, padded, WIDTH):
        for l in range(begin, size, l_step):
            outer_sums(
                2 * l + 1,
                radial + (first * size + l) * padded + n,
                size * padded,
                HARMONIC + l * l * BATCH + first,
                count,
                at + l * l * padded + n,
                padded,
                work,
                adds,
            )


@njit(nogil=True, cache=True)
def add_products(
    l_max: int, padded: int, c: Any, a0: int, b0: int, symmetric: bool, adds: bool, out: Any, o0: int
) -> None:
    """Σ_m a_nlm b_n'lm into ``out[o0 + (l·padded + n)·padded + n']``, or added; `symmetric`: only n' ≥ n is needed."""
    for l in range(l_max + 1):
        at, target = l * l * padded, o0 + l * padded * padded
        for n in range(0, padded, WIDTH):
            for other in range(n if symmetric else 0, padded, WIDTH):
                place = target + n * padded + other
                if adds:
                    tile_add(c, a0 + at + n, c, b0 + at + other, padded, 2 * l + 1, out, place, padded)
                else:
                    tile(c, a0 + at + n, c, b0 + at + other, padded, 2 * l + 1, out, place, padded)


@njit(nogil=True, cache=True)
def pack(l_max: int, n_max: int, padded: int, symmetric: bool, a: Any, a0: int, out: Any, at: int) -> int:
    """Products as columns ``out[at:]``: l, n, n' (n' ≥ n where symmetric). Returns where they end."""
    for l in range(l_max + 1):
        for n in range(n_max):
            start = n if symmetric else 0
            row = a0 + (l * padded + n) * padded
            # the last vector may reach too far: what follows is written later
            for k in range(start, n_max, WIDTH):
                store(out, at + k - start, load(a, row + k))
            at += n_max - start
    return at


@njit(nogil=True, cache=True)
def flush(out: Any, at: int, phase: int, values: Any, count: int) -> int:
    """Stream the whole lines of ``values[:count]`` to ``out[at:]`` and move the rest to the front; how many went.

    `phase` + index is a multiple of eight where a line of `out` begins.
    """
    written = min(-(phase + at) % WIDTH, count)
    for k in range(written):
        out[at + k] = values[k]
    lines = (count - written) // WIDTH
    stream(values, written, out, at + written, lines)
    written += lines * WIDTH
    for k in range(written, count):
        values[k - written] = values[k]
    return written


@njit(nogil=True, cache=True)
def plain_columns(
    l_max: int,
    n_max: int,
    padded: int,
    c: Any,
    a0: int,
    b0: int,
    a1: int,
    b1: int,
    symmetric: bool,
    spare: Any,
    values: Any,
    at: int,
) -> int:
    """What :func:`columns` writes, for any number of radial functions, into ``values[at:]``; returns where it ends."""
    add_products(l_max, padded, c, a0, b0, symmetric, NO, spare, ZERO)
    if a1 >= 0:
        add_products(l_max, padded, c, a1, b1, symmetric, YES, spare, ZERO)
    ends: int = pack(l_max, n_max, padded, symmetric, spare, ZERO, values, at)
    return ends


@njit(nogil=True, cache=True)
def columns(
    l_max: int,
    n_max: int,
    padded: int,
    c: Any,
    a0: int,
    b0: int,
    a1: int,
    b1: int,
    symmetric: bool,
    spare: Any,
    out: Any,
    at: int,
    phase: int,
    values: Any,
    count: int,
) -> tuple[int, int]:
    """Σ_m a_nlm b_n'lm, of a second pair too unless `a1` is negative, as columns to ``out[at:]``, see :func:`pack`.

    What only begins a line stays in `values`, where `count` numbers wait already. Returns where the next number belongs
    and how many wait."""
    if n_max != WIDTH:
        count = plain_columns(l_max, n_max, padded, c, a0, b0, a1, b1, symmetric, spare, values, count)
        written = flush(out, at, phase, values, count)
        return at + written, count - written
    head = -(phase + at) % WIDTH
    end, done = count, 0
    for l in range(l_max + 1):
        row = l * l * WIDTH
        if symmetric:
            if a1 >= 0:
                tile_upper_two(c, a0 + row, b0 + row, a1 + row, b1 + row, WIDTH, 2 * l + 1, values, end)
            else:
                tile_upper(c, a0 + row, c, b0 + row, WIDTH, 2 * l + 1, values, end, WIDTH)
            end += WIDTH * (WIDTH + 1) // 2
        else:
            tile(c, a0 + row, c, b0 + row, WIDTH, 2 * l + 1, values, end, WIDTH)
            if a1 >= 0:
                tile_add(c, a1 + row, c, b1 + row, WIDTH, 2 * l + 1, values, end, WIDTH)
            end += WIDTH * WIDTH
        if l == 0:
            # of a row that does not begin with a line
            for k in range(head):
                out[at + k] = values[k]
            done = head
    lines = (end - done) // WIDTH
    stream(values, done, out, at + done, lines)
    done += lines * WIDTH
    for k in range(done, end):
        values[k - done] = values[k]
    return at + done, end - done


@njit(nogil=True, cache=True)
def flush_zeros(out: Any, at: int, phase: int, values: Any, count: int, zeros: int, is_zero: bool) -> tuple[int, int]:
    """Write ``values[:count]``, then `zeros` zeros, to ``out[at:]``; what only begins a line stays in `values`.

    Writing half a line would fetch it first. Zeros are left out where `out` `is_zero` already. Returns where the next
    number belongs and how many wait in `values`.
    """
    if is_zero:
        for k in range(count):
            out[at + k] = values[k]
        return at + count + zeros, 0
    more = min(-(phase + at + count) % WIDTH, zeros)
    for k in range(count, count + more):
        values[k] = 0.0
    count += more
    zeros -= more
    written = flush(out, at, phase, values, count)
    at += written
    count -= written
    if zeros == 0:
        return at, count
    # nothing waits now: `at` begins a line
    lines = zeros // WIDTH
    stream_zeros(out, at, lines)
    rest = zeros - lines * WIDTH
    for k in range(rest):
        values[k] = 0.0
    return at + lines * WIDTH, rest


@njit(nogil=True, cache=True)
def sort_by_channel(
    start: int, stop: int, channels: int, numbers: Any, channel_of: Any, order: Any, first: Any, present: Any
) -> None:
    """Atoms ``start:stop`` ordered by channel into `order`; those of channel k at ``first[k]:first[k + 1]`` of it.

    `present` says which channels have atoms; the last is that of the sum.
    """
    for k in range(channels + 1):
        first[k] = 0
    for i in range(start, stop):
        first[channel_of[numbers[i]] + 1] += 1
    for k in range(channels):
        present[k] = first[k + 1] > 0
        first[k + 1] += first[k]
    present[channels] = stop > start
    for i in range(start, stop):
        k = channel_of[numbers[i]]
        order[first[k]] = i
        first[k] += 1
    for k in range(channels, 0, -1):
        first[k] = first[k - 1]
    first[0] = 0


@njit(nogil=True, cache=True)
def add_channels(channels: int, span: int, c: Any) -> None:
    """The sum of all channels into the place after the last."""
    for k in range(span):
        total = 0.0
        for channel in range(channels):
            total += c[channel * span + k]
        c[channels * span + k] = total
