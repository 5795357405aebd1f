"""What is left out of chemical space: strained graphs, strained or cumulated bonds, groups that do not last.

Every filter has a reason, can be switched, and is counted. They stand in the order in which they are asked; what one
leaves out the next does not see. The rules follow those of GDB-11 (Fink, Bruggesser, Reymond, Angew. Chem. Int. Ed.
44, 1504 (2005); Fink, Reymond, J. Chem. Inf. Model. 47, 342 (2007)). Where the papers leave the wording open the rule
is the simplest one that agrees with the molecules of GDB-11 up to six heavy atoms; for the quaternary three-rings and
the aromatic four-rings those with seven were looked at, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qmlstudio.chem.enumeration.molecules import Skeleton
from qmlstudio.chem.enumeration.shapes import Shape

Level = Literal["graph", "skeleton", "molecule"]


@dataclass(frozen=True, kw_only=True)
class GraphFilter:
    """Leaves out graphs: no molecule over them is made.

    Attributes
    ----------
    name, title, reason : str
        Key in files and on the command line; for people; why.
    rejects : callable (Shape) -> bool
    on : bool
        Whether it is used unless somebody says otherwise.
    """

    name: str
    title: str
    reason: str
    rejects: Callable[[Shape], bool]
    on: bool = True
    level: Level = "graph"


@dataclass(frozen=True, kw_only=True)
class SkeletonFilter:
    """Leaves out graphs with bond orders, whatever the elements; fields as of :class:`GraphFilter`."""

    name: str
    title: str
    reason: str
    rejects: Callable[[Skeleton, Shape], bool]
    on: bool = True
    level: Level = "skeleton"


@dataclass(frozen=True, kw_only=True)
class PatternFilter:
    """Leaves out molecules that contain one of some SMARTS patterns; other fields as of :class:`GraphFilter`.

    Attributes
    ----------
    smarts : tuple of str
        Matched on the molecule with implicit hydrogens and aromaticity as RDKit sees it.
    """

    name: str
    title: str
    reason: str
    smarts: tuple[str, ...]
    on: bool = True
    level: Level = "molecule"


Filter = GraphFilter | SkeletonFilter | PatternFilter


# -- graphs


def _is_not_planar(shape: Shape) -> bool:
    return not shape.is_planar


def _has_touching_small_rings(shape: Shape) -> bool:
    taken: set[int] = set()
    for ring in shape.small_rings:
        if not taken.isdisjoint(ring):
            return True
        taken.update(ring)
    return False


def _has_crowded_bridgehead(shape: Shape) -> bool:
    return bool(shape.crowded)


# -- skeletons


def _multiple(skeleton: Skeleton) -> list[tuple[tuple[int, int], int]]:
    return [(b, o) for b, o in zip(skeleton.bonds, skeleton.orders, strict=True) if o > 1]


def _is_cumulated(skeleton: Skeleton, _shape: Shape) -> bool:
    doubles = [0] * skeleton.n
    for (i, j), order in _multiple(skeleton):
        if order == 2:
            doubles[i] += 1
            doubles[j] += 1
    # above four only sulfones and nitro groups can be meant
    return any(count > 1 and total <= 4 for count, total in zip(doubles, skeleton.sums, strict=True))


def _has_triple_in_ring(skeleton: Skeleton, shape: Shape) -> bool:
    return any(order == 3 and 0 < shape.ring_sizes.get(bond, 0) < 9 for bond, order in _multiple(skeleton))


def _has_unsaturated_three_ring(skeleton: Skeleton, shape: Shape) -> bool:
    atoms = shape.atoms_in(3)
    return bool(atoms) and any(not atoms.isdisjoint(bond) for bond, _ in _multiple(skeleton))


def _has_quaternary_three_ring(skeleton: Skeleton, shape: Shape) -> bool:
    full = {v for v in shape.atoms_in(3) if len(shape.neighbors[v]) == 4}
    if not full:
        return False
    beside = {w for v in full for w in shape.neighbors[v]}
    return any(bond not in shape.ring_sizes or not beside.isdisjoint(bond) for bond, _ in _multiple(skeleton))


def _has_unsaturated_four_ring(skeleton: Skeleton, shape: Shape) -> bool:
    inside, atoms = shape.bonds_in(4), shape.atoms_in(4)
    if not atoms:
        return False
    strained = [(b, o) for b, o in _multiple(skeleton) if not _may_be_aromatic(skeleton, shape, b)]
    for bond, order in strained:
        i, j = bond
        outer = j if i in atoms else i
        if bond in inside:
            return True
        if order == 2 and (i in atoms or j in atoms) and len(shape.neighbors[outer]) > 1:
            return True
    for ring in shape.small_rings:
        if len(ring) == 4:
            exocyclic = sum(
                order == 2 and bond not in inside and not set(ring).isdisjoint(bond) for bond, order in strained
            )
            if exocyclic > 1:
                return True
    return False


def _may_be_aromatic(skeleton: Skeleton, shape: Shape, bond: tuple[int, int]) -> bool:
    """Whether a double bond of a small ring is also in a ring of five or six in which all atoms but one have one."""
    start, goal = bond
    unsaturated = {v for b, o in _multiple(skeleton) if o == 2 for v in b}
    stack = [[start]]
    while stack:
        path = stack.pop()
        for w in shape.neighbors[path[-1]]:
            if w == goal and len(path) in (4, 5):
                ring = [*path, goal]
                if sum(v not in unsaturated for v in ring) == len(ring) % 2:
                    return True
            elif w not in path and w != goal and len(path) < 5:
                stack.append([*path, w])
    return False


def _breaks_bredt(skeleton: Skeleton, shape: Shape) -> bool:
    return any(not shape.bridgeheads.isdisjoint(bond) for bond, _ in _multiple(skeleton))


GRAPH_FILTERS = (
    GraphFilter(
        name="nonplanar",
        title="Not planar",
        reason="cannot be drawn without crossing bonds: such molecules are knots of rings, hardly any is known",
        rejects=_is_not_planar,
    ),
    GraphFilter(
        name="small_rings",
        title="Small rings that touch",
        reason="an atom in two rings of three or four: bicyclobutane, spiropentane, propellanes, cubane are strained",
        rejects=_has_touching_small_rings,
    ),
    GraphFilter(
        name="bridgehead4",
        title="Tetravalent bridgeheads",
        reason="all four bonds of an atom in one ring system (not spiro): inverted or flattened carbon",
        rejects=_has_crowded_bridgehead,
    ),
)
SKELETON_FILTERS = (
    SkeletonFilter(
        name="cumulated",
        title="Cumulated double bonds",
        reason="allenes, ketenes, isocyanates, carbon dioxide: reactive",
        rejects=_is_cumulated,
    ),
    SkeletonFilter(
        name="ring_alkyne",
        title="Triple bonds in rings",
        reason="a triple bond is straight: rings of fewer than nine atoms cannot hold it",
        rejects=_has_triple_in_ring,
    ),
    SkeletonFilter(
        name="three_ring",
        title="Unsaturated three-rings",
        reason="cyclopropene, methylenecyclopropane, azirine, cyclopropanone: strained",
        rejects=_has_unsaturated_three_ring,
    ),
    SkeletonFilter(
        name="four_ring",
        title="Unsaturated four-rings",
        reason="cyclobutene, and more than one double bond, or one that goes on, outside of a four-ring: strained",
        rejects=_has_unsaturated_four_ring,
    ),
    SkeletonFilter(
        name="bredt",
        title="Bredt's rule",
        reason="a double bond at a bridgehead of a bridged ring system cannot be planar",
        rejects=_breaks_bredt,
    ),
    SkeletonFilter(
        name="quaternary_three_ring",
        title="Quaternary three-rings",
        reason="an atom of a three-ring with four bonds to heavy atoms in an unsaturated molecule: absent from GDB-11, "
        "though not named in the papers",
        rejects=_has_quaternary_three_ring,
    ),
)
