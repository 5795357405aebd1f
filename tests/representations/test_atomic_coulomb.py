"""The atomic Coulomb matrix: against qmllib, the Coulomb matrix, and by its own contributions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import coulomb, named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.representations import AtomicCoulombMatrix

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "coulomb_family.json"
LOCAL: dict[str, Any] = {"average": "off", "length_unit": "angstrom"}


def test_equals_qmllib() -> None:
    data = json.loads(GOLDEN.read_text(encoding="utf-8"))
    molecules = data["molecules"]
    structures = Structures.from_lists([m["numbers"] for m in molecules], [m["positions"] for m in molecules])
    own = structures.species
    species = Species(own.numbers, own.counts, data["molecule_max"])
    for k, parameters in enumerate(data["atomic"]):
        features = AtomicCoulombMatrix(**LOCAL, **parameters).compute(structures, species=species)
        for index, molecule in enumerate(molecules):
            expected = np.array(molecule["values"][str(k)])
            for row, theirs in zip(features.of(index), expected, strict=True):
                # of atoms that symmetry makes equivalent, rounding decides the order there
                tied = molecule["name"] in ("water", "isospectral A", "isospectral B")
                a, b = (np.sort(row), np.sort(theirs)) if tied else (row, theirs)
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()), err_msg=str(parameters))


@pytest.mark.parametrize("sorting", ["distance", "row-norm"])
def test_without_cutoffs_it_is_the_coulomb_matrix(sorting: str) -> None:
    structures = random_structures(30, seed=1)
    representation = AtomicCoulombMatrix(average="off", sorting=sorting)
    features = representation.compute(structures)
    for index, structure in enumerate(structures):
        full = coulomb(structure, BOHR)
        for k, row in enumerate(features.of(index)):
            own = [i for i in range(len(structure)) if i != k]
            keys = np.linalg.norm(structure.positions - structure.positions[k], axis=1)
            if sorting == "row-norm":
                keys = -np.linalg.norm(full, axis=1)
            order = [k, *sorted(own, key=lambda i, keys=keys: keys[i])]
            matrix = representation.unpack(row, structures.species)
            n = len(order)
            np.testing.assert_allclose(matrix[:n, :n], full[np.ix_(order, order)], rtol=1e-13)
            assert not matrix[n:].any()


def test_water() -> None:
    water = one(named("water").numbers, named("water").positions)
    rows = AtomicCoulombMatrix(**LOCAL).compute(water)
    np.testing.assert_array_equal(rows.offsets, [0, 3])
    np.testing.assert_allclose(
        rows.array[0], [73.5166947198, 8.3577099875, 0.5, 8.3577099874, 0.6605453251, 0.5], atol=1e-9
    )
    # H: itself, O, the other H
    np.testing.assert_allclose(
        rows.array[1], [0.5, 8.3577099875, 73.5166947198, 0.6605453251, 8.3577099874, 0.5], atol=1e-9
    )
    assert AtomicCoulombMatrix().labels(water.species)[3:] == ["M(3, 1) / Ha", "M(3, 2) / Ha", "M(3, 3) / Ha"]


@pytest.mark.parametrize("sorting", ["distance", "row-norm"])
@pytest.mark.parametrize(
    "cutoffs",
    [{}, {"central_cutoff": 3.0, "central_decay": 1.5, "interaction_cutoff": 2.5, "interaction_decay": 1.0}],
)
def test_averages_and_contributions(sorting: str, cutoffs: dict[str, float]) -> None:
    structures = random_structures(8, seed=2)
    local = AtomicCoulombMatrix(average="off", sorting=sorting, **cutoffs)
    species, features = structures.species, local.compute(structures)
    total = local.with_values(average="sum").compute(structures).array
    mean = local.with_values(average="mean").compute(structures).array
    for index, structure in enumerate(structures):
        rows = features.of(index)
        np.testing.assert_allclose(total[index], rows.sum(axis=0), rtol=1e-13)
        np.testing.assert_allclose(mean[index], rows.mean(axis=0), rtol=1e-13)
        for column in range(0, len(mean[index]), 7):
            for average, row in (("sum", total[index]), ("mean", mean[index])):
                parts = local.with_values(average=average).contributions(structure, species, column)
                assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-5, abs=1e-9)
            parts = local.contributions(structure, species, column, 0)
            assert sum(p.value for p in parts) == pytest.approx(rows[0, column], rel=1e-12, abs=1e-12)
            assert all(p.atoms[0] == 0 for p in parts)


def test_cutoffs_fade_smoothly() -> None:
    representation = AtomicCoulombMatrix(**LOCAL, central_cutoff=3.0, central_decay=1.0)
    values = []
    for r in np.linspace(1.9, 3.1, 241):
        values.append(representation.compute(one([6, 8], [[0, 0, 0], [0, 0, r]])).array[0])
    values = np.array(values)
    assert np.abs(np.diff(values, axis=0)).max() < 0.02 * np.abs(values).max()
    assert values[0, 1] == pytest.approx(48 / 1.9)
    assert not values[-1, 1:].any()
    # the interactions' cutoff counts up to twice the central one
    far = one([6, 8, 9], [[0, 0, 0], [0, 0, 2.9], [0, 0, -2.9]])
    row = representation.with_values(central_decay=-1.0, interaction_cutoff=100.0).compute(far).array[0]
    assert row[4] == pytest.approx(72 / 5.8)


def test_small_and_broken() -> None:
    gap = Structures(np.array([6], np.uint8), np.zeros((1, 3)), np.array([0, 0, 1]))
    for average in ("sum", "mean"):
        array = AtomicCoulombMatrix(average=average).compute(gap).array
        np.testing.assert_allclose(array, [[0.0], [0.5 * 6**2.4]])
    with pytest.raises(ValueError, match="atoms C1 and H2 lie at the same place"):
        AtomicCoulombMatrix().compute(one([6, 1], [[0, 0, 0], [0, 0, 0]]))
    assert AtomicCoulombMatrix().contributions(gap[1], gap.species, 5) == []
