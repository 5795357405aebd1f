"""The map: any number of points, every one drawn and counted, moved at the speed of the mouse."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from qmlstudio.widgets import map_keys
from qmlstudio.widgets.lasso import Tool
from qmlstudio.widgets.map_canvas import MapCanvas


class ScatterMap(MapCanvas):
    """Points in the plane under pyqtgraph's axes, drawn by :mod:`qmlstudio.widgets.raster`.

    Mouse: left drag moves; Shift+drag draws a lasso; the wheel zooms at the mouse; the middle button always moves;
    click, Ctrl+click and right click report the point; a double click shows everything. With the lasso or box tool a
    left drag selects: alone it replaces, Shift adds, Alt subtracts, Ctrl intersects (with the pan tool, where Shift
    calls the lasso: Shift replaces, Shift+Alt subtracts, Shift+Ctrl intersects).

    Keys: arrows move, + and − zoom, Home or 0 show everything, Shift+arrow goes to the next point in that direction (as
    a click), L B V choose lasso, box, pan, Menu asks for the active point's menu, Esc gives up an outline or emits
    `escape_pressed`.

    Nothing here changes what is active, pinned or selected: the owner does, in answer to the signals.
    """

    hovered = Signal(int)
    """Point under the mouse, −1 for none; only when it changes."""
    clicked = Signal(int, Qt.KeyboardModifier)
    """A point was clicked."""
    background_clicked = Signal()
    lassoed = Signal(object, str)
    """Mask (n,) bool of the points inside, and "replace", "add", "subtract" or "intersect"."""
    context_menu_requested = Signal(int, QPoint)
    """Point (−1: background) and position on the screen."""
    escape_pressed = Signal()
    tool_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent, dark)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocusProxy(self._view)
        self.setAccessibleName(self.tr("Map"))
        view = self._view
        view.pointed.connect(self._on_view_pointed)
        view.left.connect(self._on_view_left)
        view.clicked.connect(self._on_view_clicked)
        view.double_clicked.connect(self._on_view_double_clicked)
        view.menu_requested.connect(self._on_view_menu_requested)
        view.panned.connect(self._on_view_panned)
        view.zoomed.connect(self._on_view_zoomed)
        view.outlined.connect(self._on_view_outlined)

    def set_tool(self, tool: Tool) -> None:
        """What a left drag does: "pan", "lasso" or "box"."""
        if tool not in ("pan", "lasso", "box"):
            raise ValueError(f"{tool!r} is none of pan, lasso, box")
        if tool != self._view.tool:
            self._view.set_tool(tool)
            self.tool_changed.emit(tool)

    @property
    def tool(self) -> Tool:
        """What a left drag does."""
        return self._view.tool

    def step(self, right: int, up: int) -> None:
        """Report the next point in a direction from the active one (from the middle of the view without one)."""
        x0, x1, y0, y1 = self.range
        start = ((x0 + x1) / 2, (y0 + y1) / 2) if self._active is None else self.position(self._active)
        found = map_keys.next_point(self._xy, start, self._box.viewPixelSize(), right, up)
        if found >= 0:
            self.clicked.emit(found, Qt.KeyboardModifier.NoModifier)

    def request_menu(self) -> bool:
        """Ask for the active point's menu; False without one."""
        if self._active is None:
            return False
        self.context_menu_requested.emit(self._active, self.mapToGlobal(self.pixel(self._active).toPoint()))
        return True

    def escape(self) -> None:
        """Give up an outline, or tell the owner."""
        if not self._view.cancel():
            self.escape_pressed.emit()

    def _set_hover(self, index: int) -> None:
        if index != self._hover:
            super()._set_hover(index)
            self.hovered.emit(index)

    def _on_view_pointed(self, at: QPointF) -> None:
        inside = self._box.sceneBoundingRect().contains(self._view.to_scene(at))
        self._set_hover(self._at(at) if inside else -1)

    def _on_view_left(self) -> None:
        self._set_hover(-1)

    def _on_view_clicked(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        index = self._at(at)
        if index >= 0:
            self.clicked.emit(index, modifiers)
        else:
            self.background_clicked.emit()

    def _on_view_double_clicked(self, at: QPointF) -> None:
        self.reset_range()

    def _on_view_menu_requested(self, at: QPointF, screen: QPoint) -> None:
        self.context_menu_requested.emit(self._at(at), screen)

    def _on_view_panned(self, by: QPointF) -> None:
        size = self._box.viewPixelSize()
        self._box.translateBy(x=-by.x() * size[0], y=by.y() * size[1])

    def _on_view_zoomed(self, at: QPointF, factor: float) -> None:
        self._box.scaleBy(s=(1.0 / factor, 1.0 / factor), center=self._box.mapSceneToView(self._view.to_scene(at)))
        self._set_hover(-1)

    def _on_view_outlined(self, corners: list[QPointF], operation: str) -> None:
        data = [self._box.mapSceneToView(corner) for corner in corners]
        polygon = np.array([[p.x(), p.y()] for p in data], np.float64).reshape(-1, 2)
        self.lassoed.emit(self._picture.points.inside(polygon), operation)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not map_keys.handle_key(self, event):
            super().keyPressEvent(event)
