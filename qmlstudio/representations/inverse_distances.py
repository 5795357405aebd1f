"""Inverse distances of all pairs of atoms: what force fields of one molecule are learned on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import Array, Features, Gradients, Layout, Representation, columns_for

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class InverseDistances(Representation):
    """1/r of each pair of atoms in the file's order: the lower triangle row by row, filled up with zeros.

    All structures should have the same atoms in the same order; nothing compares them otherwise.
    """

    name: ClassVar[str] = "inverse_distances"
    title: ClassVar[str] = "Inverse distances"
    help: ClassVar[str] = (
        "1/r of each pair of atoms, in the order of the file: for frames of one molecule, whose energies and forces "
        "it tells apart completely but for mirror images. Equivalent atoms are not interchanged."
    )
    formula: ClassVar[tuple[str, ...]] = (r"D_{ij} = 1 / |\mathbf{R}_i - \mathbf{R}_j|, \quad i > j",)
    reference: ClassVar[str] = "S. Chmiela et al., Sci. Adv. 3, e1603015 (2017), doi:10.1126/sciadv.1603015"
    counts_matter: ClassVar[bool] = True

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    @property
    def invariances(self) -> frozenset[str]:
        """The order of the atoms matters."""
        return frozenset({"translation", "rotation", "reflection"})

    def size(self, species: Species) -> int:
        """n_max (n_max − 1) / 2."""
        return species.n_max * (species.n_max - 1) // 2

    def labels(self, species: Species) -> list[str]:
        """ "1/r(2, 1) / Å⁻¹": atoms counted from 1."""
        return [f"1/r({i + 1}, {j + 1}) / Å⁻¹" for i, j in zip(*_pairs(species.n_max), strict=True)]

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
        """See :meth:`Representation.compute`. Atoms in one place raise ValueError."""
        species = columns_for(structures, species)
        result = self._output(structures, species, out, dtype)
        for members, i, j in _by_size(structures, progress, self.title):
            _, lengths = _differences(structures, members, i, j)
            result[members] = 0.0
            result[members, : len(i)] = 1.0 / lengths
        return Features(result, self, species)

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """See :meth:`Representation.gradient`; blocks (1, N, 3, size) in Å⁻²."""
        species = columns_for(structures, species)
        gradients = Gradients.empty(structures.sizes, self.size(species), False, out)
        for members, i, j in _by_size(structures, progress, self.title):
            vectors, lengths = _differences(structures, members, i, j)
            slopes = vectors * (-1.0 / lengths**3)[:, :, None]
            pairs = np.arange(len(i))
            for at, index in enumerate(members):
                block = gradients.of(int(index))[0]
                block[:] = 0.0
                block[i, :, pairs] = slopes[at]
                block[j, :, pairs] = -slopes[at]
        return gradients

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars, one for each pair."""
        pairs = tuple((int(i), int(j)) for i, j in zip(*_pairs(species.n_max), strict=True))
        atoms = tuple(pair if pair[0] < len(structure) else () for pair in pairs)
        names = tuple(f"{SYMBOLS[z]}{k + 1}" for k, z in enumerate(structure.numbers))
        return Layout("spectrum", (len(pairs),), row_labels=names, atoms=atoms, unit="Å⁻¹")


def _pairs(n: int) -> tuple[Ints, Ints]:
    i, j = np.tril_indices(n, -1)
    return i.astype(np.int64), j.astype(np.int64)


def _by_size(structures: Structures, progress: Progress, title: str) -> Any:
    """Structures of the same number of atoms, some at a time, with their pairs."""
    sizes = structures.sizes
    order = np.argsort(sizes, kind="stable")
    for start, stop in slices(len(order), progress, title, first=16):
        chosen = order[start:stop]
        for size in np.unique(sizes[chosen]):
            yield chosen[sizes[chosen] == size], *_pairs(int(size))


def _differences(structures: Structures, members: Ints, i: Ints, j: Ints) -> tuple[Array, Array]:
    """(m, pairs, 3) r_i − r_j in Å and (m, pairs) their lengths."""
    from qmlstudio.representations import _drive

    starts = structures.offsets[members]
    vectors = structures.positions[starts[:, None] + i] - structures.positions[starts[:, None] + j]
    lengths = np.sqrt(np.einsum("mpx,mpx->mp", vectors, vectors))
    if not np.isfinite(lengths).all():
        _drive.check_positions(structures)
    if (lengths <= _drive.COINCIDENT).any():
        raise _drive.coincident(structures, int(members[np.flatnonzero((lengths <= _drive.COINCIDENT).any(axis=1))[0]]))
    return vectors, lengths
