"""The map's keyboard."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from qmlstudio.widgets.lasso import Tool

Floats = NDArray[np.float64]

ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
TOOLS: dict[int, Tool] = {Qt.Key.Key_L: "lasso", Qt.Key.Key_B: "box", Qt.Key.Key_V: "pan"}
STEP = 0.1
ZOOM = 1.2


class Target(Protocol):
    """What the keys move."""

    def move_by(self, right: float, up: float) -> None:
        """By parts of the view."""

    def zoom_by(self, factor: float) -> None: ...

    def reset_range(self) -> None: ...

    def set_tool(self, tool: Tool) -> None: ...

    def step(self, right: int, up: int) -> None:
        """To the next point in a direction."""

    def request_menu(self) -> bool:
        """The active point's menu; False without one."""

    def escape(self) -> None: ...


def handle_key(target: Target, event: QKeyEvent) -> bool:
    """Do what a key means; False if it means nothing to a map."""
    key, plain = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    none = Qt.KeyboardModifier.NoModifier
    if key in ARROWS and plain == Qt.KeyboardModifier.ShiftModifier:
        target.step(*ARROWS[Qt.Key(key)])
    elif key in ARROWS and plain == none:
        right, up = ARROWS[Qt.Key(key)]
        target.move_by(STEP * right, STEP * up)
    elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
        target.zoom_by(ZOOM)
    elif key == Qt.Key.Key_Minus:
        target.zoom_by(1.0 / ZOOM)
    elif key in (Qt.Key.Key_Home, Qt.Key.Key_0) and plain == none:
        target.reset_range()
    elif key in TOOLS and plain == none:
        target.set_tool(TOOLS[key])
    elif key == Qt.Key.Key_Menu:
        return target.request_menu()
    elif key == Qt.Key.Key_Escape:
        target.escape()
    else:
        return False
    return True


def next_point(xy: Floats, start: tuple[float, float], pixel: tuple[float, float], right: int, up: int) -> int:
    """The next point (n, 2) in a direction from a place, −1 if there is none.

    Parameters
    ----------
    pixel : (float, float)
        Size of a pixel in data units: distances are those on the screen.
    right, up : int
        One is ±1, the other 0.
    """
    with np.errstate(invalid="ignore"):
        dx, dy = (xy[:, 0] - start[0]) / pixel[0], (xy[:, 1] - start[1]) / pixel[1]
        ahead, aside = dx * right + dy * up, abs(dx * up) + abs(dy * right)
        # leaving the direction counts double; what is more aside than ahead is another key's
        cost = np.where((ahead > 1e-9) & (aside <= ahead), ahead + 2 * aside, np.inf)
    return int(np.argmin(cost)) if len(cost) and np.isfinite(cost.min()) else -1
