"""Sampling of geometries: molecular dynamics, and displacements along normal modes. Atomic units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.quantum.engines import Evaluation, System
from qmlstudio.quantum.vibrations import Modes, masses

Floats = NDArray[np.float64]

FEMTOSECOND = 41.341373335
"""One fs in atomic units of time (CODATA 2018)."""
KELVIN = 3.166811563e-6
"""Boltzmann's constant in Ha/K (CODATA 2018)."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Geometries with what was computed there.

    Attributes
    ----------
    positions, forces : (f, N, 3) float64, bohr and Ha/bohr
    energies, kinetic : (f,) float64, Ha
        Kinetic energies are NaN where nothing moves.
    temperatures : (f,) float64, K
    times : (f,) float64
    """

    positions: Floats
    forces: Floats
    energies: Floats
    kinetic: Floats
    temperatures: Floats
    times: Floats


def velocities(numbers: NDArray[np.int64], positions: Floats, temperature: float, rng: np.random.Generator) -> Floats:
    """(N, 3) Maxwell–Boltzmann velocities without drift or rotation, scaled to the temperature exactly."""
    m = masses(numbers)[:, None]
    found = rng.normal(size=positions.shape) * np.sqrt(KELVIN * temperature / m)
    found = without_rigid_motion(m, positions, found)
    kinetic = float((m * found**2).sum()) / 2
    goal = degrees_of_freedom(positions) * KELVIN * temperature / 2
    return found * np.sqrt(goal / kinetic) if kinetic > 0 else found


def without_rigid_motion(m: Floats, positions: Floats, speeds: Floats) -> Floats:
    """Velocities without those of the centre of mass and of the rotation of the whole."""
    speeds = speeds - (m * speeds).sum(axis=0) / m.sum()
    centred = positions - (m * positions).sum(axis=0) / m.sum()
    momentum = (m * np.cross(centred, speeds)).sum(axis=0)
    inertia = (m * centred**2).sum() * np.eye(3) - (m * centred).T @ centred
    turning = np.linalg.pinv(inertia, rcond=1e-8) @ momentum
    result: Floats = speeds - np.cross(turning, centred)
    return result


def degrees_of_freedom(positions: Floats) -> int:
    """3N − 6; 3N − 5 of two atoms or a line, at least 1."""
    n = len(positions)
    centred = positions - positions.mean(axis=0)
    rank = np.linalg.matrix_rank(centred, tol=1e-3) if n > 1 else 0
    return max(3 * n - (6 if rank > 1 else 5), 1)


def run(
    molecule: System,
    positions: Floats,
    steps: int,
    time_step: float,
    every: int,
    temperature: float,
    friction: float | None,
    equilibration: int,
    rng: np.random.Generator,
    beat: Callable[[float], None],
) -> Frames:
    """Molecular dynamics: velocity Verlet, or Langevin by BAOAB (B. Leimkuhler, C. Matthews, AMRX 2013, 34).

    Parameters
    ----------
    positions : (N, 3) float64, bohr
    time_step : float, atomic units
    every : int
        Steps between frames; the first frame is the state after `equilibration`.
    friction : float or None, atomic units
        None: no thermostat.
    beat : callable (fraction)
        Called at each step.
    """
    m = masses(molecule.numbers)[:, None]
    r = np.array(positions, dtype=np.float64)
    v = velocities(molecule.numbers, r, temperature, rng)
    now = _force(molecule, r)
    force = _slope(now)
    # a thermostat feeds rotations, too, but the whole stays where it is; an isolated molecule does not begin to turn
    freedom = degrees_of_freedom(r) if friction is None else max(3 * len(r) - 3, 1)
    kept: list[tuple[Floats, Floats, float, float, float]] = []
    total = equilibration + steps
    for step in range(total + 1):
        if step >= equilibration and (step - equilibration) % every == 0:
            kinetic = float((m * v**2).sum()) / 2
            kept.append((r.copy(), force, now.energy, kinetic, (step - equilibration) * time_step))
        if step == total:
            break
        v = v + 0.5 * time_step * force / m
        if friction is None:
            r = r + time_step * v
        else:
            r = r + 0.5 * time_step * v
            damping = np.exp(-friction * time_step)
            v = damping * v + np.sqrt((1 - damping**2) * KELVIN * temperature / m) * rng.normal(size=v.shape)
            v = v - (m * v).sum(axis=0) / m.sum()
            r = r + 0.5 * time_step * v
        now = _force(molecule, r)
        force = _slope(now)
        v = v + 0.5 * time_step * force / m
        beat((step + 1) / total)
    kinetics = np.array([k[3] for k in kept])
    return Frames(
        np.array([k[0] for k in kept]),
        np.array([k[1] for k in kept]),
        np.array([k[2] for k in kept]),
        kinetics,
        2 * kinetics / (freedom * KELVIN),
        np.array([k[4] for k in kept]),
    )


def _force(molecule: System, positions: Floats) -> Evaluation:
    return molecule.evaluate(positions)


def _slope(found: Evaluation) -> Floats:
    assert found.gradient is not None
    return -found.gradient


def displacements(modes: Modes, count: int, temperature: float, rng: np.random.Generator) -> Floats:
    """(count, N, 3) bohr: ANI-1's normal-mode sampling, J. S. Smith, O. Isayev, A. E. Roitberg, Sci. Data 4, 170193
    (2017), eq. 1: R_i = ±√(3 c_i N k_B T / K_i) along mode i, with random c_i ≥ 0 whose sum is in [0, 1].

    Each geometry's harmonic energy is therefore at most 3/2 N k_B T. The sum is uniform in [0, 1], the shares are those
    of uniform numbers. Imaginary modes stay at rest.
    """
    atoms = modes.directions.shape[1] if modes.directions.size else 0
    movable = modes.constants > 1e-6
    shares = rng.uniform(size=(count, len(modes.constants))) * movable
    sums = shares.sum(axis=1, keepdims=True)
    shares = np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0) * rng.uniform(size=(count, 1))
    signs = rng.choice([-1.0, 1.0], size=shares.shape)
    stiffness = np.where(movable, modes.constants, 1.0)
    lengths = signs * np.sqrt(3 * shares * atoms * KELVIN * temperature / stiffness)
    result: Floats = np.einsum("ck,kax->cax", lengths, modes.directions)
    return result


def single_points(molecule: System, geometries: Floats, beat: Callable[[float], None]) -> Frames:
    """Energies and forces at given geometries ((f, N, 3), bohr)."""
    found = []
    for k, positions in enumerate(geometries):
        found.append(_force(molecule, positions))
        beat((k + 1) / len(geometries))
    nothing = np.full(len(found), np.nan)
    return Frames(
        np.asarray(geometries),
        np.array([_slope(e) for e in found]).reshape(np.shape(geometries)),
        np.array([e.energy for e in found]),
        nothing,
        nothing,
        nothing,
    )
