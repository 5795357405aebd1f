import numpy as np
import pytest

from qmlstudio.widgets import raster, raster_backend, raster_bin_loops, raster_field, raster_loops
from qmlstudio.widgets.color_bar import color_indices, linear_width
from qmlstudio.widgets.raster_numpy import DIMMED, MISSING
from qmlstudio.widgets.theme import LIGHT, rgb

GREY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
SQUARES, HEXAGONS = raster.Bins(8.0), raster.Bins(9.0, True)
STATISTICS = {"mean": np.mean, "min": np.min, "max": np.max, "std": np.std}


@pytest.fixture(params=["compiled", "numpy"])
def backend(request, monkeypatch):
    """Both implementations of the loops."""
    monkeypatch.setattr(raster_backend, "_compiled", raster_loops if request.param == "compiled" else None)
    monkeypatch.setattr(raster_backend, "_compiled_bins", raster_bin_loops)
    return request.param


def cloud(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) * [3.0, 2.0] + rng.integers(-2, 3, size=(n, 2)) * 4.0


def home(width, height, scale=15.0):
    return np.array([scale, width / 2 + 0.3, -scale, height / 2 - 0.4])


def picture(points, codes, transform, style, values=None, size=(300, 200), canvas=None):
    canvas = canvas or raster.Canvas(*size)
    count = canvas.draw(points, codes, transform, raster.Palette.of(GREY, LIGHT), style, values)
    return canvas, count


def in_view(xy, transform, size=(300, 200)):
    with np.errstate(invalid="ignore"):
        u, v = transform[0] * xy[:, 0] + transform[1], transform[2] * xy[:, 1] + transform[3]
        return (u >= 0) & (u < size[0]) & (v >= 0) & (v < size[1])


def grey(canvas):
    return (canvas.image & 0xFF).astype(int)


@pytest.mark.parametrize("mode", STATISTICS)
@pytest.mark.parametrize("size", [1.0, 7.0])
def test_statistics_are_those_of_the_points_in_each_bin(backend, mode, size):
    rng = np.random.default_rng(1)
    xy = rng.random((4000, 2)) * [30, 20]
    v = rng.normal(size=4000) + 1e6
    low, high = 1e6 - 2, 1e6 + 2
    values = raster.Values(v, low, high, shift=1e6)
    canvas, count = picture(
        raster.Points(xy),
        np.zeros(4000, np.uint32),
        np.array([1.0, 0, 1, 0]),
        raster.Style(mode, 1, bins=raster.Bins(size)),
        values,
        size=(30, 20),
    )
    assert count == 4000
    bins = np.floor(xy / size).astype(int)
    first, last = canvas.shown
    checked = 0
    for i, j in {(int(a), int(b)) for a, b in bins}:
        own = v[(bins == (i, j)).all(axis=1)]
        if mode == "std" and len(own) < 2:
            continue
        expected = np.clip((STATISTICS[mode](own) - first) / (last - first) * 256, 0, 255)
        row, column = int(min((j + 0.5) * size, 19)), int(min((i + 0.5) * size, 29))
        assert grey(canvas)[row, column] == pytest.approx(np.floor(expected), abs=0.51)
        checked += 1
    assert checked > 10


def test_the_deviation_has_a_scale_of_its_own_and_one_point_has_none(backend):
    xy = np.array([[4.5, 4.5], [4.5, 4.5], [14.5, 4.5]])
    values = raster.Values(np.array([10.0, 14.0, 3.0]), 0.0, 100.0)
    style = raster.Style("std", 1)
    canvas, _ = picture(raster.Points(xy), np.zeros(3, np.uint32), np.array([1.0, 0, 1, 0]), style, values, (20, 10))
    assert canvas.shown == (0.0, 2.0)
    assert grey(canvas)[4, 4] == 255
    assert int(canvas.image[4, 14]) & 0xFFFFFF == int("{:02x}{:02x}{:02x}".format(*rgb(LIGHT.missing)), 16)


