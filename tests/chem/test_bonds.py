"""Bonds from geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.bonds import MOST_ORDERED, fragment_of, molecule, perceive_bonds
from qmlstudio.chem.readers import open_dataset, read_text
from qmlstudio.chem.structures import Structure

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def orders_of(smiles: str) -> list[float]:
    s = read_text(smiles).structures[0]
    bonds = perceive_bonds(s.numbers, s.positions)
    heavy = (s.numbers[bonds.pairs] > 1).all(axis=1)
    return sorted(bonds.orders[heavy].tolist())


@pytest.mark.parametrize(
    ("smiles", "orders"),
    [
        ("C", []),
        ("CC", [1]),
        ("C=C", [2]),
        ("C#C", [3]),
        ("N#N", [3]),
        ("[C-]#[O+]", [3]),
        ("O=C=O", [2, 2]),
        ("CC(=O)O", [1, 1, 2]),
        ("c1ccccc1", [1.5] * 6),
        ("c1ccncc1", [1.5] * 6),
        ("C1=CC=CC=CC=C1", [1, 1, 1, 1, 2, 2, 2, 2]),
        ("C[N+](=O)[O-]", [1, 1, 2]),
        ("CS(=O)(=O)C", [1, 1, 2, 2]),
        ("CC(=O)[O-]", [1, 1, 2]),
        ("C[NH3+]", [1]),
        ("C1C2CC1C2", [1] * 6),  # the bridgeheads are nearer than some bonds are long
        ("BrCCCl", [1, 1, 1]),
    ],
)
def test_orders(smiles: str, orders: list[float]) -> None:
    assert orders_of(smiles) == orders


def test_shape_and_ascending_order() -> None:
    s = read_text("CCO").structures[0]
    bonds = perceive_bonds(s.numbers, s.positions)
    assert bonds.pairs.dtype == np.int32
    assert len(bonds) == 8
    assert bonds.count == 9
    assert (bonds.pairs[:, 0] < bonds.pairs[:, 1]).all()
    assert (bonds.shifts == 0).all()
    assert bonds.pairs.tolist() == sorted(bonds.pairs.tolist())


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_bond(n: int) -> None:
    bonds = perceive_bonds(np.full(n, 6), np.zeros((n, 3)))
    assert bonds.pairs.shape == (0, 2)
    assert bonds.orders.shape == (0,)
    assert len(perceive_bonds([6, 6], [[0, 0, 0], [np.nan, 0, 0]])) == 0


def test_frames_of_one_molecule_are_determined_once() -> None:
    s = read_text("c1ccccc1O").structures[0]
    perceive_bonds(s.numbers, s.positions)
    before = molecule.cache_info().misses
    rng = np.random.default_rng(0)
    for _ in range(20):
        bonds = perceive_bonds(s.numbers, s.positions + rng.normal(0, 0.02, s.positions.shape))
        assert len(bonds) == 13
    assert molecule.cache_info().misses == before


def test_several_molecules_and_fragments() -> None:
    data = read_text("C=C\nO\nN#N")
    shift = np.repeat([[0.0, 0, 0], [8, 0, 0], [16, 0, 0]], data.structures.sizes, axis=0)
    bonds = perceive_bonds(data.structures.numbers, data.structures.positions + shift)
    assert sorted(bonds.orders.tolist()) == [1, 1, 1, 1, 1, 1, 2, 3]
    assert fragment_of(bonds, 3).tolist() == [0, 1, 2, 3, 4, 5]
    assert fragment_of(bonds, 8).tolist() == [6, 7, 8]
    with pytest.raises(IndexError):
        fragment_of(bonds, 11)


def test_long_chain_is_one_fragment() -> None:
    n = 2000
    r = np.zeros((n, 3))
    r[:, 0] = 1.5 * np.arange(n)
    order = np.random.default_rng(0).permutation(n)
    bonds = perceive_bonds(np.full(n, 6), r[order])
    assert len(bonds) == n - 1
    assert (bonds.orders == 1).all()  # too large to be determined
    assert len(fragment_of(bonds, 17)) == n > MOST_ORDERED


def test_tree_and_all_pairs_agree() -> None:
    rng = np.random.default_rng(1)
    z = rng.choice([6, 7, 14], 280)
    r = rng.uniform(0, 16, (280, 3))
    few = perceive_bonds(z, r)
    far = np.concatenate([r, [[500.0 + 9 * k, 0, 0] for k in range(100)]])
    many = perceive_bonds(np.concatenate([z, np.full(100, 2)]), far)
    assert few.pairs.tolist() == many.pairs.tolist()
    assert len(few) > 50


def test_rock_salt_is_bonded_across_faces() -> None:
    a = 5.64
    f = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    f = np.concatenate([f, f + np.array([0.5, 0, 0])])
    z = [11] * 4 + [17] * 4
    cell = np.eye(3) * a
    r = f @ cell
    bonds = perceive_bonds(z, r, cell)
    i, j = bonds.pairs.T
    length = np.linalg.norm(r[j] + bonds.shifts @ cell - r[i], axis=1)
    unlike = np.array(z)[i] != np.array(z)[j]
    np.testing.assert_allclose(length[unlike], a / 2)
    # each Na has a neighbour of either side of each axis: the same atom, counted once
    assert unlike.sum() == 12
    # atoms moved out of the cell are bonded as before, with other translations
    moved = r + np.array([[2, -1, 0]] * 3 + [[0, 0, 0]] * 5) @ cell
    again = perceive_bonds(z, moved, cell)
    assert again.pairs.tolist() == bonds.pairs.tolist()
    vectors = moved[again.pairs[:, 1]] + again.shifts @ cell - moved[again.pairs[:, 0]]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), length)


def test_molecule_cut_by_a_face_of_a_skewed_cell() -> None:
    s = read_text("CCO").structures[0]
    cell = np.array([[9.0, 0, 0], [4, 9, 0], [-3, 2, 9]])
    whole = perceive_bonds(s.numbers, s.positions)
    f = (s.positions + 0.3) @ np.linalg.inv(cell)
    wrapped = (f - np.floor(f)) @ cell
    cut = perceive_bonds(s.numbers, wrapped, cell)
    assert cut.pairs.tolist() == whole.pairs.tolist()
    assert cut.orders.tolist() == whole.orders.tolist()
    assert (cut.shifts != 0).any()


def test_hydrogen_has_one_neighbour_and_bridges_have_two() -> None:
    transfer = perceive_bonds([8, 1, 8], [[0, 0, 0], [1.15, 0, 0], [2.35, 0, 0]])
    assert transfer.pairs.tolist() == [[0, 1]]
    bridge = perceive_bonds([5, 1, 5], [[0, 0, 0], [1.0, 0.85, 0], [1.76, 0, 0]])
    assert [1, 2] in bridge.pairs.tolist()
    assert [0, 1] in bridge.pairs.tolist()


def test_real_molecules_agree_with_their_smiles() -> None:
    from rdkit import Chem

    data = open_dataset("builtin:qm9_7")
    assert data.smiles is not None

    def flat(mol: object) -> str:
        return str(Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(mol)), isomericSmiles=False))

    for i in range(0, len(data), 40):
        s: Structure = data.structures[i]
        bonds = perceive_bonds(s.numbers, s.positions)
        found = molecule(s.numbers.tobytes(), bonds.pairs.tobytes())[1]
        assert found is not None
        assert flat(Chem.RemoveHs(found)) == flat(Chem.MolFromSmiles(str(data.smiles[i])))


@shared
@pytest.mark.shared
def test_every_molecule_of_qm7_makes_sense() -> None:
    data = open_dataset(SHARED / "qm7" / "qm7.tar.gz")
    for s in data.structures.take(slice(0, None, 50)):
        bonds = perceive_bonds(s.numbers, s.positions)
        assert molecule(np.ascontiguousarray(s.numbers).tobytes(), bonds.pairs.tobytes())[1] is not None
        assert len(fragment_of(bonds, 0)) == len(s)
