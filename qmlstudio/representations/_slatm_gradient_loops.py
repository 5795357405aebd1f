"""Compiled loops of SLATM's derivatives: pair by pair and angle by angle, into dense blocks."""

from __future__ import annotations

import math
from typing import Any

from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._exp import exp

# isort: split
from numba import njit

_COINCIDENT2 = COINCIDENT**2
_STRAIGHT = 1e-10
"""Sines below this count as zero: the direction in which a straight angle opens is nowhere."""


@njit(nogil=True, cache=True)
def add_parts(out: Any, at: int, size: int, parts: Any, a: float, b: float, c: float) -> None:
    """Add ``a * parts[0] + b * parts[1] + c * parts[2]`` to ``out[at : at + size]``."""
    for m in range(size):
        out[at + m] += a * parts[0, m] + b * parts[1, m] + c * parts[2, m]


@njit(nogil=True, cache=True)
def limits(value: float, first: float, step: float, half: int, points: int) -> tuple[int, int]:
    """Grid points that a Gaussian at `value` reaches: first, and one after the last."""
    nearest = math.floor((value - first) / step + 0.5)
    return max(0, nearest - half), min(points, nearest + half)


@njit(nogil=True, cache=True)
def pair_gradient(
    i: int, j: int, dx: float, dy: float, dz: float, r: float, scale: float, column: int, places: Any, grid: Any,
    half: int, power: Any, parts: Any, out: Any,
) -> None:  # fmt: skip
    """One pair's part; (dx, dy, dz) is from i to j. `places` has the row's first index and the number of columns."""
    low, high = limits(r, grid[0], grid[1], half, len(power))
    inverse = 1.0 / (grid[2] * grid[2])
    for m in range(high - low):
        x = (grid[0] - r) + (low + m) * grid[1]
        parts[0, m] = scale * power[low + m] * inverse * x * exp(-0.5 * inverse * x * x)
    first, columns = places[0], places[1]
    for axis in range(3):
        unit = (dx if axis == 0 else dy if axis == 1 else dz) / r
        at_i, at_j = first + (3 * i + axis) * columns + column + low, first + (3 * j + axis) * columns + column + low
        for m in range(high - low):
            value = unit * parts[0, m]
            out[at_j + m] += value
            out[at_i + m] -= value


@njit(nogil=True, cache=True)
def angle_gradient(
    positions: Any, start: int, a: int, b: int, c: int, scale: float, column: int, first: int, columns: int, grid: Any,
    half: int, cosines: Any, parts: Any, out: Any,
) -> None:  # fmt: skip
    """The part of the angle a–b–c at atom b, into the row of atoms × axes × columns that starts at `first`."""
    ax, ay, az = (
        positions[start + a, 0] - positions[start + b, 0],
        positions[start + a, 1] - positions[start + b, 1],
        positions[start + a, 2] - positions[start + b, 2],
    )
    cx, cy, cz = (
        positions[start + c, 0] - positions[start + b, 0],
        positions[start + c, 1] - positions[start + b, 1],
        positions[start + c, 2] - positions[start + b, 2],
    )
    ex, ey, ez = (
        positions[start + a, 0] - positions[start + c, 0],
        positions[start + a, 1] - positions[start + c, 1],
        positions[start + a, 2] - positions[start + c, 2],
    )
    # sides: p between a and b, q between b and c, r between a and c
    p, q, r = (
        math.sqrt(ax * ax + ay * ay + az * az),
        math.sqrt(cx * cx + cy * cy + cz * cz),
        math.sqrt(ex * ex + ey * ey + ez * ez),
    )
    nx, ny, nz = ay * cz - az * cy, az * cx - ax * cz, ax * cy - ay * cx
    area = math.sqrt(nx * nx + ny * ny + nz * nz)
    theta = math.atan2(area, ax * cx + ay * cy + az * cz)
    cos_a = (ax * ex + ay * ey + az * ez) / (p * r)
    cos_c = -(cx * ex + cy * ey + cz * ez) / (q * r)
    u = scale / (p * q * r) ** 3
    v = u * cos_a * cos_c
    up, uq, ur = -3.0 * u / p, -3.0 * u / q, -3.0 * u / r
    vp = -3.0 * v / p + u * ((1.0 / r - cos_a / p) * cos_c - cos_a * p / (q * r))
    vq = -3.0 * v / q + u * (cos_a * (1.0 / r - cos_c / q) - cos_c * q / (p * r))
    vr = -3.0 * v / r + u * ((1.0 / p - cos_a / r) * cos_c + cos_a * (1.0 / q - cos_c / r))
    inverse = 1.0 / (grid[5] * grid[5])
    low, high = limits(theta, grid[3], grid[4], half, len(cosines))
    for m in range(high - low):
        x = (grid[3] - theta) + (low + m) * grid[4]
        gaussian = exp(-0.5 * inverse * x * x)
        cosine = cosines[low + m]
        parts[0, m] = gaussian
        parts[1, m] = gaussian * cosine
        parts[2, m] = (u + v * cosine) * gaussian * inverse * x
    turn_a = turn_c = 0.0
    if area > _STRAIGHT * p * q:
        turn_a, turn_c = 1.0 / (p * p * area), -1.0 / (q * q * area)
    for axis in range(3):
        if axis == 0:
            of_p, of_q, of_r = ax / p, cx / q, ex / r
            theta_a, theta_c = (ay * nz - az * ny) * turn_a, (cy * nz - cz * ny) * turn_c
        elif axis == 1:
            of_p, of_q, of_r = ay / p, cy / q, ey / r
            theta_a, theta_c = (az * nx - ax * nz) * turn_a, (cz * nx - cx * nz) * turn_c
        else:
            of_p, of_q, of_r = az / p, cz / q, ez / r
            theta_a, theta_c = (ax * ny - ay * nx) * turn_a, (cx * ny - cy * nx) * turn_c
        ua, uc = up * of_p + ur * of_r, uq * of_q - ur * of_r
        va, vc = vp * of_p + vr * of_r, vq * of_q - vr * of_r
        at = first + axis * columns + column + low
        add_parts(out, at + 3 * a * columns, high - low, parts, ua, va, theta_a)
        add_parts(out, at + 3 * c * columns, high - low, parts, uc, vc, theta_c)
        add_parts(out, at + 3 * b * columns, high - low, parts, -(ua + uc), -(va + vc), -(theta_a + theta_c))


