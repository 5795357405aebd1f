import threading

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from qmlstudio.widgets import raster, raster_backend
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.map_picture import MAP_MODES
from qmlstudio.widgets.scatter import ScatterMap

LUT = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 120)], axis=1).astype(np.uint8)
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]])
SHIFT, CTRL, ALT, NONE = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.NoModifier,
)
LEFT = Qt.MouseButton.LeftButton


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


def move(view, point, buttons=Qt.MouseButton.NoButton, modifiers=NONE):
    """A mouse move at once; QTest's goes through the window system's cursor and comes later."""
    place = QPointF(view.mapToGlobal(point))
    kind, none = QEvent.Type.MouseMove, Qt.MouseButton.NoButton
    QApplication.sendEvent(view, QMouseEvent(kind, QPointF(point), place, none, buttons, modifiers))


def drag(widget, start, end, modifiers=NONE, button=LEFT, corners=()):
    view = widget._view.viewport()
    QTest.mousePress(view, button, modifiers, start)
    for point in (start + QPoint(6, 0), *corners, end):
        move(view, point, button, modifiers)
    QTest.mouseRelease(view, button, modifiers, end)


def at(widget, index):
    return widget.pixel(index).toPoint()


@pytest.mark.parametrize("axes", [(), ("PC 1 (34 %)", "PC 2")])
@pytest.mark.parametrize("size", [(600, 500), (501, 333)])
def test_a_point_is_drawn_where_the_axes_say(plot, axes, size):
    plot.resize(*size)
    plot.set_points(np.array([[0.0, 0.0], [10.0, 7.0], [3.3, 2.7]]))
    plot.set_axes(axes)
    plot.set_colors([0, 0, 1], np.array([[250, 250, 250], [255, 0, 0]], np.uint8))
    plot.set_point_size(7.0)
    picture = paint(plot).astype(int)
    red = picture[..., 0] - picture[..., 1].clip(0, 255)
    red = np.where(red > 20, red, 0)
    v, u = np.indices(red.shape)
    centre = ((u + 0.5) * red).sum() / red.sum(), ((v + 0.5) * red).sum() / red.sum()
    expected = plot.pixel(2)
    assert centre == pytest.approx((expected.x(), expected.y()), abs=0.3)
    # and pixel() itself agrees with the ranges of the axes
    x0, x1, y0, y1 = plot.range
    area = plot._box.sceneBoundingRect()
    assert expected.x() == pytest.approx(area.left() + (3.3 - x0) / (x1 - x0) * area.width(), abs=0.5)
    assert expected.y() == pytest.approx(area.bottom() - (2.7 - y0) / (y1 - y0) * area.height(), abs=0.5)


def test_every_point_is_counted(plot):
    plot.set_points(cloud(3921))
    paint(plot)
    assert plot.status == "3,921 of 3,921"
    x0, x1, y0, y1 = plot.range
    plot.set_range(x0, (x0 + x1) / 2, y0, (y0 + y1) / 2)
    paint(plot)
    a, b, c, d = plot.range
    xy = plot._xy
    inside = (xy[:, 0] >= a) & (xy[:, 0] <= b) & (xy[:, 1] >= c) & (xy[:, 1] <= d)
    assert 0 < inside.sum() < 3921
    shown = int(plot.status.split(" of ")[0].replace(",", ""))
    # the picture covers whole pixels, so up to one pixel more than the view box
    assert shown == pytest.approx(int(inside.sum()), abs=8)


def test_crowds_are_drawn_densely_and_the_badge_says_so(plot):
    n = 700_000
    xy = cloud(n)
    plot.set_points(xy)
    paint(plot)
    assert plot.status == "density, log · 700,000 of 700,000"
    plot.set_colors((np.arange(n) % 256).astype(np.uint8), LUT)
    paint(plot)
    assert plot.status == "mean colour of each pixel · 700,000 of 700,000"
    plot.set_colors((np.arange(n) % 3).astype(np.uint8), LUT, categorical=True)
    paint(plot)
    assert plot.status == "one point for each pixel · 700,000 of 700,000"
    plot.set_range(-0.05, 0.05, -0.05, 0.05)
    QTest.qWait(400)
    paint(plot)
    assert plot.status.endswith(" of 700,000")
    assert "pixel" not in plot.status


def test_the_points_are_sorted_once_nobody_moves_them(plot, qtbot):
    plot.set_points(cloud(20_000))
    before = paint(plot)
    qtbot.waitUntil(lambda: plot._picture.points.order is not None, timeout=5000)
    assert not plot._sorter.is_active
    plot.refresh()
    # the order of drawing is another, the points are the same
    assert np.mean(paint(plot) != before) < 0.1
    assert plot.status == "20,000 of 20,000"


