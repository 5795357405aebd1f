import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QImage, QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from qmlstudio.widgets import overlay_backend, raster
from qmlstudio.widgets.cloud_map import HOME, CloudMap

COLORS = np.array([[0, 114, 178], [230, 159, 0], [0, 158, 115]], np.uint8)
NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


@pytest.fixture(autouse=True)
def compiled():
    raster.warm_up()
    overlay_backend.warm_up()


@pytest.fixture
def cloud(qtbot):
    widget = CloudMap()
    qtbot.addWidget(widget)
    widget.resize(500, 450)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def points(n=300, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def paint(widget):
    for _ in range(2):
        widget.grab()
        QTest.qWait(5)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    QApplication.processEvents()
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def drag(widget, start, end, modifiers=NONE, button=LEFT, corners=()):
    view = widget._view.viewport()
    QTest.mousePress(view, button, modifiers, start)
    for point in (start + QPoint(6, 0), *corners, end):
        place = QPointF(view.mapToGlobal(point))
        event = QMouseEvent(QEvent.Type.MouseMove, QPointF(point), place, Qt.MouseButton.NoButton, button, modifiers)
        QApplication.sendEvent(view, event)
    QTest.mouseRelease(view, button, modifiers, end)


def key(widget, name, modifiers=NONE):
    QTest.keyClick(widget._view, name, modifiers)


def test_the_projection_is_the_cameras(cloud):
    xyz = points()
    cloud.set_points(xyz)
    center = (xyz.min(axis=0) + xyz.max(axis=0)) / 2
    assert cloud.points == pytest.approx(((xyz - center) @ cloud.camera.matrix.T)[:, :2])
    assert cloud.space is xyz
    for name, columns in (("x", [1, 2]), ("y", [2, 0]), ("z", [0, 1])):
        cloud.set_camera(cloud.camera.along(name))
        assert cloud.points == pytest.approx((xyz - center)[:, columns])
    flat = cloud.points.copy()
    cloud.set_perspective(True)
    ratio = (cloud.points / flat).mean(axis=1)
    assert np.corrcoef(ratio, xyz[:, 2])[0, 1] > 0.95
    assert np.argmax(ratio) == np.argmax(xyz[:, 2])


def test_all_points_are_in_view_however_the_cloud_is_turned(cloud):
    cloud.set_points(points(2000) * [5, 1, 1])
    rng = np.random.default_rng(1)
    for perspective in (False, True):
        cloud.set_perspective(perspective)
        cloud.reset_range()
        x0, x1, y0, y1 = cloud.range
        for _ in range(10):
            cloud.set_camera(cloud.camera.turned(rng.normal(size=3), 77))
            assert (cloud.points >= [x0, y0]).all()
            assert (cloud.points <= [x1, y1]).all()
    paint(cloud)
    assert cloud.status == "2,000 of 2,000"


def test_what_is_near_covers_what_is_far_and_is_larger_and_stronger(cloud):
    # the same place on the screen; the third and fourth beside each other
    xyz = np.array([[0, 0, -1.0], [0, 0, 1.0], [-1, 0, -1.0], [1, 0, 1.0]])
    cloud.set_points(xyz)
    cloud.set_camera(cloud.camera.along("z"))
    cloud.set_colors([0, 1, 2, 2], COLORS)
    cloud.set_point_size(20.0)
    picture = paint(cloud)

    def at(index):
        p = cloud.pixel(index)
        return picture[round(p.y()) - 1, round(p.x()) - 1]

    assert abs(at(1) - COLORS[1]).max() < 30
    # paler towards the white background
    assert at(2).sum() > at(3).sum() + 150
    assert abs(at(3) - COLORS[2]).max() < 30
    green = (picture[..., 1] > picture[..., 0] + 30) & (picture[..., 2] < 240)
    # the triad in the corner is green, too
    green[-120:, :120] = False
    half = picture.shape[1] // 2
    assert green[:, half:].sum() > 1.3 * green[:, :half].sum() > 0
    # turned round, it is the other way about
    cloud.set_camera(cloud.camera.turned((0, 1, 0), 180))
    picture = paint(cloud)
    assert abs(at(0) - COLORS[0]).max() < 30


def test_the_nearest_to_the_viewer_is_hit(cloud):
    cloud.set_points(np.array([[0, 0, -1.0], [0, 0, 1.0], [0.0, 3, 0]]))
    cloud.set_camera(cloud.camera.along("z"))
    paint(cloud)
    assert cloud.point_at(cloud.pixel(0)) == 1
    cloud.set_camera(cloud.camera.turned((0, 1, 0), 180))
    assert cloud.point_at(cloud.pixel(0)) == 0
    assert cloud.point_at(cloud.pixel(2) + QPointF(60, 0)) == -1


def test_left_drag_turns_and_the_others_move(cloud):
    cloud.set_points(points())
    at, to = QPoint(250, 220), QPoint(330, 220)
    before, space = cloud.range, cloud.camera
    drag(cloud, at, to)
    assert cloud.camera != space
    assert cloud.range == before
    # to the right: what faces the viewer goes to the right
    assert (cloud.camera.matrix @ space.matrix.T @ [0, 0, 1])[0] > 0.2
    turned = cloud.camera
    for button, modifiers in ((LEFT, SHIFT), (MIDDLE, NONE), (RIGHT, NONE)):
        x0 = cloud.range[0]
        drag(cloud, at, to, modifiers, button)
        # 80 pixels
        assert cloud.range[0] - x0 == pytest.approx(-80 * cloud.box.viewPixelSize()[0])
    assert cloud.camera == turned
    QTest.mouseDClick(cloud._view.viewport(), LEFT, NONE, at)
    assert cloud.camera.rotation == HOME.rotation
    assert cloud.range == pytest.approx(before)


def test_dragging_back_turns_back(cloud):
    cloud.set_points(points())
    before = cloud.points.copy()
    middle = cloud._box.sceneBoundingRect().center()
    cloud.turn(middle, middle + QPointF(50, -30))
    assert abs(cloud.points - before).max() > 0.1
    cloud.turn(middle + QPointF(50, -30), middle)
    assert cloud.points == pytest.approx(before)


def test_clicks_and_menus(cloud, qtbot):
    cloud.set_points(points())
    paint(cloud)
    found, menus = [], []
    cloud.clicked.connect(lambda i, m: found.append((i, m)))
    cloud.context_menu_requested.connect(lambda i, p: menus.append(i))
    index = int(np.argmax(cloud.points[:, 0]))
    at = cloud._view.viewport().mapFrom(cloud, cloud.pixel(index).toPoint())
    view = cloud._view.viewport()
    QTest.mouseClick(view, LEFT, NONE, at)
    QTest.mouseClick(view, LEFT, CTRL, at)
    assert found == [(index, NONE), (index, CTRL)]
    with qtbot.waitSignal(cloud.background_clicked):
        QTest.mouseClick(view, LEFT, NONE, QPoint(480, 10))
    # the window system's own request comes with the press and would spoil a right drag
    QApplication.sendEvent(view, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.mapToGlobal(at)))
    assert menus == []
    QTest.mouseClick(view, RIGHT, NONE, at)
    assert menus == [index]
    drag(cloud, at, at + QPoint(30, 30), button=RIGHT)
    assert menus == [index]


