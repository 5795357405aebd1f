"""How fast files are read: python tests/benchmarks/bench_readers.py [FILE …]

Without files: those of ../shared/data, and 100,000 rows of CSV, SDF and SMILES that are made for it. Seconds are the
least of three runs, by the clock and of all processors; extended xyz is compared with ASE frame by frame, by processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.readers.frames import use_compiled
from qmlstudio.session.text_loops import parse_lines

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ROWS = 100_000


def least(work: Callable[[], object], times: int = 3) -> tuple[float, float, object]:
    """Seconds by the clock, seconds of the processors, and the result."""
    clock = cpu = float("inf")
    result: object = None
    for _ in range(times):
        begun, used = time.perf_counter(), time.process_time()
        result = work()
        clock = min(clock, time.perf_counter() - begun)
        cpu = min(cpu, time.process_time() - used)
    return clock, cpu, result


def report(path: str, times: int = 3) -> None:
    clock, cpu, data = least(lambda: open_dataset(path), times)
    n = len(data)  # type: ignore[arg-type]
    print(f"{Path(path).name:<42} {n:>9,} {clock:8.2f} s {cpu:8.2f} s of processors {1e6 * cpu / n:9.1f} µs each")


use_compiled(lambda: parse_lines)  # as the program does


def against_ase(path: Path) -> None:
    from ase.io import iread

    _, ours, data = least(lambda: open_dataset(path), 7)
    _, theirs, _ = least(lambda: sum(1 for _ in iread(path, index=":", format="extxyz")))
    n = len(data)  # type: ignore[arg-type]
    each = f"{1e6 * ours / n:8.1f} µs a frame, ASE {1e6 * theirs / n:8.1f} µs: {theirs / ours:.0f}×"
    print(f"{path.name:<42} {n:>9,} {each}")


def made(folder: Path) -> list[str]:
    """Files of ROWS rows."""
    table = folder / "geometries.csv"
    with table.open("w") as file:
        file.write("name;elements;coordinates;energy [eV]\n")
        for k in range(ROWS):
            file.write(f"{k};['O', 'H', 'H'];[[0, 0, 0.1], [0, 0.75, -0.{k % 9 + 4}], [0, -0.75, -0.5]];{-k / 7}\n")
    smiles = folder / "smiles.csv"
    smiles.write_text("smiles,E\n" + "".join(f"C{'C' * (k % 8)}O,{k / 3}\n" for k in range(ROWS)))
    sdf = folder / "molecules.sdf"
    one = (
        "water\n  x                   3D\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n"
        "    0.0000    0.0000    0.1000 O   0  0\n    0.0000    0.7500   -0.5000 H   0  0\n"
        "    0.0000   -0.7500   -0.5000 H   0  0\n  1  2  1  0\n  1  3  1  0\nM  END\n>  <E>\n-1.5\n\n$$$$\n"
    )
    sdf.write_text(one * ROWS)
    return [str(table), f"{smiles}#geometry=2d", str(sdf)]


def main() -> None:
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            report(path)
        return
    report(str(SHARED / "qm7" / "qm7.tar.gz"))
    for path in sorted((SHARED / "extxyz").glob("*.xyz")):
        against_ase(path)
    with tempfile.TemporaryDirectory() as folder:
        for name in made(Path(folder)):
            report(name, 1)


if __name__ == "__main__":
    main()
