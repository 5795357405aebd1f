"""Computing processes: as many as processors, fed and watched from one thread. What crashes or hangs is replaced."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from qmlstudio.progress import Progress
from qmlstudio.quantum import protocol
from qmlstudio.quantum.work import Item

log = logging.getLogger("qmlstudio.quantum")

POLL_SECONDS = 0.05
START_SECONDS = 180.0
"""A process that has not said that it is ready by then has failed: engines on slow disks take their time."""
AHEAD_SECONDS = 0.5
"""Work that a process has before it: enough that it never waits, little enough that the last ones end together."""
MAX_AHEAD = 256
AHEAD_BYTES = 16_384

Event = tuple["_Process", dict[str, Any] | None, protocol.Arrays]
Answer = Callable[[int, dict[str, Any], protocol.Arrays], None]


class EngineError(RuntimeError):
    """The computing processes cannot be started, or end before they have computed anything."""


def processors() -> int:
    """How many this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def command() -> list[str]:
    """How a computing process is started; the packed program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, WORKER_ARGUMENT]
    # -P and append: neither a file in the current folder nor one beside this package may stand for Python's own
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [sys.executable, "-P", "-c", _PROGRAM, root]


_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from qmlstudio.quantum.worker import main; sys.exit(main())"
WORKER_ARGUMENT = "--compute-worker"
"""With this argument alone the program is a computing process."""


class _Process:
    """One computing process and the structures that it has."""

    def __init__(self, setup: bytes, events: queue.SimpleQueue[Event]) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        self.process = subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            creationflags=flags,
        )
        self.outstanding: deque[Item] = deque()
        self.fraction = 0.0
        self.is_ready = False
        self.is_doomed = ""
        self.last_sign = time.monotonic()
        self.cpu = 0.0
        self._events = events
        self._reader = threading.Thread(target=self._read, name="qmlstudio-quantum-reader", daemon=True)
        self._reader.start()
        self.send(setup)

    def send(self, data: bytes) -> None:
        """Write to its stdin; a process that is gone is noticed by its reader."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while (message := protocol.read(self.process.stdout)) is not None:
                self._events.put((self, *message))
        except (protocol.ProtocolError, OSError, ValueError) as error:
            log.debug("a computing process's answers end: %s", error)
        self._events.put((self, None, {}))

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self.process.kill()

    def close(self) -> None:
        """End it and give back what it holds."""
        self.kill()
        self.process.wait()
        self._reader.join(5.0)
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def why(self) -> str:
        """Why it ended, for people."""
        if self.is_doomed:
            return self.is_doomed
        code = self.process.wait()
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 4096))
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        last = f": {lines[-1].strip()[:200]}" if lines else ""
        if code == -9:
            return "the computing process was killed: memory may be short"
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the computing process crashed ({cause}){last}"


