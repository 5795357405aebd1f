"""Kernel PCA against scikit-learn's, projected, cancelled, and on degenerate features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.metrics import pairwise

from qmlstudio.learning.embedding import MDS, PCA, KernelPCA
from qmlstudio.progress import Cancelled, Progress

KERNELS = ("linear", "polynomial", "gaussian", "laplacian", "cosine", "tanimoto")


def rows(n: int = 260, d: int = 12, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * 0.8 ** np.arange(d) + 0.7


def reference(method: KernelPCA, x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """The kernel by scikit-learn's functions, or by its definition where there is none."""
    if method.kernel == "linear":
        return pairwise.linear_kernel(x, y)
    if method.kernel == "polynomial":
        return pairwise.polynomial_kernel(x, y, degree=method.degree, gamma=1.0, coef0=method.offset)
    if method.kernel == "gaussian":
        return pairwise.rbf_kernel(x, y, gamma=0.5 / sigma**2)
    if method.kernel == "laplacian":
        return pairwise.laplacian_kernel(x, y, gamma=1.0 / sigma)
    if method.kernel == "cosine":
        return pairwise.cosine_similarity(x, y)
    products = x @ y.T
    return products / ((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - products)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("lanczos", [False, True])
def test_equals_sklearn(kernel: str, lanczos: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.learning import _kernel_matrix, _pca

    if lanczos:
        monkeypatch.setattr(_pca, "DENSE_LIMIT", 50)
        monkeypatch.setattr(_kernel_matrix, "tile_side", lambda d: 70)
    x, new = rows(), rows(9, seed=2)
    method = KernelPCA(kernel=kernel, sigma=2.5, degree=2, offset=0.5)
    found = method.neighbors(x)
    peer = decomposition.KernelPCA(n_components=10, kernel="precomputed", eigen_solver="dense")
    expected = peer.fit_transform(reference(method, x, x, 2.5))
    turn = np.sign(np.sum(found.components * expected, axis=0))
    scale = np.abs(expected).max()
    assert np.abs(found.components * turn - expected).max() < 1e-8 * scale
    centred = decomposition.KernelPCA(kernel="precomputed", eigen_solver="dense", remove_zero_eig=True)
    total = centred.fit(reference(method, x, x, 2.5)).eigenvalues_.sum()
    assert found.variance == pytest.approx(peer.eigenvalues_ / total, abs=1e-9)
    # new rows go where scikit-learn puts them, and known ones where they are
    assert found.basis is not None
    projected = found.basis.scores(new)
    assert np.abs(projected * turn - peer.transform(reference(method, new, x, 2.5))).max() < 1e-8 * scale
    assert np.abs(found.basis.scores(x) - found.components).max() < 1e-8 * scale


def test_linear_kernel_is_pca() -> None:
    x = rows().astype(np.float32)
    kernel, plain = KernelPCA(kernel="linear").neighbors(x), PCA().neighbors(x)
    turn = np.sign(np.sum(kernel.components * plain.components, axis=0))
    assert np.abs(kernel.components * turn - plain.components).max() < 1e-8
    assert kernel.variance == pytest.approx(plain.variance, abs=1e-10)


@pytest.mark.parametrize(("kernel", "metric"), [("gaussian", "euclidean"), ("laplacian", "cityblock")])
def test_automatic_width_is_the_median_distance(kernel: str, metric: Any) -> None:
    from scipy.spatial.distance import pdist

    x = rows()
    basis: Any = KernelPCA(kernel=kernel).neighbors(x).basis
    assert basis.kernel.sigma == pytest.approx(np.median(pdist(x, metric)), rel=1e-6)
    # most rows equal: the median would be nothing
    x[30:] = x[0]
    basis = KernelPCA(kernel=kernel).neighbors(x).basis
    distances = pdist(x, metric)
    assert basis.kernel.sigma == pytest.approx(np.median(distances[distances > 0]), rel=1e-6)


@pytest.mark.parametrize("method", [PCA(), KernelPCA(), MDS(kind="classical")])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_projection_is_exact(method: Any, dimensions: int) -> None:
    x = rows()
    method = method.with_values(n_components=dimensions)
    found = method.neighbors(x)
    points = method.layout(found).points
    assert points.shape == (len(x), dimensions)
    assert np.abs(method.project_linear(found, x[40:60]) - points[40:60]).max() < 1e-9
    assert method.project_linear(found, x[:0]).shape == (0, dimensions)


def test_axes_say_what_they_show() -> None:
    method = KernelPCA(n_components=3, component_x=2, component_z=4)
    found = method.neighbors(rows())
    map_ = method.layout(found)
    assert map_.axes == tuple(f"KPC {c} ({100 * found.variance[c - 1]:.1f} %)" for c in (2, 2, 4))
    assert np.array_equal(map_.points, found.components[:, [1, 1, 3]])


def test_too_many_rows_are_refused_with_their_need() -> None:
    x = np.zeros((20_001, 1), dtype=np.float32)
    with pytest.raises(ValueError, match=r"20,001 rows need 3\.0 GiB, and it takes 20,000 rows at most"):
        KernelPCA().neighbors(x)


def test_cancel() -> None:
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6

    with pytest.raises(Cancelled):
        KernelPCA().neighbors(rows(2500), Progress(is_cancelled=ask))
    assert asked == 7


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (2, 5), (3, 1), (12, 0), (30, 7)])
@pytest.mark.parametrize("kind", ["random", "constant", "zero"])
def test_degenerate(kernel: str, shape: tuple[int, int], kind: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    x = x if kind == "random" else np.full(shape, 2.5 if kind == "constant" else 0.0)
    for dimensions in (2, 3):
        method = KernelPCA(kernel=kernel, n_components=dimensions)
        found = method.neighbors(x)
        map_ = method.layout(found)
        assert map_.points.shape == (shape[0], dimensions)
        assert np.isfinite(map_.points).all()
        assert np.isfinite(found.variance).all()
        projected = method.project_linear(found, x)
        assert projected is not None
        assert np.abs(projected - map_.points).max(initial=0.0) < 1e-6
        if kind != "random":
            assert not map_.points.any()
