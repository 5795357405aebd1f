"""Whether a property grows with the structures, and what a task should do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.evaluation.tasks import dressed_atoms

Array = NDArray[Any]

EXTENSIVE, INTENSIVE = 0.8, 0.3
"""Correlations with the size from which a property is called extensive, and up to which intensive."""


@dataclass(frozen=True)
class Advice:
    """Whether a property grows with the structures.

    Attributes
    ----------
    kind : "extensive", "intensive", "between" or "unknown"
    correlation : float
        Of the values with the number of atoms; NaN where it is not defined.
    composition : float
        R² of a sum of dressed atoms; NaN when the composition was not given.
    normalisation : str
        What a task should do about it.
    text : str
        One sentence for people.
    """

    kind: str
    correlation: float
    composition: float
    normalisation: str
    text: str


def advise(values: Array, sizes: Array, counts: Array | None = None) -> Advice:
    """Whether a property is extensive, from its correlation with the size and the R² of dressed atoms.

    Parameters
    ----------
    values : (n,) float
        Missing ones are left out.
    sizes : (n,) int
        Atoms of each structure.
    counts : (n, k) int, optional
        By element: total energies follow the elements more than the number of atoms.
    """
    y, size = np.asarray(values, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    good = np.isfinite(y) & (size > 0)
    y, size = y[good], size[good]
    if len(y) < 3 or np.ptp(y) == 0:
        return Advice("unknown", np.nan, np.nan, "none", "there are too few different values to tell how they grow")
    if np.ptp(size) == 0:
        text = f"all structures have {int(size[0]):,} atoms: whether the property grows with them cannot be told"
        return Advice("unknown", np.nan, np.nan, "none", text)
    r = float(np.corrcoef(y, size)[0, 1])
    explained = np.nan
    if counts is not None:
        table = np.asarray(counts)[good]
        left = y - (table @ dressed_atoms(table, y[:, None]))[:, 0]
        explained = float(1.0 - (left**2).sum() / ((y - y.mean()) ** 2).sum())
    # through the origin: an intensive property may follow the size by chance, but not in proportion to it
    spread = float((y / size).std() * size.mean() / y.std())
    if explained >= 0.95 or (abs(r) >= EXTENSIVE and spread < 1.0):
        sums = f", a sum of dressed atoms explains {100 * explained:.1f} %" if explained == explained else ""
        text = (
            f"grows with the structures (r = {r:.2f} with the number of atoms{sums}): extensive. Learn it per atom or "
            "without dressed atoms, or with a local kernel that sums over atoms."
        )
        return Advice("extensive", r, explained, "composition" if explained >= 0.95 else "per_atom", text)
    if abs(r) <= INTENSIVE:
        text = f"does not grow with the structures (r = {r:.2f} with the number of atoms): intensive. Learn it as it is"
        return Advice("intensive", r, explained, "none", f"{text}; averages over atoms suit it better than sums.")
    text = (
        f"follows the size in part (r = {r:.2f} with the number of atoms): try it as it is and without dressed atoms."
    )
    return Advice("between", r, explained, "none", text)
