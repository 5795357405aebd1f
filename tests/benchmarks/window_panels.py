"""Filters, gallery and table over real large sets: how soon the screen has followed, how many frames a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QEvent, QPointF
from PySide6.QtWidgets import QAbstractScrollArea, QApplication
from window_driver import LEFT, NO_BUTTON, Driver, Paints, big_set
from window_rows import Row, durations, rates, stalls
from window_sets import NO_QM9, molecules

from qmlstudio.session.filters import CategoryFilter, Filters, RangeFilter

FILTER_LIMIT, GALLERY_LEAST, CELLS = 0.1, 30.0, 100_000
PRESS, RELEASE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease
MASS, GAP = "mass", "gap"


def measure_filters(driver: Driver, quick: bool) -> list[Row]:
    """A range is moved as its slider moves it: until what does not pass is dimmed on the map."""
    driver.start()
    driver.window.docks["filters"].show()
    driver.window.docks["filters"].raise_()
    rows = []
    with big_set("elpasolites") as shown:
        driver.show(shown.dataset, shown.points)
        mass = shown.dataset.properties[MASS].values
        steps = np.quantile(mass, np.linspace(0.05, 0.95, 5 if quick else 30))
        one = [Filters((RangeFilter(MASS, high=float(v)),)) for v in steps]
        more = CategoryFilter("C", ("Na", "K", "Rb", "Cs")), RangeFilter("edge", low=12.0)
        three = [Filters((RangeFilter(MASS, low=float(v)), *more)) for v in steps]
        rows.append(_moves(driver, f"filters: a range moved, {shown.title}", one))
        rows.append(_moves(driver, f"filters: a range moved, two more filters, {shown.title}", three))
    with big_set("QM9") as shown:
        if not shown.note:
            driver.show(shown.dataset, shown.points)
            steps = np.quantile(shown.dataset.properties[GAP].values, np.linspace(0.05, 0.95, 5 if quick else 30))
            one = [Filters((RangeFilter(GAP, high=float(v)),)) for v in steps]
            rows.append(_moves(driver, f"filters: a range moved, {shown.title}", one))
        else:
            rows.append(Row(what="filters: a range moved, QM9", demand="≤ 100 ms", note=shown.note))
    return rows


def _moves(driver: Driver, what: str, steps: list[Filters]) -> Row:
    """Apply the filters one after the other; each is timed until the map was painted with its result."""
    store = driver.window.store
    store.update("filter", filters=steps[-1])
    driver.rest()
    paints = Paints(driver.surface)
    arrived: list[str] = []

    def published(name: str) -> None:
        if name == "filter":
            arrived.append(name)
            paints.clear()  # what was painted before showed the old result

    store.results_changed.connect(published)
    times, counts = [], []
    for filters in steps:
        driver.turn(0.1)
        arrived.clear()
        began = time.perf_counter()
        store.update("filter", filters=filters)
        _until(driver, lambda: bool(arrived), "the filter's result")
        times.append(driver.until_painted(paints) - began)
        counts.append(store.result("filter").count)
    store.results_changed.disconnect(published)
    if len(set(counts)) < 2:
        raise RuntimeError(f"{what}: the filter does nothing: {counts[:3]}")
    return durations(what, times, FILTER_LIMIT, note=f"{min(counts):,} to {max(counts):,} pass")


def measure_gallery(driver: Driver, quick: bool) -> list[Row]:
    """100,000 molecules of QM9 under the wheel, then jumps to other places."""
    driver.start()
    what = f"gallery: scroll, {CELLS:,} cells"
    dataset = molecules()
    if dataset is None:
        return [Row(what=what, demand=f"≥ {GALLERY_LEAST:g} fps", note=NO_QM9)]
    dock = driver.window.docks["gallery"]
    dock.setFloating(True)  # as large as people make it
    dock.resize(1000, 760)
    dock.show()
    driver.show(dataset)
    mask = np.zeros(len(dataset), dtype=bool)
    mask[np.random.default_rng(0).permutation(len(dataset))[:CELLS]] = True
    driver.window.store.select(mask, "replace", "benchmark")
    driver.rest()
    areas = dock.widget().findChildren(QAbstractScrollArea)
    area = max(areas, key=lambda a: a.verticalScrollBar().maximum())
    view, bar = area.viewport(), area.verticalScrollBar()
    paints, middle = Paints(view), QPointF(view.rect().center())
    frames: list[float] = []
    driver.begin()
    for k in range(60 if quick else 300):
        before = bar.value()
        began = time.perf_counter()
        paints.clear()
        driver.wheel(middle, -1 if k % 100 < 75 else 1, view)
        frames.append(driver.until_painted(paints) - began)
        if bar.value() == before:
            raise RuntimeError(f"the wheel did not scroll the gallery at {before} of {bar.maximum()}")
    scrolling = driver.end()
    jumps = []
    for k in range(4 if quick else 12):
        driver.rest()
        paints.clear()
        began = time.perf_counter()
        bar.setValue((k + 1) * bar.maximum() // 13)
        driver.until_painted(paints)
        jumps.append(_last_paint(driver, paints) - began)
    size = f"{view.width()}×{view.height()} px"
    return [
        rates(what, frames, GALLERY_LEAST, size),
        stalls(f"stalls: gallery under the wheel, {CELLS:,} cells", *scrolling),
        durations("gallery: jump → all cells in view drawn", jumps, note=size),
    ]


def _last_paint(driver: Driver, paints: Paints) -> float:
    """The moment after which nothing was painted for a while and no job ran: pictures come in as they are made."""
    last, seen = time.perf_counter(), sum(paints.counts)
    while time.perf_counter() - last < 0.25 or not driver.window.runner.is_idle:
        QApplication.processEvents()
        if sum(paints.counts) > seen:
            last, seen = time.perf_counter(), sum(paints.counts)
    return last


def measure_table(driver: Driver, quick: bool) -> list[Row]:
    """A click on a heading: until the table's first row is the right one and painted."""
    driver.start()
    rows = []
    with big_set("elpasolites") as shown:
        driver.show(shown.dataset, shown.points)
        for name, kind in ((MASS, "a number"), ("", "the identifier")):
            rows += _sorts(driver, name, f"{kind}, {shown.title}", 2 if quick else 6)
    return rows


