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
    """ "rows" of features, "composition" (element counts as rows), "fingerprints" (those of molecular graphs as rows),
    or "nothing": see :func:`~qmlstudio.learning.models.inputs.rows_for`."""

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

    def memory(self, rows: Rows) -> int:
        """Bytes that a fit takes beside the features, or about as many."""
        return int(rows.array.nbytes)

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedModel:
        """The fitted model again of which :meth:`FittedModel.arrays` and :meth:`FittedModel.facts` were kept.

        `representation` is what made its rows, if it has any. Raises ValueError where there is no way back, KeyError
        when something is missing.
        """
        raise ValueError(f"{self.title} cannot be read from files")


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
    domain: float or None
        Of the training structures 95 % have another one within this distance: a :attr:`Prediction.distance` above it
        is extrapolation. None where the model has no distance.
    notes : tuple of str
        What people should know of the fit: jitter that was needed, an answer that did not converge, …
    """

    spec: ModelSpec
    n_train: int
    seconds: dict[str, float] = field(default_factory=dict)
    domain: float | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Values for other structures; with `deviation` also ± σ, where the model has it."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """What a file must hold beside the specification to have the model again."""

    def facts(self) -> dict[str, Any]:
        """What a file must hold beside the specification and the arrays, ready for JSON."""
        return {"n_train": self.n_train, "seconds": self.seconds, "domain": self.domain, "notes": list(self.notes)}


def check_targets(rows: Rows, targets: Array) -> Floats:
    """The targets as (n, t) float64; ValueError where they are not finite or not as many as structures."""
    found = np.asarray(targets, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != len(rows):
        raise ValueError(f"targets have shape {np.shape(targets)}, but there are {len(rows)} structures")
    if not len(rows):
        raise ValueError("there is no structure to learn from")
    if not np.isfinite(found).all():
        where = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise ValueError(f"the target of structure {where + 1} is missing or not finite: leave such structures out")
    return found


def check_finite(rows: Rows, progress: Progress = SILENT) -> None:
    """Raise ValueError when a feature is not finite."""
    step = max(1, 4_000_000 // max(rows.array.shape[1], 1))
    for start in range(0, len(rows.array), step):
        progress.check()
        block = rows.array[start : start + step]
        if not np.isfinite(block.sum(dtype=np.float64)) and not np.isfinite(block).all():
            row = start + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            owner = row if rows.offsets is None else int(np.searchsorted(rows.offsets, row, side="right")) - 1
            raise ValueError(f"features of structure {owner + 1} are not finite: leave it out")
