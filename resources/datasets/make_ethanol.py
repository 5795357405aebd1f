"""Make ethanol_500K.npz: 2,000 frames of one ethanol molecule at 500 K, GFN2-xTB energies and forces.

Usage: ``pip install "tblite>=0.4"`` beside QML Studio, then ``python resources/datasets/make_ethanol.py`` (a minute).

Langevin dynamics, BAOAB splitting (Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34), in the 21 degrees of
freedom that remain without translation and rotation: the noise is projected (mass-weighted) on momenta without total
linear and angular momentum, both of which the rest of the step conserves. Start: ethanol of QM9 (gdb 14), atoms in the
order of (r)MD17.
The frames are kept with eight decimals; energies, forces, charges and dipoles are computed anew, tightly converged, at
the rounded positions, so that the file is consistent in itself.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when the library is loaded; nine atoms do not feed two threads

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from decimals import write
from numpy.typing import NDArray
from tblite.interface import Calculator

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.elements import MASSES
from qmlstudio.chem.units import BOHR, DEBYE, HARTREE

Array = NDArray[np.float64]

METHOD = "GFN2-xTB"
TEMPERATURE = 500.0
"""K."""
TIME_STEP = 0.5
"""fs."""
FRICTION = 0.02
"""1/fs."""
EQUILIBRATION = 10_000
"""Steps thrown away at the start."""
FRAMES = 2000
STRIDE = 20
"""Steps from one kept frame to the next."""
SEED = 2020
ORDER = (1, 0, 2, 6, 7, 3, 4, 5, 8)
"""Atoms of QM9's ethanol in the order of (r)MD17: CH2, CH3, O, H2, H3, H(O)."""
CCOH = (1, 0, 2, 8)
BOLTZMANN = 8.617333262145e-5
"""eV/K."""
ACCELERATION = 9.648533212331e-3
"""One (eV/Å)/u in Å/fs²."""
DIGITS = 8


class Ethanol:
    """Energies and forces from one calculator that is moved from frame to frame."""

    def __init__(self, numbers: NDArray[Any], positions: Array, accuracy: float) -> None:
        self._calculator = Calculator(METHOD, numbers, positions / BOHR)
        self._calculator.set("verbosity", 0)
        self._calculator.set("accuracy", accuracy)
        self._result: Any = None

    def __call__(self, positions: Array, fresh: bool = False) -> tuple[float, Array, Any]:
        """Energy (eV), forces (9, 3) in eV/Å, and the result for whatever else is wanted."""
        self._calculator.update(positions=positions / BOHR)
        self._result = self._calculator.singlepoint(None if fresh else self._result)
        energy = float(self._result.get("energy")) * HARTREE
        return energy, -self._result.get("gradient") * (HARTREE / BOHR), self._result


def without_drift(velocities: Array, positions: Array, masses: Array) -> Array:
    """Velocities without total linear and angular momentum: the mass-weighted orthogonal projection."""
    r = positions - masses @ positions / masses.sum()
    v = velocities - masses @ velocities / masses.sum()
    inertia = np.einsum("i,ij,ij->", masses, r, r) * np.eye(3) - np.einsum("i,ij,ik->jk", masses, r, r)
    spin = np.linalg.solve(inertia, masses @ np.cross(r, v))
    return v - np.cross(spin, r)


def torsion(chain: Array) -> Array:
    """Dihedral angles of (n, 4, 3) positions in degrees, (-180, 180]; IUPAC's sign."""
    a, b, c = (chain[:, i + 1] - chain[:, i] for i in range(3))
    left, right = np.cross(a, b), np.cross(b, c)
    sine = np.einsum("ij,ij->i", a, right) * np.linalg.norm(b, axis=1)
    return np.degrees(np.arctan2(sine, np.einsum("ij,ij->i", left, right)))


