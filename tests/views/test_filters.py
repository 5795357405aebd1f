from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.filtering import FilterEngine
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.session.filters import (
    CategoryFilter,
    ElementsFilter,
    ExpressionFilter,
    Filters,
    RangeFilter,
    SubstructureFilter,
)
from qmlstudio.views.filters import FiltersView

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> Iterator[FiltersView]:
    engine = FilterEngine(rig.store, rig.runner)
    view = FiltersView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(300, 640)
    with qtbot.waitExposed(view):
        view.show()
    yield view
    engine.deleteLater()


def body(view: FiltersView, row: int = 0) -> Any:
    return view.rows[row].body


def drag(slider: Any, start: float, *places: float) -> None:
    y = slider.height() // 3
    QTest.mousePress(slider, LEFT, PLAIN, QPoint(round(start), y))
    for x in places:
        QTest.mouseMove(slider, QPoint(round(x), y))
    QTest.mouseRelease(slider, LEFT, PLAIN, QPoint(round(places[-1]), y))


def choose(view: FiltersView, *titles: str) -> None:
    """Take an entry of the menu "Add filter"."""
    view.menu.aboutToShow.emit()
    menu = view.menu
    for title in titles[:-1]:
        menu = next(a.menu() for a in menu.actions() if a.text() == title)
    next(a for a in menu.actions() if a.text() == titles[-1]).trigger()


@pytest.mark.parametrize("dark", [False, True])
def test_picture(view: FiltersView, rig: Any, qm9: Dataset, screenshots: Path, dark: bool) -> None:
    view.resize(300, 1200)
    view.set_dark(dark)
    rig.open(qm9)
    rig.store.select(qm9.properties["gap"].values < 0.25, "replace", "lasso")
    items = (
        RangeFilter("gap", 0.15, 0.3),
        RangeFilter("r2", log=True),
        RangeFilter("n_heavy", 4, 6),
        CategoryFilter("formula"),
        ElementsFilter(("N",), ("F",)),
        SubstructureFilter("[nH]1cccc1", inverted=True),
        ExpressionFilter("homo < -0.2"),
    )
    rig.store.update("filters", filters=Filters(items, (1,)))
    rig.settle()
    assert view._body.minimumSizeHint().width() <= 300 - 12
    assert not view.area.verticalScrollBar().isVisible() or view.area.viewport().width() >= 260
    name = f"filters_{'dark' if dark else 'light'}.png"
    assert view.grab().save(str(screenshots / name))


