"""Compiled loops of SOAP: the coefficients around one atom, or averaged over the atoms of a structure."""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._soap_loops import (
    ADD,
    BATCH,
    HARMONIC,
    NO_WEIGHT,
    NONE,
    ONE,
    SCALE,
    SET,
    SQUARE,
    ZERO,
    X,
    Y,
    Z,
    expand,
    harmonics,
    look_up,
    radials,
    weight,
)

# isort: split
import math

from numba import njit

_COINCIDENT2 = COINCIDENT**2


@njit(nogil=True, cache=True)
def is_positive(x: float, y: float, z: float) -> bool:
    """Whether a translation, and not its opposite, is taken where one of both stands for the two."""
    return bool(x > 0.0 or (x == 0.0 and (y > 0.0 or (y == 0.0 and z > 0.0))))


@njit(nogil=True, cache=True)
def expand_pairs(
    count: int,
    a: int,
    b: int,
    l_max: int,
    padded: int,
    recurrence: Any,
    table: Any,
    inverse_step: float,
    work: Any,
    c0: int,
    part: int,
) -> None:
    """Add a batch of pairs of atoms of channels a and b to the coefficients at ``work[c0:]`` of both."""
    rows = (l_max + 1) ** 2
    span, radial = rows * padded, HARMONIC + rows * BATCH
    l_step = 2 if a == b else 1
    harmonics(count, l_max, recurrence, work)
    radials(count, l_max, l_step, padded, table, inverse_step, work, radial)
    same = a == b
    expand(ZERO, count, l_max, l_step, padded, work, radial, c0 + a * span if same else part, ADD if same else SET)
    if same:
        return
    first, second = c0 + a * span, c0 + b * span
    for l in range(l_max + 1):
        sign = 1.0 - 2.0 * (l & 1)
        for k in range(l * l * padded, (l + 1) * (l + 1) * padded):
            work[second + k] += work[part + k]
            work[first + k] += sign * work[part + k]


@njit(nogil=True, cache=True)
def mean_coefficients(
    first_shift: int,
    last_shift: int,
    channels: int,
    positions: Any,
    shifts: Any,
    order: Any,
    first: Any,
    l_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    cut2: float,
    centre: Any,
    centre_weight: float,
    kind: int,
    weights: Any,
    recurrence: Any,
    work: Any,
    c0: int,
    part: int,
) -> bool:
    """Coefficients of a structure averaged over its atoms, into ``work[c0:]``; False if two atoms coincide.

    Every pair of atoms is expanded once: seen from the other atom its coefficients are the same but for the sign of
    odd l, so those cancel in pairs of one element. `part` is where those of a batch are put.
    """
    span = (l_max + 1) ** 2 * padded
    c = work[c0 : c0 + channels * span]
    for k in range(channels * span):
        c[k] = 0.0
    for a in range(channels):
        for b in range(a, channels):
            count = ZERO
            both = 2.0 if a == b else 1.0
            for i in range(first[a], first[a + 1]):
                atom = order[i]
                xi, yi, zi = positions[atom, 0], positions[atom, 1], positions[atom, 2]
                for shift in range(first_shift, last_shift):
                    sx, sy, sz = shifts[shift, 0], shifts[shift, 1], shifts[shift, 2]
                    # of an atom and its own images, half
                    skips = a == b and not is_positive(sx, sy, sz)
                    sx, sy, sz = sx - xi, sy - yi, sz - zi
                    since = first[b]
                    if a == b:
                        since = i + 1 if skips else i
                    for j in range(since, first[b + 1]):
                        other = order[j]
                        x, y, z = positions[other, 0] + sx, positions[other, 1] + sy, positions[other, 2] + sz
                        r2 = x * x + y * y + z * z
                        if r2 >= cut2:
                            continue
                        if r2 <= _COINCIDENT2:
                            return False
                        work[X + count], work[Y + count], work[Z + count] = x, y, z
                        work[SQUARE + count] = r2
                        work[SCALE + count] = both
                        if kind != NO_WEIGHT:
                            work[SCALE + count] *= weight(kind, weights, math.sqrt(r2))[0]
                        count += 1
                        if count == BATCH:
                            expand_pairs(count, a, b, l_max, padded, recurrence, table, inverse_step, work, c0, part)
                            count = ZERO
            if count > 0:
                expand_pairs(count, a, b, l_max, padded, recurrence, table, inverse_step, work, c0, part)
    mean = 1.0 / max(first[channels], 1)
    for a in range(channels):
        if first[a + 1] == first[a]:
            continue
        own = (first[a + 1] - first[a]) * centre_weight
        for n in range(padded):
            c[a * span + n] += own * centre[n]
        for k in range(a * span, (a + 1) * span):
            c[k] *= mean
    return True


@njit(nogil=True, cache=True)
def expand_neighbours(
    count: int,
    since: int,
    last: int,
    segment: Any,
    l_max: int,
    padded: int,
    recurrence: Any,
    table: Any,
    inverse_step: float,
    work: Any,
    c0: int,
) -> None:
    """Add a batch of neighbours, in segments of the channels since…last, to the coefficients at ``work[c0:]``."""
    rows = (l_max + 1) ** 2
    span, radial = rows * padded, HARMONIC + rows * BATCH
    harmonics(count, l_max, recurrence, work)
    radials(count, l_max, ONE, padded, table, inverse_step, work, radial)
    for a in range(since, last + 1):
        if segment[a + 1] > segment[a]:
            expand(segment[a], segment[a + 1], l_max, ONE, padded, work, radial, c0 + a * span, ADD)


