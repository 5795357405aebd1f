from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.range_filter import RangeFilterEdit

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def shown(qtbot: QtBot, widget: Any, width: int = 260) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, widget.sizeHint().height())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


@pytest.fixture
def edit(qtbot: QtBot) -> RangeFilterEdit:
    edit = RangeFilterEdit()
    edit.set_histogram(np.linspace(0.0, 10.0, 11), np.arange(10))
    edit.set_name("gap / Ha")
    return shown(qtbot, edit)


def drag(edit: RangeFilterEdit, start: float, *places: float) -> None:
    slider = edit.slider
    y = slider.height() // 3
    QTest.mousePress(slider, LEFT, PLAIN, QPoint(round(start), y))
    for x in places:
        QTest.mouseMove(slider, QPoint(round(x), y))
    QTest.mouseRelease(slider, LEFT, PLAIN, QPoint(round(places[-1] if places else start), y))


def test_handles_are_dragged(edit: RangeFilterEdit) -> None:
    got: list[tuple[Any, Any]] = []
    edit.range_changed.connect(lambda a, b: got.append((a, b)))
    slider = edit.slider
    left, right = (slider.handle_position(k).x() for k in (0, 1))
    width = right - left
    drag(edit, left, left + 0.1 * width, left + 0.2 * width)
    assert got[-1] == (pytest.approx(2.0, abs=0.05), None)
    assert len(got) == 2
    drag(edit, right, left + 0.6 * width)
    assert got[-1] == (pytest.approx(2.0, abs=0.05), pytest.approx(6.0, abs=0.05))
    # both
    drag(edit, left + 0.4 * width, left + 0.5 * width)
    assert got[-1] == (pytest.approx(3.0, abs=0.1), pytest.approx(7.0, abs=0.1))
    # a handle stops at the other, and at the end there is no bound
    drag(edit, slider.handle_position(0).x(), left + 0.95 * width)
    assert got[-1][0] == got[-1][1]
    drag(edit, slider.handle_position(0).x() - 3, left - 20)
    assert got[-1][0] is None
    QTest.mouseDClick(slider, LEFT, PLAIN, QPoint(round(left + width / 2), 20))
    assert got[-1] == (None, None)
    assert edit.low.text() == edit.high.text() == ""


def test_a_press_beyond_the_range_brings_the_handle(edit: RangeFilterEdit) -> None:
    edit.set_range(4.0, 6.0, False)
    left, right = (edit.slider.handle_position(k).x() for k in (0, 1))
    width = (right - left) * 5
    drag(edit, left - 0.2 * width)
    assert edit.slider.range == (pytest.approx(2.0, abs=0.05), 6.0)
    drag(edit, right + 0.2 * width)
    assert edit.slider.range[1] == pytest.approx(8.0, abs=0.05)


def test_keys_move_the_handles(edit: RangeFilterEdit) -> None:
    slider = edit.slider
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert slider.range == (pytest.approx(1.0, abs=0.02), None)
    QTest.keyClick(slider, Qt.Key.Key_Space)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert slider.range[1] == pytest.approx(9.9, abs=0.02)
    assert "to 9.9" in slider.accessibleName()
    QTest.keyClick(slider, Qt.Key.Key_End)
    assert slider.range[1] is None
    QTest.keyClick(slider, Qt.Key.Key_Delete)
    assert slider.range == (None, None)


def test_limits_are_typed(edit: RangeFilterEdit) -> None:
    got: list[tuple[Any, Any]] = []
    edit.range_changed.connect(lambda a, b: got.append((a, b)))

    def type_(line: Any, text: str) -> None:
        line.selectAll()
        QTest.keyClicks(line, text)
        QTest.keyClick(line, Qt.Key.Key_Return)

    type_(edit.low, "2,5")
    assert got == [(2.5, None)]
    type_(edit.high, "1")
    assert got[-1] == (1.0, 2.5)
    type_(edit.low, "nonsense")
    assert edit.low.text() == "1"
    assert len(got) == 2
    edit.low.clear()
    QTest.keyClick(edit.low, Qt.Key.Key_Return)
    assert got[-1] == (None, 2.5)
    # beyond the data is legal: the handle stands at the end
    type_(edit.high, "1e9")
    assert edit.slider.range == (None, 1e9)
    edit.grab()


def test_whole_numbers_snap(qtbot: QtBot) -> None:
    edit = RangeFilterEdit()
    edit.set_histogram(np.arange(0.5, 8.0), np.ones(7, np.int64), discrete=True)
    shown(qtbot, edit)
    left, right = (edit.slider.handle_position(k).x() for k in (0, 1))
    unit = (right - left) / 7
    drag(edit, right, right - 2.3 * unit)
    assert edit.slider.range == (None, 5.0)
    assert edit.slider.handle_position(1).x() == pytest.approx(left + 5 * unit, abs=1)
    drag(edit, left, left + 2.8 * unit)
    assert edit.slider.range == (4.0, 5.0)
    edit.slider.setFocus()
    QTest.keyClick(edit.slider, Qt.Key.Key_Left)
    assert edit.slider.range == (3.0, 5.0)
    assert edit.low.placeholderText() == "1"


def test_logarithmic_axis(qtbot: QtBot) -> None:
    edit = RangeFilterEdit()
    edit.set_histogram(np.geomspace(1e-3, 1e3, 7), np.ones(6, np.int64), log=True)
    shown(qtbot, edit)
    left, right = (edit.slider.handle_position(k).x() for k in (0, 1))
    drag(edit, left, (left + right) / 2)
    assert edit.slider.range[0] == pytest.approx(1.0, rel=0.06)
    got: list[bool] = []
    edit.log_changed.connect(got.append)
    QTest.mouseClick(edit.log_x, LEFT)
    assert got == [True]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("ends", [(1.0, 1.0 + 1e-15), (5e-324, 1.7e308), (1e-320, 1e-319), (0.5, 1.5)])
def test_odd_axes_are_painted_and_dragged(qtbot: QtBot, ends: tuple[float, float], log: bool) -> None:
    edit = RangeFilterEdit()
    edit.set_histogram(np.array(ends), np.array([3]), log=log, note="3 missing")
    edit.slider.set_log_counts(True)
    shown(qtbot, edit)
    left, right = (edit.slider.handle_position(k).x() for k in (0, 1))
    drag(edit, left, left + 30)
    drag(edit, right, right - 30)
    low, high = edit.slider.range
    assert low is None or high is None or low <= high
    assert not edit.grab().isNull()
    edit.set_histogram(np.array([0.0, 1.0]), np.zeros(1, np.int64))
    assert not edit.grab().isNull()


def test_counts_are_worked_out_when_they_are_seen(edit: RangeFilterEdit, qtbot: QtBot) -> None:
    asked: list[int] = []

    def later() -> np.ndarray:
        asked.append(1)
        return np.arange(10) // 2

    edit.hide()
    for _ in range(5):
        edit.slider.set_passing(later)
        edit.slider.set_selected(later)
    assert asked == []
    edit.show()
    edit.grab()
    assert len(asked) == 2
