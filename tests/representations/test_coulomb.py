"""The Coulomb matrix: against DScribe, qmllib, the plain definition and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from finite_differences import check_gradient
from reference_molecules import coulomb, golden, golden_species, golden_structures, named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.progress import Progress
from qmlstudio.representations import CoulombMatrix
from qmlstudio.representations.matrices import normal_noise

# reference, our parameters; values are for n_max = 12
PEERS: list[tuple[str, dict[str, Any]]] = [
    ("dscribe none", {"permutation": "none", "packed": False}),
    ("dscribe sorted_l2", {"permutation": "sorted_l2", "packed": False}),
    ("dscribe eigenspectrum", {"permutation": "eigenspectrum", "order": "absolute"}),
    ("qmllib unsorted", {"permutation": "none", "packed": True}),
    ("qmllib row-norm", {"permutation": "sorted_l2", "packed": True}),
    ("qmllib eigenvalue", {"permutation": "eigenspectrum", "order": "signed"}),
]


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
@pytest.mark.parametrize(("reference", "parameters"), PEERS, ids=[name for name, _ in PEERS])
def test_equals_the_reference(reference: str, parameters: dict[str, Any], unit: str) -> None:
    array = CoulombMatrix(length_unit=unit, **parameters).compute(golden_structures(), species=golden_species()).array
    for molecule, row in zip(golden()["molecules"], array, strict=True):
        expected = np.array(molecule[unit][reference])
        assert row.shape == expected.shape
        assert np.abs(row - expected).max() <= 5e-15 * np.abs(expected).max(), molecule["name"]


def test_water_as_published() -> None:
    water = one(named("water").numbers, named("water").positions)
    padded = Species((1, 8), (2, 1), 4)
    spectrum = CoulombMatrix(permutation="eigenspectrum", length_unit="angstrom").compute(water, species=padded)
    np.testing.assert_allclose(spectrum.array[0], [75.3985165183, -0.7212764734, -0.1605453251, 0], atol=1e-9)
    spectrum = CoulombMatrix(permutation="eigenspectrum").compute(water)
    np.testing.assert_allclose(spectrum.array[0], [74.0511193157, 0.3151209369, 0.1504544672], atol=1e-9)
    packed = CoulombMatrix(length_unit="angstrom").compute(water, species=padded)
    np.testing.assert_allclose(
        packed.array[0],
        [73.5166947198, 8.3577099875, 0.5, 8.3577099874, 0.6605453251, 0.5, 0, 0, 0, 0],
        atol=1e-9,
    )


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
def test_eigenvalues_against_lapack_and_invariants(unit: str) -> None:
    structures = random_structures(150, seed=21, high=30)
    array = CoulombMatrix(permutation="eigenspectrum", length_unit=unit).compute(structures).array
    for structure, row in zip(structures, array, strict=True):
        matrix = coulomb(structure, BOHR if unit == "bohr" else 1.0)
        n = len(matrix)
        exact = np.linalg.eigvalsh(matrix)
        exact = exact[np.argsort(-np.abs(exact))]
        assert np.abs(row[:n] - exact).max() <= 2e-14 * np.abs(exact).max()
        assert not row[n:].any()
        assert row.sum() == pytest.approx((0.5 * structure.numbers.astype(float) ** 2.4).sum(), rel=1e-13)
        assert (row**2).sum() == pytest.approx((matrix**2).sum(), rel=1e-13)


def test_dimers_in_closed_form() -> None:
    for a, b, r in [(1, 1, 0.74), (6, 8, 1.128), (92, 9, 2.0), (1, 1, 1e5)]:
        spectrum = CoulombMatrix(permutation="eigenspectrum").compute(one([a, b], [[0, 0, 0], [0, r, 0]])).array[0]
        p, q, c = 0.5 * a**2.4, 0.5 * b**2.4, a * b * BOHR / r
        root = np.hypot((p - q) / 2, c)
        np.testing.assert_allclose(np.sort(spectrum), [(p + q) / 2 - root, (p + q) / 2 + root], atol=1e-12 * (p + q))


@pytest.mark.parametrize("order", ["absolute", "signed"])
@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
def test_large_molecules_among_small_ones(order: str, unit: str) -> None:
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3) * 1.2
    sizes = [125, 3, 90, 96, 97, 120]
    structures = Structures.from_lists(
        [rng.choice([1, 6, 8], n) for n in sizes], [(grid + rng.normal(0, 0.05, grid.shape))[:n] for n in sizes]
    )
    calls: list[float] = []
    array = (
        CoulombMatrix(permutation="eigenspectrum", order=order, length_unit=unit)
        .compute(structures, Progress(lambda fraction, _: calls.append(fraction), interval=0.0))
        .array
    )
    for structure, row in zip(structures, array, strict=True):
        padded = np.zeros((125, 125))
        padded[: len(structure), : len(structure)] = coulomb(structure, BOHR if unit == "bohr" else 1.0)
        exact = np.linalg.eigvalsh(padded)[::-1]
        if order == "absolute":
            exact = exact[np.argsort(-np.abs(exact), kind="stable")]
        np.testing.assert_allclose(row, exact, rtol=0, atol=1e-12 * exact.max())
    assert calls == sorted(calls)
    assert calls[-1] == 1.0
    positions = structures.positions.copy()
    positions[int(structures.offsets[4]) + 7] = positions[int(structures.offsets[4]) + 50]
    broken = Structures(structures.numbers, positions, structures.offsets)
    with pytest.raises(ValueError, match=r"structure 5 \(index 4\): atoms \w+8 and \w+51 lie"):
        CoulombMatrix(permutation="eigenspectrum").compute(broken)


def test_same_spectrum_different_molecules() -> None:
    pair = Structures.from_lists(
        [named(f"isospectral {k}").numbers for k in "AB"], [named(f"isospectral {k}").positions for k in "AB"]
    )
    spectra = CoulombMatrix(permutation="eigenspectrum").compute(pair).array
    np.testing.assert_allclose(spectra[0], spectra[1], atol=1e-4)  # positions are given to 1e-6 Å
    matrices = CoulombMatrix().compute(pair).array
    assert np.abs(matrices[0] - matrices[1]).max() > 1e-2


def test_distances_between_homometric_molecules() -> None:
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    kept = {"length_unit": "angstrom"}
    matrices = CoulombMatrix(**kept).compute(pair).array
    spectra = CoulombMatrix(permutation="eigenspectrum", **kept).compute(pair).array
    assert np.linalg.norm(matrices[0] - matrices[1]) == pytest.approx(0.906, abs=5e-4)
    assert np.linalg.norm(spectra[0] - spectra[1]) == pytest.approx(0.394, abs=5e-4)


def test_rows_are_sorted_and_ties_keep_the_files_order() -> None:
    structures = random_structures(60, seed=22)
    full = CoulombMatrix(packed=False).compute(structures).array.reshape(60, structures.species.n_max, -1)
    norms = np.linalg.norm(full, axis=2)
    assert (np.diff(norms, axis=1) <= 1e-10 * norms.max()).all()
    # a square of H: symmetry makes all rows equal, rounding of a turned copy must not put them in another order
    square = np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]], dtype=float)
    plain = CoulombMatrix()
    for angle in np.linspace(0.1, 3, 40):
        c, s = np.cos(angle), np.sin(angle)
        turned = square @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + [0.1, 0.2, 0.3]
        layout = plain.layout(one([1] * 4, turned)[0], Species((1,), (4,), 4))
        assert layout.row_labels == ("H1", "H2", "H3", "H4")


def test_packed_is_the_lower_triangle() -> None:
    structures = random_structures(20, seed=23)
    packed, full = CoulombMatrix(), CoulombMatrix(packed=False)
    for a, b in zip(packed.compute(structures).array, full.compute(structures).array, strict=True):
        np.testing.assert_array_equal(packed.unpack(a, structures.species), full.unpack(b, structures.species))


def test_labels() -> None:
    species = Species((1, 8), (2, 1), 3)
    assert CoulombMatrix().labels(species)[3:5] == ["M(3, 1) / Ha", "M(3, 2) / Ha"]
    assert CoulombMatrix(permutation="eigenspectrum", length_unit="angstrom").labels(species)[2] == "λ3 / e²/Å"
    layout = CoulombMatrix().layout(named("water"), species)
    assert layout.row_labels == ("O1", "H2", "H3")
    assert layout.atoms == ((0,), (1, 0), (1,), (2, 0), (2, 1), (2,))


def test_noisy_order() -> None:
    structures = random_structures(40, seed=24, low=4)
    plain, n = CoulombMatrix(packed=False), structures.species.n_max
    noisy = CoulombMatrix(packed=False, permutation="random", sigma=20.0, seed=3)
    array = noisy.compute(structures, threads=2).array
    # the same matrices, rows and columns in another order, which only the seed decides
    for row, other in zip(array, plain.compute(structures).array, strict=True):
        np.testing.assert_array_equal(np.sort(row), np.sort(other))
        square = row.reshape(n, n)
        np.testing.assert_array_equal(square, square.T)
    assert (array != plain.compute(structures).array).any(axis=1).mean() > 0.5
    np.testing.assert_array_equal(noisy.compute(structures.take([7]), species=structures.species).array[0], array[7])
    assert (noisy.with_values(seed=4).compute(structures).array != array).any(axis=1).mean() > 0.5
    turned = Structures(structures.numbers, structures.positions[:, [1, 2, 0]], structures.offsets)
    np.testing.assert_allclose(noisy.compute(turned).array, array, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(
        noisy.with_values(sigma=0.0).compute(structures).array, plain.compute(structures).array
    )
    # rows are in the order of norm + noise: with the noise of a large set its spread is sigma
    layout = noisy.layout(structures[0], structures.species)
    assert sorted(layout.row_labels) == sorted(f"{s}{i + 1}" for i, s in enumerate(structures[0].symbols))
    assert noisy.invariances == {"translation", "rotation", "reflection"}


def test_noise_is_normal() -> None:
    structures = random_structures(400, seed=25)
    structures = structures.take(np.tile(np.arange(400), 2))
    draws = np.concatenate([normal_noise(structures, seed) for seed in range(20)])
    assert abs(draws.mean()) < 0.02
    assert draws.std() == pytest.approx(1.0, abs=0.02)
    assert (draws**4).mean() == pytest.approx(3.0, abs=0.2)
    half = len(normal_noise(structures, 0)) // 2
    np.testing.assert_array_equal(normal_noise(structures, 0)[:half], normal_noise(structures, 0)[half:])
    assert abs(np.corrcoef(normal_noise(structures, 0)[:half], normal_noise(structures, 1)[:half])[0, 1]) < 0.05


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("permutation", ["none", "sorted_l2", "random"])
def test_gradients_of_matrices(permutation: str, packed: bool, unit: str) -> None:
    structures = random_structures(6, seed=26, high=6)
    check_gradient(CoulombMatrix(permutation=permutation, packed=packed, length_unit=unit), structures)


@pytest.mark.parametrize("unit", ["bohr", "angstrom"])
@pytest.mark.parametrize("order", ["absolute", "signed"])
def test_gradients_of_eigenvalues(order: str, unit: str) -> None:
    structures = random_structures(6, seed=27, high=6)
    check_gradient(CoulombMatrix(permutation="eigenspectrum", order=order, length_unit=unit), structures, 3e-7)


def test_gradients_at_a_degeneracy_add_up() -> None:
    # three H at the corners of a triangle: two eigenvalues are equal
    angles = 2 * np.pi * np.arange(3) / 3
    triangle = one([1] * 3, np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1))
    representation = CoulombMatrix(permutation="eigenspectrum")
    values = representation.compute(triangle).array[0]
    assert values[1] == pytest.approx(values[2], rel=1e-12)
    block = representation.gradient(triangle).of(0)[0]
    # the trace is constant
    assert np.abs(block.sum(axis=2)).max() < 1e-12
    with pytest.raises(ValueError, match="out has shape"):
        representation.gradient(triangle, out=np.empty(3))
    empty = Structures.from_lists([[], [1]], [[], [[0, 0, 0]]])
    assert not representation.gradient(empty).array.any()
    with pytest.raises(ValueError, match="lie at the same place"):
        representation.gradient(one([1, 1], [[0, 0, 0], [0, 0, 0]]))
