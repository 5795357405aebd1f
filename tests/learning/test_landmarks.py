"""Landmarks against scikit-matter's own farthest-point sampling."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.learning.landmarks import COLUMNS, Landmarks, farthest, reduced
from qmlstudio.progress import Cancelled, Progress


def rows(n: int = 400, d: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * 0.8 ** np.arange(d)


@pytest.mark.parametrize("count", [1, 2, 57, 400])
def test_slices_equal_one_run_of_the_library(count: int) -> None:
    from skmatter.sample_selection import FPS

    x = rows()
    found = farthest(x, count, 7)
    expected = FPS(initialize=7, n_to_select=count).fit(x - x.mean(axis=0)).selected_idx_
    assert found.tolist() == expected.tolist()


def test_each_is_the_farthest_from_all_before() -> None:
    x = rows(150)
    found = Landmarks(count=20).select(x)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    for i in range(1, 20):
        gaps = distances[:, found[:i]].min(axis=1)
        assert gaps[found[i]] == pytest.approx(gaps.max(), rel=1e-9)


def test_select_depends_on_the_seed_only() -> None:
    x = rows().astype(np.float32)
    one = Landmarks(count=30, seed=3)
    assert one.select(x).tolist() == one.select(x, threads=1).tolist()
    assert one.select(x)[0] != Landmarks(count=30, seed=4).select(x)[0]
    assert len(set(one.select(x).tolist())) == 30


def test_random_covers_what_is_there() -> None:
    found = Landmarks(count=100, method="random").select(rows())
    assert len(set(found.tolist())) == 100
    assert found.min() >= 0
    assert found.max() < 400


def test_equal_rows_are_chosen_once() -> None:
    x = np.repeat(rows(5), 8, axis=0) * 1e3 + 7.0
    found = Landmarks(count=30).select(x)
    assert sorted(found // 8) == [0, 1, 2, 3, 4]
    assert len(Landmarks(count=30).select(np.ones((20, 3)))) == 1


def test_rows_that_are_not_finite_are_none() -> None:
    x = rows(60)
    x[::3, 2] = np.nan
    x[1, 0] = np.inf
    found = Landmarks(count=60).select(x)
    assert len(found) == 39
    assert np.isfinite(x[found]).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows(n: int) -> None:
    assert len(Landmarks(count=10).select(rows(n))) == n


def test_one_column_and_many() -> None:
    assert reduced(rows(50, 1)).shape == (50, 2)
    assert reduced(rows(200, 120)).shape == (200, COLUMNS)
    assert farthest(reduced(np.arange(9.0)[:, None]), 3, 0).tolist() == [0, 8, 4]
    assert len(set(Landmarks(count=3).select(np.arange(9.0)[:, None]).tolist())) == 3


def test_candidates() -> None:
    landmarks = Landmarks(count=50, candidates=80)
    drawn = landmarks.draw(1000)
    assert len(drawn) == 80
    assert (np.diff(drawn) > 0).all()
    assert drawn.tolist() == landmarks.draw(1000).tolist()
    assert len(landmarks.draw(1000, 60)) == 60
    assert landmarks.draw(70).tolist() == list(range(70))
    assert len(Landmarks(count=50, candidates=20).draw(1000)) == 50
    assert len(Landmarks(count=50, method="random").draw(1000)) == 50


def test_round_trip_and_cancel() -> None:
    landmarks = Landmarks(count=500, method="random", seed=2)
    assert Landmarks.from_dict(landmarks.to_dict()) == landmarks
    with pytest.raises(Cancelled):
        Landmarks(count=30).select(rows(), Progress(is_cancelled=lambda: True))
    asked = []

    def later() -> bool:
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Cancelled):
        farthest(rows(), 400, 0, Progress(is_cancelled=later))
    assert len(asked) == 4
