"""Radial functions of SOAP: orthonormal bases, their overlaps with a Gaussian, and these as tables for the loops.

A neighbour at distance r is a Gaussian exp(−|ρ − r|²/2σ²). Its coefficient in the basis g_n(ρ) Y_lm is
G_nl(r²) S_lm(x, y, z): a smooth function of the squared distance times a solid harmonic, a polynomial in the
coordinates. Neither has a special case at r = 0, and no trigonometric function is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.representations._drive import scratch

Floats = NDArray[np.float64]
Decimals = list[list[Decimal]]

WIDTH = 8
"""Radial functions are padded with zeros to a multiple of this."""
TERMS = 8
"""Coefficients of the polynomial in each interval of a table."""
THRESHOLD = 1e-3
"""What the outermost primitive, and a Gaussian at the edge of the padded cutoff, has decayed to."""

_DIGITS = 60
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
_TOLERANCE = 2e-13
_MOST_INTERVALS = 4000


def padding(sigma: float) -> float:
    """How far beyond the cutoff (Å) atoms still reach into it: there their Gaussian is 10⁻³."""
    return sigma * math.sqrt(-2.0 * math.log(THRESHOLD))


def _square(column: list[Decimal]) -> Decimal:
    return sum((x * x for x in column), Decimal(0))


def inverse_root(overlap: Decimals) -> Decimals:
    """S^(−1/2) of a positive definite matrix, in the precision of the decimal context.

    By one-sided Jacobi rotations of the Cholesky factor L: where L = U Σ Vᵀ, S^(−1/2) = U Σ⁻¹ Uᵀ. Overlaps of radial
    primitives are so nearly singular that ordinary precision leaves 10 digits at eight of them, and none at sixteen.
    """
    n = len(overlap)
    # columns[j][i] = L_ij
    columns = [[Decimal(0)] * n for _ in range(n)]
    for j in range(n):
        for i in range(j, n):
            rest = overlap[i][j] - sum((columns[k][i] * columns[k][j] for k in range(j)), Decimal(0))
            columns[j][i] = rest.sqrt() if i == j else rest / columns[j][j]
    small = Decimal(10) ** -30
    for _ in range(60):
        largest = Decimal(0)
        for p in range(n):
            for q in range(p + 1, n):
                a, b = columns[p], columns[q]
                aa, bb = _square(a), _square(b)
                ab = sum((x * y for x, y in zip(a, b, strict=True)), Decimal(0))
                cosine = abs(ab) / (aa * bb).sqrt()
                largest = max(largest, cosine)
                if cosine < small:
                    continue
                zeta = (bb - aa) / (2 * ab)
                t = (1 if zeta >= 0 else -1) / (abs(zeta) + (1 + zeta * zeta).sqrt())
                c = 1 / (1 + t * t).sqrt()
                s = c * t
                columns[p] = [c * x - s * y for x, y in zip(a, b, strict=True)]
                columns[q] = [s * x + c * y for x, y in zip(a, b, strict=True)]
        if largest < small:
            break
    norms = [_square(a).sqrt() for a in columns]
    cubes = [norm * norm * norm for norm in norms]
    return [
        [sum((a[i] * a[j] / w for a, w in zip(columns, cubes, strict=True)), Decimal(0)) for j in range(n)]
        for i in range(n)
    ]


def _extended(values: Any) -> Any:
    """Decimals in the longest format that numpy has here."""
    if isinstance(values[0], list):
        return np.array([_extended(row) for row in values])
    return np.array([np.longdouble(str(value)) for value in values])


@lru_cache(maxsize=64)
def gaussian_basis(r_cut: float, n_max: int, l: int) -> tuple[Any, Any]:
    """Exponents α (n_max,), 1/Å², and Löwdin coefficients β (n_max, n_max) of g_n = Σ_k β_nk r^l exp(−α_k r²).

    The primitives have decayed to 10⁻³ at n_max distances between 1 Å and the cutoff. Both are long doubles: the
    coefficients are large and of both signs.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        first, last = Decimal(1), Decimal(r_cut)
        ends = [first + (last - first) * k / (n_max - 1) if n_max > 1 else first for k in range(n_max)]
        alphas = [(Decimal(1000).ln() + l * a.ln()) / (a * a) for a in ends]
        # Γ(l + 3/2) = √π (2l + 1)!! / 2^(l + 1)
        scale = _PI.sqrt() * math.prod(range(1, 2 * l + 2, 2)) / Decimal(2) ** (l + 2)
        overlap = [[scale / ((a + b) ** (l + 1) * (a + b).sqrt()) for b in alphas] for a in alphas]
        beta = inverse_root(overlap)
        return _extended(alphas), _extended(beta)


