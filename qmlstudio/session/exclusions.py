"""Structures that are left out of the work, in lists that say why: found duplicates, broken geometries, outliers."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Exclusion:
    """A list of structures to leave out.

    Attributes
    ----------
    name : str
        Of the list, for people: "duplicates".
    reason : str
        Why they are left out.
    indices : (k,) int64
        Structures, ascending and unique; read-only.
    active : bool
        Whether they are left out now.
    """

    name: str
    reason: str
    indices: NDArray[np.int64]
    active: bool = True

    def __post_init__(self) -> None:
        # sorted by hand: numpy's unique takes seconds for millions, and holds up every other thread
        indices = np.sort(np.asarray(self.indices, dtype=np.int64))
        indices = indices[np.diff(indices, prepend=indices[:1] - 1) > 0]
        if len(indices) and indices[0] < 0:
            raise ValueError(f"exclusion {self.name!r} names structure {indices[0]}")
        indices.flags.writeable = False
        object.__setattr__(self, "indices", indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Exclusion)
            and (self.name, self.reason, self.active) == (other.name, other.reason, other.active)
            and np.array_equal(self.indices, other.indices)
        )

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: differences of the indices, as base64 of little-endian int64."""
        steps = np.diff(self.indices, prepend=0).astype("<i8")
        packed = base64.b64encode(steps.tobytes()).decode("ascii")
        return {"name": self.name, "reason": self.reason, "active": self.active, "steps": packed}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Exclusion:
        """Inverse of :meth:`to_dict`; ValueError when the indices are damaged."""
        steps = np.frombuffer(base64.b64decode(data["steps"], validate=True), dtype="<i8")
        return cls(str(data["name"]), str(data["reason"]), np.cumsum(steps), bool(data["active"]))


def excluded(exclusions: Iterable[Exclusion], n: int) -> Mask | None:
    """(n,) bool: the structures that active lists leave out; None when nothing is."""
    lists = [e.indices for e in exclusions if e.active and len(e)]
    if not lists:
        return None
    mask = np.zeros(n, dtype=bool)
    for indices in lists:
        mask[indices[indices < n]] = True
    return mask
