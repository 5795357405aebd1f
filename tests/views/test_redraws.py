"""What need not be drawn anew is not: large sets and busy interpreters make every superfluous picture felt."""

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset
from qmlstudio.views.descriptor import DescriptorView
from qmlstudio.views.jobs import JobStatus
from qmlstudio.views.map import MapView
from qmlstudio.widgets.property_table import PropertyModel, PropertyTable


def test_a_click_leaves_the_points_alone(rig: Any, qm9: Dataset, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    view = MapView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(600, 500)
    view.show()
    rig.open(qm9)
    masks: list[Any] = []
    monkeypatch.setattr(view.scatter, "set_selection", masks.append)
    rig.store.set_active(7)
    rig.store.set_active(8)
    assert masks == []
    rig.store.select(np.arange(len(qm9)) < 5, "replace", "lasso")
    assert [int(m.sum()) for m in masks] == [5]
    rig.store.clear_selection()
    assert masks[1:] == [None]


def test_a_selection_leaves_the_descriptor_alone(rig: Any, qm9: Dataset, qtbot: QtBot) -> None:
    view = DescriptorView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.show()
    rig.open(qm9)
    before = view.redraws
    assert before > 0
    rig.store.select(np.arange(len(qm9)) < 5, "replace", "lasso")
    rig.settle()
    assert view.redraws == before
    rig.store.set_active(9)
    rig.settle()
    assert view.redraws == before + 1


def test_the_job_status_keeps_its_height(rig: Any, qtbot: QtBot) -> None:
    """Else every panel above the status bar would be laid out and drawn anew at each start and end of a job."""
    window = QWidget()
    status = JobStatus(rig.runner)
    layout = QVBoxLayout(window)
    layout.addWidget(status)
    qtbot.addWidget(window)
    window.show()
    QTest.qWait(20)
    idle = layout.minimumSize().height()
    status._show(True)
    QApplication.processEvents()
    assert layout.minimumSize().height() == idle
    status._show(False)
    QApplication.processEvents()
    assert layout.minimumSize().height() == idle


def test_drawing_the_rows_numbers_asks_the_model_little(
    qm9: Dataset, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = PropertyTable()
    qtbot.addWidget(table)
    table.resize(300, 400)
    asked: list[Any] = []
    vertical = Qt.Orientation.Vertical
    ask = PropertyModel.headerData

    def header_data(self: PropertyModel, section: int, orientation: Any, role: int = 0) -> Any:
        if orientation == vertical:
            asked.append(section)
        return ask(self, section, orientation, role)

    monkeypatch.setattr(PropertyModel, "headerData", header_data)
    table.set_dataset(qm9)
    table.show()
    QTest.qWait(50)
    asked.clear()
    table.verticalHeader().sizeHint()
    assert asked == []
    # Qt asks for the font itself, once for each row in sight; its own header asks a dozen questions for each
    table.verticalHeader().viewport().repaint()
    assert len(asked) == len(set(asked)) > 5
    header = table.verticalHeader()
    assert header.sizeHint().width() > table.fontMetrics().horizontalAdvance(str(len(qm9)))
    # white figures on nothing would be no picture: the header is not of one colour
    image = header.viewport().grab().toImage()
    colors = {image.pixel(x, header.sectionSize(0) // 2) for x in range(image.width())}
    assert len(colors) > 2
