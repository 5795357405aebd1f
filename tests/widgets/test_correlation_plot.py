from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.correlation_plot import CorrelationPlot
from qmlstudio.widgets.pair_plot import FitLine, PairPlot
from qmlstudio.widgets.text_strip import TextStrip

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
LUT = np.stack([np.arange(256), np.full(256, 90), 255 - np.arange(256)], axis=1).astype(np.uint8)


@pytest.fixture
def plot(qtbot: QtBot) -> CorrelationPlot:
    plot = CorrelationPlot()
    qtbot.addWidget(plot)
    plot.resize(600, 200)
    with qtbot.waitExposed(plot):
        plot.show()
    plot.set_colors(LUT)
    values = np.array([[1.0, -0.5, 0.9], [-0.5, 1.0, np.nan], [0.9, np.nan, 1.0]])
    plot.set_matrix(values, ("gap", "mu", "alpha"), np.array([2, 0, 1]))
    return plot


def test_cells_have_their_colours(plot: CorrelationPlot) -> None:
    image = plot.viewport().grab().toImage()
    for row, column, value in ((0, 0, 1.0), (0, 1, -0.5), (2, 0, 0.9)):
        at = plot.cell_rect(row, column).topLeft().toPoint() + QPoint(3, 3)
        expected = LUT[round((value + 1) / 2 * 255)]
        assert [image.pixelColor(at).red(), image.pixelColor(at).blue()] == [expected[0], expected[2]]
    at = plot.cell_rect(1, 2).topLeft().toPoint() + QPoint(3, 3)
    assert image.pixelColor(at).name() == "#ffffff"


def test_a_click_chooses_the_pair(plot: CorrelationPlot) -> None:
    chosen: list[tuple[int, int]] = []
    marked: list[tuple[int, int]] = []
    plot.pair_chosen.connect(lambda *a: chosen.append(a))
    plot.cell_changed.connect(lambda *a: marked.append(a))
    at = plot.cell_rect(0, 2).center().toPoint()
    QTest.mouseMove(plot.viewport(), QPoint(2, 2))
    QTest.mouseMove(plot.viewport(), at)
    QTest.qWait(20)
    assert marked == [(0, 2)]
    QTest.mouseClick(plot.viewport(), LEFT, PLAIN, at)
    assert chosen == [(0, 2)]
    QTest.mouseClick(plot.viewport(), LEFT, PLAIN, QPoint(2, 2))
    assert chosen == [(0, 2)]


def test_keys(plot: CorrelationPlot) -> None:
    chosen: list[tuple[int, int]] = []
    plot.pair_chosen.connect(lambda *a: chosen.append(a))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Return):
        QTest.keyClick(plot, key)
    # in the order drawn: alpha, gap, mu
    assert chosen == [(0, 0)]


def test_many_columns_are_scrolled_to(plot: CorrelationPlot) -> None:
    k = 60
    plot.set_matrix(np.eye(k), [f"column {i}" for i in range(k)])
    assert plot.verticalScrollBar().maximum() > 0
    assert plot.horizontalScrollBar().maximum() > 0
    for _ in range(k):
        QTest.keyClick(plot, Qt.Key.Key_Down)
        QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.cell == (k - 1, k - 1)
    assert plot.viewport().rect().contains(plot.cell_rect(k - 1, k - 1).center().toPoint())


def test_wrong_shapes_and_nothing(plot: CorrelationPlot) -> None:
    with pytest.raises(ValueError, match="3 names"):
        plot.set_matrix(np.eye(2), ("a", "b", "c"))
    plot.set_matrix(np.zeros((0, 0)), ())
    plot.set_message("nothing")
    assert not plot.grab().isNull()
    QTest.keyClick(plot, Qt.Key.Key_Down)
    assert plot.cell == (-1, -1)


def test_lines_lie_where_they_should(qtbot: QtBot, screenshots: Path) -> None:
    plot = PairPlot()
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    with qtbot.waitExposed(plot):
        plot.show()
    plot.set_axes(("x", "y"))
    plot.set_points(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]]))
    image = plot.grab().toImage()
    half = plot.box.mapViewToScene(plot.box.viewRect().center())
    plot.set_lines([FitLine("all", 0.0, plot.box.viewRect().center().y(), "all"), FitLine("up", 1e9, -1e12, "robust")])
    after = plot.grab().toImage()
    x, y = round(half.x()) + 40, round(half.y())
    assert any(after.pixelColor(x, y + k) != image.pixelColor(x, y + k) for k in (-1, 0, 1))
    assert after.save(str(screenshots / "pair_plot.png"))
    hovered: list[int] = []
    plot.hovered.connect(hovered.append)
    plot.show_hover(1)
    plot.show_hover(7)
    assert hovered == []
    plot.set_lines([FitLine("nan", np.nan, 0.0, "all"), FitLine("far", 1.0, 1e300, "all")])
    assert not plot.grab().isNull()


def test_text_is_as_high_as_it_is_but_not_more_than_its_share(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QVBoxLayout, QWidget

    panel = QWidget()
    qtbot.addWidget(panel)
    layout = QVBoxLayout(panel)
    strip = TextStrip(panel)
    layout.addStretch(1)
    layout.addWidget(strip)
    panel.resize(400, 300)
    with qtbot.waitExposed(panel):
        panel.show()
    strip.set_text("one line")
    QTest.qWait(20)
    line = strip.fontMetrics().height()
    assert line <= strip.height() <= 1.5 * line
    strip.set_text("many words " * 200)
    QTest.qWait(20)
    assert 3 * line < strip.height() <= 0.31 * 300
    assert strip.verticalScrollBar().maximum() > 0
    strip.set_text("")
    QTest.qWait(20)
    assert strip.height() <= 1
