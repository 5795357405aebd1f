"""The pictures that were made last, as many as fit into a fixed amount of memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QImage

from qmlstudio.widgets.gallery_pictures import Look

MEMORY: Final = 128 * 2**20
"""Bytes for pictures."""
_OVERHEAD: Final = 512
"""Of one entry, bytes: those without a picture count, too."""


@dataclass(frozen=True)
class _Entry:
    look: Look
    image: QImage | None

    @property
    def size(self) -> int:
        return _OVERHEAD + (0 if self.image is None else int(self.image.sizeInBytes()))


class PictureCache:
    """One picture for each structure, the latest; the least recently shown are dropped first.

    Parameters
    ----------
    memory : int, bytes
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._used = 0
        self._entries: OrderedDict[int, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def used(self) -> int:
        """Bytes that the pictures take."""
        return self._used

    def put(self, index: int, look: Look, image: QImage | None) -> None:
        """Keep a picture; None: it is known that there is none."""
        self._drop(index)
        entry = _Entry(look, image)
        self._entries[index] = entry
        self._used += entry.size
        while self._used > self._memory and len(self._entries) > 1:
            self._drop(next(iter(self._entries)))

    def has(self, index: int, look: Look) -> bool:
        """Whether the picture of exactly this look was made (or found not to exist)."""
        entry = self._entries.get(index)
        return entry is not None and entry.look == look

    def get(self, index: int, look: Look) -> QImage | None:
        """The picture, or one that may stand in for it until it is made; None when there is neither."""
        entry = self._entries.get(index)
        if entry is None or not (entry.look is look or entry.look.is_like(look)):
            return None
        self._entries.move_to_end(index)
        return entry.image

    def clear(self) -> None:
        """Forget all: other structures bear the numbers now."""
        self._entries.clear()
        self._used = 0

    def _drop(self, index: int) -> None:
        entry = self._entries.pop(index, None)
        if entry is not None:
            self._used -= entry.size
