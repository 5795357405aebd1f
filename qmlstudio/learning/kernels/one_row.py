"""Similarities of one structure to many, quickly: what a click asks for.

The tiles that make whole matrices first put all rows in panels, which for a single row takes longer than the distances.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.kernels.pairwise import PairwiseKernel
from qmlstudio.learning.rows import Rows

Array = NDArray[Any]
Floats = NDArray[np.float64]


def similarities(kernel: Kernel, one: Rows, others: Rows) -> Floats:
    """(m,) the row of ``kernel.matrix(one, others)`` of a single structure, without starting threads."""
    kind = kernel.distance_kind if isinstance(kernel, PairwiseKernel) else None
    array = others.array
    if kind in ("l1", "l2sq") and array.dtype == np.float64 and array.flags.c_contiguous and array.flags.aligned:
        from qmlstudio.learning.kernels._row_loops import city_row, square_row

        kernel.check(one)
        distances = np.empty((1, len(array)))
        loop = city_row if kind == "l1" else square_row
        loop(array, np.ascontiguousarray(one.array[0], dtype=np.float64), distances[0])
        assert isinstance(kernel, PairwiseKernel)
        return np.asarray(kernel.from_distances(distances, threads=1)[0], dtype=np.float64)
    return np.asarray(kernel.matrix(one, others, threads=1)[0], dtype=np.float64)
