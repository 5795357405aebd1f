"""What is unsaved outlives the process: a copy on disk moments after each change, offered after a crash."""

from __future__ import annotations

import datetime
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QLockFile, QObject, QRunnable, Qt, QThreadPool, QTimer, Signal, Slot

from qmlstudio.app.preferences import state_folder
from qmlstudio.session.storage import Document, StorageError, header, remove_leftovers, save

log = logging.getLogger("qmlstudio.autosave")

_UNREADABLE_LOCK_SECONDS = 60.0

Snapshot = Callable[[], tuple[Document, dict[str, NDArray[Any]]]]


@dataclass(frozen=True)
class Recovery:
    """An autosave whose process ended without cleaning up.

    Attributes
    ----------
    path : Path
        A session file; open it with :func:`qmlstudio.session.storage.load`.
    time : datetime, local
        Of the last autosave.
    title : str
        What the session was called.
    """

    path: Path
    time: datetime.datetime
    title: str


class Autosave(QObject):
    """Writes the session to the user's state folder after each change, in a thread of its own.

    Only the snapshot is taken in the main thread: references to arrays that nobody changes. The file exists from the
    first autosave until :meth:`clear` or :meth:`close`; a lock file beside it says that its process lives.

    Signals
    -------
    saved : (path)
    failed : (message)
        The disk is full, say; tried again after the next change.

    Parameters
    ----------
    snapshot : callable () -> (document, arrays)
        Called in the main thread. The arrays must not be changed afterwards.
    title : callable () -> str, optional
        What to call the session when it is offered for recovery.
    folder : path, optional
        The default is :func:`autosave_folder`.
    delay : float, seconds
        Of quiet after the last change before it is written.
    longest : float, seconds
        That a change waits at most, however busily others follow.
    """

    saved = Signal(str)
    failed = Signal(str)
    _written = Signal(str)

    def __init__(
        self,
        snapshot: Snapshot,
        title: Callable[[], str] | None = None,
        parent: QObject | None = None,
        *,
        folder: str | os.PathLike[str] | None = None,
        delay: float = 2.0,
        longest: float = 10.0,
    ) -> None:
        super().__init__(parent)
        self._snapshot = snapshot
        self._title = title
        self._delay, self._longest = delay, longest
        self._folder = Path(folder) if folder is not None else autosave_folder()
        self.path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.qmls"
        self._lock: QLockFile | None = None
        self._dirty_since: float | None = None
        self._is_writing = False
        self._drop = False
        self._is_closed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer_timeout)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._pool.setExpiryTimeout(1000)
        self._written.connect(self._on_written, Qt.ConnectionType.QueuedConnection)

    @property
    def is_pending(self) -> bool:
        """Whether a change is not on disk yet."""
        return self._dirty_since is not None or self._is_writing

    @Slot()
    def touch(self) -> None:
        """The session has changed."""
        if self._is_closed:
            return
        now = time.monotonic()
        if self._dirty_since is None:
            self._dirty_since = now
        wait = min(self._delay, self._dirty_since + self._longest - now)
        self._timer.start(max(0, round(wait * 1000)))

    def flush(self, timeout: float = 10.0) -> bool:
        """Have what is pending on disk before returning, waiting at most `timeout` seconds; whether it is."""
        if self._dirty_since is not None:
            self._timer.stop()
            self._pool.waitForDone(round(timeout * 1000))
            self._is_writing = False
            self._write()
        return self._pool.waitForDone(round(timeout * 1000))

    @Slot()
    def clear(self) -> None:
        """Nothing is unsaved any more (it was saved under its own name): forget what is pending, remove the file."""
        self._timer.stop()
        self._dirty_since = None
        if self._is_writing:
            self._drop = True
        else:
            _remove(self.path)

    @Slot()
    def close(self, keep: bool = False) -> None:
        """The application ends in good order: remove the file, release the lock. May be called again.

        Parameters
        ----------
        keep : bool
            Write what is pending and leave the file for the next start (the system is shutting down, say).
        """
        if self._is_closed:
            return
        if keep:
            self.flush()
        self._is_closed = True
        self._timer.stop()
        self._dirty_since = None
        self._pool.waitForDone(10_000)
        self._is_writing = False
        if not keep:
            _remove(self.path)
        if self._lock is not None:
            self._lock.unlock()
            self._lock = None

    @Slot()
    def _on_timer_timeout(self) -> None:
        if not self._is_writing:  # else when that is done
            self._write()

    def _write(self) -> None:
        """Take the snapshot here and write it over there."""
        self._dirty_since = None
        if not self._hold_lock():
            return
        document, arrays = self._snapshot()
        title = self._title() if self._title is not None else ""
        self._is_writing, self._drop = True, False
        self._pool.start(_Writing(self.path, document, arrays, title, self._written.emit))

    def _hold_lock(self) -> bool:
        if self._lock is not None:
            return True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.failed.emit(str(error))
            return False
        lock = QLockFile(str(_lock_path(self.path)))
        lock.setStaleLockTime(0)  # stale when its process is dead, however long that has been running
        if not lock.tryLock(0):
            self.failed.emit(self.tr("{0} cannot be locked").format(self.path))
            return False
        self._lock = lock
        return True

    @Slot(str)
    def _on_written(self, error: str) -> None:
        if self._is_closed:
            return
        self._is_writing = False
        if self._drop:
            self._drop = False
            _remove(self.path)
        elif error:
            log.warning("autosave failed: %s", error)
            self.failed.emit(error)
        else:
            self.saved.emit(str(self.path))
        if self._dirty_since is not None and not self._timer.isActive():
            self._write()


