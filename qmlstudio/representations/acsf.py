"""Atom-centred symmetry functions: J. Behler, J. Chem. Phys. 134, 074106 (2011)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import _number_text as texts
from qmlstudio.representations._acsf_program import program
from qmlstudio.representations._environments import (
    MODES,
    Environment,
    average_param,
    buffer_sizes,
    environments,
    largest_first,
    loop_data,
    pair_index,
    pair_title,
)
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

_LISTS = {
    "g2_params": ("η", "R_s"),
    "g3_params": ("κ",),
    "g4_params": ("η", "ζ", "λ"),
    "g5_params": ("η", "ζ", "λ"),
    "zetas": ("ζ",),
    "etas": ("η",),
}
_MOST_ZETA = 1000.0


@dataclass(frozen=True, kw_only=True)
class ACSF(Representation):
    """Symmetry functions G1 to G5 of every atom, columns in the order of DScribe.

    For each element: G1, the G2, the G3; then for each pair of elements (H, H), (H, C), (C, C), (H, N), …: the G4, the
    G5. The element of the atom in the centre is not in its row.

    Without lists of parameters the functions are made from the counts: `n_radial` G2 with R_s evenly spaced from
    `radial_start` to the cutoff and η = 1 / (2 Δ²), Δ being their distance; G4, G5 or both for every η of `etas`, every
    ζ of `zetas` and λ = ±1. A list takes the place of the functions of its kind. Lists may be given as text
    ("0.5 1.0; 0.5 1.5") or as lists of tuples in the way of DScribe.
    """

    name: ClassVar[str] = "acsf"
    title: ClassVar[str] = "Symmetry functions (ACSF)"
    help: ClassVar[str] = (
        "Behler's symmetry functions: how many neighbours of each element an atom has at which distance, and which "
        "angles pairs of them make. Few numbers, each easy to read, smooth up to the cutoff: the classic input of "
        "neural-network potentials. It sees pairs and triples around an atom only: some surroundings differ and yet "
        "have the same numbers, and mirror images always do."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"f(r) = \frac{1}{2}(\cos(\pi r / r_c) + 1), \qquad G^1 = \sum_j f(r_{ij})",
        r"G^2 = \sum_j e^{-\eta (r_{ij} - R_s)^2} f(r_{ij}), \qquad G^3 = \sum_j \cos(\kappa r_{ij}) f(r_{ij})",
        r"G^4 = 2^{1-\zeta} \sum_{j<k} (1 + \lambda \cos\theta_{jik})^\zeta \,"
        r" e^{-\eta (r_{ij}^2 + r_{ik}^2 + r_{jk}^2)} f(r_{ij}) f(r_{ik}) f(r_{jk})",
        r"G^5 = 2^{1-\zeta} \sum_{j<k} (1 + \lambda \cos\theta_{jik})^\zeta \, e^{-\eta (r_{ij}^2 + r_{ik}^2)}"
        r" f(r_{ij}) f(r_{ik})",
    )
    reference: ClassVar[str] = "J. Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717"
    periodic: ClassVar[Any] = "images"

    average: str = average_param()
    r_cut: float = param(6.0, label="Cutoff", unit="Å", low=0.5, high=20.0, step=0.5)
    n_radial: int = param(
        8,
        label="Radial functions (G2)",
        low=0,
        high=200,
        help="Gaussians of the distance, evenly spaced up to the cutoff.",
    )
    angular: str = param(
        "g4",
        label="Angular functions",
        choices=(
            ("g4", "G4: all three distances"),
            ("g5", "G5: the two distances from the centre"),
            ("both", "G4 and G5"),
            ("none", "none"),
        ),
        help="G4 counts only neighbours that are near each other as well; G5 also wide angles.",
    )
    radial_start: float = param(
        0.8,
        label="First R_s of G2",
        unit="Å",
        low=0.0,
        high=20.0,
        step=0.1,
        help="Below the shortest bond.",
        advanced=True,
    )
    zetas: str = param(
        "1 2 4 16",
        label="ζ of angular functions",
        help="Sharpness of the angle; one or more, 1 or above.",
        advanced=True,
    )
    etas: str = param(
        "0.0001",
        label="η of angular functions",
        unit="Å⁻²",
        help="Decay with the distances beside that of the cutoff; one or more.",
        advanced=True,
    )
    g2_params: str = param(
        "",
        label="G2: η R_s; …",
        help="Pairs in Å⁻² and Å, such as “0.5 1.0; 0.5 1.5”; empty: made from the count.",
        advanced=True,
    )
    g3_params: str = param("", label="G3: κ …", help="Numbers in Å⁻¹, such as “1 2”; empty: no G3.", advanced=True)
    g4_params: str = param(
        "",
        label="G4: η ζ λ; …",
        help="Triples, such as “0.01 1 1; 0.01 1 -1”; empty: made from the choices above.",
        advanced=True,
    )
    g5_params: str = param(
        "",
        label="G5: η ζ λ; …",
        help="Triples, such as “0.01 1 1; 0.01 1 -1”; empty: made from the choices above.",
        advanced=True,
    )

    def __post_init__(self) -> None:
        for field, names in _LISTS.items():
            text = texts.as_text(getattr(self, field))
            if isinstance(text, str):
                text = texts.write(texts.rows(text, field, names))
            object.__setattr__(self, field, text)
        super().__post_init__()
        for field in ("zetas", "etas"):
            if self.angular != "none" and not getattr(self, field):
                raise ValueError(f"{field}: needs at least one number")
        if self.radial_start >= self.r_cut and self.n_radial and not self.g2_params:
            raise ValueError(f"radial_start: {self.radial_start:g} Å is not below the cutoff of {self.r_cut:g} Å")
        for field in _LISTS:
            self._check(field)

    def _check(self, field: str) -> None:
        """Numbers that the functions are not defined for, or that would be the same column twice."""
        names = _LISTS[field]
        seen: dict[tuple[float, ...], int] = {}
        for place, entry in enumerate(self._entries(field), 1):
            given = dict(zip(names, entry, strict=True))
            if given.get("η", 0.0) < 0.0:
                raise ValueError(f"{field}: η of entry {place} is below 0")
            if not 1.0 <= given.get("ζ", 1.0) <= _MOST_ZETA:
                raise ValueError(f"{field}: ζ of entry {place} is not between 1 and {_MOST_ZETA:g}")
            if abs(given.get("λ", 1.0)) > 1.0:
                raise ValueError(f"{field}: λ of entry {place} is not between -1 and 1")
            if entry in seen:
                raise ValueError(f"{field}: entry {place} is the same as entry {seen[entry]}")
            seen[entry] = place

    def _entries(self, field: str) -> tuple[tuple[float, ...], ...]:
        return texts.rows(getattr(self, field), field, _LISTS[field])

    @cached_property
    def g2(self) -> tuple[tuple[float, ...], ...]:
        """(η / Å⁻², R_s / Å) of every G2."""
        if self.g2_params:
            return self._entries("g2_params")
        shifts = np.linspace(self.radial_start, self.r_cut, self.n_radial)
        step = (self.r_cut - self.radial_start) / max(self.n_radial - 1, 1)
        return tuple((0.5 / step**2, float(shift)) for shift in shifts)

    @cached_property
    def g3(self) -> tuple[float, ...]:
        """κ / Å⁻¹ of every G3."""
        return tuple(entry[0] for entry in self._entries("g3_params"))

    @cached_property
    def g4(self) -> tuple[tuple[float, ...], ...]:
        """(η / Å⁻², ζ, λ) of every G4."""
        return self._entries("g4_params") or self._generated("g4")

    @cached_property
    def g5(self) -> tuple[tuple[float, ...], ...]:
        """(η / Å⁻², ζ, λ) of every G5."""
        return self._entries("g5_params") or self._generated("g5")

    def _generated(self, kind: str) -> tuple[tuple[float, ...], ...]:
        if self.angular not in (kind, "both"):
            return ()
        return tuple(
            (eta, zeta, sign)
            for (eta,) in self._entries("etas")
            for (zeta,) in self._entries("zetas")
            for sign in (1.0, -1.0)
        )

    @property
    def local(self) -> bool:
        """Whether there is a row for each atom."""
        return self.average == "off"

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    @property
    def _widths(self) -> tuple[int, int]:
        """Columns of an element, and of a pair of elements."""
        return 1 + len(self.g2) + len(self.g3), len(self.g4) + len(self.g5)

    def size(self, species: Species) -> int:
        """Elements · (1 + G2 + G3) + pairs of elements · (G4 + G5)."""
        single, double = self._widths
        n = len(species.numbers)
        return n * single + n * (n + 1) // 2 * double

    def _radial_names(self) -> list[str]:
        widths, shifts, kappas = (
            texts.distinct(values) for values in (tuple(p[0] for p in self.g2), tuple(p[1] for p in self.g2), self.g3)
        )
        return [
            "G1",
            *(f"G2 r = {shift} Å, η = {eta} Å⁻²" for eta, shift in zip(widths, shifts, strict=True)),
            *(f"G3 κ = {kappa} Å⁻¹" for kappa in kappas),
        ]

    def _angular_names(self) -> list[str]:
        names = []
        for kind, entries in (("G4", self.g4), ("G5", self.g5)):
            columns = [texts.distinct(tuple(entry[k] for entry in entries)) for k in range(3)]
            names += [
                f"{kind} ζ = {zeta}, λ = {'' if lam.startswith('-') else '+'}{lam}, η = {eta} Å⁻²"
                for eta, zeta, lam in zip(*columns, strict=True)
            ]
        return names

    def _short_angular_names(self) -> tuple[str, ...]:
        """ "ζ4 λ+1" and what else tells the angular functions apart: there is little room under a bar."""
        entries = [("G4", entry) for entry in self.g4] + [("G5", entry) for entry in self.g5]
        kinds, widths = {kind for kind, _ in entries}, {entry[0] for _, entry in entries}
        names = []
        for kind, (eta, zeta, lam) in entries:
            words = [kind] if len(kinds) > 1 else []
            words += [f"ζ{zeta:g}", f"λ{lam:+g}"]
            if len(widths) > 1:
                words.append(f"η{eta:.2g}")
            names.append(" ".join(words))
        return tuple(names)

    def labels(self, species: Species) -> list[str]:
        """ "C G2 r = 1.54 Å, η = 0.905 Å⁻²"; "H–*–C G4 ζ = 4, λ = -1, η = 0.0001 Å⁻²" with any atom in the middle."""
        radial, angular = self._radial_names(), self._angular_names()
        found = [f"{symbol} {name}" for symbol in species.symbols for name in radial]
        for b, second in enumerate(species.symbols):
            for first in species.symbols[: b + 1]:
                found += [f"{pair_title(first, second)} {name}" for name in angular]
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
        """See :meth:`Representation.compute`; features without unit.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å), for coordinates that are not finite, and for
        a cell without volume.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _acsf_loops as loops
        from qmlstudio.representations import _drive, _neighbors

        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        result = np.asarray(array)
        _drive.check_positions(structures)
        images = _neighbors.lattice_images(structures, self.r_cut)
        atoms, neighbors = buffer_sizes(structures, _neighbors.most_neighbors(structures, images, self.r_cut))
        arrays, kinds = program(self.g2, self.g3, self.g4, self.g5), len(species.numbers)
        data = loop_data(structures, images, species.numbers)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.compute(
                    *data,
                    start,
                    stop,
                    step,
                    self.r_cut**2,
                    *arrays,
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
            loops.scratch_size(atoms, neighbors, len(arrays[2]), result.shape[1]),
            self._cost(structures, neighbors),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return Features(array, self, species, structures.offsets if self.local else None)

    def _cost(self, structures: Structures, neighbors: int) -> float:
        """Guess of the µs that a structure takes."""
        mean = len(structures.numbers) / max(len(structures), 1)
        near = neighbors if structures.cells is not None else min(neighbors, 0.8 * mean)
        single, double = self._widths
        return float(mean * near * (0.01 + 1e-3 * single + near * (1e-3 + 2e-4 * double)))

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
        from qmlstudio.representations import _acsf_gradient_loops as loops
        from qmlstudio.representations import _drive, _neighbors

        species = columns_for(structures, species, counts=False)
        columns, kinds = self.size(species), len(species.numbers)
        result = Gradients.empty(structures.sizes, columns, self.local, out)
        _drive.check_positions(structures)
        images = _neighbors.lattice_images(structures, self.r_cut)
        atoms, neighbors = buffer_sizes(structures, _neighbors.most_neighbors(structures, images, self.r_cut))
        arrays = program(self.g2, self.g3, self.g4, self.g5)
        data = loop_data(structures, images, species.numbers)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.gradient(
                    *data,
                    start,
                    stop,
                    step,
                    self.r_cut**2,
                    *arrays,
                    MODES[self.average],
                    atoms,
                    neighbors,
                    columns,
                    work,
                    np.empty((2, max(atoms, neighbors)), dtype=np.int64),
                    np.empty((2, kinds + 1), dtype=np.int64),
                    result.starts,
                    result.array,
                )
            )

        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(atoms, neighbors, *(len(array) for array in arrays[2:])),
            30 * self._cost(structures, neighbors),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return result

    def layout(self, structure: Structure, species: Species) -> Layout:
        """For each element G1, the G2 as a curve over R_s where they have one width, the G3; bars for each pair."""
        single, double = self._widths
        panels: list[Panel] = []
        names, angular = self._radial_names(), self._short_angular_names()
        shifts = np.array([shift for _, shift in self.g2])
        is_curve = len(self.g2) > 2 and len({eta for eta, _ in self.g2}) == 1 and bool((np.diff(shifts) > 0).all())
        for a, symbol in enumerate(species.symbols):
            start = a * single
            if not is_curve:
                panels.append(Panel(symbol, start, start + single, names=tuple(names), group="neighbours"))
                continue
            second, third = start + 1, start + 1 + len(self.g2)
            panels.append(Panel(f"{symbol}, G1", start, second, names=("G1",), group="neighbours"))
            panels.append(Panel(f"{symbol}, G2", second, third, grid=shifts, axis="r / Å", group="neighbours"))
            if self.g3:
                names3 = tuple(names[1 + len(self.g2) :])
                panels.append(Panel(f"{symbol}, G3", third, start + single, names=names3, group="neighbours"))
        if double:
            for b, second_symbol in enumerate(species.symbols):
                for a, symbol in enumerate(species.symbols[: b + 1]):
                    start = len(species.symbols) * single + pair_index(a, b) * double
                    title = pair_title(symbol, second_symbol)
                    panels.append(Panel(title, start, start + double, names=angular, group="pairs of neighbours"))
        return Layout("panels", (self.size(species),), panels=tuple(panels))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Pairs (centre, neighbour), or triples (neighbour, centre, neighbour), with their parts of a column."""
        if not 0 <= column < self.size(species) or not len(structure):
            return []
        single, double = self._widths
        only = (centre or 0) if self.local else None
        atoms: list[Any] = []
        values: list[Any] = []
        radial = len(species.numbers) * single
        for around in environments(structure, only, self.r_cut):
            if column < radial:
                found = self._pair_parts(around, structure, species.numbers[column // single], column % single)
            else:
                pair, function = divmod(column - radial, double)
                b = int((np.sqrt(8 * pair + 1) - 1) // 2)
                kinds = species.numbers[pair - b * (b + 1) // 2], species.numbers[b]
                found = self._triple_parts(around, structure, kinds, function)
            atoms.append(found[0])
            values.append(found[1])
        return largest_first(atoms, values, 1.0 / len(structure) if self.average == "mean" else 1.0)

    def _cutoff(self, r: Any) -> Any:
        return np.where(r < self.r_cut, 0.5 * (np.cos(np.pi * r / self.r_cut) + 1.0), 0.0)

    def _pair_parts(self, around: Environment, structure: Structure, z: int, function: int) -> tuple[Any, Any]:
        near = around.of_element(structure.numbers, z)
        r = around.distances[near]
        values = self._cutoff(r)
        if 0 < function <= len(self.g2):
            eta, shift = self.g2[function - 1]
            values = values * np.exp(-eta * (r - shift) ** 2)
        elif function:
            values = values * np.cos(self.g3[function - 1 - len(self.g2)] * r)
        members = around.atoms[near]
        return np.stack([np.full_like(members, around.centre), members], axis=1), values

    def _triple_parts(
        self, around: Environment, structure: Structure, kinds: tuple[int, int], function: int
    ) -> tuple[Any, Any]:
        first, second = (around.of_element(structure.numbers, z) for z in kinds)
        j, k = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
        if kinds[0] == kinds[1]:
            j, k = j[j < k], k[j < k]
        is_g4 = function < len(self.g4)
        eta, zeta, lam = self.g4[function] if is_g4 else self.g5[function - len(self.g4)]
        rj, rk = around.distances[j], around.distances[k]
        cosine = (around.vectors[j] * around.vectors[k]).sum(axis=1) / (rj * rk)
        both = rj**2 + rk**2
        values = self._cutoff(rj) * self._cutoff(rk)
        if is_g4:
            third = np.sqrt(((around.vectors[j] - around.vectors[k]) ** 2).sum(axis=1))
            values, both = values * self._cutoff(third), both + third**2
        values = 2.0 * np.maximum(0.5 * (1.0 + lam * cosine), 0.0) ** zeta * np.exp(-eta * both) * values
        centre = np.full(len(j), around.centre)
        return np.stack([around.atoms[j], centre, around.atoms[k]], axis=1), values
