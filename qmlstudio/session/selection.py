"""Which structures are meant: an immutable mask, its active member, and where it came from."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

OPERATIONS = ("replace", "add", "subtract", "intersect")


def _is_frozen(mask: object) -> bool:
    """Whether nobody can change an array any more: then it need not be copied."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        return False
    return mask.base is None and not mask.flags.writeable


@dataclass(frozen=True, eq=False)
class Selection:
    """A set of structures.

    Attributes
    ----------
    mask : (n,) bool
        Selected structures, read-only. Nothing selected is legal, and then nothing is dimmed. A selection that differs
        in its active structure only has the same array: panels need not look at millions of flags for a click.
    active : int or None
        The one structure that the other panels show; need not be in the mask.
    origin : str
        For people: "lasso", "click", "table", an expression.
    """

    mask: Mask
    active: int | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        mask = self.mask
        if not (
            isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.base is None and not mask.flags.writeable
        ):
            mask = np.array(mask, dtype=bool)
            mask.flags.writeable = False
            object.__setattr__(self, "mask", mask)
        if self.active is not None and not 0 <= self.active < len(mask):
            raise ValueError(f"active structure {self.active} of {len(mask)}")

    @classmethod
    def none(cls, n: int, active: int | None = None) -> Selection:
        """Nothing of `n` structures."""
        return cls(np.zeros(n, dtype=bool), active)

    def __len__(self) -> int:
        return len(self.mask)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Selection)
            and self.active == other.active
            and self.origin == other.origin
            and (self.mask is other.mask or np.array_equal(self.mask, other.mask))
        )

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def count(self) -> int:
        """How many are selected."""
        return int(np.count_nonzero(self.mask))

    def __and__(self, other: Selection) -> Selection:
        return Selection(self.mask & other.mask, self.active, f"({self.origin} and {other.origin})")

    def __or__(self, other: Selection) -> Selection:
        return Selection(self.mask | other.mask, self.active, f"({self.origin} or {other.origin})")

    def __xor__(self, other: Selection) -> Selection:
        return Selection(self.mask ^ other.mask, self.active, f"({self.origin} xor {other.origin})")

    def __invert__(self) -> Selection:
        compound = any(sign in self.origin for sign in (" + ", " − ", " ∩ "))
        said = f"not ({self.origin})" if compound else f"not {self.origin}"
        return Selection(~self.mask, self.active, said if self.origin and self.mask.any() else "all")

    def combine(self, mask: Mask, operation: str, origin: str) -> Selection:
        """The selection after a gesture: "replace", "add", "subtract" or "intersect"; the active structure stays."""
        if operation not in OPERATIONS:
            raise ValueError(f"{operation!r} is none of {', '.join(OPERATIONS)}")
        if operation == "replace" or not self.mask.any():
            new = np.zeros_like(mask) if operation in ("subtract", "intersect") else mask
            return Selection(new, self.active, origin)
        if operation == "add":
            return Selection(self.mask | mask, self.active, f"{self.origin} + {origin}")
        if operation == "subtract":
            return Selection(self.mask & ~mask, self.active, f"{self.origin} − {origin}")
        return Selection(self.mask & mask, self.active, f"{self.origin} ∩ {origin}")

    def with_active(self, active: int | None) -> Selection:
        """The same mask with another active structure."""
        return Selection(self.mask, active, self.origin)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; the mask as packed bits."""
        packed = base64.b64encode(np.packbits(self.mask).tobytes()).decode() if self.mask.any() else ""
        return {"n": len(self.mask), "mask": packed, "active": self.active, "origin": self.origin}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Selection:
        """Inverse of :meth:`to_dict`; ValueError when the bits do not fit."""
        n = int(data["n"])
        if not data["mask"]:
            return cls(np.zeros(n, dtype=bool), data["active"], data["origin"])
        bits = np.unpackbits(np.frombuffer(base64.b64decode(data["mask"]), dtype=np.uint8))
        if len(bits) < n:
            raise ValueError("the selection is shorter than its data set")
        return cls(bits[:n].astype(bool), data["active"], data["origin"])


@dataclass(frozen=True)
class NamedSelection:
    """A selection that was given a name; its active structure means nothing."""

    name: str
    selection: Selection

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"name": self.name, "selection": self.selection.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NamedSelection:
        """Inverse of :meth:`to_dict`."""
        return cls(str(data["name"]), Selection.from_dict(data["selection"]))
