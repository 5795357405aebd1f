"""Compiled loops over the geometries of a whole data set: bonds, graphs, nearest atoms, what rotation leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.learning._molecule_graph_loops import MOST, SALT, graph_hash, graph_parts, join, mix, skeleton_hashes

Array = NDArray[Any]

BLOCKS = 6
"""Numbers by which equal geometries are found."""
CROWD = 8
"""Neighbours of each atom, on the average, above which a geometry is no molecule's: no bonds are chosen there."""
REACH = 6.0
"""Å; farther atoms are not looked for in crystals."""
WHOLE = 200
"""Atoms up to which all pairs of a molecule are compared."""
FAR = 6.0
"""Å; farther atoms are not looked for in larger molecules."""


@njit(nogil=True, cache=True)
def order_of(values: Array) -> Array:
    """The order that sorts (n,) float64: Shell's method, which compiles in a tenth of the time of a library's."""
    n = len(values)
    order = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            item = order[i]
            j = i
            while j >= gap and values[order[j - gap]] > values[item]:
                order[j] = order[j - gap]
                j -= gap
            order[j] = item
        gap //= 3
    return order


@njit(nogil=True, cache=True)
def apart(r: Array, i: int, j: int) -> float:
    """Distance of two atoms."""
    x = r[i, 0] - r[j, 0]
    y = r[i, 1] - r[j, 1]
    z = r[i, 2] - r[j, 2]
    return float(np.sqrt(x * x + y * y + z * z))


@njit(nogil=True, cache=True)
def _part(i: int, j: int, neighbors: Array, degree: Array) -> None:
    for a, b in ((i, j), (j, i)):
        for t in range(degree[a]):
            if neighbors[a, t] == b:
                degree[a] -= 1
                neighbors[a, t] = neighbors[a, degree[a]]
                break


@njit(nogil=True, cache=True)
def _uncrowd(z: Array, r: Array, radii: Array, most: Array, metal: Array, neighbors: Array, degree: Array) -> None:
    """Drop the relatively longest bonds of atoms that have too many, as :func:`qmlstudio.chem.bonds.bonded_pairs`."""
    n = len(z)
    crowded = np.zeros(n, np.bool_)
    some = False
    for i in range(n):
        if degree[i] > most[z[i]]:
            crowded[i] = True
            for t in range(degree[i]):
                if metal[z[neighbors[i, t]]]:
                    crowded[i] = False
            some = some or crowded[i]
    while some:
        worst = -1.0
        one = -1
        two = -1
        for i in range(n):
            if not crowded[i] or degree[i] <= most[z[i]]:
                continue
            for t in range(degree[i]):
                j = neighbors[i, t]
                d = apart(r, i, j) / (radii[z[i]] + radii[z[j]])
                if d > worst:
                    worst = d
                    one = i
                    two = j
        if one < 0:
            return
        _part(one, two, neighbors, degree)


@njit(nogil=True, cache=True)
def _molecule_pairs(
    z: Array, r: Array, radii: Array, bonded: float, tight: float, nearest: Array, ratio: Array, neighbors: Array,
    degree: Array, close: Array, pair: Array,
) -> float:  # fmt: skip
    """Nearest atom of each, bonds, bonds by the tighter measure, the relatively closest pair and its measure."""
    n = len(z)
    along = np.empty(n)
    for i in range(n):
        along[i] = r[i, 0]
    order = order_of(along)
    reach = np.inf if n <= WHOLE else FAR
    least = np.inf
    for p in range(n):
        i = order[p]
        for q in range(p + 1, n):
            j = order[q]
            dx = r[j, 0] - r[i, 0]
            if dx > reach:
                break
            dy = r[j, 1] - r[i, 1]
            dz = r[j, 2] - r[i, 2]
            d = np.sqrt(dx * dx + dy * dy + dz * dz)
            part = radii[z[i]] + radii[z[j]]
            relative = d / part if part > 0 else np.inf
            if d < nearest[i]:
                nearest[i] = d
                ratio[i] = relative
            if d < nearest[j]:
                nearest[j] = d
                ratio[j] = relative
            if relative < bonded:
                join(i, j, neighbors, degree)
                if relative < tight:
                    close[i] += 1
                    close[j] += 1
            if relative < least:
                least = relative
                pair[0] = min(i, j)
                pair[1] = max(i, j)
    return least


