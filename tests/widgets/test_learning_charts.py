"""Learning curves, their legend, the heat map and ranked bars: what is told, chosen and hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.bar_list import Bar, BarList
from qmlstudio.widgets.curve_chart import ChartCurve, ChartLevel, CurveChart
from qmlstudio.widgets.curve_legend import CurveLegend
from qmlstudio.widgets.heat_map import HeatMap
from qmlstudio.widgets.set_style import SetStyle

LEFT = Qt.MouseButton.LeftButton
SIZES = np.array([100.0, 200.0, 400.0, 800.0])


def curve(name: str, place: int, scale: float, reference: bool = False) -> ChartCurve:
    y = scale / np.sqrt(SIZES)
    style = SetStyle(name, "#0072b2" if place == 0 else "#d55e00", "solid", place)
    texts = tuple(f"N = {int(n)}" for n in SIZES)
    return ChartCurve(name, style, SIZES, y, 0.9 * y, 1.1 * y, texts, (scale, 0.5), "note", "tip", reference)


@pytest.fixture
def chart(qtbot: QtBot) -> CurveChart:
    chart = CurveChart()
    qtbot.addWidget(chart)
    chart.resize(600, 300)
    chart.set_curves(
        [curve("a", 0, 300.0), curve("b", 1, 60.0), curve("known", 2, 150.0, reference=True)],
        [ChartLevel("goal", 1.0, True), ChartLevel("mean", 40.0)],
        "N",
        "MAE / eV",
    )
    chart.show()
    return chart


def test_axes_are_logarithmic(chart: CurveChart) -> None:
    at = [chart.place(x, 1.0).x() for x in (100.0, 200.0, 400.0)]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1])
    ys = [chart.place(100.0, y).y() for y in (1.0, 10.0, 100.0)]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2])
    area = chart.area()
    for c in chart.curves:
        for k in range(len(SIZES)):
            assert area.contains(chart.mark_place(c.name, k))


def test_a_click_chooses_a_mark_but_no_published_one(chart: CurveChart) -> None:
    chosen: list[tuple[str, int]] = []
    chart.point_chosen.connect(lambda name, k: chosen.append((name, k)))
    QTest.mouseClick(chart, LEFT, pos=chart.mark_place("b", 2).toPoint())
    QTest.mouseClick(chart, LEFT, pos=chart.mark_place("known", 1).toPoint())
    QTest.mouseClick(chart, LEFT, pos=chart.area().topRight().toPoint())
    assert chosen == [("b", 2)]


def test_the_keyboard_goes_from_mark_to_mark(chart: CurveChart) -> None:
    chosen: list[tuple[str, int]] = []
    chart.point_chosen.connect(lambda name, k: chosen.append((name, k)))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_Return):
        QTest.keyClick(chart, key)
    assert chart.hovered == ("b", 2)
    assert chosen == [("b", 2)]
    assert chart.text_of("b", 2) == "b\nN = 400"
    QTest.keyClick(chart, Qt.Key.Key_Escape)
    assert chart.hovered is None


def test_wheel_and_drag_move_and_r_shows_all(chart: CurveChart) -> None:
    whole = chart.window_shown()
    QTest.keyClick(chart, Qt.Key.Key_Plus)
    near = chart.window_shown()
    assert near[1] - near[0] < whole[1] - whole[0]
    middle = chart.area().center().toPoint()
    QTest.mousePress(chart, LEFT, pos=middle)
    QTest.mouseMove(chart, QPointF(middle.x() + 40, middle.y()).toPoint())
    QTest.mouseRelease(chart, LEFT, pos=QPointF(middle.x() + 40, middle.y()).toPoint())
    assert chart.window_shown()[0] < near[0]
    QTest.keyClick(chart, Qt.Key.Key_R)
    assert chart.window_shown() == whole


def test_hidden_curves_leave_the_axes_to_the_others(chart: CurveChart) -> None:
    chart.set_curves(chart.curves)  # levels would hold the axes where they are
    low = chart.window_shown()[2]
    chart.set_hidden(frozenset({"b"}))
    assert [c.name for c in chart.shown] == ["a", "known"]
    assert chart.window_shown()[2] > low
    with pytest.raises(KeyError):
        chart.mark_place("b", 0)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_values_without_a_place_are_left_out(chart: CurveChart, bad: float) -> None:
    y = np.array([bad, 3.0, bad, 1.0])
    chart.set_curves([ChartCurve("x", SetStyle("x", "#0072b2", "solid", 0), SIZES, y, y, y, (), (np.nan, bad))])
    assert np.isfinite(chart.window_shown()).all()
    assert chart.grab().width() > 0
    chart.set_curves([ChartCurve("x", SetStyle("x", "#0072b2", "solid", 0), SIZES, np.full(4, bad))], message="none")
    assert chart.grab().width() > 0
    chart.set_curves([])
    assert chart.grab().width() > 0


def test_ticks_of_the_legend_hide(qtbot: QtBot, chart: CurveChart) -> None:
    legend = CurveLegend()
    qtbot.addWidget(legend)
    legend.set_curves(chart.curves)
    legend.hidden_changed.connect(chart.set_hidden)
    legend.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert chart.hidden == {"a"}
    legend.set_curves([*chart.curves, curve("c", 3, 90.0)])
    assert legend.item(0).checkState() == Qt.CheckState.Unchecked
    assert legend.item(3).checkState() == Qt.CheckState.Checked


def test_both_themes(chart: CurveChart, screenshots: Path) -> None:
    QTest.keyClick(chart, Qt.Key.Key_Right)
    for dark in (False, True):
        chart.set_dark(dark)
        chart.grab().save(str(screenshots / f"curve_chart_{'dark' if dark else 'light'}.png"))
    image = chart.grab().toImage()
    assert image.pixelColor(2, 2).lightness() < 60


@pytest.fixture
def heat(qtbot: QtBot) -> HeatMap:
    heat = HeatMap()
    qtbot.addWidget(heat)
    heat.resize(420, 260)
    values = np.array([[3.0, 2.0, 4.0], [5.0, np.nan, 1.0]])
    heat.set_values(values, ["r0", "r1"], ["c0", "c1", "c2"], ("rows", "columns", "score"))
    heat.show()
    return heat


def test_the_least_score_is_ringed(heat: HeatMap) -> None:
    assert heat.best == (1, 2)
    assert "the best" in heat.text_of(1, 2)
    assert "not there" in heat.text_of(1, 1)
    assert "columns = c1" in heat.text_of(0, 1)
    heat.set_values(np.full((2, 2), np.nan), ["a", "b"], ["c", "d"], ("", "", ""))
    assert heat.best is None
    assert heat.grab().width() > 0
    heat.set_values(np.zeros((0, 0)), [], [], ("", "", ""), message="nothing")
    assert heat.grab().width() > 0
    with pytest.raises(ValueError, match="2 rows and 1 columns"):
        heat.set_values(np.zeros((2, 2)), ["a", "b"], ["c"], ("", "", ""))


def test_cells_are_chosen_by_mouse_and_keys(heat: HeatMap, screenshots: Path) -> None:
    chosen: list[tuple[int, int]] = []
    heat.cell_chosen.connect(lambda r, c: chosen.append((r, c)))
    QTest.mouseClick(heat, LEFT, pos=heat.cell(0, 2).center().toPoint())
    assert heat.cell(1, 0).bottom() <= heat.cell(0, 0).top() + 1e-6  # the first row is at the bottom
    QTest.keyClick(heat, Qt.Key.Key_Left)  # begins at the best
    QTest.keyClick(heat, Qt.Key.Key_Left)
    QTest.keyClick(heat, Qt.Key.Key_Return)
    assert chosen == [(0, 2), (1, 1)]
    heat.set_dark(True)
    heat.grab().save(str(screenshots / "heat_map_dark.png"))


def test_bars_are_chosen_by_mouse_and_keys(qtbot: QtBot, screenshots: Path) -> None:
    bars = BarList()
    qtbot.addWidget(bars)
    bars.resize(300, 120)
    bars.show()
    chosen: list[int] = []
    bars.chosen.connect(chosen.append)
    bars.set_bars([Bar(f"group {k}", 1.0 + k, str(k), "tip") for k in range(30)], "MAE", 5.0)
    QTest.mouseClick(bars.viewport(), LEFT, pos=bars.line(2).center().toPoint())
    for _ in range(20):
        QTest.keyClick(bars, Qt.Key.Key_Down)
    QTest.keyClick(bars, Qt.Key.Key_Return)
    assert chosen == [2, 22]
    assert bars.line(22).bottom() <= bars.viewport().height() + 1  # scrolled into view
    bars.grab().save(str(screenshots / "bar_list_light.png"))
    bars.set_bars([], "MAE", message="nothing")
    assert bars.grab().width() > 0
