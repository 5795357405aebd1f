"""The list of clusters, the strip of pictures and the report, by mouse and keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.depict import depiction_svg
from qmlstudio.session.cluster_report import ClusterReport, Difference, Share, set_report
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.cluster_list import ClusterList, ClusterRow
from qmlstudio.widgets.cluster_strip import Picture, PictureStrip
from qmlstudio.widgets.cluster_summary import ReportText, bar_picture, number, percent, report_html
from qmlstudio.widgets.theme import theme

ROWS = [
    ClusterRow(0, "cluster 1", 50, (230, 159, 0)),
    ClusterRow(1, "azoles", 30, (86, 180, 233)),
    ClusterRow(-1, "noise", 20, None),
]
NO_KEY = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def rows(qtbot: QtBot) -> ClusterList:
    widget = ClusterList()
    qtbot.addWidget(widget)
    widget.resize(288, 200)
    widget.rows.set_rows(ROWS, 100)
    widget.show()
    return widget


def centre(widget: ClusterList, row: int, column: int = 0) -> QPoint:
    return widget.visualRect(widget.rows.index(row, column)).center()


@pytest.mark.parametrize("key", ["NoModifier", "ShiftModifier", "AltModifier", "ControlModifier"])
def test_click_chooses_with_its_modifiers(rows: ClusterList, key: str) -> None:
    chosen: list[Any] = []
    rows.chosen.connect(lambda label, modifiers: chosen.append((label, modifiers)))
    modifier = getattr(Qt.KeyboardModifier, key)
    for row in (1, 2, 2):
        QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, modifier, centre(rows, row))
        assert rows.current == ROWS[row].label
        assert rows.selectionModel().selectedRows()[0].row() == row
    assert chosen == [(1, modifier), (-1, modifier), (-1, modifier)]


def test_keyboard(rows: ClusterList) -> None:
    chosen: list[int] = []
    looked: list[int] = []
    rows.chosen.connect(lambda label, _: chosen.append(label))
    rows.looked_at.connect(looked.append)
    rows.set_current(0)
    QTest.keyClick(rows, Qt.Key.Key_Down)
    QTest.keyClick(rows, Qt.Key.Key_Return)
    QTest.keyClick(rows, Qt.Key.Key_Space)
    assert looked == [0, 1]
    assert chosen == [1, 1]


def test_a_name_is_edited(rows: ClusterList) -> None:
    renamed: list[Any] = []
    chosen: list[int] = []
    rows.renamed.connect(lambda label, name: renamed.append((label, name)))
    rows.chosen.connect(lambda label, _: chosen.append(label))
    rows.set_current(1)
    rows.setFocus()
    QTest.keyClick(rows, Qt.Key.Key_F2)
    editor = rows.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    editor.setText("  five-membered   rings ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.qWait(1)
    assert renamed == [(1, "five-membered rings")]
    assert chosen == []
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, NO_KEY, centre(rows, 0))
    QTest.mouseDClick(rows.viewport(), Qt.MouseButton.LeftButton, NO_KEY, centre(rows, 0))
    editor = next(e for e in rows.findChildren(QLineEdit) if e.text() == "cluster 1")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert len(renamed) == 1
    # noise has no other name
    assert not rows.rows.flags(rows.rows.index(2, 0)) & Qt.ItemFlag.ItemIsEditable


def test_what_rows_say(rows: ClusterList) -> None:
    model = rows.rows
    assert [model.data(model.index(1, c)) for c in range(3)] == ["azoles", "30", "30.0 %"]
    model.set_active(1)
    assert model.data(model.index(1, 0), Qt.ItemDataRole.FontRole).bold()
    assert "active structure" in model.data(model.index(1, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert "active structure" not in model.data(model.index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert model.row_of(-1) == 2
    assert model.row_of(7) == -1
    rows.set_current(1)
    model.set_names([ROWS[0], ClusterRow(1, "other", 30, (1, 2, 3)), ROWS[2]])
    assert rows.current == 1
    assert model.data(model.index(1, 0)) == "other"


def test_swatch_is_the_maps_colour_even_where_marked(rows: ClusterList) -> None:
    rows.set_current(0)
    for dark in (False, True):
        rows.set_dark(dark)
        image = rows.grab().toImage()
        corner = rows.viewport().mapTo(rows, rows.visualRect(rows.rows.index(0, 0)).topLeft())
        ratio = image.devicePixelRatio()
        colors = {
            image.pixelColor(round((corner.x() + x) * ratio), round((corner.y() + y) * ratio)).getRgb()[:3]
            for x in range(24)
            for y in range(18)
        }
        assert (230, 159, 0) in colors


def test_a_hundred_thousand_clusters(rows: ClusterList) -> None:
    many = [ClusterRow(k, f"cluster {k + 1}", 2, None) for k in range(100_000)]
    rows.rows.set_rows(many, 200_000)
    rows.set_current(99_999)
    assert rows.current == 99_999
    assert rows.rows.data(rows.rows.index(5, 2)) == "< 0.1 %"


@pytest.fixture
def strip(qtbot: QtBot) -> PictureStrip:
    widget = PictureStrip()
    qtbot.addWidget(widget)
    widget.resize(288, 400)
    widget.show()
    return widget


def test_pictures_are_clicked(strip: PictureStrip) -> None:
    strip.set_pictures([Picture(7, "pyrrole", depiction_svg("c1cc[nH]c1", (84, 64))), Picture(3, "salt")])
    assert strip.indices == (7, 3)
    seen: list[int] = []
    strip.activated_structure.connect(seen.append)
    for k in (1, 0):
        place = strip.visualItemRect(strip.item(k)).center()
        QTest.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, NO_KEY, place)
    assert seen == [3, 7]
    drawn = strip.item(0).icon().pixmap(84, 64).toImage()
    assert any(drawn.pixelColor(x, y).alpha() > 100 for x in range(84) for y in range(64))
    strip.set_pictures([])
    assert strip.isHidden()


def test_six_pictures_fit_the_panel(strip: PictureStrip) -> None:
    strip.set_pictures([Picture(k, f"gdb {k}") for k in range(6)])
    strip.resize(288, 400)
    QTest.qWait(10)
    assert not strip.verticalScrollBar().isVisible()
    area = strip.viewport().rect()
    assert all(area.contains(strip.visualItemRect(strip.item(k))) for k in range(6))


@pytest.fixture
def text(qtbot: QtBot) -> ReportText:
    widget = ReportText()
    qtbot.addWidget(widget)
    widget.resize(288, 500)
    widget.show()
    return widget


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_report_of_real_data_fits(text: ReportText, dark: bool) -> None:
    dataset = load_builtin("qm9_7").take(slice(0, 400))
    report = set_report(dataset, Columns(dataset), dataset.properties["gap"].values < 0.22)
    text.set_dark(dark)
    text.set_report(report)
    plain = text.toPlainText()
    assert report.summary in " ".join(plain.split())
    assert "gap / Ha" in plain
    assert text.document().size().width() <= text.viewport().width() + 1
    image = text.grab().toImage()
    colors = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert theme(dark).point in colors  # the bars are there


def test_message_in_place_of_a_report(text: ReportText) -> None:
    text.set_report(None, "Nothing <is> selected.")
    assert text.report is None
    assert text.toPlainText() == "Nothing <is> selected."


def test_names_are_escaped() -> None:
    report = ClusterReport(
        2,
        5,
        "<b>",
        (Difference("a<b", "", -1.0, 2.0, -np.inf, -1.0, 1.0, 0.0, ("c&d",)),),
        (),
        (1.0, 2.0),
        (),
        (Share("<script>", 1.0, 0.0, np.inf, 0.0),),
    )
    made = report_html(report, theme(False))
    assert "<script>" not in made
    assert "a&lt;b (c&amp;d)" in made
    assert "↓" in made


def test_bar_shows_both_shares() -> None:
    image = bar_picture(0.5, 0.0, theme(False), 1.0)
    line = [image.pixelColor(x, 5).name() for x in range(image.width())]
    assert line.count(theme(False).point) == pytest.approx(0.5 * image.width() - 2, abs=1)
    assert line[0] == theme(False).foreground


def test_figures() -> None:
    assert [percent(x) for x in (0.0, 0.034, 0.5, 1.0)] == ["0 %", "3.4 %", "50 %", "100 %"]
    assert number(-196.4345) == "−196.4"
    assert number(1e-05) == "1e-05"
