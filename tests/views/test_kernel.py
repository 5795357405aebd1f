"""The kernel panel: computed when seen, ordered, pointed at, clicked; what its pages say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.kernels import Gaussian, Laplacian
from qmlstudio.representations import REGISTRY
from qmlstudio.representations.base import Features
from qmlstudio.session.exclusions import Exclusion
from qmlstudio.views.kernel import KernelView

LEFT = Qt.MouseButton.LeftButton
SCREENSHOTS = Path(__file__).parents[1] / "screenshots"


@pytest.fixture(scope="module")
def features(qm9: Dataset) -> Features:
    return REGISTRY["coulomb_matrix"]().compute(qm9.structures)


@pytest.fixture
def view(rig: Any, qm9: Dataset, qtbot: QtBot) -> Iterator[KernelView]:
    rig.store.open_dataset(qm9)
    view = KernelView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.set_dark(False)
    view.resize(300, 520)
    view.show()
    yield view
    view.hide()
    rig.runner.wait_idle(20)


def settle(rig: Any) -> None:
    for _ in range(3):
        rig.settle()


@pytest.fixture
def filled(view: KernelView, rig: Any, features: Features) -> KernelView:
    rig.store.publish("features", "key", features)
    settle(rig)
    return view


def test_without_features_they_are_offered(view: KernelView, rig: Any) -> None:
    assert "not in memory" in view._status.text()
    assert view._compute.isVisible()
    assert view.minimumSizeHint().width() <= 300
    QTest.mouseClick(view._compute, LEFT)
    settle(rig)
    assert not view._compute.isVisible()
    assert view.matrix.image.count == 400
    assert "median distance" in view._status.text()


def test_nothing_is_computed_while_hidden(view: KernelView, rig: Any, features: Features) -> None:
    view.hide()
    rig.store.publish("features", "key", features)
    settle(rig)
    assert view.engine.ground is None
    view.show()
    settle(rig)
    assert view.engine.ground is not None
    assert view.matrix.image.wanted() == []


def test_the_matrix_is_the_kernels(filled: KernelView) -> None:
    image, ground = filled.matrix.image, filled.engine.ground
    assert ground is not None
    assert isinstance(ground.kernel, Laplacian)
    assert image.wanted() == []
    pair = image.pair_at(image.place(100.5, 301.5))
    assert pair is not None
    assert image.value_at(*pair) == pytest.approx(ground.similarity(*pair), rel=1e-5)


def test_hover_and_click(filled: KernelView, rig: Any, qm9: Dataset) -> None:
    hovered: list[int] = []
    rig.store.hovered.connect(hovered.append)
    image = filled.matrix.image
    at = image.place(80.5, 211.5).toPoint()
    pair = image.pair_at(at.toPointF())
    assert pair is not None
    image._point(pair)
    text = filled.matrix.readout.text()
    assert str(qm9.identifiers[pair[0]]) in text
    assert f"{image.value_at(*pair):.4g}" in text
    assert hovered[-1] == pair[0]
    QTest.mouseClick(image, LEFT, pos=at)
    assert rig.store.active == pair[0]
    assert rig.store.session.pins == (pair[1],)
    rig.store.undo()
    assert rig.store.session.pins == ()
    image._point(None)
    assert hovered[-1] == -1


def test_the_pair_is_laid_over(filled: KernelView, rig: Any, qm9: Dataset) -> None:
    page = filled.matrix.pair
    assert not page.isVisible()
    filled.matrix._on_image_pair_chosen(201, 203)
    rig.settle()
    drawn = page.drawn
    assert page.isVisible()
    assert drawn is not None
    a, b = qm9.structures[201], qm9.structures[203]
    assert len(drawn.numbers) == len(a.numbers) + len(b.numbers)
    assert np.array_equal(drawn.positions[: len(a.numbers)], a.positions)
    moved = drawn.positions[len(a.numbers) :]
    # moved as a whole: its distances are what they were
    assert np.linalg.norm(moved[0] - moved[-1]) == pytest.approx(np.linalg.norm(b.positions[0] - b.positions[-1]))
    assert f"RMSD {drawn.found.superposition.rmsd:.2f} Å" in page.words.text()
    assert str(qm9.identifiers[203]) in page.words.text()
    QTest.mouseClick(page._close, LEFT)
    assert not page.isVisible()
    filled.matrix._on_image_pair_chosen(5, 5)
    assert page.pair is None


def test_a_full_tray_makes_room(filled: KernelView, rig: Any) -> None:
    rig.store.update("pins", pins=tuple(range(16)))
    filled.matrix._on_image_pair_chosen(300, 350)
    assert rig.store.session.pins == (*range(1, 16), 350)
    filled.matrix._on_image_pair_chosen(301, 301)
    assert rig.store.active == 301
    assert rig.store.session.pins == (*range(1, 16), 350)


def test_orders(filled: KernelView, rig: Any, qm9: Dataset) -> None:
    filled.matrix.order_by("column", "gap")
    settle(rig)
    order = filled.engine.order
    assert order is not None
    assert np.all(np.diff(qm9.per_structure["gap"].values[order.indices]) >= 0)
    assert filled.matrix.image.wanted() == []
    rig.store.set_derived("kind", Property(np.array(["x", "y", "y", "y"] * 100)))
    filled.matrix.order_by("column", "kind")
    settle(rig)
    order = filled.engine.order
    assert order is not None
    assert order.names == ("y", "x")
    filled.matrix.image._point((10, 390))
    assert "y × x" in filled.matrix.readout.text()
    # the column is another one now
    rig.store.set_derived("kind", Property(np.array(["x", "z"] * 200)))
    settle(rig)
    assert filled.engine.order is not None
    assert filled.engine.order.names == ("x", "z")
    filled.matrix.order_by("similar")
    settle(rig)
    order, ground = filled.engine.order, filled.engine.ground
    assert order is not None
    assert ground is not None
    matrix = ground.kernel.matrix(ground.rows)
    beside = [float(np.diagonal(matrix[np.ix_(o, o)], 1).mean()) for o in (order.indices, ground.members)]
    assert beside[0] > beside[1]


def test_columns_that_can_order_are_offered(filled: KernelView, rig: Any) -> None:
    rig.store.set_derived("kind", Property(np.array(["x", "y"] * 200)))
    combo = filled.matrix._column
    offered = {combo.itemData(k) for k in range(combo.count())}
    assert {"gap", "kind"} <= offered
    assert "smiles" not in offered


def test_selected_structures_are_marked(filled: KernelView, rig: Any) -> None:
    filled.matrix.order_by("column", "gap")
    settle(rig)
    order = filled.engine.order
    assert order is not None
    mask = np.zeros(400, bool)
    mask[[5, 77, 300]] = True
    rig.store.select(mask, "replace", "test")
    rig.store.set_active(12)
    image = filled.matrix.image
    assert set(order.indices[image._marked].tolist()) == {5, 77, 300}
    assert image._active is not None
    assert order.indices[image._active] == 12


def test_excluded_structures_leave(filled: KernelView, rig: Any) -> None:
    rig.store.update("leave out", exclusions=(Exclusion("bad", "a test", np.array([0, 1, 2])),))
    settle(rig)
    assert filled.matrix.image.count == 397


def test_a_kernel_that_tells_nothing_apart_is_mended(filled: KernelView, rig: Any) -> None:
    filled._set_kernel(Gaussian(sigma=1e-3))
    settle(rig)
    page = filled.similarities
    filled.tabs.setCurrentWidget(page)
    assert "σ is too small" in page.note.text()
    assert page.take.isVisible()
    QTest.mouseClick(page.take, LEFT)
    settle(rig)
    assert not page.take.isVisible()
    assert "Median similarity" in page.note.text()
    assert filled.engine.kernel == Gaussian()
    filled._set_kernel(Gaussian(sigma=1e6))
    settle(rig)
    assert "σ is too large" in page.note.text()


def test_pages_of_the_sample(filled: KernelView, rig: Any) -> None:
    settle(rig)
    assert "Participation ratio" in filled.spectrum.words.text()
    values = filled.spectrum.plot.curve[1]
    assert np.nansum(values) == pytest.approx(400, rel=1e-9)
    filled.spectrum.choose("dimension")
    found = filled.spectrum.plot.curve[1]
    assert np.all(np.diff(found) < 0)
    bars = filled.alignment.list.bars
    assert {"gap", "mu"} <= {b.name for b in bars}
    assert [b.value for b in bars] == sorted((b.value for b in bars), reverse=True)
    filled.alignment._on_list_chosen(0)
    settle(rig)
    assert filled.engine.ordered_by == ("column", bars[0].name)


def test_another_representation_has_another_kernel(filled: KernelView, rig: Any, qm9: Dataset) -> None:
    local = REGISTRY["acsf"]().with_values(average="off")
    rig.store.update("acsf", representation=local)
    assert filled.engine.ground is None
    assert filled.engine.kernel.name == "local_sum"
    assert filled.matrix.image.count == 0
    few = qm9.take(slice(0, 30))
    rig.store.open_dataset(few)
    rig.store.update("acsf", representation=local)
    rig.store.publish("features", "local", local.compute(few.structures))
    settle(rig)
    settle(rig)
    assert filled.matrix.image.count == 30
    assert filled.matrix.image.wanted() == []


def test_what_cannot_be_compared_is_said(view: KernelView, rig: Any, features: Features) -> None:
    from dataclasses import replace

    array = features.array.copy()
    array[3, 0] = np.nan
    rig.store.publish("features", "bad", replace(features, array=array))
    settle(rig)
    assert view._status.text().startswith("⚠")
    assert view.matrix.image.count == 0


def test_the_panel_is_restored(filled: KernelView, rig: Any, qtbot: QtBot) -> None:
    filled._set_kernel(Gaussian(sigma=40.0))
    filled.matrix.order_by("column", "gap")
    filled.matrix.set_log(True)
    filled.tabs.setCurrentIndex(2)
    settle(rig)
    other = KernelView(rig.store, rig.runner)
    qtbot.addWidget(other)
    other.restore(filled.state())
    assert other.state() == filled.state()
    other.restore({"kernel": {"name": "nonsense"}})
    assert other.state() == filled.state()


def test_both_themes(filled: KernelView, rig: Any) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    for dark in (False, True):
        filled.set_dark(dark)
        assert filled.grab().save(str(SCREENSHOTS / f"kernel_{'dark' if dark else 'light'}.png"))
