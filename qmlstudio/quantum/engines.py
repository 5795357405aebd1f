"""Energies and gradients by tblite and pyscf. For the computing processes only: the program never imports the engines.

Everything here is in atomic units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.units import BOHR
from qmlstudio.quantum.methods import DFT, Method, Xtb

Floats = NDArray[np.float64]
TIGHT = 0.05
"""Largest accuracy factor of xTB where numbers are differenced or integrated."""


LEAST_HEIGHT = 13.0
"""bohr: smallest height of a cell whose electrons the Γ point alone describes tolerably."""


class CalculationError(Exception):
    """A structure could not be computed; the text says why, for people."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one self-consistent calculation gives, in atomic units.

    Attributes
    ----------
    energy : float
    gradient : (N, 3) float64 or None
    homo, lumo : float
        NaN where there is no such orbital.
    dipole : (3,) float64
    charges : (N,) float64
        Mulliken's.
    """

    energy: float
    gradient: Floats | None
    homo: float
    lumo: float
    dipole: Floats
    charges: Floats


class System(Protocol):
    """One molecule whose geometry may change."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) atomic numbers."""
        ...

    def evaluate(self, positions: Floats, gradient: bool = True) -> Evaluation:
        """At these positions ((N, 3), bohr); begins from the last solution. Raises :class:`CalculationError`."""
        ...


def system(
    method: Method,
    numbers: Any,
    charge: int = 0,
    unpaired: int | None = None,
    cell: Floats | None = None,
    tight: bool = False,
) -> System:
    """A molecule or crystal at a level of theory.

    Parameters
    ----------
    numbers : (N,) int
    unpaired : int, optional
        Unpaired electrons; by parity when not given.
    cell : (3, 3) float64, bohr, optional
        Lattice vectors in rows.
    tight : bool
        Gradients will be differenced or integrated.

    Raises
    ------
    CalculationError
        The electrons do not fit, or the method cannot treat it.
    """
    z = np.asarray(numbers, dtype=np.int64)
    if len(z) == 0:
        raise CalculationError("there are no atoms")
    if z.min() < 1:
        raise CalculationError("there is an atom without an element")
    electrons = int(z.sum()) - charge
    if electrons < 0:
        raise CalculationError(f"charge {charge:+d} leaves no electrons")
    open_shells = electrons % 2 if unpaired is None else unpaired
    if (electrons - open_shells) % 2 or not 0 <= open_shells <= electrons:
        raise CalculationError(
            f"{open_shells} unpaired electrons do not fit {electrons} electrons (charge {charge:+d})"
        )
    if cell is not None and isinstance(method, Xtb) and _height(cell) < LEAST_HEIGHT:
        raise CalculationError(
            f"the cell is {_height(cell) * BOHR:.1f} Å across; below {LEAST_HEIGHT * BOHR:.1f} Å the Γ point alone, "
            "which is all that tblite has, says little: make a supercell"
        )
    if isinstance(method, Xtb):
        return _TbliteSystem(method, z, charge, open_shells, cell, tight)
    if cell is not None:
        raise CalculationError(
            f"{method.label} is for molecules only: crystals can be computed by GFN1-xTB or GFN2-xTB"
        )
    return _PyscfSystem(method, z, charge, open_shells)


def _height(cell: Floats) -> float:
    """Smallest distance between opposite faces; 0 for a flat cell."""
    volume = abs(float(np.linalg.det(cell)))
    areas = np.linalg.norm(np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1)
    return volume / float(areas.max()) if areas.max() > 0 else 0.0


class _TbliteSystem:
    def __init__(
        self, method: Xtb, numbers: NDArray[np.int64], charge: int, unpaired: int, cell: Floats | None, tight: bool
    ) -> None:
        self.numbers = numbers
        self._method, self._charge, self._unpaired, self._cell = method, charge, unpaired, cell
        self._accuracy = min(method.accuracy, TIGHT) if tight else method.accuracy
        self._calculator: Any = None
        self._last: Any = None

    def evaluate(self, positions: Floats, gradient: bool = True) -> Evaluation:
        from tblite.interface import Result

        _check(positions)
        try:
            if self._calculator is None:
                self._calculator = self._make(positions)
            else:
                self._calculator.update(positions)
            try:
                # the last wave function is a good start; where it is not, a fresh one may still converge
                result = self._calculator.singlepoint(Result(self._last) if self._last is not None else None)
            except RuntimeError:
                if self._last is None:
                    raise
                result = self._calculator.singlepoint()
            energy = float(result.get("energy"))
            orbitals, occupations = result.get("orbital-energies"), result.get("orbital-occupations")
            found = Evaluation(
                energy,
                np.array(result.get("gradient")) if gradient else None,
                *_frontier(orbitals, occupations, self._unpaired),
                np.array(result.get("dipole")),
                np.array(result.get("charges")),
            )
        except (RuntimeError, ValueError, TypeError) as error:
            self._last = None
            raise CalculationError(_said(error)) from None
        self._last = result
        return _finite(found)

    def _make(self, positions: Floats) -> Any:
        from tblite.interface import Calculator

        periodic = None if self._cell is None else np.ones(3, dtype=bool)
        calculator = Calculator(
            self._method.title, self.numbers, positions, float(self._charge), self._unpaired, self._cell, periodic
        )
        calculator.set("verbosity", 0)
        calculator.set("accuracy", self._accuracy)
        calculator.set("max-iter", self._method.max_cycles)
        # tblite wants the temperature as an energy
        calculator.set("temperature", self._method.electronic_temperature * 3.166811563e-6)
        return calculator


