"""Measurements in the real window, each group in a process of its own: ``python window_works.py GROUP RESULT.json``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PySide6.QtCore import QEvent, QPointF, Qt  # noqa: E402
from window_driver import LEFT, NO_BUTTON, SHARED, Driver, Paints, clouds, many  # noqa: E402
from window_rows import Row, durations, rates, stalls  # noqa: E402

from qmlstudio import representations  # noqa: E402
from qmlstudio.app.jobs import JobHandle  # noqa: E402
from qmlstudio.chem.dataset import Dataset  # noqa: E402
from qmlstudio.chem.structures import Structures  # noqa: E402
from qmlstudio.learning.embedding import UMAP  # noqa: E402
from qmlstudio.shell.warm_up import warm_up_job  # noqa: E402

QM7 = SHARED / "qm7" / "qm7.tar.gz"
NO_QM7 = "the QM7 archive is not beside the project"
MOVE, PRESS, RELEASE = QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease
HOVER_LIMIT, CLICK_LIMIT, LASSO_LIMIT, OWN_CANCEL, ANY_CANCEL = 0.1, 0.05, 0.1, 0.3, 1.0


# -- stalls while jobs run


def measure_stalls(driver: Driver, quick: bool) -> list[Row]:
    """Opening a file, features and map of QM7, structures made from SMILES, saving."""
    driver.start()
    window = driver.window
    if not QM7.exists():
        return [Row(what="stalls while jobs run", demand="p99 ≤ 30 ms, max ≤ 200 ms", note=NO_QM7)]
    rows = []
    opened: list[str] = []
    window.documents.opened.connect(opened.append)
    reading: list[tuple[dict[float, float], float]] = []
    computing: list[tuple[dict[float, float], float]] = []
    for _ in range(1 if quick else 3):
        opened.clear()
        window.cache.clear()
        driver.begin()
        window.open_paths([str(QM7)])
        driver.wait(lambda: bool(opened), 60, "QM7")
        reading.append(driver.end())
        driver.begin()
        driver.wait(lambda: bool(window.store.result_key("map")) and window.runner.is_idle, 120, "the map of QM7")
        driver.turn(0.5)
        computing.append(driver.end())
    rows.append(_worst_of("stalls: opening QM7 (7,101 xyz in a tar.gz)", reading))
    rows.append(_worst_of("stalls: Coulomb matrix + UMAP of QM7, streamed", computing))
    # another representation and back: the map moves from one to the other
    driver.begin()
    window.store.update(representation=representations.REGISTRY["bag_of_bonds"]())
    driver.wait(lambda: bool(window.store.result_key("map")) and window.runner.is_idle, 120, "the map of bags")
    driver.turn(0.5)
    rows.append(stalls("stalls: bag of bonds + UMAP of QM7", *driver.end()))
    with TemporaryDirectory() as scratch:
        driver.begin()
        window.documents.save(str(Path(scratch) / "benchmark.qmls"))
        driver.wait(lambda: window.runner.is_idle, 60, "the saved session")
        rows.append(stalls("stalls: saving the session of QM7", *driver.end()))
    text = "\n".join(_smiles(100 if quick else 400))
    opened.clear()
    driver.begin()
    window.documents.open_text(text)
    driver.wait(lambda: bool(opened), 120, "structures from SMILES")
    rows.append(stalls(f"stalls: {text.count(chr(10)) + 1} structures made from SMILES", *driver.end()))
    return rows


def _worst_of(what: str, found: list[tuple[dict[float, float], float]]) -> Row:
    """Of several runs the one with the worst 99th percentile, and the worst stall of all."""
    percentiles = max((f for f, _ in found), key=lambda f: f[99.0])
    return stalls(what, percentiles, max(w for _, w in found), note=f"worst of {len(found)} runs")


def _smiles(count: int) -> list[str]:
    """Alcohols, ethers, amines and rings of two to eight heavy atoms."""
    chains = [f"{'C' * a}{x}{'C' * b}" for a in range(1, 5) for x in "ONS" for b in range(4)]
    rings = [f"C1{'C' * a}{x}C1{'C' * b}" for a in range(1, 4) for x in ("O", "N", "C(=O)", "C(F)") for b in range(3)]
    known = chains + rings
    return [known[k % len(known)] for k in range(count)]


def measure_warm_up(driver: Driver, quick: bool) -> list[Row]:
    """The warm-up job alone, in a window without a data set."""
    window = driver.window
    window.structure_view.start()
    driver.turn(0.5)
    ended: list[JobHandle] = []
    window.runner.finished.connect(lambda handle, state: ended.append(handle))
    driver.begin()
    handle = window.runner.submit(warm_up_job())
    driver.wait(lambda: handle.is_finished, 300, "the warm-up")
    driver.turn(0.2)
    return [stalls("stalls: warm-up", *driver.end(), note=f"it took {handle.seconds:.1f} s")]


# -- the map


def measure_map(driver: Driver, quick: bool) -> list[Row]:
    """Pan and zoom with the mouse, every frame a full repaint, all points in view."""
    driver.start()
    rows = []
    sizes: tuple[tuple[int, float], ...] = ((134_000, 60.0), (2_000_000, 30.0), (10_000_000, 10.0))
    for n, least in sizes[:2] if quick else sizes:
        with TemporaryDirectory() as scratch:
            driver.show(many(n, Path(scratch), atoms=1), clouds(n))
            driver.wait(lambda: driver.window.map_view.scatter.count == n, 120, "the points")
            driver.rest()
            frames = 60 if quick else 200 if n < 5_000_000 else 80
            rows += _frames(driver, f"{n:,} points", least, frames)
    return rows


def _frames(driver: Driver, what: str, least: float, count: int) -> list[Row]:
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
    total, drawn_as = scatter.count, scatter._drawn_as
    size = f"{driver.surface.width()}×{driver.surface.height()} px"
    return [
        rates(f"map: pan, {what}", pan, least, f"{all_panned:,} of {total:,} counted, {drawn_as}, {size}"),
        rates(f"map: zoom, {what}", zoom, least, f"{all_zoomed:,} of {total:,} counted, {drawn_as}, {size}"),
    ]


def measure_lasso(driver: Driver, quick: bool) -> list[Row]:
    """Shift+drag round half of two million points, released: until map, table, counts and status show it."""
    driver.start()
    window, n = driver.window, 2_000_000
    with TemporaryDirectory() as scratch:
        driver.show(many(n, Path(scratch), atoms=1), clouds(n))
        driver.wait(lambda: window.map_view.scatter.count == n, 120, "the points")
        driver.rest()
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
        for k in range(5 if quick else 15):
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
    return [durations("lasso over 2,000,000 points to all panels", times, LASSO_LIMIT, note=note)]


# -- one structure


def measure_hover(driver: Driver, quick: bool) -> list[Row]:
    """The mouse moves on to a point: until its card is on screen, and until the depiction is in it."""
    driver.start()
    window, card = driver.window, driver.window.map_view.card
    outside = QPointF(2, 2)
    plain, drawn = [], []
    text, picture = Paints(card), Paints(card._depiction)
    for index in driver.pointable(12 if quick else 60):
        driver.mouse(MOVE, outside)
        driver.turn(0.15)
        text.clear()
        picture.clear()
        began = time.perf_counter()
        driver.mouse(MOVE, driver.place(index))
        if window.map_view._hovered != index:
            raise RuntimeError(f"the mouse on structure {index} found {window.map_view._hovered}")
        plain.append(driver.until_painted(text) - began)
        drawn.append(driver.until_painted(picture) - began)
    return [
        durations("hover: card with name and values", plain, HOVER_LIMIT),
        durations("hover: card with depiction", drawn, HOVER_LIMIT, note="RDKit's drawing on the interactive lane"),
    ]


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
    for name in ("coulomb_matrix", "bag_of_bonds"):
        new = representations.REGISTRY[name]()
        if new != window.store.session.representation:
            window.store.update(representation=new)
            driver.wait(lambda: bool(window.store.result_key("map")), 120, "the map")
        driver.rest()
        times: list[float] = []
        own: list[float] = []
        for index in driver.pointable(12 if quick else 60):
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
            if not window.runner.is_idle:  # bonds or descriptor come from a job: what counts is painted after it
                driver.wait(lambda: window.runner.is_idle, 5, "the jobs of a click")
                paints.missing |= {1, 2}
            times.append(driver.until_painted(paints) - began)
        backend = window.structure_view.canvas.backend
        note = f"handlers {np.median(own) * 1e3:.0f} ms, 3D by {backend}"
        rows.append(durations(f"click → map, 3D, descriptor ({name}), table", times, CLICK_LIMIT, note=note))
    return rows


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
        note = f"{window.descriptor_view.plot.data().kind}, 3D and bonds follow" if window.descriptor_view.plot.data() else ""
        rows.append(rates(f"live descriptor, {len(molecule)} atoms: {name}", times, 20.0, note, unit="/s"))
    return rows


# -- cancelling


def measure_cancel(driver: Driver, quick: bool) -> list[Row]:
    """How long a job's thread goes on after a cancel, at many moments of its run."""
    driver.start()
    window = driver.window
    rows = []
    if QM7.exists():
        rows.append(_cancelled(driver, "open QM7", OWN_CANCEL, quick, 0.6, lambda: window.open_paths([str(QM7)])))
    text = "\n".join(_smiles(4000))
    rows.append(
        _cancelled(
            driver,
            "structures from SMILES (RDKit)",
            ANY_CANCEL,
            quick,
            2.0,
            lambda: window.documents.open_text(text + "\n" + "C" * int(time.time() % 5 + 1)),
        )
    )
    dataset = window.store.dataset
    assert dataset is not None
    copies = dataset.structures.take(np.tile(np.arange(len(dataset)), 40))
    driver.window.pipeline.enabled = False
    for name in ("eigenspectrum", "bag_of_bonds"):
        cls = representations.REGISTRY["bag_of_bonds"] if name == "bag_of_bonds" else representations.REGISTRY["coulomb_matrix"]
        new = cls() if name == "bag_of_bonds" else cls().with_values(permutation="eigenspectrum")
        _prepare(driver, Dataset(f"copies, {name}", copies), new, UMAP())
        rows.append(_cancelled_stage(driver, f"features ({name}, {len(copies):,})", 0, quick, 0.5))
    few = dataset.structures.take(np.tile(np.arange(len(dataset)), 5))
    few = replace(few, positions=few.positions + np.random.default_rng(0).normal(0, 0.02, few.positions.shape), _cache={})
    _prepare(driver, Dataset("noisy copies", few), representations.REGISTRY["coulomb_matrix"](), UMAP())
    rows.append(_cancelled_stage(driver, f"neighbours ({len(few):,} × 276)", 1, quick, 1.5))
    _prepare(driver, dataset, representations.REGISTRY["coulomb_matrix"](), UMAP())
    rows.append(_cancelled_stage(driver, f"UMAP layout ({len(dataset):,})", 2, quick, 0.8))
    return rows


