"""Measure the real window: start-up, stalls, frames, latencies: ``python tests/benchmarks/window.py [--only NAME…]``.

Every group runs in fresh processes that open the window as the program does, on the display there is, or on a private
virtual one (Xvfb) when there is none. Percentiles and demands are printed as one table. The machine decides the
figures: leave it alone meanwhile, and look at the load that is printed with them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from window_rows import Row, aligned, durations, markdown, percentile, seconds

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
QM7 = ROOT.parent / "shared" / "data" / "qm7" / "qm7.tar.gz"
PACKAGES = ("qmlstudio", "PySide6-Essentials", "pyqtgraph", "vispy", "numpy", "numba", "rdkit")
WORKS = (
    "warm_up",
    "stalls",
    "map",
    "frames",
    "hover",
    "click",
    "lasso",
    "filters",
    "gallery",
    "table",
    "live",
    "cancel",
    "memory",
)
GROUPS = ("start", "qm7", *WORKS)
PAINT_LIMIT, USABLE_LIMIT, QM7_LIMIT = 1.5, 3.0, 5.0


class Failed(RuntimeError):
    """A measurement's process ended without a result."""


def environment(scratch: Path) -> dict[str, str]:
    """Settings, sessions and autosaves of their own; the user's cache of compiled loops is used."""
    folders = {f"XDG_{kind}_HOME": str(scratch / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}
    # an installed program has compiled modules
    left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    return {k: v for k, v in os.environ.items() if k not in left_out} | folders


def child(script: str, *arguments: str, **more: str) -> dict[str, Any]:
    """What a script of this folder writes to its result file."""
    with tempfile.TemporaryDirectory(prefix="window-") as folder:
        result = Path(folder) / "result.json"
        first, *rest = [str(result) if a == "RESULT" else a for a in arguments]
        began = time.time()
        done = subprocess.run(
            [sys.executable, str(HERE / script), first, *rest],
            env=environment(Path(folder)) | more,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if not result.exists():
            raise Failed(f"{script} {' '.join(arguments)}: {done.stderr.strip()[-2000:] or done.returncode}")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        found["began"] = began
        return found


# -- starting the program


def starts(runs: int, *files: str) -> list[dict[str, Any]]:
    """So many fresh starts, after one that warms the disk and the cache of compiled loops."""
    child("window_start.py", "RESULT", *files)
    return [child("window_start.py", "RESULT", *files) for _ in range(runs)]


def measure_start(quick: bool) -> list[Row]:
    """First paint, and the built-in map."""
    found = starts(3 if quick else 7)

    def since(name: str) -> list[float]:
        return [t[name] - t["began"] for t in found]

    usable = [max(t["map"], t["structure"]) - t["began"] for t in found]
    worst = [t["worst"] for t in found]
    p99 = [t["p99"] for t in found]
    cpu = [t["cpu"]["paint"] for t in found]
    note = f"main thread's own work {seconds(percentile(cpu, 50))}"
    return [
        durations("process start → first paint", since("paint"), PAINT_LIMIT, 50, note),
        durations("process start → first points of the built-in map", since("points")),
        durations("process start → built-in map at rest, 3D drawn", usable, USABLE_LIMIT, 50),
        Row(
            what="stalls: first paint → warm-up done",
            p99=seconds(percentile(p99, 50)),
            worst=seconds(percentile(worst, 50)),
            demand="p99 ≤ 30 ms, max ≤ 200 ms",
            is_met=percentile(p99, 50) <= 0.03 and percentile(worst, 50) <= 0.2,
            note=f"medians of {len(found)} starts; worst of all {seconds(max(worst))}",
        ),
    ]


def measure_qm7(quick: bool) -> list[Row]:
    """A real file given on the command line."""
    if not QM7.exists():
        return [Row(what="QM7 from file to map", demand="≤ 5 s", note="the QM7 archive is not beside the project")]
    found = starts(2 if quick else 5, str(QM7))
    first, last = ([t[name] - t["began"] for t in found] for name in ("points", "map"))
    return [
        durations("process start → QM7 from file, first points of its Coulomb-matrix map", first),
        durations("process start → QM7 from file, its map at rest", last, QM7_LIMIT, 50),
    ]


def measure_works(name: str, quick: bool) -> tuple[list[Row], str]:
    """The groups that run inside the window."""
    flags = ["--quick"] if quick else []
    found = child("window_works.py", name, "RESULT", *flags)
    rows = [Row(**row) for row in found["rows"]]
    if name == "warm_up":
        with tempfile.TemporaryDirectory(prefix="numba-") as cold:
            more = child("window_works.py", name, "RESULT", *flags, NUMBA_CACHE_DIR=cold)
        rows += [Row(**row | {"what": f"{row['what']}, first start ever (compiling)"}) for row in more["rows"]]
    if name == "cancel":
        rows += [Row(**row) for row in child("window_works.py", "cancel_warm_up", "RESULT", *flags)["rows"]]
    return rows, str(found["renderer"])


# -- around it


@contextlib.contextmanager
def display() -> Iterator[str]:
    """The display there is, or a private virtual one for as long as this lasts."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or not sys.platform.startswith("linux"):
        yield "the display there is"
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise SystemExit("There is no display and no Xvfb: install the package xvfb, or set DISPLAY.")
    read, write = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "+extension", "GLX"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    if not number:
        raise SystemExit(f"Xvfb ended with code {server.wait()}")
    os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
    os.environ.pop("XAUTHORITY", None)
    try:
        yield f"Xvfb 1600×1000 on :{number}"
    finally:
        server.terminate()
        server.wait()


def versions() -> str:
    """ "name version, …" of what the window is made of."""
    found = []
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def machine(where: str, renderer: str) -> list[str]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    soft = any(word in renderer.lower() for word in ("llvmpipe", "softpipe", "swrast", "software"))
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return [
        f"Date: {datetime.date.today().isoformat()}",
        f"Processor: {model}, {os.cpu_count()} cores, load {load} at the end",
        f"System: {platform.system()} {platform.release()}, {where}",
        f"OpenGL: {renderer or 'not asked'} ({'software' if soft else 'hardware'})"
        if renderer
        else "OpenGL: not asked",
        f"Versions: Python {platform.python_version()}, {versions()}",
    ]


def main() -> int:
    """Exit code 1 when something could not be measured; a missed demand is marked in the table."""
    parser = argparse.ArgumentParser(
        description="Measure start-up, stalls, frames and latencies of the real window.",
        epilog="Medians of fresh starts are judged, the 95th percentile of latencies, the median of frame rates, the "
        "99th percentile and the worst of stalls, the worst of cancels. The other benchmarks: run.py --help",
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="NAME", help=f"which: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no 10 million points")
    parser.add_argument("--markdown", metavar="FILE", help="write the table there as well")
    options = parser.parse_args()
    rows: list[Row] = []
    failed: list[str] = []
    renderer = ""
    with display() as where:
        for name in options.only or GROUPS:
            began = time.perf_counter()
            try:
                if name == "start":
                    found = measure_start(options.quick)
                elif name == "qm7":
                    found = measure_qm7(options.quick)
                else:
                    found, renderer = measure_works(name, options.quick)
                rows += found
            except (Failed, subprocess.TimeoutExpired, KeyError) as error:
                print(f"{name}: {error!r}" if isinstance(error, KeyError) else f"{name}: {error}", file=sys.stderr)
                failed.append(name)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    about = machine(where, renderer)
    print("\n".join([*about, "", aligned(rows)]))
    missed = sum(row.is_met is False for row in rows)
    print(f"\n{len(rows)} rows, {missed} demands missed" + (f"; failed: {', '.join(failed)}" if failed else ""))
    if options.markdown:
        text = ["# The window, measured", "", *(f"- {line}" for line in about), "", markdown(rows), ""]
        Path(options.markdown).write_text("\n".join(text), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
