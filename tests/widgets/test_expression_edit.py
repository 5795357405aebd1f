from dataclasses import dataclass
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.expression_edit import ExpressionEdit


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


@dataclass(frozen=True)
class Word:
    text: str
    start: int
    end: int
    detail: str = ""


@pytest.fixture
def condition(qtbot: QtBot) -> ExpressionEdit:
    def check(text: str, letters: int) -> tuple[str, str]:
        return ("unknown word", f"{text[:letters]}\n^") if "bad" in text else ("", "")

    def complete(text: str, cursor: int) -> list[Word]:
        start = text[:cursor].rfind(" ") + 1
        return [
            Word(w, start, cursor, "Ha")
            for w in ("gap", "gamma")
            if cursor > start and w.startswith(text[start:cursor])
        ]

    edit = ExpressionEdit()
    edit.set_helpers(check, complete)
    return shown(qtbot, edit)


def test_a_condition_counts_when_typing_pauses(condition: ExpressionEdit, qtbot: QtBot) -> None:
    with qtbot.waitSignal(condition.text_changed, timeout=3000) as caught:
        QTest.keyClicks(condition.line, "x < 1")
    assert caught.args == ["x < 1"]
    QTest.keyClicks(condition.line, " bad")
    QTest.keyClick(condition.line, Qt.Key.Key_Return)
    assert condition.error.isVisible()
    assert "unknown word" in condition.message.text()
    assert "Still applied: x < 1" in condition.message.text()
    condition.set_text("y < 2")
    assert condition.line.text() == "y < 2"
    assert not condition.message.isVisible()
    with qtbot.waitSignal(condition.text_changed, timeout=3000) as caught:
        condition.line.clear()
    assert caught.args == [""]


def test_words_are_completed(condition: ExpressionEdit, qtbot: QtBot) -> None:
    line = condition.line
    line.setFocus()
    QTest.keyClicks(line, "x < ga")
    assert line.offered == ("gap", "gamma")
    QTest.keyClick(line.completer_popup.popup(), Qt.Key.Key_Down)
    QTest.keyClick(line.completer_popup.popup(), Qt.Key.Key_Down)
    QTest.keyClick(line.completer_popup.popup(), Qt.Key.Key_Return)
    assert line.text() == "x < gamma"
    line.setText("ga")
    QTest.keyClick(line, Qt.Key.Key_Space, Qt.KeyboardModifier.ControlModifier)
    assert line.offered == ("gap", "gamma")
    QTest.keyClick(line, Qt.Key.Key_Tab)
    assert line.text() == "gap"
    assert line.offered == ()
    line.completer_popup.popup().hide()
    QTest.keyClick(line, Qt.Key.Key_Return)
