"""The outer loops of SOAP: structure by structure into rows of features."""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._soap_centres import (
    centre_coefficients,
    mean_coefficients,
    small_centre,
    small_radials,
)
from qmlstudio.representations._soap_loops import (
    BATCH,
    HARMONIC,
    NO,
    NONE,
    YES,
    ZERO,
    add_channels,
    add_products,
    columns,
    flush,
    flush_zeros,
    pack,
    sort_by_channel,
)
from qmlstudio.representations._vectors import fence

# isort: split
import numpy as np
from numba import njit


def scratch_size(channels: int, l_max: int, padded: int, kept: int) -> int:
    """Doubles of scratch; `kept`: pairs of channels whose products are kept from atom to atom, at least 1."""
    rows, square = (l_max + 1) ** 2, (l_max + 1) * padded**2
    radial = (l_max + 1) * padded
    neighbours = HARMONIC + (rows + radial) * BATCH
    return neighbours + (channels + 2) * rows * padded + (kept + 1) * square + 4 * padded + BATCH * (BATCH * radial + 4)


@njit(nogil=True, cache=True)
def write_row(
    out: Any,
    at: int,
    phase: int,
    width: int,
    c: Any,
    present: Any,
    blocks: Any,
    kept: Any,
    keeps: bool,
    l_max: int,
    n_max: int,
    padded: int,
    values: Any,
    is_zero: bool,
) -> None:
    """The features of one row, ``out[at : at + width]``; zeros where a channel is absent.

    Products of the channels in `c`, or those already in `kept`. `blocks` (k, 3): both channels and the first column.
    `is_zero`: `out` holds zeros already.
    """
    span, square = (l_max + 1) ** 2 * padded, (l_max + 1) * padded * padded
    count, zeros = ZERO, ZERO
    for k in range(len(blocks)):
        a, b = blocks[k, 0], blocks[k, 1]
        if not (present[a] and present[b]):
            zeros += (blocks[k + 1, 2] if k + 1 < len(blocks) else width) - blocks[k, 2]
            continue
        if zeros > 0:
            at, count = flush_zeros(out, at, phase, values, count, zeros, is_zero)
            zeros = ZERO
        if keeps:
            count = pack(l_max, n_max, padded, a == b, kept, k * square, values, count)
            written = flush(out, at, phase, values, count)
            at += written
            count -= written
        else:
            at, count = columns(
                l_max, n_max, padded, c, a * span, b * span, NONE, ZERO, a == b, kept, out, at, phase, values, count
            )
    if zeros > 0:
        at, count = flush_zeros(out, at, phase, values, count, zeros, is_zero)
    for i in range(count):
        out[at + i] = values[i]


@njit(nogil=True, cache=True)
def orders(offsets: Any, start: int, stop: int, step: int, channels: int) -> Any:
    """Buffers for the atoms by channel: of the largest structure; first of each channel; which are present."""
    most = 0
    for s in range(start, stop, step):
        most = max(most, offsets[s + 1] - offsets[s])
    return np.empty(most, np.int64), np.empty(channels + 1, np.int64), np.empty(channels + 1, np.int64)


@njit(nogil=True, cache=True)
def inner_loop(
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
    work: Any,
    out: Any,
    phase: int,
    width: int,
    is_zero: bool,
) -> int:
    """Power spectra of coefficients averaged over all centres; structures ``start:stop:step`` into rows of `out`.

    Returns the first structure with atoms at one place, or −1.
    """
    size = l_max + 1
    span, square = size * size * padded, size * padded * padded
    c0 = HARMONIC + (size * size + size * padded) * BATCH
    part = c0 + (channels + 1) * span
    kept, values = work[part + span :], work[part + span + square + padded :]
    c = work[c0:part]
    order, first, present = orders(offsets, start, stop, step, channels)
    cut2 = reach * reach
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        sort_by_channel(begin, end, channels, numbers, channel_of, order, first, present)
        if not mean_coefficients(
            shift_offsets[s], shift_offsets[s + 1], channels, positions, shifts, order, first, l_max, padded, table,
            inverse_step, cut2, centre, centre_weight, kind, weights, recurrence, work, c0, part,
        ):  # fmt: skip
            return s
        if with_sum:
            add_channels(channels, span, c)
        write_row(out, s * width, phase, width, c, present, blocks, kept, NO, l_max, n_max, padded, values, is_zero)
    fence()
    return -1


@njit(nogil=True, cache=True)
def local_loop(
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
    work: Any,
    out: Any,
    phase: int,
    width: int,
    is_zero: bool,
    is_mean: bool,
) -> int:
    """Power spectra of every atom into its row of `out`, or their mean into that of the structure.

    Returns the first structure with atoms at one place, or −1.
    """
    size = l_max + 1
    span, square = size * size * padded, size * padded * padded
    c0 = HARMONIC + (size * size + size * padded) * BATCH
    end_c = c0 + (channels + 1) * span
    c = work[c0:end_c]
    kept_size = (len(blocks) if is_mean else 1) * square + padded
    kept, values = work[end_c : end_c + kept_size], work[end_c + kept_size :]
    # where what small_radials makes begins, after the coordinates; `values` ends before
    place = end_c + kept_size + square + 2 * padded + 3 * BATCH
    order, first, present = orders(offsets, start, stop, step, channels)
    # where the neighbours of each channel begin in the batch
    segment = np.empty(channels + 1, np.int64)
    cut2 = reach * reach
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        sort_by_channel(begin, end, channels, numbers, channel_of, order, first, present)
        for k in range(channels * span):
            c[k] = 0.0
        if is_mean:
            for k in range(kept_size):
                kept[k] = 0.0
        is_small = end - begin <= BATCH and shift_offsets[s + 1] - shift_offsets[s] == 1
        if is_small and not small_radials(
            end - begin, positions, order, l_max, padded, table, inverse_step, cut2, work, place
        ):
            return s
        for i in range(end - begin):
            atom = order[i]
            if is_small:
                small_centre(
                    i, end - begin, channels, first, l_max, padded, centre_weight, kind, weights, cut2, recurrence,
                    work, place, c0,
                )  # fmt: skip
            elif not centre_coefficients(
                atom, shift_offsets[s], shift_offsets[s + 1], channels, channel_of[numbers[atom]], positions, shifts,
                order, first, segment, l_max, padded, table, inverse_step, cut2, centre, centre_weight, kind, weights,
                recurrence, work, c0,
            ):  # fmt: skip
                return s
            if with_sum:
                add_channels(channels, span, c)
            if not is_mean:
                write_row(
                    out, atom * width, phase, width, c, present, blocks, kept, NO, l_max, n_max, padded, values, is_zero
                )  # fmt: skip
                continue
            for k in range(len(blocks)):
                a, b = blocks[k, 0], blocks[k, 1]
                if present[a] and present[b]:
                    add_products(l_max, padded, c, a * span, b * span, a == b, YES, kept, k * square)
        if is_mean:
            mean = 1.0 / max(end - begin, 1)
            for k in range(kept_size):
                kept[k] *= mean
            write_row(
                out, s * width, phase, width, c, present, blocks, kept, YES, l_max, n_max, padded, values, is_zero
            )
    fence()
    return -1
