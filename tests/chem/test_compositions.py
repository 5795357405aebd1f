"""Tables of elpasolites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.elements import COVALENT_RADII, NUMBERS
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.readers.compositions import elpasolites

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "elpasolite" / "elpasolite_8590.csv.gz"
TABLE = "A,B,C,D,zA,zB,zC,zD,formation_energy_eV_per_formula\nAl,Na,K,F,13,11,19,9,-24.5\nXx,Na,K,F,0,11,19,9,1\n"


def test_table(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(TABLE)
    data = open_dataset(path)
    assert data.identifiers.tolist() == ["AlNaK2F6"]
    assert "not relaxed" in data.source.format
    assert data.properties["C"].values.tolist() == ["K"]
    energy = data.properties["formation_energy"]
    assert (energy.unit, energy.values.tolist()) == ("eV", [-24.5])
    assert "formula unit" in energy.description
    (problem,) = data.problems
    assert "'Xx' is no element" in problem.message
    assert problem.line == 3
    path.write_text(TABLE.replace("Al", "Qq"))
    with pytest.raises(DataError, match="no element"):
        open_dataset(path)


def test_geometry_is_that_of_the_prototype() -> None:
    from ase import Atoms
    from ase.geometry import get_distances

    structures = elpasolites(
        np.array([[NUMBERS[s] for s in row] for row in (("Al", "Na", "K", "F"), ("H", "H", "Cs", "O"))], np.uint8)
    )
    one = structures[0]
    assert one.formula == "AlF6K2Na"
    atoms = Atoms(one.numbers, one.positions, cell=one.cell, pbc=True)
    lattice = (4 * atoms.get_volume()) ** (1 / 3)
    assert abs(lattice - 8.12) < 0.25  # the mineral's is 8.12 Å
    _, distances = get_distances(one.positions, cell=one.cell, pbc=True)
    r = [COVALENT_RADII[z] for z in one.numbers]
    al = np.sort(distances[0, 4:])
    np.testing.assert_allclose(al, r[0] + r[4], atol=1e-9)  # six F around Al
    na = np.sort(distances[1, 4:])
    np.testing.assert_allclose(na, r[1] + r[4], atol=1e-9)
    # twelve F around K, at equal distances of two kinds at most; no two atoms nearer than they may be
    images = atoms.repeat(3)
    around = np.sort(images.get_distances(2 + 13 * 10, range(len(images))))[1:]
    assert around[0] > 2.4
    two = structures[1]
    _, distances = get_distances(two.positions, cell=two.cell, pbc=True)
    np.fill_diagonal(distances, 9.0)
    assert distances[2, 4:].min() > 0.95 * (COVALENT_RADII[55] + COVALENT_RADII[8])


def test_sites_are_those_of_the_space_group() -> None:
    from ase.spacegroup import crystal

    one = elpasolites(np.array([[13, 11, 19, 9]], np.uint8))[0]
    assert one.cell is not None
    lattice = float(np.linalg.norm(one.cell[0]) * np.sqrt(2))
    x = float(one.positions[4, 0] / lattice)
    reference = crystal(
        ("Al", "Na", "K", "F"),
        [(0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), (x, 0, 0)],
        spacegroup=225,
        cellpar=[lattice] * 3 + [90] * 3,
    )
    for z, count in ((13, 4), (11, 4), (19, 8), (9, 24)):
        assert (reference.numbers == z).sum() == count
    # every atom of ours lies on one of theirs of the same element
    scaled = reference.get_scaled_positions()
    for z, position in zip(one.numbers, one.positions / lattice, strict=True):
        apart = scaled[reference.numbers == z] - position
        assert np.abs(apart - np.round(apart)).max(axis=1).min() < 1e-9


@pytest.mark.skipif(not SHARED.is_file(), reason="needs ../shared/data/elpasolite")
def test_the_original_file() -> None:
    data = open_dataset(SHARED)
    assert len(data) == 8590
    assert data.identifiers[0] == "AlLiSn2F6"
    assert set(data.structures.sizes.tolist()) == {10}
    np.testing.assert_array_equal(data.properties["zA"].values, data.structures.numbers[::10])
    np.testing.assert_array_equal(data.properties["zD"].values, data.structures.numbers[9::10])
    energy = data.properties["formation_energy"]
    assert energy.unit == "eV"
    assert energy.values[0] == -22.98304268
    assert len(open_dataset(f"{SHARED}#every=100")) == 86