def test_a_dragged_handle_filters_and_is_one_step(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    choose(view, "Property", "gap / Ha")
    assert view.rows[0].title.text() == "gap / Ha"
    QTest.qWait(1100)  # what is added is a step of its own
    slider = body(view).slider
    left, right = (slider.handle_position(k).x() for k in (0, 1))
    drag(slider, right, *(right - 0.05 * k * (right - left) for k in range(1, 11)))
    item = rig.store.session.filters.items[0]
    assert isinstance(item, RangeFilter)
    gap = qm9.properties["gap"].values
    assert item.low is None
    assert item.high == pytest.approx((gap.min() + gap.max()) / 2, rel=0.02)
    passes = int((gap <= item.high).sum())
    assert rig.store.result("filter").count == passes
    assert view.rows[0].count.text() == f"{passes} of 400"
    assert f"<b>{passes}</b> of 400 pass" in view.count.text()
    rig.store.undo()
    assert rig.store.session.filters.items == (RangeFilter("gap"),)
    assert slider.range == (None, None)
    rig.store.redo()
    assert slider.range == (None, item.high)


def test_the_selection_is_counted_in_the_histogram(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.add_filter(RangeFilter("gap", high=0.3))
    slider = body(view).slider
    QTest.qWait(30)
    view.grab()
    assert slider._selected is None
    assert slider._passing.sum() == (qm9.properties["gap"].values <= 0.3).sum()
    rig.store.select(np.arange(400) < 33, "replace", "lasso")
    view.grab()
    assert slider._selected.sum() == 33


def test_logarithmic_axis_and_missing_values(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    values = qm9.properties["gap"].values.copy()
    values[:3], values[3] = np.nan, -1.0
    rig.open(replace(qm9, properties={"gap": Property(values)}))
    view.add_filter(RangeFilter("gap"))
    assert body(view).note.text() == "3 missing"
    QTest.mouseClick(body(view).log_x, LEFT)
    assert rig.store.session.filters.items == (RangeFilter("gap", log=True),)
    assert "1 not above 0" in body(view).note.text()
    assert body(view).slider._log


def test_categories_and_elements(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    choose(view, "Category", "formula")
    choose(view, "Elements")
    formulas = qm9.properties["formula"].values
    model = body(view).model
    assert model.rowCount() == len(set(formulas.tolist()))
    QTest.mouseClick(body(view).nothing, LEFT)
    index = model.index(2)
    rect = body(view).list.visualRect(index)
    QTest.mouseClick(body(view).list.viewport(), LEFT, PLAIN, QPoint(rect.left() + 9, rect.center().y()))
    assert rig.store.result("filter").count == (formulas == model.name(2)).sum()
    body(view).everything.click()
    QTest.mouseClick(body(view, 1).chips["N"], LEFT)
    has_n = sum("N" in s.symbols for s in qm9.structures)
    assert rig.store.result("filter").count == has_n


def test_substructures_are_read_drawn_and_found(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    choose(view, "Substructure")
    edit = body(view)
    QTest.keyClicks(edit.line, "C1=CC=CN1")
    QTest.keyClick(edit.line, Qt.Key.Key_Return)
    rig.settle()
    rig.settle()
    assert rig.store.session.filters.items == (SubstructureFilter("C1=CC=CN1", is_smiles=True),)
    assert edit.drawing.isVisible()
    assert edit.kind.currentText() == "SMILES"
    found = rig.store.result("filter")
    assert 0 < found.count < 20
    QTest.keyClicks(edit.line, "((")
    QTest.keyClick(edit.line, Qt.Key.Key_Return)
    rig.settle()
    assert "cannot be read" in edit.verdict.text()
    assert rig.store.result("filter") is found
    next(a for a in edit.patterns.menu().actions() if a.text() == "nitrile").trigger()
    rig.settle()
    rig.settle()
    assert rig.store.session.filters.items == (SubstructureFilter("C#N"),)


def test_conditions(view: FiltersView, rig: Any, qm9: Dataset, qtbot: QtBot) -> None:
    rig.open(qm9)
    choose(view, "Condition…")
    line = body(view).line
    QTest.keyClicks(line, "gap < 0.25 and n_heavy == ")
    line.completer_popup.popup().hide()
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert "something is missing" in body(view).message.text()
    assert rig.store.session.filters.items == (ExpressionFilter(),)
    QTest.keyClicks(line, "5")
    qtbot.waitUntil(lambda: rig.store.session.filters.items[0] != ExpressionFilter(), timeout=3000)
    heavy = np.array([(s.numbers > 1).sum() for s in qm9.structures])
    assert rig.store.result("filter").count == ((qm9.properties["gap"].values < 0.25) & (heavy == 5)).sum()
    line.completer_popup.popup().hide()


def test_switched_off_removed_cleared(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    assert view.hint.isVisible()
    for high in (0.2, 0.3, 0.25):
        view.add_filter(RangeFilter("gap", high=high))
    assert not view.hint.isVisible()
    gap = qm9.properties["gap"].values
    QTest.qWait(30)
    QTest.mouseClick(view.rows[0].switch, LEFT)
    assert rig.store.session.filters.off == (0,)
    assert rig.store.result("filter").count == (gap <= 0.25).sum()
    assert view.rows[0].count.text() == "off"
    last = view.rows[2]
    view.rows[1].remove.click()
    # the row that was asked to go, not just one of its kind
    assert view.rows[1] is last
    assert [f.high for f in rig.store.session.filters.items] == [0.2, 0.25]
    assert rig.store.session.filters.off == (0,)
    view.rows[0].remove.click()
    assert rig.store.session.filters == Filters((RangeFilter("gap", high=0.25),))
    view.clear.click()
    assert rig.store.session.filters == Filters()
    assert view.rows == []
    assert view.hint.isVisible()


def test_what_passes_is_selected(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    assert not view.select.isEnabled()
    view.add_filter(RangeFilter("gap", high=0.25))
    gap = qm9.properties["gap"].values
    QTest.mouseClick(view.select, LEFT)
    selection = rig.store.session.selection
    assert (selection.mask == (gap <= 0.25)).all()
    assert selection.origin == "gap ≤ 0.25"
    rig.store.update("filters", filters=Filters((ElementsFilter(("N",)),)))
    QTest.mouseClick(view.select, LEFT, Qt.KeyboardModifier.ControlModifier)
    has_n = np.array(["N" in s.symbols for s in qm9.structures])
    assert (rig.store.session.selection.mask == ((gap <= 0.25) & has_n)).all()
    QTest.mouseClick(view.select, LEFT, Qt.KeyboardModifier.ShiftModifier)
    assert (rig.store.session.selection.mask == has_n).all()
    QTest.mouseClick(view.select, LEFT, Qt.KeyboardModifier.AltModifier)
    assert rig.store.session.selection.count == 0


def test_a_derived_column_comes_and_goes(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_derived("cluster", Property(np.arange(400.0) % 4))
    view.add_filter(RangeFilter("cluster", high=1.0))
    assert view.rows[0].count.text() == "200 of 400"
    rig.store.set_derived("cluster", Property(np.arange(400.0) % 8))
    assert view.rows[0].count.text() == "100 of 400"
    assert body(view).high.placeholderText() == "7"
    rig.store.set_derived("cluster", None)
    assert "no column cluster" in view.rows[0].note.text()
    view.grab()


def test_another_data_set(view: FiltersView, rig: Any, qm9: Dataset, ethanol: Dataset) -> None:
    rig.open(qm9)
    view.add_filter(RangeFilter("gap", high=0.2))
    view.add_filter(ElementsFilter())
    rig.open(ethanol)
    assert view.rows == []
    view.add_filter(ElementsFilter())
    assert list(body(view).chips) == ["H", "C", "O"]
    view.menu.aboutToShow.emit()
    assert not next(a for a in view.menu.actions() if a.text().startswith("Substructure")).isEnabled()
    rig.store.update("back", filters=Filters())
    rig.open(ethanol.take(slice(0, 0)))
    view.add_filter(RangeFilter("n_C", low=1.0))
    view.add_filter(ExpressionFilter("n_C > 1"))
    assert "<b>0</b> of 0" in view.count.text()
    view.grab()


def test_rows_are_made_once(view: FiltersView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.add_filter(RangeFilter("gap"))
    made = view.redraws
    for high in np.linspace(0.2, 0.3, 7):
        rig.store.update("filters", filters=Filters((RangeFilter("gap", high=float(high)),)))
    assert view.redraws == made
