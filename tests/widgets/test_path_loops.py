import numpy as np
import pytest

from qmlstudio.widgets import overlay_backend

WHITE = 0x00FF00FF00FF00FF


@pytest.fixture(scope="module")
def loops():
    overlay_backend.warm_up()
    return overlay_backend.path_loops()


def draw(loops, xy, order=None, joined=None, every=1, slices=1, size=(60, 80), arrows=10, colors=None, table=(WHITE,)):
    m = len(xy) if order is None else len(order)
    order = np.arange(m) if order is None else np.asarray(order)
    joined = np.ones(m, bool) if joined is None else np.asarray(joined)
    colors = np.zeros(m, np.uint16) if colors is None else np.asarray(colors, np.uint16)
    image, state, found = np.zeros(size, np.uint32), np.zeros(5), np.zeros((arrows, 4))
    count = 0
    for a, b in zip(*(np.linspace(0, m, slices + 1).astype(int)[s] for s in (slice(None, -1), slice(1, None)))):
        part = np.array([a, b, every, count])
        look, place = np.array([0.8, 15.0, 0.5]), np.array([1.0, 0.0, 1.0, 0.0])
        args = (colors, np.array(table, np.uint64), place, look, state, found, part)
        loops.draw_path(image, np.asarray(xy, float), order, joined, *args)
        count = int(part[3])
    return (image & 0xFF).astype(float) / 255.0, state, found[:count]


@pytest.mark.parametrize("end", [(70, 20), (20, 50), (70, 50), (11, 50), (70, 11)])
def test_a_line_covers_its_area_and_lies_where_it_should(loops, end):
    a, b = np.array([10.0, 10.0]), np.array(end, float)
    image, _, _ = draw(loops, [a, b])
    length = np.linalg.norm(b - a)
    # 1.6 pixels wide, half of that longer at both ends, and the rim of half a pixel on either side
    assert image.sum() == pytest.approx((length + 1.6) * 1.6, rel=0.06)
    v, u = np.indices(image.shape) + 0.5
    offset = (u - a[0]) * (b - a)[1] / length - (v - a[1]) * (b - a)[0] / length
    assert (image * offset).sum() / image.sum() == pytest.approx(0.0, abs=0.03)
    assert abs(offset[image > 0.02]).max() < 1.8


def test_both_directions_give_the_same_pixels(loops):
    xy = [[10.3, 7.2], [66.1, 41.9]]
    assert np.array_equal(draw(loops, xy)[0], draw(loops, xy[::-1])[0])


def test_lines_are_clipped_to_the_picture(loops):
    image, _, _ = draw(loops, [[-1e6, 30.0], [1e6, 30.0]])
    assert image[29:31].sum() == pytest.approx(1.6 * 80, rel=0.05)
    assert draw(loops, [[-50.0, -10.0], [200.0, -10.0]])[0].sum() == 0
    assert draw(loops, [[-50.0, -1e9], [-20.0, 1e9]])[0].sum() == 0
    diagonal, _, _ = draw(loops, [[-1000.0, -1000.0], [1000.0, 1000.0]])
    assert diagonal.sum() == pytest.approx(1.6 * 60 * np.sqrt(2), rel=0.05)


def test_breaks_and_missing_places_lift_the_pen(loops):
    xy = [[5.0, 5.0], [5.0, 50.0], [40.0, 50.0], [40.0, 5.0], [70.0, 5.0], [70.0, 50.0]]
    whole, _, _ = draw(loops, xy)
    broken, _, _ = draw(loops, xy, joined=[False, True, False, True, True, True])
    assert whole[49:51, 22].max() > 0.5
    assert broken[49:51, 22].max() == 0
    xy[3] = [np.nan, 5.0]
    missing, _, _ = draw(loops, xy)
    assert missing[5:45, 40].max() == 0
    assert missing[4:6, 55].max() == 0
    assert missing[30, 70] > 0.5


def test_slices_give_the_whole(loops):
    xy = np.cumsum(np.random.default_rng(0).normal(size=(2000, 2)), axis=0)
    xy = (xy - xy.min(axis=0)) / np.ptp(xy, axis=0) * [80, 60]
    whole, state, arrows = draw(loops, xy, arrows=200)
    parts, state_of_parts, arrows_of_parts = draw(loops, xy, slices=7, arrows=200)
    assert np.array_equal(whole, parts)
    assert np.array_equal(state, state_of_parts)
    assert np.array_equal(arrows, arrows_of_parts)


def test_what_does_not_move_by_half_a_pixel_is_passed_over(loops):
    still = np.full((100, 2), 20.0) + np.random.default_rng(0).uniform(-0.2, 0.2, (100, 2))
    image, state, _ = draw(loops, np.vstack([still, [[60.0, 20.0]]]))
    assert state[4] == 99
    assert image[19:21, 40].sum() > 1
    # slow drift is not: it adds up
    drift = np.stack([np.linspace(10, 60, 1001), np.full(1001, 30.0)], axis=1)
    image, state, _ = draw(loops, drift)
    # where pieces of half a pixel overlap the rim is a little darker
    width = image[29:31, 15:55].sum(axis=0)
    assert ((width > 1.5) & (width < 2.0)).all()
    assert state[4] > 800


def test_arrows_point_along_the_line(loops):
    _, _, arrows = draw(loops, [[x, 30.0] for x in range(5, 76, 5)])
    assert 3 <= len(arrows) <= 6
    assert arrows[:, 1:] == pytest.approx(np.tile([30.0, 1.0, 0.0], (len(arrows), 1)))
    assert np.diff(arrows[:, 0]) == pytest.approx(np.full(len(arrows) - 1, 15.0))
    assert len(draw(loops, [[x, 30.0] for x in range(5, 76, 5)], arrows=2)[2]) == 2


def test_order_colours_and_stretches(loops):
    xy = [[5.0, 5.0], [70.0, 50.0], [70.0, 5.0], [5.0, 50.0]]
    image, _, _ = draw(loops, xy, order=[0, 2, 1])
    assert image[4:6, 40].max() > 0.5
    assert image[40, 70] > 0.5
    image, _, _ = draw(loops, xy, order=[0, 2, 1], colors=[0, 1, 0], table=(WHITE, 0))
    assert image[4:6, 40].max() == 0
    assert image[40, 70] > 0.5
    many = np.stack([np.linspace(0, 80, 640), np.full(640, 30.0)], axis=1)
    all_of_it, _, _ = draw(loops, many)
    half, _, _ = draw(loops, many, every=2)
    assert half.sum() == pytest.approx(all_of_it.sum() / 2, rel=0.1)
