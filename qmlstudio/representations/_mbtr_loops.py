"""Compiled loops of the many-body tensor: pairs and angles of atoms as smeared bins.

Blocks of bins lie in a buffer at distances of ``Section.stride``, for the elements of one structure only ("local"
elements, in the order of the columns' elements); rows are made of them at the end. Loops run over bins in steps of
LANES and past both ends of a block, into the room between blocks that nobody reads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qmlstudio.representations._bins import DEGREE, LANES
from qmlstudio.representations._exp import exp
from qmlstudio.representations._neighbors import gather_neighbors
from qmlstudio.representations._simd import WIDTH, fma, load, splat, store

# isort: split
from numba import njit

assert WIDTH == LANES
assert DEGREE == 6

LEAD = 8
"""Doubles before a block's first bin."""
CHUNK = 1024
"""Angles that are worked on at once."""
UNITY, EXP, INVERSE_SQUARE, SMOOTH = 0, 1, 2, 3
PLAIN, OTHER = 0, 1
"""Geometry: distance and angle, or inverse distance and cosine."""
_TAN_EIGHTH = 0.41421356237309503
_DEGREES = 57.29577951308232


class Section(NamedTuple):
    """The pairs (k = 2) or the angles (k = 3) of a many-body tensor.

    Attributes
    ----------
    n : int
        Bins; 0 where the section is left out.
    geometry, weighting : int
        See the constants above.
    stride, half, nodes, width, start, inverse : grid
        See :mod:`_bins`; `inverse` is 1 / bin width.
    cutoff : float, Å
        Of pairs, and of a middle atom and its neighbours; may be infinite.
    rim : float, Å
        Largest perimeter of a triangle; may be infinite.
    decay : float, 1/Å
        Of the weighting EXP.
    sharpness : float
        Of the weighting SMOOTH.
    scale : float
        Factor of all values.
    table : (…,) float64
        See :class:`_bins.Table`.
    """

    n: int
    geometry: int
    weighting: int
    stride: int
    half: int
    nodes: int
    width: int
    start: float
    inverse: float
    cutoff: float
    rim: float
    decay: float
    sharpness: float
    scale: float
    table: Any


@njit(nogil=True, cache=True)
def find_window(section: Any, s: float) -> tuple[int, int, int, float]:
    """First bin, its place in the table, end of bins and the polynomials' variable for a centre at `s` bins.

    First and end are equal where the Gaussian lies beside the grid.
    """
    half = section.half
    if not (s > -half - 1.0 and s < section.n + half + 1.0):
        return 0, 0, 0, 0.0
    below = np.floor(s)
    inside = (s - below) * section.nodes
    part = min(int(inside), section.nodes - 1)
    first = int(below) - half
    # a multiple of eight keeps the table's lines whole
    skipped = 0 if first >= 0 else -first & ~7
    at = part * 7 * section.width + skipped
    return first + skipped, at, min(first + 2 * half + 1, section.n), 2.0 * (inside - part) - 1.0


@njit(nogil=True, cache=True)
def shape(table: Any, at: int, width: int, t: Any) -> Any:
    """LANES bins of a Gaussian: the polynomials at `t`."""
    value = fma(load(table, at + 6 * width), t, load(table, at + 5 * width))
    value = fma(value, t, load(table, at + 4 * width))
    value = fma(value, t, load(table, at + 3 * width))
    value = fma(value, t, load(table, at + 2 * width))
    value = fma(value, t, load(table, at + width))
    return fma(value, t, load(table, at))


@njit(nogil=True, cache=True)
def add_one(section: Any, s: float, weight: float, bins: Any, base: int) -> None:
    """Add a Gaussian of area `weight` to the block at `base`."""
    m, at, end, variable = find_window(section, s)
    table, width = section.table, section.width
    t, w = splat(variable), splat(weight)
    while m < end:
        store(bins, base + m, fma(shape(table, at, width, t), w, load(bins, base + m)))
        m += LANES
        at += LANES


