"""SLATM: reference values, known answers, straight angles, cutoff, gradients, parts, columns."""

from __future__ import annotations

import base64
import itertools
import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from reference_molecules import one, random_structures

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.representations import SLATM, _slatm_loops, from_dict
from qmlstudio.representations._simd import WIDTH, load, store
from qmlstudio.representations._slatm_terms import ManyBody, constants, many_body_types
from qmlstudio.representations._slatm_window import add_gaussian, add_gaussian_plain

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "slatm.json").read_text(encoding="utf-8"))
STRAIGHT = {"homometric A", "homometric B", "hydrogen cyanide"}
"""With angles of 0° or 180°, which the reference takes from their cosine: half of its digits are rounding."""


def golden(name: str) -> Structures:
    molecule = GOLDEN["molecules"][name]
    return one(molecule["numbers"], molecule["positions"])


def water() -> Structures:
    return golden("water")


def wide_molecule(count: int = 60, seed: int = 5) -> Structures:
    """Larger than the cutoff: atoms on a distorted grid."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3) * 1.6
    positions = grid[rng.permutation(len(grid))[:count]] + rng.normal(0, 0.15, (count, 3))
    return one(rng.choice([1, 6, 7, 8], count), positions)


def plain(representation: SLATM, structure: Structure, species: Species) -> Any:
    """(N, d) local features by the definition, atom by atom."""
    z, positions = structure.numbers.astype(float), structure.positions
    n = len(z)
    rows = np.zeros((n, representation.size(species)))
    x2, x3 = representation.distances(), representation.angles()
    s2, s3 = representation.sigma2, representation.sigma3
    place = {kind.elements: slice(kind.start, kind.stop) for kind in representation.types(species)}
    vectors = positions[None] - positions[:, None]
    r = np.linalg.norm(vectors, axis=2)
    c2 = representation.d2 / math.sqrt(2 * math.pi * s2**2)
    c3 = representation.d3 / math.sqrt(2 * math.pi * s3**2)
    for i in range(n):
        rows[i, place[(int(z[i]),)]] = z[i]
    for i, j in itertools.combinations(range(n), 2):
        if r[i, j] < representation.rcut:
            pair = tuple(sorted((int(z[i]), int(z[j]))))
            curve = c2 * z[i] * z[j] / x2**representation.rpower * np.exp(-((x2 - r[i, j]) ** 2) / (2 * s2**2))
            for atom in (i, j):
                rows[atom, place[pair]] += 0.5 * curve

    def cosine(a: int, b: int, c: int) -> float:
        return float(vectors[b, a] @ vectors[b, c] / (r[a, b] * r[b, c]))

    for i, k in itertools.combinations(range(n), 2):
        for j in range(n):
            if j in (i, k) or max(r[i, j], r[j, k], r[i, k]) > representation.rcut:
                continue
            theta = math.atan2(
                float(np.linalg.norm(np.cross(vectors[j, i], vectors[j, k]))), vectors[j, i] @ vectors[j, k]
            )
            ends = sorted((int(z[i]), int(z[k])))
            weight = 1 + np.cos(x3) * cosine(k, i, j) * cosine(i, k, j)
            curve = c3 * z[i] * z[j] * z[k] / 3 * weight / (r[i, j] * r[j, k] * r[i, k]) ** 3
            rows[j, place[(ends[0], int(z[j]), ends[1])]] += curve * np.exp(-((x3 - theta) ** 2) / (2 * s3**2))
    return rows


# Values


@pytest.mark.parametrize("index", range(len(GOLDEN["sets"])))
def test_reference_values(index: int) -> None:
    chosen = GOLDEN["sets"][index]
    for entry in chosen["entries"]:
        representation = SLATM(**chosen["parameters"], average="off" if entry["local"] else "sum")
        structures = golden(entry["molecule"])
        ours = representation.compute(structures).array
        theirs = np.frombuffer(zlib.decompress(base64.b64decode(entry["rows"])), "<f8").reshape(len(ours), -1)
        sizes = {1: 1, 2: len(representation.distances()), 3: len(representation.angles())}
        place: dict[tuple[int, ...], slice] = {}
        at = 0
        for kind in entry["types"]:
            # a type and its reverse are the same: the smaller end first
            place[tuple(min(kind, kind[::-1]))] = slice(at, at + sizes[len(kind)])
            at += sizes[len(kind)]
        assert at == theirs.shape[1]
        types = representation.types(structures.species)
        assert {kind.elements for kind in types} == set(place)
        matched = np.concatenate([theirs[:, place[kind.elements]] for kind in types], axis=1)
        tolerance = 1e-10 if entry["molecule"] in STRAIGHT else 4e-15
        scale = np.abs(matched).max(axis=1, keepdims=True)
        assert (np.abs(ours - matched) / scale).max() <= tolerance, entry["molecule"]


def test_known_answers_for_water() -> None:
    structures = water()
    representation = SLATM()
    row = representation.compute(structures).array[0]
    assert len(row) == 729
    blocks = {kind.elements: row[kind.start : kind.stop] for kind in representation.types(structures.species)}
    sums = {(8,): 8, (1,): 2, (1, 1): 0.0846436955, (1, 8): 21.9616715791, (8, 8): 0, (1, 1, 8): 1.6724481622}
    for elements, total in {**sums, (1, 8, 1): 0.8362240811}.items():
        assert blocks[elements].sum() == pytest.approx(total, rel=1e-9)
    assert np.linalg.norm(row) == pytest.approx(12.2425457637, rel=1e-10)
    assert blocks[(1, 8, 1)].argmax() == 72
    assert blocks[(1, 1, 8)].argmax() == 33
    assert blocks[(1, 8)].argmax() == 28


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"rcut": 3.0, "rpower": 2},
        {"sigma2": 0.5, "sigma3": 0.5, "d2": 0.01, "d3": 0.01},
        {"sigma2": 0.02, "sigma3": 0.02, "d2": 0.15, "d3": 0.15, "rpower": 12},
        {"rcut": 1.0, "d2": 0.15},
        {"rcut": 12.0, "rpower": 0},
    ],
    ids=str,
)
def test_definition(parameters: dict[str, Any]) -> None:
    """Local, summed and averaged rows against plain Python, in a molecule that fills the buffers more than once."""
    structures = wide_molecule(24)
    species = structures.species
    expected = plain(SLATM(**parameters), structures[0], species)
    for average, values in (("off", expected), ("sum", expected.sum(axis=0)), ("mean", expected.mean(axis=0))):
        array = SLATM(average=average, **parameters).compute(structures).array
        # many products reach far points of the widest Gaussians on the finest grids; long distances have fewer decimals
        tolerance = 2e-13 if "sigma2" in parameters else 4e-15 if parameters.get("rcut", 4.8) < 5 else 2e-14
        assert np.abs(array - values).max() <= tolerance * np.abs(values).max()


def test_atoms_add_up_to_the_structure() -> None:
    structures = random_structures(15, seed=2)
    local = SLATM(average="off").compute(structures)
    whole = SLATM().compute(structures).array
    for index in range(len(structures)):
        np.testing.assert_allclose(local.of(index).sum(axis=0), whole[index], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("bend", [0.0, 1e-9, 1e-6, 1e-4])
def test_nearly_straight_angles_have_all_digits(bend: float) -> None:
    """An angle's cosine cannot tell 180° from 179.9999994°: it must not be used."""
    hydrogen = 1.064 * np.array([-math.cos(bend), math.sin(bend), 0.0])
    structures = one([1, 6, 7], [hydrogen, [0, 0, 0], [1.156, 0, 0]])
    representation = SLATM()
    row = representation.compute(structures).array[0]
    kind = next(k for k in representation.types(structures.species) if k.elements == (1, 6, 7))
    x = representation.angles()
    r = np.linalg.norm(hydrogen - [1.156, 0, 0])
    # by the law of cosines, in terms of what does not cancel
    outer = (1.156 + 1.064 * math.cos(bend)) / r, (1.064 + 1.156 * math.cos(bend)) / r
    gaussian = np.exp(-0.5 * ((x - (math.pi - bend)) / 0.05) ** 2)
    gaussian *= 0.03 / (math.sqrt(2 * math.pi) * 0.05) * 42 / 3 / (1.064 * 1.156 * r) ** 3
    # the factor with the cosines cancels there, so its terms set the scale
    expected = gaussian * (1 + np.cos(x) * outer[0] * outer[1])
    np.testing.assert_allclose(row[kind.start : kind.stop], expected, rtol=0, atol=4e-15 * gaussian.max())


