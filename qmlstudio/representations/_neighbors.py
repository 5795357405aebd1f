"""Which atoms surround an atom, periodic images included.

A molecule has one lattice translation (none), a crystal as many as can bring an atom within the cutoff. Loops go over
translations and atoms alike and so need not know which of both they are given::

    images = lattice_images(structures, r_cut)
    size = most_neighbors(structures, images, r_cut)
    ...  # in the loop, with buffers of that size
    count = gather_neighbors(i, start, stop, positions, shifts, offsets[s], offsets[s + 1], cut2, x, y, z, d2, j)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import _drive
from qmlstudio.representations._drive import COINCIDENT

# isort: split
from numba import njit

_COINCIDENT2 = COINCIDENT**2
_MOST_IMAGES = 20_000
"""Translations of one cell: a cutoff of many times its size is a slip, and would take hours."""


@dataclass(frozen=True, eq=False)
class Images:
    """Lattice translations of every structure.

    Attributes
    ----------
    shifts : (S, 3) float64, Å
        The first of every structure is zero.
    offsets : (n + 1,) int64
        Those of structure i are ``shifts[offsets[i] : offsets[i + 1]]``.
    """

    shifts: NDArray[np.float64]
    offsets: NDArray[np.int64]


def lattice_images(structures: Structures, r_cut: float) -> Images:
    """The translations with which an atom of a cell can come within `r_cut` (Å) of another one of it.

    A cell vector of zeros is no periodic direction (slabs, chains). Raises ValueError, naming the structure, for a
    cell without volume, and for a cutoff that needs more than 20,000 images of a cell.
    """
    n = len(structures)
    if structures.cells is None:
        return Images(np.zeros((n, 3)), np.arange(n + 1, dtype=np.int64))
    found = []
    counts = np.ones(n, dtype=np.int64)
    for index in range(n):
        cell = structures.cells[index]
        shifts = np.zeros((1, 3))
        if cell.any():
            positions = structures.positions[structures.offsets[index] : structures.offsets[index + 1]]
            shifts = _translations(np.asarray(cell), np.asarray(positions), r_cut, index)
        found.append(shifts)
        counts[index] = len(shifts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Images(np.concatenate(found) if found else np.zeros((0, 3)), offsets)


def _translations(cell: Any, positions: Any, r_cut: float, index: int) -> Any:
    """(s, 3) the translations of one cell, shortest first."""
    periodic = cell.any(axis=1)
    full = cell.copy()
    if not periodic.all():
        # complete the lattice by unit vectors perpendicular to the periodic directions
        _, _, basis = np.linalg.svd(cell[periodic])
        full[~periodic] = basis[int(periodic.sum()) :]
    lengths = np.linalg.norm(full, axis=1)
    if abs(np.linalg.det(full / lengths[:, None])) < 1e-8:
        raise ValueError(f"structure {index + 1} (index {index}): the cell has no volume; correct its lattice vectors")
    inverse = np.linalg.inv(full)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    fractional = positions @ inverse
    span = np.ptp(fractional, axis=0) if len(positions) else np.zeros(3)
    reach = np.where(periodic, np.floor(r_cut / heights + span + 1e-9), 0.0)
    total = float(np.prod(2 * reach + 1))
    if not total <= 64 * _MOST_IMAGES:
        raise _too_many(index, r_cut)
    steps = [np.arange(-k, k + 1) for k in reach]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = grid @ full
    length = np.linalg.norm(shifts, axis=1)
    diameter = 0.0
    if len(positions):
        diameter = 2.0 * float(np.linalg.norm(positions - positions.mean(axis=0), axis=1).max())
    keep = np.flatnonzero(length <= r_cut + diameter + 1e-9)
    if len(keep) > _MOST_IMAGES:
        raise _too_many(index, r_cut)
    keep = keep[np.argsort(length[keep], kind="stable")]
    return shifts[keep]


def _too_many(index: int, r_cut: float) -> ValueError:
    return ValueError(
        f"structure {index + 1} (index {index}): a cutoff of {r_cut:g} Å reaches more than {_MOST_IMAGES:,} images of "
        "its cell; take a smaller one"
    )


def most_neighbors(structures: Structures, images: Images, r_cut: float) -> int:
    """The largest number of atoms within `r_cut` (Å) of one, itself left out: how long buffers must be.

    Raises ValueError where atoms lie at the same place. Without cells and for small structures an upper bound.
    """
    largest = int(structures.sizes.max(initial=0))
    if structures.cells is None and largest <= 64:
        return max(largest - 1, 1)
    numbers, positions, offsets = (
        _drive.frozen(structures.numbers, np.uint8),
        _drive.frozen(structures.positions, np.float64),
        _drive.frozen(structures.offsets, np.int64),
    )
    most, bad = _most_neighbors(
        numbers, positions, offsets, _drive.frozen(images.shifts, np.float64), images.offsets, r_cut * r_cut
    )
    if bad >= 0:
        raise coincident(structures, int(bad))
    return max(int(most), 1)


def coincident(structures: Structures, index: int) -> ValueError:
    """The error for atoms of structure `index` that lie at the same place, in one cell or across its faces."""
    structure = structures[index]
    if structure.cell is None:
        return _drive.coincident(structures, index)
    images = lattice_images(structures.take([index]), 1.0)
    symbols, positions = structure.symbols, np.asarray(structure.positions)
    for k, shift in enumerate(images.shifts):
        square = ((positions[:, None] - positions[None] - shift) ** 2).sum(axis=2)
        if k == 0:
            np.fill_diagonal(square, np.inf)
        if square.size and square.min() <= _COINCIDENT2:
            i, j = sorted(int(a) for a in np.unravel_index(int(square.argmin()), square.shape))
            where = " (through the faces of the cell)" if k else ""
            return ValueError(
                f"structure {index + 1} (index {index}): atoms {symbols[i]}{i + 1} and {symbols[j]}{j + 1} lie at the "
                f"same place{where}; remove one of them"
            )
    return ValueError(f"structure {index + 1} (index {index}): atoms lie at the same place; remove one of them")


def unknown_element(structures: Structures, known: tuple[int, ...], what: str) -> ValueError | None:
    """The error that names the first atom whose element is not among `known`; None if there is none."""
    missing = ~np.isin(structures.numbers, known)
    if not missing.any():
        return None
    atom = int(np.flatnonzero(missing)[0])
    index = int(np.searchsorted(structures.offsets, atom, side="right")) - 1
    symbol = SYMBOLS[structures.numbers[atom]]
    listed = ", ".join(SYMBOLS[z] for z in known)
    return ValueError(
        f"structure {index + 1} (index {index}): atom {symbol}{atom - int(structures.offsets[index]) + 1} is of an "
        f"element that {what} does not know; it knows {listed}"
    )


@njit(nogil=True, cache=True)
def gather_neighbors(
    i: int,
    start: int,
    stop: int,
    positions: Any,
    shifts: Any,
    first_shift: int,
    last_shift: int,
    cut2: float,
    x: Any,
    y: Any,
    z: Any,
    square: Any,
    index: Any,
) -> int:
    """Vectors from atom `i` to all within the cutoff into `x`, `y`, `z`, with their squared lengths and atom indices.

    Atoms ``start:stop`` are the structure. Order: by translation, then by atom. Returns how many there are; −1 where an
    atom lies at the place of `i`; −2 where the buffers are too short.
    """
    count, size = 0, len(index)
    xi, yi, zi = positions[i, 0], positions[i, 1], positions[i, 2]
    for s in range(first_shift, last_shift):
        sx, sy, sz = shifts[s, 0] - xi, shifts[s, 1] - yi, shifts[s, 2] - zi
        for j in range(start, stop):
            if j == i and s == first_shift:
                continue
            dx, dy, dz = positions[j, 0] + sx, positions[j, 1] + sy, positions[j, 2] + sz
            d2 = dx * dx + dy * dy + dz * dz
            if d2 < cut2:
                if d2 <= _COINCIDENT2:
                    return -1
                if count >= size:
                    return -2
                x[count], y[count], z[count] = dx, dy, dz
                square[count] = d2
                index[count] = j
                count += 1
    return count


@njit(nogil=True, cache=True)
def _most_neighbors(
    numbers: Any, positions: Any, offsets: Any, shifts: Any, shift_offsets: Any, cut2: float
) -> tuple[int, int]:
    """The largest count of neighbours, and the first structure with atoms at the same place (−1: none)."""
    most = 0
    for structure in range(len(offsets) - 1):
        start, stop = offsets[structure], offsets[structure + 1]
        first, last = shift_offsets[structure], shift_offsets[structure + 1]
        for i in range(start, stop):
            count = 0
            for s in range(first, last):
                sx, sy, sz = (
                    shifts[s, 0] - positions[i, 0],
                    shifts[s, 1] - positions[i, 1],
                    shifts[s, 2] - positions[i, 2],
                )
                for j in range(start, stop):
                    if j == i and s == first:
                        continue
                    dx, dy, dz = positions[j, 0] + sx, positions[j, 1] + sy, positions[j, 2] + sz
                    d2 = dx * dx + dy * dy + dz * dz
                    if d2 < cut2:
                        if d2 <= _COINCIDENT2:
                            return most, structure
                        count += 1
            most = max(most, count)
    return most, -1
