"""FCHL19: against qmllib, the plain definition, derivatives, crystals, and what it cannot see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations.fchl19 import FCHL19

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "fchl.json"
WATER = Species((1, 8), (2, 1), 3)


def golden() -> dict[str, Any]:
    """Reference values; see make_fchl.py beside them."""
    data: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return data


def golden_structures() -> Structures:
    """Its molecules."""
    molecules = golden()["molecules"]
    return Structures.from_lists([m["numbers"] for m in molecules], [m["positions"] for m in molecules])


def golden_species() -> Species:
    """The elements for which it was made."""
    elements = golden()["elements"]
    return Species(tuple(elements), (100,) * len(elements), 100)


def crystal(seed: int = 1, atoms: int = 4, size: float = 4.5) -> Structures:
    """A made-up skewed crystal."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(size - 0.5, size + 0.5, 3)) + np.tril(rng.uniform(-0.8, 0.8, (3, 3)), -1)
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.1], [0.45, 0, 0.5], [0, 0.55, 0.6]])[:atoms]
    positions = (places + rng.uniform(-0.04, 0.04, places.shape)) @ cell
    return Structures.from_lists([[8, 14, 8, 1][:atoms]], [positions], [cell])


def numerical(representation: FCHL19, structures: Structures, atoms: list[int], step: float = 1e-5) -> np.ndarray:
    """(rows, len(atoms), 3, d) central differences for the one structure of `structures`."""
    structure = structures[0]
    displaced = []
    for atom in atoms:
        for axis in range(3):
            for sign in (1, -1):
                positions = np.array(structure.positions)
                positions[atom, axis] += sign * step
                displaced.append(positions)
    count = len(displaced)
    many = Structures.from_lists([structure.numbers] * count, displaced, [structure.cell] * count)
    values = representation.compute(many, species=structures.species).array
    values = values.reshape(len(atoms), 3, 2, -1, values.shape[1])
    return np.moveaxis((values[:, :, 0] - values[:, :, 1]) / (2 * step), 2, 0)


@pytest.mark.parametrize("case", range(3))
def test_equals_qmllib(case: int) -> None:
    data = golden()
    reference = data["fchl19"][case]
    structures = golden_structures()
    array = FCHL19(average="off", **reference["options"]).compute(structures, species=golden_species()).array
    # an arc cosine makes an error of 1e-8 of straight angles there
    straight = [any(word in m["name"] for word in ("homometric", "cyanide")) for m in data["molecules"]]
    tolerance = np.where(np.repeat(straight, structures.sizes), 1e-7, 2e-13)
    assert (np.abs(array.sum(axis=1) - reference["sums"]) <= 10 * tolerance * np.abs(array).max()).all()
    difference = np.abs(array[::2, :: data["keep"]] - reference["rows"])
    assert (difference <= tolerance[::2, None] * np.abs(array).max()).all()


def test_gradient_equals_qmllib() -> None:
    data, structures = golden(), golden_structures()
    for reference in data["gradients"]:
        single = structures.take([reference["molecule"]])
        block = FCHL19(average="off").gradient(single, species=golden_species()).of(0)
        assert np.abs(block).sum() == pytest.approx(reference["sum"], rel=1e-12)
        picked = block.reshape(-1)[:: 10 * data["keep"] + 1]
        np.testing.assert_allclose(picked, reference["picked"], rtol=1e-11, atol=1e-12)


def test_water_as_published() -> None:
    water = one(named("water").numbers, named("water").positions)
    array = FCHL19(average="off").compute(water, species=WATER).array
    assert array.shape == (3, 168)
    np.testing.assert_allclose(array.sum(axis=1), [6.4662734248, 4.7257285850, 4.7257285849], atol=2e-10)
    np.testing.assert_allclose(np.linalg.norm(array, axis=1), [2.9520941845, 1.5829196505, 1.5829196505], atol=1e-10)
    first = [1.1634628307, 2.1183311798, 1.4299415038, 0.7756612827, 0.3990167934, 0.2048958868]
    np.testing.assert_allclose(array[0, :6], first, atol=1e-10)
    np.testing.assert_allclose(FCHL19().compute(water).array[0], array.sum(axis=0), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        FCHL19(average="mean").compute(water).array[0], array.mean(axis=0), rtol=1e-13, atol=1e-15
    )


def test_equals_the_definition() -> None:
    # contributions are a plain translation of the formulas
    structures = random_structures(3, seed=4, low=5, high=9)
    species = structures.species
    for representation in (FCHL19(), FCHL19(average="off", nFourier=2, zeta=0.7, rcut=4.0, acut=3.0, nRs2=9, nRs3=11)):
        features = representation.compute(structures)
        for index, structure in enumerate(structures):
            row = features.of(index)[-1]
            centre = len(structure) - 1 if representation.local else None
            for column in range(0, len(row), 7):
                parts = representation.contributions(structure, species, column, centre)
                scale = max((abs(p.value) for p in parts), default=1.0)
                assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-9, abs=2e-5 * scale)


