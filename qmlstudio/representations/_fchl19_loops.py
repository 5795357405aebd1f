"""Compiled loops of FCHL19: tables of pairs, the neighbours of one atom, sums over triples.

The radial Gaussian of a triple, exp(−η (½ r_j + ½ r_l − R)²), is a product of one number for each of the two pairs and
each R and of one for the triple alone. The sum over triples is therefore a contraction of tables of pairs, and each
triple costs one exponential instead of one for each R.

A small molecule has all its pairs in one table; of large ones and crystals every atom has its own. Both leave the
centre's neighbours in the order of their elements in ``Slots.slots`` (see `_fchl19_buffers`), and in ``Slots.rows``
where their rows of the radial table begin.
"""

from __future__ import annotations

from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
from numba import njit

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._fchl19_vectors import (
    add_contracted,
    add_pairs,
    add_scaled,
    distance_row,
    interleave,
    log_normals,
    pair_numbers,
    radial_factors,
    triple_weights,
)
from qmlstudio.representations._fchl_vectors import (
    A_CUT,
    BLOCK,
    DECAY3,
    ETA3,
    FIRST,
    INVERSE,
    LANES,
    POWER,
    R_CUT,
    SLOPE,
    SLOT_ROWS,
    TWO,
    X,
    Y,
    Z,
)
from qmlstudio.representations._neighbors import gather_neighbors

DENSE = 40
"""Molecules of up to this many atoms have one table of all their pairs."""
TOO_SHORT = -2
"""A loop's answer where buffers are too short for the neighbours of an atom."""
_COINCIDENT2 = COINCIDENT**2


@njit(nogil=True, cache=True, error_model="numpy")
def sort_by_kind(start: int, size: int, data: Any, k: Any) -> int:
    """Atoms of a structure by element into `order`; where elements end, and their columns; how many elements."""
    n_kinds, at, last = 0, 0, -1
    while at < size:
        nearest = 1000
        for i in range(size):
            column = data.column_of[data.numbers[start + i]]
            if last < column < nearest:
                nearest = column
        for i in range(size):
            if data.column_of[data.numbers[start + i]] == nearest:
                k.order[at] = i
                k.kinds[i] = n_kinds
                at += 1
        k.ends[n_kinds] = at
        k.columns[n_kinds] = nearest
        n_kinds += 1
        last = nearest
    return n_kinds


