"""Waterfall, calibration plot, errors by size; atoms painted by numbers; weighted lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.session.atom_values import AtomValues
from qmlstudio.widgets.calibration_plot import CalibrationPlot, Coverage
from qmlstudio.widgets.error_by_size import ErrorBySize, SizeCurve
from qmlstudio.widgets.molecule import MoleculeCanvas
from qmlstudio.widgets.molecule_values import paint_bar
from qmlstudio.widgets.overlay_items import LINK_KINDS, Link, paint_link
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import theme
from qmlstudio.widgets.waterfall import Step, Waterfall

LEFT = Qt.MouseButton.LeftButton
STYLE = SetStyle("± σ", "#0072b2", "solid", 0)


def move(widget: QWidget, at: QPoint) -> None:
    """The mouse comes by: sent, since the display's own pointer would join moves that follow one another."""
    place = QPointF(widget.mapToGlobal(at))
    nothing, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QMouseEvent(QEvent.Type.MouseMove, QPointF(at), place, nothing, nothing, plain))


def steps() -> list[Step]:
    return [Step("gdb 7", 3.0, "+3.0", 7, "seven"), Step("gdb 9", -1.0, "−1.0", 9), Step("12 others", 0.5, "+0.5")]


@pytest.fixture
def waterfall(qtbot: QtBot) -> Waterfall:
    found = Waterfall()
    qtbot.addWidget(found)
    found.set_steps(("constant", 10.0, "10.0"), steps(), ("prediction", "12.5"), (12.0, "true"))
    found.resize(300, found.sizeHint().height())
    found.show()
    return found


def test_bars_lead_to_the_prediction(waterfall: Waterfall) -> None:
    assert waterfall.end == pytest.approx(12.5)
    assert waterfall.accessibleDescription() == "constant 10.0; gdb 7 +3.0; gdb 9 −1.0; 12 others +0.5; prediction 12.5"
    assert waterfall.bar_rect(1).top() == pytest.approx(waterfall.bar_rect(0).bottom())


def test_bars_are_chosen_by_mouse_and_key(waterfall: Waterfall, qtbot: QtBot) -> None:
    chosen: list[int] = []
    hovered: list[int] = []
    waterfall.chosen.connect(chosen.append)
    waterfall.hovered.connect(hovered.append)
    for place in (0, 1, 2):
        at = waterfall.bar_rect(place).center().toPoint()
        move(waterfall, at)
        QTest.mouseClick(waterfall, LEFT, Qt.KeyboardModifier.NoModifier, at)
    assert chosen == [7, 9]
    assert hovered[-3:] == [7, 9, -1]
    waterfall.setFocus()
    QTest.keyClick(waterfall, Qt.Key.Key_Up)
    QTest.keyClick(waterfall, Qt.Key.Key_Return)
    assert chosen[-1] == 9


def test_raising_and_lowering_differ_without_colour(waterfall: Waterfall) -> None:
    """Filled against hatched: along the middle of one bar there is one colour, along the other there are several."""
    picture = waterfall.grab().toImage()

    def shades(place: int) -> int:
        y = int(waterfall.bar_rect(place).center().y())
        row = [picture.pixelColor(x, y).name() for x in range(picture.width())]
        inked = [x for x, name in enumerate(row) if name in ("#c04f00", "#0072b2")]
        # the rims, and the line of the true value, left out
        inside = row[inked[0] + 3 : inked[-1] - 2]
        return len(set(inside) - {"#1f2328"})

    assert shades(0) <= 3
    assert shades(1) > 3 or shades(1) != shades(0)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1e300, -1e300], [1e-300]])
def test_degenerate_sums(qtbot: QtBot, values: list[float]) -> None:
    found = Waterfall(dark=True)
    qtbot.addWidget(found)
    found.set_steps(("c", 0.0, "0"), [Step(str(v), v, str(v)) for v in values], ("p", "0"))
    found.resize(120, max(found.sizeHint().height(), 10))
    found.show()
    assert not found.grab().isNull()
    assert (found.sizeHint().height() > 0) == bool(values)


# -- calibration


def test_calibration_says_what_it_shows(qtbot: QtBot) -> None:
    plot = CalibrationPlot()
    qtbot.addWidget(plot)
    plot.set_curves([], "nothing yet")
    assert plot.accessibleDescription() == "nothing yet"
    assert not plot.grab().isNull()
    nominal = np.linspace(0.05, 0.95, 19)
    plot.set_curves([Coverage(STYLE, nominal, nominal**2, 0.1 * np.ones(19))])
    assert plot.accessibleDescription() == "± σ: 81% / 90 %"
    plot.resize(300, 300)
    plot.set_dark(True)
    assert plot.grab().toImage().pixelColor(1, 1).name() == theme(True).background


# -- errors by size


def test_marks_tell_their_errors(qtbot: QtBot) -> None:
    chart = ErrorBySize()
    qtbot.addWidget(chart)
    curve = SizeCurve(STYLE, np.array([4.0, 5.0, 6.0]), np.array([1.0, 2.0, 40.0]), np.array([10, 20, 30]))
    chart.set_curves([curve], 5, ("heavy atoms", "MAE / eV"))
    chart.resize(300, 250)
    chart.show()
    geometry = chart._geometry()
    assert geometry is not None
    at = chart._place(6.0, 40.0, geometry)
    assert chart.text_at(at) == "± σ\nsize 6: 40 (30 molecules)"
    assert chart.text_at(QPointF(1, 1)) == ""
    assert "6: 40" in chart.accessibleDescription()
    beyond = chart.grab().toImage().pixelColor(int(at.x()) - 8, int(geometry[0].bottom()) - 6).name()
    assert beyond not in (theme(False).background, theme(False).grid)


