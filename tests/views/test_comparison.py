"""The comparison's pages follow the list of sets; pictures in both themes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.comparison import CoverageSpec
from qmlstudio.session.comparison.literature import KNOWN
from qmlstudio.views.comparison import ComparisonView


@pytest.fixture
def view(rig: Any, qtbot: QtBot, qm9: Dataset) -> Iterator[ComparisonView]:
    rig.open(qm9)
    view = ComparisonView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(1120, 740)
    with qtbot.waitExposed(view):
        view.show()
    yield view
    view.engine.close()


@pytest.fixture
def filled(view: ComparisonView, rig: Any, ethanol: Dataset) -> ComparisonView:
    view.add_open_set()
    view.engine.add("MD of ethanol", ethanol)
    rig.settle()
    return view


def texts(menu: Any) -> list[str]:
    return [a.text().replace("&", "") for a in menu.actions() if not a.isSeparator()]


def test_pages_show_all_sets(filled: ComparisonView) -> None:
    own = [p for p in filled.sizes.chart.points if p.style is not None]
    assert [p.molecules for p in own][1] == 1
    assert len(filled.sizes.chart.points) == len(KNOWN) + 2
    assert filled.composition.containing.values.shape[0] == 2
    filled.distances.choose("C–H")
    assert [c.style.name for c in filled.distances.plot.curves] == [s.name for s in filled.sets.styles]
    assert len(filled.angles.plot.curves) == 2
    assert len(filled.energies.plot.curves) == 2
    assert [c.style.name for c in filled.forces.plot.curves] == ["MD of ethanol"]
    assert filled.export.isEnabled()


def test_the_chosen_pair_stays_when_sets_come_and_go(filled: ComparisonView, rig: Any) -> None:
    filled.distances.choose("C–O")
    filled.engine.remove(filled.engine.entries[1].number)
    rig.settle()
    assert filled.distances.which.currentData() == "C–O"
    assert len(filled.distances.plot.curves) == 1
    filled.engine.remove(filled.engine.entries[0].number)
    rig.settle()
    assert filled.distances.plot.curves == ()
    assert filled.forces.plot.readout.text() == "No set has forces with a unit."


def test_smoothing_and_logarithm_redraw(filled: ComparisonView) -> None:
    page = filled.distances
    page.choose("C–H")
    before = page.plot.curves[1].y.copy()
    page.smoothing.setValue(4.0)
    assert page.plot.curves[1].y.max() < before.max()
    page.smoothing.setValue(0.0)
    counts = page.curves().histograms[1].counts  # type: ignore[union-attr]
    np.testing.assert_allclose(page.plot.curves[1].y, counts / counts.sum() / 0.02)
    page.log.setChecked(True)
    assert page.plot._y_log
    page.bonded.click()
    assert page.plot._box.viewRange()[0][1] < 2.5


def test_the_menu_offers_parts_of_the_open_set(view: ComparisonView, rig: Any, qm9: Dataset) -> None:
    view._fill_menu()
    offered = texts(view._menu)
    assert offered[:2] == [f"{qm9.name} (400)", "Its selection (0)"]
    assert not view._menu.actions()[1].isEnabled()
    rig.store.select(np.arange(400) < 40, "replace", "lasso")
    view._fill_menu()
    view._menu.actions()[1].trigger()
    split = next(a.menu() for a in view._menu.actions() if a.text() == "Each category of")
    assert {"smiles", "formula"} <= set(texts(split))
    view._add_categories("formula")
    rig.settle()
    parts = view.engine.parts
    assert len(parts[0]) == 40
    assert len(parts) == 8
    assert "categories were added" in view.status.text() or view.engine.result is not None


def test_columns_that_the_session_added_are_compared(view: ComparisonView, rig: Any, qm9: Dataset) -> None:
    corrected = replace(qm9.properties["U0"], unit="eV")
    rig.store.add_columns({"U0": corrected}, "unit corrected")
    view.add_open_set()
    rig.settle()
    assert view.engine.result is not None
    energies = view.engine.result.sets[0].energies
    assert energies is not None
    assert energies.unit == "eV"
    assert energies.values[0] == corrected.values[0]


def test_names_are_edited_and_sets_removed_by_keys(filled: ComparisonView, rig: Any) -> None:
    item = filled.sets.list.item(1)
    item.setText("hot ethanol")
    rig.settle()
    assert filled.engine.entries[1].name == "hot ethanol"
    assert filled.engine.result is not None
    assert filled.engine.result.sets[1].name == "hot ethanol"
    filled.sets.list.setCurrentRow(1)
    filled.sets.up.click()
    rig.settle()
    assert filled.engine.entries[0].name == "hot ethanol"
    assert filled.sets.list.currentRow() == 0
    QTest.keyClick(filled.sets, Qt.Key.Key_Delete)
    rig.settle()
    assert len(filled.engine.entries) == 1


def test_energies_of_the_marked_set_can_be_chosen(filled: ComparisonView, rig: Any) -> None:
    filled.sets.list.setCurrentRow(0)
    combo = filled.sets.energy
    assert combo.currentData() == "U0"
    combo.setCurrentIndex(combo.findData("U0_atomization"))
    combo.activated.emit(combo.currentIndex())
    rig.settle()
    assert "U0_atomization" in filled.energies.note


def test_coverage_is_a_matrix_whose_cells_show_distances(filled: ComparisonView, rig: Any) -> None:
    page = filled.coverage
    filled.show_page("coverage")
    page._spec = CoverageSpec(sample=80)
    page.compute.click()
    rig.settle()
    covered = filled.engine.covered
    assert covered is not None
    assert page.table.rowCount() == 2
    assert page.table.item(0, 1).text() == f"{100 * covered.outside[0, 1]:.1f} %"
    page.table.setCurrentCell(1, 0)
    assert page.cell == (1, 0)
    assert page.sentence.text() == covered.sentence(1, 0)
    assert len(page.plot.curves) == 2
    joined: list[Dataset] = []
    filled.joint_ready.connect(lambda dataset, _representation: joined.append(dataset))
    page.join.click()
    rig.settle()
    assert len(joined[0]) == 130
    filled.engine.remove(filled.engine.entries[1].number)
    rig.settle()
    assert "Of other sets" in page.note


def test_a_representation_can_be_chosen_with_its_parameters(filled: ComparisonView) -> None:
    page = filled.coverage
    page.choice.setCurrentIndex(page.choice.findData("soap"))
    page.choice.activated.emit(page.choice.currentIndex())
    assert page.representation.name == "soap"
    page.form.value_changed.emit(replace(page.representation, r_cut=3.5))  # type: ignore[call-arg]
    assert page.representation.to_dict()["r_cut"] == 3.5


def test_figures_and_numbers_are_written(filled: ComparisonView, rig: Any, tmp_path: Path) -> None:
    filled.show_page("distances")
    filled.distances.choose("C–O")
    filled.write_figure(str(tmp_path / "one.svg"))
    rig.settle()
    assert "C–O distance" in (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert "one.svg" in filled.status.text()
    errors: list[str] = []
    filled.error_raised.connect(lambda text, _details: errors.append(text))
    filled.write_figure(str(tmp_path / "absent" / "one.svg"))
    rig.settle()
    assert len(errors) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_pictures(filled: ComparisonView, screenshots: Path, dark: bool) -> None:
    filled.set_dark(dark)
    theme = "dark" if dark else "light"
    for page in filled.pages:
        filled.show_page(page.name)
        QTest.qWait(30)
        assert filled.grab().save(str(screenshots / f"comparison_{page.name}_{theme}.png"))
    assert (filled.width(), filled.height()) == (1120, 740)
