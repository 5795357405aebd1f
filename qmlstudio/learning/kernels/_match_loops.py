"""Loops that match the atoms of two structures: the best assignment, and the one of regularised entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

# isort: split
from numba import njit

from qmlstudio.representations._exp import exp

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@njit(nogil=True, cache=True)
def best_sum(tile: Array, top: int, bottom: int, left: int, right: int) -> float:
    """The largest sum of similarities of atoms matched one to one, ``tile[top:bottom, left:right]``.

    Atoms may stay alone: a negative similarity counts as none. Shortest augmenting paths (Jonker and Volgenant 1987),
    of the smaller side's atoms one after another.
    """
    turned = bottom - top > right - left
    n, m = (right - left, bottom - top) if turned else (bottom - top, right - left)
    u, v = np.zeros(n + 1), np.zeros(m + 1)
    # places are counted from 1; column 0 holds the row that looks for one
    owner, before = np.zeros(m + 1, dtype=np.int64), np.zeros(m + 1, dtype=np.int64)
    least, used = np.empty(m + 1), np.empty(m + 1, dtype=np.bool_)
    for i in range(1, n + 1):
        owner[0] = i
        j0 = 0
        least[:] = np.inf
        used[:] = False
        while True:
            used[j0] = True
            row = owner[j0]
            delta, j1 = np.inf, 0
            for j in range(1, m + 1):
                if not used[j]:
                    value = tile[top + j - 1, left + row - 1] if turned else tile[top + row - 1, left + j - 1]
                    cost = -max(value, 0.0) - u[row] - v[j]
                    if cost < least[j]:
                        least[j] = cost
                        before[j] = j0
                    if least[j] < delta:
                        delta = least[j]
                        j1 = j
            for j in range(m + 1):
                if used[j]:
                    u[owner[j]] += delta
                    v[j] -= delta
                else:
                    least[j] -= delta
            j0 = j1
            if owner[j0] == 0:
                break
        while j0:
            owner[j0] = owner[before[j0]]
            j0 = before[j0]
    total = 0.0
    for j in range(1, m + 1):
        if owner[j]:
            i = owner[j]
            value = tile[top + j - 1, left + i - 1] if turned else tile[top + i - 1, left + j - 1]
            total += max(value, 0.0)
    return total


@njit(nogil=True, cache=True)
def best_matches(
    tile: Array, starts: Integers, others: Integers, kinds: Integers, other_kinds: Integers, own: bool,
    diagonal: bool, first: int, atoms: int, out: Floats,
) -> int:  # fmt: skip
    """Best matches of pairs of structures, atoms of an element with those of the same one.

    Parameters
    ----------
    tile : (A, B)
        Similarities of the atoms.
    starts, others : (n + 1,), (m + 1,)
        Where each structure's atoms begin.
    kinds, other_kinds : (A,), (B,)
        Elements; of each structure they ascend.
    own, diagonal : bool
        Pairs j ≥ i only; pairs j = i only.
    first, atoms : int
        The pair to begin with (i · m + j), and how many pairs of atoms may be looked at before it returns.

    Returns
    -------
    int
        The next pair; n · m when all are done.
    """
    n, m = len(starts) - 1, len(others) - 1
    for pair in range(first, n * m):
        i, j = pair // m, pair % m
        if (own and j < i) or (diagonal and i != j):
            continue
        if atoms <= 0:
            return pair
        atoms -= (starts[i + 1] - starts[i]) * (others[j + 1] - others[j])
        total = 0.0
        p, q = starts[i], others[j]
        while p < starts[i + 1] and q < others[j + 1]:
            if kinds[p] < other_kinds[q]:
                p += 1
            elif kinds[p] > other_kinds[q]:
                q += 1
            else:
                p_end, q_end = p, q
                while p_end < starts[i + 1] and kinds[p_end] == kinds[p]:
                    p_end += 1
                while q_end < others[j + 1] and other_kinds[q_end] == other_kinds[q]:
                    q_end += 1
                total += best_sum(tile, p, p_end, q, q_end)
                p, q = p_end, q_end
        out[i, j] = total
    return n * m


@njit(nogil=True, cache=True)
def entropy_matches(
    tile: Array, starts: Integers, others: Integers, gamma: float, tolerance: float, limit: int, own: bool,
    diagonal: bool, first: int, atoms: int, state: Floats, out: Floats,
) -> int:  # fmt: skip
    """Regularised-entropy matches of pairs of structures by Sinkhorn's iteration; see :func:`best_matches`.

    `state` begins with how many iterations the first pair had when the last call ran out of its share of `atoms`;
    its scalings follow. A pair ends when both sums of the transport plan are right to `tolerance` (relative), or after
    `limit` iterations.
    """
    n, m = len(starts) - 1, len(others) - 1
    most = np.max(starts[1:] - starts[:-1]) if n else 0
    widest = np.max(others[1:] - others[:-1]) if m else 0
    plan = np.empty((most, widest))
    u, v = state[1 : 1 + most], state[1 + most :]
    row = np.empty(widest)
    for pair in range(first, n * m):
        i, j = pair // m, pair % m
        if (own and j < i) or (diagonal and i != j):
            continue
        if atoms <= 0:
            return pair
        a, b = starts[i], others[j]
        p, q = starts[i + 1] - a, others[j + 1] - b
        if p == 0 or q == 0:
            out[i, j] = 0.0
            continue
        for k in range(p):
            for t in range(q):
                plan[k, t] = exp((tile[a + k, b + t] - 1.0) / gamma)
        done = int(state[0])
        if done == 0:
            u[:p] = 1.0 / p
        while done < limit:
            if atoms <= 0:
                state[0] = done
                return pair
            atoms -= p * q
            row[:q] = 0.0
            for k in range(p):
                for t in range(q):
                    row[t] += plan[k, t] * u[k]
            for t in range(q):
                v[t] = 1.0 / (q * row[t])
            done += 1
            worst = 0.0
            for k in range(p):
                total = 0.0
                for t in range(q):
                    total += plan[k, t] * v[t]
                # the columns' sums are right after v; how wrong are the rows'?
                worst = max(worst, abs(u[k] * total * p - 1.0))
                u[k] = 1.0 / (p * total)
            if worst < tolerance:
                break
        state[0] = 0.0
        found = 0.0
        for k in range(p):
            for t in range(q):
                found += u[k] * plan[k, t] * v[t] * tile[a + k, b + t]
        out[i, j] = found
    return n * m
