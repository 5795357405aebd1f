"""A computation in a process of its own: for library code that cannot be asked to stop, or holds the interpreter.

A thread would be the wrong place for it: an abandoned one computes on, and compiled code that does not release the
interpreter's lock stands the window still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from qmlstudio.progress import Progress

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Result = TypeVar("Result")

POLL_SECONDS = 0.05
"""How often the caller's progress is asked whether anybody still waits."""


def in_process(work: Callable[..., Result], arguments: tuple[Any, ...], progress: Progress) -> Result:
    """``work(*arguments)``, computed elsewhere while `progress` is asked every 50 ms; a cancel ends the process.

    Parameters
    ----------
    work : callable
        A function of a module; it, its arguments and its result must be picklable.

    Raises
    ------
    Cancelled
        Through `progress`.
    RuntimeError
        The process ended without a result (out of memory, say).
    Exception
        Whatever `work` raised.
    """
    import multiprocessing  # 40 ms, which the window's start need not take

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(theirs, work, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        while not ours.poll(POLL_SECONDS):
            progress.check()
        try:
            succeeded, value = ours.recv()
        except EOFError:
            child.join()
            raise RuntimeError(
                f"the process that computed ended without a result (exit code {child.exitcode}): memory may be short"
            ) from None
    finally:
        ours.close()
        if child.is_alive():
            child.terminate()
        child.join()
        child.close()
    if not succeeded:
        raise value
    result: Result = value
    return result


def _serve(answer: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The other process: compute, send what came out."""
    try:
        message = (True, work(*arguments))
    except Exception as error:
        message = (False, error)
    answer.send(message)
    answer.close()
