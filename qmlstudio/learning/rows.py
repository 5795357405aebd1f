"""What kernels compare and models learn from: rows of features, with what belongs to each structure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations.base import Features, Representation

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Features of n structures: one row each, or, local, one row for each atom.

    Attributes
    ----------
    array : (n, d) or (A, d) float64 or float32
        May be memory-mapped.
    offsets : (n + 1,) int64 or None
        Local: rows of structure i are ``offsets[i]:offsets[i + 1]``.
    numbers : (A,) uint8 or None
        Local: the element of each row.
    sizes : (n,) int64 or None
        Atoms of each structure, for extensive properties; None when nobody said.
    representation : Representation or None
        What made them; kernels that are part of a representation (FCHL18's) need it.
    species : Species or None
        For which columns they were computed; the same kernels need it.
    """

    array: Array
    offsets: NDArray[np.int64] | None = None
    numbers: NDArray[np.uint8] | None = None
    sizes: NDArray[np.int64] | None = None
    representation: Representation | None = None
    species: Species | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 2:
            raise ValueError(f"features have shape {self.array.shape}, expected rows and columns")
        if self.offsets is not None and int(self.offsets[-1]) != len(self.array):
            raise ValueError(f"the offsets end at {int(self.offsets[-1])} of {len(self.array)} rows")
        if self.numbers is not None and len(self.numbers) != len(self.array):
            raise ValueError(f"{len(self.numbers)} elements for {len(self.array)} rows")

    @classmethod
    def of(cls, features: Features, structures: Structures) -> Rows:
        """The rows of a representation's features; `structures` are those that they were computed of."""
        sizes = structures.sizes.astype(np.int64)
        if features.offsets is None:
            return cls(features.array, sizes=sizes, representation=features.representation, species=features.species)
        # a representation may have rows for some elements only: then there is no element for each row
        numbers = structures.numbers if len(structures.numbers) == len(features.array) else None
        return cls(features.array, features.offsets, numbers, sizes, features.representation, features.species)

    def __len__(self) -> int:
        """Number of structures."""
        return len(self.array) if self.offsets is None else len(self.offsets) - 1

    @property
    def is_local(self) -> bool:
        """Whether there is a row for each atom."""
        return self.offsets is not None

    @cached_property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending; empty when the rows are global."""
        return () if self.numbers is None else tuple(np.unique(self.numbers).tolist())

    def take(self, indices: Any) -> Rows:
        """The rows of the chosen structures (indices, slice or mask), in that order; a copy unless it is a slice."""
        sizes = None if self.sizes is None else self.sizes[indices]
        if self.offsets is None:
            return replace(self, array=self.array[indices], sizes=sizes)
        chosen = np.arange(len(self))[indices]
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        places = np.repeat(self.offsets[chosen] - offsets[:-1], counts) + np.arange(offsets[-1])
        numbers = None if self.numbers is None else self.numbers[places]
        return replace(self, array=self.array[places], offsets=offsets, numbers=numbers, sizes=sizes)
