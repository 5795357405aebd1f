"""The list of neighbours and the panel of a path."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.neighbor_list import NeighborList, NeighborRow, short, signed
from qmlstudio.widgets.path_panel import PathPanel

LEFT = Qt.MouseButton.LeftButton


def some(count: int, first: str = "d 1") -> list[NeighborRow]:
    rows = [NeighborRow(100 + k, f"mol {k}", str(k + 1), "✓ map", "good", first, "gap", "0.25") for k in range(count)]
    return [NeighborRow(-1, "Nearest"), *rows]


@pytest.fixture
def rows(qtbot: QtBot) -> NeighborList:
    widget = NeighborList("Neighbours")
    qtbot.addWidget(widget)
    widget.set_dark(False)
    widget.resize(280, 300)
    widget.show()
    return widget


def test_rows_are_told_in_words(rows: NeighborList) -> None:
    rows.set_rows(some(3))
    assert rows.indices == (100, 101, 102)
    text = rows.items.data(rows.items.index(2), Qt.ItemDataRole.AccessibleTextRole)
    assert text == "2, mol 1, ✓ map, d 1, gap, 0.25"


def test_headings_cannot_be_chosen(rows: NeighborList) -> None:
    rows.set_rows(some(3))
    chosen: list[int] = []
    rows.chosen.connect(lambda index, _keys: chosen.append(index))
    for place in (0, 2):
        QTest.mouseClick(rows.viewport(), LEFT, pos=rows.visualRect(rows.items.index(place)).center())
    assert chosen == [101]


def test_only_pictures_in_view_are_asked_for_once(rows: NeighborList, qtbot: QtBot) -> None:
    asked: list[list[int]] = []
    rows.wanted.connect(asked.append)
    rows.set_rows(some(50))
    qtbot.waitUntil(lambda: bool(asked))
    first = list(asked[-1])
    assert first[0] == 100
    assert len(first) < 10
    for index in first:
        rows.put(index, rows.look, QImage(76, 54, QImage.Format.Format_ARGB32_Premultiplied))
    QTest.qWait(30)
    asked.clear()
    rows.viewport().update()
    QTest.qWait(30)
    assert asked == []
    rows.scrollToBottom()
    qtbot.waitUntil(lambda: bool(asked))
    assert asked[-1][-1] == 149


def test_same_structures_stay_where_they_were(rows: NeighborList) -> None:
    rows.set_rows(some(50))
    rows.verticalScrollBar().setValue(700)
    rows.setCurrentIndex(rows.items.index(14))
    at = rows.verticalScrollBar().value()
    rows.set_rows(some(50, "d 2"))
    assert rows.verticalScrollBar().value() == at
    assert rows.currentIndex().row() == 14
    rows.set_rows(some(40, "d 2"))
    assert rows.verticalScrollBar().value() == 0


def test_marks_are_visible(rows: NeighborList) -> None:
    rows.set_rows(some(3))
    plain = rows.grab().toImage()
    rows.set_marks(101, frozenset())
    active = rows.grab().toImage()
    assert active != plain
    rows.set_marks(101, frozenset({102}))
    pinned = rows.grab().toImage()
    assert pinned != active
    rows.set_hovered(100)
    assert rows.grab().toImage() != pinned


def test_numbers() -> None:
    assert [short(v) for v in (0.012345, 5231.4, -2.5, float("nan"), float("inf"))] == [
        "0.0123",
        "5,231",
        "−2.5",
        "–",
        "∞",
    ]
    assert signed(0.25, "+.2g") == "+0.25"


def test_path_panel(qtbot: QtBot) -> None:
    panel = PathPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.set_path("Looking for a path…", [])
    assert not panel.forth.isEnabled()
    panel.set_path("a → b", some(3))
    said: list[object] = []
    panel.step_requested.connect(said.append)
    panel.select_requested.connect(lambda: said.append("select"))
    panel.close_requested.connect(lambda: said.append("close"))
    for button in (panel.back, panel.forth, panel.select, panel.close_button):
        QTest.mouseClick(button, LEFT)
    assert said == [-1, 1, "select", "close"]
    assert panel.minimumSizeHint().width() <= 300
