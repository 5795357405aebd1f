"""What the loops of atom-centred functions share: the cosine cutoff, an atom's neighbours by element, their pairs."""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._products import LANES, triple_row

# isort: split
from numba import njit

X, Y, Z, SQUARE, DISTANCE, CUTOFF = range(6)
"""Rows of an atom's neighbours: vector, squared distance, distance (Å), cutoff function."""
_COINCIDENT2 = COINCIDENT**2


@njit(nogil=True, cache=True)
def cutoff(s: float) -> float:
    """½ (cos π√s + 1) for 0 ≤ s ≤ 1, to 2e-16 of itself: exactly zero at 1.

    It is cos²(½π√s), and cos(½π√s) / (1 − s) a polynomial to double precision (Chebyshev interpolation in 40 digits),
    so neither the root nor the cosine is needed.
    """
    q = -6.30616956165683e-11 * s + 6.318119670622831e-09
    q = q * s - 4.6476318093539006e-07
    q = q * s + 2.47372750411264e-05
    q = q * s - 0.000894522998138162
    q = q * s + 0.01996895776483613
    q = q * s - 0.23370055013616783
    q = (q * s + 1.0) * (1.0 - s)
    return q * q


@njit(nogil=True, cache=True)
def cutoff_slope(s: float) -> float:
    """Derivative of :func:`cutoff` with respect to s: −¼π² sin(π√s) / (π√s)."""
    q = -1.5264822109560146e-10 * s + 7.103487183610862e-09
    q = q * s - 2.459470236441839e-07
    q = q * s + 6.729861121066238e-06
    q = q * s - 0.0001416988928454464
    q = q * s + 0.0022043821275129897
    q = q * s - 0.023943465686467654
    q = q * s + 0.166808358435089
    q = q * s - 0.6449340668482253
    return -2.4674011002723395 * (1.0 - s) * (q * s + 1.0)


@njit(nogil=True, cache=True)
def sort_atoms(begin: int, end: int, positions: Any, slots: Any, places: Any, order: Any, blocks: Any) -> None:
    """The atoms ``begin:end`` of a structure, those of one element side by side.

    Parameters
    ----------
    slots : (A,) int64
        Which element each atom is, 0 … e − 1.
    places : (3, ≥ N) float64, Å; order : (≥ N,) int64
        Filled: positions, and which atoms they are.
    blocks : (e + 1,) int64
        Filled: those of element a are ``blocks[a]:blocks[a + 1]``.
    """
    kinds = len(blocks) - 1
    for a in range(kinds + 1):
        blocks[a] = 0
    for i in range(begin, end):
        blocks[slots[i] + 1] += 1
    for a in range(kinds):
        blocks[a + 1] += blocks[a]
    # blocks[a] is where the next of element a goes, and so in the end where a + 1 begins
    for i in range(begin, end):
        to = blocks[slots[i]]
        blocks[slots[i]] += 1
        order[to] = i
        places[0, to] = positions[i, 0]
        places[1, to] = positions[i, 1]
        places[2, to] = positions[i, 2]
    for a in range(kinds, 0, -1):
        blocks[a] = blocks[a - 1]
    blocks[0] = 0


