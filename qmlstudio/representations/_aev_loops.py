"""Compiled loops of ANI's atomic environment vectors.

The triples of an atom stand side by side, those of one pair of elements together. Of each there are the factors of
the distance and those of the angle, and what is added up are their products: one of the two kinds (that which fills
vectors of eight better) stands in lanes, triple after triple, the other in rows. A row of features is kept in that
order, padded, until it is stored.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._exp import exp
from qmlstudio.representations._log import log
from qmlstudio.representations._products import LANES, angle_lanes, gaussian_lanes, outer1, outer4
from qmlstudio.representations._shells import (
    CUTOFF,
    DISTANCE,
    X,
    Y,
    Z,
    cutoff,
    fill_triples,
    neighbors_by_element,
    sort_atoms,
)

# isort: split
from numba import njit

NEAR_ROWS = 6
_TRIPLES = 128
_TINY = 1e-300
DAMPING = 0.95
"""Of the cosine, so that its arc cosine has a derivative at straight angles."""


def lanes_are_angles(distances: int, angles: int) -> bool:
    """Whether the factors of the angle stand in lanes, those of the distance in rows."""
    return distances * padded(angles) <= angles * padded(distances)


def padded(count: int) -> int:
    """`count` in whole vectors."""
    return (count + LANES - 1) // LANES * LANES


def capacity(neighbors: int) -> int:
    """Triples that are worked on at once, at least those of one neighbour."""
    return padded(max(_TRIPLES, neighbors)) + 16


def widths(distances: int, angles: int) -> tuple[int, int]:
    """Lanes and rows of the angular part."""
    if lanes_are_angles(distances, angles):
        return padded(angles), distances
    return padded(distances), angles


def row_size(kinds: int, shifts: int, distances: int, angles: int) -> int:
    """Doubles of a row before it is stored."""
    lanes, rows = widths(distances, angles)
    return padded(kinds * shifts) + kinds * (kinds + 1) // 2 * lanes * rows


def scratch_size(atoms: int, neighbors: int, kinds: int, shifts: int, distances: int, angles: int) -> int:
    """Doubles of scratch."""
    lanes, rows = widths(distances, angles)
    triples = capacity(neighbors) * (5 + 2 * lanes + 2 * rows)
    return row_size(kinds, shifts, distances, angles) + 3 * atoms + NEAR_ROWS * neighbors + triples


@njit(nogil=True, cache=True)
def raise_to(zeta: float, size: int, values: Any, square: Any) -> None:
    """values^ζ in place: by squaring where ζ is a whole number; `square` is scratch."""
    whole = int(zeta)
    if float(whole) != zeta:
        for t in range(size):
            values[t] = exp(zeta * log(max(values[t], 0.0) + _TINY))
        return
    while whole & 1 == 0:
        for t in range(size):
            values[t] *= values[t]
        whole >>= 1
    if whole == 1:
        return
    for t in range(size):
        square[t] = values[t]
    whole >>= 1
    while whole:
        for t in range(size):
            square[t] *= square[t]
        if whole & 1:
            for t in range(size):
                values[t] *= square[t]
        whole >>= 1


@njit(nogil=True, cache=True)
def add_triples(
    count: int,
    segments: int,
    ends: Any,
    pairs: Any,
    eta: float,
    zeta: float,
    grid: Any,
    half_cosines: Any,
    half_sines: Any,
    by_angle: bool,
    lanes: int,
    rows: int,
    triples: Any,
    left: Any,
    left_square: Any,
    right: Any,
    right_square: Any,
    origin: int,
    row: Any,
) -> None:
    """Add the angular functions of the triples in the buffers; `left` (room · lanes,) and `right` (rows · room,)."""
    cosine, both, weight, sine = triples[0], triples[1], triples[2], triples[4]
    room = len(cosine)
    for t in range(count):
        sine[t] = (1.0 - cosine[t] * cosine[t]) ** 0.5
    if by_angle:
        angle_lanes(count, lanes, half_cosines, half_sines, cosine, sine, left)
        raise_to(zeta, count * lanes, left, left_square)
        for k in range(rows):
            line, shift = right[k * room : k * room + count], grid[k]
            for t in range(count):
                d = 0.5 * both[t] - shift
                line[t] = weight[t] * exp(-eta * d * d)
    else:
        gaussian_lanes(count, lanes, eta, grid, both, weight, left)
        for k in range(rows):
            line, c, d = right[k * count : (k + 1) * count], half_cosines[k], half_sines[k]
            for t in range(count):
                line[t] = 0.5 + c * cosine[t] + d * sine[t]
        raise_to(zeta, rows * count, right, right_square)
    step = room if by_angle else count
    for g in range(segments):
        first, size = ends[g], ends[g + 1] - ends[g]
        for l in range(0, lanes, LANES):
            at, k = origin + pairs[g] * rows * lanes + l, 0
            while k + 4 <= rows:
                outer4(left, first * lanes + l, lanes, right, k * step + first, step, size, row, at + k * lanes, lanes)
                k += 4
            while k < rows:
                outer1(left, first * lanes + l, lanes, right, k * step + first, step, size, row, at + k * lanes, lanes)
                k += 1


@njit(nogil=True, cache=True)
def radial(blocks: Any, eta: float, shifts: Any, near: Any, row: Any) -> None:
    """Add the radial functions of an atom's neighbours; the row has ``len(shifts)`` columns for each element."""
    distance, factor = near[DISTANCE], near[CUTOFF]
    width = len(shifts)
    for a in range(len(blocks) - 1):
        own = row[a * width : (a + 1) * width]
        for k in range(blocks[a], blocks[a + 1]):
            r, f = distance[k], 0.25 * factor[k]
            for c in range(width):
                d = r - shifts[c]
                own[c] += f * exp(-eta * d * d)


