"""Composition, fingerprints and descriptors: known answers, robustness, what sets a bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors, MACCSkeys, rdFingerprintGenerator
from reference_molecules import one, random_structures

from qmlstudio.chem import builtin, fingerprints
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structure, Structures
from qmlstudio.representations.base import Representation
from qmlstudio.representations.baselines import Composition, Maccs, Morgan, RdkitDescriptors

GRAPHS: tuple[Representation, ...] = (Morgan(), Morgan(counts=True, features=True), Maccs(), RdkitDescriptors())
graphs = pytest.mark.parametrize("representation", GRAPHS, ids=lambda r: r.name)

WATER = [[0.0, 0.0, 0.0], [0.757, 0.0, 0.587], [-0.757, 0.0, 0.587]]


@pytest.fixture(scope="module")
def molecules() -> Dataset:
    return builtin.load_builtin("qm9_7")


def some(molecules: Dataset, step: int = 97) -> list[tuple[Structure, Any]]:
    """Structures, and RDKit's molecules from the SMILES that come with them."""
    assert molecules.smiles is not None
    indices = range(0, len(molecules.structures), step)
    found = [(molecules.structures[i], Chem.MolFromSmiles(str(molecules.smiles[i]))) for i in indices]
    for _, mol in found:
        Chem.RemoveStereochemistry(mol)
    return found


def row(representation: Representation, structure: Structure) -> Any:
    return representation.compute(Structures.from_lists([structure.numbers], [structure.positions])).array[0]


def test_composition_counts() -> None:
    structures = Structures.from_lists([[8, 1, 1], [], [6, 6, 1]], [WATER, [], np.eye(3)])
    counts = Composition().compute(structures)
    np.testing.assert_array_equal(counts.array, [[2, 0, 1], [0, 0, 0], [1, 2, 0]])
    assert Composition().labels(counts.species) == ["number of H atoms", "number of C atoms", "number of O atoms"]
    fractions = Composition(values="fractions")
    np.testing.assert_allclose(fractions.compute(structures).array[0], [2 / 3, 0, 1 / 3])
    for representation in (Composition(), fractions):
        parts = representation.contributions(structures[0], counts.species, 0)
        assert [p.atoms for p in parts] == [(1,), (2,)]
        assert sum(p.value for p in parts) == pytest.approx(representation.compute(structures).array[0, 0])
        assert representation.contributions(structures[0], counts.species, 1) == []
        assert not representation.has_gradient
    with pytest.raises(ValueError, match="has O atoms, but the columns"):
        Composition().compute(structures, species=structures.take([2]).species)


def test_composition_does_not_look_at_positions() -> None:
    assert Composition().compute(one([1, 1], [[np.nan] * 3, [0, 0, 0]])).array[0, 0] == 2


def test_dressed_atoms_are_a_linear_model() -> None:
    structures = random_structures(60, seed=3)
    energies = np.array(
        [{1: -0.5, 6: -38.0, 7: -54.6, 8: -75.1, 9: -99.7, 16: -398.1, 35: -2574.0}[z] for z in structures.numbers]
    )
    totals = np.add.reduceat(energies, structures.offsets[:-1])
    features = Composition().compute(structures).array
    fitted = features @ np.linalg.lstsq(features, totals, rcond=None)[0]
    np.testing.assert_allclose(fitted, totals, rtol=1e-9)


def test_graphs_are_those_of_the_smiles(molecules: Dataset) -> None:
    for structure, mol in some(molecules):
        found = fingerprints.graph(*fingerprints.graph_key(structure))
        assert Chem.MolToSmiles(found) == Chem.MolToSmiles(mol)
        z = [structure.numbers[atom.GetIntProp("atom")] for atom in found.GetAtoms()]
        assert z == [atom.GetAtomicNum() for atom in found.GetAtoms()]


@pytest.mark.parametrize("radius", [0, 2, 3])
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("features", [False, True])
def test_morgan_is_that_of_the_smiles(molecules: Dataset, radius: int, counts: bool, features: bool) -> None:
    invariants = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if features else None
    generator = rdFingerprintGenerator.GetMorganGenerator(
        radius=radius, fpSize=1024, atomInvariantsGenerator=invariants
    )
    representation = Morgan(radius=radius, n_bits=1024, counts=counts, features=features)
    for structure, mol in some(molecules, 211):
        expected = generator.GetCountFingerprintAsNumPy(mol) if counts else generator.GetFingerprintAsNumPy(mol)
        np.testing.assert_array_equal(row(representation, structure), expected)


def test_maccs_and_descriptors_are_those_of_the_smiles(molecules: Dataset) -> None:
    names = fingerprints.descriptor_names()
    functions = dict(Descriptors.descList)
    assert "Ipc" not in names
    for structure, mol in some(molecules, 397):
        np.testing.assert_array_equal(row(Maccs(), structure), np.array(list(MACCSkeys.GenMACCSKeys(mol)), float))
        # Gasteiger's charges see hydrogens as atoms or as counts alike
        expected = [functions[name](mol) for name in names]
        np.testing.assert_allclose(row(RdkitDescriptors(), structure), expected, rtol=1e-9, atol=1e-9)


@graphs
def test_order_of_atoms_and_conformer_do_not_matter(representation: Representation, molecules: Dataset) -> None:
    rng = np.random.default_rng(5)
    structures = [s for s, _ in some(molecules, 301)] + list(random_structures(10, seed=8))
    for structure in structures:
        order = rng.permutation(len(structure))
        other = Structure(structure.numbers[order], structure.positions[order][:, ::-1] + 3.0)
        a, b = row(representation, structure), row(representation, other)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


