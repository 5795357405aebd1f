"""A choice among the columns of a data set."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QWidget

from qmlstudio.session.columns import Columns


class ColumnCombo(QComboBox):
    """Names of columns with their units; the first entry stands for none of them.

    Parameters
    ----------
    none : str
        What the first entry says: "one colour", "embedding".
    """

    def __init__(self, none: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._none = none
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(24)
        self.addItem(none, "")

    def set_columns(self, columns: Columns | None, names: Iterable[str]) -> None:
        """Offer these columns; what was chosen stays chosen if it is among them."""
        chosen = self.chosen
        # columns of the composition have no unit, and counting millions of atoms for their names would take long
        known = frozenset(() if columns is None else columns.names(composition=False))
        offered = [] if columns is None else [(columns[n].label(n) if n in known else n, n) for n in names]
        with QSignalBlocker(self):
            self.clear()
            self.addItem(self._none, "")
            for label, name in offered:
                self.addItem(label, name)
            self.choose(chosen)

    @property
    def chosen(self) -> str:
        """Name of the chosen column; empty for none."""
        return str(self.currentData() or "")

    def choose(self, name: str) -> None:
        """Show this column as chosen; one that is not offered counts as none. Nothing is emitted."""
        with QSignalBlocker(self):
            self.setCurrentIndex(max(0, self.findData(name)))