def _prepare(driver: Driver, dataset: Dataset, representation: Any, embedding: Any) -> None:
    """Show a data set with all earlier results forgotten, and compute nothing yet."""
    window = driver.window
    window.runner.cancel("pipeline")
    window.pipeline.enabled = False
    window.store.open_dataset(dataset)
    window.store.update(representation=representation, embedding=embedding)
    window.cache.clear()


def _cancelled(
    driver: Driver, what: str, limit: float, quick: bool, span: float, act: Callable[[], None]
) -> Row:
    """Begin a job by `act`, and cancel it at moments spread over `span` seconds."""
    window = driver.window
    started: list[JobHandle] = []
    window.runner.started.connect(started.append)
    times, missed = [], 0
    count = 4 if quick else 10
    for k in range(count):
        started.clear()
        act()
        driver.wait(lambda: any(h.lane == "batch" for h in started), 10, f"the job {what}")
        handle = next(h for h in started if h.lane == "batch")
        driver.turn(span * (k + 0.5) / count)
        missed += _cancel(driver, handle, times)
    window.runner.started.disconnect(started.append)
    note = f"{missed} had ended before" if missed else ""
    return durations(f"cancel: {what}", times, limit, judge=100, note=note)


def _cancelled_stage(driver: Driver, what: str, number: int, quick: bool, span: float) -> Row:
    """Let the pipeline come to its stage `number` and cancel that, at moments spread over `span` seconds."""
    window = driver.window
    started: list[JobHandle] = []
    window.runner.started.connect(started.append)
    times, missed = [], 0
    count = 4 if quick else 10
    for k in range(count):
        started.clear()
        for key in list(window.cache._entries)[number:]:  # what comes before is kept from one time to the next
            window.cache.discard(key)
        window.pipeline.enabled = True
        window.pipeline.retry()
        stage = lambda: [h for h in started if h.slot == "pipeline"]  # noqa: E731
        wanted = 1 if k else number + 1
        driver.wait(lambda: len(stage()) >= wanted or bool(driver.failures), 120, f"the stage {what}")
        driver.turn(span * (k + 0.5) / count)
        missed += _cancel(driver, stage()[wanted - 1], times)
        window.pipeline.enabled = False
        driver.wait(lambda: window.runner.is_idle, 30, "the end")
    window.runner.started.disconnect(started.append)
    note = f"{missed} had ended before" if missed else ""
    return durations(f"cancel: {what}", times, OWN_CANCEL, judge=100, note=note)