def test_an_outline_selects_at_all_depths(cloud):
    xyz = np.array([[0, 0, z] for z in np.linspace(-2, 2, 9)] + [[2.0, 0, 0], [-2, 0, 0], [0, np.nan, 0]])
    cloud.set_points(xyz)
    cloud.set_camera(cloud.camera.along("z"))
    paint(cloud)
    masks = []
    cloud.lassoed.connect(lambda mask, how: masks.append((mask, how)))
    camera, shown = cloud.camera, cloud.range
    middle = cloud._view.viewport().mapFrom(cloud, cloud.pixel(4).toPoint())
    cloud.set_tool("box")
    drag(cloud, middle - QPoint(20, 20), middle + QPoint(20, 20))
    ((mask, how),) = masks
    assert how == "replace"
    assert np.flatnonzero(mask).tolist() == list(range(9))
    cloud.set_tool("lasso")
    corners = [middle + QPoint(20, -20), middle + QPoint(20, 20)]
    drag(cloud, middle - QPoint(20, 20), middle + QPoint(-20, 20), SHIFT, corners=corners)
    assert masks[1][1] == "add"
    assert masks[1][0].sum() == 9
    assert (cloud.camera, cloud.range) == (camera, shown)
    cloud.set_selection(mask)
    picture = paint(cloud)
    cloud.set_selection(None)
    assert (paint(cloud) != picture).any()


def test_hovering(cloud):
    cloud.set_points(points())
    paint(cloud)
    seen = []
    cloud.hovered.connect(seen.append)
    index = int(np.argmax(cloud.points[:, 0]))
    at = QPointF(cloud._view.viewport().mapFrom(cloud, cloud.pixel(index).toPoint()))
    view = cloud._view.viewport()
    place = QPointF(view.mapToGlobal(at.toPoint()))
    none = Qt.MouseButton.NoButton
    QApplication.sendEvent(view, QMouseEvent(QEvent.Type.MouseMove, at, place, none, none, NONE))
    assert seen == [index]
    drag(cloud, at.toPoint(), at.toPoint() + QPoint(20, 0))
    assert seen[1] == -1


