"""FCHL18: Faber, Christensen, Huang and von Lilienfeld, J. Chem. Phys. 148, 241717 (2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import (
    Array,
    Contribution,
    Features,
    Layout,
    Panel,
    Representation,
    check_fits,
    columns_for,
)

_FIRST = (1, 3, 11, 19, 37, 55, 87)
"""First elements of the periods."""
_PAD = 1e10
"""Distance (Å) of neighbours that are not there: far from any."""


def periodic_table() -> NDArray[np.int64]:
    """(119, 2) period and group of every element as FCHL18 counts them.

    Main groups are 1 to 8, the d block 9 to 18, the f block (La to Lu, Ac to Lr) 19 to 33.
    """
    found = np.zeros((119, 2), dtype=np.int64)
    for z in range(1, 119):
        period = sum(z >= first for first in _FIRST)
        step, length = z - _FIRST[period - 1], (2, 8, 8, 18, 18, 32, 32)[period - 1]
        if step < 2:
            group = 8 if z == 2 else step + 1
        elif length - step <= 6:
            group = 9 - (length - step)
        elif length == 32 and step < 17:
            group = 17 + step
        else:
            group = 7 + step - (14 if length == 32 else 0)
        found[z] = period, group
    return found


@dataclass(frozen=True, kw_only=True)
class FCHL18(Representation):
    """FCHL18: the neighbours of every atom, for a kernel that compares them two by two.

    A row begins with the atom's own number Z. For each neighbour within the cutoff, the nearest first, follow its
    distance r, its number Z, the damped power ξ₂ = f(r) / r^n, and for each element p of the set and each odd order m
    the terms C = Σ_k 2 ξ₃ cos mθ and S = Σ_k 2 ξ₃ sin mθ over the other neighbours k of that element. Even orders
    vanish in the definition. Neighbours at equal distances stand in the order of their elements and terms, so that
    rows do not depend on the order of the atoms. Rows are padded with zeros; :meth:`kernel` makes sense of them.

    The cell of a crystal is ignored.
    """

    name: ClassVar[str] = "fchl18"
    title: ClassVar[str] = "FCHL18"
    help: ClassVar[str] = (
        "The neighbours of every atom with their distances, elements and three-body terms, compared two by two by a "
        "kernel of its own; rows by themselves have no meaningful distance. Very accurate for energies of molecules "
        "with few training examples, and slow for many. With the likeness of elements in the periodic table it can "
        "learn from one element for another. With the default cut start of 1 it jumps when an atom crosses the cutoff."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"K(A, B) = \sum_{I \in A} \sum_{J \in B} e^{-(s_{II} + s_{JJ} - 2 s_{IJ}) / 2 \sigma^2}",
        r"s_{IJ} = P_{IJ} + P_{IJ} \sum_{i,j} P_{ij} \, e^{-(r_i - r_j)^2 / 4 d^2} \left[ \frac{c_2}{16} \,"
        r" \xi_2^i \xi_2^j + \frac{c_3}{\sqrt{8}} \sum_m g_m \sum_{p,q} P_{pq} (C_{m,i}^p C_{m,j}^q + S_{m,i}^p"
        r" S_{m,j}^q) \right]",
        r"\xi_2 = \frac{f(r)}{r^{n_2}}, \quad \xi_3 = f f f \, \frac{1 + 3 \cos\theta_I \cos\theta_j"
        r" \cos\theta_k}{(r_{Ij} r_{Ik} r_{jk})^{n_3}}",
    )
    reference: ClassVar[str] = "F. A. Faber et al., J. Chem. Phys. 148, 241717 (2018), doi:10.1063/1.5020710"
    counts_matter: ClassVar[bool] = True

    cut_distance: float = param(5.0, label="Cutoff", unit="Å", low=1.0, high=1e7, step=0.5)
    cut_start: float = param(
        1.0,
        label="Start of the damping",
        low=0.0,
        high=1.0,
        step=0.05,
        help="Fraction of the cutoff where terms begin to fade; at 1 they jump at the cutoff.",
    )
    alchemy: str = param(
        "periodic-table",
        label="Likeness of elements",
        choices=(("periodic-table", "place in the periodic table"), ("off", "only the same element")),
        help="Whether different elements can resemble each other.",
    )
    two_body_scaling: float = param(
        float(np.sqrt(8.0)), label="Weight of pairs", low=0.0, high=1e3, step=0.1, advanced=True
    )
    two_body_width: float = param(0.2, label="Width of distances", unit="Å", low=1e-3, high=5.0, step=0.05)
    two_body_power: float = param(4.0, label="Decay of pairs", low=0.0, high=12.0, step=0.5, advanced=True)
    three_body_scaling: float = param(1.6, label="Weight of triples", low=0.0, high=1e3, step=0.1, advanced=True)
    three_body_width: float = param(
        float(np.pi), label="Width of angles", unit="rad", low=0.1, high=10.0, step=0.1, advanced=True
    )
    three_body_power: float = param(2.0, label="Decay of triples", low=0.0, high=6.0, step=0.5, advanced=True)
    fourier_order: int = param(
        1, label="Orders of the angle", low=1, high=9, help="Even orders vanish: 2 is the same as 1.", advanced=True
    )
    alchemy_period_width: float = param(
        1.6, label="Likeness along periods", low=1e-3, high=1e3, step=0.1, advanced=True, help="In columns."
    )
    alchemy_group_width: float = param(
        1.6, label="Likeness along groups", low=1e-3, high=1e3, step=0.1, advanced=True, help="In rows."
    )

    @property
    def local(self) -> bool:
        """Always: rows belong to atoms."""
        return True

    @property
    def kernel_only(self) -> bool:
        """Always: only :meth:`kernel` makes sense of the rows."""
        return True

    @property
    def _orders(self) -> range:
        return range(1, self.fourier_order + 1, 2)

    def _width(self, species: Species) -> int:
        """Numbers of each neighbour."""
        return 3 + 2 * len(self._orders) * len(species.numbers)

    def size(self, species: Species) -> int:
        """1 + (n_max − 1) · (3 + 2 · odd orders · elements)."""
        return 1 + max(species.n_max - 1, 0) * self._width(species)

    def _names(self, species: Species) -> list[str]:
        """Of a neighbour's numbers."""
        names = ["r / Å", "Z", "ξ₂"]
        for z in species.numbers:
            for m in self._orders:
                angle = "θ" if m == 1 else f"{m}θ"
                names += [f"{SYMBOLS[z]} cos {angle}", f"{SYMBOLS[z]} sin {angle}"]
        return names

    def labels(self, species: Species) -> list[str]:
        """ "Z" of the atom; "neighbour 2: r / Å", "neighbour 2: H cos θ" (with the neighbours that are H)."""
        names = self._names(species)
        return ["Z", *(f"neighbour {k}: {name}" for k in range(1, species.n_max) for name in names)]

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
        """See :meth:`Representation.compute`.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        self._fill(structures, species, array, progress, threads, np.empty((0, 0), dtype=np.int64))
        return Features(array, self, species, structures.offsets)

    def _fill(
        self,
        structures: Structures,
        species: Species,
        array: Array,
        progress: Progress,
        threads: int | None,
        orders: NDArray[np.int64],
    ) -> None:
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _fchl18_loops as loops

        _drive.check_positions(structures)
        places = np.full(256, -1, dtype=np.int64)
        places[list(species.numbers)] = np.arange(len(species.numbers))
        begin = self.cut_start * self.cut_distance
        settings = np.array([begin, self.cut_distance, self.two_body_power, self.three_body_power])
        data = (
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
            _drive.frozen(places, np.int64),
            len(species.numbers),
            len(self._orders),
            _drive.frozen(settings, np.float64),
        )
        largest = int(structures.sizes.max(initial=0))
        columns, width = array.shape[1], self._width(species)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            row, rest = work[:columns], work[columns:]
            return int(loops.row_loop(*data, start, stop, step, rest, row, array, orders))

        mean = len(structures.numbers) / max(len(structures), 1)
        size = columns + largest * (3 * largest + width + 1)
        bad = _drive.drive(
            run, len(structures), size, 0.02 * mean**3 + 1.0, progress, self.title, _drive.thread_count(threads)
        )
        if bad >= 0:
            raise _drive.coincident(structures, bad)

    def likeness(self, numbers: tuple[int, ...]) -> NDArray[np.float64]:
        """(E, E) how alike elements are: 1 for the same, 0 for different ones without alchemy."""
        if self.alchemy == "off":
            return np.eye(len(numbers))
        places = periodic_table()[list(numbers)].astype(float)
        difference = places[:, None] - places[None]
        widths = np.array([self.alchemy_group_width, self.alchemy_period_width])
        return np.asarray(np.exp(-(difference**2 / (4.0 * widths**2)).sum(axis=2)))

    def kernel(
        self,
        a: Features | Structures,
        b: Features | Structures | None = None,
        *,
        sigma: float = 2.5,
        progress: Progress = SILENT,
        threads: int | None = None,
    ) -> NDArray[np.float64]:
        """(n_a, n_b) the kernel matrix between two sets, or of one with itself.

        Parameters
        ----------
        a, b : Features of this representation, or Structures
            Atoms that are equally many or of the same elements are not needed.
        sigma : float
            Width; products of atoms' environments have no unit.
        progress, threads
            As of :meth:`compute`.

        Centres of different elements count even without alchemy, with a product of zero, as in qmllib. Orders of the
        angle above 1 count there only with alchemy, here always.
        """
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _fchl18_loops as loops
        from qmlstudio.representations._fchl_vectors import LANES

        if not sigma > 0.0:
            raise ValueError(f"sigma is {sigma}, but must be positive")
        sets = [self._features(one, threads) for one in ((a,) if b is None else (a, b))]
        elements = tuple(sorted({z for one in sets for z in one.species.numbers}))
        alike = self.likeness(elements)
        tables = [self._environments(one, elements, alike) for one in sets]
        width = self.two_body_width
        settings = np.array([-0.25 / width**2, 8.0 * width, -0.5 / sigma**2])
        threads = _drive.thread_count(threads)
        own = []
        for table in tables:
            values = np.empty(len(table[1]))

            def products(start: int, stop: int, step: int, work: Any, table: Any = table, values: Any = values) -> int:
                return int(loops.own_loop(table, settings, start, stop, step, work, values))

            _drive.drive(products, len(values), LANES, 1.0, SILENT, self.title, threads)
            own.append(values)
        offsets = [np.ascontiguousarray(one.offsets, dtype=np.int64) for one in sets]
        n_a, n_b = len(offsets[0]) - 1, len(offsets[-1]) - 1
        result = np.zeros((n_a, n_b))
        arguments = (tables[0], own[0], offsets[0], tables[-1], own[-1], offsets[-1], alike, self.alchemy != "off")

        def rows(start: int, stop: int, step: int, work: Any) -> int:
            return int(loops.kernel_loop(*arguments, b is None, settings, start, stop, step, work, result))

        cost = len(own[0]) / max(n_a, 1) * len(own[-1]) * 0.5 + 1.0
        _drive.drive(rows, n_a, LANES, cost, progress, self.title, threads)
        return result

    def _features(self, given: Features | Structures, threads: int | None) -> Features:
        if isinstance(given, Structures):
            return self.compute(given, threads=threads)
        if given.representation != self:
            raise ValueError("the features were computed with other parameters than the kernel's")
        return given

    def _environments(
        self, features: Features, elements: tuple[int, ...], alike: NDArray[np.float64]
    ) -> tuple[Any, ...]:
        """The rows as the loops want them: values one neighbour after another, and in rows over the neighbours."""
        from qmlstudio.representations._fchl_vectors import LANES

        atoms, species = len(features.array), features.species
        width, waves, n = self._width(species), len(self._orders), len(elements)
        rows = np.asarray(features.array[:, 1:], dtype=np.float64).reshape(atoms, max(species.n_max - 1, 0), width)
        most = max(rows.shape[1], 1)
        values = np.zeros((atoms, most, width))
        values[:, : rows.shape[1]] = rows
        there = values[:, :, 1] > 0.0
        place = np.zeros(119, dtype=np.int64)
        place[list(elements)] = np.arange(n)
        length = 1 + 2 * waves * n
        left = np.zeros((atoms, most, 1 + length))
        left[:, :, 0], left[:, :, 1] = values[:, :, 0], values[:, :, 2]
        own = values[:, :, 3:].reshape(atoms, most, len(species.numbers), 2 * waves)
        every = np.zeros((atoms, most, n, 2 * waves))
        every[:, :, place[list(species.numbers)]] = own
        left[:, :, 2:] = every.reshape(atoms, most, length - 1)
        kinds = place[values[:, :, 1].astype(np.int64)]
        padded = -(-most // LANES) * LANES
        right = np.zeros((atoms, 1 + n + length, padded))
        right[:, 0] = _PAD
        right[:, 0, :most] = np.where(there, values[:, :, 0], _PAD)
        right[:, 1 : 1 + n, :most] = np.where(there[:, None], alike[:, kinds].transpose(1, 0, 2), 0.0)
        right[:, 1 + n, :most] = values[:, :, 2] * (self.two_body_scaling / 16.0)
        mixed = np.einsum("pq,ajqm->apmj", alike, every) * np.repeat(self._order_weights(), 2)[:, None]
        right[:, 2 + n :, :most] = mixed.reshape(atoms, length - 1, most)
        counts = there.sum(axis=1).astype(np.int64)
        padded_counts = -(-counts // LANES) * LANES
        centres = place[np.asarray(features.array[:, 0]).astype(np.int64)]
        shape = np.array([most, length, n, padded], dtype=np.int64)
        return left.ravel(), counts, centres, kinds.ravel(), right.ravel(), padded_counts, shape

    def _order_weights(self) -> NDArray[np.float64]:
        """c₃ / √8 · g_m of the odd orders."""
        n = np.arange(-10_000, 10_001)
        w = self.three_body_width
        norm = 2.0 * np.sqrt(np.pi * (np.exp(-((w * n) ** 2)) * np.where(n % 2 == 0, 0.0, 4.0)).sum())
        g = np.sqrt(2.0 * np.pi) / norm * np.exp(-0.5 * (w * np.array(self._orders)) ** 2)
        return np.asarray(g * self.three_body_scaling / np.sqrt(8.0))

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars for each neighbour."""
        width = self._width(species)
        names = tuple(self._names(species))
        panels = [Panel("centre", 0, 1, names=("Z",))]
        for k in range(min(len(structure), species.n_max) - 1):
            start = 1 + k * width
            panels.append(Panel(f"neighbour {k + 1}", start, start + width, names=names))
        return Layout("panels", (self.size(species),), panels=tuple(panels))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The centre and the neighbour whose numbers stand there."""
        centre = centre or 0
        if column == 0:
            return [Contribution((centre,), float(structure.numbers[centre]))]
        one = Structures.from_lists([structure.numbers], [structure.positions])
        check_fits(one, species)
        orders = np.full((len(structure), max(len(structure) - 1, 1)), -1, dtype=np.int64)
        array = np.empty((len(structure), self.size(species)))
        self._fill(one, species, array, SILENT, 1, orders)
        k = (column - 1) // self._width(species)
        if k >= orders.shape[1] or orders[centre, k] < 0:
            return []
        return [Contribution((centre, int(orders[centre, k])), float(array[centre, column]))]