def test_terms_end_at_the_cutoff() -> None:
    """A pair at the cutoff counts no more; one just within it does, and so do triangles with that side."""
    for length, inside in ((2.9999999, True), (3.0000001, False)):
        structures = one([6, 8, 1], [[0, 0, 0], [length, 0, 0], [1.5, 1.0, 0]])
        representation = SLATM(rcut=3.0)
        row = representation.compute(structures).array[0]
        for kind in representation.types(structures.species):
            if set(kind.elements) >= {6, 8}:
                assert row[kind.start : kind.stop].any() == (inside and len(set(kind.elements)) == len(kind.elements))


def test_short_distances_stay_on_the_grid() -> None:
    """Shorter than the first grid point, only the Gaussian's flank is seen."""
    structures = one([1, 1], [[0, 0, 0], [0.01, 0, 0]])
    representation = SLATM(d2=0.01)
    row = representation.compute(structures).array[0]
    x = representation.distances()
    expected = 0.01 / (math.sqrt(2 * math.pi) * 0.05) / x**6 * np.exp(-0.5 * ((x - 0.01) / 0.05) ** 2)
    np.testing.assert_allclose(row[1 : 1 + len(x)], expected, rtol=0, atol=1e-14 * expected.max())


def test_far_copies_count_twice() -> None:
    structures = wide_molecule(12)
    far = one(
        np.tile(structures.numbers, 2), np.vstack([structures.positions, structures.positions + np.array([0, 64.0, 0])])
    )
    single = SLATM().compute(structures, species=far.species).array
    np.testing.assert_allclose(SLATM().compute(far).array, 2 * single, rtol=0, atol=1e-13 * single.max())
    rows = SLATM(average="off").compute(structures, species=far.species).array
    twice = SLATM(average="off").compute(far).array
    np.testing.assert_allclose(twice, np.tile(rows, (2, 1)), rtol=0, atol=1e-13 * rows.max())


