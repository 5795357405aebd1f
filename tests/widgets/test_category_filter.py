from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.category_filter import LISTED, CategoryFilterEdit

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def ticks(edit: CategoryFilterEdit) -> list[str]:
    return [edit.model.name(k) for k in range(edit.model.rowCount()) if edit.model.is_ticked(k)]


def click_row(edit: CategoryFilterEdit, row: int) -> None:
    rect = edit.list.visualRect(edit.model.index(row))
    QTest.mouseClick(edit.list.viewport(), LEFT, PLAIN, QPoint(rect.left() + 9, rect.center().y()))


def test_categories_are_ticked(qtbot: QtBot) -> None:
    edit = CategoryFilterEdit()
    edit.set_dark(False)
    edit.set_categories(np.array(["aa", "b", "ab", ""]), np.array([5, 4, 3, 1]))
    shown(qtbot, edit)
    got: list[Any] = []
    edit.shown_changed.connect(got.append)
    assert len(ticks(edit)) == 4
    click_row(edit, 1)
    assert got == [("aa", "ab", "")]
    click_row(edit, 1)
    assert got[-1] is None
    QTest.mouseClick(edit.nothing, LEFT)
    assert got[-1] == ()
    edit.list.setCurrentIndex(edit.model.index(3))
    QTest.keyClick(edit.list, Qt.Key.Key_Return)
    assert got[-1] == ("",)
    assert edit.model.data(edit.model.index(3)) == "(missing)"
    edit.search.setText("A")
    assert edit.model.rowCount() == 2
    QTest.mouseClick(edit.everything, LEFT)
    assert got[-1] == ("aa", "ab", "")
    QTest.mouseClick(edit.nothing, LEFT)
    assert got[-1] == ("",)
    edit.search.setText("zzz")
    assert "no category" in edit.note.text()
    edit.search.clear()
    QTest.mouseClick(edit.everything, LEFT)
    assert got[-1] is None


def test_a_million_categories(qtbot: QtBot) -> None:
    edit = CategoryFilterEdit()
    edit.set_categories(np.char.add("m", np.arange(1_000_000).astype(str)), np.ones(1_000_000, np.int64))
    shown(qtbot, edit)
    got: list[Any] = []
    edit.shown_changed.connect(got.append)
    assert edit.model.rowCount() == LISTED
    assert "1,000,000" in edit.note.text()
    # nothing is ticked while everything passes, so that a tick means "this one"
    assert ticks(edit) == []
    click_row(edit, 0)
    assert got == [("m0",)]
    edit.search.setText("m99999")
    qtbot.waitUntil(lambda: edit.model.rowCount() == 11, timeout=5000)
    click_row(edit, 10)
    assert got[-1] == ("m0", "m999999")
    click_row(edit, 10)
    edit.search.clear()
    click_row(edit, 0)
    assert got[-1] is None
