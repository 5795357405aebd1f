"""Which part of a drawing that is taller than its window is on screen."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QScrollBar, QWidget

from qmlstudio.widgets.descriptor_grid import OVERVIEW
from qmlstudio.widgets.descriptor_panels import Panel


class Scroller:
    """A scroll bar at the right and a strip on top of a widget, both only while a drawing needs them.

    Attributes
    ----------
    bar : QScrollBar
    is_on : bool
        Whether there is more than the window holds.
    """

    def __init__(self, owner: QWidget) -> None:
        self._owner = owner
        self.is_on = False
        self.bar = QScrollBar(Qt.Orientation.Vertical, owner)
        self.bar.setVisible(False)
        self.bar.setSingleStep(24)

    def area(self, foot: int) -> QRectF:
        """Where the drawing stands above a foot of so many px."""
        top = 4 + (OVERVIEW + 4 if self.is_on else 0.0)
        wide = self._owner.width() - 8 - (self.bar.sizeHint().width() if self.is_on else 0)
        return QRectF(4, top, max(wide, 1), max(self._owner.height() - foot - 2 - top, 1.0))

    def strip(self) -> QRectF:
        """Where the overview stands."""
        return QRectF(4, 4, self._owner.width() - 8, OVERVIEW)

    @property
    def offset(self) -> float:
        """How far the drawing is scrolled, px."""
        return float(self.bar.value()) if self.is_on else 0.0

    def lay_out(self, panel: Panel | None, foot: int) -> bool:
        """Lay a drawing out, with or without a bar; returns whether that has changed."""
        before = self.is_on
        if panel is None or panel.is_empty:
            self.is_on = False
        else:
            panel.lay_out(self.area(foot))
            if self.is_on and panel.height <= self.area(foot).height():
                # without a bar there is more room, and it may be wanted again at once
                self.is_on = False
                panel.lay_out(self.area(foot))
            if not self.is_on and panel.height > self.area(foot).height() + 1:
                self.is_on = True
                panel.lay_out(self.area(foot))
        if self.is_on and panel is not None:
            wide, area = self.bar.sizeHint().width(), self.area(foot)
            self.bar.setGeometry(self._owner.width() - wide, int(area.top()), wide, int(area.height()))
            self.bar.setPageStep(int(area.height()))
            self.bar.setRange(0, math.ceil(max(panel.height - area.height(), 0.0)))
        if self.bar.isHidden() == self.is_on:
            self.bar.setVisible(self.is_on)
        return self.is_on != before
