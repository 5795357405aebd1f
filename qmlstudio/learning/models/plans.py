"""What a fit would take, before it starts: memory, time, and the cheaper way."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qmlstudio.learning._threads import blas_threads
from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.models.base import ModelSpec, TooLargeError
from qmlstudio.learning.models.kernel_model import KernelModel
from qmlstudio.learning.rows import Rows

_STEPS = 100
"""Steps of conjugate gradients that a plan reckons with: how many it will be depends on λ."""
_MEMORY_RATE = 8e9
_DISK_RATE = 5e8
"""Bytes read per second: what machines of today reach at least."""


@dataclass(frozen=True, eq=False)
class Plan:
    """How a model would be fitted.

    Attributes
    ----------
    spec : ModelSpec
        With the way decided: fitting this one does what the plan says.
    method : "exact", "pcg", "nystroem" or "direct"
        "direct": a model without a kernel.
    bytes, disk_bytes : int
        Memory, and room in the folder of temporary files, beside the features.
    seconds : float
        On this machine as it is now, within a factor of two or so; NaN when it was not measured.
    fits : bool
        Whether it keeps within the budget.
    text : str
        All of that in a sentence or two.
    alternatives : tuple of Plan
        Other ways, the recommended one first.
    """

    spec: ModelSpec
    method: str
    bytes: int
    disk_bytes: int
    seconds: float
    fits: bool
    text: str
    alternatives: tuple[Plan, ...] = ()

    @property
    def cheaper(self) -> Plan | None:
        """The first alternative that needs less time and no more memory, or less memory where this does not fit."""
        for other in self.alternatives:
            if other.fits and (not self.fits or (other.seconds < self.seconds and other.bytes <= self.bytes)):
                return other
        return None


@dataclass(frozen=True)
class Rates:
    """What this machine does in a second.

    Attributes
    ----------
    pairs : float
        Similarities of the kernel in question.
    flops : float
        Multiplications and additions of matrix products in double precision.
    """

    pairs: float
    flops: float


def default_budget() -> int:
    """Half of the memory that is free, bytes."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024 // 2
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def plan(
    spec: ModelSpec,
    rows: Rows,
    n_targets: int = 1,
    budget: int | None = None,
    *,
    threads: int | None = None,
    rates: Rates | None = None,
) -> Plan:
    """How `spec` would learn from these rows, in words and numbers.

    Parameters
    ----------
    rows : Rows
        All training structures.
    budget : int, bytes, optional
        Memory that may be taken; :func:`default_budget` when not given.
    rates : Rates, optional
        Known speeds; measured (some 50 ms, and once the compiling of the kernel) when not given.

    Returns
    -------
    Plan
        The way that the specification names, or, when that is "auto", the first that fits of exact, iterative and
        landmarks. Its alternatives are the other ones.
    """
    limit = default_budget() if budget is None else int(budget)
    if not isinstance(spec, KernelModel):
        size = spec.memory(rows)
        text = f"{spec.title}: about {_size(size)} of memory."
        return Plan(spec, "direct", size, 0, float("nan"), size <= limit, text)
    if rates is None:
        rates = measure(spec.kernel, rows, threads)
    ways = [_way(spec, method, rows, n_targets, limit, rates) for method in spec.solvers]
    chosen = _choice(spec, ways)
    others = tuple(sorted((w for w in ways if w is not chosen), key=lambda w: (not w.fits, w.seconds)))
    text = chosen.text
    if not chosen.fits:
        text += f" That is more than the {_size(limit)} there are."
        if fitting := [w for w in others if w.fits]:
            text += f" Instead: {fitting[0].text}"
    return replace(chosen, text=text, alternatives=others)


def settle(spec: Any, rows: Rows, n_targets: int, budget: int | None) -> Any:
    """The specification with its solver decided, without measuring; TooLargeError when that does not fit the budget."""
    limit = default_budget() if budget is None else int(budget)
    unknown = Rates(float("nan"), float("nan"))
    ways = [_way(spec, method, rows, n_targets, limit, unknown) for method in spec.solvers]
    chosen = _choice(spec, ways)
    if chosen.fits:
        return chosen.spec
    fitting = [w for w in ways if w.fits]
    instead = f"Instead: {fitting[0].text}" if fitting else "Take fewer training structures, or fewer landmarks."
    raise TooLargeError(f"{chosen.text} That is more than the {_size(limit)} of memory that it may take. {instead}")


def measure(kernel: Kernel, rows: Rows, threads: int | None = None, seconds: float = 0.02) -> Rates:
    """Speeds of this machine: probes that take about so many seconds each, after one that only compiles."""
    random = np.random.default_rng(0)
    kernel = kernel.fitted(rows)
    n, count, spent = len(rows), 8, 0.0
    few = rows.take(np.sort(random.choice(n, min(n, 8), replace=False)))
    kernel.matrix(few, few, threads=threads)
    while True:
        size = min(n, count)
        part = rows.take(np.sort(random.choice(n, size, replace=False)))
        began = time.perf_counter()
        kernel.matrix(part, part, threads=threads)
        spent = max(time.perf_counter() - began, 1e-7)
        if spent >= seconds or size == n or count >= 2048:
            break
        count *= 4 if spent < seconds / 16 else 2
    a = np.ones((512, 512))
    best = np.inf
    with blas_threads(threads):
        for _ in range(3):
            began = time.perf_counter()
            a @ a
            best = min(best, time.perf_counter() - began)
    return Rates(size * size / spent, 2.0 * 512**3 / best)


