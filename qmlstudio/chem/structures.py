"""Many molecules or crystals as flat arrays, ready for compiled loops."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.progress import SILENT, Progress

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Numbers = NDArray[np.uint8]
_PART = 1 << 13
_COUNTED = 1 << 15
_HASHED = 1 << 24


@dataclass(frozen=True, eq=False)
class Structure:
    """A view of one structure: nothing is copied.

    Attributes
    ----------
    numbers : (N,) uint8
        Atomic numbers.
    positions : (N, 3) float64, Å
    cell : (3, 3) float64 or None, Å
        Lattice vectors in rows; None for a molecule.
    """

    numbers: Numbers
    positions: Floats
    cell: Floats | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def symbols(self) -> list[str]:
        """Element symbols, atom by atom."""
        return [SYMBOLS[z] for z in self.numbers]

    @property
    def formula(self) -> str:
        """Hill formula: C, H, then the others alphabetically."""
        return formula(self.numbers)


@dataclass(frozen=True, eq=False)
class Structures:
    """`n` structures with `A` atoms altogether.

    Attributes
    ----------
    numbers : (A,) uint8
        Atomic numbers of all atoms, structure after structure.
    positions : (A, 3) float64, Å
    offsets : (n + 1,) int64
        Atoms of structure i are ``offsets[i]:offsets[i + 1]``.
    cells : (n, 3, 3) float64 or None, Å
        Lattice vectors in rows; a row of zeros where a structure has none; None when no structure is periodic.
    """

    numbers: Numbers
    positions: Floats
    offsets: Ints
    cells: Floats | None = None
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # asanyarray keeps memory maps; nothing is copied when the types are right
        set_ = object.__setattr__
        set_(self, "numbers", np.asanyarray(self.numbers, dtype=np.uint8))
        set_(self, "positions", np.asanyarray(self.positions, dtype=np.float64))
        set_(self, "offsets", np.asanyarray(self.offsets, dtype=np.int64))
        if self.cells is not None:
            set_(self, "cells", np.asanyarray(self.cells, dtype=np.float64))
        atoms = len(self.numbers)
        if self.positions.shape != (atoms, 3):
            raise ValueError(f"positions have shape {self.positions.shape}, expected ({atoms}, 3)")
        if len(self.offsets) == 0 or self.offsets[0] != 0 or self.offsets[-1] != atoms:
            raise ValueError("offsets must start at 0 and end at the number of atoms")
        if self.cells is not None and self.cells.shape != (len(self), 3, 3):
            raise ValueError(f"cells have shape {self.cells.shape}, expected ({len(self)}, 3, 3)")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Structure:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"structure {index} of {n}")
        index = int(index) % n
        a, b = self.offsets[index], self.offsets[index + 1]
        cell = None
        if self.cells is not None and self.cells[index].any():
            cell = self.cells[index]
        return Structure(self.numbers[a:b], self.positions[a:b], cell)

    def __iter__(self) -> Iterator[Structure]:
        return (self[i] for i in range(len(self)))

    def take(self, indices: Any) -> Structures:
        """A copy with the chosen structures (indices, slice or boolean mask), in that order."""
        chosen = chosen_rows(indices, len(self))
        sizes = self.offsets[chosen + 1] - self.offsets[chosen]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        atoms = self.atoms_of(chosen)
        cells = None if self.cells is None else self.cells[chosen]
        return Structures(self.numbers[atoms], self.positions[atoms], offsets, cells)

    def atoms_of(self, chosen: Ints) -> Ints:
        """Rows of the atoms of some structures, structure after structure.

        Parameters
        ----------
        chosen : (m,) int64
            Structures, not negative.
        """
        sizes = self.offsets[chosen + 1] - self.offsets[chosen]
        ends = np.cumsum(sizes)
        rows: Ints = np.repeat(self.offsets[chosen] - ends + sizes, sizes) + np.arange(ends[-1] if len(ends) else 0)
        return rows

    @classmethod
    def from_lists(
        cls,
        numbers: Iterable[Any],
        positions: Iterable[Any],
        cells: Iterable[Any] | None = None,
    ) -> Structures:
        """Join per-structure arrays ``(N,)`` and ``(N, 3)`` (and cells or None, one for each structure)."""
        z = [np.asarray(a, dtype=np.uint8) for a in numbers]
        r = [np.asarray(a, dtype=np.float64).reshape(-1, 3) for a in positions]
        offsets = np.concatenate([[0], np.cumsum([len(a) for a in z])]).astype(np.int64)
        boxes = None
        if cells is not None:
            given = [np.zeros((3, 3)) if c is None else np.asarray(c, dtype=np.float64) for c in cells]
            if any(c.any() for c in given):
                boxes = np.array(given)
        if not z:
            return cls(np.zeros(0, np.uint8), np.zeros((0, 3)), offsets, boxes)
        return cls(np.concatenate(z), np.concatenate(r), offsets, boxes)

    @property
    def sizes(self) -> Ints:
        """(n,) number of atoms of each structure."""
        return np.diff(self.offsets)

    @cached_property
    def size_range(self) -> tuple[int, int]:
        """Atoms of the smallest and of the largest structure; zeros when there is none."""
        low, high = np.iinfo(np.int64).max, 0
        for start in range(0, len(self), _COUNTED):
            sizes = np.diff(self.offsets[start : start + _COUNTED + 1])
            low, high = min(low, int(sizes.min())), max(high, int(sizes.max()))
        return (low, high) if len(self) else (0, 0)

    @cached_property
    def species(self) -> Species:
        """Elements and their largest counts."""
        return Species.of(self)

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all structures have the same atoms in the same order (frames of a trajectory)."""
        n = len(self)
        if n < 2:
            return False
        # piece by piece, so that sets which are mapped into memory are not copied
        first = self[0].numbers
        for start in range(0, n, _COUNTED):
            bounds = self.offsets[start : start + _COUNTED + 1]
            if (np.diff(bounds) != len(first)).any():
                return False
            table = self.numbers[bounds[0] : bounds[-1]].reshape(len(bounds) - 1, len(first))
            if (table != first).any():
                return False
        return True

    @cached_property
    def fingerprint(self) -> str:
        """Content hash (32 hex digits) of numbers, positions, offsets and cells."""
        return self.hashed()

    def hashed(self, progress: Progress = SILENT) -> str:
        """The :attr:`fingerprint`, made in pieces that can be cancelled in between."""
        h = hashlib.blake2b(digest_size=16)
        for array in (self.numbers, self.positions, self.offsets, self.cells):
            if array is not None:
                update_hash(h, array, progress)
        return h.hexdigest()

    def formulas(self) -> list[str]:
        """Hill formula of each structure."""
        # many structures share a formula: each distinct one is spelled once
        spelled: dict[bytes, str] = {}
        texts: list[str] = []
        found, parts = self.element_counts()
        for _, counts in parts:
            distinct, which = np.unique(counts, axis=0, return_inverse=True)
            for row in distinct:
                if row.tobytes() not in spelled:
                    spelled[row.tobytes()] = formula(np.repeat(found, row))
            here = [spelled[row.tobytes()] for row in distinct]
            texts += [here[k] for k in which.ravel().tolist()]
        return texts

    def element_counts(self) -> tuple[Ints, Iterator[tuple[int, Ints]]]:
        """How many atoms of each element the structures have, part by part.

        Returns
        -------
        found : (k,) int64
            Atomic numbers that occur, ascending.
        parts : iterator of (start, (m, k) int64)
            Counts of the structures from `start` on: a few thousand at a time, since sorting and indexing many at once
            would hold up every other thread.
        """
        total = np.zeros(256, dtype=np.int64)
        # counting makes wide copies: of a part at a time they stay in the processor's cache
        for start in range(0, len(self.numbers), _COUNTED):
            total += np.bincount(self.numbers[start : start + _COUNTED], minlength=256)
        found = np.flatnonzero(total)
        return found, self._element_counts(found)

    def _element_counts(self, found: Ints) -> Iterator[tuple[int, Ints]]:
        column = np.zeros(256, dtype=np.int64)
        column[found] = np.arange(len(found))
        for start in range(0, len(self), _PART):
            bounds = self.offsets[start : start + _PART + 1]
            sizes, shape = np.diff(bounds), (len(bounds) - 1, len(found))
            cells = np.repeat(np.arange(len(sizes)) * len(found), sizes) + column[self.numbers[bounds[0] : bounds[-1]]]
            yield start, np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True)
