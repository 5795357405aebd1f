"""Panels as small multiples: what is drawn where, what is left out, how one gets from one to the next."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qmlstudio.representations.base import Panel
from qmlstudio.widgets.descriptor_grid import GridPanel
from qmlstudio.widgets.descriptor_plot import DescriptorData, DescriptorPlot
from qmlstudio.widgets.descriptor_scale import diverging, duration, sequential

GRID = np.linspace(0.5, 5.0, 40)
PAIRS = ("H–H", "C–H", "O–H", "C–C", "C–O", "O–O")


def mixed(scale: float = 1.0) -> DescriptorData:
    """Bars, curves of which one is empty and one small, and two symmetric matrices."""
    panels = [Panel("elements", 0, 3, names=("H", "C", "O"), group="one-body")]
    values = [np.array([4.0, 2.0, 0.0])]
    start = 3
    for k, title in enumerate(PAIRS):
        panels.append(Panel(title, start, start + 40, grid=GRID, axis="r / Å", group="pairs"))
        height = (0.0, 1.0, 0.7, 0.5, 0.01, 0.4)[k]
        values.append(height * np.exp(-8 * (GRID - 1.0 - 0.5 * k) ** 2))
        start += 40
    for title in ("l = 0", "l = 1"):
        cells = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]]) + start
        panels.append(Panel(title, start, start + 6, cells=cells, row_axis="n", axis="n'", group="powers"))
        values.append(np.array([5.0, 1.0, -0.2, 2.0, 0.4, 1.0]))
        start += 6
    values_ = scale * np.concatenate(values)
    labels = [f"column {k}" for k in range(len(values_))]
    return DescriptorData("panels", values_, labels=labels, panels=panels, unit="Ha", atom_names=("C1", "H2"))


def many(count: int = 90, length: int = 120) -> DescriptorData:
    """Ten thousand columns."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 180, length)
    panels = [
        Panel(f"triple {k}", k * length, (k + 1) * length, grid=grid, axis="angle / °", group="triples")
        for k in range(count)
    ]
    centres = rng.uniform(0, 180, count)
    values = np.exp(-((grid - centres[:, None]) ** 2) / 200).ravel()
    return DescriptorData("panels", values, panels=panels)


@pytest.fixture
def plot(qtbot: QtBot) -> DescriptorPlot:
    plot = DescriptorPlot()
    qtbot.addWidget(plot)
    plot.resize(330, 560)
    with qtbot.waitExposed(plot):
        plot.show()
    return plot


def grid_of(plot: DescriptorPlot) -> GridPanel:
    plot._lay_out()
    assert isinstance(plot._panel, GridPanel)
    return plot._panel


def picture(plot: DescriptorPlot) -> QImage:
    QApplication.processEvents()
    return plot.grab().toImage()


def place(plot: DescriptorPlot, column: int) -> QPoint:
    found = plot.position_of(column)
    assert found is not None
    return found.toPoint()


def point(plot: DescriptorPlot, at: QPointF | QPoint) -> None:
    """Move the mouse there, whatever the real one does."""
    place, none = QPointF(at), Qt.MouseButton.NoButton
    spot = QPointF(plot.mapToGlobal(place.toPoint()))
    QApplication.sendEvent(
        plot, QMouseEvent(QEvent.Type.MouseMove, place, spot, none, none, Qt.KeyboardModifier.NoModifier)
    )


def test_empty_panels_are_left_out(plot: DescriptorPlot) -> None:
    plot.set_data(mixed())
    titles = [tile.panel.title for tile in grid_of(plot).tiles]
    assert titles == ["elements", "C–H", "O–H", "C–C", "C–O", "O–O", "l = 0", "l = 1"]
    assert plot.position_of(3) is None
    plot.set_data(DescriptorData("panels", np.zeros(4), panels=[Panel("none", 0, 4, grid=np.arange(4.0))]))
    assert plot.position_of(0) is None
    assert not picture(plot).isNull()


