"""ANI's atomic environment vectors: J. S. Smith, O. Isayev and A. E. Roitberg, Chem. Sci. 8, 3192 (2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import _number_text as texts
from qmlstudio.representations._environments import (
    MODES,
    Environment,
    average_param,
    buffer_sizes,
    environments,
    largest_first,
    loop_data,
    pair_title,
)
from qmlstudio.representations.ani_constants import GRIDS, PRESETS, Constants, read_params, read_symbols
from qmlstudio.representations.base import (
    Array,
    Contribution,
    Features,
    Gradients,
    Layout,
    Panel,
    Representation,
    columns_for,
)

NETWORKS = {"ani1x": "ANI-1x", "ani2x": "ANI-2x", "ani1": "ANI-1"}
"""Presets, as people read them."""
_FAR = 1e3
"""Å; distance of the padding's Gaussians, which are zero there."""
_DAMPING = 0.95


@dataclass(frozen=True, kw_only=True)
class AEV(Representation):
    """Atomic environment vectors of ANI, columns in the order of TorchANI.

    For each element the radial functions of its atoms, by shift; then for each pair of elements (first with itself,
    first with second, …) the angular ones, by distance and in it by angle. Radial functions bear the factor ¼ of the
    published networks that the paper does not mention, and the angle is arccos(0.95 cos θ), as theirs.

    The preset gives every constant that is left empty. With `elements` "data" the columns are those of the data's
    elements in ascending order; "preset" has all of the preset in its order, the input of its networks; a list of
    symbols fixes both.
    """

    name: ClassVar[str] = "aev"
    title: ClassVar[str] = "Environment vectors of ANI (AEV)"
    help: ClassVar[str] = (
        "The input of the ANI networks: Gaussians of the distances to the neighbours of each element, and of angle and "
        "mean distance together for pairs of neighbours. Finer than symmetry functions, with shorter reach; an atom "
        "without neighbours has zeros only, and in a molecule of two atoms there are no angles. It sees pairs and "
        "triples around an atom only: some surroundings differ and yet have the same numbers."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"G^{R}_{s} = \frac{1}{4} \sum_j e^{-\eta_R (r_{ij} - R_s)^2} f(r_{ij}; R_{cr}), \qquad"
        r" f(r; R) = \frac{1}{2}(\cos(\pi r / R) + 1)",
        r"G^{A}_{a,s} = 2 \sum_{j<k} \left( \frac{1 + \cos(\theta'_{jik} - \theta_s)}{2} \right)^{\zeta}"
        r" e^{-\eta_A ((r_{ij} + r_{ik}) / 2 - R_a)^2} f(r_{ij}; R_{ca}) f(r_{ik}; R_{ca})",
        r"\cos\theta' = 0.95 \, \cos\theta",
    )
    reference: ClassVar[str] = (
        "J. S. Smith, O. Isayev, A. E. Roitberg, Chem. Sci. 8, 3192 (2017), doi:10.1039/C6SC05720A"
    )
    periodic: ClassVar[Any] = "images"

    average: str = average_param()
    preset: str = param(
        "ani1x",
        label="Constants of",
        choices=tuple(NETWORKS.items()),
        help="The network whose constants are taken where none is given below.",
    )
    elements: str = param(
        "data",
        label="Elements",
        help="“data”: those of the data set; “preset”: all of the preset in its order, as its networks want them; or a "
        "list such as “H C N O”.",
    )
    Rcr: float | None = param(
        None,
        label="Radial cutoff",
        unit="Å",
        low=0.5,
        high=20.0,
        step=0.1,
        none_label="of the preset",
        advanced=True,
    )
    Rca: float | None = param(
        None,
        label="Angular cutoff",
        unit="Å",
        low=0.5,
        high=20.0,
        step=0.1,
        none_label="of the preset",
        help="Not above the radial one.",
        advanced=True,
    )
    EtaR: float | None = param(
        None, label="Radial η", unit="Å⁻²", low=0.0, high=1e4, step=1.0, none_label="of the preset", advanced=True
    )
    ShfR: str = param(
        "",
        label="Radial shifts / Å",
        help="A list such as “0.9 1.2 1.5”, or start:stop:count, evenly spaced without the stop; empty: of the preset.",
        advanced=True,
    )
    EtaA: float | None = param(
        None, label="Angular η", unit="Å⁻²", low=0.0, high=1e4, step=1.0, none_label="of the preset", advanced=True
    )
    Zeta: float | None = param(
        None,
        label="Angular ζ",
        low=1.0,
        high=1000.0,
        step=1.0,
        none_label="of the preset",
        help="Sharpness of the angle.",
        advanced=True,
    )
    ShfA: str = param(
        "",
        label="Angular shifts of the distance / Å",
        help="A list, or start:stop:count; empty: of the preset.",
        advanced=True,
    )
    ShfZ: str = param(
        "",
        label="Shifts of the angle / rad",
        help="A list, or start:stop:count; empty: of the preset.",
        advanced=True,
    )

    def __post_init__(self) -> None:
        for field in GRIDS:
            text = texts.as_text(getattr(self, field))
            if isinstance(text, str):
                text = " ".join(texts.number(x) for x in texts.grid(text, field)) if text.strip() else ""
            object.__setattr__(self, field, text)
        if isinstance(self.elements, str):
            words = self.elements.strip()
            if words.lower() not in ("data", "preset"):
                words = " ".join(read_symbols(words, "elements")) or "data"
            object.__setattr__(self, "elements", words.lower() if words.lower() in ("data", "preset") else words)
        super().__post_init__()
        if self.constants.Rca > self.constants.Rcr:
            raise ValueError(
                f"Rca: {self.constants.Rca:g} Å is above the radial cutoff of {self.constants.Rcr:g} Å (Rcr)"
            )

    @classmethod
    def from_params_file(cls, path: str | Path, **values: Any) -> Self:
        """The constants and elements of a network's ``.params`` file; `values` are other parameters.

        Raises ValueError, naming file and line, where it is no such file, and OSError where it cannot be read.
        """
        found = read_params(path)
        grids = {field: " ".join(texts.number(x) for x in getattr(found, field)) for field in GRIDS}
        numbers = {field: getattr(found, field) for field in ("Rcr", "Rca", "EtaR", "EtaA", "Zeta")}
        return cls(**{"elements": " ".join(found.elements), **numbers, **grids, **values})

    @cached_property
    def constants(self) -> Constants:
        """The preset's, with what was given in place of its."""
        chosen = PRESETS[self.preset]

        def grid(field: str) -> tuple[float, ...]:
            text = getattr(self, field)
            return texts.grid(text, field) if text else getattr(chosen, field)

        def single(field: str) -> float:
            value = getattr(self, field)
            return float(getattr(chosen, field) if value is None else value)

        elements = chosen.elements
        if self.elements not in ("data", "preset"):
            elements = tuple(self.elements.split())
        return Constants(
            single("Rcr"),
            single("Rca"),
            single("EtaR"),
            grid("ShfR"),
            single("EtaA"),
            single("Zeta"),
            grid("ShfA"),
            grid("ShfZ"),
            elements,
        )

    def numbers(self, species: Species) -> tuple[int, ...]:
        """Atomic numbers of the columns' elements, in their order."""
        if self.elements == "data":
            return species.numbers
        return tuple(SYMBOLS.index(symbol) for symbol in self.constants.elements)

    @property
    def local(self) -> bool:
        """Whether there is a row for each atom."""
        return self.average == "off"

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    def size(self, species: Species) -> int:
        """Elements · ShfR + pairs of elements · ShfA · ShfZ."""
        c, n = self.constants, len(self.numbers(species))
        return n * len(c.ShfR) + n * (n + 1) // 2 * len(c.ShfA) * len(c.ShfZ)

    def _pairs(self, species: Species) -> list[tuple[int, int]]:
        numbers = self.numbers(species)
        return [(z, other) for a, z in enumerate(numbers) for other in numbers[a:]]

    def labels(self, species: Species) -> list[str]:
        """ "C r = 1.17 Å"; "H–*–C r = 0.9 Å, θ = 11.2°" with any atom in the middle."""
        c = self.constants
        radial = texts.distinct(c.ShfR)
        distances = texts.distinct(c.ShfA)
        angles = texts.distinct(tuple(math.degrees(x) for x in c.ShfZ))
        found = [f"{SYMBOLS[z]} r = {r} Å" for z in self.numbers(species) for r in radial]
        for first, second in self._pairs(species):
            title = pair_title(SYMBOLS[first], SYMBOLS[second])
            found += [f"{title} r = {r} Å, θ = {angle}°" for r in distances for angle in angles]
        return found

    def _columns(self, structures: Structures, species: Species | None) -> Species:
        from qmlstudio.representations._neighbors import unknown_element

        if self.elements == "data":
            return columns_for(structures, species, counts=False)
        species = structures.species if species is None else species
        if error := unknown_element(structures, self.numbers(species), self._owner()):
            raise error
        return species

    def _owner(self) -> str:
        if self.elements != "preset":
            return "the list of elements"
        return NETWORKS[self.preset]

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
        """See :meth:`Representation.compute`; features without unit.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å), for coordinates that are not finite, for
        a cell without volume, and for elements that are not among fixed ones.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _aev_loops as loops
        from qmlstudio.representations import _drive, _neighbors

        species = self._columns(structures, species)
        array = self._output(structures, species, out, dtype)
        result = np.asarray(array)
        _drive.check_positions(structures)
        c, elements = self.constants, self.numbers(species)
        images = _neighbors.lattice_images(structures, c.Rcr)
        atoms, neighbors = buffer_sizes(structures, _neighbors.most_neighbors(structures, images, c.Rcr))
        counts = len(c.ShfA), len(c.ShfZ)
        by_angle = loops.lanes_are_angles(*counts)
        lanes, rows = loops.widths(*counts)
        kinds = len(elements)
        data = loop_data(structures, images, elements)
        constants = _drive.frozen(np.array([c.Rcr, c.Rca, c.EtaR, c.EtaA, c.Zeta]), np.float64)
        grids = self._grids(lanes if by_angle else 0, 0 if by_angle else lanes)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.compute(
                    *data,
                    start,
                    stop,
                    step,
                    constants,
                    *grids,
                    *counts,
                    by_angle,
                    lanes,
                    rows,
                    MODES[self.average],
                    atoms,
                    neighbors,
                    loops.capacity(neighbors),
                    work,
                    np.empty((2, max(atoms, neighbors)), dtype=np.int64),
                    np.empty((2, kinds + 1), dtype=np.int64),
                    np.empty((3, kinds * (kinds + 1) // 2 + 4), dtype=np.int64),
                    result,
                )
            )

        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(atoms, neighbors, kinds, len(c.ShfR), *counts),
            self._cost(structures, neighbors),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return Features(array, self, species, structures.offsets if self.local else None)

    def _grids(self, angles: int, distances: int) -> tuple[Any, ...]:
        """Radial shifts, distances, ½ cos θ_s and ½ sin θ_s, padded to at least so many."""
        from qmlstudio.representations._drive import frozen

        c = self.constants
        theta = np.array(c.ShfZ)
        more = max(angles - len(theta), 0)
        return (
            frozen(np.array(c.ShfR), np.float64),
            frozen(np.pad(c.ShfA, (0, max(distances - len(c.ShfA), 0)), constant_values=_FAR), np.float64),
            frozen(np.pad(0.5 * np.cos(theta), (0, more)), np.float64),
            frozen(np.pad(0.5 * np.sin(theta), (0, more)), np.float64),
        )

    def _cost(self, structures: Structures, neighbors: int) -> float:
        """Guess of the µs that a structure takes."""
        c, mean = self.constants, len(structures.numbers) / max(len(structures), 1)
        near = neighbors if structures.cells is not None else min(neighbors, mean)
        inner = 0.7 * near * (c.Rca / c.Rcr) ** 3
        angular = inner * inner * (0.01 + 4e-4 * len(c.ShfA) * len(c.ShfZ))
        return float(mean * (near * (0.01 + 1e-3 * len(c.ShfR)) + angular))

    def gradient(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        threads: int | None = None,
    ) -> Gradients:
        """See :meth:`Representation.gradient`; per Å. Errors as :meth:`compute`."""
        from qmlstudio.representations import _aev_gradient_loops as loops
        from qmlstudio.representations import _drive, _neighbors

        species = self._columns(structures, species)
        columns = self.size(species)
        result = Gradients.empty(structures.sizes, columns, self.local, out)
        _drive.check_positions(structures)
        c, elements = self.constants, self.numbers(species)
        images = _neighbors.lattice_images(structures, c.Rcr)
        atoms, neighbors = buffer_sizes(structures, _neighbors.most_neighbors(structures, images, c.Rcr))
        data = loop_data(structures, images, elements)
        constants = _drive.frozen(np.array([c.Rcr, c.Rca, c.EtaR, c.EtaA, c.Zeta]), np.float64)
        grids = self._grids(0, 0)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.gradient(
                    *data,
                    start,
                    stop,
                    step,
                    constants,
                    *grids,
                    MODES[self.average],
                    atoms,
                    neighbors,
                    columns,
                    work,
                    np.empty((2, max(atoms, neighbors)), dtype=np.int64),
                    np.empty((2, len(elements) + 1), dtype=np.int64),
                    result.starts,
                    result.array,
                )
            )

        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(atoms, neighbors, len(c.ShfR), len(c.ShfA), len(c.ShfZ)),
            30 * self._cost(structures, neighbors),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return result

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A curve for each element, and for each pair of elements a matrix of distances and angles."""
        c = self.constants
        panels: list[Panel] = []
        at = 0
        for z in self.numbers(species):
            stop = at + len(c.ShfR)
            panels.append(Panel(SYMBOLS[z], at, stop, grid=np.array(c.ShfR), axis="r / Å", group="radial"))
            at = stop
        shape = len(c.ShfA), len(c.ShfZ)
        for first, second in self._pairs(species):
            stop = at + shape[0] * shape[1]
            cells = np.arange(at, stop, dtype=np.int64).reshape(shape)
            title = pair_title(SYMBOLS[first], SYMBOLS[second])
            panels.append(Panel(title, at, stop, axis="θ", cells=cells, row_axis="r", group="angular"))
            at = stop
        return Layout("panels", (at,), panels=tuple(panels))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Pairs (centre, neighbour), or triples (neighbour, centre, neighbour), with their parts of a column."""
        if not 0 <= column < self.size(species) or not len(structure):
            return []
        c, elements = self.constants, self.numbers(species)
        radial = len(elements) * len(c.ShfR)
        only = (centre or 0) if self.local else None
        atoms: list[Any] = []
        values: list[Any] = []
        for around in environments(structure, only, c.Rcr if column < radial else c.Rca):
            if column < radial:
                element, shift = divmod(column, len(c.ShfR))
                found = self._pair_parts(around, structure, elements[element], c.ShfR[shift])
            else:
                pair, function = divmod(column - radial, len(c.ShfA) * len(c.ShfZ))
                found = self._triple_parts(around, structure, self._pairs(species)[pair], function)
            atoms.append(found[0])
            values.append(found[1])
        return largest_first(atoms, values, 1.0 / len(structure) if self.average == "mean" else 1.0)

    def _pair_parts(self, around: Environment, structure: Structure, z: int, shift: float) -> tuple[Any, Any]:
        c = self.constants
        near = around.of_element(structure.numbers, z)
        r = around.distances[near]
        values = 0.125 * np.exp(-c.EtaR * (r - shift) ** 2) * (np.cos(np.pi * r / c.Rcr) + 1.0)
        members = around.atoms[near]
        return np.stack([np.full_like(members, around.centre), members], axis=1), values

    def _triple_parts(
        self, around: Environment, structure: Structure, kinds: tuple[int, int], function: int
    ) -> tuple[Any, Any]:
        c = self.constants
        first, second = (around.of_element(structure.numbers, z) for z in kinds)
        j, k = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
        if kinds[0] == kinds[1]:
            j, k = j[j < k], k[j < k]
        shift, angle = c.ShfA[function // len(c.ShfZ)], c.ShfZ[function % len(c.ShfZ)]
        rj, rk = around.distances[j], around.distances[k]
        cosine = (around.vectors[j] * around.vectors[k]).sum(axis=1) / (rj * rk)
        theta = np.arccos(_DAMPING * np.clip(cosine, -1.0, 1.0))
        cutoffs = 0.25 * (np.cos(np.pi * rj / c.Rca) + 1.0) * (np.cos(np.pi * rk / c.Rca) + 1.0)
        values = 2.0 * (0.5 * (1.0 + np.cos(theta - angle))) ** c.Zeta * cutoffs
        values = values * np.exp(-c.EtaA * (0.5 * (rj + rk) - shift) ** 2)
        centre = np.full(len(j), around.centre)
        return np.stack([around.atoms[j], centre, around.atoms[k]], axis=1), values
