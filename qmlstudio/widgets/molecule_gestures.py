"""Mouse and keys of the structure view, the same over either way of drawing.

Left drag rotates; right drag, middle drag or Shift+left drag pans; the wheel zooms to the cursor. A press that moves
less than `CLICK` pixels is a click: left picks, Ctrl+left toggles another, right opens the menu. A double click picks
the bonded fragment, on nothing it centres.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent

from qmlstudio.widgets.camera import PROJECTIONS, Camera
from qmlstudio.widgets.molecule_scene import LABELS

if TYPE_CHECKING:
    from qmlstudio.widgets.molecule import MoleculeCanvas

CLICK: Final = 4
"""A press that moves less than this many pixels is a click."""
NOTCH: Final = 1.2
"""Magnification of one notch of the wheel."""

Key = Qt.Key

_STYLES: Final = {Key.Key_1: "ball_and_stick", Key.Key_2: "spacefill", Key.Key_3: "sticks"}
_AXES: Final = {Key.Key_X: "x", Key.Key_Y: "y", Key.Key_Z: "z"}
_OTHERS: Final = {Key.Key_H, Key.Key_U, Key.Key_B, Key.Key_C, Key.Key_R, Key.Key_O, Key.Key_M, Key.Key_Escape}
_PLAY: Final = {
    Key.Key_Space: "toggle",
    Key.Key_Left: "back",
    Key.Key_Right: "forward",
    Key.Key_Down: "back",
    Key.Key_Up: "forward",
    Key.Key_Home: "first",
    Key.Key_End: "last",
    Key.Key_BracketLeft: "slower",
    Key.Key_BracketRight: "faster",
}


class Gestures(QObject):
    """Turns the events of a canvas into what its methods do; to be installed as its event filter."""

    def __init__(self, canvas: MoleculeCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._press: QPointF | None = None
        self._button = Qt.MouseButton.NoButton
        self._pans = False
        self._dragged = False
        self._camera = Camera()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """True if the event is settled here."""
        kind = event.type()
        if isinstance(event, QMouseEvent):
            action = {
                QEvent.Type.MouseButtonPress: self.press,
                QEvent.Type.MouseMove: self.move,
                QEvent.Type.MouseButtonRelease: self.release,
                QEvent.Type.MouseButtonDblClick: self.double_click,
            }.get(kind)
            if action is not None:
                action(event)
                return True
        elif isinstance(event, QWheelEvent):
            self.wheel(event)
            return True
        elif isinstance(event, QKeyEvent):
            if kind == QEvent.Type.ShortcutOverride and is_ours(event):
                # a key that is ours wins over a menu's
                event.accept()
                return True
            return kind == QEvent.Type.KeyPress and self.key(event)
        elif isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self._zoom(max(1 + event.value(), 0.1), event.position())
                return True
        elif kind == QEvent.Type.Leave:
            self._canvas.hover(None)
        return False

    def press(self, event: QMouseEvent) -> None:
        """Remembers where and with what; a second button during a drag changes nothing."""
        if self._press is not None:
            return
        self._press, self._button, self._dragged = event.position(), event.button(), False
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._pans = self._button != Qt.MouseButton.LeftButton or shifted
        self._camera = self._canvas.camera
        event.accept()

    def move(self, event: QMouseEvent) -> None:
        """Rotates or pans from where the button was pressed; without a button, hovers."""
        canvas, at = self._canvas, event.position()
        if self._press is None:
            canvas.hover(canvas.atom_at(at.x(), at.y()))
            return
        way = at - self._press
        if not self._dragged:
            if max(abs(way.x()), abs(way.y())) < CLICK:
                return
            self._dragged = True
            canvas.hover(None)
            canvas.setCursor(Qt.CursorShape.SizeAllCursor if self._pans else Qt.CursorShape.ClosedHandCursor)
        size = canvas.width(), canvas.height()
        if self._pans:
            canvas.move_camera(self._camera.panned(way.x(), way.y(), *size))
        else:
            start = self._press.x(), self._press.y()
            canvas.move_camera(self._camera.rotated(start, (at.x(), at.y()), *size))
        event.accept()

    def release(self, event: QMouseEvent) -> None:
        """Ends a drag, or acts on a click."""
        if self._press is None or event.button() != self._button:
            return
        dragged, self._press = self._dragged, None
        self._canvas.unsetCursor()
        event.accept()
        if dragged:
            return
        canvas, at = self._canvas, event.position()
        atom = canvas.atom_at(at.x(), at.y())
        if self._button == Qt.MouseButton.RightButton:
            canvas.context_menu_requested.emit(event.globalPosition().toPoint(), -1 if atom is None else atom)
        elif self._button == Qt.MouseButton.LeftButton:
            toggles = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            if atom is None:
                canvas.choose(canvas.picked if toggles else [])
                return
            picked = canvas.picked
            if not toggles:
                picked = [atom]
            elif atom in picked:
                picked.remove(atom)
            else:
                picked.append(atom)
            canvas.choose(picked)
            canvas.atom_picked.emit(atom, event.modifiers())

    def double_click(self, event: QMouseEvent) -> None:
        """The bonded fragment; on nothing, the middle."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        canvas, at = self._canvas, event.position()
        atom = canvas.atom_at(at.x(), at.y())
        if atom is None:
            canvas.centre()
        else:
            canvas.choose([atom, *(i for i in canvas.bonded(atom) if i != atom)])
        event.accept()

    def wheel(self, event: QWheelEvent) -> None:
        """Zooms to the cursor."""
        notches = event.angleDelta().y() / 120
        if notches:
            self._zoom(NOTCH**notches, event.position())
        event.accept()

    def key(self, event: QKeyEvent) -> bool:
        """Acts on a key; False if it is not ours."""
        if not is_ours(event):
            return False
        canvas, key = self._canvas, Qt.Key(event.key())
        looks = canvas.appearance
        if key in _PLAY:
            fast = event.modifiers() & Qt.KeyboardModifier.ShiftModifier and _PLAY[key] in ("back", "forward")
            canvas.play_command.emit(_PLAY[key] + ("_10" if fast else ""))
        elif key in _STYLES:
            canvas.change_appearance(replace(looks, style=_STYLES[key]))
        elif key in _AXES:
            canvas.view_along(_AXES[key])
        elif key == Key.Key_H:
            canvas.change_appearance(replace(looks, hydrogens=not looks.hydrogens))
        elif key == Key.Key_U:
            canvas.change_appearance(replace(looks, cell=not looks.cell))
        elif key == Key.Key_B:
            canvas.change_appearance(replace(looks, labels=LABELS[(LABELS.index(looks.labels) + 1) % len(LABELS)]))
        elif key == Key.Key_C:
            canvas.centre()
        elif key == Key.Key_R:
            canvas.reset_camera()
        elif key == Key.Key_O:
            other = PROJECTIONS[1 - PROJECTIONS.index(canvas.camera.projection)]
            canvas.move_camera(replace(canvas.camera, projection=other))
        elif key == Key.Key_Escape:
            canvas.choose([])
        elif canvas.measure_text:
            canvas.measure_pinned.emit(canvas.picked)
        return True

    def _zoom(self, factor: float, at: QPointF) -> None:
        canvas = self._canvas
        canvas.move_camera(canvas.camera.zoomed(factor, at.x(), at.y(), canvas.width(), canvas.height()))
        if self._press is not None:
            # a wheel turned during a drag: the drag goes on from here
            self._press, self._camera = at, canvas.camera


def is_ours(event: QKeyEvent) -> bool:
    """Whether the structure view acts on a key."""
    key = event.key()
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if held == Qt.KeyboardModifier.ShiftModifier:
        return _PLAY.get(Qt.Key(key)) in ("back", "forward")
    if held != Qt.KeyboardModifier.NoModifier:
        return False
    return key in _PLAY or key in _STYLES or key in _AXES or key in _OTHERS
