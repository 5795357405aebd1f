"""Compiled loops over molecular graphs: what does not depend on the order of their atoms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

Array = NDArray[Any]

MOST = 16
"""Neighbours of an atom that are kept."""
PATHS = 128
"""Atoms up to which graphs are told apart by the lengths of the paths between atoms, too."""

SALT = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xBF58476D1CE4E5B9)
_C = np.uint64(0x94D049BB133111EB)


@njit(nogil=True, cache=True)
def mix(x: Any) -> Any:
    """SplitMix64's finaliser: uint64 to uint64, every bit depends on every bit."""
    z = x + SALT
    z = (z ^ (z >> np.uint64(30))) * _B
    z = (z ^ (z >> np.uint64(27))) * _C
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def graph_hash(n: int, labels: Array, neighbors: Array, degree: Array) -> Any:
    """A hash of a labelled graph that does not depend on the order of its nodes.

    Weisfeiler and Lehman's colour refinement, started from the labels at each distance along the bonds: that tells
    decalin from bicyclopentyl, whose atoms all have equal neighbours.

    Parameters
    ----------
    labels : (n,) uint64
    neighbors : (n, m) int; the first `degree` of each row.
    """
    now = np.empty(n, np.uint64)
    new = np.empty(n, np.uint64)
    if n <= PATHS:
        queue = np.empty(n, np.int64)
        steps = np.empty(n, np.int64)
        for i in range(n):
            for j in range(n):
                steps[j] = -1
            steps[i] = 0
            queue[0] = i
            first = 0
            last = 1
            total = np.uint64(0)
            while first < last:
                a = queue[first]
                first += 1
                total += mix(labels[a] ^ mix(np.uint64(steps[a])))
                for t in range(degree[a]):
                    b = neighbors[a, t]
                    if steps[b] < 0:
                        steps[b] = steps[a] + 1
                        queue[last] = b
                        last += 1
            now[i] = mix(labels[i] ^ mix(total))
    else:
        for i in range(n):
            now[i] = mix(labels[i])
    rounds = 4 if n <= PATHS else 24
    for _ in range(rounds):
        for i in range(n):
            total = np.uint64(0)
            for t in range(degree[i]):
                total += mix(now[neighbors[i, t]] ^ _C)
            new[i] = mix(now[i] ^ mix(total))
        for i in range(n):
            now[i] = new[i]
    result = np.uint64(n)
    for i in range(n):
        result += mix(now[i] ^ _B)
    return mix(result)


@njit(nogil=True, cache=True)
def skeleton_hashes(numbers: Array, hydrogens: Array, neighbors: Array, degree: Array) -> tuple[Any, Any]:
    """Hashes of the graph without hydrogens on heavier atoms: of elements alone, and with the number of hydrogens.

    Parameters
    ----------
    numbers, hydrogens : (n,) int
        Elements, and hydrogens of each atom that are no atoms of the graph.
    """
    n = len(numbers)
    place = np.full(n, -1, np.int64)
    count = np.zeros(n, np.int64)
    kept = 0
    for i in range(n):
        bare = False
        if numbers[i] == 1 and degree[i] == 1:
            other = neighbors[i, 0]
            bare = numbers[other] > 1
            if bare:
                count[other] += 1
        if not bare:
            place[i] = kept
            kept += 1
    near = np.zeros((kept, neighbors.shape[1]), np.int64)
    bonds = np.zeros(kept, np.int64)
    plain = np.empty(kept, np.uint64)
    dressed = np.empty(kept, np.uint64)
    for i in range(n):
        k = place[i]
        if k < 0:
            continue
        plain[k] = np.uint64(numbers[i])
        dressed[k] = np.uint64(numbers[i] + 256 * (count[i] + hydrogens[i]))
        for t in range(degree[i]):
            other = place[neighbors[i, t]]
            if other >= 0:
                near[k, bonds[k]] = other
                bonds[k] += 1
    return graph_hash(kept, plain, near, bonds), graph_hash(kept, dressed, near, bonds)


@njit(nogil=True, cache=True)
def graph_parts(n: int, neighbors: Array, degree: Array, label: Array) -> int:
    """Number of connected parts; `label` (n,) gets each atom's."""
    for i in range(n):
        label[i] = -1
    stack = np.empty(n, np.int64)
    parts = 0
    for i in range(n):
        if label[i] >= 0:
            continue
        label[i] = parts
        stack[0] = i
        size = 1
        while size > 0:
            size -= 1
            a = stack[size]
            for t in range(degree[a]):
                b = neighbors[a, t]
                if label[b] < 0:
                    label[b] = parts
                    stack[size] = b
                    size += 1
        parts += 1
    return parts


@njit(nogil=True, cache=True)
def join(i: int, j: int, neighbors: Array, degree: Array) -> None:
    """Make two atoms neighbours of each other, unless one has too many."""
    if degree[i] < MOST and degree[j] < MOST:
        neighbors[i, degree[i]] = j
        neighbors[j, degree[j]] = i
        degree[i] += 1
        degree[j] += 1


@njit(nogil=True, cache=True)
def drawn_graphs(
    atoms: Array, bonds: Array, numbers: Array, hydrogens: Array, ends: Array, start: int, stop: int, graphs: Array,
    composition: Array,
) -> None:  # fmt: skip
    """:func:`skeleton_hashes` and composition of graphs that were written down.

    Parameters
    ----------
    atoms, bonds : (n + 1,) int64
        Offsets into `numbers` and `hydrogens`, and into `ends` (m, 2), whose indices count from the graph's first atom.
    graphs : (n, 2) uint64
    composition : (n,) uint64
    """
    for s in range(start, stop):
        a = atoms[s]
        n = atoms[s + 1] - a
        neighbors = np.empty((n, MOST), np.int64)
        degree = np.zeros(n, np.int64)
        for e in range(bonds[s], bonds[s + 1]):
            join(ends[e, 0], ends[e, 1], neighbors, degree)
        graphs[s, 0], graphs[s, 1] = skeleton_hashes(numbers[a : a + n], hydrogens[a : a + n], neighbors, degree)
        count = n
        total = np.uint64(0)
        for i in range(a, a + n):
            total += mix(np.uint64(numbers[i]) ^ SALT) + np.uint64(hydrogens[i]) * mix(np.uint64(1) ^ SALT)
            count += hydrogens[i]
        composition[s] = total + mix(np.uint64(count))
