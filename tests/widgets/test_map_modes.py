"""What the map shows beside plain points: modes, sizes, values, and what its badge says of them."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF
from PySide6.QtGui import QHelpEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from qmlstudio.widgets import raster
from qmlstudio.widgets.scatter import ScatterMap

LUT = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 120)], axis=1).astype(np.uint8)
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]])


@pytest.fixture(autouse=True)
def compiled():
    raster.warm_up()


@pytest.fixture
def plot(qtbot):
    widget = ScatterMap()
    qtbot.addWidget(widget)
    widget.resize(600, 500)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def cloud(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) + rng.integers(-2, 3, size=(n, 2)) * 2.5


def paint(widget):
    """The widget as drawn now, (H, W, 3) RGB."""
    for _ in range(3):
        # axes find their width while they are painted; the badge follows a moment after the picture
        widget.grab()
        QTest.qWait(5)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    QApplication.processEvents()
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def at(widget, index):
    return widget.pixel(index).toPoint()


def test_modes_say_what_is_seen_and_what_the_colours_mean(plot, qtbot):
    n = 3000
    xy = cloud(n)
    values = np.sin(xy[:, 0])
    plot.set_points(xy)
    plot.set_colors(np.clip(values * 127 + 128, 0, 255).astype(int), LUT)
    plot.set_values(values, -1.0, 1.0)
    found = []
    plot.statistic_changed.connect(found.append)
    expected = {
        "auto": ("", None, ""),
        "points": ("", None, ""),
        "mean": ("mean of each pixel · ", "linear", "mean"),
        "std": ("standard deviation of each pixel · ", "linear", "standard deviation"),
        "count": ("count of each pixel · ", "linear", "points per pixel"),
        "density": ("density, log · ", "log", "points per pixel"),
        "contours": ("density contours · ", "log", "points per 4 × 4 px"),
        "over": ("density, points where sparse · ", "log", "points per 4 × 4 px"),
    }
    for mode, (text, scale, label) in expected.items():
        plot.set_mode(mode)
        paint(plot)
        assert plot.status == f"{text}3,000 of 3,000"
        assert plot.statistic_label == label
        assert (plot.statistic.scale if plot.statistic else None) == scale
        assert plot.drawn_as == ("points" if mode == "auto" else mode)
    plot.set_mode("max")
    plot.set_bins(12, hexagons=True)
    paint(plot)
    assert plot.status == "maximum, hexagons of 12 px · 3,000 of 3,000"
    assert (plot.statistic.low, plot.statistic.high) == (-1.0, 1.0)
    np.testing.assert_array_equal(plot.statistic_colors, LUT)
    plot.set_mode("density")
    paint(plot)
    assert plot.statistic_label == "points per bin"
    assert len(plot.statistic_colors) > 16
    assert [s.kind for s in found if s is not None][-2:] == ["max", "density"]
    # other colours forget the values: nothing to average
    plot.set_colors(np.zeros(n, int), LUT)
    plot.set_mode("std")
    paint(plot)
    assert plot.drawn_as == "index"


def test_values_are_averaged_exactly_in_a_crowd(plot):
    n = 700_000
    xy = cloud(n)
    plot.set_points(xy)
    plot.set_colors(np.zeros(n, int), LUT)
    plot.set_values(np.full(n, 0.5), 0.0, 1.0)
    picture = paint(plot)
    assert plot.status == "mean of each pixel · 700,000 of 700,000"
    middle = plot.pixel(0).toPoint()
    assert tuple(picture[middle.y(), middle.x()]) == tuple(LUT[128])


def test_sizes_draw_small_points_on_large_ones_and_both_are_hit(plot):
    plot.set_points(np.array([[0.0, 0.0], [0.08, 0.0], [-1.0, -1.0], [1.0, 1.0]]))
    plot.set_colors([0, 1, 0, 0], [[200, 0, 0], [0, 0, 200]])
    plot.set_sizes([50.0, 6.0, np.nan, 6.0])
    picture = paint(plot)
    assert tuple(picture[at(plot, 1).y(), at(plot, 1).x()]) == (0, 0, 200)
    rim = at(plot, 0) - QPoint(20, 0)
    assert tuple(picture[rim.y(), rim.x()]) == (200, 0, 0)
    assert plot.point_at(QPointF(rim)) == 0
    assert plot.point_at(plot.pixel(1) + QPointF(1, 1)) == 1
    assert plot.point_at(QPointF(at(plot, 3) + QPoint(15, 0))) == -1
    # without a size: hollow, in its own colour
    hole = at(plot, 2)
    assert picture[hole.y(), hole.x()].min() > picture[hole.y(), hole.x() - 2].min()
    plot.set_sizes(None)
    assert tuple(paint(plot)[rim.y(), rim.x()]) == (255, 255, 255)


def test_points_without_a_place_are_told_in_the_badges_tooltip(plot, monkeypatch):
    xy = cloud(2000)
    xy[:30, 0] = np.nan
    xy[30:40, 1] = np.inf
    plot.set_points(xy)
    paint(plot)
    assert plot.status == "1,960 of 2,000"
    shown = []
    monkeypatch.setattr("qmlstudio.widgets.map_canvas.QToolTip.showText", lambda where, text, *a: shown.append(text))
    view = plot._view.viewport()
    badge = plot._badges._badge.geometry().center()
    for place in (badge, QPoint(30, 30)):
        local = view.mapFrom(plot, place)
        QApplication.sendEvent(view, QHelpEvent(QEvent.Type.ToolTip, local, view.mapToGlobal(local)))
    assert len(shown) == 1
    assert "40 without a place" in shown[0]


def test_a_million_categories_are_drawn(plot):
    n = 1_000_000
    plot.set_points(cloud(n))
    plot.set_colors(np.arange(n), np.zeros((n, 3), np.uint8) + 90, categorical=True)
    paint(plot)
    assert plot.status == "one point for each pixel · 1,000,000 of 1,000,000"


def test_who_draws_on_the_map_is_told_where_the_points_are(plot):
    placed = []
    plot.placed.connect(lambda: placed.append(plot.points))
    plot.set_points(CORNERS)
    assert placed[-1] is plot.points
    np.testing.assert_array_equal(plot.points, CORNERS)
    assert plot.box.mapViewToScene(QPointF(0, 0)) == plot._box.mapViewToScene(QPointF(0, 0))
    assert plot.space is None


def test_selected_points_come_last(plot):
    n = 5000
    plot.set_points(np.concatenate([np.random.default_rng(0).normal(size=(n - 2, 2)) * 0.01, [[-1, -1], [1, 1]]]))
    plot.set_colors(np.arange(n) % 2, [[200, 0, 0], [0, 0, 200]])
    plot.set_selection(np.arange(n) == 0)
    for mode in ("points", "density"):
        plot.set_mode(mode)
        picture = paint(plot)
        point = at(plot, 0)
        assert picture[point.y(), point.x()].min() < 130


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_of_modes(qtbot, screenshots, dark):
    from pyqtgraph import colormap

    n = 30_000
    xy = cloud(n)
    value = np.sin(xy[:, 0]) + 0.3 * xy[:, 1]
    value[::20] = np.nan
    low, high = np.nanmin(value), np.nanmax(value)
    index = np.nan_to_num((value - low) / (high - low) * 255).astype(np.uint8)
    plot = ScatterMap(dark=dark)
    qtbot.addWidget(plot)
    plot.resize(560, 460)
    plot.show()
    plot.set_points(xy)
    plot.set_colors(index, colormap.get("viridis").getLookupTable(nPts=256), np.isnan(value))
    plot.set_values(value, low, high)
    plot.set_selection(xy[:, 0] < 2.5)
    seen = []
    for mode, bins in (("contours", 1), ("over", 1), ("mean", 10), ("std", 14), ("density", 8), ("points", 1)):
        plot.set_mode(mode)
        plot.set_bins(bins, hexagons=bins == 10)
        plot.set_sizes(3.0 + index / 25.0 if mode == "points" else None)
        seen.append(paint(plot))
        assert plot.status.endswith("30,000 of 30,000")
        plot.grab().save(str(screenshots / f"map_{mode}_{'dark' if dark else 'light'}.png"))
    for k, one in enumerate(seen):
        # drawn at all, and as nothing else is
        assert len(np.unique(one.reshape(-1, 3), axis=0)) > 20
        assert all((one != other).any(axis=-1).mean() > 0.05 for other in seen[k + 1 :])
