"""What the many-body tensor and its local form share: parameters, sections of columns, titles, single contributions."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.representations._bins import Grid, bin_means, norm, table
from qmlstudio.representations.base import Array, Contribution, Layout, Panel, Representation

NO_WEIGHT = "unity"
PAIR_GEOMETRIES = (("inverse_distance", "1/r"), ("distance", "r"))
PAIR_WEIGHTS = (("exp", "exp(−s r)"), ("inverse_square", "1/r²"), (NO_WEIGHT, "1"))
ANGLE_GEOMETRIES = (("angle", "angle"), ("cosine", "cosine"))
ANGLE_WEIGHTS = (("exp", "exp(−s · perimeter)"), ("smooth_cutoff", "smooth cutoff"), (NO_WEIGHT, "1"))
AXES = {"inverse_distance": "1/r / Å⁻¹", "distance": "r / Å", "angle": "angle / °", "cosine": "cosine"}
_LABELS = {"inverse_distance": "1/r = {} Å⁻¹", "distance": "r = {} Å", "angle": "angle = {}°", "cosine": "cosine = {}"}
_AUTOMATIC = {
    "inverse_distance": (0.0, 1.4, 0.02),
    "distance": (0.0, 10.0, 0.1),
    "angle": (0.0, 180.0, 5.0),
    "cosine": (-1.0, 1.0, 0.1),
}
"""First and last grid point and width of a Gaussian where the parameters leave them open."""
BALANCED = "balanced"
NORMALIZATIONS = (
    (BALANCED, "sections alike"),
    ("none", "none"),
    ("l2", "length 1"),
    ("l2_each", "length 1 for each k"),
)
NORMALIZATION_HELP = (
    "Sections alike: an atom, pair or angle of weight 1 has length 1 whatever its grid and unit, so that none of the "
    "sections drowns the others in a distance or kernel. None: areas are the weights."
)
X = 0
"""Stands for the centre where its element does not matter."""


@dataclass(frozen=True)
class Block:
    """The columns of one element, pair or triple.

    Attributes
    ----------
    order : int
        1, 2 or 3.
    elements : tuple of int
        Atomic numbers (a triple's middle atom in the middle), X for the centre.
    start : int
        First of its columns; there are ``grid.n``.
    grid : Grid
    """

    order: int
    elements: tuple[int, ...]
    start: int
    grid: Grid

    @property
    def stop(self) -> int:
        """The column after its last one."""
        return self.start + self.grid.n

    @property
    def title(self) -> str:
        """ "C", "C–H", "H–C–H": the centre first, then carbon, hydrogen last, the rest by atomic number."""
        found = list(self.elements)

        def rank(z: int) -> tuple[bool, bool, bool, int]:
            return z != X, z == 1, z != 6, z

        if rank(found[-1]) < rank(found[0]):
            found.reverse()
        return "–".join(SYMBOLS[z] if z else "X" for z in found)


@dataclass(frozen=True, kw_only=True)
class ManyBody(Representation):
    """Parameters of the pairs (k = 2) and the angles (k = 3), and what follows from them."""

    periodic: ClassVar[Literal["ignored", "images", "required"]] = "images"

    k2: bool = param(True, label="Pairs (k = 2)", help="A spectrum of distances for each pair of elements.")
    k2_geometry: str = param("inverse_distance", label="Pairs: what is binned", choices=PAIR_GEOMETRIES)
    k2_weighting: str = param("exp", label="Pairs: weight", choices=PAIR_WEIGHTS)
    k2_r_cut: float = param(
        10.0, label="Pairs: cutoff", unit="Å", low=0.1, high=200.0, step=0.5, help="Not used without a weight."
    )
    k2_n: int = param(100, label="Pairs: grid points", low=2, high=10_000, step=10)
    k2_min: float | None = param(None, label="Pairs: first grid point", step=0.1, advanced=True)
    k2_max: float | None = param(None, label="Pairs: last grid point", step=0.1, advanced=True)
    k2_sigma: float | None = param(
        None,
        label="Pairs: width σ",
        low=1e-6,
        step=0.01,
        advanced=True,
        help="Standard deviation of a pair's Gaussian, in the unit of what is binned.",
    )
    k2_scale: float | None = param(
        None,
        label="Pairs: decay s",
        unit="1/Å",
        low=1e-3,
        step=0.1,
        none_label="from the cutoff",
        advanced=True,
        help="Of exp(−s r); the cutoff then lies where the weight falls below the threshold.",
    )
    k2_threshold: float = param(
        1e-3,
        label="Pairs: threshold",
        low=1e-12,
        high=0.5,
        advanced=True,
        help="exp(−s r) at the cutoff; pairs with a smaller weight are left out.",
    )
    k3: bool = param(True, label="Angles (k = 3)", help="A spectrum of angles for each triple of elements.")
    k3_geometry: str = param("angle", label="Angles: what is binned", choices=ANGLE_GEOMETRIES)
    k3_weighting: str = param("exp", label="Angles: weight", choices=ANGLE_WEIGHTS)
    k3_r_cut: float = param(
        5.0,
        label="Angles: cutoff",
        unit="Å",
        low=0.1,
        high=100.0,
        step=0.5,
        help="Half of the largest perimeter of a triangle, or the largest distance from its middle atom with the "
        "smooth cutoff. Not used without a weight.",
    )
    k3_n: int = param(100, label="Angles: grid points", low=2, high=10_000, step=10)
    k3_min: float | None = param(None, label="Angles: first grid point", step=1.0, advanced=True)
    k3_max: float | None = param(None, label="Angles: last grid point", step=1.0, advanced=True)
    k3_sigma: float | None = param(
        None,
        label="Angles: width σ",
        low=1e-6,
        step=0.1,
        advanced=True,
        help="Standard deviation of an angle's Gaussian, in the unit of what is binned.",
    )
    k3_scale: float | None = param(
        None,
        label="Angles: decay s",
        unit="1/Å",
        low=1e-3,
        step=0.1,
        none_label="from the cutoff",
        advanced=True,
        help="Of exp(−s · perimeter); the cutoff then lies where the weight falls below the threshold.",
    )
    k3_threshold: float = param(
        1e-3,
        label="Angles: threshold",
        low=1e-12,
        high=0.5,
        advanced=True,
        help="exp(−s · perimeter) at the cutoff; angles with a smaller weight are left out.",
    )
    k3_sharpness: float = param(
        2.0, label="Angles: sharpness y", low=1.0, high=20.0, step=1.0, advanced=True, help="Of the smooth cutoff."
    )
    normalize_gaussians: bool = param(
        True,
        label="Gaussians of area 1",
        advanced=True,
        help="Off: of height 1, for bins much narrower than the Gaussians.",
    )

    normalization: str = param(BALANCED, label="Normalisation", choices=NORMALIZATIONS, help=NORMALIZATION_HELP)

    def __post_init__(self) -> None:
        """Raise ValueError for values that do not go together."""
        super().__post_init__()
        if self.k2:
            self.grid(2).check("k2")
        if self.k3:
            self.grid(3).check("k3")

    @property
    def has_section(self) -> tuple[int, ...]:
        """The orders that are switched on."""
        return (2,) * self.k2 + (3,) * self.k3

    def grid(self, order: int) -> Grid:
        """The grid of pairs (2) or angles (3)."""
        name = f"k{order}"
        low, high, sigma = _AUTOMATIC[getattr(self, f"{name}_geometry")]
        given = (getattr(self, f"{name}_{field}") for field in ("min", "max", "sigma"))
        low, high, sigma = (a if a is not None else b for a, b in zip(given, (low, high, sigma), strict=True))
        return Grid(low, high, getattr(self, f"{name}_n"), sigma)

    def decay(self, order: int) -> float:
        """s of the exponential weight, 1/Å."""
        scale: float | None = getattr(self, f"k{order}_scale")
        if scale is not None:
            return scale
        return self._exponent(order) / float(getattr(self, f"k{order}_r_cut"))

    def _exponent(self, order: int) -> float:
        """s · cutoff; an angle's weight is e to the power of twice that, for its perimeter may be twice the cutoff."""
        return -math.log(float(getattr(self, f"k{order}_threshold"))) / (order - 1)

    def cutoff(self, order: int) -> float:
        """Largest distance of a pair, or of a neighbour from an angle's middle atom, Å; infinite without a weight."""
        weighting = getattr(self, f"k{order}_weighting")
        if weighting == NO_WEIGHT:
            return math.inf
        if weighting == "exp":
            return self._exponent(order) / self.decay(order)
        return float(getattr(self, f"k{order}_r_cut"))

    @property
    def reach(self) -> float:
        """The largest cutoff, Å."""
        return max((self.cutoff(order) for order in self.has_section if order > 1), default=1.0)

    def check_cells(self, structures: Structures) -> None:
        """Raise ValueError where there is a crystal and a weight that does not fade."""
        if structures.cells is None:
            return
        periodic = np.asarray(structures.cells).any(axis=(1, 2))
        if not periodic.any():
            return
        for order in self.has_section:
            if order > 1 and getattr(self, f"k{order}_weighting") == NO_WEIGHT:
                index = int(np.flatnonzero(periodic)[0])
                raise ValueError(
                    f"structure {index + 1} (index {index}) is a crystal, in which there is no end to the pairs and "
                    f"angles: choose k{order}_weighting exp, or another weight with a cutoff"
                )

    def section(self, order: int) -> Any:
        """The parameters in the form that the loops take."""
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _mbtr_loops as loops

        if order not in self.has_section:
            return loops.Section(
                0, 0, 0, 0, 0, 1, 0, 0.0, 1.0, 1.0, math.inf, 0.0, 1.0, 1.0, _drive.frozen(np.zeros(1), np.float64)
            )
        grid = self.grid(order)
        found = table(grid)
        name = f"k{order}"
        weighting = getattr(self, f"{name}_weighting")
        code = {
            NO_WEIGHT: loops.UNITY,
            "exp": loops.EXP,
            "inverse_square": loops.INVERSE_SQUARE,
            "smooth_cutoff": loops.SMOOTH,
        }[weighting]
        decays = weighting == "exp"
        return loops.Section(
            n=grid.n,
            geometry=loops.PLAIN if getattr(self, f"{name}_geometry") in ("distance", "angle") else loops.OTHER,
            weighting=code,
            stride=grid.stride,
            half=grid.half,
            nodes=found.nodes,
            width=found.width,
            start=grid.start,
            inverse=1.0 / grid.step,
            cutoff=self.cutoff(order),
            rim=2.0 * self.cutoff(order) if decays else math.inf,
            decay=self.decay(order) if decays else 0.0,
            sharpness=float(self.k3_sharpness),
            scale=self.height(grid),
            table=found.coefficients,
        )

    def height(self, grid: Grid) -> float:
        """Factor that turns Gaussians of area 1 into those that are asked for."""
        if self.normalization == BALANCED:
            return 1.0 / norm(grid)
        return 1.0 if self.normalize_gaussians else grid.sigma * math.sqrt(2.0 * math.pi)

    @abstractmethod
    def blocks(self, species: Species) -> list[Block]:
        """The blocks in the order of the columns."""

    def size(self, species: Species) -> int:
        """Number of columns: grid points of all blocks."""
        found = self.blocks(species)
        return found[-1].stop if found else 0

    def labels(self, species: Species) -> list[str]:
        """ "C–H 1/r = 0.35 Å⁻¹", "H–C–H angle = 104°"."""
        found: list[str] = []
        points: dict[tuple[int, Grid], list[str]] = {}
        for block in self.blocks(species):
            key = (block.order, block.grid)
            if key not in points:
                decimals = max(0, math.floor(-math.log10(block.grid.step)) + 1)
                pattern = "Z = {}" if block.order == 1 else _LABELS[getattr(self, f"k{block.order}_geometry")]
                points[key] = [pattern.format(f"{x:.{decimals}f}".replace("-", "−")) for x in block.grid.points]
            found += [f"{block.title} {point}" for point in points[key]]
        return found

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A curve for every block."""
        headings = {1: "elements", 2: "pairs", 3: "triples"}
        panels = tuple(
            Panel(
                block.title,
                block.start,
                block.stop,
                grid=block.grid.points,
                axis="Z" if block.order == 1 else AXES[getattr(self, f"k{block.order}_geometry")],
                group=headings[block.order],
            )
            for block in self.blocks(species)
        )
        return Layout("panels", (self.size(species),), panels=panels)

    # single contributions, in plain numpy

    def _pair_value(self, distance: Array) -> Array:
        return distance if self.k2_geometry == "distance" else 1.0 / distance

    def _pair_weight(self, distance: Array) -> Array:
        if self.k2_weighting == "exp":
            return np.asarray(np.exp(-self.decay(2) * distance))
        return distance**-2.0 if self.k2_weighting == "inverse_square" else np.ones_like(distance)

    def _angle_value(self, first: Array, second: Array) -> Array:
        dot = (first * second).sum(axis=-1)
        if self.k3_geometry == "cosine":
            return np.asarray(dot / np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1)))
        cross = np.cross(first, second)
        return np.asarray(np.degrees(np.arctan2(np.sqrt((cross**2).sum(axis=-1)), dot)))

    def _angle_weight(self, first: Array, second: Array) -> Array:
        a, b, c = (np.sqrt((v**2).sum(axis=-1)) for v in (first, second, first - second))
        if self.k3_weighting == "exp":
            rim = a + b + c
            return np.where(rim <= 2.0 * self.cutoff(3), np.exp(-self.decay(3) * rim), 0.0)
        if self.k3_weighting == "smooth_cutoff":
            y = self.k3_sharpness
            p, q = a / self.k3_r_cut, b / self.k3_r_cut
            return np.asarray((1.0 + (y * p - y - 1.0) * p**y) * (1.0 + (y * q - y - 1.0) * q**y))
        return np.ones_like(a)

    def _bin(self, block: Block, column: int, values: Array) -> Array:
        """What Gaussians of weight 1 at `values` leave in a column."""
        grid = block.grid
        lower = (grid.start + grid.step * (column - block.start) - values) / grid.sigma
        result = np.zeros(len(lower))
        near = np.flatnonzero((lower < 9.0) & (lower + grid.ratio > -9.0))
        result[near] = bin_means(lower[near], grid.ratio) * (self.height(grid) / grid.step)
        return result

    def pairs_of(
        self, structure: Structure, around: Around, first: int | None, second: int | None, centre: int | None = None
    ) -> tuple[NDArray[np.int64], Array, Array]:
        """Ordered pairs (p, 2) of atoms, values, weights.

        Of these elements (None: any), and only from the atom `centre` where it is given.
        """
        atoms, values, weights = [], [], []
        for i in range(len(structure)):
            if (centre is not None and i != centre) or (first is not None and structure.numbers[i] != first):
                continue
            index, vectors = around.of(i, self.cutoff(2))
            if second is not None:
                chosen = structure.numbers[index] == second
                index, vectors = index[chosen], vectors[chosen]
            distance = np.sqrt((vectors**2).sum(axis=1))
            atoms.append(np.stack([np.full(len(index), i), index], axis=1))
            values.append(self._pair_value(distance))
            weights.append(self._pair_weight(distance))
        if not atoms:
            return np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0)
        return np.concatenate(atoms), np.concatenate(values), np.concatenate(weights)

    def angles_of(
        self, structure: Structure, around: Around, first: int | None, middle: int | None, last: int | None
    ) -> tuple[NDArray[np.int64], Array, Array]:
        """Triples (p, 3) of atoms of these elements, values, weights; each once if the ends are of one element.

        Where an end is of any element (None) both orders are there.
        """
        atoms, values, weights = [], [], []
        once = first is not None and first == last
        for j in range(len(structure)):
            if middle is not None and structure.numbers[j] != middle:
                continue
            index, vectors = around.of(j, self.cutoff(3))
            numbers = structure.numbers[index]
            a = np.arange(len(index)) if first is None else np.flatnonzero(numbers == first)
            b = np.arange(len(index)) if last is None else np.flatnonzero(numbers == last)
            p, q = (m.ravel() for m in np.meshgrid(a, b, indexing="ij"))
            keep = p < q if once else p != q
            p, q = p[keep], q[keep]
            atoms.append(np.stack([index[p], np.full(len(p), j), index[q]], axis=1))
            values.append(self._angle_value(vectors[p], vectors[q]))
            weights.append(self._angle_weight(vectors[p], vectors[q]))
        if not atoms:
            return np.zeros((0, 3), np.int64), np.zeros(0), np.zeros(0)
        return np.concatenate(atoms), np.concatenate(values), np.concatenate(weights)


class Around:
    """The atoms around those of one structure, images included."""

    def __init__(self, structure: Structure, reach: float) -> None:
        self.positions = np.asarray(structure.positions)
        shifts = np.zeros((1, 3))
        if structure.cell is not None:
            from qmlstudio.representations._neighbors import lattice_images

            one = Structures.from_lists([structure.numbers], [self.positions], [structure.cell])
            shifts = lattice_images(one, reach).shifts
        n = len(self.positions)
        self.all = (shifts[:, None] + self.positions).reshape(-1, 3)
        self.index = np.tile(np.arange(n), len(shifts))

    def of(self, i: int, cutoff: float) -> tuple[NDArray[np.int64], Array]:
        """Indices of the neighbours of atom `i` and vectors to them."""
        vectors = self.all - self.positions[i]
        square = (vectors**2).sum(axis=1)
        near = square < cutoff * cutoff
        # the atom itself stands in the first cell
        near[i] = False
        return self.index[near], vectors[near]


def largest_first(atoms: NDArray[np.int64], parts: Array) -> list[Contribution]:
    """Contributions in descending order of size, those below 1e-6 of the largest left out."""
    size = np.abs(parts)
    if not len(size) or size.max() == 0.0:
        return []
    kept = np.flatnonzero(size >= 1e-6 * size.max())
    kept = kept[np.argsort(-size[kept], kind="stable")]
    return [
        Contribution(tuple(row), value) for row, value in zip(atoms[kept].tolist(), parts[kept].tolist(), strict=True)
    ]
