"""Geometry optimisation: scipy's BFGS, begun with a model of the Hessian. Atomic units."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.quantum.engines import CalculationError, Evaluation, System

Floats = NDArray[np.float64]

_DECAY = np.array([[1.0000, 0.3949, 0.3949], [0.3949, 0.2800, 0.2800], [0.3949, 0.2800, 0.2800]])
_LENGTH = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]])
_FLOOR = 0.03
"""Ha/bohr²: curvature of what the model does not know (torsions)."""
LONGEST = 0.4
"""bohr: no component moves further in one step; beyond, self-consistency is lost."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A minimum.

    Attributes
    ----------
    positions : (N, 3) float64, bohr
    evaluation : Evaluation
        There.
    steps : int
        Gradients that it took.
    """

    positions: Floats
    evaluation: Evaluation
    steps: int


def model_hessian(numbers: NDArray[np.int64], positions: Floats) -> Floats:
    """(3N, 3N) Ha/bohr²: springs between all pairs; R. Lindh et al., Chem. Phys. Lett. 241, 423 (1995)."""
    n = len(numbers)
    row = np.digitize(numbers, [3, 11])
    difference = positions[:, None] - positions[None, :]
    square = np.sum(difference**2, axis=2)
    np.fill_diagonal(square, 1.0)
    stiffness = 0.45 * np.exp(_DECAY[row[:, None], row] * (_LENGTH[row[:, None], row] ** 2 - square))
    np.fill_diagonal(stiffness, 0.0)
    stiffness = np.minimum(stiffness, 2.0)
    outer = difference[:, :, :, None] * difference[:, :, None, :] * (stiffness / square)[:, :, None, None]
    blocks = -outer
    blocks[np.arange(n), np.arange(n)] = outer.sum(axis=1)
    hessian: Floats = blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) + _FLOOR * np.eye(3 * n)
    return hessian


class _Enough(Exception):
    """The steps are used up."""


def relax(
    molecule: System, positions: Floats, tolerance: float, max_steps: int, beat: Callable[[float], None]
) -> Relaxed:
    """The minimum next to `positions`.

    Parameters
    ----------
    positions : (N, 3) float64, bohr
    tolerance : float, Ha/bohr
        Largest component of the gradient at the end.
    max_steps : int
        Gradients, at most.
    beat : callable (fraction)
        Called at each step.

    Raises
    ------
    CalculationError
        Not converged, or the electrons were not.
    """
    from scipy.optimize import minimize

    best: list[tuple[Floats, Evaluation]] = []
    count = 0

    def look(flat: Floats) -> tuple[float, Floats]:
        nonlocal count
        if count >= max_steps:
            raise _Enough
        count += 1
        beat(count / max_steps)
        found = molecule.evaluate(flat.reshape(-1, 3))
        assert found.gradient is not None
        slope = found.gradient.ravel()
        if not best or np.abs(slope).max() <= _worst(best[0][1]):
            best[:] = [(flat.reshape(-1, 3).copy(), found)]
        if np.abs(slope).max() <= tolerance:
            raise StopIteration
        return found.energy, slope

    place = np.asarray(positions, dtype=np.float64)
    for _ in range(4):  # a line search that loses its way begins anew where it was best
        inverse = np.linalg.inv(model_hessian(molecule.numbers, place))
        inverse = (inverse + inverse.T) / 2
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                minimize(
                    _limited(look, place.ravel()),
                    place.ravel(),
                    jac=True,
                    method="BFGS",
                    options={"gtol": tolerance, "hess_inv0": inverse, "maxiter": max_steps},
                )
        except StopIteration:
            return Relaxed(*best[0], count)
        except _Enough:
            break
        place = best[0][0]
    worst = _worst(best[0][1]) if best else np.nan
    raise CalculationError(f"not relaxed after {count} steps: largest force {worst * 51.42206747:.3g} eV/Å")


def _worst(found: Evaluation) -> float:
    assert found.gradient is not None
    return float(np.abs(found.gradient).max())


def _limited(look: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Callable[[Floats], tuple[float, Floats]]:
    """Refuses wild first steps of a line search with a steep wall instead of computing there."""
    last = start

    def limited(flat: Floats) -> tuple[float, Floats]:
        nonlocal last
        far = np.abs(flat - last).max()
        if far > 4 * LONGEST:
            wall = 1e3 * far
            return wall, np.sign(flat - last) * 1e3
        try:
            found = look(flat)
        except CalculationError:
            if flat is start or np.array_equal(flat, start):
                raise
            return 1e3 * far, np.sign(flat - last) * 1e3
        last = flat.copy()
        return found

    return limited
