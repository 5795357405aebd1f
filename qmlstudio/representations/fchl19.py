"""FCHL19: Christensen, Bratholm, Faber and von Lilienfeld, J. Chem. Phys. 152, 044107 (2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations._environments import average_param
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

_STEEPEST = 1500.0
"""Largest η₃ · cutoff²: beyond it the factors of the radial Gaussians leave the range of doubles."""


@dataclass(frozen=True, kw_only=True)
class FCHL19(Representation):
    """FCHL19 of every atom: log-normals of the distances to each element, and of each pair of elements Gaussians of
    the mean distance of two neighbours, weighted by the Axilrod–Teller–Muto term, with cosine and sine of their angle.

    Columns, in the order of qmllib when its elements are ascending: for each element ``nRs2`` numbers; for each pair
    of elements p ≤ q, for each of ``nRs3`` distances and each odd order up to ``2 nFourier − 1`` a cosine and a sine.

    The sine is |sin θ|: it has a kink at straight angles, where its derivative is given as zero.
    """

    name: ClassVar[str] = "fchl19"
    title: ClassVar[str] = "FCHL19"
    help: ClassVar[str] = (
        "How far the neighbours of an atom are, for each element, and at which mean distance and angle pairs of them "
        "stand, for each pair of elements. Cheap and accurate for energies and forces; use one row for each atom with "
        "a kernel that compares atoms of the same element. It sees pairs and triples only: some surroundings of an "
        "atom differ and yet have the same numbers, and mirror images always do."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"G^{(2)}_{p,R} = \sum_{j \in p} \frac{f(r_j)}{r_j^{n_2}} \, \frac{1}{\sigma_j R \sqrt{2\pi}} \,"
        r" e^{-(\ln R - \mu_j)^2 / 2\sigma_j^2}",
        r"\sigma_j^2 = \ln(1 + \eta_2 / r_j^2), \quad \mu_j = \ln r_j - \sigma_j^2 / 2, \quad"
        r" f(r) = \frac{1}{2}(1 + \cos \pi r / r_c)",
        r"G^{(3)}_{pq,R,o} = w \sqrt{\eta_3 / \pi} \sum_{j \in p, k \in q}"
        r" \frac{1 + 3 \cos\theta_i \cos\theta_j \cos\theta_k}{(r_j r_k r_{jk})^{n_3}} \, f(r_j) f(r_k)"
        r" \, e^{-\eta_3 ((r_j + r_k) / 2 - R)^2} \, 2 e^{-(\zeta o)^2 / 2}",
        r"\qquad \times \, (\cos o\theta_i, \ \sin o\theta_i), \quad o = 1, 3, \ldots",
    )
    reference: ClassVar[str] = "A. S. Christensen et al., J. Chem. Phys. 152, 044107 (2020), doi:10.1063/1.5126701"
    periodic: ClassVar[Any] = "images"

    average: str = average_param()
    rcut: float = param(8.0, label="Cutoff of pairs", unit="Å", low=1.0, high=20.0, step=0.5)
    acut: float = param(8.0, label="Cutoff of triples", unit="Å", low=1.0, high=20.0, step=0.5)
    nRs2: int = param(24, label="Distances of pairs", low=1, high=200, help="Grid points from 0 to the cutoff.")
    nRs3: int = param(20, label="Distances of triples", low=1, high=200, help="Grid points from 0 to the cutoff.")
    nFourier: int = param(
        1, label="Orders of the angle", low=1, high=8, help="Odd multiples of the angle: θ, 3θ, …", advanced=True
    )
    eta2: float = param(
        0.32,
        label="η of pairs",
        unit="Å²",
        low=1e-3,
        high=20.0,
        step=0.01,
        help="Width of the log-normals.",
        advanced=True,
    )
    eta3: float = param(
        2.7,
        label="η of triples",
        unit="Å⁻²",
        low=1e-3,
        high=100.0,
        step=0.1,
        help="Sharpness of the Gaussians.",
        advanced=True,
    )
    zeta: float = param(
        float(np.pi),
        label="ζ",
        low=0.0,
        high=10.0,
        step=0.1,
        help="Damping of high orders of the angle.",
        advanced=True,
    )
    two_body_decay: float = param(1.8, label="Decay of pairs", low=0.0, high=12.0, step=0.1, advanced=True)
    three_body_decay: float = param(0.57, label="Decay of triples", low=0.0, high=6.0, step=0.05, advanced=True)
    three_body_weight: float = param(13.4, label="Weight of triples", low=0.0, high=1e4, step=0.1, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eta3 * self.acut**2 > _STEEPEST:
            raise ValueError(
                f"eta3: with a cutoff of {self.acut:g} Å it can be at most {_STEEPEST / self.acut**2:.4g} Å⁻²"
            )

    @property
    def local(self) -> bool:
        """Whether rows belong to atoms."""
        return self.average == "off"

    @property
    def has_gradient(self) -> bool:
        """Always."""
        return True

    @property
    def grid2(self) -> NDArray[np.float64]:
        """(nRs2,) the distances of the pairs' columns, Å."""
        return np.linspace(0.0, self.rcut, self.nRs2 + 1)[1:]

    @property
    def grid3(self) -> NDArray[np.float64]:
        """(nRs3,) the mean distances of the triples' columns, Å."""
        return np.linspace(0.0, self.acut, self.nRs3 + 1)[1:]

    def size(self, species: Species) -> int:
        """Elements · nRs2 + elements · (elements + 1) · nRs3 · nFourier."""
        n = len(species.numbers)
        return n * self.nRs2 + n * (n + 1) * self.nRs3 * self.nFourier

    def blocks(self, species: Species) -> list[tuple[tuple[int, ...], int, int]]:
        """(elements, start, stop) of every block of columns: an element's pairs, then the pairs of elements."""
        found: list[tuple[tuple[int, ...], int, int]] = []
        at = 0
        for z in species.numbers:
            found.append(((z,), at, at + self.nRs2))
            at += self.nRs2
        width = 2 * self.nRs3 * self.nFourier
        for k, p in enumerate(species.numbers):
            for q in species.numbers[k:]:
                found.append(((p, q), at, at + width))
                at += width
        return found

    def labels(self, species: Species) -> list[str]:
        """ "C, r = 1.33 Å" for pairs; "H·C, r = 1.60 Å, sin 3θ" for triples."""
        names = []
        for elements, _, _ in self.blocks(species):
            title = "·".join(SYMBOLS[z] for z in elements)
            if len(elements) == 1:
                names += [f"{title}, r = {_number(r)} Å" for r in self.grid2]
                continue
            for r in self.grid3:
                for order in self._orders:
                    angle = "θ" if order == 1 else f"{order}θ"
                    names += [f"{title}, r = {_number(r)} Å, {wave} {angle}" for wave in ("cos", "sin")]
        return names

    @property
    def _orders(self) -> range:
        return range(1, 2 * self.nFourier, 2)

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
        from qmlstudio.representations import _fchl19_loops as loops

        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        self._run((loops.dense_loop, loops.sparse_loop), structures, species, array, progress, threads)
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
        """See :meth:`Representation.gradient`; raises as :meth:`compute`."""
        from qmlstudio.representations import _fchl19_gradients as loops

        species = columns_for(structures, species, counts=False)
        gradients = Gradients.empty(structures.sizes, self.size(species), self.local, out)
        loop = (loops.dense_gradients, loops.sparse_gradients)
        self._run(loop, structures, species, gradients.array, progress, threads, (gradients.starts,))
        return gradients

    def layout(self, structure: Structure, species: Species) -> Layout:
        """A curve over the distance for each element; for each pair of elements a matrix, distances in its columns."""
        panels = []
        waves = 2 * self.nFourier
        rows = ", ".join(f"{wave} {'' if o == 1 else o}θ" for o in self._orders for wave in ("cos", "sin"))
        for elements, start, stop in self.blocks(species):
            title = "·".join(SYMBOLS[z] for z in elements)
            if len(elements) == 1:
                panels.append(Panel(title, start, stop, grid=self.grid2, axis="r / Å", group="pairs"))
                continue
            cells = np.arange(start, stop, dtype=np.int64).reshape(self.nRs3, waves).T
            panels.append(Panel(title, start, stop, axis="r / Å", cells=cells, row_axis=rows, group="triples"))
        return Layout("panels", (self.size(species),), panels=tuple(panels))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Pairs (centre, neighbour) or triples (neighbour, centre, neighbour)."""
        elements, start, _ = next(block for block in self.blocks(species) if block[1] <= column < block[2])
        centres = range(len(structure)) if centre is None or not self.local else [centre]
        scale = 1.0 / len(structure) if self.average == "mean" else 1.0
        atoms, values = [], []
        for i in centres:
            index, vectors = self._neighbors(structure, i)
            numbers = structure.numbers[index]
            if len(elements) == 1:
                chosen = np.flatnonzero(numbers == elements[0])
                parts = self._pair_terms(vectors[chosen], self.grid2[column - start])
                atoms.append(np.stack([np.full(len(chosen), i), index[chosen]], axis=1))
                values.append(parts)
                continue
            first, second = (np.flatnonzero(numbers == z) for z in elements)
            point, wave = divmod(column - start, 2 * self.nFourier)
            terms = self._triple_terms(vectors[first], vectors[second], self.grid3[point], wave)
            keep = (
                np.ones(terms.shape, dtype=bool) if elements[0] != elements[1] else np.triu(np.ones(terms.shape), 1) > 0
            )
            j, k = np.nonzero(keep)
            atoms.append(np.stack([index[first[j]], np.full(len(j), i), index[second[k]]], axis=1))
            values.append(terms[keep])
        if not values:
            return []
        every, parts = np.concatenate(atoms), np.concatenate(values) * scale
        sizes = np.abs(parts)
        kept = np.flatnonzero((sizes > 0.0) & (sizes >= 1e-6 * sizes.max(initial=0.0)))
        kept = kept[np.argsort(-sizes[kept], kind="stable")]
        return [
            Contribution(tuple(row), value)
            for row, value in zip(every[kept].tolist(), parts[kept].tolist(), strict=True)
        ]

    def _neighbors(self, structure: Structure, i: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Atoms around atom `i`, images included, and the vectors to them."""
        positions = np.asarray(structure.positions)
        shifts = np.zeros((1, 3))
        reach = max(self.rcut, self.acut)
        if structure.cell is not None:
            from qmlstudio.representations._neighbors import lattice_images

            one = Structures.from_lists([structure.numbers], [positions], [structure.cell])
            shifts = lattice_images(one, reach).shifts
        vectors = (positions[None] + shifts[:, None] - positions[i]).reshape(-1, 3)
        index = np.tile(np.arange(len(positions)), len(shifts))
        square = (vectors**2).sum(axis=1)
        near = (square < reach**2) & (square > 1e-8)
        return index[near], vectors[near]

    def _pair_terms(self, vectors: NDArray[np.float64], r: float) -> NDArray[np.float64]:
        """What neighbours add to the column of their element at the distance `r`."""
        d = np.linalg.norm(vectors, axis=1)
        variance = np.log1p(self.eta2 / d**2)
        mu = np.log(d) - 0.5 * variance
        f = np.where(d < self.rcut, 0.5 + 0.5 * np.cos(np.pi * d / self.rcut), 0.0)
        peak = np.exp(-((np.log(r) - mu) ** 2) / (2.0 * variance)) / (np.sqrt(2.0 * np.pi * variance) * r)
        return np.asarray(f * peak / d**self.two_body_decay)

    def _triple_terms(self, a: NDArray[np.float64], b: NDArray[np.float64], r: float, wave: int) -> NDArray[np.float64]:
        """(len(a), len(b)) what pairs of neighbours add to a column: cosine (even `wave`) or sine of an order."""
        da, db = np.linalg.norm(a, axis=1)[:, None], np.linalg.norm(b, axis=1)[None]
        dot = a @ b.T
        square = da**2 + db**2 - 2.0 * dot
        # the same atom twice: left out by the caller
        square = np.where(square > 1e-8, square, 1.0)
        cosines = dot * (da**2 - dot) * (db**2 - dot) / (da**2 * db**2 * square)
        fa, fb = (np.where(d < self.acut, 0.5 + 0.5 * np.cos(np.pi * d / self.acut), 0.0) for d in (da, db))
        angle = np.arccos(np.clip(dot / (da * db), -1.0, 1.0)) * (2 * (wave // 2) + 1)
        order = 2 * (wave // 2) + 1
        weight = self.three_body_weight * np.sqrt(self.eta3 / np.pi) * 2.0 * np.exp(-0.5 * (self.zeta * order) ** 2)
        radial = np.exp(-self.eta3 * (0.5 * (da + db) - r) ** 2) * fa * fb
        decay = (da * db * np.sqrt(square)) ** -self.three_body_decay
        return np.asarray(
            weight * radial * decay * (1.0 + 3.0 * cosines) * (np.sin(angle) if wave % 2 else np.cos(angle))
        )

    def _run(
        self,
        kinds: tuple[Any, Any],
        structures: Structures,
        species: Species,
        array: Array,
        progress: Progress,
        threads: int | None,
        more: tuple[Any, ...] = (),
    ) -> None:
        """Drive a loop over the molecules with a common table of pairs, and one over all other structures.

        `more` are arguments that follow the array.
        """
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _fchl19_buffers as buffers
        from qmlstudio.representations._fchl19_loops import DENSE

        _drive.check_positions(structures)
        threads = _drive.thread_count(threads)
        reach = max(self.rcut, self.acut)
        images = _neighbors.lattice_images(structures, reach)
        sizes = structures.sizes
        is_dense = sizes <= DENSE
        if structures.cells is not None:
            is_dense &= ~structures.cells.any(axis=(1, 2)) | (sizes == 0)
        data = buffers.Data(
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
            _drive.frozen(images.shifts, np.float64),
            _drive.frozen(images.offsets, np.int64),
            self._column_of(species),
        )
        constants = self._constants()
        share, done = float(is_dense.mean()) if len(sizes) else 1.0, 0.0
        for loop, chosen in zip(kinds, (np.flatnonzero(is_dense), np.flatnonzero(~is_dense)), strict=True):
            largest = int(sizes[chosen].max(initial=1))
            mean = float(sizes[chosen].mean()) if len(chosen) else 0.0
            if loop is kinds[0]:
                dense, most, cost = largest, largest, 0.005 * mean**3 + 1.0
            else:
                dense = 1
                most = _neighbors.most_neighbors(structures, images, reach) if len(chosen) else 1
                cost = (0.01 + 0.1 * bool(more)) * mean * most**2
            shape = self._shape(species, dense, most)
            rows = 3 + 12 * self.nFourier if more else (1 + 2 * self.nFourier) * dense
            lengths = buffers.scratch_lengths(shape, dense, largest, rows * shape.stride, 10 if more else 0)
            frozen = _drive.frozen(chosen, np.int64)

            def run(
                start: int,
                stop: int,
                step: int,
                work: NDArray[np.float64],
                loop: Any = loop,
                chosen: Any = frozen,
                shape: Any = shape,
                lengths: Any = lengths,
            ) -> int:
                scratch = buffers.carve(work, lengths)
                return int(loop(chosen, data, constants, shape, start, stop, step, scratch, array, *more))

            if len(chosen) or not len(sizes):
                part = share if loop is kinds[0] else 1.0
                bad = _drive.drive(run, len(chosen), sum(lengths), cost, progress.part(done, part), self.title, threads)
                if bad >= 0:
                    raise _neighbors.coincident(structures, bad)
                done = part
            if not len(sizes):
                return

    def _shape(self, species: Species, dense: int, most: int) -> Any:
        """Lengths for molecules of up to `dense` atoms with a common table, or atoms with up to `most` neighbours."""
        from qmlstudio.representations import _fchl19_buffers as buffers
        from qmlstudio.representations._fchl_vectors import BLOCK, LANES

        return buffers.Shape(
            elements=len(species.numbers),
            n2=self.nRs2,
            n3=self.nRs3,
            size2=buffers.padded(self.nRs2, LANES),
            size3=buffers.padded(self.nRs3, BLOCK),
            harmonics=self.nFourier,
            average=("sum", "mean", "off").index(self.average),
            width=buffers.padded(max(dense * (dense - 1) // 2, most, 1), 16),
            stride=buffers.padded(max(dense, most, 1), 16),
        )

    def _column_of(self, species: Species) -> NDArray[np.int64]:
        """(256,) the place of each atomic number among the elements; −1 where it has none."""
        from qmlstudio.representations import _drive

        places = np.full(256, -1, dtype=np.int64)
        places[list(species.numbers)] = np.arange(len(species.numbers))
        return _drive.frozen(places, np.int64)

    def _constants(self) -> Any:
        """Hyper-parameters and grids for the loops."""
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _fchl19_buffers as buffers
        from qmlstudio.representations._fchl_vectors import BLOCK, LANES

        settings = [self.eta2, self.eta3, self.rcut, self.acut, self.two_body_decay, self.three_body_decay]
        n, size = self.nRs2, buffers.padded(self.nRs2, LANES)
        grid2 = np.zeros(2 * size)
        grid2[:n], grid2[size : size + n] = np.log(self.grid2), 1.0 / self.grid2
        # distances from the middle of the range, where the factors are of moderate size; nothing beyond the last
        size = buffers.padded(self.nRs3, BLOCK)
        rho = self.acut / self.nRs3 * np.arange(1, size + 1) - 0.5 * self.acut
        tail = -0.5 * self.eta3 * rho**2
        tail[self.nRs3 :] = -1e5
        ratio = np.zeros(size)
        ratio[LANES:] = np.exp(tail[LANES:] - tail[:-LANES])
        orders = np.array(self._orders, dtype=np.float64)
        weight = self.three_body_weight * np.sqrt(self.eta3 / np.pi)
        factors = weight * 2.0 * np.exp(-0.5 * (self.zeta * orders) ** 2)
        arrays = (np.array(settings), grid2, np.concatenate([rho, tail, ratio]), factors)
        return buffers.Constants(*(_drive.frozen(array, np.float64) for array in arrays))


def _number(value: float) -> str:
    """A grid value, to 4 digits behind the point at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
