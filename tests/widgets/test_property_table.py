"""The table of columns: choice and order of columns, bars, menus, copies, jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.property_table import PropertyTable
from qmlstudio.widgets.table_numbers import MOST_COPIED, SMALL


def dataset(n: int, **columns: Property) -> Dataset:
    structures = Structures(np.ones(n, np.uint8), np.zeros((n, 3)), np.arange(n + 1))
    return Dataset("made", structures, columns)


@pytest.fixture
def table(qtbot: QtBot) -> PropertyTable:
    table = PropertyTable()
    qtbot.addWidget(table)
    table.resize(460, 300)
    table.show()
    return table


@pytest.fixture
def small() -> Dataset:
    x = np.array([3.0, np.nan, 1.0, np.inf, 2.0])
    return dataset(
        5,
        x=Property(x, unit="eV", description="a number"),
        same=Property(np.full(5, 7.0)),
        t=Property(np.array(["b", "", "a", "b", "c"])),
    )


class Later:
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Callable[..., Any], Callable[[Any], None]]] = []

    def __call__(self, slot: str, _title: str, compute: Callable[..., Any], done: Callable[[Any], None]) -> None:
        self.waiting.append((slot, compute, done))

    def finish(self, which: str) -> None:
        kept, self.waiting = self.waiting, []
        for slot, compute, done in kept:
            if slot == which:
                done(compute(SILENT))
            else:
                self.waiting.append((slot, compute, done))


def test_composition_is_not_shown_at_first(table: PropertyTable, small: Dataset) -> None:
    table.set_dataset(small)
    assert table.shown_names == ["x", "same", "t"]
    table.set_columns(table.rows.columns, ["n_H", "x"])
    assert table.shown_names == ["n_H", "x"]
    assert table.rows.cell(0, 1).text == "1"


def test_bars_are_as_long_as_the_value_says(table: PropertyTable, small: Dataset) -> None:
    table.set_dataset(small)
    bars = [table.rows.cell(r, 1).bar for r in range(5)]
    assert bars == [1.0, 0.0, 0.0, 1.0, 0.5]
    assert [table.rows.cell(r, 2).bar for r in range(5)] == [0.0] * 5
    table.rows.set_bars("x", False)
    assert table.rows.cell(0, 1).bar == 0.0


def test_cells_are_painted(table: PropertyTable, small: Dataset) -> None:
    table.set_dataset(small)
    QTest.qWait(20)
    with_bars = table.viewport().grab().toImage()
    table.rows.set_bars("x", False)
    without = table.viewport().grab().toImage()
    assert with_bars != without
    table.rows.set_passes(np.array([True, False, True, False, True]))
    assert table.viewport().grab().toImage() != without


def test_statistics_in_the_headings(table: PropertyTable, small: Dataset) -> None:
    table.set_dataset(small)
    tip = table.rows.headerData(1, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert tip.splitlines() == ["x / eV", "a number", "n 5, missing 1, infinite 1", "min 1, median 2, max 3"]
    assert "3 different, most frequent: b" in table.rows.describe("t")
    assert table.rows.data(table.rows.index(0, 3), Qt.ItemDataRole.ToolTipRole) == "b"


def test_moved_hidden_and_kept(table: PropertyTable, small: Dataset) -> None:
    asked: list[list[str]] = []
    table.columns_requested.connect(asked.append)
    table.set_dataset(small)
    table.horizontalHeader().moveSection(1, 3)
    assert asked == [["same", "t", "x"]]
    assert table.shown_names == ["same", "t", "x"]
    table.set_columns(table.rows.columns, asked[0])
    assert table.shown_names == ["same", "t", "x"]
    table.setColumnWidth(table.rows.column("t"), 137)
    menu = table.header_menu(table.rows.column("same"))
    next(a for a in menu.actions() if a.text() == "Hide column").trigger()
    menu.close()
    assert asked[-1] == ["t", "x"]
    table.rows.sort_by("x", True)
    table.rows.set_bars("x", False)
    state = table.layout_state()

    table.set_dataset(dataset(3, y=Property(np.arange(3.0))))
    table.rows.set_bars("x", True)
    table.set_dataset(small)
    table.restore_layout(state)
    assert table.shown_names == ["same", "t", "x"]
    assert table.columnWidth(table.rows.column("t")) == 137
    assert table.rows.sorted_by == ("x", True)
    assert table.rows.order.tolist() == [3, 0, 4, 2, 1]
    assert table.rows.without_bars == {"x"}


def test_an_own_order_of_columns_survives_sorting_from_the_menu(table: PropertyTable, small: Dataset) -> None:
    table.set_dataset(small)
    menu = table.header_menu(3)
    next(a for a in menu.actions() if a.text() == "Sort descending").trigger()
    menu.close()
    assert table.rows.order.tolist() == [4, 0, 3, 2, 1]
    assert table.horizontalHeader().sortIndicatorSection() == 3


def test_menu_asks_for_colour_and_filter(table: PropertyTable, small: Dataset) -> None:
    asked: list[tuple[str, str]] = []
    table.color_requested.connect(lambda name: asked.append(("colour", name)))
    table.filter_requested.connect(lambda name: asked.append(("filter", name)))
    table.set_dataset(small)
    menu = table.header_menu(1)
    for action in menu.actions():
        if action.text() in ("Colour the map by this", "Filter by this"):
            action.trigger()
    menu.close()
    assert asked == [("colour", "x"), ("filter", "x")]
    first = table.header_menu(0)
    assert "Hide column" not in [a.text() for a in first.actions()]
    first.close()


def test_copy_column_and_marked_rows(table: PropertyTable, small: Dataset) -> None:
    noted: list[str] = []
    table.noted.connect(noted.append)
    table.set_dataset(small)
    table.rows.sort_by("x")
    table.copy_column("x")
    assert QGuiApplication.clipboard().text().split("\n") == ["x / eV", "1", "2", "3", "inf", ""]
    table.selectAll()
    table.copy()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert len(lines) == 6
    assert lines[1].split("\t") == ["3", "1", "7", "a"]
    assert noted == ["5 rows copied", "5 rows copied"]


def test_long_copies_are_cut_and_say_so(table: PropertyTable) -> None:
    n = MOST_COPIED + 5
    noted: list[str] = []
    table.noted.connect(noted.append)
    table.set_dataset(dataset(n, x=Property(np.arange(float(n)))))
    table.copy_column("x")
    assert len(QGuiApplication.clipboard().text().split("\n")) == MOST_COPIED + 1
    assert noted == [f"The first {MOST_COPIED:,} of {n:,} rows copied"]


def test_many_rows_are_sorted_and_counted_elsewhere(table: PropertyTable) -> None:
    n = SMALL + 10
    later = Later()
    busy: list[str] = []
    table.rows.run = later
    table.rows.busy_changed.connect(busy.append)
    x = np.random.default_rng(0).normal(size=n)
    table.set_dataset(dataset(n, x=Property(x), y=Property(-x)))
    QTest.qWait(20)
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert busy[-1] == "sorting…"
    assert table.rows.structure(0) == 0
    table.sortByColumn(2, Qt.SortOrder.DescendingOrder)  # before the first is done
    later.finish("table sort")
    assert busy[-1] == ""
    assert table.rows.structure(0) == int(x.argmin())
    assert table.rows.row(int(x.argmin())) == 0
    assert table.rows.cell(0, 1).bar == 0.0  # not known yet
    assert "being worked out" in table.rows.describe("y")
    for _ in range(3):
        later.finish("table statistics")
    assert table.rows.cell(0, 2).bar == 1.0
    assert f"n {n:,}" in table.rows.describe("y")


def test_results_for_a_former_data_set_are_dropped(table: PropertyTable, small: Dataset) -> None:
    n = SMALL + 10
    later = Later()
    table.rows.run = later
    table.set_dataset(dataset(n, x=Property(np.arange(float(n)))))
    table.rows.sort_by("x", True)
    table.rows.describe("x")
    table.set_dataset(small)
    later.finish("table sort")
    later.finish("table statistics")
    assert table.rows.order.tolist() == [0, 1, 2, 3, 4]
    assert table.rows.sorted_by == (None, False)


def test_a_derived_column_that_changes_is_sorted_anew(table: PropertyTable, small: Dataset) -> None:
    columns = Columns(small, {"d": Property(np.array([5.0, 4.0, 3.0, 2.0, 1.0]))})
    table.set_columns(columns, ["x", "d"])
    table.rows.sort_by("d")
    assert table.rows.order.tolist() == [4, 3, 2, 1, 0]
    assert table.rows.cell(0, 2).bar == 0.0
    changed = columns.with_derived({"d": Property(np.array([1.0, 5.0, 3.0, 2.0, 4.0]))})
    table.set_columns(changed, ["x", "d"])
    assert table.rows.order.tolist() == [0, 3, 2, 4, 1]
    assert table.rows.cell(4, 2).bar == 1.0
    table.set_columns(changed.with_derived({}), ["x", "d"])
    assert table.shown_names == ["x"]
    assert table.rows.order.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_rows(table: PropertyTable, n: int) -> None:
    table.set_dataset(dataset(n, x=Property(np.full(n, np.nan))))
    table.rows.sort_by("x", True)
    QTest.qWait(10)
    assert table.rows.rowCount() == n
    assert "n" in table.rows.describe("x")
    table.selectAll()
    table.copy()
    table.set_dataset(None)
    assert table.rows.columnCount() == 0
