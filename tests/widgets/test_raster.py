import subprocess
import sys

import numpy as np
import pytest

from qmlstudio.widgets import raster, raster_backend, raster_bin_loops, raster_loops, raster_numpy
from qmlstudio.widgets.raster_numpy import DIMMED, MISSING, STAMP_SHIFT
from qmlstudio.widgets.theme import DARK, LIGHT, rgb

IDENTITY = np.array([1.0, 0.0, 1.0, 0.0])
LUT = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [250, 250, 0]], np.uint8)


@pytest.fixture(params=["compiled", "numpy"])
def backend(request, monkeypatch):
    """Both implementations of the loops."""
    monkeypatch.setattr(raster_backend, "_compiled", raster_loops if request.param == "compiled" else None)
    monkeypatch.setattr(raster_backend, "_compiled_bins", raster_bin_loops)
    return request.param


def words(canvas):
    """(H, W, 4) bytes: blue, green, red, alpha."""
    return canvas.image.view(np.uint8).reshape(*canvas.shape, 4)


def draw(xy, codes, style, size=(40, 30), transform=IDENTITY, colors=LIGHT, lut=LUT, values=None):
    points = raster.Points(np.asarray(xy, float))
    canvas = raster.Canvas(*size)
    palette = raster.Palette.of(lut, colors)
    count = canvas.draw(points, np.asarray(codes, np.uint32), transform, palette, style, values)
    return canvas, count


def sort(points, backend):
    """Sorting loads the compiled loops."""
    points.sort()
    if backend == "numpy":
        raster_backend._compiled = None


def cloud(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) * [3.0, 2.0] + rng.integers(-2, 3, size=(n, 2)) * 4.0


