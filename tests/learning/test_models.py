"""Models: they find what is there, whichever way it is solved, and say what they do not know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.learning import models
from qmlstudio.learning._threads import blas_threads
from qmlstudio.learning.kernels import Gaussian, Laplacian, Linear, Matern, Sum
from qmlstudio.learning.kernels.local import LocalAverage, LocalSum
from qmlstudio.learning.models import (
    Composition,
    GaussianProcess,
    KernelRidge,
    LinearRidge,
    MeanModel,
    NearestNeighbors,
    RandomForest,
    TooLargeError,
    cholesky,
    plan,
)
from qmlstudio.learning.models.cholesky import PANEL, Cholesky, NotPositiveError
from qmlstudio.learning.models.gaussian_process import log_likelihood, rescaled, width_slope
from qmlstudio.learning.models.kernel_model import is_extensive
from qmlstudio.learning.models.plans import Rates
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress


def smooth(n: int, d: int = 4, seed: int = 0) -> tuple[Rows, Any]:
    """Rows and two smooth functions of them."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    return Rows(x), np.stack([np.sin(x[:, 0]) + 0.5 * x[:, 1] ** 2, 3.0 + np.cos(x[:, -1])], axis=1)


def positive(n: int, seed: int = 0) -> Any:
    x = np.random.default_rng(seed).normal(size=(n, n))
    return x @ x.T / n + np.eye(n)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """BLAS's threads wait for each other by spinning, which small matrices do not deserve."""
    with blas_threads(1):
        yield


# -- Cholesky


