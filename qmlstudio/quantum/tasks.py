"""What is done with each structure, each a frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from qmlstudio.parameters import Parameterised, param


@dataclass(frozen=True, kw_only=True)
class Task(Parameterised):
    """Something to do with a structure at a level of theory."""

    makes_structures: ClassVar[bool] = False
    """The result is a new data set, not columns of the present one."""
    is_kept: ClassVar[bool] = True
    """Results are kept on disk, so that nothing is computed twice."""
    summary: ClassVar[str]
    """One sentence for people."""


@dataclass(frozen=True, kw_only=True)
class SinglePoint(Task):
    """Properties at the geometry as it is."""

    name: ClassVar[str] = "properties"
    title: ClassVar[str] = "Properties of the geometries as they are"
    summary: ClassVar[str] = "New columns of this data set."


@dataclass(frozen=True, kw_only=True)
class Optimize(Task):
    """Relax the geometry to the nearest minimum, then the properties there."""

    name: ClassVar[str] = "optimize"
    title: ClassVar[str] = "Optimised geometries"
    makes_structures: ClassVar[bool] = True
    summary: ClassVar[str] = "A new data set with the relaxed geometries, their properties and their distance (RMSD)."

    force_tolerance: float = param(
        0.01,
        label="Force tolerance",
        unit="eV/Å",
        low=1e-5,
        high=1.0,
        help="Done when no component of any atom's force is larger.",
    )
    max_steps: int = param(200, label="Steps", low=1, high=10000, help="At most; then the structure counts as failed.")


@dataclass(frozen=True, kw_only=True)
class Conformers(Task):
    """Conformers by distance geometry, relaxed with a force field, pruned by RMSD."""

    name: ClassVar[str] = "conformers"
    title: ClassVar[str] = "Conformers"
    makes_structures: ClassVar[bool] = True
    is_kept: ClassVar[bool] = False
    summary: ClassVar[str] = "A new data set: conformers by ETKDGv3 and MMFF94, distinct by RMSD, with their energies."

    count: int = param(20, label="Attempts", low=1, high=1000, help="Embeddings tried for each structure.")
    energy_window: float = param(
        0.5, label="Energy window", unit="eV", low=0.0, high=100.0, help="Above the lowest conformer."
    )
    rmsd: float = param(
        0.5, label="Least RMSD", unit="Å", low=0.0, high=10.0, help="Of heavy atoms, between two conformers kept."
    )
    relax: bool = param(True, label="Relax by the method", help="Otherwise the force field's geometries stay.")
    force_tolerance: float = param(0.02, label="Force tolerance", unit="eV/Å", low=1e-5, high=1.0, advanced=True)
    max_steps: int = param(200, label="Steps", low=1, high=10000, advanced=True, help="Of each relaxation, at most.")
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, advanced=True)


@dataclass(frozen=True, kw_only=True)
class Dynamics(Task):
    """Born–Oppenheimer molecular dynamics from each structure."""

    name: ClassVar[str] = "dynamics"
    title: ClassVar[str] = "Molecular dynamics"
    makes_structures: ClassVar[bool] = True
    is_kept: ClassVar[bool] = False
    summary: ClassVar[str] = "A new data set: frames in time with energy, forces and temperature, as MD17 has them."

    steps: int = param(2000, label="Steps", low=1, high=100_000_000)
    time_step: float = param(0.5, label="Time step", unit="fs", low=0.01, high=5.0, step=0.1)
    every: int = param(10, label="Keep every", low=1, high=1_000_000, help="This many steps give one frame.")
    temperature: float = param(500.0, label="Temperature", unit="K", low=0.0, high=20000.0, step=50.0)
    thermostat: str = param(
        "langevin",
        label="Thermostat",
        choices=(("langevin", "Langevin (NVT)"), ("none", "none (NVE)")),
        help="Langevin by the BAOAB splitting; without one, velocity Verlet from a Maxwell–Boltzmann start.",
    )
    friction: float = param(
        0.01, label="Friction", unit="1/fs", low=1e-5, high=1.0, advanced=True, help="Of the Langevin thermostat."
    )
    equilibration: int = param(
        200, label="Equilibration", low=0, high=10_000_000, help="Steps before the first frame that is kept."
    )
    relax: bool = param(True, label="Relax first", help="Begin at the minimum next to the structure.")
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, advanced=True)


@dataclass(frozen=True, kw_only=True)
class NormalModes(Task):
    """Random displacements along the normal modes, as ANI-1's."""

    name: ClassVar[str] = "modes"
    title: ClassVar[str] = "Normal-mode sampling"
    makes_structures: ClassVar[bool] = True
    is_kept: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "A new data set: the minimum and geometries displaced along its normal modes, as ANI-1 has them."
    )

    count: int = param(100, label="Geometries", low=1, high=1_000_000, help="For each structure.")
    temperature: float = param(
        400.0,
        label="Temperature",
        unit="K",
        low=0.0,
        high=20000.0,
        step=50.0,
        help="Sets how far the modes are driven.",
    )
    force_tolerance: float = param(0.005, label="Force tolerance", unit="eV/Å", low=1e-5, high=1.0, advanced=True)
    max_steps: int = param(300, label="Steps", low=1, high=10000, advanced=True, help="Of the relaxation, at most.")
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, advanced=True)


TASKS: dict[str, type[Task]] = {cls.name: cls for cls in (SinglePoint, Optimize, Conformers, Dynamics, NormalModes)}
"""By short name. The same on the command line and in the program."""


def task_from(data: dict[str, Any]) -> Task:
    """Inverse of :meth:`Task.to_dict`; ValueError when there is none of that name."""
    cls = TASKS.get(str(data.get("name")))
    if cls is None:
        raise ValueError(f"no task {data.get('name')!r}; there are {', '.join(TASKS)}")
    return cls.from_dict(data)