@njit(nogil=True, cache=True)
def _crystal_pairs(
    z: Array, r: Array, cell: Array, radii: Array, nearest: Array, ratio: Array, pair: Array, blocks: Array
) -> float:
    """As :func:`_molecule_pairs` over all images within reach; `blocks` gets sums over neighbourhoods."""
    n = len(z)
    cross = np.empty((3, 3))
    for k in range(3):
        u = (k + 1) % 3
        v = (k + 2) % 3
        for t in range(3):
            p = (t + 1) % 3
            q = (t + 2) % 3
            cross[k, t] = cell[u, p] * cell[v, q] - cell[u, q] * cell[v, p]
    volume = abs(cell[0, 0] * cross[0, 0] + cell[0, 1] * cross[0, 1] + cell[0, 2] * cross[0, 2])
    layers = np.zeros(3, np.int64)
    span = 0.0
    low = np.empty(3)
    high = np.empty(3)
    for t in range(3):
        low[t] = r[0, t]
        high[t] = r[0, t]
        for i in range(n):
            low[t] = min(low[t], r[i, t])
            high[t] = max(high[t], r[i, t])
        span += (high[t] - low[t]) ** 2
    for k in range(3):
        area = np.sqrt(cross[k, 0] ** 2 + cross[k, 1] ** 2 + cross[k, 2] ** 2)
        if volume <= 0.0 or area <= 0.0:
            return np.inf
        # atoms need not lie inside the cell
        layers[k] = min(int(np.ceil((REACH + np.sqrt(span)) * area / volume)), 6)
    least = np.inf
    blocks[0] = (volume / n) ** (1.0 / 3.0)
    shift = np.empty(3)
    for u in range(-layers[0], layers[0] + 1):
        for v in range(-layers[1], layers[1] + 1):
            for w in range(-layers[2], layers[2] + 1):
                for t in range(3):
                    shift[t] = u * cell[0, t] + v * cell[1, t] + w * cell[2, t]
                gap = 0.0
                for t in range(3):
                    side = max(low[t] + shift[t] - high[t], low[t] - high[t] - shift[t], 0.0)
                    gap += side * side
                if gap > REACH * REACH:
                    continue
                for i in range(n):
                    for j in range(n):
                        if i == j and u == 0 and v == 0 and w == 0:
                            continue
                        square = 0.0
                        for t in range(3):
                            square += (r[j, t] + shift[t] - r[i, t]) ** 2
                        if square > REACH * REACH:
                            continue
                        d = np.sqrt(square)
                        part = radii[z[i]] + radii[z[j]]
                        relative = d / part if part > 0 else np.inf
                        if d < nearest[i]:
                            nearest[i] = d
                            ratio[i] = relative
                        if relative < least:
                            least = relative
                            pair[0] = min(i, j)
                            pair[1] = max(i, j)
                        x = (1.0 - d / REACH) ** 2
                        like = 1.0 if z[i] == z[j] else 0.0
                        blocks[1] += x / n
                        blocks[2] += like * x / n
                        blocks[3] += x * x / n
                        blocks[4] += like * x * x / n
                        blocks[5] += x * (z[i] * z[j]) ** 0.25 / n
    return least


@njit(nogil=True, cache=True)
def _radii_blocks(z: Array, r: Array, blocks: Array) -> None:
    """Distances from the centre, sorted element by element, and of each sixth of them the sum over √(its length).

    The sorted distances of two geometries, as vectors, are at most √N · RMSD apart whatever the order of their atoms
    and however they are turned, and so are their orthogonal projections, which these sums are.
    """
    n = len(z)
    middle = np.zeros(3)
    for i in range(n):
        for t in range(3):
            middle[t] += r[i, t] / n
    key = np.empty(n)
    radius = np.empty(n)
    for i in range(n):
        square = 0.0
        for t in range(3):
            square += (r[i, t] - middle[t]) ** 2
        radius[i] = np.sqrt(square)
        key[i] = z[i] * 1e6 + radius[i]
    order = order_of(key)
    for k in range(BLOCKS):
        start = k * n // BLOCKS
        stop = (k + 1) * n // BLOCKS
        if stop > start:
            total = 0.0
            for p in range(start, stop):
                total += radius[order[p]]
            blocks[k] = total / np.sqrt(stop - start)


