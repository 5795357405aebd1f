"""Compiled loops of the scattering transform: wavelet moduli of atoms, wavelets on spectra, integrals of powers.

A real solid harmonic of degree l and order ±m is a polynomial of z and ρ² = x² + y², times the real or imaginary part
of (x + iy)^m::

    R_lm = Σ_p c_lmp z^p ρ^(l − m − p) · { Re, Im } (x + iy)^m,    p = l − m, l − m − 2, …

So a Gaussian times it is a sum of products of a function of z and one of x and y: the exponentials are those of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qmlstudio.representations._numba_setup  # noqa: F401

# isort: split
from numba import njit

from qmlstudio.representations._simd import WIDTH, fma, load, root, splat, store


@njit(nogil=True, cache=True)
def _add_powers(square: Any, halves: Any, sums: Any, at: int) -> None:
    """Add U^q of 16 points, given U², to the sums of all powers: `halves` are 2 q where whole, else −1."""
    modulus = root(square)
    half = root(modulus)
    for q in range(len(halves)):
        twice = halves[q]
        if twice < 0:
            continue
        value = splat(1.0)
        for _ in range(twice // 4):
            value = value * square
        if twice % 4 >= 2:
            value = value * modulus
        if twice % 2:
            value = value * half
        place = at + q * WIDTH
        store(sums, place, load(sums, place) + value)


@njit(nogil=True, cache=True)
def moduli(
    atoms: Any,
    weights: Any,
    origin: Any,
    step: Any,
    shape: Any,
    reach: float,
    degree: int,
    first: Any,
    power: Any,
    factor: Any,
    scale: Any,
    halves: Any,
    powers: Any,
    out: Any,
    sums: Any,
    rows: Any,
    near: Any,
    work: Any,
    row: Any,
) -> None:
    """U_l = √(Σ_m |Σ_a q_a R_lm(u − r_a) exp(−|u − r_a|²/2)|²) on a grid, and sums of its powers.

    Parameters
    ----------
    atoms : (A, 3) float64
        In units of the Gaussian's width, as all lengths here.
    weights : (A,) float64
    origin, step : (3,) float64
        Of the grid.
    shape : (3,) int64
    reach : float
        An atom's Gaussian counts as zero beyond it in z, and in x and y together.
    degree : int
        l = 0 … degree.
    first, power, factor : tables of the harmonics, see ``harmonics``
    scale : (degree + 1,) float64
        Factor of U_l².
    halves, powers : (Q,) int64, (Q,) float64
        2 q, or −1 where it is no whole number; q.
    out : (degree + 1, n1, n2, n3) float64, or (1, 0, 0, 0)
        U where it is wanted.
    sums : ((degree + 1) · Q · 16,) float64
        Σ U^q over the grid is added, in 16 parts.
    rows, near, work, row : scratch
        (A · (degree + 1) · m,) float64 with m = n3 rounded up to 16; (4, A) int64; ((terms + 2 degree + 4) · A,)
        float64; (m,) float64.
    """
    count, n1, n2, n3 = len(atoms), shape[0], shape[1], shape[2]
    blocks = (n3 + WIDTH - 1) // WIDTH
    width = blocks * WIDTH
    terms = len(factor)
    keep = out.shape[1] > 0
    reach2 = reach * reach
    low, high, active, slots = near[0], near[1], near[2], near[3]
    for a in range(count):
        z = atoms[a, 2]
        low[a] = min(max(int(np.floor((z - reach - origin[2]) / step[2])), 0), n3) // WIDTH
        high[a] = (min(max(int(np.ceil((z + reach - origin[2]) / step[2])) + 1, 0), n3) + WIDTH - 1) // WIDTH
        for k in range(low[a] * WIDTH, high[a] * WIDTH):
            d = origin[2] + k * step[2] - z
            # cut off on both sides alike, so that mirror images see the same
            value = weights[a] * np.exp(-0.5 * d * d) if k < n3 and abs(d) <= reach else 0.0
            for p in range(degree + 1):
                rows[(a * (degree + 1) + p) * width + k] = value
                value *= d
    coefficients = work[: terms * count]
    cosines = work[terms * count : (terms + degree + 1) * count]
    sines = work[(terms + degree + 1) * count : (terms + 2 * degree + 2) * count]
    for i in range(n1):
        x = origin[0] + i * step[0]
        some = 0
        for a in range(count):
            if abs(x - atoms[a, 0]) <= reach and weights[a] != 0.0 and low[a] < high[a]:
                active[some] = a
                some += 1
        for j in range(n2):
            y = origin[1] + j * step[1]
            inside = 0
            for k in range(some):
                a = active[k]
                dx, dy = x - atoms[a, 0], y - atoms[a, 1]
                rho2 = dx * dx + dy * dy
                if rho2 > reach2:
                    continue
                slots[inside] = a
                re, im = np.exp(-0.5 * rho2), 0.0
                for m in range(degree + 1):
                    cosines[m * count + inside] = re
                    sines[m * count + inside] = im
                    re, im = re * dx - im * dy, re * dy + im * dx
                for l in range(degree + 1):
                    for m in range(l + 1):
                        t = first[l, m]
                        # descending powers of z: ascending ones of ρ²
                        value = 1.0
                        while t < first[l, m + 1]:
                            coefficients[t * count + inside] = factor[t] * value
                            value *= rho2
                            t += 1
                inside += 1
            if keep:
                out[:, i, j, :] = 0.0
            if inside == 0:
                continue
            lowest, highest = blocks, 0
            for slot in range(inside):
                lowest = min(lowest, low[slots[slot]])
                highest = max(highest, high[slots[slot]])
            for l in range(degree + 1):
                for block in range(lowest, highest):
                    at = block * WIDTH
                    square = splat(0.0)
                    for m in range(l + 1):
                        a_sum, b_sum = splat(0.0), splat(0.0)
                        begin, end = first[l, m], first[l, m + 1]
                        for slot in range(inside):
                            a = slots[slot]
                            if block < low[a] or block >= high[a]:
                                continue
                            base = a * (degree + 1) * width + at
                            value = splat(coefficients[begin * count + slot]) * load(rows, base + power[begin] * width)
                            for t in range(begin + 1, end):
                                value = fma(
                                    splat(coefficients[t * count + slot]), load(rows, base + power[t] * width), value
                                )
                            a_sum = fma(splat(cosines[m * count + slot]), value, a_sum)
                            b_sum = fma(splat(sines[m * count + slot]), value, b_sum)
                        square = fma(a_sum, a_sum, square)
                        square = fma(b_sum, b_sum, square)
                    square = square * splat(scale[l])
                    _add_powers(square, halves, sums, l * len(halves) * WIDTH)
                    store(row, at, root(square))
                for q in range(len(halves)):
                    if halves[q] < 0:
                        for k in range(lowest * WIDTH, min(highest * WIDTH, n3)):
                            sums[(l * len(halves) + q) * WIDTH] += row[k] ** powers[q]
                if keep:
                    for k in range(lowest * WIDTH, min(highest * WIDTH, n3)):
                        out[l, i, j, k] = row[k]


@njit(nogil=True, cache=True)
def wavelets(
    spectrum: Any,
    kx: Any,
    ky: Any,
    kz: Any,
    l: int,
    first: Any,
    power: Any,
    factor: Any,
    out: Any,
    rows: Any,
) -> None:
    """The products of a spectrum with the wavelets R_lm(k) exp(−k²/2), one after another, m = 0, ±1, …

    Parameters
    ----------
    spectrum : (a, b, 2 c) float64
        Real and imaginary parts in turn of wave numbers kx, ky, kz.
    kx, ky, kz : (a,), (b,), (c,) float64
        In units of the inverse width. The wave numbers from a // 2 + 1 (b // 2 + 1) on are negative.
    out : (2 l + 1, n1, n2, 2 n3) float64
        Spectra on a grid with at least as many wave numbers, zero where there are none.
    rows : (l + 2, 2 c) float64
        Scratch.
    """
    na, nb, nc = len(kx), len(ky), len(kz)
    n1, n2 = out.shape[1], out.shape[2]
    half_a, half_b = na // 2, nb // 2
    out[:] = 0.0
    for k in range(nc):
        value = np.exp(-0.5 * kz[k] * kz[k])
        for p in range(l + 1):
            rows[1 + p, 2 * k] = value
            rows[1 + p, 2 * k + 1] = value
            value *= kz[k]
    for i in range(na):
        to_i = i if i <= half_a else n1 - na + i
        for j in range(nb):
            to_j = j if j <= half_b else n2 - nb + j
            x, y = kx[i], ky[j]
            rho2 = x * x + y * y
            re, im = np.exp(-0.5 * rho2), 0.0
            for m in range(l + 1):
                rows[0, :] = 0.0
                value = 1.0
                for t in range(first[l, m], first[l, m + 1]):
                    c = factor[t] * value
                    for k in range(2 * nc):
                        rows[0, k] += c * rows[1 + power[t], k]
                    value *= rho2
                at = 2 * m - 1 if m > 0 else 0
                for k in range(2 * nc):
                    rows[0, k] *= spectrum[i, j, k]
                for k in range(2 * nc):
                    out[at, to_i, to_j, k] = re * rows[0, k]
                if m > 0:
                    for k in range(2 * nc):
                        out[at + 1, to_i, to_j, k] = im * rows[0, k]
                re, im = re * x - im * y, re * y + im * x


@njit(nogil=True, cache=True)
def integrate(fields: Any, count: int, scale: float, halves: Any, powers: Any, sums: Any, tail: Any) -> None:
    """Add Σ U^q over a grid to `sums`, U² = scale Σ_m f_m².

    Parameters
    ----------
    fields : (M · points,) float64
        One field after another.
    count : int
        M.
    halves, powers, sums : see :func:`moduli`
    tail : ((M + 1) · 16,) float64
        Scratch.
    """
    points = len(fields) // count
    whole = points - points % WIDTH
    factor = splat(scale)
    for start in range(0, whole, WIDTH):
        square = splat(0.0)
        for m in range(count):
            value = load(fields, m * points + start)
            square = fma(value, value, square)
        _add_powers(square * factor, halves, sums, 0)
    if whole < points:
        tail[:] = 0.0
        for m in range(count):
            for k in range(whole, points):
                tail[m * WIDTH + k - whole] = fields[m * points + k]
        square = splat(0.0)
        for m in range(count):
            value = load(tail, m * WIDTH)
            square = fma(value, value, square)
        _add_powers(square * factor, halves, sums, 0)
    for q in range(len(halves)):
        if halves[q] < 0:
            total = 0.0
            for k in range(points):
                one = 0.0
                for m in range(count):
                    one += fields[m * points + k] ** 2
                total += (scale * one) ** (0.5 * powers[q])
            sums[q * WIDTH] += total
