"""Compiled loops of the Ewald sum matrix.

Of a cell the loops know its triangular form: turned such that a1 = (l00, l01, l02), a2 = (0, l11, l12), a3 = (0, 0,
l22). Then the lattice points within a sphere are three nested ranges, in real and in reciprocal space.
"""

from __future__ import annotations

import math
from typing import Any

from qmlstudio.representations._coulomb_loops import NOT_CONVERGED
from qmlstudio.representations._drive import COINCIDENT
from qmlstudio.representations._exp import exp
from qmlstudio.representations._lattice_loops import finish
from qmlstudio.representations._simd import WIDTH

# isort: split
from numba import njit

BLOCK = 256
"""Lattice vectors that are summed over at once."""
_COINCIDENT2 = COINCIDENT**2
# Lattice points on the sphere of a cutoff are taken in whatever rounding does to their distance
_SLACK = 1.0 + 1e-9

# (1 + 2x) e^{x²} erfc(x) on 0…9 as a polynomial in t, (x − 3) / (x + 3) = ¾ t − ¼, to 1e-16 (Chebyshev, 50 digits)
_ERFC = (
    1.2813764399276173,
    -0.05895012564592909,
    -0.11341522442570116,
    0.12625336505780704,
    -0.07205274080486045,
    0.024984996395911264,
    -0.004272871089515343,
    -0.0003545274111230121,
    0.0003061535245789802,
    -1.162533486786393e-05,
    -1.9747858574318075e-05,
    1.3479888305164732e-06,
    1.4831788671482256e-06,
    -4.7072646600045036e-08,
    -1.2324995425822817e-07,
    -7.219715301327834e-09,
    9.67812312570272e-09,
    1.7685484153245265e-09,
    -5.217215013314596e-10,
    -1.6795589278824893e-10,
)


def ewald_scratch(n: int, reach: int) -> int:
    """Doubles of scratch that :func:`ewald_pairs` needs beside, for waves of at most `reach` along each axis."""
    return BLOCK * (2 * n + 3) + 6 * n * (2 * reach + 1) + 3 * n


@njit(nogil=True, cache=True, error_model="numpy")
def erfc(x: float) -> float:
    """Complementary error function for x ≥ 0, to 5e-16 · max(1, x²) relative; vectorises inside plain loops."""
    y = min(x, 9.0)
    t = ((y - 3.0) / (y + 3.0) + 0.25) / 0.75
    p = _ERFC[19]
    p = p * t + _ERFC[18]
    p = p * t + _ERFC[17]
    p = p * t + _ERFC[16]
    p = p * t + _ERFC[15]
    p = p * t + _ERFC[14]
    p = p * t + _ERFC[13]
    p = p * t + _ERFC[12]
    p = p * t + _ERFC[11]
    p = p * t + _ERFC[10]
    p = p * t + _ERFC[9]
    p = p * t + _ERFC[8]
    p = p * t + _ERFC[7]
    p = p * t + _ERFC[6]
    p = p * t + _ERFC[5]
    p = p * t + _ERFC[4]
    p = p * t + _ERFC[3]
    p = p * t + _ERFC[2]
    p = p * t + _ERFC[1]
    p = p * t + _ERFC[0]
    value: float = p / (1.0 + 2.0 * y) * exp(-x * x)
    return value


