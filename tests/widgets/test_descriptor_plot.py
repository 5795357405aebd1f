"""The plot of one structure's features: what is under the mouse, what atoms light up, what stays legible."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from qmlstudio.chem.elements import NUMBERS, SYMBOLS
from qmlstudio.widgets.descriptor_data import element_of
from qmlstudio.widgets.descriptor_plot import DescriptorData, DescriptorPlot
from qmlstudio.widgets.descriptor_scale import Scale, diverging, number, sequential
from qmlstudio.widgets.theme import theme


def coulomb(symbols: str, *, size: int = 0, packed: bool = True, seed: int = 0) -> DescriptorData:
    """The Coulomb matrix of random atoms, packed as the lower triangle or full, padded to `size` rows."""
    names = symbols.split()
    n, size = len(names), max(size, len(names))
    z = np.array([NUMBERS[s] for s in names], dtype=float)
    positions = np.random.default_rng(seed).uniform(0, 2.2 * n ** (1 / 3), (n, 3))
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1) + np.eye(n)
    matrix = np.outer(z, z) / np.maximum(distances, 0.7) * 0.529
    matrix[np.arange(n), np.arange(n)] = 0.5 * z**2.4
    full = np.zeros((size, size))
    full[:n, :n] = matrix
    rows, columns = np.tril_indices(size) if packed else np.divmod(np.arange(size * size), size)
    cells = np.zeros((size, size), dtype=int)
    cells[rows, columns] = np.arange(len(rows))
    if packed:
        cells[columns, rows] = np.arange(len(rows))
    atoms = tuple(
        (((int(i), int(j)) if i != j else (int(i),)) if max(i, j) < n else ())
        for i, j in zip(rows, columns, strict=True)
    )
    labels = tuple(f"M({i + 1}, {j + 1}) / Ha" for i, j in zip(rows, columns, strict=True))
    atom_names = tuple(f"{s}{k + 1}" for k, s in enumerate(names))
    return DescriptorData(
        "matrix",
        full[rows, columns],
        cells,
        row_labels=atom_names,
        atoms=atoms,
        atom_names=atom_names,
        labels=labels,
        unit="Ha",
    )


WATER = coulomb("O H H", size=5)
HEPTANE = coulomb("C " * 7 + "H " * 16, size=23)
BAGS = DescriptorData(
    "bags",
    np.array([36.9, 36.9, 0, 0.5, 0.5, 0, 12.1, 0, 5.5, 4.9, 2.6, 2.5, 0, 0]),
    groups=(("C", 0, 3), ("H", 3, 6), ("C–C", 6, 8), ("C–H", 8, 13), ("O", 13, 14)),
    atoms=((0,), (1,), (), (2,), (3,), (), (0, 1), (), (0, 2), (1, 3), (0, 3), (1, 2), (), ()),
    atom_names=("C1", "C2", "H3", "H4"),
    labels=tuple(f"column {k}" for k in range(14)),
    unit="Ha",
)
SPECTRUM = DescriptorData("spectrum", np.r_[80.0, 36.0, 20.0, 0.5, 0.3, np.zeros(18)], unit="Ha")


class Signals:
    """What a plot says."""

    def __init__(self, plot: DescriptorPlot) -> None:
        self.hovered: list[tuple[tuple[int, ...], int]] = []
        self.clicked: list[int] = []
        plot.hovered.connect(lambda atoms, column: self.hovered.append((atoms, column)))
        plot.clicked.connect(self.clicked.append)


@pytest.fixture
def plot(qtbot: QtBot) -> DescriptorPlot:
    plot = DescriptorPlot()
    qtbot.addWidget(plot)
    plot.resize(320, 320)
    with qtbot.waitExposed(plot):
        plot.show()
    return plot


def picture(plot: DescriptorPlot) -> QImage:
    QApplication.processEvents()
    return plot.grab().toImage()


def place(plot: DescriptorPlot, column: int) -> QPoint:
    found = plot.position_of(column)
    assert found is not None
    return found.toPoint()


def color_at(image: QImage, point: QPointF) -> tuple[int, int, int]:
    color = QColor(image.pixel(point.toPoint()))
    return color.red(), color.green(), color.blue()


def test_empty_state(plot: DescriptorPlot) -> None:
    blank = picture(plot)
    plot.set_empty_text("")
    assert picture(plot) != blank
    assert plot.readout() == ""
    assert plot.position_of(0) is None
    plot.set_data(DescriptorData("spectrum", np.zeros(0)))
    assert not picture(plot).isNull()


def test_hover_says_atoms_column_value_and_unit(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(WATER)
    signals = Signals(plot)
    qtbot.mouseMove(plot, place(plot, 1))
    assert signals.hovered == [((1, 0), 1)]
    assert plot.readout().startswith("H2–O1  M(2, 1):  ")
    assert plot.readout().endswith(" Ha")
    assert number(WATER.values[1], 5) in plot.readout()
    qtbot.mouseMove(plot, place(plot, 5))
    assert signals.hovered[-1] == ((2,), 5)
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert signals.hovered[-1] == ((), -1)
    assert plot.readout() == ""


def test_each_cell_of_a_full_matrix_is_its_own_column(plot: DescriptorPlot, qtbot: QtBot) -> None:
    data = coulomb("C O H", packed=False)
    plot.set_data(data)
    for column in range(9):
        qtbot.mouseMove(plot, place(plot, column))
        # the window system may deliver the move a moment later
        qtbot.waitUntil(lambda column=column: plot.hover_column() == column, timeout=2000)  # type: ignore[misc]


def test_both_triangles_of_a_packed_matrix_are_the_same_column(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(WATER)
    lower, upper = plot.boxes_of(3)
    assert lower != upper
    for box in (lower, upper):
        qtbot.mouseMove(plot, box.center().toPoint())
        assert plot.hover_column() == 3


def test_padding_is_not_drawn(plot: DescriptorPlot) -> None:
    plot.set_data(HEPTANE)
    assert plot.position_of(0) is not None
    plot.set_data(WATER)
    # row 4 is padding
    assert plot.position_of(8) is None


def test_matrix_colours_are_those_of_the_scale(plot: DescriptorPlot) -> None:
    lut = np.zeros((256, 3), dtype=np.uint8)
    lut[:, 1] = np.arange(256)
    plot.set_lut(lut)
    plot.set_data(HEPTANE)
    image = picture(plot)
    brightest = int(np.argmax(HEPTANE.values))
    filled = np.flatnonzero(HEPTANE.values)
    darkest = int(filled[np.argmin(HEPTANE.values[filled])])
    assert color_at(image, QPointF(place(plot, brightest))) == (0, 255, 0)
    assert color_at(image, QPointF(place(plot, darkest))) == (0, 0, 0)
    with pytest.raises(ValueError, match="lut"):
        plot.set_lut(np.zeros((5, 3)))


def test_click_pins_and_click_again_unpins(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(WATER)
    signals = Signals(plot)
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=place(plot, 1))
    assert signals.clicked == [1]
    assert plot.pinned_column() == 1
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    assert plot.readout().startswith("H2–O1")
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=place(plot, 1))
    assert signals.clicked == [1, -1]
    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert signals.clicked == [1, -1]


def test_pinning_from_outside_says_nothing(plot: DescriptorPlot) -> None:
    plot.set_data(WATER)
    signals = Signals(plot)
    plot.set_pinned(3)
    assert plot.pinned_column() == 3
    plot.set_pinned(99)
    assert plot.pinned_column() == -1
    assert signals.clicked == []


def test_two_atoms_light_up_their_cell(plot: DescriptorPlot) -> None:
    plot.set_data(WATER)
    plain = picture(plot)
    plot.set_highlight_atoms([0, 1])
    assert plot.highlighted_columns() == [1]
    assert picture(plot) != plain
    plot.set_highlight_atoms([2])
    assert plot.highlighted_columns() == [3, 4, 5]
    plot.set_highlight_atoms([0, 1, 2])
    assert plot.highlighted_columns() == [1, 3, 4]
    plot.set_highlight_atoms([])
    assert picture(plot) == plain


def test_picked_atoms_stay_lit_when_features_follow(plot: DescriptorPlot) -> None:
    plot.set_highlight_atoms([0, 1])
    plot.set_data(WATER)
    assert plot.highlighted_columns() == [1]
    plot.set_data(BAGS)
    assert plot.highlighted_columns() == [6]


def test_live_values_keep_hover_and_pin(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(coulomb("O H H", size=5, seed=1))
    plot.set_pinned(3)
    qtbot.mouseMove(plot, place(plot, 1))
    before = plot.readout()
    plot.set_data(coulomb("O H H", size=5, seed=2))
    assert plot.hover_column() == 1
    assert plot.pinned_column() == 3
    assert plot.readout() != before
    plot.set_data(SPECTRUM)
    assert (plot.hover_column(), plot.pinned_column()) == (-1, -1)


def test_bars_of_a_spectrum(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(SPECTRUM)
    heights = [plot.boxes_of(k)[0].height() for k in range(5)]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] > 4
    assert plot.position_of(5) is None
    qtbot.mouseMove(plot, place(plot, 2))
    assert plot.hover_column() == 2
    assert plot.readout() == "3:  20 Ha"


def test_bars_below_zero(plot: DescriptorPlot) -> None:
    plot.set_data(DescriptorData("spectrum", np.array([2.0, -2.0, 1.0])))
    up, down, _ = (plot.boxes_of(k)[0] for k in range(3))
    assert up.bottom() == pytest.approx(down.top(), abs=1.0)
    assert up.height() == pytest.approx(down.height(), abs=1.0)


def test_bags_leave_out_what_is_empty(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(BAGS)
    assert [column for column in range(14) if plot.position_of(column) is None] == [2, 5, 7, 12, 13]
    signals = Signals(plot)
    qtbot.mouseMove(plot, place(plot, 9))
    assert signals.hovered == [((1, 3), 9)]
    assert plot.readout() == "C2–H4  column 9:  4.9 Ha"
    plot.set_highlight_atoms([3])
    assert plot.highlighted_columns() == [4, 9, 10]


@pytest.mark.parametrize("size", [(220, 160), (320, 300), (900, 200)])
def test_bars_lie_inside_and_apart(plot: DescriptorPlot, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    groups = tuple((f"bag {k}", 12 * k, 12 * k + 12) for k in range(15))
    plot.resize(*size)
    plot.set_data(DescriptorData("bags", rng.uniform(0.1, 50, 180), groups=groups))
    QApplication.processEvents()
    boxes = []
    for column in range(180):
        assert plot.position_of(column) is not None
        boxes += plot.boxes_of(column)
    for box in boxes:
        assert box.left() >= 0
        assert box.right() <= plot.width() + 0.5
        assert box.top() >= 0
        assert box.bottom() <= plot.height() - 18
    assert len({(round(b.left(), 3), round(b.bottom())) for b in boxes}) == 180


def test_more_bars_than_pixels(plot: DescriptorPlot) -> None:
    plot.set_data(DescriptorData("spectrum", np.random.default_rng(4).normal(size=6000)))
    assert plot.position_of(5999) is not None
    assert not picture(plot).isNull()


def test_difference_to_a_reference(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(WATER)
    plot.set_reference(WATER.values * 0.5)
    assert "Difference" in plot.readout()
    qtbot.mouseMove(plot, place(plot, 1))
    assert f"Δ +{number(WATER.values[1] / 2, 4)} Ha" in plot.readout()
    QApplication.sendEvent(plot, QEvent(QEvent.Type.Leave))
    # no difference is the neutral middle
    plot.set_reference(WATER.values)
    middle = diverging(False)[128]
    shown = color_at(picture(plot), QPointF(place(plot, 1)) + QPointF(14, 14))
    assert np.abs(np.array(shown) - middle).max() <= 4
    with pytest.raises(ValueError, match="compare"):
        plot.set_reference(np.zeros(3))
    plot.set_reference(None)
    assert plot.readout() == ""


def test_reference_shows_rows_that_only_it_has(plot: DescriptorPlot) -> None:
    larger = coulomb("O H H H", size=5)
    plot.set_data(WATER)
    assert plot.position_of(9) is None
    plot.set_reference(larger.values)
    assert plot.position_of(9) is not None


def test_other_data_drop_the_reference(plot: DescriptorPlot) -> None:
    plot.set_data(WATER)
    plot.set_reference(WATER.values)
    plot.set_data(SPECTRUM)
    assert plot.readout() == ""


def test_keyboard(plot: DescriptorPlot, qtbot: QtBot) -> None:
    plot.set_data(coulomb("C O H", packed=False))
    signals = Signals(plot)
    plot.setFocus()
    for key, column in (
        (Qt.Key.Key_Right, 0),
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_Down, 4),
        (Qt.Key.Key_Left, 3),
        (Qt.Key.Key_Left, 3),
        (Qt.Key.Key_Up, 0),
    ):
        qtbot.keyClick(plot, key)
        assert plot.hover_column() == column
    qtbot.keyClick(plot, Qt.Key.Key_Space)
    assert signals.clicked == [0]
    qtbot.keyClick(plot, Qt.Key.Key_Escape)
    assert signals.clicked == [0, -1]
    assert plot.hover_column() == -1
    plot.set_data(BAGS)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    # the padding in between is passed over
    assert plot.hover_column() == 3


@pytest.mark.parametrize("size", [(220, 160), (300, 300), (800, 240), (240, 800)])
@pytest.mark.parametrize("n", [1, 3, 23, 60])
def test_matrix_lies_inside_at_any_size(plot: DescriptorPlot, size: tuple[int, int], n: int) -> None:
    data = coulomb("C " * n)
    plot.resize(*size)
    plot.set_data(data)
    QApplication.processEvents()
    for column in (0, len(data.values) - 1):
        assert plot.position_of(column) is not None
        for box in plot.boxes_of(column):
            assert box.left() >= 4
            assert box.top() >= 4
            # room for the colour bar and the readout
            assert box.right() <= size[0] - 40
            assert box.bottom() <= size[1] - 18


def test_23_atoms_at_300_pixels_have_every_label(plot: DescriptorPlot) -> None:
    plot.resize(300, 300)
    plot.set_data(HEPTANE)
    plot.position_of(0)
    panel: Any = plot._panel
    assert panel._step == 1
    assert panel._label_font.pixelSize() >= 8


def test_wrong_data_are_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        DescriptorData("matrix", np.zeros(6))
    with pytest.raises(ValueError, match="cells"):
        DescriptorData("matrix", np.zeros(3), np.full((2, 2), 3))
    with pytest.raises(ValueError, match="atoms"):
        DescriptorData("spectrum", np.zeros(3), atoms=((0,),))
    with pytest.raises(ValueError, match="labels"):
        DescriptorData("spectrum", np.zeros(3), labels=("a",))


@pytest.mark.parametrize("kind", ["matrix", "spectrum", "bags", "curves"])
@pytest.mark.parametrize("fill", [0.0, 1.0, -1.0, np.nan, np.inf])
def test_odd_values(plot: DescriptorPlot, kind: Any, fill: float) -> None:
    plot.set_data(DescriptorData(kind, np.full(9, fill)))
    plot.set_highlight_atoms([0])
    assert not picture(plot).isNull()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, 2.0, 3.0], "linear"),
        ([0.1, 0.2, 0.2, 0.3, 100.0], "log"),
        ([-0.1, 0.2, 0.2, 0.3, 100.0], "symlog"),
        ([0.0, 0.0], "linear"),
        ([], "linear"),
    ],
)
def test_scale_suits_the_values(values: list[float], kind: str) -> None:
    scale = Scale.of(np.array(values))
    assert scale.kind == kind
    assert scale.low < scale.high
    assert scale(scale.low) == pytest.approx(0.0)
    assert scale(scale.high) == pytest.approx(1.0)
    steps = scale(np.linspace(scale.low, scale.high, 50))
    assert (np.diff(steps) > 0).all()


@pytest.mark.parametrize(
    "values", [[1.0, 5.0], [0.05, 0.1, 0.1, 0.2, 80.0], [-3.0, 0.01, 0.02, 0.02, 60.0], [0.5, 300.0]]
)
@pytest.mark.parametrize("room", [2, 5, 9])
def test_ticks_are_few_round_and_on_the_scale(values: list[float], room: int) -> None:
    scale = Scale.of(np.array(values))
    ticks = scale.ticks(room)
    assert 1 <= len(ticks) <= room + 2
    assert ticks == sorted(ticks)
    assert all(scale.low * 0.99 - 1e-9 <= t <= scale.high * 1.01 + 1e-9 for t in ticks)


def test_palettes() -> None:
    import matplotlib

    viridis = 255 * matplotlib.colormaps["viridis"](np.arange(256))[:, :3]
    assert np.abs(sequential() - viridis).max() <= 3
    for dark in (False, True):
        background = np.array([int(theme(dark).background[i : i + 2], 16) for i in (1, 3, 5)])
        assert np.abs(diverging(dark)[128] - background).max() < 40


@pytest.mark.parametrize(
    ("label", "symbol"), [("C1", "C"), ("Cl12", "Cl"), ("H", "H"), ("Hx", "H"), ("", "X"), ("7", "X")]
)
def test_element_of_a_label(label: str, symbol: str) -> None:
    assert SYMBOLS[element_of(label)] == symbol


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("name", "data"),
    [("matrix", HEPTANE), ("water", WATER), ("spectrum", SPECTRUM), ("bags", BAGS)],
)
def test_picture(plot: DescriptorPlot, screenshots: Path, name: str, data: DescriptorData, dark: bool) -> None:
    plot.set_dark(dark)
    plot.set_data(data)
    plot.set_highlight_atoms([0, 1])
    image = picture(plot)
    assert QColor(image.pixel(1, 1)) == QColor(theme(dark).background)
    assert image.save(str(screenshots / f"descriptor_plot_{name}_{'dark' if dark else 'light'}.png"))
