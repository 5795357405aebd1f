"""Harmonic vibrations from finite differences of the gradient. Atomic units unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import MASSES
from qmlstudio.quantum.engines import System

Floats = NDArray[np.float64]

DALTON = 1822.888486209
"""One dalton in electron masses (CODATA 2018)."""
WAVENUMBER = 219474.6313632
"""One hartree in cm⁻¹."""
STEP = 0.01
"""bohr."""


@dataclass(frozen=True, eq=False)
class Modes:
    """Normal modes without translations and rotations, ascending.

    Attributes
    ----------
    wavenumbers : (m,) float64, cm⁻¹
        Negative: imaginary.
    directions : (m, N, 3) float64
        Cartesian displacements, each of length 1.
    constants : (m,) float64, Ha/bohr²
        Force constant along that direction.
    """

    wavenumbers: Floats
    directions: Floats
    constants: Floats

    @property
    def zero_point(self) -> float:
        """Zero-point energy of the real modes, Ha."""
        return float(self.wavenumbers[self.wavenumbers > 0].sum() / 2 / WAVENUMBER)


def masses(numbers: NDArray[np.int64]) -> Floats:
    """(N,) in electron masses."""
    return np.array(MASSES)[numbers] * DALTON


def hessian(molecule: System, positions: Floats, beat: Callable[[float], None]) -> Floats:
    """(3N, 3N) by central differences, symmetrised."""
    n = positions.size
    found = np.zeros((n, n))
    for k in range(n):
        sides = []
        for sign in (STEP, -STEP):
            moved = positions.copy()
            moved.reshape(-1)[k] += sign
            gradient = molecule.evaluate(moved).gradient
            assert gradient is not None
            sides.append(gradient.ravel())
        found[k] = (sides[0] - sides[1]) / (2 * STEP)
        beat((k + 1) / n)
    return (found + found.T) / 2


def normal_modes(numbers: NDArray[np.int64], positions: Floats, curvature: Floats) -> Modes:
    """Modes of a molecule from its Hessian: what turns or moves the whole is projected out.

    Parameters
    ----------
    positions : (N, 3) float64, bohr
    curvature : (3N, 3N) float64, Ha/bohr²
    """
    m = masses(numbers)
    root = np.repeat(np.sqrt(m), 3)
    rigid = _rigid(m, positions)
    projector = np.eye(len(root)) - rigid @ rigid.T
    weighted = projector @ (curvature / np.outer(root, root)) @ projector
    # the rigid motions are lifted out of the spectrum, so that they cannot mix with soft or imaginary modes
    lift = 10.0 + float(np.abs(weighted).sum(axis=0).max(initial=0.0)) * 10.0
    values, vectors = np.linalg.eigh(weighted + lift * rigid @ rigid.T)
    count = len(values) - rigid.shape[1]
    values, vectors = values[:count], vectors[:, :count]
    wavenumbers = np.sign(values) * np.sqrt(np.abs(values)) * WAVENUMBER
    cartesian = vectors / root[:, None]
    lengths = np.linalg.norm(cartesian, axis=0)
    directions = (cartesian / lengths).T.reshape(count, len(m), 3)
    return Modes(wavenumbers, directions, values / lengths**2)


def _rigid(m: Floats, positions: Floats) -> Floats:
    """(3N, 3…6) orthonormal mass-weighted translations and rotations; five for a linear molecule, three for an atom."""
    root = np.sqrt(m)
    centred = positions - np.average(positions, axis=0, weights=m)
    columns = []
    for axis in np.eye(3):
        columns.append((root[:, None] * axis).ravel())
    for axis in np.eye(3):
        columns.append((root[:, None] * np.cross(axis, centred)).ravel())
    left, sizes, _ = np.linalg.svd(np.array(columns).T, full_matrices=False)
    result: Floats = left[:, sizes > 1e-4 * sizes.max(initial=0.0)]
    return result