@pytest.mark.parametrize(("scale", "low", "high"), [("linear", -3, 7), ("log", 0.01, 100), ("symlog", -50, 50)])
def test_colours_are_those_of_the_colour_bar(backend, scale, low, high):
    v = np.array([low, high, 0.5, 0.0, -1.0, 3.0, 1e9, -1e9, np.nan, np.inf, 5e-3])
    xy = np.stack([np.arange(len(v)) * 4 + 2.5, np.full(len(v), 2.5)], axis=1)
    values = raster.Values(v, low, high, scale, 0.0, linear_width(low, high))
    style = raster.Style("mean", 1)
    codes = np.zeros(len(v), np.uint32)
    canvas, count = picture(raster.Points(xy), codes, np.array([1.0, 0, 1, 0]), style, values, (50, 6))
    expected, missing = color_indices(v, low, high, scale, 256)
    found = canvas.image[2, (xy[:, 0]).astype(int)]
    assert count == len(v)
    hollow = 0xFF000000 | int("{:02x}{:02x}{:02x}".format(*rgb(LIGHT.missing)), 16)
    for k, word in enumerate(found):
        if missing[k]:
            assert int(word) == hollow
        else:
            assert int(word & 0xFF) == pytest.approx(int(expected[k]), abs=1)


def test_layers_of_a_statistic(backend):
    """Undimmed values before missing ones before dimmed ones; opposite infinities are no number, and say so."""
    xy = np.repeat([[2.5, 2.5], [8.5, 2.5], [14.5, 2.5], [20.5, 2.5]], 2, axis=0)
    v = np.array([100.0, 200, 50, np.nan, 40, 60, np.inf, -np.inf])
    codes = np.array([DIMMED, 0, DIMMED, 0, DIMMED, DIMMED, 0, 0], np.uint32)
    style = raster.Style("mean", 1, has_dimmed=True)
    values = raster.Values(v, 0.0, 256.0)
    canvas, _ = picture(raster.Points(xy), codes, np.array([1.0, 0, 1, 0]), style, values, (25, 6))
    hollow = rgb(LIGHT.missing)[2]
    faint = round(50 * (1 - LIGHT.dim) + 255 * LIGHT.dim)
    assert [grey(canvas)[2, u] for u in (2, 8, 14, 20)] == [200, hollow, faint, hollow]


@pytest.mark.parametrize("mode", ["mean", "min", "max", "std", "count", "density", "contours", "over"])
@pytest.mark.parametrize("bins", [raster.Bins(), SQUARES, HEXAGONS])
def test_both_implementations_give_the_same_picture(monkeypatch, mode, bins):
    rng = np.random.default_rng(2)
    xy = cloud(20_000)
    xy[::50] = np.nan
    codes = rng.integers(0, 256, len(xy)).astype(np.uint32)
    codes |= rng.choice([0, MISSING, DIMMED], len(xy), p=[0.8, 0.1, 0.1]).astype(np.uint32)
    values = raster.Values(rng.normal(size=len(xy)), -2.0, 2.0)
    style = raster.Style(mode, 1.5, True, True, bins)
    found = []
    for compiled in (raster_loops, None):
        monkeypatch.setattr(raster_backend, "_compiled", compiled)
        monkeypatch.setattr(raster_backend, "_compiled_bins", raster_bin_loops)
        canvas, count = picture(raster.Points(xy), codes, home(300, 200), style, values)
        found.append((count, canvas.image.copy()))
    assert found[0][0] == found[1][0] == in_view(xy, home(300, 200)).sum()
    # sums in another order, a last digit at a colour's border; overlapping stamps of NumPy blend the last one only
    assert np.mean(found[0][1] != found[1][1]) < (0.06 if mode in ("contours", "over") else 0.002)


@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("mode", ["index", "sample", "density", "count", "min", "max", "mean", "std", "contours"])
@pytest.mark.parametrize("bins", [raster.Bins(), SQUARES, HEXAGONS])
def test_a_moved_map_is_that_of_a_full_pass(backend, mode, bins, is_sorted):
    rng = np.random.default_rng(3)
    xy = cloud(5000)
    points = raster.Points(xy)
    if is_sorted:
        points.sort()
        if backend == "numpy":
            # sorting loads the compiled loops
            raster_backend._compiled = None
    codes = points.arrange(rng.integers(0, 256, len(xy)).astype(np.uint32))
    # integers: their sums do not depend on the order
    values = raster.Values(points.arrange(rng.integers(0, 200, len(xy)).astype(float)), 0.0, 200.0)
    style = raster.Style(mode, 1.2, bins=bins)
    canvas = raster.Canvas(300, 200)
    transform = home(300, 200)
    steps = [(0, 0), (3, 0), (0, -5), (-17, 11), (40, 30), (-2, -90)]
    for du, dv in steps:
        transform = transform + np.array([0.0, du, 0.0, dv])
        before = canvas.gatherer.shifted
        _, count = picture(points, codes, transform, style, values, canvas=canvas)
        whole, full = picture(points, codes, transform, style, values)
        np.testing.assert_array_equal(canvas.image, whole.image)
        assert count == full == in_view(xy, transform).sum()
        assert canvas.gatherer.shifted == before + (du != 0 or dv != 0)


