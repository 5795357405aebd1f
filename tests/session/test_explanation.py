"""What is shown as a sum is the prediction, whatever was learned and however it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning import kernels
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.kernels.atomic import atom_contributions
from qmlstudio.learning.kernels.one_row import similarities
from qmlstudio.learning.models.baselines import MeanModel
from qmlstudio.learning.models.gaussian_process import GaussianProcess
from qmlstudio.learning.models.inputs import UnknownElementsError, rows_for
from qmlstudio.learning.models.kernel_ridge import KernelRidge
from qmlstudio.learning.rows import Rows
from qmlstudio.representations import REGISTRY
from qmlstudio.session.columns import Columns
from qmlstudio.session.explanation import TEST, TRAIN, Ground, explain, left_out, rows_of
from qmlstudio.session.shelf_model import ShelfModel

N_TRAIN = 40


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    data = load_builtin("qm9_7").take(slice(20, 90))
    half = Property(0.5 * data.properties["U0_atomization"].values, unit="kcal/mol")
    return replace(data, properties={**data.properties, "half": half})


def shelf_of(dataset: Dataset, spec: Any, representation: Any, **task: Any) -> ShelfModel:
    known = Task(target="U0_atomization", **task)
    target = known.prepare(Columns(dataset), dataset.structures)
    order = np.random.default_rng(1).permutation(len(dataset))
    train, test = order[:N_TRAIN], np.sort(order[N_TRAIN:])
    species = dataset.structures.species
    transform = target.transform(train)
    rows = rows_for(spec, dataset.structures.take(train), representation, species)
    model = spec.fit(rows, transform.apply(train))
    return ShelfModel(
        name="a model",
        model=model,
        representation=representation,
        species=species,
        task=known,
        transform=transform,
        units=target.units,
        dataset=dataset.fingerprint,
        source=dataset.name,
        train=train,
        test=test,
    )


CM = REGISTRY["coulomb_matrix"]()
LOCAL = REGISTRY["acsf"](average="off")
RIDGE = KernelRidge(kernel=kernels.Laplacian(), lambda_=1e-4)
SUM = GaussianProcess(kernel=kernels.LocalSum(sigma=2.0), optimise=False, noise=0.05)


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"normalisation": "composition"},
        {"normalisation": "per_atom", "standardise": True},
        {"normalisation": "per_atom", "errors_per": "atom"},
        {"baseline": "half", "normalisation": "composition", "standardise": True},
        {"unit": "eV", "baseline": "half"},
    ],
    ids=["plain", "dressed", "per atom", "told per atom", "delta", "other unit"],
)
def test_the_sum_is_the_prediction(dataset: Dataset, task: dict[str, Any]) -> None:
    shelf = shelf_of(dataset, RIDGE, CM, **task)
    ground = Ground.of(shelf, dataset, Columns(dataset))
    rows = rows_for(shelf.model.spec, dataset.structures, CM, shelf.species)
    told = shelf.transform.invert(shelf.model.predict(rows).values, np.arange(len(dataset)))[:, 0]
    truth = ground.target.truth(np.arange(len(dataset)))[:, 0]
    for index in (int(shelf.train[3]), int(shelf.test[0]), int(shelf.test[7])):
        found = explain(ground, rows_of(shelf, dataset, index), index)
        assert found.prediction == pytest.approx(told[index], rel=1e-10)
        assert found.total == pytest.approx(told[index], rel=1e-9, abs=1e-9)
        assert found.truth == truth[index]
        kinds = [p.kind for p in found.parts]
        assert ("dressed atoms" in kinds) == (task.get("normalisation") == "composition")
        if "baseline" in task:
            scale = 1.0 if "unit" not in task else 0.0433641
            expected = dataset.properties["half"].values[index] * scale
            assert next(p.value for p in found.parts if p.kind == "baseline") == pytest.approx(expected, rel=1e-6)


def test_ranking_and_likeness(dataset: Dataset) -> None:
    shelf = shelf_of(dataset, RIDGE, CM)
    ground = Ground.of(shelf, dataset, Columns(dataset))
    index = int(shelf.train[5])
    found = explain(ground, rows_of(shelf, dataset, index), index)
    sizes = np.abs(found.contributions)
    assert (np.diff(sizes[found.order]) <= 0).all()
    assert found.carriers.tolist() == shelf.train[found.order].tolist()
    assert found.similarities[5] == pytest.approx(1.0)
    assert ((found.similarities > 0) & (found.similarities <= 1 + 1e-12)).all()
    assert found.distance == pytest.approx(0.0, abs=1e-6)
    assert found.role == TRAIN
    assert not found.is_outside
    assert 1 <= found.effective <= N_TRAIN
    assert explain(ground, rows_of(shelf, dataset, int(shelf.test[0])), int(shelf.test[0])).role == TEST


def test_deviation_and_distance_are_the_models(dataset: Dataset) -> None:
    shelf = shelf_of(dataset, SUM, LOCAL, normalisation="per_atom")
    ground = Ground.of(shelf, dataset, Columns(dataset))
    index = int(shelf.test[2])
    rows = rows_of(shelf, dataset, index)
    said = shelf.model.predict(rows, deviation=True)
    found = explain(ground, rows, index)
    assert said.deviation is not None
    assert said.distance is not None
    size = len(dataset.structures[index])
    assert found.deviation == pytest.approx(float(said.deviation[0, 0]) * size, rel=1e-9)
    assert found.distance == pytest.approx(float(said.distance[0]), rel=1e-9)


@pytest.mark.parametrize("name", ["local_sum", "local_average", "normalised"])
def test_atoms_add_up(dataset: Dataset, name: str) -> None:
    inner = kernels.LocalSum(sigma=2.0)
    kernel = kernels.Normalised(kernel=inner) if name == "normalised" else kernels.get(name)(sigma=2.0)
    shelf = shelf_of(dataset, KernelRidge(kernel=kernel, lambda_=1e-2), LOCAL, normalisation="composition")
    ground = Ground.of(shelf, dataset, Columns(dataset))
    index = int(shelf.test[1])
    rows = rows_of(shelf, dataset, index)
    found = explain(ground, rows, index)
    assert found.atoms is not None
    assert found.atoms.shape == (len(dataset.structures[index]),)
    assert found.atoms.sum() == pytest.approx(found.contributions.sum(), rel=1e-9)
    assert found.total == pytest.approx(found.prediction, rel=1e-10)
    mean = float(shelf.model.mean[0])  # type: ignore[attr-defined]
    parts = atom_contributions(shelf.model, rows, 0)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.atoms, parts - mean / len(parts), rtol=1e-9, atol=1e-9)


def test_whole_molecules_have_no_atoms(dataset: Dataset) -> None:
    shelf = shelf_of(dataset, RIDGE, CM)
    ground = Ground.of(shelf, dataset, Columns(dataset))
    assert explain(ground, rows_of(shelf, dataset, 0), 0).atoms is None


def test_features_in_memory_are_taken(dataset: Dataset) -> None:
    for representation, spec in ((CM, RIDGE), (LOCAL, SUM)):
        shelf = shelf_of(dataset, spec, representation)
        features = representation.compute(dataset.structures)
        taken, made = rows_of(shelf, dataset, 7, features), rows_of(shelf, dataset, 7)
        np.testing.assert_allclose(taken.array, made.array, atol=1e-12)
        assert np.shares_memory(taken.array, features.array)
        assert (taken.offsets is None) == (made.offsets is None)
        other = REGISTRY["coulomb_matrix"](permutation="eigenspectrum").compute(dataset.structures)
        assert not np.shares_memory(rows_of(shelf, dataset, 7, other).array, other.array)


def test_errors_of_left_out_structures(dataset: Dataset) -> None:
    """The closed form is what fits without the structure give (the dressed atoms and the mean being kept)."""
    spec = replace(RIDGE, lambda_=0.05, kernel=kernels.Laplacian(sigma=200.0), centre=False)
    shelf = shelf_of(dataset, spec, CM, normalisation="per_atom")
    ground = Ground.of(shelf, dataset, Columns(dataset))
    found = left_out(ground)
    learned = shelf.transform.apply(shelf.train)
    for k in (0, 11):
        keep = np.arange(N_TRAIN) != k
        rows = shelf.model.train_rows  # type: ignore[attr-defined]
        without = spec.fit(rows.take(keep), learned[keep])
        said = without.predict(rows.take([k])).values
        told = shelf.transform.invert(said, shelf.train[[k]])[0, 0] - ground.truth(shelf.train[[k]])[0]
        assert found[k] == pytest.approx(told, rel=1e-7)
    assert np.isnan(left_out(Ground.of(shelf_of(dataset, MeanModel(), CM), dataset, Columns(dataset)))).all()


def test_models_without_training_structures_say_what_they_say(dataset: Dataset) -> None:
    shelf = shelf_of(dataset, MeanModel(), CM)
    ground = Ground.of(shelf, dataset, Columns(dataset))
    found = explain(ground, rows_of(shelf, dataset, 3), 3)
    assert found.total == pytest.approx(found.prediction)
    assert len(found.contributions) == 0
    assert found.effective == 0.0


def test_another_data_set(dataset: Dataset) -> None:
    """Training structures are no structures of it; what it lacks is not known; other elements are refused."""
    shelf = shelf_of(dataset, RIDGE, CM, normalisation="composition")
    other = dataset.take(slice(0, 5))
    bare = replace(other, properties={})
    ground = Ground.of(shelf, bare, Columns(bare))
    found = explain(ground, rows_of(shelf, bare, 2), 2)
    assert np.isnan(found.truth)
    assert len(found.carriers) == 0
    assert found.total == pytest.approx(found.prediction, rel=1e-10)
    whole = Ground.of(shelf, dataset, Columns(dataset))
    assert found.prediction == pytest.approx(explain(whole, rows_of(shelf, dataset, 2), 2).prediction)
    needy = shelf_of(dataset, RIDGE, CM, baseline="half")
    with pytest.raises(ValueError, match="half"):
        Ground.of(needy, bare, Columns(bare))
    strange = Structures.from_lists([np.array([35, 1], np.uint8)], [np.array([[0.0, 0, 0], [0, 0, 1.4]])], [None])
    few = Dataset(name="HBr", structures=strange, properties={}, identifiers=np.array(["HBr"]))
    with pytest.raises(UnknownElementsError, match="Br"):
        rows_of(shelf, few, 0)


@pytest.mark.parametrize("kernel", [kernels.Laplacian(sigma=3.0), kernels.Gaussian(sigma=2.0), kernels.Linear()])
@pytest.mark.parametrize("width", [1, 7, 8, 43])
def test_one_row_is_a_row_of_the_matrix(kernel: Any, width: int) -> None:
    rng = np.random.default_rng(width)
    one, others = Rows(rng.normal(size=(1, width))), Rows(rng.normal(size=(9, width)))
    np.testing.assert_allclose(similarities(kernel, one, others), kernel.matrix(one, others)[0], rtol=1e-10)
    single = Rows(others.array.astype(np.float32))
    np.testing.assert_allclose(similarities(kernel, one, single), kernel.matrix(one, single)[0], rtol=1e-6)


def test_of_nothing() -> None:
    assert len(similarities(kernels.Laplacian(sigma=1.0), Rows(np.ones((1, 3))), Rows(np.zeros((0, 3))))) == 0