@njit(nogil=True, cache=True)
def keep_near(blocks: Any, cut: float, near: Any) -> int:
    """Leave only the neighbours within the angular cutoff; vectors become unit vectors · √0.95. How many there are."""
    inverse, root = 1.0 / (cut * cut), DAMPING**0.5
    kept = begin = 0
    for a in range(len(blocks) - 1):
        end = blocks[a + 1]
        blocks[a] = kept
        for k in range(begin, end):
            if near[DISTANCE, k] < cut:
                r = near[DISTANCE, k]
                near[X, kept] = near[X, k] * (root / r)
                near[Y, kept] = near[Y, k] * (root / r)
                near[Z, kept] = near[Z, k] * (root / r)
                near[DISTANCE, kept] = r
                near[CUTOFF, kept] = cutoff(r * r * inverse)
                kept += 1
        begin = end
    blocks[len(blocks) - 1] = kept
    return kept


@njit(nogil=True, cache=True)
def keep(
    kinds: int,
    width: int,
    distances: int,
    angles: int,
    by_angle: bool,
    lanes: int,
    rows: int,
    scale: float,
    row: Any,
    out: Any,
) -> None:
    """The row in the order of the columns, times `scale`, into `out`; the row becomes zero."""
    head = kinds * width
    origin = (head + LANES - 1) // LANES * LANES
    pairs, size = kinds * (kinds + 1) // 2, distances * angles
    for c in range(head):
        out[c] = row[c] * scale
    if by_angle and lanes == angles:
        first, second = row[origin : origin + pairs * size], out[head : head + pairs * size]
        for c in range(pairs * size):
            second[c] = first[c] * scale
    else:
        for p in range(pairs):
            first = row[origin + p * lanes * rows : origin + (p + 1) * lanes * rows]
            second = out[head + p * size : head + (p + 1) * size]
            for d in range(distances):
                for g in range(angles):
                    # lanes of the row are angles of one distance, or distances of one angle
                    second[d * angles + g] = (first[d * lanes + g] if by_angle else first[g * lanes + d]) * scale
    row[:] = 0.0


