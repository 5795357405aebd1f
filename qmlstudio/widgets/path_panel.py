"""A path from structure to structure as a list of its steps, with buttons to go along it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from qmlstudio.widgets.neighbor_list import NeighborList, NeighborRow


class PathPanel(QWidget):
    """What a path is made of.

    Signals
    -------
    select_requested()
    step_requested(by)
        -1 or 1.
    close_requested()
    """

    select_requested = Signal()
    step_requested = Signal(int)
    close_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = NeighborList(self.tr("Steps of the path"))
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.select = QPushButton(self.tr("Select path"))
        self.select.setToolTip(self.tr("All structures of the path; Shift adds, Alt subtracts, Ctrl intersects"))
        self.back = _tool("◀", self.tr("Go one step back along the path"))
        self.forth = _tool("▶", self.tr("Go one step on along the path"))
        self.close_button = _tool("✕", self.tr("Forget the path"))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.select, 1)
        for button in (self.back, self.forth, self.close_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addLayout(buttons)
        layout.addWidget(self.list, 1)
        self.select.clicked.connect(self.select_requested)
        self.back.clicked.connect(partial(self.step_requested.emit, -1))
        self.forth.clicked.connect(partial(self.step_requested.emit, 1))
        self.close_button.clicked.connect(self.close_requested)

    def set_path(self, title: str, rows: Sequence[NeighborRow]) -> None:
        """Show a path; without rows only the title, which says why there is none."""
        self.title.setText(title)
        self.list.set_rows(rows)
        for button in (self.select, self.back, self.forth):
            button.setEnabled(bool(rows))


def _tool(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setAutoRaise(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
