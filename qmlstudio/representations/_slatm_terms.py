"""What SLATM's columns stand for, the numbers that its loops need, and the parts of one column in plain NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS

BLOCK = 8
"""Grid points that ``add_gaussian`` does at once."""
LEAD = 16
"""Room in a pair's curve for distances shorter than the first grid point."""
FIRST_DISTANCE = 0.1
"""Where the grid of distances begins, Å; it ends at the cutoff."""
FIRST_ANGLE, LAST_ANGLE = math.radians(-20.0), math.radians(200.0)
"""Ends of the grid of angles: with room for the Gaussians at 0° and 180°."""

_SMALLEST = -math.log(1e-16)
"""Gaussians are left out where they are below e^−this of what they can be elsewhere."""


@dataclass(frozen=True)
class ManyBody:
    """One type of term: an element, a pair, or an angle.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers: ascending, of an angle the middle atom's in the middle and the ends ascending.
    start, stop : int
        Its columns.
    """

    elements: tuple[int, ...]
    start: int
    stop: int

    @property
    def title(self) -> str:
        """ "C", "C–H", "H–C–H": at the ends carbon first, hydrogen last, the rest by atomic number."""
        first, *middle, last = self.elements if len(self.elements) > 1 else (*self.elements, 0)
        if not last:
            return SYMBOLS[first]
        first, last = sorted((first, last), key=lambda z: (z == 1, z != 6, z))
        return "–".join(SYMBOLS[z] for z in (first, *middle, last))


@lru_cache(maxsize=64)
def many_body_types(numbers: tuple[int, ...], counts: tuple[int, ...], n2: int, n3: int) -> tuple[ManyBody, ...]:
    """The types in the order of their columns: elements, pairs, angles (by their middle atom), each ascending.

    Of angles only those that some composition within `counts` can form.
    """
    count = dict(zip(numbers, counts, strict=True))
    pairs = [(a, b) for k, a in enumerate(numbers) for b in numbers[k:]]
    kinds: list[tuple[tuple[int, ...], int]] = [((z,), 1) for z in numbers] + [(pair, n2) for pair in pairs]
    for middle in numbers:
        for a, b in pairs:
            angle = (a, middle, b)
            if all(angle.count(z) <= count[z] for z in angle):
                kinds.append((angle, n3))
    found, start = [], 0
    for elements, size in kinds:
        found.append(ManyBody(elements, start, start + size))
        start += size
    return tuple(found)


def distance_grid(rcut: float, spacing: float) -> NDArray[np.float64]:
    """(n2,) Å, from 0.1 Å to the cutoff; the step is a little longer than `spacing`, such that both ends are points."""
    return np.linspace(FIRST_DISTANCE, rcut, int((rcut - FIRST_DISTANCE) / spacing) + 1)


def angle_grid(spacing: float) -> NDArray[np.float64]:
    """(n3,) rad, from −20° to 200°."""
    return np.linspace(FIRST_ANGLE, LAST_ANGLE, int((LAST_ANGLE - FIRST_ANGLE) / spacing) + 1)


@dataclass(frozen=True, eq=False)
class Constants:
    """What the loops need that depends on the parameters alone.

    Attributes
    ----------
    grid : (6,) float64
        First point, step and σ of the distances, then of the angles.
    blocks : (2,) int64
        How many times BLOCK grid points a Gaussian reaches on each side, of pairs and of angles.
    strides : (2,) int64
        Lengths of their curves with the room that windows need.
    factors : (2,) float64
        What is common to all pairs, and to all angles, beside charges.
    table2, table3 : (16 · blocks,) float64
        exp(−j² h² / 2σ²) for the points j of a window.
    flat, cosines : float64
        What ``add_gaussian`` weights with, along a whole curve: zeros, and cos x.
    power : (n2,) float64
        x^−p of the distances.
    """

    grid: NDArray[np.float64]
    blocks: NDArray[np.int64]
    strides: NDArray[np.int64]
    factors: NDArray[np.float64]
    table2: NDArray[np.float64]
    table3: NDArray[np.float64]
    flat: NDArray[np.float64]
    cosines: NDArray[np.float64]
    power: NDArray[np.float64]


