"""The choice of hyper-parameters: closed forms against explicit fits, and nothing but training structures seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation.controls import shuffled_labels
from qmlstudio.learning.evaluation.folds import HoldOut, KFold, LeaveOneOut, TrainOnly
from qmlstudio.learning.evaluation.grid import Grid, SearchResult, best_index
from qmlstudio.learning.evaluation.paths import (
    Spectrum,
    attended,
    effective_dimension,
    lambda_path,
    leave_one_out,
    log_likelihood,
)
from qmlstudio.learning.evaluation.search import scaled, search
from qmlstudio.learning.evaluation.splits import Split
from qmlstudio.learning.evaluation.tasks import Target, Task
from qmlstudio.learning.kernels import Gaussian, Laplacian, Linear, Normalised, Sum
from qmlstudio.learning.kernels.local import LocalSum
from qmlstudio.learning.models.baselines import MeanModel, NearestNeighbors
from qmlstudio.learning.models.kernel_ridge import KernelRidge
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress

LAMBDAS = np.array([1e-8, 1e-4, 1.0])


def problem(n: int = 80, d: int = 3, seed: int = 0) -> tuple[Rows, np.ndarray]:
    """Points and a smooth function of them with a little noise, far from zero."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return Rows(x), 100.0 + np.sin(x[:, 0]) + 0.5 * x[:, 1] ** 2 + rng.normal(scale=0.02, size=n)


def split_of(n: int, n_test: int) -> Split:
    order = np.random.default_rng(5).permutation(n)
    return Split(order[: n - n_test], order[n - n_test :])


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("decomposed", [True, False])
def test_the_path_is_that_of_direct_solves(centre: bool, decomposed: bool) -> None:
    rows, y = problem()
    both = np.stack([y, y**2], axis=1)
    kernel = Gaussian(sigma=1.5)
    inner, across = (
        kernel.matrix(rows.take(slice(0, 60))),
        kernel.matrix(rows.take(slice(60, 80)), rows.take(slice(60))),
    )
    found = lambda_path(Spectrum.of(inner) if decomposed else inner, across, both[:60], LAMBDAS, centre=centre)
    mean = both[:60].mean(axis=0) if centre else 0.0
    for k, ridge in enumerate(LAMBDAS):
        direct = across @ solve(inner + ridge * np.eye(60), both[:60] - mean, assume_a="pos") + mean
        np.testing.assert_allclose(found[k], direct, rtol=1e-8)


@pytest.mark.parametrize("centre", [True, False])
def test_leaving_one_out_in_closed_form_is_that_of_n_fits(centre: bool) -> None:
    rows, y = problem(25)
    both = np.stack([y, -3.0 * y + 1.0], axis=1)
    inner = Laplacian(sigma=4.0).matrix(rows)
    found = leave_one_out(Spectrum.of(inner), both, LAMBDAS, centre=centre)
    for k, ridge in enumerate(LAMBDAS):
        for i in range(25):
            rest = np.delete(np.arange(25), i)
            mean = both[rest].mean(axis=0) if centre else np.zeros(2)
            a = solve(inner[np.ix_(rest, rest)] + ridge * np.eye(24), both[rest] - mean)
            np.testing.assert_allclose(found[k, i], both[i] - (inner[i, rest] @ a + mean), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="at least two"):
        leave_one_out(Spectrum.of(np.eye(1)), y[:1], LAMBDAS)


def test_without_regularisation_the_data_are_met_and_with_all_of_it_the_mean() -> None:
    rows, y = problem(40)
    inner = Gaussian(sigma=1.0).matrix(rows)
    found = lambda_path(inner, inner, y, [1e-12, 1e12])
    assert np.abs(found[0, :, 0] - y).max() < 1e-6
    np.testing.assert_allclose(found[1, :, 0], y.mean(), rtol=1e-9)


