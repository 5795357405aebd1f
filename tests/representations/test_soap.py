"""SOAP: against DScribe, the plain definition, closed forms; derivatives; what it can and cannot tell apart."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finite_differences import check_gradient
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations import SOAP, _soap_basis
from qmlstudio.representations._soap_parts import solid_harmonics

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "soap.json").read_text(encoding="utf-8"))
ELEMENTS = Species(tuple(GOLDEN["elements"]), (99,) * 5, 999)
SETS = {entry["title"]: entry for entry in GOLDEN["sets"]}

# DScribe makes its basis in double precision and cuts integrals short (see the class); its harmonics have 12 digits
TOLERANCE = {
    "gto": 1e-10,
    "gto narrow": 1e-10,
    "gto eight": 2e-9,
    "gto many": 1e-7,
    "polynomial": 1e-6,
    "polynomial narrow": 1e-9,
}
SMALL: dict[str, Any] = {"n_max": 4, "l_max": 3, "r_cut": 3.5, "sigma": 0.5}
CELL = np.array([[4.0, 0.3, 0.0], [0.0, 4.4, 0.2], [0.5, 0.0, 5.0]])


def structure(index: int) -> Structures:
    """One of the golden file."""
    s = GOLDEN["structures"][index]
    return Structures.from_lists([s["numbers"]], [s["positions"]], [s.get("cell")])


@functools.cache
def six() -> Structures:
    """Six atoms of four elements, off all symmetry."""
    positions = np.random.default_rng(3).uniform(-1.6, 1.6, (6, 3))
    return one([6, 1, 8, 1, 7, 6], positions)


def crystal(structures: Structures, cell: Any = CELL) -> Structures:
    """The same atoms in a cell."""
    return Structures(structures.numbers, structures.positions, structures.offsets, np.array([cell] * len(structures)))


def close(a: Any, b: Any, tolerance: float) -> None:
    """Equal within `tolerance` of the largest value."""
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


# Values


@pytest.mark.parametrize("title", [title for title in SETS if title != "exp"])
def test_equals_dscribe(title: str) -> None:
    for entry in SETS[title]["rows"]:
        for average in ("off", "inner", "outer"):
            if average not in entry:
                continue
            expected = entry[average]
            soap = SOAP(average=average, **SETS[title]["parameters"])
            row = soap.compute(structure(entry["structure"]), species=ELEMENTS, threads=1).array[expected["atom"]]
            count, *columns = expected["columns"]
            assert row.shape == (count,) == (soap.size(ELEMENTS),)
            error = np.abs(row[columns] - expected["values"]).max(initial=0)
            assert error <= TOLERANCE.get(title, 1e-10) * max(expected["norm"], 1e-300)
            assert np.linalg.norm(row) == pytest.approx(expected["norm"], rel=TOLERANCE.get(title, 1e-10))


def test_the_exponential_weighting_decays_and_dscribes_grows() -> None:
    parameters = SETS["exp"]["parameters"]
    c, d, r0 = parameters["c"], parameters["d"], parameters["r0"]
    soap = SOAP(average="off", **parameters)
    r = np.linspace(0, 8, 9)
    np.testing.assert_allclose(soap.weight(r), c / (d + np.exp(r / r0)), rtol=1e-15)
    index = [s["name"] for s in GOLDEN["structures"]].index("hydrogen cyanide")
    expected = next(e for e in SETS["exp"]["rows"] if e["structure"] == index)["off"]
    molecule = structure(index)
    assert expected["atom"] == 2
    plain = soap.with_values(weighting="none").compute(molecule, species=ELEMENTS).array[2]
    # seen from N: columns of H alone have the square of its weight
    distance = float(np.linalg.norm(molecule.positions[2] - molecule.positions[0]))
    block = soap.blocks(ELEMENTS)[0]
    assert (block.first, block.second) == (1, 1)
    columns = [k for k in expected["columns"][1:] if k < block.stop]
    values = np.array(expected["values"][: len(columns)])
    assert len(columns) > 2
    close(plain[columns] * (c / (d + math.exp(-distance / r0))) ** 2, values, 1e-8)
    close(
        soap.compute(molecule, species=ELEMENTS).array[2, columns], plain[columns] * soap.weight(distance) ** 2, 1e-12
    )


def test_water_as_published() -> None:
    water = one(named("water").numbers, named("water").positions)
    expected = [0.6850259051, 9.2576235741, 125.1100047507, 0.0133695185, 0.4062520804, 12.3445547096]
    expected += [0.0000901905, 0.010292533, 1.1745833984, 0.8976903285, 5.4388797302, 12.1316275572, 73.502477546]
    expected += [0.0] * 8 + [1.1763758421, 7.1273651048, 43.1829110403] + [0.0] * 6
    array = SOAP(n_max=2, l_max=2, average="off").compute(water).array
    np.testing.assert_allclose(array[0], expected, atol=2e-8)
    np.testing.assert_allclose(array[1, :4], [0.9569607297, 10.719584295, 120.0775370331, 0.0016989319], atol=2e-8)
    np.testing.assert_allclose(array[2], array[1], atol=1e-12)
    alpha, beta = _soap_basis.gaussian_basis(5.0, 2, 0)
    np.testing.assert_allclose(alpha.astype(float), [6.907755279, 0.2763102112], rtol=1e-9)
    expected_beta = [[11.0829207968, -0.2175530592], [-0.2175530592, 0.9673150305]]
    np.testing.assert_allclose(beta.astype(float), expected_beta, rtol=1e-9)
    expected = [10.273704194, 34.8052086764, 117.9129287869, 3.714488111, 5.5453015003, 8.2784943201]
    array = SOAP(n_max=2, l_max=2, average="off", rbf="polynomial").compute(water).array
    np.testing.assert_allclose(array[0, :6], expected, rtol=1e-6)  # DScribe's integrals are cut short


def plain(soap: SOAP, structures: Structures, atom: int) -> Any:
    """The row of one atom of a molecule from quadrature over all space; elements count alike."""
    x, w = np.polynomial.legendre.leggauss(80)
    # a Gaussian basis has no end
    reach = 10.0 if soap.rbf == "gto" else soap.cutoff
    rho, radial_weight = 0.5 * reach * (x + 1), 0.5 * reach * w
    cosine, polar_weight = np.polynomial.legendre.leggauss(24)
    angles = (np.arange(48) + 0.5) * (2 * np.pi / 48)
    sine = np.sqrt(1 - cosine**2)
    sphere = np.stack(
        [np.outer(sine, np.cos(angles)), np.outer(sine, np.sin(angles)), np.outer(cosine, np.ones(48))], axis=-1
    ).reshape(-1, 3)
    area = np.repeat(polar_weight, 48) * (2 * np.pi / 48)
    density = np.zeros((len(rho), len(sphere)))
    for position in structures.positions - structures.positions[atom]:
        offset = rho[:, None, None] * sphere - position
        density += np.exp(-(offset**2).sum(axis=-1) / (2 * soap.sigma**2))
    found = []
    for l in range(soap.l_max + 1):
        projected = (density * area) @ solid_harmonics(l, sphere).T
        if soap.rbf == "gto":
            alpha, beta = (v.astype(float) for v in _soap_basis.gaussian_basis(soap.cutoff, soap.n_max, l))
            g = beta @ (np.exp(-np.outer(alpha, rho**2)) * rho**l)
        else:
            nodes, _, values = _soap_basis.polynomial_basis(soap.cutoff, soap.n_max, 60)
            g = np.array([np.polynomial.Polynomial.fit(nodes, v, soap.n_max + 2)(rho) for v in values])
        c = (g * radial_weight * rho**2) @ projected
        p = math.pi * math.sqrt(8 / (2 * l + 1)) * c @ c.T
        found.append(p[np.triu_indices(soap.n_max)])
    return np.concatenate(found)


@pytest.mark.parametrize("rbf", ["gto", "polynomial"])
def test_equals_the_integral_over_space(rbf: str) -> None:
    soap = SOAP(rbf=rbf, n_max=3, l_max=3, r_cut=3.0, sigma=0.8, average="off", compression="mu2")
    array = soap.compute(six(), threads=1).array
    close(array[2], plain(soap, six(), 2), 1e-11)


def test_single_neighbour_and_sphere() -> None:
    # addition theorem: with one neighbour and no centre p_nnl ∝ R_nl², whatever the direction
    soap = SOAP(average="off", w0=0.0, **SMALL)
    rows = []
    for direction in np.random.default_rng(2).normal(size=(3, 3)):
        pair = one([6, 1], [[0, 0, 0], 1.3 * direction / np.linalg.norm(direction)])
        rows.append(soap.compute(pair).array[0])
    close(rows[0], rows[1], 1e-13)
    close(rows[0], rows[2], 1e-13)
    values = _soap_basis.radial("gto", 3.5, 4, 3, 0.5, np.array([1.69]))[0]
    block = soap.blocks(Species((1, 6), (1, 1), 2))[0]
    expected = [
        values[l, n] * values[l, k] * 1.3 ** (2 * l) * (2 * l + 1) / (4 * np.pi)
        for l in range(4)
        for n in range(4)
        for k in range(n, 4)
    ]
    close(rows[0][block.start : block.stop], np.array(expected), 1e-12)
    # atoms moved on a sphere around the centre: l = 0 does not change
    rng = np.random.default_rng(4)
    found = []
    for _ in range(2):
        points = rng.normal(size=(4, 3))
        points *= 1.5 / np.linalg.norm(points, axis=1)[:, None]
        found.append(soap.compute(one([6, 1, 1, 8, 8], np.vstack([np.zeros(3), points]))).array[0])
    labels = soap.labels(Species((1, 6, 8), (2, 1, 2), 5))
    flat = np.array([label.endswith("l = 0)") for label in labels])
    close(found[0][flat], found[1][flat], 1e-13)
    assert np.abs(found[0] - found[1])[~flat].max() > 1e-3


# Options


def test_large_molecules_take_the_other_path() -> None:
    """More atoms than one batch, and the same with a cell that is too large to matter."""
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) * 1.4
    numbers = rng.choice([1, 1, 6, 8], 50)
    large = one(numbers, grid[:50] + rng.normal(0, 0.1, (50, 3)))
    for average in ("off", "inner", "outer"):
        soap = SOAP(average=average, r_cut=2.0, n_max=3, l_max=2, sigma=0.3)
        whole = soap.compute(large).array
        close(soap.compute(crystal(large, np.eye(3) * 60.0)).array, whole, 1e-13)
        # an atom sees only what is near: the first atom's surroundings alone give its row
        if average == "off":
            near = np.linalg.norm(large.positions - large.positions[0], axis=1) < soap.reach
            alone = one(large.numbers[near], large.positions[near])
            assert near.sum() <= 32
            close(soap.compute(alone, species=large.species).array[0], whole[0], 1e-12)
        if average == "outer":
            rows = soap.with_values(average="off").compute(large).array
            close(whole[0], rows.mean(axis=0), 1e-13)


@pytest.mark.parametrize("average", ["off", "inner", "outer"])
@pytest.mark.parametrize("weighting", ["none", "poly"])
def test_crystals(average: str, weighting: str) -> None:
    soap = SOAP(average=average, weighting=weighting, r0=4.0, **SMALL)
    cell = crystal(six())
    whole = soap.compute(cell).array
    rng = np.random.default_rng(8)
    moved = Structures(cell.numbers, cell.positions + rng.integers(-2, 3, (6, 3)) @ CELL, cell.offsets, cell.cells)
    close(soap.compute(moved).array, whole, 1e-12)
    double = CELL * [[2.0], [1.0], [1.0]]
    twice = Structures.from_lists(
        [np.tile(cell.numbers, 2)], [np.vstack([cell.positions, cell.positions + CELL[0]])], [double]
    )
    found = soap.compute(twice).array
    close(found, np.vstack([whole, whole]) if average == "off" else whole, 1e-12)


def test_compressions_are_sums_of_the_whole() -> None:
    species = six().species
    n = SMALL["n_max"]

    def squares(compression: str, average: str) -> dict[tuple[int, int], Any]:
        """(l, n, n') of every pair of densities."""
        soap = SOAP(compression=compression, average=average, **SMALL)
        row = soap.compute(six()).array[0]
        found = {}
        for block in soap.blocks(species):
            part = row[block.start : block.stop].reshape(SMALL["l_max"] + 1, -1)
            full = np.zeros((len(part), n, n))
            if block.is_symmetric:
                i, j = np.triu_indices(n)
                full[:, i, j] = full[:, j, i] = part
            else:
                full = part.reshape(-1, n, n)
            found[block.first, block.second] = full
        return found

    for average in ("off", "inner", "outer"):
        whole = squares("off", average)
        whole |= {(b, a): v.transpose(0, 2, 1) for (a, b), v in whole.items()}
        for z in species.numbers:
            close(squares("crossover", average)[z, z], whole[z, z], 1e-14)
            close(squares("mu1nu1", average)[z, 0], sum(whole[z, other] for other in species.numbers), 1e-13)
        close(squares("mu2", average)[0, 0], sum(whole.values()), 1e-13)


def test_cutoff_from_the_weighting_and_refusals() -> None:
    assert SOAP(r_cut=None, weighting="poly", r0=3.0).cutoff == 3.0
    soap = SOAP(r_cut=None, weighting="pow", r0=2.0, c=1.0, d=1.0, m=2.0)
    assert soap.weight(soap.cutoff) == pytest.approx(0.01, rel=1e-12)
    soap = SOAP(r_cut=None, weighting="exp", r0=1.0, c=1.0, d=0.5, threshold=0.001)
    assert soap.weight(soap.cutoff) == pytest.approx(0.001, rel=1e-12)
    assert soap.reach == pytest.approx(soap.cutoff + 3.7169221888)
    with pytest.raises(ValueError, match="r_cut: a value is needed"):
        SOAP(r_cut=None)
    with pytest.raises(ValueError, match="r_cut: the weighting has decayed"):
        SOAP(r_cut=None, weighting="exp", c=0.001)
    with pytest.raises(ValueError, match="w0: a value is needed"):
        SOAP(weighting="pow", d=0.0)
    assert SOAP(weighting="pow", d=0.0, w0=1.0).centre_weight == 1.0
    with pytest.raises(ValueError, match="atoms H1 and H2 lie at the same place"):
        SOAP().compute(one([1, 1], [[0, 0, 0], [0, 0, 1e-5]]))
    with pytest.raises(ValueError, match="through the faces"):
        SOAP(average="off").compute(crystal(one([1, 1], [[0, 0, 0], CELL[0]])))
    with pytest.raises(ValueError, match="lie at the same place"):
        SOAP().gradient(one([1, 1], [[0, 0, 0], [0, 0, 1e-5]]))
    with pytest.raises(ValueError, match="fixed for H"):
        SOAP().compute(six(), species=Species((1,), (2,), 2))


# Failures


def test_homometric_pair() -> None:
    """The same to the carbon in the middle; its neighbours tell them apart."""
    pair = [one(s.numbers, s.positions) for s in (named("homometric A"), named("homometric B"))]
    for rbf in ("gto", "polynomial"):
        soap = SOAP(n_max=6, l_max=6, sigma=0.5, r_cut=3.0, rbf=rbf, average="off")
        a, b = (soap.compute(s).array for s in pair)
        assert np.linalg.norm(a[0] - b[0]) < 1e-12 * np.linalg.norm(a[0])
        hydrogens = a[1:].mean(axis=0) - b[1:].mean(axis=0)
        assert np.linalg.norm(hydrogens) > 0.02 * np.linalg.norm(a[1:].mean(axis=0))
    for average in ("inner", "outer"):
        a, b = (SOAP(average=average).compute(s).array for s in pair)
        assert np.linalg.norm(a - b) > 1e-3 * np.linalg.norm(a)


def test_jump_at_the_cutoff() -> None:
    def step(soap: SOAP, at: float) -> float:
        rows = [soap.compute(one([6, 1, 1], [[0, 0, 0], [0, 1.1, 0], [0, 0, at + x]])).array[0] for x in (-1e-9, 1e-9)]
        return float(np.linalg.norm(rows[0] - rows[1]))

    soap = SOAP(n_max=6, l_max=6, sigma=0.5, r_cut=3.0, average="off")
    jump = step(soap, soap.reach)
    assert 1e-5 < jump < 1e-3
    smooth = soap.with_values(weighting="poly", r0=4.0)
    assert step(smooth, soap.reach) < 1e-12
    assert step(smooth, 4.0) < 1e-7


# Derivatives


GRADIENTS: list[dict[str, Any]] = [
    {},
    {**SMALL, "average": "outer"},
    {**SMALL, "average": "inner", "rbf": "polynomial", "weighting": "poly", "m": 3.0, "r0": 4.0},
    {**SMALL, "average": "outer", "compression": "mu1nu1", "weighting": "pow", "m": 2.0, "r0": 2.0},
    {**SMALL, "average": "inner", "compression": "mu1nu1", "weighting": "exp", "r0": 2.0, "w0": 0.3},
    {**SMALL, "average": "inner", "compression": "crossover", "n_max": 9},
    {**SMALL, "average": "outer", "compression": "mu2", "n_max": 9},
]


@pytest.mark.parametrize("parameters", GRADIENTS, ids=lambda p: "-".join(str(v) for v in p.values()) or "defaults")
def test_gradient(parameters: dict[str, Any]) -> None:
    soap = SOAP(**parameters)
    structures = Structures.from_lists(
        [six().numbers, [1, 6, 7], [8]],
        [six().positions, [[0, 0, -1.064], [0, 0, 0], [0, 0, 1.156]], [[1.0, 0, 0]]],
    )
    check_gradient(soap, structures)
    cell = Structures(six().numbers[:3], six().positions[:3], np.array([0, 3]), np.array([CELL]))
    # none crosses the cutoff by a step there
    check_gradient(soap.with_values(**SMALL), cell)


@pytest.mark.parametrize("compression", ["off", "mu1nu1"])
@pytest.mark.parametrize("cell", [None, CELL], ids=["molecule", "crystal"])
def test_gradient_of_rows(compression: str, cell: Any) -> None:
    soap = SOAP(average="off", compression=compression, **SMALL)
    structures = six() if cell is None else crystal(six(), cell)
    block = soap.gradient(structures).of(0)
    assert block.shape == (6, 6, 3, soap.size(structures.species))
    h, scale = 1e-3, np.abs(block).max()
    for atom, axis in ((0, 0), (3, 1), (5, 2)):
        total: Any = 0.0
        for step, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            positions = structures.positions.copy()
            positions[atom, axis] += step * h
            moved = Structures(structures.numbers, positions, structures.offsets, structures.cells)
            total = total + weight * soap.compute(moved).array
        assert np.abs(block[:, atom, axis] - total / (12 * h)).max() < 1e-8 * scale
    assert np.abs(block.sum(axis=1)).max() < 1e-12 * scale
    # the average's is the average
    outer = soap.with_values(average="outer").gradient(structures).of(0)
    close(outer[0], block.mean(axis=0), 1e-12)
    buffer = np.full(block.size + 1, np.nan)[1:]
    np.testing.assert_array_equal(soap.gradient(structures, out=buffer).of(0), block)


# Atoms, names, pictures


@pytest.mark.parametrize("average", ["off", "inner", "outer"])
@pytest.mark.parametrize("compression", ["off", "mu2", "mu1nu1", "crossover"])
@pytest.mark.parametrize("cell", [None, CELL], ids=["molecule", "crystal"])
def test_contributions_add_up(average: str, compression: str, cell: Any) -> None:
    soap = SOAP(average=average, compression=compression, weighting="pow", r0=2.0, **SMALL)
    structures = six() if cell is None else crystal(six(), cell)
    centre = 2 if average == "off" else None
    row = soap.compute(structures).array[centre or 0]
    for column in range(0, len(row), 17):
        parts = soap.contributions(structures[0], structures.species, column, centre)
        largest = abs(parts[0].value) if parts else 0.0
        assert sum(p.value for p in parts) == pytest.approx(row[column], abs=1e-4 * largest + 1e-10 * row.max())
        sizes = [abs(p.value) for p in parts]
        assert sizes == sorted(sizes, reverse=True)
        assert len({p.atoms for p in parts}) == len(parts)
    assert soap.contributions(structures[0], structures.species, len(row)) == []


def test_contributions_name_the_atoms() -> None:
    species = six().species
    soap = SOAP(average="off", **SMALL)
    labels = soap.labels(species)
    parts = soap.contributions(six()[0], species, labels.index("p(H n=1, O n=2, l = 1)"), 0)
    assert {p.atoms for p in parts} == {(1, 0, 2), (2, 0, 3)}
    parts = soap.contributions(six()[0], species, labels.index("p(C n=1, C n=2, l = 0)"), 0)
    assert {p.atoms for p in parts} == {(0,), (0, 5)}
    whole = soap.with_values(average="outer")
    column = labels.index("p(H n=1, O n=2, l = 1)")
    assert {p.atoms for p in whole.contributions(six()[0], species, column)} <= {(1, 2), (2, 3)}
    shares = [sum(p.value for p in whole.contributions(six()[0], species, column, i)) for i in range(6)]
    assert sum(shares) == pytest.approx(whole.compute(six()).array[0, column], rel=1e-9)


@pytest.mark.parametrize("compression", ["off", "mu2", "mu1nu1", "crossover"])
def test_panels_have_every_column(compression: str) -> None:
    soap = SOAP(compression=compression, **SMALL)
    species = six().species
    layout = soap.layout(six()[0], species)
    labels = soap.labels(species)
    assert layout.kind == "panels"
    assert [c for p in layout.panels for c in range(p.start, p.stop)] == list(range(soap.size(species)))
    for panel in layout.panels:
        assert panel.cells is not None
        assert panel.cells.shape == (4, 4)
        assert set(panel.cells.ravel()) == set(range(panel.start, panel.stop))
        first, second = panel.group.split("–")
        for i in range(4):
            for j in range(4):
                n, k = (min(i, j), max(i, j)) if first == second else (i, j)
                assert labels[panel.cells[i, j]] == f"p({first} n={n + 1}, {second} n={k + 1}, {panel.title})"
    groups = list(dict.fromkeys(p.group for p in layout.panels))
    assert groups[0] == {"off": "H–H", "mu2": "all–all", "mu1nu1": "H–all", "crossover": "H–H"}[compression]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_at_any_address(dtype: Any) -> None:
    """Rows that do not begin at a line of memory, and buffers that held something else."""
    structures = random_structures(9, seed=3)
    for soap in (SOAP(**SMALL), SOAP(average="off", **SMALL), SOAP(n_max=8, l_max=1, average="outer")):
        expected = soap.compute(structures).array.astype(dtype)
        for offset in range(0, 9, 2):
            buffer = np.full(expected.size + 20, np.nan, dtype=dtype)
            out = buffer[offset : offset + expected.size].reshape(expected.shape)
            soap.compute(structures, out=out, threads=2)
            np.testing.assert_array_equal(out, expected)
            assert np.isnan(buffer[:offset]).all()
            assert np.isnan(buffer[offset + expected.size :]).all()


def test_infinite_weight_at_the_centre_is_never_asked_for() -> None:
    soap = SOAP(weighting="pow", d=0.0, w0=0.5, average="off", **SMALL)
    row = soap.compute(six()).array[1]
    parts = soap.contributions(six()[0], six().species, 3, 1)
    assert sum(p.value for p in parts) == pytest.approx(row[3], rel=1e-5)
    assert np.isfinite(soap.gradient(six()).array).all()
