"""What a panel shows of one structure: its row of features, the parts that atoms have in it, a difference to another.

Nothing here knows of a screen; all of it is fast enough for one structure while parameters move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Contribution, Layout, Representation

Array = NDArray[Any]
Row = int | Literal["heavy", "mean"]
"""Which row of a local representation: an atom's, that of the first atom that is no hydrogen, the mean of all."""
MOST_TOGETHER = 4
"""Atoms whose common part is told apart; of more it is what all of them have any part in."""
MOST_CENTRES = 40
"""Rows that are looked through for what a mean is made of: the answer has to come while the mouse rests."""


@dataclass(frozen=True, eq=False)
class Description:
    """One structure's features, ready to be drawn.

    Attributes
    ----------
    row : (d,) float64
    layout : Layout
    labels : sequence of str
        A name for every column; made when the first one is asked for.
    centre : int or None
        The atom whose row it is; None where it is that of the whole structure.
    reference : (d,) float64 or None
        The same of the structure to compare with.
    part : (d,) float64 or None
        The part that picked atoms make, of features that are drawn in panels.
    """

    row: Array
    layout: Layout
    labels: Sequence[str]
    centre: int | None = None
    reference: Array | None = None
    part: Array | None = None


def single(structure: Structure) -> Structures:
    """One structure as a set."""
    cells = None if structure.cell is None else [structure.cell]
    return Structures.from_lists([structure.numbers], [structure.positions], cells)


def atom_names(structure: Structure) -> tuple[str, ...]:
    """ "C1", "H2", …: element and number in the file."""
    return tuple(f"{symbol}{k}" for k, symbol in enumerate(structure.symbols, 1))


def centre_of(structure: Structure, row: Row) -> int | None:
    """The atom that `row` means; None for the mean. Without heavy atoms the first one."""
    if row == "mean" or not len(structure):
        return None
    if row == "heavy":
        heavy = np.flatnonzero(np.asarray(structure.numbers) > 1)
        return int(heavy[0]) if len(heavy) else 0
    return row if 0 <= row < len(structure) else centre_of(structure, "heavy")


def counterpart(structure: Structure, row: Row, other: Structure) -> Row:
    """The row of `other` to be compared with `row` of `structure`: the same atom, else the first of its element."""
    if not isinstance(row, int) or row >= len(structure):
        return row
    element = structure.numbers[row]
    if row < len(other) and other.numbers[row] == element:
        return row
    same = np.flatnonzero(np.asarray(other.numbers) == element)
    return int(same[0]) if len(same) else "heavy"


def describe(
    representation: Representation,
    structure: Structure,
    species: Species,
    row: Row = "heavy",
    other: Structure | None = None,
    atoms: Sequence[int] = (),
    progress: Progress = SILENT,
) -> Description:
    """Features of one structure, those of another to compare with, the part that `atoms` make.

    Raises what :meth:`Representation.compute` raises.
    """
    values, centre = row_of(representation, structure, species, row, progress)
    reference = None
    if other is not None:
        reference, _ = row_of(representation, other, species, counterpart(structure, row, other), progress)
    layout = representation.layout(structure, species)
    part = None
    if atoms and layout.kind == "panels":
        part = part_of(representation, structure, species, atoms, row, progress)
    return Description(values, layout, Labels(representation, species), centre, reference, part)


def row_of(
    representation: Representation, structure: Structure, species: Species, row: Row, progress: Progress = SILENT
) -> tuple[Array, int | None]:
    """The row of features that is shown, and the atom that it belongs to."""
    array = representation.compute(single(structure), progress, species=species, threads=1).array
    if not representation.local:
        return np.array(array[0], dtype=np.float64), None
    centre = centre_of(structure, row)
    if centre is None:
        return np.asarray(array, dtype=np.float64).mean(axis=0) if len(array) else np.zeros(array.shape[1]), None
    return np.array(array[centre], dtype=np.float64), centre