@njit(nogil=True, cache=True)
def gradient_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    starts: Any,
    columns: int,
    first: int,
    last: int,
    step: int,
    element: Any,
    charges: Any,
    pairs: Any,
    triples: Any,
    factors: Any,
    local: bool,
    mean: bool,
    rcut: float,
    grid: Any,
    half2: int,
    half3: int,
    power: Any,
    cosines: Any,
    work: Any,
    out: Any,
) -> int:
    """Blocks of structures first, first + step, …; the first with atoms at one place, or −1.

    Parameters
    ----------
    pairs, triples : (e, e), (e, e, e) int64
        First column of each type, in any order of its elements; the middle one of an angle comes first.
    factors, grid, power : see ``slatm_loop``.
    half2, half3 : int
        Grid points on each side that a Gaussian reaches.
    cosines : (n3,) float64
        Of the angles' grid points.
    work : float64
        Scratch, three times the longest window.
    out : float64
        See :class:`Gradients`, with `starts`.
    """
    longest = len(work) // 3
    parts = work[: 3 * longest].reshape(3, longest)
    cut2 = rcut * rcut
    for s in range(first, last, step):
        begin, start, count = starts[s], offsets[s], offsets[s + 1] - offsets[s]
        out[begin : starts[s + 1]] = 0.0
        block = 3 * count * columns
        share = 1.0 / count if mean and count > 0 else 1.0
        for i in range(count):
            ki = element[numbers[start + i]]
            for j in range(i + 1, count):
                kj = element[numbers[start + j]]
                dx, dy, dz = (
                    positions[start + j, 0] - positions[start + i, 0],
                    positions[start + j, 1] - positions[start + i, 1],
                    positions[start + j, 2] - positions[start + i, 2],
                )
                d2 = dx * dx + dy * dy + dz * dz
                if d2 > cut2:
                    continue
                if d2 <= _COINCIDENT2:
                    return int(s)
                if d2 < cut2:
                    scale = factors[0] * charges[ki] * charges[kj] * share
                    for r in range(2 if local else 1):
                        place = begin + ((j if r else i) * block if local else 0)
                        pair_gradient(
                            i, j, dx, dy, dz, math.sqrt(d2), scale, pairs[ki, kj], (place, columns), grid, half2,
                            power, parts, out,
                        )  # fmt: skip
                for k in range(j + 1, count):
                    kk = element[numbers[start + k]]
                    ex, ey, ez = (
                        positions[start + k, 0] - positions[start + i, 0],
                        positions[start + k, 1] - positions[start + i, 1],
                        positions[start + k, 2] - positions[start + i, 2],
                    )
                    fx, fy, fz = ex - dx, ey - dy, ez - dz
                    e2, f2 = ex * ex + ey * ey + ez * ez, fx * fx + fy * fy + fz * fz
                    if e2 > cut2 or f2 > cut2:
                        continue
                    if e2 <= _COINCIDENT2 or f2 <= _COINCIDENT2:
                        return int(s)
                    scale = factors[1] * charges[ki] * charges[kj] * charges[kk] * share
                    for turn in range(3):
                        if turn == 0:
                            a, b, c, column = j, i, k, triples[ki, kj, kk]
                        elif turn == 1:
                            a, b, c, column = i, j, k, triples[kj, ki, kk]
                        else:
                            a, b, c, column = i, k, j, triples[kk, ki, kj]
                        place = begin + (b * block if local else 0)
                        angle_gradient(
                            positions, start, a, b, c, scale, column, place, columns, grid, half3, cosines, parts, out
                        )
    return -1