@njit(nogil=True, cache=True)
def add_three(section: Any, s: float, weight: float, bins: Any, a: int, b: int, c: int) -> None:
    """Add a Gaussian of area `weight` to three blocks, one after the other: they may be the same."""
    m, at, end, variable = find_window(section, s)
    table, width = section.table, section.width
    t, w = splat(variable), splat(weight)
    while m < end:
        value = shape(table, at, width, t) * w
        store(bins, a + m, load(bins, a + m) + value)
        store(bins, b + m, load(bins, b + m) + value)
        store(bins, c + m, load(bins, c + m) + value)
        m += LANES
        at += LANES


@njit(nogil=True, cache=True, error_model="numpy")
def weigh(section: Any, count: int, square: Any, distance: Any, weight: Any) -> None:
    """Distances, and weights w(r) of pairs; of angles the factor that a middle atom's neighbour brings."""
    decay, cutoff, y = section.decay, section.cutoff, section.sharpness
    for a in range(count):
        distance[a] = np.sqrt(square[a])
    if section.weighting == EXP:
        for a in range(count):
            weight[a] = exp(-decay * distance[a])
    elif section.weighting == INVERSE_SQUARE:
        for a in range(count):
            weight[a] = 1.0 / square[a]
    elif section.weighting == SMOOTH:
        for a in range(count):
            x = distance[a] / cutoff
            weight[a] = 1.0 + (y * x - (y + 1.0)) * x**y
    else:
        weight[:count] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def pair_place(section: Any, distance: float) -> float:
    """Where a pair stands on the grid, in bins from its start."""
    value = distance if section.geometry == PLAIN else 1.0 / distance
    return float((value - section.start) * section.inverse)


@njit(nogil=True, cache=True)
def gather(section: Any, i: int, atoms: Any, images: Any, first: int, last: int, around: Any, index: Any) -> int:
    """Neighbours of atom `i` within the section's cutoff, with distances and weights; their number or −1 (coincident).

    `atoms` is (positions, start, stop), `images` the array of shifts; rows of `around`: x, y, z, squared distance,
    distance, weight.
    """
    positions, start, stop = atoms
    count = gather_neighbors(
        i,
        start,
        stop,
        positions,
        images,
        first,
        last,
        section.cutoff * section.cutoff,
        around[0],
        around[1],
        around[2],
        around[3],
        index,
    )
    if count > 0:
        weigh(section, count, around[3], around[4], around[5])
    return int(count)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def angles(section: Any, count: int, dot: Any, cross: Any, across: Any, sides: Any, product: Any, weight: Any) -> None:
    """Of `count` pairs of neighbours: place on the grid into `dot`, weight into `weight`.

    Parameters
    ----------
    dot : scalar products of the two vectors
    cross : squared length of their vector products
    across : squared distance of the neighbours from each other
    sides : sum of the two distances from the middle atom
    product : product of the two
    weight : product of the neighbours' weights
    """
    decay, rim, start, inverse = section.decay, section.rim, section.start, section.inverse
    for p in range(count):
        third = np.sqrt(across[p])
        w = weight[p] * exp(-decay * third)
        weight[p] = w if sides[p] + third <= rim else 0.0
    if section.geometry != PLAIN:
        for p in range(count):
            dot[p] = (dot[p] / product[p] - start) * inverse
        return
    for p in range(count):
        # the angle between 0 and π whose tangent is |cross| / dot: accurate for straight chains, too
        y, x = np.sqrt(cross[p]), dot[p]
        ax = abs(x)
        small, big = min(ax, y), max(ax, y)
        turned = small > _TAN_EIGHTH * big
        u = (small - big if turned else small) / (small + big if turned else big)
        z = u * u
        q = -0.019175404711104925
        q = q * z + 0.039230447784793086
        q = q * z - 0.05085407834589484
        q = q * z + 0.05858140904866328
        q = q * z - 0.06664510525508936
        q = q * z + 0.07692183125376892
        q = q * z - 0.0909090457530649
        q = q * z + 0.11111111015187018
        q = q * z - 0.14285714284665682
        q = q * z + 0.19999999999995516
        q = q * z - 0.3333333333333333
        angle = u + u * z * q
        angle = 0.7853981633974483 + angle if turned else angle
        angle = 1.5707963267948966 - angle if y > ax else angle
        angle = 3.141592653589793 - angle if x < 0.0 else angle
        dot[p] = (angle * _DEGREES - start) * inverse