@pytest.mark.parametrize("n", [0, 1, 7, PANEL, 2 * PANEL + 13])
def test_factor_solves_and_leaves_one_triangle(n: int) -> None:
    matrix, right = positive(n), np.random.default_rng(1).normal(size=(3, n))
    own = matrix.copy()
    factor = Cholesky(own, 0.5)
    ridged = matrix + 0.5 * np.eye(n)
    np.testing.assert_allclose(factor.solve(right) @ ridged, right, atol=1e-10)
    np.testing.assert_allclose(factor.inverse_diagonal(), np.diag(np.linalg.inv(ridged)), rtol=1e-10)
    np.testing.assert_allclose(factor.log_determinant, np.linalg.slogdet(ridged)[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(factor.times(right), right @ matrix, atol=1e-10)
    np.testing.assert_array_equal(np.tril(own, -1), np.tril(matrix, -1))
    assert factor.added == 0.0


def test_factor_of_a_singular_matrix_is_mended_and_says_so() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    matrix = rows @ rows.T
    factor = Cholesky(matrix.copy())
    assert 0.0 < factor.added < 1e-9
    np.testing.assert_allclose(factor.blocks.matrix.diagonal() > 0, True)


def test_factor_of_an_indefinite_matrix_is_refused_and_restored() -> None:
    matrix = positive(700)
    matrix[600, 600] = -1.0
    own = matrix.copy()
    with pytest.raises(NotPositiveError, match="larger λ"):
        Cholesky(own)
    np.testing.assert_array_equal(own, 0.5 * (matrix + matrix.T))


def test_factor_hears_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cholesky, "_ASK_SECONDS", 0.0)
    calls = []

    def stop() -> bool:
        calls.append(0)
        return len(calls) > 3

    with pytest.raises(Cancelled):
        Cholesky(positive(1200), 0.1, Progress(is_cancelled=stop))
    assert len(calls) == 4


# -- kernel ridge regression


def test_kernel_ridge_is_the_formula() -> None:
    rows, y = smooth(60)
    spec = KernelRidge(kernel=Gaussian(sigma=2.0), lambda_=1e-3)
    fitted = spec.fit(rows, y)
    k = Gaussian(sigma=2.0).matrix(rows)
    weights = np.linalg.solve(k + 1e-3 * np.eye(60), y - y.mean(axis=0))
    np.testing.assert_allclose(fitted.weights, weights, rtol=1e-8, atol=1e-8)
    other, _ = smooth(11, seed=5)
    across = Gaussian(sigma=2.0).matrix(other, rows)
    found = fitted.predict(other)
    np.testing.assert_allclose(found.values, across @ weights + y.mean(axis=0), rtol=1e-9)
    for target in (0, 1):
        parts = fitted.contributions(other, 4, target)
        assert fitted.mean[target] + parts.sum() == pytest.approx(found.values[4, target], abs=1e-10)
    np.testing.assert_allclose(found.distance, np.sqrt((2.0 - 2.0 * across).min(axis=1)), atol=1e-9)


def test_limits_of_the_regularisation() -> None:
    rows, y = smooth(40)
    exact = KernelRidge(kernel=Laplacian(), lambda_=0.0).fit(rows, y)
    assert np.abs(exact.predict(rows).values - y).max() < 1e-6
    flat = KernelRidge(kernel=Laplacian(), lambda_=1e10).fit(rows, y)
    np.testing.assert_allclose(flat.predict(rows).values, np.broadcast_to(y.mean(axis=0), y.shape), atol=1e-6)


def test_automatic_width_is_that_of_the_training_rows() -> None:
    rows, y = smooth(50)
    fitted = KernelRidge().fit(rows, y[:, 0])
    assert fitted.kernel == Gaussian().fitted(rows)
    assert fitted.spec.lambda_ == KernelRidge().lambda_


@pytest.mark.parametrize("values", [{"solver": "pcg", "storage": s} for s in ("memory", "disk", "none")])
def test_iterative_solver_reaches_the_exact_answer(values: dict[str, str]) -> None:
    rows, y = smooth(400)
    # a matrix in single precision is another one by 6e-8
    loose = values["storage"] == "disk"
    spec = KernelRidge(kernel=Gaussian(sigma=1.5), lambda_=1e-4 if loose else 1e-6)
    other, _ = smooth(50, seed=3)
    exact = spec.fit(rows, y)
    found = replace(spec, **values, landmarks=150, tolerance=1e-8).fit(rows, y)
    assert found.method == "pcg"
    assert "steps of conjugate gradients" in found.notes[0]
    assert not any("not converged" in note for note in found.notes)
    np.testing.assert_allclose(found.predict(other).values, exact.predict(other).values, atol=2e-3 if loose else 2e-5)
    assert found.domain == pytest.approx(exact.domain, abs=1e-3)


def test_iterative_solver_that_does_not_converge_says_so() -> None:
    rows, y = smooth(200)
    spec = KernelRidge(kernel=Gaussian(sigma=1.0), lambda_=1e-9, solver="pcg", landmarks=5, max_iterations=3)
    assert any("not converged" in note for note in spec.fit(rows, y).notes)


def test_landmarks_approach_the_exact_answer() -> None:
    rows, y = smooth(300)
    other, truth = smooth(100, seed=3)
    spec = KernelRidge(kernel=Gaussian(sigma=2.0), lambda_=1e-6)
    exact = spec.fit(rows, y).predict(other).values
    all_of_them = replace(spec, solver="nystroem", landmarks=300).fit(rows, y)
    np.testing.assert_allclose(all_of_them.predict(other).values, exact, atol=1e-5)
    errors = []
    for count in (10, 50, 150):
        fitted = replace(spec, solver="nystroem", landmarks=count).fit(rows, y)
        assert len(fitted.weights) == len(fitted.train_rows) == count
        np.testing.assert_array_equal(fitted.train_rows.array, rows.array[fitted.train_indices])
        errors.append(np.abs(fitted.predict(other).values - truth).mean())
    assert errors[0] > 2 * errors[1] > 2 * errors[2]


def test_single_precision_is_refined() -> None:
    rows, y = smooth(300)
    spec = KernelRidge(kernel=Laplacian(sigma=4.0), lambda_=1e-4)
    other, _ = smooth(50, seed=3)
    exact, single = (replace(spec, precision=p).fit(rows, y).predict(other).values for p in ("float64", "float32"))
    assert np.abs(exact - single).max() < 3e-4 * np.abs(y).max()
    assert not np.array_equal(exact, single)


def local_rows(n: int, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    counts = random.integers(1, 5, n)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    numbers = random.choice(np.array([1, 6], dtype=np.uint8), offsets[-1])
    return Rows(random.normal(size=(int(offsets[-1]), 3)), offsets, numbers, counts.astype(np.int64))


def test_sums_over_atoms_stay_extensive() -> None:
    rows = local_rows(60)
    y = np.add.reduceat(rows.array[:, 0] + 2.0, rows.offsets[:-1])
    fitted = KernelRidge(kernel=LocalSum(sigma=3.0), lambda_=1e-6).fit(rows, y)
    assert not fitted.mean.any()
    pair = Rows(
        np.vstack([rows.array[: rows.offsets[2]]] * 1),
        np.array([0, rows.offsets[2]], dtype=np.int64),
        rows.numbers[: rows.offsets[2]],
    )
    both, apart = fitted.predict(pair).values[0, 0], fitted.predict(rows.take([0, 1])).values.sum()
    assert both == pytest.approx(apart, abs=1e-9)
    assert is_extensive(LocalSum())
    assert is_extensive(Sum(kernels=(LocalSum(), LocalSum(sigma=1.0))))
    assert not is_extensive(LocalAverage())
    assert not is_extensive(Gaussian())


def test_kernels_are_told_rows_that_they_can_compare() -> None:
    with pytest.raises(ValueError, match="whole structures"):
        KernelRidge(kernel=Gaussian(sigma=1.0)).fit(local_rows(5), np.zeros(5))
    with pytest.raises(ValueError, match="row for each atom"):
        KernelRidge(kernel=LocalSum(sigma=1.0)).fit(smooth(5)[0], np.zeros(5))
    fitted = KernelRidge(kernel=Gaussian(sigma=1.0)).fit(*smooth(5))
    with pytest.raises(ValueError, match="3 columns"):
        fitted.predict(smooth(2, 3)[0])


def test_targets_and_features_that_are_none() -> None:
    rows, y = smooth(10)
    for spec in (KernelRidge(), MeanModel(), NearestNeighbors(), LinearRidge()):
        with pytest.raises(ValueError, match="structure 4"):
            spec.fit(rows, np.where(np.arange(10) == 3, np.nan, y[:, 0]))
        with pytest.raises(ValueError, match="10 structures"):
            spec.fit(rows, y[:4])
        with pytest.raises(ValueError, match="no structure"):
            spec.fit(rows.take([]), y[:0])
    bad = rows.array.copy()
    bad[6, 1] = np.inf
    for spec in (KernelRidge(), NearestNeighbors(), LinearRidge(), RandomForest(), GaussianProcess()):
        with pytest.raises(ValueError, match="structure 7"):
            spec.fit(Rows(bad), y)


ALL = (
    KernelRidge(),
    GaussianProcess(steps=5),
    LinearRidge(),
    RandomForest(trees=5),
    NearestNeighbors(),
    Composition(),
    MeanModel(),
)


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_few_equal_or_constant_structures_are_legal(spec: Any) -> None:
    one = Rows(np.array([[1.0, 2.0]]))
    found = spec.fit(one, np.array([3.0])).predict(one)
    assert found.values.shape == (1, 1)
    assert found.values[0, 0] == pytest.approx(3.0, rel=1e-5)
    same = Rows(np.ones((6, 2)))
    fitted = spec.fit(same, np.arange(6.0))
    assert fitted.predict(same).values == pytest.approx(2.5, abs=0.7)
    found = fitted.predict(Rows(np.empty((0, 2))), deviation=True)
    assert found.values.shape == (0, 1)
    constant = spec.fit(smooth(20, 2)[0], np.full(20, 7.0)).predict(smooth(20, 2)[0], deviation=True)
    if spec.name != "composition":
        np.testing.assert_allclose(constant.values, 7.0, rtol=1e-6)
    if constant.deviation is not None:
        assert np.isfinite(constant.deviation).all()


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.name)
def test_descriptions_come_back(spec: Any) -> None:
    assert models.from_dict(spec.to_dict()) == spec
    assert hash(models.from_dict(spec.to_dict())) == hash(spec)


def test_descriptions_of_nested_kernels() -> None:
    spec = KernelRidge(kernel=Sum(kernels=(Gaussian(sigma=1.0), Laplacian())), lambda_=0.5)
    assert models.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="no parameter"):
        models.from_dict(spec.to_dict() | {"sigma": 3})
    atoms = models.get("atomic_kernel_ridge")()
    assert models.from_dict(atoms.to_dict()) == atoms
    with pytest.raises(ValueError, match="no model"):
        models.from_dict({"name": "oracle"})


