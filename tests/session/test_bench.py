"""The bench: shared work equals separate work, nothing leaks, what was stopped goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.folds import HoldOut
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.splits import GroupedSplit, RandomSplit, ScaffoldSplit
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.kernels import Gaussian, Laplacian
from qmlstudio.learning.kernels.local import LocalSum
from qmlstudio.learning.models import REGISTRY as MODELS
from qmlstudio.learning.models import KernelRidge, MeanModel, NearestNeighbors
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY as KINDS
from qmlstudio.session.bench import fitting, runner
from qmlstudio.session.bench.estimates import estimate
from qmlstudio.session.bench.matrices import Matrices, NestedRidge
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench.runner import BenchUpdate, load, run, saved_spec
from qmlstudio.session.bench.spec import BenchSpec, Series, combine, model_from_dict
from qmlstudio.session.scripting import open_dataset

TASK = Task(target="U0_atomization")
COULOMB = KINDS["coulomb_matrix"]()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """160 molecules."""
    whole = open_dataset("builtin:qm9_7")
    return whole.take(np.linspace(100, len(whole) - 1, 160).astype(int))


def series(label: str = "sorted", kernel: Any = None, **values: Any) -> Series:
    """A Coulomb matrix with a Laplacian, or what is said."""
    made: dict[str, Any] = {
        "label": label,
        "representation": COULOMB,
        "model": KernelRidge(kernel=kernel or Laplacian()),
        "task": TASK,
    }
    return Series(**{**made, **values})


def bench(*items: Series, **values: Any) -> BenchSpec:
    """Three sizes, two repeats, a small grid."""
    made: dict[str, Any] = {
        "series": items or (series(),),
        "sizes": (20, 40, 80),
        "repeats": 2,
        "split": RandomSplit(n_test=30),
        "folds": HoldOut(n_fit=30, n_validate=15),
        "grid": Grid(factors=(0.5, 2.0, 8.0), lambdas=(1e-9, 1e-6, 1e-3)),
    }
    return BenchSpec(**{**made, **values})


LOCAL = series("local", representation=KINDS["fchl19"](average="off"), model=KernelRidge(kernel=LocalSum(sigma=3.0)))


def test_shared_fits_equal_single_ones(dataset: Dataset, tmp_path: Path) -> None:
    """One matrix and one factorisation for a curve predict what each model fitted alone predicts."""
    items = (
        series(),
        series("per atom", Gaussian(), task=replace(TASK, normalisation="per_atom")),
        series("dressed", task=replace(TASK, normalisation="composition", standardise=True)),
        LOCAL,
    )
    spec = bench(*items, repeats=1)
    found = run(spec, dataset, None, tmp_path)
    assert not found.problems
    assert found.is_complete
    for item in items:
        target = item.task.prepare(dataset.properties, dataset.structures)
        made = item.representation.compute(dataset.structures) if item.representation else None
        assert made is not None
        rows = Rows.of(made, dataset.structures)
        order = np.random.default_rng(1).permutation(len(dataset))[:-30]
        for point in found.of(item.label):
            train = order[: point.size]
            transform = target.transform(train)
            fitted = model_from_dict(point.model).fit(rows.take(train), transform.apply(train))
            alone = transform.invert(fitted.predict(rows.take(point.test)).values, point.test)
            assert np.allclose(alone, point.predicted, rtol=1e-6, atol=1e-6 * np.abs(alone).max())
            assert np.array_equal(point.truth, target.truth(point.test))


@pytest.mark.parametrize("keep", ["distances", "matrix", "nothing"])
def test_matrices_are_the_kernels(dataset: Dataset, keep: str) -> None:
    """However they come about."""
    rows = Rows.of(COULOMB.compute(dataset.structures), dataset.structures)
    kernel = Laplacian(sigma=300.0)
    train, test = np.arange(0, 120, 2)[::-1].copy(), np.arange(1, 60, 3)
    matrices = Matrices(rows, 10**9 if keep != "nothing" else 0, 150, 10, 9, threads=1)
    matrices.keeps_distances = keep == "distances"
    assert matrices.keeps_matrix == (keep != "nothing")
    for _ in range(2):  # what was handed out is overwritten by its owner
        among, across = matrices.pair(kernel, train, test, Progress())
        expected = kernel.matrix(rows.take(train))
        assert np.allclose(among, expected, atol=1e-13)
        assert np.allclose(across, kernel.matrix(rows.take(test), rows.take(train)), atol=1e-13)
        among[:] = 0.0


def test_leading_factors_solve_leading_blocks() -> None:
    """Sizes below, at and above a panel, two right sides; λ counts."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 700))
    matrix, y = x @ x.T / 700, rng.normal(size=(600, 2))
    ridge = NestedRidge(matrix.copy(), 0.1, Progress())
    for n in (1, 100, 256, 257, 600):
        expected = np.linalg.solve(matrix[:n, :n] + 0.1 * np.eye(n), y[:n])
        assert np.allclose(ridge.solve(y[:n], Progress()), expected, rtol=1e-9, atol=1e-12)


