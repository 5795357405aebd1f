"""Compiled loops of :mod:`qmlstudio.learning.pair_statistics`: inversions, counted while merging."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def merge_level(source: Array, target: Array, width: int) -> int:
    """Merge neighbouring ascending runs of `width` from `source` into `target`; returns how many pairs were turned."""
    n = len(source)
    inverted = np.int64(0)
    for start in range(0, n, 2 * width):
        middle = min(start + width, n)
        stop = min(start + 2 * width, n)
        i, j = start, middle
        for k in range(start, stop):
            if j >= stop or (i < middle and source[i] <= source[j]):
                target[k] = source[i]
                i += 1
            else:
                target[k] = source[j]
                j += 1
                # all that still wait on the left are larger and stood before
                inverted += middle - i
    return int(inverted)
