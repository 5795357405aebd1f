"""Some PySide6 releases lose a reference to None on each call under Python 3.11 until the process aborts."""

import sys

import PySide6
import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot


class Sender(QObject):
    sent = Signal(int)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from Python 3.12 on")
def test_calls_keep_the_references_to_none(qtbot: QtBot) -> None:
    label, sender = QLabel(), Sender()
    qtbot.addWidget(label)
    sender.sent.connect(lambda _value: None)

    def calls() -> None:
        label.setText("text")
        label.update()
        label.setToolTip("tip")
        sender.sent.emit(1)
        label.parent()

    calls()
    before = sys.getrefcount(None)
    for _ in range(1000):
        calls()
    assert sys.getrefcount(None) > before - 200, f"PySide6 {PySide6.__version__} loses references to None"
