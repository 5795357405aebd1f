"""The window while jobs run: stalls of its event loop, and how soon a cancelled job leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from window_driver import SHARED, Driver
from window_rows import Row, durations, stalls
from window_sets import NO_QM9

from qmlstudio import representations
from qmlstudio.app.jobs import Job, JobHandle
from qmlstudio.chem.builtin import QM9_PREFIX
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.readers import qm9_package
from qmlstudio.chem.store.keeping import FOLDER
from qmlstudio.learning.embedding import UMAP
from qmlstudio.representations.base import Representation
from qmlstudio.shell.warm_up import warm_up_job

QM7 = SHARED / "qm7" / "qm7.tar.gz"
NO_QM7 = "the QM7 archive is not beside the project"
OWN_CANCEL, ANY_CANCEL = 0.3, 1.0


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
    rows += _opening_qm9(driver, opened)
    with TemporaryDirectory() as scratch:
        driver.begin()
        window.documents.save(str(Path(scratch) / "benchmark.qmls"))
        driver.wait(lambda: window.runner.is_idle, 60, "the saved session")
        driver.turn(0.2)
        rows.append(stalls("stalls: saving the session of QM7", *driver.end()))
    text = "\n".join(_smiles(100 if quick else 400))
    opened.clear()
    driver.begin()
    window.documents.open_text(text)
    driver.wait(lambda: bool(opened), 120, "structures from SMILES")
    rows.append(stalls(f"stalls: {text.count(chr(10)) + 1} structures made from SMILES", *driver.end()))
    return rows


def _opening_qm9(driver: Driver, opened: list[str]) -> list[Row]:
    """QM9 from its package's tables, and again from its store; no map is made of it."""
    if qm9_package.package_folder() is None:
        return [Row(what="stalls: opening QM9", demand="p99 ≤ 30 ms, max ≤ 200 ms", note=NO_QM9)]
    window, rows, folder = driver.window, [], os.environ.get(FOLDER, "")
    with TemporaryDirectory() as scratch:
        os.environ[FOLDER] = scratch
        window.pipeline.enabled = False
        try:
            for how in ("from its tables (225 MB of text)", "from its store"):
                opened.clear()
                driver.begin()
                began = time.perf_counter()
                window.open_paths([QM9_PREFIX])
                driver.wait(lambda: bool(opened), 120, "QM9")
                spent = time.perf_counter() - began
                driver.turn(0.5)
                rows.append(stalls(f"stalls: opening QM9 {how}", *driver.end(), note=f"opened after {spent:.1f} s"))
                opened.clear()
                window.open_paths(["builtin:qm9_7"])
                driver.wait(lambda: bool(opened), 60, "the built-in set")
        finally:
            os.environ[FOLDER] = folder
            window.pipeline.enabled = True
            window.pipeline.advance()
    driver.rest()
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


def measure_cancel(driver: Driver, quick: bool) -> list[Row]:
    """How long a job's thread goes on after a cancel, at many moments of its run."""
    driver.start()
    driver.expects_failures = True
    window = driver.window
    rows = []
    dataset = window.store.dataset
    assert dataset is not None
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
    copies = dataset.structures.take(np.tile(np.arange(len(dataset)), 40))
    driver.window.pipeline.enabled = False
    spectrum = representations.REGISTRY["coulomb_matrix"]().with_values(permutation="eigenspectrum")
    for new, span in ((spectrum, 0.15), (representations.REGISTRY["bag_of_bonds"](), 0.5)):
        _prepare(driver, Dataset(f"copies, {new.name}", copies), new, UMAP())
        rows.append(_cancelled_stage(driver, f"features ({new.name}, {len(copies):,})", 0, quick, span))
    few = dataset.structures.take(np.tile(np.arange(len(dataset)), 5))
    few = replace(
        few, positions=few.positions + np.random.default_rng(0).normal(0, 0.02, few.positions.shape), _cache={}
    )
    _prepare(driver, Dataset("noisy copies", few), representations.REGISTRY["coulomb_matrix"](), UMAP())
    rows.append(_cancelled_stage(driver, f"neighbours ({len(few):,} × 276)", 1, quick, 0.5))
    _prepare(driver, dataset, representations.REGISTRY["coulomb_matrix"](), UMAP())
    rows.append(_cancelled_stage(driver, f"UMAP layout ({len(dataset):,})", 2, quick, 0.4))
    return rows


def _prepare(driver: Driver, dataset: Dataset, representation: Representation, embedding: UMAP) -> None:
    """Show a data set with all earlier results forgotten, and compute nothing yet."""
    window = driver.window
    window.runner.cancel("pipeline")
    window.pipeline.enabled = False
    window.store.open_dataset(dataset)
    window.store.update(representation=representation, embedding=embedding)
    window.cache.clear()


def _cancelled(driver: Driver, what: str, limit: float, quick: bool, span: float, act: Callable[[], None]) -> Row:
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
        wanted = 1 if k else number + 1
        driver.wait(partial(_has, started, wanted), 120, f"the stage {what}")
        driver.turn(span * (k + 0.5) / count)
        missed += _cancel(driver, _stages(started)[wanted - 1], times)
        window.pipeline.enabled = False
        driver.wait(lambda: window.runner.is_idle, 30, "the end")
    window.runner.started.disconnect(started.append)
    note = f"{missed} had ended before" if missed else ""
    return durations(f"cancel: {what}", times, OWN_CANCEL, judge=100, note=note)


def _stages(handles: list[JobHandle]) -> list[JobHandle]:
    return [h for h in handles if h.slot == "pipeline"]


def _has(handles: list[JobHandle], count: int) -> bool:
    return len(_stages(handles)) >= count


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