@njit(nogil=True, cache=True)
def fill_angles(a: int, around: Any, pairs: Any, filled: int) -> None:
    """Append neighbour `a` with all before it to the rows of `pairs` (those that :func:`angles` takes)."""
    xa, ya, za, da, wa = around[0, a], around[1, a], around[2, a], around[4, a], around[5, a]
    x, y, z, d, w = around[0], around[1], around[2], around[4], around[5]
    dot, cross, across, sides, product, weight = pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5]
    for b in range(a):
        p = filled + b
        dot[p] = xa * x[b] + ya * y[b] + za * z[b]
        cx, cy, cz = ya * z[b] - za * y[b], za * x[b] - xa * z[b], xa * y[b] - ya * x[b]
        cross[p] = cx * cx + cy * cy + cz * cz
        dx, dy, dz = xa - x[b], ya - y[b], za - z[b]
        across[p] = dx * dx + dy * dy + dz * dz
        sides[p] = da + d[b]
        product[p] = da * d[b]
        weight[p] = wa * w[b]


@njit(nogil=True, cache=True)
def local_elements(numbers: Any, start: int, stop: int, element: Any, local: Any, counts: Any) -> int:
    """Number the elements of one structure in ascending order into `local` (−1 where absent); their number.

    `counts` receives how many atoms there are of each of the columns' elements.
    """
    counts[:] = 0
    for i in range(start, stop):
        counts[element[numbers[i]]] += 1
    found = 0
    for e in range(len(counts)):
        local[e] = -1
        if counts[e] > 0:
            local[e] = found
            found += 1
    return found


@njit(nogil=True, cache=True)
def triangle(low: int, high: int, n: int) -> int:
    """Index of the unordered pair (low ≤ high) of `n` things, row by row."""
    return high + low * n - low * (low + 1) // 2


@njit(nogil=True, cache=True)
def tensor_size(two: Any, three: Any, n: int) -> int:
    """Doubles of one tensor's buffer for `n` local elements."""
    pairs = n * (n + 1) // 2
    return int(LEAD + pairs * two.stride + n * pairs * three.stride)


