"""Parts of the selection panel and of the search: list of names, chain of steps, list of results."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QLineEdit
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.selection_chain import SHOWN, ChainStep, SelectionChain
from qmlstudio.widgets.selection_list import NamedList, NamedRow
from qmlstudio.widgets.selection_results import MOST_LISTED, ResultList

NO_KEY, SHIFT, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def names(qtbot: QtBot) -> NamedList:
    widget = NamedList()
    qtbot.addWidget(widget)
    widget.resize(280, 200)
    widget.rows.set_rows([NamedRow("a", 3, "lasso"), NamedRow("b", 4_000_000, "", current=True)])
    widget.show()
    return widget


def test_list_with_mouse_and_keys(names: NamedList, qtbot: QtBot) -> None:
    seen: list[tuple[object, ...]] = []
    names.chosen.connect(lambda row, keys: seen.append(("chosen", row, keys)))
    names.removed.connect(lambda row: seen.append(("removed", row)))
    names.moved.connect(lambda row, by: seen.append(("moved", row, by)))
    place = names.visualRect(names.rows.index(1, 0)).center()
    QTest.mouseClick(names.viewport(), Qt.MouseButton.LeftButton, SHIFT, place)
    QTest.mouseClick(names.viewport(), Qt.MouseButton.LeftButton, NO_KEY, QPoint(20, 190))
    QTest.keyClick(names, Qt.Key.Key_Return, ALT)
    QTest.keyClick(names, Qt.Key.Key_Up, ALT)
    QTest.keyClick(names, Qt.Key.Key_Up)
    QTest.keyClick(names, Qt.Key.Key_Delete)
    assert seen == [("chosen", 1, SHIFT), ("chosen", 1, ALT), ("moved", 1, -1), ("removed", 0)]


def test_renaming(names: NamedList) -> None:
    seen: list[tuple[int, str]] = []
    names.renamed.connect(lambda row, name: seen.append((row, name)))
    names.set_current(0)
    QTest.keyClick(names, Qt.Key.Key_F2)
    assert names.state() == QAbstractItemView.State.EditingState
    editor = names.findChildren(QLineEdit)[-1]
    assert editor.text() == "a", "the mark of the present selection is no part of a name"
    QTest.keyClick(editor, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(editor, "  new `name` ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.qWait(10)
    assert seen == [(0, "new 'name'")]
    assert not names.rows.setData(names.rows.index(0, 0), "   ")
    tip = names.rows.data(names.rows.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert "lasso" in tip
    assert "Shift adds" in tip
    assert "4,000,000" in names.rows.data(names.rows.index(1, 0), Qt.ItemDataRole.AccessibleTextRole)


def test_rows_come_and_go(names: NamedList) -> None:
    names.set_current(1)
    current: list[int] = []
    names.current_changed.connect(current.append)
    names.rows.set_rows([NamedRow("a", 1, ""), NamedRow("c", 1, "")])
    assert names.current == 1, "the same rows changed"
    names.rows.set_rows([])
    assert names.current == -1
    assert current[-1] == -1


def test_chain(qtbot: QtBot) -> None:
    chain = SelectionChain()
    qtbot.addWidget(chain)
    chain.set_steps([])
    assert not chain.isVisible()
    steps = [ChainStep("", "lasso", None), *(ChainStep("+", f"step {k} " * 9, 10**k) for k in range(9))]
    chain.set_steps(steps)
    chain.resize(200, chain.sizeHint().height())
    chain.show()
    assert chain.steps == tuple(steps)
    assert chain.sizeHint().height() < (SHOWN + 2) * (chain.fontMetrics().height() + 4)
    assert chain.toolTip().count("\n") == 9
    assert "100,000,000" in chain.accessibleDescription()
    assert chain.minimumSizeHint().width() <= 100
    plain = chain.grab().toImage()
    chain.set_dark(True)
    assert chain.grab().toImage() != plain


def test_results_ask_for_what_is_in_sight(qtbot: QtBot) -> None:
    found = ResultList()
    qtbot.addWidget(found)
    asked: list[list[int]] = []
    found.wanted.connect(lambda indices, _look: asked.append(indices))
    found.resize(300, 200)
    found.show()
    found.rows.set_rows(np.arange(0, 20_000, 2), lambda index: (f"no {index}", "x" * 300))
    assert found.rows.rowCount() == MOST_LISTED
    qtbot.waitUntil(lambda: bool(asked))
    assert asked[-1][:3] == [0, 2, 4]
    assert len(asked[-1]) < 12
    image = QImage(8, 8, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.red)
    found.put(0, found.look, image)
    found.put(2, found.look, None)
    qtbot.waitUntil(lambda: asked[-1][0] == 4)
    assert found.picture(0) is not None
    found.scrollToBottom()
    qtbot.waitUntil(lambda: asked[-1][-1] == 2 * (MOST_LISTED - 1))
    found.step(1)
    assert found.current in (0, 2)
    found.step(-5)
    assert found.current == 0
    found.set_dark(True)
    assert found.picture(0) is None, "made for the other theme"
    pointed: list[int] = []
    found.pointed_at.connect(pointed.append)
    found.scrollToTop()
    QTest.mouseMove(found.viewport(), found.visualRect(found.rows.index(1, 0)).center())
    qtbot.waitUntil(lambda: pointed[-1:] == [2])
    found._timer.stop()


def test_results_grow_without_losing_the_place(qtbot: QtBot) -> None:
    found = ResultList()
    qtbot.addWidget(found)

    def texts(index: int) -> tuple[str, str]:
        return str(index), ""

    found.rows.set_rows(np.array([1, 5]), texts)
    found.step(2)
    assert found.current == 5
    found.rows.set_rows(np.array([1, 5, 9]), texts)
    assert found.current == 5
    found.rows.set_rows(np.array([2]), texts)
    assert found.current == -1
    found.rows.set_rows(np.zeros(0, np.int64), texts)
    found.step(1)
    assert found.current == -1
    found._timer.stop()
