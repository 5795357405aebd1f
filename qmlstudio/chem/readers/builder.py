"""Frames that come one by one with their values as numbers, put into data sets of some megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.batches import BATCH_BYTES
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.structures import Structures

Meanings = Mapping[str, tuple[str, str]]
"""Unit and description of columns by name."""


class Builder:
    """Takes frames, leaves faulty ones out and says so.

    Parameters
    ----------
    name : str
        Of the data set.
    source : Source
    problems : Problems
    meanings : mapping of str to (unit, description)
    can_be_ordered : bool
        Whether frames of the same atoms follow each other in time.
    """

    def __init__(
        self, name: str, source: Source, problems: Problems, meanings: Meanings, can_be_ordered: bool = True
    ) -> None:
        self.problems = problems
        self._name, self._source, self._meanings = name, source, meanings
        self._ordered = can_be_ordered
        self._clear()

    def _clear(self) -> None:
        self._numbers: list[NDArray[np.uint8]] = []
        self._positions: list[NDArray[np.float64]] = []
        self._cells: list[NDArray[np.float64] | None] = []
        self._values: list[Mapping[str, Any]] = []
        self._atoms: list[Mapping[str, NDArray[Any]]] = []
        self._names: list[str] = []
        self._indices: list[int] = []
        self.weight = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(
        self,
        numbers: Any,
        positions: Any,
        cell: NDArray[np.float64] | None,
        values: Mapping[str, Any],
        atoms: Mapping[str, NDArray[Any]],
        index: int,
        name: str = "",
    ) -> None:
        """Take a frame: numbers (N,), positions (N, 3) in Å, cell (3, 3) or None, values, values of atoms.

        Values are numbers, texts or rows of at most nine numbers; those of atoms (N,) or (N, 3) numbers or (N,) texts.
        """
        z = np.asarray(numbers)
        remedy = "write the file again, with the elements of its atoms"
        if not len(z):
            self.problems.add(self._source.path, "it has no atoms", "delete the structure", index=index)
            return
        if not ((z >= 1) & (z <= 118)).all():
            wrong = int(np.flatnonzero((z < 1) | (z > 118))[0])
            self.problems.add(self._source.path, f"the element of atom {wrong + 1} is unknown", remedy, index=index)
            return
        self._numbers.append(z.astype(np.uint8))
        self._positions.append(np.asarray(positions, np.float64).reshape(-1, 3))
        self._cells.append(cell)
        self._values.append(values)
        self._atoms.append(atoms)
        self._names.append(name or str(index + 1))
        self._indices.append(index)
        self.weight += 25 * len(z) + sum(a.nbytes for a in atoms.values()) + 64 * (1 + len(values))

    @property
    def is_full(self) -> bool:
        """Whether it is time to make a data set."""
        return self.weight > BATCH_BYTES

    def take(self) -> Dataset | None:
        """The data set of the frames so far, which are given back; None when none is good."""
        self._drop_faulty()
        if not self._numbers:
            self._clear()
            return None
        structures = Structures.from_lists(self._numbers, self._positions, self._cells)
        properties: dict[str, Property] = {}
        for key in dict.fromkeys(k for v in self._values for k in v):
            unit, text = self._meanings.get(key, ("", ""))
            columns.add_column(properties, key, _column([v.get(key) for v in self._values]), unit, text)
        sizes = structures.sizes
        for key in dict.fromkeys(k for a in self._atoms for k in a):
            values = _atom_column([a.get(key) for a in self._atoms], sizes)
            if values is not None:
                unit, text = self._meanings.get(key, ("", ""))
                properties[columns.unique_name(key, properties)] = Property(values, "atom", unit, text)
        ordered = self._ordered and structures.is_uniform
        names = columns.text_array(self._names)
        self._clear()
        return Dataset(self._name, structures, properties, names, self._source, (), ordered)

    def _drop_faulty(self) -> None:
        if not self._numbers:
            return
        sizes = np.array([len(z) for z in self._numbers], np.int64)
        for fault in reversed(faults(np.concatenate(self._positions), sizes)):
            i = fault.structure
            text = f"{fault.message}, atom {fault.atom + 1}"
            self.problems.add(self._source.path, text, fault.remedy, index=self._indices[i])
            lists: tuple[list[Any], ...] = (
                self._numbers,
                self._positions,
                self._cells,
                self._values,
                self._atoms,
                self._names,
                self._indices,
            )
            for column in lists:
                del column[i]


def with_problems(parts: Iterable[Dataset | None], problems: Problems, where: str) -> Iterator[Dataset]:
    """The parts, the last with all problems; DataError when there is none."""
    waiting: Dataset | None = None
    for part in parts:
        if part is None:
            continue
        if waiting is not None:
            yield waiting
        waiting = part
    if waiting is None:
        problems.raise_first(where)
    else:
        yield replace(waiting, problems=problems.listed(where))


def _column(values: list[Any]) -> columns.Column:
    """Numbers, rows of numbers, or texts when any is one."""
    if not any(isinstance(v, str) for v in values):
        shapes = {np.shape(v) for v in values if v is not None}
        if len(shapes) == 1:
            shape = shapes.pop()
            return np.array([np.full(shape, np.nan) if v is None else v for v in values], np.float64)
    return ["" if v is None else v if isinstance(v, str) else _spelled(v) for v in values]


def _spelled(value: Any) -> str:
    return " ".join(f"{x:.12g}" for x in np.asarray(value, np.float64).reshape(-1))


def _atom_column(parts: list[NDArray[Any] | None], sizes: NDArray[np.int64]) -> NDArray[Any] | None:
    """One array of all atoms, missing where a frame lacks it; None when frames do not agree on what it is."""
    kinds = {(p.dtype.kind == "U", p.shape[1:]) for p in parts if p is not None}
    if len(kinds) != 1:
        return None
    text, shape = kinds.pop()
    blank = [np.zeros((n, *shape), np.str_) if text else np.full((n, *shape), np.nan) for n in sizes.tolist()]
    return np.concatenate([b if p is None else p for p, b in zip(parts, blank, strict=True)])
