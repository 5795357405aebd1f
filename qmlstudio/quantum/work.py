"""What a computing process does with one structure. Lengths come and go in Å; results are in the columns' units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.geometry import kabsch
from qmlstudio.chem.units import BOHR, DEBYE, HARTREE
from qmlstudio.quantum import conformers as conformer_search
from qmlstudio.quantum import dynamics, vibrations
from qmlstudio.quantum.engines import Atoms, CalculationError, Evaluation, System, system
from qmlstudio.quantum.methods import Method
from qmlstudio.quantum.relaxation import relax
from qmlstudio.quantum.tasks import Conformers, Dynamics, NormalModes, Optimize, Task

Floats = NDArray[np.float64]
Record = tuple[dict[str, Any], dict[str, NDArray[Any]]]
Beat = Callable[[float], None]

FORCE = HARTREE / BOHR
"""One Ha/bohr in eV/Å."""
AU_DIPOLE = BOHR / DEBYE
"""One e·bohr in debye."""


@dataclass(frozen=True, eq=False)
class Item:
    """One structure to work on.

    Attributes
    ----------
    index : int
    numbers : (N,) int64
    positions : (N, 3) float64, Å
    charge : int
    unpaired : int or None
        By parity when None.
    cell : (3, 3) float64 or None, Å
    smiles : str
    """

    index: int
    numbers: NDArray[np.int64]
    positions: Floats
    charge: int = 0
    unpaired: int | None = None
    cell: Floats | None = None
    smiles: str = ""


class Bench:
    """Does one task by one method, structure after structure.

    Parameters
    ----------
    quantities : tuple of str
        Names of :data:`qmlstudio.quantum.properties.QUANTITIES`.
    """

    def __init__(self, method: Method, task: Task, quantities: tuple[str, ...]) -> None:
        self.method, self.task, self.quantities = method, task, quantities
        self._atoms = Atoms(method)

    def perform(self, item: Item, beat: Beat) -> Record:
        """The record of a structure: a head of numbers and texts, and arrays. Raises :class:`CalculationError`."""
        task = self.task
        if isinstance(task, Conformers):
            return self._conformers(item, task, beat)
        origin = _centre(item)
        positions = (item.positions - origin) / BOHR
        molecule = self._system(item, item.numbers, tight=self._is_tight)
        if isinstance(task, Optimize):
            return self._optimize(item, task, molecule, positions, origin, beat)
        if isinstance(task, Dynamics):
            return self._dynamics(item, task, molecule, positions, beat)
        if isinstance(task, NormalModes):
            return self._modes(item, task, molecule, positions, beat)
        needs_gradient = "forces" in self.quantities or self.method.package == "tblite"
        found = molecule.evaluate(positions, gradient=needs_gradient)
        return self._record(item, molecule, positions, found, beat)

    @property
    def _is_tight(self) -> bool:
        return self.task.name != "properties" or "vibrations" in self.quantities

    def _system(self, item: Item, numbers: NDArray[np.int64], tight: bool) -> System:
        cell = None if item.cell is None else item.cell / BOHR
        return system(self.method, numbers, item.charge, item.unpaired, cell, tight)

    def _record(self, item: Item, molecule: System, positions: Floats, found: Evaluation, beat: Beat) -> Record:
        vector = found.dipole * AU_DIPOLE
        head: dict[str, Any] = {
            "energy": found.energy,
            "homo": found.homo * HARTREE,
            "lumo": found.lumo * HARTREE,
            "gap": (found.lumo - found.homo) * HARTREE,
        }
        if item.cell is None:
            head["dipole"] = float(np.linalg.norm(vector))
            head |= {f"dipole_{x}": float(v) for x, v in zip("xyz", vector, strict=True)}
        arrays: dict[str, NDArray[Any]] = {"charges": found.charges}
        if found.gradient is not None:
            arrays["forces"] = -found.gradient * FORCE
        if "atomization_energy" in self.quantities:
            head["atomization_energy"] = (found.energy - self._atoms.energy(molecule.numbers)) * HARTREE
        if "vibrations" in self.quantities:
            if item.cell is not None:
                raise CalculationError("vibrations are for molecules only")
            curvature = vibrations.hessian(molecule, positions, beat)
            modes = vibrations.normal_modes(molecule.numbers, positions, curvature)
            head["zpe"] = modes.zero_point * HARTREE
            head["lowest_wavenumber"] = float(modes.wavenumbers[0]) if len(modes.wavenumbers) else None
            head["n_imaginary"] = int(np.count_nonzero(modes.wavenumbers < -1.0))
            head["wavenumbers"] = " ".join(f"{w:.1f}" for w in modes.wavenumbers)
        # JSON has no NaN: an orbital that does not exist is null
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in head.items()}, arrays

    def _optimize(
        self, item: Item, task: Optimize, molecule: System, positions: Floats, origin: Floats, beat: Beat
    ) -> Record:
        before = molecule.evaluate(positions, gradient=False).energy
        found = relax(molecule, positions, task.force_tolerance / FORCE, task.max_steps, beat)
        head, arrays = self._record(item, molecule, found.positions, found.evaluation, beat)
        head["steps"] = found.steps
        head["relaxation_energy"] = (before - found.evaluation.energy) * HARTREE
        moved = found.positions * BOHR
        if item.cell is None and len(moved) > 1:
            # laid over the start, so that nothing seems to turn when the two are compared
            over = kabsch(moved, item.positions)
            head["rmsd"], moved = over.rmsd, over.apply(moved)
            arrays["forces"] = arrays["forces"] @ over.rotation
            dipole = np.array([head[f"dipole_{x}"] for x in "xyz"]) @ over.rotation
            head |= {f"dipole_{x}": float(v) for x, v in zip("xyz", dipole, strict=True)}
        else:
            moved = moved + origin
            head["rmsd"] = float(np.sqrt(np.mean(np.sum((moved - item.positions) ** 2, axis=1))))
        arrays["positions"] = moved
        return head, arrays

    def _minimum(self, molecule: System, positions: Floats, tolerance: float, steps: int, beat: Beat) -> Floats:
        return relax(molecule, positions, tolerance / FORCE, steps, beat).positions

    def _dynamics(self, item: Item, task: Dynamics, molecule: System, positions: Floats, beat: Beat) -> Record:
        if item.cell is not None:
            raise CalculationError("dynamics are for molecules only")
        if task.relax:
            positions = self._minimum(molecule, positions, 0.02, 500, lambda f: beat(0.0))
        frames = dynamics.run(
            molecule,
            positions,
            task.steps,
            task.time_step * dynamics.FEMTOSECOND,
            task.every,
            task.temperature,
            task.friction / dynamics.FEMTOSECOND if task.thermostat == "langevin" else None,
            task.equilibration,
            np.random.default_rng([task.seed, item.index]),
            beat,
        )
        return {}, _frames(frames, molecule.numbers) | {
            "kinetic_energy": frames.kinetic * HARTREE,
            "temperature": frames.temperatures,
            "time": frames.times / dynamics.FEMTOSECOND,
        }

    def _modes(self, item: Item, task: NormalModes, molecule: System, positions: Floats, beat: Beat) -> Record:
        if item.cell is not None:
            raise CalculationError("normal modes are for molecules only")
        minimum = self._minimum(molecule, positions, task.force_tolerance, task.max_steps, lambda f: beat(0.0))
        curvature = vibrations.hessian(molecule, minimum, lambda f: beat(0.2 * f))
        modes = vibrations.normal_modes(molecule.numbers, minimum, curvature)
        moved = minimum + dynamics.displacements(
            modes, task.count, task.temperature, np.random.default_rng([task.seed, item.index])
        )
        moved = np.concatenate([minimum[None], moved])
        frames = dynamics.single_points(molecule, moved, lambda f: beat(0.2 + 0.8 * f))
        return {}, _frames(frames, molecule.numbers) | {
            "above_minimum": (frames.energies - frames.energies[0]) * HARTREE
        }

    def _conformers(self, item: Item, task: Conformers, beat: Beat) -> Record:
        if item.cell is not None:
            raise CalculationError("conformers are for molecules only")
        found = conformer_search.molecule_of(item.numbers, item.positions, item.charge, item.smiles)
        numbers, places, energies = conformer_search.conformers(found, task)
        head: dict[str, Any] = {}
        arrays: dict[str, NDArray[Any]] = {"numbers": numbers, "force_field_energy": energies, "positions": places}
        if task.relax:
            relaxed, totals, kept = [], [], []
            for k, place in enumerate(places):
                molecule = self._system(item, numbers, tight=True)
                try:
                    got = relax(
                        molecule, place / BOHR, task.force_tolerance / FORCE, task.max_steps, lambda f: beat(0.0)
                    )
                except CalculationError:
                    beat((k + 1) / len(places))
                    continue
                beat((k + 1) / len(places))
                relaxed.append(got.positions * BOHR)
                totals.append(got.evaluation.energy)
                kept.append(k)
            if not kept:
                raise CalculationError("no conformer could be relaxed")
            total = np.array(totals)
            order = [int(k) for k in np.argsort(total) if (total[k] - total.min()) * HARTREE <= task.energy_window]
            # the method may lead two of the force field's conformers into one
            chosen = conformer_search.distinct(found, np.array(relaxed), order, task.rmsd)
            arrays["positions"] = np.array(relaxed)[chosen]
            arrays["energy"] = total[chosen] * HARTREE
            arrays["force_field_energy"] = energies[np.array(kept)[chosen]]
        return head, arrays


def _centre(item: Item) -> Floats:
    """Centre of mass, where dipoles of ions are told about; crystals stay where they are."""
    if item.cell is not None or len(item.numbers) == 0:
        return np.zeros(3)
    weights = vibrations.masses(item.numbers)
    centre: Floats = np.average(item.positions, axis=0, weights=weights) if weights.sum() > 0 else np.zeros(3)
    return centre if np.isfinite(centre).all() else np.zeros(3)


def _frames(frames: dynamics.Frames, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {
        "numbers": numbers,
        "positions": frames.positions * BOHR,
        "forces": frames.forces * FORCE,
        "energy": frames.energies * HARTREE,
    }
