"""Which files a data set was read from: whoever keeps what was read must know when it is out of date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_watched: ContextVar[dict[Path, None] | None] = ContextVar("watched", default=None)


@contextmanager
def watched() -> Iterator[dict[Path, None]]:
    """Collect, as keys in the order of reading, the files that readers look at in this thread."""
    found: dict[Path, None] = {}
    token = _watched.set(found)
    try:
        yield found
    finally:
        _watched.reset(token)


def note(path: Path) -> None:
    """Tell that a file is read, or that it would have been if it were there. Every reader does that for every file."""
    found = _watched.get()
    if found is not None:
        found[path] = None
