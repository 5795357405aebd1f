"""Results by key, within a budget of memory. Equal keys mean equal results, so nothing here is ever out of date."""

from __future__ import annotations

import mmap
import sys
import threading
import types
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_LEAVES = (
    type(None),
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    np.generic,
    type,
    types.ModuleType,
    types.FunctionType,
)


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds and how it has served.

    Attributes
    ----------
    entries, size, budget : int
        Number of values; their estimated bytes; how many bytes they may have.
    hits, misses, evictions : int
        Since the cache was made.
    """

    entries: int
    size: int
    budget: int
    hits: int
    misses: int
    evictions: int


class Cache:
    """Keeps the values used last, up to `budget` bytes. All methods may be called from any thread.

    The value put last is never evicted, even when it alone exceeds the budget: somebody is about to use it.

    Parameters
    ----------
    budget : int, bytes
    """

    def __init__(self, budget: int) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._budget = budget
        self._newest: str | None = None
        self._size = self._hits = self._misses = self._evictions = 0

    def get(self, key: str, default: Any = None) -> Any:
        """The value, which counts as used now; `default` if there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return default
            self._hits += 1
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: str, value: Any, size: int | None = None) -> None:
        """Keep `value`; evicts those used longest ago when the budget is exceeded.

        Parameters
        ----------
        size : int, bytes, optional
            Estimated by :func:`size_of` when not given.
        """
        bytes_ = size_of(value) if size is None else size
        with self._lock:
            self._drop(key)
            self._entries[key] = (value, bytes_)
            self._size += bytes_
            self._newest = key
            dropped = self._shrink()
        # the arrays are freed here, not under the lock: unmapping gigabytes takes a while
        del dropped

    def discard(self, key: str) -> None:
        """Forget one value; nothing happens if there is none."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Forget everything but the figures of how it has served."""
        with self._lock:
            entries, self._entries = self._entries, OrderedDict()
            self._size, self._newest = 0, None
        entries.clear()

    @property
    def budget(self) -> int:
        """Bytes that the values may have altogether. Setting a smaller one evicts at once."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._lock:
            self._budget = budget
            dropped = self._shrink()
        del dropped

    @property
    def size(self) -> int:
        """Estimated bytes of all values."""
        return self._size

    def stats(self) -> CacheStats:
        """Figures of this moment."""
        with self._lock:
            return CacheStats(len(self._entries), self._size, self._budget, self._hits, self._misses, self._evictions)

    def __contains__(self, key: object) -> bool:
        """Whether there is a value; does not count as a use."""
        with self._lock:
            return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: str) -> Any:
        value, bytes_ = self._entries.pop(key, (None, 0))
        self._size -= bytes_
        if key == self._newest:
            self._newest = None
        return value

    def _shrink(self) -> list[Any]:
        """Evict what was used longest ago; the evicted values, so that the caller frees them outside the lock."""
        dropped = []
        for key in list(self._entries):
            if self._size <= self._budget:
                break
            if key != self._newest:
                dropped.append(self._drop(key))
                self._evictions += 1
        return dropped


def size_of(value: Any) -> int:
    """Estimated bytes that `value` keeps in memory, through containers, dataclasses and other objects.

    What occurs twice counts once. A view counts as the array it keeps alive; a memory-mapped file counts nothing,
    since the system drops its pages when memory is short.
    """
    seen: set[int] = set()
    stack = [value]
    total = 0
    while stack:
        item = stack.pop()
        if isinstance(item, np.ndarray):
            while isinstance(item.base, np.ndarray):
                item = item.base
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            if not isinstance(item.base, mmap.mmap):
                total += item.nbytes
            if item.dtype.hasobject:
                stack.extend(item.reshape(-1).tolist())
            continue
        total += sys.getsizeof(item)
        if isinstance(item, _LEAVES):
            continue
        if isinstance(item, Mapping):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            stack.extend(item)
        else:
            stack.append(getattr(item, "__dict__", None))
            for kind in type(item).__mro__:
                slots = kind.__dict__.get("__slots__", ())
                names = (slots,) if isinstance(slots, str) else slots
                stack.extend(getattr(item, name, None) for name in names if not name.startswith("__"))
    return total
