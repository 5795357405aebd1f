"""The bag of bonds of Hansen et al., J. Phys. Chem. Lett. 6, 2326 (2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Array, Features, Gradients, Layout, Representation, columns_for
from qmlstudio.representations.matrices import UNIT_CHOICES, length, self_terms, value_unit


@dataclass(frozen=True)
class Bag:
    """One bag: the self terms of an element (`second` is 0), or the entries of a pair of elements.

    Attributes
    ----------
    first, second : int
        Atomic numbers.
    start, stop : int
        Its columns.
    """

    first: int
    second: int
    start: int
    stop: int

    @property
    def title(self) -> str:
        """ "C" for self terms, "C–H" for a pair: carbon first, hydrogen last, the rest by atomic number."""
        if not self.second:
            return SYMBOLS[self.first]
        pair = sorted((self.first, self.second), key=lambda z: (z == 1, z != 6, z))
        return "–".join(SYMBOLS[z] for z in pair)


def bags(species: Species) -> tuple[Bag, ...]:
    """The bags in the order of their columns, empty ones left out.

    For each element, by ascending atomic number: its self terms, the pairs within it, the pairs with later ones.
    """
    found, start = [], 0
    for i, (z, n) in enumerate(zip(species.numbers, species.counts, strict=True)):
        contents = [(0, n), (z, n * (n - 1) // 2)]
        contents += [(other, n * m) for other, m in zip(species.numbers[i + 1 :], species.counts[i + 1 :], strict=True)]
        for other, length_ in contents:
            if length_:
                found.append(Bag(z, other, start, start + length_))
            start += length_
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class BagOfBonds(Representation):
    """Bag of bonds: the Coulomb matrix's elements in bags, one for each element and pair of elements.

    An element's bag holds ½ Z^2.4 for each of its atoms, a pair's bag Z_i Z_j / r_ij for each such pair of atoms,
    bonded or not. Every bag is sorted in descending order and padded with zeros to the size that the largest count of
    its elements in the data set asks for. Changes continuously with the positions, with kinks where two entries of a
    bag cross; sets of atoms with equal distances (homometric ones) are the same to it.
    """

    name: ClassVar[str] = "bag_of_bonds"
    title: ClassVar[str] = "Bag of bonds"
    help: ClassVar[str] = (
        "All interatomic distances as Z·Z′/r, in one sorted bag for each pair of elements. Goes with the Laplacian "
        "kernel; more accurate than the Coulomb matrix and without its jumps. Cannot tell apart arrangements that "
        "have the same set of distances."
    )
    counts_matter: ClassVar[bool] = True
    formula: ClassVar[tuple[str, ...]] = (
        r"B_{ab} = \mathrm{sort} \left\{ Z_i Z_j / |\mathbf{R}_i - \mathbf{R}_j| : Z_i = a, Z_j = b \right\}",
        r"B_{a} = \left\{ \frac{1}{2} Z_i^{2.4} : Z_i = a \right\}",
    )
    reference: ClassVar[str] = "K. Hansen et al., J. Phys. Chem. Lett. 6, 2326 (2015), doi:10.1021/acs.jpclett.5b00831"

    length_unit: str = param("bohr", label="Length unit", choices=UNIT_CHOICES, help="Unit of the distances in Z·Z′/r.")

    def size(self, species: Species) -> int:
        """Σ n_a (n_a + 1) / 2 + Σ_{a<b} n_a n_b over the elements' largest counts n."""
        total = sum(species.counts)
        return total * (total + 1) // 2

    def labels(self, species: Species) -> list[str]:
        """ "C–H bag 5 / Ha" for the fifth largest entry of a pair, "C self term 2 / Ha" for an element's."""
        unit = value_unit(self.length_unit)
        return [
            f"{bag.title} {'bag' if bag.second else 'self term'} {k} / {unit}"
            for bag in bags(species)
            for k in range(1, bag.stop - bag.start + 1)
        ]

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
        """See :meth:`Representation.compute`; (n, size) features, in Ha or e²/Å.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _bag_loops as loops
        from qmlstudio.representations import _drive
        from qmlstudio.representations._lanes import plan

        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        progress(0.0, self.title)
        elements = np.array(species.numbers, dtype=np.int64)
        limits = np.array(species.counts, dtype=np.int64)
        element = np.zeros(256, dtype=np.int64)
        element[elements] = np.arange(len(elements))
        numbers = _drive.frozen(structures.numbers, np.uint8)
        offsets = _drive.frozen(structures.offsets, np.int64)
        counts = np.zeros((len(structures), len(elements)), dtype=np.int64)
        loops.compositions(numbers, offsets, element, counts)
        progress.check()
        chunks = plan(_alike(counts, limits), strict=False)
        progress.check()
        positions = _drive.frozen(structures.positions, np.float64)
        unit, terms, result = length(self.length_unit), self_terms(), np.asarray(array)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.bag_loop(
                    numbers,
                    positions,
                    offsets,
                    chunks.order,
                    chunks.first,
                    chunks.count,
                    start,
                    stop,
                    step,
                    unit,
                    terms,
                    element,
                    elements,
                    limits,
                    counts,
                    work,
                    np.empty((3, len(elements)), dtype=np.int64),
                    result,
                )
            )

        largest = max((bag.stop - bag.start for bag in bags(species)), default=0)
        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(chunks.first),
            loops.scratch_size(int(limits.sum()), largest),
            mean**2 * 0.1,
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        return Features(array, self, species)

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """See :meth:`Representation.gradient`; blocks (1, N, 3, size) in Ha/Å or e²/Å².

        An entry's derivative is that of the pair that stands there. Where two entries of a bag are equal, features
        have a kink: then each of the two columns has the derivative of one of both pairs, and their sum is right.
        """
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _matrix_gradients as loops

        species = columns_for(structures, species)
        _drive.check_positions(structures)
        gradients = Gradients.empty(structures.sizes, self.size(species), False, out)
        of_pairs = [(bag.first, bag.second, bag.start) for bag in bags(species) if bag.second]
        table = np.array(of_pairs, dtype=np.int64).reshape(-1, 3)
        largest = max((bag.stop - bag.start for bag in bags(species)), default=0)
        data = (
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
        )
        unit, starts, columns, flat = length(self.length_unit), gradients.starts, gradients.columns, gradients.array

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            pairs = np.empty((3, largest), dtype=np.int64)
            return int(
                loops.bag_gradient_loop(*data, start, stop, step, unit, table, starts, columns, pairs, work, flat)
            )

        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(structures),
            largest,
            mean**2 * 0.1 + mean * columns * 3e-3,
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        return gradients

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bags as groups of bars; each entry with the atom or the pair of atoms that it belongs to."""
        atoms: list[tuple[int, ...]] = [()] * self.size(species)
        numbers = structure.numbers
        for bag in bags(species):
            first = np.flatnonzero(numbers == bag.first)
            if not bag.second:
                entries: list[tuple[int, ...]] = [(int(i),) for i in first]
            else:
                second = np.flatnonzero(numbers == bag.second)
                i, j = (a.ravel() for a in np.meshgrid(first, second, indexing="ij"))
                if bag.first == bag.second:
                    i, j = i[i < j], j[i < j]
                distances = np.linalg.norm(structure.positions[i] - structure.positions[j], axis=1)
                nearest = np.argsort(distances, kind="stable")
                entries = [(int(i[k]), int(j[k])) for k in nearest]
            atoms[bag.start : bag.start + len(entries)] = entries
        groups = tuple((bag.title, bag.start, bag.stop) for bag in bags(species))
        return Layout("bags", (len(atoms),), groups=groups, atoms=tuple(atoms), unit=value_unit(self.length_unit))


def _alike(counts: NDArray[np.int64], limits: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(n,) keys by which structures of similar composition are neighbours; the commonest elements decide first.

    Overflow does no harm: compositions that are equal keep equal keys, and no more is needed for correct results.
    """
    keys = np.zeros(len(counts), dtype=np.uint64)
    for e in np.argsort(-limits, kind="stable"):
        keys = keys * np.uint64(limits[e] + 1) + counts[:, e].astype(np.uint64)
    return keys
