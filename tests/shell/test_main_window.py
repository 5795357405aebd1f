from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.learning.embedding import PCA
from qmlstudio.representations import REGISTRY
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]
Ready = Callable[[MainWindow], None]


def point(window: MainWindow, index: int) -> QPoint:
    """Where a structure's point lies in the map's viewport."""
    return window.map_view.scatter.pixel(index).toPoint()


def click(window: MainWindow, index: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> int:
    """Click on a point; returns which structure lies topmost there."""
    scatter = window.map_view.scatter
    place = point(window, index)
    QTest.mouseClick(scatter.focusProxy().viewport(), Qt.MouseButton.LeftButton, modifier, place)
    QTest.qWait(20)
    return scatter.point_at(scatter.pixel(index))


def test_opening_draws_each_panel_once(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    window.store.update(embedding=PCA())
    ready(window)
    counts = {
        "map": window.map_view,
        "structure": window.structure_view,
        "dataset": window.dataset_view,
        "descriptor": window.descriptor_view,
    }
    before = {name: view.redraws for name, view in counts.items()}
    window.open_paths(["builtin:ethanol_500K"])
    QTest.qWait(50)
    ready(window)
    assert {name: view.redraws - before[name] for name, view in counts.items()} == dict.fromkeys(counts, 1)


def test_click_makes_active_and_every_panel_follows(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    hit = click(window, 7)
    assert window.store.active == hit
    dataset = window.store.dataset
    assert dataset is not None
    identifier = str(dataset.identifiers[hit])
    assert identifier in window.structure_view._title.text()
    table = window.dataset_view.table
    assert table.rows.structure(table.currentIndex().row()) == hit
    ready(window)
    data = window.descriptor_view.plot.data()
    assert data is not None
    features = window.store.result("features")
    assert np.allclose(data.values, features.array[hit])


def test_table_row_makes_active(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    table = window.dataset_view.table
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    table.selectRow(3)
    assert window.store.active == table.rows.structure(3)
    dataset = window.store.dataset
    assert dataset is not None
    energy = dataset.properties["energy"].values
    assert np.argsort(-energy, kind="stable")[3] == window.store.active or np.isclose(
        np.sort(energy)[::-1][3], energy[window.store.active]
    )


def test_ctrl_click_pins_and_escape_clears(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    hit = click(window, 5, Qt.KeyboardModifier.ControlModifier)
    assert window.store.session.pins == (hit,)
    assert window.structure_view._tray.isVisible()
    QTest.keyClick(window.map_view.scatter.focusProxy(), Qt.Key.Key_Escape)
    assert window.store.session.pins == ()


def test_shift_drag_lassoes(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    view = window.map_view.scatter.focusProxy().viewport()
    w, h = view.width(), view.height()
    corners = [QPoint(3, 3), QPoint(w - 4, 3), QPoint(w - 4, h - 4), QPoint(3, h - 4), QPoint(3, 4)]
    shift = Qt.KeyboardModifier.ShiftModifier
    QTest.mousePress(view, Qt.MouseButton.LeftButton, shift, corners[0])
    for corner in corners[1:]:
        QTest.mouseMove(view, corner)
        QTest.qWait(10)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, shift, corners[-1])
    assert window.store.session.selection.count == 80
    assert "lasso" in window.map_view._count.text()
    assert window.dataset_view._only.isEnabled()
    window.actions_by_id["invert"].trigger()
    assert window.store.session.selection.count == 0
    window.actions_by_id["undo"].trigger()
    assert window.store.session.selection.count == 80


def test_representation_and_embedding_from_the_panels(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    choice = window.descriptor_view._choice
    choice.setCurrentIndex(choice.findData("bag_of_bonds"))
    choice.activated.emit(choice.currentIndex())
    method = window.map_view.toolbar._method
    method.setCurrentIndex(method.findData("pca"))
    method.activated.emit(method.currentIndex())
    QTest.qWait(10)
    ready(window)
    assert window.store.session.representation == REGISTRY["bag_of_bonds"]()
    assert window.store.result("map").axes[0].startswith("PC")
    data = window.descriptor_view.plot.data()
    assert data is not None
    assert data.kind == "bags"


def test_a_cell_lights_its_atoms_and_two_atoms_light_their_cell(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    plot = window.descriptor_view.plot
    data = plot.data()
    assert data is not None
    column = next(c for c, atoms in enumerate(data.atoms) if len(atoms) == 2)
    place = plot.position_of(column)
    assert place is not None
    QTest.mouseMove(plot, QPoint(2, 2))
    QTest.qWait(30)
    QTest.mouseMove(plot, place.toPoint())
    QTest.qWait(30)
    assert set(window.structure_view.canvas._highlighted) == set(data.atoms[column])
    window.store.pick((0, 1))
    assert any(set(data.atoms[c]) == {0, 1} for c in plot.highlighted_columns())
    assert "distance" in window.structure_view._measure.text() or "Å" in window.structure_view._measure.text()


def test_save_and_reopen_brings_everything_back(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    window = make_window(str(xyz))
    window.store.toggle_pin(3)
    window.store.select(np.arange(80) < 9, "replace", "lasso")
    window.store.set_active(6)
    shown = window.store.result("map").points.copy()
    path = str(tmp_path / "work.qmls")
    window.documents.save(path)
    assert window.runner.wait_idle(10)
    assert not window.store.is_modified
    session = window.store.session
    window.close()
    again = make_window(path)
    assert again.store.session.differing(session) == frozenset()
    assert np.array_equal(again.store.result("map").points, shown)
    assert "work.qmls" in again.windowTitle()
    assert again.preferences.recent_files[0].name == "work.qmls"


def test_zoom_and_camera_come_back(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    window = make_window(str(xyz))
    x0, x1, y0, y1 = window.map_view.scatter.range
    window.map_view.scatter.set_range(x0, (x0 + x1) / 2, y0, (y0 + y1) / 2)
    window.structure_view.canvas.view_along("x")
    shown, camera = window.map_view.scatter.range, window.structure_view.canvas.camera
    window.documents.save(str(tmp_path / "zoomed.qmls"), wait=True)
    window.close()
    again = make_window(str(tmp_path / "zoomed.qmls"))
    assert np.allclose(again.map_view.scatter.range, shown, rtol=0.02, atol=0.02 * (x1 - x0))
    assert np.allclose(again.structure_view.canvas.camera.matrix, camera.matrix)
    assert again.structure_view.canvas.camera.height == pytest.approx(camera.height)


def test_an_unnamed_session_can_be_taken_up_again(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    window.store.toggle_pin(11)
    window.close()
    again = make_window(str(xyz))
    again.actions_by_id["open_last"].trigger()
    QTest.qWait(30)
    ready(again)
    assert again.store.session.pins == (11,)
    assert again.documents.path == ""


def test_key_p_pins_the_structure(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    window.structure_view.canvas.setFocus()
    QTest.keyClick(window.structure_view.canvas, Qt.Key.Key_P)
    assert window.store.session.pins == (window.store.active,)


def test_dropped_and_pasted(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    mime = QMimeData()
    mime.setText("CCO ethanol\nCC ethane\nC methane\nnonsense( broken\n")
    window.open_mime(mime)
    QTest.qWait(20)
    ready(window)
    dataset = window.store.dataset
    assert dataset is not None
    assert len(dataset) == 3
    assert len(dataset.problems) == 1
    assert window.dataset_view._problems.isVisible()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(xyz))])
    window.open_mime(mime)
    QTest.qWait(20)
    ready(window)
    assert len(window.store.session.selection) == 80
    QGuiApplication.clipboard().setText("3\nwater\nO 0 0 0\nH 0 0 0.96\nH 0 0.93 -0.24\n")
    window.paste()
    QTest.qWait(20)
    ready(window)
    assert len(window.store.session.selection) == 1


def test_files_can_be_dropped_anywhere(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    takers = [w for w in window.findChildren(QWidget) if w.acceptDrops() and not isinstance(w, QLineEdit)]
    assert [(type(w).__name__, type(w.parent()).__name__) for w in takers] == []
    view = window.map_view.scatter.focusProxy().viewport()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(xyz))])
    place = view.mapTo(window, view.rect().center())
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, buttons, modifiers)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()


def test_bad_file_is_told_and_the_old_set_stays(make_window: Make, xyz: Path, tmp_path: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    told: list[str] = []
    window.documents.failed.connect(lambda message, details: told.append(message))
    bad = tmp_path / "bad.xyz"
    bad.write_text("3\n\nXx 0 0 0\n")
    window.open_paths([str(bad)])
    QTest.qWait(20)
    ready(window)
    assert len(told) == 1
    assert "bad.xyz" in told[0]
    assert len(window.store.session.selection) == 80


def test_session_whose_data_are_gone_is_told(make_window: Make, xyz: Path, tmp_path: Path, ready: Ready) -> None:
    window = make_window(str(xyz))
    path = str(tmp_path / "work.qmls")
    window.documents.save(path, wait=True)
    xyz.rename(tmp_path / "elsewhere.xyz")
    told: list[str] = []
    window.documents.failed.connect(lambda message, details: told.append(message))
    window.open_paths([path])
    QTest.qWait(20)
    ready(window)
    assert "small.xyz" in told[0]
    assert "not there any more" in told[0]


def test_frames_play(make_window: Make) -> None:
    window = make_window("builtin:ethanol_500K")
    assert window.structure_view.play_bar.isVisible()
    bar = window.structure_view.play_bar
    shown: list[int] = []
    bar.frame_changed.connect(shown.append)
    bar.play()
    QTest.qWait(600)
    assert bar.is_playing
    assert len(shown) > 2
    bar.pause()
    assert window.store.active is not None
    assert window.store.active > 0
    assert window.store.active == bar.frame
    camera = window.structure_view.canvas.camera
    bar.step_forward()
    assert window.structure_view.canvas.camera == camera


def test_cancel_leaves_the_window_usable(make_window: Make, xyz: Path, ready: Ready) -> None:
    window = make_window(wait=False)
    QTest.qWait(300)
    window.actions_by_id["cancel"].trigger()
    assert window.runner.wait_idle(60)
    window.open_paths([str(xyz)])
    QTest.qWait(20)
    ready(window)
    assert len(window.store.session.selection) == 80


def test_context_menu_pins(make_window: Make, xyz: Path, qtbot: QtBot) -> None:
    window = make_window(str(xyz))
    window._on_map_context_menu_requested(4, QPoint(100, 100))
    menu = QGuiApplication.instance().activePopupWidget()  # type: ignore[union-attr]
    assert menu is not None
    pin = next(a for a in menu.actions() if a.text() == "Pin")
    pin.trigger()
    menu.close()
    assert window.store.session.pins == (4,)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_of_the_window(make_window: Make, theme: str, screenshots: Path) -> None:
    window = make_window(theme=theme)
    window.docks["jobs"].show()
    window.store.toggle_pin(200)
    QTest.qWait(500)
    assert window.grab().save(str(screenshots / f"window_{theme}.png"))
    dark = window.palette().window().color().lightness() < 128
    assert dark == (theme == "dark")


def test_theme_follows_the_preference(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    window.actions_by_id["theme_dark"].trigger()
    assert window.switch.is_dark
    assert window.preferences.theme == "dark"
    window.actions_by_id["theme_light"].trigger()
    assert not window.switch.is_dark


def test_window_state_is_restored(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    window.docks["jobs"].show()
    window.docks["data"].hide()
    window.close()
    again = make_window(str(xyz))
    assert again.docks["jobs"].isVisible()
    assert not again.docks["data"].isVisible()
    again.reset_layout()
    assert again.docks["data"].isVisible()
    assert not again.docks["jobs"].isVisible()


def test_the_lasso_preference_counts_from_the_start(make_window: Make, xyz: Path) -> None:
    window = make_window(str(xyz))
    assert window.map_view.scatter.tool == "pan"
    window.preferences.lasso_on_plain_drag = True
    window.close()
    assert make_window(str(xyz)).map_view.scatter.tool == "lasso"


def test_a_save_that_fails_keeps_the_window(
    make_window: Make, xyz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(str(xyz))
    window.documents.save(str(tmp_path / "a.qmls"), wait=True)
    window.store.toggle_pin(2)
    window.documents.path = str(tmp_path / "no" / "such" / "folder" / "a.qmls")
    told: list[str] = []
    window.show_error = lambda message, details="": told.append(message)  # type: ignore[method-assign]
    window.documents.failed.connect(lambda message, details: told.append(message))
    window.ask_on_close = True
    save = QMessageBox.StandardButton.Save
    monkeypatch.setattr(QMessageBox, "question", lambda *a, **k: save)
    assert not window.close()
    assert window.isVisible()
    assert told
    window.ask_on_close = False