def test_importing_the_widget_does_not_import_numba():
    code = (
        "import sys, qmlstudio.widgets.scatter, qmlstudio.widgets.color_bar, qmlstudio.widgets.legend,"
        "qmlstudio.widgets.hover_card; print("
        "      [m for m in ('numba', 'rdkit', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("at", [(10.0, 10.0), (10.5, 12.5), (20.2, 7.9), (15.99, 15.01)])
@pytest.mark.parametrize("radius", [1.15, 3.0, 5.0])
def test_a_stamp_is_centred_on_its_point(backend, at, radius):
    canvas, count = draw([at], [0], raster.Style("points", radius))
    alpha = words(canvas)[..., 3].astype(float)
    v, u = np.indices(alpha.shape)
    centre = ((u + 0.5) * alpha).sum() / alpha.sum(), ((v + 0.5) * alpha).sum() / alpha.sum()
    assert count == 1
    assert centre == pytest.approx(at, abs=0.2)
    # its area is that of the disc
    assert alpha.sum() / 255 == pytest.approx(np.pi * radius**2, rel=0.1)


def test_stamps_have_their_colour_and_missing_values_are_hollow(backend):
    canvas, count = draw([[10.5, 10.5], [30.5, 10.5]], [1, MISSING], raster.Style("points", 5.0, has_missing=True))
    picture = words(canvas)
    assert count == 2
    assert tuple(picture[10, 10]) == (0, 255, 0, 255)
    assert tuple(picture[10, 30]) == (0, 0, 0, 0)
    ring = picture[10, 30:37]
    blue, green, red, alpha = ring[ring[:, 3].argmax()].astype(float)
    assert alpha > 200
    assert np.array([red, green, blue]) * 255 / alpha == pytest.approx(np.array(rgb(LIGHT.missing)), abs=2)


def test_undimmed_points_are_drawn_above_dimmed_ones_whatever_their_order(backend):
    style = raster.Style("points", 4.0, has_dimmed=True)
    for codes in ([0, 1 | DIMMED], [1 | DIMMED, 0]):
        canvas, count = draw([[15.5, 15.5], [15.5, 15.5]], codes, style)
        assert count == 2
        assert tuple(words(canvas)[15, 15]) == (0, 0, 255, 255)
    canvas, _ = draw([[15.5, 15.5]], [DIMMED], style, colors=DARK)
    faint = words(canvas)[15, 15, :3][::-1].astype(float)
    background = np.array(rgb(DARK.background), float)
    assert faint == pytest.approx(np.array([255, 0, 0]) * (1 - DARK.dim) + background * DARK.dim, abs=1.5)


@pytest.mark.parametrize("shape", range(len(raster.SHAPES)))
def test_all_shapes_have_about_the_same_area_and_stay_within_their_extent(shape):
    table = raster.stamp_table((4.0,))
    extent, solid = table.extent, (table.stamp(shape) & 0xFFFF) + (table.stamp(shape) >> 16)
    middle = solid.shape[-1] // 2
    for j in range(4):
        for i in range(4):
            v, u = np.nonzero(solid[j, i])
            assert extent[shape, 0, i, 0] <= u.min() - middle
            assert extent[shape, 0, i, 1] >= u.max() - middle
            assert extent[shape, 1, j, 0] <= v.min() - middle
            assert extent[shape, 1, j, 1] >= v.max() - middle
    assert solid.max() == 256
    assert solid.sum(axis=(-1, -2)) / 256 == pytest.approx(np.full((4, 4), np.pi * 16), rel=0.15)
    # the hollow variant has the same outline and no fill
    hollow = table.stamp(shape + raster_numpy.SLOTS)
    assert not (hollow & 0xFFFF).any()
    np.testing.assert_array_equal(hollow[..., [0, -1], :] >> 16, solid[..., [0, -1], :])


@pytest.mark.parametrize("mode", ["index", "sample", "density", "count"])
def test_dense_pixels_hold_their_points(backend, mode):
    canvas, count = draw([[3.2, 4.9], [20.0, 0.0], [39.99, 29.99]], [0, 1, 2], raster.Style(mode, 1.0))
    alpha = words(canvas)[..., 3]
    assert count == 3
    for u, v in ((3, 4), (20, 0), (39, 29)):
        assert alpha[v, u] == 255
    # each with its four neighbours, and nothing else
    assert np.count_nonzero(alpha) == 5 + 4 + 3


def test_the_mean_of_a_pixel_and_its_topmost_layer(backend):
    lut = np.repeat(np.arange(101, dtype=np.uint8)[:, None], 3, axis=1)
    style = raster.Style("index", 1.0, has_dimmed=True, has_missing=True)
    xy = [[5.5, 5.5]] * 4 + [[15.5, 5.5]] * 2 + [[25.5, 5.5]]
    codes = [10, 40, 99 | DIMMED, MISSING, 20 | DIMMED, MISSING, 80 | DIMMED]
    canvas, count = draw(xy, codes, style, lut=lut)
    picture = words(canvas)
    assert count == 7
    assert picture[5, 5, 0] == 25
    assert tuple(picture[5, 15, :3][::-1]) == rgb(LIGHT.missing)
    assert picture[5, 25, 0] == round(80 * (1 - LIGHT.dim) + 255 * LIGHT.dim)


def test_density_grows_with_the_logarithm_of_the_count(backend):
    lut = np.repeat(np.arange(101, dtype=np.uint8)[:, None], 3, axis=1)
    xy = [[5.5, 5.5]] + [[15.5, 5.5]] * 10 + [[25.5, 5.5]] * 100
    canvas, _ = draw(xy, np.zeros(111), raster.Style("density", 1.0), lut=lut)
    expected = [round(100 * np.log(1 + n) / np.log(101)) for n in (1, 10, 100)]
    assert [int(words(canvas)[5, u, 0]) for u in (5, 15, 25)] == pytest.approx(expected, abs=1)


def test_a_sampled_category_is_one_of_the_pixels_and_fair(backend):
    rng = np.random.default_rng(1)
    codes = rng.choice([0, 1], p=[0.25, 0.75], size=200_000)
    xy = rng.random((200_000, 2)) * [40, 30]
    canvas, _ = draw(xy, codes, raster.Style("sample", 1.0))
    red, green = words(canvas)[..., 2] == 255, words(canvas)[..., 1] == 255
    assert (red ^ green).all()
    assert red.mean() == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("mode", ["points", "index", "sample", "density", "count", "contours", "over"])
def test_both_implementations_give_the_same_pixels(monkeypatch, mode):
    rng = np.random.default_rng(2)
    # points on a lattice do not overlap
    x, y = np.meshgrid(np.arange(6, 200, 12.0), np.arange(6, 150, 12.0))
    xy = np.stack([x.ravel(), y.ravel()], axis=1) + rng.random((x.size, 2))
    codes = rng.integers(0, 4, len(xy)).astype(np.uint32) | (rng.integers(0, 6, len(xy)) << STAMP_SHIFT)
    codes = codes | rng.choice([0, MISSING, DIMMED, MISSING | DIMMED], len(xy)).astype(np.uint32)
    pictures = []
    for compiled in (raster_loops, None):
        monkeypatch.setattr(raster_backend, "_compiled", compiled)
        canvas, count = draw(xy, codes, raster.Style(mode, 3.0, True, True), size=(190, 140))
        pictures.append((count, canvas.image.copy()))
    assert pictures[0][0] == pictures[1][0] > 100
    np.testing.assert_array_equal(pictures[0][1], pictures[1][1])


@pytest.mark.parametrize("mode", ["points", "index", "sample", "density", "count", "contours", "over"])
def test_points_without_a_place_are_not_drawn(backend, mode):
    xy = [[np.nan, 5.0], [5.0, np.inf], [np.nan, np.nan], [5.5, 5.5], [1e300, 5.0], [-7.0, 5.0]]
    _, count = draw(xy, np.zeros(6), raster.Style(mode, 2.0))
    assert count == 1


def test_a_canvas_is_clean_for_every_frame(backend):
    points, palette = raster.Points(np.array([[5.5, 5.5]])), raster.Palette.of(LUT, LIGHT)
    canvas, codes = raster.Canvas(20, 20), np.zeros(1, np.uint32)
    for mode in ("points", "index", "sample", "density"):
        for transform, expected in ((IDENTITY, 1), (IDENTITY + np.array([0.0, 100.0, 0.0, 0.0]), 0)):
            count = canvas.draw(points, codes, transform, palette, raster.Style(mode, 2.0))
            assert count == expected
            assert bool(canvas.image.any()) == bool(expected)
    assert raster.Canvas(0, 5).draw(points, codes, IDENTITY, palette, raster.Style("index", 1)) == 0


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 50_000])
def test_a_sorted_grid_holds_every_finite_point_once(n):
    xy = cloud(n)
    xy[::7, 0] = np.nan
    points = raster.Points(xy)
    points.sort()
    if n == 0:
        assert points.order is None
        return
    finite = np.flatnonzero(np.isfinite(xy).all(axis=1))
    np.testing.assert_array_equal(np.sort(points.order), finite)
    np.testing.assert_array_equal(np.stack([points.x, points.y], axis=1), xy[points.order])


