"""Loops of models of energies and forces: kernels of squared distances and their slopes, and what is made of them.

κ(s) is a function of the squared distance s of two rows of features. With Δ = a − b its derivatives are

    −∂κ/∂a = first · Δ,   ∂²κ/∂a∂b = first · I − second · ΔΔᵀ,   first = −2κ′, second = 4κ″,

which for the Gaussian are κ/σ² and κ/σ⁴. Rows stand one after the other, filled up with zeros to whole vectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.learning.kernels._vectors import square_distance

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GAUSSIAN, MATERN_5 = range(2)


@njit(nogil=True, cache=True)
def terms(kind: int, square: float, sigma: float) -> tuple[float, float, float]:
    """Kernel, first and second slope at a squared distance."""
    if kind == GAUSSIAN:
        scale = 1.0 / (sigma * sigma)
        value = np.exp(-0.5 * square * scale)
        return value, value * scale, value * scale * scale
    q = np.sqrt(5.0 * square) / sigma
    decay, scale = np.exp(-q), 5.0 / (3.0 * sigma * sigma)
    return (1.0 + q + q * q / 3.0) * decay, scale * (1.0 + q) * decay, scale * 5.0 / (sigma * sigma) * decay


@njit(nogil=True, cache=True)
def slope_tile(
    kind: int,
    sigma: float,
    x: Floats,
    rows: Integers,
    basis: Floats,
    first: int,
    last: int,
    width: int,
    columns: Integers,
    weights: Floats,
    sums: Floats,
) -> None:
    """What forces and energies of one structure are made of, for a stretch of basis rows of one element.

    Parameters
    ----------
    x, basis : (rows · width,)
    rows : (r,)
        Those of the structure's atoms of the element.
    first, last : int
        Of the basis rows.
    columns : (c,)
        Those in which the structure's gradient is not zero; all of them, 0 … c − 1, need no look-up.
    weights : (last − first, r · c)
        Becomes first(s_IJ) (x_I − x_J).
    sums : (last − first,)
        To which Σ_I κ(s_IJ) is added.
    """
    count = len(columns)
    is_plain = count == 0 or columns[count - 1] == count - 1
    for j in range(first, last):
        b0 = j * width
        for i in range(len(rows)):
            a0 = rows[i] * width
            square = square_distance(x, a0, basis, b0, width)
            value, slope, _ = terms(kind, square, sigma)
            sums[j - first] += value
            target = weights[j - first, i * count : (i + 1) * count]
            if is_plain:
                for c in range(count):
                    target[c] = slope * (x[a0 + c] - basis[b0 + c])
            else:
                for c in range(count):
                    k = columns[c]
                    target[c] = slope * (x[a0 + k] - basis[b0 + k])


@njit(nogil=True, cache=True)
def sum_tile(
    kind: int, sigma: float, x: Floats, rows: Integers, basis: Floats, first: int, last: int, width: int, sums: Floats
) -> None:
    """As :func:`slope_tile`, without the slopes."""
    for i in range(len(rows)):
        for j in range(first, last):
            square = square_distance(x, rows[i] * width, basis, j * width, width)
            sums[j - first] += terms(kind, square, sigma)[0]


@njit(nogil=True, cache=True)
def basis_tile(
    kind: int, sigma: float, basis: Floats, start: int, stop: int, first: int, width: int, out: Floats
) -> None:
    """Rows start … stop of the kernel matrix of the basis, from column `first` to the diagonal, and their mirror."""
    for i in range(start, stop):
        for j in range(first, i + 1):
            square = square_distance(basis, i * width, basis, j * width, width)
            value = terms(kind, square, sigma)[0]
            out[i, j] = value
            out[j, i] = value


@njit(nogil=True, cache=True)
def predict_rows(
    kind: int,
    sigma: float,
    x: Floats,
    rows: Integers,
    basis: Floats,
    first: int,
    last: int,
    width: int,
    alpha: Floats,
    directions: Floats,
    energies: Floats,
    slopes: Floats,
    nearest: Floats,
) -> None:
    """Add a stretch of the basis to energies, their derivatives and the nearest distances of some rows.

    Parameters
    ----------
    alpha : (basis rows,)
    directions : (basis rows · width,)
        Weights of the basis rows' slopes, or empty where there are none.
    energies : (all rows,)
        To which Σ_J [α_J κ − first · Δ_J·w_J] is added.
    slopes : (all rows · width,) or empty
        Its derivatives with respect to x, added; empty where nobody asks.
    nearest : (all rows,)
        Least squared distances.
    """
    has_directions, wants_slopes = len(directions) > 0, len(slopes) > 0
    for r in rows:
        a0 = r * width
        total, least = 0.0, nearest[r]
        for j in range(first, last):
            b0 = j * width
            square = square_distance(x, a0, basis, b0, width)
            least = min(least, square)
            value, one, two = terms(kind, square, sigma)
            along = 0.0
            if has_directions:
                for c in range(width):
                    along += (x[a0 + c] - basis[b0 + c]) * directions[b0 + c]
            total += alpha[j] * value - one * along
            if wants_slopes:
                factor = two * along - one * alpha[j]
                for c in range(width):
                    slopes[a0 + c] += factor * (x[a0 + c] - basis[b0 + c])
                if has_directions:
                    for c in range(width):
                        slopes[a0 + c] -= one * directions[b0 + c]
        energies[r] += total
        nearest[r] = least


@njit(nogil=True, cache=True)
def pair_terms(
    kind: int, sigma: float, x: Floats, a: int, a_end: int, b: int, b_end: int, width: int, out: Floats
) -> None:
    """``out[0]`` κ, ``out[1]`` first and ``out[2]`` second slope of rows a … a_end with rows b … b_end."""
    for i in range(a, a_end):
        for j in range(b, b_end):
            square = square_distance(x, i * width, x, j * width, width)
            value, one, two = terms(kind, square, sigma)
            out[0, i - a, j - b] = value
            out[1, i - a, j - b] = one
            out[2, i - a, j - b] = two


@njit(nogil=True, cache=True)
def curvature_tile(
    products: Floats,
    one: Floats,
    two: Floats,
    left: Floats,
    right: Floats,
    rows: Integers,
    columns: Integers,
) -> None:
    """Products of slopes J_a J_bᵀ (p, q) to the covariance of forces, in place: first J_a J_bᵀ − second (J_aΔ)(J_bΔ)ᵀ.

    Parameters
    ----------
    one, two : (m, k) slopes of each pair of structures
    left : (p, k) J_a Δ
    right : (m, q) J_b Δ
    rows, columns : (m + 1,), (k + 1,)
        Where each structure's rows and columns begin.
    """
    for a in range(len(rows) - 1):
        for p in range(rows[a], rows[a + 1]):
            for b in range(len(columns) - 1):
                factor, rank_one = one[a, b], two[a, b] * left[p, b]
                for q in range(columns[b], columns[b + 1]):
                    products[p, q] = factor * products[p, q] - rank_one * right[a, q]


@njit(nogil=True, cache=True)
def nearest_square(row: Floats, basis: Floats, first: int, last: int, width: int, owners: Integers, mine: int) -> float:
    """Squared distance of a row to the nearest of a stretch of the basis that belongs to another structure."""
    least = np.inf
    for j in range(first, last):
        if owners[j] != mine:
            least = min(least, square_distance(row, 0, basis, j * width, width))
    return least
