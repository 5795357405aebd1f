"""Structures in blocks with the gradients of their features, and the rows of kernels that energies and forces make.

Gradients are the largest arrays there are: of each atom's features with respect to all atoms. They exist for a block
of structures at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.learning._threads import Team
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Gradients, Representation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GRADIENT_BYTES = 32 * 2**20
"""Of the gradients of a block."""
DESIGN_BYTES = 48 * 2**20
"""Of a block of rows of the least squares."""
_VECTOR = 8
_TILE_VALUES = 1 << 18
"""Weights of a tile: with the gradients that they are multiplied by they fit the second cache."""


def quiet(progress: Progress) -> Progress:
    """Reports nothing, and is cancelled with another one."""

    def is_cancelled() -> bool:
        progress.check()
        return False

    return Progress(is_cancelled=is_cancelled if progress.can_cancel else None)


def padded(array: Any) -> Floats:
    """(n, width) float64 rows filled up with zeros to whole vectors."""
    n, d = array.shape
    found = np.zeros((n, -(-max(d, 1) // _VECTOR) * _VECTOR))
    found[:, :d] = array
    return found


@dataclass(frozen=True, eq=False)
class Block:
    """Some structures.

    Attributes
    ----------
    start, stop : int
        Which.
    structures : Structures
    x : (rows, width) float64
        Their features.
    offsets : (s + 1,) int64
        Where each structure's rows begin.
    codes : (rows,) uint8
        Element of each row; zeros where rows are of whole structures.
    gradients : Gradients or None
    progress : Progress
        The part of the work that the block stands for.
    """

    start: int
    stop: int
    structures: Structures
    x: Floats
    offsets: Integers
    codes: NDArray[np.uint8]
    gradients: Gradients | None
    progress: Progress

    @cached_property
    def forces(self) -> Integers:
        """(s + 1,) where the force components of each structure begin."""
        return np.asarray(3 * self.structures.offsets - 3 * self.structures.offsets[0], dtype=np.int64)

    def groups(self, index: int) -> list[tuple[int, Integers]]:
        """Elements of one structure and the places of its rows of each."""
        low, high = int(self.offsets[index]), int(self.offsets[index + 1])
        codes = self.codes[low:high]
        return [(int(code), low + np.flatnonzero(codes == code)) for code in np.unique(codes)]

    def jacobian(self, index: int) -> Floats:
        """(rows, 3 N, d) derivatives of one structure's features."""
        if self.gradients is None:
            raise ValueError("the block has no gradients")
        block = self.gradients.of(index)
        return block.reshape(len(block), 3 * block.shape[1], self.gradients.columns)


def blocks_of(
    structures: Structures,
    representation: Representation,
    species: Species,
    progress: Progress,
    *,
    gradients: bool,
    threads: int | None = None,
    width: int = 0,
) -> Iterator[Block]:
    """The structures block by block; with `width`, so many that rows for their forces of that width stay bounded."""
    sizes, d = structures.sizes, representation.size(species)
    rows = sizes if representation.local else np.ones_like(sizes)
    values = rows * (d + (3 * sizes * d if gradients else 0))
    others = (1 + (3 * sizes if gradients else 0)) * width
    cost = np.maximum(values / (GRADIENT_BYTES / 8), others / (DESIGN_BYTES / 8)) + 1e-3
    total, start, done = float(cost.sum()), 0, 0.0
    ends = np.cumsum(cost)
    buffer = np.empty(0)
    while start < len(structures):
        before = float(ends[start - 1]) if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, before + 1.0, side="right")))
        part = progress.part(done / total, float(ends[stop - 1]) / total)
        chosen = structures.take(np.arange(start, stop))
        half = part.part(0.0, 0.3)
        features = representation.compute(chosen, half, species=species, threads=threads)
        found = None
        if gradients:
            needed = int((rows[start:stop] * 3 * sizes[start:stop] * d).sum())
            buffer = buffer if len(buffer) >= needed else np.empty(needed)
            found = representation.gradient(chosen, half, species=species, out=buffer[:needed], threads=threads)
        offsets, codes = row_places(representation, features.offsets, chosen)
        yield Block(start, stop, chosen, padded(features.array), offsets, codes, found, part.part(0.3, 1.0))
        start, done = stop, float(ends[stop - 1])
        part(1.0)


def row_places(
    representation: Representation, offsets: Integers | None, structures: Structures
) -> tuple[Integers, NDArray[np.uint8]]:
    """Where each structure's rows begin, and each row's element."""
    if offsets is None:
        return np.arange(len(structures) + 1), np.zeros(len(structures), dtype=np.uint8)
    if not np.array_equal(offsets, structures.offsets - structures.offsets[0]):
        raise ValueError(f"{representation.title} leaves atoms out: forces need a row for every atom")
    return np.asarray(offsets), np.asarray(structures.numbers)


