"""Surveys of whole sets, intervals that hold what they promise, models carried from small to large molecules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.models.inputs import rows_for
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY
from qmlstudio.session import applicability
from qmlstudio.session.applicability import columns_of, deviation_name, reliability, reliability_of, survey
from qmlstudio.session.columns import N_HEAVY, Columns
from qmlstudio.session.explanation import TEST, TRAIN, Ground
from qmlstudio.session.quick_fit import QuickFit, fit, of_atoms
from qmlstudio.session.scripting import with_derived
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.session.size_transfer import MEAN, PRESENT, SUM, SizeResult, SizeTransfer, run, suggest_largest

CM = REGISTRY["coulomb_matrix"]()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return with_derived(load_builtin("qm9_7").take(slice(0, 160)))


@pytest.fixture(scope="module")
def shelf(dataset: Dataset) -> ShelfModel:
    spec = QuickFit(target="U0_atomization", n_train=60, n_test=40)
    return fit(spec, dataset, Columns(dataset), CM)


@pytest.fixture(scope="module")
def ground(shelf: ShelfModel, dataset: Dataset) -> Ground:
    return Ground.of(shelf, dataset, Columns(dataset))


def test_a_quick_fit_is_honest(shelf: ShelfModel, dataset: Dataset, ground: Ground) -> None:
    assert len(shelf.train) == 60
    assert len(shelf.test) == 40
    assert not set(shelf.train) & set(shelf.test)
    assert shelf.task.normalisation == "composition"
    assert shelf.unit == "kcal/mol"
    rows = rows_for(shelf.model.spec, dataset.structures.take(shelf.test), CM, shelf.species)
    told = ground.told(shelf.model.predict(rows).values, shelf.test)
    assert shelf.scores["mae"] == pytest.approx(np.abs(told - ground.truth(shelf.test)).mean())
    assert shelf.scores["mae"] < 0.3 * shelf.scores["mad"]


def test_excluded_structures_are_not_learned_from(dataset: Dataset) -> None:
    left = np.zeros(len(dataset), bool)
    left[::2] = True
    found = fit(QuickFit(target="gap", n_train=30, n_test=20), dataset, Columns(dataset), CM, excluded=left)
    assert (np.concatenate([found.train, found.test]) % 2 == 1).all()
    assert found.task.normalisation == "none"
    with pytest.raises(ValueError, match="too little"):
        fit(QuickFit(target="gap"), dataset, Columns(dataset), CM, excluded=np.arange(len(dataset)) > 10)


def test_features_in_memory_give_the_same_fit(dataset: Dataset, shelf: ShelfModel) -> None:
    features = CM.compute(dataset.structures)
    spec = QuickFit(target="U0_atomization", n_train=60, n_test=40)
    again = fit(spec, dataset, Columns(dataset), CM, features)
    assert again.scores["mae"] == pytest.approx(shelf.scores["mae"], rel=1e-6)


def test_atoms_of_representations() -> None:
    assert of_atoms(REGISTRY["fchl19"]()).local
    local = REGISTRY["soap"](average="off")
    assert of_atoms(local) is local
    with pytest.raises(ValueError, match="no rows for single atoms"):
        of_atoms(CM)


def test_a_survey_in_slices_is_one_prediction(
    ground: Ground, dataset: Dataset, shelf: ShelfModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_for(shelf.model.spec, dataset.structures, CM, shelf.species)
    said = shelf.model.predict(rows, deviation=True)
    assert said.deviation is not None
    assert said.distance is not None
    monkeypatch.setattr(applicability, "SLICE_BYTES", 7 * CM.memory(dataset.structures) // len(dataset))
    for features in (None, CM.compute(dataset.structures)):
        found = survey(ground, dataset, features)
        every = np.arange(len(dataset))
        np.testing.assert_allclose(found.prediction, ground.told(said.values, every), rtol=1e-10)
        assert found.deviation is not None
        np.testing.assert_allclose(found.deviation, said.deviation[:, 0], rtol=1e-6)
        assert found.distance is not None
        np.testing.assert_allclose(found.distance, said.distance, atol=1e-6)
    assert found.distance[shelf.train].max() < 1e-5
    assert not found.outside[shelf.train].any()
    columns = columns_of(found)
    roles = columns["model's data"].values
    assert set(roles[shelf.train]) == {"training"}
    assert set(roles[shelf.test]) == {"held out"}
    assert columns[deviation_name("U0_atomization")].unit == "kcal/mol"
    assert (ground.roles == TRAIN).sum() == 60
    assert (ground.roles == TEST).sum() == 40


def test_a_survey_can_be_cancelled(ground: Ground, dataset: Dataset) -> None:
    with pytest.raises(Cancelled):
        survey(ground, dataset, None, Progress(is_cancelled=lambda: True))


def test_reliability_of_held_out_structures(ground: Ground, dataset: Dataset, shelf: ShelfModel) -> None:
    found = reliability_of(ground, dataset)
    assert found.count == 40
    assert found.mae == pytest.approx(shelf.scores["mae"])
    assert found.sigma is not None
    assert found.scale == "deviation"
    again = reliability_of(ground, dataset, CM.compute(dataset.structures))
    assert again.mae == pytest.approx(found.mae)
    # a model from a file does not say what it was tested on: all others are taken
    bare = replace(ground, roles=np.where(ground.roles == TEST, 0, ground.roles).astype(np.int8))
    assert reliability_of(bare, dataset).count == len(dataset) - 60


def test_conformal_intervals_hold_whatever_sigma_says() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 2.0, 4000)
    errors = rng.normal(size=4000) * spread
    found = reliability(errors, 3.0 * spread)
    np.testing.assert_allclose(found.plain, found.nominal, atol=0.04)
    assert found.scaled is not None
    np.testing.assert_allclose(found.scaled, found.nominal, atol=0.04)
    assert found.sigma is not None
    assert found.sigma.factor == pytest.approx(1 / 3, rel=0.05)
    plain, scaled = found.interval(0.9, None), found.interval(0.9, 1.0)
    assert plain is not None
    assert scaled is not None
    assert plain.width == pytest.approx(np.quantile(np.abs(errors), 0.9), rel=0.01)
    assert scaled.width == pytest.approx(1.645 / 3, rel=0.05)
    assert found.interval(0.5, None) is None


def test_distance_stands_in_for_sigma() -> None:
    errors = np.random.default_rng(1).normal(size=100)
    found = reliability(errors, None, np.abs(errors))
    assert found.scale == "distance"
    assert found.sigma is None
    assert reliability(errors, None, np.zeros(100)).scale == ""
    errors[:90] = np.nan
    with pytest.raises(ValueError, match="10 held-out"):
        reliability(errors)


# -- from small to large


def test_only_a_sum_over_atoms_is_carried_to_larger_molecules(dataset: Dataset) -> None:
    """Of a property that is exactly a sum over atoms (the number of electrons)."""
    structures = dataset.structures
    electrons = np.add.reduceat(structures.numbers.astype(float), structures.offsets[:-1])
    data = replace(dataset, properties={**dataset.properties, "electrons": Property(electrons)})
    seen: list[SizeResult] = []
    spec = SizeTransfer(target="electrons", largest=4, n_train=40, n_test=20)
    found = run(spec, data, Columns(data), CM, progress=Progress(partial=seen.append))
    assert [len(r.models) for r in seen] == [1, 2, 3]
    assert [r.is_complete for r in seen] == [False, False, True]
    heavy = Columns(data)[N_HEAVY].values
    assert heavy[found.train].max() == 4
    assert heavy[found.test].max() > 4
    assert not set(found.train) & set(found.test)
    total, mean, present = found.of(SUM), found.of(MEAN), found.of(PRESENT)
    assert total is not None
    assert mean is not None
    assert present is not None
    assert total.outside < 0.2 * mean.outside
    assert total.outside < 0.2 * present.outside
    assert total.counts.sum() == len(found.test)
    beyond = mean.sizes > 4
    weights = mean.counts[beyond]
    assert mean.outside == pytest.approx((mean.mae[beyond] * weights).sum() / weights.sum())


def test_what_cannot_be_carried(dataset: Dataset) -> None:
    columns = Columns(dataset)
    with pytest.raises(ValueError, match="at least 20"):
        run(SizeTransfer(target="gap", largest=1), dataset, columns, CM)
    with pytest.raises(ValueError, match="no molecule has more"):
        run(SizeTransfer(target="gap", largest=9), dataset, columns, CM)
    with pytest.raises(ValueError, match="kernel of its own"):
        run(SizeTransfer(target="gap", largest=4), dataset, columns, REGISTRY["fchl18"]())


@pytest.mark.parametrize(
    ("heavy", "expected"),
    [
        ([], 1),
        ([3, 3], 3),
        ([1, 2, 3, 4], 2),
        ([1] * 300 + [2] * 10, 1),
        ([0, 0, np.nan, 5], 1),
        ([6] * 5 + [7] * 900, 6),
    ],
)
def test_a_size_is_suggested(heavy: list[float], expected: int) -> None:
    assert suggest_largest(np.array(heavy, dtype=float)) == expected
