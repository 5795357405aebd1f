"""Compiled loops of FCHL19's derivatives.

Each neighbour j of a centre gets Σ_l (∂ weight / ∂ r_j) · (radial Gaussian) + …, again a contraction of tables of pairs
(see `_fchl19_loops`); the centre itself gets minus the sum over its neighbours.
"""

from __future__ import annotations

from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
import numpy as np
from numba import njit

from qmlstudio.representations._fchl19_loops import (
    TOO_SHORT,
    block_column,
    dense_pairs,
    dense_slots,
    sort_by_kind,
    sparse_slots,
)
from qmlstudio.representations._fchl19_slopes import (
    ALONG,
    CHANNELS,
    DOUBLE,
    MORE_ROWS,
    WEIGHT_ROWS,
    combine,
    log_normal_slopes,
    triple_slopes,
)
from qmlstudio.representations._fchl19_vectors import add_interleaved, add_scaled, contract, distance_row
from qmlstudio.representations._fchl_vectors import (
    BLOCK,
    DECAY2,
    DECAY3,
    ETA2,
    ETA3,
    FIRST,
    INVERSE,
    LANES,
    MU,
    NARROW,
    SQUARE,
    TWO,
    TWO_SLOPE,
    WEIGHT,
    X,
    Y,
    Z,
)


@njit(nogil=True, cache=True, error_model="numpy")
def pair_slopes(
    t: int,
    kind: int,
    atom: int,
    centre: int,
    at: int,
    direction: Any,
    scale: float,
    constants: Any,
    shape: Any,
    p: Any,
    a: Any,
    k: Any,
    out: Any,
) -> None:
    """Derivatives of the pair of number `t` between the centre and an atom of an element.

    `at` is where the block of the row of features begins in `out`: for each atom x, y, z of all columns; `direction`
    the vector to the atom.
    """
    settings, width, columns = constants.settings, shape.width, len(a.line)
    square = p.pair[SQUARE * width + t]
    distance = np.sqrt(square)
    narrow, two = p.pair[NARROW * width + t], p.pair[TWO * width + t]
    # derivatives of variance and mean of the logarithm
    variance_1 = -2.0 * settings[ETA2] / (distance * (square + settings[ETA2]))
    mean_1 = 1.0 / distance - 0.5 * variance_1
    c0 = p.pair[TWO_SLOPE * width + t] + two * (narrow * variance_1 - settings[DECAY2] / distance)
    c1 = -2.0 * two * narrow * mean_1
    c2 = 2.0 * two * narrow * narrow * variance_1
    row = t * shape.size2
    log_normal_slopes(p.radial2, row, constants.grid2, shape.size2, p.pair[MU * width + t], c0, c1, c2, a.parts)
    column = k.columns[kind] * shape.n2
    for axis in range(3):
        part = scale * direction[axis] / distance
        add_scaled(out, at + (atom * 3 + axis) * columns + column, a.parts, 0, shape.n2, part)
        add_scaled(out, at + (centre * 3 + axis) * columns + column, a.parts, 0, shape.n2, -part)