def _cancel(driver: Driver, handle: JobHandle, times: list[float]) -> int:
    """Cancel a job and note how long its thread went on; 1 when it had ended by itself."""
    if handle.is_finished:
        return 1
    driver.window.runner.cancel(handle)
    driver.wait(lambda: handle.cancel_seconds is not None, 120, f"the end of {handle.title}")
    times.append(float(handle.cancel_seconds or 0.0))
    return 0


def measure_cancel_warm_up(driver: Driver, quick: bool) -> list[Row]:
    """The warm-up makes way for a job that somebody waits for: how long that one has to wait."""
    window = driver.window
    waits = []
    from qmlstudio.app.jobs import Job

    window.runner.submit(warm_up_job())
    for k in range(6):
        driver.turn(0.05 + 0.15 * k)
        began = time.perf_counter()
        done: list[float] = []
        window.runner.submit(
            Job(
                key=f"probe {k}",
                slot="probe",
                title="Probe",
                compute=lambda progress: time.perf_counter(),
                done=done.append,
            )
        )
        driver.wait(lambda done=done: bool(done), 300, "the probe")  # type: ignore[misc]
        waits.append(done[0] - began)
    driver.wait(lambda: window.runner.is_idle, 300, "the warm-up")
    return [durations("cancel: warm-up makes way for a job", waits, ANY_CANCEL, judge=100)]


