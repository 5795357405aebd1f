"""What every embedding is: frozen hyper-parameters and two stages, so that a change of the second spares the first."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.parameters import Parameterised
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """What the first stage found: for UMAP the k nearest rows, for PCA the principal components.

    Attributes
    ----------
    indices : (n, k) int32
        Nearest rows, itself first; (n, 0) for PCA.
    distances : (n, k) float32
        Euclidean distances, ascending, the first 0.
    components : (n, p) float64
        Scores of the leading principal components: where maps start from.
    variance : (p,) float64
        Fraction of the total variance that each component explains.
    exact : bool
        False where the neighbours come from an approximate search.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    components: NDArray[np.float64]
    variance: NDArray[np.float64]
    exact: bool = True


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A map's points.

    Attributes
    ----------
    points : (n, 2) float64
    axes : tuple of str
        Titles; empty for methods whose axes mean nothing (UMAP bears no ticks).
    epoch, n_epochs : int
        How far an iterative layout is; equal when done.
    details : dict
        Figures of merit of the run (seconds, exact neighbours or not).
    """

    points: NDArray[np.float64]
    axes: tuple[str, ...] = ()
    epoch: int = 0
    n_epochs: int = 0
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Embedding(Parameterised):
    """Hyper-parameters of an embedding."""

    help = ""
    reference = ""

    @abstractmethod
    def neighbors(self, features: Array, progress: Progress = SILENT, threads: int | None = None) -> Neighbors:
        """First stage, from features (n, d). Depends only on the parameters whose ``stage`` is "neighbors"."""

    @abstractmethod
    def layout(
        self,
        neighbors: Neighbors,
        progress: Progress = SILENT,
        *,
        start: Array | None = None,
        threads: int | None = None,
    ) -> Coordinates:
        """Second stage. Hands :class:`Coordinates` of running epochs to ``progress.partial``.

        Parameters
        ----------
        start : (n, 2) array, optional
            Where to start from instead of the principal components.
        """

    def stage_values(self, stage: str) -> dict[str, Any]:
        """The parameters that the stage depends on, for its key."""
        return {p.name: getattr(self, p.name) for p in self.params() if p.stage in ("", stage)}