# -- the domain


def test_outside_the_domain_is_seen() -> None:
    rows, y = smooth(200)
    far = Rows(rows.array[:20] + 8.0)
    for spec in (
        KernelRidge(kernel=Gaussian(sigma=3.0)),
        KernelRidge(kernel=Linear(), lambda_=1e-2),
        KernelRidge(kernel=Gaussian(sigma=3.0), solver="nystroem", landmarks=100),
        LinearRidge(),
        NearestNeighbors(),
        RandomForest(trees=3),
    ):
        fitted = spec.fit(rows, y)
        assert fitted.domain is not None
        assert (fitted.predict(far).distance > fitted.domain).all()
        own, _ = smooth(200, seed=9)
        assert (fitted.predict(own).distance > fitted.domain).mean() < 0.25
        assert (fitted.predict(own).distance > 0).all()


def test_domain_is_the_quantile_of_the_others() -> None:
    rows, y = smooth(80)
    kernel = Matern(sigma=2.0)
    k = kernel.matrix(rows)
    d = np.sqrt(np.maximum(2.0 - 2.0 * k, 0.0))
    np.fill_diagonal(d, np.inf)
    expected = np.quantile(d.min(axis=1), 0.95)
    assert KernelRidge(kernel=kernel).fit(rows, y).domain == pytest.approx(expected, rel=1e-9)
    k = Linear().matrix(rows)
    d = np.sqrt(np.maximum(np.diag(k)[:, None] + np.diag(k) - 2.0 * k, 0.0))
    np.fill_diagonal(d, np.inf)
    expected = np.quantile(d.min(axis=1), 0.95)
    assert KernelRidge(kernel=Linear(), lambda_=1.0).fit(rows, y).domain == pytest.approx(expected, rel=1e-6)


