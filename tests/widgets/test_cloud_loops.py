import numpy as np
import pytest

from qmlstudio.widgets import cloud_numpy, overlay_backend
from qmlstudio.widgets.camera import Camera

CAMERA = Camera().turned((1, 2, 3), 40)


@pytest.fixture(params=["compiled", "numpy"])
def run(request):
    overlay_backend.warm_up()
    return overlay_backend.cloud_loops() if request.param == "compiled" else cloud_numpy


def points(n=500, seed=0):
    xyz = np.random.default_rng(seed).normal(size=(n, 3))
    xyz[7] = np.nan
    xyz[9, 2] = np.inf
    return xyz


def project(run, xyz, distance=0.0, center=(0.1, 0.2, 0.3)):
    xy, depth = np.empty((len(xyz), 2)), np.empty(len(xyz))
    with np.errstate(invalid="ignore"):
        run.project(xyz, np.ascontiguousarray(CAMERA.matrix), np.array(center), distance, xy, depth)
    return xy, depth


@pytest.mark.parametrize("distance", [0.0, 12.0])
def test_projection_is_the_cameras(run, distance):
    xyz = points()
    xy, depth = project(run, xyz, distance)
    camera = Camera(CAMERA.rotation, (0.1, 0.2, 0.3), distance=distance or 1.0)
    view = np.delete(camera.to_view(np.nan_to_num(xyz, posinf=0)), [7, 9], axis=0)
    near = distance / (distance - view[:, 2:]) if distance else 1.0
    assert np.delete(xy, [7, 9], axis=0) == pytest.approx(view[:, :2] * near)
    assert np.delete(depth, [7, 9]) == pytest.approx(view[:, 2])


def test_order_is_from_back_to_front(run):
    xyz = points()
    xy, depth = project(run, xyz)
    n, steps = len(xyz), 256
    starts, order = np.zeros(steps + 1, np.int64), np.empty(n, np.int32)
    xs, ys = np.empty(n), np.empty(n)
    run.sort_by_depth(xy, depth, 6.0, steps, starts, order, xs, ys)
    m = int(starts[-1])
    assert sorted(order[:m].tolist()) == [i for i in range(n) if i not in (7, 9)]
    assert (np.diff(depth[order[:m]]) > -12.0 / steps).all()
    assert np.array_equal(xs[:m], xy[order[:m], 0])
    assert np.array_equal(ys[:m], xy[order[:m], 1])
    for step in (100, 128, 200):
        inside = depth[order[starts[step] : starts[step + 1]]]
        assert ((inside >= -6 + 12 / steps * step - 1e-9) & (inside <= -6 + 12 / steps * (step + 1) + 1e-9)).all()


def test_the_point_that_is_seen_is_hit(run):
    xy = np.array([[0.0, 0.0], [0.02, 0.0], [0.0, 0.05], [0.3, 0.0], [np.nan, 0.0]])
    depth = np.array([0.0, 2.0, 3.0, 9.0, 9.0])
    # three discs cover the place: the nearest to the viewer wins, not the nearest on the screen
    assert run.front_most(xy, depth, 0.0, 0.0, 0.5, 0.5, 0.2) == 2
    # beside all discs the next one
    assert run.front_most(xy, depth, 0.5, 0.0, 0.5, 0.5, 0.2) == 3
    assert run.front_most(xy, depth, 5.0, 5.0, 0.5, 0.5, 0.2) == -1
    # of equal depth the one drawn last
    assert run.front_most(xy[:2], np.zeros(2), 0.0, 0.0, 0.5, 0.5, 0.2) == 1
    assert run.front_most(np.zeros((0, 2)), np.zeros(0), 0.0, 0.0, 0.5, 0.5, 0.2) == -1
