"""Kernels of two rows against their definitions, nested, in blocks, cancelled, and on degenerate rows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from qmlstudio.learning import kernels
from qmlstudio.learning.kernels import (
    Cosine,
    Gaussian,
    Kernel,
    Laplacian,
    Linear,
    Matern,
    Normalised,
    Polynomial,
    Product,
    RationalQuadratic,
    Sum,
    Tanimoto,
    Wasserstein,
    distance_matrix,
    median_distance,
)
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress

N, M, D = 300, 70, 37


def features(n: int = N, d: int = D, seed: int = 0) -> np.ndarray:
    """Rows that decay as sorted Coulomb matrices do, far from the origin, not negative."""
    rng = np.random.default_rng(seed)
    return np.abs(30.0 + rng.standard_normal((n, d)) * 6.0 * 0.9 ** np.arange(d))


def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cdist(x, y, "sqeuclidean")


def city(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cdist(x, y, "cityblock")


def lower(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.minimum(x[:, None], y).sum(axis=2) / np.maximum(x[:, None], y).sum(axis=2)


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1.0 - cdist(x, y, "cosine")


SIGMA = 17.0
ROOT = [math.sqrt(k) / SIGMA for k in (1, 3, 5)]
DEFINITIONS: dict[str, tuple[Kernel, Any]] = {
    "gaussian": (Gaussian(sigma=SIGMA), lambda x, y: np.exp(-squares(x, y) / (2 * SIGMA**2))),
    "laplacian": (Laplacian(sigma=90.0), lambda x, y: np.exp(-city(x, y) / 90.0)),
    "matern 1/2": (Matern(sigma=SIGMA, order="1/2"), lambda x, y: np.exp(-ROOT[0] * cdist(x, y))),
    "matern 3/2": (
        Matern(sigma=SIGMA, order="3/2"),
        lambda x, y: (1 + ROOT[1] * cdist(x, y)) * np.exp(-ROOT[1] * cdist(x, y)),
    ),
    "matern 5/2": (
        Matern(sigma=SIGMA, order="5/2"),
        lambda x, y: (1 + ROOT[2] * cdist(x, y) + (ROOT[2] * cdist(x, y)) ** 2 / 3) * np.exp(-ROOT[2] * cdist(x, y)),
    ),
    "rational quadratic": (
        RationalQuadratic(sigma=SIGMA, alpha=1.7),
        lambda x, y: (1 + squares(x, y) / (2 * 1.7 * SIGMA**2)) ** -1.7,
    ),
    "wasserstein 1": (
        Wasserstein(sigma=0.8),
        lambda x, y: np.exp(-city(np.sort(x), np.sort(y)) / x.shape[1] / 0.8),
    ),
    "wasserstein 2": (
        Wasserstein(sigma=0.8, p=2, q=1.5),
        lambda x, y: np.exp(-((squares(np.sort(x), np.sort(y)) / x.shape[1]) ** 0.75) / 0.8),
    ),
    "linear": (Linear(), lambda x, y: x @ y.T),
    "polynomial": (Polynomial(sigma=150.0, degree=3, offset=0.5), lambda x, y: (x @ y.T / 150.0**2 + 0.5) ** 3),
    "cosine": (Cosine(), cosine),
    "tanimoto": (
        Tanimoto(),
        lambda x, y: x @ y.T / ((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - x @ y.T),
    ),
    "tanimoto of counts": (Tanimoto(counts="smaller"), lower),
    "several scales": (
        Sum(kernels=(Gaussian(sigma=5.0), Gaussian(sigma=50.0), Laplacian(sigma=90.0)), weights=(0.5, 1.0, 2.0)),
        lambda x, y: (
            0.5 * np.exp(-squares(x, y) / 50.0) + np.exp(-squares(x, y) / 5000.0) + 2.0 * np.exp(-city(x, y) / 90.0)
        ),
    ),
    "product": (
        Product(kernels=(Linear(), Sum(kernels=(Cosine(), Gaussian(sigma=9.0))), Cosine())),
        lambda x, y: x @ y.T * (cosine(x, y) + np.exp(-squares(x, y) / 162.0)) * cosine(x, y),
    ),
    "normalised": (Normalised(kernel=Linear()), cosine),
    "normalised sum": (
        Sum(kernels=(Normalised(kernel=Sum(kernels=(Linear(), Linear()))), Gaussian(sigma=9.0))),
        lambda x, y: cosine(x, y) + np.exp(-squares(x, y) / 162.0),
    ),
}
NAMES = list(DEFINITIONS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [1, 2])
def test_equals_its_definition(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.learning.kernels import _tiles

    if threads == 2:
        # several panels on either side, and threads for however little
        monkeypatch.setattr(_tiles, "SMALL", 0)
        monkeypatch.setattr(_tiles, "TILE", 64)
        monkeypatch.setattr(_tiles, "PANEL_BYTES", 1)
    kernel, definition = DEFINITIONS[name]
    x, y = features(), features(M, seed=1)
    expected = definition(x, x)
    found = kernel.matrix(Rows(x), threads=threads)
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() < 1e-12 * scale
    assert np.array_equal(found, found.T)
    own = kernel.diagonal(Rows(x))
    assert np.array_equal(found.diagonal(), own)
    assert np.abs(own - expected.diagonal()).max() < 1e-12 * scale
    values = np.linalg.eigvalsh(found[:90, :90])
    assert values[0] > -1e-10 * values[-1]
    rectangle = definition(x, y)
    assert np.abs(kernel.matrix(Rows(x), Rows(y), threads=threads) - rectangle).max() < 1e-12 * scale
    assert np.abs(kernel.matrix(Rows(y), Rows(x), threads=threads) - rectangle.T).max() < 1e-12 * scale


@pytest.mark.parametrize("name", NAMES)
def test_single_precision(name: str) -> None:
    kernel, definition = DEFINITIONS[name]
    x = features()
    found = kernel.matrix(Rows(x), dtype=np.float32)
    expected = definition(x, x)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    # the arithmetic is that of the output, not of the rows
    single = Rows(x.astype(np.float32))
    double = definition(x.astype(np.float32).astype(float), x.astype(np.float32).astype(float))
    assert np.abs(kernel.matrix(single) - double).max() < 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("name", NAMES)
def test_blocks_and_memory_maps(name: str, tmp_path: Path) -> None:
    kernel, _ = DEFINITIONS[name]
    x, y = features(), features(M, seed=1)
    whole = kernel.matrix(Rows(x), Rows(y))
    scale = np.abs(whole).max()
    stops = []
    for start, stop, block in kernel.blocks(Rows(x), Rows(y), block_bytes=8 * M * 40):
        assert np.abs(block - whole[start:stop]).max() < 1e-13 * scale
        stops.append(stop)
    assert stops == [*range(40, N, 40), N]
    out = np.lib.format.open_memmap(tmp_path / "k.npy", mode="w+", dtype=np.float64, shape=(N, M))
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float64, shape=x.shape)
    mapped[:] = x
    assert kernel.matrix(Rows(mapped), Rows(y), out=out) is out
    assert np.array_equal(out, whole)
    # a part of a larger matrix, turned
    larger = np.zeros((M + 3, N + 2))
    kernel.matrix(Rows(x), Rows(y), out=larger[1 : M + 1, 1 : N + 1].T)
    assert np.array_equal(larger[1 : M + 1, 1 : N + 1].T, whole)
    assert not larger[0].any()
    assert not larger[-2:].any()


@pytest.mark.parametrize("kind", kernels.DISTANCES)
def test_distances_are_shared_by_scales(kind: str) -> None:
    x, y = features(), features(M, seed=1)
    sort = kind.startswith("w")
    a, b = (np.sort(x), np.sort(y)) if sort else (x, y)
    expected = (squares if kind.endswith("sq") else city)(a, b) / (D if sort else 1)
    found = distance_matrix(kind, Rows(x), Rows(y))
    assert np.abs(found / expected - 1.0).max() < 1e-11
    of_kind = [k for k, _ in DEFINITIONS.values() if isinstance(k, kernels.PairwiseKernel) and k.distance_kind == kind]
    assert of_kind
    for kernel in of_kind:
        for factor in (0.5, 2.0):
            scaled = kernel.scaled(factor)
            before = found.copy()
            matrix = scaled.from_distances(found, threads=2)
            assert np.abs(matrix - scaled.matrix(Rows(x), Rows(y))).max() < 1e-13
            assert np.array_equal(found, before)
            scaled.from_distances(before, out=before)
            assert np.array_equal(before, matrix)
    assert not distance_matrix(kind, Rows(x)).diagonal().any()


def test_sums_of_one_kind_know_their_distance() -> None:
    several = Sum(kernels=(Gaussian(sigma=5.0), Product(kernels=(Gaussian(sigma=9.0), Matern(sigma=50.0)))))
    assert several.distance_kind == "l2sq"
    x = Rows(features())
    found = several.from_distances(distance_matrix("l2sq", x))
    assert np.abs(found - several.matrix(x)).max() < 1e-13
    mixed = Sum(kernels=(Gaussian(sigma=5.0), Laplacian(sigma=9.0)))
    assert mixed.distance_kind is None
    with pytest.raises(ValueError, match="no function of one distance"):
        mixed.from_distances(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="no function of one distance"):
        Cosine().from_distances(np.zeros((2, 2)))


def test_close_rows_keep_their_figures() -> None:
    # two clusters a million apart, rows of each a millionth apart: products alone have nothing left of it
    x = np.zeros((64, 9))
    x[:, 0] = np.repeat([0.0, 1e6], 32)
    x[:, 1] = 1e-6 * np.arange(64)
    found = distance_matrix("l2sq", Rows(x), Rows(x.copy()))
    near = found[:32, :32]
    expected = squares(x[:32], x[:32])
    assert np.abs(near - expected).max() < 1e-9 * expected.max()
    exact = np.exp(-cdist(x[:32], x[:32]) / 3e-5)
    assert np.abs(Matern(sigma=3e-5, order="1/2").matrix(Rows(x))[:32, :32] - exact).max() < 1e-9
    # equal rows are equal, also when the matrix is not symmetric
    assert np.array_equal(Gaussian(sigma=1e-9).matrix(Rows(x), Rows(x.copy())), np.eye(64))


@pytest.mark.parametrize(
    ("kernel", "metric"),
    [(Gaussian(), "euclidean"), (Laplacian(), "cityblock"), (Matern(), "euclidean"), (Polynomial(), "euclidean")],
)
def test_automatic_scales_are_median_distances(kernel: Any, metric: Any) -> None:
    from scipy.spatial.distance import pdist

    x = features()
    assert not kernel.is_fitted
    fitted = kernel.fitted(Rows(x))
    assert fitted.sigma == pytest.approx(np.median(pdist(x, metric)), rel=1e-9)
    assert fitted.fitted(Rows(features(seed=5))) is fitted
    with pytest.raises(ValueError, match="fitted"):
        kernel.matrix(Rows(x))
    x[30:] = x[0]
    distances = pdist(x, metric)
    assert kernel.fitted(Rows(x)).sigma == pytest.approx(np.median(distances[distances > 0]), rel=1e-9)
    assert median_distance(Rows(np.ones((5, 3)))) == 1.0
    assert median_distance(Rows(np.ones((1, 3)))) == 1.0


def test_automatic_scales_of_samples_and_parts() -> None:
    x = Rows(features(1300, 3))
    assert median_distance(x, seed=1) != median_distance(x, seed=2)
    assert median_distance(x, seed=1) == pytest.approx(median_distance(x, seed=2), rel=0.05)
    nested = Normalised(kernel=Sum(kernels=(Gaussian(), Linear(), Laplacian(sigma=3.0))))
    fitted: Any = nested.fitted(x)
    assert fitted.kernel.kernels[0] == Gaussian().fitted(x)
    assert fitted.kernel.kernels[2] == Laplacian(sigma=3.0)
    assert fitted.is_fitted
    wide: Any = fitted.scaled(2.0)
    assert wide.kernel.kernels[2] == Laplacian(sigma=6.0)
    wasserstein = Wasserstein(p=2, q=1.0).fitted(x)
    assert wasserstein.sigma == pytest.approx(median_distance(x, "w2"))


@pytest.mark.parametrize("name", NAMES)
def test_dictionaries(name: str) -> None:
    kernel, _ = DEFINITIONS[name]
    again = kernels.from_dict(json.loads(json.dumps(kernel.to_dict())))
    assert again == kernel
    assert hash(again) == hash(kernel)


@pytest.mark.parametrize("name", list(kernels.REGISTRY))
def test_registry_entries_say_what_they_are(name: str) -> None:
    kernel = kernels.get(name)
    assert kernel.name == name
    assert kernel.title
    assert kernel.help
    assert kernel.formula
    assert kernel.reference


def test_what_cannot_be_is_refused() -> None:
    x = Rows(features())
    with pytest.raises(ValueError, match="no kernel 'cubic'"):
        kernels.from_dict({"name": "cubic"})
    with pytest.raises(ValueError, match="no parameter width"):
        kernels.from_dict({"name": "sum", "kernels": [{"name": "linear"}], "width": 1})
    with pytest.raises(ValueError, match="one kernel at least"):
        Sum(kernels=())
    with pytest.raises(ValueError, match="2 weights for 1 kernels"):
        Sum(kernels=(Linear(),), weights=(1.0, 2.0))
    with pytest.raises(ValueError, match="not negative"):
        Sum(kernels=(Linear(),), weights=(-1.0,))
    with pytest.raises(ValueError, match="above p = 1"):
        Wasserstein(p=1, q=2.0)
    with pytest.raises(ValueError, match="rows of 37 and of 5 features"):
        Linear().matrix(x, Rows(np.zeros((2, 5))))
    with pytest.raises(ValueError, match="expected float64 or float32"):
        Linear().matrix(x, out=np.zeros((N, N), dtype=np.int64))
    with pytest.raises(ValueError, match="expected \\(300, 300\\)"):
        Linear().matrix(x, out=np.zeros((N, M)))
    with pytest.raises(ValueError, match="no distance 'l7'"):
        distance_matrix("l7", x)
    with pytest.raises(ValueError, match="no counts"):
        Tanimoto(counts="smaller").matrix(Rows(-x.array))
    local = Rows(np.zeros((3, 2)), offsets=np.array([0, 1, 3]))
    for kernel in (Gaussian(sigma=1.0), Sum(kernels=(Linear(), Cosine()))):
        with pytest.raises(ValueError, match="one row of each structure"):
            kernel.matrix(local)


@pytest.mark.parametrize(
    "kernel", [Gaussian(sigma=1.0), Laplacian(sigma=1.0), Linear(), Tanimoto(), Wasserstein(sigma=1)]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_named(kernel: Kernel, bad: float) -> None:
    x = features()
    x[271, 5] = bad
    with pytest.raises(ValueError, match="row 271 "):
        kernel.matrix(Rows(features()), Rows(x))
    with pytest.raises(ValueError, match="row 271 "):
        kernel.matrix(Rows(x), Rows(features()))


def test_numbers_beyond_the_precision_are_named() -> None:
    x = features()
    x[3, 1] = 1e200
    with pytest.raises(ValueError, match=r"row 3 .* too large"):
        Gaussian(sigma=1.0).matrix(Rows(x))
    with pytest.raises(ValueError, match="row 3 "):
        Laplacian(sigma=1.0).matrix(Rows(x), dtype=np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_degenerate(name: str) -> None:
    kernel, _ = DEFINITIONS[name]
    is_one = isinstance(kernel, kernels.PairwiseKernel) and kernel.distance_kind is not None
    for shape in ((0, 5), (1, 5), (3, 1), (4, 0), (30, 7)):
        random = np.abs(np.random.default_rng(0).standard_normal(shape))
        for x in (random, np.full(shape, 2.5), np.zeros(shape)):
            for other in (None, Rows(x[:2].copy())):
                found = kernel.matrix(Rows(x), other)
                assert found.shape == (len(x), len(x if other is None else other.array))
                assert np.isfinite(found).all()
                if is_one and x is not random:
                    assert np.array_equal(found, np.ones_like(found))
            assert np.isfinite(kernel.diagonal(Rows(x))).all()
            assert list(kernel.blocks(Rows(x))) or not len(x)
            assert np.isfinite(Gaussian().fitted(Rows(x)).matrix(Rows(x))).all()


@pytest.mark.parametrize("kernel", [Gaussian(sigma=30.0), Laplacian(sigma=3000.0)])
def test_very_long_rows(kernel: Kernel) -> None:
    x, y = features(140, 16_500), features(3, 16_500, seed=1)
    d = squares(x, y) / 1800.0 if kernel.name == "gaussian" else city(x, y) / 3000.0
    assert np.abs(kernel.matrix(Rows(x), Rows(y)) - np.exp(-d)).max() < 1e-12


def local_rows(n: int, seed: int) -> Rows:
    """Structures of one to four atoms of two elements."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, n)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    total = int(offsets[-1])
    return Rows(rng.standard_normal((total, 6)), offsets, rng.choice([1, 6], total).astype(np.uint8), counts)