@njit(nogil=True, cache=True, error_model="numpy")
def triangular(cell: Any, frame: Any, lower: Any, inverse: Any) -> None:
    """A cell's triangular form.

    Parameters
    ----------
    frame : (3, 3)
        Receives the axes in rows: coordinates of a vector r are ``frame @ r``.
    lower : (3, 3)
        Receives the lattice vectors in that frame (see the module).
    inverse : (3, 3)
        Receives its inverse: the reciprocal vectors (without 2π) are its columns.
    """
    for k in range(2, -1, -1):
        for x in range(3):
            frame[k, x] = cell[k, x]
        for m in range(2, k, -1):
            dot = 0.0
            for x in range(3):
                dot += cell[k, x] * frame[m, x]
            for x in range(3):
                frame[k, x] -= dot * frame[m, x]
        length = math.sqrt(frame[k, 0] ** 2 + frame[k, 1] ** 2 + frame[k, 2] ** 2)
        for x in range(3):
            frame[k, x] /= length
    for k in range(3):
        for m in range(3):
            lower[k, m] = 0.0
            inverse[k, m] = 0.0
            if m >= k:
                for x in range(3):
                    lower[k, m] += cell[k, x] * frame[m, x]
    for k in range(3):
        inverse[k, k] = 1.0 / lower[k, k]
    inverse[0, 1] = -lower[0, 1] * inverse[0, 0] * inverse[1, 1]
    inverse[1, 2] = -lower[1, 2] * inverse[1, 1] * inverse[2, 2]
    inverse[0, 2] = -(lower[0, 1] * inverse[1, 2] + lower[0, 2] * inverse[2, 2]) * inverse[0, 0]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def _sum(count: int, values: Any) -> float:
    total = 0.0
    for k in range(count):
        total += values[k]
    return total


# exp does not survive reassociation, not even in a function that one with reassociation calls
@njit(nogil=True, cache=True, error_model="numpy")
def _screened(count: int, a: float, squares: Any) -> float:
    """Σ erfc(a r) / r over the squared lengths, which are destroyed."""
    for k in range(count):
        r = math.sqrt(squares[k])
        squares[k] = erfc(a * r) / r
    total: float = _sum(count, squares)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _real_sum(x: float, y: float, z: float, same: bool, lower: Any, a: float, r_cut: float, squares: Any) -> float:
    """Σ erfc(a r) / r over all images within the cutoff of the vector (x, y, z) in the triangular frame.

    `same`: an atom and its own images, itself left out. NaN where an image lies at the same place.
    """
    total: float = 0.0
    count = 0
    cut2 = r_cut * r_cut
    l00, l01, l02, l11, l12, l22 = lower[0, 0], lower[0, 1], lower[0, 2], lower[1, 1], lower[1, 2], lower[2, 2]
    for n0 in range(math.ceil((-r_cut - x) / l00), math.floor((r_cut - x) / l00) + 1):
        x0 = x + n0 * l00
        rest0 = cut2 - x0 * x0
        if rest0 < 0.0:
            continue
        reach = math.sqrt(rest0)
        y0 = y + n0 * l01
        for n1 in range(math.ceil((-reach - y0) / l11), math.floor((reach - y0) / l11) + 1):
            y1 = y0 + n1 * l11
            rest1 = rest0 - y1 * y1
            if rest1 < 0.0:
                continue
            height = math.sqrt(rest1)
            z1 = z + n0 * l02 + n1 * l12
            base = x0 * x0 + y1 * y1
            for n2 in range(math.ceil((-height - z1) / l22), math.floor((height - z1) / l22) + 1):
                z2 = z1 + n2 * l22
                square = base + z2 * z2
                if square <= _COINCIDENT2:
                    if same and n0 == 0 and n1 == 0 and n2 == 0:
                        continue
                    return math.nan
                if count == BLOCK:
                    total += _screened(count, a, squares)
                    count = 0
                squares[count] = square
                count += 1
    total += _screened(count, a, squares)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _weigh(count: int, a: float, factor: float, waves: Any) -> None:
    """Squared lengths of waves become their weights."""
    decay = -0.25 / (a * a)
    for k in range(count):
        waves[k] = factor * exp(decay * waves[k]) / waves[k]


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _add_waves(
    size: int, count: int, waves: Any, weighted: Any, cosine: Any, sine: Any, lane: int, packed: Any
) -> float:
    """Add the weighted waves of a block to all pairs; their sum, for an atom with itself."""
    total = 0.0
    for k in range(count):
        total += waves[k]
    first, second = weighted[:BLOCK], weighted[BLOCK:]
    at = lane
    for i in range(size):
        for k in range(count):
            first[k] = waves[k] * cosine[i, k]
            second[k] = waves[k] * sine[i, k]
        for j in range(i):
            part = 0.0
            for k in range(count):
                part += first[k] * cosine[j, k] + second[k] * sine[j, k]
            packed[at] += part
            at += WIDTH
        at += WIDTH
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def phases(size: int, reach: int, fractions: Any, axis: int, table: Any) -> None:
    """e^{2πi h f} for h = −reach…reach into `table` (size, 2, 2 reach + 1): real parts, imaginary parts."""
    for i in range(size):
        f = fractions[i, axis]
        angle = 2.0 * math.pi * (f - math.floor(f))
        c, s = math.cos(angle), math.sin(angle)
        re, im = 1.0, 0.0
        for h in range(reach + 1):
            table[i, 0, reach + h] = table[i, 0, reach - h] = re
            table[i, 1, reach + h] = im
            table[i, 1, reach - h] = -im
            re, im = re * c - im * s, re * s + im * c


