from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.substructure_edit import SubstructureEdit

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_patterns_wait_for_a_verdict(qtbot: QtBot) -> None:
    edit = SubstructureEdit([("nitrile", "C#N")])
    shown(qtbot, edit)
    got: list[Any] = []
    asked: list[str] = []
    edit.pattern_changed.connect(lambda *a: got.append(a))
    edit.edited.connect(asked.append)
    QTest.keyClicks(edit.line, "CO")
    QTest.keyClick(edit.line, Qt.Key.Key_Return)
    assert asked == ["CO"]
    assert edit.chosen_kind is None
    edit.set_verdict("C", False, "late", "")
    assert not edit.verdict.isVisible()
    edit.set_verdict("CO", True, "", "")
    assert got == [("CO", True, False)]
    assert edit.kind.currentText() == "SMILES"
    QTest.mouseClick(edit.inverted, LEFT, PLAIN, QPoint(8, edit.inverted.height() // 2))
    assert got[-1] == ("CO", True, True)
    edit.kind.setCurrentIndex(0)
    edit.kind.activated.emit(0)
    assert edit.chosen_kind is False
    edit.set_verdict("CO", False, "cannot be read", "")
    assert "cannot be read" in edit.verdict.text()
    assert len(got) == 2
    edit.patterns.menu().actions()[0].trigger()
    assert asked[-1] == "C#N"
    edit.set_verdict("C#N", False, "", "")
    assert got[-1] == ("C#N", False, True)
    edit.line.clear()
    QTest.keyClick(edit.line, Qt.Key.Key_Return)
    assert got[-1] == ("", False, True)


def test_a_pattern_from_the_session_is_drawn(qtbot: QtBot) -> None:
    edit = SubstructureEdit()
    shown(qtbot, edit)
    asked: list[str] = []
    edit.edited.connect(asked.append)
    edit.set_value("C=O", True, True)
    assert asked == ["C=O"]
    assert edit.chosen_kind is True
    assert edit.inverted.isChecked()
