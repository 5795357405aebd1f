"""What filters need beside the columns themselves, made once for a data set: categories, elements, substructures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.pattern_search import SubstructureIndex, Watch
from qmlstudio.chem.texts import coded, text_hashes
from qmlstudio.progress import SILENT, Progress, slices

MOST_NUMBERS = 10_000
"""Distinct numbers up to which a column of numbers can be filtered like one of categories."""
SORTED_NAMES = 50_000
_FIRST_SLICE = 50_000
_PIECE = 1 << 18


@dataclass(frozen=True, eq=False)
class Categories:
    """The distinct texts of a column.

    Attributes
    ----------
    names : (k,) str
        The most frequent first; the missing ("") last, if any is.
    counts : (k,) int64
    codes : (n,) int32
        Row of `names` for each structure.
    """

    names: NDArray[np.str_]
    counts: NDArray[np.int64]
    codes: NDArray[np.int32]

    @cached_property
    def index(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Ascending hashes of the names, and their rows. A dictionary of a million names would hold the window up."""
        hashes = text_hashes(self.names)
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def rows(self, names: tuple[str, ...]) -> NDArray[np.int64]:
        """Rows of those of some names that there are."""
        width = self.names.dtype.itemsize // 4
        fitting = np.array([name for name in names if len(name) <= width], dtype=f"=U{max(width, 1)}")
        if not len(fitting) or not len(self.names):
            return np.zeros(0, np.int64)
        hashes, order = self.index
        sought = text_hashes(fitting)
        found = []
        # more than one place only where two names have the same hash
        low, high = (np.searchsorted(hashes, sought, side) for side in ("left", "right"))
        for shift in range(int((high - low).max(initial=0))):
            there = low + shift < high
            rows = order[low[there] + shift]
            found.append(rows[self.names[rows] == fitting[there]])
        return np.concatenate([np.zeros(0, np.int64), *found])

    def mask(self, shown: tuple[str, ...]) -> NDArray[np.bool_]:
        """(n,) bool: rows whose text is among `shown`."""
        passes = np.zeros(len(self.names), dtype=bool)
        passes[self.rows(shown)] = True
        result: NDArray[np.bool_] = passes[self.codes]
        return result


def categories(p: Property, progress: Progress = SILENT) -> Categories:
    """Count the distinct texts of a column, or the distinct numbers written as texts (missing: "").

    Raises
    ------
    ValueError
        A column of more than :data:`MOST_NUMBERS` distinct numbers.
    """
    values, kept = p.values, coded(p.values)
    if p.is_text:
        found, codes = (kept.names, kept.codes) if kept is not None else _distinct_texts(values, progress)
    else:
        missing = np.isnan(values)
        numbers = _distinct(values[~missing])
        if len(numbers) > MOST_NUMBERS:
            raise ValueError(f"{len(numbers):,} different numbers: filter them by a range")
        codes = np.searchsorted(numbers, values)
        codes[missing] = len(numbers)
        texts = [f"{int(v)}" if v == np.rint(v) and abs(v) < 1e15 else f"{v:.12g}" for v in numbers.tolist()]
        found = np.array([*texts, ""] if missing.any() else texts, dtype=np.str_)
    counts = np.bincount(codes, minlength=len(found)) if kept is None else kept.counts
    # equally frequent ones by name, unless there are so many that sorting them takes long
    by_name = found if len(found) <= SORTED_NAMES else np.arange(len(found))
    order = np.lexsort((by_name, -counts, found == ""))
    rank = np.empty(len(found), np.int32)
    rank[order] = np.arange(len(found), dtype=np.int32)
    return Categories(found[order], counts[order], rank[codes])


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Distinct numbers, ascending. NumPy's own way for this holds the interpreter until it is through."""
    ordered = np.sort(values)
    keep = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=keep[1:])
    return ordered[keep]


