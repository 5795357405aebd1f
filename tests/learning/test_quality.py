"""Trustworthiness against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.learning.quality import continuity, sample_rows, trustworthiness
from qmlstudio.progress import Cancelled, Progress


@pytest.mark.parametrize("k", [1, 5, 15])
@pytest.mark.parametrize("noise", [0.0, 0.3, 50.0])
def test_equals_sklearn(k: int, noise: float) -> None:
    from sklearn.manifold import trustworthiness as reference

    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 12)) * 0.6 ** np.arange(12)
    points = features[:, :2] + noise * rng.standard_normal((400, 2))
    assert trustworthiness(features, points, k) == pytest.approx(reference(features, points, n_neighbors=k), abs=1e-12)
    assert continuity(features, points, k) == pytest.approx(reference(points, features, n_neighbors=k), abs=1e-12)


def test_identity_is_perfect() -> None:
    points = np.random.default_rng(1).standard_normal((200, 2))
    assert trustworthiness(points, points) == 1.0


def test_a_sample_is_near_the_whole() -> None:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((1500, 8)) * 0.7 ** np.arange(8)
    whole = trustworthiness(features, features[:, :2])
    part = trustworthiness(features, features[:, :2], sample=500)
    assert part == pytest.approx(whole, abs=0.01)
    assert part == trustworthiness(features, features[:, :2], sample=500)
    assert sample_rows(500) == 500
    assert sample_rows(200_000) == 4000


def test_refusals() -> None:
    points = np.zeros((20, 2))
    with pytest.raises(ValueError, match="below half"):
        trustworthiness(points, points, 10)
    with pytest.raises(ValueError, match="20 rows of features and 19 points"):
        trustworthiness(points, points[:-1], 3)
    with pytest.raises(Cancelled):
        trustworthiness(points, points, 3, progress=Progress(is_cancelled=lambda: True))
