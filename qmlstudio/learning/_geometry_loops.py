"""Compiled loops of :mod:`qmlstudio.learning.geometry_counts`: distances, angles, bonds, graphs of molecules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

Array = NDArray[Any]

ROUNDS = 3
"""Times that the colours of a graph's atoms are refined."""

_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def mixed(x: Any) -> Any:
    """64 bits well mixed (the last steps of splitmix64: Steele, Lea, Flood, Proc. OOPSLA 453 (2014))."""
    x = (x ^ (x >> np.uint64(30))) * _A
    x = (x ^ (x >> np.uint64(27))) * _B
    return x ^ (x >> np.uint64(31))


@njit(nogil=True, cache=True)
def count_distance(r: float, per: float, table: Array) -> None:
    """Add one to the bin of a distance; the last two bins are for what is beyond the others, and for NaN."""
    bins = len(table) - 2
    if not np.isfinite(r):
        table[bins + 1] += 1
    elif r * per >= bins:
        table[bins] += 1
    else:
        table[int(r * per)] += 1


@njit(nogil=True, cache=True)
def count_angle(xa: float, ya: float, za: float, xb: float, yb: float, zb: float, per: float, table: Array) -> None:
    """Add one to the bin of the angle between two vectors; 180° is in the last. None is counted at a length of 0."""
    lengths = np.sqrt((xa * xa + ya * ya + za * za) * (xb * xb + yb * yb + zb * zb))
    if lengths > 0.0 and np.isfinite(lengths):
        cosine = min(max((xa * xb + ya * yb + za * zb) / lengths, -1.0), 1.0)
        table[min(int(np.degrees(np.arccos(cosine)) * per), len(table) - 1)] += 1


@njit(nogil=True, cache=True)
def _uncrowd(
    z: Array, count: int, first: Array, second: Array, relative: Array, degree: Array, most: Array, non_metal: Array
) -> int:
    """Drop the relatively longest bonds of atoms that have too many; returns how many are left."""
    n = len(z)
    any_crowded = False
    crowded = np.empty(n, np.bool_)
    for i in range(n):
        crowded[i] = degree[i] > most[z[i]]
        any_crowded |= crowded[i]
    if not any_crowded:
        return count
    for b in range(count):
        i, j = first[b], second[b]
        if not non_metal[z[j]]:
            crowded[i] = False
        if not non_metal[z[i]]:
            crowded[j] = False
    # degrees only fall, so that a bond that is kept now is kept for good: the longest in question goes, again and again
    while True:
        longest = -1
        for b in range(count):
            i, j = first[b], second[b]
            drop = (crowded[i] and degree[i] > most[z[i]]) or (crowded[j] and degree[j] > most[z[j]])
            if drop and (longest < 0 or relative[b] > relative[longest]):
                longest = b
        if longest < 0:
            return count
        degree[first[longest]] -= 1
        degree[second[longest]] -= 1
        for b in range(longest, count - 1):
            first[b], second[b], relative[b] = first[b + 1], second[b + 1], relative[b + 1]
        count -= 1


@njit(nogil=True, cache=True)
def adjacency(count: int, first: Array, second: Array, starts: Array, ends: Array) -> None:
    """Neighbours of every atom: those of atom i are ``ends[starts[i]:starts[i + 1]]``."""
    n = len(starts) - 1
    for i in range(n + 1):
        starts[i] = 0
    for b in range(count):
        starts[first[b] + 1] += 1
        starts[second[b] + 1] += 1
    for i in range(n):
        starts[i + 1] += starts[i]
    # each start runs to its end, and is then put back
    for b in range(count):
        i, j = first[b], second[b]
        ends[starts[i]] = j
        starts[i] += 1
        ends[starts[j]] = i
        starts[j] += 1
    for i in range(n, 0, -1):
        starts[i] = starts[i - 1]
    starts[0] = 0


