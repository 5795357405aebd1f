import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from qmlstudio.progress import Progress
from qmlstudio.widgets import map_overlays, overlay_backend, path_item, raster
from qmlstudio.widgets.cloud_map import CloudMap
from qmlstudio.widgets.map_overlays import MapOverlays
from qmlstudio.widgets.overlay_items import Link
from qmlstudio.widgets.scatter import ScatterMap

COLORS = np.array([[0, 114, 178], [230, 159, 0], [0, 158, 115]], np.uint8)
GREY = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)


@pytest.fixture(autouse=True)
def compiled():
    raster.warm_up()
    overlay_backend.warm_up()


@pytest.fixture
def plot(qtbot):
    widget = ScatterMap()
    qtbot.addWidget(widget)
    widget.resize(600, 500)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


@pytest.fixture
def overlays(plot):
    return MapOverlays(plot)


def groups(n=300, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return rng.normal(size=(n, 2)) + np.array([[0, 0], [9, 0], [4, 8]])[labels], labels


def paint(widget):
    """The widget as drawn now, (H, W, 3) RGB, its points sorted."""
    while widget._sorter.is_active:
        QTest.qWait(10)
    for _ in range(2):
        widget.grab()
        QTest.qWait(5)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    QApplication.processEvents()
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def pixel(plot, x, y):
    """Row and column at which coordinates are drawn."""
    at = plot._view.viewportTransform().map(plot.box.mapViewToScene(QPointF(x, y)))
    return round(at.y()), round(at.x())


def near(picture, place, reach=4):
    v, u = place
    return picture[v - reach : v + reach + 1, u - reach : u + reach + 1]


# -- hulls


def test_hulls_outline_and_name_their_groups(plot, overlays):
    xy, labels = groups()
    plot.set_points(xy)
    before = paint(plot)
    overlays.set_hulls(labels, ["left", "right", "top"], COLORS)
    after = paint(plot)
    assert [h.label for h in overlays.hulls] == [0, 1, 2]
    # between the points the fill is the group's colour, very pale; outside nothing has changed
    centre = near(after, pixel(plot, 9, 0), 30).reshape(-1, 3)
    assert ((centre[:, 0] > 235) & (centre[:, 2] < 240) & (centre[:, 2] > 200)).sum() > 100
    assert np.array_equal(near(after, pixel(plot, -2, 8), 20), near(before, pixel(plot, -2, 8), 20))
    assert overlays._labels.placed == 3
    overlays.set_hulls(None)
    assert np.array_equal(paint(plot), before)


def test_hulls_follow_the_points(plot, overlays, qtbot):
    xy, labels = groups()
    plot.set_points(xy)
    overlays.set_hulls(labels)
    rings = [h.rings[0].tolist() for h in overlays.hulls]
    plot.set_points(xy * [1, -1])
    # at once with the same corners, then, at rest, with those of the new places
    qtbot.waitUntil(lambda: [h.rings[0].tolist() for h in overlays.hulls] != rings, timeout=3000)
    assert [sorted(h.rings[0].tolist()) for h in overlays.hulls] == [sorted(r) for r in rings]
    for item, label in zip(overlays.hulls, range(3), strict=True):
        assert (labels[item.rings[0]] == label).all()


def test_large_sets_are_outlined_elsewhere_and_late_results_are_dropped(plot):
    work = []
    overlays = MapOverlays(plot, submit=lambda compute, done: work.append((compute, done)))
    n = map_overlays.DIRECT_POINTS + 1
    xy, labels = groups(n)
    plot.set_points(xy)
    overlays.set_hulls(labels)
    overlays.set_hulls(labels, kind="alpha")
    assert overlays.hulls == []
    assert len(work) == 2
    results = [compute(Progress()) for compute, _ in work]
    work[0][1](results[0])
    assert overlays.hulls == []
    work[1][1](results[1])
    assert overlays.hulls == results[1]
    overlays.set_hulls(None)
    work[1][1](results[1])
    assert overlays.hulls == []


def test_everything_is_forgotten_when_the_number_of_points_changes(plot, overlays):
    xy, labels = groups()
    plot.set_points(xy)
    overlays.set_hulls(labels, ["a", "b", "c"])
    overlays.set_labels(["x"], [299])
    overlays.set_paths(np.arange(300))
    overlays.set_links([(0, 299, "map")])
    paint(plot)
    plot.set_points(xy[:10])
    blank = paint(plot)
    assert overlays.hulls == []
    assert overlays.description == ""
    overlays.clear()
    assert np.array_equal(paint(plot), blank)
    plot.set_points(np.zeros((0, 2)))
    paint(plot)


@pytest.mark.parametrize("kind", ["convex", "alpha"])
def test_degenerate_groups_are_drawn(plot, overlays, kind):
    xy = np.array([[0.0, 0], [1, 1], [2, 2], [5, 0], [5, 0], [np.nan, 1], [8, 3]])
    plot.set_points(xy)
    without = paint(plot)
    overlays.set_hulls([0, 0, 0, 1, 1, 2, 3], ["line", "twice", "nowhere", "one"], COLORS, kind)
    assert [h.label for h in overlays.hulls] == [0, 1, 3]
    drawn = paint(plot)
    for place in ((0, 0), (5, 0), (8, 3)):
        v, u = pixel(plot, *place)
        ring = drawn[v - 9 : v + 10, u - 9 : u + 10] != without[v - 9 : v + 10, u - 9 : u + 10]
        assert ring.any(axis=-1).sum() > 20


def test_many_moving_outlines_are_drawn_plainly_until_they_rest(plot, overlays, qtbot, monkeypatch):
    monkeypatch.setattr("qmlstudio.widgets.overlay_items.DEAR_MS", 0.0)
    xy, labels = groups()
    plot.set_points(xy)
    overlays.set_hulls(labels)
    paint(plot)
    plot.move_by(0.01, 0)
    assert overlays._hulls._moving
    qtbot.waitUntil(lambda: not overlays._hulls._moving, timeout=3000)


# -- names


def test_names_find_room_and_follow(plot, overlays, qtbot):
    xy, _ = groups(150)
    plot.set_points(xy)
    overlays.set_labels([f"C{i}H{2 * i}" for i in range(150)], np.arange(150))
    assert 20 < overlays._labels.placed <= 150
    boxes = overlays._labels.rectangles()
    first = boxes[0].copy()
    plot.move_by(0.1, 0.0)
    # while it is moved a name stays beside its point
    moved = overlays._labels.rectangles()[0] - first
    assert moved[:2] == pytest.approx(moved[2:])
    assert moved[0] == pytest.approx(-0.1 * plot.box.width(), abs=0.5)
    plot.zoom_by(3.0)
    before = overlays._labels.placed
    qtbot.waitUntil(lambda: not overlays._labels._rest.isActive(), timeout=3000)
    assert overlays._labels.placed != before
    paint(plot)


# -- paths


def walk(n, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(n, 2)), axis=0)


