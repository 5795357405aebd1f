"""Compiled loops of the sine matrix, and what it shares with the Ewald sum matrix.

Matrices are filled one by one into the lanes of a chunk of crystals with as many atoms; sorting and eigenvalues then
go side by side (see ``_coulomb_loops``).
"""

from __future__ import annotations

import math
from typing import Any

from qmlstudio.representations._coulomb_loops import (
    BY_MAGNITUDE,
    NOT_CONVERGED,
    SORTED,
    write_matrices,
    write_spectra,
)
from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._simd import WIDTH

# isort: split
from numba import njit

_COINCIDENT2 = COINCIDENT**2


def matrix_scratch(n: int) -> int:
    """Doubles of scratch for the matrices of crystals of at most `n` atoms."""
    return WIDTH * (n * (n + 1) // 2 + 4 * n)


def sine_scratch(n: int) -> int:
    """Doubles of scratch that :func:`sine_pairs` needs beside."""
    return 6 * n


@njit(nogil=True, cache=True, error_model="numpy")
def invert(cell: Any, inverse: Any) -> None:
    """Inverse of a 3 × 3 matrix: fractional coordinates are ``positions @ inverse``."""
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        for a in range(3):
            b, c = (a + 1) % 3, (a + 2) % 3
            # cofactors, transposed
            inverse[a, i] = cell[j, b] * cell[k, c] - cell[j, c] * cell[k, b]
    volume = cell[0, 0] * inverse[0, 0] + cell[0, 1] * inverse[1, 0] + cell[0, 2] * inverse[2, 0]
    for i in range(3):
        for a in range(3):
            inverse[i, a] /= volume


@njit(nogil=True, cache=True, error_model="numpy")
def sine_pairs(
    numbers: Any,
    positions: Any,
    start: int,
    size: int,
    cell: Any,
    inverse: Any,
    unit: float,
    work: Any,
    lane: int,
    packed: Any,
) -> bool:
    """Off-diagonal elements of one sine matrix into a lane; whether atoms lie at the same place."""
    invert(cell, inverse)
    sine, cosine = work[: 3 * size].reshape(size, 3), work[3 * size : 6 * size].reshape(size, 3)
    for i in range(size):
        dx = positions[start + i, 0] - positions[start, 0]
        dy = positions[start + i, 1] - positions[start, 1]
        dz = positions[start + i, 2] - positions[start, 2]
        for k in range(3):
            f = dx * inverse[0, k] + dy * inverse[1, k] + dz * inverse[2, k]
            f = math.pi * (f - math.floor(f))
            sine[i, k] = math.sin(f)
            cosine[i, k] = math.cos(f)
    # at one place are atoms whose |sin(π Δf)| is below π · 1e-4 Å · |reciprocal vector| along every axis
    limit0, limit1, limit2 = 0.0, 0.0, 0.0
    for a in range(3):
        limit0 += inverse[a, 0] ** 2
        limit1 += inverse[a, 1] ** 2
        limit2 += inverse[a, 2] ** 2
    square = math.pi**2 * _COINCIDENT2
    limit0, limit1, limit2 = limit0 * square, limit1 * square, limit2 * square
    bad = False
    at = lane
    for i in range(size):
        zi = numbers[start + i] * unit
        for j in range(i):
            q0 = (sine[i, 0] * cosine[j, 0] - cosine[i, 0] * sine[j, 0]) ** 2
            q1 = (sine[i, 1] * cosine[j, 1] - cosine[i, 1] * sine[j, 1]) ** 2
            q2 = (sine[i, 2] * cosine[j, 2] - cosine[i, 2] * sine[j, 2]) ** 2
            bad = bad or (q0 <= limit0 and q1 <= limit1 and q2 <= limit2)
            x = q0 * cell[0, 0] + q1 * cell[1, 0] + q2 * cell[2, 0]
            y = q0 * cell[0, 1] + q1 * cell[1, 1] + q2 * cell[2, 1]
            z = q0 * cell[0, 2] + q1 * cell[1, 2] + q2 * cell[2, 2]
            length = math.sqrt(x * x + y * y + z * z)
            packed[at] = zi * numbers[start + j] / (length if length > 0.0 else 1.0)
            at += WIDTH
        at += WIDTH
    return bad


@njit(nogil=True, cache=True, error_model="numpy")
def sine_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    cells: Any,
    order: Any,
    first: Any,
    count: Any,
    start: int,
    stop: int,
    step: int,
    unit: float,
    self_terms: Any,
    noise: Any,
    kind: int,
    is_packed: bool,
    n_max: int,
    small: Any,
    extra: Any,
    work: Any,
    out: Any,
    orders: Any,
) -> int:
    """Sine matrices, or their eigenvalues, of chunks ``start:stop:step`` into the rows of `out`.

    As :func:`qmlstudio.representations._coulomb_loops.coulomb_loop`; `small` (3, 3, 3) and `extra` are scratch.
    """
    found = -1
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        size = offsets[members[0] + 1] - offsets[members[0]]
        packed = work[4 * size * WIDTH :]
        for l in range(len(members) if size > 0 else 0):
            s = members[l]
            a = offsets[s]
            if sine_pairs(numbers, positions, a, size, cells[s], small[0], unit, extra, l, packed) and (
                found < 0 or s < found
            ):
                found = s
            for i in range(size):
                packed[(i * (i + 3) // 2) * WIDTH + l] = self_terms[numbers[a + i]]
        if found < 0 and not finish(
            size, members, offsets, noise, kind, is_packed, n_max, packed, work[: 4 * size * WIDTH], out, orders
        ):
            return NOT_CONVERGED
    return found


@njit(nogil=True, cache=True, error_model="numpy")
def finish(
    size: int,
    members: Any,
    offsets: Any,
    noise: Any,
    kind: int,
    is_packed: bool,
    n_max: int,
    packed: Any,
    buffers: Any,
    out: Any,
    orders: Any,
) -> bool:
    """Sorted matrices or eigenvalues of a chunk into the rows of `out`; False if eigenvalues did not converge."""
    lanes = len(members)
    # lanes without a structure repeat the last one, so that they hold ordinary numbers
    for t in range(0, size * (size + 1) // 2 * WIDTH, WIDTH):
        for l in range(lanes, WIDTH):
            packed[t + l] = packed[t + lanes - 1]
    if kind <= SORTED:
        write_matrices(size, members, offsets, noise, kind == SORTED, is_packed, n_max, packed, buffers, out, orders)
        return True
    return bool(write_spectra(size, members, kind == BY_MAGNITUDE, packed, buffers[: 3 * size * WIDTH], out))
