"""Crystals ABC2D6 as the row and the column of the periodic table of their four elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import Array, Features, Layout, Representation, columns_for

_NOBLE = (0, 2, 10, 18, 36, 54, 86)
_SITES = ("A", "B", "C", "D")
_PATTERN = np.array([0, 1, 2, 2, 3, 3, 3, 3, 3, 3])
_FIRST = np.array([0, 1, 2, 4])


def row_and_column(number: int) -> tuple[int, int]:
    """Row (period) and main-group column 1–8 of an element; ValueError for transition metals and f elements."""
    row = int(np.searchsorted(_NOBLE, number))
    if not 1 <= row < len(_NOBLE):
        raise ValueError(f"element {number} has no place in the table of main groups")
    place, length = number - _NOBLE[row - 1], _NOBLE[row] - _NOBLE[row - 1]
    if number == 2:
        return 1, 8
    if place <= 2:
        return row, place
    column = place - (length - 8)
    if column < 3:
        raise ValueError(f"{SYMBOLS[number]} is no main-group element: its column of the table is not among 1–8")
    return row, column


@dataclass(frozen=True, kw_only=True)
class ElpasoliteSites(Representation):
    """Row and column of the periodic table on the sites A, B, C, D of ABC2D6: eight numbers, no geometry."""

    name: ClassVar[str] = "elpasolite_sites"
    title: ClassVar[str] = "Rows and columns of ABC2D6"
    help: ClassVar[str] = (
        "For each site of an elpasolite ABC2D6 the row and the main-group column of its element. It knows no geometry: "
        "all crystals have the same prototype."
    )
    formula: ClassVar[tuple[str, ...]] = (r"x = (n_A, g_A, n_B, g_B, n_C, g_C, n_D, g_D)",)
    reference: ClassVar[str] = (
        "F. A. Faber et al., Phys. Rev. Lett. 117, 135502 (2016), doi:10.1103/PhysRevLett.117.135502"
    )
    periodic: ClassVar[Any] = "required"

    exchange: bool = param(
        True,
        label="A and B are alike",
        help="The sites A and B go over into one another when the origin is moved: the lighter element comes first, so "
        "that both ways to write a crystal have one row.",
    )

    @property
    def invariances(self) -> frozenset[str]:
        """The order of the atoms is that of the sites: it says which is which."""
        return frozenset({"translation", "rotation", "reflection"})

    def size(self, species: Species) -> int:
        """Eight."""
        return 8

    def labels(self, species: Species) -> list[str]:
        """ "row of A", "column of A", …"""
        return [f"{what} of {site}" for site in _SITES for what in ("row", "column")]

    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        """See :meth:`Representation.compute`; atoms in the order A, B, C, C, D × 6 (ValueError otherwise)."""
        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        table: NDArray[np.float64] = np.zeros((256, 2))
        for number in species.numbers:
            table[int(number)] = row_and_column(int(number))
        if len(structures) and not (structures.sizes == len(_PATTERN)).all():
            raise ValueError("these are not all crystals ABC2D6 of ten atoms: choose another representation")
        for start, stop in slices(len(structures), progress, self.title, first=20_000):
            numbers = np.asarray(structures.numbers[10 * start : 10 * stop]).reshape(-1, 10)
            sites = numbers[:, _FIRST]
            if not np.array_equal(numbers, sites[:, _PATTERN]):
                raise ValueError("atoms are not in the order A, B, C, C, D, D, D, D, D, D of ABC2D6")
            if self.exchange:
                sites[:, :2] = np.sort(sites[:, :2], axis=1)
            array[start:stop] = table[sites].reshape(-1, 8)
        return Features(array, self, species)

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A bag for each site."""
        first, second = (1, 0) if self.exchange and structure.numbers[1] < structure.numbers[0] else (0, 1)
        atoms = ((first,), (first,), (second,), (second,), (2, 3), (2, 3), (4, 5, 6, 7, 8, 9), (4, 5, 6, 7, 8, 9))
        groups = tuple((site, 2 * k, 2 * k + 2) for k, site in enumerate(_SITES))
        return Layout("bags", (8,), groups=groups, atoms=atoms)