@njit(nogil=True, cache=True)
def centre_coefficients(
    atom: int,
    first_shift: int,
    last_shift: int,
    channels: int,
    own: int,
    positions: Any,
    shifts: Any,
    order: Any,
    first: Any,
    segment: Any,
    l_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    cut2: float,
    centre: Any,
    centre_weight: float,
    kind: int,
    weights: Any,
    recurrence: Any,
    work: Any,
    c0: int,
) -> bool:
    """Coefficients around `atom` of channel `own`, any number of neighbours and images; False if one coincides.

    `segment` holds where the neighbours of each channel begin in the batch.
    """
    span = (l_max + 1) ** 2 * padded
    xi, yi, zi = positions[atom, 0], positions[atom, 1], positions[atom, 2]
    count, since = ZERO, ZERO
    segment[0] = 0
    for a in range(channels):
        if first[a + 1] > first[a]:
            for k in range(c0 + a * span, c0 + (a + 1) * span):
                work[k] = 0.0
            for shift in range(first_shift, last_shift):
                sx, sy, sz = shifts[shift, 0] - xi, shifts[shift, 1] - yi, shifts[shift, 2] - zi
                itself = atom if shift == first_shift else -1
                for j in range(first[a], first[a + 1]):
                    other = order[j]
                    x, y, z = positions[other, 0] + sx, positions[other, 1] + sy, positions[other, 2] + sz
                    r2 = x * x + y * y + z * z
                    if r2 >= cut2 or other == itself:
                        continue
                    if r2 <= _COINCIDENT2:
                        return False
                    work[X + count], work[Y + count], work[Z + count] = x, y, z
                    work[SQUARE + count] = r2
                    work[SCALE + count] = 1.0
                    if kind != NO_WEIGHT:
                        work[SCALE + count] = weight(kind, weights, math.sqrt(r2))[0]
                    count += 1
                    if count == BATCH:
                        segment[a + 1] = count
                        expand_neighbours(
                            count, since, a, segment, l_max, padded, recurrence, table, inverse_step, work, c0
                        )
                        count, since = ZERO, a
                        segment[a] = 0
        segment[a + 1] = count
    if count > 0:
        expand_neighbours(count, since, channels - 1, segment, l_max, padded, recurrence, table, inverse_step, work, c0)
    for n in range(padded):
        work[c0 + own * span + n] += centre_weight * centre[n]
    return True


@njit(nogil=True, cache=True)
def small_radials(
    count: int,
    positions: Any,
    order: Any,
    l_max: int,
    padded: int,
    table: Any,
    inverse_step: float,
    cut2: float,
    work: Any,
    place: int,
) -> bool:
    """Radial functions of all pairs of `count` atoms into ``work[place:]``, [atom][atom][l][n]; False if two coincide.

    The atoms in channel order; each pair is looked up once. Their coordinates, three times BATCH, come before.
    """
    span = (l_max + 1) * padded
    x, y, z = place - 3 * BATCH, place - 2 * BATCH, place - BATCH
    for i in range(count):
        atom = order[i]
        work[x + i], work[y + i], work[z + i] = positions[atom, 0], positions[atom, 1], positions[atom, 2]
    fine = True
    for i in range(count):
        row = place + i * count * span
        for j in range(i + 1):
            dx, dy, dz = work[x + j] - work[x + i], work[y + j] - work[y + i], work[z + j] - work[z + i]
            r2 = dx * dx + dy * dy + dz * dz
            if r2 <= _COINCIDENT2 and j < i:
                fine = False
            # those beyond the cutoff get a weight of zero
            twin = place + (j * count + i) * span if j < i else NONE
            square = r2 if r2 < cut2 else 0.0
            look_up(square, l_max, ONE, padded, table, inverse_step, work, row + j * span, twin)
    return fine


@njit(nogil=True, cache=True)
def small_centre(
    i: int,
    count: int,
    channels: int,
    first: Any,
    l_max: int,
    padded: int,
    centre_weight: float,
    kind: int,
    weights: Any,
    cut2: float,
    recurrence: Any,
    work: Any,
    place: int,
    c0: int,
) -> None:
    """Coefficients around atom `i` (in channel order) of a molecule of `count`, see :func:`small_radials`.

    The atom itself is a neighbour like the others, at distance zero.
    """
    rows, radial = (l_max + 1) ** 2, (l_max + 1) * padded
    x, y, z = place - 3 * BATCH, place - 2 * BATCH, place - BATCH
    xi, yi, zi = work[x + i], work[y + i], work[z + i]
    for j in range(count):
        dx, dy, dz = work[x + j] - xi, work[y + j] - yi, work[z + j] - zi
        r2 = dx * dx + dy * dy + dz * dz
        work[X + j], work[Y + j], work[Z + j] = dx, dy, dz
        work[SQUARE + j] = r2
        work[SCALE + j] = 1.0 if r2 < cut2 else 0.0
    if kind != NO_WEIGHT:
        for j in range(count):
            if j == i:
                continue
            work[SCALE + j] *= weight(kind, weights, math.sqrt(work[SQUARE + j]))[0]
    work[SCALE + i] = centre_weight
    harmonics(count, l_max, recurrence, work)
    for a in range(channels):
        if first[a + 1] > first[a]:
            at = c0 + a * rows * padded
            expand(first[a], first[a + 1], l_max, ONE, padded, work, place + i * count * radial, at, SET)