@pytest.mark.parametrize("errors", [[np.nan, np.inf, 0.0], [1.0, 1.0, 1.0], [1e-12, 1.0, 1e12]])
def test_errors_of_any_size(qtbot: QtBot, errors: list[float]) -> None:
    chart = ErrorBySize(dark=True)
    qtbot.addWidget(chart)
    chart.set_curves([SizeCurve(STYLE, np.arange(3.0), np.array(errors), np.ones(3, int))], 1, ("n", "e"), "none")
    chart.resize(200, 200)
    assert not chart.grab().isNull()


# -- atoms painted by numbers


@pytest.fixture
def canvas(qtbot: QtBot) -> MoleculeCanvas:
    found = MoleculeCanvas()
    qtbot.addWidget(found)
    found.resize(360, 300)
    found.start("painter")
    found.set_structure([6, 1, 8], [[0, 0, 0], [0, 0, 2.5], [2.5, 0, 0]])
    found.show()
    return found


def colors_at_atoms(canvas: MoleculeCanvas, image: QImage) -> list[QColor]:
    pixels, _, _ = canvas.camera.project(canvas._positions, canvas.width(), canvas.height())
    return [image.pixelColor(int(x), int(y)) for x, y in pixels]


def test_atoms_are_painted_and_told(canvas: MoleculeCanvas) -> None:
    plain = canvas.grab_image(360, 300)
    canvas.set_atom_values(AtomValues(np.array([-1.0, 0.0, 1.0]), "adds", "eV"))
    painted = canvas.grab_image(360, 300)
    low, middle, high = colors_at_atoms(canvas, painted)
    assert low.blue() > low.red()
    assert high.red() > high.blue()
    assert abs(middle.red() - middle.blue()) < 40
    # the bar covers the corner in figures as on the screen
    assert any(painted.pixelColor(x, 30) != plain.pixelColor(x, 30) for x in range(20, 200, 10))
    numbered = AtomValues(np.array([-1.0, 0.0, 1.0]), "adds", "eV", numbers=True)
    canvas.set_atom_values(numbered)
    assert canvas.atom_values is numbered
    assert canvas.grab_image(360, 300) != painted
    canvas.set_atom_values(None)
    assert canvas.grab_image(360, 300) == plain


def test_another_structure_has_its_elements_again(canvas: MoleculeCanvas) -> None:
    canvas.set_atom_values(AtomValues(np.array([-1.0, 0.0, 1.0]), "adds"))
    with pytest.raises(ValueError, match="3 atoms"):
        canvas.set_atom_values(AtomValues(np.zeros(2), "adds"))
    canvas.set_structure([6], [[0, 0, 0]])
    assert canvas.atom_values is None


@pytest.mark.parametrize("width", [60, 150, 400])
def test_the_bar_fits(qtbot: QtBot, width: int) -> None:
    image = QImage(width, 80, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    covered = paint_bar(painter, AtomValues(np.array([1e-7, -3e-7]), "a very long title " * 5, "eV"), False, width)
    painter.end()
    assert covered.isEmpty() == (width < 120)
    assert covered.right() <= width


# -- lines


def test_heavier_lines_are_thicker(qtbot: QtBot) -> None:
    def ink(kind: str, weight: float) -> int:
        image = QImage(60, 30, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.white)
        painter = QPainter(image)
        paint_link(painter, QPointF(2, 15), QPointF(58, 15), kind, theme(False), weight)
        painter.end()
        return sum(image.pixelColor(30, y).name() != "#ffffff" for y in range(30))

    assert ink("raises", 1.0) > ink("raises", 0.1) > 0
    assert ink("feature", 1.0) == ink("feature", 0.1)
    assert {"raises", "lowers"} <= set(LINK_KINDS)
    assert Link(0, 1, "raises").weight == 1.0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_looks(qtbot: QtBot, screenshots: Path, dark: bool) -> None:
    from PySide6.QtWidgets import QHBoxLayout

    box = QWidget()
    qtbot.addWidget(box)
    row = QHBoxLayout(box)
    waterfall, plot, chart = Waterfall(dark=dark), CalibrationPlot(dark=dark), ErrorBySize(dark=dark)
    waterfall.set_steps(("constant", 10.0, "10.0"), steps(), ("prediction", "12.5"), (12.0, "true"))
    nominal = np.linspace(0.05, 0.95, 19)
    plot.set_curves([Coverage(STYLE, nominal, nominal**1.3, 0.05 * np.ones(19))])
    curve = SizeCurve(STYLE, np.array([4.0, 5.0, 6.0]), np.array([1.0, 2.0, 40.0]), np.array([10, 20, 30]))
    chart.set_curves([curve], 5, ("heavy atoms", "MAE / eV"))
    for widget in (waterfall, plot, chart):
        row.addWidget(widget)
    box.resize(900, 280)
    box.show()
    assert box.grab().save(str(screenshots / f"explain_widgets_{'dark' if dark else 'light'}.png"))
