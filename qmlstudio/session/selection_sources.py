"""Masks that need no gesture: the same formula, the same category, missing values, samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.selection import Mask

_PART = 1 << 15


def same_formula(dataset: Dataset, index: int, progress: Progress = SILENT) -> Mask:
    """(n,) bool: structures with as many atoms of each element as structure `index` has."""
    found, _ = dataset.structures.element_counts()
    numbers = dataset.structures[index].numbers
    wanted = np.array([np.count_nonzero(numbers == z) for z in found], np.int64)
    return with_counts(dataset, wanted, wanted, progress)


def with_counts(dataset: Dataset, low: NDArray[np.int64], high: NDArray[np.int64], progress: Progress = SILENT) -> Mask:
    """(n,) bool: structures whose numbers of atoms lie between two bounds, element by element.

    Parameters
    ----------
    low, high : (k,) int64
        For the k elements of the set in the order of their atomic numbers; both ends belong to it.
    """
    n = len(dataset)
    result = np.zeros(n, dtype=bool)
    _, parts = dataset.structures.element_counts()
    for start, counts in parts:
        progress(start / n, "comparing formulas")
        result[start : start + len(counts)] = ((counts >= low) & (counts <= high)).all(axis=1)
    return result


def same_value(p: Property, index: int, progress: Progress = SILENT) -> Mask:
    """(n,) bool: structures with the same text or number as structure `index`; missing equals missing."""
    values, wanted = p.values, p.values[index]
    result = np.zeros(len(values), dtype=bool)
    missing = not p.is_text and bool(np.isnan(wanted))
    for start, stop in slices(len(values), progress, "comparing values", first=_PART):
        part = values[start:stop]
        result[start:stop] = np.isnan(part) if missing else part == wanted
    return result


def missing(p: Property, progress: Progress = SILENT) -> Mask:
    """(n,) bool: structures without a value: NaN, or an empty text. Infinities are values."""
    result = np.zeros(len(p.values), dtype=bool)
    for start, stop in slices(len(p.values), progress, "looking for missing values", first=_PART):
        part = p.values[start:stop]
        result[start:stop] = part == "" if p.is_text else np.isnan(part)
    return result


def random_of(pool: Mask, count: int, seed: int) -> Mask:
    """`count` of a mask's structures, all of them if there are no more, chosen at random."""
    rows = np.flatnonzero(pool)
    result = np.zeros(len(pool), dtype=bool)
    chosen = np.random.default_rng(seed).choice(len(rows), min(max(count, 0), len(rows)), replace=False)
    result[rows[chosen]] = True
    return result


def every(pool: Mask, step: int) -> Mask:
    """The first of a mask's structures and every `step`-th after it."""
    result = np.zeros(len(pool), dtype=bool)
    result[np.flatnonzero(pool)[:: max(step, 1)]] = True
    return result


def spread(rows: NDArray[Any], pool: Mask, count: int, progress: Progress = SILENT) -> Mask:
    """`count` of a mask's structures that lie as far from each other as can be, by farthest-point sampling.

    Parameters
    ----------
    rows : (n, d) array
        Features, or points of a map.
    """
    from qmlstudio.learning.representatives import representatives

    result = np.zeros(len(pool), dtype=bool)
    result[representatives(rows, pool, "fps", count, progress)] = True
    return result
