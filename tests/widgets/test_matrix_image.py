"""The matrix of tiles: what is asked for, drawn, pointed at, zoomed."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.session.coloring import palette
from qmlstudio.session.kernel_picture import TILE, TileKey, tile_places
from qmlstudio.widgets.matrix_cache import KEPT, MISSING, TileCache
from qmlstudio.widgets.matrix_image import MatrixImage

LEFT = Qt.MouseButton.LeftButton


def value(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """A symmetric matrix that says where it is."""
    return (np.minimum(row, column) + np.maximum(row, column) / 1e3).astype(np.float32)


def serve(image: MatrixImage, most: int = 1000) -> list[TileKey]:
    served = []
    while image.wanted() and len(served) < most:
        key = image.wanted()[0]
        rows, columns = (tile_places(key, image.count, axis) for axis in (0, 1))
        image.put_tiles({key: value(rows[:, None], columns[None, :])})
        served.append(key)
    return served


@pytest.fixture
def image(qtbot: QtBot) -> MatrixImage:
    image = MatrixImage()
    qtbot.addWidget(image)
    image.resize(320, 340)
    image.show()
    return image


def test_little_is_asked_for_however_large_the_matrix(image: MatrixImage) -> None:
    image.set_matrix(100_000, "k")
    served = serve(image)
    assert served[0] == (image.top_level, 0, 0)
    assert all(i <= j for _, i, j in served)
    assert len(served) < 30
    assert image.wanted() == []
    image.show_part(70_000, 20_000, 8.0)
    assert {k[0] for k in image.wanted()} == {0}
    assert len(image.wanted()) < 6


def test_the_pair_under_the_cursor_is_the_one_that_is_drawn(image: MatrixImage) -> None:
    image.set_matrix(5000, "k")
    serve(image)
    for part in ((2500, 2500, 0.0), (1200, 4100, 0.4), (4999, 0, 12.0)):
        image.show_part(*part)
        serve(image)
        area = image.visible()[0]
        for share in ((0.1, 0.8), (0.5, 0.5), (0.93, 0.07)):
            point = QPointF(area.left() + share[0] * area.width(), area.top() + share[1] * area.height())
            pair = image.pair_at(point)
            assert pair is not None
            expected = value(np.array(pair[0]), np.array(pair[1]))
            assert image.value_at(*pair) == pytest.approx(float(expected), rel=1e-6)


def test_colours_stand_at_their_places(image: MatrixImage) -> None:
    image.set_matrix(4, "k")
    matrix = np.array([[1, 0, 0.5, 0], [0, 1, 0, np.nan], [0.5, 0, 1, 0], [0, np.nan, 0, 1]], np.float32)
    image.put_tiles({(0, 0, 0): matrix})
    image.set_range(0.0, 1.0)
    picture = image.grab().toImage()
    ratio = image.devicePixelRatioF()
    lut = palette("viridis")
    for i in range(4):
        for j in range(4):
            at = image.place(i + 0.5, j + 0.5) * ratio
            found = np.array(QColor(picture.pixel(at.toPoint())).getRgb()[:3])
            expected = np.array([128] * 3) if np.isnan(matrix[i, j]) else lut[round(float(matrix[i, j]) * 255)]
            assert np.abs(found - expected).max() <= 6, (i, j)


def test_mirror_images_and_coarser_tiles_stand_in() -> None:
    cache = TileCache()
    cache.put({(0, 0, 1): np.arange(6, dtype=np.float32).reshape(2, 3)})
    assert (0, 1, 0) in cache
    assert cache.value((0, 1, 0), 2, 1) == cache.value((0, 0, 1), 1, 2) == 5
    assert np.isnan(cache.value((0, 1, 0), 1, 2))
    assert cache.nearest((0, 5, 5), 2) is None
    cache.put({(2, 0, 0): np.ones((TILE, TILE), np.float32)})
    found = cache.nearest((0, 3, 1), 2)
    assert found is not None
    part = found[1]
    assert (part.left(), part.top(), part.width()) == (TILE / 4, 3 * TILE / 4, TILE / 4)


def test_the_oldest_tiles_go() -> None:
    cache = TileCache()
    one = np.ones((1, 1), np.float32)
    for k in range(KEPT + 10):
        cache.put({(0, 0, k): one})
    assert len(cache) == KEPT
    assert (0, 0, 3) not in cache
    assert (0, 0, KEPT) in cache


def test_colours_of_any_value() -> None:
    cache = TileCache()
    values = np.array([np.nan, -np.inf, np.inf, 0.0, 0.5, 1.0], np.float32)
    assert cache.colors(values).tolist() == [MISSING, 0, MISSING - 1, 0, 127, MISSING - 1]
    cache.set_range(1e-4, 1.0, True)
    assert cache.colors(np.array([-1, 0, 1e-4, 1e-2, 1, np.nan], np.float32)).tolist() == [
        0,
        0,
        0,
        127,
        MISSING - 1,
        MISSING,
    ]
    cache.set_range(1.0, 1.0, False)
    assert cache.colors(np.array([1.0], np.float32)).tolist() == [127]


def test_ranges_and_groups_are_checked(image: MatrixImage) -> None:
    for low, high, log in ((1.0, 0.0, False), (0.0, 1.0, True), (np.nan, 1.0, False)):
        with pytest.raises(ValueError, match="range of colours"):
            image.set_range(low, high, log)
    with pytest.raises(ValueError, match="bounds"):
        image.set_groups(np.array([0, 4]), ("a", "b"))


def test_zoom_keeps_what_is_under_the_cursor(image: MatrixImage) -> None:
    image.set_matrix(3000, "k")
    at = QPointF(image.area().center().x() + 30, image.area().center().y() - 41)
    image.zoom(60.0, at)
    before = image.pair_at(at)
    image.zoom(4.0, at)
    after = image.pair_at(at)
    assert before is not None
    assert after is not None
    assert np.abs(np.subtract(before, after)).max() <= 1
    image.zoom(1e-9, at)
    assert image.visible()[1] == (0.0, 3000.0, 0.0, 3000.0)


def test_clicks_drags_and_keys(image: MatrixImage) -> None:
    chosen: list[tuple[int, int]] = []
    hovered: list[tuple[int, int]] = []
    image.pair_chosen.connect(lambda a, b: chosen.append((a, b)))
    image.pair_hovered.connect(lambda a, b: hovered.append((a, b)))
    image.set_matrix(10, "k")
    QTest.mouseClick(image, LEFT, pos=image.place(2.5, 7.5).toPoint())
    assert chosen == [(2, 7)]
    QTest.mouseClick(image, LEFT, pos=QPoint(2, 2))
    assert len(chosen) == 1
    image.show_part(5, 5, 44.0)
    part = image.visible()[1]
    QTest.mousePress(image, LEFT, pos=QPoint(150, 150))
    QTest.mouseMove(image, QPoint(170, 180))
    QTest.mouseMove(image, QPoint(180, 190))
    QTest.mouseRelease(image, LEFT, pos=QPoint(180, 190))
    assert len(chosen) == 1
    moved = image.visible()[1]
    assert moved[0] < part[0]
    assert moved[2] < part[2]
    QTest.keyClick(image, Qt.Key.Key_R)
    assert image.visible()[1] == (0.0, 10.0, 0.0, 10.0)
    # wherever the real mouse is
    image._point((2, 7))
    QTest.keyClick(image, Qt.Key.Key_Down)
    QTest.keyClick(image, Qt.Key.Key_Right)
    expected = (3, 8)
    assert image.cursor_pair == expected == hovered[-1]
    QTest.keyClick(image, Qt.Key.Key_Return)
    assert chosen[-1] == expected


def test_a_resize_keeps_all_or_a_part(image: MatrixImage) -> None:
    image.set_matrix(1000, "k")
    image.resize(500, 420)
    assert image.visible()[1] == (0.0, 1000.0, 0.0, 1000.0)
    image.show_part(300, 600, 4.0)
    image.resize(400, 440)
    _, (r0, r1, c0, c1) = image.visible()
    assert (r0 + r1) / 2 == pytest.approx(300)
    assert (c0 + c1) / 2 == pytest.approx(600)


@pytest.mark.parametrize("n", [0, 1, 2, 129])
@pytest.mark.parametrize("dark", [False, True])
def test_small_matrices_are_drawn(image: MatrixImage, n: int, dark: bool) -> None:
    image.set_dark(dark)
    image.set_matrix(n, "k", "nothing there")
    serve(image)
    image.set_groups(np.array([0, n]), ("all",))
    image.set_marks(np.arange(n), 0 if n else None, (n - 1,) if n else ())
    assert not image.grab().isNull()
    assert image.wanted() == []


def test_marks_are_drawn_beside_the_axes(image: MatrixImage) -> None:
    image.set_matrix(100, "k")
    plain = image.grab().toImage()
    image.set_marks(np.array([20, 21, 60]))
    marked = image.grab().toImage()
    ratio = image.devicePixelRatioF()
    box = image.visible()[0]
    for place, differs in ((20, True), (60, True), (40, False)):
        x = int(image.place(0, place + 0.5).x() * ratio)
        y = int((box.top() - 4) * ratio)
        assert (plain.pixel(x, y) != marked.pixel(x, y)) is differs
