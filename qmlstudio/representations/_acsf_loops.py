"""Compiled loops of Behler's symmetry functions.

Everything is done for many triples at once, in plain loops over contiguous buffers: the triples of an atom stand side
by side, those of one pair of elements together, so powers of ½(1 + λ cos θ) and Gaussians are computed for all of them
and then added up pair by pair.
"""

from __future__ import annotations

from math import cos
from typing import Any

from qmlstudio.representations._exp import exp
from qmlstudio.representations._log import log
from qmlstudio.representations._products import dot
from qmlstudio.representations._shells import (
    CUTOFF,
    DISTANCE,
    SQUARE,
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

BY_PRODUCTS, BY_LOGARITHM = -1, -2
"""How a power is made where it is not that before, squared so many times."""
NEAR_ROWS = 6
COSINE, BOTH, WEIGHT, PRODUCT, BASE, POWER, SPARE, TRIPLE_ROWS = range(8)
_TRIPLES = 256
_TINY = 1e-300


def whole_vectors(count: int) -> int:
    """`count` rounded up to a multiple of eight."""
    return (count + 7) // 8 * 8


def capacity(neighbors: int) -> int:
    """Triples that there are buffers for: what fits into the first-level cache, and one neighbour's at least."""
    return max(_TRIPLES, neighbors) + 16


def scratch_size(atoms: int, neighbors: int, weights: int, columns: int) -> int:
    """Doubles of scratch for so many atoms, of which one has so many neighbours (multiples of eight)."""
    rows = 3 * atoms + NEAR_ROWS * neighbors + (TRIPLE_ROWS + weights) * capacity(neighbors)
    return rows + whole_vectors(columns)


@njit(nogil=True, cache=True)
def integer_power(count: int, exponent: int, base: Any, power: Any, square: Any) -> None:
    """base^exponent into `power`, by squaring; `square` is scratch."""
    for t in range(count):
        power[t] = 1.0
        square[t] = base[t]
    left = exponent
    while left > 0:
        if left & 1:
            for t in range(count):
                power[t] *= square[t]
        left >>= 1
        if left:
            for t in range(count):
                square[t] *= square[t]


@njit(nogil=True, cache=True)
def radial(blocks: Any, g2: Any, g3: Any, near: Any, row: Any) -> None:
    """Add G1, G2 and G3 of an atom's neighbours."""
    gaussians = g2.shape[1]
    width = 1 + gaussians + len(g3)
    etas, shifts, distance, factor = g2[0], g2[1], near[DISTANCE], near[CUTOFF]
    for a in range(len(blocks) - 1):
        first = a * width
        own = row[first + 1 : first + 1 + gaussians]
        for k in range(blocks[a], blocks[a + 1]):
            r, f = distance[k], factor[k]
            row[first] += f
            for c in range(gaussians):
                d = r - shifts[c]
                own[c] += f * exp(-etas[c] * d * d)
        for c in range(len(g3)):
            total = 0.0
            for k in range(blocks[a], blocks[a + 1]):
                total += factor[k] * cos(g3[c] * distance[k])
            row[first + 1 + gaussians + c] += total


@njit(nogil=True, cache=True)
def add_triples(
    count: int,
    segments: int,
    ends: Any,
    pairs: Any,
    inverse_cut2: float,
    weights: Any,
    powers: Any,
    functions: Any,
    triples: Any,
    exponentials: Any,
    origin: int,
    width: int,
    row: Any,
) -> None:
    """Add G4 and G5 of the triples in the buffers; those of segment g, ``ends[g]:ends[g + 1]``, are of ``pairs[g]``."""
    cosine, both, weight, product = triples[COSINE], triples[BOTH], triples[WEIGHT], triples[PRODUCT]
    base, power, spare = triples[BASE], triples[POWER], triples[SPARE]
    for g in range(len(weights)):
        e = exponentials[g]
        eta = weights[g, 1]
        if weights[g, 0] == 4.0:
            for t in range(count):
                third = both[t] - 2.0 * product[t] * cosine[t]
                s = third * inverse_cut2
                value = weight[t] * cutoff(s) * exp(-eta * (both[t] + third))
                e[t] = value if s < 1.0 else 0.0
        else:
            for t in range(count):
                e[t] = weight[t] * exp(-eta * both[t])
    for q in range(len(powers)):
        half, mode = 0.5 * powers[q, 0], int(powers[q, 2])
        if powers[q, 3] > 0.0:
            for t in range(count):
                b = 0.5 + half * cosine[t]
                b = b if b > 0.0 else 0.0
                base[t] = b
                power[t] = b
        if mode >= 0:
            for _ in range(mode):
                for t in range(count):
                    power[t] *= power[t]
        elif mode == BY_PRODUCTS:
            integer_power(count, int(powers[q, 1]), base, power, spare)
        else:
            zeta = powers[q, 1]
            for t in range(count):
                power[t] = exp(zeta * log(base[t] + _TINY))
        for f in range(int(powers[q, 4]), int(powers[q, 5])):
            e = exponentials[functions[f, 0]]
            column = origin + functions[f, 1]
            for g in range(segments):
                row[column + pairs[g] * width] += dot(e, power, ends[g], ends[g + 1])


@njit(nogil=True, cache=True)
def angular(
    blocks: Any,
    cut2: float,
    weights: Any,
    powers: Any,
    functions: Any,
    near: Any,
    flat: Any,
    triples: Any,
    flat_triples: Any,
    exponentials: Any,
    whole: Any,
    origin: int,
    row: Any,
) -> None:
    """Add G4 and G5 of an atom; `flat` is `near`, and `flat_triples` the first rows of `triples`, in one dimension."""
    x, y, z, distance = near[X], near[Y], near[Z], near[DISTANCE]
    for k in range(blocks[len(blocks) - 1]):
        inverse = 1.0 / distance[k]
        x[k] *= inverse
        y[k] *= inverse
        z[k] *= inverse
    stride, span = near.shape[1], triples.shape[1]
    ends, pairs, state = whole[0], whole[1], whole[2]
    ends[0] = state[0] = state[1] = state[3] = 0
    state[2] = -1
    while state[3] == 0:
        segments = fill_triples(
            blocks, flat, stride, SQUARE, CUTOFF, DISTANCE, flat_triples, span, 8, False, ends, pairs, state
        )
        add_triples(
            ends[segments],
            segments,
            ends,
            pairs,
            1.0 / cut2,
            weights,
            powers,
            functions,
            triples,
            exponentials,
            origin,
            len(functions),
            row,
        )


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
    cut2: float,
    g2: Any,
    g3: Any,
    weights: Any,
    powers: Any,
    functions: Any,
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
    g2 : (2, n) float64
        η / Å⁻² and R_s / Å.
    g3 : (n,) float64
        κ / Å⁻¹.
    weights : (w, 2) float64
        4 or 5 for G4 and G5, η / Å⁻².
    powers : (p, 6) float64
        λ, ζ, how it is made, whether λ is a new one, first and last of its functions.
    functions : (f, 2) int64
        Which weight, and the column among those of a pair of elements.
    average : int
        0 for one row for each atom, 1 for sums over a structure's atoms, 2 for means.
    atoms, neighbors, span : int
        Sizes of buffers, multiples of eight; the last from :func:`capacity`.
    index : (2, ≥ atoms and neighbors) int64, blocks : (2, e + 1) int64, whole : (3, ≥ e (e + 1) / 2 + 4) int64
        Scratch.
    """
    columns = out.shape[1]
    at = (columns + 7) // 8 * 8
    row = work[:columns]
    places = work[at : at + 3 * atoms].reshape(3, atoms)
    at += 3 * atoms
    flat = work[at : at + NEAR_ROWS * neighbors]
    near = flat.reshape(NEAR_ROWS, neighbors)
    at += NEAR_ROWS * neighbors
    flat_triples = work[at : at + TRIPLE_ROWS * span]
    triples = flat_triples.reshape(TRIPLE_ROWS, span)
    at += TRIPLE_ROWS * span
    exponentials = work[at : at + len(weights) * span].reshape(len(weights), span)
    origin = (blocks.shape[1] - 1) * (1 + g2.shape[1] + len(g3))
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        sort_atoms(begin, end, positions, slots, places, index[0], blocks[0])
        row[:] = 0.0
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
                cut2,
                near,
                index[1],
                blocks[1],
            )
            if count < 0:
                return s
            radial(blocks[1], g2, g3, near, row)
            if count > 1 and len(functions):
                angular(
                    blocks[1],
                    cut2,
                    weights,
                    powers,
                    functions,
                    near,
                    flat,
                    triples,
                    flat_triples,
                    exponentials,
                    whole,
                    origin,
                    row,
                )
            if not average:
                to = out[i]
                for c in range(columns):
                    to[c] = row[c]
                    row[c] = 0.0
        if average:
            scale = 1.0 / (end - begin) if average == 2 and end > begin else 1.0
            for c in range(columns):
                out[s, c] = row[c] * scale
    return -1
