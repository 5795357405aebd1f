"""A fitted model with all that is needed to apply it, show it and judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species
from qmlstudio.learning.evaluation.tasks import Task, Transform
from qmlstudio.learning.models.base import FittedModel
from qmlstudio.representations.base import Representation

Ints = NDArray[np.int64]


def _none() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ShelfModel:
    """A model on the shelf. Never changed; two are the same only if they are one object.

    Attributes
    ----------
    name : str
        For people: "gap · SLATM · Gaussian · 1,000".
    model : FittedModel
    representation : Representation
        What turns structures into the model's rows.
    species : Species
        For which columns: structures with other elements cannot be predicted.
    task : Task
        What was learned.
    transform : Transform
        From what the model says to the property, learned on the training structures; its `target` is that of the data
        set it was fitted on, or None when the model comes from a file.
    units : tuple of str
        Of the predictions, one for each target.
    dataset : str
        Fingerprint of the data set that it was fitted on.
    source : str
        Its name.
    train, test : (n,), (m,) int64
        Structures of that data set: training structures in the order of the model's rows, and those that were held
        out, which may be none.
    scores : mapping of str to float
        On the held-out structures, in the unit: "mae", "rmse" …
    made : str
        ISO date and time; empty when unknown.
    path : str
        The file it was saved to or read from; empty for none.
    note : str
        How it was made, in words: kernel, σ, λ, by what they were chosen.
    """

    name: str
    model: FittedModel
    representation: Representation
    species: Species
    task: Task
    transform: Transform
    units: tuple[str, ...]
    dataset: str = ""
    source: str = ""
    train: Ints = field(default_factory=_none)
    test: Ints = field(default_factory=_none)
    scores: Mapping[str, float] = field(default_factory=dict)
    made: str = ""
    path: str = ""
    note: str = ""

    def __repr__(self) -> str:
        return f"<ShelfModel {self.name!r}>"

    @property
    def target(self) -> str:
        """The first property that it predicts."""
        return self.task.target

    @property
    def unit(self) -> str:
        """Of the first property's predictions."""
        return self.units[0] if self.units else ""

    @property
    def label(self) -> str:
        """The property with its unit, "gap / eV"."""
        return f"{self.target} / {self.unit}" if self.unit else self.target

    def knows(self, fingerprint: str) -> bool:
        """Whether its training structures are structures of this data set."""
        return bool(self.dataset) and self.dataset == fingerprint and len(self.train) == self.model.n_train
