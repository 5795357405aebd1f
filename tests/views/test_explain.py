"""The panel "Why": fitted, asked, drawn; its three pages and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.representations import REGISTRY
from qmlstudio.session.columns import Columns
from qmlstudio.session.quick_fit import QuickFit, fit
from qmlstudio.session.scripting import with_derived
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.session.size_transfer import MEAN, PRESENT, SUM, SizeErrors, SizeResult, SizeTransfer
from qmlstudio.views.explain import WhyView
from qmlstudio.views.explain.texts import decimals, number
from qmlstudio.views.structure import StructureView

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return with_derived(load_builtin("qm9_7").take(slice(0, 120)))


@pytest.fixture(scope="module")
def local(dataset: Dataset) -> ShelfModel:
    spec = QuickFit(target="U0_atomization", n_train=40, n_test=40, kernel="local_sum")
    return fit(spec, dataset, Columns(dataset), REGISTRY["acsf"]())


@pytest.fixture(scope="module")
def plain(dataset: Dataset) -> ShelfModel:
    return fit(QuickFit(target="gap", n_train=40, n_test=40), dataset, Columns(dataset), REGISTRY["coulomb_matrix"]())


@pytest.fixture
def view(rig: Any, dataset: Dataset, qtbot: QtBot) -> Iterator[WhyView]:
    rig.store.open_dataset(dataset)
    view = WhyView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.set_dark(False)
    view.resize(300, 860)
    view.show()
    yield view
    rig.runner.wait_idle(20)
    view.hide()


def ask(view: WhyView, rig: Any, model: ShelfModel, index: int) -> None:
    view.shelf.add(model)
    rig.store.set_active(index)
    rig.settle()


def test_without_a_model_one_is_asked_for(view: WhyView) -> None:
    assert view._box.isVisible()
    assert "Fit a model" in view._status.text()
    assert not view.why.list.indices
    assert view.minimumSizeHint().width() <= 300


def test_a_model_is_fitted_here(view: WhyView, rig: Any) -> None:
    view._property.setCurrentIndex(view._property.findData("gap"))
    view._form.set_value(QuickFit(n_train=30, n_test=25))
    view._show_fit()
    rig.store.set_active(60)
    QTest.mouseClick(view._fit, LEFT)
    assert view._fit.text() == "Cancel the fit"
    rig.settle()
    rig.settle()
    assert view._fit.text() == "Fit"
    assert view._models.currentText().startswith("gap")
    assert not view._box.isVisible()
    assert "N = 30" in view._scores.text()
    assert view.why.headline.text().startswith("gap = ")


def test_the_number_is_explained(view: WhyView, rig: Any, plain: ShelfModel) -> None:
    index = int(plain.test[0])
    ask(view, rig, plain, index)
    page, found = view.why, view.explainer.explanation
    assert found is not None
    assert "± " in page.headline.text()
    assert page.headline.text().endswith("Ha")
    assert "error" in page.truth.text()
    assert "held out" in page.domain.text()
    assert page.sum.text().endswith("✓")
    assert "(40 training structures)" in page.sum.text()
    assert page.list.indices == tuple(found.carriers.tolist())
    marks = [row.mark for row in page.list.items.rows if row.index >= 0]
    signs = ["▲" if c >= 0 else "▼" for c in found.contributions[found.order]]
    assert [m[0] for m in marks] == signs
    assert page.waterfall.end == pytest.approx(found.prediction, rel=1e-9)
    assert not page._atoms.isEnabled()
    rig.settle()
    assert "left out" in page.list.items.rows[1].value
    rig.store.set_active(int(plain.train[0]))
    rig.settle()
    assert "In the training set" in page.domain.text()


def test_a_sum_that_is_wrong_would_be_seen(view: WhyView, rig: Any, plain: ShelfModel) -> None:
    from dataclasses import replace

    ask(view, rig, plain, int(plain.test[0]))
    found = view.explainer.explanation
    assert found is not None
    view.explainer.explanation = replace(found, prediction=found.prediction + 0.01)
    view.why.show_explanation()
    assert "⚠ off by 1.0e-02" in view.why.sum.text()


def test_training_structures_are_gone_to_pinned_and_selected(view: WhyView, rig: Any, plain: ShelfModel) -> None:
    ask(view, rig, plain, int(plain.test[0]))
    rows = view.why.list
    listed = rows.indices
    at = rows.visualRect(rows.items.index(2)).center()
    QTest.mouseClick(rows.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, at)
    assert rig.store.session.pins == (listed[1],)
    QTest.mouseClick(view.why._select, LEFT)
    assert set(np.flatnonzero(rig.store.session.selection.mask)) == set(listed)
    assert "why" in rig.store.session.selection.origin
    QTest.mouseClick(rows.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, at)
    assert rig.store.active == listed[1]


def test_atoms_are_painted_in_the_structure_view(view: WhyView, rig: Any, local: ShelfModel, qtbot: QtBot) -> None:
    structure = StructureView(rig.store, rig.runner)
    qtbot.addWidget(structure)
    index = int(local.test[0])
    ask(view, rig, local, index)
    found = view.explainer.explanation
    assert found is not None
    shown = structure.canvas.atom_values
    assert shown is not None
    np.testing.assert_array_equal(shown.values, found.atoms)
    assert f"Σ over {len(found.atoms):,} atoms" in " ".join(view.why.sum.text().split())
    view.why._numbers.setChecked(True)
    assert structure.canvas.atom_values.numbers
    view.why._by.setCurrentIndex(1)
    view.why._by.activated.emit(1)
    assert view.why.waterfall.end == pytest.approx(found.prediction, rel=1e-9)
    lit: list[tuple[int, ...]] = []
    rig.store.atoms_hovered.connect(lit.append)
    view.why.waterfall.hovered.emit(2)
    view.why.waterfall.hovered.emit(-1)
    assert lit == [(2,), ()]
    view.why._atoms.setChecked(False)
    assert structure.canvas.atom_values is None
    view.why._atoms.setChecked(True)
    rig.store.set_active(int(local.test[1]))
    rig.settle()
    assert structure.canvas.atom_values is not None
    view.hide()
    assert structure.canvas.atom_values is None


def test_calibration_of_held_out_structures(view: WhyView, rig: Any, plain: ShelfModel) -> None:
    ask(view, rig, plain, int(plain.test[0]))
    assert view.explainer.reliability is None
    view.tabs.setCurrentIndex(1)
    rig.settle()
    names = [c.style.name for c in view.trust.plot.curves]
    assert names == ["± σ of the model", "conformal", "conformal × σ"]
    assert "40 structures held out" in view.trust.text.text()
    assert "90 % interval (conformal)" in view.why.truth.text()


def test_the_map_is_coloured_by_what_is_known(view: WhyView, rig: Any, plain: ShelfModel) -> None:
    ask(view, rig, plain, int(plain.test[0]))
    view.tabs.setCurrentIndex(2)
    page = view.domain
    for button, column in ((page._distance, "distance to training"), (page._deviation, "gap ± σ")):
        QTest.mouseClick(button, LEFT)
        rig.settle()
        assert rig.store.session.coloring.color_by == column
        assert column in rig.store.columns
    assert "lie outside the domain" in page._text.text()
    QTest.mouseClick(page._mark, LEFT)
    assert rig.store.session.map_view.symbol_by == "model's data"
    QTest.mouseClick(page._outside, LEFT)
    survey = view.explainer.survey
    assert survey is not None
    np.testing.assert_array_equal(rig.store.session.selection.mask, survey.outside)


def a_result(sum_beyond: float = 2.0) -> SizeResult:
    sizes, counts = np.array([4.0, 5.0, 6.0]), np.array([20, 20, 20])

    def errors(kind: str, label: str, beyond: float) -> SizeErrors:
        mae = np.array([1.0, 1.0, beyond])
        return SizeErrors(kind, label, sizes, mae, mae, counts, 1.0, beyond, 1.0)

    models = (
        errors(PRESENT, "Coulomb matrix, Laplacian", 30.0),
        errors(MEAN, "FCHL19, mean over atoms", 12.0),
        errors(SUM, "FCHL19, sum over atoms", sum_beyond),
    )
    spec = SizeTransfer(target="U0_atomization", largest=5)
    return SizeResult(spec, "kcal/mol", np.arange(50), np.arange(50, 110), models, True)


def test_small_to_large_is_told_as_it_came_out(view: WhyView) -> None:
    view.tabs.setCurrentIndex(2)
    view.explainer.sizes = a_result()
    view.domain.show_sizes()
    text = view.domain.told.text()
    assert "Coulomb matrix, Laplacian: 1.0 → 30.0 kcal/mol (× 30.0)" in text
    assert "adds them up" in text
    view.explainer.sizes = a_result(sum_beyond=20.0)
    view.domain.show_sizes()
    assert "no better beyond" in view.domain.told.text()


def test_small_to_large_can_be_cancelled(view: WhyView, rig: Any) -> None:
    view.tabs.setCurrentIndex(2)
    page = view.domain
    page._property.setCurrentIndex(page._property.findData("gap"))
    page.show_sizes()
    page._on_run_clicked()
    assert page._run.text() == "Cancel"
    page._on_run_clicked()
    rig.settle()
    assert page._run.text() == "Train on small, test on large"


def test_state_comes_back(view: WhyView, rig: Any, qtbot: QtBot) -> None:
    view._property.choose("gap")
    view._form.set_value(QuickFit(n_train=123))
    view.tabs.setCurrentIndex(2)
    view.explainer.set_shown(False, True, True)
    other = WhyView(rig.store, rig.runner)
    qtbot.addWidget(other)
    other.restore({"fit": {"nonsense": 1}})
    other.restore(view.state())
    assert other.state() == view.state()
    assert not other.why._chords.isChecked()


@pytest.mark.parametrize(
    ("value", "places", "sign", "text"),
    [(-1234.567, 1, False, "−1,234.6"), (0.0, 2, True, "0.00"), (-0.001, 1, True, "0.0"), (np.nan, 2, False, "–"),
     (2.5e12, 0, True, "+2.500e+12")],
)  # fmt: skip
def test_numbers(value: float, places: int, sign: bool, text: str) -> None:
    assert number(value, places, sign) == text


def test_decimals() -> None:
    assert decimals(0.0123, 2) == 3
    assert decimals(1500.0, 2) == 0
    assert decimals(0.0, 3) == 3
    assert decimals(np.inf, 3) == 3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_looks(view: WhyView, rig: Any, local: ShelfModel, screenshots: Path, dark: bool) -> None:
    ask(view, rig, local, int(local.test[0]))
    view.set_dark(dark)
    rig.settle()
    view.explainer.sizes = a_result()
    view.domain.show_sizes()
    for place, name in enumerate(("why", "trust", "domain")):
        view.tabs.setCurrentIndex(place)
        rig.settle()
        assert view.grab().save(str(screenshots / f"explain_{name}_{'dark' if dark else 'light'}.png"))