class Species:
    """Which elements a set has and how many of each at most: what fixes the columns of a representation.

    Attributes
    ----------
    numbers : tuple of int
        Atomic numbers, ascending.
    counts : tuple of int
        Largest count of that element in one structure.
    n_max : int
        Largest number of atoms in one structure.
    """

    numbers: tuple[int, ...]
    counts: tuple[int, ...]
    n_max: int

    @classmethod
    def of(cls, structures: Structures) -> Species:
        """Counted over all structures."""
        found, parts = structures.element_counts()
        counts = np.zeros(len(found), dtype=np.int64)
        for _, part in parts:
            np.maximum(counts, part.max(axis=0), out=counts)
        return cls(tuple(found.tolist()), tuple(counts.tolist()), structures.size_range[1])

    @property
    def symbols(self) -> tuple[str, ...]:
        """Element symbols in the order of `numbers`."""
        return tuple(SYMBOLS[z] for z in self.numbers)

    def count(self, number: int) -> int:
        """Largest count of the element; 0 if the set has none."""
        return dict(zip(self.numbers, self.counts, strict=True)).get(number, 0)


def formula(numbers: Any) -> str:
    """Hill formula of atomic numbers: C, H, then the others alphabetically (all alphabetically without C)."""
    found, counts = np.unique(np.asarray(numbers), return_counts=True)
    tally = {SYMBOLS[z]: int(c) for z, c in zip(found, counts, strict=True)}
    order = sorted(tally)
    if "C" in tally:
        order = ["C", *(["H"] if "H" in tally else []), *(s for s in order if s not in ("C", "H"))]
    return "".join(s + (str(tally[s]) if tally[s] > 1 else "") for s in order)


def chosen_rows(indices: Any, count: int) -> Ints:
    """Indices, a slice or a mask as the indices of rows, none of them negative.

    Raises
    ------
    IndexError
    """
    if isinstance(indices, slice):
        return np.arange(*indices.indices(count), dtype=np.int64)
    rows = np.asarray(indices)
    if rows.dtype == np.bool_:
        if rows.shape != (count,):
            raise IndexError(f"a mask of shape {rows.shape} for {count} rows")
        return np.flatnonzero(rows)
    if rows.size == 0:
        return np.zeros(0, np.int64)
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise IndexError("rows are chosen by integers, a slice or a mask")
    low, high = int(rows.min()), int(rows.max())
    if low < -count or high >= count:
        raise IndexError(f"row {high if high >= count else low} of {count}")
    rows = rows.astype(np.int64, copy=False)
    return np.where(rows < 0, rows + count, rows) if low < 0 else rows


def update_hash(h: Any, array: NDArray[Any], progress: Progress = SILENT) -> None:
    """Feed the bytes of an array to a hash, in pieces."""
    flat = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    for start in range(0, len(flat), _HASHED):
        h.update(flat[start : start + _HASHED].data)
        progress.check()
