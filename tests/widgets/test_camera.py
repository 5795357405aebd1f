"""The camera: rotations, projection, rays and gestures, without a screen."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.widgets.camera import Camera, best_rotation, bounding_sphere, to_matrix, to_quaternion

SIZE = (640.0, 480.0)


@pytest.fixture(params=["perspective", "orthographic"])
def camera(request: pytest.FixtureRequest) -> Camera:
    start = Camera(center=(0.3, -1.0, 2.0), height=8.0, distance=25.0, projection=request.param)
    return start.turned((1, 2, -0.5), 73).panned(31, -12, *SIZE)


def random_rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


@pytest.mark.parametrize("seed", range(8))
def test_quaternion_and_matrix_are_inverse(seed: int) -> None:
    matrix = random_rotation(seed)
    np.testing.assert_allclose(to_matrix(to_quaternion(matrix)), matrix, atol=1e-12)


@pytest.mark.parametrize("axis", "xyz")
def test_along_points_the_axis_to_the_viewer(axis: str) -> None:
    matrix = Camera().along(axis).matrix
    np.testing.assert_allclose(matrix @ np.eye(3)["xyz".index(axis)], [0, 0, 1], atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_along_refuses_other_axes() -> None:
    with pytest.raises(ValueError, match="axis"):
        Camera().along("w")


def test_project_and_ray_agree(camera: Camera) -> None:
    points = np.random.default_rng(1).normal(size=(20, 3)) * 2
    pixels, _, _ = camera.project(points, *SIZE)
    for point, (x, y) in zip(points, pixels, strict=True):
        origin, direction = camera.ray(x, y, *SIZE)
        away = point - origin
        assert np.linalg.norm(np.cross(away, direction)) < 1e-9
        assert away @ direction > 0


def test_pivot_without_offset_is_in_the_middle() -> None:
    pixels, depth, scale = Camera(center=(1, 2, 3), height=10).project([[1, 2, 3]], *SIZE)
    np.testing.assert_allclose(pixels, [[320, 240]])
    assert depth[0] == 0
    assert scale[0] == pytest.approx(48.0)


def test_perspective_makes_near_things_larger() -> None:
    _, _, near = Camera().project([[0, 0, 5]], *SIZE)
    _, _, far = Camera().project([[0, 0, -5]], *SIZE)
    assert near[0] > far[0]
    _, _, flat = Camera(projection="orthographic").project([[0, 0, 5], [0, 0, -5]], *SIZE)
    assert flat[0] == flat[1]


def test_points_behind_the_eye_stay_finite() -> None:
    pixels, _, _ = Camera(distance=5).project([[1, 1, 5], [1, 1, 50]], *SIZE)
    assert np.isfinite(pixels).all()


def test_drag_to_the_right_moves_the_front_to_the_right() -> None:
    camera = Camera().rotated((320, 240), (360, 240), *SIZE)
    front = camera.to_view([[0, 0, 1]])[0]
    assert front[0] > 0
    assert front[1] == pytest.approx(0, abs=1e-12)


def test_drag_up_moves_the_front_up() -> None:
    front = Camera().rotated((320, 240), (320, 200), *SIZE).to_view([[0, 0, 1]])[0]
    assert front[1] > 0


def test_arcball_there_and_back_is_nothing(camera: Camera) -> None:
    there = camera.rotated((100, 50), (500, 333), *SIZE)
    back = there.rotated((500, 333), (100, 50), *SIZE)
    np.testing.assert_allclose(back.matrix, camera.matrix, atol=1e-12)
    assert not np.allclose(there.matrix, camera.matrix)


def test_arcball_is_continuous_at_the_rim() -> None:
    rim = 0.45 * 480 * np.sqrt(0.5)
    inside = Camera().rotated((320, 240), (320 + rim - 1e-6, 240), *SIZE)
    outside = Camera().rotated((320, 240), (320 + rim + 1e-6, 240), *SIZE)
    np.testing.assert_allclose(inside.matrix, outside.matrix, atol=1e-6)


def test_pan_follows_the_mouse(camera: Camera) -> None:
    points = np.zeros((1, 3)) + camera.center
    before, _, _ = camera.project(points, *SIZE)
    after, _, _ = camera.panned(17, -9, *SIZE).project(points, *SIZE)
    np.testing.assert_allclose(after - before, [[17, -9]])


def test_zoom_keeps_what_is_under_the_cursor(camera: Camera) -> None:
    points = np.random.default_rng(2).normal(size=(5, 3))
    pixels, _, before = camera.project(points, *SIZE)
    for x, y in pixels:
        zoomed = camera.zoomed(1.7, x, y, *SIZE)
        after, _, scale = zoomed.project(points, *SIZE)
        np.testing.assert_allclose(after - (x, y), 1.7 * (pixels - (x, y)), atol=1e-9)
        np.testing.assert_allclose(scale, 1.7 * before)


def test_zoom_is_bounded() -> None:
    assert Camera().zoomed(1e9, 0, 0, *SIZE).height == 0.5
    assert Camera().zoomed(1e-9, 0, 0, *SIZE).height == 5000


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_fitted_holds_everything_at_every_rotation(projection: str) -> None:
    rng = np.random.default_rng(3)
    points, radii = rng.normal(size=(30, 3)) * 4 + 10, rng.uniform(0.3, 1.8, 30)
    for seed in range(6):
        camera = Camera(rotation=to_quaternion(random_rotation(seed)), projection=projection).fitted(points, radii)
        pixels, _, scale = camera.project(points, *SIZE)
        reach = (radii * scale)[:, None]
        assert (pixels - reach > 0).all()
        assert (pixels + reach < SIZE).all()


def test_fitted_to_nothing_is_a_camera() -> None:
    camera = Camera().fitted(np.zeros((0, 3)), np.zeros(0))
    assert camera.height > 0


def test_bounding_sphere_holds_all() -> None:
    points = np.random.default_rng(4).normal(size=(10, 3))
    center, radius = bounding_sphere(points, np.full(10, 0.5))
    assert (np.linalg.norm(points - center, axis=1) + 0.5 <= radius + 1e-12).all()


@pytest.mark.parametrize("seed", range(5))
def test_best_rotation_shows_turned_molecules_alike(seed: int) -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(9, 3)) * (4, 2, 0.5)
    first = Camera(rotation=best_rotation(points), center=tuple(points.mean(axis=0)))
    turned = points @ random_rotation(seed).T + 3.0
    second = Camera(rotation=best_rotation(turned), center=tuple(turned.mean(axis=0)))
    np.testing.assert_allclose(first.to_view(points), second.to_view(turned), atol=1e-8)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((4, 3)), np.eye(3)[:2]])
def test_best_rotation_of_degenerate_sets_is_a_rotation(points: np.ndarray) -> None:
    matrix = to_matrix(best_rotation(points))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)


def test_state_survives_a_round_trip(camera: Camera) -> None:
    state = camera.to_dict()
    again = Camera.from_dict(state)
    np.testing.assert_allclose(again.matrix, camera.matrix, atol=1e-12)
    assert again.center == camera.center
    assert again.projection == camera.projection
    assert all(isinstance(v, (list, float, str)) for v in state.values())


def test_partial_state_keeps_the_rest(camera: Camera) -> None:
    linked = Camera.from_dict({"rotation": [0, 1, 0, 0]}, default=camera)
    assert linked.rotation == (0, 1, 0, 0)
    assert linked.height == camera.height


@pytest.mark.parametrize(
    "state",
    [{"rotation": [1, 2]}, {"height": 0}, {"height": float("nan")}, {"projection": "fisheye"}, {"center": None}],
)
def test_bad_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Camera.from_dict(state)
