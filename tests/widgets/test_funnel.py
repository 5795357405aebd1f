"""The funnel's bars, and the boxes of the elements."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.element_bounds import ElementBounds
from qmlstudio.widgets.funnel import Funnel, FunnelRow
from qmlstudio.widgets.theme import rgb, theme

ROWS = (
    FunnelRow("made", "Molecules", "all that there are", False),
    FunnelRow("enol", "Enols", "the ketone is stable", True),
    FunnelRow("a very long name", "A filter with a title that is much longer than its place", "long", True),
    FunnelRow("left", "Left", "what remains", False),
)


def width_of_bar(funnel: Funnel, row: int) -> int:
    """Coloured pixels in the middle line of a row of things that are made."""
    image = funnel.grab().toImage()
    y = int(3 + (row + 0.5) * funnel._high)
    wanted = rgb(theme(False).point)
    return sum((c.red(), c.green(), c.blue()) == wanted for c in (image.pixelColor(x, y) for x in range(image.width())))


def test_bars(qtbot: QtBot, screenshots: Path) -> None:
    funnel = Funnel()
    qtbot.addWidget(funnel)
    funnel.set_rows(ROWS)
    funnel.resize(400, funnel.sizeHint().height())
    funnel.show()
    assert width_of_bar(funnel, 0) == 0
    funnel.set_counts({"made": 99_999, "enol": 1_000, "left": 99})
    long, short = width_of_bar(funnel, 0), width_of_bar(funnel, 3)
    assert abs(short / long - 0.4) < 0.03  # log10(100) / log10(100,000)
    assert [funnel.text_of(row) for row in ROWS] == ["99,999", "−1,000", "0", "99"]
    assert "Enols −1,000" in funnel.accessibleDescription()
    for dark in (False, True):
        funnel.set_dark(dark)
        funnel.grab().save(str(screenshots / f"funnel_{'dark' if dark else 'light'}.png"))
    high = funnel.sizeHint().height()
    funnel.set_rows(ROWS[:2])
    assert funnel.sizeHint().height() < high
    assert funnel.text_of(ROWS[0]) == "0"


def test_tooltip_says_why(qtbot: QtBot) -> None:
    funnel = Funnel()
    qtbot.addWidget(funnel)
    funnel.set_rows(ROWS)
    funnel.set_counts({"enol": 7})
    funnel.resize(400, funnel.sizeHint().height())
    funnel.show()
    place = QPoint(20, int(3 + 1.5 * funnel._high))
    QApplication.sendEvent(funnel, QHelpEvent(QEvent.Type.ToolTip, place, funnel.mapToGlobal(place)))
    assert "the ketone is stable" in QToolTip.text()
    assert "−7" in QToolTip.text()
    QToolTip.hideText()


def test_empty_funnel(qtbot: QtBot) -> None:
    funnel = Funnel()
    qtbot.addWidget(funnel)
    funnel.resize(120, 40)
    funnel.set_counts({"made": 3})
    assert not funnel.grab().isNull()


def test_elements(qtbot: QtBot) -> None:
    bounds = ElementBounds(("C", "N", "F"), 13)
    qtbot.addWidget(bounds)
    heard: list[int] = []
    bounds.changed.connect(lambda: heard.append(1))
    bounds.set_bounds({"C": (1, 6), "N": (0, None)})
    assert bounds.bounds() == {"C": (1, 6), "N": (0, None)}
    assert not heard
    assert not bounds.least["F"].isEnabled()
    bounds.show()
    QTest.mouseClick(bounds.boxes["F"], Qt.MouseButton.LeftButton, pos=QPoint(8, bounds.boxes["F"].height() // 2))
    assert bounds.bounds()["F"] == (0, None)
    assert bounds.least["F"].isEnabled()
    bounds.least["F"].setValue(3)
    bounds.most["F"].setValue(1)
    assert bounds.bounds()["F"] == (3, 3)
    assert len(heard) == 3
    assert bounds.minimumSizeHint().width() <= 300