def test_without_compiled_loops_the_map_works_and_compiles_nothing(plot, monkeypatch):
    monkeypatch.setattr(raster_backend, "_compiled", None)
    plot.set_points(cloud(4000))
    plot.set_colors(np.zeros(4000, int), LUT)
    picture = paint(plot)
    assert (picture != 255).any(axis=-1).mean() > 0.02
    assert plot.status == "4,000 of 4,000"
    assert plot.point_at(plot.pixel(17)) >= 0
    QTest.qWait(200)
    assert not raster.is_ready()
    assert plot._picture.points.order is None


def test_warm_up_may_run_in_another_thread(monkeypatch):
    monkeypatch.setattr(raster_backend, "_compiled", None)
    thread = threading.Thread(target=raster.warm_up)
    thread.start()
    thread.join()
    assert raster.is_ready()


def test_selection_dims_and_never_removes(plot):
    plot.set_points(CORNERS)
    plot.set_colors([0] * 5, [[200, 0, 0]])
    plot.set_point_size(15)
    plot.set_selection([False, True, False, False, True])
    picture = paint(plot)
    for index, expected in ((1, (200, 0, 0)), (4, (200, 0, 0)), (0, (244, 204, 204))):
        point = at(plot, index)
        assert picture[point.y(), point.x()] == pytest.approx(np.array(expected), abs=3)
    plot.set_selection(None)
    plot.set_dimmed([False, True, False, False, False])
    picture = paint(plot)
    assert picture[at(plot, 0).y(), at(plot, 0).x()] == pytest.approx(np.array((200, 0, 0)), abs=3)
    assert picture[at(plot, 1).y(), at(plot, 1).x()] == pytest.approx(np.array((244, 204, 204)), abs=3)
    assert plot.status == "5 of 5"


def test_hover_reports_the_nearest_point_once(plot, qtbot):
    plot.set_points(CORNERS)
    paint(plot)
    found = []
    plot.hovered.connect(found.append)
    view = plot._view.viewport()
    for index in (4, 4, 1):
        move(view, at(plot, index) + QPoint(2, 1))
    move(view, at(plot, 4) + QPoint(60, 20))
    assert found == [4, 1, -1]


def test_clicks_report_point_modifiers_and_background(plot, qtbot):
    plot.set_points(CORNERS)
    paint(plot)
    view = plot._view.viewport()
    clicks, grounds = [], []
    plot.clicked.connect(lambda index, modifiers: clicks.append((index, modifiers)))
    plot.background_clicked.connect(lambda: grounds.append(True))
    QTest.mouseClick(view, LEFT, NONE, at(plot, 2))
    QTest.mouseClick(view, LEFT, CTRL, at(plot, 0))
    QTest.mouseClick(view, LEFT, NONE, at(plot, 4) + QPoint(50, 20))
    assert clicks == [(2, NONE), (0, CTRL)]
    assert grounds == [True]


def test_the_context_menu_knows_its_point(plot):
    plot.set_points(CORNERS)
    paint(plot)
    found = []
    plot.context_menu_requested.connect(lambda index, where: found.append((index, where)))
    view = plot._view.viewport()
    for point in (at(plot, 4), at(plot, 4) + QPoint(50, 20)):
        QApplication.sendEvent(
            view, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, point, view.mapToGlobal(point), NONE)
        )
    assert [index for index, _ in found] == [4, -1]
    assert found[0][1] == view.mapToGlobal(at(plot, 4))


def test_dragging_moves_the_points_with_the_mouse(plot):
    plot.set_points(CORNERS)
    paint(plot)
    before = plot.pixel(4)
    clicks = []
    plot.clicked.connect(lambda *a: clicks.append(a))
    drag(plot, at(plot, 4), at(plot, 4) + QPoint(70, 40))
    moved = plot.pixel(4) - before
    assert (moved.x(), moved.y()) == pytest.approx((70, 40), abs=0.5)
    assert clicks == []
    drag(plot, QPoint(100, 100), QPoint(90, 100), button=Qt.MouseButton.MiddleButton)
    assert (plot.pixel(4) - before).x() == pytest.approx(60, abs=0.5)


