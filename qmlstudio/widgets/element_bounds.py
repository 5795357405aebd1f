"""Which elements, and how many of each: a row with a box and two bounds for every element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QSpinBox, QWidget

Bounds = dict[str, tuple[int, int | None]]
"""Least and most number of each element; None: any number."""


class ElementBounds(QWidget):
    """Edits :data:`Bounds`.

    Signals
    -------
    changed()
        A person changed something.
    """

    changed = Signal()

    def __init__(self, symbols: Sequence[str], most: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for column, text in enumerate((self.tr("Element"), self.tr("At least"), self.tr("At most"))):
            grid.addWidget(QLabel(text), 0, column)
        self.boxes: dict[str, QCheckBox] = {}
        self.least: dict[str, QSpinBox] = {}
        self.most: dict[str, QSpinBox] = {}
        for row, symbol in enumerate(symbols, 1):
            box = self.boxes[symbol] = QCheckBox(symbol)
            box.setAccessibleName(self.tr("Use {}").format(symbol))
            least = self.least[symbol] = QSpinBox()
            least.setRange(0, most)
            least.setAccessibleName(self.tr("At least so many {}").format(symbol))
            upper = self.most[symbol] = QSpinBox()
            upper.setRange(-1, most)
            upper.setSpecialValueText(self.tr("any"))
            upper.setAccessibleName(self.tr("At most so many {}").format(symbol))
            for column, widget in enumerate((box, least, upper)):
                grid.addWidget(widget, row, column)
            for spin in (least, upper):
                spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                spin.setToolTip(spin.accessibleName())
                spin.valueChanged.connect(self._on_spin_value_changed)
            box.toggled.connect(self._on_box_toggled)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        self._enable()

    def bounds(self) -> Bounds:
        """Of the elements that are used. An upper bound below the lower one counts as the lower one."""
        found: Bounds = {}
        for symbol, box in self.boxes.items():
            if box.isChecked():
                low, high = self.least[symbol].value(), self.most[symbol].value()
                found[symbol] = (low, None if high < 0 else max(low, high))
        return found

    def set_bounds(self, bounds: Mapping[str, tuple[int, int | None]]) -> None:
        """Show these; nothing is emitted."""
        for symbol, box in self.boxes.items():
            low, high = bounds.get(symbol, (0, None))
            blockers = [QSignalBlocker(w) for w in (box, self.least[symbol], self.most[symbol])]
            box.setChecked(symbol in bounds)
            self.least[symbol].setValue(low)
            self.most[symbol].setValue(-1 if high is None else high)
            del blockers
        self._enable()

    def _enable(self) -> None:
        for symbol, box in self.boxes.items():
            self.least[symbol].setEnabled(box.isChecked())
            self.most[symbol].setEnabled(box.isChecked())

    def _on_box_toggled(self, _checked: bool) -> None:
        self._enable()
        self.changed.emit()

    def _on_spin_value_changed(self, _value: int) -> None:
        self.changed.emit()
