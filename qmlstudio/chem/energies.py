"""Total, atomization and formation energies: one from another, and which of them a column holds.

An atomization energy is the total energy less that of the free atoms (negative when bound), so that levels of theory
can be compared; a formation energy is the atomization energy plus the experimental enthalpies of formation of the
gaseous atoms at 0 K. Both need the atoms' energies at the level of the total energies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.reference_atoms import FORMATION, LEVELS
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import ENERGY, factor
from qmlstudio.progress import SILENT, Progress

Floats = NDArray[np.float64]
Kind = Literal["total", "atomization", "formation"]
KINDS: tuple[Kind, ...] = ("total", "atomization", "formation")
_NEAR_TOTAL = 0.03
"""Binding, and the choice of the functional, change a total energy by less than this part of it."""


@dataclass(frozen=True)
class Guess:
    """What a column of energies seems to be.

    Attributes
    ----------
    kind : "total" or "atomization"
    unit : str
        In which the energies are plausible; empty when nothing is.
    slopes : dict of int to float
        Energy of each element's atom by least squares, in the column's own numbers.
    level : str
        Name of the level (see :data:`~qmlstudio.chem.reference_atoms.LEVELS`) whose free atoms are nearest, for total
        energies; empty when none is within 1 % of every element.
    """

    kind: Kind
    unit: str
    slopes: dict[int, float]
    level: str = ""


def counts_of(structures: Structures, progress: Progress = SILENT) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Atomic numbers that occur, ascending, and how many atoms of each every structure has, (n, k)."""
    found, parts = structures.element_counts()
    counts = np.zeros((len(structures), len(found)), dtype=np.int64)
    for start, part in parts:
        counts[start : start + len(part)] = part
        progress(start / max(len(structures), 1))
    return tuple(found.tolist()), counts


def atoms_energy(structures: Structures, atoms: Mapping[int, float], progress: Progress = SILENT) -> Floats:
    """(n,) sums of the atoms' energies; NaN where a structure has an element that `atoms` lacks."""
    numbers, counts = counts_of(structures, progress)
    total = np.zeros(len(structures))
    for k, z in enumerate(numbers):
        has = counts[:, k] > 0
        total[has] += counts[has, k] * atoms.get(z, np.nan)
    return total


def convert(
    values: Floats,
    structures: Structures,
    before: Kind,
    after: Kind,
    atoms: Mapping[int, float],
    unit: str,
    to: str = "",
    progress: Progress = SILENT,
) -> Floats:
    """Energies of one kind from another.

    Parameters
    ----------
    values : (n,) float, in `unit`
        Of whole structures.
    before, after : "total", "atomization" or "formation"
    atoms : mapping of int to float, Ha
        Energies of the free atoms at the level of the total energies; not needed between atomization and formation.
    unit, to : str
        Energy units; `to` empty: as before.

    Returns
    -------
    (n,) float
        NaN for structures with an element of which the reference is unknown.

    Raises
    ------
    ValueError
        A unit is none of energy.
    """
    to = to or unit
    for name in (unit, to):
        if name not in ENERGY:
            raise ValueError(f"{name or 'no unit'} is no unit of energy: one of {', '.join(ENERGY)}")
    result = np.asarray(values, dtype=np.float64) * factor(unit, to)
    if before == after:
        return result
    steps = KINDS.index(before), KINDS.index(after)
    if 0 in steps:  # between total and atomization
        free = atoms_energy(structures, atoms, progress) * factor("Ha", to)
        result = result - free if before == "total" else result + free
    if 2 in steps:  # between atomization and formation
        gaseous = atoms_energy(structures, FORMATION, progress) * factor("kcal/mol", to)
        # of the two corrections to a total energy the order does not matter
        result = result + gaseous if after == "formation" else result - gaseous
    return result


def missing_elements(structures: Structures, after: Kind, before: Kind, atoms: Mapping[int, float]) -> tuple[str, ...]:
    """Symbols of the elements without a reference for a conversion."""
    if before == after:
        return ()
    numbers = structures.species.numbers
    lacking = set()
    if "total" in (before, after):
        lacking |= {z for z in numbers if z not in atoms}
    if "formation" in (before, after):
        lacking |= {z for z in numbers if z not in FORMATION}
    return tuple(SYMBOLS[z] for z in sorted(lacking))


def fitted_atoms(values: Floats, structures: Structures, progress: Progress = SILENT) -> dict[int, float]:
    """Energy of each element's atom by least squares over the structures, in the values' unit ("dressed atoms").

    Structures without a finite value are left out. Of elements that cannot be told apart by the set (always in the
    same proportion) it is the solution of least norm.
    """
    numbers, counts = counts_of(structures, progress)
    good = np.isfinite(values)
    if not good.any() or not numbers:
        return {}
    rows, energies = counts[good].astype(np.float64), np.asarray(values, dtype=np.float64)[good]
    # the normal equations: k × k however many structures there are
    slopes = np.linalg.lstsq(rows.T @ rows, rows.T @ energies, rcond=1e-12)[0]
    return {z: float(s) for z, s in zip(numbers, slopes, strict=True)}


def guess(values: Floats, structures: Structures, progress: Progress = SILENT) -> Guess:
    """What a column of energies is, by comparison with the energies of free atoms.

    Total energies betray their unit: no chemistry makes a carbon atom of −37.8 Ha one of −37.8 eV. Atomization energies
    are a few eV an atom: their unit is the one in which the median atom is bound by 1.5 to 9 eV, if there is just one.
    """
    slopes = fitted_atoms(values, structures, progress)
    free = atoms_energy(structures, _TOTALS)
    good = np.isfinite(values) & np.isfinite(free) & (free < 0)
    ratio = float(np.median(values[good] / free[good])) if good.any() else 0.0
    for unit in ("Ha", "eV", "kcal/mol", "kJ/mol"):
        scale = factor(unit, "Ha")
        if abs(ratio * scale - 1) < _NEAR_TOTAL:
            return Guess("total", unit, slopes, _nearest_level({z: s * scale for z, s in slopes.items()}))
    sizes = structures.sizes
    good = np.isfinite(values) & (sizes > 0)
    per_atom = float(np.median(np.abs(values[good]) / sizes[good])) if good.any() else 0.0
    fitting = [u for u in ("Ha", "eV", "kcal/mol", "kJ/mol") if 1.5 <= per_atom * ENERGY[u] <= 9.0]
    return Guess("atomization", fitting[0] if len(fitting) == 1 else "", slopes)


def _nearest_level(slopes: Mapping[int, float]) -> str:
    """The level whose atoms are within 1 % of the fitted ones, nearest in sum; slopes in Ha.

    A fit to too few compositions tells nothing of the atoms, and then no level is near.
    """
    best, name = np.inf, ""
    for level in LEVELS.values():
        shared = [z for z in slopes if z > 1]
        if not shared or any(z not in level.atoms for z in slopes):
            continue
        off = [abs(slopes[z] / level.atoms[z] - 1) for z in shared]
        if max(off) < 0.01 and sum(off) < best:
            best, name = sum(off), level.name
    return name


_TOTALS: dict[int, float] = {
    1: -0.5,
    5: -24.65,
    6: -37.85,
    7: -54.59,
    8: -75.07,
    9: -99.73,
    14: -289.4,
    15: -341.3,
    16: -398.1,
    17: -460.1,
    35: -2574.1,
}
"""All-electron energies of free atoms to a few per mille, Ha, any density functional."""
