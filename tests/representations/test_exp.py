"""The vectorisable exponential against NumPy's, alone and in lanes."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from qmlstudio.representations._exp import exp, exp_lanes
from qmlstudio.representations._simd import WIDTH, load, store


@njit
def _plain(x, out):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        out[k] = exp(x[k])


@njit
def _lanes(x, out):  # type: ignore[no-untyped-def]
    for k in range(0, len(x), WIDTH):
        store(out, k, exp_lanes(load(x, k)))


@pytest.mark.parametrize("reach", [1e-300, 1e-8, 0.3, 1.0, 30.0, 700.0])
def test_agrees_with_numpy_to_the_last_digit(reach: float) -> None:
    x = np.random.default_rng(1).uniform(-reach, reach, 100 * WIDTH)
    out = np.empty_like(x)
    _plain(x, out)
    assert np.abs(out / np.exp(x) - 1).max() <= 2.3e-16 * 1.01
    lanes = np.empty_like(x)
    _lanes(x, lanes)
    np.testing.assert_array_equal(lanes, out)


def test_ends_of_the_range() -> None:
    x = np.zeros(WIDTH)
    x[:8] = [0.0, -0.0, -708.0, -708.1, -1e300, -np.inf, np.nan, 709.0]
    x[8:10] = [1e300, np.inf]
    out = np.empty_like(x)
    _plain(x, out)
    assert list(out[:2]) == [1.0, 1.0]
    assert out[2] == pytest.approx(np.exp(-708.0), rel=1e-15)
    assert list(out[3:6]) == [0.0, 0.0, 0.0]
    assert np.isnan(out[6])
    # what would overflow stops at e^709
    assert np.allclose(out[7:10], np.exp(709.0), rtol=1e-15)


def test_plain_version_is_the_same_function() -> None:
    x = np.linspace(-5, 5, WIDTH)
    np.testing.assert_array_equal(exp_lanes(x), np.exp(x))
