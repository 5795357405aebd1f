"""Sine and Ewald sum matrices: against DScribe, closed forms, Madelung constants, other cells of the same crystal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finite_differences import check_gradient

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.representations import CoulombMatrix, EwaldMatrix, SineMatrix

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "coulomb_family.json"
A = 5.6402 / 2
FCC = np.array([[0, A, A], [A, 0, A], [A, A, 0]])
ANGSTROM: dict[str, Any] = {"length_unit": "angstrom"}


def crystal(numbers: Any, positions: Any, cell: Any) -> Structures:
    """A set of one crystal."""
    return Structures.from_lists([numbers], [positions], [cell])


def rock_salt() -> Structures:
    """The primitive cell of NaCl."""
    return crystal([11, 17], [[0, 0, 0], [A, A, A]], FCC)


def random_crystals(count: int, seed: int, low: int = 2, high: int = 6) -> Structures:
    """Atoms thrown into skewed cells, no two (or images) closer than 1 Å."""
    rng = np.random.default_rng(seed)
    numbers, positions, cells = [], [], []
    for _ in range(count):
        n = int(rng.integers(low, high + 1))
        cell = np.diag(rng.uniform(3.5, 6, 3)) + rng.uniform(-1, 1, (3, 3))
        points: list[Any] = []
        while len(points) < n:
            point = rng.uniform(0, 1, 3) @ cell
            deltas = [(point - p) @ np.linalg.inv(cell) for p in points]
            if all(np.linalg.norm((d - np.round(d)) @ cell) > 1.0 for d in deltas):
                points.append(point)
        numbers.append(rng.choice([1, 6, 8, 11, 26], n))
        positions.append(np.array(points))
        cells.append(cell)
    return Structures.from_lists(numbers, positions, cells)


@pytest.mark.parametrize("permutation", ["none", "sorted_l2", "eigenspectrum"])
def test_equals_dscribe(permutation: str) -> None:
    data = json.loads(GOLDEN.read_text(encoding="utf-8"))
    given = data["crystals"]
    structures = Structures.from_lists(*([c[k] for c in given] for k in ("numbers", "positions", "cell")))
    species = Species(structures.species.numbers, structures.species.counts, data["crystal_max"])
    cases: list[tuple[str, Any]] = [(f"sine {permutation}", SineMatrix)]
    cases += [(f"ewald {permutation} {k}", EwaldMatrix) for k in range(len(data["ewald"]))]
    for name, kind in cases:
        more = data["ewald"][int(name[-1])] if kind is EwaldMatrix else {}
        features = kind(permutation=permutation, packed=False, **ANGSTROM, **more).compute(structures, species=species)
        for c, row in zip(given, features.array, strict=True):
            expected = np.array(c["values"][name])
            np.testing.assert_allclose(row, expected, rtol=0, atol=3e-13 * np.abs(expected).max(), err_msg=c["name"])


def test_rock_salt_as_recorded() -> None:
    plain: dict[str, Any] = {"permutation": "none", "packed": False, **ANGSTROM}
    sine = SineMatrix(**plain).compute(rock_salt()).array[0]
    np.testing.assert_allclose(sine[[0, 3]], [157.8746674344, 448.7943859809], atol=1e-9)
    np.testing.assert_allclose(sine[1], 19.141963111, atol=1e-9)
    assert sine[1] == pytest.approx(11 * 17 / (A * 2 * np.sqrt(3)), rel=1e-14)
    for more in ({"accuracy": 1e-10}, {"a": 0.5, "r_cut": 30.0, "g_cut": 20.0}):
        energies = EwaldMatrix(**plain, **more).compute(rock_salt()).array[0]
        expected = [-49.1798438866, -36.1299332431, -36.1299332431, -117.4626023408]
        np.testing.assert_allclose(energies, expected, atol=2e-8)


def test_sine_in_a_cube_in_closed_form() -> None:
    side = 6.0
    for r in (0.4, 1.3, 3.0, 4.7, 7.3, -2.2):
        pair = crystal([6, 8], [[0.3, 1, 2], [0.3, 1 + r, 2]], side * np.eye(3))
        value = SineMatrix(permutation="none", **ANGSTROM).compute(pair).array[0, 1]
        assert value == pytest.approx(48 / (side * np.sin(np.pi * r / side) ** 2), rel=1e-13)
    close = crystal([6, 8], [[0, 0, 0], [0, 0, 1e-3]], side * np.eye(3))
    value = SineMatrix(permutation="none").compute(close).array[0, 1]
    assert value == pytest.approx(48 * BOHR * side / (np.pi**2 * 1e-6), rel=1e-6)


def ionic_energy(numbers: Any, charges: Any, fractions: Any, cell: Any, **parameters: Any) -> float:
    """Electrostatic energy of ions in a cell: pair energies per nuclear charge, times the ions' charges."""
    structures = crystal(numbers, np.asarray(fractions) @ cell, cell)
    row = EwaldMatrix(permutation="none", accuracy=1e-14, **ANGSTROM, **parameters).compute(structures).array[0]
    i, j = np.tril_indices(len(numbers))
    z, q = np.asarray(numbers, dtype=float), np.asarray(charges, dtype=float)
    return float((row * q[i] * q[j] / (z[i] * z[j])).sum())


