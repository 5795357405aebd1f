import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from qmlstudio.widgets import raster
from qmlstudio.widgets.hover_card import HoverCard
from qmlstudio.widgets.legend import Category, Legend, symbol_path

CATEGORIES = [
    Category("alkane", (230, 159, 0), 1200, 0),
    Category("alcohol <C–OH>", (86, 180, 233), 421, 1),
    Category("a very long name of a family of molecules that does not fit", (0, 158, 115), 7, 2),
    Category("amine", (213, 94, 0), 33, 3),
    Category("nitrile", (0, 114, 178), 5, 4),
    Category("ether", (204, 121, 167), 2, 5),
]
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 80">'
    '<path d="M10 60 L50 20 L90 60" stroke="#d00000" stroke-width="6" fill="none"/></svg>'
)


@pytest.fixture
def legend(qtbot):
    widget = Legend()
    qtbot.addWidget(widget)
    widget.set_categories(CATEGORIES)
    widget.resize(widget.sizeHint())
    widget.show()
    return widget


def test_a_click_or_space_switches_a_category(legend):
    shown = []
    legend.toggled.connect(shown.append)
    assert legend.shown == frozenset(range(6))
    QTest.mouseClick(legend._rows[1], Qt.MouseButton.LeftButton)
    QTest.keyClick(legend._rows[3], Qt.Key.Key_Space)
    QTest.mouseClick(legend._rows[1], Qt.MouseButton.LeftButton)
    assert shown == [frozenset({0, 2, 3, 4, 5}), frozenset({0, 2, 4, 5}), frozenset({0, 1, 2, 4, 5})]


def test_a_double_click_shows_one_alone_and_then_all(legend):
    shown = []
    legend.toggled.connect(shown.append)
    for _ in range(2):
        QTest.mouseClick(legend._rows[2], Qt.MouseButton.LeftButton)
        QTest.mouseDClick(legend._rows[2], Qt.MouseButton.LeftButton)
        if len(shown) == 2:
            assert shown[-1] == frozenset({2})
    assert shown[-1] == frozenset(range(6))


def test_names_and_counts_are_said_not_only_coloured(legend):
    assert [row.accessibleName() for row in legend._rows][:2] == ["alkane, 1,200", "alcohol <C–OH>, 421"]
    assert all(row.text() for row in legend._rows)


def test_set_shown_is_silent_and_categories_are_replaced(legend):
    shown = []
    legend.toggled.connect(shown.append)
    legend.set_shown(frozenset({1}))
    assert legend.shown == frozenset({1})
    legend.set_categories(CATEGORIES[:2])
    assert legend.shown == frozenset({0, 1})
    assert shown == []
    legend.set_categories([])
    assert legend.shown == frozenset()


@pytest.mark.parametrize("shape", range(len(raster.SHAPES)))
def test_symbols_of_legend_and_map_are_the_same(shape):
    cover = raster.stamp_table((5.0,)).stamp(shape)[1, 1]
    # the point lies at 3/8 of its pixel in phase 1
    stamp = ((cover & 0xFFFF) + (cover >> 16)) / 256
    middle = stamp.shape[0] // 2
    path = symbol_path(shape, QPointF(middle + 0.375, middle + 0.375), 5.0)
    inside = np.array(
        [[path.contains(QPointF(u + 0.5, v + 0.5)) for u in range(len(stamp))] for v in range(len(stamp))]
    )
    # they differ in pixels that the outline crosses, at most
    assert np.abs(inside - stamp)[(stamp == 0) | (stamp == 1)].sum() <= 2


@pytest.mark.parametrize("dark", [False, True])
def test_pictures(legend, screenshots, dark):
    legend.set_dark(dark)
    legend.set_shown(frozenset({0, 1, 2, 4, 5}))
    picture = legend.grab()
    assert picture.save(str(screenshots / f"legend_{'dark' if dark else 'light'}.png"))
    lightness = picture.toImage().pixelColor(picture.width() // 2, picture.height() - 2).lightness()
    assert lightness < 60 if dark else lightness > 200


@pytest.mark.parametrize("dark", [False, True])
def test_the_hover_card_shows_its_content(qtbot, screenshots, dark):
    card = HoverCard(dark=dark)
    qtbot.addWidget(card)
    card.set_content("dsgdb9nsd_000214", "C₂H₆O", [("Gap", "7.21 eV"), ("μ <D>", "1.69 D")], SVG)
    wide = card.sizeHint().width()
    card.show_at(QPoint(50, 50))
    assert card.isVisible()
    assert not card.isActiveWindow()
    image = card.grab().toImage()
    card.grab().save(str(screenshots / f"hover_card_{'dark' if dark else 'light'}.png"))
    colors = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    assert "#d00000" in colors
    card.set_content("dsgdb9nsd_000214", "C₂H₆O")
    assert card.sizeHint().width() < wide
    card.set_content("broken", svg="<svg")
    assert not card._depiction.isVisibleTo(card)


def test_the_hover_card_stays_on_the_screen_and_off_the_mouse(qtbot):
    card = HoverCard()
    qtbot.addWidget(card)
    card.set_content("name", "formula", [("Gap", "7.21 eV")], SVG)
    area = QGuiApplication.primaryScreen().availableGeometry()
    for corner in (area.topLeft(), area.topRight(), area.bottomLeft(), area.bottomRight(), area.center()):
        card.show_at(corner)
        assert area.contains(card.geometry())
        assert not card.geometry().contains(corner)
