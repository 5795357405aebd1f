"""Compiled loops of SLATM: distances and angles of 16 pairs or triangles at once, then their Gaussians one by one.

A triangle of atoms has three angles, one for each curve; its sides, its area and the third power of their product are
shared. Curves are gathered in a buffer that holds only what the structure's elements can form, with room on both sides
so that no Gaussian needs to be clipped, and go to the columns at the end.

Elements of one structure are numbered locally. The buffer has one row for each atom (local features) or for each
element (else): the pair curves of that centre with each element, then the curves of angles at it for each pair of
elements.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._exp import exp_lanes
from qmlstudio.representations._simd import (
    WIDTH,
    fma,
    larger,
    load,
    magnitude,
    root,
    smaller,
    splat,
    store,
    where_greater,
)
from qmlstudio.representations._slatm_terms import BLOCK, LEAD
from qmlstudio.representations._slatm_window import add_gaussian

# isort: split
from numba import njit

TRIANGLES = 32
"""Triangles that are collected before their angles are computed; a multiple of WIDTH."""
_SIDES = 9
_SHIFT = WIDTH.bit_length() - 1
_FIELDS = 8
_COINCIDENT2 = COINCIDENT**2
_QUARTER_PI, _HALF_PI = math.pi / 4, math.pi / 2
_TAN_EIGHTH = math.tan(math.pi / 8)
# adding it leaves a number's nearest whole number in the low bits of the sum
_SHIFTER = 6755399441055744.0
# (atan(t) / t − 1) / t² in t², for t up to tan(π/8), to 5e-18 (Chebyshev interpolation in 60 digits)
_ATAN = (
    -0.3333333333333333,
    0.1999999999999552,
    -0.14285714284666542,
    0.11111111015256292,
    -0.09090904578121085,
    0.07692183190760651,
    -0.0666451144646022,
    0.05858148904795124,
    -0.050854496960392584,
    0.039231657085083686,
    -0.019176885636589053,
)


def scratch_size(atoms: int, rows: int, row: int) -> int:
    """Doubles of scratch for structures of `atoms` atoms whose buffer has `rows` rows of `row` doubles."""
    neighbors = atoms + WIDTH
    return rows * row + 4 * neighbors + TRIANGLES * (_SIDES + 3 * _FIELDS)


def whole_size(atoms: int, elements: int) -> int:
    """Whole numbers of scratch for structures of `atoms` atoms in a data set of `elements` elements."""
    return elements * (elements + 2) + 3 * TRIANGLES + WIDTH + 2 * (atoms + WIDTH)


@njit(nogil=True, cache=True)
def angle(sine: Any, cosine: Any) -> Any:
    """The angle in 0…π with a given sine ≥ 0 and cosine, lane by lane; both may have a common factor > 0."""
    zero, half = splat(0.0), splat(_HALF_PI)
    adjacent = magnitude(cosine)
    low, high = smaller(sine, adjacent), larger(sine, adjacent)
    bound = high * splat(_TAN_EIGHTH)
    # from the nearer of 0 and π/4
    t = where_greater(low, bound, low - high, low) / where_greater(low, bound, low + high, high)
    square = t * t
    series = splat(_ATAN[10])
    series = fma(series, square, splat(_ATAN[9]))
    series = fma(series, square, splat(_ATAN[8]))
    series = fma(series, square, splat(_ATAN[7]))
    series = fma(series, square, splat(_ATAN[6]))
    series = fma(series, square, splat(_ATAN[5]))
    series = fma(series, square, splat(_ATAN[4]))
    series = fma(series, square, splat(_ATAN[3]))
    series = fma(series, square, splat(_ATAN[2]))
    series = fma(series, square, splat(_ATAN[1]))
    series = fma(series, square, splat(_ATAN[0]))
    part = fma(t * square, series, t) + where_greater(low, bound, splat(_QUARTER_PI), zero)
    acute = where_greater(sine, adjacent, half - part, part)
    return where_greater(zero, cosine, splat(math.pi) - acute, acute)


@njit(nogil=True, cache=True)
def window(value: Any, u: Any, v: Any, first: float, step: float, sigma: float, lead: float, at: int, out: Any) -> None:
    """What ``add_gaussian`` needs for Gaussians at `value` with weights `u`, `v`: eight fields in lane order.

    They are the cell (nearest grid point, `lead` added), weights, powers of g.
    """
    offset = value - splat(first)
    shifter = splat(_SHIFTER)
    nearest = fma(offset, splat(1.0 / step), shifter) - shifter
    delta = fma(nearest, splat(-step), offset)
    slope = delta * splat(step / (sigma * sigma))
    seed = exp_lanes(delta * delta * splat(-0.5 / (sigma * sigma)))
    # each power by itself where it can be: rounding errors do not pile up
    g, g4, down = exp_lanes(slope), exp_lanes(slope * splat(4.0)), exp_lanes(slope * splat(-8.0))
    store(out, at, nearest + splat(lead))
    store(out, at + WIDTH, u * seed)
    store(out, at + 2 * WIDTH, v * seed)
    store(out, at + 3 * WIDTH, g)
    store(out, at + 4 * WIDTH, g * g)
    store(out, at + 5 * WIDTH, g4)
    store(out, at + 6 * WIDTH, g4 * g4)
    store(out, at + 7 * WIDTH, down)


@njit(nogil=True, cache=True)
def angles(count: int, sides: Any, first: float, step: float, sigma: float, out: Any) -> None:
    """Windows of the three angles of `count` triangles i, j, k; `sides` has the vectors ij, ik, jk."""
    one, zero = splat(1.0), splat(0.0)
    for chunk in range((count + WIDTH - 1) // WIDTH):
        at = chunk * WIDTH * _SIDES
        ax, ay, az = load(sides, at), load(sides, at + WIDTH), load(sides, at + 2 * WIDTH)
        bx, by, bz = load(sides, at + 3 * WIDTH), load(sides, at + 4 * WIDTH), load(sides, at + 5 * WIDTH)
        cx, cy, cz = load(sides, at + 6 * WIDTH), load(sides, at + 7 * WIDTH), load(sides, at + 8 * WIDTH)
        a = root(fma(ax, ax, fma(ay, ay, az * az)))
        b = root(fma(bx, bx, fma(by, by, bz * bz)))
        c = root(fma(cx, cx, fma(cy, cy, cz * cz)))
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        area = root(fma(nx, nx, fma(ny, ny, nz * nz)))
        dot_i = fma(ax, bx, fma(ay, by, az * bz))
        dot_j = zero - fma(ax, cx, fma(ay, cy, az * cz))
        dot_k = fma(bx, cx, fma(by, cy, bz * cz))
        inverse = one / (a * b * c)
        weight = inverse * inverse * inverse
        cos_i, cos_j, cos_k = dot_i * c * inverse, dot_j * b * inverse, dot_k * a * inverse
        to = chunk * WIDTH * 3 * _FIELDS
        store(out, to, dot_i)
        store(out, to + 2 * WIDTH, weight * cos_j * cos_k)
        store(out, to + _FIELDS * WIDTH, dot_j)
        store(out, to + (_FIELDS + 2) * WIDTH, weight * cos_i * cos_k)
        store(out, to + 2 * _FIELDS * WIDTH, dot_k)
        store(out, to + (2 * _FIELDS + 2) * WIDTH, weight * cos_i * cos_j)
        for at in range(to, to + 3 * _FIELDS * WIDTH, _FIELDS * WIDTH):
            theta = angle(area, load(out, at))
            window(theta, weight, load(out, at + 2 * WIDTH), first, step, sigma, 0.0, at, out)


@njit(nogil=True, cache=True)
def add_windows(
    count: int, per: int, slots: Any, fields: Any, cosines: Any, table: Any, blocks: int, curves: Any
) -> None:
    """Add the windows of `count` items with `per` Gaussians each to the curves that start at `slots`."""
    for t in range(count):
        at = (t // WIDTH) * WIDTH * per * _FIELDS + t % WIDTH
        for q in range(per):
            cell = int(fields[at])
            add_gaussian(
                curves,
                slots[per * t + q] + cell,
                cosines,
                cell,
                table,
                blocks,
                fields[at + WIDTH],
                fields[at + 2 * WIDTH],
                fields[at + 3 * WIDTH],
                fields[at + 4 * WIDTH],
                fields[at + 5 * WIDTH],
                fields[at + 6 * WIDTH],
                fields[at + 7 * WIDTH],
            )
            at += WIDTH * _FIELDS


@njit(nogil=True, cache=True)
def number_elements(z: Any, start: int, stop: int, element: Any, local: Any, found: Any, kinds: Any) -> int:
    """Number the elements of one structure by themselves; how many there are.

    `local` (per element of the data set) gets that number or −1, `found` its inverse, `kinds` the number of each atom.
    """
    local[:] = -1
    for i in range(start, stop):
        local[element[z[i]]] = 0
    count = 0
    for e in range(len(local)):
        if local[e] == 0:
            local[e] = count
            found[count] = e
            count += 1
    for i in range(start, stop):
        kinds[i - start] = local[element[z[i]]]
    return count


@njit(nogil=True, cache=True)
def pair_index(a: int, b: int, count: int) -> int:
    """Which of the count (count + 1) / 2 unordered pairs of numbers below `count`, (0, 0), (0, 1), …, this one is."""
    if a > b:
        a, b = b, a
    return a * count - a * (a - 1) // 2 + b - a


@njit(nogil=True, cache=True)
def structure_curves(
    positions: Any,
    start: int,
    count: int,
    kinds: Any,
    elements: int,
    local: bool,
    rcut: float,
    grid: Any,
    blocks: Any,
    strides: Any,
    table2: Any,
    table3: Any,
    flat: Any,
    cosines: Any,
    neighbors: Any,
    sides: Any,
    fields: Any,
    index: Any,
    slots: Any,
    places: Any,
    curves: Any,
) -> bool:
    """All curves of one structure of `count` atoms into `curves`; False where two atoms lie at the same place."""
    stride2, stride3 = strides[0], strides[1]
    row = elements * stride2 + elements * (elements + 1) // 2 * stride3
    first_angle = elements * stride2
    rows = count if local else elements
    curves[: rows * row] = 0.0
    for a in range(elements):
        for b in range(elements):
            places[a * elements + b] = pair_index(a, b, elements) * stride3
    nx, ny, nz, square = neighbors[0], neighbors[1], neighbors[2], neighbors[3]
    cut2 = rcut * rcut
    one, zero = splat(1.0), splat(0.0)
    # of the pairs of one atom; triangles wait in the rest
    paired = slots[3 * TRIANGLES :]
    # with a type: plain numbers would have the functions that get them compiled once more
    none, single, three = np.int64(0), np.int64(1), np.int64(3)
    waiting: Any = none
    for i in range(count):
        ki = kinds[i]
        home = (i if local else ki) * row
        xi, yi, zi = positions[start + i, 0], positions[start + i, 1], positions[start + i, 2]
        near = 0
        for j in range(i + 1, count):
            dx, dy, dz = positions[start + j, 0] - xi, positions[start + j, 1] - yi, positions[start + j, 2] - zi
            d2 = dx * dx + dy * dy + dz * dz
            if d2 <= cut2:
                if d2 <= _COINCIDENT2:
                    return False
                nx[near], ny[near], nz[near], square[near] = dx, dy, dz, d2
                index[near] = j
                near += 1
        for at in range(0, near, WIDTH):
            for l in range(near, at + WIDTH):
                square[l] = 1.0
            here = min(WIDTH, near - at)
            window(root(load(square, at)), one, zero, grid[0], grid[1], grid[2], float(LEAD), none, fields)
            for l in range(here):
                j = index[at + l]
                kj = kinds[j]
                if local:
                    paired[l] = home + kj * stride2
                else:
                    paired[l] = min(ki, kj) * row + max(ki, kj) * stride2
                if square[at + l] >= cut2:
                    # pairs end below the cutoff, triangles at it
                    fields[l + WIDTH] = 0.0
            add_windows(here, single, paired, fields, flat, table2, blocks[0], curves)
            if local:
                for l in range(here):
                    paired[l] = index[at + l] * row + ki * stride2
                add_windows(here, single, paired, fields, flat, table2, blocks[0], curves)
        for p in range(near):
            j = index[p]
            kj = kinds[j]
            xj, yj, zj = nx[p], ny[p], nz[p]
            px, py, pz = positions[start + j, 0], positions[start + j, 1], positions[start + j, 2]
            home_j = (j if local else kj) * row + first_angle
            for q in range(p + 1, near):
                k = index[q]
                kk = kinds[k]
                dx, dy, dz = positions[start + k, 0] - px, positions[start + k, 1] - py, positions[start + k, 2] - pz
                d2 = dx * dx + dy * dy + dz * dz
                if d2 <= _COINCIDENT2:
                    return False
                at = (waiting >> _SHIFT) * (WIDTH * _SIDES) + (waiting & (WIDTH - 1))
                sides[at], sides[at + WIDTH], sides[at + 2 * WIDTH] = xj, yj, zj
                sides[at + 3 * WIDTH], sides[at + 4 * WIDTH], sides[at + 5 * WIDTH] = nx[q], ny[q], nz[q]
                sides[at + 6 * WIDTH], sides[at + 7 * WIDTH], sides[at + 8 * WIDTH] = dx, dy, dz
                slots[3 * waiting] = home + first_angle + places[kj * elements + kk]
                slots[3 * waiting + 1] = home_j + places[ki * elements + kk]
                slots[3 * waiting + 2] = (k if local else kk) * row + first_angle + places[ki * elements + kj]
                # one that is too long is overwritten by the next: cheaper than a branch that nobody can predict
                waiting += 1 if d2 <= cut2 else 0
                if waiting == TRIANGLES:
                    angles(waiting, sides, grid[3], grid[4], grid[5], fields)
                    add_windows(waiting, three, slots, fields, cosines, table3, blocks[1], curves)
                    waiting = none
    if waiting > 0:
        angles(waiting, sides, grid[3], grid[4], grid[5], fields)
        add_windows(waiting, three, slots, fields, cosines, table3, blocks[1], curves)
    return True


@njit(nogil=True, cache=True)
def slatm_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    first: int,
    last: int,
    step: int,
    element: Any,
    charges: Any,
    columns: Any,
    factors: Any,
    local: bool,
    mean: bool,
    rcut: float,
    grid: Any,
    blocks: Any,
    strides: Any,
    table2: Any,
    table3: Any,
    flat: Any,
    cosines: Any,
    power: Any,
    work: Any,
    whole: Any,
    out: Any,
) -> int:
    """Features of structures first, first + step, … into the rows of `out`; the first with atoms at one place, or −1.

    Parameters
    ----------
    element : (256,) int64
        Atomic number → which of the data set's elements.
    charges : (e,) float64
        Their atomic numbers.
    columns : (b, 4) int64
        One-, two- and three-body types: first column and elements; the middle one of an angle comes last, −1 for none.
    factors, grid, blocks, strides, table2, table3, flat, cosines, power : see ``_slatm_terms.Constants``
    work : float64
        Scratch: see :func:`scratch_size`.
    whole : int64
        Scratch: see :func:`whole_size`.
    """
    n2 = len(power)
    n3 = strides[1] - 2 * BLOCK * blocks[1]
    total = len(charges)
    local_number, found = whole[:total], whole[total : 2 * total]
    places = whole[2 * total : total * (total + 2)]
    begin = total * (total + 2) + 3 * TRIANGLES + WIDTH
    slots = whole[total * (total + 2) : begin]
    room = (len(whole) - begin) // 2
    kinds, index = whole[begin : begin + room], whole[begin + room :]
    sides = work[: TRIANGLES * _SIDES]
    fields = work[TRIANGLES * _SIDES : TRIANGLES * (_SIDES + 3 * _FIELDS)]
    begin = TRIANGLES * (_SIDES + 3 * _FIELDS)
    neighbors = work[begin : begin + 4 * room].reshape(4, room)
    curves = work[begin + 4 * room :]
    at2, at3 = LEAD + BLOCK * blocks[0], BLOCK * blocks[1]
    for s in range(first, last, step):
        start, count = offsets[s], offsets[s + 1] - offsets[s]
        elements = number_elements(numbers, start, start + count, element, local_number, found, kinds)
        if not structure_curves(
            positions,
            start,
            count,
            kinds,
            elements,
            local,
            rcut,
            grid,
            blocks,
            strides,
            table2,
            table3,
            flat,
            cosines,
            neighbors,
            sides,
            fields,
            index,
            slots,
            places,
            curves,
        ):
            return int(s)
        row = elements * strides[0] + elements * (elements + 1) // 2 * strides[1]
        for r in range(count if local else 1):
            target = out[start + r if local else s]
            share = 1.0 / count if mean and count > 0 else 1.0
            own = kinds[r] if local else -1
            # columns from here on are still to be zeroed: long stretches at once
            empty = 0
            for t in range(len(columns)):
                column = columns[t, 0]
                ea, eb, ec = columns[t, 1], columns[t, 2], columns[t, 3]
                a = local_number[ea]
                b = local_number[eb] if eb >= 0 else 0
                c = local_number[ec] if ec >= 0 else 0
                if a < 0 or b < 0 or c < 0:
                    continue
                if local and (own != c if ec >= 0 else own != a and (eb < 0 or own != b)):
                    continue
                target[empty:column] = 0.0
                if eb < 0:
                    amount = 1.0
                    if not local:
                        amount = 0.0
                        for i in range(count):
                            amount += 1.0 if kinds[i] == a else 0.0
                    target[column] = amount * charges[ea] * share
                    empty = column + 1
                elif ec < 0:
                    if local:
                        at = r * row + (b if own == a else a) * strides[0] + at2
                    else:
                        at = a * row + b * strides[0] + at2
                    scale = factors[0] * charges[ea] * charges[eb] * share
                    for m in range(n2):
                        target[column + m] = curves[at + m] * (scale * power[m])
                    empty = column + n2
                else:
                    at = (r if local else c) * row + elements * strides[0] + places[a * elements + b] + at3
                    scale = factors[1] * charges[ea] * charges[eb] * charges[ec] * share
                    for m in range(n3):
                        target[column + m] = curves[at + m] * scale
                    empty = column + n3
            target[empty:] = 0.0
    return -1