def test_parts_that_compare_atoms() -> None:
    first, second = kernels.LocalSum(sigma=2.0), kernels.LocalAverage(sigma=1.0)
    a, b = local_rows(40, 0), local_rows(9, 1)
    several = Sum(kernels=(first, Product(kernels=(first, second)), Normalised(kernel=first)), weights=(2.0, 1.0, 0.5))
    assert several.scope == "local"
    assert not several.is_pairwise
    assert several.memory(100) == 2 * first.memory(100)
    own = [first.diagonal(rows) for rows in (a, b)]
    for other, norms in ((None, np.outer(own[0], own[0])), (b, np.outer(own[0], own[1]))):
        k, average = first.matrix(a, other), second.matrix(a, other)
        expected = 2.0 * k + k * average + 0.5 * k / np.sqrt(norms)
        assert np.abs(several.matrix(a, other) - expected).max() < 1e-12 * np.abs(expected).max()
    assert np.abs(several.diagonal(a) - several.matrix(a).diagonal()).max() < 1e-12 * np.abs(expected).max()
    assert np.array_equal(Normalised(kernel=first).matrix(a).diagonal(), np.ones(40))
    starts = [(start, stop) for start, stop, _ in several.blocks(a, b, block_bytes=8 * 9 * 16)]
    assert starts == [(0, 16), (16, 32), (32, 40)]
    assert kernels.from_dict(several.to_dict()) == several
    with pytest.raises(ValueError, match="compares atoms"):
        several.matrix(Rows(features()))


