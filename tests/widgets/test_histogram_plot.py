from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.histogram_plot import HistogramPlot, Mark, Series

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT, ALT, CTRL = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
)


@pytest.fixture
def plot(qtbot: QtBot) -> HistogramPlot:
    plot = HistogramPlot()
    qtbot.addWidget(plot)
    plot.resize(700, 160)
    with qtbot.waitExposed(plot):
        plot.show()
    plot.set_axes(np.linspace(0.0, 1.0, 11), "gap / Ha", "Ha")
    counts = np.array([0, 1, 5, 20, 50, 30, 10, 4, 2, 0])
    grid = np.linspace(0, 1, 200)
    curve = np.exp(-0.5 * ((grid - 0.45) / 0.12) ** 2) / (0.12 * np.sqrt(2 * np.pi))
    plot.set_series(
        [
            Series("all", "#b0b0b0", counts, int(counts.sum()), "bars", 0, grid, curve),
            Series("selected", "#3a6ea5", counts // 5, int((counts // 5).sum())),
            Series("ring", "#d55e00", counts // 2, int((counts // 2).sum()), "outline", 3),
        ]
    )
    return plot


def point(plot: HistogramPlot, k: int) -> QPoint:
    return plot.bin_center(k).toPoint()


def drag(plot: HistogramPlot, first: int, last: int, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    QTest.mousePress(plot, LEFT, modifiers, point(plot, first))
    QTest.mouseMove(plot, point(plot, (first + last) // 2))
    QTest.mouseMove(plot, point(plot, last))
    QTest.mouseRelease(plot, LEFT, modifiers, point(plot, last))


@pytest.mark.parametrize(
    ("modifiers", "operation"), [(PLAIN, "replace"), (SHIFT, "add"), (ALT, "subtract"), (CTRL, "intersect")]
)
def test_a_drag_selects_bins(plot: HistogramPlot, modifiers: Qt.KeyboardModifier, operation: str) -> None:
    found: list[tuple[int, int, str]] = []
    plot.range_selected.connect(lambda *a: found.append(a))
    drag(plot, 6, 3, modifiers)
    drag(plot, 2, 2, modifiers)
    assert found == [(3, 6, operation), (2, 2, operation)]


def test_escape_gives_up_the_outline(plot: HistogramPlot, qtbot: QtBot) -> None:
    found: list[object] = []
    plot.range_selected.connect(lambda *a: found.append(a))
    QTest.mousePress(plot, LEFT, PLAIN, point(plot, 2))
    QTest.mouseMove(plot, point(plot, 5))
    QTest.keyClick(plot, Qt.Key.Key_Escape)
    QTest.mouseRelease(plot, LEFT, PLAIN, point(plot, 5))
    assert found == []
    with qtbot.waitSignal(plot.escape_pressed, timeout=1000):
        QTest.keyClick(plot, Qt.Key.Key_Escape)


def test_keys_select(plot: HistogramPlot) -> None:
    found: list[tuple[int, int, str]] = []
    plot.range_selected.connect(lambda *a: found.append(a))
    QTest.keyClick(plot, Qt.Key.Key_Right)
    QTest.keyClick(plot, Qt.Key.Key_Right)
    QTest.keyClick(plot, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(plot, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(plot, Qt.Key.Key_Return)
    assert found == [(1, 3, "replace")]
    QTest.keyClick(plot, Qt.Key.Key_Left)
    QTest.keyClick(plot, Qt.Key.Key_Return, CTRL)
    assert found[1:] == [(2, 2, "intersect")]


def test_what_it_says(plot: HistogramPlot) -> None:
    assert plot.bin_text(1, 2) == "0.1–0.3 Ha"
    assert plot.readout(4) == "0.4–0.5 Ha · all 50 (41.0 %) · selected 10 (43.5 %) · ring 25 (41.7 %)"
    assert plot.accessibleDescription() == "gap / Ha, all 122, selected 23, ring 60"
    plot.set_axes(np.array([1.2401, 1.4882, 2.7284]), "x", "D")
    assert plot.bin_text(0, 1) == "1.24–2.73 D"
    plot.set_axes(np.array([1e-9, 1e-5, 0.1]), "x", log=True)
    assert plot.bin_text(0, 0) == "1e-09–1e-05".replace("-", "−")
    plot.set_axes(np.array([-1.0, -0.5, 0.0]), "x")
    assert plot.bin_text(0, 0) == "−1 to −0.5"
    plot.set_axes(np.arange(4) - 0.5, "n", discrete=True)
    assert (plot.bin_text(1, 1), plot.bin_text(0, 2)) == ("1", "0–2")
    plot.set_axes(np.arange(3) - 0.5, "t", "Ha", discrete=True, names=("CH4", "NH3"))
    assert plot.bin_text(1, 1) == "NH3"
    with pytest.raises(ValueError, match="3 counts for 2 bins"):
        plot.set_series([Series("all", "#000000", np.zeros(3, int), 0)])


def _heights(plot: HistogramPlot, color: str) -> list[int]:
    """Pixels of a colour in the column in the middle of each bin."""
    image: QImage = plot.grab().toImage()
    return [
        sum(image.pixelColor(point(plot, k).x(), y).name() == color for y in range(image.height()))
        for k in range(plot.bins)
    ]


def test_bars_are_as_high_as_their_counts(plot: HistogramPlot) -> None:
    counts = np.array([0, 1, 5, 20, 50, 30, 10, 4, 2, 0])
    plot.set_series([Series("all", "#b0b0b0", counts, 122)])
    heights = np.array(_heights(plot, "#b0b0b0"))
    assert (heights[counts == 0] == 0).all()
    assert (heights[counts > 0] > 0).all()
    assert heights[5] / heights[4] == pytest.approx(0.6, abs=0.03)
    plot.set_log_counts(True)
    heights = np.array(_heights(plot, "#b0b0b0"))
    expected = (np.log(10) - np.log(0.5)) / (np.log(50) - np.log(0.5))
    assert heights[6] / heights[4] == pytest.approx(expected, abs=0.03)


def test_densities_compare_sets_of_different_size(plot: HistogramPlot) -> None:
    counts = np.array([0, 1, 5, 20, 50, 30, 10, 4, 2, 0])
    plot.set_series([Series("few", "#b0b0b0", counts, 122), Series("many", "#3a6ea5", 100 * counts, 12_200)])
    plot.set_density(True)
    # the second covers the first exactly
    assert sum(_heights(plot, "#b0b0b0")) == 0
    assert _heights(plot, "#3a6ea5")[4] > 60


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [300, 700])
def test_picture(plot: HistogramPlot, screenshots: Path, dark: bool, width: int) -> None:
    plot.resize(width, 160)
    plot.set_dark(dark)
    plot.set_mark(Mark(0.62, "pyrrole: 0.62 Ha"))
    plot.set_rug(np.array([0.2, 0.4, 0.41, np.nan]))
    QTest.mouseMove(plot, point(plot, 5))
    assert plot.grab().save(str(screenshots / f"histogram_{width}_{'dark' if dark else 'light'}.png"))


@pytest.mark.parametrize(
    ("edges", "log"),
    [
        (np.array([0.0, 1.0]), False),
        (np.array([-1.7e308, 0.0, 1.7e308]), False),
        (np.array([5e-324, 1e-300, 1.0]), True),
        (np.geomspace(1e-3, 1e5, 9), True),
    ],
)
def test_odd_axes_are_drawn(plot: HistogramPlot, edges: np.ndarray, log: bool) -> None:
    plot.set_axes(edges, "x", log=log)
    k = len(edges) - 1
    plot.set_series([Series("all", "#b0b0b0", np.arange(k), int(np.arange(k).sum()))])
    plot.set_mark(Mark(0.0, "zero"))
    for density in (False, True):
        for heights in (False, True):
            plot.set_density(density)
            plot.set_log_counts(heights)
            assert not plot.grab().isNull()


def test_nothing_to_draw(plot: HistogramPlot) -> None:
    plot.set_series([])
    plot.set_message("no data set")
    before = plot.paints
    plot.grab()
    assert plot.paints > before
    QTest.mouseClick(plot, LEFT, PLAIN, QPoint(100, 60))
    QTest.keyClick(plot, Qt.Key.Key_Right)