def test_what_it_can_tell_apart() -> None:
    """Sets of equal distances have equal pair curves, not equal angles; mirror images are the same in everything."""
    a, b = golden("homometric A"), golden("homometric B")
    representation = SLATM()
    rows = [representation.compute(s).array[0] for s in (a, b)]
    angles = next(k.start for k in representation.types(a.species) if len(k.elements) == 3)
    np.testing.assert_allclose(rows[0][:angles], rows[1][:angles], rtol=0, atol=1e-13)
    assert np.linalg.norm(rows[0] - rows[1]) == pytest.approx(0.089, abs=5e-4)
    chiral = wide_molecule(9)
    mirrored = one(chiral.numbers, chiral.positions * [1, 1, -1])
    np.testing.assert_allclose(
        representation.compute(chiral).array, representation.compute(mirrored).array, rtol=0, atol=1e-13
    )


def test_crystals_are_taken_as_molecules() -> None:
    structures = random_structures(3, seed=8)
    cells = Structures(structures.numbers, structures.positions, structures.offsets, np.array([np.eye(3) * 7.0] * 3))
    np.testing.assert_array_equal(SLATM().compute(cells).array, SLATM().compute(structures).array)


# Columns


def test_columns_of_many_compositions() -> None:
    """As many as the reference package has for QM7; and each type exists that some composition can form."""
    species = Species((1, 6, 7, 8, 16), (16, 7, 3, 3, 1), 23)
    assert len(SLATM().types(species)) == 86
    assert SLATM().size(species) == 10_808
    counts = (2, 1, 3)
    found = {kind.elements for kind in many_body_types((1, 8, 26), counts, 4, 5)}
    atoms = [z for z, n in zip((1, 8, 26), counts, strict=True) for _ in range(n)]
    triples = {(min(a, c), b, max(a, c)) for a, b, c in itertools.permutations(atoms, 3)}
    pairs = set(itertools.combinations_with_replacement((1, 8, 26), 2))
    assert found == {(1,), (8,), (26,)} | pairs | triples


def test_types_follow_each_other() -> None:
    types = SLATM().types(water().species)
    assert [kind.title for kind in types] == ["H", "O", "H–H", "O–H", "O–O", "O–H–H", "H–O–H"]
    assert [kind.start for kind in types[1:]] == [kind.stop for kind in types[:-1]]
    assert ManyBody((1, 7, 6), 0, 1).title == "C–N–H"
    assert SLATM().types(Species((), (), 0)) == ()


