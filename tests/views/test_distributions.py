from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qmlstudio.app.filtering import FilterEngine
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.session.coloring import Coloring
from qmlstudio.session.filters import Filters, RangeFilter
from qmlstudio.views.distributions import DistributionsView

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> Iterator[DistributionsView]:
    engine = FilterEngine(rig.store, rig.runner)
    view = DistributionsView(rig.store, rig.runner)
    qtbot.addWidget(view)
    view.resize(900, 230)
    with qtbot.waitExposed(view):
        view.show()
    yield view
    engine.deleteLater()


def names(view: DistributionsView) -> list[str]:
    return [s.name for s in view.histogram.plot.series]


def drag_bins(view: DistributionsView, first: int, last: int, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    plot = view.histogram.plot
    ends = [plot.bin_center(k).toPoint() for k in (first, last)]
    QTest.mousePress(plot, LEFT, modifiers, ends[0])
    QTest.mouseMove(plot, ends[1])
    QTest.mouseRelease(plot, LEFT, modifiers, ends[1])


def with_column(dataset: Dataset, values: Any) -> Dataset:
    return replace(dataset, properties={"v": Property(np.asarray(values)), **dataset.properties})


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(900, 220), (300, 420)])
def test_pictures(
    view: DistributionsView, rig: Any, qm9: Dataset, screenshots: Path, dark: bool, size: tuple[int, int]
) -> None:
    view.resize(*size)
    view.set_dark(dark)
    rig.open(qm9)
    rig.store.select(qm9.properties["gap"].values < 0.25, "replace", "lasso")
    rig.store.set_active(7)
    rig.store.update("filters", filters=Filters((RangeFilter("n_heavy", 4, 6),)))
    view.histogram.by.choose("n_heavy")
    view.show_column("gap")
    rig.settle()
    assert names(view)[:2] == ["all", "selected"]
    assert names(view)[-1] == "pass filters"
    assert (view.width(), view.height()) == size
    end = f"{size[0]}_{'dark' if dark else 'light'}.png"
    assert view.grab().save(str(screenshots / f"distributions_histogram_{end}"))
    view.show_pair("gap", "mu")
    rig.settle()
    assert view.grab().save(str(screenshots / f"distributions_pair_{end}"))
    view.show_page(2)
    rig.settle()
    assert view.grab().save(str(screenshots / f"distributions_correlations_{end}"))
    assert (view.width(), view.height()) == size


