"""What an enumeration has found so far: in memory while it is small, in a file when it is not."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from qmlstudio.chem.enumeration.output import MOST_OPENED, smiles_file, write_lines
from qmlstudio.chem.enumeration.stages import Enumeration, Molecule
from qmlstudio.progress import Progress


class Finds:
    """Collects molecules in the thread that computes; others use them once :meth:`close` was called there.

    Attributes
    ----------
    molecules : list of Molecule
        The first :data:`~qmlstudio.chem.enumeration.output.MOST_OPENED`.
    count : int
        All of them.
    """

    def __init__(self, spec: Enumeration, most: int = MOST_OPENED) -> None:
        self.spec = spec
        self.molecules: list[Molecule] = []
        self.count = 0
        self._most = most
        self._spool: Path | None = None
        self._file: IO[str] | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._discarded = False

    @property
    def is_complete(self) -> bool:
        """Whether all are in memory: then they can be opened as a data set."""
        return self.count == len(self.molecules)

    def add(self, batch: list[Molecule]) -> None:
        """Take further molecules; OSError when they must be written and cannot."""
        with self._lock:
            if self._discarded:
                return
            self.count += len(batch)
            if self._file is None:
                if len(self.molecules) + len(batch) <= self._most:
                    self.molecules += batch
                    return
                handle, name = tempfile.mkstemp(prefix="qmlstudio-", suffix=".smi.gz")
                os.close(handle)
                self._spool = Path(name)
                # written by the hundred thousand: the fastest level
                self._file = gzip.open(self._spool, "wt", 1, "ascii")  # noqa: SIM115
                write_lines(self._file, self.molecules)
            write_lines(self._file, batch)

    def close(self) -> None:
        """No more will come."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
        self._closed.set()

    def wait(self, progress: Progress) -> None:
        """Until the thread that collects has closed."""
        while not self._closed.wait(0.02):
            progress.check()

    def save(self, path: str) -> None:
        """Write SMILES, one a line, compressed when the name ends in .gz. OSError when that fails."""
        with smiles_file(path) as file:
            if self._spool is None:
                write_lines(file, self.molecules)
            else:
                with gzip.open(self._spool, "rt", encoding="ascii") as spool:
                    shutil.copyfileobj(spool, file, 1 << 20)

    def discard(self) -> None:
        """Remove what stands on the disk; whoever still collects collects nothing more."""
        with self._lock:
            self._discarded = True
            if self._file is not None:
                self._file.close()
                self._file = None
            if self._spool is not None:
                with suppress(OSError):
                    self._spool.unlink()
                self._spool = None
