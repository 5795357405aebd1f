"""BAML: against a plain implementation of its definition, by its invariances, and on what it can tell apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one

from qmlstudio.chem import builtin
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.uff import uff_terms
from qmlstudio.representations import BAML, BagOfBonds
from qmlstudio.representations.baml import term_bags


@pytest.fixture(scope="module")
def molecules() -> Structures:
    """Some of QM9's with up to seven heavy atoms."""
    whole = builtin.load_builtin("qm9_7").structures
    return whole.take(np.linspace(0, len(whole) - 1, 60).astype(int))


def slow(structure: Any, species: Species) -> Any:
    """The definition, term by term, with trigonometric functions of the angles themselves."""
    terms, r, z = uff_terms(structure.numbers, structure.positions), structure.positions, structure.numbers.tolist()
    found: dict[tuple[int, tuple[int, ...]], list[float]] = {}

    def put(kind: int, elements: Any, value: float) -> None:
        found.setdefault((kind, tuple(elements)), []).append(value)

    for (i, j), (depth, alpha, r0) in zip(terms.bonds, terms.bond_values, strict=True):
        stretch = math.dist(r[i], r[j]) - r0
        put(0, sorted((z[i], z[j])), depth * ((1 - math.exp(-alpha * stretch)) ** 2 - 1))
    for (i, j, k), (force, theta0, n) in zip(terms.angles, terms.angle_values, strict=True):
        u, v = r[i] - r[j], r[k] - r[j]
        theta = math.acos(float(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
        if n == 1:
            value = force * (1 + math.cos(theta))
        elif n:
            value = force / n**2 * (1 - math.cos(n * theta))
        else:
            c2 = 1 / (4 * math.sin(theta0) ** 2)
            value = force * (
                c2 * (2 * math.cos(theta0) ** 2 + 1)
                - 4 * c2 * math.cos(theta0) * math.cos(theta)
                + c2 * math.cos(2 * theta)
            )
        a, c = sorted((z[i], z[k]))
        put(1, (a, z[j], c), value)
    for (i, j, k, l), (half, n, phase) in zip(terms.torsions, terms.torsion_values, strict=True):
        a, axis, b = r[j] - r[i], r[k] - r[j], r[l] - r[k]
        p, q = np.cross(a, axis), np.cross(axis, b)
        phi = math.atan2(float(np.cross(p, q) @ axis / np.linalg.norm(axis)), float(p @ q))
        put(2, sorted((z[j], z[k])), half * (1 - phase * math.cos(n * phi)))
    for (i, j), (x, depth, charge) in zip(terms.pairs, terms.pair_values, strict=True):
        d = math.dist(r[i], r[j])
        put(3, sorted((z[i], z[j])), depth * ((x / d) ** 12 - 2 * (x / d) ** 6) + charge / d)
    row = np.zeros(BAML().size(species))
    for bag in term_bags(species):
        values = sorted(found.pop((bag.kind, bag.elements), []), key=lambda v: -abs(v))
        row[bag.start : bag.start + len(values)] = values
        assert len(values) <= bag.stop - bag.start
    assert not found
    return row


def test_equals_the_definition(molecules: Structures) -> None:
    species = molecules.species
    array = BAML().compute(molecules).array
    for structure, row in zip(molecules, array, strict=True):
        np.testing.assert_allclose(row, slow(structure, species), rtol=1e-9, atol=1e-9)


def test_does_not_depend_on_orders_and_places(molecules: Structures) -> None:
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    orders = [rng.permutation(len(s)) for s in molecules]
    other = Structures.from_lists(
        [s.numbers[o] for s, o in zip(molecules, orders, strict=True)],
        [s.positions[o] @ q + [3, -100, 20] for s, o in zip(molecules, orders, strict=True)],
    )
    np.testing.assert_allclose(BAML().compute(other).array, BAML().compute(molecules).array, rtol=1e-8, atol=1e-9)


def test_columns(molecules: Structures) -> None:
    species = Species((1, 6), (6, 2), 8)
    bags = {bag.title: bag.stop - bag.start for bag in term_bags(species)}
    assert bags == {
        "H–H bonds": 3,
        "C–H bonds": 6,
        "C–C bonds": 1,
        "H–C–H angles": 9,
        "H–C–C angles": 6,
        "C–C torsions": 9,
        "H–H non-bonded": 15,
        "C–H non-bonded": 12,
        "C–C non-bonded": 1,
    }
    assert BAML().size(species) == 62
    assert len(set(BAML().labels(species))) == 62
    assert BAML().labels(species)[3] == "C–H bonds 1 / kcal/mol"
    assert BAML(torsions=False).size(species) == 53
    assert BAML(torsions=False, angles=False).size(species) == 38
    assert BAML().size(Species((), (), 0)) == 0
    assert BAML().size(Species((1, 6, 7, 8, 16), (16, 7, 3, 3, 1), 23)) < 2000


def test_ethane() -> None:
    r = [[-0.76, 0, 0], [0.76, 0, 0]]
    for side, x, start in ((-1, -1.156, 0.0), (1, 1.156, math.pi / 3)):
        r += [
            [x, 1.02 * math.cos(start + k * 2.0943951), side * side * 1.02 * math.sin(start + k * 2.0943951)]
            for k in range(3)
        ]
    ethane = one([6, 6, 1, 1, 1, 1, 1, 1], r)
    row, species = BAML(charges=False).compute(ethane).array[0], ethane.species
    places = {bag.title: slice(bag.start, bag.stop) for bag in term_bags(species)}
    # staggered: no torsion energy but that of the pairs at 180°, where the cosine is also at its minimum
    assert np.abs(row[places["C–C torsions"]]).max() < 1e-6
    assert row[places["C–C bonds"]][0] == pytest.approx(-70.0, abs=0.1)
    assert (row[places["C–H bonds"]] < -69).all()
    layout = BAML().layout(ethane[0], species)
    assert layout.atoms[places["C–C bonds"].start] == (0, 1)
    assert all(len(a) == 4 and {a[1], a[2]} == {0, 1} for a in layout.atoms[places["C–C torsions"]])
    assert all(len(a) == 3 for a in layout.atoms[places["H–C–H angles"]][:6])
    column = places["H–C–C angles"].start
    parts = BAML(charges=False).contributions(ethane[0], species, column)
    assert len(parts) == 1
    assert parts[0].value == pytest.approx(row[column])


def test_cannot_tell_homometric_molecules_apart() -> None:
    # equal bonds and equal angles at the one centre, in another arrangement; charges see bonds only
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    for representation in (BagOfBonds(), BAML()):
        array = representation.compute(pair).array
        assert np.abs(array[0] - array[1]).max() < 1e-12
    # but who is bonded to whom: propanol and methoxyethane have the same elements
    chains = [[6, 6, 6, 8], [6, 6, 8, 6]]
    zigzag = [[1.25 * k, 0.8 * (k % 2), 0] for k in range(4)]
    array = BAML(charges=False).compute(Structures.from_lists(chains, [zigzag, zigzag])).array
    assert np.abs(array[0] - array[1]).max() > 10


def test_unusual_structures() -> None:
    gap = Structures.from_lists(
        [[], [6], [1, 1], [1, 5, 5, 1]],
        [
            np.zeros((0, 3)),
            [[0, 0, 0]],
            [[0, 0, 0], [0, 0, 0.74]],
            [[0, 0.9, 0], [0.88, 0, 0], [-0.88, 0, 0], [0, -0.9, 0]],
        ],
    )
    array = BAML().compute(gap, threads=2).array
    assert np.isfinite(array).all()
    assert not array[:2].any()
    assert array[2].any()
    with pytest.raises(ValueError, match=r"structure 2 \(index 1\): atoms H1 and H2 lie at the same place"):
        BAML().compute(Structures.from_lists([[6], [1, 1]], [[[0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]))
