"""The grid of pictures: which cells are seen, the mouse, the keyboard, what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.gallery import GalleryGrid
from qmlstudio.widgets.gallery_cache import PictureCache
from qmlstudio.widgets.gallery_pictures import Look

LEFT, SHIFT, CONTROL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def captions(index: int) -> tuple[str, ...]:
    return f"name {index}", "value"


@pytest.fixture
def grid(qtbot: QtBot) -> GalleryGrid:
    grid = GalleryGrid()
    qtbot.addWidget(grid)
    grid.resize(620, 330)
    grid.set_captions(captions, 2, lambda index: f"C{index}")
    grid.show()
    QTest.qWait(20)
    return grid


def picture(look: Look, color: Qt.GlobalColor = Qt.GlobalColor.red) -> QImage:
    image = QImage(look.width, look.height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(color)
    return image


def click(grid: GalleryGrid, index: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(grid.viewport(), LEFT, modifier, grid.cell_rect(grid.place(index)).center())


def test_every_cell_is_found_under_its_middle(grid: GalleryGrid) -> None:
    order = np.random.default_rng(0).permutation(500)
    grid.set_order(order)
    for top in (0, 57, 1000, grid.verticalScrollBar().maximum()):
        grid.verticalScrollBar().setValue(top)
        places = grid.visible_places()
        assert len(places) > 6
        for place in places:
            middle = grid.cell_rect(place).center()
            assert grid.structure_at(middle) == order[place]
            assert grid.place(int(order[place])) == place
    assert places.stop == 500
    assert grid.structure_at(QPoint(-5, 10)) == -1


@pytest.mark.parametrize("n", [0, 1, 5, 2_000_000, 9_000_000])
def test_any_number_of_cells_is_reached(grid: GalleryGrid, n: int) -> None:
    grid.resize(150, 200)  # one column, the highest grid there is
    grid.set_order(np.arange(n))
    grid.set_cell_size(260)
    if not n:
        assert grid.visible_places() == range(0)
        return
    grid.reveal(n - 1)
    assert n - 1 in grid.visible_places()
    rect = grid.cell_rect(n - 1)
    assert rect.top() < grid.viewport().height()
    grid.reveal(0)
    assert 0 in grid.visible_places()
    assert not grid.viewport().grab().isNull()


def test_only_what_is_seen_is_asked_for_then_its_neighbours(grid: GalleryGrid) -> None:
    wanted: list[list[int]] = []
    grid.wanted.connect(wanted.append)
    grid.set_order(np.arange(100_000))
    QTest.qWait(30)
    seen = list(grid.visible_places())
    assert wanted[-1] == seen
    for index in seen:
        grid.put(index, grid.look, picture(grid.look))
    QTest.qWait(30)
    assert min(wanted[-1]) == seen[-1] + 1
    assert len(wanted[-1]) <= len(seen) + grid.columns
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum() // 2)
    QTest.qWait(30)
    assert wanted[-1] == list(grid.visible_places())


def test_pictures_fill_in_and_old_sizes_stand_in(grid: GalleryGrid) -> None:
    grid.set_order(np.arange(3))
    empty = grid.viewport().grab().toImage()
    grid.put(0, grid.look, picture(grid.look))
    middle = grid.cell_rect(0).center() - QPoint(0, 12)
    assert grid.viewport().grab().toImage() != empty
    assert grid.viewport().grab().toImage().pixelColor(middle).name() == "#ff0000"
    grid.set_cell_size(200)
    middle = grid.cell_rect(0).center() - QPoint(0, 12)
    assert grid.viewport().grab().toImage().pixelColor(middle).name() == "#ff0000"
    grid.set_dark(True)  # other colours: no stand-in
    assert grid.viewport().grab().toImage().pixelColor(middle).name() != "#ff0000"


def test_size_keeps_the_first_cell_in_view(grid: GalleryGrid) -> None:
    grid.set_order(np.arange(10_000))
    grid.reveal(5_000)
    before = grid.visible_places()
    grid.set_cell_size(90)
    first = grid.visible_places().start
    assert abs(first - before.start) <= 2 * grid.columns


def test_mouse(grid: GalleryGrid) -> None:
    told: list[tuple[str, object]] = []
    grid.activated_structure.connect(lambda i: told.append(("active", i)))
    grid.pin_requested.connect(lambda i: told.append(("pin", i)))
    grid.selected_structures.connect(lambda i: told.append(("selected", i.tolist())))
    grid.reveal_requested.connect(lambda i: told.append(("reveal", i)))
    order = np.arange(100)[::-1]
    grid.set_order(order)
    click(grid, 98)
    assert told == [("active", 98)]
    click(grid, 95, CONTROL)
    assert told[-1] == ("pin", 95)
    click(grid, 95, SHIFT)
    assert told[-2:] == [("selected", [98, 97, 96, 95]), ("active", 95)]
    click(grid, 99, SHIFT)  # from where the range began
    assert told[-2:] == [("selected", [99, 98]), ("active", 99)]
    QTest.mouseDClick(grid.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, grid.cell_rect(grid.place(97)).center())
    assert told[-1] == ("reveal", 97)


def test_hovering_both_ways(grid: GalleryGrid) -> None:
    told: list[int] = []
    grid.hovered.connect(told.append)
    grid.set_order(np.arange(100))
    at, none = grid.cell_rect(2).center(), Qt.MouseButton.NoButton
    where = QPointF(grid.viewport().mapToGlobal(at))
    move = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), where, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(grid.viewport(), move)  # the real pointer, which tests share, stays where it is
    assert told[-1] == 2
    before = grid.viewport().grab().toImage()
    grid.set_hovered(5)
    assert grid.viewport().grab().toImage() != before
    assert told[-1] == 2  # following tells nobody


def test_keyboard(grid: GalleryGrid) -> None:
    told: list[int] = []
    selected: list[list[int]] = []
    pinned: list[int] = []
    revealed: list[int] = []
    grid.activated_structure.connect(told.append)
    grid.activated_structure.connect(grid.set_active)
    grid.selected_structures.connect(lambda i: selected.append(i.tolist()))
    grid.pin_requested.connect(pinned.append)
    grid.reveal_requested.connect(revealed.append)
    grid.set_order(np.arange(1000))
    grid.set_active(0)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Home, Qt.Key.Key_Up):
        QTest.keyClick(grid, key)
    columns = grid.columns
    assert told == [1, 1 + columns, columns, 999, 0, 0]
    QTest.keyClick(grid, Qt.Key.Key_PageDown)
    assert told[-1] > columns
    assert told[-1] in grid.visible_places()
    QTest.keyClick(grid, Qt.Key.Key_Home)
    QTest.keyClick(grid, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(grid, Qt.Key.Key_Right, SHIFT)
    assert selected == [[0, 1], [0, 1, 2]]
    QTest.keyClick(grid, Qt.Key.Key_P)
    QTest.keyClick(grid, Qt.Key.Key_Return)
    assert pinned == revealed == [2]


def test_a_menu_from_mouse_and_keyboard(grid: GalleryGrid) -> None:
    asked: list[int] = []
    grid.context_menu_requested.connect(lambda index, _at: asked.append(index))
    grid.set_order(np.arange(3))
    grid.set_active(1)
    at = grid.cell_rect(2).center()
    for reason in (QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard):
        event = QContextMenuEvent(reason, at, grid.viewport().mapToGlobal(at))
        QApplication.sendEvent(grid.viewport(), event)
    assert asked == [2, 1]


def test_marks_are_seen(grid: GalleryGrid) -> None:
    grid.set_order(np.arange(6))
    pictures = [grid.viewport().grab().toImage()]
    mask = np.zeros(6, bool)
    mask[1] = True
    for mark in (
        lambda: grid.set_active(0),
        lambda: grid.set_selection(mask),
        lambda: grid.set_pins((2, 3)),
        lambda: grid.set_passes(~mask),
    ):
        mark()
        pictures.append(grid.viewport().grab().toImage())
    assert all(a != b for k, a in enumerate(pictures) for b in pictures[:k])
    assert "name 0" in grid.accessibleDescription()


def test_the_cache_drops_the_least_recently_shown() -> None:
    look = Look()
    image = picture(look)
    cache = PictureCache(memory=3 * int(image.sizeInBytes()) + 3000)
    for index in range(3):
        cache.put(index, look, image)
    assert cache.get(0, look) is not None
    cache.put(3, look, image)
    assert [cache.has(i, look) for i in range(4)] == [True, False, True, True]
    cache.put(2, look, None)
    assert cache.has(2, look)
    assert cache.get(2, look) is None
    assert cache.used < 3 * int(image.sizeInBytes()) + 3000
    cache.clear()
    assert (len(cache), cache.used) == (0, 0)
