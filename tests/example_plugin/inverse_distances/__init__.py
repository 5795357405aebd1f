"""A representation in a package of its own: sorted inverse distances. See ../README.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import Array, Features, Layout, Representation, columns_for


@dataclass(frozen=True, kw_only=True)
class InverseDistances(Representation):
    """1 / r^power of all pairs of atoms, largest first, padded with zeros."""

    name: ClassVar[str] = "inverse_distances"
    title: ClassVar[str] = "Inverse distances"
    help: ClassVar[str] = "All pairs of atoms as 1/r^p, largest first. Knows nothing of the elements: an example."
    formula: ClassVar[tuple[str, ...]] = (r"x_k = r_{ij}^{-p}, \quad x_1 \geq x_2 \geq \ldots",)
    reference: ClassVar[str] = "none: it is an example"
    counts_matter: ClassVar[bool] = True

    power: float = param(1.0, label="Power", low=0.5, high=12.0, step=0.5, help="Of the inverse distance.")

    def size(self, species: Species) -> int:
        """n (n − 1) / 2 pairs of the largest structure."""
        return species.n_max * (species.n_max - 1) // 2

    def labels(self, species: Species) -> list[str]:
        """ "pair 3 / Å^-1" for the third largest."""
        return [f"pair {k + 1} / {self._unit()}" for k in range(self.size(species))]

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
        """See :meth:`Representation.compute`."""
        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        for start, stop in slices(len(structures), progress, self.title):
            for index in range(start, stop):
                values, _ = self._pairs(structures[index], index)
                array[index, : len(values)] = values
                array[index, len(values) :] = 0.0
        return Features(array, self, species)

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars, each with its pair of atoms."""
        _, pairs = self._pairs(structure, 0)
        width = self.size(species)
        atoms = tuple(pairs) + ((),) * (width - len(pairs))
        return Layout("bags", (width,), groups=(("pairs", 0, width),), atoms=atoms, unit=self._unit())

    def _unit(self) -> str:
        return f"Å^-{self.power:g}"

    def _pairs(self, structure: Structure, index: int) -> tuple[Array, list[tuple[int, int]]]:
        i, j = np.triu_indices(len(structure), 1)
        distances = np.linalg.norm(structure.positions[i] - structure.positions[j], axis=1)
        if not np.isfinite(distances).all() or (distances < 1e-4).any():
            raise ValueError(f"structure {index + 1} (index {index}): atoms at the same place or not at a finite one")
        order = np.argsort(distances, kind="stable")
        return distances[order] ** -self.power, [(int(i[k]), int(j[k])) for k in order]
