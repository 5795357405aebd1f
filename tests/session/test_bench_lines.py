"""What is drawn and told of a bench, and what errors hang on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.models import KernelRidge, MeanModel
from qmlstudio.representations import REGISTRY
from qmlstudio.session.bench.results import BenchResult, Point
from qmlstudio.session.bench.spec import BenchSpec, Series
from qmlstudio.session.bench_errors import TestErrors, break_down, by_distance, find
from qmlstudio.session.bench_lines import (
    default_sizes,
    goal_in,
    lines_of,
    parse_sizes,
    round_number,
    shown_sizes,
    targets_of,
)

SPECTRUM = REGISTRY["coulomb_matrix"]().with_values(permutation="eigenspectrum")


def made(unit: str = "kcal/mol") -> BenchResult:
    """Two repeats of a curve whose error is 100 / √N, and of a model that knows nothing."""
    task = Task(target="atomization_energy")
    kernel = Series(label="spectrum", representation=SPECTRUM, model=KernelRidge(), task=task)
    mean = Series(label="mean", representation=None, model=MeanModel(), task=task)
    spec = BenchSpec(series=(kernel, mean), sizes=(100, 400, 1600), repeats=2)
    result = BenchResult(spec, "qm7", "fingerprint")
    rng = np.random.default_rng(0)
    for size in spec.sizes:
        for repeat in range(2):
            test = np.arange(20) + 20 * repeat
            truth = rng.normal(0, 50, (20, 1))
            signs = np.where(np.arange(20) % 2 == 0, 1.0, -1.0)[:, None]
            point = Point(
                series="spectrum",
                key=f"{size} {repeat}",
                size=size,
                repeat=repeat,
                seed=repeat,
                targets=("atomization_energy",),
                unit=unit,
                test=test,
                truth=truth,
                predicted=truth + signs * 100.0 / np.sqrt(size) * (0.9 if repeat else 1.1),
                seconds={"features": 0.2, "kernel": 1.5, "solve": 200.0},
                notes=("jitter",),
            )
            result = result.with_point(point)
            zero = np.zeros_like(truth)
            result = result.with_point(replace(point, series="mean", predicted=zero, seconds={}, notes=()))
    return result


def test_lines_levels_and_published_values() -> None:
    result = made()
    assert targets_of(result) == (("atomization_energy", "kcal/mol"),)
    found = lines_of(result, "atomization_energy", "kcal/mol", goal=1.0)
    (line,) = found.lines
    assert line.curve.mean == pytest.approx([10.0, 5.0, 2.5])
    assert line.law is not None
    assert line.law.b == pytest.approx(0.5)
    # 100 / √N = 1 at 10,000: within ten times what was measured
    assert "N ≈ 10,000" in line.note
    assert "N = 400: MAE 5" in line.texts[1]
    assert "features 200 ms · kernel 1.5 s · solve 3.3 min" in line.texts[1]
    assert "jitter" in line.texts[1]
    kinds = {level.name: level.kind for level in found.levels}
    assert kinds["mean"] == "baseline"
    assert kinds["goal: 1 kcal/mol"] == "goal"
    published = [level for level in found.levels if level.kind == "published"]
    assert [level.y for level in published] == [10.0]
    assert published[0].name.startswith("Rupp et al. 2012")
    assert "doi" in published[0].tip
    assert found.title == "MAE of atomization_energy / kcal/mol"


def test_other_units_metrics_and_goals() -> None:
    found = lines_of(made("eV"), "atomization_energy", "eV", "rmse", goal_in("eV"))
    assert found.lines[0].curve.metric == "rmse"
    assert not [level for level in found.levels if level.kind == "published"]  # those are mean absolute errors
    assert any("(1 kcal/mol)" in level.name for level in found.levels if level.kind == "goal")
    assert goal_in("D") is None
    assert lines_of(made(), "gap", "eV").lines == ()
    far = lines_of(made(), "atomization_energy", "kcal/mol", goal=0.1).lines[0].note
    assert "N > 16,000" in far


def test_sizes_as_people_write_them() -> None:
    assert parse_sizes("100, 200 ;400") == (100, 200, 400)
    assert parse_sizes("1k 0.5k") == (500, 1000)
    assert parse_sizes("100…1000") == parse_sizes("100...1000") == (100, 200, 400, 800, 1000)
    assert parse_sizes(shown_sizes((50, 100))) == (50, 100)
    for wrong in ("", "abc", "0", "-5", "10.5", "9…3", "nan", "inf"):
        with pytest.raises(ValueError, match=r"size|number"):
            parse_sizes(wrong)
    assert default_sizes(4000)[-1] == 2000
    assert default_sizes(3) == (2,)
    assert default_sizes(1) == (1,)
    assert round_number(12345.0) == 12000
    assert round_number(np.inf) == 1


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(200, 320))


def test_errors_by_size_element_and_group(qm9: Dataset) -> None:
    test = np.arange(5, 105)
    truth = np.zeros(100)
    has_nitrogen = np.array([(qm9.structures[int(i)].numbers == 7).any() for i in test])
    errors = TestErrors("s", 10, 0, "gap", "eV", test, truth, np.where(has_nitrogen, 2.0, -1.0))
    bars = break_down(errors, qm9)
    element = dict(zip(bars["element"].names, bars["element"].mae, strict=True))
    assert element["N"] == pytest.approx(2.0)
    assert 1.0 <= element["C"] < 2.0
    assert int(bars["size"].counts.sum()) == 100
    assert sorted(np.concatenate(bars["size"].members).tolist()) == list(range(100))
    groups = dict(zip(bars["group"].names, bars["group"].mae, strict=True))
    assert groups.get("nitrile", 2.0) == pytest.approx(2.0)
    assert (np.diff(bars["group"].mae) <= 1e-12).all()  # the largest first
    assert errors.order()[0] == int(np.flatnonzero(has_nitrogen)[0])
    mask = errors.mask(errors.order()[:3], len(qm9))
    assert mask.sum() == 3
    assert mask[test[errors.order()[0]]]
    column = errors.column(len(qm9))
    assert np.isnan(column.values[:5]).all()
    assert column.values[5:105] == pytest.approx(errors.errors)


def test_errors_by_distance(qm9: Dataset) -> None:
    test = np.arange(100)
    distance = np.linspace(0.0, 1.0, 100)
    errors = TestErrors("s", 10, 0, "gap", "eV", test, np.zeros(100), distance * 2)
    bars = by_distance(errors, distance, 0.75)
    assert (np.diff(bars.mae) > 0).all()
    assert bars.counts.tolist() == [10] * 10
    assert bars.note.startswith("25 of 100")
    empty = by_distance(errors, np.full(100, np.nan))
    assert empty.names == ()


def test_a_point_is_found() -> None:
    result = made()
    found = find(result, "spectrum", 400, 1, "atomization_energy")
    assert found is not None
    assert np.abs(found.errors) == pytest.approx(4.5)
    assert found.name == "spectrum, N = 400"
    assert find(result, "spectrum", 401, 1, "atomization_energy") is None
    with pytest.raises(ValueError, match="gap"):
        TestErrors.of(result.points[0], "gap")
