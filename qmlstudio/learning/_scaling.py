"""Multidimensional scaling by majorisation, and sketch-map by scikit-matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._pca import row_blocks
from qmlstudio.learning._threads import Team
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

TOLERANCE = 1e-6
"""Scaling has converged when a step lowers the stress by less than this part of the distances' sum of squares."""


def distance_matrix(features: Array, progress: Progress = SILENT) -> Singles:
    """Euclidean distances (n, n) of all pairs of rows, from products of tiles in double precision."""
    from qmlstudio.learning._kernel_matrix import tile_side

    n, d = features.shape
    mean = np.zeros(d)
    for start, stop in row_blocks(features):
        mean += features[start:stop].sum(axis=0, dtype=np.float64)
    mean /= max(n, 1)
    found = np.zeros((n, n), dtype=np.float32)
    side = tile_side(d)
    starts = range(0, n, side)
    done = 0
    progress(0.0, "Distances")
    for i, top in enumerate(starts):
        a = features[top : top + side] - mean
        first = np.einsum("ij,ij->i", a, a)[:, None]
        for left in starts[i:]:
            b = features[left : left + side] - mean
            values = a @ b.T
            values *= -2.0
            values += first
            values += np.einsum("ij,ij->i", b, b)
            np.sqrt(np.maximum(values, 0.0, out=values), out=values)
            found[top : top + side, left : left + side] = values
            found[left : left + side, top : top + side] = values.T
            done += 1
            progress(2.0 * done / (len(starts) * (len(starts) + 1)), "Distances")
    np.fill_diagonal(found, 0.0)
    return found


class Majorisation:
    """Metric scaling by SMACOF: steps of the Guttman transform, of which none raises the stress (de Leeuw 1988).

    Parameters
    ----------
    distances : (n, n) float32
        Wanted distances, n ≥ 2.
    start : (n, 2) or (n, 3) array
    team : Team
        Its size does not change the result.
    """

    def __init__(self, distances: Singles, start: Array, team: Team) -> None:
        n = len(start)
        self.points: Floats = np.array(start, dtype=np.float64, order="C")
        self.step = 0
        self.converged = False
        self._distances = distances
        self._team = team
        self._blocks = row_blocks(distances, 1 << 22)
        self._squares = 0.5 * sum(
            float(np.einsum("ij,ij->", distances[a:b], distances[a:b], dtype=np.float64)) for a, b in self._blocks
        )
        self._last = np.inf
        self._stress = np.zeros(n)

    def advance(self, progress: Progress) -> None:
        """One step; asks `progress` within long ones."""
        moved = np.empty_like(self.points)

        def work(block: tuple[int, int]) -> None:
            guttman(self._distances, self.points, *block, moved, self._stress)

        for first in range(0, len(self._blocks), self._team.threads):
            progress.check()
            self._team.run(work, self._blocks[first : first + self._team.threads])
        stress = 0.5 * float(self._stress.sum())
        # the stress is that before the step
        self.converged = self._last - stress <= TOLERANCE * self._squares
        self._last = stress
        self.points = moved
        self.step += 1

    def stress(self) -> float:
        """Kruskal's stress-1, the root of squared misfits over squared distances, before the last step."""
        return float(np.sqrt(self._last / self._squares)) if self.step and self._squares > 0.0 else 0.0


@njit(nogil=True, cache=True)
def guttman(distances: Array, points: Array, first: int, last: int, moved: Array, stress: Array) -> None:
    """The Guttman transform of rows ``first:last`` and their squared misfits.

    x_i becomes Σ_j δ_ij (x_i − x_j) / |x_i − x_j| / n.
    """
    n, dimensions = points.shape
    for i in range(first, last):
        x, y = points[i, 0], points[i, 1]
        z = points[i, 2] if dimensions == 3 else 0.0
        sum_x, sum_y, sum_z, misfit = 0.0, 0.0, 0.0, 0.0
        for j in range(n):
            dx = x - points[j, 0]
            dy = y - points[j, 1]
            dz = z - points[j, 2] if dimensions == 3 else 0.0
            length = np.sqrt(dx * dx + dy * dy + dz * dz)
            wanted = np.float64(distances[i, j])
            misfit += (length - wanted) * (length - wanted)
            ratio = wanted / length if length > 0.0 else 0.0
            sum_x += ratio * dx
            sum_y += ratio * dy
            sum_z += ratio * dz
        moved[i, 0] = sum_x / n
        moved[i, 1] = sum_y / n
        if dimensions == 3:
            moved[i, 2] = sum_z / n
        stress[i] = misfit


def sketch_map(
    distances: Singles,
    start: Floats,
    sigma: float | None,
    n_iter: int,
    progress: Progress,
    show: Callable[[Floats, float], None],
) -> Floats:
    """A sketch-map (n, dimensions) of a matrix of distances, by scikit-matter's gradient descent from `start`.

    Raises
    ------
    ImportError
        When scikit-matter is not there, or too old for it.
    """
    from skmatter.decomposition import SketchMap

    seen = 0
    expected = max(1, n_iter + 500)

    class Followed(SketchMap):  # type: ignore[misc]
        """Asks whether to go on at every evaluation of the stress."""

        def _stress_and_grad(self, flat: Array, *args: Any) -> Any:
            nonlocal seen
            seen += 1
            progress(min(0.99, seen / expected), "Layout")
            show(np.asarray(flat, dtype=np.float64).reshape(start.shape), min(0.99, seen / expected))
            return super()._stress_and_grad(flat, *args)

    method = Followed(
        n_components=start.shape[1],
        sigma=sigma,
        max_iter=n_iter,
        mds_opt_steps=0,
        dissimilarity="precomputed",
        init=start.astype(np.float32),
    )
    found: Floats = np.asarray(method.fit_transform(distances), dtype=np.float64)
    return found