@pytest.mark.parametrize("size", [(220, 160), (330, 560), (900, 300)])
def test_tiles_lie_inside_and_apart(plot: DescriptorPlot, size: tuple[int, int]) -> None:
    plot.resize(*size)
    plot.set_data(mixed())
    QApplication.processEvents()
    tiles = grid_of(plot).tiles
    for k, tile in enumerate(tiles):
        assert tile.plot.left() >= 0
        assert tile.plot.right() <= plot.width()
        for other in tiles[k + 1 :]:
            assert not tile.plot.intersects(other.plot)


def test_curves_of_a_heading_share_a_scale_and_small_ones_are_magnified(plot: DescriptorPlot) -> None:
    plot.set_data(mixed())
    curves = {t.panel.title: t for t in grid_of(plot).tiles if t.kind == "curve"}
    assert len({(t.scale.low, t.scale.high) for t in curves.values()}) == 1
    assert curves["C–H"].factor == 1
    assert curves["C–O"].factor == 100


@pytest.mark.parametrize("column", [1, 43 + 5, 43 + 39, 243, 247, 254])
def test_hover_finds_the_column(plot: DescriptorPlot, qtbot: QtBot, column: int) -> None:
    plot.set_data(mixed())
    plot.scroll_to(column)
    point(plot, place(plot, column))
    assert plot.hover_column() == column
    assert plot.readout().startswith(f"column {column}:  ")
    assert plot.readout().endswith("Ha")
    plot.set_composition("C1–H2 62 %")
    assert "C1–H2 62 %" in plot.accessibleDescription()
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert plot.composition() == ""