def test_keys(cloud):
    cloud.set_points(points())
    key(cloud, Qt.Key.Key_X)
    assert (cloud.camera.matrix @ [1, 0, 0]) == pytest.approx([0, 0, 1])
    key(cloud, Qt.Key.Key_Z)
    assert cloud.camera.matrix == pytest.approx(np.eye(3))
    key(cloud, Qt.Key.Key_Right)
    assert (cloud.camera.matrix @ [0, 0, 1])[0] == pytest.approx(np.sin(np.radians(5)))
    key(cloud, Qt.Key.Key_Left)
    key(cloud, Qt.Key.Key_Up)
    assert (cloud.camera.matrix @ [0, 0, 1])[1] == pytest.approx(np.sin(np.radians(5)))
    key(cloud, Qt.Key.Key_O)
    assert cloud.camera.is_perspective
    key(cloud, Qt.Key.Key_R)
    assert cloud.camera.rotation == HOME.rotation
    assert cloud.camera.is_perspective
    key(cloud, Qt.Key.Key_L)
    assert cloud.tool == "lasso"
    x0, x1, _, _ = cloud.range
    key(cloud, Qt.Key.Key_Plus)
    assert cloud.range[1] - cloud.range[0] < x1 - x0
    # a key that is ours wins over a menu's
    event = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_R, NONE)
    event.ignore()
    QApplication.sendEvent(cloud._view, event)
    assert event.isAccepted()


def test_points_wander_in_space(cloud, qtbot):
    xyz = points()
    cloud.set_points(xyz)
    cloud.set_points(xyz[:, [2, 0, 1]], animate=True)
    qtbot.waitUntil(lambda: cloud.space is not xyz and not cloud._animation.state().value, timeout=3000)
    assert cloud.space == pytest.approx(xyz[:, [2, 0, 1]])
    # taking hold of the cloud ends it
    cloud.set_points(xyz, animate=True)
    drag(cloud, QPoint(250, 220), QPoint(300, 220))
    assert cloud.space is xyz
    cloud.set_points(xyz[::-1], animate=True)
    cloud.hide()
    assert np.array_equal(cloud.space, xyz[::-1])


@pytest.mark.parametrize(
    "xyz",
    [
        np.zeros((0, 3)),
        np.zeros((1, 3)),
        np.ones((50, 3)) * 1e9,
        np.full((4, 3), np.nan),
        np.array([[0, 0, 0], [np.inf, 0, 0], [1, 2, np.nan]], float),
        np.outer(np.arange(20.0), [1, 0, 0]),
        np.random.default_rng(0).normal(size=(30, 3)) * 1e-12,
    ],
)
def test_all_sorts_of_points(cloud, xyz):
    cloud.set_points(xyz)
    for perspective in (False, True):
        cloud.set_perspective(perspective)
        paint(cloud)
        place = int(np.isfinite(xyz).all(axis=1).sum())
        assert cloud.status.startswith(f"{place} of {len(xyz)}")
        cloud.set_camera(cloud.camera.turned((1, 1, 0), 50))
    cloud.point_at(QPointF(100, 100))
    with pytest.raises(ValueError):
        cloud.set_points(np.zeros((4, 2)))


def test_sizes_symbols_missing_values_and_read_only_arrays(cloud):
    xyz = points()
    xyz.flags.writeable = False
    cloud.set_points(xyz)
    cloud.set_colors(np.arange(300) % 3, COLORS, np.arange(300) % 7 == 0, categorical=True)
    cloud.set_shapes(np.arange(300) % 3)
    plain = paint(cloud)
    cloud.set_sizes(np.where(np.arange(300) % 5 == 0, np.nan, np.linspace(3, 20, 300)))
    assert (paint(cloud) != plain).any(axis=-1).mean() > 0.01
    cloud.set_sizes(None)
    assert np.array_equal(paint(cloud), plain)


def test_crowds_are_shown_as_on_a_plane_map(cloud):
    cloud.set_points(points(600_000))
    paint(cloud)
    assert cloud.drawn_as == "density"
    assert "600,000 of 600,000" in cloud.status
    before = paint(cloud)
    cloud.set_camera(cloud.camera.turned((0, 1, 0), 40))
    assert (paint(cloud) != before).any()


def test_without_compiled_loops_a_cloud_is_drawn(cloud, monkeypatch):
    xyz = points()
    cloud.set_points(xyz)
    compiled = paint(cloud)
    monkeypatch.setattr(overlay_backend, "_cloud", None)
    cloud.set_points(xyz.copy())
    assert np.array_equal(paint(cloud), compiled)


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_in_space(cloud, screenshots, dark):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2000)
    cloud.set_points(rng.normal(size=(2000, 3)) + 4 * np.eye(3)[labels])
    cloud.set_colors(labels, COLORS, categorical=True)
    cloud.set_axes(("PC 1 (52 %)", "PC 2 (21 %)", "PC 3 (9 %)"))
    cloud.set_active(4)
    cloud.set_pins([10, 20])
    cloud.set_dark(dark)
    picture = paint(cloud)
    assert (picture[20, 450] > 128).all() != dark
    corner = picture[-90:, :140]
    assert (abs(corner - corner[0, 0]).max(axis=-1) > 60).sum() > 150
    with pytest.raises(ValueError):
        cloud.set_axes(("a", "b"))
    cloud.grab().save(str(screenshots / f"cloud_map_{'dark' if dark else 'light'}.png"))