class _Writing(QRunnable):
    """Writes one snapshot in the pool's thread."""

    def __init__(
        self,
        path: Path,
        document: Document,
        arrays: dict[str, NDArray[Any]],
        title: str,
        written: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._path, self._document, self._arrays, self._title = path, document, arrays, title
        self._report = written

    def run(self) -> None:
        """Write, and report the error or nothing."""
        error = ""
        try:
            save(self._path, self._document, self._arrays, title=self._title)
        except Exception as problem:
            error = str(problem) or repr(problem)
        self._report(error)


def autosave_folder() -> Path:
    """Where autosaves are kept."""
    return state_folder() / "autosave"


def find_recoverable(folder: str | os.PathLike[str] | None = None) -> list[Recovery]:
    """Autosaves whose process is dead, newest first. Unreadable ones are left out, but not removed.

    What else dead processes have left in the folder (locks without a session, half-written files) is removed.
    """
    place = Path(folder) if folder is not None else autosave_folder()
    remove_leftovers(place)
    found = []
    for path in {entry.with_suffix(".qmls") for pattern in ("*.qmls", "*.lock") for entry in place.glob(pattern)}:
        if not _is_abandoned(path) or not path.exists():
            continue
        try:
            changed = datetime.datetime.fromtimestamp(path.stat().st_mtime).astimezone()
            title = str(header(path).get("title", ""))
        except (StorageError, OSError) as error:
            log.warning("an autosave cannot be recovered: %s", error)
            continue
        found.append(Recovery(path, changed, title))
    return sorted(found, key=lambda recovery: recovery.time, reverse=True)


def discard(recovery: Recovery) -> None:
    """Remove an autosave that is not wanted, or was recovered and saved."""
    _remove(recovery.path)
    _remove(_lock_path(recovery.path))


def _is_abandoned(path: Path) -> bool:
    """Whether the process that wrote this autosave is dead; removes its lock then."""
    name = _lock_path(path)
    lock = QLockFile(str(name))
    lock.setStaleLockTime(0)
    if lock.tryLock(0):
        lock.unlock()
        return True
    if lock.getLockInfo()[0] > 0:
        return False  # its process lives, and is no concern of ours
    # no process is named in it: a power cut took the content, unless it is being written at this moment
    try:
        if time.time() - name.stat().st_mtime < _UNREADABLE_LOCK_SECONDS:
            return False
    except OSError:
        return False
    _remove(name)
    return True


def _remove(path: Path) -> None:
    """Remove a file; that it stays is no reason to stop anything."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")