def test_both_cells_of_a_symmetric_matrix(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(mixed())
    first, second = plot.boxes_of(244)
    for box in (first, second):
        point(plot, box.center())
        assert plot.hover_column() == 244


def test_matrices_of_both_signs_have_zero_in_the_middle(plot: DescriptorPlot) -> None:
    plot.set_data(mixed())
    matrices = [t for t in grid_of(plot).tiles if t.kind == "matrix"]
    assert all(t.scale.low == -t.scale.high for t in matrices)
    assert np.array_equal(matrices[0].style.lut, diverging(False))
    plot.set_data(mixed(0.0))
    data = mixed()
    plot.set_data(DescriptorData("panels", np.abs(data.values), panels=data.panels))
    positive = next(t for t in grid_of(plot).tiles if t.kind == "matrix")
    assert np.array_equal(positive.style.lut, sequential())


def test_a_part_is_drawn_into_the_panels(plot: DescriptorPlot) -> None:
    data = mixed()
    plot.set_data(data)
    plain = picture(plot)
    plot.set_part(0.5 * data.values)
    assert picture(plot) != plain
    plot._set_hover(60)
    assert "50 %" in plot.readout()
    plot.set_part(None)
    plot._set_hover(-1)
    assert picture(plot) == plain
    with pytest.raises(ValueError, match="compare"):
        plot.set_part(np.zeros(3))
    # new values bring their own part
    plot.set_part(0.5 * data.values)
    plot.set_data(data)
    assert plot.part() is None


def test_difference(plot: DescriptorPlot, qtbot: QtBot) -> None:
    data = mixed()
    plot.set_data(data, reference=mixed(0.5).values)
    for tile in grid_of(plot).tiles:
        assert tile.scale.low == -tile.scale.high
    plot.scroll_to(1)
    point(plot, place(plot, 1))
    assert "Δ +1 Ha" in plot.readout()
    only_other = np.zeros(len(data.values))
    only_other[3:43] = 1.0
    plot.set_reference(only_other)
    # what only the other has is a difference too
    assert plot.position_of(10) is not None
    plot.set_data(data, reference=None)
    assert plot.position_of(10) is None


def test_keyboard_goes_through_tiles(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(mixed())
    plot.setFocus()
    seen = []
    for _ in range(4):
        qtbot.keyClick(plot, Qt.Key.Key_Right)
        seen.append(plot.hover_column())
    # after the bars comes the first curve that is not empty
    assert seen == [0, 1, 2, 43]
    qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert plot.hover_column() == 2
    qtbot.keyClick(plot, Qt.Key.Key_Down)
    below = plot.hover_column()
    assert 43 <= below < 243
    for _ in range(6):
        qtbot.keyClick(plot, Qt.Key.Key_Down)
    assert plot.hover_column() >= 243
    qtbot.keyClick(plot, Qt.Key.Key_Space)
    assert plot.pinned_column() == plot.hover_column()


def test_more_than_the_window_holds_scrolls(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(many())
    picture(plot)
    assert plot._bar.isVisible()
    assert plot._bar.maximum() > plot.height()
    last = len(many().values) - 60
    assert plot._hit(QPointF(place(plot, last))) == -1
    plot.scroll_to(last)
    found = place(plot, last)
    assert 0 < found.y() < plot.height()
    point(plot, found)
    assert plot.hover_column() == last
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot._bar.value() == 0
    qtbot.keyClick(plot, Qt.Key.Key_End)
    assert plot._bar.value() == plot._bar.maximum()
    # what fits needs no bar
    plot.set_data(DescriptorData("spectrum", np.ones(5)))
    picture(plot)
    assert not plot._bar.isVisible()


def test_scroll_stays_while_values_change(plot: DescriptorPlot) -> None:
    data = many()
    plot.set_data(data)
    picture(plot)
    plot._bar.setValue(900)
    plot.set_data(DescriptorData("panels", data.values * 1.1, panels=data.panels))
    picture(plot)
    assert plot._bar.value() == 900


def test_the_overview_shows_all_and_leads_there(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(many())
    picture(plot)
    strip = plot._strip()
    spot = QPoint(int(strip.right() - 2), int(strip.center().y()))
    point(plot, spot)
    assert plot.readout().startswith("triples · triple 89")
    QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=spot)
    assert plot._bar.value() > 0.8 * plot._bar.maximum()
    assert plot.pinned_column() == -1


def test_pointing_paints_nothing_anew(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(many())
    picture(plot)
    kept = plot._picture
    point(plot, place(plot, 40))
    QApplication.processEvents()
    assert plot._picture is kept
    plot._bar.setValue(50)
    picture(plot)
    assert plot._picture is not kept


@pytest.mark.parametrize("values", [np.nan, np.inf, -1.0])
def test_odd_values_are_drawn(plot: DescriptorPlot, values: float) -> None:
    data = mixed()
    odd = data.values.copy()
    odd[::3] = values
    plot.set_data(DescriptorData("panels", odd, panels=data.panels))
    assert not picture(plot).isNull()


def test_panels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="panel wide"):
        DescriptorData("panels", np.zeros(4), panels=[Panel("wide", 0, 9, grid=np.arange(9.0))])


@pytest.mark.parametrize("names", [("a", "b"), ("a long name", "another one"), ("x" * 40,) * 60])
def test_names_of_bars_stand_where_there_is_room(plot: DescriptorPlot, names: tuple[str, ...]) -> None:
    data = DescriptorData("panels", np.ones(len(names)), panels=[Panel("bars", 0, len(names), names=names)])
    plot.set_data(data)
    assert not picture(plot).isNull()
    assert plot.boxes_of(len(names) - 1)[0].right() <= plot.width()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.01, "< 0.1 s"),
        (0.3, "0.3 s"),
        (12.2, "12 s"),
        (200.0, "3 min 20 s"),
        (3000.0, "50 min"),
        (7920.0, "2 h 12 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["mixed", "part", "difference", "many"])
def test_pictures(plot: DescriptorPlot, screenshots: Path, name: str, dark: bool) -> None:
    plot.set_dark(dark)
    data = many() if name == "many" else mixed()
    part = 0.4 * data.values if name == "part" else None
    plot.set_data(data, reference=mixed(0.5).values[::-1] if name == "difference" else None, part=part)
    assert picture(plot).save(str(screenshots / f"descriptor_grid_{name}_{'dark' if dark else 'light'}.png"))
