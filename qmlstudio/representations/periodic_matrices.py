"""The sine and the Ewald sum matrix of Faber, Lindmaa, von Lilienfeld and Armiento, IJQC 115, 1094 (2015)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from qmlstudio.chem.structures import Structures
from qmlstudio.parameters import param
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Array
from qmlstudio.representations.matrices import Floats, Ints, MatrixRepresentation, length, self_terms

_MOST_TERMS = 1_000_000
"""Lattice vectors within a cutoff: more are a slip."""

_REFERENCE = "F. Faber et al., Int. J. Quantum Chem. 115, 1094 (2015), doi:10.1002/qua.24917"


@dataclass(frozen=True, kw_only=True)
class LatticeMatrix(MatrixRepresentation):
    """A matrix over the atoms of a cell in which each stands for all its images."""

    periodic: ClassVar[Literal["ignored", "images", "required"]] = "required"

    def _cells(self, structures: Structures) -> Floats:
        """(n, 3, 3) cells; ValueError for a structure without three lattice vectors that span a volume."""
        given = structures.cells
        cells: Floats = np.zeros((len(structures), 3, 3)) if given is None else np.asarray(given)
        occupied = structures.sizes > 0
        if (missing := np.flatnonzero(occupied & ~(cells != 0.0).any(axis=2).all(axis=1))).size:
            index = int(missing[0])
            raise ValueError(
                f"structure {index + 1} (index {index}) has no cell of three lattice vectors: the {self.title.lower()} "
                "is for crystals; take the Coulomb matrix for molecules"
            )
        finite = np.asarray(np.isfinite(cells.reshape(-1, 9)).all(axis=1))
        checked = np.where(finite[:, None, None], cells, 0.0)
        volumes = np.abs(np.linalg.det(checked)) > 1e-8 * np.linalg.norm(checked, axis=2).prod(axis=1)
        flat = np.flatnonzero(np.asarray(occupied & ~np.asarray(volumes), dtype=np.bool_))
        if len(flat):
            index = int(flat[0])
            raise ValueError(
                f"structure {index + 1} (index {index}): the cell has no volume; correct its lattice vectors"
            )
        return np.ascontiguousarray(cells, dtype=np.float64)

    def _fill(
        self, structures: Structures, out: Array, progress: Progress, n_max: int, threads: int | None, orders: Ints
    ) -> None:
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _lattice_loops as loops
        from qmlstudio.representations._coulomb_loops import NOT_CONVERGED
        from qmlstudio.representations._lanes import plan

        cells = _drive.frozen(self._cells(structures), np.float64)
        _drive.check_positions(structures)
        sizes = structures.sizes
        largest = int(sizes.max(initial=0))
        chunks = plan(sizes, strict=True)
        data = (
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
            cells,
            chunks.order,
            chunks.first,
            chunks.count,
        )
        how = (self._noise(structures), self._kind(), self.packed, n_max)
        loop, parameter, extra = self._loop(structures, cells)
        unit, result, matrix = length(self.length_unit), np.asarray(out), loops.matrix_scratch(largest)

        def run(start: int, stop: int, step: int, work: Floats) -> int:
            beside, rest = work[matrix : matrix + extra], work[matrix + extra :].reshape(3, 3, 3)
            done = loop(*data, start, stop, step, unit, parameter, *how, rest, beside, work[:matrix], result, orders)
            return int(done)

        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(chunks.first),
            matrix + extra + 27,
            16 * self._cost(mean),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad == NOT_CONVERGED:
            raise ArithmeticError("the eigenvalue iteration did not converge")
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)

    @abstractmethod
    def _loop(self, structures: Structures, cells: Floats) -> tuple[Any, Floats, int]:
        """The loop, the array of its own parameters, and the doubles of scratch for one crystal."""

    @abstractmethod
    def _cost(self, atoms: float) -> float:
        """Guess of the time for a crystal, µs."""


@dataclass(frozen=True, kw_only=True)
class SineMatrix(LatticeMatrix):
    """Sine matrix: a Coulomb matrix with a periodic distance that is cheap to compute (their equation 24).

    S_ii = ½ Z_i^2.4 and S_ij = Z_i Z_j / |Σ_k sin²(π Δf_k) a_k|, with fractional coordinates f and lattice vectors
    a_k. It is periodic and S_ij grows without bound where atoms meet, yet as 1/r² and not as a Coulomb interaction
    does. It depends on the choice of the cell: a supercell or other lattice vectors of the same crystal give other
    values. Orders of the atoms as in :class:`qmlstudio.representations.coulomb.CoulombMatrix`.
    """

    name: ClassVar[str] = "sine_matrix"
    title: ClassVar[str] = "Sine matrix"
    help: ClassVar[str] = (
        "The Coulomb matrix for crystals: a sine of the fractional distance makes it periodic at no cost. For crystals "
        "described by cells of one kind. Another choice of the cell for the same crystal gives other values."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"S_{ii} = \frac{1}{2} Z_i^{2.4}",
        r"S_{ij} = Z_i Z_j \left/ \left| \sum_k \sin^2(\pi \Delta f_k)\, \mathbf{a}_k \right| \right.",
    )
    reference: ClassVar[str] = _REFERENCE

    def _loop(self, structures: Structures, cells: Floats) -> tuple[Any, Floats, int]:
        from qmlstudio.representations import _lattice_loops as loops

        return loops.sine_loop, self_terms(), loops.sine_scratch(int(structures.sizes.max(initial=0)))

    def _cost(self, atoms: float) -> float:
        return 0.1 + 0.06 * atoms + 0.015 * atoms**2

    def _derivative_scratch(self, structures: Structures) -> int:
        return 18

    def _pair_derivatives(self, structures: Structures) -> Any:
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _matrix_gradients as loops

        numbers, positions = _drive.frozen(structures.numbers, np.uint8), _drive.frozen(structures.positions, float)
        cells = _drive.frozen(self._cells(structures), np.float64)
        offsets, sizes, unit = structures.offsets, structures.sizes, length(self.length_unit)

        def fill(index: int, scratch: Floats, pairs: Floats) -> None:
            start, size = int(offsets[index]), int(sizes[index])
            if size:
                loops.sine_derivatives(numbers, positions, start, size, cells[index], unit, scratch, pairs)

        return fill


@dataclass(frozen=True, kw_only=True)
class EwaldMatrix(LatticeMatrix):
    """Ewald sum matrix: electrostatic energies of pairs of nuclei with all their images, as DScribe defines it.

    M_ij = Z_i Z_j [Σ_L erfc(a |r_ij + L|) / |r_ij + L| + 4π/V Σ_G exp(−G²/4a²) cos(G·r_ij) / G² − π/(V a²)] for
    i ≠ j, and M_ii is half of that with i = j (without L = 0) minus a Z_i² / √π. The uniform background makes the cell
    neutral. Diagonal and lower triangle add up to the electrostatic energy of the nuclei in that background. The
    values do not depend on the screening `a` but for what the cutoffs leave out; by default a = √π (w N / V²)^{1/6},
    r_cut = √(−ln accuracy) / a and g_cut = 2 a √(−ln accuracy) (Jackson and Catlow, Mol. Simul. 1, 207 (1988)).

    There is no self term ½ Z^2.4. A supercell has other matrices, with the energy as many times as large. Orders of
    the atoms as in :class:`qmlstudio.representations.coulomb.CoulombMatrix`.
    """

    name: ClassVar[str] = "ewald_matrix"
    title: ClassVar[str] = "Ewald sum matrix"
    help: ClassVar[str] = (
        "Electrostatic energies between the nuclei of a crystal and all their images, summed by Ewald's method, in a "
        "neutralising background. More physical than the sine matrix and dearer. Values depend on the cell that is "
        "chosen for a crystal, not on the screening."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"M_{ij} = Z_i Z_j \left[ \sum_{\mathbf{L}} \frac{\mathrm{erfc}(a r_{\mathbf{L}})}{r_{\mathbf{L}}} + "
        r"\frac{4\pi}{V} \sum_{\mathbf{G} \neq 0} \frac{e^{-G^2/4a^2}}{G^2} \cos(\mathbf{G} \cdot \mathbf{r}_{ij}) - "
        r"\frac{\pi}{V a^2} \right]",
        r"r_{\mathbf{L}} = |\mathbf{r}_{ij} + \mathbf{L}|",
    )
    reference: ClassVar[str] = _REFERENCE

    accuracy: float = param(
        1e-5,
        label="Accuracy",
        low=1e-15,
        high=0.5,
        help="What the automatic cutoffs leave out, relative to the first terms.",
        advanced=True,
    )
    w: float = param(
        1.0,
        label="Weight",
        low=1e-3,
        high=1e3,
        help="Cost of a term in real space relative to one in reciprocal space: moves work between the two sums.",
        advanced=True,
    )
    r_cut: float | None = param(
        None, label="Cutoff in real space", unit="Å", low=1e-3, high=1e4, help="From the accuracy.", advanced=True
    )
    g_cut: float | None = param(
        None, label="Cutoff in reciprocal space", unit="1/Å", low=1e-3, high=1e4, help="With 2π.", advanced=True
    )
    a: float | None = param(
        None,
        label="Screening",
        unit="1/Å",
        low=1e-4,
        high=1e3,
        help="Inverse width of the Gaussian clouds; from the weight when automatic.",
        advanced=True,
    )

    def _cutoffs(self, structures: Structures, cells: Floats) -> Floats:
        """(n, 3) a, r_cut and g_cut of each crystal; ValueError where they reach too far."""
        sizes = np.maximum(structures.sizes, 1).astype(np.float64)
        volumes = np.abs(np.linalg.det(cells))
        volumes[structures.sizes == 0] = 1.0
        root = np.sqrt(-np.log(self.accuracy))
        a = np.sqrt(np.pi) * (sizes * self.w / volumes**2) ** (1 / 6) if self.a is None else np.full(len(sizes), self.a)
        r_cut = root / a if self.r_cut is None else np.full(len(sizes), self.r_cut)
        g_cut = 2.0 * a * root if self.g_cut is None else np.full(len(sizes), self.g_cut)
        sphere = 4.0 / 3.0 * np.pi
        terms = np.maximum(sphere * r_cut**3 / volumes, sphere * (g_cut / (2.0 * np.pi)) ** 3 * volumes)
        edges = np.linalg.norm(cells, axis=2).max(axis=1, initial=0.0)
        terms = np.maximum(terms, g_cut * edges * 10)
        if (far := np.flatnonzero(terms > _MOST_TERMS)).size:
            index = int(far[0])
            raise ValueError(
                f"structure {index + 1} (index {index}): the cutoffs r_cut = {r_cut[index]:g} Å and g_cut = "
                f"{g_cut[index]:g} 1/Å reach more than {_MOST_TERMS:,} lattice vectors; take smaller ones"
            )
        return np.ascontiguousarray(np.stack([a, r_cut, g_cut], axis=1))

    def _reach(self, structures: Structures, cells: Floats) -> int:
        """The longest wave along an axis of a cell."""
        edges = np.linalg.norm(cells, axis=2).max(axis=1, initial=0.0)
        return int((self._cutoffs(structures, cells)[:, 2] * edges).max(initial=0.0) / (2.0 * np.pi) * (1 + 1e-6)) + 1

    def _loop(self, structures: Structures, cells: Floats) -> tuple[Any, Floats, int]:
        from qmlstudio.representations import _ewald_loops as loops

        cutoffs = self._cutoffs(structures, cells)
        largest = int(structures.sizes.max(initial=0))
        return loops.ewald_loop, cutoffs, loops.ewald_scratch(largest, self._reach(structures, cells))

    def _cost(self, atoms: float) -> float:
        return 1.0 + 0.2 * atoms**2

    def _derivative_scratch(self, structures: Structures) -> int:
        from qmlstudio.representations import _ewald_loops as loops

        cells = self._cells(structures)
        return loops.ewald_scratch(int(structures.sizes.max(initial=0)), self._reach(structures, cells))

    def _pair_derivatives(self, structures: Structures) -> Any:
        from qmlstudio.representations import _drive
        from qmlstudio.representations import _matrix_gradients as loops

        numbers, positions = _drive.frozen(structures.numbers, np.uint8), _drive.frozen(structures.positions, float)
        cells = _drive.frozen(self._cells(structures), np.float64)
        cutoffs = self._cutoffs(structures, cells)
        offsets, sizes, unit = structures.offsets, structures.sizes, length(self.length_unit)

        def fill(index: int, scratch: Floats, pairs: Floats) -> None:
            start, size = int(offsets[index]), int(sizes[index])
            if size:
                loops.ewald_derivatives(
                    numbers, positions, start, size, cells[index], *cutoffs[index], unit, scratch, pairs
                )

        return fill
