"""What FCHL19's loops are given: structures, constants, lengths, and the scratch of a thread."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmlstudio.representations._fchl_vectors import BLOCK, PAIR_ROWS, SLOT_ROWS


class Data(NamedTuple):
    """Structures: their flat arrays, lattice translations, and the column of each atomic number."""

    numbers: Any
    positions: Any
    offsets: Any
    shifts: Any
    shift_offsets: Any
    column_of: Any


class Constants(NamedTuple):
    """Hyper-parameters (places in `_fchl_vectors`), grids as the vector functions want them, factors of the orders."""

    settings: Any
    grid2: Any
    grid3: Any
    factors: Any


class Shape(NamedTuple):
    """Elements of the columns, grid points, rows of the tables (padded), orders of the angle; 0 for sums, 1 for means,
    2 for one row of each atom; lengths of the rows of pairs and of slots."""

    elements: int
    n2: int
    n3: int
    size2: int
    size3: int
    harmonics: int
    average: int
    width: int
    stride: int


class Pairs(NamedTuple):
    """What is known of pairs, powers and inverse squares of distances, and the radial tables."""

    pair: Any
    matrix: Any
    radial2: Any
    radial3: Any


class Slots(NamedTuple):
    """The neighbours of a centre, where their rows of the radial table begin, their atoms, and weights of triples."""

    slots: Any
    weights: Any
    rows: Any
    atoms: Any


class Sums(NamedTuple):
    """Of a row: numbers for each element, for each pair of elements, and all of them in the order of the columns.

    For derivatives: contracted weights, what they make, and the sums that the centre gets.
    """

    two: Any
    three: Any
    line: Any
    sums: Any
    parts: Any
    centre: Any


class Found(NamedTuple):
    """Neighbours as they are gathered, their atoms, and their places sorted by element."""

    x: Any
    y: Any
    z: Any
    square: Any
    found: Any
    everyone: Any


class Kinds(NamedTuple):
    """Atoms by element, the element of each, where elements end and their columns, and the list of pairs of slots."""

    order: Any
    kinds: Any
    ends: Any
    all_ends: Any
    columns: Any
    left: Any
    right: Any
    bounds: Any


WHOLE = {"rows", "atoms", "found", "everyone", *Kinds._fields}
"""Buffers of int64; all others are of float64."""


def padded(n: int, to: int) -> int:
    """`n` rounded up to a multiple of `to`."""
    return -(-n // to) * to


def scratch_lengths(shape: Shape, dense: int, largest: int, weights: int, slopes: int) -> list[int]:
    """Lengths of the buffers: `dense` atoms of the largest molecule with a common table, `largest` of any structure."""
    kinds, width, stride = max(shape.elements, 1), shape.width, shape.stride
    pairs = Pairs(PAIR_ROWS * width, 2 * max(dense, 1) * stride, width * shape.size2, width * shape.size3)
    slots = Slots(SLOT_ROWS * stride, weights, stride, stride)
    sums = Sums(
        kinds * shape.size2,
        kinds * (kinds + 1) * shape.harmonics * shape.size3,
        shape.elements * shape.n2 + shape.elements * (shape.elements + 1) * shape.n3 * shape.harmonics,
        slopes * BLOCK,
        max(slopes * BLOCK, shape.size2) if slopes else 0,
        3 * kinds * (kinds + 1) * shape.harmonics * shape.size3 if slopes else 0,
    )
    blocks = kinds * (kinds + 1) // 2
    order = Kinds(largest, largest, kinds, kinds, kinds, width, width, blocks + 1)
    return [*pairs, *slots, *sums, *[stride] * len(Found._fields), *order]


def carve(work: NDArray[np.float64], lengths: list[int]) -> tuple[Pairs, Slots, Sums, Found, Kinds]:
    """The buffers, one after another out of `work`."""
    parts = iter([work[a:b] for a, b in itertools.pairwise(np.cumsum([0, *lengths]))])

    def group(kind: Any) -> Any:
        return kind(*(next(parts).view(np.int64 if name in WHOLE else np.float64) for name in kind._fields))

    return group(Pairs), group(Slots), group(Sums), group(Found), group(Kinds)
