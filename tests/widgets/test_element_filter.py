from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.element_filter import ElementFilterEdit

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_chips_go_round(qtbot: QtBot) -> None:
    edit = ElementFilterEdit()
    edit.set_elements(["H", "C", "N", "O", "F", "S", "Cl"])
    edit.set_dark(True)
    shown(qtbot, edit)
    got: list[Any] = []
    edit.elements_changed.connect(lambda a, b: got.append((a, b)))
    QTest.mouseClick(edit.chips["N"], LEFT)
    assert got[-1] == (("N",), ())
    QTest.mouseClick(edit.chips["Cl"], RIGHT)
    assert got[-1] == (("N",), ("Cl",))
    QTest.mouseClick(edit.chips["N"], LEFT)
    assert got[-1] == ((), ("N", "Cl"))
    QTest.keyClick(edit.chips["N"], Qt.Key.Key_Space)
    assert got[-1] == ((), ("Cl",))
    QTest.keyClick(edit.chips["H"], Qt.Key.Key_Plus)
    assert got[-1] == (("H",), ("Cl",))
    assert "required" in edit.chips["H"].accessibleName()
    assert not edit.grab().isNull()
