"""Files that take the place of older ones only when they are whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from qmlstudio.chem.errors import DataError, Problem


@contextlib.contextmanager
def replaced(path: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """A file that takes the place of `path` when it was written whole; else `path` stays as it was.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise DataError(Problem(str(path), error.strerror or str(error), "choose another folder")) from error
    try:
        with os.fdopen(handle, "wb") if binary else os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's files are for their owner alone
        os.replace(name, path)
    except OSError as error:
        raise DataError(Problem(str(path), error.strerror or str(error), "choose another place")) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
