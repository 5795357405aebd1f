"""Bags of bonds, angles and torsions: Huang and von Lilienfeld, J. Chem. Phys. 145, 161102 (2016)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import Array, Features, Layout, Representation, columns_for

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEIGHBORS = {1: 1, 5: 4, 6: 4, 7: 4, 8: 3, 9: 1, 14: 4, 17: 4, 35: 4}
"""Neighbours that an atom has at most; six of other elements."""

KINDS = ("bonds", "angles", "torsions", "non-bonded")


@dataclass(frozen=True)
class TermBag:
    """One bag.

    Attributes
    ----------
    kind : int
        Index into KINDS.
    elements : tuple of int
        Atomic numbers: of a bond or a pair its two, of an angle its three with the middle one in the middle (the
        others ascending), of a torsion those of its middle bond.
    start, stop : int
        Its columns.
    """

    kind: int
    elements: tuple[int, ...]
    start: int
    stop: int

    @property
    def title(self) -> str:
        """ "C–H bonds", "H–C–H angles", "C–C torsions", "C–H non-bonded"."""
        shown = self.elements
        if self.kind != 1:
            # carbon first, hydrogen last, the rest by atomic number
            shown = tuple(sorted(shown, key=lambda z: (z == 1, z != 6, z)))
        return "–".join(SYMBOLS[z] for z in shown) + f" {KINDS[self.kind]}"


def term_bags(species: Species, angles: bool = True, torsions: bool = True) -> tuple[TermBag, ...]:
    """The bags in the order of their columns, empty ones left out. Sizes: see :class:`BAML`."""
    found, start = [], 0
    for kind, elements, size in _sizes(species, angles, torsions):
        if size > 0:
            found.append(TermBag(kind, elements, start, start + size))
            start += size
    return tuple(found)


def _sizes(species: Species, angles: bool, torsions: bool) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Kind, elements and the most terms that a molecule can have, bag by bag."""
    count = dict(zip(species.numbers, species.counts, strict=True))
    most = {z: min(_NEIGHBORS.get(z, 6), max(species.n_max - 1, 0)) for z in species.numbers}
    pairs = list(combinations_with_replacement(species.numbers, 2))

    def bonds(a: int, b: int) -> int:
        if a == b:
            return min(count[a] * most[a] // 2, count[a] * (count[a] - 1) // 2)
        return min(count[a] * most[a], count[b] * most[b], count[a] * count[b])

    def ends(a: int, b: int) -> int:
        """Neighbours of kind `a` that all atoms of kind `b` have together."""
        return (2 if a == b else 1) * bonds(a, b)

    for a, b in pairs:
        yield 0, (a, b), bonds(a, b)
    for b in species.numbers if angles else ():
        for a, c in pairs:
            na, nc = (min(most[b], max(count[e] - (e == b), 0)) for e in (a, c))
            if a == c:
                size = min(count[b] * (na * (na - 1) // 2), ends(a, b) * max(na - 1, 0) // 2)
            else:
                best = max(k * min(most[b] - k, nc) for k in range(na + 1))
                size = min(count[b] * best, ends(a, b) * min(most[b] - 1, nc), ends(c, b) * min(most[b] - 1, na))
            yield 1, (a, b, c), size
    for b, c in pairs if torsions else ():
        yield 2, (b, c), bonds(b, c) * (most[b] - 1) * (most[c] - 1)
    for a, b in pairs:
        yield 3, (a, b), count[a] * (count[a] - 1) // 2 if a == b else count[a] * count[b]


@lru_cache(maxsize=16)
def _table(bags: tuple[TermBag, ...]) -> dict[int, Ints]:
    """For each kind, rows of elements as one number, first column, size; ascending by that number."""
    found: dict[int, Ints] = {}
    for kind in range(4):
        rows = [(_code(np.array([b.elements]))[0], b.start, b.stop - b.start) for b in bags if b.kind == kind]
        found[kind] = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
    return found


def _code(elements: Any) -> Ints:
    """(m,) one number for each row of atomic numbers (m, k)."""
    total = np.zeros(len(elements), dtype=np.int64)
    for column in np.asarray(elements, dtype=np.int64).T:
        total = total * 256 + column
    return total


@dataclass(frozen=True, kw_only=True)
class BAML(Representation):
    """BAML: the terms of the universal force field in bags, as the bag of bonds has Coulomb interactions.

    Bonds are Morse potentials D [(1 − e^{−α (r − r0)})² − 1]; angles K (C0 + C1 cos θ + C2 cos 2θ), and K/n² (1 −
    cos nθ) at flat atoms; torsions V/2 (1 − cos nφ0 cos nφ); pairs of atoms that are neither bonded nor have a common
    neighbour Lennard-Jones potentials and the Coulomb interaction of Gasteiger charges. All are in kcal/mol, with bonds
    and atom types perceived from the geometry (:mod:`qmlstudio.chem.uff`). The authors' own definitions in code are not
    public: the functional forms are the paper's and the universal force field's, the values are this program's.

    Bags are kept by elements, not by atom types, so that the columns follow from the data set's elements and counts:
    one for each bonded pair, each angle, each middle bond of torsions and each pair that is not bonded. Each is sorted
    by descending magnitude and padded with zeros to the most terms that so many atoms with their usual most neighbours
    can have (H 1, C and N 4, O 3, …). Were there more terms, the smallest would be left out. Features jump where a
    bond is made or broken and have kinks where two terms cross. Homometric arrangements of atoms about one centre, with
    the same angles, are the same to it.
    """

    name: ClassVar[str] = "baml"
    title: ClassVar[str] = "BAML"
    help: ClassVar[str] = (
        "Energies of bonds, angles, torsions and non-bonded pairs by the universal force field, in one sorted bag for "
        "each combination of elements. Closer to the energy than the bag of bonds; goes with the Laplacian kernel. "
        "Bonds are perceived from the geometry: features jump where one is made or broken, and metals are poorly "
        "described."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"E_{\mathrm{bond}} = D \left[ \left(1 - e^{-\alpha (r - r_0)}\right)^2 - 1 \right]",
        r"E_{\mathrm{angle}} = K \left( C_0 + C_1 \cos\theta + C_2 \cos 2\theta \right)",
        r"E_{\mathrm{torsion}} = \frac{V}{2} \left( 1 - \cos n\varphi_0 \cos n\varphi \right)",
        r"E_{\mathrm{pair}} = D \left[ \left(\frac{x}{r}\right)^{12} - 2 \left(\frac{x}{r}\right)^{6} \right] + "
        r"\frac{q q'}{4 \pi \varepsilon_0 r}",
    )
    reference: ClassVar[str] = (
        "B. Huang, O. A. von Lilienfeld, J. Chem. Phys. 145, 161102 (2016), doi:10.1063/1.4964627"
    )
    counts_matter: ClassVar[bool] = True

    angles: bool = param(True, label="Angles", help="Bags of angles.")
    torsions: bool = param(True, label="Torsions", help="Bags of torsions.")
    charges: bool = param(
        True, label="Coulomb", help="Coulomb interactions of Gasteiger charges between atoms that are not bonded."
    )

    def size(self, species: Species) -> int:
        """Columns of all bags."""
        found = term_bags(species, self.angles, self.torsions)
        return found[-1].stop if found else 0

    def labels(self, species: Species) -> list[str]:
        """ "C–H bonds 5 / kcal/mol" for the fifth largest term of a bag."""
        return [
            f"{bag.title} {k} / kcal/mol"
            for bag in term_bags(species, self.angles, self.torsions)
            for k in range(1, bag.stop - bag.start + 1)
        ]

    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        """See :meth:`Representation.compute`; (n, size) features in kcal/mol; always on one thread.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        species = columns_for(structures, species)
        array = self._output(structures, species, out, dtype)
        _check(structures)
        table = _table(term_bags(species, self.angles, self.torsions))
        for start, stop in slices(len(structures), progress, self.title, first=16):
            array[start:stop] = 0.0
            some = [structures[index] for index in range(start, stop)]
            for rows, columns, values, _ in self._placed(some, table):
                array[start + rows, columns] = values
        return Features(array, self, species)

    def _placed(self, structures: list[Structure], table: dict[int, Ints]) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
        """Structures, columns, values and atoms (0-based over all structures) of the terms of each kind."""
        from qmlstudio.chem.uff import uff_terms

        found = [uff_terms(s.numbers, s.positions, self.charges) for s in structures]
        firsts = np.cumsum([0, *(len(s) for s in structures)])
        z = np.concatenate([s.numbers for s in structures])
        r = np.concatenate([s.positions for s in structures])
        terms = (
            ([t.bonds for t in found], [t.bond_values for t in found], _bonds),
            ([t.angles for t in found], [t.angle_values for t in found], _angles),
            ([t.torsions for t in found], [t.torsion_values for t in found], _torsions),
            ([t.pairs for t in found], [t.pair_values for t in found], _pairs),
        )
        for kind, (members, parameters, energy) in enumerate(terms):
            known = table[kind]
            owner = np.repeat(np.arange(len(structures)), [len(m) for m in members])
            if not len(known) or not len(owner):
                continue
            atoms = np.concatenate(members) + firsts[owner, None]
            values = energy(r, atoms, np.concatenate(parameters))
            middle = atoms[:, 1:3] if kind == 2 else atoms
            code = _code(_outer_sorted(z[atoms]) if kind == 1 else np.sort(z[middle], axis=1))
            bag = np.minimum(np.searchsorted(known[:, 0], code), len(known) - 1)
            # a kind of term that was not thought possible (hydrogen between two atoms, say) has no bag
            possible = known[bag, 0] == code
            bag, values, atoms, owner = bag[possible], values[possible], atoms[possible], owner[possible]
            key = owner * len(known) + bag
            order = np.lexsort((-np.abs(values), key))
            key, bag = key[order], bag[order]
            rank = np.arange(len(key)) - np.searchsorted(key, key)
            kept = rank < known[bag, 2]
            yield owner[order][kept], (known[bag, 1] + rank)[kept], values[order][kept], atoms[order][kept]

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bags as groups of bars; each entry with the atoms of its term."""
        found = term_bags(species, self.angles, self.torsions)
        atoms: list[tuple[int, ...]] = [()] * (found[-1].stop if found else 0)
        for _, columns, _, members in self._placed([structure], _table(found)):
            for column, own in zip(columns.tolist(), members.tolist(), strict=True):
                atoms[column] = tuple(own)
        groups = tuple((bag.title, bag.start, bag.stop) for bag in found)
        return Layout("bags", (len(atoms),), groups=groups, atoms=tuple(atoms), unit="kcal/mol")


def _check(structures: Structures) -> None:
    """Raise ValueError for atoms at the same place and coordinates that are not finite."""
    from qmlstudio.representations import _drive

    _drive.check_positions(structures)
    offsets, positions = structures.offsets, np.asarray(structures.positions)
    for index in range(len(structures)):
        r = positions[offsets[index] : offsets[index + 1]]
        square = ((r[:, None] - r[None]) ** 2).sum(axis=2)
        np.fill_diagonal(square, np.inf)
        if square.min(initial=np.inf) <= _drive.COINCIDENT**2:
            raise _drive.coincident(structures, index)


def _outer_sorted(elements: NDArray[Any]) -> NDArray[Any]:
    """(m, 3) rows with the first and last number in ascending order."""
    low, high = np.minimum(elements[:, 0], elements[:, 2]), np.maximum(elements[:, 0], elements[:, 2])
    return np.stack([low, elements[:, 1], high], axis=1)


def _bonds(r: Floats, atoms: Ints, values: Floats) -> Floats:
    """(m,) Morse potentials."""
    depth, alpha, rest = values.T
    stretch = np.linalg.norm(r[atoms[:, 0]] - r[atoms[:, 1]], axis=1) - rest
    return np.asarray(depth * ((1.0 - np.exp(-alpha * stretch)) ** 2 - 1.0))


def _angles(r: Floats, atoms: Ints, values: Floats) -> Floats:
    """(m,) bending energies."""
    u, v = r[atoms[:, 0]] - r[atoms[:, 1]], r[atoms[:, 2]] - r[atoms[:, 1]]
    c = (u * v).sum(axis=1) / np.sqrt((u * u).sum(axis=1) * (v * v).sum(axis=1))
    c = np.clip(c, -1.0, 1.0)
    k, rest, order = values.T
    general = np.sin(rest) ** 2 > 1e-12
    c2 = 1.0 / (4.0 * np.where(general, np.sin(rest) ** 2, 1.0))
    c1, c0 = -4.0 * c2 * np.cos(rest), c2 * (2.0 * np.cos(rest) ** 2 + 1.0)
    energy = k * np.where(general, c0 + c1 * c + c2 * (2.0 * c * c - 1.0), 1.0 + c)
    energy = np.where(order == 1, k * (1.0 + c), energy)
    energy = np.where(order == 3, k / 9.0 * (1.0 - c * (4.0 * c * c - 3.0)), energy)
    return np.asarray(np.where(order == 4, k / 2.0 * c * c * (1.0 - c * c), energy))


def _torsions(r: Floats, atoms: Ints, values: Floats) -> Floats:
    """(m,) torsion energies; 0 where three of the atoms lie on a line."""
    first, axis, last = (r[atoms[:, k + 1]] - r[atoms[:, k]] for k in range(3))
    a, b = np.cross(first, axis), np.cross(axis, last)
    square = (a * a).sum(axis=1) * (b * b).sum(axis=1)
    straight = square < 1e-12
    c = np.clip((a * b).sum(axis=1) / np.sqrt(np.where(straight, 1.0, square)), -1.0, 1.0)
    barrier, n, phase = values.T
    two = 2.0 * c * c - 1.0
    three = c * (4.0 * c * c - 3.0)
    multiple = np.where(n == 2, two, np.where(n == 3, three, 2.0 * three * three - 1.0))
    return np.asarray(np.where(straight, 0.0, barrier * (1.0 - phase * multiple)))


def _pairs(r: Floats, atoms: Ints, values: Floats) -> Floats:
    """(m,) Lennard-Jones and Coulomb energies."""
    x, depth, charge = values.T
    distance = np.linalg.norm(r[atoms[:, 0]] - r[atoms[:, 1]], axis=1)
    sixth = (x / distance) ** 6
    return np.asarray(depth * (sixth * sixth - 2.0 * sixth) + charge / distance)
