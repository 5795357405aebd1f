"""The checklist of columns."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.column_chooser import ColumnChooser, Entry

ENTRIES = [Entry(n, f"{n} / eV", "", n in "ab") for n in ("a", "b", "gap", "gas", "mu")]


@pytest.fixture
def chooser(qtbot: QtBot) -> ColumnChooser:
    chooser = ColumnChooser()
    qtbot.addWidget(chooser)
    chooser.set_entries(ENTRIES)
    chooser.show()
    return chooser


def listed(chooser: ColumnChooser) -> list[str]:
    return [str(i.data(Qt.ItemDataRole.UserRole)) for i in chooser._items() if not i.isHidden()]


def test_tick_and_search(chooser: ColumnChooser) -> None:
    chosen: list[list[str]] = []
    chooser.chosen.connect(chosen.append)
    assert chooser.names == ["a", "b"]
    QTest.keyClicks(chooser._search, "GA")
    assert listed(chooser) == ["gap", "gas"]
    chooser._on_all_clicked()
    assert chosen == [["a", "b", "gap", "gas"]]
    chooser._items()[2].setCheckState(Qt.CheckState.Unchecked)
    assert chosen[-1] == ["a", "b", "gas"]
    chooser._search.clear()
    chooser._on_none_clicked()
    assert chosen[-1] == []


def test_order_by_keyboard(chooser: ColumnChooser) -> None:
    chosen: list[list[str]] = []
    chooser.chosen.connect(chosen.append)
    chooser._list.setCurrentRow(1)
    QTest.keyClick(chooser._list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert chosen == [["b", "a"]]
    assert chooser._list.currentRow() == 0


def test_at_most_so_many(qtbot: QtBot) -> None:
    chooser = ColumnChooser(most=3)
    qtbot.addWidget(chooser)
    chooser.set_entries(ENTRIES)
    chooser._items()[4].setCheckState(Qt.CheckState.Checked)
    assert chooser.names == ["a", "b", "mu"]
    assert not chooser._items()[2].flags() & Qt.ItemFlag.ItemIsEnabled
    chooser._items()[0].setCheckState(Qt.CheckState.Unchecked)
    assert chooser._items()[2].flags() & Qt.ItemFlag.ItemIsEnabled
