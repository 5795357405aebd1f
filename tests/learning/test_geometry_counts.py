"""Distances, angles and bond graphs against direct counting with NumPy."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.bonds import bonded_pairs
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.geometry_counts import LARGE, MOST_ELEMENTS, element_order, geometry_counts, label
from qmlstudio.progress import Cancelled, Progress

Values = dict[tuple[int, ...], list[float]]


def molecules(count: int = 150) -> Structures:
    structures = load_builtin("qm9_7").structures
    return structures.take(np.linspace(0, len(structures) - 1, count).astype(int))


def direct(structures: Structures) -> tuple[Values, Values]:
    """All distances and all angles between bonds."""
    distances: Values = {}
    angles: Values = {}
    for m in structures:
        z, r = m.numbers.tolist(), m.positions
        for i, j in combinations(range(len(z)), 2):
            pair = tuple(sorted((z[i], z[j]), key=element_order))
            distances.setdefault(pair, []).append(float(np.linalg.norm(r[i] - r[j])))
        bonded: dict[int, list[int]] = {}
        for i, j in bonded_pairs(m.numbers, r).tolist():
            bonded.setdefault(i, []).append(j)
            bonded.setdefault(j, []).append(i)
        for c, ends in bonded.items():
            for i, j in combinations(ends, 2):
                a, b = r[i] - r[c], r[j] - r[c]
                one, two = sorted((z[i], z[j]), key=element_order)
                cosine = np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)
                angles.setdefault((one, z[c], two), []).append(float(np.degrees(np.arccos(cosine))))
    return distances, angles


def test_distances_and_angles_are_those_of_numpy() -> None:
    structures = molecules()
    distances, angles = direct(structures)
    found = geometry_counts(structures, reach=4.0, length_step=0.05, angle_step=2.0)
    assert set(found.distances) == set(distances)
    for pair, values in distances.items():
        counted = np.histogram(values, 80, (0.0, 4.0))[0]
        np.testing.assert_array_equal(found.distances[pair], counted)  # type: ignore[index]
        assert found.beyond[pair] == sum(v >= 4.0 for v in values)  # type: ignore[index]
    assert set(found.angles) == set(angles)
    for triple, values in angles.items():
        np.testing.assert_array_equal(found.angles[triple], np.histogram(values, 90, (0, 180))[0])  # type: ignore[index]
    assert found.structures == len(structures)
    assert found.not_finite == 0


def test_only_the_chosen_rows_are_counted_in_any_order() -> None:
    structures = molecules(40)
    rows = np.array([31, 2, 17])
    some, same = geometry_counts(structures, rows=rows), geometry_counts(structures.take(rows))
    assert some.distances.keys() == same.distances.keys()
    assert all((some.distances[k] == same.distances[k]).all() for k in same.distances)
    np.testing.assert_array_equal(some.graphs, same.graphs)


def test_crowded_atoms_lose_their_longest_bonds_as_elsewhere() -> None:
    # a fifth hydrogen close to methane's carbon, farther than the others
    r = np.array([[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [-0.63, 0.63, -0.63], [0.63, -0.63, -0.63]])
    z = np.array([6, 1, 1, 1, 1, 1])
    structures = Structures.from_lists([z], [np.vstack([r, [0, 0, 1.2]])])
    assert len(bonded_pairs(z, structures.positions)) == 4
    found = geometry_counts(structures)
    assert found.angles[1, 6, 1].sum() == 6


def shuffled(structures: Structures) -> Structures:
    rng = np.random.default_rng(1)
    orders = [rng.permutation(len(m)) for m in structures]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Structures.from_lists(
        [m.numbers[o] for m, o in zip(structures, orders)], [m.positions[o] @ turn for m, o in zip(structures, orders)]
    )


def test_graphs_do_not_depend_on_the_order_of_atoms() -> None:
    structures = molecules(100)
    one, two = geometry_counts(structures).graphs, geometry_counts(shuffled(structures)).graphs
    assert one is not None
    np.testing.assert_array_equal(one, two)


def embedded(smiles: str) -> tuple[Any, Any]:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    AllChem.MMFFOptimizeMolecule(molecule)
    return [a.GetAtomicNum() for a in molecule.GetAtoms()], molecule.GetConformer().GetPositions()


def test_graphs_tell_apart_what_neighbours_alone_do_not() -> None:
    # decalin and bicyclopentyl: every atom has the same surroundings step by step
    made = [embedded(s) for s in ("C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1", "C1CCC2CCCCC2C1")]
    graphs = geometry_counts(Structures.from_lists(*zip(*made))).graphs
    assert graphs is not None
    assert graphs[0] == graphs[2] != graphs[1]


def test_as_many_graphs_as_connectivities_of_smiles() -> None:
    from rdkit import Chem

    dataset = load_builtin("qm9_7").take(slice(0, 600))
    graphs = geometry_counts(dataset.structures).graphs
    assert graphs is not None
    assert dataset.smiles is not None
    flat = {Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False) for s in dataset.smiles}
    assert len(np.unique(graphs)) == pytest.approx(len(flat), abs=2)


def test_a_crystal_counts_its_images() -> None:
    # rock salt: six neighbours at a/2, twelve of the same kind at a/√2
    a = 5.64
    cell = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=float)
    structures = Structures.from_lists([[11, 17]], [[[0, 0, 0], [a / 2, 0, 0]]], [cell])
    found = geometry_counts(structures, reach=4.2, length_step=0.1)
    assert found.graphs is None
    assert found.distances[11, 17].sum() == 6
    assert found.distances[11, 17][int(a / 2 / 0.1)] == 6
    assert found.distances[11, 11].sum() == 6  # twelve neighbours, each pair from both ends
    angles = found.angles[17, 11, 17]
    assert angles.sum() == 15
    assert angles[89:91].sum() == 12
    assert angles[-1] == 3


def test_a_cell_without_volume_names_the_structure() -> None:
    flat = np.array([[1.0, 0, 0], [2, 0, 0], [0, 0, 3]])
    structures = Structures.from_lists([[1], [1]], [np.zeros((1, 3)), np.zeros((1, 3))], [4 * np.eye(3), flat])
    with pytest.raises(ValueError, match=r"structure 2 \(index 1\): the cell has no volume"):
        geometry_counts(structures)


def test_large_molecules_are_counted_like_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    structures = molecules(30)
    usual = geometry_counts(structures)
    monkeypatch.setattr("qmlstudio.learning.geometry_counts.LARGE", 10)
    large = geometry_counts(structures)
    assert all((usual.distances[k] == large.distances[k]).all() for k in usual.distances)
    assert all((usual.angles[k] == large.angles[k]).all() for k in usual.angles)
    assert usual.graphs is not None
    assert large.graphs is not None
    assert len(np.unique(usual.graphs)) == len(np.unique(large.graphs))
    assert LARGE > 10


@pytest.mark.parametrize(
    "make",
    [
        lambda: Structures.from_lists([], []),
        lambda: Structures.from_lists([[]], [np.zeros((0, 3))]),
        lambda: Structures.from_lists([[6]], [[[0, 0, 0]]]),
        lambda: Structures.from_lists([[6, 6, 6]], [np.zeros((3, 3))]),
    ],
)
def test_nothing_and_coincident_atoms_are_legal(make: Callable[[], Structures]) -> None:
    found = geometry_counts(make())
    assert sum(int(v.sum()) for v in found.distances.values()) in (0, 3)
    assert not any(v.any() for v in found.angles.values())


def test_coordinates_that_are_no_numbers_are_counted_as_such() -> None:
    structures = Structures.from_lists([[6, 1, 1]], [[[0, 0, 0], [np.nan, 0, 0], [0, 0, np.inf]]])
    found = geometry_counts(structures)
    assert found.not_finite == 3
    assert not any(v.any() for v in found.distances.values())


def test_rare_elements_of_many_are_left_out_and_told() -> None:
    numbers = [z for z in range(1, MOST_ELEMENTS + 4) for _ in range(2 if z > 3 else 1)]
    positions = np.arange(len(numbers))[:, None] * np.array([10.0, 0, 0])
    found = geometry_counts(Structures.from_lists([numbers], [positions]))
    assert found.left_out == (1, 2, 3)


def test_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        geometry_counts(molecules(), progress=Progress(is_cancelled=lambda: True))


def test_names_put_carbon_first_and_hydrogen_last() -> None:
    assert label(tuple(sorted((1, 8, 6, 7), key=element_order))) == "C–N–O–H"
