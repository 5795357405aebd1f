"""What atom-centred representations share outside their loops: rows, elements, surroundings of an atom in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.representations.base import Array, Contribution

AVERAGES = (
    ("sum", "sum over atoms"),
    ("mean", "mean over atoms"),
    ("off", "one row for each atom"),
)
AVERAGE_HELP = "One row for each structure, which adds up or averages those of its atoms, or one for each atom."


def average_param(default: str = "sum") -> Any:
    """The field `average` of a representation whose rows are those of the atoms, or one for each structure."""
    return param(default, label="Rows", choices=AVERAGES, help=AVERAGE_HELP)


MODES = {"off": 0, "sum": 1, "mean": 2}
"""Of `average`, for the loops."""


def pair_title(first: str, second: str) -> str:
    """ "H–*–C": neighbours of two elements at an atom of any element."""
    return f"{first}–*–{second}"


def pair_index(a: int, b: int) -> int:
    """Place of a pair of elements a ≤ b among the pairs (0, 0), (0, 1), (1, 1), (0, 2), …"""
    return b * (b + 1) // 2 + a


def slots(structures: Structures, numbers: tuple[int, ...]) -> NDArray[np.int64]:
    """(A,) which of the elements `numbers` each atom is."""
    lookup = np.zeros(256, dtype=np.int64)
    lookup[list(numbers)] = np.arange(len(numbers))
    return lookup[structures.numbers]


def loop_data(structures: Structures, images: Any, numbers: tuple[int, ...]) -> tuple[Any, ...]:
    """Positions, elements' places, offsets, translations and their offsets, as loops are given them."""
    from qmlstudio.representations._drive import frozen

    return (
        frozen(structures.positions, np.float64),
        frozen(slots(structures, numbers), np.int64),
        frozen(structures.offsets, np.int64),
        frozen(images.shifts, np.float64),
        frozen(images.offsets, np.int64),
    )


def buffer_sizes(structures: Structures, neighbors: int) -> tuple[int, int]:
    """Atoms and neighbours that the loops' buffers have room for: multiples of eight, with space behind the last."""
    return (int(structures.sizes.max(initial=0)) + 7) // 8 * 8, (neighbors + 16) // 8 * 8


@dataclass(frozen=True, eq=False)
class Environment:
    """The surroundings of one atom.

    Attributes
    ----------
    centre : int
    vectors : (m, 3) float64, Å
        To the neighbours, images included.
    distances : (m,) float64, Å
    atoms : (m,) int64
        Whose images they are.
    """

    centre: int
    vectors: Array
    distances: Array
    atoms: NDArray[np.int64]

    def of_element(self, numbers: Any, z: int) -> NDArray[np.intp]:
        """Which neighbours are of an element."""
        return np.flatnonzero(numbers[self.atoms] == z)


def environments(structure: Structure, centre: int | None, r_cut: float) -> Iterator[Environment]:
    """The surroundings of one atom, or of all of them in turn."""
    from qmlstudio.representations._neighbors import lattice_images

    positions = np.asarray(structure.positions)
    shifts = np.zeros((1, 3))
    if structure.cell is not None:
        one = Structures.from_lists([structure.numbers], [positions], [structure.cell])
        shifts = lattice_images(one, r_cut).shifts
    everywhere = (positions + shifts[:, None]).reshape(-1, 3)
    atoms = np.tile(np.arange(len(positions)), len(shifts))
    for i in range(len(positions)) if centre is None else [centre]:
        vectors = everywhere - positions[i]
        distances = np.sqrt((vectors**2).sum(axis=1))
        distances[i] = np.inf
        near = np.flatnonzero(distances < r_cut)
        yield Environment(i, vectors[near], distances[near], atoms[near])


def largest_first(atoms: list[Any], values: list[Any], scale: float) -> list[Contribution]:
    """Contributions from blocks of atoms (m, k) and their parts (m,); those below 1e-6 of the largest left out."""
    if not values:
        return []
    members, parts = np.concatenate(atoms), np.concatenate(values) * scale
    size = np.abs(parts)
    if not size.size or not size.max() > 0.0:
        return []
    kept = np.flatnonzero(size >= 1e-6 * size.max())
    kept = kept[np.argsort(-size[kept], kind="stable")]
    return [
        Contribution(tuple(who), value) for who, value in zip(members[kept].tolist(), parts[kept].tolist(), strict=True)
    ]
