"""The enumeration in processes of its own: RDKit holds the interpreter's lock, and a geometry may take seconds.

Every process takes each m-th graph. What they find comes back over pipes in small batches; a pipe that is full makes
its process wait, so that memory is bounded however slow the receiver is.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from qmlstudio.chem.enumeration.stages import Counts, Enumeration, Molecule, enumerate_molecules
from qmlstudio.progress import SILENT, Progress

BATCH_SECONDS = 0.1
"""How often a process tells what it has."""
BATCH = 500
"""Molecules after which it does not wait so long."""
POLL_SECONDS = 0.05


def processors() -> int:
    """How many processes are worth having."""
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16))


def run(
    spec: Enumeration, counts: Counts, progress: Progress = SILENT, workers: int | None = None
) -> Iterator[list[Molecule]]:
    """The molecules of an enumeration in batches, in no order, computed by `workers` processes (None: as processors).

    `counts` and `progress` are kept up to date in between, at least every 50 ms; a cancel, or leaving the iteration,
    ends the processes.

    Raises
    ------
    Cancelled
        Through `progress`.
    RuntimeError
        A process ended before its time (out of memory, say).
    Exception
        Whatever a process raised.
    """
    workers = processors() if workers is None else max(1, workers)
    context = multiprocessing.get_context("spawn")
    children: list[Any] = []
    fractions: dict[Connection, float] = {}
    message = "Starting"
    try:
        for place in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_serve, args=(theirs, spec, (place, workers)), daemon=True)
            child.start()
            theirs.close()
            children.append(child)
            fractions[ours] = 0.0
        pipes = list(fractions)
        while pipes:
            for pipe in wait(pipes, POLL_SECONDS):
                assert isinstance(pipe, Connection)
                try:
                    kind, value = pipe.recv()
                except EOFError:
                    raise RuntimeError("a process that enumerated ended too early: memory may be short") from None
                if kind == "failed":
                    raise value
                if kind == "done":
                    pipes.remove(pipe)
                    fractions[pipe] = 1.0
                    continue
                found, counted, fraction, said = value
                message = said if said != "done" else message
                counts.merge(counted)
                fractions[pipe] = fraction
                if found:
                    yield found
            progress(min(sum(fractions.values()) / workers, 0.999 if pipes else 1.0), message)
    finally:
        for pipe in fractions:
            pipe.close()
        for child in children:
            if child.is_alive():
                child.terminate()
            child.join()
            child.close()


def _serve(pipe: Connection, spec: Enumeration, share: tuple[int, int]) -> None:
    """The other process."""
    # Ctrl+C goes to all processes of a terminal; it is the first one that ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    counts, found = Counts(), list[Molecule]()
    news: list[Any] = [0.0, ""]
    last = time.monotonic()

    def send() -> None:
        nonlocal counts, last
        pipe.send(("news", (list(found), dict(counts.counts), *news)))
        found.clear()
        counts.counts.clear()
        last = time.monotonic()

    def report(fraction: float, message: str) -> None:
        news[:] = fraction, message
        if time.monotonic() - last > BATCH_SECONDS:
            send()

    # whoever does not listen any more has closed the pipe
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            for molecule in enumerate_molecules(spec, counts, Progress(report, interval=0.0), share):
                found.append(molecule)
                if len(found) >= BATCH or time.monotonic() - last > BATCH_SECONDS:
                    send()
            send()
            pipe.send(("done", None))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            pipe.send(("failed", error))
