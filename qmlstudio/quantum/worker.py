"""A computing process (``python -m qmlstudio.quantum.worker``). Structures come in by stdin, results go out by stdout.

It ends when its stdin does, whatever it is doing: nothing of it outlives the program that started it.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

# one thread each: as many processes as processors do the rest. Before numpy, which reads them
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("OMP_STACKSIZE", "64M")

NICENESS = 5
BEAT_SECONDS = 0.2
"""Least time between two signs of life."""


def main() -> int:
    """Work until stdin ends."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the program ends this one
    # what an engine prints must not get between the messages
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    from qmlstudio.quantum.protocol import encode

    head, _ = inbox.get()
    try:
        bench = _set_up(head)
    except Exception as error:
        answers.write(encode({"type": "broken", "reason": f"{type(error).__name__}: {error}"}))
        return 1
    answers.write(encode({"type": "ready"}))
    while True:
        head, arrays = inbox.get()
        answers.write(_answer(bench, head, arrays, answers))


def _listen(stream: BinaryIO, inbox: queue.SimpleQueue[Any]) -> None:
    """In a thread of its own: takes in what comes, and ends the process with the stream, even in mid-calculation."""
    from qmlstudio.quantum.protocol import read

    try:
        while (message := read(stream)) is not None:
            inbox.put(message)
    finally:
        os._exit(0)


def _set_up(head: dict[str, Any]) -> Any:
    from qmlstudio.quantum.methods import method_from
    from qmlstudio.quantum.tasks import task_from
    from qmlstudio.quantum.work import Bench

    method = method_from(head["method"])
    __import__("tblite.interface" if method.package == "tblite" else method.package)
    return Bench(method, task_from(head["task"]), tuple(head["quantities"]))


def _answer(bench: Any, head: dict[str, Any], arrays: dict[str, Any], answers: Any) -> bytes:
    """The message that says what came of one structure."""
    from qmlstudio.quantum.engines import CalculationError
    from qmlstudio.quantum.protocol import encode
    from qmlstudio.quantum.work import Item

    index = head["index"]
    began = last = time.perf_counter()

    def beat(fraction: float) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= BEAT_SECONDS:
            last = now
            answers.write(encode({"type": "beat", "index": index, "fraction": fraction}))

    item = Item(
        index,
        arrays["numbers"],
        arrays["positions"],
        head["charge"],
        head["unpaired"],
        arrays.get("cell"),
        head.get("smiles", ""),
    )
    try:
        values, found = bench.perform(item, beat)
        told: dict[str, Any] = {"type": "result", "values": values}
    except CalculationError as error:
        told, found = {"type": "failure", "reason": str(error)}, {}
    except MemoryError:
        told, found = {"type": "failure", "reason": "the memory is not enough"}, {}
    except Exception as error:  # of one structure: the next may do
        told, found = {"type": "failure", "reason": f"{type(error).__name__}: {error}"[:300]}, {}
    spent = time.perf_counter() - began
    return encode({**told, "index": index, "seconds": spent, "cpu": time.process_time()}, found)


if __name__ == "__main__":
    sys.exit(main())
