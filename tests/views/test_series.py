"""The series panel: strips of columns, the frame under the mouse, measured columns, thinned frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.scripting import with_derived
from qmlstudio.views.series import SeriesView

LEFT, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(scope="module")
def md() -> Dataset:
    return with_derived(load_builtin("ethanol_500K"))


@pytest.fixture
def view(rig: Any, md: Dataset, qtbot: QtBot) -> SeriesView:
    view = SeriesView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(900, 260)
    with qtbot.waitExposed(view):
        view.show()
    rig.open(md)
    QTest.qWait(30)
    return view


def place(view: SeriesView, frame: float) -> QPoint:
    """Where a frame (from 0) lies in the first strip, in the canvas' pixels."""
    box = view.plot._strips[0]["box"]
    y = np.mean(box.viewRange()[1])
    scene = box.mapViewToScene(box.mapToView(box.mapFromView(_point(frame + 1, y))))
    return view.plot._canvas.mapFromScene(scene)


def _point(x: float, y: float) -> Any:
    from PySide6.QtCore import QPointF

    return QPointF(float(x), float(y))


def test_a_click_goes_to_the_frame_and_a_drag_with_shift_selects(view: SeriesView, rig: Any) -> None:
    n = len(rig.store.dataset)
    viewport = view.plot._canvas.viewport()
    QTest.mouseClick(viewport, LEFT, pos=place(view, n // 2))
    QTest.qWait(20)
    assert rig.store.active == pytest.approx(n // 2, abs=n / 300)
    a, b = place(view, n // 4), place(view, n // 2)
    QTest.mousePress(viewport, LEFT, SHIFT, a)
    for t in (0.3, 0.6, 1.0):
        QTest.mouseMove(viewport, QPoint(round(a.x() + t * (b.x() - a.x())), a.y()))
        QTest.qWait(10)
    QTest.mouseRelease(viewport, LEFT, SHIFT, b)
    chosen = np.flatnonzero(rig.store.session.selection.mask)
    assert chosen[0] == pytest.approx(n // 4, abs=n / 100)
    assert chosen[-1] == pytest.approx(n // 2, abs=n / 100)
    assert len(chosen) == chosen[-1] - chosen[0] + 1
    assert rig.store.session.selection.origin.startswith("frames ")


def test_keys_step_through_the_frames(view: SeriesView, rig: Any) -> None:
    rig.store.set_active(3)
    QTest.qWait(60)
    QTest.keyClick(view.plot, Qt.Key.Key_Right)
    assert rig.store.active == 4
    QTest.qWait(60)
    QTest.keyClick(view.plot, Qt.Key.Key_End)
    assert rig.store.active == len(rig.store.dataset) - 1


@pytest.mark.parametrize("dark", [False, True])
def test_picked_atoms_are_measured_in_every_frame(view: SeriesView, rig: Any, screenshots: Path, dark: bool) -> None:
    view.set_dark(dark)
    assert not view.measure_button.isEnabled()
    rig.store.pick((1, 0, 2))
    view.measure_button.click()
    assert rig.runner.wait_idle(20)
    name = view.names[-1]
    assert name == "∠(C2–C1–O3)"
    column = rig.store.columns[name]
    assert column.unit == "°"
    assert 90 < np.nanmean(column.values) < 130
    rig.store.select(column.values > 112, "replace", "wide angles")
    rig.store.toggle_pin(30)
    rig.store.set_active(100)
    QTest.qWait(80)
    view.window().grab().save(str(screenshots / f"series_{'dark' if dark else 'light'}.png"))
    rig.store.remove_columns(name)
    assert name not in view.names


def test_thinning_selects_covering_frames(view: SeriesView, rig: Any) -> None:
    view.count.setValue(20)
    view.thin_button.click()
    assert rig.runner.wait_idle(60)
    assert rig.store.session.selection.count == 20
    assert "farthest points" in rig.store.session.selection.origin


def test_what_is_no_trajectory_is_told(view: SeriesView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    QTest.qWait(20)
    assert "no trajectory" in view._note.text()
    assert view.names
