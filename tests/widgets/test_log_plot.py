"""A curve on doubly logarithmic axes: its places, its readout, what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.log_plot import LogPlot


@pytest.fixture
def plot(qtbot: QtBot) -> LogPlot:
    plot = LogPlot()
    qtbot.addWidget(plot)
    plot.resize(300, 240)
    plot.show()
    return plot


def test_a_power_law_is_a_line(plot: LogPlot) -> None:
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    plot.set_curve(x, x**-0.5, ("i", "λ"))
    places = np.array([(p.x(), p.y()) for p in plot.points()])
    steps = np.diff(places, axis=0)
    assert np.allclose(steps, steps[0])
    assert all(plot.area().contains(p) for p in plot.points())


def test_what_has_no_logarithm_is_left_out(plot: LogPlot) -> None:
    plot.set_curve(np.arange(6.0), np.array([1, 0, -1, np.nan, np.inf, 5.0]), ("i", "λ"), "nothing")
    assert plot.curve[0].tolist() == [5.0]
    assert not plot.grab().isNull()
    plot.set_curve(np.zeros(0), np.zeros(0), ("i", "λ"), "nothing")
    assert plot.points() == []
    assert plot.accessibleName() == "nothing"
    assert not plot.grab().isNull()


def test_the_readout_follows_mouse_and_keys(plot: LogPlot) -> None:
    x = np.array([1.0, 10.0, 100.0])
    plot.set_curve(x, np.array([3.0, 2.0, 1e-7]), ("i", "λ"))
    none = Qt.MouseButton.NoButton
    at = plot.points()[1]
    moved = QMouseEvent(QEvent.Type.MouseMove, at, plot.mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier)
    plot.mouseMoveEvent(moved)
    assert plot.readout == "i 10: 2"
    plot._move(1)
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.readout == "i 100: 1e−07"
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.readout == "i 100: 1e−07"


@pytest.mark.parametrize("y", [[2.0, 2.0, 2.0], [1e-300, 1.0, 1e300]])
def test_flat_and_huge_curves_are_drawn(plot: LogPlot, y: list[float]) -> None:
    plot.set_dark(True)
    plot.set_curve(np.array([1.0, 2.0, 3.0]), np.array(y), ("i", "λ"))
    assert not plot.grab().isNull()