def test_contributions_of_a_crystal_add_up() -> None:
    structures = crystal()
    representation = FCHL19(average="mean", rcut=4.0, acut=3.5)
    row = representation.compute(structures).array[0]
    for column in np.argsort(-np.abs(row))[:25]:
        parts = representation.contributions(structures[0], structures.species, int(column))
        assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-4)
        assert all(len(p.atoms) in (2, 3) for p in parts)


@pytest.mark.parametrize(
    "representation",
    [
        FCHL19(average="off"),
        FCHL19(),
        FCHL19(average="mean", nFourier=3, zeta=0.5, nRs3=27, nRs2=13, rcut=5.0, acut=4.0),
        FCHL19(average="off", nFourier=2, zeta=0.5, nRs3=5, nRs2=3),
    ],
    ids=["off", "sum", "mean", "orders"],
)
def test_gradient_of_molecules(representation: FCHL19) -> None:
    # of a straight molecule |sin θ| has its kink, where differences are as inexact as their step is long
    for structures, tolerance in ((random_structures(1, seed=41, low=6, high=6), 1e-8), (one(*_cyanide()), 1e-4)):
        block = representation.gradient(structures).of(0)
        expected = numerical(representation, structures, list(range(len(structures.numbers))))
        assert np.abs(block - expected).max() <= tolerance * np.abs(expected).max()
        assert np.abs(block.sum(axis=1)).max() <= 1e-13 * np.abs(block).max()
        torque = np.cross(structures.positions[None, :, :, None], block, axis=2).sum(axis=1)
        assert np.abs(torque).max() <= 1e-12 * np.abs(block).max()


def _cyanide() -> tuple[Any, Any]:
    # straight, and not along an axis
    cyanide = named("hydrogen cyanide")
    return cyanide.numbers, cyanide.positions[:, 2:] * np.array([[0.48, -0.6, 0.64]])


@pytest.mark.parametrize("cutoffs", [(3.2, 4.0), (4.0, 3.3)])
def test_gradient_of_crystals(cutoffs: tuple[float, float]) -> None:
    structures = crystal(3)
    for average in ("off", "sum"):
        representation = FCHL19(average=average, rcut=cutoffs[0], acut=cutoffs[1], nRs2=10, nRs3=9)
        block = representation.gradient(structures).of(0)
        expected = numerical(representation, structures, [0, 1, 2, 3])
        assert np.abs(block - expected).max() <= 1e-7 * np.abs(expected).max()
        assert np.abs(block.sum(axis=1)).max() <= 1e-12 * np.abs(block).max()


def grid_molecule(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A made-up molecule of `count` atoms."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) * 1.5
    return rng.choice([1, 6, 8], count), grid[rng.permutation(64)[:count]] + rng.normal(0, 0.12, (count, 3))


def test_large_molecules_take_another_way_to_the_same_numbers() -> None:
    numbers, positions = grid_molecule(30)
    far = positions[:15] + np.array([200.0, 0.0, 0.0])
    small, large = one(numbers, positions), one(np.append(numbers, numbers[:15]), np.vstack([positions, far]))
    for representation in (FCHL19(average="off"), FCHL19(average="off", nFourier=2, zeta=1.0, acut=3.0, rcut=4.0)):
        a, b = representation.compute(small).array, representation.compute(large).array
        np.testing.assert_allclose(b[:30], a, rtol=1e-11, atol=1e-12)
        gradient = representation.gradient(large).of(0)[:30]
        np.testing.assert_allclose(gradient[:, :30], representation.gradient(small).of(0), rtol=1e-10, atol=1e-11)
        assert not gradient[:, 30:].any()
    rows, total = FCHL19(average="off").compute(large).array, FCHL19().compute(large).array
    np.testing.assert_allclose(total[0], rows.sum(axis=0), rtol=1e-12, atol=1e-13)


def test_crystal_equals_a_large_cluster() -> None:
    structures = crystal(7)
    structure = structures[0]
    assert structure.cell is not None
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = steps[np.argsort(np.abs(steps).sum(axis=1), kind="stable")]
    positions = np.vstack([structure.positions + step @ structure.cell for step in steps])
    cluster = one(np.tile(structure.numbers, len(steps)), positions)
    representation = FCHL19(average="off", rcut=4.5, acut=4.0)
    expected = representation.compute(cluster).array[: len(structure)]
    np.testing.assert_allclose(representation.compute(structures).array, expected, rtol=1e-11, atol=1e-12)


def test_supercell_and_slab() -> None:
    structures = crystal(9, atoms=3)
    structure = structures[0]
    assert structure.cell is not None
    representation = FCHL19(average="mean", rcut=5.0, acut=4.0)
    row = representation.compute(structures).array
    doubled = Structures.from_lists(
        [np.tile(structure.numbers, 2)],
        [np.vstack([structure.positions, structure.positions + structure.cell[0]])],
        [structure.cell * np.array([[2], [1], [1]])],
    )
    np.testing.assert_allclose(representation.compute(doubled).array, row, rtol=1e-11, atol=1e-13)
    # one periodic direction less: the same as with that cell vector so long that nothing is in reach
    chain, long = np.array(structure.cell), np.array(structure.cell)
    chain[2] = 0.0
    long[2] = np.cross(long[0], long[1]) * 5.0
    slabs = [Structures.from_lists([structure.numbers], [structure.positions], [c]) for c in (chain, long)]
    rows = [representation.compute(slab).array for slab in slabs]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-11, atol=1e-13)


