"""What people do with the mouse in the window: how many frames a second, how long until the panels have followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from window_driver import LEFT, NO_BUTTON, Driver, Paints, big_set, clouds, many
from window_rows import Row, durations, rates
from window_sets import BigSet

from qmlstudio import representations
from qmlstudio.app.jobs import JobHandle
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.representations.base import Features

MOVE, PRESS, RELEASE = QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease
HOVER_LIMIT, CLICK_LIMIT, LASSO_LIMIT = 0.1, 0.05, 0.1
FOLLOWING = ("bonds", "descriptor")
"""Jobs that a click asks for and that the panels of the demand show; gallery and neighbours come after them."""
SIZES = (("QM9", 60.0), ("elpasolites", 30.0), ("10 million", 10.0))
"""Points, and the frames a second that are asked for."""


def measure_map(driver: Driver, quick: bool) -> list[Row]:
    """Pan and zoom with the mouse, every frame a full repaint, all points in view."""
    driver.start()
    rows = []
    for dock in driver.window.docks.values():  # the map as large as people make it
        dock.hide()
    driver.window.splitter.setSizes([1000, 400])
    for name, least in SIZES[:2] if quick else SIZES:
        with big_set(name) as shown:
            driver.show(shown.dataset, shown.points)
            rows += _frames(driver, shown, least, 60 if quick else 200 if len(shown) < 5_000_000 else 80)
    return rows


def _frames(driver: Driver, shown_set: BigSet, least: float, count: int) -> list[Row]:
    scatter = driver.window.map_view.scatter
    shown: list[int] = []
    scatter._raster.drawn.connect(shown.append)
    paints = Paints(driver.surface)
    middle = QPointF(driver.surface.rect().center())

    def frames(act: Callable[[int], None]) -> list[float]:
        times = []
        for k in range(count):
            before = len(shown)
            began = time.perf_counter()
            paints.clear()
            act(k)
            end = driver.until_painted(paints)
            if len(shown) == before:
                raise RuntimeError("a frame was not drawn anew")
            times.append(end - began)
        return times

    driver.mouse(PRESS, middle, LEFT, LEFT)
    driver.mouse(MOVE, middle + QPointF(12, 0), NO_BUTTON, LEFT)
    driver.turn(0.1)
    shown.clear()
    pan = frames(lambda k: driver.mouse(MOVE, middle + QPointF(3 * (k % 2), 2 * (k % 3)), NO_BUTTON, LEFT))
    all_panned = min(shown)
    driver.mouse(MOVE, middle, NO_BUTTON, LEFT)
    driver.mouse(RELEASE, middle, LEFT)
    driver.turn(0.1)
    driver.wheel(middle, -1)
    driver.turn(0.1)
    shown.clear()
    zoom = frames(lambda k: driver.wheel(middle, -1 if k % 2 == 0 else 1))
    all_zoomed = min(shown)
    scatter._raster.drawn.disconnect(shown.append)
    total, drawn_as = scatter.count, scatter.drawn_as
    size = f"{driver.surface.width()}×{driver.surface.height()} px"
    size += f"; {shown_set.note}" if shown_set.note else ""
    what = shown_set.title
    return [
        rates(f"map: pan, {what}", pan, least, f"{all_panned:,} of {total:,} counted, {drawn_as}, {size}"),
        rates(f"map: zoom, {what}", zoom, least, f"{all_zoomed:,} of {total:,} counted, {drawn_as}, {size}"),
    ]


def measure_lasso(driver: Driver, quick: bool) -> list[Row]:
    """Shift+drag round half of two million points, released: until map, table, counts and status show it."""
    driver.start()
    window = driver.window
    with big_set("elpasolites") as shown:
        driver.show(shown.dataset, shown.points)
        paints = Paints(
            driver.surface,
            window.dataset_view.table.viewport(),
            window.dataset_view._count,
            window.map_view._count,
            window._status_data,
        )
        shift = Qt.KeyboardModifier.ShiftModifier
        times, counts = [], []
        angles = np.linspace(0, 2 * np.pi, 90)
        middle = QPointF(driver.surface.rect().center())
        for k in range(5 if quick else 30):
            radius = (0.12 + 0.02 * (k % 7)) * driver.surface.height()
            at = [middle + QPointF(radius * np.cos(a), radius * np.sin(a)) for a in angles]
            driver.mouse(PRESS, at[0], LEFT, LEFT, shift)
            for p in at[1:]:
                driver.mouse(MOVE, p, NO_BUTTON, LEFT, shift)
            driver.turn(0.3)
            paints.clear()
            began = time.perf_counter()
            driver.mouse(RELEASE, at[-1], LEFT, NO_BUTTON, shift)
            times.append(driver.until_painted(paints) - began)
            counts.append(window.store.session.selection.count)
            driver.turn(0.3)
    note = f"{min(counts):,} to {max(counts):,} points inside"
    return [durations(f"lasso over {shown.title} to all panels", times, LASSO_LIMIT, note=note)]


def measure_hover(driver: Driver, quick: bool) -> list[Row]:
    """The mouse moves on to a point: until its card is on screen, and until the depiction is in it."""
    driver.start()
    plain, drawn = _hovers(driver, 12 if quick else 60, True)
    rows = [
        durations("hover: card with name and values", plain, HOVER_LIMIT),
        durations("hover: card with depiction", drawn, HOVER_LIMIT, note="RDKit's drawing on the interactive lane"),
    ]
    for name in ("QM9", "elpasolites"):
        with big_set(name) as shown:
            driver.show(shown.dataset, shown.points)
            plain, _ = _hovers(driver, 12 if quick else 60, False)
            rows.append(durations(f"hover: card, {shown.title}", plain, HOVER_LIMIT, note=shown.note))
    return rows


def _hovers(driver: Driver, count: int, depicted: bool) -> tuple[list[float], list[float]]:
    window, card = driver.window, driver.window.map_view.card
    outside = QPointF(2, 2)
    plain, drawn = [], []
    text, picture = Paints(card), Paints(card._depiction)
    for index in driver.pointable(count):
        driver.mouse(MOVE, outside)
        driver.turn(0.15)
        text.clear()
        picture.clear()
        began = time.perf_counter()
        driver.mouse(MOVE, driver.place(index))
        if window.map_view.cards.index != index:
            raise RuntimeError(f"the mouse on structure {index} found {window.map_view.cards.index}")
        plain.append(driver.until_painted(text) - began)
        if depicted:
            drawn.append(driver.until_painted(picture) - began)
    return plain, drawn


def measure_click(driver: Driver, quick: bool) -> list[Row]:
    """A click on a point: until map, structure, descriptor and table show it."""
    driver.start()
    rows = []
    window = driver.window
    panels = (
        driver.surface,
        window.structure_view.canvas,
        window.descriptor_view.plot,
        window.dataset_view.table.viewport(),
    )
    paints = Paints(*panels)
    # the two millions come last: their bags of bonds of 39 elements would not fit into memory
    for name in ("bag_of_bonds", "coulomb_matrix"):
        new = representations.REGISTRY[name]()
        if new != window.store.session.representation:
            window.store.update(representation=new)
            driver.wait(lambda: bool(window.store.result_key("map")), 120, "the map")
        driver.rest()
        rows.append(_clicks(driver, f"click → map, 3D, descriptor ({name}), table", paints, 12 if quick else 60))
    with big_set("elpasolites") as shown:
        driver.show(shown.dataset, shown.points)
        what = f"click with {shown.title} → map, 3D, descriptor, table"
        rows.append(_clicks(driver, what, paints, 5 if quick else 20))
    return rows


def _clicks(driver: Driver, what: str, paints: Paints, count: int) -> Row:
    window = driver.window
    times: list[float] = []
    own: list[float] = []

    def finished(handle: JobHandle, state: str) -> None:
        # bonds or descriptor come from a job: what counts is painted after it
        if handle.slot in FOLLOWING:
            paints.missing.add(1 if handle.slot == "bonds" else 2)

    window.runner.finished.connect(finished)
    for index in driver.pointable(count):
        if index == window.store.active:
            continue
        at = driver.place(index)
        driver.turn(0.1)
        paints.clear()
        began = time.perf_counter()
        driver.mouse(PRESS, at, LEFT, LEFT)
        driver.mouse(RELEASE, at, LEFT)
        own.append(time.perf_counter() - began)
        if window.store.active != index:
            raise RuntimeError(f"the click on structure {index} hit {window.store.active}")
        times.append(driver.until_painted(paints, slots=FOLLOWING) - began)
    window.runner.finished.disconnect(finished)
    note = f"handlers {np.median(own) * 1e3:.0f} ms, 3D by {window.structure_view.canvas.backend}"
    return durations(what, times, CLICK_LIMIT, note=note)


def measure_live(driver: Driver, quick: bool) -> list[Row]:
    """A 30-atom molecule whose positions change all the time; the representation comes from the interactive lane."""
    from qmlstudio.chem.readers import read_text

    driver.start()
    window = driver.window
    molecule = read_text("CCCCCCCCCO").structures[0]
    rng, frames = np.random.default_rng(0), 600
    moves = np.cumsum(rng.normal(0, 0.004, (frames, len(molecule), 3)), axis=0)
    structures = Structures.from_lists([molecule.numbers] * frames, list(molecule.positions + moves))
    rows = []
    paints = Paints(window.descriptor_view.plot)
    for name, cls in representations.REGISTRY.items():
        window.store.update(representation=cls())
        driver.show(Dataset(f"{len(molecule)} atoms, {name}", structures, ordered=True))
        driver.turn(0.5)
        times: list[float] = []
        began = last = time.perf_counter()
        frame, seen = 0, window.descriptor_view.redraws
        paints.clear()
        while time.perf_counter() - began < (1.5 if quick else 4.0):
            frame += 1
            window.store.set_active(frame % frames)
            pause = time.perf_counter() + 0.008  # a mouse reports 125 times a second
            while time.perf_counter() < pause:
                driver.application.processEvents()
                if window.descriptor_view.redraws > seen and not paints.missing:
                    now = time.perf_counter()
                    times.append(now - last)
                    last, seen = now, window.descriptor_view.redraws
                    paints.clear()
        shown = window.descriptor_view.plot.data()
        note = f"{shown.kind if shown is not None else 'nothing'} drawn, 3D and bonds follow"
        rows.append(rates(f"live descriptor, {len(molecule)} atoms: {name}", times, 20.0, note, unit="/s"))
    return rows


def measure_memory(driver: Driver, quick: bool) -> list[Row]:
    """Two million points, their features in a file."""
    driver.start()
    n = 2_000_000
    with TemporaryDirectory() as scratch:
        dataset = many(n, Path(scratch))
        representation = representations.REGISTRY["coulomb_matrix"]()
        columns = representation.size(dataset.structures.species)
        array = np.lib.format.open_memmap(Path(scratch) / "features.npy", "w+", np.float64, (n, columns))
        representation.compute(dataset.structures, out=array)
        array.flush()
        driver.window.store.update(representation=representation)
        features = Features(array, representation, dataset.structures.species)
        driver.show(dataset, clouds(n), features=features)
        anonymous, files = _resident("RssAnon"), _resident("RssFile")
    total = anonymous + files
    note = (
        f"{anonymous / 2**20:,.0f} MiB own, {files / 2**20:,.0f} MiB of files; features {array.nbytes / 2**20:,.0f} MiB"
    )
    return [
        Row(
            what="memory: 2,000,000 points, features in a file",
            worst=f"{total / 2**20:,.0f} MiB",
            demand="≤ 2,048 MiB",
            is_met=total <= 2**31 if total else None,
            note=note if total else "this system does not tell",
        )
    ]


def _resident(kind: str) -> int:
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(kind + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
