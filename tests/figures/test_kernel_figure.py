"""The kernel matrix for print: the same numbers and order as on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.figures import save
from qmlstudio.figures.kernel import MOST_ROWS, kernel_caption, kernel_figure, sampled_places
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.learning.kernels import Gaussian
from qmlstudio.representations import REGISTRY
from qmlstudio.session import kernel_picture as kp


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 120))


@pytest.fixture(scope="module")
def ground(dataset: Dataset) -> kp.Ground:
    return kp.Ground.of(REGISTRY["coulomb_matrix"]().compute(dataset.structures), dataset, Gaussian(sigma=50.0))


def shown(figure: Any) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())


def test_the_matrix_in_its_order(ground: kp.Ground, dataset: Dataset, tmp_path: Path) -> None:
    order = kp.column_order(ground, "gap", dataset.per_structure["gap"])
    figure = kernel_figure(FigureSpec(), ground=ground, order=order, axis="gap / Ha")
    whole = ground.kernel.matrix(ground.rows)[np.ix_(order.indices, order.indices)]
    assert np.allclose(shown(figure), whole)
    assert figure.axes[0].get_xlabel() == "gap / Ha"
    path = save(figure, tmp_path / "kernel.pdf", FigureSpec())
    assert path.stat().st_size > 1000


def test_groups_and_logarithms(ground: kp.Ground) -> None:
    texts = np.array(["alcohols"] * 70 + ["amines"] * 49 + ["x"])
    order = kp.column_order(ground, "kind", Property(texts))
    figure = kernel_figure(FigureSpec(), ground=ground, order=order, axis="kind", limits=(1e-3, 1.0), log=True)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["alcohols", "amines"]
    assert shown(figure).min() >= 1e-3


def test_a_caption_says_what_it_is(ground: kp.Ground, dataset: Dataset) -> None:
    text = kernel_caption(dataset, ground=ground, axis="gap / Ha")
    assert "120 structures" in text
    assert "Gaussian kernel (σ = 50) of Coulomb matrix" in text
    assert "by gap / Ha" in text
    assert "kernel" not in kernel_caption(dataset)


def test_without_a_matrix_it_is_said() -> None:
    with pytest.raises(ValueError, match="no kernel matrix"):
        kernel_figure(FigureSpec())


def test_places_are_spread() -> None:
    assert sampled_places(5).tolist() == [0, 1, 2, 3, 4]
    many = sampled_places(10 * MOST_ROWS)
    assert len(many) == MOST_ROWS
    assert set(np.diff(many).tolist()) == {10}
    assert sampled_places(0).tolist() == []