def test_the_likelihood_is_that_of_the_normal_distribution() -> None:
    from scipy.stats import multivariate_normal

    rows, y = problem(30)
    inner = Gaussian(sigma=1.0).matrix(rows)
    found = log_likelihood(Spectrum.of(inner), y, [1e-3])[0, 0]
    centred, covariance = y - y.mean(), inner + 1e-3 * np.eye(30)
    size = centred @ np.linalg.solve(covariance, centred) / 30
    assert found == pytest.approx(multivariate_normal(np.zeros(30), size * covariance).logpdf(centred), rel=1e-7)
    for other in (0.9, 1.1):  # the scale is the best one
        assert multivariate_normal(np.zeros(30), other * size * covariance).logpdf(centred) < found
    assert effective_dimension(Spectrum.of(np.eye(30)), [1.0])[0] == pytest.approx(15.0)


def test_a_matrix_that_is_not_positive_definite_gives_no_numbers() -> None:
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])
    for given in (matrix, Spectrum.of(matrix)):
        found = lambda_path(given, matrix, np.array([1.0, 2.0]), [0.5, 5.0])
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()
    with pytest.raises(ValueError, match="not finite"):
        lambda_path(np.array([[np.nan]]), np.ones((1, 1)), np.ones(1), [1.0])
    # one structure, and none
    assert lambda_path(np.ones((1, 1)), np.ones((2, 1)), np.ones(1), [1.0], centre=False).tolist() == [[[0.5], [0.5]]]
    assert lambda_path(np.zeros((0, 0)), np.zeros((2, 0)), np.zeros(0), [1.0]).shape == (1, 2, 1)
    with pytest.raises(ValueError, match="not finite"):
        Spectrum.of(np.array([[np.nan]]))