def test_spans_contain_all_that_is_in_view_and_little_else():
    xy = cloud(50_000)
    points = raster.Points(xy)
    points.sort()
    for box in ((-1.0, 1.0, -1.0, 1.0), (-99, 99, -99, 99), (3, 3.1, -9, 9), (90, 99, 0, 1), (-99, -12, -99, -9)):
        spans = points.spans(*box)
        found = np.concatenate([points.order[a:b] for a, b in spans]) if len(spans) else np.zeros(0, int)
        inside = (xy[:, 0] >= box[0]) & (xy[:, 0] <= box[1]) & (xy[:, 1] >= box[2]) & (xy[:, 1] <= box[3])
        assert set(np.flatnonzero(inside)) <= set(found)
        assert len(found) == len(set(found))
    small = points.spans(-1.0, 1.0, -1.0, 1.0)
    assert (small[:, 1] - small[:, 0]).sum() < 10_000


def test_sorting_in_steps_keeps_the_points_usable():
    xy = cloud(10_000)
    points = raster.Points(xy)
    steps = 0
    for _ in points.sort_steps(chunk=1000):
        assert points.nearest(*xy[77], 1.0, 1.0) == 77
        steps += 1
    assert steps > 20
    assert points.order is not None
    values = np.arange(10_000)
    np.testing.assert_array_equal(points.arrange(values), points.order)


