from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import REGISTRY
from qmlstudio.session.description import describe, part_of, row_of, single
from qmlstudio.views.descriptor import DescriptorView


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> DescriptorView:
    view = DescriptorView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(380, 640)
    view.show()
    return view


PANELS = REGISTRY["mbtr"]()
LOCAL = REGISTRY["lmbtr"](average="off")
CASES = {
    "matrix": REGISTRY["coulomb_matrix"](),
    "spectrum": REGISTRY["coulomb_matrix"](permutation="eigenspectrum"),
    "bags": REGISTRY["bag_of_bonds"](),
    "panels": PANELS,
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
    late = describe(representation, qm9.structures[3], species)
    view._describer._on_described((qm9, representation, 3), late)
    view._describer._on_described((qm9, representation.with_values(length_unit="angstrom"), 300), late)
    assert view.plot.data() is shown
    view._describer._on_described((qm9, representation, 300), late)
    assert view.plot.data() is not shown


def hover(view: DescriptorView, rig: Any, column: int) -> None:
    view.plot._set_hover(column)
    rig.settle()


def test_atoms_behind_a_column_light_up(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.store.update(representation=PANELS)
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    lit: list[tuple[int, ...]] = []
    rig.store.atoms_hovered.connect(lit.append)
    data = view.plot.data()
    assert data is not None
    hover(view, rig, int(np.argmax(data.values)))
    assert lit[-1]
    assert "%" in view.plot.composition()
    # what the plot itself lights up is no wish to see a part
    assert view.plot.part() is None
    hover(view, rig, -1)
    assert lit[-1] == ()


def test_picked_atoms_show_their_part(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.store.update(representation=PANELS)
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    rig.store.pick((0, 1))
    rig.settle()
    structure, species = qm9.structures[300], qm9.structures.species
    expected = part_of(PANELS, structure, species, (0, 1))
    assert expected is not None
    assert view.plot.part() == pytest.approx(expected)
    # live: the part comes along with other parameters
    rig.store.update(representation=PANELS.with_values(normalization="n_atoms"))
    rig.settle()
    assert view.plot.part() is not None
    assert view.plot.part() != pytest.approx(expected)
    rig.store.hover_atoms((2,))
    rig.settle()
    assert view.plot.part() is not None
    rig.store.hover_atoms(())
    rig.store.pick(())
    rig.settle()
    assert view.plot.part() is None


def test_rows_of_a_local_representation(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.store.update(representation=LOCAL)
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    structure, species = qm9.structures[300], qm9.structures.species
    rows = LOCAL.compute(single(structure), species=species).array

    def shown() -> Any:
        rig.settle()
        data = view.plot.data()
        assert data is not None
        return data.values

    assert view._rows.isVisibleTo(view)
    first = int(np.flatnonzero(structure.numbers > 1)[0])
    assert shown() == pytest.approx(rows[first])
    assert "rows" in view._size.text()
    rig.store.pick((4,))
    assert shown() == pytest.approx(rows[4])
    assert view._rows.currentText() == f"atom {structure.symbols[4]}5"
    view._rows.setCurrentIndex(0)
    view._rows.activated.emit(0)
    assert shown() == pytest.approx(rows.mean(axis=0))
    view._rows.setCurrentIndex(3)
    view._rows.activated.emit(3)
    assert shown() == pytest.approx(rows[2])
    assert rig.store.picked == (2,)
    # the next molecule begins with its own first heavy atom
    rig.store.set_active(301)
    rig.settle()
    assert view._row == "heavy"
    rig.store.update(representation=PANELS)
    rig.settle()
    assert not view._rows.isVisibleTo(view)


@pytest.mark.parametrize("representation", [PANELS, LOCAL, CASES["matrix"], CASES["bags"]])
def test_difference_to_a_pinned_structure(view: DescriptorView, rig: Any, qm9: Dataset, representation: Any) -> None:
    rig.store.update(representation=representation)
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    assert not view._versus.isVisibleTo(view)
    rig.store.toggle_pin(300)
    rig.store.toggle_pin(310)
    assert view._versus.isVisibleTo(view)
    assert view._versus.itemText(2).startswith("Δ 2: ")
    view._versus.setCurrentIndex(2)
    view._versus.activated.emit(2)
    rig.settle()
    reference = view.plot._reference
    assert reference is not None
    species = qm9.structures.species
    there, _ = row_of(representation, qm9.structures[310], species, "heavy")
    assert reference == pytest.approx(there)
    assert view.figure_options()["compared"] == 310
    # an unpinned structure is no longer compared with
    rig.store.toggle_pin(310)
    rig.settle()
    assert view.plot._reference is None
    view.toggle_difference()
    rig.settle()
    assert view.plot._reference is not None
    view.toggle_difference()
    rig.settle()
    assert view.plot._reference is None


def test_what_needs_a_cell_explains_itself(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(300)
    rig.settle()
    note = next(c.note for c in view._choice.choices() if c.name == "sine_matrix")
    assert "needs unit cells" in note
    view.choose("sine_matrix")
    rig.settle()
    assert view._error.isVisibleTo(view)
    assert "Open crystals" in view._error.text()
    assert view.plot.data() is None
    view.choose("coulomb_matrix")
    rig.settle()
    assert not view._error.isVisibleTo(view)
    assert view.plot.data() is not None


def test_errors_are_told_and_the_panel_lives(view: DescriptorView, rig: Any) -> None:
    good, bad = np.array([[0.0, 0, 0], [0, 0, 1.1]]), np.zeros((2, 3))
    structures = Structures.from_lists([np.array([6, 8])] * 2, [good, bad])
    dataset = Dataset("two", structures, {})
    rig.open(dataset)
    rig.store.set_active(1)
    rig.settle()
    assert view._error.isVisibleTo(view)
    assert view._error.text().startswith("⚠ this structure")
    assert view.plot.data() is None
    rig.store.set_active(0)
    rig.settle()
    assert not view._error.isVisibleTo(view)
    assert view.plot.data() is not None
    view._on_failed(KeyError("what nobody thought of"))
    assert "KeyError" in view._error.text()


def test_cost_is_said_and_warns_beyond_the_budget(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(3)
    rig.settle()
    view._on_estimating_timeout()
    rig.settle()
    assert view._size.text().endswith(" s")
    view.set_memory_budget(1000)
    assert view._size.text().startswith("⚠ ")
    assert "budget" in view._size.text()
    view.set_memory_budget(2**33)
    assert not view._size.text().startswith("⚠ ")


def test_slow_first_drawing_says_so(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(3)
    rig.settle()
    view._on_patience_timeout()
    assert view.plot.data() is None
    assert "Preparing" in view.plot._empty_text


def test_about_follows_and_renders_its_formulas(view: DescriptorView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_about()
    rig.settle()
    dialog = view._dialog
    assert dialog is not None
    assert dialog.windowTitle() == rig.store.session.representation.title
    assert all(ink is not None for ink in dialog._inks)
    view.choose("bag_of_bonds")
    rig.settle()
    assert dialog.windowTitle() == REGISTRY["bag_of_bonds"].title
    dialog.close()
    QTest.qWait(20)
    assert view._dialog is None
    view.show_about()
    assert view._dialog is not None


def test_representations_of_other_packages_appear(
    view: DescriptorView, rig: Any, qm9: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.open(qm9)
    own = type("Own", (REGISTRY["coulomb_matrix"],), {"name": "own", "title": "Own", "help": "Of one's own."})
    monkeypatch.setitem(REGISTRY, "own", own)
    view.show_choices()
    added = view._choice.choices()[-1]
    assert (added.name, added.family) == ("own", "Of other packages")
    view.choose("own")
    rig.settle()
    assert rig.store.session.representation == own()
    assert view.plot.data() is not None


def test_frames_are_described_as_they_play(view: DescriptorView, rig: Any, ethanol: Dataset) -> None:
    rig.store.update(representation=PANELS)
    rig.open(ethanol)
    rig.store.set_active(0)
    rig.store.pick((1,))
    rig.settle()
    before = view.redraws
    for frame in range(1, 20):
        rig.store.set_active(frame)
        QTest.qWait(15)
    rig.settle()
    assert view.redraws > before
    data = view.plot.data()
    assert data is not None
    expected = PANELS.compute(single(ethanol.structures[19]), species=ethanol.structures.species).array[0]
    assert data.values == pytest.approx(expected)
    # the atoms stay picked, and their part with them
    assert view.plot.part() is not None