def test_large_bins_follow_any_move_and_a_zoom_begins_anew(backend):
    points, codes = raster.Points(cloud(2000)), np.zeros(2000, np.uint32)
    style = raster.Style("count", 1.0, bins=SQUARES)
    canvas = raster.Canvas(300, 200)
    transform = home(300, 200)
    for du in (0.0, 0.37, 12.9, -60.01):
        transform = transform + np.array([0.0, du, 0.0, du / 3])
        picture(points, codes, transform, style, canvas=canvas)
        whole, _ = picture(points, codes, transform, style)
        np.testing.assert_array_equal(canvas.image, whole.image)
    assert canvas.gatherer.shifted == 3
    picture(points, codes, transform * 1.01, style, canvas=canvas)
    assert canvas.gatherer.shifted == 3


def test_other_codes_begin_anew(backend):
    points = raster.Points(cloud(2000))
    canvas = raster.Canvas(300, 200)
    style = raster.Style("index", 1.0)
    for value in (10, 200):
        picture(points, np.full(2000, value, np.uint32), home(300, 200), style, canvas=canvas)
        assert grey(canvas).max() == value
    assert canvas.gatherer.shifted == 0


@pytest.mark.parametrize("n", [2000, 700_000])
@pytest.mark.parametrize("mode", ["points", "index", "sample", "density", "mean", "over"])
def test_two_threads_draw_what_one_draws(monkeypatch, mode, n):
    raster.warm_up()
    xy = cloud(n)
    points = raster.Points(xy).sorted()
    rng = np.random.default_rng(4)
    codes = points.arrange(rng.integers(0, 256, n).astype(np.uint32))
    values = raster.Values(points.arrange(rng.integers(0, 200, n).astype(float)), 0.0, 200.0)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(raster_backend, "_threads", threads)
        canvas, count = picture(points, codes, home(300, 200), raster.Style(mode, 1.5), values)
        found.append((count, canvas.image.copy()))
    assert found[0][0] == found[1][0] == in_view(xy, home(300, 200)).sum()
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_the_number_of_threads_is_one_or_two(monkeypatch):
    monkeypatch.setattr(raster_backend, "_threads", 2)
    raster.use_threads(1)
    assert raster_backend.threads() == 1
    with pytest.raises(ValueError, match="1 or 2"):
        raster.use_threads(3)


@pytest.mark.parametrize("n", [1, 50, 60_000])
def test_points_in_view_are_counted_exactly_wherever_the_map_is(n):
    raster.warm_up()
    xy = cloud(n)
    xy[::7, 1] = np.inf
    points = raster.Points(xy).sorted()
    rng = np.random.default_rng(5)
    for _ in range(60):
        scale = 10 ** rng.uniform(-1, 3)
        transform = np.array([scale, rng.uniform(-300, 600), -scale, rng.uniform(-200, 400)])
        assert points.count_in(300, 200, transform) == in_view(xy, transform).sum()


def test_hexagons_are_the_nearest_centres_and_tile(backend):
    style = raster.Style("count", 1.0, bins=HEXAGONS)
    xy = np.array([[15.2, 10.1]])
    transform = np.array([10.0, 0.0, 10.0, 0.0])
    canvas, _ = picture(raster.Points(xy), np.zeros(1, np.uint32), transform, style)
    v, u = np.nonzero(canvas.image)
    # a hexagon 9 pixels wide has √3/2 · 81 square pixels
    assert len(u) == pytest.approx(np.sqrt(3) / 2 * 81, rel=0.08)
    # a multiple of half a width from the origin, and its point is within it
    middle = (u.mean() + 0.5) / 4.5, (v.mean() + 0.5) / (9 * np.sqrt(3) / 4)
    assert middle == pytest.approx(np.rint(middle), abs=0.1)
    assert canvas.image[101, 152]