# -- Gaussian processes


def test_likelihood_and_its_slopes() -> None:
    rows, y = smooth(40)
    y = np.ascontiguousarray((y - y.mean(axis=0)).T)

    def value(logs: Any, kernel: Any) -> float:
        scaled = rescaled(kernel, float(np.exp(logs[2])))
        return log_likelihood(scaled.matrix(rows), y, *np.exp(logs[:2]))[0]

    for kernel in (Gaussian(sigma=2.0), Laplacian(sigma=5.0)):
        logs = np.log([1.3, 0.2, 1.1])
        matrix = rescaled(kernel, 1.1).matrix(rows)
        found, gradient = log_likelihood(matrix, y, 1.3, 0.2, (width_slope(kernel, matrix),))
        covariance = 1.3**2 * matrix + 0.2**2 * np.eye(40)
        expected = -0.5 * np.einsum("ti,ij,tj", y, np.linalg.inv(covariance), y)
        expected -= 2 * (0.5 * np.linalg.slogdet(covariance)[1] + 20 * np.log(2 * np.pi))
        assert found == pytest.approx(expected, rel=1e-10)
        for k in range(3):
            step = np.eye(3)[k] * 1e-5
            numeric = (value(logs + step, kernel) - value(logs - step, kernel)) / 2e-5
            assert gradient[k] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_gaussian_process_is_ridge_regression_with_variance() -> None:
    rows, y = smooth(50)
    y = y[:, :1]
    kernel = Gaussian(sigma=2.0)
    spec = GaussianProcess(kernel=kernel, amplitude=1.5, noise=0.1, optimise=False)
    fitted = spec.fit(rows, y)
    other, _ = smooth(20, seed=4)
    found = fitted.predict(other, deviation=True)
    ridge = KernelRidge(kernel=kernel, lambda_=(0.1 / 1.5) ** 2).fit(rows, y).predict(other)
    np.testing.assert_allclose(found.values, ridge.values, rtol=1e-8)
    np.testing.assert_allclose(found.distance, ridge.distance, atol=1e-9)
    covariance = 1.5**2 * kernel.matrix(rows) + 0.01 * np.eye(50)
    across = 1.5**2 * kernel.matrix(other, rows)
    variance = 1.5**2 - np.einsum("ij,jk,ik->i", across, np.linalg.inv(covariance), across) + 0.01
    np.testing.assert_allclose(found.deviation[:, 0], np.sqrt(variance) * y.std(), rtol=1e-8)