def test_labels_and_panels() -> None:
    structures = water()
    representation = SLATM()
    labels = representation.labels(structures.species)
    assert labels[:3] == ["H one-body", "O one-body", "H–H r = 0.100 Å"]
    row = representation.compute(structures).array[0]
    assert labels[int(row[600:].argmax()) + 600] == "H–O–H θ = 104.7°"
    layout = representation.layout(structures[0], structures.species)
    assert layout.kind == "panels"
    assert layout.unit == ""
    assert [p.group for p in layout.panels] == ["one-body", *["pairs"] * 3, *["angles"] * 2]
    assert layout.panels[0].names == ("H", "O")
    assert [p.title for p in layout.panels[1:]] == ["H–H", "O–H", "O–O", "O–H–H", "H–O–H"]
    assert [p.axis for p in layout.panels[1:]] == ["r / Å"] * 3 + ["angle / °"] * 2
    assert [(p.start, p.stop) for p in layout.panels] == [
        (0, 2),
        *((k.start, k.stop) for k in representation.types(structures.species)[2:]),
    ]
    last = layout.panels[-1].grid
    assert last is not None
    assert last[0] == pytest.approx(-20)
    assert last[-1] == pytest.approx(200)
    fine = SLATM(d2=0.01, d3=0.01).labels(structures.species)
    assert len(set(fine)) == len(fine)


def test_three_of_an_element_are_as_good_as_more() -> None:
    """Rows of larger molecules can be had for the columns of smaller ones, as long as these have all types."""
    large = one([6] * 5 + [1] * 6, random_structures(1, seed=3, low=11, high=11).positions)
    enough = Species((1, 6), (3, 3), 6)
    np.testing.assert_array_equal(SLATM().compute(large, species=enough).array, SLATM().compute(large).array)
    with pytest.raises(ValueError, match="5 C atoms, but the columns were fixed for at most 2"):
        SLATM().compute(large, species=Species((1, 6), (3, 2), 5))
    with pytest.raises(ValueError, match="6 H atoms, but the columns were fixed for at most 0"):
        SLATM().gradient(large, species=Species((6,), (3,), 3))


@pytest.mark.parametrize("average", ["sum", "mean", "off"])
def test_small_structures(average: str) -> None:
    representation = SLATM(average=average)
    species = Species((1, 8), (2, 1), 3)
    atom = representation.compute(one([8], [[1.0, 2.0, 3.0]]), species=species).array
    assert atom.shape == (1, 729)
    assert atom[0, 1] == 8.0
    assert np.count_nonzero(atom) == 1
    nothing = Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(3, np.int64))
    rows = representation.compute(nothing, species=species).array
    assert rows.shape == ((0, 729) if average == "off" else (2, 729))
    assert not rows.any()
    assert len(representation.gradient(nothing, species=species).array) == 0
    block = representation.gradient(one([8], [[0, 0, 0]]), species=species).of(0)
    assert block.shape == (1, 1, 3, 729)
    assert not block.any()


def test_many_elements() -> None:
    """More than the buffer is laid out for without looking."""
    rng = np.random.default_rng(1)
    numbers = [rng.choice(np.arange(1, 30), 5) for _ in range(6)]
    structures = Structures.from_lists(numbers, [rng.normal(size=(5, 3)) * 1.5 for _ in numbers])
    representation = SLATM(average="off", d2=0.15, d3=0.15)
    features = representation.compute(structures, threads=2)
    for index, structure in enumerate(structures):
        expected = plain(representation, structure, structures.species)
        np.testing.assert_allclose(features.of(index), expected, rtol=0, atol=1e-13 * expected.max())


def test_errors_and_files() -> None:
    crowded = Structures.from_lists([[6, 1], [6, 1, 1]], [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 0, 0], [1, 0, 0]]])
    for compute in (SLATM().compute, SLATM().gradient):
        with pytest.raises(ValueError, match=r"structure 2 \(index 1\): atoms H2 and H3 lie at the same place"):
            compute(crowded)
    # wherever the two are in the buffers of angles
    for count in range(2, 30):
        structures = wide_molecule(count)
        doubled = one([*structures.numbers, 1, 1], [*structures.positions, [3.3, 3.3, 3.3], [3.3, 3.3, 3.3]])
        with pytest.raises(ValueError, match=f"H{count + 1} and H{count + 2} lie at the same place"):
            SLATM(average="off").compute(doubled)
    with pytest.raises(ValueError, match="rcut"):
        SLATM(rcut=0.5)
    with pytest.raises(ValueError, match="average"):
        SLATM(average="some")
    chosen = SLATM(rcut=5.5, sigma3=0.1, average="off")
    assert from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen


