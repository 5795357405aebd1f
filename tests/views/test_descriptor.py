from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset
from qmlstudio.representations import REGISTRY
from qmlstudio.views.descriptor import DescriptorView


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> DescriptorView:
    view = DescriptorView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(380, 640)
    view.show()
    return view


CASES = {
    "matrix": REGISTRY["coulomb_matrix"](),
    "spectrum": REGISTRY["coulomb_matrix"](permutation="eigenspectrum"),
    "bags": REGISTRY["bag_of_bonds"](),
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", CASES)
def test_pictures(view: DescriptorView, rig: Any, qm9: Dataset, dark: bool, kind: str, screenshots: Path) -> None:
    view.set_dark(dark)
    rig.store.update(representation=CASES[kind])
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    data = view.plot.data()
    assert data is not None
    assert data.kind == kind
    expected = CASES[kind].compute(qm9.structures.take([300]), species=qm9.structures.species).array[0]
    assert np.allclose(data.values, expected)
    assert view.grab().save(str(screenshots / f"descriptor_{kind}_{'dark' if dark else 'light'}.png"))


def test_form_changes_the_session_and_undo_the_form(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    before = rig.store.session.representation
    view._form.value_changed.emit(before.with_values(length_unit="angstrom"))
    rig.settle()
    assert rig.store.session.representation.length_unit == "angstrom"
    rig.store.undo()
    assert view._form.value() == before


def test_every_parameter_of_every_representation_has_an_editor(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    for name, cls in REGISTRY.items():
        view._choice.setCurrentIndex(view._choice.findData(name))
        view._choice.activated.emit(view._choice.currentIndex())
        rig.settle()
        for p in cls.params():
            assert view._form.editor(p.name) is not None


def test_size_is_said_before_computing(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    columns = rig.store.session.representation.size(qm9.structures.species)
    assert f"{columns:,} columns" in view._size.text()


def test_clicked_cell_picks_its_atoms(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    data = view.plot.data()
    assert data is not None
    column = next(c for c, atoms in enumerate(data.atoms) if len(atoms) == 2)
    view.plot.clicked.emit(column)
    assert set(rig.store.picked) == set(data.atoms[column])


def test_without_a_set_it_is_empty(view: DescriptorView) -> None:
    assert view.plot.data() is None
    assert view._size.text() == ""


def test_what_was_computed_for_a_moment_ago_is_not_shown(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    shown = view.plot.data()
    representation, species = rig.store.session.representation, qm9.structures.species
    late = (np.zeros(representation.size(species)), representation.layout(qm9.structures[3], species))
    view._on_described(qm9, 3, representation, late)
    view._on_described(qm9, 300, representation.with_values(length_unit="angstrom"), late)
    assert view.plot.data() is shown
    view._on_described(qm9, 300, representation, late)
    assert view.plot.data() is not shown