@njit(nogil=True, cache=True)
def neighbors_by_element(
    i: int,
    positions: Any,
    places: Any,
    order: Any,
    atom_blocks: Any,
    shifts: Any,
    first_shift: int,
    last_shift: int,
    cut2: float,
    near: Any,
    index: Any,
    blocks: Any,
) -> int:
    """Neighbours of atom `i`, those of one element side by side, into the rows of `near` (X … CUTOFF) and `index`.

    `places`, `order` and `atom_blocks` are from :func:`sort_atoms`. `near` (≥ 6, M) float64 and `index` (M,) int64 have
    room for one more at least; neighbours of element a are ``blocks[a]:blocks[a + 1]``. Returns their number; −1 where
    an atom lies at the place of `i` or there is no room.
    """
    x, y, z, square, distance, factor = near[X], near[Y], near[Z], near[SQUARE], near[DISTANCE], near[CUTOFF]
    xi, yi, zi = positions[i, 0], positions[i, 1], positions[i, 2]
    px, py, pz = places[0], places[1], places[2]
    kinds, size = len(blocks) - 1, near.shape[1]
    count = blocks[0] = 0
    for a in range(kinds):
        for s in range(first_shift, last_shift):
            sx, sy, sz = shifts[s, 0] - xi, shifts[s, 1] - yi, shifts[s, 2] - zi
            for k in range(atom_blocks[a], atom_blocks[a + 1]):
                dx, dy, dz = px[k] + sx, py[k] + sy, pz[k] + sz
                d2 = dx * dx + dy * dy + dz * dz
                # written in any case, and kept by counting it: no branch that depends on the geometry
                x[count], y[count], z[count], square[count] = dx, dy, dz, d2
                index[count] = order[k]
                count += int((d2 < cut2) & ((order[k] != i) | (s > first_shift)))
                if count >= size:
                    return -1
        blocks[a + 1] = count
    inverse, nearest = 1.0 / cut2, cut2
    for k in range(count):
        nearest = min(nearest, square[k])
        distance[k] = square[k] ** 0.5
        factor[k] = cutoff(square[k] * inverse)
    return -1 if nearest <= _COINCIDENT2 else count


@njit(nogil=True, cache=True)
def fill_triples(
    blocks: Any,
    near: Any,
    stride: int,
    added: int,
    multiplied: int,
    product: int,
    triples: Any,
    span: int,
    align: int,
    by_first: bool,
    ends: Any,
    pairs: Any,
    state: Any,
) -> int:
    """Put as many triples of an atom as there is room for into the buffers; how many segments they are.

    A segment has the triples of one pair of elements a ≤ b: segment g is ``ends[g]:ends[g + 1]``, of pair ``pairs[g]``,
    which counts (0, 0), (0, 1), … if `by_first`, else (0, 0), (0, 1), (1, 1), …

    Parameters
    ----------
    near, stride, added, multiplied, product
        See :func:`_products.triple_row`; `near` is flat.
    triples : (4 · span,) float64
        Four rows, with room for ``span - 16`` triples.
    align : 1 or 8
        Of what the segments' lengths are multiples; what fills them up are zeros.
    state : (4,) int64
        Where to go on: first and second element, the next neighbour of the rarer (−1: its first), whether all are done.
        Begin with (0, 0, −1, 0).
    """
    room, kinds = span - 16, len(blocks) - 1
    count = segments = ends[0]
    a, b, j = state[0], state[1], state[2]
    while a < kinds:
        while b < kinds:
            pairs[segments] = a * kinds - a * (a - 1) // 2 + b - a if by_first else b * (b + 1) // 2 + a
            # long runs: over the neighbours of the element that has more of them
            swap = a != b and blocks[a + 1] - blocks[a] > blocks[b + 1] - blocks[b]
            outer, inner = (b, a) if swap else (a, b)
            if j < 0:
                j = blocks[outer]
            full = False
            while j < blocks[outer + 1]:
                first, last = j + 1 if a == b else blocks[inner], blocks[inner + 1]
                if count + last - first > room:
                    full = True
                    break
                triple_row(near, stride, j, first, last, added, multiplied, product, triples, span, count)
                count += last - first
                j += 1
            if count > ends[segments]:
                if align > 1:
                    for r in range(0, 4 * span, span):
                        rest = triples[r + count : r + count + LANES]
                        for l in range(LANES):
                            rest[l] = 0.0
                    count = (count + LANES - 1) // LANES * LANES
                segments += 1
                ends[segments] = count
            if full:
                state[0], state[1], state[2] = a, b, j
                return int(segments)
            b, j = b + 1, -1
        a, b = a + 1, a + 1
    state[3] = 1
    return int(segments)