@njit(nogil=True, cache=True)
def row_size(two: Any, three: Any, n: int) -> int:
    """Doubles of the buffer of one atom's tensor for `n` local elements."""
    return int(LEAD + n * two.stride + (n * (n + 1) // 2 + n * n) * three.stride)


@njit(nogil=True, cache=True)
def largest_buffers(numbers: Any, offsets: Any, element: Any, two: Any, three: Any, counts: Any) -> tuple[int, int]:
    """Doubles that the tensor of any structure needs, and those for all atoms' tensors of any."""
    local = np.empty(len(counts), dtype=np.int64)
    tensor, rows = 0, 0
    for s in range(len(offsets) - 1):
        start, stop = offsets[s], offsets[s + 1]
        n = local_elements(numbers, start, stop, element, local, counts)
        tensor = max(tensor, tensor_size(two, three, n) + row_size(two, three, n))
        rows = max(rows, (stop - start) * row_size(two, three, n))
    return tensor, rows


@njit(nogil=True, cache=True)
def tensor(
    atoms: Any,
    shifts: Any,
    first: int,
    last: int,
    kinds: Any,
    n: int,
    two: Any,
    three: Any,
    bins: Any,
    around: Any,
    pairs: Any,
    index: Any,
    place: Any,
) -> bool:
    """The tensor of one structure into `bins`: pairs (i ≤ j), then angles (middle; i ≤ k). False: atoms coincide.

    Every pair and angle of a crystal is counted once for each cell: by half of both its ends, or in its middle.
    """
    _, start, stop = atoms
    bins[: tensor_size(two, three, n)] = 0.0
    blocks = n * (n + 1) // 2
    after = LEAD + blocks * two.stride
    alone = last - first == 1
    for i in range(start, stop):
        if two.n == 0 and three.n == 0 and gather(two, i, atoms, shifts, first, last, around, index) < 0:
            return False
        if two.n > 0:
            count = gather(two, i, atoms, shifts, first, last, around, index)
            if count < 0:
                return False
            share = 1.0 if alone else 0.5
            for a in range(count):
                if alone and index[a] < i:
                    continue
                ki, ka = kinds[i - start], kinds[index[a] - start]
                low, high = min(ki, ka), max(ki, ka)
                base = LEAD + triangle(low, high, n) * two.stride
                add_one(two, pair_place(two, around[4, a]), share * around[5, a], bins, base)
        if three.n > 0:
            count = gather(three, i, atoms, shifts, first, last, around, index)
            if count < 0:
                return False
            mine = after + kinds[i - start] * blocks * three.stride
            # numba compiles a function anew for a constant
            filled = int(np.int64(0))
            for a in range(1, count):
                fill_angles(a, around, pairs, filled)
                ka = kinds[index[a] - start]
                for b in range(a):
                    kb = kinds[index[b] - start]
                    place[filled + b] = mine + triangle(min(ka, kb), max(ka, kb), n) * three.stride
                filled += a
                if filled >= CHUNK or a == count - 1:
                    angles(three, filled, pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5])
                    for p in range(filled):
                        if pairs[5, p] != 0.0:
                            add_one(three, pairs[0, p], pairs[5, p], bins, place[p])
                    filled = 0
    return True


@njit(nogil=True, cache=True)
def atom_tensors(
    atoms: Any,
    shifts: Any,
    first: int,
    last: int,
    kinds: Any,
    n: int,
    two: Any,
    three: Any,
    bins: Any,
    around: Any,
    pairs: Any,
    index: Any,
    place: Any,
) -> bool:
    """The tensors of all atoms into `bins`, `row_size` doubles each. False: atoms coincide.

    Of each atom: pairs by the other atom's element; angles at it (i ≤ k); angles at whose end it is (middle,
    other end).
    """
    _, start, stop = atoms
    size = row_size(two, three, n)
    bins[: (stop - start) * size] = 0.0
    blocks = n * (n + 1) // 2
    middle = LEAD + n * two.stride
    end = middle + blocks * three.stride
    for i in range(start, stop):
        if two.n > 0:
            count = gather(two, i, atoms, shifts, first, last, around, index)
            if count < 0:
                return False
            for a in range(count):
                base = (i - start) * size + LEAD + kinds[index[a] - start] * two.stride
                add_one(two, pair_place(two, around[4, a]), around[5, a], bins, base)
        if three.n > 0:
            count = gather(three, i, atoms, shifts, first, last, around, index)
            if count < 0:
                return False
            mine = (i - start) * size + middle
            ends = end + kinds[i - start] * n * three.stride
            # numba compiles a function anew for a constant
            filled = int(np.int64(0))
            for a in range(1, count):
                fill_angles(a, around, pairs, filled)
                ka = kinds[index[a] - start]
                far = (index[a] - start) * size + ends
                for b in range(a):
                    kb = kinds[index[b] - start]
                    place[3 * (filled + b)] = mine + triangle(min(ka, kb), max(ka, kb), n) * three.stride
                    place[3 * (filled + b) + 1] = far + kb * three.stride
                    place[3 * (filled + b) + 2] = (index[b] - start) * size + ends + ka * three.stride
                filled += a
                if filled >= CHUNK or a == count - 1:
                    angles(three, filled, pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5])
                    for p in range(filled):
                        if pairs[5, p] != 0.0:
                            add_three(
                                three,
                                pairs[0, p],
                                pairs[5, p],
                                bins,
                                place[3 * p],
                                place[3 * p + 1],
                                place[3 * p + 2],
                            )
                    filled = 0
    return True
