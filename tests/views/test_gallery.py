"""The gallery panel over a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.views.gallery import GalleryView


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> GalleryView:
    view = GalleryView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(820, 320)
    view.show()
    return view


def drawn(view: GalleryView, rig: Any) -> None:
    """Turn until every cell in view has its picture."""
    for _ in range(400):
        rig.runner.wait_idle(10)
        QTest.qWait(5)
        places = view.grid.visible_places()
        seen = view.grid.order[places.start : places.stop]
        if all(view.grid.cache.has(int(i), view.grid.look) for i in seen):
            return
    raise AssertionError("pictures are missing")


def point_at(widget: QWidget, at: QPoint) -> None:
    """Move the mouse within a widget; the real pointer, which tests share, stays where it is."""
    place = QPointF(at)
    where = QPointF(widget.mapToGlobal(at))
    none, plain = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QMouseEvent(QEvent.Type.MouseMove, place, where, none, none, plain))


def picked(n: int, *indices: int) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[list(indices)] = True
    return mask


def ring(qm9: Dataset) -> list[int]:
    """Molecules with a ring of three."""
    from qmlstudio.chem.depict import drawable

    assert qm9.smiles is not None
    found = [i for i, s in enumerate(qm9.smiles) if "C1CC1" in drawable_smiles(drawable(str(s)))]
    return found[:12]


def drawable_smiles(mol: Any) -> str:
    from rdkit import Chem

    return str(Chem.MolToSmiles(mol))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_pictures(view: GalleryView, rig: Any, qm9: Dataset, screenshots: Path, kind: str, dark: bool) -> None:
    rig.open(qm9)
    view.set_dark(dark)
    view.restore({"kind": kind, "captions": ["gap", "mu"], "selected_only": False})
    rig.store.set_active(2)
    rig.store.toggle_pin(4)
    rig.store.select(np.arange(400) % 5 == 1, "replace", "lasso")
    drawn(view, rig)
    assert view.grid.cache.get(2, view.grid.look) is not None
    name = f"gallery_{kind}{'_dark' if dark else ''}.png"
    assert view.grab().save(str(screenshots / name))


def test_shows_the_selection_or_everything(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    assert "No data set" in view.grid._message
    rig.open(qm9)
    assert view.grid.order.tolist() == list(range(400))
    rig.store.select(picked(400, 7, 3, 90), "replace", "lasso")
    assert view.grid.order.tolist() == [3, 7, 90]
    assert "3 of 400" in view._count.text()
    view.bar.only_selected.setChecked(False)
    assert len(view.grid.order) == 400
    rig.store.clear_selection()
    view.bar.only_selected.setChecked(True)
    assert len(view.grid.order) == 400


def test_what_passes_the_filters(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.bar.only_passing.setChecked(True)
    assert len(view.grid.order) == 400
    rig.store.publish("filter", "a", SimpleNamespace(mask=np.arange(400) < 10))
    assert view.grid.order.tolist() == list(range(10))
    rig.store.select(np.arange(400) >= 8, "replace", "lasso")
    assert view.grid.order.tolist() == [8, 9]
    rig.store.select(np.arange(400) >= 10, "replace", "lasso")
    assert len(view.grid.order) == 0
    assert "passes" in view.grid._message
    view.bar.only_passing.setChecked(False)
    assert len(view.grid.order) == 390


def test_sorting(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    values = qm9.properties["gap"].values.copy()
    values[5] = np.nan
    rig.open(replace(qm9, properties={**qm9.properties, "gap": Property(values, unit="Ha")}))
    view.bar.set_sort("gap", True)
    view.bar.sort_changed.emit()
    rig.settle()
    shown = values[view.grid.order]
    assert np.isnan(shown[-1])
    assert (np.diff(shown[:-1]) <= 0).all()
    rig.store.select(picked(400, 1, 2, 5, 6), "replace", "lasso")
    assert set(view.grid.order.tolist()) == {1, 2, 5, 6}
    assert view.grid.order[-1] == 5
    view.bar.set_sort("n_C", False)  # follows from the composition: made in the job
    view.bar.sort_changed.emit()
    rig.settle()
    carbons = [int((qm9.structures[int(i)].numbers == 6).sum()) for i in view.grid.order]
    assert carbons == sorted(carbons)


def test_sorting_by_a_derived_column(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    likeness = np.linspace(0, 1, 400)
    rig.store.set_derived("similarity", Property(likeness))
    view.bar.set_sort("similarity", True)
    view.bar.sort_changed.emit()
    rig.settle()
    assert view.grid.order[0] == 399
    rig.store.set_derived("similarity", Property(1 - likeness))
    rig.settle()
    assert view.grid.order[0] == 0
    rig.store.set_derived("similarity", None)
    rig.settle()
    assert view.bar.sort_by == ""
    assert view.grid.order.tolist() == list(range(400))


def test_leads_and_follows(view: GalleryView, rig: Any, qm9: Dataset, qtbot: QtBot) -> None:
    rig.open(qm9)
    grid = view.grid
    hovered: list[int] = []
    rig.store.hovered.connect(hovered.append)
    QTest.mouseClick(
        grid.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, grid.cell_rect(1).center()
    )
    assert rig.store.active == 1
    QTest.mouseClick(
        grid.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, grid.cell_rect(3).center()
    )
    assert rig.store.session.pins == (3,)
    rig.store.set_active(321)
    # map, structure and table answer a click first
    qtbot.waitUntil(lambda: 321 in grid.visible_places(), timeout=2000)
    point_at(grid.viewport(), grid.cell_rect(grid.visible_places().start + 1).center())
    assert hovered[-1] == grid.order[grid.visible_places().start + 1]
    rig.store.hover(321)
    assert grid._hover == 321
    QTest.mouseClick(
        grid.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ShiftModifier,
        grid.cell_rect(grid.place(320)).center(),
    )
    assert rig.store.session.selection.count >= 2
    assert rig.store.session.selection.origin == "gallery"


def test_aligned_on_what_they_have_in_common(view: GalleryView, rig: Any, qm9: Dataset, screenshots: Path) -> None:
    rig.open(qm9)
    rings = ring(qm9)
    assert len(rings) > 3
    rig.store.select(picked(400, *rings), "replace", "lasso")
    view.bar.align.setChecked(True)
    rig.settle()
    scaffold = view.grid.look.scaffold
    assert scaffold is not None
    assert scaffold.found_in == len(rings)
    assert "Aligned on" in view._note.text()
    assert f"{len(rings)} of {len(rings)}" in view._note.text()
    drawn(view, rig)
    assert view.grab().save(str(screenshots / "gallery_aligned.png"))
    view.bar.align.setChecked(False)
    assert view.grid.look.scaffold is None
    assert view._note.text() == ""


def test_nothing_to_align_on(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.select(picked(400, 0, 1, 2), "replace", "lasso")  # methane, ammonia, water
    view.bar.align.setChecked(True)
    rig.settle()
    assert "nothing in common" in view._note.text()
    view.bar.set_kind("3d")
    assert not view.bar.align.isChecked()
    assert not view.bar.align.isEnabled()


def test_captions(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.bar.captions_chosen.emit(["gap", "formula", "n_atoms", "mu"])
    lines = view.grid._captions(1)
    assert lines == (str(qm9.identifiers[1]), "gap 0.3399 Ha", "formula H3N", "n_atoms 4")
    view.bar.captions_reset.emit()
    assert len(view.grid._captions(1)) == 2


def test_state_is_restored(view: GalleryView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    state = {
        "kind": "3d",
        "size": 180,
        "captions": ["mu"],
        "sort": "gap",
        "descending": True,
        "selected_only": False,
        "passing_only": True,
        "align": False,
    }
    view.restore(state)
    rig.settle()
    assert view.state() == state
    assert view.grid.order[0] == int(qm9.properties["gap"].values.argmax())
    view.restore({"captions": ["gone"], "sort": "gone"})
    assert view.state()["captions"] == []
    assert view.state()["sort"] == ""


def test_another_data_set(view: GalleryView, rig: Any, qm9: Dataset, ethanol: Dataset) -> None:
    rig.open(qm9)
    drawn(view, rig)
    rig.open(ethanol)  # no SMILES: bonds from the geometry
    assert len(view.grid.order) == 50
    drawn(view, rig)
    assert view.grid.cache.get(0, view.grid.look) is not None
    rig.open(qm9.take(slice(0, 0)))
    assert len(view.grid.order) == 0


def test_narrow(view: GalleryView, rig: Any, qm9: Dataset, screenshots: Path) -> None:
    rig.open(qm9)
    view.resize(300, 420)
    drawn(view, rig)
    assert view.width() == 300
    assert view.grid.columns == 2
    assert view.grab().save(str(screenshots / "gallery_narrow.png"))