@njit(nogil=True, cache=True)
def count_angles(z: Array, r: Array, starts: Array, ends: Array, places: Array, per: float, angles: Array) -> None:
    """Angles of all triples of bonded atoms. `angles` (k, k, k, bins): centre, then the ends with the lower first."""
    for c in range(len(z)):
        centre = places[z[c]]
        if centre < 0:
            continue
        for s in range(starts[c], starts[c + 1]):
            a = ends[s]
            one = places[z[a]]
            if one < 0:
                continue
            for t in range(s + 1, starts[c + 1]):
                b = ends[t]
                two = places[z[b]]
                if two >= 0:
                    count_angle(
                        r[a, 0] - r[c, 0],
                        r[a, 1] - r[c, 1],
                        r[a, 2] - r[c, 2],
                        r[b, 0] - r[c, 0],
                        r[b, 1] - r[c, 1],
                        r[b, 2] - r[c, 2],
                        per,
                        angles[centre, min(one, two), max(one, two)],
                    )


@njit(nogil=True, cache=True)
def graph_hash(z: Array, starts: Array, ends: Array) -> Any:
    """A number for a graph of elements and bonds that does not depend on the order of its atoms.

    Colours of atoms are refined by those of all others, each with its distance in bonds; this tells apart what
    refinement by neighbours alone does not (decalin from bicyclopentyl).
    """
    n = len(z)
    apart = np.empty((n, n), np.uint64)  # 0: another fragment; else bonds between them, and one
    queue = np.empty(n, np.int64)
    for i in range(n):
        for j in range(n):
            apart[i, j] = 0
        apart[i, i] = 1
        queue[0] = i
        read, write = 0, 1
        while read < write:
            a = queue[read]
            read += 1
            for t in range(starts[a], starts[a + 1]):
                b = ends[t]
                if apart[i, b] == 0:
                    apart[i, b] = apart[i, a] + np.uint64(1)
                    queue[write] = b
                    write += 1
    colors = np.empty(n, np.uint64)
    new = np.empty(n, np.uint64)
    for i in range(n):
        colors[i] = mixed(np.uint64(z[i]) + _STEP)
    for _ in range(ROUNDS):
        for i in range(n):
            total = colors[i] * _A
            for j in range(n):
                total += mixed(colors[j] + apart[i, j] * _STEP)
            new[i] = mixed(total)
        for i in range(n):
            colors[i] = new[i]
    total = mixed(np.uint64(n))
    for i in range(n):
        total += mixed(colors[i])
    return mixed(total)


@njit(nogil=True, cache=True)
def count_molecules(
    numbers: Array,
    positions: Array,
    offsets: Array,
    rows: Array,
    start: int,
    stop: int,
    largest: int,
    places: Array,
    radii: Array,
    most: Array,
    non_metal: Array,
    tolerance: float,
    per_length: float,
    per_degree: float,
    distances: Array,
    angles: Array,
    hashes: Array,
) -> None:
    """Add the molecules ``rows[start:stop]`` to the counts.

    Parameters
    ----------
    numbers, positions, offsets
        Of :class:`qmlstudio.chem.structures.Structures`.
    rows : (m,) int64
    largest : int
        Atoms of the largest of these molecules.
    places : (256,) int64
        Row of each element in the tables; −1: not counted.
    radii, most, non_metal : (256,)
        Covalent radii (Å), most neighbours, whether an element is a non-metal: as in :mod:`qmlstudio.chem.bonds`.
    per_length, per_degree : float
        Bins for each Å and each degree.
    distances : (k, k, bins + 2) int64
        Of the pair of elements with the lower row first; see :func:`count_distance`.
    angles : (k, k, k, bins) int64
        See :func:`count_angles`.
    hashes : (m,) uint64, or (0,)
        Filled by :func:`graph_hash` unless empty.
    """
    pairs = largest * (largest - 1) // 2
    first = np.empty(pairs, np.int64)
    second = np.empty(pairs, np.int64)
    relative = np.empty(pairs)
    ends = np.empty(2 * pairs, np.int64)
    all_starts = np.empty(largest + 1, np.int64)
    all_degrees = np.empty(largest, np.int64)
    for m in range(start, stop):
        a, b = offsets[rows[m]], offsets[rows[m] + 1]
        z, r = numbers[a:b], positions[a:b]
        n = b - a
        degree = all_degrees[:n]
        for i in range(n):
            degree[i] = 0
        count = 0
        for i in range(n):
            x, y, w = r[i, 0], r[i, 1], r[i, 2]
            one = places[z[i]]
            radius = radii[z[i]]
            for j in range(i + 1, n):
                dx, dy, dz = r[j, 0] - x, r[j, 1] - y, r[j, 2] - w
                square = dx * dx + dy * dy + dz * dz
                both = radius + radii[z[j]]
                two = places[z[j]]
                if one >= 0 and two >= 0:
                    count_distance(np.sqrt(square), per_length, distances[min(one, two), max(one, two)])
                if square < (tolerance * both) * (tolerance * both):
                    first[count], second[count] = i, j
                    relative[count] = np.sqrt(square) / both
                    count += 1
                    degree[i] += 1
                    degree[j] += 1
        count = _uncrowd(z, count, first, second, relative, degree, most, non_metal)
        starts = all_starts[: n + 1]
        adjacency(count, first, second, starts, ends)
        count_angles(z, r, starts, ends, places, per_degree, angles)
        if len(hashes):
            hashes[m] = graph_hash(z, starts, ends)


