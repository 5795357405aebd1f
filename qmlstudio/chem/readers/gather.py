"""Structures that come one by one (molecules of tables and SDF files), gathered into a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.known import Meanings
from qmlstudio.chem.structures import Structures


class Gatherer:
    """Takes structures with their texts and keeps the good ones."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems = Problems()
        self._numbers: list[NDArray[np.uint8]] = []
        self._positions: list[NDArray[np.float64]] = []
        self._values: list[dict[str, str]] = []
        self._atoms: list[dict[str, NDArray[np.float64]]] = []
        self._names: list[str] = []
        self._places: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(
        self,
        numbers: Any,
        positions: Any,
        values: dict[str, str],
        line: int,
        index: int,
        name: str = "",
        atoms: dict[str, NDArray[np.float64]] | None = None,
    ) -> None:
        """Take a structure: numbers (N,), positions (N, 3) in Å, values by name, its place in the file."""
        self._numbers.append(np.asarray(numbers, np.uint8))
        self._positions.append(np.asarray(positions, np.float64).reshape(-1, 3))
        self._values.append(values)
        self._atoms.append(atoms or {})
        self._names.append(name)
        self._places.append((line, index))

    def dataset(self, name: str, source: Source, texts: tuple[str, ...] = (), known: Meanings | None = None) -> Dataset:
        """The data set; DataError when there is no structure.

        Parameters
        ----------
        texts : tuple of str
            Columns that stay texts even when they look like numbers.
        known : dict, optional
            Units and descriptions of columns whose headings say none.
        """
        known = known or {}
        self._drop_faulty()
        if not self._numbers:
            self.problems.raise_first(self.where)
        structures = Structures.from_lists(self._numbers, self._positions)
        properties: dict[str, Property] = {}
        for key in dict.fromkeys(k for v in self._values for k in v):
            title, unit, text = self._meaning(key, known)
            given = [v.get(key) for v in self._values]
            column = ["" if t is None else t for t in given] if key in texts else columns.convert(given)
            columns.add_column(properties, title, column, unit, text)
        for key in dict.fromkeys(k for v in self._atoms for k in v):
            width = next(v[key].shape[1:] for v in self._atoms if key in v)
            blank = [np.full((len(z), *width), np.nan) for z in self._numbers]
            parts = [v.get(key, b) for v, b in zip(self._atoms, blank, strict=True)]
            if all(p.shape == b.shape for p, b in zip(parts, blank, strict=True)):
                title, unit, text = self._meaning(key, known)
                array = np.concatenate(parts)
                properties[columns.unique_name(title, properties)] = Property(array, "atom", unit, text)
        names = np.array([n or str(i + 1) for i, n in enumerate(self._names)], dtype=np.str_)
        return Dataset(name, structures, properties, names, source, self.problems.listed(self.where))

    @staticmethod
    def _meaning(key: str, known: Meanings) -> tuple[str, str, str]:
        title, unit = columns.split_unit(key)
        unit, text = known.get(key, (unit, ""))
        return title, unit, text

    def _drop_faulty(self) -> None:
        sizes = np.array([len(z) for z in self._numbers], np.int64)
        bad = faults(np.concatenate(self._positions), sizes) if len(sizes) else []
        for fault in reversed(bad):
            i = fault.structure
            line, index = self._places[i]
            self.problems.add(self.where, fault.message, fault.remedy, line, index)
            for column in (self._numbers, self._positions, self._values, self._atoms, self._names, self._places):
                del column[i]
