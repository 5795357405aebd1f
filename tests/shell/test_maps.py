"""Several maps side by side, on the real window."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from qmlstudio.learning.embedding import PCA
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.representations import REGISTRY
from qmlstudio.session.filters import Filters, RangeFilter
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.widgets.cloud_map import CloudMap

Make = Callable[..., MainWindow]


def settle(window: MainWindow) -> None:
    for _ in range(200):
        assert window.runner.wait_idle(60)
        QTest.qWait(20)
        if window.runner.is_idle and not window.pipeline.is_computing:
            return


def test_four_maps_with_one_selection(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    window = make_window(str(xyz))
    store = window.store
    store.update(embedding=PCA())
    for _ in range(4):
        window.actions_by_id["add_map"].trigger()
    assert len(window.maps.views) == 4
    other = replace(store.session.map_spec(1), representation=REGISTRY["bag_of_bonds"]())
    store.update_map(1, other)
    look = store.session.map_view.with_values(x_axis="n_atoms", y_axis="n_heavy")
    store.update_map(3, replace(store.session.map_spec(3), view=look))
    settle(window)
    n = len(store.session.selection)
    assert [view.scatter.count for view in window.maps.views] == [n] * 4
    assert window.maps.views[3].scatter.axes[0].startswith("n_atoms")
    mask = np.arange(n) < n // 2
    window.maps.views[1].scatter.lassoed.emit(mask, "replace")
    assert store.session.selection.count == mask.sum()
    window.maps.views[2].scatter.clicked.emit(1, Qt.KeyboardModifier.NoModifier)
    assert store.active == 1
    path = tmp_path / "four.qmls"
    window.documents.save(str(path), wait=True)
    window.maps.views[1].toolbar.close_requested.emit()
    assert len(window.maps.views) == 3
    store.undo()
    assert len(window.maps.views) == 4
    settle(window)
    again = make_window(str(path))
    settle(again)
    assert [view.scatter.count for view in again.maps.views] == [n] * 4
    assert again.store.session.maps == store.session.maps


def test_a_map_in_space_and_back(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    window.store.update(embedding=PCA(n_components=3))
    settle(window)
    view = window.map_view
    assert isinstance(view.scatter, CloudMap)
    assert view.scatter.count == len(window.store.session.selection)
    window.store.set_active(1)
    window.store.update(embedding=PCA())
    settle(window)
    assert not isinstance(view.scatter, CloudMap)
    assert view.scatter.count == len(window.store.session.selection)


def test_what_does_not_pass_is_dimmed_and_comes_back_with_undo(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    settle(window)
    low = float(np.median(window.store.columns["n_atoms"].values))
    window.store.update(filters=Filters((RangeFilter("n_atoms", low + 0.5, None),)))
    settle(window)
    dimmed = window.map_view.scatter._looks.dimmed()
    assert np.array_equal(dimmed, window.store.columns["n_atoms"].values <= low)
    window.store.undo()
    settle(window)
    dimmed = window.map_view.scatter._looks.dimmed()
    assert dimmed is None or not dimmed.any()


def test_reveal_brings_a_point_into_view(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    settle(window)
    scatter = window.map_view.scatter
    x, y = scatter.position(0)
    scatter.set_range(x + 1000, x + 1010, y + 1000, y + 1010)
    window.map_view.reveal(0)
    x0, x1, y0, y1 = scatter.range
    assert x0 < x < x1
    assert y0 < y < y1


def test_structures_of_another_file_are_put_on_the_map(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    window = make_window(str(xyz))
    settle(window)
    points = window.store.result("map").points.copy()
    n = len(points)
    more = tmp_path / "more.xyz"
    more.write_text("".join(f"3\nenergy=-1.5\nO 0 0 0\nH 0 0 {0.95 + 0.01 * k}\nH 0 0.95 -0.3\n" for k in range(5)))
    window.documents.add_paths([str(more)])
    settle(window)
    assert np.array_equal(window.store.result("map").points[:n], points)
    assert window.map_view.scatter.count == n + 5
    assert window.store.session.selection.mask.tolist() == [False] * n + [True] * 5
    window.store.undo()
    settle(window)
    assert window.map_view.scatter.count == n


def test_landmarks_are_used_above_the_number_that_is_asked_for(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    n = len(window.store.session.selection)
    window.store.update(embedding=PCA(), landmarks=Landmarks(count=30, candidates=40, above=100))
    settle(window)
    assert "landmarks" not in window.store.result("map").details
    big = [str(xyz)]
    text = xyz.read_text() * 2
    xyz.write_text(text)
    window.open_paths(big)
    settle(window)
    assert window.map_view.scatter.count == 2 * n
    assert window.store.result("map").details["landmarks"] == 30
