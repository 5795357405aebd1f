from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.figures import FigureSpec, read_recipe
from qmlstudio.session.session import Session
from qmlstudio.shell.export_dialog import ExportDialog
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]


def drawn(dialog: ExportDialog, qtbot: QtBot) -> None:
    """Wait until the latest preview is there."""
    qtbot.waitUntil(lambda: not dialog._timer.isActive() and dialog._window.runner.is_idle, timeout=30_000)


def test_preview_of_each_view_and_writing(
    make_window: Make, xyz: Path, tmp_path: Path, qtbot: QtBot, screenshots: Path
) -> None:
    window = make_window(str(xyz))
    window.store.toggle_pin(2)
    for view in ("map", "structure", "descriptor"):
        dialog = ExportDialog(window)
        dialog.open()
        dialog._view.setCurrentIndex(dialog._view.findData(view))
        drawn(dialog, qtbot)
        assert not dialog._picture.isNull(), dialog._preview.text()
        assert dialog.grab().save(str(screenshots / f"export_{view}.png"))
        path = tmp_path / f"{view}.pdf"
        dialog.write(str(path))
        assert window.runner.wait_idle(30)
        assert path.read_bytes().startswith(b"%PDF")
        recipe = read_recipe(path)
        assert recipe is not None
        assert recipe["view"] == view
        assert Session.from_dict(recipe["session"]).differing(window.store.session) == frozenset()
        QTest.qWait(10)


def test_rendered_picture_instead_of_vectors(make_window: Make, xyz: Path, qtbot: QtBot) -> None:
    window = make_window(str(xyz))
    dialog = ExportDialog(window)
    dialog.open()
    dialog._view.setCurrentIndex(dialog._view.findData("structure"))
    drawn(dialog, qtbot)
    vectors = dialog._picture.toImage()
    dialog._rendered.setChecked(True)
    drawn(dialog, qtbot)
    assert dialog._picture.toImage() != vectors
    assert dialog._preview.toolTip() == ""
    dialog.reject()


def test_caption_names_all_that_is_needed(make_window: Make, xyz: Path, qtbot: QtBot) -> None:
    window = make_window(str(xyz))
    dialog = ExportDialog(window)
    dialog.open()
    drawn(dialog, qtbot)
    text = dialog._caption.text()
    for word in ("80", "Coulomb matrix", "UMAP", "seed"):
        assert word in text
    dialog.reject()


def test_a_dropped_figure_restores_its_view(make_window: Make, xyz: Path, tmp_path: Path, ready: Callable) -> None:
    from qmlstudio.figures import save
    from qmlstudio.figures.views import view_figure

    window = make_window(str(xyz))
    window.store.select(np.arange(80) < 5, "replace", "lasso")
    session, dataset = window.store.session, window.store.dataset
    assert dataset is not None
    spec = FigureSpec(format="svg")
    figure = view_figure("map", session, dataset, {"map": window.store.result("map")}, spec)
    path = save(figure, tmp_path / "map.svg", spec, recipe={"session": session.to_dict(), "view": "map"})
    window.store.clear_selection()
    window.store.update(coloring=session.coloring.with_values(palette="vik"))
    window.actions_of_commands.open_figure(str(path))
    QTest.qWait(20)
    ready(window)
    assert window.store.session.differing(session) == frozenset()
    told: list[str] = []
    window.show_error = lambda message, details="": told.append(message)  # type: ignore[method-assign]
    plain = tmp_path / "plain.svg"
    plain.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    window.actions_of_commands.open_figure(str(plain))
    assert "no recipe" in told[0]


@pytest.mark.parametrize("width", [700, 1100])
def test_dialog_fits(make_window: Make, xyz: Path, qtbot: QtBot, width: int) -> None:
    window = make_window(str(xyz))
    dialog = ExportDialog(window)
    dialog.open()
    dialog.resize(width, 600)
    drawn(dialog, qtbot)
    assert dialog._preview.pixmap().width() <= dialog._preview.width() * dialog.devicePixelRatioF() + 1
    dialog.reject()
