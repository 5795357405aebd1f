"""How often each distance between two elements, and each angle between bonds, occurs in a set of structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem import bonds
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress, slices

Ints = NDArray[np.int64]

MOST_ELEMENTS = 20
"""Elements whose pairs and triples are told apart; of sets with more the rarest are left out."""
LARGE = 128
"""Atoms of a molecule from which it is counted by itself, its bonds being found by a tree."""

Pair = tuple[int, int]
Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class GeometryCounts:
    """Histograms of distances and angles.

    Attributes
    ----------
    length_step, angle_step : float, Å and degrees
        Width of the bins, the first of which begins at 0.
    distances : dict of (Z, Z) to (bins,) int64
        Of all pairs of atoms of one structure (in crystals of all pairs in reach, from both ends), the lower of the
        two places in :func:`element_order` first.
    beyond : dict of (Z, Z) to int
        Pairs of molecules farther apart than the last bin.
    angles : dict of (Z, Z, Z) to (bins,) int64
        Of two bonds at one atom, which is the second of the three.
    graphs : (m,) uint64 or None
        A number for each structure's bond graph: equal for equal ones. None when it was not asked for, or where
        there is a crystal.
    structures : int
        How many were counted.
    not_finite : int
        Pairs without a distance, since a coordinate is no number.
    left_out : tuple of int
        Elements that were not counted.
    """

    length_step: float
    angle_step: float
    distances: dict[Pair, Ints]
    beyond: dict[Pair, int]
    angles: dict[Triple, Ints]
    graphs: NDArray[np.uint64] | None
    structures: int
    not_finite: int
    left_out: tuple[int, ...]


def element_order(number: int) -> tuple[int, int]:
    """Sorts elements as chemists name pairs: carbon first, hydrogen last, the others by their number."""
    return (0 if number == 6 else 2 if number == 1 else 1), number


def label(elements: tuple[int, ...]) -> str:
    """ "C–H", "H–C–H"."""
    return "–".join(SYMBOLS[z] for z in elements)


def geometry_counts(
    structures: Structures,
    *,
    reach: float = 6.0,
    length_step: float = 0.02,
    angle_step: float = 1.0,
    rows: Ints | None = None,
    graphs: bool = True,
    progress: Progress = SILENT,
) -> GeometryCounts:
    """Count distances and angles.

    Parameters
    ----------
    structures : Structures
        Bonds are those of :func:`qmlstudio.chem.bonds.perceive_bonds`; in crystals without its correction of crowded
        atoms.
    reach : float, Å
    length_step, angle_step : float, Å and degrees
    rows : (m,) int64, optional
        The structures to count; all when not given.
    graphs : bool
        Also number the bond graphs.

    Raises
    ------
    ValueError
        For a cell without volume, or one of which the reach takes too many images.
    """
    from qmlstudio.learning import _geometry_loops as loops

    chosen = np.arange(len(structures), dtype=np.int64) if rows is None else np.asarray(rows, dtype=np.int64)
    order, left_out = _elements(structures)
    k = len(order)
    places = np.full(256, -1, dtype=np.int64)
    places[order] = np.arange(k)
    bins, angle_bins = max(1, round(reach / length_step)), max(1, round(180.0 / angle_step))
    distances = np.zeros((k, k, bins + 2), dtype=np.int64)
    angles = np.zeros((k, k, k, angle_bins), dtype=np.int64)
    sizes = structures.sizes[chosen]
    periodic = np.zeros(len(chosen), dtype=np.bool_)
    if structures.cells is not None:
        periodic[:] = np.asarray(structures.cells[chosen]).any(axis=(1, 2))
    wanted = graphs and not bool(periodic.any())
    hashes = np.zeros(len(chosen) if wanted else 0, dtype=np.uint64)
    per_length, per_degree = 1.0 / length_step, 1.0 / angle_step
    ordinary = np.flatnonzero(~periodic & (sizes <= LARGE))
    numbers, positions, offsets = (
        np.asarray(a) for a in (structures.numbers, structures.positions, structures.offsets)
    )
    radii, most, non_metal = bonds.bond_tables()
    plain = chosen[ordinary]
    largest = int(sizes[ordinary].max(initial=0))
    own = np.zeros(len(plain) if wanted else 0, dtype=np.uint64)
    share = len(plain) / max(len(chosen), 1)
    for start, stop in slices(len(plain), progress.part(0.0, share), "Distances and angles", first=64):
        loops.count_molecules(
            numbers,
            positions,
            offsets,
            plain,
            start,
            stop,
            largest,
            places,
            radii,
            most,
            non_metal,
            bonds.TOLERANCE,
            per_length,
            per_degree,
            distances,
            angles,
            own,
        )
    if wanted:
        hashes[ordinary] = own
    twice = np.zeros_like(distances) if periodic.any() else distances[:, :, :0]
    others = np.flatnonzero(periodic | (sizes > LARGE))
    part = progress.part(share, 1.0)
    for done, at in enumerate(others.tolist()):
        part(done / len(others), "Distances and angles")
        row = int(chosen[at])
        a, b = int(offsets[row]), int(offsets[row + 1])
        z, r = np.ascontiguousarray(numbers[a:b]), np.ascontiguousarray(positions[a:b])
        inside = part.part(done / len(others), (done + 1) / len(others))
        if periodic[at]:
            shifts = _shifts(structures, row, reach)
            for start, stop in slices(len(z), inside, first=4):
                loops.count_crystal(
                    z, r, shifts, start, stop, places, radii, bonds.TOLERANCE, per_length, per_degree, twice, angles
                )
            continue
        for start, stop in slices(len(z), inside, first=64):
            loops.count_rows(z, r, start, stop, places, per_length, distances)
        starts, ends = _large_bonds(z, r)
        loops.count_angles(z, r, starts, ends, places, per_degree, angles)
        if wanted:
            # the refinement grows with the square of the size: all bonds and the elements must do here
            hashes[at] = _sorted_hash(z, starts, ends)
    if periodic.any():
        distances += twice // 2
    return _result(distances, angles, order, left_out, length_step, angle_step, hashes if wanted else None, len(chosen))


def _elements(structures: Structures) -> tuple[list[int], tuple[int, ...]]:
    """The elements that are counted, in their order, and those that are not."""
    totals = np.zeros(256, dtype=np.int64)
    numbers = structures.numbers
    for start in range(0, len(numbers), 1 << 20):
        totals += np.bincount(numbers[start : start + (1 << 20)], minlength=256)
    found = np.flatnonzero(totals)
    frequent = found[np.argsort(-totals[found], kind="stable")][:MOST_ELEMENTS]
    order = sorted(frequent.tolist(), key=element_order)
    return order, tuple(sorted(set(found.tolist()) - set(order)))


def _shifts(structures: Structures, row: int, reach: float) -> NDArray[np.float64]:
    from qmlstudio.representations._neighbors import lattice_images

    try:
        return lattice_images(structures.take([row]), reach).shifts
    except ValueError as error:
        text = str(error).partition(": ")[2]
        raise ValueError(f"structure {row + 1} (index {row}): {text}") from None


def _large_bonds(z: Any, r: Any) -> tuple[Ints, Ints]:
    from qmlstudio.learning._geometry_loops import adjacency

    pairs = np.zeros((0, 2), np.int64)
    if np.isfinite(r).all():
        pairs = bonds.bonded_pairs(z, r).astype(np.int64)
    starts, ends = np.zeros(len(z) + 1, np.int64), np.zeros(2 * len(pairs), np.int64)
    adjacency(len(pairs), np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1]), starts, ends)
    return starts, ends


def _sorted_hash(z: Any, starts: Ints, ends: Ints) -> Any:
    """A number for a large graph: colours refined by those of the neighbours, a dozen times (Weisfeiler, Leman)."""
    import zlib

    colors = z.astype(np.uint64)
    owner = np.repeat(np.arange(len(z)), np.diff(starts))
    for _ in range(12):
        near = np.zeros(len(z), np.uint64)
        np.add.at(near, owner, colors[ends] * np.uint64(0x9E3779B97F4A7C15) ^ (colors[ends] >> np.uint64(29)))
        colors = colors * np.uint64(0xBF58476D1CE4E5B9) + near * np.uint64(0x94D049BB133111EB)
        colors ^= colors >> np.uint64(31)
    text = np.sort(colors).tobytes()
    return np.uint64(zlib.crc32(text)) | np.uint64(zlib.adler32(text)) << np.uint64(32)


def _result(
    distances: Ints,
    angles: Ints,
    order: list[int],
    left_out: tuple[int, ...],
    length_step: float,
    angle_step: float,
    graphs: NDArray[np.uint64] | None,
    count: int,
) -> GeometryCounts:
    lengths, beyond, bent, not_finite = {}, {}, {}, 0
    for i, a in enumerate(order):
        for j in range(i, len(order)):
            table = distances[i, j]
            not_finite += int(table[-1])
            if table[:-1].any():
                lengths[a, order[j]] = table[:-2].copy()
                beyond[a, order[j]] = int(table[-2])
    for c, i, j in np.argwhere(angles.any(axis=3)).tolist():
        bent[order[i], order[c], order[j]] = angles[c, i, j].copy()
    return GeometryCounts(length_step, angle_step, lengths, beyond, bent, graphs, count, not_finite, left_out)