def test_test_sets_are_one_for_all_and_apart(dataset: Dataset, tmp_path: Path) -> None:
    """The test set of a repeat is that of all sizes and series; excluded and missing structures are in none."""
    values = dataset.properties["U0_atomization"].values.copy()
    values[:5] = np.nan
    columns = {**dataset.properties, "U0_atomization": Property(values, unit="kcal/mol")}
    excluded = np.zeros(len(dataset), dtype=bool)
    excluded[5:12] = True
    spec = bench(series(), series("mean", model=MeanModel(), representation=None))
    found = run(spec, dataset, columns, tmp_path, excluded=excluded)
    assert not found.problems
    for repeat in range(2):
        sets = {tuple(p.test) for p in found.points if p.repeat == repeat}
        assert len(sets) == 1
        assert min(sets.pop()) >= 12
    assert len({tuple(p.test) for p in found.points}) == 2
    point = found.of("mean", 80)[0]
    order = np.random.default_rng(1).permutation(np.arange(12, len(dataset)))
    assert np.allclose(point.predicted, values[order[:80]].mean())
    assert any("excluded" in note for note in point.notes)


def test_no_choice_sees_the_test_set(dataset: Dataset, tmp_path: Path) -> None:
    """Other values for the test structures: other errors, the same model."""
    spec = bench(repeats=1)
    first = run(spec, dataset, None, tmp_path / "a")
    values = dataset.properties["U0_atomization"].values.copy()
    values[first.points[0].test] += np.linspace(-100, 300, 30)
    columns = {**dataset.properties, "U0_atomization": Property(values, unit="kcal/mol")}
    second = run(spec, dataset, columns, tmp_path / "b")
    for a, b in zip(first.of("sorted"), second.of("sorted"), strict=True):
        assert a.model == b.model
        assert np.array_equal(a.predicted, b.predicted)
        assert a.mae() != b.mae()
        assert a.key != b.key


