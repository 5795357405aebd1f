"""What is measured of one set, by itself: everything that a comparison draws follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor
from qmlstudio.learning.geometry_counts import GeometryCounts, geometry_counts
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.comparison.composition import Composition, composition, molecule_count, tells_molecules
from qmlstudio.session.comparison.sets import (
    ComparisonSpec,
    DataPart,
    energy_column,
    force_column,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_PERIODIC = 5_000
"""Crystals whose distances and angles are counted: their images make them dear."""
FORCE_LOW, FORCE_DECADES, FORCE_BINS = -5, 9, 40
"""Forces are counted between 10^-5 and 10^4 eV/Å, in so many bins for each power of ten."""


@dataclass(frozen=True, eq=False)
class Energies:
    """Energies of one set.

    Attributes
    ----------
    column, unit : str
        As they stand in the data set.
    values : (m,) float64, eV
        Of those structures that have one.
    counts : (m, k) int64
        Their atoms of each element.
    elements : tuple of int
        The k elements.
    missing : int
        Structures without a finite energy.
    """

    column: str
    unit: str
    values: Floats
    counts: Ints
    elements: tuple[int, ...]
    missing: int


@dataclass(frozen=True, eq=False)
class Forces:
    """Norms of the forces on atoms.

    Attributes
    ----------
    column, unit : str
    counts : (bins,) int64
        On a logarithmic axis, see :func:`force_edges`.
    outside : int
        Norms of zero, or beyond the axis.
    missing : int
        Atoms whose force is no number.
    mean, largest : float, eV/Å
    """

    column: str
    unit: str
    counts: Ints
    outside: int
    missing: int
    mean: float
    largest: float


@dataclass(frozen=True, eq=False)
class SetMeasures:
    """One set's measures.

    Attributes
    ----------
    name : str
    structures : int
        All of the set.
    looked_at : int
        For energies and geometry: of large sets a part.
    geometry_of : int
        For distances and angles.
    molecules : int
    molecules_by : str
        What told them apart.
    composition : Composition
    geometry : GeometryCounts
    energies : Energies or None
    forces : Forces or None
    notes : tuple of str
        What was left out, and why something is missing.
    """

    name: str
    structures: int
    looked_at: int
    geometry_of: int
    molecules: int
    molecules_by: str
    composition: Composition
    geometry: GeometryCounts
    energies: Energies | None
    forces: Forces | None
    notes: tuple[str, ...] = ()


def force_edges() -> Floats:
    """(bins + 1,) edges of the bins of forces, eV/Å."""
    result: Floats = np.logspace(FORCE_LOW, FORCE_LOW + FORCE_DECADES, FORCE_DECADES * FORCE_BINS + 1)
    return result


def measures(part: DataPart, spec: ComparisonSpec, progress: Progress = SILENT) -> SetMeasures:
    """Measure a set.

    Raises
    ------
    ValueError
        A crystal's cell has no volume.
    """
    dataset, notes = part.dataset, []
    structures = dataset.structures
    rows = part.rows(spec.limit)
    if len(rows) < len(part):
        notes.append(f"{len(rows):,} of {len(part):,} structures, evenly spaced, were looked at")
    made = composition(dataset, part.mask, progress.part(0.0, 0.05))
    geometry_rows = rows
    if structures.cells is not None and len(rows) > MOST_PERIODIC:
        geometry_rows = rows[np.linspace(0, len(rows) - 1, MOST_PERIODIC).round().astype(np.int64)]
        notes.append(f"distances and angles of {len(geometry_rows):,} structures, evenly spaced")
    by_bonds = not tells_molecules(dataset)
    geometry = geometry_counts(
        structures,
        reach=spec.reach,
        length_step=spec.length_step,
        angle_step=spec.angle_step,
        rows=geometry_rows,
        graphs=by_bonds,
        progress=progress.part(0.05, 0.7),
    )
    if geometry.not_finite:
        notes.append(f"{geometry.not_finite:,} pairs of atoms have no distance: a coordinate is no number")
    if geometry.left_out:
        notes.append(f"{len(geometry.left_out)} rare elements have no distances and angles of their own")
    molecules, by = molecule_count(dataset, rows, geometry.graphs, progress.part(0.7, 0.8))
    if len(rows) < len(part) and by not in ("one trajectory", "none"):
        notes.append("molecules were counted among those looked at")
    energies, reason = _energies(part, rows, progress.part(0.8, 0.9))
    notes += [reason] if reason else []
    forces, reason = _forces(part, rows, progress.part(0.9, 1.0))
    notes += [reason] if reason else []
    progress(1.0)
    return SetMeasures(
        part.name,
        len(part),
        len(rows),
        len(geometry_rows),
        molecules,
        by,
        made,
        geometry,
        energies,
        forces,
        tuple(notes),
    )


def _energies(part: DataPart, rows: Ints, progress: Progress) -> tuple[Energies | None, str]:
    dataset = part.dataset
    name = part.energy or energy_column(dataset)
    if not name:
        return None, "no column of energies"
    p = dataset.properties.get(name)
    if p is None:
        return None, f"there is no column {name}"
    try:
        scale = factor(p.unit, "eV")
    except ValueError:
        return None, f"{name} has no unit of energy"
    values = np.asarray(p.values[rows], dtype=np.float64) * scale
    good = np.isfinite(values)
    counts, elements = _counts(dataset.structures, rows[good], progress)
    return Energies(name, p.unit, values[good], counts, elements, int(np.count_nonzero(~good))), ""


def _counts(structures: Structures, rows: Ints, progress: Progress) -> tuple[Ints, tuple[int, ...]]:
    """Atoms of each element in the given structures, (m, k), rows ascending."""
    found, parts = structures.element_counts()
    result = np.zeros((len(rows), len(found)), dtype=np.int64)
    for start, counts in parts:
        progress(start / max(len(structures), 1), "Energies")
        a, b = np.searchsorted(rows, (start, start + len(counts)))
        result[a:b] = counts[rows[a:b] - start]
    there = result.any(axis=0)
    return np.ascontiguousarray(result[:, there]), tuple(int(z) for z in found[there])


def _forces(part: DataPart, rows: Ints, progress: Progress) -> tuple[Forces | None, str]:
    column = force_column(part.dataset)
    if column is None:
        return None, ""
    name, p = column
    scale, offsets = factor(p.unit, "eV/Å"), part.dataset.structures.offsets
    bins = FORCE_DECADES * FORCE_BINS
    counts = np.zeros(bins, np.int64)
    outside, missing, total, largest, known = 0, 0, 0.0, 0.0, 0
    whole = len(rows) == len(part.dataset)
    for start, stop in slices(len(rows), progress, "Forces", first=1000):
        if whole:
            vectors = p.values[offsets[start] : offsets[stop]]
        else:
            chosen = rows[start:stop]
            sizes = offsets[chosen + 1] - offsets[chosen]
            ends = np.cumsum(sizes)
            vectors = p.values[np.repeat(offsets[chosen] - ends + sizes, sizes) + np.arange(int(ends[-1]))]
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * scale
        finite = norms[np.isfinite(norms)]
        missing += len(norms) - len(finite)
        with np.errstate(divide="ignore"):
            places = np.floor((np.log10(finite) - FORCE_LOW) * FORCE_BINS)
        inside = (places >= 0) & (places < bins)
        counts += np.bincount(places[inside].astype(np.int64), minlength=bins)
        outside += len(finite) - int(np.count_nonzero(inside))
        total += float(finite.sum())
        largest = max(largest, float(finite.max(initial=0.0)))
        known += len(finite)
    if known == 0:
        return None, f"no force in {name} is a number"
    return Forces(name, p.unit, counts, outside, missing, total / known, largest), ""


def per_atom(energies: Energies, atoms: dict[int, float]) -> Floats:
    """(m,) energies less those of the atoms, for each atom, eV; structures without atoms have none and are left out."""
    reference = np.array([atoms.get(z, 0.0) for z in energies.elements])
    sizes = energies.counts.sum(axis=1)
    there = sizes > 0
    rest: Floats = energies.values[there] - energies.counts[there] @ reference
    result: Floats = rest / sizes[there]
    return result


def fitted(energies: list[Energies]) -> dict[int, float]:
    """One energy for each element by least squares over all structures of the sets, eV."""
    elements = sorted({z for e in energies for z in e.elements})
    rows = []
    for e in energies:
        table = np.zeros((len(e.values), len(elements)), np.int64)
        table[:, [elements.index(z) for z in e.elements]] = e.counts
        rows.append(table)
    if not elements:
        return {}
    return _least_squares(np.concatenate(rows), np.concatenate([e.values for e in energies]), elements)


def _least_squares(counts: Ints, values: Floats, elements: list[int]) -> dict[int, float]:
    table = counts.astype(np.float64)
    # the normal equations: k × k however many structures there are
    slopes = np.linalg.lstsq(table.T @ table, table.T @ values, rcond=1e-12)[0]
    return dict(zip(elements, slopes.tolist(), strict=True))
