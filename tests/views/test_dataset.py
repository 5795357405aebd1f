from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import Problem
from qmlstudio.session.filters import CategoryFilter, RangeFilter
from qmlstudio.views.dataset import DatasetView
from qmlstudio.widgets.property_table import format_number


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> DatasetView:
    view = DatasetView(rig.store)
    qtbot.addWidget(view)
    view.resize(420, 600)
    view.show()
    return view


def column(view: DatasetView, title: str) -> int:
    model = view.table.rows
    titles = [model.headerData(c, Qt.Orientation.Horizontal) for c in range(model.columnCount())]
    return titles.index(title)


def test_picture_and_content(view: DatasetView, rig: Any, qm9: Dataset, screenshots: Path) -> None:
    rig.open(qm9)
    rig.store.select(np.arange(400) < 8, "replace", "lasso")
    model = view.table.rows
    assert model.rowCount() == 400
    gap = column(view, "gap / Ha")
    assert model.data(model.index(208, gap)) == format_number(float(qm9.properties["gap"].values[208]))
    assert view.grab().save(str(screenshots / "dataset.png"))
    assert "8 of 400" in view._count.text()


@pytest.mark.parametrize("order", [Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder])
def test_sorting_puts_missing_values_last(view: DatasetView, rig: Any, qm9: Dataset, order: Qt.SortOrder) -> None:
    values = qm9.properties["gap"].values.copy()
    values[:50] = np.nan
    rig.open(replace(qm9, properties={"gap": Property(values, unit="Ha")}))
    view.table.sortByColumn(1, order)
    model = view.table.rows
    shown = values[[model.structure(r) for r in range(400)]]
    assert np.isnan(shown[350:]).all()
    steps = np.diff(shown[:350])
    assert (steps >= 0).all() if order == Qt.SortOrder.AscendingOrder else (steps <= 0).all()
    assert all(model.row(model.structure(r)) == r for r in range(400))


def test_follows_and_leads(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    rig.store.set_active(77)
    model = view.table.rows
    assert model.structure(view.table.currentIndex().row()) == 77
    view.table.selectRow(5)
    assert rig.store.active == model.structure(5)
    top = model.index(10, 0)
    view.table.setCurrentIndex(top)
    flags = view.table.selectionModel().SelectionFlag
    for row in range(10, 15):
        view.table.selectionModel().select(model.index(row, 0), flags.Select | flags.Rows)
    assert rig.store.session.selection.count == 5
    assert rig.store.session.selection.origin == "table"


def test_only_selected(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.select(np.arange(400) % 100 == 3, "replace", "lasso")
    view._only.setChecked(True)
    assert view.table.rows.rowCount() == 4
    rig.store.clear_selection()
    assert view.table.rows.rowCount() == 400


def test_copy_gives_a_table(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    # selectRow obeys the keyboard's modifiers, which an earlier gesture may have left behind
    flags = view.table.selectionModel().SelectionFlag
    view.table.selectionModel().select(view.table.rows.index(2, 0), flags.ClearAndSelect | flags.Rows)
    view.table.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 2
    assert lines[0].split("\t")[0] == "identifier"
    assert lines[1].split("\t")[0] == str(qm9.identifiers[2])


def test_problems_are_offered(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    asked: list[bool] = []
    view.problems_requested.connect(lambda: asked.append(True))
    rig.open(qm9)
    assert not view._problems.isVisible()
    rig.open(
        replace(qm9, name="bad", problems=(Problem("a.xyz", "cut off", line=3),), identifiers=qm9.identifiers[::-1])
    )
    assert view._problems.isVisible()
    view._problems.click()
    assert asked == [True]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.25, "0.25"), (-40.478930123, "-40.4789"), (np.nan, "–"), (np.inf, "∞"), (1e-12, "1e-12")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert format_number(value) == text


def test_two_million_rows_are_not_copied(view: DatasetView) -> None:
    from qmlstudio.chem.structures import Structures

    n = 2_000_000
    offsets = np.arange(n + 1)
    structures = Structures(np.ones(n, np.uint8), np.zeros((n, 3)), offsets)
    values = np.arange(float(n))[::-1]
    data = Dataset("many", structures, {"x": Property(values)}, identifiers=np.zeros(n, dtype="U1"))
    view.table.set_dataset(data)
    view.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    model = view.table.rows
    assert model.data(model.index(0, 1)) == "0"
    assert model.data(model.index(n - 1, 1)) == str(n - 1)
    assert data.properties["x"].values is values


def test_columns_are_chosen_and_remembered(view: DatasetView, rig: Any, qm9: Dataset, ethanol: Dataset) -> None:
    rig.open(qm9)
    assert "n_C" not in view.table.shown_names
    view._chooser.chosen.emit(["mu", "n_C", "gap"])
    assert view.table.shown_names == ["mu", "n_C", "gap"]
    assert view._chooser.names == ["mu", "n_C", "gap"]
    rig.open(ethanol)
    assert "mu" not in view.table.shown_names
    rig.open(qm9)
    assert view.table.shown_names == ["mu", "n_C", "gap"]
    state = view.state()
    view._chooser.reset_requested.emit()
    assert len(view.table.shown_names) > 10
    view.restore(state)
    assert view.table.shown_names == ["mu", "n_C", "gap"]


def test_derived_columns_come_and_go(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view._chooser.chosen.emit(["mu"])
    rig.store.set_derived("cluster", Property(np.arange(400) % 3))
    assert view.table.shown_names == ["mu", "cluster"]
    view._chooser.chosen.emit(["mu"])
    rig.store.set_derived("cluster", Property(np.arange(400) % 4))
    assert view.table.shown_names == ["mu"]  # hidden by hand stays hidden
    rig.store.set_derived("cluster", None)
    assert "cluster" not in view._chooser.names


def test_colour_and_filter_from_a_heading(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.table.color_requested.emit("mu")
    assert rig.store.session.coloring.color_by == "mu"
    for name in ("mu", "formula", "mu"):
        view.table.filter_requested.emit(name)
    assert rig.store.session.filters.items == (RangeFilter("mu"), CategoryFilter("formula"))


def test_filters_dim_rows(view: DatasetView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.publish("filter", "a", SimpleNamespace(mask=np.arange(400) != 2))
    assert [view.table.rows.cell(r, 0).is_dimmed for r in range(4)] == [False, False, True, False]
    rig.store.publish("filter", "b", SimpleNamespace(mask=None))
    assert not view.table.rows.cell(2, 0).is_dimmed


def test_many_rows_are_sorted_by_a_job(rig: Any, qtbot: QtBot) -> None:
    from qmlstudio.chem.structures import Structures

    view = DatasetView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.show()
    n = 60_000
    values = np.random.default_rng(0).normal(size=n)
    structures = Structures(np.ones(n, np.uint8), np.zeros((n, 3)), np.arange(n + 1))
    rig.store.open_dataset(Dataset("many", structures, {"x": Property(values)}))
    view.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert view._note.text() == "sorting…"
    rig.settle()
    assert view._note.text() == ""
    assert view.table.rows.structure(0) == int(values.argmax())
    view._chooser.chosen.emit(["x", "n_H"])
    rig.settle()
    assert view.table.shown_names == ["x", "n_H"]


@pytest.mark.parametrize("width", [300, 520])
def test_narrow(view: DatasetView, rig: Any, qm9: Dataset, screenshots: Path, width: int) -> None:
    rig.open(qm9)
    view.resize(width, 480)
    assert view.minimumSizeHint().width() <= 300
    assert view.grab().save(str(screenshots / f"dataset_{width}.png"))