def main() -> None:
    """Run the trajectory, write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("ethanol_500K.npz"))
    out: Path = parser.parse_args().out

    qm9 = load_builtin("qm9_7")
    start = qm9.structures[int(np.flatnonzero(qm9.identifiers == "gdb 14")[0])]
    numbers = start.numbers[list(ORDER)]
    masses = np.array([MASSES[z] for z in numbers])
    r = start.positions[list(ORDER)]
    r = r - masses @ r / masses.sum()

    rng = np.random.default_rng(SEED)
    thermal = np.sqrt(BOLTZMANN * TEMPERATURE * ACCELERATION / masses)[:, None]
    v = without_drift(thermal * rng.standard_normal(r.shape), r, masses)
    freedom = r.size - 6
    keep = np.exp(-FRICTION * TIME_STEP)
    half = 0.5 * TIME_STEP
    model = Ethanol(numbers, r, accuracy=0.1)
    tight = Ethanol(numbers, r, accuracy=0.001)
    push = ACCELERATION / masses[:, None]

    frames: dict[str, list[Any]] = {
        name: [] for name in ("positions", "forces", "charge", "energy", "temperature", "dipole", "gap")
    }
    forces = model(r)[1]
    for step in range(1, EQUILIBRATION + FRAMES * STRIDE + 1):
        v = v + half * push * forces
        r = r + half * v
        noise = without_drift(thermal * rng.standard_normal(r.shape), r, masses)
        v = keep * v + np.sqrt(1.0 - keep**2) * noise
        r = r + half * v
        forces = model(r)[1]
        v = v + half * push * forces
        if step % 1000 == 0:
            # nothing but rounding moves the centre or turns the molecule; do not let it add up
            r = r - masses @ r / masses.sum()
            v = without_drift(v, r, masses)
        if step > EQUILIBRATION and (step - EQUILIBRATION) % STRIDE == 0:
            kept = np.round(r, DIGITS)
            energy, exact_forces, result = tight(kept, fresh=True)
            filled = result.get("orbital-occupations") > 1.0
            levels = result.get("orbital-energies") * HARTREE
            frames["positions"].append(kept)
            frames["forces"].append(exact_forces)
            frames["charge"].append(result.get("charges"))
            frames["energy"].append(energy)
            frames["temperature"].append(float(masses @ (v**2).sum(1)) / (ACCELERATION * BOLTZMANN * freedom))
            frames["dipole"].append(float(np.linalg.norm(result.get("dipole"))) * BOHR / DEBYE)
            frames["gap"].append(float(levels[~filled].min() - levels[filled].max()))

    digits = {
        "positions": DIGITS,
        "forces": DIGITS,
        "energy": DIGITS,
        "charge": 6,
        "temperature": 3,
        "dipole": 5,
        "gap": 6,
    }
    columns = {name: np.round(np.array(values), digits[name]) for name, values in frames.items()}
    arrays: dict[str, NDArray[Any]] = {
        "numbers": np.tile(numbers, FRAMES),
        "offsets": np.arange(0, FRAMES * len(numbers) + 1, len(numbers), dtype=np.int32),
        "identifiers": np.array([f"{(i + 1) * STRIDE * TIME_STEP:g} fs" for i in range(FRAMES)]),
        "time": (np.arange(FRAMES) + 1) * STRIDE * TIME_STEP,
        "torsion": np.round(torsion(columns["positions"][:, CCOH]), 3),
        **columns,
        "positions": columns["positions"].reshape(-1, 3),
        "forces": columns["forces"].reshape(-1, 3),
        "charge": columns["charge"].reshape(-1),
    }
    about = {
        "script": Path(__file__).name,
        "method": METHOD,
        "tblite": version("tblite"),
        "numpy": np.__version__,
        "seed": SEED,
        "temperature_K": TEMPERATURE,
        "time_step_fs": TIME_STEP,
        "friction_per_fs": FRICTION,
        "equilibration_steps": EQUILIBRATION,
        "stride": STRIDE,
        "degrees_of_freedom": freedom,
        "start": "QM9 gdb 14",
    }
    write(out, arrays, about)
    mean = columns["temperature"].mean()
    print(f"{out}: {FRAMES} frames, mean temperature {mean:.1f} K, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
