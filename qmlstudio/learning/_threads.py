"""Threads for loops that release the interpreter lock.

The loops are compiled without numba's parallel runtime and run on Python threads: any thread of the application may
use them (numba's ``workqueue`` layer aborts the process when two threads enter it), and one compiled loop serves both
the serial and the parallel case.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


def thread_count(threads: int | None) -> int:
    """The number of threads to use: `threads`, or all the processors that this process may run on."""
    if threads is not None:
        return max(1, threads)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def worthwhile(threads: int | None, shape: tuple[int, ...]) -> int:
    """How many threads BLAS should have for the principal components of a matrix of this shape.

    Its threads wait for each other by spinning: on a busy machine small decompositions become ten times slower by them.
    """
    n, d = shape
    return thread_count(threads) if n * d * min(n, d) > 10**11 else 1


def for_flops(threads: int | None, flops: float) -> int:
    """How many threads BLAS should have for so much work, for the reason that :func:`worthwhile` gives."""
    return thread_count(threads) if flops > 2e10 else 1


class Team:
    """Some threads that work on lists of calls."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "learning") if threads > 1 else None

    def run(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        """Call `work` for every item; item i runs on thread i modulo their number. Returns when all are done."""
        if self._pool is None or len(items) < 2:
            for item in items:
                work(item)
            return

        def share(first: int) -> None:
            for item in items[first :: self.threads]:
                work(item)

        others = [self._pool.submit(share, first) for first in range(1, min(self.threads, len(items)))]
        share(0)
        for other in others:
            other.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


SERIAL = Team(1)
"""The calling thread alone."""


@contextmanager
def blas_threads(threads: int | None) -> Iterator[None]:
    """Limit BLAS to so many threads meanwhile."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(thread_count(threads), user_api="blas"):
        yield


@contextmanager
def team(threads: int | None) -> Iterator[Team]:
    """A :class:`Team`, while which BLAS runs on the calling thread alone (its own threads would compete)."""
    members = Team(thread_count(threads))
    try:
        with blas_threads(1):
            yield members
    finally:
        members.close()
