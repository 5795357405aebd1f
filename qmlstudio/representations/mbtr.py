"""The many-body tensor representation of Huo and Rupp, Mach. Learn.: Sci. Technol. 3, 045017 (2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import Param, param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations._bins import Grid
from qmlstudio.representations._many_body import (
    BALANCED,
    NORMALIZATION_HELP,
    NORMALIZATIONS,
    Around,
    Block,
    ManyBody,
    largest_first,
)
from qmlstudio.representations.base import Array, Contribution, Features, columns_for

WITH_SIZES = (*NORMALIZATIONS, ("n_atoms", "per atom"), ("valle_oganov", "Valle–Oganov (crystals)"))


@dataclass(frozen=True, kw_only=True)
class MBTR(ManyBody):
    """Many-body tensor representation: spectra of atoms, distances and angles for each combination of elements.

    Every atom, pair and triple of atoms adds a Gaussian to the spectrum of its elements, at its atomic number (k = 1),
    its distance or inverse distance (k = 2), its angle or cosine at the middle atom (k = 3), with an area that falls
    with the distances. A grid point holds the mean over its bin, so that a spectrum's sum times the bin width is the
    sum of the weights whatever the grid. Of a crystal the pairs and angles of one cell are counted: spectra of a
    supercell are those of the cell times the number of cells.
    """

    name: ClassVar[str] = "mbtr"
    title: ClassVar[str] = "Many-body tensor"
    help: ClassVar[str] = (
        "Spectra of distances and angles, one for each pair and triple of elements, smeared by Gaussians. For "
        "properties of whole molecules and crystals; the spectra can be read like those of an experiment. Pairs alone "
        "cannot tell apart arrangements with the same set of distances; angles tell most of them."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"f_k(x; z) = \sum_{i_1 \ldots i_k \in z} w(i_1 \ldots i_k)\; \mathcal{N}(x - g(i_1 \ldots i_k), \sigma)",
        r"g_1 = Z_i \qquad g_2 = 1/r_{ij}\ \mathrm{or}\ r_{ij} \qquad "
        r"g_3 = \angle(i j k)\ \mathrm{or}\ \cos\angle(i j k)",
        r"w_2 = e^{-s r_{ij}} \qquad w_3 = e^{-s (r_{ij} + r_{jk} + r_{ki})}",
    )
    reference: ClassVar[str] = (
        "H. Huo, M. Rupp, Mach. Learn.: Sci. Technol. 3, 045017 (2022), doi:10.1088/2632-2153/aca005"
    )

    k1: bool = param(True, label="Atoms (k = 1)", help="A spectrum of atomic numbers for each element: its count.")
    k1_n: int = param(100, label="Atoms: grid points", low=2, high=10_000, step=10, advanced=True)
    k1_min: float = param(0.0, label="Atoms: first grid point", step=1.0, advanced=True)
    k1_max: float | None = param(
        None,
        label="Atoms: last grid point",
        step=1.0,
        none_label="above the heaviest element",
        advanced=True,
    )
    k1_sigma: float = param(
        0.1, label="Atoms: width σ", low=1e-6, step=0.1, advanced=True, help="Standard deviation of an atom's Gaussian."
    )
    normalization: str = param(
        BALANCED,
        label="Normalisation",
        choices=WITH_SIZES,
        help=f"{NORMALIZATION_HELP} Valle–Oganov: pairs times V / (4π N N′), twice that within an element; angles "
        "times V² / (N N′ N″); atoms by their number.",
    )

    def __post_init__(self) -> None:
        """Raise ValueError for values that do not go together."""
        super().__post_init__()
        if not self.has_section:
            raise ValueError("nothing is left: switch on k1, k2 or k3")
        if self.k1:
            # the shortest grid that there can be
            self._k1_grid(1.0).check("k1")
        if self.normalization == "valle_oganov":
            object.__setattr__(self, "periodic", "required")

    @classmethod
    def params(cls) -> tuple[Param, ...]:
        """The declared hyper-parameters, atoms first."""
        return tuple(sorted(super().params(), key=lambda p: not p.name.startswith("k1")))

    @property
    def has_section(self) -> tuple[int, ...]:
        """The orders that are switched on."""
        return (1,) * self.k1 + super().has_section

    def _k1_grid(self, heaviest: float) -> Grid:
        high = self.k1_max if self.k1_max is not None else max(heaviest, self.k1_min) + 1.0
        return Grid(self.k1_min, high, self.k1_n, self.k1_sigma)

    def blocks(self, species: Species) -> list[Block]:
        """Elements; pairs (a ≤ b); triples: by the middle element, then the ends (a ≤ b)."""
        z = species.numbers
        found: list[Block] = []
        at = 0

        def append(order: int, elements: tuple[int, ...], grid: Grid) -> None:
            nonlocal at
            found.append(Block(order, elements, at, grid))
            at += grid.n

        pairs = [(a, b) for i, a in enumerate(z) for b in z[i:]]
        if self.k1 and z:
            grid = self._k1_grid(max(z))
            for a in z:
                append(1, (a,), grid)
        if self.k2:
            grid = self.grid(2)
            for a, b in pairs:
                append(2, (a, b), grid)
        if self.k3:
            grid = self.grid(3)
            for middle in z:
                for a, b in pairs:
                    append(3, (a, middle, b), grid)
        return found

    def _ones(self, species: Species) -> NDArray[np.float64]:
        """(elements, k1_n) what one atom adds."""
        if not self.k1 or not species.numbers:
            return np.zeros((len(species.numbers), 0))
        grid = self._k1_grid(max(species.numbers))
        return self.height(grid) * grid.values(np.array(species.numbers, dtype=np.float64))

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
        """See :meth:`Representation.compute`; (n, size) features.

        Raises ValueError for atoms at the same place, coordinates that are not finite, a crystal with a weight that
        does not fade, and a molecule that is to be normalised by the volume of its cell.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _mbtr_rows as rows

        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        self.check_cells(structures)
        volumes = self._volumes(structures)
        progress(0.0, self.title)
        job = rows.prepare(structures, species, self.section(2), self.section(3), self.reach)
        progress.check()
        ones = _drive.frozen(self._ones(species), np.float64)
        normalization = {
            "l2": rows.L2,
            "l2_each": rows.L2_EACH,
            "n_atoms": rows.N_ATOMS,
            "valle_oganov": rows.VALLE_OGANOV,
        }.get(self.normalization, rows.NONE)
        result = np.asarray(array)

        def run(start: int, stop: int, step: int, bins: NDArray[np.float64]) -> int:
            around, pairs, whole = job.buffers(1)
            return int(
                rows.tensor_loop(
                    job.numbers,
                    job.positions,
                    job.offsets,
                    job.shifts,
                    job.shift_offsets,
                    volumes,
                    start,
                    stop,
                    step,
                    job.element,
                    ones,
                    job.two,
                    job.three,
                    normalization,
                    bins,
                    around,
                    pairs,
                    whole,
                    result,
                )
            )

        bad = _drive.drive(
            run, len(structures), job.tensor, job.cost, progress, self.title, _drive.thread_count(threads)
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return Features(array, self, species)

    def _volumes(self, structures: Structures) -> NDArray[np.float64]:
        """(n,) volumes of the cells, Å³; ones where they do not matter."""
        n = len(structures)
        if self.normalization != "valle_oganov":
            return np.ones(n)
        volumes = np.zeros(n)
        if structures.cells is not None:
            volumes = np.abs(np.linalg.det(np.asarray(structures.cells)))
        if (volumes == 0.0).any():
            index = int(np.flatnonzero(volumes == 0.0)[0])
            raise ValueError(
                f"structure {index + 1} (index {index}) has no cell with a volume, by which normalization "
                "valle_oganov divides: choose another one"
            )
        return np.asarray(volumes)

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The atoms, pairs or triples of the column's elements; a normalisation scales all parts alike."""
        found = [block for block in self.blocks(species) if block.start <= column < block.stop]
        if not found or not len(structure):
            return []
        block = found[0]
        numbers = structure.numbers
        if block.order == 1:
            atoms = np.flatnonzero(numbers == block.elements[0])[:, None]
            values, weights = np.full(len(atoms), float(block.elements[0])), np.ones(len(atoms))
        elif block.order == 2:
            around = Around(structure, self.cutoff(2))
            atoms, values, weights = self.pairs_of(structure, around, *block.elements)
            if block.elements[0] == block.elements[1]:
                # each is there from both ends; an atom and its own image remain, at half their weight
                weights = np.where(atoms[:, 0] == atoms[:, 1], 0.5 * weights, weights)
                kept = atoms[:, 0] <= atoms[:, 1]
                atoms, values, weights = atoms[kept], values[kept], weights[kept]
        else:
            around = Around(structure, self.cutoff(3))
            atoms, values, weights = self.angles_of(structure, around, *block.elements)
        parts = weights * self._bin(block, column, values)
        return largest_first(atoms, parts * self._factor(structure, species, block))

    def _factor(self, structure: Structure, species: Species, block: Block) -> float:
        """What the normalisation multiplies this block with."""
        numbers = structure.numbers
        if self.normalization == "n_atoms":
            return 1.0 / len(structure)
        if self.normalization == "valle_oganov":
            counts = [int((numbers == z).sum()) for z in block.elements]
            if block.order == 1 or structure.cell is None:
                return 1.0 / len(structure)
            if not all(counts):
                return 1.0
            volume = abs(float(np.linalg.det(np.asarray(structure.cell))))
            if block.order == 3:
                return volume**2 / float(np.prod(counts))
            return volume / (4.0 * np.pi * counts[0] * counts[1] * (0.5 if len(set(block.elements)) == 1 else 1.0))
        if self.normalization in (BALANCED, "none"):
            return 1.0
        one = Structures.from_lists([numbers], [structure.positions], [structure.cell])
        raw = self.with_values(normalization="none").compute(one, species=species, threads=1).array[0]
        if self.normalization == "l2_each":
            same = [b for b in self.blocks(species) if b.order == block.order]
            raw = raw[same[0].start : same[-1].stop]
        norm = float(np.linalg.norm(raw))
        return 1.0 / norm if norm > 0.0 else 1.0