def test_a_path_joins_its_frames_and_breaks(plot, overlays):
    xy = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10], [5.0, 5.0]])
    plot.set_points(xy)
    without = paint(plot)
    overlays.set_paths([0, 1, 2, 3], breaks=[2])
    drawn = paint(plot)
    assert (near(drawn, pixel(plot, 3, 0)) != near(without, pixel(plot, 3, 0))).any()
    assert (near(drawn, pixel(plot, 3, 10)) != near(without, pixel(plot, 3, 10))).any()
    assert np.array_equal(near(drawn, pixel(plot, 10, 5)), near(without, pixel(plot, 10, 5)))
    assert overlays.description == "path of 4 frames"
    overlays.set_paths([0, 2], mode="time", lut=[[255, 0, 0], [0, 200, 0]])
    green = near(paint(plot), pixel(plot, 3, 3)).reshape(-1, 3)
    assert ((green[:, 1] > 150) & (green[:, 0] < 60)).any()
    assert overlays.description == "path of 2 frames, coloured by time"
    overlays.set_paths(None)
    assert np.array_equal(paint(plot), without)


def test_a_long_path_is_completed_at_rest_and_moved_meanwhile(plot, overlays, qtbot, monkeypatch):
    monkeypatch.setattr(path_item, "QUICK_STEPS", 1000)
    n = 40_000
    plot.set_points(walk(n))
    overlays.set_paths(np.arange(n), mode="time", lut=GREY)
    plot.grab()
    item = overlays._paths
    assert not item.is_complete
    qtbot.waitUntil(lambda: item.is_complete, timeout=10_000)
    assert item.every == 1
    settled = paint(plot)
    kept = item._done
    plot.move_by(0.05, 0.0)
    plot.grab()
    assert item._done is kept
    assert not item.is_complete
    qtbot.waitUntil(lambda: item.is_complete, timeout=10_000)
    plot.move_by(-0.05, 0.0)
    plot.grab()
    qtbot.waitUntil(lambda: item.is_complete, timeout=10_000)
    # back where it was, pixel for pixel
    assert np.mean(paint(plot) != settled) < 1e-3


