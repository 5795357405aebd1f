"""Compiled loops of FCHL18: the rows of the atoms, and the kernel between them."""

from __future__ import annotations

from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
import numpy as np
from numba import njit
from numba.extending import intrinsic

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._fchl_vectors import LANES, Frame, emitted

_COINCIDENT2 = COINCIDENT**2
_TIE = 1e-9
"""Distances (Å) and three-body terms that are closer count as equal when neighbours are put in order."""


@njit(nogil=True, cache=True, error_model="numpy")
def damping(r: float, begin: float, end: float) -> float:
    """1 below `begin`, 0 from `end` on, between them a smooth step."""
    if r >= end:
        return 0.0
    if r < begin:
        return 1.0
    x = (end - r) / (end - begin)
    return float(x * x * x * (10.0 - 15.0 * x + 6.0 * x * x))


@njit(nogil=True, cache=True)
def comes_before(a: int, b: int, width: int, distances: Any, kinds: Any, terms: Any) -> bool:
    """Whether neighbour `a` stands before `b`: by distance, then element, then three-body terms."""
    if abs(distances[a] - distances[b]) > _TIE:
        return bool(distances[a] < distances[b])
    if kinds[a] != kinds[b]:
        return bool(kinds[a] < kinds[b])
    for m in range(width):
        u, v = terms[a * width + m], terms[b * width + m]
        if abs(u - v) > _TIE * (1.0 + abs(u)):
            return bool(u < v)
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def pair_tables(start: int, size: int, positions: Any, settings: Any, radii: Any, twos: Any, threes: Any) -> bool:
    """(N, N) distances and damped powers of all pairs; False where two atoms lie at the same place."""
    begin, end, power2, power3 = settings[0], settings[1], settings[2], settings[3]
    for i in range(size):
        for j in range(i):
            square = 0.0
            for axis in range(3):
                square += (positions[start + i, axis] - positions[start + j, axis]) ** 2
            if square <= _COINCIDENT2:
                return False
            r = np.sqrt(square)
            f = damping(r, begin, end)
            two, three = f * r**-power2, f * r**-power3
            radii[i * size + j], radii[j * size + i] = r, r
            twos[i * size + j], twos[j * size + i] = two, two
            threes[i * size + j], threes[j * size + i] = three, three
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def row_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    column_of: Any,
    elements: int,
    waves: int,
    settings: Any,
    start: int,
    stop: int,
    step: int,
    work: Any,
    row: Any,
    out: Any,
    orders: Any,
) -> int:
    """Rows of the atoms of structures start, start + step, …; the first with atoms at the same place, or −1.

    `settings`: begin and end of the damping and the two powers. `waves` is the number of odd orders. `orders`, when it
    has rows, gets the neighbours in the order in which they stand.
    """
    width = 2 * waves * elements
    for structure in range(start, stop, step):
        first = offsets[structure]
        size = offsets[structure + 1] - first
        square = size * size
        radii, twos, threes = work[:square], work[square : 2 * square], work[2 * square : 3 * square]
        if not pair_tables(first, size, positions, settings, radii, twos, threes):
            return int(structure)
        terms = work[3 * square : 3 * square + size * width]
        distances = work[3 * square + size * width : 3 * square + size * (width + 1)]
        neighbors, kinds = np.empty(size, np.int64), np.empty(size, np.int64)
        for i in range(size):
            count = 0
            for j in range(size):
                if j != i and radii[i * size + j] < settings[1]:
                    neighbors[count] = j
                    kinds[count] = column_of[numbers[first + j]]
                    distances[count] = radii[i * size + j]
                    count += 1
            terms[: count * width] = 0.0
            for a in range(count):
                j = neighbors[a]
                ax = positions[first + j, 0] - positions[first + i, 0]
                ay = positions[first + j, 1] - positions[first + i, 1]
                az = positions[first + j, 2] - positions[first + i, 2]
                square_a = distances[a] * distances[a]
                for b in range(a + 1, count):
                    k = neighbors[b]
                    far = threes[j * size + k]
                    if far == 0.0:
                        continue
                    bx = positions[first + k, 0] - positions[first + i, 0]
                    by = positions[first + k, 1] - positions[first + i, 1]
                    bz = positions[first + k, 2] - positions[first + i, 2]
                    dot = ax * bx + ay * by + az * bz
                    cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
                    scale = 1.0 / (distances[a] * distances[b])
                    cosine, sine = dot * scale, np.sqrt(cx * cx + cy * cy + cz * cz) * scale
                    square_b, r = distances[b] * distances[b], radii[j * size + k]
                    cosines = cosine * (square_a - dot) * (square_b - dot) * scale / (r * r)
                    weight = 2.0 * (1.0 + 3.0 * cosines) * threes[i * size + j] * threes[i * size + k] * far
                    c, s, c_before, s_before = cosine, sine, cosine, -sine
                    double = 4.0 * cosine * cosine - 2.0
                    at_a, at_b = a * width + kinds[b] * 2 * waves, b * width + kinds[a] * 2 * waves
                    for m in range(waves):
                        terms[at_a + 2 * m] += weight * c
                        terms[at_a + 2 * m + 1] += weight * s
                        terms[at_b + 2 * m] += weight * c
                        terms[at_b + 2 * m + 1] += weight * s
                        c, c_before = double * c - c_before, c
                        s, s_before = double * s - s_before, s
            # few neighbours: insertion
            place = np.arange(count)
            for a in range(1, count):
                b = a
                moved = place[a]
                while b > 0 and comes_before(moved, place[b - 1], width, distances, kinds, terms):
                    place[b] = place[b - 1]
                    b -= 1
                place[b] = moved
            row[:] = 0.0
            row[0] = numbers[first + i]
            at = 1
            for a in range(count):
                b = place[a]
                j = neighbors[b]
                row[at] = distances[b]
                row[at + 1] = numbers[first + j]
                row[at + 2] = twos[i * size + j]
                for m in range(width):
                    row[at + 3 + m] = terms[b * width + m]
                at += 3 + width
                if len(orders) > 0:
                    orders[i, a] = j
            out[first + i] = row
    return -1


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def environment_product(
    typing_context: Any,
    left: Any,
    left_at: Any,
    left_count: Any,
    length: Any,
    kinds: Any,
    kinds_at: Any,
    right: Any,
    right_at: Any,
    right_stride: Any,
    right_count: Any,
    elements: Any,
    narrow: Any,
    reach: Any,
    out: Any,
) -> Any:
    """Σ_ij P_ij exp(−(r_i − r_j)² / 4d²) v_i · w_j over the neighbours of two atoms, as eight partial sums in `out`.

    On the left each neighbour has r and `length` values one after another, and its element in `kinds`; on the right
    there are rows of r, of P for each element, and of `length` values. `narrow` is −1 / 4d²; neighbours whose distances
    differ by `reach` or more do not count.
    """

    def emit(frame: Frame) -> None:
        builder = frame.builder
        _, left_at, left_count, length, _, kinds_at, _, right_at, stride, right_count, elements, narrow, reach, _ = (
            frame.args
        )
        total = frame.sum()
        slope = frame.splat(narrow)
        limit = builder.fmul(reach, reach)
        with frame.loop(0, left_count, 1) as (i, _):
            at = frame.at(left_at, (i, frame.at(length, 1)))
            radius = frame.number(0, at)
            kind = frame.number(4, kinds_at, i)
            with frame.loop(0, right_count, LANES) as (j, _):
                lowest = frame.number(6, right_at, j)
                highest = frame.number(6, right_at, j, LANES - 1)
                near = builder.and_(
                    builder.fcmp_ordered("<", builder.fsub(lowest, radius), reach),
                    builder.fcmp_ordered("<", builder.fsub(radius, highest), reach),
                )
                with builder.if_then(near):
                    product = frame.sum()
                    with frame.loop(0, length, 1) as (m, _):
                        row = frame.at(right_at, (stride, frame.at(elements, 1, m)), j)
                        frame.add(product, frame.splat(frame.number(0, at, 1, m)) * frame.load(6, row))
                    difference = frame.load(6, right_at, j) - frame.splat(radius)
                    square = difference * difference
                    gauss = (square * slope).exp()
                    gauss = frame.splat(limit).above(square, gauss, 0.0)
                    alike = frame.load(6, right_at, (stride, frame.at(kind, 1)), j)
                    frame.add(total, gauss * alike * frame.value(product))
        frame.store(frame.value(total), 13, 0)

    return emitted(
        emit,
        left,
        left_at,
        left_count,
        length,
        kinds,
        kinds_at,
        right,
        right_at,
        right_stride,
        right_count,
        elements,
        narrow,
        reach,
        out,
    )


