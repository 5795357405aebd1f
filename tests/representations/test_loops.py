"""The compiled loops: lanes against plain Python, eigenvalues of nasty matrices, the sorting network, plans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmlstudio.representations import _bag_loops, _coulomb_loops, _drive, _eigen, _lanes, _simd

W = _simd.WIDTH


def lanes(matrices: Any) -> Any:
    """Lower triangles of (W, n, n) in lane order."""
    i, j = np.tril_indices(matrices.shape[1])
    return np.ascontiguousarray(matrices[:, i, j].T).ravel()


def eigenvalues(matrices: Any, plain: bool = False) -> Any:
    """(W, n) ascending."""
    n = matrices.shape[1]
    packed, d, e, p = lanes(matrices), np.zeros(n * W), np.zeros(n * W), np.zeros(n * W)
    reduce = _eigen.tridiagonalise.py_func if plain else _eigen.tridiagonalise
    iterate = _eigen.tridiagonal_eigenvalues.py_func if plain else _eigen.tridiagonal_eigenvalues
    reduce(n, packed, d, e, p)
    assert iterate(n, d, e)
    return np.sort(d.reshape(n, W).T, axis=1)


def nasty(kind: str, n: int) -> Any:
    """(W, n, n) symmetric matrices."""
    rng = np.random.default_rng(n)
    a = rng.normal(size=(W, n, n))
    a = a + a.transpose(0, 2, 1)
    if kind == "graded":
        scale = 10.0 ** rng.uniform(-4, 2, size=(W, n))
        a = a * scale[:, :, None] * scale[:, None, :]
    elif kind == "zero":
        a = 0 * a
    elif kind == "diagonal":
        a = np.eye(n) * rng.integers(0, 3, size=(W, n, 1))
    elif kind == "rank one":
        v = rng.normal(size=(W, n, 1))
        a = v @ v.transpose(0, 2, 1)
    elif kind == "all equal":
        a = np.ones((W, n, n))
    elif kind == "integers":
        a = np.round(a)
    elif kind == "weakly coupled ends":
        a = np.eye(n) + 0 * a
        a[:, 0, -1] = a[:, -1, 0] = 1e-9
    elif kind == "different in each lane":
        a[1], a[2], a[3] = 0, np.eye(n), 1
    return a


@pytest.mark.parametrize("n", [1, 2, 3, 7, 24, 60])
@pytest.mark.parametrize(
    "kind",
    [
        "random",
        "graded",
        "zero",
        "diagonal",
        "rank one",
        "all equal",
        "integers",
        "weakly coupled ends",
        "different in each lane",
    ],
)
def test_eigenvalues(kind: str, n: int) -> None:
    matrices = nasty(kind, n)
    exact = np.linalg.eigvalsh(matrices)
    assert (np.abs(eigenvalues(matrices) - exact).max(axis=1) <= 3e-14 * np.abs(exact).max(axis=1)).all()


def test_compiled_lanes_equal_plain_python() -> None:
    matrices = nasty("different in each lane", 9)
    np.testing.assert_allclose(eigenvalues(matrices, plain=True), eigenvalues(matrices), rtol=0, atol=1e-13)
    rng = np.random.default_rng(1)
    n = 6
    z, x, y, w = (rng.uniform(1, 9, n * W) for _ in range(4))
    results = []
    for call in (_lanes.interactions, _lanes.interactions.py_func):
        packed, bad = np.zeros(n * (n + 1) // 2 * W), np.zeros(W)
        call(n, 0.5, z, x, y, w, packed, bad)
        results.append(packed)
    np.testing.assert_allclose(*results, rtol=1e-14)
    for function, arguments in ((_coulomb_loops._sort, (True,)), (_bag_loops.sort_descending, ())):
        values = rng.normal(size=5 * W)
        plain = values.copy()
        function(5, values, *arguments)
        function.py_func(5, plain, *arguments)
        np.testing.assert_array_equal(values, plain)


@pytest.mark.parametrize("n", [*range(20), 31, 32, 33, 100, 129])
def test_sorting_network(n: int) -> None:
    values = np.random.default_rng(n).integers(0, max(n, 1), size=(n, W)).astype(float)
    buffer = values.ravel().copy()
    _bag_loops.sort_descending(n, buffer)
    np.testing.assert_array_equal(buffer.reshape(n, W), np.sort(values, axis=0)[::-1])


@pytest.mark.parametrize("strict", [True, False])
def test_plan_has_every_structure_once(strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lanes, "WINDOW", 100)
    keys = np.random.default_rng(0).integers(3, 9, 437)
    plan = _lanes.plan(keys, strict)
    assert sorted(plan.order) == list(range(437))
    chunks = [plan.order[a : a + n] for a, n in zip(plan.first, plan.count, strict=True)]
    assert sum(len(c) for c in chunks) == 437
    assert all(1 <= len(c) <= W for c in chunks)
    assert all(c.max() // 100 == c.min() // 100 for c in chunks)
    if strict:
        assert all(len(set(keys[c])) == 1 for c in chunks)
    assert len(_lanes.plan(keys[:0], strict).first) == 0


def test_scratch_is_aligned() -> None:
    for size in (0, 1, 1000):
        buffer = _drive.scratch(size)
        assert buffer.shape == (size,)
        assert size == 0 or buffer.ctypes.data % 64 == 0
