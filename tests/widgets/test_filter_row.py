from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.filter_row import FilterRow

LEFT = Qt.MouseButton.LeftButton


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_a_row_says_its_state(qtbot: QtBot) -> None:
    row = FilterRow(QWidget())
    row.set_title("a name that is much too long for the width of a narrow panel / Ha")
    row.set_count("1,234,567 of 2,000,000")
    shown(qtbot, row, 280)
    assert row.minimumSizeHint().width() <= 280
    got: list[Any] = []
    row.switched.connect(got.append)
    row.removed.connect(lambda: got.append("removed"))
    row.set_on(True)
    QTest.mouseClick(row.switch, LEFT)
    QTest.mouseClick(row.remove, LEFT)
    assert got == [False, "removed"]
    row.set_on(False)
    assert not row.body.isEnabled()
    row.set_note("three are missing")
    assert row.note.isVisible()