def test_a_path_that_is_too_much_is_drawn_in_stretches_and_says_so(plot, overlays, qtbot, monkeypatch):
    monkeypatch.setattr(path_item, "QUICK_STEPS", 1000)
    monkeypatch.setattr(path_item, "PIXEL_BUDGET", 100_000)
    n = 20_000
    plot.set_points(np.random.default_rng(0).uniform(size=(n, 2)))
    overlays.set_paths(np.arange(n))
    plot.grab()
    qtbot.waitUntil(lambda: overlays._paths.is_complete, timeout=10_000)
    assert overlays._paths.every > 10
    assert overlays.description.startswith("path of 20,000 frames · every ")
    plot.zoom_by(1000.0)
    plot.grab()
    qtbot.waitUntil(lambda: overlays._paths.is_complete, timeout=10_000)


def test_until_the_loops_are_loaded_qt_draws_the_path(plot, monkeypatch):
    monkeypatch.setattr(overlay_backend, "_paths", None)
    submitted = []
    overlays = MapOverlays(plot, submit=lambda compute, done: submitted.append((compute, done)))
    plot.set_points(np.array([[0.0, 0], [10, 0], [10, 10]]))
    without = paint(plot)
    overlays.set_paths([0, 1, 2])
    drawn = paint(plot)
    assert (near(drawn, pixel(plot, 3, 0)) != near(without, pixel(plot, 3, 0))).any()
    ((compute, done),) = submitted
    done(compute(Progress()))
    assert overlay_backend.is_ready()


# -- links


def test_links_are_drawn_and_explained(plot, overlays):
    xy = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10], [5, 5], [np.nan, 0]])
    plot.set_points(xy)
    without = paint(plot)
    overlays.set_links([(4, 0, "feature"), Link(4, 1, "map"), (4, 2, "false"), (4, 3, "path"), (4, 5, "map")])
    drawn = paint(plot)
    for place in ((3, 3), (7, 3), (7, 7), (3, 7)):
        assert (near(drawn, pixel(plot, *place)) != near(without, pixel(plot, *place))).any()
    assert len(overlays.description.splitlines()) == 4
    # the legend names only what there is
    overlays.set_links([(0, 1, "false")])
    assert overlays.description == "false neighbour: near on the map only"
    overlays.set_links(())
    assert overlays.description == ""


def test_the_patterns_of_links_differ_without_colour(plot, overlays):
    plot.set_points(np.array([[0.0, 5], [10, 5], [0, 0], [10, 10]]))
    patterns = {}
    for kind in ("feature", "map", "false"):
        overlays.set_links([(0, 1, kind)])
        picture = paint(plot)
        v, u0 = pixel(plot, 2, 5)
        ink = picture[v - 1 : v + 2, u0 : pixel(plot, 8, 5)[1]].sum(axis=(0, 2)) < 9 * 215
        patterns[kind] = (ink.mean(), np.abs(np.diff(ink.astype(int))).sum())
    assert patterns["feature"] == (1.0, 0)
    assert patterns["map"][1] > patterns["false"][1] > 10