def _distinct_texts(values: NDArray[np.str_], progress: Progress) -> tuple[NDArray[np.str_], NDArray[Any]]:
    """Distinct texts and the row of each value among them, through hashes: sorting texts takes ten times as long."""
    n, width = len(values), values.dtype.itemsize // 4
    if n == 0 or width == 0:
        return np.array([""] if n else [], dtype=values.dtype), np.zeros(n, np.int64)
    hashes = np.empty(n, np.uint64)
    for start, stop in slices(n, progress.part(0.0, 0.4), "counting categories", first=_FIRST_SLICE):
        hashes[start:stop] = text_hashes(values[start:stop])
    distinct = _distinct(hashes)
    codes = np.empty(n, np.int64)
    for start, stop in slices(n, progress.part(0.5, 0.8), first=_FIRST_SLICE):
        codes[start:stop] = np.searchsorted(distinct, hashes[start:stop])
    first = np.empty(len(distinct), np.int64)
    first[codes[::-1]] = np.arange(n - 1, -1, -1)
    found = values[first]
    for start, stop in slices(n, progress.part(0.8, 1.0), first=_FIRST_SLICE):
        if not np.array_equal(found[codes[start:stop]], values[start:stop]):
            # two texts with the same hash: the slow way is always right
            found, codes = np.unique(values, return_inverse=True)
            break
    return found, codes


class Lookups:
    """Lazily made and kept for one data set; see :func:`lookups_of`. May be asked from two threads: what both make is
    the same.

    Attributes
    ----------
    made : set of str
        Columns that were asked for, so that those of the composition have been made.
    """

    def __init__(self, dataset: Dataset) -> None:
        # the data set itself is not held: it is the key under which this is kept
        self._structures, self._smiles = dataset.structures, dataset.smiles
        self.made: set[str] = set()
        self._categories: dict[str, tuple[Property, Categories]] = {}
        self._elements: dict[int, NDArray[np.bool_]] = {}
        self._substructures: SubstructureIndex | None = None

    def has_categories(self, name: str, p: Property) -> bool:
        """Whether :meth:`categories` answers at once."""
        return name in self._categories and self._categories[name][0] is p

    def categories(self, name: str, p: Property, progress: Progress = SILENT) -> Categories:
        """The categories of a column; a derived one may come anew under its name."""
        known = self._categories.get(name)
        if known is None or known[0] is not p:
            known = (p, categories(p, progress))
            _ = known[1].index  # half a second for a million, so here and not at the first click
            self._categories[name] = known
        return known[1]

    def has_element(self, number: int) -> bool:
        """Whether :meth:`element` answers at once."""
        return number in self._elements

    def element(self, number: int) -> NDArray[np.bool_]:
        """(n,) bool: structures with at least one atom of this element."""
        if number not in self._elements:
            structures = self._structures
            result = np.zeros(len(structures), dtype=bool)
            # piece by piece: flags of all atoms may be many more than fit into memory
            for start in range(0, len(structures), _PIECE):
                bounds = structures.offsets[start : start + _PIECE + 1]
                filled = np.flatnonzero(np.diff(bounds) > 0)
                if len(filled):
                    there = structures.numbers[bounds[0] : bounds[-1]] == number
                    result[start + filled] = np.logical_or.reduceat(there, bounds[filled] - bounds[0])
            self._elements[number] = result
        return self._elements[number]

    @property
    def has_substructures(self) -> bool:
        """Whether :meth:`substructures` answers at once."""
        return self._substructures is not None

    def substructures(self, progress: Progress = SILENT, watch: Watch | None = None) -> SubstructureIndex:
        """The index of the molecules; ValueError for a set without SMILES.

        `watch` sees the molecules if they are read only now.
        """
        if self._substructures is None:
            if self._smiles is None:
                raise ValueError("this data set has no SMILES to search in")
            self._substructures = SubstructureIndex.build(self._smiles, progress, watch)
        return self._substructures


_all_lookups: WeakKeyDictionary[Dataset, Lookups] = WeakKeyDictionary()


def lookups_of(dataset: Dataset) -> Lookups:
    """The lookups of a data set: the same ones for whoever asks, for as long as it is in memory."""
    found = _all_lookups.get(dataset)
    if found is None:
        found = _all_lookups[dataset] = Lookups(dataset)
    return found


NUMBER_OF: Callable[[str], int | None] = {symbol: z for z, symbol in enumerate(SYMBOLS) if z}.get
"""Atomic number of a symbol; None for what is none."""
