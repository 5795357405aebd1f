"""SLATM, the spectrum of London and Axilrod–Teller–Muto potentials of Huang and von Lilienfeld."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations._environments import average_param
from qmlstudio.representations._slatm_terms import (
    BLOCK,
    Constants,
    ManyBody,
    angle_grid,
    angle_parts,
    constants,
    distance_grid,
    many_body_types,
    pair_parts,
)
from qmlstudio.representations.base import (
    Array,
    Contribution,
    Features,
    Gradients,
    Layout,
    Panel,
    Representation,
    check_fits,
)


@dataclass(frozen=True, kw_only=True)
class SLATM(Representation):
    """SLATM: one curve for each pair and each angle of elements, beside the elements' counts times Z.

    A pair's curve on the distances x is Σ Z Z′ x^−p G(x − r) over its pairs of atoms closer than the cutoff: London's
    dispersion, a function of the grid point, smeared by the normalised Gaussian G times the grid spacing. An angle's is
    Σ ⅓ Z Z′ Z″ (1 + cos x cos θ′ cos θ″) / (r r′ r″)³ G(x − θ) over its triples with no distance above the cutoff, the
    angle's grid point in place of the angle θ itself. The potential of Axilrod and Teller has 3 cos cos cos: the
    published definition leaves the 3 out, and so does this one.

    Atomic rows (aSLATM) have Z of the centre, half of each of its pairs, and the angles at it: they add up to the row
    of the structure.

    Gaussians are followed until they are below 1e-16 of their largest value; beyond, zeros. Terms begin and end at the
    cutoff at once: the features jump there, by little. Angles are taken from area and scalar product, so that those
    near 180° have all digits.
    """

    name: ClassVar[str] = "slatm"
    title: ClassVar[str] = "SLATM"
    help: ClassVar[str] = (
        "Spectra of all distances, weighted by London's 1/r⁶, and of all angles, weighted by three-body dispersion, "
        "for each pair and triple of elements. Very accurate for energies of molecules with a Gaussian kernel, but "
        "has thousands of columns: choose single precision for large sets. Terms end at once at the cutoff; mirror "
        "images and the periodicity of crystals are not seen."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"x_{Z} = Z\,N_{Z}",
        r"x_{ZZ'}(r) = \Delta\,\frac{Z Z'}{r^{p}} \sum_{i<j} "
        r"\frac{1}{\sqrt{2\pi}\,\sigma_2}\,e^{-(r - r_{ij})^2 / 2\sigma_2^2}",
        r"x_{ZZ'Z''}(\theta) = \Delta\,\frac{Z Z' Z''}{3} \sum_{ijk} "
        r"\frac{1 + \cos\theta\,\cos\theta_i\,\cos\theta_k}{(r_{ij}\,r_{jk}\,r_{ik})^3}\,"
        r"\frac{1}{\sqrt{2\pi}\,\sigma_3}\,e^{-(\theta - \theta_j)^2 / 2\sigma_3^2}",
    )
    reference: ClassVar[str] = (
        "B. Huang, O. A. von Lilienfeld, Nat. Chem. 12, 945 (2020), doi:10.1038/s41557-020-0527-z"
    )
    counts_matter: ClassVar[bool] = True

    rcut: float = param(
        4.8,
        label="Cutoff",
        unit="Å",
        low=1.0,
        high=12.0,
        step=0.1,
        help="Pairs and angles with a longer side are left out.",
    )
    sigma2: float = param(
        0.05,
        label="Width of distances",
        unit="Å",
        low=0.02,
        high=0.5,
        step=0.01,
        help="σ of the Gaussians on distances.",
    )
    sigma3: float = param(
        0.05, label="Width of angles", unit="rad", low=0.02, high=0.5, step=0.01, help="σ of the Gaussians on angles."
    )
    d2: float = param(
        0.03,
        label="Spacing of distances",
        unit="Å",
        low=0.01,
        high=0.15,
        step=0.005,
        help="Grid spacing: half as much, twice as many columns.",
        advanced=True,
    )
    d3: float = param(
        0.03,
        label="Spacing of angles",
        unit="rad",
        low=0.01,
        high=0.15,
        step=0.005,
        help="Grid spacing: half as much, twice as many columns.",
        advanced=True,
    )
    rpower: int = param(
        6, label="Power of distances", low=0, high=12, help="p of 1/r^p on the pairs: 6 is London's.", advanced=True
    )
    average: str = average_param()

    @property
    def local(self) -> bool:
        """Whether there is one row for each atom."""
        return self.average == "off"

    @property
    def has_gradient(self) -> bool:
        """Always; at the cutoff and at exactly straight angles it is that of one side, or the mean."""
        return True

    def distances(self) -> NDArray[np.float64]:
        """(n2,) the grid of distances, Å."""
        return distance_grid(self.rcut, self.d2)

    def angles(self) -> NDArray[np.float64]:
        """(n3,) the grid of angles, rad."""
        return angle_grid(self.d3)

    def types(self, species: Species) -> tuple[ManyBody, ...]:
        """What the columns stand for, in order."""
        return many_body_types(species.numbers, species.counts, len(self.distances()), len(self.angles()))

    def size(self, species: Species) -> int:
        """Elements, pairs times distances, angles times grid angles."""
        types = self.types(species)
        return types[-1].stop if types else 0

    def labels(self, species: Species) -> list[str]:
        """ "C one-body", "C–H r = 1.245 Å", "H–C–H θ = 104.6°"."""
        endings = {
            1: ["one-body"],
            2: [f"r = {x:.3f} Å" for x in self.distances()],
            3: [f"θ = {x:.1f}°".replace("-", "−") for x in np.degrees(self.angles())],
        }
        return [f"{kind.title} {ending}" for kind in self.types(species) for ending in endings[len(kind.elements)]]

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
        """See :meth:`Representation.compute`; (n, size) features, or (A, size) of atoms.

        Of counts it only matters whether they are one, two, or three and more. Raises ValueError for atoms at the same
        place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _slatm_loops as loops

        species = self._columns(structures, species)
        array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        numbers = _drive.frozen(structures.numbers, np.uint8)
        positions = _drive.frozen(structures.positions, np.float64)
        offsets = _drive.frozen(structures.offsets, np.int64)
        element, charges, columns = self._tables(species)
        fixed = self._constants()
        largest = int(structures.sizes.max(initial=0))
        mixed = _most_elements(structures)
        row = mixed * int(fixed.strides[0]) + mixed * (mixed + 1) // 2 * int(fixed.strides[1])
        result = np.asarray(array)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.slatm_loop(
                    numbers,
                    positions,
                    offsets,
                    start,
                    stop,
                    step,
                    element,
                    charges,
                    columns,
                    fixed.factors,
                    self.local,
                    self.average == "mean",
                    self.rcut,
                    fixed.grid,
                    fixed.blocks,
                    fixed.strides,
                    fixed.table2,
                    fixed.table3,
                    fixed.flat,
                    fixed.cosines,
                    fixed.power,
                    work,
                    np.empty(loops.whole_size(largest, len(charges)), dtype=np.int64),
                    result,
                )
            )

        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(largest, largest if self.local else mixed, row),
            mean**3 * 0.01 + array.itemsize * array.shape[1] * (mean if self.local else 1.0) * 1e-4 + 1.0,
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        return Features(array, self, species, structures.offsets if self.local else None)

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """See :meth:`Representation.gradient`; what is cut off or straight at this very moment is not differentiable.

        An angle of exactly 0° or 180° opens whichever way its atoms move: its own part is the mean over them, zero.
        """
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _slatm_gradient_loops as loops

        species = self._columns(structures, species)
        gradients = Gradients.empty(structures.sizes, self.size(species), self.local, out)
        _drive.check_positions(structures)
        numbers = _drive.frozen(structures.numbers, np.uint8)
        positions = _drive.frozen(structures.positions, np.float64)
        offsets = _drive.frozen(structures.offsets, np.int64)
        element, charges, _ = self._tables(species)
        pairs, triples = self._places(species, element)
        fixed = self._constants()
        half2, half3 = (int(n) * BLOCK for n in fixed.blocks)
        cosines = np.cos(self.angles())
        longest = max(len(fixed.power), len(cosines))

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.gradient_loop(
                    numbers,
                    positions,
                    offsets,
                    gradients.starts,
                    gradients.columns,
                    start,
                    stop,
                    step,
                    element,
                    charges,
                    pairs,
                    triples,
                    fixed.factors,
                    self.local,
                    self.average == "mean",
                    self.rcut,
                    fixed.grid,
                    half2,
                    half3,
                    fixed.power,
                    cosines,
                    work,
                    gradients.array,
                )
            )

        bad = _drive.drive(
            run,
            len(structures),
            3 * longest,
            len(gradients.array) / max(len(structures), 1) * 1e-3 + 1.0,
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)
        return gradients

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The atoms of an element, or the pairs or triples (middle atom in the middle) that reach the grid point."""
        if not 0 <= column < self.size(species):
            return []
        kind = next(kind for kind in self.types(species) if column < kind.stop)
        numbers, positions = structure.numbers, structure.positions
        only = centre if self.local else None
        share = 1.0 / len(structure) if self.average == "mean" and len(structure) else 1.0
        factors = share * self._constants().factors * float(np.prod(kind.elements))
        point = column - kind.start
        atoms: list[tuple[int, ...]]
        if len(kind.elements) == 1:
            atoms = [(int(i),) for i in np.flatnonzero(numbers == kind.elements[0]) if only is None or i == only]
            values = np.full(len(atoms), share * kind.elements[0])
        elif len(kind.elements) == 2:
            atoms, r = pair_parts(numbers, positions, kind.elements, self.rcut, only)
            x = self.distances()[point]
            values = factors[0] * x ** -float(self.rpower) * np.exp(-0.5 * ((x - r) / self.sigma2) ** 2)
        else:
            atoms, theta, cosines, sides = angle_parts(numbers, positions, kind.elements, self.rcut, only)
            x = self.angles()[point]
            gaussian = np.exp(-0.5 * ((x - theta) / self.sigma3) ** 2)
            values = factors[1] * (1.0 + np.cos(x) * cosines) / sides**3 * gaussian
        if not len(values):
            return []
        kept = np.flatnonzero((np.abs(values) >= 1e-6 * np.abs(values).max()) & (values != 0.0))
        order = kept[np.argsort(-np.abs(values[kept]), kind="stable")]
        return [Contribution(atoms[k], float(values[k])) for k in order]

    def _places(self, species: Species, element: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First columns of pairs and angles by their elements in any order, the middle one first; −1 for none."""
        n = len(species.numbers)
        pairs, triples = np.full((n, n), -1, dtype=np.int64), np.full((n, n, n), -1, dtype=np.int64)
        for kind in self.types(species):
            e = [int(element[z]) for z in kind.elements]
            if len(e) == 2:
                pairs[e[0], e[1]] = pairs[e[1], e[0]] = kind.start
            elif len(e) == 3:
                triples[e[1], e[0], e[2]] = triples[e[1], e[2], e[0]] = kind.start
        return pairs, triples

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars for the elements, a curve for each pair and each angle."""
        types = self.types(species)
        count = len(species.numbers)
        panels = []
        if count:
            panels.append(Panel("elements", 0, count, names=species.symbols, group="one-body"))
        distances, angles = self.distances(), np.degrees(self.angles())
        for kind in types[count:]:
            if len(kind.elements) == 2:
                panels.append(Panel(kind.title, kind.start, kind.stop, distances, "r / Å", group="pairs"))
            else:
                panels.append(Panel(kind.title, kind.start, kind.stop, angles, "angle / °", group="angles"))
        return Layout("panels", (self.size(species),), panels=tuple(panels))

    def _columns(self, structures: Structures, species: Species | None) -> Species:
        """The species that fixes the columns; ValueError where the structures have terms without one."""
        if species is None:
            return structures.species
        # three of an element form all that more of it can form
        many = 1 << 40
        counts = tuple(many if count > 2 else count for count in species.counts)
        check_fits(structures, Species(species.numbers, counts, many))
        return species

    def _tables(self, species: Species) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Atomic number → element, the elements' charges, and column and elements of each type (the middle last)."""
        element = np.zeros(256, dtype=np.int64)
        element[list(species.numbers)] = np.arange(len(species.numbers))
        types = self.types(species)
        columns = np.full((len(types), 4), -1, dtype=np.int64)
        for k, kind in enumerate(types):
            first, *middle = kind.elements
            columns[k, 0] = kind.start
            for place, z in enumerate([first, *reversed(middle)], start=1):
                columns[k, place] = element[z]
        return element, np.array(species.numbers, dtype=np.float64), columns

    def _constants(self) -> Constants:
        return constants(self.rcut, self.sigma2, self.sigma3, self.d2, self.d3, self.rpower, self.local)


def _most_elements(structures: Structures) -> int:
    """Different elements in one structure, at most (an upper bound, exact where there are many)."""
    elements = len(structures.species.numbers)
    if elements <= 6:
        return max(elements, 1)
    owner = np.repeat(np.arange(len(structures), dtype=np.int64), structures.sizes)
    pairs = np.unique(owner * 256 + structures.numbers)
    return int(np.bincount(pairs // 256).max())
