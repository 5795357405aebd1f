"""The covariance of energies and forces under a Gaussian process of energies, for features of whole structures.

With J = ∂x/∂R and Δ = x_a − x_b, in the slopes of `_force_loops`:

    ⟨E_a E_b⟩ = κ,   ⟨E_a F_b⟩ = −∂κ/∂R_b = −first (J_b Δ),   ⟨F_a F_b⟩ = first J_a J_bᵀ − second (J_a Δ)(J_b Δ)ᵀ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._threads import Team
from qmlstudio.learning.models._force_rows import Block, quiet
from qmlstudio.progress import Progress

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Blocks = Callable[[Progress], Iterator[Block]]

_TILE_ROWS = 384
"""Force components of a tile, by which its structures are counted."""


def covariance(
    blocks: Blocks,
    kind: int,
    sigma: float,
    energies: bool,
    forces: bool,
    counts: tuple[int, int],
    progress: Progress,
    team: Team,
) -> Floats:
    """(e + f, e + f) both halves: energies first, if there are any, then the forces' components.

    Parameters
    ----------
    blocks : callable
        The training structures anew, block by block; gradients of two blocks exist at a time.
    counts : (int, int)
        Structures and force components.
    """
    n, components = counts
    e = n if energies else 0
    size = e + (components if forces else 0)
    out = np.zeros((size, size))
    force_start = e
    for mine in blocks(progress):
        other_start = e
        # what the block shares with those before it, whose gradients are made again, and with itself
        others = blocks(quiet(progress)) if mine.start else iter(())
        for theirs in others:
            _fill(out, mine, theirs, kind, sigma, energies, forces, (force_start, other_start), team)
            other_start += int(theirs.forces[-1])
            if theirs.stop == mine.start:
                break
        _fill(out, mine, mine, kind, sigma, energies, forces, (force_start, force_start), team)
        force_start += int(mine.forces[-1])
    return out


def _fill(
    out: Floats,
    a: Block,
    b: Block,
    kind: int,
    sigma: float,
    energies: bool,
    forces: bool,
    force_starts: tuple[int, int],
    team: Team,
) -> None:
    """All that concerns structures of two blocks, of which `b` does not come after `a`."""
    pairs = [(p, q) for p in _tiles(a, forces) for q in _tiles(b, forces) if a is not b or q[0] <= p[0]]

    def work(pair: tuple[tuple[int, int], tuple[int, int]]) -> None:
        a.progress.check()
        _tile(out, a, b, pair, kind, sigma, energies, forces, force_starts)

    for start in range(0, len(pairs), 2 * team.threads):
        team.run(work, pairs[start : start + 2 * team.threads])
        a.progress(start / len(pairs), "Covariance of energies and forces")


def _tiles(block: Block, forces: bool) -> list[tuple[int, int]]:
    """Structures of a block in stretches."""
    count = block.stop - block.start
    if not forces:
        return [(k, min(k + _TILE_ROWS, count)) for k in range(0, count, _TILE_ROWS)]
    found, start = [], 0
    while start < count:
        stop = int(np.searchsorted(block.forces, block.forces[start] + _TILE_ROWS, side="right")) - 1
        stop = min(max(stop, start + 1), count)
        found.append((start, stop))
        start = stop
    return found


def _tile(
    out: Floats,
    a: Block,
    b: Block,
    pair: tuple[tuple[int, int], tuple[int, int]],
    kind: int,
    sigma: float,
    energies: bool,
    forces: bool,
    force_starts: tuple[int, int],
) -> None:
    from qmlstudio.learning.models import _force_loops as loops

    (a0, a1), (b0, b1) = pair
    values = np.empty((3, a1 - a0, b1 - b0))
    xa, xb = a.x[a0:a1], b.x[b0:b1]
    both = np.concatenate([xa, xb])
    loops.pair_terms(kind, sigma, both.ravel(), 0, a1 - a0, a1 - a0, a1 - a0 + b1 - b0, both.shape[1], values)
    rows_e, columns_e = slice(a.start + a0, a.start + a1), slice(b.start + b0, b.start + b1)
    if energies:
        out[rows_e, columns_e] = values[0]
        out[columns_e, rows_e] = values[0].T
    if not forces:
        return
    mine, theirs = _jacobian(a, a0, a1), _jacobian(b, b0, b1)
    d = mine.shape[1]
    rows, columns = a.forces[a0 : a1 + 1] - a.forces[a0], b.forces[b0 : b1 + 1] - b.forces[b0]
    left, right = np.empty((len(mine), b1 - b0)), np.empty((a1 - a0, len(theirs)))
    for k in range(a1 - a0):
        part = slice(rows[k], rows[k + 1])
        left[part] = mine[part] @ (xa[k, :d] - xb[:, :d]).T
    for k in range(b1 - b0):
        part = slice(columns[k], columns[k + 1])
        right[:, part] = (xa[:, :d] - xb[k, :d]) @ theirs[part].T
    low, other = force_starts[0] + int(a.forces[a0]), force_starts[1] + int(b.forces[b0])
    rows_f, columns_f = slice(low, low + len(mine)), slice(other, other + len(theirs))
    if energies:
        # ⟨E_a F_b⟩ and, with Δ turned round, ⟨E_b F_a⟩
        ours = -np.repeat(values[1], np.diff(columns), axis=1) * right
        out[rows_e, columns_f] = ours
        out[columns_f, rows_e] = ours.T
        ours = np.repeat(values[1], np.diff(rows), axis=0) * left
        out[rows_f, columns_e] = ours
        out[columns_e, rows_f] = ours.T
    products = mine @ theirs.T
    loops.curvature_tile(products, values[1], values[2], left, right, rows, columns)
    out[rows_f, columns_f] = products
    out[columns_f, rows_f] = products.T


def _jacobian(block: Block, start: int, stop: int) -> Floats:
    """(force components, d) of some structures."""
    return np.concatenate([block.jacobian(k)[0] for k in range(start, stop)])


def directions(blocks: Blocks, weights: Floats, width: int, count: int, progress: Progress) -> Floats:
    """(n, width) J_bᵀ β_b from the forces' weights β."""
    found, start = np.zeros((count, width)), 0
    for block in blocks(progress):
        for index in range(block.stop - block.start):
            jacobian: Any = block.jacobian(index)[0]
            found[block.start + index, : jacobian.shape[1]] = weights[start : start + len(jacobian)] @ jacobian
            start += len(jacobian)
    return found
