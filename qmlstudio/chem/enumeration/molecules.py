"""Molecules over a graph: bond orders, then elements, each once for all ways of numbering the atoms.

A skeleton is a graph with bond orders. An assignment of orders, and then of elements, is kept when no automorphism of
the graph turns it into a smaller one (read as a number), so that nothing is made twice and nothing has to be
remembered. What is left double are the two Kekulé forms of one aromatic ring: they have the same canonical SMILES.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.enumeration.graphs import edges

Bytes = NDArray[np.int8]
LARGEST_ORDER = 3
BLOCK = 20_000
"""Most molecules of one skeleton that are in memory at once."""
MOST_SYMMETRIES = 50_000
"""Automorphisms up to which a graph is taken (a graph of 16 vertices can have 31,104)."""


@dataclass(frozen=True)
class Kind:
    """An element in one of its valences.

    Attributes
    ----------
    symbol : str
    valence : int
        Sum of bond orders, hydrogens included.
    doubles : int
        For a valence above the usual: so many of its bonds are double bonds to a terminal oxygen, all others are
        single, and there is no hydrogen (sulfoxide, sulfone, phosphate, nitro group).
    """

    symbol: str
    valence: int
    doubles: int = 0


USUAL = {
    symbol: Kind(symbol, valence)
    for symbol, valence in (
        ("C", 4), ("N", 3), ("O", 2), ("F", 1), ("S", 2), ("Cl", 1), ("Br", 1), ("I", 1), ("P", 3), ("Si", 4), ("B", 3),
    )
}  # fmt: skip
"""The elements that can be chosen."""
HIGHER = (Kind("S", 4, 1), Kind("S", 6, 2), Kind("P", 5, 1))
NITRO = Kind("N", 5, 2)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A graph with bond orders.

    Attributes
    ----------
    n : int
        Atoms.
    bonds : tuple of (int, int)
        Edges, i < j.
    orders : tuple of int
        1, 2 or 3 for each.
    symmetries : (g, n) int8
        The automorphisms that keep the orders, the identity among them.
    """

    n: int
    bonds: tuple[tuple[int, int], ...]
    orders: tuple[int, ...]
    symmetries: Bytes

    @cached_property
    def sums(self) -> tuple[int, ...]:
        """Sum of bond orders at each atom."""
        found = [0] * self.n
        for (i, j), order in zip(self.bonds, self.orders, strict=True):
            found[i] += order
            found[j] += order
        return tuple(found)

    @cached_property
    def neighbors(self) -> tuple[tuple[int, ...], ...]:
        """The atoms bound to each."""
        found: list[list[int]] = [[] for _ in range(self.n)]
        for i, j in self.bonds:
            found[i].append(j)
            found[j].append(i)
        return tuple(tuple(f) for f in found)

    def order(self, i: int, j: int) -> int:
        """Order of the bond between two atoms; 0 when there is none."""
        return self._order.get((i, j) if i < j else (j, i), 0)

    @cached_property
    def _order(self) -> dict[tuple[int, int], int]:
        return dict(zip(self.bonds, self.orders, strict=True))


def automorphisms(graph: NDArray[np.uint16]) -> Bytes:
    """(g, n) all renumberings of a graph's vertices that leave its edges where they are; exact, by backtracking.

    Raises
    ------
    ValueError
        There are more than :data:`MOST_SYMMETRIES`.
    """
    n = len(graph)
    rows = [int(r) for r in graph]
    color = _stable_colors(rows)
    order = _walk(rows)
    back = [[j for j in order[:k] if rows[v] >> j & 1] for k, v in enumerate(order)]
    found: list[tuple[int, ...]] = []
    image = [-1] * n
    taken = 0

    def place(k: int) -> None:
        nonlocal taken
        if k == n:
            found.append(tuple(image))
            if len(found) > MOST_SYMMETRIES:
                raise ValueError("the graph has too many symmetries")
            return
        vertex = order[k]
        allowed = ~taken & ((1 << n) - 1)
        for j in back[k]:
            allowed &= rows[image[j]]
        earlier = len(back[k])
        while allowed:
            low = allowed & -allowed
            allowed ^= low
            target = low.bit_length() - 1
            # as many placed neighbours as the vertex has: then no edge is there too many
            if color[target] != color[vertex] or (rows[target] & taken).bit_count() != earlier:
                continue
            image[vertex] = target
            taken |= low
            place(k + 1)
            taken ^= low

    place(0)
    return np.array(found, np.int8)


