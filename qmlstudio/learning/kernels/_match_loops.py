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


PLAIN = 10
"""Iterations before the first of Newton's steps, and after one that did not help (then twice as many, …)."""
NEWTON_ATOMS = 256
"""Above, a Newton step costs more than the iterations that it spares."""
LONGEST = 2.0
"""Change of a scaling's logarithm in one Newton step."""
STATE = 4
"""What `state` of :func:`entropy_matches` begins with: iterations done, when to step, how long to wait, an error."""


@njit(nogil=True, cache=True)
def newton_step(plan: Array, p: int, q: int, u: Floats, v: Floats, matrix: Floats, work: Floats) -> float:
    """One step of Newton's towards the scalings for which the plan's sums are right (Brauer et al., arXiv:1710.06635).

    `matrix` holds q², `work` p + 2 q numbers. Returns the largest change of the scalings' logarithms that was wanted;
    a step of more than LONGEST is shortened to it.
    """
    rows, columns, step = work[:p], work[p : p + q], work[p + q : p + 2 * q]
    rows[:] = 0.0
    columns[:] = 0.0
    for k in range(p):
        for t in range(q):
            plan_kt = u[k] * plan[k, t] * v[t]
            rows[k] += plan_kt
            columns[t] += plan_kt
    # the rows' unknowns eliminated; the last column's is free and stays 0
    last = q - 1
    for t in range(last):
        for s in range(last):
            matrix[t * last + s] = columns[t] if s == t else 0.0
        step[t] = 1.0 / q - columns[t]
    for k in range(p):
        wanted = (1.0 / p - rows[k]) / rows[k]
        scale = u[k] * u[k] / rows[k]
        for t in range(last):
            mine = plan[k, t] * v[t]
            step[t] -= u[k] * mine * wanted
            mine *= scale
            for s in range(last):
                matrix[t * last + s] -= mine * plan[k, s] * v[s]
    for t in range(last):
        for s in range(t):
            total = matrix[t * last + s]
            for r in range(s):
                total -= matrix[t * last + r] * matrix[s * last + r]
            matrix[t * last + s] = total / matrix[s * last + s]
        total = matrix[t * last + t]
        for r in range(t):
            total -= matrix[t * last + r] ** 2
        # parts of the plan that hardly touch leave nothing: a long step then, which is shortened below
        matrix[t * last + t] = np.sqrt(max(total, 1e-12 * columns[t]))
        total = step[t]
        for r in range(t):
            total -= matrix[t * last + r] * step[r]
        step[t] = total / matrix[t * last + t]
    for t in range(last - 1, -1, -1):
        total = step[t]
        for r in range(t + 1, last):
            total -= matrix[r * last + t] * step[r]
        step[t] = total / matrix[t * last + t]
    step[last] = 0.0
    longest = 0.0
    for k in range(p):
        total = 1.0 / p - rows[k]
        for t in range(q):
            total -= u[k] * plan[k, t] * v[t] * step[t]
        rows[k] = total / rows[k]
        longest = max(longest, abs(rows[k]))
    for t in range(q):
        longest = max(longest, abs(step[t]))
    shorter = LONGEST / max(longest, LONGEST)
    for k in range(p):
        u[k] *= np.exp(rows[k] * shorter)
    for t in range(q):
        v[t] *= np.exp(step[t] * shorter)
    return longest


@njit(nogil=True, cache=True)
def entropy_matches(
    tile: Array,
    starts: Integers,
    others: Integers,
    gamma: float,
    tolerance: float,
    limit: int,
    own: bool,
    diagonal: bool,
    first: int,
    atoms: int,
    state: Floats,
    out: Floats,
) -> int:
    """Regularised-entropy matches of pairs of structures by Sinkhorn's iteration; see :func:`best_matches`.

    The iteration takes thousands of rounds where atoms must go to what they are not like; Newton's steps between its
    rounds spare most of them. A pair ends when both sums of the transport plan are right to `tolerance` (relative), or
    after `limit` iterations. `state` is where the first pair was left when the last call ran out of its share of
    `atoms`; its scalings follow.
    """
    n, m = len(starts) - 1, len(others) - 1
    most = np.max(starts[1:] - starts[:-1]) if n else 0
    widest = np.max(others[1:] - others[:-1]) if m else 0
    plan, turned = np.empty((most, widest)), np.empty((widest, most))
    u, v = state[STATE : STATE + most], state[STATE + most :]
    columns, rows = np.empty(widest), np.empty(most)
    matrix, work = np.empty(min(widest, NEWTON_ATOMS) ** 2), np.empty(most + 2 * widest)
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
                turned[t, k] = plan[k, t]
        done = int(state[0])
        if done == 0:
            u[:p], v[:q] = 1.0 / p, 1.0 / q
            state[1], state[2], state[3] = PLAIN, PLAIN, np.inf
        while done < limit:
            if atoms <= 0:
                state[0] = done
                return pair
            atoms -= p * q
            done += 1
            worst = 0.0
            columns[:q] = 0.0
            for k in range(p):
                for t in range(q):
                    columns[t] += plan[k, t] * u[k]
            for t in range(q):
                better = 1.0 / (q * columns[t])
                worst = max(worst, abs(better / v[t] - 1.0))
                v[t] = better
            rows[:p] = 0.0
            for t in range(q):
                for k in range(p):
                    rows[k] += turned[t, k] * v[t]
            for k in range(p):
                better = 1.0 / (p * rows[k])
                worst = max(worst, abs(better / u[k] - 1.0))
                u[k] = better
            if worst < tolerance:
                break
            if done < state[1] or max(p, q) > NEWTON_ATOMS:
                continue
            if worst > 0.5 * state[3]:
                state[1], state[2], state[3] = done + state[2], 2.0 * state[2], np.inf
                continue
            atoms -= p * q * q // 4
            # a shortened step is on its way and need not have made things better
            state[3] = worst if newton_step(plan, p, q, u, v, matrix, work) < LONGEST else np.inf
        state[0] = 0.0
        found = 0.0
        for k in range(p):
            for t in range(q):
                found += u[k] * plan[k, t] * v[t] * tile[a + k, b + t]
        out[i, j] = found
    return n * m