@njit(nogil=True, cache=True)
def count_rows(z: Array, r: Array, start: int, stop: int, places: Array, per_length: float, distances: Array) -> None:
    """Add the distances from the atoms ``start:stop`` of one large molecule to all later ones."""
    for i in range(start, stop):
        one = places[z[i]]
        if one < 0:
            continue
        for j in range(i + 1, len(z)):
            two = places[z[j]]
            if two >= 0:
                dx, dy, dz = r[j, 0] - r[i, 0], r[j, 1] - r[i, 1], r[j, 2] - r[i, 2]
                length = np.sqrt(dx * dx + dy * dy + dz * dz)
                count_distance(length, per_length, distances[min(one, two), max(one, two)])


@njit(nogil=True, cache=True)
def count_crystal(
    z: Array,
    r: Array,
    shifts: Array,
    start: int,
    stop: int,
    places: Array,
    radii: Array,
    tolerance: float,
    per_length: float,
    per_degree: float,
    distances: Array,
    angles: Array,
) -> None:
    """Add the atoms ``start:stop`` of one crystal with all images of its atoms to the counts.

    Every pair of one cell counts from both its ends, that is twice. `shifts` (s, 3) are the lattice translations, Å,
    the zero one first; what is beyond the last bin is not counted.
    """
    n = len(z)
    bins = distances.shape[2] - 2
    room = 64
    near = np.empty((room, 3))
    kinds = np.empty(room, np.int64)
    for i in range(start, stop):
        one = places[z[i]]
        if one < 0:
            continue
        count = 0
        for j in range(n):
            two = places[z[j]]
            if two < 0:
                continue
            limit = tolerance * (radii[z[i]] + radii[z[j]])
            for s in range(len(shifts)):
                if i == j and s == 0:
                    continue
                dx = r[j, 0] + shifts[s, 0] - r[i, 0]
                dy = r[j, 1] + shifts[s, 1] - r[i, 1]
                dz = r[j, 2] + shifts[s, 2] - r[i, 2]
                length = np.sqrt(dx * dx + dy * dy + dz * dz)
                if not np.isfinite(length) or length * per_length < bins:
                    count_distance(length, per_length, distances[min(one, two), max(one, two)])
                if length < limit and count < room:
                    near[count, 0], near[count, 1], near[count, 2] = dx, dy, dz
                    kinds[count] = two
                    count += 1
        for a in range(count):
            for b in range(a + 1, count):
                count_angle(
                    near[a, 0],
                    near[a, 1],
                    near[a, 2],
                    near[b, 0],
                    near[b, 1],
                    near[b, 2],
                    per_degree,
                    angles[one, min(kinds[a], kinds[b]), max(kinds[a], kinds[b])],
                )
