"""Compiled loops of the derivatives of Behler's symmetry functions.

An angular function depends on the squares of the two distances from the centre and on the scalar product of the two
vectors; the derivatives with respect to these three numbers, for all functions of a triple side by side, become those
with respect to the neighbours' positions. That of the centre is minus the sum of the others.
"""

from __future__ import annotations

from math import cos, sin
from typing import Any

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
"""SLOPE: row of the neighbours that has the derivative of the cutoff function with respect to the squared distance."""


def scratch_size(atoms: int, neighbors: int, weights: int, powers: int, functions: int) -> int:
    """Doubles of scratch."""
    return 3 * atoms + NEAR_ROWS * neighbors + 4 * weights + 2 * powers + 4 * functions


@njit(nogil=True, cache=True)
def add_radial(i: int, count: int, begin: int, slots: Any, g2: Any, g3: Any, near: Any, index: Any, block: Any) -> None:
    """Add the derivatives of G1, G2 and G3 of atom `i`; `block` (N, 3, columns)."""
    gaussians = g2.shape[1]
    width = 1 + gaussians + len(g3)
    for k in range(count):
        j, r, f, slope = index[k], near[DISTANCE, k], near[CUTOFF, k], 2.0 * near[SLOPE, k]
        first = slots[j] * width
        for axis in range(3):
            x = near[axis, k]
            to, back = block[j - begin, axis], block[i - begin, axis]
            to[first] += slope * x
            back[first] -= slope * x
            for c in range(gaussians):
                d = r - g2[1, c]
                value = x * exp(-g2[0, c] * d * d) * (slope - 2.0 * g2[0, c] * d * f / r)
                to[first + 1 + c] += value
                back[first + 1 + c] -= value
        for c in range(len(g3)):
            value = slope * cos(g3[c] * r) - g3[c] * sin(g3[c] * r) * f / r
            at = first + 1 + gaussians + c
            for axis in range(3):
                block[j - begin, axis, at] += value * near[axis, k]
                block[i - begin, axis, at] -= value * near[axis, k]


@njit(nogil=True, cache=True)
def weigh(j: int, k: int, cut2: float, product: float, weights: Any, near: Any, weighed: Any) -> None:
    """What stands before the powers, and its derivatives with respect to both squares and the product, `weighed`."""
    sj, sk, fj, fk = near[SQUARE, j], near[SQUARE, k], 2.0 * near[CUTOFF, j], near[CUTOFF, k]
    dj, dk = 2.0 * near[SLOPE, j], near[SLOPE, k]
    third = sj + sk - 2.0 * product
    f, slope = 0.0, 0.0
    if third < cut2:
        f, slope = cutoff(third / cut2), cutoff_slope(third / cut2) / cut2
    for g in range(len(weights)):
        eta = weights[g, 1]
        if weights[g, 0] == 4.0:
            e = exp(-eta * (sj + sk + third))
            weighed[0, g] = e * fj * fk * f
            both = fj * fk * (slope - 2.0 * eta * f)
            weighed[1, g] = e * (dj * fk * f + both)
            weighed[2, g] = e * (fj * dk * f + both)
            weighed[3, g] = -2.0 * e * fj * fk * (slope - eta * f)
        else:
            e = exp(-eta * (sj + sk))
            weighed[0, g] = e * fj * fk
            weighed[1, g] = e * fk * (dj - eta * fj)
            weighed[2, g] = e * fj * (dk - eta * fk)
            weighed[3, g] = 0.0


@njit(nogil=True, cache=True)
def raise_all(cosine: float, powers: Any, raised: Any) -> None:
    """All powers of ½(1 + λ cos θ) and their derivatives with respect to cos θ, `raised` (2, p)."""
    base = power = 0.0
    for q in range(len(powers)):
        half, zeta, mode = 0.5 * powers[q, 0], powers[q, 1], int(powers[q, 2])
        if powers[q, 3] > 0.0:
            base = max(0.5 + half * cosine, 0.0)
            power = base
        if mode >= 0:
            for _ in range(mode):
                power *= power
        else:
            power = base**zeta
        raised[0, q] = power
        if base > 0.0:
            raised[1, q] = half * zeta * power / base
        else:
            raised[1, q] = half if zeta == 1.0 else 0.0