def test_the_wheel_zooms_at_the_mouse_and_a_double_click_shows_everything(plot):
    plot.set_points(CORNERS)
    paint(plot)
    view, home, point = plot._view.viewport(), plot.range, at(plot, 2)
    before = plot.pixel(2)
    event = QWheelEvent(
        QPointF(point),
        QPointF(view.mapToGlobal(point)),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
    x0, x1, _, _ = plot.range
    assert (home[1] - home[0]) / (x1 - x0) == pytest.approx(1.44)
    moved = plot.pixel(2) - before
    assert (moved.x(), moved.y()) == pytest.approx((0, 0), abs=1)
    QTest.mouseDClick(view, LEFT, NONE, point)
    assert plot.range == pytest.approx(home)


@pytest.mark.parametrize(
    ("tool", "modifiers", "expected"),
    [
        ("pan", NONE, None),
        ("pan", CTRL, None),
        ("pan", SHIFT, "replace"),
        ("pan", SHIFT | ALT, "subtract"),
        ("pan", SHIFT | CTRL, "intersect"),
        ("lasso", NONE, "replace"),
        ("lasso", SHIFT, "add"),
        ("lasso", ALT, "subtract"),
        ("lasso", CTRL, "intersect"),
        ("box", NONE, "replace"),
        ("box", SHIFT, "add"),
    ],
)
def test_what_modifiers_do_to_the_selection(plot, tool, modifiers, expected):
    assert operation(tool, modifiers) == expected
    plot.set_points(CORNERS)
    plot.set_tool(tool)
    paint(plot)
    found, home = [], plot.range
    plot.lassoed.connect(lambda mask, what: found.append((mask, what)))
    middle = at(plot, 4)
    drag(
        plot,
        middle + QPoint(-40, -40),
        middle + QPoint(40, 40) if tool == "box" else middle + QPoint(-40, 40),
        modifiers,
        corners=() if tool == "box" else (middle + QPoint(40, -40), middle + QPoint(40, 40)),
    )
    if expected is None:
        assert found == []
        assert plot.range != pytest.approx(home)
        return
    assert [what for _, what in found] == [expected]
    np.testing.assert_array_equal(found[0][0], [False, False, False, False, True])
    assert plot.range == pytest.approx(home)


def test_the_keyboard_does_what_the_mouse_does(plot):
    plot.set_points(CORNERS)
    paint(plot)
    tools, clicks, escapes, menus = [], [], [], []
    plot.tool_changed.connect(tools.append)
    plot.clicked.connect(lambda index, modifiers: clicks.append(index))
    plot.escape_pressed.connect(lambda: escapes.append(True))
    plot.context_menu_requested.connect(lambda index, where: menus.append(index))
    home = plot.range
    for key in (Qt.Key.Key_L, Qt.Key.Key_B, Qt.Key.Key_V):
        QTest.keyClick(plot, key)
    assert tools == ["lasso", "box", "pan"]
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert plot.range[0] > home[0]
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert plot.range[1] - plot.range[0] < home[1] - home[0]
    QTest.keyClick(plot, Qt.Key.Key_Home)
    assert plot.range == pytest.approx(home)
    plot.set_active(0)
    QTest.keyClick(plot, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(plot, Qt.Key.Key_Up, SHIFT)
    QTest.keyClick(plot, Qt.Key.Key_Left, SHIFT)
    # from the lower left corner to its neighbours; nothing is to the left of it
    assert clicks == [1, 3]
    QTest.keyClick(plot, Qt.Key.Key_Menu)
    assert menus == [0]
    QTest.keyClick(plot, Qt.Key.Key_Escape)
    assert escapes == [True]


def test_escape_gives_up_an_outline_first(plot):
    plot.set_points(CORNERS)
    paint(plot)
    found, escapes = [], []
    plot.lassoed.connect(lambda *a: found.append(a))
    plot.escape_pressed.connect(lambda: escapes.append(True))
    view = plot._view.viewport()
    QTest.mousePress(view, LEFT, SHIFT, QPoint(100, 100))
    for point in (QPoint(110, 100), QPoint(300, 300)):
        move(view, point, LEFT, SHIFT)
    QTest.keyClick(plot, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, LEFT, SHIFT, QPoint(300, 100))
    assert found == []
    assert escapes == []


def test_new_points_wander_and_a_stream_does_not(plot, qtbot):
    plot.set_points(CORNERS)
    paint(plot)
    before = plot.range
    target = CORNERS + [[0.5, 0.0]] * 5
    plot.set_points(target, animate=True)
    qtbot.waitUntil(lambda: plot.position(4)[0] > 0.01, timeout=2000)
    qtbot.waitUntil(lambda: plot.position(4) == (0.5, 0.0), timeout=2000)
    assert plot.range == pytest.approx(before)
    for shift in (0.1, 0.2, 0.3):
        plot.set_points(CORNERS + shift)
        assert plot.position(4) == (shift, shift)
    plot.set_points(CORNERS * 10, keep_range=False)
    assert plot.range[1] > 10


def test_hiding_the_map_ends_what_moves(plot):
    plot.set_points(CORNERS)
    plot.set_points(CORNERS * 2, animate=True)
    plot.hide()
    assert plot.position(0) == (-2.0, -2.0)


def test_another_number_of_points_forgets_what_was_said_of_the_old(plot):
    plot.set_points(CORNERS)
    plot.set_colors([0, 1, 2, 3, 4], LUT)
    plot.set_selection([True] * 5)
    plot.set_active(4)
    plot.set_pins([1, 2])
    plot.set_points(CORNERS[:2])
    paint(plot)
    assert plot.status == "2 of 2"
    assert plot._markers.active is None
    assert plot._markers.pins == []


@pytest.mark.parametrize(
    "xy",
    [
        np.zeros((0, 2)),
        np.zeros((1, 2)),
        np.full((3, 2), np.nan),
        np.zeros((4, 2)),
        np.array([[1e20, -3.0]]),
        np.array([[1e307, 0.0], [-1e307, np.inf]]),
        np.array([[0.0, 1e-300], [0.0, -1e-300]]),
        np.array([[2.0, 0.0], [2.0, 5.0]]),
    ],
)
def test_few_and_degenerate_points_are_legal(plot, xy):
    plot.set_points(xy)
    plot.set_active(None)
    paint(plot)
    assert plot.status.endswith(f"of {len(xy)}")
    x0, x1, y0, y1 = plot.range
    assert x1 > x0
    assert y1 > y0
    assert plot.point_at(QPointF(3, 3)) == -1
    for mode in MAP_MODES:
        plot.set_mode(mode)
        plot.zoom_by(1.5)
        plot.grab()
    placed = int((abs(xy) < 1e100).all(axis=1).sum())
    assert plot._picture.points.placed == placed


def test_wrong_arguments_are_refused_and_change_nothing(plot):
    plot.set_points(CORNERS)
    plot.set_colors([0, 1, 2, 3, 4], LUT)
    before = paint(plot)
    for wrong in (
        lambda: plot.set_points(np.zeros((3, 3))),
        lambda: plot.set_colors([0, 1], LUT),
        lambda: plot.set_colors([0, 1, 2, 3, 256], LUT),
        lambda: plot.set_colors([0] * 5),
        lambda: plot.set_colors([0] * 5, np.zeros((2, 4))),
        lambda: plot.set_selection([True]),
        lambda: plot.set_shapes([0, 1, 2, 3, 99]),
        lambda: plot.set_active(5),
        lambda: plot.set_pins([0, -1]),
        lambda: plot.set_point_size(0),
        lambda: plot.set_tool("zoom"),
        lambda: plot.set_mode("median"),
        lambda: plot.set_bins(0.5),
        lambda: plot.set_bins(25),
        lambda: plot.set_sizes([1, 2, 3, 4, 61]),
        lambda: plot.set_sizes([0, 1, 1, 1, 1]),
        lambda: plot.set_values([1.0]),
        lambda: plot.set_values([1.0] * 5, 2.0, 1.0),
        lambda: plot.set_values([1.0] * 5, 0.0, 1.0, "log"),
        lambda: plot.set_colors([-1, 0, 0, 0, 0], LUT),
        lambda: plot.set_axes(["x"]),
    ):
        with pytest.raises(ValueError):
            wrong()
    plot.refresh()
    np.testing.assert_array_equal(paint(plot), before)


@pytest.mark.parametrize("dark", [False, True])
def test_pictures(qtbot, screenshots, dark):
    from pyqtgraph import colormap

    lut = colormap.get("viridis").getLookupTable(nPts=256)
    for n in (4000, 134_000):
        xy = cloud(n)
        value = np.sin(xy[:, 0]) + 0.3 * xy[:, 1]
        index = np.clip((value - value.min()) / np.ptp(value) * 255, 0, 255).astype(np.uint8)
        plot = ScatterMap(dark=dark)
        qtbot.addWidget(plot)
        plot.resize(720, 600)
        plot.show()
        plot.set_points(xy)
        plot.set_axes(("PC 1 (34 %)", "PC 2 (12 %)") if n == 4000 else ())
        plot.set_colors(index, lut, missing=np.arange(n) % 20 == 0)
        plain = paint(plot)
        assert len(np.unique(plain.reshape(-1, 3), axis=0)) > 200
        plot.set_selection(np.hypot(*xy.T) < 2.5)
        plot.set_active(0)
        plot.set_pins([10, 20, 30])
        plot.set_busy("UMAP, epoch 120 of 500")
        marked = paint(plot)
        assert (plain != marked).any(axis=-1).mean() > 0.05
        plot.grab().save(str(screenshots / f"map_{n}_{'dark' if dark else 'light'}.png"))
        assert plot.status == f"{n:,} of {n:,}"