def _stable_colors(rows: list[int]) -> list[int]:
    """Colours of the vertices that refinement cannot part any more."""
    n = len(rows)
    color = [r.bit_count() for r in rows]
    while True:
        marks = [(color[v], tuple(sorted(color[w] for w in range(n) if rows[v] >> w & 1))) for v in range(n)]
        numbers = {mark: k for k, mark in enumerate(sorted(set(marks)))}
        finer = [numbers[mark] for mark in marks]
        if len(numbers) == len(set(color)):
            return finer
        color = finer


def _walk(rows: list[int]) -> list[int]:
    """The vertices in an order in which each is joined to an earlier one."""
    order, reached = [0], 1
    for vertex in order:
        for j in range(len(rows)):
            if rows[vertex] >> j & 1 and not reached >> j & 1:
                reached |= 1 << j
                order.append(j)
    return order


def skeletons(graph: NDArray[np.uint16], most_sum: int = 4, unsaturation: int | None = None) -> list[Skeleton]:
    """All assignments of bond orders to a graph (n,), one of each class under its automorphisms.

    Parameters
    ----------
    most_sum : int
        Largest sum of orders at an atom: the highest valence.
    unsaturation : int, optional
        Most double bonds, a triple bond counting twice.
    """
    n, bonds = len(graph), tuple(edges(graph))
    group = automorphisms(graph)
    sums = np.array([[int(r).bit_count() for r in graph]], np.int8)
    if sums.max(initial=0) > most_sum:
        return []
    extra = np.zeros((1, 0), np.int8)
    for i, j in bonds:
        parts = []
        for more in range(LARGEST_ORDER):
            fits = np.flatnonzero(np.maximum(sums[:, i], sums[:, j]) + more <= most_sum)
            if unsaturation is not None:
                fits = fits[extra[fits].sum(axis=1) + more <= unsaturation]
            grown = sums[fits]
            grown[:, [i, j]] += np.int8(more)
            parts.append((np.column_stack([extra[fits], np.full(len(fits), more, np.int8)]), grown))
        extra = np.concatenate([p[0] for p in parts])
        sums = np.concatenate([p[1] for p in parts])
    place = {bond: k for k, bond in enumerate(bonds)}
    moved = [[place[min(g[i], g[j]), max(g[i], g[j])] for i, j in bonds] for g in group.tolist()]
    powers = 3 ** np.arange(len(bonds), dtype=np.int64)
    own = extra @ powers
    least = np.ones(len(extra), bool)
    equal = np.zeros((len(extra), len(group)), bool)
    for k, move in enumerate(moved):
        other = extra[:, move] @ powers
        least &= own <= other
        equal[:, k] = own == other
    return [Skeleton(n, bonds, tuple((extra[k] + 1).tolist()), group[equal[k]]) for k in np.flatnonzero(least).tolist()]


@dataclass(frozen=True, eq=False)
class Elements:
    """The kinds of atoms that may be used, and how many of each element.

    Attributes
    ----------
    kinds : tuple of Kind
    least, most : dict of str to int
        Bounds on the number of atoms of an element; absent ones are free.
    """

    kinds: tuple[Kind, ...]
    least: dict[str, int]
    most: dict[str, int]

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The elements, each once."""
        return tuple(dict.fromkeys(kind.symbol for kind in self.kinds))

    @cached_property
    def highest(self) -> int:
        """The highest valence."""
        return max((kind.valence for kind in self.kinds), default=0)

    def choices(self, skeleton: Skeleton) -> list[list[int]]:
        """For each atom of a skeleton the kinds (positions in `kinds`) that have the valence for it."""
        found: list[list[int]] = []
        for atom, total in enumerate(skeleton.sums):
            orders = [skeleton.order(atom, j) for j in skeleton.neighbors[atom]]
            usual = [k for k, kind in enumerate(self.kinds) if not kind.doubles and kind.valence >= total]
            higher = [
                k
                for k, kind in enumerate(self.kinds)
                if kind.doubles and kind.valence == total and orders.count(2) == kind.doubles and max(orders) == 2
            ]
            found.append(usual + higher)
        return found

    def may_fit(self, n: int) -> bool:
        """Whether the bounds leave anything at `n` heavy atoms."""
        most = sum(self.most.get(s, n) for s in self.symbols)
        return sum(self.least.get(s, 0) for s in self.symbols) <= n <= most


def fillings(skeleton: Skeleton, elements: Elements) -> Iterator[Bytes]:
    """The molecules of a skeleton in blocks (m, n): position in ``elements.kinds`` of each atom's kind."""
    choices = elements.choices(skeleton)
    if not all(choices) or not elements.may_fit(skeleton.n):
        return
    head = 0
    while prod(len(c) for c in choices[head:]) > BLOCK:
        head += 1
    tail = np.array(list(product(*choices[head:])), np.int8).reshape(-1, skeleton.n - head)
    base = max(len(elements.kinds), 2)
    powers = base ** np.arange(skeleton.n, dtype=np.int64)
    for first in product(*choices[:head]):
        block = np.empty((len(tail), skeleton.n), np.int8)
        block[:, :head] = first
        block[:, head:] = tail
        keep = _within(block, elements) & _oxidised(block, skeleton, elements)
        block = block[keep]
        own = block @ powers
        least = np.ones(len(block), bool)
        for moved in skeleton.symmetries:
            least &= own <= block[:, moved] @ powers
        if least.any():
            yield block[least]