def test_blind_where_it_must_be() -> None:
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    rows = FCHL19(average="off").compute(pair)
    # triples around one atom do not tell the two apart, those around the others do
    assert np.abs(rows.of(0)[0] - rows.of(1)[0]).max() < 1e-12
    sums = FCHL19().compute(pair).array
    assert np.linalg.norm(sums[0] - sums[1]) == pytest.approx(0.357, abs=0.001)


def test_far_copies_and_lone_atoms() -> None:
    structures = random_structures(1, seed=8, low=7, high=7)
    twice = one(
        np.tile(structures.numbers, 2),
        np.vstack([structures.positions, structures.positions + np.array([0.0, 300.0, 0.0])]),
    )
    np.testing.assert_allclose(FCHL19().compute(twice).array, 2 * FCHL19().compute(structures).array, rtol=1e-11)
    lone = one([6], [[1.0, 2.0, 3.0]])
    # structures without atoms, with a cell and without
    cells = np.array([np.eye(3) * 5.0, np.zeros((3, 3)), np.eye(3) * 30.0])
    empty = Structures(np.array([6], np.uint8), np.zeros((1, 3)), np.array([0, 0, 0, 1]), cells)
    assert not FCHL19(average="mean").compute(empty, out=np.ones((3, 64))).array.any()
    for average in ("sum", "mean", "off"):
        representation = FCHL19(average=average)
        assert not representation.compute(lone).array.any()
        block = representation.gradient(lone).of(0)
        assert block.shape == (1, 1, 3, representation.size(lone.species))
        assert not block.any()


def test_cutoffs_are_smooth() -> None:
    def row(distance: float) -> np.ndarray:
        return FCHL19(rcut=4.0, acut=4.0).compute(one([8, 1, 1], [[0, 0, 0], [0, 0.96, 0], [distance, 0, 0]])).array

    for h in (1e-3, 1e-4):
        assert np.abs(row(4.0 - h) - row(4.0 + h)).max() < 20 * h**2


def test_labels_and_panels() -> None:
    representation = FCHL19(nFourier=2)
    species = Species((1, 6), (2, 1), 3)
    labels = representation.labels(species)
    assert labels[0] == "H, r = 0.3333 Å"
    assert labels[48:52] == [
        "H·H, r = 0.4 Å, cos θ",
        "H·H, r = 0.4 Å, sin θ",
        "H·H, r = 0.4 Å, cos 3θ",
        "H·H, r = 0.4 Å, sin 3θ",
    ]
    assert len(set(labels)) == len(labels) == representation.size(species) == 2 * 24 + 6 * 40
    panels = representation.layout(one([6, 1], [[0, 0, 0], [0, 0, 1.1]])[0], species).panels
    assert [p.title for p in panels] == ["H", "C", "H·H", "H·C", "C·C"]
    assert panels[3].cells is not None
    assert panels[3].cells.shape == (4, 20)
    assert labels[panels[3].cells[2, 19]] == "H·C, r = 8 Å, cos 3θ"


def test_refuses_what_cannot_be_computed() -> None:
    with pytest.raises(ValueError, match="eta3: with a cutoff of 8 Å it can be at most 23"):
        FCHL19(eta3=30.0)
    same = Structures.from_lists([[1, 1]], [[[0, 0, 0], [0, 0, 3.0]]], [np.diag([5.0, 5.0, 3.0])])
    for work in (FCHL19().compute, FCHL19().gradient):
        with pytest.raises(ValueError, match="through the faces of the cell"):
            work(same)
    with pytest.raises(ValueError, match="out has shape"):
        FCHL19().gradient(random_structures(1, seed=1), out=np.empty(5))
    with pytest.raises(ValueError, match="the columns were fixed for H, O"):
        FCHL19().compute(one([6], [[0, 0, 0]]), species=WATER)


def test_gradients_of_many_do_not_depend_on_threads() -> None:
    structures = random_structures(30, seed=19, low=1, high=9)
    for average in ("off", "sum"):
        representation = FCHL19(average=average, nRs2=5, nRs3=5)
        once = representation.gradient(structures, threads=1)
        buffer = np.full_like(once.array, np.nan)
        again = representation.gradient(structures, threads=3, out=buffer)
        assert again.array is buffer
        np.testing.assert_array_equal(buffer, once.array)
