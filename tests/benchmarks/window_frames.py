"""Playing a long trajectory from the disk: frames a second on screen, stalls, memory."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from window_driver import Driver, Paints
from window_rows import Row, seconds

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.store import StoreWriter, open_store
from qmlstudio.chem.structures import Structures

FRAMES = 100_000
PLAYED = 8.0
"""Seconds."""
LEAST = 30.0


def make_frames(path: Path, count: int = FRAMES) -> None:
    """Ethanol's frames again and again, each shaken a little, written part by part."""
    md = load_builtin("ethanol_500K")
    n, atoms = len(md), len(md.structures.numbers) // len(md)
    rng = np.random.default_rng(0)
    with StoreWriter(path) as writer:
        for start in range(0, count, n):
            size = min(n, count - start)
            positions = md.structures.positions[: size * atoms] + rng.normal(0.0, 0.01, (size * atoms, 3))
            structures = Structures(md.structures.numbers[: size * atoms], positions, md.structures.offsets[: size + 1])
            energy = Property(md.properties["energy"].values[:size] + rng.normal(0.0, 0.01, size), unit="eV")
            names = np.array([str(k + 1) for k in range(start, start + size)])
            writer.append(Dataset("frames", structures, {"energy": energy}, names, ordered=True))
        writer.finish()


def resident() -> tuple[int, int]:
    """Bytes of this process in memory: its own, and pages of mapped files."""
    found = {"RssAnon": 0, "RssFile": 0}
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024
    return found["RssAnon"], found["RssFile"]


def measure_frames(driver: Driver, quick: bool) -> list[Row]:
    """Space in the 3D view, at 60 frames a second, with map, descriptor, table and series in sight."""
    driver.start()
    window = driver.window
    count = FRAMES // 10 if quick else FRAMES
    with TemporaryDirectory() as folder:
        path = Path(folder) / "frames.qmlstore"
        make_frames(path, count)
        before = resident()
        dataset = open_store(path)
        points = np.column_stack([np.linspace(0, 1, count), dataset.properties["energy"].values])
        driver.show(dataset, points)
        window.panels.bring_forward("series")
        driver.rest()
        bar = window.structure_view.play_bar
        while bar.speed < 60:
            bar.run_command("faster")
        canvas = Paints(window.structure_view.canvas)
        seen: set[int] = set()
        bar.frame_changed.connect(seen.add)
        bar.run_command("toggle")
        driver.turn(1.0)
        seen.clear()
        canvas.counts[0] = 0
        driver.begin()
        began = time.perf_counter()
        driver.turn(PLAYED)
        length = time.perf_counter() - began
        stalls, worst = driver.end()
        bar.pause()
        after = resident()
        rate = canvas.counts[0] / length
        shown = len(seen) / length
        row = Row(
            what=f"playing {count:,} frames of ethanol from the disk",
            median=f"{rate:.0f} pictures/s",
            demand=f"≥ {LEAST:.0f}/s",
            is_met=rate >= LEAST,
            note=f"{shown:.0f} different frames/s at 60 asked; {(after[0] - before[0]) / 2**20:+.0f} MiB of its own, "
            f"{after[1] / 2**20:.0f} MiB of mapped files in memory",
        )
        stall = Row(
            what="stalls: playing",
            median=seconds(stalls[50.0]),
            p95=seconds(stalls[95.0]),
            p99=seconds(stalls[99.0]),
            worst=seconds(worst),
        )
        driver.show(load_builtin("qm9_7"))
    return [row, stall]