@njit(nogil=True, cache=True, error_model="numpy")
def ewald_pairs(
    numbers: Any,
    positions: Any,
    start: int,
    size: int,
    cell: Any,
    frame: Any,
    lower: Any,
    inverse: Any,
    a: float,
    r_cut: float,
    g_cut: float,
    unit: float,
    work: Any,
    lane: int,
    packed: Any,
) -> bool:
    """One Ewald sum matrix into a lane; whether atoms lie at the same place. `a`, 1 / `r_cut`, `g_cut` in 1/Å."""
    triangular(cell, frame, lower, inverse)
    volume = lower[0, 0] * lower[1, 1] * lower[2, 2]
    r_cut *= _SLACK
    g_cut *= _SLACK
    # the longest wave along axis k within the sphere: |h_k| = |G · a_k| / 2π
    reaches = (
        int(g_cut * math.sqrt(lower[0, 0] ** 2 + lower[0, 1] ** 2 + lower[0, 2] ** 2) / (2.0 * math.pi)),
        int(g_cut * math.sqrt(lower[1, 1] ** 2 + lower[1, 2] ** 2) / (2.0 * math.pi)),
        int(g_cut * lower[2, 2] / (2.0 * math.pi)),
    )
    waves, weighted = work[:BLOCK], work[BLOCK : 3 * BLOCK]
    at = 3 * BLOCK
    cosine = work[at : at + size * BLOCK].reshape(size, BLOCK)
    at += size * BLOCK
    sine = work[at : at + size * BLOCK].reshape(size, BLOCK)
    at += size * BLOCK
    points = work[at : at + 3 * size].reshape(size, 3)
    at += 3 * size
    tables0 = work[at : at + 2 * size * (2 * reaches[0] + 1)].reshape(size, 2, 2 * reaches[0] + 1)
    at += 2 * size * (2 * reaches[0] + 1)
    tables1 = work[at : at + 2 * size * (2 * reaches[1] + 1)].reshape(size, 2, 2 * reaches[1] + 1)
    at += 2 * size * (2 * reaches[1] + 1)
    tables2 = work[at : at + 2 * size * (2 * reaches[2] + 1)].reshape(size, 2, 2 * reaches[2] + 1)
    # real space, from positions in the triangular frame, the first atom at its origin
    bad = False
    for i in range(size):
        for k in range(3):
            points[i, k] = 0.0
            for x in range(3):
                points[i, k] += frame[k, x] * (positions[start + i, x] - positions[start, x])
    own = 0.0
    to = lane
    for i in range(size):
        # an atom and its own images are alike for all atoms: once
        for j in range(i if i > 0 else 1):
            dx, dy, dz = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
            value = _real_sum(dx, dy, dz, i == j, lower, a, r_cut, waves)
            bad = bad or value != value
            if i == j:
                own = value
            packed[to] = value
            to += WIDTH
        if i > 0:
            to += WIDTH
    if bad:
        return True
    # reciprocal space: half of the waves, the other half gives the same
    for i in range(size):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        points[i, 0] = x * inverse[0, 0]
        points[i, 1] = x * inverse[0, 1] + y * inverse[1, 1]
        points[i, 2] = x * inverse[0, 2] + y * inverse[1, 2] + z * inverse[2, 2]
    phases(size, reaches[0], points, 0, tables0)
    phases(size, reaches[1], points, 1, tables1)
    phases(size, reaches[2], points, 2, tables2)
    factor, turn = 8.0 * math.pi / volume, 2.0 * math.pi
    spacing, cut2 = turn * inverse[0, 0], g_cut * g_cut
    reciprocal = 0.0
    count = 0
    for h2 in range(reaches[2] + 1):
        gz = turn * h2 * inverse[2, 2]
        for h1 in range(0 if h2 == 0 else -reaches[1], reaches[1] + 1):
            gy = turn * (h1 * inverse[1, 1] + h2 * inverse[1, 2])
            rest = cut2 - gy * gy - gz * gz
            if rest < 0.0:
                continue
            base = turn * (h1 * inverse[0, 1] + h2 * inverse[0, 2])
            low = max(math.ceil((-math.sqrt(rest) - base) / spacing), -reaches[0])
            high = min(math.floor((math.sqrt(rest) - base) / spacing), reaches[0])
            if h1 == 0 and h2 == 0:
                low = 1
            while low <= high:
                if count == BLOCK:
                    _weigh(count, a, factor, waves)
                    reciprocal += _add_waves(size, count, waves, weighted, cosine, sine, lane, packed)
                    count = 0
                many = min(high - low + 1, BLOCK - count)
                for t in range(many):
                    gx = base + (low + t) * spacing
                    waves[count + t] = gx * gx + gy * gy + gz * gz
                for i in range(size):
                    br, bi = tables1[i, 0, reaches[1] + h1], tables1[i, 1, reaches[1] + h1]
                    cr, ci = tables2[i, 0, reaches[2] + h2], tables2[i, 1, reaches[2] + h2]
                    re, im = br * cr - bi * ci, br * ci + bi * cr
                    for t in range(many):
                        xr, xi = tables0[i, 0, reaches[0] + low + t], tables0[i, 1, reaches[0] + low + t]
                        cosine[i, count + t] = re * xr - im * xi
                        sine[i, count + t] = re * xi + im * xr
                low += many
                count += many
    _weigh(count, a, factor, waves)
    reciprocal += _add_waves(size, count, waves, weighted, cosine, sine, lane, packed)
    # charges, and the background that makes the cell neutral
    background = math.pi / (volume * a * a)
    self_term = 0.5 * (own + reciprocal - background) - a / math.sqrt(math.pi)
    to = lane
    for i in range(size):
        zi = numbers[start + i] * unit
        for j in range(i):
            packed[to] = zi * numbers[start + j] * (packed[to] - background)
            to += WIDTH
        packed[to] = zi * numbers[start + i] * self_term
        to += WIDTH
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def ewald_loop(
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
    cutoffs: Any,
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
    """Ewald sum matrices, or their eigenvalues, of chunks ``start:stop:step`` into the rows of `out`.

    As :func:`qmlstudio.representations._coulomb_loops.coulomb_loop`; `cutoffs` (n, 3) are a, r_cut and g_cut of each
    crystal, `small` (3, 3, 3) and `extra` are scratch.
    """
    found = -1
    for chunk in range(start, stop, step):
        members = order[first[chunk] : first[chunk] + count[chunk]]
        size = offsets[members[0] + 1] - offsets[members[0]]
        packed = work[4 * size * WIDTH :]
        for l in range(len(members) if size > 0 else 0):
            s = members[l]
            if ewald_pairs(
                numbers,
                positions,
                offsets[s],
                size,
                cells[s],
                small[0],
                small[1],
                small[2],
                cutoffs[s, 0],
                cutoffs[s, 1],
                cutoffs[s, 2],
                unit,
                extra,
                l,
                packed,
            ) and (found < 0 or s < found):
                found = s
        if found < 0 and not finish(
            size, members, offsets, noise, kind, is_packed, n_max, packed, work[: 4 * size * WIDTH], out, orders
        ):
            return NOT_CONVERGED
    return found
