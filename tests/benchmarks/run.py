"""Run the benchmarks and print one table: ``python tests/benchmarks/run.py [NAME…] [--peers PYTHON] [--write]``.

Every ``bench_NAME.py`` beside this script has ``run(peers_python: str | None) -> list[Row]``. Times are medians of
pairs taken A B A B on one thread, so that ratios hold on a noisy machine where times do not. `bash installer/test.sh
--benchmarks` makes the peers' environment first. The window has no peer: window.py beside this script measures it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import os
import platform
import subprocess
import sys
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from qmlstudio import numba_setup

if TYPE_CHECKING:
    from table import Row

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
OURS = ("qmlstudio", "numpy", "scipy", "numba", "scikit-learn", "umap-learn", "PySide6-Essentials")
PEERS = (
    "dscribe",
    "qmllib",
    "featomic",
    "torchani",
    "torch",
    "kymatio",
    "umap-learn",
    "numpy",
    "scipy",
    "scikit-learn",
)


def installed(packages: tuple[str, ...]) -> str:
    """ "name version, …" of those that are installed here."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def machine(peers_python: str | None) -> list[str]:
    """Lines on date, processor and versions."""
    model = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    lines = [
        f"Date: {datetime.date.today().isoformat()}",
        f"Processor: {model}, {os.cpu_count()} cores",
        f"System: {platform.system()} {platform.release()}",
        f"Ours: Python {platform.python_version()}, {installed(OURS)}",
    ]
    if peers_python is not None:
        code = (
            "import platform, importlib.metadata as m\n"
            "def v(p):\n"
            "    try: return p + ' ' + m.version(p)\n"
            "    except m.PackageNotFoundError: return ''\n"
            f"print('Python ' + platform.python_version(), *filter(None, map(v, {PEERS!r})), sep=', ')"
        )
        done = subprocess.run([peers_python, "-c", code], capture_output=True, text=True, check=True)
        lines.append(f"Peers: {done.stdout.strip()}")
    return lines


def run(path: Path, peers_python: str | None) -> list[Row]:
    """The rows of one module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickles of the module look it up there
    spec.loader.exec_module(module)
    rows: list[Row] = module.run(peers_python)
    return rows


def main() -> int:
    """Exit code 1 when a benchmark could not be run; a missed demand is marked in the table."""
    available = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    parser = argparse.ArgumentParser(
        description="Compare QML Studio with its peers.",
        epilog="start-up, stalls, frames and latencies of the window: python tests/benchmarks/window.py --help",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(available) or 'none yet'}")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter of the peers' environment (.venv-peers)")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in available]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: choose from {', '.join(available) or 'none yet'}")
    if options.write and options.names:
        parser.error("--write renews the whole table: give no names with it")
    default = ROOT / ".venv-peers" / "bin" / "python"
    peers_python: str | None = options.peers or (str(default) if default.exists() else None)
    if peers_python is None:
        print("No environment of the peers: rows without comparison. Make it: bash installer/test.sh --benchmarks")

    # before numpy and numba are imported: one thread each, unless a benchmark says otherwise
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[variable] = "1"
    os.environ.pop("OPENBLAS_CORETYPE", None)
    numba_setup.prepare()
    import numba
    from table import aligned, markdown

    numba.set_num_threads(1)
    rows: list[Row] = []
    failed: list[str] = []
    for name in options.names or available:
        began = time.perf_counter()
        try:
            rows += run(available[name], peers_python)
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    about = machine(peers_python)
    print("\n".join([*about, "", aligned(rows)]))
    missed = sum(not row.is_met for row in rows)
    print(f"\n{len(rows)} rows, {missed} demands missed" + (f"; failed: {', '.join(failed)}" if failed else ""))
    if options.write and not failed:
        text = [
            "# Benchmarks",
            "",
            "Ratios are medians of paired runs (ours, peer, ours, peer, …) on one thread each, warm unless the row",
            "says otherwise; above 1 is faster than the peer. Made by `bash installer/test.sh --benchmarks --write`.",
            "",
            *(f"- {line}" for line in about),
            "",
            markdown(rows),
            "",
        ]
        DOCUMENT.write_text("\n".join(text), encoding="utf-8")
        print(f"written: {DOCUMENT}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
