"""The structure view: one structure in three dimensions, with picking and measures.

`MoleculeCanvas` holds what is shown and turns gestures into camera and picks; one of two renderers makes the picture:
OpenGL (`molecule_vispy`) or QPainter (`molecule_painter`). Both get the same capsules and the same camera, and labels
and measures are painted over either by `molecule_overlay`.

The setters never emit the signal of what they set: signals tell what a person did here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from qmlstudio.widgets.camera import PROJECTIONS, Camera, best_rotation, bounding_sphere
from qmlstudio.widgets.molecule_overlay import Mark, Overlay, measure_mark, paint_overlay
from qmlstudio.widgets.molecule_painter import PainterRenderer
from qmlstudio.widgets.molecule_scene import (
    LABELS,
    Appearance,
    Capsules,
    Layout,
    Shot,
    cell_corners,
    cell_edges,
    fragment,
    halos,
    layout,
    lit,
    pick,
)
from qmlstudio.widgets.theme import theme

CLICK: Final = 4
"""A press that moves less than this many pixels is a click."""
TOLERANCE: Final = 5.0
"""Pixels by which a click may miss an atom."""
SLOW: Final = 0.033
"""Seconds for a picture above which it is drawn coarser while it moves."""
SETTLE: Final = 160
"""Milliseconds after the last movement until it is drawn finely again."""
HIGHLIGHT: Final = "#f2a900"

_STYLE_KEYS: Final = {Qt.Key.Key_1: "ball_and_stick", Qt.Key.Key_2: "spacefill", Qt.Key.Key_3: "sticks"}
_AXIS_KEYS: Final = {Qt.Key.Key_X: "x", Qt.Key.Key_Y: "y", Qt.Key.Key_Z: "z"}
_PLAY_KEYS: Final = {
    Qt.Key.Key_Space: "toggle",
    Qt.Key.Key_Left: "back",
    Qt.Key.Key_Right: "forward",
    Qt.Key.Key_Down: "back",
    Qt.Key.Key_Up: "forward",
    Qt.Key.Key_Home: "first",
    Qt.Key.Key_End: "last",
    Qt.Key.Key_BracketLeft: "slower",
    Qt.Key.Key_BracketRight: "faster",
}
_OTHER_KEYS: Final = {
    Qt.Key.Key_H,
    Qt.Key.Key_U,
    Qt.Key.Key_B,
    Qt.Key.Key_C,
    Qt.Key.Key_R,
    Qt.Key.Key_O,
    Qt.Key.Key_M,
    Qt.Key.Key_Escape,
}


class Renderer(Protocol):
    """What makes the picture."""

    name: str
    max_size: int

    def set_capsules(self, capsules: Capsules) -> None:
        """What the next pictures show."""

    def image(self, shot: Shot) -> QImage:
        """The picture."""

    def close(self) -> None:
        """Frees what it holds."""


class MoleculeCanvas(QWidget):
    """One structure in three dimensions.

    Empty until `start` is called, which the window does after its first paint: OpenGL takes a few tenths of a second.

    Signals
    -------
    atom_picked(int, Qt.KeyboardModifier)
        An atom was clicked.
    picked_changed(list)
        The picked atoms, in the order of picking.
    atom_hovered(int)
        The atom under the cursor, -1 for none.
    camera_changed(dict)
        By a gesture or a key; `Camera.to_dict`.
    appearance_changed(Appearance)
        By a key.
    context_menu_requested(QPoint, int)
        Global position and the atom there or -1.
    play_command(str)
        For `PlayBar.run_command`.
    measured(str)
        Text for the status bar about the picked atoms; empty when there is nothing to measure.
    measure_pinned(list)
        The atoms of a measure that should survive the picks.
    backend_changed(str, str)
        "opengl" or "painter", and a note why, for people.
    """

    atom_picked = Signal(int, object)
    picked_changed = Signal(list)
    atom_hovered = Signal(int)
    camera_changed = Signal(dict)
    appearance_changed = Signal(object)
    context_menu_requested = Signal(QPoint, int)
    play_command = Signal(str)
    measured = Signal(str)
    measure_pinned = Signal(list)
    backend_changed = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 160)
        self.setAccessibleName(self.tr("Structure"))
        self._numbers = np.zeros(0, dtype=np.int64)
        self._positions = np.zeros((0, 3))
        self._bonds: tuple[Any, Any] | None = None
        self._cell: np.ndarray[Any, np.dtype[np.float64]] | None = None
        self._colors: np.ndarray[Any, Any] | None = None
        self._appearance = Appearance()
        self._camera = Camera()
        self._picked: tuple[int, ...] = ()
        self._highlighted: tuple[int, ...] = ()
        self._pinned: tuple[tuple[int, ...], ...] = ()
        self._hovered: int | None = None
        self._layout: Layout = layout(self._numbers, None, self._appearance)
        self._extent = 1.0
        self._text = ""
        self._marks: tuple[Mark, ...] = ()

        self._renderer: Renderer | None = None
        self._note = ""
        self._stale = True
        self._picture: QImage | None = None
        self._shot: Shot | None = None
        self._took = 0.0
        self._moving = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE)
        self._settle.timeout.connect(self._on_settle_timeout)

        self._press: QPointF | None = None
        self._press_button = Qt.MouseButton.NoButton
        self._press_camera = self._camera
        self._dragged = False

    # -- starting and stopping ---------------------------------------------------------------------------------------

    @property
    def backend(self) -> str:
        """"opengl", "painter", or "" before `start`."""
        return self._renderer.name if self._renderer is not None else ""

    @property
    def note(self) -> str:
        """Why there is no OpenGL, for people; empty where there is."""
        return self._note

    def start(self, backend: str = "auto") -> None:
        """Begins to draw: with OpenGL if it works ("auto"), or with QPainter ("painter"). Once; later calls do nothing."""
        if self._renderer is not None:
            return
        if backend == "painter":
            self._use_painter(self.tr("drawn without OpenGL"))
            return
        # vispy is loaded here and not at start-up
        from qmlstudio.widgets.molecule_vispy import GLRenderer, NoOpenGLError

        try:
            self._use(GLRenderer(), "")
        except (NoOpenGLError, ImportError) as error:
            self._use_painter(self.tr("drawn without OpenGL: {reason}").format(reason=error))

    def stop(self) -> None:
        """Frees the renderer and its OpenGL context; also done when the widget is destroyed. `start` begins anew."""
        self._settle.stop()
        if self._renderer is not None:
            self.destroyed.disconnect(self._renderer.close)
            self._renderer.close()
            self._renderer = None
            self._picture = self._shot = None

    def _use(self, renderer: Renderer, note: str) -> None:
        self._renderer, self._note, self._stale = renderer, note, True
        # the context must go before the application does, whoever deletes the widget
        self.destroyed.connect(renderer.close)
        self.backend_changed.emit(renderer.name, note)
        self.update()

    def _use_painter(self, note: str) -> None:
        self.stop()
        self._use(PainterRenderer(), note)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def set_structure(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        bonds: tuple[ArrayLike, ArrayLike] | None = None,
        cell: ArrayLike | None = None,
        keep_camera: bool = False,
    ) -> None:
        """Shows another structure. Picks stay if the elements are the same, atom by atom.

        Parameters
        ----------
        numbers : (N,) int
            Atomic numbers.
        positions : (N, 3) float, Å
        bonds : ((B, 2) int, (B,) float) or None
            Pairs and orders, as `perceive_bonds` gives.
        cell : (3, 3) float or None, Å
        keep_camera : bool
            Otherwise the structure is turned to its best side and fitted.

        Raises
        ------
        ValueError
            If shapes do not match, a bond's atom does not exist, or a coordinate is not finite.
        """
        z = np.asarray(numbers, dtype=np.int64).reshape(-1)
        xyz = _checked(positions, len(z))
        box = None if cell is None else np.asarray(cell, dtype=np.float64).reshape(3, 3)
        new = layout(z, bonds, self._appearance, None, box is not None)
        same = np.array_equal(z, self._numbers)
        self._numbers, self._positions, self._cell, self._bonds = z, xyz, box, bonds
        self._layout, self._colors, self._hovered = new, None, None
        if not same:
            self._highlighted, self._pinned = (), ()
            if self._picked:
                self._picked = ()
                self.picked_changed.emit([])
        if not keep_camera:
            self._face()
        self._moved()

    def set_positions(self, positions: ArrayLike, cell: ArrayLike | None = None) -> None:
        """Another frame of the same structure: positions (N, 3), Å, and its cell if that changes, too.

        Bonds and camera stay. Raises ValueError as `set_structure` does.
        """
        self._positions = _checked(positions, len(self._numbers))
        if cell is not None:
            self._cell = np.asarray(cell, dtype=np.float64).reshape(3, 3)
        self._moved()

    def set_bonds(self, bonds: tuple[ArrayLike, ArrayLike] | None) -> None:
        """Other bonds between the same atoms (pairs, orders); ValueError if an atom does not exist."""
        self._bonds = bonds
        self._rebuild()

    def set_style(self, style: str) -> None:
        """"ball_and_stick", "spacefill" or "sticks"; ValueError for others."""
        self.set_appearance(replace(self._appearance, style=style))

    def set_hydrogens(self, shown: bool) -> None:
        """Whether hydrogens are drawn."""
        self.set_appearance(replace(self._appearance, hydrogens=bool(shown)))

    def set_labels(self, mode: str) -> None:
        """"none", "element", "index" or "both"; ValueError for others."""
        self.set_appearance(replace(self._appearance, labels=mode))

    def set_cell_visible(self, shown: bool) -> None:
        """Whether the cell is drawn where there is one."""
        self.set_appearance(replace(self._appearance, cell=bool(shown)))

    def set_dark(self, dark: bool) -> None:
        """Dark or light theme."""
        self.set_appearance(replace(self._appearance, dark=bool(dark)))

    def set_appearance(self, appearance: Appearance) -> None:
        """All looks at once, as the session keeps them."""
        if appearance != self._appearance:
            self._appearance = appearance
            self._rebuild()

    def set_atom_colors(self, colors: ArrayLike | None) -> None:
        """Red, green, blue (N, 3), 0 … 1, instead of the elements' colours; None for those. ValueError if not N rows."""
        values = None if colors is None else np.asarray(colors, dtype=np.float32)
        if values is not None and values.shape != (len(self._numbers), 3):
            raise ValueError(f"colours of shape {values.shape} for {len(self._numbers)} atoms")
        self._colors = values
        self._rebuild()

    def set_picked(self, atoms: Sequence[int]) -> None:
        """Picked atoms, in order; those that do not exist are left out."""
        picked = self._existing(atoms)
        if picked != self._picked:
            self._picked = picked
            self._marked()

    def set_highlight(self, atoms: Sequence[int]) -> None:
        """Atoms to light up, such as those of the descriptor's cell under the cursor; empty for none."""
        chosen = self._existing(atoms)
        if chosen != self._highlighted:
            self._highlighted = chosen
            self._redraw()

    def set_pinned_measures(self, measures: Sequence[Sequence[int]]) -> None:
        """Measures (2 to 4 atoms each) that are shown whatever is picked; they follow the frames."""
        self._pinned = tuple(m for m in map(self._existing, measures) if 2 <= len(m) <= 4)
        self._marked()

    @property
    def picked(self) -> list[int]:
        """Picked atoms in the order of picking."""
        return list(self._picked)

    @property
    def appearance(self) -> Appearance:
        """The looks."""
        return self._appearance

    @property
    def measure_text(self) -> str:
        """What `measured` said last."""
        return self._text

    # -- camera ------------------------------------------------------------------------------------------------------

    @property
    def camera(self) -> Camera:
        """Where the structure is seen from."""
        return self._camera

    def camera_state(self) -> dict[str, Any]:
        """The camera for the session file."""
        return self._camera.to_dict()

    def set_camera(self, state: Mapping[str, Any] | Camera) -> None:
        """From `camera_state`, or only some of its keys (a linked camera); ValueError if it is none."""
        camera = state if isinstance(state, Camera) else Camera.from_dict(state, self._camera)
        if camera != self._camera:
            self._camera = camera
            self._redraw(scene=False)

    def set_projection(self, projection: str) -> None:
        """"perspective" or "orthographic"; ValueError for others."""
        self.set_camera(replace(self._camera, projection=projection))

    def centre(self) -> None:
        """The picked atoms, or else the structure, in the middle; direction and scale stay."""
        if self._picked:
            middle = self._positions[list(self._picked)].mean(axis=0)
        else:
            middle, _ = bounding_sphere(*self._spheres())
        self._set_camera_here(self._camera.centered(middle))

    def reset_camera(self) -> None:
        """The best side of the structure, fitted."""
        before = self._camera
        self._face()
        after, self._camera = self._camera, before
        self._set_camera_here(after)

    def view_along(self, axis: str) -> None:
        """"x", "y" or "z" points to the viewer; ValueError for others."""
        self._set_camera_here(self._camera.along(axis))

    # -- pictures ----------------------------------------------------------------------------------------------------

    def grab_image(
        self, width: int, height: int, transparent: bool = False, marks: bool = True, fine: bool = True
    ) -> QImage:
        """The view as it is, drawn anew at another size; lines and text keep their proportions.

        Parameters
        ----------
        width, height : int
            Pixels.
        transparent : bool
            Without background.
        marks : bool
            With picks, highlights and their measure; labels and pinned measures are drawn anyway.
        fine : bool
            Drawn at twice the size and averaged, where the machine can.
        """
        self.start()
        renderer = self._renderer
        assert renderer is not None
        ratio = min(width / max(self.width(), 1), height / max(self.height(), 1))
        factor = 2 if fine and renderer.name == "opengl" and 2 * max(width, height) <= renderer.max_size else 1
        limit = min(1.0, renderer.max_size / (factor * max(width, height)))
        renderer.set_capsules(self._capsules(marks))
        self._stale = True
        shot = Shot(
            self._camera,
            max(int(width * factor * limit), 1),
            max(int(height * factor * limit), 1),
            ratio * factor * limit,
            self._extent,
            self._appearance.dark,
            transparent,
        )
        image = self._drawn(shot)
        if (image.width(), image.height()) != (width, height):
            smooth = Qt.TransformationMode.SmoothTransformation
            image = image.scaled(width, height, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
        painter = QPainter(image)
        painter.setFont(self.font())
        painter.scale(ratio, ratio)
        paint_overlay(painter, self._overlay(marks), self._camera, width / ratio, height / ratio)
        painter.end()
        return image

    def _drawn(self, shot: Shot) -> QImage:
        assert self._renderer is not None
        if self._renderer.name == "painter":
            return self._renderer.image(shot)
        from qmlstudio.widgets.molecule_vispy import NoOpenGLError

        try:
            return self._renderer.image(shot)
        except NoOpenGLError as error:
            # the context was lost (the driver was updated, the session was moved): go on without
            self._use_painter(self.tr("drawn without OpenGL: {reason}").format(reason=error))
            self._renderer.set_capsules(self._capsules())
            return self._renderer.image(shot)
