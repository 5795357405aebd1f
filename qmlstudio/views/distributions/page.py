"""What the pages of the distributions panel have in common."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QToolButton, QWidget

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Property
from qmlstudio.session.columns import Columns

_Box = TypeVar("_Box", bound=QComboBox)


class Page(QWidget):
    """Follows the store while it is in sight; what has changed meanwhile is drawn when it is shown.

    Attributes
    ----------
    tools : list of QWidget
        What the panel shows above the page.
    """

    def __init__(self, store: Store, runner: JobRunner) -> None:
        super().__init__()
        self._store, self._runner = store, runner
        self._is_stale = True
        self._dark = False
        self._mask: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._stamp = 0
        self.tools: list[QWidget] = []
        self.redraws = 0

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark

    def refresh(self) -> None:
        """Columns, data or what is asked for have changed: draw anew, now or when shown."""
        if self.isVisible():
            self._is_stale = False
            self.redraws += 1
            self.draw()
        else:
            self._is_stale = True

    def draw(self) -> None:
        """Draw everything anew."""
        raise NotImplementedError

    def show_columns(self, columns: Columns | None) -> None:
        """Other columns can be chosen."""
        raise NotImplementedError

    def show_selection(self) -> None:
        """The selection or the active structure has changed."""

    def show_filter(self) -> None:
        """Other structures pass the filters."""

    def show_coloring(self) -> None:
        """The map's colours have changed."""

    def uses(self, names: frozenset[str]) -> bool:
        """Whether one of these columns is drawn."""
        raise NotImplementedError

    def columns_changed(self) -> None:
        """What is drawn of the columns holds no longer."""
        self._stamp += 1
        self.refresh()

    @property
    def selected_mask(self) -> NDArray[np.bool_]:
        """(n,) bool: the selected structures; the same array until others are selected."""
        mask = self._store.session.selection.mask
        if not np.array_equal(mask, self._mask):
            self._mask = mask
        return self._mask

    def is_about(self, columns: Columns | None) -> bool:
        """Whether these are columns of the data set at hand."""
        return columns is not None and columns.dataset is self._store.dataset

    @property
    def is_ready(self) -> bool:
        """In sight, and drawn as things are."""
        return self.isVisible() and not self._is_stale

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self.refresh()


def switch(text: str, tip: str, on: bool = False) -> QToolButton:
    """A button that stays pressed."""
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setChecked(on)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def named(box: _Box, tip: str) -> _Box:
    """A combo box that says what it chooses."""
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box


def number(value: float, digits: int = 4) -> str:
    """A number for people, with a true minus."""
    return "–" if value != value else f"{value:.{digits}g}".replace("-", "−")


def chance(p: float) -> str:
    """A p-value for people."""
    return "p < 1e−300" if p < 1e-300 else f"p = {number(p, 2)}"


def label_of(columns: Columns, name: str) -> str:
    """Name with unit; those that follow from the composition have none and need not be counted for it."""
    known: Property | None = columns[name] if name in columns.names(composition=False) else None
    return name if known is None else known.label(name)
