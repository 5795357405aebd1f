"""Which file format serves ragged random access best: `python tests/benchmarks/bench_store.py [--conformers N]`.

Writes the same molecules (atoms and float64 positions of varying number, one column of energies) in every format and
prints, for each, the file's size, the time of a first opening, of single structures at random, of many at once, and of
reading all positions. Files are in the page cache: what is compared is the formats' own work.
"""

from __future__ import annotations

import argparse
import math
import mmap
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from table import Row

SINGLE, MANY, REPEATS = 2000, 10_000, 5
Array = NDArray[Any]


class Data:
    """Offsets, atomic numbers, positions and energies of n structures of about `atoms` atoms."""

    def __init__(self, n: int, atoms: int) -> None:
        rng = np.random.default_rng(0)
        sizes = rng.integers(atoms - 4, atoms + 5, n)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        total = int(self.offsets[-1])
        self.numbers = rng.choice(np.array([1, 6, 7, 8], np.uint8), total)
        self.positions = rng.normal(size=(total, 3))
        self.energy = rng.normal(size=n)

    def arrays(self) -> dict[str, Array]:
        return {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}


class Reader:
    """What is measured of an opened file: rows of positions by range of atoms, rows of atoms by index, and all."""

    def __init__(self, offsets: Array, rows: Callable[[int, int], Array], whole: Callable[[], Any] | None) -> None:
        self.offsets, self.rows, self.whole = offsets, rows, whole

    def one(self, i: int) -> Array:
        return self.rows(int(self.offsets[i]), int(self.offsets[i + 1]))

    def many(self, chosen: Array) -> Array:
        if self.whole is None:
            return np.concatenate([self.one(i) for i in chosen.tolist()])
        sizes = self.offsets[chosen + 1] - self.offsets[chosen]
        starts = np.repeat(self.offsets[chosen] - np.cumsum(sizes) + sizes, sizes)
        found: Array = self.whole()[starts + np.arange(len(starts))]
        return found


Opened = Iterator[Reader]


def write_npy(path: Path, data: Data) -> None:
    path.mkdir()
    for name, values in data.arrays().items():
        np.save(path / f"{name}.npy", values)


@contextmanager
def open_npy(path: Path) -> Opened:
    arrays = {p.stem: np.load(p, mmap_mode="r") for p in path.iterdir()}
    positions = arrays["positions"]
    yield Reader(arrays["offsets"], lambda a, b: positions[a:b], lambda: positions)


def write_hdf5(path: Path, data: Data) -> None:
    import h5py

    with h5py.File(path, "w", alignment_threshold=1, alignment_interval=64) as file:
        for name, values in data.arrays().items():
            file.create_dataset(name, data=values)


@contextmanager
def open_hdf5(path: Path) -> Opened:
    import h5py

    with h5py.File(path) as file:
        positions = file["positions"]
        yield Reader(file["offsets"][:], lambda a, b: positions[a:b], None)


@contextmanager
def open_hdf5_mapped(path: Path) -> Opened:
    import h5py

    with h5py.File(path) as file:
        places = {k: (d.id.get_offset(), d.dtype, d.shape) for k, d in file.items()}
    with path.open("rb") as raw:
        mapped = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    arrays = {k: np.frombuffer(mapped, t, math.prod(s), at).reshape(s) for k, (at, t, s) in places.items()}
    positions = arrays["positions"]
    yield Reader(arrays["offsets"], lambda a, b: positions[a:b], lambda: positions)


def _table(data: Data) -> Any:
    import pyarrow as pa

    flat = pa.FixedSizeListArray.from_arrays(pa.array(data.positions.reshape(-1)), 3)
    positions = pa.LargeListArray.from_arrays(pa.array(data.offsets), flat)
    numbers = pa.LargeListArray.from_arrays(pa.array(data.offsets), pa.array(data.numbers))
    return pa.table({"numbers": numbers, "positions": positions, "energy": data.energy})


def write_arrow(path: Path, data: Data) -> None:
    import pyarrow as pa

    table = _table(data)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


@contextmanager
def open_arrow(path: Path) -> Opened:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        column = pa.ipc.open_file(source).read_all()["positions"].chunk(0)
        positions = column.values.flatten().to_numpy().reshape(-1, 3)
        yield Reader(column.offsets.to_numpy(), lambda a, b: positions[a:b], lambda: positions)


def write_parquet(path: Path, data: Data) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_table(data), path, row_group_size=1000)


