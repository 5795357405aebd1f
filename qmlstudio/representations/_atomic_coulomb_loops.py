"""Compiled loop of the atomic Coulomb matrix."""

from __future__ import annotations

import math
from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)
from qmlstudio.representations._drive import COINCIDENT

# isort: split
from numba import njit

BY_DISTANCE, BY_NORM = range(2)
SUM, MEAN, OFF = range(3)

_COINCIDENT2 = COINCIDENT**2
# Rounds a float64 to 36 bits (Veltkamp's splitting): distances that differ by less than 1.5e-11 become equal
_SPLIT = 2.0**17 + 1.0


def scratch_size(n: int, columns: int) -> int:
    """Doubles of scratch for structures of at most `n` atoms and rows of `columns`."""
    return 6 * n * n + columns


@njit(nogil=True, cache=True, error_model="numpy")
def damping(distance: float, cutoff: float, decay: float) -> float:
    """1 up to cutoff − decay, half a cosine down to 0 at the cutoff."""
    if distance > cutoff:
        return 0.0
    if distance > cutoff - decay:
        return 0.5 * (1.0 + math.cos(math.pi * (distance - cutoff + decay) / decay))
    return 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def rank_neighbors(
    size: int, distances: Any, cutoff: float, by_norm: bool, bare: Any, factors: Any, keys: Any, ranks: Any
) -> None:
    """Place of atom i among the rows of centre c into ``ranks[i, c]``; those beyond the cutoff come last.

    Equal keys keep the file's order. Everything goes over all centres side by side. `factors`: damping of atom i by
    its distance from centre c; read where rows are sorted by norm.
    """
    for i in range(size):
        for c in range(size):
            ranks[i, c] = 0.0
            keys[i, c] = distances[i, c]
    if by_norm:
        for i in range(size):
            for j in range(size):
                square = bare[i, j] * bare[i, j]
                for c in range(size):
                    ranks[i, c] += square * factors[j, c] * factors[j, c]
            for c in range(size):
                keys[i, c] = -factors[i, c] * math.sqrt(ranks[i, c])
                ranks[i, c] = 0.0
    for i in range(size):
        for c in range(size):
            high = keys[i, c] * _SPLIT
            key = high - (high - keys[i, c])
            keys[i, c] = key if distances[i, c] < cutoff else math.inf
        keys[i, i] = -math.inf
    for i in range(size):
        for j in range(i):
            for c in range(size):
                ahead = 1.0 if keys[j, c] <= keys[i, c] else 0.0
                ranks[i, c] += ahead
                ranks[j, c] += 1.0 - ahead


@njit(nogil=True, cache=True, error_model="numpy")
def atomic_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    start: int,
    stop: int,
    step: int,
    unit: float,
    self_terms: Any,
    central: Any,
    mutual: Any,
    sorting: int,
    average: int,
    rows: Any,
    work: Any,
    out: Any,
) -> int:
    """Matrices around the atoms of structures ``start:stop:step`` into the rows of `out`.

    Parameters
    ----------
    central, mutual : (2,) float
        Cutoff and decay, Å, of distances to the central atom and between the others.
    rows : (N,) int64
        Scratch.

    Returns the first structure with atoms at the same place, or −1.
    """
    columns = out.shape[1]
    whole = average != OFF
    central_full, mutual_full = central[0] - central[1], mutual[0] - mutual[1]
    for structure in range(start, stop, step):
        first = offsets[structure]
        n = offsets[structure + 1] - first
        square_size = n * n
        distances, bare = work[:square_size].reshape(n, n), work[square_size : 2 * square_size].reshape(n, n)
        damped = work[2 * square_size : 3 * square_size].reshape(n, n)
        factors = work[3 * square_size : 4 * square_size].reshape(n, n)
        keys = work[4 * square_size : 5 * square_size].reshape(n, n)
        ranks = work[5 * square_size : 6 * square_size].reshape(n, n)
        total = work[6 * square_size : 6 * square_size + columns]
        # counted rather than compared one by one, so that the loop over j becomes vector instructions
        faded, weak = 0, 0
        for i in range(n):
            x, y, z = positions[first + i, 0], positions[first + i, 1], positions[first + i, 2]
            charge = unit * numbers[first + i]
            near = 0
            for j in range(i):
                dx, dy, dz = positions[first + j, 0] - x, positions[first + j, 1] - y, positions[first + j, 2] - z
                square = dx * dx + dy * dy + dz * dz
                near += square <= _COINCIDENT2
                r = math.sqrt(square)
                distances[i, j] = r
                bare[i, j] = charge * numbers[first + j] / r
                faded += r > central_full
                weak += r > mutual_full
            if near > 0:
                return structure
            distances[i, i] = 0.0
            bare[i, i] = self_terms[numbers[first + i]]
        for i in range(n):
            for j in range(i):
                if weak > 0:
                    bare[i, j] *= damping(distances[i, j], mutual[0], mutual[1])
                distances[j, i] = distances[i, j]
                bare[j, i] = bare[i, j]
        is_cut = faded > 0
        matrix = damped if is_cut else bare
        for i in range(n):
            for j in range(i):
                factors[i, j] = factors[j, i] = damping(distances[i, j], central[0], central[1]) if is_cut else 1.0
            factors[i, i] = 1.0
        rank_neighbors(n, distances, central[0], sorting == BY_NORM, bare, factors, keys, ranks)
        if whole:
            for t in range(columns):
                total[t] = 0.0
        for centre in range(n):
            count = 0
            for i in range(n):
                rows[int(ranks[i, centre])] = i
                if keys[i, centre] < math.inf:
                    count += 1
            if is_cut:
                for i in range(n):
                    factor = factors[centre, i]
                    for j in range(n):
                        damped[i, j] = bare[i, j] * factor * factors[centre, j]
            t = 0
            if whole:
                for p in range(count):
                    row = matrix[rows[p]]
                    for q in range(p + 1):
                        total[t + q] += row[rows[q]]
                    t += p + 1
            else:
                for p in range(count):
                    row = matrix[rows[p]]
                    for q in range(p + 1):
                        out[first + centre, t + q] = row[rows[q]]
                    t += p + 1
                for k in range(t, columns):
                    out[first + centre, k] = 0.0
        if whole:
            scale = 1.0 / n if average == MEAN and n > 0 else 1.0
            for t in range(columns):
                out[structure, t] = total[t] * scale
    return -1