def _sorts(driver: Driver, name: str, what: str, count: int) -> list[Row]:
    dataset = driver.window.store.dataset
    assert dataset is not None
    values = dataset.properties[name].values if name else dataset.identifiers
    ordered = np.sort(values)
    table = driver.window.dataset_view.table
    model, header = table.rows, table.horizontalHeader()
    titles = [str(model.headerData(c, header.orientation())) for c in range(model.columnCount())]
    column = next(c for c, title in enumerate(titles) if title.startswith(name or "identifier"))
    header.resizeSection(column, 120)
    table.scrollTo(model.index(0, column))
    at = QPointF(header.sectionViewportPosition(column) + 40, header.height() / 2)
    paints = Paints(table.viewport())
    times = []
    driver.begin()
    for k in range(count):
        driver.turn(0.3)
        began = time.perf_counter()
        driver.mouse(PRESS, at, LEFT, LEFT, surface=header.viewport())
        driver.mouse(RELEASE, at, LEFT, NO_BUTTON, surface=header.viewport())
        # Qt's indicator that can be cleared comes to ascending, descending, none
        first = (ordered[0], ordered[-1], values[0])[k % 3]
        _until(driver, lambda first=first: values[model.structure(0)] == first, "the sorted table")  # type: ignore[misc]
        paints.clear()
        table.viewport().update()
        times.append(driver.until_painted(paints) - began)
    found = driver.end()
    return [durations(f"table: sort by {what}", times), stalls(f"stalls: table sorted by {what}", *found)]


def _until(driver: Driver, condition: Callable[[], bool], what: str, limit: float = 60.0) -> float:
    """Turn the event loop as fast as it goes until `condition` holds; returns that moment."""
    until = time.perf_counter() + limit
    while not condition():
        if time.perf_counter() > until or driver.failures:
            raise RuntimeError(f"{what} did not come: {'; '.join(driver.failures) or f'{limit:g} s'}")
        QApplication.processEvents()
    return time.perf_counter()
