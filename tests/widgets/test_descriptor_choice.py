import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from qmlstudio.widgets.descriptor_choice import Choice, ChoiceBox

CHOICES = (
    Choice("coulomb_matrix", "Coulomb matrix", "Matrices", words="coulomb matrix"),
    Choice("sine_matrix", "Sine matrix", "Matrices", note="needs a cell"),
    Choice("soap", "Smooth overlap of atomic positions", "Surroundings", words="soap"),
)


@pytest.fixture
def box(qtbot: QtBot) -> ChoiceBox:
    box = ChoiceBox()
    qtbot.addWidget(box)
    box.set_choices(CHOICES)
    box.set_current("coulomb_matrix")
    box.show()
    return box


def test_headings_cannot_be_chosen(box: ChoiceBox) -> None:
    assert [box.itemText(k) for k in range(box.count())] == [
        "Matrices",
        "Coulomb matrix",
        "Sine matrix",
        "Surroundings",
        "Smooth overlap of atomic positions",
    ]
    assert not box.model().index(0, 0).flags() & Qt.ItemFlag.ItemIsSelectable
    assert box.currentData() == "coulomb_matrix"
    assert "needs a cell" in box.itemData(2, Qt.ItemDataRole.ToolTipRole)


def test_typing_searches_by_any_name(box: ChoiceBox, qtbot: QtBot) -> None:
    chosen: list[int] = []
    box.activated.connect(chosen.append)
    line = box.lineEdit()
    assert line is not None
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "soap")
    completer = box.completer()
    assert completer is not None
    assert completer.completionCount() == 1
    popup = completer.popup()
    if popup is not None:
        popup.hide()
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert [box.itemData(row) for row in chosen] == ["soap"]
    assert line.text() == "Smooth overlap of atomic positions"


def test_what_finds_nothing_is_forgotten(box: ChoiceBox, qtbot: QtBot) -> None:
    chosen: list[int] = []
    box.activated.connect(chosen.append)
    line = box.lineEdit()
    assert line is not None
    line.setText("no such thing")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert chosen == []
    assert line.text() == "Coulomb matrix"


def test_new_choices_keep_the_current_one(box: ChoiceBox) -> None:
    chosen: list[int] = []
    box.activated.connect(chosen.append)
    box.set_choices((Choice("own", "Own", "Others"), *CHOICES))
    assert box.currentData() == "coulomb_matrix"
    assert box.lineEdit().text() == "Coulomb matrix"  # type: ignore[union-attr]
    box.set_choices(CHOICES[1:])
    assert box.currentIndex() == -1
    assert chosen == []
