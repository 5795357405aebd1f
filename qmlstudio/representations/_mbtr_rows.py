"""Rows of the many-body tensor: structures dealt out, tensors normalised and put in their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations import _drive, _neighbors
from qmlstudio.representations._bins import LANES
from qmlstudio.representations._mbtr_loops import (
    CHUNK,
    LEAD,
    atom_tensors,
    largest_buffers,
    local_elements,
    row_size,
    tensor,
    tensor_size,
    triangle,
)

# isort: split
from numba import njit

NONE, L2, L2_EACH, N_ATOMS, VALLE_OGANOV = 0, 1, 2, 3, 4
OFF, SUM, MEAN = 0, 1, 2


@njit(nogil=True, cache=True)
def squares(section: Any, bins: Any, base: int, blocks: int) -> float:
    """Sum of the squares of `blocks` blocks of a section, with its scale."""
    total = 0.0
    for block in range(blocks):
        at = base + block * section.stride
        for m in range(section.n):
            total += bins[at + m] * bins[at + m]
    return float(total * section.scale * section.scale)


@njit(nogil=True, cache=True)
def factors(normalization: int, size: int, one: float, two: float, three: float) -> tuple[float, float, float]:
    """What the three sections are multiplied with, from the sums of their squares and the number of atoms."""
    if normalization == N_ATOMS:
        share = 1.0 / max(size, 1)
        return share, share, share
    if normalization == VALLE_OGANOV:
        return 1.0 / max(size, 1), 1.0, 1.0
    if normalization == L2:
        whole = one + two + three
        share = 1.0 / np.sqrt(whole) if whole > 0.0 else 1.0
        return share, share, share
    if normalization == L2_EACH:
        return (
            1.0 / np.sqrt(one) if one > 0.0 else 1.0,
            1.0 / np.sqrt(two) if two > 0.0 else 1.0,
            1.0 / np.sqrt(three) if three > 0.0 else 1.0,
        )
    return 1.0, 1.0, 1.0


@njit(nogil=True, cache=True)
def put(row: Any, at: int, bins: Any, base: int, n: int, factor: float) -> int:
    """One block into the columns from `at` on; `base` negative: zeros. The column after it."""
    if base < 0:
        row[at : at + n] = 0.0
    else:
        for m in range(n):
            row[at + m] = bins[base + m] * factor
    return at + n


@njit(nogil=True, cache=True)
def write_tensor(
    bins: Any,
    n: int,
    local: Any,
    counts: Any,
    ones: Any,
    two: Any,
    three: Any,
    normalization: int,
    size: int,
    volume: float,
    row: Any,
) -> None:
    """The row of a structure: elements, pairs (i ≤ j), angles (middle outermost, then ends i ≤ k)."""
    elements, blocks = len(local), n * (n + 1) // 2
    after = LEAD + blocks * two.stride
    first = 0.0
    if normalization in (L2, L2_EACH):
        for e in range(elements):
            for m in range(ones.shape[1]):
                first += (counts[e] * ones[e, m]) ** 2
    f1, f2, f3 = factors(
        normalization, size, first, squares(two, bins, np.int64(LEAD), blocks), squares(three, bins, after, n * blocks)
    )
    at = np.int64(0)
    for e in range(elements):
        for m in range(ones.shape[1]):
            row[at + m] = f1 * counts[e] * ones[e, m]
        at += ones.shape[1]
    f2, f3 = f2 * two.scale, f3 * three.scale
    if two.n > 0:
        for i in range(elements):
            for j in range(i, elements):
                base, f = -1, f2
                if local[i] >= 0 and local[j] >= 0:
                    base = LEAD + triangle(local[i], local[j], n) * two.stride
                    if normalization == VALLE_OGANOV:
                        f *= volume / (4.0 * np.pi * counts[i] * counts[j] * (0.5 if i == j else 1.0))
                at = put(row, at, bins, base, two.n, f)
    if three.n > 0:
        for j in range(elements):
            for i in range(elements):
                for k in range(i, elements):
                    base, f = -1, f3
                    if local[i] >= 0 and local[j] >= 0 and local[k] >= 0:
                        base = after + (local[j] * blocks + triangle(local[i], local[k], n)) * three.stride
                        if normalization == VALLE_OGANOV:
                            # densities, as for pairs: so that a supercell has the same row
                            f *= volume * volume / (float(counts[i]) * counts[j] * counts[k])
                    at = put(row, at, bins, base, three.n, f)


@njit(nogil=True, cache=True)
def write_atom(bins: Any, origin: int, n: int, local: Any, two: Any, three: Any, normalization: int, row: Any) -> None:
    """The row of an atom: pairs by element, angles at it (i ≤ k), angles at whose end it is (middle, other end)."""
    elements, blocks = len(local), n * (n + 1) // 2
    base2 = origin + LEAD
    base3 = base2 + n * two.stride
    base4 = base3 + blocks * three.stride
    _, f2, f3 = factors(
        normalization, np.int64(1), 0.0, squares(two, bins, base2, n), squares(three, bins, base3, blocks + n * n)
    )
    f2, f3 = f2 * two.scale, f3 * three.scale
    at = np.int64(0)
    if two.n > 0:
        for e in range(elements):
            at = put(row, at, bins, base2 + local[e] * two.stride if local[e] >= 0 else -1, two.n, f2)
    if three.n > 0:
        for i in range(elements):
            for k in range(i, elements):
                base = -1
                if local[i] >= 0 and local[k] >= 0:
                    base = base3 + triangle(local[i], local[k], n) * three.stride
                at = put(row, at, bins, base, three.n, f3)
        for j in range(elements):
            for k in range(elements):
                base = -1
                if local[j] >= 0 and local[k] >= 0:
                    base = base4 + (local[j] * n + local[k]) * three.stride
                at = put(row, at, bins, base, three.n, f3)


@njit(nogil=True, cache=True)
def add_block(bins: Any, source: int, target: int, n: int, factor: float) -> None:
    """Add `factor` times one block to another."""
    for m in range(n):
        bins[target + m] += factor * bins[source + m]


@njit(nogil=True, cache=True)
def fold(bins: Any, n: int, two: Any, three: Any, origin: int, share: float) -> None:
    """`share` times the sum of all atoms' tensors into ``bins[origin:]``, from the structure's tensor at its start.

    A pair belongs to both its atoms, an angle to the middle one and to both at its ends.
    """
    blocks = n * (n + 1) // 2
    bins[origin : origin + row_size(two, three, n)] = 0.0
    after = LEAD + blocks * two.stride
    base2 = origin + LEAD
    base3 = base2 + n * two.stride
    base4 = base3 + blocks * three.stride
    for i in range(n):
        for k in range(i, n):
            pair = triangle(i, k, n)
            if two.n > 0:
                add_block(bins, LEAD + pair * two.stride, base2 + i * two.stride, two.n, share)
                add_block(bins, LEAD + pair * two.stride, base2 + k * two.stride, two.n, share)
            if three.n > 0:
                for j in range(n):
                    source = after + (j * blocks + pair) * three.stride
                    add_block(bins, source, base3 + pair * three.stride, three.n, share)
                    add_block(bins, source, base4 + (j * n + i) * three.stride, three.n, share)
                    add_block(bins, source, base4 + (j * n + k) * three.stride, three.n, share)


@njit(nogil=True, cache=True)
def tensor_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    shifts: Any,
    shift_offsets: Any,
    volumes: Any,
    start: int,
    stop: int,
    step: int,
    element: Any,
    ones: Any,
    two: Any,
    three: Any,
    normalization: int,
    bins: Any,
    around: Any,
    pairs: Any,
    whole: Any,
    out: Any,
) -> int:
    """Rows of structures; the first with atoms at the same place, or −1.

    `bins`, `around`, `pairs` are scratch, `whole` four integer buffers: local elements, counts, and see below.
    """
    local, counts, kinds, index, place = whole
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        n = local_elements(numbers, begin, end, element, local, counts)
        for i in range(begin, end):
            kinds[i - begin] = local[element[numbers[i]]]
        atoms = (positions, begin, end)
        first, last = shift_offsets[s], shift_offsets[s + 1]
        if not tensor(atoms, shifts, first, last, kinds, n, two, three, bins, around, pairs, index, place):
            return s
        write_tensor(bins, n, local, counts, ones, two, three, normalization, end - begin, volumes[s], out[s])
    return -1


@njit(nogil=True, cache=True)
def atom_loop(
    numbers: Any,
    positions: Any,
    offsets: Any,
    shifts: Any,
    shift_offsets: Any,
    start: int,
    stop: int,
    step: int,
    element: Any,
    two: Any,
    three: Any,
    normalization: int,
    average: int,
    bins: Any,
    around: Any,
    pairs: Any,
    whole: Any,
    out: Any,
) -> int:
    """Rows of atoms, or their sums or means, of structures; the first with atoms at the same place, or −1."""
    local, counts, kinds, index, place = whole
    for s in range(start, stop, step):
        begin, end = offsets[s], offsets[s + 1]
        n = local_elements(numbers, begin, end, element, local, counts)
        for i in range(begin, end):
            kinds[i - begin] = local[element[numbers[i]]]
        atoms = (positions, begin, end)
        first, last = shift_offsets[s], shift_offsets[s + 1]
        if average == OFF:
            if not atom_tensors(atoms, shifts, first, last, kinds, n, two, three, bins, around, pairs, index, place):
                return s
            size = row_size(two, three, n)
            for i in range(begin, end):
                write_atom(bins, (i - begin) * size, n, local, two, three, normalization, out[i])
        else:
            if not tensor(atoms, shifts, first, last, kinds, n, two, three, bins, around, pairs, index, place):
                return s
            origin = tensor_size(two, three, n)
            share = 1.0 / max(end - begin, 1) if average == MEAN else 1.0
            fold(bins, n, two, three, origin, share)
            write_atom(bins, origin, n, local, two, three, normalization, out[s])
    return -1


@dataclass(frozen=True, eq=False)
class Job:
    """Arrays for the loops, and how long buffers must be."""

    numbers: Any
    positions: Any
    offsets: Any
    shifts: Any
    shift_offsets: Any
    element: Any
    elements: int
    two: Any
    three: Any
    most: int
    largest: int
    tensor: int
    rows: int
    cost: float

    def buffers(self, places: int) -> tuple[Any, Any, Any]:
        """Scratch of one thread beside the bins; `places`: blocks to which an angle adds."""
        room = CHUNK + self.most
        whole = (
            np.empty(self.elements, dtype=np.int64),
            np.empty(self.elements, dtype=np.int64),
            np.empty(self.largest, dtype=np.int64),
            np.empty(self.most, dtype=np.int64),
            np.empty(places * room, dtype=np.int64),
        )
        return np.empty((6, self.most)), np.empty((6, room)), whole


def prepare(structures: Structures, species: Species, two: Any, three: Any, reach: float) -> Job:
    """What the loops need for these structures; `reach` (Å) is the largest cutoff.

    Raises ValueError for a cell without volume or a cutoff that reaches too many images.
    """
    images = _neighbors.lattice_images(structures, reach)
    element = np.zeros(256, dtype=np.int64)
    element[list(species.numbers)] = np.arange(len(species.numbers))
    numbers = _drive.frozen(structures.numbers, np.uint8)
    offsets = _drive.frozen(structures.offsets, np.int64)
    counts = np.empty(len(species.numbers), dtype=np.int64)
    tensor_room, row_room = largest_buffers(numbers, offsets, element, two, three, counts)
    largest = int(structures.sizes.max(initial=0))
    mean = len(structures.numbers) / max(len(structures), 1)
    return Job(
        numbers=numbers,
        positions=_drive.frozen(structures.positions, np.float64),
        offsets=offsets,
        shifts=_drive.frozen(images.shifts, np.float64),
        shift_offsets=_drive.frozen(images.offsets, np.int64),
        element=element,
        elements=len(species.numbers),
        two=two,
        three=three,
        most=max(_neighbors.most_neighbors(structures, images, reach), 1),
        largest=max(largest, 1),
        # loops over bins run beyond the last block
        tensor=int(tensor_room) + 4 * LANES,
        rows=int(row_room) + 4 * LANES,
        cost=5.0 + 0.02 * mean**3,
    )
