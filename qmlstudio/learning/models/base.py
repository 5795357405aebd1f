"""What every model is: a frozen specification, and what a fit made of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of m structures.

    Attributes
    ----------
    values : (m, t) float64
        In the targets' units, one column for each target.
    deviation : (m, t) or (m, 1) float64 or None
        ± σ where the model has one (Gaussian processes, forests); None where it has none.
    distance : (m,) float64 or None
        To the nearest training structure, in the model's own measure: how far outside the domain a structure lies.
    """

    values: Floats
    deviation: Floats | None = None
    distance: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Parameterised):
    """How to learn: hyper-parameters only, no data."""

    help: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    needs: ClassVar[str] = "rows"
    """ "rows" of features, "composition" (element counts as rows), or "nothing"."""

    @abstractmethod
    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedModel:
        """Learn from n structures.

        Parameters
        ----------
        rows : Rows
        targets : (n,) or (n, t) float
            Finite; several targets share one factorisation.
        memory_budget : int, bytes, optional
            What the plan may take; a fit that would need more raises :class:`TooLargeError` with what would do.

        Raises
        ------
        ValueError
            Targets that are not finite or do not fit the rows; rows that the kernel cannot compare.
        """


class TooLargeError(ValueError):
    """A fit would not fit the memory budget. The text says how much it needs, and what to do instead."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedModel:
    """What a fit found. Arrays are never changed.

    Attributes
    ----------
    spec : ModelSpec
        With all automatic values (scales) known.
    n_train : int
    seconds : dict of str to float
        How long each step took: "kernel", "solve", …
    """

    spec: ModelSpec
    n_train: int
    seconds: dict[str, float] = field(default_factory=dict)

    @abstractmethod
    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Values for other structures; with `deviation` also ± σ, where the model has it."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """What a file must hold beside the specification to have the model again."""