@njit(nogil=True, cache=True)
def compute(
    positions: Any,
    slots: Any,
    offsets: Any,
    shifts: Any,
    shift_offsets: Any,
    start: int,
    stop: int,
    step: int,
    constants: Any,
    radial_grid: Any,
    grid: Any,
    half_cosines: Any,
    half_sines: Any,
    distances: int,
    angles: int,
    by_angle: bool,
    lanes: int,
    rows: int,
    average: int,
    atoms: int,
    neighbors: int,
    span: int,
    work: Any,
    index: Any,
    blocks: Any,
    whole: Any,
    out: Any,
) -> int:
    """Structures ``start:stop:step`` into the rows of `out`; the first that is not usable, or −1.

    Parameters
    ----------
    constants : (5,) float64
        Radial and angular cutoff / Å, radial and angular η / Å⁻², ζ.
    radial_grid : (n,) float64, Å
    grid : (≥ distances,) float64, Å; half_cosines, half_sines : (≥ angles,) float64
        ½ cos θ_s and ½ sin θ_s; those in lanes padded.
    average : int
        0 for one row for each atom, 1 for sums over a structure's atoms, 2 for means.
    atoms, neighbors, span : int
        Sizes of buffers, multiples of eight; the last from :func:`capacity`.
    index : (2, ≥ atoms and neighbors) int64, blocks : (2, e + 1) int64, whole : (3, ≥ e (e + 1) / 2 + 4) int64
        Scratch.
    """
    kinds, width = blocks.shape[1] - 1, len(radial_grid)
    origin = (kinds * width + LANES - 1) // LANES * LANES
    at = origin + kinds * (kinds + 1) // 2 * lanes * rows
    row = work[:at]
    places = work[at : at + 3 * atoms].reshape(3, atoms)
    at += 3 * atoms
    flat = work[at : at + NEAR_ROWS * neighbors]
    near = flat.reshape(NEAR_ROWS, neighbors)
    at += NEAR_ROWS * neighbors
    flat_triples = work[at : at + 5 * span]
    triples = flat_triples.reshape(5, span)
    at += 5 * span
    left, left_square = work[at : at + lanes * span], work[at + lanes * span : at + 2 * lanes * span]
    at += 2 * lanes * span
    right, right_square = work[at : at + rows * span], work[at + rows * span : at + 2 * rows * span]
    ends, pairs, state = whole[0], whole[1], whole[2]
    cut = constants[0]
    row[:] = 0.0
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        sort_atoms(begin, end, positions, slots, places, index[0], blocks[0])
        for i in range(begin, end):
            count = neighbors_by_element(
                i,
                positions,
                places,
                index[0],
                blocks[0],
                shifts,
                shift_offsets[s],
                shift_offsets[s + 1],
                cut * cut,
                near,
                index[1],
                blocks[1],
            )
            if count < 0:
                return s
            radial(blocks[1], constants[2], radial_grid, near, row)
            if keep_near(blocks[1], constants[1], near) > 1:
                ends[0] = state[0] = state[1] = state[3] = 0
                state[2] = -1
                while state[3] == 0:
                    segments = fill_triples(
                        blocks[1],
                        flat,
                        neighbors,
                        DISTANCE,
                        CUTOFF,
                        CUTOFF,
                        flat_triples,
                        span,
                        1,
                        True,
                        ends,
                        pairs,
                        state,
                    )
                    add_triples(
                        ends[segments],
                        segments,
                        ends,
                        pairs,
                        constants[3],
                        constants[4],
                        grid,
                        half_cosines,
                        half_sines,
                        by_angle,
                        lanes,
                        rows,
                        triples,
                        left,
                        left_square,
                        right,
                        right_square,
                        origin,
                        row,
                    )
            if not average:
                keep(kinds, width, distances, angles, by_angle, lanes, rows, 1.0, row, out[i])
        if average:
            scale = 1.0 / (end - begin) if average == 2 and end > begin else 1.0
            keep(kinds, width, distances, angles, by_angle, lanes, rows, scale, row, out[s])
    return -1