@dataclass(frozen=True, eq=False)
class Basis:
    """Rows of features that kernels stand on, element by element.

    Attributes
    ----------
    x : (m, width) float64
        Filled up to whole vectors.
    columns : int
        d.
    codes : (m,) uint8
        Ascending.
    owners : (m,) int64
        The training structure that each is of.
    """

    x: Floats
    columns: int
    codes: NDArray[np.uint8]
    owners: Integers

    @classmethod
    def of(cls, rows: Any, codes: NDArray[np.uint8], owners: Integers) -> Basis:
        """Sorted by element, otherwise as they stand."""
        order = np.argsort(codes, kind="stable")
        return cls(padded(rows[order]), rows.shape[1], codes[order], owners[order])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def width(self) -> int:
        """Doubles of a row."""
        return int(self.x.shape[1])

    @property
    def flat(self) -> Floats:
        """(m · width,)."""
        return self.x.ravel()

    def stretch(self, code: int) -> tuple[int, int]:
        """First and last + 1 of an element's rows."""
        low, high = np.searchsorted(self.codes, [code, code + 1])
        return int(low), int(high)

    def kernel(self, kind: int, sigma: float, out: Floats, progress: Progress, team: Team) -> None:
        """Fill (m, m) with the kernel of rows of the same element; `out` begins with zeros."""
        from qmlstudio.learning.models import _force_loops as loops

        flat = self.flat
        for code in np.unique(self.codes):
            low, high = self.stretch(int(code))
            step = max(1, min(256, 2_000_000 // max(high - low, 1)))

            def work(start: int, low: int = low, high: int = high, step: int = step) -> None:
                loops.basis_tile(kind, sigma, flat, start, min(start + step, high), low, self.width, out)

            starts = list(range(low, high, step))
            for k in range(0, len(starts), team.threads):
                team.run(work, starts[k : k + team.threads])
                progress((low + (k + 1) * step) / max(len(self), 1), "Kernel of the basis")


def design(
    block: Block, basis: Basis, kind: int, sigma: float, out: Floats, energies: int, forces: bool, team: Team
) -> None:
    """Kernels of energies and forces of a block with the basis: −∂K/∂R, so that times the weights they are forces.

    Parameters
    ----------
    out : (m or more, energies + force components) float64, C-contiguous
        A column for each energy (`energies` of them, or none), then those of the forces. Begins with zeros.
    """
    from qmlstudio.learning.models import _force_loops as loops

    flat, x, width = basis.flat, block.x.ravel(), basis.width
    reach = max(1, _TILE_VALUES // max(int(block.structures.sizes.max(initial=1)) * width, 1))

    def work(index: int) -> None:
        block.progress.check()
        everything = np.arange(basis.columns)
        jacobian = block.jacobian(index) if forces else np.empty((0, 0, 0))
        low, high = (energies + int(f) for f in block.forces[index : index + 2])
        origin = int(block.offsets[index])
        for code, rows in block.groups(index):
            first, last = basis.stretch(code)
            if forces:
                mine = jacobian[rows - origin]
                columns = np.flatnonzero(mine.any(axis=(0, 1)))
                if len(columns) > 0.7 * basis.columns:
                    columns = everything
                else:
                    mine = mine[:, :, columns]
                # (rows · columns, 3 N)
                slopes = np.ascontiguousarray(mine.transpose(0, 2, 1)).reshape(-1, high - low)
                weights = np.empty((min(reach, last - first), len(rows) * len(columns)))
            sums = np.zeros(last - first)
            for start in range(first, last, reach):
                stop = min(start + reach, last)
                part = sums[start - first : stop - first]
                if forces:
                    tile = weights[: stop - start]
                    loops.slope_tile(kind, sigma, x, rows, flat, start, stop, width, columns, tile, part)
                    out[start:stop, low:high] = tile @ slopes
                else:
                    loops.sum_tile(kind, sigma, x, rows, flat, start, stop, width, part)
            if energies:
                out[first:last, index] = sums

    count = block.stop - block.start
    for start in range(0, count, team.threads):
        team.run(work, range(start, min(start + team.threads, count)))
        block.progress(min(start + team.threads, count) / count, "Kernels of energies and forces")


def sums_of(
    block: Block,
    basis: Basis,
    kind: int,
    sigma: float,
    alpha: Floats,
    directions: Floats,
    forces: bool,
    team: Team,
) -> tuple[Floats, Floats, Floats]:
    """Energies (s,), forces (3 N all,) and distances to the nearest basis row (s,) of a block from fitted weights.

    Parameters
    ----------
    alpha, directions : (m,), (m, width) or (0, width)
        As :func:`_force_loops.predict_rows` wants them.
    """
    from qmlstudio.learning.models import _force_loops as loops

    x = block.x.ravel()
    slopes = np.zeros(block.x.size if forces else 0)
    atoms, near = np.zeros(len(block.x)), np.full(len(block.x), np.inf)
    found = np.zeros(int(block.forces[-1]) if forces else 0)
    flat, ways = basis.flat, directions.ravel()
    reach = max(1, 2**23 // basis.width)

    def work(index: int) -> None:
        for code, rows in block.groups(index):
            first, last = basis.stretch(code)
            for start in range(first, last, reach):
                block.progress.check()
                loops.predict_rows(
                    *(kind, sigma, x, rows, flat, start, min(start + reach, last), basis.width),
                    *(alpha, ways, atoms, slopes, near),
                )
        if forces:
            low, high = int(block.offsets[index]), int(block.offsets[index + 1])
            ours = slopes.reshape(block.x.shape)[low:high, : basis.columns]
            total = np.matmul(block.jacobian(index), ours[:, :, None])[:, :, 0].sum(axis=0)
            found[block.forces[index] : block.forces[index + 1]] = -total

    count = block.stop - block.start
    for start in range(0, count, team.threads):
        team.run(work, range(start, min(start + team.threads, count)))
        block.progress(min(start + team.threads, count) / count, "Energies and forces")
    starts = block.offsets[:-1]
    filled = np.diff(block.offsets) > 0
    energies, distances = np.zeros(count), np.zeros(count)
    if filled.any():
        energies[filled] = np.add.reduceat(atoms, starts[filled])
        distances[filled] = np.sqrt(np.maximum.reduceat(near, starts[filled]))
    return energies, found, distances