# -- all together


def test_mistakes_are_told(plot, overlays):
    plot.set_points(np.zeros((5, 2)))
    for bad in (
        lambda: overlays.set_hulls([0, 1]),
        lambda: overlays.set_hulls(np.zeros(5, int), kind="round"),
        lambda: overlays.set_hulls(np.zeros(5, int), alpha=-1.0),
        lambda: overlays.set_hulls(np.zeros(5, int), mask=[True]),
        lambda: overlays.set_labels(["a"], [5]),
        lambda: overlays.set_labels(["a"], [1, 2]),
        lambda: overlays.set_paths([0, 5]),
        lambda: overlays.set_paths([0, 1], breaks=[2]),
        lambda: overlays.set_paths([0, 1], mode="time"),
        lambda: overlays.set_paths([0, 1], mode="speed"),
        lambda: overlays.set_links([(0, 9, "map")]),
        lambda: overlays.set_links([(0, 1, "wrong")]),
    ):
        with pytest.raises(ValueError):
            bad()
    overlays.set_paths([])
    overlays.set_paths([3])
    paint(plot)


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_of_everything(qtbot, screenshots, dark):
    widget = ScatterMap(dark=not dark)
    qtbot.addWidget(widget)
    widget.resize(640, 560)
    with qtbot.waitExposed(widget):
        widget.show()
    overlays = MapOverlays(widget)
    xy, labels = groups(600, seed=3)
    widget.set_points(xy)
    widget.set_colors(labels, COLORS, categorical=True)
    overlays.set_hulls(labels, ["aromatic", "cyclic", "chains"], COLORS, "alpha")
    overlays.set_labels([f"C{k}H{k + 2}" for k in range(30)], np.arange(30))
    overlays.set_paths(np.arange(0, 300, 12), mode="time", lut=GREY[::-1])
    overlays.set_links([(4, 7, "feature"), (4, 8, "map"), (4, 9, "false"), (4, 10, "path"), (10, 11, "path")])
    widget.set_active(4)
    widget.set_dark(dark)
    overlays.set_dark(dark)
    picture = paint(widget)
    # the background is that of the theme
    assert (picture[20, 590] > 128).all() != dark
    widget.grab().save(str(screenshots / f"map_overlays_{'dark' if dark else 'light'}.png"))


def test_overlays_lie_on_a_turning_cloud(qtbot):
    cloud = CloudMap()
    qtbot.addWidget(cloud)
    cloud.resize(500, 450)
    with qtbot.waitExposed(cloud):
        cloud.show()
    overlays = MapOverlays(cloud)
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    cloud.set_points(rng.normal(size=(300, 3)) + 6 * np.eye(3)[labels])
    overlays.set_hulls(labels, ["a", "b", "c"], COLORS)
    kept = overlays.hulls
    assert all(len(h.corners) > 3 for h in kept)
    before = overlays._hulls.polygons(kept[0])[0]
    cloud.set_camera(cloud.camera.turned((0, 1, 0), 60))
    # the outline turns with the cloud, and nothing is computed for that
    after = overlays._hulls.polygons(kept[0])[0]
    assert abs(after - before).max() > 5
    assert not overlays._rest.isActive()
    at = overlays._hulls.pixels(np.flatnonzero(labels == kept[0].label))
    assert (at.min(axis=0) >= after.min(axis=0)).all()
    assert (at.max(axis=0) <= after.max(axis=0)).all()
    # alpha shapes become hulls in the plane of the screen, when the cloud rests
    overlays.set_hulls(labels, kind="alpha")
    assert all(len(h.rings) for h in overlays.hulls)
    cloud.set_camera(cloud.camera.turned((0, 1, 0), 20))
    assert not overlays._hulls.isVisible()
    qtbot.waitUntil(overlays._hulls.isVisible, timeout=3000)