@pytest.mark.parametrize("is_sorted", [False, True])
def test_the_nearest_point_is_that_of_a_search_through_all(backend, is_sorted):
    xy = cloud(5000)
    xy[13] = np.nan
    points = raster.Points(xy)
    if is_sorted:
        sort(points, backend)
    rng = np.random.default_rng(3)
    for x, y in rng.normal(size=(200, 2)) * 6:
        for rx, ry in ((0.3, 0.3), (2.0, 0.1)):
            d = np.hypot((xy[:, 0] - x) / rx, (xy[:, 1] - y) / ry)
            expected = int(np.nanargmin(d)) if np.nanmin(d) < 1 else -1
            assert points.nearest(x, y, rx, ry) == expected
    assert points.nearest(0, 0, 0.0, 1.0) == -1
    assert raster.Points(np.zeros((0, 2))).nearest(0, 0, 1.0, 1.0) == -1


@pytest.mark.parametrize("is_sorted", [False, True])
def test_points_inside_a_polygon_are_those_that_qt_finds(backend, is_sorted):
    from PySide6.QtCore import QPointF, Qt
    from PySide6.QtGui import QPolygonF

    xy = cloud(3000)
    xy[5] = np.nan
    points = raster.Points(xy)
    if is_sorted:
        sort(points, backend)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    star = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (5 + 3 * np.cos(7 * angle))[:, None]
    # crossing itself: even-odd
    eight = np.array([[-6.0, -5.0], [6.0, 5.0], [6.0, -5.0], [-6.0, 5.0]])
    for polygon in (star, eight, eight[:3]):
        outline = QPolygonF([QPointF(*p) for p in polygon])
        rule = Qt.FillRule.OddEvenFill
        expected = [bool(np.isfinite(p).all()) and outline.containsPoint(QPointF(*p), rule) for p in xy]
        mask = points.inside(polygon)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, expected)
        assert 0 < mask.sum() < 3000


def test_degenerate_outlines_enclose_nothing(backend):
    points = raster.Points(cloud(100))
    for polygon in (np.zeros((0, 2)), np.zeros((1, 2)), np.zeros((5, 2)), np.array([[0.0, 0], [9, 0], [3, 0]])):
        assert not points.inside(polygon).any()


def test_read_only_coordinates_are_taken(backend):
    xy = cloud(100)
    xy.flags.writeable = False
    _, count = draw(xy, np.zeros(100), raster.Style("index", 1.0), transform=np.array([1.0, 20, 1, 15]))
    assert count > 90
    column = np.zeros((100, 2), order="F")
    column.flags.writeable = False
    assert raster.Points(column).nearest(0, 0, 1, 1) == 0


def test_radius_shrinks_with_the_number_and_grows_with_zoom():
    radii = [raster.auto_radius(n, 900, 600, 1.0) for n in (10, 4000, 20_000, 134_000, 10**7)]
    assert radii == sorted(radii, reverse=True)
    assert radii[0] == raster.LARGEST_RADIUS
    assert radii[-1] == raster.LEAST_RADIUS
    assert raster.auto_radius(20_000, 900, 600, 4.0) > raster.auto_radius(20_000, 900, 600, 1.0)


@pytest.mark.parametrize("lut", [np.zeros((0, 3)), np.zeros((3, 4)), np.zeros(3)])
def test_a_wrong_colour_table_is_refused(lut):
    with pytest.raises(ValueError, match="colour table"):
        raster.Palette.of(lut, LIGHT)


def test_constants_of_both_implementations_agree():
    for name in ("MISSING", "DIMMED", "INDEX", "STAMP_SHIFT", "SHAPE_BITS", "HOLLOW", "SLOTS", "PHASES"):
        assert int(getattr(raster_loops, name)) == getattr(raster_numpy, name)
    for name in ("MISSING", "DIMMED", "INDEX"):
        assert int(getattr(raster_bin_loops, name)) == getattr(raster_numpy, name)