def _within(block: Bytes, elements: Elements) -> NDArray[np.bool_]:
    keep = np.ones(len(block), bool)
    for symbol in elements.symbols:
        least, most = elements.least.get(symbol, 0), elements.most.get(symbol)
        if least <= 0 and most is None:
            continue
        count = np.zeros(len(block), np.int64)
        for k, kind in enumerate(elements.kinds):
            if kind.symbol == symbol:
                count += (block == k).sum(axis=1)
        keep &= count >= least
        if most is not None:
            keep &= count <= most
    return keep


def _oxidised(block: Bytes, skeleton: Skeleton, elements: Elements) -> NDArray[np.bool_]:
    """Whether the double bonds of the atoms of higher valence go to terminal oxygens."""
    keep = np.ones(len(block), bool)
    oxygen = [k for k, kind in enumerate(elements.kinds) if kind.symbol == "O"]
    for k, kind in enumerate(elements.kinds):
        if not kind.doubles:
            continue
        for atom in range(skeleton.n):
            has = block[:, atom] == k
            if not has.any():
                continue
            for j in skeleton.neighbors[atom]:
                if skeleton.order(atom, j) == 2:
                    right = (
                        np.isin(block[:, j], oxygen) if len(skeleton.neighbors[j]) == 1 else np.zeros(len(block), bool)
                    )
                    keep &= ~has | right
    return keep


class MoleculeMaker:
    """Makes RDKit molecules of one skeleton: the bonds are set once, the elements exchanged."""

    def __init__(self, skeleton: Skeleton, elements: Elements) -> None:
        from rdkit import Chem

        kinds = [Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE]
        self._frame = Chem.RWMol()
        for _ in range(skeleton.n):
            self._frame.AddAtom(Chem.Atom(6))
        for (i, j), order in zip(skeleton.bonds, skeleton.orders, strict=True):
            self._frame.AddBond(i, j, kinds[order - 1])
        self._numbers = [SYMBOLS.index(kind.symbol) for kind in elements.kinds]
        self._nitro = {k for k, kind in enumerate(elements.kinds) if kind == NITRO}
        self._skeleton = skeleton
        self._sanitize = Chem.SanitizeMol
        self._copy = Chem.RWMol
        self._single = kinds[0]

    def molecule(self, row: list[int]) -> Any:
        """The molecule whose atoms are of these kinds, ready for use (rings, aromaticity and hydrogens known)."""
        molecule = self._copy(self._frame)
        get = molecule.GetAtomWithIdx
        for atom, kind in enumerate(row):
            number = self._numbers[kind]
            if number != 6:
                get(atom).SetAtomicNum(number)
        if self._nitro:
            self._charge(molecule, row)
        self._sanitize(molecule)
        return molecule

    def _charge(self, molecule: Any, row: list[int]) -> None:
        """Write a nitro group with charges, as SMILES does."""
        for atom, kind in enumerate(row):
            if kind in self._nitro:
                other = next(j for j in self._skeleton.neighbors[atom] if self._skeleton.order(atom, j) == 2)
                molecule.GetAtomWithIdx(atom).SetFormalCharge(1)
                molecule.GetAtomWithIdx(other).SetFormalCharge(-1)
                molecule.GetBondBetweenAtoms(atom, other).SetBondType(self._single)