@lru_cache(maxsize=64)
def constants(rcut: float, sigma2: float, sigma3: float, d2: float, d3: float, rpower: int, local: bool) -> Constants:
    """Made for these parameters; pairs count half in local rows."""
    distances = distance_grid(rcut, d2)
    n2, n3 = len(distances), len(angle_grid(d3))
    step2, step3 = (rcut - FIRST_DISTANCE) / (n2 - 1), (LAST_ANGLE - FIRST_ANGLE) / (n3 - 1)
    # a pair's Gaussian is multiplied by x^−p, which on the way to the first grid point grows by so much
    growth = rpower * math.log(rcut / FIRST_DISTANCE)
    blocks = []
    for sigma, step, points, smallest in (
        (sigma2, step2, n2 + LEAD, _SMALLEST + growth),
        (sigma3, step3, n3, _SMALLEST),
    ):
        reach = min(math.sqrt(2.0 * smallest) * sigma / step, points)
        blocks.append(math.ceil((reach + 1.0) / BLOCK))

    def table(half: int, step: float, sigma: float) -> NDArray[np.float64]:
        j = np.arange(-BLOCK * half, BLOCK * half)
        return np.asarray(np.exp(-0.5 * (j * step / sigma) ** 2))

    room = BLOCK * blocks[1]
    length2 = n2 + LEAD + 2 * BLOCK * blocks[0]
    normal = math.sqrt(2.0 * math.pi)
    return Constants(
        grid=np.array([FIRST_DISTANCE, step2, sigma2, FIRST_ANGLE, step3, sigma3]),
        blocks=np.array(blocks, dtype=np.int64),
        strides=np.array([length2, n3 + 2 * room], dtype=np.int64),
        factors=np.array([(0.5 if local else 1.0) * d2 / (normal * sigma2), d3 / (3.0 * normal * sigma3)]),
        table2=table(blocks[0], step2, sigma2),
        table3=table(blocks[1], step3, sigma3),
        flat=np.zeros(length2),
        cosines=np.cos(FIRST_ANGLE + step3 * np.arange(-room, n3 + room)),
        power=distances ** -float(rpower),
    )


def pair_parts(
    numbers: Any, positions: Any, elements: tuple[int, ...], rcut: float, only: int | None
) -> tuple[list[tuple[int, ...]], Any]:
    """All pairs of two elements closer than the cutoff, or those of one atom (first, then), and their distances."""
    first, second = (np.flatnonzero(numbers == z) for z in elements)
    i, j = (a.ravel() for a in np.meshgrid(first, second, indexing="ij"))
    r = np.linalg.norm(positions[i] - positions[j], axis=1)
    kept = (r < rcut) & ((i < j) | (elements[0] != elements[1]))
    if only is not None:
        kept &= (i == only) | (j == only)
    i, j, r = i[kept], j[kept], r[kept]
    if only is not None:
        i, j = np.where(i == only, i, j), np.where(i == only, j, i)
    return list(zip(i.tolist(), j.tolist(), strict=True)), r


def angle_parts(
    numbers: Any, positions: Any, elements: tuple[int, ...], rcut: float, only: int | None
) -> tuple[list[tuple[int, ...]], Any, Any, Any]:
    """All triples of three elements (middle in the middle) with no side above the cutoff, or those around one atom.

    With their angles, the products of the other two angles' cosines, and the products of the sides.
    """
    ends = [np.flatnonzero(numbers == z) for z in (elements[0], elements[2])]
    middle = np.flatnonzero(numbers == elements[1])
    if only is not None:
        middle = middle[middle == only]
    i, j, k = (a.ravel() for a in np.meshgrid(ends[0], middle, ends[1], indexing="ij"))
    kept = (i != j) & (k != j) & ((i < k) | (elements[0] != elements[2]))
    i, j, k = i[kept], j[kept], k[kept]
    a, b, c = positions[i] - positions[j], positions[k] - positions[j], positions[i] - positions[k]
    p, q, r = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    kept = (p <= rcut) & (q <= rcut) & (r <= rcut)
    i, j, k, a, b, c, p, q, r = (values[kept] for values in (i, j, k, a, b, c, p, q, r))
    theta = np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))
    cosines = (a * c).sum(axis=1) / (p * r) * -(b * c).sum(axis=1) / (q * r)
    return list(zip(i.tolist(), j.tolist(), k.tolist(), strict=True)), theta, cosines, p * q * r