def test_density_is_smoothed_without_loss_and_contours_are_where_it_has_their_value(backend):
    counts = np.zeros((60, 80), np.uint32)
    counts[30, 40] = 1000
    density = raster_field.smooth(counts, 1.75, 6)
    assert density.sum() == pytest.approx(1000)
    assert density[30, 40] == pytest.approx(1000 / (2 * np.pi * 1.75**2), rel=0.03)
    # a Gaussian cloud: the radius at which the smoothed density is the least level
    n, width = 400_000, 40.0
    xy = np.random.default_rng(6).normal(size=(n, 2)) * width
    style = raster.Style("contours", 1.0, field=raster.Field(4.0, 1.75, 16.0))
    canvas, _ = picture(raster.Points(xy), np.zeros(n, np.uint32), np.array([1.0, 250, 1, 250]), style, size=(500, 500))
    assert canvas.shown == (16.0, 1024.0)
    total = np.hypot(width, 7.0)
    # radii of the levels of a Gaussian of that width
    radii = [total * np.sqrt(2 * np.log(n * 16 / (2 * np.pi * total**2) / 2.0**k)) for k in range(4, 10)]
    assert len(radii) == 6
    row = canvas.image[250]
    inside = 250 + (np.array(radii) - 3).astype(int)
    outside = 250 + (np.array(radii) + 3).astype(int)
    assert len(np.unique(row[inside])) == 6
    # between two contours there is one colour
    np.testing.assert_array_equal(row[outside[1:]], row[inside[:-1]])
    assert (row[inside] & 0xFF).tolist() == sorted((row[inside] & 0xFF).tolist())


def test_points_over_density_are_drawn_where_they_are_alone(backend):
    rng = np.random.default_rng(7)
    dense = rng.normal(size=(20_000, 2)) * 8
    alone = np.array([[100.5, 0.5], [-120.5, 40.5], [60.5, -70.5]])
    xy = np.concatenate([dense, alone])
    codes = np.full(len(xy), 3, np.uint32)
    codes[-3:] = 200
    transform = np.array([1.0, 150, 1, 100])
    canvas, count = picture(raster.Points(xy), codes, transform, raster.Style("over", 3.0))
    assert count == len(xy)
    for x, y in alone:
        assert canvas.image[int(y + 100), int(x + 150)] & 0xFF == 200
    assert canvas.image[100, 150]


@pytest.mark.parametrize("xy", [np.zeros((0, 2)), np.zeros((1, 2)), np.full((3, 2), np.nan), np.zeros((500, 2))])
@pytest.mark.parametrize("mode", raster.MODES)
def test_few_and_degenerate_points_are_drawn_in_every_mode(backend, mode, xy):
    n = len(xy)
    values = raster.Values(np.full(n, 5.0), 5.0, 5.0)
    for bins in (raster.Bins(), SQUARES, HEXAGONS):
        style = raster.Style(mode, 2.0, True, True, bins)
        canvas, count = picture(raster.Points(xy), np.zeros(n, np.uint32), home(300, 200), style, values)
        finite = int(np.isfinite(xy).all(axis=1).sum())
        assert count == finite
        assert canvas.image.any() == (finite > 0)


@pytest.mark.parametrize("mode", ["count", "density"])
def test_colours_of_counts_of_any_size_and_of_a_selection(backend, mode):
    """The largest undimmed count has the last colour, whatever lies dimmed beside it."""
    xy = np.repeat([[2.5, 2.5], [12.5, 2.5], [22.5, 2.5]], [5000, 1250, 9000], axis=0)
    codes = np.zeros(len(xy), np.uint32)
    codes[6250:] = DIMMED
    canvas, _ = picture(
        raster.Points(xy), codes, np.array([1.0, 0, 1, 0]), raster.Style(mode, 1, has_dimmed=True), size=(25, 6)
    )
    quarter = 255 / 4 if mode == "count" else 255 * np.log(1251) / np.log(5001)
    assert grey(canvas)[2, 2] == 255
    assert grey(canvas)[2, 12] == pytest.approx(quarter, abs=1)
    assert canvas.shown == (float(mode == "density"), 5000.0)


def test_a_statistic_needs_values():
    with pytest.raises(ValueError, match="values"):
        picture(raster.Points(np.zeros((1, 2))), np.zeros(1, np.uint32), home(9, 9), raster.Style("std", 1.0))
