"""Counting elements and spelling formulas: part by part, the same as structure by structure."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem import structures as module
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Species, Structures, formula
from qmlstudio.session.scripting import with_derived


def random_structures(n: int) -> Structures:
    """Structures of no to eight atoms of five elements, some of which are alike."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, n))])
    numbers = rng.choice(np.array([1, 1, 1, 6, 6, 8, 17, 83], np.uint8), offsets[-1])
    return Structures(numbers, rng.normal(size=(offsets[-1], 3)), offsets)


@pytest.fixture
def structures(monkeypatch: pytest.MonkeyPatch) -> Structures:
    monkeypatch.setattr(module, "_PART", 64)
    return random_structures(1000)


def test_formulas_are_those_of_each_structure(structures: Structures) -> None:
    assert structures.formulas() == [formula(s.numbers) for s in structures]
    assert "" in structures.formulas()


def test_elements_are_counted_part_by_part(structures: Structures) -> None:
    found, parts = structures.element_counts()
    assert found.tolist() == [1, 6, 8, 17, 83]
    counts = list(parts)
    assert [start for start, _ in counts] == list(range(0, 1000, 64))
    whole = np.concatenate([c for _, c in counts])
    for k, s in enumerate(structures):
        assert whole[k].tolist() == [int((s.numbers == z).sum()) for z in found]


def test_species_are_the_largest_counts(structures: Structures) -> None:
    species = Species.of(structures)
    assert species.numbers == (1, 6, 8, 17, 83)
    assert species.counts == tuple(max(int((s.numbers == z).sum()) for s in structures) for z in species.numbers)
    assert species.n_max == max(len(s) for s in structures)


@pytest.mark.parametrize("n", [0, 3])
def test_no_atoms_at_all(n: int) -> None:
    empty = Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(n + 1, np.int64))
    assert empty.formulas() == [""] * n
    assert empty.species == Species((), (), 0)
    assert with_derived(Dataset("empty", empty)).properties["n_heavy"].values.tolist() == [0.0] * n


def test_derived_properties_leave_the_files_own_alone(structures: Structures) -> None:
    mine = Property(np.arange(1000.0), unit="mine")
    data = with_derived(Dataset("random", structures, {"n_heavy": mine}))
    assert data.properties["n_heavy"] is mine
    assert list(data.properties) == ["n_heavy", "n_atoms", "formula"]
    heavy = with_derived(Dataset("random", structures)).properties["n_heavy"].values
    assert heavy.tolist() == [float((s.numbers > 1).sum()) for s in structures]


def test_frames_get_their_number_only(structures: Structures) -> None:
    data = with_derived(Dataset("frames", structures, ordered=True))
    assert list(data.properties) == ["frame"]
    assert data.properties["frame"].values[[0, -1]].tolist() == [1.0, 1000.0]
    assert with_derived(data) is data