def test_cancel_and_progress() -> None:
    x = Rows(features(1500))
    seen: list[float] = []
    Laplacian(sigma=90.0).matrix(x, progress=Progress(lambda f, m: seen.append(f), interval=0.0))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 3
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Cancelled):
        Laplacian(sigma=90.0).matrix(x, progress=Progress(is_cancelled=ask))
    assert asked == 4


def test_memory_is_said_beforehand() -> None:
    assert Gaussian().memory(1000) == 8_000_000
    assert Gaussian().memory(1000, 10, np.float32) == 40_000
    assert Sum(kernels=(Gaussian(), Linear())).memory(1000) == 8_000_000


@pytest.mark.parametrize("reach", [1e-30, 1e-3, 0.3, 30.0, 87.0])
def test_short_exponential(reach: float) -> None:
    from qmlstudio.learning.kernels._function_loops import exponential

    x = np.random.default_rng(1).uniform(-reach, 0.0, 5000).astype(np.float32)
    found = x.copy()
    exponential(found, np.float32(1.0))
    assert np.abs(found / np.exp(x.astype(float)) - 1.0).max() < 2.0 * np.finfo(np.float32).eps
    ends = np.array([0.0, -0.0, -87.5, -1e30, -np.inf, np.nan], dtype=np.float32)
    exponential(ends, np.float32(1.0))
    assert list(ends[:5]) == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert np.isnan(ends[5])
