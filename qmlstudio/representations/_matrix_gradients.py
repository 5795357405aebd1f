"""Compiled derivatives of the Coulomb matrix and its relatives, and of the bags of its elements.

Everything follows from ∂M_ij/∂r_i for pairs i > j: that with respect to r_j is its negative, diagonal elements do not
depend on positions.
"""

from __future__ import annotations

import math
from typing import Any

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._ewald_loops import erfc, phases, triangular
from qmlstudio.representations._exp import exp
from qmlstudio.representations._lattice_loops import invert

# isort: split
from numba import njit

_COINCIDENT2 = COINCIDENT**2


@njit(nogil=True, cache=True, error_model="numpy")
def matrix_block(size: int, n_max: int, is_packed: bool, rows: Any, pairs: Any, block: Any) -> None:
    """Derivatives of a matrix's elements into `block` (N, 3, d); `rows`: which atom stands in which row."""
    block[:] = 0.0
    for p in range(size):
        for q in range(p):
            i, j = rows[p], rows[q]
            high, low = max(i, j), min(i, j)
            for x in range(3):
                value = pairs[high, low, x]
                if is_packed:
                    block[high, x, p * (p + 1) // 2 + q] = value
                    block[low, x, p * (p + 1) // 2 + q] = -value
                else:
                    block[high, x, p * n_max + q] = block[high, x, q * n_max + p] = value
                    block[low, x, p * n_max + q] = block[low, x, q * n_max + p] = -value


@njit(nogil=True, cache=True, error_model="numpy")
def spectrum_block(size: int, pairs: Any, vectors: Any, block: Any) -> None:
    """Derivatives of eigenvalues into `block` (N, 3, d); `vectors` (N, d) in the columns of their eigenvalues."""
    block[:] = 0.0
    for i in range(size):
        for j in range(i):
            for x in range(3):
                weight = 2.0 * pairs[i, j, x]
                for k in range(vectors.shape[1]):
                    value = weight * vectors[i, k] * vectors[j, k]
                    block[i, x, k] += value
                    block[j, x, k] -= value


@njit(nogil=True, cache=True, error_model="numpy")
def coulomb_derivatives(numbers: Any, positions: Any, start: int, size: int, unit: float, pairs: Any) -> None:
    """∂(Z_i Z_j / r_ij)/∂r_i into `pairs` (N, N, 3)."""
    for i in range(size):
        for j in range(i):
            dx = positions[start + i, 0] - positions[start + j, 0]
            dy = positions[start + i, 1] - positions[start + j, 1]
            dz = positions[start + i, 2] - positions[start + j, 2]
            square = dx * dx + dy * dy + dz * dz
            scale = -unit * numbers[start + i] * numbers[start + j] / (square * math.sqrt(square))
            pairs[i, j, 0], pairs[i, j, 1], pairs[i, j, 2] = scale * dx, scale * dy, scale * dz


@njit(nogil=True, cache=True, error_model="numpy")
def sine_derivatives(
    numbers: Any, positions: Any, start: int, size: int, cell: Any, unit: float, work: Any, pairs: Any
) -> None:
    """As :func:`coulomb_derivatives`, of the sine matrix; `work` (18,) is scratch."""
    inverse, v = work[:9].reshape(3, 3), work[9:18]
    invert(cell, inverse)
    for i in range(size):
        for j in range(i):
            for k in range(3):
                f = 0.0
                for x in range(3):
                    f += (positions[start + i, x] - positions[start + j, x]) * inverse[x, k]
                angle = math.pi * (f - math.floor(f))
                s, c = math.sin(angle), math.cos(angle)
                v[k], v[3 + k] = s * s, 2.0 * math.pi * s * c
            square = 0.0
            for x in range(3):
                v[6 + x] = v[0] * cell[0, x] + v[1] * cell[1, x] + v[2] * cell[2, x]
                square += v[6 + x] ** 2
            scale = -unit * numbers[start + i] * numbers[start + j] / (square * math.sqrt(square))
            for x in range(3):
                pairs[i, j, x] = 0.0
            for k in range(3):
                along = scale * v[3 + k] * (v[6] * cell[k, 0] + v[7] * cell[k, 1] + v[8] * cell[k, 2])
                for x in range(3):
                    pairs[i, j, x] += along * inverse[x, k]


@njit(nogil=True, cache=True, error_model="numpy")
def ewald_derivatives(
    numbers: Any,
    positions: Any,
    start: int,
    size: int,
    cell: Any,
    a: float,
    r_cut: float,
    g_cut: float,
    unit: float,
    work: Any,
    pairs: Any,
) -> None:
    """As :func:`coulomb_derivatives`, of the Ewald sum matrix; `work` as long as ewald_scratch says."""
    frame, lower = work[:9].reshape(3, 3), work[9:18].reshape(3, 3)
    inverse, turned = work[18:27].reshape(3, 3), work[27:30]
    triangular(cell, frame, lower, inverse)
    volume = lower[0, 0] * lower[1, 1] * lower[2, 2]
    r_cut *= 1.0 + 1e-9
    g_cut *= 1.0 + 1e-9
    reach = 0
    for k in range(3):
        edge = math.sqrt(lower[k, 0] ** 2 + lower[k, 1] ** 2 + lower[k, 2] ** 2)
        reach = max(reach, int(g_cut * edge / (2.0 * math.pi)))
    many = 2 * size * (2 * reach + 1)
    tables = work[30 : 30 + 3 * many]
    points = work[30 + 3 * many : 30 + 3 * many + 3 * size].reshape(size, 3)
    for i in range(size):
        for k in range(3):
            turned[k] = 0.0
            for x in range(3):
                turned[k] += frame[k, x] * (positions[start + i, x] - positions[start, x])
        for k in range(3):
            points[i, k] = 0.0
            for m in range(k + 1):
                points[i, k] += turned[m] * inverse[m, k]
    for k in range(3):
        phases(size, reach, points, k, tables[k * many : (k + 1) * many].reshape(size, 2, 2 * reach + 1))
    t0, t1 = tables[:many].reshape(size, 2, 2 * reach + 1), tables[many : 2 * many].reshape(size, 2, 2 * reach + 1)
    t2 = tables[2 * many : 3 * many].reshape(size, 2, 2 * reach + 1)
    turn, decay, spread = 2.0 * math.pi, -0.25 / (a * a), 2.0 * a / math.sqrt(math.pi)
    for i in range(size):
        for j in range(i):
            fx, fy, fz = 0.0, 0.0, 0.0
            f0, f1, f2 = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
            # real space: three nested ranges, see _ewald_loops
            x = f0 * lower[0, 0]
            y = f0 * lower[0, 1] + f1 * lower[1, 1]
            z = f0 * lower[0, 2] + f1 * lower[1, 2] + f2 * lower[2, 2]
            for n0 in range(math.ceil((-r_cut - x) / lower[0, 0]), math.floor((r_cut - x) / lower[0, 0]) + 1):
                x0, y0, z0 = x + n0 * lower[0, 0], y + n0 * lower[0, 1], z + n0 * lower[0, 2]
                r0 = math.sqrt(max(r_cut * r_cut - x0 * x0, 0.0))
                for n1 in range(math.ceil((-r0 - y0) / lower[1, 1]), math.floor((r0 - y0) / lower[1, 1]) + 1):
                    y1, z1 = y0 + n1 * lower[1, 1], z0 + n1 * lower[1, 2]
                    r1 = math.sqrt(max(r0 * r0 - y1 * y1, 0.0))
                    for n2 in range(math.ceil((-r1 - z1) / lower[2, 2]), math.floor((r1 - z1) / lower[2, 2]) + 1):
                        z2 = z1 + n2 * lower[2, 2]
                        square = x0 * x0 + y1 * y1 + z2 * z2
                        r = math.sqrt(square)
                        part = -(erfc(a * r) / r + spread * exp(-a * a * square)) / square
                        fx += part * x0
                        fy += part * y1
                        fz += part * z2
            for h2 in range(reach + 1):
                gz = turn * h2 * inverse[2, 2]
                for h1 in range(0 if h2 == 0 else -reach, reach + 1):
                    gy = turn * (h1 * inverse[1, 1] + h2 * inverse[1, 2])
                    if gy * gy + gz * gz > g_cut * g_cut:
                        continue
                    for h0 in range(1 if h1 == 0 and h2 == 0 else -reach, reach + 1):
                        gx = turn * (h0 * inverse[0, 0] + h1 * inverse[0, 1] + h2 * inverse[0, 2])
                        square = gx * gx + gy * gy + gz * gz
                        if square > g_cut * g_cut:
                            continue
                        sine = 0.0
                        re, im = 1.0, 0.0
                        for k in range(3):
                            h = reach + (h0 if k == 0 else h1 if k == 1 else h2)
                            t = t0 if k == 0 else t1 if k == 1 else t2
                            c = t[i, 0, h] * t[j, 0, h] + t[i, 1, h] * t[j, 1, h]
                            s = t[i, 1, h] * t[j, 0, h] - t[i, 0, h] * t[j, 1, h]
                            re, im = re * c - im * s, re * s + im * c
                        sine = im
                        part = -8.0 * math.pi / volume * exp(decay * square) / square * sine
                        fx += part * gx
                        fy += part * gy
                        fz += part * gz
            scale = unit * numbers[start + i] * numbers[start + j]
            for k in range(3):
                pairs[i, j, k] = scale * (fx * frame[0, k] + fy * frame[1, k] + fz * frame[2, k])


@njit(nogil=True, cache=True, error_model="numpy")
def _sink(keys: Any, index: Any, top: int, count: int) -> None:
    """Restore a heap below `top`: the entry that comes last in the bag on top."""
    while True:
        child = 2 * top + 1
        if child >= count:
            return
        a, b = index[child], index[child]
        if child + 1 < count:
            b = index[child + 1]
            if keys[b] < keys[a] or (keys[b] == keys[a] and b > a):
                child += 1
                a = b
        own = index[top]
        if keys[own] < keys[a] or (keys[own] == keys[a] and own > a):
            return
        index[top], index[child] = a, own
        top = child


@njit(nogil=True, cache=True, error_model="numpy")
def rank_descending(keys: Any, index: Any, count: int) -> None:
    """Indices of the first `count` keys, the largest first, into `index`; equal ones in their order. Heapsort."""
    for k in range(count):
        index[k] = k
    for top in range(count // 2 - 1, -1, -1):
        _sink(keys, index, top, count)
    for last in range(count - 1, 0, -1):
        index[0], index[last] = index[last], index[0]
        _sink(keys, index, 0, last)


@njit(nogil=True, cache=True, error_model="numpy")
def bag_gradient_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    start: int,
    stop: int,
    step: int,
    unit: float,
    bags: Any,
    starts: Any,
    columns: int,
    pairs: Any,
    work: Any,
    out: Any,
) -> int:
    """Derivatives of the bags' entries of structures ``start:stop:step`` into their blocks of `out`.

    Parameters
    ----------
    bags : (b, 3) int64
        Atomic numbers and first column of the bags of pairs.
    starts : (n + 1,) int64
        Where the blocks begin.
    pairs : (3, largest bag) int64
        Scratch: order, first atoms, second atoms.

    Returns the first structure with atoms at the same place, or −1.
    """
    for structure in range(start, stop, step):
        first = offsets[structure]
        n = offsets[structure + 1] - first
        block = out[starts[structure] : starts[structure + 1]].reshape(n, 3, columns)
        block[:] = 0.0
        for b in range(len(bags)):
            za, zb, column = bags[b, 0], bags[b, 1], bags[b, 2]
            count = 0
            for i in range(n):
                if numbers[first + i] != za:
                    continue
                for j in range(i + 1 if za == zb else 0, n):
                    if numbers[first + j] != zb:
                        continue
                    dx = positions[first + i, 0] - positions[first + j, 0]
                    dy = positions[first + i, 1] - positions[first + j, 1]
                    dz = positions[first + i, 2] - positions[first + j, 2]
                    square = dx * dx + dy * dy + dz * dz
                    if square <= _COINCIDENT2:
                        return structure
                    # all entries of a bag have the same charges: order by 1 / r²
                    work[count] = 1.0 / square
                    pairs[1, count], pairs[2, count] = i, j
                    count += 1
            rank_descending(work, pairs[0], count)
            charge = -unit * za * zb
            for k in range(count):
                t = pairs[0, k]
                i, j = pairs[1, t], pairs[2, t]
                scale = charge * work[t] * math.sqrt(work[t])
                for x in range(3):
                    value = scale * (positions[first + i, x] - positions[first + j, x])
                    block[i, x, column + k] = value
                    block[j, x, column + k] = -value
    return -1