@lru_cache(maxsize=16)
def polynomial_basis(r_cut: float, n_max: int, nodes: int) -> tuple[Floats, Floats, Floats]:
    """Gauss–Legendre nodes ρ (q,) on [0, r_cut], weights, and g_n(ρ) = Σ_k β_nk (r_cut − ρ)^(k + 2), (n_max, q)."""
    from numpy.polynomial.legendre import leggauss

    x, w = leggauss(nodes)
    rho = 0.5 * r_cut * (x + 1.0)
    with localcontext() as context:
        context.prec = _DIGITS
        cut, count = Decimal(r_cut), range(1, n_max + 1)
        overlap = [
            [2 * cut ** (7 + i + j) / Decimal((5 + i + j) * (6 + i + j) * (7 + i + j)) for j in count] for i in count
        ]
        beta = inverse_root(overlap)
        values = np.empty((n_max, nodes))
        for q in range(nodes):
            y = (1 - Decimal(float(x[q]))) / 2 * cut
            powers = [y ** (k + 2) for k in count]
            for n in range(n_max):
                values[n, q] = float(sum((b * p for b, p in zip(beta[n], powers, strict=True)), Decimal(0)))
    return rho, 0.5 * r_cut * w, values


def factor(l: int) -> float:
    """√(π √(8/(2l + 1))): the prefactor of the power spectrum, shared between both coefficients."""
    return math.sqrt(math.pi * math.sqrt(8.0 / (2 * l + 1)))


def radial(rbf: str, r_cut: float, n_max: int, l_max: int, sigma: float, square: Floats) -> Floats:
    """(k, l_max + 1, n_max) G_nl at squared distances `square` (k,), Å²; these are positive for "polynomial"."""
    eta = 0.5 / sigma**2
    result = np.empty((len(square), l_max + 1, n_max))
    if rbf == "gto":
        for l in range(l_max + 1):
            primitives, beta = _primitives(r_cut, n_max, l, eta, square)
            result[:, l] = primitives @ beta.T
        return result
    from scipy.special import ive

    rho, weights, values = polynomial_basis(r_cut, n_max, 64 + math.ceil(12.0 * r_cut / sigma))
    moments = values * (weights * rho**2)
    r = np.sqrt(square)
    for start in range(0, len(r), 256):
        part = r[start : start + 256, None]
        z = 2.0 * eta * rho * part
        # e^(−z) i_l(z) / z^l, downwards from the two highest: all terms are positive
        scale = np.sqrt(0.5 * np.pi / z) * np.exp(-eta * (rho - part) ** 2)
        above = ive(l_max + 1.5, z) * scale / z ** (l_max + 1)
        here = ive(l_max + 0.5, z) * scale / z**l_max
        for l in range(l_max, -1, -1):
            result[start : start + 256, l] = 4.0 * np.pi * factor(l) * ((here * (2.0 * eta * rho) ** l) @ moments.T)
            if l > 0:
                above, here = here, z * z * above + (2 * l + 1) * here
    return result


def _primitives(r_cut: float, n_max: int, l: int, eta: float, square: Floats) -> tuple[Any, Any]:
    """(k, n_max) overlaps of the primitives with the Gaussian, over r^l; and β."""
    alpha, beta = gaussian_basis(r_cut, n_max, l)
    total = alpha + eta
    scale = factor(l) * math.pi**1.5 * (eta / total) ** l / (total * np.sqrt(total))
    return np.exp(np.multiply.outer(square, -alpha * eta / total)) * scale, beta