def test_a_decomposition_is_left_alone_when_nobody_waits() -> None:
    import threading
    import time

    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()
    went_on = threading.Event()
    with pytest.raises(Cancelled):
        attended(lambda: went_on.wait(20.0), Progress(is_cancelled=cancelled.is_set))
    went_on.set()
    deadline = time.monotonic() + 5
    while any(t.name == "attended" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(ZeroDivisionError):
        attended(lambda: 1 / 0, Progress(is_cancelled=lambda: False))


@pytest.mark.parametrize("folds", [HoldOut(n_fit=30, n_validate=15), KFold(k=3, most=45)])
@pytest.mark.parametrize("kernel", [Gaussian(), Laplacian(sigma=2.0), Sum(kernels=(Gaussian(sigma=1.0), Linear()))])
def test_scores_are_those_of_the_models_themselves(folds: Any, kernel: Any) -> None:
    rows, y = problem()
    train = TrainOnly(split_of(80, 20))
    grid = Grid(factors=(0.5, 2.0), lambdas=(1e-6, 1e-2))
    found = search(KernelRidge(kernel=kernel), rows, y, grid, folds, train=train, threads=1)
    divided = folds.draw(train)
    used = np.unique(np.concatenate([np.concatenate(f) for f in divided]))
    base = kernel.fitted(rows.take(used))
    for s, factor in enumerate((0.5, 2.0)):
        for l, ridge in enumerate((1e-6, 1e-2)):
            errors = []
            for fit, judge in divided:
                wide = scaled(base, factor)
                size = wide.matrix(rows.take(fit)).diagonal().mean()
                model = KernelRidge(kernel=wide, lambda_=ridge * size).fit(rows.take(fit), y[fit], threads=1)
                errors.append(np.abs(model.predict(rows.take(judge), threads=1).values[:, 0] - y[judge]).mean())
            assert found.scores[0, s, l] == pytest.approx(np.mean(errors), rel=1e-6)
            if len(divided) > 1:
                assert found.spread[0, s, l] == pytest.approx(np.std(errors, ddof=1), rel=1e-5)
    assert found.done == 1.0
    assert found.index is not None
    v, s, l = found.index
    assert (v, found.best_score) == (0, found.scores[0, s, l])
    assert found.best_score <= found.scores.min() * 1.001
    best: Any = found.spec
    assert best.kernel == scaled(base, (0.5, 2.0)[s])
    assert best.lambda_ == pytest.approx((1e-6, 1e-2)[l] * found.diagonals[0, s])


def test_left_out_errors_judge_as_n_models_would() -> None:
    rows, y = problem(30)
    train = TrainOnly(split_of(30, 6))
    grid = Grid(factors=(1.0,), lambdas=(1e-3,))
    found = search(KernelRidge(kernel=Gaussian(sigma=1.3)), rows, y, grid, LeaveOneOut(), train=train)
    errors = []
    for i in train.rows:
        rest = train.rows[train.rows != i]
        model = KernelRidge(kernel=Gaussian(sigma=1.3), lambda_=1e-3).fit(rows.take(rest), y[rest], threads=1)
        errors.append(abs(model.predict(rows.take([i]), threads=1).values[0, 0] - y[i]))
    assert found.best_score == pytest.approx(np.mean(errors), rel=1e-6)
    assert (found.n_fit, found.n_validate, found.folds) == (23, 24, 1)


def local_problem(n: int = 40) -> tuple[Rows, Target]:
    """Molecules of hydrogen and carbon whose energy is a sum over their atoms."""
    rng = np.random.default_rng(1)
    numbers = [rng.choice([1, 6], rng.integers(2, 7)).astype(np.uint8) for _ in range(n)]
    structures = Structures.from_lists(numbers, [rng.normal(size=(len(z), 3)) for z in numbers])
    x = rng.normal(size=(len(structures.numbers), 2))
    atoms = np.sin(x[:, 0]) + structures.numbers
    energy = np.add.reduceat(atoms, structures.offsets[:-1])
    columns = {"E": Property(energy, unit="eV"), "half": Property(0.5 * energy, unit="eV")}
    rows = Rows(x, structures.offsets, structures.numbers, structures.sizes.astype(np.int64))
    return rows, Task(target="E", baseline="half", unit="kcal/mol").prepare(columns, structures)


def test_local_kernels_and_tasks() -> None:
    rows, target = local_problem()
    train = TrainOnly(split_of(40, 10))
    grid = Grid(factors=(1.0, 3.0), lambdas=(1e-8, 1e-4))
    folds = HoldOut(n_fit=20, n_validate=10)
    spec = KernelRidge(kernel=LocalSum(sigma=1.0))
    found = search(spec, rows, target, grid, folds, train=train, threads=1)
    assert found.unit == "kcal/mol"
    assert found.sigmas[0].tolist() == [1.0, 3.0]
    ((fit, judge),) = folds.draw(train)
    transform = target.transform(fit)
    best = found.spec.fit(rows.take(fit), transform.apply(fit), threads=1)
    predicted = transform.invert(best.predict(rows.take(judge), threads=1).values, judge)
    assert np.abs(predicted - target.truth(judge)).mean() == pytest.approx(found.best_score, rel=1e-5)
    # sums over atoms grow with the molecule: λ is told relative to that
    v, s, l = found.index or (0, 0, 0)
    assert found.diagonals[v, s] > 4.0
    assert getattr(found.spec, "lambda_") == pytest.approx(found.lambdas[l] * found.diagonals[v, s])  # noqa: B009


def test_what_the_test_holds_changes_nothing() -> None:
    rows, y = problem()
    split = split_of(80, 20)
    grid = Grid(sigma_count=3, lambda_low=-4, lambda_high=-2)
    before = search(KernelRidge(), rows, y, grid, HoldOut(), train=TrainOnly(split))
    x, other = rows.array.copy(), y.copy()
    x[split.test] = np.nan
    other[split.test] = np.nan
    after = search(KernelRidge(), Rows(x), other, grid, HoldOut(), train=TrainOnly(split))
    np.testing.assert_array_equal(before.scores, after.scores)
    assert before.spec == after.spec
    with pytest.raises(TypeError, match="TrainOnly"):
        search(KernelRidge(), rows, y, grid, HoldOut(), train=split.train_order)  # type: ignore[arg-type]


def test_partial_results_fill_the_map_and_a_cancel_stops_it() -> None:
    rows, y = problem()
    seen: list[SearchResult] = []
    grid = Grid(sigma_count=4, lambda_low=-4, lambda_high=-2)
    progress = Progress(partial=seen.append)
    found = search(KernelRidge(), rows, y, grid, KFold(k=2), progress, train=TrainOnly(split_of(80, 20)))
    assert [round(r.done * 8) for r in seen] == list(range(1, 9))
    assert np.isnan(seen[0].scores[0, 1:]).all()
    assert np.isfinite(seen[0].scores[0, 0]).all()
    assert seen[3].index is not None
    np.testing.assert_array_equal(seen[-1].scores, found.scores)

    def stop(_: Any) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        search(KernelRidge(), rows, y, grid, KFold(k=2), Progress(partial=stop), train=TrainOnly(split_of(80, 20)))


def test_edges_are_told_and_the_grid_goes_on_there() -> None:
    rows, y = problem()
    grid = Grid(factors=(0.01, 0.02), lambdas=(1e-8, 1e-6, 1e-4))
    found = search(KernelRidge(kernel=Gaussian(sigma=1.0)), rows, y, grid, HoldOut(), train=TrainOnly(split_of(80, 20)))
    assert "σ high" in found.edges
    assert any("widen" in note for note in found.notes)
    wider = found.wider()
    assert wider is not None
    assert wider.all_factors[:3] == pytest.approx((0.01, 0.02, 0.04))
    assert len(wider.all_factors) == 5
    inside = replace(found, index=(0, 0, 1), factors=np.array([1.0]))
    assert inside.edges == ()
    assert inside.wider() is None


def test_of_equal_scores_the_smoother_model_is_taken() -> None:
    scores = np.array([[[1.0, 1.0005, 1.2], [1.0002, 1.0004, 1.0009]]])
    factors, lambdas = np.array([1.0, 2.0]), np.array([1e-6, 1e-4, 1e-2])
    assert best_index(scores, factors, lambdas) == (0, 1, 2)
    scores[0, 1, 2] = 1.1
    assert best_index(scores, factors, lambdas) == (0, 1, 1)
    assert best_index(np.full((1, 1, 1), np.nan), factors, lambdas) is None


def test_models_and_representations_are_varied() -> None:
    rows, y = problem(120)
    train = TrainOnly(split_of(120, 20))
    asked: list[np.ndarray] = []

    def features(values: dict[str, Any], structures: np.ndarray, progress: Progress) -> Rows:
        asked.append(structures)
        return Rows(rows.array[structures][:, : values.get("columns", 3)])

    grid = Grid(representations=({"columns": 1}, {"columns": 3}), models=({"k": 1}, {"k": 4}))
    folds = HoldOut(n_fit=60, n_validate=30)
    found = search(NearestNeighbors(), None, y, grid, folds, train=train, features=features)
    assert found.scores.shape == (4, 1, 1)
    assert found.variant.representation == {"columns": 3}
    assert found.variant.label.startswith("columns = 3, k = ")
    assert getattr(found.spec, "k") == found.variant.model["k"]  # noqa: B009
    assert not set(np.concatenate(asked)) & set(split_of(120, 20).test)
    with pytest.raises(ValueError, match="varies the representation"):
        search(KernelRidge(), rows, y, grid, folds, train=train)
    with pytest.raises(ValueError, match="needs kernel ridge"):
        search(NearestNeighbors(), rows, y, Grid(), LeaveOneOut(), train=train)
    alone = search(MeanModel(), rows, y, Grid(), folds, train=train)
    ((fit, judge),) = folds.draw(train)
    assert alone.best_score == pytest.approx(np.abs(y[judge] - y[fit].mean()).mean())
    assert alone.spec == MeanModel()


@pytest.mark.parametrize("metric", ["rmse", "median", "likelihood"])
def test_other_measures(metric: str) -> None:
    rows, y = problem()
    grid = Grid(metric=metric, sigma_count=4, lambda_low=-6, lambda_high=-1)
    found = search(KernelRidge(), rows, y, grid, HoldOut(), train=TrainOnly(split_of(80, 20)))
    test = split_of(80, 20).test
    model = found.spec.fit(rows.take(split_of(80, 20).train()), y[split_of(80, 20).train()], threads=1)
    error = np.abs(model.predict(rows.take(test), threads=1).values[:, 0] - y[test]).mean()
    assert error < 0.3 * np.abs(y - y.mean()).mean()
    assert found.unit == ("per structure" if metric == "likelihood" else "")


def test_several_targets_weigh_alike_whatever_their_units() -> None:
    rows, y = problem()
    noise = np.random.default_rng(0).normal(size=80)
    grid, train = Grid(sigma_count=3, lambda_low=-4, lambda_high=-2), TrainOnly(split_of(80, 20))
    a = search(KernelRidge(), rows, np.stack([y, noise], axis=1), grid, HoldOut(), train=train)
    b = search(KernelRidge(), rows, np.stack([1e6 * y, 1e-6 * noise], axis=1), grid, HoldOut(), train=train)
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-6)
    assert a.unit == "of the spread"