def part_of(
    representation: Representation,
    structure: Structure,
    species: Species,
    atoms: Sequence[int],
    row: Row = "heavy",
    progress: Progress = SILENT,
) -> Array | None:
    """The part of the features that atoms make together.

    Of one atom a it is f(S) − f(S∖a), of two what neither makes alone, f(S) − f(S∖a) − f(S∖b) + f(S∖ab), and so on; of
    more than :data:`MOST_TOGETHER` all that is lost without them. Of a local row the centre counts by itself and is
    left out of `atoms`. None where nothing is left, or the features do not exist without the atoms.
    """
    n = len(structure)
    centre = centre_of(structure, row) if representation.local else None
    chosen = [a for a in dict.fromkeys(int(a) for a in atoms) if 0 <= a < n and a != centre]
    if not chosen:
        return None
    if len(chosen) <= MOST_TOGETHER:
        without = [gone for k in range(len(chosen) + 1) for gone in combinations(chosen, k)]
        signs = [(-1.0) ** len(gone) for gone in without]
    else:
        without, signs = [(), tuple(chosen)], [1.0, -1.0]
    kept = [np.setdiff1d(np.arange(n), gone) for gone in without]
    rests = [k for k in range(len(kept)) if len(kept[k])]
    cells = None if structure.cell is None else [structure.cell] * len(rests)
    many = Structures.from_lists(
        [structure.numbers[kept[k]] for k in rests], [structure.positions[kept[k]] for k in rests], cells
    )
    try:
        features = representation.compute(many, progress, species=species, threads=1)
    except (ValueError, ArithmeticError):
        return None
    part = np.zeros(features.array.shape[1])
    for place, k in enumerate(rests):
        rows = np.asarray(features.of(place), dtype=np.float64)
        if not representation.local:
            value = rows[0]
        elif centre is None:
            value = rows.sum(axis=0) / n
        else:
            value = rows[int(np.searchsorted(kept[k], centre))]
        part += signs[k] * value
    return part


def contributions_of(
    representation: Representation,
    structure: Structure,
    species: Species,
    column: int,
    centre: int | None,
    progress: Progress = SILENT,
) -> list[Contribution]:
    """:meth:`Representation.contributions`; of the mean of all rows those of all atoms, put together."""
    progress.check()
    labels_of(representation, species)  # the readout will want one: made here, the window need not wait
    if not representation.local or centre is not None:
        return representation.contributions(structure, species, column, centre)
    together: dict[tuple[int, ...], float] = {}
    for atom in range(min(len(structure), MOST_CENTRES)):
        progress.check()
        for part in representation.contributions(structure, species, column, atom):
            together[part.atoms] = together.get(part.atoms, 0.0) + part.value / len(structure)
    found = [Contribution(atoms, value) for atoms, value in together.items()]
    return sorted(found, key=lambda part: -abs(part.value))


def largest(parts: Sequence[Contribution], names: Sequence[str], count: int = 4) -> str:
    """The largest contributions with their shares: "O1–H2 62 %, O1–H3 38 %"."""
    whole = sum(p.value for p in parts)
    gross = sum(abs(p.value) for p in parts)
    if not parts or gross == 0:
        return ""
    # where signs cancel a share of what is left says nothing
    base = whole if abs(whole) > 0.5 * gross else gross
    words = []
    for part in parts[:count]:
        share = 100 * part.value / base
        text = "–".join(names[a] if a < len(names) else str(a + 1) for a in part.atoms)
        words.append(f"{text} {share:.0f} %" if abs(share) >= 0.95 else f"{text} {share:.1g} %")
    if len(parts) > count:
        words.append(f"+ {len(parts) - count}")
    return ", ".join(words).replace("-", "\u2212")


def lit_atoms(parts: Sequence[Contribution], count: int = 12) -> tuple[int, ...]:
    """The atoms of the largest contributions: those that make up nine tenths, each at least a fifth of the largest."""
    gross, seen = sum(abs(p.value) for p in parts), 0.0
    atoms: dict[int, None] = {}
    for part in parts:
        if atoms and (seen > 0.9 * gross or abs(part.value) < 0.2 * abs(parts[0].value)):
            break
        seen += abs(part.value)
        atoms.update(dict.fromkeys(part.atoms))
    return tuple(atoms)[:count]


class Labels(Sequence[str]):
    """The columns' names, which are not made before somebody points at one.

    Ten thousand of them take longer than the features, and every step of a parameter changes them.
    """

    def __init__(self, representation: Representation, species: Species) -> None:
        self._representation = representation
        self._species = species
        self._size = representation.size(species)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return labels_of(self._representation, self._species)[index]


_LABELS: dict[tuple[Representation, Species], list[str]] = {}


def labels_of(representation: Representation, species: Species) -> list[str]:
    """The columns' names; the last few sets are kept, since a frame is drawn 30 times a second."""
    key = (representation, species)
    found = _LABELS.get(key)
    if found is None:
        found = representation.labels(species)
        while len(_LABELS) > 8:
            _LABELS.pop(next(iter(_LABELS)), None)
        _LABELS[key] = found
    return found
