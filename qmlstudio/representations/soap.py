"""SOAP, the power spectrum of smooth overlaps of atomic positions: Bartók, Kondor, Csányi, PRB 87, 184115 (2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

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
    Gradients,
    Layout,
    Panel,
    Representation,
    columns_for,
)

WEIGHTINGS = ("none", "poly", "pow", "exp")
ALL = 0
"""Stands for the density of all elements together where an atomic number is expected."""


class Block(NamedTuple):
    """The columns of two densities.

    Attributes
    ----------
    first, second : int
        Atomic numbers, or ALL.
    start, stop : int
    """

    first: int
    second: int
    start: int
    stop: int

    @property
    def is_symmetric(self) -> bool:
        """Whether n and n′ can be exchanged, so that only n′ ≥ n has columns."""
        return self.first == self.second

    @property
    def title(self) -> str:
        """ "C–H"; "C–all" and "all–all" where elements are summed."""
        return f"{_name(self.first)}–{_name(self.second)}"


def _name(number: int) -> str:
    return SYMBOLS[number] if number else "all"


@dataclass(frozen=True, kw_only=True)
class SOAP(Representation):
    """Power spectrum of the Gaussian densities around atoms, one density for each element.

    The density of element Z around an atom, ρ^Z = Σ_i w_i exp(−|r − r_i|²/2σ²) with the atom itself, has coefficients
    c_nlm in orthonormal radial functions and real spherical harmonics; p_nn'l of Z and Z' = π √(8/(2l + 1)) Σ_m
    c_nlm^Z c_n'lm^Z'. Columns: pairs Z ≤ Z' ascending, then l, n, n' (n' ≥ n where Z = Z'), as in DScribe.

    Atoms count up to ``r_cut`` + σ √(−2 ln 10⁻³), where their Gaussian has decayed to 10⁻³ at the cutoff; there they
    drop out at once unless a weighting brings them to zero. DScribe does the same. Of a crystal all images count.

    ``rbf``: "gto" are Gaussians r^l exp(−α r²), "polynomial" (r_cut − r)^(n + 2). Both are orthonormalised after Löwdin
    in 60 digits. DScribe does that in double precision, which at eight functions leaves 10 digits, at twelve 6; for
    "polynomial" it also cuts integrals short, which leaves about 6.

    ``weighting``: "poly" c (1 + 2 (r/r0)³ − 3 (r/r0)²)^m, zero beyond r0; "pow" c/(d + (r/r0)^m); "exp"
    c/(d + e^(r/r0)), which decays with r: not that of DScribe, whose exponent has the opposite sign, so that its
    weights grow. ``w0`` replaces the weight of the centre.

    ``average``: "off" has one row for each atom; "outer" averages these rows over the atoms; "inner" averages the
    coefficients before they are multiplied.

    ``compression``: "mu2" sums over the elements before multiplying, "mu1nu1" multiplies the coefficients of each
    element by this sum, "crossover" leaves out pairs of different elements (J. P. Darby, J. R. Kermode, G. Csányi,
    npj Comput. Mater. 8, 166 (2022)).
    """

    name: ClassVar[str] = "soap"
    title: ClassVar[str] = "SOAP"
    help: ClassVar[str] = (
        "Atoms become Gaussians; around every atom their density is expanded in radial functions and spherical "
        "harmonics, and products of coefficients make numbers that do not change on rotation. Describes environments "
        "in molecules and crystals in fine detail. One atom's row holds distances and angles around it and cannot tell "
        "some arrangements apart; the rows of its neighbours mostly can. Without weighting, atoms drop out at the "
        "cutoff with a small jump."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"\rho^Z(\mathbf{r}) = \sum_{i \in Z} w(r_i)\, e^{-|\mathbf{r} - \mathbf{r}_i|^2 / 2\sigma^2}",
        r"c^Z_{nlm} = \int g_n(r)\, Y_{lm}(\mathbf{\hat r})\, \rho^Z(\mathbf{r})\, d^3r",
        r"p^{ZZ'}_{nn'l} = \pi \sqrt{\frac{8}{2l + 1}} \sum_m c^Z_{nlm}\, c^{Z'}_{n'lm}",
    )
    reference: ClassVar[str] = (
        "A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013), doi:10.1103/PhysRevB.87.184115; "
        "S. De et al., Phys. Chem. Chem. Phys. 18, 13754 (2016), doi:10.1039/C6CP00415F"
    )
    periodic: ClassVar[Literal["ignored", "images", "required"]] = "images"

    r_cut: float | None = param(
        5.0,
        label="Cutoff",
        unit="Å",
        low=1.1,
        high=20.0,
        step=0.5,
        none_label="from weighting",
        help="Radius of the environments; atoms whose Gaussian still reaches into it count too.",
    )
    n_max: int = param(8, label="Radial functions", low=1, high=16, step=1, help="Number of radial functions.")
    l_max: int = param(6, label="Angular momentum", low=0, high=20, step=1, help="Highest degree of the harmonics.")
    sigma: float = param(
        1.0, label="Width σ", unit="Å", low=0.1, high=5.0, step=0.1, help="Width of the atoms' Gaussians."
    )
    rbf: str = param(
        "gto",
        label="Radial basis",
        choices=(("gto", "Gaussians"), ("polynomial", "polynomials")),
        help="Kind of basis.",
    )
    average: str = param(
        "inner",
        label="Average",
        choices=(("off", "none: a row for each atom"), ("inner", "of coefficients"), ("outer", "of power spectra")),
        help="How the rows of the atoms become one for the structure.",
    )
    compression: str = param(
        "off",
        label="Compression",
        choices=(
            ("off", "none"),
            ("mu2", "elements summed"),
            ("mu1nu1", "each element with all"),
            ("crossover", "like elements only"),
        ),
        help="Fewer columns by leaving out or adding up pairs of elements.",
    )
    weighting: str = param(
        "none",
        label="Weighting",
        choices=(("none", "none"), ("poly", "polynomial"), ("pow", "power"), ("exp", "exponential")),
        help="How the weight of an atom decreases with its distance.",
        advanced=True,
    )
    r0: float = param(5.0, label="Weighting: r0", unit="Å", low=0.1, high=50.0, step=0.5, advanced=True)
    c: float = param(1.0, label="Weighting: c", low=0.0, high=1e6, step=0.5, advanced=True)
    m: float = param(1.0, label="Weighting: m", low=0.0, high=50.0, step=1.0, advanced=True)
    d: float = param(1.0, label="Weighting: d", low=0.0, high=1e6, step=0.5, advanced=True)
    threshold: float = param(
        0.01,
        label="Weighting: end",
        low=1e-10,
        high=1.0,
        step=0.01,
        help='Weight at the cutoff where that is chosen by the weighting ("pow", "exp").',
        advanced=True,
    )
    w0: float | None = param(
        None,
        label="Weight of the centre",
        low=0.0,
        high=1e6,
        step=0.5,
        none_label="from weighting",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.r_cut is None:
            if self.weighting == "none":
                raise ValueError("r_cut: a value is needed where there is no weighting")
            if not self.cutoff >= 1.1:
                raise ValueError("r_cut: the weighting has decayed below 1.1 Å; give a cutoff, or change c, d, r0")
        if self.weighting == "pow" and self.d == 0.0 and self.m > 0.0 and self.w0 is None:
            raise ValueError("w0: a value is needed where d is 0: the weight of the centre is infinite")

    @property
    def cutoff(self) -> float:
        """Å; where there is no `r_cut`, the distance at which the weighting has decayed to `threshold`."""
        if self.r_cut is not None:
            return self.r_cut
        if self.weighting == "poly":
            return self.r0
        rest = self.c / self.threshold - self.d
        if rest <= 0.0 or (self.weighting == "pow" and self.m == 0.0):
            return 0.0
        return self.r0 * (rest ** (1.0 / self.m) if self.weighting == "pow" else math.log(rest))

    @property
    def reach(self) -> float:
        """Å up to which atoms count."""
        from qmlstudio.representations._soap_basis import padding

        return self.cutoff + padding(self.sigma)

    @property
    def local(self) -> bool:
        """Whether there is a row for each atom."""
        return self.average == "off"

    @property
    def has_gradient(self) -> bool:
        """With all parameters."""
        return True

    def weight(self, r: Any) -> Any:
        """w(r), numbers or arrays of them, Å."""
        t = np.asarray(r, dtype=float) / self.r0
        if self.weighting == "poly":
            base = np.where(t < 1.0, 1.0 + t * t * (2.0 * t - 3.0), 1.0)
            return np.where(t < 1.0, self.c * np.maximum(base, 0.0) ** self.m, 0.0)
        if self.weighting == "pow":
            return self.c / (self.d + t**self.m)
        if self.weighting == "exp":
            return self.c / (self.d + np.exp(np.minimum(t, 700.0)))
        return np.ones_like(t)

    @property
    def centre_weight(self) -> float:
        """Weight of the atom at the centre."""
        return float(self.weight(0.0)) if self.w0 is None else self.w0

    def blocks(self, species: Species) -> list[Block]:
        """Which densities are multiplied, and their columns."""
        z = species.numbers
        pairs: list[tuple[int, int]]
        if self.compression == "mu2":
            pairs = [(ALL, ALL)] if z else []
        elif self.compression == "mu1nu1":
            pairs = [(a, ALL) for a in z]
        elif self.compression == "crossover":
            pairs = [(a, a) for a in z]
        else:
            pairs = [(a, b) for i, a in enumerate(z) for b in z[i:]]
        found, at = [], 0
        for a, b in pairs:
            count = self.n_max * (self.n_max + 1) // 2 if a == b else self.n_max**2
            found.append(Block(a, b, at, at + count * (self.l_max + 1)))
            at = found[-1].stop
        return found

    def size(self, species: Species) -> int:
        """(E n)(E n + 1) / 2 · (l_max + 1) for E elements and n radial functions, without compression."""
        blocks = self.blocks(species)
        return blocks[-1].stop if blocks else 0

    def labels(self, species: Species) -> list[str]:
        """ "p(C n=1, H n=3, l = 2)"."""
        return [
            f"p({_name(block.first)} n={n}, {_name(block.second)} n={k}, l = {l})"
            for block in self.blocks(species)
            for l in range(self.l_max + 1)
            for n in range(1, self.n_max + 1)
            for k in range(n if block.is_symmetric else 1, self.n_max + 1)
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
        """See :meth:`Representation.compute`.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å), for coordinates that are not finite and for
        cells that cannot be.
        """
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _soap_rows as loops
        from qmlstudio.representations._soap_setup import Setup

        species = columns_for(structures, species, counts=False)
        if out is None and np.dtype(dtype) in (np.float64, np.float32):
            # fresh zeros cost nothing where no column is filled: pages that are never touched
            array: Array = np.zeros((self.rows(structures), self.size(species)), dtype=dtype)
        else:
            array = self._output(structures, species, out, dtype)
        _drive.check_positions(structures)
        setup = Setup.of(self, species)
        images = _neighbors.lattice_images(structures, setup.table.reach)
        data = setup.data(structures, images)
        arguments = setup.arguments
        is_zero, outer, result = out is None, self.average == "outer", np.asarray(array).reshape(-1)
        # numbers past the last multiple of eight numbers' bytes, where lines of memory begin
        phase, width = result.ctypes.data // result.itemsize % 8, array.shape[1]

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            if self.average == "inner":
                return int(loops.inner_loop(*data, start, stop, step, *arguments, work, result, phase, width, is_zero))
            return int(
                loops.local_loop(*data, start, stop, step, *arguments, work, result, phase, width, is_zero, outer)
            )

        mean = len(structures.numbers) / max(len(structures), 1)
        kept = max(len(setup.blocks), 1) if outer else 1
        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(setup.channels, self.l_max, setup.table.padded, kept),
            3.0 + mean * mean * 0.05 if self.average == "inner" else mean * (5.0 + mean * 0.1),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
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
        """See :meth:`Representation.gradient`; 1/Å.

        Where atoms cross the cutoff without weighting, and where "poly" with m < 1 ends, there is no derivative.
        """
        from qmlstudio.representations import _drive, _neighbors
        from qmlstudio.representations import _soap_gradient as loops
        from qmlstudio.representations._soap_setup import Setup, derivative

        species = columns_for(structures, species, counts=False)
        _drive.check_positions(structures)
        width, is_zero = self.size(species), out is None
        if out is None:
            # fresh zeros, most of which stay: pages that are never touched
            sizes = structures.sizes
            out = np.zeros(int(((sizes if self.local else np.ones_like(sizes)) * sizes).sum()) * 3 * width)
        elif not out.flags.aligned or not out.flags.writeable:
            raise ValueError("out must be writeable and aligned")
        result = Gradients.empty(structures.sizes, width, self.local, out)
        setup = Setup.of(self, species)
        images = _neighbors.lattice_images(structures, setup.table.reach)
        data, arguments = setup.data(structures, images), (*setup.arguments, derivative(self.l_max))
        starts, phase = _drive.frozen(result.starts, np.int64), out.ctypes.data // 8 % 8
        average = ("off", "inner", "outer").index(self.average)

        def run(start: int, stop: int, step: int, work: NDArray[np.float64]) -> int:
            return int(
                loops.gradient_loop(
                    *data, start, stop, step, *arguments, work, result.array, starts, phase, width, is_zero, average
                )
            )

        mean = len(structures.numbers) / max(len(structures), 1)
        bad = _drive.drive(
            run,
            len(structures),
            loops.scratch_size(setup.channels, self.l_max, setup.table.padded),
            mean * mean * (1.0 + width * 2e-3),
            progress,
            self.title,
            _drive.thread_count(threads),
        )
        if bad >= 0:
            raise _neighbors.coincident(structures, bad)
        return result

    def layout(self, structure: Structure, species: Species) -> Layout:
        """For each pair of elements and each l a matrix n × n'; both halves where n and n' can be exchanged."""
        panels = []
        for block in self.blocks(species):
            n = self.n_max
            count = (block.stop - block.start) // (self.l_max + 1)
            if block.is_symmetric:
                cells = np.empty((n, n), dtype=np.int64)
                upper = np.triu_indices(n)
                cells[upper] = cells.T[upper] = np.arange(count)
            else:
                cells = np.arange(count, dtype=np.int64).reshape(n, n)
            for l in range(self.l_max + 1):
                start = block.start + l * count
                panels.append(
                    Panel(
                        f"l = {l}",
                        start,
                        start + count,
                        cells=cells + start,
                        row_axis=f"n ({_name(block.first)})",
                        axis=f"n′ ({_name(block.second)})",
                        group=block.title,
                    )
                )
        return Layout("panels", (self.size(species),), panels=tuple(panels))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Pairs of neighbours whose coefficients are multiplied; their parts add up to the column.

        Of one atom's row (or, of an outer average, of the share of `centre`): (neighbour, centre, neighbour), with what
        is equal named once. Of an average: the two neighbours, summed over all centres from which they are seen.
        """
        from qmlstudio.representations._soap_parts import parts

        return parts(self, structure, species, column, centre)
