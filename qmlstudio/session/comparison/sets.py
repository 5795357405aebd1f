"""What is compared: parts of data sets with a name, and how finely they are looked at."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.units import ENERGY, factor
from qmlstudio.parameters import Parameterised, digest, param

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a", "#8c5f00")
"""Of the sets in their order: Okabe and Ito's, told apart with any colour vision, on light and dark grounds."""
LINES = ("solid", "dash", "dot", "dashdot", "solid", "dash", "dot", "dashdot")
"""Of the sets in their order, so that nothing hangs on colour alone."""
MOST_SETS = len(COLORS)

_TOTAL = ("energy", "u0", "e", "energies", "total_energy", "e_total", "energy_total", "wb97x_dz.energy", "e_pbe0")
_NO_TOTAL = ("gap", "homo", "lumo", "zpve", "mu", "error", "std", "delta", "barrier", "exc", "cc2", "kinetic")
_FORCES = ("forces", "force", "f", "wb97x_dz.forces")
_FORCE_UNIT = "eV/Å"


@dataclass(frozen=True, kw_only=True)
class ComparisonSpec(Parameterised):
    """How finely sets are looked at."""

    name: ClassVar[str] = "comparison"
    title: ClassVar[str] = "Comparison"

    reach: float = param(
        6.0, label="Distances up to", unit="Å", low=1.0, high=15.0, step=0.5, help="Longer ones are counted together."
    )
    length_step: float = param(0.02, label="Bins of distance", unit="Å", low=0.002, high=0.5, step=0.01)
    angle_step: float = param(1.0, label="Bins of angle", unit="°", low=0.25, high=15.0, step=0.25)
    fit: str = param(
        "each",
        label="Energies less",
        choices=(
            ("each", "a fit to each set"),
            ("union", "one fit to all sets"),
            ("none", "nothing"),
        ),
        help="Energies of different levels of theory are compared less what a sum over the atoms explains: one "
        "energy for each element by least squares, fitted to each set by itself or to all together.",
    )
    limit: int = param(
        2_000_000,
        label="Structures, at most",
        low=1000,
        high=100_000_000,
        step=100_000,
        advanced=True,
        help="Of larger sets so many are looked at, evenly spaced through the file.",
    )


@dataclass(frozen=True, eq=False)
class DataPart:
    """A data set, or part of one, under the name that it is compared by.

    Attributes
    ----------
    name : str
    dataset : Dataset
    mask : (n,) bool or None
        The structures meant; None: all.
    energy : str
        Column of energies; empty: the likeliest (see :func:`energy_column`).
    version : str
        What the content is known by; empty: the data set's fingerprint, which costs reading all of it once.
    """

    name: str
    dataset: Dataset
    mask: NDArray[np.bool_] | None = None
    energy: str = ""
    version: str = ""

    @property
    def key(self) -> str:
        """Equal for equal content."""
        mask = b"" if self.mask is None else np.packbits(self.mask).tobytes()
        chosen = hashlib.blake2b(mask, digest_size=16).hexdigest()
        return digest(self.version or self.dataset.fingerprint, self.energy, chosen)

    def __len__(self) -> int:
        return len(self.dataset) if self.mask is None else int(np.count_nonzero(self.mask))

    def rows(self, limit: int = 0) -> NDArray[np.int64]:
        """The structures' numbers in the data set; of more than `limit` so many, evenly spaced (0: all)."""
        found = np.arange(len(self.dataset)) if self.mask is None else np.flatnonzero(self.mask)
        if 0 < limit < len(found):
            found = found[np.linspace(0, len(found) - 1, limit).round().astype(np.int64)]
        return found.astype(np.int64)


def energy_columns(dataset: Dataset) -> tuple[str, ...]:
    """Columns with one energy for each structure, the likeliest total or atomization energy first."""
    found = [
        name for name, p in dataset.per_structure.items() if not p.is_text and p.unit in ENERGY and p.values.ndim == 1
    ]

    def rank(name: str) -> tuple[int, int]:
        low = name.lower()
        if low in _TOTAL:
            return _TOTAL.index(low), 0
        other = any(word in low.replace("_", " ").replace("-", " ").split() or low == word for word in _NO_TOTAL)
        return (len(_TOTAL) + (100 if other else 0), found.index(name))

    return tuple(sorted(found, key=rank))


def energy_column(dataset: Dataset) -> str:
    """The likeliest column of total or atomization energies; empty when there is none."""
    found = energy_columns(dataset)
    return found[0] if found and not any(w in found[0].lower() for w in _NO_TOTAL if len(w) > 2) else ""


def force_column(dataset: Dataset) -> tuple[str, Property] | None:
    """The column of forces, (A, 3) with a unit of force; None when there is none."""
    found = []
    for name, p in dataset.properties.items():
        if p.target == "atom" and not p.is_text and p.values.ndim == 2 and p.values.shape[1:] == (3,):
            try:
                factor(p.unit, _FORCE_UNIT)
            except ValueError:
                continue
            found.append((name, p))
    found.sort(key=lambda item: (item[0].lower() not in _FORCES, item[0]))
    return found[0] if found else None
