import numpy as np

from qmlstudio.widgets.map_labels import place


def overlaps(boxes):
    a, b = boxes[:, None], boxes[None]
    hit = (a[..., 0] < b[..., 2]) & (a[..., 2] > b[..., 0]) & (a[..., 1] < b[..., 3]) & (a[..., 3] > b[..., 1])
    return hit & ~np.eye(len(boxes), dtype=bool)


def test_no_name_covers_another_or_leaves_the_map():
    rng = np.random.default_rng(0)
    anchors = rng.normal(size=(200, 2)) * 60 + [320, 280]
    sizes = np.stack([rng.uniform(20, 90, 200), np.full(200, 15.0)], axis=1)
    corner = place(anchors, sizes, (640, 560))
    shown = np.isfinite(corner[:, 0])
    boxes = np.hstack([corner, corner + sizes])[shown]
    assert 30 < shown.sum() < 200
    assert not overlaps(boxes).any()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [640, 560]).all()
    # the first come first
    assert shown[:10].all()


def test_a_lone_name_stands_beside_its_point_or_on_it():
    (beside,) = place([[100, 100]], [[40, 14]], (300, 300))
    assert 100 < beside[0] < 110
    assert beside[1] == 93
    (on,) = place([[100, 100]], [[40, 14]], (300, 300), [True])
    assert tuple(on) == (80, 93)
    # at the right edge there is room on the left only
    (left,) = place([[295, 100]], [[40, 14]], (300, 300))
    assert left[0] + 40 < 295


def test_what_is_outside_or_nowhere_has_no_name():
    corner = place([[np.nan, 5], [-5, 5], [500, 5], [50, 50]], np.full((4, 2), 10.0), (100, 100))
    assert np.isfinite(corner[:, 0]).tolist() == [False, False, False, True]
    assert place(np.zeros((0, 2)), np.zeros((0, 2)), (100, 100)).shape == (0, 2)
    # an area smaller than a name shows none
    assert np.isnan(place([[5, 5]], [[40, 14]], (10, 10))).all()
