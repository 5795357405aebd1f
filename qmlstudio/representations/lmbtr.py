"""The local form of the many-body tensor: the pairs and angles in which one atom takes part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations._environments import average_param
from qmlstudio.representations._many_body import (
    BALANCED,
    NORMALIZATION_HELP,
    NORMALIZATIONS,
    Around,
    Block,
    ManyBody,
    X,
    largest_first,
)
from qmlstudio.representations.base import Array, Contribution, Features, columns_for


@dataclass(frozen=True, kw_only=True)
class LMBTR(ManyBody):
    """Local many-body tensor representation: the spectra of :class:`MBTR` as one atom, the centre X, sees them.

    Pairs X–B by the element of the other atom; angles A–X–B at the centre; and angles X–A–B at whose end the centre
    stands. The centre's own element does not appear. Blocks that no structure could fill (X twice) have no columns.
    """

    name: ClassVar[str] = "lmbtr"
    title: ClassVar[str] = "Local many-body tensor"
    help: ClassVar[str] = (
        "Spectra of the distances and angles in which one atom takes part. For properties of atoms, or, summed, of "
        "molecules that grow with their size. The element of the atom itself is not encoded, and arrangements around "
        "it that have the same distances and angles are the same to it."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"f_2^i(x; b) = \sum_{j \in b} w_{ij}\; \mathcal{N}(x - g_{ij}, \sigma)",
        r"f_3^i(x; a X b) = \sum_{j \in a,\, k \in b} w_{jik}\; \mathcal{N}(x - g_{jik}, \sigma)",
        r"f_3^i(x; X a b) = \sum_{j \in a,\, k \in b} w_{ijk}\; \mathcal{N}(x - g_{ijk}, \sigma)",
    )
    reference: ClassVar[str] = (
        "L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020), doi:10.1016/j.cpc.2019.106949"
    )

    normalization: str = param(
        BALANCED,
        label="Normalisation",
        choices=NORMALIZATIONS,
        help=f"{NORMALIZATION_HELP} Lengths are those of the rows as they come out, sums included.",
    )
    average: str = average_param()

    def __post_init__(self) -> None:
        """Raise ValueError for values that do not go together."""
        super().__post_init__()
        if not self.has_section:
            raise ValueError("nothing is left: switch on k2 or k3")

    @property
    def local(self) -> bool:
        """Whether there is one row for each atom."""
        return self.average == "off"

    def blocks(self, species: Species) -> list[Block]:
        """Pairs X–b; angles a–X–b (a ≤ b); angles X–a–b."""
        z = species.numbers
        found: list[Block] = []
        if self.k2:
            grid = self.grid(2)
            found += [Block(2, (X, b), i * grid.n, grid) for i, b in enumerate(z)]
        if self.k3:
            grid = self.grid(3)
            start = found[-1].stop if found else 0
            elements = [(a, X, b) for i, a in enumerate(z) for b in z[i:]] + [(X, a, b) for a in z for b in z]
            found += [Block(3, triple, start + i * grid.n, grid) for i, triple in enumerate(elements)]
        return found

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
        """See :meth:`Representation.compute`; (n or A, size) features.

        Raises ValueError for atoms at the same place, coordinates that are not finite, and a crystal with a weight
        that does not fade.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _mbtr_rows as rows

        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        self.check_cells(structures)
        progress(0.0, self.title)
        job = rows.prepare(structures, species, self.section(2), self.section(3), self.reach)
        progress.check()
        normalization = {"l2": rows.L2, "l2_each": rows.L2_EACH}.get(self.normalization, rows.NONE)
        average = {"off": rows.OFF, "sum": rows.SUM, "mean": rows.MEAN}[self.average]
        result = np.asarray(array)

        def run(start: int, stop: int, step: int, bins: NDArray[np.float64]) -> int:
            around, pairs, whole = job.buffers(3)
            return int(
                rows.atom_loop(
                    job.numbers,
                    job.positions,
                    job.offsets,
                    job.shifts,
                    job.shift_offsets,
                    start,
                    stop,
                    step,
                    job.element,
                    job.two,
                    job.three,
                    normalization,
                    average,
                    bins,
                    around,
                    pairs,
                    whole,
                    result,
                )
            )

        size = job.rows if self.local else job.tensor
        bad = _drive.drive(run, len(structures), size, job.cost, progress, self.title, _drive.thread_count(threads))
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return Features(array, self, species, structures.offsets if self.local else None)

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The pairs (centre first) or triples with the centre; a normalisation scales all parts alike.

        Raises ValueError where rows belong to atoms and no `centre` is given.
        """
        found = [block for block in self.blocks(species) if block.start <= column < block.stop]
        if not found or not len(structure):
            return []
        if self.local and centre is None:
            raise ValueError("the rows belong to atoms: say which one is meant (centre)")
        block = found[0]
        only = centre if self.local else None
        around = Around(structure, self.cutoff(block.order))
        if block.order == 2:
            atoms, values, weights = self.pairs_of(structure, around, None, block.elements[1], only)
        else:
            first, middle, last = (z if z != X else None for z in block.elements)
            atoms, values, weights = self.angles_of(structure, around, first, middle, last)
            if only is not None:
                kept = atoms[:, block.elements.index(X)] == only
                atoms, values, weights = atoms[kept], values[kept], weights[kept]
        parts = weights * self._bin(block, column, values)
        return largest_first(atoms, parts * self._factor(structure, species, block, centre))

    def _factor(self, structure: Structure, species: Species, block: Block, centre: int | None) -> float:
        """What the normalisation and the mean multiply this block with."""
        share = 1.0 / len(structure) if self.average == "mean" else 1.0
        if self.normalization in (BALANCED, "none"):
            return share
        one = Structures.from_lists([structure.numbers], [structure.positions], [structure.cell])
        raw = self.with_values(normalization="none").compute(one, species=species, threads=1).array
        row = raw[centre if self.local and centre is not None else 0]
        if self.normalization == "l2_each":
            same = [b for b in self.blocks(species) if b.order == block.order]
            row = row[same[0].start : same[-1].stop]
        norm = float(np.linalg.norm(row))
        return share / norm if norm > 0.0 else share