# Gradients


@pytest.mark.parametrize(
    "parameters",
    [{}, {"average": "mean"}, {"average": "off"}, {"rcut": 3.3, "rpower": 2, "sigma2": 0.2, "sigma3": 0.3, "d3": 0.1}],
    ids=str,
)
def test_gradient(parameters: dict[str, Any]) -> None:
    representation = SLATM(**parameters)
    rng = np.random.default_rng(12)
    step = 1e-6
    while True:
        structures = random_structures(1, seed=int(rng.integers(1000)), low=7, high=7)
        structure = structures[0]
        distances = np.linalg.norm(structure.positions[:, None] - structure.positions, axis=2)
        if np.abs(distances - representation.rcut).min() > 10 * step and (distances > representation.rcut).any():
            break
    species = structures.species
    block = representation.gradient(structures, threads=1).of(0)
    n = len(structure)
    displaced = []
    for atom, axis, sign in itertools.product(range(n), range(3), (1, -1)):
        positions = structure.positions.copy()
        positions[atom, axis] += sign * step
        displaced.append(positions)
    values = representation.compute(Structures.from_lists([structure.numbers] * len(displaced), displaced)).array
    values = values.reshape(n, 3, 2, -1, representation.size(species))
    numerical = np.moveaxis((values[:, :, 0] - values[:, :, 1]) / (2 * step), 2, 0)
    scale = np.abs(numerical).max()
    assert np.abs(block - numerical).max() <= 2e-8 * scale
    assert np.abs(block.sum(axis=1)).max() <= 1e-13 * scale
    torque = np.cross(structure.positions[None, :, :, None], block, axis=2).sum(axis=1)
    assert np.abs(torque).max() <= 1e-12 * scale
    again = np.full(block.size, np.nan)
    assert representation.gradient(structures, out=again).array is again
    np.testing.assert_array_equal(again.reshape(block.shape), block)


def test_gradients_of_atoms_add_up() -> None:
    structures = random_structures(4, seed=14, low=3, high=8)
    local = SLATM(average="off").gradient(structures, threads=2)
    whole = SLATM().gradient(structures)
    for index in range(len(structures)):
        total = local.of(index).sum(axis=0)
        np.testing.assert_allclose(total, whole.of(index)[0], rtol=0, atol=1e-12 * np.abs(total).max())


@pytest.mark.parametrize("bend", [0.0, 1e-13, 1e-7])
def test_gradient_of_straight_angles(bend: float) -> None:
    """No NaN; along the axis it is that of the distances, across it nothing when straight."""
    structures = one([1, 6, 7], [[-1.064, bend, 0], [0, 0, 0], [1.156, 0, 0]])
    representation = SLATM()
    block = representation.gradient(structures).of(0)[0]
    assert np.isfinite(block).all()
    scale = np.abs(block).max()
    assert np.abs(block.sum(axis=0)).max() <= 1e-12 * scale
    if bend < 1e-10:
        assert np.abs(block[:, 1:]).max() <= 1e-9 * scale
    values = []
    for shift in (1e-6, -1e-6):
        moved = structures.positions.copy()
        moved[2, 0] += shift
        values.append(representation.compute(one(structures.numbers, moved)).array[0])
    np.testing.assert_allclose(block[2, 0], (values[0] - values[1]) / 2e-6, rtol=0, atol=1e-7 * scale)


# Parts


@pytest.mark.parametrize("average", ["sum", "mean", "off"])
def test_contributions_add_up(average: str) -> None:
    structures = random_structures(3, seed=16, low=8, high=10)
    representation = SLATM(average=average, d2=0.15, d3=0.15)
    species, features = structures.species, representation.compute(structures)
    structure = structures[1]
    centres = range(len(structure)) if representation.local else [None]
    kinds = representation.types(species)
    for row, centre in zip(features.of(1), centres, strict=True):
        for column in range(0, len(row), 11 if representation.local else 1):
            parts = representation.contributions(structure, species, column, centre)
            total = sum(p.value for p in parts)
            assert abs(total - row[column]) <= 1e-12 * np.abs(row).max() + 1e-4 * abs(row[column])
            kind = next(k for k in kinds if column < k.stop)
            for part in parts:
                z = [int(a) for a in structure.numbers[list(part.atoms)]]
                assert tuple(min(z, z[::-1])) == kind.elements
                if centre is not None:
                    assert part.atoms[1 if len(z) == 3 else 0] == centre
    assert representation.contributions(structure, species, len(features.array[0]), centres[0]) == []