def test_dragging_over_bins_selects_what_is_in_them(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_column("gap")
    rig.settle()
    found = view.histogram.shown
    assert found is not None
    drag_bins(view, 3, 5)
    selection, edges = rig.store.session.selection, found.binning.edges
    gap = qm9.properties["gap"].values
    assert np.array_equal(selection.mask, (gap >= edges[3]) & (gap < edges[6]))
    assert selection.count == found.binning.counts[3:6].sum() > 0
    assert selection.origin == f"gap {view.histogram.plot.bin_text(3, 5)}"
    assert selection.origin.startswith("gap 0.")
    assert selection.origin.endswith(" Ha")
    rig.settle()
    series = {s.name: s for s in view.histogram.plot.series}
    assert series["selected"].total == selection.count
    assert series["selected"].density is not None
    drag_bins(view, 7, 7, SHIFT)
    assert rig.store.session.selection.count == found.binning.counts[[3, 4, 5, 7]].sum()
    rig.settle()
    text = view.histogram.text.text
    assert f"selected: n {rig.store.session.selection.count}" in text
    assert "Mann–Whitney" in text
    assert "Kolmogorov–Smirnov" in text
    rig.store.undo()
    rig.store.undo()
    rig.settle()
    assert names(view) == ["all"]
    assert "selected" not in view.histogram.text.text


def test_the_active_structure_and_few_selected_are_marked(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_column("gap")
    rig.settle()
    rig.store.set_active(5)
    mark = view.histogram.plot.mark
    assert mark is not None
    assert mark.value == qm9.properties["gap"].values[5]
    assert mark.text.startswith(str(qm9.identifiers[5]))
    mask = np.arange(400) < 3
    rig.store.select(mask, "replace", "x")
    assert np.array_equal(view.histogram.plot.rug, qm9.properties["gap"].values[:3])
    rig.store.select(mask, "intersect", "x")
    rig.store.select(np.ones(400, bool), "replace", "x")
    assert len(view.histogram.plot.rug) == 0


def test_texts_have_bars(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_column("formula")
    rig.settle()
    found = view.histogram.shown
    assert found is not None
    drag_bins(view, 0, 0)
    formulas = qm9.properties["formula"].values
    assert np.array_equal(rig.store.session.selection.mask, formulas == found.names[0])
    assert rig.store.session.selection.origin == f"formula {found.names[0]}"
    assert not view.histogram.log_x.isEnabled()


def test_tools_change_the_histogram(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_column("r2")
    rig.settle()
    view.histogram.bins.setValue(9)
    rig.settle()
    assert view.histogram.plot.bins == 9
    view.histogram.log_x.click()
    rig.settle()
    found = view.histogram.shown
    assert found is not None
    assert found.binning.log
    view.histogram.curves.click()
    rig.settle()
    assert all(s.density is None for s in view.histogram.plot.series)
    view.histogram.by.choose("n_heavy")
    view.histogram.by.activated.emit(0)
    rig.settle()
    assert "n_heavy 6" in names(view)
    assert len({s.dash for s in view.histogram.plot.series[1:]}) == len(names(view)) - 1


def test_clusters_come_and_go(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_column("gap")
    rig.settle()
    labels = np.array(["A", "B"])[np.arange(400) % 2]
    rig.store.set_derived("cluster", Property(labels))
    assert view.histogram.by.itemData(1) == "cluster"
    view.histogram.by.choose("cluster")
    view.histogram.refresh()
    rig.settle()
    assert names(view) == ["all", "A", "B"]
    rig.store.set_derived("cluster", Property(np.where(labels == "A", "C", "")))
    rig.settle()
    assert names(view) == ["all", "C"]
    rig.store.set_derived("cluster", None)
    rig.settle()
    assert names(view) == ["all"]


def test_hidden_pages_draw_nothing_until_shown(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    rig.settle()
    assert view.pair.plot.count == 0
    assert view.correlations.matrix is None
    drawn = view.histogram.redraws
    view.show_page(1)
    rig.settle()
    assert view.pair.plot.count == 400
    rig.store.select(np.arange(400) < 50, "replace", "x")
    rig.settle()
    assert view.histogram.redraws == drawn
    shown = view.histogram.shown
    view.show_page(0)
    rig.settle()
    # only what hangs on the selection was worked out anew
    assert view.histogram.shown is shown
    assert names(view) == ["all", "selected"]


def test_pair_statistics_and_lines(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_pair("gap", "lumo")
    rig.settle()
    gap, lumo = (qm9.properties[k].values for k in ("gap", "lumo"))
    slope, intercept = np.polyfit(gap, lumo, 1)
    assert len(view.pair.plot.lines) == 1
    assert (view.pair.plot.lines[0].slope, view.pair.plot.lines[0].intercept) == pytest.approx((slope, intercept))
    assert "Kendall τ-b" in view.pair.text.text
    view.pair.robust.click()
    rig.store.select(gap < 0.3, "replace", "x")
    rig.settle()
    assert [line.role for line in view.pair.plot.lines] == ["all", "robust", "selected"]
    selected = np.polyfit(gap[gap < 0.3], lumo[gap < 0.3], 1)
    assert view.pair.plot.lines[2].slope == pytest.approx(selected[0])
    statistics = view.pair.statistics
    rig.store.set_active(3)
    rig.settle()
    assert view.pair.statistics is not None
    assert statistics is not None
    # another active structure changes no number
    assert view.pair.statistics[0] is statistics[0]
    assert view.pair.plot.axes == ("gap / Ha", "lumo / Ha")
    view.pair.swap.click()
    rig.settle()
    assert view.pair.plot.axes == ("lumo / Ha", "gap / Ha")
    view.pair.log_y.click()
    rig.settle()
    assert view.pair.plot.axes == ("lumo / Ha", "log₁₀(gap / Ha)")
    assert np.allclose(view.pair.plot.points[:, 1], np.log10(gap))


def test_a_lasso_on_the_pair_selects(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_pair("gap", "mu")
    rig.settle()
    plot = view.pair.plot
    view.pair.lasso.click()
    assert plot.tool == "lasso"
    plot.set_tool("box")
    assert view.pair.lasso.isChecked()
    port = plot.findChild(type(plot._view)).viewport()
    where = port.rect()
    corners = [QPoint(where.width() * 2 // 10, 12), QPoint(where.width() * 4 // 10, where.height() * 8 // 10)]
    QTest.mousePress(port, LEFT, PLAIN, corners[0])
    for k in range(1, 11):
        QTest.mouseMove(port, corners[0] + (corners[1] - corners[0]) * k / 10)
    QTest.mouseRelease(port, LEFT, PLAIN, corners[1])
    selection = rig.store.session.selection
    assert 0 < selection.count < 400
    assert selection.origin == "lasso (gap–mu)"
    gap = qm9.properties["gap"].values
    assert np.ptp(gap[selection.mask]) < np.ptp(gap)


def test_clicks_and_hovering_are_linked(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_pair("gap", "mu")
    rig.settle()
    view.pair.plot.clicked.emit(11, PLAIN)
    assert rig.store.active == 11
    view.pair.plot.clicked.emit(12, Qt.KeyboardModifier.ControlModifier)
    assert rig.store.session.pins == (12,)
    hovered: list[int] = []
    rig.store.hovered.connect(hovered.append)
    view.pair.plot.hovered.emit(4)
    assert hovered == [4]
    rig.store.hover(9)
    assert hovered == [4, 9]
    rig.store.update("colour", coloring=Coloring(color_by="gap"))
    rig.store.update("filters", filters=Filters((RangeFilter("gap", 0.2, 0.3),)))
    rig.settle()
    assert view.pair.plot.count == 400


def test_correlations_open_their_pair(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(with_column(qm9, np.full(400, 3.0)))
    view.show_page(2)
    rig.settle()
    page = view.correlations
    assert page.matrix is not None
    assert "blank, since they do not vary: v" in page.text.text
    i, j = page.names.index("gap"), page.names.index("lumo")
    gap, lumo = (qm9.properties[k].values for k in ("gap", "lumo"))
    assert page.matrix.values[i, j] == pytest.approx(np.corrcoef(gap, lumo)[0, 1])
    port = page.plot.viewport()
    page.plot.cell_changed.emit(i, j)
    assert page.text.text.startswith("gap and lumo: Pearson r = ")
    assert "n 400" in page.text.text
    where = page.plot.cell_rect(i, j).center().toPoint()
    page.plot.verticalScrollBar().setValue(page.plot.verticalScrollBar().value() + where.y() - port.height() + 30)
    QTest.mouseClick(port, LEFT, PLAIN, page.plot.cell_rect(i, j).center().toPoint())
    rig.settle()
    assert view.page == 1
    assert view.pair.plot.axes == ("lumo / Ha", "gap / Ha")
    view.show_page(2)
    page.kind.setCurrentIndex(1)
    page.kind.activated.emit(1)
    page.composition.click()
    rig.settle()
    assert "n_C" in page.names
    view.correlations.plot.pair_chosen.emit(i, i)
    assert view.page == 0


def test_correlations_of_the_selection(view: DistributionsView, rig: Any, qm9: Dataset) -> None:
    rig.open(qm9)
    view.show_page(2)
    view.correlations.selected.click()
    rig.settle()
    assert view.correlations.matrix is None
    rig.store.select(np.arange(400) < 100, "replace", "x")
    rig.settle()
    assert view.correlations.matrix is not None
    assert view.correlations.matrix.rows == 100


@pytest.mark.parametrize(
    "values",
    [np.full(400, np.nan), np.full(400, np.inf), np.full(400, 1.0), np.linspace(-1.7, 1.7, 400) * 1e308],
)
def test_odd_columns(view: DistributionsView, rig: Any, qm9: Dataset, values: np.ndarray) -> None:
    rig.open(with_column(qm9, values))
    rig.store.select(np.arange(400) < 9, "replace", "x")
    rig.store.set_active(0)
    for page in range(3):
        view.show_page(page)
        rig.settle()
        assert not view.grab().isNull()
    view.show_pair("v", "gap")
    rig.settle()
    view.pair.log_x.click()
    view.show_column("v")
    view.histogram.log_x.click()
    rig.settle()
    view.grab()
    assert view.histogram.text.text


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_structures(view: DistributionsView, rig: Any, qm9: Dataset, n: int) -> None:
    for page in range(3):
        view.show_page(page)
        view.grab()
    rig.store.open_dataset(qm9.take(slice(0, n)))
    for page in range(3):
        view.show_page(page)
        rig.settle()
        assert not view.grab().isNull()


def test_another_data_set(view: DistributionsView, rig: Any, qm9: Dataset, ethanol: Dataset) -> None:
    rig.open(qm9)
    rig.settle()
    rig.open(ethanol)
    rig.settle()
    found = view.histogram.shown
    assert found is not None
    assert len(found.binning.codes) == len(ethanol)
    assert found.spec.column in ethanol.properties
