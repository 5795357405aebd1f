"""The explainer follows model and structure, only while somebody looks, and leaves nothing of another one behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.explaining import MOST_CHORDS, RELIABILITY, SIZES, SURVEY, Explainer, chords
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.representations import REGISTRY
from qmlstudio.session.columns import Columns
from qmlstudio.session.quick_fit import QuickFit, fit
from qmlstudio.session.scripting import with_derived
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.session.size_transfer import SizeTransfer


@dataclass
class Rig:
    store: Store
    runner: JobRunner
    shelf: ModelShelf
    explainer: Explainer

    def settle(self) -> None:
        assert self.runner.wait_idle(60)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return with_derived(load_builtin("qm9_7").take(slice(0, 120)))


@pytest.fixture(scope="module")
def local(dataset: Dataset) -> ShelfModel:
    spec = QuickFit(target="U0_atomization", n_train=40, n_test=30, kernel="local_sum")
    return fit(spec, dataset, Columns(dataset), REGISTRY["acsf"]())


@pytest.fixture(scope="module")
def plain(dataset: Dataset) -> ShelfModel:
    return fit(QuickFit(target="gap", n_train=40, n_test=30), dataset, Columns(dataset), REGISTRY["coulomb_matrix"]())


@pytest.fixture
def rig(qtbot: QtBot, dataset: Dataset) -> Iterator[Rig]:
    store, runner, shelf = Store(), JobRunner(), ModelShelf()
    rig = Rig(store, runner, shelf, Explainer(store, runner, shelf))
    store.open_dataset(dataset)
    yield rig
    runner.shutdown()


def test_a_click_says_why(rig: Rig, local: ShelfModel) -> None:
    rig.shelf.add(local)
    first, second = local.test[:2].tolist()
    rig.store.set_active(first)
    rig.settle()
    assert rig.explainer.explanation is None
    rig.explainer.set_watched(True)
    rig.settle()
    found = rig.explainer.explanation
    assert found is not None
    assert found.index == first
    assert found.total == pytest.approx(found.prediction, rel=1e-9)
    assert rig.store.links == chords(found)
    shown = rig.store.atom_values
    assert shown is not None
    assert shown[0] == first
    np.testing.assert_array_equal(shown[1].values, found.atoms)
    rig.store.set_active(second)
    rig.settle()
    assert rig.explainer.explanation is not None
    assert rig.explainer.explanation.index == second
    assert {link[0] for link in rig.store.links} == {second}
    rig.explainer.set_watched(False)
    assert rig.store.links == ()
    assert rig.store.atom_values is None


def test_what_is_shown_can_be_chosen(rig: Rig, local: ShelfModel) -> None:
    rig.shelf.add(local)
    rig.store.set_active(int(local.test[0]))
    rig.explainer.set_watched(True)
    rig.settle()
    rig.explainer.set_shown(chords=False, atoms=True, numbers=True)
    assert rig.store.links == ()
    assert rig.store.atom_values is not None
    assert rig.store.atom_values[1].numbers
    rig.explainer.set_shown(chords=True, atoms=False, numbers=True)
    assert rig.store.links
    assert rig.store.atom_values is None


def test_lines_of_others_are_left_alone(rig: Rig, plain: ShelfModel) -> None:
    rig.store.show_links(((0, 1, "path"),))
    rig.shelf.add(plain)
    rig.store.set_active(int(plain.test[0]))
    rig.explainer.set_watched(True)
    rig.settle()
    assert rig.store.links[0] == (0, 1, "path")
    assert len(rig.store.links) > 1
    assert rig.store.atom_values is None
    rig.shelf.set_current(None)
    assert rig.store.links == ((0, 1, "path"),)


def test_chords_are_weighted(rig: Rig, plain: ShelfModel) -> None:
    rig.shelf.add(plain)
    rig.store.set_active(int(plain.test[0]))
    rig.explainer.set_watched(True)
    rig.settle()
    found = rig.explainer.explanation
    assert found is not None
    lines = chords(found)
    assert 0 < len(lines) <= MOST_CHORDS
    assert all(a == found.index != b for a, b, *_ in lines)
    sizes = dict(zip(found.ground.carriers.tolist(), found.contributions.tolist(), strict=True))
    largest = max(abs(v) for v in sizes.values())
    for _, other, kind, weight in lines:  # type: ignore[misc]
        assert kind == ("raises" if sizes[other] > 0 else "lowers")
        assert weight == pytest.approx(abs(sizes[other]) / largest)


def test_another_data_set_forgets_all(rig: Rig, plain: ShelfModel, dataset: Dataset) -> None:
    rig.shelf.add(plain)
    rig.store.set_active(5)
    rig.explainer.set_watched(True)
    rig.settle()
    rig.explainer.find_reliability()
    rig.settle()
    assert rig.explainer.left_out is not None
    assert rig.explainer.reliability is not None
    rig.store.open_dataset(replace(dataset.take(slice(0, 50)), name="other"))
    assert rig.explainer.explanation is None
    assert rig.explainer.reliability is None
    assert rig.store.links == ()
    rig.store.set_active(3)
    rig.settle()
    found = rig.explainer.explanation
    assert found is not None
    assert len(found.carriers) == 0
    assert rig.store.links == ()


def test_a_model_that_does_not_fit_says_so(rig: Rig, plain: ShelfModel, dataset: Dataset) -> None:
    needy = replace(plain, task=plain.task.with_values(baseline="nothing like it"))
    rig.shelf.add(needy)
    rig.store.set_active(5)
    rig.explainer.set_watched(True)
    rig.settle()
    assert rig.explainer.status.startswith("⚠")
    assert "nothing like it" in rig.explainer.status
    rig.shelf.add(plain)
    rig.settle()
    assert rig.explainer.status == ""
    assert rig.explainer.explanation is not None


def test_jobs_of_the_whole_set(rig: Rig, plain: ShelfModel) -> None:
    rig.shelf.add(plain)
    rig.explainer.set_watched(True)
    rig.settle()
    assert rig.explainer.status == ""
    rig.store.set_active(None)
    assert "Choose a structure" in rig.explainer.status
    rig.explainer.find_survey()
    rig.explainer.find_reliability()
    assert rig.explainer.is_busy(SURVEY)
    assert rig.explainer.is_busy(RELIABILITY)
    rig.settle()
    assert not rig.explainer.is_busy(SURVEY)
    columns = rig.store.columns
    assert columns is not None
    assert columns["distance to training"].values[plain.train].max() < 1e-5
    assert columns["gap ± σ"].unit == "Ha"
    assert set(columns["model's data"].categories) == {"training", "held out", "other"}
    assert rig.explainer.reliability is not None
    assert rig.explainer.reliability.count == len(plain.test)
    # the next model has not said anything of them yet
    rig.shelf.set_current(None)
    assert rig.store.columns is not None
    assert "distance to training" not in rig.store.columns


def test_a_fit_becomes_the_current_model(rig: Rig) -> None:
    rig.explainer.set_watched(True)
    rig.store.set_active(5)
    rig.explainer.fit(QuickFit(target="gap", n_train=25, n_test=25))
    rig.settle()
    assert rig.shelf.current is not None
    assert rig.shelf.current.target == "gap"
    rig.settle()
    assert rig.explainer.explanation is not None


def test_errors_of_small_to_large_are_told(rig: Rig) -> None:
    rig.explainer.find_sizes(SizeTransfer(target="gap", largest=1))
    rig.settle()
    assert "at least 20" in rig.explainer.sizes_error
    assert not rig.explainer.is_busy(SIZES)
    rig.explainer.find_sizes(SizeTransfer(target="gap", largest=4, n_train=20, n_test=10))
    rig.explainer.cancel(SIZES)
    rig.settle()
    assert rig.explainer.sizes is None
    assert not rig.explainer.is_busy(SIZES)
