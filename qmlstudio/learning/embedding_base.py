"""What every embedding is: frozen hyper-parameters and two stages, so that a change of the second spares the first."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

COMPONENTS = 10
"""Components that the first stage keeps."""
PARTIAL_SECONDS = 0.06
"""Time between two intermediate maps."""


class Basis(Protocol):
    """What gives new rows the scores that a first stage found for its own."""

    def scores(self, rows: Array) -> Floats:
        """Scores (m, p) of the rows (m, d) along the components."""


class LinearBasis(NamedTuple):
    """Principal axes.

    Attributes
    ----------
    mean : (d,) float64
    directions : (d, p) float64
        Orthonormal.
    """

    mean: Floats
    directions: Floats

    def scores(self, rows: Array) -> Floats:
        """Centred rows along the axes."""
        found: Floats = (np.asarray(rows, dtype=np.float64) - self.mean) @ self.directions
        return found


@dataclass(frozen=True, eq=False)
class Neighbors:
    """What the first stage found: the k nearest rows, the leading components, or both.

    Attributes
    ----------
    indices : (n, k) int32
        Nearest rows, itself first; (n, 0) for methods that need none.
    distances : (n, k) float32
        Euclidean distances, ascending, the first 0.
    components : (n, p) float64
        Scores of the leading (kernel) principal components: where maps start from.
    variance : (p,) float64
        Fraction of the total variance that each component explains.
    exact : bool
        False where the neighbours come from an approximate search.
    basis : Basis, optional
        Gives new rows their components.
    dissimilarities : (n, n) float32, optional
        Distances of all pairs, for methods that work on them.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    components: Floats
    variance: Floats
    exact: bool = True
    basis: Basis | None = None
    dissimilarities: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A map's points.

    Attributes
    ----------
    points : (n, 2) or (n, 3) float64
    axes : tuple of str
        Titles; empty for methods whose axes mean nothing (UMAP bears no ticks).
    epoch, n_epochs : int
        How far an iterative layout is; equal when done.
    details : dict
        Figures of merit of the run (seconds, exact neighbours or not).
    """

    points: Floats
    axes: tuple[str, ...] = ()
    epoch: int = 0
    n_epochs: int = 0
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Embedding(Parameterised):
    """Hyper-parameters of an embedding."""

    help = ""
    reference = ""

    n_components: int = param(2, label="Dimensions", choices=((2, "2"), (3, "3")), stage="layout")

    @property
    def max_rows(self) -> int | None:
        """Rows that the method takes at most, for its memory or time grows with their square; None for any number."""
        return None

    @abstractmethod
    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """First stage, from features (n, d). Depends only on the parameters whose ``stage`` is "neighbors".

        Raises ValueError for features that are not finite and for more rows than :attr:`max_rows`.
        """

    @abstractmethod
    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        target: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """Second stage. Hands :class:`Coordinates` of running epochs to ``progress.partial``.

        Parameters
        ----------
        start : (n, n_components) array, optional
            Where to start from instead of the principal components.
        target : (n,) float64 or str, optional
            Values of the property that supervises the map; NaN, infinite or "" where unknown. Only UMAP uses it.
        """

    def project_linear(self, neighbors: Neighbors, rows: Array) -> Floats | None:
        """Exact places (m, n_components) of new rows on the map of `neighbors`; None where the method has none."""
        return None

    def stage_values(self, stage: str) -> dict[str, Any]:
        """The parameters that the stage depends on, for its key."""
        return {p.name: getattr(self, p.name) for p in self.params() if p.stage in ("", stage)}

    def _check_rows(self, n: int, values_per_pair: int) -> None:
        """Raise ValueError when there are more rows than :attr:`max_rows`; `values_per_pair` in bytes."""
        limit = self.max_rows
        if limit is not None and n > limit:
            raise ValueError(
                f"{self.title} compares all pairs: {n:,} rows need {n * n * values_per_pair / 2**30:.1f} GiB, and it "
                f"takes {limit:,} rows at most; make the map of landmarks and place the rest on it"
            )


def as_matrix(features: Array) -> Array:
    """Features as a C-contiguous float64 or float32 matrix, copied only where they are not; raises ValueError.

    Memory-mapped arrays stay on disk. NaN or infinite values are refused with the number of their row.
    """
    from qmlstudio.learning._pca import check_finite

    matrix = np.asanyarray(features)
    if matrix.ndim != 2:
        raise ValueError(f"features have {matrix.ndim} dimensions; a matrix (rows, columns) is needed")
    if matrix.dtype not in (np.float64, np.float32):
        matrix = matrix.astype(np.float64)
    matrix = np.ascontiguousarray(matrix)
    check_finite(matrix)
    return matrix


def check_start(start: Array, shape: tuple[int, int]) -> Floats:
    """A given start as float64; raises ValueError unless it is finite and of this shape."""
    given = np.asarray(start, dtype=np.float64)
    if given.shape != shape or not np.isfinite(given).all():
        raise ValueError(f"start has shape {given.shape}; finite coordinates {shape} are needed")
    return given


def leading(components: Floats, dimensions: int) -> Floats:
    """The first columns of the components (n, p), with zeros where there are too few; a copy (n, dimensions)."""
    points = np.zeros((len(components), dimensions))
    found = components[:, :dimensions]
    points[:, : found.shape[1]] = found
    return points


def no_neighbors(n: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The indices and distances of methods that need none, (n, 0)."""
    return np.zeros((n, 0), dtype=np.int32), np.zeros((n, 0), dtype=np.float32)
