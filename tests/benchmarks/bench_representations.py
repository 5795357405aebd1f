"""Coulomb matrix and bag of bonds against DScribe and qmllib, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from limits import bound, flop_rate, write_rate
from molecules import PREPARE as MOLECULES
from molecules import molecules, same
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import BagOfBonds, CoulombMatrix, Representation
from qmlstudio.representations.bag_of_bonds import bags

SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}

PREPARE = """
from dscribe.descriptors import CoulombMatrix
from qmllib.representations import generate_bob, generate_coulomb_matrix, generate_coulomb_matrix_eigenvalue
positions = [p / bohr for p in angstrom]
atoms = [Atoms(n, p) for n, p in zip(numbers, positions)]
symbols = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}
asize = {symbols[k]: max(int((n == k).sum()) for n in numbers) for k in sorted(set(z.tolist()))}
names = [np.array([symbols[k] for k in n]) for n in numbers]
sorted_l2 = CoulombMatrix(n_atoms_max=n_max, permutation="sorted_l2")
spectrum = CoulombMatrix(n_atoms_max=n_max, permutation="eigenspectrum")
"""
DSCRIBE_SORTED = "result = np.array([sorted_l2.create(a) for a in atoms])"
DSCRIBE_SPECTRUM = "result = np.array([spectrum.create(a) for a in atoms])"
QMLLIB_SORTED = "result = np.array([generate_coulomb_matrix(c, p, size=n_max) for c, p in zip(charges, positions)])"
QMLLIB_SPECTRUM = (
    "result = np.array([generate_coulomb_matrix_eigenvalue(c, p, size=n_max) for c, p in zip(charges, positions)])"
)
QMLLIB_BOB = (
    "result = np.array([generate_bob(n, p, s, size=n_max, asize=asize) for n, p, s in zip(numbers, positions, names)])"
)


def same_but_ties(ours: Any, theirs: Any) -> str:
    """As :func:`same`; molecules with rows of equal norm, whose order rounding decides in the peers, are counted."""
    scale = np.abs(theirs).max(axis=1)
    error = np.abs(ours - theirs).max(axis=1) / scale
    tied = error > 1e-12
    content = np.abs(np.sort(ours, axis=1) - np.sort(theirs, axis=1)).max(axis=1) / scale
    return (
        f"max |Δ|/max {error[~tied].max():.0e}; {tied.sum()} with tied rows in another order, "
        f"same entries to {content.max():.0e}"
    )


def same_bags(structures: Structures) -> Callable[[Any, Any], str]:
    """Bags compared one by one: qmllib puts the elements in ascending order of their counts."""
    species = structures.species
    # ties in that order keep the order in which the peer's dictionary was filled: ascending atomic number
    elements = sorted(species.numbers, key=species.count)
    place: dict[tuple[int, int], slice] = {}
    at = 0
    for i, a in enumerate(elements):
        n = species.count(a)
        for b, size in [(0, n), (a, n * (n - 1) // 2), *((b, n * species.count(b)) for b in elements[i + 1 :])]:
            place[(min(a, b), max(a, b)) if b else (a, 0)] = slice(at, at + size)
            at += size

    def compare(ours: Any, theirs: Any) -> str:
        order = np.concatenate([np.arange(at)[place[(bag.first, bag.second)]] for bag in bags(species)])
        return same(ours, theirs[:, order])

    return compare


def limit(representation: Representation, structures: Structures) -> float:
    """Seconds: 12 operations for each pair, those of eigenvalues or of the sorting network, and writing."""
    sizes = structures.sizes.astype(float)
    pairs = sizes * (sizes - 1) / 2
    flops = 12 * pairs
    if representation == CoulombMatrix(permutation="eigenspectrum", order=getattr(representation, "order", "absolute")):
        # Householder reduction; some two sweeps of twenty operations for each eigenvalue
        flops += 4 / 3 * sizes**3 + 20 * sizes**2
    elif isinstance(representation, BagOfBonds):
        # merge exchange: n log² n / 4 comparators of two operations, in bags of a third of the pairs or so
        flops += pairs * np.log2(np.maximum(pairs / 3, 2)) ** 2 / 2
    written = 8.0 * representation.size(structures.species) * len(structures)
    return float(flops.sum()) / flop_rate() + written / write_rate()


def run(peers_python: str | None) -> list[Row]:
    """One row for each pair; and how much two threads give."""
    name, structures = molecules()
    n = len(structures)
    full, packed = CoulombMatrix(packed=False), CoulombMatrix()
    absolute = CoulombMatrix(permutation="eigenspectrum")
    signed = CoulombMatrix(permutation="eigenspectrum", order="signed")
    bob = BagOfBonds()
    cases: list[tuple[str, Representation, str, str, float, Callable[[Any, Any], str]]] = [
        ("Coulomb matrix by row norm, packed", packed, "qmllib", QMLLIB_SORTED, 4.0, same_but_ties),
        ("Coulomb matrix by row norm, full", full, "dscribe", DSCRIBE_SORTED, 12.0, same_but_ties),
        ("Coulomb matrix, eigenvalues", signed, "qmllib", QMLLIB_SPECTRUM, 4.0, same),
        ("Coulomb matrix, eigenvalues", absolute, "dscribe", DSCRIBE_SPECTRUM, 8.0, same),
        ("bag of bonds", bob, "qmllib", QMLLIB_BOB, 10.0, same_bags(structures)),
    ]
    rows = []
    if peers_python is not None:
        with Peer(peers_python) as peer:
            peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
            peer.run(MOLECULES + PREPARE)
            for work, representation, package, code, demand, compare in cases:
                timing = paired(lambda r=representation: r.compute(structures, threads=1), peer.task(code))
                peer.run(code)
                agreement = compare(representation.compute(structures).array, peer.fetch("result"))
                rows.append(
                    timing.row(
                        f"{work}: {name}, {n:,} molecules, each",
                        peer.version(package),
                        n,
                        agreement=agreement,
                        demand=demand,
                        columns=representation.size(structures.species),
                        bound=bound(timing.ours, limit(representation, structures), "arithmetic, writing"),
                    )
                )
    copies = structures.take(np.tile(np.arange(n), 5))
    for representation, work in ((packed, "Coulomb matrix by row norm"), (absolute, "eigenvalues"), (bob, "bags")):
        out = np.zeros((len(copies), representation.size(copies.species)))
        timing = paired(
            lambda r=representation, out=out: r.compute(copies, out=out, threads=2),
            lambda r=representation, out=out: r.compute(copies, out=out, threads=1),
        )
        title = f"{work}: two threads against one, {len(copies):,} molecules, each"
        columns = representation.size(copies.species)
        rows.append(timing.row(title, "ours, one thread", len(copies), demand=1.7, columns=columns))
    return rows