@pytest.mark.parametrize("a", [None, 0.35, 0.6])
def test_madelung_constants(a: float | None) -> None:
    cube = np.eye(3)
    fcc = 0.5 * (np.ones((3, 3)) - np.eye(3))
    more: dict[str, Any] = {} if a is None else {"a": a}
    salt = ionic_energy([11, 17], [1, -1], [[0, 0, 0], [0.5, 0.5, 0.5]], 5.64 * fcc, **more)
    assert -salt * 5.64 / 2 == pytest.approx(1.747564594633, abs=2e-11)
    caesium = ionic_energy([55, 17], [1, -1], [[0, 0, 0], [0.5, 0.5, 0.5]], 4.12 * cube, **more)
    assert -caesium * 4.12 * np.sqrt(3) / 2 == pytest.approx(1.762674773, abs=1e-9)
    blende = ionic_energy([30, 16], [2, -2], [[0, 0, 0], [0.25, 0.25, 0.25]], 5.41 * fcc, **more)
    assert -blende / 4 * 5.41 * np.sqrt(3) / 4 == pytest.approx(1.638055, abs=1e-6)


def test_ewald_does_not_depend_on_the_screening() -> None:
    structures = random_crystals(8, seed=1)
    exact = EwaldMatrix(permutation="none", accuracy=1e-14).compute(structures).array
    for more in ({"a": 0.5}, {"a": 1.1}, {"w": 5.0}, {"w": 0.2}, {"a": 0.7, "r_cut": 11.0, "g_cut": 12.0}):
        other = EwaldMatrix(permutation="none", accuracy=1e-14, **more).compute(structures).array
        assert np.abs(other - exact).max() < 1e-11 * np.abs(exact).max()
    rough = EwaldMatrix(permutation="none").compute(structures).array
    assert 1e-9 < np.abs(rough - exact).max() / np.abs(exact).max() < 1e-4


def test_supercell_has_twice_the_energy() -> None:
    structures = random_crystals(6, seed=2)
    assert structures.cells is not None
    for index, s in enumerate(structures):
        assert s.cell is not None
        i = index % 3
        stretch = np.ones(3)
        stretch[i] = 2
        doubled = crystal(
            np.tile(s.numbers, 2), np.vstack([s.positions, s.positions + s.cell[i]]), s.cell * stretch[:, None]
        )
        single = EwaldMatrix(accuracy=1e-12).compute(structures.take([index])).array.sum()
        assert EwaldMatrix(accuracy=1e-12).compute(doubled).array.sum() == pytest.approx(2 * single, rel=1e-10)


@pytest.mark.parametrize("kind", [SineMatrix, EwaldMatrix])
def test_lattice_shifts_and_handedness_change_nothing(kind: Any) -> None:
    structures = random_crystals(12, seed=3)
    before = kind(permutation="none").compute(structures).array
    rng = np.random.default_rng(4)
    steps = rng.integers(-3, 4, (len(structures.numbers), 3))
    assert structures.cells is not None
    shift = np.einsum("ak,akx->ax", steps, np.repeat(structures.cells, structures.sizes, axis=0))
    moved = Structures(structures.numbers, structures.positions + shift, structures.offsets, structures.cells)
    after = kind(permutation="none").compute(moved).array
    assert np.abs(after - before).max() < 1e-11 * np.abs(before).max()
    swapped = Structures(structures.numbers, structures.positions, structures.offsets, structures.cells[:, [2, 0, 1]])
    left = Structures(structures.numbers, structures.positions, structures.offsets, structures.cells[:, [1, 0, 2]])
    for other in (swapped, left):
        again = kind(permutation="none").compute(other).array
        assert np.abs(again - before).max() < 1e-11 * np.abs(before).max()


def test_sine_of_a_large_cell_is_no_coulomb_matrix_and_depends_on_the_cell() -> None:
    s = rock_salt()
    cubic = crystal([11, 17], [[0, 0, 0], [A, 0, 0]], 2 * A * np.eye(3))
    # another cell with the same neighbours next to each other has another value
    assert SineMatrix().compute(s).array[0, 1] != pytest.approx(SineMatrix().compute(cubic).array[0, 1], rel=0.05)


