"""Landmarks: few rows that stand for all, of which a map is made before the rest is placed on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]
Found = NDArray[np.int64]

COLUMNS = 50
"""Principal components among which distances are compared: what varies less does not decide who is farthest."""


@dataclass(frozen=True, kw_only=True)
class Landmarks(Parameterised):
    """How landmarks are chosen."""

    name: ClassVar[str] = "landmarks"
    title: ClassVar[str] = "Landmarks"
    help = (
        "Maps of sets that do not fit into memory are made of landmarks, and all other structures are placed on them. "
        "Farthest points cover everything there is, outliers included; random ones show how densely it is populated."
    )
    reference = "T. Gonzalez, Theor. Comput. Sci. 38, 293 (1985); A. Goscinski et al., Open Res. Europe 3, 81 (2023)"

    count: int = param(
        10_000, label="Landmarks", low=3, high=1_000_000, step=1000, help="Structures of which the map itself is made."
    )
    above: int | None = param(
        None,
        label="Use them above",
        low=100,
        high=2**31 - 1,
        step=10_000,
        none_label="only when memory is short",
        help="Sets of more structures get a map of landmarks even if there is memory enough: it is made sooner.",
    )
    method: str = param("fps", label="Chosen", choices=(("fps", "farthest points"), ("random", "at random")))
    candidates: int = param(
        20_000,
        label="Candidates",
        low=3,
        high=1_000_000,
        step=1000,
        advanced=True,
        help="Random structures among which the farthest points are sought; fewer where memory is short.",
    )
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)

    def draw(self, n: int, most: int | None = None) -> Found:
        """Random candidates among `n` rows, ascending, at most `most`; as many as landmarks are wanted if at random."""
        wished = max(self.candidates, self.count) if self.method == "fps" else self.count
        size = min(n, wished if most is None else min(wished, max(most, 0)))
        if size == n:
            return np.arange(n)
        return np.sort(np.random.default_rng(self.seed).choice(n, size, replace=False)).astype(np.int64)

    def select(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Found:
        """Rows of `features` (n, d) that are landmarks, in the order in which they were chosen.

        At most `count`. Rows that are not finite are none, and farthest points stop where all others equal one that
        was chosen already. The first is drawn with `seed`.
        """
        matrix = np.asanyarray(features)
        finite = np.flatnonzero(np.isfinite(matrix.sum(axis=1, dtype=np.float64)))
        random = np.random.default_rng(self.seed)
        count = min(self.count, len(finite))
        progress(0.0, "Landmarks")
        if self.method == "random" or count < 2:
            return finite[random.permutation(len(finite))[:count]].astype(np.int64)
        rows = matrix if len(finite) == len(matrix) else matrix[finite]
        first = int(random.integers(len(rows)))
        return finite[farthest(reduced(rows, progress.part(0.0, 0.2), threads), count, first, progress.part(0.2, 1.0))]


def reduced(features: Array, progress: Progress = SILENT, threads: int | None = None) -> Floats:
    """The rows along their leading principal components, at most :data:`COLUMNS`, padded to two at least."""
    from qmlstudio.learning._pca import principal_components
    from qmlstudio.learning._threads import blas_threads, worthwhile

    matrix = np.ascontiguousarray(features)
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    with blas_threads(worthwhile(threads, matrix.shape)):
        scores = principal_components(matrix, COLUMNS, progress, exact=False).scores
    missing = max(0, 2 - scores.shape[1])
    return np.hstack([scores, np.zeros((len(scores), missing))]) if missing else scores


def farthest(rows: Floats, count: int, first: int = 0, progress: Progress = SILENT) -> Found:
    """Farthest-point sampling (scikit-matter's): each row chosen is the farthest from all chosen before.

    Parameters
    ----------
    rows : (n, d) float64
        Two rows and two columns at least.
    count : int
        Fewer come back where all others equal a chosen one.
    first : int
        The row to start from.
    """
    from qmlstudio.learning._threads import blas_threads

    if count <= 1:
        return np.array([first][:count], dtype=np.int64)
    from skmatter.sample_selection import FPS

    search = FPS(initialize=first)
    # the origin does not matter to distances, and near it they lose the fewest digits
    centred = rows - rows.mean(axis=0)
    # squared distances of equal rows differ from zero by rounding
    equal = 1e-14 * float(np.einsum("ij,ij->i", centred, centred).max())
    with blas_threads(1):
        # the library goes on where it stopped: in slices, so that a cancel is heard
        for start, stop in slices(count, progress, "Landmarks", first=10):
            search.n_to_select = stop
            search.fit(centred, warm_start=start > 0)
            gaps = search.hausdorff_at_select_[search.selected_idx_[max(start, 1) : stop]]
            if (gaps <= equal).any():
                found = search.selected_idx_[: max(start, 1) + int(np.argmax(gaps <= equal))]
                return np.asarray(found, dtype=np.int64)
    return np.asarray(search.selected_idx_[:count], dtype=np.int64)
