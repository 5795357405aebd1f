"""What all checks have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.doctor.findings import Findings

Table = Mapping[str, Property]


@dataclass(frozen=True, eq=False)
class Extra:
    """What a check may use beside the data set.

    Attributes
    ----------
    features : (n, d) array, optional
        Of the current representation, one row for each structure.
    parts : tuple of (name, (n,) bool)
        Selections that were given a name.
    """

    features: NDArray[Any] | None = None
    parts: tuple[tuple[str, NDArray[np.bool_]], ...] = field(default=())


NOTHING = Extra()


@dataclass(frozen=True, kw_only=True)
class Check(Parameterised):
    """Something that may be wrong with data."""

    why: ClassVar[str]
    """One sentence for people: what it looks for, and why that matters."""

    @abstractmethod
    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """Look for it.

        Parameters
        ----------
        dataset : Dataset
        columns : mapping of str to Property
            All columns with a value for each structure: :class:`~qmlstudio.session.columns.Columns`, or
            ``dataset.per_structure``.
        """

    @abstractmethod
    def seconds(self, dataset: Dataset) -> float:
        """About how long it takes, s: decides whether it runs by itself when a set was opened."""

    def nothing(self, note: str = "") -> Findings:
        """No findings, and why nothing was looked at."""
        return Findings.join(self.name, [], note)


def own_columns(dataset: Dataset, columns: Table) -> Table:
    """The columns that are the data's, without what follows from the composition or was derived."""
    derived = {"n_atoms", "n_heavy", "formula", "frame", "cluster", "doctor", "similarity"}
    own = getattr(columns, "names", None)
    names = own(composition=False) if callable(own) else tuple(columns)
    return {k: columns[k] for k in names if k not in derived}


def numbered(values: NDArray[Any]) -> NDArray[np.float64]:
    """As float64 without a copy where they are."""
    return np.asarray(values, dtype=np.float64)
