"""Solid-harmonic wavelet scattering of Eickenberg et al., J. Chem. Phys. 148, 241732 (2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Array, Features, Layout, Panel, Representation
from qmlstudio.representations.baselines import check_geometry

if TYPE_CHECKING:
    from qmlstudio.representations._scattering_transform import Settings

AUTOMATIC = "automatic"
_MOST_POWERS = 8
_NOBLE = (2, 10, 18, 36, 54, 86)
"""Electrons of closed shells: an atom's valence charge is what it has beyond the last one before it."""


def core_charges(numbers: Any) -> NDArray[np.float64]:
    """Electrons in closed shells below the valence shell: 0 for H and He, 2 up to Ne, 10 up to Ar, …"""
    z = np.asarray(numbers, dtype=np.int64)
    found = np.zeros(z.shape)
    for electrons in _NOBLE:
        found[z > electrons] = electrons
    return found


@dataclass(frozen=True, kw_only=True)
class Scattering(Representation):
    """Scattering coefficients of a molecule's density of charges, one Gaussian of width σ_0 for each atom.

    Parameters are named as in kymatio, whose wavelets these are. Lengths are measured in σ_0, so that with as many
    voxels per σ_0 as its ``sigma_0`` says, a coefficient of power q is kymatio's sum over voxels times
    ``sigma_0**(3 (q − 1))``.

    The integrals over space are taken on grids of their own for each scale, as fine as its wavelets need; Gaussians
    and first-order moduli are evaluated there directly, of a second order only those wave numbers are transformed that
    its wavelet lets pass. With the default resolution the coefficients of organic molecules are off their limit by
    3e-4 (root mean square) and at most by 3e-3, with 2 by 1e-4 and 8e-4; the error is largest for high powers, and
    several times as large for single atoms.

    Every molecule is laid in its principal axes, in a box of its own that leaves enough room (or in a periodic box of
    given size, as in kymatio): so its coefficients do not depend on the others, and moving or turning it changes them
    within that error only, and not beyond rounding where its axes are unique.
    """

    name: ClassVar[str] = "scattering"
    title: ClassVar[str] = "Solid-harmonic scattering"
    help: ClassVar[str] = (
        "The density of nuclear charges is seen through wavelets of several sizes and angular forms; the moduli, once "
        "more through larger wavelets, are integrated over space. A few hundred numbers that do not depend on the "
        "elements in the set, vary smoothly when the molecule is deformed, and make linear models of energies work. "
        "They know no elements beyond their charges, do not tell mirror images apart, and ignore a crystal's cell."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"\rho(u) = \sum_a q_a (2\pi)^{-3/2} \sigma_0^{-3}\, e^{-|u - R_a|^2 / 2\sigma_0^2}",
        r"\hat\psi_{jlm}(k) \propto (-i)^l\, |\sigma_j k|^l\, e^{-\sigma_j^2 k^2 / 2}\, Y_{lm}(\hat k),"
        r" \quad \sigma_j = 2^j \sigma_0",
        r"U_{jl} = \sqrt{\sum_m |\rho * \psi_{jlm}|^2}, \quad"
        r" U_{jj'l} = \sqrt{\sum_m |U_{jl} * \psi_{j'lm}|^2} \quad (j < j')",
        r"S = \int U(u)^q\, du",
    )
    reference: ClassVar[str] = (
        "M. Eickenberg, G. Exarchakis, M. Hirn, S. Mallat, L. Thiry, J. Chem. Phys. 148, 241732 (2018), "
        "doi:10.1063/1.5023798; M. Andreux et al., J. Mach. Learn. Res. 21, 60 (2020) (kymatio)"
    )

    J: int = param(2, label="Scales J", low=0, high=5, help="Wavelets have the widths σ_0, 2 σ_0, … 2^J σ_0.")
    L: int = param(3, label="Degree L", low=0, high=6, help="Angular degrees l = 0 … L.")
    sigma_0: float = param(
        0.22,
        label="Width σ_0",
        unit="Å",
        low=0.05,
        high=2.0,
        step=0.01,
        help="Of the atoms' Gaussians and the smallest wavelet. At 0.22 Å those of a C–H bond (1.09 Å, the shortest in "
        "most molecules) overlap little: 5 σ_0 apart. The time grows with its inverse cube.",
    )
    integral_powers: str = param(
        "0.5 1 2 3",
        label="Powers q",
        help="To which the moduli are raised before they are integrated, apart by spaces. Those below 1 look at the "
        "far tails and cost most.",
    )
    max_order: int = param(
        2,
        label="Order",
        choices=((1, "first"), (2, "first and second")),
        help="The second order describes how patterns are arranged: more than pairs of atoms.",
    )
    channels: str = param(
        "full",
        label="Charges",
        choices=(("full", "nuclear"), ("all", "nuclear, valence and core")),
        help="Three densities tell elements of one row apart by their valence; the time is threefold.",
    )
    resolution: float = param(
        1.5,
        label="Resolution",
        low=1.2,
        high=4.0,
        step=0.1,
        help="Grid points per wavelet width: 1.5 for an error of 3e-4, 2 for 1e-4. The time grows with its cube.",
        advanced=True,
    )
    box: str = param(
        AUTOMATIC,
        label="Box",
        help="'automatic' gives each molecule one that is large enough; three lengths in units of σ_0, as '96 64 48', "
        "fix a periodic one (for comparison with kymatio).",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.powers, self.lengths

    @property
    def powers(self) -> tuple[float, ...]:
        """`integral_powers` as numbers. Raises ValueError when it is none, or not positive, or there are too many."""
        words = self.integral_powers.replace(",", " ").split()
        try:
            values = tuple(float(word) for word in words)
        except ValueError:
            raise ValueError(f"integral_powers: {self.integral_powers!r} are no numbers like '0.5 1 2'") from None
        if not 0 < len(values) <= _MOST_POWERS:
            raise ValueError(f"integral_powers: between 1 and {_MOST_POWERS} numbers are needed, not {len(values)}")
        if any(not 0.25 <= value <= 8 for value in values):
            raise ValueError(f"integral_powers: {self.integral_powers!r}: each must be between 0.25 and 8")
        if len(set(values)) < len(values):
            raise ValueError(f"integral_powers: {self.integral_powers!r} has a number twice")
        return values

    @property
    def lengths(self) -> tuple[float, float, float] | None:
        """`box` as three lengths, None if automatic. Raises ValueError when it is neither."""
        if self.box.strip().lower() == AUTOMATIC:
            return None
        words = self.box.replace(",", " ").replace("×", " ").split()
        try:
            values = tuple(float(word) for word in words)
        except ValueError:
            values = ()
        if len(values) != 3 or any(not 4 <= value <= 2000 for value in values):
            raise ValueError(f"box: {self.box!r} is neither 'automatic' nor three lengths of 4 to 2000 like '96 64 48'")
        return values[0], values[1], values[2]

    @property
    def invariances(self) -> frozenset[str]:
        """Of the atoms' order; moving and turning change the coefficients within the grids' error."""
        return frozenset({"permutation"})

    def size(self, species: Species) -> int:
        """The same for all data sets: (1 + scales · (L + 1)) powers for each channel."""
        return len(self._channels()) * (1 + len(self._scales()) * (self.L + 1)) * len(self.powers)

    def labels(self, species: Species) -> list[str]:
        """ "nuclear: j = 0 → 2, l = 1, q = 0.5"; "nuclear: density, q = 2"."""
        found = []
        for channel in self._channels():
            found += [f"{channel}: density, q = {q:g}" for q in self.powers]
            for scale in self._scales():
                found += [f"{channel}: j = {scale}, l = {l}, q = {q:g}" for l in range(self.L + 1) for q in self.powers]
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
        """See :meth:`Representation.compute`; by channel, order and scale, l and q, as labelled.

        Raises ValueError for atoms at the same place, coordinates that are not finite, and structures that do not fit
        into the box or need too large a grid.
        """
        species = structures.species if species is None else species
        array = self._output(structures, species, out, dtype)
        check_geometry(structures)
        # numba comes with these: not before something is computed
        from qmlstudio.representations import _drive
        from qmlstudio.representations._scattering_transform import Workspace, frame, transform

        settings, workspaces = self._settings(), dict[int, Workspace]()
        problems: dict[int, str] = {}
        channels, width = self._channels(), array.shape[1] // len(self._channels())

        def loop(start: int, stop: int, step: int, buffer: NDArray[np.float64]) -> int:
            # the driver gives every thread a buffer of its own, by which its workspace is known
            work = workspaces.setdefault(buffer.ctypes.data, Workspace())
            for index in range(start, stop, step):
                structure = structures[index]
                if not len(structure):
                    array[index] = 0.0
                    continue
                numbers, atoms = frame(structure.numbers, structure.positions)
                for k, channel in enumerate(channels):
                    try:
                        values = transform(_charges(numbers, channel), atoms / self.sigma_0, settings, work)
                    except ValueError as error:
                        problems[index] = str(error)
                        return index
                    # of the density there are no degrees
                    row = np.concatenate([values[0, 0], values[1:].reshape(-1)])
                    array[index, k * width : (k + 1) * width] = row
            return -1

        bad = _drive.drive(
            loop, len(structures), 1, 4e4 * len(channels), progress, self.title, _drive.thread_count(threads)
        )
        if bad >= 0:
            raise ValueError(f"structure {bad + 1} (index {bad}) {problems[bad]}")
        return Features(array, self, species)

    def layout(self, structure: Structure, species: Species) -> Layout:
        """For each channel the density's integrals as bars, then for each power a matrix of scales and degrees."""
        count, scales, d = len(self.powers), len(self._scales()), self.size(species)
        width = d // len(self._channels())
        panels = []
        for k, channel in enumerate(self._channels()):
            start = k * width
            names = tuple(f"q = {q:g}" for q in self.powers)
            panels.append(Panel("density", start, start + count, names=names, group=channel))
            cells = start + count + np.arange(scales * (self.L + 1) * count).reshape(scales, self.L + 1, count)
            for i, name in enumerate(names):
                panels.append(
                    Panel(
                        name,
                        start + count,
                        start + width,
                        cells=np.ascontiguousarray(cells[:, :, i], dtype=np.int64),
                        axis="l",
                        row_axis="scales j (j → j')",
                        group=channel,
                    )
                )
        return Layout("panels", (d,), panels=tuple(panels))

    def _channels(self) -> tuple[str, ...]:
        return ("nuclear",) if self.channels == "full" else ("nuclear", "valence", "core")

    def _scales(self) -> list[str]:
        """Of the first order, then pairs of the second, as in kymatio."""
        n = self.J + 1
        single = [str(j) for j in range(n)]
        if self.max_order == 1:
            return single
        return single + [f"{j} → {k}" for j in range(n) for k in range(j + 1, n)]

    def _settings(self) -> Settings:
        from qmlstudio.representations._scattering_transform import Settings

        box = None if self.lengths is None else np.array(self.lengths)
        return Settings(self.J, self.L, self.max_order > 1, self.powers, self.resolution, box)


def _charges(numbers: Any, channel: str) -> NDArray[np.float64]:
    full = np.asarray(numbers, dtype=np.float64)
    if channel == "nuclear":
        return full
    core = core_charges(numbers)
    return core if channel == "core" else full - core
