"""Models of a bench's points: fitted again, saved, applied, asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.splits import RandomSplit
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.kernels import Laplacian
from qmlstudio.learning.models import GaussianProcess, KernelRidge
from qmlstudio.representations import REGISTRY
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench.runner import run
from qmlstudio.session.bench.spec import BenchSpec, Series
from qmlstudio.session.columns import Columns
from qmlstudio.session.model_use import (
    INSIDE,
    OUTSIDE,
    REFUSED,
    Fitted,
    baseline_of,
    columns_of,
    described,
    fit_point,
    load_model,
    predict,
    predict_text,
    save_model,
)

COULOMB = REGISTRY["coulomb_matrix"]()
GRID = Grid(sigma_low=1.0, sigma_high=8.0, sigma_count=2, lambda_low=-9, lambda_high=-7)


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(100, 220))


@pytest.fixture(scope="module")
def bench(qm9: Dataset, tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    task = Task(target="U0_atomization", normalisation="composition")
    delta = Task(target="U0_atomization", baseline="U")
    series = (
        Series(label="ridge", representation=COULOMB, model=KernelRidge(kernel=Laplacian()), task=task),
        Series(
            label="process",
            representation=COULOMB,
            model=GaussianProcess(kernel=Laplacian(), noise=0.01, optimise=False),
            task=Task(target="gap"),
        ),
        Series(label="delta", representation=COULOMB, model=KernelRidge(kernel=Laplacian()), task=delta),
    )
    spec = BenchSpec(series=series, sizes=(20, 60), repeats=1, split=RandomSplit(n_test=40), grid=GRID)
    return run(spec, qm9, None, tmp_path_factory.mktemp("bench"))


def fitted(bench: BenchResult, label: str, qm9: Dataset) -> Fitted:
    series = next(s for s in bench.spec.series if s.label == label)
    return fit_point(bench.spec, series, bench.of(label, 60)[0], qm9)


def test_the_model_of_a_point_says_the_same(bench: BenchResult, qm9: Dataset) -> None:
    for label in ("ridge", "process"):
        point = bench.of(label, 60)[0]
        model = fitted(bench, label, qm9).model
        said = predict(model, qm9.structures)
        assert said.values[point.test] == pytest.approx(point.predicted, rel=1e-6, abs=1e-8)
        assert model.scores["mae"] == pytest.approx(point.mae(), rel=1e-6)
        assert len(model.train) == 60
        assert not np.intersect1d(model.train, model.test).size
        assert said.distance[model.train] == pytest.approx(0.0, abs=1e-5)
        assert said.count(REFUSED) == 0


def test_changed_data_are_noticed(bench: BenchResult, qm9: Dataset) -> None:
    excluded = np.zeros(len(qm9), dtype=bool)
    excluded[:10] = True
    with pytest.raises(ValueError, match="run it again"):
        fit_point(bench.spec, bench.spec.series[0], bench.of("ridge", 60)[0], qm9, None, excluded)


def test_files_give_the_same_model_back(bench: BenchResult, qm9: Dataset, tmp_path: Path) -> None:
    model = fitted(bench, "ridge", qm9).model
    path = str(tmp_path / "m.qmlm")
    saved = save_model(model, path, qm9)
    assert saved.path == path
    again = load_model(path)
    assert again.name == model.name
    assert again.units == model.units
    assert again.task.target == "U0_atomization"
    assert again.train.tolist() == model.train.tolist()
    assert again.scores["mae"] == pytest.approx(model.scores["mae"])
    first, second = predict(model, qm9.structures), predict(again, qm9.structures)
    assert second.values == pytest.approx(first.values, rel=1e-12)
    assert "λ = " in described(again.model.spec)


def test_new_columns(bench: BenchResult, qm9: Dataset) -> None:
    model = fitted(bench, "process", qm9).model
    columns = Columns(qm9)
    found = columns_of(model, predict(model, qm9.structures), columns)
    assert set(found) == {"gap_predicted", "gap_sigma", "gap_error", "gap_distance"}
    assert (found["gap_sigma"].values >= 0).all()
    assert found["gap_error"].values == pytest.approx(found["gap_predicted"].values - columns["gap"].values)
    assert found["gap_predicted"].unit == columns["gap"].unit


def test_differences_need_their_baseline(bench: BenchResult, qm9: Dataset) -> None:
    model = fitted(bench, "delta", qm9).model
    columns = Columns(qm9)
    baseline = baseline_of(model, columns, len(qm9))
    assert baseline is not None
    baseline[3] = np.nan
    said = predict(model, qm9.structures, baseline)
    assert said.state[3] == REFUSED
    assert said.reasons[3] == "its baseline is missing"
    point = bench.of("delta", 60)[0]
    others = point.test[point.test != 3]
    assert said.values[others] == pytest.approx(point.predicted[point.test != 3], rel=1e-6)
    none = predict(model, qm9.structures)
    assert none.count(REFUSED) == len(qm9)
    assert "U" in none.reasons[0]
    assert baseline_of(model, {}, 3) is None


def test_strangers_are_refused_one_by_one(bench: BenchResult, qm9: Dataset) -> None:
    model = fitted(bench, "ridge", qm9).model
    pieces = [qm9.structures[0], qm9.structures[1]]
    silicon = np.array(pieces[1].numbers)
    silicon[0] = 14
    sizes = [len(p) for p in pieces]
    structures = Structures(
        np.concatenate([pieces[0].numbers, silicon]),
        np.concatenate([p.positions for p in pieces]),
        np.concatenate([[0], np.cumsum(sizes)]),
    )
    said = predict(model, structures)
    assert said.state.tolist()[1] == REFUSED
    assert said.state[0] != REFUSED
    assert said.reasons[1].startswith("Si")
    assert np.isnan(said.values[1]).all()
    nothing = predict(model, qm9.structures.take(slice(0, 0)))
    assert nothing.values.shape == (0, 1)


def test_typed_molecules(bench: BenchResult, qm9: Dataset) -> None:
    model = fitted(bench, "ridge", qm9).model
    far = replace(model.model, domain=0.0)
    rows = predict_text(replace(model, model=far), "CCO ethanol\nC[SiH3] silane\n" + "C" * 30 + " long")
    assert [r.name for r in rows] == ["ethanol", "silane", "long"]
    assert rows[0].state == OUTSIDE
    assert "outside the domain" in rows[0].note
    assert rows[1].state == REFUSED
    assert "Si" in rows[1].note
    assert rows[2].state == REFUSED  # larger than the matrix has room for
    assert rows[2].note
    unlimited = replace(model.model, domain=None)
    (row,) = predict_text(replace(model, model=unlimited), "CCO")
    assert row.state == INSIDE
    assert row.formula == "C2H6O"
    assert row.values[0].endswith(model.unit)


def test_infinite_values_are_refused_as_baseline(bench: BenchResult, qm9: Dataset) -> None:
    model = fitted(bench, "delta", qm9).model
    columns = {"U": Property(np.full(len(qm9), np.inf), unit="Ha")}
    said = predict(model, qm9.structures, baseline_of(model, columns, len(qm9)))
    assert said.count(REFUSED) == len(qm9)
