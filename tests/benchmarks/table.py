"""What the benchmarks share: rows, paired timing, and a long-lived process in the interpreter of the peer libraries."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
LEAST_SECONDS = 0.1
"""A timed stretch repeats its work until it takes about this long."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    work : str
        What was computed, with its size.
    peer : str
        The other package and its version; empty when ours is measured alone.
    agreement : str
        How far the two results are apart, or how good ours are ("max |Δ| 4e-17").
    ours_us, peer_us : float, µs
        Median time for one item (molecule, kernel, fit: `work` says which); NaN without a peer.
    ratio : float
        Median over the pairs of the peer's time over ours: above 1 is faster.
    demand : float or None
        The least ratio that is asked for.
    columns : int or None
        Columns of the features.
    bound : str
        How many times what the machine's limits allow (see limits.bound).
    note : str
    """

    work: str
    peer: str = ""
    agreement: str = ""
    ours_us: float = float("nan")
    peer_us: float = float("nan")
    ratio: float = float("nan")
    demand: float | None = None
    columns: int | None = None
    bound: str = ""
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the demand, if there is one, is met; a missing ratio does not meet it."""
        return self.demand is None or self.ratio >= self.demand


@dataclass(frozen=True)
class Timing:
    """Medians over the pairs, seconds for one call, and the median of the ratios peer/ours."""

    ours: float
    peer: float
    ratio: float

    def row(self, work: str, peer: str, items: int = 1, **more: Any) -> Row:
        """The row of a work of `items` items; `more` are other fields of :class:`Row`."""
        scale = 1e6 / items
        return Row(work=work, peer=peer, ours_us=self.ours * scale, peer_us=self.peer * scale, ratio=self.ratio, **more)


class SelfTimed(Protocol):
    """Work that is timed where it runs."""

    def seconds(self, repeat: int) -> float:
        """Seconds that `repeat` calls in a row took."""


Work = Callable[[], Any] | SelfTimed


def _seconds(work: Work, repeat: int) -> float:
    if not callable(work):
        return work.seconds(repeat)
    began = time.perf_counter()
    for _ in range(repeat):
        work()
    return time.perf_counter() - began


def _calibrated(work: Work) -> int:
    """Repeats that make a stretch of LEAST_SECONDS; the first call, with all compilation, is not counted."""
    _seconds(work, 1)
    once = _seconds(work, 1)
    return max(1, min(100_000, round(LEAST_SECONDS / max(once, 1e-7))))


def paired(ours: Work, peer: Work, pairs: int = 5) -> Timing:
    """Time two works alternately, A B A B …, warm, so that a noisy machine disturbs both alike.

    Parameters
    ----------
    ours, peer : callable without arguments, or an object with ``seconds(repeat)``
        A :class:`PeerTask` times itself in its own process.
    pairs : int
        At least one; the medians are taken over them.
    """
    counts = _calibrated(ours), _calibrated(peer)
    times = []
    for _ in range(pairs):
        a = _seconds(ours, counts[0]) / counts[0]
        b = _seconds(peer, counts[1]) / counts[1]
        times.append((a, b, b / a))
    first, second, ratio = (statistics.median(column) for column in zip(*times, strict=True))
    return Timing(first, second, ratio)


def environment(threads: int) -> dict[str, str]:
    """The environment variables of a process whose libraries use `threads` threads."""
    result = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "NUMBA_CACHE_DIR", "PYTHONPATH")}
    return result | dict.fromkeys(THREAD_VARIABLES, str(threads))


class PeerError(RuntimeError):
    """The peers' process raised; the text is its traceback."""


class Peer:
    """A long-lived process of another interpreter with one namespace, driven by lines of JSON; arrays go through .npy.

    Use as a context manager::

        with Peer(peers_python) as peer:
            peer.send(z=numbers, r=positions)
            peer.run("from dscribe.descriptors import CoulombMatrix; ...")
            timing = paired(ours, peer.task("result = compute(z, r)"))
            theirs = peer.fetch("result")

    A fresh one for each pair measures what a first call costs, ours with ``Peer(sys.executable)`` as well.

    Parameters
    ----------
    python : str
        Interpreter.
    threads : int
        Threads that its BLAS, OpenMP and numba may use.
    """

    def __init__(self, python: str, threads: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-")
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("peer_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove its files."""
        if self._process.stdin is not None and self._process.stdout is not None:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        self._folder.cleanup()

    def send(self, **arrays: Any) -> None:
        """Put copies of the arrays into the namespace."""
        for name, values in arrays.items():
            path = Path(self._folder.name) / f"{name}.npy"
            np.save(path, np.asarray(values), allow_pickle=False)
            self._ask(do="load", name=name, path=str(path))

    def run(self, code: str) -> None:
        """Execute statements in the namespace; PeerError if they raise."""
        self._ask(do="run", code=code)

    def fetch(self, name: str) -> NDArray[Any]:
        """A copy of an array (or number, or list of numbers) of the namespace."""
        path = Path(self._folder.name) / f"{name}.out.npy"
        self._ask(do="save", name=name, path=str(path))
        values: NDArray[Any] = np.load(path, allow_pickle=False)
        path.unlink()
        return values

    def version(self, package: str) -> str:
        """ "package version", as the rows name a peer."""
        return f"{package} {self._ask(do='version', name=package)}"

    def task(self, code: str) -> PeerTask:
        """Statements to be timed by the process itself."""
        return PeerTask(self, code)

    def _ask(self, **message: Any) -> Any:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        try:
            pipe_in.write(json.dumps(message) + "\n")
            pipe_in.flush()
            line = pipe_out.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"the peers' process ended with code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["value"]


@dataclass(frozen=True)
class PeerTask:
    """Statements that a :class:`Peer` repeats and times in its own process."""

    peer: Peer
    code: str

    def seconds(self, repeat: int) -> float:
        """Seconds that `repeat` executions in a row took, without the exchange."""
        return float(self.peer._ask(do="time", code=self.code, repeat=repeat))


HEADINGS = ("work", "columns", "peer", "agreement", "ours / µs", "peer / µs", "ratio", "demand", "", "bound", "note")


def cells(row: Row) -> tuple[str, ...]:
    """The row as texts, in the order of HEADINGS."""

    def number(value: float) -> str:
        return "–" if value != value else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"

    demand = "–" if row.demand is None else f"≥ {row.demand:g}×"
    met = "" if row.demand is None else "met" if row.is_met else "MISSED"
    ratio = "–" if row.ratio != row.ratio else f"{row.ratio:.1f}×" if row.ratio < 100 else f"{row.ratio:.0f}×"
    times = number(row.ours_us), number(row.peer_us)
    columns = "–" if row.columns is None else f"{row.columns:,}"
    return (
        row.work,
        columns,
        row.peer or "–",
        row.agreement or "–",
        *times,
        ratio,
        demand,
        met,
        row.bound or "–",
        row.note,
    )


def aligned(rows: list[Row]) -> str:
    """The table for a terminal."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADINGS))]
    numeric = (1, 4, 5, 6, 7)
    texts = [
        "  ".join(c.rjust(w) if k in numeric else c.ljust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    return "\n".join(text.rstrip() for text in [texts[0], "  ".join("-" * w for w in widths), *texts[1:]])


def markdown(rows: list[Row]) -> str:
    """The table for the documentation."""
    lines = [
        HEADINGS,
        ("---", "---:", "---", "---", "---:", "---:", "---:", "---:", "---", "---", "---"),
        *(cells(row) for row in rows),
    ]
    return "\n".join("| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines)
