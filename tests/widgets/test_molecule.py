"""The structure view on both back ends: pictures, picks, gestures, keys, and that nothing stays behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.widgets import molecule_drawer, molecule_vispy
from qmlstudio.widgets.molecule import MoleculeCanvas
from qmlstudio.widgets.molecule_gestures import NOTCH
from qmlstudio.widgets.molecule_overlay import label_text, unobscured
from qmlstudio.widgets.molecule_painter import PainterRenderer
from qmlstudio.widgets.molecule_scene import Appearance, Capsules, Shot
from qmlstudio.widgets.molecule_vispy import GLRenderer, NoOpenGLError

# ethane, staggered: two carbons, then three hydrogens each
ETHANE = np.array([6, 6, 1, 1, 1, 1, 1, 1])
_TURNS = np.radians([0, 120, 240, 60, 180, 300])
_SIDES = np.array([1, 1, 1, -1, -1, -1])
ETHANE_POSITIONS = np.concatenate(
    [
        [[0.765, 0, 0], [-0.765, 0, 0]],
        np.stack([1.164 * _SIDES, 1.02 * np.cos(_TURNS), 1.02 * np.sin(_TURNS)], axis=1),
    ]
)
LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
PLAIN, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


def open_gl() -> GLRenderer:
    try:
        return GLRenderer()
    except NoOpenGLError as error:
        pytest.skip(f"no OpenGL here: {error}")


@pytest.fixture
def canvas(qtbot: Any) -> MoleculeCanvas:
    """Ethane, 400 × 400, drawn with QPainter: gestures do not depend on the back end."""
    widget = MoleculeCanvas()
    qtbot.addWidget(widget)
    widget.resize(400, 400)
    widget.start("painter")
    bonds = perceive_bonds(ETHANE, ETHANE_POSITIONS)
    widget.set_structure(ETHANE, ETHANE_POSITIONS, (bonds.pairs, bonds.orders))
    # both carbons are seen from here
    widget.set_camera(widget.camera.along("z"))
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def pixel_of(canvas: MoleculeCanvas, atom: int) -> QPoint:
    pixels, _, _ = canvas.camera.project(ETHANE_POSITIONS, canvas.width(), canvas.height())
    return QPoint(*(round(v) for v in pixels[atom]))


def nowhere(canvas: MoleculeCanvas) -> QPoint:
    return QPoint(6, 6)


def drag(qtbot: Any, canvas: QWidget, button: Qt.MouseButton, start: QPoint, end: QPoint, held: Any = PLAIN) -> None:
    qtbot.mousePress(canvas, button, held, start)
    for share in (0.3, 0.7, 1.0):
        at = QPointF(start) + share * (QPointF(end) - QPointF(start))
        spot = canvas.mapToGlobal(at)
        QApplication.sendEvent(canvas, QMouseEvent(QEvent.Type.MouseMove, at, spot, LEFT, button, held))
    qtbot.mouseRelease(canvas, button, held, end)


def recorded(signal: Any) -> list[Any]:
    calls: list[Any] = []
    signal.connect(lambda *a: calls.append(a if len(a) > 1 else a[0]))
    return calls


def colored(image: QImage, channel: int) -> np.ndarray:
    """(n, 2) x and y of pixels in which one channel is far above the others."""
    rgb = as_array(image)[:, :, 2::-1].astype(int)
    rest = np.delete(rgb, channel, axis=2).max(axis=2)
    y, x = np.nonzero(rgb[:, :, channel] > rest + 60)
    return np.stack([x, y], axis=1)


def as_array(image: QImage) -> np.ndarray:
    """(h, w, 4) blue, green, red, alpha."""
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


# -- starting and stopping -----------------------------------------------------------------------------------------


def test_importing_does_not_load_vispy() -> None:
    code = "import sys, qmlstudio.widgets.molecule, qmlstudio.widgets.play_bar; sys.exit('vispy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_empty_panel_before_the_start(qtbot: Any) -> None:
    widget = MoleculeCanvas()
    qtbot.addWidget(widget)
    widget.set_dark(True)
    widget.set_structure(ETHANE, ETHANE_POSITIONS)
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    assert widget.backend == ""
    assert len(np.unique(as_array(image).reshape(-1, 4), axis=0)) == 1


def test_opengl_is_taken_where_it_works(qtbot: Any) -> None:
    open_gl().close()
    widget = MoleculeCanvas()
    qtbot.addWidget(widget)
    widget.start()
    assert (widget.backend, widget.note) == ("opengl", "")


def test_painter_steps_in_and_says_why(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise NoOpenGLError("no driver")

    monkeypatch.setattr(molecule_vispy, "GLRenderer", fails)
    widget = MoleculeCanvas()
    qtbot.addWidget(widget)
    told = recorded(widget.backend_changed)
    widget.start()
    assert widget.backend == "painter"
    assert "no driver" in widget.note
    assert told == [("painter", widget.note)]


class Broken:
    """A driver that is lost while it draws."""

    name = "opengl"
    max_size = 4096

    def set_capsules(self, capsules: Capsules) -> None:
        pass

    def close(self) -> None:
        pass

    def image(self, shot: Shot) -> QImage:
        raise NoOpenGLError("the context is lost")


def test_lost_context_goes_on_with_the_painter(canvas: MoleculeCanvas) -> None:
    canvas.stop()
    assert canvas.backend == ""
    canvas._drawer._use(Broken(), "")
    image = canvas.grab_image(200, 200)
    assert canvas.backend == "painter"
    assert "lost" in canvas.note
    assert len(np.unique(as_array(image).reshape(-1, 4), axis=0)) > 50


def test_destroyed_canvas_frees_its_renderer(qapp: QApplication) -> None:
    class Watched(PainterRenderer):
        closed = 0

        def close(self) -> None:
            Watched.closed += 1

    widget = MoleculeCanvas()
    made = Watched()
    widget._drawer._use(made, "")
    dead = weakref.ref(made)
    del made
    widget.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert Watched.closed == 1
    del widget
    gc.collect()
    assert dead() is None


def test_gl_canvas_can_be_made_and_destroyed_again_and_again(qapp: QApplication) -> None:
    open_gl().close()
    pictures = []
    for _ in range(4):
        widget = MoleculeCanvas()
        widget.resize(200, 200)
        widget.start()
        widget.set_structure(ETHANE, ETHANE_POSITIONS)
        pictures.append(as_array(widget.grab_image(120, 120)))
        widget.deleteLater()
        qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    for other in pictures[1:]:
        np.testing.assert_array_equal(other, pictures[0])


def test_two_gl_canvases_do_not_disturb_each_other(qtbot: Any) -> None:
    open_gl().close()
    one, two = MoleculeCanvas(), MoleculeCanvas()
    for widget in (one, two):
        qtbot.addWidget(widget)
        widget.start()
    one.set_structure([6], [[0, 0, 0]])
    two.set_structure([8], [[0, 0, 0]])
    first = as_array(one.grab_image(60, 60))
    assert len(colored(two.grab_image(60, 60), 0)) > 100
    np.testing.assert_array_equal(as_array(one.grab_image(60, 60)), first)


# -- what is set ---------------------------------------------------------------------------------------------------


def test_setters_do_not_emit(canvas: MoleculeCanvas) -> None:
    signals = (canvas.picked_changed, canvas.camera_changed, canvas.appearance_changed, canvas.atom_picked)
    calls = [recorded(s) for s in signals]
    canvas.set_picked([0, 1])
    canvas.set_style("sticks")
    canvas.set_labels("both")
    canvas.set_camera({"rotation": [0, 1, 0, 0]})
    canvas.set_projection("orthographic")
    canvas.set_highlight([2])
    assert calls == [[], [], [], []]
    assert canvas.picked == [0, 1]
    assert canvas.appearance == Appearance(style="sticks", labels="both")
    assert canvas.camera_state()["projection"] == "orthographic"


def test_frames_keep_camera_and_picks(canvas: MoleculeCanvas) -> None:
    canvas.set_picked([0, 1])
    camera, told = canvas.camera, recorded(canvas.measured)
    canvas.set_positions(1.1 * ETHANE_POSITIONS)
    assert canvas.camera == camera
    assert told == ["d 1.68 Å"]


def test_other_elements_drop_the_picks(canvas: MoleculeCanvas) -> None:
    canvas.set_picked([0, 7])
    told = recorded(canvas.picked_changed)
    canvas.set_structure(ETHANE, ETHANE_POSITIONS + 1)
    assert canvas.picked == [0, 7]
    canvas.set_structure([8, 1, 1], ETHANE_POSITIONS[:3])
    assert canvas.picked == []
    assert told == [[]]


def test_other_radii_are_fitted_unless_someone_has_zoomed(canvas: MoleculeCanvas) -> None:
    balls = canvas.camera
    canvas.set_style("spacefill")
    assert canvas.camera.height > balls.height
    assert canvas.camera.rotation == balls.rotation
    canvas.set_style("ball_and_stick")
    assert canvas.camera == balls
    zoomed = balls.zoomed(2, 100, 100, 400, 400)
    canvas.set_camera(zoomed)
    canvas.set_style("spacefill")
    assert canvas.camera == zoomed


def test_keep_camera(canvas: MoleculeCanvas) -> None:
    camera = canvas.camera
    canvas.set_structure([6, 8], [[0, 0, 0], [9, 0, 0]], keep_camera=True)
    assert canvas.camera == camera
    canvas.set_structure([6, 8], [[0, 0, 0], [9, 0, 0]])
    assert canvas.camera != camera


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.set_structure([6, 6], [[0, 0, 0]]),
        lambda c: c.set_structure([6], [[0, 0, float("nan")]]),
        lambda c: c.set_structure([6], [[0, 0, 0]], cell=np.zeros((3, 3))),
        lambda c: c.set_positions(ETHANE_POSITIONS[:3]),
        lambda c: c.set_style("cartoon"),
        lambda c: c.set_labels("everything"),
        lambda c: c.set_projection("fisheye"),
        lambda c: c.set_atom_colors([[1, 0, 0]]),
        lambda c: c.view_along("q"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(canvas: MoleculeCanvas, change: Callable[[Any], None]) -> None:
    before = as_array(canvas.grab_image(80, 80))
    with pytest.raises(ValueError):
        change(canvas)
    np.testing.assert_array_equal(as_array(canvas.grab_image(80, 80)), before)


@pytest.mark.parametrize("count", [0, 1])
def test_no_atom_and_one(canvas: MoleculeCanvas, count: int) -> None:
    canvas.set_structure([8] * count, np.zeros((count, 3)))
    canvas.centre()
    canvas.reset_camera()
    assert canvas.atom_at(200, 200) == (0 if count else None)
    assert canvas.grab_image(50, 50).width() == 50
    assert not canvas.grab().isNull()


@pytest.mark.parametrize(
    ("picked", "text"),
    [
        ([0], ""),
        ([0, 2], "d 1.10 Å"),
        ([1, 0, 2], "∠ 111.4°"),
        ([2, 0, 1, 6], "dihedral 180.0°"),
        ([0, 1, 2, 3, 4], ""),
    ],
)
def test_measures(canvas: MoleculeCanvas, picked: list[int], text: str) -> None:
    canvas.set_picked(picked)
    assert canvas.measure_text == text


def test_periodic_measure_says_so(canvas: MoleculeCanvas) -> None:
    canvas.set_structure([3, 3], [[0.5, 1, 1], [9.5, 1, 1]], cell=np.eye(3) * 10)
    canvas.set_picked([0, 1])
    assert canvas.measure_text == "d 1.00 Å mic"


def test_grab_has_the_size_asked_for(canvas: MoleculeCanvas) -> None:
    image = canvas.grab_image(700, 300, transparent=True)
    assert (image.width(), image.height()) == (700, 300)
    assert image.pixelColor(2, 2).alpha() == 0


def test_marks_can_be_left_out(canvas: MoleculeCanvas) -> None:
    plain = as_array(canvas.grab_image(200, 200))
    canvas.set_picked([0, 1])
    assert (as_array(canvas.grab_image(200, 200)) != plain).any()
    np.testing.assert_array_equal(as_array(canvas.grab_image(200, 200, marks=False)), plain)
    canvas.set_pinned_measures([[0, 1]])
    assert (as_array(canvas.grab_image(200, 200, marks=False)) != plain).any()


def test_atom_colors(canvas: MoleculeCanvas) -> None:
    canvas.set_atom_colors(np.tile([0.0, 1.0, 0.0], (8, 1)))
    at = pixel_of(canvas, 0)
    color = canvas.grab_image(400, 400).pixelColor(at)
    assert color.green() > color.red() + 60
    canvas.set_atom_colors(None)
    color = canvas.grab_image(400, 400).pixelColor(at)
    assert color.green() == pytest.approx(color.red(), abs=12)


def test_labels_behind_atoms_are_hidden() -> None:
    pixels = np.array([[50.0, 50], [52, 50], [90, 50]])
    free = unobscured(pixels, np.array([0.0, 1, 0]), np.full(3, 10.0), np.ones(3, dtype=bool))
    assert free.tolist() == [False, True, True]
    assert [label_text(6, 0, m) for m in ("none", "element", "index", "both")] == ["", "C", "1", "C1"]


# -- gestures ------------------------------------------------------------------------------------------------------


def test_click_picks_and_ctrl_click_toggles(qtbot: Any, canvas: MoleculeCanvas) -> None:
    lists, clicked = recorded(canvas.picked_changed), recorded(canvas.atom_picked)
    qtbot.mouseClick(canvas, LEFT, PLAIN, pixel_of(canvas, 0))
    qtbot.mouseClick(canvas, LEFT, CTRL, pixel_of(canvas, 1))
    qtbot.mouseClick(canvas, LEFT, CTRL, pixel_of(canvas, 0))
    qtbot.mouseClick(canvas, LEFT, CTRL, nowhere(canvas))
    qtbot.mouseClick(canvas, LEFT, PLAIN, nowhere(canvas))
    assert lists == [[0], [0, 1], [1], []]
    assert [c[0] for c in clicked] == [0, 1, 0]
    assert clicked[1][1] == CTRL


def test_double_click_takes_the_fragment_or_centres(qtbot: Any, canvas: MoleculeCanvas) -> None:
    qtbot.mouseDClick(canvas, LEFT, PLAIN, pixel_of(canvas, 1))
    assert canvas.picked[0] == 1
    assert sorted(canvas.picked) == list(range(8))
    canvas.set_picked([])
    canvas.set_camera(canvas.camera.panned(50, 50, 400, 400))
    qtbot.mouseDClick(canvas, LEFT, PLAIN, nowhere(canvas))
    assert canvas.camera.offset == (0, 0)


def test_left_drag_rotates(qtbot: Any, canvas: MoleculeCanvas) -> None:
    before, told = canvas.camera, recorded(canvas.camera_changed)
    drag(qtbot, canvas, LEFT, QPoint(200, 200), QPoint(260, 210))
    assert canvas.camera == before.rotated((200, 200), (260, 210), 400, 400)
    assert told[-1] == canvas.camera_state()
    assert canvas.picked == []


@pytest.mark.parametrize(("button", "held"), [(RIGHT, PLAIN), (MIDDLE, PLAIN), (LEFT, SHIFT)])
def test_other_drags_pan(qtbot: Any, canvas: MoleculeCanvas, button: Qt.MouseButton, held: Any) -> None:
    before, menus = canvas.camera, recorded(canvas.context_menu_requested)
    drag(qtbot, canvas, button, QPoint(200, 200), QPoint(230, 180), held)
    assert canvas.camera == before.panned(30, -20, 400, 400)
    assert menus == []


def test_right_click_opens_the_menu_even_if_the_hand_shakes(qtbot: Any, canvas: MoleculeCanvas) -> None:
    before, menus = canvas.camera, recorded(canvas.context_menu_requested)
    at = pixel_of(canvas, 0)
    drag(qtbot, canvas, RIGHT, at, at + QPoint(3, -3))
    qtbot.mouseClick(canvas, RIGHT, PLAIN, nowhere(canvas))
    assert canvas.camera == before
    assert [m[1] for m in menus] == [0, -1]
    assert menus[1][0] == canvas.mapToGlobal(nowhere(canvas))


def test_wheel_zooms_to_the_cursor(canvas: MoleculeCanvas) -> None:
    before, at = canvas.camera, QPointF(120, 90)
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        at, canvas.mapToGlobal(at), QPoint(), QPoint(0, 120), none, PLAIN, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(canvas, event)
    assert canvas.camera == before.zoomed(NOTCH, 120, 90, 400, 400)


def test_hover_tells_each_atom_once(qtbot: Any, canvas: MoleculeCanvas) -> None:
    told = recorded(canvas.atom_hovered)
    for at in (pixel_of(canvas, 0), pixel_of(canvas, 0) + QPoint(1, 0), nowhere(canvas), pixel_of(canvas, 1)):
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(at), canvas.mapToGlobal(QPointF(at)), Qt.MouseButton.NoButton,
            Qt.MouseButton.NoButton, PLAIN,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert told == [0, -1, 1, -1]


# -- keys ----------------------------------------------------------------------------------------------------------


def test_keys_change_the_looks(qtbot: Any, canvas: MoleculeCanvas) -> None:
    told = recorded(canvas.appearance_changed)
    for key in "231HUB":
        qtbot.keyClick(canvas, key)
    expected = [
        Appearance(style="spacefill"),
        Appearance(style="sticks"),
        Appearance(),
        Appearance(hydrogens=False),
        Appearance(hydrogens=False, cell=False),
        Appearance(hydrogens=False, cell=False, labels="element"),
    ]
    assert told == expected
    for _ in range(3):
        qtbot.keyClick(canvas, "b")
    assert canvas.appearance.labels == "none"


def test_keys_move_the_camera(qtbot: Any, canvas: MoleculeCanvas) -> None:
    canvas.reset_camera()
    fitted = canvas.camera
    for axis in "xyz":
        qtbot.keyClick(canvas, axis)
        assert canvas.camera.rotation == fitted.along(axis).rotation
    qtbot.keyClick(canvas, "o")
    assert canvas.camera.projection == "orthographic"
    qtbot.keyClick(canvas, "o")
    canvas.set_camera(canvas.camera.panned(33, 0, 400, 400))
    qtbot.keyClick(canvas, "c")
    assert canvas.camera.offset == (0, 0)
    qtbot.keyClick(canvas, "r")
    assert canvas.camera == fitted


def test_centre_takes_the_picked_atoms(qtbot: Any, canvas: MoleculeCanvas) -> None:
    canvas.set_picked([0])
    qtbot.keyClick(canvas, "c")
    np.testing.assert_allclose(canvas.camera.center, ETHANE_POSITIONS[0])


def test_keys_play(qtbot: Any, canvas: MoleculeCanvas) -> None:
    told = recorded(canvas.play_command)
    keys = [Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End]
    for key in [*keys, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight]:
        qtbot.keyClick(canvas, key)
    qtbot.keyClick(canvas, Qt.Key.Key_Left, SHIFT)
    qtbot.keyClick(canvas, Qt.Key.Key_Right, SHIFT)
    assert told == ["toggle", "back", "forward", "first", "last", "slower", "faster", "back_10", "forward_10"]


def test_m_pins_what_is_measured(qtbot: Any, canvas: MoleculeCanvas) -> None:
    told = recorded(canvas.measure_pinned)
    qtbot.keyClick(canvas, "m")
    canvas.set_picked([0, 1, 2])
    qtbot.keyClick(canvas, "m")
    assert told == [[0, 1, 2]]
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.picked == []


def test_own_keys_win_over_menus_and_others_do_not(canvas: MoleculeCanvas) -> None:
    for key, held, ours in ((Qt.Key.Key_H, PLAIN, True), (Qt.Key.Key_H, CTRL, False), (Qt.Key.Key_P, PLAIN, False)):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, held)
        event.ignore()
        QApplication.sendEvent(canvas, event)
        assert event.isAccepted() == ours


# -- speed ---------------------------------------------------------------------------------------------------------


def test_slow_pictures_are_coarse_while_they_move(qtbot: Any, canvas: MoleculeCanvas) -> None:
    drawer, sizes = canvas._drawer, []
    painted = PainterRenderer.image

    class Counting(PainterRenderer):
        def image(self, shot: Shot) -> QImage:
            sizes.append(shot.width)
            return painted(self, shot)

    canvas.stop()
    drawer._use(Counting(), "")
    canvas.repaint()
    ratio = canvas.devicePixelRatioF()
    assert sizes == [400 * ratio]
    drawer._took = 4 * molecule_drawer.SLOW
    canvas.move_camera(canvas.camera.turned((0, 1, 0), 5))
    canvas.repaint()
    assert sizes[-1] == 200 * ratio
    drawer._took = 4 * molecule_drawer.SLOW
    qtbot.waitUntil(lambda: sizes[-1] == 400 * ratio, timeout=3000)
    assert not drawer._settle.isActive()


def test_nothing_is_drawn_twice(canvas: MoleculeCanvas) -> None:
    canvas.repaint()
    before = canvas._drawer._picture
    canvas.hover(3)
    canvas.repaint()
    assert canvas._drawer._picture is before
    canvas.set_picked([3])
    canvas.repaint()
    assert canvas._drawer._picture is not before


# -- to be looked at -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("style", ["ball_and_stick", "spacefill", "sticks"])
@pytest.mark.parametrize("backend", ["auto", "painter"])
def test_screenshots(canvas: MoleculeCanvas, screenshots: Path, backend: str, style: str, dark: bool) -> None:
    canvas.stop()
    canvas.start(backend)
    canvas.set_style(style)
    canvas.set_dark(dark)
    canvas.set_picked([2, 0, 1, 6])
    image = canvas.grab().toImage()
    theme = "dark" if dark else "light"
    assert image.save(str(screenshots / f"structure_{canvas.backend}_{style}_{theme}.png"))
    assert QColor(image.pixel(3, 3)).lightness() < 60 if dark else QColor(image.pixel(3, 3)).lightness() > 200
