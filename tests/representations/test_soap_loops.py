"""The parts of SOAP's loops: bases, tables, harmonics and their slopes, vectors."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

from qmlstudio.representations import _soap_basis, _soap_loops, _vectors
from qmlstudio.representations._soap_gradient import harmonic_slopes
from qmlstudio.representations._soap_parts import solid_harmonics
from qmlstudio.representations._soap_setup import derivative, recurrence


def close(a: Any, b: Any, tolerance: float) -> None:
    """Equal within `tolerance` of the largest value."""
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


def test_radial_functions_are_orthonormal() -> None:
    with localcontext() as context:
        context.prec = 50
        for l in (0, 6, 20):
            alpha, beta = _soap_basis.gaussian_basis(5.0, 4, l)
            total = alpha[:, None] + alpha
            overlap = 0.5 * math.gamma(l + 1.5) * total ** (-l - 1.5)
            np.testing.assert_allclose((beta @ overlap @ beta.T).astype(float), np.eye(4), atol=1e-8)
        # the Hilbert matrix: 1e13 from singular
        hilbert = [[Decimal(1) / (i + j + 1) for j in range(10)] for i in range(10)]
        root = _soap_basis.inverse_root(hilbert)
        square = [[sum(root[i][k] * root[k][j] for k in range(10)) for j in range(10)] for i in range(10)]
        one_ = [[sum(square[i][k] * hilbert[k][j] for k in range(10)) for j in range(10)] for i in range(10)]
        assert max(abs(one_[i][j] - (i == j)) for i in range(10) for j in range(10)) < Decimal("1e-20")
    rho, w, g = _soap_basis.polynomial_basis(5.0, 10, 60)
    np.testing.assert_allclose((g * w * rho**2) @ g.T, np.eye(10), atol=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [("gto", 5.0, 8, 6, 1.0), ("gto", 3.0, 12, 9, 0.3), ("polynomial", 5.0, 8, 6, 1.0), ("polynomial", 4.0, 3, 4, 0.3)],
)
def test_table_follows_the_radial_functions(parameters: tuple[Any, ...]) -> None:
    table = _soap_basis.table(*parameters)
    _, _, n_max, l_max, _ = parameters
    square = np.sort(np.random.default_rng(0).uniform(1e-6, table.reach**2, _soap_loops.BATCH))
    work = np.zeros(_soap_loops.HARMONIC + _soap_loops.BATCH * (l_max + 1) * ((l_max + 1) + table.padded))
    work[_soap_loops.SQUARE : _soap_loops.SQUARE + _soap_loops.BATCH] = square
    place = _soap_loops.HARMONIC + _soap_loops.BATCH * (l_max + 1) ** 2
    _soap_loops.radials(_soap_loops.BATCH, l_max, 1, table.padded, table.coefficients, table.inverse_step, work, place)
    found = work[place:].reshape(_soap_loops.BATCH, l_max + 1, table.padded)
    exact = _soap_basis.radial(*parameters, square)
    length = np.sqrt(square)[:, None, None] ** np.arange(l_max + 1)[:, None]
    error = (np.abs(found[..., :n_max] - exact) * length).max(axis=0) / (np.abs(exact) * length).max(axis=0)
    assert error.max() < (1e-11 if n_max > 8 else 2e-12)
    assert not found[..., n_max:].any()


def test_harmonics() -> None:
    l_max, count = 9, 21
    rows = (l_max + 1) ** 2
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(3, count))
    work = np.zeros(_soap_loops.HARMONIC + rows * _soap_loops.BATCH + 3 * rows * 8)

    def fill(where: Any) -> Any:
        for axis, at in enumerate((_soap_loops.X, _soap_loops.Y, _soap_loops.Z)):
            work[at : at + count] = where[axis]
        work[_soap_loops.SCALE : _soap_loops.SCALE + count] = 1.0
        _soap_loops.harmonics(count, l_max, recurrence(l_max), work)
        return (
            work[_soap_loops.HARMONIC :][: rows * _soap_loops.BATCH].reshape(rows, _soap_loops.BATCH)[:, :count].copy()
        )

    values = fill(vectors)
    cosine = (vectors.T @ vectors) / np.outer(*[np.linalg.norm(vectors, axis=0)] * 2)
    lengths = np.linalg.norm(vectors, axis=0)
    for l in range(l_max + 1):
        part = values[l * l : (l + 1) ** 2]
        legendre = np.polynomial.legendre.legval(np.clip(cosine, -1, 1), np.eye(l + 1)[l])
        expected = (2 * l + 1) / (4 * np.pi) * legendre * np.outer(lengths, lengths) ** l
        close(part.T @ part, expected, 1e-13)
        np.testing.assert_allclose((solid_harmonics(l, vectors.T) ** 2).sum(axis=0), (part**2).sum(axis=0), rtol=1e-12)
    fill(vectors)
    harmonic_slopes(l_max, derivative(l_max), work, _soap_loops.HARMONIC + rows * _soap_loops.BATCH)
    slopes = work[_soap_loops.HARMONIC + rows * _soap_loops.BATCH :].reshape(3, rows, 8).copy()
    for axis in range(3):
        step = np.zeros((3, 1))
        step[axis] = 1e-4
        numerical = (fill(vectors + step) - fill(vectors - step))[:, :8] / 2e-4
        close(slopes[axis], numerical, 1e-6)


def test_vectors_compiled_and_plain_agree() -> None:
    from numba import njit

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))

    def sums(out: Any) -> None:
        _vectors.sums1(a_, 3, 9, b_, 2, 20, 6, out, 0, 8, 1)
        _vectors.sums13(a_, 3, 9, b_, 2, 20, 6, out, 8, 9, 0)
        _vectors.store(out, 150, _vectors.fma(_vectors.load(a_, 5), _vectors.splat(2.0), _vectors.load(b_, 1)))
        _vectors.store(out, 160, _vectors.load(a_, 5) * _vectors.load(b_, 1) - _vectors.load(a_, 2))

    def tiles(out: Any) -> None:
        _vectors.tile(a_, 1, b_, 5, 17, 7, out, 0, 6)
        _vectors.tile_upper(a_, 1, b_, 5, 17, 7, out, 60, 8)
        _vectors.tile_upper_two(a_, 1, 200, 60, 5, 17, 5, out, 160)
        _vectors.tile(a_, 1, b_, 5, 17, 7, out, 110, 9)
        _vectors.tile_add(a_, 1, b_, 5, 17, 4, out, 110, 9)

    a_, b_ = a, b
    for function in (sums, tiles):
        compiled = np.arange(200.0)
        expected = compiled.copy()
        njit(function)(compiled)
        function(expected)
        np.testing.assert_allclose(compiled, expected, rtol=1e-13, atol=1e-13)