@pytest.mark.parametrize("kind", [SineMatrix, EwaldMatrix])
@pytest.mark.parametrize("order", ["absolute", "signed"])
def test_eigenvalues_against_lapack(kind: Any, order: str) -> None:
    structures = random_crystals(40, seed=5)
    full = kind(permutation="none", packed=False).compute(structures).array
    spectrum = kind(permutation="eigenspectrum", order=order).compute(structures).array
    n = structures.species.n_max
    for matrix, row in zip(full.reshape(-1, n, n), spectrum, strict=True):
        exact = np.linalg.eigvalsh(matrix)[::-1]
        if order == "absolute":
            exact = exact[np.argsort(-np.abs(exact), kind="stable")]
        np.testing.assert_allclose(row, exact, rtol=0, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("kind", [SineMatrix, EwaldMatrix])
@pytest.mark.parametrize("permutation", ["none", "sorted_l2", "random", "eigenspectrum"])
def test_gradients(kind: Any, permutation: str) -> None:
    structures = random_crystals(3, seed=6, low=3, high=4)
    representation = kind(permutation=permutation, **({"accuracy": 1e-11} if kind is EwaldMatrix else {}))
    check_gradient(representation, structures)


@pytest.mark.parametrize("kind", [SineMatrix, EwaldMatrix])
def test_needs_a_cell(kind: Any) -> None:
    molecule = Structures.from_lists([[8, 1], [6, 8]], [[[0, 0, 0], [0, 0, 1]]] * 2, [4 * np.eye(3), None])
    with pytest.raises(ValueError, match=r"structure 2 \(index 1\) has no cell of three lattice vectors"):
        kind().compute(molecule)
    slab = crystal([6, 8], [[0, 0, 0], [0, 0, 1]], np.diag([4.0, 4.0, 0.0]))
    with pytest.raises(ValueError, match="no cell of three lattice vectors"):
        kind().compute(slab)
    flat = crystal([6, 8], [[0, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    with pytest.raises(ValueError, match="the cell has no volume"):
        kind().compute(flat)
    onto = crystal([6, 8, 1], [[0, 0, 0], [1, 1, 1], [5, 1, -3]], 4 * np.eye(3))
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\): atoms O2 and H3 lie at the same place \(through"):
        kind().compute(onto)
    assert kind().compute(Structures.from_lists([[]], [[]])).array.shape == (1, 0)


def test_cutoffs_that_reach_too_far() -> None:
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\): the cutoffs .* take smaller ones"):
        EwaldMatrix(r_cut=2000.0).compute(rock_salt())
    with pytest.raises(ValueError, match="take smaller ones"):
        EwaldMatrix(g_cut=5000.0).compute(rock_salt())


def test_many_waves_and_images_go_in_blocks() -> None:
    wide = crystal([6, 8, 1], [[0, 0, 0], [1, 2, 3], [4, 4, 9]], [[30, 0, 0], [1, 9, 0], [0, 0, 25]])
    exact = EwaldMatrix(accuracy=1e-13).compute(wide).array
    for a in (0.15, 1.0):
        other = EwaldMatrix(accuracy=1e-13, a=a).compute(wide).array
        np.testing.assert_allclose(other, exact, rtol=0, atol=1e-11 * np.abs(exact).max())


def test_layout_and_labels() -> None:
    s = rock_salt()
    layout = SineMatrix().layout(s[0], s.species)
    assert layout.row_labels == ("Cl2", "Na1")
    assert layout.atoms == ((1,), (0, 1), (0,))
    assert SineMatrix().labels(s.species) == CoulombMatrix().labels(s.species)
    assert EwaldMatrix(permutation="eigenspectrum", **ANGSTROM).labels(s.species)[1] == "λ2 / e²/Å"
    parts = EwaldMatrix().contributions(s[0], s.species, 1)
    assert [p.atoms for p in parts] == [(0, 1)]
    assert parts[0].value == pytest.approx(EwaldMatrix().compute(s).array[0, 1])


def test_a_seed_is_one_order() -> None:
    structures = random_crystals(30, seed=8, low=6)
    first = SineMatrix(permutation="random", sigma=200.0).compute(structures).array
    assert np.array_equal(first, SineMatrix(permutation="random", sigma=200.0).compute(structures).array)
    assert not np.array_equal(first, SineMatrix(permutation="random", sigma=200.0, seed=1).compute(structures).array)
    quiet = SineMatrix(permutation="random", sigma=0.0).compute(structures).array
    np.testing.assert_array_equal(quiet, SineMatrix().compute(structures).array)
