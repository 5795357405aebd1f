"""The structure view: one structure in three dimensions, with picking and measures.

`MoleculeCanvas` holds what is shown and turns gestures into camera and picks; one of two renderers makes the picture:
OpenGL (`molecule_vispy`) or QPainter (`molecule_painter`). Both get the same capsules and the same camera, and labels
and measures are painted over either by `molecule_overlay`.

The setters never emit the signal of what they set: signals tell what a person did here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHideEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from qmlstudio.session.atom_values import AtomValues
from qmlstudio.widgets.camera import Camera, best_rotation, bounding_sphere
from qmlstudio.widgets.molecule_drawer import Drawer
from qmlstudio.widgets.molecule_gestures import Gestures
from qmlstudio.widgets.molecule_overlay import Mark, Overlay, measure_mark, paint_overlay
from qmlstudio.widgets.molecule_scene import (
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

TOLERANCE: Final = 5.0
"""Pixels by which a click may miss an atom."""
RING: Final = 4.5
"""Width of the ring about a picked atom, pixels; about a highlighted one it is twice as wide."""
HIGHLIGHT: Final = "#f2a900"


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
        self._values: AtomValues | None = None
        self._appearance = Appearance()
        self._camera = Camera()
        self._fitted_height = 0.0
        self._picked: tuple[int, ...] = ()
        self._highlighted: tuple[int, ...] = ()
        self._pinned: tuple[tuple[int, ...], ...] = ()
        self._hovered: int | None = None
        self._layout: Layout = layout(self._numbers, None, self._appearance)
        self._extent = 1.0
        self._text = ""
        self._marks: tuple[Mark, ...] = ()

        self._drawer = Drawer(self, self._capsules)
        self._drawer.backend_changed.connect(self.backend_changed)
        self._drawer.refined.connect(self.update)
        self._gestures = Gestures(self)
        self.installEventFilter(self._gestures)

    # -- starting and stopping ---------------------------------------------------------------------------------------

    @property
    def backend(self) -> str:
        """ "opengl", "painter", or "" before `start`."""
        return self._drawer.backend

    @property
    def note(self) -> str:
        """Why there is no OpenGL, for people; empty where there is."""
        return self._drawer.note

    def start(self, backend: str = "auto") -> None:
        """Begins to draw, with OpenGL if it works ("auto") or with QPainter ("painter"); later calls do nothing."""
        self._drawer.start(backend)
        self.update()

    def stop(self) -> None:
        """Frees the OpenGL context; also done when the widget is destroyed. `start` begins anew."""
        self._drawer.stop()
        self.update()

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
            If shapes do not match, a bond's atom does not exist, a coordinate is not finite, or the cell has no volume.
        """
        z = np.asarray(numbers, dtype=np.int64).reshape(-1)
        xyz = _checked(positions, len(z))
        box = None if cell is None else _checked_cell(cell)
        new = layout(z, bonds, self._appearance, None, box is not None)
        same = np.array_equal(z, self._numbers)
        self._numbers, self._positions, self._cell, self._bonds = z, xyz, box, bonds
        self._layout, self._colors, self._hovered, self._values = new, None, None, None
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
            self._cell = _checked_cell(cell)
        self._moved()

    def set_bonds(self, bonds: tuple[ArrayLike, ArrayLike] | None) -> None:
        """Other bonds between the same atoms (pairs, orders); ValueError if an atom does not exist."""
        self._bonds = bonds
        self._rebuild()

    def set_style(self, style: str) -> None:
        """ "ball_and_stick", "spacefill" or "sticks"; ValueError for others."""
        self.set_appearance(replace(self._appearance, style=style))

    def set_hydrogens(self, shown: bool) -> None:
        """Whether hydrogens are drawn."""
        self.set_appearance(replace(self._appearance, hydrogens=bool(shown)))

    def set_labels(self, mode: str) -> None:
        """ "none", "element", "index" or "both"; ValueError for others."""
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
            if self._is_fitted:
                # nobody has zoomed or panned: other radii are fitted, too
                self.set_camera(self._fit(self._camera))

    def set_atom_colors(self, colors: ArrayLike | None) -> None:
        """Red, green, blue (N, 3), 0 … 1, or None for the elements' colours; ValueError if there are not N rows."""
        values = None if colors is None else np.asarray(colors, dtype=np.float32)
        if values is not None and values.shape != (len(self._numbers), 3):
            raise ValueError(f"colours of shape {values.shape} for {len(self._numbers)} atoms")
        self._colors, self._values = values, None
        self._rebuild()

    def set_atom_values(self, shown: AtomValues | None) -> None:
        """Paint the atoms by a number each, with a bar that says what it is; None: the elements' colours.

        ValueError if there are not N numbers. Another structure has its elements' colours again.
        """
        if shown is None and self._values is None:
            return
        self.set_atom_colors(None if shown is None else shown.colors())
        self._values = shown

    @property
    def atom_values(self) -> AtomValues | None:
        """What the atoms are painted by; None for their elements."""
        return self._values

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
            # rings keep their width on the screen
            rings = camera.height != self._camera.height and bool(self._picked or self._highlighted)
            self._camera = camera
            self._redraw(scene=rings)

    def set_projection(self, projection: str) -> None:
        """ "perspective" or "orthographic"; ValueError for others."""
        self.set_camera(replace(self._camera, projection=projection))

    def centre(self) -> None:
        """The picked atoms, or else the structure, in the middle; direction and scale stay."""
        if self._picked:
            middle = self._positions[list(self._picked)].mean(axis=0)
        else:
            middle, _ = bounding_sphere(*self._spheres())
        self.move_camera(self._camera.centered(middle))

    def reset_camera(self) -> None:
        """The best side of the structure, fitted."""
        before = self._camera
        self._face()
        after, self._camera = self._camera, before
        self.move_camera(after)

    def view_along(self, axis: str) -> None:
        """ "x", "y" or "z" points to the viewer; ValueError for others."""
        self.move_camera(self._camera.along(axis))

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
        ratio = min(width / max(self.width(), 1), height / max(self.height(), 1))
        looks = self._appearance
        shot = Shot(self._camera, width, height, ratio, self._extent, looks.dark, transparent)
        image = self._drawer.once(self._capsules(marks), shot, fine)
        painter = QPainter(image)
        painter.setFont(self.font())
        painter.scale(ratio, ratio)
        paint_overlay(painter, self._overlay(marks), self._camera, width / ratio, height / ratio)
        painter.end()
        return image

    # -- as a person does it: these emit ----------------------------------------------------------------------------

    def move_camera(self, camera: Camera) -> None:
        """Another camera, and `camera_changed`."""
        if camera != self._camera:
            self.set_camera(camera)
            self.camera_changed.emit(camera.to_dict())

    def choose(self, atoms: Sequence[int]) -> None:
        """Other picked atoms, and `picked_changed`."""
        before = self._picked
        self.set_picked(atoms)
        if self._picked != before:
            self.picked_changed.emit(list(self._picked))

    def change_appearance(self, appearance: Appearance) -> None:
        """Other looks, and `appearance_changed`."""
        if appearance != self._appearance:
            self.set_appearance(appearance)
            self.appearance_changed.emit(appearance)

    def hover(self, atom: int | None) -> None:
        """The atom under the cursor, and `atom_hovered`."""
        if atom != self._hovered:
            self._hovered = atom
            self.atom_hovered.emit(-1 if atom is None else atom)
            self.update()

    def atom_at(self, x: float, y: float) -> int | None:
        """The atom that is seen at a point of the widget, or one that is missed by a few pixels; None for none."""
        if not len(self._numbers):
            return None
        visible = self._layout.visible
        origin, direction = self._camera.ray(x, y, self.width(), self.height())
        hit = pick(self._positions, self._layout.radii, visible, origin, direction)
        if hit is not None:
            return hit
        pixels, _, scale = self._camera.project(self._positions, self.width(), self.height())
        miss = np.hypot(*(pixels - (x, y)).T) - self._layout.radii * scale
        miss[~visible] = np.inf
        nearest = int(miss.argmin())
        return nearest if miss[nearest] <= TOLERANCE else None

    def bonded(self, atom: int) -> list[int]:
        """All atoms of the bonded fragment of an atom, hydrogens that are not drawn left out."""
        pairs = np.zeros((0, 2), dtype=np.int64) if self._bonds is None else self._bonds[0]
        return [i for i in fragment(atom, pairs, len(self._numbers)) if self._layout.visible[i]]

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _existing(self, atoms: Sequence[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(int(i) for i in atoms if 0 <= int(i) < len(self._numbers)))

    def _spheres(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """What the camera must show: atoms, and the cell's corners where it is drawn."""
        points, radii = self._positions, self._layout.radii
        if self._cell is not None and self._appearance.cell:
            points = np.concatenate([points, cell_corners(self._cell)])
            radii = np.concatenate([radii, np.full(8, 0.5)])
        return points, radii

    def _face(self) -> None:
        """The best view, without telling."""
        # crystals are seen as they are oriented, molecules along their principal axes
        points = self._positions if self._cell is None else np.zeros((0, 3))
        self._camera = self._fit(replace(self._camera, rotation=best_rotation(points)))

    def _fit(self, camera: Camera) -> Camera:
        camera = camera.fitted(*self._spheres())
        self._fitted_height = camera.height
        return camera

    @property
    def _is_fitted(self) -> bool:
        return self._camera.height == self._fitted_height and self._camera.offset == (0.0, 0.0)

    def _rebuild(self) -> None:
        self._layout = layout(self._numbers, self._bonds, self._appearance, self._colors, self._cell is not None)
        self._moved()

    def _moved(self) -> None:
        """After new positions or looks: the extent for the depth cue, the measures, the picture."""
        points, radii = self._spheres()
        if len(points):
            away = np.linalg.norm(points - np.array(self._camera.center), axis=1) + radii
            self._extent = max(float(away.max()), 1.0)
        self._marked()

    def _marked(self) -> None:
        """After other picks or positions: measures and their text."""
        marks, text = [], ""
        for atoms, pinned in [*((m, True) for m in self._pinned), (self._picked, False)]:
            found = measure_mark(self._positions, atoms, self._cell, pinned)
            if found is not None:
                marks.append(found[0])
                text = "" if pinned else found[1]
        self._marks = tuple(marks)
        if text != self._text:
            self._text = text
            self.measured.emit(text)
        self._redraw()

    def _capsules(self, marks: bool = True) -> Capsules:
        capsules = self._layout.place(self._positions, self._cell)
        radii, colors = self._layout.radii, theme(self._appearance.dark)
        extra = []
        if self._cell is not None and self._appearance.cell:
            extra.append(cell_edges(self._cell, self._appearance.dark))
        if marks:
            ring = RING / self._camera.pixels_per_angstrom(self.width(), self.height())
            if self._appearance.style == "sticks":
                # or the sticks themselves would cover it
                ring = max(ring, 0.14)
            shown = [i for i in self._highlighted if self._layout.visible[i]]
            if shown:
                capsules = lit(capsules, shown, HIGHLIGHT)
                extra.append(halos(self._positions, radii, shown, HIGHLIGHT, 2 * ring))
            picked = [i for i in self._picked if self._layout.visible[i]]
            extra.append(halos(self._positions, radii, picked, colors.accent, ring))
        return capsules.joined(*extra)

    def _overlay(self, marks: bool = True) -> Overlay:
        return Overlay(
            self._numbers,
            self._positions,
            self._layout.radii,
            self._layout.visible,
            self._appearance.labels,
            self._picked if marks else (),
            self._hovered if marks else None,
            tuple(m for m in self._marks if marks or m.pinned),
            self._cell if self._appearance.cell else None,
            self._appearance.dark,
            self._values,
        )

    def _redraw(self, scene: bool = True) -> None:
        """Draws soon; coarser while movement is slow. `scene`: more than the camera has changed."""
        self._drawer.changed(scene, self.isVisible())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture and what lies on it."""
        shot = Shot(self._camera, self.width(), self.height(), 1.0, self._extent, self._appearance.dark)
        picture = self._drawer.picture(shot, self.devicePixelRatioF())
        colors = theme(self._appearance.dark)
        painter = QPainter(self)
        area = QRectF(self.rect())
        if picture is None or not len(self._numbers):
            painter.fillRect(area, QColor(colors.background))
            if picture is not None:
                painter.setPen(QColor(colors.muted))
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.tr("No structure"))
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, picture)
            paint_overlay(painter, self._overlay(), self._camera, self.width(), self.height())
        if self.note:
            small = QFont(self.font())
            small.setPointSizeF(max(self.font().pointSizeF() * 0.85, 6.0))
            painter.setFont(small)
            painter.setPen(QColor(colors.muted))
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
            painter.drawText(area.adjusted(8, 8, -8, -6), flags, self.note)
        painter.end()

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(480, 480)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Rings keep their width on the screen."""
        super().resizeEvent(event)
        self._redraw(scene=bool(self._picked or self._highlighted))

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing ticks while nobody looks."""
        self._drawer.rest()
        super().hideEvent(event)


def _checked(positions: ArrayLike, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    xyz = np.array(positions, dtype=np.float64)
    if xyz.shape != (count, 3):
        raise ValueError(f"positions have shape {xyz.shape}, expected ({count}, 3)")
    if not np.isfinite(xyz).all():
        bad = int(np.isfinite(xyz).all(axis=1).argmin()) + 1
        raise ValueError(f"atom {bad} has a coordinate that is not finite")
    return xyz


def _checked_cell(cell: ArrayLike) -> np.ndarray[Any, np.dtype[np.float64]]:
    box = np.array(cell, dtype=np.float64)
    if box.shape != (3, 3) or not abs(np.linalg.det(box)) > 1e-6:
        raise ValueError("a cell needs three lattice vectors that span a volume")
    return box