@njit(nogil=True, cache=True, error_model="numpy")
def triple_gradient(
    centre: int,
    count: int,
    n_kinds: int,
    dense: bool,
    matrix_row: int,
    at: int,
    scale: float,
    constants: Any,
    shape: Any,
    p: Any,
    n: Any,
    a: Any,
    k: Any,
    out: Any,
) -> None:
    """Derivatives of the three-body part of one centre; arguments as of :func:`pair_slopes`."""
    settings, stride, size3, harmonics = constants.settings, shape.stride, shape.size3, shape.harmonics
    eta, decay, columns = settings[ETA3], settings[DECAY3], len(a.line)
    end = -(-count // LANES) * LANES
    blocks = n_kinds * (n_kinds + 1) // 2
    apart = len(a.sums) // CHANNELS
    length = blocks * harmonics * 2 * size3
    a.centre[: 3 * length] = 0.0
    kind = 0
    for j in range(count):
        while j >= k.ends[kind]:
            kind += 1
        if n.slots[(FIRST + WEIGHT) * stride + j] == 0.0:
            continue
        if dense:
            power_at, inverse_at = j * stride, matrix_row + j * stride
        else:
            distance_row(n.slots, stride, j, 0, end, decay, p.matrix)
            power_at, inverse_at = 0, stride
        triple_slopes(n.slots, stride, j, end, p.matrix, power_at, inverse_at, eta, decay, n.weights)
        if harmonics > 1:
            more_slopes(end, stride, harmonics, n.slots, n.weights)
        for h in range(harmonics):
            base = 0 if h == 0 else WEIGHT_ROWS + MORE_ROWS * (h - 1)
            for row in range(base, base + CHANNELS):
                n.weights[row * stride + j] = 0.0
        pull = eta * np.sqrt(n.slots[(FIRST + INVERSE) * stride + j])
        x, y, z = n.slots[X * stride + j], n.slots[Y * stride + j], n.slots[Z * stride + j]
        start = 0
        for other in range(n_kinds):
            stop = k.ends[other]
            if start >= stop:
                continue
            low, high = min(kind, other), max(kind, other)
            block = low * (2 * n_kinds - low + 1) // 2 + high - low
            column = at + n.atoms[j] * 3 * columns + block_column(k.columns[low], k.columns[high], shape)
            for h in range(harmonics):
                base = 0 if h == 0 else WEIGHT_ROWS + MORE_ROWS * (h - 1)
                for shift in range(0, size3, BLOCK):
                    for row in range(0, CHANNELS, 2):
                        first = (base + row) * stride
                        contract(
                            n.weights, first, first + stride, start, stop, p.radial3, n.rows, shift, a.sums, row * BLOCK
                        )
                    combine(a.sums, p.radial3, n.rows[j], constants.grid3, shift, x, y, z, pull, a.parts)
                    width = min(BLOCK, shape.n3 - shift)
                    inner = (block * harmonics + h) * 2 * size3 + shift
                    for axis in range(3):
                        to = column + axis * columns + 2 * shift * harmonics
                        put(
                            to, width, h, 2 * axis * apart, apart, constants.factors[h] * scale, harmonics, a.parts, out
                        )
                        add_scaled(a.centre, axis * length + inner, a.parts, 2 * axis * BLOCK, BLOCK, 1.0)
                        second = (2 * axis + 1) * BLOCK
                        add_scaled(a.centre, axis * length + inner + size3, a.parts, second, BLOCK, 1.0)
            start = stop
    for axis in range(3):
        inner = axis * length
        for kind in range(n_kinds):
            for other in range(kind, n_kinds):
                column = at + (centre * 3 + axis) * columns + block_column(k.columns[kind], k.columns[other], shape)
                for h in range(harmonics):
                    factor = -constants.factors[h] * scale
                    put(column, shape.n3, h, inner, size3, factor, harmonics, a.centre, out)
                    inner += 2 * size3


@njit(nogil=True, cache=True, error_model="numpy")
def put(
    column: int, count: int, h: int, at: int, apart: int, scale: float, harmonics: int, source: Any, out: Any
) -> None:
    """Add cosines and sines, which stand `apart`, times `scale` to the columns of grid points, `column` the first."""
    if harmonics == 1:
        add_interleaved(source, at, at + apart, count, scale, out, column)
        return
    for l in range(count):
        to = column + 2 * (l * harmonics + h)
        out[to] += scale * source[at + l]
        out[to + 1] += scale * source[at + apart + l]


@njit(nogil=True, cache=True, error_model="numpy")
def more_slopes(end: int, stride: int, harmonics: int, slots: Any, weights: Any) -> None:
    """Rows for 3θ, 5θ, …, as `more_harmonics`, and the derivatives of that recurrence."""
    for h in range(1, harmonics):
        now = WEIGHT_ROWS + MORE_ROWS * (h - 1)
        one = 0 if h == 1 else now - MORE_ROWS
        two = 0 if h <= 2 else now - 2 * MORE_ROWS
        for side in range(2):
            # order −1 has the same cosine as order 1 and minus its sine
            sign = -1.0 if h == 1 and side == 1 else 1.0
            for l in range(end):
                double = weights[DOUBLE * stride + l]
                double_a, double_s = weights[(DOUBLE + 1) * stride + l], weights[(DOUBLE + 2) * stride + l]
                value = weights[(one + side) * stride + l]
                weights[(now + side) * stride + l] = double * value - sign * weights[(two + side) * stride + l]
                weights[(now + 2 + side) * stride + l] = (
                    double * weights[(one + 2 + side) * stride + l]
                    + double_a * value
                    - sign * weights[(two + 2 + side) * stride + l]
                )
                along = (
                    double * weights[(one + ALONG + side) * stride + l]
                    + double_s * value
                    - sign * weights[(two + ALONG + side) * stride + l]
                )
                weights[(now + ALONG + side) * stride + l] = along
                weights[(now + 4 + side) * stride + l] = along * slots[X * stride + l]
                weights[(now + 6 + side) * stride + l] = along * slots[Y * stride + l]
                weights[(now + 8 + side) * stride + l] = along * slots[Z * stride + l]


@njit(nogil=True, cache=True, error_model="numpy")
def dense_gradients(
    chosen: Any, data: Any, constants: Any, shape: Any, start: int, stop: int, step: int, s: Any, out: Any, starts: Any
) -> int:
    """Blocks of the small molecules ``chosen[start:stop:step]``; the first with atoms at the same place, or −1."""
    p, n, a, _, k = s
    columns = len(a.line)
    for index in range(start, stop, step):
        structure = chosen[index]
        first, size = data.offsets[structure], data.offsets[structure + 1] - data.offsets[structure]
        n_kinds = sort_by_kind(first, size, data, k)
        if not dense_pairs(first, size, data, constants, shape, k, p):
            return int(structure)
        at, row = starts[structure], size * 3 * columns
        scale = 1.0 / max(size, 1) if shape.average == 1 else 1.0
        if shape.average != 2:
            out[at : at + row] = 0.0
        for i in range(size):
            own = k.order[i]
            if shape.average == 2:
                at = starts[structure] + own * row
                out[at : at + row] = 0.0
            dense_slots(i, first, size, data.positions, shape, k, p, n)
            kind = 0
            for l in range(size):
                while l >= k.ends[kind]:
                    kind += 1
                if l == i:
                    continue
                t = i * (i - 1) // 2 + l if l < i else l * (l - 1) // 2 + i
                stride = shape.stride
                vector = (n.slots[X * stride + l], n.slots[Y * stride + l], n.slots[Z * stride + l])
                pair_slopes(t, kind, k.order[l], own, at, vector, scale, constants, shape, p, a, k, out)
            triple_gradient(own, size, n_kinds, True, size * shape.stride, at, scale, constants, shape, p, n, a, k, out)
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_gradients(
    chosen: Any, data: Any, constants: Any, shape: Any, start: int, stop: int, step: int, s: Any, out: Any, starts: Any
) -> int:
    """As :func:`dense_gradients`, of crystals and large molecules."""
    p, n, a, f, k = s
    columns = len(a.line)
    for index in range(start, stop, step):
        structure = chosen[index]
        first, size = data.offsets[structure], data.offsets[structure + 1] - data.offsets[structure]
        n_kinds = sort_by_kind(first, size, data, k)
        at, row = starts[structure], size * 3 * columns
        scale = 1.0 / max(size, 1) if shape.average == 1 else 1.0
        if shape.average != 2:
            out[at : at + row] = 0.0
        for i in range(size):
            if shape.average == 2:
                at = starts[structure] + i * row
                out[at : at + row] = 0.0
            count, slots = sparse_slots(i, structure, n_kinds, data, constants, shape, p, n, f, k)
            if count < 0:
                return int(structure) if count == -1 else TOO_SHORT
            kind = 0
            for t in range(count):
                while t >= k.all_ends[kind]:
                    kind += 1
                m = f.everyone[t]
                vector = (f.x[m], f.y[m], f.z[m])
                pair_slopes(t, kind, f.found[m] - first, i, at, vector, scale, constants, shape, p, a, k, out)
            triple_gradient(i, slots, n_kinds, False, 0, at, scale, constants, shape, p, n, a, k, out)
    return -1
