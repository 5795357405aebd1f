"""Open → map → click → Coulomb matrix → change representation → lasso → export → save → reopen, on real data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from qmlstudio.shell.export_dialog import ExportDialog
from qmlstudio.shell.main_window import MainWindow

SETS = {
    "builtin": ("builtin:qm9_7", 3921, False),
    "qm7": ("qm7/qm7.tar.gz", 7101, False),
    "rmd17": ("rmd17/rmd17_ethanol_train_01.npz", 1000, True),
}


@pytest.mark.parametrize("name", SETS)
def test_walk(
    make_window: Callable[..., MainWindow],
    ready: Callable[[MainWindow], None],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    screenshots: Path,
    name: str,
) -> None:
    path, n, ordered = SETS[name]
    if not path.startswith("builtin:"):
        folder: Path = request.getfixturevalue("shared")
        found = sorted(folder.glob(path)) or sorted((folder / "rmd17").glob("*ethanol*.npz"))
        path = str(found[0])

    # open, map
    window = make_window(path)
    store = window.store
    dataset = store.dataset
    assert dataset is not None
    assert (len(dataset), dataset.ordered) == (n, ordered)
    assert store.result("map").points.shape == (n, 2)
    assert window.map_view.scatter.status.startswith(f"{n:,} of {n:,}")

    # click, 3D, Coulomb matrix
    scatter = window.map_view.scatter
    view = scatter.focusProxy().viewport()
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=scatter.pixel(n // 3).toPoint())
    ready(window)
    active = store.active
    assert active is not None
    canvas = window.structure_view.canvas
    assert np.array_equal(canvas._numbers, dataset.structures[active].numbers)
    data = window.descriptor_view.plot.data()
    assert data is not None
    assert data.kind == "matrix"
    assert np.allclose(data.values, store.result("features").array[active])

    # another representation
    choice = window.descriptor_view._choice
    choice.setCurrentIndex(choice.findData("bag_of_bonds"))
    choice.activated.emit(choice.currentIndex())
    QTest.qWait(10)
    ready(window)
    data = window.descriptor_view.plot.data()
    assert data is not None
    assert data.kind == "bags"
    QTest.qWait(450)  # the points have wandered to their new places

    # lasso around the left half
    w, h = view.width(), view.height()
    shift = Qt.KeyboardModifier.ShiftModifier
    outline = [QPoint(2, 2), QPoint(w // 2, 2), QPoint(w // 2, h - 3), QPoint(2, h - 3), QPoint(2, 4)]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, shift, outline[0])
    for place in outline[1:]:
        QTest.mouseMove(view, place)
        QTest.qWait(5)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, shift, outline[-1])
    inside = np.array([scatter.pixel(i).x() < w / 2 for i in range(n)])
    assert 0 < store.session.selection.count < n
    assert (store.session.selection.mask == inside).mean() > 0.99
    QTest.qWait(100)
    assert window.grab().save(str(screenshots / f"walk_{name}.png"))

    # export
    dialog = ExportDialog(window)
    dialog.open()
    dialog.write(str(tmp_path / "map.pdf"))
    assert window.runner.wait_idle(60)
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")

    # save, reopen
    session, points = store.session, store.result("map").points
    window.documents.save(str(tmp_path / "walk.qmls"))
    assert window.runner.wait_idle(20)
    window.close()
    again = make_window(str(tmp_path / "walk.qmls"))
    assert again.store.session.differing(session) == frozenset()
    assert np.array_equal(again.store.result("map").points, points)
    assert again.map_view.scatter.count == n