def test_what_is_there_is_not_computed_again(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run takes all from the disk; a new size, another label or a third repeat adds what is missing."""
    spec = bench()
    first = run(spec, dataset, None, tmp_path)
    fits: list[int] = []
    original = fitting.Fitter.fits

    def counted(self: Any, model: Any, sizes: list[int], progress: Progress) -> Any:
        fits.extend(sizes)
        return original(self, model, sizes, progress)

    monkeypatch.setattr(fitting.Fitter, "fits", counted)
    again = run(spec, dataset, None, tmp_path)
    assert fits == []
    assert again.is_complete
    for a, b in zip(first.of("sorted"), again.of("sorted"), strict=True):
        assert np.array_equal(a.predicted, b.predicted)
        assert a.model == b.model
        assert a.seconds == b.seconds
    renamed = replace(spec, series=(replace(spec.series[0], label="another name"),))
    assert run(renamed, dataset, None, tmp_path).is_complete
    assert fits == []
    assert load(renamed, dataset, None, tmp_path).is_complete
    run(replace(spec, sizes=(20, 40, 60, 80)), dataset, None, tmp_path)
    assert fits == [60, 60]
    assert run(replace(spec, repeats=3), dataset, None, tmp_path).is_complete
    assert sorted(fits) == [20, 40, 60, 60, 80]
    assert not list((tmp_path / "features").iterdir())
    assert saved_spec(tmp_path) == replace(spec, repeats=3)


def test_broken_files_are_computed_again(dataset: Dataset, tmp_path: Path) -> None:
    """Cut off, empty or of another kind: as if they were not there."""
    spec = bench(repeats=1)
    first = run(spec, dataset, None, tmp_path, keep_features=True)
    places = sorted((tmp_path / "points").iterdir())
    places[0].write_bytes(places[0].read_bytes()[:100])
    places[1].write_bytes(b"")
    next((tmp_path / "searches").iterdir()).write_text("[1")
    next((tmp_path / "features").iterdir()).write_bytes(b"\x93NUMPY")
    second = run(spec, dataset, None, tmp_path)
    assert second.is_complete
    for a, b in zip(first.of("sorted"), second.of("sorted"), strict=True):
        assert np.allclose(a.predicted, b.predicted, rtol=1e-9)


def test_cancel_keeps_what_was_finished(dataset: Dataset, tmp_path: Path) -> None:
    """After the first point nobody waits any more."""
    seen: list[BenchUpdate] = []
    spec = bench(repeats=2)
    progress = Progress(None, lambda: any(u.size and u.search is None for u in seen), seen.append)
    with pytest.raises(Cancelled):
        run(spec, dataset, None, tmp_path, progress)
    kept = load(spec, dataset, None, tmp_path)
    assert 1 <= len(kept.points) < 6
    assert run(spec, dataset, None, tmp_path).is_complete


def test_updates_tell_points_and_searches(dataset: Dataset, tmp_path: Path) -> None:
    """Points grow one by one; a search's scores fill; the fraction never goes back."""
    seen: list[BenchUpdate] = []
    told: list[float] = []
    run(bench(), dataset, None, tmp_path, Progress(lambda f, _: told.append(f), None, seen.append, 0.0))
    counts = [len(u.result.points) for u in seen]
    assert counts == sorted(counts)
    assert set(counts) == set(range(7))
    searches = [u for u in seen if u.search is not None]
    assert searches
    assert searches[0].series == "sorted"
    assert all(np.isfinite(u.search.scores).sum() for u in searches if u.search)
    assert (np.diff(told) >= -1e-9).all()
    assert told[-1] == 1.0


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import numpy as np
from qmlstudio.session.bench import storage
from qmlstudio.session.bench.runner import run
from qmlstudio.session.scripting import open_dataset
import test_bench as t
whole = open_dataset("builtin:qm9_7")
data = whole.take(np.linspace(100, len(whole) - 1, 160).astype(int))
keep = storage.Folder.keep_point
def slow(self, point):
    keep(self, point)
    with self._replacing(self.path / "points" / "never.npz") as place:
        place.write_bytes(b"half")
        print("point", flush=True)
        time.sleep(60)
storage.Folder.keep_point = slow
run(t.bench(), data, None, {folder!r})
"""


def test_killed_bench_goes_on(dataset: Dataset, tmp_path: Path) -> None:
    """Killed in the middle of writing: the finished point is taken, half files go, the rest is computed."""
    code = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "point\n"
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        process.wait()
    half = list(tmp_path.glob("points/.*.part"))
    done = {p: p.stat().st_mtime_ns for p in tmp_path.glob("points/*.npz")}
    assert len(done) == 1
    assert len(half) == 1
    assert run(bench(), dataset, None, tmp_path).is_complete
    assert not half[0].exists()
    assert all(p.stat().st_mtime_ns == t for p, t in done.items())


def test_what_others_write_stays(dataset: Dataset, tmp_path: Path) -> None:
    """A half file of a living process is not removed, nor features that this bench did not ask for."""
    run(bench(repeats=1), dataset, None, tmp_path)
    from qmlstudio.session.storage import _host

    living = tmp_path / "features" / f".x.npy.{_host()}-{os.getppid()}-0123abcd.part"
    living.write_bytes(b"")
    other = tmp_path / "features" / "other.npy"
    other.write_bytes(b"")
    run(bench(repeats=2), dataset, None, tmp_path)
    assert living.exists()
    assert other.exists()


def test_other_models_and_several_targets(dataset: Dataset, tmp_path: Path) -> None:
    """Models without kernels, several targets at once, a baseline column."""
    known = dataset.properties["U0_atomization"].values * 1.01 + 3.0
    columns = {**dataset.properties, "cheap": Property(known, unit="kcal/mol")}
    items = (
        series("neighbours", model=NearestNeighbors()),
        series("composition", model=MODELS["composition"](), representation=None),
        series("two", task=Task(target="homo", more=(("lumo", ""),))),
        series("difference", task=replace(TASK, baseline="cheap")),
    )
    found = run(bench(*items, repeats=1), dataset, columns, tmp_path)
    assert not found.problems
    assert found.is_complete
    assert found.of("two", 80)[0].predicted.shape == (30, 2)
    assert found.of("two", 80)[0].targets == ("homo", "lumo")
    assert found.curve("two", target=1).mean[-1] == pytest.approx(found.of("two", 80)[0].mae(1))
    assert found.curve("difference").mean[-1] < 0.2 * found.curve("neighbours").mean[-1]
    assert found.curve("composition").mean[-1] < found.of("composition", 80)[0].deviation


def test_budget_leaves_the_fit_to_the_model(dataset: Dataset, tmp_path: Path) -> None:
    """Matrices beyond the budget are not made; the model's own plan answers, or says why it cannot."""
    found = run(bench(repeats=1, sizes=(80,)), dataset, None, tmp_path, memory_budget=30_000)
    assert len(found.points) + len(found.problems) == 1
    if found.problems:
        assert "memory" in found.problems[0]


def test_series_that_cannot_be_run_are_told(dataset: Dataset, tmp_path: Path) -> None:
    """The others go on."""
    items = (
        series("no column", task=Task(target="nowhere")),
        series("crystals", representation=KINDS["sine_matrix"]()),
        series("text", task=Task(target="formula")),
        series(),
    )
    found = run(bench(*items, repeats=1, sizes=(20, 5000)), dataset, None, tmp_path)
    text = "\n".join(found.problems)
    assert "nowhere" in text
    assert "cells" in text
    assert "formula" in text
    assert "5,000" in text
    assert [p.size for p in found.points] == [20]


@pytest.mark.parametrize("split", [GroupedSplit(n_test=30), ScaffoldSplit(n_test=30)])
def test_groups_stay_together_in_searches_too(dataset: Dataset, tmp_path: Path, split: Any) -> None:
    """A grouped split works with indices of the whole set and of the features alike."""
    part = dataset.take(np.concatenate([np.arange(140), np.arange(20)]))
    found = run(bench(split=split, repeats=1), part, None, tmp_path)
    assert not found.problems
    assert found.is_complete
    if isinstance(split, GroupedSplit):
        test = set(found.points[0].test.tolist())
        assert all((k in test) == (140 + k in test) for k in range(20))


def test_specification_survives_json() -> None:
    """Everything but objects that nobody registered."""
    spec = bench(LOCAL, series(grid=Grid(factors=(1.0,))), series("mean", model=MeanModel(), representation=None))
    again = BenchSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.to_dict() == spec.to_dict()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bench(series(), series()), "label"),
        (lambda: bench(sizes=()), "sizes"),
        (lambda: bench(sizes=(0, 5)), "at least 1"),
        (lambda: bench(repeats=0), "repeat"),
        (lambda: bench(series(kernel=LocalSum())), "row for each atom"),
        (lambda: bench(series(representation=KINDS["fchl19"](average="off"))), "row for each atom"),
        (lambda: bench(series(representation=None)), "needs a representation"),
        (lambda: bench(grid=Grid(representations=({"r_cut": 3.0},))), "series of their own"),
        (lambda: model_from_dict({"name": "oracle"}), "oracle"),
    ],
)
def test_impossible_benches_are_refused(make: Any, text: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=text):
        make()


