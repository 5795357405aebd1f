"""Compiled loops that compare two geometries: superposition, and lists of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.learning._survey_loops import apart, order_of

Array = NDArray[Any]

TURNED, MIRRORED, ALIKE = 0, 1, 2
"""How two geometries are the same: by a rotation, by a rotation of the mirror image, by all their distances."""


@njit(nogil=True, cache=True)
def _determinant(m: Array, a: int, b: int, c: int, i: int, j: int, k: int) -> float:
    """Of the rows a, b, c and the columns i, j, k."""
    value = m[a, i] * (m[b, j] * m[c, k] - m[b, k] * m[c, j])
    value -= m[a, j] * (m[b, i] * m[c, k] - m[b, k] * m[c, i])
    value += m[a, k] * (m[b, i] * m[c, j] - m[b, j] * m[c, i])
    return float(value)


@njit(nogil=True, cache=True)
def rmsd(a: Array, b: Array, mirror: bool) -> float:
    """Least root-mean-square distance of atoms over rotations of `b` (of its mirror image), (n, 3) each, centred.

    Theobald, Acta Cryst. A 61, 478 (2005): the largest root of the characteristic polynomial by Newton's method.
    """
    n = len(a)
    m = np.zeros((3, 3))
    inner = 0.0
    sign = -1.0 if mirror else 1.0
    for i in range(n):
        for t in range(3):
            inner += 0.5 * (a[i, t] * a[i, t] + b[i, t] * b[i, t])
            for u in range(3):
                m[t, u] += sign * a[i, t] * b[i, u]
    c2 = 0.0
    for t in range(3):
        for u in range(3):
            c2 -= 2.0 * m[t, u] * m[t, u]
    c1 = -8.0 * _determinant(m, 0, 1, 2, 0, 1, 2)
    k = np.empty((4, 4))
    for t in range(3):
        u = (t + 1) % 3
        v = (t + 2) % 3
        k[0, t + 1] = k[t + 1, 0] = m[u, v] - m[v, u]
        k[t + 1, t + 1] = m[t, t] - m[u, u] - m[v, v]
        k[u + 1, v + 1] = k[v + 1, u + 1] = m[u, v] + m[v, u]
    k[0, 0] = m[0, 0] + m[1, 1] + m[2, 2]
    # the determinant of the 4 x 4 matrix along its first row
    c0 = k[0, 0] * _determinant(k, 1, 2, 3, 1, 2, 3) - k[0, 1] * _determinant(k, 1, 2, 3, 0, 2, 3)
    c0 += k[0, 2] * _determinant(k, 1, 2, 3, 0, 1, 3) - k[0, 3] * _determinant(k, 1, 2, 3, 0, 1, 2)
    root = inner
    for _ in range(60):
        square = root * root
        value = (square + c2) * square + c1 * root + c0
        slope = 4.0 * square * root + 2.0 * c2 * root + c1
        if slope == 0.0:
            break
        step = value / slope
        root -= step
        if abs(step) < 1e-13 * abs(root):
            break
    return float(np.sqrt(max(2.0 * (inner - root) / n, 0.0))) if n > 0 else 0.0


@njit(nogil=True, cache=True)
def _centred(r: Array, order: Array) -> Array:
    n = len(order)
    new = np.empty((n, 3))
    middle = np.zeros(3)
    for i in range(n):
        for t in range(3):
            new[i, t] = r[order[i], t]
            middle[t] += r[order[i], t] / n
    for i in range(n):
        for t in range(3):
            new[i, t] -= middle[t]
    return new


@njit(nogil=True, cache=True)
def _by_surroundings(z: Array, r: Array) -> Array:
    """Order of the atoms by element, then by how near the others are."""
    n = len(z)
    key = np.empty(n)
    for i in range(n):
        near = 0.0
        for j in range(n):
            near += z[j] * np.exp(-0.5 * apart(r, i, j))
        key[i] = 1e6 * z[i] + near
    order: Array = order_of(key)
    return order


@njit(nogil=True, cache=True)
def _distances(z: Array, r: Array) -> Array:
    """All distances, sorted within each pair of elements."""
    n = len(z)
    found = np.empty(n * (n - 1) // 2)
    at = 0
    for i in range(n):
        for j in range(i + 1, n):
            found[at] = 1e4 * (256.0 * min(z[i], z[j]) + max(z[i], z[j])) + apart(r, i, j)
            at += 1
    order = order_of(found)
    ordered = np.empty(len(found))
    for k in range(len(found)):
        ordered[k] = found[order[k]]
    return ordered


@njit(nogil=True, cache=True)
def same_geometry(z_a: Array, r_a: Array, z_b: Array, r_b: Array, threshold: float) -> tuple[float, int]:
    """How far two molecules of the same composition are apart, and in which way; infinity where they are not the same.

    Atoms are taken in their order, then in the order of their surroundings. Where symmetry leaves that open, all
    distances, sorted within each pair of elements, are compared: they differ by 2 · RMSD (root mean square) at most.
    """
    n = len(z_a)
    plain = np.arange(n)
    best = np.inf
    way = TURNED
    for attempt in range(2):
        if attempt == 0:
            one, two = plain, plain
        else:
            one, two = _by_surroundings(z_a, r_a), _by_surroundings(z_b, r_b)
        fits = True
        for i in range(n):
            if z_a[one[i]] != z_b[two[i]]:
                fits = False
                break
        if not fits:
            continue
        a = _centred(r_a, one)
        b = _centred(r_b, two)
        straight = rmsd(a, b, False)
        if straight < best:
            best = straight
            way = TURNED
        if best <= threshold:
            return best, way
        turned = rmsd(a, b, True)
        if turned < best:
            best = turned
            way = MIRRORED
        if best <= threshold:
            return best, way
    a_d = _distances(z_a, r_a)
    b_d = _distances(z_b, r_b)
    total = 0.0
    for k in range(len(a_d)):
        total += (a_d[k] - b_d[k]) ** 2
        if total > 4.0 * threshold * threshold * len(a_d):
            return np.inf, ALIKE
    return float(np.sqrt(total / max(len(a_d), 1))), ALIKE


@njit(nogil=True, cache=True)
def compare_pairs(
    numbers: Array, positions: Array, offsets: Array, periodic: Array, pairs: Array, threshold: float, start: int,
    stop: int, found: Array, ways: Array,
) -> None:  # fmt: skip
    """:func:`same_geometry` of pairs (m, 2) of structures; crystals, whose numbers agree, are taken as alike."""
    for k in range(start, stop):
        i, j = pairs[k, 0], pairs[k, 1]
        if periodic[i] or periodic[j]:
            found[k] = 0.0 if periodic[i] and periodic[j] else np.inf
            ways[k] = ALIKE
            continue
        a, b = offsets[i], offsets[i + 1]
        c, d = offsets[j], offsets[j + 1]
        value, way = same_geometry(numbers[a:b], positions[a:b], numbers[c:d], positions[c:d], threshold)
        found[k] = value
        ways[k] = way
