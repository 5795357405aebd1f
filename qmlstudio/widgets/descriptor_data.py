"""The features of one structure as plain data, ready to be drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import NUMBERS

Array = NDArray[Any]
_SYMBOL = re.compile(r"[A-Z][a-z]?")


class PanelLike(Protocol):
    """What is asked of a part that is drawn by itself: see :class:`qmlstudio.representations.base.Panel`."""

    @property
    def title(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def grid(self) -> Array | None: ...
    @property
    def axis(self) -> str: ...
    @property
    def cells(self) -> NDArray[np.int64] | None: ...
    @property
    def row_axis(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def group(self) -> str: ...


@dataclass(frozen=True, eq=False)
class DescriptorData:
    """The features of one structure and how to draw them; plain data.

    Attributes
    ----------
    kind : "matrix", "spectrum", "bags" or "panels"
    values : (d,) float
        One row of features.
    cells : (rows, columns) int or None
        Matrix: which column of `values` stands in each cell, negative for none. A packed symmetric matrix names its
        columns twice; ``representation.unpack(np.arange(d), species)`` gives this. None: d values fill a square.
    groups : tuple of (title, start, stop)
        Columns that belong together.
    row_labels : tuple of str
        Matrix: labels of the occupied rows ("C1", …); the rest is padding.
    atoms : tuple of tuple of int, one for each column
        Atoms that fill the column, 0-based; may be empty altogether.
    atom_names : tuple of str
        Names of the atoms in the file's order ("C1", "H2", …).
    labels : sequence of str
        A name for every column; may be empty.
    unit : str
    panels : sequence of PanelLike
        Of the kind "panels": its curves, matrices and bars in order.
    """

    kind: Literal["matrix", "spectrum", "bags", "panels"]
    values: Array
    cells: Array | None = None
    groups: tuple[tuple[str, int, int], ...] = ()
    row_labels: tuple[str, ...] = ()
    atoms: tuple[tuple[int, ...], ...] = ()
    atom_names: tuple[str, ...] = ()
    labels: Sequence[str] = ()
    unit: str = ""
    panels: Sequence[PanelLike] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64).ravel()
        object.__setattr__(self, "values", values)
        if self.kind == "matrix":
            cells = self.cells
            if cells is None:
                side = round(len(values) ** 0.5)
                if side * side != len(values):
                    raise ValueError(f"{len(values)} values fill no square: say which column stands in which cell")
                cells = np.arange(len(values)).reshape(side, side)
            cells = np.asarray(cells, dtype=np.int64)
            if cells.ndim != 2 or int(cells.max(initial=-1)) >= len(values):
                raise ValueError(f"cells of shape {cells.shape} name columns that are not among {len(values)}")
            object.__setattr__(self, "cells", cells)
        for panel in self.panels:
            if not 0 <= panel.start <= panel.stop <= len(values):
                raise ValueError(f"panel {panel.title} has columns {panel.start}:{panel.stop} of {len(values)}")
        for what in ("atoms", "labels"):
            given = len(getattr(self, what))
            if given not in (0, len(values)):
                raise ValueError(f"{given} {what} for {len(values)} columns")

    def atoms_of(self, column: int) -> tuple[int, ...]:
        """The atoms of a column; empty where nobody said."""
        return self.atoms[column] if 0 <= column < len(self.atoms) else ()

    @cached_property
    def columns_of_atoms(self) -> dict[frozenset[int], list[int]]:
        """The columns of each set of atoms."""
        found: dict[frozenset[int], list[int]] = {}
        for column, atoms in enumerate(self.atoms):
            if atoms:
                found.setdefault(frozenset(atoms), []).append(column)
        return found

    def matching(self, atoms: frozenset[int]) -> list[int]:
        """Columns that belong to picked atoms: of one atom all in which it has part, of more those between them."""
        if len(atoms) == 1:
            return [c for members, columns in self.columns_of_atoms.items() if atoms <= members for c in columns]
        return [
            c
            for members, columns in self.columns_of_atoms.items()
            if len(members) > 1 and members <= atoms
            for c in columns
        ]

    def name_of(self, column: int) -> str:
        """What a column is: its atoms, else its label, else its number."""
        atoms = self.atoms_of(column)
        label = self.labels[column] if column < len(self.labels) else ""
        # units stand behind the value
        label = label.removesuffix(f" / {self.unit}") if self.unit else label
        if not atoms:
            return label or str(column + 1)
        names = [self.atom_names[a] if a < len(self.atom_names) else str(a + 1) for a in atoms]
        return "–".join(names) + (f"  {label}" if label else "")


def element_of(label: str) -> int:
    """Atomic number of the element with which a label begins ("Cl12" → 17); 0 when there is none."""
    found = _SYMBOL.match(label)
    if found is None:
        return 0
    return NUMBERS.get(found.group(), NUMBERS.get(found.group()[:1], 0))