def test_values_that_are_missing_are_said() -> None:
    rows, y = problem()
    split = split_of(80, 20)
    y[split.train_order[3]] = np.nan
    with pytest.raises(ValueError, match="no finite target"):
        search(KernelRidge(), rows, y, Grid(), HoldOut(), train=TrainOnly(split))
    x = rows.array.copy()
    x[split.train_order[7], 1] = np.inf
    with pytest.raises(ValueError, match=f"structure {split.train_order[7] + 1} are not finite"):
        search(KernelRidge(), Rows(x), y, Grid(), HoldOut(), train=TrainOnly(split))


def test_grids() -> None:
    grid = Grid(sigma_low=1.0, sigma_high=4.0, sigma_count=3, lambda_low=-2, lambda_high=0, models=({"k": 1},))
    assert grid.all_factors == pytest.approx((1.0, 2.0, 4.0))
    assert grid.all_lambdas == pytest.approx((0.01, 0.1, 1.0))
    assert Grid.from_dict(grid.to_dict()) == grid
    with pytest.raises(ValueError, match="low to high"):
        Grid(sigma_low=2.0, sigma_high=1.0)
    with pytest.raises(ValueError, match="not all positive"):
        Grid(factors=(0.0, 1.0))
    assert Grid(sigma_low=2.0, sigma_high=2.0).all_factors == (2.0,)