def test_contributions_of_water() -> None:
    structures = water()
    representation = SLATM()
    kind = representation.types(structures.species)[-1]
    peak = representation.contributions(structures[0], structures.species, kind.start + 72)
    assert [p.atoms for p in peak] == [(1, 0, 2)]
    assert representation.contributions(structures[0], structures.species, kind.start) == []
    assert [p.atoms for p in representation.contributions(structures[0], structures.species, 0)] == [(1,), (2,)]


# Building blocks of the loops


@njit
def _angles(sine: Any, cosine: Any, out: Any) -> None:
    for at in range(0, len(sine), WIDTH):
        store(out, at, _slatm_loops.angle(load(sine, at), load(cosine, at)))


def test_angles_have_all_digits() -> None:
    theta = np.concatenate([np.linspace(0, np.pi, 4000), [0, 1e-300, 1e-12, np.pi / 2, np.pi - 1e-12, np.pi]])
    theta = np.resize(theta, -(-len(theta) // WIDTH) * WIDTH)
    for length in (1.0, 3e-8, 7e5):
        sine, cosine = length * np.abs(np.sin(theta)), length * np.cos(theta)
        out = np.empty_like(theta)
        _angles(sine, cosine, out)
        np.testing.assert_allclose(out, np.arctan2(sine, cosine), rtol=3e-16, atol=0)


@njit
def _window(curve: Any, at: Any, cosines: Any, cell: Any, table: Any, blocks: Any, u: Any, v: Any, powers: Any) -> None:
    add_gaussian(curve, at, cosines, cell, table, blocks, u, v, powers[0], powers[1], powers[2], powers[3], powers[4])


@pytest.mark.parametrize("blocks", [1, 2, 3, 7])
def test_window_is_a_gaussian(blocks: int) -> None:
    rng = np.random.default_rng(blocks)
    j = np.arange(-8 * blocks, 8 * blocks)
    h, delta, sigma = 0.3, 0.11, 0.4
    table = np.exp(-0.5 * (j * h / sigma) ** 2)
    g = math.exp(h * delta / sigma**2)
    powers = np.array([g, g**2, g**4, g**8, g**-8])
    cosines = rng.normal(size=200)
    start = rng.normal(size=200)
    curve, other = start.copy(), start.copy()
    u, v = 0.7 * math.exp(-0.5 * (delta / sigma) ** 2), -0.4 * math.exp(-0.5 * (delta / sigma) ** 2)
    _window(curve, 5, cosines, 9, table, blocks, u, v, powers)
    add_gaussian_plain(other, 5, cosines, 9, table, blocks, u, v, powers)
    np.testing.assert_allclose(curve, other, rtol=0, atol=1e-14)
    expected = np.exp(-0.5 * ((j * h - delta) / sigma) ** 2) * (0.7 - 0.4 * cosines[9 : 9 + len(j)])
    np.testing.assert_allclose(curve[5 : 5 + len(j)] - start[5 : 5 + len(j)], expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(curve[5 + len(j) :], start[5 + len(j) :])


def test_windows_are_wide_enough() -> None:
    """What is left out is below 1e-16 of what a Gaussian can be elsewhere; no power overflows."""
    for sigma, spacing, rcut in itertools.product((0.02, 0.05, 0.5), (0.01, 0.15), (1.0, 4.8, 12.0)):
        fixed = constants(rcut, sigma, sigma, spacing, spacing, 6, False)
        for step, blocks, points in (
            (fixed.grid[1], fixed.blocks[0], len(fixed.power)),
            (fixed.grid[4], fixed.blocks[1], len(fixed.cosines) - 16 * fixed.blocks[1]),
        ):
            assert math.exp(-0.5 * ((8 * blocks - 1) * step / sigma) ** 2) <= 1e-16 or 8 * blocks > points
            assert 8 * blocks * step**2 / (2 * sigma**2) < 700
