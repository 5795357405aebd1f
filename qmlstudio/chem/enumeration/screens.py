"""Which patterns cannot be in a molecule, from its bonds alone: most need not be looked for.

A bit stands for a bond between two elements in one order, or in any. Each bond of a pattern asks for one of some bits;
a molecule has the bits of its bonds. Only an explicit ``-``, ``=`` or ``#`` says an order: they match no aromatic bond,
so that the order in any Kekulé form is the right one.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.enumeration.molecules import NITRO, Bytes, Elements, Skeleton

SCREENED = ("C", "N", "O", "S", "F")
"""Elements whose bonds have bits: 15 pairs, any order and three orders each."""
_ORDERS = {"-": 1, "=": 2, "#": 3}
_PLACE = {SYMBOLS.index(symbol): k for k, symbol in enumerate(SCREENED)}
_SYMBOL = re.compile(r"\[?(?:#(\d+)|(Cl|Br|Si|[CNOFSPIBcnosp]))(?![a-z])")


def _bit(first: int, second: int, order: int) -> int:
    low, high = min(first, second), max(first, second)
    return 1 << (4 * (high * (high + 1) // 2 + low) + order)


def masks(query: Any) -> tuple[int, ...]:
    """Masks of which a molecule must share a bit with each, or the query (RDKit's, of SMARTS) cannot match."""
    found: set[int] = set()
    for bond in query.GetBonds():
        first, second = (_elements(atom.GetSmarts()) for atom in (bond.GetBeginAtom(), bond.GetEndAtom()))
        order = _ORDERS.get(bond.GetSmarts(), 0)
        if first and second:
            bits = 0
            for a in first:
                for b in second:
                    bits |= _bit(a, b, order)
            found.add(bits)
    return tuple(found)


def _elements(smarts: str) -> set[int]:
    """Places in :data:`SCREENED` of the elements that an atom of a pattern may be; empty when others may match."""
    if "$" in smarts and smarts.index("$") <= 1:
        return set()
    found = set()
    for word in smarts.split("$")[0].split(";")[0].split(","):
        match = _SYMBOL.match(word)
        if match is None:
            return set()
        number, symbol = match.groups()
        place = _PLACE.get(int(number) if number else SYMBOLS.index(symbol.capitalize()))
        if place is None:
            return set()
        found.add(place)
    return found


def present(skeleton: Skeleton, block: Bytes, elements: Elements) -> NDArray[np.int64]:
    """(m,) the bits of the molecules of a block of fillings."""
    place = np.array([_PLACE.get(SYMBOLS.index(kind.symbol), -1) for kind in elements.kinds])[block]
    found = np.zeros(len(block), np.int64)
    for (i, j), order in zip(skeleton.bonds, skeleton.orders, strict=True):
        low, high = np.minimum(place[:, i], place[:, j]), np.maximum(place[:, i], place[:, j])
        base = np.where(low >= 0, 4 * (high * (high + 1) // 2 + low), 0)
        found |= np.where(low >= 0, (np.int64(1) << base) | (np.int64(1) << (base + order)), 0)
    if NITRO in elements.kinds:  # one of its double bonds is written as a single one
        found |= np.where(found & _bit(_PLACE[7], _PLACE[8], 2), _bit(_PLACE[7], _PLACE[8], 1), 0)
    return found