@njit(nogil=True, cache=True)
def survey(
    numbers: Array,
    positions: Array,
    offsets: Array,
    cells: Array,
    radii: Array,
    most: Array,
    metal: Array,
    usual: Array,
    start: int,
    stop: int,
    bonded: float,
    tight: float,
    composition: Array,
    graphs: Array,
    parts: Array,
    closest: Array,
    pairs: Array,
    lonely: Array,
    lonely_atom: Array,
    spread: Array,
    crowded: Array,
    broken: Array,
    blocks: Array,
) -> None:
    """Look at the structures from `start` to `stop`.

    Parameters
    ----------
    cells : (n, 3, 3), or (0, 3, 3) where nothing is periodic
    radii, most, metal, usual : (256,)
        Covalent radii; neighbours above which the longest bonds are dropped; whether an element is a metal; neighbours
        of an atom that are usual.
    bonded, tight : float
        Atoms nearer than this times the sum of their radii are bonded, and surely bonded.
    composition : (n,) uint64
    graphs : (n, 3) uint64
        Of all atoms, of the heavier ones, of these with their hydrogens; 0 for crystals.
    parts : (n,) int32
        Connected parts; 0 for crystals.
    closest, pairs : (n,), (n, 2)
        Least ratio of a distance to the sum of radii, and between which atoms.
    lonely, lonely_atom : (n,)
        Largest distance of an atom from its nearest, Å, and which.
    spread : (n,)
        Mean ratio of the distance to the nearest atom to the sum of radii.
    crowded : (n, 2) int32
        An atom with too many neighbours, or -1, and how many it has.
    broken : (n,) int32
        An atom whose coordinates are not finite, or -1. Nothing else is known of such a structure.
    blocks : (n, 6) float32
    """
    for s in range(start, stop):
        a = offsets[s]
        n = offsets[s + 1] - a
        z = np.empty(n, np.int64)
        for i in range(n):
            z[i] = numbers[a + i]
        r = positions[a : a + n]
        total = mix(np.uint64(n))
        bad = -1
        for i in range(n):
            total += mix(np.uint64(z[i]) ^ SALT)
            if bad < 0 and not (np.isfinite(r[i, 0]) and np.isfinite(r[i, 1]) and np.isfinite(r[i, 2])):
                bad = i
        composition[s] = total
        broken[s] = bad
        crowded[s, 0] = -1
        if bad >= 0 or n == 0:
            continue
        nearest = np.full(n, np.inf)
        ratio = np.full(n, np.inf)
        pair = np.full(2, -1, np.int64)
        own = np.zeros(BLOCKS)
        periodic = False
        if len(cells) > 0:
            for k in range(9):
                periodic = periodic or cells[s, k // 3, k % 3] != 0.0
        if periodic:
            closest[s] = _crystal_pairs(z, r, cells[s], radii, nearest, ratio, pair, own)
        else:
            neighbors = np.empty((n, MOST), np.int64)
            degree = np.zeros(n, np.int64)
            close = np.zeros(n, np.int64)
            closest[s] = _molecule_pairs(
                z, r, radii, bonded, tight, nearest, ratio, neighbors, degree, close, pair
            )  # fmt: skip
            for i in range(n):
                if close[i] > usual[z[i]]:
                    lone = True
                    for t in range(degree[i]):
                        lone = lone and not metal[z[neighbors[i, t]]]
                    if lone:
                        crowded[s, 0] = i
                        crowded[s, 1] = close[i]
            bonds = 0
            for i in range(n):
                bonds += degree[i]
            if bonds <= CROWD * n:
                _uncrowd(z, r, radii, most, metal, neighbors, degree)
            label = np.empty(n, np.int64)
            parts[s] = graph_parts(n, neighbors, degree, label)
            labels = np.empty(n, np.uint64)
            for i in range(n):
                labels[i] = np.uint64(z[i])
            graphs[s, 0] = graph_hash(n, labels, neighbors, degree)
            graphs[s, 1], graphs[s, 2] = skeleton_hashes(z, np.zeros(n, np.int64), neighbors, degree)
            _radii_blocks(z, r, own)
        pairs[s, 0] = pair[0]
        pairs[s, 1] = pair[1]
        far = -1.0
        which = -1
        some = 0.0
        count = 0
        for i in range(n):
            if nearest[i] > far:
                far = nearest[i]
                which = i
            if np.isfinite(ratio[i]):
                some += ratio[i]
                count += 1
        lonely[s] = far
        lonely_atom[s] = which
        spread[s] = some / count if count > 0 else np.nan
        for k in range(BLOCKS):
            blocks[s, k] = own[k]


@njit(nogil=True, cache=True)
def fragments_of(z: Array, r: Array, radii: Array, most: Array, metal: Array, bonded: float, label: Array) -> int:
    """Connected parts of one molecule, and in `label` (n,) which atom is in which."""
    n = len(z)
    neighbors = np.empty((n, MOST), np.int64)
    degree = np.zeros(n, np.int64)
    close = np.zeros(n, np.int64)
    nearest = np.full(n, np.inf)
    ratio = np.full(n, np.inf)
    pair = np.full(2, -1, np.int64)
    _molecule_pairs(z, r, radii, bonded, 0.0, nearest, ratio, neighbors, degree, close, pair)
    _uncrowd(z, r, radii, most, metal, neighbors, degree)
    return int(graph_parts(n, neighbors, degree, label))


@njit(nogil=True, cache=True)
def net_forces(
    forces: Array, positions: Array, offsets: Array, start: int, stop: int, net: Array, torque: Array, size: Array
) -> None:
    """|Σ F|, |Σ (r − centre) × F| and √Σ F² of each structure from `start` to `stop`."""
    for s in range(start, stop):
        a = offsets[s]
        b = offsets[s + 1]
        middle = np.zeros(3)
        for i in range(a, b):
            for t in range(3):
                middle[t] += positions[i, t] / (b - a)
        f = np.zeros(3)
        m = np.zeros(3)
        square = 0.0
        for i in range(a, b):
            for t in range(3):
                f[t] += forces[i, t]
                square += forces[i, t] ** 2
                u = (t + 1) % 3
                v = (t + 2) % 3
                m[t] += (positions[i, u] - middle[u]) * forces[i, v] - (positions[i, v] - middle[v]) * forces[i, u]
        net[s] = np.sqrt(f[0] ** 2 + f[1] ** 2 + f[2] ** 2)
        torque[s] = np.sqrt(m[0] ** 2 + m[1] ** 2 + m[2] ** 2)
        size[s] = np.sqrt(square)
