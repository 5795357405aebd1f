"""The bag of bonds: against qmllib bag by bag, the plain definition, and what it cannot see."""

from __future__ import annotations

import numpy as np
import pytest
from finite_differences import check_gradient
from reference_molecules import coulomb, golden, golden_species, golden_structures, named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.representations import BagOfBonds
from qmlstudio.representations.bag_of_bonds import bags


def qmllib_bags(data: dict, row: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """A row of qmllib's in bags: elements by ascending count; of each self terms, own pairs, pairs with later ones."""
    counts, elements, at, found = data["counts"], data["bob_elements"], 0, {}
    for i, a in enumerate(elements):
        n = counts[str(a)]
        for key, size in [((a, 0), n), ((a, a), n * (n - 1) // 2)] + [
            ((min(a, b), max(a, b)), n * counts[str(b)]) for b in elements[i + 1 :]
        ]:
            found[key] = row[at : at + size]
            at += size
    assert at == len(row)
    return found


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
def test_equals_qmllib_bag_by_bag(unit: str) -> None:
    data, species = golden(), golden_species()
    array = BagOfBonds(length_unit=unit).compute(golden_structures(), species=species).array
    for molecule, row in zip(data["molecules"], array, strict=True):
        theirs = qmllib_bags(data, np.array(molecule[unit]["qmllib bob"]))
        for bag in bags(species):
            expected = np.sort(theirs[(bag.first, bag.second)])[::-1]
            np.testing.assert_allclose(row[bag.start : bag.stop], expected, rtol=5e-15, atol=0, err_msg=bag.title)


def test_equals_the_definition() -> None:
    structures = random_structures(80, seed=31, high=24)
    species = structures.species
    array = BagOfBonds().compute(structures).array
    for structure, row in zip(structures, array, strict=True):
        matrix = coulomb(structure, BOHR)
        for bag in bags(species):
            i = np.flatnonzero(structure.numbers == bag.first)
            if not bag.second:
                values = np.diag(matrix)[i]
            elif bag.first == bag.second:
                values = matrix[np.ix_(i, i)][np.tril_indices(len(i), -1)]
            else:
                values = matrix[np.ix_(i, np.flatnonzero(structure.numbers == bag.second))].ravel()
            expected = np.zeros(bag.stop - bag.start)
            expected[: len(values)] = np.sort(values)[::-1]
            np.testing.assert_allclose(row[bag.start : bag.stop], expected, rtol=5e-15, atol=0)


def test_water_as_published() -> None:
    water = one(named("water").numbers, named("water").positions)
    row = BagOfBonds(length_unit="angstrom").compute(water).array[0]
    # H: self terms, H–H, O–H; O: self term
    expected = [0.5, 0.5, 0.6605453251, 8.3577099875, 8.3577099874, 73.5166947198]
    np.testing.assert_allclose(row, expected, atol=1e-9)
    species = water.species
    assert BagOfBonds().labels(species) == [
        "H self term 1 / Ha",
        "H self term 2 / Ha",
        "H–H bag 1 / Ha",
        "O–H bag 1 / Ha",
        "O–H bag 2 / Ha",
        "O self term 1 / Ha",
    ]
    layout = BagOfBonds().layout(water[0], species)
    assert layout.groups == (("H", 0, 2), ("H–H", 2, 3), ("O–H", 3, 5), ("O", 5, 6))
    assert layout.atoms[:3] == ((1,), (2,), (1, 2))
    assert {frozenset(pair) for pair in layout.atoms[3:5]} == {frozenset({0, 1}), frozenset({0, 2})}


def test_cannot_tell_homometric_molecules_apart() -> None:
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    array = BagOfBonds().compute(pair).array
    assert np.abs(array[0] - array[1]).max() < 1e-13


def test_long_bags_of_a_large_molecule() -> None:
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(-1, 3) * 1.5
    large = one(rng.choice([1, 6], 216), grid + rng.normal(0, 0.1, grid.shape))
    row = BagOfBonds().compute(large).array[0]
    for bag in bags(large.species):
        values = row[bag.start : bag.stop]
        assert (np.diff(values) <= 0).all()
        assert values[-1] > 0
    assert row.sum() == pytest.approx(np.tril(coulomb(large[0], BOHR)).sum(), rel=1e-12)


def test_columns() -> None:
    species = Species((1, 6, 9), (4, 2, 1), 7)
    found = bags(species)
    assert [bag.title for bag in found] == ["H", "H–H", "C–H", "F–H", "C", "C–C", "C–F", "F"]
    assert found[-1].stop == BagOfBonds().size(species) == 28
    assert [bag.stop for bag in found[:-1]] == [bag.start for bag in found[1:]]


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
def test_gradients(unit: str) -> None:
    structures = random_structures(8, seed=33, high=7)
    check_gradient(BagOfBonds(length_unit=unit), structures)


def test_gradients_follow_the_order_of_a_long_bag() -> None:
    structures = random_structures(2, seed=34, low=40, high=40)
    representation, species = BagOfBonds(), structures.species
    gradients = representation.gradient(structures)
    for index, structure in enumerate(structures):
        layout, block = representation.layout(structure, species), gradients.of(index)[0]
        for column, atoms in enumerate(layout.atoms):
            moving = np.flatnonzero(np.abs(block[:, :, column]).max(axis=1))
            assert set(moving) == (set(atoms) if len(atoms) == 2 else set())
    broken = structures.positions.copy()
    broken[3] = broken[9]
    with pytest.raises(ValueError, match="lie at the same place"):
        representation.gradient(Structures(structures.numbers, broken, structures.offsets))