def test_combinations() -> None:
    """Representations × models × tasks with labels of their own; what does not go together is told."""
    kinds = [COULOMB, COULOMB.with_values(permutation="eigenspectrum"), KINDS["fchl19"](average="off")]
    models = [KernelRidge(kernel=Laplacian()), KernelRidge(kernel=LocalSum()), MeanModel()]
    found, left = combine(kinds, models, [TASK, Task(target="gap")])
    assert len(found) == 8
    assert len({s.label for s in found}) == 8
    assert len(left) == 2
    assert sum(s.representation is None for s in found) == 2
    same, _ = combine([COULOMB, COULOMB], models[:1], [TASK])
    assert [s.label for s in same] == ["Coulomb matrix", "Coulomb matrix 2"]


def test_estimate_says_memory_time_and_a_cheaper_way(dataset: Dataset) -> None:
    """Larger benches take more; what does not fit is made smaller."""
    items = (series(), LOCAL, series("mean", model=MeanModel(), representation=None))
    small, large = (estimate(bench(*items, sizes=(10, n)), dataset) for n in (20, 120))
    assert 0 < small.bytes < large.bytes
    assert small.seconds > 0
    assert large.fits
    assert large.disk > 0
    assert "memory" in large.text
    tight = estimate(bench(*items, sizes=(10, 120)), dataset, memory_budget=large.bytes // 3)
    assert not tight.fits
    assert tight.cheaper is not None
    assert tight.cheaper.sizes == (10,)
    assert "up to 10" in tight.cheaper_text


def test_results_are_told_in_numbers(dataset: Dataset, tmp_path: Path) -> None:
    """Curves, rows for a table, JSON without NaN; the worst structures are the worst."""
    found = run(bench(), dataset, None, tmp_path)
    curve = found.curve("sorted")
    assert curve.sizes.tolist() == [20, 40, 80]
    assert curve.table.shape == (3, 2)
    assert curve.unit == "kcal/mol"
    assert (curve.low < curve.mean).all()
    assert (curve.mean < curve.high).all()
    assert curve.mean[-1] < curve.mean[0]
    assert curve.law is not None
    assert curve.law.b > 0
    assert curve.spread == (curve.table[-1].min(), curve.table[-1].max())
    json.dumps(found.to_dict(), allow_nan=False)
    head, *rows = found.rows()
    assert len(rows) == 6
    assert all(len(row) == len(head) for row in rows)
    point = found.of("sorted", 80)[1]
    worst = point.worst(5)
    errors = dict(zip(point.test.tolist(), np.abs(point.errors[:, 0]).tolist(), strict=True))
    assert [errors[i] for i in worst.tolist()] == sorted(errors.values(), reverse=True)[:5]
    assert set(found.seconds_of("sorted", 80)) >= {"search", "kernel", "solve", "predict"}
    one = replace(found, points=tuple(p for p in found.points if p.repeat == 0)).curve("sorted")
    assert (one.low < one.mean).all()
    assert (one.mean < one.high).all()
    with pytest.raises(ValueError, match="median"):
        found.curve("sorted", "median")
    empty = BenchResult(found.spec, "", "").curve("sorted")
    assert len(empty.sizes) == 0
    assert np.isnan(empty.spread).all()
    assert empty.law is None


def test_runs_in_slices(dataset: Dataset, tmp_path: Path) -> None:
    """Progress is called often enough to cancel at once."""
    run(bench(), dataset, None, tmp_path / "warm")
    calls: list[float] = []

    def asked() -> bool:
        calls.append(time.perf_counter())
        return False

    run(bench(), dataset, None, tmp_path / "cold", Progress(None, asked))
    assert len(calls) > 50


def test_default_budget_is_known() -> None:
    """The bench asks the models' plans when nobody says."""
    assert runner.default_budget() > 2**20
