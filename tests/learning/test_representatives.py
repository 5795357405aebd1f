"""Medoids, farthest points and CUR: against their definitions, and on degenerate features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmlstudio.learning import representatives as module
from qmlstudio.learning.representatives import METHODS, representatives
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture
def features() -> Any:
    return np.random.default_rng(0).normal(size=(300, 20)) * 0.8 ** np.arange(20) + 5.0


def everything(features: Any) -> Any:
    return np.ones(len(features), dtype=bool)


def test_medoids_have_the_least_distance_to_all(features: Any) -> None:
    from scipy.spatial.distance import cdist

    mask = np.arange(300) % 3 == 0
    inside = np.flatnonzero(mask)
    sums = cdist(features[inside], features[inside]).sum(axis=1)
    assert representatives(features, mask, "medoid", 4).tolist() == inside[np.argsort(sums)[:4]].tolist()


def test_farthest_points_start_at_the_medoid_and_are_far(features: Any) -> None:
    from scipy.spatial.distance import cdist

    found = representatives(features, everything(features), "fps", 6)
    assert found[0] == representatives(features, everything(features), "medoid", 1)[0]
    for k in range(1, 6):
        nearest = cdist(features, features[found[:k]]).min(axis=1)
        assert nearest[found[k]] == pytest.approx(nearest.max())


def test_cur_spans_better_than_chance(features: Any) -> None:
    centred = features - features.mean(axis=0)

    def unexplained(rows: Any) -> float:
        base = np.linalg.qr(centred[rows].T)[0]
        return float(np.linalg.norm(centred - centred @ base @ base.T))

    found = representatives(features, everything(features), "cur", 5)
    assert len(set(found.tolist())) == 5
    rng = np.random.default_rng(1)
    chance = [unexplained(rng.choice(300, 5, replace=False)) for _ in range(20)]
    assert unexplained(found) < np.median(chance)


@pytest.mark.parametrize("method", METHODS)
def test_degenerate(method: str) -> None:
    for shape in ((0, 3), (1, 3), (2, 1), (6, 1), (3, 0)):
        rows = np.arange(float(np.prod(shape))).reshape(shape)
        found = representatives(rows, everything(rows), method, 4)
        assert len(found) <= min(4, len(rows))
        assert len(found) >= min(1, len(rows))
    same = np.ones((5, 3))
    assert len(representatives(same, everything(same), method, 4)) == (4 if method == "medoid" else 1)
    rows = np.array([[np.nan, 1.0], [1.0, 2.0], [3.0, 4.0], [np.inf, 0.0]])
    assert sorted(representatives(rows, everything(rows), method, 4).tolist()) == [1, 2]
    assert len(representatives(rows, np.zeros(4, dtype=bool), method, 4)) == 0
    line = np.linspace(0.0, 1.0, 50)[:, None] * [1.0, 2.0, 3.0]
    found = representatives(line, everything(line), method, 4)
    assert len(set(found.tolist())) == 4


@pytest.mark.parametrize("method", METHODS)
def test_sampled_sets(features: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_LIMIT", 150)
    monkeypatch.setattr(module, "CUR_LIMIT", 100)
    monkeypatch.setattr(module, "EXACT_LIMIT", 80)
    monkeypatch.setattr(module, "_SAMPLE", 60)
    mask = np.arange(300) < 280
    found = representatives(features, mask, method, 5)
    assert len(set(found.tolist())) == 5
    assert mask[found].all()
    assert np.array_equal(found, representatives(features, mask, method, 5))
    # central ones are found in a sample, too
    if method == "medoid":
        distances = np.linalg.norm(features - features.mean(axis=0), axis=1)
        assert (distances[found] < np.median(distances)).all()


def test_refusals(features: Any) -> None:
    with pytest.raises(ValueError, match="'mean' is none of medoid, fps, cur"):
        representatives(features, everything(features), "mean")
    with pytest.raises(ValueError, match="300 rows of features for a mask of 3"):
        representatives(features, np.ones(3, dtype=bool))
    with pytest.raises(Cancelled):
        representatives(features, everything(features), progress=Progress(is_cancelled=lambda: True))
