"""Mouse and keys of a map in three dimensions: those of the structure view, with the map's selection tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent

if TYPE_CHECKING:
    from qmlstudio.widgets.cloud_map import CloudMap

CLICK: Final = 4
"""A press that moves less than this many pixels is a click."""
TURN: Final = 5.0
"""Degrees for each press of an arrow."""

# view axis to turn about, and sign
_ARROWS: Final = {
    Qt.Key.Key_Left: ((0, 1, 0), -TURN),
    Qt.Key.Key_Right: ((0, 1, 0), TURN),
    Qt.Key.Key_Up: ((1, 0, 0), -TURN),
    Qt.Key.Key_Down: ((1, 0, 0), TURN),
}
_AXES: Final = {Qt.Key.Key_X: "x", Qt.Key.Key_Y: "y", Qt.Key.Key_Z: "z"}


class CloudGestures(QObject):
    """Event filter of the map's viewport: turns and moves the cloud, and leaves outlines to the map.

    With the pan tool a left drag turns (arcball), right, middle and Shift+left drag move. With the lasso or box tool a
    left drag selects; the other buttons still move. A right *click* asks for the menu.
    """

    def __init__(self, cloud: CloudMap) -> None:
        super().__init__(cloud)
        self._cloud = cloud
        self._press: QPointF | None = None
        self._last = QPointF()
        self._button = Qt.MouseButton.NoButton
        self._turns = self._dragged = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """True if the event is settled here."""
        kind = event.type()
        if isinstance(event, QContextMenuEvent):
            # some systems send it on the press: a right drag would begin with a menu
            return event.reason() == QContextMenuEvent.Reason.Mouse
        if not isinstance(event, QMouseEvent):
            return False
        if kind == QEvent.Type.MouseButtonPress:
            return self._pressed(event)
        if self._press is None:
            return False
        if kind == QEvent.Type.MouseMove:
            self._moved(event)
            return True
        if kind == QEvent.Type.MouseButtonRelease and event.button() == self._button:
            self._released(event)
            return True
        return False

    def _pressed(self, event: QMouseEvent) -> bool:
        if self._press is not None:
            return True
        left = event.button() == Qt.MouseButton.LeftButton
        if (left and self._cloud.tool != "pan") or self._cloud.is_outlining:
            return False
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._press = self._last = event.position()
        self._button, self._turns, self._dragged = event.button(), left and not shifted, False
        event.accept()
        return True

    def _moved(self, event: QMouseEvent) -> None:
        event.accept()
        at = event.position()
        assert self._press is not None
        if not self._dragged:
            if (at - self._press).manhattanLength() < CLICK:
                return
            self._dragged = True
            self._cloud.begin_drag(Qt.CursorShape.ClosedHandCursor if self._turns else Qt.CursorShape.SizeAllCursor)
        if self._turns:
            self._cloud.turn(self._last, at)
        else:
            self._cloud.shift(at - self._last)
        self._last = at

    def _released(self, event: QMouseEvent) -> None:
        event.accept()
        press, self._press = self._press, None
        assert press is not None
        if self._dragged:
            self._cloud.end_drag()
        elif self._button == Qt.MouseButton.LeftButton:
            self._cloud.click(press, event.modifiers())
        elif self._button == Qt.MouseButton.RightButton:
            self._cloud.open_menu(press, event.globalPosition().toPoint())


def is_ours(event: QKeyEvent) -> bool:
    """Whether a key turns the cloud."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    key = Qt.Key(event.key())
    return held == Qt.KeyboardModifier.NoModifier and (
        key in _ARROWS or key in _AXES or key in (Qt.Key.Key_R, Qt.Key.Key_O)
    )


def handle_key(cloud: CloudMap, event: QKeyEvent) -> bool:
    """Do what a key means; False if it is not ours."""
    if not is_ours(event):
        return False
    key = Qt.Key(event.key())
    if key in _ARROWS:
        axis, degrees = _ARROWS[key]
        cloud.set_camera(cloud.camera.turned(axis, degrees))
    elif key in _AXES:
        cloud.set_camera(cloud.camera.along(_AXES[key]))
    elif key == Qt.Key.Key_R:
        cloud.reset_orientation()
    else:
        cloud.set_perspective(not cloud.camera.is_perspective)
    return True
