"""The protocol on real molecules: hyper-parameters from training structures alone give the figures that are known."""

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.readers import open_dataset
from qmlstudio.learning.evaluation.controls import shuffled_labels
from qmlstudio.learning.evaluation.folds import HoldOut, TrainOnly
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.search import search
from qmlstudio.learning.evaluation.splits import GroupedSplit, RandomSplit, SplitContext, propose
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.kernels import Laplacian
from qmlstudio.learning.models.kernel_ridge import KernelRidge
from qmlstudio.learning.rows import Rows
from qmlstudio.representations import REGISTRY

QM7 = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "qm7" / "qm7.tar.gz"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not QM7.exists(), reason="needs ../shared/data")]
TEST, TRAIN = 1369, 1000


@pytest.fixture(scope="module")
def qm7() -> tuple[Dataset, Rows]:
    data = open_dataset(QM7)
    return data, Rows.of(REGISTRY["coulomb_matrix"]().compute(data.structures), data.structures)


@pytest.mark.parametrize(("baseline", "low", "high"), [("", 6.8, 8.1), ("atomization_energy_dftb", 2.4, 3.4)])
def test_a_thousand_molecules_by_the_sorted_coulomb_matrix(
    qm7: tuple[Dataset, Rows], baseline: str, low: float, high: float
) -> None:
    data, rows = qm7
    target = Task(target="atomization_energy_pbe0", baseline=baseline).prepare(data.per_structure, data.structures)
    split = RandomSplit(n_test=TEST).draw(SplitContext.of(data, data.per_structure, target), 1)
    grid = Grid(sigma_low=16.0, sigma_high=64.0, sigma_count=2, lambda_low=-7, lambda_high=-3)
    found = search(KernelRidge(kernel=Laplacian()), rows, target, grid, HoldOut(), train=TrainOnly(split, TRAIN))
    train = split.train(TRAIN)
    transform = target.transform(train)
    model = found.spec.fit(rows.take(train), transform.apply(train))
    predicted = transform.invert(model.predict(rows.take(split.test)).values, split.test)
    error = np.abs(predicted - target.truth(split.test)).mean()
    # the seeds' range of an independent run is 7.23 to 7.67 kcal/mol without a baseline
    assert low < error < high
    assert found.unit == "kcal/mol"


def test_shuffled_labels_teach_nothing(qm7: tuple[Dataset, Rows]) -> None:
    data, rows = qm7
    target = Task(target="atomization_energy_pbe0").prepare(data.per_structure, data.structures)
    split = RandomSplit(n_test=TEST).draw(SplitContext.of(data, data.per_structure, target), 1)
    spec = KernelRidge(kernel=Laplacian(sigma=3000.0), lambda_=0.1)
    found = shuffled_labels(spec, rows, target, split, size=TRAIN)
    assert found.mae == pytest.approx(found.mad, rel=0.1)
    assert found.mad == pytest.approx(178.5, rel=0.1)
    assert not found.leaks


def test_stereoisomers_stay_together(qm7: tuple[Dataset, Rows]) -> None:
    data, _ = qm7
    target = Task(target="atomization_energy_pbe0").prepare(data.per_structure, data.structures)
    where = SplitContext.of(data, data.per_structure, target)
    found = propose(where)
    assert isinstance(found.spec, GroupedSplit)
    assert found.groups is not None
    split = found.spec.draw(where, 1)
    labels = found.groups.labels
    assert not set(labels[split.train_order]) & set(labels[split.test])