@contextmanager
def open_parquet(path: Path) -> Opened:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, memory_map=True)
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    starts = np.concatenate([[0], np.cumsum(sizes)])

    class Rows(Reader):
        def one(self, i: int) -> Array:
            group = int(np.searchsorted(starts, i, "right")) - 1
            column = file.read_row_group(group, ["positions"])["positions"].chunk(0)
            found: Array = column[i - int(starts[group])].values.flatten().to_numpy()
            return found

        def all(self) -> Array:
            return np.concatenate([c.flatten().flatten().to_numpy() for c in file.read(["positions"])[0].chunks])

    reader = Rows(starts, lambda a, b: starts, None)
    yield reader
    file.close()


def write_zarr(path: Path, data: Data) -> None:
    import zarr

    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    for name, values in data.arrays().items():
        chunks = (min(65536, len(values)), *values.shape[1:])
        group.create_array(name, shape=values.shape, chunks=chunks, dtype=values.dtype, compressors=None)[:] = values


@contextmanager
def open_zarr(path: Path) -> Opened:
    import zarr

    group = zarr.open_group(str(path), mode="r")
    positions = group["positions"]
    yield Reader(group["offsets"][:], lambda a, b: positions[a:b], None)


OURS = "HDF5, mapped by offset"
FORMATS: dict[str, tuple[Callable[[Path, Data], None], Callable[[Path], Any], int]] = {
    "plain .npy, mapped": (write_npy, open_npy, 1),
    "HDF5, through h5py": (write_hdf5, open_hdf5, 1),
    OURS: (write_hdf5, open_hdf5_mapped, 1),
    "Arrow IPC, mapped": (write_arrow, open_arrow, 1),
    "Parquet, groups of 1,000": (write_parquet, open_parquet, 20),
    "Zarr v3, chunks of 65,536": (write_zarr, open_zarr, 10),
}
"""Name: writing, opening, and by how much fewer structures are read of the slow ones."""


def least(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Seconds, the shortest of several runs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(name: str, data: Data, folder: Path) -> tuple[int, float, float, float, float, float]:
    """Bytes of the file; seconds of writing, opening, one structure, one of many, the sum of all positions."""
    write, opened, fewer = FORMATS[name]
    path = folder / "".join(c for c in name if c.isalnum())
    began = time.perf_counter()
    write(path, data)
    writing = time.perf_counter() - began
    size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size
    rng = np.random.default_rng(1)
    n = len(data.energy)
    single, chosen = rng.integers(0, n, SINGLE // fewer), np.sort(rng.integers(0, n, MANY // fewer))

    def opening() -> None:
        with opened(path):
            pass

    with opened(path) as reader:
        check = np.asarray(reader.one(int(single[0]))).reshape(-1, 3)
        a, b = data.offsets[single[0]], data.offsets[single[0] + 1]
        assert np.array_equal(check, data.positions[a:b])
        one = least(lambda: [reader.one(i) for i in single.tolist()], 3) / len(single)
        many = least(lambda: reader.many(chosen), 3) / len(chosen)
        if hasattr(reader, "all"):
            whole = least(lambda: float(reader.all().sum()), 2)
        elif reader.whole is not None:
            whole = least(lambda: float(reader.whole().sum()), 2)
        else:
            whole = least(lambda: float(reader.rows(0, int(data.offsets[-1])).sum()), 2)
    opened_in = least(opening)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return size, writing, opened_in, one, many, whole


def run(peers_python: str | None) -> list[Row]:
    """Rows of one molecule at random: memory-mapped HDF5 against what else is installed here."""
    data, found = Data(130_831, 18), {}
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            with suppress(ImportError):
                found[name] = 1e6 * measure(name, data, Path(folder))[3]
    ours = found.pop(OURS)
    work = f"a molecule at random of {len(data.energy):,} in a file"
    return [Row(work=work, peer=name, ours_us=ours, peer_us=other, ratio=other / ours) for name, other in found.items()]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conformers", type=int, default=2_000_000)
    arguments = parser.parse_args()
    for title, n, atoms in (("130,831 molecules like QM9's", 130_831, 18), ("conformers", arguments.conformers, 12)):
        data = Data(n, atoms)
        print(f"\n{title}: {n:,} structures, {data.offsets[-1]:,} atoms")
        print("format | file | writing | opening | one at random | each of 10,000 sorted | sum of all positions")
        print("|".join(["---"] * 7))
        with tempfile.TemporaryDirectory() as folder:
            for name in FORMATS:
                try:
                    size, *times = measure(name, data, Path(folder))
                    writing, opening, one, many, whole = times
                    cells = (name, f"{size / 2**20:,.0f} MiB", f"{writing:.2f} s", f"{1e3 * opening:.2f} ms")
                    cells += (f"{1e6 * one:.1f} µs", f"{1e6 * many:.2f} µs", f"{1e3 * whole:.0f} ms")
                    print(" | ".join(cells), flush=True)
                except ImportError as error:
                    print(f"{name} | {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
