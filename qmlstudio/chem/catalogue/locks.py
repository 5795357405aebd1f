"""A lock between processes and threads that goes with whoever holds it, even when that crashes."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from qmlstudio.progress import SILENT, Progress

POLL_SECONDS = 0.1

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: better unguarded than not at all
            return True
        return True


@contextlib.contextmanager
def file_lock(path: Path, progress: Progress = SILENT, message: str = "") -> Iterator[None]:
    """Hold the lock file `path`; waits for others, and can be cancelled meanwhile.

    Parameters
    ----------
    path : Path
        Made, and removed at the end.
    progress : Progress
        Receives `message` while it waits.

    Raises
    ------
    Cancelled
    OSError
        The file cannot be made.
    """
    descriptor = -1
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if _take(descriptor) and _is_same(descriptor, path):
                break
            os.close(descriptor)
            descriptor = -1
            progress(0.0, message)
            time.sleep(POLL_SECONDS)
        yield
    finally:
        if descriptor >= 0:
            # removed while it is held; on Windows nobody can remove what is open, and it stays
            with contextlib.suppress(OSError):
                if sys.platform != "win32":
                    path.unlink()
            os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one of that name: its last holder may have removed it meanwhile."""
    try:
        there = path.stat()
    except OSError:
        return False
    own = os.fstat(descriptor)
    return (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)