def test_deviation_vanishes_at_the_training_set_and_grows_away_from_it() -> None:
    rows, y = smooth(60, 2)
    fitted = GaussianProcess(kernel=Gaussian(sigma=1.0), noise=1e-6, amplitude=1.0, optimise=False).fit(rows, y)
    at, far = (fitted.predict(r, deviation=True).deviation for r in (rows, Rows(rows.array + 20.0)))
    assert at.max() < 1e-2 * y.std(axis=0).max()
    np.testing.assert_allclose(far, np.broadcast_to(y.std(axis=0), far.shape), rtol=1e-6)


def test_likelihood_finds_width_and_noise() -> None:
    rows = Rows(np.random.default_rng(0).uniform(-3, 3, (150, 1)))
    y = np.sin(rows.array[:, 0]) + 0.1 * np.random.default_rng(1).normal(size=150)
    fitted = GaussianProcess(kernel=Gaussian(sigma=20.0), noise=0.5).fit(rows, y)
    assert fitted.spec.noise * y.std() == pytest.approx(0.1, rel=0.25)
    assert 0.7 < fitted.kernel.sigma < 4.0
    grid = Rows(np.linspace(-3, 3, 50)[:, None])
    found = fitted.predict(grid, deviation=True)
    assert np.abs(found.values[:, 0] - np.sin(grid.array[:, 0])).max() < 0.12
    assert any("likelihood" in note for note in fitted.notes)


@pytest.mark.parametrize("kernel", [LocalSum(sigma=2.0), Matern(order="5/2")], ids=lambda k: k.name)
def test_likelihood_of_kernels_without_a_closed_slope(kernel: Any) -> None:
    rows = local_rows(40) if kernel.scope == "local" else smooth(40)[0]
    y = np.add.reduceat(np.sin(rows.array[:, 0]), rows.offsets[:-1]) if rows.is_local else np.sin(rows.array[:, 0])
    start = GaussianProcess(kernel=kernel, steps=10)
    fitted = start.fit(rows, y)
    assert fitted.kernel.sigma != start.kernel.fitted(rows).sigma
    assert np.abs(fitted.predict(rows).values[:, 0] - y).mean() < 0.3 * y.std()


