"""Results on disk: what was computed once is there the next time, and what a crash interrupted goes on.

One SQLite file in the user's cache; a record is the bytes of a message (:mod:`qmlstudio.quantum.protocol`), found by
what was done (method, its parameters, the program's version, the task) and by the structure's content.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from qmlstudio.quantum.work import Item

log = logging.getLogger("qmlstudio.quantum")

BUDGET = 2 * 2**30
"""Bytes; beyond, the oldest half goes."""
_ASKED = 500
_FORMAT = 1


def default_path() -> Path:
    """In the user's cache."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("qmlstudio", appauthor=False)) / "quantum" / f"results-{_FORMAT}.sqlite"


def key_of(item: Item) -> bytes:
    """Content hash of a structure, its charge and its unpaired electrons (16 bytes)."""
    h = hashlib.blake2b(digest_size=16)
    h.update(np.asarray(item.numbers, dtype=np.uint8).tobytes())
    h.update(np.asarray(item.positions, dtype="<f8").tobytes())
    if item.cell is not None:
        h.update(b"cell" + np.asarray(item.cell, dtype="<f8").tobytes())
    h.update(f"{item.charge} {item.unpaired}".encode())
    return h.digest()


class Records:
    """The file; for one thread. Where it cannot be used (a full disk, another program's lock) it is as if empty.

    Parameters
    ----------
    path : Path, optional
        :func:`default_path` when not given.
    """

    def __init__(self, path: Path | None = None, budget: int = BUDGET) -> None:
        self.path = path if path is not None else default_path()
        self._base: sqlite3.Connection | None = None
        for attempt in (1, 2):
            try:
                self._base = self._opened(budget)
                break
            except sqlite3.DatabaseError as error:
                log.warning("%s: %s", self.path, error)
                if isinstance(error, sqlite3.OperationalError) or attempt == 2:
                    break
                for ending in ("", "-wal", "-shm"):  # damaged: what it held can be computed again
                    with contextlib.suppress(OSError):
                        Path(f"{self.path}{ending}").unlink()
            except OSError as error:
                log.warning("%s: %s", self.path, error)
                break

    def _opened(self, budget: int) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        large = self.path.exists() and self.path.stat().st_size > budget
        base = sqlite3.connect(self.path, timeout=5.0)
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=NORMAL")
            base.execute(
                "CREATE TABLE IF NOT EXISTS records"
                " (kind TEXT, key BLOB, value BLOB, made REAL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
            if large:
                (middle,) = base.execute(
                    "SELECT made FROM records ORDER BY made LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM records)"
                ).fetchone() or (0.0,)
                base.execute("DELETE FROM records WHERE made <= ?", (middle,))
            base.commit()
        except BaseException:
            base.close()
            raise
        return base

    def get(self, kind: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The records that there are, by key."""
        found: dict[bytes, bytes] = {}
        if self._base is None:
            return found
        try:
            for start in range(0, len(keys), _ASKED):
                part = keys[start : start + _ASKED]
                marks = ",".join("?" * len(part))
                rows = self._base.execute(
                    f"SELECT key, value FROM records WHERE kind = ? AND key IN ({marks})", (kind, *part)
                )
                found.update((bytes(k), bytes(v)) for k, v in rows)
        except sqlite3.Error as error:
            log.warning("%s: %s", self.path, error)
        return found

    def put(self, kind: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep records, in place of earlier ones."""
        if self._base is None:
            return
        now = time.time()
        try:
            with self._base:
                self._base.executemany(
                    "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", ((kind, k, v, now) for k, v in records)
                )
        except sqlite3.Error as error:
            log.warning("%s: %s", self.path, error)

    def close(self) -> None:
        """Nothing more is asked."""
        if self._base is not None:
            self._base.close()
            self._base = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
