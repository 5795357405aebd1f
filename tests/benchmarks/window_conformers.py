"""Twenty million conformers in the real window: `python tests/benchmarks/window_conformers.py`.

Makes a set like ANI-1 (57,000 molecules of about 12 atoms with 350 conformers each) piece by piece on disk, opens it in
the window as people would, and prints after each step how long it took, how long the window did not answer at most, and
the process's memory: anonymous (what the program itself takes) and all of it (with the mapped pages of the file, which
the system takes back when it needs them).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

PER_MOLECULE = 350
SYMBOLS = np.array([b"H", b"C", b"N", b"O"])
SHARES = (0.5, 0.3, 0.1, 0.1)
FREE = {b"H": -0.5, b"C": -37.8, b"N": -54.6, b"O": -75.1}


def _molecule(rng: np.random.Generator, part: int, k: int) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Name, symbols, positions and energies of a molecule's conformers."""
    atoms = int(rng.integers(8, 17))
    species = rng.choice(SYMBOLS, atoms, p=SHARES)
    # on a lattice, so that no two atoms are too near
    sites = np.stack(np.unravel_index(rng.permutation(27)[:atoms], (3, 3, 3)), axis=1) * 1.3
    moved = rng.standard_normal((PER_MOLECULE, atoms, 3), dtype=np.float32) * 0.08
    energy = sum(FREE[s] for s in species.tolist()) + 0.5 * (moved**2).sum(axis=(1, 2))
    return f"gdb11_s{part + 1:02d}-{k}", species, (sites + moved).astype(np.float32), energy


def make_hdf5(path: Path, count: int) -> None:
    """Write a file in ANI-1's layout, molecule by molecule."""
    import h5py

    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for part in range(8):
            group = file.create_group(f"gdb11_s{part + 1:02d}")
            for k in range(count // PER_MOLECULE // 8):
                name, species, positions, energy = _molecule(rng, part, k)
                molecule = group.create_group(name)
                molecule["species"], molecule["coordinates"], molecule["energies"] = species, positions, energy
                molecule["smiles"] = np.array(list(f"C{k:x}".encode()), np.uint8).view("S1")


def make_store(path: Path, count: int) -> None:
    """Write a store, a hundred molecules at a time."""
    from qmlstudio.chem.dataset import Dataset, Property
    from qmlstudio.chem.elements import NUMBERS
    from qmlstudio.chem.store import StoreWriter
    from qmlstudio.chem.structures import Structures
    from qmlstudio.session.scripting import with_derived

    rng = np.random.default_rng(0)
    with StoreWriter(path) as writer:
        for part in range(8):
            molecules = count // PER_MOLECULE // 8
            for start in range(0, molecules, 100):
                some = [_molecule(rng, part, k) for k in range(start, min(start + 100, molecules))]
                numbers = [np.array([NUMBERS[s.decode()] for s in m[1]], np.uint8) for m in some]
                sizes = np.repeat([len(z) for z in numbers], PER_MOLECULE)
                structures = Structures(
                    np.concatenate([np.tile(z, PER_MOLECULE) for z in numbers]),
                    np.concatenate([m[2].reshape(-1, 3) for m in some]).astype(np.float64),
                    np.concatenate([[0], np.cumsum(sizes)]),
                )
                names = np.repeat([m[0] for m in some], PER_MOLECULE)
                places = np.tile(np.arange(1, PER_MOLECULE + 1), len(some))
                properties = {
                    "energies": Property(np.concatenate([m[3] for m in some]), unit="Ha"),
                    "molecule": Property(names),
                    "smiles": Property(np.repeat([f"C{k:x}" for k in range(start, start + len(some))], PER_MOLECULE)),
                    "conformer": Property(places.astype(np.float64)),
                }
                identifiers = np.strings.add(np.strings.add(names, ":"), places.astype(np.str_))
                writer.append(with_derived(Dataset("ANI-like", structures, properties, identifiers)))
        writer.finish()


def memory() -> tuple[float, float]:
    """Anonymous and all resident memory, in MiB."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "VmRSS"):
            found[name] = int(rest.split()[0]) / 1024
    return found["RssAnon"], found["VmRSS"]


def main() -> None:
    """Make, open, look at, filter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000_000)
    parser.add_argument("--hdf5", action="store_true", help="by way of an HDF5 file as ANI-1's, which is read first")
    parser.add_argument("--folder", type=Path, help="where file and store stay for the next time")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["QMLSTUDIO_STORE"] = str(folder / "sets")
        path = folder / f"ani_like_{arguments.count}{'.h5' if arguments.hdf5 else '.qmlstore'}"
        if not path.exists():
            began = time.perf_counter()
            (make_hdf5 if arguments.hdf5 else make_store)(path, arguments.count)
            print(f"made {path.stat().st_size / 2**30:.2f} GiB in {time.perf_counter() - began:.0f} s")
        work(path)


def work(path: Path) -> None:
    """Drive the window."""
    from dataclasses import replace

    from window_driver import Driver

    from qmlstudio.session.filters import RangeFilter
    from qmlstudio.widgets import raster_backend

    raster_backend.warm_up()
    driver = Driver()
    window = driver.window
    store = window.store
    print("what | seconds | longest stall | anonymous | resident", flush=True)
    print(f"the window | | | {memory()[0]:,.0f} MiB | {memory()[1]:,.0f} MiB", flush=True)

    def step(what: str, act: Callable[[], object], until: Callable[[], bool], limit: float = 3600.0) -> None:
        driver.begin()
        began = time.perf_counter()
        act()
        driver.wait(until, limit, what)
        spent = time.perf_counter() - began
        driver.turn(0.3)
        _, worst = driver.end()
        anonymous, resident = memory()
        print(f"{what} | {spent:.2f} | {1e3 * worst:.0f} ms | {anonymous:,.0f} MiB | {resident:,.0f} MiB", flush=True)

    def is_idle() -> bool:
        return bool(window.runner.is_idle)

    opened: list[str] = []
    window.documents.opened.connect(opened.append)
    window.pipeline.enabled = False
    step("the built-in set", lambda: window.open_paths(["builtin:qm9_7"]), lambda: bool(opened))
    step("at rest", lambda: None, is_idle)
    opened.clear()
    step("opened the first time, without a map", lambda: window.open_paths([str(path)]), lambda: bool(opened))
    step("at rest", lambda: None, is_idle)
    n = len(store.dataset or ())
    print(f"{n:,} structures", flush=True)
    store.undo()
    driver.turn(0.5)
    opened.clear()
    step("opened again", lambda: window.open_paths([str(path)]), lambda: bool(opened))
    step("at rest", lambda: None, is_idle)
    rng = np.random.default_rng(0)
    for k, index in enumerate(rng.integers(0, n, 3).tolist()):
        step(f"click on a structure, {k + 1}", lambda index=index: store.set_active(index), is_idle)
    column = next(name for name in ("energy", "energies") if name in store.columns)
    step(f"{column} sorted in the table", lambda: window.dataset_view.table.rows.sort_by(column), is_idle)
    view = replace(store.session.map_view, x_axis=column, y_axis="n_atoms")
    step("a map of two columns", lambda: store.update(map_view=view), is_idle)
    low = float(np.median(store.columns[column].values[:: max(1, n // 10_000)]))
    filters = replace(store.session.filters, items=(RangeFilter(column, low=low),))
    step("a filter by a range", lambda: store.update(filters=filters), is_idle)
    driver.rest()
    driver.close()


if __name__ == "__main__":
    main()
