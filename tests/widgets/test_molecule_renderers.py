"""The two ways of drawing a structure: atoms where the camera says, right occlusion, both alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.widgets.camera import Camera
from qmlstudio.widgets.molecule_painter import PainterRenderer
from qmlstudio.widgets.molecule_scene import ATOM, Appearance, Capsules, Shot, layout
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


def open_gl() -> GLRenderer:
    try:
        return GLRenderer()
    except NoOpenGLError as error:
        pytest.skip(f"no OpenGL here: {error}")


@pytest.fixture(params=["painter", "opengl"])
def renderer(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[Any]:
    made = PainterRenderer() if request.param == "painter" else open_gl()
    yield made
    made.close()


def colored(image: QImage, channel: int) -> np.ndarray:
    """(n, 2) x and y of pixels in which one channel is far above the others."""
    rgb = as_array(image)[:, :, 2::-1].astype(int)
    rest = np.delete(rgb, channel, axis=2).max(axis=2)
    y, x = np.nonzero(rgb[:, :, channel] > rest + 60)
    return np.stack([x, y], axis=1)


def as_array(image: QImage) -> np.ndarray:
    """(h, w, 4) blue, green, red, alpha."""
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


def balls(points: Any, radius: float, colors: Any) -> Capsules:
    at = np.asarray(points, dtype=float)
    return Capsules.of(at, at, radius, colors, ATOM, np.arange(len(at)))


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_balls_are_where_the_camera_says(renderer: Any, projection: str) -> None:
    points = np.array([[2.0, 1.5, 1.0], [-2.0, -1.0, -2.0], [1.0, -2.0, 2.0]])
    start = Camera(height=10.0, distance=20.0, projection=projection)
    camera = start.turned((1, 1, 0.3), 25).panned(20, -10, 500, 400)
    renderer.set_capsules(balls(points, 0.5, np.eye(3)))
    image = renderer.image(Shot(camera, 500, 400, extent=4.0))
    pixels, _, scale = camera.project(points, 500, 400)
    for channel in range(3):
        found = colored(image, channel)
        np.testing.assert_allclose(found.mean(axis=0) + 0.5, pixels[channel], atol=1.5)
        width = np.ptp(found[:, 0]) + 1
        assert width == pytest.approx(2 * 0.5 * scale[channel], abs=5)


def test_near_hides_far(renderer: Any) -> None:
    renderer.set_capsules(balls([[0, 0, -2], [0, 0, 2]], 1.0, [(1, 0, 0), (0, 1, 0)]))
    camera = Camera(projection="orthographic")
    image = renderer.image(Shot(camera, 200, 200))
    assert image.pixelColor(100, 100).green() > image.pixelColor(100, 100).red()
    behind = renderer.image(Shot(camera.turned((0, 1, 0), 180), 200, 200))
    assert behind.pixelColor(100, 100).red() > behind.pixelColor(100, 100).green()


def test_bond_to_the_viewer_lies_over_its_atom_and_away_under_it(renderer: Any) -> None:
    ball = balls([[0, 0, 0]], 1.0, [(0, 0, 1)])
    for z, over in ((3.0, True), (-3.0, False)):
        bond = Capsules.of([[0, 0, 0]], [[1.5, 0, z]], 0.25, (1, 0, 0), 1, [[0, 0]])
        renderer.set_capsules(ball.joined(bond))
        camera = Camera(projection="orthographic", height=8)
        image = renderer.image(Shot(camera, 320, 320))
        # where the bond has left the ball but is still before or behind it: x = 0.7 Å
        color = image.pixelColor(160 + 28, 160)
        assert (color.red() > color.blue()) == over


def test_transparent_has_no_background(renderer: Any) -> None:
    renderer.set_capsules(balls([[0, 0, 0]], 1.0, [(1, 0, 0)]))
    image = renderer.image(Shot(Camera(), 100, 100, transparent=True))
    assert image.pixelColor(3, 3).alpha() == 0
    assert image.pixelColor(50, 50).alpha() == 255


@pytest.mark.parametrize("dark", [False, True])
def test_white_atom_is_seen_on_the_background(renderer: Any, dark: bool) -> None:
    renderer.set_capsules(balls([[0, 0, 0]], 2.0, [(1, 1, 1)]))
    row = as_array(renderer.image(Shot(Camera(), 200, 200, dark=dark)))[100, :, :3].astype(int).mean(axis=1)
    assert np.abs(row - row[0]).max() > 80


def test_nothing_is_the_background(renderer: Any) -> None:
    renderer.set_capsules(balls(np.zeros((0, 3)), 1.0, np.zeros((0, 3))))
    image = renderer.image(Shot(Camera(), 40, 30, dark=True))
    assert (image.width(), image.height()) == (40, 30)
    assert len(np.unique(as_array(image).reshape(-1, 4), axis=0)) == 1


def test_both_back_ends_draw_the_same(qapp: QApplication) -> None:
    bonds = perceive_bonds(ETHANE, ETHANE_POSITIONS)
    shots = []
    for make in (PainterRenderer, open_gl):
        made = make()
        made.set_capsules(layout(ETHANE, (bonds.pairs, bonds.orders), Appearance()).place(ETHANE_POSITIONS))
        camera = Camera(height=6.0, distance=12.0).turned((0.3, 1, 0), 35)
        shots.append(as_array(made.image(Shot(camera, 300, 300, extent=2.5, dark=True)))[:, :, :3].astype(int))
        made.close()
    painted, drawn = (np.abs(s - s[0, 0]).sum(axis=2) > 90 for s in shots)
    # they differ by the edge pixels, and the colours by what gradients cannot do
    assert (painted != drawn).sum() < 0.06 * drawn.sum()
    assert np.abs(shots[0] - shots[1])[painted & drawn].mean() < 16


def test_gl_draws_large_images_and_refuses_too_large_ones(qapp: QApplication) -> None:
    made = open_gl()
    made.set_capsules(balls([[0, 0, 0]], 1.0, [(1, 0, 0)]))
    assert made.image(Shot(Camera(), 3000, 200)).width() == 3000
    with pytest.raises(NoOpenGLError, match="pixels"):
        made.image(Shot(Camera(), made.max_size + 1, 10))
    made.close()
    made.close()
