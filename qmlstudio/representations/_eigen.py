"""Eigenvalues of symmetric matrices, WIDTH of them at once (buffers in lane order, see ``_lanes``).

Householder reduction to tridiagonal form on the packed lower triangle, then the square-root-free implicit QL
iteration of Pal, Walker and Kahan (LAPACK's dsterf; B. N. Parlett, The Symmetric Eigenvalue Problem, 8.15), both
without vectors. Lanes that have converged go through the motions with those that have not, unchanged.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._simd import (
    WIDTH,
    any_greater,
    fma,
    larger,
    load,
    magnitude,
    root,
    splat,
    store,
    where_greater,
    with_sign,
)

# isort: split
from numba import njit

_TINY = 1e-60
_SWEEPS = 60
# An off-diagonal element below this fraction of the matrix's norm is taken for zero; it moves no eigenvalue by more.
_NEGLIGIBLE = 1e-15


@njit(nogil=True, cache=True)
def tridiagonalise(size: int, packed: Any, diagonal: Any, square: Any, p: Any) -> None:
    """Reduce symmetric matrices to tridiagonal form.

    Parameters
    ----------
    packed : (size (size + 1) / 2 · WIDTH,) float64
        Lower triangles; destroyed.
    diagonal, square : (size · WIDTH,) float64
        Receive the diagonal, and the squares of the off-diagonal elements (i, i + 1) at i.
    p : (size · WIDTH,) float64
        Scratch.
    """
    half = splat(0.5)
    zero = splat(0.0)
    guard = splat(1e-280)
    for i in range(size - 1, 1, -1):
        row = (i * (i + 1) // 2) * WIDTH
        store(diagonal, i * WIDTH, load(packed, row + i * WIDTH))
        norm = zero
        for k in range(row, row + i * WIDTH, WIDTH):
            v = load(packed, k)
            norm = fma(v, v, norm)
        store(square, (i - 1) * WIDTH, norm)
        last = row + (i - 1) * WIDTH
        f = load(packed, last)
        g = with_sign(root(norm), f)
        store(packed, last, f + g)
        # h = u·u / 2; zero only for a zero row, where u and so every product below is zero too
        inverse = splat(1.0) / (fma(f, g, norm) + guard)
        # p = A u / h; both halves of the symmetric product from one pass over the triangle
        dot = zero
        at = 0
        for j in range(i):
            uj = load(packed, row + j * WIDTH)
            total = zero
            for k in range(0, j * WIDTH, WIDTH):
                a = load(packed, at + k)
                total = fma(a, load(packed, row + k), total)
                store(p, k, fma(a, uj, load(p, k)))
            at += j * WIDTH
            store(p, j * WIDTH, fma(load(packed, at), uj, total))
            at += WIDTH
        for k in range(0, i * WIDTH, WIDTH):
            v = load(p, k) * inverse
            dot = fma(v, load(packed, row + k), dot)
            store(p, k, v)
        shift = -(dot * inverse * half)
        for k in range(0, i * WIDTH, WIDTH):
            store(p, k, fma(shift, load(packed, row + k), load(p, k)))
        # A -= u qᵀ + q uᵀ
        at = 0
        for j in range(i):
            uj, qj = -load(packed, row + j * WIDTH), -load(p, j * WIDTH)
            for k in range(0, (j + 1) * WIDTH, WIDTH):
                a = fma(uj, load(p, k), load(packed, at))
                store(packed, at, fma(qj, load(packed, row + k), a))
                at += WIDTH
    if size > 1:
        store(diagonal, WIDTH, load(packed, 2 * WIDTH))
        v = load(packed, WIDTH)
        store(square, 0, v * v)
    store(diagonal, 0, load(packed, 0))
    store(square, (size - 1) * WIDTH, zero)


@njit(nogil=True, cache=True)
def tridiagonal_eigenvalues(size: int, diagonal: Any, square: Any) -> bool:
    """Replace `diagonal` by the eigenvalues, in no order; `square` is destroyed. False if some did not converge."""
    half, zero, tiny = splat(0.5), splat(0.0), splat(_TINY)
    norm = zero
    for k in range(0, size * WIDTH, WIDTH):
        v = load(diagonal, k)
        norm = larger(norm, fma(v, v, load(square, k)))
    limit = fma(norm, splat(_NEGLIGIBLE**2), splat(_TINY**2))
    top = (size - 1) * WIDTH
    for l in range(0, top, WIDTH):
        sweep = 0
        while any_greater(load(square, l), limit):
            if sweep == _SWEEPS:
                return False
            sweep += 1
            # Wilkinson's shift: the eigenvalue of the leading 2 × 2 block that is closer to its first element
            first, coupling = load(diagonal, l), load(square, l)
            delta = (load(diagonal, l + WIDTH) - first) * half
            reach = magnitude(delta) + root(fma(delta, delta, coupling)) + tiny
            sigma = first - with_sign(coupling / reach, delta)
            s = zero
            gamma = load(diagonal, top) - sigma
            # a pivot of zero is moved by a trifle, as in a Sturm sequence
            gamma = where_greater(magnitude(gamma), tiny, gamma, tiny)
            p = gamma * gamma
            # lanes that have converged keep what they have: no molecule's numbers depend on its neighbours'
            kept_square, kept = load(square, top), load(diagonal, top)
            for i in range(top - WIDTH, l - WIDTH, -WIDTH):
                e = load(square, i)
                r = p + e
                store(square, i + WIDTH, where_greater(coupling, limit, s * r, kept_square))
                kept_square = e
                t = splat(1.0) / (r * p)
                q = p * t  # 1 / r
                s = e * q
                alpha = load(diagonal, i)
                old = gamma
                gamma = fma(p * q, alpha - sigma, -(s * old))
                store(diagonal, i + WIDTH, where_greater(coupling, limit, old + (alpha - gamma), kept))
                kept = alpha
                gamma = where_greater(magnitude(gamma), tiny, gamma, tiny)
                p = gamma * gamma * (r * r * t)
            store(square, l, where_greater(coupling, limit, s * p, kept_square))
            store(diagonal, l, where_greater(coupling, limit, sigma + gamma, kept))
    return True
