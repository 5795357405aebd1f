import numpy as np
import pytest

from qmlstudio.progress import Cancelled, Progress
from qmlstudio.widgets import hulls


def disc(n, inner, outer, seed=0):
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(inner**2, outer**2, n))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def area(polygon):
    x, y = polygon.T
    return (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2


def inside(rings, point):
    """Even-odd rule over all rings."""
    crossings = 0
    for ring in rings:
        a, b = ring, np.roll(ring, -1, axis=0)
        for (xa, ya), (xb, yb) in zip(a, b, strict=True):
            if (ya > point[1]) != (yb > point[1]):
                crossings += point[0] < xa + (point[1] - ya) * (xb - xa) / (yb - ya)
    return crossings % 2 == 1


def test_the_convex_hull_of_a_square_has_its_corners_only():
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), axis=-1).reshape(-1, 2)
    (hull,) = hulls.outlines(grid, np.zeros(25, int))
    (ring,) = hull.rings
    assert sorted(map(tuple, grid[ring])) == [(0, 0), (0, 4), (4, 0), (4, 4)]
    assert area(grid[ring]) == pytest.approx(16)
    assert tuple(grid[hull.center]) == (2, 2)
    assert (hull.label, hull.count) == (0, 25)


def test_an_alpha_shape_has_pieces_and_holes():
    piece = disc(500, 0, 1, 2) + np.array([10, 0])
    xy = np.vstack([disc(2000, 2, 4), disc(600, 0, 0.8, 1), piece])
    (hull,) = hulls.outlines(xy, np.zeros(len(xy), int), "alpha", alpha=0.5)
    rings = [xy[ring] for ring in hull.rings]
    assert len(rings) == 4
    for point, expected in (((3, 0), 1), ((1.4, 0), 0), ((0, 0), 1), ((10, 0), 1), ((6, 0), 0)):
        assert inside(rings, point) == expected, point
    # its size is that of the ring, the disc and the piece
    total = sum(area(ring) for ring in rings)
    assert total == pytest.approx(np.pi * (16 - 4 + 0.64 + 1), rel=0.08)


def test_the_radius_is_found_from_the_distances():
    xy = np.vstack([disc(2000, 2, 4), disc(600, 0, 0.8, 1)])
    for scale in (1e-6, 1.0, 1e6):
        (hull,) = hulls.outlines(xy * scale, np.zeros(len(xy), int), "alpha")
        rings = [xy[ring] for ring in hull.rings]
        assert inside(rings, (3, 0))
        assert inside(rings, (0, 0))
        assert not inside(rings, (1.4, 0))
    # nearly all points are in it
    (hull,) = hulls.outlines(xy, np.zeros(len(xy), int), "alpha")
    assert np.mean([inside([xy[r] for r in hull.rings], p * 0.999) for p in xy[::20]]) > 0.9


@pytest.mark.parametrize("kind", ["convex", "alpha"])
def test_degenerate_groups_are_points_and_lines(kind):
    nan = np.full((4, 2), np.nan)
    line = np.stack([np.arange(9.0), 2 * np.arange(9.0)], axis=1)
    almost = line + np.random.default_rng(0).normal(size=line.shape) * 1e-14
    labels = np.zeros(9, int)
    assert hulls.outlines(np.zeros((0, 2)), [], kind) == []
    assert hulls.outlines(nan, np.zeros(4, int), kind) == []
    assert hulls.outlines(line, labels - 1, kind) == []
    for points in (line, almost, line * 1e-12 + 1e3):
        (hull,) = hulls.outlines(points, labels, kind)
        assert len(hull.rings) == 1
        assert set(hull.rings[0].tolist()) <= {0, 8}
    (hull,) = hulls.outlines(np.ones((5, 2)), np.zeros(5, int), kind)
    assert [len(r) for r in hull.rings] == [1]
    (hull,) = hulls.outlines(np.vstack([[0.0, 0], [1, 1], [np.inf, 0]]), np.zeros(3, int), kind)
    assert sorted(hull.rings[0].tolist()) == [0, 1]
    assert hull.count == 2


def test_the_largest_groups_are_outlined():
    sizes = np.arange(1, 101)
    labels = np.repeat(np.arange(100), sizes)
    xy = np.random.default_rng(0).normal(size=(len(labels), 2))
    found = hulls.outlines(xy, labels)
    assert [h.label for h in found] == list(range(99, 39, -1))
    assert [h.count for h in found] == list(range(100, 40, -1))
    # labels may be anything
    sparse = hulls.outlines(xy, labels.astype(np.int64) * 10**12)
    assert [h.label for h in sparse] == [h.label * 10**12 for h in found]
    assert all(np.array_equal(a.rings[0], b.rings[0]) for a, b in zip(found, sparse, strict=True))
    masked = hulls.outlines(xy, labels, mask=labels == 7)
    assert [(h.label, h.count) for h in masked] == [(7, 8)]


def test_a_million_labels_are_legal():
    n = 1_000_000
    found = hulls.outlines(np.zeros((n, 2)), np.arange(n))
    assert len(found) == hulls.MOST_HULLS
    assert [len(h.rings[0]) for h in found] == [1] * hulls.MOST_HULLS


def test_large_groups_are_thinned_and_keep_their_outline():
    xy = disc(200_000, 0, 1)
    (hull,) = hulls.outlines(xy, np.zeros(len(xy), int), "alpha")
    assert sum(area(xy[r]) for r in hull.rings) == pytest.approx(np.pi, rel=0.02)


def test_hulls_in_space_hold_all_projections():
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(3000, 3))
    (hull,) = hulls.outlines(xyz, np.zeros(3000, int))
    assert hull.rings == ()
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    flat = (xyz @ turn)[:, :2]
    exact = hulls.corners(flat)
    assert set(exact.tolist()) <= set(hull.corners.tolist())
    outline = hulls.padded(flat[hull.corners], 0.0)
    assert area(outline) == pytest.approx(area(flat[exact]), rel=2e-3)
    # flat and straight clouds have corners, too
    plane = np.hstack([disc(100, 0, 1), np.ones((100, 1))])
    assert len(hulls.outlines(plane, np.zeros(100, int))[0].corners) > 2
    straight = np.outer(np.arange(5.0), [1, 2, 3])
    assert sorted(hulls.outlines(straight, np.zeros(5, int))[0].corners.tolist()) == [0, 4]


def test_padding_grows_by_the_same_on_all_sides():
    square = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    grown = hulls.padded(square, 2.0)
    assert area(grown) == pytest.approx(100 + 4 * 10 * 2 + np.pi * 4, rel=1e-3)
    circle = hulls.padded(np.array([[3.0, 4.0]]), 5.0)
    assert np.linalg.norm(circle - [3, 4], axis=1) == pytest.approx(np.full(len(circle), 5.0))


def test_errors_and_cancelling():
    xy = np.random.default_rng(0).normal(size=(10, 2))
    for bad in (
        lambda: hulls.outlines(np.zeros((3, 4)), [0, 0, 0]),
        lambda: hulls.outlines(xy, [0, 1]),
        lambda: hulls.outlines(xy, np.zeros(10, int), "concave"),
        lambda: hulls.outlines(xy, np.zeros(10, int), "alpha", alpha=0.0),
    ):
        with pytest.raises(ValueError):
            bad()
    with pytest.raises(Cancelled):
        hulls.outlines(xy, np.zeros(10, int), progress=Progress(is_cancelled=lambda: True))
