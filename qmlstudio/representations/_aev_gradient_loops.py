"""Compiled loops of the derivatives of ANI's atomic environment vectors.

As with the symmetry functions: first with respect to the two distances and the scalar product of the two vectors, for
all functions of a triple side by side, then with respect to positions.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._aev_loops import DAMPING
from qmlstudio.representations._exp import exp
from qmlstudio.representations._shells import (
    CUTOFF,
    DISTANCE,
    SQUARE,
    X,
    Y,
    Z,
    cutoff,
    cutoff_slope,
    neighbors_by_element,
    sort_atoms,
)

# isort: split
from numba import njit

SLOPE, NEAR_ROWS = 6, 7
"""SLOPE: derivative of the cutoff function with respect to the distance."""


def scratch_size(atoms: int, neighbors: int, shifts: int, distances: int, angles: int) -> int:
    """Doubles of scratch."""
    return 3 * atoms + NEAR_ROWS * neighbors + shifts + 3 * distances * angles + 2 * angles


@njit(nogil=True, cache=True)
def add_radial(
    i: int, count: int, begin: int, slots: Any, eta: float, shifts: Any, near: Any, index: Any, values: Any, block: Any
) -> None:
    """Add the derivatives of the radial functions of atom `i`; `block` (N, 3, columns)."""
    width = len(shifts)
    for k in range(count):
        j, r, f, slope = index[k], near[DISTANCE, k], near[CUTOFF, k], near[SLOPE, k]
        scale, at = 0.25 / r, slots[index[k]] * width
        for c in range(width):
            d = r - shifts[c]
            values[c] = scale * exp(-eta * d * d) * (slope - 2.0 * eta * d * f)
        for axis in range(3):
            x = near[axis, k]
            to, back = block[j - begin, axis, at : at + width], block[i - begin, axis, at : at + width]
            for c in range(width):
                to[c] += values[c] * x
                back[c] -= values[c] * x


@njit(nogil=True, cache=True)
def derive(
    j: int,
    k: int,
    eta: float,
    zeta: float,
    grid: Any,
    half_cosines: Any,
    half_sines: Any,
    near: Any,
    angle: Any,
    parts: Any,
) -> None:
    """Derivatives of all angular functions of a triple, over the distance of the first and of the second neighbour,
    and with respect to the product, into the three rows of `parts`."""
    rj, rk, fj, fk = near[DISTANCE, j], near[DISTANCE, k], 2.0 * near[CUTOFF, j], near[CUTOFF, k]
    dj, dk = 2.0 * near[SLOPE, j], near[SLOPE, k]
    product = near[X, j] * near[X, k] + near[Y, j] * near[Y, k] + near[Z, j] * near[Z, k]
    over = DAMPING / (rj * rk)
    cosine = product * over
    sine = (1.0 - cosine * cosine) ** 0.5
    angles = len(half_cosines)
    for z in range(angles):
        base = max(0.5 + half_cosines[z] * cosine + half_sines[z] * sine, 0.0)
        # below any ζ in use the power has vanished with the base
        angle[0, z] = base**zeta
        angle[1, z] = zeta * base ** (zeta - 1.0) * (half_cosines[z] - half_sines[z] * cosine / sine)
    for a in range(len(grid)):
        d = 0.5 * (rj + rk) - grid[a]
        e = exp(-eta * d * d)
        value = e * fj * fk
        along_j, along_k = e * fk * (dj - eta * d * fj) / rj, e * fj * (dk - eta * d * fk) / rk
        turn_j, turn_k = value * cosine / (rj * rj), value * cosine / (rk * rk)
        for z in range(angles):
            c = a * angles + z
            parts[0, c] = along_j * angle[0, z] - turn_j * angle[1, z]
            parts[1, c] = along_k * angle[0, z] - turn_k * angle[1, z]
            parts[2, c] = value * over * angle[1, z]


@njit(nogil=True, cache=True)
def gradient(
    positions: Any,
    slots: Any,
    offsets: Any,
    shifts: Any,
    shift_offsets: Any,
    start: int,
    stop: int,
    step: int,
    constants: Any,
    radial_grid: Any,
    grid: Any,
    half_cosines: Any,
    half_sines: Any,
    average: int,
    atoms: int,
    neighbors: int,
    columns: int,
    work: Any,
    whole: Any,
    blocks: Any,
    starts: Any,
    array: Any,
) -> int:
    """Derivatives for structures ``start:stop:step`` into `array`; the first structure that is not usable, or −1.

    Parameters are those of ``_aev_loops``; block s is ``array[starts[s] : starts[s + 1]]``.
    """
    kinds, angles = blocks.shape[1] - 1, len(half_cosines)
    width = len(grid) * angles
    places = work[: 3 * atoms].reshape(3, atoms)
    at = 3 * atoms
    near = work[at : at + NEAR_ROWS * neighbors].reshape(NEAR_ROWS, neighbors)
    at += NEAR_ROWS * neighbors
    values = work[at : at + len(radial_grid)]
    at += len(radial_grid)
    angle = work[at : at + 2 * angles].reshape(2, angles)
    at += 2 * angles
    parts = work[at : at + 3 * width].reshape(3, width)
    index = whole[1]
    cut, cut_angular = constants[0], constants[1]
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        size = (end - begin) * 3 * columns
        for c in range(starts[s], starts[s + 1]):
            array[c] = 0.0
        sort_atoms(begin, end, positions, slots, places, whole[0], blocks[0])
        for i in range(begin, end):
            count = neighbors_by_element(
                i,
                positions,
                places,
                whole[0],
                blocks[0],
                shifts,
                shift_offsets[s],
                shift_offsets[s + 1],
                cut * cut,
                near,
                whole[1],
                blocks[1],
            )
            if count < 0:
                return s
            own = starts[s] if average else starts[s] + (i - begin) * size
            block = array[own : own + size].reshape(end - begin, 3, columns)
            for k in range(count):
                near[SLOPE, k] = cutoff_slope(near[SQUARE, k] / (cut * cut)) * 2.0 * near[DISTANCE, k] / (cut * cut)
            add_radial(i, count, begin, slots, constants[2], radial_grid, near, index, values, block)
            for k in range(count):
                u = near[SQUARE, k] / (cut_angular * cut_angular)
                inside = u < 1.0
                near[CUTOFF, k] = cutoff(u) if inside else 0.0
                near[SLOPE, k] = (
                    cutoff_slope(u) * 2.0 * near[DISTANCE, k] / (cut_angular * cut_angular) if inside else 0.0
                )
            for a in range(kinds):
                for b in range(a, kinds):
                    at = kinds * len(radial_grid) + (a * kinds - a * (a - 1) // 2 + b - a) * width
                    for j in range(blocks[1, a], blocks[1, a + 1]):
                        if near[DISTANCE, j] >= cut_angular:
                            continue
                        for k in range(j + 1 if a == b else blocks[1, b], blocks[1, b + 1]):
                            if near[DISTANCE, k] >= cut_angular:
                                continue
                            derive(
                                j,
                                k,
                                constants[3],
                                constants[4],
                                grid,
                                half_cosines,
                                half_sines,
                                near,
                                angle,
                                parts,
                            )
                            for axis in range(3):
                                xj, xk = near[axis, j], near[axis, k]
                                to_j = block[index[j] - begin, axis, at : at + width]
                                to_k = block[index[k] - begin, axis, at : at + width]
                                back = block[i - begin, axis, at : at + width]
                                for c in range(width):
                                    gj = parts[0, c] * xj + parts[2, c] * xk
                                    gk = parts[1, c] * xk + parts[2, c] * xj
                                    to_j[c] += gj
                                    to_k[c] += gk
                                    back[c] -= gj + gk
        if average == 2 and end > begin:
            scale = 1.0 / (end - begin)
            for c in range(starts[s], starts[s + 1]):
                array[c] *= scale
    return -1