def _frontier(energies: Any, occupations: Any, unpaired: int) -> tuple[float, float]:
    """HOMO and LUMO; occupations are smeared, so the electrons are counted."""
    levels = np.sort(np.ravel(energies))
    occupied = (round(float(np.sum(occupations))) + unpaired) // 2
    homo = float(levels[occupied - 1]) if 0 < occupied <= len(levels) else np.nan
    lumo = float(levels[occupied]) if occupied < len(levels) else np.nan
    return homo, lumo


class _PyscfSystem:
    def __init__(self, method: Method, numbers: NDArray[np.int64], charge: int, unpaired: int) -> None:
        self.numbers = numbers
        self._method, self._charge, self._unpaired = method, charge, unpaired
        self._density: Any = None

    def evaluate(self, positions: Floats, gradient: bool = True) -> Evaluation:
        from pyscf import dft, gto, lib, scf

        _check(positions)
        lib.num_threads(1)
        method: Any = self._method
        try:
            molecule = gto.M(
                atom=[(int(z), tuple(r)) for z, r in zip(self.numbers, positions, strict=True)],
                unit="Bohr",
                basis=method.basis,
                charge=self._charge,
                spin=self._unpaired,
                verbose=0,
            )
            if isinstance(method, DFT):
                field = dft.UKS(molecule) if self._unpaired else dft.RKS(molecule)
                field.xc, field.grids.level = method.functional, method.grid
            else:
                field = scf.UHF(molecule) if self._unpaired else scf.RHF(molecule)
            field.conv_tol, field.max_cycle = method.tolerance, method.max_cycles
            field.kernel(dm0=self._density)
            if not field.converged:
                field = field.newton()
                field.kernel()
            if not field.converged:
                raise CalculationError(f"self-consistency was not reached in {method.max_cycles} cycles")
            self._density = field.make_rdm1()
            slope = np.array(_gradient(field)) if gradient else None
            charges = np.array(field.mulliken_pop(verbose=0)[1])
            dipole = np.array(field.dip_moment(unit="AU", verbose=0))
        except CalculationError:
            self._density = None
            raise
        except Exception as error:  # of many kinds: an element that the basis lacks, linear dependence …
            self._density = None
            raise CalculationError(_said(error)) from None
        energies, occupations = np.atleast_2d(field.mo_energy), np.atleast_2d(field.mo_occ)
        filled, empty = energies[occupations > 0.5], energies[occupations < 0.5]
        homo = float(filled.max()) if len(filled) else np.nan
        lumo = float(empty.min()) if len(empty) else np.nan
        return _finite(Evaluation(float(field.e_tot), slope, homo, lumo, dipole, charges))


def _gradient(field: Any) -> Any:
    found = field.undo_newton() if hasattr(field, "undo_newton") else field
    slope = found.nuc_grad_method()
    slope.verbose = 0
    return slope.kernel()


def _check(positions: Floats) -> None:
    if not np.isfinite(positions).all():
        raise CalculationError("a coordinate is not a number")
    if len(positions) > 1:
        for i in range(len(positions) - 1):
            if np.min(np.sum((positions[i + 1 :] - positions[i]) ** 2, axis=1)) < 0.01:
                raise CalculationError("two atoms lie on one another")


def _finite(found: Evaluation) -> Evaluation:
    if not np.isfinite(found.energy) or (found.gradient is not None and not np.isfinite(found.gradient).all()):
        raise CalculationError("the calculation gave no finite energy")
    return found


def _said(error: BaseException) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


class Atoms:
    """Free atoms in their ground state by one method, each computed once."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._energies: dict[int, float] = {}

    def energy(self, numbers: NDArray[np.int64]) -> float:
        """Sum of the free atoms' energies, Ha. Raises :class:`CalculationError`."""
        total = 0.0
        for z in numbers.tolist():
            if z not in self._energies:
                self._energies[z] = self._atom(z)
            total += self._energies[z]
        return total

    def _atom(self, number: int) -> float:
        from ase.data import ground_state_magnetic_moments

        unpaired = int(ground_state_magnetic_moments[number]) if number < len(ground_state_magnetic_moments) else 0
        if (number - unpaired) % 2:
            unpaired += 1
        try:
            return system(self._method, [number], 0, unpaired).evaluate(np.zeros((1, 3)), gradient=False).energy
        except CalculationError as error:
            raise CalculationError(f"the free atom of element {number}: {error}") from None
