"""A chemist's question, answered with mouse and keys on the real window.

Which molecules with a gap under 0.2 Ha lie in the same cluster as pyrrole, and what do they have in common?
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from qmlstudio.session.filters import ExpressionFilter, Filters
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.widgets.expression_edit import ExpressionEdit

LEFT = Qt.MouseButton.LeftButton


def _button(panel: object, text: str) -> QPushButton:
    return next(b for b in panel.findChildren(QPushButton) if b.text() == text)  # type: ignore[attr-defined]


def test_the_question(
    make_window: Callable[..., MainWindow], ready: Callable[..., None], qtbot: QtBot, screenshots: Path
) -> None:
    window = make_window("builtin:qm9_7")
    store, panels = window.store, window.panels
    window.actions_by_id["represent_fchl19"].trigger()
    ready(window)

    # find pyrrole
    window.actions_by_id["find"].trigger()
    find = window.find_dialog
    QTest.keyClicks(find.line, "N1C=CC=C1")
    QTest.keyClick(find.line, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: store.active is not None and store.dataset.identifiers[store.active] == "gdb 50", timeout=20_000
    )
    find.close()

    # its cluster
    panels.bring_forward("clusters")
    ready(window)
    QTest.mouseClick(_button(panels.clusters, "Cluster"), LEFT)
    qtbot.waitUntil(lambda: bool(store.result_key("clusters")), timeout=60_000)
    labels = store.result("clusters").labels
    mine = int(labels[store.active])
    assert mine >= 0
    QTest.mouseClick(panels.clusters._here, LEFT)
    rows = panels.clusters.list
    place = rows.visualRect(rows.currentIndex()).center()
    QTest.mouseClick(rows.viewport(), LEFT, pos=place)
    assert np.array_equal(store.session.selection.mask, labels == mine)

    # of small gap
    panels.bring_forward("filters")
    panels.filters.add_filter(ExpressionFilter())
    ready(window)
    edit = panels.filters.findChildren(ExpressionEdit)[0]
    QTest.keyClicks(edit.line, "gap < 0.2")
    QTest.keyClick(edit.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: store.session.filters == Filters((ExpressionFilter("gap < 0.2"),)), timeout=5_000)
    qtbot.waitUntil(lambda: store.result("filter").count == 259, timeout=5_000)
    QTest.mouseClick(_button(panels.filters, "Select these"), LEFT, Qt.KeyboardModifier.ControlModifier)
    found = store.session.selection.mask
    expected = (labels == mine) & (store.columns["gap"].values < 0.2)
    assert np.array_equal(found, expected)
    assert found.any()

    # what they have in common
    panels.clusters._subject.setCurrentIndex(1)
    panels.clusters._describe()
    panels.bring_forward("clusters")
    qtbot.waitUntil(lambda: panels.clusters.text.report is not None, timeout=20_000)
    qtbot.waitUntil(lambda: panels.clusters.text.report.count == found.sum(), timeout=20_000)
    report = panels.clusters.text.report
    assert any("gap" in difference.name for difference in report.properties)
    ready(window)
    QTest.qWait(300)
    assert window.grab().save(str(screenshots / "question.png"))
