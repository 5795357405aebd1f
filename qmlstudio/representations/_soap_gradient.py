"""Compiled loops of SOAP's derivatives with respect to the atoms' positions.

The coefficients f_nlm(d) of a neighbour at d are w G_nl(d²) S_lm(d), so their slopes are
w G ∇S + (2 w G' + w'/r G) S d. Where an atom moves, its own centre sees all others move the other way. Slopes of a
channel stand as [axis][l² + l + m][n].
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._soap_basis import TERMS
from qmlstudio.representations._soap_centres import centre_coefficients, mean_coefficients
from qmlstudio.representations._soap_loops import (
    BATCH,
    HARMONIC,
    NO,
    NONE,
    SCALE,
    SQUARE,
    YES,
    ZERO,
    X,
    Y,
    Z,
    add_channels,
    columns,
    flush_zeros,
    harmonics,
    plain_columns,
    sort_by_channel,
    weight,
)
from qmlstudio.representations._soap_rows import orders
from qmlstudio.representations._vectors import WIDTH, fence, fma, load, splat, store

# isort: split
import math

import numpy as np
from numba import njit

OFF, INNER, OUTER = range(3)


def scratch_size(channels: int, l_max: int, padded: int) -> int:
    """Doubles of scratch."""
    rows, square = (l_max + 1) ** 2, (l_max + 1) * padded**2
    neighbours = HARMONIC + (rows + (l_max + 1) * padded) * BATCH
    slopes = 3 * rows * WIDTH + 2 * (l_max + 1) * padded
    return neighbours + slopes + (4 * (channels + 1) + 4) * rows * padded + 2 * square + 4 * padded


@njit(nogil=True, cache=True)
def harmonic_slopes(l_max: int, derivative: Any, work: Any, out: int) -> None:
    """∇S_lm of the first eight of a batch, from its harmonics, into ``work[out + (axis·rows + row)·8 + p]``.

    `derivative`: for each axis and row two rows of degree l − 1 and their factors.
    """
    rows = (l_max + 1) ** 2
    for k in range(3 * rows):
        a, b = HARMONIC + int(derivative[4 * k]) * BATCH, HARMONIC + int(derivative[4 * k + 2]) * BATCH
        value = splat(derivative[4 * k + 1]) * load(work, a)
        store(work, out + k * WIDTH, fma(splat(derivative[4 * k + 3]), load(work, b), value))


@njit(nogil=True, cache=True)
def radial_slopes(
    square: float, w: float, dw: float, l_max: int, padded: int, table: Any, inverse_step: float, work: Any, out: int
) -> None:
    """w G_nl into ``work[out + l·padded + n]``, and after them 2 w G'_nl + w'/r G_nl (`dw` is w'/r)."""
    size = l_max + 1
    scaled = square * (inverse_step * inverse_step)
    k = int(math.sqrt(scaled))
    width = 2.0 * k + 1.0
    u = splat((2.0 * scaled - 0.5 * (width * width + 1.0)) / width)
    factor, more, slope = splat(w), splat(dw), splat(4.0 * w * inverse_step * inverse_step / width)
    for l in range(size):
        for n in range(0, padded, WIDTH):
            at = (k * size + l) * (TERMS * padded) + n
            value = load(table, at + (TERMS - 1) * padded)
            grows = splat(0.0)
            for t in range(TERMS - 2, -1, -1):
                grows = fma(grows, u, value)
                value = fma(value, u, load(table, at + t * padded))
            store(work, out + l * padded + n, factor * value)
            store(work, out + (size + l) * padded + n, fma(slope, grows, more * value))


@njit(nogil=True, cache=True)
def batch_slopes(
    count: int,
    l_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    kind: int,
    weights: Any,
    recurrence: Any,
    derivative: Any,
    work: Any,
    spare: int,
    out: int,
    adds: bool,
) -> None:
    """The slopes of a batch of at most eight neighbours into ``work[out:]``, or added to what stands there."""
    size = l_max + 1
    rows = size * size
    radial = spare + 3 * rows * WIDTH
    for p in range(count):
        work[SCALE + p] = 1.0
    harmonics(count, l_max, recurrence, work)
    harmonic_slopes(l_max, derivative, work, spare)
    for p in range(count):
        w, dw = weight(kind, weights, math.sqrt(work[SQUARE + p]))
        radial_slopes(work[SQUARE + p], w, dw, l_max, padded, table, inverse_step, work, radial)
        x, y, z = work[X + p], work[Y + p], work[Z + p]
        for l in range(size):
            for n in range(0, padded, WIDTH):
                value = load(work, radial + l * padded + n)
                slope = load(work, radial + (size + l) * padded + n)
                for row in range(l * l, (l + 1) * (l + 1)):
                    along = slope * splat(work[HARMONIC + row * BATCH + p])
                    at, d = out + row * padded + n, spare + row * WIDTH + p
                    one = fma(along, splat(x), value * splat(work[d]))
                    two = fma(along, splat(y), value * splat(work[d + rows * WIDTH]))
                    three = fma(along, splat(z), value * splat(work[d + 2 * rows * WIDTH]))
                    if adds:
                        one = one + load(work, at)
                        two = two + load(work, at + rows * padded)
                        three = three + load(work, at + 2 * rows * padded)
                    store(work, at, one)
                    store(work, at + rows * padded, two)
                    store(work, at + 2 * rows * padded, three)
        adds = YES


@njit(nogil=True, cache=True)
def write_slopes(
    out: Any,
    at: int,
    phase: int,
    width: int,
    c0: int,
    places: Any,
    present: Any,
    blocks: Any,
    l_max: int,
    n_max: int,
    padded: int,
    work: Any,
    spare: int,
    values: Any,
    is_zero: bool,
    share: float,
) -> None:
    """∂p/∂(x, y, z of an atom) into three rows of `out`; added, times `share`, where that is not zero.

    `places`: where in `work` the slopes of each channel stand, −1 where it does not change.
    """
    span = (l_max + 1) ** 2 * padded
    kept = work[spare : spare + (l_max + 1) * padded * padded + padded]
    count, zeros = ZERO, ZERO
    for axis in range(3):
        for k in range(len(blocks)):
            a, b = blocks[k, 0], blocks[k, 1]
            here, there = places[a], places[b]
            if not (present[a] and present[b] and (here >= 0 or there >= 0)):
                zeros += (blocks[k + 1, 2] if k + 1 < len(blocks) else width) - blocks[k, 2]
                continue
            first, second, again, other = here + axis * span, c0 + b * span, NONE, ZERO
            if here < 0:
                first, second = c0 + a * span, there + axis * span
            elif there >= 0:
                again, other = c0 + a * span, there + axis * span
            if share != 0.0:
                count = plain_columns(
                    l_max, n_max, padded, work, first, second, again, other, a == b, kept, values, ZERO
                )
                place = at + axis * width + blocks[k, 2]
                for i in range(count):
                    out[place + i] += share * values[i]
                continue
            if zeros > 0:
                at, count = flush_zeros(out, at, phase, values, count, zeros, is_zero)
                zeros = ZERO
            at, count = columns(
                l_max, n_max, padded, work, first, second, again, other, a == b, kept, out, at, phase, values, count
            )
    if share != 0.0:
        return
    if zeros > 0:
        at, count = flush_zeros(out, at, phase, values, count, zeros, is_zero)
    for i in range(count):
        out[at + i] = values[i]


@njit(nogil=True, cache=True)
def neighbour_slopes(
    atom: int,
    other: int,
    first_shift: int,
    last_shift: int,
    positions: Any,
    shifts: Any,
    cut2: float,
    l_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    kind: int,
    weights: Any,
    recurrence: Any,
    derivative: Any,
    work: Any,
    spare: int,
    out: int,
    adds: bool,
) -> bool:
    """Slopes of the coefficients around `atom` for `other` and its images into ``work[out:]``; False if none is."""
    count, near = ZERO, adds
    for shift in range(first_shift, last_shift):
        x = positions[other, 0] + (shifts[shift, 0] - positions[atom, 0])
        y = positions[other, 1] + (shifts[shift, 1] - positions[atom, 1])
        z = positions[other, 2] + (shifts[shift, 2] - positions[atom, 2])
        r2 = x * x + y * y + z * z
        if r2 < cut2:
            work[X + count], work[Y + count], work[Z + count] = x, y, z
            work[SQUARE + count] = r2
            count += 1
            if count == WIDTH:
                batch_slopes(
                    count, l_max, padded, table, inverse_step, kind, weights, recurrence, derivative, work, spare, out,
                    near,
                )  # fmt: skip
                count, near = ZERO, YES
    if count > 0:
        batch_slopes(
            count, l_max, padded, table, inverse_step, kind, weights, recurrence, derivative, work, spare, out, near
        )
        near = YES
    return near


@njit(nogil=True, cache=True)
def gradient_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    shifts: Any,
    shift_offsets: Any,
    start: int,
    stop: int,
    step: int,
    channel_of: Any,
    channels: int,
    with_sum: bool,
    blocks: Any,
    l_max: int,
    n_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    reach: float,
    centre: Any,
    centre_weight: float,
    kind: int,
    weights: Any,
    recurrence: Any,
    derivative: Any,
    work: Any,
    out: Any,
    starts: Any,
    phase: int,
    width: int,
    is_zero: bool,
    average: int,
) -> int:
    """Derivatives of structures ``start:stop:step`` into their blocks of `out`, which begin at `starts`.

    `average`: OFF for every atom's row, (N, N, 3, width); INNER for the spectrum of averaged coefficients, OUTER for
    the average of spectra, (1, N, 3, width). Returns the first structure with atoms at one place, or −1.
    """
    size = l_max + 1
    rows = size * size
    span, square = rows * padded, size * padded * padded
    spare = HARMONIC + (rows + size * padded) * BATCH
    c0 = spare + 3 * rows * WIDTH + 2 * size * padded
    own = c0 + (channels + 1) * span  # slopes of each channel, then of one neighbour
    one = own + 3 * (channels + 1) * span
    kept = one + 3 * span
    values = work[kept + square + padded :]
    order, first, present = orders(offsets, start, stop, step, channels)
    segment, places = np.empty(channels + 1, np.int64), np.empty(channels + 1, np.int64)
    cut2 = reach * reach
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        first_shift, last_shift = shift_offsets[s], shift_offsets[s + 1]
        sort_by_channel(begin, end, channels, numbers, channel_of, order, first, present)
        for k in range(c0, c0 + channels * span):
            work[k] = 0.0
        is_inner, share = average == INNER, 1.0 / (end - begin) if average == OUTER and end > begin else 0.0
        if average == OUTER and not is_zero:
            for k in range(starts[s], starts[s + 1]):
                out[k] = 0.0
        if is_inner and not mean_coefficients(
            first_shift, last_shift, channels, positions, shifts, order, first, l_max, padded, table,
            inverse_step, cut2, centre, centre_weight, kind, weights, recurrence, work, c0, one,
        ):  # fmt: skip
            return s
        for atom in range(begin, end):
            mine = channel_of[numbers[atom]]
            if not is_inner and not centre_coefficients(
                atom, first_shift, last_shift, channels, mine, positions, shifts, order, first, segment,
                l_max, padded, table, inverse_step, cut2, centre, centre_weight, kind, weights, recurrence, work, c0,
            ):  # fmt: skip
                return s
            if with_sum:
                add_channels(channels, span, work[c0:own])
            for k in range(own, one):
                work[k] = 0.0
            block = starts[s] + ((atom - begin) * (end - begin) * 3 * width if average == OFF else 0)
            for a in range(channels):
                places[a] = own + 3 * a * span if present[a] else -1
            places[channels] = own + 3 * channels * span if with_sum else -1
            for a in range(channels):
                total = own + 3 * a * span
                for j in range(first[a], first[a + 1]):
                    other = order[j]
                    if other == atom:
                        continue
                    if is_inner:
                        neighbour_slopes(
                            atom, other, first_shift, last_shift, positions, shifts, cut2, l_max, padded, table,
                            inverse_step, kind, weights, recurrence, derivative, work, spare, total, YES,
                        )  # fmt: skip
                        continue
                    near = neighbour_slopes(
                        atom, other, first_shift, last_shift, positions, shifts, cut2, l_max, padded, table,
                        inverse_step, kind, weights, recurrence, derivative, work, spare, one, NO,
                    )  # fmt: skip
                    for k in range(3 * span if near else 0):
                        work[total + k] += work[one + k]
                    for b in range(channels + 1):
                        changes = near and (b == a or (with_sum and b == channels))
                        places[b] = one if changes else -1
                    write_slopes(
                        out, block + (other - begin) * 3 * width, phase, width, c0, places, present, blocks,
                        l_max, n_max, padded, work, kept, values, is_zero, share,
                    )  # fmt: skip
            # the atom itself: all its neighbours move the other way
            if is_inner:
                _seen_by_others(channels, mine, l_max, padded, 1.0 / (end - begin), work, own)
            else:
                for k in range(own, own + 3 * channels * span):
                    work[k] = -work[k]
            for a in range(channels):
                places[a] = own + 3 * a * span if present[a] else -1
            if with_sum:
                add_channels(channels, 3 * span, work[own:one])
                places[channels] = own + 3 * channels * span
            write_slopes(
                out, block + (atom - begin) * 3 * width, phase, width, c0, places, present, blocks,
                l_max, n_max, padded, work, kept, values, is_zero, share,
            )  # fmt: skip
    fence()
    return -1


@njit(nogil=True, cache=True)
def _seen_by_others(channels: int, mine: int, l_max: int, padded: int, mean: float, work: Any, own: int) -> None:
    """From slopes of what an atom of channel `mine` sees to those of the average over all centres.

    Seen from its neighbours the atom's coefficients have the opposite sign for odd l.
    """
    span = (l_max + 1) ** 2 * padded
    for axis in range(3):
        for l in range(l_max + 1):
            sign = -1.0 if l % 2 == 0 else 1.0
            for k in range(axis * span + l * l * padded, axis * span + (l + 1) ** 2 * padded):
                total = 0.0
                for a in range(channels):
                    total += work[own + 3 * a * span + k]
                    work[own + 3 * a * span + k] *= -mean
                work[own + 3 * mine * span + k] += sign * mean * total