@njit(nogil=True, cache=True, error_model="numpy")
def fill_tables(count: int, constants: Any, shape: Any, p: Any) -> None:
    """Numbers and tables of `count` pairs whose squared distances are in ``p.pair``."""
    end = -(-count // LANES) * LANES
    for t in range(count, end):
        p.pair[t] = 1e6
    pair_numbers(p.pair, shape.width, end, constants.settings)
    log_normals(p.pair, shape.width, count, constants.grid2, shape.size2, p.radial2)
    eta = constants.settings[ETA3]
    radial_factors(p.pair, shape.width, count, constants.grid3, shape.size3, eta, p.radial3)


@njit(nogil=True, cache=True, error_model="numpy")
def dense_pairs(start: int, size: int, data: Any, constants: Any, shape: Any, k: Any, p: Any) -> bool:
    """Tables of all pairs of a molecule whose atoms `order` lists; False where two atoms lie at the same place.

    The pair of atoms i > j of that list has number i (i − 1) / 2 + j. ``p.matrix`` gets the powers and then the inverse
    squares of all distances, one row of slots for each atom.
    """
    positions, width, stride, t = data.positions, shape.width, shape.stride, 0
    for i in range(size):
        u = start + k.order[i]
        for j in range(i):
            v = start + k.order[j]
            dx = positions[u, 0] - positions[v, 0]
            dy = positions[u, 1] - positions[v, 1]
            dz = positions[u, 2] - positions[v, 2]
            d2 = dx * dx + dy * dy + dz * dz
            if d2 <= _COINCIDENT2:
                return False
            p.pair[t] = d2
            t += 1
    fill_tables(size * (size - 1) // 2, constants, shape, p)
    second = size * stride
    p.matrix[: 2 * second] = 0.0
    t = 0
    for i in range(size):
        for j in range(i):
            power, inverse = p.pair[POWER * width + t], p.pair[INVERSE * width + t]
            p.matrix[i * stride + j] = power
            p.matrix[j * stride + i] = power
            p.matrix[second + i * stride + j] = inverse
            p.matrix[second + j * stride + i] = inverse
            t += 1
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def dense_slots(i: int, start: int, size: int, positions: Any, shape: Any, k: Any, p: Any, n: Any) -> None:
    """The neighbours of atom `i` of a molecule: all of its atoms, itself with weight zero."""
    width, stride = shape.width, shape.stride
    end = -(-size // LANES) * LANES
    centre = start + k.order[i]
    for row in range(SLOT_ROWS):
        for l in range(size, end):
            n.slots[row * stride + l] = 0.0
    for l in range(size):
        atom = start + k.order[l]
        n.slots[X * stride + l] = positions[atom, 0] - positions[centre, 0]
        n.slots[Y * stride + l] = positions[atom, 1] - positions[centre, 1]
        n.slots[Z * stride + l] = positions[atom, 2] - positions[centre, 2]
        n.atoms[l] = k.order[l]
        if l == i:
            for row in range(SLOPE + 1):
                n.slots[(FIRST + row) * stride + l] = 0.0
            n.rows[l] = 0
            continue
        t = i * (i - 1) // 2 + l if l < i else l * (l - 1) // 2 + i
        for row in range(SLOPE + 1):
            n.slots[(FIRST + row) * stride + l] = p.pair[row * width + t]
        n.rows[l] = t * shape.size3


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_slots(
    i: int, structure: int, n_kinds: int, data: Any, constants: Any, shape: Any, p: Any, n: Any, f: Any, k: Any
) -> tuple[int, int]:
    """The neighbours of atom `i`, images included, with tables of their own, by element; how many within either cutoff,
    and how many slots: those within the cutoff of the triples. (−1, 0) where an atom lies at the place of `i`.

    Of all neighbours ``f.everyone`` lists the places among the gathered, those of element e ending at
    ``k.all_ends[e]``; of the slots ``n.atoms`` and ``k.ends`` are the atoms and the ends.
    """
    width, stride, settings = shape.width, shape.stride, constants.settings
    start, stop = data.offsets[structure], data.offsets[structure + 1]
    a_cut2 = settings[A_CUT] ** 2
    cut2 = max(settings[R_CUT] ** 2, a_cut2)
    first, last = data.shift_offsets[structure], data.shift_offsets[structure + 1]
    count = gather_neighbors(
        start + i, start, stop, data.positions, data.shifts, first, last, cut2, f.x, f.y, f.z, f.square, f.found
    )
    if count < 0:
        return count, 0
    at, slot = 0, 0
    for kind in range(n_kinds):
        for m in range(count):
            atom = f.found[m] - start
            if k.kinds[atom] != kind:
                continue
            p.pair[at] = f.square[m]
            f.everyone[at] = m
            if f.square[m] < a_cut2:
                n.slots[X * stride + slot] = f.x[m]
                n.slots[Y * stride + slot] = f.y[m]
                n.slots[Z * stride + slot] = f.z[m]
                n.rows[slot] = at
                n.atoms[slot] = atom
                slot += 1
            at += 1
        k.ends[kind] = slot
        k.all_ends[kind] = at
    fill_tables(at, constants, shape, p)
    for l in range(slot):
        t = n.rows[l]
        for row in range(SLOPE + 1):
            n.slots[(FIRST + row) * stride + l] = p.pair[row * width + t]
        n.rows[l] = t * shape.size3
    for row in range(SLOT_ROWS):
        for l in range(slot, -(-slot // LANES) * LANES):
            n.slots[row * stride + l] = 0.0
    return count, slot


@njit(nogil=True, cache=True, error_model="numpy")
def list_pairs(size: int, n_kinds: int, k: Any) -> None:
    """All pairs of slots j < l in the order of their blocks; block b is ``k.bounds[b]:k.bounds[b + 1]``."""
    t, block, first = 0, 0, 0
    for kind in range(n_kinds):
        for other in range(kind, n_kinds):
            k.bounds[block] = t
            block += 1
            for j in range(first, k.ends[kind]):
                for l in range(j + 1 if other == kind else k.ends[other - 1], k.ends[other]):
                    k.left[t] = j
                    k.right[t] = l
                    t += 1
        first = k.ends[kind]
    k.bounds[block] = t


@njit(nogil=True, cache=True, error_model="numpy")
def dense_triples(size: int, n_kinds: int, eta: float, shape: Any, k: Any, p: Any, n: Any, a: Any) -> None:
    """Add the three-body part of one centre to ``a.three``: for each pair of elements and order cosines, then sines."""
    stride, size3, harmonics = shape.stride, shape.size3, shape.harmonics
    end = -(-size // LANES) * LANES
    plane = size * stride
    for j in range(size - 1):
        low, at = (j + 1) // LANES * LANES, j * stride
        triple_weights(n.slots, stride, j, low, end, p.matrix, at, plane + at, eta, n.weights, at, plane, harmonics > 1)
        if harmonics > 1:
            more_harmonics(at + low, at + end, plane, harmonics, n.weights)
    for block in range(n_kinds * (n_kinds + 1) // 2):
        low, high = k.bounds[block], k.bounds[block + 1]
        for h in range(harmonics):
            first = plane * (0 if h == 0 else 1 + 2 * h)
            for shift in range(0, size3, BLOCK):
                at = (block * harmonics + h) * 2 * size3 + shift
                add_pairs(
                    n.weights,
                    first,
                    first + plane,
                    stride,
                    k.left,
                    p.radial3,
                    n.rows,
                    k.right,
                    low,
                    high,
                    shift,
                    a.three,
                    at,
                    at + size3,
                )


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_triples(count: int, n_kinds: int, settings: Any, shape: Any, k: Any, p: Any, n: Any, a: Any) -> None:
    """As :func:`dense_triples`, slot by slot."""
    stride, size3, harmonics = shape.stride, shape.size3, shape.harmonics
    eta, decay = settings[ETA3], settings[DECAY3]
    end = -(-count // LANES) * LANES
    kind = 0
    for j in range(count - 1):
        while j >= k.ends[kind]:
            kind += 1
        low = (j + 1) // LANES * LANES
        distance_row(n.slots, stride, j, low, end, decay, p.matrix)
        triple_weights(n.slots, stride, j, low, end, p.matrix, 0, stride, eta, n.weights, 0, stride, harmonics > 1)
        if harmonics > 1:
            more_harmonics(low, end, stride, harmonics, n.weights)
        start = j + 1
        for other in range(kind, n_kinds):
            stop = k.ends[other]
            if start >= stop:
                continue
            # number of the pair of elements kind ≤ other
            block = kind * (2 * n_kinds - kind + 1) // 2 + other - kind
            for h in range(harmonics):
                first = stride * (0 if h == 0 else 1 + 2 * h)
                for shift in range(0, size3, BLOCK):
                    at = (block * harmonics + h) * 2 * size3 + shift
                    add_contracted(
                        n.weights,
                        first,
                        first + stride,
                        start,
                        stop,
                        p.radial3,
                        n.rows,
                        shift,
                        j,
                        a.three,
                        at,
                        at + size3,
                    )
            start = stop


@njit(nogil=True, cache=True)
def more_harmonics(first: int, last: int, plane: int, harmonics: int, weights: Any) -> None:
    """Weights for 3θ, 5θ, … from those for θ: cos (o + 2)θ = 2 cos 2θ cos oθ − cos (o − 2)θ."""
    for h in range(1, harmonics):
        now = (1 + 2 * h) * plane
        one = 0 if h == 1 else now - 2 * plane
        two = 0 if h <= 2 else now - 4 * plane
        mirror = -1.0 if h == 1 else 1.0
        for l in range(first, last):
            double = weights[2 * plane + l]
            weights[now + l] = double * weights[one + l] - weights[two + l]
            weights[now + plane + l] = double * weights[one + plane + l] - mirror * weights[two + plane + l]


@njit(nogil=True, cache=True)
def block_column(p: int, q: int, shape: Any) -> int:
    """First column of the triples of the elements p ≤ q."""
    return int(shape.elements * shape.n2 + shape.n3 * 2 * shape.harmonics * (q + shape.elements * p - p * (p + 1) // 2))


@njit(nogil=True, cache=True)
def fill_line(scale: float, n_kinds: int, constants: Any, shape: Any, k: Any, a: Any) -> None:
    """Put the sums, times `scale`, where their columns are; those of absent elements are left as they are."""
    size2, size3, n2, n3, harmonics, line = shape.size2, shape.size3, shape.n2, shape.n3, shape.harmonics, a.line
    for e in range(n_kinds):
        at = k.columns[e] * n2
        for l in range(n2):
            line[at + l] = a.two[e * size2 + l] * scale
    block = 0
    for e in range(n_kinds):
        for other in range(e, n_kinds):
            at = block_column(k.columns[e], k.columns[other], shape)
            for h in range(harmonics):
                factor = constants.factors[h] * scale
                if harmonics == 1:
                    interleave(a.three, block, block + size3, n3, factor, line, at)
                else:
                    for l in range(n3):
                        to = at + 2 * (l * harmonics + h)
                        line[to] = a.three[block + l] * factor
                        line[to + 1] = a.three[block + size3 + l] * factor
                block += 2 * size3


@njit(nogil=True, cache=True)
def clear(n_kinds: int, shape: Any, a: Any) -> None:
    """Sums begin with zero."""
    a.two[: n_kinds * shape.size2] = 0.0
    a.three[: n_kinds * (n_kinds + 1) * shape.harmonics * shape.size3] = 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def add_pairs_of_centre(i: int, size: int, shape: Any, k: Any, p: Any, a: Any) -> None:
    """Add the two-body part of atom `i` of a molecule with a common table."""
    kind = 0
    for l in range(size):
        while l >= k.ends[kind]:
            kind += 1
        if l != i:
            t = i * (i - 1) // 2 + l if l < i else l * (l - 1) // 2 + i
            scale = p.pair[TWO * shape.width + t]
            add_scaled(a.two, kind * shape.size2, p.radial2, t * shape.size2, shape.size2, scale)


@njit(nogil=True, cache=True, error_model="numpy")
def dense_loop(
    chosen: Any, data: Any, constants: Any, shape: Any, start: int, stop: int, step: int, s: Any, out: Any
) -> int:
    """Rows of the small molecules ``chosen[start:stop:step]``; the first with atoms at the same place, or −1."""
    p, n, a, _, k = s
    for index in range(start, stop, step):
        structure = chosen[index]
        first, size = data.offsets[structure], data.offsets[structure + 1] - data.offsets[structure]
        if size == 0 and shape.average != 2:
            out[structure, :] = 0.0
        n_kinds = sort_by_kind(first, size, data, k)
        scale = 1.0 / max(size, 1) if shape.average == 1 else 1.0
        if not dense_pairs(first, size, data, constants, shape, k, p):
            return int(structure)
        list_pairs(size, n_kinds, k)
        a.line[:] = 0.0
        clear(n_kinds, shape, a)
        for i in range(size):
            dense_slots(i, first, size, data.positions, shape, k, p, n)
            add_pairs_of_centre(i, size, shape, k, p, a)
            dense_triples(size, n_kinds, constants.settings[ETA3], shape, k, p, n, a)
            if shape.average == 2 or i == size - 1:
                fill_line(scale, n_kinds, constants, shape, k, a)
                out[first + k.order[i] if shape.average == 2 else structure] = a.line
                clear(n_kinds, shape, a)
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_loop(
    chosen: Any, data: Any, constants: Any, shape: Any, start: int, stop: int, step: int, s: Any, out: Any
) -> int:
    """As :func:`dense_loop`, of crystals and large molecules."""
    p, n, a, f, k = s
    for index in range(start, stop, step):
        structure = chosen[index]
        first, size = data.offsets[structure], data.offsets[structure + 1] - data.offsets[structure]
        # these have atoms: structures without any go the other way
        n_kinds = sort_by_kind(first, size, data, k)
        scale = 1.0 / size if shape.average == 1 else 1.0
        a.line[:] = 0.0
        clear(n_kinds, shape, a)
        for i in range(size):
            count, slots = sparse_slots(i, structure, n_kinds, data, constants, shape, p, n, f, k)
            if count < 0:
                return int(structure) if count == -1 else TOO_SHORT
            kind = 0
            for t in range(count):
                while t >= k.all_ends[kind]:
                    kind += 1
                amount = p.pair[TWO * shape.width + t]
                add_scaled(a.two, kind * shape.size2, p.radial2, t * shape.size2, shape.size2, amount)
            sparse_triples(slots, n_kinds, constants.settings, shape, k, p, n, a)
            if shape.average == 2 or i == size - 1:
                fill_line(scale, n_kinds, constants, shape, k, a)
                out[first + i if shape.average == 2 else structure] = a.line
                clear(n_kinds, shape, a)
    return -1