def test_leave_one_out_equals_leaving_one_out() -> None:
    rows, y = smooth(25)
    spec = GaussianProcess(kernel=Gaussian(sigma=2.0), amplitude=1.0, noise=0.05, optimise=False, centre=False)
    fitted = spec.fit(rows, y)
    found = fitted.leave_one_out(y)
    for i in (0, 13):
        kept = np.delete(np.arange(25), i)
        ridge = KernelRidge(kernel=spec.kernel, lambda_=0.05**2, centre=False).fit(rows.take(kept), y[kept])
        np.testing.assert_allclose(found.values[i], ridge.predict(rows.take([i])).values[0], rtol=1e-8)
        own = replace(spec).fit(rows.take(kept), y[kept])
        deviation = own.predict(rows.take([i]), deviation=True).deviation[0] / own.scale * fitted.scale
        np.testing.assert_allclose(found.deviation[i], deviation, rtol=1e-8)


def test_gaussian_process_of_landmarks() -> None:
    rows, y = smooth(120)
    spec = GaussianProcess(kernel=Gaussian(sigma=2.0), amplitude=1.0, noise=0.1, optimise=False)
    other, _ = smooth(30, seed=3)
    exact = spec.fit(rows, y).predict(other, deviation=True)
    landmarks = replace(spec, solver="nystroem", landmarks=120).fit(rows, y).predict(other, deviation=True)
    np.testing.assert_allclose(landmarks.values, exact.values, atol=1e-6)
    np.testing.assert_allclose(landmarks.deviation, exact.deviation, atol=1e-6)
    with pytest.raises(ValueError, match="choose exact or nystroem"):
        replace(spec, solver="pcg").fit(rows, y)


# -- plans

FAST = Rates(1e8, 1e11)


def test_plan_is_exact_while_it_fits() -> None:
    rows, y = smooth(300)
    found = plan(KernelRidge(), rows, 2, 2**30, rates=FAST)
    assert (found.method, found.fits) == ("exact", True)
    assert found.bytes > 300 * 300 * 8
    assert "300 structures" in found.text
    assert "MB" in found.text
    assert {p.method for p in found.alternatives} == {"pcg", "nystroem"}
    assert found.spec.fit(rows, y).method == "exact"


def test_plan_of_large_sets_says_what_else_would_do() -> None:
    rows = Rows(np.zeros((200_000, 2)))
    wished = KernelRidge(solver="exact")
    found = plan(wished, rows, 1, 8 * 2**30, rates=FAST)
    assert not found.fits
    assert found.bytes > 300e9
    assert "8 GB" in found.text or "8,192 MB" in found.text
    assert "Instead" in found.text
    assert found.cheaper is not None
    assert found.cheaper.fits
    automatic = plan(KernelRidge(), rows, 1, 8 * 2**30, rates=FAST)
    assert automatic.method in ("pcg", "nystroem")
    assert automatic.fits
    with pytest.raises(TooLargeError, match=r"Instead: Iterative"):
        wished.fit(rows, np.zeros(200_000), memory_budget=8 * 2**30)


def test_budget_decides_how_it_is_solved() -> None:
    rows, y = smooth(3000, 2)
    fitted = KernelRidge(kernel=Gaussian(sigma=1.0), lambda_=1e-4, landmarks=200).fit(rows, y, memory_budget=95 * 2**20)
    assert fitted.method == "pcg"
    assert np.abs(fitted.predict(rows).values - y).mean() < 0.01
    assert plan(MeanModel(), rows).fits


def test_measured_plan_knows_seconds() -> None:
    rows, _ = smooth(500)
    found = plan(KernelRidge(), rows)
    assert 0.0 < found.seconds < 60.0
    assert all(np.isfinite(p.seconds) for p in found.alternatives)


def test_fit_is_cancelled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cholesky, "_ASK_SECONDS", 0.0)
    rows, y = smooth(1500, 50)
    fitted = KernelRidge(kernel=Gaussian(sigma=5.0))
    fitted.fit(rows.take(slice(0, 50)), y[:50])
    asked: list[float] = []

    def cancel() -> bool:
        asked.append(time.perf_counter())
        return len(asked) > 12

    with pytest.raises(Cancelled):
        fitted.fit(rows, y, Progress(is_cancelled=cancel))
    assert len(asked) == 13
