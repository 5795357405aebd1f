"""The drawings of a comparison: curves, bars, sizes."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.bar_groups import BarGroups
from qmlstudio.widgets.curve_plot import CurvePlot, PlotCurve
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.size_chart import SizeChart, SizePoint

A, B = SetStyle("one", "#0072b2", "solid", 0), SetStyle("two", "#d55e00", "dash", 1)


def shown(qtbot: QtBot, widget):  # type: ignore[no-untyped-def]
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def test_the_readout_says_every_curve(qtbot: QtBot) -> None:
    plot = shown(qtbot, CurvePlot())
    x = np.linspace(0, 2, 21)
    plot.set_curves(x, [PlotCurve(A, x**2), PlotCurve(B, 3 - x)], "C–H distance / Å", "density")
    assert plot.text_at(10) == "C–H distance 1 Å   one: 1   two: 2"
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert "1.1 Å" in plot.readout.text()
    QTest.keyClick(plot, Qt.Key.Key_R)
    (low, high), _ = plot._box.viewRange()
    assert low <= 0.1
    assert high >= 2.0
    plot.show_range(0.5, 1.0)
    (low, high), (_, top) = plot._box.viewRange()
    assert (low, high) == (pytest.approx(0.49), pytest.approx(1.01))
    assert top == pytest.approx(1.05 * 2.5 + 0.02 * 1.05 * 2.5)


def test_nothing_zero_and_logarithmic_curves_are_legal(qtbot: QtBot) -> None:
    plot = shown(qtbot, CurvePlot())
    x = np.geomspace(0.01, 100, 40)
    y = np.where(np.arange(40) % 2, 1e-8, 1.0)
    for curves in ([], [PlotCurve(A, np.zeros(40))], [PlotCurve(A, y), PlotCurve(B, np.zeros(40))]):
        for log in (False, True):
            plot.set_curves(x, curves, "x / (eV/Å)", "y", x_log=True, y_log=log, marks=[(0.5, "near")], message="none")
            plot.set_dark(log)
            assert not plot.grab().isNull()
    plot.set_curves(np.zeros(0), [], "", "", message="none")
    assert plot.readout.text() == "none"


def test_ticks_of_a_logarithmic_axis_are_round_and_few(qtbot: QtBot) -> None:
    plot = shown(qtbot, CurvePlot())
    x = np.geomspace(0.03, 10, 40)
    plot.set_curves(x, [PlotCurve(A, np.ones(40))], "x", "y", x_log=True)
    axis = plot._axes["bottom"]
    (_, places), *rest = axis.tickValues(np.log10(0.03), 1.0, 300)
    assert not rest
    assert 2 <= len(places) <= 9
    texts = axis.tickStrings(places, 1.0, 1.0)
    assert {"0.1", "1"} <= set(texts)


def test_bars_stand_side_by_side(qtbot: QtBot) -> None:
    bars = shown(qtbot, BarGroups())
    bars.set_bars(["H", "C"], [A, B], np.array([[100.0, 0.0], [50.0, 25.0]]), "structures, %")
    assert bars.text_of(0) == "H: one 100, two 50"
    image = bars.grab().toImage()
    colors = {image.pixelColor(x, y).name() for x in range(0, 400, 2) for y in range(0, 300, 2)}
    assert {"#0072b2", "#d55e00"} <= colors
    QTest.keyClick(bars, Qt.Key.Key_Right)
    assert bars._cursor == 0
    with pytest.raises(ValueError, match="shape"):
        bars.set_bars(["H"], [A, B], np.zeros((2, 2)), "")
    bars.set_bars([], [], np.zeros((0, 0)), "nothing")
    assert not bars.grab().isNull()


def test_sizes_have_their_places(qtbot: QtBot) -> None:
    chart = shown(qtbot, SizeChart())
    points = [
        SizePoint("small", 1, 1000, "small: 1", A),
        SizePoint("large", 10_000, 1_000_000, "large", B),
        SizePoint("unknown", None, 5_000, "?"),
        SizePoint("empty", 0, 0, "left out"),
    ]
    chart.set_points(points)
    assert [p.name for p in chart.points] == ["small", "large", "unknown"]
    small, large = (chart.place(p) for p in chart.points[:2])
    assert small.x() < large.x()
    assert small.y() > large.y()
    assert chart._point_at(small) == 0
    assert "small: 1" in chart.accessibleDescription()
    for dark in (False, True):
        chart.set_dark(dark)
        image = chart.grab().toImage()
        assert image.pixelColor(small.toPoint()).name() == "#0072b2"