class Pool:
    """Runs structures through computing processes.

    Parameters
    ----------
    setup : mapping
        "method", "task" and "quantities" as :mod:`qmlstudio.quantum.worker` wants them.
    workers : int
        Processes.
    silence : float, seconds
        A structure whose process gives no sign of life for so long fails, and the process is replaced.
    """

    def __init__(self, setup: Mapping[str, Any], workers: int, silence: float) -> None:
        self._setup = protocol.encode({"type": "setup", **setup})
        self._workers, self._silence = max(1, workers), silence
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._processes: list[_Process] = []
        self._seconds = 0.0
        self._answers = 0
        self._cpu = 0.0
        self._early_deaths = 0

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all processes so far, as far as they told."""
        return self._cpu + sum(p.cpu for p in self._processes)

    @property
    def fractions(self) -> float:
        """Sum of what is done of the structures under work."""
        return sum(p.fraction for p in self._processes)

    def run(self, items: Iterator[Item], count: int, answer: Answer, progress: Progress) -> None:
        """Work through all items.

        Parameters
        ----------
        items : iterator of Item
        count : int
            How many there are.
        answer : callable (index, head, arrays)
            Called in this thread for each, in the order of completion; the head's "type" is "result" or "failure".

        Raises
        ------
        Cancelled
            Through `progress`; the processes are gone then.
        EngineError
            No process starts.
        """
        left = deque[Item]()
        done = 0
        try:
            self._processes = [_Process(self._setup, self._events) for _ in range(min(self._workers, count))]
            while done < count:
                progress.check()
                for process in self._processes:
                    self._feed(process, items, left)
                for process, head, arrays in self._news():
                    done += self._take(process, head, arrays, left, answer, count - done)
                self._watch()
        finally:
            self.close()

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            self._cpu += process.cpu
            process.close()
        self._processes = []

    def _news(self) -> Iterator[Event]:
        """What came in, waiting a moment for the first."""
        try:
            yield self._events.get(timeout=POLL_SECONDS)
            for _ in range(200):
                yield self._events.get_nowait()
        except queue.Empty:
            return

    def _feed(self, process: _Process, items: Iterator[Item], left: deque[Item]) -> None:
        if not process.is_ready or process.is_doomed:
            return
        mean = self._seconds / self._answers if self._answers else 1.0
        ahead = min(max(2, int(AHEAD_SECONDS / max(mean, 1e-6))), MAX_AHEAD)
        if self._answers == 0:
            ahead = 1  # nobody knows yet what one costs
        if len(process.outstanding) > ahead // 2:
            return
        batch: list[bytes] = []
        # never more than a pipe holds: writing must not wait for a process that is deep in a library
        while len(process.outstanding) < ahead and sum(map(len, batch)) < AHEAD_BYTES:
            item = left.popleft() if left else next(items, None)
            if item is None:
                break
            if not process.outstanding:
                process.last_sign = time.monotonic()
            process.outstanding.append(item)
            batch.append(_encoded(item))
        if batch:
            process.send(b"".join(batch))

    def _take(
        self,
        process: _Process,
        head: dict[str, Any] | None,
        arrays: protocol.Arrays,
        left: deque[Item],
        answer: Answer,
        missing: int,
    ) -> int:
        """Deal with one message; how many structures it settles."""
        if process not in self._processes:
            return 0
        process.last_sign = time.monotonic()
        kind = None if head is None else head.get("type")
        if head is None:
            return self._bury(process, left, answer, missing)
        if kind == "ready":
            process.is_ready = True
        elif kind == "beat":
            process.fraction = float(head["fraction"])
        elif kind == "broken":
            raise EngineError(str(head["reason"]))
        elif kind in ("result", "failure") and process.outstanding:
            item = process.outstanding.popleft()
            process.fraction = 0.0
            process.cpu = float(head["cpu"])
            self._seconds += float(head["seconds"])
            self._answers += 1
            answer(item.index, head, arrays)
            return 1
        return 0

    def _bury(self, process: _Process, left: deque[Item], answer: Answer, missing: int) -> int:
        """A process is gone: the structure it had in hand fails, the others go to the next."""
        why = process.why()
        settled = 0
        if process.outstanding:
            culprit = process.outstanding.popleft()
            answer(culprit.index, {"type": "failure", "reason": why, "seconds": 0.0}, {})
            settled = 1
            log.warning("structure %d: %s", culprit.index, why)
        elif not process.is_ready:
            self._early_deaths += 1
            if self._early_deaths > self._workers:
                raise EngineError(f"no computing process can be started: {why}")
        left.extend(process.outstanding)
        process.outstanding.clear()
        self._processes.remove(process)
        self._cpu += process.cpu
        process.close()
        if missing - settled > sum(len(p.outstanding) for p in self._processes):
            self._processes.append(_Process(self._setup, self._events))
        return settled

    def _watch(self) -> None:
        """End processes that hang; their readers then tell that they are gone."""
        now = time.monotonic()
        for process in self._processes:
            quiet = now - process.last_sign
            if process.is_doomed:
                continue
            if not process.is_ready and quiet > START_SECONDS:
                process.is_doomed = f"the computing process did not start within {START_SECONDS:g} s"
            elif process.outstanding and quiet > self._silence:
                process.is_doomed = f"no sign of life for {self._silence:g} s: ended"
            if process.is_doomed:
                process.kill()


def _encoded(item: Item) -> bytes:
    arrays: dict[str, Any] = {"numbers": item.numbers, "positions": item.positions}
    if item.cell is not None:
        arrays["cell"] = item.cell
    head = {"type": "item", "index": item.index, "charge": item.charge, "unpaired": item.unpaired}
    if item.smiles:
        head["smiles"] = item.smiles
    return protocol.encode(head, arrays)
