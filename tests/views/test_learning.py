"""The learning panel: set up, run, look into a point, keep its model, use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.bench_jobs import duration
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.evaluation.folds import HoldOut
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.splits import RandomSplit
from qmlstudio.representations import REGISTRY
from qmlstudio.views.learning import LearningView
from qmlstudio.views.learning.view import CURVES, ERRORS, MODELS, SEARCH

LEFT = Qt.MouseButton.LeftButton
GRID = Grid(sigma_low=1.0, sigma_high=16.0, sigma_count=3, lambda_low=-9, lambda_high=-7)


@pytest.fixture(scope="session")
def some(qm9: Dataset) -> Dataset:
    return qm9.take(slice(100, 260))


@pytest.fixture
def view(rig: Any, qtbot: QtBot, some: Dataset, tmp_path: Path) -> Iterator[LearningView]:
    view = LearningView(rig.store, rig.runner)
    view.engine.folder = tmp_path / "bench"
    qtbot.addWidget(view)
    view.resize(1100, 300)
    rig.open(some)
    view.show()
    view.engine.change(sizes=(20, 40, 80), repeats=2, split=RandomSplit(n_test=40), folds=HoldOut(n_fit=40), grid=GRID)
    view.setup.judging.touched_split = True
    rig.settle()
    yield view
    if view.models.dialog is not None:
        view.models.dialog.close()
    rig.runner.cancel_all()


@pytest.fixture
def ready(view: LearningView, rig: Any) -> LearningView:
    """With a bench that has been run."""
    view.setup.base.click()
    QTest.mouseClick(view.run, LEFT)
    rig.settle()
    assert view.engine.state == "done", view.engine.status
    return view


def look(view: LearningView, rig: Any, size: int = 80) -> str:
    """Click a point of the first curve."""
    label = view.curves.chart.curves[0].name
    k = [int(x) for x in view.curves.chart.curves[0].x].index(size)
    QTest.mouseClick(view.curves.chart, LEFT, pos=view.curves.chart.mark_place(label, k).toPoint())
    rig.settle()
    return label


def test_a_series_is_there_from_the_start(view: LearningView) -> None:
    (series,) = view.engine.draft.series
    assert series.task.target == "gap"
    assert series.representation == REGISTRY["coulomb_matrix"]()
    assert series.label == "Coulomb matrix · Laplacian"
    assert view.run.isEnabled()
    assert "memory" in view.estimate.text()
    assert view.setup.advice.text().startswith("gap ")


def test_series_are_added_changed_renamed_and_removed(view: LearningView, rig: Any) -> None:
    setup = view.setup
    rig.store.update(representation=REGISTRY["soap"](average="off"))
    setup.add.click()
    assert [s.label for s in view.engine.draft.series][1].startswith("SOAP")
    added = view.engine.draft.series[1]
    assert added.representation is not None
    kernel = getattr(added.model, "kernel", None)
    assert kernel is not None
    assert (kernel.scope == "local") == added.representation.local
    assert setup.list.currentRow() == 1
    setup.kernel.box.setCurrentIndex(setup.kernel.box.count() - 1)
    setup.kernel.box.activated.emit(setup.kernel.box.currentIndex())
    assert view.engine.draft.series[1].label != added.label
    setup.list.item(1).setText("mine")
    assert view.engine.draft.series[1].label == "mine"
    setup.list.item(1).setText(view.engine.draft.series[0].label)  # taken: refused
    assert view.engine.draft.series[1].label == "mine"
    # another representation brings a kernel that suits it, and leaves the name that was given
    at = [k for k in range(setup.representation.box.count()) if setup.representation.box.itemData(k).name == "morgan"]
    setup.representation.box.setCurrentIndex(at[-1])
    setup.representation.box.activated.emit(at[-1])
    changed = view.engine.draft.series[1]
    assert getattr(changed.model, "kernel").name == "tanimoto"  # noqa: B009
    assert changed.label == "mine"
    setup.double.click()
    assert len(view.engine.draft.series) == 3
    setup.list.setFocus()
    QTest.keyClick(setup.list, Qt.Key.Key_Delete)
    assert len(view.engine.draft.series) == 2


def test_the_task_of_a_series(view: LearningView) -> None:
    setup = view.setup
    setup.target.choose("H")
    setup.baseline.choose("U0")
    setup.size_box.setCurrentIndex(setup.size_box.findData("per_atom"))
    setup._on_task_activated()
    task = view.engine.draft.series[0].task
    assert (task.target, task.baseline, task.normalisation) == ("H", "U0", "per_atom")
    assert "Δ U0" in view.engine.draft.series[0].label


def test_wrong_sizes_are_said(view: LearningView) -> None:
    setup = view.setup.judging
    setup.sizes.setText("many")
    setup._on_sizes_editing_finished()
    assert setup.proposal.text().startswith("⚠")
    assert view.engine.draft.sizes == (20, 40, 80)
    setup.sizes.setText("10…40")
    setup._on_sizes_editing_finished()
    assert view.engine.draft.sizes == (10, 20, 40)
    view.engine.change(series=())
    assert not view.run.isEnabled()
    assert view.status.text().startswith("⚠")


def test_curves_grow_and_the_search_fills(view: LearningView, rig: Any) -> None:
    counts: list[int] = []
    view.engine.result_changed.connect(
        lambda: counts.append(len(view.engine.result.points) if view.engine.result is not None else 0)
    )
    view.setup.base.click()
    QTest.mouseClick(view.run, LEFT)
    assert view.run.text() == "Pause"
    rig.settle()
    assert counts[-1] == 3 * 3 * 2
    assert view.engine.state == "done"
    chart = view.curves.chart
    assert [c.name for c in chart.curves if not c.is_reference] == ["Coulomb matrix · Laplacian"]
    names = [level.name for level in chart.levels]
    assert any("Mean" in n for n in names)
    assert any("Composition" in n for n in names)
    assert any(level.is_goal for level in chart.levels)  # of energies: 1 kcal/mol
    assert chart.curves[0].texts[0].startswith("N = 20: MAE")
    assert "kernel" in chart.curves[0].texts[-1]
    assert view.engine.searches
    view.show_page(SEARCH)
    assert view.search.map.values.shape == (3, 3)
    assert np.isfinite(view.search.map.values).all()
    assert view.search.map.best is not None


def test_a_bench_that_was_paused_goes_on(view: LearningView, rig: Any) -> None:
    QTest.mouseClick(view.run, LEFT)
    assert view.engine.is_running
    QTest.mouseClick(view.run, LEFT)
    assert view.engine.state == "paused"
    assert view.run.text() == "Go on"
    began = time.monotonic()
    rig.settle()
    assert time.monotonic() - began < 60
    QTest.mouseClick(view.run, LEFT)
    rig.settle()
    assert view.engine.state == "done"
    assert view.engine.result is not None
    assert view.engine.result.is_complete
    # the same again comes from the disk
    view.engine.start()
    rig.settle()
    assert view.engine.result.is_complete
    QTest.mouseClick(view.run, LEFT)
    view.engine.cancel()
    assert view.engine.state == "idle"
    rig.settle()


def test_a_click_on_a_point_leads_to_its_worst_molecules(ready: LearningView, rig: Any, some: Dataset) -> None:
    label = look(ready, rig)
    assert ready.page == ERRORS
    errors = ready.errors.errors
    assert errors is not None
    selection = rig.store.session.selection
    assert selection.origin == f"worst 20 of {label}, N = 80"
    worst = errors.test[np.argsort(-np.abs(errors.errors))[:20]]
    assert sorted(np.flatnonzero(selection.mask).tolist()) == sorted(worst.tolist())
    assert selection.active == worst[0]
    assert ready.errors.worst.indices[:20] == tuple(worst.tolist())
    assert ready.errors.parity.count == len(errors.test)
    assert {"size", "element", "group"} <= set(errors.bars)
    QTest.mouseClick(ready.errors.color, LEFT)
    name = rig.store.session.coloring.color_by
    column = rig.store.columns[name]
    assert np.isfinite(column.values).sum() == len(errors.test)
    assert column.values[errors.test] == pytest.approx(errors.errors)


def test_errors_are_linked_with_the_map(ready: LearningView, rig: Any) -> None:
    look(ready, rig)
    page, store = ready.errors, rig.store
    errors = page.errors
    assert errors is not None
    mask = np.zeros(len(errors.test), dtype=bool)
    mask[[2, 5]] = True
    page.parity.lassoed.emit(mask, "replace")
    assert sorted(np.flatnonzero(store.session.selection.mask)) == sorted(errors.test[[2, 5]])
    assert "parity" in store.session.selection.origin
    page.parity.clicked.emit(3, Qt.KeyboardModifier.NoModifier)
    assert store.active == errors.test[3]
    hovered: list[int] = []
    store.hovered.connect(hovered.append)
    page.parity.hovered.emit(4)
    assert hovered == [errors.test[4]]
    page.choose("element")
    bars = errors.bars["element"]
    at = bars.names.index("N")
    page.bars.chosen.emit(at)
    assert sorted(np.flatnonzero(store.session.selection.mask)) == sorted(errors.test[bars.members[at]])
    page.choose("histogram")
    page.histogram.range_selected.emit(0, page.histogram.bins - 1, "replace")
    assert store.session.selection.count == len(errors.test)
    page.choose("distance")
    rig.settle()
    assert page.errors is not None
    assert "distance" in page.errors.bars
    assert len(page.bars.bars) == 10
    # the other repeat has another test set
    page.repeat.setCurrentIndex(1)
    page.repeat.activated.emit(1)
    rig.settle()
    assert page.errors.repeat == 1
    assert not np.array_equal(page.errors.test, errors.test)


def test_models_are_kept_saved_read_and_applied(ready: LearningView, rig: Any, tmp_path: Path) -> None:
    look(ready, rig)
    QTest.mouseClick(ready.errors.keep, LEFT)
    rig.settle()
    (model,) = ready.shelf.models
    assert ready.shelf.current is model
    ready.show_page(MODELS)
    page = ready.models
    assert page.list.topLevelItemCount() == 1
    assert page.list.topLevelItem(0).text(2) == "80"
    path = tmp_path / "model.qmlm"
    ready.work.save(model, str(path))
    rig.settle()
    assert path.is_file()
    assert ready.shelf.models[0].path == str(path)
    ready.work.load(str(path))
    rig.settle()
    assert [m.name for m in ready.shelf.models] == [model.name, f"{model.name} (2)"]
    page.list.topLevelItem(1).setText(0, "second")
    assert ready.shelf.models[1].name == "second"
    QTest.mouseClick(page.apply, LEFT)
    rig.settle()
    columns = rig.store.columns
    assert {"gap_predicted", "gap_error", "gap_distance"} <= set(columns)
    errors = ready.errors.errors
    assert errors is not None
    assert columns["gap_predicted"].values[errors.test] == pytest.approx(errors.predicted, rel=1e-5)
    rig.store.undo()
    assert "gap_predicted" not in rig.store.columns
    ready.work.load(str(tmp_path / "none.qmlm"))
    rig.settle()
    assert ready.said.text().startswith("⚠")
    QTest.mouseClick(page.remove, LEFT)
    assert len(ready.shelf.models) == 1


def test_typed_molecules_are_predicted_or_refused(ready: LearningView, rig: Any, screenshots: Path) -> None:
    look(ready, rig)
    ready.work.keep()
    rig.settle()
    ready.models.ask_to_predict()
    dialog = ready.models.dialog
    assert dialog is not None
    dialog.edit.setPlainText("CCO ethanol\nC[SiH3] silane")
    dialog._timer.timeout.emit()
    rig.settle()
    assert [r.name for r in dialog.rows] == ["ethanol", "silane"]
    assert "refused" in dialog.status
    assert "Si" in dialog.table.topLevelItem(1).text(4)
    dialog.edit.setPlainText("no molecule at all (")
    dialog._timer.timeout.emit()
    rig.settle()
    assert dialog.status.startswith("⚠")
    dialog.grab().save(str(screenshots / "learning_predict_light.png"))


def test_another_data_set_begins_anew(ready: LearningView, rig: Any, ethanol: Dataset) -> None:
    rig.open(ethanol)
    assert ready.engine.result is None
    assert ready.errors.errors is None
    assert all(s.task.target in rig.store.columns for s in ready.engine.draft.series)
    assert ready.engine.draft.sizes[-1] <= len(ethanol)


def test_the_set_up_is_kept(view: LearningView, rig: Any) -> None:
    state = view.state()
    other = LearningView(rig.store, rig.runner)
    other.restore(state)
    assert other.engine.draft == view.engine.draft
    other.restore({"bench": {"series": 3}})
    other.restore({})
    assert other.engine.draft == view.engine.draft
    other.deleteLater()


def test_narrow_and_wide_in_both_themes(ready: LearningView, rig: Any, screenshots: Path) -> None:
    look(ready, rig)
    for width, height in ((1100, 300), (300, 560)):
        ready.resize(width, height)
        for page in (CURVES, ERRORS, SEARCH, MODELS):
            ready.show_page(page)
            QTest.qWait(10)
            assert ready.width() == width  # nothing pushes the panel wider
            for dark in (False, True):
                ready.set_dark(dark)
                name = f"learning_{page}_{width}_{'dark' if dark else 'light'}.png"
                ready.grab().save(str(screenshots / name))
    ready.show_setup()
    QTest.qWait(10)
    assert ready.width() == 300
    assert not ready._stack.isVisible()
    assert ready.setup.area.widget().minimumSizeHint().width() <= 300
    ready.grab().save(str(screenshots / "learning_setup_300.png"))


def test_the_engine_says_why_it_cannot_run(rig: Any) -> None:
    engine = BenchEngine(rig.store, rig.runner)
    assert engine.problem
    engine.start()
    assert not engine.is_running
    engine.select_worst()
    engine.color_by_error()
    engine.look_into("nothing", 3)
    assert engine.errors is None
    assert duration(3.21) == "3.2 s"
    assert duration(600) == "10 min"
    assert duration(90_000) == "25.0 h"