@njit(nogil=True, cache=True)
def product(i: int, a: Any, j: int, b: Any, settings: Any, part: Any) -> float:
    """1 + the sum over neighbours of atom `i` of one set and `j` of another; see `environment_product`."""
    left, counts, _, kinds, _, _, shape = a
    _, _, _, _, right, padded_counts, shape_b = b
    most, length, elements, stride = shape[0], shape[1], shape[2], shape_b[3]
    environment_product(
        left,
        i * most * (length + 1),
        counts[i],
        length,
        kinds,
        i * most,
        right,
        j * stride * (1 + elements + length),
        stride,
        padded_counts[j],
        elements,
        settings[0],
        settings[1],
        part,
    )
    total = 1.0
    for m in range(LANES):
        total += part[m]
    return total


@njit(nogil=True, cache=True)
def own_loop(a: Any, settings: Any, start: int, stop: int, step: int, part: Any, out: Any) -> int:
    """The products of atoms with themselves."""
    for i in range(start, stop, step):
        out[i] = product(i, a, i, a, settings, part)
    return -1


@njit(nogil=True, cache=True)
def kernel_loop(
    a: Any,
    own_a: Any,
    offsets_a: Any,
    b: Any,
    own_b: Any,
    offsets_b: Any,
    alike: Any,
    is_alchemic: bool,
    symmetric: bool,
    settings: Any,
    start: int,
    stop: int,
    step: int,
    part: Any,
    out: Any,
) -> int:
    """Rows of the kernel matrix; of a symmetric one the part right of the diagonal, and its mirror image.

    `alike` has the likeness of centres' elements; where it is zero and nothing is alchemic, centres have no product.
    """
    centres_a, centres_b, width = a[2], b[2], settings[2]
    for m in range(start, stop, step):
        for n in range(m if symmetric else 0, len(offsets_b) - 1):
            total = 0.0
            for i in range(offsets_a[m], offsets_a[m + 1]):
                for j in range(offsets_b[n], offsets_b[n + 1]):
                    likeness = alike[centres_a[i], centres_b[j]]
                    between = 0.0
                    if is_alchemic or likeness > 0.0:
                        between = product(i, a, j, b, settings, part) * likeness
                    total += np.exp((own_a[i] + own_b[j] - 2.0 * between) * width)
            out[m, n] = total
            if symmetric:
                out[n, m] = total
    return -1