def _choice(spec: KernelModel, ways: list[Plan]) -> Plan:
    if spec.solver != "auto":
        if spec.solver not in spec.solvers:
            raise ValueError(f"{spec.title} cannot be solved that way: choose {' or '.join(spec.solvers)}")
        return next(w for w in ways if w.method == spec.solver)
    # the first is the best answer; the last is the only one that always fits, but for its own limit
    return next((w for w in ways if w.fits), ways[-1])


def _way(spec: KernelModel, method: str, rows: Rows, targets: int, limit: int, rates: Rates) -> Plan:
    return {"exact": _exact, "pcg": _iterative, "nystroem": _nystroem}[method](spec, rows, targets, limit, rates)


def _exact(spec: KernelModel, rows: Rows, targets: int, limit: int, rates: Rates) -> Plan:
    n, item = len(rows), np.dtype(spec.precision).itemsize
    size = n * n * item + 4 * n * targets * 8 + 32 * 2**20
    seconds = n * n / 2 / rates.pairs + n**3 / 3 / rates.flops * (item / 8)
    text = (
        f"Exact: the kernel matrix of {n:,} structures takes {_size(size)} of memory, factorised in place"
        f"{', in single precision' if item == 4 else ''}{_about(seconds)}."
    )
    return Plan(replace(spec, solver="exact"), "exact", size, 0, seconds, size <= limit, text)


def _iterative(spec: KernelModel, rows: Rows, targets: int, limit: int, rates: Rates) -> Plan:
    n, item = len(rows), np.dtype(spec.precision).itemsize
    blocks = min(BLOCK_BYTES, 8 * n * n) + 8 * 2**20 + 8 * n * targets * 8
    # the factor, and what is made of it; a rank that leaves room
    rank = int(max(1, min(spec.landmarks, n, max(limit - blocks, 0) // (16 * n + 1))))
    base = 8 * n * rank + 32 * rank * rank + blocks
    matrix = n * n * item
    storage = spec.storage
    if storage == "auto":
        storage = "memory" if base + matrix <= limit else "none"
    size = base + (matrix if storage == "memory" else 0)
    disk = n * n * 4 if storage == "disk" else 0
    setup = n * rank / rates.pairs + 8.0 * n * rank * rank / rates.flops
    if storage == "none":
        steps, where = _STEPS * n * n / rates.pairs, "the kernel matrix is computed again in each step"
    else:
        setup += n * n / 2 / rates.pairs
        rate = _MEMORY_RATE if storage == "memory" else _DISK_RATE
        steps = _STEPS * n * n * (item if storage == "memory" else 4) / rate
        where = "the kernel matrix stays in memory" if storage == "memory" else f"{_size(disk)} of temporary files"
    seconds = setup + steps
    text = (
        f"Iterative: conjugate gradients, preconditioned by {rank:,} pivots, reach the exact answer to "
        f"{spec.tolerance:g}; {where}; {_size(size)} of memory{_about(seconds)} for {_STEPS} steps."
    )
    made = replace(spec, solver="pcg", storage=storage, landmarks=rank)
    return Plan(made, "pcg", size, disk, seconds, size <= limit, text)


def _nystroem(spec: KernelModel, rows: Rows, targets: int, limit: int, rates: Rates) -> Plan:
    n = len(rows)
    m = min(spec.landmarks, n)

    def needed(landmarks: int) -> int:
        own = landmarks * rows.array.nbytes // max(n, 1)
        # two matrices of landmarks, a product that is added to one of them, a block of rows and a copy
        return 24 * landmarks * landmarks + 2 * BLOCK_BYTES + own + 8 * n * (targets + 2)

    most = m
    while most > 100 and needed(most) > limit:
        most = most * 4 // 5
    if spec.solver == "auto":
        m = most
    size = needed(m)
    seconds = n * m / rates.pairs + 2.0 * n * m * m / rates.flops
    text = (
        f"Landmarks: an approximation by {m:,} of the {n:,} structures; {_size(size)} of memory{_about(seconds)}."
        if m < n
        else f"Landmarks: all {n:,} structures are landmarks; {_size(size)} of memory{_about(seconds)}."
    )
    return Plan(replace(spec, solver="nystroem", landmarks=m), "nystroem", size, 0, seconds, size <= limit, text)


def _size(count: float) -> str:
    if count < 10 * 2**20:
        return f"{count / 2**20:.1f} MB"
    return f"{count / 2**20:,.0f} MB" if count < 10 * 2**30 else f"{count / 2**30:,.1f} GB"


def _about(seconds: float) -> str:
    """ ", about 5 s", or nothing when it is not known."""
    if not np.isfinite(seconds):
        return ""
    if seconds < 1:
        return ", under a second"
    if seconds < 90:
        return f", about {seconds:.0f} s"
    if seconds < 5400:
        return f", about {seconds / 60:.0f} min"
    return f", about {seconds / 3600:.1f} h"