STRANGE: dict[str, tuple[list[int], Any]] = {
    "nothing": ([], []),
    "hydrogen atom": ([1], [[0, 0, 0]]),
    "hydrogen": ([1, 1], [[0, 0, 0], [0, 0, 0.74]]),
    "carbon atom": ([6], [[0, 0, 0]]),
    "hydroxyl": ([8, 1], [[0, 0, 0], [0, 0, 0.97]]),
    "iron carbonyl": ([26, 6, 8], [[0, 0, 0], [0, 0, 1.8], [0, 0, 2.95]]),
    "salt": ([11, 17], [[0, 0, 0], [0, 0, 2.36]]),
    "uranium hexafluoride": ([92] + [9] * 6, 2.0 * np.vstack([np.zeros((1, 3)), np.eye(3), -np.eye(3)])),
    "two waters": ([8, 1, 1, 8, 1, 1], [*WATER, *(np.array(WATER) + 6.0 * np.eye(3)[0])]),
    "unknown elements": ([118, 104], [[0, 0, 0], [0, 0, 2.0]]),
}


@graphs
@pytest.mark.parametrize("name", STRANGE)
def test_strange_structures_have_rows(representation: Representation, name: str) -> None:
    structures = one(*STRANGE[name])
    features = representation.compute(structures)
    values = features.array[0]
    assert np.isfinite(values).all()
    assert not values.any() or name != "nothing"
    assert values.any() or name == "nothing" or representation.name == "maccs"
    for column in np.flatnonzero(values)[:20]:
        for part in representation.contributions(structures[0], features.species, int(column)):
            assert all(0 <= atom < len(structures[0]) for atom in part.atoms)


def test_two_molecules_add_up() -> None:
    single, double = one(*STRANGE["two waters"]).take([0]), one([8, 1, 1], WATER)
    counts = Morgan(counts=True)
    np.testing.assert_array_equal(counts.compute(single).array, 2 * counts.compute(double).array)
    assert counts.compute(one([8, 1, 1], WATER)).array.sum() == 1
    keys = Maccs().compute(single).array[0]
    assert keys[166] == 1
    assert keys[164] == 1


def test_environments_set_the_bits(molecules: Dataset) -> None:
    representation = Morgan(counts=True)
    for structure, _ in some(molecules, 401):
        values = row(representation, structure)
        species = Structures.from_lists([structure.numbers], [structure.positions]).species
        for column, value in enumerate(values):
            parts = representation.contributions(structure, species, column)
            assert sum(p.value for p in parts) == value
            for part in parts:
                assert len(set(part.atoms)) == len(part.atoms)
                assert (structure.numbers[list(part.atoms)] > 1).all()


def test_matches_set_the_keys(molecules: Dataset) -> None:
    benzene = Chem.AddHs(Chem.MolFromSmiles("Cc1ccccc1-c1ccccc1"))
    from rdkit.Chem import rdDistGeom

    rdDistGeom.EmbedMolecule(benzene, randomSeed=1)
    numbers = [atom.GetAtomicNum() for atom in benzene.GetAtoms()]
    structure = one(numbers, benzene.GetConformer().GetPositions())[0]
    species = one(numbers, structure.positions).species
    assert row(Maccs(), structure)[125] == 1
    parts = Maccs().contributions(structure, species, 125)
    assert len(parts) == 2
    assert all((structure.numbers[list(part.atoms)] == 6).all() and len(part.atoms) == 6 for part in parts)
    for structure, _ in some(molecules, 211):
        values = row(Maccs(), structure)
        for key in range(fingerprints.MACCS_BITS):
            parts = Maccs().contributions(structure, species, key)
            assert bool(parts) == bool(values[key])


def test_labels_and_panels() -> None:
    structures = one([8, 1, 1], WATER)
    assert Morgan(n_bits=256).labels(structures.species)[255] == "bit 255"
    keys = Maccs().labels(structures.species)
    assert keys[0] == "key 0: not used"
    assert keys[125] == "key 125: more than one aromatic ring"
    assert keys[164].startswith("key 164: [#8]")
    assert keys[136] == "key 136: [#8]=* (twice or more)"
    names = RdkitDescriptors().labels(structures.species)
    layout = RdkitDescriptors().layout(structures[0], structures.species)
    assert [n for panel in layout.panels for n in panel.names] == names
    assert [p.stop for p in layout.panels[:-1]] == [p.start for p in layout.panels[1:]]
    assert row(RdkitDescriptors(), structures[0])[names.index("MolWt")] == pytest.approx(18.015, abs=1e-3)


@graphs
def test_frames_with_the_same_bonds_cost_one_graph(
    representation: Representation, molecules: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    structure = molecules.structures[1000]
    frames = Structures.from_lists(
        [structure.numbers] * 50, [structure.positions * (1 + 1e-3 * np.sin(k)) for k in range(50)]
    )
    calls = []
    real = fingerprints.graph
    monkeypatch.setattr(fingerprints, "graph", lambda *key: calls.append(key) or real(*key))
    values = representation.compute(frames).array
    assert len(calls) == 1
    assert (values == values[0]).all()


@graphs
def test_errors(representation: Representation) -> None:
    broken = Structures.from_lists([[8, 1, 1], [8, 1, 1]], [WATER, [WATER[0], WATER[1], WATER[0]]])
    with pytest.raises(ValueError, match=r"structure 2 \(index 1\): atoms O1 and H3 lie at the same place"):
        representation.compute(broken)
    with pytest.raises(ValueError, match="not a finite number"):
        representation.compute(one([8, 1, 1], [WATER[0], WATER[1], [np.inf, 0, 0]]))
    with pytest.raises(ValueError, match="bits"):
        Morgan(n_bits=100)
