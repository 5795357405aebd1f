"""The many-body tensor and its local form: against DScribe, known answers, crystals, contributions, errors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations import LMBTR, MBTR
from qmlstudio.representations._bins import DEGREE, Grid, bin_means, table

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "mbtr.json").read_text(encoding="utf-8"))
"""Reference values and how they were made: see make_mbtr.py beside the file."""


def _species(numbers: tuple[int, ...]) -> Species:
    return Species(numbers, (99,) * len(numbers), 99)


def _golden_structures(kind: str) -> Structures:
    found = GOLDEN[kind]
    cells = [f["cell"] for f in found] if kind == "crystals" else None
    return Structures.from_lists([f["numbers"] for f in found], [f["positions"] for f in found], cells)


def _water() -> Structures:
    water = named("water")
    return one(water.numbers, water.positions)


def _case_title(case: dict[str, Any]) -> str:
    own = case["fields"]
    order = next(k for k in (1, 2, 3) if own[f"k{k}"])
    words = [case["kind"], case["structures"], own.get(f"k{order}_geometry", "atoms")]
    return " ".join([*words, own.get(f"k{order}_weighting", ""), own["normalization"]])


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=_case_title)
def test_agrees_with_dscribe(case: dict[str, Any]) -> None:
    fields = dict(case["fields"])
    if case["kind"] == "lmbtr":
        fields.pop("k1")
        representation: MBTR | LMBTR = LMBTR(average="off", **fields)
    else:
        representation = MBTR(**fields)
    structures = _golden_structures(case["structures"])
    elements = GOLDEN["elements"] if case["structures"] == "molecules" else [1, 6, 8]
    ours = representation.compute(structures, species=_species(tuple(elements))).array
    theirs = np.array(case["rows"])
    assert ours.shape == theirs.shape
    if fields["normalization"] == "valle_oganov" and fields["k3"]:
        # the peer divides angles by one volume less, so that a supercell would have another row
        theirs *= np.abs(np.linalg.det(np.asarray(structures.cells)))[:, None]
    # the peer's angles come from arccos and lose digits in straight chains
    loose = fields.get("k3_geometry") == "angle" and fields["k3"]
    scale = np.abs(theirs).max()
    assert scale > 0
    # a length of 1 magnifies the peer's rounding where only the tail of a Gaussian is on the grid
    bound = 1e-12 if fields["normalization"] == "l2" else 6e-14
    error = np.abs(ours - theirs).max(axis=1) / scale
    assert error.max() <= (1e-7 if loose else bound)
    assert np.median(error) <= 6e-14


def test_water_as_recorded() -> None:
    """Values that were recorded with other code than that which made the golden file."""
    water = _water()
    atoms = MBTR(k2=False, k3=False, k1_min=0, k1_max=9, k1_n=10, k1_sigma=0.5, normalization="none")
    k1 = atoms.compute(water).array[0]
    hydrogen = [0.3146107118, 1.3653789843, 0.3146107118, 0.0026992228, 0.0000005733, 0, 0, 0, 0, 0]
    oxygen = [0, 0, 0, 0, 0, 0.0000002867, 0.0013496114, 0.1573053559, 0.6826894921, 0.1573053559]
    np.testing.assert_allclose(k1, hydrogen + oxygen, atol=6e-11)
    inverse = {"k2_min": 0, "k2_max": 1.5, "k2_n": 6, "k2_sigma": 0.1, "k2_scale": 0.5}
    k2 = MBTR(k1=False, k3=False, normalization="none", **inverse).compute(water).array[0]
    pairs = [0.000000258, 0.0275605275, 1.2460086794, 0.2900030623, 0.0000769179, 0]
    pairs += [0, 0.0000000056, 0.0066246874, 2.1459548161, 1.973740593, 0.0046818632]
    np.testing.assert_allclose(k2, pairs + [0] * 6, atol=6e-11)
    cosines = {"k3_geometry": "cosine", "k3_min": -1, "k3_max": 1, "k3_n": 5, "k3_sigma": 0.2, "k3_scale": 0.5}
    cosines["normalization"] = "none"
    k3 = MBTR(k1=False, k2=False, **cosines).compute(water).array[0].reshape(6, 5)
    expected = np.zeros((6, 5))
    expected[1] = [0, 0.0000000703, 0.0024680323, 0.2995398697, 0.4106508046]
    expected[3] = [0.0022595918, 0.1783728792, 0.1773864517, 0.0022142627, 0.0000001014]
    np.testing.assert_allclose(k3, expected, atol=6e-11)
    distances = {"k2_geometry": "distance", "k2_min": 0, "k2_max": 3, "k2_n": 7, "k2_sigma": 0.2, "k2_scale": 0.5}
    distances["normalization"] = "none"
    local = LMBTR(k3=False, average="off", **distances).compute(water).array
    at_oxygen = [0.0005034449, 0.3715372456, 1.9291001438, 0.177369003, 0.0000913416, 0.0000000001, 0]
    at_hydrogen = [0.0000000001, 0.0000627276, 0.0876584362, 0.7389164799, 0.1114428274, 0.0001091956, 0.0000000003]
    at_hydrogen += [0.0002517225, 0.1857686228, 0.9645500719, 0.0886845015, 0.0000456708, 0.0000000001, 0]
    np.testing.assert_allclose(local, [at_oxygen + [0] * 7, at_hydrogen, at_hydrogen], atol=6e-11)


@pytest.mark.parametrize("fields", [{}, {"k3_geometry": "cosine", "k2_geometry": "distance"}])
def test_sums_of_bins_are_the_weights(fields: dict[str, Any]) -> None:
    """Σ y dx = w [Φ(upper end) − Φ(lower end)], whatever the grid."""
    structure = named("water")
    r, h = 0.9572, 2 * 0.9572 * math.sin(math.radians(104.52) / 2)
    for n, sigma in ((30, 0.06), (300, 0.01), (7, 0.3)):
        more = {"k2_n": n, "k3_n": n, "k2_sigma": sigma, "k3_sigma": 5.0 if not fields else sigma}
        more["normalization"] = "none"
        tensor = MBTR(k2_min=-2, k2_max=4, k2_scale=0.5, k3_scale=0.5, **fields, **more)
        row = tensor.compute(_water()).array[0]
        sums = {b.title: row[b.start : b.stop].sum() * b.grid.step for b in tensor.blocks(_water().species)}
        assert sums["H"] == pytest.approx(2.0, rel=1e-13)
        assert sums["O–H"] == pytest.approx(2 * math.exp(-0.5 * r), rel=1e-13)
        assert sums["H–H"] == pytest.approx(math.exp(-0.5 * h), rel=1e-13)
        value = math.radians(104.52)
        grid = tensor.grid(3)
        centre = math.cos(value) if fields else math.degrees(value)
        ends = [(e - centre) / grid.sigma / math.sqrt(2) for e in (grid.start, grid.start + grid.n * grid.step)]
        inside = 0.5 * (math.erf(ends[1]) - math.erf(ends[0]))
        assert sums["H–O–H"] == pytest.approx(math.exp(-0.5 * (2 * r + h)) * inside, rel=1e-12)
    assert len(structure) == 3


def test_balanced_sections() -> None:
    """A pair or an angle of weight 1 has length 1, whatever the grid."""
    chain = one([1, 6, 7], [[0, 0, -1.064], [0, 0, 0], [0, 0.5, 1.156]])
    for fields in (
        {"k2_geometry": "distance", "k3_geometry": "cosine", "k3_min": -2.0},
        {"k2_sigma": 0.1, "k2_n": 300, "k2_max": 2.0, "k3_sigma": 9.0, "k3_max": 300.0},
        {"k2_min": -1.0, "k2_max": 2.0, "k2_n": 30, "k3_sigma": 1.0, "normalize_gaussians": False},
    ):
        tensor = MBTR(k2_weighting="unity", k3_weighting="unity", **fields)
        row = tensor.compute(chain).array[0]
        for block in tensor.blocks(chain.species):
            length = float(np.linalg.norm(row[block.start : block.stop]))
            if block.title in ("C–H", "N–C–H"):
                # coarse bins: the length depends on where in its bin the value lies
                assert length == pytest.approx(1.0, rel=1e-6 if block.grid.ratio < 0.6 else 0.35)


GRIDS = [
    Grid(0.0, 1.4, 100, 0.05),
    Grid(0.0, 180.0, 100, 5.0),
    Grid(-1.0, 1.0, 7, 0.4),
    Grid(0.0, 180.0, 19, 0.2),
    Grid(0.0, 1.0, 2, 3.0),
    Grid(0.0, 10.0, 500, 0.01),
]


@pytest.mark.parametrize("grid", GRIDS)
def test_table_agrees_with_the_error_function(grid: Grid) -> None:
    found = table(grid)
    coefficients = found.coefficients.reshape(found.nodes, DEGREE + 1, found.width)
    assert found.coefficients.ctypes.data % 64 == 0
    worst = 0.0
    for inside in np.random.default_rng(0).uniform(0, 1, 50):
        part = min(int(inside * found.nodes), found.nodes - 1)
        variable = 2.0 * (inside * found.nodes - part) - 1.0
        values = np.polynomial.polynomial.polyval(variable, coefficients[part])
        bins = np.arange(found.width) - grid.half
        exact = bin_means((bins - inside) * grid.ratio, grid.ratio) / grid.step
        exact[2 * grid.half + 1 :] = 0.0
        worst = max(worst, np.abs(values - exact).max() / exact.max())
    assert worst < 5e-15


@pytest.mark.parametrize("width", [1e-3, 0.3, 0.999, 1.001, 4.0, 30.0])
def test_bin_means(width: float) -> None:
    lower = np.linspace(-9, 9, 400)
    root = math.sqrt(2.0)
    exact = [0.5 * (math.erf((u + width) / root) - math.erf(u / root)) for u in lower]
    np.testing.assert_allclose(bin_means(lower, width), exact, atol=2e-16)
    # symmetric, with all digits in the tails
    np.testing.assert_allclose(bin_means(lower, width), bin_means(-lower - width, width), rtol=1e-12)


def test_straight_chain_keeps_its_digits() -> None:
    """180° is where an arccos would lose half of them."""
    chain = one([1, 6, 7], [[0, 0, -1.064], [0, 0, 0], [0, 0, 1.156]])
    tensor = MBTR(k1=False, k2=False, k3_sigma=1e-2, k3_min=179.0, k3_max=181.0, k3_n=201, k3_weighting="unity")
    block = next(b for b in tensor.blocks(chain.species) if b.title == "N–C–H")
    row = tensor.compute(chain).array[0, block.start : block.stop]
    np.testing.assert_allclose(row, row[::-1], atol=1e-10 * row.max())
    assert row.argmax() == 100


def test_homometric_pair() -> None:
    """Four H around C with the same set of distances: pairs are blind to the difference, angles are not."""
    pair = [named("homometric A"), named("homometric B")]
    structures = Structures.from_lists([s.numbers for s in pair], [s.positions for s in pair])
    for fields in ({}, {"k2_geometry": "distance"}, {"k2_weighting": "inverse_square"}):
        a, b = MBTR(k3=False, **fields).compute(structures).array
        assert np.abs(a - b).max() <= 1e-13 * np.abs(a).max()
    for fields in ({}, {"k3_geometry": "cosine"}, {"k3_weighting": "unity"}):
        a, b = MBTR(k1=False, k2=False, **fields).compute(structures).array
        assert np.linalg.norm(a - b) > 0.2 * np.linalg.norm(a)
    # to C itself they are the same, to the other atoms not
    local = LMBTR(average="off").compute(structures)
    a, b = local.of(0), local.of(1)
    assert np.abs(a[0] - b[0]).max() <= 1e-12 * np.abs(a[0]).max()
    assert np.linalg.norm(a[1:].sum(axis=0) - b[1:].sum(axis=0)) > 1e-3 * np.linalg.norm(a[1:].sum(axis=0))


@pytest.mark.parametrize("normalization", ["balanced", "none", "l2", "l2_each"])
def test_sums_and_means_of_atoms(normalization: str) -> None:
    structures = random_structures(6, seed=3)
    raw = "balanced" if normalization == "balanced" else "none"
    rows = LMBTR(average="off", normalization=raw).compute(structures)
    for average in ("sum", "mean"):
        representation = LMBTR(average=average, normalization=normalization)
        features = representation.compute(structures)
        assert features.offsets is None
        for i, (structure, row) in enumerate(zip(structures, features.array, strict=True)):
            expected = rows.of(i).sum(axis=0) / (len(structure) if average == "mean" else 1)
            parts = [slice(None)]
            if normalization == "l2_each":
                cut = len(structures.species.numbers) * representation.k2_n
                parts = [slice(0, cut), slice(cut, None)]
            if normalization.startswith("l2"):
                for part in parts:
                    expected[part] /= np.linalg.norm(expected[part]) or 1.0
            np.testing.assert_allclose(row, expected, atol=1e-13 * max(np.abs(expected).max(), 1e-300))


def test_local_rows_add_up_to_the_tensor() -> None:
    """Every pair is in two rows; every angle in three."""
    structures = random_structures(5, seed=4)
    fields = {"k2_min": -1.0, "k2_max": 3.0, "k3_min": -60.0, "k3_max": 240.0}
    tensor, local = MBTR(k1=False, **fields), LMBTR(average="sum", **fields)
    rows, sums = tensor.compute(structures).array, local.compute(structures).array
    for order, times in ((2, 2), (3, 3)):
        mine = [b for b in tensor.blocks(structures.species) if b.order == order]
        theirs = [b for b in local.blocks(structures.species) if b.order == order]
        whole = rows[:, mine[0].start : mine[-1].stop].sum(axis=1)
        np.testing.assert_allclose(
            sums[:, theirs[0].start : theirs[-1].stop].sum(axis=1), times * whole, rtol=1e-12, atol=1e-12
        )


def _crystal() -> Structures:
    return _golden_structures("crystals").take([2])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"k2_weighting": "inverse_square", "k3_weighting": "smooth_cutoff", "k2_r_cut": 5.0, "k3_r_cut": 3.3},
        {"k2_geometry": "distance", "k3_geometry": "cosine", "k3_r_cut": 4.0, "k2_scale": 0.9},
    ],
)
def test_crystals(fields: dict[str, Any]) -> None:
    """A supercell has the same rows for each atom; atoms may be moved by lattice vectors."""
    crystal = _crystal()
    cell = np.asarray(crystal.cells)[0]
    fields = {"k3_r_cut": 3.5, **fields}
    tensor, local = MBTR(**fields), LMBTR(average="off", **fields)
    steps = np.array([[0, 0, 0], [1, 0, -1], [0, 2, 0], [-1, 1, 1]])
    moved = Structures(crystal.numbers, crystal.positions + steps @ cell, crystal.offsets, crystal.cells)
    numbers = np.tile(crystal.numbers, 6)
    shifts = [np.array([i, j, 0]) @ cell for i in range(2) for j in range(3)]
    positions = np.concatenate([crystal.positions + s for s in shifts])
    large = Structures.from_lists([numbers], [positions], [cell * [[2], [3], [1]]])
    for representation, factor in ((tensor, 6.0), (local, 1.0)):
        rows = representation.compute(crystal).array
        scale = np.abs(rows).max()
        assert np.abs(representation.compute(moved).array - rows).max() <= 1e-12 * scale
        repeated = np.tile(rows, (6, 1)) if representation.local else rows
        assert np.abs(representation.compute(large).array - factor * repeated).max() <= 1e-11 * scale * factor
    intensive = MBTR(normalization="n_atoms", **fields)
    np.testing.assert_allclose(intensive.compute(large).array, intensive.compute(crystal).array, atol=1e-11 * scale)
    intensive = MBTR(normalization="valle_oganov", **fields)
    rows = intensive.compute(crystal).array
    np.testing.assert_allclose(intensive.compute(large).array, rows, atol=1e-11 * np.abs(rows).max())


def test_molecules_and_crystals_together() -> None:
    crystal, molecule = _crystal()[0], named("water")
    both = Structures.from_lists(
        [molecule.numbers, crystal.numbers], [molecule.positions, crystal.positions], [None, crystal.cell]
    )
    for representation in (MBTR(k3_r_cut=4.0), LMBTR(k3_r_cut=4.0)):
        rows = representation.compute(both).array
        lone = one(molecule.numbers, molecule.positions)
        np.testing.assert_array_equal(representation.compute(lone, species=both.species).array[0], rows[0])
        np.testing.assert_array_equal(representation.compute(_crystal(), species=both.species).array[0], rows[1])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"normalization": "l2_each", "k2_geometry": "distance", "k3_geometry": "cosine"},
        {"normalization": "l2", "k2_weighting": "inverse_square", "k3_weighting": "smooth_cutoff"},
        {"normalize_gaussians": False, "k3_sigma": 0.5, "k2_sigma": 0.005, "k3_r_cut": 3.0},
    ],
)
@pytest.mark.parametrize("kind", ["mbtr", "mbtr, crystal", "lmbtr, off", "lmbtr, sum", "lmbtr, mean, crystal"])
def test_contributions_add_up(kind: str, fields: dict[str, Any]) -> None:
    structures = _crystal() if "crystal" in kind else random_structures(3, seed=5, low=6, high=9).take([1])
    if "crystal" in kind:
        fields = {**fields, "k2_r_cut": 4.0, "k3_r_cut": 4.5}
    structure, species = structures[0], structures.species
    representation: MBTR | LMBTR = MBTR(**fields)
    if kind.startswith("lmbtr"):
        representation = LMBTR(average=kind.split(", ")[1], **fields)
    centre = 2 if representation.local else None
    row = representation.compute(structures).array[centre or 0]
    filled = np.flatnonzero(np.abs(row) > 1e-9 * np.abs(row).max())
    orders = set()
    for column in np.random.default_rng(1).choice(filled, 40):
        block = next(b for b in representation.blocks(species) if b.start <= column < b.stop)
        orders.add(block.order)
        parts = representation.contributions(structure, species, int(column), centre)
        assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-4)
        assert [p.value for p in parts] == sorted((p.value for p in parts), reverse=True)
        for part in parts:
            assert len(part.atoms) == block.order
            pairs = zip(part.atoms, block.elements, strict=True)
            found = [0 if e == 0 else int(structure.numbers[a]) for a, e in pairs]
            assert tuple(found) in (block.elements, block.elements[::-1])
            if centre is not None:
                assert part.atoms[block.elements.index(0)] == centre
    assert orders >= {2, 3}


def test_contributions_of_what_is_not_there() -> None:
    water = named("water")
    species = _species((1, 6, 8))
    tensor = MBTR()
    empty = next(b for b in tensor.blocks(species) if b.title == "C–H")
    assert tensor.contributions(water, species, empty.start + 50) == []
    assert tensor.contributions(water, species, tensor.size(species)) == []
    with pytest.raises(ValueError, match="which one is meant"):
        LMBTR(average="off").contributions(water, species, 0)


def test_labels_and_panels() -> None:
    species = _species((1, 6, 8))
    tensor, local = MBTR(k1_n=11), LMBTR()
    layout = tensor.layout(named("water"), species)
    assert layout.kind == "panels"
    titles = {group: [p.title for p in layout.panels if p.group == group] for group in ("elements", "pairs", "triples")}
    assert titles["elements"] == ["H", "C", "O"]
    assert titles["pairs"] == ["H–H", "C–H", "O–H", "C–C", "C–O", "O–O"]
    assert titles["triples"][6:12] == ["H–C–H", "C–C–H", "O–C–H", "C–C–C", "C–C–O", "O–C–O"]
    assert {p.axis for p in layout.panels} == {"Z", "1/r / Å⁻¹", "angle / °"}
    assert layout.panels[-1].stop == tensor.size(species)
    labels = tensor.labels(species)
    assert labels[1] == "H Z = 0.9"
    pair = next(p for p in layout.panels if p.title == "C–H")
    assert labels[pair.start + 50] == "C–H 1/r = 0.71 Å⁻¹"
    triple = next(p for p in layout.panels if p.title == "H–C–H")
    assert labels[triple.start + 60] == "H–C–H angle = 109°"
    panels = local.layout(named("water"), species).panels
    found = [p.title for p in panels]
    assert found[:3] == ["X–H", "X–C", "X–O"]
    assert found[3:6] == ["H–X–H", "C–X–H", "O–X–H"]
    assert found[9:12] == ["X–H–H", "X–H–C", "X–H–O"]
    assert len(found) == len(set(found)) == 3 + 6 + 9
    cosine = MBTR(k3_geometry="cosine", k2_geometry="distance")
    assert {p.axis for p in cosine.layout(named("water"), species).panels} == {"Z", "r / Å", "cosine"}
    assert len(set(cosine.labels(species))) == cosine.size(species)


def test_errors_say_what_to_do() -> None:
    crystal = _crystal()
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\) is a crystal.*choose k3_weighting exp"):
        MBTR(k3_weighting="unity").compute(crystal)
    with pytest.raises(ValueError, match=r"choose k2_weighting exp"):
        LMBTR(k2_weighting="unity", k3=False).compute(crystal)
    # what is switched off does not matter
    MBTR(k3_weighting="unity", k3=False).compute(crystal)
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\) has no cell with a volume"):
        MBTR(normalization="valle_oganov").compute(_water())
    with pytest.raises(ValueError, match="switch on k1, k2 or k3"):
        MBTR(k1=False, k2=False, k3=False)
    with pytest.raises(ValueError, match="switch on k2 or k3"):
        LMBTR(k2=False, k3=False)
    with pytest.raises(ValueError, match="k2_max is 1, which must be above k2_min, 2"):
        MBTR(k2_min=2.0, k2_max=1.0)
    with pytest.raises(ValueError, match=r"k3_sigma is 0\.0001, far below"):
        LMBTR(k3_sigma=1e-4)
    with pytest.raises(ValueError, match="k2_sigma is 1000, far above"):
        MBTR(k2_sigma=1e3)
    for representation in (MBTR(k2=False, k3=False), MBTR(), LMBTR()):
        with pytest.raises(ValueError, match="lie at the same place"):
            representation.compute(one([1, 6, 8], [[0, 0, 0], [0, 0, 1], [0, 0, 1]]))
    with pytest.raises(ValueError, match="through the faces of the cell"):
        MBTR().compute(Structures.from_lists([[6, 6]], [[[0, 0, 0], [4, 0, 0]]], [np.eye(3) * 4.0]))
    # switched off, the grid does not matter
    assert MBTR(k2=False, k2_min=2.0, k2_max=1.0).size(_species((1,))) == 200


def test_what_lies_beside_the_grid() -> None:
    """Pairs and angles far off the grid add nothing; the edges of a grid cut Gaussians."""
    water = _water()
    for low, high in ((50.0, 60.0), (-60.0, -50.0)):
        tensor = MBTR(k1=False, k3=False, k2_min=low, k2_max=high, k2_n=20)
        assert not tensor.compute(water).array.any()
    narrow = MBTR(k1=False, k3=False, k2_min=0.5, k2_max=1.1, k2_n=61, k2_sigma=0.2)
    wide = MBTR(k1=False, k3=False, k2_min=-0.5, k2_max=2.5, k2_n=301, k2_sigma=0.2)
    a, b = narrow.compute(water).array.reshape(3, 61), wide.compute(water).array.reshape(3, 301)
    np.testing.assert_allclose(a, b[:, 100:161], atol=1e-12)


def test_heavy_elements_have_a_place() -> None:
    """The automatic grid of atoms ends above the heaviest element."""
    heavy = one([1, 92], [[0, 0, 0], [0, 0, 2]])
    tensor = MBTR(k2=False, k3=False, normalization="none")
    row = tensor.compute(heavy).array[0].reshape(2, 100)
    step = tensor.blocks(heavy.species)[0].grid.step
    np.testing.assert_allclose(row.sum(axis=1) * step, 1.0, rtol=1e-12)
    assert [p.name for p in MBTR.params()][:2] == ["k1", "k1_n"]


def test_many_angles_at_once() -> None:
    """More neighbours than fit into one round of the loop; against the sum over contributions."""
    rng = np.random.default_rng(8)
    points = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3) * 1.6 + rng.normal(0, 0.05, (64, 3))
    structures = one(np.where(np.arange(64) % 3 == 0, 6, 1), points)
    for representation in (
        MBTR(k3_weighting="unity", k2_weighting="unity"),
        LMBTR(average="sum", k3_weighting="smooth_cutoff"),
    ):
        row = representation.compute(structures).array[0]
        block = representation.blocks(structures.species)[-2]
        column = block.start + 40
        parts = representation.contributions(structures[0], structures.species, column)
        assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-5)
    rows = LMBTR(average="off", k3_weighting="smooth_cutoff").compute(structures).array
    np.testing.assert_allclose(rows.sum(axis=0), row, atol=1e-12 * np.abs(row).max())
