from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.chem.dataset import Dataset
from qmlstudio.views.structure import StructureView


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> StructureView:
    view = StructureView(rig.store, rig.runner)
    qtbot.addWidget(view, before_close_func=lambda w: w.stop())
    view.resize(480, 520)
    view.show()
    view.start()
    return view


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("style", ["ball_and_stick", "spacefill", "sticks"])
def test_pictures(view: StructureView, rig: Any, qm9: Dataset, dark: bool, style: str, screenshots: Path) -> None:
    rig.open(qm9)
    rig.store.set_active(208)
    view.set_dark(dark)
    rig.store.update(structure_look=rig.store.session.structure_look.with_values(style=style))
    rig.store.pick((0, 1, 2))
    rig.settle()
    QTest.qWait(60)
    assert view.grab().save(str(screenshots / f"structure_{style}_{'dark' if dark else 'light'}.png"))
    assert "120" in view._measure.text()


def test_bonds_come_and_go_with_the_structure(view: StructureView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(208)  # benzene
    rig.settle()
    bonds = view.canvas._bonds
    assert bonds is not None
    assert len(bonds[0]) == 12
    assert sorted(bonds[1]).count(1.5) == 6


def test_style_buttons_and_keys_change_the_session(view: StructureView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view._styles.buttons()[1].click()
    assert rig.store.session.structure_look.style == "spacefill"
    QTest.keyClick(view.canvas, Qt.Key.Key_3)
    assert rig.store.session.structure_look.style == "sticks"
    assert view._styles.buttons()[2].isChecked()
    QTest.keyClick(view.canvas, Qt.Key.Key_H)
    assert not rig.store.session.structure_look.hydrogens
    QTest.keyClick(view.canvas, Qt.Key.Key_O)
    assert rig.store.session.structure_look.projection == "orthographic"
    rig.store.undo()
    assert rig.store.session.structure_look.hydrogens or rig.store.session.structure_look.style != "sticks"


def test_frames_keep_camera_and_picks(view: StructureView, rig: Any, ethanol: Dataset) -> None:
    rig.open(ethanol)
    assert view.play_bar.isVisible()
    rig.store.pick((0, 1))
    camera = view.canvas.camera
    before = view._measure.text()
    view.play_bar.to_last()
    rig.settle()
    assert rig.store.active == 49
    assert view.canvas.camera == camera
    assert view.canvas.picked == [0, 1]
    assert view._measure.text() != before
    QTest.keyClick(view.canvas, Qt.Key.Key_Home)
    assert rig.store.active == 0


def test_measurement_is_kept_with_m(view: StructureView, rig: Any, ethanol: Dataset) -> None:
    rig.open(ethanol)
    view.canvas.choose([0, 1, 2, 3])
    QTest.keyClick(view.canvas, Qt.Key.Key_M)
    assert rig.store.session.measurements == ((0, 1, 2, 3),)
    view.canvas.choose([])
    rig.store.set_active(7)
    assert "°" in view._measure.text()


def test_tray_of_pins(view: StructureView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    for i in (3, 9):
        rig.store.toggle_pin(i)
    assert view._tray.isVisible()
    view._on_pin_clicked(9)
    assert rig.store.active == 9
    view._on_unpin_clicked(3)
    assert rig.store.session.pins == (9,)


def test_descriptors_atoms_light_up(view: StructureView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.store.set_active(100)
    rig.store.hover_atoms((1, 2))
    assert set(view.canvas._highlighted) == {1, 2}
    rig.store.hover_atoms(())
    assert view.canvas._highlighted == ()


def test_late_bonds_do_not_bring_an_old_frame_back(view: StructureView, rig: Any, ethanol: Dataset) -> None:
    rig.open(ethanol)
    old = ethanol.structures[0]
    rig.store.set_active(30)
    rig.settle()
    view._on_bonds_done(old, perceive_bonds(old.numbers, old.positions))
    assert np.array_equal(view.canvas._positions, ethanol.structures[30].positions)
    assert view.canvas._bonds is not None
