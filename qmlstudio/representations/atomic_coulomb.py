"""The Coulomb matrix around each atom: Rupp, Ramakrishnan, von Lilienfeld, J. Phys. Chem. Lett. 6, 3309 (2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations._environments import average_param
from qmlstudio.representations.base import Array, Contribution, Features, Layout, Representation, columns_for
from qmlstudio.representations.matrices import UNIT_CHOICES, Floats, length, self_terms, value_unit


@dataclass(frozen=True, kw_only=True)
class AtomicCoulombMatrix(Representation):
    """Atomic Coulomb matrix: a Coulomb matrix for each atom k, whose elements fade out with the distance from it.

    M_ii(k) = ½ Z_i^2.4 f(r_ik)² and M_ij(k) = Z_i Z_j / r_ij · f(r_ik) f(r_jk) g(r_ij). The damping f with the central
    cutoff and g with that of the interactions are 1 up to cutoff − decay and fall to 0 at the cutoff like half a
    cosine; a negative decay is none, and the interactions' cutoff counts up to twice the central one, as in qmllib.
    The central atom's row stands first. ``distance`` puts the others by distance from it, ``row-norm`` by descending
    norm of their rows; keys that agree to 11 digits keep the file's order. Only the lower triangle with the diagonal is
    kept, row by row.

    Sorted matrices of different atoms do not have the same atoms in the same places: their mean is a rough, if
    invariant and useful picture of the molecule, its rows the shells of neighbours in the order of their distance.
    """

    name: ClassVar[str] = "atomic_coulomb_matrix"
    title: ClassVar[str] = "Atomic Coulomb matrix"
    help: ClassVar[str] = (
        "A Coulomb matrix for every atom, with the atom first and its neighbours by distance or row norm. For "
        "properties of atoms (NMR shifts, charges) with one row per atom. The order of the neighbours jumps where two "
        "distances or norms cross."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"M_{ii}(k) = \frac{1}{2} Z_i^{2.4}\, f(r_{ik})^2",
        r"M_{ij}(k) = \frac{Z_i Z_j}{r_{ij}}\, f(r_{ik})\, f(r_{jk})\, g(r_{ij})",
        r"f(r) = \frac{1}{2} \left[ 1 + \cos\left( \pi \frac{r - r_c + \Delta r}{\Delta r} \right) \right], \quad "
        r"r_c - \Delta r < r \leq r_c",
    )
    reference: ClassVar[str] = "M. Rupp et al., J. Phys. Chem. Lett. 6, 3309 (2015), doi:10.1021/acs.jpclett.5b01456"
    counts_matter: ClassVar[bool] = True

    sorting: str = param(
        "distance",
        label="Order of neighbours",
        choices=(("distance", "by distance from the atom"), ("row-norm", "by row norm")),
    )
    average: str = average_param("mean")
    length_unit: str = param("bohr", label="Length unit", choices=UNIT_CHOICES, help="Unit of the distances in Z·Z′/r.")
    central_cutoff: float = param(
        1e6,
        label="Central cutoff",
        unit="Å",
        low=0.1,
        high=1e6,
        help="Atoms farther from the central one do not count.",
    )
    central_decay: float = param(
        -1.0, label="Central decay", unit="Å", low=-1.0, high=1e6, help="Width of the fall to zero; negative: none."
    )
    interaction_cutoff: float = param(
        1e6, label="Interaction cutoff", unit="Å", low=0.1, high=1e6, help="Pairs farther apart do not interact."
    )
    interaction_decay: float = param(
        -1.0, label="Interaction decay", unit="Å", low=-1.0, high=1e6, help="Width of the fall to zero; negative: none."
    )

    @property
    def local(self) -> bool:
        """One row for each atom unless they are averaged."""
        return self.average == "off"

    def size(self, species: Species) -> int:
        """n_max (n_max + 1) / 2."""
        return species.n_max * (species.n_max + 1) // 2

    def labels(self, species: Species) -> list[str]:
        """ "M(4, 2) / Ha" for row 4 and column 2 of the matrix, counted from 1; the central atom is 1."""
        unit = value_unit(self.length_unit)
        return [f"M({i}, {j}) / {unit}" for i in range(1, species.n_max + 1) for j in range(1, i + 1)]

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
        """See :meth:`Representation.compute`; in Ha or e²/Å.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _atomic_coulomb_loops as loops
        from qmlstudio.representations import _drive

        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        largest = int(structures.sizes.max(initial=0))
        numbers = _drive.frozen(structures.numbers, np.uint8)
        positions = _drive.frozen(structures.positions, np.float64)
        offsets = _drive.frozen(structures.offsets, np.int64)
        unit, terms, result = length(self.length_unit), self_terms(), np.asarray(array)
        central, mutual = self._cutoffs()
        sorting = loops.BY_NORM if self.sorting == "row-norm" else loops.BY_DISTANCE
        average = {"sum": loops.SUM, "mean": loops.MEAN, "off": loops.OFF}[self.average]

        def run(start: int, stop: int, step: int, work: Floats) -> int:
            rows = np.empty(largest, dtype=np.int64)
            how = (unit, terms, central, mutual, sorting, average)
            return int(loops.atomic_loop(numbers, positions, offsets, start, stop, step, *how, rows, work, result))

        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(largest, array.shape[1]),
            mean**3 * 1e-3,
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        return Features(array, self, species, structures.offsets if self.local else None)

    def _cutoffs(self) -> tuple[Floats, Floats]:
        """(2,) cutoff and decay, central and of the interactions."""
        cutoff = self.central_cutoff
        mutual = min(self.interaction_cutoff, 2.0 * cutoff)
        return (
            np.array([cutoff, min(max(self.central_decay, 0.0), cutoff)]),
            np.array([mutual, min(max(self.interaction_decay, 0.0), mutual)]),
        )

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A matrix; its rows are other atoms for every centre, see :meth:`contributions`."""
        n = species.n_max
        return Layout("matrix", (n, n), atoms=((),) * self.size(species), unit=value_unit(self.length_unit))

    def unpack(self, row: Array, species: Species) -> Array:
        """A row of features as (n_max, n_max)."""
        n = species.n_max
        full = np.empty((n, n), dtype=row.dtype)
        lower = np.tril_indices(n)
        full[lower] = row
        full.T[lower] = row
        return full

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The centre and the pair of atoms (or the one atom) that stands in the column, for every centre."""
        n = len(structure)
        # the column's row and column in the triangle
        p = int((np.sqrt(8 * column + 1) - 1) / 2)
        p += (p + 1) * (p + 2) // 2 <= column
        q = column - p * (p + 1) // 2
        if not 0 <= column < self.size(species) or p >= n:
            return []
        matrices, orders = self._matrices(structure)
        scale = 1.0 / n if self.average == "mean" else 1.0
        found = []
        for k in range(n) if centre is None or not self.local else [centre]:
            rows = orders[k]
            if p < len(rows):
                i, j = rows[p], rows[q]
                atoms = tuple(dict.fromkeys((k, i, j)))
                found.append(Contribution(atoms, float(matrices[k][i, j]) * scale))
        found.sort(key=lambda part: -abs(part.value))
        return [part for part in found if abs(part.value) > 1e-6 * abs(found[0].value)]

    def _matrices(self, structure: Structure) -> tuple[Floats, list[list[int]]]:
        """(N, N, N) every atom's matrix in the file's order, and the atoms in the order of its rows."""
        n, charges, positions = len(structure), structure.numbers.astype(float), np.asarray(structure.positions)
        distances = np.sqrt(((positions[:, None] - positions) ** 2).sum(axis=2))
        with np.errstate(divide="ignore"):
            bare = np.outer(charges, charges) * length(self.length_unit) / distances
        np.fill_diagonal(bare, self_terms()[structure.numbers])

        def damping(r: Floats, cutoff: float, decay: float) -> Floats:
            inside = np.ones_like(r)
            if decay > 0:
                inside = 0.5 * (1 + np.cos(np.pi * np.clip((r - cutoff + decay) / decay, 0, 1)))
            return np.where(r > cutoff, 0.0, inside)

        central, mutual = self._cutoffs()
        f = damping(distances, *central)
        matrices = bare * np.where(np.eye(n) > 0, 1.0, damping(distances, *mutual)) * f[:, :, None] * f[:, None, :]
        keys = distances if self.sorting == "distance" else -np.linalg.norm(matrices, axis=2)
        split = keys * (2.0**17 + 1.0)  # as the compiled loop rounds them
        keys = split - (split - keys)
        orders = []
        for k in range(n):
            inside = [i for i in range(n) if i != k and distances[k, i] < central[0]]
            orders.append([k, *sorted(inside, key=lambda i, own=keys[k]: own[i])])  # type: ignore[misc]
        return matrices, orders