def _noise(rbf: str, r_cut: float, n_max: int, l_max: int, sigma: float, square: Floats) -> Floats:
    """(l_max + 1, n_max) what rounding leaves of G_nl r^l: much more than 1e-16 for many radial functions."""
    if rbf != "gto":
        return np.zeros((l_max + 1, n_max))
    found = np.empty((l_max + 1, n_max))
    for l in range(l_max + 1):
        primitives, beta = _primitives(r_cut, n_max, l, 0.5 / sigma**2, square)
        found[l] = ((primitives * np.sqrt(square)[:, None] ** l) @ np.abs(beta).T).max(axis=0)
    return found * (16.0 * float(np.finfo(np.longdouble).eps))


@dataclass(frozen=True, eq=False)
class Table:
    """G_nl as polynomials of degree 7 in r², one for each interval of r.

    Attributes
    ----------
    coefficients : (intervals · (l_max + 1) · TERMS · padded,) float64
        Of u^t, u from −1 to 1 over an interval; n fastest, padded with zeros to `padded` radial functions.
    inverse_step : float, 1/Å
        Interval k reaches from k to k + 1 steps in r.
    reach : float, Å
        Up to where the table holds: cutoff and padding.
    padded : int
    centre : (padded,) float64
        The coefficients of an atom at the centre: G_n0(0) S_00.
    """

    coefficients: Floats
    inverse_step: float
    reach: float
    padded: int
    centre: Floats


@lru_cache(maxsize=12)
def table(rbf: str, r_cut: float, n_max: int, l_max: int, sigma: float) -> Table:
    """The radial functions as a table, to 2e-13 of the largest value of each G_nl r^l."""
    reach = r_cut + padding(sigma)
    padded = -(-n_max // WIDTH) * WIDTH
    step = min(0.3, 0.5 * sigma) if rbf == "gto" else min(0.25, 0.16 * sigma)
    samples = TERMS + 6
    angles = (np.arange(samples) + 0.5) * (np.pi / samples)
    u = np.cos(angles)
    # values at the nodes → coefficients of Chebyshev polynomials → of powers
    chebyshev = np.cos(np.outer(np.arange(samples), angles)) * (2.0 / samples)
    chebyshev[0] *= 0.5
    powers = np.zeros((TERMS, TERMS))
    for t in range(TERMS):
        powers[: t + 1, t] = np.polynomial.chebyshev.cheb2poly(np.eye(t + 1)[t])
    fit = powers @ chebyshev[:TERMS]
    check = np.polynomial.polynomial.polyvander(u, TERMS - 1)
    orders = np.arange(l_max + 1)
    while True:
        count = int(reach / step) + 1
        k = np.arange(count)[:, None]
        square = ((2 * k**2 + 2 * k + 1) + (2 * k + 1) * u) * (0.5 * step**2)
        values = radial(rbf, r_cut, n_max, l_max, sigma, square.ravel()).reshape(count, samples, l_max + 1, n_max)
        coefficients = np.einsum("ts,ksln->kltn", fit, values)
        lengths = np.sqrt(square)[:, :, None] ** orders
        error = np.abs(np.einsum("st,kltn->ksln", check, coefficients) - values) * lengths[..., None]
        largest = (np.abs(values) * lengths[..., None]).max(axis=(0, 1))
        noise = _noise(rbf, r_cut, n_max, l_max, sigma, np.linspace(0.0, reach, 64) ** 2)
        if (error.max(axis=(0, 1)) <= _TOLERANCE * largest + noise).all() or 1.25 * count > _MOST_INTERVALS:
            break
        step *= 0.8
    whole = np.zeros((count, l_max + 1, TERMS, padded))
    whole[..., :n_max] = coefficients
    centre = np.zeros(padded)
    near = 0.0 if rbf == "gto" else 1e-12
    centre[:n_max] = radial(rbf, r_cut, n_max, 0, sigma, np.array([near]))[0, 0] * math.sqrt(0.25 / math.pi)
    flat = scratch(whole.size)
    flat[:] = whole.ravel()
    flat.flags.writeable = False
    return Table(flat, 1.0 / step, reach, padded, centre)
