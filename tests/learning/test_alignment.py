"""Aligning maps."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.learning.alignment import procrustes


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("scale", [False, True])
def test_undoes_a_motion(mirrored: bool, scale: bool) -> None:
    rng = np.random.default_rng(0)
    old = rng.standard_normal((80, 2))
    turn = np.array([[np.cos(2.0), -np.sin(2.0)], [np.sin(2.0), np.cos(2.0)]])
    new = (3.0 if scale else 1.0) * old @ turn + np.array([5.0, -7.0])
    if mirrored:
        new = new * np.array([1.0, -1.0])
    assert np.abs(procrustes(new, old, scale=scale) - old).max() < 1e-12


def test_keeps_the_size_unless_asked() -> None:
    rng = np.random.default_rng(1)
    new = 4.0 * rng.standard_normal((50, 2))
    aligned = procrustes(new, rng.standard_normal((50, 2)))
    before = np.linalg.norm(new[:, None] - new[None], axis=2)
    after = np.linalg.norm(aligned[:, None] - aligned[None], axis=2)
    assert np.abs(before - after).max() < 1e-12


def test_different_numbers_of_points() -> None:
    rng = np.random.default_rng(2)
    old = rng.standard_normal((40, 2))
    order = rng.permutation(40)[:25]
    new = np.vstack([-old[order], rng.standard_normal((5, 2))])
    aligned = procrustes(new, old, index=(np.arange(25), order))
    assert aligned.shape == (30, 2)
    assert np.abs(aligned[:25] - old[order]).max() < 1e-12
    assert procrustes(-old[:10], old)[:10] == pytest.approx(old[:10])
    with pytest.raises(ValueError, match="pairs 2 points with 3"):
        procrustes(new, old, index=(np.arange(2), np.arange(3)))


def test_nothing_to_align() -> None:
    points = np.array([[1.0, 2.0]])
    assert np.array_equal(procrustes(points, points + 1.0), points)
    assert procrustes(np.zeros((0, 2)), points).shape == (0, 2)
    same = procrustes(np.ones((5, 2)), np.arange(10.0).reshape(5, 2), scale=True)
    assert np.isfinite(same).all()


def test_missing_points_are_left_out() -> None:
    old = np.random.default_rng(3).standard_normal((20, 2))
    new = old + 2.0
    gaps = old.copy()
    gaps[4] = np.nan
    assert np.abs(procrustes(new, gaps) - old).max() < 1e-12


def test_three_dimensions() -> None:
    rng = np.random.default_rng(1)
    old = rng.standard_normal((50, 3))
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    assert np.abs(procrustes(old @ turn + 2.0, old) - old).max() < 1e-12
    assert (procrustes(old, old[:, :2]) == old).all()
    assert (procrustes(old[:, :2], old) == old[:, :2]).all()