def test_kernels_within_kernels_are_scaled() -> None:
    inner = Normalised(kernel=Sum(kernels=(Gaussian(sigma=1.0), Laplacian(sigma=3.0))))
    wide: Any = scaled(inner, 2.0)
    assert [k.sigma for k in wide.kernel.kernels] == [2.0, 6.0]
    assert scaled(Linear(), 2.0) == Linear()
    assert getattr(scaled(LocalSum(sigma=1.0), 3.0), "sigma") == 3.0  # noqa: B009


def test_with_shuffled_labels_nothing_is_learned_unless_something_leaks() -> None:
    rng = np.random.default_rng(0)
    n = 400
    structures = Structures(np.full(n, 2, np.uint8), np.zeros((n, 3)), np.arange(n + 1))
    x = rng.normal(size=(n, 3))
    target = Task(target="y").prepare({"y": Property(np.sin(x[:, 0]) + x[:, 1])}, structures)
    split, spec = split_of(n, 150), KernelRidge(kernel=Gaussian(sigma=2.0), lambda_=1.0)
    found = shuffled_labels(spec, Rows(x), target, split, threads=1)
    assert found.mae == pytest.approx(found.mad, rel=0.15)
    assert not found.leaks
    assert "nothing leaks" in found.text
    # features that hold the very labels that are dealt
    leaky = shuffled_labels(spec, Rows(target.shuffled(0).values), target, split, threads=1)
    assert leaky.leaks
    assert "in the features" in leaky.text