# -- memory


def measure_memory(driver: Driver, quick: bool) -> list[Row]:
    """Two million points, their features in a file."""
    from qmlstudio.representations.base import Features

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
        driver.wait(lambda: driver.window.map_view.scatter.count == n, 120, "the points")
        driver.rest()
        anonymous, files = _resident("RssAnon"), _resident("RssFile")
    total = anonymous + files
    note = f"{anonymous / 2**20:,.0f} MiB own, {files / 2**20:,.0f} MiB of files; features {array.nbytes / 2**20:,.0f} MiB"
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


GROUPS: dict[str, Callable[[Driver, bool], list[Row]]] = {
    "stalls": measure_stalls,
    "warm_up": measure_warm_up,
    "map": measure_map,
    "hover": measure_hover,
    "click": measure_click,
    "lasso": measure_lasso,
    "live": measure_live,
    "cancel": measure_cancel,
    "cancel_warm_up": measure_cancel_warm_up,
    "memory": measure_memory,
}


def renderer() -> str:
    """What draws OpenGL here, as it calls itself."""
    from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not context.create() or not context.makeCurrent(surface):
        return "none"
    name = context.functions().glGetString(0x1F01)
    context.doneCurrent()
    return str(name)


def main() -> int:
    """Run one group and write its rows."""
    group, result = sys.argv[1], Path(sys.argv[2])
    driver = Driver()
    try:
        rows = GROUPS[group](driver, "--quick" in sys.argv)
        found = {"rows": [row.to_dict() for row in rows], "renderer": renderer()}
        result.write_text(json.dumps(found), encoding="utf-8")
    finally:
        driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