@njit(nogil=True, cache=True)
def add_angular(
    i: int,
    begin: int,
    blocks: Any,
    cut2: float,
    weights: Any,
    powers: Any,
    functions: Any,
    near: Any,
    index: Any,
    weighed: Any,
    raised: Any,
    parts: Any,
    origin: int,
    block: Any,
) -> None:
    """Add the derivatives of G4 and G5 of atom `i`."""
    kinds, width = len(blocks) - 1, len(functions)
    along_j, along_k, across = parts[0], parts[1], parts[2]
    for b in range(kinds):
        for a in range(b + 1):
            at = origin + (b * (b + 1) // 2 + a) * width
            for j in range(blocks[a], blocks[a + 1]):
                for k in range(j + 1 if a == b else blocks[b], blocks[b + 1]):
                    product = near[X, j] * near[X, k] + near[Y, j] * near[Y, k] + near[Z, j] * near[Z, k]
                    inverse = 1.0 / (near[DISTANCE, j] * near[DISTANCE, k])
                    cosine = product * inverse
                    cj, ck = -0.5 * cosine / near[SQUARE, j], -0.5 * cosine / near[SQUARE, k]
                    weigh(j, k, cut2, product, weights, near, weighed)
                    raise_all(cosine, powers, raised)
                    for q in range(len(powers)):
                        power, slope = raised[0, q], raised[1, q]
                        for f in range(int(powers[q, 4]), int(powers[q, 5])):
                            g, c = functions[f, 0], functions[f, 1]
                            w = weighed[0, g] * slope
                            along_j[c] = 2.0 * (power * weighed[1, g] + w * cj)
                            along_k[c] = 2.0 * (power * weighed[2, g] + w * ck)
                            across[c] = power * weighed[3, g] + w * inverse
                    for axis in range(3):
                        xj, xk = near[axis, j], near[axis, k]
                        to_j = block[index[j] - begin, axis, at : at + width]
                        to_k = block[index[k] - begin, axis, at : at + width]
                        back = block[i - begin, axis, at : at + width]
                        for c in range(width):
                            gj = along_j[c] * xj + across[c] * xk
                            gk = along_k[c] * xk + across[c] * xj
                            to_j[c] += gj
                            to_k[c] += gk
                            back[c] -= gj + gk


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
    cut2: float,
    g2: Any,
    g3: Any,
    weights: Any,
    powers: Any,
    functions: Any,
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

    Parameters are those of ``_acsf_loops``; block s is ``array[starts[s] : starts[s + 1]]``.
    """
    kinds = blocks.shape[1] - 1
    places = work[: 3 * atoms].reshape(3, atoms)
    at = 3 * atoms
    near = work[at : at + NEAR_ROWS * neighbors].reshape(NEAR_ROWS, neighbors)
    at += NEAR_ROWS * neighbors
    weighed = work[at : at + 4 * len(weights)].reshape(4, len(weights))
    at += 4 * len(weights)
    raised = work[at : at + 2 * len(powers)].reshape(2, len(powers))
    at += 2 * len(powers)
    parts = work[at : at + 4 * len(functions)].reshape(4, len(functions))
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
                cut2,
                near,
                whole[1],
                blocks[1],
            )
            if count < 0:
                return s
            for k in range(count):
                near[SLOPE, k] = cutoff_slope(near[SQUARE, k] / cut2) / cut2
            own = starts[s] if average else starts[s] + (i - begin) * size
            block = array[own : own + size].reshape(end - begin, 3, columns)
            add_radial(i, count, begin, slots, g2, g3, near, whole[1], block)
            if len(functions):
                add_angular(
                    i,
                    begin,
                    blocks[1],
                    cut2,
                    weights,
                    powers,
                    functions,
                    near,
                    whole[1],
                    weighed,
                    raised,
                    parts,
                    kinds * (1 + g2.shape[1] + len(g3)),
                    block,
                )
        if average == 2 and end > begin:
            scale = 1.0 / (end - begin)
            for c in range(starts[s], starts[s + 1]):
                array[c] *= scale
    return -1
