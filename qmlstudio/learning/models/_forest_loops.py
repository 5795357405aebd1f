"""Compiled loops over decision trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

Array = NDArray[Any]


@njit(nogil=True, cache=True)
def evaluate(
    rows: Array,
    feature: Array,
    left: Array,
    right: Array,
    threshold: Array,
    value: Array,
    starts: Array,
    mean: Array,
    spread: Array,
) -> None:
    """Mean and spread (m, t) of the trees' values for rows (m, d)."""
    trees, columns = len(starts) - 1, value.shape[1]
    for i in range(len(rows)):
        for c in range(columns):
            mean[i, c] = 0.0
            spread[i, c] = 0.0
        for tree in range(trees):
            first = starts[tree]
            node = first
            while feature[node] >= 0:
                goes_left = np.float64(rows[i, feature[node]]) <= threshold[node]
                node = first + (left[node] if goes_left else right[node])
            for c in range(columns):
                gap = value[node, c] - mean[i, c]
                mean[i, c] += gap / (tree + 1)
                spread[i, c] += gap * (value[node, c] - mean[i, c])
        for c in range(columns):
            spread[i, c] = np.sqrt(spread[i, c] / trees)
