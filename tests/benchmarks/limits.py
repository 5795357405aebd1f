"""What this machine could do at best, measured: a loop is judged by its distance to that bound."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np

import qmlstudio.representations._numba_setup  # noqa: F401

# isort: split
from numba import njit

from qmlstudio.representations._exp import exp


@njit(nogil=True)
def _exponentials(x: Any, out: Any) -> None:
    for k in range(len(x)):
        out[k] = exp(x[k])


@njit(nogil=True, fastmath=True)
def _multiplications(rounds: int, a: Any, b: Any, out: Any) -> None:
    for _ in range(rounds):
        for k in range(len(a)):
            out[k] += a[k] * b[k]


def _best(work: Any, repeat: int = 7) -> float:
    work()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


@cache
def exp_rate() -> float:
    """Exponentials a second, from arrays in the first-level cache."""
    x, out = np.linspace(-5, 0, 1024), np.empty(1024)
    return 1024 * 100 / _best(lambda: [_exponentials(x, out) for _ in range(100)])


@cache
def flop_rate() -> float:
    """Floating-point operations a second (a multiplication and an addition count two), in a matrix product."""
    a = np.random.default_rng(0).normal(size=(768, 768))
    out = np.empty_like(a)
    return float(2 * 768**3 / _best(lambda: np.matmul(a, a, out=out)))


@cache
def stream_rate() -> float:
    """Multiply-adds a second on three arrays in the first-level cache: accumulation into a buffer."""
    a, b, out = np.ones(1024), np.ones(1024), np.zeros(1024)
    return 1024 * 2000 / _best(lambda: _multiplications(2000, a, b, out))


@cache
def write_rate() -> float:
    """Bytes a second written to memory that is there already."""
    out = np.zeros(8_000_000)
    return out.nbytes / _best(lambda: out.fill(1.0))


def bound(ours: float, limit: float, what: str) -> str:
    """ "1.6× (exp)": how many times the limit ours takes, both in seconds, and what limits."""
    return f"{ours / limit:.1f}× ({what})"
